// SPDX-License-Identifier: MIT OR Apache-2.0
// core/symbols_none.c: the empty table that the first link uses; the second one overrides it.
#include "symbols.h"

__attribute__((weak)) const uint64_t symbol_base = 0;
__attribute__((weak)) const uint32_t symbol_count = 0;
__attribute__((weak)) const struct symbol symbol_table[] = { { 0, 0 } };
__attribute__((weak)) const char symbol_names[] = "";
