// SPDX-License-Identifier: MIT OR Apache-2.0
// <libhelix/server.h>: serving ports to other processes over channels.
//
//     static const struct mailbox_ops ops = { .open = open_box, .send = send, … };
//     const struct hx_service service = { .port = &mailbox_wire, .ops = &ops, .self = &mailbox,
//                                         .rights = HX_RIGHTS_ALL };
//     status = hx_server_create(&server);
//     status = hx_server_add(server, end, &service); // a client has the other end
//     status = hx_server_run(server, TIME_NEVER);    // until no client is left
//
// A server has connections, each to one client, with one port, provider and set of rights. All
// methods run on the thread that is in hx_server_run(), one at a time; they may add connections.
// Events may be sent by any thread, from attach() until `closed`; a client that does not take its
// events loses them (and is told how many), the server never waits for a client.
//
// Requests of a more urgent class come first, but none waits for ever (<libhelix/pick.h>), and
// within a class the clients take turns, a request each. So of n clients of a class, none waits for
// more than n - 1 requests of that class, and the bounded number of others, however much they send.
//
// Clients are hostile: all that they send is checked (<lib/wire.h>), and one that breaks the rules
// of the connection loses it. They may also take the channel away if it was theirs, which is one
// more way to go (SIGSEGV and SIGBUS are taken over for that: <libhelix/client.h>).
#pragma once

#include <lib/wire.h>
#include <libhelix/calls.h>
#include <libhelix/pick.h>

#define HX_SERVER_CONNECTIONS HX_WAIT_MAX // of one server, with those that it listens at

struct hx_server;

struct hx_service {
    const struct wire_port *port; // &NAME_wire
    const void *ops;              // struct NAME_ops
    void *self;                   // what methods that are on no instance get first
    rights_t rights;              // that the client has; others of the port's methods refuse
    uint32_t pool_pages;          // that are shared with each client; 0: 64
    enum hx_class class;          // which requests come first; see below
    // The client has gone. What it has not ended, was ended before: by the method that ends an
    // instance and takes nothing else, if the port has one. `client` is what attach() gave, and
    // takes no events any more; NULL: it did not attach. May be NULL.
    void (*closed)(void *self, void *client);
};

HX_MUST_CHECK enum hx_status hx_server_create(struct hx_server **out_server);

// All connections end, as if their clients had gone.
void hx_server_destroy(struct hx_server *server);

// A connection on an end that nobody has used: sends the client the memory that both will share.
// Takes the handle on OK; copies `service`, keeps what it points to. HX_ERR_LIMIT: as many as there
// may be; HX_ERR_BAD_IMAGE: `ops` lacks a method; HX_ERR_INVALID: the pool is too small for the
// port's messages, or larger than HX_POOL_PAGES_MAX; HX_ERR_NO_MEMORY; what channel_map,
// memory_create, memory_map and channel_send return.
HX_MUST_CHECK enum hx_status hx_server_add(struct hx_server *server, handle_t end,
                                           const struct hx_service *service);

// Each handle that comes with a message at `end` (hx_end_send_handle()) becomes a connection, as by
// hx_server_add(); one that cannot is closed. Its class is the kind of the message, which is how a
// router's listener (helix.router) tells it. Takes the handle on OK.
HX_MUST_CHECK enum hx_status hx_server_listen(struct hx_server *server, handle_t end,
                                              const struct hx_service *service);

// Serves until no connection is left and nobody is there who could send one (HX_OK), until
// hx_server_stop(), the deadline (HX_ERR_TIMED_OUT) or a signal (HX_ERR_INTERRUPTED); may be called
// again.
HX_MUST_CHECK enum hx_status hx_server_run(struct hx_server *server, time_ns_t deadline);

// Other objects than connections. While hx_server_run() runs, told() is called on its thread, not
// inside of a method, when one of the states is set; it must see to it that the state goes away, or
// ask for others. Borrows the handle, which needs WAIT, until it is watched no more. Watching it
// again changes what is told. HX_ERR_LIMIT: connections and watched objects are as many as there
// may be.
HX_MUST_CHECK enum hx_status hx_server_watch(struct hx_server *server, handle_t handle,
                                             uint32_t states,
                                             void (*told)(void *context, uint32_t states),
                                             void *context);
void hx_server_unwatch(struct hx_server *server, handle_t handle);

// As if these states had been found, soon: for who finds them out by himself.
void hx_server_due(struct hx_server *server, handle_t handle, uint32_t states);

// hx_server_run() returns HX_OK when what is being called has returned. From a method.
void hx_server_stop(struct hx_server *server);

// Requests that were refused as malformed, and connections that ended because of a lie.
uint64_t hx_server_refused(const struct hx_server *server);
