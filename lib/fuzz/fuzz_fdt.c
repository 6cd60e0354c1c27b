// SPDX-License-Identifier: MIT OR Apache-2.0
// Any bytes as a device tree: what was taken is walked as a whole.
#include "fuzz.h"

#include <lib/fdt.h>

static void walk(const struct fdt *fdt) {
    struct fdt_node node;
    struct fdt_property property;
    uint64_t base;
    uint64_t size;
    uint32_t nodes = 0;
    fdt_root(fdt, &node);
    do {
        FUZZ_ASSERT(node.depth <= FDT_DEPTH_MAX && nodes++ <= FDT_SIZE_MAX);
        if (fdt_property(fdt, &node, "compatible", &property)) {
            fuzz_touch(property.data, property.size_bytes);
            (void)fdt_has_text(&property, "arm,pl011");
        }
        if (fdt_reg(fdt, &node, 0, &base, &size)) {
            FUZZ_ASSERT(base + size >= base);
        }
        (void)fdt_text(fdt, &node, "device_type");
        (void)fdt_is_usable(fdt, &node);
        uint32_t id;
        (void)fdt_map_find(fdt, &node, "msi-map", 1, 8, &id);
    } while (fdt_next(fdt, &node));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct fdt fdt;
    struct fdt_node node;
    if (fdt_open(data, size, &fdt) != HX_OK) {
        return 0;
    }
    for (uint32_t i = 0; i < fdt.reserved_count; i++) {
        uint64_t base;
        uint64_t bytes;
        fdt_reserved(&fdt, i, &base, &bytes);
    }
    walk(&fdt);
    (void)fdt_find(&fdt, "/chosen/a@1", &node);
    fdt_root(&fdt, &node);
    (void)fdt_next_compatible(&fdt, "arm,gic-v3", &node);
    return 0;
}
