// SPDX-License-Identifier: MIT OR Apache-2.0
// <lib/fdt.h>: reads a flattened device tree (Devicetree Specification 0.4, chapters 2 and 5).
//
// The block is the loader's and hostile: fdt_open() looks at all of it once, and what it took holds
// together from then on, so the other functions need no errors but "not there". The results borrow
// the block, which must not change. Nothing outside it is read, whatever it holds.
#pragma once

#include <helix/types.h>

#define FDT_HEADER_BYTES 40u
#define FDT_SIZE_MAX     (2u << 20) // more is refused, as Linux's arm64 boot protocol does
#define FDT_DEPTH_MAX    16u        // nodes in nodes; more is refused

struct fdt {
    const uint8_t *structure; // borrowed
    uint32_t structure_bytes;
    const char *strings;
    uint32_t strings_bytes;
    const uint8_t *reserved; // pairs of base and size
    uint32_t reserved_count;
};

// A node, and what its place in the tree says about how its properties are read. Filled by
// fdt_next() and fdt_find() alone.
struct fdt_node {
    const char *name;          // with the unit address
    uint32_t depth;            // 0: the root
    uint32_t properties;       // where they begin in the structure
    uint32_t next;             // where fdt_next() goes on
    uint32_t address_cells;    // of "reg", as the parent says
    uint32_t size_cells;       // likewise
    uint32_t interrupt_parent; // the phandle, inherited; 0: none
    struct fdt_cells {
        uint8_t address, size;
        uint32_t interrupt_parent;
    } stack[FDT_DEPTH_MAX + 1]; // what the node at each depth says to its children
};

struct fdt_property {
    const uint8_t *data;
    uint32_t size_bytes;
};

// The size of the whole block, from its first FDT_HEADER_BYTES bytes.
// HX_ERR_CORRUPT: not a tree, or smaller than a header, or larger than FDT_SIZE_MAX.
enum hx_status fdt_size(const void *header, size_t *out_size_bytes);

// Checks the whole block, of which `size_bytes` bytes can be read.
// HX_ERR_CORRUPT: parts do not lie in it, do not nest, are deeper than FDT_DEPTH_MAX, or end badly.
enum hx_status fdt_open(const void *block, size_t size_bytes, struct fdt *out_fdt);

// Range `index`, below fdt->reserved_count, of the memory that is not to be used.
void fdt_reserved(const struct fdt *fdt, uint32_t index, uint64_t *out_base,
                  uint64_t *out_size_bytes);

// The first node, which is the root.
void fdt_root(const struct fdt *fdt, struct fdt_node *out_node);
// The next one in the order of the tree: children before siblings. False: there is none.
bool fdt_next(const struct fdt *fdt, struct fdt_node *node);
// The node at a path of full names from the root ("/cpus", "/chosen"; a name may leave out its unit
// address). False: there is none.
bool fdt_find(const struct fdt *fdt, const char *path, struct fdt_node *out_node);
// Whether a node is there to be used: it has no "status", or one of "okay" (2.3.4; "ok" is an older
// spelling). Firmware that keeps memory or a device for itself lists it as "disabled".
bool fdt_is_usable(const struct fdt *fdt, const struct fdt_node *node);
// The first usable node behind *node in the order of the tree that says it is compatible with
// `name`; fdt_root() comes before. False: there is none.
bool fdt_next_compatible(const struct fdt *fdt, const char *name, struct fdt_node *node);

// A property of the node; false: it has none such.
bool fdt_property(const struct fdt *fdt, const struct fdt_node *node, const char *name,
                  struct fdt_property *out_property);
// The 32-bit number `index` of a property; false: it is shorter.
bool fdt_u32(const struct fdt_property *property, uint32_t index, uint32_t *out_value);
// A number of one or two cells, as the property's size says; false: another size.
bool fdt_number(const struct fdt_property *property, uint64_t *out_value);
// The property as a terminated text; NULL if it is none, or the node lacks it.
const char *fdt_text(const struct fdt *fdt, const struct fdt_node *node, const char *name);
// Whether `text` is one of the property's texts.
bool fdt_has_text(const struct fdt_property *property, const char *text);

// Where a map of numbers sends `id` ("msi-map", "iommu-map"; Linux 6.1, bindings/pci/pci-msi.txt
// and pci-iommu.txt): entries of four cells: the first number, the controller's phandle, the first
// number there, how many. False: no entry has it for this controller, or the number there would be
// larger than 32 bits.
bool fdt_map_id(const struct fdt_property *map, uint32_t controller, uint32_t id, uint32_t *out_id);
// The same of the map `name` that a node has, for the bits of `id` that its mask ("NAME-mask")
// keeps: all, if there is none. False also if there is no such map, or a mask without a cell.
bool fdt_map_find(const struct fdt *fdt, const struct fdt_node *node, const char *name,
                  uint32_t controller, uint32_t id, uint32_t *out_id);

// Entry `index` of the node's "reg", addresses as the parent has them. False: it has fewer, the
// range wraps around, or its cells are not 1 or 2 each (0 for the size: *out_size_bytes is 0).
bool fdt_reg(const struct fdt *fdt, const struct fdt_node *node, uint32_t index, uint64_t *out_base,
             uint64_t *out_size_bytes);
