// SPDX-License-Identifier: MIT OR Apache-2.0
// RUN: musl glibc
// Extended attributes: names and values of every length, who may see and set which, and what
// becomes of them when files are linked, moved, written to and removed.
#include "check.h"

#include <grp.h>
#include <pthread.h>
#include <sys/inotify.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/xattr.h>

#define VALUE_MAX 65536
#define NAME_MAX_ 255

static char bytes[VALUE_MAX + 1];
static char found[VALUE_MAX + 1];

// What Linux 6.1 has not: user.* on a tmpfs (6.6 has, as its other file systems; all checks that
// come before it are the same), and, where programs of BPF may be asked for permissions, the
// refusal to change security.* (capabilities(7)), which it forgets then.
static bool is_helix(void) {
    return access("/proc/helix", F_OK) == 0;
}

static void user_is_taken(int result) {
    const int error = errno;
    if (is_helix()) {
        SAME(result, 0);
    } else {
        SAME(result, -1);
        SAME(error, EOPNOTSUPP);
    }
}

static void make(const char *path) {
    const int file = open(path, O_RDWR | O_CREAT | O_TRUNC, 0644);
    NEED(file >= 0);
    close(file);
}

static int set(const char *path, const char *name, const char *value) {
    return setxattr(path, name, value, strlen(value), 0);
}

// The attribute has that value.
static void has(const char *path, const char *name, const char *value) {
    const ssize_t length = lgetxattr(path, name, found, sizeof found);
    SAME(length, strlen(value));
    CHECK(length < 0 || memcmp(found, value, strlen(value)) == 0);
}

// Whether a list has that name, between zeroes.
static bool lists(const char *list, ssize_t length, const char *name) {
    for (ssize_t at = 0; at < length; at += (ssize_t)strlen(list + at) + 1) {
        if (strcmp(list + at, name) == 0) {
            return true;
        }
    }
    return false;
}

// Without rights, and in no group.
static void become_user(void) {
    NEED(setgroups(0, NULL) == 0 && setresgid(1000, 1000, 1000) == 0 &&
         setresuid(1000, 1000, 1000) == 0);
}

static void values(void) {
    make("f");
    REFUSED(getxattr("f", "trusted.a", NULL, 0), ENODATA);
    SAME(setxattr("f", "trusted.a", "one", 3, 0), 0);
    SAME(getxattr("f", "trusted.a", NULL, 0), 3);
    SAME(getxattr("f", "trusted.a", found, 3), 3);
    CHECK(memcmp(found, "one", 3) == 0);
    REFUSED(getxattr("f", "trusted.a", found, 2), ERANGE);
    SAME(setxattr("f", "trusted.a", "longer\0than", 11, 0), 0);
    SAME(getxattr("f", "trusted.a", found, 100), 11);
    CHECK(memcmp(found, "longer\0than", 11) == 0);
    SAME(setxattr("f", "trusted.a", "", 0, 0), 0);
    SAME(getxattr("f", "trusted.a", found, 100), 0);
    SAME(getxattr("f", "trusted.a", NULL, 0), 0);
    SAME(setxattr("f", "trusted.a", NULL, 0, XATTR_REPLACE), 0);
    SAME(listxattr("f", found, sizeof found), 10);
    SAME(removexattr("f", "trusted.a"), 0);
    REFUSED(removexattr("f", "trusted.a"), ENODATA);
    REFUSED(getxattr("f", "trusted.a", found, 100), ENODATA);
    SAME(listxattr("f", found, sizeof found), 0);
}

static void flags(void) {
    make("f");
    REFUSED(setxattr("f", "trusted.a", "x", 1, XATTR_REPLACE), ENODATA);
    REFUSED(getxattr("f", "trusted.a", NULL, 0), ENODATA);
    SAME(setxattr("f", "trusted.a", "x", 1, XATTR_CREATE), 0);
    REFUSED(setxattr("f", "trusted.a", "y", 1, XATTR_CREATE), EEXIST);
    REFUSED(setxattr("f", "trusted.a", "y", 1, XATTR_CREATE | XATTR_REPLACE), EEXIST);
    REFUSED(setxattr("f", "trusted.b", "y", 1, XATTR_CREATE | XATTR_REPLACE), ENODATA);
    has("f", "trusted.a", "x");
    SAME(setxattr("f", "trusted.a", "z", 1, XATTR_REPLACE), 0);
    has("f", "trusted.a", "z");
    REFUSED(setxattr("f", "trusted.a", "z", 1, 4), EINVAL);
    REFUSED(setxattr("f", "", "z", 1, 4), EINVAL); // before the name
}

