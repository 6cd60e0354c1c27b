// SPDX-License-Identifier: MIT OR Apache-2.0
// <hal_arch/branch.h>: the inline part of <hal/branch.h>, documented there.
//
// A place is a NOP or a B. hal/aarch64/branch.c has the list of them.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define HAL_BRANCH_STEPS 1u

static inline __attribute__((always_inline)) bool hal_branch(uint32_t key) {
    __asm__ goto("661: nop\n\t"
                 ".pushsection .hal.branches, \"a\", @progbits\n\t"
                 ".balign 8\n\t"
                 ".quad 661b, %l[aarch64_branch_on], %c0\n\t"
                 ".popsection"
                 :
                 : "i"(key)
                 :
                 : aarch64_branch_on);
    return false;
aarch64_branch_on:
    return true;
}
