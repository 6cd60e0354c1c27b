// SPDX-License-Identifier: MIT OR Apache-2.0
// rbtree.c: red-black trees (Cormen, Leiserson, Rivest, Stein, "Introduction to Algorithms",
// chapter 13), with NULL in the place of the sentinel.
//
// Invariants: the root is black; a red node has no red child; every way down from a node to NULL
// passes the same number of black nodes.
#include <lib/rbtree.h>

static bool is_red(const struct rbnode *node) {
    return node != NULL && node->red;
}

static void refresh(struct rbtree *tree, struct rbnode *node) {
    if (tree->update != NULL && node != NULL) {
        (void)tree->update(node);
    }
}

// Puts `child` (may be NULL) where `node` hangs below `parent`.
static void replace_child(struct rbtree *tree, struct rbnode *parent, struct rbnode *node,
                          struct rbnode *child) {
    if (parent == NULL) {
        tree->root = child;
    } else if (parent->left == node) {
        parent->left = child;
    } else {
        parent->right = child;
    }
    if (child != NULL) {
        child->parent = parent;
    }
}

// The right child comes up, `node` becomes its left child. A rotation keeps the elements of the
// subtree and their order, so nothing above needs a new summary.
static void rotate_left(struct rbtree *tree, struct rbnode *node) {
    struct rbnode *up = node->right;
    node->right = up->left;
    if (up->left != NULL) {
        up->left->parent = node;
    }
    replace_child(tree, node->parent, node, up);
    up->left = node;
    node->parent = up;
    refresh(tree, node);
    refresh(tree, up);
}

static void rotate_right(struct rbtree *tree, struct rbnode *node) {
    struct rbnode *up = node->left;
    node->left = up->right;
    if (up->right != NULL) {
        up->right->parent = node;
    }
    replace_child(tree, node->parent, node, up);
    up->right = node;
    node->parent = up;
    refresh(tree, node);
    refresh(tree, up);
}

void rbtree_init(struct rbtree *tree, bool (*less)(const struct rbnode *a, const struct rbnode *b),
                 bool (*update)(struct rbnode *node)) {
    tree->root = NULL;
    tree->less = less;
    tree->update = update;
}

void rbtree_update(struct rbtree *tree, struct rbnode *node) {
    if (tree->update == NULL) {
        return;
    }
    while (node != NULL && tree->update(node)) {
        node = node->parent;
    }
}

static void rebalance_inserted(struct rbtree *tree, struct rbnode *node) {
    while (is_red(node->parent)) {
        struct rbnode *parent = node->parent;
        struct rbnode *grandparent = parent->parent; // there is one: the root is black
        bool left = parent == grandparent->left;
        struct rbnode *uncle = left ? grandparent->right : grandparent->left;
        if (is_red(uncle)) {
            parent->red = false;
            uncle->red = false;
            grandparent->red = true;
            node = grandparent;
            continue;
        }
        if (node == (left ? parent->right : parent->left)) {
            left ? rotate_left(tree, parent) : rotate_right(tree, parent);
            parent = node;
        }
        parent->red = false;
        grandparent->red = true;
        left ? rotate_right(tree, grandparent) : rotate_left(tree, grandparent);
        break;
    }
    tree->root->red = false;
}

// At the place of a leaf, `*link` of `parent`.
static void hang(struct rbtree *tree, struct rbnode *parent, struct rbnode **link,
                 struct rbnode *node) {
    *node = (struct rbnode){ .parent = parent, .red = true };
    *link = node;
    // What the new node's summary held before means nothing, so its parent is always told.
    refresh(tree, node);
    rbtree_update(tree, parent);
    rebalance_inserted(tree, node);
}

void rbtree_insert(struct rbtree *tree, struct rbnode *node) {
    struct rbnode *parent = NULL;
    struct rbnode **link = &tree->root;
    while (*link != NULL) {
        parent = *link;
        link = tree->less(node, parent) ? &parent->left : &parent->right;
    }
    hang(tree, parent, link, node);
}

