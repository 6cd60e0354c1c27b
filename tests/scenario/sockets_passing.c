// SPDX-License-Identifier: MIT OR Apache-2.0
// RUN: musl glibc
// What messages of AF_UNIX carry beside bytes: descriptors and credentials.
#include "sockets.h"

#define MANY 253

union control {
    struct cmsghdr header;
    char bytes[CMSG_SPACE(MANY * sizeof(int)) + CMSG_SPACE(sizeof(struct ucred)) + 64];
};

// Sends `length` bytes and `count` descriptors; what sendmsg() returns.
static int pass(int line, const int *fds, int count, size_t length, int flags) {
    union control control;
    char bytes[8] = "abcdefg";
    struct iovec part = { bytes, length };
    struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };
    memset(&control, 0, sizeof control);
    if (count != 0) {
        message.msg_control = &control;
        message.msg_controllen = CMSG_SPACE((size_t)count * sizeof(int));
        control.header.cmsg_level = SOL_SOCKET;
        control.header.cmsg_type = SCM_RIGHTS;
        control.header.cmsg_len = CMSG_LEN((size_t)count * sizeof(int));
        memcpy(CMSG_DATA(&control.header), fds, (size_t)count * sizeof(int));
    }
    // Not musl's function, which has room for less than the kernel.
    return (int)syscall(SYS_sendmsg, line, &message, flags);
}

struct taken {
    int bytes; // what recvmsg() returned
    int count; // of descriptors
    int fds[MANY];
    int flags;
    size_t control_bytes;
    bool has_who;
    struct ucred who;
};

// Receives up to `length` bytes with `space` bytes for control messages.
static struct taken take_with(int line, size_t length, size_t space, int flags) {
    union control control;
    char bytes[8];
    struct iovec part = { bytes, length };
    struct msghdr message = { .msg_iov = &part,
                              .msg_iovlen = 1,
                              .msg_control = space != 0 ? &control : NULL,
                              .msg_controllen = space };
    struct taken taken = { .count = 0 };
    memset(&control, 0, sizeof control);
    taken.bytes = (int)syscall(SYS_recvmsg, line, &message, flags);
    taken.flags = message.msg_flags;
    taken.control_bytes = message.msg_controllen;
    if (taken.bytes < 0 || space == 0) {
        return taken;
    }
    for (struct cmsghdr *header = CMSG_FIRSTHDR(&message); header != NULL;
         header = CMSG_NXTHDR(&message, header)) {
        size_t size = header->cmsg_len - CMSG_LEN(0);
        if (header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS) {
            memcpy(taken.fds, CMSG_DATA(header), size);
            taken.count = (int)(size / sizeof(int));
        } else if (header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_CREDENTIALS) {
            memcpy(&taken.who, CMSG_DATA(header), size);
            taken.has_who = true;
        }
    }
    return taken;
}

static struct taken take(int line) {
    return take_with(line, 8, sizeof(union control), 0);
}

static int open_descriptors(void) {
    int count = 0;
    for (int fd = 0; fd < 1024; fd++) {
        count += fcntl(fd, F_GETFD) >= 0 ? 1 : 0;
    }
    return count;
}

static void a_descriptor(void) {
    int line[2];
    NEED(socketpair(AF_UNIX, SOCK_STREAM, 0, line) == 0);
    int file = open("file", O_CREAT | O_RDWR, 0600);
    SAME(write(file, "text", 4), 4);
    SAME(pass(line[0], &file, 1, 1, 0), 1);
    close(file);
    pid_t pid;
    CHILD(pid) {
        struct taken taken = take(line[1]);
        SAME(taken.bytes, 1);
        SAME(taken.count, 1);
        SAME(taken.flags, 0);
        SAME(taken.control_bytes, CMSG_SPACE(sizeof(int)));
        SAME(fcntl(taken.fds[0], F_GETFD), 0);
        SAME(lseek(taken.fds[0], 0, SEEK_CUR), 4); // the same open file
        SAME(lseek(taken.fds[0], 0, SEEK_SET), 0);
        char text[4];
        SAME(read(taken.fds[0], text, 4), 4);
    }
    EXITS(pid, 0);
}

