// SPDX-License-Identifier: MIT OR Apache-2.0
// procfs/procfs.c: the file system "proc" as helix.fs sees it: nodes, look-up, listing.
#include "procfs.h"

#include "../inspect.h"
#include "../pids.h"

#include <core/time.h>
#include <lib/format.h>
#include <lib/string.h>
#include <memory/heap.h>

// A node number: the row of the table, a pid or tid, whether the id is a thread's, and the low bits
// of the process's number since boot, above those of a descriptor if the row is one of them. What
// is not about a descriptor, so also the directory that stands for a process, has more of them than
// a machine ever starts processes.
#define ROW_BITS   8u
#define ID_BITS    15u
#define FD_BITS    20u
#define TASK_SHIFT (ROW_BITS + ID_BITS)
#define FD_SHIFT   (TASK_SHIFT + 1)

_Static_assert(PID_MAX <= 1 << ID_BITS, "an id has a place in a node number");

#define FIELD(value, shift, bits) (((value) >> (shift)) & (((uint64_t)1 << (bits)) - 1))

#define PROC_MAGIC 0x9fa0u

struct node {
    uint32_t row;
    uint32_t id; // 0: of the whole system
    uint32_t fd;
    bool is_task;
    uint64_t age; // the process's number since boot, as far as there is room
};

// Where the age begins in the numbers of a row's nodes.
static uint32_t age_shift(uint32_t row) {
    return row == PROC_FD || row == PROC_FDINFO ? FD_SHIFT + FD_BITS : FD_SHIFT;
}

static uint64_t node_pack(const struct node *node) {
    return (uint64_t)node->row | (uint64_t)node->id << ROW_BITS |
           (uint64_t)node->is_task << TASK_SHIFT | (uint64_t)node->fd << FD_SHIFT |
           node->age << age_shift(node->row);
}

static struct node node_unpack(uint64_t number) {
    const uint32_t row = (uint32_t)FIELD(number, 0, ROW_BITS);
    const uint32_t shift = age_shift(row);
    return (struct node){
        .row = row,
        .id = (uint32_t)FIELD(number, ROW_BITS, ID_BITS),
        .fd = shift != FD_SHIFT ? (uint32_t)FIELD(number, FD_SHIFT, FD_BITS) : 0,
        .is_task = FIELD(number, TASK_SHIFT, 1) != 0,
        .age = number >> shift,
    };
}

static uint64_t age_of(const struct posix_process *process) {
    return process->process->id;
}

// Whether the process is the one that the node was made for.
static bool is_of(const struct node *node, const struct posix_process *process) {
    return (age_of(process) ^ node->age) << age_shift(node->row) == 0;
}

static void target_put(struct proc_target *target) {
    if (target->thread != NULL) {
        proc_thread_put(target->thread);
    } else if (target->process != NULL) {
        process_put(target->process->process);
    }
}

// Finds what a node is about. HX_ERR_NO_PROCESS: it is gone.
static enum hx_status target_get(const struct node *node, struct proc_target *out_target) {
    *out_target = (struct proc_target){ .fd = (int32_t)node->fd };
    if (node->id == 0) {
        return HX_OK;
    }
    if (node->is_task) {
        out_target->thread = posix_thread_find((int32_t)node->id);
        if (out_target->thread != NULL) {
            out_target->process = out_target->thread->process;
        }
    } else {
        out_target->process = posix_process_find((int32_t)node->id);
    }
    if (out_target->process == NULL || !is_of(node, out_target->process)) {
        target_put(out_target);
        return HX_ERR_NO_PROCESS;
    }
    return HX_OK;
}

enum hx_status proc_refusal(enum hx_status status) {
    return status == HX_ERR_NOT_PERMITTED ? HX_ERR_PERMISSION : status;
}

struct posix_thread *proc_thread(const struct proc_target *target) {
    if (target->thread != NULL) {
        object_get(&target->thread->native->thread.object);
        return target->thread;
    }
    struct posix_thread *thread = posix_thread_find(target->process->pid);
    return thread != NULL ? thread : posix_thread_next(target->process, 0);
}

