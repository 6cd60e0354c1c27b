// SPDX-License-Identifier: MIT OR Apache-2.0
// tests/native/files.c: descriptors with fewer rights, and taking them back: descriptors name
// capabilities, which POSIX calls check and native calls derive and revoke.
#include "native.h"

#include <mqueue.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/signalfd.h>
#include <sys/statfs.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <sys/xattr.h>

#define REVOCABLE (HX_RIGHTS_ALL)

static handle_t handle_of(int fd) {
    const int64_t handle = NATIVE(file_handle, fd);
    NEED(handle > 0);
    return (handle_t)handle;
}

// A descriptor with some of the rights that `fd` has, and the handle by which it is taken back.
static int narrowed(int fd, rights_t rights, handle_t *out_handle) {
    const handle_t root = handle_of(fd);
    const int64_t handle = NATIVE(handle_derive, root, rights);
    NEED(handle > 0);
    SAME(NATIVE(handle_close, root), HX_OK);
    const int64_t narrow = NATIVE(file_descriptor, handle, 1);
    NEED(narrow >= 0);
    *out_handle = (handle_t)handle;
    return (int)narrow;
}

static int file_new(const char *name) {
    const int fd = open(name, O_RDWR | O_CREAT, 0644);
    NEED(fd >= 0 && write(fd, "some text", 9) == 9);
    return fd;
}

static void same_file_same_handle(void) {
    struct hx_handle_info info;
    const int fd = file_new("file");
    const handle_t handle = handle_of(fd);
    SAME(NATIVE(handle_info, handle, &info), HX_OK);
    SAME(info.object, HX_OBJECT_FILE);
    SAME(info.rights, HX_RIGHTS_ALL);
    const int64_t again = NATIVE(file_descriptor, handle, 0);
    CHECK(again > fd);
    SAME(lseek(fd, 3, SEEK_SET), 3);
    SAME(lseek((int)again, 0, SEEK_CUR), 3); // one open file description
    SAME(fcntl((int)again, F_GETFD), 0);
    SAME(close(fd), 0);
    SAME(close((int)again), 0);
    const int64_t kept = NATIVE(file_descriptor, handle, 1); // the handle keeps it open
    SAME(kept, fd);
    SAME(fcntl((int)kept, F_GETFD), FD_CLOEXEC);
    SAME(NATIVE(file_handle, -1), HX_ERR_BAD_HANDLE);
    SAME(NATIVE(file_handle, 999), HX_ERR_BAD_HANDLE);
    SAME(NATIVE(file_descriptor, 0, 0), HX_ERR_BAD_HANDLE);
    const int64_t event = NATIVE(event_create, 0);
    SAME(NATIVE(file_descriptor, event, 0), HX_ERR_BAD_HANDLE);
    SAME(NATIVE(handle_revoke, handle), HX_ERR_NOT_PERMITTED);
}

static void only_reading(void) {
    handle_t handle;
    char text[16];
    struct stat info;
    struct iovec part = { text, 4 };
    const int fd = narrowed(file_new("file"), HX_RIGHT_READ, &handle);
    SAME(pread(fd, text, 9, 0), 9);
    SAME(lseek(fd, 0, SEEK_SET), 0);
    SAME(readv(fd, &part, 1), 4);
    SAME(fstat(fd, &info), 0);
    SAME(info.st_size, 9);
    REFUSED(write(fd, "x", 1), EPERM);
    REFUSED(pwrite(fd, "x", 1, 0), EPERM);
    REFUSED(writev(fd, &part, 1), EPERM);
    REFUSED(ftruncate(fd, 0), EPERM);
    REFUSED(fallocate(fd, 0, 0, 100), EPERM);
    REFUSED(fchmod(fd, 0600), EPERM);
    REFUSED(fsetxattr(fd, "user.a", "x", 1, 0), EPERM);
    REFUSED(fremovexattr(fd, "user.a"), EPERM);
    SAME(flistxattr(fd, text, sizeof text), 0);
    REFUSED(fcntl(fd, F_SETFL, O_APPEND), EPERM);
    REFUSED(ioctl(fd, FIONREAD, text), EPERM);
    REFUSED(flock(fd, LOCK_SH), EPERM);
    struct flock lock = { .l_type = F_RDLCK };
    REFUSED(fcntl(fd, F_SETLK, &lock), EPERM);
    SAME(fcntl(fd, F_GETLK, &lock), 0);
    struct pollfd item = { .fd = fd, .events = POLLIN };
    SAME(poll(&item, 1, 0), 1);
    SAME(item.revents, POLLNVAL);
    CHECK(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0) == MAP_FAILED && errno == EPERM);
    const int copy = dup(fd);
    REFUSED(write(copy, "x", 1), EPERM);
}

