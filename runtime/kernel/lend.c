// SPDX-License-Identifier: MIT OR Apache-2.0
// runtime/kernel/lend.c: helix.block of a module in ring 3: pages that a call lends until an event
// says that the transfer is over.
//
// The pages do not get into the module's address space: it has a name for each, by which it lends
// them on to its device, and may copy. What it was given is noted down, by the transfer's number,
// between the kernel's callers and the messages:
//
//   from     by                                       to
//   -        a call offers it                         GIVEN
//   GIVEN    the call returns without accepting it    -
//   GIVEN    the module completes it                  -
//
// On both ways back none of its pages may be in use: neither is a device that is bound by an IOMMU
// told of them, nor are they copied. A module that says so all the same, or completes what it was
// not given, dies of that before anybody hears of it.
#include "isolated.h"

#include <core/gate.h>
#include <core/time.h>
#include <helix/ports/block_port.h>
#include <helix/ports/block_wire.h>
#include <lib/string.h>
#include <memory/heap.h>

#define GIVEN_MAX 64u // at once; whose user has more waits
#define NONE      UINT32_MAX

// A page of a transfer.
struct lent {
    void *page;
    uint32_t next;   // of the same transfer, or of those that are free
    uint32_t access; // HX_DMA_…: what the device may do; 0: it is free
    uint32_t users;
};

struct given {
    uint64_t id;
    uint32_t first; // of its pages
    bool is_used;
};

struct lender {
    struct domain *domain;
    struct wire_target *target;        // to the module
    const struct block_events *events; // set once, before the first transfer
    void *client;
    struct spinlock lock;
    uint32_t free, free_count;           // [lock] pages
    struct given given[GIVEN_MAX];       // [lock]
    struct lent pages[SERVICE_LENT_MAX]; // [lock]
};

static const struct lock_class lender_class = { "lent pages", LOCK_RANK_LEAF, false };

static void die(struct lender *lender, const char *what) {
    const struct gate_death death = { .at = time_now(), .what = what };
    domain_die(lender->domain, &death);
}

// ---- what it was given

static struct given *given_find_locked(struct lender *lender, uint64_t id) {
    for (uint32_t i = 0; i < GIVEN_MAX; i++) {
        if (lender->given[i].is_used && lender->given[i].id == id) {
            return &lender->given[i];
        }
    }
    return NULL;
}

static struct given *given_free_locked(struct lender *lender) {
    for (uint32_t i = 0; i < GIVEN_MAX; i++) {
        if (!lender->given[i].is_used) {
            return &lender->given[i];
        }
    }
    return NULL;
}

static uint32_t page_take_locked(struct lender *lender, void *page, uint32_t access) {
    const uint32_t number = lender->free;
    struct lent *lent = &lender->pages[number];
    lender->free = lent->next;
    lender->free_count--;
    *lent = (struct lent){ .page = page, .next = NONE, .access = access };
    return number;
}

static void pages_give_locked(struct lender *lender, uint32_t first) {
    for (uint32_t number = first, next; number != NONE; number = next) {
        struct lent *lent = &lender->pages[number];
        next = lent->next;
        *lent = (struct lent){ .next = lender->free };
        lender->free = number;
        lender->free_count++;
    }
}

static bool are_used_locked(const struct lender *lender, uint32_t first) {
    for (uint32_t number = first; number != NONE; number = lender->pages[number].next) {
        if (lender->pages[number].users != 0) {
            return true;
        }
    }
    return false;
}

// False: there is no room, or it has one of that number.
static bool give(struct lender *lender, uint64_t id, void *const *pages, uint32_t count,
                 uint32_t access, void **out_names) {
    spin_lock(&lender->lock);
    struct given *given = given_free_locked(lender);
    const bool fits =
        given != NULL && count <= lender->free_count && given_find_locked(lender, id) == NULL;
    if (fits) {
        *given = (struct given){ .id = id, .first = NONE, .is_used = true };
        for (uint32_t i = count; i-- > 0;) {
            const uint32_t number = page_take_locked(lender, pages[i], access);
            lender->pages[number].next = given->first;
            given->first = number;
            out_names[i] = &lender->pages[number];
        }
    }
    spin_unlock(&lender->lock);
    return fits;
}

