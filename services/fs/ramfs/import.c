// SPDX-License-Identifier: MIT OR Apache-2.0
// import.c: what an instance has in one life of the module, and how the next one gets it from the
// objects of the arena.
#include "ramfs.h"

#define BUCKETS_AT_FIRST 64u
#define ALWAYS           HX_ATTR(always_inline) inline // once for each of its uses: `checks` is a constant
#define WALK_OBJECTS     64u
#define COOKIE_MAX       (UINT64_C(1) << 62) // nobody has made as many names

struct ramfs *ramfs_life_create(void) {
    struct ramfs *fs = hx_alloc(ramfs_env, sizeof(*fs));
    if (fs == NULL) {
        return NULL;
    }
    hx_mutex_init(&fs->lock, "ramfs");
    fs->bucket_count = BUCKETS_AT_FIRST;
    fs->next_cookie = 1;
    fs->update = hx_update_create(ramfs_env);
    fs->buckets = (const struct ramfs_entry **)hx_alloc(
        ramfs_env, BUCKETS_AT_FIRST * sizeof(struct ramfs_entry *));
    if (fs->update == NULL || fs->buckets == NULL) {
        ramfs_life_destroy(fs);
        return NULL;
    }
    return fs;
}

void ramfs_life_of(struct ramfs *fs, const struct ramfs_mount *mount) {
    fs->mount = mount;
    fs->number = hx_object_number(mount);
}

void ramfs_life_destroy(struct ramfs *fs) {
    if (fs->update != NULL) {
        hx_update_destroy(fs->update);
    }
    hx_free(ramfs_env, (void *)fs->xattr.buckets);
    hx_free(ramfs_env, (void *)fs->buckets);
    hx_free(ramfs_env, fs);
}

// What an import believes of an object: what it has of it itself, the number, the type and the size
// of the object. All else was written by the module of the life before. If that was in a process,
// which somebody may have taken over (decision 046), it is checked here, once, so that all that is
// done later may rely on it.

// Where an import is: objects of one instance come one behind the other, mostly, and so do the
// names of a directory.
struct import {
    bool checks;
    bool has_attributes; // its schema has
    uint32_t count;      // of instances
    uint64_t number;     // of the instance; 0: none yet
    struct ramfs *fs;
    struct ramfs *instances;            // by `next_imported`
    const struct ramfs_node *directory; // NULL: none yet
    struct ramfs *directory_fs;
    uint64_t tally; // of it, not added yet
};

// Looking
// ------------------------------------------------------------------------------------------------

static inline uint32_t size_of(const void *object) {
    return hx_object_of(object)->size_bytes;
}

static bool mount_is_whole(const void *object) {
    return hx_object_type(object) == RAMFS_MOUNT && size_of(object) == sizeof(struct ramfs_mount);
}

static bool node_is_whole(const void *object) {
    const struct ramfs_node *node = object;
    return hx_object_type(object) == RAMFS_NODE && size_of(object) >= sizeof(*node) &&
           node->info.node == hx_object_number(object) &&
           node->target_length == size_of(object) - sizeof(*node);
}

static bool entry_is_whole(const struct ramfs_entry *entry) {
    return size_of(entry) > sizeof(*entry) && entry->length == size_of(entry) - sizeof(*entry) &&
           entry->length <= FS_NAME_MAX && entry->cookie - 1 < COOKIE_MAX &&
           entry->hash ==
               ramfs_hash(entry->directory, (struct fs_name){ entry->text, entry->length });
}

// A node of that instance that has names; NULL: it is none.
static inline const struct ramfs_node *named_node(uint64_t number, uint64_t mount) {
    const struct ramfs_node *node = hx_arena_at(ramfs_env, number);
    return node != NULL && node_is_whole(node) && node->mount == mount && node->info.links != 0
               ? node
               : NULL;
}

// Instances
// ------------------------------------------------------------------------------------------------

// An instance costs some twenty times what its object does, so that an arena full of them would
// cost more memory than there is. Each one has an update, of which a life in ring 3 has few.
static bool is_one_too_many(struct import *at) {
    at->count++;
    return at->checks && at->count > HX_UPDATES_ISOLATED - RAMFS_SETTINGS;
}

