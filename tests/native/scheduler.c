// SPDX-License-Identifier: MIT OR Apache-2.0
// tests/native/scheduler.c: scheduling policies are swapped while 200 threads run: none is lost,
// none starves, none loses what it was told; and each policy shares the processor as it says.
#define MODULE "bad_turns"
#include "../devices/health.h"
#include "crowd.h"

#define ROUNDS 88 // of swaps through all policies

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

// Nothing that is healed is noticed otherwise.
static unsigned deaths_of(const char *name) {
    char line[256], found[32];
    unsigned deaths = ~0u;
    FILE *file = fopen("/proc/helix/health", "r");
    NEED(file != NULL);
    while (fgets(line, sizeof line, file) != NULL) {
        unsigned count;
        if (sscanf(line, "%31s %*s %u", found, &count) == 2 && strcmp(found, name) == 0) {
            deaths = count;
        }
    }
    fclose(file);
    return deaths;
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
        SAME(deaths_of("turns"), 0);
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
    SAME(load(MODULE), HX_OK);
    crowd_start(threads);
    wait_for_all(before);
    // Of 200 threads, 40 never wait; with four processors not all others are where the first one
    // is. Each failure is a death, after which it comes back.
    const struct health first = health();
    for (unsigned i = 0; i < 10000 && health().deaths < first.deaths + 3; i++) {
        if (choose(MODULE) == 0) { // it had room for all who waited in that moment
            NEED(choose("rr") == 0);
        }
        CHECK(is_chosen("rr"));
    }
    await(first.deaths + 3);
    CHECK(strstr(health().reason, "answer (") != NULL);
    CHECK(strstr(slurp(), "failed") == NULL);
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
