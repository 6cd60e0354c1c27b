// SPDX-License-Identifier: MIT OR Apache-2.0
// tests/native/failures_sockets.c: the calls about sockets, with each of their allocations failing
// in turn. Afterwards no socket is left over. LIMIT: 240
#include "failing.h"

#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

#define NAME_AT offsetof(struct sockaddr_un, sun_path)

// The sockets of the running call: closed at its end, whatever failed.
static int open_sockets[8];
static int open_count;

static int keep(int fd) {
    if (fd >= 0) {
        open_sockets[open_count++] = fd;
    }
    return fd;
}

static int close_all(int result) {
    const int error = errno;
    while (open_count > 0) {
        close(open_sockets[--open_count]);
    }
    errno = error;
    return result < 0 ? -1 : 0;
}

static int keep_pair(int type, int *line) {
    const int result = socketpair(AF_UNIX, type, 0, line);
    if (result == 0) {
        (void)keep(line[0]);
        (void)keep(line[1]);
    }
    return result;
}

static int call_pair(void) {
    int line[2];
    return close_all(keep_pair(SOCK_STREAM, line));
}

static int name_of(struct sockaddr_un *address, const char *text) {
    memset(address, 0, sizeof *address);
    address->sun_family = AF_UNIX;
    strcpy(address->sun_path, text);
    return (int)(NAME_AT + strlen(text) + 1);
}

static int connection(const char *text) {
    struct sockaddr_un address;
    const socklen_t length = (socklen_t)name_of(&address, text);
    if (text[0] == '@') {
        address.sun_path[0] = '\0';
    }
    const int listener = keep(socket(AF_UNIX, SOCK_STREAM, 0));
    if (listener < 0 || bind(listener, (struct sockaddr *)&address, length) != 0 ||
        listen(listener, 1) != 0) {
        return -1;
    }
    const int client = keep(socket(AF_UNIX, SOCK_STREAM, 0));
    if (client < 0 || connect(client, (struct sockaddr *)&address, length) != 0) {
        return -1;
    }
    return keep(accept(listener, NULL, NULL));
}

static int call_connection(void) {
    return close_all(connection("@failing"));
}

static int call_path(void) {
    const int result = close_all(connection("failing"));
    const int error = errno;
    fail_nth(0);
    unlink("failing");
    errno = error;
    return result;
}

// A message that is not sent leaves nothing, and one that is sent is whole.
static int call_large_message(void) {
    static char block[100000];
    int line[2];
    if (keep_pair(SOCK_DGRAM, line) != 0) {
        return close_all(-1);
    }
    const ssize_t sent = send(line[0], block, sizeof block, 0);
    const ssize_t got = recv(line[1], block, sizeof block, MSG_DONTWAIT);
    CHECK(sent == got || (sent < 0 && got < 0));
    return close_all(sent == (ssize_t)sizeof block ? 0 : (errno = ENOMEM, -1));
}

static int call_stream(void) {
    static char block[100000];
    int line[2];
    if (keep_pair(SOCK_STREAM, line) != 0) {
        return close_all(-1);
    }
    const ssize_t sent = send(line[0], block, sizeof block, 0);
    ssize_t all = 0;
    ssize_t got;
    while ((got = recv(line[1], block, sizeof block, MSG_DONTWAIT)) > 0) {
        all += got;
    }
    CHECK(all == (sent < 0 ? 0 : sent));
    return close_all(sent == (ssize_t)sizeof block ? 0 : (errno = ENOMEM, -1));
}

// Descriptors, with a buffer for control messages that is allocated.
static int call_passing(void) {
    char control[512] = { 0 };
    char byte = 'x';
    struct iovec part = { &byte, 1 };
    struct msghdr message = { .msg_iov = &part,
                              .msg_iovlen = 1,
                              .msg_control = control,
                              .msg_controllen = CMSG_SPACE(100 * sizeof(int)) };
    int line[2];
    if (keep_pair(SOCK_STREAM, line) != 0) {
        return close_all(-1);
    }
    struct cmsghdr *header = (struct cmsghdr *)control;
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(100 * sizeof(int));
    for (int i = 0; i < 100; i++) {
        memcpy(CMSG_DATA(header) + i * sizeof(int), &line[i % 2], sizeof(int));
    }
    if (syscall(SYS_sendmsg, line[0], &message, 0) != 1) {
        return close_all(-1);
    }
    // The copies that peeking takes need memory, and places in the table of descriptors.
    message.msg_controllen = CMSG_LEN(sizeof(int));
    const long got = syscall(SYS_recvmsg, line[1], &message, MSG_PEEK);
    if (got == 1) {
        CHECK(message.msg_flags & MSG_CTRUNC);
        int fd;
        memcpy(&fd, CMSG_DATA(header), sizeof fd);
        if (message.msg_controllen != 0) {
            close(fd);
        }
    }
    return close_all(got == 1 ? 0 : -1);
}

static unsigned long sockets_used(void) {
    static char text[32768];
    int fd = open("/proc/slabinfo", O_RDONLY);
    ssize_t length = 0;
    ssize_t count;
    while ((count = read(fd, text + length, sizeof text - 1 - (size_t)length)) > 0) {
        length += count;
    }
    close(fd);
    text[length] = '\0';
    const char *line = strstr(text, "\nsocket ");
    return line != NULL ? strtoul(line + 8, NULL, 10) : 0;
}

static void failing_sockets(void) {
    control = open("/proc/helix/fail_nth", O_RDWR | O_CLOEXEC);
    NEED(control >= 0);
    exhaust("socketpair", call_pair);
    exhaust("connection", call_connection);
    exhaust("connection by path", call_path);
    exhaust("large message", call_large_message);
    exhaust("stream", call_stream);
    exhaust("passing", call_passing);
    for (int i = 0; i < 100 && sockets_used() != 0; i++) {
        close(
            socket(AF_UNIX, SOCK_STREAM, 0)); // what is out of reach is found when some are closed
    }
    SAME(sockets_used(), 0);
}

// What nobody reads is kept up to a part of the memory, however many sockets there are.
static void unread_is_bounded(void) {
    static char bytes[32768];
    static int pairs[480][2];
    const long total = sysconf(_SC_PHYS_PAGES) * 4096;
    long kept = 0;
    int count = 0, error = 0;
    while (count < 480 && error == 0) {
        NEED(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, pairs[count]) == 0);
        long sent;
        for (int i = 0; i < 8 && (sent = write(pairs[count][0], bytes, sizeof bytes)) > 0; i++) {
            kept += sent;
        }
        error = sent < 0 && errno != EAGAIN ? errno : 0;
        count++;
    }
    SAME(error, ENOMEM);
    CHECK(kept > total / 8 && kept < total / 3);
    while (count-- > 0) {
        close(pairs[count][0]);
        close(pairs[count][1]);
    }
    NEED(socketpair(AF_UNIX, SOCK_DGRAM, 0, pairs[0]) == 0);
    SAME(write(pairs[0][0], bytes, sizeof bytes), sizeof bytes);
    close(pairs[0][0]);
    close(pairs[0][1]);
}

static const struct check_case cases[] = { CASE(failing_sockets), CASE(unread_is_bounded) };
CHECK_MAIN(cases)