static void names(void) {
    char name[NAME_MAX_ + 2] = "trusted.";
    make("f");
    memset(name + 8, 'n', sizeof name - 9);
    REFUSED(setxattr("f", name, "x", 1, 0), ERANGE);
    REFUSED(getxattr("f", name, NULL, 0), ERANGE);
    REFUSED(removexattr("f", name), ERANGE);
    name[NAME_MAX_] = '\0';
    SAME(setxattr("f", name, "x", 1, 0), 0);
    has("f", name, "x");
    SAME(listxattr("f", found, sizeof found), NAME_MAX_ + 1);
    CHECK(strcmp(found, name) == 0);
    name[NAME_MAX_ - 1] = '\0';
    REFUSED(getxattr("f", name, NULL, 0), ENODATA);
    REFUSED(setxattr("f", "", "x", 1, 0), ERANGE);
    REFUSED(getxattr("f", "", NULL, 0), ERANGE);
    REFUSED(setxattr("f", "trusted.", "x", 1, 0), EINVAL);
    REFUSED(getxattr("f", "trusted.", NULL, 0), EINVAL);
    REFUSED(removexattr("f", "trusted."), EINVAL);
    REFUSED(setxattr("f", "trusted", "x", 1, 0), EOPNOTSUPP);
    REFUSED(setxattr("f", "nothing.a", "x", 1, 0), EOPNOTSUPP);
    REFUSED(getxattr("f", "nothing.a", NULL, 0), EOPNOTSUPP);
    REFUSED(removexattr("f", "nothing.a"), EOPNOTSUPP);
    REFUSED(setxattr("f", "system.nothing", "x", 1, 0), EOPNOTSUPP);
    REFUSED(getxattr("f", "system.nothing", NULL, 0), EOPNOTSUPP);
    SAME(set("f", "trusted..", "dots"), 0);
    has("f", "trusted..", "dots");
    SAME(set("f", "trusted.\x01\xff /=", "any"), 0);
    has("f", "trusted.\x01\xff /=", "any");
}

static void bytes_fill(uint32_t seed) {
    for (uint32_t i = 0; i < sizeof bytes; i++) {
        seed = seed * 1664525 + 1013904223;
        bytes[i] = (char)(seed >> 24);
    }
}

static void sizes(void) {
    static const uint32_t tried[] = { 1,     4096,  11775, 11776, 11777, 16384, 23552,
                                      23553, 40000, 65535, 65536, 17,    50000, 2 };
    make("f");
    SAME(set("f", "trusted.other", "stays"), 0);
    for (size_t i = 0; i < sizeof tried / sizeof tried[0]; i++) {
        bytes_fill((uint32_t)i);
        SAME(setxattr("f", "trusted.large", bytes, tried[i], 0), 0);
        SAME(getxattr("f", "trusted.large", NULL, 0), tried[i]);
        if (tried[i] > 1) {
            REFUSED(getxattr("f", "trusted.large", found, tried[i] - 1), ERANGE);
        }
        memset(found, 0, sizeof found);
        SAME(getxattr("f", "trusted.large", found, sizeof found), tried[i]);
        CHECK(memcmp(found, bytes, tried[i]) == 0);
    }
    REFUSED(setxattr("f", "trusted.large", bytes, VALUE_MAX + 1, 0), E2BIG);
    REFUSED(setxattr("f", "trusted.large", bytes, (size_t)-1, 0), E2BIG);
    SAME(getxattr("f", "trusted.large", found, (size_t)1 << 40), 2);
    has("f", "trusted.other", "stays");
    SAME(removexattr("f", "trusted.large"), 0);
    has("f", "trusted.other", "stays");
}

