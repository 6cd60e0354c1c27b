// SPDX-License-Identifier: MIT OR Apache-2.0
// stream.c: sending and receiving on streams.
//
// What is sent becomes one message or several; what is read takes from the first ones, under
// `reader`, so that readers do not mix. A message's capabilities come with its first byte, and no
// later message is read together with them. Linux's net/unix/af_unix.c is the reference for the
// order of the checks.
#include "private.h"

#include <lib/string.h>

#define STREAM_MESSAGE_BYTES 32768u

// Sending
// -----------------------------------------------------------------------------------------------

static enum hx_status deliver(struct message *message, struct socket *peer,
                              struct socket_send *send) {
    message_sign(message, peer, send);
    if (send->rights != NULL) {
        rights_take_off(send->rights);
        message->rights = send->rights;
        send->rights = NULL;
    }
    spin_lock(&peer->lock);
    const bool is_open = (socket_shuts(peer) & SHUT_RECEIVING) == 0;
    if (is_open) {
        list_push_back(&peer->queue, &message->link);
        peer->count++;
        peer->bytes += message->length;
        socket_levels_locked(peer, true);
    }
    spin_unlock(&peer->lock);
    if (!is_open) {
        message_free(message);
        return HX_ERR_BROKEN_PIPE;
    }
    return HX_OK;
}

static enum hx_status send_one(struct socket *socket, struct socket *peer, struct socket_send *send,
                               time_ns_t deadline, size_t *moved) {
    const uint32_t limit =
        atomic_load_explicit(&socket->options.send_limit, memory_order_relaxed) / 2 - 64;
    const uint32_t most = MIN_OF(STREAM_MESSAGE_BYTES, limit);
    const uint32_t length = (uint32_t)MIN_OF(send->bytes->remaining, (uint64_t)most);
    enum hx_status status =
        message_wait_room(socket, socket_is_nonblocking(socket, send->is_nonblocking), deadline);
    struct message *message;
    if (status == HX_OK) {
        status = message_create(socket, send->bytes, length, &message);
    }
    if (status == HX_OK) {
        status = deliver(message, peer, send);
    }
    if (status == HX_OK) {
        *moved += length;
    }
    return status == HX_ERR_NO_RECEIVER ? HX_ERR_BROKEN_PIPE : status;
}

enum hx_status stream_send(struct socket *socket, struct socket_send *send, size_t *out_moved) {
    // It stays as long as the file.
    struct socket *peer = atomic_load_explicit(&socket->peer, memory_order_acquire);
    if (send->to != NULL) {
        return peer != NULL ? HX_ERR_IS_CONNECTED : HX_ERR_NO_OPERATION;
    }
    if (peer == NULL) {
        return HX_ERR_NOT_CONNECTED;
    }
    if ((socket_shuts(socket) & SHUT_SENDING) != 0) {
        return HX_ERR_BROKEN_PIPE;
    }
    const time_ns_t deadline = deadline_of(&socket->options.send_timeout);
    size_t moved = 0;
    enum hx_status status = HX_OK;
    while (send->bytes->remaining != 0 && status == HX_OK) {
        status = send_one(socket, peer, send, deadline, &moved);
    }
    if (moved == 0 && status != HX_OK) {
        return status;
    }
    *out_moved = moved;
    return HX_OK;
}

// Receiving
// -----------------------------------------------------------------------------------------------

struct reading {
    struct socket *socket;
    struct socket_receive *receive;
    struct message *last; // that was peeked at; it stays, as `reader` is held
    size_t moved;
    size_t wanted; // before which it waits
    bool wants_who;
    bool has_first;
};

// The message to read from; NULL: there is none.
static struct message *message_next(const struct reading *reading) {
    struct socket *socket = reading->socket;
    spin_lock(&socket->lock);
    struct list *link = reading->last != NULL ? reading->last->link.next : socket->queue.next;
    struct message *message =
        link != &socket->queue ? LIST_ENTRY(link, struct message, link) : NULL;
    spin_unlock(&socket->lock);
    return message;
}

// Whether bytes of this message may be told together with those before.
static bool goes_with(struct reading *reading, const struct message *message) {
    struct socket_receive *receive = reading->receive;
    if (!reading->has_first) {
        reading->has_first = true;
        receive->has_who = message->has_who;
        receive->who = message->who;
        if ((receive->flags & SOCKET_WITH_NAME) != 0) {
            receive->from = socket_name_get(message->sender);
        }
        return true;
    }
    return !reading->wants_who ||
           (receive->has_who == message->has_who &&
            (!message->has_who || memcmp(&receive->who, &message->who, sizeof(receive->who)) == 0));
}

