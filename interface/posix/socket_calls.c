// SPDX-License-Identifier: MIT OR Apache-2.0
// socket_calls.c: making, naming, connecting and closing sockets. AF_UNIX is the family that there
// is; Linux 6.1's net/socket.c and net/unix/af_unix.c are the reference for the order of the
// checks.
#include "life.h"
#include "sockets.h"

#define SOCK_STREAM    1u
#define SOCK_DGRAM     2u
#define SOCK_RAW       3u
#define SOCK_SEQPACKET 5u
#define SOCK_TYPE_MASK 0xfu

#define SHUT_RD   0
#define SHUT_RDWR 2

// Who runs, as its messages tell it.
static void identify(struct socket_who *out_who) {
    struct posix_process *process = posix_current();
    struct credentials *credentials = posix_credentials(process);
    *out_who = (struct socket_who){
        .pid = process->pid,
        .uid = credentials->uid,
        .gid = credentials->gid,
    };
    credentials_put(credentials);
}

// Who connects or listens: SO_PEERCRED tells the effective ids.
static struct socket_who who_connects(const struct call *call) {
    struct credentials *credentials = posix_credentials(call->process);
    const struct socket_who who = {
        .pid = call->process->pid,
        .uid = credentials->euid,
        .gid = credentials->egid,
    };
    credentials_put(credentials);
    return who;
}

void posix_sockets_init(void) {
    socket_identify = identify;
}

enum hx_status socket_descriptor_get(struct call *call, int32_t fd, rights_t need,
                                     struct descriptor *out_descriptor,
                                     struct socket **out_socket) {
    enum hx_status status = descriptor_get(call, fd, need, out_descriptor);
    if (status != HX_OK) {
        return status;
    }
    *out_socket = socket_of(out_descriptor->file);
    if (*out_socket == NULL) {
        descriptor_put(out_descriptor);
        return HX_ERR_NOT_SOCKET;
    }
    return HX_OK;
}

// Making
// -----------------------------------------------------------------------------------------------

struct socket_request {
    enum socket_kind kind;
    uint32_t file_flags;
    bool close_on_exec;
};

static enum hx_status kind_of(struct call *call, uint32_t type, enum socket_kind *out_kind) {
    switch (type) {
    case SOCK_STREAM:
        *out_kind = SOCKET_STREAM;
        return HX_OK;
    case SOCK_RAW: // as Linux has it
    case SOCK_DGRAM:
        *out_kind = SOCKET_DATAGRAM;
        return HX_OK;
    case SOCK_SEQPACKET:
        *out_kind = SOCKET_PACKETS;
        return HX_OK;
    default:
        return call_fail(call, HX_ERR_INVALID, ESOCKTNOSUPPORT);
    }
}

// The first three arguments of socket() and socketpair().
static enum hx_status read_request(struct call *call, struct socket_request *out_request) {
    const uint32_t type = call_uint(call, 1);
    const uint32_t flags = type & ~SOCK_TYPE_MASK;
    const uint32_t protocol = call_uint(call, 2);
    if ((flags & ~(O_CLOEXEC | O_NONBLOCK)) != 0) {
        return HX_ERR_INVALID;
    }
    if (call_uint(call, 0) != AF_UNIX) {
        return call_fail(call, HX_ERR_NOT_SUPPORTED, EAFNOSUPPORT);
    }
    if ((type & SOCK_TYPE_MASK) > 10) { // SOCK_MAX
        return HX_ERR_INVALID;
    }
    if (protocol != 0 && protocol != AF_UNIX) {
        return call_fail(call, HX_ERR_INVALID, EPROTONOSUPPORT);
    }
    out_request->file_flags = (flags & O_NONBLOCK) != 0 ? FILE_NONBLOCK : 0;
    out_request->close_on_exec = (flags & O_CLOEXEC) != 0;
    return kind_of(call, type & SOCK_TYPE_MASK, &out_request->kind);
}

