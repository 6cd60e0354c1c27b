// SPDX-License-Identifier: MIT OR Apache-2.0
// attribute.c: what an inode says about its file: mode, owner, size, times; and who may do what.
#include "inode.h"
#include "mount.h"
#include "repeat.h"

#include <core/log.h>
#include <core/ports/fs_calls.h>
#include <core/time.h>
#include <lib/string.h>
#include <memory/heap.h>

#define RELATIME_NS ((time_ns_t)24 * 3600 * 1000000000)

time_ns_t vfs_now(void) {
    return time_now() + time_real_offset();
}

uint64_t inode_size(struct inode *inode) {
    if (inode->pages != NULL) {
        return atomic_load_explicit(&inode->pages->size_bytes, memory_order_acquire);
    }
    return inode->info.size_bytes;
}

// A store into a shared mapping changes the file's times (mmap(2)). Memory only notes when it let
// one through, as a fault is no place to lock inodes; who reads or sets the times takes that over
// first.
static void take_mapped_write_locked(struct inode *inode) {
    if (inode->pages == NULL) {
        return;
    }
    const time_ns_t written =
        atomic_exchange_explicit(&inode->pages->written, 0, memory_order_relaxed);
    if (written != 0) {
        inode->info.modified = written + time_real_offset();
        inode->info.changed = inode->info.modified;
    }
}

static bool has_mapped_write(const struct inode *inode) {
    return inode->pages != NULL &&
           atomic_load_explicit(&inode->pages->written, memory_order_relaxed) != 0;
}

void inode_info(struct inode *inode, struct fs_info *out_info) {
    struct filesystem *fs = inode->fs;
    if (inode_has_flag(inode, FS_GENERATED) && node_info(fs, inode->node, out_info) == HX_OK) {
        return;
    }
    spin_lock(&inode->info_lock);
    take_mapped_write_locked(inode);
    *out_info = inode->info;
    spin_unlock(&inode->info_lock);
    out_info->size_bytes = inode_size(inode);
    struct fs_info fresh;
    // How large a directory is only its file system can tell; the core sees names come and go.
    if (inode_type(inode) == FS_MODE_DIRECTORY && node_info(fs, inode->node, &fresh) == HX_OK) {
        out_info->size_bytes = fresh.size_bytes;
    }
}

enum hx_status inode_permission(struct inode *inode, const struct credentials *credentials,
                                uint32_t want) {
    uint32_t mode = inode_mode(inode);
    uint32_t bits = mode;
    if ((mode & (want * 0111)) == want * 0111) {
        return HX_OK; // everybody may
    }
    if (credentials->fsuid == __atomic_load_n(&inode->info.uid, __ATOMIC_RELAXED)) {
        bits >>= 6;
    } else if (credentials_in_group(credentials,
                                    __atomic_load_n(&inode->info.gid, __ATOMIC_RELAXED))) {
        bits >>= 3;
    }
    if ((bits & want) == want) {
        return HX_OK;
    }
    bool is_directory = (mode & FS_MODE_TYPE) == FS_MODE_DIRECTORY;
    bool may_execute = (want & WANT_EXECUTE) == 0 || is_directory || (mode & 0111) != 0;
    if (may_execute && credentials_capable(credentials, CAPABILITY_DAC_OVERRIDE)) {
        return HX_OK;
    }
    uint32_t reading = is_directory ? WANT_READ | WANT_EXECUTE : WANT_READ;
    if ((want & ~reading) == 0 && credentials_capable(credentials, CAPABILITY_DAC_READ)) {
        return HX_OK;
    }
    return HX_ERR_PERMISSION;
}

static enum hx_status inode_tell(struct inode *inode, const struct fs_info *info, uint32_t what) {
    const struct fs_port *port = filesystem_port(inode->fs);
    void *instance = inode->fs->instance;
    return FS_REPEATED(port, fs_call_setinfo(port, instance, inode->node, info, what));
}

