// SPDX-License-Identifier: MIT OR Apache-2.0
// RUN: musl glibc
// Datagrams and packets of AF_UNIX, and the names of sockets.
#include "sockets.h"

static int datagrams_at(const char *name) {
    int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
    NEED(fd >= 0);
    NEED(bind_to(fd, name) == 0);
    return fd;
}

static void messages_stay_whole(int type) {
    int line[2];
    char text[16];
    NEED(socketpair(AF_UNIX, type, 0, line) == 0);
    SAME(send(line[0], "one", 3, 0), 3);
    SAME(write(line[0], "three", 5), 5);
    SAME(recv(line[1], text, 16, MSG_PEEK), 3);
    SAME(recv(line[1], text, 16, 0), 3);
    SAME(recv(line[1], text, 2, MSG_PEEK), 2);
    SAME(recv(line[1], text, 2, MSG_PEEK | MSG_TRUNC), 5);
    SAME(recv(line[1], text, 2, 0), 2); // the rest is lost
    REFUSED(recv(line[1], text, 2, MSG_DONTWAIT), EAGAIN);
    SAME(send(line[0], "four", 4, 0), 4);
    struct iovec part = { text, 3 };
    struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };
    SAME(recvmsg(line[1], &message, 0), 3);
    SAME(message.msg_flags, MSG_TRUNC);
    SAME(send(line[0], "", 0, 0), 0); // an empty one is one
    SAME(ready(line[1], POLLIN), POLLIN);
    SAME(recv(line[1], text, 2, 0), 0);
    SAME(write(line[0], "", 0), 0);
    SAME(recv(line[1], text, 2, MSG_DONTWAIT), 0);
    SAME(send(line[0], "lost", 4, 0), 4);
    REFUSED(recv(line[1], (void *)8, 4, 0), EFAULT);
    REFUSED(recv(line[1], text, 2, MSG_DONTWAIT), EAGAIN); // with the message
}

static void whole_datagrams(void) {
    messages_stay_whole(SOCK_DGRAM);
}

static void whole_packets(void) {
    messages_stay_whole(SOCK_SEQPACKET);
}

static void sizes(void) {
    int line[2];
    static char block[300000];
    static char got[300000];
    NEED(socketpair(AF_UNIX, SOCK_DGRAM, 0, line) == 0);
    for (size_t i = 0; i < sizeof block; i++) {
        block[i] = (char)(i * 31 >> 4);
    }
    static const int lengths[] = { 1, 1535, 1536, 1537, 4095, 4096, 4097, 100001, 160000 };
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        SAME(send(line[0], block, (size_t)lengths[i], 0), lengths[i]);
        SAME(recv(line[1], got, sizeof got, 0), lengths[i]);
        CHECK(memcmp(block, got, (size_t)lengths[i]) == 0);
    }
    REFUSED(send(line[0], block, sizeof block, 0), EMSGSIZE);
    SAME(set_option(line[0], SO_SNDBUF, 3000), 0);
    REFUSED(send(line[0], block, 6000, 0), EMSGSIZE);
    SAME(set_option(line[0], SO_SNDBUF, 200000), 0);
    SAME(send(line[0], block, 250000, 0), 250000);
    SAME(recv(line[1], got, sizeof got, 0), 250000);
    CHECK(memcmp(block, got, 250000) == 0);
}

