// SPDX-License-Identifier: MIT OR Apache-2.0
// tests/scenario/queues.h: what the programs about message queues share.
#pragma once

#include "check.h"

#include <mqueue.h>
#include <sys/socket.h>

#define SIZE    64
#define SOMEWHO 12345 // a user who has nothing yet

static char bytes[8192];

static mqd_t __attribute__((unused)) made_of(const char *name, int flags, long messages,
                                             long size) {
    struct mq_attr attributes = { .mq_maxmsg = messages, .mq_msgsize = size };
    const mqd_t queue = mq_open(name, O_CREAT | O_EXCL | O_RDWR | flags, 0600, &attributes);
    NEED(queue >= 0);
    return queue;
}

// A queue for two small messages, without a name any more.
static mqd_t __attribute__((unused)) made(int flags) {
    const mqd_t queue = made_of("/mq", flags, 2, SIZE);
    NEED(mq_unlink("/mq") == 0);
    return queue;
}

static void __attribute__((unused)) is_next(mqd_t queue, const char *text, unsigned priority) {
    unsigned got = 99999;
    memset(bytes, 0x55, sizeof bytes);
    SAME(mq_receive(queue, bytes, SIZE, &got), strlen(text));
    CHECK(memcmp(bytes, text, strlen(text)) == 0 && bytes[strlen(text)] == 0x55);
    SAME(got, priority);
}

static int __attribute__((unused)) sent(mqd_t queue, const char *text, unsigned priority) {
    return mq_send(queue, text, strlen(text), priority);
}

static long __attribute__((unused)) current(mqd_t queue) {
    struct mq_attr attributes;
    NEED(mq_getattr(queue, &attributes) == 0);
    return attributes.mq_curmsgs;
}

static int __attribute__((unused)) notify(mqd_t queue, int kind, int number, long value) {
    struct sigevent event = { .sigev_notify = kind, .sigev_signo = number };
    event.sigev_value.sival_ptr = (void *)value;
    return (int)syscall(SYS_mq_notify, queue, &event);
}

static pid_t __attribute__((unused)) receiver(mqd_t queue, const char *expected, int nice_by) {
    const pid_t child = check_fork();
    if (child == 0) {
        unsigned priority;
        NEED(nice(nice_by) != -1);
        const ssize_t length = mq_receive(queue, bytes, SIZE, &priority);
        SAME(length, strlen(expected));
        CHECK(length > 0 && memcmp(bytes, expected, (size_t)length) == 0);
        _exit(check_failures);
    }
    until_asleep(child);
    return child;
}

union control {
    struct cmsghdr header;
    char bytes[CMSG_SPACE(sizeof(int))];
};

static void __attribute__((unused)) send_file(int socket, int file) {
    union control control;
    struct iovec part = { bytes, 1 };
    struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };
    memset(&control, 0, sizeof control);
    message.msg_control = &control;
    message.msg_controllen = sizeof control;
    control.header.cmsg_level = SOL_SOCKET;
    control.header.cmsg_type = SCM_RIGHTS;
    control.header.cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(&control.header), &file, sizeof file);
    NEED(sendmsg(socket, &message, 0) == 1);
}
