// SPDX-License-Identifier: MIT OR Apache-2.0
// Services and interfaces are siblings.
// PART: services/fs/ramfs/
// FAILS: 'posix/call.h' file not found
#ifdef BREAK_RULE
#include <posix/call.h>
#else
#include <lib/list.h>
#endif

int used(void);

int used(void) {
    return 0;
}