enum hx_status sys_socket(struct call *call) {
    struct socket_request request;
    enum hx_status status = read_request(call, &request);
    if (status != HX_OK) {
        return status;
    }
    struct file *file;
    status =
        socket_create(call->process->process->ns->sockets, request.kind, request.file_flags, &file);
    return status == HX_OK ? call_add_file(call, file, request.close_on_exec) : status;
}

// Both get numbers, or neither; takes the files.
static enum hx_status add_pair(struct call *call, struct file **files, bool close_on_exec,
                               int32_t *out_fds) {
    struct file_table *table = call->process->files;
    enum hx_status status = file_table_add(table, &files[0]->root, close_on_exec, 0, &out_fds[0]);
    if (status != HX_OK) {
        file_put(files[0]);
        file_put(files[1]);
        return status;
    }
    status = file_table_add(table, &files[1]->root, close_on_exec, 0, &out_fds[1]);
    if (status != HX_OK) {
        HX_IGNORE(file_table_close(table, out_fds[0])); // somebody may have been faster
        file_put(files[1]);
    }
    return status;
}

enum hx_status sys_socketpair(struct call *call) {
    struct socket_request request;
    enum hx_status status = read_request(call, &request);
    if (status != HX_OK) {
        return status;
    }
    const struct socket_who who = who_connects(call);
    struct file *files[2];
    int32_t fds[2];
    status = socket_create_pair(call->process->process->ns->sockets, request.kind,
                                request.file_flags, &who, files);
    if (status == HX_OK) {
        status = add_pair(call, files, request.close_on_exec, fds);
    }
    if (status != HX_OK) {
        return status;
    }
    status = copy_to_user(call_address(call, 3), fds, sizeof(fds));
    if (status != HX_OK) {
        HX_IGNORE(file_table_close(call->process->files, fds[0])); // somebody may have been faster
        HX_IGNORE(file_table_close(call->process->files, fds[1]));
    }
    return status;
}

// Names and connections
// -----------------------------------------------------------------------------------------------

static enum hx_status bind_address(struct call *call, struct socket *socket,
                                   struct user_address *address) {
    if (address->length == sizeof(address->un.family) && address->un.family == AF_UNIX) {
        return socket_bind_any(socket);
    }
    enum hx_status status = address_begin(call, 0, address);
    if (status == HX_OK) {
        status = socket_bind(socket, &address->target);
        address_end(address);
    }
    return status;
}

static enum hx_status connect_address(struct call *call, struct socket *socket,
                                      struct user_address *address) {
    if (address->length < sizeof(address->un.family)) {
        return HX_ERR_INVALID;
    }
    const struct socket_who who = who_connects(call);
    if (address->un.family == AF_UNSPEC) {
        return socket_connect(socket, NULL, &who, false);
    }
    enum hx_status status = address_begin(call, LOOKUP_FOLLOW, address);
    if (status == HX_OK) {
        status = socket_connect(socket, &address->target, &who, false);
        address_end(address);
    }
    return status;
}

typedef enum hx_status (*address_use_t)(struct call *call, struct socket *socket,
                                        struct user_address *address);

// Calls of the form (socket, address, length).
static enum hx_status with_address(struct call *call, address_use_t use) {
    struct descriptor descriptor;
    struct socket *socket;
    enum hx_status status =
        socket_descriptor_get(call, call_int(call, 0), HX_RIGHT_ADMIN, &descriptor, &socket);
    if (status != HX_OK) {
        return status;
    }
    struct user_address address;
    status = address_from_user(call_address(call, 1), call_int(call, 2), &address);
    if (status == HX_OK) {
        status = use(call, socket, &address);
    }
    descriptor_put(&descriptor);
    return status;
}

enum hx_status sys_bind(struct call *call) {
    return with_address(call, bind_address);
}

enum hx_status sys_connect(struct call *call) {
    return with_address(call, connect_address);
}

