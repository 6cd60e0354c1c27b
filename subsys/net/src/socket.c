// SPDX-License-Identifier: MIT OR Apache-2.0
// socket.c: sockets from their making to their end, their levels, and the files that they lie
// under.
//
// Levels change under `lock`, but WAIT_WRITABLE and LEVEL_ROOM, which also depend on what readers
// elsewhere do, under `level_lock`. Whoever waits, waits for a level.
#include "private.h"

#include <core/thread.h>
#include <lib/string.h>

#define REQUEST_BYTES_READABLE 0x541bu // FIONREAD, SIOCINQ
#define REQUEST_BYTES_UNREAD   0x5411u // TIOCOUTQ, SIOCOUTQ

static const struct lock_class socket_class = { "socket", LOCK_RANK_PIPE + 1, true };
static const struct lock_class reader_class = { "socket reader", LOCK_RANK_FILE + 3, false };
static const struct lock_class level_class = { "socket level", LOCK_RANK_WAITABLE - 1, false };

static struct heap_cache *socket_cache;

// Levels
// -----------------------------------------------------------------------------------------------

#define LEVELS_LOCKED (WAIT_READABLE | WAIT_PEER_SHUT | WAIT_HANGUP | WAIT_ERROR | WAIT_SELF_SHUT)

static uint32_t levels_now(const struct socket *socket) {
    const uint32_t shut = socket_shuts(socket);
    const bool is_unconnected =
        socket->kind != SOCKET_DATAGRAM && socket_state(socket) == SOCKET_FRESH;
    uint32_t levels = socket->count != 0 ? WAIT_READABLE : 0;
    levels |= (shut & SHUT_RECEIVING) != 0 ? WAIT_PEER_SHUT : 0;
    levels |= (shut & SHUT_SENDING) != 0 ? WAIT_SELF_SHUT : 0;
    levels |= shut == SHUT_BOTH || is_unconnected ? WAIT_HANGUP : 0;
    levels |= atomic_load_explicit(&socket->error, memory_order_relaxed) != 0 ? WAIT_ERROR : 0;
    return levels;
}

void socket_levels_locked(struct socket *socket, bool is_news) {
    struct waitable *waitable = &socket->waitable;
    const uint32_t levels = levels_now(socket);
    if ((waitable_state(waitable) & LEVELS_LOCKED) != levels) {
        waitable_update(waitable, LEVELS_LOCKED & ~levels, levels);
    } else if (is_news && atomic_load_explicit(&waitable->watchers, memory_order_relaxed) != 0) {
        waitable_pulse(waitable);
    }
}

void socket_tell_senders_locked(struct socket *socket) {
    const uint32_t room = waitable_state(&socket->room);
    const struct socket *peer = atomic_load_explicit(&socket->peer, memory_order_relaxed);
    list_for_each (link, &socket->senders) {
        struct socket *sender = LIST_ENTRY(link, struct socket, sender_link);
        socket_set_full(sender, FULL_PEER, room == 0 && sender != peer);
    }
}

void socket_room_locked(struct socket *socket) {
    const bool is_over = socket_state(socket) == SOCKET_CLOSED;
    const bool is_full = socket->count > socket->backlog;
    const uint32_t levels = (is_over ? WAIT_HANGUP : 0) | (is_full ? 0 : WAIT_WRITABLE);
    if (waitable_state(&socket->room) != levels) {
        waitable_update(&socket->room, ~levels, levels);
        socket_tell_senders_locked(socket);
    }
}

void socket_set_full_locked(struct socket *socket, uint32_t full, bool is_full) {
    socket->full = (socket->full & ~full) | (is_full ? full : 0);
    const uint32_t levels =
        (socket->full == 0 ? WAIT_WRITABLE : 0) | ((socket->full & FULL_OWN) == 0 ? LEVEL_ROOM : 0);
    const uint32_t all = WAIT_WRITABLE | LEVEL_ROOM;
    if ((waitable_state(&socket->waitable) & all) != levels) {
        waitable_update(&socket->waitable, all & ~levels, levels);
    }
}

void socket_set_full(struct socket *socket, uint32_t full, bool is_full) {
    spin_lock(&socket->level_lock);
    socket_set_full_locked(socket, full, is_full);
    spin_unlock(&socket->level_lock);
}

enum hx_status socket_wait(struct waitable *waitable, uint32_t levels, time_ns_t deadline) {
    enum hx_status status = wait_one(waitable, levels, deadline, WAIT_INTERRUPTIBLE);
    if (status == HX_ERR_TIMED_OUT) {
        return HX_ERR_WOULD_BLOCK;
    }
    if (status == HX_ERR_INTERRUPTED) {
        return deadline == TIME_NEVER ? HX_ERR_RESTART : HX_ERR_INTERRUPTED_TIMED;
    }
    return status;
}