static void lists_of_names(void) {
    make("f");
    SAME(listxattr("f", NULL, 0), 0);
    char name[32];
    for (int i = 0; i < 50; i++) {
        snprintf(name, sizeof name, "trusted.%02d", i);
        SAME(set("f", name, name), 0);
    }
    SAME(set("f", "security.s", "s"), 0);
    SAME(listxattr("f", NULL, 0), 50 * 11 + 11);
    REFUSED(listxattr("f", found, 50 * 11 + 10), ERANGE);
    SAME(listxattr("f", found, 50 * 11 + 11), 50 * 11 + 11);
    for (int i = 0; i < 50; i++) {
        snprintf(name, sizeof name, "trusted.%02d", i);
        CHECK(lists(found, 50 * 11 + 11, name));
        has("f", name, name);
        SAME(removexattr("f", name), 0);
    }
    SAME(listxattr("f", found, (size_t)-1), 11);
    CHECK(strcmp(found, "security.s") == 0);
}

static void addresses(void) {
    make("f");
    char *const bad = (char *)8;
    SAME(set("f", "trusted.a", "value"), 0);
    REFUSED(setxattr(bad, "trusted.a", "x", 1, 0), EFAULT);
    REFUSED(setxattr("f", bad, "x", 1, 0), EFAULT);
    REFUSED(setxattr("f", NULL, "x", 1, 0), EFAULT);
    REFUSED(setxattr("f", "trusted.a", bad, 1, 0), EFAULT);
    REFUSED(setxattr("f", "trusted.a", bad, VALUE_MAX + 1, 0), E2BIG);
    REFUSED(getxattr("f", bad, NULL, 0), EFAULT);
    REFUSED(getxattr("f", "trusted.a", bad, 100), EFAULT);
    REFUSED(getxattr("f", "trusted.a", bad, 1), ERANGE);
    REFUSED(listxattr("f", bad, 100), EFAULT);
    REFUSED(listxattr("f", bad, 1), ERANGE);
    REFUSED(removexattr("f", bad), EFAULT);
    REFUSED(setxattr("none", bad, bad, VALUE_MAX + 1, 99), ENOENT); // the path is first
    REFUSED(getxattr("none", "trusted.a", NULL, 0), ENOENT);
    REFUSED(listxattr("f/none", NULL, 0), ENOTDIR);
    REFUSED(removexattr("", "trusted.a"), ENOENT);
    has("f", "trusted.a", "value");
}

static void descriptors(void) {
    make("f");
    const int file = open("f", O_RDONLY);
    NEED(file >= 0);
    SAME(fsetxattr(file, "trusted.a", "one", 3, XATTR_CREATE), 0);
    SAME(fgetxattr(file, "trusted.a", found, 10), 3);
    has("f", "trusted.a", "one");
    SAME(flistxattr(file, found, 100), 10);
    SAME(fremovexattr(file, "trusted.a"), 0);
    REFUSED(fgetxattr(file, "trusted.a", found, 10), ENODATA);
    close(file);
    REFUSED(fsetxattr(file, "trusted.a", "one", 3, 0), EBADF);
    const int place = open("f", O_PATH);
    NEED(place >= 0);
    REFUSED(fsetxattr(place, "trusted.a", "one", 3, 0), EBADF);
    REFUSED(fgetxattr(place, "trusted.a", found, 10), EBADF);
    REFUSED(flistxattr(place, found, 10), EBADF);
    REFUSED(fremovexattr(place, "trusted.a"), EBADF);
    int ends[2];
    NEED(pipe(ends) == 0);
    REFUSED(fsetxattr(ends[0], "trusted.a", "one", 3, 0), EOPNOTSUPP);
    REFUSED(fgetxattr(ends[0], "trusted.a", found, 3), EOPNOTSUPP);
    REFUSED(fremovexattr(ends[1], "trusted.a"), EOPNOTSUPP);
    SAME(flistxattr(ends[0], found, 10), 0);
}

