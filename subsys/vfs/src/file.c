// SPDX-License-Identifier: MIT OR Apache-2.0
// file.c: open file descriptions: making, ending, and the calls that every kind has in common.
#include <vfs/file.h>

#include "file_kinds.h"
#include "watch.h"

#include <core/log.h>
#include <lib/string.h>
#include <memory/account.h>
#include <memory/aspace.h>
#include <memory/heap.h>
#include <memory/tally.h>

// Outside of everything: user memory is copied under it, and procfs, whose texts are made under it,
// takes the locks of processes.
static const struct lock_class position_class = { "file position", LOCK_RANK_PROCESS_TREE - 5,
                                                  false };

static struct heap_cache *file_cache;
static _Atomic uint64_t next_id = 1;

// Life
// -----------------------------------------------------------------------------------------------

void (*file_watcher)(struct file *file, const struct capability *dropped);

static void file_dropped(struct object *object, struct capability *capability) {
    struct file *file = CONTAINER_OF(object, struct file, object);
    const uint32_t flags = atomic_load_explicit(&file->flags, memory_order_relaxed);
    if ((flags & FILE_WATCHED) != 0 && file_watcher != NULL) {
        file_watcher(file, capability);
    }
}

static void file_destroy(struct object *object) {
    struct file *file = CONTAINER_OF(object, struct file, object);
    file_dropped(object, NULL);
    if (file->ops != NULL) {
        watch_file(file,
                   (file_flags(file) & FILE_WRITE) != 0 ? WATCH_CLOSE_WRITE : WATCH_CLOSE_NOWRITE);
    }
    if (file->ops != NULL && file->ops->release != NULL) {
        file->ops->release(file);
    }
    path_put(file->path);
    if (file->account != NULL) {
        account_release(file->account, ACCOUNT_OBJECTS, 1);
        object_put(&file->account->object);
    }
    heap_cache_free(file_cache, file);
}

static struct waitable *file_waitable(struct object *object) {
    struct file *file = CONTAINER_OF(object, struct file, object);
    return file->ops->waitable != NULL ? file->ops->waitable(file) : NULL;
}

static void file_revoked(struct object *object) {
    const struct file *file = CONTAINER_OF(object, struct file, object);
    if (file->inode != NULL && file->inode->pages != NULL) {
        memory_object_revoke(file->inode->pages);
    }
}

// A file that has a name is there without who has it open.
static void file_tally(struct object *object, struct tally *tally) {
    struct file *file = CONTAINER_OF(object, struct file, object);
    if (file->ops != NULL && file->ops->tally != NULL) {
        file->ops->tally(file, tally);
    } else if (file->inode != NULL && file->inode->pages != NULL) {
        struct fs_info info;
        inode_info(file->inode, &info);
        if (info.links == 0) {
            tally_memory(tally, file->inode->pages);
        }
    }
}

static void file_mapped(struct object *object, bool is_there) {
    struct file *file = CONTAINER_OF(object, struct file, object);
    if (file->ops->mapped != NULL) {
        file->ops->mapped(file, is_there);
    }
}

static const struct object_type file_type = {
    .kind = OBJECT_FILE,
    .name = "file",
    .destroy = file_destroy,
    .waitable = file_waitable,
    .revoked = file_revoked,
    .dropped = file_dropped,
    .mapped = file_mapped,
    .tally = file_tally,
};

static struct file *file_alloc(const struct file_ops *ops, uint32_t flags) {
    struct file *file = heap_cache_alloc(file_cache, MEMORY_SLEEP);
    if (file != NULL) {
        object_init(&file->object, &file_type);
        capability_init_root(&file->root, &file->object, HX_RIGHTS_ALL);
        file->ops = ops;
        atomic_init(&file->flags, flags);
        file->path = (struct path){ NULL, NULL };
        file->inode = NULL;
        mutex_init(&file->position_lock, &position_class);
        file->position = 0;
        file->data = NULL;
        file->id = 0;
        file->account = NULL;
        atomic_init(&file->signal, 0);
    }
    return file;
}

struct file *file_create(const struct file_ops *ops, uint32_t flags, void *data) {
    struct account *account = account_current();
    if (account_charge(account, ACCOUNT_OBJECTS, 1) != HX_OK) {
        return NULL;
    }
    struct file *file = file_alloc(ops, flags);
    if (file == NULL) {
        account_release(account, ACCOUNT_OBJECTS, 1);
        return NULL;
    }
    object_get(&account->object);
    file->account = account;
    file->data = data;
    file->id = atomic_fetch_add_explicit(&next_id, 1, memory_order_relaxed);
    return file;
}

static const struct file_ops path_only_ops = { .name = "path" };

static enum hx_status open_kind(struct file *file) {
    switch (inode_type(file->inode)) {
    case FS_MODE_REGULAR:
        if (file->inode->kind != NULL) {
            return file->inode->kind->open(file);
        }
        if (file->inode->pages == NULL) {
            file->ops = &generated_ops;
            return HX_OK;
        }
        return regular_open(file);
    case FS_MODE_DIRECTORY:
        file->ops = &directory_ops;
        return HX_OK;
    case FS_MODE_CHAR:
    case FS_MODE_BLOCK:
        return device_open(file);
    case FS_MODE_FIFO:
        return fifo_open(file);
    case FS_MODE_LINK:
        return HX_ERR_TOO_MANY_LINKS;
    default:
        return HX_ERR_NO_DEVICE; // a socket
    }
}

