// SPDX-License-Identifier: MIT OR Apache-2.0
// hal/riscv64/trap.c: sorts what trap.S brings (privileged ISA 20211203, table 4.2).
#include "private.h"

#include <lib/format.h>
#include <lib/frames.h>

#define CAUSE_INTERRUPT      (1ull << 63)
#define CAUSE_CODE_MISPLACED 0u
#define CAUSE_CODE_ACCESS    1u
#define CAUSE_ILLEGAL        2u
#define CAUSE_BREAKPOINT     3u
#define CAUSE_LOAD_ALIGN     4u
#define CAUSE_LOAD_ACCESS    5u
#define CAUSE_STORE_ALIGN    6u
#define CAUSE_STORE_ACCESS   7u
#define CAUSE_CALL_USER      8u
#define CAUSE_CODE_PAGE      12u
#define CAUSE_LOAD_PAGE      13u
#define CAUSE_STORE_PAGE     15u
#define CAUSE_HARDWARE       19u // of a later version (20240411)

#define CALL_BYTES 4u // ECALL

struct hal_handlers riscv64_handlers;
_Static_assert(offsetof(struct hal_handlers, user_return) == 56, "trap.S");

// The hart may still keep that there was nothing at an address (privileged ISA, 4.2.1), and forgets
// that now. Mapping needs no fence of its own then. The fence for an address reaches the page's own
// entry alone: if another one, above it, is what the hart keeps, the same fault comes again, and
// all is forgotten.
static void forget(uint64_t address) {
    const uint64_t page = ALIGN_DOWN(address, (uint64_t)PAGE_SIZE);
    const unsigned long state = hal_irq_save();
    struct cpu_block *block = cpu_block();
    if (block->fault_page == page) {
        sfence_user();
    } else {
        sfence_page(address);
    }
    block->fault_page = page;
    hal_irq_restore(state);
}

void riscv64_user_trap(struct hal_frame *frame, uint64_t cause, uint64_t value);
void riscv64_kernel_trap(struct hal_frame *frame, uint64_t cause, uint64_t value);

void hal_handlers_set(const struct hal_handlers *new_handlers) {
    riscv64_handlers = *new_handlers;
}

struct hal_frame *hal_user_frame(void *stack_top) {
    return (struct hal_frame *)stack_top - 1;
}

// Access faults are the memory's own, for no entry of ours leads to where nothing is.
static enum hal_fault_kind kind_of(uint64_t cause) {
    switch (cause) {
    case CAUSE_CODE_PAGE:
    case CAUSE_LOAD_PAGE:
    case CAUSE_STORE_PAGE:
        return HAL_FAULT_PAGE;
    case CAUSE_ILLEGAL:
        return HAL_FAULT_INSTRUCTION;
    case CAUSE_BREAKPOINT:
        return HAL_FAULT_BREAKPOINT;
    case CAUSE_CODE_MISPLACED:
    case CAUSE_LOAD_ALIGN:
    case CAUSE_STORE_ALIGN:
        return HAL_FAULT_ALIGNMENT;
    case CAUSE_CODE_ACCESS:
    case CAUSE_LOAD_ACCESS:
    case CAUSE_STORE_ACCESS:
        return HAL_FAULT_PROTECTION;
    case CAUSE_HARDWARE:
        return HAL_FAULT_BUS;
    default:
        return HAL_FAULT_FATAL;
    }
}

static struct hal_fault fault_make(uint64_t cause, uint64_t value) {
    struct hal_fault fault = { .kind = kind_of(cause), .vector = (uint32_t)cause, .code = cause };
    if (fault.kind == HAL_FAULT_PAGE || fault.kind == HAL_FAULT_ALIGNMENT ||
        fault.kind == HAL_FAULT_BUS) {
        fault.address = value;
    }
    if (fault.kind == HAL_FAULT_PAGE) {
        fault.access = cause == CAUSE_CODE_PAGE    ? HAL_ACCESS_EXECUTE
                       : cause == CAUSE_STORE_PAGE ? HAL_ACCESS_WRITE
                                                   : HAL_ACCESS_READ;
    }
    return fault;
}

