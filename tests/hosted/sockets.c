// SPDX-License-Identifier: MIT OR Apache-2.0
// tests/hosted/sockets.c: sockets between processes and threads, and sockets over sockets.
#include "check.h"

#define AF_UNIX      1u
#define SOCK_STREAM  1u
#define SOCK_DGRAM   2u
#define SOL_SOCKET   1u
#define SCM_RIGHTS   1u
#define MSG_PEEK     2u
#define SHUT_WR      1u
#define HEADER_BYTES 16u // of a control message

#define LINE_AT    PAD
#define VALUE_AT   (PAD + 64)
#define NAME_AT    (PAD + 128)
#define MESSAGE_AT (PAD + 256)
#define PART_AT    (PAD + 320)
#define CONTROL_AT (PAD + 384)
#define TID_AT     (PAD + 512)
#define GO_AT      (PAD + 576)
#define DONE_AT    (PAD + 640)
#define POLL_AT    (PAD + 704)
#define BLOCK_AT   (PAD + 0x10000)

static int64_t line(uint64_t end) {
    return (int64_t)hosted_load(LINE_AT + end * 4, 4);
}

static void make_pair(uint64_t type) {
    SAME(CALL(socketpair, AF_UNIX, type, 0, LINE_AT), 0);
}

static void close_pair(void) {
    SAME(CALL(close, (uint64_t)line(0)), 0);
    SAME(CALL(close, (uint64_t)line(1)), 0);
}

// The message's header: one byte, and `count` descriptors, or room for them.
static void make_message(uint64_t count) {
    hosted_store(PART_AT, VALUE_AT, 8);
    hosted_store(PART_AT + 8, 1, 8);
    for (uint64_t field = 0; field < 7; field++) {
        hosted_store(MESSAGE_AT + field * 8, 0, 8);
    }
    hosted_store(MESSAGE_AT + 16, PART_AT, 8);
    hosted_store(MESSAGE_AT + 24, 1, 8);
    hosted_store(MESSAGE_AT + 32, CONTROL_AT, 8);
    hosted_store(MESSAGE_AT + 40, HEADER_BYTES + count * 4, 8);
    hosted_store(CONTROL_AT, HEADER_BYTES + count * 4, 8);
    hosted_store(CONTROL_AT + 8, SOL_SOCKET | (uint64_t)SCM_RIGHTS << 32, 8);
}

static void pass_two(int64_t to, int64_t first, int64_t second) {
    make_message(2);
    hosted_store(CONTROL_AT + HEADER_BYTES, (uint64_t)first, 4);
    hosted_store(CONTROL_AT + HEADER_BYTES + 4, (uint64_t)second, 4);
    SAME(CALL(sendmsg, (uint64_t)to, MESSAGE_AT, 0), 1);
}

static int answers(uint64_t unused) {
    (void)unused;
    SAME(CALL(close, (uint64_t)line(0)), 0);
    while (CALL(read, (uint64_t)line(1), VALUE_AT, 8) == 8) {
        hosted_store(VALUE_AT, hosted_load(VALUE_AT, 8) + 1, 8);
        SAME(CALL(write, (uint64_t)line(1), VALUE_AT, 8), 8);
    }
    return 0;
}

static void two_processes_talk(void) {
    make_pair(SOCK_STREAM);
    const int64_t pid = child_new(answers, 0);
    SAME(CALL(close, (uint64_t)line(1)), 0);
    for (uint64_t i = 0; i < 200; i++) {
        hosted_store(VALUE_AT, i, 8);
        SAME(CALL(write, (uint64_t)line(0), VALUE_AT, 8), 8);
        SAME(CALL(read, (uint64_t)line(0), VALUE_AT, 8), 8);
        SAME(hosted_load(VALUE_AT, 8), i + 1);
    }
    SAME(CALL(close, (uint64_t)line(0)), 0);
    SAME(child_wait(pid), EXITED(0));
}

#define BYTES 200000u

static int sends_much(uint64_t end) {
    uint64_t left = BYTES;
    while (left != 0) {
        const uint64_t length = left < 7777 ? left : 7777;
        SAME(CALL(write, (uint64_t)line(end), BLOCK_AT, length), (int64_t)length);
        left -= length;
    }
    SAME(CALL(shutdown, (uint64_t)line(end), SHUT_WR), 0);
    return 0;
}

static void a_thread_sends_much(void) {
    make_pair(SOCK_STREAM);
    (void)thread_new(sends_much, 0, TID_AT);
    uint64_t got = 0;
    int64_t count;
    while ((count = CALL(read, (uint64_t)line(1), BLOCK_AT + 0x10000, 5000)) > 0) {
        got += (uint64_t)count;
    }
    SAME(count, 0);
    SAME(got, BYTES);
    thread_join(TID_AT);
    close_pair();
}

// ---- limits that change in the middle of a send

#define SO_SNDBUF    7u
#define MSG_DONTWAIT 0x40u
#define POLLOUT      4u
#define LIMITS       10000u
#define MUCH         32768u