// Takes `moved` bytes out of the first message. Whether to go on with the next.
static bool consume(struct reading *reading, struct message *message, uint32_t moved) {
    struct socket *socket = reading->socket;
    struct socket_rights *rights = message->rights;
    message->taken += moved;
    const bool is_done = message->taken == message->length;
    spin_lock(&socket->lock);
    message->rights = NULL; // out of the queue first, then landed: see rights.c
    socket->bytes -= moved;
    if (is_done) {
        list_remove(&message->link);
        socket->count--;
        socket_levels_locked(socket, false);
    }
    spin_unlock(&socket->lock);
    if (rights != NULL) {
        rights_land(rights);
        reading->receive->rights = rights;
    }
    if (is_done) {
        message_free(message);
    }
    return is_done && rights == NULL;
}

// The same without taking. HX_ERR_NO_MEMORY.
static enum hx_status peek(struct reading *reading, struct message *message, bool *out_goes_on) {
    reading->last = message;
    *out_goes_on = message->rights == NULL;
    return message->rights == NULL ? HX_OK
                                   : rights_copy(message->rights, &reading->receive->rights);
}

// Reads from one message. *out_goes_on: the next one may follow.
static enum hx_status read_one(struct reading *reading, struct message *message,
                               bool *out_goes_on) {
    struct io_buffer *to = reading->receive->bytes;
    const uint32_t left = message->length - message->taken;
    const uint32_t length = (uint32_t)MIN_OF((uint64_t)left, to->remaining);
    size_t moved;
    *out_goes_on = false;
    enum hx_status status = message_copy(message, message->taken, length, to, &moved);
    if (status != HX_OK && moved == 0) {
        return status;
    }
    const bool is_whole = status == HX_OK;
    if ((reading->receive->flags & SOCKET_PEEK) != 0) {
        status = peek(reading, message, out_goes_on);
    } else {
        *out_goes_on = consume(reading, message, (uint32_t)moved);
        status = HX_OK;
    }
    reading->moved += status == HX_OK ? moved : 0;
    *out_goes_on &= is_whole;
    return status;
}

// Reads what is there. HX_ERR_WOULD_BLOCK: there is nothing more, but more is wanted.
static enum hx_status read_present(struct reading *reading) {
    bool goes_on = true;
    while (goes_on) {
        struct message *message = message_next(reading);
        if (message == NULL) {
            return reading->moved >= reading->wanted || reading->last != NULL ? HX_OK
                                                                              : HX_ERR_WOULD_BLOCK;
        }
        if (!goes_with(reading, message)) {
            return HX_OK;
        }
        enum hx_status status = read_one(reading, message, &goes_on);
        if (status != HX_OK) {
            return status;
        }
        goes_on &= reading->receive->bytes->remaining != 0;
    }
    return HX_OK;
}

// Until a signal, an error, or something is there.
static enum hx_status read_waiting(struct reading *reading, bool is_nonblocking,
                                   time_ns_t deadline) {
    struct socket *socket = reading->socket;
    for (;;) {
        // Looked at first: what was sent before the end came is still read.
        const bool is_end = (socket_shuts(socket) & SHUT_RECEIVING) != 0;
        mutex_lock(&socket->reader);
        enum hx_status status = read_present(reading);
        mutex_unlock(&socket->reader);
        if (status != HX_ERR_WOULD_BLOCK) {
            return status;
        }
        status = socket_take_error(socket);
        if (status != HX_OK || is_end) {
            return status;
        }
        status = socket_await_input(socket, is_nonblocking, deadline);
        if (status != HX_OK) {
            return status;
        }
    }
}

enum hx_status stream_receive(struct socket *socket, struct socket_receive *receive,
                              size_t *out_moved) {
    if (atomic_load_explicit(&socket->peer, memory_order_acquire) == NULL) {
        return HX_ERR_INVALID;
    }
    struct reading reading = {
        .socket = socket,
        .receive = receive,
        .wanted = (receive->flags & SOCKET_WAIT_ALL) != 0 && receive->bytes->remaining != 0
                      ? receive->bytes->remaining
                      : 1,
        .wants_who = atomic_load_explicit(&socket->options.wants_who, memory_order_relaxed),
    };
    const bool is_nonblocking =
        socket_is_nonblocking(socket, (receive->flags & SOCKET_NONBLOCKING) != 0);
    enum hx_status status =
        read_waiting(&reading, is_nonblocking, deadline_of(&socket->options.receive_timeout));
    if (status != HX_OK && reading.moved == 0) {
        socket_name_put(receive->from);
        return status;
    }
    receive->length = reading.moved;
    *out_moved = reading.moved;
    return HX_OK;
}
