// SPDX-License-Identifier: MIT OR Apache-2.0
// Locks that lend the priority of who waits to who holds them: futex by itself, and
// PTHREAD_PRIO_INHERIT. RUN: musl glibc
#include "check.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>

#ifndef FUTEX_LOCK_PI2
#define FUTEX_LOCK_PI2 13
#endif

#define ORDINARY 20 // a priority as /proc shows it; -1 - N for the real-time one N

static long futex(_Atomic uint32_t *word, int operation, uint32_t value, const void *limit,
                  _Atomic uint32_t *other, uint32_t third) {
    return syscall(SYS_futex, word, operation, value, limit, other, third);
}

static long lock(_Atomic uint32_t *word) {
    return futex(word, FUTEX_LOCK_PI, 0, NULL, NULL, 0);
}

static long unlock(_Atomic uint32_t *word) {
    return futex(word, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0);
}

static uint32_t self(void) {
    return (uint32_t)syscall(SYS_gettid);
}

// By the call itself: musl has no such function.
static void become(uint32_t tid, int policy, int priority) {
    NEED(syscall(SYS_sched_setscheduler, tid, policy, &priority) == 0);
}

// Between two looks: who is lent a priority yields to nobody below it.
static void a_moment(void) {
    const struct timespec moment = { 0, 1000000 };
    nanosleep(&moment, NULL);
}

// What /proc/PID/task/TID/stat says of a thread: its state, and the priority that it runs with.
static char stat_of(uint32_t tid, long *out_priority) {
    char path[64];
    char text[512];
    snprintf(path, sizeof path, "/proc/self/task/%u/stat", tid);
    const int file = open(path, O_RDONLY);
    NEED(file >= 0);
    const ssize_t length = read(file, text, sizeof text - 1);
    close(file);
    NEED(length > 0);
    text[length] = '\0';
    char state;
    NEED(sscanf(strrchr(text, ')') + 2,
                "%c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %ld", &state,
                out_priority) == 2);
    return state;
}

static long priority_of(uint32_t tid) {
    long priority;
    stat_of(tid, &priority);
    return priority;
}

// A thread that takes one lock, then waits for another one, then gives both up.
struct waiter {
    pthread_t thread;
    _Atomic uint32_t *first, *second; // either may be NULL
    int priority;
    long limit_ms; // 0: none
    _Atomic uint32_t tid;
    long result;
    int error;
    uint32_t word; // of the second, once it had it
    int place;     // among all that were given a lock
};

static _Atomic int places;

static void *waiter_run(void *argument) {
    struct waiter *me = argument;
    become(0, me->priority != 0 ? SCHED_FIFO : SCHED_OTHER, me->priority);
    if (me->first != NULL) {
        NEED(lock(me->first) == 0);
    }
    me->tid = self();
    const struct timespec limit = after_ms(CLOCK_REALTIME, me->limit_ms);
    errno = 0;
    me->result = futex(me->second, FUTEX_LOCK_PI, 0, me->limit_ms != 0 ? &limit : NULL, NULL, 0);
    me->error = errno;
    if (me->result == 0) {
        me->place = places++;
        me->word = *me->second;
        NEED(unlock(me->second) == 0);
    }
    if (me->first != NULL) {
        NEED(unlock(me->first) == 0);
    }
    return NULL;
}

// Returns once it waits.
static void waiter_start(struct waiter *waiter) {
    long priority;
    NEED(pthread_create(&waiter->thread, NULL, waiter_run, waiter) == 0);
    while (waiter->tid == 0 || (*waiter->second & FUTEX_WAITERS) == 0 ||
           stat_of(waiter->tid, &priority) != 'S') {
        a_moment();
    }
}

static void waiter_end(struct waiter *waiter) {
    pthread_join(waiter->thread, NULL);
}

