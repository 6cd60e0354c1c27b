// SPDX-License-Identifier: MIT OR Apache-2.0
// RUN: musl glibc
// Streams of AF_UNIX: bytes, ends, blocking, connections, options, readiness.
#include "sockets.h"

static void pair_of(int type, int *line) {
    NEED(socketpair(AF_UNIX, type, 0, line) == 0);
}

static void bytes_both_ways(void) {
    int line[2];
    char text[16];
    pair_of(SOCK_STREAM, line);
    SAME(write(line[0], "hello", 5), 5);
    SAME(send(line[0], " you", 4, 0), 4);
    SAME(waiting_bytes(line[1]), 9);
    SAME(read(line[1], text, 3), 3);
    SAME(recv(line[1], text + 3, 13, 0), 6);
    CHECK(memcmp(text, "hello you", 9) == 0);
    SAME(write(line[1], "back", 4), 4);
    SAME(read(line[0], text, 16), 4);
    CHECK(memcmp(text, "back", 4) == 0);
    SAME(write(line[0], "", 0), 0);
    SAME(waiting_bytes(line[1]), 0);
    struct iovec parts[2] = { { "ab", 2 }, { "cde", 3 } };
    SAME(writev(line[0], parts, 2), 5);
    SAME(readv(line[1], (struct iovec[]){ { text, 1 }, { text + 1, 9 } }, 2), 5);
    CHECK(memcmp(text, "abcde", 5) == 0);
    REFUSED(lseek(line[0], 0, SEEK_SET), ESPIPE);
    REFUSED(pread(line[0], text, 1, 0), ESPIPE);
}

static void a_socket_is_a_file(void) {
    int line[2];
    struct stat info;
    char path[64];
    char text[64] = "";
    char expected[64];
    pair_of(SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, line);
    SAME(fcntl(line[0], F_GETFD), FD_CLOEXEC);
    SAME(fcntl(line[1], F_GETFL), O_RDWR | O_NONBLOCK);
    SAME(fstat(line[0], &info), 0);
    CHECK(S_ISSOCK(info.st_mode));
    SAME(info.st_mode & 07777, 0777);
    snprintf(path, sizeof path, "/proc/self/fd/%d", line[0]);
    SAME(readlink(path, text, sizeof text - 1),
         snprintf(expected, sizeof expected, "socket:[%lu]", (unsigned long)info.st_ino));
    CHECK(strcmp(text, expected) == 0);
    REFUSED(open(path, O_RDWR), ENXIO);
    REFUSED(ioctl(line[0], TCGETS, text), ENOTTY);
    int off = 0;
    SAME(ioctl(line[1], FIONBIO, &off), 0);
    SAME(fcntl(line[1], F_GETFL), O_RDWR);
    REFUSED(mmap(NULL, 4096, PROT_READ, MAP_SHARED, line[0], 0) == MAP_FAILED ? -1 : 0, ENODEV);
    REFUSED(ftruncate(line[0], 0), EINVAL);
    REFUSED(fsync(line[0]), EINVAL);
}

static void what_sockets_there_are(void) {
    int line[2];
    REFUSED(socket(12345, SOCK_STREAM, 0), EAFNOSUPPORT);
    REFUSED(socket(AF_UNIX, SOCK_RDM, 0), ESOCKTNOSUPPORT);
    REFUSED(socket(AF_UNIX, 15, 0), EINVAL);
    REFUSED(socket(AF_UNIX, SOCK_STREAM | 0x100, 0), EINVAL);
    REFUSED(socket(AF_UNIX, SOCK_STREAM, 2), EPROTONOSUPPORT);
    REFUSED(syscall(SYS_socketpair, AF_UNIX, SOCK_STREAM, 0, 8), EFAULT);
    int one = socket(AF_UNIX, SOCK_RAW, AF_UNIX); // Linux's other word for datagrams
    SAME(option_of(one, SO_TYPE), SOCK_DGRAM);
    int file = open("/proc/self/stat", O_RDONLY);
    REFUSED(listen(file, 1), ENOTSOCK);
    REFUSED(listen(12345, 1), EBADF);
    REFUSED(send(file, "x", 1, 0), ENOTSOCK);
    REFUSED(recv(file, line, 1, 0), ENOTSOCK);
    REFUSED(accept(file, NULL, NULL), ENOTSOCK);
}

