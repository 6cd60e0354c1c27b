// SPDX-License-Identifier: MIT OR Apache-2.0
// boot/src/uefi_words.c: UEFI's texts, which are UTF-16, and what the command line says to boot.
#include "uefi_load.h"

#include <lib/string.h>

#define SURROGATE_HIGH 0xd800u
#define SURROGATE_LOW  0xdc00u
#define SURROGATE_END  0xe000u
#define BEYOND_16_BITS 0x10000u

#define INITRD_WORD "initrd="

static uint32_t unit_at(const uint8_t *from, size_t index) {
    return (uint32_t)from[2 * index] | (uint32_t)from[2 * index + 1] << 8;
}

// The character at `index` of `count` units, which takes *out_units of them.
static uint32_t character_at(const uint8_t *from, size_t index, size_t count, size_t *out_units) {
    const uint32_t first = unit_at(from, index);
    *out_units = 1;
    if (first < SURROGATE_HIGH || first >= SURROGATE_END) {
        return first;
    }
    if (first < SURROGATE_LOW && index + 1 < count) {
        const uint32_t second = unit_at(from, index + 1);
        if (second >= SURROGATE_LOW && second < SURROGATE_END) {
            *out_units = 2;
            return BEYOND_16_BITS + ((first - SURROGATE_HIGH) << 10 | (second - SURROGATE_LOW));
        }
    }
    return '?';
}

// At most 4 bytes (RFC 3629, 3); how many.
static size_t utf8(uint32_t character, char *to) {
    if (character < 0x80) {
        to[0] = (char)character;
        return 1;
    }
    const size_t length = character < 0x800 ? 2 : character < BEYOND_16_BITS ? 3 : 4;
    for (size_t i = length - 1; i > 0; i--) {
        to[i] = (char)(0x80 | (character & 0x3f));
        character >>= 6;
    }
    to[0] = (char)((0xf00u >> length & 0xff) | character);
    return length;
}

bool uefi_text(char *to, size_t capacity, const void *from, size_t size_bytes) {
    const size_t count = size_bytes / 2;
    size_t used = 0;
    size_t units;
    for (size_t i = 0; i < count; i += units) {
        char bytes[4];
        const uint32_t character = character_at(from, i, count, &units);
        if (character == 0) {
            break;
        }
        const size_t length = utf8(character, bytes);
        if (length >= capacity - used) {
            to[used] = '\0';
            return false;
        }
        memcpy(&to[used], bytes, length);
        used += length;
    }
    to[used] = '\0';
    return true;
}

void uefi_words_clean(char *words, size_t size_bytes) {
    size_t length = 0;
    while (length < size_bytes && words[length] != '\0') {
        if (words[length] == '\n' || words[length] == '\r') {
            words[length] = ' ';
        }
        length++;
    }
    words[length] = '\0';
}

static bool is_space(char character) {
    return character == ' ' || character == '\t' || character == '\n';
}

// The name at `from`, and how long it is there.
static size_t name_copy(uint16_t *name, size_t capacity, const char *from) {
    size_t length = 0;
    bool good = true;
    for (; from[length] != '\0' && !is_space(from[length]); length++) {
        good = good && length + 1 < capacity && (uint8_t)from[length] < 0x80;
        if (good) {
            name[length] = from[length] == '/' ? '\\' : (uint8_t)from[length];
        }
    }
    name[good ? length : 0] = 0;
    return length;
}

bool uefi_initrd_word(const char *words, size_t *at, uint16_t *name, size_t capacity) {
    const size_t key = strlen(INITRD_WORD);
    for (size_t i = *at; words[i] != '\0'; i++) {
        const bool begins = i == 0 || is_space(words[i - 1]);
        if (!begins || strncmp(&words[i], INITRD_WORD, key) != 0) {
            continue;
        }
        const size_t length = name_copy(name, capacity, &words[i + key]);
        if (length > 0) {
            *at = i + key + length;
            return true;
        }
    }
    return false;
}