static void only_writing(void) {
    handle_t handle;
    char text[16];
    const int fd = narrowed(file_new("file"), HX_RIGHT_WRITE, &handle);
    SAME(pwrite(fd, "SOME", 4, 0), 4);
    REFUSED(read(fd, text, 1), EPERM);
    REFUSED(pread(fd, text, 1, 0), EPERM);
    const int other = open("file", O_RDONLY);
    SAME(read(other, text, 9), 9);
    CHECK(memcmp(text, "SOME text", 9) == 0);
    // What the open file itself does not allow, no right gives.
    const int reader = narrowed(other, HX_RIGHTS_ALL, &handle);
    REFUSED(write(reader, "x", 1), EBADF);
}

// What a capability for waiting alone does not change: positions, times, owners, timers.
static void only_waiting(void) {
    handle_t handle;
    const int file = file_new("file");
    const int fd = narrowed(file, HX_RIGHT_WAIT | HX_RIGHT_EXECUTE, &handle);
    REFUSED(lseek(fd, 0, SEEK_SET), EPERM);
    SAME(lseek(file, 0, SEEK_CUR), 9);
    REFUSED(utimensat(fd, "", NULL, AT_EMPTY_PATH), EPERM);
    REFUSED(fchownat(fd, "", 1, 1, AT_EMPTY_PATH), EPERM);
    REFUSED(linkat(fd, "", AT_FDCWD, "another", AT_EMPTY_PATH), EPERM);
    struct itimerspec soon = { .it_value = { 1000, 0 } }, none = { 0 };
    const int timer = timerfd_create(CLOCK_MONOTONIC, 0);
    const int watch = narrowed(timer, HX_RIGHT_WAIT | HX_RIGHT_READ, &handle);
    SAME(timerfd_settime(timer, 0, &soon, NULL), 0);
    REFUSED(timerfd_settime(watch, 0, &none, NULL), EPERM);
    SAME(timerfd_gettime(watch, &none), 0);
    CHECK(none.it_value.tv_sec > 900);
    sigset_t set;
    sigemptyset(&set);
    const int signals = signalfd(-1, &set, 0);
    REFUSED(signalfd(narrowed(signals, HX_RIGHT_WAIT | HX_RIGHT_READ, &handle), &set, 0), EPERM);
    const int events = inotify_init1(0);
    SAME(inotify_add_watch(events, "/tmp", IN_CREATE), 1);
    const int fewer = narrowed(events, HX_RIGHT_WAIT | HX_RIGHT_READ, &handle);
    REFUSED(inotify_add_watch(fewer, "/tmp", IN_DELETE), EPERM);
    REFUSED(inotify_rm_watch(fewer, 1), EPERM);
    const int self = (int)syscall(SYS_pidfd_open, getpid(), 0);
    const int looks = narrowed(self, HX_RIGHT_WAIT | HX_RIGHT_READ | HX_RIGHT_WRITE, &handle);
    REFUSED(syscall(SYS_pidfd_send_signal, looks, 0, NULL, 0), EPERM);
    REFUSED(syscall(SYS_pidfd_getfd, looks, 0, 0), EPERM);
    // Nor does anybody get by it what is not to be handed on.
    const int kept = narrowed(events, HX_RIGHTS_ALL & ~HX_RIGHT_DELEGATE, &handle);
    REFUSED(syscall(SYS_pidfd_getfd, self, kept, 0), EPERM);
    struct sigevent event = { .sigev_notify = SIGEV_NONE };
    struct mq_attr attributes = { .mq_flags = 0 };
    char bytes[8192];
    const mqd_t queue = mq_open("/narrowed", O_CREAT | O_RDWR | O_NONBLOCK, 0600, NULL);
    NEED(queue >= 0 && mq_unlink("/narrowed") == 0 && mq_send(queue, "x", 1, 0) == 0);
    const mqd_t reader = narrowed(queue, HX_RIGHT_WAIT | HX_RIGHT_READ, &handle);
    REFUSED(mq_send(reader, "x", 1, 0), EPERM);
    REFUSED(mq_notify(reader, &event), EPERM);
    REFUSED(mq_setattr(reader, &attributes, NULL), EPERM);
    SAME(mq_receive(reader, bytes, sizeof bytes, NULL), 1);
    SAME(mq_getattr(reader, &attributes), 0);
    SAME(attributes.mq_flags, O_NONBLOCK);
    const mqd_t writer = narrowed(queue, HX_RIGHT_WAIT | HX_RIGHT_WRITE, &handle);
    REFUSED(mq_receive(writer, bytes, sizeof bytes, NULL), EPERM);
}

