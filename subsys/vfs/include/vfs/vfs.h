// SPDX-License-Identifier: MIT OR Apache-2.0
// <vfs/vfs.h>: names, mounts, inodes.
//
// A path is a mount and a name in it. Names form a tree that is cached (struct name); an inode is
// the core's view of a node of a file system and holds, for regular files, the memory object that
// is the file's pages. Directory changes take the inode's rwlock (rename: both, in address order,
// under the file system's rename mutex). Look-ups of cached names take no sleeping lock.
#pragma once

#include <core/lock.h>
#include <core/object.h>
#include <helix/ports/fs_port.h>
#include <memory/object.h>
#include <vfs/credentials.h>

struct mount;
struct name;
struct file;
struct file_ops;

#define PATH_BYTES_MAX  4096u
#define PATH_LINKS_MAX  40u

struct filesystem { // a mounted instance
    struct object object;
    const struct fs_ops *ops;
    void *instance;
    const char *type_name; // "tmpfs"
    uint64_t device; // st_dev, anonymous number
    struct mutex rename_lock;
};

struct inode {
    struct object object;
    struct filesystem *fs; // keeps
    uint64_t node;
    struct rwlock lock;      // directories: entries; files: size against writers
    struct spinlock info_lock;
    struct fs_info info;     // [info_lock]; size of regular files is pages->size_bytes
    struct memory_object *pages; // regular files of cached file systems; else NULL
    void *special;           // [lock] the pipe of a fifo, the socket …
    _Atomic uint32_t writers; // open for writing; exec denies (TEXT_BUSY)
    _Atomic uint32_t executing;
    struct list hash_link;
    // Advisory locks (flock, POSIX) hang here.
    struct list advisory_locks; // [advisory_lock]
    struct mutex advisory_lock;
};

static inline struct inode *inode_get(struct inode *inode) {
    object_get(&inode->object);
    return inode;
}
static inline void inode_put(struct inode *inode) {
    object_put(&inode->object);
}
void inode_info(struct inode *inode, struct fs_info *out_info); // size included
uint64_t inode_size(struct inode *inode);
static inline uint32_t inode_type(const struct inode *inode) {
    return inode->info.mode & FS_MODE_TYPE;
}

// A place in the tree; both references are the holder's.
struct path {
    struct mount *mount;
    struct name *name;
};
struct path path_get(struct path path);
void path_put(struct path path);
struct inode *path_inode(struct path path); // borrowed from the path
bool path_equal(struct path a, struct path b);

// A process's view: root, working directory, umask. Shared by CLONE_FS.
struct fs_context {
    struct object object;
    struct spinlock lock;
    struct path root; // [lock]
    struct path work; // [lock]
    _Atomic uint32_t umask;
};
struct fs_context *fs_context_create(struct path root); // takes nothing, gets its own references
struct fs_context *fs_context_copy(struct fs_context *from);
struct path fs_context_root(struct fs_context *context); // with references
struct path fs_context_work(struct fs_context *context);
void fs_context_set_root(struct fs_context *context, struct path path); // takes the path
void fs_context_set_work(struct fs_context *context, struct path path);

// Look-up. `base` is where a relative path starts (the working directory or a directory's file);
// `path` is kernel memory, terminated.
#define LOOKUP_FOLLOW     (1u << 0) // the last component, if a link, is followed
#define LOOKUP_DIRECTORY  (1u << 1) // must be a directory
#define LOOKUP_NO_LINKS   (1u << 2) // RESOLVE_NO_SYMLINKS
#define LOOKUP_EMPTY      (1u << 3) // AT_EMPTY_PATH: "" is the base itself
struct lookup {
    struct fs_context *context;
    const struct credentials *credentials;
    struct path base; // borrowed
    uint32_t flags;
};
enum hx_status path_lookup(const struct lookup *lookup, const char *path, struct path *out_path);
// The directory that the last component is in, and that component (inside `path`, not terminated).
// HX_ERR_EXISTS-type decisions are the caller's. *out_trailing_slash: the path ended in '/'.
enum hx_status path_lookup_parent(const struct lookup *lookup, const char *path,
                                  struct path *out_directory, struct fs_name *out_last,
                                  bool *out_trailing_slash);
// The text of a path as seen from a root ("(unreachable)" if it is not below). Gives the length
// without zero. HX_ERR_NAME_TOO_LONG. Deleted names get " (deleted)".
enum hx_status path_to_text(struct path path, struct path root, char *buffer, size_t capacity,
                            size_t *out_length);

// May `credentials` do this to the inode? want: 4 read, 2 write, 1 execute or search.
// HX_ERR_PERMISSION if not.
enum hx_status inode_permission(struct inode *inode, const struct credentials *credentials,
                                uint32_t want);

// Changes, all by path. They check permissions with lookup->credentials.
enum hx_status vfs_create(const struct lookup *lookup, const char *path, uint32_t mode,
                          uint64_t device, struct path *out_path); // mknod, mkdir (by mode's type)
enum hx_status vfs_symlink(const struct lookup *lookup, const char *target, const char *path);
enum hx_status vfs_link(struct path from, const struct lookup *lookup, const char *path);
enum hx_status vfs_unlink(const struct lookup *lookup, const char *path, bool directory);
enum hx_status vfs_rename(const struct lookup *from, const char *from_path,
                          const struct lookup *to, const char *to_path, uint32_t flags);
enum hx_status vfs_readlink(struct path path, char *buffer, uint32_t capacity,
                            uint32_t *out_length);
enum hx_status inode_truncate(struct inode *inode, uint64_t size_bytes);
enum hx_status inode_set_mode(struct inode *inode, const struct credentials *credentials,
                              uint32_t mode);
enum hx_status inode_set_owner(struct inode *inode, const struct credentials *credentials,
                               uint32_t uid, uint32_t gid); // UINT32_MAX: as it is
enum hx_status inode_set_times(struct inode *inode, time_ns_t accessed, time_ns_t modified);

// Mounts.
struct mount_space; // process->ns->mounts
struct mount_space *mount_space_create(struct path *out_root); // an empty tmpfs as root
enum hx_status vfs_mount(struct mount_space *space, const char *source, const char *type,
                         struct path at, uint32_t flags, const char *options);
enum hx_status vfs_bind(struct mount_space *space, struct path from, struct path at);
enum hx_status vfs_unmount(struct mount_space *space, struct path at, uint32_t flags);
// Text of /proc/mounts, from `offset` on.
enum hx_status vfs_mounts_text(struct mount_space *space, uint64_t offset, char *buffer,
                               uint32_t capacity, uint32_t *out_length);
enum hx_status vfs_usage(struct path path, struct fs_usage *out_usage);

// Registered file system types; `type` and what it names are borrowed for good.
struct fs_type {
    struct list link;
    const char *name;
    const struct fs_ops *ops;
    void *self;
};
enum hx_status vfs_type_register(struct fs_type *type);
enum hx_status vfs_filesystems_text(uint64_t offset, char *buffer, uint32_t capacity,
                                    uint32_t *out_length);

// Brings the subsystem up and registers the installers of helix.fs and helix.char.
enum hx_status vfs_init(void);
// Unpacks an initramfs (newc cpio, plain or gzip, concatenated) into `root`. On HX_ERR_CORRUPT what
// came before stays and *out_reason is a static text for the console.
enum hx_status initramfs_unpack(const void *image, size_t size_bytes, struct path root,
                                const char **out_reason);
