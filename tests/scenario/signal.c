// SPDX-License-Identifier: MIT OR Apache-2.0
// RUN: musl glibc
// Signals: install, deliver, mask, queue, interrupt, restart, stop and continue.
#include "check.h"
#include "machine.h"

#include <sched.h>
#include <sys/time.h>
#include <ucontext.h>

static volatile int seen;
static volatile int seen_order[16];
static siginfo_t seen_info;

static void on_signal(int number) {
    seen_order[seen & 15] = number;
    seen++;
}

static void on_info(int number, siginfo_t *info, void *context) {
    (void)context;
    seen_order[seen & 15] = number;
    seen++;
    seen_info = *info;
}

static void install(int number, int flags) {
    struct sigaction action = { .sa_flags = flags };
    if (flags & SA_SIGINFO) {
        action.sa_sigaction = on_info;
    } else {
        action.sa_handler = on_signal;
    }
    NEED(sigaction(number, &action, NULL) == 0);
}

static void block(int how, int number) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, number);
    NEED(sigprocmask(how, &set, NULL) == 0);
}

static void handler_runs(void) {
    install(SIGUSR1, 0);
    SAME(raise(SIGUSR1), 0);
    SAME(seen, 1);
    SAME(kill(getpid(), SIGUSR1), 0);
    SAME(seen, 2);
}

static void old_action_is_given(void) {
    install(SIGUSR1, SA_RESTART | SA_NODEFER);
    struct sigaction old;
    SAME(sigaction(SIGUSR1, NULL, &old), 0);
    CHECK(old.sa_handler == on_signal);
    SAME(old.sa_flags & (SA_RESTART | SA_NODEFER | SA_RESETHAND), SA_RESTART | SA_NODEFER);
    CHECK(signal(SIGUSR1, SIG_IGN) == on_signal);
    raise(SIGUSR1);
    SAME(seen, 0);
}

static void refuses(void) {
    struct sigaction action = { .sa_handler = on_signal };
    REFUSED(sigaction(SIGKILL, &action, NULL), EINVAL);
    REFUSED(sigaction(SIGSTOP, &action, NULL), EINVAL);
    REFUSED(syscall(SYS_rt_sigaction, 0, NULL, NULL, 8), EINVAL);
    REFUSED(syscall(SYS_rt_sigaction, 65, NULL, NULL, 8), EINVAL);
    REFUSED(syscall(SYS_rt_sigaction, SIGUSR1, NULL, NULL, 4), EINVAL);
    REFUSED(syscall(SYS_rt_sigaction, SIGUSR1, (void *)8, NULL, 8), EFAULT);
    REFUSED(syscall(SYS_rt_sigprocmask, 99, &action.sa_mask, NULL, 8), EINVAL);
    REFUSED(syscall(SYS_rt_sigprocmask, SIG_BLOCK, (void *)8, NULL, 8), EFAULT);
    REFUSED(kill(getpid(), 65), EINVAL);
    REFUSED(kill(getpid(), -1), EINVAL);
    REFUSED(kill(999999, SIGTERM), ESRCH);
    REFUSED(kill(-999999, SIGTERM), ESRCH);
    REFUSED(syscall(SYS_tgkill, getpid(), 999999, SIGTERM), ESRCH);
    REFUSED(syscall(SYS_tgkill, 0, getpid(), SIGTERM), EINVAL);
    REFUSED(syscall(SYS_tkill, -1, SIGTERM), EINVAL);
    SAME(kill(getpid(), 0), 0);
}

static void kill_and_stop_cannot_be_masked(void) {
    sigset_t all;
    sigset_t now;
    sigfillset(&all);
    SAME(sigprocmask(SIG_SETMASK, &all, NULL), 0);
    sigprocmask(SIG_BLOCK, NULL, &now);
    SAME(sigismember(&now, SIGKILL), 0);
    SAME(sigismember(&now, SIGSTOP), 0);
    SAME(sigismember(&now, SIGTERM), 1);
}

