// SPDX-License-Identifier: MIT OR Apache-2.0
// bench/hosted/kernel.c: the kernel's side of the rows: its own functions on their live paths.
#include "rows.h"

#include "../../core/core_private.h"

#include <core/epoch.h>
#include <core/gate.h>
#include <core/log.h>
#include <core/sched.h>
#include <core/thread.h>
#include <core/trace.h>
#include <core/wait.h>
#include <execution/handles.h>
#include <helix/ring_many.h>
#include <memory/account.h>
#include <memory/heap.h>

#define THREADS_MAX 1000u

// ---- the heap
// ------------------------------------------------------------------------------------

uint64_t round_heap(uint32_t count) {
    uint32_t good = 0;
    uint64_t start = bench_now();
    for (uint32_t i = 0; i < count; i++) {
        void *memory = heap_alloc(64, MEMORY_SLEEP);
        good += memory != NULL;
        __asm__ volatile("" : "+r"(memory) : : "memory");
        heap_free(memory);
    }
    return bench_took(start, good == count);
}

// ---- hal_switch() alone
// --------------------------------------------------------------------------

static struct hal_context here, there;
static uint32_t visits;

static void other_side(void *argument) {
    (void)argument;
    for (;;) {
        visits++;
        hal_switch(&there, &here);
    }
}

uint64_t round_switch(uint32_t count) {
    static void *stack;
    if (stack == NULL) {
        stack = kernel_stack_alloc(THREAD_STACK_BYTES);
        if (stack == NULL) {
            return BENCH_FAILED;
        }
        hal_context_init(&there, (char *)stack + THREAD_STACK_BYTES, other_side, NULL);
    }
    unsigned long state = hal_irq_save();
    visits = 0;
    uint64_t start = bench_now();
    for (uint32_t i = 0; i < count / 2; i++) {
        hal_switch(&here, &there);
    }
    uint64_t took = bench_took(start, visits == count / 2);
    hal_irq_restore(state);
    return took;
}

// ---- threads
// -------------------------------------------------------------------------------------

static struct thread threads[THREADS_MAX];
static uint32_t thread_count;
static _Atomic uint32_t yielding; // the threads run; else they block

static void thread_main(void *argument) {
    (void)argument;
    for (;;) {
        thread_block();
        while (atomic_load_explicit(&yielding, memory_order_relaxed) != 0) {
            thread_yield();
        }
    }
}

static bool all_block(void) {
    for (uint32_t i = 0; i < thread_count; i++) {
        if (atomic_load_explicit(&threads[i].state, memory_order_relaxed) != THREAD_BLOCKED) {
            return false;
        }
    }
    return true;
}

static void settle(void) {
    while (!all_block()) {
        thread_yield();
    }
}

bool threads_prepare(uint32_t count) {
    for (; thread_count < count; thread_count++) {
        void *stack = kernel_stack_alloc(THREAD_STACK_BYTES);
        if (stack == NULL) {
            return false;
        }
        thread_init(&threads[thread_count], "bench", stack, THREAD_STACK_BYTES, thread_main, NULL);
        thread_start(&threads[thread_count]);
    }
    settle();
    return true;
}

// Makes `count` threads ready; they run once preemption is on and this thread gives way.
static void wake(uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        thread_wake(&threads[i]);
    }
}

// Taking the next thread out of a queue of so many and putting it back at the end, as a yield does,
// with the queue's lock held once for all of it.
static uint32_t queued;

static bool pick_prepare(uint32_t count) {
    queued = count;
    preempt_disable();
    wake(count);
    return true;
}

bool pick_prepare_10(void) {
    return pick_prepare(10);
}

bool pick_prepare_1000(void) {
    return pick_prepare(1000);
}

uint64_t round_pick(uint32_t count) {
    unsigned long state = hal_irq_save();
    struct cpu *cpu = cpu_this();
    const void *policy = cpu->queue.ops;
    raw_lock(&cpu->queue.lock);
    bool right = atomic_load_explicit(&cpu->queue.queued, memory_order_relaxed) == queued;
    uint32_t good = 0;
    uint64_t start = bench_now();
    for (uint32_t i = 0; i < count; i++) {
        struct thread *thread = queue_take(cpu, cpu->id);
        good += thread != NULL;
        queue_add(cpu, thread, SCHED_YIELD, start);
    }
    uint64_t took =
        bench_took(start, good == count && right && policy != NULL && cpu->queue.ops == policy);
    raw_unlock(&cpu->queue.lock);
    hal_irq_restore(state);
    return took;
}

void pick_finish(void) {
    preempt_enable();
    settle();
}

