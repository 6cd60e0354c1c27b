// SPDX-License-Identifier: MIT OR Apache-2.0
// ramfs.h: the types of file system that this module provides; its state.
#pragma once

#include <helix/env.h>
#include <helix/ports/fs_port.h>
#include <lib/radix.h>
#include <lib/rbtree.h>

// What makes ramfs, tmpfs, devtmpfs and rootfs differ; `self` of the port's mount().
struct ramfs_type {
    const char *name;
    struct hx_env *env;
    uint64_t magic;     // statfs's f_type
    uint32_t root_mode; // unless mode= says otherwise
    // Unless size= and nr_inodes= say otherwise, as tmpfs of Linux:
    bool limits_contents; // to half of the memory
    bool limits_names;    // to one for two pages of it
    bool refuses_options; // that it does not know
};

struct ramfs_node {
    struct fs_info info; // links included; size, times and contents of files are the core's
    // A directory's:
    struct rbtree entries; // by cookie
    uint64_t next_cookie;  // cookies grow, so their order survives removals
    // A link's:
    char *target;
    uint32_t target_length;
};

struct ramfs_entry {
    struct ramfs_entry *next; // in the bucket
    struct rbnode by_cookie;
    struct ramfs_node *directory;
    struct ramfs_node *node;
    uint64_t cookie;
    uint64_t hash;
    uint32_t length;
    char text[];
};

// A mounted instance. `lock` guards all of it.
struct ramfs {
    struct hx_env *env;
    const struct ramfs_type *type;
    struct hx_mutex lock;
    struct radix_memory memory;
    struct radix nodes;           // by number
    uint64_t next_node;           // numbers are never used again
    uint64_t inodes_used;         // nodes, and names that a node has beyond its first
    uint64_t inodes_max;          // 0: no limit
    struct ramfs_entry **buckets; // by directory and name
    uint64_t bucket_count;        // a power of two
    uint64_t entry_count;
    uint64_t memory_blocks;  // what the machine has
    uint64_t blocks;         // limit on the contents; 0: none
    uint32_t uid, gid, mode; // of the root
};

extern const struct fs_ops ramfs_ops;

// Reads mount options into the instance. HX_ERR_INVALID.
enum hx_status ramfs_options(struct ramfs *fs, const char *options);

// entries.c: names in directories. The lock is held.
struct ramfs_entry *ramfs_find(const struct ramfs *fs, const struct ramfs_node *directory,
                               struct fs_name name);
// An entry that stands nowhere yet; NULL: no memory.
struct ramfs_entry *ramfs_entry_create(struct ramfs *fs, struct fs_name name);
void ramfs_entry_add(struct ramfs *fs, struct ramfs_entry *entry, struct ramfs_node *directory,
                     struct ramfs_node *node);
// Takes an entry out and frees it.
void ramfs_entry_remove(struct ramfs *fs, struct ramfs_entry *entry);
// The first entry behind a cookie; NULL at the end.
struct ramfs_entry *ramfs_entry_after(const struct ramfs_node *directory, uint64_t cookie);
// An empty order of entries.
void ramfs_entries_init(struct ramfs_node *directory);
