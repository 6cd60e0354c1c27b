// SPDX-License-Identifier: MIT OR Apache-2.0
// <lib/rbtree.h>: a red-black tree whose nodes live inside the elements.
//
// The tree owns nothing; the caller's lock guards it. Order is the caller's `less` function, which
// must be strict and weak; equal elements are kept, the later one to the right. If `update` is
// given, it recomputes a node's own summary (of its subtree) from its children and returns whether
// it changed; it is called bottom-up for every node whose subtree changed.
#pragma once

#include <helix/types.h>

struct rbnode {
    struct rbnode *parent;
    struct rbnode *left;
    struct rbnode *right;
    bool red;
};

struct rbtree {
    struct rbnode *root;
    bool (*less)(const struct rbnode *a, const struct rbnode *b);
    bool (*update)(struct rbnode *node); // may be NULL
};

// Makes an empty tree; `update` may be NULL.
void rbtree_init(struct rbtree *tree, bool (*less)(const struct rbnode *a, const struct rbnode *b),
                 bool (*update)(struct rbnode *node));

// Puts a node, which must be in no tree, into its place. The links need not be initialised. O(log
// n).
void rbtree_insert(struct rbtree *tree, struct rbnode *node);

// The same for a node that is not less than any other one there: nothing is compared. `last` is
// what rbtree_last() gives.
void rbtree_insert_last(struct rbtree *tree, struct rbnode *last, struct rbnode *node);

// Takes out a node that is in this tree. O(log n).
void rbtree_remove(struct rbtree *tree, struct rbnode *node);

// Recomputes the summaries from `node` upward, after the element changed what its own summary
// depends on (but not its order).
void rbtree_update(struct rbtree *tree, struct rbnode *node);

// In order; NULL at the ends. O(log n).
struct rbnode *rbtree_first(const struct rbtree *tree);
struct rbnode *rbtree_last(const struct rbtree *tree);
struct rbnode *rbtree_next(const struct rbnode *node);
struct rbnode *rbtree_previous(const struct rbnode *node);

// The element that holds a node.
#define RB_ENTRY(node, type, member) CONTAINER_OF(node, type, member)
