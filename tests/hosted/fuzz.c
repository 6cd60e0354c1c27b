// SPDX-License-Identifier: MIT OR Apache-2.0
// tests/hosted/fuzz.c: random system calls, steered by libFuzzer through the whole kernel.
//
// The program is process 1 of a kernel that is built with libFuzzer's counters. The fuzzer runs in
// a host thread of its own; for each of its inputs the program forks a child without privileges,
// which fills its memory from the bytes and makes the calls that they say. A kernel that panics
// ends the process by abort(), whereupon the fuzzer keeps the input.
#include "check.h"

#include <lib/string.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

int LLVMFuzzerRunDriver(int *count, char ***arguments,
                        int (*one_input)(const uint8_t *data, size_t size));

#define CALLS_MAX           32u
#define COUNT(name, number) +1
#define NATIVE_CALLS        (0 HX_NATIVE_CALLS(COUNT) HX_POSIX_CALLS(COUNT))
#define LIMIT_NS            50000000u
#define WORDS_MAX           8u
#define NOBODY              65534u

// ---- from the fuzzer's thread ------------------------------------------------------------------

static const uint8_t *input; // while `is_there`
static size_t input_bytes;
static _Atomic uint32_t is_there;

static int one_input(const uint8_t *data, size_t size) {
    input = data;
    input_bytes = size;
    atomic_store_explicit(&is_there, 1, memory_order_release);
    while (atomic_load_explicit(&is_there, memory_order_acquire) != 0) {
        sched_yield();
    }
    return 0;
}

// Instead of the machine's end, whose only cause is a panic here: nobody may call reboot().
_Noreturn void __wrap_host_exit(int status);  // NOLINT(bugprone-reserved-identifier): ld's --wrap
_Noreturn void __wrap_host_exit(int status) { // NOLINT(bugprone-reserved-identifier)
    (void)status;
    __builtin_trap();
}

static char words[WORDS_MAX][64];

static void *fuzzer_main(void *unused) {
    (void)unused;
    static char *arguments[WORDS_MAX + 1];
    char **list = arguments;
    int count = 0;
    while (count < (int)WORDS_MAX && words[count][0] != '\0') {
        arguments[count] = words[count];
        count++;
    }
    (void)LLVMFuzzerRunDriver(&count, &list, one_input);
    return NULL; // it has ended the process
}

// ---- the calls of one input --------------------------------------------------------------------

struct reader {
    const uint8_t *at;
    size_t left;
};

static uint64_t number_read(struct reader *reader, size_t size_bytes) {
    uint64_t value = 0;
    const size_t some = MIN_OF(size_bytes, reader->left);
    memcpy(&value, reader->at, some);
    reader->at += some;
    reader->left -= some;
    return value;
}

// An argument: a byte says of which kind.
static uint64_t argument_read(struct reader *reader) {
    switch (number_read(reader, 1) % 8) {
    case 0:
        return number_read(reader, 8);
    case 1:
        return PAD + number_read(reader, 2);
    case 2:
        return PAD + number_read(reader, 1) * PAGE;
    case 3:
        return PAD + PAD_BYTES - number_read(reader, 1); // what lies behind is not mapped
    case 4:
        return -number_read(reader, 1);
    case 5:
        return number_read(reader, 1) * PAGE;
    default:
        return number_read(reader, 1);
    }
}

static int ends_at_once(uint64_t unused) {
    (void)unused;
    return 0;
}

static const uint64_t native_numbers[NATIVE_CALLS] = {
#define NUMBER(name, number) number,
    HX_NATIVE_CALLS(NUMBER) HX_POSIX_CALLS(NUMBER)
#undef NUMBER
};

static void one_call(struct reader *reader) {
    uint64_t number = number_read(reader, 2) % (HAL_SYSCALL_MAX + 1 + NATIVE_CALLS);
    if (number > HAL_SYSCALL_MAX) {
        number = native_numbers[number - HAL_SYSCALL_MAX - 1];
    }
    uint64_t arguments[6];
    for (uint32_t i = 0; i < 6; i++) {
        arguments[i] = argument_read(reader);
    }
    if (number == HOSTED_CALL_clone) {
        (void)hosted_clone(ends_at_once, 0, arguments);
    } else if (number != HOSTED_CALL_rt_sigreturn) { // nobody calls that
        (void)hosted_call(number, arguments);
    }
}

static int run_input(uint64_t unused) {
    (void)unused;
    SAME(map_at(PAD, PAD_BYTES, PROT_READ | PROT_WRITE), PAD);
    CALL(setresgid, NOBODY, NOBODY, NOBODY);
    SAME(CALL(setresuid, NOBODY, NOBODY, NOBODY), 0);
    for (size_t at = 0; input_bytes != 0 && at < 0x10000; at += input_bytes) {
        hosted_write(PAD + at, input, input_bytes);
    }
    struct reader reader = { input, input_bytes };
    for (uint32_t i = 0; i < CALLS_MAX && reader.left != 0; i++) {
        one_call(&reader);
    }
    return 0;
}

static uint64_t now_ns(void) {
    SAME(CALL(clock_gettime, CLOCK_MONOTONIC, PAD), 0);
    return hosted_load(PAD, 8) * 1000000000 + hosted_load(PAD + 8, 8);
}

// The child may wait for ever, or for what its own children do: it is ended then.
static void wait_or_kill(int64_t pid) {
    const uint64_t end = now_ns() + LIMIT_NS;
    while (CALL(wait4, (uint64_t)pid, 0, WNOHANG, 0) == 0) {
        if (now_ns() > end) {
            CALL(kill, (uint64_t)pid, SIGKILL);
        }
        CALL(sched_yield);
    }
    CALL(kill, -1ull, SIGKILL);
    while (CALL(wait4, -1ull, 0, __WALL, 0) > 0) {
    }
}

// Process 1's arguments are the fuzzer's.
static void words_read(uint64_t stack) {
    const uint64_t count = MIN_OF(hosted_load(stack, 8), (uint64_t)WORDS_MAX);
    for (uint64_t i = 0; i < count; i++) {
        const uint64_t from = hosted_load(stack + 8 + 8 * i, 8);
        for (uint64_t at = 0; at < sizeof(words[i]) - 1; at++) {
            words[i][at] = (char)hosted_load(from + at, 1);
            if (words[i][at] == '\0') {
                break;
            }
        }
    }
}

static int fuzz_main(uint64_t stack) {
    pthread_t thread;
    words_read(stack);
    SAME(map_at(PAD, PAD_BYTES, PROT_READ | PROT_WRITE), PAD);
    if (pthread_create(&thread, NULL, fuzzer_main, NULL) != 0) {
        return 1;
    }
    for (;;) {
        while (atomic_load_explicit(&is_there, memory_order_acquire) == 0) {
            hosted_pause();
        }
        wait_or_kill(child_new(run_input, 0));
        atomic_store_explicit(&is_there, 0, memory_order_release);
    }
}
HOSTED_PROGRAM(fuzz, fuzz_main);
