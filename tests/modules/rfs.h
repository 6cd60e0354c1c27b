// SPDX-License-Identifier: MIT OR Apache-2.0
// rfs.h: ramfs as a package of another version, for tests/devices/swap_files.c. Who includes this
// says with RFS() what is different in its life and in its manifest, and with RFS_CREATE, what is
// in its create.
#pragma once

#include "../../services/fs/ramfs/ramfs.h"

#ifdef RFS_CREATE
// With the port's operations changed.
static enum hx_status rfs_provide(struct hx_env *env, const char *port, const char *slot,
                                  const struct fs_ops *operations, void *self) {
    static struct fs_ops changed;
    changed = *operations;
    changed.create = RFS_CREATE;
    return hx_port_provide(env, port, slot, &changed, self);
}
#define hx_port_provide rfs_provide
#endif

#undef HX_MODULE
#define HX_MODULE(identifier, ...)                                                                 \
    __attribute__((unused)) static const struct hx_module identifier = { __VA_ARGS__ }
#include "../../services/fs/ramfs/ramfs_module.c"

#define RFS(minor, schema, least, ...)                                                             \
    static const struct hx_module_ops rfs_operations = { .init = ramfs_init, __VA_ARGS__ };        \
    static const struct hx_module rfs_module = { .sdk_abi = HX_SDK_ABI,                            \
                                                 .name = "ramfs",                                  \
                                                 .version = { 1, minor, 0 },                       \
                                                 .phase = HX_PHASE_NORMAL,                         \
                                                 .provides = ramfs_provides,                       \
                                                 .provides_count = ARRAY_SIZE(ramfs_provides),     \
                                                 .arena_version = (schema),                        \
                                                 .arena_least = (least),                           \
                                                 .ops = &rfs_operations };                         \
    __attribute__((used,                                                                           \
                   section("helix_modules"))) static const struct hx_module *const rfs_pointer =   \
        &rfs_module

// The first node that is found.
static inline struct ramfs_node *rfs_first(void) {
    void *object;
    uint32_t index = 0;
    while (hx_arena_walk(ramfs_env, &index, &object, 1) != 0) {
        if (hx_object_type(object) == RAMFS_NODE) {
            return object;
        }
    }
    return NULL;
}
