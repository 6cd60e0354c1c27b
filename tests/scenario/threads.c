// SPDX-License-Identifier: MIT OR Apache-2.0
// RUN: musl glibc
// Eight threads of one program, with all that POSIX threads build on futexes and signals.
#include "check.h"

#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdatomic.h>

enum { THREADS = 8, ROUNDS = 2000 };

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
static long counter;
static __thread long own;

static void run_all(void *(*body)(void *), void *results[THREADS]) {
    pthread_t threads[THREADS];
    for (long i = 0; i < THREADS; i++) {
        NEED(pthread_create(&threads[i], NULL, body, (void *)i) == 0);
    }
    for (int i = 0; i < THREADS; i++) {
        NEED(pthread_join(threads[i], results ? &results[i] : NULL) == 0);
    }
}

static void *count(void *argument) {
    for (int i = 0; i < ROUNDS; i++) {
        pthread_mutex_lock(&mutex);
        counter++;
        pthread_mutex_unlock(&mutex);
        own++;
        if (i % 100 == 0) {
            sched_yield();
        }
    }
    return (void *)(own + (long)argument);
}

static void mutual_exclusion(void) {
    void *results[THREADS];
    run_all(count, results);
    SAME(counter, THREADS * ROUNDS);
    for (long i = 0; i < THREADS; i++) {
        SAME((long)results[i], ROUNDS + i); // thread-local storage is each thread's own
    }
}

static int turn;
static void *take_turns(void *argument) {
    for (int i = 0; i < 100; i++) {
        pthread_mutex_lock(&mutex);
        while (turn % THREADS != (int)(long)argument) {
            pthread_cond_wait(&condition, &mutex);
        }
        turn++;
        pthread_cond_broadcast(&condition);
        pthread_mutex_unlock(&mutex);
    }
    return NULL;
}

static void conditions(void) {
    run_all(take_turns, NULL);
    SAME(turn, 100 * THREADS);
}

static pthread_barrier_t barrier;
static atomic_int phase_count[10];
static void *phases(void *argument) {
    (void)argument;
    for (int i = 0; i < 10; i++) {
        atomic_fetch_add(&phase_count[i], 1);
        pthread_barrier_wait(&barrier);
        if (atomic_load(&phase_count[i]) != THREADS) {
            return (void *)1;
        }
    }
    return NULL;
}

static void barriers(void) {
    void *results[THREADS];
    pthread_barrier_init(&barrier, NULL, THREADS);
    run_all(phases, results);
    for (int i = 0; i < THREADS; i++) {
        CHECK(results[i] == NULL);
    }
}

static sem_t full;
static sem_t empty;
static int slots[4];
static atomic_int sum;
static void *produce_or_consume(void *argument) {
    static atomic_int in;
    static atomic_int out;
    for (int i = 0; i < 500; i++) {
        if ((long)argument % 2) {
            sem_wait(&empty);
            pthread_mutex_lock(&mutex);
            slots[in++ % 4] = i;
            pthread_mutex_unlock(&mutex);
            sem_post(&full);
        } else {
            sem_wait(&full);
            pthread_mutex_lock(&mutex);
            sum += slots[out++ % 4];
            pthread_mutex_unlock(&mutex);
            sem_post(&empty);
        }
    }
    return NULL;
}

static void semaphores(void) {
    sem_init(&full, 0, 0);
    sem_init(&empty, 0, 4);
    run_all(produce_or_consume, NULL);
    SAME(sum, THREADS / 2 * (499 * 500 / 2));
}

static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
static long pair[2];
static void *read_or_write(void *argument) {
    for (int i = 0; i < 500; i++) {
        if ((long)argument < 2) {
            pthread_rwlock_wrlock(&rwlock);
            pair[0]++;
            pair[1]++;
            pthread_rwlock_unlock(&rwlock);
        } else {
            pthread_rwlock_rdlock(&rwlock);
            bool same = pair[0] == pair[1];
            pthread_rwlock_unlock(&rwlock);
            if (!same) {
                return (void *)1;
            }
        }
    }
    return NULL;
}

static void reader_writer_locks(void) {
    void *results[THREADS];
    run_all(read_or_write, results);
    for (int i = 0; i < THREADS; i++) {
        CHECK(results[i] == NULL);
    }
    SAME(pair[0], 1000);
}

