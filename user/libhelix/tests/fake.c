// SPDX-License-Identifier: MIT OR Apache-2.0
// user/libhelix/tests/fake.c: a kernel of one process and one thread, for tests on the host.
//
// Handles are of objects with a count of them; derived ones differ in their rights alone. Memory is
// a file in memory, so that it can be mapped more than once, and to read only.
#define _GNU_SOURCE // memfd_create()
#include "fake.h"

#include <helix/channel.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define HANDLES_MAX 4096u
#define ON_WAY_MAX  16u

struct object {
    enum hx_object kind;
    uint32_t handles;
    int file;            // of the memory, or of the channel's
    uint64_t size;       // of the memory
    struct object *peer; // of an end; NULL: it is closed
    struct hx_channel_view view;
    uint32_t states;
    handle_t on_way[ON_WAY_MAX];
    uint32_t on_way_count;
};

static struct {
    struct object *object;
    rights_t rights;
} handles[HANDLES_MAX];
static uint32_t open_handles, fail_in, failed;
static void (*on_notify)(void);

static void die(const char *what) {
    (void)fprintf(stderr, "fake: %s\n", what);
    abort();
}

void fake_fail_nth(uint32_t nth) {
    fail_in = nth;
}

void fake_on_notify(void (*function)(void)) {
    on_notify = function;
}

uint32_t fake_failures(void) {
    return failed;
}

uint32_t fake_handles(void) {
    return open_handles;
}

static bool fails(void) {
    const bool now = fail_in != 0 && --fail_in == 0;
    failed += now;
    return now;
}

// ---- handles

static handle_t handle_new(struct object *object, rights_t rights) {
    handle_t handle = 1;
    while (handle < HANDLES_MAX && handles[handle].object != NULL) {
        handle++;
    }
    if (handle == HANDLES_MAX) {
        die("too many handles");
    }
    handles[handle].object = object;
    handles[handle].rights = rights;
    object->handles++;
    open_handles++;
    return handle;
}

static struct object *object_of(handle_t handle, enum hx_object kind) {
    struct object *object = handle < HANDLES_MAX ? handles[handle].object : NULL;
    return object != NULL && object->kind == kind ? object : NULL;
}

static void object_end(struct object *object) {
    for (uint32_t i = 0; i < object->on_way_count; i++) {
        HX_IGNORE(hx_handle_close(object->on_way[i])); // nobody receives it
    }
    if (object->peer != NULL) {
        object->peer->peer = NULL;
        object->peer->states |= HX_STATE_CLOSED;
    }
    (void)close(object->file);
    free(object);
}

enum hx_status hx_handle_close(handle_t handle) {
    struct object *object = handle < HANDLES_MAX ? handles[handle].object : NULL;
    if (object == NULL) {
        die("a handle is closed that is not open");
        return HX_ERR_BAD_HANDLE;
    }
    handles[handle].object = NULL;
    open_handles--;
    if (--object->handles == 0) {
        object_end(object);
    }
    return HX_OK;
}

enum hx_status hx_handle_derive(handle_t handle, uint64_t rights, handle_t *out_derived) {
    if (handle >= HANDLES_MAX || handles[handle].object == NULL) {
        return HX_ERR_BAD_HANDLE;
    }
    if (fails()) {
        return HX_ERR_NO_MEMORY;
    }
    *out_derived = handle_new(handles[handle].object, handles[handle].rights & rights);
    return HX_OK;
}

enum hx_status hx_handle_info(handle_t handle, struct hx_handle_info *out_info) {
    if (handle >= HANDLES_MAX || handles[handle].object == NULL) {
        return HX_ERR_BAD_HANDLE;
    }
    *out_info = (struct hx_handle_info){ .object = handles[handle].object->kind,
                                         .live = 1,
                                         .rights = handles[handle].rights };
    return HX_OK;
}

enum hx_status hx_wait(struct hx_wait_item *items, uint32_t count, time_ns_t deadline,
                       uint32_t *out_ready) {
    uint32_t ready = 0;
    for (uint32_t i = 0; i < count; i++) {
        const struct object *object = handles[items[i].handle].object;
        if (object == NULL) {
            return HX_ERR_BAD_HANDLE;
        }
        items[i].out_state = object->states & items[i].mask;
        ready += items[i].out_state != 0;
    }
    if (ready == 0 && deadline == TIME_NEVER) {
        die("a wait that has no end");
    }
    *out_ready = ready;
    return ready != 0 ? HX_OK : HX_ERR_TIMED_OUT;
}

// ---- memory

static struct object *object_new(enum hx_object kind, uint64_t size) {
    struct object *object = calloc(1, sizeof(*object));
    if (object == NULL) {
        die("out of memory");
    }
    object->kind = kind;
    object->size = ALIGN_UP(size, (uint64_t)PAGE_SIZE);
    object->file = memfd_create("fake", 0);
    if (object->file < 0 || ftruncate(object->file, (off_t)object->size) != 0) {
        die("no memory file");
    }
    return object;
}

static uint64_t map(int file, uint64_t size, int protection) {
    void *address = mmap(NULL, size, protection, MAP_SHARED, file, 0);
    if (address == MAP_FAILED) {
        die("mmap");
    }
    return (uint64_t)(uintptr_t)address;
}

enum hx_status hx_memory_create(uint64_t size, handle_t *out_memory) {
    if (fails()) {
        return HX_ERR_NO_MEMORY;
    }
    *out_memory = handle_new(object_new(HX_OBJECT_MEMORY, size), HX_RIGHTS_ALL);
    return HX_OK;
}

