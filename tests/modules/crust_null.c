// SPDX-License-Identifier: MIT OR Apache-2.0
// crust_null.c: stores where there is nothing.
#include <helix/types.h>

#define CRUST_NAME  "crust_null"
#define CRUST_MAJOR 241u

static void die(const void *data, uint32_t length);
#include "crust.h"

static void die(const void *data, uint32_t length) {
    (void)length;
    uint8_t *volatile nowhere = NULL;
    *nowhere = *(const uint8_t *)data; // NOLINT(clang-analyzer-core.NullDereference): so
}
