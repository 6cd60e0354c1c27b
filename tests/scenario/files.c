// SPDX-License-Identifier: MIT OR Apache-2.0
// RUN: musl glibc
// Open files: flags, positions, contents, sizes.
#include "check.h"

#include <sys/resource.h>

#include <sys/sendfile.h>
#include <sys/statfs.h>
#include <sys/uio.h>

static int make(const char *name, const char *text) {
    int fd = open(name, O_CREAT | O_RDWR | O_TRUNC, 0644);
    NEED(fd >= 0);
    NEED(write(fd, text, strlen(text)) == (ssize_t)strlen(text));
    return fd;
}

static void holds(int fd, const char *text) {
    char got[256];
    ssize_t count = pread(fd, got, sizeof got - 1, 0);
    got[count > 0 ? count : 0] = 0;
    if (strcmp(got, text) != 0) {
        check_fail(__FILE_NAME__, __LINE__, "the file holds '%s', not '%s'", got, text);
    }
}

static void open_flags(void) {
    REFUSED(open("f", O_RDONLY), ENOENT);
    int fd = open("f", O_CREAT | O_EXCL | O_RDWR, 0640);
    CHECK(fd >= 0);
    REFUSED(open("f", O_CREAT | O_EXCL | O_RDWR, 0640), EEXIST);
    SAME(write(fd, "hello", 5), 5);
    int again = open("f", O_CREAT | O_RDONLY, 0777);
    struct stat info;
    SAME(fstat(again, &info), 0);
    SAME(info.st_mode & 07777, 0640); // the mode of an existing file stays
    SAME(info.st_size, 5);
    REFUSED(write(again, "x", 1), EBADF);
    int writer = open("f", O_WRONLY | O_TRUNC);
    char byte;
    REFUSED(read(writer, &byte, 1), EBADF);
    SAME(fstat(writer, &info), 0);
    SAME(info.st_size, 0);
    REFUSED(open("f/x", O_RDONLY), ENOTDIR);
    REFUSED(open("f/", O_RDONLY), ENOTDIR);
    REFUSED(open("f", O_RDONLY | O_DIRECTORY), ENOTDIR);
    REFUSED(open("absent/f", O_CREAT | O_RDWR, 0600), ENOENT);
    REFUSED(open(".", O_WRONLY), EISDIR);
    REFUSED(open(".", O_RDONLY | O_CREAT, 0600), EISDIR);
    REFUSED(open("", O_RDONLY), ENOENT);
    REFUSED(open("new/", O_CREAT | O_RDWR, 0600), EISDIR);
}

static void creation_mask(void) {
    umask(022);
    close(open("a", O_CREAT | O_WRONLY, 0777));
    struct stat info;
    SAME(stat("a", &info), 0);
    SAME(info.st_mode, S_IFREG | 0755);
    SAME(umask(0), 022);
    close(open("b", O_CREAT | O_WRONLY, 04755));
    SAME(stat("b", &info), 0);
    SAME(info.st_mode & 07777, 04755);
}

static void no_follow(void) {
    close(make("f", "x"));
    SAME(symlink("f", "link"), 0);
    SAME(symlink("absent", "dangling"), 0);
    REFUSED(open("link", O_RDONLY | O_NOFOLLOW), ELOOP);
    int fd = open("link", O_RDONLY);
    CHECK(fd >= 0);
    REFUSED(open("dangling", O_RDONLY), ENOENT);
    REFUSED(open("dangling", O_CREAT | O_EXCL | O_RDWR, 0600), EEXIST);
    fd = open("dangling", O_CREAT | O_RDWR, 0600); // makes the target
    CHECK(fd >= 0);
    SAME(access("absent", F_OK), 0);
    int path = open("link", O_PATH | O_NOFOLLOW);
    CHECK(path >= 0);
    struct stat info;
    SAME(fstat(path, &info), 0);
    CHECK(S_ISLNK(info.st_mode));
    char byte;
    REFUSED(read(path, &byte, 1), EBADF);
}

static void append(void) {
    int first = make("f", "start");
    int second = open("f", O_WRONLY | O_APPEND);
    SAME(write(second, "-a", 2), 2);
    SAME(lseek(second, 0, SEEK_SET), 0);
    SAME(write(second, "-b", 2), 2);
    SAME(lseek(second, 0, SEEK_CUR), 9);
    SAME(write(first, "!", 1), 1);
    SAME(fcntl(first, F_SETFL, O_APPEND), 0);
    SAME(write(first, "+", 1), 1);
    holds(first, "start!a-b+");
}

