// SPDX-License-Identifier: MIT OR Apache-2.0
// A module sees the SDK and lib alone.
// PART: services/fs/ramfs/
// FAILS: 'core/lock.h' file not found
#ifdef BREAK_RULE
#include <core/lock.h>
#else
#include <helix/env.h>
#endif

int used(void);

int used(void) {
    return 0;
}
