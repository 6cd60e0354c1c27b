// SPDX-License-Identifier: MIT OR Apache-2.0
// tests/fuzz/machine.h: what a program can do to the processor's state: instructions that are not
// for it, odd stacks, and the frames that it returns from signals with. Below it, a file for each
// machine.
#pragma once

#include "../scenario/check.h"
#include "../scenario/machine.h"
#include "call.h"
#include "random.h"

#include <sched.h>
#include <sys/ucontext.h>

// Ends of address spaces, and places of kernels.
static const uint64_t odd_addresses[] = {
    0,
    1,
    8,
    128,
    4096,
    0x0000003ffffff000,
    0x0000004000000000,
    0x00007ffffffff000,
    0x00007ffffffff001,
    0x00007fffffffffff,
    0x0000800000000000,
    0x0000800000000080,
    0x0000fffffffff000,
    0x0001000000000000,
    0x8000000000000000,
    0xffff000000000000,
    0xffff800000000000,
    0xffffffc000000000,
    0xffffffff80100000,
    0xffffffffff600000,
    UINT64_MAX,
};

// Memory for code. Nothing may be written and executed at once, so code_seal() comes between.
static uint8_t *code_map(size_t size) {
    uint8_t *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    NEED(at != MAP_FAILED);
    return at;
}

static void code_seal(uint8_t *code, size_t size) {
    NEED(mprotect(code, size, PROT_READ | PROT_EXEC) == 0);
}

// What the others here rest on: code that a program made is executed.
static void code_runs(void) {
    static const uint8_t bytes[] = MACHINE_RETURN_42;
    pid_t pid = fork();
    if (pid == 0) {
        uint8_t *code = code_map(PAGE);
        memcpy(code, bytes, sizeof(bytes));
        code_seal(code, PAGE);
        _exit(((int (*)(void))code)());
    }
    EXITS(pid, 42);
}

static void on_signal_count(int number) {
    (void)number;
}

// A run of `code` may end by a signal or not at all; what it may not is harm.
static void run_code(const void *code, size_t size) {
    static const uint8_t back[] = MACHINE_RETURN_42; // behind it
    pid_t pid = fork();
    if (pid == 0) {
        uint8_t *at = code_map(PAGE);
        memcpy(at, code, size);
        memcpy(at + size, back, sizeof(back));
        code_seal(at, PAGE);
        alarm(2);
        ((void (*)(void))at)();
        _exit(0);
    }
    int status = check_wait(pid);
    CHECK(status == 0 || WIFSIGNALED(status));
    CHECK(!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL);
}

#if defined(__x86_64__)
#include "machine_x86_64.h"
#elif defined(__aarch64__)
#include "machine_aarch64.h"
#elif defined(__riscv)
#include "machine_riscv64.h"
#endif

// Stack pointers with which no signal can be delivered, and odd ones with which it can.
static void stacks_for_signals(void) {
    static char room[65536];
    for (size_t i = 0; i < COUNT(odd_addresses) + 2; i++) {
        const bool fine = i >= COUNT(odd_addresses);
        pid_t pid = fork();
        if (pid == 0) {
            struct sigaction action = { .sa_handler = on_signal_count };
            sigaction(SIGUSR1, &action, NULL);
            sigaction(SIGSEGV, &action, NULL);
            machine_signal_on(fine ? (uint64_t)(uintptr_t)room + (i % 2 ? 60001 : 60007)
                                   : odd_addresses[i]);
        }
        int status = check_wait(pid);
        CHECK(fine ? WIFEXITED(status) && WEXITSTATUS(status) == 4
                   : WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
    }
}

static struct generator frame_generator;

// Spoils the frame that the handler returns from.
static void spoil(int number, siginfo_t *info, void *context) {
    (void)number, (void)info;
    machine_spoil(&frame_generator, context);
}

static void spoiled_frames(void) {
    for (uint64_t i = 0; i < 300; i++) {
        pid_t pid = fork();
        if (pid == 0) {
            frame_generator = generator_of(i, 5);
            struct sigaction action = { .sa_sigaction = spoil, .sa_flags = SA_SIGINFO };
            sigaction(SIGUSR1, &action, NULL);
            sigaction(SIGTRAP, &(struct sigaction){ .sa_handler = SIG_DFL }, NULL);
            alarm(2);
            volatile double value = 1.5;
            raise(SIGUSR1);
            value = value * value;
            _exit(0);
        }
        (void)check_wait(pid);
    }
}

// sigreturn without a signal, on a stack of random bytes.
static void sigreturn_alone(void) {
    for (uint64_t i = 0; i < 200; i++) {
        pid_t pid = fork();
        if (pid == 0) {
            static _Alignas(64) uint64_t stack[2048];
            struct generator generator = generator_of(i, 6);
            for (size_t at = 0; at < COUNT(stack); at++) {
                stack[at] = one_in(&generator, 2) ? draw_any(&generator)
                                                  : (uint64_t)(uintptr_t)&stack[at & ~7ul];
            }
            alarm(2);
            machine_sigreturn((uintptr_t)&stack[below(&generator, 512) * 2]);
            machine_illegal();
        }
        (void)check_wait(pid);
    }
}

#define MACHINE_CASES                                                                              \
    CASE(code_runs), CASE(stacks_for_signals), CASE(spoiled_frames), CASE(sigreturn_alone),        \
        MACHINE_MORE_CASES
