// SPDX-License-Identifier: MIT OR Apache-2.0
// private.h: what the files of subsys/net share.
//
// Locks, outermost first: a socket's `reader`, under which user memory is copied; `flight_lock`;
// then spinning: a bucket of names, a socket's `lock`, its `level_lock`. No thread holds two
// sockets' locks but connect, which takes the lower address first.
#pragma once

#include <net/socket.h>

#include <core/log.h>
#include <core/wait.h>
#include <lib/list.h>
#include <memory/heap.h>
#include <memory/tally.h>

// Levels of a socket that are nobody else's: above those that poll knows.
#define LEVEL_ROOM (1u << 7) // there is room for more of its messages

#define SHUT_RECEIVING (1u << 0)
#define SHUT_SENDING   (1u << 1)
#define SHUT_BOTH      (SHUT_RECEIVING | SHUT_SENDING)

#define FULL_OWN  (1u << 0) // too much is unread
#define FULL_PEER (1u << 1) // its peer takes no more datagrams
#define FULL_EVER (1u << 2) // it listens

enum socket_state {
    SOCKET_FRESH,
    SOCKET_LISTENING,
    SOCKET_CONNECTED, // a stream or packets
    SOCKET_CLOSED,
};

struct socket {
    struct object object;
    enum socket_kind kind;
    struct spinlock lock;
    _Atomic uint32_t state;        // [lock] enum socket_state; others may look
    _Atomic uint32_t shut;         // [lock] SHUT_…; others may look
    _Atomic int32_t error;         // [lock] enum hx_status, told once
    _Atomic(struct socket *) peer; // [lock] keeps; of streams and packets it stays
    struct list queue;             // [lock] struct message.link
    uint32_t count;                // [lock] of them, or of `pending`
    uint32_t bytes;                // [lock] in them
    struct tally_mark tally;
    struct list pending;        // [lock] not accepted yet: struct socket.pending_link, kept
    uint32_t backlog;           // [lock] the highest `count` that is not full
    struct list senders;        // [lock] of datagrams, whose peer this is: .sender_link
    struct list pending_link;   // [the listener's lock]
    struct list sender_link;    // [the peer's lock]
    struct socket_who who;      // [lock] told to those that connect
    struct socket_who peer_who; // [lock]
    bool has_peer_who;          // [lock]
    bool is_binding;            // [lock]
    struct mutex reader;        // of streams: who takes from the queue
    _Atomic int64_t unread;     // bytes that its messages take
    struct spinlock level_lock; // of WAIT_WRITABLE
    uint32_t full;              // [level_lock] FULL_…
    struct waitable waitable;
    struct waitable room; // WRITABLE: `count` is not full; HANGUP: never again
    struct socket_options options;
    struct socket_names *names;
    struct list names_link;             // [bucket]
    struct name_bucket *bucket;         // [its lock] which one
    bool owns_text;                     // [bucket] it is found by its name there
    _Atomic(struct socket_name *) name; // keeps; set once
    struct path path;                   // keeps; of a name that is a path
    _Atomic(struct file *) file;        // not kept; NULL: not accepted yet
    _Atomic uint64_t id;                // of the file
    uint32_t flights;                   // [flight_lock] how often it is on its way
    uint32_t unexplained;               // [flight_lock] of a collection
    bool is_reached;                    // [flight_lock] of a collection
    struct list flight_link;            // [flight_lock] in `flying`
    struct list reach_link;             // [flight_lock] of a collection
};

#define MESSAGE_INLINE 1536u // beyond it, bytes lie in frames
struct message {
    struct list link;
    struct socket *sender;        // keeps
    struct socket_rights *rights; // NULL: none
    struct socket_who who;
    bool has_who;
    uint32_t charge; // at the sender
    uint32_t length;
    uint32_t taken;   // of the bytes, by readers of a stream
    uint64_t space[]; // the bytes, or struct frame *
};

extern const struct file_ops socket_file_ops;

static inline uint32_t socket_state(const struct socket *socket) {
    return atomic_load_explicit(&socket->state, memory_order_acquire);
}
static inline uint32_t socket_shuts(const struct socket *socket) {
    return atomic_load_explicit(&socket->shut, memory_order_relaxed);
}
static inline struct socket *socket_get(struct socket *socket) {
    object_get(&socket->object);
    return socket;
}
static inline void socket_put(struct socket *socket) {
    object_put(&socket->object);
}
static inline time_ns_t deadline_of(_Atomic time_ns_t *timeout) {
    const time_ns_t span = atomic_load_explicit(timeout, memory_order_relaxed);
    const time_ns_t now = span == 0 ? 0 : time_now();
    return span == 0 || span > TIME_NEVER - now ? TIME_NEVER : now + span;
}

// socket.c