static void refuses(void) {
    _Atomic uint32_t words[2] = { 0, 0 };
    const struct timespec bad = { 0, 1000000000 };
    _Atomic uint32_t *odd = (void *)((char *)words + 1);
    for (int operation = FUTEX_LOCK_PI; operation <= FUTEX_TRYLOCK_PI; operation++) {
        REFUSED(futex(odd, operation, 0, NULL, NULL, 0),
                operation == FUTEX_UNLOCK_PI ? EPERM : EINVAL); // which looks at the word first
        REFUSED(futex((void *)8, operation, 0, NULL, NULL, 0), EFAULT);
    }
    REFUSED(futex(words, FUTEX_LOCK_PI, 0, &bad, NULL, 0), EINVAL);
    REFUSED(futex(words, FUTEX_LOCK_PI, 0, (void *)8, NULL, 0), EFAULT);
    REFUSED(futex(words, FUTEX_LOCK_PI | FUTEX_CLOCK_REALTIME, 0, NULL, NULL, 0), ENOSYS);
    REFUSED(futex(words, FUTEX_LOCK_PI | FUTEX_CLOCK_REALTIME, 0, (void *)8, NULL, 0), EFAULT);
    REFUSED(unlock(words), EPERM);
    words[0] = 1;
    REFUSED(unlock(words), EPERM);
    words[0] = self();
    REFUSED(lock(words), EDEADLK);
    REFUSED(futex(words, FUTEX_TRYLOCK_PI, 0, NULL, NULL, 0), EDEADLK);
    words[0] = FUTEX_TID_MASK; // no thread has that number
    REFUSED(lock(words), ESRCH);
    REFUSED(futex(words, FUTEX_TRYLOCK_PI, 0, NULL, NULL, 0), ESRCH);
    REFUSED(futex(words, FUTEX_WAIT_REQUEUE_PI, words[0], NULL, words, 0), EINVAL);
    REFUSED(futex(words, FUTEX_WAIT_REQUEUE_PI, 5, NULL, words + 1, 0), EAGAIN);
    REFUSED(futex(words, FUTEX_CMP_REQUEUE_PI, 2, (void *)1, words + 1, words[0]), EINVAL);
    REFUSED(futex(words, FUTEX_CMP_REQUEUE_PI, 1, (void *)1, words, words[0]), EINVAL);
    REFUSED(futex(words, FUTEX_CMP_REQUEUE_PI, 1, (void *)1, words + 1, 5), EAGAIN);
    SAME(futex(words, FUTEX_CMP_REQUEUE_PI, 1, (void *)1, words + 1, words[0]), 0);
}

static void alone(void) {
    _Atomic uint32_t word = 0;
    SAME(lock(&word), 0);
    SAME(word, self());
    SAME(unlock(&word), 0);
    SAME(word, 0);
    SAME(futex(&word, FUTEX_TRYLOCK_PI, 0, NULL, NULL, 0), 0);
    SAME(word, self());
    SAME(unlock(&word), 0);
    word = FUTEX_OWNER_DIED;
    SAME(lock(&word), 0);
    SAME(word, self() | FUTEX_OWNER_DIED);
    SAME(unlock(&word), 0);
    SAME(word, 0);
    SAME(futex(&word, FUTEX_LOCK_PI2, 0, NULL, NULL, 0), 0);
    SAME(unlock(&word), 0);
}

static void limits(void) {
    _Atomic uint32_t word = 0;
    struct waiter other = { .second = &word, .limit_ms = 20 };
    NEED(lock(&word) == 0);
    NEED(pthread_create(&other.thread, NULL, waiter_run, &other) == 0);
    waiter_end(&other);
    SAME(other.result, -1);
    SAME(other.error, ETIMEDOUT);
    SAME(unlock(&word), 0);
    SAME(word, 0);
}

static void *holder_run(void *argument) {
    _Atomic uint32_t *words = argument;
    NEED(lock(&words[0]) == 0);
    words[1] = 1;
    while (words[1] == 1) {
        futex(&words[1], FUTEX_WAIT, 1, NULL, NULL, 0);
    }
    NEED(unlock(&words[0]) == 0);
    return NULL;
}

static void holder_start(pthread_t *thread, _Atomic uint32_t *words) {
    NEED(pthread_create(thread, NULL, holder_run, words) == 0);
    while (words[1] == 0) {
        a_moment();
    }
}

static void holder_end(pthread_t thread, _Atomic uint32_t *words) {
    words[1] = 2;
    futex(&words[1], FUTEX_WAKE, 1, NULL, NULL, 0);
    pthread_join(thread, NULL);
}

