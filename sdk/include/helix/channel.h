// SPDX-License-Identifier: MIT OR Apache-2.0
// <helix/channel.h>: what lies where in the shared memory of a channel.
//
// A page with the positions of both rings, then the slots of ring 0, then those of ring 1. End k
// produces into ring k and consumes from the other one. Both start at position 0: an end changes
// hands before its first message.
//
// To sleep, here until there is a message:
//
//     hx_ring_release(c); hx_consumer_sleep(c);
//     status = channel_wait(handle, READABLE, c->tail, c->sleep, deadline);
//     hx_consumer_awake(c);
//
// Whoever sends a request and waits for the answer, or answers and waits for the next request, does
// the same with channel_call, whatever hx_ring_publish() said: the processor goes straight to the
// thread that waits at the other end, and without a barrier, because that thread has no store
// pending while it is asleep, and finds this side's sleep when it is awake. This assumes that who
// waits for READABLE there is the thread that the other producer belongs to. HX_ERR_PEER_DIED means
// that nothing is to come.
#pragma once

#include <helix/native.h>
#include <helix/ring.h>

#define HX_CHANNEL_HEAD_BYTES 4096u

// `slots` as hx_ring_count_is_valid() takes it; whole pages.
static inline uint64_t hx_channel_bytes(uint32_t slots) {
    return HX_CHANNEL_HEAD_BYTES +
           ALIGN_UP(2u * (uint64_t)slots * sizeof(struct hx_slot), (uint64_t)HX_CHANNEL_HEAD_BYTES);
}

// The sides of an end that channel_map has mapped. HX_ERR_INVALID: `view` is not from there.
static inline enum hx_status hx_channel_sides(const struct hx_channel_view *view,
                                              struct hx_producer *producer,
                                              struct hx_consumer *consumer) {
    struct hx_ring *rings = (struct hx_ring *)(uintptr_t)view->address;
    struct hx_slot *slots = (struct hx_slot *)(uintptr_t)(view->address + HX_CHANNEL_HEAD_BYTES);
    const uint32_t mine = view->end, other = 1 - mine;
    if (mine > 1) {
        return HX_ERR_INVALID;
    }
    enum hx_status status = hx_producer_init(producer, &rings[mine],
                                             slots + (uint64_t)mine * view->slots, view->slots, 0);
    return status == HX_OK ? hx_consumer_init(consumer, &rings[other],
                                              slots + (uint64_t)other * view->slots, view->slots, 0)
                           : status;
}
