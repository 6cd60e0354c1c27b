// SPDX-License-Identifier: MIT OR Apache-2.0
// procfs/links.c: the links of procfs, and what they lead to.
#include "procfs.h"

#include "../inspect.h"

#include <lib/format.h>
#include <lib/string.h>
#include <memory/heap.h>

static void give_bytes(const char *bytes, size_t size_bytes, char *buffer, uint32_t capacity,
                       uint32_t *out_length) {
    const uint32_t length = (uint32_t)MIN_OF(size_bytes, (size_t)capacity);
    memcpy(buffer, bytes, length);
    *out_length = length;
}

// Hands a text over, without its end, cut at the capacity.
static enum hx_status give_text(const char *text, char *buffer, uint32_t capacity,
                                uint32_t *out_length) {
    give_bytes(text, strlen(text), buffer, capacity, out_length);
    return HX_OK;
}

enum hx_status proc_self_link(const struct proc_target *target, char *buffer, uint32_t capacity,
                              uint32_t *out_length) {
    (void)target;
    const struct posix_process *self = posix_current();
    if (self == NULL) {
        return HX_ERR_NOT_FOUND;
    }
    char text[16];
    (void)format_string(text, sizeof(text), "%d", self->pid); // it fits
    return give_text(text, buffer, capacity, out_length);
}

enum hx_status proc_thread_self_link(const struct proc_target *target, char *buffer,
                                     uint32_t capacity, uint32_t *out_length) {
    (void)target;
    const struct posix_thread *self = posix_thread_current();
    if (self == NULL) {
        return HX_ERR_NOT_FOUND;
    }
    char text[48];
    (void)format_string(text, sizeof(text), "%d/task/%d", self->process->pid, self->tid); // fits
    return give_text(text, buffer, capacity, out_length);
}

enum hx_status proc_mounts_link(const struct proc_target *target, char *buffer, uint32_t capacity,
                                uint32_t *out_length) {
    (void)target;
    return give_text("self/mounts", buffer, capacity, out_length);
}

#define UNREACHABLE_BYTES (sizeof(PATH_UNREACHABLE) - 1)

// A path as the caller sees it. As Linux has it, what is not below the root is told of by its path
// alone.
static enum hx_status give_path(struct path path, char *buffer, uint32_t capacity,
                                uint32_t *out_length) {
    struct posix_process *self = posix_current();
    char *text = heap_alloc(PATH_BYTES_MAX, MEMORY_SLEEP);
    if (text == NULL || self == NULL) {
        heap_free(text);
        return HX_ERR_NO_MEMORY;
    }
    const struct path root = fs_context_root(self->fs);
    size_t length;
    enum hx_status status = path_to_text(path, root, text, PATH_BYTES_MAX, &length);
    path_put(root);
    if (status == HX_OK) {
        const bool is_far =
            length > UNREACHABLE_BYTES && memcmp(text, PATH_UNREACHABLE, UNREACHABLE_BYTES) == 0;
        status = give_text(is_far ? text + UNREACHABLE_BYTES : text, buffer, capacity, out_length);
    }
    heap_free(text);
    return status;
}

enum hx_status proc_jump_link(const struct proc_target *target, char *buffer, uint32_t capacity,
                              uint32_t *out_length) {
    struct path path;
    enum hx_status status = target->jump(target, &path);
    if (status == HX_OK) {
        status = give_path(path, buffer, capacity, out_length);
        path_put(path);
    }
    return status;
}

enum hx_status proc_exe_jump(const struct proc_target *target, struct path *out_path) {
    struct posix_process *process = target->process;
    enum hx_status status = HX_ERR_NOT_FOUND;
    if (!inspect_begin(process, INSPECT_FS_IDS)) {
        return HX_ERR_PERMISSION;
    }
    mutex_lock(&process->process->lock);
    if (process->executable != NULL && process->executable->path.name != NULL) {
        *out_path = path_get(process->executable->path);
        status = HX_OK;
    }
    mutex_unlock(&process->process->lock);
    inspect_end(process);
    return status;
}

