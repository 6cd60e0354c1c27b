// SPDX-License-Identifier: MIT OR Apache-2.0
// tests/hosted/check.h: what the linked programs share.
//
// A program is a list of cases. Each runs in a process of its own, whose memory at PAD is a fresh
// mapping; the first failed check ends it. The program ends the machine with exit status 0 if all
// cases passed, with a panic of process 1 if not.
#pragma once

#include <helix/native.h>
#include <hosted/program.h>

#include <asm-generic/errno.h>
#include <asm-generic/signal.h>
#include <linux/fcntl.h>
#include <linux/mman.h>
#include <linux/sched.h>
#include <linux/wait.h>
#include <stdbool.h>

// Scratch memory of each case: private, anonymous, PAD_BYTES.
#define PAD       0x40000000ull
#define PAD_BYTES 0x100000ull

#define PAGE 4096ull

#define CALL(name, ...)   hosted_call(HOSTED_CALL_##name, (const uint64_t[6]){ __VA_ARGS__ })
#define NATIVE(name, ...) hosted_call(HX_CALL_##name, (const uint64_t[6]){ __VA_ARGS__ })

_Noreturn void check_fail(const char *file, int line, const char *what, int64_t value);

#define NEED(condition)                                                                            \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            check_fail(__FILE_NAME__, __LINE__, #condition " does not hold", 0);                   \
        }                                                                                          \
    } while (0)

// Two numbers are the same.
#define SAME(value, expected)                                                                      \
    do {                                                                                           \
        const int64_t same_value = (int64_t)(value);                                               \
        if (same_value != (int64_t)(expected)) {                                                   \
            check_fail(__FILE_NAME__, __LINE__, #value " is not " #expected " but", same_value);   \
        }                                                                                          \
    } while (0)

struct check_case {
    const char *name;
    void (*run)(void);
};

#define CASE(function) { #function, function }

// main() of a program.
int check_main(const struct check_case *cases, uint32_t count);

#define CHECK_PROGRAM(identifier, cases)                                                           \
    static int identifier##_main(uint64_t stack) {                                                 \
        (void)stack;                                                                               \
        return check_main(cases, sizeof(cases) / sizeof((cases)[0]));                              \
    }                                                                                              \
    HOSTED_PROGRAM(identifier, identifier##_main)

// Maps private, anonymous memory just there; its address, or a negated errno.
int64_t map_at(uint64_t at, uint64_t size_bytes, uint64_t protection);

// Puts a text into user memory; its address.
uint64_t text_at(uint64_t at, const char *text);

// Mounts a file system of that type; makes the folder if it is not there. Uses PAD's last page.
void mount_at(const char *path, const char *type);

// fork(), whose child runs function(argument) and exits with what it returns; the child's pid.
int64_t child_new(int (*function)(uint64_t argument), uint64_t argument);
// Waits for a child (-1: any); its wait status.
int64_t child_wait(int64_t pid);
// The child ended by itself with this code, or by a signal.
#define EXITED(code)   ((int64_t)(code) << 8)
#define KILLED(number) ((int64_t)(number))

// A thread of this process: function(argument) on a part of PAD as its stack for signals. Its tid
// is at `tid_at` until it has ended.
int64_t thread_new(int (*function)(uint64_t argument), uint64_t argument, uint64_t tid_at);
void thread_join(uint64_t tid_at);

// Waits until the word there is no longer (or no less than) `value`, with hosted_pause().
void spin_while(uint64_t at, uint32_t value);
