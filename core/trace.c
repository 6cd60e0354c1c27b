// SPDX-License-Identifier: MIT OR Apache-2.0
// core/trace.c: event rings, one a processor.
//
// A writer draws a slot with one atomic addition (so an NMI in between gets another one), marks it
// as being written (time 0), fills it, and publishes it by storing the time with release. A reader
// copies and looks at the time again: a slot that changed meanwhile is left out.
#include "core_private.h"

void trace_at(uint64_t counter, enum trace_type type, uint64_t first, uint64_t second) {
    struct cpu *cpu = cpu_this();
    // Relaxed: the slot's own stores order what readers see.
    uint64_t number = atomic_fetch_add_explicit(&cpu->trace_next, 1, memory_order_relaxed);
    struct trace_slot *slot = &cpu->trace[number & (TRACE_SLOTS - 1)];
    uint64_t head = cpu->id | (uint64_t)type << 16 | (thread_current()->id & UINT32_MAX) << 32;
    atomic_store_explicit(&slot->time, 0, memory_order_relaxed);
    // The mark must be visible before any of the words that follow.
    atomic_thread_fence(memory_order_release);
    atomic_store_explicit(&slot->words[0], head, memory_order_relaxed);
    atomic_store_explicit(&slot->words[1], first, memory_order_relaxed);
    atomic_store_explicit(&slot->words[2], second, memory_order_relaxed);
    atomic_store_explicit(&slot->time, counter, memory_order_release);
    // No RMW: only this processor writes it, and one lost to an NMI does not matter.
    uint64_t count = atomic_load_explicit(&cpu->trace_counts[type], memory_order_relaxed);
    atomic_store_explicit(&cpu->trace_counts[type], count + 1, memory_order_relaxed);
}

void trace(enum trace_type type, uint64_t first, uint64_t second) {
    trace_at(input_counter(), type, first, second);
}

static bool slot_read(const struct trace_slot *slot, struct trace_event *out_event) {
    uint64_t time = atomic_load_explicit(&slot->time, memory_order_acquire);
    uint64_t head = atomic_load_explicit(&slot->words[0], memory_order_relaxed);
    uint64_t first = atomic_load_explicit(&slot->words[1], memory_order_relaxed);
    uint64_t second = atomic_load_explicit(&slot->words[2], memory_order_relaxed);
    // Orders the words before the second look, as in a sequence lock.
    atomic_thread_fence(memory_order_acquire);
    if (time == 0 || atomic_load_explicit(&slot->time, memory_order_relaxed) != time) {
        return false;
    }
    *out_event = (struct trace_event){
        .time = time,
        .cpu = (uint16_t)head,
        .type = (uint16_t)(head >> 16),
        .thread = (uint32_t)(head >> 32),
        .payload = { first, second },
    };
    return true;
}

// Inserts into the newest `capacity` events, which are kept in order of time.
static uint32_t event_insert(struct trace_event *events, uint32_t count, uint32_t capacity,
                             const struct trace_event *event) {
    if (count == capacity) {
        if (event->time <= events[0].time) {
            return count;
        }
        for (uint32_t i = 1; i < count; i++) {
            events[i - 1] = events[i];
        }
        count--;
    }
    uint32_t at = count;
    while (at > 0 && events[at - 1].time > event->time) {
        events[at] = events[at - 1];
        at--;
    }
    events[at] = *event;
    return count + 1;
}

uint32_t trace_last(struct trace_event *out_events, uint32_t capacity) {
    uint32_t count = 0;
    for (uint32_t id = 0; id < CPU_MAX && capacity != 0; id++) {
        struct cpu *cpu = cpu_table[id];
        if (cpu == NULL) {
            continue;
        }
        uint64_t next = atomic_load_explicit(&cpu->trace_next, memory_order_acquire);
        uint64_t number = next > TRACE_SLOTS ? next - TRACE_SLOTS : 0;
        for (; number < next; number++) {
            struct trace_event event;
            if (slot_read(&cpu->trace[number & (TRACE_SLOTS - 1)], &event)) {
                count = event_insert(out_events, count, capacity, &event);
            }
        }
    }
    return count;
}

static const char *const type_names[] = {
#define X(name, payload) #name,
    TRACE_TYPES(X)
#undef X
};

const char *trace_type_name(uint16_t type) {
    return type < TRACE_TYPE_COUNT ? type_names[type] : "?";
}

uint64_t trace_count(enum trace_type type) {
    uint64_t sum = 0;
    for (uint32_t id = 0; id < CPU_MAX; id++) {
        if (cpu_table[id] != NULL) {
            sum += atomic_load_explicit(&cpu_table[id]->trace_counts[type], memory_order_relaxed);
        }
    }
    return sum;
}
