// SPDX-License-Identifier: MIT OR Apache-2.0
// broken.h: what is wrong with versions of modules that cannot take over (rr_*.c, uart_*.c).
#pragma once

#include <helix/types.h>

#define BROKEN __attribute__((unused)) static enum hx_status

BROKEN broken_start(void *self) {
    (void)self;
    return HX_ERR_NO_SPACE;
}

BROKEN broken_test(void *self) {
    (void)self;
    return HX_ERR_CORRUPT;
}

BROKEN broken_fault(void *self) {
    static int *volatile nowhere = (int *)64;
    (void)self;
    *nowhere = 1;
    return HX_OK;
}

BROKEN broken_hang(void *self) {
    static volatile bool for_ever = true;
    (void)self;
    while (for_ever) {
    }
    return HX_OK;
}
