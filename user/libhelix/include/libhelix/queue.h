// SPDX-License-Identifier: MIT OR Apache-2.0
// <libhelix/queue.h>: a queue between the threads of one process: many put, many take, and sleep
// when it is full or empty. The kernel is entered only to sleep and to wake.
#pragma once

#include <helix/ring_many.h>

#define HX_MUST_CHECK __attribute__((warn_unused_result))

struct hx_queue {
    struct hx_many ring;
    alignas(CACHE_LINE) _Atomic uint32_t puts; // changes when takers are woken
    _Atomic uint32_t takers;                   // who sleep, or are about to
    alignas(CACHE_LINE) _Atomic uint32_t takes;
    _Atomic uint32_t putters;
};

// Empty. Borrows the slots, from 2 up, a power of two. HX_ERR_INVALID: there cannot be so many.
HX_MUST_CHECK enum hx_status hx_queue_init(struct hx_queue *queue, struct hx_slot *slots,
                                           uint32_t count);

// Waits until there is room for one message and puts as many as there is room for, in their order
// and nobody's between them; how many. The deadline is a moment of CLOCK_MONOTONIC, TIME_NEVER:
// none. HX_ERR_TIMED_OUT.
HX_MUST_CHECK enum hx_status hx_queue_put(struct hx_queue *queue, const struct hx_slot *messages,
                                          uint32_t count, time_ns_t deadline, uint32_t *out_put);

// Waits until there is a message and takes as many as there are, up to `max`.
HX_MUST_CHECK enum hx_status hx_queue_take(struct hx_queue *queue, struct hx_slot *messages,
                                           uint32_t max, time_ns_t deadline, uint32_t *out_taken);
