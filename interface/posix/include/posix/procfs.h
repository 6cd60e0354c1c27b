// SPDX-License-Identifier: MIT OR Apache-2.0
// <posix/procfs.h>: the file system type "proc", and how others add to /proc/helix.
//
// Everything in it is text that is made as it is read; nothing is kept. Context: thread.
#pragma once

#include <helix/types.h>

// Registers the file system type "proc". HX_ERR_EXISTS.
enum hx_status procfs_init(void);

// Adds a line `key value` to /proc/helix/boot, or changes its value. The key is borrowed for good.
// Any context. At most 16 keys; more are dropped.
void procfs_boot_value(const char *key, uint64_t value);
