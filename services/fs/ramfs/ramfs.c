// SPDX-License-Identifier: MIT OR Apache-2.0
// ramfs.c: helix.fs in memory: nodes, and what changes names. File contents are the core's pages.
//
// Each change is one update of the arena: what can fail comes first, then the commit, and what is
// found quickly follows it. Who dies before the commit has changed nothing.
#include "ramfs.h"

#include <lib/string.h>

#define LINKS_MAX   UINT32_C(0x7fffffff)
#define BLOCK_BYTES 4096u
#define ENTRY_SIZE  20u // what a name adds to a directory's size, the same as in Linux's tmpfs

#define NO_LOCK_ANALYSIS HX_ATTR(no_thread_safety_analysis)

static const struct ramfs_node *node_of(const struct ramfs *fs, uint64_t number) {
    const struct ramfs_node *node = hx_arena_at(ramfs_env, number);
    return node != NULL && hx_object_type(node) == RAMFS_NODE && node->mount == fs->number ? node
                                                                                           : NULL;
}

static struct ramfs *instance_of(void *instance) {
    const struct ramfs_mount *mount = hx_arena_at(ramfs_env, (uintptr_t)instance);
    return mount != NULL && hx_object_type(mount) == RAMFS_MOUNT ? hx_object_of(mount)->local
                                                                 : NULL;
}

// The instance, locked; NULL: there is none.
NO_LOCK_ANALYSIS static struct ramfs *enter(void *instance) {
    struct ramfs *fs = instance_of(instance);
    if (fs == NULL || fs->is_going) {
        return NULL;
    }
    hx_mutex_lock(&fs->lock);
    return fs;
}

// Ends a method that has changed nothing, or will not.
NO_LOCK_ANALYSIS static enum hx_status leave(struct ramfs *fs, enum hx_status status) {
    hx_mutex_unlock(&fs->lock);
    return status;
}

// Ends the update of a method that has failed, and the method.
static enum hx_status give_up(struct ramfs *fs, enum hx_status status) {
    hx_arena_abort(fs->update);
    return leave(fs, status);
}

// Nodes
// -----------------------------------------------------------------------------------------------

static bool inode_is_left(const struct ramfs *fs) {
    return fs->mount->inodes_max == 0 || fs->inodes_used < fs->mount->inodes_max;
}