// Everything that has a name has attributes of its own.
static void kinds(void) {
    make("f");
    NEED(mkdir("d", 0755) == 0 && symlink("f", "l") == 0 && mkfifo("p", 0644) == 0);
    const struct sockaddr_un address = { AF_UNIX, "s" };
    const int end = socket(AF_UNIX, SOCK_STREAM, 0);
    NEED(bind(end, (const struct sockaddr *)&address, sizeof address) == 0);
    static const char *const all[] = { "f", "d", "l", "p", "s" };
    for (int i = 0; i < 5; i++) {
        SAME(lsetxattr(all[i], "trusted.k", all[i], 1, XATTR_CREATE), 0);
        SAME(lsetxattr(all[i], "security.k", all[i], 1, XATTR_CREATE), 0);
    }
    for (int i = 0; i < 5; i++) {
        has(all[i], "trusted.k", all[i]);
        SAME(llistxattr(all[i], found, sizeof found), 21);
    }
    SAME(getxattr("l", "trusted.k", found, 1), 1);
    SAME(found[0], 'f');
    SAME(setxattr("l", "trusted.k", "new", 3, XATTR_REPLACE), 0);
    has("f", "trusted.k", "new");
    has("l", "trusted.k", "l");
    SAME(lremovexattr("l", "trusted.k"), 0);
    SAME(removexattr("l", "trusted.k"), 0);
    REFUSED(getxattr("f", "trusted.k", found, 1), ENODATA);
    SAME(listxattr("l", found, sizeof found), 11);
    has("d", "security.k", "d");
}

static void others_see(const char *path) {
    REFUSED(setxattr(path, "trusted.t", "x", 1, 0), EPERM);
    REFUSED(removexattr(path, "trusted.t"), EPERM);
    REFUSED(getxattr(path, "trusted.t", found, 10), ENODATA);
    if (is_helix()) {
        REFUSED(setxattr(path, "security.s", "x", 1, 0), EPERM);
        REFUSED(setxattr(path, "security.none", "x", 1, XATTR_REPLACE), EPERM);
        REFUSED(removexattr(path, "security.s"), EPERM);
    }
    has(path, "security.s", "two");
    SAME(listxattr(path, found, sizeof found), 11);
    CHECK(strcmp(found, "security.s") == 0);
    SAME(listxattr(path, NULL, 0), 11);
}

static void privileges(void) {
    pid_t pid;
    make("f");
    NEED(chmod("f", 0666) == 0 && chmod(".", 0755) == 0 && chown("f", 1000, 1000) == 0);
    SAME(set("f", "trusted.t", "one"), 0);
    SAME(set("f", "security.s", "two"), 0);
    CHILD(pid) {
        become_user();
        others_see("f");
    }
    EXITS(pid, 0);
    has("f", "trusted.t", "one");
    NEED(chmod("f", 0) == 0); // security.* is for everybody, whatever the mode
    CHILD(pid) {
        become_user();
        others_see("f");
        REFUSED(setxattr("f", "nothing.a", "x", 1, 0), EACCES);
        REFUSED(setxattr("f", "system.nothing", "x", 1, 0), EOPNOTSUPP);
    }
    EXITS(pid, 0);
    NEED(mkdir("d", 0700) == 0);
    CHILD(pid) {
        become_user();
        REFUSED(getxattr("d/f", "security.s", found, 10), EACCES);
    }
    EXITS(pid, 0);
}

// user.*: by the permissions of the file.
static void of_users(void) {
    pid_t pid;
    make("f");
    NEED(mkdir("sticky", 01777) == 0 && chmod("sticky", 01777) == 0 && mkdir("d", 0755) == 0);
    NEED(mkfifo("p", 0666) == 0 && symlink("f", "l") == 0 && chmod(".", 0755) == 0);
    errno = 0;
    user_is_taken(set("f", "user.a", "one"));
    errno = 0;
    user_is_taken(set("d", "user.a", "one"));
    REFUSED(set("p", "user.a", "one"), EPERM);
    REFUSED(getxattr("p", "user.a", found, 10), ENODATA);
    REFUSED(lsetxattr("l", "user.a", "one", 3, 0), EPERM);
    REFUSED(lgetxattr("l", "user.a", found, 10), ENODATA);
    REFUSED(lremovexattr("l", "user.a"), EPERM);
    CHILD(pid) {
        become_user();
        REFUSED(set("f", "user.a", "two"), EACCES);
        REFUSED(removexattr("f", "user.a"), EACCES);
        REFUSED(set("sticky", "user.a", "two"), EPERM);
        REFUSED(getxattr("sticky", "user.a", found, 10), is_helix() ? ENODATA : EOPNOTSUPP);
    }
    EXITS(pid, 0);
    NEED(chown("sticky", 1000, 1000) == 0 && chown("f", 1000, 1000) == 0 && chmod("f", 0200) == 0);
    CHILD(pid) {
        become_user();
        errno = 0;
        user_is_taken(set("sticky", "user.a", "two"));
        errno = 0;
        user_is_taken(set("f", "user.a", "two"));
        REFUSED(getxattr("f", "user.a", found, 10), EACCES);
    }
    EXITS(pid, 0);
    NEED(chmod("f", 0444) == 0);
    CHILD(pid) {
        become_user();
        REFUSED(set("f", "user.a", "three"), EACCES);
        errno = 0;
        user_is_taken(getxattr("f", "user.a", found, 10) < 0 ? -1 : 0);
    }
    EXITS(pid, 0);
}