static void set_limit(uint64_t fd, uint64_t size_bytes, uint64_t at) {
    hosted_store(at, size_bytes, 4);
    SAME(CALL(setsockopt, fd, SOL_SOCKET, SO_SNDBUF, at, 4), 0);
}

static bool has_room(uint64_t fd) {
    hosted_store(POLL_AT, fd | (uint64_t)POLLOUT << 32, 8);
    return CALL(ppoll, POLL_AT, 1, POLL_AT + 16, 0, 8) == 1; // at once
}

static int lowers_limits(uint64_t fd) {
    for (uint32_t i = 0; i < LIMITS; i++) {
        spin_while(GO_AT, i);
        for (uint32_t wait = 0; wait < i % 128; wait++) { // at any moment of the send
            hosted_load(GO_AT, 4);
        }
        set_limit(fd, 1, DONE_AT + 4);
        hosted_store(DONE_AT, i + 1, 4);
    }
    return 0;
}

// What was sent counts under the limit that holds now, whichever held as it was sent.
static void limits_change_in_mid_send(void) {
    make_pair(SOCK_DGRAM);
    const uint64_t out = (uint64_t)line(0), in = (uint64_t)line(1);
    uint32_t sent = 0;
    (void)thread_new(lowers_limits, out, TID_AT);
    for (uint32_t i = 0; i < LIMITS; i++) {
        set_limit(out, 212992, VALUE_AT);
        hosted_store(GO_AT, i + 1, 4);
        const bool fits = CALL(sendto, out, BLOCK_AT, MUCH, MSG_DONTWAIT, 0, 0) == MUCH;
        spin_while(DONE_AT, i);
        SAME(has_room(out), !fits);
        if (fits) {
            SAME(CALL(read, in, BLOCK_AT, MUCH), MUCH);
            SAME(has_room(out), true);
            sent++;
        }
    }
    NEED(sent > 0);
    thread_join(TID_AT);
    close_pair();
}

static void connections(void) {
    static const char name[] = "\001\000\000hosted"; // AF_UNIX, and a name that begins with a zero
    const uint64_t length = sizeof(name) - 1;
    hosted_write(NAME_AT, name, length);
    const int64_t listener = CALL(socket, AF_UNIX, SOCK_STREAM, 0);
    SAME(CALL(bind, (uint64_t)listener, NAME_AT, length), 0);
    SAME(CALL(listen, (uint64_t)listener, 16), 0);
    for (uint32_t i = 0; i < 20; i++) {
        const int64_t client = CALL(socket, AF_UNIX, SOCK_STREAM, 0);
        SAME(CALL(connect, (uint64_t)client, NAME_AT, length), 0);
        SAME(CALL(write, (uint64_t)client, VALUE_AT, 8), 8);
        if (i % 2 == 0) {
            const int64_t server = CALL(accept, (uint64_t)listener, 0, 0);
            SAME(CALL(read, (uint64_t)server, VALUE_AT, 8), 8);
            SAME(CALL(close, (uint64_t)server), 0);
        }
        SAME(CALL(close, (uint64_t)client), 0);
    }
    SAME(CALL(close, (uint64_t)listener), 0);
}

// Sockets that lie in their own queues, looked for while others are made and opened.
static int makes_circles(uint64_t at) {
    for (uint32_t i = 0; i < 30; i++) {
        int32_t ends[2];
        SAME(CALL(socketpair, AF_UNIX, i % 2 ? SOCK_STREAM : SOCK_DGRAM, 0, at), 0);
        ends[0] = (int32_t)hosted_load(at, 4);
        ends[1] = (int32_t)hosted_load(at + 4, 4);
        pass_two(ends[0], ends[0], ends[1]);
        if (i % 3 == 0) {
            make_message(2);
            SAME(CALL(recvmsg, (uint64_t)ends[1], MESSAGE_AT, MSG_PEEK), 1);
            SAME(CALL(close, hosted_load(CONTROL_AT + HEADER_BYTES, 4)), 0);
            SAME(CALL(close, hosted_load(CONTROL_AT + HEADER_BYTES + 4, 4)), 0);
        }
        SAME(CALL(close, (uint64_t)ends[0]), 0);
        SAME(CALL(close, (uint64_t)ends[1]), 0);
        SAME(CALL(close, (uint64_t)CALL(socket, AF_UNIX, SOCK_DGRAM, 0)), 0);
    }
    return 0;
}

static void circles(void) {
    const int64_t first = child_new(makes_circles, PAD + 1024);
    const int64_t second = child_new(makes_circles, PAD + 1024);
    (void)makes_circles(PAD + 1024);
    SAME(child_wait(first), EXITED(0));
    SAME(child_wait(second), EXITED(0));
}

static const struct check_case cases[] = {
    CASE(two_processes_talk),
    CASE(a_thread_sends_much),
    CASE(limits_change_in_mid_send),
    CASE(connections),
    CASE(circles),
};
CHECK_PROGRAM(sockets, cases);
