// SPDX-License-Identifier: MIT OR Apache-2.0
// <hal_arch/branch.h>: the inline part of <hal/branch.h>, documented there.
//
// A place is five bytes: a no-operation, or a jump. hal/x86_64/branch.c has the list of them.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define HAL_BRANCH_STEPS 3u

static inline __attribute__((always_inline)) bool hal_branch(uint32_t key) {
    __asm__ goto("661: .byte 0x0f, 0x1f, 0x44, 0x00, 0x00\n\t"
                 ".pushsection .hal.branches, \"a\", @progbits\n\t"
                 ".quad 661b, %l[x86_branch_on], %c0\n\t"
                 ".popsection"
                 :
                 : "i"(key)
                 :
                 : x86_branch_on);
    return false;
x86_branch_on:
    return true;
}
