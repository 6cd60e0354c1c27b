// SPDX-License-Identifier: MIT OR Apache-2.0
// core/symbols.h: names of the kernel's functions, for backtraces.
//
// The table is made after a first link from that image's own symbols (build/symbols.cmake) and
// linked in by a second one. It lies behind all code, so it does not move what it describes.
#pragma once

#include <helix/types.h>

// Sorted by offset; the last one ends the code and has an empty name.
struct symbol {
    uint32_t offset; // of the function, from symbol_base
    uint32_t name;   // of its name, in symbol_names
};

extern const uint64_t symbol_base;
extern const uint32_t symbol_count;
extern const struct symbol symbol_table[];
extern const char symbol_names[];

// The function that `address` lies in, and how far; "?" if it lies in none.
const char *symbol_find(uint64_t address, uint64_t *out_offset);
