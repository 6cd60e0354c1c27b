// SPDX-License-Identifier: MIT OR Apache-2.0
// <lib/time_split.h>: a growing time told in two parts, neither of which ever goes back.
//
// Where the parts are estimates of the whole past, as user and system time from samples are, a new
// estimate can be below what was told before. Who takes the difference of two answers must not see
// time run backwards.
#pragma once

#include <helix/types.h>

// What was told last. Zeroed: nothing. The caller's lock guards it.
struct time_split {
    uint64_t first, rest;
};

// Moves what is told towards `first` out of `total`, in the total's unit. The sum becomes `total`,
// or stays if that is less; each part keeps at least what it had.
static inline void time_split_move(struct time_split *told, uint64_t total, uint64_t first) {
    const uint64_t before = told->first + told->rest;
    if (total <= before) {
        return;
    }
    told->first = MIN_OF(MAX_OF(first, told->first), total - told->rest);
    told->rest = total - told->first;
}
