// SPDX-License-Identifier: MIT OR Apache-2.0
// <io/block.h>: block devices: the user of the port helix.block. Each disk is /dev/vda and on, its
// partitions /dev/vda1 and on, as they were when it came. A disk that nobody has open goes when its
// driver is unloaded; the next one that comes has the first name that is free.
//
// Reads and writes go to the device at once; nothing is cached. They end when the device answers. A
// disk that has something to do and completes nothing at all for BLOCK_PATIENCE_NS is reset, and
// what it had fails with HX_ERR_IO; a request that is slow while others are answered is waited for.
// A disk that is silent after each reset is dead in the end. A kill ends the waiting alone.
#pragma once

#include <helix/types.h>

#define BLOCK_PATIENCE_NS ((time_ns_t)30 * 1000000000)
#define BLOCK_MAJOR       254u // of local and experimental use, as virtio disks have on Linux
#define BLOCK_MINORS      16u  // of a disk and its partitions
#define BLOCK_DISKS_MAX   16u

// Registers with the name space and for the port. Boot context, once, before modules.
enum hx_status block_init(void);

// A disk or a partition, for listings.
struct block_line {
    char name[16];
    uint32_t minor;
    uint64_t bytes;
};
// Number `index` of all; false: no more. Thread context.
bool block_line_at(uint32_t index, struct block_line *out_line);
// Makes safe what was written to all disks; what does not work is logged. Thread context.
void block_flush_all(void);
