// SPDX-License-Identifier: MIT OR Apache-2.0
// <libhelix/client.h>: using a port that another process serves over a channel.
//
//     struct hx_client *client;
//     status = hx_client_open(end, &mailbox_wire, hx_after(1000000000), &client);
//     status = mailbox_wire_client.open(hx_client_self(client), "me", &box);
//     status = mailbox_wire_client.send(box, letters, 2, &accepted);
//
// `end` is an end of a channel whose other end the server has (hx_server_add()). `mailbox_wire` and
// the table `mailbox_wire_client` come from <helix/ports/mailbox_wire.h>; its methods are called as
// those of the kernel form are. Beside what the module answers and wire_call() says, a method
// returns
//     HX_ERR_PEER_DIED  the server has gone, or the connection was cut
//     HX_ERR_REVOKED    the capability for the end was taken back
//     HX_ERR_TIMED_OUT  no answer within the limit
//     HX_ERR_CORRUPT    the server lies
//     HX_ERR_LIMIT      16 handles are on their way; nothing was done
// and from the first of these four on, the connection is dead: what is being called fails with
// HX_ERR_PEER_DIED (HX_ERR_REVOKED, HX_ERR_CORRUPT), and so does what is called later. A signal
// does not end a call.
//
// A handle as an argument is borrowed: the server gets one derived from it, with the rights that
// the port names and DELEGATE, which `handle` must have, too. A handle as a result, or in an event,
// is the caller's.
//
// Pages as arguments are not copied if they come from the pool of the connection
// (hx_client_pages_take()); others are copied into it and back.
//
// Many threads may call at once. Events are kept until somebody takes them by hx_client_events();
// no handler runs inside of a call. The server is not trusted with more than its answers: what it
// writes is checked before it is believed (<lib/wire.h>). The memory that is shared may be taken
// away at any time: for that the first connection of a process takes over SIGSEGV and SIGBUS, whose
// handlers of then get all that is not about such memory.
#pragma once

#include <lib/wire.h>
#include <libhelix/calls.h>

#define HX_CLIENT_CALLS 32u // at once on one connection; further ones wait for their turn

struct hx_client;

// Begins on an end that nobody has used, and that has all its rights but DELEGATE: waits for the
// server's first word. Takes the handle on OK. `port` is kept. HX_ERR_BAD_IMAGE: the server serves
// another port, or another ABI of it; HX_ERR_CORRUPT: no server is there; HX_ERR_TIMED_OUT,
// HX_ERR_PEER_DIED, HX_ERR_NO_MEMORY; what channel_map and handle_derive return.
HX_MUST_CHECK enum hx_status hx_client_open(handle_t end, const struct wire_port *port,
                                            time_ns_t deadline, struct hx_client **out_client);

// What the methods of the port's table get first.
void *hx_client_self(struct hx_client *client);

// How long a call may take; without it, TIME_NEVER. Before the first call.
void hx_client_limit(struct hx_client *client, time_ns_t span_ns);

// Pages of the pool, for pages as arguments; each thread may take and give. They are as somebody
// left them, and the server may change them at any time. HX_ERR_NO_MEMORY: not so many are free;
// calls need some, too.
HX_MUST_CHECK enum hx_status hx_client_pages_take(struct hx_client *client, uint32_t count,
                                                  void *pages[]);
void hx_client_pages_give(struct hx_client *client, uint32_t count, void *const pages[]);

// Waits until there is an event, and hands what is there to whoever attached, on this thread; one
// thread at a time (HX_ERR_BUSY). Handlers may call methods. HX_ERR_TIMED_OUT: none came;
// HX_ERR_INTERRUPTED: by a signal; or why the connection is dead.
HX_MUST_CHECK enum hx_status hx_client_events(struct hx_client *client, time_ns_t deadline);

// How many events got lost so far because nobody took them.
uint64_t hx_client_lost(struct hx_client *client);

// Cuts the connection: all that waits in it returns HX_ERR_PEER_DIED. Any thread.
void hx_client_cut(struct hx_client *client);

// The end; nobody is in a call any more. Instances are ended at the server.
void hx_client_close(struct hx_client *client);
