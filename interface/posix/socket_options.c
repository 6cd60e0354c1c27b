// SPDX-License-Identifier: MIT OR Apache-2.0
// socket_options.c: setsockopt and getsockopt of SOL_SOCKET (socket(7), unix(7)). What would change
// nothing between processes of one machine is kept and told.
#include "life.h"
#include "sockets.h"
#include "times.h"

#include <lib/string.h>

enum {
    SO_REUSEADDR = 2,
    SO_TYPE = 3,
    SO_ERROR = 4,
    SO_DONTROUTE = 5,
    SO_BROADCAST = 6,
    SO_SNDBUF = 7,
    SO_RCVBUF = 8,
    SO_KEEPALIVE = 9,
    SO_OOBINLINE = 10,
    SO_LINGER = 13,
    SO_REUSEPORT = 15,
    SO_PASSCRED = 16,
    SO_PEERCRED = 17,
    SO_RCVLOWAT = 18,
    SO_SNDLOWAT = 19,
    SO_RCVTIMEO = 20,
    SO_SNDTIMEO = 21,
    SO_ACCEPTCONN = 30,
    SO_PROTOCOL = 38,
    SO_DOMAIN = 39,
};

#define LIMIT_SET_MAX     212992u // net.core.wmem_max, rmem_max
#define SEND_LIMIT_MIN    4608u
#define RECEIVE_LIMIT_MIN 2304u

// Options that are only kept: a bit of the socket's private word each. SO_LINGER's seconds are in
// the upper half.
#define KEPT_BITS                                                                                  \
    ((1u << SO_REUSEADDR) | (1u << SO_DONTROUTE) | (1u << SO_BROADCAST) | (1u << SO_KEEPALIVE) |   \
     (1u << SO_OOBINLINE) | (1u << SO_LINGER) | (1u << SO_REUSEPORT))

struct linux_linger {
    int32_t on;
    int32_t seconds;
};

static bool is_kept(int32_t name) {
    return name >= 0 && name < 32 && (KEPT_BITS & 1u << name) != 0 && name != SO_LINGER;
}

static void keep(struct socket_options *options, uint64_t clear, uint64_t set) {
    uint64_t old = atomic_load_explicit(&options->private, memory_order_relaxed);
    while (!atomic_compare_exchange_weak_explicit(&options->private, &old, (old & ~clear) | set,
                                                  memory_order_relaxed, memory_order_relaxed)) {
    }
}

// Setting
// -----------------------------------------------------------------------------------------------

// Linux keeps twice what was asked for.
static uint32_t limit_from(int32_t asked, uint32_t least) {
    const uint32_t value = asked < 0 ? LIMIT_SET_MAX : MIN_OF((uint32_t)asked, LIMIT_SET_MAX);
    return MAX_OF(value * 2, least);
}

static enum hx_status set_timeout(struct call *call, _Atomic time_ns_t *timeout) {
    struct timeval_user user;
    if (call_uint(call, 4) < sizeof(user)) {
        return HX_ERR_INVALID;
    }
    enum hx_status status = copy_from_user(&user, call_address(call, 3), sizeof(user));
    if (status != HX_OK) {
        return status;
    }
    if (user.microseconds < 0 || user.microseconds >= 1000000) {
        return call_fail(call, HX_ERR_INVALID, EDOM);
    }
    time_ns_t span = 1; // a negative time has passed already
    if (user.seconds >= 0) {
        status = ns_from_timeval(&user, &span);
    }
    if (status == HX_OK) {
        atomic_store_explicit(timeout, span, memory_order_relaxed);
    }
    return status;
}

static enum hx_status set_linger(struct call *call, struct socket_options *options) {
    struct linux_linger linger;
    if (call_uint(call, 4) < sizeof(linger)) {
        return HX_ERR_INVALID;
    }
    enum hx_status status = copy_from_user(&linger, call_address(call, 3), sizeof(linger));
    if (status == HX_OK) {
        const uint64_t all = UINT64_MAX << 32 | 1u << SO_LINGER;
        keep(options, linger.on != 0 ? all : 1u << SO_LINGER,
             linger.on != 0 ? (uint64_t)(uint32_t)linger.seconds << 32 | 1u << SO_LINGER : 0);
    }
    return status;
}