static void close_on_exec(void) {
    int line[2];
    NEED(socketpair(AF_UNIX, SOCK_DGRAM, 0, line) == 0);
    SAME(pass(line[0], (int[]){ 1 }, 1, 1, 0), 1);
    struct taken taken = take_with(line[1], 8, sizeof(union control), MSG_CMSG_CLOEXEC);
    SAME(taken.count, 1);
    SAME(fcntl(taken.fds[0], F_GETFD), FD_CLOEXEC);
    SAME(taken.flags, MSG_CMSG_CLOEXEC);
}

static void bounds_of_streams(void) {
    int line[2];
    NEED(socketpair(AF_UNIX, SOCK_STREAM, 0, line) == 0);
    SAME(pass(line[0], NULL, 0, 2, 0), 2);
    SAME(pass(line[0], (int[]){ 1 }, 1, 2, 0), 2);
    SAME(pass(line[0], (int[]){ 1, 2 }, 2, 2, 0), 2);
    struct taken taken = take(line[1]); // bytes before, and those that came with it
    SAME(taken.bytes, 4);
    SAME(taken.count, 1);
    taken = take_with(line[1], 1, sizeof(union control), 0); // with the first byte
    SAME(taken.bytes, 1);
    SAME(taken.count, 2);
    taken = take(line[1]);
    SAME(taken.bytes, 1);
    SAME(taken.count, 0);
    int before = open_descriptors();
    SAME(pass(line[0], (int[]){ 1, 2 }, 2, 2, 0), 2);
    char bytes[4];
    SAME(read(line[1], bytes, 4), 2); // drops them
    SAME(open_descriptors(), before);
}

