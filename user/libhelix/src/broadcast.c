// SPDX-License-Identifier: MIT OR Apache-2.0
// user/libhelix/src/broadcast.c: the sender of a broadcast.
//
// A message is sent in two steps. First all that can be refused: memory, and the room of those who
// are reliable, who learn what they must know of the source. Then the message goes to each, and
// nothing is refused any more: who has no room loses it.
#include <libhelix/broadcast.h>

#include <string.h>
#include <sys/mman.h>

void hx_cast_add(struct hx_cast *cast, uint32_t place, struct hx_end *end,
                 struct hx_cast_mark *marks) {
    cast->outlets[place] = (struct hx_outlet){ .end = end, .marks = marks };
}

void hx_cast_remove(struct hx_cast *cast, uint32_t place) {
    cast->outlets[place] = (struct hx_outlet){ 0 };
}

// ---- sources

void hx_source_open(struct hx_source *source, uint32_t number, const char *name) {
    *source = (struct hx_source){ .number = number };
    memcpy(source->name, name, strnlen(name, HX_NAME_MAX));
}

void hx_source_close(struct hx_source *source) {
    if (source->memory != 0) {
        munmap(source->reel.reel, HX_CAST_MEMORY_BYTES);
        HX_IGNORE(hx_handle_close(source->memory)); // it is this side's own
    }
    *source = (struct hx_source){ 0 };
}

static enum hx_status need_reel(struct hx_source *source) {
    uint64_t address;
    handle_t memory;
    if (source->memory != 0) {
        return HX_OK;
    }
    enum hx_status status = hx_memory_create(HX_CAST_MEMORY_BYTES, &memory);
    if (status != HX_OK) {
        return status;
    }
    status = hx_memory_map(memory, 0, HX_CAST_MEMORY_BYTES,
                           HX_PROTECTION_READ | HX_PROTECTION_WRITE, &address);
    if (status != HX_OK) {
        HX_IGNORE(hx_handle_close(memory)); // just made
        return status;
    }
    source->memory = memory;
    source->reel = hx_reel_writer_make((struct hx_reel *)(uintptr_t)address, HX_CAST_REEL);
    return HX_OK;
}

// ---- one receiver

static void put(struct hx_outlet *outlet, uint16_t kind, uint8_t flags, const void *data) {
    struct hx_producer *out = &outlet->end->out;
    struct hx_slot message = hx_message(kind, data, HX_SLOT_BYTES);
    message.flags = flags;
    if (outlet->marks != NULL) {
        outlet->marks[out->tail & out->mask] =
            (struct hx_cast_mark){ 0 }; // of who was there before
    }
    HX_IGNORE(hx_ring_put(out, &message)); // there is room
}

// Whoever has gone is noticed by who waits for all.
static void show(struct hx_outlet *outlet) {
    if (hx_ring_publish(&outlet->end->out)) {
        HX_IGNORE(hx_channel_notify(outlet->end->handle, HX_STATE_READABLE));
    }
}

static enum hx_status hand_over(struct hx_outlet *outlet, const struct hx_source *source) {
    handle_t copy;
    enum hx_status status =
        hx_handle_derive(source->memory, HX_RIGHT_READ | HX_RIGHT_MAP | HX_RIGHT_DELEGATE, &copy);
    if (status == HX_OK) {
        status = hx_channel_send(outlet->end->handle, copy);
        if (status != HX_OK) {
            HX_IGNORE(hx_handle_close(copy)); // just made
        }
    }
    return status;
}

// What the receiver must know before a message from this source; afterwards there is room for it.
// What found room goes, so WOULD_BLOCK means that only the receiver can change that.
static enum hx_status introduce(struct hx_outlet *outlet, struct hx_source *source, uint64_t bit,
                                bool is_large) {
    struct hx_producer *out = &outlet->end->out;
    struct hx_cast_name name = { .source = source->number };
    memcpy(name.name, source->name, sizeof(name.name));
    if ((source->named & bit) == 0 && hx_ring_room(out) != 0) {
        put(outlet, HX_CAST_NAME, 0, &name);
        source->named |= bit;
    }
    if (is_large && (source->shown & bit) == 0 && hx_ring_room(out) != 0) {
        enum hx_status status = hand_over(outlet, source);
        if (status != HX_OK) {
            return status;
        }
        put(outlet, HX_CAST_MEMORY, HX_MESSAGE_HANDLE, &name);
        source->shown |= bit;
    }
    return hx_ring_room(out) != 0 ? HX_OK : HX_ERR_WOULD_BLOCK;
}

