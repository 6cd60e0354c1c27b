// SPDX-License-Identifier: MIT OR Apache-2.0
// name_calls.c: making, linking, renaming and removing names.
#include "descriptor.h"
#include "life.h"

#include <lib/string.h>
#include <memory/heap.h>

#define MODE_BITS  07777u
#define MKDIR_BITS 01777u

#define RENAME_NOREPLACE 1u
#define RENAME_EXCHANGE  2u
#define RENAME_WHITEOUT  4u

static enum hx_status create_at(struct call *call, int32_t directory_fd, struct uaddr from,
                                uint32_t mode, uint64_t device) {
    struct user_path path;
    enum hx_status status = user_path_begin(call, directory_fd, from, 0, &path);
    if (status != HX_OK) {
        return status;
    }
    status = vfs_create(&path.lookup, path.text, mode, device, NULL);
    user_path_end(&path);
    return status;
}

enum hx_status sys_mkdir(struct call *call) {
    const uint32_t mode = FS_MODE_DIRECTORY | (call_uint(call, 1) & MKDIR_BITS);
    return create_at(call, AT_FDCWD, call_address(call, 0), mode, 0);
}

enum hx_status sys_mkdirat(struct call *call) {
    const uint32_t mode = FS_MODE_DIRECTORY | (call_uint(call, 2) & MKDIR_BITS);
    return create_at(call, call_int(call, 0), call_address(call, 1), mode, 0);
}

static enum hx_status mknod_at(struct call *call, int32_t directory_fd, struct uaddr from,
                               uint32_t mode, uint32_t device) {
    const uint32_t permissions = mode & MODE_BITS;
    uint64_t number = 0;
    switch (mode & FS_MODE_TYPE) {
    case 0:
    case FS_MODE_REGULAR:
        mode = FS_MODE_REGULAR | permissions;
        break;
    case FS_MODE_CHAR:
    case FS_MODE_BLOCK:
        if (!credentials_capable(call->process->credentials, CAPABILITY_MKNOD)) {
            return HX_ERR_NOT_PERMITTED;
        }
        number = device_decode(device);
        break;
    case FS_MODE_FIFO:
    case FS_MODE_SOCKET:
        break;
    case FS_MODE_DIRECTORY:
        return HX_ERR_NOT_PERMITTED;
    default:
        return HX_ERR_INVALID;
    }
    return create_at(call, directory_fd, from, (mode & FS_MODE_TYPE) | permissions, number);
}

enum hx_status sys_mknod(struct call *call) {
    return mknod_at(call, AT_FDCWD, call_address(call, 0), call_uint(call, 1) & 0177777u,
                    call_uint(call, 2));
}

enum hx_status sys_mknodat(struct call *call) {
    return mknod_at(call, call_int(call, 0), call_address(call, 1), call_uint(call, 2) & 0177777u,
                    call_uint(call, 3));
}

static enum hx_status unlink_at(struct call *call, int32_t directory_fd, struct uaddr from,
                                bool directory) {
    struct user_path path;
    enum hx_status status = user_path_begin(call, directory_fd, from, 0, &path);
    if (status == HX_OK) {
        status = vfs_unlink(&path.lookup, path.text, directory);
        user_path_end(&path);
    }
    return status;
}

enum hx_status sys_unlink(struct call *call) {
    return unlink_at(call, AT_FDCWD, call_address(call, 0), false);
}

enum hx_status sys_rmdir(struct call *call) {
    return unlink_at(call, AT_FDCWD, call_address(call, 0), true);
}

enum hx_status sys_unlinkat(struct call *call) {
    const uint32_t flags = call_uint(call, 2);
    if ((flags & ~(uint32_t)AT_REMOVEDIR) != 0) {
        return HX_ERR_INVALID;
    }
    return unlink_at(call, call_int(call, 0), call_address(call, 1), flags != 0);
}

static enum hx_status symlink_at(struct call *call, struct uaddr target_address,
                                 int32_t directory_fd, struct uaddr from) {
    char *target;
    enum hx_status status = path_from_user(target_address, &target);
    if (status != HX_OK) {
        return status;
    }
    struct user_path path;
    status =
        target[0] == '\0' ? HX_ERR_NOT_FOUND : user_path_begin(call, directory_fd, from, 0, &path);
    if (status == HX_OK) {
        status = vfs_symlink(&path.lookup, target, path.text);
        user_path_end(&path);
    }
    heap_free(target);
    return status;
}

enum hx_status sys_symlink(struct call *call) {
    return symlink_at(call, call_address(call, 0), AT_FDCWD, call_address(call, 1));
}

enum hx_status sys_symlinkat(struct call *call) {
    return symlink_at(call, call_address(call, 0), call_int(call, 1), call_address(call, 2));
}

