// SPDX-License-Identifier: MIT OR Apache-2.0
// tests/hosted/threads.c: threads of one process: memory, futexes, signals to one of them, ends.
#include "check.h"

#include <linux/futex.h>
#include <linux/time.h>

#define THREADS   4u
#define ROUNDS    500u
#define LOCK_AT   PAD
#define COUNT_AT  (PAD + 64)
#define WORD_AT   (PAD + 128)
#define TIDS_AT   (PAD + 256)
#define tid_at(i) (TIDS_AT + 4ull * (i))

// 0 free, 1 held, 2 held and somebody waits (U. Drepper, "Futexes are tricky", mutex 3).
static void lock(uint64_t at) {
    uint32_t found = hosted_swap32(at, 0, 1);
    while (found != 0) {
        if (found == 2 || hosted_swap32(at, 1, 2) != 0) {
            CALL(futex, at, FUTEX_WAIT | FUTEX_PRIVATE_FLAG, 2, 0);
        }
        found = hosted_swap32(at, 0, 2);
    }
}

static void unlock(uint64_t at) {
    if (hosted_swap32(at, 1, 0) != 1) {
        hosted_store(at, 0, 4);
        CALL(futex, at, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, 1);
    }
}

static void run_threads(int (*function)(uint64_t)) {
    for (uint32_t i = 0; i < THREADS; i++) {
        (void)thread_new(function, i, tid_at(i));
    }
    for (uint32_t i = 0; i < THREADS; i++) {
        thread_join(tid_at(i));
    }
}

static int adds_under_lock(uint64_t index) {
    for (uint32_t i = 0; i < ROUNDS; i++) {
        lock(LOCK_AT);
        const uint64_t before = hosted_load(COUNT_AT, 8);
        if (i % 16 == index) {
            CALL(sched_yield);
        }
        hosted_store(COUNT_AT, before + 1, 8);
        unlock(LOCK_AT);
    }
    return 0;
}

static void a_futex_excludes(void) {
    run_threads(adds_under_lock);
    SAME(hosted_load(COUNT_AT, 8), THREADS * ROUNDS);
}

// Each waits for its turn.
static int takes_turns(uint64_t index) {
    for (uint64_t turn = index; turn < THREADS * 100; turn += THREADS) {
        uint32_t now;
        while ((now = (uint32_t)hosted_load(WORD_AT, 4)) != turn) {
            CALL(futex, WORD_AT, FUTEX_WAIT, now, 0);
        }
        hosted_store(WORD_AT, turn + 1, 4);
        CALL(futex, WORD_AT, FUTEX_WAKE, THREADS);
    }
    return 0;
}

static void wakes_are_not_lost(void) {
    run_threads(takes_turns);
    SAME(hosted_load(WORD_AT, 4), THREADS * 100);
}

static int waits_once(uint64_t unused) {
    (void)unused;
    hosted_store(COUNT_AT, 1, 4);
    return CALL(futex, WORD_AT, FUTEX_WAIT, 0, 0) == 0 ? 0 : 1;
}

static void requeued_waiters_wake(void) {
    (void)thread_new(waits_once, 1, tid_at(0));
    spin_while(COUNT_AT, 0);
    while (CALL(futex, WORD_AT, FUTEX_CMP_REQUEUE, 0, 1, WORD_AT + 8, 0) == 0) {
        CALL(sched_yield); // it is not there yet
    }
    SAME(CALL(futex, WORD_AT, FUTEX_WAKE, 1), 0);
    SAME(CALL(futex, WORD_AT + 8, FUTEX_WAKE, 1), 1);
    thread_join(tid_at(0));
}

static void waits_end_in_time(void) {
    const uint64_t span[2] = { 0, 2000000 };
    hosted_write(PAD, span, sizeof(span));
    SAME(CALL(futex, WORD_AT, FUTEX_WAIT, 0, PAD), -ETIMEDOUT);
    SAME(CALL(futex, WORD_AT, FUTEX_WAIT, 1, PAD), -EAGAIN);
    SAME(CALL(futex, WORD_AT + 1, FUTEX_WAIT, 0, PAD), -EINVAL);
    SAME(CALL(futex, 8, FUTEX_WAIT, 0, PAD), -EFAULT);
}

static void notes_tid(uint64_t number, uint64_t info, uint64_t context) {
    (void)number, (void)info, (void)context;
    hosted_store(COUNT_AT, (uint64_t)CALL(gettid), 4);
}

static int spins_until_told(uint64_t unused) {
    (void)unused;
    spin_while(WORD_AT, 0);
    return 0;
}

