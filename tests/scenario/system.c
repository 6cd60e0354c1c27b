// SPDX-License-Identifier: MIT OR Apache-2.0
// RUN: musl glibc
// What a program asks about the system and about itself; limits; calls that do not exist.
#include "check.h"
#include "machine.h"

#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>

static void names(void) {
    struct utsname name;
    SAME(uname(&name), 0);
    CHECK(strcmp(name.machine, MACHINE_PLATFORM) == 0);
    CHECK(name.sysname[0] && name.release[0] && name.version[0]);
    int major = 0;
    CHECK(sscanf(name.release, "%d.", &major) == 1 && major >= 4); // glibc asks for that
    char before[65];
    SAME(gethostname(before, sizeof before), 0);
    SAME(sethostname("somewhere", 9), 0);
    SAME(uname(&name), 0);
    CHECK(strcmp(name.nodename, "somewhere") == 0);
    SAME(sethostname(before, strlen(before)), 0);
    char longer[100] = { 'a' };
    REFUSED(sethostname(longer, sizeof longer), EINVAL);
    REFUSED(syscall(SYS_uname, (void *)8), EFAULT);
}

static void unknown_calls(void) {
    static const long numbers[] = { 335,     400, 423,  500,        999,      4095,
                                    1000000, -1,  -100, 0x40000001, LONG_MAX, -2 };
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        REFUSED(syscall(numbers[i], 1, 2, 3, 4, 5, 6), ENOSYS);
    }
}

#if defined(__x86_64__)
static void arguments_of_calls_survive(void) {
    register long r8 __asm__("r8") = 88;
    register long r9 __asm__("r9") = 99;
    register long r10 __asm__("r10") = 1010;
    register long r12 __asm__("r12") = 1212;
    register long rbx __asm__("rbx") = 33;
    long result;
    long rdi = 1;
    long rsi = 2;
    long rdx = 3;
    __asm__ volatile("syscall"
                     : "=a"(result), "+D"(rdi), "+S"(rsi), "+d"(rdx), "+r"(r8), "+r"(r9), "+r"(r10),
                       "+r"(r12), "+r"(rbx)
                     : "0"(SYS_getpid)
                     : "rcx", "r11", "memory");
    const bool survive = rdi == 1 && rsi == 2 && rdx == 3 && r8 == 88 && r9 == 99 && r10 == 1010 &&
                         r12 == 1212 && rbx == 33;
    CHECK(survive);
    SAME(result, getpid());
}
#elif defined(__aarch64__)
static void arguments_of_calls_survive(void) {
    register long x0 __asm__("x0") = 1;
    register long x1 __asm__("x1") = 2;
    register long x5 __asm__("x5") = 55;
    register long x8 __asm__("x8") = SYS_getpid;
    register long x9 __asm__("x9") = 99;
    register long x16 __asm__("x16") = 1616;
    register long x18 __asm__("x18") = 1818;
    register long x28 __asm__("x28") = 2828;
    __asm__ volatile("svc #0"
                     : "+r"(x0), "+r"(x1), "+r"(x5), "+r"(x8), "+r"(x9), "+r"(x16), "+r"(x18),
                       "+r"(x28)
                     :
                     : "memory");
    const long result = x0;
    const bool survive = x1 == 2 && x5 == 55 && x8 == SYS_getpid && x9 == 99 && x16 == 1616 &&
                         x18 == 1818 && x28 == 2828;
    CHECK(survive);
    SAME(result, getpid());
}
#elif defined(__riscv)
static void arguments_of_calls_survive(void) {
    register long a0 __asm__("a0") = 1;
    register long a1 __asm__("a1") = 2;
    register long a5 __asm__("a5") = 55;
    register long a7 __asm__("a7") = SYS_getpid;
    register long t0 __asm__("t0") = 99;
    register long t6 __asm__("t6") = 66;
    register long s11 __asm__("s11") = 1111;
    __asm__ volatile("ecall"
                     : "+r"(a0), "+r"(a1), "+r"(a5), "+r"(a7), "+r"(t0), "+r"(t6), "+r"(s11)
                     :
                     : "memory");
    const long result = a0;
    const bool survive =
        a1 == 2 && a5 == 55 && a7 == SYS_getpid && t0 == 99 && t6 == 66 && s11 == 1111;
    CHECK(survive);
    SAME(result, getpid());
}
#endif

