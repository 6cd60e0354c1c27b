// SPDX-License-Identifier: MIT OR Apache-2.0
// inode.c: inodes: their table and their life; see inode.h. What is stored in them: attribute.c.
#include "inode.h"

#include "mount.h"
#include "repeat.h"

#include <core/log.h>
#include <core/ports/fs_calls.h>
#include <core/thread.h>
#include <core/time.h>
#include <lib/hash.h>
#include <lib/string.h>
#include <memory/account.h>
#include <memory/heap.h>

#define BUCKET_COUNT 1024u
#define LOCK_COUNT   64u
#define RETRY_NS     50000 // another thread is ending the inode that is wanted

static const struct lock_class bucket_class = { "inode bucket", LOCK_RANK_NAME_CACHE + 3, false };
static const struct lock_class info_class = { "inode info", LOCK_RANK_NAME_CACHE + 4, false };
static const struct lock_class directory_class = { "directory", LOCK_RANK_DIRECTORY, true };
// Of a file system whose names change by themselves: procfs takes the locks of processes inside.
static const struct lock_class uncached_class = { "uncached directory", LOCK_RANK_PROCESS_TREE - 3,
                                                  true };
static const struct lock_class file_class = { "file", LOCK_RANK_FILE, true };
// Inside an address space's lock, under which the last reference to a file may go.
static const struct lock_class advisory_class = { "advisory locks", LOCK_RANK_SLEEP_LAST - 10,
                                                  false };

static struct list *buckets;
static struct spinlock bucket_locks[LOCK_COUNT];
static struct heap_cache *inode_cache;
static _Atomic uint64_t inode_total;

static uint32_t bucket_index(const struct filesystem *fs, uint64_t node) {
    return (uint32_t)(hash_u64(node ^ (uintptr_t)fs) % BUCKET_COUNT);
}

static struct spinlock *bucket_lock_of(uint32_t index) {
    return &bucket_locks[index % LOCK_COUNT];
}

// The end of an inode
// -----------------------------------------------------------------------------------------------

static void inode_reclaim(struct epoch_item *item) {
    struct inode *inode = CONTAINER_OF(item, struct inode, item);
    heap_free(atomic_load_explicit(&inode->target, memory_order_relaxed));
    heap_cache_free(inode_cache, inode);
    atomic_fetch_sub_explicit(&inode_total, 1, memory_order_relaxed);
}

static void inode_free(struct inode *inode) {
    if (inode->charged != 0) {
        account_release(inode->fs->account, ACCOUNT_FRAMES, inode->charged);
    }
    if (inode->pages != NULL) {
        memory_object_put(inode->pages);
    }
    filesystem_put(inode->fs);
    epoch_retire(&inode->item, inode_reclaim);
}

static void inode_destroy(struct object *object) {
    struct inode *inode = CONTAINER_OF(object, struct inode, object);
    struct filesystem *fs = inode->fs;
    if (inode->kind != NULL) {
        inode->kind->end(inode);
        inode->special = NULL;
    }
    ASSERT(inode->special == NULL);
    const struct fs_port *port = filesystem_port(fs);
    // There is nobody to tell.
    HX_IGNORE(FS_REPEATED(port, fs_call_forget(port, fs->instance, inode->node)));
    uint32_t index = bucket_index(fs, inode->node);
    struct spinlock *lock = bucket_lock_of(index);
    spin_lock(lock);
    list_remove(&inode->hash_link);
    spin_unlock(lock);
    inode_free(inode);
}

static const struct object_type inode_object_type = { .kind = OBJECT_INODE,
                                                      .name = "inode",
                                                      .destroy = inode_destroy };

// The making of an inode
// -----------------------------------------------------------------------------------------------

