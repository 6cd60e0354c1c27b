// SPDX-License-Identifier: MIT OR Apache-2.0
// tests/scenario/machine.h: what of Linux's ABI the tests must know of each machine.
#pragma once

#include <sched.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#if defined(__x86_64__)
#define MACHINE_PLATFORM        "x86_64"
#define MACHINE_VDSO(name)      "__vdso_" name
#define MACHINE_VDSO_VERSION    "LINUX_2.6"
#define MACHINE_CONSOLE         "ttyS0"
#define MACHINE_CONSOLE_MAJOR   4u
#define MACHINE_ILLEGAL         "ud2"
#define MACHINE_ILLEGAL_BYTES   2
#define MACHINE_ILLEGAL_CODE    ILL_ILLOPN
#define MACHINE_PC(context)     ((context)->uc_mcontext.gregs[REG_RIP])
#define MACHINE_SP(context)     ((context)->uc_mcontext.gregs[REG_RSP])
#define MACHINE_RESULT(context) ((context)->uc_mcontext.gregs[REG_RAX])
// int code(void) { return 42; }
#define MACHINE_RETURN_42 { 0xb8, 42, 0, 0, 0, 0xc3 }

static inline long machine_illegal(void) { // what a handler makes of the result register
    long value = 0;
    __asm__ volatile(MACHINE_ILLEGAL : "+a"(value));
    return value;
}

static inline void machine_sigreturn(unsigned long stack) {
    __asm__ volatile("mov %0, %%rsp; syscall" ::"r"(stack), "a"(SYS_rt_sigreturn) : "memory");
}

static inline void machine_stack_lost(void) {
    __asm__ volatile("mov $8, %%rsp; call 1f; 1:" ::: "memory");
}

// clone() as the kernel has it.
static inline long machine_clone(unsigned long flags, void *stack, int *parent_tid, int *child_tid,
                                 unsigned long tls) {
    return syscall(SYS_clone, flags, stack, parent_tid, child_tid, tls);
}
#elif defined(__aarch64__)
#define MACHINE_PLATFORM        "aarch64"
#define MACHINE_VDSO(name)      "__kernel_" name
#define MACHINE_VDSO_VERSION    "LINUX_2.6.39"
#define MACHINE_CONSOLE         "ttyAMA0"
#define MACHINE_CONSOLE_MAJOR   204u
#define MACHINE_ILLEGAL         "udf #0"
#define MACHINE_ILLEGAL_BYTES   4
#define MACHINE_ILLEGAL_CODE    ILL_ILLOPC
#define MACHINE_PC(context)     ((context)->uc_mcontext.pc)
#define MACHINE_SP(context)     ((context)->uc_mcontext.sp)
#define MACHINE_RESULT(context) ((context)->uc_mcontext.regs[0])
#define MACHINE_RETURN_42       { 0x40, 0x05, 0x80, 0x52, 0xc0, 0x03, 0x5f, 0xd6 }

static inline long machine_illegal(void) {
    register long value __asm__("x0") = 0;
    __asm__ volatile(MACHINE_ILLEGAL : "+r"(value));
    return value;
}

static inline void machine_sigreturn(unsigned long stack) {
    register long number __asm__("x8") = SYS_rt_sigreturn;
    __asm__ volatile("mov sp, %0; svc #0" ::"r"(stack), "r"(number) : "memory");
}

static inline void machine_stack_lost(void) {
    __asm__ volatile("mov x1, #16; mov sp, x1; str x1, [sp, #-16]!" ::: "x1", "memory");
}

static inline long machine_clone(unsigned long flags, void *stack, int *parent_tid, int *child_tid,
                                 unsigned long tls) {
    return syscall(SYS_clone, flags, stack, parent_tid, tls, child_tid);
}
#elif defined(__riscv)
#define MACHINE_PLATFORM        "riscv64"
#define MACHINE_VDSO(name)      "__vdso_" name
#define MACHINE_VDSO_VERSION    "LINUX_4.15"
#define MACHINE_CONSOLE         "ttyS0"
#define MACHINE_CONSOLE_MAJOR   4u
#define MACHINE_ILLEGAL         ".half 0x1073, 0xc000" // writes the counter of cycles
#define MACHINE_ILLEGAL_BYTES   4
#define MACHINE_ILLEGAL_CODE    ILL_ILLOPC
#define MACHINE_PC(context)     ((context)->uc_mcontext.__gregs[0])
#define MACHINE_SP(context)     ((context)->uc_mcontext.__gregs[2])
#define MACHINE_RESULT(context) ((context)->uc_mcontext.__gregs[10])
#define MACHINE_RETURN_42       { 0x13, 0x05, 0xa0, 0x02, 0x67, 0x80, 0x00, 0x00 }

static inline long machine_illegal(void) {
    register long value __asm__("a0") = 0;
    __asm__ volatile(MACHINE_ILLEGAL : "+r"(value));
    return value;
}

static inline void machine_sigreturn(unsigned long stack) {
    register long number __asm__("a7") = SYS_rt_sigreturn;
    __asm__ volatile("mv sp, %0; ecall" ::"r"(stack), "r"(number) : "memory");
}

static inline void machine_stack_lost(void) {
    __asm__ volatile("li sp, 16; sd zero, -16(sp)" ::: "memory");
}

static inline long machine_clone(unsigned long flags, void *stack, int *parent_tid, int *child_tid,
                                 unsigned long tls) {
    return syscall(SYS_clone, flags, stack, parent_tid, tls, child_tid);
}
#endif

// clone() of the C library: `body` runs on the stack that ends at `stack`. musl 1.2.5, which
// riscv64 has, refuses children that share memory.
#if defined(__riscv)
static inline long machine_start(int (*body)(void *), void *stack, unsigned long flags,
                                 void *argument) {
    register long a0 __asm__("a0") = (long)flags;
    register void *a1 __asm__("a1") = stack;
    register long a2 __asm__("a2") = 0;
    register long a3 __asm__("a3") = 0;
    register long a4 __asm__("a4") = 0;
    register long a7 __asm__("a7") = SYS_clone;
    register int (*s2)(void *) __asm__("s2") = body;
    register void *s3 __asm__("s3") = argument;
    __asm__ volatile("ecall; bnez a0, 1f; mv a0, s3; jalr s2; li a7, %8; ecall; 1:"
                     : "+r"(a0)
                     : "r"(a1), "r"(a2), "r"(a3), "r"(a4), "r"(a7), "r"(s2), "r"(s3), "i"(SYS_exit)
                     : "memory");
    return a0;
}
#else
static inline long machine_start(int (*body)(void *), void *stack, unsigned long flags,
                                 void *argument) {
    return clone(body, stack, (int)flags, argument);
}
#endif
