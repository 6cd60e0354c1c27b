// SPDX-License-Identifier: MIT OR Apache-2.0
// core/symbols.c: looking a name up.
#include "symbols.h"

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
        return "?";
    }
    *out_offset = offset - symbol_table[low].offset;
    return symbol_names + symbol_table[low].name;
}
