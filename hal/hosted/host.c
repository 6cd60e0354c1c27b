// SPDX-License-Identifier: MIT OR Apache-2.0
// hal/hosted/host.c: the host's side: its libc and system calls, behind host.h. Its threads and its
// clock are in host_threads.c, or simulated by simulation.c.
#define _GNU_SOURCE
#include "host.h"

#include "sanitize.h"

#include <boot_arch/settings.h>

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#define PAGE            4096u
#define RESERVE_AT      ((void *)0x300000000000) // if the host agrees: see MEMORY_AT
#define STACKS_AT       ((void *)0x400000000000)
#define SIGNAL_STACK    65536u
#define FAULT_WRITE_BIT 2u // of the page-fault error code

#if HOSTED_TSAN
// A report may come on a small stack, where no symbolizer can be started; suite_hosted.py does
// that. The first one ends the process.
const char *__tsan_default_options(void);  // NOLINT(bugprone-reserved-identifier): TSan's name
const char *__tsan_default_options(void) { // NOLINT(bugprone-reserved-identifier)
    return "symbolize=0:halt_on_error=1";
}
#endif

void host_write(const char *text, size_t length) {
    while (length > 0) {
        ssize_t done = write(STDOUT_FILENO, text, length);
        if (done < 0 && errno != EINTR) {
            return; // nobody is left to be told
        }
        if (done > 0) {
            text += done;
            length -= (size_t)done;
        }
    }
}

// ---- addresses ---------------------------------------------------------------------------------

void *host_reserve(size_t size_bytes) {
    void *at =
        mmap(RESERVE_AT, size_bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return at == MAP_FAILED ? NULL : at;
}

bool host_map(uint64_t address, uint64_t offset, bool write) {
    void *at = (void *)(uintptr_t)address;
    int rights = write ? PROT_READ | PROT_WRITE : PROT_READ;
    return mmap(at, PAGE, rights, MAP_SHARED | MAP_FIXED, hosted_settings.memory_file,
                (off_t)offset) != MAP_FAILED;
}

void host_unmap(uint64_t address) {
    void *at = (void *)(uintptr_t)address;
    if (mmap(at, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0) ==
        MAP_FAILED) {
        abort(); // the host lost count of its own mappings
    }
}

void *host_stack_alloc(size_t size_bytes) {
    char *low = mmap(STACKS_AT, size_bytes + PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (low == MAP_FAILED) {
        return NULL;
    }
    if (mprotect(low + PAGE, size_bytes, PROT_READ | PROT_WRITE) != 0) {
        munmap(low, size_bytes + PAGE);
        return NULL;
    }
    return low + PAGE;
}

void host_stack_free(void *stack_low, size_t size_bytes) {
    munmap((char *)stack_low - PAGE, size_bytes + PAGE);
}

// ---- faults ------------------------------------------------------------------------------------

static void (*fault_handler)(uint64_t pc, uint64_t sp, uint64_t fp, uint64_t address, bool write);

static void on_signal(int number, siginfo_t *info, void *context) {
    (void)number;
    const greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;
    fault_handler((uint64_t)registers[REG_RIP], (uint64_t)registers[REG_RSP],
                  (uint64_t)registers[REG_RBP], (uint64_t)(uintptr_t)info->si_addr,
                  (registers[REG_ERR] & FAULT_WRITE_BIT) != 0);
    _exit(1);
}

void host_fault_handler(void (*handler)(uint64_t pc, uint64_t sp, uint64_t fp, uint64_t address,
                                        bool write)) {
    fault_handler = handler;
#if !HOSTED_ASAN && !HOSTED_TSAN
    struct sigaction action = { .sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_ONSTACK };
    sigaction(SIGSEGV, &action, NULL);
    sigaction(SIGBUS, &action, NULL);
#else
    (void)on_signal;
#endif
}

void host_fault_stack(void) {
#if !HOSTED_ASAN && !HOSTED_TSAN
    stack_t stack = { .ss_sp = malloc(SIGNAL_STACK), .ss_size = SIGNAL_STACK };
    if (stack.ss_sp != NULL) {
        sigaltstack(&stack, NULL); // without it an overflow ends the process just the same
    }
#endif
}