static enum hx_status set_number(struct call *call, struct socket *socket, int32_t name,
                                 int32_t value) {
    struct socket_options *options = socket_options(socket);
    if (is_kept(name)) {
        keep(options, 1u << name, value != 0 ? 1u << name : 0);
        return HX_OK;
    }
    switch (name) {
    case SO_SNDBUF:
        socket_set_send_limit(socket, limit_from(value, SEND_LIMIT_MIN));
        return HX_OK;
    case SO_RCVBUF:
        atomic_store_explicit(&options->receive_limit, limit_from(value, RECEIVE_LIMIT_MIN),
                              memory_order_relaxed);
        return HX_OK;
    case SO_PASSCRED:
        atomic_store_explicit(&options->wants_who, value != 0, memory_order_relaxed);
        return HX_OK;
    default: // also those that can only be read
        return call_fail(call, HX_ERR_INVALID, ENOPROTOOPT);
    }
}

static enum hx_status set_option(struct call *call, struct socket *socket) {
    const int32_t name = call_int(call, 2);
    struct socket_options *options = socket_options(socket);
    if (call_int(call, 4) < 0) {
        return HX_ERR_INVALID;
    }
    if (call_int(call, 1) != SOL_SOCKET) {
        return HX_ERR_NO_OPERATION;
    }
    int32_t value;
    if (call_uint(call, 4) < sizeof(value)) {
        return HX_ERR_INVALID;
    }
    enum hx_status status = copy_from_user(&value, call_address(call, 3), sizeof(value));
    if (status != HX_OK) {
        return status;
    }
    switch (name) {
    case SO_RCVTIMEO:
        return set_timeout(call, &options->receive_timeout);
    case SO_SNDTIMEO:
        return set_timeout(call, &options->send_timeout);
    case SO_LINGER:
        return set_linger(call, options);
    default:
        return set_number(call, socket, name, value);
    }
}

enum hx_status sys_setsockopt(struct call *call) {
    struct descriptor descriptor;
    struct socket *socket;
    enum hx_status status =
        socket_descriptor_get(call, call_int(call, 0), HX_RIGHT_ADMIN, &descriptor, &socket);
    if (status == HX_OK) {
        status = set_option(call, socket);
        descriptor_put(&descriptor);
    }
    return status;
}

// Telling
// -----------------------------------------------------------------------------------------------

struct option_value {
    union {
        int32_t number;
        struct linux_linger linger;
        struct linux_ucred who;
        struct timeval_user time;
    };
    uint32_t length;
};

static struct option_value number_value(int64_t number) {
    return (struct option_value){ .number = (int32_t)number, .length = sizeof(int32_t) };
}

static struct option_value who_value(struct socket *socket) {
    struct socket_who who;
    struct option_value value = { .who = { .uid = UINT32_MAX, .gid = UINT32_MAX },
                                  .length = sizeof(value.who) };
    if (socket_peer_who(socket, &who)) {
        value.who = (struct linux_ucred){ who.pid, who.uid, who.gid };
    }
    return value;
}

static struct option_value time_value(_Atomic time_ns_t *timeout) {
    const time_ns_t span = atomic_load_explicit(timeout, memory_order_relaxed);
    return (struct option_value){ .time = timeval_from_ns(span == TIME_NEVER ? 0 : span),
                                  .length = sizeof(struct timeval_user) };
}

static struct option_value linger_value(struct socket_options *options) {
    const uint64_t kept = atomic_load_explicit(&options->private, memory_order_relaxed);
    return (struct option_value){
        .linger = { .on = (kept & 1u << SO_LINGER) != 0, .seconds = (int32_t)(kept >> 32) },
        .length = sizeof(struct linux_linger),
    };
}

