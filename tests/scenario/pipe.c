// SPDX-License-Identifier: MIT OR Apache-2.0
// RUN: musl glibc
// Pipes and FIFOs: order, ends, blocking, atomicity, descriptors.
#include "check.h"

#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/uio.h>

static void passes_bytes(void) {
    int line[2];
    char text[16];
    SAME(pipe(line), 0);
    SAME(write(line[1], "hello", 5), 5);
    SAME(write(line[1], " you", 4), 4);
    SAME(read(line[0], text, 3), 3);
    SAME(read(line[0], text + 3, 13), 6);
    CHECK(memcmp(text, "hello you", 9) == 0);
    SAME(write(line[1], "", 0), 0);
}

static void ends(void) {
    int line[2];
    char byte;
    NEED(pipe(line) == 0);
    SAME(write(line[1], "x", 1), 1);
    close(line[1]);
    SAME(read(line[0], &byte, 1), 1);
    SAME(read(line[0], &byte, 1), 0);
    SAME(read(line[0], &byte, 1), 0);
}

static void wrong_way(void) {
    int line[2];
    char byte = 0;
    NEED(pipe(line) == 0);
    REFUSED(read(line[1], &byte, 1), EBADF);
    REFUSED(write(line[0], &byte, 1), EBADF);
    REFUSED(lseek(line[0], 0, SEEK_SET), ESPIPE);
    REFUSED(pread(line[0], &byte, 1, 0), ESPIPE);
    REFUSED(ftruncate(line[1], 0), EINVAL);
    REFUSED(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, line[0], 0) == MAP_FAILED ? -1 : 0, ENODEV);
    REFUSED(syscall(SYS_pipe2, line, 0x1234567), EINVAL);
    REFUSED(syscall(SYS_pipe2, (void *)8, 0), EFAULT);
    REFUSED(write(line[1], (void *)8, 10), EFAULT);
}

static void nobody_reads(void) {
    int line[2];
    NEED(pipe(line) == 0);
    close(line[0]);
    pid_t pid = fork();
    if (pid == 0) {
        (void)!write(line[1], "x", 1);
        _exit(0);
    }
    KILLED(pid, SIGPIPE);
    signal(SIGPIPE, SIG_IGN);
    REFUSED(write(line[1], "x", 1), EPIPE);
}

static void without_blocking(void) {
    int line[2];
    char block[4096] = { 0 };
    SAME(pipe2(line, O_NONBLOCK | O_CLOEXEC), 0);
    SAME(fcntl(line[0], F_GETFD), FD_CLOEXEC);
    CHECK(fcntl(line[1], F_GETFL) & O_NONBLOCK);
    REFUSED(read(line[0], block, 1), EAGAIN);
    int total = 0;
    ssize_t count;
    while ((count = write(line[1], block, sizeof block)) > 0) {
        total += (int)count;
    }
    CHECK(count < 0);
    REFUSED(write(line[1], block, 1), EAGAIN);
    SAME(total, 65536);
    int waiting = 0;
    SAME(ioctl(line[0], FIONREAD, &waiting), 0);
    SAME(waiting, 65536);
    SAME(read(line[0], block, 4096), 4096);
    SAME(write(line[1], block, 4096), 4096);
    SAME(fcntl(line[1], F_GETPIPE_SZ), 65536);
}

static void small_writes_are_whole_or_not(void) {
    int line[2];
    static char block[PIPE_BUF];
    NEED(pipe2(line, O_NONBLOCK) == 0);
    while (write(line[1], block, PIPE_BUF) > 0) {
    }
    char big[PIPE_BUF];
    SAME(read(line[0], big, PIPE_BUF - 1), PIPE_BUF - 1);
    REFUSED(write(line[1], block, PIPE_BUF), EAGAIN); // does not fit whole
    NEED(pipe2(line, O_NONBLOCK) == 0);
    for (int i = 0; i < 15; i++) {
        NEED(write(line[1], block, PIPE_BUF) == PIPE_BUF);
    }
    NEED(write(line[1], block, PIPE_BUF - 100) == PIPE_BUF - 100);
    REFUSED(write(line[1], block, 200), EAGAIN);
    SAME(write(line[1], block, 60), 60);
    SAME(write(line[1], block, 40), 40);
    REFUSED(write(line[1], block, 1), EAGAIN);
}

