// SPDX-License-Identifier: MIT OR Apache-2.0
// Tests of gaps.c: against an array of cells.
#include "../src/gaps.h"
#include "check.h"

#include <string.h>

#define CELLS 256u
#define NODES 64u

static struct rbtree tree;
static struct gap_node *nodes[NODES]; // in use; NULL: not
static struct gap_node *cell[CELLS];  // who is there

static void set_cells(struct gap_node *node, struct gap_node *value) {
    for (uint64_t i = node->start; i < node->end; i++) {
        CHECK(cell[i] == (value == NULL ? node : NULL));
        cell[i] = value;
    }
}

// Free of nodes and of their guards.
static bool is_free(uint64_t at) {
    if (cell[at] != NULL) {
        return false;
    }
    for (uint64_t i = at; i < CELLS; i++) {
        if (cell[i] != NULL) {
            return at + cell[i]->guard < i;
        }
    }
    return true;
}

static bool model_find(uint64_t size, uint64_t low, uint64_t high, uint64_t *out_address) {
    if (high < size) {
        return false;
    }
    for (uint64_t at = high - size + 1; at-- > low;) {
        bool all = true;
        for (uint64_t i = at; i < at + size && all; i++) {
            all = i >= CELLS || is_free(i);
        }
        if (all) {
            *out_address = at;
            return true;
        }
    }
    return false;
}

static void check_find(void) {
    uint64_t size = 1 + random_number(40);
    uint64_t low = random_number(CELLS);
    uint64_t high = random_number(CELLS + 1);
    uint64_t expected = 0;
    uint64_t found = 0;
    bool there = model_find(size, low, high, &expected);
    CHECK(gaps_find_top_down(&tree, size, low, high, &found) == there);
    CHECK(!there || found == expected);
}

static void check_lookup(void) {
    uint64_t address = random_number(CELLS);
    struct gap_node *expected = NULL;
    for (uint64_t i = address; i < CELLS && expected == NULL; i++) {
        expected = cell[i];
    }
    CHECK(gaps_find(&tree, address) == expected);
}

static uint64_t summary(const struct rbnode *at) {
    if (at == NULL) {
        return 0;
    }
    const struct gap_node *node = RB_ENTRY(at, const struct gap_node, node);
    uint64_t left = summary(at->left);
    uint64_t right = summary(at->right);
    uint64_t largest = left > right ? left : right;
    largest = node->gap > largest ? node->gap : largest;
    CHECK(node->gap_max == largest);
    return largest;
}

static void change(uint32_t index) {
    struct gap_node *node = nodes[index];
    if (node == NULL) {
        uint64_t start = random_number(CELLS);
        uint64_t end = start;
        uint64_t most = start + 1 + random_number(12);
        while (end < CELLS && end < most && cell[end] == NULL) {
            end++;
        }
        if (end == start) {
            return;
        }
        node = calloc(1, sizeof *node);
        *node = (struct gap_node){ .start = start, .end = end };
        node->guard = random_number(4) == 0 ? random_number(6) : 0;
        set_cells(node, node);
        gaps_insert(&tree, node);
        nodes[index] = node;
    } else if (random_number(2) == 0) {
        gaps_remove(&tree, node);
        set_cells(node, NULL);
        free(node);
        nodes[index] = NULL;
    } else {
        set_cells(node, NULL);
        uint64_t start = node->start;
        uint64_t end = node->end;
        if (random_number(2) == 0) {
            start -= start > 0 && cell[start - 1] == NULL;
            end -= end - start > 1;
        } else {
            end += end < CELLS && cell[end] == NULL;
            start += end - start > 1;
        }
        gaps_resize(&tree, node, start, end);
        set_cells(node, node);
    }
}

int main(void) {
    gaps_init(&tree);
    for (uint32_t step = 0; step < 60000; step++) {
        change((uint32_t)random_number(NODES));
        check_find();
        check_lookup();
        if (step % 16 == 0) {
            (void)summary(tree.root);
        }
    }
    for (uint32_t i = 0; i < NODES; i++) {
        if (nodes[i] != NULL) {
            gaps_remove(&tree, nodes[i]);
            free(nodes[i]);
        }
    }
    CHECK(tree.root == NULL);
    return 0;
}