static enum hx_status instance_begin(struct import *at, const struct ramfs_mount *mount) {
    const uint64_t number = hx_object_number(mount);
    const struct ramfs_node *root = named_node(mount->root, number);
    if (root != NULL ? !ramfs_is_directory(root)
                     : at->checks && hx_arena_at(ramfs_env, mount->root) != NULL) {
        return HX_ERR_CORRUPT;
    }
    if (is_one_too_many(at)) {
        return HX_ERR_LIMIT;
    }
    at->fs = ramfs_life_create();
    if (at->fs == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    ramfs_life_of(at->fs, mount);
    at->fs->is_going = root == NULL; // it goes first
    hx_object_of(mount)->local = at->fs;
    at->fs->next_imported = at->instances;
    at->instances = at->fs;
    return HX_OK;
}

// The instance of that number; NULL: there is none.
static enum hx_status find(struct import *at, uint64_t number) {
    const struct ramfs_mount *mount = hx_arena_at(ramfs_env, number);
    if (mount != NULL && !mount_is_whole(mount)) {
        return HX_ERR_CORRUPT;
    }
    at->number = number;
    at->fs = mount != NULL ? hx_object_of(mount)->local : NULL;
    return mount != NULL && at->fs == NULL ? instance_begin(at, mount) : HX_OK;
}

// The same, of the last one in a few instructions: who waits for a swap waits for them.
static inline enum hx_status instance_of(struct import *at, uint64_t number,
                                         struct ramfs **out_fs) {
    enum hx_status status = HX_OK;
    if (__builtin_expect(at->number != number, 0)) {
        status = find(at, number);
    }
    *out_fs = at->fs;
    return status;
}

// Counting
// ------------------------------------------------------------------------------------------------

// What was counted of a node is in its `local`, and stays there: an odd number, as order.c has it.
// Of a directory: how many are in it, how many of these are directories, and whether it has a name;
// of any other node: its names. Each may come to what the node says itself, once, and not beyond
// (`owed`). So nothing goes before its last name, and what is found from the root is a tree.
#define TALLY           UINT64_C(1)
#define TALLY_ONE       UINT64_C(2)
#define TALLY_DIRECTORY (UINT64_C(1) << 32)
#define TALLY_NAMED     (UINT64_C(1) << 63)

static uint64_t tally_of(const struct ramfs_node *node) {
    return (uintptr_t)hx_object_of(node)->local;
}

static void tally_set(const struct ramfs_node *node, uint64_t tally) {
    // NOLINTNEXTLINE(performance-no-int-to-ptr): a number
    hx_object_of(node)->local = (void *)(uintptr_t)(tally | TALLY);
}

// What has to be found of a node that has names.
static enum hx_status owe(struct ramfs *fs, const struct ramfs_node *node) {
    const uint32_t links = node->info.links;
    if (!ramfs_is_directory(node)) {
        fs->owed++;
        return HX_OK;
    }
    fs->owed += (node->info.node != fs->mount->root) + (links > 2);
    return links >= 2 ? HX_OK : HX_ERR_CORRUPT;
}

static enum hx_status directory_end(struct import *at) {
    const struct ramfs_node *directory = at->directory;
    const uint64_t tally = directory != NULL ? tally_of(directory) + at->tally : 0;
    const bool has_more = at->tally >= TALLY_DIRECTORY;
    at->directory = NULL;
    at->tally = 0;
    if (directory == NULL) {
        return HX_OK;
    }
    tally_set(directory, tally);
    const uint64_t missing = directory->info.links - 2 - (tally & ~TALLY_NAMED) / TALLY_DIRECTORY;
    at->directory_fs->owed -= has_more && missing == 0;
    return missing <= UINT32_MAX ? HX_OK : HX_ERR_CORRUPT;
}

static enum hx_status directory_begin(struct import *at, const struct ramfs_entry *entry) {
    enum hx_status status = directory_end(at);
    const struct ramfs_node *directory = named_node(entry->directory, entry->mount);
    if (status != HX_OK || directory == NULL || !ramfs_is_directory(directory)) {
        return HX_ERR_CORRUPT;
    }
    at->directory = directory;
    at->directory_fs = at->fs;
    return HX_OK;
}

static enum hx_status subdirectory_count(struct import *at, const struct ramfs_node *node) {
    const uint64_t tally = tally_of(node);
    at->tally += TALLY_DIRECTORY;
    at->fs->owed--;
    tally_set(node, tally | TALLY_NAMED);
    return (tally & TALLY_NAMED) == 0 && node->info.node != at->fs->mount->root ? HX_OK
                                                                                : HX_ERR_CORRUPT;
}

static enum hx_status named_count(struct import *at, const struct ramfs_entry *entry) {
    const struct ramfs_node *node = named_node(entry->node, entry->mount);
    if (node == NULL || entry->mode != (node->info.mode & FS_MODE_TYPE)) {
        return HX_ERR_CORRUPT;
    }
    if (ramfs_is_directory(node)) {
        return subdirectory_count(at, node);
    }
    const uint64_t tally = tally_of(node) + TALLY_ONE;
    tally_set(node, tally);
    at->fs->owed -= tally / TALLY_ONE == node->info.links;
    return tally / TALLY_ONE <= node->info.links ? HX_OK : HX_ERR_CORRUPT;
}

// The name counts for its directory, and for what it names.
ALWAYS static enum hx_status name_count(struct import *at, const struct ramfs_entry *entry,
                                        bool checks) {
    if (at->directory == NULL || at->directory->info.node != entry->directory ||
        at->directory_fs != at->fs) {
        enum hx_status status = directory_begin(at, entry);
        if (status != HX_OK) {
            return status;
        }
    }
    at->tally += TALLY_ONE;
    return checks ? named_count(at, entry) : HX_OK;
}

// Objects
// ------------------------------------------------------------------------------------------------

// What names an instance that is not there: unmounting leaves nothing, and the number may be given
// to the next one that is mounted.
static enum hx_status of_nobody(bool checks) {
    return checks ? HX_ERR_CORRUPT : HX_OK;
}

// Each name counts for one node, and so does the root, and what has no name.
ALWAYS static enum hx_status import_node(struct import *at, const struct ramfs_node *node,
                                         bool checks) {
    struct ramfs *fs;
    if (checks && !node_is_whole(node)) {
        return HX_ERR_CORRUPT;
    }
    if (node->info.links != 0 && !checks) {
        return HX_OK;
    }
    enum hx_status status = instance_of(at, node->mount, &fs);
    if (status != HX_OK || fs == NULL) {
        return status != HX_OK ? status : of_nobody(checks);
    }
    if (node->info.links != 0) {
        return fs->is_going ? HX_OK : owe(fs, node);
    }
    fs->inodes_used++;
    ramfs_orphan_add(fs, node);
    return HX_OK;
}

// Of an instance that was being unmounted there is no more than names and what they name, to be
// freed; one of several names of a node may have taken it along.
static enum hx_status going_check(const struct ramfs_entry *entry) {
    return hx_arena_at(ramfs_env, entry->node) == NULL ||
                   named_node(entry->node, entry->mount) != NULL
               ? HX_OK
               : HX_ERR_CORRUPT;
}

ALWAYS static enum hx_status import_entry(struct import *at, const struct ramfs_entry *entry,
                                          bool checks) {
    struct ramfs *fs;
    if (checks && !entry_is_whole(entry)) {
        return HX_ERR_CORRUPT;
    }
    enum hx_status status = instance_of(at, entry->mount, &fs);
    if (status != HX_OK || fs == NULL) {
        return status != HX_OK ? status : of_nobody(checks);
    }
    if (!fs->is_going) {
        status = name_count(at, entry, checks);
    } else if (checks) {
        status = going_check(entry);
    }
    if (status != HX_OK) {
        return status;
    }
    fs->next_cookie = MAX_OF(fs->next_cookie, entry->cookie + 1);
    hx_object_of(entry)->local = (void *)fs->collected;
    fs->collected = entry;
    fs->entry_count++;
    return HX_OK;
}

// Of a root that has gone first there may be attributes.
static enum hx_status owner_check(const struct ramfs *fs, const struct ramfs_attribute *attribute) {
    const struct ramfs_node *node = hx_arena_at(ramfs_env, attribute->node);
    if (node == NULL) {
        return fs->is_going ? HX_OK : HX_ERR_CORRUPT;
    }
    return node_is_whole(node) && node->mount == attribute->mount ? HX_OK : HX_ERR_CORRUPT;
}

static enum hx_status import_attribute(struct import *at, const struct ramfs_attribute *attribute) {
    struct ramfs *fs;
    if (at->checks && !ramfs_attribute_is_whole(attribute)) {
        return HX_ERR_CORRUPT;
    }
    enum hx_status status = instance_of(at, attribute->mount, &fs);
    if (status != HX_OK || fs == NULL) {
        return status != HX_OK ? status : of_nobody(at->checks);
    }
    if (at->checks && owner_check(fs, attribute) != HX_OK) {
        return HX_ERR_CORRUPT;
    }
    hx_object_of(attribute)->local = (void *)fs->xattr.collected;
    fs->xattr.collected = attribute;
    fs->xattr.count++;
    return HX_OK;
}

static enum hx_status import_newer(struct import *at, const void *object) {
    if (!at->has_attributes) {
        return HX_ERR_CORRUPT;
    }
    if (hx_object_type(object) == RAMFS_ATTRIBUTE) {
        return import_attribute(at, object);
    }
    return !at->checks || ramfs_piece_is_owned(object) ? HX_OK : HX_ERR_CORRUPT;
}

// What there are most of comes first: who waits for a swap waits for all of them.
ALWAYS static enum hx_status import_object(struct import *at, const void *object, bool checks) {
    const uint32_t type = hx_object_type(object);
    if (type == RAMFS_ENTRY) {
        return import_entry(at, object, checks);
    }
    if (type == RAMFS_NODE) {
        return import_node(at, object, checks);
    }
    if (type == RAMFS_MOUNT) {
        struct ramfs *fs;
        return instance_of(at, hx_object_number(object), &fs);
    }
    return type == RAMFS_ATTRIBUTE || type == RAMFS_PIECE ? import_newer(at, object)
                                                          : HX_ERR_CORRUPT;
}

// When all objects were seen.
static enum hx_status instance_end(struct ramfs *fs, bool checks) {
    fs->inodes_used += fs->entry_count + 1;
    if (fs->owed != 0) {
        return HX_ERR_CORRUPT;
    }
    enum hx_status status = ramfs_entries_index(fs);
    return status == HX_OK ? ramfs_xattr_index(fs, checks) : status;
}

// `checks`: what may have been written elsewhere; that takes twice as long.
ALWAYS static enum hx_status import_all(struct import *at, bool checks) {
    void *objects[WALK_OBJECTS];
    uint32_t index = 0;
    uint32_t count;
    while ((count = hx_arena_walk(ramfs_env, &index, objects, WALK_OBJECTS)) != 0) {
        for (uint32_t i = 0; i < count; i++) {
            enum hx_status status = import_object(at, objects[i], checks);
            if (status != HX_OK) {
                return status;
            }
        }
    }
    return directory_end(at);
}

enum hx_status ramfs_import(void *self, uint32_t schema_version) {
    struct import at = { .checks = hx_arena_is_foreign(ramfs_env),
                         .has_attributes = schema_version == RAMFS_SCHEMA };
    (void)self;
    if (schema_version < RAMFS_SCHEMA_LEAST || schema_version > RAMFS_SCHEMA) {
        return HX_ERR_NOT_SUPPORTED;
    }
    enum hx_status status = at.checks ? import_all(&at, true) : import_all(&at, false);
    for (struct ramfs *fs = at.instances; fs != NULL && status == HX_OK; fs = fs->next_imported) {
        status = instance_end(fs, at.checks);
    }
    return status;
}
