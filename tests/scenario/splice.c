// SPDX-License-Identifier: MIT OR Apache-2.0
// RUN: musl glibc
// Moving bytes by pipes without touching them: splice, tee, vmsplice; sizes of pipes; packets.
#include "check.h"

#include <poll.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>

#define PAGE 4096

static char pattern[32 * PAGE] __attribute__((aligned(PAGE)));

__attribute__((constructor)) static void fill_pattern(void) {
    for (size_t i = 0; i < sizeof pattern; i++) {
        pattern[i] = (char)(i * 7 + i / 251);
    }
}

static int file_of(const char *name, const void *bytes, size_t size) {
    int fd = open(name, O_RDWR | O_CREAT | O_TRUNC, 0600);
    NEED(fd >= 0);
    NEED(write(fd, bytes, size) == (ssize_t)size);
    NEED(lseek(fd, 0, SEEK_SET) == 0);
    return fd;
}

static int waiting(int fd) {
    int bytes = -1;
    NEED(ioctl(fd, FIONREAD, &bytes) == 0);
    return bytes;
}

static void from_a_file(void) {
    int line[2];
    char bytes[3 * PAGE];
    NEED(pipe(line) == 0);
    int file = file_of("f", pattern, 2 * PAGE + 100);
    SAME(splice(file, NULL, line[1], NULL, PAGE + 10, 0), PAGE + 10);
    SAME(lseek(file, 0, SEEK_CUR), PAGE + 10);
    SAME(waiting(line[0]), PAGE + 10);
    off_t offset = 2 * PAGE;
    SAME(splice(file, &offset, line[1], NULL, PAGE, SPLICE_F_MOVE), 100);
    SAME(offset, 2 * PAGE + 100);
    SAME(lseek(file, 0, SEEK_CUR), PAGE + 10);
    SAME(splice(file, &offset, line[1], NULL, PAGE, 0), 0); // its end
    SAME(read(line[0], bytes, sizeof bytes), PAGE + 110);
    CHECK(memcmp(bytes, pattern, PAGE + 10) == 0);
    CHECK(memcmp(bytes + PAGE + 10, pattern + 2 * PAGE, 100) == 0);
}

static void into_a_file(void) {
    int line[2];
    char bytes[2 * PAGE];
    NEED(pipe(line) == 0);
    int file = open("f", O_RDWR | O_CREAT, 0600);
    SAME(write(line[1], pattern, PAGE + 500), PAGE + 500);
    SAME(splice(line[0], NULL, file, NULL, 300, 0), 300);
    SAME(lseek(file, 0, SEEK_CUR), 300);
    off_t offset = 1000;
    SAME(splice(line[0], NULL, file, &offset, 1 << 20, 0), PAGE + 200);
    SAME(offset, 1000 + PAGE + 200);
    SAME(lseek(file, 0, SEEK_CUR), 300);
    SAME(waiting(line[0]), 0);
    SAME(pread(file, bytes, 300, 0), 300);
    CHECK(memcmp(bytes, pattern, 300) == 0);
    SAME(pread(file, bytes, PAGE + 200, 1000), PAGE + 200);
    CHECK(memcmp(bytes, pattern + 300, PAGE + 200) == 0);
    close(line[1]);
    SAME(splice(line[0], NULL, file, NULL, 10, 0), 0); // nobody writes any more
}

