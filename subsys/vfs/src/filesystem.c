// SPDX-License-Identifier: MIT OR Apache-2.0
// filesystem.c: types of file systems, and the instances of them that are mounted.
#include "inode.h"
#include "mount.h"
#include "repeat.h"

#include <core/gate.h>
#include <core/log.h>
#include <core/port.h>
#include <core/ports/fs_calls.h>
#include <lib/format.h>
#include <lib/string.h>
#include <memory/account.h>
#include <memory/heap.h>

static const struct lock_class types_class = { "file system types", LOCK_RANK_MOUNT + 1, false };
static const struct lock_class rename_class = { "rename", LOCK_RANK_DIRECTORY - 5, false };
// Outside the directories of such a file system (inode.c).
static const struct lock_class uncached_class = { "uncached rename", LOCK_RANK_PROCESS_TREE - 4,
                                                  false };
// Inside the inode's lock.
static const struct lock_class xattr_class = { "xattr", LOCK_RANK_FILE + 1, false };

static struct mutex types_lock;
static struct list types = LIST_INIT(types); // [types_lock]
static _Atomic uint64_t next_device = 1;
static enum hx_status fs_leave(const struct gate *gate, enum port_leaving step);
static enum hx_status fs_replace(const struct port_provider *provider);
static const struct port_used fs_port = {
    &fs_versions, fs_method_names, FS_METHOD_COUNT, fs_leave, fs_replace, NULL, NULL, true
};

// Types
// -----------------------------------------------------------------------------------------------

static struct fs_type *type_find_locked(const char *name) {
    list_for_each (link, &types) {
        struct fs_type *type = LIST_ENTRY(link, struct fs_type, link);
        if (strcmp(type->name, name) == 0) {
            return type;
        }
    }
    return NULL;
}

// It stays until it is dropped; NULL: there is none.
static struct fs_type *type_hold(const char *name) {
    mutex_lock(&types_lock);
    struct fs_type *type = type_find_locked(name);
    if (type != NULL && type->is_leaving) {
        type = NULL;
    }
    if (type != NULL) {
        type->users++;
    }
    mutex_unlock(&types_lock);
    return type;
}

static void type_drop(struct fs_type *type) {
    mutex_lock(&types_lock);
    type->users--;
    mutex_unlock(&types_lock);
}

static bool type_exists(const char *name) {
    mutex_lock(&types_lock);
    const bool exists = type_find_locked(name) != NULL;
    mutex_unlock(&types_lock);
    return exists;
}

enum hx_status vfs_type_register(struct fs_type *type) {
    if (type_exists(type->name)) {
        return HX_ERR_EXISTS;
    }
    enum hx_status status = fs_bind(&type->writer.ops, type->ops, ~(rights_t)0);
    if (status == HX_OK && type->writer.gate == NULL) { // the kernel's own, no module's
        status = gate_create(type->name, fs_port.versions->port, "kernel", &type->writer.gate);
    }
    type->reader.gate = type->writer.gate;
    atomic_init(&type->life, 1);
    if (status == HX_OK) {
        status = fs_bind(&type->reader.ops, type->ops, HX_RIGHT_READ);
    }
    if (status == HX_OK) {
        status = fs_call_describe(&type->writer, type->self, &type->kind);
    }
    if (status != HX_OK) {
        return status;
    }
    mutex_lock(&types_lock);
    list_push_back(&types, &type->link);
    mutex_unlock(&types_lock);
    return HX_OK;
}

enum hx_status vfs_filesystems_text(uint64_t offset, char *buffer, uint32_t capacity,
                                    uint32_t *out_length) {
    uint64_t at = 0;
    uint32_t length = 0;
    mutex_lock(&types_lock);
    list_for_each (link, &types) {
        char line[64];
        const struct fs_type *type = LIST_ENTRY(link, struct fs_type, link);
        bool has_device = (type->kind & (FS_NO_PAGER | FS_GENERATED)) == 0;
        size_t size =
            format_string(line, sizeof(line), "%s\t%.48s\n", has_device ? "" : "nodev", type->name);
        for (size_t i = 0; i < size; i++, at++) {
            if (at >= offset && length < capacity) {
                buffer[length++] = line[i];
            }
        }
    }
    mutex_unlock(&types_lock);
    *out_length = length;
    return HX_OK;
}