static void addresses(void) {
    int server = datagrams_at("server");
    int client = datagrams_at("client");
    int nobody = socket(AF_UNIX, SOCK_DGRAM, 0);
    struct sockaddr_un from;
    socklen_t length = sizeof from;
    char text[8];
    SAME(send_to(client, "hi", "server"), 2);
    SAME(recvfrom(server, text, 8, 0, (struct sockaddr *)&from, &length), 2);
    CHECK(strcmp(from.sun_path, "client") == 0);
    SAME(length, PATH_AT + 7);
    SAME(sendto(server, "yes", 3, 0, (struct sockaddr *)&from, length), 3);
    SAME(recv(client, text, 8, 0), 3);
    SAME(send_to(nobody, "x", "server"), 1);
    length = sizeof from;
    SAME(recvfrom(server, text, 8, 0, (struct sockaddr *)&from, &length), 1);
    SAME(length, 0);
    REFUSED(send(client, "x", 1, 0), ENOTCONN);
    REFUSED(send_to(client, "x", "missing"), ENOENT);
    REFUSED(send_to(client, "x", "@missing"), ECONNREFUSED);
    listener_at(SOCK_STREAM, "stream", 1);
    REFUSED(send_to(client, "x", "stream"), EPROTOTYPE);
    REFUSED(listen(server, 1), EOPNOTSUPP);
    REFUSED(accept(server, NULL, NULL), EOPNOTSUPP);
    REFUSED(sendto(client, "x", 1, 0, (struct sockaddr *)&from, 300), EINVAL);
    REFUSED(sendto(client, "x", 1, 0, (struct sockaddr *)8, 100), EFAULT);
    from.sun_family = AF_UNIX + 1;
    REFUSED(sendto(client, "x", 1, 0, (struct sockaddr *)&from, sizeof from), EINVAL);
    close(server);
    REFUSED(send_to(client, "x", "server"), ECONNREFUSED);
}

static void a_datagram_peer(void) {
    int server = datagrams_at("server");
    int client = datagrams_at("client");
    int third = datagrams_at("third");
    struct sockaddr none = { .sa_family = AF_UNSPEC };
    struct sockaddr_un name;
    socklen_t length = sizeof name;
    char text[8];
    SAME(connect_to(client, "server"), 0);
    SAME(send(client, "a", 1, 0), 1);
    SAME(getpeername(client, (struct sockaddr *)&name, &length), 0);
    CHECK(strcmp(name.sun_path, "server") == 0);
    SAME(connect_to(server, "client"), 0);
    REFUSED(send_to(third, "x", "server"), EPERM); // it talks to somebody else
    REFUSED(connect_to(third, "server"), EPERM);
    SAME(recv(server, text, 8, 0), 1);
    SAME(connect(client, &none, sizeof none), 0);
    REFUSED(send(client, "a", 1, 0), ENOTCONN);
    REFUSED(getpeername(client, (struct sockaddr *)&name, &length), ENOTCONN);
    SAME(connect_to(client, "server"), 0);
    close(server);
    REFUSED(send(client, "a", 1, 0), ECONNREFUSED);
    REFUSED(send(client, "a", 1, 0), ENOTCONN); // it has let go
    REFUSED(connect_to(client, "server"), ECONNREFUSED);
}

static void a_pair_that_is_parted(void) {
    int line[2];
    struct sockaddr none = { .sa_family = AF_UNSPEC };
    char text[8];
    NEED(socketpair(AF_UNIX, SOCK_DGRAM, 0, line) == 0);
    SAME(send(line[0], "a", 1, 0), 1);
    SAME(connect(line[1], &none, sizeof none), 0);
    REFUSED(recv(line[1], text, 8, MSG_DONTWAIT), EAGAIN); // what was there is gone
    SAME(option_of(line[0], SO_ERROR), ECONNRESET);
    signal(SIGPIPE, SIG_DFL);
    NEED(socketpair(AF_UNIX, SOCK_DGRAM, 0, line) == 0);
    SAME(shutdown(line[1], SHUT_RD), 0);
    REFUSED(send(line[0], "a", 1, 0), EPIPE); // and no signal
    SAME(shutdown(line[0], SHUT_WR), 0);
    REFUSED(write(line[0], "a", 1), EPIPE);
    SAME(recv(line[1], text, 8, 0), 0);
    REFUSED(recv(line[1], text, 8, MSG_DONTWAIT), EAGAIN);
}

