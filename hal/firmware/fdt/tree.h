// SPDX-License-Identifier: MIT OR Apache-2.0
// hal/firmware/fdt/tree.h: the device tree, for the machines that have one (Devicetree
// Specification 0.4). boot checked the tree as a whole; here each property is looked at.
#pragma once

#include <hal/io.h>
#include <helix/types.h>
#include <lib/fdt.h>

extern struct fdt tree_fdt;

// Finds the tree that boot found; false if there is none. Boot context, first of all.
bool tree_open(const struct boot_info *info);
// The node that /chosen names for output (3.6), without the options behind a colon, if it is
// compatible with `compatible`; else the first that is. False: none. An alias is not followed.
bool tree_console(const char *compatible, struct fdt_node *out_node);
// As fdt_reg(), for registers, whose place has to be a multiple of 8: an access that is not aligned
// faults there. False also if it is not.
bool tree_registers(const struct fdt_node *node, uint32_t index, uint64_t *out_base,
                    uint64_t *out_size_bytes);
// The line of a node's interrupt `index`; HAL_IRQ_LINES: it has none.
uint32_t tree_line(const struct fdt_node *node, uint32_t index);

// Maps the I/O window of a PCI host bridge, if there is one. After hal_mmu_init().
void tree_devices_init(void);
// Finds the I/O window of a PCI host bridge, and gives its first serial port COM2's address; its
// line goes to isa_lines[3]. The window's registers; NULL: there is none.
volatile uint8_t *tree_ports_map(uint32_t *isa_lines);

// The number by which message interrupts of that function of PCI reach the controller with that
// phandle ("msi-map"). False: they do not.
bool tree_message_id(uint32_t function, uint32_t controller, uint32_t *out_id);

// ---- what the machine defines -----------------------------------------------------------------

#define TREE_INTERRUPT_CELLS_MAX 4u

// Its interrupt controller, to which the devices that drivers open are connected.
struct tree_controller {
    uint32_t address_cells; // in front of an interrupt, in a bridge's map
    uint32_t interrupt_cells;
    uint32_t (*line)(const uint32_t *cells); // HAL_IRQ_LINES: it is none
};
extern const struct tree_controller tree_controller;
