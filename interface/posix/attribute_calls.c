// SPDX-License-Identifier: MIT OR Apache-2.0
// attribute_calls.c: changing what files are: modes, owners, times, sizes.
#include "descriptor.h"
#include "times.h"

#include <core/time.h>
#include <memory/heap.h>
#include <vfs/watch.h>

#define NS_PER_S 1000000000ll
#define US_PER_S 1000000ll

#define UTIME_NOW  0x3fffffff
#define UTIME_OMIT 0x3ffffffe

#define MODE_BITS 07777u

// A change of one inode; `argument` is what the call brought.
typedef enum hx_status (*change_t)(struct call *call, struct path path, const void *argument);

static enum hx_status change_at(struct call *call, int32_t directory_fd, struct uaddr from,
                                uint32_t lookup_flags, change_t change, const void *argument) {
    struct path path;
    enum hx_status status = user_path_find(call, directory_fd, from, lookup_flags, &path);
    if (status == HX_OK) {
        status = path_writable(path);
        if (status == HX_OK) {
            status = change(call, path, argument);
        }
        path_put(path);
    }
    return status;
}

static enum hx_status change_fd(struct call *call, int32_t fd, change_t change,
                                const void *argument) {
    struct descriptor descriptor;
    enum hx_status status = descriptor_get(call, fd, HX_RIGHT_ADMIN, &descriptor);
    if (status != HX_OK) {
        return status;
    }
    if (descriptor.file->path.name != NULL) {
        status = path_writable(descriptor.file->path);
    } else {
        status = HX_ERR_NOT_PERMITTED; // an anonymous file has no attributes of its own
    }
    if (status == HX_OK) {
        status = change(call, descriptor.file->path, argument);
    }
    descriptor_put(&descriptor);
    return status;
}

// Tells who watches what stands there, if it was changed; gives the status back.
static enum hx_status changed(struct path path, enum hx_status status, uint32_t what) {
    if (status == HX_OK) {
        watch_path(path, what);
    }
    return status;
}

static enum hx_status change_mode(struct call *call, struct path path, const void *argument) {
    struct credentials *credentials = posix_credentials(call->process);
    enum hx_status status =
        inode_set_mode(path_inode(path), credentials, *(const uint32_t *)argument & MODE_BITS);
    credentials_put(credentials);
    return changed(path, status, WATCH_ATTRIB);
}

enum hx_status sys_chmod(struct call *call) {
    const uint32_t mode = call_uint(call, 1);
    return change_at(call, AT_FDCWD, call_address(call, 0), LOOKUP_FOLLOW, change_mode, &mode);
}

enum hx_status sys_fchmod(struct call *call) {
    const uint32_t mode = call_uint(call, 1);
    return change_fd(call, call_int(call, 0), change_mode, &mode);
}

enum hx_status sys_fchmodat(struct call *call) {
    const uint32_t mode = call_uint(call, 2);
    return change_at(call, call_int(call, 0), call_address(call, 1), LOOKUP_FOLLOW, change_mode,
                     &mode);
}

struct owner {
    uint32_t uid, gid;
};

static enum hx_status change_owner(struct call *call, struct path path, const void *argument) {
    const struct owner *owner = argument;
    struct credentials *credentials = posix_credentials(call->process);
    enum hx_status status = inode_set_owner(path_inode(path), credentials, owner->uid, owner->gid);
    credentials_put(credentials);
    return changed(path, status, WATCH_ATTRIB);
}

enum hx_status sys_chown(struct call *call) {
    const struct owner owner = { call_uint(call, 1), call_uint(call, 2) };
    return change_at(call, AT_FDCWD, call_address(call, 0), LOOKUP_FOLLOW, change_owner, &owner);
}

enum hx_status sys_lchown(struct call *call) {
    const struct owner owner = { call_uint(call, 1), call_uint(call, 2) };
    return change_at(call, AT_FDCWD, call_address(call, 0), 0, change_owner, &owner);
}

enum hx_status sys_fchown(struct call *call) {
    const struct owner owner = { call_uint(call, 1), call_uint(call, 2) };
    return change_fd(call, call_int(call, 0), change_owner, &owner);
}

enum hx_status sys_fchownat(struct call *call) {
    const uint32_t flags = call_uint(call, 4);
    if ((flags & ~(uint32_t)(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH)) != 0) {
        return HX_ERR_INVALID;
    }
    const struct owner owner = { call_uint(call, 2), call_uint(call, 3) };
    const uint32_t lookup_flags = ((flags & AT_SYMLINK_NOFOLLOW) != 0 ? 0 : LOOKUP_FOLLOW) |
                                  ((flags & AT_EMPTY_PATH) != 0 ? LOOKUP_EMPTY : 0);
    return change_at(call, call_int(call, 0), call_address(call, 1), lookup_flags, change_owner,
                     &owner);
}

