// SPDX-License-Identifier: MIT OR Apache-2.0
// RUN: musl glibc
// What is told of files to who watches them: which events, in which order, with which names.
#include "check.h"

#include <poll.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/sendfile.h>
#include <sys/stat.h>

#define HEADER ((ssize_t)sizeof(struct inotify_event))

static char bytes[65536];
static ssize_t held, at;

// The next event; its mask 0: there is none.
static struct inotify_event *next(int file) {
    static struct inotify_event none;
    if (at == held) {
        held = read(file, bytes, sizeof bytes);
        at = 0;
        if (held < 0) {
            const int error = errno;
            NEED(error == EAGAIN);
            held = 0;
            return &none;
        }
    }
    struct inotify_event *event = (struct inotify_event *)(void *)(bytes + at);
    at += HEADER + event->len;
    return event;
}

// What came is that, of that watch, of that name ("": of the watched one itself).
static void is_told(int file, int watch, uint32_t mask, const char *name) {
    const struct inotify_event *event = next(file);
    SAME(event->mask, mask);
    SAME(event->wd, watch);
    if (name[0] == '\0') {
        SAME(event->len, 0);
    } else {
        CHECK(event->len % 16 == 0 && event->len > strlen(name) && strcmp(event->name, name) == 0);
    }
}

static void is_silent(int file) {
    SAME(next(file)->mask, 0);
}

static int opened(void) {
    const int file = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    NEED(file >= 0);
    at = held = 0;
    return file;
}

static void make(const char *path, const char *text) {
    const int file = open(path, O_RDWR | O_CREAT | O_TRUNC, 0644);
    NEED(file >= 0 && write(file, text, strlen(text)) == (ssize_t)strlen(text));
    close(file);
}

static void in_a_folder(void) {
    const int file = opened();
    NEED(mkdir("d", 0755) == 0);
    const int watch = inotify_add_watch(file, "d", IN_ALL_EVENTS);
    SAME(watch, 1);
    make("d/a", "text");
    is_told(file, watch, IN_CREATE, "a");
    is_told(file, watch, IN_OPEN, "a");
    is_told(file, watch, IN_MODIFY, "a");
    is_told(file, watch, IN_CLOSE_WRITE, "a");
    const int reader = open("d/a", O_RDONLY);
    char byte;
    NEED(read(reader, &byte, 1) == 1 && read(reader, &byte, 1) == 1);
    close(reader);
    is_told(file, watch, IN_OPEN, "a");
    is_told(file, watch, IN_ACCESS, "a"); // twice, and told once
    is_told(file, watch, IN_CLOSE_NOWRITE, "a");
    NEED(chmod("d/a", 0600) == 0);
    is_told(file, watch, IN_ATTRIB, "a");
    NEED(truncate("d/a", 1) == 0);
    is_told(file, watch, IN_MODIFY, "a");
    NEED(mkdir("d/e", 0755) == 0 && rmdir("d/e") == 0);
    is_told(file, watch, IN_CREATE | IN_ISDIR, "e");
    is_told(file, watch, IN_DELETE | IN_ISDIR, "e");
    NEED(symlink("a", "d/s") == 0 && link("d/a", "d/l") == 0);
    is_told(file, watch, IN_CREATE, "s");
    is_told(file, watch, IN_CREATE, "l");
    NEED(unlink("d/a") == 0);
    is_told(file, watch, IN_DELETE, "a");
    make("d/l", "x"); // is cut first
    is_told(file, watch, IN_MODIFY, "l");
    is_told(file, watch, IN_OPEN, "l");
    is_told(file, watch, IN_MODIFY, "l");
    is_told(file, watch, IN_CLOSE_WRITE, "l");
    is_silent(file);
    SAME(open("d/nothing", O_RDONLY), -1);
    is_silent(file);
}

