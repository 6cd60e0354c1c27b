// SPDX-License-Identifier: MIT OR Apache-2.0
// BY: explore
// pool.c: pages of <helix/pool.h> taken, lent and given back by two processors, while a peer that
// lies gives back any page at any time, also twice. No page has two users; what a user wrote is
// there until it is given back; at the end all pages are free that are not in use.
#include "explore.h"

#include <hal/cpu.h>
#include <helix/pool.h>

#define PROCESSORS 2u
#define PAGES      2u

const uint32_t explore_marks = 4;

static struct hx_pool pool;
static uint8_t bytes[1];            // numbers alone
static _Atomic uint8_t user[PAGES]; // 0: nobody's
static uint32_t ended;

// Our own word on it; the peer's may come before.
static void use(uint32_t page, uint8_t me) {
    PROVE(page < PAGES);
    PROVE(atomic_load_explicit(&user[page], memory_order_relaxed) == 0);
    atomic_store_explicit(&user[page], me, memory_order_relaxed);
    PROVE(atomic_load_explicit(&user[page], memory_order_relaxed) == me);
    atomic_store_explicit(&user[page], 0, memory_order_relaxed);
}

static void take_and_give(uint8_t me) {
    uint32_t page;
    if (!hx_pool_take(&pool, PAGE_SIZE, &page)) {
        REACHED(0);
        return;
    }
    use(page, me);
    if (explore_choose(2) == 0) {
        hx_pool_give(&pool, page, PAGE_SIZE);
        return;
    }
    hx_pool_lend(&pool, page, PAGE_SIZE);
    REACHED(1); // it stays away, or the peer gives it back
}

// The peer's messages come on each side's threads.
static void peer(void) {
    if (hx_pool_back(&pool, explore_choose(PAGES + 1), PAGE_SIZE) == HX_OK) {
        REACHED(2);
    } else {
        REACHED(3);
    }
}

static void main_of(void *argument) {
    const uint8_t me = (uint8_t)(uintptr_t)argument;
    take_and_give(me);
    peer();
    take_and_give(me);
    ended++;
}

void explore_setup(void) {
    hx_pool_init(&pool, bytes, PAGES, 0, PAGES);
    for (uintptr_t i = 0; i < PROCESSORS; i++) {
        explore_processor(&user[i], main_of, (void *)(i + 1));
    }
}

bool explore_final(void) {
    if (ended != PROCESSORS || !explore_rests(0) || !explore_rests(1)) {
        return false;
    }
    PROVE((pool.used[0] & 3) == (pool.lent[0] & 3)); // nothing is lost but what was not given back
    return true;
}

void explore_interrupt(uint32_t kind) {
    (void)kind;
}