struct inode *inode_prepare(struct filesystem *fs, uint32_t mode) {
    uint32_t type = mode & FS_MODE_TYPE;
    struct inode *inode = heap_cache_alloc(inode_cache, MEMORY_SLEEP);
    if (inode == NULL) {
        return NULL;
    }
    memset(inode, 0, sizeof(*inode));
    if (type == FS_MODE_REGULAR && (fs->kind & FS_GENERATED) == 0) {
        inode->pages = memory_object_create_plain(fs->account, 0);
        if (inode->pages == NULL) {
            heap_cache_free(inode_cache, inode);
            return NULL;
        }
    }
    object_init(&inode->object, &inode_object_type);
    inode->fs = filesystem_get(fs);
    // Of a node that is made by this life, or by a later one.
    inode->no_capability = atomic_load_explicit(&fs->type->life, memory_order_relaxed);
    const struct lock_class *directory =
        (fs->kind & FS_UNCACHED) != 0 ? &uncached_class : &directory_class;
    rwlock_init(&inode->lock, type == FS_MODE_DIRECTORY ? directory : &file_class);
    spinlock_init(&inode->info_lock, &info_class);
    list_init(&inode->hash_link);
    list_init(&inode->advisory_locks);
    list_init(&inode->watches);
    mutex_init(&inode->advisory_lock, &advisory_class);
    atomic_fetch_add_explicit(&inode_total, 1, memory_order_relaxed);
    return inode;
}

#define LINK_FREE_BYTES 128u // shorter texts are part of the node, as in Linux's tmpfs
#define LINK_PAGES      2u   // the file system has the text, and so has the inode once it was read

enum hx_status inode_charge_link(struct inode *inode, uint32_t length) {
    if ((inode->fs->kind & FS_NO_PAGER) == 0 || length < LINK_FREE_BYTES) {
        return HX_OK;
    }
    if (account_charge(inode->fs->account, ACCOUNT_FRAMES, LINK_PAGES) != HX_OK) {
        return HX_ERR_NO_SPACE;
    }
    inode->charged = LINK_PAGES;
    return HX_OK;
}

static void inode_fill(struct inode *inode, const struct fs_info *info) {
    inode->node = info->node;
    inode->info = *info;
    if (inode->pages != NULL) {
        atomic_store_explicit(&inode->pages->size_bytes, info->size_bytes, memory_order_relaxed);
    }
    if (inode_has_flag(inode, FS_NO_PAGER) && info->links > 0) {
        object_get(&inode->object);
        inode->pinned = true;
    }
}

void inode_publish(struct inode *inode, const struct fs_info *info) {
    inode_fill(inode, info);
    uint32_t index = bucket_index(inode->fs, inode->node);
    struct spinlock *lock = bucket_lock_of(index);
    spin_lock(lock);
    list_push_front(&buckets[index], &inode->hash_link);
    spin_unlock(lock);
}

void inode_discard(struct inode *inode) {
    inode_free(inode);
}

// Looks into a bucket, whose lock is held. `*out_dying`: it is there, but nobody may have it.
static struct inode *find_locked(uint32_t index, const struct filesystem *fs, uint64_t node,
                                 bool *out_dying) {
    *out_dying = false;
    list_for_each (link, &buckets[index]) {
        struct inode *inode = LIST_ENTRY(link, struct inode, hash_link);
        if (inode->node != node || inode->fs != fs) {
            continue;
        }
        if (object_try_get(&inode->object)) {
            return inode;
        }
        *out_dying = true;
    }
    return NULL;
}

// The inode from the table, or `fresh` (may be NULL) put into it.
static struct inode *find_or_add(struct filesystem *fs, const struct fs_info *info,
                                 struct inode *fresh) {
    uint32_t index = bucket_index(fs, info->node);
    struct spinlock *lock = bucket_lock_of(index);
    for (;;) {
        bool dying;
        spin_lock(lock);
        struct inode *found = find_locked(index, fs, info->node, &dying);
        if (found == NULL && !dying && fresh != NULL) {
            inode_fill(fresh, info);
            list_push_front(&buckets[index], &fresh->hash_link);
            found = fresh;
        }
        spin_unlock(lock);
        if (!dying) {
            return found;
        }
        (void)thread_sleep_until(time_now() + RETRY_NS, 0);
    }
}

// What a file system that makes its names up says now replaces what it said before.
static void inode_update(struct inode *inode, const struct fs_info *info) {
    spin_lock(&inode->info_lock);
    __atomic_store_n(&inode->info.mode, info->mode, __ATOMIC_RELAXED);
    __atomic_store_n(&inode->info.uid, info->uid, __ATOMIC_RELAXED);
    __atomic_store_n(&inode->info.gid, info->gid, __ATOMIC_RELAXED);
    __atomic_store_n(&inode->info.links, info->links, __ATOMIC_RELAXED);
    spin_unlock(&inode->info_lock);
}