static void of_a_file(void) {
    const int file = opened();
    make("f", "text");
    const int watch = inotify_add_watch(file, "f", IN_ALL_EVENTS);
    NEED(link("f", "g") == 0);
    is_told(file, watch, IN_ATTRIB, "");
    NEED(unlink("g") == 0);
    is_told(file, watch, IN_ATTRIB, "");
    const int open_one = open("f", O_WRONLY);
    NEED(pwrite(open_one, "x", 1, 0) == 1);
    is_told(file, watch, IN_OPEN, "");
    is_told(file, watch, IN_MODIFY, "");
    NEED(ftruncate(open_one, 1) == 0);
    is_told(file, watch, IN_MODIFY, "");
    NEED(fallocate(open_one, FALLOC_FL_KEEP_SIZE, 0, 1) == 0);
    is_told(file, watch, IN_MODIFY, "");
    NEED(futimens(open_one, NULL) == 0);
    is_told(file, watch, IN_ATTRIB, "");
    NEED(unlink("f") == 0);
    is_told(file, watch, IN_ATTRIB, "");
    is_silent(file); // it is there as long as it is open
    close(open_one);
    is_told(file, watch, IN_CLOSE_WRITE, "");
    is_told(file, watch, IN_DELETE_SELF, "");
    is_told(file, watch, IN_IGNORED, "");
    is_silent(file);
    REFUSED(inotify_rm_watch(file, watch), EINVAL);
}

// The end of a file and of its name, to one who watches both.
static void ends(void) {
    const int file = opened();
    NEED(mkdir("ends", 0755) == 0 && mkdir("ends/d", 0755) == 0);
    make("ends/f", "text");
    const int folder = inotify_add_watch(file, "ends", IN_ALL_EVENTS);
    const int one = inotify_add_watch(file, "ends/f", IN_ALL_EVENTS);
    const int inner = inotify_add_watch(file, "ends/d", IN_ALL_EVENTS);
    NEED(unlink("ends/f") == 0 && open("ends/d/nothing", O_RDONLY) < 0 && rmdir("ends/d") == 0);
    is_told(file, one, IN_ATTRIB, "");
    is_told(file, one, IN_DELETE_SELF, "");
    is_told(file, one, IN_IGNORED, "");
    is_told(file, folder, IN_DELETE, "f");
    is_told(file, inner, IN_DELETE_SELF, "");
    is_told(file, inner, IN_IGNORED, "");
    is_told(file, folder, IN_DELETE | IN_ISDIR, "d");
    is_silent(file);
}

// What replaces, or is replaced, by a move.
static void replaces(void) {
    const int file = opened();
    NEED(mkdir("r", 0755) == 0 && mkdir("r/d", 0755) == 0 && mkdir("r/e", 0755) == 0);
    make("r/f", "one");
    make("r/g", "two");
    const int f = inotify_add_watch(file, "r/f", IN_ATTRIB | IN_MOVE_SELF);
    const int g = inotify_add_watch(file, "r/g", IN_ATTRIB | IN_MOVE_SELF);
    const int d = inotify_add_watch(file, "r/d", IN_ATTRIB | IN_MOVE_SELF);
    const int e = inotify_add_watch(file, "r/e", IN_ATTRIB | IN_MOVE_SELF);
    NEED(syscall(SYS_renameat2, AT_FDCWD, "r/f", AT_FDCWD, "r/g", 2 /* RENAME_EXCHANGE */) == 0);
    is_told(file, f, IN_MOVE_SELF, "");
    is_told(file, g, IN_MOVE_SELF, "");
    is_silent(file);
    NEED(rename("r/d", "r/e") == 0);
    is_told(file, e, IN_ATTRIB | IN_ISDIR, "");
    is_told(file, d, IN_MOVE_SELF, "");
    is_told(file, e, IN_IGNORED, "");
    is_silent(file);
}