static void the_end(void) {
    int line[2];
    char byte;
    pair_of(SOCK_STREAM, line);
    SAME(write(line[0], "x", 1), 1);
    close(line[0]);
    SAME(ready(line[1], POLLIN | POLLOUT | POLLRDHUP), POLLIN | POLLOUT | POLLRDHUP | POLLHUP);
    SAME(read(line[1], &byte, 1), 1);
    SAME(read(line[1], &byte, 1), 0);
    SAME(read(line[1], &byte, 1), 0);
    signal(SIGPIPE, SIG_IGN);
    REFUSED(write(line[1], "x", 1), EPIPE);
    REFUSED(send(line[1], "x", 1, MSG_DONTWAIT), EPIPE);
}

static void sigpipe_or_not(void) {
    int line[2];
    pair_of(SOCK_STREAM, line);
    close(line[0]);
    REFUSED(send(line[1], "x", 1, MSG_NOSIGNAL), EPIPE);
    pid_t pid = fork();
    if (pid == 0) {
        (void)!write(line[1], "x", 1);
        _exit(0);
    }
    KILLED(pid, SIGPIPE);
    pid = fork();
    if (pid == 0) {
        send(line[1], "x", 1, 0);
        _exit(0);
    }
    KILLED(pid, SIGPIPE);
}

static void unread_bytes_are_a_reset(void) {
    int line[2];
    char byte;
    pair_of(SOCK_STREAM, line);
    SAME(write(line[1], "x", 1), 1);
    SAME(write(line[0], "y", 1), 1);
    close(line[0]);
    CHECK(ready(line[1], POLLIN) & POLLERR);
    SAME(read(line[1], &byte, 1), 1); // what was there comes first
    REFUSED(read(line[1], &byte, 1), ECONNRESET);
    SAME(read(line[1], &byte, 1), 0);
    CHECK(!(ready(line[1], POLLIN) & POLLERR));
    pair_of(SOCK_STREAM, line);
    SAME(write(line[1], "x", 1), 1);
    close(line[0]);
    SAME(option_of(line[1], SO_ERROR), ECONNRESET);
    SAME(option_of(line[1], SO_ERROR), 0);
}

static void shut_down(void) {
    int line[2];
    char byte;
    pair_of(SOCK_STREAM, line);
    signal(SIGPIPE, SIG_IGN);
    SAME(write(line[0], "a", 1), 1);
    SAME(shutdown(line[0], SHUT_WR), 0);
    SAME(ready(line[1], POLLIN | POLLRDHUP | POLLOUT), POLLIN | POLLRDHUP | POLLOUT);
    REFUSED(write(line[0], "b", 1), EPIPE);
    SAME(read(line[1], &byte, 1), 1);
    SAME(read(line[1], &byte, 1), 0);
    SAME(write(line[1], "c", 1), 1); // the other way is open
    SAME(read(line[0], &byte, 1), 1);
    SAME(shutdown(line[0], SHUT_RD), 0);
    CHECK(ready(line[0], POLLIN) & POLLHUP);
    REFUSED(write(line[1], "d", 1), EPIPE);
    SAME(read(line[0], &byte, 1), 0);
    REFUSED(shutdown(line[0], 3), EINVAL);
    REFUSED(shutdown(line[0], -1), EINVAL);
}

