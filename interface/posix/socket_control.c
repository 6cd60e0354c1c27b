// SPDX-License-Identifier: MIT OR Apache-2.0
// socket_control.c: control messages: descriptors (SCM_RIGHTS) and credentials (SCM_CREDENTIALS).
// Linux 6.1's net/core/scm.c is the reference.
#include "life.h"
#include "sockets.h"

#include <lib/string.h>
#include <memory/heap.h>

#define SCM_RIGHTS      1
#define SCM_CREDENTIALS 2

#define CONTROL_BYTES_MAX 20480u // net.core.optmem_max
#define CONTROL_FEW       256u

#define OVERFLOW_ID 65534u

struct linux_cmsghdr {
    uint64_t length; // with this header
    int32_t level;
    int32_t type;
};

// Sending
// -----------------------------------------------------------------------------------------------

// A walk through the control messages of a copied buffer.
struct control_walk {
    const uint8_t *bytes;
    uint64_t size, next;
    struct linux_cmsghdr header;
    const uint8_t *data;
    uint64_t data_bytes;
};

// The next one; *out_found is false at the end. HX_ERR_INVALID: a length that is none.
static enum hx_status control_next(struct control_walk *walk, bool *out_found) {
    *out_found = false;
    if (walk->next + sizeof(walk->header) > walk->size) {
        return HX_OK;
    }
    memcpy(&walk->header, walk->bytes + walk->next, sizeof(walk->header));
    const uint64_t length = walk->header.length;
    if (length < sizeof(walk->header) || length > walk->size - walk->next) {
        return HX_ERR_INVALID;
    }
    walk->data = walk->bytes + walk->next + sizeof(walk->header);
    walk->data_bytes = length - sizeof(walk->header);
    walk->next += ALIGN_UP(length, sizeof(uint64_t));
    *out_found = true;
    return HX_OK;
}

static bool is_rights(const struct control_walk *walk) {
    return walk->header.level == SOL_SOCKET && walk->header.type == SCM_RIGHTS;
}

// How many descriptors there are in all. HX_ERR_INVALID.
static enum hx_status count_rights(struct control_walk walk, uint32_t *out_count) {
    uint64_t count = 0;
    bool found;
    enum hx_status status;
    while ((status = control_next(&walk, &found)) == HX_OK && found) {
        count += is_rights(&walk) ? walk.data_bytes / sizeof(int32_t) : 0;
    }
    if (status != HX_OK || count > SOCKET_RIGHTS_MAX) {
        return HX_ERR_INVALID;
    }
    *out_count = (uint32_t)count;
    return HX_OK;
}

// A capability that may be passed on, with a reference.
static enum hx_status movable(struct call *call, int32_t fd, struct capability **out_capability) {
    enum hx_status status = file_table_find(call->process->files, fd, out_capability);
    if (status != HX_OK) {
        return status;
    }
    status = (capability_rights(*out_capability) & HX_RIGHT_DELEGATE) == 0
                 ? capability_refusal(*out_capability)
                 : socket_rights_check(*out_capability);
    if (status != HX_OK) {
        capability_put(*out_capability);
    }
    return status;
}

static enum hx_status read_rights(struct call *call, const struct control_walk *walk,
                                  struct socket_rights *rights) {
    for (uint64_t i = 0; i < walk->data_bytes / sizeof(int32_t); i++) {
        int32_t fd;
        memcpy(&fd, walk->data + i * sizeof(fd), sizeof(fd));
        enum hx_status status = movable(call, fd, &rights->items[rights->count]);
        if (status != HX_OK) {
            return status;
        }
        rights->count++;
    }
    return HX_OK;
}

// The program may say that it is another if it may become that.
static enum hx_status check_who(const struct call *call, const struct linux_ucred *said) {
    struct credentials *own = posix_credentials(call->process);
    const bool pid = said->pid == call->process->pid || //
                     credentials_capable(own, CAPABILITY_SYS_ADMIN);
    const bool uid = said->uid == own->uid || said->uid == own->euid || said->uid == own->suid ||
                     credentials_capable(own, CAPABILITY_SETUID);
    const bool gid = said->gid == own->gid || said->gid == own->egid || said->gid == own->sgid ||
                     credentials_capable(own, CAPABILITY_SETGID);
    credentials_put(own);
    if (!pid || !uid || !gid) {
        return HX_ERR_NOT_PERMITTED;
    }
    struct posix_process *process = posix_process_find(said->pid);
    if (process == NULL) {
        return HX_ERR_NO_PROCESS;
    }
    process_put(process->process);
    return said->uid == UINT32_MAX || said->gid == UINT32_MAX ? HX_ERR_INVALID : HX_OK;
}

