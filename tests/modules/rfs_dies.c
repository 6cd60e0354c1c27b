// SPDX-License-Identifier: MIT OR Apache-2.0
// rfs_dies.c: a version of ramfs that dies of the tenth file that it makes.
#define RFS_CREATE create
#include <helix/ports/fs_port.h>

static enum hx_status create(void *mounted, uint64_t directory, struct fs_name name,
                             const struct fs_info *wanted, struct fs_info *out_info);
#include "rfs.h"

static enum hx_status create(void *mounted, uint64_t directory, struct fs_name name,
                             const struct fs_info *wanted, struct fs_info *out_info) {
    static _Atomic uint32_t made;
    if (atomic_fetch_add_explicit(&made, 1, memory_order_relaxed) == 9) {
        __builtin_trap();
    }
    return ramfs_ops.create(mounted, directory, name, wanted, out_info);
}

RFS(5, RAMFS_SCHEMA, 0, .import_state = ramfs_import);