bool inode_is_sound(const struct fs_info *info, uint32_t type) {
    static const uint32_t types[] = { FS_MODE_FIFO,  FS_MODE_CHAR,    FS_MODE_DIRECTORY,
                                      FS_MODE_BLOCK, FS_MODE_REGULAR, FS_MODE_LINK,
                                      FS_MODE_SOCKET };
    bool is_one = false;
    for (uint32_t i = 0; i < ARRAY_SIZE(types); i++) {
        is_one |= type == types[i];
    }
    return is_one && (info->mode & FS_MODE_TYPE) == type && info->size_bytes <= FILE_BYTES_MAX;
}

enum hx_status inode_open(struct filesystem *fs, const struct fs_info *info,
                          struct inode **out_inode) {
    if (!inode_is_sound(info, info->mode & FS_MODE_TYPE)) {
        return HX_ERR_CORRUPT;
    }
    struct inode *inode = find_or_add(fs, info, NULL);
    if (inode == NULL) {
        struct inode *fresh = inode_prepare(fs, info->mode);
        if (fresh == NULL) {
            return HX_ERR_NO_MEMORY;
        }
        fresh->no_capability = 0; // it may have been there for long
        inode = find_or_add(fs, info, fresh);
        if (inode != fresh) {
            inode_discard(fresh);
        }
    }
    if (inode_type(inode) != (info->mode & FS_MODE_TYPE)) { // what it is decides what it has
        inode_put(inode);
        return HX_ERR_CORRUPT;
    }
    if (inode_has_flag(inode, FS_UNCACHED)) {
        inode_update(inode, info);
    }
    *out_inode = inode;
    return HX_OK;
}

// Pins
// -----------------------------------------------------------------------------------------------

// Two that ask at once, after they took a name each, may be told in one order and come back in the
// other one: what an earlier one was told is not put over what a later one was.
void inode_refresh_links(struct inode *inode) {
    struct filesystem *fs = inode->fs;
    const uint32_t turn =
        atomic_fetch_add_explicit(&inode->links_asked, 1, memory_order_seq_cst) + 1;
    struct fs_info info;
    if (node_info(fs, inode->node, &info) != HX_OK) {
        return;
    }
    bool pin = false;
    bool unpin = false;
    spin_lock(&inode->info_lock);
    if ((int32_t)(turn - inode->links_known) > 0) {
        inode->links_known = turn;
        __atomic_store_n(&inode->info.links, info.links, __ATOMIC_RELAXED);
        if (inode_has_flag(inode, FS_NO_PAGER)) {
            pin = info.links > 0 && !inode->pinned;
            unpin = info.links == 0 && inode->pinned;
            inode->pinned = info.links > 0;
        }
    }
    spin_unlock(&inode->info_lock);
    if (pin) {
        object_get(&inode->object);
    }
    if (unpin) {
        inode_put(inode); // never the last one: the caller has one, too
    }
}

// Takes the pin of one inode of the file system away; gives that inode, or NULL if none is left.
static struct inode *unpin_one(uint32_t index, const struct filesystem *fs) {
    struct inode *found = NULL;
    struct spinlock *lock = bucket_lock_of(index);
    spin_lock(lock);
    list_for_each (link, &buckets[index]) {
        struct inode *inode = LIST_ENTRY(link, struct inode, hash_link);
        if (inode->fs == fs && inode->pinned) {
            spin_lock(&inode->info_lock);
            inode->pinned = false;
            spin_unlock(&inode->info_lock);
            found = inode;
            break;
        }
    }
    spin_unlock(lock);
    return found;
}

void inodes_unpin(struct filesystem *fs) {
    for (uint32_t index = 0; index < BUCKET_COUNT; index++) {
        struct inode *inode;
        while ((inode = unpin_one(index, fs)) != NULL) {
            inode_put(inode);
        }
    }
}

uint64_t inodes_count(void) {
    return atomic_load_explicit(&inode_total, memory_order_relaxed);
}

enum hx_status inodes_init(void) {
    inode_cache = heap_cache_create("inode", sizeof(struct inode), alignof(struct inode));
    buckets = kernel_map_alloc(BUCKET_COUNT * sizeof(buckets[0]));
    if (inode_cache == NULL || buckets == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    for (uint32_t i = 0; i < BUCKET_COUNT; i++) {
        list_init(&buckets[i]);
    }
    for (uint32_t i = 0; i < LOCK_COUNT; i++) {
        spinlock_init(&bucket_locks[i], &bucket_class);
    }
    return HX_OK;
}
