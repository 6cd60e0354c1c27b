// SPDX-License-Identifier: MIT OR Apache-2.0
// fd_calls.c: calls about the numbers themselves: dup, close, fcntl, ioctl's common part.
#include "descriptor.h"
#include "life.h"
#include "locks.h"

#include <lib/string.h>
#include <vfs/pipe.h>

#define F_DUPFD         0u
#define F_GETFD         1u
#define F_SETFD         2u
#define F_GETFL         3u
#define F_SETFL         4u
#define F_GETLK         5u
#define F_SETLK         6u
#define F_SETLKW        7u
#define F_SETOWN        8u
#define F_GETOWN        9u
#define F_SETSIG        10u
#define F_GETSIG        11u
#define F_OFD_GETLK     36u
#define F_OFD_SETLK     37u
#define F_OFD_SETLKW    38u
#define LOCK_MAND       32u // of flock
#define F_GETLEASE      1025u
#define F_NOTIFY        1026u
#define F_DUPFD_CLOEXEC 1030u
#define F_SETPIPE_SZ    1031u
#define F_GETPIPE_SZ    1032u

#define FD_CLOEXEC 1u
#define F_UNLCK    2

#define CLOSE_RANGE_UNSHARE (1u << 1)
#define CLOSE_RANGE_CLOEXEC (1u << 2)

#define FIGETBSZ 2u
#define FIONREAD 0x541bu
#define FIONBIO  0x5421u
#define FIONCLEX 0x5450u
#define FIOCLEX  0x5451u
#define FIOASYNC 0x5452u

enum hx_status sys_close(struct call *call) {
    return file_table_close(call->process->files, call_int(call, 0));
}

enum hx_status sys_close_range(struct call *call) {
    const uint32_t first = call_uint(call, 0);
    const uint32_t last = call_uint(call, 1);
    const uint32_t flags = call_uint(call, 2);
    if (first > last || (flags & ~(CLOSE_RANGE_UNSHARE | CLOSE_RANGE_CLOEXEC)) != 0) {
        return HX_ERR_INVALID;
    }
    // The threads of a process share one table by construction.
    if ((flags & CLOSE_RANGE_UNSHARE) != 0 && !call_is_alone(call)) {
        return HX_ERR_INVALID;
    }
    file_table_close_range(call->process->files, first, last, (flags & CLOSE_RANGE_CLOEXEC) != 0);
    return HX_OK;
}

// A new number, not below `from`, for the file at `fd`.
static enum hx_status duplicate(struct call *call, int32_t fd, int32_t from, bool close_on_exec) {
    struct capability *capability;
    enum hx_status status = file_table_find(call->process->files, fd, &capability);
    if (status != HX_OK) {
        return status;
    }
    int32_t got;
    status = file_table_add(call->process->files, capability, close_on_exec, from, &got);
    if (status != HX_OK) {
        capability_put(capability);
        return status;
    }
    return call_ok(call, got);
}

enum hx_status sys_dup(struct call *call) {
    return duplicate(call, call_int(call, 0), 0, false);
}

static enum hx_status duplicate_at(struct call *call, int32_t from, int32_t to,
                                   bool close_on_exec) {
    struct capability *capability;
    enum hx_status status = file_table_find(call->process->files, from, &capability);
    if (status != HX_OK) {
        return status;
    }
    status = file_table_put_at(call->process->files, to, capability, close_on_exec);
    if (status != HX_OK) {
        capability_put(capability);
        return status;
    }
    return call_ok(call, to);
}

enum hx_status sys_dup2(struct call *call) {
    const int32_t from = call_int(call, 0);
    const int32_t to = call_int(call, 1);
    if (from != to) {
        return duplicate_at(call, from, to, false);
    }
    bool marked;
    enum hx_status status = file_table_get_mark(call->process->files, from, &marked);
    return status == HX_OK ? call_ok(call, to) : status;
}

enum hx_status sys_dup3(struct call *call) {
    const uint32_t flags = call_uint(call, 2);
    if ((flags & ~O_CLOEXEC) != 0 || call_int(call, 0) == call_int(call, 1)) {
        return HX_ERR_INVALID;
    }
    return duplicate_at(call, call_int(call, 0), call_int(call, 1), flags != 0);
}

