// SPDX-License-Identifier: MIT OR Apache-2.0
// runtime/kernel/slot.c: the ports that a module in ring 3 provides, as the kernel's callers see
// them: an operations table whose methods send (<lib/wire.h>).
//
// A slot has room for so many calls at once; who comes later waits. Half of it is for calls that a
// worker of the same module makes, out of an event's taker: were it not, those who wait for that
// worker could leave it none.
#include "isolated.h"

#include <core/gate.h>
#include <core/port.h>
#include <core/ports/fs_numbered.h>
#include <lib/string.h>
#include <memory/heap.h>

#define CALLS_MAX 8u // of each of the two kinds

struct slot {
    struct domain *domain;
    const struct service_port *port;
    uint32_t number;
    struct wire_client client;
    struct lender *lender; // own: of a port that lends pages; NULL: it does not
    struct hx_pool pool;   // own: bodies, all of the kernel's
    struct spinlock lock;
    uint32_t calls[2];    // [lock] under way: from outside, from its own workers
    struct waitable left; // pulsed when one of them is over
};

static const struct lock_class slot_class = { "calls of a slot", LOCK_RANK_LEAF, false };

// ---- what carries messages

// Whether the calling thread is one of the module's own.
static uint32_t kind_of_caller(const struct slot *slot) {
    const struct process *process = process_current();
    return process != NULL && process == slot->domain->process ? 1 : 0;
}

static bool call_claim(struct slot *slot, uint32_t kind) {
    spin_lock(&slot->lock);
    const bool fits = slot->calls[kind] < CALLS_MAX;
    slot->calls[kind] += fits;
    spin_unlock(&slot->lock);
    return fits;
}

// Bounded: the calls that are under way are.
static enum hx_status call_enter(void *context) {
    struct slot *slot = context;
    const uint32_t kind = kind_of_caller(slot);
    for (;;) {
        const uint32_t sequence = waitable_sequence(&slot->left);
        if (call_claim(slot, kind)) {
            return HX_OK;
        }
        HX_IGNORE(wait_change(&slot->left, sequence, TIME_NEVER, 0)); // without flags
    }
}

static void call_leave(void *context) {
    struct slot *slot = context;
    spin_lock(&slot->lock);
    slot->calls[kind_of_caller(slot)]--;
    spin_unlock(&slot->lock);
    waitable_pulse(&slot->left);
}

static enum hx_status call_send(void *context, struct wire_parcel *request,
                                struct wire_parcel *out_reply) {
    struct slot *slot = context;
    const struct wire_port *port = slot->port->wire;
    const struct wire_message *message = &request->message;
    const uint64_t reply_bytes = ALIGN_UP((uint64_t)port->reply_max, PAGE_SIZE);
    struct work work = {
        .kind = SERVICE_WORK_CALL,
        .number = slot->number,
        .message = *message,
        .body = hx_pool_at(&slot->pool, message->body_page, message->body_bytes),
        .reply = hx_pool_at(&slot->pool, message->reply_page, reply_bytes),
        .reply_bytes = (uint32_t)reply_bytes,
    };
    const enum hx_status status = link_do(slot->domain, &work);
    out_reply->message = work.message;
    out_reply->handle_count = 0;
    return status;
}

// A client sends no events.
static enum hx_status never_sent(void *context, struct wire_parcel *event) {
    (void)context;
    (void)event;
    return HX_ERR_NOT_SUPPORTED;
}

// The caller is the lender, who has given it a name. Nobody else's pages are lent to ring 3: a file
// system there has FS_NO_PAGER, or no contents.
static enum hx_status page_share(void *context, void *page, enum wire_direction direction,
                                 uint32_t *out_number) {
    const struct slot *slot = context;
    (void)direction;
    if (slot->lender == NULL) {
        return HX_ERR_NOT_SUPPORTED;
    }
    *out_number = lender_name(slot->lender, page);
    return HX_OK;
}

// It stays lent, until the transfer is over.
static void page_unshare(void *context, void *page, enum wire_direction direction,
                         uint32_t number) {
    (void)context;
    (void)page;
    (void)direction;
    (void)number;
}

static const struct wire_transport transport = {
    .enter = call_enter,
    .leave = call_leave,
    .call = call_send,
    .send = never_sent,
    .page_share = page_share,
    .page_unshare = page_unshare,
    .handle_has = service_handle_has,
    .handle_drop = service_handle_drop,
    .takes_most = true, // link.c lets a reply be as long as the port's longest, in whole pages
};

// ---- instances

// An instance is the number that the module gave, in the kernel and in ring 3; whose it is says the
// slot that the caller is in.
static enum hx_status call_numbered(void *instance, uint32_t method,
                                    struct wire_argument *arguments) {
    const struct wire_target *provider = gate_current()->self;
    return wire_call_numbered(provider->client, (uintptr_t)instance, method, arguments);
}

// ---- providing

static size_t pages_of(size_t bytes) {
    return ALIGN_UP(bytes, (size_t)PAGE_SIZE) >> PAGE_SHIFT;
}

_Static_assert(SERVICE_PAGE_SCRATCH - SERVICE_PAGE_REPLY == 8 &&
                   SERVICE_AREA_PAGES - SERVICE_PAGE_SCRATCH == 16,
               "what a port may need is checked against these");

