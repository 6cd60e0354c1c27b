// SPDX-License-Identifier: MIT OR Apache-2.0
// There is no C library in the kernel; the headers of the compiler are there.
// PART: core/
// FAILS: 'stdio.h' file not found
#ifdef BREAK_RULE
#include <stdio.h>
#else
#include <stdint.h>
#endif

int used(void);

int used(void) {
    return 0;
}
