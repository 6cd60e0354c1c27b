// SPDX-License-Identifier: MIT OR Apache-2.0
// boot/riscv64/entry.S: Linux's Image header and entry, and the way from there to C in the upper half.
//
// The boot protocol (Linux 6.1, Documentation/riscv/boot-image-header.rst; SBI 1.0, 9.1): S-mode, a0 =
// this hart, a1 = device tree, address translation off, the image anywhere at 2 MiB. One hart comes; but OpenSBI
// (1.1, sbi_hsm_hart_start()) says that a hart is to start before it says where, so that one that looks in between
// comes here as well. It gives itself back, and hal/riscv64/smp.c asks for it again.
//
// The boot page tables are Sv39's and map the image where it is linked, writable and executable. start.c
// adds memory to the direct map. hal replaces them all.

#define IMAGE_BASE 0xffffffff80000000
#define IMAGE_SLOT 510         // of the root
#define ENTRY_TABLE 0x01
#define ENTRY_ALL   0xef       // valid, read, write, execute, global, accessed, dirty (privileged ISA, 4.3.1)
#define SATP_SV39   (8 << 60)
#define SSTATUS_SIE 2
#define SBI_HSM     0x48534d   // SBI 1.0, chapter 9
#define SBI_HSM_STOP 1

    .section .boot.header, "ax", @progbits
    .option norvc
    .globl boot_head
boot_head:
    j boot_entry
    .long 0
    .quad 0x200000                // from a boundary of 2 MiB: OpenSBI has the first one
    .quad image_bytes             // with what the file leaves out
    .quad 0                       // little endian
    .long 2                       // version 0.2
    .long 0
    .quad 0
    .ascii "RISCV\0\0\0"
    .ascii "RSC\x05"
    .long 0

    .section .boot.text, "ax", @progbits
boot_entry:
    csrw sie, zero
    csrci sstatus, SSTATUS_SIE
    lla t0, boot_taken
    li t1, 1
    amoswap.w t1, t1, (t0)
    bnez t1, boot_astray
    mv s0, a0
    mv s1, a1
    lla s2, boot_head

    lla t0, boot_tables
    lla t1, boot_tables_end
1:  sd zero, 0(t0)
    addi t0, t0, 8
    bltu t0, t1, 1b

    lla t0, boot_root
    lla t1, boot_image
    srli t2, t1, 2
    ori t2, t2, ENTRY_TABLE
    li t3, IMAGE_SLOT * 8
    add t3, t0, t3
    sd t2, 0(t3)
    lla t3, image_end
    mv t4, s2
    li t5, 0x200000
2:  srli t2, t4, 2
    ori t2, t2, ENTRY_ALL
    sd t2, 0(t1)
    addi t1, t1, 8
    add t4, t4, t5
    bltu t4, t3, 2b

    // Nothing is mapped one to one: the fetch behind the write of satp faults, and the fault goes on in
    // the upper half (the exception's address is translated already: privileged ISA, 4.1.11).
    srli t0, t0, 12
    li t1, SATP_SV39
    or t0, t0, t1
    lla t1, boot_high
    sub t1, t1, s2
    li t2, IMAGE_BASE
    add t1, t1, t2
    csrw stvec, t1
    sfence.vma // the tables are written before they are walked (4.2.1)
    csrw satp, t0
    sfence.vma
3:  j 3b

boot_astray:
    li a7, SBI_HSM
    li a6, SBI_HSM_STOP
    ecall // which returns if there is no such call
5:  wfi
    j 5b

    .balign 4
boot_high:
    sfence.vma
    lla sp, boot_stack_top
    lla t0, image_bss
    lla t1, image_bss_end
4:  sd zero, 0(t0)
    addi t0, t0, 8
    bltu t0, t1, 4b
    mv a0, s1
    mv a1, s0
    mv a2, s2
    mv fp, zero
    mv ra, zero
    call boot_start
    ebreak

    .section .data.boot, "aw", @progbits // what is zeroed above would be open again
    .balign 4
boot_taken:
    .long 0

    .section .bss.boot, "aw", @nobits
    .balign 4096
boot_tables:
    .globl boot_root
boot_root:
    .skip 4096
boot_image:
    .skip 4096
boot_tables_end:
    .globl boot_stack_low
boot_stack_low:
    .skip 32768
    .globl boot_stack_top
boot_stack_top:

    .section .note.GNU-stack, "", @progbits
