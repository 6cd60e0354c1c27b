// SPDX-License-Identifier: MIT OR Apache-2.0
// <hal/pci.h>: how PCI's configuration spaces are reached. Called by subsys/io alone.
//
// A function is named by a number: bus << 8 | device << 3 | function. What it answers is its own
// and not trusted; <lib/pci.h> reads it.
#pragma once

#include <helix/types.h>

// How many buses, from bus 0 on, can be reached; 0: the machine has no PCI. Boot or thread context,
// after hal_init().
uint32_t hal_pci_buses(void);
// Reads the word at `offset`, a multiple of 4 below 256, of a function's configuration; all ones if
// there is no such function. Any context, after hal_init(); atomic against other accesses.
uint32_t hal_pci_read(uint32_t function, uint32_t offset);
// Writes one; nothing happens if there is no such function. As above.
void hal_pci_write(uint32_t function, uint32_t offset, uint32_t value);
// Where memory BARs may be placed, below 4 GiB, on a machine whose firmware places none. False:
// firmware has placed them. Boot context, after hal_init().
bool hal_pci_memory(struct paddr *out_base, uint64_t *out_size_bytes);
// The line of a function's interrupt pin (1 … 4) as the machine wires it, for hal_irq_enable();
// HAL_IRQ_LINES: none. Boot or thread context, after hal_init().
uint32_t hal_pci_line(uint32_t function, uint32_t pin);
// Which function is the virtio IOMMU that translates what `function` does to memory, and how that
// is called there, as firmware says. False: none; its addresses are the machine's. Boot or thread
// context, after hal_init().
bool hal_pci_iommu(uint32_t function, uint32_t *out_iommu, uint32_t *out_endpoint);
