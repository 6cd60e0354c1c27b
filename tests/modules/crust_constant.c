// SPDX-License-Identifier: MIT OR Apache-2.0
// crust_constant.c: stores into a constant of its own, one that the loader has relocated.
#include <helix/types.h>

#define CRUST_NAME  "crust_constant"
#define CRUST_MAJOR 243u

static void die(const void *data, uint32_t length);
#include "crust.h"

static void die(const void *data, uint32_t length) {
    (void)length;
    uint8_t *volatile constant = (uint8_t *)(uintptr_t)&operations; // NOLINT: a constant as bytes
    *constant = *(const uint8_t *)data;
}
