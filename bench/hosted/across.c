// SPDX-License-Identifier: MIT OR Apache-2.0
// bench/hosted/across.c: messages from this processor to another one: the ring of the SDK, and the
// minimal one that references.c has for one processor. Nobody sleeps: the other side is a thread of
// the host that spins on a processor of its own while a round lasts.
#define _GNU_SOURCE
#include "rows.h"

#include "minimal_ring.h"

#include <helix/ring.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdatomic.h>

#define SLOTS 64u
#define BATCH 16u

static struct hx_ring ring;
static struct hx_slot slots[SLOTS];
static struct hx_producer producer;
static struct hx_consumer consumer;
static struct minimal minimal;

// ---- the other side

static sem_t begin;
static uint32_t wanted;               // messages of the round
static bool (*take)(uint32_t *taken); // some of them; false: a message is wrong
static _Atomic uint32_t state;        // READY …
enum { IDLE, READY, TAKEN, WRONG };

static void *other_main(void *argument) {
    (void)argument;
    for (;;) {
        while (sem_wait(&begin) != 0) {
        }
        uint32_t taken = 0;
        bool good = true;
        atomic_store_explicit(&state, READY, memory_order_release);
        while (taken < wanted && good) {
            good = take(&taken);
        }
        atomic_store_explicit(&state, good ? TAKEN : WRONG, memory_order_release);
    }
    return NULL;
}

// On all processors but this one.
static bool other_start(void) {
    static bool runs;
    cpu_set_t others;
    pthread_t thread;
    if (runs) {
        return true;
    }
    CPU_ZERO(&others);
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (cpu != sched_getcpu()) {
            CPU_SET(cpu, &others);
        }
    }
    runs = sem_init(&begin, 0, 0) == 0 && pthread_create(&thread, NULL, other_main, NULL) == 0 &&
           pthread_setaffinity_np(thread, sizeof(others), &others) == 0;
    return runs;
}

bool across_prepare(void) {
    const uint64_t at = producer.tail; // rows share it
    return other_start() && hx_producer_init(&producer, &ring, slots, SLOTS, at) == HX_OK &&
           hx_consumer_init(&consumer, &ring, slots, SLOTS, at) == HX_OK;
}

// ---- a round: `put` puts up to `left` messages and says how many

static uint64_t round_across(uint32_t count, uint32_t (*put)(uint32_t left),
                             bool (*taker)(uint32_t *taken)) {
    take = taker;
    wanted = count;
    atomic_store_explicit(&state, IDLE, memory_order_relaxed);
    (void)sem_post(&begin);
    while (atomic_load_explicit(&state, memory_order_acquire) == IDLE) {
        __builtin_ia32_pause();
    }
    const uint64_t start = bench_now();
    for (uint32_t left = count; left > 0;) {
        left -= put(left);
    }
    uint32_t ended;
    while ((ended = atomic_load_explicit(&state, memory_order_acquire)) == READY) {
        __builtin_ia32_pause();
    }
    return bench_took(start, ended == TAKEN);
}

// ---- the ring of the SDK

static struct hx_slot batch_in[BATCH], batch_out[BATCH];

static uint32_t put_one(uint32_t left) {
    const struct hx_slot in = { .length = HX_SLOT_BYTES, .kind = (uint16_t)left };
    if (hx_ring_put(&producer, &in) != HX_OK) {
        __builtin_ia32_pause();
        return 0;
    }
    (void)hx_ring_publish(&producer); // nobody sleeps
    return 1;
}

static bool take_one(uint32_t *taken) {
    struct hx_slot out;
    if (hx_ring_get(&consumer, &out) != HX_OK) {
        __builtin_ia32_pause();
        return true;
    }
    (void)hx_ring_release(&consumer);
    const bool good = out.kind == (uint16_t)(wanted - *taken);
    (*taken)++;
    return good;
}

static uint32_t put_batch(uint32_t left) {
    for (uint32_t i = 0; i < BATCH; i++) {
        batch_in[i].length = HX_SLOT_BYTES;
        batch_in[i].kind = (uint16_t)(left - i);
    }
    const uint32_t put = hx_ring_put_many(&producer, batch_in, left < BATCH ? left : BATCH);
    (void)hx_ring_publish(&producer);
    return put;
}

static bool take_batch(uint32_t *taken) {
    const uint32_t got = hx_ring_get_many(&consumer, batch_out, BATCH);
    (void)hx_ring_release(&consumer);
    const bool good = got == 0 || batch_out[0].kind == (uint16_t)(wanted - *taken);
    *taken += got;
    return good;
}

uint64_t round_ring_across(uint32_t count) {
    return round_across(count, put_one, take_one);
}

uint64_t round_ring_across_batch(uint32_t count) {
    return round_across(count, put_batch, take_batch);
}

// ---- the minimal one

static uint32_t minimal_put_one(uint32_t left) {
    const struct minimal_message in = { { left } };
    if (!minimal_put(&minimal, &in)) {
        __builtin_ia32_pause();
        return 0;
    }
    atomic_store_explicit(&minimal.tail, minimal.put, memory_order_release);
    return 1;
}

static bool minimal_take_one(uint32_t *taken) {
    struct minimal_message out;
    if (!minimal_get(&minimal, &out)) {
        __builtin_ia32_pause();
        return true;
    }
    atomic_store_explicit(&minimal.head, minimal.got, memory_order_release);
    const bool good = out.words[0] == wanted - *taken;
    (*taken)++;
    return good;
}

static uint32_t minimal_put_batch(uint32_t left) {
    uint32_t put = 0;
    for (struct minimal_message in = { { left } };
         put < BATCH && put < left && minimal_put(&minimal, &in); in.words[0]--) {
        put++;
    }
    atomic_store_explicit(&minimal.tail, minimal.put, memory_order_release);
    return put;
}

static bool minimal_take_batch(uint32_t *taken) {
    struct minimal_message out;
    uint32_t got = 0;
    bool good = true;
    while (got < BATCH && minimal_get(&minimal, &out)) {
        good = good && out.words[0] == wanted - *taken - got;
        got++;
    }
    atomic_store_explicit(&minimal.head, minimal.got, memory_order_release);
    *taken += got;
    return good;
}

uint64_t round_minimal_across(uint32_t count) {
    return round_across(count, minimal_put_one, minimal_take_one);
}

uint64_t round_minimal_across_batch(uint32_t count) {
    return round_across(count, minimal_put_batch, minimal_take_batch);
}
