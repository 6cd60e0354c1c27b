// SPDX-License-Identifier: MIT OR Apache-2.0
// runtime/kernel/borrow.c: what a module in ring 3 does with pages that a call lent it (lend.c): it
// lends them on to a device, or copies from and to them. It has names for them, no more.
#include "service_calls.h"

#include <hal/mmu.h>
#include <memory/frame.h>
#include <memory/heap.h>
#include <memory/usercopy.h>

#define NAMES_END                                                                                  \
    (SERVICE_ADDRESS_LENT + ((uint64_t)SERVICE_SLOTS_MAX * SERVICE_LENT_MAX << PAGE_SHIFT))

// Pages that a device which is bound reaches, by one call.
struct borrowing {
    struct list link;
    uint64_t device;
    uint64_t address; // where it sees the first one
    uint32_t count;
    uint64_t names[HX_DMA_PAGES_MAX];
};

// ---- names

// Whose it is, and what number it has there; NULL: nobody's.
static struct lender *lender_of(const struct domain *domain, uint64_t name, uint32_t *out_number) {
    if (name < SERVICE_ADDRESS_LENT || name >= NAMES_END || name % PAGE_SIZE != 0) {
        return NULL;
    }
    const uint32_t number = (uint32_t)((name - SERVICE_ADDRESS_LENT) >> PAGE_SHIFT);
    *out_number = number % SERVICE_LENT_MAX;
    return slot_lender(domain, number / SERVICE_LENT_MAX);
}

static enum hx_status name_use(const struct domain *domain, uint64_t name, uint32_t access,
                               void **out_page) {
    uint32_t number = 0;
    struct lender *lender = lender_of(domain, name, &number);
    return lender != NULL ? lender_use(lender, number, access, out_page) : HX_ERR_INVALID;
}

static void names_unuse(const struct domain *domain, const uint64_t *names, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        uint32_t number = 0;
        struct lender *lender = lender_of(domain, names[i], &number);
        lender_unuse(lender, number);
    }
}

// All of them, or none.
static enum hx_status names_use(const struct domain *domain, const uint64_t *names, uint32_t count,
                                uint32_t access, void **out_pages) {
    enum hx_status status = HX_OK;
    uint32_t used = 0;
    while (used < count &&
           (status = name_use(domain, names[used], access, &out_pages[used])) == HX_OK) {
        used++;
    }
    if (status != HX_OK) {
        names_unuse(domain, names, used);
    }
    return status;
}

// ---- lending on

// Where the device sees them. Takes `borrowing`. A device that no IOMMU binds reaches what it
// likes: nothing would be won by knowing what it was told.
static enum hx_status borrow(const struct call *call, const struct hx_device *device,
                             struct borrowing *borrowing, uint64_t *out_addresses) {
    struct domain *domain = call->domain;
    const uint32_t access = (uint32_t)call->d;
    void *pages[HX_DMA_PAGES_MAX];
    enum hx_status status = names_use(domain, borrowing->names, borrowing->count, access, pages);
    if (status != HX_OK) {
        heap_free(borrowing);
        return status;
    }
    status = hx_dma_map(domain->env, device, (const void *const *)pages, borrowing->count, access,
                        out_addresses);
    if (status != HX_OK || !hx_dma_is_bound(device)) {
        names_unuse(domain, borrowing->names, borrowing->count);
        heap_free(borrowing);
        return status;
    }
    borrowing->address = out_addresses[0];
    spin_lock(&domain->reach.lock);
    list_push_back(&domain->reach.lendings, &borrowing->link);
    spin_unlock(&domain->reach.lock);
    return HX_OK;
}

static struct borrowing *borrowing_make(const struct call *call) {
    struct borrowing *borrowing = heap_alloc(sizeof(*borrowing), MEMORY_SLEEP);
    if (borrowing != NULL) {
        borrowing->device = call->a;
        borrowing->count = (uint32_t)call->c;
    }
    return borrowing;
}

