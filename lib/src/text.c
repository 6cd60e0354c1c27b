// SPDX-License-Identifier: MIT OR Apache-2.0
// text.c: what <lib/string.h> has beyond C's own functions.
#include <lib/string.h>

bool string_copy(char *to, size_t capacity, const char *from) {
    size_t length = strnlen(from, capacity);
    bool fits = length < capacity;
    size_t copied = fits ? length : capacity - 1;
    memcpy(to, from, copied);
    to[copied] = '\0';
    return fits;
}

// The value of a digit; at least 36 for anything else.
static unsigned digit_value(char character) {
    if (character >= '0' && character <= '9') {
        return (unsigned)(character - '0');
    }
    if (character >= 'a' && character <= 'z') {
        return (unsigned)(character - 'a') + 10;
    }
    if (character >= 'A' && character <= 'Z') {
        return (unsigned)(character - 'A') + 10;
    }
    return 36;
}

bool string_to_u64(const char *text, unsigned base, uint64_t *out_value) {
    if (base == 0) {
        base = 10;
        if (text[0] == '0' && (text[1] == 'x' || text[1] == 'X')) {
            base = 16;
            text += 2;
        }
    }
    if (base < 2 || base > 36 || *text == '\0') {
        return false;
    }
    uint64_t value = 0;
    for (; *text != '\0'; text++) {
        unsigned digit = digit_value(*text);
        if (digit >= base || value > (UINT64_MAX - digit) / base) {
            return false;
        }
        value = value * base + digit;
    }
    *out_value = value;
    return true;
}