// Tells the file system and changes the core's copy.
static enum hx_status inode_set(struct inode *inode, struct fs_info *info, uint32_t what) {
    enum hx_status status = inode_tell(inode, info, what);
    if (status != HX_OK) {
        return status;
    }
    spin_lock(&inode->info_lock);
    take_mapped_write_locked(inode);
    if ((what & FS_SET_MODE) != 0) {
        uint32_t mode = (inode->info.mode & FS_MODE_TYPE) | (info->mode & MODE_BITS);
        __atomic_store_n(&inode->info.mode, mode, __ATOMIC_RELAXED);
    }
    if ((what & FS_SET_OWNER) != 0) {
        __atomic_store_n(&inode->info.uid, info->uid, __ATOMIC_RELAXED);
        __atomic_store_n(&inode->info.gid, info->gid, __ATOMIC_RELAXED);
    }
    if ((what & FS_SET_ACCESSED) != 0) {
        inode->info.accessed = info->accessed;
    }
    if ((what & FS_SET_MODIFIED) != 0) {
        inode->info.modified = info->modified;
    }
    if ((what & FS_SET_CHANGED) != 0) {
        inode->info.changed = info->changed;
    }
    spin_unlock(&inode->info_lock);
    return HX_OK;
}

static enum hx_status check_writable(const struct inode *inode) {
    return atomic_load_explicit(&inode->fs->read_only, memory_order_relaxed) != 0 ? HX_ERR_READ_ONLY
                                                                                  : HX_OK;
}

bool inode_is_owner(const struct inode *inode, const struct credentials *credentials) {
    return credentials->fsuid == __atomic_load_n(&inode->info.uid, __ATOMIC_RELAXED) ||
           credentials_capable(credentials, CAPABILITY_FOWNER);
}

enum hx_status inode_set_mode(struct inode *inode, const struct credentials *credentials,
                              uint32_t mode) {
    enum hx_status status = check_writable(inode);
    if (status != HX_OK) {
        return status;
    }
    if (inode_type(inode) == FS_MODE_LINK) {
        return HX_ERR_NO_OPERATION;
    }
    rwlock_write(&inode->lock);
    struct fs_info info = { .changed = vfs_now(), .mode = mode & MODE_BITS };
    if (!inode_is_owner(inode, credentials)) {
        status = HX_ERR_NOT_PERMITTED;
    } else {
        if (!credentials_in_group(credentials, inode->info.gid) &&
            !credentials_capable(credentials, CAPABILITY_FSETID)) {
            info.mode &= ~MODE_SETGID;
        }
        status = inode_set(inode, &info, FS_SET_MODE | FS_SET_CHANGED);
    }
    rwlock_write_done(&inode->lock);
    return status;
}

// What is left of a mode when somebody else's bytes or owner come to the file.
static uint32_t mode_without_setuid(uint32_t mode) {
    mode &= ~MODE_SETUID;
    if ((mode & MODE_GROUP_X) != 0) {
        mode &= ~MODE_SETGID;
    }
    return mode;
}

static bool may_change_owner(const struct inode *inode, const struct credentials *credentials,
                             uint32_t uid, uint32_t gid) {
    if (credentials_capable(credentials, CAPABILITY_CHOWN)) {
        return true;
    }
    bool is_own = credentials->fsuid == inode->info.uid;
    bool uid_stays = uid == UINT32_MAX || (is_own && uid == inode->info.uid);
    bool gid_allowed =
        gid == UINT32_MAX ||
        (is_own && (gid == inode->info.gid || credentials_in_group(credentials, gid)));
    return uid_stays && gid_allowed;
}

enum hx_status inode_set_owner(struct inode *inode, const struct credentials *credentials,
                               uint32_t uid, uint32_t gid) {
    enum hx_status status = check_writable(inode);
    if (status != HX_OK) {
        return status;
    }
    rwlock_write(&inode->lock);
    if (!may_change_owner(inode, credentials, uid, gid)) {
        status = HX_ERR_NOT_PERMITTED;
    } else {
        uint32_t mode = inode_mode(inode);
        struct fs_info info = {
            .uid = uid == UINT32_MAX ? inode->info.uid : uid,
            .gid = gid == UINT32_MAX ? inode->info.gid : gid,
            .mode = (mode & FS_MODE_TYPE) == FS_MODE_DIRECTORY ? mode : mode_without_setuid(mode),
            .changed = vfs_now(),
        };
        if ((mode & FS_MODE_TYPE) != FS_MODE_DIRECTORY) {
            status = inode_capability_drop_locked(inode);
        }
        if (status == HX_OK) {
            status = inode_set(inode, &info, FS_SET_OWNER | FS_SET_MODE | FS_SET_CHANGED);
        }
    }
    rwlock_write_done(&inode->lock);
    return status;
}

