// SPDX-License-Identifier: MIT OR Apache-2.0
// The subsystems are below the interfaces.
// PART: subsys/vfs/
// FAILS: 'posix/process.h' file not found
#ifdef BREAK_RULE
#include <posix/process.h>
#else
#include <memory/object.h>
#endif

int used(void);

int used(void) {
    return 0;
}
