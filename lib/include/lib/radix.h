// SPDX-License-Identifier: MIT OR Apache-2.0
// <lib/radix.h>: a sparse array from 64-bit indices to pointers, as a radix tree of 6 bits a level.
//
// The tree is as high as its largest index needs, so small indices cost few steps. Nodes come from
// the caller's callbacks and go back as soon as they are empty. The caller's lock guards the tree;
// the values are the caller's and are neither NULL nor looked at.
#pragma once

#include <helix/types.h>

#define RADIX_BITS  6u
#define RADIX_SLOTS ((size_t)1 << RADIX_BITS)

struct radix_node {
    uint64_t present; // bit i: slot i is in use
    void *slots[RADIX_SLOTS];
};

// Where nodes come from. All nodes have sizeof(struct radix_node) bytes; allocate need not clear
// them and returns NULL when it has none.
struct radix_memory {
    void *(*allocate)(void *context, size_t size_bytes);
    void (*release)(void *context, void *node, size_t size_bytes);
    void *context;
};

struct radix {
    struct radix_node *root; // NULL: empty
    unsigned height;         // levels below and including root; 0: empty
    const struct radix_memory *memory;
};

// Makes an empty array; keeps `memory`.
void radix_init(struct radix *radix, const struct radix_memory *memory);

// Releases all nodes. The values are forgotten: whoever owns them takes them out first.
void radix_fini(struct radix *radix);

// The value at `index`; NULL if there is none.
void *radix_get(const struct radix *radix, uint64_t index);

// Puts `value` (not NULL) at `index`, in place of what was there.
// HX_ERR_NO_MEMORY: a node could not be allocated, the array is as before. Replacing a value that
// is present never fails.
enum hx_status radix_set(struct radix *radix, uint64_t index, void *value);

// Takes the value at `index` out and returns it; NULL if there was none. Never fails.
void *radix_remove(struct radix *radix, uint64_t index);

// The value with the lowest index that is not below `from`, and that index in *out_index; NULL, and
// *out_index untouched, if there is none. The array may change between two calls.
void *radix_next(const struct radix *radix, uint64_t from, uint64_t *out_index);

static inline bool radix_is_empty(const struct radix *radix) {
    return radix->root == NULL;
}
