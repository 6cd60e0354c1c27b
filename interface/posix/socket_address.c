// SPDX-License-Identifier: MIT OR Apache-2.0
// socket_address.c: struct sockaddr_un, in and out (unix(7)).
//
// A path may fill sun_path without a zero; it has one here. A name that begins with a zero is all
// the bytes that the length covers.
#include "sockets.h"

#include <lib/string.h>

#define FAMILY_BYTES sizeof(uint16_t)

enum hx_status address_from_user(struct uaddr from, int32_t length, struct user_address *out) {
    if (length < 0 || (uint32_t)length > ADDRESS_BYTES_MAX) {
        return HX_ERR_INVALID;
    }
    memset(out->bytes, 0, sizeof(out->bytes)); // so that a path ends
    out->length = (uint32_t)length;
    out->has_lookup = false;
    return copy_from_user(out->bytes, from, (size_t)length);
}

enum hx_status address_begin(struct call *call, uint32_t lookup_flags,
                             struct user_address *address) {
    const size_t length = address->length;
    if (length <= FAMILY_BYTES || length > sizeof(address->un) || address->un.family != AF_UNIX) {
        return HX_ERR_INVALID;
    }
    const char *text = address->bytes + FAMILY_BYTES;
    address->target = (struct socket_target){ .bytes = text };
    if (text[0] == '\0') {
        address->target.length = (uint32_t)(length - FAMILY_BYTES);
        return HX_OK;
    }
    // The bytes behind the length are zeros, and there are some.
    address->target.length = (uint32_t)strnlen(text, length - FAMILY_BYTES) + 1;
    address->target.lookup = &address->lookup;
    enum hx_status status = lookup_begin_path(call, AT_FDCWD, text, lookup_flags, &address->lookup);
    address->has_lookup = status == HX_OK;
    return status;
}

void address_end(struct user_address *address) {
    if (address->has_lookup) {
        lookup_end(&address->lookup);
    }
}

enum hx_status address_to_user(const struct socket_name *name, struct uaddr to, int32_t capacity,
                               int32_t *out_length) {
    struct {
        uint16_t family;
        char text[SOCKET_NAME_BYTES];
    } address = { .family = AF_UNIX };
    if (capacity < 0) {
        return HX_ERR_INVALID;
    }
    int32_t length = (int32_t)FAMILY_BYTES;
    if (name != NULL) {
        memcpy(address.text, name->bytes, name->length);
        length += (int32_t)name->length;
    }
    *out_length = length;
    return copy_to_user(to, &address, (size_t)MIN_OF(length, capacity));
}

enum hx_status address_to_user_at(const struct socket_name *name, struct uaddr to,
                                  struct uaddr length_at) {
    int32_t length;
    enum hx_status status = copy_from_user(&length, length_at, sizeof(length));
    if (status == HX_OK) {
        status = address_to_user(name, to, length, &length);
    }
    return status == HX_OK ? copy_to_user(length_at, &length, sizeof(length)) : status;
}
