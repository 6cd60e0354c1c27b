// SPDX-License-Identifier: MIT OR Apache-2.0
// core/symbols.c: looking a name up; and the empty table that the first link uses.
#include "symbols.h"

__attribute__((weak)) const uint64_t symbol_base = 0;
__attribute__((weak)) const uint32_t symbol_count = 0;
__attribute__((weak)) const struct symbol symbol_table[1] = { { 0, 0 } };
__attribute__((weak)) const char symbol_names[1] = "";

const char *symbol_find(uint64_t address, uint64_t *out_offset) {
    *out_offset = 0;
    uint64_t offset = address - symbol_base;
    // Reads through volatile: the compiler must not take the weak values for the final ones.
    uint32_t count = *(const volatile uint32_t *)&symbol_count;
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
