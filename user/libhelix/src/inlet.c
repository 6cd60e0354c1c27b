// SPDX-License-Identifier: MIT OR Apache-2.0
// user/libhelix/src/inlet.c: a receiver of a broadcast.
//
// A slot is given back when the body was read, not before: that is how the sender of a reliable
// receiver knows what may be overwritten.
#include <libhelix/broadcast.h>

#include <string.h>
#include <sys/mman.h>

enum hx_status hx_inlet_open(struct hx_inlet *inlet, handle_t handle) {
    *inlet = (struct hx_inlet){ 0 };
    return hx_end_open(&inlet->end, handle);
}

static void source_forget(struct hx_inlet *inlet, uint32_t source) {
    if (inlet->sources[source].reel != NULL) {
        munmap((void *)(uintptr_t)inlet->sources[source].reel, HX_CAST_MEMORY_BYTES);
    }
    inlet->sources[source].reel = NULL;
    inlet->sources[source].name[0] = '\0';
}

void hx_inlet_close(struct hx_inlet *inlet) {
    for (uint32_t i = 0; i < HX_CAST_SOURCES; i++) {
        source_forget(inlet, i);
    }
    hx_end_close(&inlet->end);
}

static enum hx_status take_name(struct hx_inlet *inlet, const struct hx_cast_name *name) {
    if (name->source >= HX_CAST_SOURCES || !hx_name_is_valid(name->name)) {
        return HX_ERR_CORRUPT;
    }
    source_forget(inlet, name->source);
    memcpy(inlet->sources[name->source].name, name->name, sizeof(name->name));
    return HX_OK;
}

// What a handle that does not come means. HX_OK: take it later. Else the message is taken: one that
// promises a handle and has none would be found again for ever.
static enum hx_status handle_refusal(enum hx_status status) {
    switch (status) {
    case HX_ERR_NO_MEMORY:
    case HX_ERR_LIMIT:
    case HX_ERR_TABLE_FULL:
        return HX_OK;
    case HX_ERR_INVALID:
    case HX_ERR_WOULD_BLOCK:
        return HX_ERR_CORRUPT;
    default:
        return status;
    }
}

static enum hx_status take_memory(struct hx_inlet *inlet, const struct hx_slot *message,
                                  const struct hx_cast_name *name) {
    uint64_t address;
    handle_t memory;
    if (name->source >= HX_CAST_SOURCES || inlet->sources[name->source].reel != NULL) {
        return HX_ERR_CORRUPT;
    }
    enum hx_status status = hx_end_take_handle(&inlet->end, message, &memory);
    if (status != HX_OK) {
        const enum hx_status refusal = handle_refusal(status);
        if (refusal != HX_OK) {
            return refusal;
        }
        inlet->end.in.head--; // not taken: the next handle would be taken for this one
        return status;
    }
    if (hx_memory_map(memory, 0, HX_CAST_MEMORY_BYTES, HX_PROTECTION_READ, &address) == HX_OK) {
        inlet->sources[name->source].reel = (const struct hx_reel *)(uintptr_t)address;
    } // else what lies there is lost
    HX_IGNORE(hx_handle_close(memory)); // what is mapped stays
    return HX_OK;
}

// A message that is not for the caller. HX_OK: it was one.
static enum hx_status take_news(struct hx_inlet *inlet, const struct hx_slot *message) {
    struct hx_cast_name name;
    memcpy(&name, message->data, sizeof(name));
    return message->kind == HX_CAST_NAME ? take_name(inlet, &name)
                                         : take_memory(inlet, message, &name);
}

static enum hx_status take_body(const struct hx_inlet *inlet, const struct hx_slot *message,
                                const struct hx_cast_event *event, void *body, uint32_t capacity) {
    const struct hx_reel *reel = inlet->sources[event->source].reel;
    const uint32_t length = MIN_OF(event->length, capacity);
    if (message->kind == HX_CAST_EVENT) {
        memcpy(body, event->body, MIN_OF(length, HX_CAST_INLINE));
        return event->length <= HX_CAST_INLINE ? HX_OK : HX_ERR_CORRUPT;
    }
    if (event->length > HX_CAST_BODY_MAX) {
        return HX_ERR_CORRUPT;
    }
    return reel == NULL ? HX_ERR_NO_DATA
                        : hx_reel_read(reel, HX_CAST_REEL, event->position, body, length);
}

static enum hx_status take_event(struct hx_inlet *inlet, const struct hx_slot *message, void *body,
                                 uint32_t capacity, struct hx_event *out) {
    struct hx_cast_event event;
    memcpy(&event, message->data, sizeof(event));
    if (message->length != HX_SLOT_BYTES || message->kind < HX_CAST_EVENT ||
        message->kind > HX_CAST_LOST || event.source >= HX_CAST_SOURCES) {
        return HX_ERR_CORRUPT;
    }
    *out = (struct hx_event){ .lost = event.lost - inlet->lost };
    inlet->lost = event.lost;
    if (message->kind == HX_CAST_LOST) {
        return HX_OK;
    }
    if (inlet->sources[event.source].name[0] == '\0') {
        return HX_ERR_CORRUPT;
    }
    enum hx_status status = take_body(inlet, message, &event, body, capacity);
    if (status == HX_ERR_NO_DATA) { // overwritten, or never mapped: one more that is lost
        out->lost++;
        return HX_OK;
    }
    out->name = inlet->sources[event.source].name;
    out->source = event.source;
    out->length = event.length;
    return status;
}

static void give_back(struct hx_inlet *inlet) {
    if (hx_ring_release(&inlet->end.in)) { // what was received counts even if the sender has gone
        HX_IGNORE(hx_channel_notify(inlet->end.handle, HX_STATE_WRITABLE));
    }
}

enum hx_status hx_inlet_next(struct hx_inlet *inlet, void *body, uint32_t capacity,
                             time_ns_t deadline, struct hx_event *out_event) {
    for (;;) {
        struct hx_slot message;
        uint32_t none;
        enum hx_status status = hx_end_receive(&inlet->end, NULL, 0, deadline, &none);
        if (status == HX_OK) {
            status = hx_ring_get(&inlet->end.in, &message);
        }
        if (status != HX_OK) {
            return status;
        }
        const bool is_news = message.kind == HX_CAST_NAME || message.kind == HX_CAST_MEMORY;
        status = is_news ? take_news(inlet, &message)
                         : take_event(inlet, &message, body, capacity, out_event);
        give_back(inlet);
        if (!is_news || status != HX_OK) {
            return status;
        }
    }
}
