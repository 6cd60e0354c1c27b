// SPDX-License-Identifier: MIT OR Apache-2.0
// RUN: musl glibc
// Faults of a program become signals that say what happened, and can be survived.
#include "check.h"
#include "machine.h"

#include <setjmp.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <ucontext.h>

static sigjmp_buf back;
static siginfo_t got;
static volatile uint64_t got_pc;

static void on_fault(int number, siginfo_t *info, void *context) {
    (void)number;
    got = *info;
    got_pc = (uint64_t)MACHINE_PC((ucontext_t *)context);
    siglongjmp(back, 1);
}

static void catch_all(void) {
    static const int signals[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP };
    struct sigaction action = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK };
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++) {
        sigaction(signals[i], &action, NULL);
    }
}

// Runs the statement; it must raise this signal with this code.
#define FAULTS(statement, number, code)                                                            \
    do {                                                                                           \
        got.si_signo = 0;                                                                          \
        if (sigsetjmp(back, 1) == 0) {                                                             \
            statement;                                                                             \
        }                                                                                          \
        if (got.si_signo != (number) || got.si_code != (code)) {                                   \
            check_fail(__FILE_NAME__, __LINE__, "%s: signal %d code %d, not %d %d", #statement,    \
                       got.si_signo, got.si_code, (number), (code));                               \
        }                                                                                          \
    } while (0)

static void peek(uintptr_t address) {
    (void)*(volatile char *)address;
}

static void poke(uintptr_t address) {
    *(volatile char *)address = 1;
}

static void jump(uintptr_t address) {
    ((void (*)(void))address)();
}

#define ADDRESS ((uintptr_t)got.si_addr)

static void unmapped(void) {
    catch_all();
    FAULTS(peek(0), SIGSEGV, SEGV_MAPERR);
    SAME(ADDRESS, 0);
    FAULTS(poke(0x1234), SIGSEGV, SEGV_MAPERR);
    SAME(ADDRESS, 0x1234);
    FAULTS(jump(0x5000), SIGSEGV, SEGV_MAPERR);
    SAME(ADDRESS, 0x5000);
    SAME(got_pc, 0x5000);
}

