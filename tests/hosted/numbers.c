// SPDX-License-Identifier: MIT OR Apache-2.0
// tests/hosted/numbers.c: numbers of processes that are used again: a terminal signals nobody who
// is not of its session. Here, since all numbers there are have to be gone through.
#include "check.h"

#include <asm-generic/ioctls.h>

#define READY_AT (PAD + PAGE)      // shared: how far the leader is
#define GROUP_AT (PAD + PAGE + 8)  // whom it has left in front of the terminal
#define HEARD_AT (PAD + PAGE + 16) // the victim got a signal
#define NUMBERS  32768
#define FIRST    300 // those below are not used again

static int64_t opened(const char *path) {
    const int64_t file = CALL(openat, (uint64_t)AT_FDCWD, text_at(PAD, path), O_RDWR | O_NOCTTY);
    NEED(file >= 0);
    return file;
}

static int pauses(uint64_t unused) {
    (void)unused;
    for (;;) {
        CALL(ppoll, 0, 0, 0, 0, 8);
    }
}

// A session whose terminal has a group in front that is gone.
static int leads(uint64_t other) {
    (void)other;
    SAME(CALL(setsid), CALL(getpid));
    const int64_t line = opened("/dev/pts/0");
    SAME(CALL(ioctl, (uint64_t)line, TIOCSCTTY, 0), 0);
    const int64_t group = child_new(pauses, 0);
    SAME(CALL(setpgid, (uint64_t)group, (uint64_t)group), 0);
    hosted_store(PAD, (uint64_t)group, 4);
    SAME(CALL(ioctl, (uint64_t)line, TIOCSPGRP, PAD), 0);
    SAME(CALL(kill, (uint64_t)group, SIGKILL), 0);
    SAME(child_wait(group), KILLED(SIGKILL));
    hosted_store(GROUP_AT, (uint64_t)group, 4);
    hosted_store(READY_AT, 1, 4);
    return pauses(0);
}

static void hears(uint64_t number, uint64_t info, uint64_t context) {
    (void)info, (void)context;
    hosted_store(HEARD_AT, number, 4);
}

// The group of that number, in a session of its own; others end.
static int is_another(uint64_t number) {
    static const uint32_t signals[] = { SIGINT, SIGHUP, SIGCONT };
    if (CALL(getpid) != (int64_t)number) {
        return 0;
    }
    for (uint32_t i = 0; i < 3; i++) {
        const uint64_t action[4] = { hosted_address(hears) };
        hosted_write(PAD, action, sizeof(action));
        SAME(CALL(rt_sigaction, signals[i], PAD, 0, 8), 0);
    }
    SAME(CALL(setsid), (int64_t)number);
    hosted_store(READY_AT, 2, 4);
    return pauses(0);
}

// Uses numbers up until one has that of the group.
static int64_t victim_new(int64_t number) {
    for (uint32_t i = 0; i < NUMBERS; i++) {
        const int64_t pid = child_new(is_another, (uint64_t)number);
        if (pid == number) {
            spin_while(READY_AT, 1);
            return pid;
        }
        SAME(child_wait(pid), EXITED(0));
    }
    check_fail(__FILE_NAME__, __LINE__, "nobody gets that number again", number);
}

static void another_session_has_the_number(void) {
    SAME(CALL(mmap, PAD + PAGE, PAGE, PROT_READ | PROT_WRITE,
              MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1ull, 0),
         PAD + PAGE);
    mount_at("/dev", "devtmpfs");
    mount_at("/dev/pts", "devpts");
    const uint64_t other = (uint64_t)opened("/dev/ptmx");
    hosted_store(PAD, 0, 4);
    SAME(CALL(ioctl, other, 0x40045431, PAD), 0); // TIOCSPTLCK
    for (uint32_t i = 0; i < FIRST; i++) {
        SAME(child_wait(child_new(is_another, 0)), EXITED(0));
    }
    const int64_t leader = child_new(leads, other);
    spin_while(READY_AT, 0);
    const int64_t group = (int64_t)hosted_load(GROUP_AT, 4);
    const int64_t victim = victim_new(group);
    hosted_store(PAD, 3, 1); // Ctrl-C
    SAME(CALL(write, other, PAD, 1), 1);
    SAME(CALL(kill, (uint64_t)leader, SIGKILL), 0); // which hangs up on the group in front
    SAME(child_wait(leader), KILLED(SIGKILL));
    SAME(CALL(close, other), 0);
    SAME(CALL(kill, (uint64_t)victim, SIGKILL), 0);
    SAME(child_wait(victim), KILLED(SIGKILL));
    SAME(hosted_load(HEARD_AT, 4), 0);
}

static const struct check_case cases[] = { CASE(another_session_has_the_number) };
CHECK_PROGRAM(numbers, cases);
