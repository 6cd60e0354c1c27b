// SPDX-License-Identifier: MIT OR Apache-2.0
// files.c: descriptor tables.
//
// A table is an array of files and a bit per number for close-on-exec. It begins inside the table
// itself; a larger one replaces it when a number beyond it is used. Every change is made under the
// table's lock; files are closed (which may sleep) outside it.
#include "descriptor.h"
#include "locks.h"

#include <lib/bitmap.h>
#include <lib/string.h>
#include <memory/heap.h>

static const struct lock_class file_table_class = {
    .name = "file table",
    .rank = LOCK_RANK_SIGNAL + 2,
    .nest = false,
};

#define TABLE_MAPPED_BYTES 32768u // from this size on, arrays come as mapped pages

// What a file that somebody watches has to be told of when its last reference goes, or that to a
// derived capability for it.
static void file_gone(struct file *file, const struct capability *dropped) {
    if (dropped == NULL) {
        advisory_released(file);
        dnotify_released(file);
    }
    epoll_released(file, dropped);
}

void descriptors_init(void) {
    locks_init();
    epoll_init();
    native_files_init();
    file_watcher = file_gone;
}

static void *array_alloc(size_t size_bytes) {
    if (size_bytes >= TABLE_MAPPED_BYTES) {
        return kernel_map_alloc(size_bytes);
    }
    return heap_alloc_zero(size_bytes, MEMORY_SLEEP);
}

static void array_free(void *array, size_t size_bytes) {
    if (size_bytes >= TABLE_MAPPED_BYTES) {
        kernel_map_free(array, size_bytes);
    } else {
        heap_free(array);
    }
}

static uint32_t lowest_locked(const struct file_table *table) {
    return atomic_load_explicit(&table->lowest, memory_order_relaxed);
}

static void lowest_set_locked(struct file_table *table, uint32_t fd) {
    atomic_store_explicit(&table->lowest, fd, memory_order_relaxed);
}

// `fd` has a file now.
static void lowest_took_locked(struct file_table *table, uint32_t fd) {
    if (fd == lowest_locked(table)) {
        do {
            fd++;
        } while (fd < table->capacity && table->files[fd] != NULL);
        lowest_set_locked(table, fd);
    }
}

// Arrays of one size, on their way into or out of a table.
struct table_arrays {
    uint32_t capacity;
    struct capability **files;
    uint64_t *close_on_exec;
};

static size_t files_bytes(uint32_t capacity) {
    return capacity * sizeof(struct capability *);
}

static bool arrays_alloc(struct table_arrays *arrays, uint32_t capacity) {
    arrays->capacity = capacity;
    arrays->files = (struct capability **)array_alloc(files_bytes(capacity));
    arrays->close_on_exec = array_alloc(capacity / 8);
    if (arrays->files != NULL && arrays->close_on_exec != NULL) {
        return true;
    }
    if (arrays->files != NULL) {
        array_free((void *)arrays->files, files_bytes(capacity));
    }
    if (arrays->close_on_exec != NULL) {
        array_free(arrays->close_on_exec, capacity / 8);
    }
    return false;
}

static void arrays_free(const struct table_arrays *arrays) {
    if (arrays->capacity > FILE_TABLE_FIRST) {
        array_free((void *)arrays->files, files_bytes(arrays->capacity));
        array_free(arrays->close_on_exec, arrays->capacity / 8);
    }
}

// Puts larger arrays into the table; the old ones are left in *arrays.
static void table_swap_arrays(struct file_table *table, struct table_arrays *arrays) {
    const struct table_arrays old = { table->capacity, table->files, table->close_on_exec };
    memcpy((void *)arrays->files, (const void *)old.files, files_bytes(old.capacity));
    memcpy(arrays->close_on_exec, old.close_on_exec, old.capacity / 8);
    table->files = arrays->files;
    table->close_on_exec = arrays->close_on_exec;
    table->capacity = arrays->capacity;
    *arrays = old;
}

// Makes room for number `fd`. HX_ERR_NO_MEMORY.
static enum hx_status table_grow(struct file_table *table, uint32_t fd) {
    uint32_t capacity = FILE_TABLE_FIRST;
    while (capacity <= fd) {
        capacity *= 2;
    }
    struct table_arrays arrays;
    if (!arrays_alloc(&arrays, capacity)) {
        return HX_ERR_NO_MEMORY;
    }
    spin_lock(&table->lock);
    if (table->capacity < capacity) {
        table_swap_arrays(table, &arrays);
    }
    spin_unlock(&table->lock);
    arrays_free(&arrays);
    return HX_OK;
}

