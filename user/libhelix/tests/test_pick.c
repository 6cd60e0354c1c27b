// SPDX-License-Identifier: MIT OR Apache-2.0
// test_pick.c: the order of classes, and that none starves.
#include "check.h"

#include <libhelix/pick.h>

#define CRITICAL   (1u << HX_CLASS_CRITICAL)
#define NORMAL     (1u << HX_CLASS_NORMAL)
#define BACKGROUND (1u << HX_CLASS_BACKGROUND)

static void alone(void) {
    struct hx_picker picker = { 0 };
    for (uint32_t i = 0; i < 100; i++) {
        CHECK(hx_pick(&picker, CRITICAL) == HX_CLASS_CRITICAL);
        CHECK(hx_pick(&picker, NORMAL) == HX_CLASS_NORMAL);
        CHECK(hx_pick(&picker, BACKGROUND) == HX_CLASS_BACKGROUND);
    }
}

// The most urgent first, and each one's turn after just so many passes.
static void bounds(void) {
    struct hx_picker picker = { 0 };
    for (uint32_t round = 0; round < 3; round++) {
        for (uint32_t i = 0; i < HX_PASSES_NORMAL; i++) {
            CHECK(hx_pick(&picker, CRITICAL | NORMAL) == HX_CLASS_CRITICAL);
        }
        CHECK(hx_pick(&picker, CRITICAL | NORMAL) == HX_CLASS_NORMAL);
        for (uint32_t i = 0; i < HX_PASSES_BACKGROUND; i++) {
            CHECK(hx_pick(&picker, NORMAL | BACKGROUND) == HX_CLASS_NORMAL);
        }
        CHECK(hx_pick(&picker, NORMAL | BACKGROUND) == HX_CLASS_BACKGROUND);
        CHECK(hx_pick(&picker, NORMAL | BACKGROUND) == HX_CLASS_NORMAL);
        picker = (struct hx_picker){ 0 };
    }
}

// Who has nothing to say begins anew.
static void forgets(void) {
    struct hx_picker picker = { 0 };
    for (uint32_t i = 0; i < 10 * HX_PASSES_NORMAL; i++) {
        const bool waits = i % HX_PASSES_NORMAL != 0;
        CHECK(hx_pick(&picker, CRITICAL | (waits ? NORMAL : 0)) == HX_CLASS_CRITICAL);
    }
}

// Whatever comes: nobody is passed over more often than the header says.
static void whatever_comes(void) {
    static const uint32_t most[HX_CLASSES] = { 2, HX_PASSES_NORMAL + 1, HX_PASSES_BACKGROUND };
    struct hx_picker picker = { 0 };
    uint32_t passed[HX_CLASSES] = { 0 }, seed = 1, longest[HX_CLASSES] = { 0 };
    for (uint32_t i = 0; i < 200000; i++) {
        seed = seed * 1664525u + 1013904223u;
        const uint32_t waiting = (seed >> 28) % 8 == 0 ? 1 + (seed >> 24) % 7 : 7;
        const enum hx_class chosen = hx_pick(&picker, waiting);
        CHECK((waiting >> chosen & 1) != 0);
        for (uint32_t class = 0; class < HX_CLASSES; class ++) {
            const bool is_passed = class != chosen && (waiting >> class & 1) != 0;
            passed[class] = is_passed ? passed[class] + 1 : 0;
            longest[class] = MAX_OF(longest[class], passed[class]);
            CHECK(passed[class] <= most[class]);
        }
    }
    CHECK(longest[HX_CLASS_NORMAL] == HX_PASSES_NORMAL + 1);
    CHECK(longest[HX_CLASS_BACKGROUND] == HX_PASSES_BACKGROUND);
}

int main(void) {
    alone();
    bounds();
    forgets();
    whatever_comes();
    return check_result();
}
