// SPDX-License-Identifier: MIT OR Apache-2.0
// RUN: musl glibc
// Restartable sequences: the processor that the kernel writes, and sections that are given up.
#include "check.h"

#include "machine.h"
#include <pthread.h>
#include <stddef.h>
#include <sys/auxv.h>
#include <sys/resource.h>
#include <sys/time.h>

// <linux/rseq.h> has them under these names, and as types of the C library's in some versions.
struct area {
    uint32_t cpu_start, cpu;
    uint64_t section;
    uint32_t flags, padding[3];
} __attribute__((aligned(32)));

struct section {
    uint32_t version, flags;
    uint64_t start, length, abort;
} __attribute__((aligned(32)));

#define UNREGISTER 1
#define AREA_BYTES 32u

#if defined(__x86_64__)
#define SIGNATURE 0x53053053u
__asm__(".pushsection .text\n"
        ".globl spin\n"
        "spin: lea spin_section(%rip), %rax\n"
        "mov %rax, 8(%rdi)\n"
        "1: cmpl $0, (%rsi)\n"
        "je 1b\n"
        "2: xor %eax, %eax\n"
        "ret\n"
        ".byte 0x53, 0x30, 0x05, 0x53\n"
        "3: mov $1, %eax\n"
        "ret\n"
        ".popsection\n");
#elif defined(__aarch64__)
#define SIGNATURE 0xd428bc00u
__asm__(".pushsection .text\n"
        ".globl spin\n"
        "spin: adrp x2, spin_section\n"
        "add x2, x2, :lo12:spin_section\n"
        "str x2, [x0, #8]\n"
        "1: ldr w3, [x1]\n"
        "cbz w3, 1b\n"
        "2: mov x0, #0\n"
        "ret\n"
        ".inst 0xd428bc00\n"
        "3: mov x0, #1\n"
        "ret\n"
        ".popsection\n");
#else
#define SIGNATURE 0xf1401073u
__asm__(".pushsection .text\n"
        ".globl spin\n"
        "spin: lla t0, spin_section\n"
        "sd t0, 8(a0)\n"
        "1: lw t1, 0(a1)\n"
        "beqz t1, 1b\n"
        "2: li a0, 0\n"
        "ret\n"
        ".balign 4\n"
        ".word 0xf1401073\n"
        "3: li a0, 1\n"
        "ret\n"
        ".popsection\n");
#endif
__asm__(".pushsection .data\n"
        ".balign 32\n"
        ".globl spin_section\n"
        "spin_section: .long 0, 0\n"
        ".quad 1b, 2b - 1b, 3b\n"
        ".popsection\n");

// Announces the section, and stays in it until *end is not 0, then returns 0; 1: it was given up.
long spin(struct area *area, volatile int *end);
extern struct section spin_section;

static struct area area;
static volatile int never;

static long rseq(void *at, uint32_t bytes, int flags, uint32_t signature) {
    return syscall(SYS_rseq, at, bytes, flags, signature);
}

static long enter(void) {
    return rseq(&area, AREA_BYTES, 0, SIGNATURE);
}

// The C library's own, if it has registered one for this thread.
extern const unsigned __rseq_size __attribute__((weak));
extern const ptrdiff_t __rseq_offset __attribute__((weak));

static struct area *of_library(void) {
    if (&__rseq_size == NULL || __rseq_size == 0) {
        return NULL;
    }
    struct area *own = (struct area *)((char *)__builtin_thread_pointer() + __rseq_offset);
    return (int)own->cpu < 0 ? NULL : own;
}

static void free_of_library(void) {
    if (of_library() != NULL) {
        NEED(rseq(of_library(), AREA_BYTES, UNREGISTER, SIGNATURE) == 0);
    }
}

static void begin(void) {
    free_of_library();
    memset(&area, 0, sizeof area);
    area.cpu = -1u;
    NEED(enter() == 0);
}

static void pin(pid_t thread, int cpu) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    NEED(sched_setaffinity(thread, sizeof set, &set) == 0);
}

// The first processor that this process may run on, or the second, -1: there is none.
static int processor(int which) {
    cpu_set_t set;
    NEED(sched_getaffinity(0, sizeof set, &set) == 0);
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (CPU_ISSET(cpu, &set) && which-- == 0) {
            return cpu;
        }
    }
    return -1;
}

// Each number by itself: the thread may move between two looks.
static bool is_named(const volatile struct area *at) {
    return at->cpu < CPU_SETSIZE && at->cpu_start < CPU_SETSIZE;
}

