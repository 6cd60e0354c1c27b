// SPDX-License-Identifier: MIT OR Apache-2.0
// gaps.h: disjoint ranges of addresses in order, and the free space between them.
//
// Pure. A red-black tree by start address; each node knows the free gap right below it and the
// largest one in its subtree, so a place for a new range is found in O(log n). The caller's lock
// guards it.
#pragma once

#include <helix/types.h>
#include <lib/rbtree.h>
#include <memory/gap_node.h>

void gaps_init(struct rbtree *tree);
// Inserts a node whose start, end and guard are set; it must not overlap another.
void gaps_insert(struct rbtree *tree, struct gap_node *node);
void gaps_remove(struct rbtree *tree, struct gap_node *node);
// Moves the borders; the order among the nodes must not change.
void gaps_resize(struct rbtree *tree, struct gap_node *node, uint64_t start, uint64_t end);
// The first node that ends above `address`; NULL if there is none.
struct gap_node *gaps_find(const struct rbtree *tree, uint64_t address);
struct gap_node *gaps_next(const struct gap_node *node);
struct gap_node *gaps_previous(const struct gap_node *node);
// The highest address such that [it, it + size) is free and lies in [low, high); false if there is
// none. `size` is at least 1.
bool gaps_find_top_down(const struct rbtree *tree, uint64_t size, uint64_t low, uint64_t high,
                        uint64_t *out_address);
