// SPDX-License-Identifier: MIT OR Apache-2.0
// interface/native/event.c: events: a few bits of state that can be waited for.
#include "native.h"

#include <memory/account.h>
#include <memory/heap.h>

#define EVENT_RIGHTS (HX_RIGHT_SIGNAL | HX_RIGHT_WAIT | HX_RIGHT_ADMIN | HX_RIGHT_DELEGATE)

struct event {
    struct object object;
    struct capability root;
    struct waitable waitable;
    struct account *account; // keeps; charged for one object
};

static struct event *event_of(struct object *object) {
    return CONTAINER_OF(object, struct event, object);
}

static void event_destroy(struct object *object) {
    struct event *event = event_of(object);
    account_release(event->account, ACCOUNT_OBJECTS, 1);
    object_put(&event->account->object);
    heap_free(event);
}

static struct waitable *event_waitable(struct object *object) {
    return &event_of(object)->waitable;
}

static const struct object_type event_type = {
    .kind = OBJECT_EVENT,
    .name = "event",
    .destroy = event_destroy,
    .waitable = event_waitable,
};

enum hx_status native_event_create(uint32_t state, handle_t *out_event) {
    struct account *account = process_current()->account;
    enum hx_status status = account_charge(account, ACCOUNT_OBJECTS, 1);
    if (status != HX_OK) {
        return status;
    }
    struct event *event = heap_alloc(sizeof(*event), MEMORY_SLEEP);
    if (event == NULL) {
        account_release(account, ACCOUNT_OBJECTS, 1);
        return HX_ERR_NO_MEMORY;
    }
    object_init(&event->object, &event_type);
    capability_init_root(&event->root, &event->object, EVENT_RIGHTS);
    waitable_init(&event->waitable, state);
    object_get(&account->object);
    event->account = account;
    return native_give(&event->root, out_event);
}

enum hx_status native_event_update(struct capability *event, uint32_t clear, uint32_t set) {
    waitable_update(&event_of(event->object)->waitable, clear, set);
    return HX_OK;
}

enum hx_object native_object(const struct object *object) {
    switch (object->type->kind) {
    case OBJECT_EVENT:
        return HX_OBJECT_EVENT;
    case OBJECT_FILE:
        return HX_OBJECT_FILE;
    case OBJECT_CHANNEL:
        return HX_OBJECT_CHANNEL;
    case OBJECT_MEMORY:
        return HX_OBJECT_MEMORY;
    case OBJECT_TIMER:
        return HX_OBJECT_TIMER;
    case OBJECT_PROCESS:
        return HX_OBJECT_PROCESS;
    case OBJECT_ACCOUNT:
        return HX_OBJECT_ACCOUNT;
    case OBJECT_MODULE:
        return HX_OBJECT_MODULE;
    default:
        return HX_OBJECT_OTHER;
    }
}
