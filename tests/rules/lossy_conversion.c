// SPDX-License-Identifier: MIT OR Apache-2.0
// In sdk, lib and core a value does not shrink in silence.
// PART: core/
// FAILS: implicit conversion loses integer precision
#include <helix/types.h>

uint32_t low_half(uint64_t value);

uint32_t low_half(uint64_t value) {
#ifdef BREAK_RULE
    return value;
#else
    return (uint32_t)value;
#endif
}