static void masked_is_pending(void) {
    install(SIGUSR1, 0);
    block(SIG_BLOCK, SIGUSR1);
    raise(SIGUSR1);
    raise(SIGUSR1);
    SAME(seen, 0);
    sigset_t pending;
    SAME(sigpending(&pending), 0);
    SAME(sigismember(&pending, SIGUSR1), 1);
    SAME(sigismember(&pending, SIGUSR2), 0);
    block(SIG_UNBLOCK, SIGUSR1);
    SAME(seen, 1); // a standard signal is pending once
}

static void ignored_is_dropped(void) {
    block(SIG_BLOCK, SIGUSR1);
    raise(SIGUSR1);
    signal(SIGUSR1, SIG_IGN); // drops the pending one
    install(SIGUSR1, 0);
    block(SIG_UNBLOCK, SIGUSR1);
    SAME(seen, 0);
}

static volatile int depth;
static volatile int deepest;
static void on_nested(int number) {
    depth++;
    deepest = depth > deepest ? depth : deepest;
    if (depth == 1 && seen++ == 0) {
        raise(number);
    }
    depth--;
}

static void handlers_mask_their_signal(void) {
    struct sigaction action = { .sa_handler = on_nested };
    sigaction(SIGUSR1, &action, NULL);
    raise(SIGUSR1);
    SAME(deepest, 1);
    action.sa_flags = SA_NODEFER;
    deepest = 0;
    seen = 0;
    sigaction(SIGUSR1, &action, NULL);
    raise(SIGUSR1);
    SAME(deepest, 2);
}

static volatile int usr2_in_handler;
static void on_first(int number) {
    (void)number;
    raise(SIGUSR2);
    usr2_in_handler = seen;
}

static void mask_of_the_action(void) {
    install(SIGUSR2, 0);
    struct sigaction action = { .sa_handler = on_first };
    sigaddset(&action.sa_mask, SIGUSR2);
    sigaction(SIGUSR1, &action, NULL);
    raise(SIGUSR1);
    SAME(usr2_in_handler, 0);
    SAME(seen, 1); // delivered when the handler had returned
    sigset_t now;
    sigprocmask(SIG_BLOCK, NULL, &now);
    SAME(sigismember(&now, SIGUSR2), 0);
}

static void reset_after_one(void) {
    struct sigaction action = { .sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND };
    sigaction(SIGUSR1, &action, NULL);
    raise(SIGUSR1);
    SAME(seen, 1);
    sigaction(SIGUSR1, NULL, &action);
    CHECK(action.sa_handler == SIG_DFL);
}

static void info_of_kill(void) {
    install(SIGUSR1, SA_SIGINFO);
    pid_t parent = getpid();
    pid_t pid = fork();
    if (pid == 0) {
        kill(parent, SIGUSR1);
        _exit(0);
    }
    while (!seen) {
        sched_yield();
    }
    SAME(seen_info.si_signo, SIGUSR1);
    SAME(seen_info.si_code, SI_USER);
    SAME(seen_info.si_pid, pid);
    SAME(seen_info.si_uid, getuid());
    EXITS(pid, 0);
    syscall(SYS_tgkill, getpid(), getpid(), SIGUSR1);
    SAME(seen_info.si_code, SI_TKILL);
}

static void values_are_queued_in_order(void) {
    int number = SIGRTMIN + 1;
    install(number, SA_SIGINFO);
    install(number + 1, SA_SIGINFO);
    block(SIG_BLOCK, number);
    block(SIG_BLOCK, number + 1);
    for (int i = 1; i <= 3; i++) {
        SAME(sigqueue(getpid(), number + 1, (union sigval){ .sival_int = 20 + i }), 0);
        SAME(sigqueue(getpid(), number, (union sigval){ .sival_int = 10 + i }), 0);
    }
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, number);
    sigaddset(&set, number + 1);
    siginfo_t info;
    for (int i = 0; i < 6; i++) {
        int expected = i < 3 ? 11 + i : 21 + i - 3; // the lower number first, each in order
        SAME(sigwaitinfo(&set, &info), i < 3 ? number : number + 1);
        SAME(info.si_value.sival_int, expected);
        SAME(info.si_code, SI_QUEUE);
    }
    struct timespec none = { 0, 0 };
    REFUSED(sigtimedwait(&set, &info, &none), EAGAIN);
    SAME(seen, 0);
}

