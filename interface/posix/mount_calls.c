// SPDX-License-Identifier: MIT OR Apache-2.0
// mount_calls.c: mount, umount2, and writing back.
#include "descriptor.h"

#include <io/block.h>
#include <memory/heap.h>

#define MS_RDONLY     (1u << 0)
#define MS_REMOUNT    (1u << 5)
#define MS_BIND       (1u << 12)
#define MS_MOVE       (1u << 13)
#define MS_REC        (1u << 14)
#define MS_SILENT     (1u << 15)
#define MS_UNBINDABLE (1u << 17)
#define MS_PRIVATE    (1u << 18)
#define MS_SLAVE      (1u << 19)
#define MS_SHARED     (1u << 20)

#define MS_MAGIC      0xc0ed0000u
#define MS_MAGIC_MASK 0xffff0000u

#define MS_PROPAGATION (MS_UNBINDABLE | MS_PRIVATE | MS_SLAVE | MS_SHARED)

#define MNT_FORCE       1u
#define MNT_DETACH      2u
#define MNT_EXPIRE      4u
#define UMOUNT_NOFOLLOW 8u
#define UMOUNT_KNOWN    (MNT_FORCE | MNT_DETACH | MNT_EXPIRE | UMOUNT_NOFOLLOW)

static bool may_mount(struct call *call) {
    struct credentials *credentials = posix_credentials(call->process);
    const bool may = credentials_capable(credentials, CAPABILITY_SYS_ADMIN);
    credentials_put(credentials);
    return may;
}

static struct mount_space *space_of(struct call *call) {
    return call->process->process->ns->mounts;
}

// What mount(2) brings besides its target.
struct mount_request {
    char *source;
    char *type;
    char *options;
    uint32_t flags;
};

static void request_end(struct mount_request *request) {
    heap_free(request->source);
    heap_free(request->type);
    heap_free(request->options);
}

static enum hx_status request_begin(struct call *call, struct mount_request *request) {
    *request = (struct mount_request){ .flags = call_uint(call, 3) };
    if ((request->flags & MS_MAGIC_MASK) == MS_MAGIC) {
        request->flags &= ~MS_MAGIC_MASK;
    }
    enum hx_status status =
        text_from_user(call_address(call, 2), PAGE_SIZE, HX_ERR_INVALID, &request->type);
    if (status == HX_OK) {
        status = text_from_user(call_address(call, 0), PATH_BYTES_MAX, HX_ERR_NAME_TOO_LONG,
                                &request->source);
    }
    if (status == HX_OK) {
        status =
            text_from_user(call_address(call, 4), PAGE_SIZE, HX_ERR_INVALID, &request->options);
    }
    if (status != HX_OK) {
        request_end(request);
    }
    return status;
}

// Puts what is at the source also, or instead, at the target.
static enum hx_status mount_bind(struct call *call, const struct mount_request *request,
                                 struct path at) {
    if (request->source == NULL || request->source[0] == '\0') {
        return HX_ERR_INVALID;
    }
    struct lookup lookup;
    enum hx_status status =
        lookup_begin_path(call, AT_FDCWD, request->source, LOOKUP_FOLLOW, &lookup);
    if (status != HX_OK) {
        return status;
    }
    struct path from;
    status = path_lookup(&lookup, request->source, &from);
    if (status == HX_OK) {
        status = (request->flags & MS_MOVE) != 0 ? vfs_move(space_of(call), from, at)
                                                 : vfs_bind(space_of(call), from, at);
        path_put(from);
    }
    lookup_end(&lookup);
    return status;
}

