// SPDX-License-Identifier: MIT OR Apache-2.0
// core is below the subsystems.
// PART: core/
// FAILS: 'vfs/vfs.h' file not found
#ifdef BREAK_RULE
#include <vfs/vfs.h>
#else
#include <hal/mmu.h>
#endif

int used(void);

int used(void) {
    return 0;
}
