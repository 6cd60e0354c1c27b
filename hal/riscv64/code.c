// SPDX-License-Identifier: MIT OR Apache-2.0
// hal/riscv64/code.c: code that was written, and the harts that fetch it.
//
// FENCE.I makes this hart alone fetch what was written (unprivileged ISA 20191213, chapter 3). So
// each time that a page becomes executable somewhere, a count goes up; a hart that runs in that
// page table now is told by the SBI, and the others see the count when they activate a page table.
// Either the one who publishes sees the hart's root, or the hart sees the count: both write first
// and read then, by exchanges.
#include "private.h"

#include <hal/user_abi.h>

static _Atomic uint64_t generation;

// The harts but this one on which a page table is active.
static uint64_t users_of(struct paddr root) {
    uint64_t users = 0;
    for (uint64_t left = smp_others(); left != 0; left &= left - 1) {
        const uint32_t cpu = (uint32_t)__builtin_ctzll(left);
        if (atomic_load_explicit(&riscv64_blocks[cpu]->root, memory_order_seq_cst) == root.value) {
            users |= 1ull << cpu;
        }
    }
    return users;
}

void code_publish(struct paddr root) {
    atomic_fetch_add_explicit(&generation, 1, memory_order_seq_cst);
    fence_i();
    const uint64_t users = users_of(root);
    if (users != 0) {
        sbi_call_harts(users, SBI_FENCE, SBI_FENCE_I, 0, 0);
    }
}

void code_activated(struct paddr root) {
    struct cpu_block *block = cpu_block();
    // An exchange, since a look follows (decision 026).
    (void)atomic_exchange_explicit(&block->root, root.value, memory_order_seq_cst);
    const uint64_t now = atomic_load_explicit(&generation, memory_order_seq_cst);
    if (now != block->code_seen) {
        block->code_seen = now;
        fence_i();
    }
}

void hal_code_publish(void) {
    unsigned long state = hal_irq_save();
    code_publish(paddr_make(atomic_load_explicit(&cpu_block()->root, memory_order_relaxed)));
    hal_irq_restore(state);
}
