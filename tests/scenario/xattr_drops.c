// SPDX-License-Identifier: MIT OR Apache-2.0
// RUN: musl glibc
// security.capability goes before other bytes or another owner come, by whatever call, or the call
// fails; what is open for writing cannot become read-only. Attributes of files without a name.
#include "check.h"

#include <grp.h>
#include <linux/falloc.h>
#include <sys/mount.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/xattr.h>

#define CAPABILITY "security.capability"

static char found[100];
static const uint32_t given[] = { 0x02000001, 0x400, 0, 0, 0 };

static bool is_helix(void) {
    return access("/proc/helix", F_OK) == 0;
}

// An open file of 5 bytes, which has the attribute.
static int with_capability(const char *path) {
    const int file = open(path, O_RDWR | O_CREAT, 0755);
    NEED(file >= 0 && pwrite(file, "bytes", 5, 0) == 5);
    NEED(fsetxattr(file, CAPABILITY, given, sizeof given, 0) == 0);
    return file;
}

static void stays(int file) {
    SAME(fgetxattr(file, CAPABILITY, NULL, 0), sizeof given);
}

static void is_gone(int file) {
    REFUSED(fgetxattr(file, CAPABILITY, NULL, 0), ENODATA);
    NEED(fsetxattr(file, CAPABILITY, given, sizeof given, 0) == 0);
}

static void by_writing(void) {
    const struct iovec parts[] = { { (void *)"a", 1 }, { (void *)"b", 1 } };
    int ends[2];
    const int file = with_capability("f");
    NEED(pipe(ends) == 0 && write(ends[1], "piped", 5) == 5);
    const int from = open("from", O_RDWR | O_CREAT, 0600);
    NEED(from >= 0 && write(from, "from", 4) == 4);
    SAME(write(file, "x", 0), 0);
    stays(file);
    REFUSED(write(file, (void *)8, 1), EFAULT);
    SAME(pwrite(file, "x", 1, 0), 1);
    is_gone(file);
    SAME(writev(file, parts, 2), 2);
    is_gone(file);
    SAME(pwritev(file, parts, 2, 1), 2);
    is_gone(file);
    SAME(splice(ends[0], NULL, file, NULL, 5, 0), 5);
    is_gone(file);
    off_t at = 0;
    SAME(sendfile(file, from, &at, 2), 2);
    is_gone(file);
    loff_t in = 0, out = 0;
    SAME(syscall(SYS_copy_file_range, from, &in, file, &out, 2, 0), 2);
    is_gone(file);
    const int appending = open("f", O_WRONLY | O_APPEND);
    SAME(write(appending, "x", 1), 1);
    is_gone(file);
}

static void by_sizes(void) {
    const int file = with_capability("f");
    SAME(ftruncate(file, 3), 0);
    is_gone(file);
    SAME(ftruncate(file, 3), 0);
    is_gone(file);
    SAME(truncate("f", 6000), 0);
    is_gone(file);
    REFUSED(ftruncate(file, -1), EINVAL);
    stays(file);
    close(open("f", O_WRONLY));
    stays(file);
    close(open("f", O_WRONLY | O_TRUNC));
    is_gone(file);
}

static struct timespec modified_at(int file, struct timespec *changed) {
    struct stat info;
    NEED(fstat(file, &info) == 0);
    *changed = info.st_ctim;
    return info.st_mtim;
}

