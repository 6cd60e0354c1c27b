// SPDX-License-Identifier: MIT OR Apache-2.0
// user/libhelix/src/port.c: messages of a connection and their handles.
#include "port.h"

#include "guard.h"

#include <string.h>
#include <sys/mman.h>

// ---- memory

enum hx_status port_end_open(struct hx_end *end, handle_t handle) {
    enum hx_status status = hx_end_open(end, handle);
    if (status == HX_OK) {
        status =
            guard_begin((void *)(uintptr_t)end->view.address, hx_channel_bytes(end->view.slots));
        if (status != HX_OK) {
            port_end_unmap(end);
        }
    }
    return status;
}

void port_end_unmap(struct hx_end *end) {
    void *memory = (void *)(uintptr_t)end->view.address;
    guard_end(memory);
    munmap(memory, hx_channel_bytes(end->view.slots));
}

enum hx_status port_pool_map(handle_t memory, uint32_t pages, uint32_t first, uint32_t own,
                             struct hx_pool *out_pool) {
    uint64_t address;
    enum hx_status status = hx_memory_map(memory, 0, pages * PAGE_SIZE,
                                          HX_PROTECTION_READ | HX_PROTECTION_WRITE, &address);
    if (status != HX_OK) {
        return status;
    }
    hx_pool_init(out_pool, (void *)(uintptr_t)address, pages, first, own);
    status = guard_begin(out_pool->base, pages * PAGE_SIZE);
    if (status != HX_OK) {
        port_pool_unmap(out_pool);
    }
    return status;
}

void port_pool_unmap(struct hx_pool *pool) {
    guard_end(pool->base);
    munmap(pool->base, pool->page_count * PAGE_SIZE);
    pool->base = NULL;
}

// ---- messages

// Hands over as many as it can, closes the others; how many went.
static uint32_t send_handles(struct hx_end *end, const struct wire_parcel *parcel,
                             enum hx_status *out_status) {
    uint32_t sent = 0;
    *out_status = HX_OK;
    while (sent < parcel->handle_count && *out_status == HX_OK) {
        *out_status = hx_channel_send(end->handle, parcel->handles[sent]);
        sent += *out_status == HX_OK;
    }
    for (uint32_t i = sent; i < parcel->handle_count; i++) {
        port_handle_drop(NULL, parcel->handles[i]);
    }
    return sent;
}

enum hx_status port_put(struct hx_end *end, enum port_kind kind, const void *data, size_t length,
                        const struct wire_parcel *handles, struct port_sent *out_sent) {
    struct hx_producer *out = &end->out;
    struct hx_slot slot = hx_message((uint16_t)kind, data, length);
    enum hx_status status = HX_OK;
    *out_sent = (struct port_sent){ false, false };
    if (hx_ring_room(out) == 0) {
        port_drop(handles);
        return HX_ERR_CORRUPT;
    }
    slot.flags = (uint8_t)send_handles(end, handles, &status);
    if (status != HX_OK && slot.flags == 0) {
        return status == HX_ERR_WOULD_BLOCK ? HX_ERR_LIMIT : status;
    }
    if (hx_ring_put(out, &slot) != HX_OK) {
        return HX_ERR_CORRUPT;
    }
    out_sent->is_sent = true;
    out_sent->must_tell = hx_ring_publish(out);
    // The sleeper's barrier in channel_call() is for the thread that it wakes alone. This may be
    // another one: then the peer is seen asleep behind a fence of our own, or sees the message.
    atomic_thread_fence(memory_order_seq_cst);
    out_sent->must_tell |=
        hx_ring_must_wake(&out->ring->consumer_sleep, &out->ring->consumer_woken, &out->woken);
    return status == HX_ERR_WOULD_BLOCK ? HX_ERR_LIMIT : status;
}

static enum hx_status receive_handles(struct hx_end *end, uint32_t count,
                                      struct wire_parcel *out_parcel) {
    enum hx_status status = HX_OK;
    for (out_parcel->handle_count = 0; out_parcel->handle_count < count && status == HX_OK;) {
        status = hx_channel_receive(end->handle, &out_parcel->handles[out_parcel->handle_count]);
        out_parcel->handle_count += status == HX_OK;
    }
    if (status != HX_OK) {
        port_drop(out_parcel);
    }
    return status == HX_ERR_WOULD_BLOCK ? HX_ERR_CORRUPT : status; // it said that they are there
}

static size_t length_of(uint16_t kind) {
    return kind == PORT_HELLO     ? sizeof(struct port_hello)
           : kind == PORT_MESSAGE ? sizeof(struct wire_message)
           : kind == PORT_READ    ? sizeof(struct port_read)
                                  : SIZE_MAX;
}

enum hx_status port_take(struct hx_end *end, struct wire_parcel *out_parcel,
                         enum port_kind *out_kind) {
    struct hx_slot slot;
    const enum hx_status status = hx_ring_get(&end->in, &slot);
    if (status != HX_OK || slot.length != length_of(slot.kind) ||
        (slot.flags & ~PORT_HANDLES_MASK) != 0 || slot.flags > WIRE_ARGUMENTS_MAX) {
        return HX_ERR_CORRUPT;
    }
    *out_kind = (enum port_kind)slot.kind;
    memcpy(&out_parcel->message, slot.data, slot.length);
    return receive_handles(end, slot.flags, out_parcel);
}

void port_drop(const struct wire_parcel *parcel) {
    for (uint32_t i = 0; i < parcel->handle_count; i++) {
        port_handle_drop(NULL, parcel->handles[i]);
    }
}

// ---- handles

static rights_t rights_of(handle_t handle, enum hx_status *out_status) {
    struct hx_handle_info info = { 0 };
    *out_status = hx_handle_info(handle, &info);
    if (*out_status == HX_OK && info.live == 0) {
        *out_status = HX_ERR_REVOKED;
    }
    return *out_status == HX_OK ? info.rights : 0;
}

enum hx_status port_handle_copy(void *context, handle_t handle, rights_t rights,
                                handle_t *out_copy) {
    enum hx_status status;
    const rights_t needed = rights | HX_RIGHT_DELEGATE;
    const rights_t has = rights_of(handle, &status);
    (void)context;
    if (status != HX_OK) {
        return status;
    }
    return (has & needed) == needed ? hx_handle_derive(handle, needed, out_copy)
                                    : HX_ERR_ACCESS_DENIED;
}

bool port_handle_has(void *context, handle_t handle, rights_t rights) {
    enum hx_status status;
    (void)context;
    return (rights_of(handle, &status) & rights) == rights;
}

void port_handle_drop(void *context, handle_t handle) {
    (void)context;
    HX_IGNORE(hx_handle_close(handle)); // it may have been revoked
}
