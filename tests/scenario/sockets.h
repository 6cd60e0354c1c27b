// SPDX-License-Identifier: MIT OR Apache-2.0
// tests/scenario/sockets.h: what the programs about AF_UNIX sockets share.
#pragma once

#include "check.h"

#include <poll.h>
#include <pthread.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/un.h>

#define PATH_AT offsetof(struct sockaddr_un, sun_path)

// An address of a path, or with '@' first, of an abstract name.
static socklen_t __attribute__((unused)) address_of(struct sockaddr_un *address, const char *text) {
    memset(address, 0, sizeof *address);
    address->sun_family = AF_UNIX;
    strcpy(address->sun_path, text);
    if (text[0] == '@') {
        address->sun_path[0] = '\0';
        return (socklen_t)(PATH_AT + strlen(text));
    }
    return (socklen_t)(PATH_AT + strlen(text) + 1);
}

static int __attribute__((unused)) bind_to(int fd, const char *text) {
    struct sockaddr_un address;
    socklen_t length = address_of(&address, text);
    return bind(fd, (struct sockaddr *)&address, length);
}

static int __attribute__((unused)) connect_to(int fd, const char *text) {
    struct sockaddr_un address;
    socklen_t length = address_of(&address, text);
    return connect(fd, (struct sockaddr *)&address, length);
}

static int __attribute__((unused)) send_to(int fd, const char *text, const char *to) {
    struct sockaddr_un address;
    socklen_t length = address_of(&address, to);
    return (int)sendto(fd, text, strlen(text), 0, (struct sockaddr *)&address, length);
}

// A socket of the type that listens at a name.
static int __attribute__((unused)) listener_at(int type, const char *text, int backlog) {
    int fd = socket(AF_UNIX, type, 0);
    NEED(fd >= 0);
    NEED(bind_to(fd, text) == 0);
    NEED(listen(fd, backlog) == 0);
    return fd;
}

// A socket of the type that is connected to a name.
static int __attribute__((unused)) connected_to(int type, const char *text) {
    int fd = socket(AF_UNIX, type, 0);
    NEED(fd >= 0);
    NEED(connect_to(fd, text) == 0);
    return fd;
}

// What poll says at once.
static int __attribute__((unused)) ready(int fd, int events) {
    struct pollfd item = { .fd = fd, .events = (short)events };
    int count = poll(&item, 1, 0);
    return count < 0 ? -1 : item.revents;
}

static int __attribute__((unused)) waiting_bytes(int fd) {
    int count = -1;
    return ioctl(fd, FIONREAD, &count) < 0 ? -1 : count;
}

// An integer option; -1 if there is none.
static int __attribute__((unused)) option_of(int fd, int name) {
    int value = -1;
    socklen_t length = sizeof value;
    return getsockopt(fd, SOL_SOCKET, name, &value, &length) < 0 ? -1 : value;
}

static int __attribute__((unused)) set_option(int fd, int name, int value) {
    return setsockopt(fd, SOL_SOCKET, name, &value, sizeof value);
}
