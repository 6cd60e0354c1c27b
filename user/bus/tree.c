// SPDX-License-Identifier: MIT OR Apache-2.0
// user/bus/tree.c: who subscribed to what.
//
// Each pattern leads down one way, so a match visits no node twice, however many '*' there are; and
// it goes as deep as a name has components, at most half of HX_NAME_MAX.
#include "tree.h"

#include <string.h>

#define ROOT 0u

void tree_init(struct tree *tree) {
    memset(tree, 0, sizeof(*tree));
    for (uint32_t i = TREE_NODES - 1; i > ROOT; i--) {
        tree->nodes[i].next = tree->free;
        tree->free = (uint16_t)i;
    }
}

static uint16_t child_find(const struct tree *tree, uint16_t parent, const char *component) {
    uint16_t at = tree->nodes[parent].child;
    while (at != ROOT && !hx_component_is_same(tree->nodes[at].component, component)) {
        at = tree->nodes[at].next;
    }
    return at;
}

// ROOT: no node is free.
static uint16_t child_make(struct tree *tree, uint16_t parent, const char *component) {
    const uint16_t made = tree->free;
    if (made == ROOT) {
        return ROOT;
    }
    struct tree_node *node = &tree->nodes[made];
    tree->free = node->next;
    *node = (struct tree_node){ .parent = parent, .next = tree->nodes[parent].child };
    memcpy(node->component, component, hx_component_length(component));
    tree->nodes[parent].child = made;
    return made;
}

// Frees a node that leads nowhere, and those above it that then do so.
static void prune(struct tree *tree, uint16_t at) {
    while (at != ROOT && tree->nodes[at].child == 0 && tree->nodes[at].ends == 0) {
        const uint16_t parent = tree->nodes[at].parent;
        uint16_t *link = &tree->nodes[parent].child;
        while (*link != at) {
            link = &tree->nodes[*link].next;
        }
        *link = tree->nodes[at].next;
        tree->nodes[at].next = tree->free;
        tree->free = at;
        at = parent;
    }
}

enum hx_status tree_add(struct tree *tree, const char *pattern, uint32_t subscriber) {
    const uint64_t bit = UINT64_C(1) << subscriber;
    uint16_t at = ROOT;
    for (const char *next = pattern; next != NULL; next = hx_component_next(next)) {
        uint16_t child = child_find(tree, at, next);
        child = child == ROOT ? child_make(tree, at, next) : child;
        if (child == ROOT) {
            prune(tree, at);
            return HX_ERR_LIMIT;
        }
        at = child;
    }
    if ((tree->nodes[at].ends & bit) != 0) {
        return HX_ERR_EXISTS;
    }
    tree->nodes[at].ends |= bit;
    return HX_OK;
}

enum hx_status tree_remove(struct tree *tree, const char *pattern, uint32_t subscriber) {
    const uint64_t bit = UINT64_C(1) << subscriber;
    uint16_t at = ROOT;
    for (const char *next = pattern; next != NULL; next = hx_component_next(next)) {
        at = child_find(tree, at, next);
        if (at == ROOT) {
            return HX_ERR_NOT_FOUND;
        }
    }
    if ((tree->nodes[at].ends & bit) == 0) {
        return HX_ERR_NOT_FOUND;
    }
    tree->nodes[at].ends &= ~bit;
    prune(tree, at);
    return HX_OK;
}

// A free node has no ends.
void tree_remove_all(struct tree *tree, uint32_t subscriber) {
    const uint64_t bit = UINT64_C(1) << subscriber;
    for (uint32_t i = 1; i < TREE_NODES; i++) {
        if ((tree->nodes[i].ends & bit) != 0) {
            tree->nodes[i].ends &= ~bit;
            prune(tree, (uint16_t)i);
        }
    }
}

static uint64_t match_below(const struct tree *tree, uint16_t parent, const char *name) {
    const char *rest = hx_component_next(name);
    uint64_t found = 0;
    for (uint16_t at = tree->nodes[parent].child; at != ROOT; at = tree->nodes[at].next) {
        const struct tree_node *node = &tree->nodes[at];
        if (hx_component_is_rest(node->component)) {
            found |= node->ends;
        } else if (hx_component_is_any(node->component) ||
                   hx_component_is_same(node->component, name)) {
            found |= rest == NULL ? node->ends : match_below(tree, at, rest);
        }
    }
    return found;
}

uint64_t tree_match(const struct tree *tree, const char *name) {
    return match_below(tree, ROOT, name);
}

uint32_t tree_count(const struct tree *tree) {
    uint32_t count = TREE_NODES - 1;
    for (uint16_t at = tree->free; at != ROOT; at = tree->nodes[at].next) {
        count--;
    }
    return count;
}
