// SPDX-License-Identifier: MIT OR Apache-2.0
// core/selftest.h: what the self-tests share.
#pragma once

#include "core_private.h"

#include <core/log.h>
#include <core/selftest.h>

#define SELFTEST_THREADS 16u

// Ends the test that it stands in, with a line in the log.
#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            log_error("selftest: %s:%d: %s", __FILE__, __LINE__, #condition);                      \
            return false;                                                                          \
        }                                                                                          \
    } while (0)

struct selftest {
    const char *name;
    bool (*run)(void);
};

// Starts `count` threads that each run `entry` with their index, on any processor or, with
// `same_cpu`, on processor 0 alone; waits for the end of all, for two minutes at most.
bool core_selftest_threads(uint32_t count, bool same_cpu, void (*entry)(void *index));
static inline uintptr_t selftest_index(void *argument) {
    return (uintptr_t)argument;
}

bool core_selftest_sched(void);      // selftest_sched.c
bool core_selftest_capability(void); // selftest_capability.c
bool core_selftest_sched_wake(void);
bool core_selftest_policy_runs(void); // selftest_policy.c
bool core_selftest_policy_fails(void);
bool core_selftest_policy_dies(void);
bool core_selftest_hand(void); // selftest_hand.c
bool core_selftest_drop(void); // selftest_drop.c
bool core_selftest_gate(void); // selftest_gate.c
extern const struct selftest core_selftest_smp[];
extern const uint32_t core_selftest_smp_count;
