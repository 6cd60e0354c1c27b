// SPDX-License-Identifier: MIT OR Apache-2.0
// crust_stack.c: writes over the end of an array on its stack.
#include <helix/types.h>

#define CRUST_NAME  "crust_stack"
#define CRUST_MAJOR 245u

static void die(const void *data, uint32_t length);
#include "crust.h"

static void die(const void *data, uint32_t length) {
    volatile uint8_t small[16];
    for (uint32_t i = 0; i < length; i++) {
        small[i] = ((const uint8_t *)data)[i];
    }
    (void)small[0];
}
