// SPDX-License-Identifier: MIT OR Apache-2.0
// hal/x86_64/trap.c: sorts what trap.S brings: faults, interrupts, and the ones at any moment.
#include "private.h"

#include <lib/format.h>
#include <lib/frames.h>

#define VECTOR_DEBUG         1u
#define VECTOR_NMI           2u
#define VECTOR_BREAKPOINT    3u
#define VECTOR_DOUBLE_FAULT  8u
#define VECTOR_PAGE_FAULT    14u
#define VECTOR_FLOAT_X87     16
#define VECTOR_EXCEPTION_END 32u

// Page-fault error code (SDM 3A 4.7).
#define PF_WRITE    (1u << 1)
#define PF_USER     (1u << 2)
#define PF_RESERVED (1u << 3)
#define PF_FETCH    (1u << 4)

// DR6 after reset (SDM 3B 17.2.3).
#define DR6_CLEAR 0xffff0ff0ul

struct extable_entry {
    uint64_t at;
    uint64_t fixup;
};
extern const struct extable_entry x86_extable_start[];
extern const struct extable_entry x86_extable_end[];

struct hal_handlers x86_handlers;
_Static_assert(offsetof(struct hal_handlers, syscall) == 0, "trap.S");
_Static_assert(offsetof(struct hal_handlers, user_return) == 56, "trap.S");

void x86_trap_user(struct hal_frame *frame);
void x86_trap_kernel(struct hal_frame *frame);
void x86_trap_paranoid(struct hal_frame *frame);

static const uint8_t fault_kinds[VECTOR_EXCEPTION_END] = {
    [0] = HAL_FAULT_DIVIDE,      [1] = HAL_FAULT_STEP,        [2] = HAL_FAULT_FATAL,
    [3] = HAL_FAULT_BREAKPOINT,  [4] = HAL_FAULT_OVERFLOW,    [5] = HAL_FAULT_PROTECTION,
    [6] = HAL_FAULT_INSTRUCTION, [7] = HAL_FAULT_INSTRUCTION, [8] = HAL_FAULT_FATAL,
    [9] = HAL_FAULT_PROTECTION,  [10] = HAL_FAULT_PROTECTION, [11] = HAL_FAULT_PROTECTION,
    [12] = HAL_FAULT_PROTECTION, [13] = HAL_FAULT_PROTECTION, [14] = HAL_FAULT_PAGE,
    [15] = HAL_FAULT_PROTECTION, [16] = HAL_FAULT_FLOAT,      [17] = HAL_FAULT_ALIGNMENT,
    [18] = HAL_FAULT_FATAL,      [19] = HAL_FAULT_FLOAT,      [20] = HAL_FAULT_PROTECTION,
    [21] = HAL_FAULT_PROTECTION, [22] = HAL_FAULT_PROTECTION, [23] = HAL_FAULT_PROTECTION,
    [24] = HAL_FAULT_PROTECTION, [25] = HAL_FAULT_PROTECTION, [26] = HAL_FAULT_PROTECTION,
    [27] = HAL_FAULT_PROTECTION, [28] = HAL_FAULT_PROTECTION, [29] = HAL_FAULT_PROTECTION,
    [30] = HAL_FAULT_PROTECTION, [31] = HAL_FAULT_PROTECTION,
};

void hal_handlers_set(const struct hal_handlers *new_handlers) {
    x86_handlers = *new_handlers;
}

struct hal_frame *hal_user_frame(void *stack_top) {
    return (struct hal_frame *)stack_top - 1;
}

