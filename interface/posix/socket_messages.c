// SPDX-License-Identifier: MIT OR Apache-2.0
// socket_messages.c: sending and receiving, in all forms. Linux 6.1's net/socket.c is the reference
// for the order of the checks.
#include "sockets.h"
#include "times.h"

#include <memory/heap.h>

#define MESSAGES_MAX 1024u // UIO_MAXIOV: of sendmmsg() and recvmmsg()

struct linux_mmsghdr {
    struct linux_msghdr header;
    uint32_t length;
    uint32_t padding;
};
_Static_assert(sizeof(struct linux_mmsghdr) == 64, "struct mmsghdr of 64-bit machines");

#define MMSG_LENGTH_AT offsetof(struct linux_mmsghdr, length)

// Sending
// -----------------------------------------------------------------------------------------------

static enum hx_status send_now(struct call *call, struct socket *socket, struct socket_send *send,
                               uint32_t flags, size_t *out_moved) {
    send->is_nonblocking = (flags & MSG_DONTWAIT) != 0;
    enum hx_status status = socket_send(socket, send, out_moved);
    if (status == HX_ERR_BROKEN_PIPE && (flags & MSG_NOSIGNAL) == 0) {
        return call_broken_pipe(call);
    }
    return status;
}

// The address, if it is not NULL, is looked up for the time of the call.
static enum hx_status send_to(struct call *call, struct socket *socket, struct user_address *to,
                              struct socket_send *send, uint32_t flags, size_t *out_moved) {
    if ((flags & MSG_OOB) != 0) {
        return HX_ERR_NO_OPERATION;
    }
    if (to == NULL || to->length == 0) {
        return send_now(call, socket, send, flags, out_moved);
    }
    if (socket_kind(socket) != SOCKET_DATAGRAM) { // these do not look at it
        send->to = &(struct socket_target){ 0 };
        return send_now(call, socket, send, flags, out_moved);
    }
    enum hx_status status = address_begin(call, LOOKUP_FOLLOW, to);
    if (status == HX_OK) {
        send->to = &to->target;
        status = send_now(call, socket, send, flags, out_moved);
        address_end(to);
    }
    return status;
}

// The buffer at argument 1 with the size at argument 2.
static void buffer_of(const struct call *call, struct io_buffer *out_buffer) {
    const uint64_t count = MIN_OF(call->args[2], (uint64_t)RW_COUNT_MAX);
    io_buffer_user(out_buffer, call_address(call, 1), count);
}

static enum hx_status sendto_socket(struct call *call, struct socket *socket) {
    struct io_buffer buffer;
    struct user_address address;
    struct user_address *to = NULL;
    enum hx_status status = HX_OK;
    buffer_of(call, &buffer);
    if (!uaddr_is_null(call_address(call, 4))) {
        status = address_from_user(call_address(call, 4), call_int(call, 5), &address);
        to = &address;
    }
    if (status != HX_OK) {
        return status;
    }
    struct socket_send send = { .bytes = &buffer };
    size_t moved;
    status = send_to(call, socket, to, &send, call_uint(call, 3), &moved);
    return status == HX_OK ? call_ok(call, (int64_t)moved) : status;
}

enum hx_status sys_sendto(struct call *call) {
    struct descriptor descriptor;
    struct socket *socket;
    enum hx_status status =
        socket_descriptor_get(call, call_int(call, 0), HX_RIGHT_WRITE, &descriptor, &socket);
    if (status == HX_OK) {
        status = sendto_socket(call, socket);
        descriptor_put(&descriptor);
    }
    return status;
}

// Copies a struct msghdr and its segments in; ends with segments_end().
static enum hx_status header_from_user(struct call *call, struct uaddr from,
                                       struct linux_msghdr *out_header,
                                       struct user_segments *out_segments) {
    enum hx_status status = copy_from_user(out_header, from, sizeof(*out_header));
    if (status != HX_OK) {
        return status;
    }
    if (out_header->name == 0) {
        out_header->name_bytes = 0;
    }
    if (out_header->name_bytes < 0) {
        return HX_ERR_INVALID;
    }
    out_header->name_bytes = MIN_OF(out_header->name_bytes, (int32_t)ADDRESS_BYTES_MAX);
    if (out_header->segment_count > IO_SEGMENTS_MAX) {
        return HX_ERR_MESSAGE_TOO_LONG;
    }
    if (out_header->control_bytes > INT32_MAX) {
        return call_fail(call, HX_ERR_INVALID, ENOBUFS);
    }
    return segments_begin(uaddr_make(out_header->segments), out_header->segment_count,
                          out_segments);
}

static enum hx_status send_header(struct call *call, struct socket *socket,
                                  const struct linux_msghdr *header, struct io_buffer *bytes,
                                  uint32_t flags, size_t *out_moved) {
    struct user_address address;
    enum hx_status status =
        address_from_user(uaddr_make(header->name), header->name_bytes, &address);
    struct control_sent sent;
    if (status == HX_OK) {
        status = control_from_user(call, header, &sent);
    }
    if (status != HX_OK) {
        return status;
    }
    struct socket_send send = {
        .bytes = bytes,
        .who = sent.has_who ? &sent.who : NULL,
        .rights = sent.rights,
    };
    status = send_to(call, socket, &address, &send, flags, out_moved);
    socket_rights_put(send.rights); // if no message took them
    return status;
}

