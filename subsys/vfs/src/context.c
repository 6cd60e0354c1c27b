// SPDX-License-Identifier: MIT OR Apache-2.0
// context.c: paths as values, and what a process sees: its root and working directory.
#include "mount.h"

#include <lib/string.h>
#include <memory/heap.h>

static const struct lock_class context_class = { "fs context", LOCK_RANK_NAME_CACHE - 2, false };

struct path path_get(struct path path) {
    mount_get(path.mount);
    name_get(path.name);
    return path;
}

void path_put(struct path path) {
    if (path.name != NULL) {
        name_put(path.name);
        mount_put(path.mount);
    }
}

struct inode *path_inode(struct path path) {
    return name_inode(path.name);
}

bool path_equal(struct path a, struct path b) {
    if (a.mount != b.mount) {
        return false;
    }
    // Names of file systems that are not cached are made anew by each look-up.
    return a.name == b.name ||
           ((path_inode(a)->fs->kind & FS_UNCACHED) != 0 && path_inode(a) == path_inode(b));
}

static void context_destroy(struct object *object) {
    struct fs_context *context = CONTAINER_OF(object, struct fs_context, object);
    path_put(context->root);
    path_put(context->work);
    heap_free(context);
}

static const struct object_type context_type = { .kind = OBJECT_PROCESS,
                                                 .name = "fs context",
                                                 .destroy = context_destroy };

static struct fs_context *context_alloc(uint32_t umask) {
    struct fs_context *context = heap_alloc_zero(sizeof(*context), MEMORY_SLEEP);
    if (context != NULL) {
        object_init(&context->object, &context_type);
        spinlock_init(&context->lock, &context_class);
        atomic_init(&context->umask, umask);
    }
    return context;
}

struct fs_context *fs_context_create(struct path root) {
    struct fs_context *context = context_alloc(022);
    if (context != NULL) {
        context->root = path_get(root);
        context->work = path_get(root);
    }
    return context;
}

struct fs_context *fs_context_copy(struct fs_context *from) {
    struct fs_context *context =
        context_alloc(atomic_load_explicit(&from->umask, memory_order_relaxed));
    if (context != NULL) {
        spin_lock(&from->lock);
        context->root = path_get(from->root);
        context->work = path_get(from->work);
        spin_unlock(&from->lock);
    }
    return context;
}

struct path fs_context_root(struct fs_context *context) {
    spin_lock(&context->lock);
    struct path path = path_get(context->root);
    spin_unlock(&context->lock);
    return path;
}

struct path fs_context_work(struct fs_context *context) {
    spin_lock(&context->lock);
    struct path path = path_get(context->work);
    spin_unlock(&context->lock);
    return path;
}

void fs_context_set_root(struct fs_context *context, struct path path) {
    spin_lock(&context->lock);
    struct path old = context->root;
    context->root = path;
    spin_unlock(&context->lock);
    path_put(old);
}

void fs_context_set_work(struct fs_context *context, struct path path) {
    spin_lock(&context->lock);
    struct path old = context->work;
    context->work = path;
    spin_unlock(&context->lock);
    path_put(old);
}