// Whether its bodies fit into an area.
static bool port_fits(const struct wire_port *wire) {
    return pages_of(wire->request_max) <= SERVICE_PAGE_REPLY - SERVICE_PAGE_REQUEST &&
           pages_of(wire->reply_max) <= SERVICE_PAGE_SCRATCH - SERVICE_PAGE_REPLY &&
           pages_of(wire->event_max) <= SERVICE_PAGE_REPLY;
}

// Pages for one call: its request and its reply; a run of the pool, none of which crosses a word.
static size_t call_pages(const struct wire_port *wire) {
    size_t pages = 1;
    while (pages < pages_of(wire->request_max) + pages_of(wire->reply_max)) {
        pages *= 2;
    }
    return pages;
}

static struct slot *slot_make(struct domain *domain, const struct service_port *port,
                              uint32_t number) {
    struct slot *slot = heap_alloc_zero(sizeof(*slot), MEMORY_SLEEP);
    if (slot == NULL) {
        return NULL;
    }
    const size_t pages = (size_t)2 * CALLS_MAX * call_pages(port->wire);
    void *base = heap_alloc(pages * PAGE_SIZE, MEMORY_SLEEP);
    if (base == NULL) {
        heap_free(slot);
        return NULL;
    }
    slot->domain = domain;
    slot->port = port;
    slot->number = number;
    spinlock_init(&slot->lock, &slot_class);
    waitable_init(&slot->left, 0);
    hx_pool_init(&slot->pool, base, (uint32_t)pages, 0, (uint32_t)pages);
    const struct wire wire = { .port = port->wire,
                               .transport = &transport,
                               .context = slot,
                               .pool = &slot->pool,
                               .is_numbered = port->client == NULL };
    wire_client_init(&slot->client, &wire, NULL); // each worker brings scratch memory
    return slot;
}

static void slot_free(struct slot *slot) {
    heap_free(slot->lender);
    heap_free(slot->pool.base);
    heap_free(slot);
}

// Who provides it to the kernel: whose methods send, or who stands in front of them.
static enum hx_status slot_install(struct slot *slot, const char *name) {
    struct hx_env *env = slot->domain->env;
    const char *port = slot->port->name;
    const void *client = slot->port->client != NULL ? slot->port->client : &fs_numbered;
    const struct hx_port_versions *versions;
    const struct hx_port_minor *minor;
    enum hx_status status = env_port_agree(env, port, &versions, &minor);
    if (status != HX_OK) {
        return status;
    }
    // The tables here are the kernel's own; what an older module lacks is absent in its process.
    return slot->lender != NULL
               ? env_port_provide(env, port, name, lender_operations(), slot->lender)
               : env_port_provide(env, port, name, client, &slot->client.targets[0]);
}

enum hx_status slot_provide(struct domain *domain, const char *port, const char *name,
                            uint32_t number) {
    const struct service_port *found = service_port_find(port);
    struct slot *none = NULL;
    if (found == NULL || !port_fits(found->wire)) {
        return HX_ERR_NOT_SUPPORTED;
    }
    struct slot *slot = number < SERVICE_SLOTS_MAX ? slot_make(domain, found, number) : NULL;
    if (slot == NULL) {
        return number < SERVICE_SLOTS_MAX ? HX_ERR_NO_MEMORY : HX_ERR_INVALID;
    }
    if (strcmp(found->name, "helix.block") == 0) {
        slot->lender = lender_create(domain, &slot->client.targets[0]);
        if (slot->lender == NULL) {
            slot_free(slot);
            return HX_ERR_NO_MEMORY;
        }
    }
    // Release: an event that comes while it is provided finds all of it.
    if (!atomic_compare_exchange_strong_explicit(&domain->slots[number], &none, slot,
                                                 memory_order_release, memory_order_relaxed)) {
        slot_free(slot);
        return HX_ERR_INVALID;
    }
    return slot_install(slot, name);
}

// ---- events

static struct slot *slot_at(const struct domain *domain, uint32_t number) {
    return number < SERVICE_SLOTS_MAX
               ? atomic_load_explicit(&domain->slots[number], memory_order_acquire)
               : NULL;
}

uint32_t slot_event_bytes(const struct domain *domain, uint32_t number) {
    const struct slot *slot = slot_at(domain, number);
    return slot != NULL ? slot->port->wire->event_max : 0;
}

enum hx_status slot_event(struct worker *worker, uint32_t number, struct wire_message *message) {
    struct slot *slot = slot_at(worker->domain, number);
    struct hx_pool pool;
    if (slot == NULL) {
        return HX_ERR_INVALID;
    }
    hx_pool_init(&pool, worker->event, SERVICE_PAGE_REPLY, 0, 0);
    message->body_page = 0;
    const struct wire_parcel event = { .message = *message };
    return wire_receive_in(&slot->client, &event, &pool,
                           worker->event + (size_t)SERVICE_PAGE_REPLY * PAGE_SIZE);
}

struct lender *slot_lender(const struct domain *domain, uint32_t number) {
    const struct slot *slot = slot_at(domain, number);
    return slot != NULL ? slot->lender : NULL;
}

void slots_free(struct domain *domain) {
    for (uint32_t i = 0; i < SERVICE_SLOTS_MAX; i++) {
        struct slot *slot = slot_at(domain, i);
        if (slot != NULL) {
            slot_free(slot);
        }
    }
}