static enum hx_status send_message(struct call *call, struct socket *socket, struct uaddr from,
                                   uint32_t flags, size_t *out_moved) {
    struct linux_msghdr header;
    struct user_segments segments;
    enum hx_status status = header_from_user(call, from, &header, &segments);
    if (status == HX_OK) {
        status = send_header(call, socket, &header, &segments.buffer, flags, out_moved);
        segments_end(&segments);
    }
    return status;
}

enum hx_status sys_sendmsg(struct call *call) {
    struct descriptor descriptor;
    struct socket *socket;
    enum hx_status status =
        socket_descriptor_get(call, call_int(call, 0), HX_RIGHT_WRITE, &descriptor, &socket);
    if (status != HX_OK) {
        return status;
    }
    size_t moved;
    status = send_message(call, socket, call_address(call, 1), call_uint(call, 2), &moved);
    descriptor_put(&descriptor);
    return status == HX_OK ? call_ok(call, (int64_t)moved) : status;
}

// What calls for many messages say: how many it were, and an error only if there was none.
static enum hx_status many_result(struct call *call, uint32_t done, enum hx_status status) {
    if (done != 0) {
        call->errno_value = 0;
        return call_ok(call, done);
    }
    return status == HX_OK ? call_ok(call, 0) : status;
}

static enum hx_status send_many(struct call *call, struct socket *socket) {
    const uint32_t count = MIN_OF(call_uint(call, 2), MESSAGES_MAX);
    enum hx_status status = HX_OK;
    uint32_t done = 0;
    while (done < count && status == HX_OK) {
        const struct uaddr at =
            uaddr_add(call_address(call, 1), done * sizeof(struct linux_mmsghdr));
        size_t moved;
        status = send_message(call, socket, at, call_uint(call, 3), &moved);
        if (status == HX_OK) {
            const uint32_t length = (uint32_t)moved;
            status = copy_to_user(uaddr_add(at, MMSG_LENGTH_AT), &length, sizeof(length));
        }
        done += status == HX_OK ? 1 : 0;
    }
    return many_result(call, done, status);
}

enum hx_status sys_sendmmsg(struct call *call) {
    struct descriptor descriptor;
    struct socket *socket;
    enum hx_status status =
        socket_descriptor_get(call, call_int(call, 0), HX_RIGHT_WRITE, &descriptor, &socket);
    if (status == HX_OK) {
        status = send_many(call, socket);
        descriptor_put(&descriptor);
    }
    return status;
}

// Receiving
// -----------------------------------------------------------------------------------------------

// *out_result: what the call returns.
static enum hx_status receive_now(struct socket *socket, struct socket_receive *receive,
                                  uint32_t flags, int64_t *out_result) {
    if ((flags & MSG_OOB) != 0) {
        return HX_ERR_NO_OPERATION;
    }
    receive->flags |= ((flags & MSG_PEEK) != 0 ? SOCKET_PEEK : 0) |
                      ((flags & MSG_WAITALL) != 0 ? SOCKET_WAIT_ALL : 0) |
                      ((flags & MSG_DONTWAIT) != 0 ? SOCKET_NONBLOCKING : 0);
    size_t moved;
    enum hx_status status = socket_receive(socket, receive, &moved);
    if (status == HX_OK) {
        *out_result = (int64_t)((flags & MSG_TRUNC) != 0 ? receive->length : moved);
        receive->length -= moved; // what was cut off
    }
    return status;
}

// Where it came from; a sender without a name has an address of no bytes.
static enum hx_status put_from(const struct call *call, const struct socket_receive *receive) {
    const struct uaddr to = call_address(call, 4);
    const struct uaddr length_at = call_address(call, 5);
    const int32_t none = 0;
    if (uaddr_is_null(to)) {
        return HX_OK;
    }
    return receive->from != NULL ? address_to_user_at(receive->from, to, length_at)
                                 : copy_to_user(length_at, &none, sizeof(none));
}

static enum hx_status recvfrom_socket(struct call *call, struct socket *socket) {
    struct io_buffer buffer;
    buffer_of(call, &buffer);
    struct socket_receive receive = {
        .bytes = &buffer,
        .flags = uaddr_is_null(call_address(call, 4)) ? 0 : SOCKET_WITH_NAME,
    };
    int64_t result;
    enum hx_status status = receive_now(socket, &receive, call_uint(call, 3), &result);
    if (status != HX_OK) {
        return status;
    }
    status = put_from(call, &receive);
    socket_rights_put(receive.rights);
    socket_name_put(receive.from);
    return status == HX_OK ? call_ok(call, result) : status;
}

