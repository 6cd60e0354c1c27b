// SPDX-License-Identifier: MIT OR Apache-2.0
// string.c: memory and strings for the kernel; on the host they are the C library's.
//
// Copying and filling pages is hot, and neither an architecture's string instructions (lib has no
// architecture code, and emulators charge them per byte) nor vector registers (the kernel has none)
// may be used. So: words, eight at a time, to an aligned destination; the odd bytes at both ends
// are covered by one word each that may overlap the rest. This file is compiled so that the
// compiler does not recognise the loops and call memcpy() from memcpy().
#include <lib/string.h>

typedef uint64_t word_t __attribute__((may_alias));
typedef uint64_t any_word_t __attribute__((may_alias, aligned(1)));
typedef uint32_t any_half_t __attribute__((may_alias, aligned(1)));

#define WORD  sizeof(word_t)
#define BLOCK (8 * WORD)

// Whether compiled code takes a word that may lie anywhere byte by byte: build/arch-ARCH.cmake.
#ifndef HELIX_ALIGNED_WORDS
#define HELIX_ALIGNED_WORDS 0
#endif

// Up to two words: the first and the last half or word, which may overlap.
static void copy_short(uint8_t *to, const uint8_t *from, size_t size_bytes) {
    if (size_bytes >= WORD) {
        any_word_t first = *(const any_word_t *)from;
        any_word_t last = *(const any_word_t *)(from + size_bytes - WORD);
        *(any_word_t *)to = first;
        *(any_word_t *)(to + size_bytes - WORD) = last;
    } else if (size_bytes >= WORD / 2) {
        any_half_t first = *(const any_half_t *)from;
        any_half_t last = *(const any_half_t *)(from + size_bytes - WORD / 2);
        *(any_half_t *)to = first;
        *(any_half_t *)(to + size_bytes - WORD / 2) = last;
    } else {
        for (size_t i = 0; i < size_bytes; i++) {
            to[i] = from[i];
        }
    }
}

// Eight words to an aligned `out`.
static inline __attribute__((always_inline)) void copy_block(uint8_t *out, const any_word_t *in) {
    word_t *block = (word_t *)out;
    word_t a = in[0], b = in[1], c = in[2], d = in[3];
    block[0] = a;
    block[1] = b;
    block[2] = c;
    block[3] = d;
    a = in[4], b = in[5], c = in[6], d = in[7];
    block[4] = a;
    block[5] = b;
    block[6] = c;
    block[7] = d;
}

// Words to an aligned `out`, which end less than one before `last_out`.
static void copy_words(uint8_t *out, const uint8_t *in, const uint8_t *last_out) {
    for (; out + BLOCK <= last_out + WORD; out += BLOCK, in += BLOCK) {
        copy_block(out, (const any_word_t *)in);
    }
    for (; out < last_out; out += WORD, in += WORD) {
        *(word_t *)out = *(const any_word_t *)in;
    }
}

// Words from `in`, which is aligned as `out` is.
static void copy_level(uint8_t *out, const uint8_t *in, const uint8_t *end) {
    for (; (size_t)(end - out) >= BLOCK; out += BLOCK, in += BLOCK) {
        copy_block(out, __builtin_assume_aligned(in, WORD));
    }
    for (; out != end; out += WORD, in += WORD) {
        *(word_t *)out = *(const word_t *)in;
    }
}

// Words from `in`, which is not aligned: each is put together from the two that it lies in. They
// have a byte that is wanted each, so that none is on another page than such a byte.
static __attribute__((no_sanitize("address"))) void copy_across(uint8_t *out, const uint8_t *in,
                                                                const uint8_t *end) {
    const size_t inside = (uintptr_t)in % WORD;
    const word_t *source = (const word_t *)(in - inside);
    word_t low = *source;
    _Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the first byte is the lowest");
    for (; out != end; out += WORD) {
        const word_t high = *++source;
        *(word_t *)out = low >> 8 * inside | high << 8 * (WORD - inside);
        low = high;
    }
}

// Where only aligned words are one instruction: bytes up to the first one of `out`, and behind the
// last.
static void copy_aligned(uint8_t *out, const uint8_t *in, size_t size_bytes) {
    uint8_t *const end = out + size_bytes;
    for (; out != end && (uintptr_t)out % WORD != 0; out++, in++) {
        *out = *in;
    }
    const size_t words_bytes = (size_t)(end - out) / WORD * WORD;
    if ((uintptr_t)in % WORD == 0) {
        copy_level(out, in, out + words_bytes);
    } else if (words_bytes != 0) {
        copy_across(out, in, out + words_bytes);
    }
    for (out += words_bytes, in += words_bytes; out != end; out++, in++) {
        *out = *in;
    }
}

