// SPDX-License-Identifier: MIT OR Apache-2.0
// boot/x86_64/entry.S: the two 32-bit entries, and the way from there to 64-bit C.
//
// PVH (Xen's public/arch-x86/hvm/start_info.h): found by the ELF note below; ebx = start info.
// Multiboot2 (specification 2.0, section 3.1 and 3.3): header below; eax = magic, ebx = information.
// Both enter in 32-bit protected mode, flat segments, paging and interrupts off.
//
// The boot page tables map the first 4 GiB with pages of 2 MiB, writable and executable, at 0, at the
// direct map's base and (the first GiB) at the image's base. hal replaces them.

#define IMAGE_BASE 0xffffffff80000000
#define PHYS(symbol) (symbol - IMAGE_BASE)

#define MULTIBOOT2_HEADER_MAGIC 0xe85250d6
#define BOOT_LOADER_PVH 1
#define BOOT_LOADER_MULTIBOOT2 2
#define MULTIBOOT2_EAX 0x36d76289

#define ENTRY_TABLE 0x003 // present, writable
#define ENTRY_LARGE 0x083 // and a page of 2 MiB

    .section .note.pvh, "a", @note
    .balign 4
    .long 4, 8, 18 // name and description size, XEN_ELFNOTE_PHYS32_ENTRY
    .asciz "Xen"
    .quad PHYS(boot_pvh)

    .section .boot.header, "a", @progbits
    .balign 8
multiboot2_header:
    .long MULTIBOOT2_HEADER_MAGIC, 0 // architecture: i386
    .long multiboot2_end - multiboot2_header
    .long -(MULTIBOOT2_HEADER_MAGIC + 0 + (multiboot2_end - multiboot2_header))
    .word 3, 0 // entry address
    .long 12, PHYS(boot_multiboot2)
    .balign 8
    .word 6, 0 // modules on page boundaries
    .long 8
    .word 0, 0 // end
    .long 8
multiboot2_end:

    .section .boot.text, "ax", @progbits
    .code32
    .globl boot_pvh
boot_pvh:
    mov $BOOT_LOADER_PVH, %edi
    jmp boot_common

boot_multiboot2:
    cmp $MULTIBOOT2_EAX, %eax
    jne boot_stop
    mov $BOOT_LOADER_MULTIBOOT2, %edi

boot_common:
    cli
    cld
    mov %ebx, %esi
    mov %edi, %ebp

    // The loader cleared it, too; but one that does not look may have put the initramfs over it
    // since, and what stands there must be 0 for the kernel to say so.
    mov $PHYS(image_bss), %edi
    mov $PHYS(image_bss_end), %ecx
    sub %edi, %ecx
    shr $2, %ecx
    xor %eax, %eax
    rep stosl
    mov %ebp, %edi
    mov $PHYS(boot_stack_top), %esp

    // Long mode or nothing (SDM 2A, CPUID leaf 80000001h, edx bit 29).
    mov $0x80000001, %eax
    cpuid
    bt $29, %edx
    jnc boot_stop

    // Four directories of 512 large pages each.
    mov $PHYS(boot_directories), %ebx
    mov $ENTRY_LARGE, %eax
    mov $2048, %ecx
1:  mov %eax, (%ebx)
    add $0x200000, %eax
    add $8, %ebx
    dec %ecx
    jnz 1b

    mov $PHYS(boot_low), %ebx
    mov $PHYS(boot_directories) + ENTRY_TABLE, %eax
    mov %eax, (%ebx)
    mov %eax, PHYS(boot_high) + 510 * 8
    add $0x1000, %eax
    mov %eax, 8(%ebx)
    add $0x1000, %eax
    mov %eax, 16(%ebx)
    add $0x1000, %eax
    mov %eax, 24(%ebx)
    movl $PHYS(boot_low) + ENTRY_TABLE, PHYS(boot_root)
    movl $PHYS(boot_low) + ENTRY_TABLE, PHYS(boot_root) + 256 * 8
    movl $PHYS(boot_high) + ENTRY_TABLE, PHYS(boot_root) + 511 * 8

    // To long mode (SDM 3A 10.8.5): PAE, the root, EFER.LME, then paging.
    mov $0x20, %eax
    mov %eax, %cr4
    mov $PHYS(boot_root), %eax
    mov %eax, %cr3
    mov $0xc0000080, %ecx
    rdmsr
    or $0x100, %eax
    wrmsr
    mov %cr0, %eax
    or $0x80000001, %eax
    mov %eax, %cr0
    lgdt PHYS(boot_gdt_pointer)
    ljmp $0x08, $PHYS(boot_long)

boot_stop:
    cli
    hlt
    jmp boot_stop

    .code64
boot_long:
    xor %eax, %eax
    mov %eax, %ds
    mov %eax, %es
    mov %eax, %fs
    mov %eax, %gs
    mov $0x10, %eax
    mov %eax, %ss
    mov $boot_high_half, %rax
    jmp *%rax

    .text
boot_high_half:
    mov $boot_stack_top, %rsp
    xor %ebp, %ebp
    mov %edi, %edi // the upper halves are undefined after the switch of mode
    mov %esi, %esi
    call boot_start
    ud2

    .section .rodata.boot, "a", @progbits
    .balign 8
boot_gdt:
    .quad 0
    .quad 0x00af9a000000ffff // code, 64-bit
    .quad 0x00cf92000000ffff // data
boot_gdt_pointer:
    .word boot_gdt_pointer - boot_gdt - 1
    .quad PHYS(boot_gdt)

    .section .bss.boot, "aw", @nobits
    .balign 4096
boot_root:
    .skip 4096
boot_low:
    .skip 4096
boot_high:
    .skip 4096
boot_directories:
    .skip 4 * 4096
    .globl boot_stack_low
boot_stack_low:
    .skip 32768
    .globl boot_stack_top
boot_stack_top:

    .section .note.GNU-stack, "", @progbits
