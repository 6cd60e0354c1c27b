// SPDX-License-Identifier: MIT OR Apache-2.0
// change.c: making and removing names: mknod, mkdir, symlink, link, unlink, rmdir. The order of the
// checks, and so the error that wins, is Linux's.
#include "change.h"

#include "repeat.h"

#include "walk.h"

#include <core/log.h>
#include <core/ports/fs_calls.h>
#include <lib/string.h>

enum hx_status change_begin(struct change *change, const struct lookup *lookup, const char *path) {
    change->name = NULL;
    enum hx_status status =
        path_lookup_parent(lookup, path, &change->directory, &change->last, &change->is_trailing);
    if (status == HX_OK) {
        change->inode = path_inode(change->directory);
    }
    return status;
}

enum hx_status change_load_locked(struct change *change) {
    uint64_t hash = name_hash(change->directory.name, change->last);
    enum hx_status status =
        name_load_locked(change->directory.name, change->last, hash, &change->name);
    if (status == HX_OK && name_inode(change->name) == NULL &&
        inode_has_flag(change->inode, FS_GENERATED)) {
        return HX_ERR_NOT_FOUND; // what is not there cannot be made, as in Linux's procfs
    }
    return status;
}

void change_end(struct change *change) {
    name_put(change->name);
    path_put(change->directory);
}

enum hx_status change_may_add(const struct change *change, const struct credentials *credentials) {
    enum hx_status status = path_writable(change->directory);
    if (status != HX_OK) {
        return status;
    }
    if (inode_links(change->inode) == 0) {
        return HX_ERR_NOT_FOUND;
    }
    return credentials == NULL
               ? HX_OK
               : inode_permission(change->inode, credentials, WANT_WRITE | WANT_EXECUTE);
}

// In a sticky directory only the owners of file and directory remove names.
static bool is_sticky_refusal(const struct change *change, const struct inode *victim,
                              const struct credentials *credentials) {
    return (inode_mode(change->inode) & MODE_STICKY) != 0 &&
           credentials->fsuid != victim->info.uid &&
           credentials->fsuid != change->inode->info.uid &&
           !credentials_capable(credentials, CAPABILITY_FOWNER);
}

enum hx_status change_may_remove(const struct change *change, const struct credentials *credentials,
                                 bool as_directory) {
    const struct inode *victim = name_inode(change->name);
    if (credentials != NULL) {
        enum hx_status status =
            inode_permission(change->inode, credentials, WANT_WRITE | WANT_EXECUTE);
        if (status != HX_OK) {
            return status;
        }
        if (is_sticky_refusal(change, victim, credentials)) {
            return HX_ERR_NOT_PERMITTED;
        }
    }
    bool is_directory = inode_type(victim) == FS_MODE_DIRECTORY;
    if (as_directory && !is_directory) {
        return HX_ERR_NOT_DIRECTORY;
    }
    if (!as_directory && is_directory) {
        return HX_ERR_IS_DIRECTORY;
    }
    return (name_flags(change->name) & NAME_MOUNTED) != 0 ? HX_ERR_BUSY : HX_OK;
}

void change_done(const struct change *change, bool of_directory) {
    inode_touch(change->inode, FS_SET_MODIFIED | FS_SET_CHANGED);
    if (of_directory) {
        inode_refresh_links(change->inode);
    }
}

void change_tell(const struct change *change, uint32_t what, const struct inode *inode,
                 uint32_t cookie) {
    if (watches_exist()) {
        what |= inode_type(inode) == FS_MODE_DIRECTORY ? WATCH_DIRECTORY : 0;
        watch_tell_inode(change->inode, what, cookie, change->last);
    }
}

void links_tell(struct inode *inode) {
    if (watches_exist()) {
        const uint32_t kind = inode_type(inode) == FS_MODE_DIRECTORY ? WATCH_DIRECTORY : 0;
        watch_tell_inode(inode, WATCH_ATTRIB | kind, 0, (struct fs_name){ "", 0 });
    }
}

// Creating
// -----------------------------------------------------------------------------------------------