// It has it no more. False: it never had it, or uses its pages: it is to die. `is_lost`: nobody has
// them any more.
static bool take_back(struct lender *lender, uint64_t id, bool is_lost) {
    spin_lock(&lender->lock);
    struct given *given = given_find_locked(lender, id);
    const bool is_over = given != NULL && (is_lost || !are_used_locked(lender, given->first));
    if (is_over) {
        given->is_used = false;
        if (!is_lost) {
            pages_give_locked(lender, given->first);
        }
    }
    spin_unlock(&lender->lock);
    return is_over;
}

// ---- the port's methods, as the kernel's callers see them

static uint32_t pages_of(const struct block_transfer *transfer) {
    return (uint32_t)(ALIGN_UP((uint64_t)transfer->bytes, PAGE_SIZE) >> PAGE_SHIFT);
}

// What one call takes to the module.
struct offer {
    struct lender *lender;
    uint32_t access;
    uint32_t count, page_count;
    struct block_transfer transfers[BLOCK_BATCH_MAX];
    void *names[BLOCK_PAGES_MAX]; // in the place of the pages
};

// False: it does not fit.
static bool offer_add(struct offer *offer, const struct block_transfer *transfer,
                      void *const *pages, uint32_t page_count) {
    const uint32_t count = pages_of(transfer);
    if (count == 0 || transfer->page >= page_count || count > page_count - transfer->page ||
        count > BLOCK_PAGES_MAX - offer->page_count || offer->count == BLOCK_BATCH_MAX ||
        !give(offer->lender, transfer->id, pages + transfer->page, count, offer->access,
              offer->names + offer->page_count)) {
        return false;
    }
    offer->transfers[offer->count] = *transfer;
    offer->transfers[offer->count++].page = offer->page_count;
    offer->page_count += count;
    return true;
}

static enum hx_status offer_send(struct offer *offer, uint32_t *out_accepted) {
    struct wire_target *target = offer->lender->target;
    return offer->access == HX_DMA_READ
               ? block_wire_client.write(target, offer->transfers, offer->count,
                                         (const void *const *)offer->names, offer->page_count,
                                         out_accepted)
               : block_wire_client.read(target, offer->transfers, offer->count, offer->names,
                                        offer->page_count, out_accepted);
}

// What it did not accept is not its any more. Who is dead has nothing to say of that.
static enum hx_status offer_settle(const struct offer *offer, enum hx_status status,
                                   uint32_t accepted) {
    for (uint32_t i = accepted; i < offer->count && status != HX_ERR_PEER_DIED; i++) {
        if (!take_back(offer->lender, offer->transfers[i].id, false)) {
            die(offer->lender, "a transfer that it did not accept and went on with");
            status = HX_ERR_PEER_DIED;
        }
    }
    return status;
}

// What a caller wants moved.
struct wanted {
    const struct block_transfer *transfers;
    uint32_t count, page_count;
    void *const *pages;
};

// The first ones, as many as there is room for.
static enum hx_status transfer(struct lender *lender, const struct wanted *wanted, uint32_t access,
                               uint32_t *out_accepted) {
    struct offer offer = { .lender = lender, .access = access };
    uint32_t accepted = 0;
    while (offer.count < wanted->count &&
           offer_add(&offer, &wanted->transfers[offer.count], wanted->pages, wanted->page_count)) {
    }
    *out_accepted = 0;
    if (offer.count == 0) {
        return HX_OK; // an event will make room
    }
    const enum hx_status status = offer_send(&offer, &accepted);
    *out_accepted = status == HX_OK ? MIN_OF(accepted, offer.count) : 0;
    return offer_settle(&offer, status, *out_accepted);
}

static enum hx_status lender_read(void *self, const struct block_transfer *transfers,
                                  uint32_t count, void *const *pages, uint32_t page_count,
                                  uint32_t *out_accepted) {
    const struct wanted wanted = { transfers, count, page_count, pages };
    return transfer(self, &wanted, HX_DMA_WRITE, out_accepted);
}

