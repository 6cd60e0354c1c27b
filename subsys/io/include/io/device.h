// SPDX-License-Identifier: MIT OR Apache-2.0
// <io/device.h>: the devices of the machine, as they were found at boot. They stay for good.
#pragma once

#include <hal/io.h>
#include <helix/types.h>
#include <lib/cmdline.h>
#include <lib/list.h>
#include <lib/pci.h>

#define IO_WINDOWS     6u
#define IO_NO_FUNCTION UINT32_MAX
#define IO_MESSAGES    16u // of a device's, that are used

struct io_window {
    volatile void *registers; // NULL: there is none, or nobody opened the device yet
    size_t size_bytes;
    struct paddr base;
};

// A message of a device, with the line that is its for good: the next driver gets it again.
struct io_message {
    uint32_t line;
    uint32_t data;
    uint64_t address;
};

struct io_device {
    struct list link;
    char name[20]; // "virtio:2", "pci8086,100e"
    struct io_window windows[IO_WINDOWS];
    uint32_t line;           // HAL_IRQ_LINES: none
    uint32_t pin;            // the line that it had before its first message
    uint32_t function;       // on PCI; IO_NO_FUNCTION
    struct pci_msix msix;    // count 0: none
    uint32_t messages_known; // a bit for each that has a line
    struct io_message messages[IO_MESSAGES];
    _Atomic bool is_message; // the line is that of its first message
    _Atomic bool is_taken;
    _Atomic(const char *) owner; // the module that has taken it; NULL: none, or the kernel
    // Behind an IOMMU that is in use (<io/dma.h>); NULL: its addresses are the machine's. Set
    // before anybody has the device.
    struct dma_domain *domain;
};

// Finds the devices; words of the command line name some, too (virtio_mmio.device=, as Linux has
// it). Boot context, once, with a heap.
void io_devices_find(const struct cmdline *cmdline);

// Takes device number `index` of those of that name, with its registers mapped. `owner` is the
// module's name, borrowed for good; NULL: the kernel.
// HX_ERR_NOT_FOUND: no more of them; HX_ERR_BUSY: somebody has it; HX_ERR_NO_MEMORY; HX_ERR_IO: its
// IOMMU does not let it near memory
enum hx_status io_device_take(const char *name, uint32_t index, const char *owner,
                              struct io_device **out_device);
// The line of its interrupt, by a message if it has those; the driver is about to register for it.
// HAL_IRQ_LINES: it has none. Thread context; the one that took it.
uint32_t io_device_line(struct io_device *device);
// The line of message `index`, 1 and on, once the first one is on; it is asked for once.
// HX_ERR_NOT_SUPPORTED: there is none such below IO_MESSAGES, or the device has no messages on;
// HX_ERR_NO_DEVICE: no line is left. Thread context; the one that took it.
enum hx_status io_device_message(struct io_device *device, uint32_t index, uint32_t *out_line);
// Somebody listens to that line: the device may pull it. Thread context.
void io_device_line_on(const struct io_device *device);
// Its driver is dead: on PCI it pulls its line no more. Thread context.
void io_device_line_off(const struct io_device *device);
// All devices of a module, which is dead and which nobody is inside, are quiet from here on: those
// that can be reset are, and behind an IOMMU and on PCI they reach no memory. Whether that is
// certain: each says that it was reset, or an IOMMU that it is kept from memory. Thread context.
bool io_devices_end(const char *owner);
// Then others may take them.
void io_devices_release(const char *owner);
// A word of its PCI configuration, at a multiple of 4; all ones where there is none.
uint32_t io_device_config(const struct io_device *device, uint32_t offset);

// Number `index` of all devices; NULL: no more.
const struct io_device *io_device_at(uint32_t index);
