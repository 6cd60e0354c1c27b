// SPDX-License-Identifier: MIT OR Apache-2.0
// hal/x86_64/asm.h: macros of the assembly files.
#pragma once

// clang-format off

// Three bytes that features.c turns into CLAC or STAC where the processor has SMAP.
.macro CLAC_IF_SMAP
661:
    .byte 0x0f, 0x1f, 0x00
    .pushsection .hal.patches, "a", @progbits
    .quad 661b, 0
    .popsection
.endm

.macro STAC_IF_SMAP
661:
    .byte 0x0f, 0x1f, 0x00
    .pushsection .hal.patches, "a", @progbits
    .quad 661b, 1
    .popsection
.endm

// A fault at `at` continues at `fixup` if it cannot be resolved.
.macro EXTABLE at, fixup
    .pushsection .hal.extable, "a", @progbits
    .quad \at, \fixup
    .popsection
.endm

.macro FUNCTION name
    .section .text.\name, "ax", @progbits
    .balign 16
    .globl \name
    .type \name, @function
\name:
.endm

// clang-format on