static void timed_wait_ends(void) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigprocmask(SIG_BLOCK, &set, NULL);
    struct timespec before;
    struct timespec after;
    struct timespec limit = { 0, 30000000 };
    clock_gettime(CLOCK_MONOTONIC, &before);
    REFUSED(sigtimedwait(&set, NULL, &limit), EAGAIN);
    clock_gettime(CLOCK_MONOTONIC, &after);
    CHECK((after.tv_sec - before.tv_sec) * 1000000000LL + after.tv_nsec - before.tv_nsec >=
          30000000);
}

static void suspend_waits_with_a_mask(void) {
    install(SIGUSR1, 0);
    block(SIG_BLOCK, SIGUSR1);
    raise(SIGUSR1);
    sigset_t none;
    sigemptyset(&none);
    REFUSED(sigsuspend(&none), EINTR);
    SAME(seen, 1);
    sigset_t now;
    sigprocmask(SIG_BLOCK, NULL, &now);
    SAME(sigismember(&now, SIGUSR1), 1); // the mask is back
}

// A child sends us a signal once we sleep in read, then a byte.
static void interrupted_read(int flags, int expect_restart) {
    int line[2];
    NEED(pipe(line) == 0);
    install(SIGUSR1, flags);
    pid_t parent = getpid();
    pid_t pid = fork();
    if (pid == 0) {
        char state = 0;
        char path[64];
        char text[512];
        snprintf(path, sizeof path, "/proc/%d/stat", parent);
        while (state != 'S') { // until the parent sleeps
            int fd = open(path, O_RDONLY);
            ssize_t count = read(fd, text, sizeof text - 1);
            close(fd);
            text[count > 0 ? count : 0] = 0;
            char *end = strrchr(text, ')');
            state = end ? end[2] : 0;
        }
        kill(parent, SIGUSR1);
        struct timespec moment = { 0, 50000000 };
        nanosleep(&moment, NULL);
        (void)!write(line[1], "x", 1);
        _exit(0);
    }
    char byte = 0;
    if (expect_restart) {
        SAME(read(line[0], &byte, 1), 1);
    } else {
        REFUSED(read(line[0], &byte, 1), EINTR);
    }
    SAME(seen, 1);
    EXITS(pid, 0);
}

static void read_is_interrupted(void) {
    interrupted_read(0, 0);
}

static void read_is_restarted(void) {
    interrupted_read(SA_RESTART, 1);
}

static void ignored_signals_do_not_interrupt(void) {
    int line[2];
    NEED(pipe(line) == 0);
    signal(SIGUSR1, SIG_IGN);
    signal(SIGCHLD, SIG_DFL);
    pid_t parent = getpid();
    pid_t pid = fork();
    if (pid == 0) {
        until_asleep(parent);
        kill(parent, SIGUSR1);
        kill(parent, SIGWINCH);
        until_asleep(parent);
        (void)!write(line[1], "x", 1);
        _exit(0);
    }
    char byte;
    SAME(read(line[0], &byte, 1), 1);
    EXITS(pid, 0);
}

static void sleep_tells_what_is_left(void) {
    install(SIGALRM, SA_RESTART);
    struct itimerval timer = { .it_value = { 0, 30000 }, .it_interval = { 0, 30000 } };
    setitimer(ITIMER_REAL, &timer, NULL);
    struct timespec want = { 5, 0 };
    struct timespec left = { 0, 0 };
    REFUSED(nanosleep(&want, &left), EINTR); // never restarted
    CHECK(left.tv_sec < 5 && (left.tv_sec > 0 || left.tv_nsec > 0));
    CHECK(seen >= 1);
}

