// SPDX-License-Identifier: MIT OR Apache-2.0
// bench/signal.c: signals.
#include "bench.h"

#include <signal.h>
#include <sys/mman.h>
#include <ucontext.h>

#define PAGE 4096

static volatile unsigned handled;
static volatile char *forbidden;

static void handle(int number) {
    handled += number == SIGUSR1;
}

static void ignore(int number) {
    (void)number;
}

// An instruction that stores, how long it is, and the place of the program counter, for the handler
// that steps over it.
#if defined(__x86_64__)
#define STORE(at)   __asm__ volatile("movb $0, (%%rax)" ::"a"(at) : "memory")
#define STORE_BYTES 3
#define PC(user)    ((user)->uc_mcontext.gregs[REG_RIP])
#elif defined(__aarch64__)
#define STORE(at)   __asm__ volatile("strb wzr, [%0]" ::"r"(at) : "memory")
#define STORE_BYTES 4
#define PC(user)    ((user)->uc_mcontext.pc)
#elif defined(__riscv)
#define STORE(at)                                                                                  \
    __asm__ volatile(".option push; .option norvc; sb zero, (%0); .option pop" ::"r"(at)           \
                     : "memor"                                                                     \
                       "y")
#define STORE_BYTES 4
#define PC(user)    ((user)->uc_mcontext.__gregs[REG_PC])
#endif

static void handle_fault(int number, siginfo_t *info, void *context) {
    ucontext_t *user = context;
    handled += number == SIGSEGV && info->si_addr == forbidden;
    PC(user) += STORE_BYTES;
}

static uint64_t sigaction_round(unsigned count) {
    const struct sigaction actions[2] = { { .sa_handler = handle }, { .sa_handler = ignore } };
    struct sigaction old;
    unsigned good = 0;
    sigaction(SIGUSR2, &actions[1], NULL);
    uint64_t start = bench_now();
    for (unsigned i = 0; i < count; i++) {
        good += sigaction(SIGUSR2, &actions[i & 1], &old) == 0 &&
                old.sa_handler == actions[(i + 1) & 1].sa_handler;
    }
    return bench_took(start, good == count);
}

static bool raise_prepare(void) {
    const struct sigaction action = { .sa_handler = handle };
    return sigaction(SIGUSR1, &action, NULL) == 0;
}

static uint64_t raise_round(unsigned count) {
    unsigned before = handled;
    uint64_t start = bench_now();
    for (unsigned i = 0; i < count; i++) {
        raise(SIGUSR1);
    }
    return bench_took(start, handled - before == count);
}

static bool fault_prepare(void) {
    const struct sigaction action = { .sa_sigaction = handle_fault, .sa_flags = SA_SIGINFO };
    forbidden = mmap(NULL, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return forbidden != MAP_FAILED && sigaction(SIGSEGV, &action, NULL) == 0;
}

static void fault_clean(void) {
    signal(SIGSEGV, SIG_DFL);
    munmap((void *)forbidden, PAGE);
}

static uint64_t fault_round(unsigned count) {
    unsigned before = handled;
    uint64_t start = bench_now();
    for (unsigned i = 0; i < count; i++) {
        STORE(forbidden);
    }
    return bench_took(start, handled - before == count);
}

static const struct bench_operation table[] = {
    { "sigaction", 1000, NULL, sigaction_round, NULL },
    { "raise_handler", 500, raise_prepare, raise_round, NULL },
    { "segv_caught", 500, fault_prepare, fault_round, fault_clean },
};

BENCH_MAIN(table)
