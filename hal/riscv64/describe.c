// SPDX-License-Identifier: MIT OR Apache-2.0
// hal/riscv64/describe.c: a hart in Linux's words (arch/riscv/kernel/cpu.c of Linux 6.1).
#include "private.h"

#include <lib/format.h>

size_t hal_cpu_describe(uint32_t cpu, char *buffer, size_t capacity) {
    if (capacity == 0) {
        return 0;
    }
    const size_t length =
        format_string(buffer, capacity, "hart\t\t: %lu\nisa\t\t: %s\nmmu\t\t: sv%u\n",
                      (unsigned long)riscv64_harts[cpu].id, riscv64_firmware.isa,
                      PAGE_SHIFT + 9 * (riscv64_root_level + 1));
    return MIN_OF(length, capacity - 1);
}
