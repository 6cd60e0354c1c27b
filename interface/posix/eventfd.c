// SPDX-License-Identifier: MIT OR Apache-2.0
// eventfd.c: eventfd(2): a counter that reads take and writes add to.
#include "descriptor.h"

#include <memory/heap.h>

#define EFD_SEMAPHORE 1u
#define COUNT_MAX     (UINT64_MAX - 1)

struct eventfd {
    struct spinlock lock;
    uint64_t count; // [lock]
    bool semaphore;
    struct waitable waitable;
};

static const struct lock_class eventfd_class = { .name = "eventfd", .rank = LOCK_RANK_PIPE + 3 };

// The levels that follow from the count; told under the lock, so that they are in order.
static void update_locked(struct eventfd *event) {
    const uint32_t levels =
        (event->count != 0 ? WAIT_READABLE : 0) | (event->count < COUNT_MAX ? WAIT_WRITABLE : 0);
    waitable_update(&event->waitable, WAIT_READABLE | WAIT_WRITABLE, levels);
}

static bool take(struct eventfd *event, uint64_t *out_value) {
    spin_lock(&event->lock);
    const bool some = event->count != 0;
    if (some) {
        *out_value = event->semaphore ? 1 : event->count;
        event->count -= *out_value;
        update_locked(event);
    }
    spin_unlock(&event->lock);
    return some;
}

static bool add(struct eventfd *event, uint64_t value) {
    spin_lock(&event->lock);
    const bool fits = COUNT_MAX - event->count >= value;
    if (fits) {
        event->count += value;
        update_locked(event);
    }
    spin_unlock(&event->lock);
    return fits;
}

static enum hx_status block(struct file *file, struct eventfd *event, uint32_t sequence) {
    if ((file_flags(file) & FILE_NONBLOCK) != 0) {
        return HX_ERR_WOULD_BLOCK;
    }
    return wait_change(&event->waitable, sequence, TIME_NEVER, WAIT_INTERRUPTIBLE);
}

static enum hx_status eventfd_read(struct file *file, struct io_buffer *to, uint64_t offset,
                                   size_t *out_moved) {
    (void)offset;
    struct eventfd *event = file->data;
    uint64_t value;
    if (to->remaining < sizeof(value)) {
        return HX_ERR_INVALID;
    }
    for (;;) {
        const uint32_t sequence = waitable_sequence(&event->waitable);
        if (take(event, &value)) {
            return io_buffer_put(to, &value, sizeof(value), out_moved);
        }
        enum hx_status status = block(file, event, sequence);
        if (status != HX_OK) {
            return status;
        }
    }
}

static enum hx_status eventfd_write(struct file *file, struct io_buffer *from, uint64_t offset,
                                    size_t *out_moved) {
    (void)offset;
    struct eventfd *event = file->data;
    uint64_t value;
    if (from->remaining < sizeof(value)) {
        return HX_ERR_INVALID;
    }
    enum hx_status status = io_buffer_take(from, &value, sizeof(value), out_moved);
    if (status == HX_OK && value == UINT64_MAX) {
        status = HX_ERR_INVALID;
    }
    while (status == HX_OK) {
        const uint32_t sequence = waitable_sequence(&event->waitable);
        if (add(event, value)) {
            return HX_OK;
        }
        status = block(file, event, sequence);
    }
    return status;
}

static struct waitable *eventfd_waitable(struct file *file) {
    struct eventfd *event = file->data;
    return &event->waitable;
}

static void eventfd_release(struct file *file) {
    heap_free(file->data);
}

static const struct file_ops eventfd_ops = {
    .name = "anon_inode:[eventfd]",
    .read = eventfd_read,
    .write = eventfd_write,
    .waitable = eventfd_waitable,
    .release = eventfd_release,
};

static enum hx_status make_eventfd(struct call *call, uint32_t count, uint32_t flags) {
    if ((flags & ~(EFD_SEMAPHORE | O_CLOEXEC | O_NONBLOCK)) != 0) {
        return HX_ERR_INVALID;
    }
    struct eventfd *event = heap_alloc_zero(sizeof(*event), MEMORY_SLEEP);
    if (event == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    spinlock_init(&event->lock, &eventfd_class);
    event->count = count;
    event->semaphore = (flags & EFD_SEMAPHORE) != 0;
    waitable_init(&event->waitable, WAIT_WRITABLE | (count != 0 ? WAIT_READABLE : 0));
    const uint32_t nonblock = (flags & O_NONBLOCK) != 0 ? FILE_NONBLOCK : 0;
    struct file *file = file_create(&eventfd_ops, FILE_READ | FILE_WRITE | nonblock, event);
    if (file == NULL) {
        heap_free(event);
        return HX_ERR_NO_MEMORY;
    }
    return call_add_file(call, file, (flags & O_CLOEXEC) != 0);
}

enum hx_status sys_eventfd2(struct call *call) {
    return make_eventfd(call, call_uint(call, 0), call_uint(call, 1));
}

enum hx_status sys_eventfd(struct call *call) {
    return make_eventfd(call, call_uint(call, 0), 0);
}