static uint32_t effective_mode(const struct lookup *lookup, const struct inode *directory,
                               uint32_t mode) {
    uint32_t type = mode & FS_MODE_TYPE;
    if (lookup->context != NULL && type != FS_MODE_LINK) {
        mode &= ~(atomic_load_explicit(&lookup->context->umask, memory_order_relaxed) & 0777);
    }
    if ((inode_mode(directory) & MODE_SETGID) != 0) {
        const struct credentials *credentials = lookup->credentials;
        if (type == FS_MODE_DIRECTORY) {
            mode |= MODE_SETGID;
        } else if ((mode & (MODE_SETGID | MODE_GROUP_X)) == (MODE_SETGID | MODE_GROUP_X) &&
                   credentials != NULL && !credentials_in_group(credentials, directory->info.gid) &&
                   !credentials_capable(credentials, CAPABILITY_FSETID)) {
            mode &= ~MODE_SETGID;
        }
    }
    return mode;
}

static struct fs_info new_info(const struct lookup *lookup, const struct inode *directory,
                               uint32_t mode, uint64_t device) {
    const struct credentials *credentials = lookup->credentials;
    bool inherits = (inode_mode(directory) & MODE_SETGID) != 0;
    uint32_t own_gid = credentials == NULL ? 0 : credentials->fsgid;
    time_ns_t now = vfs_now();
    return (struct fs_info){
        .mode = effective_mode(lookup, directory, mode),
        .uid = credentials == NULL ? 0 : credentials->fsuid,
        .gid = inherits ? directory->info.gid : own_gid,
        .device = device,
        .accessed = now,
        .modified = now,
        .changed = now,
        .born = now,
    };
}

// Of a module that died in the middle of a change it is not known what became of that, and it has
// no next life (or not one that may be waited for): if it ever gets one, that is asked.
static void name_forget_if_died(struct name *name, enum hx_status status) {
    if (status == HX_ERR_PEER_DIED) {
        name_remove(name);
    }
}

// Creates, once. The directory is locked and has no such name: if there is one after a death, it
// was made before.
static enum hx_status make_node(const struct change *change, const struct fs_info *wanted,
                                const struct fs_name *target, struct fs_info *out_made) {
    struct filesystem *fs = change->inode->fs;
    const struct fs_port *port = filesystem_port(fs);
    const uint64_t directory = change->inode->node;
    struct repeat repeat = repeat_begin(port);
    enum hx_status status;
    do {
        status = target == NULL
                     ? fs_call_create(port, fs->instance, directory, change->last, wanted, out_made)
                     : fs_call_symlink(port, fs->instance, directory, change->last, *target, wanted,
                                       out_made);
    } while (repeat_due(&repeat, status) &&
             (status = node_lookup(fs, directory, change->last, out_made)) == HX_ERR_NOT_FOUND);
    name_forget_if_died(change->name, status);
    if (status == HX_OK && !inode_is_sound(out_made, wanted->mode & FS_MODE_TYPE)) {
        status = HX_ERR_CORRUPT;
    }
    return status;
}