// `count` switches by thread_yield() among so many threads, this one included.
static uint64_t round_yield(uint32_t count, uint32_t among) {
    atomic_store_explicit(&yielding, 1, memory_order_relaxed);
    wake(among - 1);
    thread_yield(); // all of them have begun
    uint64_t before = sched_switches();
    uint64_t start = bench_now();
    for (uint32_t i = 0; i < count / among; i++) {
        thread_yield();
    }
    uint64_t took = bench_took(start, sched_switches() - before >= count);
    atomic_store_explicit(&yielding, 0, memory_order_relaxed);
    settle();
    return took;
}

uint64_t round_yield_10(uint32_t count) {
    return round_yield(count, 10);
}

uint64_t round_yield_1000(uint32_t count) {
    return round_yield(count, 1000);
}

// ---- waiting
// -------------------------------------------------------------------------------------

static struct waitable ping, pong;
static struct thread partner;
static uint32_t answers;

static void partner_main(void *argument) {
    (void)argument;
    uint32_t seen = 0;
    for (;;) {
        HX_IGNORE(wait_change(&ping, seen, TIME_NEVER, 0));
        seen++;
        answers++;
        waitable_pulse(&pong);
    }
}

bool wake_prepare(void) {
    void *stack = kernel_stack_alloc(THREAD_STACK_BYTES);
    if (stack == NULL) {
        return false;
    }
    waitable_init(&ping, 0);
    waitable_init(&pong, 0);
    thread_init(&partner, "partner", stack, THREAD_STACK_BYTES, partner_main, NULL);
    thread_start(&partner);
    return true;
}

// There and back: two wakes, two waits, two switches.
uint64_t round_wake(uint32_t count) {
    answers = 0;
    uint64_t start = bench_now();
    for (uint32_t i = 0; i < count; i++) {
        uint32_t seen = waitable_sequence(&pong);
        waitable_pulse(&ping);
        HX_IGNORE(wait_change(&pong, seen, TIME_NEVER, 0));
    }
    return bench_took(start, answers == count);
}

// ---- epochs
// --------------------------------------------------------------------------------------

uint64_t round_epoch(uint32_t count) {
    uint32_t inside = 0;
    uint64_t start = bench_now();
    for (uint32_t i = 0; i < count; i++) {
        epoch_enter();
        inside += epoch_is_entered();
        epoch_leave();
    }
    return bench_took(start, inside == count);
}

// ---- calls into modules
// ------------------------------------------------------------------------------

static int64_t method(void *argument) {
    uint32_t *calls = argument;
    (*calls)++;
    return HX_OK;
}

static int64_t (*volatile any_method)(void *) = method;
static struct gate *gate;

bool gate_prepare(void) {
    return gate != NULL || gate_create("bench", "bench", "bench", &gate) == HX_OK;
}

uint64_t round_gate(uint32_t count) {
    uint32_t calls = 0;
    uint32_t good = 0;
    uint64_t start = bench_now();
    for (uint32_t i = 0; i < count; i++) {
        good += gate_call(gate, any_method, &calls) == HX_OK;
    }
    return bench_took(start, calls == count && good == count);
}

uint64_t round_bare_call(uint32_t count) {
    uint32_t calls = 0;
    uint32_t good = 0;
    uint64_t start = bench_now();
    for (uint32_t i = 0; i < count; i++) {
        good += any_method(&calls) == HX_OK;
    }
    return bench_took(start, calls == count && good == count);
}

// ---- a handle's way to its object
// ---------------------------------------------------------------

static struct process owner; // as much of one as handles ask for
static struct object object;
static struct capability object_root;
static struct capability_derived object_derived;
static handle_t handles[2]; // of the root, and of what was derived from it

static void object_kept(struct object *kept) {
    (void)kept; // static
}

static const struct object_type object_type = { .kind = OBJECT_EVENT,
                                                .name = "bench",
                                                .destroy = object_kept };

static void derived_kept(struct capability_derived *kept) {
    (void)kept; // static
}

bool handle_prepare(void) {
    if (owner.account != NULL) {
        return true; // rows share it
    }
    owner.account = &account_root;
    object_init(&object, &object_type);
    capability_init_root(&object_root, &object, HX_RIGHTS_ALL);
    return capability_derive(&object_root, HX_RIGHTS_ALL, &object_derived, derived_kept) == HX_OK &&
           handle_add(&owner, &object_root, &handles[0]) == HX_OK &&
           handle_add(&owner, &object_derived.capability, &handles[1]) == HX_OK;
}

static uint64_t handle_uses(uint32_t count, handle_t handle) {
    uint32_t found = 0;
    uint64_t start = bench_now();
    for (uint32_t i = 0; i < count; i++) {
        struct capability *capability;
        if (handle_enter(&owner, handle, OBJECT_EVENT, HX_RIGHT_SIGNAL, &capability) == HX_OK) {
            found += capability->object == &object;
            handle_leave(capability);
        }
    }
    return bench_took(start, found == count);
}