// In the update. `target` is a link's.
static enum hx_status node_new(struct ramfs *fs, const struct fs_info *info, struct fs_name target,
                               struct ramfs_node **out_node) {
    if (!inode_is_left(fs)) {
        return HX_ERR_NO_SPACE;
    }
    struct ramfs_node *node = hx_arena_new(fs->update, RAMFS_NODE, sizeof(*node) + target.length);
    if (node == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    node->info = *info;
    node->info.node = hx_object_number(node);
    node->info.links = ramfs_is_directory(node) ? 2 : 1;
    node->info.size_bytes = target.length;
    node->mount = fs->number;
    node->target_length = target.length;
    memcpy(node->target, target.text, target.length);
    *out_node = node;
    return HX_OK;
}

// In the update; and what this life has of it goes.
static bool node_free(struct ramfs *fs, const struct ramfs_node *node) {
    if (!hx_arena_free(fs->update, node)) {
        return false;
    }
    ramfs_order_destroy(node);
    fs->inodes_used--;
    return true;
}

// In the update, modulo 2^32. False: no memory.
static bool links_add(struct ramfs *fs, const struct ramfs_node *node, uint32_t count) {
    struct ramfs_node *changed = hx_arena_change(fs->update, node);
    if (changed != NULL) {
        changed->info.links += count;
    }
    return changed != NULL;
}

// A directory that names can go into. HX_ERR_INVALID, HX_ERR_NOT_FOUND.
static enum hx_status directory_of(const struct ramfs *fs, uint64_t number,
                                   const struct ramfs_node **out_node) {
    const struct ramfs_node *node = node_of(fs, number);
    if (node == NULL || !ramfs_is_directory(node)) {
        return HX_ERR_INVALID;
    }
    *out_node = node;
    return node->info.links == 0 ? HX_ERR_NOT_FOUND : HX_OK;
}

static void info_fill(const struct ramfs_node *node, struct fs_info *out_info) {
    *out_info = node->info;
    if (ramfs_is_directory(node)) { // "." and ".." are names, too
        const uint64_t entries = node->info.links != 0 ? ramfs_entries(node) : 0;
        out_info->size_bytes = ENTRY_SIZE * (entries + 2);
    }
}

// Mounting
// -----------------------------------------------------------------------------------------------

static enum hx_status ramfs_describe(void *self, uint32_t *out_kind) {
    (void)self;
    *out_kind = FS_NO_PAGER;
    return HX_OK;
}

// One after the other: any of them may be the last thing that is done in this life.
static void unmount_entry(struct ramfs *fs, const struct ramfs_entry *entry) {
    const struct ramfs_node *node = node_of(fs, entry->node); // NULL: it had another name
    if (node != NULL) {
        (void)node_free(fs, node); // no memory is needed for so little
    }
    (void)hx_arena_free(fs->update, entry);
    hx_arena_commit(fs->update);
}

// Nodes that nobody has forgotten: their clients may have died.
static void unmount_orphans(struct ramfs *fs) {
    for (uint32_t i = 0; i < RAMFS_ORPHANS; i++) {
        const struct ramfs_node *node;
        while ((node = fs->orphans[i]) != NULL) {
            ramfs_orphan_remove(fs, node);
            (void)node_free(fs, node);
            hx_arena_commit(fs->update);
        }
    }
}

// First of all: what is left of an instance without a root is known to be less than there was.
static void unmount_root(struct ramfs *fs) {
    const struct ramfs_node *root = node_of(fs, fs->mount->root);
    fs->is_going = true;
    if (root != NULL) {
        (void)node_free(fs, root);
        hx_arena_commit(fs->update);
    }
}

NO_LOCK_ANALYSIS static enum hx_status ramfs_unmount(void *instance) {
    struct ramfs *fs = instance_of(instance);
    if (fs == NULL) {
        return HX_ERR_INVALID;
    }
    hx_mutex_lock(&fs->lock);
    unmount_root(fs);
    ramfs_xattr_unmount(fs);
    for (uint64_t i = 0; i < fs->bucket_count; i++) {
        const struct ramfs_entry *entry;
        while ((entry = fs->buckets[i]) != NULL) {
            fs->buckets[i] = hx_object_of(entry)->local;
            unmount_entry(fs, entry);
        }
    }
    unmount_orphans(fs);
    (void)hx_arena_free(fs->update, fs->mount);
    hx_arena_commit(fs->update);
    HX_IGNORE(leave(fs, HX_OK));
    ramfs_life_destroy(fs);
    return HX_OK;
}

static void set_limits(struct ramfs_mount *mount, const struct ramfs_type *type,
                       uint64_t memory_bytes) {
    mount->magic = type->magic;
    mount->mode = type->root_mode;
    mount->memory_blocks = memory_bytes / BLOCK_BYTES;
    mount->blocks = type->limits_contents ? mount->memory_blocks / 2 : 0;
    mount->inodes_max = type->limits_names ? mount->memory_blocks / 2 : 0;
}

// The root, and the commit.
static enum hx_status mount_root(struct ramfs *fs, struct ramfs_mount *mount,
                                 struct ramfs_node **out_root) {
    const struct fs_info info = { .mode = FS_MODE_DIRECTORY | mount->mode,
                                  .uid = mount->uid,
                                  .gid = mount->gid };
    enum hx_status status = node_new(fs, &info, (struct fs_name){ "", 0 }, out_root);
    if (status == HX_OK) {
        mount->root = (*out_root)->info.node;
        fs->inodes_used = 1;
        fs->is_ordered = true;
        hx_object_of(mount)->local = fs;
        hx_arena_commit(fs->update);
    }
    return status;
}

// In ring 3 updates are few. An instance has one and needs a second one for a while, to set a
// value.
static bool are_updates_left(void) {
    struct hx_update *left[RAMFS_SETTINGS];
    uint32_t count = 0;
    while (count < RAMFS_SETTINGS && (left[count] = hx_update_create(ramfs_env)) != NULL) {
        count++;
    }
    const bool are_left = count == RAMFS_SETTINGS;
    while (count != 0) {
        hx_update_destroy(left[--count]);
    }
    return are_left;
}

static enum hx_status ramfs_mount(void *self, const char *options, uint64_t memory_bytes,
                                  void **out_fs, struct fs_info *out_root) {
    const struct ramfs_type *type = self;
    struct ramfs_mount wanted = { 0 };
    struct ramfs_node *root = NULL;
    set_limits(&wanted, type, memory_bytes);
    enum hx_status status = ramfs_options(&wanted, options, type->refuses_options);
    struct ramfs *fs = status == HX_OK ? ramfs_life_create() : NULL;
    if (fs != NULL && !are_updates_left()) {
        ramfs_life_destroy(fs);
        fs = NULL;
    }
    if (fs == NULL) {
        return status == HX_OK ? HX_ERR_NO_MEMORY : status;
    }
    struct ramfs_mount *mount = hx_arena_new(fs->update, RAMFS_MOUNT, sizeof(*mount));
    status = HX_ERR_NO_MEMORY;
    if (mount != NULL) {
        *mount = wanted;
        ramfs_life_of(fs, mount);
        status = mount_root(fs, mount, &root);
    }
    if (status != HX_OK) {
        ramfs_life_destroy(fs);
        return status;
    }
    info_fill(root, out_root);
    *out_fs = (void *)(uintptr_t)fs->number; // NOLINT(performance-no-int-to-ptr): a number
    return HX_OK;
}

// Looking
// -----------------------------------------------------------------------------------------------

static enum hx_status ramfs_lookup(void *instance, uint64_t directory, struct fs_name name,
                                   struct fs_info *out_info) {
    const struct ramfs_node *node;
    struct ramfs *fs = enter(instance);
    if (fs == NULL) {
        return HX_ERR_INVALID;
    }
    enum hx_status status = directory_of(fs, directory, &node);
    const struct ramfs_entry *entry = status == HX_OK ? ramfs_find(fs, directory, name) : NULL;
    if (entry != NULL) {
        node = hx_arena_at(ramfs_env, entry->node);
        info_fill(node, out_info);
    } else if (status == HX_OK) {
        status = HX_ERR_NOT_FOUND;
    }
    return leave(fs, status);
}

static enum hx_status ramfs_readlink(void *instance, uint64_t number, void *buffer,
                                     uint32_t capacity, uint32_t *out_length) {
    struct ramfs *fs = enter(instance);
    if (fs == NULL) {
        return HX_ERR_INVALID;
    }
    const struct ramfs_node *node = node_of(fs, number);
    if (node == NULL || node->target_length == 0) {
        return leave(fs, HX_ERR_NOT_LINK);
    }
    *out_length = MIN_OF(capacity, node->target_length);
    memcpy(buffer, node->target, *out_length);
    return leave(fs, HX_OK);
}

static void entry_fill(struct fs_entry *out, const struct ramfs_entry *entry) {
    out->node = entry->node;
    out->cookie = entry->cookie;
    out->mode = entry->mode;
    out->name_length = entry->length;
    memcpy(out->name, entry->text, entry->length);
    out->name[entry->length] = '\0';
}

static enum hx_status ramfs_readdir(void *instance, uint64_t directory, uint64_t cookie,
                                    struct fs_entry *out_entries, uint32_t capacity,
                                    uint32_t *out_count) {
    const struct ramfs_node *node;
    uint32_t count = 0;
    struct ramfs *fs = enter(instance);
    if (fs == NULL) {
        return HX_ERR_INVALID;
    }
    enum hx_status status = directory_of(fs, directory, &node);
    if (status == HX_OK) {
        status = ramfs_order_all(fs);
    }
    if (status != HX_OK) {
        return leave(fs, status);
    }
    const struct ramfs_order *order = ramfs_order_of(node); // all have one, or are empty
    uint32_t at = order != NULL ? ramfs_order_after(order, cookie) : 0;
    for (; order != NULL && at < order->count && count < capacity; at++) {
        if (order->at[at].entry != NULL) {
            entry_fill(&out_entries[count++], order->at[at].entry);
        }
    }
    *out_count = count;
    return leave(fs, HX_OK);
}

static enum hx_status ramfs_getinfo(void *instance, uint64_t number, struct fs_info *out_info) {
    struct ramfs *fs = enter(instance);
    if (fs == NULL) {
        return HX_ERR_INVALID;
    }
    const struct ramfs_node *node = node_of(fs, number);
    if (node != NULL) {
        info_fill(node, out_info);
    }
    return leave(fs, node != NULL ? HX_OK : HX_ERR_INVALID);
}

static enum hx_status ramfs_usage(void *instance, struct fs_usage *out_usage) {
    struct ramfs *fs = enter(instance);
    if (fs == NULL) {
        return HX_ERR_INVALID;
    }
    const struct ramfs_mount *mount = fs->mount;
    *out_usage = (struct fs_usage){
        .block_bytes = BLOCK_BYTES,
        .blocks = mount->blocks,
        .blocks_free = mount->blocks,
        .nodes = mount->inodes_max != 0 ? mount->inodes_max : fs->inodes_used,
        .nodes_free = mount->inodes_max != 0 ? mount->inodes_max - fs->inodes_used : 0,
        .magic = mount->magic,
    };
    return leave(fs, HX_OK);
}

// Making
// -----------------------------------------------------------------------------------------------

struct wanted {
    struct fs_name name;
    const struct fs_info *info;
    struct fs_name target; // a link's
};

// A node with an entry for it; an empty name makes none, and a node without links. In the update.
static enum hx_status make(struct ramfs *fs, const struct ramfs_node *directory,
                           const struct wanted *wanted, struct ramfs_node **out_node,
                           const struct ramfs_entry **out_entry) {
    *out_entry = NULL;
    if (wanted->name.length != 0 && ramfs_find(fs, directory->info.node, wanted->name) != NULL) {
        return HX_ERR_EXISTS;
    }
    enum hx_status status = node_new(fs, wanted->info, wanted->target, out_node);
    if (status == HX_OK && wanted->name.length != 0) {
        status = ramfs_entry_new(fs, directory, wanted->name, *out_node, out_entry);
    }
    if (status == HX_OK && *out_entry == NULL) {
        (*out_node)->info.links = 0;
    } else if (status == HX_OK && ramfs_is_directory(*out_node) && !links_add(fs, directory, 1)) {
        status = HX_ERR_NO_MEMORY;
    }
    return status;
}

static enum hx_status create(void *instance, uint64_t directory, struct wanted wanted,
                             struct fs_info *out_info) {
    const struct ramfs_node *parent;
    struct ramfs_node *node;
    const struct ramfs_entry *entry;
    struct ramfs *fs = enter(instance);
    if (fs == NULL) {
        return HX_ERR_INVALID;
    }
    enum hx_status status = directory_of(fs, directory, &parent);
    if (status == HX_OK) {
        status = make(fs, parent, &wanted, &node, &entry);
    }
    if (status != HX_OK) {
        return give_up(fs, status);
    }
    info_fill(node, out_info);
    hx_arena_commit(fs->update);
    fs->inodes_used++;
    if (entry != NULL) {
        ramfs_entry_show(fs, parent, entry);
    } else {
        ramfs_orphan_add(fs, node);
    }
    return leave(fs, HX_OK);
}

static enum hx_status ramfs_create(void *instance, uint64_t directory, struct fs_name name,
                                   const struct fs_info *info, struct fs_info *out_info) {
    return create(instance, directory, (struct wanted){ name, info, { "", 0 } }, out_info);
}

static enum hx_status ramfs_symlink(void *instance, uint64_t directory, struct fs_name name,
                                    struct fs_name target, const struct fs_info *info,
                                    struct fs_info *out_info) {
    return create(instance, directory, (struct wanted){ name, info, target }, out_info);
}

// What keeps a node from having one more link.
static enum hx_status link_check(const struct ramfs *fs, const struct ramfs_node *node,
                                 uint64_t directory, struct fs_name name) {
    if (node == NULL || ramfs_is_directory(node)) {
        return HX_ERR_INVALID;
    }
    if (ramfs_find(fs, directory, name) != NULL) {
        return HX_ERR_EXISTS;
    }
    if (node->info.links == LINKS_MAX) {
        return HX_ERR_LIMIT;
    }
    return node->info.links != 0 && !inode_is_left(fs) ? HX_ERR_NO_SPACE : HX_OK;
}

static enum hx_status ramfs_link(void *instance, uint64_t number, uint64_t directory,
                                 struct fs_name name) {
    const struct ramfs_node *parent;
    const struct ramfs_entry *entry;
    struct ramfs *fs = enter(instance);
    if (fs == NULL) {
        return HX_ERR_INVALID;
    }
    const struct ramfs_node *node = node_of(fs, number);
    enum hx_status status = directory_of(fs, directory, &parent);
    if (status == HX_OK) {
        status = link_check(fs, node, directory, name);
    }
    if (status == HX_OK) {
        status = ramfs_entry_new(fs, parent, name, node, &entry);
    }
    if (status == HX_OK && !links_add(fs, node, 1)) {
        status = HX_ERR_NO_MEMORY;
    }
    if (status != HX_OK) {
        return give_up(fs, status);
    }
    if (node->info.links == 1) { // its first one
        ramfs_orphan_remove(fs, node);
    } else {
        fs->inodes_used++;
    }
    hx_arena_commit(fs->update);
    ramfs_entry_show(fs, parent, entry);
    return leave(fs, HX_OK);
}

// Removing and moving
// -----------------------------------------------------------------------------------------------

// A name that is there.
struct found {
    const struct ramfs_node *directory;
    const struct ramfs_entry *entry; // NULL: it is not
    const struct ramfs_node *node;
};

static struct found found_of(const struct ramfs *fs, const struct ramfs_node *directory,
                             struct fs_name name) {
    const struct ramfs_entry *entry = ramfs_find(fs, directory->info.node, name);
    return (struct found){ directory, entry,
                           entry != NULL ? hx_arena_at(ramfs_env, entry->node) : NULL };
}

// Takes an entry out of its directory, and a link from its node. In the update.
static enum hx_status name_remove(struct ramfs *fs, struct found name) {
    struct ramfs_node *changed = hx_arena_change(fs->update, name.node);
    if (changed == NULL || !hx_arena_free(fs->update, name.entry)) {
        return HX_ERR_NO_MEMORY;
    }
    if (!ramfs_is_directory(name.node)) {
        changed->info.links--;
        return HX_OK;
    }
    changed->info.links = 0;
    return links_add(fs, name.directory, UINT32_MAX) ? HX_OK : HX_ERR_NO_MEMORY;
}

// The same for what is found quickly: just before the commit.
static void name_hide(struct ramfs *fs, struct found name) {
    fs->inodes_used -= !ramfs_is_directory(name.node) && name.node->info.links != 0;
    ramfs_entry_hide(fs, name.directory, name.entry);
    if (name.node->info.links == 0) {
        ramfs_orphan_add(fs, name.node);
    }
}

static bool is_full(const struct ramfs_node *node) {
    return ramfs_is_directory(node) && ramfs_entries(node) != 0;
}

static enum hx_status unlink_check(struct found found, bool as_directory) {
    if (found.entry == NULL) {
        return HX_ERR_NOT_FOUND;
    }
    if (ramfs_is_directory(found.node) != as_directory) {
        return as_directory ? HX_ERR_NOT_DIRECTORY : HX_ERR_IS_DIRECTORY;
    }
    return is_full(found.node) ? HX_ERR_NOT_EMPTY : HX_OK;
}

static enum hx_status ramfs_unlink(void *instance, uint64_t directory, struct fs_name name,
                                   bool as_directory) {
    const struct ramfs_node *parent;
    struct ramfs *fs = enter(instance);
    if (fs == NULL) {
        return HX_ERR_INVALID;
    }
    enum hx_status status = directory_of(fs, directory, &parent);
    struct found found = { 0 };
    if (status == HX_OK) {
        found = found_of(fs, parent, name);
        status = unlink_check(found, as_directory);
    }
    if (status == HX_OK) {
        status = name_remove(fs, found);
    }
    if (status != HX_OK) {
        return give_up(fs, status);
    }
    name_hide(fs, found);
    hx_arena_commit(fs->update);
    return leave(fs, HX_OK);
}

// Lets two entries change what they name. In the update.
static enum hx_status exchange(struct ramfs *fs, struct found one, struct found other) {
    struct ramfs_entry *a = hx_arena_change(fs->update, one.entry);
    struct ramfs_entry *b = hx_arena_change(fs->update, other.entry);
    if (a == NULL || b == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    const uint32_t gained =
        (uint32_t)ramfs_is_directory(other.node) - (uint32_t)ramfs_is_directory(one.node);
    a->node = other.node->info.node;
    a->mode = other.node->info.mode & FS_MODE_TYPE;
    b->node = one.node->info.node;
    b->mode = one.node->info.mode & FS_MODE_TYPE;
    return gained == 0 ||
                   (links_add(fs, one.directory, gained) && links_add(fs, other.directory, -gained))
               ? HX_OK
               : HX_ERR_NO_MEMORY;
}

// What is found gets another place and name; what had them goes. In the update.
static enum hx_status move(struct ramfs *fs, struct found from, struct found to,
                           struct fs_name name, const struct ramfs_entry **out_moved) {
    enum hx_status status = to.entry != NULL ? name_remove(fs, to) : HX_OK;
    if (status == HX_OK) {
        status = hx_arena_free(fs->update, from.entry) ? HX_OK : HX_ERR_NO_MEMORY;
    }
    if (status == HX_OK) {
        status = ramfs_entry_new(fs, to.directory, name, from.node, out_moved);
    }
    if (status == HX_OK && ramfs_is_directory(from.node) && from.directory != to.directory) {
        status = links_add(fs, from.directory, UINT32_MAX) && links_add(fs, to.directory, 1)
                     ? HX_OK
                     : HX_ERR_NO_MEMORY;
    }
    return status;
}

// What keeps names from being moved so.
static enum hx_status rename_check(struct found from, struct found to, uint32_t flags) {
    const bool is_exchange = (flags & FS_RENAME_EXCHANGE) != 0;
    if (from.entry == NULL || (is_exchange && to.entry == NULL)) {
        return HX_ERR_NOT_FOUND;
    }
    if (to.entry != NULL && (flags & FS_RENAME_NOREPLACE) != 0) {
        return HX_ERR_EXISTS;
    }
    return to.node != from.node && to.entry != NULL && !is_exchange && is_full(to.node)
               ? HX_ERR_NOT_EMPTY
               : HX_OK;
}

static enum hx_status rename_locked(struct ramfs *fs, const struct ramfs_node *const parents[2],
                                    const struct fs_name names[2], uint32_t flags) {
    const struct found from = found_of(fs, parents[0], names[0]);
    const struct found to = found_of(fs, parents[1], names[1]);
    const struct ramfs_entry *moved = NULL;
    enum hx_status status = rename_check(from, to, flags);
    if (status != HX_OK || to.node == from.node) {
        return status; // two names of one node, or one name: nothing happens, says POSIX
    }
    if ((flags & FS_RENAME_EXCHANGE) != 0) {
        status = exchange(fs, from, to);
    } else {
        status = move(fs, from, to, names[1], &moved);
    }
    if (status != HX_OK) {
        return status;
    }
    if (moved != NULL && to.entry != NULL) {
        name_hide(fs, to);
    }
    if (moved != NULL) {
        ramfs_entry_hide(fs, from.directory, from.entry);
    }
    hx_arena_commit(fs->update);
    if (moved != NULL) {
        ramfs_entry_show(fs, to.directory, moved);
    }
    return HX_OK;
}

static enum hx_status ramfs_rename(void *instance, uint64_t from_directory, struct fs_name from,
                                   uint64_t to_directory, struct fs_name to, uint32_t flags) {
    const struct ramfs_node *parents[2];
    const struct fs_name names[2] = { from, to };
    struct ramfs *fs = enter(instance);
    if (fs == NULL) {
        return HX_ERR_INVALID;
    }
    enum hx_status status = directory_of(fs, from_directory, &parents[0]);
    if (status == HX_OK) {
        status = directory_of(fs, to_directory, &parents[1]);
    }
    if (status == HX_OK) {
        status = rename_locked(fs, parents, names, flags);
    }
    return status == HX_OK ? leave(fs, HX_OK) : give_up(fs, status);
}

// Attributes
// -----------------------------------------------------------------------------------------------

static void set_times(struct fs_info *to, const struct fs_info *info, uint32_t what) {
    if ((what & FS_SET_ACCESSED) != 0) {
        to->accessed = info->accessed;
    }
    if ((what & FS_SET_MODIFIED) != 0) {
        to->modified = info->modified;
    }
    if ((what & FS_SET_CHANGED) != 0) {
        to->changed = info->changed;
    }
}

static void set_info(struct fs_info *to, const struct fs_info *info, uint32_t what) {
    if ((what & FS_SET_MODE) != 0) {
        to->mode = (to->mode & FS_MODE_TYPE) | (info->mode & ~FS_MODE_TYPE);
    }
    if ((what & FS_SET_OWNER) != 0) {
        to->uid = info->uid;
        to->gid = info->gid;
    }
    if ((what & FS_SET_SIZE) != 0) {
        to->size_bytes = info->size_bytes;
    }
    set_times(to, info, what);
}

static enum hx_status ramfs_setinfo(void *instance, uint64_t number, const struct fs_info *info,
                                    uint32_t what) {
    struct ramfs *fs = enter(instance);
    if (fs == NULL) {
        return HX_ERR_INVALID;
    }
    const struct ramfs_node *node = node_of(fs, number);
    if (node == NULL) {
        return leave(fs, HX_ERR_INVALID);
    }
    struct ramfs_node *changed = hx_arena_change(fs->update, node);
    if (changed == NULL) {
        return leave(fs, HX_ERR_NO_MEMORY);
    }
    set_info(&changed->info, info, what);
    hx_arena_commit(fs->update);
    return leave(fs, HX_OK);
}

// NOLINTNEXTLINE(readability-function-size): what the method of the port has
static enum hx_status ramfs_getxattr(void *instance, uint64_t number, struct fs_name name,
                                     uint32_t offset, uint32_t *out_size_bytes, void *piece,
                                     uint32_t capacity, uint32_t *out_length) {
    struct ramfs_buffer buffer = { piece, capacity, 0 };
    struct ramfs *fs = enter(instance);
    if (fs == NULL) {
        return HX_ERR_INVALID;
    }
    enum hx_status status = HX_ERR_INVALID;
    if (node_of(fs, number) != NULL) {
        status = ramfs_xattr_get(fs, number, name, offset, &buffer, out_size_bytes);
        *out_length = buffer.length;
    }
    return leave(fs, status);
}

// NOLINTNEXTLINE(readability-function-size): what the method of the port has
static enum hx_status ramfs_setxattr(void *instance, uint64_t number, struct fs_name name,
                                     uint32_t offset, uint32_t size_bytes, const void *piece,
                                     uint32_t length) {
    const struct ramfs_value value = { offset, size_bytes, piece, length };
    struct ramfs *fs = enter(instance);
    if (fs == NULL) {
        return HX_ERR_INVALID;
    }
    return leave(fs, node_of(fs, number) != NULL ? ramfs_xattr_set(fs, number, name, &value)
                                                 : HX_ERR_INVALID);
}

static enum hx_status ramfs_removexattr(void *instance, uint64_t number, struct fs_name name) {
    struct ramfs *fs = enter(instance);
    if (fs == NULL) {
        return HX_ERR_INVALID;
    }
    const bool is_there = node_of(fs, number) != NULL;
    if (is_there) {
        ramfs_xattr_remove(fs, number, name);
    }
    return leave(fs, is_there ? HX_OK : HX_ERR_INVALID);
}

static enum hx_status ramfs_listxattr(void *instance, uint64_t number, void *names,
                                      uint32_t capacity, uint32_t *out_length) {
    struct ramfs_buffer buffer = { names, capacity, 0 };
    struct ramfs *fs = enter(instance);
    if (fs == NULL) {
        return HX_ERR_INVALID;
    }
    const bool is_there = node_of(fs, number) != NULL;
    if (is_there) {
        ramfs_xattr_list(fs, number, &buffer);
        *out_length = buffer.length;
    }
    return leave(fs, is_there ? HX_OK : HX_ERR_INVALID);
}

static enum hx_status ramfs_forget(void *instance, uint64_t number) {
    struct ramfs *fs = enter(instance);
    if (fs == NULL) {
        return HX_ERR_INVALID;
    }
    const struct ramfs_node *node = node_of(fs, number);
    if (node != NULL && node->info.links == 0) {
        ramfs_xattr_forget(fs, number);
        ramfs_orphan_remove(fs, node);
        (void)node_free(fs, node); // so little needs no memory
        hx_arena_commit(fs->update);
    }
    return leave(fs, HX_OK);
}

const struct fs_ops ramfs_ops = {
    .describe = ramfs_describe,
    .mount = ramfs_mount,
    .unmount = ramfs_unmount,
    .lookup = ramfs_lookup,
    .create = ramfs_create,
    .symlink = ramfs_symlink,
    .link = ramfs_link,
    .unlink = ramfs_unlink,
    .rename = ramfs_rename,
    .readlink = ramfs_readlink,
    .readdir = ramfs_readdir,
    .getinfo = ramfs_getinfo,
    .setinfo = ramfs_setinfo,
    .forget = ramfs_forget,
    .usage = ramfs_usage,
    .getxattr = ramfs_getxattr,
    .setxattr = ramfs_setxattr,
    .removexattr = ramfs_removexattr,
    .listxattr = ramfs_listxattr,
};
