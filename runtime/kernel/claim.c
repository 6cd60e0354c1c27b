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
    uint64_t window_bytes;    // [claims_lock] that the owner has, by the name he took it by
    const char *owner;        // [claims_lock] NULL: nobody
    volatile void *registers; // [owner] mapped for good
    size_t size_bytes;        // [owner] of what is mapped; 0: nothing is
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

// Without the end of either, which may be beyond 64 bits.
static bool overlaps(const struct claim *claim, uint64_t base, uint64_t bytes) {
    return claim->base <= base ? base - claim->base < claim->window_bytes
                               : claim->base - base < bytes;
}

static bool is_taken_locked(uint64_t base, uint64_t bytes) {
    list_for_each (link, &claims) {
        const struct claim *claim = LIST_ENTRY(link, struct claim, link);
        if (claim->owner != NULL && overlaps(claim, base, bytes)) {
            return true;
        }
    }
    return false;
}

// The place becomes the owner's, who alone uses what is [owner] until claims_release(). Whoever has
// a part of it by another name has it.
static enum hx_status claim_own(const struct hal_device *device, const char *owner,
                                struct claim **out_claim) {
    const uint64_t base = device->base.value;
    const uint64_t bytes = MAX_OF(device->size_bytes, (size_t)1);
    struct claim *fresh = heap_alloc(sizeof(*fresh), MEMORY_SLEEP);
    enum hx_status status = HX_OK;
    if (fresh == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    *fresh = (struct claim){ .base = base };
    spin_lock(&claims_lock);
    struct claim *claim = claim_find_locked(base);
    if (is_taken_locked(base, bytes)) {
        status = HX_ERR_BUSY;
    } else {
        if (claim == NULL) {
            list_push_back(&claims, &fresh->link);
            claim = fresh;
            fresh = NULL;
        }
        claim->window_bytes = bytes;
        claim->owner = owner;
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
    enum hx_status status = claim_own(device, owner, &claim);
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