static void refusals(void) {
    int line[2], other[2];
    int file = file_of("f", pattern, PAGE);
    off_t zero = 0, before = -1;
    NEED(pipe(line) == 0);
    NEED(pipe(other) == 0);
    SAME(splice(-1, NULL, -1, NULL, 0, 0), 0);
    REFUSED(splice(line[0], NULL, file, NULL, 1, 0x10), EINVAL);
    REFUSED(splice(-1, NULL, line[1], NULL, 1, 0), EBADF);
    REFUSED(splice(file, NULL, 99, NULL, 1, 0), EBADF);
    REFUSED(splice(line[1], NULL, file, NULL, 1, 0), EBADF);
    REFUSED(splice(file, NULL, line[0], NULL, 1, 0), EBADF);
    REFUSED(splice(line[0], &zero, file, NULL, 1, 0), ESPIPE);
    REFUSED(splice(file, NULL, line[1], &zero, 1, 0), ESPIPE);
    REFUSED(splice(file, &before, line[1], NULL, 1, 0), EINVAL);
    REFUSED(splice(file, (off_t *)8, line[1], NULL, 1, 0), EFAULT);
    REFUSED(splice(file, NULL, file, NULL, 1, 0), EINVAL);
    REFUSED(splice(line[0], NULL, line[1], NULL, 1, 0), EINVAL);
    REFUSED(splice(line[0], NULL, other[1], NULL, 1, SPLICE_F_NONBLOCK), EAGAIN);
    int append = open("f", O_WRONLY | O_APPEND);
    SAME(write(line[1], "x", 1), 1);
    REFUSED(splice(line[0], NULL, append, NULL, 1, 0), EINVAL);
    int folder = open(".", O_RDONLY);
    REFUSED(splice(folder, NULL, line[1], NULL, 1, 0), EINVAL);
    REFUSED(tee(line[0], file, 1, 0), EINVAL);
    REFUSED(tee(line[0], line[1], 1, 0), EINVAL);
    REFUSED(tee(line[0], other[1], 1, 0x10), EINVAL);
    SAME(tee(line[0], file, 0, 0), 0);
    struct iovec part = { "x", 1 };
    REFUSED(vmsplice(file, &part, 1, 0), EBADF);
    REFUSED(vmsplice(line[1], &part, 1, 0x10), EINVAL);
    REFUSED(vmsplice(line[1], &part, 1025, 0), EINVAL);
    SAME(waiting(line[0]), 1);
}

static void waits_for_the_pipe(void) {
    int line[2], out[2];
    char byte = 0;
    NEED(pipe(line) == 0);
    NEED(pipe(out) == 0);
    int file = file_of("f", pattern, sizeof pattern);
    SAME(splice(file, NULL, line[1], NULL, sizeof pattern, 0), 16 * PAGE); // what there is room for
    REFUSED(splice(file, NULL, line[1], NULL, 1, SPLICE_F_NONBLOCK), EAGAIN);
    SAME(lseek(file, 0, SEEK_CUR), 16 * PAGE);
    pid_t pid = fork();
    if (pid == 0) {
        ssize_t got = splice(file, NULL, line[1], NULL, 1, 0); // waits for room
        _exit(got == 1 ? 0 : 1);
    }
    for (int left = 16 * PAGE; left > 0;) {
        ssize_t got = splice(line[0], NULL, out[1], NULL, (size_t)left, 0);
        NEED(got > 0);
        left -= (int)got;
        for (ssize_t i = 0; i < got; i += PAGE) {
            static char page[PAGE];
            NEED(read(out[0], page, PAGE) == PAGE);
        }
    }
    EXITS(pid, 0);
    SAME(read(line[0], &byte, 1), 1);
    CHECK(byte == pattern[16 * PAGE]);
    close(line[0]);
    signal(SIGPIPE, SIG_IGN);
    REFUSED(splice(file, NULL, line[1], NULL, 1, 0), EPIPE);
    signal(SIGPIPE, SIG_DFL);
    pid = fork();
    if (pid == 0) {
        (void)!splice(file, NULL, line[1], NULL, 1, 0);
        _exit(0);
    }
    KILLED(pid, SIGPIPE);
}

static void between_pipes(void) {
    int a[2], b[2];
    char bytes[2 * PAGE];
    NEED(pipe(a) == 0);
    NEED(pipe(b) == 0);
    SAME(write(a[1], pattern, PAGE + 100), PAGE + 100);
    SAME(splice(a[0], NULL, b[1], NULL, 50, 0), 50);
    SAME(waiting(a[0]), PAGE + 50);
    SAME(splice(a[0], NULL, b[1], NULL, 1 << 20, 0), PAGE + 50);
    SAME(waiting(a[0]), 0);
    SAME(write(b[1], "end", 3), 3);
    SAME(read(b[0], bytes, sizeof bytes), PAGE + 103);
    CHECK(memcmp(bytes, pattern, PAGE + 100) == 0 && memcmp(bytes + PAGE + 100, "end", 3) == 0);
    // What was read of a page that both had does not come back, and what is written does not mix.
    SAME(write(a[1], "abcdef", 6), 6);
    SAME(tee(a[0], b[1], 3, 0), 3);
    SAME(write(a[1], "ghi", 3), 3);
    SAME(write(b[1], "xyz", 3), 3);
    SAME(read(b[0], bytes, 10), 6);
    CHECK(memcmp(bytes, "abcxyz", 6) == 0);
    SAME(read(a[0], bytes, 10), 9);
    CHECK(memcmp(bytes, "abcdefghi", 9) == 0);
    close(a[1]);
    SAME(splice(a[0], NULL, b[1], NULL, 1, 0), 0);
    SAME(tee(a[0], b[1], 1, 0), 0);
}