static void clocks(void) {
    static _Atomic uint32_t words[2];
    pthread_t thread;
    holder_start(&thread, words);
    REFUSED(futex(words, FUTEX_TRYLOCK_PI, 0, NULL, NULL, 0), EAGAIN);
    REFUSED(unlock(words), EPERM);
    struct timespec limit = after_ms(CLOCK_MONOTONIC, 20);
    REFUSED(futex(words, FUTEX_LOCK_PI2, 0, &limit, NULL, 0), ETIMEDOUT);
    limit = after_ms(CLOCK_REALTIME, 20);
    REFUSED(futex(words, FUTEX_LOCK_PI2 | FUTEX_CLOCK_REALTIME, 0, &limit, NULL, 0), ETIMEDOUT);
    limit = (struct timespec){ 0, 0 };
    REFUSED(futex(words, FUTEX_LOCK_PI, 0, &limit, NULL, 0), ETIMEDOUT);
    REFUSED(futex(words, FUTEX_WAIT_REQUEUE_PI, words[0], &limit, words + 1, 0), ETIMEDOUT);
    holder_end(thread, words);
    SAME(words[0], 0);
}

static void most_urgent_first(void) {
    static _Atomic uint32_t word;
    struct waiter waiters[] = { { .second = &word },
                                { .second = &word, .priority = 3 },
                                { .second = &word, .priority = 7 },
                                { .second = &word },
                                { .second = &word, .priority = 3 } };
    static const int order[] = { 3, 1, 0, 4, 2 };
    NEED(lock(&word) == 0);
    for (int i = 0; i < 5; i++) {
        waiter_start(&waiters[i]);
    }
    REFUSED(futex(&word, FUTEX_WAKE, 1, NULL, NULL, 0), EINVAL);
    places = 0;
    SAME(unlock(&word), 0);
    for (int i = 0; i < 5; i++) {
        waiter_end(&waiters[i]);
        SAME(waiters[i].result, 0);
        SAME(waiters[i].word & FUTEX_TID_MASK, waiters[i].tid);
        SAME(waiters[i].place, order[i]);
    }
    SAME(word, 0);
}

static void lends(void) {
    static _Atomic uint32_t word;
    struct waiter low = { .second = &word, .priority = 4 };
    struct waiter high = { .second = &word, .priority = 30, .limit_ms = 4000 };
    NEED(lock(&word) == 0);
    SAME(priority_of(self()), ORDINARY);
    waiter_start(&low);
    SAME(priority_of(self()), -1 - 4);
    waiter_start(&high);
    SAME(priority_of(self()), -1 - 30);
    SAME(syscall(SYS_sched_getscheduler, 0), SCHED_OTHER); // its own is what it was
    waiter_end(&high);
    SAME(high.error, ETIMEDOUT);
    SAME(priority_of(self()), -1 - 4);
    SAME(unlock(&word), 0);
    SAME(priority_of(self()), ORDINARY);
    waiter_end(&low);
    SAME(low.result, 0);
}

// With the lock goes what those lend who wait on.
static void *keeps(void *argument) {
    _Atomic uint32_t *words = argument;
    become(0, SCHED_FIFO, 8);
    words[1] = self();
    NEED(lock(&words[0]) == 0);
    words[2] = 1;
    while (words[2] == 1) {
        futex(&words[2], FUTEX_WAIT, 1, NULL, NULL, 0);
    }
    NEED(unlock(&words[0]) == 0);
    return NULL;
}

static void lends_to_the_next(void) {
    static _Atomic uint32_t words[3];
    pthread_t next;
    struct waiter last = { .second = words, .priority = 5 };
    NEED(lock(&words[0]) == 0);
    NEED(pthread_create(&next, NULL, keeps, words) == 0);
    while (priority_of(self()) != -1 - 8) {
        a_moment();
    }
    waiter_start(&last);
    SAME(unlock(&words[0]), 0);
    SAME(priority_of(self()), ORDINARY);
    while (words[2] == 0) {
        a_moment();
    }
    become(last.tid, SCHED_FIFO, 9);
    SAME(priority_of(words[1]), -1 - 9);
    words[2] = 2;
    futex(&words[2], FUTEX_WAKE, 1, NULL, NULL, 0);
    pthread_join(next, NULL);
    waiter_end(&last);
    SAME(last.result, 0);
}