// The context of a process with a reference. HX_ERR_NOT_FOUND: it is dead; HX_ERR_PERMISSION.
static enum hx_status context_of(struct posix_process *process, struct fs_context **out_context) {
    enum hx_status status = HX_ERR_NOT_FOUND;
    if (!inspect_begin(process, INSPECT_FS_IDS)) {
        return HX_ERR_PERMISSION;
    }
    mutex_lock(&process->process->lock);
    if (process->fs != NULL) {
        object_get(&process->fs->object);
        *out_context = process->fs;
        status = HX_OK;
    }
    mutex_unlock(&process->process->lock);
    inspect_end(process);
    return status;
}

enum hx_status proc_cwd_jump(const struct proc_target *target, struct path *out_path) {
    struct fs_context *context;
    enum hx_status status = context_of(target->process, &context);
    if (status == HX_OK) {
        *out_path = fs_context_work(context);
        fs_context_put(context);
    }
    return status;
}

enum hx_status proc_root_jump(const struct proc_target *target, struct path *out_path) {
    struct fs_context *context;
    enum hx_status status = context_of(target->process, &context);
    if (status == HX_OK) {
        *out_path = fs_context_root(context);
        fs_context_put(context);
    }
    return status;
}

bool proc_fd_next(const struct posix_process *process, int32_t from, int32_t *out_fd,
                  uint32_t *out_flags) {
    struct file_table *table = process_file_table(process);
    if (table == NULL) {
        return false;
    }
    struct capability *capability;
    const bool found = file_table_next(table, from, out_fd, &capability);
    if (found) {
        *out_flags = file_flags(capability_file(capability));
        capability_put(capability);
    }
    file_table_drop(table);
    return found;
}

// The capability at the target's number, with a reference. HX_ERR_NOT_FOUND, HX_ERR_PERMISSION.
static enum hx_status fd_capability(const struct proc_target *target,
                                    struct capability **out_capability) {
    bool close_on_exec;
    const enum hx_status status = inspect_descriptor(target->process, INSPECT_FS_IDS, target->fd,
                                                     out_capability, &close_on_exec);
    return status == HX_OK || status == HX_ERR_NOT_PERMITTED ? proc_refusal(status)
                                                             : HX_ERR_NOT_FOUND;
}

enum hx_status proc_fd_file(const struct proc_target *target, struct file **out_file) {
    struct capability *capability;
    enum hx_status status = fd_capability(target, &capability);
    if (status != HX_OK) {
        return status;
    }
    // Opened anew it would have all rights, and outlive a revocation.
    if (capability->parent != NULL) {
        status = HX_ERR_PERMISSION;
    } else {
        *out_file = file_get(capability_file(capability));
    }
    capability_put(capability);
    return status;
}

enum hx_status proc_fd_jump(const struct proc_target *target, struct path *out_path) {
    struct file *file;
    enum hx_status status = proc_fd_file(target, &file);
    if (status != HX_OK) {
        return status;
    }
    if (file->path.name != NULL) {
        *out_path = path_get(file->path);
    } else {
        status = HX_ERR_NO_OPERATION;
    }
    file_put(file);
    return status;
}

enum hx_status proc_fd_link(const struct proc_target *target, char *buffer, uint32_t capacity,
                            uint32_t *out_length) {
    struct capability *capability;
    enum hx_status status = fd_capability(target, &capability);
    if (status != HX_OK) {
        return status;
    }
    const struct file *file = capability_file(capability);
    if (file->path.name != NULL) {
        status = give_path(file->path, buffer, capacity, out_length);
    } else {
        char text[64];
        const char *name = file->ops->name != NULL ? file->ops->name : "anon_inode:[unknown]";
        if (strchr(name, ':') != NULL) {
            string_copy(text, sizeof(text), name);
        } else { // "pipe:[12]"
            (void)format_string(text, sizeof(text), "%s:[%llu]", name,
                                (unsigned long long)file->id); // it fits
        }
        status = give_text(text, buffer, capacity, out_length);
    }
    capability_put(capability);
    return status;
}