static void too_little_space(void) {
    int line[2];
    NEED(socketpair(AF_UNIX, SOCK_DGRAM, 0, line) == 0);
    int before = open_descriptors();
    SAME(pass(line[0], (int[]){ 0, 1, 2 }, 3, 1, 0), 1);
    struct taken taken = take_with(line[1], 8, CMSG_LEN(2 * sizeof(int)), 0);
    SAME(taken.count, 2);
    SAME(taken.flags, MSG_CTRUNC);
    SAME(taken.control_bytes, CMSG_LEN(2 * sizeof(int)));
    SAME(open_descriptors(), before + 2);
    SAME(pass(line[0], (int[]){ 0, 1, 2 }, 3, 1, 0), 1);
    taken = take_with(line[1], 8, 0, 0);
    SAME(taken.flags, MSG_CTRUNC);
    SAME(pass(line[0], (int[]){ 0, 1, 2 }, 3, 1, 0), 1);
    taken = take_with(line[1], 8, CMSG_LEN(0), 0);
    SAME(taken.flags, MSG_CTRUNC);
    SAME(taken.control_bytes, 0);
    SAME(open_descriptors(), before + 2);
    struct rlimit limit;
    NEED(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    rlim_t old = limit.rlim_cur;
    limit.rlim_cur = (rlim_t)before + 3;
    NEED(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    SAME(pass(line[0], (int[]){ 0, 1, 2 }, 3, 1, 0), 1);
    taken = take(line[1]);
    SAME(taken.count, 1);
    SAME(taken.flags, MSG_CTRUNC);
    limit.rlim_cur = old;
    NEED(setrlimit(RLIMIT_NOFILE, &limit) == 0);
}

static void peeking_gives_copies(void) {
    int line[2];
    NEED(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, line) == 0);
    int before = open_descriptors();
    SAME(pass(line[0], (int[]){ 0, 1 }, 2, 1, 0), 1);
    struct taken first = take_with(line[1], 8, sizeof(union control), MSG_PEEK);
    SAME(first.count, 2);
    struct taken second = take(line[1]);
    SAME(second.count, 2);
    SAME(open_descriptors(), before + 4);
    NEED(socketpair(AF_UNIX, SOCK_STREAM, 0, line) == 0);
    SAME(pass(line[0], (int[]){ 0, 1 }, 2, 1, 0), 1);
    SAME(pass(line[0], NULL, 0, 1, 0), 1);
    first = take_with(line[1], 8, sizeof(union control), MSG_PEEK);
    SAME(first.bytes, 1);
    SAME(first.count, 2);
    second = take(line[1]);
    SAME(second.bytes, 1);
    SAME(second.count, 2);
}

static void refusals(void) {
    int line[2];
    int many[MANY + 1] = { 0 };
    NEED(socketpair(AF_UNIX, SOCK_STREAM, 0, line) == 0);
    REFUSED(pass(line[0], (int[]){ 0, 12345 }, 2, 1, 0), EBADF);
    REFUSED(pass(line[0], (int[]){ -1 }, 1, 1, 0), EBADF);
    REFUSED(recv(line[1], many, 1, MSG_DONTWAIT), EAGAIN);
    SAME(pass(line[0], many, MANY, 1, 0), 1);
    struct taken taken = take(line[1]);
    SAME(taken.count, MANY);
    for (int i = 0; i < taken.count; i++) {
        close(taken.fds[i]);
    }
    union control control;
    struct iovec part = { many, 1 };
    struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control };
    memset(&control, 0, sizeof control);
    control.header.cmsg_level = SOL_SOCKET;
    control.header.cmsg_type = SCM_RIGHTS;
    control.header.cmsg_len = CMSG_LEN((MANY + 1) * sizeof(int));
    message.msg_controllen = CMSG_SPACE((MANY + 1) * sizeof(int));
    REFUSED(syscall(SYS_sendmsg, line[0], &message, 0), EINVAL); // too many
    control.header.cmsg_len = CMSG_LEN(0) - 1;
    REFUSED(syscall(SYS_sendmsg, line[0], &message, 0), EINVAL);
    control.header.cmsg_len = message.msg_controllen + 1;
    REFUSED(syscall(SYS_sendmsg, line[0], &message, 0), EINVAL);
    memset(control.bytes, 0xff, sizeof(uint64_t)); // the length, all of it
    REFUSED(syscall(SYS_sendmsg, line[0], &message, 0), EINVAL);
    memset(control.bytes, 0, sizeof(uint64_t));
    control.header.cmsg_len = CMSG_LEN(4);
    control.header.cmsg_type = 77;
    REFUSED(syscall(SYS_sendmsg, line[0], &message, 0), EINVAL);
    control.header.cmsg_level = 77; // another level's are not looked at
    message.msg_controllen = CMSG_LEN(4);
    SAME(syscall(SYS_sendmsg, line[0], &message, 0), 1);
    // Raw calls, as a library may look at the control messages itself.
    message.msg_controllen = 30000;
    REFUSED(syscall(SYS_sendmsg, line[0], &message, 0), ENOBUFS);
    uint64_t raw[sizeof message / sizeof(uint64_t)];
    memcpy(raw, &message, sizeof message);
    raw[5] = (uint64_t)1 << 40;
    REFUSED(syscall(SYS_sendmsg, line[0], raw, 0), ENOBUFS);
    message.msg_control = (void *)8;
    message.msg_controllen = 64;
    REFUSED(syscall(SYS_sendmsg, line[0], &message, 0), EFAULT);
    REFUSED(syscall(SYS_sendmsg, line[0], 8, 0), EFAULT);
    int plain[2];
    NEED(pipe(plain) == 0);
    REFUSED(pass(plain[1], (int[]){ 0 }, 1, 1, 0), ENOTSOCK);
}

