// SPDX-License-Identifier: MIT OR Apache-2.0
// BY: explore
// ring_many.c: a ring of <helix/ring_many.h> between processors that each put and take. Each
// message is taken once, whole, and those of one producer in their order; the sequences begin anew
// at 2^32 on the way.
#include "explore.h"

#include <hal/cpu.h>
#include <helix/ring_many.h>

#define PROCESSORS 2u
#define SLOTS      2u
#define EACH       2u // messages
#define START      ((UINT64_C(1) << 32) - 2)

const uint32_t explore_marks = 4;

static struct hx_many ring;
static struct hx_slot slots[SLOTS];
static uint8_t taken[PROCESSORS * EACH];
static uint32_t ended;

static void put_all(uint16_t base) {
    struct hx_slot messages[EACH] = {
        { .kind = base, .length = 1, .data = { (uint8_t)base } },
        { .kind = (uint16_t)(base + 1), .length = 1, .data = { (uint8_t)(base + 1) } }
    };
    uint32_t done = 0;
    while (done < EACH) {
        const uint32_t want = 1 + explore_choose(EACH - done);
        const uint32_t count = hx_many_put(&ring, &messages[done], want);
        PROVE(count <= want);
        if (count == 0) {
            REACHED(0); // it is full
            return;
        }
        if (count == 2) {
            REACHED(1);
        }
        done += count;
    }
}

static void take(uint32_t want) {
    struct hx_slot messages[2];
    const uint32_t count = hx_many_get(&ring, messages, want);
    PROVE(count <= want);
    for (uint32_t i = 0; i < count; i++) {
        const uint16_t kind = messages[i].kind;
        PROVE(kind < PROCESSORS * EACH && messages[i].data[0] == kind && messages[i].length == 1);
        PROVE(taken[kind]++ == 0);
        PROVE(i == 0 || messages[0].kind / EACH != kind / EACH || messages[0].kind < kind);
    }
    if (count == 2) {
        REACHED(2);
    } else if (count == 0) {
        REACHED(3);
    }
}

static void main_of(void *argument) {
    put_all((uint16_t)((uintptr_t)argument * EACH));
    take(1 + explore_choose(2));
    ended++;
}

void explore_setup(void) {
    PROVE(hx_many_init(&ring, slots, SLOTS, START) == HX_OK);
    for (uintptr_t i = 0; i < PROCESSORS; i++) {
        explore_processor(&slots[i], main_of, (void *)i);
    }
}

bool explore_final(void) {
    return ended == PROCESSORS && explore_rests(0) && explore_rests(1);
}

void explore_interrupt(uint32_t kind) {
    (void)kind;
}
