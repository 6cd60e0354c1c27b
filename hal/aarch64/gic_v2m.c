// SPDX-License-Identifier: MIT OR Apache-2.0
// hal/aarch64/gic_v2m.c: GICv2m, which turns messages of PCI's devices into lines of a GICv2: a
// write of a line's number to a register pulls that line (Arm Server Base System Architecture 7.1,
// appendix E.5; Linux 6.1, bindings/interrupt-controller/arm,gic.yaml). The first frame is used.
#include "private.h"

#define FRAME_TYPER       0x008u
#define FRAME_SET         0x040u
#define FRAME_BYTES       0x1000u
#define TYPER_BASE(typer) ((typer) >> 16 & 0x3ff)
#define TYPER_COUNT(typ)  ((typ) & 0x3ff)

static uint64_t frame_set;     // the register's physical address; 0: there is no frame
static uint32_t first_line;    // of its lines
static uint32_t last_line;     // behind them
static _Atomic uint32_t taken; // of its lines

// What the tree says in place of the register.
static uint32_t number_of(const struct fdt_node *node, const char *name, uint32_t absent) {
    struct fdt_property property;
    uint32_t value;
    return fdt_property(&tree_fdt, node, name, &property) && fdt_u32(&property, 0, &value) ? value
                                                                                           : absent;
}

void gic_v2m_init(void) {
    struct fdt_node node;
    uint64_t base;
    uint64_t size;
    fdt_root(&tree_fdt, &node);
    if (!fdt_next_compatible(&tree_fdt, "arm,gic-v2m-frame", &node) ||
        !tree_registers(&node, 0, &base, &size) || size < FRAME_BYTES) {
        return;
    }
    const volatile uint8_t *registers =
        aarch64_device_map(base, FRAME_BYTES, HAL_MAP_READ | HAL_MAP_UNCACHED);
    if (registers == NULL) {
        return;
    }
    const uint32_t typer = mmio_read32(registers + FRAME_TYPER);
    const uint32_t first = number_of(&node, "arm,msi-base-spi", TYPER_BASE(typer));
    const uint32_t count = number_of(&node, "arm,msi-num-spis", TYPER_COUNT(typer));
    if (first < INTID_SPI || !gic_lines_edge(first - INTID_SPI, count)) {
        return;
    }
    first_line = first - INTID_SPI;
    last_line = first_line + count;
    frame_set = base + FRAME_SET;
}

enum hx_status gic_v2m_message(uint32_t *out_line, uint64_t *out_address, uint32_t *out_data) {
    if (frame_set == 0) {
        return HX_ERR_NOT_SUPPORTED;
    }
    uint32_t mine = atomic_load_explicit(&taken, memory_order_relaxed);
    do {
        if (mine >= last_line - first_line) {
            return HX_ERR_NO_DEVICE;
        }
    } while (!atomic_compare_exchange_weak_explicit(&taken, &mine, mine + 1, memory_order_relaxed,
                                                    memory_order_relaxed));
    *out_line = first_line + mine;
    *out_address = frame_set;
    *out_data = INTID_SPI + *out_line;
    return HX_OK;
}
