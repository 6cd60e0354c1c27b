// SPDX-License-Identifier: MIT OR Apache-2.0
// <vfs/vfs.h>: names, mounts, inodes.
//
// A path is a mount and a name in it. Names form a tree that is cached (struct name); an inode is
// the core's view of a node of a file system and holds, for regular files, the memory object that
// is the file's pages. Directory changes take the inode's rwlock (rename: both, in address order,
// under the file system's rename mutex). Look-ups of cached names take no sleeping lock.
#pragma once

#include <core/epoch.h>
#include <core/lock.h>
#include <core/object.h>
#include <core/ports/fs_calls.h>
#include <memory/object.h>
#include <vfs/credentials.h>

struct inode;
struct mount;
struct name;
struct file;
struct file_ops;
struct fs_type;
struct path;

#define PATH_BYTES_MAX 4096u
#define PATH_LINKS_MAX 40u

struct filesystem { // a mounted instance
    struct object object;
    _Atomic(const struct fs_port *) port; // the type's table for what may be done now; never holes
    void *instance;                       // of the module that has made it; NULL may be one
    bool has_instance;                    // it was made
    uint32_t kind;                        // FS_NO_PAGER, …
    const char *type_name;                // "tmpfs"
    uint64_t device;                      // st_dev, anonymous number
    struct mutex rename_lock;
    struct mutex xattr_lock; // one value is set at a time
    _Atomic int32_t writers; // files that are open for writing; less than 0: there may be none
    struct fs_type *type;
    struct account *account;    // keeps; pays for the pages of FS_NO_PAGER, within its blocks
    _Atomic uint32_t mounts;    // that show it
    _Atomic uint32_t read_only; // not only one mount of it
    struct list watches;        // [watches_lock] struct inode_watch.of_filesystem
    struct epoch_item item;
};

static inline const struct fs_port *filesystem_port(struct filesystem *fs) {
    // Relaxed: both tables were there before the file system.
    return atomic_load_explicit(&fs->port, memory_order_relaxed);
}

// What a regular file is beside its bytes, if who creates it makes it that (inode->kind) before
// anybody can open it: a message queue.
struct inode_kind {
    // open(2): sets ops and data of a file whose path and inode are set.
    enum hx_status (*open)(struct file *file);
    // Its last name and its last user are gone: frees `special`. Thread context.
    void (*end)(struct inode *inode);
    uint64_t magic; // what statfs(2) tells of it, as of a file system
};

struct inode {
    struct object object;
    struct filesystem *fs; // keeps
    uint64_t node;
    struct rwlock lock; // directories: entries; files: size against writers
    struct spinlock info_lock;
    struct fs_info info;           // [info_lock]; size of regular files is pages->size_bytes
    struct memory_object *pages;   // regular files of cached file systems; else NULL
    void *special;                 // [lock] the pipe of a fifo, the socket …; the kind's own
    const struct inode_kind *kind; // regular files; NULL: nothing but a file
    _Atomic uint32_t writers;      // open for writing; exec denies (TEXT_BUSY)
    _Atomic uint32_t executing;
    struct list hash_link;
    // Advisory locks (flock, POSIX) hang here.
    struct list advisory_locks; // [advisory_lock]
    struct mutex advisory_lock;
    struct list watches;      // [watches_lock] struct inode_watch.link
    _Atomic uint32_t watched; // [watches_lock for writing] events that one of them hears of
    _Atomic(char *) target;   // of a symbolic link whose text was read; terminated; else NULL
    uint32_t charged;         // pages of the file system's account: a link's text, attributes
    uint32_t xattr_cost;      // [lock] bytes of memory that the attributes take
    // [lock] The life of its type, in which it is known that security.capability is not among them;
    // 0: that is not known.
    uint32_t no_capability;
    _Atomic uint32_t links_asked; // how often its links were asked for
    uint32_t links_known;         // [info_lock] which time it was that it has them from
    bool pinned;                  // [info_lock] has one more reference while it has links
    bool is_temporary;            // [info_lock] O_TMPFILE: may be linked although it has no links
    struct epoch_item item;
};

