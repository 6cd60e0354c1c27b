// SPDX-License-Identifier: MIT OR Apache-2.0
// <helix/names_page.h>: what the vDSO (user/vdso) reads to answer uname() and getpid() without a
// call. The kernel writes it, who maps it reads it.
#pragma once

#include <helix/types.h>
#include <stdatomic.h>

// The names that uname(2) gives, in the page of <helix/clock_page.h>.

#define HX_NAMES_OFFSET 1024u // in bytes; vdso.ld knows it, too
#define HX_NAMES_BYTES  390u  // six names of 65 bytes
#define HX_NAMES_WORDS  49u

struct hx_names_page {
    _Atomic uint32_t sequence; // odd while the names change
    uint32_t zero;
    _Atomic uint64_t words[HX_NAMES_WORDS];
};

// All but the last bytes.
static inline __attribute__((always_inline)) void hx_names_copy(const struct hx_names_page *page,
                                                                char *names) {
    for (uint32_t i = 0; i < HX_NAMES_BYTES / 8; i++) {
        const uint64_t word = atomic_load_explicit(&page->words[i], memory_order_relaxed);
        __builtin_memcpy(names + (size_t)8 * i, &word, 8);
    }
}

// Copies the names. False: they change, and what `names` has is worth nothing. A machine that
// stores no word at an odd address takes 8 bytes for each, where it is not told that they fit.
static inline bool hx_names_read(const struct hx_names_page *page, char names[HX_NAMES_BYTES]) {
    const uint32_t sequence = atomic_load_explicit(&page->sequence, memory_order_acquire);
    if ((uintptr_t)names % 8 == 0) {
        hx_names_copy(page, __builtin_assume_aligned(names, 8));
    } else {
        hx_names_copy(page, names);
    }
    const uint64_t last =
        atomic_load_explicit(&page->words[HX_NAMES_BYTES / 8], memory_order_relaxed);
    __builtin_memcpy(names + HX_NAMES_BYTES / 8 * 8, &last, HX_NAMES_BYTES % 8);
    atomic_thread_fence(memory_order_acquire);
    return (sequence & 1) == 0 &&
           sequence == atomic_load_explicit(&page->sequence, memory_order_relaxed);
}

// Writers take turns.
static inline void hx_names_write(struct hx_names_page *page,
                                  const uint64_t words[HX_NAMES_WORDS]) {
    const uint32_t sequence = atomic_load_explicit(&page->sequence, memory_order_relaxed);
    atomic_store_explicit(&page->sequence, sequence + 1, memory_order_relaxed);
    atomic_thread_fence(memory_order_release);
    for (uint32_t i = 0; i < HX_NAMES_WORDS; i++) {
        atomic_store_explicit(&page->words[i], words[i], memory_order_relaxed);
    }
    atomic_store_explicit(&page->sequence, sequence + 2, memory_order_release);
}

// A page of each address space, in front of that one.
struct hx_process_page {
    _Atomic int32_t pid; // 0: nobody has asked yet, or other processes run here, too
};
