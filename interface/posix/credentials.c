// SPDX-License-Identifier: MIT OR Apache-2.0
// interface/posix/credentials.c: users, groups, capabilities (POSIX.1-2017; credentials(7),
// capabilities(7) of Linux).
//
// Credentials are the process's, and are replaced, never changed: a call copies them, changes the
// copy, and puts it in place. C libraries make the call in every thread, which does no harm.
#include "life.h"

#include <lib/string.h>
#include <memory/heap.h>
#include <memory/usercopy.h>

#define KEEP UINT32_MAX // -1: as it is

#define CAPABILITY_VERSION_1 0x19980330u
#define CAPABILITY_VERSION_2 0x20071026u
#define CAPABILITY_VERSION_3 0x20080522u
#define CAPABILITY_SETPCAP   8u

#define GROUPS_LIMIT 65536u // NGROUPS_MAX

// A change of user ids takes capabilities away or gives them (capabilities(7), "Effect of user ID
// changes on capabilities").
static void adjust_capabilities(const struct credentials *old, struct credentials *fresh) {
    const bool had_root = old->uid == 0 || old->euid == 0 || old->suid == 0;
    const bool has_root = fresh->uid == 0 || fresh->euid == 0 || fresh->suid == 0;
    if (had_root && !has_root) {
        fresh->permitted = 0;
        fresh->effective = 0;
    }
    if (old->euid == 0 && fresh->euid != 0) {
        fresh->effective = 0;
    } else if (old->euid != 0 && fresh->euid == 0) {
        fresh->effective = fresh->permitted;
    }
}

// What of the capabilities is about files goes with the file system's user (capabilities(7)).
static void adjust_file_capabilities(const struct credentials *old, struct credentials *fresh) {
    const uint64_t of_files = 1ull << CAPABILITY_CHOWN | 1ull << CAPABILITY_DAC_OVERRIDE |
                              1ull << CAPABILITY_DAC_READ | 1ull << CAPABILITY_FOWNER |
                              1ull << CAPABILITY_FSETID | 1ull << CAPABILITY_MKNOD | 1ull << 9 |
                              1ull << 32; // CAP_LINUX_IMMUTABLE, CAP_MAC_OVERRIDE
    if (old->fsuid == 0 && fresh->fsuid != 0) {
        fresh->effective &= ~of_files;
    } else if (old->fsuid != 0 && fresh->fsuid == 0) {
        fresh->effective |= fresh->permitted & of_files;
    }
}

static struct credentials *begin(struct call *call, struct credentials **out_old) {
    *out_old = posix_credentials(call->process);
    struct credentials *fresh = credentials_copy(*out_old);
    if (fresh == NULL) {
        credentials_put(*out_old);
    }
    return fresh;
}

// Puts the copy in place, or drops it if `status` is an error. Ends what begin() began.
static enum hx_status finish(struct call *call, struct credentials *old, struct credentials *fresh,
                             enum hx_status status) {
    struct posix_user *user = NULL;
    if (status == HX_OK && fresh->uid != old->uid) {
        user = posix_user_get(fresh->uid);
        if (user == NULL) {
            status = HX_ERR_WOULD_BLOCK;
        }
    }
    if (status == HX_OK) {
        adjust_capabilities(old, fresh);
        posix_credentials_set(call->process, fresh, user);
    } else {
        credentials_put(fresh);
    }
    credentials_put(old);
    return status;
}

static bool is_own_uid(const struct credentials *own, uint32_t id) {
    return id == own->uid || id == own->euid || id == own->suid;
}

static bool is_own_gid(const struct credentials *own, uint32_t id) {
    return id == own->gid || id == own->egid || id == own->sgid;
}

// Reading ----------------------------------------------------------------------------------------

enum hx_status sys_getuid(struct call *call) {
    call->result = atomic_load_explicit(&call->process->uid, memory_order_relaxed);
    return HX_OK;
}

enum hx_status sys_geteuid(struct call *call) {
    struct credentials *own = posix_credentials(call->process);
    call->result = own->euid;
    credentials_put(own);
    return HX_OK;
}

enum hx_status sys_getgid(struct call *call) {
    struct credentials *own = posix_credentials(call->process);
    call->result = own->gid;
    credentials_put(own);
    return HX_OK;
}