// Whose descriptors are another's too ends without closing the queue; others can be told then. (On
// Linux nobody ever is.)
static void an_owner_ends(void) {
    struct sigevent event = { .sigev_notify = SIGEV_NONE };
    const mqd_t queue = mq_open("/owned", O_CREAT | O_RDWR, 0600, NULL);
    NEED(queue >= 0 && mq_unlink("/owned") == 0);
    for (int i = 0; i < 2; i++) {
        const pid_t child = (pid_t)syscall(SYS_clone, CLONE_FILES | SIGCHLD, 0, 0, 0, 0);
        NEED(child >= 0);
        if (child == 0) {
            NEED(mq_notify(queue, &event) == 0);
            _exit(0);
        }
        siginfo_t info;
        NEED(waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT) == 0);
        if (i == 0) { // it is a zombie, or not even that
            EXITS(child, 0);
        }
        SAME(mq_notify(queue, &event), 0);
        REFUSED(mq_notify(queue, &event), EBUSY);
        SAME(mq_notify(queue, NULL), 0);
        if (i == 1) {
            EXITS(child, 0);
        }
    }
}

// A signal that came before anybody waited for its file.
static void waits_for_signals(void) {
    handle_t handle;
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    NEED(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
    (void)narrowed(signalfd(-1, &set, 0), HX_RIGHT_WAIT, &handle);
    struct hx_wait_item item = { .handle = handle, .mask = HX_STATE_READABLE };
    SAME(NATIVE(wait, &item, 1, native_after_ms(1)), HX_ERR_TIMED_OUT);
    raise(SIGUSR1);
    SAME(NATIVE(wait, &item, 1, TIME_NEVER), 1);
    (void)narrowed(signalfd(-1, &set, 0), HX_RIGHT_WAIT, &item.handle);
    SAME(NATIVE(wait, &item, 1, TIME_NEVER), 1);
    SAME(item.out_state, HX_STATE_READABLE);
    NEED(sigwaitinfo(&set, NULL) == SIGUSR1);
    SAME(NATIVE(wait, &item, 1, native_after_ms(1)), HX_ERR_TIMED_OUT);
}

static void mapping_needs_rights(void) {
    handle_t handle;
    const int fd = file_new("file");
    const int reader = narrowed(fd, HX_RIGHT_READ | HX_RIGHT_MAP, &handle);
    char *memory = mmap(NULL, 4096, PROT_READ, MAP_SHARED, reader, 0);
    NEED(memory != MAP_FAILED);
    SAME(memory[0], 's');
    REFUSED(mprotect(memory, 4096, PROT_READ | PROT_WRITE), EACCES);
    REFUSED(mprotect(memory, 4096, PROT_READ | PROT_EXEC), EACCES);
    CHECK(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, reader, 0) == MAP_FAILED);
    CHECK(mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, reader, 0) == MAP_FAILED);
    char *own = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, reader, 0);
    NEED(own != MAP_FAILED);
    own[0] = 'S';
    SAME(memory[0], 's');
}

