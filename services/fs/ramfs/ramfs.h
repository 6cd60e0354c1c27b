// SPDX-License-Identifier: MIT OR Apache-2.0
// ramfs.h: the types of file system that this module provides; its state.
//
// What lasts are objects of the arena: mounts, nodes and entries, which name each other by number.
// What is found by them quickly (tables, orders) is ordinary memory, of one life of the module:
// import.c makes it anew.
#pragma once

#include <helix/env.h>
#include <helix/ports/fs_port.h>

// What makes ramfs, tmpfs, devtmpfs and rootfs differ; `self` of the port's mount().
struct ramfs_type {
    const char *name;
    uint64_t magic;     // statfs's f_type
    uint32_t root_mode; // unless mode= says otherwise
    // Unless size= and nr_inodes= say otherwise, as tmpfs of Linux:
    bool limits_contents; // to half of the memory
    bool limits_names;    // to one for two pages of it
    bool refuses_options; // that it does not know
};

// In the arena
// -----------------------------------------------------------------------------------------------

#define RAMFS_SCHEMA       2u // of what follows
#define RAMFS_SCHEMA_LEAST 1u // the same without attributes

enum { RAMFS_MOUNT = 1, RAMFS_NODE, RAMFS_ENTRY, RAMFS_ATTRIBUTE, RAMFS_PIECE };

// A mounted instance; the port's `mounted` is its number. Its `local` is a struct ramfs.
struct ramfs_mount {
    uint64_t root;
    uint64_t magic;
    uint64_t inodes_max;     // 0: no limit
    uint64_t memory_blocks;  // what the machine has
    uint64_t blocks;         // limit on the contents; 0: none
    uint32_t uid, gid, mode; // of the root
    uint32_t reserved;
};

// The port's node number is its number. The `local` of a directory says what is in it: order.c;
// that of a node without links is the next one of these.
struct ramfs_node {
    // Links included. Size, times and contents of files are the core's; the size of a directory
    // follows from its entries.
    struct fs_info info;
    uint64_t mount;
    uint32_t target_length; // a link's
    char target[];
};

// A name in a directory. Its `local` is the next one in the bucket.
struct ramfs_entry {
    uint64_t mount;
    uint64_t directory;
    uint64_t node;
    uint64_t cookie; // grows, so that the order of entries survives removals
    uint64_t hash;
    uint32_t mode; // of the node: type only
    uint32_t length;
    char text[];
};

#define RAMFS_PIECES ((FS_XATTR_BYTES_MAX + FS_XATTR_PIECE_MAX - 1) / FS_XATTR_PIECE_MAX)

// An extended attribute of a node. Its `local` is the next one in the bucket.
struct ramfs_attribute {
    uint64_t mount;
    uint64_t node;
    uint64_t pieces[RAMFS_PIECES - 1]; // what follows the first piece of the value; 0: nothing
    uint32_t size_bytes;               // of the value
    uint32_t name_length;
    char text[]; // the name, and the first piece
};

// More of a value.
struct ramfs_piece {
    uint64_t attribute;
    uint64_t index; // among its pieces, from 1 on
    char bytes[];
};

// Of one life
// -----------------------------------------------------------------------------------------------

// The entries of a directory by cookie. New ones come to the end; those that are gone are NULL
// until there are many.
struct ramfs_order {
    uint32_t count, gone, capacity;
    struct ramfs_place {
        uint64_t cookie;
        const struct ramfs_entry *entry;
    } at[];
};

#define RAMFS_ORPHANS  64u
#define RAMFS_SETTINGS 8u // updates that are left for values, however many instances there are

// A value whose last piece has not come.
struct ramfs_setting {
    struct hx_update *update; // NULL: there is none
    struct ramfs_attribute *attribute;
    uint32_t done; // bytes of it
};

// Extended attributes, by node.
struct ramfs_xattr {
    const struct ramfs_attribute **buckets;
    uint64_t bucket_count; // 0: no table yet; a power of two
    uint64_t count;
    const struct ramfs_attribute *collected; // while it is imported
    struct ramfs_setting setting;
};

// A mounted instance. `lock` guards all of it, and the objects of the instance.
struct ramfs {
    struct hx_mutex lock;
    struct hx_update *update;
    const struct ramfs_mount *mount;
    uint64_t number;
    uint64_t inodes_used;               // nodes, and names that a node has beyond its first
    const struct ramfs_entry **buckets; // by directory and name
    uint64_t bucket_count;              // a power of two
    uint64_t entry_count;
    uint64_t next_cookie;
    struct ramfs_xattr xattr;
    const struct ramfs_node *orphans[RAMFS_ORPHANS]; // without links, by number
    const struct ramfs_entry *collected;             // while it is imported
    struct ramfs *next_imported;
    int64_t owed;    // while it is imported: what has to be found yet of nodes that were seen
    bool is_ordered; // directories with entries have their orders
    bool is_going;   // it has no root any more: all that can be done is to unmount it
};

extern struct hx_env *ramfs_env; // set in init
extern const struct fs_ops ramfs_ops;

// Reads mount options. HX_ERR_INVALID.
enum hx_status ramfs_options(struct ramfs_mount *mount, const char *options, bool refuses_unknown);

