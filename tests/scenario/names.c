// SPDX-License-Identifier: MIT OR Apache-2.0
// RUN: musl glibc
// Names: folders, links, renaming, paths, times, modes and owners.
#include "check.h"

#include <dirent.h>
#include <grp.h>
#include <sys/time.h>
#include <utime.h>

static void touch(const char *name) {
    int fd = open(name, O_CREAT | O_WRONLY, 0644);
    NEED(fd >= 0);
    close(fd);
}

static ino_t number_of(const char *name) {
    struct stat info;
    return lstat(name, &info) == 0 ? info.st_ino : 0;
}

static nlink_t links_of(const char *name) {
    struct stat info;
    return lstat(name, &info) == 0 ? info.st_nlink : 0;
}

static void folders(void) {
    umask(022);
    SAME(mkdir("d", 0777), 0);
    struct stat info;
    SAME(stat("d", &info), 0);
    SAME(info.st_mode, S_IFDIR | 0755);
    SAME(info.st_nlink, 2);
    REFUSED(mkdir("d", 0777), EEXIST);
    REFUSED(mkdir("absent/d", 0777), ENOENT);
    REFUSED(mkdir(".", 0777), EEXIST);
    REFUSED(mkdir("", 0777), ENOENT);
    SAME(mkdir("d/e/", 0700), 0);
    SAME(links_of("d"), 3);
    REFUSED(rmdir("d"), ENOTEMPTY);
    REFUSED(rmdir("d/."), EINVAL);
    REFUSED(rmdir("d/e/.."), ENOTEMPTY);
    SAME(rmdir("d/e"), 0);
    SAME(links_of("d"), 2);
    SAME(rmdir("d"), 0);
    REFUSED(rmdir("d"), ENOENT);
    touch("f");
    REFUSED(rmdir("f"), ENOTDIR);
    REFUSED(mkdir("f/d", 0777), ENOTDIR);
    REFUSED(unlink("."), EISDIR);
    REFUSED(unlink("absent"), ENOENT);
    REFUSED(rmdir("/"), EBUSY);
}

static void gone_folder(void) {
    SAME(mkdir("d", 0777), 0);
    SAME(chdir("d"), 0);
    SAME(rmdir("../d"), 0);
    REFUSED(open("f", O_CREAT | O_RDWR, 0600), ENOENT);
    REFUSED(mkdir("e", 0700), ENOENT);
    char path[256];
    REFUSED(syscall(SYS_getcwd, path, sizeof path), ENOENT);
    SAME(chdir(".."), 0);
}

static void where(void) {
    char before[256];
    char path[256];
    NEED(getcwd(before, sizeof before) != NULL);
    SAME(mkdir("a", 0777), 0);
    SAME(mkdir("a/b", 0777), 0);
    SAME(symlink("a/b", "s"), 0);
    SAME(chdir("s"), 0);
    NEED(getcwd(path, sizeof path) != NULL);
    strcat(before, "/a/b");
    CHECK(strcmp(path, before) == 0);
    SAME(chdir("../.."), 0);
    int fd = open("a", O_RDONLY | O_DIRECTORY);
    SAME(fchdir(fd), 0);
    SAME(access("b", F_OK), 0);
    touch("f");
    REFUSED(chdir("f"), ENOTDIR);
    REFUSED(chdir("absent"), ENOENT);
    REFUSED(fchdir(99), EBADF);
    int file = open("f", O_RDONLY);
    REFUSED(fchdir(file), ENOTDIR);
    REFUSED(syscall(SYS_getcwd, path, 3), ERANGE);
    SAME(chdir("/"), 0);
    SAME(syscall(SYS_getcwd, path, sizeof path), 2);
    SAME(chdir("../../.."), 0); // above the root is the root
    SAME(syscall(SYS_getcwd, path, sizeof path), 2);
}