static void what_is_on_its_way_stays_open(void) {
    int line[2];
    int tube[2];
    char byte;
    NEED(socketpair(AF_UNIX, SOCK_DGRAM, 0, line) == 0);
    NEED(pipe(tube) == 0);
    SAME(pass(line[0], &tube[1], 1, 1, 0), 1);
    close(tube[1]);
    SAME(fcntl(tube[0], F_SETFL, O_NONBLOCK), 0);
    REFUSED(read(tube[0], &byte, 1), EAGAIN); // somebody may still write
    close(line[1]);                           // its queue goes, and what is in it
    close(line[0]);
    SAME(read(tube[0], &byte, 1), 0);
}

// ---- sockets over sockets
// ------------------------------------------------------------------------

static long slab_used(const char *name) {
    static char text[32768];
    int fd = open("/proc/slabinfo", O_RDONLY);
    ssize_t length = 0;
    ssize_t count;
    while ((count = read(fd, text + length, sizeof text - 1 - (size_t)length)) > 0) {
        length += count;
    }
    close(fd);
    text[length > 0 ? length : 0] = '\0';
    char *line = strstr(text, name);
    return line != NULL ? strtol(line + strlen(name), NULL, 10) : -1;
}

// How many sockets there are, in the kernel's own count; 0 where it does not tell that.
static long sockets_used(void) {
    long used = slab_used("\nsocket ");
    return used > 0 ? used : 0;
}

// Every circle here holds the writing end of a pipe: it is found when the reader sees the end.
struct probe {
    int reader, writer;
};

static struct probe probe_make(void) {
    int tube[2];
    NEED(pipe(tube) == 0);
    return (struct probe){ tube[0], tube[1] };
}

// Some socket is closed, as that is when circles are looked for; then the end is there.
static void probe_ends(struct probe *probe) {
    char byte;
    close(probe->writer);
    SAME(fcntl(probe->reader, F_SETFL, O_NONBLOCK), 0);
    for (int i = 0; i < 500; i++) {
        close(socket(AF_UNIX, SOCK_DGRAM, 0));
        if (read(probe->reader, &byte, 1) == 0) {
            close(probe->reader);
            return;
        }
        usleep(10000); // Linux looks for them later
    }
    CHECK(!"the circle is found");
}

static void probe_lives(const struct probe *probe) {
    char byte;
    SAME(fcntl(probe->reader, F_SETFL, O_NONBLOCK), 0);
    close(socket(AF_UNIX, SOCK_DGRAM, 0));
    close(socket(AF_UNIX, SOCK_DGRAM, 0));
    REFUSED(read(probe->reader, &byte, 1), EAGAIN);
}

static void a_socket_in_itself(void) {
    long before = sockets_used();
    int line[2];
    struct probe probe = probe_make();
    NEED(socketpair(AF_UNIX, SOCK_STREAM, 0, line) == 0);
    SAME(pass(line[0], (int[]){ line[1], probe.writer }, 2, 1, 0), 1); // in its own queue
    close(line[0]);
    close(line[1]);
    probe_ends(&probe);
    SAME(sockets_used(), before);
}

static void a_circle_of_two(void) {
    long before = sockets_used();
    int line[2];
    struct probe probe = probe_make();
    NEED(socketpair(AF_UNIX, SOCK_DGRAM, 0, line) == 0);
    SAME(pass(line[0], (int[]){ line[0], probe.writer }, 2, 1, 0), 1);
    SAME(pass(line[1], (int[]){ line[1], line[1] }, 2, 1, 0), 1);
    close(line[0]);
    close(line[1]);
    probe_ends(&probe);
    SAME(sockets_used(), before);
}

