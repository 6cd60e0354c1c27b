// SPDX-License-Identifier: MIT OR Apache-2.0
// hal/hosted/disk.h: the disk as the rest of the folder sees it.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define DISK_REGISTER_BYTES 0x200u

// The place of its registers; nothing lies there.
extern uint8_t disk_registers[DISK_REGISTER_BYTES];

bool disk_init(void); // false: the host gives no thread
// Whether it raises its line. Any host thread.
bool disk_is_raised(void);
// Registers, by their offset. From any processor; may wait for the disk for as long as it takes to
// copy a page.
uint32_t disk_register_read(uint32_t offset, uint32_t bytes);
void disk_register_write(uint32_t offset, uint32_t value);