static void hard_links(void) {
    touch("f");
    SAME(link("f", "g"), 0);
    SAME(number_of("f"), number_of("g"));
    SAME(links_of("f"), 2);
    REFUSED(link("f", "g"), EEXIST);
    REFUSED(link("absent", "h"), ENOENT);
    REFUSED(link("f", "absent/h"), ENOENT);
    SAME(mkdir("d", 0700), 0);
    REFUSED(link("d", "e"), EPERM);
    SAME(unlink("f"), 0);
    SAME(links_of("g"), 1);
    SAME(symlink("g", "s"), 0);
    SAME(link("s", "t"), 0); // of the link itself
    SAME(number_of("s"), number_of("t"));
    SAME(linkat(AT_FDCWD, "s", AT_FDCWD, "u", AT_SYMLINK_FOLLOW), 0);
    SAME(number_of("g"), number_of("u"));
}

static void symbolic_links(void) {
    char text[64];
    SAME(symlink("some/where", "s"), 0);
    SAME(readlink("s", text, sizeof text), 10);
    CHECK(memcmp(text, "some/where", 10) == 0);
    SAME(readlink("s", text, 4), 4); // cut without a word
    REFUSED(readlink("absent", text, sizeof text), ENOENT);
    touch("f");
    REFUSED(readlink("f", text, sizeof text), EINVAL);
    REFUSED(syscall(SYS_readlinkat, AT_FDCWD, "s", text, 0), EINVAL);
    REFUSED(symlink("x", "s"), EEXIST);
    REFUSED(symlink("", "t"), ENOENT);
    struct stat info;
    SAME(lstat("s", &info), 0);
    SAME(info.st_size, 10);
    SAME(info.st_mode, S_IFLNK | 0777);
    SAME(symlink("loop2", "loop1"), 0);
    SAME(symlink("loop1", "loop2"), 0);
    REFUSED(open("loop1", O_RDONLY), ELOOP);
    REFUSED(stat("loop1/x", &info), ELOOP);
    SAME(lstat("loop1", &info), 0);
    SAME(symlink("f", "l0"), 0);
    char from[16];
    char to[16];
    for (int i = 1; i <= 41; i++) {
        snprintf(to, sizeof to, "l%d", i - 1);
        snprintf(from, sizeof from, "l%d", i);
        SAME(symlink(to, from), 0);
    }
    SAME(access("l39", F_OK), 0); // forty links in a row
    REFUSED(access("l40", F_OK), ELOOP);
}

static void renaming(void) {
    touch("a");
    ino_t number = number_of("a");
    SAME(rename("a", "b"), 0);
    SAME(number_of("b"), number);
    REFUSED(access("a", F_OK), ENOENT);
    touch("c");
    SAME(rename("b", "c"), 0); // replaces
    SAME(number_of("c"), number);
    SAME(rename("c", "c"), 0);
    SAME(link("c", "d"), 0);
    SAME(rename("c", "d"), 0); // the same file: nothing happens
    SAME(access("c", F_OK), 0);
    REFUSED(rename("absent", "x"), ENOENT);
    REFUSED(rename("c", "absent/x"), ENOENT);
    SAME(mkdir("dir", 0700), 0);
    SAME(mkdir("dir/inner", 0700), 0);
    REFUSED(rename("c", "dir"), EISDIR);
    REFUSED(rename("dir", "c"), ENOTDIR);
    REFUSED(rename("dir", "dir/inner/x"), EINVAL);
    REFUSED(rename("dir/inner", "dir"), ENOTEMPTY);
    SAME(mkdir("target", 0700), 0);
    SAME(rename("dir", "target"), 0); // over an empty folder
    SAME(access("target/inner", F_OK), 0);
    SAME(mkdir("full", 0700), 0);
    touch("full/x");
    REFUSED(rename("target", "full"), ENOTEMPTY);
    SAME(rename("target/inner", "moved"), 0);
    SAME(links_of("target"), 2);
    struct stat above;
    struct stat here;
    SAME(stat("moved/..", &above), 0);
    SAME(stat(".", &here), 0);
    SAME(above.st_ino, here.st_ino);
    REFUSED(rename(".", "x"), EBUSY);
    REFUSED(rename("/proc/self/stat", "x"), EXDEV);
}