static void limits(void) {
    static const int all[] = { RLIMIT_CPU,   RLIMIT_FSIZE,  RLIMIT_DATA, RLIMIT_STACK,  RLIMIT_CORE,
                               RLIMIT_NPROC, RLIMIT_NOFILE, RLIMIT_AS,   RLIMIT_MEMLOCK };
    struct rlimit limit;
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        SAME(getrlimit(all[i], &limit), 0);
        CHECK(limit.rlim_cur <= limit.rlim_max);
    }
    REFUSED(getrlimit(99, &limit), EINVAL);
    REFUSED(setrlimit(99, &limit), EINVAL);
    limit = (struct rlimit){ 100, 50 };
    REFUSED(setrlimit(RLIMIT_NOFILE, &limit), EINVAL);
    pid_t pid;
    CHILD(pid) {
        limit = (struct rlimit){ 20, 30 };
        SAME(setrlimit(RLIMIT_NOFILE, &limit), 0);
        struct rlimit got;
        SAME(prlimit(0, RLIMIT_NOFILE, NULL, &got), 0);
        CHECK(got.rlim_cur == 20 && got.rlim_max == 30);
        NEED(setuid(1000) == 0);
        limit = (struct rlimit){ 20, 31 };
        REFUSED(setrlimit(RLIMIT_NOFILE, &limit), EPERM);
        limit = (struct rlimit){ 25, 30 };
        SAME(setrlimit(RLIMIT_NOFILE, &limit), 0);
    }
    EXITS(pid, 0);
}

static void limit_of_files(void) {
    struct rlimit limit = { 16, 16 };
    SAME(setrlimit(RLIMIT_NOFILE, &limit), 0);
    int last = -1;
    int fd;
    while ((fd = open("/dev/null", O_RDONLY)) >= 0) {
        last = fd;
    }
    SAME(last, 15);
    REFUSED(open("/dev/null", O_RDONLY), EMFILE);
    REFUSED(dup(0), EMFILE);
    int line[2];
    REFUSED(pipe(line), EMFILE);
    REFUSED(dup2(0, 16), EBADF);
    REFUSED(fcntl(0, F_DUPFD, 16), EINVAL);
    SAME(close(10), 0);
    REFUSED(pipe(line), EMFILE); // one is not enough
    SAME(dup(0), 10);
}

static void limit_of_processes(void) {
    pid_t pid;
    CHILD(pid) {
        struct rlimit limit = { 6, 6 };
        SAME(setrlimit(RLIMIT_NPROC, &limit), 0);
        NEED(setuid(4321) == 0);
        int made = 0;
        pid_t child;
        int go[2];
        NEED(pipe(go) == 0);
        while (made < 50 && (child = fork()) >= 0) {
            if (child == 0) {
                char byte;
                close(go[1]);
                _exit(read(go[0], &byte, 1) != 0);
            }
            made++;
        }
        SAME(made, 5);
        REFUSED(fork(), EAGAIN);
        close(go[1]);
        while (wait(NULL) > 0) {
        }
        child = fork();
        if (child == 0) {
            _exit(0);
        }
        EXITS(child, 0);
    }
    EXITS(pid, 0);
}

static void limit_of_file_sizes(void) {
    struct rlimit limit = { 1000, 1000 };
    SAME(setrlimit(RLIMIT_FSIZE, &limit), 0);
    char block[600] = { 0 };
    int fd = open("f", O_CREAT | O_RDWR, 0600);
    SAME(write(fd, block, 600), 600);
    SAME(write(fd, block, 600), 400);
    pid_t pid = fork();
    if (pid == 0) {
        (void)!write(fd, block, 1);
        _exit(0);
    }
    KILLED(pid, SIGXFSZ);
    signal(SIGXFSZ, SIG_IGN);
    REFUSED(write(fd, block, 1), EFBIG);
    REFUSED(ftruncate(fd, 2000), EFBIG);
}

