// SPDX-License-Identifier: MIT OR Apache-2.0
// xattr.c: see <vfs/xattr.h>. The order of the checks is that of Linux's fs/xattr.c and
// commoncap.c.
//
// All is done with the inode's lock, so that what is there does not change between a look and what
// follows of it. A value of several pieces is read and set by several calls of the file system, and
// set one at a time in each.
#include "inode.h"
#include "repeat.h"

#include <core/ports/fs_calls.h>
#include <lib/string.h>
#include <memory/account.h>
#include <memory/heap.h>
#include <vfs/xattr.h>

// Names
// -----------------------------------------------------------------------------------------------

enum space { SPACE_NONE, SPACE_USER, SPACE_TRUSTED, SPACE_SECURITY };

static const char capability_name[] = "security.capability";

static bool begins_with(struct fs_name name, const char *text) {
    const size_t length = strlen(text);
    return name.length >= length && memcmp(name.text, text, length) == 0;
}

static enum space space_of(struct fs_name name) {
    return begins_with(name, "user.")       ? SPACE_USER
           : begins_with(name, "trusted.")  ? SPACE_TRUSTED
           : begins_with(name, "security.") ? SPACE_SECURITY
                                            : SPACE_NONE;
}

static bool is_capability(struct fs_name name) {
    return name.length == sizeof(capability_name) - 1 && begins_with(name, capability_name);
}

// "user.": where others of its kind may be.
static bool is_prefix(struct fs_name name) {
    return memchr(name.text, '.', name.length) == name.text + name.length - 1;
}

// Who may
// -----------------------------------------------------------------------------------------------

// user.*: what its bits permit is known of files and directories alone; in a sticky directory, that
// anybody may write to, it is the owner's.
static enum hx_status may_user(struct inode *inode, const struct credentials *credentials,
                               uint32_t want) {
    const uint32_t mode = inode != NULL ? inode_mode(inode) : 0;
    const uint32_t type = mode & FS_MODE_TYPE;
    if (type != FS_MODE_REGULAR && type != FS_MODE_DIRECTORY) {
        return want == WANT_WRITE ? HX_ERR_NOT_PERMITTED : HX_ERR_NO_DATA;
    }
    if (type == FS_MODE_DIRECTORY && (mode & MODE_STICKY) != 0 && want == WANT_WRITE &&
        !inode_is_owner(inode, credentials)) {
        return HX_ERR_NOT_PERMITTED;
    }
    return inode_permission(inode, credentials, want);
}

// `inode` NULL: what has no name, and no attributes.
static enum hx_status may(struct inode *inode, const struct credentials *credentials,
                          struct fs_name name, uint32_t want) {
    switch (space_of(name)) {
    case SPACE_USER:
        return may_user(inode, credentials, want);
    case SPACE_TRUSTED:
        if (credentials_capable(credentials, CAPABILITY_SYS_ADMIN)) {
            return HX_OK;
        }
        return want == WANT_WRITE ? HX_ERR_NOT_PERMITTED : HX_ERR_NO_DATA;
    case SPACE_SECURITY:
        if (want == WANT_READ ||
            credentials_capable(credentials,
                                is_capability(name) ? CAPABILITY_SETFCAP : CAPABILITY_SYS_ADMIN)) {
            return HX_OK;
        }
        return HX_ERR_NOT_PERMITTED;
    default:
        return inode == NULL || begins_with(name, "system.")
                   ? HX_OK
                   : inode_permission(inode, credentials, want);
    }
}

// Between the caller's look and the call the file system may have become one for reading.
static enum hx_status changed(enum hx_status status) {
    return status == HX_ERR_ACCESS_DENIED ? HX_ERR_READ_ONLY : status;
}

// The file system's
// -----------------------------------------------------------------------------------------------

struct piece {
    uint32_t offset;
    void *bytes;
    uint32_t capacity;
    uint32_t length;
};

static enum hx_status piece_get(struct inode *inode, struct fs_name name, struct piece *piece,
                                uint32_t *out_size_bytes) {
    struct filesystem *fs = inode->fs;
    const struct fs_port *port = filesystem_port(fs);
    enum hx_status status = FS_REPEATED(
        port, fs_call_getxattr(port, fs->instance, inode->node, name, piece->offset, out_size_bytes,
                               piece->bytes, piece->capacity, &piece->length));
    return status == HX_OK && *out_size_bytes > XATTR_BYTES_MAX ? HX_ERR_CORRUPT : status;
}