static void tee_keeps(void) {
    int a[2], b[2];
    static char bytes[16 * PAGE];
    NEED(pipe(a) == 0);
    NEED(pipe(b) == 0);
    SAME(write(a[1], pattern, 16 * PAGE), 16 * PAGE);
    for (int i = 0; i < 3; i++) {
        SAME(tee(a[0], b[1], sizeof pattern, 0), 16 * PAGE);
        REFUSED(tee(a[0], b[1], 1, SPLICE_F_NONBLOCK), EAGAIN);
        SAME(read(b[0], bytes, sizeof bytes), 16 * PAGE);
        CHECK(memcmp(bytes, pattern, sizeof bytes) == 0);
    }
    SAME(read(a[0], bytes, sizeof bytes), 16 * PAGE);
    CHECK(memcmp(bytes, pattern, sizeof bytes) == 0);
    REFUSED(tee(a[0], b[1], 1, SPLICE_F_NONBLOCK), EAGAIN);
}

static void memory(void) {
    int line[2];
    char bytes[64] = { 0 };
    NEED(pipe(line) == 0);
    struct iovec parts[] = { { "hello ", 6 }, { "pipe", 4 } };
    SAME(vmsplice(line[1], parts, 2, 0), 10);
    struct iovec into[] = { { bytes, 4 }, { bytes + 32, 32 } };
    SAME(vmsplice(line[0], into, 2, 0), 10);
    CHECK(memcmp(bytes, "hell", 4) == 0 && memcmp(bytes + 32, "o pipe", 6) == 0);
    REFUSED(vmsplice(line[0], into, 2, SPLICE_F_NONBLOCK), EAGAIN);
    struct iovec much = { pattern, sizeof pattern };
    SAME(vmsplice(line[1], &much, 1, 0), 16 * PAGE); // does not wait for the rest
    REFUSED(vmsplice(line[1], &much, 1, SPLICE_F_NONBLOCK), EAGAIN);
}

static void sockets(void) {
    int line[2], pair[2];
    char bytes[16];
    NEED(pipe(line) == 0);
    NEED(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
    SAME(write(pair[0], "question", 8), 8);
    SAME(splice(pair[1], NULL, line[1], NULL, 1 << 16, 0), 8); // what is there
    SAME(splice(line[0], NULL, pair[1], NULL, 1 << 16, 0), 8);
    SAME(read(pair[0], bytes, sizeof bytes), 8);
    CHECK(memcmp(bytes, "question", 8) == 0);
    NEED(fcntl(pair[1], F_SETFL, O_NONBLOCK) == 0);
    REFUSED(splice(pair[1], NULL, line[1], NULL, 1 << 16, 0), EAGAIN);
    NEED(shutdown(pair[0], SHUT_WR) == 0);
    SAME(splice(pair[1], NULL, line[1], NULL, 1 << 16, 0), 0); // as soon as it sends no more
    signal(SIGPIPE, SIG_IGN);
    NEED(shutdown(pair[1], SHUT_WR) == 0 && write(line[1], "x", 1) == 1);
    REFUSED(splice(line[0], NULL, pair[1], NULL, 1 << 16, 0), EPIPE);
    close(pair[0]);
    SAME(splice(pair[1], NULL, line[1], NULL, 1 << 16, 0), 0);
}

// One that is full and may not send any more says the latter.
static void full_and_shut(void) {
    int line[2], pair[2];
    NEED(pipe(line) == 0);
    NEED(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) == 0);
    while (write(pair[1], pattern, sizeof pattern) > 0) {
    }
    signal(SIGPIPE, SIG_IGN);
    NEED(shutdown(pair[1], SHUT_WR) == 0 && write(line[1], "x", 1) == 1);
    REFUSED(splice(line[0], NULL, pair[1], NULL, 1 << 16, 0), EPIPE);
}

#define LINES 20000