enum hx_status sys_getegid(struct call *call) {
    struct credentials *own = posix_credentials(call->process);
    call->result = own->egid;
    credentials_put(own);
    return HX_OK;
}

static enum hx_status write_three(struct call *call, const uint32_t ids[3]) {
    for (uint32_t i = 0; i < 3; i++) {
        if (copy_to_user(call_address(call, i), &ids[i], sizeof(ids[i])) != HX_OK) {
            return HX_ERR_BAD_ADDRESS;
        }
    }
    return HX_OK;
}

enum hx_status sys_getresuid(struct call *call) {
    struct credentials *own = posix_credentials(call->process);
    const uint32_t ids[3] = { own->uid, own->euid, own->suid };
    credentials_put(own);
    return write_three(call, ids);
}

enum hx_status sys_getresgid(struct call *call) {
    struct credentials *own = posix_credentials(call->process);
    const uint32_t ids[3] = { own->gid, own->egid, own->sgid };
    credentials_put(own);
    return write_three(call, ids);
}

// Users ------------------------------------------------------------------------------------------

static enum hx_status change_setuid(const struct credentials *old, struct credentials *fresh,
                                    uint32_t uid) {
    if (credentials_capable(old, CAPABILITY_SETUID)) {
        fresh->uid = uid;
        fresh->suid = uid;
    } else if (uid != old->uid && uid != old->suid) {
        return HX_ERR_NOT_PERMITTED;
    }
    fresh->euid = uid;
    fresh->fsuid = uid;
    return HX_OK;
}

