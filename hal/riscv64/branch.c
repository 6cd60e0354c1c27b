// SPDX-License-Identifier: MIT OR Apache-2.0
// hal/riscv64/branch.c: rewrites the places of a branch while other harts run them.
//
// A place is four bytes at a multiple of four, which is fetched whole (Ziccif, of all RVA
// profiles): a hart takes the old instruction or the new one. After hal_branch_sync(), FENCE.I,
// each has the new one (unprivileged ISA, chapter 3).
#include "private.h"

#include <hal/branch.h>

#define INSTRUCTION_NOP 0x00000013u
#define INSTRUCTION_J   0x0000006fu // JAL x0

struct place {
    uint64_t address;
    uint64_t target;
    uint64_t key;
};
// Set by the linker script.
extern const struct place riscv64_branches_start[];
extern const struct place riscv64_branches_end[];

// The distance's bits 20, 10 … 1, 11, 19 … 12 from the top (unprivileged ISA, 2.3).
static uint32_t jump(uint64_t distance) {
    const uint32_t bits = (uint32_t)distance;
    return INSTRUCTION_J | (bits >> 20 & 1) << 31 | (bits >> 1 & 0x3ff) << 21 |
           (bits >> 11 & 1) << 20 | (bits >> 12 & 0xff) << 12;
}

void hal_branch_write(uint32_t key, bool on, uint32_t step) {
    (void)step;
    const struct place *place = riscv64_branches_start;
    for (; place < riscv64_branches_end; place++) {
        if (place->key == key) {
            riscv64_text_write(place->address,
                               on ? jump(place->target - place->address) : INSTRUCTION_NOP);
        }
    }
}

void hal_branch_sync(void) {
    fence_i();
}