static void protected_pages(void) {
    catch_all();
    char *page = mmap(NULL, 8192, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    NEED(page != MAP_FAILED);
    FAULTS(poke((uintptr_t)page + 5), SIGSEGV, SEGV_ACCERR);
    SAME(ADDRESS, (uintptr_t)page + 5);
    peek((uintptr_t)page);
    FAULTS(jump((uintptr_t)page), SIGSEGV, SEGV_ACCERR); // no execution without PROT_EXEC
    SAME(mprotect(page, 4096, PROT_NONE), 0);
    FAULTS(peek((uintptr_t)page), SIGSEGV, SEGV_ACCERR);
    peek((uintptr_t)page + 4096);
    SAME(munmap(page, 4096), 0);
    FAULTS(peek((uintptr_t)page), SIGSEGV, SEGV_MAPERR);
}

static void kernel_half(void) {
    catch_all();
    FAULTS(peek(0xffffffff80000000), SIGSEGV, SEGV_MAPERR);
    FAULTS(poke(0xffff888000000000), SIGSEGV, SEGV_MAPERR);
    FAULTS(jump(0xffffffff80100000), SIGSEGV, SEGV_MAPERR);
#if defined(__x86_64__)
    FAULTS(peek(0x1000000000000000), SIGSEGV, SI_KERNEL); // not canonical: no address is told
    SAME(ADDRESS, 0);
    FAULTS(peek(0x00007ffffffff000), SIGSEGV, SEGV_MAPERR);
#elif defined(__aarch64__)
    FAULTS(peek(0x1000000000001234), SIGSEGV, SEGV_MAPERR); // the first byte is the program's own
    SAME(ADDRESS, 0x1234);
    FAULTS(peek(0x0010000000000000), SIGSEGV, SEGV_MAPERR); // in neither half
    SAME(ADDRESS, 0x0010000000000000);
#elif defined(__riscv)
    FAULTS(peek(0x0010000000000000), SIGSEGV, SEGV_MAPERR); // in neither half
    SAME(ADDRESS, 0x0010000000000000);
#endif
}

static void own_code_is_not_writable(void) {
    catch_all();
    FAULTS(poke((uintptr_t)&own_code_is_not_writable), SIGSEGV, SEGV_ACCERR);
    static const char constant[] = "constant";
    FAULTS(poke((uintptr_t)constant), SIGSEGV, SEGV_ACCERR);
}

static void data_is_not_executable(void) {
    catch_all();
    static unsigned char code[16] __attribute__((aligned(16))) = MACHINE_RETURN_42;
    FAULTS(jump((uintptr_t)code), SIGSEGV, SEGV_ACCERR);
    unsigned char local[16] __attribute__((aligned(16))) = MACHINE_RETURN_42;
    FAULTS(jump((uintptr_t)local), SIGSEGV, SEGV_ACCERR);
}

#if defined(__x86_64__)
static void divide(void) {
    __asm__ volatile("xor %%edx, %%edx; mov $1, %%eax; xor %%ecx, %%ecx; div %%ecx" ::
                         : "eax", "ecx", "edx");
}

static void other_exceptions(void) {
    catch_all();
    FAULTS(divide(), SIGFPE, FPE_INTDIV);
    FAULTS(__asm__ volatile("ud2"), SIGILL, ILL_ILLOPN);
    FAULTS(__asm__ volatile("int3"), SIGTRAP, SI_KERNEL);
    FAULTS(__asm__ volatile("hlt"), SIGSEGV, SI_KERNEL);
    FAULTS(__asm__ volatile("cli"), SIGSEGV, SI_KERNEL);
    FAULTS(__asm__ volatile("outb %%al, $0x80" ::), SIGSEGV, SI_KERNEL);
    FAULTS(__asm__ volatile("mov %%cr3, %%rax" :: : "rax"), SIGSEGV, SI_KERNEL);
    FAULTS(__asm__ volatile("int $0x21"), SIGSEGV, SI_KERNEL);
    FAULTS(__asm__ volatile("mov $0, %%ecx; rdmsr" :: : "eax", "ecx", "edx"), SIGSEGV, SI_KERNEL);
    FAULTS(__asm__ volatile("mov $0x1b, %%eax; mov %%ax, %%ss" :: : "eax"), SIGSEGV, SI_KERNEL);
}

static void float_exceptions(void) {
    catch_all();
    unsigned short control = 0x37f & ~0x4u; // x87, division by zero unmasked
    FAULTS(__asm__ volatile("fldcw %0; fld1; fldz; fdivrp; fwait" ::"m"(control)), SIGFPE,
           FPE_FLTDIV);
}
#elif defined(__aarch64__)
static void other_exceptions(void) {
    catch_all();
    FAULTS(__asm__ volatile("udf #0"), SIGILL, ILL_ILLOPC);
    FAULTS(__asm__ volatile("brk #0"), SIGTRAP, TRAP_BRKPT);
    SAME(ADDRESS, got_pc);
    FAULTS(__asm__ volatile("hlt #0"), SIGILL, ILL_ILLOPC);
    FAULTS(__asm__ volatile("hvc #0"), SIGILL, ILL_ILLOPC);
    FAULTS(__asm__ volatile("msr daifset, #15"), SIGILL, ILL_ILLOPC);
    FAULTS(__asm__ volatile("mrs x0, ttbr0_el1" :: : "x0"), SIGILL, ILL_ILLOPC);
    FAULTS(__asm__ volatile("tlbi vmalle1"), SIGILL, ILL_ILLOPC);
    FAULTS(jump((uintptr_t)&other_exceptions + 2), SIGBUS, BUS_ADRALN);
    SAME(ADDRESS, (uintptr_t)&other_exceptions + 2);
}

// None of these processors can be told to raise one.
static void float_exceptions(void) {
    volatile double zero = 0;
    CHECK(1.0 / zero > 1e300);
}
#elif defined(__riscv)
static void other_exceptions(void) {
    catch_all();
    FAULTS(__asm__ volatile(MACHINE_ILLEGAL), SIGILL, ILL_ILLOPC);
    FAULTS(__asm__ volatile(".option push; .option norvc; ebreak; .option pop"), SIGTRAP,
           TRAP_BRKPT);
    SAME(ADDRESS, got_pc);
    FAULTS(__asm__ volatile("csrr a0, sstatus" :: : "a0"), SIGILL, ILL_ILLOPC);
    FAULTS(__asm__ volatile("csrw satp, zero"), SIGILL, ILL_ILLOPC);
    FAULTS(__asm__ volatile("sfence.vma"), SIGILL, ILL_ILLOPC);
    FAULTS(__asm__ volatile("sret"), SIGILL, ILL_ILLOPC);
}

// Floating point traps nowhere on this machine.
static void float_exceptions(void) {
    volatile double zero = 0;
    CHECK(1.0 / zero > 1e300);
}
#endif

static void beyond_the_file(void) {
    catch_all();
    int fd = open("f", O_CREAT | O_RDWR, 0600);
    NEED(ftruncate(fd, 100) == 0);
    char *map = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    NEED(map != MAP_FAILED);
    SAME(map[4095], 0);
    FAULTS(peek((uintptr_t)map + 4096), SIGBUS, BUS_ADRERR);
    SAME(ADDRESS, (uintptr_t)map + 4096);
    NEED(ftruncate(fd, 8192) == 0);
    peek((uintptr_t)map + 4096);
    poke((uintptr_t)map + 4096);
    NEED(ftruncate(fd, 10) == 0);
    FAULTS(peek((uintptr_t)map + 4096), SIGBUS, BUS_ADRERR);
}

static void poke_pages(char *at, size_t size_bytes) {
    for (size_t i = 0; i < size_bytes; i += 4096) {
        poke((uintptr_t)at + i);
    }
}

// A hole in a file is filled by whoever touches it, until the file system has no room left.
static void full_file_system(void) {
    const size_t size = 1u << 20;
    catch_all();
    NEED(mkdir("full", 0700) == 0);
    NEED(mount("tmpfs", "full", "tmpfs", 0, "size=65536") == 0);
    int other = open("full/other", O_CREAT | O_RDWR, 0600);
    int fd = open("full/sparse", O_CREAT | O_RDWR, 0600);
    int zeroes = open("/dev/zero", O_RDONLY);
    NEED(write(other, "x", 1) == 1 && ftruncate(fd, (off_t)size) == 0);
    char *map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    NEED(map != MAP_FAILED);
    FAULTS(poke_pages(map, size), SIGBUS, BUS_ADRERR);
    const uintptr_t at = ADDRESS;
    CHECK(at > (uintptr_t)map && at < (uintptr_t)map + 65536);
    REFUSED(read(zeroes, (void *)at, 1), EFAULT);
    FAULTS(peek(at), SIGBUS, BUS_ADRERR); // a read, too
    SAME(ftruncate(other, 0), 0);
    poke(at);
    SAME(read(zeroes, (void *)at, 1), 1);
    SAME(munmap(map, size), 0);
    NEED(close(fd) == 0 && close(other) == 0);
    SAME(umount("full"), 0);
}

static void on_skip(int number, siginfo_t *info, void *context) {
    (void)number;
    (void)info;
    MACHINE_PC((ucontext_t *)context) += MACHINE_ILLEGAL_BYTES;
    MACHINE_RESULT((ucontext_t *)context) = 77;
}

static void context_can_be_changed(void) {
    struct sigaction action = { .sa_sigaction = on_skip, .sa_flags = SA_SIGINFO };
    sigaction(SIGILL, &action, NULL);
    SAME(machine_illegal(), 77);
}

static char *volatile fix_page;
static void on_fix(int number, siginfo_t *info, void *context) {
    (void)number;
    (void)info;
    (void)context;
    mprotect(fix_page, 4096, PROT_READ | PROT_WRITE);
}

static void access_is_retried(void) {
    struct sigaction action = { .sa_sigaction = on_fix, .sa_flags = SA_SIGINFO };
    sigaction(SIGSEGV, &action, NULL);
    fix_page = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    *(volatile char *)(fix_page + 7) = 9;
    SAME(fix_page[7], 9);
}

static int __attribute__((noinline)) recurse(int depth) {
    volatile char space[1024];
    space[0] = (char)depth;
    return recurse(depth + 1) + space[0];
}

static void stack_overflow(void) {
    static char space[65536];
    stack_t alternate = { .ss_sp = space, .ss_size = sizeof space };
    SAME(sigaltstack(&alternate, NULL), 0);
    catch_all();
    FAULTS(recurse(0), SIGSEGV, SEGV_MAPERR);
    pid_t pid = fork();
    if (pid == 0) {
        stack_t off = { .ss_flags = SS_DISABLE };
        sigaltstack(&off, NULL);
        recurse(0); // the handler has no stack: death by SIGSEGV
        _exit(0);
    }
    KILLED(pid, SIGSEGV);
}

static void stack_grows(void) {
    volatile char space[4 << 20]; // half of the usual limit, not touched before
    for (size_t at = 0; at < sizeof space; at += 4096) {
        space[at] = 1;
    }
    SAME(space[0], 1);
}

static void uncaught_ends_the_process(void) {
    pid_t pid = fork();
    if (pid == 0) {
        peek(0);
        _exit(0);
    }
    KILLED(pid, SIGSEGV);
    pid = fork();
    if (pid == 0) {
        signal(SIGSEGV, SIG_IGN); // does not help for a fault
        peek(0);
        _exit(0);
    }
    KILLED(pid, SIGSEGV);
    pid = fork();
    if (pid == 0) {
        sigset_t all;
        sigfillset(&all);
        sigprocmask(SIG_SETMASK, &all, NULL); // nor does this
        peek(0);
        _exit(0);
    }
    KILLED(pid, SIGSEGV);
    pid = fork();
    if (pid == 0) {
        machine_stack_lost();
        _exit(0);
    }
    KILLED(pid, SIGSEGV);
}

static void bad_return_frames(void) {
    for (int round = 0; round < 4; round++) {
        pid_t pid = fork();
        if (pid == 0) {
            static char junk[8192];
            memset(junk, round == 0 ? 0 : (round == 1 ? 0xff : 0x5a), sizeof junk);
            uintptr_t stack = round == 3 ? 8 : (uintptr_t)junk + 1024;
            machine_sigreturn(stack);
            _exit(0);
        }
        KILLED(pid, SIGSEGV);
    }
}

#if !defined(__x86_64__)
static volatile int ticks;
static void on_nothing(int number) {
    (void)number;
    ticks++;
}
#endif

// A signal frame that asks for kernel mode, for kernel addresses, for masked interrupts.
static volatile int frame_change;
static void on_bend(int number, siginfo_t *info, void *context) {
    (void)number;
    (void)info;
    ucontext_t *bent = context;
    switch (frame_change) {
    case 0:
#if defined(__x86_64__)
        bent->uc_mcontext.gregs[REG_CSGSFS] = 0x08;
#elif defined(__aarch64__)
        bent->uc_mcontext.pstate |= 0x5; // EL1h
#elif defined(__riscv)
        ((uint32_t *)(&bent->uc_mcontext.__fpregs + 1))[-1] = 1; // there is no mode to ask for
#endif
        break;
    case 1:
        MACHINE_PC(bent) = 0xffffffff80100000;
        break;
    case 2:
        MACHINE_SP(bent) = 0xffff888000000000;
        break;
    case 3:
        MACHINE_PC(bent) = 0x0010000000000000;
        break;
    default:
#if defined(__x86_64__)
        bent->uc_mcontext.gregs[REG_EFL] |= 0x3000 | 0x4000 | 0x20000; // IOPL, nested task, VM86
        bent->uc_mcontext.gregs[REG_EFL] &= ~0x200LL;                  // interrupts off
#elif defined(__aarch64__)
        bent->uc_mcontext.pstate |= 0x3c0 | 1u << 21 | 1u << 20; // all masked, step, illegal
#endif
    }
}

// Whether the program still is one, and can be interrupted.
static bool is_user_mode(void) {
#if defined(__x86_64__)
    unsigned short code_segment;
    __asm__ volatile("mov %%cs, %0" : "=r"(code_segment));
    return (code_segment & 3) == 3;
#elif defined(__aarch64__)
    catch_all();
    FAULTS(__asm__ volatile("mrs x0, currentel" :: : "x0"), SIGILL, ILL_ILLOPC);
    return true;
#elif defined(__riscv)
    return false; // Linux ends who changes these bytes
#endif
}

static void flags_are_ours(void) {
#if defined(__x86_64__)
    uint64_t flags;
    __asm__ volatile("pushfq; popq %0" : "=r"(flags));
    SAME(flags & (0x200 | 0x3000 | 0x20000), 0x200);
#else
    struct itimerval timer = { .it_value = { 0, 1000 } };
    signal(SIGALRM, on_nothing);
    setitimer(ITIMER_REAL, &timer, NULL);
    while (ticks == 0) { // no end if interrupts were off
    }
#endif
}

static void bent_frames_gain_nothing(void) {
    struct sigaction action = { .sa_sigaction = on_bend, .sa_flags = SA_SIGINFO };
    sigaction(SIGUSR1, &action, NULL);
    for (frame_change = 1; frame_change < 4; frame_change++) {
        pid_t pid = fork();
        if (pid == 0) {
            raise(SIGUSR1);
            _exit(0);
        }
        KILLED(pid, SIGSEGV);
    }
    pid_t pid = fork();
    if (pid == 0) {
        frame_change = 0;
        raise(SIGUSR1);
        _exit(is_user_mode() ? 0 : 1); // whatever became of the selector
    }
    int status = check_wait(pid);
    CHECK((WIFEXITED(status) && WEXITSTATUS(status) == 0) || WIFSIGNALED(status));
    raise(SIGUSR1);
    flags_are_ours();
}

static const struct check_case cases[] = {
    CASE(unmapped),
    CASE(protected_pages),
    CASE(kernel_half),
    CASE(own_code_is_not_writable),
    CASE(data_is_not_executable),
    CASE(other_exceptions),
    CASE(float_exceptions),
    CASE(beyond_the_file),
    CASE(full_file_system),
    CASE(context_can_be_changed),
    CASE(access_is_retried),
    CASE(stack_overflow),
    CASE(stack_grows),
    CASE(uncaught_ends_the_process),
    CASE(bad_return_frames),
    CASE(bent_frames_gain_nothing),
};
CHECK_MAIN(cases)