uint32_t file_linux_flags(const struct file *file) {
    const uint32_t flags = file_flags(file);
    const uint32_t access = flags & (FILE_READ | FILE_WRITE);
    uint32_t result = access == (FILE_READ | FILE_WRITE) ? O_RDWR
                      : access == FILE_WRITE             ? O_WRONLY
                                                         : 0;
    result |= (flags & FILE_APPEND) != 0 ? O_APPEND : 0;
    result |= (flags & FILE_NONBLOCK) != 0 ? O_NONBLOCK : 0;
    result |= (flags & FILE_DIRECT) != 0 ? HAL_O_DIRECT : 0;
    result |= (flags & FILE_NOATIME) != 0 ? O_NOATIME : 0;
    result |= (flags & FILE_SYNC) != 0 ? O_SYNC : 0;
    result |= (flags & FILE_SAID_DIRECTORY) != 0 ? HAL_O_DIRECTORY : 0;
    result |= (flags & FILE_SAID_NOFOLLOW) != 0 ? HAL_O_NOFOLLOW : 0;
    result |= (flags & FILE_SAID_TMPFILE) != 0 ? O_TMPFILE_BIT : 0;
    if ((flags & FILE_PATH_ONLY) != 0) {
        return result | O_PATH;
    }
    if (file->path.name != NULL) {
        result |= HAL_O_LARGEFILE;
    }
    return result;
}

static void set_flags(struct file *file, uint32_t clear, uint32_t set) {
    uint32_t old = file_flags(file);
    while (!atomic_compare_exchange_weak_explicit(&file->flags, &old, (old & ~clear) | set,
                                                  memory_order_relaxed, memory_order_relaxed)) {
    }
}

// F_SETFL changes these; direct access is refused, as files of memory refuse it. For pipes it means
// packets.
static enum hx_status set_linux_flags(struct call *call, struct file *file, uint32_t flags) {
    if ((flags & HAL_O_DIRECT) != 0 && (file_flags(file) & FILE_DIRECT) == 0 &&
        !file_is_pipe(file)) {
        return HX_ERR_INVALID;
    }
    const uint32_t now = file_flags(file);
    if ((flags & O_NOATIME) != 0 && (now & FILE_NOATIME) == 0 && file->inode != NULL) {
        struct credentials *credentials = posix_credentials(call->process);
        const bool allowed = credentials->fsuid == file->inode->info.uid ||
                             credentials_capable(credentials, CAPABILITY_FOWNER);
        credentials_put(credentials);
        if (!allowed) {
            return HX_ERR_NOT_PERMITTED;
        }
    }
    uint32_t set = (flags & O_APPEND) != 0 ? FILE_APPEND : 0;
    set |= (flags & O_NONBLOCK) != 0 ? FILE_NONBLOCK : 0;
    set |= (flags & O_NOATIME) != 0 ? FILE_NOATIME : 0;
    set |= (flags & HAL_O_DIRECT) != 0 ? FILE_DIRECT : 0;
    set_flags(file, FILE_SETTABLE, set);
    return HX_OK;
}

static enum hx_status get_pipe_size(struct call *call, const struct file *file) {
    return file_is_pipe(file) ? call_ok(call, (int64_t)pipe_size(file)) : HX_ERR_BAD_HANDLE;
}

// More than fs.pipe-max-size takes a privilege.
static enum hx_status set_pipe_size(struct call *call, struct file *file) {
    if (!file_is_pipe(file)) {
        return HX_ERR_BAD_HANDLE;
    }
    const uint64_t size_bytes = call_uint(call, 2);
    if (size_bytes > PIPE_BYTES_MAX) {
        return HX_ERR_INVALID;
    }
    if (size_bytes > PIPE_BYTES_UNPRIVILEGED && size_bytes > pipe_size(file) &&
        !posix_capable(CAPABILITY_SYS_RESOURCE)) {
        return HX_ERR_NOT_PERMITTED;
    }
    const enum hx_status status = pipe_resize(file, size_bytes);
    return status == HX_OK ? get_pipe_size(call, file) : status;
}

static enum hx_status duplicate_checked(struct call *call, bool close_on_exec) {
    const uint64_t from = call->args[2];
    if (from >= posix_limit(call->process, RLIMIT_NOFILE)) {
        return HX_ERR_INVALID;
    }
    return duplicate(call, call_int(call, 0), (int32_t)from, close_on_exec);
}

static enum hx_status set_signal(struct call *call, struct file *file) {
    if (call->args[2] > POSIX_SIGNALS) {
        return HX_ERR_INVALID;
    }
    atomic_store_explicit(&file->signal, (uint8_t)call->args[2], memory_order_relaxed);
    return HX_OK;
}

// Commands on the open file description.
static enum hx_status control_file(struct call *call, struct file *file, uint32_t command) {
    switch (command) {
    case F_GETFL:
        return call_ok(call, file_linux_flags(file));
    case F_SETFL:
        return set_linux_flags(call, file, call_uint(call, 2));
    case F_GETLK:
        return lock_query(call, file, false);
    case F_OFD_GETLK:
        return lock_query(call, file, true);
    case F_SETLK:
    case F_SETLKW:
        return lock_set(call, file, false, command == F_SETLKW);
    case F_OFD_SETLK:
    case F_OFD_SETLKW:
        return lock_set(call, file, true, command == F_OFD_SETLKW);
    case F_GETOWN:
        return call_ok(call, 0); // only F_NOTIFY sends signals, to who asks
    case F_GETSIG:
        return call_ok(call, atomic_load_explicit(&file->signal, memory_order_relaxed));
    case F_SETSIG:
        return set_signal(call, file);
    case F_NOTIFY:
        return dnotify_set(call, file);
    case F_GETLEASE:
        return call_ok(call, F_UNLCK);
    case F_GETPIPE_SZ:
        return get_pipe_size(call, file);
    case F_SETPIPE_SZ:
        return set_pipe_size(call, file);
    default:
        return HX_ERR_INVALID;
    }
}

