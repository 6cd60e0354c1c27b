// SPDX-License-Identifier: MIT OR Apache-2.0
// <core/inject.h>: faults on purpose: what may go wrong at any time does, for the n-th time of a
// thread (/proc/helix/fail_nth) or at random (/proc/helix/faults), so that tests reach what comes
// then. Under the simulator (hal/hosted) the seed decides what is random.
#pragma once

#include <helix/types.h>

// X(name, name in /proc)
#define INJECT_KINDS(X)                                                                            \
    X(ALLOCATION, "allocation") /* memory is refused */                                            \
    X(WAKE, "wake")             /* thread_block() returns for nothing */                           \
    X(METHOD, "method")         /* a call of a module ends with HX_ERR_PEER_DIED */                \
    X(DISK, "disk")             /* what a disk has done ends with HX_ERR_IO */                     \
    X(SHORT, "short")           /* a read or write of a disk goes on by a sector, or ends */       \
    X(DMA, "dma")               /* what a device is told of is not lent to it any more */

enum inject_kind {
#define X(name, text) INJECT_##name,
    INJECT_KINDS(X)
#undef X
        INJECT_KIND_COUNT,
};

extern _Atomic uint32_t inject_armed[INJECT_KIND_COUNT]; // 0: nothing of the kind goes wrong

static inline bool inject_is_armed(enum inject_kind kind) {
    return __builtin_expect(atomic_load_explicit(&inject_armed[kind], memory_order_relaxed) != 0,
                            0);
}

bool inject_draw(enum inject_kind kind);

// Whether it goes wrong this time. Any context.
static inline bool inject_strikes(enum inject_kind kind) {
    return inject_is_armed(kind) && inject_draw(kind);
}

// The n-th time from now (1: the next) that this thread comes by goes wrong, once; 0: none does.
void inject_nth(enum inject_kind kind, uint64_t nth);
// Whether it has, or none was asked for.
bool inject_nth_is_over(enum inject_kind kind);
// From now on one in so many goes wrong at random, of all threads; 0: none.
void inject_set(enum inject_kind kind, uint32_t one_in);
uint32_t inject_one_in(enum inject_kind kind);
// How many went wrong since the system began.
uint64_t inject_count(enum inject_kind kind);
const char *inject_name(enum inject_kind kind);
