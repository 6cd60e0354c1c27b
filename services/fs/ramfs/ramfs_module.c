// SPDX-License-Identifier: MIT OR Apache-2.0
// ramfs_module.c: the manifest; one implementation serves four types of file system.
#include "ramfs.h"

#define MAGIC_RAMFS UINT64_C(0x858458f6)
#define MAGIC_TMPFS UINT64_C(0x01021994)

static const struct ramfs_type types[] = {
    // What starts the system may be larger than half of the memory; vfs_limit_growth() follows.
    { .name = "rootfs", .magic = MAGIC_RAMFS, .root_mode = 0755, .limits_names = true },
    { .name = "ramfs", .magic = MAGIC_RAMFS, .root_mode = 0755 },
    { .name = "devtmpfs",
      .magic = MAGIC_TMPFS,
      .root_mode = 0755,
      .limits_contents = true,
      .limits_names = true },
    { .name = "tmpfs",
      .magic = MAGIC_TMPFS,
      .root_mode = 01777,
      .limits_contents = true,
      .limits_names = true,
      .refuses_options = true },
};

struct hx_env *ramfs_env;

static enum hx_status ramfs_init(struct hx_env *env, void **out_self) {
    ramfs_env = env;
    for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
        enum hx_status status =
            hx_port_provide(env, "helix.fs", types[i].name, &ramfs_ops, (void *)&types[i]);
        if (status != HX_OK) {
            return status;
        }
    }
    *out_self = NULL;
    return HX_OK;
}

static const struct hx_port_provided ramfs_provides[] = { FS_PORT_PROVIDED };
static const struct hx_module_ops ramfs_module_ops = { .init = ramfs_init,
                                                       .import_state = ramfs_import };

HX_MODULE(ramfs, .name = "ramfs", .version = { 1, 0, 0 }, .phase = HX_PHASE_NORMAL,
          .provides = ramfs_provides, .provides_count = ARRAY_SIZE(ramfs_provides),
          .arena_version = RAMFS_SCHEMA, .arena_least = RAMFS_SCHEMA_LEAST,
          .ops = &ramfs_module_ops);
