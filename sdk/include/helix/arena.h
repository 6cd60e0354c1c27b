// SPDX-License-Identifier: MIT OR Apache-2.0
// <helix/arena.h>: objects of an arena, a module's durable state; part of <helix/env.h>, which says
// how they are made and changed.
//
// An object is a header and the module's bytes behind it; its address stays as long as it lives in
// one life of the module. Objects refer to each other by number. The next life, or another version,
// finds the same numbers and bytes, at other addresses.
#pragma once

#include <helix/types.h>

struct hx_update;

struct hx_object {
    uint64_t number; // index of its place, below; above: how often that was used before
    uint64_t checksum;
    uint32_t type; // the module's
    uint32_t size_bytes;
    void *local;                       // the module's for this life; NULL at its beginning
    _Atomic(struct hx_update *) owner; // the update that makes or changes it; NULL: none
    uint64_t reserved;
};
_Static_assert(sizeof(struct hx_object) % 16 == 0, "what follows is aligned");

// The header of an object, of which `bytes` are the module's.
static inline struct hx_object *hx_object_of(const void *bytes) {
    return (struct hx_object *)(uintptr_t)bytes - 1;
}

static inline uint64_t hx_object_number(const void *bytes) {
    return hx_object_of(bytes)->number;
}

static inline uint32_t hx_object_type(const void *bytes) {
    return hx_object_of(bytes)->type;
}
