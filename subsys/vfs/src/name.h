// SPDX-License-Identifier: MIT OR Apache-2.0
// name.h: the name cache: the tree of names, in memory.
//
// A name is (parent, text) and what it stands for: an inode, or NULL for a name that is known not
// to exist. Names are found through a hash table without a lock, inside an epoch. A name holds a
// reference to its parent and to its inode, from its making to its end; the inode is set once (a
// negative name becomes positive) and never changed.
//
// `references` counts the users and has the bit NAME_DEAD. A name that is in the table may have no
// users: it is cached, and the next user revives it. NAME_DEAD is set when it leaves the table
// (removed, replaced, evicted, or never in it): nobody new finds it, and the last user destroys it.
//
// Locks, all spinning: `names_lock` guards the list of all names and the lists of children, a
// bucket's lock the chain of a bucket. Who changes which name stands where holds the directory's
// lock too; renames and mounts also advance the tree's sequence, by which a walk without references
// sees that what it has found may never have been true at one moment.
#pragma once

#include <core/epoch.h>
#include <core/lock.h>
#include <vfs/vfs.h>

#define NAME_DEAD (1u << 31)

#define NAME_MOUNTED (1u << 0) // flags: some mount is on it
#define NAME_USED    (1u << 1) // since eviction last looked at it

struct name_text {
    struct epoch_item item;
    uint32_t length;
    char bytes[]; // terminated
};

struct name {
    _Atomic(struct name *) next; // in the bucket
    _Atomic uint64_t hash;
    _Atomic(struct name *) parent; // keeps; NULL for the root of a file system
    _Atomic(struct inode *) inode; // keeps; NULL: known not to exist
    _Atomic(struct name_text *) text;
    _Atomic uint32_t references;
    _Atomic uint32_t flags;
    struct list all;      // [names_lock]
    struct list children; // [names_lock]
    struct list sibling;  // [names_lock]
    struct epoch_item item;
    struct name_text own; // the text that it was made with; the bytes follow
};

// The hash of a text, eight bytes a step; the last step takes what is left, at least nothing. It
// starts from a secret drawn at boot and is tied to the directory at its end.
#define NAME_WORD_BYTES 8u

extern uint64_t name_hash_secret;

static inline uint64_t name_hash_word(uint64_t hash, uint64_t word) {
    hash = (hash ^ word) * UINT64_C(0x9fb21c651e98df25);
    return hash ^ hash >> 29;
}
static inline uint64_t name_hash_end(uint64_t hash, const struct name *parent) {
    hash = (hash ^ (uintptr_t)parent >> 4) * UINT64_C(0x9e3779b97f4a7c15);
    return hash ^ hash >> 32;
}
uint64_t name_hash(const struct name *parent, struct fs_name text);

// Of a dead name that the caller uses: whether nobody else does.
static inline bool name_is_last_use(const struct name *name) {
    return atomic_load_explicit(&name->references, memory_order_acquire) == (NAME_DEAD | 1);
}

static inline struct inode *name_inode(const struct name *name) {
    return atomic_load_explicit(&name->inode, memory_order_acquire);
}
static inline struct name *name_parent(const struct name *name) {
    return atomic_load_explicit(&name->parent, memory_order_acquire);
}
static inline const struct name_text *name_text(const struct name *name) {
    return atomic_load_explicit(&name->text, memory_order_acquire);
}
static inline uint32_t name_flags(const struct name *name) {
    return atomic_load_explicit(&name->flags, memory_order_relaxed);
}
static inline bool name_is_dead(const struct name *name) {
    return (atomic_load_explicit(&name->references, memory_order_relaxed) & NAME_DEAD) != 0;
}

// A new name outside the table, dead until name_insert(), one reference, the caller's. Gets a
// reference on `parent` (NULL: a root), takes the one on `inode` (NULL: negative). NULL: no memory.
struct name *name_create(struct name *parent, struct fs_name text, struct inode *inode);
// Adds a reference to a name that the caller holds.
struct name *name_get(struct name *name);
// Adds a reference to a name that was found in an epoch; false if it is dead and nobody has it.
bool name_try_get(struct name *name);
// Drops a reference. Thread context, may sleep. NULL is fine.
void name_put(struct name *name);