static long times_away(void) {
    struct rusage usage;
    NEED(getrusage(RUSAGE_THREAD, &usage) == 0);
    return usage.ru_nvcsw;
}

// Off the processor: on a busy host a sleep may be over before it began.
static void sleep_a_moment(void) {
    const struct timespec moment = { 0, 2000000 };
    const long before = times_away();
    do {
        nanosleep(&moment, NULL);
    } while (times_away() == before);
}

static void is_registered_once(void) {
    begin();
    CHECK(is_named(&area));
    REFUSED(enter(), EBUSY);
    REFUSED(rseq(&area, AREA_BYTES, 0, SIGNATURE + 1), EPERM);
    REFUSED(rseq(&area, AREA_BYTES + 32, 0, SIGNATURE), EINVAL);
    REFUSED(rseq(&area + 1, AREA_BYTES, 0, SIGNATURE), EINVAL);
    REFUSED(rseq(NULL, AREA_BYTES, 0, SIGNATURE), EINVAL);
    REFUSED(rseq(&area, AREA_BYTES, 2, SIGNATURE), EINVAL);
    REFUSED(rseq(&area, AREA_BYTES, UNREGISTER | 2, SIGNATURE), EINVAL);
    REFUSED(rseq(&area + 1, AREA_BYTES, UNREGISTER, SIGNATURE), EINVAL);
    REFUSED(rseq(&area, AREA_BYTES - 1, UNREGISTER, SIGNATURE), EINVAL);
    REFUSED(rseq(&area, AREA_BYTES, UNREGISTER, SIGNATURE + 1), EPERM);
    SAME(rseq(&area, AREA_BYTES, UNREGISTER, SIGNATURE), 0);
    SAME(area.cpu_start, 0);
    SAME(area.cpu, -1u);
    REFUSED(rseq(&area, AREA_BYTES, UNREGISTER, SIGNATURE), EINVAL);
    SAME(rseq(&area, AREA_BYTES, 0, SIGNATURE + 1), 0); // another one
    SAME(rseq(&area, AREA_BYTES, UNREGISTER, SIGNATURE + 1), 0);
    sleep_a_moment();
    SAME(area.cpu, -1u);
}

static void refuses_what_is_none(void) {
    free_of_library();
    REFUSED(rseq((char *)&area + 16, AREA_BYTES, 0, SIGNATURE), EINVAL);
    REFUSED(rseq((char *)&area + 4, AREA_BYTES, 0, SIGNATURE), EINVAL);
    REFUSED(rseq(&area, 31, 0, SIGNATURE), EINVAL);
    REFUSED(rseq(&area, 64, 0, SIGNATURE), EINVAL);
    REFUSED(rseq(&area, 0, 0, SIGNATURE), EINVAL);
    REFUSED(rseq(&area, AREA_BYTES, -1, SIGNATURE), EINVAL);
    REFUSED(rseq((void *)-4096l, AREA_BYTES, 0, SIGNATURE), EFAULT);
    REFUSED(rseq((void *)-4096l, 1, 0, SIGNATURE), EINVAL); // what it is comes before where
    REFUSED(rseq(NULL, AREA_BYTES, 0, SIGNATURE), EFAULT);
    REFUSED(rseq(NULL, AREA_BYTES, UNREGISTER, SIGNATURE), EINVAL);
    struct area *page =
        mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    NEED(page != MAP_FAILED);
    page->section = 4096;
    NEED(mprotect(page, 4096, PROT_READ) == 0);
    REFUSED(rseq(page, AREA_BYTES, 0, SIGNATURE), EFAULT);
    NEED(mprotect(page, 4096, PROT_NONE) == 0);
    REFUSED(rseq(page, AREA_BYTES, 0, SIGNATURE), EFAULT);
    REFUSED(rseq(page, AREA_BYTES, UNREGISTER, SIGNATURE), EINVAL); // it was not taken
    SAME(getauxval(27), 0); // AT_RSEQ_FEATURE_SIZE and AT_RSEQ_ALIGN came with Linux 6.3
    SAME(getauxval(28), 0);
}

static void writes_the_processor(void) {
    const int first = processor(0), second = processor(1);
    begin();
    for (int i = 0; i < 8; i++) {
        const int cpu = second >= 0 && i % 2 != 0 ? second : first;
        pin(0, cpu);
        SAME(area.cpu, cpu);
        SAME(area.cpu_start, cpu);
        SAME(sched_getcpu(), cpu);
    }
}