void *memcpy(void *restrict to, const void *restrict from, size_t size_bytes) {
    uint8_t *out = to;
    const uint8_t *in = from;
    if (HELIX_ALIGNED_WORDS) {
        copy_aligned(out, in, size_bytes);
        return to;
    }
    if (size_bytes <= 2 * WORD) {
        copy_short(out, in, size_bytes);
        return to;
    }
    uint8_t *last_out = out + size_bytes - WORD;
    const uint8_t *last_in = in + size_bytes - WORD;
    size_t step = WORD - (uintptr_t)out % WORD;
    *(any_word_t *)out = *(const any_word_t *)in;
    copy_words(out + step, in + step, last_out);
    *(any_word_t *)last_out = *(const any_word_t *)last_in;
    return to;
}

// Overlapping, `to` below `from`.
static void move_forward(uint8_t *to, const uint8_t *from, size_t size_bytes) {
    if ((size_t)(from - to) >= WORD) {
        for (; size_bytes >= WORD; size_bytes -= WORD, to += WORD, from += WORD) {
            *(any_word_t *)to = *(const any_word_t *)from;
        }
    }
    for (; size_bytes != 0; size_bytes--) {
        *to++ = *from++;
    }
}

// Overlapping, `to` above `from`.
static void move_backward(uint8_t *to, const uint8_t *from, size_t size_bytes) {
    if ((size_t)(to - from) >= WORD) {
        for (; size_bytes >= WORD; size_bytes -= WORD) {
            *(any_word_t *)(to + size_bytes - WORD) =
                *(const any_word_t *)(from + size_bytes - WORD);
        }
    }
    for (; size_bytes != 0; size_bytes--) {
        to[size_bytes - 1] = from[size_bytes - 1];
    }
}

void *memmove(void *to, const void *from, size_t size_bytes) {
    uintptr_t out = (uintptr_t)to;
    uintptr_t in = (uintptr_t)from;
    if (out - in >= size_bytes && in - out >= size_bytes) {
        return memcpy(to, from, size_bytes);
    }
    if (out < in) {
        move_forward(to, from, size_bytes);
    } else if (out > in) {
        move_backward(to, from, size_bytes);
    }
    return to;
}

void *memset(void *to, int byte, size_t size_bytes) {
    uint8_t *out = to;
    if (size_bytes < WORD) {
        for (size_t i = 0; i < size_bytes; i++) {
            out[i] = (uint8_t)byte;
        }
        return to;
    }
    word_t word = (uint8_t)byte * UINT64_C(0x0101010101010101);
    uint8_t *last = out + size_bytes - WORD;
    size_t step = WORD - (uintptr_t)out % WORD;
    *(any_word_t *)out = word;
    if (step < size_bytes) {
        out += step;
        for (size_t blocks = (size_bytes - step) / BLOCK; blocks != 0; blocks--) {
            word_t *block = (word_t *)out;
            block[0] = word;
            block[1] = word;
            block[2] = word;
            block[3] = word;
            block[4] = word;
            block[5] = word;
            block[6] = word;
            block[7] = word;
            out += BLOCK;
        }
        for (; out < last; out += WORD) {
            *(word_t *)out = word;
        }
    }
    *(any_word_t *)last = word;
    return to;
}

int memcmp(const void *a, const void *b, size_t size_bytes) {
    const uint8_t *left = a;
    const uint8_t *right = b;
    while (size_bytes >= WORD && *(const any_word_t *)left == *(const any_word_t *)right) {
        left += WORD;
        right += WORD;
        size_bytes -= WORD;
    }
    for (; size_bytes != 0; size_bytes--, left++, right++) {
        if (*left != *right) {
            return *left - *right;
        }
    }
    return 0;
}

void *memchr(const void *from, int byte, size_t size_bytes) {
    const uint8_t *in = from;
    for (size_t i = 0; i < size_bytes; i++) {
        if (in[i] == (uint8_t)byte) {
            return (void *)(in + i);
        }
    }
    return NULL;
}

size_t strlen(const char *text) {
    const char *end = text;
    while (*end != '\0') {
        end++;
    }
    return (size_t)(end - text);
}

size_t strnlen(const char *text, size_t limit) {
    size_t length = 0;
    while (length < limit && text[length] != '\0') {
        length++;
    }
    return length;
}

int strcmp(const char *a, const char *b) {
    while (*a != '\0' && *a == *b) {
        a++;
        b++;
    }
    return (unsigned char)*a - (unsigned char)*b;
}

int strncmp(const char *a, const char *b, size_t limit) {
    for (; limit != 0; limit--, a++, b++) {
        if (*a != *b || *a == '\0') {
            return (unsigned char)*a - (unsigned char)*b;
        }
    }
    return 0;
}

char *strchr(const char *text, int character) {
    for (;; text++) {
        if (*text == (char)character) {
            return (char *)text;
        }
        if (*text == '\0') {
            return NULL;
        }
    }
}

char *strrchr(const char *text, int character) {
    const char *found = NULL;
    for (;; text++) {
        if (*text == (char)character) {
            found = text;
        }
        if (*text == '\0') {
            return (char *)found;
        }
    }
}
