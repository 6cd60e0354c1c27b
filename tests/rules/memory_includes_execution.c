// SPDX-License-Identifier: MIT OR Apache-2.0
// A subsystem sees only those that it declared.
// PART: subsys/memory/
// FAILS: 'execution/process.h' file not found
#ifdef BREAK_RULE
#include <execution/process.h>
#else
#include <core/thread.h>
#endif

int used(void);

int used(void) {
    return 0;
}