// New times of a file; `now` and `omit` are per time, accessed first.
struct times {
    time_ns_t time[2];
    bool now[2];
    bool omit[2];
    bool is_wrong; // nanoseconds that are none, which is told behind what is wrong with the path
};

// utimensat(2): to set both to now takes the right to write; anything else takes the owner.
static enum hx_status times_permission(struct call *call, struct inode *inode,
                                       const struct times *times) {
    struct credentials *credentials = posix_credentials(call->process);
    enum hx_status status = HX_OK;
    struct fs_info info;
    inode_info(inode, &info);
    if (credentials->fsuid != info.uid && !credentials_capable(credentials, CAPABILITY_FOWNER)) {
        status = times->now[0] && times->now[1] ? inode_permission(inode, credentials, 2)
                                                : HX_ERR_NOT_PERMITTED;
    }
    credentials_put(credentials);
    return status;
}

static enum hx_status change_times(struct call *call, struct path path, const void *argument) {
    const struct times *times = argument;
    struct inode *inode = path_inode(path);
    if (times->omit[0] && times->omit[1]) {
        return HX_OK;
    }
    enum hx_status status = times->is_wrong ? HX_ERR_INVALID : times_permission(call, inode, times);
    if (status != HX_OK) {
        return status;
    }
    const time_ns_t now = time_now() + time_real_offset();
    const time_ns_t accessed = times->now[0] ? now : times->omit[0] ? TIME_NEVER : times->time[0];
    const time_ns_t modified = times->now[1] ? now : times->omit[1] ? TIME_NEVER : times->time[1];
    const uint32_t what = times->omit[0]   ? WATCH_MODIFY
                          : times->omit[1] ? WATCH_ACCESS
                                           : WATCH_ATTRIB;
    return changed(path, inode_set_times(inode, accessed, modified), what);
}

// Seconds since 1970 and nanoseconds, cut to what a file can keep.
static time_ns_t file_time(int64_t seconds, int64_t nanoseconds) {
    const int64_t most = INT64_MAX / NS_PER_S - 1;
    const int64_t cut = seconds > most ? most : seconds < -most ? -most : seconds;
    return cut * NS_PER_S + nanoseconds;
}

// Two struct timespec at `from`; null means now.
static enum hx_status times_from_timespec(struct uaddr from, struct times *out_times) {
    *out_times = (struct times){ .now = { true, true } };
    if (uaddr_is_null(from)) {
        return HX_OK;
    }
    struct timespec_user user[2];
    enum hx_status status = copy_from_user(user, from, sizeof(user));
    for (uint32_t i = 0; status == HX_OK && i < 2; i++) {
        out_times->now[i] = user[i].nanoseconds == UTIME_NOW;
        out_times->omit[i] = user[i].nanoseconds == UTIME_OMIT;
        if (!out_times->now[i] && !out_times->omit[i]) {
            if (user[i].nanoseconds < 0 || user[i].nanoseconds >= NS_PER_S) {
                out_times->is_wrong = true;
            } else {
                out_times->time[i] = file_time(user[i].seconds, user[i].nanoseconds);
            }
        }
    }
    return status;
}

enum hx_status sys_utimensat(struct call *call) {
    const uint32_t flags = call_uint(call, 3);
    struct times times;
    enum hx_status status = times_from_timespec(call_address(call, 2), &times);
    if (status != HX_OK) {
        return status;
    }
    if (times.omit[0] && times.omit[1]) {
        return HX_OK; // not even the path and the flags are looked at
    }
    if ((flags & ~(uint32_t)(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH)) != 0) {
        return HX_ERR_INVALID;
    }
    if (uaddr_is_null(call_address(call, 1))) { // futimens()
        if (flags != 0) {
            return HX_ERR_INVALID;
        }
        return call_int(call, 0) == AT_FDCWD
                   ? HX_ERR_BAD_ADDRESS
                   : change_fd(call, call_int(call, 0), change_times, &times);
    }
    const uint32_t lookup_flags = ((flags & AT_SYMLINK_NOFOLLOW) != 0 ? 0 : LOOKUP_FOLLOW) |
                                  ((flags & AT_EMPTY_PATH) != 0 ? LOOKUP_EMPTY : 0);
    return change_at(call, call_int(call, 0), call_address(call, 1), lookup_flags, change_times,
                     &times);
}