// From a number to its object, its kind and rights checked, by who is in an epoch.
uint64_t round_handle_lookup(uint32_t count) {
    uint32_t found = 0;
    epoch_enter();
    uint64_t start = bench_now();
    for (uint32_t i = 0; i < count; i++) {
        struct capability *capability;
        if (handle_look(&owner, handles[0], OBJECT_EVENT, HX_RIGHT_SIGNAL, &capability) == HX_OK) {
            found += capability->object == &object;
        }
    }
    const uint64_t took = bench_took(start, found == count);
    epoch_leave();
    return took;
}

uint64_t round_handle(uint32_t count) {
    return handle_uses(count, handles[0]);
}

uint64_t round_handle_derived(uint32_t count) {
    return handle_uses(count, handles[1]);
}

uint64_t round_trace(uint32_t count) {
    const uint64_t before = trace_count(TRACE_REFUSAL);
    uint64_t start = bench_now();
    for (uint32_t i = 0; i < count; i++) {
        trace(TRACE_REFUSAL, i, 0);
    }
    return bench_took(start, trace_count(TRACE_REFUSAL) == before + count);
}

// ---- rings
// ---------------------------------------------------------------------------------------

#define RING_SLOTS 64u

static struct hx_ring ring;
static struct hx_slot ring_slots[RING_SLOTS];
static struct hx_producer producer;
static struct hx_consumer consumer;

bool ring_prepare(void) {
    uint64_t at = producer.tail; // rows share it
    return hx_producer_init(&producer, &ring, ring_slots, RING_SLOTS, at) == HX_OK &&
           hx_consumer_init(&consumer, &ring, ring_slots, RING_SLOTS, at) == HX_OK;
}

// Each message goes in and out again.
uint64_t round_ring(uint32_t count) {
    struct hx_slot in = { .length = HX_SLOT_BYTES, .kind = 1 }, out;
    uint32_t sum = 0, wakes = 0;
    uint64_t start = bench_now();
    for (uint32_t i = 0; i < count; i++) {
        __asm__ volatile("" : "+m"(in));
        HX_IGNORE(hx_ring_put(&producer, &in));
        if (hx_ring_publish(&producer)) { // whoever sends asks it so
            wakes++;
        }
        sum += hx_ring_get(&consumer, &out) == HX_OK ? out.kind : 0;
        if (hx_ring_release(&consumer)) {
            wakes++;
        }
    }
    return bench_took(start, sum == count && wakes == 0);
}

#define RING_BATCH 16u

static struct hx_slot batch_in[RING_BATCH], batch_out[RING_BATCH];

static void batch_fill(void) {
    for (uint32_t i = 0; i < RING_BATCH; i++) {
        batch_in[i] = (struct hx_slot){ .length = HX_SLOT_BYTES, .kind = 1 };
    }
}

uint64_t round_ring_batch(uint32_t count) {
    uint32_t sum = 0, wakes = 0;
    batch_fill();
    uint64_t start = bench_now();
    for (uint32_t i = 0; i < count; i += RING_BATCH) {
        __asm__ volatile("" : "+m"(batch_in));
        sum += hx_ring_put_many(&producer, batch_in, RING_BATCH);
        if (hx_ring_publish(&producer)) {
            wakes++;
        }
        sum += hx_ring_get_many(&consumer, batch_out, RING_BATCH);
        if (hx_ring_release(&consumer)) {
            wakes++;
        }
        __asm__ volatile("" : "+m"(batch_out)); // all of it arrives
    }
    return bench_took(start, sum == 2 * count && wakes == 0 && batch_out[0].kind == 1);
}

// ---- rings of many

static struct hx_many many;

bool many_prepare(void) {
    batch_fill();
    return hx_many_init(&many, ring_slots, RING_SLOTS, 0) == HX_OK;
}

static inline uint64_t many_messages(uint32_t count, uint32_t batch) {
    uint32_t sum = 0;
    uint64_t start = bench_now();
    for (uint32_t i = 0; i < count; i += batch) {
        __asm__ volatile("" : "+m"(batch_in));
        sum += hx_many_put(&many, batch_in, batch);
        sum += hx_many_get(&many, batch_out, batch);
        __asm__ volatile("" : "+m"(batch_out));
    }
    return bench_took(start, sum == 2 * count && batch_out[0].kind == 1);
}

uint64_t round_many(uint32_t count) {
    return many_messages(count, 1);
}

uint64_t round_many_batch(uint32_t count) {
    return many_messages(count, RING_BATCH);
}
