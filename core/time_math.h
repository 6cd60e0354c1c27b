// SPDX-License-Identifier: MIT OR Apache-2.0
// core/time_math.h: fixed-point conversion between counter ticks and nanoseconds. Pure.
#pragma once

#include <helix/types.h>

// numerator / denominator as 32.32 fixed point; the quotient must be below 2^32.
static inline uint64_t time_ratio(uint64_t numerator, uint64_t denominator) {
    uint64_t whole = numerator / denominator;
    uint64_t rest = numerator % denominator; // below 2^32 for rates below 4.29 GHz
    return (whole << 32) + (rest << 32) / denominator;
}