// Lines of 64 bytes go through a pipe with three readers, two of which splice: each comes once.
static void nothing_twice(void) {
    int line[2];
    pid_t readers[2], writer;
    static unsigned char seen[LINES];
    uint32_t words[16];
    NEED(pipe(line) == 0);
    int files[] = { file_of("f0", "", 0), file_of("f1", "", 0) };
    if ((writer = fork()) == 0) {
        for (uint32_t i = 0; i < LINES; i++) {
            for (uint32_t k = 0; k < 16; k++) {
                words[k] = i * 16 + k;
            }
            NEED(write(line[1], words, sizeof words) == sizeof words);
        }
        _exit(0);
    }
    close(line[1]);
    for (int i = 0; i < 2; i++) {
        if ((readers[i] = fork()) == 0) {
            ssize_t got;
            while ((got = splice(line[0], NULL, files[i], NULL, 3 * PAGE, 0)) > 0) {
            }
            _exit(got == 0 ? 0 : 1);
        }
    }
    int total = 0;
    while (read(line[0], words, sizeof words) == sizeof words) {
        NEED(words[0] % 16 == 0 && words[0] / 16 < LINES && words[15] == words[0] + 15);
        seen[words[0] / 16]++;
        total++;
    }
    EXITS(writer, 0);
    for (int i = 0; i < 2; i++) {
        EXITS(readers[i], 0);
        for (off_t at = 0; pread(files[i], words, sizeof words, at) == sizeof words; at += 64) {
            NEED(words[0] % 16 == 0 && words[0] / 16 < LINES && words[15] == words[0] + 15);
            seen[words[0] / 16]++;
            total++;
        }
    }
    SAME(total, LINES);
    for (int i = 0; i < LINES; i++) {
        NEED(seen[i] == 1);
    }
}

static char state_of(pid_t pid) {
    char path[64], text[256] = { 0 };
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    int fd = open(path, O_RDONLY);
    NEED(fd >= 0);
    NEED(read(fd, text, sizeof text - 1) > 0);
    close(fd);
    return strrchr(text, ')')[2];
}