struct file_capability {
    uint32_t magic, sets[4], root;
};

static const struct file_capability two = { 0x02000001, { 0x400, 0, 0, 0 }, 0 };

static void with_capability(const char *path) {
    SAME(setxattr(path, "security.capability", &two, 20, 0), 0);
    SAME(getxattr(path, "security.capability", NULL, 0), 20);
}

static void capabilities(void) {
    pid_t pid;
    struct file_capability given = two;
    make("f");
    REFUSED(setxattr("f", "security.capability", &two, 19, 0), EINVAL);
    REFUSED(setxattr("f", "security.capability", &two, 24, 0), EINVAL);
    given.magic = 0x01000001;
    REFUSED(setxattr("f", "security.capability", &given, 20, 0), EINVAL);
    given.magic = 0x02000003;
    REFUSED(setxattr("f", "security.capability", &given, 20, 0), EINVAL);
    with_capability("f");
    SAME(getxattr("f", "security.capability", &given, sizeof given), 20);
    CHECK(memcmp(&given, &two, 20) == 0);
    given = two;
    given.magic = 0x03000001;
    given.root = 1000;
    SAME(setxattr("f", "security.capability", &given, 24, 0), 0);
    SAME(getxattr("f", "security.capability", found, 100), 24);
    CHECK(memcmp(&given, found, 24) == 0);
    given.root = 0; // it is everybody's
    SAME(setxattr("f", "security.capability", &given, 24, 0), 0);
    SAME(getxattr("f", "security.capability", found, 100), 20);
    CHECK(memcmp(&two, found, 20) == 0);
    NEED(chmod(".", 0755) == 0 && chown("f", 1000, 1000) == 0);
    SAME(set("f", "security.s", "s"), 0);
    with_capability("f");
    CHILD(pid) {
        become_user();
        REFUSED(setxattr("f", "security.capability", &two, 19, 0), EINVAL);
        REFUSED(setxattr("f", "security.capability", &two, 20, 0), EPERM);
        if (is_helix()) {
            REFUSED(removexattr("f", "security.capability"), EPERM);
        }
        SAME(getxattr("f", "security.capability", NULL, 0), 20);
    }
    EXITS(pid, 0);
    SAME(removexattr("f", "security.capability"), 0);
}

// What a file may do it may do as it is: not with other bytes, or as somebody else's.
static void capabilities_go(void) {
    make("f");
    const int file = open("f", O_RDWR);
    with_capability("f");
    SAME(set("f", "security.s", "s"), 0);
    SAME(write(file, "bytes", 5), 5);
    REFUSED(getxattr("f", "security.capability", NULL, 0), ENODATA);
    with_capability("f");
    SAME(ftruncate(file, 3), 0);
    REFUSED(getxattr("f", "security.capability", NULL, 0), ENODATA);
    with_capability("f");
    SAME(chmod("f", 0755), 0);
    SAME(getxattr("f", "security.capability", NULL, 0), 20);
    SAME(chown("f", 1000, 1000), 0);
    REFUSED(getxattr("f", "security.capability", NULL, 0), ENODATA);
    NEED(mkdir("d", 0755) == 0);
    with_capability("d");
    SAME(chown("d", 1000, 1000), 0);
    SAME(getxattr("d", "security.capability", NULL, 0), 20);
    has("f", "security.s", "s");
}

