// SPDX-License-Identifier: MIT OR Apache-2.0
// hal/x86_64/trampoline.S: where another processor begins: real mode at X86_TRAMPOLINE (SDM 3A 8.4.4).
//
// Copied there; smp.c fills in the data at its end. The temporary root maps this page at its own
// address, executable and not writable, beside the kernel half.

#include <hal_arch/layout.h>

#define LOW(label) (label - x86_trampoline_start)
#define PAGE 0x1000 // X86_TRAMPOLINE, as a plain number

    .section .rodata.trampoline, "a", @progbits
    .balign 16
    .globl x86_trampoline_start, x86_trampoline_end, x86_trampoline_data
x86_trampoline_start:
    .code16
    cli
    cld
    mov %cs, %ax
    mov %ax, %ds
    lgdtl LOW(trampoline_gdt_pointer)

    // Straight from real mode to long mode (SDM 3A 10.8.5): PAE, root, EFER.LME and NXE, then
    // protection and paging at once.
    mov $0xa0, %eax
    mov %eax, %cr4
    mov LOW(x86_trampoline_data), %eax
    mov %eax, %cr3
    mov $0xc0000080, %ecx
    mov $0x900, %eax
    xor %edx, %edx
    wrmsr
    mov $0x80010011, %eax // PG, WP, ET, PE
    mov %eax, %cr0
    ljmpl $0x08, $(PAGE + LOW(trampoline_long))

    .code64
trampoline_long:
    xor %eax, %eax
    mov %eax, %ds
    mov %eax, %es
    mov %eax, %ss
    mov PAGE + LOW(x86_trampoline_data) + 8, %rsp
    mov PAGE + LOW(x86_trampoline_data) + 24, %rdi
    xor %ebp, %ebp
    mov PAGE + LOW(x86_trampoline_data) + 16, %rax
    call *%rax
    ud2

    .balign 8
trampoline_gdt:
    .quad 0
    .quad 0x00af9b000000ffff // code, 64-bit; accessed, as this page is not written
trampoline_gdt_pointer:
    .word trampoline_gdt_pointer - trampoline_gdt - 1
    .long PAGE + LOW(trampoline_gdt)

    .balign 8
x86_trampoline_data:
    .skip 32
x86_trampoline_end:

    .section .note.GNU-stack, "", @progbits