// What a child gets is the own priority of who makes it.
static void lends_no_child(void) {
    static _Atomic uint32_t word;
    struct waiter high = { .second = &word, .priority = 30 };
    NEED(lock(&word) == 0);
    waiter_start(&high);
    pid_t child;
    CHILD(child) {
        CHECK(priority_of((uint32_t)getpid()) == ORDINARY);
    }
    EXITS(child, 0);
    NEED(unlock(&word) == 0);
    waiter_end(&high);
}

// Who has a lock and waits for the next one passes on what it is lent.
static void lends_along(void) {
    static _Atomic uint32_t words[3];
    struct waiter middle = { .first = &words[1], .second = &words[0] };
    struct waiter last = { .first = &words[2], .second = &words[1] };
    struct waiter high = { .second = &words[2], .priority = 9 };
    NEED(lock(&words[0]) == 0);
    waiter_start(&middle);
    waiter_start(&last);
    SAME(priority_of(self()), ORDINARY);
    waiter_start(&high);
    SAME(priority_of(last.tid), -1 - 9);
    SAME(priority_of(middle.tid), -1 - 9);
    SAME(priority_of(self()), -1 - 9);
    become(high.tid, SCHED_RR, 60);
    SAME(priority_of(self()), -1 - 60);
    become(middle.tid, SCHED_FIFO, 70);
    SAME(priority_of(self()), -1 - 70);
    become(middle.tid, SCHED_OTHER, 0);
    SAME(priority_of(self()), -1 - 60);
    SAME(unlock(&words[0]), 0);
    SAME(priority_of(self()), ORDINARY);
    waiter_end(&high);
    waiter_end(&last);
    waiter_end(&middle);
    SAME(high.result + last.result + middle.result, 0);
}

static void finds_circles(void) {
    static _Atomic uint32_t words[3];
    struct waiter one = { .first = &words[1], .second = &words[0] };
    struct waiter two = { .first = &words[2], .second = &words[1] };
    NEED(lock(&words[0]) == 0);
    waiter_start(&one);
    REFUSED(lock(&words[1]), EDEADLK);
    waiter_start(&two);
    REFUSED(lock(&words[2]), EDEADLK);
    SAME(unlock(&words[0]), 0);
    waiter_end(&one);
    waiter_end(&two);
}

static void *dies_holding(void *argument) {
    _Atomic uint32_t *words = argument;
    NEED(lock(&words[0]) == 0);
    words[1] = self();
    while (words[2] == 0) {
        futex(&words[2], FUTEX_WAIT, 0, NULL, NULL, 0);
    }
    return NULL;
}

// Who waits for a lock whose holder ends gets it, and is told so.
static void holder_dies(void) {
    static _Atomic uint32_t words[3];
    pthread_t thread;
    struct waiter waiters[2] = { { .second = words }, { .second = words, .priority = 2 } };
    NEED(pthread_create(&thread, NULL, dies_holding, words) == 0);
    while (words[1] == 0) {
        a_moment();
    }
    waiter_start(&waiters[0]);
    waiter_start(&waiters[1]);
    SAME(priority_of(words[1]), -1 - 2);
    words[2] = 1;
    futex(&words[2], FUTEX_WAKE, 1, NULL, NULL, 0);
    pthread_join(thread, NULL);
    int told = 0;
    for (int i = 0; i < 2; i++) {
        waiter_end(&waiters[i]);
        SAME(waiters[i].result, 0);
        SAME(waiters[i].word & FUTEX_TID_MASK, waiters[i].tid);
        told += (waiters[i].word & FUTEX_OWNER_DIED) != 0;
    }
    SAME(told, 1);
    // Nobody waited when this one ended.
    words[1] = 0;
    NEED(pthread_create(&thread, NULL, dies_holding, words) == 0);
    pthread_join(thread, NULL);
    SAME(words[0], words[1]);
    REFUSED(lock(words), ESRCH);
}

static _Atomic int handled;

static void handle(int number) {
    (void)number;
    handled++;
}

