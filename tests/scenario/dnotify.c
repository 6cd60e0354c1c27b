// SPDX-License-Identifier: MIT OR Apache-2.0
// RUN: musl glibc
// Signals for what happens in a directory: F_NOTIFY.
#include "check.h"

#include <poll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>

#ifndef POLL_MSG
#define POLL_MSG 3
#endif

#define NOBODY 65534
#define NUMBER (SIGRTMIN + 1)

static void block(int number) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, number);
    NEED(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
}

// The folder, with its signals by NUMBER.
static int opened(const char *path) {
    const int folder = open(path, O_RDONLY | O_DIRECTORY);
    NEED(folder >= 0);
    block(NUMBER);
    block(SIGIO);
    NEED(fcntl(folder, F_SETSIG, NUMBER) == 0);
    return folder;
}

// Takes one signal that is there already; false: none.
static bool take(int number, siginfo_t *out) {
    const struct timespec none = { 0, 0 };
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, number);
    return sigtimedwait(&set, out, &none) == number;
}

// How many there are, each for this descriptor.
static int signals_for(int fd) {
    siginfo_t info;
    int count = 0;
    for (; take(NUMBER, &info); count++) {
        SAME(info.si_signo, NUMBER);
        SAME(info.si_code, POLL_MSG);
        SAME(info.si_errno, 0);
        SAME(info.si_fd, fd);
        SAME(info.si_band, POLLIN | POLLRDNORM | POLLMSG);
    }
    return count;
}

static void make(const char *path) {
    const int file = open(path, O_CREAT | O_RDWR, 0600);
    NEED(file >= 0);
    NEED(close(file) == 0);
}

static void tells_once(void) {
    const int folder = opened(".");
    SAME(fcntl(folder, F_GETSIG), NUMBER);
    SAME(fcntl(folder, F_NOTIFY, DN_CREATE), 0);
    SAME(signals_for(folder), 0);
    make("a");
    SAME(signals_for(folder), 1);
    make("b");
    SAME(signals_for(folder), 0);
    SAME(fcntl(folder, F_NOTIFY, DN_CREATE), 0);
    make("b"); // is there
    SAME(signals_for(folder), 0);
    make("c");
    SAME(signals_for(folder), 1);
}

static void tells_again_and_again(void) {
    const int folder = opened(".");
    SAME(fcntl(folder, F_NOTIFY, DN_CREATE | DN_MULTISHOT), 0);
    make("a");
    make("b");
    SAME(signals_for(folder), 2);
    NEED(mkdir("c", 0700) == 0);
    NEED(link("a", "d") == 0 && symlink("a", "e") == 0);
    SAME(signals_for(folder), 3);
    make("c/below"); // not its own
    NEED(unlink("a") == 0);
    SAME(signals_for(folder), 0);
    SAME(fcntl(folder, F_NOTIFY, DN_DELETE), 0); // beside what was asked for
    make("f");
    NEED(unlink("f") == 0);
    SAME(signals_for(folder), 2);
    SAME(fcntl(folder, F_NOTIFY, DN_MULTISHOT), 0); // nothing any more
    make("g");
    SAME(signals_for(folder), 0);
}

static void tells_what_was_asked_for(void) {
    char byte = 0;
    make("a");
    const int folder = opened("."), file = open("a", O_RDWR);
    SAME(fcntl(folder, F_NOTIFY, DN_MODIFY | DN_MULTISHOT), 0);
    SAME(write(file, "ab", 2), 2);
    SAME(signals_for(folder), 1);
    SAME(ftruncate(file, 1), 0);
    SAME(signals_for(folder), 1);
    SAME(pread(file, &byte, 1, 0), 1);
    SAME(fchmod(file, 0644), 0);
    SAME(signals_for(folder), 0);
    SAME(fcntl(folder, F_NOTIFY, 0), 0);
    SAME(fcntl(folder, F_NOTIFY, DN_ACCESS | DN_MULTISHOT), 0);
    SAME(pread(file, &byte, 1, 0), 1);
    SAME(signals_for(folder), 1);
    SAME(fcntl(folder, F_NOTIFY, 0), 0);
    SAME(fcntl(folder, F_NOTIFY, DN_ATTRIB | DN_MULTISHOT), 0);
    SAME(fchmod(file, 0600), 0);
    SAME(signals_for(folder), 1);
    SAME(fchmod(folder, 0755), 0); // its own, too
    SAME(signals_for(folder), 1);
}

