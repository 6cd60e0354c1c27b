// SPDX-License-Identifier: MIT OR Apache-2.0
// futex by itself: comparing, waking, moving, time limits, across processes.
#include "check.h"

#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

static long futex(void *word, int operation, uint32_t value, const void *limit, void *other,
                  uint32_t third) {
    return syscall(SYS_futex, word, operation, value, limit, other, third);
}

static void compares_first(void) {
    uint32_t word = 5;
    REFUSED(futex(&word, FUTEX_WAIT, 4, NULL, NULL, 0), EAGAIN);
    REFUSED(futex(&word, FUTEX_WAIT_PRIVATE, 6, NULL, NULL, 0), EAGAIN);
}

static void time_limits(void) {
    uint32_t word = 5;
    struct timespec limit = { 0, 20000000 };
    REFUSED(futex(&word, FUTEX_WAIT_PRIVATE, 5, &limit, NULL, 0), ETIMEDOUT);
    clock_gettime(CLOCK_MONOTONIC, &limit);
    REFUSED(futex(&word, FUTEX_WAIT_BITSET_PRIVATE, 5, &limit, NULL, FUTEX_BITSET_MATCH_ANY),
            ETIMEDOUT);
    limit.tv_nsec = 2000000000;
    REFUSED(futex(&word, FUTEX_WAIT_PRIVATE, 5, &limit, NULL, 0), EINVAL);
    limit = (struct timespec){ -1, 0 };
    REFUSED(futex(&word, FUTEX_WAIT_PRIVATE, 5, &limit, NULL, 0), EINVAL);
}

static void refuses(void) {
    uint32_t words[2] = { 0, 0 };
    REFUSED(futex((char *)words + 1, FUTEX_WAIT, 0, NULL, NULL, 0), EINVAL);
    REFUSED(futex((char *)words + 1, FUTEX_WAKE, 1, NULL, NULL, 0), EINVAL);
    REFUSED(futex((void *)8, FUTEX_WAIT, 0, NULL, NULL, 0), EFAULT);
    REFUSED(futex((void *)0xffffffff80000000, FUTEX_WAIT, 0, NULL, NULL, 0), EFAULT);
    REFUSED(futex(words, FUTEX_WAIT_BITSET, 0, NULL, NULL, 0), EINVAL);
    REFUSED(futex(words, 99, 0, NULL, NULL, 0), ENOSYS);
    REFUSED(futex(words, FUTEX_WAIT, 0, (void *)8, NULL, 0), EFAULT);
    SAME(futex(words, FUTEX_WAKE, 1, NULL, NULL, 0), 0);
    SAME(futex(words, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0), 0);
    REFUSED(futex(words, FUTEX_CMP_REQUEUE_PRIVATE, 1, (void *)1, words + 1, 7), EAGAIN);
}

struct sleeper {
    uint32_t *word;
    uint32_t bits;
    pthread_t thread;
    long result;
};

static void *sleeper_run(void *argument) {
    struct sleeper *me = argument;
    me->result = futex(me->word, FUTEX_WAIT_BITSET_PRIVATE, 0, NULL, NULL, me->bits);
    return NULL;
}

// Starts threads that wait; returns when each of them waits (the kernel counts what it could wake
// when it moves nobody: a requeue of all to the same word).
static void sleepers_start(struct sleeper *sleepers, int count, uint32_t *word) {
    for (int i = 0; i < count; i++) {
        sleepers[i] = (struct sleeper){ .word = word, .bits = 1u << i };
        NEED(pthread_create(&sleepers[i].thread, NULL, sleeper_run, &sleepers[i]) == 0);
    }
    static uint32_t aside;
    for (int waiting = 0; waiting < count;) {
        waiting += (int)futex(word, FUTEX_CMP_REQUEUE_PRIVATE, 0, (void *)(long)INT_MAX, &aside, 0);
        sched_yield();
    }
    SAME(futex(&aside, FUTEX_CMP_REQUEUE_PRIVATE, 0, (void *)(long)INT_MAX, word, 0), count);
}

static void sleepers_join(struct sleeper *sleepers, int count) {
    for (int i = 0; i < count; i++) {
        pthread_join(sleepers[i].thread, NULL);
        SAME(sleepers[i].result, 0);
    }
}