static void packets_have_ends(void) {
    int line[2];
    char text[8];
    NEED(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, line) == 0);
    SAME(send(line[0], "a", 1, 0), 1);
    SAME(send_to(line[0], "b", "nowhere"), 1); // the address is of no interest
    close(line[0]);
    CHECK(ready(line[1], POLLIN) & POLLHUP);
    SAME(recv(line[1], text, 8, 0), 1);
    SAME(recv(line[1], text, 8, 0), 1);
    SAME(recv(line[1], text, 8, MSG_DONTWAIT), 0);
    signal(SIGPIPE, SIG_IGN);
    REFUSED(send(line[1], "c", 1, 0), EPIPE);
    int fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);
    REFUSED(recv(fd, text, 8, 0), ENOTCONN);
    REFUSED(send(fd, text, 8, 0), ENOTCONN);
    int listener = listener_at(SOCK_SEQPACKET, "door", 3);
    int client = connected_to(SOCK_SEQPACKET, "door");
    int server = accept(listener, NULL, NULL);
    SAME(send(client, "xyz", 3, 0), 3);
    SAME(recv(server, text, 8, 0), 3);
    REFUSED(connect_to(socket(AF_UNIX, SOCK_STREAM, 0), "door"), EPROTOTYPE);
    SAME(send(server, "x", 1, 0), 1);
    close(client);
    REFUSED(recv(server, text, 8, 0), ECONNRESET);
}

static void a_full_receiver(void) {
    int server = datagrams_at("server");
    int client = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    char text[8];
    SAME(connect_to(client, "server"), 0);
    int count = 0;
    SAME(ready(client, POLLOUT), POLLOUT);
    while (send(client, "x", 1, 0) == 1) {
        count++;
    }
    SAME(count, 11);
    REFUSED(send(client, "x", 1, 0), EAGAIN);
    REFUSED(send_to(client, "x", "server"), EAGAIN);
    SAME(ready(client, POLLOUT), 0);
    struct timeval span = { .tv_usec = 20000 };
    int patient = socket(AF_UNIX, SOCK_DGRAM, 0);
    SAME(setsockopt(patient, SOL_SOCKET, SO_SNDTIMEO, &span, sizeof span), 0);
    REFUSED(send_to(patient, "x", "server"), EAGAIN);
    pid_t pid;
    CHILD(pid) {
        int late = socket(AF_UNIX, SOCK_DGRAM, 0);
        SAME(send_to(late, "late", "server"), 4);
    }
    until_asleep(pid);
    int set = epoll_create1(0);
    struct epoll_event event = { .events = EPOLLOUT | EPOLLET };
    SAME(epoll_ctl(set, EPOLL_CTL_ADD, client, &event), 0);
    SAME(epoll_wait(set, &event, 1, 0), 0);
    for (int i = 0; i < 11; i++) {
        SAME(recv(server, text, 8, 0), 1);
    }
    SAME(recv(server, text, 8, 0), 4);
    EXITS(pid, 0);
    SAME(ready(client, POLLOUT), POLLOUT);
    SAME(epoll_wait(set, &event, 1, -1), 1);
    SAME(event.events, EPOLLOUT);
}

static void peers_are_never_full(void) {
    int line[2];
    NEED(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, line) == 0);
    for (int i = 0; i < 50; i++) {
        SAME(send(line[0], "x", 1, 0), 1);
    }
    SAME(ready(line[0], POLLOUT), POLLOUT);
    static char block[50000];
    int count = 0;
    while (count < 50 && send(line[0], block, sizeof block, 0) > 0) {
        count++;
    }
    CHECK(count > 0 && count < 50);
    REFUSED(send(line[0], block, 1, 0), EAGAIN);
    SAME(ready(line[0], POLLOUT), 0);
    for (int i = 0; i < 50 + count; i++) {
        CHECK(recv(line[1], block, sizeof block, 0) > 0);
    }
    SAME(ready(line[0], POLLOUT), POLLOUT);
}

static void receivers_that_go(void) {
    int server = datagrams_at("server");
    int client = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    SAME(connect_to(client, "server"), 0);
    while (send(client, "x", 1, 0) == 1) {
    }
    pid_t pid;
    CHILD(pid) {
        close(server);
        REFUSED(send_to(socket(AF_UNIX, SOCK_DGRAM, 0), "late", "server"), ECONNREFUSED);
    }
    until_asleep(pid);
    close(server);
    EXITS(pid, 0);
    SAME(ready(client, POLLOUT), POLLOUT);
    REFUSED(send(client, "x", 1, 0), ECONNREFUSED);
}

// ---- names
// ---------------------------------------------------------------------------------------

