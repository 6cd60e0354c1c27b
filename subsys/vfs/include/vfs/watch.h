// SPDX-License-Identifier: MIT OR Apache-2.0
// <vfs/watch.h>: who hears of what happens to files and in directories; inotify(7) is made of it.
//
// A watch is on an inode, and keeps it. What happens to a file is told to the watches on it and,
// with the name that it was reached by, to those on the directory of that name. Files without a
// name are watched by nobody. One lock guards all watches and what their owners keep beside them;
// where there is none, an event costs a look at one number.
#pragma once

#include <core/lock.h>
#include <vfs/file.h>
#include <vfs/vfs.h>

// Events, with inotify's numbers.
#define WATCH_ACCESS        0x00000001u
#define WATCH_MODIFY        0x00000002u
#define WATCH_ATTRIB        0x00000004u
#define WATCH_CLOSE_WRITE   0x00000008u
#define WATCH_CLOSE_NOWRITE 0x00000010u
#define WATCH_OPEN          0x00000020u
#define WATCH_MOVED_FROM    0x00000040u
#define WATCH_MOVED_TO      0x00000080u
#define WATCH_CREATE        0x00000100u
#define WATCH_DELETE        0x00000200u
#define WATCH_DELETE_SELF   0x00000400u
#define WATCH_MOVE_SELF     0x00000800u
#define WATCH_EVENTS        0x00000fffu
#define WATCH_UNMOUNT       0x00002000u
// Beside one of them: it happened to a directory; the name that it was reached by is gone.
#define WATCH_DIRECTORY 0x40000000u
#define WATCH_UNLINKED  0x00800000u

// What is done for an event without the lock, by who tells of it.
struct watch_told {
    struct list link; // [watches_lock]
    uint32_t count;   // [watches_lock] how often it happened since it was run
    void (*run)(struct watch_told *told, uint32_t count);
};

struct inode_watch {
    struct list link;          // [watches_lock] of its inode
    struct list of_filesystem; // [watches_lock] of its inode's
    struct inode *inode;       // keeps; see watch_end_locked()
    uint32_t events;           // [watches_lock] that it hears of
    // Says that `what` happened: one of its events. `name` has no bytes where it happened to the
    // inode itself. With watches_lock: waits for nothing, but may add to `told`, whose order is
    // kept. False: that was the last one, it ends.
    bool (*happened)(struct inode_watch *watch, uint32_t what, uint32_t cookie, struct fs_name name,
                     struct list *told);
    // Nothing more happens to its inode, which has gone (WATCH_DELETE_SELF, WATCH_UNMOUNT): it
    // ends. As above.
    void (*gone)(struct inode_watch *watch, uint32_t what);
    // Frees one that has ended by these. Thread context, no lock.
    void (*freed)(struct inode_watch *watch);
};

extern struct spinlock watches_lock;
extern _Atomic uint32_t watches_count; // [watches_lock for writing]

// Takes a reference to the inode.
void watch_begin_locked(struct inode_watch *watch, struct inode *inode) REQUIRES(watches_lock);
void watch_change_locked(struct inode_watch *watch, uint32_t events) REQUIRES(watches_lock);
// It hears no more; who calls gives back its inode then, without the lock.
void watch_end_locked(struct inode_watch *watch) REQUIRES(watches_lock);

// The slow parts of those below. Thread context.
void watch_tell_inode(struct inode *inode, uint32_t what, uint32_t cookie, struct fs_name name);
void watch_tell_path(struct path path, uint32_t what);
void watch_tell_gone(struct inode *inode, uint32_t what);

static inline bool watches_exist(void) {
    // Relaxed: what happens while the first watch begins may be told or not.
    return atomic_load_explicit(&watches_count, memory_order_relaxed) != 0;
}

// Something happened to what stands at the path: to it, and in its directory.
static inline void watch_path(struct path path, uint32_t what) {
    if (watches_exist()) {
        watch_tell_path(path, what);
    }
}

// The same of an open file; not of one without a name, or one that stands for a place alone.
static inline void watch_file(const struct file *file, uint32_t what) {
    if (watches_exist() && file->path.name != NULL &&
        (atomic_load_explicit(&file->flags, memory_order_relaxed) & FILE_PATH_ONLY) == 0) {
        watch_tell_path(file->path, what);
    }
}