static void pause_ends(void) {
    install(SIGALRM, SA_RESTART);
    ualarm(20000, 20000); // the first one may come before the pause
    REFUSED(pause(), EINTR);
    CHECK(seen >= 1);
}

static void repeated_timer(void) {
    install(SIGALRM, 0);
    struct itimerval timer = { .it_value = { 0, 5000 }, .it_interval = { 0, 5000 } };
    struct itimerval old;
    SAME(setitimer(ITIMER_REAL, &timer, NULL), 0);
    while (seen < 5) {
        pause();
    }
    memset(&timer, 0, sizeof timer);
    SAME(setitimer(ITIMER_REAL, &timer, &old), 0);
    SAME(old.it_interval.tv_usec, 5000);
    SAME(getitimer(ITIMER_REAL, &old), 0);
    SAME(old.it_value.tv_usec, 0);
    REFUSED(setitimer(77, &timer, NULL), EINVAL);
    timer.it_value.tv_usec = 1000000;
    REFUSED(setitimer(ITIMER_REAL, &timer, NULL), EINVAL);
}

static void alarm_returns_the_rest(void) {
    SAME(alarm(100), CHECK_SECONDS); // the case's own deadline
    SAME(alarm(0), 100);
    SAME(alarm(0), 0);
}

static void default_actions(void) {
    static const int fatal[] = { SIGHUP,  SIGINT,  SIGQUIT, SIGILL,  SIGTRAP,   SIGABRT,
                                 SIGBUS,  SIGFPE,  SIGUSR1, SIGSEGV, SIGUSR2,   SIGPIPE,
                                 SIGALRM, SIGTERM, SIGXCPU, SIGXFSZ, SIGVTALRM, SIGPROF,
                                 SIGIO,   SIGPWR,  SIGSYS,  34,      64 };
    static const int harmless[] = { SIGCHLD, SIGCONT, SIGURG, SIGWINCH };
    for (size_t i = 0; i < sizeof fatal / sizeof fatal[0]; i++) {
        pid_t pid = fork();
        if (pid == 0) {
            syscall(SYS_tgkill, getpid(), getpid(), fatal[i]);
            _exit(0);
        }
        KILLED(pid, fatal[i]);
    }
    for (size_t i = 0; i < sizeof harmless / sizeof harmless[0]; i++) {
        pid_t pid = fork();
        if (pid == 0) {
            raise(harmless[i]);
            _exit(5);
        }
        EXITS(pid, 5);
    }
}

static void child_signal_tells(void) {
    install(SIGCHLD, SA_SIGINFO);
    pid_t pid = fork();
    if (pid == 0) {
        _exit(33);
    }
    while (!seen) {
        sched_yield();
    }
    SAME(seen_info.si_pid, pid);
    SAME(seen_info.si_code, CLD_EXITED);
    SAME(seen_info.si_status, 33);
    EXITS(pid, 33);
    seen = 0;
    pid = fork();
    if (pid == 0) {
        raise(SIGTERM);
    }
    while (!seen) {
        sched_yield();
    }
    SAME(seen_info.si_code, CLD_KILLED);
    SAME(seen_info.si_status, SIGTERM);
    KILLED(pid, SIGTERM);
}

static void stops_are_told_unless_not_wanted(void) {
    for (int round = 0; round < 2; round++) {
        seen = 0;
        install(SIGCHLD, SA_SIGINFO | (round ? SA_NOCLDSTOP : 0));
        pid_t pid = fork();
        if (pid == 0) {
            raise(SIGSTOP);
            _exit(0);
        }
        int status;
        SAME(waitpid(pid, &status, WUNTRACED), pid);
        SAME(seen, round ? 0 : 1);
        if (!round) {
            SAME(seen_info.si_code, CLD_STOPPED);
        }
        kill(pid, SIGCONT);
        EXITS(pid, 0);
        CHECK(round ? seen == 1 : seen >= 2); // going on and the end may be told together
    }
}

