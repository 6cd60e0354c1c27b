// SPDX-License-Identifier: MIT OR Apache-2.0
// connect.c: listening, connecting, accepting; who talks to whom.
//
// A connection is there as soon as its socket waits at the listener: the connected side may write
// before it is accepted. Datagrams' peers are one-sided; a receiver knows those whose peer it is
// (`senders`), to tell them whether it takes more. `reader` of a socket of datagrams makes its
// changes of peer come one after the other.
#include "private.h"

// Listening
// -----------------------------------------------------------------------------------------------

enum hx_status socket_listen(struct socket *socket, uint32_t backlog,
                             const struct socket_who *who) {
    if (socket->kind == SOCKET_DATAGRAM) {
        return HX_ERR_NO_OPERATION;
    }
    if (atomic_load_explicit(&socket->name, memory_order_relaxed) == NULL) {
        return HX_ERR_INVALID;
    }
    enum hx_status status = HX_ERR_INVALID;
    spin_lock(&socket->lock);
    const uint32_t state = socket_state(socket);
    if (state == SOCKET_FRESH || state == SOCKET_LISTENING) {
        atomic_store_explicit(&socket->state, SOCKET_LISTENING, memory_order_release);
        socket->backlog = MIN_OF(backlog, SOCKET_BACKLOG_MAX);
        socket->who = *who;
        socket->peer_who = *who; // what Linux tells of a listener's peer
        socket->has_peer_who = true;
        socket_set_full(socket, FULL_EVER, true);
        socket_levels_locked(socket, false);
        socket_room_locked(socket);
        status = HX_OK;
    }
    spin_unlock(&socket->lock);
    return status;
}

// Streams and packets
// -----------------------------------------------------------------------------------------------

HX_ATTR(no_thread_safety_analysis) static void lock_two(struct socket *a, struct socket *b) {
    spin_lock(a < b ? &a->lock : &b->lock);
    spin_lock(a < b ? &b->lock : &a->lock);
}

HX_ATTR(no_thread_safety_analysis) static void unlock_two(struct socket *a, struct socket *b) {
    spin_unlock(&a->lock);
    spin_unlock(&b->lock);
}

// Joins `socket` to `fresh`, which then waits at the listener. Both are locked but `fresh`, which
// nobody has seen.
static void join_locked(struct socket *socket, struct socket *listener, struct socket *fresh,
                        const struct socket_who *who) {
    fresh->peer_who = *who;
    fresh->has_peer_who = true;
    atomic_store_explicit(&fresh->peer, socket_get(socket), memory_order_relaxed);
    atomic_store_explicit(&fresh->state, SOCKET_CONNECTED, memory_order_relaxed);
    waitable_update(&fresh->waitable, WAIT_HANGUP, 0);
    struct socket_name *name = atomic_load_explicit(&listener->name, memory_order_relaxed);
    object_get(&name->object);
    atomic_store_explicit(&fresh->name, name, memory_order_release);
    socket->peer_who = listener->who;
    socket->has_peer_who = true;
    atomic_store_explicit(&socket->peer, socket_get(fresh), memory_order_release);
    atomic_store_explicit(&socket->state, SOCKET_CONNECTED, memory_order_release);
    socket_levels_locked(socket, false);
    list_push_back(&listener->pending, &fresh->pending_link);
    listener->count++;
    socket_levels_locked(listener, true);
    socket_room_locked(listener);
}

// HX_ERR_WOULD_BLOCK: the backlog is full.
static enum hx_status may_join_locked(const struct socket *socket, const struct socket *listener) {
    if (socket_state(listener) != SOCKET_LISTENING ||
        (socket_shuts(listener) & SHUT_RECEIVING) != 0) {
        return HX_ERR_REFUSED;
    }
    if (listener->count > listener->backlog) {
        return HX_ERR_WOULD_BLOCK;
    }
    switch (socket_state(socket)) {
    case SOCKET_FRESH:
        return HX_OK;
    case SOCKET_CONNECTED:
        return HX_ERR_IS_CONNECTED;
    default:
        return HX_ERR_INVALID;
    }
}