static void folders(void) {
    handle_t handle;
    SAME(mkdir("folder", 0700), 0);
    SAME(close(file_new("folder/inside")), 0);
    const int folder = open("folder", O_RDONLY | O_DIRECTORY);
    const int blind = narrowed(folder, HX_RIGHT_READ, &handle);
    REFUSED(openat(blind, "inside", O_RDONLY), EPERM);
    REFUSED(fchdir(blind), EPERM);
    const int path = narrowed(folder, HX_RIGHT_EXECUTE | HX_RIGHT_ADMIN, &handle);
    CHECK(openat(path, "inside", O_RDONLY) >= 0);
    REFUSED(fchdir(path), EPERM); // it would outlive a revocation
    char entries[256];
    REFUSED(syscall(SYS_getdents64, path, entries, sizeof entries), EPERM);
    CHECK(syscall(SYS_getdents64, blind, entries, sizeof entries) > 0);
    SAME(NATIVE(handle_revoke, handle), HX_OK);
    REFUSED(openat(path, "inside", O_RDONLY), EBADF);
}

static void no_way_around(void) {
    handle_t handle;
    int ends[2];
    char name[64], target[64];
    NEED(pipe(ends) == 0);
    const int fd = narrowed(ends[1], HX_RIGHT_WAIT, &handle);
    snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
    CHECK(readlink(name, target, sizeof target) > 0);
    REFUSED(open(name, O_WRONLY), EACCES);
    const int file = narrowed(file_new("file"), HX_RIGHT_READ, &handle);
    snprintf(name, sizeof name, "/proc/self/fd/%d", file);
    REFUSED(open(name, O_RDWR), EACCES);
}

// Children that inherited descriptors of one derived capability, blocked in all ways.
static void child_reads(int fd) {
    char byte;
    REFUSED(read(fd, &byte, 1), EBADF);
    REFUSED(read(fd, &byte, 1), EBADF);
    REFUSED(write(fd, &byte, 1), EBADF);
    REFUSED(fcntl(fd, F_SETFL, 0), EBADF);
    SAME(close(fd), 0);
    _exit(check_failures ? 1 : 0);
}

static void child_polls(int fd, int count) {
    struct pollfd items[16];
    for (int i = 0; i < count; i++) {
        items[i] = (struct pollfd){ .fd = fd, .events = POLLIN };
    }
    // It may be revoked after some of them were looked at, and before the others.
    CHECK(poll(items, (nfds_t)count, -1) >= 1);
    SAME(poll(items, (nfds_t)count, -1), count);
    SAME(items[0].revents, POLLNVAL);
    _exit(check_failures ? 1 : 0);
}

static void child_selects(int fd) {
    fd_set set;
    FD_ZERO(&set);
    FD_SET(fd, &set);
    // Linux's select has no way to say it other than: ready, and then the call fails.
    const int result = select(fd + 1, &set, NULL, NULL, NULL);
    const int error = errno;
    char byte;
    CHECK(result >= 0 || error == EBADF);
    REFUSED(read(fd, &byte, 1), EBADF);
    _exit(check_failures ? 1 : 0);
}

static pid_t started(int kind, int fd) {
    const pid_t pid = fork();
    if (pid == 0) {
        switch (kind % 4) {
        case 0:
            child_reads(fd);
            break;
        case 1:
            child_polls(fd, 1);
            break;
        case 2:
            child_polls(fd, 16);
            break;
        default:
            child_selects(fd);
        }
    }
    return pid;
}

static void taken_back_from_children(void) {
    for (int round = 0; round < 12; round++) {
        handle_t handle;
        int ends[2];
        pid_t pids[8];
        NEED(pipe(ends) == 0);
        const int fd = narrowed(ends[0], REVOCABLE, &handle);
        const int copy = fcntl(fd, F_DUPFD, 40);
        for (int i = 0; i < 8; i++) {
            pids[i] = started(i, i % 2 ? fd : copy);
        }
        if (round % 2) {
            usleep(3000); // by now they wait; in the other rounds some do not yet
        }
        SAME(NATIVE(handle_revoke, handle), HX_OK);
        for (int i = 0; i < 8; i++) {
            EXITS(pids[i], 0);
        }
        REFUSED(read(copy, &round, 1), EBADF);
        SAME(write(ends[1], "x", 1), 1); // the pipe itself is as it was
        char byte;
        SAME(read(ends[0], &byte, 1), 1);
        SAME(close(fd), 0);
        SAME(close(copy), 0);
        close(ends[0]);
        close(ends[1]);
    }
}

