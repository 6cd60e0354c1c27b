// SPDX-License-Identifier: MIT OR Apache-2.0
// <net/socket.h>: sockets between the processes of one machine: streams, datagrams, packets.
//
// A socket lies under a file (`socket_file_ops`), which owns it: the last reference to the file
// closes it. What is sent is copied into a message, which waits in the queue of its receiver and
// counts against the limit of its sender until it is read. Addresses are texts: one that begins
// with a zero lives in the table of names of the socket's name space; any other is a path, whose
// inode leads to the socket. What a personality adds (encodings, numbers, errno) stays there.
//
// All functions are for thread context with nothing held, unless said otherwise.
#pragma once

#include <core/time.h>
#include <vfs/file.h>

enum socket_kind {
    SOCKET_STREAM,   // bytes, connected
    SOCKET_DATAGRAM, // messages, to anybody
    SOCKET_PACKETS,  // messages, connected
};

#define SOCKET_NAME_BYTES    109u    // of a path with its zero; 108 of any other name
#define SOCKET_RIGHTS_MAX    253u    // that one message carries
#define SOCKET_LIMIT_DEFAULT 212992u // bytes that a socket may have sent and nobody has read
#define SOCKET_BACKLOG_MAX   4096u
#define SOCKET_DATAGRAMS_MAX 10u // beyond which a receiver of datagrams is full

struct socket;
struct socket_names;

// Who speaks, as the personality tells it.
struct socket_who {
    int32_t pid;
    uint32_t uid, gid;
};

// A name that a socket has; it never changes.
struct socket_name {
    struct object object;
    uint32_t length;
    char bytes[];
};

// Where to. `bytes` as in struct socket_name; a path is looked up, or made, by `lookup`.
struct socket_target {
    const char *bytes;
    uint32_t length;
    const struct lookup *lookup;
};

// Capabilities for files that a message carries.
struct socket_rights {
    struct epoch_item dropped;                    // once nobody wants them
    void (*settle)(struct socket_rights *rights); // they are on their way no more; may be NULL
    void *payer;                                  // for settle
    bool is_flying;                               // counted at the sockets among them
    uint32_t count;
    struct capability *items[]; // keeps
};

struct socket_send {
    struct io_buffer *bytes;
    const struct socket_target *to; // NULL: the peer
    const struct socket_who *who;   // what the receiver is told; NULL: who really speaks
    struct socket_rights *rights;   // taken, and then NULL, by a message that was sent
    bool is_nonblocking;            // whatever the file says
};

#define SOCKET_PEEK        (1u << 0)
#define SOCKET_WAIT_ALL    (1u << 1)
#define SOCKET_NONBLOCKING (1u << 2) // whatever the file says
#define SOCKET_WITH_NAME   (1u << 3) // `from` is wanted

struct socket_receive {
    struct io_buffer *bytes;
    uint32_t flags;
    // Results; the last two are the caller's.
    bool has_who; // `who` was sent along
    struct socket_who who;
    uint64_t length;          // of the whole message, which may be more than was moved
    struct socket_name *from; // NULL: who sent it has no name
    struct socket_rights *rights;
};

// What a personality's options change. Times are spans; 0: for ever.
struct socket_options {
    _Atomic uint32_t send_limit;    // bytes
    _Atomic uint32_t receive_limit; // bytes; only told, as the sender's limit is what counts
    _Atomic time_ns_t send_timeout;
    _Atomic time_ns_t receive_timeout;
    _Atomic bool wants_who;   // messages to it tell who sent them
    _Atomic uint64_t private; // the personality's own
};

struct socket_info {
    enum socket_kind kind;
    bool is_listening, is_connected;
    uint64_t id; // of its file; 0: not accepted yet
    uint32_t references;
    const struct socket_name *name; // borrowed; NULL: none
};

// Tells who runs: set once by the personality, before the first socket.
extern void (*socket_identify)(struct socket_who *out_who);

// Prepares the caches; once. HX_ERR_NO_MEMORY.
enum hx_status sockets_init(void);
// A table of names, for good; NULL: no memory.
struct socket_names *socket_names_create(void);

// A fresh socket under a file with `flags` (FILE_NONBLOCK or 0), and two that are connected; `who`
// is what each learns of the other. Borrows the names for good. HX_ERR_NO_MEMORY.
enum hx_status socket_create(struct socket_names *names, enum socket_kind kind, uint32_t flags,
                             struct file **out_file);
enum hx_status socket_create_pair(struct socket_names *names, enum socket_kind kind, uint32_t flags,
                                  const struct socket_who *who, struct file **out_files);
// The socket of a file; NULL: it is none. Borrowed from the file.
struct socket *socket_of(const struct file *file);
// Whether it has bytes, and no messages.
bool socket_is_stream(const struct socket *socket);