static inline struct inode *inode_get(struct inode *inode) {
    object_get(&inode->object);
    return inode;
}
static inline void inode_put(struct inode *inode) {
    object_put(&inode->object);
}
// What stat(2) tells, the size included. Thread context.
void inode_info(struct inode *inode, struct fs_info *out_info);
// The size now; 0 for what has none. Any context.
uint64_t inode_size(struct inode *inode);
// S_IFREG … of the inode; it never changes.
static inline uint32_t inode_type(const struct inode *inode) {
    return inode->info.mode & FS_MODE_TYPE;
}

// A place in the tree; both references are the holder's.
struct path {
    struct mount *mount;
    struct name *name;
};
// Adds references; returns its argument.
struct path path_get(struct path path);
// Drops them. Thread context. An empty path (both NULL) is fine.
void path_put(struct path path);
// What the path names; borrowed from the path.
struct inode *path_inode(struct path path);
// The same place.
bool path_equal(struct path a, struct path b);
// HX_ERR_READ_ONLY if the mount or the file system is; for changes that are made by inode.
enum hx_status path_writable(struct path path);
// What the mount forbids: MOUNT_NO_EXECUTE, MOUNT_NO_SETUID, MOUNT_NO_DEVICES, MOUNT_READ_ONLY.
uint32_t path_mount_flags(struct path path);
// A number per mount, for mountinfo and statx.
uint32_t path_mount_id(struct path path);
// Whether it is the root of its mount (statx's STATX_ATTR_MOUNT_ROOT).
bool path_is_mount_root(struct path path);

// A process's view: root, working directory, umask. Shared by CLONE_FS.
struct fs_context {
    struct object object;
    struct spinlock lock;
    struct path root; // [lock]
    struct path work; // [lock]
    _Atomic uint32_t umask;
};
// Root and working directory at `root`, of which it gets its own references. NULL: no memory.
struct fs_context *fs_context_create(struct path root);
// A private copy. NULL: no memory.
struct fs_context *fs_context_copy(struct fs_context *from);
// The paths, with references for the caller.
struct path fs_context_root(struct fs_context *context);
struct path fs_context_work(struct fs_context *context);
// Takes the path. Thread context.
void fs_context_set_root(struct fs_context *context, struct path path);
void fs_context_set_work(struct fs_context *context, struct path path);
// Drops a reference; the last one puts the paths. Thread context.
static inline void fs_context_put(struct fs_context *context) {
    object_put(&context->object);
}

// Look-up. `base` is where a relative path starts (a directory's file); empty (both NULL) stands
// for the context's working directory, which costs least. Without a context, `base` is the root,
// too. `path` is kernel memory, terminated.
#define LOOKUP_FOLLOW    (1u << 0) // the last component, if a link, is followed
#define LOOKUP_DIRECTORY (1u << 1) // must be a directory
#define LOOKUP_NO_LINKS  (1u << 2) // RESOLVE_NO_SYMLINKS
#define LOOKUP_EMPTY     (1u << 3) // AT_EMPTY_PATH: "" is the base itself
struct lookup {
    struct fs_context *context;
    const struct credentials *credentials;
    struct path base; // borrowed
    uint32_t flags;
};
// Finds what `path` names. Thread context.
// HX_ERR_NOT_FOUND (also: empty), HX_ERR_NOT_DIRECTORY, HX_ERR_PERMISSION (no search permission),
// HX_ERR_TOO_MANY_LINKS, HX_ERR_NAME_TOO_LONG, HX_ERR_NO_OPERATION (a link of procfs to a file that
// has no path), HX_ERR_NO_MEMORY, or what the file system says.
enum hx_status path_lookup(const struct lookup *lookup, const char *path, struct path *out_path);
// The directory that the last component is in, and that component (inside `path`, not terminated).
// HX_ERR_EXISTS-type decisions are the caller's. *out_trailing_slash: the path ended in '/'. The
// last component may be "." or "..", and is empty if the path is nothing but slashes.
enum hx_status path_lookup_parent(const struct lookup *lookup, const char *path,
                                  struct path *out_directory, struct fs_name *out_last,
                                  bool *out_trailing_slash);