static void descriptor_closed(struct file_table *table, struct capability *capability) {
    struct file *file = capability_file(capability);
    if (file->inode != NULL) {
        advisory_closed(table, file);
        dnotify_closed(table, file);
    }
    if (file->ops->flush != NULL) {
        file->ops->flush(file);
    }
    capability_put(capability);
}

static void file_table_destroy(struct object *object) {
    struct file_table *table = CONTAINER_OF(object, struct file_table, object);
    const struct table_arrays arrays = { table->capacity, table->files, table->close_on_exec };
    arrays_free(&arrays);
    heap_free(table);
}

static const struct object_type file_table_type = {
    .kind = OBJECT_TABLE,
    .name = "file table",
    .destroy = file_table_destroy,
};

struct file_table *file_table_create(void) {
    struct file_table *table = heap_alloc_zero(sizeof(*table), MEMORY_SLEEP);
    if (table == NULL) {
        return NULL;
    }
    object_init(&table->object, &file_table_type);
    atomic_init(&table->users, 1);
    spinlock_init(&table->lock, &file_table_class);
    table->capacity = FILE_TABLE_FIRST;
    table->files = table->first_files;
    table->close_on_exec = table->first_close_on_exec;
    return table;
}

uint32_t file_table_capacity(struct file_table *table) {
    spin_lock(&table->lock);
    const uint32_t capacity = table->capacity;
    spin_unlock(&table->lock);
    return capacity;
}

// Copies the entries of a table that fits into the new one. False if it has grown meanwhile.
static bool table_copy_entries(struct file_table *to, struct file_table *from) {
    spin_lock(&from->lock);
    const bool fits = from->capacity <= to->capacity;
    if (fits) {
        for (uint32_t fd = from->capacity; fd-- > 0;) {
            if (from->files[fd] != NULL) {
                to->files[fd] = capability_get(from->files[fd]);
            }
        }
        memcpy(to->close_on_exec, from->close_on_exec, from->capacity / 8);
        lowest_set_locked(to, lowest_locked(from));
    }
    spin_unlock(&from->lock);
    return fits;
}

struct file_table *file_table_copy(struct file_table *from) {
    struct file_table *table = file_table_create();
    if (table == NULL) {
        return NULL;
    }
    do {
        const uint32_t capacity = file_table_capacity(from);
        if (capacity > table->capacity && table_grow(table, capacity - 1) != HX_OK) {
            file_table_put(table);
            return NULL;
        }
    } while (!table_copy_entries(table, from));
    return table;
}

struct file_table *file_table_get(struct file_table *table) {
    atomic_fetch_add_explicit(&table->users, 1, memory_order_relaxed);
    return file_table_hold(table);
}

// Acquire: the last one sees what the others did.
void file_table_put(struct file_table *table) {
    if (atomic_fetch_sub_explicit(&table->users, 1, memory_order_acq_rel) == 1) {
        file_table_close_range(table, 0, UINT32_MAX, false);
    }
    file_table_drop(table);
}

bool file_table_is_shared(const struct file_table *table) {
    return atomic_load_explicit(&table->users, memory_order_acquire) > 1;
}

struct file_table *file_table_hold(struct file_table *table) {
    object_get(&table->object);
    return table;
}

void file_table_drop(struct file_table *table) {
    object_put(&table->object);
}

enum hx_status file_table_find(struct file_table *table, int32_t fd,
                               struct capability **out_capability) {
    enum hx_status status = HX_ERR_BAD_HANDLE;
    spin_lock(&table->lock);
    if ((uint32_t)fd < table->capacity && table->files[fd] != NULL) {
        *out_capability = capability_get(table->files[fd]);
        status = HX_OK;
    }
    spin_unlock(&table->lock);
    return status;
}