static void a_signal_reaches_its_thread(void) {
    const uint64_t action[4] = { hosted_address(notes_tid) };
    hosted_write(PAD, action, sizeof(action));
    SAME(CALL(rt_sigaction, SIGUSR1, PAD, 0, 8), 0);
    const int64_t tid = thread_new(spins_until_told, 1, tid_at(0));
    SAME(CALL(tgkill, CALL(getpid), tid, SIGUSR1), 0);
    spin_while(COUNT_AT, 0);
    SAME(hosted_load(COUNT_AT, 4), tid);
    hosted_store(WORD_AT, 1, 4);
    thread_join(tid_at(0));
    while (CALL(tgkill, CALL(getpid), tid, SIGUSR1) == 0) { // its word is cleared first
        CALL(sched_yield);
    }
    SAME(CALL(tgkill, CALL(getpid), tid, SIGUSR1), -ESRCH);
}

// ---- how they end ------------------------------------------------------------------------------

static int sleeps_for_ever(uint64_t unused) {
    (void)unused;
    for (;;) {
        CALL(futex, WORD_AT, FUTEX_WAIT, 0, 0);
    }
}

static int ends_all(uint64_t index) {
    if (index == 2) {
        CALL(exit_group, 33);
    }
    return sleeps_for_ever(index);
}

static int starts_and_sleeps(uint64_t index) {
    (void)thread_new(ends_all, index, tid_at(index));
    if (index < 2) {
        return starts_and_sleeps(index + 1);
    }
    return sleeps_for_ever(0);
}

static void one_ends_all(void) {
    for (uint32_t i = 0; i < 5; i++) {
        SAME(child_wait(child_new(starts_and_sleeps, 0)), EXITED(33));
    }
}

static int leaves_threads(uint64_t unused) {
    (void)thread_new(sleeps_for_ever, 1, tid_at(0));
    (void)thread_new(spins_until_told, 2, tid_at(1));
    return (int)unused; // exit(), not exit_group(): the others go on
}

static void a_kill_ends_all(void) {
    for (uint32_t i = 0; i < 5; i++) {
        const int64_t pid = child_new(leaves_threads, 0);
        SAME(CALL(kill, (uint64_t)pid, SIGKILL), 0);
        SAME(child_wait(pid), KILLED(SIGKILL));
    }
}

static int comes_and_goes(uint64_t index) {
    for (uint32_t i = 0; i < 100; i++) {
        const uint64_t at = tid_at(THREADS + index);
        (void)thread_new(spins_until_told, THREADS + index, at);
        thread_join(at);
    }
    return 0;
}

static int reads_what_it_used(uint64_t unused) {
    const uint64_t text = PAD + PAGE;
    (void)unused;
    for (uint32_t i = 0; i < 300; i++) {
        SAME(CALL(getrusage, 0, text), 0);
        const int64_t status = CALL(openat, 0, text_at(text, "/proc/self/status"), O_RDONLY);
        NEED(CALL(read, (uint64_t)status, text, PAGE) > 0);
        SAME(CALL(close, (uint64_t)status), 0);
    }
    return 0;
}

// What a thread counts of itself is looked at by another one, while it runs.
static void what_it_used_is_read(void) {
    mount_at("/proc", "proc");
    (void)thread_new(reads_what_it_used, 1, tid_at(0));
    while (hosted_load(tid_at(0), 4) != 0) {
        CALL(sched_yield);
    }
}

// What is kept for the next thread is taken away at the same time.
static int drops_caches(uint64_t unused) {
    (void)unused;
    const int64_t caches = CALL(openat, 0, text_at(PAD, "/proc/sys/vm/drop_caches"), O_WRONLY);
    NEED(caches >= 0);
    for (;;) {
        SAME(CALL(write, (uint64_t)caches, text_at(PAD, "3"), 1), 1);
    }
}

static void many_come_and_go(void) {
    mount_at("/proc", "proc");
    const int64_t pid = child_new(drops_caches, 0);
    hosted_store(WORD_AT, 1, 4);
    run_threads(comes_and_goes);
    SAME(CALL(kill, (uint64_t)pid, SIGKILL), 0);
    SAME(child_wait(pid), KILLED(SIGKILL));
}

static const struct check_case cases[] = {
    CASE(a_futex_excludes),  CASE(wakes_are_not_lost),          CASE(requeued_waiters_wake),
    CASE(waits_end_in_time), CASE(a_signal_reaches_its_thread), CASE(one_ends_all),
    CASE(a_kill_ends_all),   CASE(what_it_used_is_read),        CASE(many_come_and_go),
};
CHECK_PROGRAM(threads, cases);