static void renaming_with_flags(void) {
    touch("a");
    touch("b");
    ino_t a = number_of("a");
    ino_t b = number_of("b");
    REFUSED(syscall(SYS_renameat2, AT_FDCWD, "a", AT_FDCWD, "b", 1), EEXIST); // RENAME_NOREPLACE
    SAME(syscall(SYS_renameat2, AT_FDCWD, "a", AT_FDCWD, "b", 2), 0);         // RENAME_EXCHANGE
    SAME(number_of("a"), b);
    SAME(number_of("b"), a);
    REFUSED(syscall(SYS_renameat2, AT_FDCWD, "a", AT_FDCWD, "absent", 2), ENOENT);
    REFUSED(syscall(SYS_renameat2, AT_FDCWD, "a", AT_FDCWD, "b", 3), EINVAL);
    SAME(syscall(SYS_renameat2, AT_FDCWD, "a", AT_FDCWD, "c", 1), 0);
    SAME(number_of("c"), b);
    REFUSED(access("a", F_OK), ENOENT);
}

static void listing(void) {
    enum { COUNT = 300 };
    SAME(mkdir("d", 0700), 0);
    char name[64];
    for (int i = 0; i < COUNT; i++) {
        snprintf(name, sizeof name, "d/file-with-a-longer-name-%d", i);
        touch(name);
    }
    SAME(mkdir("d/folder", 0700), 0);
    SAME(symlink("x", "d/link"), 0);
    DIR *folder = opendir("d");
    NEED(folder != NULL);
    static bool seen[COUNT];
    int others = 0;
    struct dirent *entry;
    while ((entry = readdir(folder))) {
        int i;
        if (sscanf(entry->d_name, "file-with-a-longer-name-%d", &i) == 1) {
            NEED(!seen[i]);
            seen[i] = true;
            CHECK(entry->d_type == DT_REG);
        } else {
            others++;
            CHECK(strcmp(entry->d_name, "folder") != 0 || entry->d_type == DT_DIR);
            CHECK(strcmp(entry->d_name, "link") != 0 || entry->d_type == DT_LNK);
        }
    }
    SAME(others, 4); // with . and ..
    for (int i = 0; i < COUNT; i++) {
        NEED(seen[i]);
    }
    rewinddir(folder);
    CHECK(readdir(folder) != NULL);
    closedir(folder);
}

// What lies between a name and the next entry is zero, or what the program had there.
static void check_padding(long call, unsigned name_at, unsigned char mine) {
    static unsigned char bytes[4096];
    const int folder = open("padding", O_RDONLY | O_DIRECTORY);
    NEED(folder >= 0);
    memset(bytes, mine, sizeof bytes);
    const long end = syscall(call, folder, bytes, sizeof bytes);
    NEED(end > 0);
    long entries = 0;
    for (long at = 0; at < end; entries++) {
        unsigned short size;
        memcpy(&size, bytes + at + 16, sizeof size);
        NEED(size % 8 == 0 && size > name_at);
        for (long i = at + name_at + (long)strlen((char *)bytes + at + name_at); i < at + size - 1;
             i++) {
            NEED(bytes[i] == 0 || bytes[i] == mine);
        }
        at += size;
    }
    SAME(entries, 18);
    close(folder);
}

static void padding(void) {
    char name[32] = "padding/";
    SAME(mkdir("padding", 0700), 0);
    for (int length = 1; length <= 16; length++) {
        strcat(name, "x");
        touch(name);
    }
    check_padding(SYS_getdents64, 19, 0x5a);
    check_padding(SYS_getdents64, 19, 0xa5);
#ifdef SYS_getdents // not on machines that Linux came to later
    check_padding(SYS_getdents, 18, 0x5a);
    check_padding(SYS_getdents, 18, 0xa5);
#endif
}

static void listing_while_removing(void) {
    enum { COUNT = 500 };
    char name[64];
    for (int i = 0; i < COUNT; i++) {
        snprintf(name, sizeof name, "n%d", i);
        touch(name);
    }
    DIR *folder = opendir(".");
    struct dirent *entry;
    int removed = 0;
    while ((entry = readdir(folder))) {
        if (entry->d_name[0] == 'n') {
            NEED(unlink(entry->d_name) == 0);
            removed++;
        }
    }
    SAME(removed, COUNT); // each entry once, none missed
}