void rbtree_insert_last(struct rbtree *tree, struct rbnode *last, struct rbnode *node) {
    hang(tree, last, last == NULL ? &tree->root : &last->right, node);
}

// One step of the repair below, for a `node` with a missing black that hangs under `parent`.
// Returns whether the tree is whole again; else *node is one level up.
static bool repair_step(struct rbtree *tree, struct rbnode **node, struct rbnode *parent) {
    bool left = *node == parent->left;
    struct rbnode *sibling = left ? parent->right : parent->left;
    if (sibling->red) {
        sibling->red = false;
        parent->red = true;
        left ? rotate_left(tree, parent) : rotate_right(tree, parent);
        sibling = left ? parent->right : parent->left;
    }
    if (!is_red(sibling->left) && !is_red(sibling->right)) {
        sibling->red = true;
        *node = parent;
        return false;
    }
    if (!is_red(left ? sibling->right : sibling->left)) {
        (left ? sibling->left : sibling->right)->red = false;
        sibling->red = true;
        left ? rotate_right(tree, sibling) : rotate_left(tree, sibling);
        sibling = left ? parent->right : parent->left;
    }
    sibling->red = parent->red;
    parent->red = false;
    (left ? sibling->right : sibling->left)->red = false;
    left ? rotate_left(tree, parent) : rotate_right(tree, parent);
    return true;
}

// The ways through `node` (may be NULL, then below `parent`) are one black short.
static void rebalance_removed(struct rbtree *tree, struct rbnode *node, struct rbnode *parent) {
    while (node != tree->root && !is_red(node)) {
        if (repair_step(tree, &node, parent)) {
            return;
        }
        parent = node->parent;
    }
    if (node != NULL) {
        node->red = false;
    }
}

void rbtree_remove(struct rbtree *tree, struct rbnode *node) {
    struct rbnode *child;  // takes the place of what leaves its place
    struct rbnode *parent; // and hangs below this
    bool lost_black;
    if (node->left == NULL || node->right == NULL) {
        child = node->left != NULL ? node->left : node->right;
        parent = node->parent;
        lost_black = !node->red;
        replace_child(tree, parent, node, child);
    } else {
        struct rbnode *next = node->right;
        while (next->left != NULL) {
            next = next->left;
        }
        child = next->right;
        lost_black = !next->red;
        parent = next->parent;
        if (parent == node) {
            parent = next;
        } else {
            replace_child(tree, parent, next, child);
            next->right = node->right;
            next->right->parent = next;
        }
        next->left = node->left;
        next->left->parent = next;
        next->red = node->red;
        replace_child(tree, node->parent, node, next);
    }
    // All the way: the successor took a new place, so an unchanged summary on the way says nothing.
    for (struct rbnode *up = parent; up != NULL && tree->update != NULL; up = up->parent) {
        refresh(tree, up);
    }
    if (lost_black) {
        rebalance_removed(tree, child, parent);
    }
}

struct rbnode *rbtree_first(const struct rbtree *tree) {
    struct rbnode *node = tree->root;
    while (node != NULL && node->left != NULL) {
        node = node->left;
    }
    return node;
}

struct rbnode *rbtree_last(const struct rbtree *tree) {
    struct rbnode *node = tree->root;
    while (node != NULL && node->right != NULL) {
        node = node->right;
    }
    return node;
}

struct rbnode *rbtree_next(const struct rbnode *node) {
    if (node->right != NULL) {
        struct rbnode *next = node->right;
        while (next->left != NULL) {
            next = next->left;
        }
        return next;
    }
    while (node->parent != NULL && node == node->parent->right) {
        node = node->parent;
    }
    return node->parent;
}

struct rbnode *rbtree_previous(const struct rbnode *node) {
    if (node->left != NULL) {
        struct rbnode *previous = node->left;
        while (previous->right != NULL) {
            previous = previous->right;
        }
        return previous;
    }
    while (node->parent != NULL && node == node->parent->left) {
        node = node->parent;
    }
    return node->parent;
}