static void appends_do_not_mix(void) {
    enum { WRITERS = 4, LINES = 200 };
    for (int writer = 0; writer < WRITERS; writer++) {
        if (fork() == 0) {
            int fd = open("log", O_WRONLY | O_CREAT | O_APPEND, 0600);
            char line[32];
            for (int i = 0; i < LINES; i++) {
                int length = snprintf(line, sizeof line, "%d %04d\n", writer, i);
                if (write(fd, line, (size_t)length) != length) {
                    _exit(1);
                }
            }
            _exit(0);
        }
    }
    for (int writer = 0; writer < WRITERS; writer++) {
        int status = check_wait(-1);
        SAME(status, 0);
    }
    FILE *file = fopen("log", "r");
    int next[WRITERS] = { 0 };
    int writer;
    int number;
    int lines = 0;
    while (fscanf(file, "%d %d\n", &writer, &number) == 2) {
        NEED(writer >= 0 && writer < WRITERS);
        SAME(number, next[writer]);
        next[writer]++;
        lines++;
    }
    SAME(lines, WRITERS * LINES);
}

static void positions(void) {
    int fd = make("f", "0123456789");
    SAME(lseek(fd, 3, SEEK_SET), 3);
    SAME(lseek(fd, 2, SEEK_CUR), 5);
    SAME(lseek(fd, -1, SEEK_END), 9);
    char byte = 0;
    SAME(read(fd, &byte, 1), 1);
    SAME(byte, '9');
    SAME(read(fd, &byte, 1), 0);
    REFUSED(lseek(fd, -1, SEEK_SET), EINVAL);
    REFUSED(lseek(fd, -100, SEEK_CUR), EINVAL);
    REFUSED(lseek(fd, 0, 99), EINVAL);
    REFUSED(lseek(99, 0, SEEK_SET), EBADF);
    SAME(lseek(fd, 100, SEEK_SET), 100);
    SAME(read(fd, &byte, 1), 0);
    SAME(write(fd, "z", 1), 1);
    char hole[90];
    SAME(pread(fd, hole, 90, 10), 90);
    for (int i = 0; i < 90; i++) {
        NEED(hole[i] == 0);
    }
    SAME(lseek(fd, 0, SEEK_CUR), 101); // pread does not move it
    SAME(lseek(fd, (off_t)1 << 40, SEEK_SET), (off_t)1 << 40);
}

static void at_offsets(void) {
    int fd = make("f", "abcdef");
    SAME(pwrite(fd, "XY", 2, 2), 2);
    holds(fd, "abXYef");
    SAME(lseek(fd, 0, SEEK_CUR), 6);
    char text[8];
    SAME(pread(fd, text, 8, 4), 2);
    SAME(pread(fd, text, 8, 400), 0);
    REFUSED(pread(fd, text, 8, -1), EINVAL);
    REFUSED(pwrite(fd, text, 8, -1), EINVAL);
}

static void vectors(void) {
    int fd = open("f", O_CREAT | O_RDWR, 0600);
    struct iovec out[] = { { "one ", 4 }, { "two ", 4 }, { "three", 5 } };
    SAME(writev(fd, out, 3), 13);
    holds(fd, "one two three");
    char first[5] = "";
    char second[20] = "";
    struct iovec in[] = { { first, 4 }, { second, 19 } };
    SAME(preadv(fd, in, 2, 0), 13);
    CHECK(strcmp(first, "one ") == 0 && strcmp(second, "two three") == 0);
    SAME(pwritev(fd, out, 1, 4), 4);
    holds(fd, "one one three");
    struct iovec bad[] = { { first, 4 }, { (void *)8, 4 } };
    lseek(fd, 0, SEEK_SET);
    SAME(readv(fd, bad, 2), 4); // what came before the bad part
    struct iovec negative[] = { { first, (size_t)-1 } };
    REFUSED(readv(fd, negative, 1), EINVAL);
}

