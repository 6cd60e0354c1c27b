// SPDX-License-Identifier: MIT OR Apache-2.0
// RUN: musl glibc
// The shared object that the kernel maps into each program (vdso(7)): found by the auxiliary
// vector, it tells the kernel's time without a call, after clocks are set, too.
#include "check.h"
#include "machine.h"
#include "vdso_function.h"

#include <elf.h>
#include <link.h>
#include <pthread.h>
#include <sys/auxv.h>
#include <sys/time.h>

typedef int (*clock_function)(clockid_t clock, struct timespec *time);
typedef int (*day_function)(struct timeval *time, void *zone);

static const char *image; // its ELF header
static clock_function read_clock;
static day_function read_day;

static void *function(const char *name) {
    void *found = vdso_function(image, name, MACHINE_VDSO_VERSION);
    NEED(found != NULL);
    return found;
}

static void find(void) {
    image = (const char *)getauxval(AT_SYSINFO_EHDR);
    NEED(image != NULL && memcmp(image, ELFMAG, SELFMAG) == 0);
    read_clock = (clock_function)function(MACHINE_VDSO("clock_gettime"));
    read_day = (day_function)function(MACHINE_VDSO("gettimeofday"));
}

static int64_t in_ns(const struct timespec *time) {
    NEED(time->tv_nsec >= 0 && time->tv_nsec < 1000000000);
    return time->tv_sec * 1000000000 + time->tv_nsec;
}

static int64_t called(clockid_t clock) {
    struct timespec time;
    NEED(syscall(SYS_clock_gettime, clock, &time) == 0);
    return in_ns(&time);
}

static int64_t read_ns(clockid_t clock) {
    struct timespec time;
    NEED(read_clock(clock, &time) == 0);
    return in_ns(&time);
}

static void same_time(void) {
    static const clockid_t clocks[] = { CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_MONOTONIC_RAW,
                                        CLOCK_BOOTTIME };
    find();
    for (int i = 0; i < 4000; i++) {
        const clockid_t clock = clocks[i % 4];
        const int64_t before = called(clock);
        const int64_t now = read_ns(clock);
        CHECK(before <= now && now <= called(clock));
    }
}

// Those that may be as old as a tick.
static void coarse_time(void) {
    static const clockid_t clocks[][2] = { { CLOCK_REALTIME, CLOCK_REALTIME_COARSE },
                                           { CLOCK_MONOTONIC, CLOCK_MONOTONIC_COARSE } };
    find();
    for (int i = 0; i < 2; i++) {
        const int64_t coarse = read_ns(clocks[i][1]);
        const int64_t now = called(clocks[i][0]);
        CHECK(coarse <= now && now - coarse < 1000000000);
        CHECK(read_ns(clocks[i][1]) >= coarse);
    }
}

static void time_of_day(void) {
    struct timeval day;
    struct timezone zone = { .tz_minuteswest = -1 };
    find();
    const int64_t before = called(CLOCK_REALTIME) / 1000;
    SAME(read_day(&day, NULL), 0);
    const int64_t now = (int64_t)day.tv_sec * 1000000 + day.tv_usec;
    CHECK(day.tv_usec >= 0 && day.tv_usec < 1000000);
    CHECK(before <= now && now <= called(CLOCK_REALTIME) / 1000);
    SAME(read_day(&day, &zone), 0);
    SAME(zone.tz_minuteswest, 0);
}

// What it cannot answer is the kernel's to answer, or to refuse.
static void other_clocks(void) {
    struct timespec time;
    find();
    const int64_t before = called(CLOCK_THREAD_CPUTIME_ID);
    const int64_t now = read_ns(CLOCK_THREAD_CPUTIME_ID);
    CHECK(before <= now && now <= called(CLOCK_THREAD_CPUTIME_ID));
    SAME(read_clock(77, &time), -EINVAL);
    SAME(read_clock((clockid_t)0x80000001, &time), -EINVAL);
}

static void clock_is_set(void) {
    find();
    const int64_t offset = read_ns(CLOCK_REALTIME) - read_ns(CLOCK_MONOTONIC);
    struct timespec time;
    SAME(read_clock(CLOCK_REALTIME, &time), 0);
    time.tv_sec += 1000;
    NEED(clock_settime(CLOCK_REALTIME, &time) == 0);
    const int64_t changed = read_ns(CLOCK_REALTIME) - read_ns(CLOCK_MONOTONIC) - offset;
    CHECK(changed > 990000000000 && changed < 1010000000000);
    time.tv_sec -= 1000;
    NEED(clock_settime(CLOCK_REALTIME, &time) == 0);
}

static _Atomic int64_t latest;

