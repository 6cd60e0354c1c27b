// SPDX-License-Identifier: MIT OR Apache-2.0
// open.c: open(2): look-up, creation, permissions, truncation; as fs/namei.c of Linux decides.
#include "change.h"
#include "file_kinds.h"
#include "walk.h"
#include "watch.h"

#include <core/log.h>

#define OPEN_FILE_FLAGS 0xffffu // the FILE_… part of the flags of file_open()

struct opening {
    const struct lookup *lookup;
    uint32_t flags;
    uint32_t mode;
    bool is_new; // no permission is asked for a file that was created just now
};

static uint32_t wanted(uint32_t flags) {
    uint32_t want = 0;
    want |= (flags & FILE_READ) != 0 ? WANT_READ : 0;
    want |= (flags & (FILE_WRITE | OPEN_TRUNCATE)) != 0 ? WANT_WRITE : 0;
    return want;
}

static enum hx_status check_type(struct path path, uint32_t flags) {
    uint32_t type = inode_type(path_inode(path));
    bool changes = (flags & (FILE_WRITE | OPEN_TRUNCATE)) != 0;
    switch (type) {
    case FS_MODE_LINK:
        return HX_ERR_TOO_MANY_LINKS;
    case FS_MODE_DIRECTORY:
        return changes || (flags & OPEN_CREATE) != 0 ? HX_ERR_IS_DIRECTORY : HX_OK;
    case FS_MODE_CHAR:
    case FS_MODE_BLOCK:
        return (path_mount_flags(path) & MOUNT_NO_DEVICES) != 0 ? HX_ERR_PERMISSION : HX_OK;
    case FS_MODE_REGULAR:
        return changes ? path_writable(path) : HX_OK;
    default:
        return HX_OK;
    }
}

static enum hx_status check_open(const struct opening *opening, struct path path) {
    const struct credentials *credentials = opening->lookup->credentials;
    struct inode *inode = path_inode(path);
    uint32_t flags = opening->flags;
    enum hx_status status = check_type(path, flags);
    if (status != HX_OK || credentials == NULL) {
        return status;
    }
    if (!opening->is_new) {
        status = inode_permission(inode, credentials, wanted(flags));
        if (status != HX_OK) {
            return status;
        }
    }
    if ((flags & FILE_NOATIME) != 0 && credentials->fsuid != inode->info.uid &&
        !credentials_capable(credentials, CAPABILITY_FOWNER)) {
        return HX_ERR_NOT_PERMITTED;
    }
    return HX_OK;
}

// Opens a place that was found; takes the path on HX_OK.
static enum hx_status open_place(const struct opening *opening, struct path path,
                                 struct file **out_file) {
    uint32_t flags = opening->flags;
    uint32_t file_bits = flags & OPEN_FILE_FLAGS;
    const struct credentials *credentials = opening->lookup->credentials;
    if ((flags & FILE_PATH_ONLY) != 0) {
        return file_open_taking(path, file_bits, out_file);
    }
    enum hx_status status = check_open(opening, path);
    if (status != HX_OK) {
        return status;
    }
    if ((flags & FILE_WRITE) != 0 &&
        (credentials == NULL || credentials_capable(credentials, CAPABILITY_FSETID))) {
        file_bits |= FILE_KEEP_SETUID;
    }
    const uint32_t type = inode_type(path_inode(path));
    if ((flags & FILE_DIRECT) != 0 && (type == FS_MODE_REGULAR || type == FS_MODE_DIRECTORY)) {
        return HX_ERR_INVALID; // files of memory; one that was made by this call stays, as in Linux
    }
    struct file *file;
    status = file_open_taking(path, file_bits, &file);
    if (status != HX_OK) {
        return status;
    }
    if ((flags & OPEN_TRUNCATE) != 0 && !opening->is_new &&
        inode_type(file->inode) == FS_MODE_REGULAR) {
        status = inode_truncate(file->inode, 0);
        if (status != HX_OK) {
            path_get(path); // what the file has taken is still the caller's
            file_put(file);
            return status;
        }
        watch_file(file, WATCH_MODIFY);
    }
    watch_file(file, WATCH_OPEN);
    *out_file = file;
    return HX_OK;
}

