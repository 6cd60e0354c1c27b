// SPDX-License-Identifier: MIT OR Apache-2.0
// import.c: what an instance has in one life of the module, and how the next one gets it from the
// objects of the arena.
#include "ramfs.h"

#define BUCKETS_AT_FIRST 64u
#define WALK_OBJECTS     64u

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
    hx_free(ramfs_env, (void *)fs->buckets);
    hx_free(ramfs_env, fs);
}

// Where an import is: objects of one instance come one behind the other, mostly.
struct import {
    uint64_t number; // of the instance; 0: none yet
    struct ramfs *fs;
    struct ramfs *instances;            // by `next_imported`
    const struct ramfs_node *directory; // NULL: none yet
    uint64_t names;                     // in it, not counted yet
};

// The instance of that number; NULL: it was unmounted, and this is left of it.
static enum hx_status find(struct import *at, uint64_t number, struct ramfs **out_fs) {
    if (at->number != number) {
        const struct ramfs_mount *mount = hx_arena_at(ramfs_env, number);
        if (mount != NULL && hx_object_type(mount) != RAMFS_MOUNT) {
            return HX_ERR_CORRUPT;
        }
        at->number = number;
        at->fs = mount != NULL ? hx_object_of(mount)->local : NULL;
        if (mount != NULL && at->fs == NULL) {
            at->fs = ramfs_life_create();
            if (at->fs == NULL) {
                return HX_ERR_NO_MEMORY;
            }
            ramfs_life_of(at->fs, mount);
            hx_object_of(mount)->local = at->fs;
            at->fs->next_imported = at->instances;
            at->instances = at->fs;
        }
    }
    *out_fs = at->fs;
    return HX_OK;
}

// The same, of the last one in a few instructions: who waits for a swap waits for them.
static inline enum hx_status instance_of(struct import *at, uint64_t number,
                                         struct ramfs **out_fs) {
    if (__builtin_expect(at->number == number, 1)) {
        *out_fs = at->fs;
        return HX_OK;
    }
    return find(at, number, out_fs);
}

// Each name counts for one node, and so does the root, and what has no name.
static enum hx_status import_node(struct import *at, const struct ramfs_node *node) {
    struct ramfs *fs;
    if (node->info.links != 0) {
        return HX_OK;
    }
    enum hx_status status = instance_of(at, node->mount, &fs);
    if (status == HX_OK && fs != NULL) {
        fs->inodes_used++;
        ramfs_orphan_add(fs, node);
    }
    return status;
}

// Mostly, the names of a directory come one behind the other, too.
static void names_count(struct import *at) {
    if (at->names != 0) {
        ramfs_order_count(at->directory, at->names);
        at->names = 0;
    }
}

static enum hx_status import_entry(struct import *at, const struct ramfs_entry *entry) {
    struct ramfs *fs;
    enum hx_status status = instance_of(at, entry->mount, &fs);
    if (status != HX_OK || fs == NULL) {
        return status;
    }
    if (at->directory == NULL || at->directory->info.node != entry->directory) {
        names_count(at);
        at->directory = hx_arena_at(ramfs_env, entry->directory);
        if (at->directory == NULL || hx_object_type(at->directory) != RAMFS_NODE) {
            return HX_ERR_CORRUPT;
        }
    }
    at->names++;
    fs->next_cookie = MAX_OF(fs->next_cookie, entry->cookie + 1);
    hx_object_of(entry)->local = (void *)fs->collected;
    fs->collected = entry;
    fs->entry_count++;
    return HX_OK;
}

static enum hx_status import_object(struct import *at, const void *object) {
    struct ramfs *fs;
    switch (hx_object_type(object)) {
    case RAMFS_MOUNT:
        return find(at, hx_object_number(object), &fs);
    case RAMFS_NODE:
        return import_node(at, object);
    case RAMFS_ENTRY:
        return import_entry(at, object);
    default:
        return HX_ERR_CORRUPT;
    }
}

enum hx_status ramfs_import(void *self, uint32_t schema_version) {
    struct import at = { 0 };
    void *objects[WALK_OBJECTS];
    uint32_t index = 0;
    uint32_t count;
    (void)self;
    if (schema_version != RAMFS_SCHEMA) {
        return HX_ERR_NOT_SUPPORTED;
    }
    while ((count = hx_arena_walk(ramfs_env, &index, objects, WALK_OBJECTS)) != 0) {
        for (uint32_t i = 0; i < count; i++) {
            enum hx_status status = import_object(&at, objects[i]);
            if (status != HX_OK) {
                return status;
            }
        }
    }
    names_count(&at);
    enum hx_status status = HX_OK;
    for (struct ramfs *fs = at.instances; fs != NULL && status == HX_OK; fs = fs->next_imported) {
        fs->inodes_used += fs->entry_count + 1;
        status = ramfs_entries_index(fs);
    }
    return status;
}