// Two struct timeval at `from`; null means now.
static enum hx_status times_from_timeval(struct uaddr from, struct times *out_times) {
    *out_times = (struct times){ .now = { true, true } };
    if (uaddr_is_null(from)) {
        return HX_OK;
    }
    struct timeval_user user[2];
    enum hx_status status = copy_from_user(user, from, sizeof(user));
    for (uint32_t i = 0; status == HX_OK && i < 2; i++) {
        if (user[i].microseconds < 0 || user[i].microseconds >= US_PER_S) {
            return HX_ERR_INVALID;
        }
        out_times->now[i] = false;
        out_times->time[i] = file_time(user[i].seconds, user[i].microseconds * 1000);
    }
    return status;
}

static enum hx_status utimes_at(struct call *call, int32_t directory_fd, struct uaddr from,
                                struct uaddr user_times) {
    struct times times;
    enum hx_status status = times_from_timeval(user_times, &times);
    if (status != HX_OK) {
        return status;
    }
    if (uaddr_is_null(from) && directory_fd != AT_FDCWD) {
        return change_fd(call, directory_fd, change_times, &times);
    }
    return change_at(call, directory_fd, from, LOOKUP_FOLLOW, change_times, &times);
}

enum hx_status sys_utimes(struct call *call) {
    return utimes_at(call, AT_FDCWD, call_address(call, 0), call_address(call, 1));
}

enum hx_status sys_futimesat(struct call *call) {
    return utimes_at(call, call_int(call, 0), call_address(call, 1), call_address(call, 2));
}

enum hx_status sys_utime(struct call *call) {
    struct times times = { .now = { true, true } };
    if (!uaddr_is_null(call_address(call, 1))) {
        int64_t seconds[2];
        enum hx_status status = copy_from_user(seconds, call_address(call, 1), sizeof(seconds));
        if (status != HX_OK) {
            return status;
        }
        times = (struct times){ .time = { file_time(seconds[0], 0), file_time(seconds[1], 0) } };
    }
    return change_at(call, AT_FDCWD, call_address(call, 0), LOOKUP_FOLLOW, change_times, &times);
}

static enum hx_status check_size(struct call *call, int64_t size) {
    if (size < 0) {
        return HX_ERR_INVALID;
    }
    if ((uint64_t)size > posix_limit(call->process, RLIMIT_FSIZE)) {
        posix_signal_thread(call->thread, SIGXFSZ, NULL);
        return HX_ERR_FILE_TOO_BIG;
    }
    return HX_OK;
}

static enum hx_status change_size(struct call *call, struct path path, const void *argument) {
    struct inode *inode = path_inode(path);
    if (inode_type(inode) == FS_MODE_DIRECTORY) {
        return HX_ERR_IS_DIRECTORY;
    }
    if (inode_type(inode) != FS_MODE_REGULAR) {
        return HX_ERR_INVALID;
    }
    struct credentials *credentials = posix_credentials(call->process);
    enum hx_status status = inode_permission(inode, credentials, 2);
    credentials_put(credentials);
    const int64_t size = *(const int64_t *)argument;
    if (status == HX_OK) {
        status = check_size(call, size);
    }
    status = status == HX_OK ? inode_truncate(inode, (uint64_t)size) : status;
    return changed(path, status, WATCH_MODIFY);
}

enum hx_status sys_truncate(struct call *call) {
    const int64_t size = (int64_t)call->args[1];
    if (size < 0) {
        return HX_ERR_INVALID;
    }
    return change_at(call, AT_FDCWD, call_address(call, 0), LOOKUP_FOLLOW, change_size, &size);
}

static enum hx_status truncate_file(struct call *call, struct file *file, int64_t size) {
    if ((file_flags(file) & FILE_WRITE) == 0 || file->inode == NULL ||
        inode_type(file->inode) != FS_MODE_REGULAR) {
        return HX_ERR_INVALID;
    }
    enum hx_status status = check_size(call, size);
    if (status != HX_OK) {
        return status;
    }
    return file_truncate(file, (uint64_t)size);
}

enum hx_status sys_ftruncate(struct call *call) {
    const int64_t size = (int64_t)call->args[1];
    if (size < 0) {
        return HX_ERR_INVALID;
    }
    struct descriptor descriptor;
    enum hx_status status = descriptor_get(call, call_int(call, 0), HX_RIGHT_WRITE, &descriptor);
    if (status == HX_OK) {
        status = truncate_file(call, descriptor.file, size);
        descriptor_put(&descriptor);
    }
    return status;
}
