// SPDX-License-Identifier: MIT OR Apache-2.0
// core/inject.c: faults on purpose.
#include <core/inject.h>

#include <core/random.h>
#include <core/thread.h>

#define ARMED_NTH    (1u << 0)
#define ARMED_RANDOM (1u << 1)

struct injection {
    _Atomic uint64_t left;   // until the one that was asked for; 0: none was
    _Atomic uint64_t thread; // whose
    _Atomic uint32_t one_in; // at random; 0: none
    _Atomic uint64_t struck;
};

_Atomic uint32_t inject_armed[INJECT_KIND_COUNT]; // ARMED_…
static struct injection injections[INJECT_KIND_COUNT];
static _Atomic uint64_t sequence; // of the draws; begins at random

// splitmix64 (Steele, Lea, Flood 2014): no lock, and each draw differs.
static uint64_t draw(void) {
    uint64_t z = atomic_fetch_add_explicit(&sequence, 0x9e3779b97f4a7c15u, memory_order_relaxed);
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static bool count_down(struct injection *injection, enum inject_kind kind) {
    if (thread_current()->id != atomic_load_explicit(&injection->thread, memory_order_relaxed)) {
        return false;
    }
    // Only this thread counts, so nobody else stores in between.
    const uint64_t left = atomic_load_explicit(&injection->left, memory_order_relaxed);
    if (left == 0) {
        return false;
    }
    atomic_store_explicit(&injection->left, left - 1, memory_order_relaxed);
    if (left == 1) {
        atomic_fetch_and_explicit(&inject_armed[kind], ~ARMED_NTH, memory_order_relaxed);
    }
    return left == 1;
}

bool inject_draw(enum inject_kind kind) {
    struct injection *injection = &injections[kind];
    const uint32_t one_in = atomic_load_explicit(&injection->one_in, memory_order_relaxed);
    if (!count_down(injection, kind) && (one_in == 0 || draw() % one_in != 0)) {
        return false;
    }
    atomic_fetch_add_explicit(&injection->struck, 1, memory_order_relaxed);
    return true;
}

static void arm(enum inject_kind kind, uint32_t bit, bool on) {
    if (on) {
        // Release: the count, its owner and the rate come first.
        atomic_fetch_or_explicit(&inject_armed[kind], bit, memory_order_release);
    } else {
        atomic_fetch_and_explicit(&inject_armed[kind], ~bit, memory_order_release);
    }
}

void inject_nth(enum inject_kind kind, uint64_t nth) {
    struct injection *injection = &injections[kind];
    atomic_store_explicit(&injection->left, 0, memory_order_relaxed);
    atomic_store_explicit(&injection->thread, thread_current()->id, memory_order_relaxed);
    atomic_store_explicit(&injection->left, nth, memory_order_release);
    arm(kind, ARMED_NTH, nth != 0);
}

bool inject_nth_is_over(enum inject_kind kind) {
    return atomic_load_explicit(&injections[kind].left, memory_order_relaxed) == 0;
}

void inject_set(enum inject_kind kind, uint32_t one_in) {
    uint64_t start;
    random_bytes(&start, sizeof(start));
    atomic_fetch_xor_explicit(&sequence, start, memory_order_relaxed);
    atomic_store_explicit(&injections[kind].one_in, one_in, memory_order_relaxed);
    arm(kind, ARMED_RANDOM, one_in != 0);
}

uint32_t inject_one_in(enum inject_kind kind) {
    return atomic_load_explicit(&injections[kind].one_in, memory_order_relaxed);
}

uint64_t inject_count(enum inject_kind kind) {
    return atomic_load_explicit(&injections[kind].struck, memory_order_relaxed);
}

const char *inject_name(enum inject_kind kind) {
    static const char *const names[] = {
#define X(name, text) text,
        INJECT_KINDS(X)
#undef X
    };
    return names[kind];
}
