// SPDX-License-Identifier: MIT OR Apache-2.0
// BY: explore
// ring.c: a ring of <helix/ring.h> between two processors that sleep whenever they can. Each
// message is read once, in order, after it was written and before its slot is used again, and no
// wake is lost, although neither hx_ring_publish() nor hx_ring_release() has a fence: whoever goes
// to sleep makes a barrier on the other's processor: an interrupt that it answers, as cpu_barrier()
// does (proof/epoch and revoke have the real one).
#include "explore.h"

#include <hal/cpu.h>
#include <helix/ring.h>

#define PRODUCER 0u // processors
#define CONSUMER 1u
#define SLOTS    2u
#define MESSAGES 3u
#define START    ((UINT64_C(1) << 32) - 2) // 32 bits overflow on the way

const uint32_t explore_marks = 6;

static struct hx_ring ring = { .tail = START, .head = START };
static struct hx_slot slots[SLOTS];
static struct hx_producer producer;
static struct hx_consumer consumer;
static _Atomic uint32_t told_producer, told_consumer; // the levels of the kernel's waitables
static _Atomic uint32_t answered[2];                  // by the other processor's interrupt
static uint32_t ended;

// The proof ---------------------------------------------------------------------------------------

static void tell(_Atomic uint32_t *told) {
    (void)atomic_exchange_explicit(told, 1, memory_order_seq_cst);
}

// On the processor that `answers`; the queue of stores is empty at the end.
void explore_interrupt(uint32_t answers) {
    (void)atomic_exchange_explicit(&answered[answers], 1, memory_order_seq_cst);
}

// Forgets wakes; then the barrier on the other processor.
static void arm(_Atomic uint32_t *told, uint32_t other) {
    (void)atomic_exchange_explicit(told, 0, memory_order_seq_cst);
    (void)atomic_exchange_explicit(&answered[other], 0, memory_order_seq_cst);
    explore_interrupt_send(other, other);
    while (atomic_load_explicit(&answered[other], memory_order_seq_cst) == 0) {
        hal_relax();
    }
}

static void await_tell(_Atomic uint32_t *told) {
    while (atomic_load_explicit(told, memory_order_seq_cst) == 0) {
        hal_relax();
    }
}

static void show(void) {
    if (hx_ring_publish(&producer)) {
        REACHED(0);
        tell(&told_consumer);
    }
}

static void await_room(void) {
    show();
    hx_producer_sleep(&producer);
    arm(&told_producer, CONSUMER);
    if (hx_producer_must_wait(&producer)) {
        REACHED(1);
        await_tell(&told_producer);
    } else {
        REACHED(2); // it came just before the barrier
    }
    hx_producer_awake(&producer);
}

// One by one, or as many as there is room for.
static void producer_main(void *argument) {
    (void)argument;
    for (uint16_t i = 0; i < MESSAGES; i++) {
        const struct hx_slot message = { .kind = (uint16_t)(i + 1), .length = HX_SLOT_BYTES };
        while (hx_ring_put(&producer, &message) != HX_OK) {
            await_room();
        }
        if (i == MESSAGES - 1 || explore_choose(2) == 0) {
            show();
        }
    }
    PROVE(!producer.broken);
    ended++;
}

static void give_back(void) {
    if (hx_ring_release(&consumer)) {
        REACHED(3);
        tell(&told_producer);
    }
}

static void await_message(void) {
    give_back();
    hx_consumer_sleep(&consumer);
    arm(&told_consumer, PRODUCER);
    if (hx_consumer_must_wait(&consumer)) {
        REACHED(4);
        await_tell(&told_consumer);
    } else {
        REACHED(5);
    }
    hx_consumer_awake(&consumer);
}

static void consumer_main(void *argument) {
    (void)argument;
    for (uint16_t i = 0; i < MESSAGES; i++) {
        struct hx_slot message;
        while (hx_ring_get(&consumer, &message) != HX_OK) {
            await_message();
        }
        PROVE(message.kind == i + 1 && message.length == HX_SLOT_BYTES);
        if (explore_choose(2) == 0) {
            give_back();
        }
    }
    PROVE(!consumer.broken);
    ended++;
}

void explore_setup(void) {
    PROVE(hx_producer_init(&producer, &ring, slots, SLOTS, START) == HX_OK);
    PROVE(hx_consumer_init(&consumer, &ring, slots, SLOTS, START) == HX_OK);
    explore_processor(&producer, producer_main, NULL);
    explore_processor(&consumer, consumer_main, NULL);
}

bool explore_final(void) {
    return ended == 2 && explore_rests(PRODUCER) && explore_rests(CONSUMER);
}
