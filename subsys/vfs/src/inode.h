// SPDX-License-Identifier: MIT OR Apache-2.0
// inode.h: inodes inside the VFS: the table by (file system, node), making, and updates.
//
// An inode is in the table from its making until its file system has forgotten the node, so there
// is never a second one for a node. The inodes of a file system with FS_NO_PAGER are pinned while
// they have links: their pages are the only copy.
#pragma once

#include <vfs/file.h>

// Permissions and more in a mode, by Linux's numbers.
#define MODE_SETUID  04000u
#define MODE_SETGID  02000u
#define MODE_STICKY  01000u
#define MODE_GROUP_X 00010u
#define MODE_BITS    07777u

#define WANT_READ    4u
#define WANT_WRITE   2u
#define WANT_EXECUTE 1u

#define FILE_BYTES_MAX ((uint64_t)8 << 40) // 8 TiB

enum hx_status inodes_init(void);

// Nanoseconds since 1970.
time_ns_t vfs_now(void);

// An inode that is not in the table yet, for a node of that type. NULL: no memory. One reference;
// either inode_publish() or inode_discard() ends this state.
struct inode *inode_prepare(struct filesystem *fs, uint32_t mode);
// Before it is published: lets the file system's size pay for the text of a link, where the size
// is one of memory. Given back with the inode. HX_ERR_NO_SPACE.
enum hx_status inode_charge_link(struct inode *inode, uint32_t length);
void inode_publish(struct inode *inode, const struct fs_info *info);
void inode_discard(struct inode *inode);
// Whether what a file system says of a node of that type can be true: it may be a liar's.
bool inode_is_sound(const struct fs_info *info, uint32_t type);
// The inode of a node that the file system told about; a reference for the caller. HX_ERR_CORRUPT:
// it is of another type than it was, or of none, or larger than there may be.
enum hx_status inode_open(struct filesystem *fs, const struct fs_info *info,
                          struct inode **out_inode);
// Unpins all inodes of a file system that is no longer mounted.
void inodes_unpin(struct filesystem *fs);
uint64_t inodes_count(void);

// Asks the file system for the number of links; pins or unpins accordingly.
void inode_refresh_links(struct inode *inode);
// Sets some of FS_SET_ACCESSED, MODIFIED, CHANGED to now.
void inode_touch(struct inode *inode, uint32_t what);
// After a read: the access time, if it is due (as Linux's relatime).
void inode_accessed(struct inode *inode, struct mount *mount);
// Who may do what is the owner's: he, and who has CAP_FOWNER.
bool inode_is_owner(const struct inode *inode, const struct credentials *credentials);
// Before other bytes or another owner come to the file: what it gives who runs it goes
// (security.capability). The inode's lock is held for writing. If it cannot go, they must not come.
enum hx_status inode_capability_drop_locked(struct inode *inode);
// The same, and set-user bits unless the file keeps them: before a write.
enum hx_status inode_privileges_drop_locked(struct inode *inode, bool keep_setuid);
// The text of a symbolic link that does not change: read once, kept with the inode, terminated.
enum hx_status inode_target(struct inode *inode, const char **out_target);
// Counts a writer; HX_ERR_TEXT_BUSY if it is being executed.
enum hx_status inode_write_begin(struct inode *inode);
void inode_write_end(struct inode *inode);
// Changes the size; what the file gives who runs it goes first. The inode's lock is held for
// writing.
enum hx_status inode_truncate_locked(struct inode *inode, uint64_t size_bytes);

// Parts of info that are read without info_lock; each alone is right.
static inline uint32_t inode_links(const struct inode *inode) {
    return __atomic_load_n(&inode->info.links, __ATOMIC_RELAXED);
}

static inline uint32_t inode_mode(const struct inode *inode) {
    return __atomic_load_n(&inode->info.mode, __ATOMIC_RELAXED);
}
static inline bool inode_has_flag(const struct inode *inode, uint32_t flag) {
    return (inode->fs->kind & flag) != 0;
}