static void limit_of_processor_time(void) {
    pid_t pid = fork();
    if (pid == 0) {
        struct rlimit limit = { 1, 3 };
        setrlimit(RLIMIT_CPU, &limit);
        for (;;) {
        }
    }
    KILLED(pid, SIGXCPU);
}

static void randomness(void) {
    unsigned char first[300];
    unsigned char second[300];
    SAME(getrandom(first, sizeof first, 0), sizeof first);
    SAME(getrandom(second, sizeof second, GRND_NONBLOCK), sizeof second);
    CHECK(memcmp(first, second, sizeof first) != 0);
    SAME(getrandom(first, 0, 0), 0);
    REFUSED(getrandom(first, 10, 0x1234), EINVAL);
    REFUSED(syscall(SYS_getrandom, (void *)8, 10, 0), EFAULT);
}

static void memory_figures(void) {
    struct sysinfo info;
    SAME(sysinfo(&info), 0);
    CHECK(info.totalram > 0 && info.freeram < info.totalram && info.procs > 0);
    CHECK(info.mem_unit > 0);
}

static void own_name(void) {
    char name[16] = "";
    SAME(prctl(PR_SET_NAME, "a-name-that-is-too-long"), 0);
    SAME(prctl(PR_GET_NAME, name), 0);
    CHECK(strcmp(name, "a-name-that-is-") == 0);
    REFUSED(prctl(99999, 0, 0, 0, 0), EINVAL);
}

static void processors(void) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CHECK(sched_getaffinity(0, sizeof set, &set) == 0);
    int count = CPU_COUNT(&set);
    CHECK(count >= 1 && count <= 8);
    unsigned cpu = 99;
    SAME(syscall(SYS_getcpu, &cpu, NULL, NULL), 0);
    CHECK(cpu < (unsigned)count);
    for (int i = 0; i < count; i++) {
        CPU_ZERO(&set);
        CPU_SET(i, &set);
        SAME(sched_setaffinity(0, sizeof set, &set), 0);
        SAME(syscall(SYS_getcpu, &cpu, NULL, NULL), 0);
        SAME(cpu, i);
    }
    CPU_ZERO(&set);
    REFUSED(sched_setaffinity(0, sizeof set, &set), EINVAL);
}

static int ready[2], leave[2];

static void *nicer(void *argument) {
    const pid_t tid = (pid_t)syscall(SYS_gettid);
    char byte = 0;
    (void)argument;
    SAME(getpriority(PRIO_PROCESS, 0), 2); // as who made it
    SAME(setpriority(PRIO_PROCESS, (id_t)tid, 7), 0);
    SAME(getpriority(PRIO_PROCESS, 0), 7);
    SAME(getpriority(PRIO_PROCESS, (id_t)getpid()), 2);
    NEED(write(ready[1], &tid, sizeof(tid)) == sizeof(tid));
    NEED(read(leave[0], &byte, 1) == 1);
    SAME(getpriority(PRIO_PROCESS, 0), 9);
    return NULL;
}

// A nice value is a thread's own.
static void priorities_of_threads(void) {
    pid_t pid, tid = 0;
    CHILD(pid) {
        pthread_t thread;
        NEED(pipe(ready) == 0 && pipe(leave) == 0 && setpgid(0, 0) == 0);
        SAME(setpriority(PRIO_PROCESS, 0, 2), 0);
        NEED(pthread_create(&thread, NULL, nicer, NULL) == 0);
        NEED(read(ready[0], &tid, sizeof(tid)) == sizeof(tid));
        SAME(getpriority(PRIO_PROCESS, 0), 2);
        SAME(getpriority(PRIO_PROCESS, (id_t)tid), 7);
        SAME(getpriority(PRIO_PGRP, 0), 2); // the best of all threads
        SAME(setpriority(PRIO_PGRP, 0, 9), 0);
        SAME(getpriority(PRIO_PROCESS, 0), 9);
        NEED(write(leave[1], "", 1) == 1);
        NEED(pthread_join(thread, NULL) == 0);
    }
    EXITS(pid, 0);
}

