// SPDX-License-Identifier: MIT OR Apache-2.0
// hal/aarch64/trap.c: sorts what trap.S brings (Arm ARM, D17.2.37, ESR_EL1).
#include "abort.h"
#include "private.h"

#include <lib/format.h>
#include <lib/frames.h>

#define CLASS_SHIFT       26u
#define CLASS_UNKNOWN     0x00u
#define CLASS_ILLEGAL     0x0eu
#define CLASS_SVC         0x15u
#define CLASS_SYSTEM      0x18u
#define CLASS_CODE_USER   0x20u
#define CLASS_CODE_KERNEL 0x21u
#define CLASS_PC          0x22u
#define CLASS_DATA_USER   0x24u
#define CLASS_DATA_KERNEL 0x25u
#define CLASS_SP          0x26u
#define CLASS_FLOAT       0x2cu
#define CLASS_SERROR      0x2fu
#define CLASS_BREAK_USER  0x30u
#define CLASS_STEP_USER   0x32u
#define CLASS_WATCH_USER  0x34u
#define CLASS_BRK         0x3cu

#define ISS_WRITE       (1u << 6) // WnR; also set for cache maintenance (CM), which reads
#define ISS_MAINTENANCE (1u << 8)
#define ISS_NO_ADDRESS  (1u << 10) // FnV, of an external abort

#define PSTATE_I  0x80ull
#define PSTATE_SS (1ull << 21)

struct extable_entry {
    uint64_t at;
    uint64_t fixup;
};
extern const struct extable_entry aarch64_extable_start[];
extern const struct extable_entry aarch64_extable_end[];

struct hal_handlers aarch64_handlers;
_Static_assert(offsetof(struct hal_handlers, user_return) == 56, "trap.S");

void aarch64_user_sync(struct hal_frame *frame, uint64_t esr, uint64_t far);
void aarch64_kernel_sync(struct hal_frame *frame, uint64_t esr, uint64_t far);
void aarch64_user_irq(struct hal_frame *frame);
void aarch64_kernel_irq(struct hal_frame *frame);
void aarch64_fiq(struct hal_frame *frame);
void aarch64_error(struct hal_frame *frame, uint64_t esr, uint64_t far);
void aarch64_overflow(struct hal_frame *frame, uint64_t esr, uint64_t far);

void hal_handlers_set(const struct hal_handlers *new_handlers) {
    aarch64_handlers = *new_handlers;
}

struct hal_frame *hal_user_frame(void *stack_top) {
    return (struct hal_frame *)stack_top - 1;
}

// The first byte of a user address is the program's own (TCR_EL1.TBI0); bit 55 tells the half.
static uint64_t address_of(uint64_t far) {
    return far >> 55 & 1 ? far : far & 0x00ffffffffffffffull;
}

// What a trapped floating-point exception tells (D17.2.37, ISS for EC 0b101100).
static enum hal_float_cause float_cause(uint64_t esr) {
    static const uint8_t causes[] = { HAL_FLOAT_INVALID, HAL_FLOAT_DIVIDE, HAL_FLOAT_OVERFLOW,
                                      HAL_FLOAT_UNDERFLOW, HAL_FLOAT_INEXACT };
    const uint32_t raised = (uint32_t)esr & 0x1f;
    return raised == 0 ? HAL_FLOAT_NONE : (enum hal_float_cause)causes[__builtin_ctz(raised)];
}

static enum hal_fault_kind plain_kind(uint32_t class) {
    switch (class) {
    case CLASS_PC:
    case CLASS_SP:
        return HAL_FAULT_ALIGNMENT;
    case CLASS_FLOAT:
        return HAL_FAULT_FLOAT;
    case CLASS_BRK:
    case CLASS_BREAK_USER:
    case CLASS_WATCH_USER:
        return HAL_FAULT_BREAKPOINT;
    case CLASS_STEP_USER:
        return HAL_FAULT_STEP;
    case CLASS_SERROR:
        return HAL_FAULT_FATAL;
    default: // unknown reason, illegal state, system registers and features that are trapped
        return HAL_FAULT_INSTRUCTION;
    }
}

static struct hal_fault fault_make(uint64_t esr, uint64_t far) {
    const uint32_t class = (uint32_t)(esr >> CLASS_SHIFT) & 0x3f;
    const uint32_t iss = (uint32_t)esr;
    struct hal_fault fault = { .kind = plain_kind(class), .vector = class, .code = esr };
    const bool is_code = class == CLASS_CODE_USER || class == CLASS_CODE_KERNEL;
    if (is_code || class == CLASS_DATA_USER || class == CLASS_DATA_KERNEL) {
        const bool is_write = (iss & ISS_WRITE) && !(iss & ISS_MAINTENANCE);
        fault.kind = abort_kind(iss & STATUS_MASK);
        fault.access = is_code ? HAL_ACCESS_EXECUTE : is_write ? HAL_ACCESS_WRITE : HAL_ACCESS_READ;
        fault.address = iss & ISS_NO_ADDRESS ? 0 : address_of(far);
    }
    if (class == CLASS_PC) {
        fault.address = address_of(far);
    }
    if (fault.kind == HAL_FAULT_FLOAT) {
        fault.float_cause = float_cause(esr);
    }
    return fault;
}

