// SPDX-License-Identifier: MIT OR Apache-2.0
// Rings of many producers and consumers: order, bounds, batches, the wrap of the sequences, and
// threads that put and take at once. Built under ThreadSanitizer, too.
#include "check.h"

#include <helix/ring_many.h>

#include <pthread.h>
#include <sched.h>
#include <string.h>

#define SLOTS  8u
#define WRAP   ((UINT64_C(1) << 32) - 8) // the sequences begin anew behind the first round
#define BATCH  16u
#define NOBODY UINT32_MAX

static struct hx_many ring;
static struct hx_slot slots[64];

static struct hx_slot message_of(uint32_t number) {
    struct hx_slot message = { .kind = (uint16_t)number, .flags = 9, .length = HX_SLOT_BYTES };
    memset(message.data, (int)(number % 251), sizeof(message.data));
    memcpy(message.data, &number, sizeof(number));
    return message;
}

// NOBODY: it is damaged.
static uint32_t number_of(const struct hx_slot *message) {
    uint32_t number;
    memcpy(&number, message->data, sizeof(number));
    struct hx_slot wanted = message_of(number);
    const bool good = message->kind == wanted.kind && message->flags == wanted.flags &&
                      message->length == wanted.length &&
                      memcmp(message->data, wanted.data, sizeof(wanted.data)) == 0;
    return good ? number : NOBODY;
}

static uint32_t put(uint32_t first, uint32_t count) {
    struct hx_slot messages[BATCH];
    for (uint32_t i = 0; i < count; i++) {
        messages[i] = message_of(first + i);
    }
    return hx_many_put(&ring, messages, count);
}

// How many came; all are those from `first` on.
static uint32_t get(uint32_t first, uint32_t count) {
    struct hx_slot messages[BATCH];
    const uint32_t got = hx_many_get(&ring, messages, count);
    for (uint32_t i = 0; i < got; i++) {
        CHECK(number_of(&messages[i]) == first + i);
    }
    return got;
}

static void numbers_of_slots(void) {
    const uint64_t bad[] = { 0, 1, 3, 4097, 8192, UINT64_MAX };
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        CHECK(hx_many_init(&ring, slots, bad[i], 0) == HX_ERR_INVALID);
    }
    CHECK(hx_many_init(&ring, slots, 2, 0) == HX_OK);
}

static void order(uint64_t position) {
    CHECK(hx_many_init(&ring, slots, SLOTS, position) == HX_OK);
    CHECK(get(0, 1) == 0);
    uint32_t in = 0, out = 0;
    for (uint32_t round = 0; round < 200; round++) {
        in += put(in, round % (SLOTS + 3));
        CHECK(in - out <= SLOTS);
        out += get(out, round * 7 % (SLOTS + 5));
        CHECK(out <= in);
    }
    out += get(out, BATCH);
    CHECK(out == in && in > 400 && get(out, 1) == 0);
}

static void bounds(uint64_t position) {
    CHECK(hx_many_init(&ring, slots, SLOTS, position) == HX_OK);
    CHECK(put(0, BATCH) == SLOTS); // as many as there is room for
    CHECK(put(8, 1) == 0 && put(0, 0) == 0);
    CHECK(get(0, 3) == 3);
    CHECK(put(8, BATCH) == 3);
    CHECK(get(3, BATCH) == SLOTS && get(0, 0) == 0 && get(11, BATCH) == 0);
}

// Who read its position 2^32 messages ago finds its sequences, and takes nothing.
static void old_positions(void) {
    CHECK(hx_many_init(&ring, slots, SLOTS, WRAP + (UINT64_C(1) << 32)) == HX_OK);
    CHECK(hx_many_ready(&ring, WRAP, 0, SLOTS) == SLOTS);
    uint64_t old = WRAP;
    CHECK(!atomic_compare_exchange_strong(&ring.tail, &old, WRAP + 1));
    CHECK(put(0, 1) == 1 && get(0, 1) == 1);
}

// ---- threads

#define PRODUCERS 3u
#define CONSUMERS 3u
#define EACH      20000u

static _Atomic uint32_t taken;
static _Atomic bool failed;
static _Atomic uint8_t seen[PRODUCERS * EACH];

static void *produce(void *argument) {
    const uint32_t base = (uint32_t)(uintptr_t)argument * EACH;
    for (uint32_t done = 0; done < EACH;) {
        const uint32_t want = MIN_OF(1 + done % BATCH, EACH - done);
        const uint32_t count = put(base + done, want);
        done += count;
        if (count == 0) {
            (void)sched_yield();
        }
    }
    return NULL;
}

static void note(const struct hx_slot *message, uint32_t *last) {
    const uint32_t number = number_of(message);
    if (number >= PRODUCERS * EACH || atomic_fetch_add(&seen[number], 1) != 0 ||
        (last[number / EACH] != NOBODY && last[number / EACH] >= number)) {
        atomic_store(&failed, true);
        return;
    }
    last[number / EACH] = number; // what one producer put, a consumer sees in that order
}

static void *consume(void *argument) {
    uint32_t last[PRODUCERS] = { NOBODY, NOBODY, NOBODY };
    struct hx_slot messages[BATCH];
    (void)argument;
    while (atomic_load(&taken) < PRODUCERS * EACH && !atomic_load(&failed)) {
        const uint32_t count = hx_many_get(&ring, messages, 1 + last[0] % BATCH);
        for (uint32_t i = 0; i < count; i++) {
            note(&messages[i], last);
        }
        atomic_fetch_add(&taken, count);
        if (count == 0) {
            (void)sched_yield();
        }
    }
    return NULL;
}

static void threads(void) {
    pthread_t all[PRODUCERS + CONSUMERS];
    CHECK(hx_many_init(&ring, slots, ARRAY_SIZE(slots), WRAP) == HX_OK);
    for (uintptr_t i = 0; i < PRODUCERS + CONSUMERS; i++) {
        CHECK(pthread_create(&all[i], NULL, i < PRODUCERS ? produce : consume, (void *)i) == 0);
    }
    for (uint32_t i = 0; i < PRODUCERS + CONSUMERS; i++) {
        CHECK(pthread_join(all[i], NULL) == 0);
    }
    CHECK(!atomic_load(&failed));
    CHECK(atomic_load(&taken) == PRODUCERS * EACH);
}

int main(void) {
    numbers_of_slots();
    order(0);
    order(WRAP);
    bounds(0);
    bounds(WRAP);
    old_positions();
    threads();
    return check_result();
}
