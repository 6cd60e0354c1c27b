// SPDX-License-Identifier: MIT OR Apache-2.0
// tests/devices/placement.h: where a module is. What a test says of one may hold in one placement
// only; then it says so.
#pragma once

#include "../native/native.h"

// 0: in the image, 1: in the kernel, from a package, HX_MODULE_ISOLATED: in ring 3; 99: nowhere.
static inline uint32_t placement(const char *name) {
    struct hx_module_info info;
    const int64_t all = NATIVE(module_all);
    uint32_t found = 99;
    NEED(all > 0);
    for (uint32_t i = 0; NATIVE(module_info, (handle_t)all, i, &info) == HX_OK; i++) {
        if (strcmp((const char *)info.name, name) == 0) {
            found = info.loaded;
        }
    }
    NATIVE(handle_close, (handle_t)all);
    return found;
}
