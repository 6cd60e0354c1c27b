// SPDX-License-Identifier: MIT OR Apache-2.0
// entries.c: names in directories: one hash table an instance for look-ups, whose chains go through
// the entries' `local`; and nodes without a name.
#include "ramfs.h"

#include <lib/hash.h>
#include <lib/string.h>

uint64_t ramfs_hash(uint64_t directory, struct fs_name name) {
    return hash_u64(hash_more(HASH_START ^ directory, name.text, name.length));
}

static const struct ramfs_entry **bucket_of(const struct ramfs *fs, uint64_t hash) {
    return &fs->buckets[hash & (fs->bucket_count - 1)];
}

static const struct ramfs_entry *next_of(const struct ramfs_entry *entry) {
    return hx_object_of(entry)->local;
}

static void next_set(const struct ramfs_entry *entry, const struct ramfs_entry *next) {
    hx_object_of(entry)->local = (void *)next;
}

const struct ramfs_entry *ramfs_find(const struct ramfs *fs, uint64_t directory,
                                     struct fs_name name) {
    uint64_t hash = ramfs_hash(directory, name);
    const struct ramfs_entry *entry = *bucket_of(fs, hash);
    while (entry != NULL &&
           (entry->hash != hash || entry->directory != directory || entry->length != name.length ||
            memcmp(entry->text, name.text, name.length) != 0)) {
        entry = next_of(entry);
    }
    return entry;
}

// Doubles the table when chains grow. Without memory it stays: slower, but right.
static void grow(struct ramfs *fs) {
    uint64_t count = fs->bucket_count * 2;
    const struct ramfs_entry **buckets =
        (const struct ramfs_entry **)hx_alloc(ramfs_env, count * sizeof(struct ramfs_entry *));
    if (buckets == NULL) {
        return;
    }
    for (uint64_t i = 0; i < fs->bucket_count; i++) {
        const struct ramfs_entry *entry = fs->buckets[i];
        while (entry != NULL) {
            const struct ramfs_entry *next = next_of(entry);
            const struct ramfs_entry **to = &buckets[entry->hash & (count - 1)];
            next_set(entry, *to);
            *to = entry;
            entry = next;
        }
    }
    hx_free(ramfs_env, (void *)fs->buckets);
    fs->buckets = buckets;
    fs->bucket_count = count;
}

static void bucket_push(const struct ramfs *fs, const struct ramfs_entry *entry) {
    const struct ramfs_entry **bucket = bucket_of(fs, entry->hash);
    next_set(entry, *bucket);
    *bucket = entry;
}

enum hx_status ramfs_entries_index(struct ramfs *fs) {
    while (fs->bucket_count < fs->entry_count) {
        fs->bucket_count *= 2;
    }
    hx_free(ramfs_env, (void *)fs->buckets);
    fs->buckets = (const struct ramfs_entry **)hx_alloc(
        ramfs_env, fs->bucket_count * sizeof(struct ramfs_entry *));
    if (fs->buckets == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    const struct ramfs_entry *entry = fs->collected;
    while (entry != NULL) {
        const struct ramfs_entry *next = next_of(entry);
        bucket_push(fs, entry);
        entry = next;
    }
    fs->collected = NULL;
    return HX_OK;
}

enum hx_status ramfs_entry_new(struct ramfs *fs, const struct ramfs_node *directory,
                               struct fs_name name, const struct ramfs_node *node,
                               const struct ramfs_entry **out_entry) {
    struct ramfs_entry *entry = hx_arena_new(fs->update, RAMFS_ENTRY, sizeof(*entry) + name.length);
    if (entry == NULL || ramfs_order_reserve(fs, directory) != HX_OK) {
        return HX_ERR_NO_MEMORY;
    }
    entry->mount = fs->number;
    entry->directory = directory->info.node;
    entry->node = node->info.node;
    entry->cookie = fs->next_cookie++;
    entry->hash = ramfs_hash(entry->directory, name);
    entry->mode = node->info.mode & FS_MODE_TYPE;
    entry->length = name.length;
    memcpy(entry->text, name.text, name.length);
    *out_entry = entry;
    return HX_OK;
}

void ramfs_entry_show(struct ramfs *fs, const struct ramfs_node *directory,
                      const struct ramfs_entry *entry) {
    if (fs->entry_count >= fs->bucket_count) {
        grow(fs);
    }
    bucket_push(fs, entry);
    fs->entry_count++;
    ramfs_order_append(fs, directory, entry);
}

void ramfs_entry_hide(struct ramfs *fs, const struct ramfs_node *directory,
                      const struct ramfs_entry *entry) {
    const struct ramfs_entry **bucket = bucket_of(fs, entry->hash);
    const struct ramfs_entry *before = *bucket;
    if (before == entry) {
        *bucket = next_of(entry);
    } else {
        while (next_of(before) != entry) {
            before = next_of(before);
        }
        next_set(before, next_of(entry));
    }
    ramfs_order_remove(fs, directory, entry);
    fs->entry_count--;
}

static const struct ramfs_node **orphans_of(struct ramfs *fs, const struct ramfs_node *node) {
    return &fs->orphans[node->info.node % RAMFS_ORPHANS];
}

void ramfs_orphan_add(struct ramfs *fs, const struct ramfs_node *node) {
    const struct ramfs_node **first = orphans_of(fs, node);
    ramfs_order_destroy(node); // a directory's is empty
    hx_object_of(node)->local = (void *)*first;
    *first = node;
}

void ramfs_orphan_remove(struct ramfs *fs, const struct ramfs_node *node) {
    const struct ramfs_node **first = orphans_of(fs, node);
    const struct ramfs_node *before = *first;
    if (before == node) {
        *first = hx_object_of(node)->local;
    } else {
        while (hx_object_of(before)->local != node) {
            before = hx_object_of(before)->local;
        }
        hx_object_of(before)->local = hx_object_of(node)->local;
    }
    hx_object_of(node)->local = NULL;
}
