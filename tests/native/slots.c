// SPDX-License-Identifier: MIT OR Apache-2.0
// tests/native/slots.c: the gates of modules as a program sees them: /proc/helix/slots counts calls
// of file systems and lines, and any call of a module may end with its death (here: is refused), at
// which the system call fails and has done nothing that is left half done.
#include "failing.h"

#include <dirent.h>
#include <sys/mount.h>

static void fail_call(int nth) {
    char text[32];
    const int length = snprintf(text, sizeof text, "method %d", nth);
    // This write is itself a call of a file system.
    while (pwrite(control, text, (size_t)length, 0) != length && nth == 0) {
    }
}

// The words of a slot's line behind its name; false: there is none.
struct line {
    char port[32], module[32], state[16];
    unsigned long long calls, inside;
};

static bool slot_line(const char *slot, struct line *line) {
    char name[64];
    bool found = false;
    FILE *file = fopen("/proc/helix/slots", "r");
    NEED(file != NULL);
    while (!found && fscanf(file, "%63s %31s %31s %15s %llu %llu", name, line->port, line->module,
                            line->state, &line->calls, &line->inside) == 6) {
        found = strcmp(name, slot) == 0;
    }
    fclose(file);
    return found;
}

static void tells_slots(void) {
    struct line tmpfs, line;
    struct stat status;
    NEED(slot_line("tmpfs", &tmpfs));
    CHECK(strcmp(tmpfs.port, "helix.fs") == 0 && strcmp(tmpfs.module, "ramfs") == 0);
    CHECK(strcmp(tmpfs.state, "open") == 0 && tmpfs.inside == 0 && tmpfs.calls > 0);
    NEED(slot_line("ttyS1", &line));
    CHECK(strcmp(line.port, "helix.console") == 0 && strcmp(line.module, "uart16550") == 0);
    NEED(slot_line("uart16550", &line)); // its own work
    CHECK(strcmp(line.port, "-") == 0 && line.calls > 0);
    CHECK(!slot_line("nothing", &line));

    const unsigned long long before = tmpfs.calls;
    for (int i = 0; i < 10; i++) {
        char path[32];
        snprintf(path, sizeof path, "/tmp/absent-%d", i);
        REFUSED(stat(path, &status), ENOENT); // nobody has asked for that name before
    }
    NEED(slot_line("tmpfs", &tmpfs));
    CHECK(tmpfs.calls >= before + 10 && tmpfs.inside == 0);
}

// ---- each call of a module refused in turn

static int call_create(void) {
    const int fd = open("/tmp/slots/file", O_RDWR | O_CREAT | O_EXCL, 0600);
    if (fd < 0) {
        return -1;
    }
    close(fd);
    return unlink("/tmp/slots/file");
}

static int call_directory(void) {
    return mkdir("/tmp/slots/folder", 0700) != 0 ? -1 : rmdir("/tmp/slots/folder");
}

static int call_rename(void) {
    return rename("/tmp/slots/one", "/tmp/slots/other") != 0
               ? -1
               : rename("/tmp/slots/other", "/tmp/slots/one");
}

static int call_link(void) {
    return link("/tmp/slots/one", "/tmp/slots/second") != 0 ? -1 : unlink("/tmp/slots/second");
}

static int call_symlink(void) {
    char target[64];
    if (symlink("/tmp/slots/one", "/tmp/slots/points") != 0) {
        return -1;
    }
    const ssize_t length = readlink("/tmp/slots/points", target, sizeof target);
    const int removed = unlink("/tmp/slots/points");
    return length < 0 ? -1 : removed;
}

static int call_list(void) {
    DIR *folder = opendir("/tmp/slots");
    if (folder == NULL) {
        return -1;
    }
    errno = 0;
    while (readdir(folder) != NULL) {
    }
    const int error = errno;
    closedir(folder);
    errno = error;
    return error == 0 ? 0 : -1;
}