static void a_circle_that_is_held(void) {
    int a[2];
    int b[2];
    struct probe probe = probe_make();
    NEED(socketpair(AF_UNIX, SOCK_STREAM, 0, a) == 0);
    NEED(socketpair(AF_UNIX, SOCK_STREAM, 0, b) == 0);
    SAME(pass(a[0], &b[1], 1, 1, 0), 1);                         // b1 lies in a1
    SAME(pass(b[0], (int[]){ a[1], probe.writer }, 2, 1, 0), 1); // a1 lies in b1
    close(b[0]);
    close(b[1]);
    close(probe.writer);
    probe.writer = dup(0);
    probe_lives(&probe); // a1 is open here
    struct taken taken = take(a[1]);
    SAME(taken.count, 1);
    close(a[1]);
    probe_lives(&probe); // b1 is, and leads to a1
    struct taken inner = take(taken.fds[0]);
    SAME(inner.count, 2);
    SAME(pass(a[0], &taken.fds[0], 1, 1, 0), 1); // and back into the circle
    SAME(write(inner.fds[1], "x", 1), 1);
    char byte;
    SAME(read(probe.reader, &byte, 1), 1);
    close(inner.fds[0]);
    close(taken.fds[0]);
    close(inner.fds[1]);
    close(a[0]);
    probe_ends(&probe);
}

// A name still leads there, but nobody can accept.
static void a_circle_through_the_backlog(void) {
    long before = sockets_used();
    struct probe probe = probe_make();
    int listener = listener_at(SOCK_STREAM, "@circle", 5);
    int client = connected_to(SOCK_STREAM, "@circle");
    SAME(pass(client, (int[]){ listener, probe.writer }, 2, 1, 0), 1);
    close(listener); // it lies in a connection that waits at it
    probe_ends(&probe);
    char byte;
    CHECK(read(client, &byte, 1) <= 0);
    REFUSED(connect_to(client, "@circle"), ECONNREFUSED);
    close(client);
    SAME(sockets_used(), before);
}

static void a_long_chain(void) {
    long before = sockets_used();
    struct probe probe = probe_make();
    int last = probe.writer;
    for (int i = 0; i < 2000; i++) { // each lies in the next one's queue
        int line[2];
        NEED(socketpair(AF_UNIX, SOCK_STREAM, 0, line) == 0);
        NEED(pass(line[0], &last, 1, 1, 0) == 1);
        close(line[0]);
        close(last);
        last = line[1];
    }
    probe.writer = dup(0);
    probe_lives(&probe);
    close(last);
    probe_ends(&probe);
    SAME(sockets_used(), before);
}

static void many_circles(void) {
    long before = sockets_used();
    struct probe probe = probe_make();
    for (int i = 0; i < 200; i++) {
        int line[2];
        NEED(socketpair(AF_UNIX, i % 2 ? SOCK_STREAM : SOCK_SEQPACKET, 0, line) == 0);
        NEED(pass(line[0], (int[]){ line[0], probe.writer }, 2, 1, 0) == 1);
        NEED(pass(line[1], &line[1], 1, 1, 0) == 1);
        close(line[0]);
        close(line[1]);
    }
    probe_ends(&probe);
    SAME(sockets_used(), before);
}

// Circles are made, opened and lost by several threads at once; nothing that is held goes.
static void *makes_circles(void *unused) {
    for (int i = 0; i < 150; i++) {
        int line[2];
        int tube[2];
        NEED(socketpair(AF_UNIX, SOCK_STREAM, 0, line) == 0);
        NEED(pipe(tube) == 0);
        NEED(pass(line[0], (int[]){ line[0], line[1], tube[1] }, 3, 1, 0) == 1);
        NEED(pass(line[1], (int[]){ line[0], line[1] }, 2, 1, 0) == 1);
        close(line[0]);
        if (i % 3 == 0) {
            struct taken taken = take_with(line[1], 8, sizeof(union control), MSG_PEEK);
            NEED(taken.count == 3);
            close(line[1]);
            struct taken again = take(taken.fds[0]);
            NEED(again.count == 2);
            NEED(write(taken.fds[2], "x", 1) == 1);
            for (int j = 0; j < 3; j++) {
                close(taken.fds[j]);
            }
            close(again.fds[0]);
            close(again.fds[1]);
        } else {
            close(line[1]);
        }
        close(tube[0]);
        close(tube[1]);
    }
    return unused;
}