static void with_the_file(void) {
    make("f");
    SAME(set("f", "trusted.a", "one"), 0);
    NEED(link("f", "hard") == 0);
    SAME(set("hard", "trusted.b", "two"), 0);
    has("f", "trusted.b", "two");
    NEED(rename("f", "moved") == 0 && unlink("hard") == 0);
    has("moved", "trusted.a", "one");
    make("over");
    SAME(set("over", "trusted.o", "gone"), 0);
    NEED(rename("moved", "over") == 0);
    REFUSED(getxattr("over", "trusted.o", NULL, 0), ENODATA);
    has("over", "trusted.b", "two");
    const int file = open("over", O_RDONLY);
    NEED(unlink("over") == 0);
    SAME(fgetxattr(file, "trusted.a", found, 10), 3);
    SAME(fsetxattr(file, "trusted.c", bytes, VALUE_MAX, 0), 0);
    SAME(fgetxattr(file, "trusted.c", found, sizeof found), VALUE_MAX);
    SAME(fremovexattr(file, "trusted.a"), 0);
    close(file);
    make("over"); // another one
    SAME(listxattr("over", NULL, 0), 0);
    const int nameless = open(".", O_TMPFILE | O_RDWR, 0600);
    NEED(nameless >= 0);
    SAME(fsetxattr(nameless, "trusted.t", "x", 1, 0), 0);
    SAME(fgetxattr(nameless, "trusted.t", found, 10), 1);
}

static void many_files(void) {
    char path[16], value[16];
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 200; i++) {
            snprintf(path, sizeof path, "f%d", i);
            snprintf(value, sizeof value, "%d", i);
            make(path);
            SAME(set(path, "trusted.n", value), 0);
            SAME(set(path, "trusted.m", path), 0);
        }
        for (int i = 0; i < 200; i++) {
            snprintf(path, sizeof path, "f%d", i);
            snprintf(value, sizeof value, "%d", i);
            has(path, "trusted.n", value);
            has(path, "trusted.m", path);
            SAME(listxattr(path, NULL, 0), 20);
            NEED(unlink(path) == 0);
        }
    }
}

static void read_only(void) {
    NEED(mkdir("m", 0755) == 0 && mount("none", "m", "tmpfs", 0, "size=1m") == 0);
    make("m/f");
    SAME(set("m/f", "trusted.a", "one"), 0);
    const int file = open("m/f", O_RDONLY);
    NEED(mount("none", "m", NULL, MS_REMOUNT | MS_RDONLY, NULL) == 0);
    REFUSED(setxattr("m/f", "", NULL, VALUE_MAX + 1, 99), EROFS); // it is looked at first
    REFUSED(fsetxattr(file, "trusted.a", "x", 1, 0), EROFS);
    REFUSED(removexattr("m/f", "trusted.a"), EROFS);
    has("m/f", "trusted.a", "one");
    SAME(listxattr("m/f", NULL, 0), 10);
    close(file);
    NEED(umount("m") == 0);
}

static void without_any(void) {
    REFUSED(setxattr("/proc/self/stat", "trusted.a", "x", 1, 0), EOPNOTSUPP);
    REFUSED(getxattr("/proc/self/stat", "trusted.a", NULL, 0), EOPNOTSUPP);
    REFUSED(getxattr("/proc/self/stat", "trusted.", NULL, 0), EOPNOTSUPP);
    REFUSED(getxattr("/proc/self/stat", "user.a", NULL, 0), EOPNOTSUPP);
    REFUSED(removexattr("/proc/self/stat", "trusted.a"), EOPNOTSUPP);
    SAME(listxattr("/proc/self/stat", found, 100), 0);
}

static struct timespec changed_at(void) {
    struct stat info;
    NEED(stat("f", &info) == 0);
    return info.st_ctim;
}

static bool is_later(struct timespec before) {
    const struct timespec now = changed_at();
    return now.tv_sec > before.tv_sec ||
           (now.tv_sec == before.tv_sec && now.tv_nsec > before.tv_nsec);
}