static void flags_of_receiving(void) {
    int line[2];
    char text[8];
    pair_of(SOCK_STREAM, line);
    REFUSED(recv(line[1], text, 1, MSG_DONTWAIT), EAGAIN);
    SAME(write(line[0], "abc", 3), 3);
    SAME(write(line[0], "def", 3), 3);
    SAME(recv(line[1], text, 8, MSG_PEEK), 6);
    CHECK(memcmp(text, "abcdef", 6) == 0);
    SAME(recv(line[1], text, 2, MSG_PEEK), 2);
    SAME(waiting_bytes(line[1]), 6);
    SAME(recv(line[1], text, 4, 0), 4);
    SAME(recv(line[1], text, 8, MSG_WAITALL | MSG_DONTWAIT), 2);
    CHECK(memcmp(text, "ef", 2) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        for (int i = 0; i < 4; i++) {
            NEED(write(line[0], "xy", 2) == 2);
            usleep(1000);
        }
        _exit(0);
    }
    SAME(recv(line[1], text, 8, MSG_WAITALL), 8);
    EXITS(pid, 0);
    REFUSED(recv(line[1], (void *)8, 4, MSG_DONTWAIT), EAGAIN);
    SAME(write(line[0], "abc", 3), 3);
    REFUSED(recv(line[1], (void *)8, 4, 0), EFAULT);
    SAME(recv(line[1], text, 8, 0), 3); // it is still there
    REFUSED(send(line[0], (void *)8, 4, 0), EFAULT);
    REFUSED(recv(line[1], text, 8, MSG_DONTWAIT), EAGAIN);
}

static void full_and_empty(void) {
    int line[2];
    static char block[4096];
    pair_of(SOCK_STREAM | SOCK_NONBLOCK, line);
    long total = 0;
    ssize_t count;
    SAME(ready(line[0], POLLOUT), POLLOUT);
    while ((count = write(line[0], block, sizeof block)) > 0) {
        total += count;
    }
    REFUSED(write(line[0], block, 1), EAGAIN);
    CHECK(total >= 65536);
    SAME(ready(line[0], POLLOUT), 0);
    SAME(ready(line[1], POLLIN | POLLOUT), POLLIN | POLLOUT);
    int unread = 0;
    SAME(ioctl(line[0], TIOCOUTQ, &unread), 0);
    CHECK(unread >= total);
    SAME(waiting_bytes(line[1]), total);
    SAME(read(line[1], block, sizeof block), sizeof block);
    total -= (long)sizeof block;
    SAME(write(line[0], block, 1), 1); // there is some room, but too little for poll
    total++;
    SAME(ready(line[0], POLLOUT), 0);
    while ((count = read(line[1], block, sizeof block)) > 0) {
        total -= count;
    }
    SAME(total, 0);
    SAME(ready(line[0], POLLOUT), POLLOUT);
    SAME(ioctl(line[0], TIOCOUTQ, &unread), 0);
    SAME(unread, 0);
}

// Other patterns than a power of two, so that parts of messages are left over.
static void a_long_stream(void) {
    int line[2];
    static unsigned char block[70001];
    pair_of(SOCK_STREAM, line);
    pid_t pid;
    CHILD(pid) {
        unsigned next = 0;
        for (int round = 0; round < 40; round++) {
            for (size_t i = 0; i < sizeof block; i++) {
                block[i] = (unsigned char)(next++ * 7 >> 3);
            }
            SAME(write(line[0], block, sizeof block), sizeof block);
        }
    }
    close(line[0]);
    unsigned next = 0;
    ssize_t count;
    bool right = true;
    while ((count = read(line[1], block, 5003)) > 0) {
        for (ssize_t i = 0; i < count; i++) {
            right &= block[i] == (unsigned char)(next++ * 7 >> 3);
        }
    }
    CHECK(right);
    SAME(next, 40 * sizeof block);
    EXITS(pid, 0);
}

static void on_signal(int number) {
    (void)number;
}

