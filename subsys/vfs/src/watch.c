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

void watch_end_locked(struct inode_watch *watch) {
    list_remove(&watch->link);
    list_remove(&watch->of_filesystem);
    inode_count_locked(watch->inode);
    count_locked(-1);
}

// Telling
// -----------------------------------------------------------------------------------------------

// It ends, and is freed, with what it keeps of its inode, without the lock.
static void end_locked(struct inode_watch *watch, struct list *ended) REQUIRES(watches_lock) {
    watch_end_locked(watch);
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

// `what`: one event, and what goes beside it.
static void tell_locked(struct inode *inode, uint32_t what, uint32_t cookie, struct fs_name name,
                        struct list *ended) REQUIRES(watches_lock) {
    list_for_each_safe (link, &inode->watches) {
        struct inode_watch *watch = LIST_ENTRY(link, struct inode_watch, link);
        if ((watch->events & what & WATCH_EVENTS) != 0 &&
            !watch->happened(watch, what, cookie, name)) {
            end_locked(watch, ended);
        }
    }
}

static bool is_watched(const struct inode *inode, uint32_t what) {
    return (atomic_load_explicit(&inode->watched, memory_order_relaxed) & what) != 0;
}

static uint32_t kind_of(const struct inode *inode) {
    return inode_type(inode) == FS_MODE_DIRECTORY ? WATCH_DIRECTORY : 0;
}

void watch_tell_inode(struct inode *inode, uint32_t what, uint32_t cookie, struct fs_name name) {
    struct list ended;
    if (!is_watched(inode, what)) {
        return;
    }
    list_init(&ended);
    spin_lock(&watches_lock);
    tell_locked(inode, what, cookie, name, &ended);
    spin_unlock(&watches_lock);
    ended_free(&ended);
}

// An epoch: the name may be moved meanwhile, and with it go its parent and its text.
void watch_tell_path(struct path path, uint32_t what) {
    struct inode *inode = path_inode(path);
    struct list ended;
    list_init(&ended);
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
            tell_locked(directory, what, 0, (struct fs_name){ text->bytes, text->length }, &ended);
        }
        tell_locked(inode, what, 0, no_name, &ended);
        spin_unlock(&watches_lock);
    }
    epoch_leave();
    ended_free(&ended);
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
        go_locked(LIST_ENTRY(first, struct inode_watch, of_filesystem), WATCH_UNMOUNT, &ended);
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
