// SPDX-License-Identifier: MIT OR Apache-2.0
// core/trace.c: event rings, one a processor.
//
// A writer draws a slot with one atomic addition (so an NMI in between gets another one), marks it
// as being written (time 0), fills it, and publishes it by storing the time with release. A reader
// copies and looks at the time again: a slot that changed meanwhile is left out. A slot also has
// the low bits of its event's number, since a writer that was interrupted right after it drew its
// slot leaves the one of the lap before there.
#include "core_private.h"

#include <core/log.h>

static uint64_t slots_wanted = TRACE_SLOTS_MIN;

// A name in two words; it may end before.
_Static_assert(THREAD_NAME_BYTES == 2 * sizeof(uint64_t), "a name is the payload of an event");
// Numbers of events that share a slot differ in the bits that it has.
_Static_assert(TRACE_SLOTS_MAX <= UINT16_MAX / 2 + 1, "a slot has 16 bits of the number");

static void record(uint64_t counter, enum trace_type type, uint64_t thread, uint64_t first,
                   uint64_t second) {
    struct cpu *cpu = cpu_this();
    // Relaxed: the slot's own stores order what readers see.
    uint64_t number = atomic_fetch_add_explicit(&cpu->trace_next, 1, memory_order_relaxed);
    struct trace_slot *slot = &cpu->trace_slots[number & cpu->trace_mask];
    uint64_t head = (number & UINT16_MAX) | (uint64_t)type << 16 | thread << 32;
    atomic_store_explicit(&slot->time, 0, memory_order_relaxed);
    // The mark must be visible before any of the words that follow.
    atomic_thread_fence(memory_order_release);
    atomic_store_explicit(&slot->words[0], head, memory_order_relaxed);
    atomic_store_explicit(&slot->words[1], first, memory_order_relaxed);
    atomic_store_explicit(&slot->words[2], second, memory_order_relaxed);
    atomic_store_explicit(&slot->time, counter, memory_order_release);
    // No RMW: only this processor writes it, an interrupt in between counts elsewhere, and one lost
    // to an NMI does not matter.
    _Atomic uint64_t *counted = &cpu->trace_counts[hal_irq_is_on()][type];
    const uint64_t count = atomic_load_explicit(counted, memory_order_relaxed);
    atomic_store_explicit(counted, count + 1, memory_order_relaxed);
}

void trace_at(uint64_t counter, enum trace_type type, uint64_t first, uint64_t second) {
    record(counter, type, thread_current()->id, first, second);
}

void trace(enum trace_type type, uint64_t first, uint64_t second) {
    struct thread *thread = thread_current();
    const uint32_t before = preempt_hold(thread); // the ring stays this processor's
    record(input_counter(), type, thread->id, first, second);
    if (preempt_drop(thread, before)) {
        preempt_slow();
    }
}

void trace_name(const struct thread *thread) {
    uint64_t name[2];
    __builtin_memcpy(name, thread->name, sizeof(name));
    preempt_disable();
    record(input_counter(), TRACE_NAME, thread->id, name[0], name[1]);
    preempt_enable();
}

static struct trace_slot *slot_of(struct cpu *cpu, uint64_t number) {
    return &cpu->trace_slots[number & cpu->trace_mask];
}

