// SPDX-License-Identifier: MIT OR Apache-2.0
// RUN: musl glibc
// What random programs (tests/differential) found: mostly, which of two faults a call tells.
#include "check.h"

#include <linux/capability.h>
#include <linux/falloc.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/fsuid.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>

#define NOBODY 1000

static int made(const char *name) {
    const int file = open(name, O_RDWR | O_CREAT, 0666);
    NEED(file >= 0);
    return file;
}

static void utimensat_finds_the_path_first(void) {
    const struct timespec wrong[2] = { { 0, -1 }, { 0, UTIME_NOW } };
    const struct timespec none[2] = { { 0, UTIME_OMIT }, { 0, UTIME_OMIT } };
    close(made("a"));
    REFUSED(syscall(SYS_utimensat, AT_FDCWD, "none", wrong, 0), ENOENT);
    REFUSED(syscall(SYS_utimensat, AT_FDCWD, "a", wrong, 0), EINVAL);
    REFUSED(syscall(SYS_utimensat, 99, "a", wrong, 0), EBADF);
    SAME(syscall(SYS_utimensat, AT_FDCWD, "none", none, 0x4000), 0);
}

static void copy_file_range_looks_at_files_first(void) {
    const int file = made("a");
    const int written = open("b", O_WRONLY | O_CREAT, 0666);
    const int folder = open(".", O_RDONLY);
    off_t far = 4096;
    REFUSED(syscall(SYS_copy_file_range, file, NULL, 99, NULL, 1l, 1), EBADF);
    REFUSED(syscall(SYS_copy_file_range, written, NULL, file, NULL, 1l, 1), EINVAL);
    REFUSED(syscall(SYS_copy_file_range, folder, NULL, folder, NULL, 1l, 0), EISDIR);
    REFUSED(syscall(SYS_copy_file_range, written, NULL, file, NULL, 1l, 0), EBADF);
    // Nothing is there to copy, so nothing overlaps.
    SAME(syscall(SYS_copy_file_range, file, NULL, file, &far, 10000l, 0), 0);
    SAME(write(file, "0123456789", 10), 10);
    far = 5;
    off_t from = 0;
    REFUSED(syscall(SYS_copy_file_range, file, &from, file, &far, 10000l, 0), EINVAL);
}

static void flock_looks_at_the_operation_first(void) {
    REFUSED(flock(99, LOCK_SH | LOCK_EX), EINVAL);
    REFUSED(flock(99, LOCK_SH), EBADF);
    SAME(flock(99, 32), 0); // LOCK_MAND, which does nothing any more
}

static int flags_of(const char *path, int flags) {
    const int file = open(path, flags, 0600);
    NEED(file >= 0);
    const int told = fcntl(file, F_GETFL);
    close(file);
    return told;
}

static void flags_are_told_as_they_were_said(void) {
    NEED(mkdir("d", 0755) == 0);
    CHECK(!(flags_of("d", O_RDONLY) & O_DIRECTORY));
    CHECK(flags_of("d", O_RDONLY | O_DIRECTORY) & O_DIRECTORY);
    CHECK(!(flags_of("d", O_PATH) & O_DIRECTORY));
    CHECK(flags_of("d", O_PATH | O_DIRECTORY) & O_DIRECTORY);
    SAME(flags_of("d", O_RDWR | O_TMPFILE) & O_TMPFILE, O_TMPFILE);
    close(made("a"));
    SAME(flags_of("a", O_RDONLY | O_NOFOLLOW) & O_NOFOLLOW, O_NOFOLLOW);
    int ends[2];
    NEED(pipe2(ends, O_DIRECT) == 0);
    CHECK(!(fcntl(ends[0], F_GETFL) & O_DIRECT)); // packets are made by who writes
    CHECK(fcntl(ends[1], F_GETFL) & O_DIRECT);
}

static void memory_is_not_read_directly(void) {
    struct stat stat;
    REFUSED(open("a", O_RDWR | O_CREAT | O_DIRECT, 0600), EINVAL);
    SAME(lstat("a", &stat), 0); // and yet it is there
    REFUSED(open(".", O_RDONLY | O_DIRECT), EINVAL);
}