// How long the value is, also of names that nobody can have.
static enum hx_status size_get(struct inode *inode, struct fs_name name, uint32_t *out_size_bytes) {
    char none;
    struct piece piece = { .bytes = &none };
    if (space_of(name) == SPACE_NONE) {
        return HX_ERR_NO_OPERATION;
    }
    enum hx_status status = piece_get(inode, name, &piece, out_size_bytes);
    return status == HX_ERR_NO_DATA && is_prefix(name) ? HX_ERR_INVALID : status;
}

static enum hx_status value_get(struct inode *inode, struct fs_name name, uint8_t *value,
                                uint32_t size_bytes) {
    enum hx_status status = HX_OK;
    struct piece piece = { 0 };
    while (status == HX_OK && piece.offset < size_bytes) {
        uint32_t now;
        piece.bytes = value + piece.offset;
        piece.capacity = MIN_OF(size_bytes - piece.offset, FS_XATTR_PIECE_MAX);
        status = piece_get(inode, name, &piece, &now);
        if (status == HX_OK && (now != size_bytes || piece.length == 0)) {
            status = HX_ERR_CORRUPT; // nobody has changed it
        }
        piece.offset += piece.length;
    }
    return status;
}

// One after the other. What has come of a value whose last piece does not come is let go.
static enum hx_status pieces_set(struct inode *inode, struct fs_name name,
                                 const struct xattr_value *value) {
    struct filesystem *fs = inode->fs;
    const struct fs_port *port = filesystem_port(fs);
    const uint8_t *bytes = value->bytes;
    uint32_t offset = 0;
    enum hx_status status;
    do {
        const uint32_t length = MIN_OF(value->size_bytes - offset, FS_XATTR_PIECE_MAX);
        status = fs_call_setxattr(port, fs->instance, inode->node, name, offset, value->size_bytes,
                                  bytes + offset, length);
        offset += length;
    } while (status == HX_OK && offset < value->size_bytes);
    if (status != HX_OK && status != HX_ERR_PEER_DIED && offset > FS_XATTR_PIECE_MAX) {
        // If this does not come either, the next value that is set does the same.
        HX_IGNORE(fs_call_setxattr(port, fs->instance, inode->node, name, value->size_bytes,
                                   value->size_bytes, bytes, 0));
    }
    return status;
}

// Of a life that ended the next one has no pieces: the value is begun again, as often as any call.
static bool is_begun_again(struct repeat *repeat, enum hx_status status) {
    if (status == HX_ERR_NOT_FOUND && repeat->left != 0) {
        repeat->left--;
        return true;
    }
    return repeat_due(repeat, status);
}

static enum hx_status value_set(struct inode *inode, struct fs_name name,
                                const struct xattr_value *value) {
    struct filesystem *fs = inode->fs;
    struct repeat repeat = repeat_begin(filesystem_port(fs));
    enum hx_status status;
    mutex_lock(&fs->xattr_lock);
    do {
        status = pieces_set(inode, name, value);
    } while (is_begun_again(&repeat, status));
    mutex_unlock(&fs->xattr_lock);
    return status == HX_ERR_NOT_FOUND ? HX_ERR_IO : changed(status);
}

// What they cost
// -----------------------------------------------------------------------------------------------

#define COST_BYTES 192u // of an attribute, beside its name and its value
#define FREE_BYTES 512u // so little is part of the node, as the text of a short link

// Memory comes in powers of two.
static uint32_t cost_of(struct fs_name name, uint32_t size_bytes) {
    return COST_BYTES + 2 * (name.length + size_bytes);
}

static uint32_t pages_of(const struct inode *inode, uint32_t cost) {
    return inode_has_flag(inode, FS_NO_PAGER) && cost > FREE_BYTES
               ? (uint32_t)(ALIGN_UP((uint64_t)cost, PAGE_SIZE) / PAGE_SIZE)
               : 0;
}

// From now on the attributes cost that much; less never fails. The inode's lock is held for
// writing.
static enum hx_status cost_set(struct inode *inode, uint32_t cost) {
    const uint32_t before = pages_of(inode, inode->xattr_cost);
    const uint32_t after = pages_of(inode, cost);
    if (after > before &&
        account_charge(inode->fs->account, ACCOUNT_FRAMES, after - before) != HX_OK) {
        return HX_ERR_NO_SPACE;
    }
    if (after < before) {
        account_release(inode->fs->account, ACCOUNT_FRAMES, before - after);
    }
    inode->charged += after - before; // modulo 2^32
    inode->xattr_cost = cost;
    return HX_OK;
}

// Setting
// -----------------------------------------------------------------------------------------------

// The bytes of security.capability: struct vfs_cap_data and struct vfs_ns_cap_data of
// <linux/capability.h>.
#define CAP_EFFECTIVE  0x000001u
#define CAP_REVISION_2 0x02000000u
#define CAP_REVISION_3 0x03000000u
#define CAP_BYTES_2    20u
#define CAP_BYTES_3    24u