static void *never_back(void *argument) {
    for (int i = 0; i < 20000; i++) {
        const int64_t before = latest;
        const int64_t now = read_ns(CLOCK_MONOTONIC);
        NEED(now >= before);
        latest = now; // of this thread or another one
    }
    return argument;
}

static void never_back_among_threads(void) {
    pthread_t threads[3];
    find();
    for (int i = 0; i < 3; i++) {
        NEED(pthread_create(&threads[i], NULL, never_back, NULL) == 0);
    }
    for (int i = 0; i < 3; i++) {
        pthread_join(threads[i], NULL);
    }
}

// ---- the memory that it is

// The line of /proc/self/maps with that name; its protection in `mode`, its size in area_bytes.
static unsigned long area_bytes;

static unsigned long area(const char *name, char mode[5]) {
    char line[512], named[64];
    unsigned long start = 0, end = 0;
    FILE *maps = fopen("/proc/self/maps", "r");
    NEED(maps != NULL);
    while (start == 0 && fgets(line, sizeof line, maps) != NULL) {
        if (sscanf(line, "%lx-%lx %4s %*s %*s %*s %63s", &start, &end, mode, named) != 4 ||
            strcmp(named, name) != 0) {
            start = 0;
        }
    }
    fclose(maps);
    area_bytes = end - start;
    return start;
}

static void cannot_be_written(void) {
    char mode[5];
    find();
    CHECK(area("[vdso]", mode) == (unsigned long)image && strcmp(mode, "r-xp") == 0);
    const unsigned long clocks = area("[vvar]", mode);
    CHECK(clocks != 0 && strcmp(mode, "r--p") == 0);
    REFUSED(mprotect((void *)clocks, 4096, PROT_READ | PROT_WRITE), EACCES);
    pid_t pid;
    CHILD(pid) {
        *(volatile char *)clocks = 1;
    }
    KILLED(pid, SIGSEGV);
    CHILD(pid) {
        *(volatile char *)image = 1;
    }
    KILLED(pid, SIGSEGV);
    REFUSED(read(open("/dev/zero", O_RDONLY), (void *)clocks, 8), EFAULT);
}

// Who writes its image, as a debugger does, has a copy; others do not see it.
static void copies_are_private(void) {
    char mode[5];
    find();
    NEED(area("[vdso]", mode) != 0);
    pid_t pid;
    CHILD(pid) {
        NEED(mprotect((void *)image, area_bytes, PROT_READ | PROT_WRITE) == 0);
        memset((void *)image, 0, 4096);
    }
    EXITS(pid, 0);
    CHECK(memcmp(image, ELFMAG, SELFMAG) == 0);
    CHECK(read_ns(CLOCK_MONOTONIC) > 0);
}

static void works_after_fork(void) {
    find();
    const int64_t before = read_ns(CLOCK_MONOTONIC);
    pid_t pid;
    CHILD(pid) {
        CHECK(read_ns(CLOCK_MONOTONIC) >= before);
    }
    EXITS(pid, 0);
}

static void may_be_unmapped(void) {
    char mode[5];
    find();
    pid_t pid;
    CHILD(pid) {
        NEED(area("[vdso]", mode) != 0 && munmap((void *)image, area_bytes) == 0);
        CHECK(area("[vdso]", mode) == 0);
        CHECK(called(CLOCK_MONOTONIC) > 0);
    }
    EXITS(pid, 0);
}

// It lies somewhere else in each program.
static void lies_at_random(void) {
    find();
    int line[2];
    bool differs = false;
    for (int i = 0; i < 8 && !differs; i++) {
        NEED(pipe(line) == 0);
        pid_t pid;
        CHILD(pid) {
            dup2(line[1], 1);
            execl("/proc/self/exe", "vdso", "where", NULL);
        }
        close(line[1]);
        char text[32] = { 0 };
        CHECK(read(line[0], text, sizeof text - 1) > 0);
        close(line[0]);
        EXITS(pid, 0);
        differs = strtoul(text, NULL, 16) != (unsigned long)image;
    }
    CHECK(differs);
}

static const struct check_case cases[] = {
    CASE(same_time),         CASE(coarse_time),        CASE(time_of_day),
    CASE(other_clocks),      CASE(clock_is_set),       CASE(never_back_among_threads),
    CASE(cannot_be_written), CASE(copies_are_private), CASE(works_after_fork),
    CASE(may_be_unmapped),   CASE(lies_at_random),
};

int main(int argc, char **argv) {
    if (argc == 2 && strcmp(argv[1], "where") == 0) {
        printf("%lx\n", getauxval(AT_SYSINFO_EHDR));
        return 0;
    }
    return check_main(cases, sizeof cases / sizeof cases[0], argc, argv);
}