static void interrupted(void) {
    int line[2];
    char byte;
    pair_of(SOCK_STREAM, line);
    struct sigaction action = { .sa_handler = on_signal };
    sigaction(SIGUSR1, &action, NULL);
    struct sigaction restarting = { .sa_handler = on_signal, .sa_flags = SA_RESTART };
    sigaction(SIGUSR2, &restarting, NULL);
    pid_t parent = getpid();
    pid_t pid = fork();
    if (pid == 0) {
        until_asleep(parent);
        kill(parent, SIGUSR1);
        _exit(0);
    }
    REFUSED(read(line[0], &byte, 1), EINTR);
    EXITS(pid, 0);
    pid = fork();
    if (pid == 0) {
        until_asleep(parent);
        kill(parent, SIGUSR2);
        until_asleep(parent);
        _exit(write(line[1], "x", 1) != 1);
    }
    SAME(recv(line[0], &byte, 1, 0), 1); // it started again
    EXITS(pid, 0);
    struct timeval span = { .tv_sec = 10 };
    SAME(setsockopt(line[0], SOL_SOCKET, SO_RCVTIMEO, &span, sizeof span), 0);
    pid = fork();
    if (pid == 0) {
        until_asleep(parent);
        kill(parent, SIGUSR2);
        _exit(0);
    }
    REFUSED(read(line[0], &byte, 1), EINTR); // with a time limit it does not
    EXITS(pid, 0);
}

static void time_limits(void) {
    int line[2];
    static char block[65536];
    pair_of(SOCK_STREAM, line);
    struct timeval span = { .tv_usec = 30000 };
    SAME(setsockopt(line[0], SOL_SOCKET, SO_RCVTIMEO, &span, sizeof span), 0);
    SAME(setsockopt(line[0], SOL_SOCKET, SO_SNDTIMEO, &span, sizeof span), 0);
    REFUSED(read(line[0], block, 1), EAGAIN);
    ssize_t count;
    while ((count = write(line[0], block, sizeof block)) > 0) {
    }
    CHECK(count == -1);
    REFUSED(write(line[0], block, 1), EAGAIN);
    struct timeval told;
    socklen_t length = sizeof told;
    SAME(getsockopt(line[0], SOL_SOCKET, SO_RCVTIMEO, &told, &length), 0);
    CHECK(told.tv_sec == 0 && told.tv_usec >= 28000 && told.tv_usec <= 40000);
    span.tv_usec = 1000000;
    REFUSED(setsockopt(line[0], SOL_SOCKET, SO_RCVTIMEO, &span, sizeof span), EDOM);
    REFUSED(setsockopt(line[0], SOL_SOCKET, SO_RCVTIMEO, &span, 4), EINVAL);
}

static void connections(void) {
    int listener = listener_at(SOCK_STREAM, "door", 5);
    struct sockaddr_un name;
    socklen_t length = sizeof name;
    char text[8];
    SAME(ready(listener, POLLIN | POLLOUT), 0);
    SAME(option_of(listener, SO_ACCEPTCONN), 1);
    int client = connected_to(SOCK_STREAM, "door");
    SAME(option_of(client, SO_ACCEPTCONN), 0);
    SAME(ready(listener, POLLIN), POLLIN);
    SAME(write(client, "early", 5), 5); // before it is accepted
    memset(&name, 0xff, sizeof name);
    int server = accept4(listener, (struct sockaddr *)&name, &length, SOCK_CLOEXEC | SOCK_NONBLOCK);
    NEED(server >= 0);
    SAME(length, PATH_AT);
    SAME(name.sun_family, AF_UNIX);
    SAME(fcntl(server, F_GETFD), FD_CLOEXEC);
    CHECK(fcntl(server, F_GETFL) & O_NONBLOCK);
    SAME(read(server, text, 8), 5);
    length = sizeof name;
    SAME(getsockname(server, (struct sockaddr *)&name, &length), 0);
    CHECK(strcmp(name.sun_path, "door") == 0);
    SAME(length, PATH_AT + 5);
    length = sizeof name;
    SAME(getpeername(client, (struct sockaddr *)&name, &length), 0);
    CHECK(strcmp(name.sun_path, "door") == 0);
    SAME(write(server, "hi", 2), 2);
    SAME(read(client, text, 8), 2);
    REFUSED(connect_to(client, "door"), EISCONN);
    REFUSED(syscall(SYS_accept4, listener, NULL, NULL, 1), EINVAL); // musl would try accept()
    REFUSED(accept(client, NULL, NULL), EINVAL);
    REFUSED(listen(client, 1), EINVAL);
    REFUSED(ioctl(listener, FIONREAD, &length), EINVAL);
    REFUSED(read(listener, text, 1), EINVAL);
    REFUSED(write(listener, text, 1), ENOTCONN);
}

