// SPDX-License-Identifier: MIT OR Apache-2.0
// bench/ring.c: messages of 56 bytes through rings in shared memory, between two processes that
// sleep in between. On Helix the rings are a channel's; on a kernel without channels they lie in
// shared memory, and futexes on their positions put to sleep and wake.
#include "bench.h"

#include <helix/channel.h>

#include <errno.h>
#include <linux/futex.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define SLOTS 16u

struct side {
    int64_t handle; // 0: there are no channels
    struct hx_producer out;
    struct hx_consumer in;
};

static struct side ours;
static void *shared; // where there are no channels
static pid_t peer;

static void open_side(struct side *side, struct hx_channel_view *view) {
    if (hx_channel_sides(view, &side->out, &side->in) != HX_OK) {
        _exit(1);
    }
}

static void open_channel(struct side *side) {
    struct hx_channel_view view;
    if (syscall(HX_CALL_channel_map, side->handle, &view) != 0) {
        _exit(1);
    }
    open_side(side, &view);
}

static void open_shared(struct side *side, uint32_t end) {
    struct hx_channel_view view = { .address = (uintptr_t)shared, .slots = SLOTS, .end = end };
    open_side(side, &view);
}

// ---- the two ways to sleep until there is a message

static void sleep_on_channel(struct side *side) {
    hx_consumer_sleep(&side->in);
    syscall(HX_CALL_channel_wait, side->handle, HX_STATE_READABLE, side->in.tail, side->in.sleep,
            TIME_NEVER);
    hx_consumer_awake(&side->in);
}

static void call_on_channel(struct side *side) {
    hx_consumer_sleep(&side->in);
    syscall(HX_CALL_channel_call, side->handle, side->in.tail, side->in.sleep, TIME_NEVER);
    hx_consumer_awake(&side->in);
}

static long futex(_Atomic uint64_t *position, int operation, uint32_t value) {
    return syscall(SYS_futex, position, operation, value, NULL, NULL, 0);
}

static void call_by_futex(struct side *side) {
    futex(&side->out.ring->tail, FUTEX_WAKE, 1);
    futex(&side->in.ring->tail, FUTEX_WAIT, (uint32_t)side->in.tail);
}

// Shows what was put and waits for the next message; the processor goes to the peer at once.
static void call(struct side *side) {
    (void)hx_ring_release(&side->in);
    (void)hx_ring_publish(&side->out); // the peer is told in any case
    if (side->handle == 0) {
        call_by_futex(side);
    } else {
        call_on_channel(side);
    }
}

// The same in two steps, as a sender does that does not expect an answer at once.
static void wake_and_wait(struct side *side) {
    (void)hx_ring_release(&side->in);
    const bool must_wake = hx_ring_publish(&side->out);
    if (side->handle == 0) {
        call_by_futex(side);
        return;
    }
    if (must_wake) {
        syscall(HX_CALL_channel_notify, side->handle, HX_STATE_READABLE);
    }
    sleep_on_channel(side);
}

// ---- the peer

static bool is_closed(const struct side *side) {
    struct hx_wait_item item = { .handle = (handle_t)side->handle, .mask = HX_STATE_CLOSED };
    return side->handle != 0 && syscall(HX_CALL_wait, &item, 1, 0) == 1;
}

// Answers each message with a number that is one higher.
static void answer(struct side *side, void (*step)(struct side *side)) {
    struct hx_slot message;
    uint32_t idle = 0;
    for (;;) {
        while (hx_ring_get(&side->in, &message) == HX_OK) {
            message.data[0]++;
            if (hx_ring_put(&side->out, &message) != HX_OK) {
                _exit(1);
            }
            idle = 0;
        }
        if (++idle > 2 && is_closed(side)) {
            _exit(0);
        }
        step(side);
    }
}

static bool start_on_channel(void (*step)(struct side *side)) {
    handle_t ends[2];
    if (syscall(HX_CALL_channel_create, SLOTS, ends) != 0 ||
        syscall(HX_CALL_handle_bequeath, ends[1]) != 0) {
        return false;
    }
    peer = fork();
    if (peer == 0) {
        struct side side = { .handle = syscall(HX_CALL_handle_given) };
        open_channel(&side);
        answer(&side, step);
    }
    ours.handle = ends[0];
    open_channel(&ours);
    return peer > 0;
}

static bool start_shared(void (*step)(struct side *side)) {
    shared = mmap(NULL, hx_channel_bytes(SLOTS), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
                  -1, 0);
    if (shared == MAP_FAILED) {
        return false;
    }
    peer = fork();
    if (peer == 0) {
        struct side side = { 0 };
        open_shared(&side, 1);
        answer(&side, step);
    }
    ours.handle = 0;
    open_shared(&ours, 0);
    return peer > 0;
}

static bool prepare(void (*step)(struct side *side)) {
    const bool has_channels = syscall(HX_CALL_handle_given) != -1 || errno == -HX_ERR_NOT_FOUND;
    return has_channels ? start_on_channel(step) : start_shared(step);
}

static void clean(void) {
    if (ours.handle != 0) {
        syscall(HX_CALL_handle_close, ours.handle);
    } else {
        kill(peer, SIGKILL);
        munmap(shared, hx_channel_bytes(SLOTS));
    }
    waitpid(peer, NULL, 0);
}

static uint64_t rounds(unsigned count, void (*step)(struct side *side)) {
    unsigned good = 0;
    uint64_t start = bench_now();
    for (unsigned i = 0; i < count; i++) {
        struct hx_slot message = { .length = HX_SLOT_BYTES, .data = { (uint8_t)i } };
        good += hx_ring_put(&ours.out, &message) == HX_OK;
        do {
            step(&ours);
        } while (hx_ring_ready(&ours.in) == 0);
        good += hx_ring_get(&ours.in, &message) == HX_OK && message.data[0] == (uint8_t)(i + 1);
    }
    return bench_took(start, good == 2 * count);
}

static bool call_prepare(void) {
    return prepare(call);
}

static uint64_t call_round(unsigned count) {
    return rounds(count, call);
}

static bool message_prepare(void) {
    return prepare(wake_and_wait);
}

static uint64_t message_round(unsigned count) {
    return rounds(count, wake_and_wait);
}

static const struct bench_operation operations[] = {
    { "ring_call", 300, call_prepare, call_round, clean },
    { "ring_pingpong", 300, message_prepare, message_round, clean },
};
BENCH_MAIN(operations)