#define NAME_BUCKETS 4096u // a power of two

extern _Atomic(struct name *) *name_buckets;

static inline _Atomic(struct name *) *name_bucket(uint64_t hash) {
    return &name_buckets[hash & (NAME_BUCKETS - 1)];
}

static inline bool name_equal_8(const char *a, const char *b) {
    uint64_t words[2];
    __builtin_memcpy(&words[0], a, sizeof(words[0]));
    __builtin_memcpy(&words[1], b, sizeof(words[1]));
    return words[0] == words[1];
}
static inline bool name_equal_4(const char *a, const char *b) {
    uint32_t words[2];
    __builtin_memcpy(&words[0], a, sizeof(words[0]));
    __builtin_memcpy(&words[1], b, sizeof(words[1]));
    return words[0] == words[1];
}

// Names are short: two loads that may overlap compare most of them.
static inline bool name_equal(const char *a, const char *b, uint32_t length) {
    if (length >= 8) {
        uint32_t at = 0;
        for (; at + 8 <= length; at += 8) {
            if (!name_equal_8(a + at, b + at)) {
                return false;
            }
        }
        return name_equal_8(a + length - 8, b + length - 8);
    }
    if (length >= 4) {
        return name_equal_4(a, b) && name_equal_4(a + length - 4, b + length - 4);
    }
    while (length > 0 && a[length - 1] == b[length - 1]) {
        length--;
    }
    return length == 0;
}

// What the table has, without a reference: inside an epoch only. May miss a name that is being
// moved.
static inline struct name *name_find(const struct name *parent, uint64_t hash, const char *text,
                                     uint32_t length) {
    struct name *name = atomic_load_explicit(name_bucket(hash), memory_order_acquire);
    for (; name != NULL; name = atomic_load_explicit(&name->next, memory_order_acquire)) {
        if (atomic_load_explicit(&name->hash, memory_order_relaxed) != hash ||
            atomic_load_explicit(&name->parent, memory_order_relaxed) != parent) {
            continue;
        }
        const struct name_text *own = name_text(name);
        if (own->length == length && name_equal(own->bytes, text, length)) {
            return name;
        }
    }
    return NULL;
}

// The same exactly, with a reference; the directory's lock is held, at least for reading.
struct name *name_find_get(const struct name *parent, uint64_t hash, struct fs_name text);
// Puts a new name into the table. If the same is there already, drops `name` and gives that one.
struct name *name_insert(struct name *name, uint64_t hash);
// Makes a negative name positive; takes the reference on the inode. Directory's lock held.
void name_set_inode(struct name *name, struct inode *inode);
// Takes a name out of the table for good; the caller keeps its reference. Directory's lock held.
void name_remove(struct name *name);
// Evicts unused names below a directory that was removed.
void name_forget_children(struct name *directory);

// A text to be used by name_move(). NULL: no memory.
struct name_text *name_text_create(struct fs_name text);
void name_text_destroy(struct name_text *text);
// Gives a name another place; takes `text`. Directories' and rename lock held.
void name_move(struct name *name, struct name *parent, struct name_text *text);
// Lets two names change places; takes both texts (the first is to be a's new one).
void name_exchange(struct name *a, struct name *b, struct name_text *a_text,
                   struct name_text *b_text);

// Evicts every unused name of a file system. Thread context, may sleep.
void names_drop(struct filesystem *fs);
// Names in memory now.
uint64_t names_count(void);

// The tree's sequence: odd while the tree is changed.
uint32_t tree_sequence(void);
bool tree_changed(uint32_t since);
extern struct spinlock tree_lock;
void tree_change_begin(void) ACQUIRES(tree_lock);
void tree_change_end(void) RELEASES(tree_lock);

enum hx_status names_init(void);
