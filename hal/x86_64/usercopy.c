// SPDX-License-Identifier: MIT OR Apache-2.0
// hal/x86_64/usercopy.c: user strings and words. The copies proper are in usercopy.S.
#include <hal/usercopy.h>

#include <hal/mmu.h>

// clang-format off
#define PATCH(is_stac)                                          \
    "661: .byte 0x0f, 0x1f, 0x00\n\t"                           \
    ".pushsection .hal.patches, \"a\", @progbits\n\t"           \
    ".quad 661b, " is_stac "\n\t"                               \
    ".popsection\n\t"
#define EXTABLE                                                 \
    ".pushsection .hal.extable, \"a\", @progbits\n\t"           \
    ".quad 1b, %l[fault]\n\t"                                   \
    ".popsection\n\t"
// clang-format on

#define BYTES_ONE  0x0101010101010101ull
#define BYTES_HIGH 0x8080808080808080ull

static inline void user_open(void) {
    __asm__ volatile(PATCH("1") : : : "memory");
}

static inline void user_close(void) {
    __asm__ volatile(PATCH("0") : : : "memory");
}

static inline bool load8(uint64_t from, uint8_t *out_value) {
    uint32_t value;
    __asm__ goto("1: movzbl (%1), %0\n\t" EXTABLE : "=r"(value) : "r"(from) : : fault);
    *out_value = (uint8_t)value;
    return true;
fault:
    return false;
}

static inline bool load64(uint64_t from, uint64_t *out_value) {
    uint64_t value;
    __asm__ goto("1: movq (%1), %0\n\t" EXTABLE : "=r"(value) : "r"(from) : : fault);
    *out_value = value;
    return true;
fault:
    return false;
}

// Reads whole words where one does not reach into the next page, which may not be mapped.
static bool copy_string(char *to, uint64_t from, size_t capacity, size_t *out_length) {
    size_t done = 0;
    while (done < capacity) {
        uint64_t at = from + done;
        uint64_t word;
        if (capacity - done >= 8 && (at & PAGE_MASK) <= PAGE_SIZE - 8) {
            if (!load64(at, &word)) {
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
    user_open();
    bool ok = copy_string(to, from.value, capacity, out_length);
    user_close();
    return ok;
}

bool hal_user_load32(struct uaddr from, uint32_t *out_value) {
    uint32_t value;
    user_open();
    __asm__ goto("1: movl (%1), %0\n\t" EXTABLE : "=r"(value) : "r"(from.value) : : fault);
    user_close();
    *out_value = value;
    return true;
fault:
    user_close();
    return false;
}

bool hal_user_cas32(struct uaddr at, uint32_t expected, uint32_t desired, uint32_t *out_found) {
    uint32_t found = expected;
    user_open();
    __asm__ goto("1: lock cmpxchgl %2, (%1)\n\t" EXTABLE
                 : "+a"(found)
                 : "r"(at.value), "r"(desired)
                 : "memory"
                 : fault);
    user_close();
    *out_found = found;
    return true;
fault:
    user_close();
    return false;
}