// Whatever the program makes of it, and after each time that it was away.
static void writes_again_after_a_wait(void) {
    begin();
    area.cpu = area.cpu_start = 12345;
    area.section = (uintptr_t)&spin_section; // of a section that it is not in
    sleep_a_moment();
    CHECK(is_named(&area));
    SAME(area.section, 0);
}

#if defined(__GLIBC__) && !defined(__riscv)
#define LIBRARY_HAS_ONE 1
#else
#define LIBRARY_HAS_ONE 0
#endif

static void *has_one(void *argument) {
    SAME(of_library() != NULL, LIBRARY_HAS_ONE);
    CHECK(sched_getcpu() >= 0);
    return argument;
}

// The C library's, where it has one: sched_getcpu() reads it there.
static void of_the_library(void) {
    const int first = processor(0), second = processor(1);
    pthread_t thread;
    NEED((of_library() != NULL) == LIBRARY_HAS_ONE);
    if (LIBRARY_HAS_ONE) {
        REFUSED(rseq(of_library(), AREA_BYTES, 0, SIGNATURE), EBUSY);
    }
    NEED(pthread_create(&thread, NULL, has_one, NULL) == 0);
    pthread_join(thread, NULL);
    for (int i = 0; i < 8; i++) {
        const int cpu = second >= 0 && i % 2 != 0 ? second : first;
        pin(0, cpu);
        SAME(sched_getcpu(), cpu);
        if (of_library() != NULL) {
            SAME(of_library()->cpu, cpu);
        }
    }
}

// Sections ---------------------------------------------------------------------------------------

static void *takes_turns(void *end) {
    while (*(volatile int *)end == 0) {
    }
    return NULL;
}

// Another thread on the same processor.
static void is_given_up_when_preempted(void) {
    volatile int end = 0;
    pthread_t other;
    begin();
    pin(0, processor(0));
    NEED(pthread_create(&other, NULL, takes_turns, (void *)&end) == 0);
    for (int i = 0; i < 20; i++) {
        SAME(spin(&area, &never), 1);
        SAME(area.section, 0);
        SAME(area.cpu, area.cpu_start);
    }
    end = 1;
    pthread_join(other, NULL);
}

// What ends by itself is not given up: the pointer stays until somebody looks.
static void goes_on_alone(void) {
    static volatile int at_once = 1;
    begin();
    SAME(spin(&area, &at_once), 0);
    CHECK(area.section == 0 || area.section == (uintptr_t)&spin_section);
    sleep_a_moment();
    SAME(area.section, 0);
}

static volatile int handled;
static volatile uint64_t handled_at, handled_section;

static void on_signal(int number, siginfo_t *info, void *context) {
    (void)number;
    (void)info;
    handled_at = (uint64_t)MACHINE_PC((ucontext_t *)context);
    handled_section = area.section;
    handled = 1;
}

static void handle(int number) {
    struct sigaction action = { .sa_sigaction = on_signal, .sa_flags = SA_SIGINFO };
    sigemptyset(&action.sa_mask);
    NEED(sigaction(number, &action, NULL) == 0);
}

static void alarm_soon(void) {
    const struct itimerval soon = { { 0, 0 }, { 0, 20000 } };
    NEED(setitimer(ITIMER_REAL, &soon, NULL) == 0);
}

// The frame of the handler already has the place where it goes on.
static void is_given_up_for_a_handler(void) {
    begin();
    handle(SIGALRM);
    for (int i = 0; i < 5; i++) {
        handled = 0;
        alarm_soon();
        while (handled == 0) { // others may preempt it first
            SAME(spin(&area, &never), 1);
        }
        CHECK(handled_at < spin_section.start ||
              handled_at - spin_section.start >= spin_section.length);
        SAME(handled_section, 0);
        SAME(area.section, 0);
    }
}

// By a signal of its own, which no switch comes before: the section is that of this call itself.
static void a_handler_needs_no_switch(void) {
    begin();
    handle(SIGUSR1);
    area.section = (uintptr_t)&spin_section;
    area.cpu = 4321;
    NEED(raise(SIGUSR1) == 0);
    SAME(handled, 1);
    SAME(handled_section, 0);
    CHECK(area.cpu < CPU_SETSIZE);
}

static void tell(void) {
    (void)syscall(SYS_tgkill, getpid(), getpid(), SIGUSR1);
}

static void on_the_first(int number, siginfo_t *info, void *context) {
    (void)number;
    (void)info;
    if ((uint64_t)MACHINE_PC((ucontext_t *)context) == spin_section.abort) {
        _exit(7);
    }
}

