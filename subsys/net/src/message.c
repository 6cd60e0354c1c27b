// SPDX-License-Identifier: MIT OR Apache-2.0
// message.c: what is sent: bytes, who sent them, capabilities. It counts at its sender until it is
// freed.
//
// A sender is full from a quarter of its limit on, as poll sees it, and may go on to its limit, as
// Linux's senders may. Crossing the quarter changes levels, and whoever crosses it looks at the
// count again under `level_lock`; so the last one to cross is right. A limit that is changed in
// between counts as a crossing. Preemption is off in between, lest a waiting sender spins.
#include "private.h"

#include <core/thread.h>
#include <lib/string.h>

void (*socket_identify)(struct socket_who *out_who);

static bool is_crowded(int64_t unread, uint32_t limit) {
    return unread * 4 > (int64_t)limit;
}

static uint32_t limit_of(const struct socket *socket) {
    return atomic_load_explicit(&socket->options.send_limit, memory_order_seq_cst);
}

// Adds to what is unread, or takes from it.
static void count_unread(struct socket *sender, int64_t bytes) {
    preempt_disable();
    const uint32_t limit = limit_of(sender);
    // seq_cst: either this sees a new limit, or who sets it sees these bytes.
    const int64_t before = atomic_fetch_add_explicit(&sender->unread, bytes, memory_order_seq_cst);
    if (is_crowded(before, limit) != is_crowded(before + bytes, limit) ||
        limit_of(sender) != limit) {
        socket_levels_own(sender);
    }
    preempt_enable();
}

void socket_levels_own(struct socket *socket) {
    spin_lock(&socket->level_lock);
    const int64_t unread = atomic_load_explicit(&socket->unread, memory_order_seq_cst);
    socket_set_full_locked(socket, FULL_OWN, is_crowded(unread, limit_of(socket)));
    spin_unlock(&socket->level_lock);
}

// Storage
// -----------------------------------------------------------------------------------------------

static uint32_t frame_count(uint32_t length) {
    return length <= MESSAGE_INLINE ? 0 : (uint32_t)((length + PAGE_MASK) >> PAGE_SHIFT);
}

static void storage_free(struct message *message, uint32_t frames) {
    struct frame **frame = (struct frame **)message->space;
    for (uint32_t i = 0; i < frames; i++) {
        frame_put(frame[i]);
    }
    heap_free(message);
}

// NULL: no memory.
static struct message *storage_alloc(uint32_t length) {
    const uint32_t frames = frame_count(length);
    const size_t size =
        sizeof(struct message) + (frames == 0 ? (size_t)length : frames * sizeof(struct frame *));
    struct message *message = heap_alloc(size, MEMORY_SLEEP);
    if (message == NULL) {
        return NULL;
    }
    struct frame **frame = (struct frame **)message->space;
    for (uint32_t i = 0; i < frames; i++) {
        frame[i] = frame_alloc(MEMORY_SLEEP, false);
        if (frame[i] == NULL) {
            storage_free(message, i);
            return NULL;
        }
    }
    message->length = length;
    message->charge = (uint32_t)(frames == 0 ? size : size + frames * PAGE_SIZE);
    return message;
}

// The bytes at `offset`, and how many of them lie together.
static uint8_t *bytes_at(const struct message *message, uint32_t offset, uint32_t *out_run) {
    if (message->length <= MESSAGE_INLINE) {
        *out_run = message->length - offset;
        return (uint8_t *)message->space + offset;
    }
    const uint32_t in_page = offset & PAGE_MASK;
    struct frame *const *frame = (struct frame *const *)message->space;
    *out_run = MIN_OF((uint32_t)PAGE_SIZE - in_page, message->length - offset);
    return (uint8_t *)frame_data(frame[offset >> PAGE_SHIFT]) + in_page;
}

static enum hx_status fill(struct message *message, struct io_buffer *from) {
    enum hx_status status = HX_OK;
    for (uint32_t offset = 0; offset < message->length && status == HX_OK;) {
        uint32_t run;
        size_t moved = 0;
        uint8_t *bytes = bytes_at(message, offset, &run);
        status = io_buffer_take(from, bytes, run, &moved);
        offset += (uint32_t)moved;
    }
    return status;
}

enum hx_status message_copy(const struct message *message, uint32_t offset, uint32_t length,
                            struct io_buffer *to, size_t *out_moved) {
    const uint32_t end = offset + length;
    enum hx_status status = HX_OK;
    *out_moved = 0;
    while (offset < end && status == HX_OK) {
        uint32_t run;
        size_t moved = 0;
        const uint8_t *bytes = bytes_at(message, offset, &run);
        status = io_buffer_put(to, bytes, MIN_OF(run, end - offset), &moved);
        offset += (uint32_t)moved;
        *out_moved += moved;
    }
    return status;
}

// Life
// -----------------------------------------------------------------------------------------------

enum hx_status message_create(struct socket *sender, struct io_buffer *from, uint32_t length,
                              struct message **out_message) {
    struct message *message = storage_alloc(length);
    if (message == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    enum hx_status status = fill(message, from);
    if (status == HX_OK && !socket_memory_take(sender->names, message->charge)) {
        status = HX_ERR_NO_MEMORY;
    }
    if (status != HX_OK) {
        storage_free(message, frame_count(length));
        return status;
    }
    message->sender = socket_get(sender);
    message->rights = NULL;
    message->has_who = false;
    message->taken = 0;
    count_unread(sender, message->charge);
    *out_message = message;
    return HX_OK;
}

void message_free(struct message *message) {
    struct socket *sender = message->sender;
    if (message->rights != NULL) {
        rights_land(message->rights);
        socket_rights_put(message->rights);
    }
    count_unread(sender, -(int64_t)message->charge);
    socket_memory_give(sender->names, message->charge);
    storage_free(message, frame_count(message->length));
    socket_put(sender);
}

enum hx_status message_wait_room(struct socket *sender, bool is_nonblocking, time_ns_t deadline) {
    for (;;) {
        enum hx_status status = socket_take_error(sender);
        if (status != HX_OK) {
            return status;
        }
        if ((socket_shuts(sender) & SHUT_SENDING) != 0) {
            return HX_ERR_NO_RECEIVER;
        }
        if (atomic_load_explicit(&sender->unread, memory_order_relaxed) < limit_of(sender)) {
            return HX_OK;
        }
        status = is_nonblocking ? HX_ERR_WOULD_BLOCK
                                : socket_wait(&sender->waitable,
                                              LEVEL_ROOM | WAIT_SELF_SHUT | WAIT_ERROR, deadline);
        if (status != HX_OK) {
            return status;
        }
    }
}

void message_sign(struct message *message, const struct socket *to,
                  const struct socket_send *send) {
    if (send->who != NULL) {
        message->who = *send->who;
        message->has_who = true;
        return;
    }
    // Who will accept it may ask for it later.
    const bool is_early = atomic_load_explicit(&to->file, memory_order_relaxed) == NULL;
    if (is_early || atomic_load_explicit(&to->options.wants_who, memory_order_relaxed) ||
        atomic_load_explicit(&message->sender->options.wants_who, memory_order_relaxed)) {
        socket_identify(&message->who);
        message->has_who = true;
    }
}
