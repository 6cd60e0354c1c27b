// SPDX-License-Identifier: MIT OR Apache-2.0
// Subscriptions added, removed and asked for in any order: the tree says what a list of patterns
// says, of which each is compared by itself; and in the end no node is left over.
//
// Input: steps: a byte that says which and for whom, then a string up to a zero.
#include "../tree.h"

#include "fuzz.h"

#include <string.h>

#define PATTERNS    40u
#define SUBSCRIBERS 4u

static struct tree tree;
static struct {
    char pattern[HX_NAME_MAX + 1];
    uint32_t subscriber;
    bool in_use;
} list[PATTERNS];

static uint32_t list_find(const char *pattern, uint32_t subscriber) {
    uint32_t i = 0;
    while (i < PATTERNS && (!list[i].in_use || list[i].subscriber != subscriber ||
                            strcmp(list[i].pattern, pattern) != 0)) {
        i++;
    }
    return i;
}

// As the header of names says it, byte by byte.
static bool has(const char *pattern, const char *name) {
    if (strcmp(pattern, "**") == 0) {
        return *name != '\0';
    }
    if (*pattern == '*') {
        const size_t length = strcspn(name, "/");
        return length > 0 && has(pattern + 1, name + length);
    }
    return *pattern == *name && (*pattern == '\0' || has(pattern + 1, name + 1));
}

static void add(const char *pattern, uint32_t subscriber) {
    uint32_t place = 0;
    while (place < PATTERNS && list[place].in_use) {
        place++;
    }
    if (place == PATTERNS) {
        return;
    }
    const bool exists = list_find(pattern, subscriber) < PATTERNS;
    enum hx_status status = tree_add(&tree, pattern, subscriber);
    FUZZ_ASSERT(status == (exists ? HX_ERR_EXISTS : HX_OK) || status == HX_ERR_LIMIT);
    if (status == HX_OK) {
        list[place].in_use = true;
        list[place].subscriber = subscriber;
        memcpy(list[place].pattern, pattern, strlen(pattern) + 1);
    }
}

static void take_out(const char *pattern, uint32_t subscriber) {
    const uint32_t place = list_find(pattern, subscriber);
    enum hx_status status = tree_remove(&tree, pattern, subscriber);
    FUZZ_ASSERT(status == (place < PATTERNS ? HX_OK : HX_ERR_NOT_FOUND));
    if (place < PATTERNS) {
        list[place].in_use = false;
    }
}

static void remove_all(uint32_t subscriber) {
    tree_remove_all(&tree, subscriber);
    for (uint32_t i = 0; i < PATTERNS; i++) {
        list[i].in_use &= list[i].subscriber != subscriber;
    }
}

static void match(const char *name) {
    uint64_t expected = 0;
    for (uint32_t i = 0; i < PATTERNS; i++) {
        if (list[i].in_use && has(list[i].pattern, name)) {
            expected |= UINT64_C(1) << list[i].subscriber;
        }
        FUZZ_ASSERT(!list[i].in_use ||
                    hx_pattern_has(list[i].pattern, name) == has(list[i].pattern, name));
    }
    FUZZ_ASSERT(tree_match(&tree, name) == expected);
}

static void step(uint8_t what, const char *text) {
    const uint32_t subscriber = what / 4 % SUBSCRIBERS;
    const bool is_name = hx_name_is_valid(text), is_pattern = hx_pattern_is_valid(text);
    FUZZ_ASSERT(!is_name || (is_pattern && strpbrk(text, "*") == NULL));
    if (what % 4 == 0 && is_pattern) {
        add(text, subscriber);
    } else if (what % 4 == 1 && is_pattern) {
        take_out(text, subscriber);
    } else if (what % 4 == 2 && is_name) {
        match(text);
    } else if (what == 255) {
        remove_all(subscriber);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    tree_init(&tree);
    memset(list, 0, sizeof(list));
    while (size > 2) {
        char text[HX_NAME_MAX + 2] = { 0 }; // one byte more than a name has
        const uint8_t what = data[0];
        const size_t length = strnlen((const char *)data + 1, MIN_OF(size - 1, sizeof(text) - 1));
        memcpy(text, data + 1, length);
        step(what, text);
        data += MIN_OF(length + 2, size);
        size -= MIN_OF(length + 2, size);
    }
    for (uint32_t i = 0; i < SUBSCRIBERS; i++) {
        remove_all(i);
    }
    FUZZ_ASSERT(tree_count(&tree) == 0);
    return 0;
}