// A link of procfs whose file has no path: the file system opens it itself.
static enum hx_status open_jump(const struct walk *walk, uint32_t flags, struct file **out_file) {
    const struct fs_type *type = walk->jump->fs->type;
    if (type->open_jump == NULL) {
        return HX_ERR_NO_DEVICE;
    }
    return type->open_jump(walk->jump->fs->instance, walk->jump->node, flags & OPEN_FILE_FLAGS,
                           out_file);
}

static enum hx_status open_existing(const struct opening *opening, const char *path,
                                    struct file **out_file) {
    struct lookup lookup = *opening->lookup;
    struct walk walk;
    lookup.flags |= (opening->flags & OPEN_NOFOLLOW) == 0 ? LOOKUP_FOLLOW : 0;
    lookup.flags |= (opening->flags & OPEN_DIRECTORY) != 0 ? LOOKUP_DIRECTORY : 0;
    if ((opening->flags & (OPEN_NOFOLLOW | OPEN_DIRECTORY)) == (OPEN_NOFOLLOW | OPEN_DIRECTORY)) {
        lookup.flags &= ~LOOKUP_DIRECTORY; // a link is not a directory then; see below
    }
    enum hx_status status = walk_path(&walk, &lookup, path, false);
    if (status == HX_OK && (opening->flags & OPEN_DIRECTORY) != 0 &&
        inode_type(path_inode(walk.at)) != FS_MODE_DIRECTORY) {
        status = HX_ERR_NOT_DIRECTORY;
    }
    if (status == HX_OK) {
        status = open_place(opening, walk.at, out_file);
        if (status == HX_OK) {
            (void)walk_take(&walk); // the file has it
        }
    } else if (status == HX_ERR_NO_OPERATION && walk.is_counted && walk.jump != NULL) {
        status = open_jump(&walk, opening->flags, out_file);
    }
    walk_end(&walk);
    return status;
}

// Creating
// -----------------------------------------------------------------------------------------------

// Loads or creates the last component of a walk that stands before it.
static enum hx_status load_or_create(struct opening *opening, struct walk *walk,
                                     struct change *change) {
    *change = (struct change){
        .directory = walk->at, // borrowed from the walk
        .inode = path_inode(walk->at),
        .last = walk->last,
        .is_trailing = walk->is_trailing,
    };
    if (inode_type(change->inode) != FS_MODE_DIRECTORY) {
        return HX_ERR_NOT_DIRECTORY;
    }
    rwlock_write(&change->inode->lock);
    enum hx_status status = change_load_locked(change);
    if (status == HX_OK && name_inode(change->name) == NULL) {
        status = change_may_add(change, opening->lookup->credentials);
        if (status == HX_OK) {
            status = change_create_locked(change, opening->lookup,
                                          FS_MODE_REGULAR | (opening->mode & MODE_BITS), 0, NULL);
            opening->is_new = status == HX_OK;
        }
    } else if (status == HX_OK && (opening->flags & OPEN_EXCLUSIVE) != 0) {
        status = HX_ERR_EXISTS;
    }
    rwlock_write_done(&change->inode->lock);
    return status;
}

// What the last component turned out to be: opens it, or goes on over a link (*out_again).
static enum hx_status open_component(struct opening *opening, struct walk *walk,
                                     struct change *change, bool *out_again,
                                     struct file **out_file) {
    struct inode *inode = name_inode(change->name);
    if (inode_type(inode) == FS_MODE_LINK) {
        if ((opening->flags & OPEN_NOFOLLOW) != 0) {
            return HX_ERR_TOO_MANY_LINKS;
        }
        *out_again = true;
        return walk_over(walk, inode);
    }
    struct path place =
        path_cross(path_get((struct path){ change->directory.mount, change->name }));
    enum hx_status status = open_place(opening, place, out_file);
    if (status != HX_OK) {
        path_put(place);
    }
    return status;
}