// The user of the port helix.fs: each slot is a type of that name.
static enum hx_status fs_install(const struct port_provider *provider) {
    struct fs_type *type = heap_alloc_zero(sizeof(*type), MEMORY_SLEEP);
    if (type == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    type->name = provider->slot;
    type->ops = provider->operations;
    type->self = provider->self;
    type->writer.gate = provider->gate;
    enum hx_status status = vfs_type_register(type);
    type->ops = NULL; // they are the caller's
    if (status != HX_OK) {
        heap_free(type);
    }
    return status;
}

static struct fs_type *type_behind_locked(const struct gate *gate) {
    list_for_each (link, &types) {
        struct fs_type *type = LIST_ENTRY(link, struct fs_type, link);
        if (type->writer.gate == gate) {
            return type;
        }
    }
    return NULL;
}

// Nobody is inside: what is mounted goes on with the numbers that it has.
static enum hx_status fs_replace(const struct port_provider *provider) {
    struct fs_ops writer, reader;
    uint32_t kind;
    mutex_lock(&types_lock);
    struct fs_type *type = type_behind_locked(provider->gate);
    mutex_unlock(&types_lock);
    if (type == NULL) {
        return HX_ERR_NOT_FOUND;
    }
    enum hx_status status = fs_bind(&writer, provider->operations, ~(rights_t)0);
    if (status == HX_OK) {
        status = fs_bind(&reader, provider->operations, HX_RIGHT_READ);
    }
    if (status == HX_OK) {
        status = writer.describe(provider->self, &kind);
    }
    if (status == HX_OK && kind != type->kind) {
        log_error("file system %s: another kind", type->name);
        status = HX_ERR_INVALID;
    }
    if (status == HX_OK) {
        type->self = provider->self;
        type->writer.ops = writer;
        type->reader.ops = reader;
        // What is known of what it keeps was known of the life before.
        atomic_fetch_add_explicit(&type->life, 1, memory_order_relaxed);
    }
    return status;
}

// What was unmounted just now is gone after a grace period.
static enum hx_status fs_leave(const struct gate *gate, enum port_leaving step) {
    enum hx_status status = HX_OK;
    epoch_synchronize();
    mutex_lock(&types_lock);
    struct fs_type *type = type_behind_locked(gate);
    if (step == PORT_LEAVES && type->users != 0) {
        status = HX_ERR_BUSY;
    } else if (step == PORT_LEFT) {
        list_remove(&type->link);
    } else {
        type->is_leaving = step == PORT_LEAVES;
    }
    mutex_unlock(&types_lock);
    if (step == PORT_LEFT) {
        heap_free(type);
    }
    return status;
}

enum hx_status filesystems_init(void) {
    mutex_init(&types_lock, &types_class);
    return port_installer_register(&fs_port, fs_install);
}

// Instances
// -----------------------------------------------------------------------------------------------

static void filesystem_reclaim(struct epoch_item *item) {
    struct filesystem *fs = CONTAINER_OF(item, struct filesystem, item);
    type_drop(fs->type);
    heap_free(fs);
}

static void unmount(struct filesystem *fs) {
    const struct fs_port *port = filesystem_port(fs);
    // It is gone, whatever it says.
    HX_IGNORE(FS_REPEATED(port, fs_call_unmount(port, fs->instance)));
}

static void filesystem_destroy(struct object *object) {
    struct filesystem *fs = CONTAINER_OF(object, struct filesystem, object);
    if (fs->has_instance) {
        unmount(fs);
    }
    object_put(&fs->account->object);
    epoch_retire(&fs->item, filesystem_reclaim);
}

static const struct object_type filesystem_type = { .kind = OBJECT_INODE,
                                                    .name = "file system",
                                                    .destroy = filesystem_destroy };

// The account that pays for the pages has the file system's size as its limit.
static void set_limit(struct filesystem *fs) {
    struct fs_usage usage = { 0 };
    if (!(fs->kind & FS_NO_PAGER) || filesystem_usage(fs, &usage) != HX_OK || usage.blocks == 0) {
        return;
    }
    const uint64_t pages = usage.blocks > INT64_MAX / PAGE_SIZE
                               ? INT64_MAX / PAGE_SIZE
                               : usage.blocks * usage.block_bytes / PAGE_SIZE;
    account_limit_set(fs->account, ACCOUNT_FRAMES, (int64_t)pages);
}

void vfs_limit_growth(struct path path) {
    struct account *account = path_inode(path)->fs->account;
    struct frame_stats stats;
    frame_stats(&stats);
    int64_t used = atomic_load_explicit(&account->used[ACCOUNT_FRAMES], memory_order_relaxed);
    account_limit_set(account, ACCOUNT_FRAMES, used + (int64_t)(stats.free / 2));
}

static uint64_t memory_bytes(void) {
    struct frame_stats stats;
    frame_stats(&stats);
    return stats.total * PAGE_SIZE;
}

static struct filesystem *filesystem_alloc(struct fs_type *type) {
    struct filesystem *fs = heap_alloc_zero(sizeof(*fs), MEMORY_SLEEP);
    if (fs == NULL) {
        return NULL;
    }
    if (account_create(&account_root, "files", NULL, false, &fs->account) != HX_OK) {
        heap_free(fs);
        return NULL;
    }
    object_init(&fs->object, &filesystem_type);
    atomic_init(&fs->port, &type->writer);
    fs->kind = type->kind;
    fs->type = type;
    fs->type_name = type->name;
    fs->device = atomic_fetch_add_explicit(&next_device, 1, memory_order_relaxed);
    list_init(&fs->watches);
    mutex_init(&fs->rename_lock, (type->kind & FS_UNCACHED) != 0 ? &uncached_class : &rename_class);
    mutex_init(&fs->xattr_lock, &xattr_class);
    return fs;
}

// What makes an instance is looked at inside: who waited at the gate finds another version's.
struct making {
    const struct fs_type *type;
    const char *options;
    void **out_instance;
    struct fs_info *out_root;
};

static int64_t make_inside(void *argument) {
    const struct making *it = argument;
    return it->type->writer.ops.mount(it->type->self, it->options, memory_bytes(), it->out_instance,
                                      it->out_root);
}

enum hx_status filesystem_create(const char *type_name, const char *options,
                                 struct name **out_root) {
    struct fs_info info = { 0 };
    struct inode *inode = NULL;
    struct fs_type *type = type_hold(type_name);
    struct filesystem *fs = type != NULL ? filesystem_alloc(type) : NULL;
    if (type == NULL) {
        return HX_ERR_NO_DEVICE;
    }
    if (fs == NULL) {
        type_drop(type);
        return HX_ERR_NO_MEMORY;
    }
    void *instance = NULL;
    struct making making = { type, options, &instance, &info };
    // An instance that was made, and of which nobody was told, stays until the module goes.
    enum hx_status status =
        FS_REPEATED(&type->writer, gate_call(type->writer.gate, make_inside, &making));
    if (status == HX_OK) {
        fs->instance = instance;
        fs->has_instance = true;
        set_limit(fs);
        status = inode_is_sound(&info, FS_MODE_DIRECTORY) ? inode_open(fs, &info, &inode)
                                                          : HX_ERR_CORRUPT;
    }
    if (status == HX_OK) {
        *out_root = name_create(NULL, (struct fs_name){ "/", 1 }, inode);
        if (*out_root == NULL) {
            inodes_unpin(fs);
            inode_put(inode);
            status = HX_ERR_NO_MEMORY;
        }
    }
    filesystem_put(fs); // the root's inode keeps it
    return status;
}

enum hx_status filesystem_set_read_only(struct filesystem *fs, bool read_only) {
    enum hx_status status = writers_allow(&fs->writers, !read_only);
    if (status != HX_OK) {
        return status;
    }
    atomic_store_explicit(&fs->read_only, read_only, memory_order_relaxed);
    // Relaxed: the table is as old as the type. What changes names or contents is refused behind
    // every check, whoever forgets one.
    atomic_store_explicit(&fs->port, read_only ? &fs->type->reader : &fs->type->writer,
                          memory_order_relaxed);
    return HX_OK;
}

enum hx_status vfs_usage(struct path path, struct fs_usage *out_usage) {
    struct filesystem *fs = path_inode(path)->fs;
    enum hx_status status = filesystem_usage(fs, out_usage);
    if (status == HX_OK && out_usage->block_bytes == 0) {
        out_usage->block_bytes = PAGE_SIZE; // it does not say
    }
    int64_t limit = atomic_load_explicit(&fs->account->limit[ACCOUNT_FRAMES], memory_order_relaxed);
    if (status != HX_OK || !(fs->kind & FS_NO_PAGER) || limit == INT64_MAX) {
        return status;
    }
    int64_t used = atomic_load_explicit(&fs->account->used[ACCOUNT_FRAMES], memory_order_relaxed);
    out_usage->block_bytes = PAGE_SIZE;
    out_usage->blocks = (uint64_t)limit;
    out_usage->blocks_free = used < limit ? (uint64_t)(limit - used) : 0;
    return HX_OK;
}
