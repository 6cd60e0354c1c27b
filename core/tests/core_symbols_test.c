// SPDX-License-Identifier: MIT OR Apache-2.0
// Tests of core/symbols.c with a table of its own in place of the weak one.
#include "../symbols.h"

#include <assert.h>
#include <core/code.h>
#include <string.h>

const uint64_t symbol_base = 0x1000;
const uint32_t symbol_count = 4;
const struct symbol symbol_table[] = { { 0, 0 }, { 0x10, 2 }, { 0x40, 4 }, { 0x50, 6 } };
const char symbol_names[] = "a\0b\0c\0";

static void expect(uint64_t address, const char *name, uint64_t offset) {
    uint64_t found;
    assert(strcmp(symbol_find(address, &found), name) == 0);
    assert(found == offset);
}

int main(void) {
    expect(0xfff, "?", 0);
    expect(0x1000, "a", 0);
    expect(0x100f, "a", 15);
    expect(0x1010, "b", 0);
    expect(0x103f, "b", 0x2f);
    expect(0x104f, "c", 15);
    expect(0x1050, "?", 0);
    expect(UINT64_MAX, "?", 0);
    expect(0, "?", 0);
    code_name_add(0x8000, 0x9000, "module");
    code_name_add(0x9000, 0x9800, "other");
    expect(0x7fff, "?", 0);
    expect(0x8000, "module", 0);
    expect(0x8fff, "module", 0xfff);
    expect(0x9000, "other", 0);
    expect(0x9800, "?", 0);
    expect(0x1010, "b", 0);
    code_name_remove(0x8000);
    expect(0x8000, "?", 0);
    expect(0x97ff, "other", 0x7ff);
    for (uint64_t i = 0; i < 1000; i++) { // places are used again
        code_name_add(0x10000, 0x11000, "again");
        expect(0x10000, "again", 0);
        code_name_remove(0x10000);
    }
    return 0;
}