static void tells_of_names(void) {
    NEED(mkdir("in", 0700) == 0 && mkdir("out", 0700) == 0);
    make("in/a");
    const int folder = opened("in");
    SAME(fcntl(folder, F_NOTIFY, DN_RENAME | DN_MULTISHOT), 0);
    SAME(rename("in/a", "in/b"), 0);
    SAME(signals_for(folder), 1);
    SAME(rename("in/b", "out/b"), 0);
    SAME(rename("out/b", "in/c"), 0);
    SAME(signals_for(folder), 0); // another folder's, too: that is no new name here
    SAME(fcntl(folder, F_NOTIFY, DN_CREATE | DN_DELETE | DN_MULTISHOT), 0);
    SAME(rename("in/c", "out/c"), 0);
    SAME(signals_for(folder), 1);
    SAME(rename("out/c", "in/d"), 0);
    SAME(signals_for(folder), 1);
    SAME(rename("in/d", "in/e"), 0);
    SAME(signals_for(folder), 3);
    SAME(fcntl(folder, F_NOTIFY, 0), 0);
    SAME(fcntl(folder, F_NOTIFY, DN_CREATE | DN_DELETE | DN_RENAME), 0);
    SAME(rename("in/e", "in/f"), 0);
    SAME(signals_for(folder), 1);
}

static void without_a_signal_it_is_sigio(void) {
    siginfo_t info;
    const int folder = opened(".");
    SAME(fcntl(folder, F_SETSIG, 0), 0);
    SAME(fcntl(folder, F_GETSIG), 0);
    SAME(fcntl(folder, F_NOTIFY, DN_CREATE | DN_MULTISHOT), 0);
    make("a");
    make("b"); // does not queue
    NEED(take(SIGIO, &info));
    SAME(info.si_code, SI_KERNEL);
    SAME(info.si_pid, 0);
    CHECK(!take(SIGIO, &info));
    SAME(fcntl(folder, F_SETSIG, SIGIO), 0);
    make("c");
    NEED(take(SIGIO, &info));
    SAME(info.si_code, POLL_MSG);
    SAME(info.si_fd, folder);
    block(SIGCHLD);
    SAME(fcntl(folder, F_SETSIG, SIGCHLD), 0);
    make("d");
    NEED(take(SIGCHLD, &info));
    SAME(info.si_code, -5); // SI_SIGIO
    SAME(fcntl(folder, F_SETSIG, NUMBER), 0);
    make("e");
    SAME(signals_for(folder), 1);
}

static void without_room_it_is_sigio(void) {
    const struct rlimit none = { 0, 0 };
    siginfo_t info;
    const int folder = opened(".");
    SAME(fcntl(folder, F_NOTIFY, DN_CREATE), 0);
    NEED(setrlimit(RLIMIT_SIGPENDING, &none) == 0);
    make("a");
    CHECK(!take(NUMBER, &info));
    NEED(take(SIGIO, &info));
}

static void a_signal_file_has_it(void) {
    struct signalfd_siginfo record;
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, NUMBER);
    const int folder = opened("."), file = signalfd(-1, &set, SFD_NONBLOCK);
    SAME(fcntl(folder, F_NOTIFY, DN_CREATE), 0);
    make("a");
    NEED(read(file, &record, sizeof record) == sizeof record);
    SAME(record.ssi_signo, NUMBER);
    SAME(record.ssi_code, POLL_MSG);
    SAME(record.ssi_fd, folder);
    SAME(record.ssi_band, POLLIN | POLLRDNORM | POLLMSG);
    SAME(record.ssi_pid, 0);
}

static void without_a_handler_it_kills(void) {
    pid_t pid;
    CHILD(pid) {
        const int folder = open(".", O_RDONLY);
        NEED(fcntl(folder, F_NOTIFY, DN_CREATE) == 0);
        make("a");
        _exit(42);
    }
    KILLED(pid, SIGIO);
}

// Who asked with few rights does not signal what the process has become since (sigio_perm() of
// Linux), but does while one of its ids is the same.
static void not_to_another_power(void) {
    static const struct {
        const char *file;
        uid_t uid, saved;
        int signals;
    } steps[] = { { "real", NOBODY, 0, 1 }, { "saved", 0, NOBODY, 1 }, { "none", 0, 0, 0 } };
    pid_t pid;
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        CHILD(pid) {
            const int folder = opened(".");
            NEED(setresuid(NOBODY, NOBODY, 0) == 0);
            SAME(fcntl(folder, F_NOTIFY, DN_CREATE), 0);
            NEED(setresuid(NOBODY, 0, 0) == 0 && setresuid(steps[i].uid, 0, steps[i].saved) == 0);
            make(steps[i].file);
            SAME(signals_for(folder), steps[i].signals);
        }
        EXITS(pid, 0);
    }
}

// A user has so many, and what ends makes room.
static void a_user_has_many(void) {
    pid_t pid;
    CHILD(pid) {
        int last = opened(".");
        for (int i = 0; i < 900; i++) {
            last = opened(".");
            SAME(fcntl(last, F_NOTIFY, DN_CREATE), 0);
        }
        make("many"); // all of them end
        siginfo_t info;
        int count = 0;
        while (take(NUMBER, &info)) { // those for which there was no room are one SIGIO
            count++;
        }
        CHECK(count > 100);
        for (int i = 0; i < 1200; i++) {
            SAME(fcntl(last, F_NOTIFY, DN_CREATE), 0);
            SAME(fcntl(last, F_NOTIFY, 0), 0);
        }
    }
    EXITS(pid, 0);
}