static enum hx_status open_creating(struct opening *opening, const char *path,
                                    struct file **out_file) {
    struct walk walk;
    bool again;
    enum hx_status status = walk_path(&walk, opening->lookup, path, true);
    do {
        struct change change = { .name = NULL };
        again = false;
        if (status == HX_OK) {
            change.last = walk.last;
            const bool is_exclusive = (opening->flags & OPEN_EXCLUSIVE) != 0;
            status = change_is_special(&change) && is_exclusive ? HX_ERR_EXISTS
                     : change_is_special(&change) || walk.is_trailing
                         ? HX_ERR_IS_DIRECTORY
                         : load_or_create(opening, &walk, &change);
        }
        if (status == HX_OK) {
            status = open_component(opening, &walk, &change, &again, out_file);
        }
        name_put(change.name);
    } while (again && status == HX_OK);
    if (status == HX_ERR_NO_OPERATION && walk.is_counted && walk.jump != NULL) {
        status = open_jump(&walk, opening->flags, out_file);
    }
    walk_end(&walk);
    return status;
}

static enum hx_status open_temporary(struct opening *opening, const char *path,
                                     struct file **out_file) {
    const struct lookup *given = opening->lookup;
    struct lookup lookup = *given;
    struct path directory;
    struct name *name;
    if ((opening->flags & FILE_WRITE) == 0) {
        return HX_ERR_INVALID;
    }
    lookup.flags |= LOOKUP_FOLLOW | LOOKUP_DIRECTORY;
    enum hx_status status = path_lookup(&lookup, path, &directory);
    if (status != HX_OK) {
        return status;
    }
    status = path_writable(directory);
    if (status == HX_OK && given->credentials != NULL) {
        status =
            inode_permission(path_inode(directory), given->credentials, WANT_WRITE | WANT_EXECUTE);
    }
    if (status == HX_OK) {
        status = change_create_temporary(directory, given,
                                         FS_MODE_REGULAR | (opening->mode & MODE_BITS), &name);
    }
    if (status == HX_OK) {
        opening->is_new = true;
        opening->flags &= ~(uint32_t)(OPEN_CREATE | OPEN_DIRECTORY);
        path_inode((struct path){ directory.mount, name })->is_temporary =
            (opening->flags & OPEN_EXCLUSIVE) == 0; // O_EXCL: it may never be linked
        struct path place = path_get((struct path){ directory.mount, name });
        status = open_place(opening, place, out_file);
        if (status != HX_OK) {
            path_put(place);
        }
        name_put(name);
    }
    path_put(directory);
    return status;
}

static bool ends_with_slash(const char *path) {
    char last = '\0';
    for (const char *at = path; *at != '\0'; at++) {
        last = *at;
    }
    return last == '/';
}

enum hx_status file_open(const struct lookup *lookup, const char *path, uint32_t flags,
                         uint32_t mode, struct file **out_file) {
    struct opening opening = { .lookup = lookup, .flags = flags, .mode = mode };
    if ((flags & FILE_PATH_ONLY) != 0) {
        opening.flags &= FILE_PATH_ONLY | FILE_SAID | OPEN_DIRECTORY | OPEN_NOFOLLOW;
    } else if ((flags & OPEN_TMPFILE) != 0) {
        return open_temporary(&opening, path, out_file);
    } else if ((flags & OPEN_CREATE) != 0) {
        if ((flags & OPEN_DIRECTORY) != 0) {
            return HX_ERR_INVALID;
        }
        if ((flags & OPEN_EXCLUSIVE) != 0) {
            opening.flags |= OPEN_NOFOLLOW;
        } else if (!ends_with_slash(path)) { // what is created is no directory, whatever is there
            enum hx_status status = open_existing(&opening, path, out_file);
            if (status != HX_ERR_NOT_FOUND) {
                return status;
            }
        }
        return open_creating(&opening, path, out_file);
    }
    return open_existing(&opening, path, out_file);
}
