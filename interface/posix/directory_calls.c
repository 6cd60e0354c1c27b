// SPDX-License-Identifier: MIT OR Apache-2.0
// directory_calls.c: the working directory, the root, the umask, the entries of directories.
#include "descriptor.h"

#include <lib/string.h>
#include <memory/heap.h>
#include <vfs/watch.h>

#define ENTRIES_AT_ONCE 12u

// May the caller search this directory, and is it one?
static enum hx_status check_directory(struct call *call, struct path path) {
    struct inode *inode = path_inode(path);
    if (inode_type(inode) != FS_MODE_DIRECTORY) {
        return HX_ERR_NOT_DIRECTORY;
    }
    struct credentials *credentials = posix_credentials(call->process);
    enum hx_status status = inode_permission(inode, credentials, 1);
    credentials_put(credentials);
    return status;
}

enum hx_status sys_chdir(struct call *call) {
    struct path path;
    enum hx_status status = user_path_find(call, AT_FDCWD, call_address(call, 0),
                                           LOOKUP_FOLLOW | LOOKUP_DIRECTORY, &path);
    if (status != HX_OK) {
        return status;
    }
    status = check_directory(call, path);
    if (status != HX_OK) {
        path_put(path);
        return status;
    }
    fs_context_set_work(call->process->fs, path);
    return HX_OK;
}

enum hx_status sys_fchdir(struct call *call) {
    struct descriptor descriptor;
    enum hx_status status =
        descriptor_get_any(call, call_int(call, 0), HX_RIGHT_EXECUTE, &descriptor);
    if (status != HX_OK) {
        return status;
    }
    if (descriptor.file->path.name == NULL) {
        status = HX_ERR_NOT_DIRECTORY;
    } else if (descriptor.capability->parent != NULL) {
        status = HX_ERR_NOT_PERMITTED; // the working directory would outlive a revocation
    } else {
        status = check_directory(call, descriptor.file->path);
    }
    if (status == HX_OK) {
        fs_context_set_work(call->process->fs, path_get(descriptor.file->path));
    }
    descriptor_put(&descriptor);
    return status;
}

enum hx_status sys_chroot(struct call *call) {
    struct path path;
    enum hx_status status = user_path_find(call, AT_FDCWD, call_address(call, 0),
                                           LOOKUP_FOLLOW | LOOKUP_DIRECTORY, &path);
    if (status != HX_OK) {
        return status;
    }
    status = check_directory(call, path);
    if (status == HX_OK &&
        !credentials_capable(call->process->credentials, CAPABILITY_SYS_CHROOT)) {
        status = HX_ERR_NOT_PERMITTED;
    }
    if (status != HX_OK) {
        path_put(path);
        return status;
    }
    fs_context_set_root(call->process->fs, path);
    return HX_OK;
}

enum hx_status sys_umask(struct call *call) {
    const uint32_t old = atomic_exchange_explicit(&call->process->fs->umask,
                                                  call_uint(call, 0) & 0777, memory_order_relaxed);
    return call_ok(call, old);
}

static enum hx_status put_work(struct call *call, struct path work, struct path root, char *text) {
    struct fs_info info;
    inode_info(path_inode(work), &info);
    if (info.links == 0) {
        return HX_ERR_NOT_FOUND; // it was removed
    }
    size_t length;
    enum hx_status status = path_to_text(work, root, text, PATH_BYTES_MAX, &length);
    if (status != HX_OK) {
        return status;
    }
    if (length + 1 > call->args[1]) {
        return HX_ERR_RANGE;
    }
    status = copy_to_user(call_address(call, 0), text, length + 1);
    return status == HX_OK ? call_ok(call, (int64_t)length + 1) : status;
}

