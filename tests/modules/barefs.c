// SPDX-License-Identifier: MIT OR Apache-2.0
// barefs.c: a file system that keeps nothing for a next life, so that no other version can go on
// with its files.
#include "../../services/fs/ramfs/ramfs.h"

struct hx_env *ramfs_env;
static struct ramfs_type type = { .name = "barefs", .magic = 0x62617265, .root_mode = 0755 };

static enum hx_status start(struct hx_env *env, void **out_self) {
    ramfs_env = env;
    *out_self = &type;
    return hx_port_provide(env, "helix.fs", type.name, &ramfs_ops, &type);
}

static const struct hx_port_provided provides[] = { FS_PORT_PROVIDED };
static const struct hx_module_ops operations = { .init = start };

HX_MODULE(barefs, .name = "barefs", .version = { 1, 0, 0 }, .phase = HX_PHASE_NORMAL,
          .provides = provides, .provides_count = ARRAY_SIZE(provides), .ops = &operations);