// Whether a body that is still unread there would be overwritten by one of `length`.
static bool is_held(struct hx_outlet *outlet, const struct hx_source *source, uint32_t length) {
    const struct hx_producer *out = &outlet->end->out;
    const uint64_t whole = hx_reel_whole_after(&source->reel, length);
    hx_ring_look_for_room(&outlet->end->out);
    for (uint64_t at = out->limit - out->mask - 1; at != out->tail; at++) {
        const struct hx_cast_mark *mark = &outlet->marks[at & out->mask];
        if (mark->is_large && mark->source == source->number && mark->position < whole) {
            return true;
        }
    }
    return false;
}

static enum hx_status may_send(struct hx_outlet *outlet, struct hx_source *source, uint64_t bit,
                               uint32_t length) {
    const bool is_large = length > HX_CAST_INLINE;
    enum hx_status status = introduce(outlet, source, bit, is_large);
    if (status == HX_ERR_PEER_DIED || outlet->end->out.broken) {
        return HX_OK; // no receiver any more
    }
    return status == HX_OK && is_large && is_held(outlet, source, length) ? HX_ERR_WOULD_BLOCK
                                                                          : status;
}

// Whether it went.
static bool deliver(struct hx_outlet *outlet, struct hx_source *source, uint64_t bit,
                    struct hx_cast_event *event) {
    const bool is_large = event->length > HX_CAST_INLINE;
    const struct hx_producer *out = &outlet->end->out;
    if (introduce(outlet, source, bit, is_large) != HX_OK) {
        outlet->lost++;
        show(outlet); // what it must know may have found room
        return false;
    }
    const uint64_t at = out->tail;
    event->lost = outlet->told = outlet->lost;
    put(outlet, is_large ? HX_CAST_LARGE : HX_CAST_EVENT, 0, event);
    if (outlet->marks != NULL && is_large) {
        outlet->marks[at & out->mask] =
            (struct hx_cast_mark){ source->number, true, event->position };
    }
    show(outlet);
    return true;
}

void hx_cast_tell(struct hx_outlet *outlet) {
    if (hx_cast_owes(outlet) && hx_ring_room(&outlet->end->out) != 0) {
        const struct hx_cast_event event = { .lost = outlet->lost };
        outlet->told = outlet->lost;
        put(outlet, HX_CAST_LOST, 0, &event);
        show(outlet);
    }
}

// ---- all of them

static enum hx_status may_send_all(struct hx_cast *cast, struct hx_source *source,
                                   uint64_t receivers, uint32_t length) {
    enum hx_status status = length > HX_CAST_INLINE && receivers != 0 ? need_reel(source) : HX_OK;
    for (uint32_t i = 0; status == HX_OK && i < HX_CAST_RECEIVERS; i++) {
        struct hx_outlet *outlet = &cast->outlets[i];
        if ((receivers >> i & 1) != 0 && outlet->end != NULL && outlet->marks != NULL) {
            status = may_send(outlet, source, UINT64_C(1) << i, length);
            show(outlet); // what it must know goes, whatever becomes of the message
        }
    }
    return status;
}

enum hx_status hx_cast_send(struct hx_cast *cast, struct hx_source *source, uint64_t receivers,
                            const void *body, uint32_t length, uint32_t *out_received) {
    struct hx_cast_event event = { .source = source->number, .length = length };
    uint32_t received = 0;
    if (length > HX_CAST_BODY_MAX) {
        return HX_ERR_INVALID;
    }
    enum hx_status status = may_send_all(cast, source, receivers, length);
    if (status != HX_OK) {
        return status;
    }
    if (length <= HX_CAST_INLINE) {
        memcpy(event.body, body, length);
    } else if (receivers != 0) {
        event.position = hx_reel_write(&source->reel, body, length);
    }
    for (uint32_t i = 0; i < HX_CAST_RECEIVERS; i++) {
        if ((receivers >> i & 1) != 0 && cast->outlets[i].end != NULL) {
            received += deliver(&cast->outlets[i], source, UINT64_C(1) << i, &event);
        }
    }
    *out_received = received;
    return HX_OK;
}