static void *exit_early(void *argument) {
    pthread_exit((void *)((long)argument * 3));
}

static void create_and_join(void) {
    for (long i = 0; i < 200; i++) {
        pthread_t thread;
        void *result;
        NEED(pthread_create(&thread, NULL, exit_early, (void *)i) == 0);
        NEED(pthread_join(thread, &result) == 0);
        SAME((long)result, i * 3);
    }
}

static atomic_int detached_done;
static void *detached(void *argument) {
    (void)argument;
    atomic_fetch_add(&detached_done, 1);
    return NULL;
}

static void detached_threads(void) {
    for (int i = 0; i < 100; i++) {
        pthread_t thread;
        NEED(pthread_create(&thread, NULL, detached, NULL) == 0);
        pthread_detach(thread);
    }
    while (atomic_load(&detached_done) != 100) {
        sched_yield();
    }
}

static void *identity(void *argument) {
    (void)argument;
    if (getpid() == (pid_t)syscall(SYS_gettid)) {
        return (void *)1;
    }
    return (void *)(long)(getppid() == 0);
}

static void identities(void) {
    SAME(getpid(), syscall(SYS_gettid));
    void *results[THREADS];
    run_all(identity, results);
    for (int i = 0; i < THREADS; i++) {
        CHECK(results[i] == NULL);
    }
}

static void *wait_for_cancel(void *argument) {
    (void)argument;
    for (;;) {
        pause();
    }
    return NULL;
}

static void cancellation(void) {
    pthread_t thread;
    void *result;
    NEED(pthread_create(&thread, NULL, wait_for_cancel, NULL) == 0);
    SAME(pthread_cancel(thread), 0);
    SAME(pthread_join(thread, &result), 0);
    CHECK(result == PTHREAD_CANCELED);
}

static atomic_int signalled_tid;
static void on_signal(int number) {
    (void)number;
    atomic_store(&signalled_tid, (int)syscall(SYS_gettid));
}

static atomic_int waiter_tid;
static atomic_int waiter_stop;
static void *signal_waiter(void *argument) {
    (void)argument;
    atomic_store(&waiter_tid, (int)syscall(SYS_gettid));
    while (!atomic_load(&waiter_stop)) {
        sched_yield();
    }
    return NULL;
}

static void signals_to_a_thread(void) {
    struct sigaction action = { .sa_handler = on_signal };
    sigaction(SIGUSR1, &action, NULL);
    pthread_t thread;
    NEED(pthread_create(&thread, NULL, signal_waiter, NULL) == 0);
    while (!atomic_load(&waiter_tid)) {
        sched_yield();
    }
    SAME(pthread_kill(thread, SIGUSR1), 0);
    while (!atomic_load(&signalled_tid)) {
        sched_yield();
    }
    SAME(atomic_load(&signalled_tid), atomic_load(&waiter_tid));
    // A signal to the process goes to a thread that does not block it.
    atomic_store(&signalled_tid, 0);
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    SAME(kill(getpid(), SIGUSR1), 0);
    while (!atomic_load(&signalled_tid)) {
        sched_yield();
    }
    SAME(atomic_load(&signalled_tid), atomic_load(&waiter_tid));
    atomic_store(&waiter_stop, 1);
    pthread_join(thread, NULL);
}

static void *spin(void *argument) {
    (void)argument;
    for (;;) {
    }
    return NULL;
}

static void exit_ends_all(void) {
    pid_t pid = fork();
    if (pid == 0) {
        pthread_t thread;
        for (int i = 0; i < 4; i++) {
            pthread_create(&thread, NULL, i % 2 ? spin : wait_for_cancel, NULL);
        }
        _exit(12);
    }
    EXITS(pid, 12);
    pid = fork();
    if (pid == 0) {
        pthread_t thread;
        pthread_create(&thread, NULL, spin, NULL);
        for (;;) {
            pause();
        }
    }
    kill(pid, SIGTERM);
    KILLED(pid, SIGTERM);
}

static void *do_exec(void *argument) {
    (void)argument;
    execl("/bin/busybox", "sh", "-c", "exit $(($$ == PPID_WANTED ? 5 : 6))", NULL);
    return NULL;
}

