// SPDX-License-Identifier: MIT OR Apache-2.0
// user/libhelix/src/name.c: names and patterns.
#include <libhelix/name.h>

static bool is_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-' || c == ':';
}

uint32_t hx_component_length(const char *at) {
    uint32_t length = 0;
    while (at[length] != '\0' && at[length] != '/') {
        length++;
    }
    return length;
}

const char *hx_component_next(const char *at) {
    const char *end = at + hx_component_length(at);
    return *end == '/' ? end + 1 : NULL;
}

bool hx_component_is_same(const char *a, const char *b) {
    const uint32_t length = hx_component_length(a);
    uint32_t i = 0;
    while (i < length && a[i] == b[i]) {
        i++;
    }
    return i == length && hx_component_length(b) == length;
}

// The component's bytes up to `room`; 0: it is none. Stops at the first byte that is wrong.
static uint32_t take_component(const char *at, uint32_t room, bool is_pattern) {
    uint32_t length = 0;
    if (is_pattern && room > 0 && at[0] == '*') {
        const uint32_t stars = room > 1 && at[1] == '*' ? 2 : 1;
        return stars == 2 && (room <= 2 || at[2] != '\0') ? 0 : stars; // the rest is last
    }
    while (length < room && is_letter(at[length])) {
        length++;
    }
    return length;
}

static bool is_valid(const char *text, bool is_pattern) {
    uint32_t room = HX_NAME_MAX + 1; // the zero must be among them
    for (;;) {
        const uint32_t length = take_component(text, room, is_pattern);
        if (length == 0 || length == room) {
            return false;
        }
        if (text[length] != '/') {
            return text[length] == '\0';
        }
        text += length + 1;
        room -= length + 1;
    }
}

bool hx_name_is_valid(const char *name) {
    return is_valid(name, false);
}

bool hx_pattern_is_valid(const char *pattern) {
    return is_valid(pattern, true);
}

bool hx_pattern_within(const char *pattern, const char *scope) {
    while (pattern != NULL && scope != NULL) {
        if (hx_component_is_rest(scope)) {
            return true;
        }
        if (hx_component_is_rest(pattern) ||
            (!hx_component_is_any(scope) && !hx_component_is_same(pattern, scope))) {
            return false;
        }
        pattern = hx_component_next(pattern);
        scope = hx_component_next(scope);
    }
    return pattern == NULL && scope == NULL;
}

bool hx_pattern_has(const char *pattern, const char *name) {
    return hx_pattern_within(name, pattern); // a name is the pattern of itself
}