// The text of a path as seen from a root, or, if it is not below, PATH_UNREACHABLE and its path.
// Gives the length without zero. HX_ERR_NAME_TOO_LONG. Deleted names get " (deleted)".
#define PATH_UNREACHABLE "(unreachable)"
enum hx_status path_to_text(struct path path, struct path root, char *buffer, size_t capacity,
                            size_t *out_length);

// May `credentials` do this to the inode? want: 4 read, 2 write, 1 execute or search.
// HX_ERR_PERMISSION if not.
enum hx_status inode_permission(struct inode *inode, const struct credentials *credentials,
                                uint32_t want);

// Changes, all by path. They check permissions with lookup->credentials, and apply the umask of
// lookup->context. Errors are those that POSIX and Linux give for the call.
// mknod(2) and mkdir(2), by the type in `mode`; `device` is major << 32 | minor. `out_path` may be
// NULL; else it gets references.
enum hx_status vfs_create(const struct lookup *lookup, const char *path, uint32_t mode,
                          uint64_t device, struct path *out_path);
// symlink(2), link(2), unlink(2) or rmdir(2), rename(2) with FS_RENAME_… flags.
enum hx_status vfs_symlink(const struct lookup *lookup, const char *target, const char *path);
enum hx_status vfs_link(struct path from, const struct lookup *lookup, const char *path);
enum hx_status vfs_unlink(const struct lookup *lookup, const char *path, bool directory);
enum hx_status vfs_rename(const struct lookup *from, const char *from_path, const struct lookup *to,
                          const char *to_path, uint32_t flags);
// The target of a link, as much as fits, without terminator. HX_ERR_NOT_LINK.
enum hx_status vfs_readlink(struct path path, char *buffer, uint32_t capacity,
                            uint32_t *out_length);
// Changes by inode; the caller has asked path_writable().
// Cuts or extends a regular file, whose set-user bits and security.capability go first; permission
// is the caller's business. HX_ERR_IS_DIRECTORY, HX_ERR_INVALID, HX_ERR_FILE_TOO_BIG,
// HX_ERR_TEXT_BUSY.
enum hx_status inode_truncate(struct inode *inode, uint64_t size_bytes);
// chmod(2), chown(2). HX_ERR_NOT_PERMITTED.
enum hx_status inode_set_mode(struct inode *inode, const struct credentials *credentials,
                              uint32_t mode);
enum hx_status inode_set_owner(struct inode *inode, const struct credentials *credentials,
                               uint32_t uid, uint32_t gid); // UINT32_MAX: as it is
// utimensat(2), nanoseconds since 1970; TIME_NEVER: as it is. Permission is the caller's business.
enum hx_status inode_set_times(struct inode *inode, time_ns_t accessed, time_ns_t modified);

// Counts an execution of the file, which nobody may then open for writing, until the matching end.
// HX_ERR_TEXT_BUSY: it is open for writing.
enum hx_status inode_execute_begin(struct inode *inode);
void inode_execute_end(struct inode *inode);

// Mounts. Flags have Linux's values (MS_…); others are ignored.
#define MOUNT_READ_ONLY  (1u << 0)
#define MOUNT_NO_SETUID  (1u << 1)
#define MOUNT_NO_DEVICES (1u << 2)
#define MOUNT_NO_EXECUTE (1u << 3)
#define MOUNT_REMOUNT    (1u << 5)
#define MOUNT_NO_ATIME   (1u << 10)
#define MOUNT_BIND       (1u << 12) // with REMOUNT: only this mount, not its file system

