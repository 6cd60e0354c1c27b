// SPDX-License-Identifier: MIT OR Apache-2.0
// tests/hosted/torture_native.c: native calls as pieces of work of the torture.
#include "torture.h"

#include <helix/channel.h>
#include <lib/string.h>

#define VIEW    BUFFER
#define MOST    8u // pages
#define SPAN_NS 20000u
#define LIST    (WORDS + 0x400)
#define SPAWN   (WORDS + 0x500)
#define ITEM    (WORDS + 0x600)
#define AMOUNTS (WORDS + 0x700)

static void closed(int64_t handle) {
    SAME(NATIVE(handle_close, (uint64_t)handle), HX_OK);
}

static uint64_t moment(uint64_t span_ns) {
    SAME(CALL(clock_gettime, 1 /* CLOCK_MONOTONIC */, WORDS + 0x300), 0);
    return hosted_load(WORDS + 0x300, 8) * 1000000000 + hosted_load(WORDS + 0x308, 8) + span_ns;
}

// ---- channels

// Takes what comes, until it got that many handles or nobody is there.
static int receives(uint64_t end) {
    uint32_t got = 0;
    while (got < 3) {
        const int64_t handle = NATIVE(channel_receive, end);
        if (handle > 0) {
            closed(handle);
            got++;
            continue;
        }
        NEED(handle == HX_ERR_WOULD_BLOCK || handle == HX_ERR_NO_MEMORY);
        const int64_t status = NATIVE(channel_wait, end, HX_STATE_READABLE, 0, 1, 1);
        NEED(status == HX_OK || status == HX_ERR_TIMED_OUT || status == HX_ERR_PEER_DIED);
        CALL(sched_yield);
    }
    return 0;
}

static void sends(uint64_t end) {
    int64_t event, status;
    while ((event = NATIVE(event_create, 0)) == HX_ERR_NO_MEMORY) {
    }
    NEED(event > 0);
    do {
        status = NATIVE(channel_send, end, (uint64_t)event);
    } while (status == HX_ERR_WOULD_BLOCK);
    SAME(status, HX_OK);
    SAME(NATIVE(channel_notify, end, HX_STATE_READABLE), HX_OK);
}

void torture_channel(struct chance *chance) {
    const int64_t created = NATIVE(channel_create, 2u << below(chance, 6), WORDS);
    NEED(created == HX_OK || created == HX_ERR_NO_MEMORY);
    if (created != HX_OK) {
        return;
    }
    const uint64_t ends[2] = { hosted_load(WORDS, 4), hosted_load(WORDS + 4, 4) };
    const int64_t mapped = NATIVE(channel_map, ends[0], VIEW);
    NEED(mapped == HX_OK || mapped == HX_ERR_NO_MEMORY);
    const bool starts = thread_starts(receives, ends[1]);
    for (uint32_t i = 0; starts && i < 3; i++) {
        sends(ends[0]);
        if (below(chance, 4) == 0) {
            SAME(NATIVE(channel_arm, ends[0], HX_STATE_READABLE), HX_OK);
        }
    }
    if (starts) {
        thread_join(TID_AT);
    } else {
        sends(ends[0]); // which nobody receives
    }
    const uint32_t first = below(chance, 2);
    closed((int64_t)ends[first]);
    closed((int64_t)ends[1 - first]);
    if (mapped == HX_OK) {
        SAME(CALL(munmap, hosted_load(VIEW, 8),
                  hx_channel_bytes((uint32_t)hosted_load(VIEW + 8, 4))),
             0);
    }
}

// ---- memory

static int touches(uint64_t at) {
    for (uint64_t i = 1; i <= 200; i++) {
        hosted_store(at, i, 8);
        SAME(hosted_load(at, 8), i);
    }
    return 0;
}

// What is behind the end is zero again, and what is before it stays, whoever writes there.
void torture_memory(struct chance *chance) {
    const uint64_t pages = 2 + below(chance, MOST - 1);
    const int64_t memory = NATIVE(memory_create, pages * PAGE);
    if (!made(memory)) {
        return;
    }
    const int64_t lent = NATIVE(handle_derive, (uint64_t)memory, HX_RIGHTS_ALL);
    const int64_t at =
        NATIVE(memory_map, made(lent) && below(chance, 2) ? (uint64_t)lent : (uint64_t)memory, 0,
               pages * PAGE, HX_PROTECTION_READ | HX_PROTECTION_WRITE);
    NEED(at > 0 || at == HX_ERR_NO_MEMORY);
    if (at > 0) {
        const bool starts = thread_starts(touches, (uint64_t)at);
        for (uint32_t i = 0; i < 4; i++) {
            hosted_store((uint64_t)at + (pages - 1) * PAGE, 7, 8);
            SAME(NATIVE(memory_resize, (uint64_t)memory, PAGE), HX_OK);
            SAME(NATIVE(memory_resize, (uint64_t)memory, pages * PAGE), HX_OK);
            SAME(hosted_load((uint64_t)at + (pages - 1) * PAGE, 8), 0);
        }
        if (starts) {
            thread_join(TID_AT);
            SAME(hosted_load((uint64_t)at, 8), 200);
        }
    }
    if (lent > 0) {
        SAME(NATIVE(handle_revoke, (uint64_t)lent), HX_OK);
        closed(lent);
    }
    if (at > 0) {
        SAME(CALL(munmap, (uint64_t)at, pages * PAGE), 0);
    }
    closed(memory);
}