static void names_of_paths(void) {
    struct stat info;
    struct sockaddr_un name;
    socklen_t length = sizeof name;
    umask(027);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    SAME(getsockname(fd, (struct sockaddr *)&name, &length), 0);
    SAME(length, PATH_AT);
    SAME(bind_to(fd, "path"), 0);
    SAME(stat("path", &info), 0);
    CHECK(S_ISSOCK(info.st_mode));
    SAME(info.st_mode & 07777, 0750);
    REFUSED(bind_to(fd, "another"), EINVAL);
    CHECK(access("another", F_OK) != 0);
    REFUSED(bind_to(socket(AF_UNIX, SOCK_STREAM, 0), "path"), EADDRINUSE);
    REFUSED(bind_to(socket(AF_UNIX, SOCK_STREAM, 0), "no/path"), ENOENT);
    REFUSED(open("path", O_RDWR), ENXIO);
    length = 6;
    memset(&name, 'x', sizeof name);
    SAME(getsockname(fd, (struct sockaddr *)&name, &length), 0); // cut, but with its true length
    SAME(length, PATH_AT + 5);
    CHECK(memcmp(name.sun_path, "pathxx", 6) == 0);
    length = (socklen_t)-1;
    REFUSED(getsockname(fd, (struct sockaddr *)&name, &length), EINVAL);
    // 108 bytes without a zero are a path, too.
    int full = socket(AF_UNIX, SOCK_STREAM, 0);
    name.sun_family = AF_UNIX;
    memset(name.sun_path, 'y', sizeof name.sun_path);
    SAME(bind(full, (struct sockaddr *)&name, sizeof name), 0);
    SAME(listen(full, 1), 0);
    int client = socket(AF_UNIX, SOCK_STREAM, 0);
    SAME(connect(client, (struct sockaddr *)&name, sizeof name), 0);
    char long_path[128] = "";
    memset(long_path, 'y', 108);
    SAME(stat(long_path, &info), 0);
    struct sockaddr_storage large;
    length = sizeof large;
    SAME(getpeername(client, (struct sockaddr *)&large, &length), 0);
    SAME(length, PATH_AT + 109);
    REFUSED(bind(fd, (struct sockaddr *)&name, 1), EINVAL);
    REFUSED(bind(fd, (struct sockaddr *)&name, 111), EINVAL);
    REFUSED(bind(fd, (struct sockaddr *)&name, (socklen_t)-1), EINVAL);
    REFUSED(bind(fd, (struct sockaddr *)8, 50), EFAULT);
}

static void permissions(void) {
    int listener = listener_at(SOCK_STREAM, "door", 9);
    SAME(chmod(".", 0755), 0);
    SAME(chmod("door", 0755), 0);
    pid_t pid;
    CHILD(pid) {
        NEED(setgid(1000) == 0 && setuid(1000) == 0);
        REFUSED(connect_to(socket(AF_UNIX, SOCK_STREAM, 0), "door"), EACCES); // it takes writing
        REFUSED(bind_to(socket(AF_UNIX, SOCK_STREAM, 0), "mine"), EACCES);
    }
    EXITS(pid, 0);
    SAME(chmod("door", 0722), 0);
    CHILD(pid) {
        NEED(setgid(1000) == 0 && setuid(1000) == 0);
        SAME(connect_to(socket(AF_UNIX, SOCK_STREAM, 0), "door"), 0);
    }
    EXITS(pid, 0);
    SAME(chmod(".", 0700), 0);
    CHILD(pid) {
        NEED(setgid(1000) == 0 && setuid(1000) == 0);
        REFUSED(connect_to(socket(AF_UNIX, SOCK_STREAM, 0), "door"), EACCES);
    }
    EXITS(pid, 0);
    SAME(symlink("door", "link"), 0);
    SAME(connect_to(socket(AF_UNIX, SOCK_STREAM, 0), "link"), 0);
    SAME(rename("door", "moved"), 0);
    SAME(connect_to(socket(AF_UNIX, SOCK_STREAM, 0), "moved"), 0);
    SAME(link("moved", "again"), 0);
    SAME(unlink("moved"), 0);
    SAME(connect_to(socket(AF_UNIX, SOCK_STREAM, 0), "again"), 0);
    SAME(ready(listener, POLLIN), POLLIN);
}