static enum hx_status try_join(struct socket *socket, struct socket *listener, struct socket *fresh,
                               const struct socket_who *who) {
    if (listener == socket) {
        return socket_is_listening(socket) ? HX_ERR_INVALID : HX_ERR_REFUSED;
    }
    lock_two(socket, listener);
    enum hx_status status = may_join_locked(socket, listener);
    if (status == HX_OK) {
        join_locked(socket, listener, fresh, who);
    }
    unlock_two(socket, listener);
    return status;
}

static enum hx_status connect_to(struct socket *socket, const struct socket_target *to,
                                 struct socket *fresh, const struct socket_who *who,
                                 bool is_nonblocking) {
    const time_ns_t deadline = deadline_of(&socket->options.send_timeout);
    for (;;) {
        struct socket *listener;
        enum hx_status status = names_find(socket->names, socket->kind, to, &listener);
        if (status != HX_OK) {
            return status;
        }
        status = try_join(socket, listener, fresh, who);
        const bool waits = status == HX_ERR_WOULD_BLOCK && !is_nonblocking;
        if (waits) {
            status = socket_wait(&listener->room, WAIT_WRITABLE | WAIT_HANGUP, deadline);
        }
        socket_put(listener);
        if (!waits || status != HX_OK) {
            return status;
        }
    }
}

