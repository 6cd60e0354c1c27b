// SPDX-License-Identifier: MIT OR Apache-2.0
// mount.c: the tree of mounts; see mount.h.
#include "mount.h"

#include "inode.h"
#include "watch.h"

#include <core/log.h>
#include <lib/format.h>
#include <lib/hash.h>
#include <lib/string.h>
#include <memory/heap.h>

#define BUCKET_COUNT 64u
#define MOUNT_KEPT                                                                                 \
    (MOUNT_READ_ONLY | MOUNT_NO_SETUID | MOUNT_NO_DEVICES | MOUNT_NO_EXECUTE | MOUNT_NO_ATIME)

static const struct lock_class mounts_class = { "mounts", LOCK_RANK_MOUNT, false };

static struct mutex mounts_lock;
static _Atomic(struct mount *) buckets[BUCKET_COUNT];
static _Atomic uint32_t next_id = 1;

static _Atomic(struct mount *) *bucket_of(const struct mount *parent, const struct name *point) {
    return &buckets[hash_u64((uintptr_t)parent ^ (uintptr_t)point << 1) % BUCKET_COUNT];
}

struct mount *mount_find(const struct mount *parent, const struct name *point) {
    struct mount *mount = atomic_load_explicit(bucket_of(parent, point), memory_order_acquire);
    while (mount != NULL && (mount_parent(mount) != parent || mount_point(mount) != point)) {
        mount = atomic_load_explicit(&mount->next, memory_order_acquire);
    }
    return mount;
}

struct mount *mount_find_get(struct mount *parent, const struct name *point) {
    epoch_enter();
    struct mount *mount = mount_find(parent, point);
    if (mount != NULL && !object_try_get(&mount->object)) {
        mount = NULL; // it has just been unmounted
    }
    epoch_leave();
    return mount;
}

// Making and ending
// -----------------------------------------------------------------------------------------------

static void mount_reclaim(struct epoch_item *item) {
    struct mount *mount = CONTAINER_OF(item, struct mount, item);
    heap_free(mount->source);
    heap_free(mount);
}

static void mount_destroy(struct object *object) {
    struct mount *mount = CONTAINER_OF(object, struct mount, object);
    struct filesystem *fs = mount->fs;
    name_put(mount->root);
    if (atomic_fetch_sub_explicit(&fs->mounts, 1, memory_order_acq_rel) == 1) {
        watches_unmounted(fs);
        names_drop(fs);
        inodes_unpin(fs);
    }
    filesystem_put(fs);
    epoch_retire(&mount->item, mount_reclaim);
}

static const struct object_type mount_type = { .kind = OBJECT_INODE,
                                               .name = "mount",
                                               .destroy = mount_destroy };

static char *text_copy(const char *text) {
    size_t size = strlen(text) + 1;
    char *copy = heap_alloc(size, MEMORY_SLEEP);
    return copy == NULL ? NULL : memcpy(copy, text, size);
}

