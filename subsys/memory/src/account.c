// SPDX-License-Identifier: MIT OR Apache-2.0
// account.c: charging and releasing, up the tree of accounts.
//
// A step changes `used` of one account, and what the account above sees of it: the change of what
// is used beyond the reservation. Each step passes exactly its own change on, so the sums are right
// whatever the order in which steps of several threads come: also above an account around whose
// reservation several charge and release at once.
#include "private.h"

#define ACCOUNT_RIGHTS                                                                             \
    (HX_RIGHT_READ | HX_RIGHT_WRITE | HX_RIGHT_CREATE | HX_RIGHT_ADMIN | HX_RIGHT_DELEGATE)

static const struct lock_class accounts_class = { "accounts", LOCK_RANK_LEAF, false };
static struct spinlock accounts_lock = SPINLOCK_INIT(&accounts_class);
static struct list accounts = LIST_INIT(accounts); // [accounts_lock] struct account.all_link
static uint64_t last_id;                           // [accounts_lock]

static struct heap_cache *account_cache;

struct account account_root;
struct account account_programs;

static void list_add(struct account *account) {
    spin_lock(&accounts_lock);
    account->id = ++last_id;
    list_push_back(&accounts, &account->all_link);
    spin_unlock(&accounts_lock);
}

static void list_leave(struct account *account) {
    spin_lock(&accounts_lock);
    list_remove(&account->all_link);
    spin_unlock(&accounts_lock);
}

static void give_back_reserved(struct account *account, uint32_t items) {
    for (uint32_t item = 0; item < items; item++) {
        account_release(account->above[item], (enum account_item)item, account->reserved[item]);
    }
}

// Only once nothing is charged any more: what is, keeps it. The first two stay.
static void account_destroy(struct object *object) {
    struct account *account = CONTAINER_OF(object, struct account, object);
    struct account *parent = account->parent;
    for (uint32_t item = 0; item < ACCOUNT_ITEMS; item++) {
        ASSERT(atomic_load_explicit(&account->used[item], memory_order_relaxed) == 0);
    }
    list_leave(account);
    give_back_reserved(account, ACCOUNT_ITEMS);
    account_release(parent, ACCOUNT_OBJECTS, 1);
    heap_cache_free(account_cache, account);
    object_put(&parent->object);
}

static const struct object_type account_type = { .kind = OBJECT_ACCOUNT,
                                                 .name = "account",
                                                 .destroy = account_destroy };

// Without a reference on the parent, and charged to nobody.
static void account_prepare(struct account *account, struct account *parent, const char *name) {
    object_init(&account->object, &account_type);
    capability_init_root(&account->root, &account->object, ACCOUNT_RIGHTS);
    account->parent = parent;
    account->depth = parent != NULL ? parent->depth + 1 : 0;
    account->name = name;
    atomic_init(&account->ended_ns, 0);
    for (uint32_t item = 0; item < ACCOUNT_ITEMS; item++) {
        account->above[item] = item == ACCOUNT_FRAMES && account->depth == 1 ? NULL : parent;
        account->reserved[item] = 0;
        atomic_init(&account->used[item], 0);
        atomic_init(&account->limit[item], INT64_MAX);
    }
}

void account_init(void) {
    account_cache = heap_cache_create("account", sizeof(struct account), CACHE_LINE);
    if (account_cache == NULL) {
        panic("too little memory to start");
    }
    account_prepare(&account_root, NULL, "machine");
    account_prepare(&account_programs, &account_root, "programs");
    list_add(&account_root);
    list_add(&account_programs);
}

// Takes it from what the account has reserved itself, so that those above it do not notice.
static enum hx_status charge_reserved(struct account *account, enum account_item item,
                                      int64_t amount) {
    if (amount == 0) {
        return HX_OK;
    }
    if (account == NULL) {
        return HX_ERR_LIMIT;
    }
    const int64_t limit = atomic_load_explicit(&account->limit[item], memory_order_relaxed);
    const int64_t most = MIN_OF(limit, account->reserved[item]);
    int64_t used = atomic_load_explicit(&account->used[item], memory_order_relaxed);
    do {
        // What is below zero for a moment is somebody's, whose charge is on its way.
        if (MAX_OF(used, 0) > most - amount) {
            return HX_ERR_LIMIT;
        }
    } while (!atomic_compare_exchange_weak_explicit(&account->used[item], &used, used + amount,
                                                    memory_order_relaxed, memory_order_relaxed));
    return HX_OK;
}

// All that is reserved is the parent's to give, or nothing of it is taken.
static enum hx_status reserve(struct account *account, const int64_t *reserved, bool pledges) {
    for (uint32_t item = 0; item < ACCOUNT_ITEMS; item++) {
        enum hx_status status = (pledges ? account_charge : charge_reserved)(
            account->above[item], (enum account_item)item, reserved[item]);
        if (status != HX_OK) {
            give_back_reserved(account, item);
            return status;
        }
        account->reserved[item] = reserved[item];
    }
    return HX_OK;
}