static void threads_make_circles(void) {
    long before = sockets_used();
    pthread_t threads[4];
    for (int i = 0; i < 4; i++) {
        NEED(pthread_create(&threads[i], NULL, makes_circles, NULL) == 0);
    }
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
    }
    for (int i = 0; i < 500 && sockets_used() != before; i++) {
        close(socket(AF_UNIX, SOCK_DGRAM, 0)); // not each close looks for all
    }
    SAME(sockets_used(), before);
}

static void a_limit(void) {
    pid_t pid;
    CHILD(pid) {
        NEED(setgid(1000) == 0 && setuid(1000) == 0);
        struct rlimit limit = { 40, 40 };
        NEED(setrlimit(RLIMIT_NOFILE, &limit) == 0);
        int line[2];
        NEED(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, line) == 0);
        int sent = 0;
        while (sent < 100 && pass(line[0], (int[]){ 0, 0, 0, 0, 0 }, 5, 1, 0) == 1) {
            sent += 5;
        }
        SAME(sent, 45); // the first one beyond the limit still goes
        REFUSED(pass(line[0], (int[]){ 0 }, 1, 1, 0), ETOOMANYREFS);
        struct taken taken = take(line[1]);
        SAME(taken.count, 5);
        SAME(pass(line[0], (int[]){ 0 }, 1, 1, 0), 1);
        close(line[1]);
        close(line[0]);
        NEED(socketpair(AF_UNIX, SOCK_STREAM, 0, line) == 0);
        SAME(pass(line[0], (int[]){ 0 }, 1, 1, 0), 1); // nothing is on its way any more
    }
    EXITS(pid, 0);
}

// ---- credentials
// ---------------------------------------------------------------------------------

static int claim(int line, const struct ucred *who) {
    union control control;
    char byte = 'x';
    struct iovec part = { &byte, 1 };
    struct msghdr message = { .msg_iov = &part,
                              .msg_iovlen = 1,
                              .msg_control = &control,
                              .msg_controllen = CMSG_SPACE(sizeof *who) };
    memset(&control, 0, sizeof control);
    control.header.cmsg_level = SOL_SOCKET;
    control.header.cmsg_type = SCM_CREDENTIALS;
    control.header.cmsg_len = CMSG_LEN(sizeof *who);
    memcpy(CMSG_DATA(&control.header), who, sizeof *who);
    return (int)sendmsg(line, &message, 0);
}

static void credentials(void) {
    int line[2];
    NEED(socketpair(AF_UNIX, SOCK_DGRAM, 0, line) == 0);
    SAME(pass(line[0], NULL, 0, 1, 0), 1);
    SAME(set_option(line[1], SO_PASSCRED, 1), 0);
    SAME(option_of(line[1], SO_PASSCRED), 1);
    struct taken taken = take(line[1]); // sent before anybody wanted to know
    CHECK(taken.has_who);
    CHECK(taken.who.pid == 0 && taken.who.uid == 65534 && taken.who.gid == 65534);
    SAME(write(line[0], "x", 1), 1);
    taken = take(line[1]);
    CHECK(taken.who.pid == getpid() && taken.who.uid == 0 && taken.who.gid == 0);
    taken = take_with(line[1], 8, 0, MSG_DONTWAIT);
    SAME(taken.bytes, -1);
    SAME(write(line[0], "x", 1), 1);
    taken = take_with(line[1], 8, 0, 0);
    SAME(taken.flags, MSG_CTRUNC);
    SAME(pass(line[0], (int[]){ 0 }, 1, 1, 0), 1);
    taken = take(line[1]);
    CHECK(taken.has_who && taken.count == 1);
    pid_t pid;
    CHILD(pid) {
        struct ucred who = { getpid(), 0, 0 };
        SAME(claim(line[0], &(struct ucred){ getppid(), 5, 6 }), 1); // root may
        REFUSED(claim(line[0], &(struct ucred){ 3999999, 0, 0 }), ESRCH);
        NEED(setgid(1000) == 0 && setuid(1000) == 0);
        REFUSED(claim(line[0], &who), EPERM);
        who = (struct ucred){ getppid(), 1000, 1000 };
        REFUSED(claim(line[0], &who), EPERM);
        who = (struct ucred){ getpid(), 1000, 1000 };
        SAME(claim(line[0], &who), 1);
    }
    EXITS(pid, 0);
    taken = take(line[1]);
    CHECK(taken.who.pid == getpid() && taken.who.uid == 5 && taken.who.gid == 6);
    taken = take(line[1]);
    CHECK(taken.who.pid == pid && taken.who.uid == 1000 && taken.who.gid == 1000);
}

