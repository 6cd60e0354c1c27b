// SPDX-License-Identifier: MIT OR Apache-2.0
// spoilfs.c: crumbfs, whose arena can be damaged: to make "!X" in a directory writes something else
// into an object of it, by a proper update, and "!-" puts back what was there.
#include "../../services/fs/ramfs/ramfs.h"

#include <lib/string.h>

struct hx_env *ramfs_env;
static struct ramfs_type type = { .name = "crumbfs", .magic = 0x6372756d, .root_mode = 0755 };
static struct fs_ops ops;

// In the directory, in the mount, or in the entry "f".
static const struct damage {
    char what;
    uint32_t of;
    uint32_t offset;
    uint32_t size_bytes;
    uint64_t value;
} damages[] = {
#define FIELD(type, field) offsetof(type, field), sizeof(((const type *)0)->field)
    { 'l', RAMFS_NODE, FIELD(struct ramfs_node, info.links), 77 },
    { 'n', RAMFS_NODE, FIELD(struct ramfs_node, info.node), 1 },
    { 't', RAMFS_NODE, FIELD(struct ramfs_node, target_length), 4095 },
    { 'r', RAMFS_MOUNT, FIELD(struct ramfs_mount, root), 1 },
    { 's', RAMFS_ENTRY, FIELD(struct ramfs_entry, length), 65536 },
    { 'c', RAMFS_ENTRY, FIELD(struct ramfs_entry, cookie), UINT64_MAX },
    { 'd', RAMFS_ENTRY, FIELD(struct ramfs_entry, directory), UINT64_MAX },
    { 'e', RAMFS_ENTRY, FIELD(struct ramfs_entry, node), UINT64_MAX },
};

static const void *spoiled;
static struct damage repair;

static enum hx_status put(struct ramfs *fs, const void *object, const struct damage *damage) {
    uint8_t *changed = hx_arena_change(fs->update, object);
    if (changed == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    spoiled = object;
    repair = *damage;
    memcpy(&repair.value, changed + damage->offset, damage->size_bytes);
    memcpy(changed + damage->offset, &damage->value, damage->size_bytes);
    hx_arena_commit(fs->update);
    return HX_ERR_EXISTS;
}

static enum hx_status spoil(struct ramfs *fs, uint64_t directory, char what) {
    const void *of[] = { [RAMFS_MOUNT] = fs->mount,
                         [RAMFS_NODE] = hx_arena_at(ramfs_env, directory),
                         [RAMFS_ENTRY] = ramfs_find(fs, directory, (struct fs_name){ "f", 1 }) };
    if (what == '-') {
        const struct damage before = repair;
        return put(fs, spoiled, &before);
    }
    for (size_t i = 0; i < ARRAY_SIZE(damages); i++) {
        if (damages[i].what == what && of[damages[i].of] != NULL) {
            return put(fs, of[damages[i].of], &damages[i]);
        }
    }
    return HX_ERR_INVALID;
}

static enum hx_status create(void *instance, uint64_t directory, struct fs_name name,
                             const struct fs_info *wanted, struct fs_info *out_info) {
    const void *mount = hx_arena_at(ramfs_env, (uintptr_t)instance);
    if (name.length == 2 && name.text[0] == '!' && mount != NULL) {
        return spoil(hx_object_of(mount)->local, directory, name.text[1]);
    }
    return ramfs_ops.create(instance, directory, name, wanted, out_info);
}

static enum hx_status start(struct hx_env *env, void **out_self) {
    ramfs_env = env;
    *out_self = &type;
    ops = ramfs_ops;
    ops.create = create;
    return hx_port_provide(env, "helix.fs", type.name, &ops, &type);
}

static const struct hx_port_provided provides[] = { FS_PORT_PROVIDED };
static const struct hx_module_ops operations = { .init = start, .import_state = ramfs_import };

HX_MODULE(crumbfs, .name = "crumbfs", .version = { 1, 0, 0 }, .phase = HX_PHASE_NORMAL,
          .provides = provides, .provides_count = ARRAY_SIZE(provides),
          .arena_version = RAMFS_SCHEMA, .ops = &operations);
