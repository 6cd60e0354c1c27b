// SPDX-License-Identifier: MIT OR Apache-2.0
// Steps that make, change and look at names and inodes.
#include "program.h"

#include <dirent.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <sys/xattr.h>

#define MOST_NAMES 64

static void step_open(struct generator *random) {
    static const unsigned more[] = { O_CREAT,   O_CREAT,  O_CREAT,     O_EXCL,
                                     O_TRUNC,   O_APPEND, O_DIRECTORY, O_NOFOLLOW,
                                     O_CLOEXEC, O_DIRECT, O_NOATIME,   O_PATH };
    const int folder = folder_of(random);
    const char *path = path_of(random);
    const unsigned way = below(random, WITH_ACCESS_3 ? 13 : 3);
    const unsigned flags = (way > 3 ? way % 3 : way) | O_NONBLOCK | SOME_OF(random, more) |
                           (one_in(random, 2) ? O_CREAT : 0);
    const unsigned mode = mode_of(random);
    say("openat %d", folder);
    say_path(path);
    say_flags(flags);
    say(" %o", mode);
    descriptor_note((int)RESULT(openat(folder, path, (int)flags, mode)));
}

static void step_open_nameless(struct generator *random) {
    const char *path = one_in(random, 2) ? "." : path_of(random);
    const unsigned flags = O_TMPFILE | O_NONBLOCK | (one_in(random, 4) ? O_RDONLY : O_RDWR) |
                           (one_in(random, 4) ? O_EXCL : 0);
    say("open");
    say_path(path);
    say_flags(flags);
    descriptor_note((int)RESULT(open(path, (int)flags, mode_of(random))));
}

static void step_mkdir(struct generator *random) {
    const int folder = folder_of(random);
    const char *path = path_of(random);
    const unsigned mode = mode_of(random);
    say("mkdirat %d", folder);
    say_path(path);
    say(" %o", mode);
    RESULT(mkdirat(folder, path, mode));
}

static void step_unlink(struct generator *random) {
    static const int flags[] = { 0, 0, 0, AT_REMOVEDIR, AT_REMOVEDIR, AT_SYMLINK_NOFOLLOW };
    const int folder = folder_of(random);
    const char *path = path_of(random);
    const int flag = ELEMENT(random, flags);
    say("unlinkat %d", folder);
    say_path(path);
    say(" %x", flag);
    RESULT(unlinkat(folder, path, flag));
}

static void step_link(struct generator *random) {
    static const int flags[] = { 0, 0, AT_SYMLINK_FOLLOW, AT_EMPTY_PATH, AT_SYMLINK_NOFOLLOW };
    const int from = folder_of(random);
    const char *old = path_of(random);
    const int to = folder_of(random);
    const char *path = path_of(random);
    const int flag = ELEMENT(random, flags);
    say("linkat %d", from);
    say_path(old);
    say(" %d", to);
    say_path(path);
    say(" %x", flag);
    RESULT(linkat(from, old, to, path, flag));
}

static void step_link_descriptor(struct generator *random) {
    const int from = inode_of(random);
    const char *path = path_of(random);
    say("linkat %d '' AT_EMPTY_PATH", from);
    say_path(path);
    RESULT(linkat(from, "", AT_FDCWD, path, AT_EMPTY_PATH));
}

static void step_symlink(struct generator *random) {
    const char *target = path_of(random);
    const int folder = folder_of(random);
    const char *path = path_of(random);
    say("symlinkat");
    say_path(target);
    say(" %d", folder);
    say_path(path);
    RESULT(symlinkat(target, folder, path));
}

static void step_rename(struct generator *random) {
    static const unsigned flags[] = { 0,
                                      0,
                                      0,
                                      RENAME_NOREPLACE,
                                      RENAME_EXCHANGE,
                                      RENAME_WHITEOUT * WITH_WHITEOUT,
                                      RENAME_NOREPLACE | RENAME_EXCHANGE,
                                      8 };
    const int from = folder_of(random);
    const char *old = path_of(random);
    const int to = WITH_ORDER_OF_NAMES ? folder_of(random) : AT_FDCWD;
    const char *path = path_of(random);
    const unsigned flag = ELEMENT(random, flags);
    if (!WITH_ORDER_OF_NAMES && (strlen(old) > 200 || strlen(path) > 200)) {
        return;
    }
    say("renameat2 %d", from);
    say_path(old);
    say(" %d", to);
    say_path(path);
    say(" %x", flag);
    RESULT(syscall(SYS_renameat2, from, old, to, path, flag));
}

static void step_mknod(struct generator *random) {
    static const unsigned types[] = { 0,        S_IFREG, S_IFIFO, S_IFIFO,
                                      S_IFSOCK, S_IFCHR, S_IFDIR, S_IFLNK };
    const char *path = path_of(random);
    const unsigned mode = ELEMENT(random, types) | mode_of(random);
    say("mknod");
    say_path(path);
    say(" %o", mode);
    RESULT(mknodat(AT_FDCWD, path, mode, S_ISCHR(mode) ? makedev(1, 3) : 0));
}

