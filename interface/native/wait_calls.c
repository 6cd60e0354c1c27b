// SPDX-License-Identifier: MIT OR Apache-2.0
// interface/native/wait_calls.c: waiting for several objects at once.
//
// A wait does not act under its capabilities (there may be too many): a revocation tells the
// object's observers instead, and what a dead capability would show is not told any more.
#include "native.h"

#include <memory/heap.h>
#include <memory/usercopy.h>

// NOLINTBEGIN(misc-redundant-expression): two names of one number
_Static_assert(HX_STATE_READABLE == WAIT_READABLE && HX_STATE_WRITABLE == WAIT_WRITABLE &&
                   HX_STATE_ERROR == WAIT_ERROR && HX_STATE_CLOSED == WAIT_HANGUP,
               "programs see the core's levels");
// NOLINTEND(misc-redundant-expression)

#define STATE_ALL                                                                                  \
    (HX_STATE_READABLE | HX_STATE_WRITABLE | HX_STATE_ERROR | HX_STATE_CLOSED | HX_STATE_USER)

struct waiting {
    uint32_t count;
    struct hx_wait_item *items;
    struct capability **capabilities; // keeps; the first `held`
    uint32_t held;
    struct wait_item *waits;
    struct wait_observer *observers;
};

// One block of memory for all that belongs to a wait.
struct storage {
    struct hx_wait_item items[HX_WAIT_MAX];
    struct capability *capabilities[HX_WAIT_MAX];
    struct wait_item waits[HX_WAIT_MAX];
    struct wait_observer observers[HX_WAIT_MAX];
};

static enum hx_status item_begin(struct waiting *waiting, uint32_t index) {
    const struct hx_wait_item *item = &waiting->items[index];
    struct capability *capability;
    if (item->zero != 0 || (item->mask & ~STATE_ALL) != 0) {
        return HX_ERR_INVALID;
    }
    enum hx_status status = handle_find(process_current(), item->handle, &capability);
    if (status != HX_OK) {
        return status;
    }
    waiting->capabilities[index] = capability;
    waiting->held = index + 1;
    // The rights first: a revocation takes them, and is not a refusal here but something to tell.
    const rights_t rights = capability_rights(capability);
    if ((rights & HX_RIGHT_WAIT) == 0 && capability_is_live(capability)) {
        return HX_ERR_ACCESS_DENIED;
    }
    const struct object_type *type = capability->object->type;
    struct waitable *waitable = type->waitable != NULL ? type->waitable(capability->object) : NULL;
    waiting->waits[index] =
        (struct wait_item){ .object = waitable, .mask = item->mask, .use_sequence = true };
    return waitable != NULL ? HX_OK : HX_ERR_NO_OPERATION; // it never changes
}

// Fills out_state of each. How many are ready.
static uint32_t items_look(struct waiting *waiting) {
    uint32_t ready = 0;
    for (uint32_t i = 0; i < waiting->count; i++) {
        struct hx_wait_item *item = &waiting->items[i];
        item->out_state = waitable_state(waiting->waits[i].object) & item->mask;
        // Asked last: what was seen before a revocation is not told after it.
        if (!capability_is_live(waiting->capabilities[i])) {
            item->out_state = HX_STATE_REVOKED;
        }
        ready += item->out_state != 0;
    }
    return ready;
}

static void sequences_read(struct waiting *waiting) {
    for (uint32_t i = 0; i < waiting->count; i++) {
        waiting->waits[i].sequence = waitable_sequence(waiting->waits[i].object);
    }
}

static enum hx_status wait_run(struct waiting *waiting, time_ns_t deadline, uint32_t *out_ready) {
    for (;;) {
        sequences_read(waiting);
        const uint32_t ready = items_look(waiting);
        if (ready != 0) {
            *out_ready = ready;
            return HX_OK;
        }
        enum hx_status status = wait_for(waiting->waits, waiting->count, deadline,
                                         WAIT_INTERRUPTIBLE, waiting->observers);
        if (status != HX_OK) {
            return status;
        }
    }
}

static enum hx_status wait_with(struct waiting *waiting, struct uaddr items, time_ns_t deadline,
                                uint32_t *out_ready) {
    const size_t bytes = waiting->count * sizeof(*waiting->items);
    enum hx_status status = copy_from_user(waiting->items, items, bytes);
    for (uint32_t i = 0; status == HX_OK && i < waiting->count; i++) {
        status = item_begin(waiting, i);
    }
    if (status == HX_OK) {
        status = wait_run(waiting, deadline, out_ready);
    }
    return status == HX_OK ? copy_to_user(items, waiting->items, bytes) : status;
}

enum hx_status native_wait(struct uaddr items, uint32_t items_count, time_ns_t deadline,
                           uint32_t *out_ready) {
    struct storage *storage = heap_alloc(sizeof(*storage), MEMORY_SLEEP);
    if (storage == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    struct waiting waiting = {
        .count = items_count,
        .items = storage->items,
        .capabilities = storage->capabilities,
        .waits = storage->waits,
        .observers = storage->observers,
    };
    enum hx_status status = wait_with(&waiting, items, deadline, out_ready);
    for (uint32_t i = 0; i < waiting.held; i++) {
        capability_put(waiting.capabilities[i]);
    }
    heap_free(storage);
    return status;
}
