// SPDX-License-Identifier: MIT OR Apache-2.0
// The kernel's memory and string functions, under other names, against the C library's: each size,
// alignment and distance around their steps.
#include "check.h"

#include <stdlib.h>
#include <string.h>

#define memcpy  own_memcpy
#define memmove own_memmove
#define memset  own_memset
#define memcmp  own_memcmp
#define memchr  own_memchr
#define strlen  own_strlen
#define strnlen own_strnlen
#define strcmp  own_strcmp
#define strncmp own_strncmp
#define strchr  own_strchr
#define strrchr own_strrchr
#include "../src/string.c"
#undef memcpy
#undef memmove
#undef memset
#undef memcmp
#undef memchr
#undef strlen
#undef strnlen
#undef strcmp
#undef strncmp
#undef strchr
#undef strrchr

#define ROOM 512u

static void fill(uint8_t *bytes, size_t size, unsigned seed) {
    for (size_t i = 0; i < size; i++) {
        bytes[i] = (uint8_t)(i * 7 + seed);
    }
}

// Exact blocks from malloc, so that the sanitizer sees a byte too many on either side.
static void test_copy(void) {
    for (size_t size = 0; size < 300; size++) {
        for (size_t shift = 0; shift < 8; shift++) {
            uint8_t *from = malloc(size + shift);
            uint8_t *to = malloc(size + 7 - shift);
            fill(from, size + shift, (unsigned)size);
            CHECK(own_memcpy(to + 7 - shift, from + shift, size) == to + 7 - shift);
            CHECK(memcmp(to + 7 - shift, from + shift, size) == 0);
            free(from);
            free(to);
        }
    }
}

static void test_move(void) {
    for (size_t size = 0; size < 160; size++) {
        for (size_t at = 0; at < 160; at += 1 + at / 24) {
            uint8_t own[ROOM];
            uint8_t reference[ROOM];
            fill(own, ROOM, 1);
            fill(reference, ROOM, 1);
            CHECK(own_memmove(own + at, own + 80, size) == own + at);
            memmove(reference + at, reference + 80, size);
            CHECK(memcmp(own, reference, ROOM) == 0);
        }
    }
}

static void test_set(void) {
    for (size_t size = 0; size < 300; size++) {
        for (size_t shift = 0; shift < 8; shift++) {
            uint8_t *own = malloc(size + shift);
            fill(own, size + shift, 3);
            uint8_t *reference = malloc(size + shift);
            fill(reference, size + shift, 3);
            CHECK(own_memset(own + shift, 0x1a5, size) == own + shift);
            memset(reference + shift, 0x1a5, size);
            CHECK(memcmp(own, reference, size + shift) == 0);
            free(own);
            free(reference);
        }
    }
}

static int sign(int value) {
    return (value > 0) - (value < 0);
}

static void test_compare(void) {
    uint8_t a[64];
    uint8_t b[64];
    fill(a, 64, 0);
    fill(b, 64, 0);
    for (size_t size = 0; size <= 40; size++) {
        CHECK(own_memcmp(a, b + 0, size) == 0);
        for (size_t i = 0; i < size; i++) {
            b[i] ^= 0x80;
            CHECK(sign(own_memcmp(a, b, size)) == sign(memcmp(a, b, size)));
            CHECK(own_memcmp(a, b, i) == 0);
            b[i] ^= 0x80;
        }
    }
    CHECK(own_memchr(a, a[5], 64) == a + 5);
    CHECK(own_memchr(a, a[5] + 256, 64) == a + 5);
    CHECK(own_memchr(a, a[5], 5) == NULL);
}

static void test_strings(void) {
    CHECK(own_strlen("") == 0 && own_strlen("abc") == 3);
    CHECK(own_strnlen("abc", 2) == 2 && own_strnlen("abc", 9) == 3 && own_strnlen("abc", 0) == 0);
    CHECK(own_strcmp("abc", "abc") == 0 && own_strcmp("abc", "abd") < 0);
    CHECK(own_strcmp("abc", "ab") > 0 && own_strcmp("\xff", "a") > 0);
    CHECK(own_strncmp("abc", "abd", 2) == 0 && own_strncmp("abc", "abd", 3) < 0);
    CHECK(own_strncmp("ab", "ab", 9) == 0 && own_strncmp("x", "y", 0) == 0);
    const char *text = "a/b/c";
    CHECK(own_strchr(text, '/') == text + 1 && own_strrchr(text, '/') == text + 3);
    CHECK(own_strchr(text, 'x') == NULL && own_strrchr(text, 'x') == NULL);
    CHECK(own_strchr(text, 0) == text + 5 && own_strrchr(text, 0) == text + 5);
}

static void test_text(void) {
    char buffer[4];
    CHECK(string_copy(buffer, 4, "abc") && strcmp(buffer, "abc") == 0);
    CHECK(!string_copy(buffer, 4, "abcd") && strcmp(buffer, "abc") == 0);
    CHECK(!string_copy(buffer, 1, "a") && buffer[0] == 0);
    CHECK(string_copy(buffer, 1, ""));
    uint64_t value = 7;
    CHECK(string_to_u64("18446744073709551615", 0, &value) && value == UINT64_MAX);
    CHECK(string_to_u64("0xfFfFfFfFfFfFfFfF", 0, &value) && value == UINT64_MAX);
    CHECK(string_to_u64("0", 0, &value) && value == 0);
    CHECK(string_to_u64("z", 36, &value) && value == 35);
    CHECK(string_to_u64("101", 2, &value) && value == 5);
    value = 7;
    CHECK(!string_to_u64("18446744073709551616", 0, &value));
    CHECK(!string_to_u64("0x10000000000000000", 0, &value));
    CHECK(!string_to_u64("", 0, &value) && !string_to_u64("0x", 0, &value));
    CHECK(!string_to_u64("12 ", 0, &value) && !string_to_u64("-1", 0, &value));
    CHECK(!string_to_u64("8", 8, &value) && !string_to_u64("1", 1, &value));
    CHECK(!string_to_u64("1", 37, &value) && value == 7);
}

int main(void) {
    test_copy();
    test_move();
    test_set();
    test_compare();
    test_strings();
    test_text();
    return check_result();
}
