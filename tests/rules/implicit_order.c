// SPDX-License-Identifier: MIT OR Apache-2.0
// An atomic access says which order it needs: without one it has the strongest.
// PART: core/
// FAILS: implicit use of sequentially-consistent atomic
#include <helix/types.h>

#include <stdatomic.h>

uint32_t value_of(const _Atomic uint32_t *word);

uint32_t value_of(const _Atomic uint32_t *word) {
#ifdef BREAK_RULE
    return *word;
#else
    return atomic_load_explicit(word, memory_order_relaxed);
#endif
}
