// SPDX-License-Identifier: MIT OR Apache-2.0
// stat_calls.c: what files are: stat in all its forms, statfs, access.
#include "descriptor.h"

#include <lib/string.h>
#include <memory/heap.h>
#include <net/socket.h>

#define NS_PER_S 1000000000ll

#define STATX_BASIC_STATS     0x7ffu
#define STATX_BTIME           0x800u
#define STATX_MNT_ID          0x1000u
#define STATX_RESERVED        0x80000000u
#define STATX_ATTR_MOUNT_ROOT 0x2000u

#define ANONYMOUS_DEVICE 15u // st_dev of what has no file system

struct linux_statx_time {
    int64_t seconds;
    uint32_t nanoseconds;
    int32_t padding;
};

struct linux_statx {
    uint32_t mask;
    uint32_t blksize;
    uint64_t attributes;
    uint32_t nlink;
    uint32_t uid;
    uint32_t gid;
    uint16_t mode;
    uint16_t padding;
    uint64_t ino;
    uint64_t size;
    uint64_t blocks;
    uint64_t attributes_mask;
    struct linux_statx_time atime, btime, ctime, mtime;
    uint32_t rdev_major, rdev_minor;
    uint32_t dev_major, dev_minor;
    uint64_t mount_id;
    uint32_t direct_memory_align, direct_offset_align;
    uint64_t spare[12];
};
_Static_assert(sizeof(struct linux_statx) == 256, "struct statx");

struct linux_statfs {
    int64_t type;
    int64_t block_bytes;
    uint64_t blocks;
    uint64_t blocks_free;
    uint64_t blocks_available;
    uint64_t files;
    uint64_t files_free;
    int32_t id[2];
    int64_t name_max;
    int64_t fragment_bytes;
    int64_t flags;
    int64_t spare[4];
};
_Static_assert(sizeof(struct linux_statfs) == 120, "struct statfs of 64-bit machines");

uint64_t device_encode(uint64_t device) {
    const uint64_t major = device >> 32;
    const uint64_t minor = device & UINT32_MAX;
    return (minor & 0xff) | (major & 0xfff) << 8 | (minor & ~0xffull) << 12;
}

uint64_t device_decode(uint64_t encoded) {
    const uint64_t major = (encoded >> 8) & 0xfff;
    const uint64_t minor = (encoded & 0xff) | ((encoded >> 12) & 0xfff00);
    return major << 32 | minor;
}

static void path_identity(struct path path, struct file_identity *out_identity) {
    struct inode *inode = path_inode(path);
    *out_identity = (struct file_identity){
        .mount_id = path_mount_id(path),
        .is_mount_root = path_is_mount_root(path),
    };
    inode_info(inode, &out_identity->info);
    out_identity->device = inode->fs->device;
    out_identity->block_bytes = PAGE_SIZE;
    if (inode->pages != NULL) {
        out_identity->blocks = memory_object_resident(inode->pages) * (PAGE_SIZE / 512);
    }
}

void file_identity(struct file *file, struct file_identity *out_identity) {
    if (file->path.name != NULL) {
        path_identity(file->path, out_identity);
        return;
    }
    const bool is_pipe = file->ops->name != NULL && strcmp(file->ops->name, "pipe") == 0;
    const bool is_socket = socket_of(file) != NULL;
    *out_identity = (struct file_identity){
        .info = {
            .node = file->id,
            .mode = is_socket ? FS_MODE_SOCKET | 0777
                    : is_pipe ? FS_MODE_FIFO | 0600
                              : 0600,
            .links = 1,
        },
        .device = ANONYMOUS_DEVICE,
        .block_bytes = PAGE_SIZE,
    };
}

static enum hx_status put_stat(struct uaddr to, const struct file_identity *identity) {
    const struct fs_info *info = &identity->info;
    const struct linux_stat stat = {
        .st_dev = device_encode(identity->device),
        .st_ino = info->node,
        .st_nlink = info->links,
        .st_mode = info->mode,
        .st_uid = info->uid,
        .st_gid = info->gid,
        .st_rdev = device_encode(info->device),
        .st_size = (int64_t)info->size_bytes,
        .st_blksize = identity->block_bytes,
        .st_blocks = (int64_t)identity->blocks,
        .st_atime_seconds = info->accessed / NS_PER_S,
        .st_atime_ns = info->accessed % NS_PER_S,
        .st_mtime_seconds = info->modified / NS_PER_S,
        .st_mtime_ns = info->modified % NS_PER_S,
        .st_ctime_seconds = info->changed / NS_PER_S,
        .st_ctime_ns = info->changed % NS_PER_S,
    };
    return copy_to_user(to, &stat, sizeof(stat));
}

static enum hx_status identity_of_fd(struct call *call, int32_t fd,
                                     struct file_identity *out_identity) {
    struct descriptor descriptor;
    enum hx_status status = descriptor_get_any(call, fd, 0, &descriptor);
    if (status == HX_OK) {
        file_identity(descriptor.file, out_identity);
        descriptor_put(&descriptor);
    }
    return status;
}