enum hx_status sys_setuid(struct call *call) {
    struct credentials *old;
    struct credentials *fresh = begin(call, &old);
    const uint32_t uid = call_uint(call, 0);
    if (fresh == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    return finish(call, old, fresh, uid == KEEP ? HX_ERR_INVALID : change_setuid(old, fresh, uid));
}

static enum hx_status change_setreuid(const struct credentials *old, struct credentials *fresh,
                                      uint32_t uid, uint32_t euid) {
    const bool is_free = credentials_capable(old, CAPABILITY_SETUID);
    if (uid != KEEP) {
        if (!is_free && uid != old->uid && uid != old->euid) {
            return HX_ERR_NOT_PERMITTED;
        }
        fresh->uid = uid;
    }
    if (euid != KEEP) {
        if (!is_free && !is_own_uid(old, euid)) {
            return HX_ERR_NOT_PERMITTED;
        }
        fresh->euid = euid;
    }
    if (uid != KEEP || (euid != KEEP && euid != old->uid)) {
        fresh->suid = fresh->euid;
    }
    fresh->fsuid = fresh->euid;
    return HX_OK;
}

enum hx_status sys_setreuid(struct call *call) {
    struct credentials *old;
    struct credentials *fresh = begin(call, &old);
    if (fresh == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    return finish(call, old, fresh,
                  change_setreuid(old, fresh, call_uint(call, 0), call_uint(call, 1)));
}

enum hx_status sys_setresuid(struct call *call) {
    const uint32_t ids[3] = { call_uint(call, 0), call_uint(call, 1), call_uint(call, 2) };
    struct credentials *old;
    struct credentials *fresh = begin(call, &old);
    if (fresh == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    enum hx_status status = HX_OK;
    for (unsigned i = 0; i < 3; i++) {
        if (ids[i] != KEEP && !is_own_uid(old, ids[i]) &&
            !credentials_capable(old, CAPABILITY_SETUID)) {
            status = HX_ERR_NOT_PERMITTED;
        }
    }
    fresh->uid = ids[0] != KEEP ? ids[0] : old->uid;
    fresh->euid = ids[1] != KEEP ? ids[1] : old->euid;
    fresh->suid = ids[2] != KEEP ? ids[2] : old->suid;
    fresh->fsuid = fresh->euid;
    return finish(call, old, fresh, status);
}

// Gives the old id, whether or not it changed it.
enum hx_status sys_setfsuid(struct call *call) {
    const uint32_t id = call_uint(call, 0);
    struct credentials *old;
    struct credentials *fresh = begin(call, &old);
    if (fresh == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    call->result = old->fsuid;
    if (id != KEEP &&
        (is_own_uid(old, id) || id == old->fsuid || credentials_capable(old, CAPABILITY_SETUID))) {
        fresh->fsuid = id;
        adjust_file_capabilities(old, fresh);
    }
    return finish(call, old, fresh, HX_OK);
}

// Groups -----------------------------------------------------------------------------------------

enum hx_status sys_setgid(struct call *call) {
    const uint32_t gid = call_uint(call, 0);
    struct credentials *old;
    struct credentials *fresh = begin(call, &old);
    if (fresh == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    enum hx_status status = gid == KEEP ? HX_ERR_INVALID : HX_OK;
    if (credentials_capable(old, CAPABILITY_SETGID)) {
        fresh->gid = gid;
        fresh->sgid = gid;
    } else if (status == HX_OK && gid != old->gid && gid != old->sgid) {
        status = HX_ERR_NOT_PERMITTED;
    }
    fresh->egid = gid;
    fresh->fsgid = gid;
    return finish(call, old, fresh, status);
}

static enum hx_status change_setregid(const struct credentials *old, struct credentials *fresh,
                                      uint32_t gid, uint32_t egid) {
    const bool is_free = credentials_capable(old, CAPABILITY_SETGID);
    if (gid != KEEP) {
        if (!is_free && gid != old->gid && gid != old->egid) {
            return HX_ERR_NOT_PERMITTED;
        }
        fresh->gid = gid;
    }
    if (egid != KEEP) {
        if (!is_free && !is_own_gid(old, egid)) {
            return HX_ERR_NOT_PERMITTED;
        }
        fresh->egid = egid;
    }
    if (gid != KEEP || (egid != KEEP && egid != old->gid)) {
        fresh->sgid = fresh->egid;
    }
    fresh->fsgid = fresh->egid;
    return HX_OK;
}

enum hx_status sys_setregid(struct call *call) {
    struct credentials *old;
    struct credentials *fresh = begin(call, &old);
    if (fresh == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    return finish(call, old, fresh,
                  change_setregid(old, fresh, call_uint(call, 0), call_uint(call, 1)));
}

enum hx_status sys_setresgid(struct call *call) {
    const uint32_t ids[3] = { call_uint(call, 0), call_uint(call, 1), call_uint(call, 2) };
    struct credentials *old;
    struct credentials *fresh = begin(call, &old);
    if (fresh == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    enum hx_status status = HX_OK;
    for (unsigned i = 0; i < 3; i++) {
        if (ids[i] != KEEP && !is_own_gid(old, ids[i]) &&
            !credentials_capable(old, CAPABILITY_SETGID)) {
            status = HX_ERR_NOT_PERMITTED;
        }
    }
    fresh->gid = ids[0] != KEEP ? ids[0] : old->gid;
    fresh->egid = ids[1] != KEEP ? ids[1] : old->egid;
    fresh->sgid = ids[2] != KEEP ? ids[2] : old->sgid;
    fresh->fsgid = fresh->egid;
    return finish(call, old, fresh, status);
}

enum hx_status sys_setfsgid(struct call *call) {
    const uint32_t id = call_uint(call, 0);
    struct credentials *old;
    struct credentials *fresh = begin(call, &old);
    if (fresh == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    call->result = old->fsgid;
    if (id != KEEP &&
        (is_own_gid(old, id) || id == old->fsgid || credentials_capable(old, CAPABILITY_SETGID))) {
        fresh->fsgid = id;
    }
    return finish(call, old, fresh, HX_OK);
}

enum hx_status sys_getgroups(struct call *call) {
    const int32_t capacity = call_int(call, 0);
    struct credentials *own = posix_credentials(call->process);
    enum hx_status status = HX_OK;
    call->result = own->group_count;
    if (capacity < 0 || (capacity != 0 && (uint32_t)capacity < own->group_count)) {
        status = HX_ERR_INVALID;
    } else if (capacity != 0) {
        status = copy_to_user(call_address(call, 1), own->groups,
                              own->group_count * sizeof(own->groups[0]));
    }
    credentials_put(own);
    return status;
}

enum hx_status sys_setgroups(struct call *call) {
    const uint32_t count = call_uint(call, 0);
    if (!posix_capable(CAPABILITY_SETGID)) {
        return HX_ERR_NOT_PERMITTED;
    }
    if (count > GROUPS_LIMIT) {
        return HX_ERR_INVALID;
    }
    if (count > CREDENTIALS_GROUPS_MAX) {
        return HX_ERR_NO_MEMORY; // fewer than Linux has
    }
    struct credentials *old;
    struct credentials *fresh = begin(call, &old);
    if (fresh == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    fresh->group_count = count;
    return finish(
        call, old, fresh,
        copy_from_user(fresh->groups, call_address(call, 1), count * sizeof(fresh->groups[0])));
}

// Capabilities -----------------------------------------------------------------------------------

struct capability_header {
    uint32_t version;
    int32_t pid;
};
struct capability_word {
    uint32_t effective, permitted, inheritable;
};

// How many words the version has; 0 for an unknown one, which is then answered with ours.
static enum hx_status header_read(struct call *call, struct capability_header *header,
                                  uint32_t *out_words) {
    if (copy_from_user(header, call_address(call, 0), sizeof(*header)) != HX_OK) {
        return HX_ERR_BAD_ADDRESS;
    }
    switch (header->version) {
    case CAPABILITY_VERSION_1:
        *out_words = 1;
        return HX_OK;
    case CAPABILITY_VERSION_2:
    case CAPABILITY_VERSION_3:
        *out_words = 2;
        return HX_OK;
    default:
        header->version = CAPABILITY_VERSION_3;
        *out_words = 0;
        return copy_to_user(call_address(call, 0), header, sizeof(*header));
    }
}

enum hx_status sys_capget(struct call *call) {
    struct capability_header header;
    uint32_t words;
    const enum hx_status status = header_read(call, &header, &words);
    if (status != HX_OK || words == 0) {
        return status != HX_OK || call->args[1] == 0 ? status : HX_ERR_INVALID;
    }
    if (header.pid < 0) {
        return HX_ERR_INVALID;
    }
    struct posix_process *process =
        posix_process_find(header.pid != 0 ? header.pid : call->process->pid);
    if (process == NULL) {
        return HX_ERR_NO_PROCESS;
    }
    struct credentials *its = posix_credentials(process);
    struct capability_word out[2];
    for (unsigned i = 0; i < 2; i++) {
        out[i] = (struct capability_word){
            .effective = (uint32_t)(its->effective >> (32 * i)),
            .permitted = (uint32_t)(its->permitted >> (32 * i)),
            .inheritable = (uint32_t)(its->inheritable >> (32 * i)),
        };
    }
    credentials_put(its);
    process_put(process->process);
    return call->args[1] != 0 ? copy_to_user(call_address(call, 1), out, words * sizeof(out[0]))
                              : HX_OK;
}

static enum hx_status change_capabilities(const struct credentials *old, struct credentials *fresh,
                                          const struct capability_word words[2]) {
    const uint64_t effective = words[0].effective | (uint64_t)words[1].effective << 32;
    const uint64_t permitted = words[0].permitted | (uint64_t)words[1].permitted << 32;
    const uint64_t inheritable = words[0].inheritable | (uint64_t)words[1].inheritable << 32;
    const uint64_t inheritable_most = credentials_capable(old, CAPABILITY_SETPCAP)
                                          ? old->inheritable | old->bounding
                                          : old->inheritable | old->permitted;
    if ((inheritable & ~inheritable_most) != 0 || (permitted & ~old->permitted) != 0 ||
        (effective & ~permitted) != 0) {
        return HX_ERR_NOT_PERMITTED;
    }
    fresh->effective = effective;
    fresh->permitted = permitted;
    fresh->inheritable = inheritable & CAPABILITY_ALL;
    return HX_OK;
}

enum hx_status sys_capset(struct call *call) {
    struct capability_header header;
    struct capability_word words[2] = { 0 };
    uint32_t count;
    enum hx_status status = header_read(call, &header, &count);
    if (status != HX_OK || count == 0) {
        return status != HX_OK ? status : HX_ERR_INVALID;
    }
    if (header.pid != 0 && header.pid != call->process->pid) {
        return HX_ERR_NOT_PERMITTED;
    }
    if (copy_from_user(words, call_address(call, 1), count * sizeof(words[0])) != HX_OK) {
        return HX_ERR_BAD_ADDRESS;
    }
    struct credentials *old;
    struct credentials *fresh = begin(call, &old);
    if (fresh == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    return finish(call, old, fresh, change_capabilities(old, fresh, words));
}
