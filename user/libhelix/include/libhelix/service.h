// SPDX-License-Identifier: MIT OR Apache-2.0
// <libhelix/service.h>: the loop of a service that has many connections: it sleeps for all of them,
// takes one message at a time, and says whose.
//
// Order. Each connection has a class; <libhelix/pick.h> says which class comes next. Within a class
// connections take turns, a message each: of n that have something to say, none waits for more than
// n - 1 messages of its class, however much the others send.
//
// Back-pressure. What a client has sent and the service has not taken stays in the connection's
// ring; when that is full, the client waits in hx_end_send(), or is told at once with the deadline
// 0. A request is taken only if there is room for its answer, so whoever does not take his answers
// holds up himself alone, and hx_loop_answer() never waits.
//
// Ends come from somebody who cannot take them back: ends of derived handles could be revoked in
// the middle of a message (<libhelix/end.h>). A router's ends are such. One thread.
#pragma once

#include <libhelix/end.h>
#include <libhelix/pick.h>

#define HX_PEERS_MAX HX_WAIT_MAX

enum hx_listen {
    HX_LISTEN_REQUESTS, // each message is answered by one
    HX_LISTEN_MESSAGES,
    HX_LISTEN_NOT, // nothing is taken; it is told when the peer goes, and of room
};

struct hx_peer {
    struct hx_end end;
    enum hx_class class;
    enum hx_listen listen;
    bool is_open;
    bool wants_room; // the service's: it shall be told once there is room for a message
    bool is_closed;  // the peer has gone or lies
    bool in_sleeps, out_sleeps;
    uint32_t awaited; // states for which it lies down: what was armed, not what is true by now
};

enum hx_turn_kind {
    HX_TURN_MESSAGE,
    HX_TURN_ROOM,   // wants_room was set, and there is
    HX_TURN_CLOSED, // everything was taken, and no more comes: close it
};

struct hx_turn {
    enum hx_turn_kind kind;
    struct hx_peer *peer;
    struct hx_slot message;
};

struct hx_loop {
    struct hx_peer *peers;
    uint32_t capacity;
    uint32_t last[HX_CLASSES]; // who had the last turn
    struct hx_picker picker;
    uint32_t taken; // since it was last looked for peers that have gone
};

// Borrows zeroed storage for up to HX_PEERS_MAX connections.
void hx_loop_init(struct hx_loop *loop, struct hx_peer *peers, uint32_t capacity);

// One more connection. Takes the handle on OK. HX_ERR_LIMIT: all are in use; what hx_end_open()
// returns.
HX_MUST_CHECK enum hx_status hx_loop_add(struct hx_loop *loop, handle_t handle, enum hx_class class,
                                         enum hx_listen listen, struct hx_peer **out_peer);

// A connection for a client that came to a router's listener (helix.router) with the message of
// this turn; its class is the kind of the message. Statuses as above; what hx_end_take_handle()
// returns.
HX_MUST_CHECK enum hx_status hx_loop_accept(struct hx_loop *loop, const struct hx_turn *turn,
                                            enum hx_listen listen, struct hx_peer **out_peer);

// Closes one.
void hx_loop_remove(struct hx_peer *peer);

// Waits until there is something to do, and says what. HX_ERR_TIMED_OUT, HX_ERR_INTERRUPTED.
HX_MUST_CHECK enum hx_status hx_loop_next(struct hx_loop *loop, time_ns_t deadline,
                                          struct hx_turn *out_turn);

// The answer to the request that was taken last; never waits.
void hx_loop_answer(struct hx_peer *peer, const struct hx_slot *answer);

// Sends a message if there is room. HX_ERR_WOULD_BLOCK: there is none; HX_ERR_PEER_DIED.
HX_MUST_CHECK enum hx_status hx_loop_send(struct hx_peer *peer, const struct hx_slot *message);