// Entries that are read, and programs that are run.
static void reads_and_runs(void) {
    const int file = opened();
    char entries[512];
    NEED(mkdir("x", 0755) == 0 && mkdir("x/sub", 0755) == 0);
    const int watch = inotify_add_watch(file, "x", IN_ACCESS | IN_OPEN);
    const int folder = open("x", O_RDONLY | O_DIRECTORY);
    NEED(syscall(SYS_getdents64, folder, entries, sizeof entries) > 0);
    close(folder);
    is_told(file, watch, IN_OPEN | IN_ISDIR, "");
    is_told(file, watch, IN_ACCESS | IN_ISDIR, "");
    is_silent(file);
    const int self = open("/proc/self/exe", O_RDONLY);
    const int copy = open("x/run", O_WRONLY | O_CREAT | O_EXCL, 0755);
    while (sendfile(copy, self, NULL, 1 << 20) > 0) {
    }
    close(copy);
    close(self);
    is_told(file, watch, IN_OPEN, "run");
    is_silent(file);
    pid_t child;
    CHILD(child) {
        execl("x/run", "x/run", "no case", NULL);
        CHECK(false);
    }
    EXITS(child, 0);
    is_told(file, watch, IN_OPEN, "run");
    is_told(file, watch, IN_ACCESS, "run");
    is_silent(file);
}

// What has lost its name is told of no more, but for what is changed about the file itself.
static void without_their_names(void) {
    const int file = opened();
    NEED(mkdir("w", 0755) == 0);
    const int one = open("w/f", O_RDWR | O_CREAT, 0644);
    const int folder = inotify_add_watch(file, "w", IN_MODIFY | IN_ATTRIB | IN_EXCL_UNLINK);
    const int watch = inotify_add_watch(file, "w/f", IN_MODIFY | IN_EXCL_UNLINK);
    NEED(write(one, "x", 1) == 1);
    is_told(file, folder, IN_MODIFY, "f");
    is_told(file, watch, IN_MODIFY, "");
    NEED(unlink("w/f") == 0 && write(one, "x", 1) == 1);
    is_silent(file);
    NEED(fchmod(one, 0600) == 0);
    is_told(file, folder, IN_ATTRIB, "f");
    is_silent(file);
    close(one);
    const int proc = inotify_add_watch(file, "/proc/self", IN_OPEN | IN_EXCL_UNLINK);
    close(open("/proc/self/stat", O_RDONLY));
    is_told(file, watch, IN_IGNORED, "");
    is_told(file, proc, IN_OPEN, "stat");
    is_silent(file);
}

static void levels(void) {
    const int file = opened();
    struct pollfd item = { .fd = file, .events = POLLIN };
    int queued;
    NEED(mkdir("v", 0755) == 0);
    const int watch = inotify_add_watch(file, "v", IN_CREATE);
    SAME(poll(&item, 1, 0), 0);
    make("v/a", "");
    SAME(poll(&item, 1, 0), 1);
    NEED(ioctl(file, FIONREAD, &queued) == 0);
    SAME(queued, HEADER + 16);
    is_told(file, watch, IN_CREATE, "a");
    SAME(poll(&item, 1, 0), 0);
    NEED(ioctl(file, FIONREAD, &queued) == 0);
    SAME(queued, 0);
}

// Of instances a user has so many, and again when some are closed.
static void instances(void) {
    static int files[4096];
    int counts[2] = { 0, 0 };
    for (int round = 0; round < 2; round++) {
        while (counts[round] < 4096 && (files[counts[round]] = inotify_init1(0)) >= 0) {
            counts[round]++;
        }
        const int error = errno;
        SAME(error, EMFILE);
        for (int i = 0; i < counts[round]; i++) {
            close(files[i]);
        }
    }
    SAME(counts[0], counts[1]);
}

