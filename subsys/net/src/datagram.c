// SPDX-License-Identifier: MIT OR Apache-2.0
// datagram.c: sending and receiving whole messages, and the door to both kinds.
//
// Linux's net/unix/af_unix.c is the reference for the order of the checks. Two sockets that are
// each other's peers are limited by what is unread alone; any other receiver takes only a few
// messages, and its senders wait.
#include "private.h"

#include <lib/string.h>

#define MESSAGE_SLACK 32u // of a sender's limit, that a message may not use

// Sending
// -----------------------------------------------------------------------------------------------

// Whom to: the name, or the peer. With a reference.
static enum hx_status find_receiver(struct socket *socket, const struct socket_target *to,
                                    struct socket **out_receiver) {
    if (to != NULL) {
        return names_find(socket->names, socket->kind, to, out_receiver);
    }
    *out_receiver = socket_peer_get(socket);
    return *out_receiver != NULL ? HX_OK : HX_ERR_RESET; // it went between two looks
}

// HX_ERR_WOULD_BLOCK: it is full. HX_ERR_REFUSED: it is closed.
static enum hx_status may_deliver_locked(const struct socket *socket, const struct socket *to) {
    enum hx_status status = datagram_may_send(socket, to);
    if (status != HX_OK) {
        return status;
    }
    if (socket_state(to) == SOCKET_CLOSED) {
        return socket->kind == SOCKET_PACKETS ? HX_ERR_NO_RECEIVER : HX_ERR_REFUSED;
    }
    if ((socket_shuts(to) & SHUT_RECEIVING) != 0) {
        return HX_ERR_NO_RECEIVER;
    }
    const bool is_mutual = atomic_load_explicit(&to->peer, memory_order_relaxed) == socket;
    return to == socket || is_mutual || to->count <= to->backlog ? HX_OK : HX_ERR_WOULD_BLOCK;
}

// Takes the message on HX_OK.
static enum hx_status try_deliver(struct socket *socket, struct socket *to,
                                  struct message *message) {
    spin_lock(&to->lock);
    enum hx_status status = may_deliver_locked(socket, to);
    if (status == HX_OK) {
        list_push_back(&to->queue, &message->link);
        to->count++;
        to->bytes += message->length;
        socket_levels_locked(to, true);
        socket_room_locked(to);
    }
    spin_unlock(&to->lock);
    return status;
}

// One attempt at one receiver. *out_again: look for the receiver again.
static enum hx_status deliver_to(struct socket *socket, struct socket *to,
                                 const struct socket_send *send, struct message *message,
                                 time_ns_t deadline, bool *out_again) {
    message_sign(message, to, send);
    enum hx_status status = try_deliver(socket, to, message);
    *out_again = false;
    if (status == HX_ERR_REFUSED) {
        if (send->to == NULL) {
            datagram_disconnect(socket, to);
        } else {
            *out_again = true; // the name may be another's by now
            return HX_OK;
        }
    } else if (status == HX_ERR_WOULD_BLOCK &&
               !socket_is_nonblocking(socket, send->is_nonblocking)) {
        status = socket_wait(&to->room, WAIT_WRITABLE | WAIT_HANGUP, deadline);
        *out_again = status == HX_OK;
    }
    return status;
}

static enum hx_status deliver(struct socket *socket, const struct socket_send *send,
                              struct message *message, time_ns_t deadline) {
    for (;;) {
        struct socket *to;
        bool again;
        enum hx_status status = find_receiver(socket, send->to, &to);
        if (status != HX_OK) {
            return status;
        }
        status = deliver_to(socket, to, send, message, deadline, &again);
        socket_put(to);
        if (!again) {
            return status;
        }
    }
}

// What can be said before anything is copied.
static enum hx_status check_send(struct socket *socket, const struct socket_send *send) {
    const uint32_t limit = atomic_load_explicit(&socket->options.send_limit, memory_order_relaxed);
    if (send->to == NULL && atomic_load_explicit(&socket->peer, memory_order_acquire) == NULL) {
        return HX_ERR_NOT_CONNECTED;
    }
    if (atomic_load_explicit(&socket->options.wants_who, memory_order_relaxed) &&
        socket->kind == SOCKET_DATAGRAM) {
        enum hx_status status = socket_bind_any(socket);
        if (status != HX_OK) {
            return status;
        }
    }
    return send->bytes->remaining > limit - MESSAGE_SLACK ? HX_ERR_MESSAGE_TOO_LONG : HX_OK;
}

enum hx_status datagram_send(struct socket *socket, struct socket_send *send, size_t *out_moved) {
    const time_ns_t deadline = deadline_of(&socket->options.send_timeout);
    const uint32_t length = (uint32_t)send->bytes->remaining;
    enum hx_status status = check_send(socket, send);
    if (status == HX_OK) {
        status = message_wait_room(socket, socket_is_nonblocking(socket, send->is_nonblocking),
                                   deadline);
    }
    struct message *message;
    if (status == HX_OK) {
        status = message_create(socket, send->bytes, length, &message);
    }
    if (status != HX_OK) {
        return status;
    }
    if (send->rights != NULL) {
        rights_take_off(send->rights);
        message->rights = send->rights;
        send->rights = NULL;
    }
    status = deliver(socket, send, message, deadline);
    if (status != HX_OK) {
        message_free(message);
        return status;
    }
    *out_moved = length;
    return HX_OK;
}