enum hx_status sys_getcwd(struct call *call) {
    char *text = heap_alloc(PATH_BYTES_MAX, MEMORY_SLEEP);
    if (text == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    const struct path work = fs_context_work(call->process->fs);
    const struct path root = fs_context_root(call->process->fs);
    enum hx_status status = put_work(call, work, root, text);
    path_put(root);
    path_put(work);
    heap_free(text);
    return status;
}

// struct linux_dirent64 and struct linux_dirent: a head, the name with its zero, padding; the older
// one has the type in its last byte.
struct entry_head {
    uint64_t node;
    uint64_t cookie;
    uint16_t size_bytes;
};
#define ENTRY64_NAME 19u
#define ENTRY_NAME   18u

static uint32_t entry_bytes(const struct fs_entry *entry, bool old) {
    const uint32_t bytes =
        old ? ENTRY_NAME + entry->name_length + 2 : ENTRY64_NAME + entry->name_length + 1;
    return ALIGN_UP(bytes, 8u);
}

// Writes one entry into `piece`, all of its bytes. Linux's DT_ numbers are the type bits of a mode.
static void entry_build(const struct fs_entry *entry, bool old, uint32_t size_bytes,
                        uint8_t *piece) {
    const struct entry_head head = { entry->node, entry->cookie, (uint16_t)size_bytes };
    const uint32_t name = old ? ENTRY_NAME : ENTRY64_NAME, end = name + entry->name_length;
    memcpy(piece, &head, ENTRY_NAME);
    memcpy(piece + name, entry->name, entry->name_length);
    memset(piece + end, 0, size_bytes - end);
    piece[old ? size_bytes - 1 : ENTRY_NAME] = (uint8_t)(entry->mode >> 12);
}

// A getdents call under way.
struct listing {
    struct uaddr to;
    uint32_t capacity;
    uint32_t used;
    bool old;
    bool full;
};

// Copies one entry out; HX_ERR_INVALID if there is no room for it.
static enum hx_status listing_put(struct listing *listing, const struct fs_entry *entry) {
    uint8_t piece[ALIGN_UP(ENTRY64_NAME + FS_NAME_MAX + 2, 8)];
    const uint32_t size_bytes = entry_bytes(entry, listing->old);
    if (size_bytes > listing->capacity - listing->used) {
        listing->full = true;
        return HX_ERR_INVALID;
    }
    entry_build(entry, listing->old, size_bytes, piece);
    enum hx_status status = copy_to_user(uaddr_add(listing->to, listing->used), piece, size_bytes);
    if (status == HX_OK) {
        listing->used += size_bytes;
    }
    return status;
}

// One batch of entries. What does not fit is given back by setting the position to the last entry
// that did.
static enum hx_status listing_batch(struct listing *listing, struct file *file,
                                    struct fs_entry *entries, bool *out_end) {
    const uint64_t before = file->position;
    uint32_t count = 0;
    // Not file_readdir(): the lock is held over the whole call, so that entries come once.
    enum hx_status status = file->ops->readdir(file, entries, ENTRIES_AT_ONCE, &count);
    if (status != HX_OK) {
        return status;
    }
    *out_end = count == 0;
    for (uint32_t i = 0; i < count; i++) {
        status = listing_put(listing, &entries[i]);
        if (status != HX_OK) {
            file->position = i != 0 ? entries[i - 1].cookie : before;
            return status;
        }
    }
    return HX_OK;
}

static enum hx_status list_directory(struct file *file, struct listing *listing) {
    struct fs_entry *entries = heap_alloc(ENTRIES_AT_ONCE * sizeof(*entries), MEMORY_SLEEP);
    if (entries == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    bool end = false;
    enum hx_status status = HX_OK;
    mutex_lock(&file->position_lock);
    while (status == HX_OK && !end && !listing->full) {
        status = listing_batch(listing, file, entries, &end);
    }
    mutex_unlock(&file->position_lock);
    heap_free(entries);
    if (listing->used != 0 || status == HX_OK) {
        watch_file(file, WATCH_ACCESS);
        return HX_OK;
    }
    return status;
}

static enum hx_status getdents(struct call *call, bool old) {
    struct descriptor descriptor;
    enum hx_status status = descriptor_get(call, call_int(call, 0), HX_RIGHT_READ, &descriptor);
    if (status != HX_OK) {
        return status;
    }
    struct listing listing = {
        .to = call_address(call, 1),
        .capacity = MIN_OF(call_uint(call, 2), RW_COUNT_MAX),
        .old = old,
    };
    if (descriptor.file->ops->readdir == NULL) {
        status = HX_ERR_NOT_DIRECTORY;
    } else {
        status = list_directory(descriptor.file, &listing);
    }
    descriptor_put(&descriptor);
    return status == HX_OK ? call_ok(call, listing.used) : status;
}

enum hx_status sys_getdents64(struct call *call) {
    return getdents(call, false);
}

enum hx_status sys_getdents(struct call *call) {
    return getdents(call, true);
}
