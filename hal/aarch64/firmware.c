// SPDX-License-Identifier: MIT OR Apache-2.0
// hal/aarch64/firmware.c: what the device tree says about processors, the timer and power
// (Devicetree Specification 0.4; Linux 6.1, Documentation/devicetree/bindings/{arm,timer}). boot
// checked the tree as a whole; here each property is looked at.
#include "private.h"

#include <lib/string.h>

#define INTERRUPT_CELLS 3u // kind, number, flags: arm,gic.yaml
#define INTERRUPT_SPI   0u
#define INTERRUPT_PPI   1u
#define INTID_PPI       16u
#define TIMER_VIRTUAL   2u // its place in arm,armv8-timer's list
#define MPIDR_AFFINITY  0xff00fffffful

struct firmware aarch64_firmware;
uint64_t aarch64_cpu_mpidr[HAL_CPU_MAX];
uint32_t aarch64_cpu_total;

void aarch64_firmware_open(const struct boot_info *info) {
    if (!tree_open(info)) {
        aarch64_die("the loader brought no device tree");
    }
}

bool aarch64_firmware_interrupt(const struct fdt_node *node, uint32_t index, uint32_t *out_intid) {
    struct fdt_property property;
    uint32_t kind;
    uint32_t number;
    if (!fdt_property(&tree_fdt, node, "interrupts", &property) ||
        !fdt_u32(&property, index * INTERRUPT_CELLS, &kind) ||
        !fdt_u32(&property, index * INTERRUPT_CELLS + 1, &number) || kind != INTERRUPT_PPI ||
        number >= INTID_SPI - INTID_PPI) {
        return false;
    }
    *out_intid = number + INTID_PPI;
    return true;
}

// A shared peripheral interrupt.
static uint32_t line_of(const uint32_t *cells) {
    return cells[0] == INTERRUPT_SPI && cells[1] < GIC_LINES ? cells[1] : HAL_IRQ_LINES;
}

const struct tree_controller tree_controller = {
    .address_cells = 2,
    .interrupt_cells = INTERRUPT_CELLS,
    .line = line_of,
};

// Processor 0 is the running one, whatever its place in the tree.
static void cpu_add(uint64_t mpidr) {
    for (uint32_t i = 0; i < aarch64_cpu_total; i++) {
        if (aarch64_cpu_mpidr[i] == mpidr) {
            return;
        }
    }
    if (aarch64_cpu_total < HAL_CPU_MAX) {
        aarch64_cpu_mpidr[aarch64_cpu_total++] = mpidr;
    }
}

// Those that PSCI starts (3.8.1; arm/cpus.yaml).
static void cpus_read(const struct fdt *fdt) {
    struct fdt_node node;
    cpu_add(sysreg_read("mpidr_el1") & MPIDR_AFFINITY);
    if (!aarch64_firmware.has_psci || !fdt_find(fdt, "/cpus", &node)) {
        return;
    }
    const uint32_t depth = node.depth;
    while (fdt_next(fdt, &node) && node.depth > depth) {
        const char *type = fdt_text(fdt, &node, "device_type");
        const char *method = fdt_text(fdt, &node, "enable-method");
        uint64_t mpidr;
        uint64_t size;
        if (type != NULL && strcmp(type, "cpu") == 0 && method != NULL &&
            strcmp(method, "psci") == 0 && fdt_reg(fdt, &node, 0, &mpidr, &size)) {
            cpu_add(mpidr & MPIDR_AFFINITY);
        }
    }
}

// arm/psci.yaml: from version 0.2 on the functions' numbers are fixed.
static void psci_read(const struct fdt *fdt) {
    struct fdt_node node;
    fdt_root(fdt, &node);
    if (fdt_next_compatible(fdt, "arm,psci-0.2", &node)) {
        const char *method = fdt_text(fdt, &node, "method");
        aarch64_firmware.has_psci = method != NULL;
        aarch64_firmware.psci_by_smc = method != NULL && strcmp(method, "smc") == 0;
    }
}

void aarch64_firmware_read(void) {
    const struct fdt *fdt = &tree_fdt;
    struct fdt_node node;
    psci_read(fdt);
    cpus_read(fdt);
    fdt_root(fdt, &node);
    if (!fdt_next_compatible(fdt, "arm,armv8-timer", &node) ||
        !aarch64_firmware_interrupt(&node, TIMER_VIRTUAL, &aarch64_firmware.timer_intid)) {
        aarch64_firmware.timer_intid = TIMER_PPI_DEFAULT;
    }
}