static void sizes(void) {
    int fd = make("f", "0123456789");
    SAME(ftruncate(fd, 4), 0);
    holds(fd, "0123");
    SAME(ftruncate(fd, 10000), 0);
    char block[6000];
    SAME(pread(fd, block, 6000, 4), 6000);
    for (int i = 0; i < 6000; i++) {
        NEED(block[i] == 0);
    }
    SAME(truncate("f", 2), 0);
    struct stat info;
    SAME(fstat(fd, &info), 0);
    SAME(info.st_size, 2);
    SAME(write(fd, "x", 1), 1); // the position stayed at 10
    SAME(fstat(fd, &info), 0);
    SAME(info.st_size, 11);
    REFUSED(ftruncate(fd, -1), EINVAL);
    REFUSED(truncate("absent", 0), ENOENT);
    REFUSED(truncate(".", 0), EISDIR);
    int reader = open("f", O_RDONLY);
    REFUSED(ftruncate(reader, 0), EINVAL);
    REFUSED(ftruncate(99, 0), EBADF);
}

static void stale_bytes_do_not_come_back(void) {
    int fd = make("f", "");
    char block[8192];
    memset(block, 'x', sizeof block);
    SAME(write(fd, block, sizeof block), sizeof block);
    SAME(ftruncate(fd, 100), 0);
    SAME(ftruncate(fd, 8192), 0);
    SAME(pread(fd, block, sizeof block, 0), sizeof block);
    for (int i = 0; i < 8192; i++) {
        NEED(block[i] == (i < 100 ? 'x' : 0));
    }
}

static void unlinked_but_open(void) {
    int fd = make("f", "still here");
    SAME(unlink("f"), 0);
    REFUSED(access("f", F_OK), ENOENT);
    holds(fd, "still here");
    SAME(pwrite(fd, "S", 1, 0), 1);
    holds(fd, "Still here");
    struct stat info;
    SAME(fstat(fd, &info), 0);
    SAME(info.st_nlink, 0);
    int other = make("f", "another");
    holds(other, "another");
    holds(fd, "Still here");
}

static void large_file(void) {
    int fd = open("f", O_CREAT | O_RDWR, 0600);
    enum { BLOCK = 65536, COUNT = 200 };
    static unsigned char block[BLOCK];
    for (int i = 0; i < COUNT; i++) {
        memset(block, i, BLOCK);
        NEED(write(fd, block, BLOCK) == BLOCK);
    }
    struct stat info;
    SAME(fstat(fd, &info), 0);
    SAME(info.st_size, BLOCK * COUNT);
    CHECK(info.st_blocks * 512 >= info.st_size);
    for (int i = COUNT - 1; i >= 0; i--) {
        NEED(pread(fd, block, BLOCK, (off_t)i * BLOCK + 1) >= BLOCK - 1);
        NEED(block[0] == i && block[BLOCK - 2] == i);
    }
}

static void copies_inside(void) {
    int in = make("in", "copy this text");
    int out = open("out", O_CREAT | O_RDWR, 0600);
    off_t from = 5;
    SAME(sendfile(out, in, &from, 100), 9);
    SAME(from, 14);
    holds(out, "this text");
    REFUSED(sendfile(out, 99, NULL, 1), EBADF);
    REFUSED(sendfile(99, in, NULL, 1), EBADF);
}

static void bad_buffers(void) {
    int fd = make("f", "0123456789");
    REFUSED(pread(fd, (void *)8, 4, 0), EFAULT);
    REFUSED(pread(fd, (void *)0xffffffff80000000, 4, 0), EFAULT);
    REFUSED(write(fd, (void *)8, 4), EFAULT);
    REFUSED(write(fd, (void *)0xffffffff80000000, 4), EFAULT);
    REFUSED(pread(fd, (char *)-1, (size_t)2, 0), EFAULT);
    holds(fd, "0123456789");
    char *page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    NEED(munmap(page + 4096, 4096) == 0);
    SAME(pread(fd, page + 4096 - 3, 10, 0) > 0 ? 3 : -1, 3); // as much as there is room for
    CHECK(memcmp(page + 4096 - 3, "012", 3) == 0);
}

