// SPDX-License-Identifier: MIT OR Apache-2.0
// core/symbols.c: looking a name up, in the image and in what was added to it.
#include "symbols.h"

#include <core/code.h>

#define ADDED_MAX 64u

// Read in a panic, so without a lock: at worst, what goes just now has another one's name.
static struct {
    _Atomic uint64_t start; // 0: free
    _Atomic uint64_t end;
    _Atomic(const char *) name;
} added[ADDED_MAX];

void code_name_add(uint64_t start, uint64_t end, const char *name) {
    for (uint32_t i = 0; i < ADDED_MAX; i++) {
        if (atomic_load_explicit(&added[i].start, memory_order_relaxed) == 0) {
            atomic_store_explicit(&added[i].end, end, memory_order_relaxed);
            atomic_store_explicit(&added[i].name, name, memory_order_relaxed);
            atomic_store_explicit(&added[i].start, start, memory_order_release);
            return;
        }
    }
}

void code_name_remove(uint64_t start) {
    for (uint32_t i = 0; i < ADDED_MAX; i++) {
        if (atomic_load_explicit(&added[i].start, memory_order_relaxed) == start) {
            atomic_store_explicit(&added[i].start, 0, memory_order_relaxed);
        }
    }
}

static const char *added_find(uint64_t address, uint64_t *out_offset) {
    for (uint32_t i = 0; i < ADDED_MAX; i++) {
        // Acquire: the rest of the row is there.
        const uint64_t start = atomic_load_explicit(&added[i].start, memory_order_acquire);
        if (start != 0 && address >= start &&
            address < atomic_load_explicit(&added[i].end, memory_order_relaxed)) {
            *out_offset = address - start;
            return atomic_load_explicit(&added[i].name, memory_order_relaxed);
        }
    }
    return "?";
}

const char *symbol_find(uint64_t address, uint64_t *out_offset) {
    *out_offset = 0;
    uint64_t offset = address - symbol_base;
    uint32_t count = symbol_count;
    uint32_t low = 0; // the answer is in [low, high)
    uint32_t high = count;
    while (high > low + 1) {
        uint32_t middle = low + (high - low) / 2;
        if (symbol_table[middle].offset <= offset) {
            low = middle;
        } else {
            high = middle;
        }
    }
    if (count == 0 || address < symbol_base || low + 1 >= count) {
        return added_find(address, out_offset);
    }
    *out_offset = offset - symbol_table[low].offset;
    return symbol_names + symbol_table[low].name;
}
