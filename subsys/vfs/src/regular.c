// SPDX-License-Identifier: MIT OR Apache-2.0
// regular.c: open regular files, whose contents are the pages of a memory object.
//
// A write holds the inode's lock for writing, so writes are atomic against each other and appends
// never overlap. A read takes no lock: it sees the size first, and each page as it is. The size
// grows only after the bytes below it are there.
#include "file_kinds.h"
#include "mount.h"

#include <lib/string.h>
#include <memory/aspace.h>

static uint64_t size_of(const struct inode *inode) {
    return atomic_load_explicit(&inode->pages->size_bytes, memory_order_acquire);
}

enum hx_status regular_open(struct file *file) {
    if ((file_flags(file) & FILE_WRITE) != 0) {
        enum hx_status status = path_write_begin(file->path);
        if (status != HX_OK) {
            return status;
        }
        status = inode_write_begin(file->inode);
        if (status != HX_OK) {
            path_write_end(file->path);
            return status;
        }
    }
    file->ops = &regular_ops;
    return HX_OK;
}

static void regular_release(struct file *file) {
    if ((file_flags(file) & FILE_WRITE) != 0) {
        inode_write_end(file->inode);
        path_write_end(file->path);
    }
}

static enum hx_status regular_read(struct file *file, struct io_buffer *to, uint64_t offset,
                                   size_t *out_moved) {
    struct inode *inode = file->inode;
    uint64_t size = size_of(inode);
    uint64_t left = offset < size ? MIN_OF(to->remaining, size - offset) : 0;
    size_t moved = 0;
    enum hx_status status = HX_OK;
    while (left > 0 && status == HX_OK) {
        size_t in_page = offset & PAGE_MASK;
        size_t count = MIN_OF(left, PAGE_SIZE - in_page);
        size_t done = 0;
        struct frame *frame;
        status = memory_object_page(inode->pages, offset >> PAGE_SHIFT, 0, &frame);
        if (status == HX_OK) {
            status = io_buffer_put(to, (char *)frame_data(frame) + in_page, count, &done);
            frame_put(frame);
        } else if (status == HX_ERR_NOT_FOUND) {
            status = io_buffer_put_zero(to, count, &done);
        }
        moved += done;
        offset += done;
        left -= done;
    }
    if (moved == 0 && status != HX_OK) {
        return status;
    }
    if ((file_flags(file) & FILE_NOATIME) == 0) {
        inode_accessed(inode, file->path.mount);
    }
    *out_moved = moved;
    return HX_OK;
}

// One page's part of a write. Bytes that did not come are zero above the size.
static enum hx_status write_page(struct inode *inode, struct io_buffer *from, uint64_t offset,
                                 size_t count, size_t *out_done) {
    size_t in_page = offset & PAGE_MASK;
    struct frame *frame;
    enum hx_status status = memory_object_page(inode->pages, offset >> PAGE_SHIFT,
                                               MEMORY_GET_CREATE | MEMORY_GET_WRITE, &frame);
    if (status != HX_OK) {
        return status == HX_ERR_LIMIT ? HX_ERR_NO_SPACE : status;
    }
    char *bytes = (char *)frame_data(frame) + in_page;
    status = io_buffer_take(from, bytes, count, out_done);
    uint64_t size = size_of(inode);
    uint64_t end = offset + *out_done;
    if (status != HX_OK && offset + count > size) {
        uint64_t clean = MAX_OF(end, size);
        memset(bytes + (clean - offset), 0, (size_t)(offset + count - clean));
    }
    if (end > size && *out_done != 0) {
        atomic_store_explicit(&inode->pages->size_bytes, end, memory_order_release);
    }
    frame_put(frame);
    return status;
}

static enum hx_status write_locked(struct inode *inode, struct io_buffer *from, uint64_t offset,
                                   bool keep_setuid, size_t *out_moved) {
    uint64_t left = from->remaining;
    size_t moved = 0;
    if (offset >= FILE_BYTES_MAX && left > 0) {
        return HX_ERR_FILE_TOO_BIG;
    }
    enum hx_status status = left > 0 ? inode_privileges_drop_locked(inode, keep_setuid) : HX_OK;
    left = MIN_OF(left, FILE_BYTES_MAX - offset);
    while (left > 0 && status == HX_OK) {
        size_t done = 0;
        size_t count = MIN_OF(left, PAGE_SIZE - (offset & PAGE_MASK));
        status = write_page(inode, from, offset, count, &done);
        moved += done;
        offset += done;
        left -= done;
    }
    if (moved != 0) {
        inode_touch(inode, FS_SET_MODIFIED | FS_SET_CHANGED);
    }
    *out_moved = moved;
    return moved != 0 ? HX_OK : status;
}