static void raw_listing(void) {
    char buffer[64];
    int fd = open(".", O_RDONLY | O_DIRECTORY);
    REFUSED(syscall(SYS_getdents64, fd, buffer, 1), EINVAL);
    REFUSED(syscall(SYS_getdents64, 99, buffer, sizeof buffer), EBADF);
    touch("f");
    int file = open("f", O_RDONLY);
    REFUSED(syscall(SYS_getdents64, file, buffer, sizeof buffer), ENOTDIR);
    REFUSED(syscall(SYS_getdents64, fd, (void *)8, 512), EFAULT);
    REFUSED(read(fd, buffer, sizeof buffer), EISDIR);
    int total = 0;
    long count;
    while ((count = syscall(SYS_getdents64, fd, buffer, sizeof buffer)) > 0) {
        total += (int)count;
    }
    SAME(count, 0);
    SAME(total, 24 * 3);
}

static void relative_to_a_folder(void) {
    SAME(mkdir("d", 0700), 0);
    int fd = open("d", O_RDONLY | O_DIRECTORY);
    int file = openat(fd, "f", O_CREAT | O_RDWR, 0600);
    CHECK(file >= 0);
    SAME(access("d/f", F_OK), 0);
    SAME(mkdirat(fd, "e", 0700), 0);
    SAME(symlinkat("f", fd, "s"), 0);
    SAME(renameat(fd, "f", AT_FDCWD, "g"), 0);
    SAME(faccessat(AT_FDCWD, "g", F_OK, 0), 0);
    SAME(unlinkat(fd, "e", AT_REMOVEDIR), 0);
    REFUSED(unlinkat(fd, "e", 0), ENOENT);
    REFUSED(openat(99, "x", O_RDONLY), EBADF);
    REFUSED(openat(file, "x", O_RDONLY), ENOTDIR);
    char path[256];
    NEED(getcwd(path, sizeof path) != NULL);
    strcat(path, "/g");
    SAME(close(openat(99, path, O_RDONLY)), 0); // an absolute path needs no folder
}

static void long_names(void) {
    char name[5000];
    memset(name, 'n', sizeof name);
    name[255] = 0;
    touch(name);
    SAME(access(name, F_OK), 0);
    name[255] = 'n';
    name[256] = 0;
    REFUSED(open(name, O_CREAT | O_RDWR, 0600), ENAMETOOLONG);
    REFUSED(mkdir(name, 0700), ENAMETOOLONG);
    REFUSED(access(name, F_OK), ENAMETOOLONG);
    for (int i = 0; i + 2 < 4999; i += 2) {
        memcpy(name + i, "./", 2);
    }
    name[4094] = '.';
    name[4095] = 0;
    SAME(access(name, F_OK), 0);
    name[4095] = '/';
    name[4999] = 0;
    REFUSED(access(name, F_OK), ENAMETOOLONG);
}

static void odd_paths(void) {
    SAME(mkdir("d", 0700), 0);
    touch("d/f");
    SAME(access("d//f", F_OK), 0);
    SAME(access("./d/./f", F_OK), 0);
    SAME(access("d/../d/f", F_OK), 0);
    REFUSED(access("d/f/", F_OK), ENOTDIR);
    REFUSED(access("d/f/..", F_OK), ENOTDIR);
    SAME(access("d/", F_OK), 0);
    touch("d/\xff\x01 odd");
    SAME(unlink("d/\xff\x01 odd"), 0);
}

static void times(void) {
    touch("f");
    struct timespec set[2] = { { 1000, 5 }, { 2000, 6 } };
    struct stat info;
    SAME(utimensat(AT_FDCWD, "f", set, 0), 0);
    SAME(stat("f", &info), 0);
    SAME(info.st_atim.tv_sec, 1000);
    SAME(info.st_atim.tv_nsec, 5);
    SAME(info.st_mtim.tv_sec, 2000);
    SAME(info.st_mtim.tv_nsec, 6);
    set[0].tv_nsec = UTIME_OMIT;
    set[1].tv_nsec = UTIME_NOW;
    SAME(utimensat(AT_FDCWD, "f", set, 0), 0);
    SAME(stat("f", &info), 0);
    SAME(info.st_atim.tv_sec, 1000);
    CHECK(info.st_mtim.tv_sec > 2000);
    struct utimbuf old = { 11, 22 };
    SAME(utime("f", &old), 0);
    SAME(stat("f", &info), 0);
    SAME(info.st_mtim.tv_sec, 22);
    SAME(symlink("f", "s"), 0);
    set[0] = set[1] = (struct timespec){ 77, 0 };
    SAME(utimensat(AT_FDCWD, "s", set, AT_SYMLINK_NOFOLLOW), 0);
    SAME(stat("f", &info), 0);
    SAME(info.st_mtim.tv_sec, 22);
    set[1].tv_nsec = 2000000000;
    REFUSED(utimensat(AT_FDCWD, "f", set, 0), EINVAL);
    REFUSED(utimensat(AT_FDCWD, "absent", NULL, 0), ENOENT);
    int fd = open("f", O_WRONLY);
    SAME(write(fd, "x", 1), 1);
    SAME(fstat(fd, &info), 0);
    CHECK(info.st_mtim.tv_sec > 2000 && info.st_ctim.tv_sec > 2000); // a write sets it
}

