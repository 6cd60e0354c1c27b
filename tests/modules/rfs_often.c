// SPDX-License-Identifier: MIT OR Apache-2.0
// rfs_often.c: a version of ramfs that dies of making a file, once in each life that is old enough:
// before it, with half of an update done, or when all is done and nobody was told.
#define RFS_CREATE create
#include <helix/ports/fs_port.h>

static enum hx_status create(void *mounted, uint64_t directory, struct fs_name name,
                             const struct fs_info *wanted, struct fs_info *out_info);
#include "rfs.h"

#define LIFE_NS 130000000 // so that the rule does not give the module up

static time_ns_t began;

static void dies_in_the_middle(void) {
    struct hx_update *update = hx_update_create(ramfs_env);
    struct ramfs_node *node = rfs_first();
    if (update != NULL && node != NULL && hx_arena_new(update, RAMFS_NODE, 300) != NULL &&
        hx_arena_change(update, node) != NULL) {
        node->info.links += 7;
    }
    __builtin_trap();
}

static enum hx_status create(void *mounted, uint64_t directory, struct fs_name name,
                             const struct fs_info *wanted, struct fs_info *out_info) {
    const bool dies = hx_time_now() - began > LIFE_NS;
    const int64_t way = began % 3;
    if (dies && way == 0) {
        __builtin_trap();
    } else if (dies && way == 1) {
        dies_in_the_middle();
    }
    enum hx_status status = ramfs_ops.create(mounted, directory, name, wanted, out_info);
    if (dies) {
        __builtin_trap();
    }
    return status;
}

static enum hx_status often_start(void *self) {
    (void)self;
    began = hx_time_now();
    return HX_OK;
}

RFS(7, RAMFS_SCHEMA, 0, .import_state = ramfs_import, .start = often_start);