// While a splice waits for its other end, what it has of the pipe is neither others' nor the end.
static void a_reader_waits_for_a_splice(void) {
    int line[2], pair[2];
    static char bytes[2 * PAGE];
    NEED(pipe(line) == 0);
    NEED(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
    NEED(fcntl(pair[1], F_SETFL, O_NONBLOCK) == 0);
    size_t before = 0;
    for (ssize_t got; (got = write(pair[1], pattern, sizeof pattern)) > 0;) {
        before += (size_t)got;
    }
    NEED(fcntl(pair[1], F_SETFL, 0) == 0);
    NEED(write(line[1], pattern, sizeof bytes) == sizeof bytes);
    close(line[1]);
    pid_t splicer = fork();
    if (splicer == 0) {
        close(pair[0]);
        _exit(splice(line[0], NULL, pair[1], NULL, sizeof bytes, 0) == sizeof bytes ? 0 : 1);
    }
    close(pair[1]);
    while (state_of(splicer) == 'R') {
        sched_yield();
    }
    pid_t reader = fork();
    if (reader == 0) {
        _exit(read(line[0], bytes, sizeof bytes) == 0 ? 0 : 1);
    }
    while (state_of(reader) == 'R') {
        sched_yield();
    }
    // A kernel may take the pages without waiting for room in the socket.
    CHECK(state_of(reader) != 'Z' || state_of(splicer) == 'Z');
    for (size_t total = 0; total < before + sizeof bytes;) {
        ssize_t got = read(pair[0], bytes, sizeof bytes);
        NEED(got > 0);
        total += (size_t)got;
    }
    EXITS(splicer, 0);
    EXITS(reader, 0);
}

// What is read for a pipe has its place there, whatever others write meanwhile.
static void a_splice_keeps_its_place(void) {
    int line[2], pair[2];
    static char bytes[PAGE];
    NEED(pipe(line) == 0);
    NEED(fcntl(line[1], F_SETPIPE_SZ, PAGE) == PAGE);
    NEED(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
    pid_t splicer = fork();
    if (splicer == 0) {
        _exit(splice(pair[1], NULL, line[1], NULL, PAGE, 0) == 5 ? 0 : 1);
    }
    while (state_of(splicer) == 'R') {
        sched_yield();
    }
    pid_t writer = fork();
    if (writer == 0) {
        _exit(write(line[1], pattern, PAGE) == PAGE ? 0 : 1);
    }
    while (state_of(writer) == 'R') {
        sched_yield();
    }
    SAME(write(pair[0], "first", 5), 5);
    EXITS(splicer, 0);
    SAME(read(line[0], bytes, PAGE), 5);
    CHECK(memcmp(bytes, "first", 5) == 0);
    SAME(read(line[0], bytes, PAGE), PAGE);
    CHECK(memcmp(bytes, pattern, PAGE) == 0);
    EXITS(writer, 0);
}

static void sizes(void) {
    int line[2];
    static char bytes[17 * PAGE];
    NEED(pipe2(line, O_NONBLOCK) == 0);
    SAME(fcntl(line[0], F_GETPIPE_SZ), 65536);
    SAME(fcntl(line[1], F_SETPIPE_SZ, 1), PAGE);
    SAME(fcntl(line[0], F_GETPIPE_SZ), PAGE);
    SAME(write(line[1], pattern, sizeof pattern), PAGE);
    REFUSED(write(line[1], "x", 1), EAGAIN);
    SAME(fcntl(line[1], F_SETPIPE_SZ, 3 * PAGE - 1), 4 * PAGE);
    SAME(write(line[1], pattern + PAGE, sizeof pattern - PAGE), 3 * PAGE);
    REFUSED(fcntl(line[1], F_SETPIPE_SZ, 2 * PAGE), EBUSY);
    SAME(read(line[0], bytes, 2 * PAGE), 2 * PAGE);
    SAME(write(line[1], pattern + 4 * PAGE, PAGE), PAGE); // wraps around
    SAME(fcntl(line[1], F_SETPIPE_SZ, 65536), 65536);
    SAME(write(line[1], pattern + 5 * PAGE, sizeof pattern - 5 * PAGE), 13 * PAGE);
    SAME(read(line[0], bytes + 2 * PAGE, 15 * PAGE), 15 * PAGE);
    CHECK(memcmp(bytes, pattern, 17 * PAGE) == 0);
    SAME(read(line[0], bytes, sizeof bytes), PAGE);
    SAME(fcntl(line[1], F_SETPIPE_SZ, 1 << 20), 1 << 20);
    SAME(fcntl(line[1], F_SETPIPE_SZ, 3 << 20), 4 << 20); // as root
    REFUSED(fcntl(line[1], F_SETPIPE_SZ, 0x80000001u), EINVAL);
    int file = file_of("f", "", 0);
    REFUSED(fcntl(file, F_GETPIPE_SZ), EBADF);
    REFUSED(fcntl(file, F_SETPIPE_SZ, PAGE), EBADF);
    pid_t pid = fork();
    if (pid == 0) {
        int own[2];
        NEED(setuid(1000) == 0);
        NEED(pipe(own) == 0);
        SAME(fcntl(own[1], F_SETPIPE_SZ, 1 << 20), 1 << 20);
        REFUSED(fcntl(own[1], F_SETPIPE_SZ, (1 << 20) + 1), EPERM);
        SAME(fcntl(line[1], F_SETPIPE_SZ, 2 << 20), 2 << 20); // smaller than it was
        _exit(check_failures != 0);
    }
    EXITS(pid, 0);
}

// Room comes with a page that is read up, whoever waits for it.
static void a_writer_waits_for_more_room(void) {
    int line[2];
    NEED(pipe(line) == 0);
    NEED(fcntl(line[1], F_SETPIPE_SZ, PAGE) == PAGE);
    NEED(write(line[1], pattern, PAGE) == PAGE);
    pid_t pid = fork();
    if (pid == 0) {
        _exit(write(line[1], "x", 1) == 1 ? 0 : 1);
    }
    while (state_of(pid) == 'R') {
        sched_yield();
    }
    struct pollfd file = { line[1], POLLOUT, 0 };
    SAME(poll(&file, 1, 0), 0);
    SAME(fcntl(line[1], F_SETPIPE_SZ, 2 * PAGE), 2 * PAGE);
    EXITS(pid, 0);
    SAME(waiting(line[0]), PAGE + 1);
}

static void packets(void) {
    int line[2];
    char bytes[3 * PAGE];
    SAME(pipe2(line, O_DIRECT | O_NONBLOCK), 0);
    CHECK(fcntl(line[1], F_GETFL) & O_DIRECT);
    SAME(write(line[1], "one", 3), 3);
    SAME(write(line[1], "second", 6), 6);
    SAME(waiting(line[0]), 9);
    SAME(read(line[0], bytes, sizeof bytes), 3);
    SAME(read(line[0], bytes, 2), 2); // the rest of it is gone
    REFUSED(read(line[0], bytes, 1), EAGAIN);
    SAME(write(line[1], pattern, PAGE + 7), PAGE + 7);
    SAME(read(line[0], bytes, sizeof bytes), PAGE);
    SAME(read(line[0], bytes, sizeof bytes), 7);
    for (int i = 0; i < 16; i++) {
        NEED(write(line[1], "x", 1) == 1);
    }
    REFUSED(write(line[1], "x", 1), EAGAIN);
    for (int i = 0; i < 16; i++) {
        NEED(read(line[0], bytes, sizeof bytes) == 1);
    }
    SAME(fcntl(line[1], F_SETFL, O_NONBLOCK), 0);
    SAME(write(line[1], "ab", 2), 2);
    SAME(write(line[1], "cd", 2), 2);
    SAME(fcntl(line[1], F_SETFL, O_NONBLOCK | O_DIRECT), 0);
    SAME(write(line[1], pattern, PAGE), PAGE);
    SAME(read(line[0], bytes, 4), 4);
    SAME(read(line[0], bytes, sizeof bytes), PAGE);
}

// Who watches a pipe's edges hears nothing of splices that move nothing.
static void refused_splices_are_quiet(void) {
    int a[2], b[2], empty[2], pair[2];
    struct epoll_event event = { .events = EPOLLIN | EPOLLET };
    NEED(pipe2(a, O_NONBLOCK) == 0 && pipe2(b, O_NONBLOCK) == 0);
    NEED(pipe2(empty, O_NONBLOCK) == 0);
    NEED(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) == 0);
    while (write(pair[1], pattern, sizeof pattern) > 0) {
    }
    while (write(pair[1], "x", 1) > 0) {
    }
    NEED(write(a[1], pattern, 100) == 100);
    NEED(write(b[1], pattern, sizeof pattern) == 16 * PAGE);
    const int events = epoll_create1(0);
    NEED(epoll_ctl(events, EPOLL_CTL_ADD, a[0], &event) == 0);
    SAME(epoll_wait(events, &event, 1, 0), 1);
    for (int i = 0; i < 3; i++) {
        REFUSED(splice(a[0], NULL, b[1], NULL, 100, 0), EAGAIN);
        REFUSED(tee(a[0], b[1], 100, 0), EAGAIN);
        SAME(epoll_wait(events, &event, 1, 0), 0);
    }
    // Linux lets a full socket have some pages more.
    const ssize_t sent = splice(a[0], NULL, pair[1], NULL, 100, 0);
    if (sent < 0) {
        SAME(epoll_wait(events, &event, 1, 0), 0);
    }
    event.events = EPOLLOUT | EPOLLET;
    NEED(epoll_ctl(events, EPOLL_CTL_ADD, a[1], &event) == 0);
    SAME(epoll_wait(events, &event, 1, 0), 1);
    REFUSED(splice(pair[1], NULL, a[1], NULL, 100, 0), EAGAIN);
    REFUSED(splice(empty[0], NULL, a[1], NULL, 100, 0), EAGAIN);
    SAME(epoll_wait(events, &event, 1, 0), 0);
    SAME(waiting(a[0]), sent < 0 ? 100 : 100 - sent);
    // Also where the place that it would keep is the only one.
    NEED(read(b[0], pattern, PAGE) == PAGE);
    event.events = EPOLLOUT | EPOLLET;
    NEED(epoll_ctl(events, EPOLL_CTL_ADD, b[1], &event) == 0);
    SAME(epoll_wait(events, &event, 1, 0), 1);
    REFUSED(splice(empty[0], NULL, b[1], NULL, 100, 0), EAGAIN);
    REFUSED(tee(empty[0], b[1], 100, 0), EAGAIN);
    SAME(epoll_wait(events, &event, 1, 0), 0);
}

static void messages_are_whole(void) {
    int line[2], pair[2];
    NEED(pipe(line) == 0);
    NEED(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) == 0);
    NEED(write(pair[0], pattern, 5000) == 5000);
    const ssize_t got = splice(pair[1], NULL, line[1], NULL, 65536, 0);
    const int error = errno;
    CHECK(got == 5000 || (got == -1 && error == EINVAL));
    SAME(waiting(line[0]), got < 0 ? 0 : 5000);
}

