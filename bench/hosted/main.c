// SPDX-License-Identifier: MIT OR Apache-2.0
// bench/hosted/main.c: a module that measures instead of serving, and ends the machine.
//
// Rounds of a row take turns with those of its references, so that what disturbs one disturbs the
// other. After one round of each that does not count, a line is printed for each side:
//
//     bench: NAME SIDE MIN MEDIAN P90 ROUNDS
//
// in hundredths of a tick per operation.
#include "rows.h"

#include <core/log.h>
#include <hal/io.h>
#include <helix/env.h>
#include <helix/module.h>
#include <lib/string.h>

#define ROUNDS 101u
#define SIDES  (1 + BENCH_REFERENCES)

static const struct bench_row rows[] = {
    { "cycle", 20000, NULL, round_chain, NULL, {} },
    { "alloc_free_64",
      5000,
      NULL,
      round_heap,
      NULL,
      { { "tcmalloc", round_tcmalloc }, { "glibc", round_glibc } } },
    { "switch",
      5000,
      NULL,
      round_switch,
      NULL,
      { { "minimal", round_minimal_switch }, { "swapcontext", round_swapcontext } } },
    { "pick_10", 5000, pick_prepare_10, round_pick, pick_finish, { { "list", round_list } } },
    { "pick_1000", 5000, pick_prepare_1000, round_pick, pick_finish, { { "list", round_list } } },
    { "yield_10", 2000, NULL, round_yield_10, NULL, { { "swapcontext", round_swapcontext } } },
    { "yield_1000", 5000, NULL, round_yield_1000, NULL, { { "swapcontext", round_swapcontext } } },
    { "wait_wake", 1000, wake_prepare, round_wake, NULL, { { "futex", round_futex } } },
    { "ring", 8000, ring_prepare, round_ring, NULL, { { "minimal_ring", round_minimal_ring } } },
    { "ring_batch_16",
      8000,
      ring_prepare,
      round_ring_batch,
      NULL,
      { { "minimal_ring", round_minimal_ring_batch } } },
    { "ring_across",
      8000,
      across_prepare,
      round_ring_across,
      NULL,
      { { "minimal_ring", round_minimal_across } } },
    { "ring_across_16",
      8000,
      across_prepare,
      round_ring_across_batch,
      NULL,
      { { "minimal_ring", round_minimal_across_batch } } },
    { "trace_event", 5000, NULL, round_trace, NULL, { { "four_stores", round_stores } } },
    { "ring_many",
      8000,
      many_prepare,
      round_many,
      NULL,
      { { "minimal_ring", round_minimal_ring } } },
    { "ring_many_16",
      8000,
      many_prepare,
      round_many_batch,
      NULL,
      { { "minimal_ring", round_minimal_ring_batch } } },
    { "epoch", 5000, NULL, round_epoch, NULL, { { "two_atomics", round_atomics } } },
    { "gate", 5000, gate_prepare, round_gate, NULL, { { "bare_call", round_bare_call } } },
    { "handle_lookup",
      5000,
      handle_prepare,
      round_handle_lookup,
      NULL,
      { { "two_atomics", round_atomics } } },
    { "handle", 5000, handle_prepare, round_handle, NULL, { { "two_atomics", round_atomics } } },
    { "handle_derived",
      5000,
      handle_prepare,
      round_handle_derived,
      NULL,
      { { "two_atomics", round_atomics } } },
};

static void sort(uint64_t *values, uint32_t count) {
    for (uint32_t i = 1; i < count; i++) {
        uint64_t value = values[i];
        uint32_t at = i;
        for (; at > 0 && values[at - 1] > value; at--) {
            values[at] = values[at - 1];
        }
        values[at] = value;
    }
}

static void side_print(const char *name, const char *side, uint64_t *ticks, uint32_t count) {
    sort(ticks, ROUNDS);
    log_info("bench: %s %s %lu %lu %lu %u", name, side, (unsigned long)(ticks[0] * 100 / count),
             (unsigned long)(ticks[ROUNDS / 2] * 100 / count),
             (unsigned long)(ticks[ROUNDS * 9 / 10] * 100 / count), ROUNDS);
}

static bool rounds_take(const struct bench_row *row, uint64_t ticks[SIDES][ROUNDS]) {
    for (uint32_t i = 0; i < ROUNDS + 1; i++) {
        uint32_t at = i == 0 ? 0 : i - 1;
        ticks[0][at] = row->round(row->count);
        bool good = ticks[0][at] != BENCH_FAILED;
        for (uint32_t r = 0; r < BENCH_REFERENCES && row->references[r].name != NULL; r++) {
            ticks[r + 1][at] = row->references[r].round(row->count);
            good = good && ticks[r + 1][at] != BENCH_FAILED;
        }
        if (!good) {
            return false;
        }
    }
    return true;
}

static bool row_measure(const struct bench_row *row) {
    static uint64_t ticks[SIDES][ROUNDS];
    bool good = (row->prepare == NULL || row->prepare()) && rounds_take(row, ticks);
    if (row->finish != NULL) {
        row->finish();
    }
    if (!good) {
        log_info("bench: %s failed", row->name);
        return false;
    }
    side_print(row->name, "helix", ticks[0], row->count);
    for (uint32_t r = 0; r < BENCH_REFERENCES && row->references[r].name != NULL; r++) {
        side_print(row->name, row->references[r].name, ticks[r + 1], row->count);
    }
    return true;
}

static enum hx_status bench_init(struct hx_env *env, void **out_self) {
    (void)env, (void)out_self;
    bool good = references_prepare() && threads_prepare(1000);
    for (uint32_t i = 0; i < ARRAY_SIZE(rows) && good; i++) {
        good = row_measure(&rows[i]);
    }
    log_info("bench: %s", good ? "end" : "failed");
    hal_debug_exit(good ? 0 : 1);
    return HX_ERR_INVALID; // not reached
}

static const struct hx_module_ops operations = { .init = bench_init };

HX_MODULE(bench, .name = "bench", .version = { 1, 0, 0 }, .phase = HX_PHASE_DEFERRED,
          .ops = &operations);
