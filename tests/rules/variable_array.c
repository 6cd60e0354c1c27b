// SPDX-License-Identifier: MIT OR Apache-2.0
// An array on the stack whose size comes from a caller.
// PART: core/
// FAILS: variable length array
#include <helix/types.h>

uint32_t sum(uint32_t count);

uint32_t sum(uint32_t count) {
#ifdef BREAK_RULE
    uint32_t all[count];
#else
    uint32_t all[8];
#endif
    uint32_t total = 0;
    for (uint32_t i = 0; i < count && i < sizeof(all) / sizeof(all[0]); i++) {
        all[i] = i;
        total += all[i];
    }
    return total;
}