// Until the coarse clock, which files have, is another one.
static void steps(void) {
    struct timespec before, now;
    NEED(clock_gettime(CLOCK_REALTIME_COARSE, &before) == 0);
    for (int i = 0; i < 10000; i++) {
        NEED(clock_gettime(CLOCK_REALTIME_COARSE, &now) == 0);
        if (now.tv_sec != before.tv_sec || now.tv_nsec != before.tv_nsec) {
            return;
        }
        usleep(100);
    }
    NEED(false);
}

static void times(void) {
    struct stat before, after;
    make("f");
    NEED(stat("f", &before) == 0);
    steps();
    SAME(set("f", "trusted.a", "one"), 0);
    CHECK(is_later(before.st_ctim));
    struct timespec last = changed_at();
    steps();
    SAME(set("f", "trusted.a", "two"), 0);
    CHECK(is_later(last));
    last = changed_at();
    steps();
    SAME(removexattr("f", "trusted.a"), 0);
    CHECK(is_later(last));
    last = changed_at();
    steps();
    REFUSED(removexattr("f", "trusted.a"), ENODATA);
    SAME(getxattr("f", "trusted.b", NULL, 0), -1);
    CHECK(!is_later(last));
    NEED(stat("f", &after) == 0);
    CHECK(memcmp(&before.st_mtim, &after.st_mtim, sizeof before.st_mtim) == 0);
    SAME(after.st_size, 0);
}

static void is_told(void) {
    char event[512];
    make("f");
    const int file = inotify_init1(IN_NONBLOCK);
    NEED(inotify_add_watch(file, "f", IN_ALL_EVENTS) == 1);
    SAME(set("f", "trusted.a", "one"), 0);
    SAME(read(file, event, sizeof event), sizeof(struct inotify_event));
    SAME(((struct inotify_event *)(void *)event)->mask, IN_ATTRIB);
    has("f", "trusted.a", "one");
    REFUSED(setxattr("f", "trusted.a", "x", 1, XATTR_CREATE), EEXIST);
    REFUSED(removexattr("f", "trusted.b"), ENODATA);
    REFUSED(read(file, event, sizeof event), EAGAIN);
    SAME(removexattr("f", "trusted.a"), 0);
    SAME(read(file, event, sizeof event), sizeof(struct inotify_event));
    SAME(((struct inotify_event *)(void *)event)->mask, IN_ATTRIB);
}

// A value is one of those that were set, from its first byte to its last.
#define WRITERS 3
#define TURNS   60

static void *writer(void *letter) {
    static char mine[WRITERS][VALUE_MAX];
    const int index = (int)(intptr_t)letter;
    memset(mine[index], 'a' + index, VALUE_MAX);
    for (int i = 0; i < TURNS; i++) {
        const size_t length = i % 2 == 0 ? VALUE_MAX - (size_t)i : 20000 + (size_t)i;
        SAME(setxattr("f", "trusted.w", mine[index], length, 0), 0);
        SAME(setxattr(index == 0 ? "g" : "f", "trusted.o", mine[index], length, 0), 0);
    }
    return NULL;
}

static void whole_values(void) {
    pthread_t threads[WRITERS];
    make("f");
    make("g");
    SAME(set("f", "trusted.w", "a"), 0);
    for (intptr_t i = 0; i < WRITERS; i++) {
        NEED(pthread_create(&threads[i], NULL, writer, (void *)i) == 0);
    }
    for (int i = 0; i < 4 * TURNS; i++) {
        const ssize_t length = getxattr("f", "trusted.w", found, sizeof found);
        NEED(length > 0);
        bool is_same = true;
        for (ssize_t at = 1; at < length; at++) {
            is_same &= found[at] == found[0];
        }
        NEED(is_same);
    }
    for (int i = 0; i < WRITERS; i++) {
        pthread_join(threads[i], NULL);
    }
}

static const struct check_case cases[] = {
    CASE(values),         CASE(flags),      CASE(names),        CASE(sizes),
    CASE(lists_of_names), CASE(addresses),  CASE(descriptors),  CASE(kinds),
    CASE(privileges),     CASE(of_users),   CASE(capabilities), CASE(capabilities_go),
    CASE(with_the_file),  CASE(many_files), CASE(read_only),    CASE(without_any),
    CASE(times),          CASE(is_told),    CASE(whole_values),
};

CHECK_MAIN(cases)
