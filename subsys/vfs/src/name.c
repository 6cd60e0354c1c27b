// SPDX-License-Identifier: MIT OR Apache-2.0
// name.c: the name cache: making, finding, moving and ending names; see name.h.
#include "name.h"

#include "inode.h"
#include "watch.h"

#include <core/input.h>
#include <core/log.h>
#include <core/time.h>
#include <lib/hash.h>
#include <lib/string.h>
#include <memory/heap.h>

#define LOCK_COUNT 64u // bucket i is guarded by lock i modulo this

#define NAMES_SOFT_LIMIT 65536u // above it each new name evicts some
#define EVICT_BATCH      16u
#define NAMES_PER_PAGE   16u // for the shrinker: roughly how many fill a page
#define SHRINK_PAGES_MAX 64u // in one call, which holds names_lock

static const struct lock_class tree_class = { "name tree", LOCK_RANK_NAME_CACHE, false };
static const struct lock_class names_class = { "names", LOCK_RANK_NAME_CACHE + 1, false };
static const struct lock_class bucket_class = { "name bucket", LOCK_RANK_NAME_CACHE + 2, true };

uint64_t name_hash_secret;
struct spinlock tree_lock = SPINLOCK_INIT(&tree_class);
static _Atomic uint32_t sequence;

static struct spinlock names_lock = SPINLOCK_INIT(&names_class);
static struct list all_names = LIST_INIT(all_names); // [names_lock] roughly by last use
static _Atomic uint64_t name_count;

_Atomic(struct name *) *name_buckets;
static struct spinlock bucket_locks[LOCK_COUNT];

static struct spinlock *bucket_lock_of(uint64_t hash) {
    return &bucket_locks[hash & (LOCK_COUNT - 1)];
}

uint64_t name_hash(const struct name *parent, struct fs_name text) {
    uint64_t hash = name_hash_secret;
    uint32_t at = 0;
    uint64_t word = 0;
    for (; text.length - at >= NAME_WORD_BYTES; at += NAME_WORD_BYTES) {
        memcpy(&word, text.text + at, sizeof(word));
        hash = name_hash_word(hash, word);
    }
    word = 0;
    memcpy(&word, text.text + at, text.length - at);
    return name_hash_end(name_hash_word(hash, word), parent);
}

// The tree's sequence
// -----------------------------------------------------------------------------------------------

uint32_t tree_sequence(void) {
    return atomic_load_explicit(&sequence, memory_order_acquire);
}

bool tree_changed(uint32_t since) {
    atomic_thread_fence(memory_order_acquire);
    return (since & 1) != 0 || atomic_load_explicit(&sequence, memory_order_relaxed) != since;
}

void tree_change_begin(void) {
    spin_lock(&tree_lock);
    uint32_t now = atomic_load_explicit(&sequence, memory_order_relaxed);
    atomic_store_explicit(&sequence, now + 1, memory_order_relaxed);
    atomic_thread_fence(memory_order_release);
}

void tree_change_end(void) {
    uint32_t now = atomic_load_explicit(&sequence, memory_order_relaxed);
    atomic_store_explicit(&sequence, now + 1, memory_order_release);
    spin_unlock(&tree_lock);
}

// References
// -----------------------------------------------------------------------------------------------

struct name *name_get(struct name *name) {
    atomic_fetch_add_explicit(&name->references, 1, memory_order_relaxed);
    return name;
}

bool name_try_get(struct name *name) {
    uint32_t old = atomic_load_explicit(&name->references, memory_order_relaxed);
    do {
        if (old == NAME_DEAD) {
            return false; // being destroyed or evicted
        }
    } while (!atomic_compare_exchange_weak_explicit(&name->references, &old, old + 1,
                                                    memory_order_acquire, memory_order_relaxed));
    return true;
}

static void text_reclaim(struct epoch_item *item) {
    heap_free(CONTAINER_OF(item, struct name_text, item));
}

static void name_reclaim(struct epoch_item *item) {
    struct name *name = CONTAINER_OF(item, struct name, item);
    struct name_text *text = atomic_load_explicit(&name->text, memory_order_relaxed);
    if (text != &name->own) {
        heap_free(text);
    }
    heap_free(name);
}

static void name_unlist(struct name *name) {
    spin_lock(&names_lock);
    list_remove(&name->all);
    list_remove(&name->sibling);
    spin_unlock(&names_lock);
    atomic_fetch_sub_explicit(&name_count, 1, memory_order_relaxed);
}

