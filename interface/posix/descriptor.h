// SPDX-License-Identifier: MIT OR Apache-2.0
// descriptor.h: how the calls of interface/posix reach files by number, and what they share.
//
// A number names a capability for a file. A call borrows it from its process's table by
// descriptor_get(), saying what it needs, and gives it back by descriptor_put(). While a process
// has one thread and shares its table with nobody, only the caller itself could close the number,
// so no reference is taken; otherwise the look-up holds the table's lock for a moment and takes
// one.
#pragma once

#include "file_numbers.h"

#include <core/lock.h>
#include <core/time.h>
#include <posix/call.h>
#include <posix/files.h>
#include <posix/linux.h>
#include <posix/process.h>

#define FILE_TABLE_FIRST 64u      // numbers without a second allocation
#define FILE_TABLE_MAX   1048576u // fs.nr_open

struct file_table {
    struct object object;
    _Atomic uint32_t users; // processes; with the last one all is closed, whoever still looks
    struct spinlock lock;
    uint32_t capacity;         // [lock] a multiple of 64
    _Atomic uint32_t lowest;   // [lock for writing] the lowest number that is free
    struct capability **files; // [lock] keeps; NULL: free
    uint64_t *close_on_exec;   // [lock] a bit per number
    struct capability *first_files[FILE_TABLE_FIRST];
    uint64_t first_close_on_exec[FILE_TABLE_FIRST / 64];
};

struct descriptor {
    struct file *file;
    struct capability *capability; // for the file
    struct capability *held; // entered, and keeps; NULL: a root that only the caller can close
};

// Whether the caller is its process's only thread: then only the caller can end that.
static inline bool call_is_single(const struct call *call) {
    return process_thread_count(call->process->process) == 1;
}

// Whether nobody but the caller can change its process's table.
static inline bool call_is_alone(const struct call *call) {
    const struct file_table *table = call->process->files;
    return call_is_single(call) &&
           atomic_load_explicit(&table->object.references, memory_order_relaxed) == 1;
}

// Whether the caller may have one more number just now: HX_OK or HX_ERR_TABLE_FULL. For calls that
// would do something before they need it.
static inline enum hx_status call_check_room(const struct call *call) {
    const struct posix_process *process = call->process;
    return atomic_load_explicit(&process->files->lowest, memory_order_relaxed) <
                   atomic_load_explicit(&process->limits[RLIMIT_NOFILE].soft, memory_order_relaxed)
               ? HX_OK
               : HX_ERR_TABLE_FULL;
}

// The general case of the two below: the table is shared, the capability is a derived one, or
// something is wrong.
enum hx_status descriptor_get_slow(struct call *call, int32_t fd, rights_t need,
                                   struct descriptor *out_descriptor);
void descriptor_put_slow(const struct descriptor *descriptor);

// The file at `fd`, O_PATH ones included, for a use that needs the rights `need`.
// HX_ERR_BAD_HANDLE, HX_ERR_ACCESS_DENIED, HX_ERR_REVOKED.
static inline enum hx_status descriptor_get_any(struct call *call, int32_t fd, rights_t need,
                                                struct descriptor *out_descriptor) {
    struct file_table *table = call->process->files;
    struct capability *capability;
    if (!call_is_alone(call) || (uint32_t)fd >= table->capacity ||
        (capability = table->files[fd]) == NULL || !capability_root_allows(capability, need)) {
        return descriptor_get_slow(call, fd, need, out_descriptor);
    }
    out_descriptor->file = capability_file(capability);
    out_descriptor->capability = capability;
    out_descriptor->held = NULL;
    return HX_OK;
}

static inline void descriptor_put(const struct descriptor *descriptor) {
    if (descriptor->held != NULL) {
        descriptor_put_slow(descriptor);
    }
}

// The file at `fd`, but not one that was opened with O_PATH.
static inline enum hx_status descriptor_get(struct call *call, int32_t fd, rights_t need,
                                            struct descriptor *out_descriptor) {
    enum hx_status status = descriptor_get_any(call, fd, need, out_descriptor);
    if (status == HX_OK &&
        (atomic_load_explicit(&out_descriptor->file->flags, memory_order_relaxed) &
         FILE_PATH_ONLY) != 0) {
        descriptor_put(out_descriptor);
        return HX_ERR_BAD_HANDLE;
    }
    return status;
}

static inline uint32_t file_flags(const struct file *file) {
    return atomic_load_explicit(&file->flags, memory_order_relaxed);
}

// A blocking call that was interrupted before anything happened starts again if the handler wants
// it.
static inline enum hx_status restart_if_interrupted(enum hx_status status) {
    return status == HX_ERR_INTERRUPTED ? HX_ERR_RESTART : status;
}

// socket_calls.c

// Tells sockets who runs; once.
void posix_sockets_init(void);

// native_files.c

// Registers the native calls between descriptors and handles; once.
void native_files_init(void);

// files.c

// Prepares everything about descriptors; once, before the first table.
void descriptors_init(void);
// Puts a capability at the number `fd` itself, closing what was there; takes the reference on
// HX_OK. HX_ERR_BAD_HANDLE beyond the limit, HX_ERR_NO_MEMORY.
enum hx_status file_table_put_at(struct file_table *table, int32_t fd,
                                 struct capability *capability, bool close_on_exec);
// Closes, or marks to be closed by exec, every number in [first, last].
void file_table_close_range(struct file_table *table, uint32_t first, uint32_t last,
                            bool only_mark);
