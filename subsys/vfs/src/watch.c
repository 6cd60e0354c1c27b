// SPDX-License-Identifier: MIT OR Apache-2.0
// watch.c: telling those who watch; see <vfs/watch.h>.
#include "watch.h"

#include "inode.h"
#include "name.h"

#include <core/epoch.h>

static const struct lock_class watches_class = { "watches", LOCK_RANK_NAME_CACHE + 4, false };
struct spinlock watches_lock = SPINLOCK_INIT(&watches_class);
_Atomic uint32_t watches_count;

#define AT_ONCE 64u // watches that end under one lock

static const struct fs_name no_name = { "", 0 };

// What somebody hears of.
static void inode_count_locked(struct inode *inode) REQUIRES(watches_lock) {
    uint32_t events = 0;
    list_for_each (link, &inode->watches) {
        events |= LIST_ENTRY(link, struct inode_watch, link)->events;
    }
    atomic_store_explicit(&inode->watched, events, memory_order_relaxed);
}

static void count_locked(int32_t change) REQUIRES(watches_lock) {
    const uint32_t now = atomic_load_explicit(&watches_count, memory_order_relaxed);
    atomic_store_explicit(&watches_count, now + (uint32_t)change, memory_order_relaxed);
}

void watch_begin_locked(struct inode_watch *watch, struct inode *inode) {
    watch->inode = inode_get(inode);
    list_push_back(&inode->watches, &watch->link);
    list_push_back(&inode->fs->watches, &watch->of_filesystem);
    inode_count_locked(inode);
    count_locked(1);
}

void watch_change_locked(struct inode_watch *watch, uint32_t events) {
    watch->events = events;
    inode_count_locked(watch->inode);
}

// What its inode's others hear of is counted by the caller.
static void unlink_locked(struct inode_watch *watch) REQUIRES(watches_lock) {
    list_remove(&watch->link);
    list_remove(&watch->of_filesystem);
    count_locked(-1);
}

void watch_end_locked(struct inode_watch *watch) {
    unlink_locked(watch);
    inode_count_locked(watch->inode);
}

// Telling
// -----------------------------------------------------------------------------------------------

// What is left to do without the lock.
struct rest {
    struct list ended; // struct inode_watch.link
    struct list told;  // [watches_lock] struct watch_told.link
    bool tells;        // there was something in it
};

static void rest_begin(struct rest *rest) {
    list_init(&rest->ended);
    list_init(&rest->told);
    rest->tells = false;
}

// It ends, and is freed, with what it keeps of its inode, without the lock. Many may end at once:
// the caller counts what is left of the inode's when all of them have.
static void end_locked(struct inode_watch *watch, struct list *ended) REQUIRES(watches_lock) {
    unlink_locked(watch);
    list_push_back(ended, &watch->link);
}

static void ended_free(struct list *ended) {
    struct list *link;
    while ((link = list_pop_front(ended)) != NULL) {
        struct inode_watch *watch = LIST_ENTRY(link, struct inode_watch, link);
        inode_put(watch->inode);
        watch->freed(watch);
    }
}

// NULL: that was all.
static struct watch_told *told_next(struct list *told, uint32_t *out_count) {
    struct watch_told *next = NULL;
    spin_lock(&watches_lock);
    struct list *link = list_pop_front(told);
    if (link != NULL) {
        next = LIST_ENTRY(link, struct watch_told, link);
        *out_count = next->count;
        next->count = 0;
    }
    spin_unlock(&watches_lock);
    return next;
}

// Those who are told by something else have no list.
static void rest_do(struct rest *rest) {
    struct watch_told *told;
    uint32_t count;
    while (rest->tells && (told = told_next(&rest->told, &count)) != NULL) {
        told->run(told, count);
    }
    ended_free(&rest->ended);
}