// The signal that tells of a child does not end the wait for that child.
static void a_wait_ends_with_its_child(void) {
    install(SIGCHLD, 0);
    for (int round = 0; round < 200; round++) {
        pid_t pid = fork();
        if (pid == 0) {
            usleep(round % 4 * 300);
            raise(SIGSTOP);
            _exit(round);
        }
        int status;
        SAME(waitpid(pid, &status, WUNTRACED), pid);
        CHECK(WIFSTOPPED(status));
        seen = 0;
        kill(pid, SIGCONT);
        while (seen == 0) { // that it went on
        }
        while (waitpid(pid, &status, 0) != pid) {
        }
        SAME(WEXITSTATUS(status), round);
    }
}

// Two processes that share their actions never see half of one.
#if defined(__riscv)
struct kernel_action {
    uint64_t handler, flags, mask;
};
#define ACTION(word, flags) { word, flags, word }
#else
struct kernel_action {
    uint64_t handler, flags, restorer, mask;
};
#define ACTION(word, flags) { word, flags, word, word }
#endif
static const struct kernel_action kinds[2] = { ACTION(0x1000, 0), ACTION(0x2000, SA_RESTART) };
static volatile int torn;

static int change_actions(void *argument) {
    (void)argument;
    for (int i = 0; i < 200000; i++) {
        struct kernel_action old;
        syscall(SYS_rt_sigaction, SIGUSR1, &kinds[i & 1], &old, 8);
        const struct kernel_action *kind = &kinds[old.handler == kinds[1].handler];
        torn += memcmp(&old, kind, sizeof old) != 0;
    }
    return 0;
}

static void shared_actions_are_whole(void) {
    static char stack[65536] __attribute__((aligned(16)));
    SAME(syscall(SYS_rt_sigaction, SIGUSR1, &kinds[0], NULL, 8), 0);
    pid_t pid = machine_start(change_actions, stack + sizeof stack,
                              CLONE_VM | CLONE_SIGHAND | SIGCHLD, NULL);
    change_actions(NULL);
    EXITS(pid, 0);
    SAME(torn, 0);
}

static void continue_drops_pending_stops(void) {
    block(SIG_BLOCK, SIGTSTP);
    raise(SIGTSTP);
    raise(SIGCONT);
    sigset_t pending;
    sigpending(&pending);
    SAME(sigismember(&pending, SIGTSTP), 0);
    block(SIG_UNBLOCK, SIGTSTP);
}

static void registers_survive(void) {
    install(SIGALRM, 0);
    struct itimerval timer = { .it_value = { 0, 1000 }, .it_interval = { 0, 1000 } };
    setitimer(ITIMER_REAL, &timer, NULL);
    while (seen < 20) {
        register double a = 1.25;
        register uint64_t b = 0x0123456789abcdef;
#if defined(__x86_64__)
        uint64_t flags_seen;
        for (int i = 0; i < 20000; i++) {
            __asm__ volatile("" : "+x"(a), "+r"(b));
        }
        __asm__ volatile("stc; pushfq; popq %0" : "=r"(flags_seen)::"cc");
#elif defined(__aarch64__)
        uint64_t flags_seen = 0;
        for (int i = 0; i < 20000; i++) {
            __asm__ volatile("" : "+w"(a), "+r"(b));
        }
        __asm__ volatile("subs xzr, xzr, xzr; cset %0, cs" : "=r"(flags_seen)::"cc");
#elif defined(__riscv)
        const uint64_t flags_seen = 1; // there are none
        for (int i = 0; i < 20000; i++) {
            __asm__ volatile("" : "+f"(a), "+r"(b));
        }
#endif
        NEED(a == 1.25 && b == 0x0123456789abcdef && (flags_seen & 1));
    }
}

#if defined(__x86_64__)
static void on_float(int number) {
    (void)number;
    __asm__ volatile("pcmpeqd %%xmm0, %%xmm0; pxor %%xmm7, %%xmm7; pxor %%xmm15, %%xmm15" ::
                         : "xmm0", "xmm7", "xmm15");
    seen++;
}