enum hx_status sys_listen(struct call *call) {
    struct descriptor descriptor;
    struct socket *socket;
    enum hx_status status =
        socket_descriptor_get(call, call_int(call, 0), HX_RIGHT_ADMIN, &descriptor, &socket);
    if (status == HX_OK) {
        const struct socket_who who = who_connects(call);
        status = socket_listen(socket, call_uint(call, 1), &who); // a negative one is large
        descriptor_put(&descriptor);
    }
    return status;
}

enum hx_status sys_shutdown(struct call *call) {
    struct descriptor descriptor;
    struct socket *socket;
    const int32_t how = call_int(call, 1);
    enum hx_status status =
        socket_descriptor_get(call, call_int(call, 0), HX_RIGHT_ADMIN, &descriptor, &socket);
    if (status != HX_OK) {
        return status;
    }
    if (how < SHUT_RD || how > SHUT_RDWR) {
        status = HX_ERR_INVALID;
    } else {
        socket_shut(socket, how != 1, how != 0);
    }
    descriptor_put(&descriptor);
    return status;
}

static enum hx_status put_name(struct socket *socket, bool of_peer, struct uaddr to,
                               struct uaddr length_at) {
    struct socket_name *name;
    enum hx_status status = socket_get_name(socket, of_peer, &name);
    if (status == HX_OK) {
        status = address_to_user_at(name, to, length_at);
        socket_name_put(name);
    }
    return status;
}

// Gives an accepted connection its number; takes the file. The address is told first: then only a
// full table is left to fail, and the connection goes back to its queue.
static enum hx_status add_accepted(struct call *call, struct socket *socket, struct file *file,
                                   bool close_on_exec) {
    enum hx_status status = HX_OK;
    if (!uaddr_is_null(call_address(call, 1))) {
        status = put_name(socket_of(file), true, call_address(call, 1), call_address(call, 2));
    }
    if (status != HX_OK) {
        file_put(file);
        return status;
    }
    int32_t fd;
    status = file_table_add(call->process->files, &file->root, close_on_exec, 0, &fd);
    if (status != HX_OK) {
        socket_unaccept(socket, file);
        return status;
    }
    return call_ok(call, fd);
}

static enum hx_status accept_with(struct call *call, uint32_t flags) {
    if ((flags & ~(O_CLOEXEC | O_NONBLOCK)) != 0) {
        return HX_ERR_INVALID;
    }
    struct descriptor descriptor;
    struct socket *socket;
    enum hx_status status =
        socket_descriptor_get(call, call_int(call, 0), HX_RIGHT_READ, &descriptor, &socket);
    if (status != HX_OK) {
        return status;
    }
    struct file *file;
    const uint32_t file_flags = (flags & O_NONBLOCK) != 0 ? FILE_NONBLOCK : 0;
    status = call_check_room(call); // before it waits
    if (status == HX_OK) {
        status = socket_accept(socket, false, file_flags, &file);
    }
    if (status == HX_OK) {
        status = add_accepted(call, socket, file, (flags & O_CLOEXEC) != 0);
    }
    descriptor_put(&descriptor);
    return status;
}

enum hx_status sys_accept(struct call *call) {
    return accept_with(call, 0);
}

enum hx_status sys_accept4(struct call *call) {
    return accept_with(call, call_uint(call, 3));
}

static enum hx_status tell_name(struct call *call, bool of_peer) {
    struct descriptor descriptor;
    struct socket *socket;
    enum hx_status status = socket_descriptor_get(call, call_int(call, 0), 0, &descriptor, &socket);
    if (status == HX_OK) {
        status = put_name(socket, of_peer, call_address(call, 1), call_address(call, 2));
        descriptor_put(&descriptor);
    }
    return status;
}

enum hx_status sys_getsockname(struct call *call) {
    return tell_name(call, false);
}

enum hx_status sys_getpeername(struct call *call) {
    return tell_name(call, true);
}
