// SPDX-License-Identifier: MIT OR Apache-2.0
// runtime/kernel/claim.c: who has which device of firmware's tree, of those that subsys/io does not
// list. A place stays in the list for good; its next driver has it again.
#include "private.h"

#include <core/lock.h>
#include <lib/list.h>
#include <memory/heap.h>

struct claim {
    struct list link;
    uint64_t base;     // of the registers: two names may mean one device
    const char *owner; // [claims_lock] NULL: nobody
};

static const struct lock_class claims_class = { "devices of the tree", LOCK_RANK_LEAF, false };
static struct spinlock claims_lock = SPINLOCK_INIT(&claims_class);
static struct list claims = LIST_INIT(claims); // [claims_lock]

static struct claim *claim_find_locked(uint64_t base) {
    list_for_each (link, &claims) {
        struct claim *claim = LIST_ENTRY(link, struct claim, link);
        if (claim->base == base) {
            return claim;
        }
    }
    return NULL;
}

enum hx_status claim_take(struct paddr base, const char *owner) {
    struct claim *fresh = heap_alloc(sizeof(*fresh), MEMORY_SLEEP);
    enum hx_status status = HX_OK;
    if (fresh == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    *fresh = (struct claim){ .base = base.value, .owner = owner };
    spin_lock(&claims_lock);
    struct claim *claim = claim_find_locked(base.value);
    if (claim == NULL) {
        list_push_back(&claims, &fresh->link);
        fresh = NULL;
    } else if (claim->owner == NULL) {
        claim->owner = owner;
    } else {
        status = HX_ERR_BUSY;
    }
    spin_unlock(&claims_lock);
    heap_free(fresh);
    return status;
}

void claims_release(const char *owner) {
    spin_lock(&claims_lock);
    list_for_each (link, &claims) {
        struct claim *claim = LIST_ENTRY(link, struct claim, link);
        if (claim->owner == owner) {
            claim->owner = NULL;
        }
    }
    spin_unlock(&claims_lock);
}