static void of_a_folder(void) {
    const int file = opened();
    NEED(mkdir("h", 0755) == 0);
    const int watch = inotify_add_watch(file, "h", IN_ALL_EVENTS | IN_ONLYDIR);
    const int folder = open("h", O_RDONLY | O_DIRECTORY);
    close(folder);
    is_told(file, watch, IN_OPEN | IN_ISDIR, "");
    is_told(file, watch, IN_CLOSE_NOWRITE | IN_ISDIR, "");
    NEED(rename("h", "i") == 0);
    is_told(file, watch, IN_MOVE_SELF, "");
    NEED(chmod("i", 0700) == 0);
    is_told(file, watch, IN_ATTRIB | IN_ISDIR, "");
    NEED(rmdir("i") == 0);
    is_told(file, watch, IN_DELETE_SELF, "");
    is_told(file, watch, IN_IGNORED, "");
    is_silent(file);
}

static void moves(void) {
    const int file = opened();
    NEED(mkdir("p", 0755) == 0 && mkdir("q", 0755) == 0);
    make("p/a", "a");
    make("q/b", "b");
    const int p = inotify_add_watch(file, "p", IN_MOVE | IN_CREATE | IN_DELETE);
    const int q = inotify_add_watch(file, "q", IN_MOVE | IN_CREATE | IN_DELETE);
    const int b = inotify_add_watch(file, "q/b", IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF);
    NEED(rename("p/a", "q/c") == 0);
    const struct inotify_event from = *next(file);
    SAME(from.mask, IN_MOVED_FROM);
    SAME(from.wd, p);
    CHECK(from.cookie != 0);
    const struct inotify_event *to = next(file);
    SAME(to->mask, IN_MOVED_TO);
    SAME(to->wd, q);
    SAME(to->cookie, from.cookie);
    CHECK(strcmp(to->name, "c") == 0);
    NEED(rename("q/c", "q/b") == 0); // what was there goes
    const struct inotify_event again = *next(file);
    SAME(again.mask, IN_MOVED_FROM);
    CHECK(again.cookie != 0 && again.cookie != from.cookie);
    is_told(file, q, IN_MOVED_TO, "b");
    is_told(file, b, IN_ATTRIB, "");
    is_told(file, b, IN_DELETE_SELF, "");
    is_told(file, b, IN_IGNORED, "");
    is_silent(file);
    NEED(rename("q", "p/q") == 0);
    is_told(file, p, IN_MOVED_TO | IN_ISDIR, "q");
    make("p/q/new", "x"); // it is watched where it is
    is_told(file, q, IN_CREATE, "new");
    is_silent(file);
}

static void once_only(void) {
    const int file = opened();
    make("o", "x");
    const int watch = inotify_add_watch(file, "o", IN_OPEN | IN_ONESHOT);
    close(open("o", O_RDONLY));
    close(open("o", O_RDONLY));
    is_told(file, watch, IN_OPEN, "");
    is_told(file, watch, IN_IGNORED, "");
    is_silent(file);
    SAME(inotify_add_watch(file, "o", IN_OPEN), watch + 1);
}

static void not_of_the_unlinked(void) {
    const int file = opened();
    NEED(mkdir("u", 0755) == 0);
    make("u/a", "x");
    const int watch = inotify_add_watch(file, "u", IN_MODIFY | IN_DELETE | IN_EXCL_UNLINK);
    const int writer = open("u/a", O_WRONLY);
    NEED(write(writer, "y", 1) == 1);
    is_told(file, watch, IN_MODIFY, "a");
    NEED(unlink("u/a") == 0);
    is_told(file, watch, IN_DELETE, "a");
    NEED(write(writer, "y", 1) == 1);
    is_silent(file);
    close(writer);
}