// The type in Linux's numbers.
static int32_t type_of(const struct socket *socket) {
    static const int32_t types[] = {
        [SOCKET_STREAM] = 1, [SOCKET_DATAGRAM] = 2, [SOCKET_PACKETS] = 5
    };
    return types[socket_kind(socket)];
}

static enum hx_status option_error(struct call *call, struct socket *socket,
                                   struct option_value *out_value) {
    enum hx_status status = socket_take_error(socket);
    (void)call;
    // The one error that a socket keeps.
    *out_value = number_value(status == HX_ERR_RESET ? ECONNRESET : 0);
    return HX_OK;
}

static enum hx_status option_value(struct call *call, struct socket *socket, int32_t name,
                                   struct option_value *out_value) {
    struct socket_options *options = socket_options(socket);
    if (is_kept(name)) {
        const uint64_t kept = atomic_load_explicit(&options->private, memory_order_relaxed);
        *out_value = number_value((int64_t)(kept >> name & 1));
        return HX_OK;
    }
    switch (name) {
    case SO_TYPE:
        *out_value = number_value(type_of(socket));
        return HX_OK;
    case SO_DOMAIN:
        *out_value = number_value(AF_UNIX);
        return HX_OK;
    case SO_PROTOCOL:
        *out_value = number_value(0);
        return HX_OK;
    case SO_ERROR:
        return option_error(call, socket, out_value);
    case SO_ACCEPTCONN:
        *out_value = number_value(socket_is_listening(socket));
        return HX_OK;
    case SO_SNDBUF:
        *out_value = number_value(atomic_load_explicit(&options->send_limit, memory_order_relaxed));
        return HX_OK;
    case SO_RCVBUF:
        *out_value =
            number_value(atomic_load_explicit(&options->receive_limit, memory_order_relaxed));
        return HX_OK;
    case SO_PASSCRED:
        *out_value = number_value(atomic_load_explicit(&options->wants_who, memory_order_relaxed));
        return HX_OK;
    case SO_RCVLOWAT:
    case SO_SNDLOWAT:
        *out_value = number_value(1);
        return HX_OK;
    case SO_PEERCRED:
        *out_value = who_value(socket);
        return HX_OK;
    case SO_RCVTIMEO:
        *out_value = time_value(&options->receive_timeout);
        return HX_OK;
    case SO_SNDTIMEO:
        *out_value = time_value(&options->send_timeout);
        return HX_OK;
    case SO_LINGER:
        *out_value = linger_value(options);
        return HX_OK;
    default:
        return call_fail(call, HX_ERR_INVALID, ENOPROTOOPT);
    }
}

static enum hx_status tell_option(struct call *call, struct socket *socket) {
    int32_t capacity;
    enum hx_status status = copy_from_user(&capacity, call_address(call, 4), sizeof(capacity));
    if (call_int(call, 1) != SOL_SOCKET) {
        return HX_ERR_NO_OPERATION;
    }
    if (status != HX_OK) {
        return status;
    }
    if (capacity < 0) {
        return HX_ERR_INVALID;
    }
    struct option_value value;
    status = option_value(call, socket, call_int(call, 2), &value);
    if (status != HX_OK) {
        return status;
    }
    capacity = MIN_OF(capacity, (int32_t)value.length);
    status = copy_to_user(call_address(call, 3), &value, (size_t)capacity);
    return status == HX_OK ? copy_to_user(call_address(call, 4), &capacity, sizeof(capacity))
                           : status;
}

enum hx_status sys_getsockopt(struct call *call) {
    struct descriptor descriptor;
    struct socket *socket;
    enum hx_status status = socket_descriptor_get(call, call_int(call, 0), 0, &descriptor, &socket);
    if (status == HX_OK) {
        status = tell_option(call, socket);
        descriptor_put(&descriptor);
    }
    return status;
}
