// SPDX-License-Identifier: MIT OR Apache-2.0
// tests/native/channels.c: channels between processes: messages, sleeping and waking, handing over
// handles, peers that lie or die.
// RUN: musl glibc
// LIMIT: 120
#include "native.h"

#include <helix/channel.h>
#include <sched.h>

#define ALL                                                                                        \
    (HX_RIGHT_READ | HX_RIGHT_WRITE | HX_RIGHT_MAP | HX_RIGHT_SIGNAL | HX_RIGHT_WAIT |             \
     HX_RIGHT_ADMIN | HX_RIGHT_DELEGATE)

struct side {
    handle_t handle;
    struct hx_channel_view view;
    struct hx_producer out;
    struct hx_consumer in;
    uint32_t waits;
};

static void channel_new(uint32_t slots, handle_t ends[2]) {
    NEED(NATIVE(channel_create, slots, ends) == HX_OK);
}

static void side_open(struct side *side, handle_t handle) {
    *side = (struct side){ .handle = handle };
    NEED(NATIVE(channel_map, handle, &side->view) == HX_OK);
    NEED(hx_channel_sides(&side->view, &side->out, &side->in) == HX_OK);
}

static int64_t look(handle_t handle, uint32_t mask) {
    struct hx_wait_item item = { .handle = handle, .mask = mask };
    const int64_t result = NATIVE(wait, &item, 1, 0);
    return result == 1 ? (int64_t)item.out_state : result;
}

// Until one of the states is set; what is.
static uint32_t await(handle_t handle, uint32_t mask) {
    struct hx_wait_item item = { .handle = handle, .mask = mask };
    SAME(NATIVE(wait, &item, 1, TIME_NEVER), 1);
    return item.out_state;
}

static void show(struct side *side) {
    if (hx_ring_publish(&side->out)) {
        NATIVE(channel_notify, side->handle, HX_STATE_READABLE);
    }
}

static void give_back(struct side *side) {
    if (hx_ring_release(&side->in)) {
        NATIVE(channel_notify, side->handle, HX_STATE_WRITABLE);
    }
}

// False: the ring is broken, or the peer has gone.
static bool side_put(struct side *side, uint64_t value) {
    struct hx_slot message = { .length = sizeof(value), .kind = 5 };
    enum hx_status status;
    bool lives = true;
    memcpy(message.data, &value, sizeof(value));
    while ((status = hx_ring_put(&side->out, &message)) == HX_ERR_WOULD_BLOCK && lives) {
        show(side);
        hx_producer_sleep(&side->out);
        SAME(NATIVE(channel_arm, side->handle, HX_STATE_WRITABLE), HX_OK);
        if (hx_producer_must_wait(&side->out)) {
            side->waits++;
            lives =
                (await(side->handle, HX_STATE_WRITABLE | HX_STATE_CLOSED) & HX_STATE_CLOSED) == 0;
        }
        hx_producer_awake(&side->out);
    }
    return status == HX_OK;
}

static bool side_get(struct side *side, uint64_t *out_value) {
    struct hx_slot message;
    enum hx_status status;
    bool lives = true;
    while ((status = hx_ring_get(&side->in, &message)) == HX_ERR_WOULD_BLOCK && lives) {
        give_back(side);
        hx_consumer_sleep(&side->in);
        SAME(NATIVE(channel_arm, side->handle, HX_STATE_READABLE), HX_OK);
        if (hx_consumer_must_wait(&side->in)) {
            side->waits++;
            lives =
                (await(side->handle, HX_STATE_READABLE | HX_STATE_CLOSED) & HX_STATE_CLOSED) == 0;
        }
        hx_consumer_awake(&side->in);
    }
    memcpy(out_value, message.data, sizeof(*out_value));
    return status == HX_OK;
}

// A child that runs body() with the end that it was given.
static pid_t child_with(handle_t end, void (*body)(handle_t end)) {
    NEED(NATIVE(handle_bequeath, end) == HX_OK);
    const pid_t pid = fork();
    NEED(pid >= 0);
    if (pid == 0) {
        const int64_t given = NATIVE(handle_given);
        NEED(given > 0);
        body((handle_t)given);
        _exit(check_failures != 0);
    }
    return pid;
}

