// SPDX-License-Identifier: MIT OR Apache-2.0
// boot/hosted/stack.S: the stack that kernel_main runs on. The host's thread library and sanitizers
// keep their thread-local data at its top.

    .bss
    .balign 4096
    .globl boot_stack_low, boot_stack_top
boot_stack_low:
    .skip 0x400000
boot_stack_top:

    .section .note.GNU-stack, "", @progbits
