// SPDX-License-Identifier: MIT OR Apache-2.0
// rfs_schema.c: a version of ramfs with another schema: mounts have a mark.
#include "rfs.h"

#define MARK 7u

static enum hx_status mark(struct hx_update *update, const struct ramfs_mount *mount) {
    struct ramfs_mount *changed = hx_arena_change(update, mount);
    if (changed == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    changed->reserved = MARK;
    hx_arena_commit(update);
    return HX_OK;
}

// Calls `visit` for each mount.
static enum hx_status for_mounts(struct hx_update *update,
                                 enum hx_status (*visit)(struct hx_update *update,
                                                         const struct ramfs_mount *mount)) {
    void *object;
    uint32_t index = 0;
    enum hx_status status = HX_OK;
    while (status == HX_OK && hx_arena_walk(ramfs_env, &index, &object, 1) != 0) {
        status = hx_object_type(object) == RAMFS_MOUNT ? visit(update, object) : HX_OK;
    }
    return status;
}

static enum hx_status import(void *self, uint32_t schema_version) {
    struct hx_update *update = hx_update_create(ramfs_env);
    enum hx_status status = update != NULL ? HX_OK : HX_ERR_NO_MEMORY;
    if (status == HX_OK && schema_version == RAMFS_SCHEMA) {
        status = for_mounts(update, mark);
    }
    return status == HX_OK ? ramfs_import(self, RAMFS_SCHEMA) : status;
}

static enum hx_status is_marked(struct hx_update *update, const struct ramfs_mount *mount) {
    (void)update;
    return mount->reserved == MARK ? HX_OK : HX_ERR_CORRUPT;
}

static enum hx_status test(void *self) {
    (void)self;
    return for_mounts(NULL, is_marked);
}

RFS(6, RAMFS_SCHEMA + 1, RAMFS_SCHEMA, .import_state = import, .self_test = test);