// The instruction at its end is not of the section, the one at its start is.
static void it_ends_before_its_end(void) {
    static struct section section;
    pid_t pid;
    begin();
    handle(SIGUSR1);
    tell();
    const uint64_t behind_call = handled_at;
    section =
        (struct section){ .start = behind_call - 8, .length = 8, .abort = spin_section.abort };
    area.section = (uintptr_t)&section;
    tell();
    SAME(handled_at, behind_call);
    SAME(area.section, 0);
    CHILD(pid) {
        struct sigaction action = { .sa_sigaction = on_the_first, .sa_flags = SA_SIGINFO };
        NEED(sigaction(SIGUSR1, &action, NULL) == 0);
        section.start = behind_call;
        for (int i = 0; i < 1000; i++) { // a switch before the call takes it away
            area.section = (uintptr_t)&section;
            tell();
        }
    }
    EXITS(pid, 7);
}

struct spinner {
    volatile int tid, given_up, may_end;
    int cpu_after;
    struct area area;
};

static void *spins(void *argument) {
    struct spinner *spinner = argument;
    free_of_library();
    NEED(rseq(&spinner->area, AREA_BYTES, 0, SIGNATURE) == 0);
    spinner->tid = (int)syscall(SYS_gettid);
    SAME(spin(&spinner->area, &never), 1);
    spinner->cpu_after = (int)spinner->area.cpu;
    SAME(rseq(&spinner->area, AREA_BYTES, UNREGISTER, SIGNATURE), 0);
    spinner->given_up = 1;
    while (spinner->may_end == 0) { // it is moved by its number
        sched_yield();
    }
    return NULL;
}

static void is_given_up_when_moved(void) {
    const int first = processor(0), second = processor(1);
    static struct spinner spinner;
    pthread_t thread;
    if (second < 0) {
        return;
    }
    pin(0, first);
    NEED(pthread_create(&thread, NULL, spins, &spinner) == 0);
    while (spinner.tid == 0) {
        sched_yield();
    }
    while (spinner.given_up == 0) {
        pin(spinner.tid, second);
        sched_yield();
    }
    spinner.may_end = 1;
    pthread_join(thread, NULL);
    CHECK(spinner.cpu_after == first || spinner.cpu_after == second);
}

// What kills ------------------------------------------------------------------------------------

// With this descriptor, the way back from a wait.
#define KILLS(prepare)                                                                             \
    do {                                                                                           \
        pid_t kills_pid;                                                                           \
        CHILD(kills_pid) {                                                                         \
            struct section bad = spin_section;                                                     \
            begin();                                                                               \
            uint64_t section = (uintptr_t)&bad;                                                    \
            prepare;                                                                               \
            area.section = section;                                                                \
            sleep_a_moment();                                                                      \
            _exit(42);                                                                             \
        }                                                                                          \
        KILLED(kills_pid, SIGSEGV);                                                                \
    } while (0)

static void bad_descriptors_kill(void) {
    pid_t pid;
    KILLS(bad.version = 1);
    KILLS(bad.abort = bad.start);
    KILLS(bad.abort = bad.start + bad.length - 1);
    KILLS(bad.abort += 1); // no signature before it
    KILLS(bad.abort = 4096);
    KILLS(bad.abort = -4096ul);
    KILLS(bad.start = -4096ul);
    KILLS(bad.length = -bad.start - 1);
    KILLS(bad.length = -bad.start + 100);
    KILLS(section = 4096);
    KILLS(section = -4096ul);
    KILLS(signal(SIGSEGV, SIG_IGN); section = 4096);
    KILLS(handle(SIGSEGV); section = 4096); // its handler cannot be entered either
    CHILD(pid) {
        free_of_library();
        area.section = 4096; // what was there before is not looked at
        SAME(enter(), 0);
        SAME(area.section, 0);
    }
    EXITS(pid, 0);
}

// Flags are looked at only where a section is to be given up.
static void flags_kill(void) {
    pid_t pid;
    for (int which = 0; which < 3; which++) {
        CHILD(pid) {
            begin();
            NEED(which != 0 || (spin_section.flags = 1) != 0);
            NEED(which != 1 || (area.flags = 8) != 0);
            area.section = (uintptr_t)&spin_section;
            sleep_a_moment();
            SAME(area.section, 0);
            handle(SIGALRM);
            alarm_soon();
            (void)spin(&area, &never);
            _exit(42);
        }
        if (which < 2) {
            KILLED(pid, SIGSEGV);
        } else {
            EXITS(pid, 42);
        }
    }
}

