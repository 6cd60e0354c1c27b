// SPDX-License-Identifier: MIT OR Apache-2.0
// socket_calls.c: there is no network yet: no address family is known, and no descriptor is a
// socket.
#include "descriptor.h"

enum hx_status sys_socket(struct call *call) {
    return call_fail(call, HX_ERR_NOT_SUPPORTED, EAFNOSUPPORT);
}

enum hx_status sys_socketpair(struct call *call) {
    return call_fail(call, HX_ERR_NOT_SUPPORTED, EAFNOSUPPORT);
}

// All the rest: a descriptor that is none, or one that is not a socket.
#define NOT_A_SOCKET(name)                                                                         \
    enum hx_status sys_##name(struct call *call) {                                                 \
        struct descriptor descriptor;                                                              \
        enum hx_status status = descriptor_get(call, call_int(call, 0), 0, &descriptor);           \
        if (status != HX_OK) {                                                                     \
            return status;                                                                         \
        }                                                                                          \
        descriptor_put(&descriptor);                                                               \
        return HX_ERR_NOT_SOCKET;                                                                  \
    }

NOT_A_SOCKET(connect)
NOT_A_SOCKET(accept)
NOT_A_SOCKET(accept4)
NOT_A_SOCKET(sendto)
NOT_A_SOCKET(recvfrom)
NOT_A_SOCKET(sendmsg)
NOT_A_SOCKET(recvmsg)
NOT_A_SOCKET(sendmmsg)
NOT_A_SOCKET(recvmmsg)
NOT_A_SOCKET(shutdown)
NOT_A_SOCKET(bind)
NOT_A_SOCKET(listen)
NOT_A_SOCKET(getsockname)
NOT_A_SOCKET(getpeername)
NOT_A_SOCKET(setsockopt)
NOT_A_SOCKET(getsockopt)