// Ends a dead name without users; gives what it held of its parent to the caller.
static struct name *name_destroy(struct name *name) {
    struct name *parent = name_parent(name);
    struct inode *inode = name_inode(name);
    name_unlist(name);
    if (inode != NULL) {
        inode_tell_end(inode);
        inode_put(inode);
    }
    epoch_retire(&name->item, name_reclaim);
    return parent;
}

void name_put(struct name *name) {
    while (name != NULL) {
        uint32_t old = atomic_fetch_sub_explicit(&name->references, 1, memory_order_acq_rel);
        ASSERT((old & ~NAME_DEAD) != 0);
        if (old != (NAME_DEAD | 1)) {
            return;
        }
        name = name_destroy(name);
    }
}

struct name *name_create(struct name *parent, struct fs_name text, struct inode *inode) {
    struct name *name = heap_alloc(sizeof(*name) + text.length + 1, MEMORY_SLEEP);
    if (name == NULL) {
        return NULL;
    }
    atomic_init(&name->next, NULL);
    atomic_init(&name->hash, 0);
    atomic_init(&name->parent, parent == NULL ? NULL : name_get(parent));
    atomic_init(&name->inode, inode);
    atomic_init(&name->text, &name->own);
    atomic_init(&name->references, NAME_DEAD | 1);
    atomic_init(&name->flags, NAME_USED);
    list_init(&name->children);
    list_init(&name->sibling);
    name->own.length = text.length;
    memcpy(name->own.bytes, text.text, text.length);
    name->own.bytes[text.length] = '\0';
    spin_lock(&names_lock);
    list_push_back(&all_names, &name->all);
    if (parent != NULL) {
        list_push_back(&parent->children, &name->sibling);
    }
    spin_unlock(&names_lock);
    atomic_fetch_add_explicit(&name_count, 1, memory_order_relaxed);
    return name;
}

// The table
// -----------------------------------------------------------------------------------------------

struct name *name_find_get(const struct name *parent, uint64_t hash, struct fs_name text) {
    struct spinlock *lock = bucket_lock_of(hash);
    spin_lock(lock);
    struct name *name = name_find(parent, hash, text.text, text.length);
    if (name != NULL && !name_try_get(name)) {
        name = NULL; // it is being evicted
    }
    spin_unlock(lock);
    return name;
}

// Adds to the bucket; its lock is held.
static void bucket_add_locked(struct name *name, uint64_t hash) {
    _Atomic(struct name *) *bucket = name_bucket(hash);
    atomic_store_explicit(&name->hash, hash, memory_order_relaxed);
    atomic_store_explicit(&name->next, atomic_load_explicit(bucket, memory_order_relaxed),
                          memory_order_relaxed);
    atomic_store_explicit(bucket, name, memory_order_release);
}

// Takes out of the bucket; its lock is held. `next` stays: a reader may stand on the name.
static void bucket_remove_locked(struct name *name, uint64_t hash) {
    _Atomic(struct name *) *at = name_bucket(hash);
    for (;;) {
        struct name *found = atomic_load_explicit(at, memory_order_relaxed);
        ASSERT(found != NULL);
        if (found == name) {
            break;
        }
        at = &found->next;
    }
    atomic_store_explicit(at, atomic_load_explicit(&name->next, memory_order_relaxed),
                          memory_order_release);
}

static uint64_t names_evict(uint64_t want, bool all_of_them);

struct name *name_insert(struct name *name, uint64_t hash) {
    const struct name_text *text = name_text(name);
    struct spinlock *lock = bucket_lock_of(hash);
    spin_lock(lock);
    struct name *other = name_find(name_parent(name), hash, text->bytes, text->length);
    if (other != NULL && name_try_get(other)) {
        spin_unlock(lock);
        name_put(name);
        return other;
    }
    bucket_add_locked(name, hash);
    atomic_fetch_and_explicit(&name->references, ~NAME_DEAD, memory_order_release);
    spin_unlock(lock);
    if (atomic_load_explicit(&name_count, memory_order_relaxed) > NAMES_SOFT_LIMIT) {
        names_evict(EVICT_BATCH, false);
    }
    return name;
}

void name_set_inode(struct name *name, struct inode *inode) {
    ASSERT(name_inode(name) == NULL);
    atomic_store_explicit(&name->inode, inode, memory_order_release);
}