// ---- timers

static void item_at(int64_t handle, uint32_t mask) {
    const struct hx_wait_item item = { .handle = (handle_t)handle, .mask = mask };
    hosted_write(ITEM, &item, sizeof(item));
}

void torture_timer(struct chance *chance) {
    const int64_t timer = NATIVE(timer_create);
    if (!made(timer)) {
        return;
    }
    const uint64_t period = below(chance, 2) * SPAN_NS;
    SAME(NATIVE(timer_set, (uint64_t)timer, moment(below(chance, SPAN_NS)), period), HX_OK);
    int64_t status;
    do {
        item_at(timer, HX_STATE_READABLE);
        status = NATIVE(wait, ITEM, 1, (uint64_t)TIME_NEVER);
    } while (status == HX_ERR_NO_MEMORY);
    SAME(status, 1);
    NEED(NATIVE(timer_take, (uint64_t)timer) >= 1);
    if (period == 0) {
        SAME(NATIVE(timer_take, (uint64_t)timer), HX_ERR_WOULD_BLOCK);
    }
    closed(timer);
}

// ---- tokens

void torture_token(struct chance *chance) {
    const int64_t event = NATIVE(event_create, 0);
    if (!made(event)) {
        return;
    }
    const int64_t derived = NATIVE(handle_derive, (uint64_t)event, HX_RIGHTS_ALL);
    if (made(derived)) {
        SAME(NATIVE(handle_seal, (uint64_t)derived, HX_RIGHT_SIGNAL, (uint64_t)TIME_NEVER, BUFFER),
             HX_OK);
        const int64_t redeemed = NATIVE(handle_redeem, BUFFER);
        if (made(redeemed)) {
            SAME(NATIVE(event_update, (uint64_t)redeemed, 0, 1u << 8), HX_OK);
            closed(redeemed);
        }
        const uint64_t at = BUFFER + below(chance, HX_TOKEN_BYTES);
        hosted_store(at, hosted_load(at, 1) ^ 1, 1);
        SAME(NATIVE(handle_redeem, BUFFER), HX_ERR_ACCESS_DENIED);
        closed(derived);
    }
    closed(event);
}

// ---- children without fork

// A program that ends with 7, charged to an account (0: the caller's). What else its spawn may
// return is in `limited`: the account may be full.
static void spawns(uint64_t account, bool limited) {
    const struct hx_spawn spawn = { .path = text_at(PATH, "/nothing"),
                                    .account = (uint32_t)account };
    hosted_write(SPAWN, &spawn, sizeof(spawn));
    hosted_store(LIST, -1ull, 8);
    const int64_t process = NATIVE(process_spawn, SPAWN, LIST, 2);
    NEED(process > 0 || process == HX_ERR_NO_MEMORY || (limited && process == HX_ERR_LIMIT));
    if (process < 0) {
        return;
    }
    int64_t status;
    do {
        item_at(process, HX_STATE_CLOSED);
        status = NATIVE(wait, ITEM, 1, (uint64_t)TIME_NEVER);
    } while (status == HX_ERR_NO_MEMORY);
    SAME(status, 1);
    SAME(NATIVE(process_info, (uint64_t)process, BUFFER), HX_OK);
    const uint64_t pid = hosted_load(BUFFER, 4), ended = hosted_load(BUFFER + 8, 4);
    NEED(ended == EXITED(7) || ended == KILLED(SIGSEGV) || ended == KILLED(SIGKILL));
    SAME(CALL(wait4, pid, WORDS + 0x800, 0, 0), pid);
    SAME(NATIVE(process_kill, (uint64_t)process), HX_OK);
    closed(process);
}

void torture_spawn(struct chance *chance) {
    (void)chance;
    spawns(0, false);
}

// ---- accounts

void torture_account(struct chance *chance) {
    const int64_t own = NATIVE(account_own);
    if (!made(own)) {
        return;
    }
    for (uint32_t item = 0; item < HX_ACCOUNT_ITEMS; item++) {
        hosted_store(AMOUNTS + item * 8, below(chance, 6), 8);
    }
    const int64_t account = NATIVE(account_create, (uint64_t)own, AMOUNTS);
    if (made(account)) {
        SAME(NATIVE(account_limit, (uint64_t)account, below(chance, HX_ACCOUNT_ITEMS),
                    below(chance, 4)),
             HX_OK);
        spawns((uint64_t)account, true);
        SAME(NATIVE(account_info, (uint64_t)account, BUFFER), HX_OK);
        closed(account);
    }
    closed(own);
}