static void writers_do_not_mix(void) {
    enum { WRITERS = 6, ROUNDS = 60 };
    int line[2];
    NEED(pipe(line) == 0);
    for (int writer = 0; writer < WRITERS; writer++) {
        if (fork() == 0) {
            char block[PIPE_BUF];
            memset(block, 'a' + writer, sizeof block);
            for (int i = 0; i < ROUNDS; i++) {
                if (write(line[1], block, sizeof block) != sizeof block) {
                    _exit(1);
                }
            }
            _exit(0);
        }
    }
    close(line[1]);
    int seen[WRITERS] = { 0 };
    char block[PIPE_BUF];
    for (;;) {
        size_t filled = 0;
        ssize_t count = 0;
        while (filled < sizeof block &&
               (count = read(line[0], block + filled, sizeof block - filled)) > 0) {
            filled += (size_t)count;
        }
        if (filled == 0) {
            break;
        }
        SAME(filled, sizeof block);
        for (size_t i = 1; i < filled; i++) {
            NEED(block[i] == block[0]);
        }
        seen[block[0] - 'a']++;
    }
    for (int writer = 0; writer < WRITERS; writer++) {
        SAME(seen[writer], ROUNDS);
        int status = check_wait(-1);
        SAME(status, 0);
    }
}

static void a_long_stream(void) {
    enum { TOTAL = 3000000 };
    int line[2];
    NEED(pipe(line) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        unsigned char block[7777];
        unsigned next = 0;
        size_t sent = 0;
        while (sent < TOTAL) {
            size_t size = (next * 13 % sizeof block) + 1;
            size = size < TOTAL - sent ? size : TOTAL - sent;
            for (size_t i = 0; i < size; i++) {
                block[i] = (unsigned char)((sent + i) * 31 >> 3);
            }
            if (write(line[1], block, size) != (ssize_t)size) {
                _exit(1);
            }
            sent += size;
            next++;
        }
        _exit(0);
    }
    close(line[1]);
    static unsigned char block[100000];
    size_t got = 0;
    ssize_t count;
    while ((count = read(line[0], block, 1 + got % sizeof block)) > 0) {
        for (ssize_t i = 0; i < count; i++) {
            NEED(block[i] == (unsigned char)((got + (size_t)i) * 31 >> 3));
        }
        got += (size_t)count;
    }
    SAME(got, TOTAL);
    EXITS(pid, 0);
}

// What is written while the end of the buffer is still unread goes on at its beginning.
static void the_buffer_is_a_ring(void) {
    enum { FIRST = 60000, TAKEN = 50000, SECOND = 40000 };
    static unsigned char out[FIRST + SECOND];
    static unsigned char in[FIRST + SECOND];
    int line[2];
    for (unsigned i = 0; i < sizeof out; i++) {
        out[i] = (unsigned char)(i * 7 + i / 251);
    }
    NEED(pipe(line) == 0);
    SAME(write(line[1], out, FIRST), FIRST);
    SAME(read(line[0], in, TAKEN), TAKEN);
    SAME(write(line[1], out + FIRST, SECOND), SECOND);
    SAME(read(line[0], in + TAKEN, sizeof in), sizeof in - TAKEN);
    CHECK(memcmp(in, out, sizeof in) == 0);
}

static void many_parts(void) {
    int line[2];
    NEED(pipe(line) == 0);
    struct iovec out[] = { { "ab", 2 }, { NULL, 0 }, { "cde", 3 } };
    SAME(writev(line[1], out, 3), 5);
    char first[2];
    char second[8];
    struct iovec in[] = { { first, 2 }, { second, 8 } };
    SAME(readv(line[0], in, 2), 5);
    CHECK(memcmp(second, "cde", 3) == 0);
    REFUSED(writev(line[1], out, -1), EINVAL);
    REFUSED(writev(line[1], out, 1025), EINVAL);
    SAME(writev(line[1], out, 0), 0);
}

static void poll_sees_states(void) {
    int line[2];
    NEED(pipe(line) == 0);
    struct pollfd ends_polled[] = { { .fd = line[0], .events = POLLIN },
                                    { .fd = line[1], .events = POLLOUT } };
    SAME(poll(ends_polled, 2, 0), 1);
    SAME(ends_polled[0].revents, 0);
    SAME(ends_polled[1].revents, POLLOUT);
    SAME(write(line[1], "x", 1), 1);
    SAME(poll(ends_polled, 2, 0), 2);
    SAME(ends_polled[0].revents, POLLIN);
    close(line[1]);
    SAME(poll(ends_polled, 1, 0), 1);
    SAME(ends_polled[0].revents, POLLIN | POLLHUP);
    NEED(pipe(line) == 0);
    close(line[0]);
    ends_polled[1].fd = line[1];
    SAME(poll(ends_polled + 1, 1, 0), 1);
    SAME(ends_polled[1].revents, POLLOUT | POLLERR);
}