enum hx_status descriptor_get_slow(struct call *call, int32_t fd, rights_t need,
                                   struct descriptor *out_descriptor) {
    struct capability *capability;
    enum hx_status status = file_table_find(call->process->files, fd, &capability);
    if (status != HX_OK) {
        return status;
    }
    status = capability_enter(capability, need);
    if (status != HX_OK) {
        capability_put(capability);
        return status;
    }
    out_descriptor->file = capability_file(capability);
    out_descriptor->capability = capability;
    out_descriptor->held = capability;
    return HX_OK;
}

void descriptor_put_slow(const struct descriptor *descriptor) {
    capability_leave(descriptor->held);
    capability_put(descriptor->held);
}

// RLIMIT_NOFILE of the current process, as far as a table can go.
static uint32_t descriptor_limit(void) {
    struct posix_process *process = posix_current();
    const uint64_t limit = process != NULL ? posix_limit(process, RLIMIT_NOFILE) : FILE_TABLE_MAX;
    return (uint32_t)MIN_OF(limit, (uint64_t)FILE_TABLE_MAX);
}

static void table_mark(struct file_table *table, uint32_t fd, bool close_on_exec) {
    if (close_on_exec) {
        bitmap_set(table->close_on_exec, fd);
    } else {
        bitmap_clear(table->close_on_exec, fd);
    }
}

enum hx_status file_table_add(struct file_table *table, struct capability *capability,
                              bool close_on_exec, int32_t from, int32_t *out_fd) {
    const uint32_t limit = descriptor_limit();
    for (;;) {
        spin_lock(&table->lock);
        uint32_t fd = MAX_OF((uint32_t)from, lowest_locked(table));
        while (fd < table->capacity && table->files[fd] != NULL) {
            fd++;
        }
        if (fd < table->capacity && fd < limit) {
            table->files[fd] = capability;
            table_mark(table, fd, close_on_exec);
            lowest_took_locked(table, fd);
            spin_unlock(&table->lock);
            *out_fd = (int32_t)fd;
            return HX_OK;
        }
        spin_unlock(&table->lock);
        if (fd >= limit) {
            return HX_ERR_TABLE_FULL;
        }
        enum hx_status status = table_grow(table, fd);
        if (status != HX_OK) {
            return status;
        }
    }
}

void file_table_tally(struct file_table *table, struct tally *tally) {
    struct capability *capability;
    for (uint32_t fd = 0;; fd++) {
        spin_lock(&table->lock);
        while (fd < table->capacity && table->files[fd] == NULL) {
            fd++;
        }
        const bool is_end = fd >= table->capacity;
        capability = is_end ? NULL : capability_get(table->files[fd]);
        spin_unlock(&table->lock);
        if (is_end) {
            return;
        }
        tally_object(tally, capability->object);
        capability_put(capability);
    }
}

// Takes what is there out of its place; NULL if there is nothing.
static struct capability *table_take_locked(struct file_table *table, uint32_t fd) {
    struct capability *capability = fd < table->capacity ? table->files[fd] : NULL;
    if (capability != NULL) {
        table->files[fd] = NULL;
        bitmap_clear(table->close_on_exec, fd);
        lowest_set_locked(table, MIN_OF(lowest_locked(table), fd));
    }
    return capability;
}

enum hx_status file_table_close(struct file_table *table, int32_t fd) {
    spin_lock(&table->lock);
    struct capability *capability = table_take_locked(table, (uint32_t)fd);
    spin_unlock(&table->lock);
    if (capability == NULL) {
        return HX_ERR_BAD_HANDLE;
    }
    descriptor_closed(table, capability);
    return HX_OK;
}

void file_table_take_back(struct file_table *table, int32_t fd,
                          const struct capability *capability) {
    struct capability *taken = NULL;
    spin_lock(&table->lock);
    if ((uint32_t)fd < table->capacity && table->files[fd] == capability) {
        taken = table_take_locked(table, (uint32_t)fd);
    }
    spin_unlock(&table->lock);
    if (taken != NULL) {
        descriptor_closed(table, taken);
    }
}

enum hx_status file_table_put_at(struct file_table *table, int32_t fd,
                                 struct capability *capability, bool close_on_exec) {
    if ((uint32_t)fd >= descriptor_limit()) {
        return HX_ERR_BAD_HANDLE;
    }
    spin_lock(&table->lock);
    while ((uint32_t)fd >= table->capacity) {
        spin_unlock(&table->lock);
        enum hx_status status = table_grow(table, (uint32_t)fd);
        if (status != HX_OK) {
            return status;
        }
        spin_lock(&table->lock);
    }
    struct capability *old = table->files[fd];
    table->files[fd] = capability;
    table_mark(table, (uint32_t)fd, close_on_exec);
    lowest_took_locked(table, (uint32_t)fd);
    spin_unlock(&table->lock);
    if (old != NULL) {
        descriptor_closed(table, old);
    }
    return HX_OK;
}

