// SPDX-License-Identifier: MIT OR Apache-2.0
// user/libhelix/src/pick.c: which class comes next.
#include <libhelix/pick.h>

static const uint32_t most[HX_CLASSES] = {
    [HX_CLASS_CRITICAL] = UINT32_MAX,
    [HX_CLASS_NORMAL] = HX_PASSES_NORMAL,
    [HX_CLASS_BACKGROUND] = HX_PASSES_BACKGROUND,
};

// The least urgent one that was passed over often enough; else the most urgent one.
static enum hx_class choose(const struct hx_picker *picker, uint32_t waiting) {
    enum hx_class class = HX_CLASS_BACKGROUND;
    while (class != HX_CLASS_CRITICAL &&
           ((waiting >> class & 1) == 0 || picker->passed[class] < most[class])) {
        class --;
    }
    while ((waiting >> class & 1) == 0 && class < HX_CLASS_BACKGROUND) {
        class ++;
    }
    return class;
}

enum hx_class hx_pick(struct hx_picker *picker, uint32_t waiting) {
    const enum hx_class chosen = choose(picker, waiting);
    for (uint32_t class = 0; class < HX_CLASSES; class ++) {
        const bool is_passed = class != chosen && (waiting >> class & 1) != 0;
        picker->passed[class] = is_passed ? picker->passed[class] + 1 : 0;
    }
    return chosen;
}
