// SPDX-License-Identifier: MIT OR Apache-2.0
// private.h: what the files of this folder share.
#pragma once

#include <io/device.h>

#define IO_WINDOW_MAX (1u << 20) // bytes; what is larger is no register

// Adds a device. Boot context. The caller fills all but link and is_taken. HX_ERR_NO_MEMORY
enum hx_status device_add(const struct io_device *device);
// Number `index` of all devices; NULL: no more.
struct io_device *device_at(uint32_t index);
// A register of 1, 2 or 4 bytes that lies in a window that is mapped; NULL: it does not.
volatile uint8_t *device_register(const struct io_device *device, uint32_t window, uint32_t offset,
                                  uint32_t bytes);
// Whether that is a place for registers: no memory, not too large, not nothing.
bool device_range_is_sound(struct paddr base, uint64_t size_bytes);
// Each finds the devices of a kind.
void pci_find(void);
void virtio_mmio_find(const struct cmdline *cmdline);
// Turns the device's message interrupts on, with the first one at a line of its own.
// HX_ERR_NOT_SUPPORTED: it has none, or the machine does not take them; HX_ERR_NO_DEVICE
enum hx_status pci_message_on(struct io_device *device);
// The same with number `index`, 1 and on, once they are on.
enum hx_status pci_message_add(struct io_device *device, uint32_t index, uint32_t *out_line);
// Lets the device answer in its windows, as firmware may or may not have done.
void pci_windows_on(const struct io_device *device);
// Lets it read and write memory.
void pci_device_on(const struct io_device *device);
// Lets it pull its line.
void pci_line_on(const struct io_device *device);
// It does not any more.
void pci_line_off(const struct io_device *device);
// It does neither any more; its windows answer.
void pci_device_off(const struct io_device *device);