static void vector_registers_survive(void) {
    struct sigaction action = { .sa_handler = on_float };
    sigaction(SIGUSR1, &action, NULL);
    uint64_t in[2] = { 0x1111222233334444, 0x5555666677778888 };
    uint64_t out[2] = { 0, 0 };
    long result;
    __asm__ volatile("movdqu (%1), %%xmm7; movdqu (%1), %%xmm15; syscall; movdqu %%xmm15, %%xmm6;"
                     "pand %%xmm7, %%xmm6; movdqu %%xmm6, (%2)"
                     : "=a"(result)
                     : "r"(in), "r"(out), "0"(SYS_tgkill), "D"(getpid()), "S"(getpid()),
                       "d"(SIGUSR1)
                     : "rcx", "r11", "xmm6", "xmm7", "xmm15", "memory");
    SAME(result, 0);
    SAME(seen, 1);
    SAME(out[0], in[0]);
    SAME(out[1], in[1]);
}

// A handler starts with the floating-point state of a new program; what it changes does not stay.
static volatile uint32_t handler_mxcsr;
static volatile uint16_t handler_control;
static volatile uint64_t handler_xmm;
static void on_odd_float(int number) {
    (void)number;
    uint32_t mxcsr;
    uint16_t control;
    uint64_t xmm;
    __asm__ volatile("stmxcsr %0; fnstcw %1; movq %%xmm9, %2"
                     : "=m"(mxcsr), "=m"(control), "=r"(xmm));
    handler_mxcsr = mxcsr;
    handler_control = control;
    handler_xmm = xmm;
    mxcsr = 0x1f80 | 0x6000;
    __asm__ volatile("ldmxcsr %0; fldz; fldz" ::"m"(mxcsr));
    seen++;
}

static void handlers_start_with_fresh_floats(void) {
    struct sigaction action = { .sa_handler = on_odd_float };
    sigaction(SIGUSR1, &action, NULL);
    const uint32_t odd = 0x9fc0;         // flush to zero, denormals are zero
    const uint16_t odd_control = 0x0c7f; // round to zero, single precision
    const uint64_t value = 0x1122334455667788;
    uint32_t mxcsr = 0;
    uint16_t control = 0;
    uint64_t xmm = 0;
    long result;
    __asm__ volatile("ldmxcsr %4; fldcw %5; movq %6, %%xmm9; syscall; stmxcsr %1; fnstcw %2;"
                     "movq %%xmm9, %3"
                     : "=a"(result), "=m"(mxcsr), "=m"(control), "=m"(xmm)
                     : "m"(odd), "m"(odd_control), "r"(value), "0"(SYS_tgkill), "D"(getpid()),
                       "S"(getpid()), "d"(SIGUSR1)
                     : "rcx", "r11", "xmm9", "memory");
    const uint32_t fresh = 0x1f80;
    const uint16_t fresh_control = 0x037f;
    __asm__ volatile("ldmxcsr %0; fldcw %1" ::"m"(fresh), "m"(fresh_control));
    SAME(result, 0);
    SAME(seen, 1);
    SAME(handler_mxcsr, fresh);
    SAME(handler_control, fresh_control);
    SAME(handler_xmm, 0);
    SAME(mxcsr, odd);
    SAME(control, odd_control);
    SAME(xmm, value);
}
#elif defined(__aarch64__)
static void on_float(int number) {
    (void)number;
    __asm__ volatile("movi v0.16b, #0xff; movi v7.16b, #0; movi v31.16b, #0" ::: "v0", "v7", "v31");
    seen++;
}

static void vector_registers_survive(void) {
    struct sigaction action = { .sa_handler = on_float };
    sigaction(SIGUSR1, &action, NULL);
    uint64_t in[2] = { 0x1111222233334444, 0x5555666677778888 };
    uint64_t out[2] = { 0, 0 };
    const long self = getpid();
    register long x0 __asm__("x0") = self;
    register long x1 __asm__("x1") = self;
    register long x2 __asm__("x2") = SIGUSR1;
    register long x8 __asm__("x8") = SYS_tgkill;
    __asm__ volatile(
        "ldr q7, [%4]; ldr q31, [%4]; svc #0; and v6.16b, v7.16b, v31.16b; str q6, [%5]"
        : "+r"(x0)
        : "r"(x1), "r"(x2), "r"(x8), "r"(in), "r"(out)
        : "v6", "v7", "v31", "memory");
    const long result = x0;
    SAME(result, 0);
    SAME(seen, 1);
    SAME(out[0], in[0]);
    SAME(out[1], in[1]);
}