static void not_connected(void) {
    char byte;
    struct sockaddr_un name;
    socklen_t length = sizeof name;
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    SAME(ready(fd, POLLIN | POLLOUT), POLLOUT | POLLHUP);
    REFUSED(read(fd, &byte, 1), EINVAL);
    REFUSED(write(fd, &byte, 1), ENOTCONN);
    REFUSED(send_to(fd, "x", "nothing"), EOPNOTSUPP);
    REFUSED(getpeername(fd, (struct sockaddr *)&name, &length), ENOTCONN);
    REFUSED(listen(fd, 1), EINVAL); // without a name
    REFUSED(accept(fd, NULL, NULL), EINVAL);
    SAME(shutdown(fd, SHUT_RDWR), 0);
    int line[2];
    pair_of(SOCK_STREAM, line);
    REFUSED(send_to(line[0], "x", "nothing"), EISCONN);
}

static void nobody_listens(void) {
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    REFUSED(connect_to(fd, "missing"), ENOENT);
    REFUSED(connect_to(fd, "@missing"), ECONNREFUSED);
    close(open("file", O_CREAT | O_RDWR, 0600));
    REFUSED(connect_to(fd, "file"), ECONNREFUSED);
    REFUSED(connect_to(fd, "file/below"), ENOTDIR);
    int bound = socket(AF_UNIX, SOCK_STREAM, 0);
    SAME(bind_to(bound, "bound"), 0);
    REFUSED(connect_to(fd, "bound"), ECONNREFUSED); // it does not listen
    close(bound);
    REFUSED(connect_to(fd, "bound"), ECONNREFUSED); // nobody is behind the inode
    int other = socket(AF_UNIX, SOCK_DGRAM, 0);
    SAME(bind_to(other, "other"), 0);
    REFUSED(connect_to(fd, "other"), EPROTOTYPE);
    int listener = listener_at(SOCK_STREAM, "door", 1);
    SAME(unlink("door"), 0);
    REFUSED(connect_to(fd, "door"), ENOENT);
    SAME(ready(listener, POLLIN), 0);
}

static void the_backlog(void) {
    int listener = listener_at(SOCK_STREAM, "door", 1);
    int clients[3];
    clients[0] = connected_to(SOCK_STREAM, "door");
    clients[1] = connected_to(SOCK_STREAM, "door"); // one more than asked for, as Linux counts
    clients[2] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
    REFUSED(connect_to(clients[2], "door"), EAGAIN);
    int one = accept(listener, NULL, NULL);
    CHECK(one >= 0);
    SAME(connect_to(clients[2], "door"), 0);
    pid_t pid;
    CHILD(pid) {
        int late = connected_to(SOCK_STREAM, "door"); // waits
        SAME(write(late, "late", 4), 4);
    }
    until_asleep(pid);
    CHECK(accept(listener, NULL, NULL) >= 0);
    CHECK(accept(listener, NULL, NULL) >= 0);
    int last = accept(listener, NULL, NULL);
    char text[8];
    SAME(read(last, text, 8), 4);
    EXITS(pid, 0);
    SAME(fcntl(listener, F_SETFL, O_NONBLOCK), 0);
    REFUSED(accept(listener, NULL, NULL), EAGAIN);
}

