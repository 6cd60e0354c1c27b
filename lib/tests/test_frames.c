// SPDX-License-Identifier: MIT OR Apache-2.0
// test_frames.c: whole chains, and broken ones, which must neither lead outside nor never end.
#include "check.h"

#include <lib/frames.h>

#define WORDS 64u

static uint64_t stack[WORDS];
static uint64_t found[WORDS];

static uint64_t at(uint32_t word) {
    return (uint64_t)(uintptr_t)&stack[word];
}

static void frame(uint32_t word, uint64_t caller, uint64_t address) {
    stack[word] = caller;
    stack[word + 1] = address;
}

static uint32_t walk(uint64_t fp, uint32_t capacity) {
    return frames_walk(fp, FRAMES_AT, stack, stack + WORDS, found, capacity);
}

static void a_chain(void) {
    frame(4, at(10), 0x100);
    frame(10, at(62), 0x200);
    frame(62, 0, 0x300); // the last place where one fits
    CHECK(walk(at(4), WORDS) == 3);
    CHECK(found[0] == 0x100 && found[1] == 0x200 && found[2] == 0x300);
    found[2] = 7;
    CHECK(walk(at(4), 2) == 2 && found[2] == 7);
    CHECK(walk(at(4), 0) == 0);
}

// Each frame pointer is that of the frame above; the innermost one is passed as such.
static void a_chain_below(void) {
    frame(4, at(10) + FRAMES_BELOW, 0x100);
    frame(10, at(62) + FRAMES_BELOW, 0x200);
    frame(62, 0, 0x300);
    CHECK(frames_walk(at(6), FRAMES_BELOW, stack, stack + WORDS, found, WORDS) == 3);
    CHECK(found[0] == 0x100 && found[1] == 0x200 && found[2] == 0x300);
    CHECK(frames_walk(at(0), FRAMES_BELOW, stack, stack + WORDS, found, WORDS) == 0);
    CHECK(frames_walk(8, FRAMES_BELOW, stack, stack + WORDS, found, WORDS) == 0);
}

static void ends_at_no_address(void) {
    frame(4, at(10), 0x100);
    frame(10, at(20), 0);
    frame(20, 0, 0x300);
    CHECK(walk(at(4), WORDS) == 1);
}

static void stays_inside(void) {
    static const uint64_t outside[] = { 0, 8, UINT64_MAX, UINT64_MAX - 7, UINT64_C(1) << 63 };
    for (uint32_t i = 0; i < sizeof(outside) / sizeof(outside[0]); i++) {
        CHECK(walk(outside[i], WORDS) == 0);
        frame(4, outside[i], 0x100);
        CHECK(walk(at(4), WORDS) == 1);
    }
    CHECK(walk(at(0) - 8, WORDS) == 0);
    CHECK(walk(at(63), WORDS) == 0); // its second word lies behind
    CHECK(walk(at(64), WORDS) == 0);
    CHECK(walk(at(4) + 4, WORDS) == 0);
}

static void goes_upwards_alone(void) {
    frame(10, at(10), 0x100);
    CHECK(walk(at(10), WORDS) == 1);
    frame(10, at(4), 0x100);
    frame(4, at(10), 0x200);
    CHECK(walk(at(10), WORDS) == 1);
    CHECK(walk(at(4), WORDS) == 2);
}

int main(void) {
    a_chain();
    a_chain_below();
    ends_at_no_address();
    stays_inside();
    goes_upwards_alone();
    return check_result();
}
