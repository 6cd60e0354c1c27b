// SPDX-License-Identifier: MIT OR Apache-2.0
// runtime/kernel/claim.c: who has which device of firmware's tree, of those that subsys/io does not
// list. A place stays in the list for good; its next driver has it again.
#include "private.h"

#include <core/lock.h>
#include <hal/io.h>
#include <lib/list.h>
#include <memory/heap.h>

struct claim {
    struct list link;
    uint64_t base;            // of the registers: two names may mean one device
    const char *owner;        // [claims_lock] NULL: nobody
    volatile void *registers; // [owner] mapped for good
    size_t size_bytes;        // [owner] 0: they are not mapped
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

// The place becomes the owner's, who alone uses what is [owner] until claims_release().
static enum hx_status claim_own(uint64_t base, const char *owner, struct claim **out_claim) {
    struct claim *fresh = heap_alloc(sizeof(*fresh), MEMORY_SLEEP);
    enum hx_status status = HX_OK;
    if (fresh == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    *fresh = (struct claim){ .base = base, .owner = owner };
    spin_lock(&claims_lock);
    struct claim *claim = claim_find_locked(base);
    if (claim == NULL) {
        list_push_back(&claims, &fresh->link);
        claim = fresh;
        fresh = NULL;
    } else if (claim->owner == NULL) {
        claim->owner = owner;
    } else {
        status = HX_ERR_BUSY;
    }
    spin_unlock(&claims_lock);
    heap_free(fresh);
    *out_claim = claim;
    return status;
}

static void claim_leave(struct claim *claim) {
    spin_lock(&claims_lock);
    claim->owner = NULL;
    spin_unlock(&claims_lock);
}

enum hx_status claim_take(const struct hal_device *device, const char *owner,
                          volatile void **out_registers) {
    struct claim *claim;
    enum hx_status status = claim_own(device->base.value, owner, &claim);
    if (status != HX_OK) {
        return status;
    }
    if (device->size_bytes > claim->size_bytes) { // by another name it may have more of them
        volatile void *mapped = hal_device_map(device->base, device->size_bytes);
        if (mapped == NULL) {
            claim_leave(claim);
            return HX_ERR_NO_MEMORY;
        }
        claim->registers = mapped;
        claim->size_bytes = device->size_bytes;
    }
    *out_registers = claim->registers;
    return HX_OK;
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