static void interrupt(uint64_t cause) {
    switch ((uint32_t)cause) {
    case INTERRUPT_SOFTWARE:
        smp_interrupt();
        return;
    case INTERRUPT_TIMER:
        clock_interrupt();
        return;
    case INTERRUPT_EXTERNAL:
        plic_interrupt();
        return;
    default:
        csr_clear("sie", 1ull << (cause & 63)); // nobody turned it on
    }
}

void riscv64_user_trap(struct hal_frame *frame, uint64_t cause, uint64_t value) {
    if (cause == CAUSE_CALL_USER) {
        frame->number = frame->x[RISCV64_A7];
        frame->first = frame->x[RISCV64_A0];
        frame->pc += CALL_BYTES;
        hal_irq_on();
        riscv64_handlers.syscall(frame);
        return;
    }
    frame->number = UINT64_MAX;
    if (cause & CAUSE_INTERRUPT) {
        interrupt(cause);
        return;
    }
    const struct hal_fault fault = fault_make(cause, value);
    hal_irq_on();
    riscv64_handlers.fault(frame, &fault);
    if (fault.kind == HAL_FAULT_PAGE) {
        forget(fault.address);
    }
}

static bool lies_on_emergency_stack(uint64_t at) {
    return at < cpu_block()->emergency_top && at >= cpu_block()->emergency_top - EMERGENCY_BYTES;
}

static bool is_on_emergency_stack(const struct hal_frame *frame) {
    return lies_on_emergency_stack((uint64_t)(uintptr_t)frame);
}

void riscv64_kernel_trap(struct hal_frame *frame, uint64_t cause, uint64_t value) {
    if (cause & CAUSE_INTERRUPT) {
        interrupt(cause);
        // The emergency stack is the hart's: no thread may be switched away on it.
        if ((frame->status & RISCV64_STATUS_SPIE) && !is_on_emergency_stack(frame)) {
            riscv64_handlers.preempt(frame);
        }
        return;
    }
    struct hal_fault fault = fault_make(cause, value);
    if (is_on_emergency_stack(frame)) {
        fault.kind =
            lies_on_emergency_stack(hal_frame_sp(frame)) ? HAL_FAULT_FATAL : HAL_FAULT_STACK;
    } else if (frame->status & RISCV64_STATUS_SPIE) {
        hal_irq_on();
    }
    riscv64_handlers.fault(frame, &fault);
}

uint64_t hal_frame_fp(const struct hal_frame *frame) {
    return frame->x[RISCV64_FP];
}

uint32_t hal_backtrace(uint64_t fp, const void *stack_low, const void *stack_high,
                       uint64_t *out_addresses, uint32_t capacity) {
    const uint64_t start = fp != 0 ? fp : (uint64_t)(uintptr_t)__builtin_frame_address(0);
    return frames_walk(start, FRAMES_BELOW, stack_low, stack_high, out_addresses, capacity);
}

static void print(const char *format, ...) PRINTF(1, 2);
static void print(const char *format, ...) {
    char line[160];
    va_list arguments;
    va_start(arguments, format);
    size_t length = format_string_list(line, sizeof(line), format, arguments);
    va_end(arguments);
    hal_console_write(line, MIN_OF(length, sizeof(line) - 1));
}

void hal_frame_print(const struct hal_frame *frame) {
    for (uint32_t i = 1; i < 32; i++) {
        print("x%-2u %016lx%s", i, frame->x[i], i % 4 == 0 ? "\n" : " ");
    }
    print("\npc  %016lx status %lx\n", frame->pc, frame->status);
    print("scause %lx stval %016lx satp %016lx\n", csr_read("scause"), csr_read("stval"),
          csr_read("satp"));
}