// `what`: one event, and what goes beside it.
static void tell_locked(struct inode *inode, uint32_t what, uint32_t cookie, struct fs_name name,
                        struct rest *rest) REQUIRES(watches_lock) {
    list_for_each_safe (link, &inode->watches) {
        struct inode_watch *watch = LIST_ENTRY(link, struct inode_watch, link);
        if ((watch->events & what & WATCH_EVENTS) != 0 &&
            !watch->happened(watch, what, cookie, name, &rest->told)) {
            end_locked(watch, &rest->ended);
        }
    }
    rest->tells |= !list_is_empty(&rest->told);
    if (!list_is_empty(&rest->ended)) {
        inode_count_locked(inode);
    }
}

static bool is_watched(const struct inode *inode, uint32_t what) {
    return (atomic_load_explicit(&inode->watched, memory_order_relaxed) & what) != 0;
}

static uint32_t kind_of(const struct inode *inode) {
    return inode_type(inode) == FS_MODE_DIRECTORY ? WATCH_DIRECTORY : 0;
}

void watch_tell_inode(struct inode *inode, uint32_t what, uint32_t cookie, struct fs_name name) {
    struct rest rest;
    if (!is_watched(inode, what)) {
        return;
    }
    rest_begin(&rest);
    spin_lock(&watches_lock);
    tell_locked(inode, what, cookie, name, &rest);
    spin_unlock(&watches_lock);
    rest_do(&rest);
}

// An epoch: the name may be moved meanwhile, and with it go its parent and its text.
void watch_tell_path(struct path path, uint32_t what) {
    struct inode *inode = path_inode(path);
    struct rest rest;
    rest_begin(&rest);
    epoch_enter();
    const struct name *parent = name_parent(path.name);
    // Changes of attributes are the file's, whatever its name; a name that nobody keeps is not
    // gone.
    const bool is_unlinked = what != WATCH_ATTRIB && parent != NULL && name_is_dead(path.name) &&
                             !inode_has_flag(inode, FS_UNCACHED);
    what |= kind_of(inode) | (is_unlinked ? WATCH_UNLINKED : 0);
    const struct name_text *text = name_text(path.name);
    struct inode *directory = parent != NULL ? name_inode(parent) : NULL;
    const bool is_heard = directory != NULL && is_watched(directory, what);
    if (is_heard || is_watched(inode, what)) {
        spin_lock(&watches_lock);
        if (is_heard) {
            tell_locked(directory, what, 0, (struct fs_name){ text->bytes, text->length }, &rest);
        }
        tell_locked(inode, what, 0, no_name, &rest);
        spin_unlock(&watches_lock);
    }
    epoch_leave();
    rest_do(&rest);
}

// Going
// -----------------------------------------------------------------------------------------------

static void go_locked(struct inode_watch *watch, uint32_t what, struct list *ended)
    REQUIRES(watches_lock) {
    watch->gone(watch, what);
    end_locked(watch, ended);
}

void watch_tell_gone(struct inode *inode, uint32_t what) {
    struct list ended;
    list_init(&ended);
    spin_lock(&watches_lock);
    list_for_each_safe (link, &inode->watches) {
        go_locked(LIST_ENTRY(link, struct inode_watch, link), what, &ended);
    }
    inode_count_locked(inode);
    spin_unlock(&watches_lock);
    ended_free(&ended);
}

// Some of those on the file system. False: there are no more.
static bool unmount_some(struct filesystem *fs) {
    struct list ended;
    list_init(&ended);
    spin_lock(&watches_lock);
    for (unsigned i = 0; i < AT_ONCE && !list_is_empty(&fs->watches); i++) {
        struct list *first = fs->watches.next;
        struct inode_watch *watch = LIST_ENTRY(first, struct inode_watch, of_filesystem);
        go_locked(watch, WATCH_UNMOUNT, &ended);
        inode_count_locked(watch->inode);
    }
    const bool more = !list_is_empty(&fs->watches);
    spin_unlock(&watches_lock);
    ended_free(&ended);
    return more;
}

void watches_unmounted(struct filesystem *fs) {
    while (watches_exist() && unmount_some(fs)) {
    }
}
