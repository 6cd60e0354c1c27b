// SPDX-License-Identifier: MIT OR Apache-2.0
// runtime/service/doom.c: how a module faults in ring 3 when it is told to: what
// runtime/kernel/doom.c does in the kernel's placement.
#include "host.h"

#include <lib/string.h>

static char *volatile nowhere = (char *)64;
static void (*volatile no_code)(void) = (void (*)(void))64;
static volatile uint32_t zero;
static struct hx_spinlock lock; // all zero bits: nobody has it

void doom_null(void) {
    *nowhere = 1;
}

void doom_jump(void) {
    no_code();
}

void doom_copy(void) {
    memset(nowhere, 1, 1000);
}

void doom_undefined(void) {
    __builtin_trap();
}

// A machine that divides by zero goes on to an instruction that it does not have.
void doom_divide(void) {
    if (1 / zero != 2) {
        __builtin_trap();
    }
}

void doom_loop(void) {
    for (;;) {
        zero = 0;
    }
}

// The next life's lock is another one.
HX_ATTR(no_thread_safety_analysis) void doom_spin(void) {
    hx_spinlock_acquire(&lock);
    *nowhere = 1;
}

void doom_overflow(void) { // NOLINT(misc-no-recursion): that is the point
    volatile uint64_t words[16] = { 0 };
    if (zero == 0) {
        doom_overflow();
    }
    zero = (uint32_t)words[3];
}
