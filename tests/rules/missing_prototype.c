// SPDX-License-Identifier: MIT OR Apache-2.0
// A function that others can call, and no header that says so.
// PART: lib/src/
// FAILS: no previous prototype
#ifdef BREAK_RULE
int answer(void) {
#else
int answer(void);

int answer(void) {
#endif
    return 42;
}
