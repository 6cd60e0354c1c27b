// SPDX-License-Identifier: MIT OR Apache-2.0
// hal/hosted/trap.c: entries from linked programs, faults of the kernel itself, backtraces.
#include "user.h"

#include <hal/io.h>
#include <hal/trap.h>
#include <lib/format.h>
#include <lib/frames.h>

// What came before the return: on a real machine interrupts come in user mode at once.
static void user_return(struct hal_frame *frame) {
    hal_irq_off();
    do {
        (void)hosted_interrupts_handle();
        hosted_handlers.user_return(frame);
    } while (atomic_load_explicit(&hosted_this()->pending, memory_order_relaxed) != 0);
}

void hal_enter_user(struct hal_frame *frame) {
    struct stack_head *head = (struct stack_head *)(void *)(frame + 1);
    for (;;) {
        user_return(frame);
        switch (user_run(head, frame)) {
        case TRAP_CALL:
            hal_irq_on();
            hosted_handlers.syscall(frame);
            break;
        case TRAP_FAULT: {
            const struct hal_fault fault = *user_fault(head);
            hal_irq_on();
            hosted_handlers.fault(frame, &fault);
            break;
        }
        case TRAP_INTERRUPT:
            break;
        }
    }
}

void hosted_kernel_fault(uint64_t pc, uint64_t sp, uint64_t fp, uint64_t address, bool write) {
    struct hal_frame frame = { .pc = pc, .sp = sp, .fp = fp };
    const struct hal_fault fault = {
        .kind = HAL_FAULT_PAGE,
        .access = write ? HAL_ACCESS_WRITE : HAL_ACCESS_READ,
        .address = address,
    };
    hosted_handlers.fault(&frame, &fault);
}

uint64_t hal_frame_fp(const struct hal_frame *frame) {
    return frame->fp;
}

uint32_t hal_backtrace(uint64_t fp, const void *stack_low, const void *stack_high,
                       uint64_t *out_addresses, uint32_t capacity) {
    const uint64_t start = fp != 0 ? fp : (uint64_t)(uintptr_t)__builtin_frame_address(0);
    return frames_walk(start, FRAMES_AT, stack_low, stack_high, out_addresses, capacity);
}

void hal_frame_print(const struct hal_frame *frame) {
    char line[128];
    size_t length = format_string(line, sizeof(line), "pc %016lx sp %016lx fp %016lx call %lu\n",
                                  (unsigned long)frame->pc, (unsigned long)frame->sp,
                                  (unsigned long)frame->fp, (unsigned long)frame->number);
    hal_console_write(line, MIN_OF(length, sizeof(line) - 1));
}
