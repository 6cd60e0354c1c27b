// SPDX-License-Identifier: MIT OR Apache-2.0
// tests/native/tokens.c: capabilities that travel as bytes: sealed, redeemed elsewhere, refused
// when they are changed, expired, revoked, gone, or from elsewhere. RUN: musl glibc
#include "native.h"

#include <pthread.h>
#include <sched.h>

#define USER(n) (1u << (8 + (n)))
#define ALL     (HX_RIGHT_SIGNAL | HX_RIGHT_WAIT | HX_RIGHT_ADMIN | HX_RIGHT_DELEGATE)

static struct hx_token sealed(handle_t handle, rights_t rights) {
    struct hx_token token;
    NEED(NATIVE(handle_seal, handle, rights, TIME_NEVER, &token) == HX_OK);
    return token;
}

static rights_t rights_of(int64_t handle) {
    struct hx_handle_info info;
    NEED(NATIVE(handle_info, handle, &info) == HX_OK);
    return info.rights;
}

static void sealed_and_redeemed(void) {
    const handle_t event = event_new(), top = derive(event, ALL);
    const struct hx_token token = sealed(top, HX_RIGHT_SIGNAL | HX_RIGHT_READ);
    const int64_t first = NATIVE(handle_redeem, &token), second = NATIVE(handle_redeem, &token);
    NEED(first > 0 && second > 0);
    CHECK(first != second);
    SAME(rights_of(first), HX_RIGHT_SIGNAL); // no more than there was, and than was sealed
    SAME(NATIVE(event_update, first, 0, USER(1)), HX_OK);
    SAME(NATIVE(handle_seal, first, ALL, TIME_NEVER, &token), HX_ERR_ACCESS_DENIED);
    // Where it came to is its own: what is derived there goes with it alone.
    const struct hx_token again = sealed(top, ALL);
    const int64_t third = NATIVE(handle_redeem, &again);
    const handle_t below = derive((handle_t)third, ALL);
    SAME(NATIVE(handle_revoke, third), HX_OK);
    SAME(NATIVE(event_update, below, 0, 0), HX_ERR_REVOKED);
    SAME(NATIVE(event_update, second, 0, 0), HX_OK);
}

static void refused_to_seal(void) {
    struct hx_token token;
    const handle_t event = event_new(), top = derive(event, ALL);
    SAME(NATIVE(handle_seal, event, ALL, TIME_NEVER, &token), HX_ERR_NOT_PERMITTED);
    SAME(NATIVE(handle_seal, derive(top, ALL & ~HX_RIGHT_DELEGATE), ALL, TIME_NEVER, &token),
         HX_ERR_ACCESS_DENIED);
    SAME(NATIVE(handle_seal, 0, ALL, TIME_NEVER, &token), HX_ERR_BAD_HANDLE);
    SAME(NATIVE(handle_seal, top, ALL, TIME_NEVER, 8), HX_ERR_BAD_ADDRESS);
    SAME(NATIVE(handle_redeem, 8), HX_ERR_BAD_ADDRESS);
    SAME(NATIVE(handle_revoke, top), HX_OK);
    SAME(NATIVE(handle_seal, top, ALL, TIME_NEVER, &token), HX_ERR_REVOKED);
}

// Any process that has the bytes has the capability, on its own account.
static void redeemed_elsewhere(void) {
    const handle_t event = event_new(), top = derive(event, ALL);
    const struct hx_token token = sealed(top, HX_RIGHT_SIGNAL);
    pid_t pid;
    CHILD(pid) {
        const int64_t handle = NATIVE(handle_redeem, &token);
        NEED(handle > 0);
        SAME(NATIVE(event_update, handle, 0, USER(1)), HX_OK);
        while (NATIVE(event_update, handle, 0, USER(2)) == HX_OK) {
            sched_yield();
        }
        SAME(NATIVE(event_update, handle, 0, USER(2)), HX_ERR_REVOKED);
        SAME(NATIVE(handle_redeem, &token), HX_ERR_REVOKED);
    }
    struct hx_wait_item item = { .handle = event, .mask = USER(2) };
    SAME(NATIVE(wait, &item, 1, TIME_NEVER), 1);
    SAME(NATIVE(handle_revoke, top), HX_OK);
    EXITS(pid, 0);
    SAME(NATIVE(handle_redeem, &token), HX_ERR_REVOKED);
}

