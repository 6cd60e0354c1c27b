// SPDX-License-Identifier: MIT OR Apache-2.0
// core/inject.c: faults on purpose.
#include <core/inject.h>

#include <core/gate.h>
#include <core/lock.h>
#include <core/random.h>
#include <core/thread.h>

#define ARMED_NTH    (1u << 0)
#define ARMED_RANDOM (1u << 1)

// What is asked for is changed under the lock; who comes by takes none.
struct injection {
    _Atomic uint64_t left;   // until the one that was asked for; 0: none was, or it is over
    _Atomic uint64_t thread; // whose
    _Atomic uint32_t one_in; // at random; 0: none
    _Atomic uint64_t struck;
};

static const struct lock_class inject_class = { .name = "inject", .rank = LOCK_RANK_LEAF };
static struct spinlock inject_lock = SPINLOCK_INIT(&inject_class);

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

static bool count_down(struct injection *injection) {
    if (thread_current()->id != atomic_load_explicit(&injection->thread, memory_order_relaxed)) {
        return false;
    }
    uint64_t left = atomic_load_explicit(&injection->left, memory_order_relaxed);
    // Only this thread counts; but another one may ask anew in between, and then that holds.
    return left != 0 &&
           atomic_compare_exchange_strong_explicit(&injection->left, &left, left - 1,
                                                   memory_order_relaxed, memory_order_relaxed) &&
           left == 1;
}

bool inject_draw(enum inject_kind kind) {
    struct injection *injection = &injections[kind];
    const uint32_t one_in = atomic_load_explicit(&injection->one_in, memory_order_relaxed);
    if (!count_down(injection) && (one_in == 0 || draw() % one_in != 0)) {
        return false;
    }
    atomic_fetch_add_explicit(&injection->struck, 1, memory_order_relaxed);
    return true;
}

// Relaxed: who looks closer for nothing finds that there is nothing.
static void arm_locked(enum inject_kind kind, uint32_t bit, bool on) {
    const uint32_t armed = atomic_load_explicit(&inject_armed[kind], memory_order_relaxed);
    const uint32_t now = on ? armed | bit : armed & ~bit;
    atomic_store_explicit(&inject_armed[kind], now, memory_order_relaxed);
    if (kind == INJECT_METHOD) {
        gate_faults_set(now != 0);
    }
}

void inject_nth(enum inject_kind kind, uint64_t nth) {
    struct injection *injection = &injections[kind];
    const unsigned long irq = spin_lock_irq(&inject_lock);
    atomic_store_explicit(&injection->left, 0, memory_order_relaxed);
    atomic_store_explicit(&injection->thread, thread_current()->id, memory_order_relaxed);
    atomic_store_explicit(&injection->left, nth, memory_order_relaxed);
    arm_locked(kind, ARMED_NTH, nth != 0);
    spin_unlock_irq(&inject_lock, irq);
}

bool inject_nth_is_over(enum inject_kind kind) {
    return atomic_load_explicit(&injections[kind].left, memory_order_relaxed) == 0;
}

void inject_set(enum inject_kind kind, uint32_t one_in) {
    uint64_t start;
    random_bytes(&start, sizeof(start));
    const unsigned long irq = spin_lock_irq(&inject_lock);
    atomic_fetch_xor_explicit(&sequence, start, memory_order_relaxed);
    atomic_store_explicit(&injections[kind].one_in, one_in, memory_order_relaxed);
    arm_locked(kind, ARMED_RANDOM, one_in != 0);
    spin_unlock_irq(&inject_lock, irq);
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