// Event `number`, if that is what its slot has.
static bool slot_read(struct cpu *cpu, uint64_t number, struct trace_event *out_event) {
    const struct trace_slot *slot = slot_of(cpu, number);
    uint64_t time = atomic_load_explicit(&slot->time, memory_order_acquire);
    uint64_t head = atomic_load_explicit(&slot->words[0], memory_order_relaxed);
    uint64_t first = atomic_load_explicit(&slot->words[1], memory_order_relaxed);
    uint64_t second = atomic_load_explicit(&slot->words[2], memory_order_relaxed);
    // Orders the words before the second look, as in a sequence lock.
    atomic_thread_fence(memory_order_acquire);
    if (time == 0 || atomic_load_explicit(&slot->time, memory_order_relaxed) != time ||
        (uint16_t)head != (uint16_t)number) {
        return false;
    }
    *out_event = (struct trace_event){
        .time = time,
        .cpu = (uint16_t)cpu->id,
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

// Those beyond the capacity are looked at because events of a processor may be recorded a little
// out of order: one that an interrupt's came into the middle of.
#define SLACK 16u

uint32_t trace_last(struct trace_event *out_events, uint32_t capacity) {
    uint32_t count = 0;
    for (uint32_t id = 0; id < CPU_MAX && capacity != 0; id++) {
        struct cpu *cpu = cpu_table[id];
        if (cpu == NULL) {
            continue;
        }
        uint64_t next = atomic_load_explicit(&cpu->trace_next, memory_order_acquire);
        uint64_t newest = MIN_OF(next, MIN_OF(cpu->trace_mask + 1, capacity + SLACK));
        for (uint64_t number = next - newest; number < next; number++) {
            struct trace_event event;
            if (slot_read(cpu, number, &event)) {
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
            sum +=
                atomic_load_explicit(&cpu_table[id]->trace_counts[0][type], memory_order_relaxed) +
                atomic_load_explicit(&cpu_table[id]->trace_counts[1][type], memory_order_relaxed);
        }
    }
    return sum;
}

enum hx_status trace_read(uint32_t cpu, uint64_t number, struct trace_event *out_event) {
    struct cpu *from = cpu < CPU_MAX ? cpu_table[cpu] : NULL;
    if (from == NULL || number >= atomic_load_explicit(&from->trace_next, memory_order_acquire)) {
        return HX_ERR_NOT_FOUND;
    }
    const bool found = slot_read(from, number, out_event);
    // Behind the look at the slot (slot_read() has the fence): who wrote what it saw there has
    // drawn its number before.
    const uint64_t next = atomic_load_explicit(&from->trace_next, memory_order_relaxed);
    if (next - number > from->trace_mask + 1) {
        *out_event = (struct trace_event){
            .cpu = (uint16_t)cpu,
            .type = TRACE_LOST,
            .payload = { number, next - from->trace_mask - 1 },
        };
        return HX_OK;
    }
    return found ? HX_OK : HX_ERR_NOT_FOUND;
}

enum hx_status trace_ring(uint32_t cpu, uint32_t *out_slots, uint64_t *out_recorded) {
    const struct cpu *from = cpu < CPU_MAX ? cpu_table[cpu] : NULL;
    if (from == NULL) {
        return HX_ERR_NOT_FOUND;
    }
    *out_slots = (uint32_t)from->trace_mask + 1;
    *out_recorded = atomic_load_explicit(&from->trace_next, memory_order_relaxed);
    return HX_OK;
}

// Gives a processor a ring of the wanted size, with the events that its old one has.
static enum hx_status ring_enlarge(struct cpu *cpu) {
    struct trace_slot *slots = core_memory->boot_alloc(slots_wanted * sizeof(*slots));
    if (slots == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    const uint64_t next = atomic_load_explicit(&cpu->trace_next, memory_order_relaxed);
    for (uint64_t number = next - MIN_OF(next, TRACE_SLOTS_MIN); number < next; number++) {
        // Plain copies: nobody else records or reads here yet.
        __builtin_memcpy(&slots[number & (slots_wanted - 1)], slot_of(cpu, number), sizeof(*slots));
    }
    cpu->trace_slots = slots;
    cpu->trace_mask = slots_wanted - 1;
    return HX_OK;
}

void trace_setup(struct cpu *cpu) {
    cpu->trace_slots = cpu->trace_first;
    cpu->trace_mask = TRACE_SLOTS_MIN - 1;
    if (slots_wanted != TRACE_SLOTS_MIN && ring_enlarge(cpu) != HX_OK) {
        log_warning("trace: no memory for %u events of processor %u, it keeps %u",
                    (unsigned)slots_wanted, cpu->id, TRACE_SLOTS_MIN);
    }
}

enum hx_status trace_enlarge(uint64_t slots) {
    ASSERT(cpu_online_count() == 1);
    const uint64_t limited = MIN_OF(slots, TRACE_SLOTS_MAX);
    while (slots_wanted < limited) {
        slots_wanted *= 2;
    }
    if (slots_wanted == TRACE_SLOTS_MIN) {
        return HX_OK;
    }
    const unsigned long state = hal_irq_save();
    const enum hx_status status = ring_enlarge(cpu_this());
    hal_irq_restore(state);
    if (status != HX_OK) {
        slots_wanted = TRACE_SLOTS_MIN;
    }
    return status;
}
