// SPDX-License-Identifier: MIT OR Apache-2.0
// Formatting, against the C library's snprintf() where the two must agree.
#include "check.h"

#include <lib/format.h>

#include <limits.h>
#include <string.h>

// Both ways, and the length too.
#define SAME(...)                                                                                  \
    do {                                                                                           \
        char ours[300];                                                                            \
        char theirs[300];                                                                          \
        size_t length = format_string(ours, sizeof(ours), __VA_ARGS__);                            \
        int expected = snprintf(theirs, sizeof(theirs), __VA_ARGS__);                              \
        CHECK(length == (size_t)expected);                                                         \
        CHECK(strcmp(ours, theirs) == 0);                                                          \
    } while (0)

static void test_integers(void) {
    SAME("%d %d %d %i", 0, INT_MIN, INT_MAX, -1);
    SAME("%ld %lld %lu %llu", LONG_MIN, LLONG_MAX, ULONG_MAX, ULLONG_MAX);
    SAME("%zu %td %jd", (size_t)-1, (ptrdiff_t)-5, (intmax_t)7);
    SAME("%hhd %hd %hhu %hu %hhx", 300, 70000, 300u, 70000u, 0x1ffu);
    SAME("[%5d] [%-5d] [%05d] [%+d] [% d] [%+05d]", 42, 42, 42, 42, 42, 42);
    SAME("[%5d] [%-5d] [%05d]", -42, -42, -42);
    SAME("[%.5d] [%8.5d] [%-8.5d] [%08.5d] [%.0d] [%.d]", 42, 42, -42, 42, 0, 1);
    SAME("[%x] [%X] [%#x] [%#X] [%#x] [%08x] [%#010x]", 0xabcu, 0xabcu, 0xabcu, 0xabcu, 0u, 0xabu,
         0xabu);
    SAME("[%*d] [%-*d] [%*d] [%.*d] [%.*d]", 6, 1, 6, 2, -6, 3, 4, 5, -1, 0);
    SAME("[%100d]", 1);
}

static void test_text(void) {
    SAME("%s|%10s|%-10s|%.2s|%10.1s|%.0s", "abc", "abc", "abc", "abc", "abc", "abc");
    SAME("%c|%5c|%-5c|%%", 'x', 'y', 'z');
    SAME("plain");
    const char open[3] = { 'a', 'b', 'c' }; // not terminated
    char buffer[64];
    CHECK(format_string(buffer, sizeof(buffer), "%.3s", open) == 3);
    CHECK(strcmp(buffer, "abc") == 0);
    const char *volatile nothing = NULL;
    CHECK(format_string(buffer, sizeof(buffer), "%s", nothing) == 6);
    CHECK(strcmp(buffer, "(null)") == 0);
    CHECK(format_string(buffer, sizeof(buffer), "%p", (void *)0x1234) == 6);
    CHECK(strcmp(buffer, "0x1234") == 0);
    CHECK(format_string(buffer, sizeof(buffer), "%p", NULL) == 3 && strcmp(buffer, "0x0") == 0);
}

// Formats that the compiler would refuse.
static size_t format_unchecked(char *buffer, size_t capacity, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    size_t length = format_string_list(buffer, capacity, format, arguments);
    va_end(arguments);
    return length;
}

static void test_odd_formats(void) {
    char buffer[64];
    CHECK(format_unchecked(buffer, sizeof(buffer), "a%", 1) == 2 && strcmp(buffer, "a%") == 0);
    CHECK(format_unchecked(buffer, sizeof(buffer), "%5q|", 1) == 4 && strcmp(buffer, "%5q|") == 0);
    CHECK(format_unchecked(buffer, sizeof(buffer), "%l", 1) == 2 && strcmp(buffer, "%l") == 0);
    // Absurd widths are cut, and overflow nothing.
    CHECK(format_unchecked(NULL, 0, "%99999999999999999999d", 1) == 4096);
    CHECK(format_unchecked(NULL, 0, "%*d", INT_MIN, 1) == 4096);
    CHECK(format_unchecked(NULL, 0, "%.*d", INT_MAX, 1) == 4096);
}

static void test_capacity(void) {
    char buffer[8];
    for (size_t capacity = 0; capacity <= sizeof(buffer); capacity++) {
        memset(buffer, '#', sizeof(buffer));
        CHECK(format_string(buffer, capacity, "%s-%d", "abc", 12) == 6);
        if (capacity != 0) {
            size_t kept = MIN_OF((size_t)6, capacity - 1);
            CHECK(memcmp(buffer, "abc-12", kept) == 0 && buffer[kept] == 0);
        }
        for (size_t i = capacity; i < sizeof(buffer); i++) {
            CHECK(buffer[i] == '#');
        }
    }
}

int main(void) {
    test_integers();
    test_text();
    test_odd_formats();
    test_capacity();
    return check_result();
}
