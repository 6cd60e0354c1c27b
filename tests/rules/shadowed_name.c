// SPDX-License-Identifier: MIT OR Apache-2.0
// A name that hides another one.
// PART: subsys/memory/
// FAILS: shadows a
int twice(int value);

int twice(int value) {
    if (value > 0) {
#ifdef BREAK_RULE
        int value = 2;
        return value;
#else
        int other = 2;
        return other * value;
#endif
    }
    return 0;
}
