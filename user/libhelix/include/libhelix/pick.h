// SPDX-License-Identifier: MIT OR Apache-2.0
// <libhelix/pick.h>: which of several classes comes next. Pure.
//
// The most urgent class that waits comes first, but no class is passed over for ever: critical
// messages pass over a waiting normal one at most HX_PASSES_NORMAL times in a row, and all others
// pass over a waiting one of the background at most HX_PASSES_BACKGROUND times. (Where both have
// waited long enough, the background comes first, so a normal one waits for one more.)
#pragma once

#include <helix/types.h>

enum hx_class {
    HX_CLASS_CRITICAL = 0,
    HX_CLASS_NORMAL = 1,
    HX_CLASS_BACKGROUND = 2,
    HX_CLASSES = 3,
};

#define HX_PASSES_NORMAL     8u
#define HX_PASSES_BACKGROUND 32u

// Zero at the start.
struct hx_picker {
    uint32_t passed[HX_CLASSES]; // so many times in a row since it waits
};

// The class that comes next, of those whose bits (1 << class) are set in `waiting`; at least one
// is.
enum hx_class hx_pick(struct hx_picker *picker, uint32_t waiting);
