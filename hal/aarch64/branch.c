// SPDX-License-Identifier: MIT OR Apache-2.0
// hal/aarch64/branch.c: rewrites the places of a branch while other processors run them.
//
// B and NOP are among the instructions that may be exchanged for one another while they run: a
// processor takes the old or the new one (Arm ARM, B2.2.5). So one step does, and after
// hal_branch_sync(), an ISB, each processor has the new one.
#include "private.h"

#include <hal/branch.h>

#define INSTRUCTION_NOP 0xd503201fu
#define INSTRUCTION_B   0x14000000u
#define B_DISTANCE      0x03ffffffu // in instructions

struct place {
    uint64_t address;
    uint64_t target;
    uint64_t key;
};
// Set by the linker script.
extern const struct place aarch64_branches_start[];
extern const struct place aarch64_branches_end[];

void hal_branch_write(uint32_t key, bool on, uint32_t step) {
    (void)step;
    const struct place *place = aarch64_branches_start;
    for (; place < aarch64_branches_end; place++) {
        if (place->key == key) {
            const uint32_t distance = (uint32_t)((place->target - place->address) >> 2);
            aarch64_text_write(place->address,
                               on ? INSTRUCTION_B | (distance & B_DISTANCE) : INSTRUCTION_NOP);
        }
    }
}

void hal_branch_sync(void) {
    isb();
}