// A handler without SA_RESTART does not end the wait.
static void goes_on_after_signals(void) {
    static _Atomic uint32_t word;
    struct waiter other = { .second = &word };
    const struct sigaction action = { .sa_handler = handle };
    NEED(sigaction(SIGUSR1, &action, NULL) == 0);
    NEED(lock(&word) == 0);
    waiter_start(&other);
    NEED(pthread_kill(other.thread, SIGUSR1) == 0);
    while (handled == 0) {
        a_moment();
    }
    SAME(unlock(&word), 0);
    waiter_end(&other);
    SAME(other.result, 0);
}

static _Atomic uint32_t *shared_words(void) {
    void *memory = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    NEED(memory != MAP_FAILED);
    return memory;
}

static void between_processes(void) {
    _Atomic uint32_t *words = shared_words();
    NEED(lock(&words[0]) == 0);
    pid_t child;
    CHILD(child) {
        become(0, SCHED_FIFO, 5);
        CHECK(lock(&words[0]) == 0);
        words[2] = words[0] & FUTEX_TID_MASK;
        words[1] = 1;
        pause();
    }
    while ((words[0] & FUTEX_WAITERS) == 0) {
        a_moment();
    }
    until_asleep(child);
    SAME(priority_of(self()), -1 - 5);
    SAME(unlock(&words[0]), 0);
    while (words[1] == 0) {
        a_moment();
    }
    SAME(words[2], child);
    struct waiter waiter = { .second = &words[0] };
    words[0] |= FUTEX_WAITERS; // so that waiter_start() returns only once it waits
    waiter_start(&waiter);
    kill(child, SIGKILL);
    KILLED(child, SIGKILL);
    waiter_end(&waiter);
    SAME(waiter.result, 0);
    CHECK((waiter.word & FUTEX_OWNER_DIED) != 0);
}

// What an exec leaves behind is given to who waits for it.
static void holder_execs(void) {
    _Atomic uint32_t *words = shared_words();
    pid_t child;
    CHILD(child) {
        NEED(lock(&words[0]) == 0);
        words[1] = 1;
        while ((words[0] & FUTEX_WAITERS) == 0) {
            a_moment();
        }
        execl("/proc/self/exe", "futex_pi", "no case", NULL);
        NEED(false);
    }
    while (words[1] == 0) {
        a_moment();
    }
    SAME(lock(&words[0]), 0);
    SAME(words[0] & FUTEX_TID_MASK, self());
    EXITS(child, 0);
    SAME(unlock(&words[0]), 0);
    SAME(words[0], 0);
}

#define BUSY_BYTES (4 << 20)
#define ROUNDS     100u

// The rounds of a lock that is given up: where the one that runs is, and who holds what.
struct late {
    _Atomic uint32_t *words, *step;
    char *busy;
};

static void await(_Atomic uint32_t *step, uint32_t wanted) {
    while (*step < wanted) {
        sched_yield();
    }
}

// Keeps the memory of its process busy while the lock is given up: faults have to wait.
static void *keeps_busy(void *argument) {
    const struct late *late = argument;
    for (uint32_t i = 0; i < ROUNDS; i++) {
        await(late->step, 4 * i + 2);
        while (*late->step == 4 * i + 2) {
            NEED(mprotect(late->busy, BUSY_BYTES, PROT_READ) == 0);
            NEED(mprotect(late->busy, BUSY_BYTES, PROT_READ | PROT_WRITE) == 0);
        }
    }
    return NULL;
}

