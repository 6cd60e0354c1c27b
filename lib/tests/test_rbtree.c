// SPDX-License-Identifier: MIT OR Apache-2.0
// Red-black trees: random insertions and removals; after each one the invariants, the order and the
// summaries are verified.
#include "bytes.h"
#include "check.h"

#include <lib/rbtree.h>

#include <string.h>

#define ITEMS 300

struct item {
    struct rbnode node;
    int key;
    int serial;
    int largest; // summary: the largest weight of the subtree
    int weight;
    bool in_tree;
};

static struct item items[ITEMS];

static struct item *item_of(const struct rbnode *node) {
    return RB_ENTRY((struct rbnode *)(uintptr_t)node, struct item, node);
}

static bool less(const struct rbnode *a, const struct rbnode *b) {
    return item_of(a)->key < item_of(b)->key;
}

static int largest_of(const struct rbnode *node) {
    int largest = item_of(node)->weight;
    if (node->left != NULL) {
        largest = MAX_OF(largest, item_of(node->left)->largest);
    }
    if (node->right != NULL) {
        largest = MAX_OF(largest, item_of(node->right)->largest);
    }
    return largest;
}

static bool update(struct rbnode *node) {
    struct item *item = item_of(node);
    int before = item->largest;
    item->largest = largest_of(node);
    return item->largest != before;
}

// The black height of a subtree, or -1 if an invariant does not hold.
static int verify(const struct rbnode *node, const struct rbnode *parent) {
    if (node == NULL) {
        return 0;
    }
    if (node->parent != parent || item_of(node)->largest != largest_of(node)) {
        return -1;
    }
    if (node->red &&
        ((node->left != NULL && node->left->red) || (node->right != NULL && node->right->red))) {
        return -1;
    }
    int left = verify(node->left, node);
    int right = verify(node->right, node);
    return left < 0 || left != right ? -1 : left + !node->red;
}

static bool is_sound(const struct rbtree *tree, int count) {
    if (verify(tree->root, NULL) < 0 || (tree->root != NULL && tree->root->red)) {
        return false;
    }
    int seen = 0;
    const struct rbnode *previous = NULL;
    for (struct rbnode *node = rbtree_first(tree); node != NULL; node = rbtree_next(node)) {
        if (rbtree_previous(node) != previous) {
            return false;
        }
        // Equal elements stay in the order in which they came.
        if (previous != NULL &&
            (less(node, previous) ||
             (!less(previous, node) && item_of(previous)->serial > item_of(node)->serial))) {
            return false;
        }
        previous = node;
        seen++;
    }
    return seen == count && rbtree_last(tree) == previous;
}

int main(void) {
    struct rbtree tree;
    rbtree_init(&tree, less, update);
    CHECK(rbtree_first(&tree) == NULL && rbtree_last(&tree) == NULL);
    uint64_t state = 42;
    int count = 0;
    for (int step = 0; step < 20000; step++) {
        struct item *item = &items[next_random(&state) % ITEMS];
        if (item->in_tree) {
            rbtree_remove(&tree, &item->node);
            count--;
        } else {
            memset(&item->node, 0xa5, sizeof(item->node)); // the links need not be initialised
            item->key = (int)(next_random(&state) % 100);
            item->weight = (int)(next_random(&state) % 1000);
            item->largest = item->weight; // as if nothing had changed
            item->serial = step;
            struct rbnode *last = rbtree_last(&tree);
            if (last == NULL || !less(&item->node, last)) {
                rbtree_insert_last(&tree, last, &item->node);
            } else {
                rbtree_insert(&tree, &item->node);
            }
            count++;
        }
        item->in_tree = !item->in_tree;
        CHECK(is_sound(&tree, count));
        struct item *changed = &items[next_random(&state) % ITEMS];
        if (changed->in_tree) {
            changed->weight = (int)(next_random(&state) % 1000);
            rbtree_update(&tree, &changed->node);
            CHECK(verify(tree.root, NULL) >= 0);
        }
    }
    while (tree.root != NULL) {
        rbtree_remove(&tree, rbtree_first(&tree));
        CHECK(is_sound(&tree, --count));
    }
    rbtree_init(&tree, less, NULL);
    rbtree_insert(&tree, &items[0].node);
    rbtree_insert(&tree, &items[1].node);
    rbtree_remove(&tree, &items[0].node);
    CHECK(tree.root == &items[1].node);
    return check_result();
}