enum hx_status change_create_locked(struct change *change, const struct lookup *lookup,
                                    uint32_t mode, uint64_t device, const struct fs_name *target) {
    struct filesystem *fs = change->inode->fs;
    struct fs_info info = new_info(lookup, change->inode, mode, device);
    struct fs_info made;
    struct inode *inode = inode_prepare(fs, mode);
    if (inode == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    enum hx_status status = target == NULL ? HX_OK : inode_charge_link(inode, target->length);
    if (status == HX_OK) {
        status = make_node(change, &info, target, &made);
    }
    if (status != HX_OK) {
        inode_discard(inode);
        // In a file system that makes its names up, this one does not exist and never will: ENOENT,
        // as Linux's procfs says.
        bool never = status == HX_ERR_NOT_PERMITTED && (fs->kind & FS_GENERATED) != 0;
        return never ? HX_ERR_NOT_FOUND : status;
    }
    inode_publish(inode, &made);
    name_set_inode(change->name, inode);
    change_done(change, (mode & FS_MODE_TYPE) == FS_MODE_DIRECTORY);
    change_tell(change, WATCH_CREATE, inode, 0);
    return HX_OK;
}

enum hx_status change_create_temporary(struct path directory, const struct lookup *lookup,
                                       uint32_t mode, struct name **out_name) {
    struct inode *parent = path_inode(directory);
    struct filesystem *fs = parent->fs;
    struct fs_info info = new_info(lookup, parent, mode, 0);
    struct fs_info made;
    struct inode *inode = inode_prepare(fs, mode);
    if (inode == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    struct name *name = name_create(directory.name, (struct fs_name){ "#temporary", 10 }, NULL);
    if (name == NULL) {
        inode_discard(inode);
        return HX_ERR_NO_MEMORY;
    }
    const struct fs_port *port = filesystem_port(fs);
    // A node that was made, and of which nobody was told, has no name: it stays until the instance
    // goes.
    enum hx_status status =
        FS_REPEATED(port, fs_call_create(port, fs->instance, parent->node,
                                         (struct fs_name){ "", 0 }, &info, &made));
    if (status == HX_OK && !inode_is_sound(&made, mode & FS_MODE_TYPE)) {
        status = HX_ERR_CORRUPT;
    }
    if (status != HX_OK) {
        inode_discard(inode);
        name_put(name);
        return status == HX_ERR_NOT_PERMITTED ? HX_ERR_NO_OPERATION : status;
    }
    inode->is_temporary = true;
    inode_publish(inode, &made);
    name_set_inode(name, inode);
    *out_name = name;
    return HX_OK;
}

static enum hx_status create_locked(struct change *change, const struct lookup *lookup,
                                    uint32_t mode, uint64_t device, const struct fs_name *target) {
    uint32_t type = mode & FS_MODE_TYPE;
    enum hx_status status = change_load_locked(change);
    if (status != HX_OK) {
        return status;
    }
    if (name_inode(change->name) != NULL) {
        return HX_ERR_EXISTS;
    }
    if (change->is_trailing && type != FS_MODE_DIRECTORY) {
        return HX_ERR_NOT_FOUND;
    }
    status = change_may_add(change, lookup->credentials);
    if (status != HX_OK) {
        return status;
    }
    if ((type == FS_MODE_CHAR || type == FS_MODE_BLOCK) && lookup->credentials != NULL &&
        !credentials_capable(lookup->credentials, CAPABILITY_MKNOD)) {
        return HX_ERR_NOT_PERMITTED;
    }
    return change_create_locked(change, lookup, mode, device, target);
}

static enum hx_status create(const struct lookup *lookup, const char *path, uint32_t mode,
                             uint64_t device, const struct fs_name *target, struct path *out_path) {
    struct change change;
    enum hx_status status = change_begin(&change, lookup, path);
    if (status != HX_OK) {
        return status;
    }
    if (change_is_special(&change)) {
        status = HX_ERR_EXISTS;
    } else {
        rwlock_write(&change.inode->lock);
        status = create_locked(&change, lookup, mode, device, target);
        rwlock_write_done(&change.inode->lock);
    }
    if (status == HX_OK && out_path != NULL) {
        *out_path = path_get((struct path){ change.directory.mount, change.name });
    }
    change_end(&change);
    return status;
}

enum hx_status vfs_create(const struct lookup *lookup, const char *path, uint32_t mode,
                          uint64_t device, struct path *out_path) {
    uint32_t type = mode & FS_MODE_TYPE;
    if (type == 0) {
        type = FS_MODE_REGULAR;
    }
    if (type == FS_MODE_LINK) {
        return HX_ERR_INVALID;
    }
    mode &= type == FS_MODE_DIRECTORY ? MODE_STICKY | 0777 : MODE_BITS;
    return create(lookup, path, type | mode, device, NULL, out_path);
}

enum hx_status vfs_symlink(const struct lookup *lookup, const char *target, const char *path) {
    struct fs_name text = { target, (uint32_t)strnlen(target, PATH_BYTES_MAX) };
    if (text.length == 0) {
        return HX_ERR_NOT_FOUND;
    }
    if (text.length >= PATH_BYTES_MAX) {
        return HX_ERR_NAME_TOO_LONG;
    }
    return create(lookup, path, FS_MODE_LINK | 0777, 0, &text, NULL);
}

// Linking
// -----------------------------------------------------------------------------------------------

// Links, once: as make_node().
static enum hx_status make_link(const struct change *change, uint64_t node) {
    struct filesystem *fs = change->inode->fs;
    const struct fs_port *port = filesystem_port(fs);
    const uint64_t directory = change->inode->node;
    struct repeat repeat = repeat_begin(port);
    struct fs_info found;
    enum hx_status status;
    do {
        status = fs_call_link(port, fs->instance, node, directory, change->last);
    } while (repeat_due(&repeat, status) &&
             (status = node_lookup(fs, directory, change->last, &found)) == HX_ERR_NOT_FOUND);
    name_forget_if_died(change->name, status);
    return status;
}

static enum hx_status link_locked(struct change *change, struct path from,
                                  const struct lookup *lookup) {
    struct inode *inode = path_inode(from);
    enum hx_status status = change_load_locked(change);
    if (status != HX_OK) {
        return status;
    }
    if (name_inode(change->name) != NULL) {
        return HX_ERR_EXISTS;
    }
    if (change->is_trailing) {
        return HX_ERR_NOT_FOUND;
    }
    if (from.mount != change->directory.mount) {
        return HX_ERR_CROSS_DEVICE;
    }
    status = change_may_add(change, lookup->credentials);
    if (status != HX_OK) {
        return status;
    }
    if (inode_type(inode) == FS_MODE_DIRECTORY) {
        return HX_ERR_NOT_PERMITTED;
    }
    if (inode_links(inode) == 0 && !inode->is_temporary) {
        return HX_ERR_NOT_FOUND;
    }
    status = make_link(change, inode->node);
    if (status != HX_OK) {
        return status;
    }
    inode_refresh_links(inode);
    inode_touch(inode, FS_SET_CHANGED);
    name_set_inode(change->name, inode_get(inode));
    change_done(change, false);
    links_tell(inode);
    change_tell(change, WATCH_CREATE, inode, 0);
    return HX_OK;
}

enum hx_status vfs_link(struct path from, const struct lookup *lookup, const char *path) {
    struct change change;
    enum hx_status status = change_begin(&change, lookup, path);
    if (status != HX_OK) {
        return status;
    }
    if (change_is_special(&change)) {
        status = HX_ERR_EXISTS;
    } else {
        rwlock_write(&change.inode->lock);
        status = link_locked(&change, from, lookup);
        rwlock_write_done(&change.inode->lock);
    }
    change_end(&change);
    return status;
}

// Removing
// -----------------------------------------------------------------------------------------------

static enum hx_status special_refusal(const struct change *change, bool directory) {
    if (!directory) {
        return HX_ERR_IS_DIRECTORY;
    }
    if (change->last.length == 0) {
        return HX_ERR_BUSY;
    }
    return change->last.length == 1 ? HX_ERR_INVALID : HX_ERR_NOT_EMPTY;
}

// Removes, once. The directory is locked and has the name: if it has not after a death, it was
// removed before.
static enum hx_status remove_name(const struct change *change, bool is_directory) {
    struct filesystem *fs = change->inode->fs;
    const struct fs_port *port = filesystem_port(fs);
    const uint64_t directory = change->inode->node;
    struct repeat repeat = repeat_begin(port);
    enum hx_status found = HX_OK;
    enum hx_status status;
    do {
        struct fs_info info;
        status = fs_call_unlink(port, fs->instance, directory, change->last, is_directory);
        if (!repeat_due(&repeat, status)) {
            break;
        }
        found = node_lookup(fs, directory, change->last, &info);
        status = found == HX_ERR_NOT_FOUND ? HX_OK : found;
    } while (found == HX_OK);
    name_forget_if_died(change->name, status);
    return status;
}

static enum hx_status unlink_locked(struct change *change, const struct lookup *lookup,
                                    bool directory) {
    enum hx_status status = path_writable(change->directory);
    if (status == HX_OK) {
        status = change_load_locked(change);
    }
    if (status != HX_OK) {
        return status;
    }
    struct inode *victim = name_inode(change->name);
    if (victim == NULL) {
        return HX_ERR_NOT_FOUND;
    }
    if (change->is_trailing && !directory) {
        return inode_type(victim) == FS_MODE_DIRECTORY ? HX_ERR_IS_DIRECTORY : HX_ERR_NOT_DIRECTORY;
    }
    status = change_may_remove(change, lookup->credentials, directory);
    if (status != HX_OK) {
        return status;
    }
    status = remove_name(change, directory);
    if (status != HX_OK) {
        return status;
    }
    name_remove(change->name);
    inode_refresh_links(victim);
    inode_touch(victim, FS_SET_CHANGED);
    change_done(change, directory);
    if (directory) {
        name_forget_children(change->name);
    } else {
        links_tell(victim);
    }
    if (name_is_last_use(change->name)) {
        inode_tell_end(victim); // its end comes before that of the name, as on Linux
    }
    change_tell(change, WATCH_DELETE, victim, 0);
    return HX_OK;
}

enum hx_status vfs_unlink(const struct lookup *lookup, const char *path, bool directory) {
    struct change change;
    enum hx_status status = change_begin(&change, lookup, path);
    if (status != HX_OK) {
        return status;
    }
    if (change_is_special(&change)) {
        status = special_refusal(&change, directory);
    } else {
        rwlock_write(&change.inode->lock);
        status = unlink_locked(&change, lookup, directory);
        rwlock_write_done(&change.inode->lock);
    }
    change_end(&change); // the last user of a removed file ends it here, outside of the lock
    return status;
}
