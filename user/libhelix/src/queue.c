// SPDX-License-Identifier: MIT OR Apache-2.0
// user/libhelix/src/queue.c: a queue of many that sleep.
//
// Who finds nothing says that it waits, reads a word, looks once more, and sleeps while the word is
// the same. Who has put something looks whether anybody waits, and changes the word then. Between
// saying and looking is a fence on both sides, so that one of them sees the other.
#include <libhelix/queue.h>

#include <errno.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

// One of its two sides.
struct side {
    _Atomic uint32_t *word;    // of those who wake it
    _Atomic uint32_t *waiting; // how many wait
};

enum hx_status hx_queue_init(struct hx_queue *queue, struct hx_slot *slots, uint32_t count) {
    *queue = (struct hx_queue){ 0 };
    return hx_many_init(&queue->ring, slots, count, 0);
}

static void wake(struct side side, uint32_t count) {
    atomic_thread_fence(memory_order_seq_cst); // behind what was passed on
    if (atomic_load_explicit(side.waiting, memory_order_relaxed) == 0) {
        return;
    }
    atomic_fetch_add_explicit(side.word, 1, memory_order_seq_cst);
    syscall(SYS_futex, side.word, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, count, NULL, NULL, 0);
}

static enum hx_status sleep_on(struct side side, uint32_t seen, time_ns_t deadline) {
    const struct timespec at = { deadline / 1000000000, deadline % 1000000000 };
    const long result = syscall(SYS_futex, side.word, FUTEX_WAIT_BITSET | FUTEX_PRIVATE_FLAG, seen,
                                deadline == TIME_NEVER ? NULL : &at, NULL, FUTEX_BITSET_MATCH_ANY);
    return result != 0 && errno == ETIMEDOUT ? HX_ERR_TIMED_OUT : HX_OK;
}

static uint32_t try_put(struct hx_queue *queue, const struct hx_slot *messages, uint32_t count) {
    const uint32_t put = hx_many_put(&queue->ring, messages, count);
    if (put != 0) {
        wake((struct side){ &queue->puts, &queue->takers }, put);
    }
    return put;
}

static uint32_t try_take(struct hx_queue *queue, struct hx_slot *messages, uint32_t max) {
    const uint32_t taken = hx_many_get(&queue->ring, messages, max);
    if (taken != 0) {
        wake((struct side){ &queue->takes, &queue->putters }, taken);
    }
    return taken;
}

enum hx_status hx_queue_put(struct hx_queue *queue, const struct hx_slot *messages, uint32_t count,
                            time_ns_t deadline, uint32_t *out_put) {
    const struct side side = { &queue->takes, &queue->putters };
    enum hx_status status = HX_OK;
    *out_put = try_put(queue, messages, count);
    while (*out_put == 0 && count != 0 && status == HX_OK) {
        atomic_fetch_add_explicit(side.waiting, 1, memory_order_relaxed);
        const uint32_t seen = atomic_load_explicit(side.word, memory_order_relaxed);
        atomic_thread_fence(memory_order_seq_cst); // before the second look
        *out_put = try_put(queue, messages, count);
        if (*out_put == 0) {
            status = sleep_on(side, seen, deadline);
        }
        atomic_fetch_sub_explicit(side.waiting, 1, memory_order_relaxed);
    }
    return status;
}

enum hx_status hx_queue_take(struct hx_queue *queue, struct hx_slot *messages, uint32_t max,
                             time_ns_t deadline, uint32_t *out_taken) {
    const struct side side = { &queue->puts, &queue->takers };
    enum hx_status status = HX_OK;
    *out_taken = try_take(queue, messages, max);
    while (*out_taken == 0 && max != 0 && status == HX_OK) {
        atomic_fetch_add_explicit(side.waiting, 1, memory_order_relaxed);
        const uint32_t seen = atomic_load_explicit(side.word, memory_order_relaxed);
        atomic_thread_fence(memory_order_seq_cst); // before the second look
        *out_taken = try_take(queue, messages, max);
        if (*out_taken == 0) {
            status = sleep_on(side, seen, deadline);
        }
        atomic_fetch_sub_explicit(side.waiting, 1, memory_order_relaxed);
    }
    return status;
}
