// SPDX-License-Identifier: MIT OR Apache-2.0
// devtmpfs.c: the one file system with all device nodes that every mount of type devtmpfs shows,
// and /dev/kmsg.
//
// It is an ordinary instance of the module's type, made when it is first asked for; nodes that were
// added before are created then, later ones at once. Whoever may, changes it like any other.
#include "file_kinds.h"
#include "mount.h"

#include <core/log.h>
#include <core/thread.h>
#include <core/time.h>
#include <lib/format.h>
#include <lib/string.h>
#include <memory/heap.h>

// Outside of all locks of the tree: nodes are created under it.
static const struct lock_class nodes_class = { "device nodes", LOCK_RANK_MOUNT - 2, false };

struct device_node {
    struct list link;
    const char *name;
    uint32_t mode;
    uint64_t device;
};

static struct mutex nodes_lock;
static struct list nodes = LIST_INIT(nodes); // [nodes_lock]
static struct mount *shared;                 // [nodes_lock] never unmounted; NULL: not made yet

static const struct {
    const char *name;
    const char *target;
} links[] = {
    { "fd", "/proc/self/fd" },
    { "stdin", "/proc/self/fd/0" },
    { "stdout", "/proc/self/fd/1" },
    { "stderr", "/proc/self/fd/2" },
};

static struct lookup shared_lookup(void) {
    return (struct lookup){ .base = { shared, shared->root } };
}