static void a_listener_that_goes(void) {
    int listener = listener_at(SOCK_STREAM, "door", 5);
    int client = connected_to(SOCK_STREAM, "door");
    char byte;
    close(listener);
    REFUSED(read(client, &byte, 1), ECONNRESET);
    SAME(read(client, &byte, 1), 0);
    REFUSED(send(client, "x", 1, MSG_NOSIGNAL), EPIPE);
    REFUSED(bind_to(socket(AF_UNIX, SOCK_STREAM, 0), "door"), EADDRINUSE); // the inode stays
    SAME(unlink("door"), 0);
    listener = listener_at(SOCK_STREAM, "door", 0);
    pid_t pid;
    client = connected_to(SOCK_STREAM, "door");
    CHILD(pid) {
        close(listener);
        REFUSED(connect_to(socket(AF_UNIX, SOCK_STREAM, 0), "door"), ECONNREFUSED); // waits first
    }
    until_asleep(pid);
    close(listener);
    EXITS(pid, 0);
}

static void a_listener_that_is_shut(void) {
    int listener = listener_at(SOCK_STREAM, "door", 5);
    pid_t pid;
    CHILD(pid) {
        REFUSED(accept(listener, NULL, NULL), EINVAL);
    }
    until_asleep(pid);
    SAME(shutdown(listener, SHUT_RD), 0);
    EXITS(pid, 0);
    REFUSED(connect_to(socket(AF_UNIX, SOCK_STREAM, 0), "door"), ECONNREFUSED);
}

static void many_descriptors_are_too_many(void) {
    int listener = listener_at(SOCK_STREAM, "door", 5);
    int client = connected_to(SOCK_STREAM, "door");
    struct rlimit limit = { .rlim_cur = (rlim_t)client + 1, .rlim_max = 4096 };
    SAME(setrlimit(RLIMIT_NOFILE, &limit), 0);
    REFUSED(accept(listener, NULL, NULL), EMFILE);
    REFUSED(socket(AF_UNIX, SOCK_STREAM, 0), EMFILE);
    int line[2];
    limit.rlim_cur++;
    SAME(setrlimit(RLIMIT_NOFILE, &limit), 0);
    REFUSED(socketpair(AF_UNIX, SOCK_STREAM, 0, line), EMFILE);
    int server = accept(listener, NULL, NULL); // the connection is still there
    CHECK(server >= 0);
    SAME(write(client, "x", 1), 1);
    char byte;
    SAME(read(server, &byte, 1), 1);
    REFUSED(accept(listener, NULL, NULL), EMFILE); // nothing is there, and it does not wait
}

