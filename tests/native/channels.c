// SPDX-License-Identifier: MIT OR Apache-2.0
// tests/native/channels.c: channels between processes: messages, sleeping and waking, handing over
// handles, peers that lie or die.
// RUN: musl glibc
#include "native.h"

#include <libhelix/end.h>
#include <libhelix/wait.h>
#include <sched.h>

#define ALL                                                                                        \
    (HX_RIGHT_READ | HX_RIGHT_WRITE | HX_RIGHT_MAP | HX_RIGHT_SIGNAL | HX_RIGHT_WAIT |             \
     HX_RIGHT_ADMIN | HX_RIGHT_DELEGATE)

static void channel_new(uint32_t slots, handle_t ends[2]) {
    NEED(hx_channel_create(slots, ends) == HX_OK);
}

static int64_t look(handle_t handle, uint32_t mask) {
    struct hx_wait_item item = { .handle = handle, .mask = mask };
    const int64_t result = NATIVE(wait, &item, 1, 0);
    return result == 1 ? (int64_t)item.out_state : result;
}

// Until one of the states is set; what is.
static uint32_t await(handle_t handle, uint32_t mask) {
    uint32_t state = 0;
    enum hx_status status = hx_wait_one(handle, mask, TIME_NEVER, &state);
    CHECK(status == HX_OK || status == HX_ERR_REVOKED);
    return status == HX_ERR_REVOKED ? HX_STATE_REVOKED : state;
}

static struct hx_slot number(uint64_t value) {
    return hx_message(5, &value, sizeof(value));
}

static enum hx_status send_number(struct hx_end *end, uint64_t value) {
    const struct hx_slot message = number(value);
    return hx_end_send_all(end, &message, 1, TIME_NEVER);
}