static enum hx_status connect_stream(struct socket *socket, const struct socket_target *to,
                                     const struct socket_who *who, bool is_nonblocking) {
    struct socket *fresh = socket_alloc(socket->names, socket->kind);
    if (fresh == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    enum hx_status status =
        connect_to(socket, to, fresh, who, socket_is_nonblocking(socket, is_nonblocking));
    if (status != HX_OK) {
        socket_close(fresh, false);
    }
    return status;
}

// Accepting
// -----------------------------------------------------------------------------------------------

// The oldest connection; NULL: there is none.
static struct socket *pending_take(struct socket *listener) {
    spin_lock(&listener->lock);
    struct list *link = list_pop_front(&listener->pending);
    if (link != NULL) {
        listener->count--;
        socket_levels_locked(listener, false);
        socket_room_locked(listener);
    }
    spin_unlock(&listener->lock);
    return link != NULL ? LIST_ENTRY(link, struct socket, pending_link) : NULL;
}

static void pending_put_back(struct socket *listener, struct socket *fresh) {
    spin_lock(&listener->lock);
    list_push_front(&listener->pending, &fresh->pending_link);
    listener->count++;
    socket_levels_locked(listener, true);
    socket_room_locked(listener);
    spin_unlock(&listener->lock);
}

static enum hx_status wait_pending(struct socket *socket, bool is_nonblocking,
                                   struct socket **out_fresh) {
    const time_ns_t deadline = deadline_of(&socket->options.receive_timeout);
    for (;;) {
        enum hx_status status = socket_take_error(socket);
        if (status != HX_OK) {
            return status;
        }
        *out_fresh = pending_take(socket);
        if (*out_fresh != NULL) {
            return HX_OK;
        }
        if ((socket_shuts(socket) & SHUT_RECEIVING) != 0) {
            return is_nonblocking ? HX_ERR_WOULD_BLOCK : HX_ERR_INVALID; // Linux's errors
        }
        status = socket_await_input(socket, is_nonblocking, deadline);
        if (status != HX_OK) {
            return status;
        }
    }
}

enum hx_status socket_accept(struct socket *socket, bool is_nonblocking, uint32_t flags,
                             struct file **out_file) {
    if (socket->kind == SOCKET_DATAGRAM) {
        return HX_ERR_NO_OPERATION;
    }
    if (!socket_is_listening(socket)) {
        return HX_ERR_INVALID;
    }
    struct file *file = socket_file_create(flags, NULL);
    if (file == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    struct socket *fresh;
    enum hx_status status =
        wait_pending(socket, socket_is_nonblocking(socket, is_nonblocking), &fresh);
    if (status != HX_OK) {
        file_put(file);
        return status;
    }
    file->data = fresh;
    socket_set_file(fresh, file);
    *out_file = file;
    return HX_OK;
}

void socket_unaccept(struct socket *socket, struct file *file) {
    struct socket *fresh = file->data;
    atomic_store_explicit(&fresh->file, NULL, memory_order_relaxed);
    file->data = NULL;
    file_put(file);
    pending_put_back(socket, fresh);
}

// Datagrams
// -----------------------------------------------------------------------------------------------

enum hx_status datagram_may_send(const struct socket *sender, const struct socket *to) {
    const struct socket *peer = atomic_load_explicit(&to->peer, memory_order_relaxed);
    return peer == NULL || peer == sender ? HX_OK : HX_ERR_NOT_PERMITTED;
}

void datagram_leave(struct socket *sender, struct socket *peer) {
    spin_lock(&peer->lock);
    list_remove(&sender->sender_link);
    spin_unlock(&peer->lock);
    socket_set_full(sender, FULL_PEER, false);
}

static void datagram_enter(struct socket *sender, struct socket *peer) {
    spin_lock(&peer->lock);
    if (socket_state(peer) != SOCKET_CLOSED) {
        list_push_back(&peer->senders, &sender->sender_link);
        socket_tell_senders_locked(peer);
    }
    spin_unlock(&peer->lock);
}

// Who talked to each other lose what was not read, and the one that is left learns of it.
static void datagram_lose(struct socket *socket, struct socket *old) {
    struct list lost;
    list_init(&lost);
    spin_lock(&socket->lock);
    list_splice_back(&lost, &socket->queue);
    const bool had_some = socket->count != 0;
    socket->count = 0;
    socket->bytes = 0;
    socket_levels_locked(socket, false);
    socket_room_locked(socket);
    spin_unlock(&socket->lock);
    struct list *link;
    while ((link = list_pop_front(&lost)) != NULL) {
        message_free(LIST_ENTRY(link, struct message, link));
    }
    spin_lock(&old->lock);
    if (had_some && atomic_load_explicit(&old->peer, memory_order_relaxed) == socket) {
        atomic_store_explicit(&old->error, HX_ERR_RESET, memory_order_relaxed);
        socket_levels_locked(old, true);
    }
    spin_unlock(&old->lock);
}

// The peer is `peer` now, whose reference it takes, or nobody. Needs `reader`.
static void datagram_set_peer(struct socket *socket, struct socket *peer) {
    spin_lock(&socket->lock);
    struct socket *old = atomic_load_explicit(&socket->peer, memory_order_relaxed);
    atomic_store_explicit(&socket->peer, peer, memory_order_release);
    socket_tell_senders_locked(socket); // its peer may always send
    spin_unlock(&socket->lock);
    if (old != NULL) {
        datagram_leave(socket, old);
        if (old != peer) {
            datagram_lose(socket, old);
        }
        socket_put(old);
    }
    if (peer != NULL) {
        datagram_enter(socket, peer);
    }
}

void datagram_disconnect(struct socket *socket, const struct socket *peer) {
    mutex_lock(&socket->reader);
    if (atomic_load_explicit(&socket->peer, memory_order_relaxed) == peer) {
        datagram_set_peer(socket, NULL);
    }
    mutex_unlock(&socket->reader);
}

static enum hx_status connect_datagram(struct socket *socket, const struct socket_target *to) {
    struct socket *peer = NULL;
    if (to != NULL) {
        enum hx_status status = names_find(socket->names, socket->kind, to, &peer);
        if (status != HX_OK) {
            return status;
        }
        status = datagram_may_send(socket, peer);
        if (status != HX_OK) {
            socket_put(peer);
            return status;
        }
    }
    mutex_lock(&socket->reader);
    datagram_set_peer(socket, peer);
    mutex_unlock(&socket->reader);
    return HX_OK;
}

enum hx_status socket_connect(struct socket *socket, const struct socket_target *to,
                              const struct socket_who *who, bool is_nonblocking) {
    if (to != NULL && atomic_load_explicit(&socket->options.wants_who, memory_order_relaxed)) {
        enum hx_status status = socket_bind_any(socket);
        if (status != HX_OK) {
            return status;
        }
    }
    if (socket->kind == SOCKET_DATAGRAM) {
        return connect_datagram(socket, to);
    }
    return to == NULL ? HX_ERR_INVALID : connect_stream(socket, to, who, is_nonblocking);
}
