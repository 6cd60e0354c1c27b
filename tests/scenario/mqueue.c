// SPDX-License-Identifier: MIT OR Apache-2.0
// RUN: musl glibc
// POSIX message queues: names and their rights, limits, the order of messages and of those who
// wait, readiness.
#include "queues.h"

#include <poll.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/vfs.h>

static void priorities_and_order(void) {
    const mqd_t queue = made_of("/order", O_NONBLOCK, 8, SIZE);
    NEED(mq_unlink("/order") == 0);
    NEED(sent(queue, "low", 0) == 0 && sent(queue, "mid 1", 5) == 0);
    NEED(sent(queue, "high", 32767) == 0 && sent(queue, "mid 2", 5) == 0);
    NEED(sent(queue, "", 5) == 0 && sent(queue, "low 2", 0) == 0);
    SAME(current(queue), 6);
    is_next(queue, "high", 32767);
    is_next(queue, "mid 1", 5);
    NEED(sent(queue, "mid 4", 5) == 0);
    is_next(queue, "mid 2", 5);
    is_next(queue, "", 5);
    is_next(queue, "mid 4", 5);
    is_next(queue, "low", 0);
    SAME(mq_receive(queue, bytes, sizeof bytes, NULL), 5); // whose priority nobody asks for
    REFUSED(mq_receive(queue, bytes, SIZE, NULL), EAGAIN);
    SAME(current(queue), 0);
}

static void sizes(void) {
    const mqd_t queue = made(O_NONBLOCK);
    struct mq_attr attributes;
    memset(&attributes, 0x55, sizeof attributes);
    SAME(mq_getattr(queue, &attributes), 0);
    SAME(attributes.mq_flags, O_NONBLOCK);
    SAME(attributes.mq_maxmsg, 2);
    SAME(attributes.mq_msgsize, SIZE);
    SAME(attributes.mq_curmsgs, 0);
    memset(bytes, 'x', sizeof bytes);
    REFUSED(mq_send(queue, bytes, SIZE + 1, 0), EMSGSIZE);
    SAME(mq_send(queue, bytes, SIZE, 0), 0);
    REFUSED(mq_receive(queue, bytes, SIZE - 1, NULL), EMSGSIZE);
    SAME(mq_receive(queue, bytes, SIZE, NULL), SIZE);
    // A large one, as the administrator may have it.
    const size_t large = 1 << 20;
    char *message = malloc(2 * large);
    const mqd_t other = made_of("/large", O_NONBLOCK, 100, 4096);
    NEED(mq_unlink("/large") == 0);
    for (size_t i = 0; i < large; i++) {
        message[i] = (char)(i * 7 >> 3);
    }
    const struct rlimit limit = { 1 << 25, 1 << 25 };
    NEED(setrlimit(RLIMIT_MSGQUEUE, &limit) == 0);
    const mqd_t huge = made_of("/huge", O_NONBLOCK, 4, (long)large);
    NEED(mq_unlink("/huge") == 0);
    SAME(mq_send(huge, message, large, 1), 0);
    SAME(mq_send(huge, message, 100000, 2), 0);
    SAME(mq_receive(huge, message + large, large, NULL), 100000);
    SAME(memcmp(message, message + large, 100000), 0);
    SAME(mq_receive(huge, message + large, large, NULL), large);
    SAME(memcmp(message, message + large, large), 0);
    SAME(mq_send(huge, message, large, 1), 0); // goes with the queue
    mq_close(other);
}

static long raw_open(const char *name, int flags, mode_t mode, const void *attributes) {
    return syscall(SYS_mq_open, name, flags, mode, attributes);
}

static void names(void) {
    char name[5000];
    const int make = O_CREAT | O_RDWR;
    REFUSED(raw_open("", make, 0600, NULL), ENOENT);
    REFUSED(raw_open("/a", make, 0600, NULL), EACCES);
    REFUSED(raw_open("a/b", make, 0600, NULL), EACCES);
    REFUSED(raw_open("a/", make, 0600, NULL), EACCES);
    REFUSED(raw_open(".", make, 0600, NULL), EACCES);
    REFUSED(raw_open("..", make, 0600, NULL), EACCES);
    REFUSED(raw_open((const char *)8, make, 0600, NULL), EFAULT);
    REFUSED(raw_open("n", make, 0600, (const void *)8), EFAULT);
    REFUSED(raw_open("n", O_RDWR, 0600, (const void *)8), EFAULT);
    REFUSED(raw_open("n", O_RDWR, 0600, NULL), ENOENT);
    memset(name, 'n', sizeof name);
    name[256] = '\0';
    REFUSED(raw_open(name, make, 0600, NULL), ENAMETOOLONG);
    REFUSED(raw_open(name, O_RDWR, 0600, NULL), ENAMETOOLONG);
    REFUSED(syscall(SYS_mq_unlink, name), ENAMETOOLONG);
    name[256] = 'n';
    name[4096] = '\0';
    REFUSED(raw_open(name, make, 0600, NULL), ENAMETOOLONG);
    name[255] = '\0';
    const long longest = raw_open(name, make, 0600, NULL);
    CHECK(longest >= 0);
    const long dots = raw_open("...", make, 0600, NULL);
    CHECK(dots >= 0);
    SAME(syscall(SYS_mq_unlink, "..."), 0);
    SAME(syscall(SYS_mq_unlink, name), 0);
    REFUSED(syscall(SYS_mq_unlink, name), ENOENT);
    REFUSED(syscall(SYS_mq_unlink, ""), ENOENT);
    REFUSED(syscall(SYS_mq_unlink, "."), EACCES);
    REFUSED(syscall(SYS_mq_unlink, "/n"), EACCES);
    REFUSED(syscall(SYS_mq_unlink, (const char *)8), EFAULT);
}

