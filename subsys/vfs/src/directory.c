// SPDX-License-Identifier: MIT OR Apache-2.0
// directory.c: open directories, and open files whose text a file system makes up.
//
// A directory's position is 0 before ".", 1 before "..", and then 2 plus the cookie of the file
// system's entry that was read last.
#include "file_kinds.h"
#include "mount.h"
#include "repeat.h"

#include <core/epoch.h>
#include <core/ports/fs_calls.h>
#include <lib/string.h>
#include <memory/heap.h>

#define POSITION_PARENT 1u
#define POSITION_FIRST  2u

// The directory above, as ".." tells it; over the mount point for the root of a mount.
static uint64_t parent_node(struct path path) {
    epoch_enter();
    while (path.name == path.mount->root && mount_parent(path.mount) != NULL &&
           mount_point(path.mount) != NULL) {
        path = (struct path){ mount_parent(path.mount), mount_point(path.mount) };
    }
    struct name *parent = path.name == path.mount->root ? NULL : name_parent(path.name);
    uint64_t node = name_inode(parent == NULL ? path.name : parent)->node;
    epoch_leave();
    return node;
}

static void put_dots(struct file *file, struct fs_entry *entry) {
    bool is_parent = file->position == POSITION_PARENT;
    entry->node = is_parent ? parent_node(file->path) : file->inode->node;
    entry->mode = FS_MODE_DIRECTORY;
    entry->name_length = is_parent ? 2 : 1;
    memcpy(entry->name, "..", 3);
    entry->name[entry->name_length] = '\0';
    entry->cookie = ++file->position;
}

// What a program makes paths of, and where the next reading goes on.
static bool entry_is_sound(const struct fs_entry *entry, uint64_t last_cookie) {
    const char *name = entry->name;
    const uint32_t length = entry->name_length;
    bool is_name = length != 0 && length <= FS_NAME_MAX && entry->cookie > last_cookie &&
                   entry->cookie <= (uint64_t)1 << 62;
    for (uint32_t i = 0; i < length && is_name; i++) {
        is_name = name[i] != '/' && name[i] != '\0';
    }
    return is_name && !(name[0] == '.' && length == 1) &&
           !(name[0] == '.' && name[1] == '.' && length == 2);
}

static enum hx_status directory_readdir(struct file *file, struct fs_entry *out_entries,
                                        uint32_t capacity, uint32_t *out_count) {
    struct inode *inode = file->inode;
    const struct fs_port *port = filesystem_port(inode->fs);
    uint32_t count = 0;
    enum hx_status status = HX_OK;
    if (inode_links(inode) == 0 && !inode_has_flag(inode, FS_GENERATED)) {
        return HX_ERR_NOT_FOUND; // removed
    }
    while (count < capacity && file->position < POSITION_FIRST) {
        put_dots(file, &out_entries[count++]);
    }
    if (count < capacity) {
        uint32_t more = 0;
        rwlock_read(&inode->lock);
        const uint64_t cookie = file->position - POSITION_FIRST;
        status = FS_REPEATED(port, fs_call_readdir(port, inode->fs->instance, inode->node, cookie,
                                                   out_entries + count, capacity - count, &more));
        rwlock_read_done(&inode->lock);
        for (uint32_t i = 0; status == HX_OK && i < more; i++) {
            struct fs_entry *entry = &out_entries[count];
            if (!entry_is_sound(entry, file->position - POSITION_FIRST)) {
                status = HX_ERR_CORRUPT;
                break;
            }
            count++;
            entry->cookie += POSITION_FIRST;
            file->position = entry->cookie;
        }
    }
    if (count == 0 && status != HX_OK) {
        return status;
    }
    inode_accessed(inode, file->path.mount);
    *out_count = count;
    return HX_OK;
}

static enum hx_status directory_seek(struct file *file, int64_t offset, uint32_t whence,
                                     uint64_t *out_position) {
    return whence == SEEK_FROM_END ? HX_ERR_INVALID
                                   : position_seek(file, offset, whence, 0, out_position);
}

static enum hx_status nothing_to_sync(struct file *file) {
    (void)file;
    return HX_OK;
}

const struct file_ops directory_ops = {
    .seek = directory_seek,
    .readdir = directory_readdir,
    .sync = nothing_to_sync,
};

// Files whose text is made up
// -----------------------------------------------------------------------------------------------

static enum hx_status generated_read(struct file *file, struct io_buffer *to, uint64_t offset,
                                     size_t *out_moved) {
    struct inode *inode = file->inode;
    const struct fs_port *port = filesystem_port(inode->fs);
    size_t moved = 0;
    enum hx_status status = HX_OK;
    char *buffer = heap_alloc(PAGE_SIZE, MEMORY_SLEEP);
    if (buffer == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    while (to->remaining > 0 && status == HX_OK) {
        uint32_t length = 0;
        size_t done = 0;
        status = fs_call_read_text(port, inode->fs->instance, inode->node, offset, buffer,
                                   (uint32_t)MIN_OF(to->remaining, PAGE_SIZE), &length);
        if (status == HX_OK && length == 0) {
            break;
        }
        if (status == HX_OK) {
            status = io_buffer_put(to, buffer, length, &done);
        }
        moved += done;
        offset += done;
        if (length < PAGE_SIZE) {
            break; // the end, or as good as: the next read finds it
        }
    }
    heap_free(buffer);
    if (moved == 0 && status != HX_OK) {
        return status;
    }
    *out_moved = moved;
    return HX_OK;
}

static enum hx_status generated_write(struct file *file, struct io_buffer *from, uint64_t offset,
                                      size_t *out_moved) {
    struct inode *inode = file->inode;
    const struct fs_port *port = filesystem_port(inode->fs);
    size_t taken = 0;
    uint32_t length = 0;
    char *buffer = heap_alloc(PAGE_SIZE, MEMORY_SLEEP);
    if (buffer == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    enum hx_status status = io_buffer_take(from, buffer, PAGE_SIZE, &taken);
    if (status == HX_OK) {
        status = fs_call_write_text(port, inode->fs->instance, inode->node, offset, buffer,
                                    (uint32_t)taken, &length);
    }
    heap_free(buffer);
    if (status == HX_OK && length > taken) {
        status = HX_ERR_IO; // it says that it has taken more than it was given
    }
    if (status == HX_OK) {
        *out_moved = length;
    }
    return status;
}

static enum hx_status generated_seek(struct file *file, int64_t offset, uint32_t whence,
                                     uint64_t *out_position) {
    return position_seek(file, offset, whence, 0, out_position);
}

static enum hx_status generated_truncate(struct file *file, uint64_t size_bytes) {
    (void)file;
    (void)size_bytes; // "echo x > /proc/…" truncates first
    return HX_OK;
}

const struct file_ops generated_ops = {
    .read = generated_read,
    .write = generated_write,
    .seek = generated_seek,
    .truncate = generated_truncate,
    .sync = nothing_to_sync,
};
