// SPDX-License-Identifier: MIT OR Apache-2.0
// user/bus/tree.h: who subscribed to what: patterns in a tree by their components, with the set of
// subscribers at each end. Pure; the caller's storage.
#pragma once

#include <libhelix/name.h>

#define TREE_NODES       512u // what patterns have in common is counted once
#define TREE_SUBSCRIBERS 64u

struct tree_node {
    uint16_t parent, child, next; // next of the parent's children; 0: none
    uint64_t ends;                // who subscribed to the pattern that ends here
    char component[HX_NAME_MAX + 1];
};

// Zero, then tree_init().
struct tree {
    struct tree_node nodes[TREE_NODES]; // the first is the root; free ones are linked by next
    uint16_t free;
};

void tree_init(struct tree *tree);

// One more pattern, which is valid, of a subscriber, a number below TREE_SUBSCRIBERS.
// HX_ERR_EXISTS: it has it; HX_ERR_LIMIT: no node is free, nothing was done.
HX_NODISCARD_TYPE enum hx_status tree_add(struct tree *tree, const char *pattern,
                                          uint32_t subscriber);

// HX_ERR_NOT_FOUND: it does not have it.
HX_NODISCARD_TYPE enum hx_status tree_remove(struct tree *tree, const char *pattern,
                                             uint32_t subscriber);

// All of its patterns.
void tree_remove_all(struct tree *tree, uint32_t subscriber);

// Whose patterns have a valid name: a bit for each.
uint64_t tree_match(const struct tree *tree, const char *name);

// Nodes that are in use, without the root.
uint32_t tree_count(const struct tree *tree);
