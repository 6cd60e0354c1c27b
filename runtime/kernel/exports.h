// SPDX-License-Identifier: MIT OR Apache-2.0
// runtime/kernel/exports.h: what tools/pack makes for the loader.
#pragma once

#include <helix/types.h>
#include <lib/ed25519.h>

// A function of the SDK: all that a package may import.
struct export {
    const char *name;
    uint64_t address;
};
extern const struct export module_exports[]; // ends with a row without a name

// The public half of the one key whose packages are believed, and whether it is that of the
// checkout, which signs all that is built there without a word.
extern const uint8_t module_key[ED25519_KEY_BYTES];
extern const bool module_key_is_development;