static void masks_change(void) {
    const int file = opened();
    make("m", "x");
    const int watch = inotify_add_watch(file, "m", IN_OPEN);
    SAME(inotify_add_watch(file, "m", IN_MODIFY), watch);
    const int writer = open("m", O_WRONLY);
    NEED(write(writer, "y", 1) == 1);
    is_told(file, watch, IN_MODIFY, "");
    SAME(inotify_add_watch(file, "m", IN_CLOSE_WRITE | IN_MASK_ADD), watch);
    NEED(write(writer, "y", 1) == 1);
    close(writer);
    is_told(file, watch, IN_MODIFY, "");
    is_told(file, watch, IN_CLOSE_WRITE, "");
    REFUSED(inotify_add_watch(file, "m", IN_OPEN | IN_MASK_CREATE), EEXIST);
    SAME(inotify_rm_watch(file, watch), 0);
    is_told(file, watch, IN_IGNORED, "");
    close(open("m", O_RDONLY));
    is_silent(file);
}

static void who_waits_is_woken(void) {
    const int file = inotify_init();
    NEED(mkdir("w", 0755) == 0);
    const int watch = inotify_add_watch(file, "w", IN_CREATE);
    struct pollfd item = { .fd = file, .events = POLLIN };
    at = held = 0;
    SAME(poll(&item, 1, 0), 0);
    const pid_t child = fork();
    if (child == 0) {
        make("w/a", "x");
        _exit(0);
    }
    SAME(poll(&item, 1, 20000), 1);
    SAME(item.revents, POLLIN);
    int waiting = 0;
    NEED(ioctl(file, FIONREAD, &waiting) == 0);
    SAME(waiting, HEADER + 16);
    is_told(file, watch, IN_CREATE, "a");
    EXITS(child, 0);
    const pid_t other = fork();
    if (other == 0) {
        make("w/b", "x");
        _exit(0);
    }
    is_told(file, watch, IN_CREATE, "b"); // a read that waits
    EXITS(other, 0);
}

static void reads_whole_events(void) {
    const int file = opened();
    NEED(mkdir("r", 0755) == 0);
    const int watch = inotify_add_watch(file, "r", IN_CREATE);
    make("r/a-name-of-seventeen", "x");
    make("r/b", "x");
    REFUSED(read(file, bytes, (size_t)HEADER), EINVAL);
    SAME(read(file, bytes, (size_t)HEADER + 32 + 15), HEADER + 32);
    is_told(file, watch, IN_CREATE, "b");
}

static void too_many(void) {
    const int file = opened();
    NEED(mkdir("t", 0755) == 0);
    const int watch = inotify_add_watch(file, "t", IN_ATTRIB);
    make("t/a", "x");
    make("t/b", "x");
    for (int i = 0; i < 10000; i++) {
        NEED(chmod("t/a", 0600) == 0 && chmod("t/b", 0600) == 0);
    }
    int count = 0;
    const struct inotify_event *event;
    while ((event = next(file))->mask == IN_ATTRIB) {
        SAME(event->wd, watch);
        count++;
    }
    SAME(event->mask, IN_Q_OVERFLOW);
    SAME(event->wd, -1);
    CHECK(count > 1000 && count < 20000);
    is_silent(file);
    NEED(chmod("t/a", 0600) == 0);
    is_told(file, watch, IN_ATTRIB, "a"); // it goes on
}

static void unmounted(void) {
    const int file = opened();
    NEED(mkdir("mnt", 0755) == 0 && mount("none", "mnt", "tmpfs", 0, NULL) == 0);
    make("mnt/f", "x");
    const int watch = inotify_add_watch(file, "mnt/f", IN_MODIFY);
    NEED(umount("mnt") == 0);
    is_told(file, watch, IN_UNMOUNT, "");
    is_told(file, watch, IN_IGNORED, "");
    is_silent(file);
}

static void many_watchers(void) {
    int files[8];
    make("many", "x");
    for (int i = 0; i < 8; i++) {
        files[i] = opened();
        SAME(inotify_add_watch(files[i], "many", IN_ALL_EVENTS), 1);
    }
    close(files[3]);
    NEED(chmod("many", 0600) == 0 && unlink("many") == 0);
    for (int i = 0; i < 8; i++) {
        if (i != 3) {
            at = held = 0;
            is_told(files[i], 1, IN_ATTRIB, "");
            is_told(files[i], 1, IN_DELETE_SELF, "");
            is_told(files[i], 1, IN_IGNORED, "");
        }
    }
}

