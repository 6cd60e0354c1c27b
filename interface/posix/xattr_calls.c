// SPDX-License-Identifier: MIT OR Apache-2.0
// xattr_calls.c: extended attributes: setxattr(2), getxattr(2), listxattr(2), removexattr(2), each
// by a path, by one that is not followed, and by descriptor. The order of the checks is Linux's.
#include "descriptor.h"

#include <lib/string.h>
#include <memory/heap.h>
#include <memory/usercopy.h>
#include <vfs/watch.h>
#include <vfs/xattr.h>

// What a call does where it was led to. An empty path: to a file that has none.
typedef enum hx_status (*work_t)(struct call *call, struct path path);

static enum hx_status at_path(struct call *call, uint32_t lookup_flags, work_t work) {
    struct path path;
    enum hx_status status =
        user_path_find(call, AT_FDCWD, call_address(call, 0), lookup_flags, &path);
    if (status == HX_OK) {
        status = work(call, path);
        path_put(path);
    }
    return status;
}

static enum hx_status at_fd(struct call *call, rights_t need, work_t work) {
    struct descriptor descriptor;
    enum hx_status status = descriptor_get(call, call_int(call, 0), need, &descriptor);
    if (status == HX_OK) {
        status = work(call, descriptor.file->path);
        descriptor_put(&descriptor);
    }
    return status;
}

// The name that argument 1 tells; ends with heap_free() of its text. HX_ERR_RANGE: it is empty or
// too long.
static enum hx_status name_take(struct call *call, struct fs_name *out_name) {
    char *text;
    enum hx_status status =
        text_from_user(call_address(call, 1), XATTR_NAME_MAX + 1, HX_ERR_RANGE, &text);
    if (status != HX_OK || text == NULL) {
        return status != HX_OK ? status : HX_ERR_BAD_ADDRESS;
    }
    *out_name = (struct fs_name){ text, (uint32_t)strlen(text) };
    if (out_name->length == 0) {
        heap_free(text);
        return HX_ERR_RANGE;
    }
    return HX_OK;
}

// Setting and removing
// -----------------------------------------------------------------------------------------------