static void abstract_names(void) {
    struct sockaddr_un name;
    socklen_t length;
    int listener = listener_at(SOCK_STREAM, "@a name", 5);
    REFUSED(bind_to(socket(AF_UNIX, SOCK_STREAM, 0), "@a name"), EADDRINUSE);
    SAME(bind_to(socket(AF_UNIX, SOCK_DGRAM, 0), "@a name"), 0); // one of each kind
    int client = connected_to(SOCK_STREAM, "@a name");
    length = sizeof name;
    SAME(getpeername(client, (struct sockaddr *)&name, &length), 0);
    SAME(length, PATH_AT + 7);
    CHECK(memcmp(name.sun_path, "\0a name", 7) == 0);
    // All bytes that the length covers are the name.
    length = address_of(&name, "@a name") + 1;
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    REFUSED(connect(fd, (struct sockaddr *)&name, length), ECONNREFUSED);
    SAME(bind(fd, (struct sockaddr *)&name, length), 0);
    int server = accept(listener, NULL, NULL);
    for (int i = 0; i < 600; i++) { // connections that have the name, too, but are not found by it
        close(connected_to(SOCK_STREAM, "@a name"));
        CHECK(accept(listener, NULL, NULL) >= 0);
    }
    close(listener);
    REFUSED(connect_to(socket(AF_UNIX, SOCK_STREAM, 0), "@a name"), ECONNREFUSED);
    listener = listener_at(SOCK_STREAM, "@a name", 5); // though a connection still has the name
    length = sizeof name;
    SAME(getsockname(server, (struct sockaddr *)&name, &length), 0);
    SAME(length, PATH_AT + 7);
    int full = socket(AF_UNIX, SOCK_STREAM, 0);
    memset(&name, 0, sizeof name);
    name.sun_family = AF_UNIX;
    SAME(bind(full, (struct sockaddr *)&name, sizeof name), 0); // 108 zeros
    length = sizeof name;
    SAME(getsockname(full, (struct sockaddr *)&name, &length), 0);
    SAME(length, sizeof name);
}

static void names_that_nobody_chose(void) {
    struct sockaddr_un name = { .sun_family = AF_UNIX };
    socklen_t length = sizeof name;
    int one = socket(AF_UNIX, SOCK_DGRAM, 0);
    int two = socket(AF_UNIX, SOCK_DGRAM, 0);
    SAME(bind(one, (struct sockaddr *)&name, PATH_AT), 0);
    SAME(bind(one, (struct sockaddr *)&name, PATH_AT), 0); // it has one: nothing to do
    SAME(bind(two, (struct sockaddr *)&name, PATH_AT), 0);
    SAME(getsockname(one, (struct sockaddr *)&name, &length), 0);
    SAME(length, PATH_AT + 6);
    SAME(name.sun_path[0], 0);
    SAME(strspn(name.sun_path + 1, "0123456789abcdef"), 5);
    SAME(sendto(two, "x", 1, 0, (struct sockaddr *)&name, length), 1);
    struct sockaddr_un other;
    char text[4];
    length = sizeof other;
    SAME(recvfrom(one, text, 4, 0, (struct sockaddr *)&other, &length), 1);
    SAME(length, PATH_AT + 6);
    CHECK(memcmp(name.sun_path, other.sun_path, 6) != 0);
}

static void what_procfs_tells(void) {
    static char text[65536];
    struct stat info;
    char line[128];
    int listener = listener_at(SOCK_STREAM, "@told name", 5);
    bind_to(socket(AF_UNIX, SOCK_DGRAM, 0), "told.path");
    fstat(listener, &info);
    int fd = open("/proc/net/unix", O_RDONLY);
    ssize_t length = 0;
    ssize_t count;
    while ((count = read(fd, text + length, sizeof text - 1 - (size_t)length)) > 0) {
        length += count;
    }
    CHECK(strncmp(text, "Num       RefCount Protocol Flags    Type St Inode Path\n", 56) == 0);
    snprintf(line, sizeof line, " 00010000 0001 01 %5lu @told name\n", (unsigned long)info.st_ino);
    CHECK(strstr(text, line) != NULL);
    CHECK(strstr(text, " told.path\n") != NULL);
}

