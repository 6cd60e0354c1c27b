// SPDX-License-Identifier: MIT OR Apache-2.0
// hal/riscv64/firmware.c: what the device tree says about harts and the timer (Linux 6.1,
// Documentation/devicetree/bindings/riscv/cpus.yaml).
#include "private.h"

#include <lib/string.h>

struct firmware riscv64_firmware;
struct hart riscv64_harts[HAL_CPU_MAX];
uint32_t riscv64_cpu_total;

void riscv64_firmware_open(const struct boot_info *info) {
    if (!tree_open(info)) {
        riscv64_die("the loader brought no device tree");
    }
    riscv64_harts[0].id = info->boot_cpu; // whatever its place in the tree
    riscv64_cpu_total = 1;
}

// The entry of a hart; NULL: there is no room.
static struct hart *hart_add(uint64_t id) {
    uint32_t i = 0;
    while (i < riscv64_cpu_total && riscv64_harts[i].id != id) {
        i++;
    }
    if (i == HAL_CPU_MAX) {
        return NULL;
    }
    if (i == riscv64_cpu_total) {
        riscv64_harts[i].id = id;
        riscv64_cpu_total++;
    }
    return &riscv64_harts[i];
}

// A hart that "status" calls "disabled" is not for us.
static bool is_usable_hart(const struct fdt *fdt, const struct fdt_node *node) {
    const char *type = fdt_text(fdt, node, "device_type");
    return type != NULL && strcmp(type, "cpu") == 0 && fdt_is_usable(fdt, node);
}

// What a hart can do; empty: the tree does not tell. Valid until the next call.
static const char *isa_read(const struct fdt *fdt, const struct fdt_node *node) {
    static char joined[ISA_CAPACITY];
    struct fdt_property names;
    const char *isa = fdt_text(fdt, node, "riscv,isa");
    const char *base = fdt_text(fdt, node, "riscv,isa-base");
    if (isa != NULL || base == NULL || !fdt_property(fdt, node, "riscv,isa-extensions", &names)) {
        return isa != NULL ? isa : "";
    }
    isa_join(base, (const char *)names.data, names.size_bytes, joined);
    return joined;
}

// One kind of timer serves all harts; the rest is the boot hart's word.
static void isa_note(const struct hart *hart, const char *isa) {
    riscv64_firmware.has_sstc = riscv64_firmware.has_sstc && isa_has(isa, "sstc");
    if (hart == &riscv64_harts[0]) {
        (void)string_copy(riscv64_firmware.isa, ISA_CAPACITY,
                          isa); // the end of a long one is left out
    }
}

// Others than the boot hart are started by the SBI, interrupted, and told of changed translations.
static bool can_have_others(void) {
    return sbi_has(SBI_HSM) && sbi_has(SBI_IPI) && sbi_has(SBI_FENCE);
}

// Harts, and the controller that is each one's child.
static void harts_read(const struct fdt *fdt) {
    struct fdt_node node;
    struct fdt_property property;
    struct hart *hart = NULL;
    uint64_t id;
    uint64_t size;
    const bool has_others = can_have_others();
    riscv64_firmware.has_sstc = true;
    if (!fdt_find(fdt, "/cpus", &node)) {
        return;
    }
    const uint32_t depth = node.depth;
    while (fdt_next(fdt, &node) && node.depth > depth) {
        if (node.depth == depth + 1) {
            hart = NULL;
            if (is_usable_hart(fdt, &node) && fdt_reg(fdt, &node, 0, &id, &size) &&
                (has_others || id == riscv64_harts[0].id)) {
                hart = hart_add(id);
            }
            if (hart != NULL) {
                isa_note(hart, isa_read(fdt, &node));
            }
        } else if (hart != NULL && fdt_property(fdt, &node, "interrupt-controller", &property) &&
                   fdt_property(fdt, &node, "phandle", &property)) {
            (void)fdt_u32(&property, 0, &hart->controller);
        }
    }
}

void riscv64_firmware_read(void) {
    struct fdt_node node;
    struct fdt_property property;
    harts_read(&tree_fdt);
    if (!fdt_find(&tree_fdt, "/cpus", &node) ||
        !fdt_property(&tree_fdt, &node, "timebase-frequency", &property) ||
        !fdt_number(&property, &riscv64_firmware.timer_hz) || riscv64_firmware.timer_hz == 0) {
        riscv64_die("the device tree does not tell the timer's rate");
    }
    riscv64_firmware.has_reset = sbi_has(SBI_RESET);
}
