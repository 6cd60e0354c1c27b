// SPDX-License-Identifier: MIT OR Apache-2.0
// rfs_half.c: a version of ramfs with another schema that gives up in the middle of the change.
#include "rfs.h"

static enum hx_status import(void *self, uint32_t schema_version) {
    struct hx_update *update = hx_update_create(ramfs_env);
    struct ramfs_node *node = update != NULL ? hx_arena_change(update, rfs_first()) : NULL;
    (void)self;
    (void)schema_version;
    if (node == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    node->info.mode = 0;
    hx_arena_commit(update);
    return HX_ERR_NOT_SUPPORTED;
}

RFS(7, RAMFS_SCHEMA + 1, RAMFS_SCHEMA, .import_state = import);
