// SPDX-License-Identifier: MIT OR Apache-2.0
// tests/native/scheduler.c: scheduling policies are swapped while 200 threads run: none is lost,
// none starves, none loses what it was told; and each policy shares the processor as it says.
#include "native.h"

#include <pthread.h>
#include <sched.h>
#include <sys/resource.h>

#define FILE_NAME "/proc/helix/scheduler"
#define THREADS   200
#define ROUNDS    88 // of swaps through all policies
#define POLICIES  3

static const char *const policies[POLICIES] = { "rr", "fair", "predictive" };

static int choose(const char *name) {
    const int fd = open(FILE_NAME, O_WRONLY);
    NEED(fd >= 0);
    const ssize_t put = write(fd, name, strlen(name));
    const int error = put < 0 ? errno : 0;
    close(fd);
    return error;
}

// Packages of modules.
static uint8_t package[1 << 20];
static struct hx_module_report report;

static int64_t load(const char *name) {
    char path[64];
    snprintf(path, sizeof(path), "/lib/helix/%s.hxm", name);
    const int fd = open(path, O_RDONLY);
    const int64_t modules = NATIVE(module_all);
    NEED(fd >= 0 && modules > 0);
    const ssize_t size = read(fd, package, sizeof(package));
    NEED(size > 0);
    close(fd);
    return NATIVE(module_load, modules, package, size, &report);
}

static int64_t unload(const char *name) {
    struct hx_module_name bytes = { { 0 } };
    memcpy(bytes.bytes, name, strlen(name));
    const int64_t modules = NATIVE(module_all);
    NEED(modules > 0);
    return NATIVE(module_unload, modules, &bytes, &report);
}

static char *slurp(void) {
    static char text[1024];
    const int fd = open(FILE_NAME, O_RDONLY);
    NEED(fd >= 0);
    const ssize_t got = read(fd, text, sizeof(text) - 1);
    NEED(got > 0);
    close(fd);
    text[got] = '\0';
    return text;
}

static bool is_chosen(const char *name) {
    char line[64];
    snprintf(line, sizeof(line), "policy %s chosen\n", name);
    return strstr(slurp(), line) != NULL;
}

static long long value(const char *key) {
    const char *at = strstr(slurp(), key);
    NEED(at != NULL);
    return atoll(at + strlen(key));
}

static void refusals(void) {
    NEED(choose("rr") == 0);
    SAME(choose("none"), ENOENT);
    SAME(choose("\n"), ENOENT);
    SAME(choose("rr fair"), ENOENT);
    const pid_t pid = fork();
    NEED(pid >= 0);
    if (pid == 0) {
        NEED(setuid(1000) == 0);
        _exit(open(FILE_NAME, O_WRONLY) == -1 && errno == EACCES ? 0 : 1);
    }
    int status = -1;
    NEED(waitpid(pid, &status, 0) == pid);
    SAME(status, 0);
    CHECK(is_chosen("rr"));
}

static void counts(void) {
    NEED(choose("rr") == 0);
    const long long before = value("swaps ");
    SAME(choose("fair"), 0);
    CHECK(is_chosen("fair"));
    SAME(choose("fair"), 0); // is no swap
    SAME(choose("rr\n"), 0);
    CHECK(is_chosen("rr"));
    SAME(value("swaps "), before + 2);
    CHECK(value("last_freeze_ns ") > 0);
    CHECK(value("worst_freeze_ns ") >= value("last_freeze_ns "));
}

// Each thread works in its own way, and counts what it has done.
static _Atomic bool stop;
static _Atomic unsigned long work[THREADS];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned long locked_sum;
static int pipes[THREADS][2];

static void spin(void) {
    for (volatile unsigned i = 0; i < 500; i++) {
    }
}

static void work_once(unsigned id) {
    char byte = 0;
    switch (id % 5) {
    case 0:
        spin();
        break;
    case 1:
        sched_yield();
        break;
    case 2: // with the next one, by turns
        NEED(write(pipes[id][1], &byte, 1) == 1);
        NEED(read(pipes[id + 1][0], &byte, 1) == 1);
        break;
    case 3:
        NEED(read(pipes[id - 1][0], &byte, 1) == 1);
        NEED(write(pipes[id][1], &byte, 1) == 1);
        break;
    default:
        pthread_mutex_lock(&lock);
        locked_sum++;
        pthread_mutex_unlock(&lock);
        usleep(1000);
    }
}

static void *worker(void *argument) {
    const unsigned id = (unsigned)(uintptr_t)argument;
    const int before = setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid), (int)(id % 7));
    SAME(before, 0);
    while (!stop) {
        work_once(id);
        work[id]++;
    }
    if (id % 5 == 2 || id % 5 == 3) { // whom the other one waits for
        char byte = 0;
        NEED(write(pipes[id][1], &byte, 1) == 1);
    }
    return NULL;
}

static void crowd_start(pthread_t *threads) {
    stop = false;
    locked_sum = 0;
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, 64 << 10);
    for (unsigned i = 0; i < THREADS; i++) {
        work[i] = 0;
        NEED(pipe(pipes[i]) == 0);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        NEED(pthread_create(&threads[i], &attributes, worker, (void *)(uintptr_t)i) == 0);
    }
    pthread_attr_destroy(&attributes);
}

static void crowd_end(pthread_t *threads) {
    unsigned long sum = 0;
    stop = true;
    for (unsigned i = 0; i < THREADS; i++) {
        NEED(pthread_join(threads[i], NULL) == 0);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        close(pipes[i][0]);
        close(pipes[i][1]);
        sum += i % 5 == 4 ? work[i] : 0;
    }
    SAME(locked_sum, sum);
}

