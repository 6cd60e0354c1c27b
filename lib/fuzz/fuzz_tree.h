// SPDX-License-Identifier: MIT OR Apache-2.0
// "fuzz_tree.h": a device tree that holds together (<lib/fdt.h>), whose nodes and properties the
// input chooses among those that a target names: for what reads trees, behind fdt_open().
#pragma once

#include "fuzz.h"

#include <lib/fdt.h>

#include <string.h>

#define TREE_BYTES     8192u
#define TREE_RESERVED  4u // entries of its list, the last one included
#define TREE_STRUCTURE (FDT_HEADER_BYTES + TREE_RESERVED * 16)
#define TREE_STRINGS   6144u
#define TREE_ROOM      512u // for what one property takes, and for the ends of nodes

struct tree_words { // terminated by NULL
    const char *const *nodes;
    const char *const *properties;
    const char *const *texts;
};

struct tree_input {
    const uint8_t *data;
    size_t size;
};

static struct {
    _Alignas(8) uint8_t bytes[TREE_BYTES];
    uint32_t at, strings, depth;
    bool has_ended; // the node has a child before, so it gets no properties any more
} tree;

static inline uint8_t tree_byte(struct tree_input *input) {
    if (input->size == 0) {
        return 0;
    }
    input->size--;
    return *input->data++;
}

// A number as trees have them: small, a multiple of a large power of two, or any.
static inline uint32_t tree_number(struct tree_input *input) {
    const uint8_t how = tree_byte(input);
    uint32_t value = tree_byte(input);
    if (how % 4 == 1) {
        return value << 24;
    }
    for (uint32_t i = 0; how % 4 == 2 && i < 3; i++) {
        value = value << 8 | tree_byte(input);
    }
    return how % 4 == 3 ? ~value : value;
}

static inline const char *tree_choice(const char *const *words, uint8_t number) {
    uint32_t count = 0;
    while (words[count] != NULL) {
        count++;
    }
    return words[number % count];
}

static inline void tree_put(uint32_t at, uint32_t value) {
    for (uint32_t i = 0; i < 4; i++) {
        tree.bytes[at + i] = (uint8_t)(value >> (24 - 8 * i));
    }
}

static inline void tree_word(uint32_t value) {
    tree_put(tree.at, value);
    tree.at += 4;
}

static inline void tree_node(const char *name) {
    tree_word(1);
    strcpy((char *)tree.bytes + tree.at, name);
    tree.at += (uint32_t)(strlen(name) + 4) & ~3u;
    tree.depth++;
    tree.has_ended = false;
}

static inline void tree_node_end(void) {
    tree_word(2);
    tree.depth--;
    tree.has_ended = true;
}

static inline void tree_property(const char *name, uint32_t size_bytes) {
    tree_word(3);
    tree_word(size_bytes);
    tree_word(tree.strings - TREE_STRINGS);
    strcpy((char *)tree.bytes + tree.strings, name);
    tree.strings += (uint32_t)strlen(name) + 1;
}

static inline void tree_text(const char *name, const char *text) {
    tree_property(name, (uint32_t)strlen(text) + 1);
    strcpy((char *)tree.bytes + tree.at, text);
    tree.at += (uint32_t)(strlen(text) + 4) & ~3u;
}

static inline void tree_begin(void) {
    memset(&tree, 0, sizeof(tree));
    tree.at = TREE_STRUCTURE;
    tree.strings = TREE_STRINGS;
    tree_node("");
}

// What is open ends, and so does the tree.
static inline void tree_end(void) {
    while (tree.depth != 0) {
        tree_node_end();
    }
    tree_word(9);
    const uint32_t header[10] = { 0xd00dfeed,
                                  TREE_BYTES,
                                  TREE_STRUCTURE,
                                  TREE_STRINGS,
                                  FDT_HEADER_BYTES,
                                  17,
                                  16,
                                  0,
                                  tree.strings - TREE_STRINGS,
                                  tree.at - TREE_STRUCTURE };
    for (uint32_t i = 0; i < 10; i++) {
        tree_put(4 * i, header[i]);
    }
}

// The rest of the tree, as the input has it, and its end.
static inline void tree_fill(struct tree_input *input, const struct tree_words *words) {
    while (input->size != 0 && tree.at < TREE_STRINGS - TREE_ROOM &&
           tree.strings < TREE_BYTES - TREE_ROOM) {
        const uint8_t what = tree_byte(input);
        const uint8_t name = tree_byte(input);
        if ((what % 4 == 0 || tree.has_ended) && tree.depth <= FDT_DEPTH_MAX) {
            tree_node(tree_choice(words->nodes, name));
        } else if ((what % 8 == 1 || what % 4 == 0 || tree.has_ended) && tree.depth > 1) {
            tree_node_end();
        } else if (what % 4 == 2) {
            tree_text(tree_choice(words->properties, name),
                      tree_choice(words->texts, tree_byte(input)));
        } else {
            const uint32_t cells = tree_byte(input) % 48;
            tree_property(tree_choice(words->properties, name), 4 * cells);
            for (uint32_t i = 0; i < cells; i++) {
                tree_word(tree_number(input));
            }
        }
    }
    for (uint32_t i = 0; i < 4 * (TREE_RESERVED - 1); i++) {
        tree_put(FDT_HEADER_BYTES + 4 * i, tree_number(input));
    }
    tree_end();
}