// Any descriptor of the file, in this table alone, ends it.
static void closing_ends_it(void) {
    pid_t pid;
    const int folder = opened("."), other = dup(folder);
    SAME(fcntl(folder, F_NOTIFY, DN_CREATE | DN_MULTISHOT), 0);
    CHILD(pid) { // has none of its own
        make("a");
        SAME(signals_for(folder), 0);
        SAME(close(folder), 0);
        SAME(close(other), 0);
        make("b");
    }
    EXITS(pid, 0);
    SAME(signals_for(folder), 2);
    SAME(fcntl(other, F_NOTIFY, DN_CREATE), 0); // its number from now on
    make("c");
    SAME(signals_for(other), 1);
    SAME(close(folder), 0);
    make("d");
    SAME(signals_for(other), 0);
    SAME(fcntl(other, F_NOTIFY, DN_CREATE), 0);
    make("e");
    SAME(signals_for(other), 1);
    SAME(fcntl(other, F_NOTIFY, DN_CREATE), 0);
    SAME(dup2(open("/", O_RDONLY), other), other);
    make("f");
    SAME(signals_for(other), 0);
}

static void a_folder_may_go(void) {
    NEED(mkdir("gone", 0700) == 0);
    const int folder = opened("gone"), again = opened("gone");
    SAME(fcntl(folder, F_NOTIFY, DN_CREATE | DN_DELETE | DN_MULTISHOT), 0);
    SAME(fcntl(again, F_NOTIFY, DN_CREATE | DN_MULTISHOT), 0);
    make("gone/a");
    siginfo_t info;
    int sum = 0;
    while (take(NUMBER, &info)) {
        sum += info.si_fd;
    }
    SAME(sum, folder + again);
    NEED(unlink("gone/a") == 0);
    SAME(signals_for(folder), 1);
    NEED(rmdir("gone") == 0);
    SAME(signals_for(folder), 0);
    SAME(close(folder), 0);
    SAME(close(again), 0);
}

static void refuses(void) {
    make("a");
    const int file = open("a", O_RDONLY), path = open(".", O_PATH), folder = open(".", O_RDONLY);
    int ends[2];
    NEED(pipe(ends) == 0);
    REFUSED(fcntl(file, F_NOTIFY, DN_CREATE), ENOTDIR);
    REFUSED(fcntl(ends[0], F_NOTIFY, DN_CREATE), ENOTDIR);
    SAME(fcntl(file, F_NOTIFY, 0), 0);
    SAME(fcntl(ends[0], F_NOTIFY, DN_MULTISHOT), 0);
    REFUSED(fcntl(path, F_NOTIFY, DN_CREATE), EBADF);
    REFUSED(fcntl(-1, F_NOTIFY, DN_CREATE), EBADF);
    REFUSED(fcntl(folder, F_SETSIG, 65), EINVAL);
    REFUSED(fcntl(folder, F_SETSIG, -1), EINVAL);
    SAME(fcntl(folder, F_GETSIG), 0);
    SAME(fcntl(ends[0], F_SETSIG, 64), 0);
    SAME(fcntl(ends[0], F_GETSIG), 64);
    SAME(fcntl(ends[1], F_GETSIG), 0);
    SAME(fcntl(folder, F_NOTIFY, DN_CREATE), 0);
    SAME(fcntl(folder, F_NOTIFY, 0), 0);
}

// They come and go while others make files.
static void many_at_once(void) {
    pid_t pids[4];
    block(SIGIO);
    block(NUMBER);
    for (int i = 0; i < 4; i++) {
        CHILD(pids[i]) {
            char name[16];
            snprintf(name, sizeof name, "of %d", i);
            for (int round = 0; round < 100; round++) {
                const int folder = open(".", O_RDONLY);
                NEED(fcntl(folder, F_SETSIG, round % 2 ? NUMBER : 0) == 0);
                NEED(fcntl(folder, F_NOTIFY, DN_CREATE | (round % 3 ? DN_MULTISHOT : 0)) == 0);
                make(name);
                siginfo_t info;
                CHECK(take(round % 2 ? NUMBER : SIGIO, &info));
                while (take(NUMBER, &info) || take(SIGIO, &info)) {
                }
                NEED(unlink(name) == 0);
                NEED(close(folder) == 0);
                while (take(NUMBER, &info) || take(SIGIO, &info)) {
                }
            }
        }
    }
    for (int i = 0; i < 4; i++) {
        EXITS(pids[i], 0);
    }
}

static const struct check_case cases[] = {
    CASE(tells_once),
    CASE(tells_again_and_again),
    CASE(tells_what_was_asked_for),
    CASE(tells_of_names),
    CASE(without_a_signal_it_is_sigio),
    CASE(without_room_it_is_sigio),
    CASE(a_signal_file_has_it),
    CASE(without_a_handler_it_kills),
    CASE(closing_ends_it),
    CASE(a_folder_may_go),
    CASE(refuses),
    CASE(many_at_once),
    CASE(not_to_another_power),
    CASE(a_user_has_many),
};

CHECK_MAIN(cases)
