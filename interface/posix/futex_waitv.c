// SPDX-License-Identifier: MIT OR Apache-2.0
// interface/posix/futex_waitv.c: waiting at several words at once (futex_waitv(2) of Linux 5.16).
#include "futex.h"
#include "times.h"

#include <memory/heap.h>
#include <memory/usercopy.h>
#include <posix/call.h>

#define WORDS_MAX 128u
#define SIZE_32   2u // the only size of a word so far

struct waitv_user {
    uint64_t value, address;
    uint32_t flags, reserved;
};

struct word {
    struct futex_waiter waiter;
    struct memory_object *object; // to give back
    struct uaddr address;
    uint32_t value;
    bool is_private;
};

static enum hx_status read_word(struct uaddr from, struct word *word) {
    struct waitv_user user;
    if (copy_from_user(&user, from, sizeof(user)) != HX_OK) {
        return HX_ERR_BAD_ADDRESS;
    }
    if ((user.flags & ~FUTEX_PRIVATE) != SIZE_32 || user.reserved != 0) {
        return HX_ERR_INVALID;
    }
    word->value = (uint32_t)user.value;
    word->address = uaddr_make(user.address);
    word->waiter.bits = FUTEX_ANY;
    word->is_private = (user.flags & FUTEX_PRIVATE) != 0;
    return HX_OK;
}

static enum hx_status read_words(struct uaddr from, struct word *words, uint32_t count) {
    enum hx_status status = HX_OK;
    for (uint32_t i = 0; i < count && status == HX_OK; i++) {
        status = read_word(uaddr_make(from.value + i * sizeof(struct waitv_user)), &words[i]);
    }
    return status;
}

static void drop_words(struct word *words, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        futex_key_drop(words[i].object);
    }
}

// Behind the reading of all: a wrong one among them is told first.
static enum hx_status find_words(struct word *words, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        struct word *word = &words[i];
        const enum hx_status status =
            futex_key_make(word->address, word->is_private, &word->waiter.key, &word->object);
        if (status != HX_OK) {
            drop_words(words, i);
            return status;
        }
    }
    return HX_OK;
}

// Whether all of them have the values that are waited for.
static enum hx_status compare(const struct word *words, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        uint32_t value;
        if (user_load32(words[i].address, &value) != HX_OK) {
            return HX_ERR_BAD_ADDRESS;
        }
        if (value != words[i].value) {
            return HX_ERR_WOULD_BLOCK;
        }
    }
    return HX_OK;
}

// Waits at all of them; call->result: one that was woken.
static enum hx_status wait_at(struct call *call, struct word *words, uint32_t count,
                              time_ns_t deadline) {
    struct waitable woken;
    waitable_init(&woken, 0);
    for (uint32_t i = 0; i < count; i++) {
        words[i].waiter.woken = &woken;
        futex_enter(&words[i].waiter);
    }
    enum hx_status status = compare(words, count);
    if (status == HX_OK) {
        status = wait_one(&woken, WAIT_SIGNALED, deadline, WAIT_INTERRUPTIBLE);
    }
    for (uint32_t i = 0; i < count; i++) {
        if (futex_leave(&words[i].waiter)) {
            call->result = i;
            status = HX_OK; // a wake is not lost, whatever else happened
        }
    }
    return status == HX_ERR_INTERRUPTED || status == HX_ERR_CANCELED ? HX_ERR_RESTART : status;
}

enum hx_status sys_futex_waitv(struct call *call) {
    const uint32_t count = call_uint(call, 1);
    const struct uaddr limit = call_address(call, 3);
    const int32_t clock = call_int(call, 4);
    if (call_uint(call, 2) != 0 || count == 0 || count > WORDS_MAX || call->args[0] == 0 ||
        (limit.value != 0 && clock != CLOCK_MONOTONIC && clock != CLOCK_REALTIME)) {
        return HX_ERR_INVALID;
    }
    time_ns_t deadline;
    enum hx_status status = futex_deadline(limit, true, clock, &deadline);
    if (status != HX_OK) {
        return status;
    }
    struct word *words = heap_alloc_zero(count * sizeof(*words), MEMORY_SLEEP);
    if (words == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    status = read_words(call_address(call, 0), words, count);
    if (status == HX_OK) {
        status = find_words(words, count);
    }
    if (status == HX_OK) {
        status = wait_at(call, words, count, deadline);
        drop_words(words, count);
    }
    heap_free(words);
    return status;
}
