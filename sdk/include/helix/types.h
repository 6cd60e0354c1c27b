// SPDX-License-Identifier: MIT OR Apache-2.0
// <helix/types.h>: scalars with a meaning, address types, and the few macros that everybody uses.
//
// Physical, user and kernel addresses are different types, so that mixing them does not compile:
// a kernel address is a C pointer, the other two are one-field structs.
#pragma once

#include <helix/annot.h>
#include <helix/status.h>

#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef int64_t time_ns_t; // nanoseconds; a moment on the monotonic clock, or a span
typedef uint32_t handle_t; // index and generation in a process's handle table
typedef uint64_t rights_t; // a set of HX_RIGHT_…

#define TIME_NEVER INT64_MAX // a deadline that does not come

// A physical address.
struct paddr {
    uint64_t value;
};

// An address in a user address space. Opened only by hal/usercopy and subsys/memory; everybody
// else passes it on and adds offsets with uaddr_add().
struct uaddr {
    uint64_t value;
};

static inline struct paddr paddr_make(uint64_t value) {
    return (struct paddr){ value };
}

static inline struct uaddr uaddr_make(uint64_t value) {
    return (struct uaddr){ value };
}

// Address arithmetic wraps like the hardware's; the copy that follows checks the range.
static inline struct uaddr uaddr_add(struct uaddr base, uint64_t offset) {
    return (struct uaddr){ base.value + offset };
}

static inline bool uaddr_is_null(struct uaddr address) {
    return address.value == 0;
}

#define PAGE_SHIFT 12u
#define PAGE_SIZE  ((size_t)1 << PAGE_SHIFT)
#define PAGE_MASK  (PAGE_SIZE - 1)

#define CACHE_LINE 64u

#define ARRAY_SIZE(array)                   (sizeof(array) / sizeof((array)[0]))
#define CONTAINER_OF(pointer, type, member) ((type *)((char *)(pointer) - offsetof(type, member)))
#define ALIGN_UP(value, alignment)          (((value) + ((alignment) - 1)) & ~((alignment) - 1))
#define ALIGN_DOWN(value, alignment)        ((value) & ~((alignment) - 1))
#define MIN_OF(a, b)                        ((a) < (b) ? (a) : (b))
#define MAX_OF(a, b)                        ((a) > (b) ? (a) : (b))

#define NORETURN           __attribute__((noreturn))
#define PRINTF(fmt, first) __attribute__((format(printf, fmt, first)))

// Rights on an object. `derive` only removes them.
#define HX_RIGHT_READ      ((rights_t)1 << 0)  // see what it holds and how it is
#define HX_RIGHT_WRITE     ((rights_t)1 << 1)  // change what it holds
#define HX_RIGHT_EXECUTE   ((rights_t)1 << 2)  // run it as a program, map it as code
#define HX_RIGHT_MAP       ((rights_t)1 << 3)  // map it into memory
#define HX_RIGHT_DELETE    ((rights_t)1 << 4)  // remove it, or end it
#define HX_RIGHT_CREATE    ((rights_t)1 << 5)  // make others below it, or at its expense
#define HX_RIGHT_ADMIN     ((rights_t)1 << 6)  // revoke, limit, resize, change how it is
#define HX_RIGHT_DELEGATE  ((rights_t)1 << 7)  // hand it to others
#define HX_RIGHT_EXCLUSIVE ((rights_t)1 << 8)  // have it alone; no call asks for it yet
#define HX_RIGHT_SIGNAL    ((rights_t)1 << 9)  // change its states, wake who waits
#define HX_RIGHT_WAIT      ((rights_t)1 << 10) // wait for its states
#define HX_RIGHTS_ALL      (((rights_t)1 << 11) - 1)
