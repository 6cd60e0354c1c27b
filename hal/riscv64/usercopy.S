// SPDX-License-Identifier: MIT OR Apache-2.0
// hal/riscv64/usercopy.S: copying to and from user memory, with fix-ups.
//
// sstatus.SUM lets the kernel load and store where programs may, and is set only in here; whatever comes
// in between clears it (trap.S). Words go where both sides are aligned alike, in groups that move the
// pointers only when all of them are done; after a fault that cannot be resolved the rest is tried byte
// by byte, so that the count of what was not copied is exact.

#include "asm.inc"

#include <hal_arch/frame.h>

.macro OPEN
    li t6, RISCV64_STATUS_SUM
    csrs sstatus, t6
.endm

// What was not copied is the result.
.macro CLOSE left
    li t6, RISCV64_STATUS_SUM
    csrc sstatus, t6
    mv a0, \left
    ret
.endm

// size_t hal_copy_from_user(void *to, struct uaddr from, size_t size_bytes)
FUNCTION hal_copy_from_user
    OPEN
    xor t0, a0, a1
    andi t0, t0, 7
    bnez t0, from_bytes
    li t5, 32
1:  andi t0, a1, 7 // up to a multiple of eight
    beqz t0, 2f
    beqz a2, 4f
10: lbu t1, 0(a1)
    sb t1, 0(a0)
    addi a0, a0, 1
    addi a1, a1, 1
    addi a2, a2, -1
    j 1b
2:  bltu a2, t5, 3f
11: ld t1, 0(a1)
12: ld t2, 8(a1)
13: ld t3, 16(a1)
14: ld t4, 24(a1)
    sd t1, 0(a0)
    sd t2, 8(a0)
    sd t3, 16(a0)
    sd t4, 24(a0)
    addi a0, a0, 32
    addi a1, a1, 32
    addi a2, a2, -32
    j 2b
3:  li t5, 8
    bltu a2, t5, from_bytes
15: ld t1, 0(a1)
    sd t1, 0(a0)
    addi a0, a0, 8
    addi a1, a1, 8
    addi a2, a2, -8
    j 3b
from_bytes:
    beqz a2, 4f
16: lbu t1, 0(a1)
    sb t1, 0(a0)
    addi a0, a0, 1
    addi a1, a1, 1
    addi a2, a2, -1
    j from_bytes
4:  CLOSE a2
    EXTABLE 10b, 4b
    EXTABLE 11b, from_bytes
    EXTABLE 12b, from_bytes
    EXTABLE 13b, from_bytes
    EXTABLE 14b, from_bytes
    EXTABLE 15b, from_bytes
    EXTABLE 16b, 4b

// size_t hal_copy_to_user(struct uaddr to, const void *from, size_t size_bytes)
FUNCTION hal_copy_to_user
    OPEN
    xor t0, a0, a1
    andi t0, t0, 7
    bnez t0, to_bytes
    li t5, 32
1:  andi t0, a0, 7
    beqz t0, 2f
    beqz a2, 4f
    lbu t1, 0(a1)
20: sb t1, 0(a0)
    addi a0, a0, 1
    addi a1, a1, 1
    addi a2, a2, -1
    j 1b
2:  bltu a2, t5, 3f
    ld t1, 0(a1)
    ld t2, 8(a1)
    ld t3, 16(a1)
    ld t4, 24(a1)
21: sd t1, 0(a0)
22: sd t2, 8(a0)
23: sd t3, 16(a0)
24: sd t4, 24(a0)
    addi a0, a0, 32
    addi a1, a1, 32
    addi a2, a2, -32
    j 2b
3:  li t5, 8
    bltu a2, t5, to_bytes
    ld t1, 0(a1)
25: sd t1, 0(a0)
    addi a0, a0, 8
    addi a1, a1, 8
    addi a2, a2, -8
    j 3b
to_bytes:
    beqz a2, 4f
    lbu t1, 0(a1)
26: sb t1, 0(a0)
    addi a0, a0, 1
    addi a1, a1, 1
    addi a2, a2, -1
    j to_bytes
4:  CLOSE a2
    EXTABLE 20b, 4b
    EXTABLE 21b, to_bytes
    EXTABLE 22b, to_bytes
    EXTABLE 23b, to_bytes
    EXTABLE 24b, to_bytes
    EXTABLE 25b, to_bytes
    EXTABLE 26b, 4b

// size_t hal_clear_user(struct uaddr to, size_t size_bytes)
FUNCTION hal_clear_user
    OPEN
    li t5, 8
1:  andi t0, a0, 7
    beqz t0, 2f
    beqz a1, 4f
30: sb zero, 0(a0)
    addi a0, a0, 1
    addi a1, a1, -1
    j 1b
2:  bltu a1, t5, clear_bytes
31: sd zero, 0(a0)
    addi a0, a0, 8
    addi a1, a1, -8
    j 2b
clear_bytes:
    beqz a1, 4f
32: sb zero, 0(a0)
    addi a0, a0, 1
    addi a1, a1, -1
    j clear_bytes
4:  CLOSE a1
    EXTABLE 30b, 4b
    EXTABLE 31b, clear_bytes
    EXTABLE 32b, 4b

    .section .note.GNU-stack, "", @progbits