// The folders on the way to a name like "input/mice".
static void make_parents(const struct lookup *lookup, const char *name) {
    char folder[64];
    for (const char *slash = strchr(name, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        size_t length = (size_t)(slash - name);
        if (length >= sizeof(folder)) {
            return;
        }
        memcpy(folder, name, length);
        folder[length] = '\0';
        HX_IGNORE(vfs_create(lookup, folder, FS_MODE_DIRECTORY | 0755, 0, NULL)); // is there
    }
}

static enum hx_status make_node(const struct device_node *node) {
    struct lookup lookup = shared_lookup();
    make_parents(&lookup, node->name);
    enum hx_status status = vfs_create(&lookup, node->name, node->mode, node->device, NULL);
    return status == HX_ERR_EXISTS ? HX_OK : status;
}

static enum hx_status make_all_locked(void) {
    struct lookup lookup = shared_lookup();
    for (size_t i = 0; i < ARRAY_SIZE(links); i++) {
        enum hx_status status = vfs_symlink(&lookup, links[i].target, links[i].name);
        if (status != HX_OK) {
            return status;
        }
    }
    list_for_each (link, &nodes) {
        enum hx_status status = make_node(LIST_ENTRY(link, struct device_node, link));
        if (status != HX_OK) {
            return status;
        }
    }
    return HX_OK;
}

static enum hx_status make_shared_locked(void) {
    struct name *root;
    enum hx_status status = filesystem_create(DEVTMPFS_NAME, "mode=755", &root);
    if (status != HX_OK) {
        return status;
    }
    status = mount_create(root, 0, DEVTMPFS_NAME, &shared);
    if (status != HX_OK) {
        inodes_unpin(name_inode(root)->fs);
    } else {
        status = make_all_locked();
        if (status != HX_OK) {
            mount_put(shared);
            shared = NULL;
        }
    }
    name_put(root);
    return status;
}

enum hx_status devtmpfs_root(struct name **out_root) {
    enum hx_status status = HX_OK;
    mutex_lock(&nodes_lock);
    if (shared == NULL) {
        status = make_shared_locked();
    }
    if (status == HX_OK) {
        *out_root = name_get(shared->root);
    }
    mutex_unlock(&nodes_lock);
    return status;
}

enum hx_status device_node_add(const char *name, uint32_t mode, uint32_t major, uint32_t minor) {
    struct device_node *node = heap_alloc_zero(sizeof(*node), MEMORY_SLEEP);
    enum hx_status status = HX_OK;
    if (node == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    node->name = name;
    node->mode = (mode & FS_MODE_TYPE) == 0 ? mode | FS_MODE_CHAR : mode;
    node->device = (uint64_t)major << 32 | minor;
    mutex_lock(&nodes_lock);
    if (shared != NULL) {
        status = make_node(node);
    }
    if (status == HX_OK) {
        list_push_back(&nodes, &node->link);
    }
    mutex_unlock(&nodes_lock);
    if (status != HX_OK) {
        heap_free(node);
    }
    return status;
}

static void unmake_node(const struct device_node *node) {
    struct lookup lookup = shared_lookup();
    struct path found;
    if (path_lookup(&lookup, node->name, &found) != HX_OK) {
        return; // somebody has removed it
    }
    const struct fs_info *info = &path_inode(found)->info;
    const bool is_same =
        ((info->mode ^ node->mode) & FS_MODE_TYPE) == 0 && info->device == node->device;
    path_put(found);
    if (is_same) {
        HX_IGNORE(vfs_unlink(&lookup, node->name, false)); // or it goes just now
    }
}

void device_node_remove(const char *name) {
    mutex_lock(&nodes_lock);
    list_for_each_safe (link, &nodes) {
        struct device_node *node = LIST_ENTRY(link, struct device_node, link);
        if (node->name == name) {
            list_remove(&node->link);
            if (shared != NULL) {
                unmake_node(node);
            }
            heap_free(node);
        }
    }
    mutex_unlock(&nodes_lock);
}

// /dev/kmsg: one line a read, in Linux's record format (Documentation/ABI/testing/dev-kmsg); each
// write is a line.
// -----------------------------------------------------------------------------------------------

#define KMSG_MAJOR   1u
#define KMSG_MINOR   11u
#define KMSG_LINE    1024u
#define KMSG_POLL_NS ((time_ns_t)100000000)

static const struct lock_class kmsg_class = { "reader of kmsg", LOCK_RANK_PROCESS_TREE - 4, false };

struct kmsg_reader {
    struct mutex lock;
    uint64_t position; // [lock] in the log
    uint64_t sequence; // [lock]
};

// Makes the next record in `record`, unless it has more than `most` bytes, in *out_bytes.
// HX_ERR_WOULD_BLOCK: there is none yet.
static enum hx_status kmsg_next_locked(struct kmsg_reader *reader, char *record, size_t most,
                                       size_t *out_bytes) {
    if (reader->position >= log_end()) {
        return HX_ERR_WOULD_BLOCK;
    }
    size_t head = format_string(record, 64, "6,%llu,0,-;", (unsigned long long)reader->sequence);
    uint64_t position = reader->position;
    size_t length = log_read(&position, record + head, KMSG_LINE - 1);
    const char *end = memchr(record + head, '\n', length);
    size_t line = end == NULL ? length : (size_t)(end - (record + head));
    record[head + line] = '\n';
    *out_bytes = head + line + 1;
    if (*out_bytes > most) {
        return HX_ERR_INVALID;
    }
    reader->position = position - length + line + (end == NULL ? 0 : 1);
    reader->sequence++;
    return HX_OK;
}

// Sleeps without the lock: others who read here wait for themselves, and can be stopped.
static enum hx_status kmsg_next(struct file *file, char *record, size_t most, size_t *out_bytes) {
    struct kmsg_reader *reader = file->data;
    for (;;) {
        mutex_lock(&reader->lock);
        enum hx_status status = kmsg_next_locked(reader, record, most, out_bytes);
        mutex_unlock(&reader->lock);
        if (status != HX_ERR_WOULD_BLOCK || (file_flags(file) & FILE_NONBLOCK) != 0) {
            return status;
        }
        if (!thread_sleep_until(time_now() + KMSG_POLL_NS, WAIT_INTERRUPTIBLE)) {
            return HX_ERR_RESTART;
        }
    }
}

static enum hx_status kmsg_read(struct file *file, struct io_buffer *to, uint64_t offset,
                                size_t *out_moved) {
    size_t bytes = 0;
    (void)offset;
    char *record = heap_alloc(KMSG_LINE + 64, MEMORY_SLEEP);
    if (record == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    enum hx_status status = kmsg_next(file, record, to->remaining, &bytes);
    if (status == HX_OK) {
        status = io_buffer_put(to, record, bytes, out_moved);
    }
    heap_free(record);
    return status;
}

// What is written may begin with "<N>", its level; without that it is information. Moves *text.
static enum log_level kmsg_level(const char **text) {
    const char *at = *text;
    if (at[0] != '<' || at[1] < '0' || at[1] > '7' || at[2] != '>') {
        return LOG_INFO;
    }
    *text += 3;
    return (enum log_level)(at[1] - '0');
}

static enum hx_status kmsg_write(struct file *file, struct io_buffer *from, uint64_t offset,
                                 size_t *out_moved) {
    size_t total = from->remaining;
    size_t taken = 0;
    (void)file;
    (void)offset;
    char *line = heap_alloc(KMSG_LINE, MEMORY_SLEEP);
    if (line == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    enum hx_status status = io_buffer_take(from, line, KMSG_LINE - 1, &taken);
    if (status == HX_OK) {
        while (taken > 0 && line[taken - 1] == '\n') {
            taken--;
        }
        line[taken] = '\0';
        const char *text = line;
        enum log_level level = kmsg_level(&text);
        log_write(level, "%s", text);
        *out_moved = total;
    }
    heap_free(line);
    return status;
}

static void kmsg_release(struct file *file) {
    heap_free(file->data);
}

static enum hx_status kmsg_seek(struct file *file, int64_t offset, uint32_t whence,
                                uint64_t *out_position) {
    struct kmsg_reader *reader = file->data;
    if (offset != 0 || whence > SEEK_TO_DATA) {
        return HX_ERR_INVALID;
    }
    mutex_lock(&reader->lock);
    reader->position = whence == SEEK_FROM_START ? 0 : log_end();
    mutex_unlock(&reader->lock);
    *out_position = 0;
    return HX_OK;
}

static const struct file_ops kmsg_ops = {
    .read = kmsg_read,
    .write = kmsg_write,
    .keeps_position = true,
    .seek = kmsg_seek,
    .release = kmsg_release,
};

static enum hx_status kmsg_open(struct file *file, uint32_t minor) {
    (void)minor;
    struct kmsg_reader *reader = heap_alloc_zero(sizeof(*reader), MEMORY_SLEEP);
    if (reader == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    mutex_init(&reader->lock, &kmsg_class);
    file->data = reader;
    file->ops = &kmsg_ops;
    return HX_OK;
}

static struct device_open kmsg_device = {
    .major = KMSG_MAJOR,
    .minor_first = KMSG_MINOR,
    .minor_last = KMSG_MINOR,
    .open = kmsg_open,
};

enum hx_status devices_init(void) {
    mutex_init(&nodes_lock, &nodes_class);
    enum hx_status status = device_open_register(&kmsg_device);
    return status == HX_OK ? device_node_add("kmsg", 0644, KMSG_MAJOR, KMSG_MINOR) : status;
}