static int call_attributes(void) {
    const struct timespec times[2] = { { 1, 0 }, { 2, 0 } };
    return chmod("/tmp/slots/one", 0640) != 0 ||
                   utimensat(AT_FDCWD, "/tmp/slots/one", times, 0) != 0
               ? -1
               : truncate("/tmp/slots/one", 4);
}

static int call_proc(void) {
    char text[256];
    const int fd = open("/proc/self/status", O_RDONLY);
    if (fd < 0) {
        return -1;
    }
    const ssize_t length = read(fd, text, sizeof text);
    const int error = errno;
    close(fd);
    errno = error;
    return length > 0 ? 0 : -1;
}

static int call_mount(void) {
    if (mount("none", "/tmp/slots/mount", "tmpfs", 0, "size=1m") != 0) {
        return -1;
    }
    return umount("/tmp/slots/mount");
}

static int call_device(void) {
    char bytes[8];
    const int fd = open("/dev/urandom", O_RDONLY);
    if (fd < 0) {
        return -1;
    }
    const ssize_t length = read(fd, bytes, sizeof bytes);
    const int error = errno;
    close(fd);
    errno = error;
    return length == sizeof bytes ? 0 : -1;
}

static uint64_t refusals(void) {
    char name[32];
    unsigned one_in;
    unsigned long long struck = 0;
    FILE *file = fopen("/proc/helix/faults", "r");
    NEED(file != NULL);
    while (fscanf(file, "%31s %u %llu", name, &one_in, &struck) == 3 &&
           strcmp(name, "method") != 0) {
    }
    fclose(file);
    CHECK(strcmp(name, "method") == 0);
    return struck;
}

// What a call that failed half way left is put away, for the next round.
static void tidy(void) {
    rename("/tmp/slots/other", "/tmp/slots/one");
    unlink("/tmp/slots/file");
    unlink("/tmp/slots/second");
    unlink("/tmp/slots/points");
    rmdir("/tmp/slots/folder");
    while (umount("/tmp/slots/mount") == 0) {
    }
}

static void each_refused(const char *name, int (*call)(void), int least) {
    SAME(call(), 0);
    int struck = 0;
    for (int nth = 1; nth < MOST; nth++) {
        const uint64_t before = refusals();
        fail_call(nth);
        errno = 0;
        const int result = call();
        const int error = errno;
        fail_call(0);
        if (result != 0 && error != EIO) {
            check_fail(__FILE_NAME__, __LINE__, "%s: call %d refused: errno %d", name, nth, error);
        }
        tidy();
        if (refusals() == before) {
            break;
        }
        struck++;
        if (call() != 0) {
            check_fail(__FILE_NAME__, __LINE__, "%s fails after call %d: errno %d", name, nth,
                       errno);
        }
        char text[8] = { 0 };
        const int fd = open("/tmp/slots/one", O_RDONLY);
        CHECK(fd >= 0 && read(fd, text, sizeof text) == 4 && strcmp(text, "kept") == 0);
        close(fd);
    }
    CHECK(struck >= least && struck < MOST - 1);
}

static void calls_may_die(void) {
    NEED(mkdir("/tmp/slots", 0700) == 0 && mkdir("/tmp/slots/mount", 0700) == 0);
    const int fd = open("/tmp/slots/one", O_WRONLY | O_CREAT, 0600);
    NEED(fd >= 0 && write(fd, "kept", 4) == 4);
    close(fd);
    each_refused("create", call_create, 2);
    each_refused("directory", call_directory, 2);
    each_refused("rename", call_rename, 2);
    each_refused("link", call_link, 2);
    each_refused("symlink", call_symlink, 3);
    each_refused("list", call_list, 1);
    each_refused("attributes", call_attributes, 3);
    each_refused("proc", call_proc, 1);
    each_refused("mount", call_mount, 2);
    each_refused("device", call_device, 1);
}

static void each_call_may_die(void) {
    control = open("/proc/helix/fail_nth", O_RDWR);
    NEED(control >= 0);
    calls_may_die();
}

static const struct check_case cases[] = { CASE(tells_slots), CASE(each_call_may_die) };
CHECK_MAIN(cases)
