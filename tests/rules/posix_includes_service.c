// SPDX-License-Identifier: MIT OR Apache-2.0
// Interfaces and services are siblings.
// PART: interface/posix/
// FAILS: 'ramfs.h' file not found
#ifdef BREAK_RULE
#include <ramfs.h>
#else
#include <runtime/boot.h>
#endif

int used(void);

int used(void) {
    return 0;
}