// Arguments 2 and 3; ends with heap_free() of its bytes. HX_ERR_TOO_BIG.
static enum hx_status value_take(struct call *call, struct xattr_value *out_value) {
    const uint64_t size_bytes = call->args[3];
    if (size_bytes > XATTR_BYTES_MAX) {
        return HX_ERR_TOO_BIG;
    }
    *out_value = (struct xattr_value){ NULL, (uint32_t)size_bytes };
    if (size_bytes == 0) {
        return HX_OK;
    }
    void *bytes = heap_alloc(size_bytes, MEMORY_SLEEP);
    if (bytes == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    enum hx_status status = copy_from_user(bytes, call_address(call, 2), size_bytes);
    if (status != HX_OK) {
        heap_free(bytes);
        return status;
    }
    out_value->bytes = bytes;
    return HX_OK;
}

// Tells who watches what was changed; gives the status back.
static enum hx_status changed(struct path path, enum hx_status status) {
    if (status == HX_OK) {
        watch_path(path, WATCH_ATTRIB);
    }
    return status;
}

static enum hx_status writable(struct path path) {
    return path.name != NULL ? path_writable(path) : HX_OK;
}

static enum hx_status set_named(struct call *call, struct path path, struct fs_name name) {
    struct xattr_value value;
    enum hx_status status = value_take(call, &value);
    if (status != HX_OK) {
        return status;
    }
    struct credentials *credentials = posix_credentials(call->process);
    status = path.name == NULL
                 ? xattr_of_nothing(credentials, name, true)
                 : inode_xattr_set(path_inode(path), credentials, name, &value, call_uint(call, 4));
    credentials_put(credentials);
    heap_free((void *)value.bytes);
    return changed(path, status);
}

static enum hx_status set(struct call *call, struct path path) {
    struct fs_name name;
    enum hx_status status = writable(path);
    if (status == HX_OK && (call_uint(call, 4) & ~(XATTR_CREATE | XATTR_REPLACE)) != 0) {
        status = HX_ERR_INVALID;
    }
    if (status == HX_OK) {
        status = name_take(call, &name);
    }
    if (status == HX_OK) {
        status = set_named(call, path, name);
        heap_free((void *)name.text);
    }
    return status;
}

enum hx_status sys_setxattr(struct call *call) {
    return at_path(call, LOOKUP_FOLLOW, set);
}

enum hx_status sys_lsetxattr(struct call *call) {
    return at_path(call, 0, set);
}

enum hx_status sys_fsetxattr(struct call *call) {
    return at_fd(call, HX_RIGHT_ADMIN, set);
}

static enum hx_status remove_at(struct call *call, struct path path) {
    struct fs_name name;
    enum hx_status status = writable(path);
    if (status == HX_OK) {
        status = name_take(call, &name);
    }
    if (status != HX_OK) {
        return status;
    }
    struct credentials *credentials = posix_credentials(call->process);
    status = path.name == NULL ? xattr_of_nothing(credentials, name, true)
                               : inode_xattr_remove(path_inode(path), credentials, name);
    credentials_put(credentials);
    heap_free((void *)name.text);
    return changed(path, status);
}

enum hx_status sys_removexattr(struct call *call) {
    return at_path(call, LOOKUP_FOLLOW, remove_at);
}

enum hx_status sys_lremovexattr(struct call *call) {
    return at_path(call, 0, remove_at);
}

enum hx_status sys_fremovexattr(struct call *call) {
    return at_fd(call, HX_RIGHT_ADMIN, remove_at);
}

// Looking
// -----------------------------------------------------------------------------------------------

// Tells the length of the bytes, and copies them if the program has room for any. HX_ERR_RANGE: it
// has too little.
static enum hx_status give(struct call *call, struct uaddr to, uint64_t room, const void *bytes,
                           uint32_t length) {
    enum hx_status status = HX_OK;
    if (room != 0) {
        status = length > room ? HX_ERR_RANGE : copy_to_user(to, bytes, length);
    }
    return status == HX_OK ? call_ok(call, length) : status;
}

static enum hx_status get(struct call *call, struct path path) {
    struct fs_name name;
    void *value = NULL;
    uint32_t length = 0;
    enum hx_status status = name_take(call, &name);
    if (status != HX_OK) {
        return status;
    }
    struct credentials *credentials = posix_credentials(call->process);
    status = path.name == NULL ? xattr_of_nothing(credentials, name, false)
                               : inode_xattr_get(path_inode(path), credentials, name, call->args[3],
                                                 &value, &length);
    credentials_put(credentials);
    heap_free((void *)name.text);
    if (status == HX_OK) {
        status = give(call, call_address(call, 2), call->args[3], value, length);
        heap_free(value);
    }
    return status;
}

enum hx_status sys_getxattr(struct call *call) {
    return at_path(call, LOOKUP_FOLLOW, get);
}

enum hx_status sys_lgetxattr(struct call *call) {
    return at_path(call, 0, get);
}

enum hx_status sys_fgetxattr(struct call *call) {
    return at_fd(call, 0, get);
}

static enum hx_status list(struct call *call, struct path path) {
    char *names;
    uint32_t length;
    if (path.name == NULL) {
        return call_ok(call, 0);
    }
    struct credentials *credentials = posix_credentials(call->process);
    enum hx_status status = inode_xattr_list(path_inode(path), credentials, &names, &length);
    credentials_put(credentials);
    if (status == HX_OK) {
        status = give(call, call_address(call, 1), call->args[2], names, length);
        heap_free(names);
    }
    return status;
}

enum hx_status sys_listxattr(struct call *call) {
    return at_path(call, LOOKUP_FOLLOW, list);
}

enum hx_status sys_llistxattr(struct call *call) {
    return at_path(call, 0, list);
}

enum hx_status sys_flistxattr(struct call *call) {
    return at_fd(call, 0, list);
}