static void exec_from_a_thread(void) {
    pid_t pid = fork();
    if (pid == 0) {
        char text[32];
        snprintf(text, sizeof text, "%d", getpid());
        setenv("PPID_WANTED", text, 1);
        pthread_t thread;
        pthread_create(&thread, NULL, spin, NULL);
        pthread_create(&thread, NULL, do_exec, NULL);
        for (;;) {
            pause();
        }
    }
    EXITS(pid, 5); // the new program has the leader's number
}

static void *fork_inside(void *argument) {
    (void)argument;
    pid_t pid = fork();
    if (pid == 0) {
        _exit(getpid() == (pid_t)syscall(SYS_gettid) ? 8 : 1);
    }
    int status = check_wait(pid);
    return (void *)(long)(WIFEXITED(status) && WEXITSTATUS(status) == 8 ? 0 : 1);
}

static void fork_from_threads(void) {
    void *results[THREADS];
    run_all(fork_inside, results);
    for (int i = 0; i < THREADS; i++) {
        CHECK(results[i] == NULL);
    }
}

static char *volatile page;
static atomic_int faults;
static void *touch_pages(void *argument) {
    for (int i = 0; i < 200; i++) {
        char *at = mmap(NULL, 16384, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (at == MAP_FAILED) {
            return (void *)1;
        }
        for (int k = 0; k < 4; k++) {
            if (at[k * 4096] != 0) {
                return (void *)2;
            }
            at[k * 4096] = (char)(1 + (long)argument);
        }
        if (munmap(at, 16384) != 0) {
            return (void *)3;
        }
    }
    return NULL;
}

static void memory_in_parallel(void) {
    void *results[THREADS];
    run_all(touch_pages, results);
    for (int i = 0; i < THREADS; i++) {
        SAME((long)results[i], 0);
    }
}

static atomic_int stop_writing;
static void *write_page(void *argument) {
    (void)argument;
    while (!atomic_load(&stop_writing)) {
        (*(volatile char *)page)++;
    }
    return NULL;
}

static void on_fault(int number) {
    (void)number;
    mprotect(page, 4096, PROT_READ | PROT_WRITE);
    atomic_fetch_add(&faults, 1); // told before the writer can go on
}

// A protection that is taken away holds on every processor when mprotect has returned.
static void protection_reaches_all(void) {
    page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    struct sigaction action = { .sa_handler = on_fault };
    sigaction(SIGSEGV, &action, NULL);
    pthread_t writer;
    NEED(pthread_create(&writer, NULL, write_page, NULL) == 0);
    for (int i = 0; i < 100; i++) {
        int before = atomic_load(&faults);
        NEED(mprotect(page, 4096, PROT_READ) == 0);
        char first = *(volatile char *)page;
        char second = *(volatile char *)page;
        if (atomic_load(&faults) == before) {
            SAME(first, second);
        }
        while (atomic_load(&faults) == before) {
            sched_yield();
        }
    }
    atomic_store(&stop_writing, 1);
    pthread_join(writer, NULL);
}

static void *ends_at_once(void *argument) {
    return argument;
}

// One that was joined takes no signal that others have blocked since.
static void who_is_joined_takes_no_signal(void) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR2);
    for (int i = 0; i < 300; i++) {
        pthread_t thread;
        const struct timespec now = { 0, 0 };
        NEED(sigprocmask(SIG_UNBLOCK, &set, NULL) == 0);
        NEED(pthread_create(&thread, NULL, ends_at_once, NULL) == 0);
        NEED(pthread_join(thread, NULL) == 0);
        NEED(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
        NEED(kill(getpid(), SIGUSR2) == 0); // would end the process
        SAME(sigtimedwait(&set, NULL, &now), SIGUSR2);
    }
}

static const struct check_case cases[] = {
    CASE(mutual_exclusion),
    CASE(conditions),
    CASE(barriers),
    CASE(semaphores),
    CASE(reader_writer_locks),
    CASE(create_and_join),
    CASE(detached_threads),
    CASE(identities),
    CASE(cancellation),
    CASE(signals_to_a_thread),
    CASE(exit_ends_all),
    CASE(exec_from_a_thread),
    CASE(fork_from_threads),
    CASE(memory_in_parallel),
    CASE(protection_reaches_all),
    CASE(who_is_joined_takes_no_signal),
};
CHECK_MAIN(cases)