static void refuses(void) {
    const int file = opened();
    make("x", "x");
    REFUSED(inotify_init1(1), EINVAL);
    REFUSED(inotify_add_watch(file, "x", 0), EINVAL);
    REFUSED(inotify_add_watch(file, "x", IN_OPEN | IN_MASK_ADD | IN_MASK_CREATE), EINVAL);
    REFUSED(inotify_add_watch(file, "nothing", IN_OPEN), ENOENT);
    REFUSED(inotify_add_watch(file, "x", IN_OPEN | IN_ONLYDIR), ENOTDIR);
    REFUSED(inotify_add_watch(file, (const char *)8, IN_OPEN), EFAULT);
    REFUSED(inotify_add_watch(99, "x", IN_OPEN), EBADF);
    REFUSED(inotify_add_watch(0, "x", IN_OPEN), EINVAL);
    REFUSED(inotify_rm_watch(file, 1), EINVAL);
    REFUSED(inotify_rm_watch(0, 1), EINVAL);
    REFUSED(inotify_rm_watch(99, 1), EBADF);
    REFUSED(write(file, "x", 1), EBADF);
    NEED(symlink("x", "link") == 0 && chmod("x", 0) == 0 && chmod(".", 0755) == 0);
    const int of_link = inotify_add_watch(file, "link", IN_DELETE_SELF | IN_DONT_FOLLOW);
    const pid_t child = fork();
    if (child == 0) {
        NEED(setgid(65534) == 0 && setuid(65534) == 0);
        REFUSED(inotify_add_watch(file, "x", IN_OPEN), EACCES);
        _exit(check_failures);
    }
    EXITS(child, 0);
    NEED(unlink("link") == 0);
    is_told(file, of_link, IN_DELETE_SELF, "");
    is_told(file, of_link, IN_IGNORED, "");
}

// Watches come and go while others change what is watched.
static void at_once(void) {
    NEED(mkdir("z", 0755) == 0);
    pid_t children[3];
    for (int i = 0; i < 3; i++) {
        if ((children[i] = fork()) == 0) {
            char name[16];
            snprintf(name, sizeof name, "z/%d", i);
            for (int j = 0; j < 300; j++) {
                make(name, "x");
                NEED(unlink(name) == 0);
            }
            _exit(0);
        }
    }
    for (int i = 0; i < 100; i++) {
        const int file = opened();
        (void)inotify_add_watch(file, "z", IN_ALL_EVENTS);
        (void)inotify_add_watch(file,
                                i % 3 == 0   ? "z/0"
                                : i % 3 == 1 ? "z/1"
                                             : "z/2",
                                IN_ALL_EVENTS);
        for (int j = 0; j < 20; j++) {
            (void)next(file);
        }
        (void)inotify_rm_watch(file, 1);
        close(file);
    }
    for (int i = 0; i < 3; i++) {
        EXITS(children[i], 0);
    }
}

static const struct check_case cases[] = {
    CASE(in_a_folder),
    CASE(of_a_file),
    CASE(ends),
    CASE(replaces),
    CASE(reads_and_runs),
    CASE(without_their_names),
    CASE(levels),
    CASE(instances),
    CASE(of_a_folder),
    CASE(moves),
    CASE(once_only),
    CASE(not_of_the_unlinked),
    CASE(masks_change),
    CASE(who_waits_is_woken),
    CASE(reads_whole_events),
    CASE(too_many),
    CASE(unmounted),
    CASE(many_watchers),
    CASE(refuses),
    CASE(at_once),
};
CHECK_MAIN(cases)
