// SPDX-License-Identifier: MIT OR Apache-2.0
// <lib/wire.h>: calls of a port as messages: what its isolated form sends over a ring.
//
// portgen describes each method of a port (struct wire_method) and makes the typed ends: a client,
// whose operations table sends, and a server, which calls the operations of a module. This file is
// what lies between: it writes arguments into a message, and reads one that the other side wrote.
// The other side is hostile: what it shares is read once, into memory of one's own, and then
// checked: lengths and counts against their bounds, enums, flags, booleans and terminators inside
// of structures, page numbers, instances, rights of handles, and the message's own length to the
// byte. Nothing is called and nothing is given to a caller before all of it was checked.
//
// A message is the payload of one slot. What does not fit lies in pages of a pool that both sides
// see (<helix/pool.h>); the client of a call takes them for the request and for the reply.
//
// Locking: a client may be used by many threads, its events are received by one at a time; a server
// is used by one at a time, but for its events.
#pragma once

#include <helix/module.h>
#include <helix/pool.h>

// Messages ----------------------------------------------------------------------------------------

#define WIRE_ARGUMENTS_MAX 12u
#define WIRE_INLINE_BYTES  40u
#define WIRE_PAGED         255u    // in inline_bytes: the body lies in the pool
#define WIRE_ATTACH        0xfffeu // in method: attach(), in all versions of a port

enum wire_message_kind {
    WIRE_REQUEST = 1,
    WIRE_REPLY = 2,
    WIRE_EVENT = 3,
};

struct wire_message {
    uint32_t call; // the transport's: pairs a reply with its request
    uint16_t method;
    uint8_t kind;
    uint8_t inline_bytes; // of the body, or WIRE_PAGED
    uint16_t body_page;   // where a paged body starts
    uint16_t reply_page;  // of a request: where a paged reply must start
    uint32_t body_bytes;  // of a paged body
    alignas(8) uint8_t body[WIRE_INLINE_BYTES];
};
_Static_assert(sizeof(struct wire_message) == 56, "the payload of one slot");

// What goes as one: a message, and the handles of its arguments or results in their order. Whose it
// is, closes those of them that nobody takes.
struct wire_parcel {
    struct wire_message message;
    uint32_t handle_count;
    handle_t handles[WIRE_ARGUMENTS_MAX];
};

// Descriptions, made by portgen -------------------------------------------------------------------

#define WIRE_PAGES_MAX     64u // in one argument; a method has one such argument at most
#define WIRE_INSTANCES_MAX 16u // that one connection may have open

enum wire_check_kind {
    WIRE_CHECK_BOOL,
    WIRE_CHECK_ENUM,   // one of `values`
    WIRE_CHECK_FLAGS,  // no bit beyond `limit`
    WIRE_CHECK_TEXT,   // a length of at most `limit`, the bytes, a zero
    WIRE_CHECK_STRING, // a zero within limit + 1 bytes
    WIRE_CHECK_STRUCT,
};

// What must hold for `count` elements in a row, the first at `offset`.
struct wire_check {
    enum wire_check_kind kind;
    uint32_t offset, count, stride;
    uint64_t limit;
    const uint32_t *values; // `limit` of them
    const struct wire_layout *layout;
};

// A scalar or a structure.
struct wire_layout {
    uint32_t size_bytes;
    uint32_t check_count;
    const struct wire_check *checks;
};

enum wire_kind {
    WIRE_VALUE, // a scalar or a structure
    WIRE_TEXT,
    WIRE_STRING,
    WIRE_BYTES,
    WIRE_ARRAY,
    WIRE_PAGES,
    WIRE_HANDLE,
    WIRE_INSTANCE, // as a result
};

enum wire_direction { WIRE_IN, WIRE_OUT, WIRE_INOUT, WIRE_RESULT };

struct wire_field {
    enum wire_kind kind;
    enum wire_direction direction;
    uint32_t bound;
    const struct wire_layout *layout; // of a VALUE, and of an ARRAY's element
    rights_t rights;                  // that a HANDLE must have
};