// Writers in other processes: once the revocation has returned, not one byte more comes in.
static void nothing_after_the_return(void) {
    for (int round = 0; round < 20; round++) {
        handle_t handle;
        int ends[2];
        NEED(pipe(ends) == 0);
        SAME(fcntl(ends[0], F_SETFL, O_NONBLOCK), 0);
        const int fd = narrowed(ends[1], HX_RIGHT_WRITE | HX_RIGHT_ADMIN, &handle);
        pid_t pids[3];
        for (int i = 0; i < 3; i++) {
            pids[i] = fork();
            if (pids[i] == 0) {
                while (write(fd, "1234567", 7) == 7) {
                }
                _exit(errno == EBADF ? 0 : 1);
            }
        }
        char bytes[4096];
        for (int reads = 0; reads < 50;) {
            reads += read(ends[0], bytes, sizeof bytes) > 0;
        }
        SAME(NATIVE(handle_revoke, handle), HX_OK);
        while (read(ends[0], bytes, sizeof bytes) > 0) {
        }
        for (int i = 0; i < 3; i++) {
            EXITS(pids[i], 0);
        }
        REFUSED(read(ends[0], bytes, sizeof bytes), EAGAIN);
        close(ends[0]);
        close(ends[1]);
        close(fd);
        NATIVE(handle_close, handle);
    }
}

static void touch_all(volatile char *memory, size_t bytes) {
    for (size_t at = 0; at < bytes; at += 4096) {
        memory[at]++;
    }
}

// A child stores into a mapping until it is taken away.
static void child_stores(int fd, int ready, int flags) {
    char *memory = mmap(NULL, 16384, PROT_READ | PROT_WRITE, flags, fd, 0);
    NEED(memory != MAP_FAILED);
    touch_all(memory, 16384);
    NEED(write(ready, "x", 1) == 1);
    for (;;) {
        touch_all(memory, 16384);
    }
}

static void mappings_are_taken_back(void) {
    const int kinds[] = { MAP_SHARED, MAP_PRIVATE };
    for (int round = 0; round < 10; round++) {
        handle_t handle;
        int ends[2];
        char byte;
        NEED(pipe(ends) == 0);
        const int file = file_new("mapped");
        SAME(ftruncate(file, 16384), 0);
        const int fd = narrowed(file, REVOCABLE, &handle);
        const pid_t pid = fork();
        if (pid == 0) {
            child_stores(fd, ends[1], kinds[round % 2]);
        }
        SAME(read(ends[0], &byte, 1), 1);
        char *own = mmap(NULL, 16384, PROT_READ, MAP_SHARED, file, 0); // not under it
        SAME(NATIVE(handle_revoke, handle), HX_OK);
        char before[16384];
        memcpy(before, own, 16384);
        KILLED(pid, SIGSEGV);
        SAME(memcmp(before, own, 16384), 0);
        munmap(own, 16384);
        close(file);
        close(fd);
        close(ends[0]);
        close(ends[1]);
    }
}

static void mapping_is_dead_for_the_kernel_too(void) {
    handle_t handle;
    const int file = file_new("mapped");
    const int fd = narrowed(file, REVOCABLE, &handle);
    char *memory = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    NEED(memory != MAP_FAILED);
    memory[0] = 'M';
    SAME(NATIVE(handle_revoke, handle), HX_OK);
    SAME(lseek(file, 0, SEEK_SET), 0);
    REFUSED(read(file, memory, 4), EFAULT);
    pid_t pid;
    CHILD(pid) {
        REFUSED(read(file, memory, 4), EFAULT); // fork does not bring it back
    }
    EXITS(pid, 0);
    SAME(mprotect(memory, 4096, PROT_READ), 0);
    REFUSED(write(file, memory, 4), EFAULT);
    SAME(munmap(memory, 4096), 0);
}