static enum hx_status read_who(const struct call *call, const struct control_walk *walk,
                               struct control_sent *sent) {
    struct linux_ucred said;
    if (walk->data_bytes != sizeof(said)) {
        return HX_ERR_INVALID;
    }
    memcpy(&said, walk->data, sizeof(said));
    enum hx_status status = check_who(call, &said);
    sent->has_who = status == HX_OK;
    sent->who = (struct socket_who){ said.pid, said.uid, said.gid };
    return status;
}

static enum hx_status read_one(struct call *call, const struct control_walk *walk,
                               struct control_sent *sent) {
    if (walk->header.level != SOL_SOCKET) {
        return HX_OK; // somebody else's
    }
    switch (walk->header.type) {
    case SCM_RIGHTS:
        return sent->rights != NULL ? read_rights(call, walk, sent->rights) : HX_OK;
    case SCM_CREDENTIALS:
        return read_who(call, walk, sent);
    default:
        return HX_ERR_INVALID;
    }
}

static void settle(struct socket_rights *rights) {
    struct posix_user *user = rights->payer;
    atomic_fetch_sub_explicit(&user->passed, (int32_t)rights->count, memory_order_relaxed);
    posix_user_put(user);
}

static bool is_over_limit(const struct call *call, const struct posix_user *user) {
    const int64_t passed = atomic_load_explicit(&user->passed, memory_order_relaxed);
    return passed > 0 && (uint64_t)passed > posix_limit(call->process, RLIMIT_NOFILE) &&
           !posix_capable(CAPABILITY_SYS_RESOURCE) && !posix_capable(CAPABILITY_SYS_ADMIN);
}

// The sender's user pays for what is on its way, until it arrives.
static enum hx_status charge(struct call *call, struct socket_rights *rights) {
    struct posix_user *user = posix_user_of(call->process);
    if (is_over_limit(call, user)) {
        socket_collect(); // some of it may be out of reach
        if (is_over_limit(call, user)) {
            posix_user_put(user);
            return HX_ERR_TOO_MANY_PASSED;
        }
    }
    atomic_fetch_add_explicit(&user->passed, (int32_t)rights->count, memory_order_relaxed);
    rights->payer = user;
    rights->settle = settle;
    return HX_OK;
}

static enum hx_status read_all(struct call *call, struct control_walk walk,
                               struct control_sent *sent) {
    uint32_t count;
    enum hx_status status = count_rights(walk, &count);
    if (status != HX_OK) {
        return status;
    }
    if (count != 0) {
        sent->rights = socket_rights_create(count);
        if (sent->rights == NULL) {
            return HX_ERR_NO_MEMORY;
        }
        sent->rights->count = 0; // as many as are in it
    }
    bool found;
    while ((status = control_next(&walk, &found)) == HX_OK && found) {
        status = read_one(call, &walk, sent);
        if (status != HX_OK) {
            return status;
        }
    }
    return status == HX_OK && count != 0 ? charge(call, sent->rights) : status;
}

