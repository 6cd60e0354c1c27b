// SPDX-License-Identifier: MIT OR Apache-2.0
// <libhelix/end.h>: one end of a channel, as a program uses it: messages in and out, singly and in
// batches, and handles along with messages.
//
// A message is a struct hx_slot: up to HX_SLOT_BYTES bytes, a kind and flags. The kernel is entered
// only to sleep, to wake, and for handles. What is over <helix/ring.h> may be used beside this:
// `out` and `in` are its two sides. An end belongs to one thread at a time.
//
// A revoked end loses its memory at once: whoever is in the middle of a message dies by SIGSEGV
// unless it is prepared for that; who sleeps or enters the kernel is told HX_ERR_REVOKED.
#pragma once

#include <helix/channel.h>
#include <libhelix/calls.h>

struct hx_end {
    handle_t handle;
    struct hx_channel_view view;
    struct hx_producer out;
    struct hx_consumer in;
    uint64_t sleeps; // so many times it slept
};

// A flag of a message: a handle was sent with it. The other bits are the program's.
#define HX_MESSAGE_HANDLE ((uint8_t)0x80)

// A message of `length` bytes, at most HX_SLOT_BYTES (the rest is cut off); borrows `data`.
struct hx_slot hx_message(uint16_t kind, const void *data, size_t length);

// Maps the channel and begins. Takes the handle on OK; whose end it is must not have used it.
// What channel_map returns.
HX_MUST_CHECK enum hx_status hx_end_open(struct hx_end *end, handle_t handle);

// The memory and the handle go; the peer is told.
void hx_end_close(struct hx_end *end);

// Waits until there is room for one message, puts as many as there is room for and shows them.
// HX_ERR_PEER_DIED: the peer has closed and not taken them, which is noticed when it should wake or
// give back slots;
// HX_ERR_CORRUPT: it lies; HX_ERR_REVOKED; HX_ERR_TIMED_OUT; HX_ERR_INTERRUPTED.
HX_MUST_CHECK enum hx_status hx_end_send(struct hx_end *end, const struct hx_slot *messages,
                                         uint32_t count, time_ns_t deadline, uint32_t *out_sent);

// The same until all are sent. On another status some may have been.
HX_MUST_CHECK enum hx_status hx_end_send_all(struct hx_end *end, const struct hx_slot *messages,
                                             uint32_t count, time_ns_t deadline);

// Sends a message and takes the next one that comes: a request and its answer, or an answer and the
// next request. The processor goes to the peer, if it waits, and comes back with its message. As
// hx_end_send() and hx_end_receive(); on HX_ERR_TIMED_OUT and HX_ERR_INTERRUPTED the message has
// been sent, unless there was no room for it.
HX_MUST_CHECK enum hx_status hx_end_call(struct hx_end *end, const struct hx_slot *message,
                                         struct hx_slot *out_answer, time_ns_t deadline);

// Sends a message and, with it, a handle, which needs DELEGATE and is closed here on OK.
// Also what channel_send returns; HX_ERR_WOULD_BLOCK: too many handles are on their way.
// After HX_ERR_TIMED_OUT or HX_ERR_INTERRUPTED nothing was sent.
HX_MUST_CHECK enum hx_status hx_end_send_handle(struct hx_end *end, const struct hx_slot *message,
                                                handle_t sent, time_ns_t deadline);

// Waits for one message, takes up to `max` and gives their slots back; with 0 it only waits. What a
// peer sent before it closed still comes. Statuses as of hx_end_send().
HX_MUST_CHECK enum hx_status hx_end_receive(struct hx_end *end, struct hx_slot *messages,
                                            uint32_t max, time_ns_t deadline,
                                            uint32_t *out_received);

// The handle that came with a message. HX_ERR_INVALID: with this one none did; and what
// channel_receive returns (HX_ERR_WOULD_BLOCK: the peer lied).
HX_MUST_CHECK enum hx_status hx_end_take_handle(struct hx_end *end, const struct hx_slot *message,
                                                handle_t *out_handle);