static enum hx_status lender_write(void *self, const struct block_transfer *transfers,
                                   uint32_t count, const void *const *pages, uint32_t page_count,
                                   uint32_t *out_accepted) {
    const struct wanted wanted = { transfers, count, page_count, (void *const *)pages };
    return transfer(self, &wanted, HX_DMA_READ, out_accepted);
}

static enum hx_status command_end(struct lender *lender, uint64_t id, enum hx_status status) {
    if (status != HX_OK && status != HX_ERR_PEER_DIED && !take_back(lender, id, false)) {
        die(lender, "a command that it refused and carried out");
        return HX_ERR_PEER_DIED;
    }
    return status;
}

static enum hx_status lender_flush(void *self, uint64_t id) {
    struct lender *lender = self;
    return give(lender, id, NULL, 0, 0, NULL)
               ? command_end(lender, id, block_wire_client.flush(lender->target, id))
               : HX_ERR_WOULD_BLOCK;
}

static enum hx_status lender_discard(void *self, uint64_t id, uint64_t sector, uint64_t sectors) {
    struct lender *lender = self;
    return give(lender, id, NULL, 0, 0, NULL)
               ? command_end(lender, id,
                             block_wire_client.discard(lender->target, id, sector, sectors))
               : HX_ERR_WOULD_BLOCK;
}

static enum hx_status lender_identify(void *self, struct block_info *out_info) {
    const struct lender *lender = self;
    return block_wire_client.identify(lender->target, out_info);
}

static enum hx_status lender_reset(void *self) {
    const struct lender *lender = self;
    return block_wire_client.reset(lender->target);
}

// ---- its event

// In a worker's thread. All of it is right, or nobody hears of it.
static void completed(void *context, const struct block_completion *done, uint32_t count) {
    struct lender *lender = context;
    for (uint32_t i = 0; i < count; i++) {
        if (!take_back(lender, done[i].id, done[i].outcome == BLOCK_LOST)) {
            die(lender, "it completed a transfer that it was not given, or that goes on");
            return;
        }
    }
    lender->events->completed(lender->client, done, count);
}

static const struct block_events lender_events = { .completed = completed };

static enum hx_status lender_attach(void *self, const struct block_events *events, void *client) {
    struct lender *lender = self;
    lender->events = events;
    lender->client = client;
    return block_wire_client.attach(lender->target, &lender_events, lender);
}

static const struct block_ops lender_ops = {
    .attach = lender_attach,
    .identify = lender_identify,
    .read = lender_read,
    .write = lender_write,
    .flush = lender_flush,
    .discard = lender_discard,
    .reset = lender_reset,
};

// ---- for slots and devices

const void *lender_operations(void) {
    return &lender_ops;
}

struct lender *lender_create(struct domain *domain, struct wire_target *target) {
    struct lender *lender = heap_alloc_zero(sizeof(*lender), MEMORY_SLEEP);
    if (lender == NULL) {
        return NULL;
    }
    lender->domain = domain;
    lender->target = target;
    lender->free_count = SERVICE_LENT_MAX;
    for (uint32_t i = 0; i < SERVICE_LENT_MAX; i++) {
        lender->pages[i].next = i + 1;
    }
    spinlock_init(&lender->lock, &lender_class);
    return lender;
}

uint32_t lender_name(const struct lender *lender, const void *page) {
    return (uint32_t)((const struct lent *)page - lender->pages);
}

enum hx_status lender_use(struct lender *lender, uint32_t name, uint32_t access, void **out_page) {
    enum hx_status status = HX_ERR_INVALID;
    spin_lock(&lender->lock);
    struct lent *lent = &lender->pages[name];
    if (lent->access != 0) {
        status = (access & ~lent->access) == 0 ? HX_OK : HX_ERR_ACCESS_DENIED;
    }
    if (status == HX_OK) {
        lent->users++;
        *out_page = lent->page;
    }
    spin_unlock(&lender->lock);
    return status;
}

void lender_unuse(struct lender *lender, uint32_t name) {
    spin_lock(&lender->lock);
    lender->pages[name].users--;
    spin_unlock(&lender->lock);
}
