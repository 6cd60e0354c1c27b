// SPDX-License-Identifier: MIT OR Apache-2.0
// core/selftest_trace.c: rings that are read while they are written, and switches under load.
//
// Writers count upwards in events of their own. A reader that goes through a ring by number sees
// each writer count upwards, too: an event of a lap before in the place of a new one would show as
// a step back. What it does not see it is told of.
#include "selftest.h"

#include <core/cpu.h>
#include <core/trace.h>

#define WRITERS  3u
#define EACH     4000u
#define MARK     UINT64_C(0x7261636500000000) // of the first word; the writer is in its low bits
#define SWITCHES 12u

static _Atomic uint32_t writing;
static _Atomic uint32_t wrong;
static _Atomic uint64_t seen;

static void writer(uint64_t self) {
    for (uint64_t i = 1; i <= EACH; i++) {
        trace(TRACE_REFUSAL, MARK | self, i);
        if (i % 64 == 0) {
            thread_yield(); // elsewhere it may go on in another ring
        }
    }
    atomic_fetch_sub_explicit(&writing, 1, memory_order_release);
}

struct reader {
    uint64_t next[CPU_MAX];
    uint64_t last[CPU_MAX][WRITERS];
};

static void look_at(struct reader *reader, uint32_t cpu, const struct trace_event *event) {
    if (event->type == TRACE_LOST) {
        const bool forwards =
            event->payload[0] == reader->next[cpu] && event->payload[1] > event->payload[0];
        atomic_fetch_add_explicit(&wrong, forwards ? 0 : 1, memory_order_relaxed);
        reader->next[cpu] = event->payload[1];
        return;
    }
    reader->next[cpu]++;
    if (event->type != TRACE_REFUSAL || (event->payload[0] & ~UINT64_C(0xff)) != MARK) {
        return;
    }
    uint64_t *last = &reader->last[cpu][event->payload[0] & 0xff];
    atomic_fetch_add_explicit(&wrong, event->payload[1] <= *last ? 1 : 0, memory_order_relaxed);
    atomic_fetch_add_explicit(&seen, 1, memory_order_relaxed);
    *last = event->payload[1];
}

static void read_all(struct reader *reader) {
    struct trace_event event;
    for (uint32_t cpu = 0; cpu < CPU_MAX; cpu++) {
        while (trace_read(cpu, reader->next[cpu], &event) == HX_OK) {
            look_at(reader, cpu, &event);
        }
    }
}

static void work(void *argument) {
    static struct reader reader;
    const uintptr_t self = selftest_index(argument);
    if (self != WRITERS) {
        writer(self);
        return;
    }
    __builtin_memset(&reader, 0, sizeof(reader));
    while (atomic_load_explicit(&writing, memory_order_acquire) != 0) {
        read_all(&reader);
        thread_yield();
    }
    read_all(&reader);
}

// A writer that was interrupted right after it drew its slot: its event is not there yet, and what
// the slot has from the lap before is not it.
static bool half_written(void) {
    struct trace_event event;
    const unsigned long state = hal_irq_save();
    struct cpu *cpu = cpu_this();
    for (uint64_t i = 0; i <= cpu->trace_mask; i++) {
        trace(TRACE_REFUSAL, MARK, 0);
    }
    const uint64_t number = atomic_fetch_add_explicit(&cpu->trace_next, 1, memory_order_relaxed);
    trace(TRACE_REFUSAL, MARK, 0);
    const enum hx_status drawn = trace_read(cpu->id, number, &event);
    const enum hx_status after = trace_read(cpu->id, number + 1, &event);
    hal_irq_restore(state);
    CHECK(drawn == HX_ERR_NOT_FOUND && after == HX_OK);
    return true;
}

bool core_selftest_trace_rings(void) {
    atomic_store_explicit(&writing, WRITERS, memory_order_relaxed);
    atomic_store_explicit(&seen, 0, memory_order_relaxed);
    CHECK(core_selftest_threads(WRITERS + 1, false, work));
    CHECK(atomic_load_explicit(&wrong, memory_order_relaxed) == 0);
    CHECK(atomic_load_explicit(&seen, memory_order_relaxed) != 0);
    return half_written();
}

// Each thread passes the branches of the policy's methods at each turn.
static void turn(void *argument) {
    if (selftest_index(argument) != 0) {
        while (atomic_load_explicit(&writing, memory_order_acquire) != 0) {
            thread_yield();
        }
        return;
    }
    for (uint32_t i = 0; i < SWITCHES; i++) {
        trace_switch(TRACE_METHODS, i % 2 == 0);
        thread_yield();
    }
    atomic_store_explicit(&writing, 0, memory_order_release);
}

bool core_selftest_trace_switch(void) {
    const uint64_t before = trace_count(TRACE_METHOD);
    const bool was_on = trace_is_switched(TRACE_METHODS);
    atomic_store_explicit(&writing, 1, memory_order_relaxed);
    CHECK(core_selftest_threads(5, false, turn));
    CHECK(!trace_is_switched(TRACE_METHODS));
    CHECK(trace_count(TRACE_METHOD) > before);
    const uint64_t after = trace_count(TRACE_METHOD);
    thread_yield();
    CHECK(trace_count(TRACE_METHOD) == after);
    CHECK(trace_switch_list("port,nothing") == HX_ERR_INVALID && !trace_is_switched(TRACE_METHODS));
    trace_switch(TRACE_METHODS, was_on);
    return true;
}