void name_remove(struct name *name) {
    if (name_is_dead(name)) {
        return;
    }
    uint64_t hash = atomic_load_explicit(&name->hash, memory_order_relaxed);
    struct spinlock *lock = bucket_lock_of(hash);
    spin_lock(lock);
    atomic_fetch_or_explicit(&name->references, NAME_DEAD, memory_order_relaxed);
    bucket_remove_locked(name, hash);
    spin_unlock(lock);
}

// Moving
// -----------------------------------------------------------------------------------------------

struct name_text *name_text_create(struct fs_name text) {
    struct name_text *copy = heap_alloc(sizeof(*copy) + text.length + 1, MEMORY_SLEEP);
    if (copy != NULL) {
        copy->length = text.length;
        memcpy(copy->bytes, text.text, text.length);
        copy->bytes[text.length] = '\0';
    }
    return copy;
}

void name_text_destroy(struct name_text *text) {
    heap_free(text);
}

static void rehash(struct name *name, bool add) {
    uint64_t hash = atomic_load_explicit(&name->hash, memory_order_relaxed);
    if (add) {
        const struct name_text *text = name_text(name);
        hash = name_hash(name_parent(name), (struct fs_name){ text->bytes, text->length });
    }
    struct spinlock *lock = bucket_lock_of(hash);
    spin_lock(lock);
    if (add) {
        bucket_add_locked(name, hash);
    } else {
        bucket_remove_locked(name, hash);
    }
    spin_unlock(lock);
}

// Sets parent and text of a name that is in no bucket; tells what to give back.
static void replace(struct name *name, struct name *parent, struct name_text *text,
                    struct name **out_parent, struct name_text **out_text) {
    spin_lock(&names_lock);
    list_remove(&name->sibling);
    list_push_back(&parent->children, &name->sibling);
    spin_unlock(&names_lock);
    *out_parent = atomic_exchange_explicit(&name->parent, name_get(parent), memory_order_acq_rel);
    *out_text = atomic_exchange_explicit(&name->text, text, memory_order_acq_rel);
}

static void replaced_put(struct name *name, struct name *parent, struct name_text *text) {
    if (text != &name->own) {
        epoch_retire(&text->item, text_reclaim);
    }
    name_put(parent);
}

void name_move(struct name *name, struct name *parent, struct name_text *text) {
    struct name *old_parent;
    struct name_text *old_text;
    bool is_dead = name_is_dead(name);
    tree_change_begin();
    if (!is_dead) {
        rehash(name, false);
    }
    replace(name, parent, text, &old_parent, &old_text);
    if (!is_dead) {
        rehash(name, true);
    }
    tree_change_end();
    replaced_put(name, old_parent, old_text);
}

void name_exchange(struct name *a, struct name *b, struct name_text *a_text,
                   struct name_text *b_text) {
    struct name *a_parent = name_parent(a);
    struct name *b_parent = name_parent(b);
    struct name *old_parents[2];
    struct name_text *old_texts[2];
    bool a_dead = name_is_dead(a);
    bool b_dead = name_is_dead(b);
    tree_change_begin();
    if (!a_dead) {
        rehash(a, false);
    }
    if (!b_dead) {
        rehash(b, false);
    }
    replace(a, b_parent, a_text, &old_parents[0], &old_texts[0]);
    replace(b, a_parent, b_text, &old_parents[1], &old_texts[1]);
    if (!a_dead) {
        rehash(a, true);
    }
    if (!b_dead) {
        rehash(b, true);
    }
    tree_change_end();
    replaced_put(a, old_parents[0], old_texts[0]);
    replaced_put(b, old_parents[1], old_texts[1]);
}

// Eviction
// -----------------------------------------------------------------------------------------------

// Kills a name without users; names_lock is held. It leaves the lists and goes onto `victims`.
static bool evict_locked(struct name *name, struct list *victims) {
    uint32_t none = 0;
    if (!atomic_compare_exchange_strong_explicit(&name->references, &none, NAME_DEAD,
                                                 memory_order_acquire, memory_order_relaxed)) {
        return false;
    }
    uint64_t hash = atomic_load_explicit(&name->hash, memory_order_relaxed);
    struct spinlock *lock = bucket_lock_of(hash);
    spin_lock(lock);
    bucket_remove_locked(name, hash);
    spin_unlock(lock);
    list_remove(&name->all);
    list_remove(&name->sibling);
    list_push_back(victims, &name->all);
    return true;
}