enum hx_status mount_create(struct name *root, uint32_t flags, const char *source,
                            struct mount **out_mount) {
    struct mount *mount = heap_alloc_zero(sizeof(*mount), MEMORY_SLEEP);
    if (mount == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    mount->source = text_copy(source);
    if (mount->source == NULL) {
        heap_free(mount);
        return HX_ERR_NO_MEMORY;
    }
    object_init(&mount->object, &mount_type);
    mount->root = name_get(root);
    mount->fs = filesystem_get(name_inode(root)->fs);
    atomic_fetch_add_explicit(&mount->fs->mounts, 1, memory_order_relaxed);
    atomic_init(&mount->flags, flags & MOUNT_KEPT);
    atomic_init(&mount->writers, (flags & MOUNT_READ_ONLY) != 0 ? -1 : 0);
    mount->id = atomic_fetch_add_explicit(&next_id, 1, memory_order_relaxed);
    list_init(&mount->space_link);
    *out_mount = mount;
    return HX_OK;
}

// Hangs a mount onto a name: takes a reference of its own on the place. mounts_lock is held.
static void attach_locked(struct mount *mount, struct path at) {
    _Atomic(struct mount *) *bucket = bucket_of(at.mount, at.name);
    path_get(at);
    at.mount->children++;
    tree_change_begin();
    atomic_store_explicit(&mount->parent, at.mount, memory_order_relaxed);
    atomic_store_explicit(&mount->point, at.name, memory_order_relaxed);
    atomic_store_explicit(&mount->next, atomic_load_explicit(bucket, memory_order_relaxed),
                          memory_order_relaxed);
    atomic_store_explicit(bucket, mount, memory_order_release);
    atomic_fetch_or_explicit(&at.name->flags, NAME_MOUNTED, memory_order_release);
    tree_change_end();
}

static bool is_mounted_on(const struct name *point) {
    for (uint32_t i = 0; i < BUCKET_COUNT; i++) {
        struct mount *mount = atomic_load_explicit(&buckets[i], memory_order_relaxed);
        for (; mount != NULL; mount = atomic_load_explicit(&mount->next, memory_order_relaxed)) {
            if (mount_point(mount) == point) {
                return true;
            }
        }
    }
    return false;
}

// Takes a mount off its place, which the caller then puts. mounts_lock is held.
static struct path detach_locked(struct mount *mount) {
    struct path at = { mount_parent(mount), mount_point(mount) };
    _Atomic(struct mount *) *link = bucket_of(at.mount, at.name);
    tree_change_begin();
    while (atomic_load_explicit(link, memory_order_relaxed) != mount) {
        link = &atomic_load_explicit(link, memory_order_relaxed)->next;
    }
    atomic_store_explicit(link, atomic_load_explicit(&mount->next, memory_order_relaxed),
                          memory_order_release);
    atomic_store_explicit(&mount->parent, NULL, memory_order_relaxed);
    atomic_store_explicit(&mount->point, NULL, memory_order_relaxed);
    if (!is_mounted_on(at.name)) {
        atomic_fetch_and_explicit(&at.name->flags, ~NAME_MOUNTED, memory_order_relaxed);
    }
    tree_change_end();
    at.mount->children--;
    return at;
}

static void space_add_locked(struct mount_space *space, struct mount *mount) {
    mount->space = space;
    list_push_back(&space->mounts, &mount->space_link);
}

static void space_remove_locked(struct mount *mount) {
    list_remove(&mount->space_link);
    mount->space = NULL;
}

// Spaces
// -----------------------------------------------------------------------------------------------

struct mount_space *mount_space_create(struct path *out_root) {
    struct mount_space *space = heap_alloc_zero(sizeof(*space), MEMORY_SLEEP);
    struct name *root = NULL;
    if (space == NULL || filesystem_create("rootfs", "", &root) != HX_OK) {
        goto fail_root;
    }
    list_init(&space->mounts);
    if (mount_create(root, 0, "rootfs", &space->root) != HX_OK) {
        goto fail_mount;
    }
    name_put(root); // the mount has its own
    mutex_lock(&mounts_lock);
    space_add_locked(space, space->root);
    mutex_unlock(&mounts_lock);
    *out_root = path_get((struct path){ space->root, space->root->root });
    return space;
fail_mount:
    inodes_unpin(name_inode(root)->fs);
    name_put(root);
fail_root:
    heap_free(space);
    return NULL;
}

// Mounting
// -----------------------------------------------------------------------------------------------

// Puts a finished mount into the tree at the top of what is mounted at `at`. Takes the mount on OK.
static enum hx_status mount_add(struct mount_space *space, struct mount *mount, struct path at) {
    bool is_directory = inode_type(name_inode(mount->root)) == FS_MODE_DIRECTORY;
    if (is_directory != (inode_type(path_inode(at)) == FS_MODE_DIRECTORY)) {
        return HX_ERR_NOT_DIRECTORY;
    }
    struct path top = path_get(at);
    enum hx_status status = HX_OK;
    mutex_lock(&mounts_lock);
    for (struct mount *over; (over = mount_find_get(top.mount, top.name)) != NULL;) {
        name_put(top.name);
        mount_put(top.mount);
        top = (struct path){ over, name_get(over->root) };
    }
    if (top.mount->space != space) {
        status = HX_ERR_INVALID;
    } else if (name_is_dead(top.name) && name_parent(top.name) != NULL) {
        status = HX_ERR_NOT_FOUND; // removed, or of a kind that cannot carry a mount
    } else {
        attach_locked(mount, top);
        space_add_locked(space, mount);
    }
    mutex_unlock(&mounts_lock);
    path_put(top);
    return status;
}

static enum hx_status remount(struct path at, uint32_t flags) {
    if (at.name != at.mount->root) {
        return HX_ERR_INVALID;
    }
    const bool read_only = (flags & MOUNT_READ_ONLY) != 0;
    enum hx_status status = HX_OK;
    mutex_lock(&mounts_lock);
    if ((flags & MOUNT_BIND) == 0) {
        status = filesystem_set_read_only(at.mount->fs, read_only);
    }
    if (status == HX_OK) {
        status = writers_allow(&at.mount->writers, !read_only);
    }
    if (status == HX_OK) {
        atomic_store_explicit(&at.mount->flags, flags & MOUNT_KEPT, memory_order_relaxed);
    }
    mutex_unlock(&mounts_lock);
    return status;
}

enum hx_status vfs_mount(struct mount_space *space, const char *source, const char *type_name,
                         struct path at, uint32_t flags, const char *options) {
    if ((flags & MOUNT_REMOUNT) != 0) {
        return remount(at, flags);
    }
    struct name *root = NULL;
    struct mount *mount = NULL;
    bool is_shared = strcmp(type_name, DEVTMPFS_NAME) == 0;
    enum hx_status status =
        is_shared ? devtmpfs_root(&root)
                  : filesystem_create(type_name, options == NULL ? "" : options, &root);
    if (status != HX_OK) {
        return status;
    }
    status = mount_create(root, flags, source == NULL ? "none" : source, &mount);
    if (status != HX_OK) {
        if (!is_shared) {
            inodes_unpin(name_inode(root)->fs);
        }
        name_put(root);
        return status;
    }
    name_put(root);
    if (!is_shared) {
        status = filesystem_set_read_only(mount->fs, (flags & MOUNT_READ_ONLY) != 0);
    }
    if (status == HX_OK) {
        status = mount_add(space, mount, at);
    }
    if (status != HX_OK) {
        mount_put(mount);
    }
    return status;
}

enum hx_status vfs_bind(struct mount_space *space, struct path from, struct path at) {
    struct mount *mount = NULL;
    mutex_lock(&mounts_lock);
    const bool is_here = from.mount->space == space;
    mutex_unlock(&mounts_lock);
    if (!is_here) { // by a descriptor: from elsewhere, or from where nobody gets by names
        return HX_ERR_INVALID;
    }
    if (name_is_dead(from.name) && name_parent(from.name) != NULL) {
        return HX_ERR_NOT_FOUND;
    }
    enum hx_status status =
        mount_create(from.name, mount_flags(from.mount), from.mount->source, &mount);
    if (status != HX_OK) {
        return status;
    }
    status = mount_add(space, mount, at);
    if (status != HX_OK) {
        mount_put(mount);
    }
    return status;
}

// Whether `mount` is `above` or hangs somewhere below it; mounts_lock is held.
static bool is_below_locked(struct mount *mount, const struct mount *above) {
    while (mount != NULL && mount != above) {
        mount = mount_parent(mount);
    }
    return mount == above;
}

enum hx_status vfs_move(struct mount_space *space, struct path from, struct path at) {
    struct mount *mount = from.mount;
    struct path old = { NULL, NULL };
    enum hx_status status = HX_OK;
    bool from_directory = inode_type(path_inode(from)) == FS_MODE_DIRECTORY;
    bool at_directory = inode_type(path_inode(at)) == FS_MODE_DIRECTORY;
    mutex_lock(&mounts_lock);
    if (from.name != mount->root || mount_parent(mount) == NULL || mount->space != space ||
        at.mount->space != space) {
        status = HX_ERR_INVALID;
    } else if (from_directory != at_directory) {
        status = HX_ERR_NOT_DIRECTORY;
    } else if (is_below_locked(at.mount, mount)) {
        status = HX_ERR_TOO_MANY_LINKS;
    } else if (name_is_dead(at.name) && name_parent(at.name) != NULL) {
        status = HX_ERR_NOT_FOUND;
    } else {
        old = detach_locked(mount);
        attach_locked(mount, at);
    }
    mutex_unlock(&mounts_lock);
    path_put(old);
    return status;
}

// Takes a whole subtree out of its space; the mounts go onto `removed`. mounts_lock is held.
static void detach_tree_locked(struct mount *mount, struct list *removed) {
    struct list *link = mount->space->mounts.next;
    struct list *end = &mount->space->mounts;
    while (link != end) { // children stand behind their parents, but a moved mount may not
        struct mount *other = LIST_ENTRY(link, struct mount, space_link);
        link = link->next;
        if (other != mount && is_below_locked(other, mount)) {
            space_remove_locked(other);
            list_push_back(removed, &other->space_link);
        }
    }
    space_remove_locked(mount);
    list_push_front(removed, &mount->space_link);
}

static void removed_put(struct list *removed) {
    struct list *link;
    while ((link = list_pop_front(removed)) != NULL) {
        struct mount *mount = LIST_ENTRY(link, struct mount, space_link);
        mutex_lock(&mounts_lock);
        struct path at = detach_locked(mount);
        mutex_unlock(&mounts_lock);
        path_put(at);
        mount_put(mount);
    }
}

enum hx_status vfs_unmount(struct mount_space *space, struct path at, uint32_t flags) {
    struct mount *mount = at.mount;
    struct list removed;
    enum hx_status status = HX_OK;
    list_init(&removed);
    mutex_lock(&mounts_lock);
    if (at.name != mount->root || mount_parent(mount) == NULL || mount->space != space) {
        status = HX_ERR_INVALID;
    } else if ((flags & UNMOUNT_DETACH) != 0) {
        detach_tree_locked(mount, &removed);
    } else if (mount->children != 0 ||
               atomic_load_explicit(&mount->object.references, memory_order_acquire) != 2) {
        status = HX_ERR_BUSY; // more than the tree's reference and the caller's
    } else {
        // Who comes in between keeps the mount alive, out of the tree, as with UNMOUNT_DETACH.
        space_remove_locked(mount);
        list_push_front(&removed, &mount->space_link);
    }
    mutex_unlock(&mounts_lock);
    removed_put(&removed);
    return status;
}

// Text
// -----------------------------------------------------------------------------------------------

static size_t mount_line(struct mount_space *space, struct mount *mount, char *line,
                         size_t capacity) {
    char *target = heap_alloc(PATH_BYTES_MAX, MEMORY_SLEEP);
    size_t length = 0;
    if (target == NULL) {
        return 0;
    }
    struct path at = { mount, mount->root };
    struct path root = { space->root, space->root->root };
    uint32_t flags = mount_flags(mount);
    bool read_only = (flags & MOUNT_READ_ONLY) != 0 ||
                     atomic_load_explicit(&mount->fs->read_only, memory_order_relaxed) != 0;
    if (path_to_text(at, root, target, PATH_BYTES_MAX, &length) == HX_OK) {
        length = format_string(line, capacity, "%s %s %s %s%s%s%s%s 0 0\n", mount->source, target,
                               mount->fs->type_name, read_only ? "ro" : "rw",
                               (flags & MOUNT_NO_SETUID) != 0 ? ",nosuid" : "",
                               (flags & MOUNT_NO_DEVICES) != 0 ? ",nodev" : "",
                               (flags & MOUNT_NO_EXECUTE) != 0 ? ",noexec" : "",
                               (flags & MOUNT_NO_ATIME) != 0 ? ",noatime" : ",relatime");
    }
    heap_free(target);
    return MIN_OF(length, capacity - 1);
}

enum hx_status vfs_mounts_text(struct mount_space *space, uint64_t offset, char *buffer,
                               uint32_t capacity, uint32_t *out_length) {
    const size_t line_bytes = (size_t)2 * PATH_BYTES_MAX;
    char *line = heap_alloc(line_bytes, MEMORY_SLEEP);
    uint64_t at = 0;
    uint32_t written = 0;
    if (line == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    mutex_lock(&mounts_lock);
    list_for_each (link, &space->mounts) {
        struct mount *mount = LIST_ENTRY(link, struct mount, space_link);
        size_t length = mount_line(space, mount, line, line_bytes);
        for (size_t i = 0; i < length; i++, at++) {
            if (at >= offset && written < capacity) {
                buffer[written++] = line[i];
            }
        }
    }
    mutex_unlock(&mounts_lock);
    heap_free(line);
    *out_length = written;
    return HX_OK;
}

uint32_t path_mount_flags(struct path path) {
    uint32_t flags = mount_flags(path.mount);
    if (atomic_load_explicit(&path.mount->fs->read_only, memory_order_relaxed) != 0) {
        flags |= MOUNT_READ_ONLY;
    }
    return flags;
}

enum hx_status path_writable(struct path path) {
    return (path_mount_flags(path) & MOUNT_READ_ONLY) != 0 ? HX_ERR_READ_ONLY : HX_OK;
}

// Writers
// -----------------------------------------------------------------------------------------------

enum hx_status writers_allow(_Atomic int32_t *writers, bool may_be) {
    int32_t from = may_be ? -1 : 0;
    return atomic_compare_exchange_strong_explicit(writers, &from, may_be ? 0 : -1,
                                                   memory_order_acq_rel, memory_order_relaxed) ||
                   may_be || from < 0
               ? HX_OK
               : HX_ERR_BUSY;
}

static enum hx_status writer_add(_Atomic int32_t *writers) {
    int32_t now = atomic_load_explicit(writers, memory_order_relaxed);
    while (now >= 0) {
        if (atomic_compare_exchange_weak_explicit(writers, &now, now + 1, memory_order_acq_rel,
                                                  memory_order_relaxed)) {
            return HX_OK;
        }
    }
    return HX_ERR_READ_ONLY;
}

static void writer_remove(_Atomic int32_t *writers) {
    const int32_t old = atomic_fetch_sub_explicit(writers, 1, memory_order_acq_rel);
    ASSERT(old > 0);
}

enum hx_status path_write_begin(struct path path) {
    enum hx_status status = writer_add(&path.mount->fs->writers);
    if (status == HX_OK) {
        status = writer_add(&path.mount->writers);
        if (status != HX_OK) {
            writer_remove(&path.mount->fs->writers);
        }
    }
    return status;
}

// The file system's last: who finds none there finds none in any mount.
void path_write_end(struct path path) {
    writer_remove(&path.mount->writers);
    writer_remove(&path.mount->fs->writers);
}

uint32_t path_mount_id(struct path path) {
    return path.mount->id;
}

bool path_is_mount_root(struct path path) {
    return path.name == path.mount->root;
}

enum hx_status mounts_init(void) {
    mutex_init(&mounts_lock, &mounts_class);
    return HX_OK;
}