static void ends(void) {
    handle_t pair[2];
    struct hx_handle_info info;
    static const uint64_t wrong[] = { 0, 3, 4097, 8192, UINT64_C(1) << 32, UINT64_MAX };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        SAME(NATIVE(channel_create, wrong[i], pair), HX_ERR_INVALID);
    }
    SAME(NATIVE(channel_create, 4, 8), HX_ERR_BAD_ADDRESS);
    channel_new(4, pair);
    SAME(NATIVE(handle_info, pair[1], &info), HX_OK);
    SAME(info.object, HX_OBJECT_CHANNEL);
    SAME(info.rights, ALL);
    SAME(look(pair[0], HX_STATE_READABLE | HX_STATE_WRITABLE | HX_STATE_CLOSED), HX_ERR_TIMED_OUT);
    SAME(NATIVE(channel_notify, pair[1], HX_STATE_READABLE | HX_STATE_WRITABLE), HX_OK);
    SAME(look(pair[0], HX_STATE_READABLE | HX_STATE_WRITABLE),
         HX_STATE_READABLE | HX_STATE_WRITABLE);
    SAME(look(pair[1], HX_STATE_READABLE | HX_STATE_WRITABLE), HX_ERR_TIMED_OUT);
    SAME(NATIVE(channel_arm, pair[0], HX_STATE_READABLE), HX_OK);
    SAME(look(pair[0], HX_STATE_READABLE | HX_STATE_WRITABLE), HX_STATE_WRITABLE);
    SAME(NATIVE(channel_notify, pair[0], HX_STATE_CLOSED), HX_ERR_INVALID);
    SAME(NATIVE(channel_arm, pair[0], HX_STATE_CLOSED), HX_ERR_INVALID);
    SAME(NATIVE(channel_map, pair[0], 8), HX_ERR_BAD_ADDRESS);
    SAME(NATIVE(handle_close, pair[0]), HX_OK);
    SAME(await(pair[1], HX_STATE_CLOSED), HX_STATE_CLOSED);
    SAME(NATIVE(channel_notify, pair[1], HX_STATE_READABLE), HX_ERR_PEER_DIED);
    SAME(NATIVE(channel_map, pair[0], &info), HX_ERR_BAD_HANDLE);
    const int64_t event = NATIVE(event_create, 0);
    SAME(NATIVE(channel_notify, event, HX_STATE_READABLE), HX_ERR_BAD_HANDLE);
    SAME(NATIVE(channel_send, pair[1], event), HX_ERR_PEER_DIED);
    SAME(NATIVE(handle_info, event, &info), HX_OK); // still here
}

static void rights(void) {
    handle_t pair[2], weak;
    channel_new(4, pair);
    const struct {
        rights_t without;
        int call;
    } needs[] = {
        { HX_RIGHT_MAP, HX_CALL_channel_map },      { HX_RIGHT_READ, HX_CALL_channel_map },
        { HX_RIGHT_WRITE, HX_CALL_channel_map },    { HX_RIGHT_SIGNAL, HX_CALL_channel_notify },
        { HX_RIGHT_WAIT, HX_CALL_channel_arm },     { HX_RIGHT_WRITE, HX_CALL_channel_send },
        { HX_RIGHT_READ, HX_CALL_channel_receive },
    };
    for (size_t i = 0; i < sizeof(needs) / sizeof(needs[0]); i++) {
        weak = (handle_t)NATIVE(handle_derive, pair[0], ALL & ~needs[i].without);
        SAME(native_result(syscall(needs[i].call, weak, 0)), HX_ERR_ACCESS_DENIED);
    }
    weak = (handle_t)NATIVE(handle_derive, pair[0], ALL & ~HX_RIGHT_DELEGATE);
    SAME(NATIVE(channel_send, pair[1], weak), HX_ERR_ACCESS_DENIED);
    SAME(NATIVE(handle_bequeath, weak), HX_ERR_ACCESS_DENIED);
    SAME(NATIVE(handle_close, weak), HX_OK); // it was not taken
    SAME(NATIVE(handle_given), HX_ERR_NOT_FOUND);
}

// ---- messages

#define ROUNDS 500u

static void echo(handle_t end) {
    struct side side;
    uint64_t value;
    SAME(NATIVE(handle_given), HX_ERR_NOT_FOUND);
    side_open(&side, end);
    while (side_get(&side, &value)) {
        give_back(&side);
        if (!side_put(&side, value + 1)) {
            break;
        }
        show(&side);
    }
    CHECK(!side.in.broken && !side.out.broken);
}

