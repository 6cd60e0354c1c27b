// SPDX-License-Identifier: MIT OR Apache-2.0
// The HAL is below core.
// PART: hal/x86_64/
// FAILS: 'core/thread.h' file not found
#ifdef BREAK_RULE
#include <core/thread.h>
#else
#include <boot/boot_info.h>
#endif

int used(void);

int used(void) {
    return 0;
}