// The close-on-exec mark of `fd`. HX_ERR_BAD_HANDLE.
enum hx_status file_table_get_mark(struct file_table *table, int32_t fd, bool *out_close_on_exec);
enum hx_status file_table_set_mark(struct file_table *table, int32_t fd, bool close_on_exec);
// Numbers in use and the highest of them + 1; for /proc/PID/status.
uint32_t file_table_capacity(struct file_table *table);
// Adds a new file (taken also on failure) and makes the number the call's result.
enum hx_status call_add_file(struct call *call, struct file *file, bool close_on_exec);

// Takes `fd` back, if it names that capability still. Thread context; may sleep.
void file_table_take_back(struct file_table *table, int32_t fd,
                          const struct capability *capability);

// fd_calls.c

// How the file is open, as F_GETFL tells it.
uint32_t file_linux_flags(const struct file *file);

// procfs/procfs.c

// Whether the file is a directory /proc/PID; then *out_process is that process, with a reference;
// NULL: it was waited for.
bool procfs_process_of(const struct file *file, struct posix_process **out_process);

// rw_calls.c

// A program's struct iovec array: the same shape as struct io_segment.
#define SEGMENTS_ON_STACK 8u
struct user_segments {
    struct io_segment few[SEGMENTS_ON_STACK];
    struct io_segment *all;
    struct io_buffer buffer;
};
_Static_assert(sizeof(struct io_segment) == 16, "it is read as struct iovec");
// Copies the array in; ends with segments_end(). HX_ERR_INVALID, HX_ERR_BAD_ADDRESS,
// HX_ERR_NO_MEMORY.
enum hx_status segments_begin(struct uaddr from, uint64_t count, struct user_segments *segments);
void segments_end(struct user_segments *segments);
#define OFFSET_NONE (-1) // the file's position
// RLIMIT_FSIZE: a write to a regular file that begins at or beyond it fails with SIGXFSZ and
// HX_ERR_FILE_TOO_BIG, one that crosses it is cut.
enum hx_status call_limit_write(struct call *call, const struct file *file, int64_t offset,
                                uint64_t *size_bytes);
// Sends the caller SIGPIPE. Always returns HX_ERR_BROKEN_PIPE.
enum hx_status call_broken_pipe(struct call *call);

// lookup.c

// The same as lookup_begin(), for a path that was copied in: an absolute path does not look at the
// directory's number.
enum hx_status lookup_begin_path(struct call *call, int32_t directory_fd, const char *path,
                                 uint32_t flags, struct lookup *out_lookup);
// A path of the program's, copied in: most fit into the structure itself, which is not moved.
#define USER_TEXT_FEW 192u
struct user_text {
    char *text;
    char few[USER_TEXT_FEW];
};
// HX_ERR_BAD_ADDRESS, HX_ERR_NAME_TOO_LONG, HX_ERR_NO_MEMORY; ends with user_text_end().
enum hx_status user_text_begin(struct uaddr from, struct user_text *out_text);
void user_text_end(struct user_text *text);
// A path and the look-up that it is for, in one; ends with user_path_end().
struct user_path {
    char *text;
    struct lookup lookup;
    struct user_text storage;
};
enum hx_status user_path_begin(struct call *call, int32_t directory_fd, struct uaddr from,
                               uint32_t lookup_flags, struct user_path *out_path);
void user_path_end(struct user_path *path);
// The path that the program names: copied, looked up, with references.
enum hx_status user_path_find(struct call *call, int32_t directory_fd, struct uaddr from,
                              uint32_t lookup_flags, struct path *out_path);
// A zero-terminated text of at most `limit` bytes with its zero, NULL if the address is null.
// HX_ERR_BAD_ADDRESS, HX_ERR_NO_MEMORY, or `too_long`.
enum hx_status text_from_user(struct uaddr from, size_t limit, enum hx_status too_long,
                              char **out_text);

// stat_calls.c

// What stat says about a file, also an anonymous one.
struct file_identity {
    struct fs_info info;
    uint64_t device; // of the file system, major << 32 | minor
    uint64_t blocks; // of 512 bytes
    uint32_t block_bytes;
    uint32_t mount_id; // 0: none
    bool is_mount_root;
};
void file_identity(struct file *file, struct file_identity *out_identity);
// Linux's encoding of a device number, and back.
uint64_t device_encode(uint64_t device);
uint64_t device_decode(uint64_t encoded);

// locks.c

// A descriptor of `file` was closed by the process with this table: its POSIX locks go.
void advisory_closed(struct file_table *table, struct file *file);

// dnotify.c

// F_NOTIFY, its events at argument 2. HX_ERR_NOT_DIRECTORY, HX_ERR_NO_MEMORY.
enum hx_status dnotify_set(struct call *call, struct file *file);
// The table has closed a descriptor of it, which has an inode. Thread context.
void dnotify_closed(struct file_table *table, struct file *file);
// The last reference to it is gone, which need not have been a table's.
void dnotify_released(struct file *file);
// The last reference to `file` is gone: what flock() and OFD locks it held go.
void advisory_released(struct file *file);

// mqueue_calls.c

// Makes the folder of message queues, which no path reaches; once, when there is a root. Panics
// without memory.
void mqueues_init(void);

// epoll.c

// The last reference to `file` is gone, or to a capability that was derived for it: it leaves every
// interest list, or where it was watched under that.
void epoll_released(struct file *file, const struct capability *dropped);
// Before the first epoll.
void epoll_init(void);

// poll_calls.c

// Which of the asked events poll() says about a file now.
uint32_t poll_events(struct file *file, uint32_t events);
// Levels to wait on for poll's events.
uint32_t poll_mask(uint32_t events);