static void ping_pong(void) {
    handle_t pair[2];
    struct side side;
    uint64_t value = 0;
    channel_new(2, pair);
    const pid_t pid = child_with(pair[1], echo);
    SAME(NATIVE(handle_close, pair[1]), HX_ERR_BAD_HANDLE); // it has moved
    side_open(&side, pair[0]);
    for (uint64_t i = 0; i < ROUNDS; i++) {
        NEED(side_put(&side, i));
        show(&side);
        NEED(side_get(&side, &value));
        SAME(value, i + 1);
        give_back(&side);
    }
    SAME(NATIVE(handle_close, pair[0]), HX_OK); // the child sees it and ends
    SAME(check_wait(pid), 0);
}

#define STREAM 40000u

static void count(handle_t end) {
    struct side side;
    uint64_t value = 0, expected = 0;
    side_open(&side, end);
    while (side_get(&side, &value)) {
        NEED(value == expected);
        expected++;
        if (expected % 7 == 0) {
            give_back(&side);
        }
    }
    SAME(expected, STREAM);
}

static void batches(void) {
    handle_t pair[2];
    struct side side;
    channel_new(16, pair);
    const pid_t pid = child_with(pair[0], count); // end 0 is the child's here
    side_open(&side, pair[1]);
    SAME(side.view.end, 1);
    for (uint64_t i = 0; i < STREAM; i++) {
        NEED(side_put(&side, i));
        if (i % 5 == 0) {
            show(&side);
        }
    }
    show(&side);
    CHECK(side.waits > 0);
    while (hx_ring_room(&side.out) != 16) { // it has taken all
        hx_ring_look_for_room(&side.out);
        sched_yield();
    }
    SAME(NATIVE(handle_close, pair[1]), HX_OK);
    SAME(check_wait(pid), 0);
}

// ---- peers that lie, die, or lose their rights

static void scribble(handle_t end) {
    struct side side;
    side_open(&side, end);
    uint64_t *words = (uint64_t *)(uintptr_t)side.view.address;
    const uint64_t count_words = hx_channel_bytes(side.view.slots) / 8;
    uint64_t state = 88172645463325252u;
    for (int i = 0; i < 400000; i++) {
        state ^= state << 13, state ^= state >> 7, state ^= state << 17;
        // Mostly the positions, with likely values.
        words[i % 4 == 0 ? state % count_words : state % 96] = i % 3 == 0 ? state : state % 64;
        if (i % 1000 == 0) {
            NATIVE(channel_notify, end, HX_STATE_READABLE | HX_STATE_WRITABLE);
        }
    }
}

static void hostile(void) {
    handle_t pair[2];
    channel_new(8, pair);
    struct hx_slot message = { .length = 8 };
    struct side side;
    const pid_t pid = child_with(pair[1], scribble);
    side_open(&side, pair[0]);
    uint64_t room_max = 0, bad = 0;
    while (look(pair[0], HX_STATE_CLOSED) != HX_STATE_CLOSED) {
        for (int i = 0; i < 50; i++) {
            room_max = hx_ring_room(&side.out) > room_max ? hx_ring_room(&side.out) : room_max;
            (void)hx_ring_put(&side.out, &message);
            bad += hx_ring_get(&side.in, &message) == HX_OK && message.length > HX_SLOT_BYTES;
            message.length = 8;
            show(&side);
            give_back(&side);
        }
    }
    SAME(check_wait(pid), 0);
    CHECK(side.out.broken || side.in.broken);
    CHECK(room_max <= 8 && bad == 0);
}

static void wait_for_ever(handle_t end) {
    NATIVE(channel_notify, end, HX_STATE_READABLE);
    await(end, HX_STATE_READABLE);
}

static void peer_dies(void) {
    handle_t pair[2];
    for (int i = 0; i < 20; i++) {
        channel_new(4, pair);
        const pid_t pid = child_with(pair[1], wait_for_ever);
        SAME(await(pair[0], HX_STATE_READABLE), HX_STATE_READABLE);
        SAME(kill(pid, SIGKILL), 0);
        SAME(await(pair[0], HX_STATE_CLOSED), HX_STATE_CLOSED);
        CHECK(WIFSIGNALED(check_wait(pid)));
        SAME(NATIVE(handle_close, pair[0]), HX_OK);
    }
}

