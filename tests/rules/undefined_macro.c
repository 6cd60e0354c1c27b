// SPDX-License-Identifier: MIT OR Apache-2.0
// A misspelled configuration word in #if.
// PART: core/
// FAILS: is not defined, evaluates to 0
int chosen(void);

int chosen(void) {
#ifdef BREAK_RULE
#if HELIX_DEBUGGING
    return 1;
#endif
#else
#if HELIX_DEBUG
    return 1;
#endif
#endif
    return 0;
}