// Gives it a name. HX_ERR_ADDRESS_IN_USE, HX_ERR_INVALID (it has one), HX_ERR_NO_MEMORY, and what
// making the path's inode (with the permissions 0777) says.
enum hx_status socket_bind(struct socket *socket, const struct socket_target *to);
// Gives it any free name, if it has none.
enum hx_status socket_bind_any(struct socket *socket);
// Connections may come, `backlog` + 1 before they are accepted; `who` is what they learn of it.
// HX_ERR_NO_OPERATION (datagrams), HX_ERR_INVALID (no name, or connected).
enum hx_status socket_listen(struct socket *socket, uint32_t backlog, const struct socket_who *who);
// Connects; `to` NULL: a socket of datagrams forgets its peer. HX_ERR_REFUSED, HX_ERR_WRONG_KIND,
// HX_ERR_IS_CONNECTED, HX_ERR_WOULD_BLOCK (the backlog is full), HX_ERR_NOT_PERMITTED (it talks to
// somebody else), HX_ERR_INVALID, HX_ERR_NO_MEMORY, interruptions, and what the look-up says.
enum hx_status socket_connect(struct socket *socket, const struct socket_target *to,
                              const struct socket_who *who, bool is_nonblocking);
// The oldest connection that came, under a file with `flags`. HX_ERR_NO_OPERATION, HX_ERR_INVALID,
// HX_ERR_WOULD_BLOCK, HX_ERR_NO_MEMORY, interruptions.
enum hx_status socket_accept(struct socket *socket, bool is_nonblocking, uint32_t flags,
                             struct file **out_file);
// Undoes it: the connection is the oldest again. Takes the file, which nobody else has seen.
void socket_unaccept(struct socket *socket, struct file *file);
// Nothing more comes in, goes out.
void socket_shut(struct socket *socket, bool receiving, bool sending);

// Sends. *out_moved bytes are on their way. HX_ERR_NOT_CONNECTED, HX_ERR_IS_CONNECTED,
// HX_ERR_NO_OPERATION (a stream with an address), HX_ERR_BROKEN_PIPE (streams), HX_ERR_NO_RECEIVER
// (others), HX_ERR_MESSAGE_TOO_LONG, HX_ERR_WOULD_BLOCK, HX_ERR_REFUSED, HX_ERR_NOT_PERMITTED,
// HX_ERR_NO_MEMORY, HX_ERR_BAD_ADDRESS, interruptions, an error that the socket has.
enum hx_status socket_send(struct socket *socket, struct socket_send *send, size_t *out_moved);
// Receives; the results of `receive` are valid on HX_OK. HX_ERR_INVALID or HX_ERR_NOT_CONNECTED
// (not connected), HX_ERR_WOULD_BLOCK, HX_ERR_BAD_ADDRESS, interruptions, an error that the socket
// has.
enum hx_status socket_receive(struct socket *socket, struct socket_receive *receive,
                              size_t *out_moved);

enum socket_kind socket_kind(const struct socket *socket);
bool socket_is_listening(const struct socket *socket);
struct socket_options *socket_options(struct socket *socket);
// The senders' levels follow the option's value.
void socket_set_send_limit(struct socket *socket, uint32_t limit_bytes);
// Its error, which it has no more then; HX_OK: none.
enum hx_status socket_take_error(struct socket *socket);
// Who the peer was when it connected, or listened; false: there is none.
bool socket_peer_who(struct socket *socket, struct socket_who *out_who);
// Its name or its peer's, with a reference in *out_name, NULL without one. HX_ERR_NOT_CONNECTED.
enum hx_status socket_get_name(struct socket *socket, bool of_peer, struct socket_name **out_name);
// Bytes that can be read (the next message's, of datagrams), and bytes that were sent and are not
// read yet, with what keeping them takes.
uint32_t socket_readable_bytes(struct socket *socket);
uint32_t socket_unread_bytes(struct socket *socket);

static inline void socket_name_put(struct socket_name *name) {
    if (name != NULL) {
        object_put(&name->object);
    }
}

// Room for `count` capabilities, none in it. NULL: no memory.
struct socket_rights *socket_rights_create(uint32_t count);
// HX_ERR_ACCESS_DENIED: a derived capability for a socket; see decision 015.
enum hx_status socket_rights_check(const struct capability *capability);
// Drops what is still in it. NULL is fine.
void socket_rights_put(struct socket_rights *rights);
// Frees what only sockets on their way keep alive, and nobody can reach.
void socket_collect(void);

// Calls for each socket of the name space, under a spin lock.
void socket_names_each(struct socket_names *names,
                       void (*each)(void *context, const struct socket_info *info), void *context);