// The lowest number in [first, last] whose entry, taken out, is *out_capability; false at the end.
static bool table_take_next(struct file_table *table, uint32_t *first, uint32_t last,
                            bool only_marked, struct capability **out_capability) {
    struct capability *capability = NULL;
    spin_lock(&table->lock);
    uint32_t fd = *first;
    for (; fd < table->capacity && fd <= last && capability == NULL; fd++) {
        if (!only_marked || bitmap_get(table->close_on_exec, fd)) {
            capability = table_take_locked(table, fd);
        }
    }
    spin_unlock(&table->lock);
    *first = fd;
    *out_capability = capability;
    return capability != NULL;
}

void file_table_close_on_exec(struct file_table *table) {
    uint32_t first = 0;
    struct capability *capability;
    while (table_take_next(table, &first, UINT32_MAX, true, &capability)) {
        descriptor_closed(table, capability);
    }
}

void file_table_close_range(struct file_table *table, uint32_t first, uint32_t last,
                            bool only_mark) {
    if (only_mark) {
        spin_lock(&table->lock);
        for (uint32_t fd = first; fd < table->capacity && fd <= last; fd++) {
            table_mark(table, fd, true);
        }
        spin_unlock(&table->lock);
        return;
    }
    struct capability *capability;
    while (table_take_next(table, &first, last, false, &capability)) {
        descriptor_closed(table, capability);
    }
}

enum hx_status file_table_get_mark(struct file_table *table, int32_t fd, bool *out_close_on_exec) {
    enum hx_status status = HX_ERR_BAD_HANDLE;
    spin_lock(&table->lock);
    if ((uint32_t)fd < table->capacity && table->files[fd] != NULL) {
        *out_close_on_exec = bitmap_get(table->close_on_exec, (uint32_t)fd);
        status = HX_OK;
    }
    spin_unlock(&table->lock);
    return status;
}

enum hx_status file_table_set_mark(struct file_table *table, int32_t fd, bool close_on_exec) {
    enum hx_status status = HX_ERR_BAD_HANDLE;
    spin_lock(&table->lock);
    if ((uint32_t)fd < table->capacity && table->files[fd] != NULL) {
        table_mark(table, (uint32_t)fd, close_on_exec);
        status = HX_OK;
    }
    spin_unlock(&table->lock);
    return status;
}

bool file_table_next(struct file_table *table, int32_t from, int32_t *out_fd,
                     struct capability **out_capability) {
    bool found = false;
    spin_lock(&table->lock);
    for (uint32_t fd = from < 0 ? 0 : (uint32_t)from; fd < table->capacity && !found; fd++) {
        if (table->files[fd] != NULL) {
            *out_fd = (int32_t)fd;
            *out_capability = capability_get(table->files[fd]);
            found = true;
        }
    }
    spin_unlock(&table->lock);
    return found;
}

enum hx_status call_add_file(struct call *call, struct file *file, bool close_on_exec) {
    int32_t fd;
    enum hx_status status =
        file_table_add(call->process->files, &file->root, close_on_exec, 0, &fd);
    if (status != HX_OK) {
        file_put(file);
        return status;
    }
    return call_ok(call, fd);
}

enum hx_status files_open_console(struct file_table *table, struct fs_context *context,
                                  struct credentials *credentials) {
    struct lookup lookup = { .context = context, .credentials = credentials };
    lookup.base = fs_context_root(context);
    struct file *file;
    enum hx_status status = file_open(&lookup, "/dev/console", FILE_READ | FILE_WRITE, 0, &file);
    path_put(lookup.base);
    for (int32_t fd = 0; status == HX_OK && fd < 3; fd++) {
        int32_t got;
        status = file_table_add(table, capability_get(&file->root), false, fd, &got);
        if (status != HX_OK) {
            file_put(file);
        }
    }
    if (status == HX_OK) {
        file_put(file);
    }
    return status;
}