void proc_thread_put(struct posix_thread *thread) {
    user_thread_put(thread->native);
}

static void info_owner(const struct proc_target *target, const struct proc_entry *entry,
                       struct fs_info *info) {
    if (target->process == NULL || (entry->flags & PROC_OWNED) == 0) {
        return;
    }
    const uint32_t plain = FS_MODE_DIRECTORY | 0555;
    if (!target->process->dumpable && entry->mode != plain) {
        return; // root's
    }
    struct credentials *credentials = posix_credentials(target->process);
    info->uid = credentials->euid;
    info->gid = credentials->egid;
    credentials_put(credentials);
}

// The mode of /proc/PID/fd/N says how the file is open.
static uint32_t fd_mode(const struct proc_target *target) {
    int32_t fd;
    uint32_t flags = 0;
    if (!proc_fd_next(target->process, target->fd, &fd, &flags) || fd != target->fd) {
        return 0;
    }
    return ((flags & FILE_READ) != 0 ? 0500u : 0) | ((flags & FILE_WRITE) != 0 ? 0300u : 0);
}

static enum hx_status node_info(const struct node *node, struct fs_info *out_info) {
    struct proc_target target;
    enum hx_status status = target_get(node, &target);
    if (status != HX_OK) {
        return HX_ERR_NOT_FOUND;
    }
    const struct proc_entry *entry = &proc_entries[node->row];
    const time_ns_t now = time_now() + time_real_offset();
    *out_info = (struct fs_info){
        .node = node_pack(node),
        .mode = entry->mode,
        .links = (entry->mode & FS_MODE_TYPE) == FS_MODE_DIRECTORY ? 2 : 1,
        .accessed = now,
        .modified = now,
        .changed = now,
    };
    if (node->row == PROC_FD) {
        out_info->mode |= fd_mode(&target);
        out_info->size_bytes = 64;
    }
    info_owner(&target, entry, out_info);
    target_put(&target);
    return HX_OK;
}

static bool name_is(struct fs_name name, const char *text) {
    return strlen(text) == name.length && memcmp(text, name.text, name.length) == 0;
}

// A name that is a number without leading zeroes, below `limit`.
static bool name_number(struct fs_name name, uint32_t limit, uint32_t *out_number) {
    uint64_t number = 0;
    if (name.length == 0 || name.length > 10 || (name.text[0] == '0' && name.length > 1)) {
        return false;
    }
    for (uint32_t i = 0; i < name.length; i++) {
        if (name.text[i] < '0' || name.text[i] > '9') {
            return false;
        }
        number = number * 10 + (uint64_t)(name.text[i] - '0');
    }
    *out_number = (uint32_t)number;
    return number < limit;
}

// The directory in whose rows the contents of `row` stand.
static uint32_t contents_of(uint32_t row) {
    return row == PROC_TASK ? PROC_PID : row;
}

static bool row_is_in(uint32_t row, const struct node *directory) {
    const struct proc_entry *entry = &proc_entries[row];
    return entry->directory != PROC_NONE && entry->directory == contents_of(directory->row) &&
           !(directory->row == PROC_TASK && (entry->flags & PROC_NOT_TASK) != 0);
}

static enum hx_status lookup_process(uint32_t pid, struct node *out_node) {
    struct posix_process *process = pid != 0 ? posix_process_find((int32_t)pid) : NULL;
    if (process == NULL) {
        return HX_ERR_NOT_FOUND;
    }
    *out_node = (struct node){ .row = PROC_PID, .id = pid, .age = age_of(process) };
    process_put(process->process);
    return HX_OK;
}

static enum hx_status lookup_task(const struct node *directory, uint32_t tid,
                                  struct node *out_node) {
    struct posix_thread *thread = tid != 0 ? posix_thread_find((int32_t)tid) : NULL;
    if (thread == NULL) {
        return HX_ERR_NOT_FOUND;
    }
    const bool mine = thread->process->pid == (int32_t)directory->id;
    *out_node = (struct node){
        .row = PROC_TASK,
        .id = tid,
        .is_task = true,
        .age = age_of(thread->process),
    };
    proc_thread_put(thread);
    return mine ? HX_OK : HX_ERR_NOT_FOUND;
}