// import.c: everything that is found quickly, from what is in the arena. HX_ERR_NO_MEMORY;
// HX_ERR_NOT_SUPPORTED: it is of another schema; HX_ERR_CORRUPT: it is not what this module writes;
// HX_ERR_LIMIT: it has more instances than a life in ring 3 can have
enum hx_status ramfs_import(void *self, uint32_t schema_version);
// What an instance has of this life, empty; NULL: no memory.
struct ramfs *ramfs_life_create(void);
// Whose it is.
void ramfs_life_of(struct ramfs *fs, const struct ramfs_mount *mount);
void ramfs_life_destroy(struct ramfs *fs);

// entries.c: names in directories. The lock is held.
static inline bool ramfs_is_directory(const struct ramfs_node *node) {
    return (node->info.mode & FS_MODE_TYPE) == FS_MODE_DIRECTORY;
}
// Of a name in a directory.
uint64_t ramfs_hash(uint64_t directory, struct fs_name name);
const struct ramfs_entry *ramfs_find(const struct ramfs *fs, uint64_t directory,
                                     struct fs_name name);
// A name in the update, which is not found before ramfs_entry_show(), after the commit.
// HX_ERR_NO_MEMORY
enum hx_status ramfs_entry_new(struct ramfs *fs, const struct ramfs_node *directory,
                               struct fs_name name, const struct ramfs_node *node,
                               const struct ramfs_entry **out_entry);
void ramfs_entry_show(struct ramfs *fs, const struct ramfs_node *directory,
                      const struct ramfs_entry *entry);
// It is not found any more. Just before the commit, when nothing can fail.
void ramfs_entry_hide(struct ramfs *fs, const struct ramfs_node *directory,
                      const struct ramfs_entry *entry);
// All entries of the last life are collected, by `local`: from now on they are found by name.
// HX_ERR_NO_MEMORY
enum hx_status ramfs_entries_index(struct ramfs *fs);

// Nodes without links, which somebody may still use. In or out of what is found quickly.
void ramfs_orphan_add(struct ramfs *fs, const struct ramfs_node *node);
void ramfs_orphan_remove(struct ramfs *fs, const struct ramfs_node *node);

// order.c: entries of directories by cookie. The lock is held.
// How many there are.
uint64_t ramfs_entries(const struct ramfs_node *directory);
// NULL: it is empty, or its entries are counted only.
struct ramfs_order *ramfs_order_of(const struct ramfs_node *directory);
// What this life has of a node that goes.
void ramfs_order_destroy(const struct ramfs_node *node);
// Room for one more; HX_ERR_NO_MEMORY
enum hx_status ramfs_order_reserve(struct ramfs *fs, const struct ramfs_node *directory);
void ramfs_order_append(const struct ramfs *fs, const struct ramfs_node *directory,
                        const struct ramfs_entry *entry);
void ramfs_order_remove(const struct ramfs *fs, const struct ramfs_node *directory,
                        const struct ramfs_entry *entry);
// All directories of the instance have their orders from now on. HX_ERR_NO_MEMORY;
// HX_ERR_CORRUPT: of an earlier life there are two names of one cookie
enum hx_status ramfs_order_all(struct ramfs *fs);
// The index of the first entry behind a cookie, of `count` if there is none.
uint32_t ramfs_order_after(const struct ramfs_order *order, uint64_t cookie);

// xattr.c: extended attributes. The lock is held.
// Bytes of who calls.
struct ramfs_buffer {
    char *bytes;
    uint32_t capacity;
    uint32_t length; // of what was put there
};
// A piece of a value, as the port's setxattr() has it.
struct ramfs_value {
    uint32_t offset;
    uint32_t size_bytes; // of the value
    const void *piece;
    uint32_t length;
};
// As the port's getxattr(): HX_ERR_NO_DATA
enum hx_status ramfs_xattr_get(const struct ramfs *fs, uint64_t node, struct fs_name name,
                               uint32_t offset, struct ramfs_buffer *buffer,
                               uint32_t *out_size_bytes);
// As many names as the buffer takes.
void ramfs_xattr_list(const struct ramfs *fs, uint64_t node, struct ramfs_buffer *buffer);
// As the port's setxattr(): HX_ERR_NO_MEMORY, HX_ERR_NO_SPACE, HX_ERR_NOT_FOUND, HX_ERR_INVALID
enum hx_status ramfs_xattr_set(struct ramfs *fs, uint64_t node, struct fs_name name,
                               const struct ramfs_value *value);
// A value whose pieces are not all there goes.
void ramfs_xattr_give_up(struct ramfs *fs);
void ramfs_xattr_remove(struct ramfs *fs, uint64_t node, struct fs_name name);
// All attributes of a node that goes, one after the other: each may be the last thing that is done
// in this life.
void ramfs_xattr_forget(struct ramfs *fs, uint64_t node);
// All of the instance, in the same way.
void ramfs_xattr_unmount(struct ramfs *fs);
// All attributes of the last life are collected and counted: from now on they are found.
// HX_ERR_NO_MEMORY; if it `checks`, HX_ERR_CORRUPT: a node has two of one name, or too many
enum hx_status ramfs_xattr_index(struct ramfs *fs, bool checks);
// Whether an object is an attribute with all that belongs to it, but for its node; and whether a
// piece belongs to one.
bool ramfs_attribute_is_whole(const void *object);
bool ramfs_piece_is_owned(const void *object);