static void modes(void) {
    touch("f");
    struct stat info;
    SAME(chmod("f", 04751), 0);
    SAME(stat("f", &info), 0);
    SAME(info.st_mode, S_IFREG | 04751);
    int fd = open("f", O_RDONLY);
    SAME(fchmod(fd, 0600), 0);
    SAME(fstat(fd, &info), 0);
    SAME(info.st_mode, S_IFREG | 0600);
    SAME(fchmodat(AT_FDCWD, "f", 0644, 0), 0);
    REFUSED(chmod("absent", 0600), ENOENT);
    SAME(chown("f", 1000, 1001), 0);
    SAME(stat("f", &info), 0);
    SAME(info.st_uid, 1000);
    SAME(info.st_gid, 1001);
    SAME(chown("f", (uid_t)-1, 5), 0);
    SAME(stat("f", &info), 0);
    SAME(info.st_uid, 1000);
    SAME(info.st_gid, 5);
    SAME(symlink("f", "s"), 0);
    SAME(lchown("s", 7, 7), 0);
    SAME(stat("f", &info), 0);
    SAME(info.st_uid, 1000);
    REFUSED(access("f", 99), EINVAL);
}

static void permissions(void) {
    umask(0);
    NEED(chmod(".", 0755) == 0);
    close(open("mine", O_CREAT | O_RDWR, 0600));
    close(open("readable", O_CREAT | O_RDWR, 0644));
    close(open("group", O_CREAT | O_RDWR, 0060));
    NEED(chown("group", 0, 1000) == 0);
    close(open("owner", O_CREAT | O_RDWR, 0044));
    NEED(chown("owner", 1000, 0) == 0);
    NEED(mkdir("closed", 0700) == 0);
    close(open("closed/f", O_CREAT | O_RDWR, 0666));
    NEED(mkdir("listable", 0744) == 0);
    close(open("listable/f", O_CREAT | O_RDWR, 0666));
    NEED(mkdir("passable", 0711) == 0);
    close(open("passable/f", O_CREAT | O_RDWR, 0666));
    NEED(mkdir("sticky", 01777) == 0);
    close(open("sticky/f", O_CREAT | O_RDWR, 0666));
    pid_t pid;
    CHILD(pid) {
        NEED(setgid(1000) == 0 && setuid(1000) == 0);
        REFUSED(open("mine", O_RDONLY), EACCES);
        SAME(close(open("readable", O_RDONLY)), 0);
        REFUSED(open("readable", O_RDWR), EACCES);
        REFUSED(open("readable", O_RDONLY | O_TRUNC), EACCES);
        SAME(close(open("group", O_RDWR)), 0);
        REFUSED(open("owner", O_RDONLY), EACCES); // the owner's bits count, though others may
        REFUSED(open("closed/f", O_RDONLY), EACCES);
        REFUSED(open("closed", O_RDONLY), EACCES);
        SAME(close(open("listable", O_RDONLY)), 0);
        REFUSED(open("listable/f", O_RDONLY), EACCES);
        REFUSED(open("passable", O_RDONLY), EACCES);
        SAME(close(open("passable/f", O_RDWR)), 0);
        REFUSED(open("new", O_CREAT | O_RDWR, 0600), EACCES);
        REFUSED(unlink("readable"), EACCES);
        REFUSED(rename("readable", "x"), EACCES);
        REFUSED(mkdir("d", 0700), EACCES);
        REFUSED(unlink("sticky/f"), EPERM);
        SAME(close(open("sticky/g", O_CREAT | O_RDWR, 0600)), 0);
        SAME(unlink("sticky/g"), 0);
        REFUSED(chmod("readable", 0666), EPERM);
        REFUSED(chown("owner", 0, 0), EPERM);
        SAME(chmod("owner", 0600), 0);
        REFUSED(access("mine", R_OK), EACCES);
        SAME(access("mine", F_OK), 0);
        SAME(access("readable", R_OK), 0);
        REFUSED(access("readable", W_OK), EACCES);
        REFUSED(execl("readable", "x", NULL), EACCES);
        REFUSED(setuid(0), EPERM);
        REFUSED(chroot("."), EPERM);
        struct timespec set[2] = { { 1, 0 }, { 1, 0 } };
        REFUSED(utimensat(AT_FDCWD, "readable", set, 0), EPERM);
    }
    EXITS(pid, 0);
    SAME(access("mine", X_OK) == -1 ? errno : 0, EACCES); // not even root, without any x
    SAME(access("closed/f", W_OK), 0);
}