// What the descriptors are in a directory of them.
static uint32_t rows_below(uint32_t directory) {
    return directory == PROC_FDS ? PROC_FD : PROC_FDINFO;
}

static enum hx_status lookup_fd(const struct node *directory, uint32_t fd, struct node *out_node) {
    struct proc_target target;
    enum hx_status status = target_get(directory, &target);
    if (status != HX_OK) {
        return HX_ERR_NOT_FOUND;
    }
    int32_t found = -1;
    uint32_t flags;
    const bool used = proc_fd_next(target.process, (int32_t)fd, &found, &flags);
    target_put(&target);
    *out_node = *directory;
    out_node->row = rows_below(directory->row);
    out_node->fd = fd;
    return used && found == (int32_t)fd ? HX_OK : HX_ERR_NOT_FOUND;
}

static enum hx_status find(const struct node *directory, struct fs_name name,
                           struct node *out_node) {
    for (uint32_t row = 1; row < proc_entry_count; row++) {
        if (row_is_in(row, directory) && name_is(name, proc_entries[row].name)) {
            *out_node = *directory;
            out_node->row = row;
            return HX_OK;
        }
    }
    uint32_t number;
    switch (directory->row) {
    case PROC_ROOT:
        return name_number(name, PID_MAX, &number) ? lookup_process(number, out_node)
                                                   : HX_ERR_NOT_FOUND;
    case PROC_TASKS:
        return name_number(name, PID_MAX, &number) ? lookup_task(directory, number, out_node)
                                                   : HX_ERR_NOT_FOUND;
    case PROC_FDS:
    case PROC_FDINFOS:
        return name_number(name, 1u << FD_BITS, &number) ? lookup_fd(directory, number, out_node)
                                                         : HX_ERR_NOT_FOUND;
    default:
        return HX_ERR_NOT_FOUND;
    }
}

static enum hx_status procfs_lookup(void *fs, uint64_t directory, struct fs_name name,
                                    struct fs_info *out_info) {
    (void)fs;
    const struct node parent = node_unpack(directory);
    struct node node;
    enum hx_status status = find(&parent, name, &node);
    return status == HX_OK ? node_info(&node, out_info) : status;
}

static enum hx_status procfs_getinfo(void *fs, uint64_t number, struct fs_info *out_info) {
    (void)fs;
    const struct node node = node_unpack(number);
    return node_info(&node, out_info);
}

// Listing. A cookie is the row + 1 for rows, and behind them FIRST_NUMBER + the number + 1.
#define FIRST_NUMBER 1024u

static void entry_fill(struct fs_entry *entry, const struct node *node, uint64_t cookie,
                       const char *name) {
    entry->node = node_pack(node);
    entry->cookie = cookie;
    entry->mode = proc_entries[node->row].mode & FS_MODE_TYPE;
    entry->name_length = (uint32_t)strlen(name);
    string_copy(entry->name, sizeof(entry->name), name);
}

static uint32_t list_rows(const struct node *directory, uint64_t cookie, struct fs_entry *entries,
                          uint32_t capacity) {
    uint32_t count = 0;
    for (uint64_t row = MAX_OF(cookie, 1u); row < proc_entry_count && count < capacity; row++) {
        if (row_is_in((uint32_t)row, directory)) {
            struct node node = *directory;
            node.row = (uint32_t)row;
            entry_fill(&entries[count], &node, row + 1, proc_entries[row].name);
            count++;
        }
    }
    return count;
}