// Without a file. NULL: no memory. One reference.
struct socket *socket_alloc(struct socket_names *names, enum socket_kind kind);
// A file for a socket, or one that gets its own later. NULL: no memory.
struct file *socket_file_create(uint32_t flags, struct socket *socket);
void socket_set_file(struct socket *socket, struct file *file);
// Brings all levels but WRITABLE to what they should be. `is_news`: whoever waits for edges hears.
void socket_levels_locked(struct socket *socket, bool is_news);
// The same for `room`; its senders of datagrams are told of a change.
void socket_room_locked(struct socket *socket);
void socket_tell_senders_locked(struct socket *socket);
// Sets or clears one of FULL_…. Any lock of sockets may be held.
void socket_set_full(struct socket *socket, uint32_t full, bool is_full);
void socket_set_full_locked(struct socket *socket, uint32_t full, bool is_full);
// FULL_OWN follows what is unread.
void socket_levels_own(struct socket *socket);
// Waits for levels until the deadline. HX_ERR_WOULD_BLOCK (it passed), HX_ERR_RESTART,
// HX_ERR_INTERRUPTED_TIMED.
enum hx_status socket_wait(struct waitable *waitable, uint32_t levels, time_ns_t deadline);
// The same, for something to receive or accept, the end of it, or an error; HX_ERR_WOULD_BLOCK at
// once if the caller does not wait.
enum hx_status socket_await_input(struct socket *socket, bool is_nonblocking, time_ns_t deadline);
// The file says so, or the call.
bool socket_is_nonblocking(const struct socket *socket, bool is_nonblocking);
// Closes a socket and drops the reference; `is_lost`: it was never accepted.
void socket_close(struct socket *socket, bool is_lost);
// The peer with a reference; NULL: none.
struct socket *socket_peer_get(struct socket *socket);

// message.c

// A message of `length` bytes from the buffer, charged to the sender. HX_ERR_NO_MEMORY,
// HX_ERR_BAD_ADDRESS.
enum hx_status message_create(struct socket *sender, struct io_buffer *from, uint32_t length,
                              struct message **out_message);
// Bytes of it, from `offset` on, into the buffer.
enum hx_status message_copy(const struct message *message, uint32_t offset, uint32_t length,
                            struct io_buffer *to, size_t *out_moved);
void message_free(struct message *message);
// Waits until the sender may have another message. HX_ERR_WOULD_BLOCK, interruptions,
// HX_ERR_NO_RECEIVER (it is shut), an error that the socket has.
enum hx_status message_wait_room(struct socket *sender, bool is_nonblocking, time_ns_t deadline);
// Says in the message who sends it, if he or the receiver wants that.
void message_sign(struct message *message, const struct socket *to, const struct socket_send *send);

// name.c

void names_add(struct socket *socket);
// Its name with a reference; NULL: it has none.
struct socket_name *socket_name_get(const struct socket *socket);
void names_remove(struct socket *socket);
// The socket of that name, with a reference. HX_ERR_REFUSED, HX_ERR_WRONG_KIND, what the look-up
// says.
enum hx_status names_find(struct socket_names *names, enum socket_kind kind,
                          const struct socket_target *to, struct socket **out_socket);

// connect.c

// The peer of a sender of datagrams tells it no more whether it is full.
void datagram_leave(struct socket *sender, struct socket *peer);
// It has no peer any more, if that is still this one.
void datagram_disconnect(struct socket *socket, const struct socket *peer);
// HX_ERR_NOT_PERMITTED: `to` talks to somebody else.
enum hx_status datagram_may_send(const struct socket *sender, const struct socket *to);

// stream.c, datagram.c

enum hx_status stream_send(struct socket *socket, struct socket_send *send, size_t *out_moved);
enum hx_status stream_receive(struct socket *socket, struct socket_receive *receive,
                              size_t *out_moved);
enum hx_status datagram_send(struct socket *socket, struct socket_send *send, size_t *out_moved);
enum hx_status datagram_receive(struct socket *socket, struct socket_receive *receive,
                                size_t *out_moved);

// rights.c

void rights_init(void);
// Looks for circles if it is time to. Nothing is held.
void rights_socket_closed(void);
// They begin and end their way. `link` in no list.
void rights_take_off(struct socket_rights *rights);
void rights_land(struct socket_rights *rights);
// Copies what a message has, which stays there. HX_ERR_NO_MEMORY.
enum hx_status rights_copy(const struct socket_rights *rights, struct socket_rights **out_copy);

// Of the memory for messages that nobody has read, which all sockets of a name space share. False:
// there is no more. name.c
bool socket_memory_take(struct socket_names *names, uint32_t size_bytes);
void socket_memory_give(struct socket_names *names, uint32_t size_bytes);
