// SPDX-License-Identifier: MIT OR Apache-2.0
// crust_data.c: runs what it has as data.
#include <helix/types.h>

static uint32_t data_of_its_own[16] = { 1 };

#define CRUST_NAME  "crust_data"
#define CRUST_MAJOR 244u

static void die(const void *data, uint32_t length);
#include "crust.h"

static void die(const void *data, uint32_t length) {
    (void)data;
    (void)length;
    void (*volatile run)(void) = (void (*)(void))(uintptr_t)data_of_its_own; // NOLINT: so
    run();
}
