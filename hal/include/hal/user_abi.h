// SPDX-License-Identifier: MIT OR Apache-2.0
// <hal/user_abi.h>: the parts of the Linux ABI that are the machine's: signal frames, call numbers,
// thread registers. interface/posix is the caller.
//
// Call numbers: <hal_arch/syscall_numbers.h> holds X(name, number) for every call of the machine.
#pragma once

#include <hal/context.h>
#include <hal/trap.h>
#include <helix/types.h>

#include <hal_arch/syscall_numbers.h> // HAL_SYSCALL_TABLE(X), HAL_SYSCALL_MAX

#define HAL_SIGINFO_BYTES 128u

struct hal_signal_stack {
    uint64_t base;
    uint32_t flags;
    uint64_t size_bytes;
};

struct hal_signal_delivery {
    uint32_t number;
    uint64_t handler;  // user address
    uint64_t restorer; // user address, 0 if none
    bool with_info;
    uint8_t info[HAL_SIGINFO_BYTES]; // struct siginfo as the program sees it
    uint64_t blocked;                // mask to restore on return
    struct hal_signal_stack stack;   // as sigaltstack has it, saved in the frame
    uint64_t stack_top;              // where to build: alternate stack's top, or 0: current sp
    struct hal_fault fault;          // for the machine's fields (trapno, err, cr2); kind may be 0
};

// Builds the machine's rt_sigframe on the user stack and changes `frame` to enter the handler.
// `fpu` is the thread's saved state. Returns HX_OK or HX_ERR_BAD_ADDRESS (frame unchanged).
// Copies through `copy_out`, so that user memory is touched in one file only.
typedef enum hx_status (*hal_copy_out_t)(struct uaddr to, const void *from, size_t size_bytes);
typedef enum hx_status (*hal_copy_in_t)(void *to, struct uaddr from, size_t size_bytes);
enum hx_status hal_signal_push(struct hal_frame *frame, const struct hal_signal_delivery *delivery,
                               const void *fpu, hal_copy_out_t copy_out);

// Undoes it for rt_sigreturn: registers (only the ones a program may set), mask, FPU state,
// alternate stack. Returns HX_OK or HX_ERR_BAD_ADDRESS.
enum hx_status hal_signal_pop(struct hal_frame *frame, void *fpu, uint64_t *out_blocked,
                              struct hal_signal_stack *out_stack, hal_copy_in_t copy_in);

// arch_prctl and its like; HX_ERR_INVALID for an unknown code or an address that is not the user's.
enum hx_status hal_thread_control(uint64_t code, uint64_t value, struct hal_tls *tls,
                                  uint64_t *out_value, bool *out_is_get);
// Sets the user's thread pointer (CLONE_SETTLS); false if it is not a user address.
bool hal_tls_set(struct hal_tls *tls, uint64_t value);

#define HAL_ELF_MACHINE_X86_64 62u
uint16_t hal_elf_machine(void);
