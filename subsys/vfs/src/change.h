// SPDX-License-Identifier: MIT OR Apache-2.0
// change.h: what changes of directories have in common.
#pragma once

#include "inode.h"
#include "mount.h"
#include "watch.h"

// A name in a directory that is about to change: found, with the directory locked.
struct change {
    struct path directory; // references
    struct inode *inode;   // of the directory
    struct fs_name last;
    bool is_trailing;
    struct name *name; // what `last` is now: a reference; may be negative
};

// Finds the directory. change_end() is due if this is HX_OK.
enum hx_status change_begin(struct change *change, const struct lookup *lookup, const char *path);
// Loads change->name; the directory's lock is held for writing.
enum hx_status change_load_locked(struct change *change);
void change_end(struct change *change);

static inline bool change_is_special(const struct change *change) { // "/", "." or ".."
    const struct fs_name *last = &change->last;
    return last->length == 0 || (last->text[0] == '.' && last->length == 1) ||
           (last->text[0] == '.' && last->length == 2 && last->text[1] == '.');
}

// May a name be added? HX_ERR_READ_ONLY, HX_ERR_NOT_FOUND (the directory was removed),
// HX_ERR_PERMISSION. Directory locked.
enum hx_status change_may_add(const struct change *change, const struct credentials *credentials);
// May the name, which is positive, be removed as a directory or as something else?
enum hx_status change_may_remove(const struct change *change, const struct credentials *credentials,
                                 bool as_directory);
// After an addition or a removal: the directory's times and links.
void change_done(const struct change *change, bool of_directory);

// Tells who watches the directory of `what`, which happened to its entry change->last, the inode.
void change_tell(const struct change *change, uint32_t what, const struct inode *inode,
                 uint32_t cookie);
// Tells who watches the inode that the number of its names has changed.
void links_tell(struct inode *inode);

// Creates in a locked directory where change->name is negative, and makes it positive. `info` has
// type, permissions and device.
enum hx_status change_create_locked(struct change *change, const struct lookup *lookup,
                                    uint32_t mode, uint64_t device, const struct fs_name *target);
// A file without a name in the directory (O_TMPFILE); its name is dead.
enum hx_status change_create_temporary(struct path directory, const struct lookup *lookup,
                                       uint32_t mode, struct name **out_name);
