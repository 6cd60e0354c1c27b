// SPDX-License-Identifier: MIT OR Apache-2.0
// sockets.h: what the calls about sockets share: addresses, control messages, numbers of Linux's.
#pragma once

#include "descriptor.h"

#include <net/socket.h>

#define AF_UNSPEC 0u
#define AF_UNIX   1u

#define SOL_SOCKET 1

#define MSG_OOB          0x1u
#define MSG_PEEK         0x2u
#define MSG_CTRUNC       0x8u
#define MSG_TRUNC        0x20u
#define MSG_DONTWAIT     0x40u
#define MSG_WAITALL      0x100u
#define MSG_NOSIGNAL     0x4000u
#define MSG_WAITFORONE   0x10000u
#define MSG_CMSG_CLOEXEC 0x40000000u

#define ADDRESS_BYTES_MAX 128u // struct sockaddr_storage

struct linux_sockaddr_un {
    uint16_t family;
    char path[108];
};
_Static_assert(sizeof(struct linux_sockaddr_un) == 110, "struct sockaddr_un");

struct linux_ucred {
    int32_t pid;
    uint32_t uid, gid;
};

struct linux_msghdr {
    uint64_t name;
    int32_t name_bytes;
    uint32_t padding;
    uint64_t segments;
    uint64_t segment_count;
    uint64_t control;
    uint64_t control_bytes;
    uint32_t flags;
    uint32_t padding_2;
};
_Static_assert(sizeof(struct linux_msghdr) == 56, "struct msghdr of 64-bit machines");

// socket_calls.c

// The socket at `fd`, for a use that needs the rights; ends with descriptor_put(). What
// descriptor_get() returns, or HX_ERR_NOT_SOCKET.
enum hx_status socket_descriptor_get(struct call *call, int32_t fd, rights_t need,
                                     struct descriptor *out_descriptor, struct socket **out_socket);

// socket_address.c

// An address of a program's, copied in.
struct user_address {
    union {
        struct linux_sockaddr_un un;
        char bytes[ADDRESS_BYTES_MAX];
    };
    uint32_t length; // that the program said
    struct lookup lookup;
    struct socket_target target;
    bool has_lookup;
};
// HX_ERR_INVALID (no length that an address has), HX_ERR_BAD_ADDRESS.
enum hx_status address_from_user(struct uaddr from, int32_t length, struct user_address *out);
// What it means for sockets, in `target`; paths are looked up with `lookup_flags`. Ends with
// address_end(). HX_ERR_INVALID: it is none of AF_UNIX.
enum hx_status address_begin(struct call *call, uint32_t lookup_flags,
                             struct user_address *address);
void address_end(struct user_address *address);
// Writes a name (NULL: none) as an address of `capacity` bytes at most; *out_length is what it
// takes. HX_ERR_INVALID, HX_ERR_BAD_ADDRESS.
enum hx_status address_to_user(const struct socket_name *name, struct uaddr to, int32_t capacity,
                               int32_t *out_length);
// The same, with the capacity at an address, where the length goes.
enum hx_status address_to_user_at(const struct socket_name *name, struct uaddr to,
                                  struct uaddr length_at);

// socket_control.c

// What a program sends beside bytes.
struct control_sent {
    struct socket_rights *rights; // NULL: none
    bool has_who;
    struct socket_who who;
};
// Reads control messages; the rights are the caller's. HX_ERR_INVALID, HX_ERR_BAD_HANDLE,
// HX_ERR_ACCESS_DENIED, HX_ERR_NOT_PERMITTED, HX_ERR_NO_PROCESS, HX_ERR_TOO_MANY_PASSED,
// HX_ERR_BAD_ADDRESS, HX_ERR_NO_MEMORY; ENOBUFS.
enum hx_status control_from_user(struct call *call, const struct linux_msghdr *header,
                                 struct control_sent *out_sent);
// Writes what came with a message, whose rights it drops, as far as it fits; updates control_bytes
// to what was written, and adds MSG_CTRUNC to the flags. `asked` are the call's flags.
enum hx_status control_to_user(struct call *call, struct socket *socket,
                               struct socket_receive *received, uint32_t asked,
                               struct linux_msghdr *header);
