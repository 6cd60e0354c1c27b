// SPDX-License-Identifier: MIT OR Apache-2.0
// test_tree.c: subscriptions: whose patterns have a name; full trees; nothing stays behind.
#include "../tree.h"

#include "check.h"

#include <stdio.h>
#include <stdlib.h>

static struct tree tree;

static uint64_t bits(uint32_t a, uint32_t b) {
    return UINT64_C(1) << a | UINT64_C(1) << b;
}

static void matches(void) {
    tree_init(&tree);
    CHECK(tree_match(&tree, "a") == 0);
    CHECK(tree_add(&tree, "a/b", 0) == HX_OK);
    CHECK(tree_add(&tree, "a/*", 1) == HX_OK);
    CHECK(tree_add(&tree, "a/**", 2) == HX_OK);
    CHECK(tree_add(&tree, "**", 63) == HX_OK);
    CHECK(tree_add(&tree, "*/b/c", 4) == HX_OK);
    CHECK(tree_match(&tree, "a/b") == (bits(0, 1) | bits(2, 63)));
    CHECK(tree_match(&tree, "a/c") == (bits(1, 2) | bits(63, 63)));
    CHECK(tree_match(&tree, "a") == bits(63, 63));
    CHECK(tree_match(&tree, "a/b/c") == (bits(2, 4) | bits(63, 63)));
    CHECK(tree_match(&tree, "ab/b") == bits(63, 63));
    CHECK(tree_add(&tree, "a/*", 1) == HX_ERR_EXISTS);
    CHECK(tree_add(&tree, "a/*", 5) == HX_OK);
    CHECK(tree_match(&tree, "a/c") == (bits(1, 2) | bits(5, 63)));
    CHECK(tree_remove(&tree, "a/*", 6) == HX_ERR_NOT_FOUND);
    CHECK(tree_remove(&tree, "a/x", 5) == HX_ERR_NOT_FOUND);
    CHECK(tree_remove(&tree, "a", 5) == HX_ERR_NOT_FOUND);
    CHECK(tree_remove(&tree, "a/*", 5) == HX_OK);
    CHECK(tree_match(&tree, "a/c") == (bits(1, 2) | bits(63, 63)));
}

static void removal(void) {
    tree_init(&tree);
    CHECK(tree_add(&tree, "a/b/c", 3) == HX_OK);
    CHECK(tree_add(&tree, "a/b", 3) == HX_OK);
    CHECK(tree_add(&tree, "a/d", 4) == HX_OK);
    CHECK(tree_count(&tree) == 4);
    CHECK(tree_remove(&tree, "a/b/c", 3) == HX_OK);
    CHECK(tree_count(&tree) == 3); // a, b, d
    tree_remove_all(&tree, 3);
    CHECK(tree_count(&tree) == 2);
    CHECK(tree_match(&tree, "a/b") == 0 && tree_match(&tree, "a/d") == bits(4, 4));
    tree_remove_all(&tree, 4);
    CHECK(tree_count(&tree) == 0);
}

// Who finds no room has taken none.
static void full(void) {
    char pattern[HX_NAME_MAX + 1];
    uint32_t added = 0;
    tree_init(&tree);
    enum hx_status status = HX_OK;
    for (uint32_t i = 0; status == HX_OK; i++) {
        (void)snprintf(pattern, sizeof(pattern), "x%u/y", i);
        status = tree_add(&tree, pattern, i % TREE_SUBSCRIBERS);
        added += status == HX_OK;
    }
    CHECK(status == HX_ERR_LIMIT);
    CHECK(added == (TREE_NODES - 1) / 2);
    CHECK(tree_count(&tree) == 2 * added); // the one node that was left is free again
    CHECK(tree_add(&tree, "alone", 1) == HX_OK);
    CHECK(tree_add(&tree, "x0/y", 1) == HX_OK); // needs none
    for (uint32_t i = 0; i < TREE_SUBSCRIBERS; i++) {
        tree_remove_all(&tree, i);
    }
    CHECK(tree_count(&tree) == 0);
}

int main(void) {
    matches();
    removal();
    full();
    return check_result();
}