// It may write the word, and has to fault first: between the choice of an heir and the word there
// is time for others.
static void gives_up_slowly(struct late *late) {
    pthread_t thread;
    late->busy = mmap(NULL, BUSY_BYTES, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    NEED(late->busy != MAP_FAILED);
    NEED(pthread_create(&thread, NULL, keeps_busy, late) == 0);
    for (uint32_t i = 0; i < ROUNDS; i++) {
        NEED(lock(late->words) == 0);
        NEED(mprotect((void *)late->words, 4096, PROT_READ) == 0);
        NEED(mprotect((void *)late->words, 4096, PROT_READ | PROT_WRITE) == 0);
        *late->step = 4 * i + 1;
        await(late->step, 4 * i + 2);
        NEED(unlock(late->words) == 0);
        *late->step = 4 * i + 3;
        await(late->step, 4 * i + 4);
    }
    pthread_join(thread, NULL);
}

// Who comes while a lock is given up to nobody gets it.
static void comes_late(void) {
    struct late late = { shared_words(), shared_words(), NULL };
    const struct timespec past = { 0, 0 };
    pid_t child;
    CHILD(child) {
        gives_up_slowly(&late);
    }
    for (uint32_t i = 0; i < ROUNDS; i++) {
        await(late.step, 4 * i + 1);
        REFUSED(futex(late.words, FUTEX_LOCK_PI, 0, &past, NULL, 0), ETIMEDOUT);
        *late.step = 4 * i + 2;
        for (volatile uint32_t spin = 0; spin < i * 37 % 97 * 200; spin++) {
        }
        SAME(lock(late.words), 0);
        SAME(unlock(late.words), 0);
        await(late.step, 4 * i + 3);
        *late.step = 4 * i + 4;
    }
    EXITS(child, 0);
}

// Of a condition: who waits is moved to the lock.
struct mover {
    pthread_t thread;
    _Atomic uint32_t *words; // what it waits at, and the lock
    _Atomic uint32_t tid;
    long result;
    uint32_t word;
};

static void *mover_run(void *argument) {
    struct mover *me = argument;
    me->tid = self();
    me->result = futex(&me->words[0], FUTEX_WAIT_REQUEUE_PI, 0, NULL, &me->words[1], 0);
    me->word = me->words[1];
    NEED(unlock(&me->words[1]) == 0);
    return NULL;
}

static void moves(void) {
    static _Atomic uint32_t words[3];
    struct mover movers[3];
    long priority;
    for (int i = 0; i < 3; i++) {
        movers[i] = (struct mover){ .words = words };
        NEED(pthread_create(&movers[i].thread, NULL, mover_run, &movers[i]) == 0);
        while (movers[i].tid == 0 || stat_of(movers[i].tid, &priority) != 'S') {
            a_moment();
        }
    }
    REFUSED(futex(words, FUTEX_WAKE, 1, NULL, NULL, 0), EINVAL);
    REFUSED(futex(words, FUTEX_CMP_REQUEUE, 1, (void *)1, &words[1], 0), EINVAL);
    REFUSED(futex(words, FUTEX_CMP_REQUEUE_PI, 1, (void *)1, &words[2], 0), EINVAL);
    NEED(lock(&words[1]) == 0);
    SAME(futex(words, FUTEX_CMP_REQUEUE_PI, 1, (void *)1, &words[1], 0), 2);
    SAME(futex(words, FUTEX_CMP_REQUEUE_PI, 1, (void *)(long)INT_MAX, &words[1], 0), 1);
    SAME(futex(words, FUTEX_CMP_REQUEUE_PI, 1, (void *)(long)INT_MAX, &words[1], 0), 0);
    SAME(words[1] & FUTEX_TID_MASK, self());
    SAME(unlock(&words[1]), 0);
    for (int i = 0; i < 3; i++) {
        pthread_join(movers[i].thread, NULL);
        SAME(movers[i].result, 0);
        SAME(movers[i].word & FUTEX_TID_MASK, movers[i].tid);
    }
    SAME(words[1], 0);
}

static void *waits_plainly(void *argument) {
    futex(argument, FUTEX_WAIT, 0, NULL, NULL, 0);
    return NULL;
}

static void moves_no_others(void) {
    static _Atomic uint32_t words[2];
    static _Atomic uint32_t aside;
    pthread_t thread;
    NEED(pthread_create(&thread, NULL, waits_plainly, words) == 0);
    while (futex(words, FUTEX_CMP_REQUEUE, 0, (void *)1, &aside, 0) == 0) {
        a_moment();
    }
    REFUSED(futex(&aside, FUTEX_CMP_REQUEUE_PI, 1, (void *)1, &words[1], 0), EINVAL);
    SAME(futex(&aside, FUTEX_WAKE, 1, NULL, NULL, 0), 1);
    pthread_join(thread, NULL);
}

static pthread_mutex_t mutex;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
static int counted;
static int turn;

static void mutex_make(int robust) {
    pthread_mutexattr_t attributes;
    NEED(pthread_mutexattr_init(&attributes) == 0);
    NEED(pthread_mutexattr_setprotocol(&attributes, PTHREAD_PRIO_INHERIT) == 0);
    NEED(pthread_mutexattr_setrobust(&attributes, robust) == 0);
    NEED(pthread_mutex_init(&mutex, &attributes) == 0);
}

#define LOOPS 3000

static void *counts(void *argument) {
    for (int i = 0; i < LOOPS; i++) {
        NEED(pthread_mutex_lock(&mutex) == 0);
        counted++;
        NEED(pthread_mutex_unlock(&mutex) == 0);
    }
    return argument;
}

static void pthreads(void) {
    pthread_t threads[4];
    mutex_make(PTHREAD_MUTEX_STALLED);
    for (int i = 0; i < 4; i++) {
        NEED(pthread_create(&threads[i], NULL, counts, NULL) == 0);
    }
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
    }
    SAME(counted, 4 * LOOPS);
}