static void descriptors(void) {
    int line[2];
    NEED(pipe(line) == 0);
    int lowest = line[1] + 1;
    SAME(dup(line[1]), lowest);
    SAME(dup2(line[1], 50), 50);
    SAME(fcntl(50, F_GETFD), 0);
    SAME(dup3(line[1], 51, O_CLOEXEC), 51);
    SAME(fcntl(51, F_GETFD), FD_CLOEXEC);
    SAME(fcntl(line[1], F_DUPFD, 60), 60);
    SAME(fcntl(line[1], F_DUPFD_CLOEXEC, 60), 61);
    SAME(fcntl(61, F_GETFD), FD_CLOEXEC);
    SAME(dup2(line[1], line[1]), line[1]);
    REFUSED(dup3(line[1], line[1], 0), EINVAL);
    REFUSED(syscall(SYS_dup3, line[1], 70, 0x12345), EINVAL);
    REFUSED(dup2(99, 100), EBADF);
    REFUSED(dup2(99, 99), EBADF);
    REFUSED(dup2(line[1], -1), EBADF);
    REFUSED(dup2(line[1], 1 << 30), EBADF);
    REFUSED(dup(-1), EBADF);
    REFUSED(close(99), EBADF);
    REFUSED(close(-1), EBADF);
    REFUSED(fcntl(99, F_GETFD), EBADF);
    REFUSED(fcntl(line[1], 9999, 0), EINVAL);
    REFUSED(fcntl(line[1], F_DUPFD, -1), EINVAL);
    SAME(close(50), 0);
    SAME(close(lowest), 0);
    SAME(dup(line[0]), lowest); // the lowest free number
}

static void flags_belong_to_the_description(void) {
    int line[2];
    NEED(pipe(line) == 0);
    int copy = dup(line[0]);
    SAME(fcntl(line[0], F_SETFL, O_NONBLOCK), 0);
    CHECK(fcntl(copy, F_GETFL) & O_NONBLOCK);
    SAME(fcntl(line[0], F_SETFD, FD_CLOEXEC), 0);
    SAME(fcntl(copy, F_GETFD), 0);
    SAME(fcntl(line[0], F_GETFL) & O_ACCMODE, O_RDONLY);
    SAME(fcntl(line[1], F_GETFL) & O_ACCMODE, O_WRONLY);
}

static void fifo(void) {
    SAME(mkfifo("fifo", 0600), 0);
    REFUSED(mkfifo("fifo", 0600), EEXIST);
    struct stat info;
    SAME(stat("fifo", &info), 0);
    CHECK(S_ISFIFO(info.st_mode));
    REFUSED(open("fifo", O_WRONLY | O_NONBLOCK), ENXIO);
    int early = open("fifo", O_RDONLY | O_NONBLOCK);
    CHECK(early >= 0);
    char byte;
    SAME(read(early, &byte, 1), 0); // no writer: the end
    close(early);
    pid_t pid = fork();
    if (pid == 0) {
        int fd = open("fifo", O_WRONLY); // waits for the reader
        _exit(fd < 0 || write(fd, "abc", 3) != 3);
    }
    int fd = open("fifo", O_RDONLY); // waits for the writer
    NEED(fd >= 0);
    char text[8];
    SAME(read(fd, text, sizeof text), 3);
    SAME(read(fd, text, sizeof text), 0);
    EXITS(pid, 0);
    int both = open("fifo", O_RDWR);
    SAME(write(both, "q", 1), 1);
    SAME(read(both, text, 8), 1);
}

static const struct check_case cases[] = {
    CASE(passes_bytes),
    CASE(ends),
    CASE(wrong_way),
    CASE(nobody_reads),
    CASE(without_blocking),
    CASE(small_writes_are_whole_or_not),
    CASE(writers_do_not_mix),
    CASE(a_long_stream),
    CASE(the_buffer_is_a_ring),
    CASE(many_parts),
    CASE(poll_sees_states),
    CASE(descriptors),
    CASE(flags_belong_to_the_description),
    CASE(fifo),
};
CHECK_MAIN(cases)
