// SPDX-License-Identifier: MIT OR Apache-2.0
// values.h: for proofs that cbmc makes: any value at once, in one thread. What happens between two
// threads is the explorer's, so that an atomic operation is a plain one here, and a fence nothing.
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#undef atomic_init
#undef atomic_load_explicit
#undef atomic_store_explicit
#undef atomic_exchange_explicit
#undef atomic_fetch_add_explicit
#undef atomic_fetch_sub_explicit
#undef atomic_fetch_or_explicit
#undef atomic_fetch_and_explicit
#undef atomic_compare_exchange_strong_explicit
#undef atomic_compare_exchange_weak_explicit
#undef atomic_thread_fence
#undef atomic_signal_fence
#define atomic_init(place, value)                      ((void)(*(place) = (value)))
#define atomic_load_explicit(place, order)             (*(place))
#define atomic_store_explicit(place, value, order)     ((void)(*(place) = (value)))
#define atomic_fetch_add_explicit(place, value, order) values_old(place, *(place) + (value))
#define atomic_fetch_sub_explicit(place, value, order) values_old(place, *(place) - (value))
#define atomic_fetch_or_explicit(place, value, order)  values_old(place, *(place) | (value))
#define atomic_fetch_and_explicit(place, value, order) values_old(place, *(place) & (value))
#define atomic_exchange_explicit(place, value, order)  values_old(place, value)
#define atomic_compare_exchange_strong_explicit(place, wanted, value, success, failure)            \
    (*(place) == *(wanted) ? (*(place) = (value), true) : (*(wanted) = *(place), false))
#define atomic_compare_exchange_weak_explicit atomic_compare_exchange_strong_explicit
#define atomic_thread_fence(order)            ((void)0)
#define atomic_signal_fence(order)            ((void)0)

// What stood there before it got another value.
#define values_old(place, value)                                                                   \
    ({                                                                                             \
        __auto_type old_ = *(place);                                                               \
        *(place) = (value);                                                                        \
        old_;                                                                                      \
    })

#define PROVE(condition) __CPROVER_assert(condition, #condition)
// Must be possible, or the proof says nothing: tools/helix/suite_proof.py wants it to fail.
#define REACHED(number) __CPROVER_assert(0, "REACHED " #number)

// Any value.
uint8_t nondet_u8(void);
uint32_t nondet_u32(void);
uint64_t nondet_u64(void);
bool nondet_bool(void);

static inline uint32_t any_below(uint32_t below) {
    const uint32_t value = nondet_u32();
    __CPROVER_assume(value < below);
    return value;
}