// What a command changes for all who share the description takes a right.
static rights_t command_needs(uint32_t command) {
    switch (command) {
    case F_SETFL:
    case F_SETPIPE_SZ:
    case F_SETSIG:
        return HX_RIGHT_ADMIN;
    case F_SETLK:
    case F_SETLKW:
    case F_OFD_SETLK:
    case F_OFD_SETLKW:
        return HX_RIGHT_WRITE;
    default:
        return 0;
    }
}

enum hx_status sys_fcntl(struct call *call) {
    const int32_t fd = call_int(call, 0);
    const uint32_t command = call_uint(call, 1);
    struct file_table *table = call->process->files;
    bool marked = false;
    enum hx_status status = file_table_get_mark(table, fd, &marked);
    if (status != HX_OK) {
        return status;
    }
    switch (command) {
    case F_DUPFD:
    case F_DUPFD_CLOEXEC:
        return duplicate_checked(call, command == F_DUPFD_CLOEXEC);
    case F_GETFD:
        return call_ok(call, marked ? FD_CLOEXEC : 0);
    case F_SETFD:
        return file_table_set_mark(table, fd, (call->args[2] & FD_CLOEXEC) != 0);
    default:
        break;
    }
    struct descriptor descriptor;
    status = command == F_GETFL ? descriptor_get_any(call, fd, 0, &descriptor)
                                : descriptor_get(call, fd, command_needs(command), &descriptor);
    if (status == HX_OK) {
        status = control_file(call, descriptor.file, command);
        descriptor_put(&descriptor);
    }
    return status;
}

enum hx_status sys_flock(struct call *call) {
    const uint32_t operation = call_uint(call, 1);
    if ((operation & LOCK_MAND) != 0) {
        return HX_OK; // what Linux once had, and answers so since
    }
    if (!is_lock_operation(operation)) {
        return HX_ERR_INVALID; // before the descriptor is looked at
    }
    struct descriptor descriptor;
    enum hx_status status = descriptor_get(call, call_int(call, 0), HX_RIGHT_WRITE, &descriptor);
    if (status == HX_OK) {
        status = lock_whole_file(call, descriptor.file, operation);
        descriptor_put(&descriptor);
    }
    return status;
}

// FIONBIO: an int at the address says whether.
static enum hx_status set_nonblock(struct call *call, struct file *file) {
    int32_t on;
    enum hx_status status = copy_from_user(&on, call_address(call, 2), sizeof(on));
    if (status == HX_OK) {
        set_flags(file, FILE_NONBLOCK, on != 0 ? FILE_NONBLOCK : 0);
    }
    return status;
}

static enum hx_status store_int(struct call *call, int32_t value) {
    return copy_to_user(call_address(call, 2), &value, sizeof(value));
}

// Requests that regular files and directories answer.
static enum hx_status control_inode(struct call *call, struct file *file, uint32_t request) {
    const uint32_t type = file->inode != NULL ? inode_type(file->inode) : 0;
    if (type == FS_MODE_REGULAR && request == FIONREAD) {
        const uint64_t size = inode_size(file->inode);
        const uint64_t position = file->position;
        return store_int(call, (int32_t)(size - position)); // negative behind the end
    }
    if ((type == FS_MODE_REGULAR || type == FS_MODE_DIRECTORY) && request == FIGETBSZ) {
        return store_int(call, (int32_t)PAGE_SIZE);
    }
    return HX_ERR_NOT_TTY;
}

static enum hx_status control(struct call *call, struct file *file) {
    const uint32_t request = call_uint(call, 1);
    switch (request) {
    case FIONBIO:
        return set_nonblock(call, file);
    case FIOCLEX:
    case FIONCLEX:
        return file_table_set_mark(call->process->files, call_int(call, 0), request == FIOCLEX);
    default:
        break;
    }
    enum hx_status status = control_inode(call, file, request);
    if (status != HX_ERR_NOT_TTY) {
        return status;
    }
    int64_t result = 0;
    status = file_control(file, request, call->args[2], &result);
    return status == HX_OK ? call_ok(call, result) : restart_if_interrupted(status);
}

enum hx_status sys_ioctl(struct call *call) {
    struct descriptor descriptor;
    enum hx_status status = descriptor_get(call, call_int(call, 0), HX_RIGHT_ADMIN, &descriptor);
    if (status == HX_OK) {
        status = control(call, descriptor.file);
        descriptor_put(&descriptor);
    }
    return status;
}