static enum hx_status receive_number(struct hx_end *end, uint64_t *out_value) {
    struct hx_slot message;
    uint32_t received = 0;
    enum hx_status status = hx_end_receive(end, &message, 1, TIME_NEVER, &received);
    if (status == HX_OK) {
        SAME(received, 1);
        SAME(message.length, sizeof(*out_value));
        memcpy(out_value, message.data, sizeof(*out_value));
    }
    return status;
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

static void echo(handle_t handle) {
    struct hx_end end;
    uint64_t value;
    SAME(NATIVE(handle_given), HX_ERR_NOT_FOUND);
    NEED(hx_end_open(&end, handle) == HX_OK);
    while (receive_number(&end, &value) == HX_OK) {
        SAME(send_number(&end, value + 1), HX_OK);
    }
    CHECK(!end.in.broken && !end.out.broken);
    hx_end_close(&end);
}

static void ping_pong(void) {
    handle_t pair[2];
    struct hx_end end;
    uint64_t value = 0;
    channel_new(2, pair);
    const pid_t pid = child_with(pair[1], echo);
    SAME(NATIVE(handle_close, pair[1]), HX_ERR_BAD_HANDLE); // it has moved
    NEED(hx_end_open(&end, pair[0]) == HX_OK);
    for (uint64_t i = 0; i < ROUNDS; i++) {
        NEED(send_number(&end, i) == HX_OK);
        NEED(receive_number(&end, &value) == HX_OK);
        SAME(value, i + 1);
    }
    hx_end_close(&end); // the child sees it and ends
    SAME(NATIVE(handle_close, pair[0]), HX_ERR_BAD_HANDLE);
    SAME(check_wait(pid), 0);
}

#define STREAM 8000u

// Takes batches of several sizes until its peer closes: all of them come, in order.
static void count(handle_t handle) {
    struct hx_end end;
    struct hx_slot batch[7];
    uint64_t expected = 0;
    uint32_t received = 0;
    enum hx_status status;
    NEED(hx_end_open(&end, handle) == HX_OK);
    while ((status = hx_end_receive(&end, batch, 1 + expected % 7, TIME_NEVER, &received)) ==
           HX_OK) {
        NEED(received != 0 && received <= 1 + expected % 7);
        for (uint32_t i = 0; i < received; i++) {
            uint64_t value;
            memcpy(&value, batch[i].data, sizeof(value));
            NEED(value == expected++);
        }
    }
    SAME(status, HX_ERR_PEER_DIED);
    SAME(expected, STREAM);
    CHECK(end.sleeps != 0);
}

static void batches(void) {
    handle_t pair[2];
    struct hx_end end;
    struct hx_slot batch[40]; // more than there is room for at once
    channel_new(16, pair);
    const pid_t pid = child_with(pair[0], count); // end 0 is the child's here
    NEED(hx_end_open(&end, pair[1]) == HX_OK);
    SAME(end.view.end, 1);
    for (uint64_t i = 0; i < STREAM;) {
        const uint32_t size = i % 41 < STREAM - i ? (uint32_t)(i % 41) : (uint32_t)(STREAM - i);
        for (uint32_t k = 0; k < size; k++) {
            batch[k] = number(i + k);
        }
        NEED(hx_end_send_all(&end, batch, size, TIME_NEVER) == HX_OK);
        i += size;
        if (size == 0) {
            NEED(send_number(&end, i++) == HX_OK);
        }
    }
    CHECK(end.sleeps != 0);
    hx_end_close(&end); // what it has not taken yet still comes
    SAME(check_wait(pid), 0);
}

// Nobody takes and nobody sends: each wait has its end, and nothing was sent.
static void deadlines(void) {
    handle_t pair[2];
    struct hx_end end, other;
    struct hx_slot messages[5];
    uint32_t n = 99;
    channel_new(4, pair);
    NEED(hx_end_open(&end, pair[0]) == HX_OK && hx_end_open(&other, pair[1]) == HX_OK);
    SAME(hx_end_receive(&end, messages, 1, hx_after(1000000), &n), HX_ERR_TIMED_OUT);
    for (uint64_t i = 0; i < 5; i++) {
        messages[i] = number(i);
    }
    SAME(hx_end_send(&end, messages, 5, 0, &n), HX_OK);
    SAME(n, 4);
    SAME(hx_end_send(&end, messages, 1, hx_after(1000000), &n), HX_ERR_TIMED_OUT);
    SAME(n, 4);
    handle_t event;
    NEED(hx_event_create(0, &event) == HX_OK);
    SAME(hx_end_send_handle(&end, messages, event, 0), HX_ERR_TIMED_OUT);
    SAME(hx_end_receive(&other, messages, 5, TIME_NEVER, &n), HX_OK);
    SAME(n, 4);
    SAME(hx_end_send_handle(&end, messages, event, 0), HX_OK);
    SAME(hx_handle_close(event), HX_ERR_BAD_HANDLE);
    SAME(hx_end_receive(&other, messages, 5, 0, &n), HX_OK);
    SAME(hx_end_take_handle(&other, &messages[0], &event), HX_OK);
    SAME(hx_event_update(event, 0, 0x100), HX_OK);
    SAME(hx_end_take_handle(&other, &messages[1], &event), HX_ERR_INVALID);
    hx_end_close(&other);
    SAME(hx_end_receive(&end, messages, 1, TIME_NEVER, &n), HX_ERR_PEER_DIED);
}

// ---- peers that lie, die, or lose their rights

static void scribble(handle_t end) {
    struct hx_end side;
    NEED(hx_end_open(&side, end) == HX_OK);
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
    struct hx_end end;
    const pid_t pid = child_with(pair[1], scribble);
    NEED(hx_end_open(&end, pair[0]) == HX_OK);
    uint64_t room_max = 0, bad = 0;
    uint32_t n = 0;
    do { // at least once: it may be done before we look
        for (int i = 0; i < 50; i++) {
            room_max = hx_ring_room(&end.out) > room_max ? hx_ring_room(&end.out) : room_max;
            message.length = 8;
            HX_IGNORE(hx_end_send(&end, &message, 1, 0, &n)); // whatever it gives
            enum hx_status status = hx_end_receive(&end, &message, 1, 0, &n);
            bad += status == HX_OK && message.length > HX_SLOT_BYTES;
        }
    } while (look(pair[0], HX_STATE_CLOSED) != HX_STATE_CLOSED);
    SAME(check_wait(pid), 0);
    CHECK(end.out.broken || end.in.broken);
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

static void fill(handle_t handle) {
    struct hx_end end;
    NEED(hx_end_open(&end, handle) == HX_OK);
    for (uint64_t i = 0;; i++) {
        HX_IGNORE(send_number(&end, i)); // sleeps when there is no room
    }
}

// What a peer sent before it died still comes, though nobody is there to take the slots back.
static void last_words(void) {
    handle_t pair[2];
    struct hx_end end;
    uint64_t value;
    channel_new(4, pair);
    const pid_t pid = child_with(pair[1], fill);
    NEED(hx_end_open(&end, pair[0]) == HX_OK);
    while ((atomic_load(&end.in.ring->producer_sleep) & 1) == 0) {
        sched_yield();
    }
    SAME(kill(pid, SIGKILL), 0);
    SAME(await(pair[0], HX_STATE_CLOSED), HX_STATE_CLOSED);
    for (uint64_t i = 0; i < 4; i++) {
        SAME(receive_number(&end, &value), HX_OK);
        SAME(value, i);
    }
    SAME(receive_number(&end, &value), HX_ERR_PEER_DIED);
    SAME(send_number(&end, 0), HX_OK); // there is room, and nobody to be woken
    CHECK(WIFSIGNALED(check_wait(pid)));
    hx_end_close(&end);
}

// Produces until it is stopped: by the loss of its mapping, in the middle of anything.
static void produce(handle_t handle) {
    struct hx_end end;
    NEED(hx_end_open(&end, handle) == HX_OK);
    for (uint64_t i = 0;; i++) {
        const struct hx_slot message = { .length = 8 };
        if (hx_ring_put(&end.out, &message) != HX_OK) {
            hx_ring_look_for_room(&end.out);
        }
        if (hx_ring_publish(&end.out)) {
            HX_IGNORE(hx_channel_notify(handle, HX_STATE_READABLE));
        }
    }
}

static void revoked_in_midstream(void) {
    handle_t pair[2];
    struct hx_end end;
    uint64_t value;
    channel_new(8, pair);
    const handle_t revocable = (handle_t)NATIVE(handle_derive, pair[1], ALL);
    const handle_t childs = (handle_t)NATIVE(handle_derive, revocable, ALL);
    const pid_t pid = child_with(childs, produce);
    NEED(hx_end_open(&end, pair[0]) == HX_OK);
    for (int i = 0; i < 1000; i++) {
        NEED(receive_number(&end, &value) == HX_OK);
    }
    SAME(NATIVE(handle_revoke, revocable), HX_OK);
    // From here on nothing comes that was not there.
    hx_ring_look_for_messages(&end.in);
    const uint64_t tail = atomic_load(&end.in.ring->tail);
    CHECK(WIFSIGNALED(check_wait(pid)));
    SAME(atomic_load(&end.in.ring->tail), tail);
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
    CASE(deadlines),
    CASE(hostile),
    CASE(peer_dies),
    CASE(last_words),
    CASE(handed_over),
    CASE(no_circles),
    CASE(revoked_in_midstream),
    CASE(deep),
    CASE(bequests),
    CASE(handed_over_and_revoked),
    CASE(closed_on_its_way),
};
CHECK_MAIN(cases)