// The exceptions that are raised and not masked: of the x87 unit (SDM volume 1, 8.1.3 and 8.1.5) or
// of SSE (10.2.3). The lowest bit is the one that the processor reports first.
static enum hal_float_cause float_cause(uint64_t vector) {
    static const uint8_t causes[] = {
        HAL_FLOAT_INVALID, HAL_FLOAT_UNDERFLOW, // a denormal operand
        HAL_FLOAT_DIVIDE,  HAL_FLOAT_OVERFLOW,  HAL_FLOAT_UNDERFLOW, HAL_FLOAT_INEXACT,
    };
    uint32_t raised;
    if (vector == VECTOR_FLOAT_X87) {
        uint16_t control;
        uint16_t status;
        __asm__ volatile("fnstcw %0" : "=m"(control));
        __asm__ volatile("fnstsw %0" : "=m"(status));
        raised = status & ~(uint32_t)control;
    } else {
        uint32_t mxcsr;
        __asm__ volatile("stmxcsr %0" : "=m"(mxcsr));
        raised = mxcsr & ~(mxcsr >> 7);
    }
    raised &= 0x3f;
    return raised == 0 ? HAL_FLOAT_NONE : (enum hal_float_cause)causes[__builtin_ctz(raised)];
}

// Reads CR2 and DR6, so it comes before anything that could fault or be interrupted.
static struct hal_fault fault_read(const struct hal_frame *frame) {
    struct hal_fault fault = {
        .kind = (enum hal_fault_kind)fault_kinds[frame->vector],
        .vector = (uint32_t)frame->vector,
        .code = frame->error,
    };
    if (frame->vector == VECTOR_DEBUG) {
        __asm__ volatile("mov %0, %%dr6" : : "r"(DR6_CLEAR));
    }
    if (fault.kind == HAL_FAULT_FLOAT) {
        fault.float_cause = float_cause(frame->vector);
    }
    if (frame->vector != VECTOR_PAGE_FAULT) {
        return fault;
    }
    fault.address = cr2_read();
    fault.access = (frame->error & PF_WRITE ? HAL_ACCESS_WRITE : 0) |
                   (frame->error & PF_FETCH ? HAL_ACCESS_EXECUTE : 0);
    if (frame->error & PF_RESERVED) {
        fault.kind = HAL_FAULT_FATAL; // a page table is damaged
    } else if (hal_frame_is_user(frame) && !(frame->error & PF_USER)) {
        fault.kind = HAL_FAULT_PROTECTION; // an access that the processor made for the program
    }
    return fault;
}

static void line_interrupt(uint32_t vector) {
    uint32_t line = vector - VECTOR_LINE_BASE;
    ioapic_mask_level(line);
    lapic_eoi();
    x86_handlers.interrupt(line);
}

static void interrupt(uint32_t vector) {
    if (vector >= VECTOR_LINE_BASE && vector < VECTOR_LINE_END) {
        line_interrupt(vector);
        return;
    }
    if (vector == VECTOR_SPURIOUS) {
        return; // needs no end of interrupt (SDM 3A 11.9)
    }
    lapic_eoi();
    if (vector == VECTOR_TIMER) {
        x86_clock_interrupt();
    } else if (vector == VECTOR_CALL) {
        x86_handlers.ipi(HAL_IPI_CALL);
    } else if (vector == VECTOR_RESCHEDULE) {
        x86_handlers.ipi(HAL_IPI_RESCHEDULE);
    }
}

// True if it was an NMI: a request to stop, or one that nobody explains and everybody survives.
static bool nmi(const struct hal_frame *frame) {
    if (frame->vector != VECTOR_NMI) {
        return false;
    }
    if (atomic_exchange_explicit(&cpu_block()->stop, false, memory_order_acquire)) {
        x86_handlers.ipi(HAL_IPI_STOP);
    }
    return true;
}

// Interrupts off on entry; on in between for faults.
void x86_trap_user(struct hal_frame *frame) {
    if (frame->vector >= VECTOR_EXCEPTION_END) {
        interrupt((uint32_t)frame->vector);
        return;
    }
    if (nmi(frame)) {
        return;
    }
    struct hal_fault fault = fault_read(frame);
    hal_irq_on();
    x86_handlers.fault(frame, &fault);
}

