// SPDX-License-Identifier: MIT OR Apache-2.0
// Empty parentheses say nothing about the arguments.
// PART: core/
// FAILS: without a prototype
#ifdef BREAK_RULE
int answer();
#else
int answer(void);
#endif

extern int (*const chosen)(void);
int (*const chosen)(void) = answer;
