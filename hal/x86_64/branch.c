// SPDX-License-Identifier: MIT OR Apache-2.0
// hal/x86_64/branch.c: rewrites the places of a branch while other processors run them.
//
// A processor that runs bytes which another one just changed may run anything (SDM 3A 8.1.3,
// cross-modifying code), unless it first executes a serialising instruction. So:
//
//   step  first byte   other four   who comes by
//   0     breakpoint   old          is sent on behind the place by the breakpoint's handler
//   1     breakpoint   new          the same
//   2     new          new          runs the new instruction
//
// After each step all processors serialise, so none has an instruction of two steps before. One
// byte is written at a time, which no processor sees in parts. Which answer the handler gives does
// not matter: while a key changes, both are right. It works in any context that a breakpoint's trap
// works in, and that is all kernel code but the first and last instructions of trap.S.
#include "private.h"

#include <hal/branch.h>

#define PLACE_BYTES 5u
#define BREAKPOINT  0xccu
#define JUMP        0xe9u

struct place {
    uint64_t address;
    uint64_t target;
    uint64_t key;
};
// Set by the linker script.
extern const struct place x86_branches_start[];
extern const struct place x86_branches_end[];

static void instruction_make(const struct place *place, bool on, uint8_t *out_bytes) {
    static const uint8_t nothing[PLACE_BYTES] = { 0x0f, 0x1f, 0x44, 0x00, 0x00 };
    const uint32_t distance = (uint32_t)(place->target - (place->address + PLACE_BYTES));
    __builtin_memcpy(out_bytes, nothing, PLACE_BYTES);
    if (on) {
        out_bytes[0] = JUMP;
        __builtin_memcpy(out_bytes + 1, &distance, sizeof(distance));
    }
}

static void place_write(const struct place *place, bool on, uint32_t step) {
    uint8_t bytes[PLACE_BYTES];
    instruction_make(place, on, bytes);
    switch (step) {
    case 0:
        x86_text_write(place->address, BREAKPOINT);
        break;
    case 1:
        for (uint32_t i = 1; i < PLACE_BYTES; i++) {
            x86_text_write(place->address + i, bytes[i]);
        }
        break;
    default:
        x86_text_write(place->address, bytes[0]);
    }
}

void hal_branch_write(uint32_t key, bool on, uint32_t step) {
    for (const struct place *place = x86_branches_start; place < x86_branches_end; place++) {
        if (place->key == key) {
            place_write(place, on, step);
        }
    }
}

void hal_branch_sync(void) {
    (void)cpuid(0, 0); // serialises (SDM 3A 8.3)
}

bool x86_branch_breakpoint(struct hal_frame *frame) {
    for (const struct place *place = x86_branches_start; place < x86_branches_end; place++) {
        if (place->address == frame->rip - 1) {
            frame->rip = place->address + PLACE_BYTES;
            return true;
        }
    }
    return false;
}
