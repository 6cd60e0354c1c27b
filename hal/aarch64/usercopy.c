// SPDX-License-Identifier: MIT OR Apache-2.0
// hal/aarch64/usercopy.c: user strings and words. The copies proper are in usercopy.S.
#include <hal/usercopy.h>

#include <hal/mmu.h>

// clang-format off
#define EXTABLE(at, fixup)                                      \
    ".pushsection .hal.extable, \"a\", @progbits\n\t"           \
    ".balign 8\n\t"                                             \
    ".quad " at ", " fixup "\n\t"                               \
    ".popsection\n\t"
// A NOP that features.c turns into MSR PAN where there is PAN.
#define PATCH(is_close)                                         \
    "661: nop\n\t"                                              \
    ".pushsection .hal.patches, \"a\", @progbits\n\t"           \
    ".balign 8\n\t"                                             \
    ".quad 661b, " is_close "\n\t"                              \
    ".popsection\n\t"
// clang-format on

#define BYTES_ONE  0x0101010101010101ull
#define BYTES_HIGH 0x8080808080808080ull

static inline bool load8(uint64_t from, uint8_t *out_value) {
    uint32_t value;
    __asm__ goto("1: ldtrb %w0, [%1]\n\t" EXTABLE("1b", "%l[fault]")
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
    __asm__ goto("1: ldtr %0, [%1]\n\t" EXTABLE("1b", "%l[fault]")
                 : "=r"(value)
                 : "r"(from)
                 :
                 : fault);
    *out_value = value;
    return true;
fault:
    return false;
}

// Reads whole words where one does not reach into the next page, which may not be mapped.
bool hal_copy_string_from_user(char *to, struct uaddr from, size_t capacity, size_t *out_length) {
    size_t done = 0;
    while (done < capacity) {
        uint64_t at = from.value + done;
        uint64_t word;
        if (capacity - done >= 8 && (at & PAGE_MASK) <= PAGE_SIZE - 8) {
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

bool hal_user_load32(struct uaddr from, uint32_t *out_value) {
    uint32_t value;
    __asm__ goto("1: ldtr %w0, [%1]\n\t" EXTABLE("1b", "%l[fault]")
                 : "=r"(value)
                 : "r"(from.value)
                 :
                 : fault);
    *out_value = value;
    return true;
fault:
    return false;
}

// There is no exclusive access with a program's rights, so PAN is open around it. Acquire, release
// and the barrier behind make it sequentially consistent (B2.3.11; Linux's futex.h does the same).
bool hal_user_cas32(struct uaddr at, uint32_t expected, uint32_t desired, uint32_t *out_found) {
    uint32_t found;
    uint32_t failed;
    __asm__ goto(PATCH("0") "1: ldaxr %w0, [%2]\n\t"
                            "cmp %w0, %w3\n\t"
                            "b.ne 3f\n\t"
                            "2: stlxr %w1, %w4, [%2]\n\t"
                            "cbnz %w1, 1b\n\t"
                            "dmb ish\n\t"
                            "3:\n\t" PATCH("1") EXTABLE("1b", "%l[fault]")
                                EXTABLE("2b", "%l[fault]")
                 : "=&r"(found), "=&r"(failed)
                 : "r"(at.value), "r"(expected), "r"(desired)
                 : "memory", "cc"
                 : fault);
    *out_found = found;
    return true;
fault:
    __asm__ volatile(PATCH("1") : : : "memory");
    return false;
}