// Where one parameter is: the value, structure, text, bytes, array, page pointers; the places that
// results go to. `count` is a length, a number of elements, or the capacity for a result.
struct wire_argument {
    void *data;
    uint32_t count;
    uint32_t *out_count; // of a result without fixed size
};

// Calls the operation of a table; `first` is the provider, the instance, or an event's client.
typedef enum hx_status (*wire_invoke_t)(const void *table, void *first,
                                        struct wire_argument *arguments);

struct wire_method {
    wire_invoke_t invoke; // NULL: only the kernel form has it
    const struct wire_field *fields;
    uint32_t field_count;
    bool on_instance, ends;
    const enum hx_status *fails; // what the module may answer
    uint32_t fail_count;
    enum hx_status absent; // of a method that a later version added: where the server has it not
};

// The last method of a port with events is its attach(), which gets the server as its argument.
struct wire_port {
    const struct wire_method *methods, *events;
    uint32_t method_count, event_count;
    uint32_t request_max, reply_max, event_max; // bytes of bodies
    const struct hx_port_versions *versions;
    uint32_t ops_bytes; // of a table
    // NAME_bind() for tables that are known by their port alone.
    enum hx_status (*bind)(void *out_bound, const void *ops, rights_t rights);
};

// Scalars that may hold anything, and one that may not.
extern const struct wire_layout wire_u8, wire_u16, wire_u32, wire_u64, wire_bool;

// Connections -------------------------------------------------------------------------------------

// What carries messages, pages and handles. `context` is the connection's.
struct wire_transport {
    // Before anything else of a call, and after all of it: waits, bounded, until there is room for
    // one more, for a transport that has less than its callers may want. NULL: there always is, or
    // the call is refused. What enter() refuses with is the call's result.
    enum hx_status (*enter)(void *context);
    void (*leave)(void *context);
    // Sends a request, whose handles it takes whatever becomes of it, and waits, bounded, for its
    // reply. Returns HX_OK and a reply that nobody checked, whose handles are the caller's; or
    // HX_ERR_PEER_DIED, HX_ERR_REVOKED, HX_ERR_TIMED_OUT (nothing is called any more after it),
    // HX_ERR_LIMIT (too many handles are on their way), HX_ERR_CORRUPT.
    enum hx_status (*call)(void *context, struct wire_parcel *request,
                           struct wire_parcel *out_reply);
    // Sends an event, and takes its handles as call() does. On HX_OK the body of a paged one is the
    // transport's, which gives it back to the pool when the other side has read it: event_max bytes
    // from body_page on.
    enum hx_status (*send)(void *context, struct wire_parcel *event);
    // Gives a page of the caller a number in the pool until it is unshared: what the other side
    // finds it by, to read it (WIRE_IN), to write it, or both. HX_ERR_NO_MEMORY: the pool is used
    // up; HX_ERR_INVALID: not a page.
    enum hx_status (*page_share)(void *context, void *page, enum wire_direction direction,
                                 uint32_t *out_number);
    void (*page_unshare)(void *context, void *page, enum wire_direction direction, uint32_t number);
    // Where a page is that the other side shared; NULL: nowhere. NULL in its place: in the pool.
    void *(*page_at)(void *context, uint32_t number);
    // A second handle with `rights` for what `handle` names: it goes, `handle` stays as it is.
    // HX_ERR_ACCESS_DENIED: `handle` lacks some of them.
    enum hx_status (*handle_copy)(void *context, handle_t handle, rights_t rights,
                                  handle_t *out_copy);
    // Whether a handle that came has `rights`.
    bool (*handle_has)(void *context, handle_t handle, rights_t rights);
    // Closes a handle: a copy that does not go, or one that came.
    void (*handle_drop)(void *context, handle_t handle);
    // Each call takes room for the largest reply of the port, not for the one that it may have:
    // what carries it may write so much, and all calls' runs of the pool have one size.
    bool takes_most;
};