static void fallocate_asks_the_file_system_last(void) {
    int ends[2];
    NEED(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
    REFUSED(fallocate(ends[0], FALLOC_FL_COLLAPSE_RANGE, 0, 4096), ENODEV);
    REFUSED(fallocate(ends[0], FALLOC_FL_COLLAPSE_RANGE | FALLOC_FL_KEEP_SIZE, 0, 1), EINVAL);
    REFUSED(fallocate(ends[0], FALLOC_FL_UNSHARE_RANGE | FALLOC_FL_INSERT_RANGE, 0, 1), EINVAL);
    REFUSED(fallocate(ends[0], 0x80, 0, 1), EOPNOTSUPP);
    NEED(pipe(ends) == 0);
    REFUSED(fallocate(ends[0], FALLOC_FL_COLLAPSE_RANGE, 0, 4096), EBADF);
    REFUSED(fallocate(ends[1], FALLOC_FL_COLLAPSE_RANGE, 0, 4096), ESPIPE);
}

static void transfers_look_at_the_place_first(void) {
    int ends[2];
    NEED(pipe(ends) == 0);
    char byte;
    struct iovec piece = { &byte, 1 };
    REFUSED(syscall(SYS_preadv2, ends[0], &piece, 1l, 5l, 0l, 0x1000), ESPIPE);
    off_t offset = 5;
    REFUSED(sendfile(99, ends[0], &offset, 1), ESPIPE);
    REFUSED(sendfile(99, ends[1], &offset, 1), EBADF);
    REFUSED(sync_file_range(99, 0, 1, 99), EBADF);
    NEED(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
    SAME(posix_fadvise(ends[0], 0, 1, POSIX_FADV_NORMAL), 0);
    const int file = made("a");
    SAME(lseek(file, 100, SEEK_SET), 100);
    int waiting = 0;
    SAME(ioctl(file, FIONREAD, &waiting), 0);
    SAME(waiting, -100);
}

static void appending_moves_the_position(void) {
    const int file = made("a");
    struct iovec piece = { (void *)"0123456789", 10 };
    SAME(write(file, "0123456789", 10), 10);
    SAME(lseek(file, 0, SEEK_SET), 0);
    SAME(syscall(SYS_pwritev2, file, &piece, 1l, -1l, -1l, 0x10 /* RWF_APPEND */), 10);
    SAME(lseek(file, 0, SEEK_CUR), 20);
    SAME(syscall(SYS_pwritev2, file, &piece, 1l, 0l, 0l, 0x10), 10);
    SAME(lseek(file, 0, SEEK_CUR), 20);
    SAME(lseek(file, 0, SEEK_END), 30);
}

static void open_looks_at_flags_first(void) {
    REFUSED(openat(99, "a", O_RDONLY | O_TMPFILE, 0600), EINVAL);
    close(made("a"));
    REFUSED(open("a/", O_RDWR | O_CREAT, 0600), EISDIR);
    REFUSED(open("b/", O_RDWR | O_CREAT, 0600), EISDIR);
    REFUSED(open(".", O_RDONLY | O_CREAT, 0600), EISDIR);
    REFUSED(open(".", O_RDONLY | O_CREAT | O_EXCL, 0600), EEXIST);
}

static void exclusive_goes_with_little(void) {
    const int epoll = epoll_create1(0);
    const int other = epoll_create1(0);
    const int file = eventfd(0, 0);
    struct epoll_event event = { .events = EPOLLIN | EPOLLEXCLUSIVE };
    REFUSED(epoll_ctl(epoll, EPOLL_CTL_MOD, file, &event), EINVAL);
    REFUSED(epoll_ctl(epoll, EPOLL_CTL_ADD, other, &event), EINVAL);
    event.events |= EPOLLONESHOT;
    REFUSED(epoll_ctl(epoll, EPOLL_CTL_ADD, file, &event), EINVAL);
    event.events = EPOLLIN | EPOLLET | EPOLLEXCLUSIVE;
    SAME(epoll_ctl(epoll, EPOLL_CTL_ADD, file, &event), 0);
    event.events = EPOLLIN;
    REFUSED(epoll_ctl(epoll, EPOLL_CTL_MOD, file, &event), EINVAL);
}

static void become_nobody(void) {
    NEED(syscall(SYS_setresgid, NOBODY, NOBODY, NOBODY) == 0);
    NEED(syscall(SYS_setresuid, NOBODY, NOBODY, NOBODY) == 0);
}

// A descriptor that was handed to somebody is not theirs to name.
static void descriptors_get_no_name(void) {
    NEED(chmod(".", 0777) == 0);
    const int file = open(".", O_RDWR | O_TMPFILE, 0666);
    NEED(file >= 0);
    pid_t child;
    CHILD(child) {
        become_nobody();
        REFUSED(linkat(file, "", AT_FDCWD, "a", AT_EMPTY_PATH), ENOENT);
    }
    EXITS(child, 0);
    SAME(linkat(file, "", AT_FDCWD, "a", AT_EMPTY_PATH), 0);
}

static uint32_t effective(void) {
    struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_3, 0 };
    struct __user_cap_data_struct sets[2];
    NEED(syscall(SYS_capget, &header, sets) == 0);
    return sets[0].effective;
}

static void powers_over_files_go_with_their_user(void) {
    const uint32_t of_files = 1u << CAP_CHOWN | 1u << CAP_DAC_OVERRIDE | 1u << CAP_DAC_READ_SEARCH |
                              1u << CAP_FOWNER | 1u << CAP_FSETID | 1u << CAP_LINUX_IMMUTABLE |
                              1u << CAP_MKNOD;
    pid_t child;
    CHILD(child) {
        const uint32_t before = effective();
        SAME(before & of_files, of_files);
        setfsuid(NOBODY);
        SAME(effective(), before & ~of_files);
        setfsuid(NOBODY + 1); // with CAP_SETUID, which it has kept
        SAME(effective(), before & ~of_files);
        setfsuid(0);
        SAME(effective(), before);
    }
    EXITS(child, 0);
}

static void memory_files_are_their_makers(void) {
    pid_t child;
    CHILD(child) {
        umask(077);
        become_nobody();
        struct stat stat;
        const int file = (int)syscall(SYS_memfd_create, "a", 0);
        SAME(fstat(file, &stat), 0);
        SAME(stat.st_uid, NOBODY);
        SAME(stat.st_gid, NOBODY);
        SAME(stat.st_mode, S_IFREG | 0777); // whatever the mask
    }
    EXITS(child, 0);
}

static void memory_calls_refuse_in_order(void) {
    char *at = mmap(NULL, 3 * 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    NEED(at != MAP_FAILED);
    NEED(munmap(at, 4096) == 0);
    REFUSED(mremap(at, 4096, 4096, MREMAP_MAYMOVE | MREMAP_FIXED, at), EFAULT);
    REFUSED(mremap(at + 4096, 4096, 4096, MREMAP_MAYMOVE | MREMAP_FIXED, at + 4096), EINVAL);
    const int validate = 0x03; // MAP_SHARED_VALIDATE
    REFUSED(mmap(NULL, 4096, PROT_READ, validate | MAP_ANONYMOUS, -1, 0), EINVAL);
    REFUSED(prctl(PR_GET_NO_NEW_PRIVS, 1ul, 0ul, 0ul, 0ul), EINVAL);
    SAME(prctl(PR_GET_NO_NEW_PRIVS, 0ul, 0ul, 0ul, 0ul), 0);
    SAME(prctl(PR_GET_SECUREBITS, 0ul, 0ul, 0ul, 0ul), 0);
}

static const struct check_case cases[] = {
    CASE(utimensat_finds_the_path_first),
    CASE(copy_file_range_looks_at_files_first),
    CASE(flock_looks_at_the_operation_first),
    CASE(flags_are_told_as_they_were_said),
    CASE(memory_is_not_read_directly),
    CASE(fallocate_asks_the_file_system_last),
    CASE(transfers_look_at_the_place_first),
    CASE(appending_moves_the_position),
    CASE(open_looks_at_flags_first),
    CASE(exclusive_goes_with_little),
    CASE(descriptors_get_no_name),
    CASE(powers_over_files_go_with_their_user),
    CASE(memory_files_are_their_makers),
    CASE(memory_calls_refuse_in_order),
};

CHECK_MAIN(cases)