enum hx_status inode_set_times(struct inode *inode, time_ns_t accessed, time_ns_t modified) {
    enum hx_status status = check_writable(inode);
    if (status != HX_OK) {
        return status;
    }
    struct fs_info info = {
        .accessed = accessed,
        .modified = modified,
        .changed = vfs_now(),
    };
    uint32_t what = FS_SET_CHANGED;
    what |= accessed == TIME_NEVER ? 0 : FS_SET_ACCESSED;
    what |= modified == TIME_NEVER ? 0 : FS_SET_MODIFIED;
    return inode_set(inode, &info, what);
}

void inode_touch(struct inode *inode, uint32_t what) {
    time_ns_t now = vfs_now();
    spin_lock(&inode->info_lock);
    take_mapped_write_locked(inode);
    if ((what & FS_SET_ACCESSED) != 0) {
        inode->info.accessed = now;
    }
    if ((what & FS_SET_MODIFIED) != 0) {
        inode->info.modified = now;
    }
    if ((what & FS_SET_CHANGED) != 0) {
        inode->info.changed = now;
    }
    spin_unlock(&inode->info_lock);
}

void inode_accessed(struct inode *inode, struct mount *mount) {
    if ((mount_flags(mount) & (MOUNT_NO_ATIME | MOUNT_READ_ONLY)) != 0) {
        return;
    }
    const struct fs_info *info = &inode->info; // a stale value delays or repeats an update
    time_ns_t accessed = __atomic_load_n(&info->accessed, __ATOMIC_RELAXED);
    if (has_mapped_write(inode) || accessed <= __atomic_load_n(&info->modified, __ATOMIC_RELAXED) ||
        accessed <= __atomic_load_n(&info->changed, __ATOMIC_RELAXED) ||
        accessed + RELATIME_NS < vfs_now()) {
        inode_touch(inode, FS_SET_ACCESSED);
    }
}

// Clears set-user bits; the inode's lock is held for writing.
static enum hx_status clear_setuid_locked(struct inode *inode) {
    uint32_t mode = inode_mode(inode);
    struct fs_info info = { .mode = mode_without_setuid(mode) };
    return info.mode != mode ? inode_set(inode, &info, FS_SET_MODE) : HX_OK;
}

enum hx_status inode_privileges_drop_locked(struct inode *inode, bool keep_setuid) {
    enum hx_status status = inode_capability_drop_locked(inode);
    if (status == HX_OK && !keep_setuid && (inode_mode(inode) & (MODE_SETUID | MODE_SETGID)) != 0) {
        status = clear_setuid_locked(inode);
    }
    return status;
}

enum hx_status inode_truncate_locked(struct inode *inode, uint64_t size_bytes) {
    if (size_bytes > FILE_BYTES_MAX) {
        return HX_ERR_FILE_TOO_BIG;
    }
    struct fs_info info = { .size_bytes = size_bytes };
    enum hx_status status = inode_privileges_drop_locked(inode, false);
    if (status == HX_OK) {
        status = inode_tell(inode, &info, FS_SET_SIZE);
    }
    if (status != HX_OK) {
        return status;
    }
    memory_object_truncate(inode->pages, size_bytes);
    return HX_OK;
}