// A fault of an instruction that touches user memory. False if it is not one of those.
static bool user_access_fault(struct hal_frame *frame, const struct hal_fault *fault) {
    const struct extable_entry *entry = x86_extable_start;
    while (entry < x86_extable_end && entry->at != frame->rip) {
        entry++;
    }
    if (entry == x86_extable_end) {
        return false;
    }
    if (fault->kind == HAL_FAULT_PAGE && fault->address < HAL_USER_END &&
        (frame->rflags & RFLAGS_IF)) {
        hal_irq_on();
        bool retry = x86_handlers.copy_fault(fault);
        hal_irq_off();
        if (retry) {
            return true;
        }
    }
    frame->rip = entry->fixup;
    return true;
}

void x86_trap_kernel(struct hal_frame *frame) {
    bool irqs_on = (frame->rflags & RFLAGS_IF) != 0;
    if (frame->vector >= VECTOR_EXCEPTION_END) {
        interrupt((uint32_t)frame->vector);
        if (irqs_on) {
            x86_handlers.preempt(frame);
        }
        return;
    }
    if (frame->vector == VECTOR_BREAKPOINT && x86_branch_breakpoint(frame)) {
        return;
    }
    struct hal_fault fault = fault_read(frame);
    if (user_access_fault(frame, &fault)) {
        return;
    }
    if (irqs_on) {
        hal_irq_on();
    }
    x86_handlers.fault(frame, &fault);
    hal_irq_off();
}

// NMI, debug, double fault and machine check that hit kernel code, on a stack of their own. A debug
// exception here is what a program's breakpoint leaves behind; the kernel uses none itself.
void x86_trap_paranoid(struct hal_frame *frame) {
    if (nmi(frame)) {
        return;
    }
    struct hal_fault fault = fault_read(frame);
    if (frame->vector == VECTOR_DEBUG) {
        frame->rflags &= ~(uint64_t)RFLAGS_TF;
        return;
    }
    if (frame->vector == VECTOR_DOUBLE_FAULT) { // of a stack without room, if core finds it so
        fault.kind = HAL_FAULT_STACK;
        fault.address = cr2_read();
    }
    x86_handlers.fault(frame, &fault);
}

uint64_t hal_frame_fp(const struct hal_frame *frame) {
    return frame->rbp;
}

uint32_t hal_backtrace(uint64_t fp, const void *stack_low, const void *stack_high,
                       uint64_t *out_addresses, uint32_t capacity) {
    const uint64_t start = fp != 0 ? fp : (uint64_t)(uintptr_t)__builtin_frame_address(0);
    return frames_walk(start, FRAMES_AT, stack_low, stack_high, out_addresses, capacity);
}

static void print_row(const char *names, uint64_t a, uint64_t b, uint64_t c, uint64_t d) {
    char line[160];
    size_t length = format_string(line, sizeof(line), names, a, b, c, d);
    hal_console_write(line, MIN_OF(length, sizeof(line) - 1));
}

// NOLINTBEGIN: the format strings are constants of this function
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
#pragma GCC diagnostic ignored "-Wformat-extra-args"
void hal_frame_print(const struct hal_frame *f) {
    print_row("rip %016lx rsp %016lx flags %08lx cs %lx\n", f->rip, f->rsp, f->rflags, f->cs);
    print_row("rax %016lx rbx %016lx rcx %016lx rdx %016lx\n", f->rax, f->rbx, f->rcx, f->rdx);
    print_row("rsi %016lx rdi %016lx rbp %016lx r8  %016lx\n", f->rsi, f->rdi, f->rbp, f->r8);
    print_row("r9  %016lx r10 %016lx r11 %016lx r12 %016lx\n", f->r9, f->r10, f->r11, f->r12);
    print_row("r13 %016lx r14 %016lx r15 %016lx cr2 %016lx\n", f->r13, f->r14, f->r15, cr2_read());
    print_row("vector %lu error %lx cr3 %016lx ss %lx\n", f->vector, f->error, cr3_read(), f->ss);
}
#pragma GCC diagnostic pop
// NOLINTEND
