// SPDX-License-Identifier: MIT OR Apache-2.0
// <helix/pool.h>: pages that two sides share, who need not trust each other: what is too large for
// a slot lies there, is named in slots by page and length (struct hx_extent), and is not copied.
// The same source for the kernel and for programs.
//
// The pages are memory that both sides have mapped, for example a memory object. Each side has a
// struct hx_pool of its own over it, which nobody else may write: there it keeps which of its pages
// are free, taken, or lent to the other side. Which pages are whose is for the two to agree; one
// owner of all is usual.
//
//     owner  takes pages, fills them, lends them, sends their extent
//     other  hx_pool_at(): where they are, if they are in the pool at all
//     owner  hx_pool_back(): the other one says it is done with them; or hx_pool_give(), if an
//            answer says so by itself
//
// What the other side says is its word alone: extents are checked, and pages that it gives back
// twice, or that it never got, are refused. Pages that it never gives back are lost with the
// connection, and only there. What lies in them it may change at any time: who must believe it
// copies it once and checks the copy.
//
// Many threads of a side may take, lend and give at once; nobody waits. Proof: tests/proof/pool.c.
#pragma once

#include <helix/types.h>

#define HX_POOL_PAGES_MAX 1024u
#define HX_POOL_RUN_BYTES (64u * PAGE_SIZE) // of one extent, at most
#define HX_POOL_WORDS     (HX_POOL_PAGES_MAX / 64u)

// In slots: bytes from the start of a page on.
struct hx_extent {
    uint32_t page;
    uint32_t bytes;
};
_Static_assert(sizeof(struct hx_extent) == 8, "seven fit into a slot");

struct hx_pool {
    uint8_t *base;                        // shared with the other side
    uint32_t page_count;                  // of both sides
    _Atomic uint64_t used[HX_POOL_WORDS]; // bit per page: not free, or not ours
    _Atomic uint64_t lent[HX_POOL_WORDS]; // bit per page: the other side has it
};

// Borrows the memory. This side owns `own_count` pages from `own_first` on, all free; the number of
// all is at most HX_POOL_PAGES_MAX.
static inline void hx_pool_init(struct hx_pool *pool, void *base, uint32_t page_count,
                                uint32_t own_first, uint32_t own_count) {
    *pool = (struct hx_pool){ .base = (uint8_t *)base, .page_count = page_count };
    for (uint32_t word = 0; word < HX_POOL_WORDS; word++) {
        uint64_t used = 0;
        for (uint32_t bit = 0; bit < 64; bit++) {
            const uint32_t page = word * 64 + bit;
            const bool is_own = page >= own_first && page - own_first < own_count;
            used |= is_own ? 0 : UINT64_C(1) << bit;
        }
        atomic_store_explicit(&pool->used[word], used, memory_order_relaxed);
    }
}

static inline uint64_t hx_pool_pages_of(uint64_t bytes) {
    return bytes / PAGE_SIZE + (bytes % PAGE_SIZE != 0);
}

// Where an extent lies; NULL: not within the pool. Not whether it is lent.
static inline uint8_t *hx_pool_at(const struct hx_pool *pool, uint32_t page, uint64_t bytes) {
    const uint64_t count = hx_pool_pages_of(bytes);
    if (page >= pool->page_count || count > pool->page_count - page) {
        return NULL;
    }
    return pool->base + (size_t)page * PAGE_SIZE;
}

// The bits of an extent in its word; 0: it has no bytes, or does not lie in one word.
static inline uint64_t hx_pool_mask(uint32_t page, uint64_t bytes) {
    const uint64_t count = hx_pool_pages_of(bytes);
    if (count == 0 || page >= HX_POOL_PAGES_MAX || count > 64 - page % 64) {
        return 0;
    }
    return UINT64_MAX >> (64 - count) << page % 64;
}

// The bits at which `count` free pages begin in a word.
static inline uint64_t hx_pool_runs(uint64_t used, uint64_t count) {
    uint64_t runs = ~used;
    for (uint64_t length = 1; length < count;) {
        const uint64_t more = MIN_OF(length, count - length);
        runs &= runs >> more;
        length += more;
    }
    return runs;
}

// Takes free pages for so many bytes, up to HX_POOL_RUN_BYTES, in a row. False: there are none.
static inline bool hx_pool_take(struct hx_pool *pool, uint64_t bytes, uint32_t *out_page) {
    const uint64_t count = hx_pool_pages_of(bytes);
    if (count == 0 || count > 64) {
        return false;
    }
    for (uint32_t i = 0; i * 64 < pool->page_count; i++) {
        uint64_t used = atomic_load_explicit(&pool->used[i], memory_order_relaxed);
        uint64_t runs;
        while ((runs = hx_pool_runs(used, count)) != 0) {
            const uint32_t first = (uint32_t)__builtin_ctzll(runs);
            const uint64_t mask = UINT64_MAX >> (64 - count) << first;
            // Acquire: what its last user did with the pages is over.
            if (atomic_compare_exchange_weak_explicit(&pool->used[i], &used, used | mask,
                                                      memory_order_acquire, memory_order_relaxed)) {
                *out_page = i * 64 + first;
                return true;
            }
        }
    }
    return false;
}

// Gives back what hx_pool_take() took, lent or not.
static inline void hx_pool_give(struct hx_pool *pool, uint32_t page, uint64_t bytes) {
    const uint64_t mask = hx_pool_mask(page, bytes);
    atomic_fetch_and_explicit(&pool->lent[page / 64], ~mask, memory_order_relaxed);
    atomic_fetch_and_explicit(&pool->used[page / 64], ~mask, memory_order_release);
}

// Notes that the other side is about to get them, and will say when it is done.
static inline void hx_pool_lend(struct hx_pool *pool, uint32_t page, uint64_t bytes) {
    atomic_fetch_or_explicit(&pool->lent[page / 64], hx_pool_mask(page, bytes),
                             memory_order_relaxed);
}

// The other side says that it is done with this. HX_ERR_CORRUPT: it does not have all of it;
// nothing changed.
static inline enum hx_status hx_pool_back(struct hx_pool *pool, uint32_t page, uint64_t bytes) {
    const uint64_t mask = hx_pool_mask(page, bytes);
    if (mask == 0) {
        return HX_ERR_CORRUPT;
    }
    uint64_t lent = atomic_load_explicit(&pool->lent[page / 64], memory_order_relaxed);
    do {
        if ((lent & mask) != mask) {
            return HX_ERR_CORRUPT;
        }
    } while (!atomic_compare_exchange_weak_explicit(&pool->lent[page / 64], &lent, lent & ~mask,
                                                    memory_order_relaxed, memory_order_relaxed));
    atomic_fetch_and_explicit(&pool->used[page / 64], ~mask, memory_order_release);
    return HX_OK;
}
