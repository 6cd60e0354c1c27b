// SPDX-License-Identifier: MIT OR Apache-2.0
// <hal/user_abi.h>: the parts of the Linux ABI that are the machine's: signal frames, call numbers,
// thread registers, layouts. interface/posix is the caller, always in thread context with
// interrupts on, for the calling thread or one that does not run yet.
#pragma once

#include <hal/context.h>
#include <hal/trap.h>
#include <helix/types.h>
#include <lib/package.h>

// The machine's part defines, as Linux 6.1 has it there:
//   HAL_SYSCALL_TABLE(X)      X(name, number) for each call of the machine, by Linux's names; one
//   that
//                             the personality lacks answers ENOSYS (decision 004)
//   HAL_SYSCALL_MAX           the highest number in it
//   HAL_CLONE_CHILD_TID, HAL_CLONE_TLS  which arguments of clone() these two are
#include <hal_arch/syscall_numbers.h>
//   struct linux_stat         of fstat() and its relatives
//   struct linux_epoll_event
//   HAL_SI_ILLEGAL, HAL_SI_BREAKPOINT  what siginfo says of these two faults
//   HAL_SEM_TIME_WORDS        how many words a time takes in struct semid64_ds
//   HAL_O_DIRECT, HAL_O_LARGEFILE, HAL_O_DIRECTORY, HAL_O_NOFOLLOW  open flags that differ
//   HAL_SIGACTION_WORDS       of struct kernel_sigaction, 8 bytes each: 4 with a restorer, 3
//   without
#include <hal_arch/linux_stat.h>

#define HAL_SIGINFO_BYTES 128u

// What sigaltstack() tells, as the program gave it.
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
    alignas(8) uint8_t info[HAL_SIGINFO_BYTES]; // struct siginfo as the program sees it
    uint64_t blocked;                           // mask to restore on return
    struct hal_signal_stack stack;              // as sigaltstack has it, saved in the frame
    uint64_t stack_top;     // where to build: alternate stack's top, or 0: current sp
    struct hal_fault fault; // for the machine's fields (trapno, err, cr2); kind may be 0
};

// How the two functions below reach user memory, so that it is touched in one file only. Return
// HX_OK or a status, after which what was copied is undefined.
typedef enum hx_status (*hal_copy_out_t)(struct uaddr to, const void *from, size_t size_bytes);
typedef enum hx_status (*hal_copy_in_t)(void *to, struct uaddr from, size_t size_bytes);

// Builds the machine's rt_sigframe on the user stack and changes `frame` to enter the handler.
// `fpu` is the thread's saved state (hal_fpu_save()). Borrows all. May sleep, as copies do. Returns
// HX_OK
//         HX_ERR_BAD_ADDRESS  no stack, or no way back from the handler; frame unchanged
enum hx_status hal_signal_push(struct hal_frame *frame, const struct hal_signal_delivery *delivery,
                               const void *fpu, hal_copy_out_t copy_out);

// Undoes it for rt_sigreturn: registers (only the ones a program may set), mask, FPU state (into
// `fpu`, made safe for hal_fpu_restore()), alternate stack. The program may have written anything
// there. May sleep.
// Returns HX_OK
//         HX_ERR_BAD_ADDRESS  frame unchanged, `fpu` is undefined
enum hx_status hal_signal_pop(struct hal_frame *frame, void *fpu, uint64_t *out_blocked,
                              struct hal_signal_stack *out_stack, hal_copy_in_t copy_in);

// arch_prctl and its like, on `tls`, which the caller saved and restores if something was set.
// *out_is_get: the program wants *out_value stored where its argument points.
// Returns HX_OK
//         HX_ERR_INVALID        an unknown code, as all are where there is no such call
//         HX_ERR_NOT_PERMITTED  an address that is not the user's
enum hx_status hal_thread_control(uint64_t code, uint64_t value, struct hal_tls *tls,
                                  uint64_t *out_value, bool *out_is_get);
// Sets the user's thread pointer in `tls` (CLONE_SETTLS); false if it is not a user address.
bool hal_tls_set(struct hal_tls *tls, uint64_t value);

// Makes what this program's threads wrote to its memory fit to be fetched as code, by all
// processors, on machines where a program cannot do that itself; elsewhere nothing. Any thread of
// it that enters or left user mode before may count on that once this returned.
void hal_code_publish(void);

// The e_machine of the ELF files that this machine runs.
uint16_t hal_elf_machine(void);

// The same for packages of modules, and what its psABI calls their relocations.
const struct package_machine *hal_package_machine(void);
