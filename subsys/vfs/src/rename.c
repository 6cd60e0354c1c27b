// SPDX-License-Identifier: MIT OR Apache-2.0
// rename.c: rename(2) with its flags. The order of the checks is Linux's (fs/namei.c,
// do_renameat2 and vfs_rename).
#include "change.h"
#include "repeat.h"

#include <core/log.h>
#include <core/ports/fs_calls.h>

struct rename {
    struct change from;
    struct change to;
    const struct credentials *from_credentials;
    const struct credentials *to_credentials;
    uint32_t flags;
    struct name_text *from_text; // what `from`'s name will be called, and `to`'s
    struct name_text *to_text;
};

// Both directories, in the order of their addresses; the file system's rename lock is held.
static void lock_both(struct inode *a, struct inode *b) HX_ATTR(no_thread_safety_analysis) {
    struct inode *first = (uintptr_t)a < (uintptr_t)b ? a : b;
    rwlock_write(&first->lock);
    if (a != b) {
        rwlock_write(first == a ? &b->lock : &a->lock);
    }
}

static void unlock_both(struct inode *a, struct inode *b) HX_ATTR(no_thread_safety_analysis) {
    rwlock_write_done(&a->lock);
    if (a != b) {
        rwlock_write_done(&b->lock);
    }
}

// Whether `name` is `above` or lies below it. Directories move only under the rename lock.
static bool is_below(const struct name *name, const struct name *above) {
    while (name != NULL && name != above) {
        name = name_parent(name);
    }
    return name == above;
}

static bool is_directory(const struct name *name) {
    const struct inode *inode = name_inode(name);
    return inode != NULL && inode_type(inode) == FS_MODE_DIRECTORY;
}

// What can be refused by looking at the names alone.
static enum hx_status check_names(const struct rename *rename) {
    const struct change *from = &rename->from;
    const struct change *to = &rename->to;
    bool exchange = (rename->flags & FS_RENAME_EXCHANGE) != 0;
    if (name_inode(from->name) == NULL) {
        return HX_ERR_NOT_FOUND;
    }
    if ((rename->flags & FS_RENAME_NOREPLACE) != 0 && name_inode(to->name) != NULL) {
        return HX_ERR_EXISTS;
    }
    if (exchange && name_inode(to->name) == NULL) {
        return HX_ERR_NOT_FOUND;
    }
    if (exchange && to->is_trailing && !is_directory(to->name)) {
        return HX_ERR_NOT_DIRECTORY;
    }
    if (!is_directory(from->name) && (from->is_trailing || (!exchange && to->is_trailing))) {
        return HX_ERR_NOT_DIRECTORY;
    }
    if (is_below(to->directory.name, from->name)) {
        return HX_ERR_INVALID;
    }
    if (is_below(from->directory.name, to->name)) {
        return exchange ? HX_ERR_INVALID : HX_ERR_NOT_EMPTY;
    }
    return HX_OK;
}

// A directory that gets another parent is itself changed: "..".
static enum hx_status check_moved(const struct name *name, const struct credentials *credentials,
                                  bool changes_parent) {
    if (!changes_parent || !is_directory(name) || credentials == NULL) {
        return HX_OK;
    }
    return inode_permission(name_inode(name), credentials, WANT_WRITE);
}

static enum hx_status check_rights(const struct rename *rename) {
    const struct change *from = &rename->from;
    const struct change *to = &rename->to;
    bool changes_parent = from->inode != to->inode;
    bool exchange = (rename->flags & FS_RENAME_EXCHANGE) != 0;
    bool from_is_directory = is_directory(from->name);
    enum hx_status status = change_may_remove(from, rename->from_credentials, from_is_directory);
    if (status == HX_OK && name_inode(to->name) == NULL) {
        status = change_may_add(to, rename->to_credentials);
    } else if (status == HX_OK) {
        bool as_directory = exchange ? is_directory(to->name) : from_is_directory;
        status = change_may_remove(to, rename->to_credentials, as_directory);
    }
    if (status == HX_OK) {
        status = check_moved(from->name, rename->from_credentials, changes_parent);
    }
    if (status == HX_OK && exchange) {
        status = check_moved(to->name, rename->to_credentials, changes_parent);
    }
    return status;
}

// The two events of one move have a number of their own. `replaced`: what had the new name; or
// NULL.
static void tell_moved(const struct change *from, const struct change *to, struct inode *moved,
                       struct inode *replaced) {
    static _Atomic uint32_t last_cookie;
    const uint32_t cookie = atomic_fetch_add_explicit(&last_cookie, 1, memory_order_relaxed) + 1;
    change_tell(from, WATCH_MOVED_FROM, moved, cookie);
    change_tell(to, WATCH_MOVED_TO, moved, cookie);
    if (replaced != NULL) {
        links_tell(replaced);
    }
    watch_tell_inode(moved, WATCH_MOVE_SELF, 0, (struct fs_name){ "", 0 });
}

