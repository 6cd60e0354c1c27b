// SPDX-License-Identifier: MIT OR Apache-2.0
// bench/hosted/rows.h: what is measured natively, in ticks of the processor's counter.
//
// A row is an operation of the kernel and what it is compared with. Each side does its work `count`
// times and says how many ticks that took, or BENCH_FAILED if the work was not done. The loop
// around the work is part of both sides.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define BENCH_FAILED     UINT64_MAX
#define BENCH_REFERENCES 2u

typedef uint64_t (*bench_round_t)(uint32_t count);

struct bench_side {
    const char *name; // NULL: none
    bench_round_t round;
};

struct bench_row {
    const char *name;
    uint32_t count;        // operations in a round
    bool (*prepare)(void); // before the first round; may be NULL
    bench_round_t round;   // the kernel's
    void (*finish)(void);  // after the last one; may be NULL
    struct bench_side references[BENCH_REFERENCES];
};

// The counter, after all that stands before it.
static inline uint64_t bench_now(void) {
    __builtin_ia32_lfence();
    uint64_t now = __builtin_ia32_rdtsc();
    __builtin_ia32_lfence();
    return now;
}

static inline uint64_t bench_took(uint64_t start, bool done) {
    uint64_t end = bench_now();
    return done ? end - start : BENCH_FAILED;
}

// ---- the kernel's side: kernel.c
// ------------------------------------------------------------------

bool threads_prepare(uint32_t count);
uint64_t round_heap(uint32_t count);
uint64_t round_switch(uint32_t count);
bool pick_prepare_10(void);
bool pick_prepare_1000(void);
uint64_t round_pick(uint32_t count);
void pick_finish(void);
uint64_t round_yield_10(uint32_t count);
uint64_t round_yield_1000(uint32_t count);
bool wake_prepare(void);
uint64_t round_wake(uint32_t count);
uint64_t round_epoch(uint32_t count);
bool gate_prepare(void);
uint64_t round_gate(uint32_t count);
uint64_t round_bare_call(uint32_t count);
bool handle_prepare(void);
uint64_t round_handle_lookup(uint32_t count);
uint64_t round_handle(uint32_t count);
uint64_t round_handle_derived(uint32_t count);
uint64_t round_trace(uint32_t count);
bool ring_prepare(void);
uint64_t round_ring(uint32_t count);
uint64_t round_ring_batch(uint32_t count);
bool many_prepare(void);
uint64_t round_many(uint32_t count);
uint64_t round_many_batch(uint32_t count);

// ---- what it is compared with: references.c, with the host's libc
// ---------------------------------

bool references_prepare(void);        // false: a library is missing
uint64_t round_chain(uint32_t count); // dependent additions: a cycle of the core each
uint64_t round_tcmalloc(uint32_t count);
uint64_t round_glibc(uint32_t count);
uint64_t round_swapcontext(uint32_t count);
uint64_t round_minimal_switch(uint32_t count);
uint64_t round_list(uint32_t count);
uint64_t round_futex(uint32_t count);
uint64_t round_atomics(uint32_t count);
uint64_t round_stores(uint32_t count);
uint64_t round_minimal_ring(uint32_t count);
uint64_t round_minimal_ring_batch(uint32_t count);

// ---- to another processor, both sides: across.c, with the host's libc
// ---------------------------------

bool across_prepare(void); // false: there is no other processor
uint64_t round_ring_across(uint32_t count);
uint64_t round_ring_across_batch(uint32_t count);
uint64_t round_minimal_across(uint32_t count);
uint64_t round_minimal_across_batch(uint32_t count);
