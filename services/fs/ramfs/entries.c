// SPDX-License-Identifier: MIT OR Apache-2.0
// entries.c: names in directories: one hash table an instance for look-ups, and per directory a
// tree in the order of creation for reading it.
#include "ramfs.h"

#include <lib/hash.h>
#include <lib/string.h>

#define ENTRY_SIZE 20u // what a name adds to a directory's size, the same as in Linux's tmpfs

static uint64_t entry_hash(const struct ramfs_node *directory, struct fs_name name) {
    return hash_u64(hash_more(HASH_START ^ directory->info.node, name.text, name.length));
}

static struct ramfs_entry **bucket_of(const struct ramfs *fs, uint64_t hash) {
    return &fs->buckets[hash & (fs->bucket_count - 1)];
}

struct ramfs_entry *ramfs_find(const struct ramfs *fs, const struct ramfs_node *directory,
                               struct fs_name name) {
    uint64_t hash = entry_hash(directory, name);
    struct ramfs_entry *entry = *bucket_of(fs, hash);
    while (entry != NULL &&
           (entry->hash != hash || entry->directory != directory || entry->length != name.length ||
            memcmp(entry->text, name.text, name.length) != 0)) {
        entry = entry->next;
    }
    return entry;
}

struct ramfs_entry *ramfs_entry_create(struct ramfs *fs, struct fs_name name) {
    struct ramfs_entry *entry = hx_alloc(fs->env, sizeof(*entry) + name.length);
    if (entry != NULL) {
        entry->length = name.length;
        memcpy(entry->text, name.text, name.length);
    }
    return entry;
}

// Doubles the table when chains grow. Without memory it stays: slower, but right.
static void grow(struct ramfs *fs) {
    uint64_t count = fs->bucket_count * 2;
    struct ramfs_entry **buckets =
        (struct ramfs_entry **)hx_alloc(fs->env, count * sizeof(struct ramfs_entry *));
    if (buckets == NULL) {
        return;
    }
    for (uint64_t i = 0; i < fs->bucket_count; i++) {
        struct ramfs_entry *entry = fs->buckets[i];
        while (entry != NULL) {
            struct ramfs_entry *next = entry->next;
            struct ramfs_entry **to = &buckets[entry->hash & (count - 1)];
            entry->next = *to;
            *to = entry;
            entry = next;
        }
    }
    hx_free(fs->env, (void *)fs->buckets);
    fs->buckets = buckets;
    fs->bucket_count = count;
}

void ramfs_entry_add(struct ramfs *fs, struct ramfs_entry *entry, struct ramfs_node *directory,
                     struct ramfs_node *node) {
    if (fs->entry_count >= fs->bucket_count) {
        grow(fs);
    }
    entry->directory = directory;
    entry->node = node;
    entry->cookie = directory->next_cookie++;
    entry->hash = entry_hash(directory, (struct fs_name){ entry->text, entry->length });
    struct ramfs_entry **bucket = bucket_of(fs, entry->hash);
    entry->next = *bucket;
    *bucket = entry;
    rbtree_insert(&directory->entries, &entry->by_cookie);
    directory->info.size_bytes += ENTRY_SIZE;
    fs->entry_count++;
}

void ramfs_entry_remove(struct ramfs *fs, struct ramfs_entry *entry) {
    struct ramfs_entry **at = bucket_of(fs, entry->hash);
    while (*at != entry) {
        at = &(*at)->next;
    }
    *at = entry->next;
    rbtree_remove(&entry->directory->entries, &entry->by_cookie);
    entry->directory->info.size_bytes -= ENTRY_SIZE;
    fs->entry_count--;
    hx_free(fs->env, entry);
}

struct ramfs_entry *ramfs_entry_after(const struct ramfs_node *directory, uint64_t cookie) {
    struct rbnode *at = directory->entries.root;
    struct ramfs_entry *best = NULL;
    while (at != NULL) {
        struct ramfs_entry *entry = RB_ENTRY(at, struct ramfs_entry, by_cookie);
        if (entry->cookie > cookie) {
            best = entry;
            at = at->left;
        } else {
            at = at->right;
        }
    }
    return best;
}

static bool cookie_less(const struct rbnode *a, const struct rbnode *b) {
    return RB_ENTRY(a, struct ramfs_entry, by_cookie)->cookie <
           RB_ENTRY(b, struct ramfs_entry, by_cookie)->cookie;
}

void ramfs_entries_init(struct ramfs_node *directory) {
    if ((directory->info.mode & FS_MODE_TYPE) == FS_MODE_DIRECTORY) {
        directory->info.size_bytes = 2 * ENTRY_SIZE; // "." and ".."
    }
    rbtree_init(&directory->entries, cookie_less, NULL);
    directory->next_cookie = 1;
}
