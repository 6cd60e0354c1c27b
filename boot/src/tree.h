// SPDX-License-Identifier: MIT OR Apache-2.0
// boot/src/tree.h: from a loader's device tree to struct boot_info.
#pragma once

#include <boot/boot_info.h>

// How the machine reaches physical memory while it boots.
struct boot_direct {
    uint64_t base;                            // physical address 0 is here
    uint64_t end;                             // physical addresses from here on are not reached
    void (*map)(uint64_t base, uint64_t end); // makes a range, as far as it lies below `end`, so
};

// Reads the tree at a physical address: memory, initial archive, command line, and itself. Maps the
// tree and all usable memory. What `firmware` says (NULL: there is none) of memory, of the archive
// and, if it has one, of the command line is taken in place of what the tree says. Borrows
// `firmware`. Boot context. False: there is no tree that makes sense.
bool boot_tree_read(struct boot_info *info, uint64_t address, const struct boot_direct *direct,
                    const struct boot_info *firmware);