// Produces until it is stopped: by the loss of its mapping, in the middle of anything.
static void produce(handle_t end) {
    struct side side;
    side_open(&side, end);
    for (uint64_t i = 0;; i++) {
        const struct hx_slot message = { .length = 8 };
        if (hx_ring_put(&side.out, &message) != HX_OK) {
            hx_ring_look_for_room(&side.out);
        }
        show(&side);
    }
}

static void revoked_in_midstream(void) {
    handle_t pair[2];
    struct side side;
    uint64_t value;
    channel_new(8, pair);
    const handle_t revocable = (handle_t)NATIVE(handle_derive, pair[1], ALL);
    const handle_t childs = (handle_t)NATIVE(handle_derive, revocable, ALL);
    const pid_t pid = child_with(childs, produce);
    side_open(&side, pair[0]);
    for (int i = 0; i < 1000; i++) {
        NEED(side_get(&side, &value));
        give_back(&side);
    }
    SAME(NATIVE(handle_revoke, revocable), HX_OK);
    // From here on nothing comes that was not there.
    hx_ring_look_for_messages(&side.in);
    const uint64_t tail = atomic_load(&side.in.ring->tail);
    CHECK(WIFSIGNALED(check_wait(pid)));
    SAME(atomic_load(&side.in.ring->tail), tail);
    SAME(look(pair[0], HX_STATE_CLOSED), HX_ERR_TIMED_OUT); // the root is still held
}

// ---- handing over

#define USER(n) (1u << (8 + (n)))

static void handed_over(void) {
    handle_t pair[2];
    struct hx_handle_info info;
    channel_new(4, pair);
    SAME(NATIVE(channel_receive, pair[0]), HX_ERR_WOULD_BLOCK);
    for (uint32_t i = 0; i < 16; i++) {
        const int64_t made = NATIVE(event_create, USER(i % 8));
        SAME(NATIVE(channel_send, pair[0], made), HX_OK);
    }
    const int64_t event = NATIVE(event_create, 0);
    SAME(NATIVE(channel_send, pair[0], event), HX_ERR_WOULD_BLOCK);
    SAME(NATIVE(handle_info, event, &info), HX_OK);
    for (uint32_t i = 0; i < 16; i++) { // in order
        const int64_t got = NATIVE(channel_receive, pair[1]);
        NEED(got > 0);
        SAME(look((handle_t)got, HX_STATE_USER), USER(i % 8));
        SAME(NATIVE(handle_close, got), HX_OK);
    }
    SAME(NATIVE(channel_receive, pair[1]), HX_ERR_WOULD_BLOCK);
    SAME(NATIVE(channel_send, pair[0], event), HX_OK);
    SAME(NATIVE(handle_info, event, &info), HX_ERR_BAD_HANDLE);
    SAME(NATIVE(channel_send, pair[0], event), HX_ERR_BAD_HANDLE);
}

static void use_received(handle_t end) {
    await(end, HX_STATE_READABLE);
    const int64_t event = NATIVE(channel_receive, end);
    NEED(event > 0);
    SAME(NATIVE(event_update, event, 0, USER(0)), HX_OK);
    SAME(await((handle_t)event, USER(1)), HX_STATE_REVOKED);
    SAME(NATIVE(event_update, event, 0, USER(2)), HX_ERR_REVOKED);
    NATIVE(channel_notify, end, HX_STATE_READABLE);
}

// What was derived before it was handed over is taken back there, too, and on its way.
static void handed_over_and_revoked(void) {
    handle_t pair[2];
    channel_new(4, pair);
    const handle_t event = (handle_t)NATIVE(event_create, 0);
    const handle_t mine = (handle_t)NATIVE(handle_derive, event, HX_RIGHTS_ALL);
    const int64_t theirs = NATIVE(handle_derive, mine, HX_RIGHTS_ALL);
    const int64_t late = NATIVE(handle_derive, mine, HX_RIGHTS_ALL);
    const int64_t after = NATIVE(handle_derive, mine, HX_RIGHTS_ALL);
    SAME(NATIVE(channel_send, pair[0], theirs), HX_OK);
    SAME(NATIVE(channel_send, pair[0], late), HX_OK);
    const pid_t pid = child_with(pair[1], use_received);
    SAME(NATIVE(channel_notify, pair[0], HX_STATE_READABLE), HX_OK);
    SAME(await(event, USER(0)), USER(0));
    SAME(NATIVE(handle_revoke, mine), HX_OK);
    SAME(NATIVE(channel_send, pair[0], after), HX_ERR_REVOKED);
    await(pair[0], HX_STATE_READABLE | HX_STATE_CLOSED);
    SAME(check_wait(pid), 0);
    SAME(look(event, USER(2)), HX_ERR_TIMED_OUT);
}