enum hx_status account_create(struct account *parent, const char *name, const int64_t *reserved,
                              bool pledges, struct account **out_account) {
    if (parent->depth == ACCOUNT_DEPTH_MAX) {
        return HX_ERR_LIMIT;
    }
    enum hx_status status = account_charge(parent, ACCOUNT_OBJECTS, 1);
    if (status != HX_OK) {
        return status;
    }
    struct account *account = heap_cache_alloc(account_cache, MEMORY_SLEEP);
    if (account == NULL) {
        status = HX_ERR_NO_MEMORY;
        goto fail_charge;
    }
    account_prepare(account, parent, name);
    status = reserved != NULL ? reserve(account, reserved, pledges) : HX_OK;
    if (status != HX_OK) {
        goto fail_account;
    }
    object_get(&parent->object);
    list_add(account);
    *out_account = account;
    return HX_OK;

fail_account:
    heap_cache_free(account_cache, account);
fail_charge:
    account_release(parent, ACCOUNT_OBJECTS, 1);
    return status;
}

// ---- charging

// What the account above is changed by when `used` becomes `before` + `change` here.
static inline int64_t passed_on(const struct account *account, enum account_item item,
                                int64_t before, int64_t change) {
    const int64_t reserved = account->reserved[item];
    if (__builtin_expect(reserved == 0, 1)) {
        return change;
    }
    return MAX_OF(before + change - reserved, 0) - MAX_OF(before - reserved, 0);
}

// Changes what is used of `account` and those above, up to but without `end`; what `end` has to be
// changed by. Nothing refuses.
static int64_t change_below(struct account *account, const struct account *end,
                            enum account_item item, int64_t change) {
    for (; account != end && change != 0; account = account->above[item]) {
        const int64_t before =
            atomic_fetch_add_explicit(&account->used[item], change, memory_order_relaxed);
        change = passed_on(account, item, before, change);
    }
    return change;
}

// Charges one account alone, with *change, which becomes what the one above has to be charged.
static inline bool charge_one(struct account *account, enum account_item item, int64_t *change) {
    const int64_t limit = atomic_load_explicit(&account->limit[item], memory_order_relaxed);
    int64_t used = atomic_load_explicit(&account->used[item], memory_order_relaxed);
    // Not added and taken back: a refused charge must not make others' fail meanwhile. What is used
    // may be below zero for a moment, before a charge from below arrives that was released again.
    do {
        if (used > limit - *change) {
            return false;
        }
    } while (!atomic_compare_exchange_weak_explicit(&account->used[item], &used, used + *change,
                                                    memory_order_relaxed, memory_order_relaxed));
    *change = passed_on(account, item, used, *change);
    return true;
}

enum hx_status account_charge(struct account *account, enum account_item item, int64_t amount) {
    int64_t change = amount;
    for (struct account *at = account; at != NULL && change != 0; at = at->above[item]) {
        if (!charge_one(at, item, &change)) {
            // `at` was not told of what it refused; taking it back below may come to another change
            // than that.
            change += change_below(account, at, item, -amount);
            (void)change_below(at, NULL, item, change);
            return HX_ERR_LIMIT;
        }
    }
    return HX_OK;
}

void account_release(struct account *account, enum account_item item, int64_t amount) {
    (void)change_below(account, NULL, item, -amount);
}

void account_limit_set(struct account *account, enum account_item item, int64_t limit) {
    atomic_store_explicit(&account->limit[item], limit, memory_order_relaxed);
}

// ---- looking

struct account *account_full(struct account *account, enum account_item item) {
    for (; account != NULL; account = account->above[item]) {
        const int64_t used = atomic_load_explicit(&account->used[item], memory_order_relaxed);
        if (used >= atomic_load_explicit(&account->limit[item], memory_order_relaxed)) {
            return account;
        }
        if (used < account->reserved[item]) {
            return NULL; // the next one is paid for
        }
    }
    return NULL;
}

bool account_is_within(const struct account *account, const struct account *above) {
    while (account != NULL && account != above) {
        account = account->parent;
    }
    return account != NULL;
}

struct account *account_current(void) {
    const struct aspace *aspace = aspace_current();
    return aspace != NULL ? aspace->account : &account_root;
}

struct account *account_next(struct account *account) {
    struct account *next = NULL;
    spin_lock(&accounts_lock);
    struct list *link = account != NULL ? account->all_link.next : accounts.next;
    while (next == NULL && link != &accounts) {
        struct account *found = LIST_ENTRY(link, struct account, all_link);
        next = object_try_get(&found->object) ? found : NULL; // or it is about to leave
        link = link->next;
    }
    spin_unlock(&accounts_lock);
    if (account != NULL) {
        object_put(&account->object);
    }
    return next;
}