static void about_files(void) {
    umask(022);
    int fd = make("f", "12345");
    struct stat by_fd;
    struct stat by_name;
    SAME(fstat(fd, &by_fd), 0);
    SAME(stat("f", &by_name), 0);
    SAME(by_fd.st_ino, by_name.st_ino);
    SAME(by_fd.st_dev, by_name.st_dev);
    SAME(by_fd.st_size, 5);
    SAME(by_fd.st_nlink, 1);
    SAME(by_fd.st_uid, getuid());
    SAME(by_fd.st_mode, S_IFREG | 0644);
    CHECK(by_fd.st_blksize >= 512);
    struct {
        uint32_t mask, block_bytes;
        uint64_t attributes;
        uint32_t links, user, group;
        uint16_t mode, spare;
        uint64_t number, size;
        char rest[256];
    } extended; // struct statx, which musl does not have
    SAME(syscall(SYS_statx, AT_FDCWD, "f", 0, 0x7ff, &extended), 0);
    SAME(extended.size, 5);
    SAME(extended.number, by_fd.st_ino);
    SAME(extended.mode, by_fd.st_mode);
    SAME(fstatat(fd, "", &by_name, AT_EMPTY_PATH), 0);
    SAME(by_name.st_ino, by_fd.st_ino);
    REFUSED(stat("absent", &by_name), ENOENT);
    REFUSED(fstat(99, &by_name), EBADF);
    REFUSED(syscall(SYS_newfstatat, AT_FDCWD, "f", (void *)8, 0), EFAULT);
    REFUSED(fstatat(AT_FDCWD, "f", &by_name, 0x12345678), EINVAL);
    struct statfs system;
    SAME(statfs("f", &system), 0);
    CHECK(system.f_namelen == 255 && system.f_bsize > 0);
    SAME(fsync(fd), 0);
    SAME(fdatasync(fd), 0);
}

static void locks(void) {
    int fd = make("f", "0123456789");
    struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 2, .l_len = 3 };
    SAME(fcntl(fd, F_SETLK, &lock), 0);
    pid_t parent = getpid();
    pid_t pid;
    CHILD(pid) {
        struct flock want = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 4, .l_len = 1 };
        int saved = fcntl(fd, F_SETLK, &want) == -1 ? errno : 0;
        CHECK(saved == EAGAIN || saved == EACCES);
        SAME(fcntl(fd, F_GETLK, &want), 0);
        SAME(want.l_type, F_WRLCK);
        SAME(want.l_pid, parent);
        want = (struct flock){ .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 5, .l_len = 1 };
        SAME(fcntl(fd, F_SETLK, &want), 0);
    }
    EXITS(pid, 0);
}

// The lowest number that is free, up to the limit.
static void numbers_of_descriptors(void) {
    int fd[4];
    for (int i = 0; i < 4; i++) {
        fd[i] = open("/dev/null", O_RDONLY);
        SAME(fd[i], fd[0] + i);
    }
    close(fd[2]);
    close(fd[0]);
    SAME(open("/dev/null", O_RDONLY), fd[0]);
    SAME(fcntl(fd[1], F_DUPFD, fd[3]), fd[3] + 1);
    SAME(open("/dev/null", O_RDONLY), fd[2]);
    struct rlimit limit = { (rlim_t)fd[3] + 3, (rlim_t)fd[3] + 3 };
    NEED(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    SAME(open("/dev/null", O_RDONLY), fd[3] + 2);
    REFUSED(open("/dev/null", O_RDONLY), EMFILE);
    REFUSED(open("new", O_WRONLY | O_CREAT, 0600), EMFILE);
    REFUSED(access("new", F_OK), ENOENT); // nothing was made
    REFUSED(open("", O_RDONLY), ENOENT);
    NEED(mkfifo("fifo", 0600) == 0);
    REFUSED(open("fifo", O_RDONLY), EMFILE); // nor waited for
    REFUSED(fcntl(fd[1], F_DUPFD, fd[3] + 3), EINVAL);
    REFUSED(dup2(fd[1], fd[3] + 3), EBADF);
    close(fd[1]);
    SAME(open("/dev/null", O_RDONLY), fd[1]);
}

static const struct check_case cases[] = {
    CASE(open_flags),
    CASE(creation_mask),
    CASE(no_follow),
    CASE(append),
    CASE(appends_do_not_mix),
    CASE(positions),
    CASE(at_offsets),
    CASE(vectors),
    CASE(sizes),
    CASE(stale_bytes_do_not_come_back),
    CASE(unlinked_but_open),
    CASE(large_file),
    CASE(copies_inside),
    CASE(bad_buffers),
    CASE(about_files),
    CASE(locks),
    CASE(numbers_of_descriptors),
};
CHECK_MAIN(cases)