static void an_area_that_is_gone_kills(void) {
    for (int which = 0; which < 3; which++) {
        pid_t pid;
        CHILD(pid) {
            free_of_library();
            struct area *page =
                mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
            NEED(page != MAP_FAILED);
            NEED(rseq(page, AREA_BYTES, 0, SIGNATURE) == 0);
            NEED(is_named(page));
            if (which == 0) {
                NEED(munmap(page, 4096) == 0);
            } else {
                NEED(mprotect(page, 4096, PROT_READ) == 0);
            }
            if (which == 2) {
                NEED(rseq(page, AREA_BYTES, UNREGISTER, SIGNATURE) == -1 && errno == EFAULT);
                NEED(rseq(page, AREA_BYTES, 0, SIGNATURE) == -1 && errno == EBUSY);
            }
            sleep_a_moment();
            _exit(42);
        }
        KILLED(pid, SIGSEGV);
    }
}

// Children, threads, programs --------------------------------------------------------------------

static void a_child_has_it(void) {
    pid_t pid;
    begin();
    area.cpu = 54321;
    CHILD(pid) {
        CHECK(is_named(&area));
        REFUSED(enter(), EBUSY);
        SAME(rseq(&area, AREA_BYTES, UNREGISTER, SIGNATURE), 0);
        SAME(area.cpu, -1u);
    }
    EXITS(pid, 0);
    CHECK(area.cpu != -1u);
    REFUSED(enter(), EBUSY);
}

static int shares_memory(void *argument) {
    (void)argument;
    const bool is_free = rseq(&area, AREA_BYTES, UNREGISTER, SIGNATURE) == -1 && errno == EINVAL;
    static struct area own;
    return is_free && rseq(&own, AREA_BYTES, 0, SIGNATURE) == 0 && own.cpu < CPU_SETSIZE ? 7 : 8;
}

static void who_shares_memory_has_none(void) {
    static char stack[16384] __attribute__((aligned(16)));
    begin();
    const long pid = machine_start(shares_memory, stack + sizeof stack, CLONE_VM | SIGCHLD, NULL);
    NEED(pid > 0);
    EXITS((pid_t)pid, 7);
    REFUSED(enter(), EBUSY);
}

static void *has_its_own(void *argument) {
    struct area *own = argument;
    free_of_library();
    REFUSED(rseq(own, AREA_BYTES, UNREGISTER, SIGNATURE), EINVAL);
    SAME(rseq(own, AREA_BYTES, 0, SIGNATURE), 0);
    for (int i = 0; i < 200; i++) {
        sched_yield();
        CHECK(is_named(own));
    }
    SAME(rseq(own, AREA_BYTES, UNREGISTER, SIGNATURE), 0);
    return NULL;
}

static void threads_have_their_own(void) {
    static struct area areas[8];
    pthread_t threads[8];
    begin();
    for (int i = 0; i < 8; i++) {
        NEED(pthread_create(&threads[i], NULL, has_its_own, &areas[i]) == 0);
    }
    for (int i = 0; i < 8; i++) {
        pthread_join(threads[i], NULL);
        SAME(areas[i].cpu, -1u);
    }
    REFUSED(enter(), EBUSY);
}

// The next program: main() comes here.
static int after_exec(void) {
    REFUSED(rseq(&area, AREA_BYTES, UNREGISTER, SIGNATURE), EINVAL);
    free_of_library();
    SAME(enter(), 0);
    CHECK(area.cpu < CPU_SETSIZE);
    return check_failures;
}

static void exec_forgets_it(void) {
    pid_t pid;
    begin();
    CHILD(pid) {
        execl("/proc/self/exe", "rseq", "after exec", NULL);
    }
    EXITS(pid, 0);
}

int main(int argc, char **argv) {
    static const struct check_case cases[] = {
        CASE(is_registered_once),
        CASE(refuses_what_is_none),
        CASE(writes_the_processor),
        CASE(writes_again_after_a_wait),
        CASE(of_the_library),
        CASE(is_given_up_when_preempted),
        CASE(goes_on_alone),
        CASE(is_given_up_for_a_handler),
        CASE(a_handler_needs_no_switch),
        CASE(it_ends_before_its_end),
        CASE(is_given_up_when_moved),
        CASE(bad_descriptors_kill),
        CASE(flags_kill),
        CASE(an_area_that_is_gone_kills),
        CASE(a_child_has_it),
        CASE(who_shares_memory_has_none),
        CASE(threads_have_their_own),
        CASE(exec_forgets_it),
    };
    if (argc == 2 && strcmp(argv[1], "after exec") == 0) {
        return after_exec();
    }
    return check_main(cases, sizeof(cases) / sizeof(cases[0]), argc, argv);
}