static void wakes_so_many(void) {
    static uint32_t word;
    struct sleeper sleepers[5];
    sleepers_start(sleepers, 5, &word);
    SAME(futex(&word, FUTEX_WAKE_PRIVATE, 2, NULL, NULL, 0), 2);
    SAME(futex(&word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0), 1);
    SAME(futex(&word, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0), 2);
    sleepers_join(sleepers, 5);
}

// At least one is woken, whatever the count; a requeue may wake none.
static void wakes_at_least_one(void) {
    static uint32_t word;
    static uint32_t other;
    const uint32_t operation = FUTEX_OP(FUTEX_OP_ADD, 0, FUTEX_OP_CMP_EQ, 0);
    struct sleeper sleepers[6];
    sleepers_start(sleepers, 6, &word);
    SAME(futex(&word, FUTEX_WAKE_PRIVATE, 0, NULL, NULL, 0), 1);
    SAME(futex(&word, FUTEX_WAKE_PRIVATE, (uint32_t)-5, NULL, NULL, 0), 1);
    SAME(futex(&word, FUTEX_WAKE_OP_PRIVATE, 0, (void *)0, &other, operation), 1);
    SAME(futex(&word, FUTEX_WAKE_OP_PRIVATE, (uint32_t)-1, (void *)-1, &other, operation), 1);
    SAME(futex(&other, FUTEX_WAKE_OP_PRIVATE, 0, (void *)0, &word, operation), 1);
    SAME(futex(&other, FUTEX_WAKE_OP_PRIVATE, 0, (void *)-7, &word, operation), 1);
    sleepers_join(sleepers, 6);
}

// A requeue that compares moves only those who wait for the value that it compares with.
static _Atomic uint32_t turns;
static _Atomic uint32_t turn_waited_for;
static _Atomic bool turns_over;

static void *turn_waits(void *argument) {
    while (!turns_over) {
        const uint32_t turn = atomic_fetch_add(&turns, 1) + 1;
        turn_waited_for = turn;
        futex(&turns, FUTEX_WAIT_PRIVATE, turn, NULL, NULL, 0);
    }
    return argument;
}