// Receiving
// -----------------------------------------------------------------------------------------------

// The first message, which stays in the queue if only peeked at: then `reader` is held. NULL: there
// is none.
static struct message *message_take(struct socket *socket, bool peeks) {
    spin_lock(&socket->lock);
    struct list *link = list_is_empty(&socket->queue) ? NULL : socket->queue.next;
    struct message *message = link != NULL ? LIST_ENTRY(link, struct message, link) : NULL;
    if (message != NULL && !peeks) {
        list_remove(link);
        socket->count--;
        socket->bytes -= message->length;
        socket_levels_locked(socket, false);
        socket_room_locked(socket);
    }
    spin_unlock(&socket->lock);
    return message;
}

// What a message that was found, or taken out, says.
static enum hx_status tell(const struct message *message, struct socket_receive *receive,
                           size_t *out_moved) {
    const uint32_t length = (uint32_t)MIN_OF((uint64_t)message->length, receive->bytes->remaining);
    enum hx_status status = message_copy(message, 0, length, receive->bytes, out_moved);
    if (status != HX_OK) {
        return status;
    }
    receive->has_who = message->has_who;
    receive->who = message->who;
    receive->length = message->length;
    if ((receive->flags & SOCKET_WITH_NAME) != 0) {
        receive->from = socket_name_get(message->sender);
    }
    return HX_OK;
}

static enum hx_status take(struct socket *socket, struct socket_receive *receive,
                           size_t *out_moved) {
    mutex_lock(&socket->reader);
    struct message *message = message_take(socket, false);
    mutex_unlock(&socket->reader);
    if (message == NULL) {
        return HX_ERR_WOULD_BLOCK;
    }
    enum hx_status status = tell(message, receive, out_moved);
    if (status == HX_OK && message->rights != NULL) {
        rights_land(message->rights);
        receive->rights = message->rights;
        message->rights = NULL;
    }
    message_free(message);
    return status;
}

static enum hx_status peek(struct socket *socket, struct socket_receive *receive,
                           size_t *out_moved) {
    enum hx_status status = HX_ERR_WOULD_BLOCK;
    mutex_lock(&socket->reader);
    struct message *message = message_take(socket, true);
    if (message != NULL) {
        status = tell(message, receive, out_moved);
        if (status == HX_OK && message->rights != NULL) {
            status = rights_copy(message->rights, &receive->rights);
            if (status != HX_OK) {
                socket_name_put(receive->from);
            }
        }
    }
    mutex_unlock(&socket->reader);
    return status;
}

// Nothing is there: the end of packets, or of waiting for datagrams, is an empty message.
static enum hx_status at_end(const struct socket *socket, bool is_nonblocking) {
    return socket->kind == SOCKET_PACKETS || !is_nonblocking ? HX_OK : HX_ERR_WOULD_BLOCK;
}

enum hx_status datagram_receive(struct socket *socket, struct socket_receive *receive,
                                size_t *out_moved) {
    const bool is_nonblocking =
        socket_is_nonblocking(socket, (receive->flags & SOCKET_NONBLOCKING) != 0);
    const time_ns_t deadline = deadline_of(&socket->options.receive_timeout);
    *out_moved = 0;
    if (socket->kind == SOCKET_PACKETS && socket_state(socket) != SOCKET_CONNECTED) {
        return HX_ERR_NOT_CONNECTED;
    }
    for (;;) {
        enum hx_status status = socket_take_error(socket);
        if (status != HX_OK) {
            return status;
        }
        const bool is_end = (socket_shuts(socket) & SHUT_RECEIVING) != 0; // before the look
        status = (receive->flags & SOCKET_PEEK) != 0 ? peek(socket, receive, out_moved)
                                                     : take(socket, receive, out_moved);
        if (status != HX_ERR_WOULD_BLOCK) {
            return status;
        }
        if (is_end) {
            return at_end(socket, is_nonblocking);
        }
        status = socket_await_input(socket, is_nonblocking, deadline);
        if (status != HX_OK) {
            return status;
        }
    }
}

// Both kinds
// -----------------------------------------------------------------------------------------------

enum hx_status socket_send(struct socket *socket, struct socket_send *send, size_t *out_moved) {
    switch (socket->kind) {
    case SOCKET_STREAM:
        return stream_send(socket, send, out_moved);
    case SOCKET_PACKETS: {
        enum hx_status status = socket_take_error(socket);
        if (status == HX_OK && socket_state(socket) != SOCKET_CONNECTED) {
            status = HX_ERR_NOT_CONNECTED;
        }
        send->to = NULL; // as Linux: it is of no interest
        return status == HX_OK ? datagram_send(socket, send, out_moved) : status;
    }
    default:
        return datagram_send(socket, send, out_moved);
    }
}

enum hx_status socket_receive(struct socket *socket, struct socket_receive *receive,
                              size_t *out_moved) {
    receive->from = NULL;
    receive->rights = NULL;
    receive->has_who = false;
    receive->length = 0;
    return socket->kind == SOCKET_STREAM ? stream_receive(socket, receive, out_moved)
                                         : datagram_receive(socket, receive, out_moved);
}
