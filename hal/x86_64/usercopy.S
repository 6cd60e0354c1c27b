// SPDX-License-Identifier: MIT OR Apache-2.0
// hal/x86_64/usercopy.S: copying to and from user memory, with fix-ups.
//
// One loop serves both directions: SMAP is open around all of it. Sizes up to 32 bytes go as
// moves that may overlap; above, whole words by REP MOVSQ and the last seven bytes by one
// overlapping move. After a fault that cannot be resolved the rest is tried byte by byte, so that
// the count of what was not copied is exact.

#include "asm.inc"

// size_t hal_copy_from_user(void *to, struct uaddr from, size_t size_bytes)
// size_t hal_copy_to_user(struct uaddr to, const void *from, size_t size_bytes)
    .section .text.x86_copy_user, "ax", @progbits
    .balign 16
    .globl hal_copy_from_user
    .type hal_copy_from_user, @function
    .globl hal_copy_to_user
    .type hal_copy_to_user, @function
hal_copy_from_user:
hal_copy_to_user:
    STAC_IF_SMAP
    cmp $8, %rdx
    jb copy_below_8
    cmp $32, %rdx
    ja copy_words
    cmp $16, %rdx
    ja copy_to_32
10: mov (%rsi), %rax
11: mov -8(%rsi, %rdx), %rcx
12: mov %rax, (%rdi)
13: mov %rcx, -8(%rdi, %rdx)
    CLAC_IF_SMAP
    xor %eax, %eax
    ret

copy_to_32:
20: mov (%rsi), %rax
21: mov 8(%rsi), %rcx
22: mov -16(%rsi, %rdx), %r8
23: mov -8(%rsi, %rdx), %r9
24: mov %rax, (%rdi)
25: mov %rcx, 8(%rdi)
26: mov %r8, -16(%rdi, %rdx)
27: mov %r9, -8(%rdi, %rdx)
    CLAC_IF_SMAP
    xor %eax, %eax
    ret

copy_words:
    mov %rdx, %rcx
    shr $3, %rcx
    and $7, %edx
30: rep movsq
    test %edx, %edx
    jz 1f
31: mov -8(%rsi, %rdx), %rax
32: mov %rax, -8(%rdi, %rdx)
1:  CLAC_IF_SMAP
    xor %eax, %eax
    ret

copy_below_8:
    cmp $4, %edx
    jb copy_below_4
60: mov (%rsi), %eax
61: mov -4(%rsi, %rdx), %ecx
62: mov %eax, (%rdi)
63: mov %ecx, -4(%rdi, %rdx)
    jmp 1b

copy_below_4:
    test %edx, %edx
    jz 1b
70: movzbl (%rsi), %eax
71: movzbl -1(%rsi, %rdx), %ecx
    mov %edx, %r8d
    shr $1, %r8d
72: movzbl (%rsi, %r8), %r9d
73: mov %al, (%rdi)
74: mov %r9b, (%rdi, %r8)
75: mov %cl, -1(%rdi, %rdx)
    jmp 1b

copy_words_fault: // rcx words and rdx bytes are left, rsi and rdi stand at the first of them
    lea (%rdx, %rcx, 8), %rdx
copy_bytes:
    mov %rdx, %rcx
40: rep movsb
copy_end:
    CLAC_IF_SMAP
    mov %rcx, %rax
    ret

copy_tail_fault: // all words are done
    xor %ecx, %ecx
    jmp copy_words_fault

    EXTABLE 10b, copy_bytes
    EXTABLE 11b, copy_bytes
    EXTABLE 12b, copy_bytes
    EXTABLE 13b, copy_bytes
    EXTABLE 20b, copy_bytes
    EXTABLE 21b, copy_bytes
    EXTABLE 22b, copy_bytes
    EXTABLE 23b, copy_bytes
    EXTABLE 24b, copy_bytes
    EXTABLE 25b, copy_bytes
    EXTABLE 26b, copy_bytes
    EXTABLE 27b, copy_bytes
    EXTABLE 30b, copy_words_fault
    EXTABLE 31b, copy_tail_fault
    EXTABLE 32b, copy_tail_fault
    EXTABLE 40b, copy_end
    EXTABLE 60b, copy_bytes
    EXTABLE 61b, copy_bytes
    EXTABLE 62b, copy_bytes
    EXTABLE 63b, copy_bytes
    EXTABLE 70b, copy_bytes
    EXTABLE 71b, copy_bytes
    EXTABLE 72b, copy_bytes
    EXTABLE 73b, copy_bytes
    EXTABLE 74b, copy_bytes
    EXTABLE 75b, copy_bytes

// size_t hal_clear_user(struct uaddr to, size_t size_bytes)
FUNCTION hal_clear_user
    STAC_IF_SMAP
    xor %eax, %eax
    mov %rsi, %rcx
    shr $3, %rcx
    and $7, %esi
50: rep stosq
clear_bytes:
    lea (%rsi, %rcx, 8), %rcx
51: rep stosb
clear_end:
    CLAC_IF_SMAP
    mov %rcx, %rax
    ret
    EXTABLE 50b, clear_bytes
    EXTABLE 51b, clear_end

    .section .note.GNU-stack, "", @progbits