static void *turn_wakes(void *argument) {
    while (!turns_over) {
        futex(&turns, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
    }
    return argument;
}

static void moves_only_what_it_compared(void) {
    static uint32_t other;
    pthread_t threads[2];
    struct timespec now;
    NEED(pthread_create(&threads[0], NULL, turn_waits, NULL) == 0);
    NEED(pthread_create(&threads[1], NULL, turn_wakes, NULL) == 0);
    clock_gettime(CLOCK_MONOTONIC, &now);
    const time_t end = now.tv_sec + 2;
    while (now.tv_sec < end) {
        const uint32_t turn = turns;
        if (futex(&turns, FUTEX_CMP_REQUEUE_PRIVATE, 0, (void *)1, &other, turn) == 1) {
            SAME(turn_waited_for, turn);
            SAME(futex(&other, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0), 1);
        }
        clock_gettime(CLOCK_MONOTONIC, &now);
    }
    turns_over = true;
    pthread_join(threads[1], NULL);
    while (pthread_tryjoin_np(threads[0], NULL) != 0) {
        futex(&turns, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
        sched_yield();
    }
}

static void wakes_by_bits(void) {
    static uint32_t word;
    struct sleeper sleepers[4];
    sleepers_start(sleepers, 4, &word);
    SAME(futex(&word, FUTEX_WAKE_BITSET_PRIVATE, INT_MAX, NULL, NULL, 1u << 2), 1);
    pthread_join(sleepers[2].thread, NULL);
    SAME(futex(&word, FUTEX_WAKE_BITSET_PRIVATE, INT_MAX, NULL, NULL, 1u << 2), 0);
    SAME(futex(&word, FUTEX_WAKE_BITSET_PRIVATE, INT_MAX, NULL, NULL, ~0u), 3);
    pthread_join(sleepers[0].thread, NULL);
    pthread_join(sleepers[1].thread, NULL);
    pthread_join(sleepers[3].thread, NULL);
}

static void moves_waiters(void) {
    static uint32_t word;
    static uint32_t other;
    struct sleeper sleepers[4];
    sleepers_start(sleepers, 4, &word);
    SAME(futex(&word, FUTEX_REQUEUE_PRIVATE, 1, (void *)2, &other, 0), 3);
    SAME(futex(&other, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0), 2);
    SAME(futex(&word, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0), 1);
    sleepers_join(sleepers, 4);
}

static void wake_with_an_operation(void) {
    static uint32_t word;
    static uint32_t other;
    struct sleeper sleepers[2];
    sleepers_start(sleepers, 2, &word);
    other = 5;
    uint32_t operation = FUTEX_OP(FUTEX_OP_ADD, 3, FUTEX_OP_CMP_EQ, 5);
    SAME(futex(&word, FUTEX_WAKE_OP_PRIVATE, 1, (void *)1, &other, operation), 1);
    SAME(other, 8);
    SAME(futex(&word, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0), 1);
    sleepers_join(sleepers, 2);
}

static void across_processes(void) {
    _Atomic uint32_t *word =
        mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    NEED(word != MAP_FAILED);
    enum { ROUNDS = 500 };
    pid_t pid;
    CHILD(pid) {
        for (uint32_t round = 0; round < ROUNDS; round++) {
            while (atomic_load(word) != round * 2 + 1) {
                futex(word, FUTEX_WAIT, round * 2, NULL, NULL, 0);
            }
            atomic_store(word, round * 2 + 2);
            futex(word, FUTEX_WAKE, 1, NULL, NULL, 0);
        }
    }
    for (uint32_t round = 0; round < ROUNDS; round++) {
        atomic_store(word, round * 2 + 1);
        futex(word, FUTEX_WAKE, 1, NULL, NULL, 0);
        while (atomic_load(word) != round * 2 + 2) {
            futex(word, FUTEX_WAIT, round * 2 + 1, NULL, NULL, 0);
        }
    }
    EXITS(pid, 0);
}

static void same_file_page(void) {
    int fd = open("f", O_CREAT | O_RDWR, 0600);
    NEED(ftruncate(fd, 4096) == 0);
    _Atomic uint32_t *mine = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    pid_t pid;
    CHILD(pid) {
        _Atomic uint32_t *its = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        CHECK(its != mine);
        atomic_store(its, 1);
        futex(its, FUTEX_WAKE, 1, NULL, NULL, 0);
    }
    while (atomic_load(mine) == 0) {
        futex(mine, FUTEX_WAIT, 0, NULL, NULL, 0);
    }
    EXITS(pid, 0);
}

static void on_nothing(int number) {
    (void)number;
}

static void a_signal_interrupts(void) {
    uint32_t word = 0;
    struct sigaction action = { .sa_handler = on_nothing };
    sigaction(SIGALRM, &action, NULL);
    ualarm(20000, 20000); // the first one may come before the wait
    REFUSED(futex(&word, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0), EINTR);
}

// Past the C library, which has a word of its own for the end of a thread.
static void *end_with_word(void *word) {
    syscall(SYS_set_tid_address, word);
    syscall(SYS_exit, 0);
    return NULL;
}

static void thread_end_clears_and_wakes(void) {
    static uint32_t word = 1;
    pid_t pid = fork();
    if (pid == 0) {
        end_with_word(&word);
    }
    EXITS(pid, 0);
    SAME(word, 1); // the child had a copy of its own
    pthread_t thread;
    SAME(pthread_create(&thread, NULL, end_with_word, &word), 0);
    while (__atomic_load_n(&word, __ATOMIC_ACQUIRE)) {
        futex(&word, FUTEX_WAIT, 1, NULL, NULL, 0);
    }
}

static void owner_died(void) {
    static pthread_mutex_t *mutex;
    mutex = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
    SAME(pthread_mutex_init(mutex, &attributes), 0);
    pid_t pid;
    CHILD(pid) {
        SAME(pthread_mutex_lock(mutex), 0);
    }
    EXITS(pid, 0);
    SAME(pthread_mutex_lock(mutex), EOWNERDEAD);
    SAME(pthread_mutex_consistent(mutex), 0);
    SAME(pthread_mutex_unlock(mutex), 0);
}

static const struct check_case cases[] = {
    CASE(compares_first),
    CASE(time_limits),
    CASE(refuses),
    CASE(wakes_so_many),
    CASE(wakes_at_least_one),
    CASE(moves_only_what_it_compared),
    CASE(wakes_by_bits),
    CASE(moves_waiters),
    CASE(wake_with_an_operation),
    CASE(across_processes),
    CASE(same_file_page),
    CASE(a_signal_interrupts),
    CASE(thread_end_clears_and_wakes),
    CASE(owner_died),
};
CHECK_MAIN(cases)