static void options(void) {
    int line[2];
    pair_of(SOCK_SEQPACKET, line);
    SAME(option_of(line[0], SO_TYPE), SOCK_SEQPACKET);
    SAME(option_of(line[0], SO_DOMAIN), AF_UNIX);
    SAME(option_of(line[0], SO_PROTOCOL), 0);
    SAME(option_of(line[0], SO_ERROR), 0);
    SAME(option_of(line[0], SO_SNDBUF), 212992);
    SAME(option_of(line[0], SO_RCVBUF), 212992);
    SAME(set_option(line[0], SO_SNDBUF, 10000), 0);
    SAME(option_of(line[0], SO_SNDBUF), 20000);
    SAME(set_option(line[0], SO_SNDBUF, 1), 0);
    SAME(option_of(line[0], SO_SNDBUF), 4608);
    SAME(set_option(line[0], SO_SNDBUF, 100000000), 0);
    SAME(option_of(line[0], SO_SNDBUF), 425984);
    SAME(set_option(line[0], SO_RCVBUF, 1), 0);
    SAME(option_of(line[0], SO_RCVBUF), 2304);
    SAME(option_of(line[0], SO_REUSEADDR), 0);
    SAME(set_option(line[0], SO_REUSEADDR, 7), 0);
    SAME(option_of(line[0], SO_REUSEADDR), 1);
    SAME(set_option(line[0], SO_KEEPALIVE, 1), 0);
    SAME(option_of(line[0], SO_RCVLOWAT), 1);
    struct linger linger = { 1, 5 };
    socklen_t length = sizeof linger;
    SAME(setsockopt(line[0], SOL_SOCKET, SO_LINGER, &linger, sizeof linger), 0);
    linger = (struct linger){ 0, 0 };
    SAME(getsockopt(line[0], SOL_SOCKET, SO_LINGER, &linger, &length), 0);
    CHECK(linger.l_onoff == 1 && linger.l_linger == 5);
    REFUSED(set_option(line[0], SO_TYPE, 1), ENOPROTOOPT);
    REFUSED(set_option(line[0], 12345, 1), ENOPROTOOPT);
    int value = 0;
    length = sizeof value;
    REFUSED(getsockopt(line[0], SOL_SOCKET, 12345, &value, &length), ENOPROTOOPT);
    REFUSED(getsockopt(line[0], 6, 1, &value, &length), EOPNOTSUPP);
    REFUSED(setsockopt(line[0], 6, 1, &value, sizeof value), EOPNOTSUPP);
    REFUSED(setsockopt(line[0], SOL_SOCKET, SO_REUSEADDR, &value, 2), EINVAL);
    REFUSED(setsockopt(line[0], SOL_SOCKET, SO_REUSEADDR, (void *)8, 4), EFAULT);
    length = 2;
    SAME(getsockopt(line[0], SOL_SOCKET, SO_TYPE, &value, &length), 0);
    SAME(length, 2);
    length = (socklen_t)-1;
    REFUSED(getsockopt(line[0], SOL_SOCKET, SO_TYPE, &value, &length), EINVAL);
}

static int wait_events(int set, int timeout_ms) {
    struct epoll_event event;
    int count = epoll_wait(set, &event, 1, timeout_ms);
    return count == 1 ? (int)event.events : count;
}

static void epoll_sees_edges(void) {
    int line[2];
    char text[8];
    pair_of(SOCK_STREAM, line);
    int set = epoll_create1(0);
    struct epoll_event event = { .events = EPOLLIN | EPOLLRDHUP | EPOLLET };
    SAME(epoll_ctl(set, EPOLL_CTL_ADD, line[1], &event), 0);
    SAME(wait_events(set, 0), 0);
    SAME(write(line[0], "a", 1), 1);
    SAME(wait_events(set, -1), EPOLLIN);
    SAME(wait_events(set, 0), 0);
    SAME(write(line[0], "b", 1), 1); // news, though the first byte is still there
    SAME(wait_events(set, -1), EPOLLIN);
    SAME(read(line[1], text, 8), 2);
    SAME(wait_events(set, 0), 0);
    SAME(shutdown(line[0], SHUT_WR), 0);
    SAME(wait_events(set, -1), EPOLLIN | EPOLLRDHUP);
    close(line[0]);
    SAME(wait_events(set, -1), EPOLLIN | EPOLLRDHUP | EPOLLHUP);
    close(line[1]);
    SAME(wait_events(set, 0), 0);
}

