// SPDX-License-Identifier: MIT OR Apache-2.0
// <vfs/xattr.h>: extended attributes of inodes: who may see and change which (xattr(7)).
//
// The file system keeps them: helix.fs has the methods. Of its size the memory is paid that they
// take where that is memory. The names that are known: user.*, of files and directories, by their
// permissions; trusted.*, for CAP_SYS_ADMIN alone; security.*, which everybody may read. Thread
// context, all of it.
#pragma once

#include <vfs/vfs.h>

#define XATTR_NAME_MAX  255u
#define XATTR_BYTES_MAX FS_XATTR_BYTES_MAX

// Flags of setxattr(2).
#define XATTR_CREATE  1u
#define XATTR_REPLACE 2u

// A value in kernel memory.
struct xattr_value {
    const void *bytes;
    uint32_t size_bytes; // XATTR_BYTES_MAX at most
};

// setxattr(2); the caller has asked path_writable(). `name` has at least one byte.
// HX_ERR_NO_OPERATION: there are none of that name here; HX_ERR_INVALID; HX_ERR_EXISTS and
// HX_ERR_NO_DATA by the flags; HX_ERR_NOT_PERMITTED, HX_ERR_PERMISSION; HX_ERR_NO_SPACE,
// HX_ERR_NO_MEMORY.
enum hx_status inode_xattr_set(struct inode *inode, const struct credentials *credentials,
                               struct fs_name name, const struct xattr_value *value,
                               uint32_t flags);
// removexattr(2); as above. HX_ERR_NO_DATA.
enum hx_status inode_xattr_remove(struct inode *inode, const struct credentials *credentials,
                                  struct fs_name name);
// getxattr(2). Gives the value in memory of the heap; NULL if it is empty, or `room` is 0.
// HX_ERR_RANGE: it is longer than `room`; HX_ERR_NO_DATA, also for who may not see it.
enum hx_status inode_xattr_get(struct inode *inode, const struct credentials *credentials,
                               struct fs_name name, uint64_t room, void **out_value,
                               uint32_t *out_size_bytes);
// Why what has no name (a pipe, a socket) has no attribute of that name, or cannot get one.
enum hx_status xattr_of_nothing(const struct credentials *credentials, struct fs_name name,
                                bool is_changed);
// listxattr(2): the names that the credentials may see, each with a zero behind it. Gives them in
// memory of the heap.
enum hx_status inode_xattr_list(struct inode *inode, const struct credentials *credentials,
                                char **out_names, uint32_t *out_length);