static void every_bit_counts(void) {
    const handle_t top = derive(event_new(), ALL);
    struct hx_token token = sealed(top, HX_RIGHT_WAIT);
    for (uint32_t bit = 0; bit < 8 * HX_TOKEN_BYTES; bit++) {
        token.bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        const int64_t result = NATIVE(handle_redeem, &token);
        if (result != HX_ERR_ACCESS_DENIED) {
            check_fail(__FILE_NAME__, __LINE__, "bit %u gives %lld", bit, (long long)result);
        }
        token.bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    CHECK(NATIVE(handle_redeem, &token) > 0);
}

// Pieces of two good tokens, and of nothing.
static void made_up(void) {
    const handle_t event = event_new();
    const struct hx_token one = sealed(derive(event, ALL), ALL);
    const struct hx_token other = sealed(derive(event, ALL), HX_RIGHT_WAIT);
    uint32_t random = 1;
    for (uint32_t i = 0; i < 20000; i++) {
        struct hx_token token = { { 0 } };
        for (uint32_t at = 0; at < HX_TOKEN_BYTES; at += 8) {
            random = random * 1664525 + 1013904223;
            const uint64_t noise[2] = { (uint64_t)random << 32 | random >> 8, random >> 28 };
            const void *from[] = { one.bytes + at, other.bytes + at, &noise[0], &noise[1] };
            memcpy(token.bytes + at, from[random >> 16 & 3], 8);
        }
        if (memcmp(&token, &one, sizeof token) != 0 && memcmp(&token, &other, sizeof token) != 0) {
            SAME(NATIVE(handle_redeem, &token), HX_ERR_ACCESS_DENIED);
        }
    }
}

static void expiry(void) {
    struct hx_token token;
    const handle_t top = derive(event_new(), ALL);
    const time_ns_t past[] = { 0, 1, -1, INT64_MIN, native_after_ms(0) };
    for (size_t i = 0; i < sizeof(past) / sizeof(past[0]); i++) {
        SAME(NATIVE(handle_seal, top, ALL, past[i], &token), HX_OK);
        SAME(NATIVE(handle_redeem, &token), HX_ERR_TIMED_OUT);
    }
    const time_ns_t soon = native_after_ms(200);
    SAME(NATIVE(handle_seal, top, HX_RIGHT_SIGNAL, soon, &token), HX_OK);
    const int64_t handle = NATIVE(handle_redeem, &token);
    CHECK(handle > 0 || native_after_ms(0) >= soon);
    struct hx_wait_item item = { .handle = top, .mask = USER(1) };
    SAME(NATIVE(wait, &item, 1, soon), HX_ERR_TIMED_OUT);
    SAME(NATIVE(handle_redeem, &token), HX_ERR_TIMED_OUT);
    if (handle > 0) {
        SAME(NATIVE(event_update, handle, 0, USER(1)), HX_OK); // it is no token
    }
}

// Until nobody has the capability any more and it is freed.
static int64_t redeem_until_gone(const struct hx_token *token) {
    int64_t result = HX_OK;
    for (int i = 0; i < 5000 && (result = NATIVE(handle_redeem, token)) > 0; i++) {
        SAME(NATIVE(handle_close, result), HX_OK);
        usleep(1000);
    }
    return result;
}

static void lives_while_somebody_has_it(void) {
    const handle_t event = event_new(), top = derive(event, ALL);
    const struct hx_token token = sealed(top, HX_RIGHT_SIGNAL);
    int64_t last = NATIVE(handle_redeem, &token);
    SAME(NATIVE(handle_close, top), HX_OK);
    for (int i = 0; i < 20; i++) { // what was redeemed keeps it
        const int64_t next = NATIVE(handle_redeem, &token);
        NEED(next > 0);
        SAME(NATIVE(handle_close, last), HX_OK);
        last = next;
        usleep(2000);
    }
    SAME(NATIVE(handle_close, last), HX_OK);
    SAME(redeem_until_gone(&token), HX_ERR_REVOKED);
    // What comes to its place has another number.
    for (int i = 0; i < 500; i++) {
        const handle_t other = derive(event, ALL);
        (void)sealed(other, ALL);
        SAME(NATIVE(handle_redeem, &token), HX_ERR_REVOKED);
        SAME(NATIVE(handle_close, other), HX_OK);
    }
}

// Redeemed at any moment of their end.
#define ENDING 200

static void redeemed_at_the_end(void) {
    static struct hx_token tokens[ENDING];
    const handle_t event = event_new();
    for (int round = 0; round < 20; round++) {
        handle_t handles[ENDING];
        for (int i = 0; i < ENDING; i++) {
            handles[i] = derive(event, ALL);
            tokens[i] = sealed(handles[i], ALL);
        }
        for (int i = 0; i < ENDING; i++) {
            SAME(NATIVE(handle_close, handles[i]), HX_OK);
        }
        for (int i = 0; i < ENDING; i++) {
            const int64_t result = NATIVE(handle_redeem, &tokens[i]);
            CHECK(result > 0 || result == HX_ERR_REVOKED);
            if (result > 0) {
                SAME(NATIVE(event_update, result, 0, USER(1)), HX_OK);
                SAME(NATIVE(handle_close, result), HX_OK);
            }
            usleep(40);
        }
    }
}

// ---- threads that seal, redeem and revoke at once

static handle_t common;
static struct hx_token offered[4];
static _Atomic uint32_t over;

static void *redeems(void *argument) {
    const struct hx_token *token = &offered[(uintptr_t)argument];
    while (!over) {
        const int64_t handle = NATIVE(handle_redeem, token);
        if (handle > 0) {
            SAME(NATIVE(handle_close, handle), HX_OK);
        } else {
            SAME(handle, HX_ERR_REVOKED);
        }
    }
    SAME(NATIVE(handle_redeem, token), HX_ERR_REVOKED);
    return NULL;
}

static void redeemed_while_revoked(void) {
    for (int round = 0; round < 20; round++) {
        pthread_t threads[4];
        common = derive(event_new(), ALL);
        over = 0;
        for (uintptr_t i = 0; i < 4; i++) {
            offered[i] = sealed(common, HX_RIGHT_SIGNAL); // the same capability, the same number
            NEED(pthread_create(&threads[i], NULL, redeems, (void *)i) == 0);
        }
        usleep((useconds_t)(round * 200));
        SAME(NATIVE(handle_revoke, common), HX_OK);
        over = 1;
        for (int i = 0; i < 4; i++) {
            pthread_join(threads[i], NULL);
        }
        SAME(NATIVE(handle_close, common), HX_OK);
    }
}

static const struct check_case cases[] = {
    CASE(sealed_and_redeemed),
    CASE(refused_to_seal),
    CASE(redeemed_elsewhere),
    CASE(every_bit_counts),
    CASE(made_up),
    CASE(expiry),
    CASE(lives_while_somebody_has_it),
    CASE(redeemed_at_the_end),
    CASE(redeemed_while_revoked),
};
CHECK_MAIN(cases)
