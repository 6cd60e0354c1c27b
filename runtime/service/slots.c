// SPDX-License-Identifier: MIT OR Apache-2.0
// runtime/service/slots.c: the ports that a module in ring 3 provides: requests that come in become
// calls of its operations (<lib/wire.h>), its events go to the kernel.
#include "host.h"

#include <lib/port.h>
#include <lib/string.h>

struct slot {
    struct wire_server server;
    uint32_t number;
};

static struct slot *slots[SERVICE_SLOTS_MAX]; // each written once, by a thread that provides
static _Atomic uint32_t slots_taken;
static struct hx_pool pool; // over all areas; this side's own are the pages of events
static _Atomic uint32_t pool_state;

#define POOL_NONE  0u
#define POOL_BEING 1u
#define POOL_READY 2u

// ---- messages

static enum hx_status never_called(void *context, struct wire_parcel *request,
                                   struct wire_parcel *out_reply) {
    (void)context;
    (void)request;
    (void)out_reply;
    return HX_ERR_NOT_SUPPORTED; // a server sends events alone
}

// The kernel has copied the body when the call returns.
static enum hx_status event_send(void *context, struct wire_parcel *event) {
    const struct slot *slot = context;
    const struct wire_message *message = &event->message;
    enum hx_status status =
        (enum hx_status)service_call(SERVICE_EVENT, slot->number, service_address(message), 0);
    if (status == HX_OK && message->inline_bytes == WIRE_PAGED) {
        hx_pool_give(&pool, message->body_page, slot->server.wire.port->event_max);
    }
    return status;
}

// A name for the page, as the kernel knows it by the slot: nothing is there (<helix/env.h>).
static void *page_at(void *context, uint32_t number) {
    const struct slot *slot = context;
    return number < SERVICE_LENT_MAX
               ? service_pointer(
                     SERVICE_ADDRESS_LENT +
                     (((int64_t)slot->number * SERVICE_LENT_MAX + number) << PAGE_SHIFT))
               : NULL;
}

static const struct wire_transport transport = {
    .call = never_called,
    .send = event_send,
    .page_at = page_at,
    .handle_has = service_handle_has,
    .handle_drop = service_handle_drop,
};

// The first area begins where the kernel put the pool.
static void pool_make(uint8_t *base) {
    uint32_t state = POOL_NONE;
    if (atomic_compare_exchange_strong_explicit(&pool_state, &state, POOL_BEING,
                                                memory_order_acquire, memory_order_acquire)) {
        hx_pool_init(&pool, base, SERVICE_POOL_PAGES, SERVICE_POOL_PAGES - SERVICE_EVENT_PAGES,
                     SERVICE_EVENT_PAGES);
        atomic_store_explicit(&pool_state, POOL_READY, memory_order_release);
    }
    while (atomic_load_explicit(&pool_state, memory_order_acquire) != POOL_READY) {
    }
}

void slots_serve(struct service_area *area) {
    // A request is a copy of the kernel's: nobody changes it meanwhile.
    const struct wire_parcel request = { .message = area->message };
    struct wire_parcel reply;
    uint8_t *scratch = (uint8_t *)area + (size_t)SERVICE_PAGE_SCRATCH * PAGE_SIZE;
    struct slot *slot = area->number < SERVICE_SLOTS_MAX ? slots[area->number] : NULL;
    if (slot == NULL) {
        __builtin_trap(); // the kernel calls no slot that was not provided
    }
    wire_serve_in(&slot->server, &request, &reply, scratch);
    area->message = reply.message;
}

// ---- providing

// A module may have been built against another minor version than this program and the kernel.
static enum hx_status ops_bind(struct hx_env *env, const struct wire_port *wire,
                               const void *operations, void *out_bound) {
    const struct hx_module *module = env->module;
    const struct hx_port_minor *minor =
        port_common(wire->versions, module->provides, module->provides_count);
    if (minor == NULL) {
        return HX_ERR_BAD_IMAGE; // the kernel says why
    }
    void *wide = hx_alloc(env, wire->ops_bytes);
    if (wide == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    port_widen(wide, wire->versions, minor, operations);
    enum hx_status status = wire->bind(out_bound, wide, HX_RIGHTS_ALL);
    hx_free(env, wide);
    return status;
}

static enum hx_status slot_make(struct hx_env *env, const struct service_port *port,
                                const void *operations, void *self, struct slot **out_slot) {
    struct slot *slot = hx_alloc(env, sizeof(*slot) + port->wire->ops_bytes);
    if (slot == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    void *bound = slot + 1;
    enum hx_status status = ops_bind(env, port->wire, operations, bound);
    if (status != HX_OK) {
        hx_free(env, slot);
        return status;
    }
    const struct wire wire = { .port = port->wire,
                               .transport = &transport,
                               .context = slot,
                               .pool = &pool,
                               .is_numbered = port->client == NULL };
    wire_server_init(&slot->server, &wire, bound, self, NULL);
    *out_slot = slot;
    return HX_OK;
}

enum hx_status hx_port_provide(struct hx_env *env, const char *port, const char *slot,
                               const void *operations, void *self) {
    const struct service_port *found = service_port_find(port);
    struct slot *made;
    if (found == NULL) {
        hx_log(env, HX_LOG_ERROR, "%s cannot be provided by a module in ring 3", port);
        return HX_ERR_NOT_SUPPORTED;
    }
    pool_make(service_pointer(service_call(SERVICE_POOL, 0, 0, 0)));
    enum hx_status status = slot_make(env, found, operations, self, &made);
    if (status != HX_OK) {
        return status;
    }
    made->number = atomic_fetch_add_explicit(&slots_taken, 1, memory_order_relaxed);
    if (made->number >= SERVICE_SLOTS_MAX) {
        hx_free(env, made);
        return HX_ERR_LIMIT;
    }
    slots[made->number] = made; // calls may come in before the next one returns
    status = (enum hx_status)service_call(SERVICE_PROVIDE, service_address(port),
                                          service_address(slot), made->number);
    if (status != HX_OK) {
        slots[made->number] = NULL; // its number stays used: a module gives up after a refusal
        hx_free(env, made);
    }
    return status;
}