enum hx_status socket_await_input(struct socket *socket, bool is_nonblocking, time_ns_t deadline) {
    return is_nonblocking ? HX_ERR_WOULD_BLOCK
                          : socket_wait(&socket->waitable,
                                        WAIT_READABLE | WAIT_PEER_SHUT | WAIT_ERROR, deadline);
}

bool socket_is_nonblocking(const struct socket *socket, bool is_nonblocking) {
    const struct file *file = atomic_load_explicit(&socket->file, memory_order_relaxed);
    return is_nonblocking ||
           (atomic_load_explicit(&file->flags, memory_order_relaxed) & FILE_NONBLOCK) != 0;
}

// Life
// -----------------------------------------------------------------------------------------------

static void socket_destroy(struct object *object) {
    struct socket *socket = CONTAINER_OF(object, struct socket, object);
    socket_name_put(atomic_load_explicit(&socket->name, memory_order_relaxed));
    heap_cache_free(socket_cache, socket);
}

static const struct object_type socket_type = {
    .kind = OBJECT_SOCKET,
    .name = "socket",
    .destroy = socket_destroy,
};

static void init_options(struct socket_options *options) {
    atomic_init(&options->send_limit, SOCKET_LIMIT_DEFAULT);
    atomic_init(&options->receive_limit, SOCKET_LIMIT_DEFAULT);
}

static void init_lists(struct socket *socket) {
    list_init(&socket->queue);
    list_init(&socket->pending);
    list_init(&socket->senders);
    list_init(&socket->pending_link);
    list_init(&socket->sender_link);
    list_init(&socket->names_link);
    list_init(&socket->flight_link);
    list_init(&socket->reach_link);
}

struct socket *socket_alloc(struct socket_names *names, enum socket_kind kind) {
    struct socket *socket = heap_cache_alloc(socket_cache, MEMORY_SLEEP);
    if (socket == NULL) {
        return NULL;
    }
    memset(socket, 0, sizeof(*socket));
    object_init(&socket->object, &socket_type);
    socket->kind = kind;
    socket->names = names;
    socket->backlog = SOCKET_DATAGRAMS_MAX;
    spinlock_init(&socket->lock, &socket_class);
    spinlock_init(&socket->level_lock, &level_class);
    mutex_init(&socket->reader, &reader_class);
    init_lists(socket);
    init_options(&socket->options);
    waitable_init(&socket->waitable, WAIT_WRITABLE | LEVEL_ROOM | levels_now(socket));
    waitable_init(&socket->room, WAIT_WRITABLE);
    names_add(socket);
    return socket;
}

void socket_set_file(struct socket *socket, struct file *file) {
    atomic_store_explicit(&socket->id, file->id, memory_order_relaxed);
    atomic_store_explicit(&socket->file, file, memory_order_relaxed);
}

struct file *socket_file_create(uint32_t flags, struct socket *socket) {
    flags = (flags & FILE_NONBLOCK) | FILE_READ | FILE_WRITE;
    struct file *file = file_create(&socket_file_ops, flags, socket);
    if (file != NULL && socket != NULL) {
        socket_set_file(socket, file);
    }
    return file;
}

