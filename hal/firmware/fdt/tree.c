// SPDX-License-Identifier: MIT OR Apache-2.0
// hal/firmware/fdt/tree.c: the tree, the console that it names, interrupts of its nodes.
#include "tree.h"

#include <hal/irq.h>
#include <hal/mmu.h>
#include <lib/string.h>

#define PATH_CAPACITY      128u
#define REGISTER_BYTES_MAX 8u

struct fdt tree_fdt;

bool tree_open(const struct boot_info *info) {
    const void *tree = hal_phys_to_virt(info->device_tree);
    return info->device_tree_bytes != 0 &&
           fdt_open(tree, info->device_tree_bytes, &tree_fdt) == HX_OK;
}

bool tree_console(const char *compatible, struct fdt_node *out_node) {
    struct fdt_property property;
    struct fdt_node node;
    char path[PATH_CAPACITY];
    const char *text =
        fdt_find(&tree_fdt, "/chosen", &node) ? fdt_text(&tree_fdt, &node, "stdout-path") : NULL;
    if (text != NULL && string_copy(path, sizeof(path), text)) {
        size_t length = 0;
        while (path[length] != '\0' && path[length] != ':') {
            length++;
        }
        path[length] = '\0';
        if (fdt_find(&tree_fdt, path, out_node) && fdt_is_usable(&tree_fdt, out_node) &&
            fdt_property(&tree_fdt, out_node, "compatible", &property) &&
            fdt_has_text(&property, compatible)) {
            return true;
        }
    }
    fdt_root(&tree_fdt, out_node);
    return fdt_next_compatible(&tree_fdt, compatible, out_node);
}

bool tree_registers(const struct fdt_node *node, uint32_t index, uint64_t *out_base,
                    uint64_t *out_size_bytes) {
    return fdt_reg(&tree_fdt, node, index, out_base, out_size_bytes) &&
           *out_base % REGISTER_BYTES_MAX == 0;
}

uint32_t tree_line(const struct fdt_node *node, uint32_t index) {
    struct fdt_property property;
    uint32_t cells[TREE_INTERRUPT_CELLS_MAX];
    const uint32_t count = tree_controller.interrupt_cells;
    if (!fdt_property(&tree_fdt, node, "interrupts", &property)) {
        return HAL_IRQ_LINES;
    }
    for (uint32_t i = 0; i < count; i++) {
        if (!fdt_u32(&property, index * count + i, &cells[i])) {
            return HAL_IRQ_LINES;
        }
    }
    return tree_controller.line(cells);
}