static void identities(void) {
    pid_t pid;
    CHILD(pid) {
        uid_t real;
        uid_t effective;
        uid_t saved;
        SAME(setresuid(100, 200, 300), 0);
        SAME(getresuid(&real, &effective, &saved), 0);
        CHECK(real == 100 && effective == 200 && saved == 300);
        SAME(getuid(), 100);
        SAME(geteuid(), 200);
        SAME(seteuid(300), 0);
        REFUSED(seteuid(400), EPERM);
        REFUSED(setgid(5), EPERM);
        gid_t groups[4];
        SAME(getgroups(0, NULL) >= 0, 1);
        REFUSED(setgroups(1, groups), EPERM);
    }
    EXITS(pid, 0);
    CHILD(pid) {
        gid_t groups[] = { 10, 20, 30 };
        gid_t got[3];
        SAME(setgroups(3, groups), 0);
        SAME(getgroups(3, got), 3);
        CHECK(memcmp(groups, got, sizeof got) == 0);
        REFUSED(getgroups(1, got), EINVAL);
        SAME(setregid(7, 8), 0);
        SAME(getgid(), 7);
        SAME(getegid(), 8);
    }
    EXITS(pid, 0);
}

static void new_root(void) {
    SAME(mkdir("r", 0755), 0);
    touch("r/inside");
    pid_t pid;
    CHILD(pid) {
        SAME(chroot("r"), 0);
        SAME(chdir("/"), 0);
        SAME(access("/inside", F_OK), 0);
        SAME(access("/../inside", F_OK), 0);
        REFUSED(access("/tmp", F_OK), ENOENT);
    }
    EXITS(pid, 0);
}

static void special_files(void) {
    SAME(mknod("null", S_IFCHR | 0666, 1 << 8 | 3), 0);
    int fd = open("null", O_RDWR);
    CHECK(fd >= 0);
    SAME(write(fd, "x", 1), 1);
    SAME(mknod("plain", S_IFREG | 0600, 0), 0);
    SAME(mknod("plain2", 0600, 0), 0);
    REFUSED(mknod("plain", S_IFREG | 0600, 0), EEXIST);
    SAME(mknod("nothing", S_IFCHR | 0666, 200 << 8 | 77), 0);
    REFUSED(open("nothing", O_RDWR), ENXIO);
    REFUSED(mknod("x", S_IFDIR | 0700, 0), EPERM);
}

static const struct check_case cases[] = {
    CASE(folders),
    CASE(gone_folder),
    CASE(where),
    CASE(hard_links),
    CASE(symbolic_links),
    CASE(renaming),
    CASE(renaming_with_flags),
    CASE(listing),
    CASE(padding),
    CASE(listing_while_removing),
    CASE(raw_listing),
    CASE(relative_to_a_folder),
    CASE(long_names),
    CASE(odd_paths),
    CASE(times),
    CASE(modes),
    CASE(permissions),
    CASE(identities),
    CASE(new_root),
    CASE(special_files),
};
CHECK_MAIN(cases)