enum hx_status socket_create(struct socket_names *names, enum socket_kind kind, uint32_t flags,
                             struct file **out_file) {
    struct socket *socket = socket_alloc(names, kind);
    if (socket == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    struct file *file = socket_file_create(flags, socket);
    if (file == NULL) {
        socket_close(socket, false);
        return HX_ERR_NO_MEMORY;
    }
    *out_file = file;
    return HX_OK;
}

static void connect_both(struct socket *socket, struct socket *peer, const struct socket_who *who) {
    spin_lock(&socket->lock);
    socket->peer_who = *who;
    socket->has_peer_who = true;
    atomic_store_explicit(&socket->peer, socket_get(peer), memory_order_release);
    if (socket->kind != SOCKET_DATAGRAM) {
        atomic_store_explicit(&socket->state, SOCKET_CONNECTED, memory_order_release);
    }
    socket_levels_locked(socket, false);
    spin_unlock(&socket->lock);
}

enum hx_status socket_create_pair(struct socket_names *names, enum socket_kind kind, uint32_t flags,
                                  const struct socket_who *who, struct file **out_files) {
    struct file *files[2];
    enum hx_status status = socket_create(names, kind, flags, &files[0]);
    if (status != HX_OK) {
        return status;
    }
    status = socket_create(names, kind, flags, &files[1]);
    if (status != HX_OK) {
        file_put(files[0]);
        return status;
    }
    connect_both(files[0]->data, files[1]->data, who);
    connect_both(files[1]->data, files[0]->data, who);
    out_files[0] = files[0];
    out_files[1] = files[1];
    return HX_OK;
}

struct socket *socket_of(const struct file *file) {
    return file->ops == &socket_file_ops ? file->data : NULL;
}

bool socket_is_stream(const struct socket *socket) {
    return socket->kind == SOCKET_STREAM;
}

struct socket *socket_peer_get(struct socket *socket) {
    spin_lock(&socket->lock);
    struct socket *peer = atomic_load_explicit(&socket->peer, memory_order_relaxed);
    if (peer != NULL) {
        (void)socket_get(peer);
    }
    spin_unlock(&socket->lock);
    return peer;
}

// The end
// -----------------------------------------------------------------------------------------------

// What was in its queues when it closed.
struct leftovers {
    struct list messages;
    struct list pending;
    struct socket *peer; // keeps; NULL: none
};

static void close_locked(struct socket *socket, struct leftovers *out_left) {
    atomic_store_explicit(&socket->state, SOCKET_CLOSED, memory_order_release);
    atomic_store_explicit(&socket->shut, SHUT_BOTH, memory_order_relaxed);
    list_init(&out_left->messages);
    list_init(&out_left->pending);
    list_splice_back(&out_left->messages, &socket->queue);
    list_splice_back(&out_left->pending, &socket->pending);
    out_left->peer = atomic_exchange_explicit(&socket->peer, NULL, memory_order_relaxed);
    socket->count = 0;
    socket->bytes = 0;
    socket_levels_locked(socket, false);
    socket_room_locked(socket);
    while (!list_is_empty(&socket->senders)) {
        list_remove(socket->senders.next);
    }
}

// A connection's other side: it learns that nothing more comes, and if something was lost.
static void tell_peer(struct socket *peer, bool is_lost) {
    spin_lock(&peer->lock);
    atomic_store_explicit(&peer->shut, SHUT_BOTH, memory_order_relaxed);
    if (is_lost) {
        atomic_store_explicit(&peer->error, HX_ERR_RESET, memory_order_relaxed);
    }
    socket_levels_locked(peer, true);
    spin_unlock(&peer->lock);
}

static void forget_path(struct socket *socket) {
    if (socket->path.name == NULL) {
        return;
    }
    struct inode *inode = path_inode(socket->path);
    rwlock_write(&inode->lock);
    inode->special = NULL;
    rwlock_write_done(&inode->lock);
    path_put(socket->path);
}

static void free_leftovers(struct leftovers *left) {
    struct list *link;
    while ((link = list_pop_front(&left->messages)) != NULL) {
        message_free(LIST_ENTRY(link, struct message, link));
    }
    while ((link = list_pop_front(&left->pending)) != NULL) { // these have no pending ones
        socket_close(LIST_ENTRY(link, struct socket, pending_link), true);
    }
}

void socket_close(struct socket *socket, bool is_lost) {
    struct leftovers left;
    names_remove(socket);
    forget_path(socket);
    spin_lock(&socket->lock);
    close_locked(socket, &left);
    spin_unlock(&socket->lock);
    if (left.peer != NULL) {
        if (socket->kind == SOCKET_DATAGRAM) {
            datagram_leave(socket, left.peer);
        } else {
            tell_peer(left.peer, is_lost || !list_is_empty(&left.messages));
        }
        socket_put(left.peer);
    }
    free_leftovers(&left);
    socket_put(socket);
    rights_socket_closed();
}

void socket_shut(struct socket *socket, bool receiving, bool sending) {
    const uint32_t own = (receiving ? SHUT_RECEIVING : 0) | (sending ? SHUT_SENDING : 0);
    const uint32_t its = (receiving ? SHUT_SENDING : 0) | (sending ? SHUT_RECEIVING : 0);
    spin_lock(&socket->lock);
    atomic_fetch_or_explicit(&socket->shut, own, memory_order_relaxed);
    socket_levels_locked(socket, true);
    spin_unlock(&socket->lock);
    struct socket *peer = socket->kind != SOCKET_DATAGRAM ? socket_peer_get(socket) : NULL;
    if (peer != NULL) {
        spin_lock(&peer->lock);
        atomic_fetch_or_explicit(&peer->shut, its, memory_order_relaxed);
        socket_levels_locked(peer, true);
        spin_unlock(&peer->lock);
        socket_put(peer);
    }
}

// Files
// -----------------------------------------------------------------------------------------------

static enum hx_status socket_file_read(struct file *file, struct io_buffer *to, uint64_t offset,
                                       size_t *out_moved) {
    (void)offset;
    struct socket_receive receive = { .bytes = to };
    enum hx_status status = socket_receive(file->data, &receive, out_moved);
    if (status == HX_OK) {
        socket_name_put(receive.from);
        socket_rights_put(receive.rights);
    }
    return status;
}

static enum hx_status socket_file_write(struct file *file, struct io_buffer *from, uint64_t offset,
                                        size_t *out_moved) {
    (void)offset;
    struct socket_send send = { .bytes = from };
    return socket_send(file->data, &send, out_moved);
}

static struct waitable *socket_file_waitable(struct file *file) {
    struct socket *socket = file->data;
    return &socket->waitable;
}

static enum hx_status socket_file_control(struct file *file, uint64_t request, uint64_t argument,
                                          int64_t *out_result) {
    struct socket *socket = file->data;
    uint32_t value;
    switch (request) {
    case REQUEST_BYTES_READABLE:
        if (socket_is_listening(socket)) {
            return HX_ERR_INVALID;
        }
        value = socket_readable_bytes(socket);
        break;
    case REQUEST_BYTES_UNREAD:
        value = socket_unread_bytes(socket);
        break;
    default:
        return HX_ERR_NOT_TTY;
    }
    *out_result = 0;
    return copy_to_user(uaddr_make(argument), &value, sizeof(value));
}

static void socket_file_release(struct file *file) {
    if (file->data != NULL) { // else its connection went back to whom it came from
        socket_close(file->data, false);
    }
}

// What nobody has read here.
static void socket_file_tally(struct file *file, struct tally *tally) {
    struct socket *socket = file->data;
    if (socket != NULL && tally_meet(tally, &socket->tally)) {
        spin_lock(&socket->lock);
        tally->pages += socket->bytes / PAGE_SIZE;
        spin_unlock(&socket->lock);
    }
}

const struct file_ops socket_file_ops = {
    .name = "socket",
    .read = socket_file_read,
    .write = socket_file_write,
    .waitable = socket_file_waitable,
    .control = socket_file_control,
    .tally = socket_file_tally,
    .release = socket_file_release,
};

enum hx_status sockets_init(void) {
    rights_init();
    socket_cache = heap_cache_create("socket", sizeof(struct socket), CACHE_LINE);
    return socket_cache == NULL ? HX_ERR_NO_MEMORY : HX_OK;
}

// Questions
// -----------------------------------------------------------------------------------------------

enum socket_kind socket_kind(const struct socket *socket) {
    return socket->kind;
}

bool socket_is_listening(const struct socket *socket) {
    return socket_state(socket) == SOCKET_LISTENING;
}

struct socket_options *socket_options(struct socket *socket) {
    return &socket->options;
}

void socket_set_send_limit(struct socket *socket, uint32_t limit_bytes) {
    (void)atomic_exchange_explicit(&socket->options.send_limit, limit_bytes, memory_order_seq_cst);
    socket_levels_own(socket);
}

enum hx_status socket_take_error(struct socket *socket) {
    if (atomic_load_explicit(&socket->error, memory_order_relaxed) == 0) {
        return HX_OK;
    }
    spin_lock(&socket->lock);
    const int32_t error = atomic_exchange_explicit(&socket->error, 0, memory_order_relaxed);
    socket_levels_locked(socket, false);
    spin_unlock(&socket->lock);
    return (enum hx_status)error;
}

bool socket_peer_who(struct socket *socket, struct socket_who *out_who) {
    spin_lock(&socket->lock);
    const bool has = socket->has_peer_who;
    *out_who = socket->peer_who;
    spin_unlock(&socket->lock);
    return has;
}

uint32_t socket_readable_bytes(struct socket *socket) {
    spin_lock(&socket->lock);
    uint32_t bytes = socket->bytes;
    if (socket->kind == SOCKET_DATAGRAM) {
        bytes = list_is_empty(&socket->queue)
                    ? 0
                    : LIST_ENTRY(socket->queue.next, struct message, link)->length;
    }
    spin_unlock(&socket->lock);
    return bytes;
}

uint32_t socket_unread_bytes(struct socket *socket) {
    return (uint32_t)atomic_load_explicit(&socket->unread, memory_order_relaxed);
}