struct file_capability {
    uint32_t magic;
    uint32_t sets[4];
    uint32_t root; // revision 3: the user who is root where it counts
};
_Static_assert(sizeof(struct file_capability) == CAP_BYTES_3, "as programs have it");

// Copies it. One for the root of the only user namespace that there is counts everywhere, and is
// told as one of revision 2.
static enum hx_status capability_take(const struct xattr_value *value, struct file_capability *to,
                                      struct xattr_value *out_value) {
    if (value->size_bytes != CAP_BYTES_2 && value->size_bytes != CAP_BYTES_3) {
        return HX_ERR_INVALID;
    }
    *to = (struct file_capability){ 0 };
    memcpy(to, value->bytes, value->size_bytes);
    const uint32_t revision = value->size_bytes == CAP_BYTES_2 ? CAP_REVISION_2 : CAP_REVISION_3;
    if ((to->magic & ~CAP_EFFECTIVE) != revision || to->root == UINT32_MAX) {
        return HX_ERR_INVALID;
    }
    *out_value = (struct xattr_value){ to, value->size_bytes };
    if (to->root == 0) {
        to->magic = CAP_REVISION_2 | (to->magic & CAP_EFFECTIVE);
        out_value->size_bytes = CAP_BYTES_2;
    }
    return HX_OK;
}

// What is there, and whether the flags let it be replaced, or made.
static enum hx_status set_check(struct inode *inode, struct fs_name name, uint32_t flags,
                                uint32_t *out_cost) {
    uint32_t size_bytes;
    enum hx_status status = size_get(inode, name, &size_bytes);
    *out_cost = 0;
    if (status == HX_OK) {
        *out_cost = cost_of(name, size_bytes);
        return (flags & XATTR_CREATE) != 0 ? HX_ERR_EXISTS : HX_OK;
    }
    return status == HX_ERR_NO_DATA && (flags & XATTR_REPLACE) == 0 ? HX_OK : status;
}

// A liar's file system may say that what was never paid for is gone.
static uint32_t cost_without(const struct inode *inode, uint32_t cost) {
    return inode->xattr_cost - MIN_OF(cost, inode->xattr_cost);
}

// Whether it may have been done, although it failed: both values stay paid.
static bool is_open_question(enum hx_status status) {
    return status == HX_ERR_PEER_DIED || status == HX_ERR_IO;
}

static enum hx_status set_locked(struct inode *inode, struct fs_name name,
                                 const struct xattr_value *value, uint32_t flags) {
    const uint32_t before = inode->xattr_cost;
    uint32_t old;
    enum hx_status status = set_check(inode, name, flags, &old);
    if (status != HX_OK) {
        return status;
    }
    const uint32_t after = cost_without(inode, old) + cost_of(name, value->size_bytes);
    status = cost_set(inode, MAX_OF(before, after));
    if (status != HX_OK) {
        return status;
    }
    if (is_capability(name)) {
        inode->no_capability = 0; // also if who has set it dies before it says so
    }
    status = value_set(inode, name, value);
    if (!is_open_question(status)) {
        HX_IGNORE(cost_set(inode, status == HX_OK ? after : before)); // it is not more
    }
    if (status == HX_OK) {
        inode_touch(inode, FS_SET_CHANGED);
    }
    return status;
}

enum hx_status inode_xattr_set(struct inode *inode, const struct credentials *credentials,
                               struct fs_name name, const struct xattr_value *value,
                               uint32_t flags) {
    struct file_capability capability;
    struct xattr_value taken = *value;
    rwlock_write(&inode->lock);
    enum hx_status status = HX_OK;
    if (is_capability(name) && value->size_bytes != 0) { // an empty one gives nothing
        status = capability_take(value, &capability, &taken);
    }
    if (status == HX_OK) {
        status = may(inode, credentials, name, WANT_WRITE);
    }
    if (status == HX_OK) {
        status = set_locked(inode, name, &taken, flags);
    }
    rwlock_write_done(&inode->lock);
    return status;
}

// Removing
// -----------------------------------------------------------------------------------------------

static enum hx_status remove_locked(struct inode *inode, struct fs_name name) {
    struct filesystem *fs = inode->fs;
    const struct fs_port *port = filesystem_port(fs);
    uint32_t size_bytes;
    enum hx_status status = size_get(inode, name, &size_bytes);
    if (status == HX_OK) {
        status =
            changed(FS_REPEATED(port, fs_call_removexattr(port, fs->instance, inode->node, name)));
    }
    if (status == HX_OK) {
        HX_IGNORE(cost_set(inode, cost_without(inode, cost_of(name, size_bytes)))); // it is less
    }
    return status;
}