// What nobody received goes with the end that it was on its way to.
static void closed_on_its_way(void) {
    handle_t outer[2], inner[2];
    channel_new(4, outer);
    channel_new(4, inner);
    SAME(NATIVE(channel_send, outer[0], inner[0]), HX_OK);
    SAME(look(inner[1], HX_STATE_CLOSED), HX_ERR_TIMED_OUT);
    SAME(NATIVE(handle_close, outer[0]), HX_OK); // its peer may still receive
    SAME(await(outer[1], HX_STATE_CLOSED), HX_STATE_CLOSED);
    const int64_t got = NATIVE(channel_receive, outer[1]);
    NEED(got > 0);
    channel_new(4, outer);
    SAME(NATIVE(channel_send, outer[0], got), HX_OK);
    SAME(NATIVE(handle_close, outer[1]), HX_OK);
    SAME(await(inner[1], HX_STATE_CLOSED), HX_STATE_CLOSED);
}

// Ends that lie in each other's queues would never go.
static void no_circles(void) {
    handle_t one[2], two[2];
    channel_new(4, one);
    channel_new(4, two);
    SAME(NATIVE(channel_send, one[0], one[1]), HX_ERR_INVALID);
    SAME(NATIVE(channel_send, one[0], two[1]), HX_OK); // two[1] lies in one[1]
    SAME(NATIVE(channel_send, two[0], one[1]), HX_ERR_BUSY);
    const int64_t got = NATIVE(channel_receive, one[1]);
    NEED(got > 0);
    SAME(NATIVE(channel_send, two[0], one[1]), HX_OK);
    SAME(NATIVE(handle_close, got), HX_OK);
    SAME(await(one[0], HX_STATE_CLOSED), HX_STATE_CLOSED);
}

#define DEEP 2000u

// An end in the queue of an end, and so on: all go with the first.
static void deep(void) {
    handle_t first[2], pair[2];
    channel_new(1, first);
    handle_t sender = first[0];
    for (uint32_t i = 0; i < DEEP; i++) {
        channel_new(1, pair);
        NEED(NATIVE(channel_send, sender, pair[1]) == HX_OK);
        sender = pair[0];
    }
    SAME(NATIVE(handle_close, first[1]), HX_OK);
    SAME(await(sender, HX_STATE_CLOSED), HX_STATE_CLOSED);
}

static void given_end(handle_t end) {
    NATIVE(channel_notify, end, HX_STATE_READABLE);
}

static void bequests(void) {
    handle_t one[2], two[2];
    channel_new(4, one);
    channel_new(4, two);
    SAME(NATIVE(handle_bequeath, one[1]), HX_OK);
    SAME(NATIVE(handle_bequeath, one[1]), HX_ERR_BAD_HANDLE);
    const pid_t pid =
        child_with(two[1], given_end); // the last word counts, the first one is closed
    SAME(await(one[0], HX_STATE_CLOSED), HX_STATE_CLOSED);
    SAME(await(two[0], HX_STATE_READABLE) & HX_STATE_READABLE, HX_STATE_READABLE);
    SAME(check_wait(pid), 0);
    const pid_t second = fork(); // nothing is left for the next one
    if (second == 0) {
        SAME(NATIVE(handle_given), HX_ERR_NOT_FOUND);
        _exit(check_failures != 0);
    }
    SAME(check_wait(second), 0);
    channel_new(4, one);
    SAME(NATIVE(handle_bequeath, one[1]), HX_OK);
    const pid_t silent = fork(); // it does not ask: what it was given goes with it
    if (silent == 0) {
        _exit(0);
    }
    SAME(await(one[0], HX_STATE_CLOSED), HX_STATE_CLOSED);
    SAME(check_wait(silent), 0);
}

static const struct check_case cases[] = {
    CASE(ends),
    CASE(rights),
    CASE(ping_pong),
    CASE(batches),
    CASE(hostile),
    CASE(peer_dies),
    CASE(handed_over),
    CASE(no_circles),
    CASE(revoked_in_midstream),
    CASE(deep),
    CASE(bequests),
    CASE(handed_over_and_revoked),
    CASE(closed_on_its_way),
};
CHECK_MAIN(cases)