static void opens(void) {
    const mqd_t queue = made_of("/opens", 0, 2, SIZE);
    REFUSED(mq_open("/opens", O_CREAT | O_EXCL | O_RDWR, 0600, NULL), EEXIST);
    REFUSED(raw_open("opens", O_CREAT | O_EXCL | O_ACCMODE, 0600, NULL), EEXIST);
    REFUSED(raw_open("opens", O_ACCMODE, 0, NULL), EINVAL);
    struct mq_attr attributes = { .mq_maxmsg = -1, .mq_msgsize = -1 };
    const mqd_t same = mq_open("/opens", O_CREAT | O_RDWR, 0, &attributes); // not looked at
    NEED(same >= 0 && sent(queue, "text", 1) == 0);
    is_next(same, "text", 1);
    SAME(fcntl(queue, F_GETFD), FD_CLOEXEC);
    SAME(fcntl(queue, F_GETFL) & (O_ACCMODE | O_NONBLOCK), O_RDWR);
    const mqd_t reader = mq_open("/opens", O_RDONLY | O_NONBLOCK);
    const mqd_t writer = mq_open("/opens", O_WRONLY);
    SAME(fcntl(reader, F_GETFL) & (O_ACCMODE | O_NONBLOCK), O_RDONLY | O_NONBLOCK);
    SAME(fcntl(writer, F_GETFL) & (O_ACCMODE | O_NONBLOCK), O_WRONLY);
    REFUSED(sent(reader, "x", 0), EBADF);
    REFUSED(mq_receive(writer, bytes, SIZE, NULL), EBADF);
    SAME(sent(writer, "y", 0), 0);
    is_next(reader, "y", 0);
    REFUSED(mq_receive(reader, bytes, SIZE, NULL), EAGAIN);
    struct rlimit limit = { 3, 100 };
    NEED(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    REFUSED(mq_open("/opens", O_RDWR), EMFILE);
    REFUSED(mq_open("/none", O_RDWR), EMFILE);
    REFUSED(raw_open("a/b", O_RDWR, 0, NULL), EMFILE);
    REFUSED(raw_open("", O_RDWR, 0, NULL), ENOENT);
    NEED(mq_unlink("/opens") == 0);
    const int nothing = (int)raw_open("neither", O_CREAT | O_ACCMODE, 0600, NULL);
    SAME(nothing, -1);
    limit.rlim_cur = 100;
    NEED(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    // Neither to read nor to write; but it is there.
    const int neither = (int)raw_open("neither", O_CREAT | O_ACCMODE, 0600, NULL);
    CHECK(neither >= 0);
    REFUSED(sent(neither, "x", 0), EBADF);
    REFUSED(mq_receive(neither, bytes, sizeof bytes, NULL), EBADF);
    SAME(mq_unlink("/neither"), 0);
}

static void whose_they_are(void) {
    struct stat status;
    umask(027);
    const mqd_t queue = mq_open("/whose", O_CREAT | O_RDWR, 0666, NULL);
    NEED(fstat(queue, &status) == 0);
    SAME(status.st_mode, S_IFREG | 0640);
    SAME(status.st_uid, 0);
    SAME(status.st_nlink, 1);
    SAME(status.st_size, 80);
    pid_t child;
    CHILD(child) {
        NEED(setgid(SOMEWHO) == 0 && setuid(SOMEWHO) == 0);
        REFUSED(mq_open("/whose", O_RDONLY), EACCES);
        REFUSED(mq_open("/whose", O_CREAT | O_WRONLY, 0666, NULL), EACCES);
        REFUSED(syscall(SYS_mq_unlink, "whose"), EPERM);
        REFUSED(mq_unlink("/whose"), EACCES); // as the C libraries have it
        REFUSED(fchmod(queue, 0666), EPERM);
        SAME(sent(queue, "x", 0), 0); // it was opened
        const mqd_t own = mq_open("/own", O_CREAT | O_RDWR, 0600, NULL);
        NEED(fstat(own, &status) == 0);
        SAME(status.st_uid, SOMEWHO);
        SAME(status.st_gid, SOMEWHO);
    }
    EXITS(child, 0);
    SAME(fchmod(queue, 0604), 0);
    CHILD(child) {
        NEED(setgid(SOMEWHO) == 0 && setuid(SOMEWHO) == 0);
        const mqd_t reader = mq_open("/whose", O_RDONLY);
        CHECK(reader >= 0);
        REFUSED(mq_open("/whose", O_RDWR), EACCES);
        SAME(mq_unlink("/own"), 0);
    }
    EXITS(child, 0);
    SAME(fchown(queue, SOMEWHO, SOMEWHO), 0);
    CHILD(child) {
        NEED(setgid(SOMEWHO) == 0 && setuid(SOMEWHO) == 0);
        SAME(mq_unlink("/whose"), 0);
    }
    EXITS(child, 0);
    NEED(fstat(queue, &status) == 0);
    SAME(status.st_nlink, 0);
}

static long number_in(const char *path) {
    char text[32] = "";
    const int file = open(path, O_RDONLY);
    NEED(file >= 0 && read(file, text, sizeof text - 1) > 0);
    close(file);
    return atol(text);
}

static mqd_t try_size(long messages, long size) {
    struct mq_attr attributes = { .mq_maxmsg = messages, .mq_msgsize = size };
    const mqd_t queue = mq_open("/try", O_CREAT | O_EXCL | O_RDWR, 0600, &attributes);
    const int error = errno;
    if (queue >= 0) {
        NEED(mq_unlink("/try") == 0);
    }
    errno = error;
    return queue;
}

static void limits(void) {
    struct mq_attr attributes;
    SAME(number_in("/proc/sys/fs/mqueue/msg_default"), 10);
    SAME(number_in("/proc/sys/fs/mqueue/msg_max"), 10);
    SAME(number_in("/proc/sys/fs/mqueue/msgsize_default"), 8192);
    SAME(number_in("/proc/sys/fs/mqueue/msgsize_max"), 8192);
    SAME(number_in("/proc/sys/fs/mqueue/queues_max"), 256);
    REFUSED(try_size(0, 1), EINVAL);
    REFUSED(try_size(1, 0), EINVAL);
    REFUSED(try_size(-1, 1), EINVAL);
    REFUSED(try_size(1, -1), EINVAL);
    REFUSED(try_size(65537, 1), EINVAL);
    REFUSED(try_size(1, (16 << 20) + 1), EINVAL);
    REFUSED(try_size(65536, 16 << 20), EMFILE); // more than RLIMIT_MSGQUEUE, for him, too
    CHECK(try_size(11, 8193) >= 0);
    pid_t child;
    CHILD(child) {
        NEED(setgid(SOMEWHO) == 0 && setuid(SOMEWHO) == 0);
        const mqd_t queue = mq_open("/default", O_CREAT | O_RDWR, 0600, NULL);
        NEED(mq_unlink("/default") == 0 && mq_getattr(queue, &attributes) == 0);
        SAME(attributes.mq_maxmsg, 10);
        SAME(attributes.mq_msgsize, 8192);
        REFUSED(try_size(11, 1), EINVAL);
        REFUSED(try_size(1, 8193), EINVAL);
        CHECK(try_size(10, 8192) >= 0);
    }
    EXITS(child, 0);
}

// 48 bytes for each message and 48 for each priority count, too.
static void limit_of_a_user(void) {
    pid_t child;
    CHILD(child) {
        const struct rlimit limit = { 3 * (4 * 100 + 4 * 96), 819200 };
        NEED(setgid(SOMEWHO) == 0 && setuid(SOMEWHO) == 0);
        NEED(setrlimit(RLIMIT_MSGQUEUE, &limit) == 0);
        const mqd_t first = try_size(4, 100), second = try_size(4, 100);
        NEED(first >= 0 && second >= 0);
        REFUSED(try_size(4, 101), EMFILE);
        const mqd_t third = made_of("/third", 0, 4, 100);
        REFUSED(try_size(1, 1), EMFILE);
        mq_close(third);
        REFUSED(try_size(1, 1), EMFILE); // it has its name
        NEED(mq_unlink("/third") == 0);
        const mqd_t again = try_size(4, 100);
        CHECK(again >= 0);
        REFUSED(try_size(1, 1), EMFILE);
        pid_t other;
        CHILD(other) { // all that are his count, whoever made them
            REFUSED(try_size(1, 1), EMFILE);
            mq_close(again); // not the last one
            REFUSED(try_size(1, 1), EMFILE);
        }
        EXITS(other, 0);
        mq_close(again);
        CHECK(try_size(4, 100) >= 0);
        const struct rlimit none = { 0, 0 };
        NEED(setrlimit(RLIMIT_MSGQUEUE, &none) == 0);
        REFUSED(try_size(1, 1), EMFILE);
    }
    EXITS(child, 0);
}

static void limit_of_all(void) {
    char name[16];
    pid_t child;
    const struct rlimit limit = { 1 << 24, 1 << 24 };
    NEED(setrlimit(RLIMIT_MSGQUEUE, &limit) == 0);
    for (int i = 0; i < 256; i++) {
        snprintf(name, sizeof name, "/%d", i);
        mq_close(made_of(name, 0, 1, 1));
    }
    CHILD(child) {
        NEED(setgid(SOMEWHO) == 0 && setuid(SOMEWHO) == 0);
        REFUSED(try_size(1, 1), ENOSPC);
        REFUSED(try_size(0, 0), ENOSPC);
        REFUSED(mq_open("/0", O_CREAT | O_EXCL | O_RDWR, 0600, NULL), EEXIST);
    }
    EXITS(child, 0);
    CHECK(try_size(1, 1) >= 0); // the administrator
    for (int i = 0; i < 256; i++) {
        snprintf(name, sizeof name, "/%d", i);
        NEED(mq_unlink(name) == 0);
    }
    CHILD(child) {
        NEED(setgid(SOMEWHO) == 0 && setuid(SOMEWHO) == 0);
        CHECK(try_size(1, 1) >= 0);
    }
    EXITS(child, 0);
}

static void lives_without_a_name(void) {
    const mqd_t old = made_of("/lives", O_NONBLOCK, 2, SIZE);
    NEED(sent(old, "old", 0) == 0 && mq_close(old) == 0);
    const mqd_t again = mq_open("/lives", O_RDWR | O_NONBLOCK); // it was there meanwhile
    NEED(again >= 0 && current(again) == 1);
    NEED(mq_unlink("/lives") == 0);
    REFUSED(mq_open("/lives", O_RDWR), ENOENT);
    const mqd_t other = made_of("/lives", O_NONBLOCK, 2, SIZE);
    SAME(current(other), 0);
    is_next(again, "old", 0);
    SAME(sent(again, "still", 0), 0);
    REFUSED(mq_receive(other, bytes, SIZE, NULL), EAGAIN);
    is_next(again, "still", 0);
    NEED(mq_unlink("/lives") == 0);
}

static void does_not_wait(void) {
    const mqd_t queue = made(O_NONBLOCK);
    struct timespec soon = after_ms(CLOCK_REALTIME, 20), past = { 1, 0 }, bad = { 1, 1000000000 },
                    negative = { -1, 0 };
    NEED(sent(queue, "1", 0) == 0 && sent(queue, "2", 0) == 0);
    REFUSED(sent(queue, "3", 0), EAGAIN);
    REFUSED(mq_timedsend(queue, "3", 1, 0, &soon), EAGAIN);
    is_next(queue, "1", 0);
    // A time is looked at first, even where nobody would wait.
    REFUSED(mq_timedsend(queue, "3", 1, 0, &bad), EINVAL);
    REFUSED(mq_timedsend(99, "3", 1, 0, &negative), EINVAL);
    REFUSED(mq_timedreceive(99, bytes, SIZE, NULL, &bad), EINVAL);
    REFUSED(syscall(SYS_mq_timedsend, 99, "3", 1, 0, 8), EFAULT);
    REFUSED(syscall(SYS_mq_timedreceive, 99, bytes, 1, 0, 8), EFAULT);
    struct mq_attr waiting = { .mq_flags = 0 }, old;
    SAME(mq_setattr(queue, &waiting, &old), 0);
    SAME(old.mq_flags, O_NONBLOCK);
    SAME(old.mq_curmsgs, 1);
    SAME(fcntl(queue, F_GETFL) & O_NONBLOCK, 0);
    SAME(mq_timedsend(queue, "3", 1, 0, &past), 0);
    REFUSED(mq_timedsend(queue, "4", 1, 0, &past), ETIMEDOUT);
    REFUSED(mq_timedsend(queue, "4", 1, 0, &soon), ETIMEDOUT);
    SAME(current(queue), 2);
    is_next(queue, "2", 0);
    is_next(queue, "3", 0);
    soon = after_ms(CLOCK_REALTIME, 20);
    REFUSED(mq_timedreceive(queue, bytes, SIZE, NULL, &past), ETIMEDOUT);
    REFUSED(mq_timedreceive(queue, bytes, SIZE, NULL, &soon), ETIMEDOUT);
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    CHECK(now.tv_sec > soon.tv_sec || (now.tv_sec == soon.tv_sec && now.tv_nsec >= soon.tv_nsec));
    SAME(current(queue), 0);
}

static void refuses(void) {
    const mqd_t queue = made(O_NONBLOCK);
    const int file = open("file", O_RDWR | O_CREAT, 0600);
    REFUSED(sent(queue, "x", 32768), EINVAL);
    REFUSED(sent(99, "x", 32768), EINVAL);
    REFUSED(sent(99, "x", 0), EBADF);
    REFUSED(sent(file, "x", 0), EBADF);
    REFUSED(mq_receive(99, bytes, SIZE, NULL), EBADF);
    REFUSED(mq_receive(file, bytes, SIZE, NULL), EBADF);
    REFUSED(syscall(SYS_mq_timedsend, queue, 8, 1, 0, NULL), EFAULT);
    REFUSED(syscall(SYS_mq_timedsend, queue, 8, SIZE + 1, 0, NULL), EMSGSIZE);
    SAME(current(queue), 0);
    NEED(sent(queue, "x", 0) == 0 && sent(queue, "y", 0) == 0);
    REFUSED(syscall(SYS_mq_timedsend, queue, 8, 1, 0, NULL), EFAULT); // before it is full
    REFUSED(syscall(SYS_mq_timedreceive, queue, 8, SIZE, NULL, NULL), EFAULT);
    REFUSED(syscall(SYS_mq_timedreceive, queue, bytes, SIZE, 8, NULL), EFAULT);
    SAME(current(queue), 0); // they are lost
    struct mq_attr attributes = { .mq_flags = O_NONBLOCK | 1 };
    REFUSED(syscall(SYS_mq_getsetattr, queue, &attributes, NULL), EINVAL);
    REFUSED(syscall(SYS_mq_getsetattr, 99, &attributes, NULL), EINVAL);
    REFUSED(syscall(SYS_mq_getsetattr, 99, NULL, &attributes), EBADF);
    REFUSED(syscall(SYS_mq_getsetattr, file, NULL, &attributes), EBADF);
    REFUSED(syscall(SYS_mq_getsetattr, queue, 8, NULL), EFAULT);
    attributes.mq_flags = 0;
    REFUSED(syscall(SYS_mq_getsetattr, queue, &attributes, 8), EFAULT);
    SAME(fcntl(queue, F_GETFL) & O_NONBLOCK, 0); // it was done
    SAME(syscall(SYS_mq_getsetattr, queue, NULL, NULL), 0);
    REFUSED(write(queue, "x", 1), EINVAL);
    CHECK(mmap(NULL, 4096, PROT_READ, MAP_SHARED, queue, 0) == MAP_FAILED && errno == ENODEV);
}

// ---- waiting

static void receivers_in_order(void) {
    const mqd_t queue = made(0);
    const pid_t first = receiver(queue, "third", 5);
    const pid_t second = receiver(queue, "first", 0);
    const pid_t third = receiver(queue, "second", 0);
    NEED(sent(queue, "first", 0) == 0 && sent(queue, "second", 9) == 0);
    NEED(sent(queue, "third", 9) == 0);
    EXITS(first, 0);
    EXITS(second, 0);
    EXITS(third, 0);
    SAME(current(queue), 0);
}

static pid_t real_time_receiver(mqd_t queue, const char *expected, int priority) {
    const pid_t child = check_fork();
    if (child == 0) {
        const struct sched_param parameters = { .sched_priority = priority };
        NEED(syscall(SYS_sched_setscheduler, 0, SCHED_FIFO, &parameters) == 0);
        is_next(queue, expected, 0);
        _exit(check_failures);
    }
    until_asleep(child);
    return child;
}

static void real_time_comes_first(void) {
    const mqd_t queue = made(0);
    const pid_t usual = receiver(queue, "3", -5);
    const pid_t low = real_time_receiver(queue, "2", 1);
    const pid_t high = real_time_receiver(queue, "1", 2);
    NEED(sent(queue, "1", 0) == 0 && sent(queue, "2", 0) == 0 && sent(queue, "3", 0) == 0);
    EXITS(usual, 0);
    EXITS(low, 0);
    EXITS(high, 0);
}

static pid_t sender(mqd_t queue, const char *text, unsigned priority, int nice_by) {
    const pid_t child = check_fork();
    if (child == 0) {
        NEED(nice(nice_by) != -1);
        SAME(sent(queue, text, priority), 0);
        _exit(check_failures);
    }
    until_asleep(child);
    return child;
}

static void senders_in_order(void) {
    const mqd_t queue = made(0);
    NEED(sent(queue, "1", 0) == 0 && sent(queue, "2", 0) == 0);
    const pid_t first = sender(queue, "nice", 9, 5);
    const pid_t second = sender(queue, "a", 0, 0);
    const pid_t third = sender(queue, "b", 3, 0);
    SAME(current(queue), 2);
    is_next(queue, "1", 0); // room for "a"
    is_next(queue, "2", 0); // for "b"
    is_next(queue, "b", 3); // for "nice"
    is_next(queue, "nice", 9);
    is_next(queue, "a", 0);
    EXITS(first, 0);
    EXITS(second, 0);
    EXITS(third, 0);
}

static _Atomic int *handled; // by this process and its children

static void on_signal(int number) {
    (void)number;
    if (handled != NULL) {
        (*handled)++;
    }
}

static void set_handler(int number, int flags) {
    struct sigaction action = { .sa_handler = on_signal, .sa_flags = flags };
    NEED(sigaction(number, &action, NULL) == 0);
}

// Sends a signal to the caller while it sleeps.
static pid_t interrupter(int number) {
    const pid_t child = check_fork();
    if (child == 0) {
        until_asleep(getppid());
        NEED(kill(getppid(), number) == 0);
        _exit(0);
    }
    return child;
}

static void signals_interrupt(void) {
    const mqd_t queue = made(0);
    set_handler(SIGUSR1, 0);
    pid_t child = interrupter(SIGUSR1);
    REFUSED(mq_receive(queue, bytes, SIZE, NULL), EINTR);
    EXITS(child, 0);
    struct timespec late = after_ms(CLOCK_REALTIME, 30000);
    child = interrupter(SIGUSR1);
    REFUSED(mq_timedreceive(queue, bytes, SIZE, NULL, &late), EINTR);
    EXITS(child, 0);
    NEED(sent(queue, "1", 0) == 0 && sent(queue, "2", 0) == 0);
    child = interrupter(SIGUSR1);
    REFUSED(sent(queue, "3", 0), EINTR);
    EXITS(child, 0);
    is_next(queue, "1", 0); // who was interrupted has sent nothing
    is_next(queue, "2", 0);
    SAME(current(queue), 0);
}

// Signals come all the time until the deadline: it stays where it is.
static void time_goes_on(mqd_t queue, bool sends) {
    const pid_t parent = getpid();
    const pid_t child = check_fork();
    if (child == 0) {
        const struct timespec moment = { 0, 1000000 };
        for (;;) {
            NEED(kill(parent, SIGUSR1) == 0);
            nanosleep(&moment, NULL);
        }
    }
    const struct timespec late = after_ms(CLOCK_REALTIME, 300);
    if (sends) {
        REFUSED(mq_timedsend(queue, "x", 1, 0, &late), ETIMEDOUT);
    } else {
        REFUSED(mq_timedreceive(queue, bytes, SIZE, NULL, &late), ETIMEDOUT);
    }
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    CHECK(now.tv_sec > late.tv_sec || (now.tv_sec == late.tv_sec && now.tv_nsec >= late.tv_nsec));
    NEED(kill(child, SIGKILL) == 0);
    KILLED(child, SIGKILL);
}

// The message comes when the handler has run and the call is there again.
static void calls_go_on(void) {
    const mqd_t queue = made(0);
    handled = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    NEED(handled != MAP_FAILED);
    set_handler(SIGUSR1, SA_RESTART);
    pid_t child;
    CHILD(child) {
        until_asleep(getppid());
        NEED(kill(getppid(), SIGUSR1) == 0);
        while (*handled == 0) {
            sched_yield();
        }
        until_asleep(getppid());
        NEED(sent(queue, "1", 0) == 0);
    }
    is_next(queue, "1", 0);
    SAME(*handled, 1);
    EXITS(child, 0);
    time_goes_on(queue, false);
    NEED(sent(queue, "1", 0) == 0 && sent(queue, "2", 0) == 0);
    time_goes_on(queue, true);
    SAME(current(queue), 2);
}

// Who is killed while it waits takes nothing with it.
static void the_dead_do_not_wait(void) {
    const mqd_t queue = made(O_NONBLOCK);
    const struct mq_attr waiting = { .mq_flags = 0 }, not_waiting = { .mq_flags = O_NONBLOCK };
    NEED(mq_setattr(queue, &waiting, NULL) == 0);
    pid_t child = receiver(queue, "x", 0);
    NEED(kill(child, SIGKILL) == 0);
    KILLED(child, SIGKILL);
    NEED(sent(queue, "1", 0) == 0 && sent(queue, "2", 0) == 0);
    SAME(current(queue), 2);
    child = sender(queue, "3", 0, 0);
    NEED(kill(child, SIGKILL) == 0);
    KILLED(child, SIGKILL);
    NEED(mq_setattr(queue, &not_waiting, NULL) == 0);
    is_next(queue, "1", 0);
    is_next(queue, "2", 0);
    REFUSED(mq_receive(queue, bytes, SIZE, NULL), EAGAIN);
}

static int ready(mqd_t queue, int timeout_ms) {
    struct pollfd item = { .fd = queue, .events = POLLIN | POLLOUT | POLLPRI };
    return poll(&item, 1, timeout_ms) == 1 ? item.revents : 0;
}

static void readiness(void) {
    const mqd_t queue = made(0);
    SAME(ready(queue, 0), POLLOUT);
    NEED(sent(queue, "1", 0) == 0);
    SAME(ready(queue, 0), POLLIN | POLLOUT);
    NEED(sent(queue, "2", 0) == 0);
    SAME(ready(queue, 0), POLLIN);
    const int poll_file = epoll_create1(0);
    struct epoll_event event = { .events = EPOLLOUT, .data.u32 = 5 };
    NEED(epoll_ctl(poll_file, EPOLL_CTL_ADD, queue, &event) == 0);
    SAME(epoll_wait(poll_file, &event, 1, 0), 0);
    pid_t child;
    CHILD(child) {
        until_asleep(getppid());
        is_next(queue, "1", 0);
    }
    SAME(epoll_wait(poll_file, &event, 1, 20000), 1);
    SAME(event.events, EPOLLOUT);
    EXITS(child, 0);
    is_next(queue, "2", 0);
    struct pollfd item = { .fd = queue, .events = POLLIN };
    CHILD(child) {
        until_asleep(getppid());
        SAME(sent(queue, "3", 0), 0);
    }
    SAME(poll(&item, 1, 20000), 1);
    SAME(item.revents, POLLIN);
    EXITS(child, 0);
    is_next(queue, "3", 0);
    SAME(ready(queue, 0), POLLOUT);
}

// Each message is an edge, although there are others; who may only read is told of room, too.
static void edges(void) {
    const mqd_t queue = made_of("/edges", 0, 3, SIZE);
    const mqd_t reader = mq_open("/edges", O_RDONLY);
    NEED(reader >= 0 && mq_unlink("/edges") == 0);
    const int poll_file = epoll_create1(0);
    struct epoll_event event = { .events = EPOLLIN | EPOLLET };
    NEED(epoll_ctl(poll_file, EPOLL_CTL_ADD, reader, &event) == 0);
    SAME(ready(reader, 0), POLLOUT);
    for (int i = 0; i < 2; i++) {
        SAME(epoll_wait(poll_file, &event, 1, 0), 0);
        NEED(sent(queue, "x", 0) == 0);
        SAME(epoll_wait(poll_file, &event, 1, 0), 1);
        SAME(event.events, EPOLLIN);
    }
    SAME(epoll_wait(poll_file, &event, 1, 0), 0);
    SAME(ready(reader, 0), POLLIN | POLLOUT);
}

// ---- a queue is a file

static void is_text(mqd_t queue, const char *expected) {
    char text[256];
    const ssize_t length = pread(queue, text, sizeof text - 1, 0);
    NEED(length >= 0);
    text[length] = '\0';
    if (strcmp(text, expected) != 0) {
        check_fail(__FILE_NAME__, __LINE__, "\"%s\" is not \"%s\"", text, expected);
    }
}

static void can_be_read(void) {
    char text[256];
    const mqd_t queue = made(O_NONBLOCK);
    is_text(queue, "QSIZE:0          NOTIFY:0     SIGNO:0     NOTIFY_PID:0     \n");
    NEED(sent(queue, "four", 0) == 0 && sent(queue, "seven..", 0) == 0);
    is_text(queue, "QSIZE:11         NOTIFY:0     SIGNO:0     NOTIFY_PID:0     \n");
    NEED(notify(queue, SIGEV_SIGNAL, SIGUSR2, 0) == 0);
    snprintf(text, sizeof text, "QSIZE:11         NOTIFY:0     SIGNO:%-5d NOTIFY_PID:%-6d\n",
             SIGUSR2, getpid());
    is_text(queue, text);
    NEED(mq_notify(queue, NULL) == 0 && notify(queue, SIGEV_NONE, SIGUSR2, 0) == 0);
    snprintf(text, sizeof text, "QSIZE:11         NOTIFY:1     SIGNO:0     NOTIFY_PID:%-6d\n",
             getpid());
    is_text(queue, text);
    SAME(read(queue, text, 6), 6);
    CHECK(memcmp(text, "QSIZE:", 6) == 0);
    SAME(read(queue, text, 2), 2);
    CHECK(memcmp(text, "11", 2) == 0);
    SAME(lseek(queue, 0, SEEK_CUR), 8);
    SAME(read(queue, text, sizeof text), strlen("         NOTIFY:1     SIGNO:0     ") + 18);
    SAME(read(queue, text, sizeof text), 0);
    SAME(lseek(queue, 0, SEEK_END), 80);
    SAME(lseek(queue, 1, SEEK_SET), 1);
    SAME(pread(queue, text, sizeof text, 1000), 0);
    REFUSED(lseek(queue, -1, SEEK_SET), EINVAL);
    SAME(current(queue), 2); // nothing of that takes a message
}

static void is_a_file_in_other_ways(void) {
    const mqd_t queue = made_of("/file", O_NONBLOCK, 2, SIZE);
    const struct timespec times[2] = { { 1000, 0 }, { 2000, 0 } };
    struct stat status;
    struct statfs about;
    SAME(futimens(queue, times), 0);
    NEED(fstat(queue, &status) == 0);
    SAME(status.st_atim.tv_sec, 1000);
    SAME(status.st_mtim.tv_sec, 2000);
    SAME(fstatfs(queue, &about), 0);
    SAME(about.f_type, 0x19800202);
    REFUSED(fallocate(queue, 0, 0, 4096), EOPNOTSUPP);
    NEED(sent(queue, "four", 0) == 0);
    SAME(lseek(queue, 3, SEEK_DATA), 3);
    SAME(lseek(queue, 3, SEEK_HOLE), 80);
    REFUSED(lseek(queue, 80, SEEK_DATA), ENXIO);
    REFUSED(lseek(queue, 80, SEEK_HOLE), ENXIO);
    SAME(ftruncate(queue, 5), 0); // changes nothing but what is told
    NEED(fstat(queue, &status) == 0);
    SAME(status.st_size, 5);
    is_text(queue, "QSIZE:4          NOTIFY:0     SIGNO:0     NOTIFY_PID:0     \n");
    is_next(queue, "four", 0);
    const mqd_t reader = mq_open("/file", O_RDONLY);
    REFUSED(ftruncate(reader, 6), EINVAL);
    NEED(mq_unlink("/file") == 0);
}

// There is no way from a descriptor of a queue to a name or a program of it.
static void stays_where_it_is(void) {
    char path[64];
    const mqd_t queue = made_of("/stays", 0, 2, SIZE);
    snprintf(path, sizeof path, "/proc/self/fd/%d", queue);
    NEED(fchmod(queue, 0777) == 0);
    char *const arguments[] = { path, NULL };
    REFUSED(execve(path, arguments, environ), EACCES);
    close(open("place", O_WRONLY | O_CREAT, 0600));
    REFUSED(mount(path, "place", NULL, MS_BIND, NULL), EINVAL);
    NEED(mq_unlink("/stays") == 0);
    const int memory = memfd_create("memory", 0);
    NEED(memory >= 0);
    snprintf(path, sizeof path, "/proc/self/fd/%d", memory);
    REFUSED(mount(path, "place", NULL, MS_BIND, NULL), EINVAL);
    const int file = open("file", O_RDWR | O_CREAT, 0600);
    snprintf(path, sizeof path, "/proc/self/fd/%d", file);
    SAME(mount(path, "place", NULL, MS_BIND, NULL), 0);
    SAME(umount("place"), 0);
}

static void flags_of_opening(void) {
    struct stat status;
    const mqd_t queue = made_of("/flags", 0, 2, SIZE);
    const int flags = O_NONBLOCK | O_APPEND | O_DSYNC | O_NOATIME;
    const int other = (int)raw_open("flags", O_RDWR | flags, 0, NULL);
    NEED(other >= 0);
    SAME(fcntl(other, F_GETFL) & (O_ACCMODE | flags), O_RDWR | flags);
    REFUSED(raw_open("flags", O_RDWR | O_DIRECT, 0, NULL), EINVAL);
    const int place = (int)raw_open("flags", O_RDONLY | O_PATH, 0, NULL);
    NEED(place >= 0 && fstat(place, &status) == 0);
    SAME(status.st_size, 80);
    CHECK((fcntl(place, F_GETFL) & O_PATH) != 0);
    REFUSED(mq_receive(place, bytes, SIZE, NULL), EBADF);
    REFUSED(syscall(SYS_mq_notify, place, NULL), EBADF);
    NEED(mq_unlink("/flags") == 0 && mq_close(queue) == 0);
}

static void has_a_link_in_proc(void) {
    char path[64], text[64] = "";
    const mqd_t queue = made_of("/linked", O_NONBLOCK, 2, SIZE);
    snprintf(path, sizeof path, "/proc/self/fd/%d", queue);
    SAME(readlink(path, text, sizeof text - 1), 7);
    CHECK(strcmp(text, "/linked") == 0);
    const int again = open(path, O_RDWR | O_NONBLOCK);
    NEED(again >= 0 && sent(again, "x", 3) == 0);
    is_next(queue, "x", 3);
    NEED(mq_unlink("/linked") == 0);
    memset(text, 0, sizeof text);
    SAME(readlink(path, text, sizeof text - 1), 17);
    CHECK(strcmp(text, "/linked (deleted)") == 0);
    const int third = open(path, O_WRONLY);
    NEED(third >= 0 && sent(third, "y", 3) == 0);
    close(again);
    is_next(queue, "y", 3);
}

// Passes a descriptor over a socket; gives the other one.
static int passed(int file) {
    int ends[2], got = -1;
    union control control;
    struct iovec part = { bytes, 1 };
    struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };
    message.msg_control = &control;
    message.msg_controllen = sizeof control;
    NEED(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
    send_file(ends[0], file);
    close(file);
    NEED(recvmsg(ends[1], &message, 0) == 1);
    memcpy(&got, CMSG_DATA(&control.header), sizeof got);
    close(ends[0]);
    close(ends[1]);
    return got;
}

static void goes_from_hand_to_hand(void) {
    const mqd_t queue = made(O_NONBLOCK);
    pid_t child;
    CHILD(child) {
        SAME(sent(queue, "child", 1), 0);
        const struct mq_attr waiting = { .mq_flags = 0 };
        SAME(mq_setattr(queue, &waiting, NULL), 0); // of what both have open
    }
    EXITS(child, 0);
    SAME(fcntl(queue, F_GETFL) & O_NONBLOCK, 0);
    const int other = passed(dup(queue));
    is_next(other, "child", 1);
    mq_close(queue);
    SAME(sent(other, "x", 0), 0);
    const int last = passed(other); // nobody else has it on its way
    is_next(last, "x", 0);
}

// ---- many at once

#define EACH    300
#define THREADS 3

static mqd_t shared;
static _Atomic long sum;

static void *sends_many(void *argument) {
    for (long i = 1; i <= EACH; i++) {
        NEED(mq_send(shared, (const char *)&i, sizeof i, (unsigned)(i % 7)) == 0);
    }
    return argument;
}

static void *receives_many(void *argument) {
    char message[SIZE];
    for (long i = 1; i <= EACH; i++) {
        long value;
        NEED(mq_receive(shared, message, sizeof message, NULL) == sizeof value);
        memcpy(&value, message, sizeof value);
        sum += value;
    }
    return argument;
}

static void *looks_often(void *argument) {
    for (int i = 0; i < EACH; i++) {
        char text[128];
        const struct timespec past = { 1, 0 };
        CHECK(pread(shared, text, sizeof text, 0) > 0);
        (void)notify(shared, SIGEV_SIGNAL, SIGURG, 0);
        (void)mq_notify(shared, NULL);
        const long zero = 0;
        const bool was_sent = mq_timedsend(shared, (const char *)&zero, sizeof zero, 0, &past) == 0;
        char message[SIZE];
        if (was_sent) { // takes one for it
            long value;
            NEED(mq_receive(shared, message, sizeof message, NULL) == sizeof value);
            memcpy(&value, message, sizeof value);
            sum += value;
        }
    }
    return argument;
}

static void all_arrive(void) {
    pthread_t threads[2 * THREADS + 1];
    shared = made(0);
    sum = 0;
    for (int i = 0; i < THREADS; i++) {
        NEED(pthread_create(&threads[2 * i], NULL, sends_many, NULL) == 0);
        NEED(pthread_create(&threads[2 * i + 1], NULL, receives_many, NULL) == 0);
    }
    NEED(pthread_create(&threads[2 * THREADS], NULL, looks_often, NULL) == 0);
    for (int i = 0; i < 2 * THREADS + 1; i++) {
        NEED(pthread_join(threads[i], NULL) == 0);
    }
    SAME(sum, (long)THREADS * EACH * (EACH + 1) / 2);
    SAME(current(shared), 0);
}

// Names come and go while others open them.
static void names_at_once(void) {
    pid_t children[3];
    for (int i = 0; i < 3; i++) {
        CHILD(children[i]) {
            for (int j = 0; j < 200; j++) {
                const mqd_t queue = mq_open("/once", O_CREAT | O_RDWR | O_NONBLOCK, 0600, NULL);
                NEED(queue >= 0);
                (void)sent(queue, "x", 0);
                CHECK(mq_unlink("/once") == 0 || errno == ENOENT);
                mq_close(queue);
            }
        }
    }
    for (int i = 0; i < 3; i++) {
        EXITS(children[i], 0);
    }
    CHECK(mq_unlink("/once") == -1 && errno == ENOENT);
}

static const struct check_case cases[] = {
    CASE(priorities_and_order),
    CASE(sizes),
    CASE(names),
    CASE(opens),
    CASE(whose_they_are),
    CASE(limits),
    CASE(limit_of_a_user),
    CASE(limit_of_all),
    CASE(lives_without_a_name),
    CASE(does_not_wait),
    CASE(refuses),
    CASE(receivers_in_order),
    CASE(real_time_comes_first),
    CASE(senders_in_order),
    CASE(signals_interrupt),
    CASE(calls_go_on),
    CASE(the_dead_do_not_wait),
    CASE(readiness),
    CASE(edges),
    CASE(can_be_read),
    CASE(is_a_file_in_other_ways),
    CASE(stays_where_it_is),
    CASE(flags_of_opening),
    CASE(has_a_link_in_proc),
    CASE(goes_from_hand_to_hand),
    CASE(all_arrive),
    CASE(names_at_once),
};
CHECK_MAIN(cases)