static bool is_same_time(struct timespec a, struct timespec b) {
    return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

// The file's times are old, then the call comes; whether it has set both.
static bool sets_times(int file, int mode, off_t from, off_t length) {
    static const struct timespec old[] = { { 1000, 0 }, { 1000, 0 } };
    struct timespec before, after;
    NEED(futimens(file, old) == 0);
    (void)modified_at(file, &before);
    for (int i = 0; i < 1000; i++) {
        struct timespec now;
        clock_gettime(CLOCK_REALTIME_COARSE, &now);
        if (!is_same_time(now, before)) {
            break;
        }
        usleep(1000);
    }
    SAME(fallocate(file, mode, from, length), 0);
    return !is_same_time(modified_at(file, &after), old[0]) && !is_same_time(after, before);
}

static void by_allocating(void) {
    const int file = with_capability("f");
    SAME(ftruncate(file, 10000), 0);
    is_gone(file);
    CHECK(sets_times(file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096));
    is_gone(file);
    CHECK(sets_times(file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 1 << 20, 4096));
    is_gone(file);
    CHECK(sets_times(file, 0, 0, 100));
    is_gone(file);
    CHECK(sets_times(file, FALLOC_FL_KEEP_SIZE, 0, 100));
    is_gone(file);
    CHECK(sets_times(file, 0, 0, 20000));
    is_gone(file);
    if (is_helix()) { // a tmpfs of Linux has no such thing
        CHECK(sets_times(file, FALLOC_FL_ZERO_RANGE, 0, 100));
        is_gone(file);
    }
    REFUSED(fallocate(file, 0, 0, 0), EINVAL);
    stays(file);
}

// Set-user bits go with bytes that one without rights changes.
static void bits_by_allocating(void) {
    pid_t pid;
    struct stat info;
    const int file = open("f", O_RDWR | O_CREAT, 0600);
    NEED(file >= 0 && write(file, "bytes", 5) == 5 && fchmod(file, 0) == 0);
    NEED(fchown(file, 1000, 1000) == 0 && fchmod(file, 06777) == 0 && chmod(".", 0755) == 0);
    CHILD(pid) {
        NEED(setgroups(0, NULL) == 0 && setresgid(1000, 1000, 1000) == 0 &&
             setresuid(1000, 1000, 1000) == 0);
        const int mine = open("f", O_RDWR);
        NEED(mine >= 0);
        SAME(fallocate(mine, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 2), 0);
    }
    EXITS(pid, 0);
    NEED(fstat(file, &info) == 0);
    SAME(info.st_mode & 07777, 0777);
}

static void by_owners(void) {
    const int file = with_capability("f");
    SAME(chown("f", 1000, 1000), 0);
    is_gone(file);
    SAME(chown("f", 1000, 1000), 0);
    is_gone(file);
    SAME(lchown("f", 0, 0), 0);
    is_gone(file);
    SAME(fchown(file, (uid_t)-1, (gid_t)-1), 0);
    is_gone(file);
    SAME(fchmod(file, 0700), 0);
    stays(file);
    pid_t pid;
    NEED(chmod(".", 0755) == 0);
    CHILD(pid) {
        NEED(setresuid(1000, 1000, 1000) == 0);
        REFUSED(chown("f", 1000, 1000), EPERM);
    }
    EXITS(pid, 0);
    stays(file);
    NEED(mkdir("d", 0755) == 0 && setxattr("d", CAPABILITY, given, sizeof given, 0) == 0);
    SAME(chown("d", 1000, 1000), 0);
    SAME(getxattr("d", CAPABILITY, NULL, 0), sizeof given);
}

#define REMOUNT(path, more) mount("none", path, NULL, MS_REMOUNT | (more), NULL)

// Who writes keeps a file system from becoming read-only.
static void open_for_writing(void) {
    NEED(mkdir("m", 0755) == 0 && mount("none", "m", "tmpfs", 0, "size=1m") == 0);
    const int file = with_capability("m/f");
    REFUSED(REMOUNT("m", MS_RDONLY), EBUSY);
    SAME(write(file, "more", 4), 4);
    is_gone(file);
    const int copy = dup(file);
    close(file);
    REFUSED(REMOUNT("m", MS_RDONLY), EBUSY);
    close(copy);
    const int reader = open("m/f", O_RDONLY);
    SAME(REMOUNT("m", MS_RDONLY), 0);
    SAME(REMOUNT("m", MS_RDONLY), 0);
    stays(reader);
    REFUSED(open("m/f", O_RDWR), EROFS);
    REFUSED(fsetxattr(reader, CAPABILITY, given, sizeof given, 0), EROFS);
    SAME(REMOUNT("m", 0), 0);
    const int again = open("m/f", O_RDWR);
    SAME(write(again, "x", 1), 1);
    is_gone(again);
    REFUSED(REMOUNT("m", MS_RDONLY), EBUSY);
    close(again);
    NEED(mknod("m/p", S_IFIFO | 0600, 0) == 0);
    const int fifo = open("m/p", O_RDWR); // its bytes are elsewhere
    NEED(fifo >= 0);
    SAME(REMOUNT("m", MS_RDONLY), 0);
    close(fifo);
    close(reader);
    NEED(umount("m") == 0);
}

// One view of it alone: others may write, and what they write counts for all.
static void one_view(void) {
    NEED(mkdir("m", 0755) == 0 && mount("none", "m", "tmpfs", 0, "size=1m") == 0);
    NEED(mkdir("n", 0755) == 0 && mount("m", "n", NULL, MS_BIND, NULL) == 0);
    const int file = with_capability("m/f");
    REFUSED(REMOUNT("m", MS_BIND | MS_RDONLY), EBUSY);
    SAME(REMOUNT("n", MS_BIND | MS_RDONLY), 0);
    REFUSED(open("n/f", O_RDWR), EROFS);
    REFUSED(setxattr("n/f", CAPABILITY, given, sizeof given, 0), EROFS);
    REFUSED(REMOUNT("m", MS_RDONLY), EBUSY);
    REFUSED(REMOUNT("n", MS_RDONLY), EBUSY); // the whole file system
    SAME(write(file, "more", 4), 4);
    REFUSED(getxattr("n/f", CAPABILITY, NULL, 0), ENODATA);
    SAME(REMOUNT("n", MS_BIND), 0);
    close(open("n/f", O_RDWR));
    const int other = open("n/f", O_RDWR);
    REFUSED(REMOUNT("n", MS_BIND | MS_RDONLY), EBUSY);
    close(file);
    SAME(REMOUNT("m", MS_BIND | MS_RDONLY), 0);
    REFUSED(open("m/f", O_RDWR), EROFS);
    close(other);
    NEED(umount("n") == 0 && umount("m") == 0);
}

static void nothing_has(int file) {
    REFUSED(fsetxattr(file, "user.a", "x", 1, 0), EPERM);
    REFUSED(fgetxattr(file, "user.a", found, 1), ENODATA);
    REFUSED(fremovexattr(file, "user.a"), EPERM);
    REFUSED(fsetxattr(file, "trusted.a", "x", 1, 0), EOPNOTSUPP);
    REFUSED(fgetxattr(file, "trusted.a", found, 1), EOPNOTSUPP);
    REFUSED(fremovexattr(file, "trusted.a"), EOPNOTSUPP);
    REFUSED(fsetxattr(file, "nothing.a", "x", 1, 0), EOPNOTSUPP);
    REFUSED(fsetxattr(file, "user.a", (void *)8, 1, 0), EFAULT);
    pid_t pid;
    CHILD(pid) {
        NEED(setresuid(1000, 1000, 1000) == 0);
        REFUSED(fsetxattr(file, "user.a", "x", 1, 0), EPERM);
        REFUSED(fsetxattr(file, "trusted.a", "x", 1, 0), EPERM);
        REFUSED(fgetxattr(file, "trusted.a", found, 1), ENODATA);
        REFUSED(fremovexattr(file, "trusted.a"), EPERM);
    }
    EXITS(pid, 0);
}

static void without_a_name(void) {
    int ends[2];
    NEED(pipe(ends) == 0);
    nothing_has(ends[0]);
    nothing_has(ends[1]);
    NEED(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
    nothing_has(ends[0]);
}

static void empty(void) {
    const int file = with_capability("f");
    SAME(fsetxattr(file, CAPABILITY, "", 0, 0), 0); // it is none
    REFUSED(fgetxattr(file, CAPABILITY, found, sizeof found), EINVAL);
    SAME(flistxattr(file, found, sizeof found), sizeof CAPABILITY);
    SAME(fsetxattr(file, CAPABILITY, given, sizeof given, XATTR_REPLACE), 0);
    stays(file);
}

static const struct check_case cases[] = {
    CASE(by_writing),         CASE(by_sizes),       CASE(by_allocating),
    CASE(bits_by_allocating), CASE(by_owners),      CASE(open_for_writing),
    CASE(one_view),           CASE(without_a_name), CASE(empty),
};

CHECK_MAIN(cases)
