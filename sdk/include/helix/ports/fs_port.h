// SPDX-License-Identifier: MIT OR Apache-2.0
// <helix/ports/fs_port.h>: helix.fs 1.0, a file system, as the port compiler will emit it.
//
// Context:   thread. Every method returns in bounded time. Names are bytes without '/' and zero,
//            1 … 255 long, never "." or "..". The core holds the directory's lock around changes of
//            it, checks permissions before, and keeps sizes, times and dirty pages of cached nodes.
// Ownership: buffers are kernel memory, borrowed for the call.
// A node is a number that the file system gives; it stays valid until forget().
// A file system with FS_NO_PAGER keeps no file contents: the core's pages are the contents, and
// live until the node has no links and no users (ramfs).
#pragma once

#include <helix/types.h>

#define FS_NAME_MAX 255u

// Linux's mode bits; the file types among them.
#define FS_MODE_TYPE      0170000u
#define FS_MODE_FIFO      0010000u
#define FS_MODE_CHAR      0020000u
#define FS_MODE_DIRECTORY 0040000u
#define FS_MODE_BLOCK     0060000u
#define FS_MODE_REGULAR   0100000u
#define FS_MODE_LINK      0120000u
#define FS_MODE_SOCKET    0140000u

struct fs_info {
    uint64_t node;
    uint32_t mode; // type and permissions
    uint32_t links;
    uint32_t uid, gid;
    uint64_t device; // of CHAR and BLOCK: major << 32 | minor
    uint64_t size_bytes;
    time_ns_t accessed, modified, changed, born; // since 1970
};

#define FS_SET_MODE     (1u << 0)
#define FS_SET_OWNER    (1u << 1)
#define FS_SET_SIZE     (1u << 2)
#define FS_SET_ACCESSED (1u << 3)
#define FS_SET_MODIFIED (1u << 4)
#define FS_SET_CHANGED  (1u << 5)

struct fs_entry {
    uint64_t node;
    uint64_t cookie; // where the next readdir goes on
    uint32_t mode;   // type only
    uint32_t name_length;
    char name[FS_NAME_MAX + 1];
};

struct fs_name {
    const char *text;
    uint32_t length;
};

// As `blocks`: `percent` (0 … 100) hundredths of the machine's memory. The core, which holds the
// contents of a file system with FS_NO_PAGER, enforces its `blocks` (0: no limit) and fills in what
// is free of them.
#define FS_BLOCKS_PERCENT(percent) (UINT64_MAX - 100 + (percent))

struct fs_usage {
    uint64_t block_bytes, blocks, blocks_free, nodes, nodes_free;
    uint64_t magic; // statfs's f_type
};

#define FS_NO_PAGER  (1u << 0) // see above
#define FS_GENERATED (1u << 1) // files are made by read_text and write_text, not cached
#define FS_UNCACHED  (1u << 2) // names may change by themselves: lookups are not cached

#define FS_RENAME_NOREPLACE (1u << 0)
#define FS_RENAME_EXCHANGE  (1u << 1)

// Statuses that every method may give: HX_ERR_NO_MEMORY, HX_ERR_IO, HX_ERR_CORRUPT,
// HX_ERR_NO_SPACE, HX_ERR_INVALID (not a node, or not of the right type; the core does not do
// that). A method that fails has changed nothing. A NULL method stands for HX_ERR_NOT_PERMITTED if
// it changes names, and otherwise for what its comment says. `fs` is the mounted instance that
// mount() gave; several instances may be mounted at once.
struct fs_ops {
    uint32_t flags; // FS_…
    // Makes an instance; `options` as mount(2) has them ("size=1m,mode=755"), never NULL.
    // HX_ERR_INVALID: an option that it does not take.
    enum hx_status (*mount)(void *self, const char *options, void **out_fs,
                            struct fs_info *out_root);
    // No node of the instance is in use any more; `fs` is gone afterwards. May be NULL.
    enum hx_status (*unmount)(void *fs);
    // HX_ERR_NOT_FOUND: the directory has no such name.
    enum hx_status (*lookup)(void *fs, uint64_t directory, struct fs_name name,
                             struct fs_info *out_info);
    // A file, directory, device, fifo or socket by `info`'s mode, uid, gid, device and times. With
    // an empty name: a file that has no links yet (O_TMPFILE; HX_ERR_NO_OPERATION if it cannot).
    // HX_ERR_NOT_FOUND: the directory was removed. HX_ERR_EXISTS.
    enum hx_status (*create)(void *fs, uint64_t directory, struct fs_name name,
                             const struct fs_info *info, struct fs_info *out_info);
    enum hx_status (*symlink)(void *fs, uint64_t directory, struct fs_name name,
                              struct fs_name target, const struct fs_info *info,
                              struct fs_info *out_info);
    // HX_ERR_LIMIT: the node has as many links as it can have.
    enum hx_status (*link)(void *fs, uint64_t node, uint64_t directory, struct fs_name name);
    // Removes a name; `is_directory` says what the core found it to be. HX_ERR_NOT_EMPTY. What was
    // removed stays a valid node, with its contents, until forget().
    enum hx_status (*unlink)(void *fs, uint64_t directory, struct fs_name name, bool is_directory);
    // Replaces what `to` names (HX_ERR_NOT_EMPTY), or exchanges the two; the core has checked
    // types, cycles and NOREPLACE.
    enum hx_status (*rename)(void *fs, uint64_t from_directory, struct fs_name from,
                             uint64_t to_directory, struct fs_name to, uint32_t flags);
    // The target, without terminator. Short if `capacity` is.
    enum hx_status (*readlink)(void *fs, uint64_t node, char *buffer, uint32_t capacity,
                               uint32_t *out_length);
    // The path that a look-up goes on with, where that is not what readlink gives. May be NULL.
    enum hx_status (*follow)(void *fs, uint64_t node, char *buffer, uint32_t capacity,
                             uint32_t *out_length);
    // Entries after `cookie` (0: from the start), without "." and "..". *out_count 0: the end.
    // Cookies are 1 … 2^62 and keep their order when names are added and removed in between.
    enum hx_status (*readdir)(void *fs, uint64_t directory, uint64_t cookie,
                              struct fs_entry *out_entries, uint32_t capacity, uint32_t *out_count);
    enum hx_status (*getinfo)(void *fs, uint64_t node, struct fs_info *out_info);
    // NULL: the core's copy is all there is. NULL in FS_GENERATED: HX_ERR_NOT_PERMITTED.
    enum hx_status (*setinfo)(void *fs, uint64_t node, const struct fs_info *info, uint32_t what);
    // The core has no more references to the node; if it has no links either, it may go.
    enum hx_status (*forget)(void *fs, uint64_t node);
    enum hx_status (*usage)(void *fs, struct fs_usage *out_usage);
    // Page operations; NULL with FS_NO_PAGER and FS_GENERATED.
    enum hx_status (*read_pages)(void *fs, uint64_t node, uint64_t first_page, void *const *pages,
                                 uint32_t count);
    enum hx_status (*write_pages)(void *fs, uint64_t node, uint64_t first_page, void *const *pages,
                                  uint32_t count);
    // FS_GENERATED only. *out_length 0: the end.
    enum hx_status (*read_text)(void *fs, uint64_t node, uint64_t offset, char *buffer,
                                uint32_t capacity, uint32_t *out_length);
    enum hx_status (*write_text)(void *fs, uint64_t node, uint64_t offset, const char *text,
                                 uint32_t length, uint32_t *out_length);
};
