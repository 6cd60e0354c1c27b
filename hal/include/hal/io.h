// SPDX-License-Identifier: MIT OR Apache-2.0
// <hal/io.h>: early text output, I/O ports for drivers, the end of the machine.
#pragma once

#include <boot/boot_info.h>
#include <helix/types.h>

// Finds the early console, where `info` or the machine says it is, and makes <hal/cpu.h>'s "this
// processor" part valid on processor 0. Keeps `info`. Boot context, interrupts off, the first call
// of all.
void hal_console_init(const struct boot_info *info);
// Writes `length` bytes and waits until the hardware took them; a newline also returns the
// carriage. Any context, a panic's and before hal_init_early() too; never fails: where there is no
// console, or it is stuck, the text is dropped. Not serialised: callers who want whole lines have a
// lock.
void hal_console_write(const char *text, size_t length);
// Whether there is one, as far as is known: it was found, and is not stuck. Any context.
bool hal_console_is_there(void);

// A device that firmware lists.
struct hal_device {
    struct paddr base; // of its registers, for hal_device_map()
    size_t size_bytes;
    uint32_t line; // its first interrupt, for hal_irq_enable(); HAL_IRQ_LINES: none
};

// Finds the device number `index` of those that firmware calls compatible with `compatible`: the
// device tree's word, and where there is no tree what stands for it ("virtio,mmio"). Nothing is
// mapped. Any context after hal_init().
// Returns HX_OK
//         HX_ERR_NOT_FOUND  no more of them
enum hx_status hal_device_find(const char *compatible, uint32_t index,
                               struct hal_device *out_device);
// Maps registers at a physical address that is no memory, uncached, for good; NULL: no room. Thread
// context, or boot context after hal_init().
volatile void *hal_device_map(struct paddr base, size_t size_bytes);
// Reads a device's register of 1, 2 or 4 bytes, at a multiple of them, in one access. Any context.
// Ordered with this processor's other accesses to the same device, and before its later loads from
// memory that devices write.
uint32_t hal_device_read(const volatile void *address, uint32_t bytes);
// Writes one, after this processor's earlier stores to memory that devices read are visible to
// them. Else as above.
void hal_device_write(volatile void *address, uint32_t bytes, uint32_t value);

// Reads a byte from an I/O port; all ones where the machine has no ports. Any context. Ordered with
// other port accesses of this processor and after its stores.
uint8_t hal_port_read8(uint16_t port);
// Writes one; nothing happens where the machine has no ports. As above.
void hal_port_write8(uint16_t port, uint8_t value);

// Switches the machine off, or stops this processor if that does not work. Any context, a panic's
// too; turns interrupts off; takes no lock.
NORETURN void hal_power_off(void);
// Restarts the machine by the first way that works. As above.
NORETURN void hal_restart(void);
// Ends an emulator that was started with an exit device; the emulator's exit status is code * 2 + 1
// on every machine, so that the tools look for one number. Returns if there is no such device. Any
// context.
void hal_debug_exit(uint8_t code);