// umount2(2)'s.
#define UNMOUNT_DETACH (1u << 1) // even if busy: it goes when its last user does

struct mount_space; // process->ns->mounts
// A space with an empty file system of type "rootfs" as its root; *out_root gets references. NULL:
// no memory, or no such type yet.
struct mount_space *mount_space_create(struct path *out_root);
// mount(2) of a new file system, or with MOUNT_REMOUNT a change of the one that `at` is in.
// `options` may be NULL. The caller's rights are the caller's business in all of these.
// HX_ERR_NO_DEVICE: no such type (Linux says ENODEV); HX_ERR_NOT_DIRECTORY; HX_ERR_INVALID.
enum hx_status vfs_mount(struct mount_space *space, const char *source, const char *type,
                         struct path at, uint32_t flags, const char *options);
// mount --bind; a file may be mounted on a file. HX_ERR_NOT_DIRECTORY; HX_ERR_INVALID: one of the
// two is not in a mount of the space.
enum hx_status vfs_bind(struct mount_space *space, struct path from, struct path at);
// mount --move: `from` is the root of a mount. HX_ERR_INVALID; HX_ERR_TOO_MANY_LINKS: into itself.
enum hx_status vfs_move(struct mount_space *space, struct path from, struct path at);
// umount2(2). HX_ERR_INVALID: not the root of a mount, or the first mount; HX_ERR_BUSY.
enum hx_status vfs_unmount(struct mount_space *space, struct path at, uint32_t flags);
// Text of /proc/mounts, from `offset` on.
enum hx_status vfs_mounts_text(struct mount_space *space, uint64_t offset, char *buffer,
                               uint32_t capacity, uint32_t *out_length);
// statfs(2).
enum hx_status vfs_usage(struct path path, struct fs_usage *out_usage);
// From now on the contents of that file system, which is one with FS_NO_PAGER, may grow by half of
// the memory that is free, and no further: for a root that holds what came with the kernel.
void vfs_limit_growth(struct path path);

// Registered file system types; `type` and what it names are borrowed for good.
struct fs_type {
    struct list link;
    const char *name;
    const struct fs_ops *ops;
    void *self;
    // Set when it is registered: what describe() says, and `ops` bound with all rights and with
    // HX_RIGHT_READ alone.
    uint32_t kind;
    struct fs_port writer;
    struct fs_port reader;
    // Private.
    _Atomic uint32_t life; // of what provides it, from 1 on
    uint32_t users;        // file systems of the type, and those who make one
    bool is_leaving;
    // Links that lead to a place rather than to a text (procfs: cwd, root, exe, fd/N); may be NULL.
    // Gives a path with references. HX_ERR_NOT_LINK: this one has a text like any other;
    // HX_ERR_NO_OPERATION: it leads to a file without a path, see open_jump.
    enum hx_status (*jump)(void *fs, uint64_t node, struct path *out_path);
    // open(2) of a link that jump refused with HX_ERR_NO_OPERATION; `flags` are FILE_…; gives a
    // file, usually by file_reopen(). May be NULL.
    enum hx_status (*open_jump)(void *fs, uint64_t node, uint32_t flags, struct file **out_file);
};
// HX_ERR_EXISTS: a type of that name is there; HX_ERR_BAD_IMAGE: its operations lack a method that
// is not optional; or what its describe() fails with.
enum hx_status vfs_type_register(struct fs_type *type);
// Text of /proc/filesystems, from `offset` on.
enum hx_status vfs_filesystems_text(uint64_t offset, char *buffer, uint32_t capacity,
                                    uint32_t *out_length);

// Brings the subsystem up and registers the installers of helix.fs and helix.char.
enum hx_status vfs_init(void);
// Unpacks an initramfs (newc cpio, plain or gzip, concatenated) into `root`. On HX_ERR_CORRUPT what
// came before stays and *out_reason is a static text for the console.
enum hx_status initramfs_unpack(const void *image, size_t size_bytes, struct path root,
                                const char **out_reason);