// A new program works with what it was given, and no longer.
static void given_to_a_program(void) {
    handle_t handle;
    int ends[2];
    char text[8] = { 0 };
    NEED(pipe(ends) == 0);
    const int fd = narrowed(file_new("file"), HX_RIGHT_READ | HX_RIGHT_ADMIN, &handle);
    SAME(lseek(fd, 0, SEEK_SET), 0);
    for (int round = 0; round < 2; round++) {
        const pid_t pid = fork();
        if (pid == 0) {
            dup2(fd, 0);
            dup2(ends[1], 1);
            close(2);
            execl("/bin/busybox", "busybox", "head", "-c", "4", NULL);
            _exit(9);
        }
        EXITS(pid, round); // the second time there is nothing to read from
        if (round == 0) {
            SAME(read(ends[0], text, 4), 4);
            CHECK(memcmp(text, "some", 4) == 0);
            SAME(NATIVE(handle_revoke, handle), HX_OK);
            REFUSED(lseek(fd, 0, SEEK_SET), EBADF);
        }
    }
}

static long free_blocks(void) {
    struct statfs info;
    NEED(statfs("paid", &info) == 0);
    return (long)info.f_bfree;
}

// The size of the file system pays for extended attributes, and has it back when they go.
static void attributes_are_paid(void) {
    static char value[16000], name[256];
    NEED(mkdir("paid", 0755) == 0 && mount("none", "paid", "tmpfs", 0, "size=256k") == 0);
    close(file_new("paid/file"));
    SAME(setxattr("paid/file", "user.small", "x", 1, 0), 0); // is the node's
    const long before = free_blocks();
    int count = 0;
    do {
        snprintf(name, sizeof name, "user.%d", count++);
    } while (setxattr("paid/file", name, value, sizeof value, 0) == 0);
    REFUSED(setxattr("paid/file", name, value, sizeof value, 0), ENOSPC);
    CHECK(count > 5 && free_blocks() < 16);
    REFUSED(getxattr("paid/file", name, NULL, 0), ENODATA);
    SAME(setxattr("paid/file", "user.0", "x", 1, XATTR_REPLACE), 0);
    SAME(setxattr("paid/file", name, value, sizeof value - 1000, 0), 0); // a small one is not free
    SAME(removexattr("paid/file", name), 0);
    CHECK(free_blocks() >= 4);
    const int file = open("paid/file", O_RDONLY);
    SAME(unlink("paid/file"), 0);
    SAME(fgetxattr(file, "user.1", NULL, 0), sizeof value);
    close(file);
    CHECK(free_blocks() > before);
    SAME(umount("paid"), 0);
}

// As many names as listxattr() can tell.
static void names_of_attributes_end(void) {
    static char names[65536], name[256];
    close(file_new("file"));
    int count = 0;
    do {
        snprintf(name, sizeof name, "user.%0250d", count++);
    } while (setxattr("file", name, "x", 1, 0) == 0);
    REFUSED(setxattr("file", name, "x", 1, 0), ENOSPC);
    SAME(listxattr("file", names, sizeof names), (count - 1) * 256);
    REFUSED(setxattr("file", "user.0", "x", 1, 0), ENOSPC);
    snprintf(name, sizeof name, "user.%0250d", 3);
    SAME(removexattr("file", name), 0);
    SAME(setxattr("file", "user.0", "x", 1, 0), 0);
}

static const struct check_case cases[] = {
    CASE(same_file_same_handle),
    CASE(only_reading),
    CASE(only_writing),
    CASE(only_waiting),
    CASE(an_owner_ends),
    CASE(waits_for_signals),
    CASE(mapping_needs_rights),
    CASE(folders),
    CASE(no_way_around),
    CASE(taken_back_from_children),
    CASE(nothing_after_the_return),
    CASE(mappings_are_taken_back),
    CASE(mapping_is_dead_for_the_kernel_too),
    CASE(given_to_a_program),
    CASE(attributes_are_paid),
    CASE(names_of_attributes_end),
};
CHECK_MAIN(cases)
