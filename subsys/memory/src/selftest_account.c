// SPDX-License-Identifier: MIT OR Apache-2.0
// selftest_account.c: charges, limits and reservations in a tree of accounts, also by several
// processors at once.
#include "selftest.h"

#include <core/thread.h>

static int64_t used(const struct account *account) {
    return atomic_load_explicit(&account->used[ACCOUNT_FRAMES], memory_order_relaxed);
}

static bool test_limits(void) {
    struct account *parent, *child;
    CHECK(account_create(&account_programs, "test", NULL, false, &parent) == HX_OK);
    CHECK(account_create(parent, "test", NULL, false, &child) == HX_OK);
    account_limit_set(parent, ACCOUNT_FRAMES, 10);
    CHECK(account_charge(child, ACCOUNT_FRAMES, 10) == HX_OK);
    CHECK(account_full(child, ACCOUNT_FRAMES) == parent);
    CHECK(account_charge(child, ACCOUNT_FRAMES, 1) == HX_ERR_LIMIT);
    CHECK(account_charge(child, ACCOUNT_FRAMES, INT64_MAX) == HX_ERR_LIMIT);
    CHECK(used(child) == 10 && used(parent) == 10);
    account_release(child, ACCOUNT_FRAMES, 11); // what was charged by another processor comes late
    CHECK(account_charge(child, ACCOUNT_FRAMES, 11) == HX_OK);
    account_release(child, ACCOUNT_FRAMES, 10);
    CHECK(used(parent) == 0 && account_full(child, ACCOUNT_FRAMES) == NULL);
    CHECK(account_is_within(child, parent) && !account_is_within(parent, child));
    object_put(&child->object);
    object_put(&parent->object);
    return true;
}

// What is reserved is there, whatever others take, and is given back with the account.
static bool test_reserved(void) {
    const int64_t some[ACCOUNT_ITEMS] = { [ACCOUNT_FRAMES] = 6, [ACCOUNT_OBJECTS] = 1 };
    const int64_t much[ACCOUNT_ITEMS] = { [ACCOUNT_FRAMES] = 1, [ACCOUNT_HANDLES] = 5 };
    struct account *parent, *child, *other;
    CHECK(account_create(&account_programs, "test", NULL, false, &parent) == HX_OK);
    account_limit_set(parent, ACCOUNT_FRAMES, 10);
    account_limit_set(parent, ACCOUNT_HANDLES, 4);
    CHECK(account_create(parent, "test", some, true, &child) == HX_OK);
    CHECK(used(parent) == 6 && used(child) == 0);
    CHECK(account_create(parent, "test", much, true, &other) == HX_ERR_LIMIT);
    CHECK(used(parent) == 6);
    CHECK(account_charge(parent, ACCOUNT_FRAMES, 5) == HX_ERR_LIMIT);
    CHECK(account_charge(parent, ACCOUNT_FRAMES, 4) == HX_OK);
    CHECK(account_full(child, ACCOUNT_FRAMES) == NULL);
    CHECK(account_charge(child, ACCOUNT_FRAMES, 6) == HX_OK && used(parent) == 10);
    CHECK(account_charge(child, ACCOUNT_FRAMES, 1) == HX_ERR_LIMIT && used(child) == 6);
    account_release(parent, ACCOUNT_FRAMES, 4);
    CHECK(account_charge(child, ACCOUNT_FRAMES, 3) == HX_OK && used(parent) == 9);
    account_release(child, ACCOUNT_FRAMES, 9);
    CHECK(used(parent) == 6);
    object_put(&child->object);
    CHECK(used(parent) == 0);
    object_put(&parent->object);
    return true;
}

// Who does not pledge what is everybody's gives away what the parent has reserved, and no more.
static bool test_passed_down(void) {
    const int64_t six[ACCOUNT_ITEMS] = { [ACCOUNT_FRAMES] = 6 };
    const int64_t four[ACCOUNT_ITEMS] = { [ACCOUNT_FRAMES] = 4 };
    struct account *parent, *child, *below;
    CHECK(account_create(&account_programs, "test", NULL, false, &parent) == HX_OK);
    CHECK(account_create(parent, "test", four, false, &child) == HX_ERR_LIMIT);
    CHECK(account_create(parent, "test", six, true, &child) == HX_OK);
    CHECK(account_charge(child, ACCOUNT_FRAMES, 3) == HX_OK);
    CHECK(account_create(child, "test", four, false, &below) == HX_ERR_LIMIT);
    CHECK(used(child) == 3 && used(parent) == 6);
    account_release(child, ACCOUNT_FRAMES, 1);
    CHECK(account_create(child, "test", four, false, &below) == HX_OK);
    CHECK(used(child) == 6 && used(parent) == 6);
    account_release(child, ACCOUNT_FRAMES, 2);
    object_put(&below->object);
    CHECK(used(child) == 0 && used(parent) == 6);
    object_put(&child->object);
    CHECK(used(parent) == 0);
    object_put(&parent->object);
    return true;
}

static bool test_depth(void) {
    struct account *deepest = &account_root, *next;
    object_get(&deepest->object);
    while (deepest->depth < ACCOUNT_DEPTH_MAX) {
        CHECK(account_create(deepest, "test", NULL, false, &next) == HX_OK);
        object_put(&deepest->object); // its child keeps it
        deepest = next;
    }
    CHECK(account_create(deepest, "test", NULL, false, &next) == HX_ERR_LIMIT);
    CHECK(account_charge(deepest, ACCOUNT_FRAMES, 1) == HX_OK);
    account_release(deepest, ACCOUNT_FRAMES, 1);
    object_put(&deepest->object);
    return true;
}

static struct account *crowded;

// Around the reservation and the parent's limit.
static bool charge_much(uint32_t index) {
    uint64_t random = 0x9e3779b97f4a7c15ull + index;
    for (uint32_t round = 0; round < 4000; round++) {
        const int64_t amount = 1 + (int64_t)memtest_random(&random, 5);
        if (account_charge(crowded, ACCOUNT_FRAMES, amount) == HX_OK) {
            if (memtest_random(&random, 16) == 0) {
                thread_yield();
            }
            account_release(crowded, ACCOUNT_FRAMES, amount);
        }
    }
    return true;
}

static bool test_crowd(void) {
    const int64_t some[ACCOUNT_ITEMS] = { [ACCOUNT_FRAMES] = 4 };
    struct account *parent;
    CHECK(account_create(&account_programs, "test", NULL, false, &parent) == HX_OK);
    account_limit_set(parent, ACCOUNT_FRAMES, 9);
    CHECK(account_create(parent, "test", some, true, &crowded) == HX_OK);
    CHECK(memtest_threads(MEMTEST_THREADS, charge_much));
    CHECK(used(crowded) == 0 && used(parent) == 4);
    object_put(&crowded->object);
    CHECK(used(parent) == 0);
    object_put(&parent->object);
    return true;
}

const struct memtest memtest_accounts[] = {
    { "limits of accounts", test_limits },
    { "reservations", test_reserved },
    { "reservations, passed down", test_passed_down },
    { "depth of accounts", test_depth },
    { "accounts, concurrent", test_crowd },
    { NULL, NULL },
};
