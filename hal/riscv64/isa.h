// SPDX-License-Identifier: MIT OR Apache-2.0
// hal/riscv64/isa.h: what a hart can do, by its text in the device tree: "riscv,isa" (unprivileged
// ISA 20191213, chapter 27), or one made of what took its place (Linux 6.7,
// Documentation/devicetree/bindings/riscv/extensions.yaml). Pure: its test runs on the host.
#pragma once

#include <helix/types.h>
#include <lib/string.h>

#define ISA_CAPACITY 512u

// The single letters behind "rv64", up to the first longer name, as bits; g is imafd.
static inline uint64_t isa_letters(const char *isa) {
    uint64_t letters = 0;
    if (isa == NULL || strncmp(isa, "rv64", 4) != 0) {
        return 0;
    }
    for (isa += 4; *isa >= 'a' && *isa <= 'z' && *isa != 's' && *isa != 'z' && *isa != 'x'; isa++) {
        letters |= *isa == 'g' ? 0 : 1ull << (*isa - 'a');
        if (*isa == 'g') {
            letters |= 1u << ('i' - 'a') | 1u << ('m' - 'a') | 1u << 0 | 1u << ('f' - 'a') |
                       1u << ('d' - 'a');
        }
    }
    return letters;
}

// Whether it has a longer name, which comes behind an underscore.
static inline bool isa_has(const char *isa, const char *name) {
    const size_t length = strlen(name);
    while (isa != NULL && (isa = strchr(isa, '_')) != NULL) {
        isa++;
        if (strncmp(isa, name, length) == 0 && (isa[length] == '_' || isa[length] == '\0')) {
            return true;
        }
    }
    return false;
}

// Adds a name if there is room for it as a whole. Where `out` ends now.
static inline size_t isa_add(char *out, size_t at, const char *name, size_t length, bool is_long) {
    if (at + length + 2 > ISA_CAPACITY) {
        return at;
    }
    if (is_long) {
        out[at++] = '_';
    }
    memcpy(out + at, name, length);
    out[at + length] = '\0';
    return at + length;
}

// Makes such a text of "riscv,isa-base" and the texts of "riscv,isa-extensions", which lie one
// behind the other; one without an end is none. Names that find no room are left out.
static inline void isa_join(const char *base, const char *names, size_t size_bytes,
                            char out[ISA_CAPACITY]) {
    size_t at = isa_add(out, 0, base, strnlen(base, 8), false);
    for (uint32_t are_long = 0; are_long < 2; are_long++) {
        for (size_t i = 0; i < size_bytes;) {
            const size_t length = strnlen(names + i, size_bytes - i);
            const bool is_in_base = length == 1 && strchr(base, names[i]) != NULL;
            if (length != 0 && length < size_bytes - i && (length > 1) == are_long && !is_in_base) {
                at = isa_add(out, at, names + i, length, are_long);
            }
            i += length + 1;
        }
    }
}
