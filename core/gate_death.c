// SPDX-License-Identifier: MIT OR Apache-2.0
// core/gate_death.c: how a module died, in words.
#include <core/gate.h>
#include <lib/format.h>

const char *gate_death_text(const struct gate_death *death, char *text, size_t size) {
    if (death->is_placed) {
        (void)format_string(text, size, "%s at %s+0x%lx, address 0x%lx", death->what, death->symbol,
                            (unsigned long)death->offset, (unsigned long)death->address);
    } else if (death->symbol != NULL) {
        (void)format_string(text, size, "%s (%s)", death->what, death->symbol);
    } else {
        (void)format_string(text, size, "%s", death->what);
    }
    return text;
}