static void priorities(void) {
    SAME(getpriority(PRIO_PROCESS, 0), 0);
    SAME(setpriority(PRIO_PROCESS, 0, 5), 0);
    SAME(getpriority(PRIO_PROCESS, 0), 5);
    SAME(nice(3), 8);
    SAME(setpriority(PRIO_PROCESS, 0, 100), 0);
    SAME(getpriority(PRIO_PROCESS, 0), 19);
    REFUSED(setpriority(99, 0, 0), EINVAL);
    REFUSED(getpriority(PRIO_PROCESS, 999999), ESRCH);
    pid_t pid;
    CHILD(pid) {
        SAME(getpriority(PRIO_PROCESS, 0), 19); // inherited
        NEED(setuid(1000) == 0);
        REFUSED(setpriority(PRIO_PROCESS, 0, 0), EACCES);
    }
    EXITS(pid, 0);
}

static void thread_pointer(void) {
#if defined(__x86_64__)
    unsigned long base = 0;
    SAME(syscall(SYS_arch_prctl, 0x1003, &base), 0); // ARCH_GET_FS
    CHECK(base != 0);
    SAME(syscall(SYS_arch_prctl, 0x1001, 0x12345678), 0); // ARCH_SET_GS
    SAME(syscall(SYS_arch_prctl, 0x1004, &base), 0);      // ARCH_GET_GS
    SAME(base, 0x12345678);
    REFUSED(syscall(SYS_arch_prctl, 0x1002, 0xffff800000000000), EPERM);
    REFUSED(syscall(SYS_arch_prctl, 0x9999, 0), EINVAL);
    for (int i = 0; i < 50; i++) {
        sched_yield();
    }
    SAME(syscall(SYS_arch_prctl, 0x1004, &base), 0);
    SAME(base, 0x12345678); // kept across switches
#elif defined(__aarch64__)
    unsigned long own;
    unsigned long kept;
    __asm__ volatile("mrs %0, tpidr_el0" : "=r"(own));
    __asm__ volatile("msr tpidr_el0, %0" ::"r"(0x12345678ul));
    for (int i = 0; i < 50; i++) {
        __asm__ volatile("mov x8, %0; svc #0" ::"i"(SYS_sched_yield) : "x0", "x8", "memory");
    }
    __asm__ volatile("mrs %0, tpidr_el0" : "=r"(kept));
    __asm__ volatile("msr tpidr_el0, %0" ::"r"(own));
    SAME(kept, 0x12345678); // kept across switches
#elif defined(__riscv)
    unsigned long kept;
    __asm__ volatile("mv s2, tp; mv tp, %1; li s3, 50\n"
                     "1: li a7, %2; ecall; addi s3, s3, -1; bnez s3, 1b\n"
                     "mv %0, tp; mv tp, s2"
                     : "=&r"(kept)
                     : "r"(0x12345678ul), "i"(SYS_sched_yield)
                     : "a0", "a7", "s2", "s3", "memory");
    SAME(kept, 0x12345678); // kept across switches
#endif
}

static void power_is_for_root(void) {
    pid_t pid;
    CHILD(pid) {
        NEED(setuid(1000) == 0);
        REFUSED(syscall(SYS_reboot, 0xfee1dead, 672274793, 0x4321fedc, 0), EPERM);
        REFUSED(sethostname("x", 1), EPERM);
    }
    EXITS(pid, 0);
    REFUSED(syscall(SYS_reboot, 1, 2, 0x4321fedc, 0), EINVAL);
    REFUSED(syscall(SYS_reboot, 0xfee1dead, 672274793, 0x99, 0), EINVAL);
}

static const struct check_case cases[] = {
    CASE(names),
    CASE(unknown_calls),
    CASE(arguments_of_calls_survive),
    CASE(limits),
    CASE(limit_of_files),
    CASE(limit_of_processes),
    CASE(limit_of_file_sizes),
    CASE(limit_of_processor_time),
    CASE(randomness),
    CASE(memory_figures),
    CASE(own_name),
    CASE(processors),
    CASE(priorities),
    CASE(priorities_of_threads),
    CASE(thread_pointer),
    CASE(power_is_for_root),
};
CHECK_MAIN(cases)
