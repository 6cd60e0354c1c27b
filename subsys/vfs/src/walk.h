// SPDX-License-Identifier: MIT OR Apache-2.0
// walk.h: walking a path.
//
// A walk is in one of two modes. Light: inside an epoch, no references, only cached names and
// cached link texts, checked against the tree's sequence at the end. Counted: holds references, may
// sleep, asks file systems. It starts light and goes over to counted where it stands when something
// is not cached, or from the start when it cannot.
#pragma once

#include "name.h"

struct walk {
    const struct lookup *lookup;
    const char *path;
    struct path at;   // where it stands; references in counted mode only
    struct path root; // of the context, once needed; references in counted mode
    const char *rest; // what is still to be walked of the current text
    bool is_counted;
    bool wants_parent; // stop before the last component
    bool must_be_directory;
    bool is_trailing;     // a slash stood behind the last component
    uint32_t flags;       // LOOKUP_…
    uint32_t sequence;    // the tree's, at the start of light mode
    uint32_t depth;       // of the stack of interrupted texts
    uint32_t links;       // links followed so far
    uint32_t hash_length; // of the component in `last`
    struct fs_name last;  // the current component
    uint64_t last_hash;
    struct inode *jump; // the link whose file has no path (HX_ERR_NO_OPERATION); a reference
    const char *stack[PATH_LINKS_MAX];
    // What keeps the texts of followed links: an inode, or a buffer; counted mode only.
    struct inode *link_inodes[PATH_LINKS_MAX];
    char *link_buffers[PATH_LINKS_MAX];
};

// Walks. On HX_OK the walk stands, counted, at the end of the path, or before `last` if
// `wants_parent`. walk_end() is due whatever this returns.
enum hx_status walk_path(struct walk *walk, const struct lookup *lookup, const char *path,
                         bool wants_parent);
// Goes on over a link found as last component of a counted walk: HX_OK leaves it as walk_path()
// does.
enum hx_status walk_over(struct walk *walk, struct inode *link);
// Takes the place out of the walk, with its references.
struct path walk_take(struct walk *walk);
void walk_end(struct walk *walk);

// The name `text` in a directory, whose inode's lock is not held: from the cache or the file
// system; with a reference; it may be negative.
enum hx_status name_load(struct name *directory, struct fs_name text, uint64_t hash,
                         struct name **out_name);
// The same with the directory's lock held.
enum hx_status name_load_locked(struct name *directory, struct fs_name text, uint64_t hash,
                                struct name **out_name);
// Goes up into what is mounted on a path; takes and gives references.
struct path path_cross(struct path path);