static void step_chmod(struct generator *random) {
    const unsigned mode = mode_of(random);
    if (one_in(random, 3)) {
        const int file = inode_of(random);
        say("fchmod %d %o", file, mode);
        RESULT(fchmod(file, mode));
        return;
    }
    const int folder = folder_of(random);
    const char *path = path_of(random);
    say("fchmodat %d", folder);
    say_path(path);
    say(" %o", mode);
    RESULT(syscall(SYS_fchmodat, folder, path, mode));
}

static void step_chown(struct generator *random) {
    static const int owners[] = { -1, 0, OTHER_USER, 1001 };
    static const int flags[] = { 0, 0, AT_SYMLINK_NOFOLLOW, AT_EMPTY_PATH, AT_REMOVEDIR };
    const int user = ELEMENT(random, owners);
    const int group = ELEMENT(random, owners);
    if (one_in(random, 3)) {
        const int file = inode_of(random);
        say("fchown %d %d %d", file, user, group);
        RESULT(fchown(file, (uid_t)user, (gid_t)group));
        return;
    }
    const int folder = one_in(random, 4) ? inode_of(random) : AT_FDCWD;
    const char *path = path_of(random);
    const int flag = ELEMENT(random, flags);
    say("fchownat %d", folder);
    say_path(path);
    say(" %d %d %x", user, group, flag);
    RESULT(fchownat(folder, path, (uid_t)user, (gid_t)group, flag));
}

static void step_stat(struct generator *random) {
    static const int flags[] = { 0, 0, AT_SYMLINK_NOFOLLOW, AT_EMPTY_PATH, AT_SYMLINK_FOLLOW };
    const int folder = folder_of(random);
    const char *path = path_of(random);
    const int flag = ELEMENT(random, flags);
    say("fstatat %d", folder);
    say_path(path);
    say(" %x", flag);
    struct stat stat;
    const int result = fstatat(folder, path, &stat, flag);
    say_stat(":", result, &stat);
}

static void step_fstat(struct generator *random) {
    const int file = descriptor_of(random, KIND_ANY);
    struct stat stat;
    say("fstat %d", file);
    const int result = fstat(file, &stat);
    say_stat(":", result, &stat);
}

static void step_readlink(struct generator *random) {
    const int folder = WITH_EMPTY_READLINK ? folder_of(random) : AT_FDCWD;
    const char *path = one_in(random, 8) ? "" : path_of(random);
    const size_t size = one_in(random, 6) ? below(random, 5) : 256;
    char text[256];
    say("readlinkat %d", folder);
    say_path(path);
    say(" %zu", size);
    errno = 0;
    const long length = syscall(SYS_readlinkat, folder, path, text, size);
    const int error = errno;
    say_bytes(text, length > 0 ? (size_t)length : 0);
    say_result(length, error);
}

static void step_access(struct generator *random) {
    static const int flags[] = { 0, AT_EACCESS, AT_SYMLINK_NOFOLLOW, AT_EMPTY_PATH,
                                 AT_SYMLINK_FOLLOW };
    const int folder = folder_of(random);
    const char *path = path_of(random);
    const unsigned mode = below(random, 9);
    const int flag = ELEMENT(random, flags);
    say("faccessat2 %d", folder);
    say_path(path);
    say(" %u %x", mode, flag);
    RESULT(syscall(439, folder, path, mode, flag));
}

static void step_utimens(struct generator *random) {
    static const long nanoseconds[] = { 0, 1, UTIME_OMIT, UTIME_NOW, 999999999, 1000000000, -1 };
    static const int flags[] = { 0, 0, AT_SYMLINK_NOFOLLOW, AT_EMPTY_PATH, 1 };
    const int folder = one_in(random, 4) ? inode_of(random) : AT_FDCWD;
    const char *path = one_in(random, 6) ? "" : path_of(random);
    struct timespec times[2];
    for (int i = 0; i < 2; i++) {
        times[i] = (struct timespec){ (time_t)below(random, 1000), ELEMENT(random, nanoseconds) };
    }
    const int flag = ELEMENT(random, flags);
    say("utimensat %d", folder);
    say_path(path);
    say(" %ld.%ld %ld.%ld %x", (long)times[0].tv_sec, times[0].tv_nsec, (long)times[1].tv_sec,
        times[1].tv_nsec, flag);
    RESULT(syscall(SYS_utimensat, folder, path, times, flag));
}

static int compare(const void *first, const void *second) {
    return strcmp(*(char *const *)first, *(char *const *)second);
}