static void poll_waits(void) {
    int line[2];
    static char block[65536];
    pair_of(SOCK_STREAM | SOCK_NONBLOCK, line);
    pid_t pid = fork();
    if (pid == 0) {
        usleep(10000);
        _exit(write(line[0], "x", 1) != 1);
    }
    struct pollfd item = { .fd = line[1], .events = POLLIN };
    SAME(poll(&item, 1, -1), 1);
    SAME(item.revents, POLLIN);
    EXITS(pid, 0);
    while (write(line[1], block, sizeof block) > 0) {
    }
    pid = fork();
    if (pid == 0) {
        usleep(10000);
        while (read(line[0], block, sizeof block) > 0) {
        }
        _exit(0);
    }
    item.events = POLLOUT;
    SAME(poll(&item, 1, -1), 1);
    SAME(item.revents, POLLOUT);
    EXITS(pid, 0);
    pid = fork();
    if (pid == 0) {
        usleep(10000);
        shutdown(line[0], SHUT_WR);
        _exit(0);
    }
    item.events = POLLRDHUP;
    SAME(poll(&item, 1, -1), 1);
    SAME(item.revents, POLLRDHUP);
    EXITS(pid, 0);
}

// Threads that write and read at once: every byte arrives, and ends wake all.
#define TURNS 3000

struct shared_line {
    int line[2];
    long sum;
};

static void *writes(void *argument) {
    struct shared_line *shared = argument;
    for (int i = 0; i < TURNS; i++) {
        unsigned char byte = (unsigned char)i;
        NEED(write(shared->line[0], &byte, 1) == 1);
    }
    return NULL;
}

static void *reads(void *argument) {
    struct shared_line *shared = argument;
    unsigned char bytes[7];
    ssize_t count;
    while ((count = read(shared->line[1], bytes, sizeof bytes)) > 0) {
        for (ssize_t i = 0; i < count; i++) {
            __atomic_fetch_add(&shared->sum, bytes[i] + 1, __ATOMIC_RELAXED);
        }
    }
    return NULL;
}

static void threads_at_both_ends(void) {
    struct shared_line shared = { .sum = 0 };
    pthread_t writers[3];
    pthread_t readers[3];
    pair_of(SOCK_STREAM, shared.line);
    for (int i = 0; i < 3; i++) {
        NEED(pthread_create(&readers[i], NULL, reads, &shared) == 0);
        NEED(pthread_create(&writers[i], NULL, writes, &shared) == 0);
    }
    for (int i = 0; i < 3; i++) {
        pthread_join(writers[i], NULL);
    }
    shutdown(shared.line[0], SHUT_WR);
    for (int i = 0; i < 3; i++) {
        pthread_join(readers[i], NULL);
    }
    long expected = 0;
    for (int i = 0; i < TURNS; i++) {
        expected += 3 * ((unsigned char)i + 1);
    }
    SAME(shared.sum, expected);
}

static void ping_pong(void) {
    int line[2];
    char byte = 0;
    pair_of(SOCK_STREAM, line);
    pid_t pid = fork();
    if (pid == 0) {
        close(line[0]);
        while (read(line[1], &byte, 1) == 1 && write(line[1], &byte, 1) == 1) {
        }
        _exit(0);
    }
    for (int i = 0; i < 2000; i++) {
        char got = 0;
        byte = (char)i;
        NEED(write(line[0], &byte, 1) == 1 && read(line[0], &got, 1) == 1 && got == byte);
    }
    close(line[1]);
    close(line[0]);
    EXITS(pid, 0);
}

static const struct check_case cases[] = {
    CASE(bytes_both_ways),
    CASE(a_socket_is_a_file),
    CASE(what_sockets_there_are),
    CASE(the_end),
    CASE(sigpipe_or_not),
    CASE(unread_bytes_are_a_reset),
    CASE(shut_down),
    CASE(flags_of_receiving),
    CASE(full_and_empty),
    CASE(a_long_stream),
    CASE(interrupted),
    CASE(time_limits),
    CASE(connections),
    CASE(not_connected),
    CASE(nobody_listens),
    CASE(the_backlog),
    CASE(a_listener_that_goes),
    CASE(a_listener_that_is_shut),
    CASE(many_descriptors_are_too_many),
    CASE(options),
    CASE(epoll_sees_edges),
    CASE(poll_waits),
    CASE(threads_at_both_ends),
    CASE(ping_pong),
};
CHECK_MAIN(cases)
