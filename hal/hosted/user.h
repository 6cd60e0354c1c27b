// SPDX-License-Identifier: MIT OR Apache-2.0
// hal/hosted/user.h: linked programs as this folder's files see them.
//
// A program runs on a stack of the host beside its thread's kernel stack. It enters the kernel by
// switching to the kernel stack, where hal_enter_user() waits for it; the top of that stack holds
// the frame and, above it, the way to the program's stack.
#pragma once

#include "machine.h"
#include "sanitize.h"

#include <boot_arch/program.h>
#include <lib/string.h>

struct user_context;

struct stack_head {
    struct user_context *user; // NULL: nothing ran on this thread in user mode yet
    uint64_t padding;
};

static inline struct stack_head *stack_head(void *stack_top) {
    return (struct stack_head *)stack_top - 1;
}

enum user_trap { TRAP_CALL, TRAP_FAULT, TRAP_INTERRUPT };

// Runs the program of this kernel stack until it traps. Interrupts off.
enum user_trap user_run(struct stack_head *head, struct hal_frame *frame);
const struct hal_fault *user_fault(const struct stack_head *head);
// Frees what a dead thread's program had.
void user_release(struct stack_head *head);

// A context on the stack below `top`, and its end; it does not run any more.
void context_prepare(struct hal_context *context, char *stack_low, size_t stack_bytes, void *top,
                     void (*entry)(void *), void *argument);
void context_release(struct hal_context *context);

// A user address in the direct map for an access (HAL_ACCESS_…) inside one page; NULL: a fault.
// Valid until the next safe point.
uint8_t *user_translate(uint64_t address, uint32_t access, struct hal_fault *out_fault);

// How much of a range lies in its first page.
static inline size_t user_piece(uint64_t address, size_t size_bytes) {
    return MIN_OF(size_bytes, PAGE_SIZE - (address & PAGE_MASK));
}

// Copies between a program's memory and the kernel's. What programs do to each other's memory is
// their own affair, so TSan sees the kernel's side only.
static inline void user_bytes_move(void *to, const void *from, size_t size_bytes) {
#if HOSTED_TSAN
    __asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(size_bytes) : : "memory");
#else
    memcpy(to, from, size_bytes);
#endif
}

#if HOSTED_TSAN
void __tsan_read_range(void *address, unsigned long size_bytes);
void __tsan_write_range(void *address, unsigned long size_bytes);
#endif

static inline void user_bytes_get(void *to, const void *user, size_t size_bytes) {
#if HOSTED_TSAN
    __tsan_write_range(to, size_bytes);
#endif
    user_bytes_move(to, user, size_bytes);
}

static inline void user_bytes_set(void *user, const void *from, size_t size_bytes) {
#if HOSTED_TSAN
    __tsan_read_range((void *)(uintptr_t)from, size_bytes);
#endif
    user_bytes_move(user, from, size_bytes);
}