static void no_readers(void) {
    int a[2], b[2];
    NEED(pipe(a) == 0 && pipe(b) == 0);
    close(a[1]);
    close(b[0]);
    signal(SIGPIPE, SIG_IGN);
    REFUSED(splice(a[0], NULL, b[1], NULL, 1, 0), EPIPE);
}

static void both_ends(void) {
    int line[2];
    char path[64], bytes[PAGE];
    NEED(pipe(line) == 0);
    NEED(write(line[1], pattern, 16 * PAGE) == 16 * PAGE);
    snprintf(path, sizeof path, "/proc/self/fd/%d", line[0]);
    const int both = open(path, O_RDWR);
    NEED(both >= 0);
    struct pollfd file = { both, POLLOUT, 0 };
    SAME(poll(&file, 1, 0), 0);
    pid_t pid = fork();
    if (pid == 0) {
        _exit(poll(&file, 1, -1) == 1 ? 0 : 1);
    }
    while (state_of(pid) == 'R') {
        sched_yield();
    }
    SAME(read(line[0], bytes, PAGE), PAGE);
    EXITS(pid, 0);
    NEED(mkfifo("fifo", 0600) == 0);
    REFUSED(open("fifo", O_RDWR | O_DIRECT), EINVAL);
}

static volatile int limit_signals;
static void on_limit(int number) {
    (void)number;
    limit_signals++;
}

