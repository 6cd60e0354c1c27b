// SPDX-License-Identifier: MIT OR Apache-2.0
// ramfs.c: helix.fs in memory: nodes, and what changes names. File contents are the core's pages.
//
// Each change allocates first and then commits with nothing that can fail.
#include "ramfs.h"

#include <lib/string.h>

#define LINKS_MAX   UINT32_C(0x7fffffff)
#define BLOCK_BYTES 4096u

static bool is_directory(const struct ramfs_node *node) {
    return (node->info.mode & FS_MODE_TYPE) == FS_MODE_DIRECTORY;
}

static struct ramfs_node *node_of(const struct ramfs *fs, uint64_t number) {
    return radix_get(&fs->nodes, number);
}

// Nodes
// -----------------------------------------------------------------------------------------------

static void node_destroy(struct ramfs *fs, struct ramfs_node *node) {
    (void)radix_remove(&fs->nodes, node->info.node);
    fs->inodes_used--;
    hx_free(fs->env, node->target);
    hx_free(fs->env, node);
}

static bool inode_is_left(const struct ramfs *fs) {
    return fs->inodes_max == 0 || fs->inodes_used < fs->inodes_max;
}

static enum hx_status node_create(struct ramfs *fs, const struct fs_info *info,
                                  struct ramfs_node **out_node) {
    struct ramfs_node *node = hx_alloc(fs->env, sizeof(*node));
    if (node == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    node->info = *info;
    node->info.node = fs->next_node;
    node->info.size_bytes = 0;
    node->info.links = is_directory(node) ? 2 : 1;
    ramfs_entries_init(node);
    enum hx_status status =
        inode_is_left(fs) ? radix_set(&fs->nodes, fs->next_node, node) : HX_ERR_NO_SPACE;
    if (status != HX_OK) {
        hx_free(fs->env, node);
        return status;
    }
    fs->next_node++;
    fs->inodes_used++;
    *out_node = node;
    return HX_OK;
}

// A directory that names can go into. HX_ERR_INVALID, HX_ERR_NOT_FOUND.
static enum hx_status directory_of(const struct ramfs *fs, uint64_t number,
                                   struct ramfs_node **out_node) {
    struct ramfs_node *node = node_of(fs, number);
    if (node == NULL || !is_directory(node)) {
        return HX_ERR_INVALID;
    }
    *out_node = node;
    return node->info.links == 0 ? HX_ERR_NOT_FOUND : HX_OK;
}

// Mounting
// -----------------------------------------------------------------------------------------------

static void *radix_allocate(void *context, size_t size_bytes) {
    return hx_alloc(context, size_bytes);
}

static void radix_release(void *context, void *node, size_t size_bytes) {
    (void)size_bytes;
    hx_free(context, node);
}

static enum hx_status ramfs_describe(void *self, uint32_t *out_kind) {
    (void)self;
    *out_kind = FS_NO_PAGER;
    return HX_OK;
}

static enum hx_status ramfs_unmount(void *instance) {
    struct ramfs *fs = instance;
    uint64_t number = 0;
    struct ramfs_node *node;
    while ((node = radix_next(&fs->nodes, number, &number)) != NULL) {
        struct ramfs_entry *entry;
        while ((entry = ramfs_entry_after(node, 0)) != NULL) {
            ramfs_entry_remove(fs, entry);
        }
        node_destroy(fs, node);
    }
    radix_fini(&fs->nodes);
    hx_free(fs->env, (void *)fs->buckets);
    hx_free(fs->env, fs);
    return HX_OK;
}

#define BUCKETS_AT_FIRST 64u

static void set_limits(struct ramfs *fs, uint64_t memory_bytes) {
    fs->memory_blocks = memory_bytes / BLOCK_BYTES;
    fs->blocks = fs->type->limits_contents ? fs->memory_blocks / 2 : 0;
    fs->inodes_max = fs->type->limits_names ? fs->memory_blocks / 2 : 0;
}

static enum hx_status ramfs_mount(void *self, const char *options, uint64_t memory_bytes,
                                  void **out_fs, struct fs_info *out_root) {
    const struct ramfs_type *type = self;
    struct ramfs_node *root;
    struct ramfs *fs = hx_alloc(type->env, sizeof(*fs));
    if (fs == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    fs->env = type->env;
    fs->type = type;
    fs->mode = type->root_mode;
    set_limits(fs, memory_bytes);
    fs->next_node = 1;
    hx_mutex_init(&fs->lock, "ramfs");
    fs->memory = (struct radix_memory){ radix_allocate, radix_release, fs->env };
    radix_init(&fs->nodes, &fs->memory);
    fs->bucket_count = BUCKETS_AT_FIRST;
    fs->buckets =
        (struct ramfs_entry **)hx_alloc(fs->env, BUCKETS_AT_FIRST * sizeof(struct ramfs_entry *));
    enum hx_status status = fs->buckets == NULL ? HX_ERR_NO_MEMORY : ramfs_options(fs, options);
    if (status == HX_OK) {
        struct fs_info info = { .mode = FS_MODE_DIRECTORY | fs->mode, .uid = fs->uid };
        info.gid = fs->gid;
        status = node_create(fs, &info, &root);
    }
    if (status != HX_OK) {
        hx_free(fs->env, (void *)fs->buckets);
        hx_free(fs->env, fs);
        return status;
    }
    *out_root = root->info;
    *out_fs = fs;
    return HX_OK;
}

// Looking
// -----------------------------------------------------------------------------------------------

static enum hx_status ramfs_lookup(void *instance, uint64_t directory, struct fs_name name,
                                   struct fs_info *out_info) {
    struct ramfs *fs = instance;
    struct ramfs_node *node = NULL;
    hx_mutex_lock(&fs->lock);
    enum hx_status status = directory_of(fs, directory, &node);
    struct ramfs_entry *entry = status == HX_OK ? ramfs_find(fs, node, name) : NULL;
    if (entry != NULL) {
        *out_info = entry->node->info;
    } else if (status == HX_OK) {
        status = HX_ERR_NOT_FOUND;
    }
    hx_mutex_unlock(&fs->lock);
    return status;
}

static enum hx_status ramfs_readlink(void *instance, uint64_t number, void *buffer,
                                     uint32_t capacity, uint32_t *out_length) {
    struct ramfs *fs = instance;
    enum hx_status status = HX_ERR_NOT_LINK;
    hx_mutex_lock(&fs->lock);
    const struct ramfs_node *node = node_of(fs, number);
    if (node != NULL && node->target != NULL) {
        *out_length = MIN_OF(capacity, node->target_length);
        memcpy(buffer, node->target, *out_length);
        status = HX_OK;
    }
    hx_mutex_unlock(&fs->lock);
    return status;
}

static enum hx_status ramfs_readdir(void *instance, uint64_t directory, uint64_t cookie,
                                    struct fs_entry *out_entries, uint32_t capacity,
                                    uint32_t *out_count) {
    struct ramfs *fs = instance;
    struct ramfs_node *node;
    uint32_t count = 0;
    hx_mutex_lock(&fs->lock);
    enum hx_status status = directory_of(fs, directory, &node);
    struct ramfs_entry *entry = status == HX_OK ? ramfs_entry_after(node, cookie) : NULL;
    while (entry != NULL && count < capacity) {
        struct fs_entry *out = &out_entries[count++];
        out->node = entry->node->info.node;
        out->cookie = entry->cookie;
        out->mode = entry->node->info.mode & FS_MODE_TYPE;
        out->name_length = entry->length;
        memcpy(out->name, entry->text, entry->length);
        out->name[entry->length] = '\0';
        struct rbnode *next = rbtree_next(&entry->by_cookie);
        entry = next == NULL ? NULL : RB_ENTRY(next, struct ramfs_entry, by_cookie);
    }
    hx_mutex_unlock(&fs->lock);
    if (status == HX_OK) {
        *out_count = count;
    }
    return status;
}

static enum hx_status ramfs_getinfo(void *instance, uint64_t number, struct fs_info *out_info) {
    struct ramfs *fs = instance;
    enum hx_status status = HX_ERR_INVALID;
    hx_mutex_lock(&fs->lock);
    const struct ramfs_node *node = node_of(fs, number);
    if (node != NULL) {
        *out_info = node->info;
        status = HX_OK;
    }
    hx_mutex_unlock(&fs->lock);
    return status;
}

static enum hx_status ramfs_usage(void *instance, struct fs_usage *out_usage) {
    struct ramfs *fs = instance;
    hx_mutex_lock(&fs->lock);
    *out_usage = (struct fs_usage){
        .block_bytes = BLOCK_BYTES,
        .blocks = fs->blocks,
        .blocks_free = fs->blocks,
        .nodes = fs->inodes_max != 0 ? fs->inodes_max : fs->inodes_used,
        .nodes_free = fs->inodes_max != 0 ? fs->inodes_max - fs->inodes_used : 0,
        .magic = fs->type->magic,
    };
    hx_mutex_unlock(&fs->lock);
    return HX_OK;
}

// Making
// -----------------------------------------------------------------------------------------------

// A node with an entry for it; an empty name makes none, and a node without links.
static enum hx_status make(struct ramfs *fs, struct ramfs_node *directory, struct fs_name name,
                           const struct fs_info *info, struct ramfs_node **out_node) {
    struct ramfs_entry *entry = NULL;
    struct ramfs_node *node;
    if (name.length != 0) {
        if (ramfs_find(fs, directory, name) != NULL) {
            return HX_ERR_EXISTS;
        }
        entry = ramfs_entry_create(fs, name);
        if (entry == NULL) {
            return HX_ERR_NO_MEMORY;
        }
    }
    enum hx_status status = node_create(fs, info, &node);
    if (status != HX_OK) {
        hx_free(fs->env, entry);
        return status;
    }
    if (entry != NULL) {
        ramfs_entry_add(fs, entry, directory, node);
        directory->info.links += is_directory(node);
    } else {
        node->info.links = 0;
    }
    *out_node = node;
    return HX_OK;
}

static enum hx_status ramfs_create(void *instance, uint64_t directory, struct fs_name name,
                                   const struct fs_info *info, struct fs_info *out_info) {
    struct ramfs *fs = instance;
    struct ramfs_node *parent;
    struct ramfs_node *node;
    hx_mutex_lock(&fs->lock);
    enum hx_status status = directory_of(fs, directory, &parent);
    if (status == HX_OK) {
        status = make(fs, parent, name, info, &node);
    }
    if (status == HX_OK) {
        *out_info = node->info;
    }
    hx_mutex_unlock(&fs->lock);
    return status;
}

static enum hx_status ramfs_symlink(void *instance, uint64_t directory, struct fs_name name,
                                    struct fs_name target, const struct fs_info *info,
                                    struct fs_info *out_info) {
    struct ramfs *fs = instance;
    struct ramfs_node *parent;
    struct ramfs_node *node;
    char *text = hx_alloc(fs->env, target.length + 1);
    if (text == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    memcpy(text, target.text, target.length);
    hx_mutex_lock(&fs->lock);
    enum hx_status status = directory_of(fs, directory, &parent);
    if (status == HX_OK) {
        status = make(fs, parent, name, info, &node);
    }
    if (status == HX_OK) {
        node->target = text;
        node->target_length = target.length;
        node->info.size_bytes = target.length;
        *out_info = node->info;
    }
    hx_mutex_unlock(&fs->lock);
    if (status != HX_OK) {
        hx_free(fs->env, text);
    }
    return status;
}

static enum hx_status ramfs_link(void *instance, uint64_t number, uint64_t directory,
                                 struct fs_name name) {
    struct ramfs *fs = instance;
    struct ramfs_node *parent;
    struct ramfs_entry *entry = ramfs_entry_create(fs, name);
    if (entry == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    hx_mutex_lock(&fs->lock);
    struct ramfs_node *node = node_of(fs, number);
    enum hx_status status = directory_of(fs, directory, &parent);
    if (status == HX_OK && (node == NULL || is_directory(node))) {
        status = HX_ERR_INVALID;
    } else if (status == HX_OK && ramfs_find(fs, parent, name) != NULL) {
        status = HX_ERR_EXISTS;
    } else if (status == HX_OK && node->info.links == LINKS_MAX) {
        status = HX_ERR_LIMIT;
    } else if (status == HX_OK && node->info.links != 0 && !inode_is_left(fs)) {
        status = HX_ERR_NO_SPACE;
    }
    if (status == HX_OK) {
        ramfs_entry_add(fs, entry, parent, node);
        fs->inodes_used += node->info.links != 0;
        node->info.links++;
    }
    hx_mutex_unlock(&fs->lock);
    if (status != HX_OK) {
        hx_free(fs->env, entry);
    }
    return status;
}

// Removing and moving
// -----------------------------------------------------------------------------------------------

// Takes an entry out of its directory, and a link from its node.
static void remove_entry(struct ramfs *fs, struct ramfs_entry *entry) {
    struct ramfs_node *node = entry->node;
    if (is_directory(node)) {
        entry->directory->info.links--;
        node->info.links = 0;
    } else {
        node->info.links--;
        fs->inodes_used -= node->info.links != 0;
    }
    ramfs_entry_remove(fs, entry);
}

static bool is_full(const struct ramfs_node *node) {
    return is_directory(node) && node->entries.root != NULL;
}

static enum hx_status ramfs_unlink(void *instance, uint64_t directory, struct fs_name name,
                                   bool as_directory) {
    struct ramfs *fs = instance;
    struct ramfs_node *parent;
    hx_mutex_lock(&fs->lock);
    enum hx_status status = directory_of(fs, directory, &parent);
    struct ramfs_entry *entry = status == HX_OK ? ramfs_find(fs, parent, name) : NULL;
    if (status == HX_OK && entry == NULL) {
        status = HX_ERR_NOT_FOUND;
    } else if (status == HX_OK && is_directory(entry->node) != as_directory) {
        status = as_directory ? HX_ERR_NOT_DIRECTORY : HX_ERR_IS_DIRECTORY;
    } else if (status == HX_OK && is_full(entry->node)) {
        status = HX_ERR_NOT_EMPTY;
    }
    if (status == HX_OK) {
        remove_entry(fs, entry);
    }
    hx_mutex_unlock(&fs->lock);
    return status;
}

// Lets two entries change what they name.
static void exchange(struct ramfs_entry *a, struct ramfs_entry *b) {
    struct ramfs_node *node = a->node;
    a->directory->info.links += (uint32_t)is_directory(b->node) - (uint32_t)is_directory(a->node);
    b->directory->info.links += (uint32_t)is_directory(a->node) - (uint32_t)is_directory(b->node);
    a->node = b->node;
    b->node = node;
}

static enum hx_status rename_locked(struct ramfs *fs, struct ramfs_node *const parents[2],
                                    const struct fs_name names[2], uint32_t flags) {
    struct ramfs_entry *from = ramfs_find(fs, parents[0], names[0]);
    struct ramfs_entry *to = ramfs_find(fs, parents[1], names[1]);
    bool is_exchange = (flags & FS_RENAME_EXCHANGE) != 0;
    if (from == NULL || (is_exchange && to == NULL)) {
        return HX_ERR_NOT_FOUND;
    }
    if (to != NULL && (flags & FS_RENAME_NOREPLACE) != 0) {
        return HX_ERR_EXISTS;
    }
    if (to != NULL && to->node == from->node) {
        return HX_OK; // two names of one node, or one name: nothing happens, says POSIX
    }
    if (is_exchange) {
        exchange(from, to);
        return HX_OK;
    }
    if (to != NULL && is_full(to->node)) {
        return HX_ERR_NOT_EMPTY;
    }
    struct ramfs_entry *moved = ramfs_entry_create(fs, names[1]);
    if (moved == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    struct ramfs_node *node = from->node;
    if (to != NULL) {
        remove_entry(fs, to);
    }
    parents[0]->info.links -= is_directory(node);
    parents[1]->info.links += is_directory(node);
    ramfs_entry_remove(fs, from);
    ramfs_entry_add(fs, moved, parents[1], node);
    return HX_OK;
}

static enum hx_status ramfs_rename(void *instance, uint64_t from_directory, struct fs_name from,
                                   uint64_t to_directory, struct fs_name to, uint32_t flags) {
    struct ramfs *fs = instance;
    struct ramfs_node *parents[2];
    const struct fs_name names[2] = { from, to };
    hx_mutex_lock(&fs->lock);
    enum hx_status status = directory_of(fs, from_directory, &parents[0]);
    if (status == HX_OK) {
        status = directory_of(fs, to_directory, &parents[1]);
    }
    if (status == HX_OK) {
        status = rename_locked(fs, parents, names, flags);
    }
    hx_mutex_unlock(&fs->lock);
    return status;
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

static enum hx_status ramfs_setinfo(void *instance, uint64_t number, const struct fs_info *info,
                                    uint32_t what) {
    struct ramfs *fs = instance;
    hx_mutex_lock(&fs->lock);
    struct ramfs_node *node = node_of(fs, number);
    if (node != NULL) {
        struct fs_info *to = &node->info;
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
    hx_mutex_unlock(&fs->lock);
    return node == NULL ? HX_ERR_INVALID : HX_OK;
}

static enum hx_status ramfs_forget(void *instance, uint64_t number) {
    struct ramfs *fs = instance;
    hx_mutex_lock(&fs->lock);
    struct ramfs_node *node = node_of(fs, number);
    if (node != NULL && node->info.links == 0) {
        node_destroy(fs, node);
    }
    hx_mutex_unlock(&fs->lock);
    return HX_OK;
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
};