// The names of a folder with their types.
static void step_list(struct generator *random) {
    const char *path = one_in(random, 2) ? "." : path_of(random);
    say("list");
    say_path(path);
    DIR *folder = opendir(path);
    if (folder == NULL) {
        say_result(-1, errno);
        return;
    }
    char *names[MOST_NAMES];
    size_t count = 0;
    for (struct dirent *entry; count < MOST_NAMES && (entry = readdir(folder)) != NULL; count++) {
        char text[300];
        snprintf(text, sizeof text, "%s:%d", entry->d_name, entry->d_type);
        names[count] = strdup(text);
    }
    closedir(folder);
    qsort(names, count, sizeof names[0], compare);
    for (size_t i = 0; i < count; i++) {
        say_path(names[i]);
        free(names[i]);
    }
    say("\n");
}

static void step_chdir(struct generator *random) {
    if (one_in(random, 3)) {
        const int folder = descriptor_of(random, KIND_FOLDER);
        say("fchdir %d", folder);
        RESULT(fchdir(folder));
        return;
    }
    const char *path = path_of(random);
    say("chdir");
    say_path(path);
    RESULT(chdir(path));
}

static void step_getcwd(struct generator *random) {
    char text[4096];
    const size_t size = one_in(random, 3) ? below(random, 40) : sizeof text;
    say("getcwd %zu", size);
    errno = 0;
    const long length = syscall(SYS_getcwd, text, size);
    const int error = errno;
    if (length > 0) {
        say_path(text);
    }
    say_result(length, error);
}

static void step_umask(struct generator *random) {
    const unsigned mask = mode_of(random);
    say("umask %o", mask);
    say(" = %o\n", umask(mask));
}

static void step_statfs(struct generator *random) {
    const char *path = path_of(random);
    struct statfs about;
    memset(&about, 0, sizeof about);
    say("statfs");
    say_path(path);
    const int result = statfs(path, &about);
    if (result == 0) {
        say(" type %lx block %ld name %ld files %ld", (long)about.f_type, (long)about.f_bsize,
            (long)about.f_namelen, (long)(about.f_files - about.f_ffree));
    }
    say_result(result, errno);
}

static void step_truncate(struct generator *random) {
    const char *path = path_of(random);
    const long size = offset_of(random);
    say("truncate");
    say_path(path);
    say(" %ld", size);
    RESULT(truncate(path, size));
}

static const struct step names_steps[] = {
    STEP(open),     STEP(open),   STEP(open),   STEP(open_nameless), STEP(mkdir),
    STEP(mkdir),    STEP(unlink), STEP(unlink), STEP(link),          STEP(link_descriptor),
    STEP(symlink),  STEP(rename), STEP(rename), STEP(mknod),         STEP(chmod),
    STEP(chown),    STEP(stat),   STEP(fstat),  STEP(readlink),      STEP(access),
    STEP(utimens),  STEP(list),   STEP(chdir),  STEP(getcwd),        STEP(umask),
    STEP(truncate), STEP(statfs),
};
FAMILY(names);

static const char *attribute_of(struct generator *random) {
    static const char *const names[] = { "trusted.a",  "trusted.b",
                                         "security.a", WITH_USER_XATTR ? "user.a" : "trusted.c",
                                         "trusted.",   "nothing",
                                         "system.a",   "",
                                         "security.bb" };
    return ELEMENT(random, names);
}

static void step_setxattr(struct generator *random) {
    const char *path = path_of(random);
    const char *name = attribute_of(random);
    static const size_t lengths[] = { 0, 1, 5, 10, 1000, 65536, 65537 };
    static char value[65537];
    const size_t length = ELEMENT(random, lengths);
    const int flags = one_in(random, 2) ? 0 : (int)below(random, 5);
    memset(value, 'v', sizeof value);
    say("lsetxattr");
    say_path(path);
    say(" %s %zu %d", name, length, flags);
    RESULT(lsetxattr(path, name, value, length, flags));
}

static void step_getxattr(struct generator *random) {
    const char *path = path_of(random);
    const char *name = attribute_of(random);
    char value[2000];
    const size_t size = one_in(random, 3) ? below(random, 12) : sizeof value;
    say("getxattr");
    say_path(path);
    say(" %s %zu", name, size);
    RESULT(getxattr(path, name, value, size));
}

static void step_listxattr(struct generator *random) {
    const int file = WITH_SOCKET_XATTR ? descriptor_of(random, KIND_ANY) : inode_of(random);
    char names[1000];
    const size_t size = one_in(random, 3) ? below(random, 12) : sizeof names;
    say("flistxattr %d %zu", file, size);
    RESULT(flistxattr(file, names, size));
}

static void step_removexattr(struct generator *random) {
    const char *path = path_of(random);
    const char *name = attribute_of(random);
    say("removexattr");
    say_path(path);
    say(" %s", name);
    RESULT(removexattr(path, name));
}

static const struct step attributes_steps[] = {
    STEP(setxattr), STEP(setxattr), STEP(getxattr), STEP(listxattr), STEP(removexattr),
};
FAMILY(attributes);
