// SPDX-License-Identifier: MIT OR Apache-2.0
// <hal/trap.h>: how the machine calls upward: system calls, faults, interrupts, the timer.
//
// struct hal_frame is the complete user register set, saved at each entry to the kernel on the
// thread's kernel stack; it is the entering thread's alone until it goes back. The accessors are
// the same everywhere; each is a load or store of that frame, in any context. Machine's part:
// <hal_arch/frame.h>, at the end.
#pragma once

#include <hal/cpu.h>
#include <helix/types.h>

struct hal_frame;

// ---- frames
// --------------------------------------------------------------------------------------

// Whether the entry was from user mode.
static inline bool hal_frame_is_user(const struct hal_frame *frame);
// The program counter: of the faulting instruction, or behind the system call's.
static inline uint64_t hal_frame_pc(const struct hal_frame *frame);
// Changes where user mode goes on, with all other registers as they are. (A linked program of the
// hosted machine goes on where the host left it all the same.)
static inline void hal_frame_set_pc(struct hal_frame *frame, uint64_t value);
// The stack pointer.
static inline uint64_t hal_frame_sp(const struct hal_frame *frame);
// Changes the stack pointer that user mode gets (a new thread's).
static inline void hal_frame_set_sp(struct hal_frame *frame, uint64_t value);
// The number of the system call as the program gave it. Needs: an entry by a system call.
static inline uint64_t hal_frame_syscall_number(const struct hal_frame *frame);
// Its argument `index`, 0 … 5, as the program gave it.
static inline uint64_t hal_frame_argument(const struct hal_frame *frame, unsigned index);
// What hal_frame_set_result() set; before, anything.
static inline int64_t hal_frame_result(const struct hal_frame *frame);
// Sets what the system call returns; arguments stay as they are.
static inline void hal_frame_set_result(struct hal_frame *frame, int64_t value);
// Goes back to the system call instruction, to make call `number` with the same arguments. Undoes
// hal_frame_set_result().
static inline void hal_frame_restart(struct hal_frame *frame, uint64_t number);
// A frame that starts a program: all registers zero but these two, interrupts on, user mode. `pc`
// and `sp` need not be user addresses: then user mode faults, not the kernel.
static inline void hal_frame_init_user(struct hal_frame *frame, uint64_t pc, uint64_t sp);
// Whether interrupts were on. Needs: an entry from kernel mode.
static inline bool hal_frame_irq_is_on(const struct hal_frame *frame);
// The frame pointer, where hal_backtrace() begins.
uint64_t hal_frame_fp(const struct hal_frame *frame);
// Writes the registers, and what the machine has besides (fault address, page table), through the
// early console, for a panic. Any context.
void hal_frame_print(const struct hal_frame *frame);

// The frame of the current or next entry from user mode of the thread whose stack ends at
// `stack_top`: its place is fixed. The caller is that thread, or it does not run.
struct hal_frame *hal_user_frame(void *stack_top);

// Starts user mode from the current thread with the frame at the top of its kernel stack
// (hal_user_frame()), after calling user_return. What else lies on the stack is given up. Thread
// context; interrupts may be on.
NORETURN void hal_enter_user(struct hal_frame *frame);

// Stores the return addresses of a call chain, innermost first, starting at frame pointer `fp` (0:
// here); never faults on a broken chain. Reads `stack_low` … `stack_high` only, which the caller
// knows to be mapped. Returns how many, `capacity` at most. Any context.
uint32_t hal_backtrace(uint64_t fp, const void *stack_low, const void *stack_high,
                       uint64_t *out_addresses, uint32_t capacity);

// ---- what the machine calls
// ----------------------------------------------------------------------

enum hal_fault_kind {
    HAL_FAULT_PAGE,        // no translation, or a right is missing
    HAL_FAULT_PROTECTION,  // a privileged instruction, an address that cannot be, …
    HAL_FAULT_INSTRUCTION, // undefined instruction
    HAL_FAULT_DIVIDE,
    HAL_FAULT_FLOAT,
    HAL_FAULT_BREAKPOINT,
    HAL_FAULT_STEP,
    HAL_FAULT_ALIGNMENT,
    HAL_FAULT_OVERFLOW,
    HAL_FAULT_BUS,   // what is at the address does not answer, or not to this kind of access
    HAL_FAULT_FATAL, // double fault, machine check, a damaged page table: no way back
    HAL_FAULT_STACK, // a kernel stack has no room for what the machine saves
};

#define HAL_ACCESS_READ    0u
#define HAL_ACCESS_WRITE   (1u << 0)
#define HAL_ACCESS_EXECUTE (1u << 1)

// Why floating point stopped a program, for HAL_FAULT_FLOAT.
enum hal_float_cause {
    HAL_FLOAT_NONE,
    HAL_FLOAT_INVALID,
    HAL_FLOAT_DIVIDE,
    HAL_FLOAT_OVERFLOW,
    HAL_FLOAT_UNDERFLOW,
    HAL_FLOAT_INEXACT,
};

struct hal_fault {
    enum hal_fault_kind kind;
    uint32_t access;                  // HAL_ACCESS_…, for HAL_FAULT_PAGE
    uint64_t address;                 // for HAL_FAULT_PAGE; for …_ALIGNMENT, …_BUS, 0: not told
    enum hal_float_cause float_cause; // for HAL_FAULT_FLOAT
    uint32_t vector;                  // the machine's number, for a panic and the signal frame
    uint64_t code;                    // the machine's error code, likewise
};

// All are set before interrupts are on; a NULL is a bug. Frame and fault are borrowed for the call.
struct hal_handlers {
    // A system call from user mode. Thread context, interrupts on.
    void (*syscall)(struct hal_frame *frame);
    // A fault that the usercopy fix-ups did not resolve. From user mode: thread context, interrupts
    // on; returning resumes at the frame's pc. From the kernel, and for HAL_FAULT_FATAL: any
    // context, interrupts as they were or off; does not return unless hal_gate_unwind() changed the
    // frame. HAL_FAULT_STACK: the same, on a stack of the processor's, interrupts off.
    void (*fault)(struct hal_frame *frame, const struct hal_fault *fault);
    // A page fault on a user address inside hal_copy_*(), thread context, interrupts on. Returns
    // whether to retry; false makes the copy end with what it has.
    bool (*copy_fault)(const struct hal_fault *fault);
    // A device's line, masked and acknowledged as its kind needs (<hal/irq.h>). Interrupts off.
    void (*interrupt)(uint32_t line);
    // The counter reached what hal_timer_arm() was told. Interrupts off.
    void (*timer)(void);
    // Another processor's hal_ipi_send(); its stores before are visible. Interrupts off;
    // HAL_IPI_STOP comes in any context.
    void (*ipi)(enum hal_ipi kind);
    // After any of the three above, before returning to kernel code that had interrupts on, whose
    // frame is given; NULL where HAL_GATE_FAULTS is 0 (<hal/gate.h>): interrupts off before and
    // after; may switch threads, and change the frame by hal_gate_unwind().
    void (*preempt)(struct hal_frame *frame);
    // Before every return to user mode: interrupts off before and after; may turn them on in
    // between, switch threads, change the frame.
    void (*user_return)(struct hal_frame *frame);
};

// Sets them (a copy). Boot context, once, before hal_init_early().
void hal_handlers_set(const struct hal_handlers *handlers);

// The machine's part defines struct hal_frame, whose size keeps a stack aligned to 16, and the
// inline functions above.
#include <hal_arch/frame.h>