static enum hx_status link_at(struct call *call, int32_t from_fd, struct uaddr from, int32_t to_fd,
                              struct uaddr to, uint32_t flags) {
    if ((flags & ~(uint32_t)(AT_SYMLINK_FOLLOW | AT_EMPTY_PATH)) != 0) {
        return HX_ERR_INVALID;
    }
    if ((flags & AT_EMPTY_PATH) != 0 && !posix_capable(CAPABILITY_DAC_READ)) {
        return HX_ERR_NOT_FOUND; // linkat(2): a descriptor would be given a name by anybody
    }
    const uint32_t lookup_flags = ((flags & AT_SYMLINK_FOLLOW) != 0 ? LOOKUP_FOLLOW : 0) |
                                  ((flags & AT_EMPTY_PATH) != 0 ? LOOKUP_EMPTY : 0);
    struct path source;
    enum hx_status status = user_path_find(call, from_fd, from, lookup_flags, &source);
    if (status != HX_OK) {
        return status;
    }
    struct user_path path;
    status = user_path_begin(call, to_fd, to, 0, &path);
    if (status == HX_OK) {
        status = vfs_link(source, &path.lookup, path.text);
        user_path_end(&path);
    }
    path_put(source);
    return status;
}

enum hx_status sys_link(struct call *call) {
    return link_at(call, AT_FDCWD, call_address(call, 0), AT_FDCWD, call_address(call, 1), 0);
}

enum hx_status sys_linkat(struct call *call) {
    return link_at(call, call_int(call, 0), call_address(call, 1), call_int(call, 2),
                   call_address(call, 3), call_uint(call, 4));
}

static enum hx_status rename_at(struct call *call, int32_t from_fd, struct uaddr from,
                                int32_t to_fd, struct uaddr to, uint32_t flags) {
    const uint32_t both = RENAME_NOREPLACE | RENAME_EXCHANGE;
    if ((flags & ~both) != 0 || (flags & both) == both) {
        return HX_ERR_INVALID;
    }
    const uint32_t fs_flags = ((flags & RENAME_NOREPLACE) != 0 ? FS_RENAME_NOREPLACE : 0) |
                              ((flags & RENAME_EXCHANGE) != 0 ? FS_RENAME_EXCHANGE : 0);
    struct user_path source;
    enum hx_status status = user_path_begin(call, from_fd, from, 0, &source);
    if (status != HX_OK) {
        return status;
    }
    struct user_path target;
    status = user_path_begin(call, to_fd, to, 0, &target);
    if (status == HX_OK) {
        status = vfs_rename(&source.lookup, source.text, &target.lookup, target.text, fs_flags);
        user_path_end(&target);
    }
    user_path_end(&source);
    return status;
}

enum hx_status sys_rename(struct call *call) {
    return rename_at(call, AT_FDCWD, call_address(call, 0), AT_FDCWD, call_address(call, 1), 0);
}

enum hx_status sys_renameat(struct call *call) {
    return rename_at(call, call_int(call, 0), call_address(call, 1), call_int(call, 2),
                     call_address(call, 3), 0);
}

enum hx_status sys_renameat2(struct call *call) {
    return rename_at(call, call_int(call, 0), call_address(call, 1), call_int(call, 2),
                     call_address(call, 3), call_uint(call, 4));
}

// The text of a link, cut at the program's buffer, without a zero.
static enum hx_status put_link(struct call *call, struct path path, struct uaddr to,
                               int32_t capacity) {
    if (inode_type(path_inode(path)) != FS_MODE_LINK) {
        return HX_ERR_NOT_LINK;
    }
    char *text = heap_alloc(PATH_BYTES_MAX, MEMORY_SLEEP);
    if (text == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    uint32_t length = 0;
    enum hx_status status = vfs_readlink(path, text, PATH_BYTES_MAX, &length);
    if (status == HX_OK) {
        length = MIN_OF(length, (uint32_t)capacity);
        status = copy_to_user(to, text, length);
    }
    heap_free(text);
    return status == HX_OK ? call_ok(call, length) : status;
}

static enum hx_status readlink_at(struct call *call, int32_t directory_fd, struct uaddr from,
                                  struct uaddr to, int32_t capacity) {
    if (capacity <= 0) {
        return HX_ERR_INVALID;
    }
    struct path path;
    // "" with a directory's number is a link that was opened with O_PATH.
    const uint32_t flags = directory_fd == AT_FDCWD ? 0 : LOOKUP_EMPTY;
    enum hx_status status = user_path_find(call, directory_fd, from, flags, &path);
    if (status == HX_OK) {
        status = put_link(call, path, to, capacity);
        path_put(path);
    }
    return status;
}

enum hx_status sys_readlink(struct call *call) {
    return readlink_at(call, AT_FDCWD, call_address(call, 0), call_address(call, 1),
                       call_int(call, 2));
}

enum hx_status sys_readlinkat(struct call *call) {
    return readlink_at(call, call_int(call, 0), call_address(call, 1), call_address(call, 2),
                       call_int(call, 3));
}

// File handles need numbers that file systems do not promise to keep.
enum hx_status sys_name_to_handle_at(struct call *call) {
    (void)call;
    return HX_ERR_NO_OPERATION;
}

enum hx_status sys_open_by_handle_at(struct call *call) {
    (void)call;
    return HX_ERR_NO_OPERATION;
}