// All go on, under whichever policy; who runs this test ends it if one does not.
static void wait_for_all(const unsigned long *before) {
    for (unsigned i = 0; i < THREADS; i++) {
        while (work[i] == before[i]) {
            usleep(1000);
        }
    }
}

static void swaps(void) {
    static pthread_t threads[THREADS];
    unsigned long before[THREADS] = { 0 };
    crowd_start(threads);
    wait_for_all(before);
    const long long start = value("swaps ");
    for (unsigned i = 0; i < ROUNDS * POLICIES; i++) {
        SAME(choose(policies[(i + 1) % POLICIES]), 0); // from rr to fair first
        if (i % 44 == 0) {
            for (unsigned j = 0; j < THREADS; j++) {
                before[j] = work[j];
            }
            wait_for_all(before);
        }
    }
    SAME(value("swaps "), start + ROUNDS * POLICIES);
    for (unsigned i = 0; i < POLICIES; i++) {
        char line[64];
        snprintf(line, sizeof(line), "policy %s failed", policies[i]);
        CHECK(strstr(slurp(), line) == NULL);
    }
    crowd_end(threads);
    SAME(choose("rr"), 0);
}

// A policy that comes from a file, and goes again, under the same crowd.
static void comes_and_goes(void) {
    static pthread_t threads[THREADS];
    unsigned long before[THREADS] = { 0 };
    SAME(choose("turns"), ENOENT);
    crowd_start(threads);
    wait_for_all(before);
    for (unsigned round = 0; round < 20; round++) {
        SAME(load("turns"), HX_OK);
        CHECK(is_chosen("rr")); // coming is not being chosen
        SAME(choose("turns"), 0);
        SAME(unload("turns"), HX_ERR_BUSY);
        if (round % 10 == 0) {
            for (unsigned i = 0; i < THREADS; i++) {
                before[i] = work[i];
            }
            wait_for_all(before);
        }
        CHECK(is_chosen("turns") && strstr(slurp(), "failed") == NULL);
        SAME(choose("rr"), 0);
        SAME(unload("turns"), HX_OK);
        SAME(choose("turns"), ENOENT);
        CHECK(strstr(slurp(), "turns") == NULL);
    }
    crowd_end(threads);
}

// One that fails while it is being chosen: nothing has happened, and it cannot be tried again.
static void fails(void) {
    static pthread_t threads[THREADS];
    unsigned long before[THREADS] = { 0 };
    const long long swaps_before = value("swaps ");
    SAME(load("bad_turns"), HX_OK);
    crowd_start(threads);
    wait_for_all(before);
    // Of 200 threads, 40 never wait; with four processors not all others are where the first one
    // is.
    int error = 0;
    for (unsigned i = 0; i < 1000 && error == 0; i++) {
        error = choose("bad_turns");
        if (error == 0) { // it had room for all who waited in that moment
            NEED(choose("rr") == 0);
        }
    }
    CHECK(error != 0);
    SAME(choose("bad_turns"), EIO);
    CHECK(is_chosen("rr") && strstr(slurp(), "policy bad_turns failed\n") != NULL);
    CHECK(strstr(slurp(), "policy rr chosen failed") == NULL);
    CHECK(value("swaps ") >= swaps_before);
    memcpy(before, (unsigned long *)work, sizeof(before));
    wait_for_all(before);
    crowd_end(threads);
    SAME(unload("bad_turns"), HX_OK);
}

// Shares of two who never stop, on one processor, as their times tell.
static void *hog(void *argument) {
    (void)argument;
    while (!stop) {
        spin();
    }
    return NULL;
}

static long long run_ns(pthread_t thread) {
    clockid_t clock;
    struct timespec time;
    NEED(pthread_getcpuclockid(thread, &clock) == 0 && clock_gettime(clock, &time) == 0);
    return time.tv_sec * 1000000000ll + time.tv_nsec;
}

static void *nicer_hog(void *argument) {
    NEED(setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid), 10) == 0);
    return hog(argument);
}

static void shares(void) {
    pthread_t plain, nicer;
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(0, &one);
    cpu_set_t all;
    NEED(sched_getaffinity(0, sizeof(all), &all) == 0);
    NEED(sched_setaffinity(0, sizeof(one), &one) == 0); // who is made inherits it
    SAME(choose("fair"), 0);
    stop = false;
    NEED(pthread_create(&plain, NULL, hog, NULL) == 0);
    NEED(pthread_create(&nicer, NULL, nicer_hog, NULL) == 0);
    while (run_ns(nicer) < 20000000) { // it has begun
        usleep(10000);
    }
    // Ten steps of nice are 1.25 to the power of ten, 9.3. Each turn is as long as the machine lets
    // it be, so the shares are right in the long run only.
    const long long plain_start = run_ns(plain), nicer_start = run_ns(nicer);
    long long plain_ran, nicer_ran;
    do {
        usleep(100000);
        plain_ran = run_ns(plain) - plain_start;
        nicer_ran = run_ns(nicer) - nicer_start;
    } while (nicer_ran < 50000000 ||
             (nicer_ran < 2000000000 && (plain_ran < 7 * nicer_ran || plain_ran > 12 * nicer_ran)));
    CHECK(plain_ran > 7 * nicer_ran && plain_ran < 12 * nicer_ran);
    stop = true;
    NEED(pthread_join(plain, NULL) == 0 && pthread_join(nicer, NULL) == 0);
    NEED(sched_setaffinity(0, sizeof(all), &all) == 0);
    SAME(choose("rr"), 0);
}

static const struct check_case cases[] = {
    CASE(refusals), CASE(counts), CASE(swaps), CASE(comes_and_goes), CASE(fails), CASE(shares),
};
CHECK_MAIN(cases)
