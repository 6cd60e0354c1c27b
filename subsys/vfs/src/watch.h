// SPDX-License-Identifier: MIT OR Apache-2.0
// watch.h: what the VFS tells of as a whole.
#pragma once

#include "inode.h"

#include <vfs/watch.h>

// The last mount of the file system is gone: its watches go. Thread context.
void watches_unmounted(struct filesystem *fs);

// Its last name goes, with its last user: if it has no more links, its watches end.
static inline void inode_tell_end(struct inode *inode) {
    if (watches_exist() && inode_links(inode) == 0) {
        watch_tell_gone(inode, WATCH_DELETE_SELF);
    }
}
