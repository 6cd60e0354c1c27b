// SPDX-License-Identifier: MIT OR Apache-2.0
// "check.h": what a host test needs. A test program calls CHECK() as often as it likes and ends its
// main() with `return check_result();`, which is not 0 if a check failed.
#pragma once

#include <stdio.h>

static int check_count;
static int check_failures;

#define CHECK(condition) check_record((condition), __FILE__, __LINE__, #condition)

// Counts one check, and reports it if it failed.
static inline void check_record(int passed, const char *file, int line, const char *condition) {
    check_count++;
    if (!passed) {
        check_failures++;
        fprintf(stderr, "%s:%d: check failed: %s\n", file, line, condition);
    }
}

// Prints the verdict. A program that checked nothing fails.
static inline int check_result(void) {
    printf("%d checks, %d failed\n", check_count, check_failures);
    return check_failures != 0 || check_count == 0;
}