static void evicted_reclaim(struct epoch_item *item) {
    struct name *name = CONTAINER_OF(item, struct name, item);
    struct inode *inode = name_inode(name);
    if (inode != NULL) {
        inode_put(inode);
    }
    name_put(name_parent(name));
    name_reclaim(item);
}

// Reclaim calls this with locks of file systems held, so nothing is put here: the epoch's worker
// does.
static void evict_finish(struct list *victims) {
    struct list *link;
    while ((link = list_pop_front(victims)) != NULL) {
        struct name *name = LIST_ENTRY(link, struct name, all);
        atomic_fetch_sub_explicit(&name_count, 1, memory_order_relaxed);
        epoch_retire(&name->item, evicted_reclaim);
    }
}

// Evicts about `want` names that are not in use, the longest unused first.
static uint64_t names_evict(uint64_t want, bool all_of_them) {
    struct list victims;
    uint64_t done = 0;
    list_init(&victims);
    spin_lock(&names_lock);
    uint64_t look = all_of_them ? UINT64_MAX : want * 4;
    for (struct list *link = all_names.next, *next; link != &all_names && done < want && look > 0;
         link = next, look--) {
        next = link->next;
        struct name *name = LIST_ENTRY(link, struct name, all);
        uint32_t flags = atomic_fetch_and_explicit(&name->flags, ~NAME_USED, memory_order_relaxed);
        if (((flags & NAME_USED) == 0 || all_of_them) && evict_locked(name, &victims)) {
            done++;
        } else if (!all_of_them) {
            list_remove(&name->all);
            list_push_back(&all_names, &name->all);
        }
    }
    spin_unlock(&names_lock);
    evict_finish(&victims);
    return done;
}

void name_forget_children(struct name *directory) {
    struct list victims;
    list_init(&victims);
    spin_lock(&names_lock);
    list_for_each_safe (link, &directory->children) {
        evict_locked(LIST_ENTRY(link, struct name, sibling), &victims);
    }
    spin_unlock(&names_lock);
    struct list *link;
    while ((link = list_pop_front(&victims)) != NULL) { // no file system's lock is held here
        struct name *name = LIST_ENTRY(link, struct name, all);
        name_put(name_destroy(name));
    }
}

// Whether a name belongs to the file system; names_lock is held.
static bool name_is_of(const struct name *name, const struct filesystem *fs) {
    const struct inode *inode = name_inode(name);
    if (inode == NULL) {
        inode = name_inode(name_parent(name)); // a negative name has a parent, which is a directory
    }
    return inode->fs == fs;
}

void names_drop(struct filesystem *fs) {
    bool more = true;
    while (more) { // each round frees the leaves, whose parents the next round takes
        struct list victims;
        list_init(&victims);
        spin_lock(&names_lock);
        list_for_each_safe (link, &all_names) {
            struct name *name = LIST_ENTRY(link, struct name, all);
            if (name_is_of(name, fs)) {
                evict_locked(name, &victims);
            }
        }
        spin_unlock(&names_lock);
        more = !list_is_empty(&victims);
        struct list *link;
        while ((link = list_pop_front(&victims)) != NULL) {
            name_put(name_destroy(LIST_ENTRY(link, struct name, all)));
        }
    }
}

uint64_t names_count(void) {
    return atomic_load_explicit(&name_count, memory_order_relaxed);
}

static uint64_t shrinker_count(void *context) {
    (void)context;
    return names_count() / NAMES_PER_PAGE;
}

static uint64_t shrinker_shrink(void *context, uint64_t want) {
    (void)context;
    want = MIN_OF(want, SHRINK_PAGES_MAX) * NAMES_PER_PAGE;
    uint64_t done = names_evict(want, false);
    if (done < want) { // the first look only asked who is in use
        done += names_evict(want - done, false);
    }
    return done / NAMES_PER_PAGE;
}

static struct shrinker name_shrinker = {
    .name = "names",
    .count = shrinker_count,
    .shrink = shrinker_shrink,
};

enum hx_status names_init(void) {
    name_buckets = kernel_map_alloc(NAME_BUCKETS * sizeof(name_buckets[0]));
    if (name_buckets == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    for (uint32_t i = 0; i < LOCK_COUNT; i++) {
        spinlock_init(&bucket_locks[i], &bucket_class);
    }
    uint64_t entropy = 0;
    if (!input_entropy(&entropy)) {
        entropy = input_counter();
    }
    name_hash_secret = hash_u64(entropy);
    shrinker_register(&name_shrinker);
    return HX_OK;
}
