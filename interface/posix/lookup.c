// SPDX-License-Identifier: MIT OR Apache-2.0
// lookup.c: from a path in the program's memory to a look-up in its name space.
#include "descriptor.h"

#include <lib/string.h>
#include <memory/heap.h>

enum hx_status text_from_user(struct uaddr from, size_t limit, enum hx_status too_long,
                              char **out_text) {
    if (uaddr_is_null(from)) {
        *out_text = NULL;
        return HX_OK;
    }
    char *text = heap_alloc(limit, MEMORY_SLEEP);
    if (text == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    size_t length;
    enum hx_status status = copy_string_from_user(text, from, limit, &length);
    if (status != HX_OK) {
        heap_free(text);
        return status == HX_ERR_NAME_TOO_LONG ? too_long : status;
    }
    *out_text = text;
    return HX_OK;
}

enum hx_status path_from_user(struct uaddr from, char **out_path) {
    if (uaddr_is_null(from)) {
        return HX_ERR_BAD_ADDRESS;
    }
    return text_from_user(from, PATH_BYTES_MAX, HX_ERR_NAME_TOO_LONG, out_path);
}

// Where a relative path starts: the working directory, or an open directory. `is_all`: the path is
// empty, and means what the descriptor is open on.
static enum hx_status lookup_base(struct call *call, int32_t directory_fd, bool is_all,
                                  struct lookup *lookup) {
    if (directory_fd == AT_FDCWD) {
        return HX_OK; // an empty base is the working directory
    }
    struct descriptor descriptor;
    enum hx_status status = descriptor_get_any(call, directory_fd, HX_RIGHT_EXECUTE, &descriptor);
    if (status != HX_OK) {
        return status;
    }
    const struct inode *inode = descriptor.file->inode;
    if (descriptor.file->path.name == NULL || inode == NULL ||
        (!is_all && inode_type(inode) != FS_MODE_DIRECTORY)) {
        status = HX_ERR_NOT_DIRECTORY;
    } else if (is_all && descriptor.capability->parent != NULL) {
        status = HX_ERR_ACCESS_DENIED; // by name it would have all rights
    } else {
        lookup->base = path_get(descriptor.file->path);
    }
    descriptor_put(&descriptor);
    return status;
}

enum hx_status lookup_begin_path(struct call *call, int32_t directory_fd, const char *path,
                                 uint32_t flags, struct lookup *out_lookup) {
    *out_lookup = (struct lookup){ .flags = flags };
    struct process *process = call->process->process;
    if (call_is_single(call)) {
        out_lookup->context = call->process->fs;
        object_get(&out_lookup->context->object);
        out_lookup->credentials = credentials_get(call->process->credentials);
    } else {
        mutex_lock(&process->lock);
        out_lookup->context = call->process->fs;
        object_get(&out_lookup->context->object);
        mutex_unlock(&process->lock);
        out_lookup->credentials = posix_credentials(call->process);
    }
    if (path[0] == '/') {
        return HX_OK;
    }
    const bool is_all = (flags & LOOKUP_EMPTY) != 0 && path[0] == '\0';
    enum hx_status status = lookup_base(call, directory_fd, is_all, out_lookup);
    if (status != HX_OK) {
        lookup_end(out_lookup);
    }
    return status;
}

enum hx_status lookup_begin(struct call *call, int32_t directory_fd, uint32_t flags,
                            struct lookup *out_lookup) {
    return lookup_begin_path(call, directory_fd, "", flags, out_lookup);
}

void lookup_end(struct lookup *lookup) {
    if (lookup->base.name != NULL) {
        path_put(lookup->base);
    }
    credentials_put((struct credentials *)lookup->credentials);
    object_put(&lookup->context->object);
}

enum hx_status user_text_begin(struct uaddr from, struct user_text *out_text) {
    size_t length;
    out_text->text = out_text->few;
    enum hx_status status = copy_string_from_user(out_text->few, from, USER_TEXT_FEW, &length);
    // A long one is copied again, and only that copy is looked at.
    return status == HX_ERR_NAME_TOO_LONG ? path_from_user(from, &out_text->text) : status;
}

void user_text_end(struct user_text *text) {
    if (text->text != text->few) {
        heap_free(text->text);
    }
}

enum hx_status user_path_begin(struct call *call, int32_t directory_fd, struct uaddr from,
                               uint32_t lookup_flags, struct user_path *out_path) {
    enum hx_status status = user_text_begin(from, &out_path->storage);
    if (status != HX_OK) {
        return status;
    }
    out_path->text = out_path->storage.text;
    if (out_path->text[0] == '\0' && (lookup_flags & LOOKUP_EMPTY) == 0) {
        status = HX_ERR_NOT_FOUND;
    } else {
        status =
            lookup_begin_path(call, directory_fd, out_path->text, lookup_flags, &out_path->lookup);
    }
    if (status != HX_OK) {
        user_text_end(&out_path->storage);
    }
    return status;
}

void user_path_end(struct user_path *path) {
    lookup_end(&path->lookup);
    user_text_end(&path->storage);
}

enum hx_status user_path_find(struct call *call, int32_t directory_fd, struct uaddr from,
                              uint32_t lookup_flags, struct path *out_path) {
    struct user_path path;
    enum hx_status status = user_path_begin(call, directory_fd, from, lookup_flags, &path);
    if (status == HX_OK) {
        status = path_lookup(&path.lookup, path.text, out_path);
        user_path_end(&path);
    }
    return status;
}