static enum hx_status mount_at(struct call *call, const struct mount_request *request,
                               struct path at) {
    const bool remount = (request->flags & MS_REMOUNT) != 0;
    if (!remount && (request->flags & (MS_BIND | MS_MOVE)) != 0) {
        return mount_bind(call, request, at);
    }
    if (!remount && (request->flags & MS_PROPAGATION) != 0) {
        // Every mount is private; nothing else can be asked for.
        const uint32_t kind = request->flags & MS_PROPAGATION;
        return kind == MS_PRIVATE || kind == MS_SLAVE ? HX_OK : HX_ERR_INVALID;
    }
    if (request->type == NULL && !remount) {
        return HX_ERR_INVALID;
    }
    enum hx_status status =
        vfs_mount(space_of(call), request->source != NULL ? request->source : "none",
                  request->type != NULL ? request->type : "", at, request->flags & ~MS_SILENT,
                  request->options != NULL ? request->options : "");
    // An unknown type: Linux says ENODEV, which no status has.
    return status == HX_ERR_NO_DEVICE ? call_fail(call, status, ENODEV) : status;
}

enum hx_status sys_mount(struct call *call) {
    struct mount_request request;
    enum hx_status status = request_begin(call, &request);
    if (status != HX_OK) {
        return status;
    }
    struct path at;
    status = user_path_find(call, AT_FDCWD, call_address(call, 1), LOOKUP_FOLLOW, &at);
    if (status == HX_OK) {
        status = may_mount(call) ? mount_at(call, &request, at) : HX_ERR_NOT_PERMITTED;
        path_put(at);
    }
    request_end(&request);
    return status;
}

enum hx_status sys_umount2(struct call *call) {
    const uint32_t flags = call_uint(call, 1);
    if ((flags & ~UMOUNT_KNOWN) != 0 ||
        ((flags & MNT_EXPIRE) != 0 && (flags & (MNT_FORCE | MNT_DETACH)) != 0)) {
        return HX_ERR_INVALID;
    }
    struct path at;
    enum hx_status status = user_path_find(call, AT_FDCWD, call_address(call, 0),
                                           (flags & UMOUNT_NOFOLLOW) != 0 ? 0 : LOOKUP_FOLLOW, &at);
    if (status != HX_OK) {
        return status;
    }
    if (!may_mount(call)) {
        status = HX_ERR_NOT_PERMITTED;
    } else if ((flags & MNT_EXPIRE) != 0) {
        status = HX_ERR_WOULD_BLOCK; // marked, and not yet expired
    } else {
        status = vfs_unmount(space_of(call), at, flags);
    }
    path_put(at);
    return status;
}

// Files live in memory or are written through; what is left are the disks' own caches.
enum hx_status sys_sync(struct call *call) {
    (void)call;
    block_flush_all();
    return HX_OK;
}

enum hx_status sys_syncfs(struct call *call) {
    struct descriptor descriptor;
    enum hx_status status = descriptor_get(call, call_int(call, 0), 0, &descriptor);
    if (status == HX_OK) {
        descriptor_put(&descriptor);
    }
    return status;
}

static enum hx_status sync_file(struct call *call) {
    struct descriptor descriptor;
    enum hx_status status = descriptor_get(call, call_int(call, 0), 0, &descriptor);
    if (status != HX_OK) {
        return status;
    }
    status = file_sync(descriptor.file);
    descriptor_put(&descriptor);
    return status;
}

enum hx_status sys_fsync(struct call *call) {
    return sync_file(call);
}

enum hx_status sys_fdatasync(struct call *call) {
    return sync_file(call);
}

// Writing back a part: nothing is left to write.
enum hx_status sys_sync_file_range(struct call *call) {
    struct descriptor descriptor;
    enum hx_status status = descriptor_get(call, call_int(call, 0), 0, &descriptor);
    if (status != HX_OK) {
        return status;
    }
    if ((call_uint(call, 3) & ~7u) != 0 || (int64_t)call->args[1] < 0 ||
        (int64_t)call->args[2] < 0) {
        status = HX_ERR_INVALID;
    } else if (descriptor.file->inode == NULL ||
               inode_type(descriptor.file->inode) == FS_MODE_FIFO) {
        status = HX_ERR_NOT_SEEKABLE;
    }
    descriptor_put(&descriptor);
    return status;
}
