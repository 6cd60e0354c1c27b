// SPDX-License-Identifier: MIT OR Apache-2.0
// mount.h: mounts and mounted file systems, inside the VFS.
//
// A mount shows the tree below `root` of a file system at the name `point` of its parent mount. The
// table by (parent, point) is read in an epoch, and changed under `mounts_lock` with the tree's
// sequence advanced. The first reference of a mount is the tree's; a mount without parent is the
// root of a space, or was taken out of the tree.
#pragma once

#include "name.h"

struct mount {
    struct object object;
    _Atomic(struct mount *) next;   // in the bucket
    _Atomic(struct mount *) parent; // [mounts_lock] keeps
    _Atomic(struct name *) point;   // [mounts_lock] keeps
    struct name *root;              // keeps
    struct filesystem *fs;          // keeps
    _Atomic uint32_t flags;         // MOUNT_…
    _Atomic int32_t writers;        // as filesystem.writers, of what is open by it
    uint32_t id;
    uint32_t children;         // [mounts_lock] mounts on names of this one
    struct list space_link;    // [mounts_lock]
    struct mount_space *space; // [mounts_lock] NULL: not in a tree
    char *source;              // own
    struct epoch_item item;
};

struct mount_space {
    struct object object;
    struct list mounts; // [mounts_lock] in order of mounting
    struct mount *root; // keeps
};

static inline uint32_t mount_flags(const struct mount *mount) {
    return atomic_load_explicit(&mount->flags, memory_order_relaxed);
}
static inline struct mount *mount_parent(const struct mount *mount) {
    return atomic_load_explicit(&mount->parent, memory_order_acquire);
}
static inline struct name *mount_point(const struct mount *mount) {
    return atomic_load_explicit(&mount->point, memory_order_acquire);
}
static inline struct mount *mount_get(struct mount *mount) {
    object_get(&mount->object);
    return mount;
}
static inline void mount_put(struct mount *mount) {
    object_put(&mount->object);
}
static inline struct filesystem *filesystem_get(struct filesystem *fs) {
    object_get(&fs->object);
    return fs;
}
static inline void filesystem_put(struct filesystem *fs) {
    object_put(&fs->object);
}

// The mount on a name, or NULL: inside an epoch only, no reference.
struct mount *mount_find(const struct mount *parent, const struct name *point);
// The same with a reference.
struct mount *mount_find_get(struct mount *parent, const struct name *point);

// A new instance of a type; its root's name gets a reference for the caller. The file system itself
// is kept by that name's inode. HX_ERR_NO_DEVICE: there is no type of that name.
enum hx_status filesystem_create(const char *type_name, const char *options,
                                 struct name **out_root);
// From now on its module is called with the right to read alone, or with all rights again. Calls
// that were on their way go on. HX_ERR_BUSY: something is open for writing.
enum hx_status filesystem_set_read_only(struct filesystem *fs, bool read_only);
// Counts who has a regular file open for writing. HX_ERR_READ_ONLY: the mount or the file system
// is, and stays so as long as nothing is counted.
enum hx_status path_write_begin(struct path path);
void path_write_end(struct path path);
// Whether there may be any from now on. HX_ERR_BUSY: there are.
enum hx_status writers_allow(_Atomic int32_t *writers, bool may_be);

// A mount that is in no tree. Gets its own reference on `root`.
enum hx_status mount_create(struct name *root, uint32_t flags, const char *source,
                            struct mount **out_mount);
// The shared root of all mounts of type devtmpfs, made on first use; a reference.
enum hx_status devtmpfs_root(struct name **out_root);
#define DEVTMPFS_NAME "devtmpfs"
enum hx_status mounts_init(void);
enum hx_status filesystems_init(void);
enum hx_status devices_init(void);