// After the file system has done it: names, times, links. Nothing here fails.
static void commit(struct rename *rename) {
    struct change *from = &rename->from;
    struct change *to = &rename->to;
    bool of_directory = is_directory(from->name) || is_directory(to->name);
    struct inode *moved = name_inode(from->name);
    struct inode *other = name_inode(to->name);
    if ((rename->flags & FS_RENAME_EXCHANGE) != 0) {
        name_exchange(from->name, to->name, rename->from_text, rename->to_text);
        rename->to_text = NULL;
    } else {
        name_remove(to->name);
        name_move(from->name, to->directory.name, rename->from_text);
    }
    rename->from_text = NULL;
    inode_touch(moved, FS_SET_CHANGED);
    if (other != NULL) {
        inode_touch(other, FS_SET_CHANGED);
        inode_refresh_links(other);
    }
    change_done(from, of_directory);
    if (to->inode != from->inode) {
        change_done(to, of_directory);
    }
    if (watches_exist()) {
        const bool exchanges = (rename->flags & FS_RENAME_EXCHANGE) != 0;
        tell_moved(from, to, moved, exchanges ? NULL : other);
        if (exchanges) {
            tell_moved(to, from, other, NULL);
        }
    }
}

// Renames, once. Both directories are locked, and the two names are of different nodes: if the
// second one is of the first one's after a death, it was done before.
static enum hx_status move_names(const struct rename *rename) {
    const struct change *from = &rename->from;
    const struct change *to = &rename->to;
    struct filesystem *fs = from->inode->fs;
    const struct fs_port *port = filesystem_port(fs);
    const uint64_t moved = name_inode(from->name)->node;
    struct repeat repeat = repeat_begin(port);
    enum hx_status status;
    do {
        struct fs_info info = { 0 };
        status = fs_call_rename(port, fs->instance, from->inode->node, from->last, to->inode->node,
                                to->last, rename->flags);
        if (!repeat_due(&repeat, status)) {
            break;
        }
        status = node_lookup(fs, to->inode->node, to->last, &info);
        if (status == HX_OK && info.node != moved) {
            status = HX_ERR_NOT_FOUND; // what is there was there before
        }
    } while (status == HX_ERR_NOT_FOUND);
    if (status == HX_ERR_PEER_DIED) { // nobody knows: if there is another life, it is asked
        name_remove(from->name);
        name_remove(to->name);
    }
    return status;
}

static enum hx_status rename_locked(struct rename *rename) {
    struct change *from = &rename->from;
    struct change *to = &rename->to;
    enum hx_status status = change_load_locked(from);
    if (status == HX_OK) {
        status = change_load_locked(to);
    }
    if (status == HX_OK) {
        status = check_names(rename);
    }
    if (status != HX_OK || name_inode(from->name) == name_inode(to->name)) {
        return status; // two names of one file: nothing happens, says POSIX
    }
    status = check_rights(rename);
    if (status != HX_OK) {
        return status;
    }
    rename->from_text = name_text_create(to->last);
    rename->to_text = name_text_create(from->last);
    if (rename->from_text == NULL || rename->to_text == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    status = move_names(rename);
    if (status == HX_OK) {
        commit(rename);
    }
    return status;
}

static enum hx_status rename_checked(struct rename *rename) {
    struct change *from = &rename->from;
    struct change *to = &rename->to;
    if (from->directory.mount != to->directory.mount) {
        return HX_ERR_CROSS_DEVICE;
    }
    if (change_is_special(from)) {
        return HX_ERR_BUSY;
    }
    if (change_is_special(to)) {
        return (rename->flags & FS_RENAME_NOREPLACE) != 0 ? HX_ERR_EXISTS : HX_ERR_BUSY;
    }
    enum hx_status status = path_writable(from->directory);
    if (status != HX_OK) {
        return status;
    }
    struct filesystem *fs = from->inode->fs;
    mutex_lock(&fs->rename_lock);
    lock_both(from->inode, to->inode);
    status = rename_locked(rename);
    unlock_both(from->inode, to->inode);
    mutex_unlock(&fs->rename_lock);
    return status;
}

enum hx_status vfs_rename(const struct lookup *from, const char *from_path, const struct lookup *to,
                          const char *to_path, uint32_t flags) {
    struct rename rename = {
        .from_credentials = from->credentials,
        .to_credentials = to->credentials,
        .flags = flags,
    };
    if ((flags & ~(FS_RENAME_NOREPLACE | FS_RENAME_EXCHANGE)) != 0 ||
        flags == (FS_RENAME_NOREPLACE | FS_RENAME_EXCHANGE)) {
        return HX_ERR_INVALID;
    }
    enum hx_status status = change_begin(&rename.from, from, from_path);
    if (status != HX_OK) {
        return status;
    }
    status = change_begin(&rename.to, to, to_path);
    if (status == HX_OK) {
        status = rename_checked(&rename);
        name_text_destroy(rename.from_text);
        name_text_destroy(rename.to_text);
        if (status == HX_OK && is_directory(rename.to.name) && (flags & FS_RENAME_EXCHANGE) == 0) {
            name_forget_children(rename.to.name);
        }
        change_end(&rename.to);
    }
    change_end(&rename.from);
    return status;
}