int64_t do_dma_map(const struct call *call) {
    uint64_t addresses[HX_DMA_PAGES_MAX];
    const struct hx_device *device = reach_device(&call->domain->reach, call->a);
    if (device == NULL || call->c == 0 || call->c > HX_DMA_PAGES_MAX || call->d == 0 ||
        (call->d & ~(uint64_t)(HX_DMA_READ | HX_DMA_WRITE)) != 0) {
        return HX_ERR_INVALID;
    }
    struct borrowing *borrowing = borrowing_make(call);
    if (borrowing == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    const size_t size = call->c * sizeof(uint64_t);
    enum hx_status status = copy_from_user(borrowing->names, uaddr_make(call->b), size);
    if (status != HX_OK) {
        heap_free(borrowing);
        return status;
    }
    status = borrow(call, device, borrowing, addresses);
    return status == HX_OK ? copy_to_user(uaddr_make(call->e), addresses, size) : status;
}

// That one, which is in no list any more; NULL: there is none.
static struct borrowing *borrowing_take(struct reach *reach, uint64_t device, uint64_t address) {
    struct borrowing *found = NULL;
    spin_lock(&reach->lock);
    list_for_each (link, &reach->lendings) {
        struct borrowing *borrowing = LIST_ENTRY(link, struct borrowing, link);
        if (borrowing->device == device && borrowing->address == address) {
            found = borrowing;
            list_remove(link);
            break;
        }
    }
    spin_unlock(&reach->lock);
    return found;
}

static void borrowing_put_back(struct reach *reach, struct borrowing *borrowing) {
    spin_lock(&reach->lock);
    list_push_back(&reach->lendings, &borrowing->link);
    spin_unlock(&reach->lock);
}

// Those that the device may go on to reach stay used: their transfers can only be lost.
static enum hx_status end_all(const struct call *call, struct borrowing *const *all,
                              const uint64_t *addresses, uint32_t count) {
    struct domain *domain = call->domain;
    const enum hx_status status =
        hx_dma_unmap(domain->env, reach_device(&domain->reach, call->a), addresses, count);
    for (uint32_t i = 0; i < count; i++) {
        if (status == HX_OK) {
            names_unuse(domain, all[i]->names, all[i]->count);
        }
        heap_free(all[i]);
    }
    return status;
}

int64_t do_dma_unmap(const struct call *call) {
    struct reach *reach = &call->domain->reach;
    const struct hx_device *device = reach_device(reach, call->a);
    struct borrowing *all[SERVICE_LENDINGS_MAX];
    uint64_t addresses[SERVICE_LENDINGS_MAX];
    uint32_t found = 0;
    if (device == NULL || call->c > SERVICE_LENDINGS_MAX) {
        return HX_ERR_INVALID;
    }
    const uint32_t count = (uint32_t)call->c;
    enum hx_status status =
        copy_from_user(addresses, uaddr_make(call->b), count * sizeof(uint64_t));
    if (status != HX_OK || !hx_dma_is_bound(device)) {
        return status;
    }
    while (found < count &&
           (all[found] = borrowing_take(reach, call->a, addresses[found])) != NULL) {
        found++;
    }
    if (found == count) {
        return end_all(call, all, addresses, count);
    }
    while (found-- > 0) {
        borrowing_put_back(reach, all[found]);
    }
    return HX_ERR_INVALID;
}

void borrowings_free(struct reach *reach) {
    struct list *link;
    while ((link = list_pop_front(&reach->lendings)) != NULL) {
        heap_free(LIST_ENTRY(link, struct borrowing, link));
    }
}

// ---- copying

// The page as it is while it is copied: who lent it may give it up when the module dies.
static int64_t page_copy(const struct call *call, uint32_t access) {
    const uint64_t name = call->a;
    void *page;
    if (call->b > PAGE_SIZE || call->d > PAGE_SIZE - call->b) {
        return HX_ERR_INVALID;
    }
    enum hx_status status = name_use(call->domain, name, access, &page);
    if (status != HX_OK) {
        return status;
    }
    struct frame *frame = frame_get(frame_of(hal_virt_to_phys(page)));
    uint8_t *at = (uint8_t *)page + call->b;
    status = access == HX_DMA_READ ? copy_to_user(uaddr_make(call->c), at, call->d)
                                   : copy_from_user(at, uaddr_make(call->c), call->d);
    names_unuse(call->domain, &name, 1);
    frame_put(frame);
    return status;
}

int64_t do_page_read(const struct call *call) {
    return page_copy(call, HX_DMA_READ);
}

int64_t do_page_write(const struct call *call) {
    return page_copy(call, HX_DMA_WRITE);
}