enum hx_status sys_recvfrom(struct call *call) {
    struct descriptor descriptor;
    struct socket *socket;
    enum hx_status status =
        socket_descriptor_get(call, call_int(call, 0), HX_RIGHT_READ, &descriptor, &socket);
    if (status == HX_OK) {
        status = recvfrom_socket(call, socket);
        descriptor_put(&descriptor);
    }
    return status;
}

// The parts of struct msghdr that come back.
static enum hx_status header_to_user(struct uaddr to, const struct linux_msghdr *header) {
    enum hx_status status = copy_to_user(uaddr_add(to, offsetof(struct linux_msghdr, name_bytes)),
                                         &header->name_bytes, sizeof(header->name_bytes));
    if (status == HX_OK) {
        status = copy_to_user(uaddr_add(to, offsetof(struct linux_msghdr, control_bytes)),
                              &header->control_bytes,
                              sizeof(header->control_bytes) + sizeof(header->flags));
    }
    return status;
}

static enum hx_status receive_header(struct call *call, struct socket *socket,
                                     struct linux_msghdr *header, struct io_buffer *bytes,
                                     uint32_t flags, int64_t *out_result) {
    struct socket_receive receive = { .bytes = bytes,
                                      .flags = header->name != 0 ? SOCKET_WITH_NAME : 0 };
    enum hx_status status = receive_now(socket, &receive, flags, out_result);
    if (status != HX_OK) {
        return status;
    }
    header->flags = (flags & MSG_CMSG_CLOEXEC) | (receive.length != 0 ? MSG_TRUNC : 0);
    status = control_to_user(call, socket, &receive, flags, header);
    if (status == HX_OK && header->name != 0) {
        if (receive.from != NULL) {
            status = address_to_user(receive.from, uaddr_make(header->name), header->name_bytes,
                                     &header->name_bytes);
        } else {
            header->name_bytes = 0;
        }
    }
    socket_name_put(receive.from);
    return status;
}

static enum hx_status receive_message(struct call *call, struct socket *socket, struct uaddr at,
                                      uint32_t flags, int64_t *out_result) {
    struct linux_msghdr header;
    struct user_segments segments;
    enum hx_status status = header_from_user(call, at, &header, &segments);
    if (status != HX_OK) {
        return status;
    }
    status = receive_header(call, socket, &header, &segments.buffer, flags, out_result);
    segments_end(&segments);
    return status == HX_OK ? header_to_user(at, &header) : status;
}

enum hx_status sys_recvmsg(struct call *call) {
    struct descriptor descriptor;
    struct socket *socket;
    enum hx_status status =
        socket_descriptor_get(call, call_int(call, 0), HX_RIGHT_READ, &descriptor, &socket);
    if (status != HX_OK) {
        return status;
    }
    int64_t result;
    status = receive_message(call, socket, call_address(call, 1), call_uint(call, 2), &result);
    descriptor_put(&descriptor);
    return status == HX_OK ? call_ok(call, result) : status;
}

static enum hx_status receive_many(struct call *call, struct socket *socket, time_ns_t deadline) {
    const uint32_t count = MIN_OF(call_uint(call, 2), MESSAGES_MAX);
    uint32_t flags = call_uint(call, 3);
    enum hx_status status = HX_OK;
    uint32_t done = 0;
    while (done < count && status == HX_OK && (done == 0 || time_now() < deadline)) {
        const struct uaddr at =
            uaddr_add(call_address(call, 1), done * sizeof(struct linux_mmsghdr));
        int64_t result;
        status = receive_message(call, socket, at, flags & ~MSG_WAITFORONE, &result);
        if (status == HX_OK) {
            const uint32_t length = (uint32_t)result;
            status = copy_to_user(uaddr_add(at, MMSG_LENGTH_AT), &length, sizeof(length));
        }
        done += status == HX_OK ? 1 : 0;
        flags |= (flags & MSG_WAITFORONE) != 0 ? MSG_DONTWAIT : 0;
    }
    return many_result(call, done, status);
}

// recvmmsg's time is looked at between messages only, as Linux does it.
static enum hx_status deadline_from_user(struct uaddr from, time_ns_t *out_deadline) {
    *out_deadline = TIME_NEVER;
    if (uaddr_is_null(from)) {
        return HX_OK;
    }
    struct timespec_user user;
    time_ns_t span;
    enum hx_status status = copy_from_user(&user, from, sizeof(user));
    if (status == HX_OK) {
        status = ns_from_timespec(&user, &span);
    }
    if (status == HX_OK) {
        *out_deadline = time_after(span);
    }
    return status;
}

enum hx_status sys_recvmmsg(struct call *call) {
    time_ns_t deadline;
    enum hx_status status = deadline_from_user(call_address(call, 4), &deadline);
    if (status != HX_OK) {
        return status;
    }
    struct descriptor descriptor;
    struct socket *socket;
    status = socket_descriptor_get(call, call_int(call, 0), HX_RIGHT_READ, &descriptor, &socket);
    if (status == HX_OK) {
        status = receive_many(call, socket, deadline);
        descriptor_put(&descriptor);
    }
    return status;
}
