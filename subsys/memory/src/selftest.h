// SPDX-License-Identifier: MIT OR Apache-2.0
// selftest.h: what the self-tests of memory share.
#pragma once

#include "private.h"

#include <core/log.h>

#define MEMTEST_THREADS 8u

// Ends the function that it stands in, with a line in the log.
#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            log_error("selftest: %s:%d: %s", __FILE__, __LINE__, #condition);                      \
            return false;                                                                          \
        }                                                                                          \
    } while (0)

struct memtest {
    const char *name;
    bool (*run)(void);
};

extern const struct memtest memtest_frames[], memtest_objects[], memtest_aspaces[],
    memtest_families[], memtest_races[], memtest_undo[], memtest_cut[], memtest_accounts[],
    memtest_maps[];

// Runs `work(index)` in `count` threads and waits for all; false if one returned false.
bool memtest_threads(uint32_t count, bool (*work)(uint32_t index));
// A number below `bound`; *state is the caller's and not 0.
uint64_t memtest_random(uint64_t *state, uint64_t bound);

// Maps anonymous private memory, readable and writable, anywhere.
bool memtest_map(struct aspace *aspace, uint64_t size_bytes, uint64_t *out_address);
// One word of an address space, as a debugger sees it.
bool memtest_poke(struct aspace *aspace, uint64_t address, uint64_t value);
bool memtest_peek(struct aspace *aspace, uint64_t address, uint64_t expected);
