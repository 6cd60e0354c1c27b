// SPDX-License-Identifier: MIT OR Apache-2.0
// hal/aarch64/usercopy.S: copying to and from user memory, with fix-ups.
//
// LDTR and STTR have the program's rights, whatever PAN says (Arm ARM, C3.2.6), so nothing is opened.
// Words go in groups that move the pointers only when all of them are done; after a fault that cannot
// be resolved the rest is tried byte by byte, so that the count of what was not copied is exact.

#include "asm.inc"

// size_t hal_copy_from_user(void *to, struct uaddr from, size_t size_bytes)
FUNCTION hal_copy_from_user
    cmp x2, #32
    b.lo 2f
1:
10: ldtr x3, [x1]
11: ldtr x4, [x1, #8]
12: ldtr x5, [x1, #16]
13: ldtr x6, [x1, #24]
    stp x3, x4, [x0], #16
    stp x5, x6, [x0], #16
    add x1, x1, #32
    sub x2, x2, #32
    cmp x2, #32
    b.hs 1b
2:  cmp x2, #8
    b.lo from_bytes
14: ldtr x3, [x1]
    str x3, [x0], #8
    add x1, x1, #8
    sub x2, x2, #8
    b 2b
from_bytes:
    cbz x2, 4f
3:
15: ldtrb w3, [x1]
    strb w3, [x0], #1
    add x1, x1, #1
    subs x2, x2, #1
    b.ne 3b
4:  mov x0, x2
    ret
    EXTABLE 10b, from_bytes
    EXTABLE 11b, from_bytes
    EXTABLE 12b, from_bytes
    EXTABLE 13b, from_bytes
    EXTABLE 14b, from_bytes
    EXTABLE 15b, 4b

// size_t hal_copy_to_user(struct uaddr to, const void *from, size_t size_bytes)
FUNCTION hal_copy_to_user
    cmp x2, #32
    b.lo 2f
1:  ldp x3, x4, [x1]
    ldp x5, x6, [x1, #16]
20: sttr x3, [x0]
21: sttr x4, [x0, #8]
22: sttr x5, [x0, #16]
23: sttr x6, [x0, #24]
    add x0, x0, #32
    add x1, x1, #32
    sub x2, x2, #32
    cmp x2, #32
    b.hs 1b
2:  cmp x2, #8
    b.lo to_bytes
    ldr x3, [x1]
24: sttr x3, [x0]
    add x0, x0, #8
    add x1, x1, #8
    sub x2, x2, #8
    b 2b
to_bytes:
    cbz x2, 4f
3:  ldrb w3, [x1]
25: sttrb w3, [x0]
    add x0, x0, #1
    add x1, x1, #1
    subs x2, x2, #1
    b.ne 3b
4:  mov x0, x2
    ret
    EXTABLE 20b, to_bytes
    EXTABLE 21b, to_bytes
    EXTABLE 22b, to_bytes
    EXTABLE 23b, to_bytes
    EXTABLE 24b, to_bytes
    EXTABLE 25b, 4b

// size_t hal_clear_user(struct uaddr to, size_t size_bytes)
FUNCTION hal_clear_user
1:  cmp x1, #8
    b.lo clear_bytes
30: sttr xzr, [x0]
    add x0, x0, #8
    sub x1, x1, #8
    b 1b
clear_bytes:
    cbz x1, 3f
2:
31: sttrb wzr, [x0]
    add x0, x0, #1
    subs x1, x1, #1
    b.ne 2b
3:  mov x0, x1
    ret
    EXTABLE 30b, clear_bytes
    EXTABLE 31b, 3b

    .section .note.GNU-stack, "", @progbits
