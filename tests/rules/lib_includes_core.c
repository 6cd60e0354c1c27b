// SPDX-License-Identifier: MIT OR Apache-2.0
// lib is below core.
// PART: lib/src/
// FAILS: 'core/lock.h' file not found
#ifdef BREAK_RULE
#include <core/lock.h>
#else
#include <helix/status.h>
#endif

int used(void);

int used(void) {
    return 0;
}