enum hx_status hx_memory_map(handle_t memory, uint64_t offset, uint64_t size, uint32_t protection,
                             uint64_t *out_address) {
    const struct object *object = object_of(memory, HX_OBJECT_MEMORY);
    if (object == NULL) {
        return HX_ERR_BAD_HANDLE;
    }
    const rights_t needs = HX_RIGHT_MAP | HX_RIGHT_READ |
                           ((protection & HX_PROTECTION_WRITE) != 0 ? HX_RIGHT_WRITE : (rights_t)0);
    if ((handles[memory].rights & needs) != needs) {
        return HX_ERR_ACCESS_DENIED;
    }
    if (offset != 0 || size > object->size) {
        return HX_ERR_INVALID;
    }
    if (fails()) {
        return HX_ERR_NO_MEMORY;
    }
    *out_address = map(object->file, size,
                       PROT_READ | ((protection & HX_PROTECTION_WRITE) != 0 ? PROT_WRITE : 0));
    return HX_OK;
}

// ---- channels

enum hx_status hx_channel_create(uint32_t slots, handle_t out_ends[2]) {
    struct object *ends[2];
    if (!hx_ring_count_is_valid(slots)) {
        return HX_ERR_INVALID;
    }
    if (fails()) {
        return HX_ERR_NO_MEMORY;
    }
    for (uint32_t i = 0; i < 2; i++) {
        ends[i] = object_new(HX_OBJECT_CHANNEL, hx_channel_bytes(slots));
        ends[i]->view = (struct hx_channel_view){ .slots = slots, .end = i };
    }
    (void)dup2(ends[0]->file, ends[1]->file); // the same memory
    ends[0]->peer = ends[1];
    ends[1]->peer = ends[0];
    for (uint32_t i = 0; i < 2; i++) {
        out_ends[i] = handle_new(ends[i], HX_RIGHTS_ALL);
    }
    return HX_OK;
}

enum hx_status hx_channel_map(handle_t end, struct hx_channel_view *out_view) {
    const struct object *object = object_of(end, HX_OBJECT_CHANNEL);
    if (object == NULL) {
        return HX_ERR_BAD_HANDLE;
    }
    if (fails()) {
        return HX_ERR_NO_MEMORY;
    }
    *out_view = object->view;
    out_view->address =
        map(object->file, hx_channel_bytes(object->view.slots), PROT_READ | PROT_WRITE);
    return HX_OK;
}

enum hx_status hx_channel_notify(handle_t end, uint32_t states) {
    const struct object *object = object_of(end, HX_OBJECT_CHANNEL);
    if (object == NULL) {
        return HX_ERR_BAD_HANDLE;
    }
    if (object->peer == NULL) {
        return HX_ERR_PEER_DIED;
    }
    object->peer->states |= states;
    void (*function)(void) = on_notify;
    on_notify = NULL;
    if (function != NULL) {
        function();
    }
    return object->peer != NULL ? HX_OK : HX_ERR_PEER_DIED;
}

enum hx_status hx_channel_arm(handle_t end, uint32_t states) {
    struct object *object = object_of(end, HX_OBJECT_CHANNEL);
    if (object == NULL) {
        return HX_ERR_BAD_HANDLE;
    }
    object->states &= ~states;
    return HX_OK;
}

enum hx_status hx_channel_send(handle_t end, handle_t sent) {
    const struct object *object = object_of(end, HX_OBJECT_CHANNEL);
    if (object == NULL || handles[sent].object == NULL) {
        return HX_ERR_BAD_HANDLE;
    }
    if (object->peer == NULL) {
        return HX_ERR_PEER_DIED;
    }
    if (object->peer->on_way_count == ON_WAY_MAX) {
        return HX_ERR_WOULD_BLOCK;
    }
    if (fails()) {
        return HX_ERR_NO_MEMORY;
    }
    object->peer->on_way[object->peer->on_way_count++] = sent;
    return HX_OK;
}

enum hx_status hx_channel_receive(handle_t end, handle_t *out_received) {
    struct object *object = object_of(end, HX_OBJECT_CHANNEL);
    if (object == NULL) {
        return HX_ERR_BAD_HANDLE;
    }
    if (object->on_way_count == 0) {
        return HX_ERR_WOULD_BLOCK;
    }
    if (fails()) {
        return HX_ERR_NO_MEMORY;
    }
    *out_received = object->on_way[0];
    memmove(object->on_way, object->on_way + 1, --object->on_way_count * sizeof(handle_t));
    return HX_OK;
}

// The caller has just looked, and there is one thread: what is not there now does not come.
enum hx_status hx_channel_wait(handle_t end, uint32_t state, uint64_t position, uint64_t sleep,
                               time_ns_t deadline) {
    struct object *object = object_of(end, HX_OBJECT_CHANNEL);
    (void)position;
    (void)sleep;
    if (object == NULL) {
        return HX_ERR_BAD_HANDLE;
    }
    object->states &= ~state;
    if (object->peer == NULL) {
        return HX_ERR_PEER_DIED;
    }
    if (deadline == TIME_NEVER) {
        die("a wait for a peer that has no end");
    }
    return HX_ERR_TIMED_OUT;
}

enum hx_status hx_channel_call(handle_t end, uint64_t position, uint64_t sleep,
                               time_ns_t deadline) {
    enum hx_status status = hx_channel_notify(end, HX_STATE_READABLE);
    return status == HX_OK ? hx_channel_wait(end, HX_STATE_READABLE, position, sleep, deadline)
                           : status;
}