enum hx_status inode_xattr_remove(struct inode *inode, const struct credentials *credentials,
                                  struct fs_name name) {
    rwlock_write(&inode->lock);
    enum hx_status status = may(inode, credentials, name, WANT_WRITE);
    if (status == HX_OK) {
        status = remove_locked(inode, name);
    }
    if (status == HX_OK) {
        inode_touch(inode, FS_SET_CHANGED);
    }
    rwlock_write_done(&inode->lock);
    return status;
}

enum hx_status inode_capability_drop_locked(struct inode *inode) {
    const struct fs_name name = { capability_name, sizeof(capability_name) - 1 };
    const uint32_t life = atomic_load_explicit(&inode->fs->type->life, memory_order_relaxed);
    if (inode->no_capability == life) {
        return HX_OK;
    }
    enum hx_status status = remove_locked(inode, name);
    if (status != HX_OK && status != HX_ERR_NO_DATA && status != HX_ERR_NO_OPERATION) {
        return status;
    }
    inode->no_capability = life;
    return HX_OK;
}

// Looking
// -----------------------------------------------------------------------------------------------

static enum hx_status get_locked(struct inode *inode, struct fs_name name, uint64_t room,
                                 void **out_value, uint32_t *out_size_bytes) {
    void *value = NULL;
    uint32_t size_bytes;
    enum hx_status status = size_get(inode, name, &size_bytes);
    if (status == HX_OK && size_bytes == 0 && is_capability(name)) {
        status = HX_ERR_INVALID; // it is none
    }
    if (status == HX_OK && room != 0 && size_bytes > room) {
        status = HX_ERR_RANGE;
    }
    if (status == HX_OK && room != 0 && size_bytes != 0) {
        value = heap_alloc(size_bytes, MEMORY_SLEEP);
        status = value != NULL ? value_get(inode, name, value, size_bytes) : HX_ERR_NO_MEMORY;
    }
    if (status != HX_OK) {
        heap_free(value);
        return status;
    }
    *out_value = value;
    *out_size_bytes = size_bytes;
    return HX_OK;
}

enum hx_status inode_xattr_get(struct inode *inode, const struct credentials *credentials,
                               struct fs_name name, uint64_t room, void **out_value,
                               uint32_t *out_size_bytes) {
    enum hx_status status = may(inode, credentials, name, WANT_READ);
    if (status == HX_OK) {
        rwlock_read(&inode->lock);
        status = get_locked(inode, name, room, out_value, out_size_bytes);
        rwlock_read_done(&inode->lock);
    }
    return status;
}

enum hx_status xattr_of_nothing(const struct credentials *credentials, struct fs_name name,
                                bool is_changed) {
    enum hx_status status = may(NULL, credentials, name, is_changed ? WANT_WRITE : WANT_READ);
    return status == HX_OK ? HX_ERR_NO_OPERATION : status;
}

// Lets those go that the credentials may not see. Gives the new length; UINT32_MAX: the last name
// has no end.
static uint32_t names_cut(char *names, uint32_t length, const struct credentials *credentials) {
    const bool sees_trusted = credentials_capable(credentials, CAPABILITY_SYS_ADMIN);
    uint32_t kept = 0;
    for (uint32_t at = 0; at < length;) {
        const struct fs_name name = { names + at, (uint32_t)strnlen(names + at, length - at) };
        if (name.length == length - at) {
            return UINT32_MAX;
        }
        at += name.length + 1;
        if (sees_trusted || space_of(name) != SPACE_TRUSTED) {
            memmove(names + kept, name.text, name.length + 1);
            kept += name.length + 1;
        }
    }
    return kept;
}

enum hx_status inode_xattr_list(struct inode *inode, const struct credentials *credentials,
                                char **out_names, uint32_t *out_length) {
    struct filesystem *fs = inode->fs;
    const struct fs_port *port = filesystem_port(fs);
    uint32_t length = 0;
    char *names = heap_alloc(FS_XATTR_LIST_MAX, MEMORY_SLEEP);
    if (names == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    rwlock_read(&inode->lock);
    enum hx_status status = FS_REPEATED(port, fs_call_listxattr(port, fs->instance, inode->node,
                                                                names, FS_XATTR_LIST_MAX, &length));
    rwlock_read_done(&inode->lock);
    if (status == HX_ERR_NO_OPERATION) {
        status = HX_OK; // it has none, and length is 0
    }
    if (status == HX_OK) {
        length = names_cut(names, length, credentials);
        status = length == UINT32_MAX ? HX_ERR_CORRUPT : HX_OK;
    }
    if (status != HX_OK) {
        heap_free(names);
        return status;
    }
    *out_names = names;
    *out_length = length;
    return HX_OK;
}
