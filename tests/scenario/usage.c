// SPDX-License-Identifier: MIT OR Apache-2.0
// What processes and processors are told to have used: no time goes back, what children used comes
// with them, and faults are counted for who had them.
#include "check.h"

#include <pthread.h>
#include <sys/resource.h>
#include <sys/times.h>

// Which part of a time is user time is an estimate that moves: much of one, then of the other.
#define PHASE_NS 60000000

static int64_t now_ns(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static int64_t ns_of(struct timeval time) {
    return (int64_t)time.tv_sec * 1000000000 + (int64_t)time.tv_usec * 1000;
}

// Works for a while of processor time, in user mode or with calls.
static void work(bool in_kernel, int64_t span) {
    char bytes[4096];
    const int zero = in_kernel ? open("/dev/zero", O_RDONLY) : -1;
    const int64_t start = now_ns(CLOCK_THREAD_CPUTIME_ID);
    while (now_ns(CLOCK_THREAD_CPUTIME_ID) - start < span) {
        for (int i = 0; i < 100; i++) {
            if (in_kernel && read(zero, bytes, sizeof bytes) < 0) {
                _exit(90);
            }
            for (volatile int spin = 0; !in_kernel && spin < 1000; spin++) {
            }
        }
    }
    if (in_kernel) {
        close(zero);
    }
}

static volatile bool over;

static void *work_both(void *argument) {
    (void)argument;
    for (int phase = 0; phase < 8; phase++) {
        work(phase % 2 != 0, PHASE_NS);
    }
    over = true;
    return NULL;
}

static void used_never_goes_back(void) {
    pthread_t worker;
    NEED(pthread_create(&worker, NULL, work_both, NULL) == 0);
    struct rusage before, now;
    getrusage(RUSAGE_SELF, &before);
    int falls = 0;
    while (!over) {
        getrusage(RUSAGE_SELF, &now);
        falls += ns_of(now.ru_utime) < ns_of(before.ru_utime);
        falls += ns_of(now.ru_stime) < ns_of(before.ru_stime);
        before = now;
        struct timespec moment = { 0, 1000000 };
        nanosleep(&moment, NULL);
    }
    SAME(falls, 0);
    pthread_join(worker, NULL);
    getrusage(RUSAGE_SELF, &now); // what the thread used stays
    CHECK(ns_of(now.ru_utime) >= ns_of(before.ru_utime));
    CHECK(ns_of(now.ru_stime) >= ns_of(before.ru_stime));
}

#define LINES 9 // "cpu" and up to eight processors
#define KINDS 4 // user, nice, system, idle

static int read_processors(long out_ticks[LINES][KINDS]) {
    char text[4096];
    const int stat = open("/proc/stat", O_RDONLY);
    const ssize_t length = read(stat, text, sizeof text - 1);
    close(stat);
    NEED(length > 0);
    text[length] = 0;
    int lines = 0;
    for (char *line = text; lines < LINES && strncmp(line, "cpu", 3) == 0; lines++) {
        long *ticks = out_ticks[lines];
        line = strchr(line, ' ');
        NEED(sscanf(line, "%ld %ld %ld %ld", &ticks[0], &ticks[1], &ticks[2], &ticks[3]) == 4);
        line = strchr(line, '\n') + 1;
    }
    return lines;
}

static void processors_never_go_back(void) {
    pthread_t worker;
    NEED(pthread_create(&worker, NULL, work_both, NULL) == 0);
    long before[LINES][KINDS] = { 0 }, now[LINES][KINDS] = { 0 };
    const int lines = read_processors(before);
    CHECK(lines >= 2);
    int falls = 0;
    while (!over) {
        SAME(read_processors(now), lines);
        for (int i = 0; i < lines * KINDS; i++) {
            falls += now[i / KINDS][i % KINDS] < before[i / KINDS][i % KINDS];
        }
        memcpy(before, now, sizeof before);
        struct timespec moment = { 0, 1000000 };
        nanosleep(&moment, NULL);
    }
    SAME(falls, 0);
    pthread_join(worker, NULL);
}

// Work in user mode shows as user time of the processors.
static void processors_tell_work(void) {
    long before[LINES][KINDS] = { 0 }, now[LINES][KINDS] = { 0 };
    read_processors(before);
    work(false, 500000000);
    read_processors(now);
    CHECK(now[0][0] - before[0][0] >= 15); // of about 50 ticks
}

#define PAGES 512

static void touch(char *pages) {
    for (int i = 0; i < PAGES; i++) {
        pages[(size_t)i * (size_t)sysconf(_SC_PAGESIZE)] = 1;
    }
}

static char *new_pages(void) {
    const size_t bytes = (size_t)PAGES * (size_t)sysconf(_SC_PAGESIZE);
    char *pages = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    NEED(pages != MAP_FAILED);
    return pages;
}

// Its wait tells what the grandchild used, or, where nobody is kept, ends when it has ended.
static void grandchild_works(int64_t span) {
    const pid_t grandchild = fork();
    if (grandchild == 0) {
        touch(new_pages());
        work(false, span);
        _exit(0);
    }
    waitpid(grandchild, NULL, 0);
}

static void children_bring_theirs(void) {
    const pid_t child = fork();
    if (child == 0) {
        grandchild_works(200000000);
        _exit(0);
    }
    struct rusage used, children;
    SAME(wait4(child, NULL, 0, &used), child);
    CHECK(ns_of(used.ru_utime) + ns_of(used.ru_stime) >= 200000000);
    CHECK(used.ru_minflt >= PAGES);
    SAME(getrusage(RUSAGE_CHILDREN, &children), 0);
    CHECK(ns_of(children.ru_utime) == ns_of(used.ru_utime));
    CHECK(ns_of(children.ru_stime) == ns_of(used.ru_stime));
    SAME(children.ru_maxrss, used.ru_maxrss);
    SAME(children.ru_minflt, used.ru_minflt);
    struct tms ticks;
    CHECK(times(&ticks) != (clock_t)-1);
    CHECK(ticks.tms_cutime + ticks.tms_cstime >= 19);
}

// What nobody waited for is nobody's. By faults, since a processor that stands still uses time up.
static void only_those_waited_for(void) {
    const pid_t child = fork();
    if (child == 0) {
        signal(SIGCHLD, SIG_IGN);
        grandchild_works(0);
        _exit(0);
    }
    struct rusage used;
    SAME(wait4(child, NULL, 0, &used), child);
    CHECK(used.ru_minflt < PAGES);
}

static void faults_are_counted(void) {
    const long kib = PAGES * (sysconf(_SC_PAGESIZE) / 1024);
    char *pages = new_pages();
    struct rusage before, now;
    getrusage(RUSAGE_THREAD, &before);
    touch(pages);
    getrusage(RUSAGE_THREAD, &now);
    CHECK(now.ru_minflt - before.ru_minflt >= PAGES);
    CHECK(now.ru_maxrss >= kib / 2);
    getrusage(RUSAGE_SELF, &before);
    CHECK(before.ru_minflt >= now.ru_minflt);
    const pid_t child = fork();
    if (child == 0) {
        touch(pages); // copies
        _exit(0);
    }
    SAME(wait4(child, NULL, 0, &now), child);
    CHECK(now.ru_minflt >= PAGES && now.ru_minflt < before.ru_minflt + 4 * PAGES);
    CHECK(now.ru_maxrss >= kib / 2);
    getrusage(RUSAGE_SELF, &now);
    CHECK(now.ru_minflt < before.ru_minflt + PAGES); // the child's are not its own
}

static void become(int policy, int priority) {
    const struct sched_param param = { .sched_priority = priority };
    SAME(syscall(SYS_sched_setscheduler, 0, policy, &param), 0);
}

// Waits for a child that has no processor of its own: each answer comes while its reader waits.
static void waits_for_answers(int rounds) {
    int questions[2], answers[2];
    char byte = 0;
    NEED(pipe(questions) == 0 && pipe(answers) == 0);
    const pid_t child = fork();
    if (child == 0) {
        close(questions[1]);
        while (read(questions[0], &byte, 1) == 1 && write(answers[1], &byte, 1) == 1) {
        }
        _exit(0);
    }
    become(SCHED_FIFO, 1);
    for (int i = 0; i < rounds; i++) {
        SAME(write(questions[1], &byte, 1), 1);
        SAME(read(answers[0], &byte, 1), 1);
    }
    become(SCHED_OTHER, 0);
    close(questions[1]);
    SAME(waitpid(child, NULL, 0), child);
    close(questions[0]);
    close(answers[0]);
    close(answers[1]);
}

// Waits are switches of its own will; to have to share a processor is not.
static void switches_are_counted(void) {
    cpu_set_t first;
    CPU_ZERO(&first);
    CPU_SET(0, &first);
    SAME(sched_setaffinity(0, sizeof first, &first), 0);
    struct rusage before, now;
    getrusage(RUSAGE_THREAD, &before);
    waits_for_answers(20);
    getrusage(RUSAGE_THREAD, &now);
    CHECK(now.ru_nvcsw - before.ru_nvcsw >= 20);
    const pid_t child = fork();
    if (child == 0) {
        work(false, 60000000);
        _exit(0);
    }
    work(false, 60000000); // of both, on one processor
    SAME(waitpid(child, NULL, 0), child);
    getrusage(RUSAGE_THREAD, &before);
    CHECK(before.ru_nivcsw > now.ru_nivcsw);
    CHECK(before.ru_nvcsw < now.ru_nvcsw + 20);
}

static const struct check_case cases[] = {
    CASE(used_never_goes_back),  CASE(processors_never_go_back), CASE(processors_tell_work),
    CASE(children_bring_theirs), CASE(only_those_waited_for),    CASE(faults_are_counted),
    CASE(switches_are_counted),
};
CHECK_MAIN(cases)