void aarch64_user_sync(struct hal_frame *frame, uint64_t esr, uint64_t far) {
    if (esr >> CLASS_SHIFT == CLASS_SVC) {
        frame->number = frame->x[8];
        frame->first = frame->x[0];
        hal_irq_on();
        aarch64_handlers.syscall(frame);
        return;
    }
    struct hal_fault fault = fault_make(esr, far);
    frame->number = UINT64_MAX;
    hal_irq_on();
    aarch64_handlers.fault(frame, &fault);
}

// An instruction that may fault, by design: those that touch user memory, and one that ends
// emulators. False if it is not one of those.
static bool expected_fault(struct hal_frame *frame, const struct hal_fault *fault) {
    const struct extable_entry *entry = aarch64_extable_start;
    while (entry < aarch64_extable_end && entry->at != frame->pc) {
        entry++;
    }
    if (entry == aarch64_extable_end) {
        return false;
    }
    if (fault->kind == HAL_FAULT_PAGE && fault->address < HAL_USER_END &&
        (frame->pstate & PSTATE_I) == 0) {
        hal_irq_on();
        bool retry = aarch64_handlers.copy_fault(fault);
        hal_irq_off();
        if (retry) {
            return true;
        }
    }
    frame->pc = entry->fixup;
    return true;
}

void aarch64_kernel_sync(struct hal_frame *frame, uint64_t esr, uint64_t far) {
    struct hal_fault fault = fault_make(esr, far);
    if (expected_fault(frame, &fault)) {
        return;
    }
    if ((frame->pstate & PSTATE_I) == 0) {
        hal_irq_on();
    }
    aarch64_handlers.fault(frame, &fault);
    hal_irq_off();
}

static void interrupt(uint32_t token) {
    if (token >= INTID_LPI) { // an edge: what comes meanwhile is pending
        gic_end(token);
        aarch64_handlers.interrupt(GIC_LINES + (token - INTID_LPI));
        return;
    }
    const uint32_t intid = token & INTID_MASK;
    if (intid >= INTID_NONE) {
        return; // it is gone; there is nothing to end
    }
    if (intid >= INTID_SPI) {
        const uint32_t line = intid - INTID_SPI;
        hal_irq_disable(line);
        gic_end(token);
        aarch64_handlers.interrupt(line);
        return;
    }
    if (intid == aarch64_firmware.timer_intid) {
        clock_interrupt();
        gic_end(token);
        return;
    }
    gic_end(token);
    if (intid == INTID_CALL) {
        aarch64_handlers.ipi(HAL_IPI_CALL);
    } else if (intid == INTID_RESCHEDULE) {
        aarch64_handlers.ipi(HAL_IPI_RESCHEDULE);
    } else if (intid == INTID_STOP) {
        aarch64_handlers.ipi(HAL_IPI_STOP); // where it cannot be a FIQ (gic.c)
    }
}

void aarch64_user_irq(struct hal_frame *frame) {
    frame->number = UINT64_MAX;
    interrupt(gic_acknowledge());
}

void aarch64_kernel_irq(struct hal_frame *frame) {
    interrupt(gic_acknowledge());
    if ((frame->pstate & PSTATE_I) == 0) {
        aarch64_handlers.preempt(frame);
    }
}

// Interrupts were on or off.
void aarch64_fiq(struct hal_frame *frame) {
    if (hal_frame_is_user(frame)) {
        frame->number = UINT64_MAX;
    }
    const uint32_t token = gic_acknowledge_stop();
    if ((token & INTID_MASK) == INTID_STOP) {
        gic_end_stop(token);
        aarch64_handlers.ipi(HAL_IPI_STOP);
    }
}

// On the emergency stack.
void aarch64_overflow(struct hal_frame *frame, uint64_t esr, uint64_t far) {
    struct hal_fault fault = fault_make(esr, far);
    fault.kind = HAL_FAULT_STACK;
    aarch64_handlers.fault(frame, &fault);
}

// SError, an entry that cannot be.
void aarch64_error(struct hal_frame *frame, uint64_t esr, uint64_t far) {
    struct hal_fault fault = fault_make(esr, far);
    fault.kind = HAL_FAULT_FATAL;
    aarch64_handlers.fault(frame, &fault);
}

uint64_t hal_frame_fp(const struct hal_frame *frame) {
    return frame->x[29];
}

uint32_t hal_backtrace(uint64_t fp, const void *stack_low, const void *stack_high,
                       uint64_t *out_addresses, uint32_t capacity) {
    const uint64_t start = fp != 0 ? fp : (uint64_t)(uintptr_t)__builtin_frame_address(0);
    return frames_walk(start, FRAMES_AT, stack_low, stack_high, out_addresses, capacity);
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
    for (uint32_t i = 0; i < 31; i++) {
        print("x%-2u %016lx%s", i, frame->x[i], i % 4 == 3 ? "\n" : " ");
    }
    print("\nsp  %016lx pc  %016lx pstate %lx\n", frame->sp, frame->pc, frame->pstate);
    print("esr %lx far %016lx ttbr0 %016lx\n", sysreg_read("esr_el1"), sysreg_read("far_el1"),
          sysreg_read("ttbr0_el1"));
}