static enum hx_status identity_of_path(struct call *call, int32_t directory_fd, const char *text,
                                       uint32_t lookup_flags, struct file_identity *out_identity) {
    struct lookup lookup;
    enum hx_status status = lookup_begin_path(call, directory_fd, text, lookup_flags, &lookup);
    if (status != HX_OK) {
        return status;
    }
    struct path path;
    status = path_lookup(&lookup, text, &path);
    if (status == HX_OK) {
        path_identity(path, out_identity);
        path_put(path);
    }
    lookup_end(&lookup);
    return status;
}

// What AT_… flags and a path name; "" with AT_EMPTY_PATH is the directory's number itself.
static enum hx_status identity_at(struct call *call, int32_t directory_fd, struct uaddr from,
                                  uint32_t flags, struct file_identity *out_identity) {
    const uint32_t lookup_flags = ((flags & AT_SYMLINK_NOFOLLOW) != 0 ? 0 : LOOKUP_FOLLOW) |
                                  ((flags & AT_EMPTY_PATH) != 0 ? LOOKUP_EMPTY : 0);
    struct user_text text;
    enum hx_status status = user_text_begin(from, &text);
    if (status != HX_OK) {
        return status;
    }
    if (text.text[0] != '\0' || ((flags & AT_EMPTY_PATH) != 0 && directory_fd == AT_FDCWD)) {
        status = identity_of_path(call, directory_fd, text.text, lookup_flags, out_identity);
    } else {
        status = (flags & AT_EMPTY_PATH) != 0 ? identity_of_fd(call, directory_fd, out_identity)
                                              : HX_ERR_NOT_FOUND;
    }
    user_text_end(&text);
    return status;
}

static enum hx_status stat_at(struct call *call, int32_t directory_fd, struct uaddr from,
                              uint32_t flags, struct uaddr to) {
    struct file_identity identity;
    enum hx_status status = identity_at(call, directory_fd, from, flags, &identity);
    return status == HX_OK ? put_stat(to, &identity) : status;
}

enum hx_status sys_stat(struct call *call) {
    return stat_at(call, AT_FDCWD, call_address(call, 0), 0, call_address(call, 1));
}

enum hx_status sys_lstat(struct call *call) {
    return stat_at(call, AT_FDCWD, call_address(call, 0), AT_SYMLINK_NOFOLLOW,
                   call_address(call, 1));
}

enum hx_status sys_newfstatat(struct call *call) {
    const uint32_t flags = call_uint(call, 3);
    if ((flags & ~(uint32_t)(AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH)) != 0) {
        return HX_ERR_INVALID;
    }
    return stat_at(call, call_int(call, 0), call_address(call, 1), flags, call_address(call, 2));
}

enum hx_status sys_fstat(struct call *call) {
    struct file_identity identity;
    enum hx_status status = identity_of_fd(call, call_int(call, 0), &identity);
    return status == HX_OK ? put_stat(call_address(call, 1), &identity) : status;
}

static struct linux_statx_time statx_time(time_ns_t time) {
    return (struct linux_statx_time){ time / NS_PER_S, (uint32_t)(time % NS_PER_S), 0 };
}

enum hx_status sys_statx(struct call *call) {
    const uint32_t flags = call_uint(call, 2);
    const uint32_t known =
        AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH | AT_STATX_SYNC_TYPE;
    if ((flags & ~known) != 0 || (flags & AT_STATX_SYNC_TYPE) == AT_STATX_SYNC_TYPE ||
        (call_uint(call, 3) & STATX_RESERVED) != 0) {
        return HX_ERR_INVALID;
    }
    struct file_identity identity;
    enum hx_status status =
        identity_at(call, call_int(call, 0), call_address(call, 1), flags, &identity);
    if (status != HX_OK) {
        return status;
    }
    const struct fs_info *info = &identity.info;
    const struct linux_statx statx = {
        .mask = STATX_BASIC_STATS | (info->born != 0 ? STATX_BTIME : 0) |
                (identity.mount_id != 0 ? STATX_MNT_ID : 0),
        .attributes = identity.is_mount_root ? STATX_ATTR_MOUNT_ROOT : 0,
        .attributes_mask = STATX_ATTR_MOUNT_ROOT,
        .mount_id = identity.mount_id,
        .blksize = identity.block_bytes,
        .nlink = info->links,
        .uid = info->uid,
        .gid = info->gid,
        .mode = (uint16_t)info->mode,
        .ino = info->node,
        .size = info->size_bytes,
        .blocks = identity.blocks,
        .atime = statx_time(info->accessed),
        .btime = statx_time(info->born),
        .ctime = statx_time(info->changed),
        .mtime = statx_time(info->modified),
        .rdev_major = (uint32_t)(info->device >> 32),
        .rdev_minor = (uint32_t)info->device,
        .dev_major = (uint32_t)(identity.device >> 32),
        .dev_minor = (uint32_t)identity.device,
    };
    return copy_to_user(call_address(call, 4), &statx, sizeof(statx));
}

