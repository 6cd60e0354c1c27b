// SPDX-License-Identifier: MIT OR Apache-2.0
// <memory/gap_node.h>: the part of a mapping that places it in its address space.
#pragma once

#include <helix/types.h>
#include <lib/rbtree.h>

struct gap_node {
    struct rbnode node;  // by start
    uint64_t start, end; // in bytes, page aligned
    uint64_t guard;      // kept free below start (a stack's gap)
    uint64_t gap;        // free bytes below start - guard, down to the node before
    uint64_t gap_max;    // summary: the largest `gap` in this subtree
};