// The next numbered entry of a directory after `after` (-1: the first).
static bool next_number(const struct node *directory, const struct proc_target *target,
                        int32_t after, struct node *out_node, int32_t *out_number) {
    *out_node = *directory;
    if (directory->row == PROC_ROOT) {
        struct posix_process *process = posix_process_next(after);
        if (process == NULL) {
            return false;
        }
        *out_number = process->pid;
        *out_node = (struct node){
            .row = PROC_PID,
            .id = (uint32_t)process->pid,
            .age = age_of(process),
        };
        process_put(process->process);
        return true;
    }
    if (directory->row == PROC_TASKS) {
        struct posix_thread *thread = posix_thread_next(target->process, after);
        if (thread == NULL) {
            return false;
        }
        *out_number = thread->tid;
        out_node->row = PROC_TASK;
        out_node->id = (uint32_t)thread->tid;
        out_node->is_task = true;
        proc_thread_put(thread);
        return true;
    }
    uint32_t flags;
    if ((directory->row != PROC_FDS && directory->row != PROC_FDINFOS) ||
        !proc_fd_next(target->process, after + 1, out_number, &flags)) {
        return false;
    }
    out_node->row = rows_below(directory->row);
    out_node->fd = (uint32_t)*out_number;
    return true;
}

static uint32_t list_numbers(const struct node *directory, const struct proc_target *target,
                             uint64_t cookie, struct fs_entry *entries, uint32_t capacity) {
    uint32_t count = 0;
    int32_t number = cookie > FIRST_NUMBER ? (int32_t)(cookie - FIRST_NUMBER - 1) : -1;
    struct node node;
    while (count < capacity && next_number(directory, target, number, &node, &number)) {
        char name[16];
        (void)format_string(name, sizeof(name), "%d", number); // it fits
        entry_fill(&entries[count], &node, FIRST_NUMBER + (uint64_t)number + 1, name);
        count++;
    }
    return count;
}

static enum hx_status procfs_readdir(void *fs, uint64_t number, uint64_t cookie,
                                     struct fs_entry *out_entries, uint32_t capacity,
                                     uint32_t *out_count) {
    (void)fs;
    const struct node directory = node_unpack(number);
    struct proc_target target;
    enum hx_status status = target_get(&directory, &target);
    if (status != HX_OK) {
        return HX_ERR_NOT_FOUND;
    }
    uint32_t count = 0;
    if (cookie < FIRST_NUMBER) {
        count = list_rows(&directory, cookie, out_entries, capacity);
    }
    count += list_numbers(&directory, &target, cookie, out_entries + count, capacity - count);
    target_put(&target);
    *out_count = count;
    return HX_OK;
}

static enum hx_status procfs_read(void *fs, uint64_t number, uint64_t offset, void *buffer,
                                  uint32_t capacity, uint32_t *out_length) {
    (void)fs;
    const struct node node = node_unpack(number);
    const struct proc_entry *entry = &proc_entries[node.row];
    if (entry->read == NULL) {
        return HX_ERR_INVALID;
    }
    struct proc_target target;
    enum hx_status status = target_get(&node, &target);
    if (status != HX_OK) {
        return status;
    }
    struct proc_text text;
    text_init(&text, offset, buffer, capacity);
    status = entry->read(&target, &text);
    target_put(&target);
    if (status == HX_OK) {
        *out_length = text.length;
    }
    return status;
}

static enum hx_status write_line(const struct proc_entry *entry, const struct node *node,
                                 char *line, uint32_t length) {
    while (length != 0 && (line[length - 1] == '\n' || line[length - 1] == '\0')) {
        length--;
    }
    line[length] = '\0';
    struct proc_target target;
    enum hx_status status = target_get(node, &target);
    if (status == HX_OK) {
        status = entry->write(&target, line);
        target_put(&target);
    }
    return status;
}

