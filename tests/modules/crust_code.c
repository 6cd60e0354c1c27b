// SPDX-License-Identifier: MIT OR Apache-2.0
// crust_code.c: stores into its own code.
#include <helix/types.h>

#define CRUST_NAME  "crust_code"
#define CRUST_MAJOR 242u

static void die(const void *data, uint32_t length);
#include "crust.h"

static void die(const void *data, uint32_t length) {
    (void)length;
    // NOLINTNEXTLINE(performance-no-int-to-ptr): a function as bytes
    uint8_t *volatile code = (uint8_t *)(uintptr_t)die;
    *code = *(const uint8_t *)data;
}