static void *takes_turns(void *argument) {
    const int mine = argument != NULL;
    NEED(pthread_mutex_lock(&mutex) == 0);
    for (int i = 0; i < 200; i++) {
        while (turn != mine) {
            NEED(pthread_cond_wait(&condition, &mutex) == 0);
        }
        turn = !mine;
        pthread_cond_broadcast(&condition);
    }
    NEED(pthread_mutex_unlock(&mutex) == 0);
    return NULL;
}

static void conditions(void) {
    pthread_t thread;
    mutex_make(PTHREAD_MUTEX_STALLED);
    NEED(pthread_create(&thread, NULL, takes_turns, NULL) == 0);
    takes_turns(&thread);
    pthread_join(thread, NULL);
    SAME(turn, 0);
}

static void *abandons(void *argument) {
    NEED(pthread_mutex_lock(&mutex) == 0);
    return argument;
}

static _Atomic bool is_taken, will_wait;

// While the first thread waits for it.
static void *abandons_late(void *argument) {
    NEED(pthread_mutex_lock(&mutex) == 0);
    is_taken = true;
    while (!will_wait) {
        a_moment();
    }
    until_asleep(getpid());
    return argument;
}

static void robust_with_waiters(void) {
    pthread_t thread;
    mutex_make(PTHREAD_MUTEX_ROBUST);
    NEED(pthread_create(&thread, NULL, abandons_late, NULL) == 0);
    while (!is_taken) {
        a_moment();
    }
    will_wait = true;
    SAME(pthread_mutex_lock(&mutex), EOWNERDEAD);
    pthread_join(thread, NULL);
    SAME(pthread_mutex_consistent(&mutex), 0);
    SAME(pthread_mutex_unlock(&mutex), 0);
    SAME(pthread_mutex_lock(&mutex), 0);
    SAME(pthread_mutex_unlock(&mutex), 0);
}

static void robust(void) {
    pthread_t thread;
    mutex_make(PTHREAD_MUTEX_ROBUST);
    NEED(pthread_create(&thread, NULL, abandons, NULL) == 0);
    pthread_join(thread, NULL);
    SAME(pthread_mutex_lock(&mutex), EOWNERDEAD);
    SAME(pthread_mutex_consistent(&mutex), 0);
    SAME(pthread_mutex_unlock(&mutex), 0);
    SAME(pthread_mutex_lock(&mutex), 0);
    SAME(pthread_mutex_unlock(&mutex), 0);
}

static const struct check_case cases[] = {
    CASE(refuses),
    CASE(alone),
    CASE(limits),
    CASE(clocks),
    CASE(most_urgent_first),
    CASE(lends),
    CASE(lends_to_the_next),
    CASE(lends_no_child),
    CASE(lends_along),
    CASE(finds_circles),
    CASE(holder_dies),
    CASE(goes_on_after_signals),
    CASE(between_processes),
    CASE(holder_execs),
    CASE(comes_late),
    CASE(moves),
    CASE(moves_no_others),
    CASE(pthreads),
    CASE(conditions),
    CASE(robust),
    CASE(robust_with_waiters),
};
CHECK_MAIN(cases)
