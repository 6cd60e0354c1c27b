// SPDX-License-Identifier: MIT OR Apache-2.0
// user/libhelix/src/guard.c: memory that somebody else may take away.
//
// What is mapped under a dead capability keeps its addresses until it is unmapped, and so does what
// lies behind the end of memory that was cut: nothing else can lie there when the handler maps
// zeroes over it.
#include "guard.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>

#define GUARDED_MAX 1024

static struct {
    _Atomic uintptr_t start; // 0: free. Written last, cleared first
    _Atomic size_t size;
    atomic_flag is_taken;
} guarded[GUARDED_MAX];
static struct sigaction before[2]; // of SIGSEGV and SIGBUS; set once
static pthread_once_t once = PTHREAD_ONCE_INIT;

static bool cover(uintptr_t at) {
    for (int i = 0; i < GUARDED_MAX; i++) {
        const uintptr_t start = atomic_load_explicit(&guarded[i].start, memory_order_acquire);
        const size_t size = atomic_load_explicit(&guarded[i].size, memory_order_relaxed);
        if (start != 0 && at >= start && at - start < size) {
            return mmap((void *)start, size, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != MAP_FAILED;
        }
    }
    return false;
}

static void handle(int number, siginfo_t *info, void *context) {
    const struct sigaction *action = &before[number == SIGBUS];
    const int saved = errno;
    if (info->si_code > 0 && cover((uintptr_t)info->si_addr)) {
        errno = saved;
        return;
    }
    if ((action->sa_flags & SA_SIGINFO) != 0) {
        action->sa_sigaction(number, info, context);
    } else if (action->sa_handler != SIG_DFL && action->sa_handler != SIG_IGN) {
        action->sa_handler(number);
    } else {
        sigaction(number, action, NULL); // it happens again, and then what would have happened
    }
}

static void take_over(void) {
    struct sigaction action = { .sa_flags = SA_SIGINFO | SA_ONSTACK };
    action.sa_sigaction = handle;
    sigaction(SIGSEGV, NULL, &before[0]);
    sigaction(SIGBUS, NULL, &before[1]);
    sigaction(SIGSEGV, &action, NULL);
    sigaction(SIGBUS, &action, NULL);
}

enum hx_status guard_begin(void *start, size_t size) {
    pthread_once(&once, take_over);
    for (int i = 0; i < GUARDED_MAX; i++) {
        if (!atomic_flag_test_and_set_explicit(&guarded[i].is_taken, memory_order_acquire)) {
            atomic_store_explicit(&guarded[i].size, size, memory_order_relaxed);
            atomic_store_explicit(&guarded[i].start, (uintptr_t)start, memory_order_release);
            return HX_OK;
        }
    }
    return HX_ERR_LIMIT;
}

void guard_end(void *start) {
    for (int i = 0; i < GUARDED_MAX; i++) {
        if (atomic_load_explicit(&guarded[i].start, memory_order_relaxed) == (uintptr_t)start) {
            atomic_store_explicit(&guarded[i].start, 0, memory_order_relaxed);
            atomic_flag_clear_explicit(&guarded[i].is_taken, memory_order_release);
            return;
        }
    }
}