enum hx_status inode_truncate(struct inode *inode, uint64_t size_bytes) {
    uint32_t type = inode_type(inode);
    enum hx_status status = check_writable(inode);
    if (status != HX_OK) {
        return status;
    }
    if (type == FS_MODE_DIRECTORY) {
        return HX_ERR_IS_DIRECTORY;
    }
    if (type != FS_MODE_REGULAR) {
        return HX_ERR_INVALID;
    }
    if (inode->pages == NULL) {
        return HX_OK; // a generated file has no size
    }
    status = inode_write_begin(inode);
    if (status != HX_OK) {
        return status;
    }
    rwlock_write(&inode->lock);
    status = inode_truncate_locked(inode, size_bytes);
    if (status == HX_OK) {
        inode_touch(inode, FS_SET_MODIFIED | FS_SET_CHANGED);
    }
    rwlock_write_done(&inode->lock);
    inode_write_end(inode);
    return status;
}

// Writers and executions exclude each other
// -----------------------------------------------------------------------------------------------

static enum hx_status claim(struct inode *inode, _Atomic uint32_t *mine,
                            const _Atomic uint32_t *theirs) {
    enum hx_status status = HX_ERR_TEXT_BUSY;
    spin_lock(&inode->info_lock);
    if (atomic_load_explicit(theirs, memory_order_relaxed) == 0) {
        atomic_fetch_add_explicit(mine, 1, memory_order_relaxed);
        status = HX_OK;
    }
    spin_unlock(&inode->info_lock);
    return status;
}

static void unclaim(struct inode *inode, _Atomic uint32_t *mine) {
    spin_lock(&inode->info_lock);
    uint32_t old = atomic_fetch_sub_explicit(mine, 1, memory_order_relaxed);
    spin_unlock(&inode->info_lock);
    ASSERT(old != 0);
}

enum hx_status inode_write_begin(struct inode *inode) {
    return claim(inode, &inode->writers, &inode->executing);
}

void inode_write_end(struct inode *inode) {
    unclaim(inode, &inode->writers);
}

enum hx_status inode_execute_begin(struct inode *inode) {
    return claim(inode, &inode->executing, &inode->writers);
}

void inode_execute_end(struct inode *inode) {
    unclaim(inode, &inode->executing);
}

// Symbolic links
// -----------------------------------------------------------------------------------------------

enum hx_status inode_target(struct inode *inode, const char **out_target) {
    char *target = atomic_load_explicit(&inode->target, memory_order_acquire);
    if (target != NULL) {
        *out_target = target;
        return HX_OK;
    }
    const struct fs_port *port = filesystem_port(inode->fs);
    void *instance = inode->fs->instance;
    uint32_t length = 0;
    char *buffer = heap_alloc(PATH_BYTES_MAX, MEMORY_SLEEP);
    if (buffer == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    enum hx_status status = FS_REPEATED(
        port, fs_call_readlink(port, instance, inode->node, buffer, PATH_BYTES_MAX - 1, &length));
    if (status == HX_OK) {
        target = heap_alloc(length + 1, MEMORY_SLEEP);
        status = target == NULL ? HX_ERR_NO_MEMORY : HX_OK;
    }
    if (status == HX_OK) {
        buffer[length] = '\0';
        memcpy(target, buffer, length + 1);
        char *other = NULL;
        if (!atomic_compare_exchange_strong_explicit(&inode->target, &other, target,
                                                     memory_order_acq_rel, memory_order_acquire)) {
            heap_free(target);
            target = other;
        }
        *out_target = target;
    }
    heap_free(buffer);
    return status;
}

enum hx_status vfs_readlink(struct path path, char *buffer, uint32_t capacity,
                            uint32_t *out_length) {
    struct inode *inode = path_inode(path);
    if (inode_type(inode) != FS_MODE_LINK) {
        return HX_ERR_NOT_LINK;
    }
    if (inode_has_flag(inode, FS_UNCACHED)) {
        return fs_call_readlink(filesystem_port(inode->fs), inode->fs->instance, inode->node,
                                buffer, capacity, out_length);
    }
    const char *target = NULL;
    enum hx_status status = inode_target(inode, &target);
    if (status == HX_OK) {
        uint32_t length = 0;
        while (length < capacity && target[length] != '\0') { // the buffer gets no terminator
            buffer[length] = target[length];
            length++;
        }
        *out_length = length;
    }
    return status;
}