static void many_at_once(void) {
    int line[2];
    char text[4][8];
    struct iovec parts[4];
    struct mmsghdr messages[4];
    NEED(socketpair(AF_UNIX, SOCK_DGRAM, 0, line) == 0);
    memset(messages, 0, sizeof messages);
    for (int i = 0; i < 4; i++) {
        parts[i] = (struct iovec){ text[i], (size_t)i + 1 };
        messages[i].msg_hdr.msg_iov = &parts[i];
        messages[i].msg_hdr.msg_iovlen = 1;
        memset(text[i], 'a' + i, 8);
    }
    SAME(sendmmsg(line[0], messages, 3, 0), 3);
    SAME(messages[2].msg_len, 3);
    memset(text, 0, sizeof text);
    for (int i = 0; i < 4; i++) {
        parts[i].iov_len = 8;
        messages[i].msg_len = 99;
    }
    SAME(recvmmsg(line[1], messages, 4, MSG_WAITFORONE, NULL), 3);
    CHECK(memcmp(text[2], "ccc", 4) == 0);
    SAME(messages[1].msg_len, 2);
    SAME(messages[3].msg_len, 99);
    REFUSED(recvmmsg(line[1], messages, 4, MSG_DONTWAIT, NULL), EAGAIN);
    struct timespec wrong = { 0, -1 };
    REFUSED(recvmmsg(line[1], messages, 4, 0, &wrong), EINVAL);
    REFUSED(syscall(SYS_sendmmsg, line[0], 8, 1, 0), EFAULT); // musl's would look itself
    SAME(sendmmsg(line[0], messages, 0, 0), 0);
    messages[1].msg_hdr.msg_iov = (void *)8;
    SAME(syscall(SYS_sendmmsg, line[0], messages, 4, 0), 1); // the rest is not looked at
    struct msghdr message = { .msg_iov = parts, .msg_iovlen = 1025 };
    REFUSED(syscall(SYS_sendmsg, line[0], &message, 0), EMSGSIZE);
    message.msg_iovlen = 1;
    message.msg_name = parts;
    message.msg_namelen = (socklen_t)-1;
    REFUSED(syscall(SYS_sendmsg, line[0], &message, 0), EINVAL);
    REFUSED(syscall(SYS_recvmsg, line[1], &message, MSG_DONTWAIT), EINVAL);
}

// Many senders, one receiver that is often full: each message arrives once.
#define EACH 300

static void *sends(void *argument) {
    int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
    if ((uintptr_t)argument % 2 == 0) {
        NEED(connect_to(fd, "server") == 0);
    }
    for (uint32_t i = 0; i < EACH; i++) {
        uint32_t text[2] = { (uint32_t)(uintptr_t)argument, i };
        struct sockaddr_un to;
        socklen_t length = address_of(&to, "server");
        bool has_peer = (uintptr_t)argument % 2 == 0;
        NEED(sendto(fd, text, sizeof text, 0, has_peer ? NULL : (struct sockaddr *)&to,
                    has_peer ? 0 : length) == sizeof text);
    }
    close(fd);
    return NULL;
}

static void threads_send_to_one(void) {
    int server = datagrams_at("server");
    pthread_t threads[4];
    uint32_t next[4] = { 0 };
    for (uintptr_t i = 0; i < 4; i++) {
        NEED(pthread_create(&threads[i], NULL, sends, (void *)i) == 0);
    }
    for (int i = 0; i < 4 * EACH; i++) {
        uint32_t text[2];
        SAME(recv(server, text, sizeof text, 0), sizeof text);
        NEED(text[0] < 4);
        SAME(text[1], next[text[0]]); // in the order of each
        next[text[0]]++;
    }
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
    }
    REFUSED(recv(server, next, 1, MSG_DONTWAIT), EAGAIN);
}

static const struct check_case cases[] = {
    CASE(whole_datagrams),   CASE(whole_packets),           CASE(sizes),
    CASE(addresses),         CASE(a_datagram_peer),         CASE(a_pair_that_is_parted),
    CASE(packets_have_ends), CASE(a_full_receiver),         CASE(peers_are_never_full),
    CASE(receivers_that_go), CASE(names_of_paths),          CASE(permissions),
    CASE(abstract_names),    CASE(names_that_nobody_chose), CASE(what_procfs_tells),
    CASE(many_at_once),      CASE(threads_send_to_one),
};
CHECK_MAIN(cases)
