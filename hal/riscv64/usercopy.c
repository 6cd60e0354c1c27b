// SPDX-License-Identifier: MIT OR Apache-2.0
// hal/riscv64/usercopy.c: user strings and words. The copies proper are in usercopy.S.
#include <hal/usercopy.h>

#include "regs.h"

#include <hal/mmu.h>

// clang-format off
#define EXTABLE(at, fixup)                                      \
    ".pushsection .hal.extable, \"a\", @progbits\n\t"           \
    ".balign 8\n\t"                                             \
    ".quad " at ", " fixup "\n\t"                               \
    ".popsection\n\t"
// clang-format on

#define BYTES_ONE  0x0101010101010101ull
#define BYTES_HIGH 0x8080808080808080ull

static inline bool load8(uint64_t from, uint8_t *out_value) {
    uint64_t value;
    __asm__ goto("1: lbu %0, (%1)\n\t" EXTABLE("1b", "%l[fault]")
                 : "=r"(value)
                 : "r"(from)
                 :
                 : fault);
    *out_value = (uint8_t)value;
    return true;
fault:
    return false;
}

static inline bool load64(uint64_t from, uint64_t *out_value) {
    uint64_t value;
    __asm__ goto("1: ld %0, (%1)\n\t" EXTABLE("1b", "%l[fault]")
                 : "=r"(value)
                 : "r"(from)
                 :
                 : fault);
    *out_value = value;
    return true;
fault:
    return false;
}

// Reads whole words where they are aligned: none reaches into the next page, which may not be
// mapped. SUM is set.
static bool string_copy_open(char *to, struct uaddr from, size_t capacity, size_t *out_length) {
    size_t done = 0;
    while (done < capacity) {
        uint64_t at = from.value + done;
        uint64_t word;
        if (capacity - done >= 8 && at % 8 == 0) {
            if (at >= HAL_USER_END || !load64(at, &word)) {
                return false;
            }
            __builtin_memcpy(to + done, &word, sizeof(word));
            uint64_t zeros = (word - BYTES_ONE) & ~word & BYTES_HIGH; // lowest set bit is exact
            if (zeros != 0) {
                *out_length = done + (size_t)__builtin_ctzll(zeros) / 8;
                return true;
            }
            done += 8;
            continue;
        }
        uint8_t byte;
        if (at >= HAL_USER_END || !load8(at, &byte)) {
            return false;
        }
        to[done] = (char)byte;
        if (byte == 0) {
            break;
        }
        done++;
    }
    *out_length = done;
    return true;
}

bool hal_copy_string_from_user(char *to, struct uaddr from, size_t capacity, size_t *out_length) {
    csr_set("sstatus", SSTATUS_SUM);
    const bool done = string_copy_open(to, from, capacity, out_length);
    csr_clear("sstatus", SSTATUS_SUM);
    return done;
}

bool hal_user_load32(struct uaddr from, uint32_t *out_value) {
    uint64_t value;
    csr_set("sstatus", SSTATUS_SUM);
    __asm__ goto("1: lwu %0, (%1)\n\t" EXTABLE("1b", "%l[fault]")
                 : "=r"(value)
                 : "r"(from.value)
                 : "memory"
                 : fault);
    csr_clear("sstatus", SSTATUS_SUM);
    *out_value = (uint32_t)value;
    return true;
fault:
    csr_clear("sstatus", SSTATUS_SUM);
    return false;
}

// LR with aq and rl and SC with rl are sequentially consistent (unprivileged ISA 20191213, table
// A.6); where the word is another one, the fence takes the store's part.
bool hal_user_cas32(struct uaddr at, uint32_t expected, uint32_t desired, uint32_t *out_found) {
    uint64_t found;
    uint64_t failed;
    csr_set("sstatus", SSTATUS_SUM);
    __asm__ goto("1: lr.w.aqrl %0, (%2)\n\t"
                 "bne %0, %3, 3f\n\t"
                 "2: sc.w.rl %1, %4, (%2)\n\t"
                 "bnez %1, 1b\n\t"
                 "3: fence rw, rw\n\t" EXTABLE("1b", "%l[fault]") EXTABLE("2b", "%l[fault]")
                 : "=&r"(found), "=&r"(failed)
                 : "r"(at.value), "r"((int64_t)(int32_t)expected),
                   "r"(desired) // LR extends the sign
                 : "memory"
                 : fault);
    csr_clear("sstatus", SSTATUS_SUM);
    *out_found = (uint32_t)found;
    return true;
fault:
    csr_clear("sstatus", SSTATUS_SUM);
    return false;
}
