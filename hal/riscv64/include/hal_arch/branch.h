// SPDX-License-Identifier: MIT OR Apache-2.0
// <hal_arch/branch.h>: the inline part of <hal/branch.h>, documented there.
//
// A place is a NOP or a JAL of four bytes at a multiple of four. hal/riscv64/branch.c has the list
// of them.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define HAL_BRANCH_STEPS 1u

static inline __attribute__((always_inline)) bool hal_branch(uint32_t key) {
    __asm__ goto(".balign 4\n\t" // by a C.NOP, so before there is none
                 ".option push\n\t"
                 ".option norvc\n\t"
                 "661: nop\n\t"
                 ".option pop\n\t"
                 ".pushsection .hal.branches, \"a\", @progbits\n\t"
                 ".balign 8\n\t"
                 ".quad 661b, %l[riscv64_branch_on], %0\n\t"
                 ".popsection"
                 :
                 : "i"(key)
                 :
                 : riscv64_branch_on);
    return false;
riscv64_branch_on:
    return true;
}