static enum hx_status put_statfs(struct path path, struct uaddr to) {
    struct fs_usage usage;
    enum hx_status status = vfs_usage(path, &usage);
    if (status != HX_OK) {
        return status;
    }
    const struct inode *inode = path_inode(path);
    const uint64_t device = device_encode(inode->fs->device);
    const struct linux_statfs statfs = {
        .type = (int64_t)(inode->kind != NULL ? inode->kind->magic : usage.magic),
        .block_bytes = (int64_t)usage.block_bytes,
        .blocks = usage.blocks,
        .blocks_free = usage.blocks_free,
        .blocks_available = usage.blocks_free,
        .files = usage.nodes,
        .files_free = usage.nodes_free,
        .id = { (int32_t)device, 0 },
        .name_max = FS_NAME_MAX,
        .fragment_bytes = (int64_t)usage.block_bytes,
        .flags = 0x20, // ST_VALID
    };
    return copy_to_user(to, &statfs, sizeof(statfs));
}

enum hx_status sys_statfs(struct call *call) {
    struct path path;
    enum hx_status status =
        user_path_find(call, AT_FDCWD, call_address(call, 0), LOOKUP_FOLLOW, &path);
    if (status == HX_OK) {
        status = put_statfs(path, call_address(call, 1));
        path_put(path);
    }
    return status;
}

enum hx_status sys_fstatfs(struct call *call) {
    struct descriptor descriptor;
    enum hx_status status = descriptor_get_any(call, call_int(call, 0), 0, &descriptor);
    if (status != HX_OK) {
        return status;
    }
    if (descriptor.file->path.name != NULL) {
        status = put_statfs(descriptor.file->path, call_address(call, 1));
    } else {
        const struct linux_statfs statfs = {
            .type = 0x50495045, // PIPEFS_MAGIC
            .block_bytes = PAGE_SIZE,
            .name_max = FS_NAME_MAX,
            .fragment_bytes = PAGE_SIZE,
        };
        status = copy_to_user(call_address(call, 1), &statfs, sizeof(statfs));
    }
    descriptor_put(&descriptor);
    return status;
}

#define ACCESS_WRITE 2u // W_OK

// access(2) asks for the real user, without what set-user-ID gave.
static struct credentials *real_credentials(const struct credentials *effective) {
    struct credentials *real = credentials_copy(effective);
    if (real != NULL) {
        real->fsuid = real->uid;
        real->fsgid = real->gid;
        real->effective = real->uid == 0 ? real->permitted : 0;
    }
    return real;
}

static enum hx_status access_lookup(struct user_path *path, uint32_t mode, bool effective) {
    const struct credentials *own = path->lookup.credentials;
    struct credentials *real = NULL;
    if (!effective && (own->uid != own->fsuid || own->gid != own->fsgid || own->uid != 0)) {
        real = real_credentials(own);
        if (real == NULL) {
            return HX_ERR_NO_MEMORY;
        }
        path->lookup.credentials = real;
    }
    struct path found;
    enum hx_status status = path_lookup(&path->lookup, path->text, &found);
    if (status == HX_OK) {
        if (mode != 0) {
            status = inode_permission(path_inode(found), path->lookup.credentials, mode);
        }
        const uint32_t type = inode_type(path_inode(found));
        const bool is_stored =
            type == FS_MODE_REGULAR || type == FS_MODE_DIRECTORY || type == FS_MODE_LINK;
        if (status == HX_OK && (mode & ACCESS_WRITE) != 0 && is_stored) {
            status =
                path_writable(found); // devices and fifos are written through, not to, the mount
        }
        path_put(found);
    }
    path->lookup.credentials = own;
    if (real != NULL) {
        credentials_put(real);
    }
    return status;
}

static enum hx_status access_at(struct call *call, int32_t directory_fd, struct uaddr from,
                                uint32_t mode, uint32_t flags) {
    const uint32_t known = AT_EACCESS | AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH;
    if ((mode & ~7u) != 0 || (flags & ~known) != 0) {
        return HX_ERR_INVALID;
    }
    const uint32_t lookup_flags = ((flags & AT_SYMLINK_NOFOLLOW) != 0 ? 0 : LOOKUP_FOLLOW) |
                                  ((flags & AT_EMPTY_PATH) != 0 ? LOOKUP_EMPTY : 0);
    struct user_path path;
    enum hx_status status = user_path_begin(call, directory_fd, from, lookup_flags, &path);
    if (status == HX_OK) {
        status = access_lookup(&path, mode, (flags & AT_EACCESS) != 0);
        user_path_end(&path);
    }
    return status;
}

enum hx_status sys_access(struct call *call) {
    return access_at(call, AT_FDCWD, call_address(call, 0), call_uint(call, 1), 0);
}

enum hx_status sys_faccessat(struct call *call) {
    return access_at(call, call_int(call, 0), call_address(call, 1), call_uint(call, 2), 0);
}

enum hx_status sys_faccessat2(struct call *call) {
    return access_at(call, call_int(call, 0), call_address(call, 1), call_uint(call, 2),
                     call_uint(call, 3));
}