// That a file cannot be so large is an error; that it may not be, a signal.
static void no_signal_without_a_limit(void) {
    int line[2];
    const int to = file_of("huge", "", 0);
    off_t far = INT64_C(8) << 40; // Linux takes it, or says the same
    NEED(pipe(line) == 0);
    signal(SIGXFSZ, on_limit);
    NEED(write(line[1], "x", 1) == 1);
    const ssize_t sent = splice(line[0], NULL, to, &far, 1, 0);
    const int error = errno;
    CHECK(sent == 1 || (sent < 0 && error == EFBIG));
    SAME(limit_signals, 0);
}

static void limits_of_files(void) {
    int line[2];
    struct rlimit limit = { 1000, 1000 };
    NEED(pipe(line) == 0);
    int from = file_of("from", pattern, 2000);
    int to = file_of("to", "", 0);
    signal(SIGXFSZ, SIG_IGN);
    NEED(setrlimit(RLIMIT_FSIZE, &limit) == 0);
    SAME(write(line[1], pattern, 2000), 2000);
    SAME(splice(line[0], NULL, to, NULL, 2000, 0), 1000);
    REFUSED(splice(line[0], NULL, to, NULL, 2000, 0), EFBIG);
    SAME(waiting(line[0]), 1000);
    off_t zero = 0;
    REFUSED(sendfile(to, from, &zero, 10), EFBIG);
    REFUSED(copy_file_range(from, &zero, to, NULL, 10, 0), EFBIG);
    // Where there is nothing to write, the limit is not in the way.
    int empty[2];
    off_t end = 2000;
    NEED(pipe(empty) == 0);
    REFUSED(splice(empty[0], NULL, to, NULL, 10, SPLICE_F_NONBLOCK), EAGAIN);
    close(empty[1]);
    SAME(splice(empty[0], NULL, to, NULL, 10, 0), 0);
    SAME(sendfile(to, from, &end, 10), 0);
    NEED(ftruncate(to, 0) == 0);
    NEED(lseek(to, 900, SEEK_SET) == 900);
    SAME(sendfile(to, from, &zero, 200), 100);
}

static const struct check_case cases[] = {
    CASE(from_a_file),
    CASE(into_a_file),
    CASE(refusals),
    CASE(waits_for_the_pipe),
    CASE(between_pipes),
    CASE(tee_keeps),
    CASE(memory),
    CASE(sockets),
    CASE(nothing_twice),
    CASE(a_reader_waits_for_a_splice),
    CASE(a_splice_keeps_its_place),
    CASE(sizes),
    CASE(a_writer_waits_for_more_room),
    CASE(packets),
    CASE(refused_splices_are_quiet),
    CASE(messages_are_whole),
    CASE(no_readers),
    CASE(both_ends),
    CASE(full_and_shut),
    CASE(no_signal_without_a_limit),
    CASE(limits_of_files),
};
CHECK_MAIN(cases)