enum hx_status regular_write_at(struct file *file, struct io_buffer *from, bool append,
                                uint64_t *offset, size_t *out_moved) {
    struct inode *inode = file->inode;
    size_t moved = 0;
    rwlock_write(&inode->lock);
    if (append) {
        *offset = size_of(inode);
    }
    const bool keep_setuid = (file_flags(file) & FILE_KEEP_SETUID) != 0;
    enum hx_status status = write_locked(inode, from, *offset, keep_setuid, &moved);
    rwlock_write_done(&inode->lock);
    if (status == HX_OK) {
        *out_moved = moved;
    }
    return status;
}

static enum hx_status regular_write(struct file *file, struct io_buffer *from, uint64_t offset,
                                    size_t *out_moved) {
    bool append = (file_flags(file) & FILE_APPEND) != 0; // also for pwrite(2), as in Linux
    return regular_write_at(file, from, append, &offset, out_moved);
}

enum hx_status file_change(struct file *file, file_change_t change, uint64_t from, uint64_t to) {
    struct inode *inode = file->inode;
    rwlock_write(&inode->lock);
    enum hx_status status =
        inode_privileges_drop_locked(inode, (file_flags(file) & FILE_KEEP_SETUID) != 0);
    if (status == HX_OK) {
        status = change(inode, from, to);
    }
    if (status == HX_OK) {
        inode_touch(inode, FS_SET_MODIFIED | FS_SET_CHANGED);
    }
    rwlock_write_done(&inode->lock);
    return status;
}

// SEEK_DATA, SEEK_HOLE
// -----------------------------------------------------------------------------------------------

// The first page from `page` on that is there, or is not; UINT64_MAX if there is none.
static uint64_t next_page(struct memory_object *pages, uint64_t page, uint64_t end, bool present) {
    uint64_t found = UINT64_MAX;
    mutex_lock(&pages->lock);
    if (present) {
        if (radix_next(&pages->pages, page, &found) == NULL) {
            found = UINT64_MAX;
        }
    } else {
        while (page < end && radix_get(&pages->pages, page) != NULL) {
            page++;
        }
        found = page;
    }
    mutex_unlock(&pages->lock);
    return found;
}

static enum hx_status seek_sparse(struct file *file, int64_t offset, bool to_data,
                                  uint64_t *out_position) {
    struct memory_object *pages = file->inode->pages;
    uint64_t size = size_of(file->inode);
    if (offset < 0 || (uint64_t)offset >= size) {
        return HX_ERR_NO_DEVICE;
    }
    uint64_t position = to_data ? (uint64_t)offset : size;
    if (pages->kind == MEMORY_PLAIN) {
        uint64_t start = (uint64_t)offset;
        uint64_t end = (size + PAGE_MASK) >> PAGE_SHIFT;
        uint64_t page = next_page(pages, start >> PAGE_SHIFT, end, to_data);
        if (page >= end && to_data) {
            return HX_ERR_NO_DEVICE;
        }
        position = MIN_OF(MAX_OF(page << PAGE_SHIFT, start), size);
    }
    file->position = position;
    *out_position = position;
    return HX_OK;
}

static enum hx_status regular_seek(struct file *file, int64_t offset, uint32_t whence,
                                   uint64_t *out_position) {
    if (whence == SEEK_TO_DATA || whence == SEEK_TO_HOLE) {
        return seek_sparse(file, offset, whence == SEEK_TO_DATA, out_position);
    }
    return position_seek(file, offset, whence, size_of(file->inode), out_position);
}

// The rest
// -----------------------------------------------------------------------------------------------

static enum hx_status regular_map(struct file *file, uint32_t protection, bool shared,
                                  struct memory_object **out_object) {
    (void)shared;
    if ((protection & ASPACE_EXECUTE) != 0 &&
        (mount_flags(file->path.mount) & MOUNT_NO_EXECUTE) != 0) {
        return HX_ERR_NOT_PERMITTED;
    }
    if ((file_flags(file) & FILE_NOATIME) == 0) {
        inode_accessed(file->inode, file->path.mount);
    }
    *out_object = memory_object_get(file->inode->pages);
    return HX_OK;
}

static enum hx_status regular_truncate(struct file *file, uint64_t size_bytes) {
    return inode_truncate(file->inode, size_bytes);
}

static enum hx_status regular_sync(struct file *file) {
    (void)file; // nothing is behind the pages of the file systems that there are
    return HX_OK;
}

const struct file_ops regular_ops = {
    .read = regular_read,
    .write = regular_write,
    .seek = regular_seek,
    .map = regular_map,
    .truncate = regular_truncate,
    .sync = regular_sync,
    .release = regular_release,
};