// What a handler changes does not stay; what it starts with is not promised on this machine, where
// Linux leaves the registers as they were.
static void on_odd_float(int number) {
    (void)number;
    __asm__ volatile("msr fpcr, xzr; msr fpsr, xzr");
    seen++;
}

static void handlers_start_with_fresh_floats(void) {
    struct sigaction action = { .sa_handler = on_odd_float };
    sigaction(SIGUSR1, &action, NULL);
    const uint64_t odd = 3u << 22 | 1u << 24; // round to zero, flush to zero
    uint64_t control;
    uint64_t flags;
    __asm__ volatile("msr fpcr, %0; msr fpsr, %1" ::"r"(odd), "r"(1ul << 27 | 1));
    const long result = syscall(SYS_tgkill, getpid(), getpid(), SIGUSR1);
    __asm__ volatile("mrs %0, fpcr; mrs %1, fpsr; msr fpcr, xzr" : "=r"(control), "=r"(flags));
    SAME(result, 0);
    SAME(seen, 1);
    SAME(control, odd);
    SAME(flags, 1ul << 27 | 1);
}
#elif defined(__riscv)
static void on_float(int number) {
    (void)number;
    __asm__ volatile("fmv.d.x f0, zero; fmv.d.x f7, zero; fmv.d.x f31, zero" ::: "f0", "f7", "f31");
    seen++;
}

static void vector_registers_survive(void) {
    struct sigaction action = { .sa_handler = on_float };
    sigaction(SIGUSR1, &action, NULL);
    const uint64_t in[2] = { 0x1111222233334444, 0x5555666677778888 };
    uint64_t out[2] = { 0, 0 };
    const long self = getpid();
    register long a0 __asm__("a0") = self;
    register long a1 __asm__("a1") = self;
    register long a2 __asm__("a2") = SIGUSR1;
    register long a7 __asm__("a7") = SYS_tgkill;
    __asm__ volatile("fld f7, 0(%4); fld f31, 8(%4); ecall; fsd f7, 0(%5); fsd f31, 8(%5)"
                     : "+r"(a0)
                     : "r"(a1), "r"(a2), "r"(a7), "r"(in), "r"(out)
                     : "f7", "f31", "memory");
    const long result = a0;
    SAME(result, 0);
    SAME(seen, 1);
    SAME(out[0], in[0]);
    SAME(out[1], in[1]);
}

// As on aarch64.
static void on_odd_float(int number) {
    (void)number;
    __asm__ volatile("fscsr zero");
    seen++;
}

static void handlers_start_with_fresh_floats(void) {
    struct sigaction action = { .sa_handler = on_odd_float };
    sigaction(SIGUSR1, &action, NULL);
    const uint64_t odd = 1u << 5 | 1u; // round to zero; inexact was raised
    uint64_t control;
    __asm__ volatile("fscsr %0" ::"r"(odd));
    const long result = syscall(SYS_tgkill, getpid(), getpid(), SIGUSR1);
    __asm__ volatile("frcsr %0; fscsr zero" : "=r"(control));
    SAME(result, 0);
    SAME(seen, 1);
    SAME(control, odd);
}
#endif

static stack_t alternate;
static volatile uintptr_t handler_stack;
static volatile int nested_flags;
static void on_alternate(int number) {
    (void)number;
    char here;
    handler_stack = (uintptr_t)&here;
    stack_t now;
    sigaltstack(NULL, &now);
    nested_flags = now.ss_flags;
    stack_t other = alternate;
    seen = sigaltstack(&other, NULL) == -1 && errno == EPERM ? 1 : 100;
}