static enum hx_status procfs_write(void *fs, uint64_t number, uint64_t offset, const void *text,
                                   uint32_t length, uint32_t *out_length) {
    (void)fs;
    (void)offset; // every write is a whole value
    const struct node node = node_unpack(number);
    const struct proc_entry *entry = &proc_entries[node.row];
    if (entry->write == NULL || length > PAGE_SIZE) {
        return HX_ERR_INVALID;
    }
    char *line = heap_alloc(length + 1, MEMORY_SLEEP);
    if (line == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    memcpy(line, text, length);
    enum hx_status status = write_line(entry, &node, line, length);
    heap_free(line);
    if (status == HX_OK) {
        *out_length = length;
    }
    return status;
}

static enum hx_status procfs_readlink(void *fs, uint64_t number, void *buffer, uint32_t capacity,
                                      uint32_t *out_length) {
    (void)fs;
    const struct node node = node_unpack(number);
    const struct proc_entry *entry = &proc_entries[node.row];
    if (entry->link == NULL) {
        return HX_ERR_INVALID;
    }
    struct proc_target target;
    enum hx_status status = target_get(&node, &target);
    if (status != HX_OK) {
        return HX_ERR_NOT_FOUND;
    }
    target.jump = entry->jump;
    status = entry->link(&target, buffer, capacity, out_length);
    target_put(&target);
    return status;
}

static enum hx_status procfs_jump(void *fs, uint64_t number, struct path *out_path) {
    (void)fs;
    const struct node node = node_unpack(number);
    const struct proc_entry *entry = &proc_entries[node.row];
    if (entry->jump == NULL) {
        return HX_ERR_NOT_LINK;
    }
    struct proc_target target;
    enum hx_status status = target_get(&node, &target);
    if (status != HX_OK) {
        return HX_ERR_NOT_FOUND;
    }
    status = entry->jump(&target, out_path);
    target_put(&target);
    return status;
}

static enum hx_status procfs_open_jump(void *fs, uint64_t number, uint32_t flags,
                                       struct file **out_file) {
    (void)fs;
    const struct node node = node_unpack(number);
    if (node.row != PROC_FD) {
        return HX_ERR_NO_DEVICE;
    }
    struct proc_target target;
    enum hx_status status = target_get(&node, &target);
    if (status != HX_OK) {
        return HX_ERR_NOT_FOUND;
    }
    struct file *file;
    status = proc_fd_file(&target, &file);
    target_put(&target);
    if (status == HX_OK) {
        status = file_reopen(file, flags, out_file);
        file_put(file);
    }
    return status;
}

static enum hx_status procfs_describe(void *self, uint32_t *out_kind) {
    (void)self;
    *out_kind = FS_GENERATED | FS_UNCACHED;
    return HX_OK;
}

static enum hx_status procfs_mount(void *self, const char *options, uint64_t memory_bytes,
                                   void **out_fs, struct fs_info *out_root) {
    (void)options; // hidepid and its like are not known, and Linux ignores none of its own
    (void)memory_bytes;
    *out_fs = self;
    const struct node root = { .row = PROC_ROOT };
    return node_info(&root, out_root);
}

static enum hx_status procfs_usage(void *fs, struct fs_usage *out_usage) {
    (void)fs;
    *out_usage = (struct fs_usage){ .block_bytes = PAGE_SIZE, .magic = PROC_MAGIC };
    return HX_OK;
}

// Owners and modes are the processes'.
static enum hx_status procfs_setinfo(void *fs, uint64_t node, const struct fs_info *info,
                                     uint32_t what) {
    (void)fs;
    (void)node;
    (void)info;
    (void)what;
    return HX_ERR_NOT_PERMITTED;
}

static enum hx_status procfs_forget(void *fs, uint64_t node) {
    (void)fs;
    (void)node;
    return HX_OK;
}

static const struct fs_ops procfs_ops = {
    .describe = procfs_describe,
    .mount = procfs_mount,
    .lookup = procfs_lookup,
    .readlink = procfs_readlink,
    .readdir = procfs_readdir,
    .getinfo = procfs_getinfo,
    .setinfo = procfs_setinfo,
    .forget = procfs_forget,
    .usage = procfs_usage,
    .read_text = procfs_read,
    .write_text = procfs_write,
};

static struct fs_type procfs_type = {
    .name = "proc",
    .ops = &procfs_ops,
    .self = &procfs_type,
    .jump = procfs_jump,
    .open_jump = procfs_open_jump,
};

enum hx_status procfs_init(void) {
    descriptors_init();
    return vfs_type_register(&procfs_type);
}

bool procfs_process_of(const struct file *file, struct posix_process **out_process) {
    const struct inode *inode = file->inode;
    if (inode == NULL || inode->fs->type != &procfs_type) {
        return false;
    }
    const struct node node = node_unpack(inode->node);
    struct proc_target target;
    if (node.row != PROC_PID) {
        return false;
    }
    *out_process = target_get(&node, &target) == HX_OK ? target.process : NULL;
    return true;
}