struct wire {
    const struct wire_port *port;
    const struct wire_transport *transport;
    void *context;
    struct hx_pool *pool; // this side's
    // Instances are what the module calls them, on both ends, and go on with another server: there
    // is no table of them. For a server that believes its client.
    bool is_numbered;
    // A client's: the version that its server has, too. NULL: its own newest one.
    const struct hx_port_minor *minor;
    bool has_newer_peer; // of a client: the server may send events that it does not know
};

struct wire_target { // what a client's operations get first: the provider, or an instance of it
    struct wire_client *client;
    _Atomic uint64_t id; // the server's number for it; 0: the provider, or free
};

struct wire_client {
    struct wire wire;
    struct wire_target targets[1 + WIRE_INSTANCES_MAX]; // the first is the provider
    const void *events;                                 // table and context of who wants them
    void *events_client;
    uint8_t *scratch; // event_max bytes
};

struct wire_server {
    struct wire wire;
    const void *ops; // bound with the rights of the connection
    void *self;
    uint8_t *scratch; // request_max + reply_max bytes, aligned to 8
    struct {
        void *instance; // NULL: free
        uint32_t generation;
    } instances[WIRE_INSTANCES_MAX];
    bool is_attached;
    _Atomic uint64_t refused; // requests that were malformed
    _Atomic uint64_t lost;    // events that found no room
};

// Caller's storage; `wire` is copied, the rest is kept. Scratch memory as above; a client's may be
// NULL if its port has no events.
void wire_client_init(struct wire_client *client, const struct wire *wire, void *scratch);
void wire_server_init(struct wire_server *server, const struct wire *wire, const void *ops,
                      void *self, void *scratch);

// The client's end of each method. Returns what the module answers;
//         HX_ERR_INVALID    an argument is beyond its bound; nothing was sent
//         HX_ERR_LIMIT      no instance is free
//         HX_ERR_NO_MEMORY  the pool is used up
//         HX_ERR_CORRUPT    the reply is malformed; results are untouched, buffers may not be
//         or what the transport fails with
enum hx_status wire_call(struct wire_target *target, uint32_t method,
                         struct wire_argument *arguments);
// The same of an instance whose number is known, of a client that is numbered.
enum hx_status wire_call_numbered(struct wire_client *client, uint64_t number, uint32_t method,
                                  struct wire_argument *arguments);
// The client's end of attach(): asks for events, which go to `events` with `client` from now on.
enum hx_status wire_attach(struct wire_target *target, const void *events, void *client);
// Checks an event that came and calls who attached. HX_ERR_CORRUPT: it is malformed.
// Takes its handles.
enum hx_status wire_receive(struct wire_client *client, const struct wire_parcel *event);
// The same for a receiver with a pool and scratch memory of its own: several may receive at once.
enum hx_status wire_receive_in(struct wire_client *client, const struct wire_parcel *event,
                               struct hx_pool *pool, uint8_t *scratch);

// The server's end: checks a request (a private copy of the slot), calls the module, makes the
// reply. A malformed request is answered with HX_ERR_CORRUPT. Handles of a request are the
// module's, whatever it answers; those that it gives as results are the reply's.
void wire_serve(struct wire_server *server, const struct wire_parcel *request,
                struct wire_parcel *out_reply);
// The same with scratch memory of the caller's: several may serve at once, if the port has no
// instances, or they are numbered.
void wire_serve_in(struct wire_server *server, const struct wire_parcel *request,
                   struct wire_parcel *out_reply, uint8_t *scratch);
// The module's end of each event. Many threads may send events.
void wire_event(struct wire_server *server, uint32_t event, struct wire_argument *arguments);
// The client has gone: ends its instances, by the method of the port that ends one and takes
// nothing else, if there is one. `ops` is a table without holes and refusals.
void wire_server_fini(struct wire_server *server, const void *ops);

// Whether a value or structure in private memory holds what its layout says.
bool wire_valid(const struct wire_layout *layout, const void *bytes);