enum hx_status file_open_path(struct path path, uint32_t flags, struct file **out_file) {
    enum hx_status status = file_open_taking(path_get(path), flags, out_file);
    if (status != HX_OK) {
        path_put(path);
    }
    return status;
}

enum hx_status file_open_taking(struct path path, uint32_t flags, struct file **out_file) {
    if ((flags & FILE_PATH_ONLY) != 0) {
        flags &= ~(FILE_READ | FILE_WRITE);
    }
    struct file *file = file_alloc(NULL, flags);
    if (file == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    file->path = path;
    file->inode = path_inode(path); // kept by the name
    if ((flags & FILE_PATH_ONLY) != 0) {
        file->ops = &path_only_ops;
    } else {
        enum hx_status status = open_kind(file);
        if (status != HX_OK) {
            file->ops = NULL; // nothing to release
            file->path = (struct path){ NULL, NULL };
            file_put(file);
            return status;
        }
    }
    *out_file = file;
    return HX_OK;
}

enum hx_status file_reopen(struct file *file, uint32_t flags, struct file **out_file) {
    if (file->path.name != NULL) {
        return file_open_path(file->path, flags, out_file);
    }
    return file_is_pipe(file) ? pipe_reopen(file, flags, out_file) : HX_ERR_NO_DEVICE;
}

enum hx_status files_init(void) {
    file_cache = heap_cache_create("file", sizeof(struct file), alignof(struct file));
    return file_cache == NULL ? HX_ERR_NO_MEMORY : HX_OK;
}

// Reading and writing
// -----------------------------------------------------------------------------------------------

static enum hx_status missing_method(const struct file *file) {
    bool is_directory = file->inode != NULL && inode_type(file->inode) == FS_MODE_DIRECTORY;
    return is_directory ? HX_ERR_IS_DIRECTORY : HX_ERR_INVALID;
}

// Takes the position's lock, unless nobody but the caller can reach the file: who shares it has a
// reference. Returns whether it did.
HX_ATTR(no_thread_safety_analysis) static bool position_begin(struct file *file) {
    if (atomic_load_explicit(&file->object.references, memory_order_acquire) == 1) {
        return false;
    }
    mutex_lock(&file->position_lock);
    return true;
}

HX_ATTR(no_thread_safety_analysis) static void position_end(struct file *file, bool is_locked) {
    if (is_locked) {
        mutex_unlock(&file->position_lock);
    }
}

// Tells who watches the file of bytes that were moved; gives the status back.
static enum hx_status moved_some(const struct file *file, enum hx_status status, size_t moved,
                                 uint32_t what) {
    if (status == HX_OK && moved != 0) {
        watch_file(file, what);
    }
    return status;
}

enum hx_status file_read(struct file *file, struct io_buffer *to, size_t *out_moved) {
    const struct file_ops *ops = file->ops;
    if ((file_flags(file) & FILE_READ) == 0) {
        return HX_ERR_BAD_HANDLE;
    }
    if (ops->read == NULL) {
        return missing_method(file);
    }
    if (ops->seek == NULL || ops->keeps_position) {
        const enum hx_status status = ops->read(file, to, 0, out_moved);
        return moved_some(file, status, *out_moved, WATCH_ACCESS);
    }
    size_t moved = 0;
    const bool is_locked = position_begin(file);
    enum hx_status status = ops->read(file, to, file->position, &moved);
    if (status == HX_OK) {
        file->position += moved;
        *out_moved = moved;
    }
    position_end(file, is_locked);
    return moved_some(file, status, moved, WATCH_ACCESS);
}

enum hx_status file_write(struct file *file, struct io_buffer *from, size_t *out_moved) {
    const struct file_ops *ops = file->ops;
    uint32_t flags = file_flags(file);
    if ((flags & FILE_WRITE) == 0) {
        return HX_ERR_BAD_HANDLE;
    }
    if (ops->write == NULL) {
        return missing_method(file);
    }
    if (ops->seek == NULL || ops->keeps_position) {
        const enum hx_status status = ops->write(file, from, 0, out_moved);
        return moved_some(file, status, *out_moved, WATCH_MODIFY);
    }
    size_t moved = 0;
    const bool is_locked = position_begin(file);
    uint64_t offset = file->position;
    enum hx_status status =
        ops == &regular_ops
            ? regular_write_at(file, from, (flags & FILE_APPEND) != 0, &offset, &moved)
            : ops->write(file, from, offset, &moved);
    if (status == HX_OK) {
        file->position = offset + moved;
        *out_moved = moved;
    }
    position_end(file, is_locked);
    return moved_some(file, status, moved, WATCH_MODIFY);
}

enum hx_status file_read_at(struct file *file, struct io_buffer *to, uint64_t offset,
                            size_t *out_moved) {
    const struct file_ops *ops = file->ops;
    if ((file_flags(file) & FILE_READ) == 0) {
        return HX_ERR_BAD_HANDLE;
    }
    if (ops->read == NULL) {
        return missing_method(file);
    }
    if (ops->seek == NULL) {
        return HX_ERR_NOT_SEEKABLE;
    }
    const enum hx_status status = ops->read(file, to, offset, out_moved);
    return moved_some(file, status, *out_moved, WATCH_ACCESS);
}

enum hx_status file_write_at(struct file *file, struct io_buffer *from, uint64_t offset,
                             size_t *out_moved) {
    const struct file_ops *ops = file->ops;
    if ((file_flags(file) & FILE_WRITE) == 0) {
        return HX_ERR_BAD_HANDLE;
    }
    if (ops->write == NULL) {
        return missing_method(file);
    }
    if (ops->seek == NULL) {
        return HX_ERR_NOT_SEEKABLE;
    }
    const enum hx_status status = ops->write(file, from, offset, out_moved);
    return moved_some(file, status, *out_moved, WATCH_MODIFY);
}

enum hx_status position_seek(struct file *file, int64_t offset, uint32_t whence, uint64_t end,
                             uint64_t *out_position) {
    uint64_t base = whence == SEEK_FROM_START     ? 0
                    : whence == SEEK_FROM_CURRENT ? file->position
                                                  : end;
    int64_t position;
    if (whence > SEEK_FROM_END) {
        return HX_ERR_INVALID;
    }
    if (__builtin_add_overflow((int64_t)base, offset, &position)) {
        return HX_ERR_OVERFLOW;
    }
    if (position < 0) {
        return HX_ERR_INVALID;
    }
    file->position = (uint64_t)position;
    *out_position = (uint64_t)position;
    return HX_OK;
}

enum hx_status file_seek(struct file *file, int64_t offset, uint32_t whence,
                         uint64_t *out_position) {
    if ((file_flags(file) & FILE_PATH_ONLY) != 0) {
        return HX_ERR_BAD_HANDLE;
    }
    if (file->ops->seek == NULL) {
        return HX_ERR_NOT_SEEKABLE;
    }
    mutex_lock(&file->position_lock);
    enum hx_status status = file->ops->seek(file, offset, whence, out_position);
    mutex_unlock(&file->position_lock);
    return status;
}

// Everything else
// -----------------------------------------------------------------------------------------------

uint32_t file_ready(struct file *file) {
    const struct file_ops *ops = file->ops;
    if (ops->ready != NULL) {
        return ops->ready(file);
    }
    return ops->waitable == NULL ? WAIT_READABLE | WAIT_WRITABLE
                                 : waitable_state(ops->waitable(file));
}

enum hx_status file_readdir(struct file *file, struct fs_entry *out_entries, uint32_t capacity,
                            uint32_t *out_count) {
    if ((file_flags(file) & FILE_READ) == 0) {
        return HX_ERR_BAD_HANDLE;
    }
    if (file->ops->readdir == NULL) {
        return HX_ERR_NOT_DIRECTORY;
    }
    mutex_lock(&file->position_lock);
    enum hx_status status = file->ops->readdir(file, out_entries, capacity, out_count);
    mutex_unlock(&file->position_lock);
    return status;
}

enum hx_status file_map(struct file *file, uint32_t protection, bool shared,
                        struct memory_object **out_object) {
    uint32_t flags = file_flags(file);
    if ((flags & FILE_PATH_ONLY) != 0) {
        return HX_ERR_BAD_HANDLE;
    }
    if ((flags & FILE_READ) == 0) {
        return HX_ERR_PERMISSION;
    }
    if (shared && (protection & ASPACE_WRITE) != 0 && (flags & FILE_WRITE) == 0) {
        return HX_ERR_PERMISSION;
    }
    if (file->ops->map == NULL) {
        return HX_ERR_NO_DEVICE;
    }
    return file->ops->map(file, protection, shared, out_object);
}

enum hx_status file_truncate(struct file *file, uint64_t size_bytes) {
    uint32_t flags = file_flags(file);
    if ((flags & FILE_PATH_ONLY) != 0) {
        return HX_ERR_BAD_HANDLE;
    }
    if ((flags & FILE_WRITE) == 0 || file->ops->truncate == NULL) {
        return HX_ERR_INVALID;
    }
    const enum hx_status status = file->ops->truncate(file, size_bytes);
    if (status == HX_OK) {
        watch_file(file, WATCH_MODIFY);
    }
    return status;
}

enum hx_status file_sync(struct file *file) {
    if ((file_flags(file) & FILE_PATH_ONLY) != 0) {
        return HX_ERR_BAD_HANDLE;
    }
    return file->ops->sync == NULL ? HX_ERR_INVALID : file->ops->sync(file);
}

enum hx_status file_control(struct file *file, uint64_t request, uint64_t argument,
                            int64_t *out_result) {
    if ((file_flags(file) & FILE_PATH_ONLY) != 0) {
        return HX_ERR_BAD_HANDLE;
    }
    return file->ops->control == NULL ? HX_ERR_NOT_TTY
                                      : file->ops->control(file, request, argument, out_result);
}
