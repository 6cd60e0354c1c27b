// SPDX-License-Identifier: MIT OR Apache-2.0
// gaps.c: ranges of addresses and the gaps between them.
#include "gaps.h"

static struct gap_node *entry(struct rbnode *node) {
    return node == NULL ? NULL : RB_ENTRY(node, struct gap_node, node);
}

static bool starts_before(const struct rbnode *a, const struct rbnode *b) {
    return RB_ENTRY(a, const struct gap_node, node)->start <
           RB_ENTRY(b, const struct gap_node, node)->start;
}

static bool summarise(struct rbnode *rbnode) {
    struct gap_node *node = entry(rbnode);
    uint64_t largest = node->gap;
    if (rbnode->left != NULL) {
        largest = MAX_OF(largest, entry(rbnode->left)->gap_max);
    }
    if (rbnode->right != NULL) {
        largest = MAX_OF(largest, entry(rbnode->right)->gap_max);
    }
    bool changed = largest != node->gap_max;
    node->gap_max = largest;
    return changed;
}

void gaps_init(struct rbtree *tree) {
    rbtree_init(tree, starts_before, summarise);
}

// Sets the gap of `node`, whose lower neighbour is `previous`.
static void measure(struct rbtree *tree, struct gap_node *node, const struct gap_node *previous) {
    uint64_t floor = (previous != NULL ? previous->end : 0) + node->guard;
    uint64_t gap = node->start > floor ? node->start - floor : 0;
    if (gap != node->gap) {
        node->gap = gap;
        rbtree_update(tree, &node->node);
    }
}

void gaps_insert(struct rbtree *tree, struct gap_node *node) {
    node->gap = 0;
    node->gap_max = 0;
    rbtree_insert(tree, &node->node);
    measure(tree, node, gaps_previous(node));
    struct gap_node *next = gaps_next(node);
    if (next != NULL) {
        measure(tree, next, node);
    }
}

void gaps_remove(struct rbtree *tree, struct gap_node *node) {
    struct gap_node *previous = gaps_previous(node);
    struct gap_node *next = gaps_next(node);
    rbtree_remove(tree, &node->node);
    if (next != NULL) {
        measure(tree, next, previous);
    }
}

void gaps_resize(struct rbtree *tree, struct gap_node *node, uint64_t start, uint64_t end) {
    if (node->start != start) {
        node->start = start;
        measure(tree, node, gaps_previous(node));
    }
    if (node->end != end) {
        node->end = end;
        struct gap_node *next = gaps_next(node);
        if (next != NULL) {
            measure(tree, next, node);
        }
    }
}

struct gap_node *gaps_find(const struct rbtree *tree, uint64_t address) {
    struct gap_node *best = NULL;
    struct rbnode *at = tree->root;
    while (at != NULL) {
        struct gap_node *node = RB_ENTRY(at, struct gap_node, node);
        if (node->end > address) {
            best = node;
            if (node->start <= address) {
                break;
            }
            at = at->left;
        } else {
            at = at->right;
        }
    }
    return best;
}

struct gap_node *gaps_next(const struct gap_node *node) {
    return entry(rbtree_next(&node->node));
}

struct gap_node *gaps_previous(const struct gap_node *node) {
    return entry(rbtree_previous(&node->node));
}

// Down to the rightmost node of a subtree that can have a gap of that size in or right of it.
static struct rbnode *descend(struct rbnode *at, uint64_t size) {
    while (at->right != NULL && entry(at->right)->gap_max >= size) {
        at = at->right;
    }
    return at;
}

// The next node to look at, from high to low, leaving out subtrees without a gap of that size.
static struct rbnode *step_down(struct rbnode *at, uint64_t size) {
    if (at->left != NULL && entry(at->left)->gap_max >= size) {
        return descend(at->left, size);
    }
    while (at->parent != NULL && at == at->parent->left) {
        at = at->parent;
    }
    return at->parent;
}

bool gaps_find_top_down(const struct rbtree *tree, uint64_t size, uint64_t low, uint64_t high,
                        uint64_t *out_address) {
    struct gap_node *last = entry(rbtree_last(tree));
    uint64_t floor = last != NULL ? MAX_OF(low, last->end) : low;
    if (high > floor && high - floor >= size) {
        *out_address = high - size;
        return true;
    }
    if (last == NULL || entry(tree->root)->gap_max < size) {
        return false;
    }
    for (struct rbnode *at = descend(tree->root, size); at != NULL; at = step_down(at, size)) {
        const struct gap_node *node = entry(at);
        if (node->start <= low) {
            break;
        }
        if (node->gap < size) {
            continue;
        }
        uint64_t top = node->start - node->guard;
        uint64_t bottom = MAX_OF(top - node->gap, low);
        top = MIN_OF(top, high);
        if (top > bottom && top - bottom >= size) {
            *out_address = top - size;
            return true;
        }
    }
    return false;
}