enum hx_status control_from_user(struct call *call, const struct linux_msghdr *header,
                                 struct control_sent *out_sent) {
    *out_sent = (struct control_sent){ 0 };
    const uint64_t size = header->control_bytes;
    if (size == 0) {
        return HX_OK;
    }
    if (size > CONTROL_BYTES_MAX) {
        return call_fail(call, HX_ERR_INVALID, ENOBUFS);
    }
    uint8_t few[CONTROL_FEW];
    uint8_t *bytes = size <= sizeof(few) ? few : heap_alloc(size, MEMORY_SLEEP);
    if (bytes == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    enum hx_status status = copy_from_user(bytes, uaddr_make(header->control), size);
    if (status == HX_OK) {
        status = read_all(call, (struct control_walk){ .bytes = bytes, .size = size }, out_sent);
    }
    if (status != HX_OK) {
        socket_rights_put(out_sent->rights);
    }
    if (bytes != few) {
        heap_free(bytes);
    }
    return status;
}

// Receiving
// -----------------------------------------------------------------------------------------------

// Where control messages are written.
struct control_space {
    struct uaddr at;
    uint64_t left;
    uint64_t used;
    bool is_cut;
};

static void space_advance(struct control_space *space, uint64_t length) {
    const uint64_t step = MIN_OF(ALIGN_UP(length, sizeof(uint64_t)), space->left);
    space->at = uaddr_add(space->at, step);
    space->left -= step;
    space->used += step;
}

static enum hx_status put_who(struct control_space *space, const struct socket_receive *received) {
    struct {
        struct linux_cmsghdr header;
        struct linux_ucred who;
    } message = {
        .header = { .length = sizeof(struct linux_cmsghdr) + sizeof(struct linux_ucred),
                    .level = SOL_SOCKET,
                    .type = SCM_CREDENTIALS },
        .who = { .uid = OVERFLOW_ID, .gid = OVERFLOW_ID },
    };
    if (received->has_who) {
        message.who =
            (struct linux_ucred){ received->who.pid, received->who.uid, received->who.gid };
    }
    if (space->left < sizeof(message.header)) {
        space->is_cut = true;
        return HX_OK;
    }
    if (space->left < message.header.length) {
        space->is_cut = true;
        message.header.length = space->left;
    }
    enum hx_status status = copy_to_user(space->at, &message, message.header.length);
    if (status == HX_OK) {
        space_advance(space, message.header.length);
    }
    return status;
}

// Gives one descriptor a number, and writes that.
static enum hx_status put_descriptor(struct call *call, struct capability **item,
                                     bool close_on_exec, struct uaddr at) {
    int32_t fd;
    enum hx_status status = file_table_add(call->process->files, *item, close_on_exec, 0, &fd);
    if (status != HX_OK) {
        return status;
    }
    *item = NULL; // the table's
    status = copy_to_user(at, &fd, sizeof(fd));
    if (status != HX_OK) {
        HX_IGNORE(file_table_close(call->process->files, fd)); // somebody may have been faster
    }
    return status;
}

// As many as fit and find numbers.
static enum hx_status put_rights(struct call *call, struct control_space *space,
                                 struct socket_rights *rights, bool close_on_exec) {
    struct linux_cmsghdr header = { .level = SOL_SOCKET, .type = SCM_RIGHTS };
    const uint64_t room =
        space->left <= sizeof(header) ? 0 : (space->left - sizeof(header)) / sizeof(int32_t);
    const struct uaddr data = uaddr_add(space->at, sizeof(header));
    uint32_t count = 0;
    while (count < MIN_OF(room, (uint64_t)rights->count) &&
           put_descriptor(call, &rights->items[count], close_on_exec,
                          uaddr_add(data, count * sizeof(int32_t))) == HX_OK) {
        count++;
    }
    space->is_cut |= count < rights->count;
    if (count == 0) {
        return HX_OK;
    }
    header.length = sizeof(header) + count * sizeof(int32_t);
    enum hx_status status = copy_to_user(space->at, &header, sizeof(header));
    if (status == HX_OK) {
        space_advance(space, header.length);
    }
    return status;
}

enum hx_status control_to_user(struct call *call, struct socket *socket,
                               struct socket_receive *received, uint32_t asked,
                               struct linux_msghdr *header) {
    struct control_space space = { .at = uaddr_make(header->control),
                                   .left = header->control_bytes };
    const bool wants_who =
        atomic_load_explicit(&socket_options(socket)->wants_who, memory_order_relaxed);
    enum hx_status status = HX_OK;
    if (header->control == 0) {
        space.is_cut = wants_who || received->rights != NULL;
    } else {
        status = wants_who ? put_who(&space, received) : HX_OK;
        if (status == HX_OK && received->rights != NULL) {
            status = put_rights(call, &space, received->rights, (asked & MSG_CMSG_CLOEXEC) != 0);
        }
    }
    socket_rights_put(received->rights);
    header->control_bytes = space.used;
    header->flags |= space.is_cut ? MSG_CTRUNC : 0;
    return status;
}