// A stream does not mix bytes of different senders for who wants to know.
static void credentials_on_streams(void) {
    int line[2];
    NEED(socketpair(AF_UNIX, SOCK_STREAM, 0, line) == 0);
    SAME(set_option(line[1], SO_PASSCRED, 1), 0);
    SAME(write(line[0], "a", 1), 1);
    SAME(write(line[0], "b", 1), 1);
    pid_t pid;
    CHILD(pid) {
        SAME(write(line[0], "c", 1), 1);
    }
    EXITS(pid, 0);
    struct taken taken = take(line[1]);
    SAME(taken.bytes, 2);
    SAME(taken.who.pid, getpid());
    taken = take(line[1]);
    SAME(taken.bytes, 1);
    SAME(taken.who.pid, pid);
}

static void who_the_peer_is(void) {
    int line[2];
    struct ucred who;
    socklen_t length = sizeof who;
    NEED(socketpair(AF_UNIX, SOCK_STREAM, 0, line) == 0);
    SAME(getsockopt(line[0], SOL_SOCKET, SO_PEERCRED, &who, &length), 0);
    CHECK(who.pid == getpid() && who.uid == 0 && who.gid == 0);
    int fresh = socket(AF_UNIX, SOCK_STREAM, 0);
    SAME(getsockopt(fresh, SOL_SOCKET, SO_PEERCRED, &who, &length), 0);
    CHECK(who.pid == 0 && who.uid == (uid_t)-1 && who.gid == (gid_t)-1);
    int listener = listener_at(SOCK_STREAM, "@who", 5);
    pid_t pid;
    CHILD(pid) {
        NEED(setgid(1000) == 0 && setuid(1000) == 0);
        int client = connected_to(SOCK_STREAM, "@who");
        SAME(getsockopt(client, SOL_SOCKET, SO_PEERCRED, &who, &length), 0);
        CHECK(who.pid == getppid() && who.uid == 0);
        char byte;
        SAME(read(client, &byte, 1), 0);
    }
    int server = accept(listener, NULL, NULL);
    SAME(getsockopt(server, SOL_SOCKET, SO_PEERCRED, &who, &length), 0);
    CHECK(who.pid == pid && who.uid == 1000 && who.gid == 1000);
    close(server);
    EXITS(pid, 0);
    // Who wants to know gets a name for the answer.
    int asking = socket(AF_UNIX, SOCK_STREAM, 0);
    SAME(set_option(asking, SO_PASSCRED, 1), 0);
    SAME(connect_to(asking, "@who"), 0);
    struct sockaddr_un name;
    length = sizeof name;
    SAME(getsockname(asking, (struct sockaddr *)&name, &length), 0);
    SAME(length, PATH_AT + 6);
}

static const struct check_case cases[] = {
    CASE(a_descriptor),
    CASE(close_on_exec),
    CASE(bounds_of_streams),
    CASE(too_little_space),
    CASE(peeking_gives_copies),
    CASE(refusals),
    CASE(what_is_on_its_way_stays_open),
    CASE(a_socket_in_itself),
    CASE(a_circle_of_two),
    CASE(a_circle_that_is_held),
    CASE(a_circle_through_the_backlog),
    CASE(a_long_chain),
    CASE(many_circles),
    CASE(threads_make_circles),
    CASE(a_limit),
    CASE(credentials),
    CASE(credentials_on_streams),
    CASE(who_the_peer_is),
};
CHECK_MAIN(cases)