static void alternate_stack(void) {
    static char space[65536];
    stack_t old;
    SAME(sigaltstack(NULL, &old), 0);
    SAME(old.ss_flags, SS_DISABLE);
    alternate = (stack_t){ .ss_sp = space, .ss_size = sizeof space };
    SAME(sigaltstack(&alternate, NULL), 0);
    struct sigaction action = { .sa_handler = on_alternate, .sa_flags = SA_ONSTACK };
    sigaction(SIGUSR1, &action, NULL);
    raise(SIGUSR1);
    SAME(seen, 1);
    CHECK(handler_stack >= (uintptr_t)space && handler_stack < (uintptr_t)space + sizeof space);
    SAME(nested_flags, SS_ONSTACK);
    stack_t small = { .ss_sp = space, .ss_size = 100 };
    REFUSED(sigaltstack(&small, NULL), ENOMEM);
    stack_t odd = { .ss_sp = space, .ss_size = sizeof space, .ss_flags = 0x1234 };
    REFUSED(sigaltstack(&odd, NULL), EINVAL);
    stack_t off = { .ss_flags = SS_DISABLE };
    SAME(sigaltstack(&off, NULL), 0);
    raise(SIGUSR1);
    CHECK(handler_stack < (uintptr_t)space || handler_stack >= (uintptr_t)space + sizeof space);
}

static void no_permission(void) {
    pid_t victim = fork();
    if (victim == 0) {
        for (;;) {
            pause();
        }
    }
    pid_t pid;
    CHILD(pid) {
        NEED(setresuid(1000, 1000, 1000) == 0);
        REFUSED(kill(victim, SIGTERM), EPERM);
        REFUSED(kill(victim, 0), EPERM);
        REFUSED(kill(1, SIGTERM), EPERM);
    }
    EXITS(pid, 0);
    kill(victim, SIGKILL);
    KILLED(victim, SIGKILL);
}

static void init_is_protected(void) {
    SAME(kill(1, SIGKILL), 0); // without effect: init has no handler for it
    SAME(kill(1, 0), 0);
}

static volatile sig_atomic_t stop_loop;
static void on_stop(int number) {
    (void)number;
    stop_loop = 1;
}

static void a_busy_loop_is_interrupted(void) {
    struct sigaction action = { .sa_handler = on_stop };
    sigaction(SIGALRM, &action, NULL);
    ualarm(20000, 0);
    while (!stop_loop) {
    }
    pid_t pid = fork();
    if (pid == 0) {
        for (;;) {
        }
    }
    kill(pid, SIGKILL);
    KILLED(pid, SIGKILL);
}

static const struct check_case cases[] = {
    CASE(handler_runs),
    CASE(old_action_is_given),
    CASE(refuses),
    CASE(kill_and_stop_cannot_be_masked),
    CASE(masked_is_pending),
    CASE(ignored_is_dropped),
    CASE(handlers_mask_their_signal),
    CASE(mask_of_the_action),
    CASE(reset_after_one),
    CASE(info_of_kill),
    CASE(values_are_queued_in_order),
    CASE(timed_wait_ends),
    CASE(suspend_waits_with_a_mask),
    CASE(read_is_interrupted),
    CASE(read_is_restarted),
    CASE(ignored_signals_do_not_interrupt),
    CASE(sleep_tells_what_is_left),
    CASE(pause_ends),
    CASE(repeated_timer),
    CASE(alarm_returns_the_rest),
    CASE(default_actions),
    CASE(child_signal_tells),
    CASE(stops_are_told_unless_not_wanted),
    CASE(continue_drops_pending_stops),
    CASE(registers_survive),
    CASE(vector_registers_survive),
    CASE(handlers_start_with_fresh_floats),
    CASE(a_wait_ends_with_its_child),
    CASE(shared_actions_are_whole),
    CASE(alternate_stack),
    CASE(no_permission),
    CASE(init_is_protected),
    CASE(a_busy_loop_is_interrupted),
};
CHECK_MAIN(cases)
