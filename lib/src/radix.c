// SPDX-License-Identifier: MIT OR Apache-2.0
// radix.c: the tree behind <lib/radix.h>.
//
// Invariants between calls: no node is empty; the root of a tree higher than one level has more
// than its slot 0 in use, so the height fits the largest index. A level's slot is a 6-bit digit of
// the index; level 0 holds the values.
#include <lib/radix.h>
#include <lib/string.h>

#define HEIGHT_MAX 11u // 11 × 6 bits cover 64

// The nodes from the root (at path[height - 1]) down to level 0 on the way to an index.
struct way {
    struct radix_node *nodes[HEIGHT_MAX];
};

static unsigned slot_of(uint64_t index, unsigned level) {
    return (unsigned)(index >> (RADIX_BITS * level)) & (unsigned)(RADIX_SLOTS - 1);
}

// Whether a tree of `height` levels has a place for `index`.
static bool height_covers(unsigned height, uint64_t index) {
    return height >= HEIGHT_MAX || index >> (RADIX_BITS * height) == 0;
}

static struct radix_node *node_allocate(struct radix *radix) {
    struct radix_node *node = radix->memory->allocate(radix->memory->context, sizeof(*node));
    if (node != NULL) {
        memset(node, 0, sizeof(*node));
    }
    return node;
}

static void node_release(struct radix *radix, struct radix_node *node) {
    radix->memory->release(radix->memory->context, node, sizeof(*node));
}

static void slot_fill(struct radix_node *node, unsigned slot, void *value) {
    node->slots[slot] = value;
    node->present |= (uint64_t)1 << slot;
}

static void slot_empty(struct radix_node *node, unsigned slot) {
    node->slots[slot] = NULL;
    node->present &= ~((uint64_t)1 << slot);
}

void radix_init(struct radix *radix, const struct radix_memory *memory) {
    *radix = (struct radix){ .memory = memory };
}

void radix_fini(struct radix *radix) {
    if (radix->root == NULL) {
        return;
    }
    // Down to a node without children, release it, and go up: no recursion.
    struct way way;
    unsigned top = radix->height - 1;
    unsigned level = top;
    way.nodes[top] = radix->root;
    for (;;) {
        struct radix_node *node = way.nodes[level];
        if (level != 0 && node->present != 0) {
            unsigned slot = (unsigned)__builtin_ctzll(node->present);
            way.nodes[level - 1] = node->slots[slot];
            slot_empty(node, slot);
            level--;
            continue;
        }
        node_release(radix, node);
        if (level == top) {
            break;
        }
        level++;
    }
    radix->root = NULL;
    radix->height = 0;
}

void *radix_get(const struct radix *radix, uint64_t index) {
    if (radix->root == NULL || !height_covers(radix->height, index)) {
        return NULL;
    }
    const struct radix_node *node = radix->root;
    for (unsigned level = radix->height - 1; level != 0; level--) {
        node = node->slots[slot_of(index, level)];
        if (node == NULL) {
            return NULL;
        }
    }
    return node->slots[slot_of(index, 0)];
}

// Restores the invariants on the way to `index`, from `level` upward: empty nodes go, and a root
// that has only its slot 0.
static void prune(struct radix *radix, struct way *way, uint64_t index, unsigned level) {
    unsigned top = radix->height - 1;
    while (way->nodes[level]->present == 0) {
        node_release(radix, way->nodes[level]);
        if (level == top) {
            radix->root = NULL;
            radix->height = 0;
            return;
        }
        level++;
        slot_empty(way->nodes[level], slot_of(index, level));
    }
    while (radix->height > 1 && radix->root->present == 1) {
        struct radix_node *old = radix->root;
        radix->root = old->slots[0];
        radix->height--;
        node_release(radix, old);
    }
}

// Makes the tree high enough for `index`. On failure it may stay higher than it needs to be, with
// only slot 0 of the root in use; the caller prunes.
static bool grow(struct radix *radix, uint64_t index) {
    if (radix->root == NULL) {
        radix->root = node_allocate(radix);
        if (radix->root == NULL) {
            return false;
        }
        radix->height = 1;
        while (!height_covers(radix->height, index)) {
            radix->height++;
        }
    }
    while (!height_covers(radix->height, index)) {
        struct radix_node *node = node_allocate(radix);
        if (node == NULL) {
            return false;
        }
        slot_fill(node, 0, radix->root);
        radix->root = node;
        radix->height++;
    }
    return true;
}

// Drops surplus levels at the top after a growth that failed.
static void shrink(struct radix *radix) {
    struct way way;
    if (radix->root != NULL) {
        way.nodes[radix->height - 1] = radix->root;
        prune(radix, &way, 0, radix->height - 1);
    }
}

enum hx_status radix_set(struct radix *radix, uint64_t index, void *value) {
    if (!grow(radix, index)) {
        shrink(radix);
        return HX_ERR_NO_MEMORY;
    }
    struct way way;
    struct radix_node *node = radix->root;
    for (unsigned level = radix->height - 1;; level--) {
        way.nodes[level] = node;
        if (level == 0) {
            break;
        }
        struct radix_node *child = node->slots[slot_of(index, level)];
        if (child == NULL) {
            child = node_allocate(radix);
            if (child == NULL) {
                prune(radix, &way, index, level);
                return HX_ERR_NO_MEMORY;
            }
            slot_fill(node, slot_of(index, level), child);
        }
        node = child;
    }
    slot_fill(node, slot_of(index, 0), value);
    return HX_OK;
}

void *radix_remove(struct radix *radix, uint64_t index) {
    if (radix->root == NULL || !height_covers(radix->height, index)) {
        return NULL;
    }
    struct way way;
    struct radix_node *node = radix->root;
    for (unsigned level = radix->height - 1;; level--) {
        way.nodes[level] = node;
        if (level == 0) {
            break;
        }
        node = node->slots[slot_of(index, level)];
        if (node == NULL) {
            return NULL;
        }
    }
    void *value = node->slots[slot_of(index, 0)];
    if (value != NULL) {
        slot_empty(node, slot_of(index, 0));
        prune(radix, &way, index, 0);
    }
    return value;
}

void *radix_next(const struct radix *radix, uint64_t from, uint64_t *out_index) {
    if (radix->root == NULL) {
        return NULL;
    }
    uint64_t index = from;
    while (height_covers(radix->height, index)) {
        const struct radix_node *node = radix->root;
        unsigned level = radix->height - 1;
        for (;;) {
            unsigned slot = slot_of(index, level);
            uint64_t candidates = node->present & (UINT64_MAX << slot);
            if (candidates == 0) {
                break;
            }
            unsigned found = (unsigned)__builtin_ctzll(candidates);
            if (found != slot) {
                // The lowest index below that slot: its digit there, zeros behind.
                index = ((index >> (RADIX_BITS * level)) + (found - slot)) << (RADIX_BITS * level);
            }
            if (level == 0) {
                *out_index = index;
                return node->slots[found];
            }
            node = node->slots[found];
            level--;
        }
        // Nothing more in this node: on with the first index behind it, from the root again.
        unsigned shift = RADIX_BITS * (level + 1);
        if (shift >= 64 || index >> shift == UINT64_MAX >> shift) {
            return NULL;
        }
        index = ((index >> shift) + 1) << shift;
    }
    return NULL;
}
