// SPDX-License-Identifier: MIT OR Apache-2.0
// account.c: charging and releasing, up the tree of accounts.
#include "private.h"

static struct heap_cache *account_cache;

static void account_destroy(struct object *object) {
    struct account *account = CONTAINER_OF(object, struct account, object);
    for (uint32_t item = 0; item < ACCOUNT_ITEMS; item++) {
        ASSERT(atomic_load_explicit(&account->used[item], memory_order_relaxed) == 0);
    }
    object_put(&account->parent->object); // the root is never destroyed
    heap_cache_free(account_cache, account);
}

static const struct object_type account_type = { .kind = OBJECT_ACCOUNT,
                                                 .name = "account",
                                                 .destroy = account_destroy };

struct account account_root;

static void account_prepare(struct account *account, struct account *parent) {
    object_init(&account->object, &account_type);
    account->parent = parent;
    for (uint32_t item = 0; item < ACCOUNT_ITEMS; item++) {
        atomic_init(&account->used[item], 0);
        atomic_init(&account->limit[item], INT64_MAX);
    }
}

void account_init(void) {
    account_prepare(&account_root, NULL);
    account_cache = heap_cache_create("account", sizeof(struct account), CACHE_LINE);
}

struct account *account_create(struct account *parent) {
    struct account *account = heap_cache_alloc(account_cache, MEMORY_SLEEP);
    if (account != NULL) {
        object_get(&parent->object);
        account_prepare(account, parent);
    }
    return account;
}

static void release_below(struct account *account, const struct account *end,
                          enum account_item item, int64_t amount) {
    for (; account != end; account = account->parent) {
        atomic_fetch_sub_explicit(&account->used[item], amount, memory_order_relaxed);
    }
}

enum hx_status account_charge(struct account *account, enum account_item item, int64_t amount) {
    for (struct account *at = account; at != NULL; at = at->parent) {
        int64_t used =
            atomic_fetch_add_explicit(&at->used[item], amount, memory_order_relaxed) + amount;
        if (used > atomic_load_explicit(&at->limit[item], memory_order_relaxed)) {
            release_below(account, at->parent, item, amount);
            return HX_ERR_LIMIT;
        }
    }
    return HX_OK;
}

void account_release(struct account *account, enum account_item item, int64_t amount) {
    release_below(account, NULL, item, amount);
}
