// SPDX-License-Identifier: MIT OR Apache-2.0
// pipe_ring.h: what a pipe holds: pages in order, each with the bytes of it that wait.
//
// A page may be the ring's own: then bytes are added behind those in it, and its frame stays in its
// place for what comes later. Or its frame is shared (tee(2), splice(2)): then nobody writes there.
// Whoever owns a ring guards it by one lock.
#pragma once

#include <memory/account.h>
#include <memory/frame.h>
#include <vfs/file.h>

#define PIPE_SLOTS (PIPE_BYTES / PAGE_SIZE) // of a new pipe

#define PIPE_PAGE_OWN    0x1u
#define PIPE_PAGE_PACKET 0x2u // is read as a whole

struct pipe_page {
    struct frame *frame; // keeps, charged to the ring's account; NULL in a place without one so far
    uint16_t offset;     // of the first byte that waits
    uint16_t length;     // bytes that wait
    uint8_t flags;       // PIPE_PAGE_…
};

struct pipe_ring {
    struct pipe_page *pages; // `slots` of them; `first`, or from the heap
    uint32_t slots;          // a power of two
    uint32_t head;           // the first page, modulo `slots`
    uint32_t used;
    uint32_t reserved;       // places for pages that are being made
    uint64_t taken;          // bytes that were ever taken out
    _Atomic uint32_t frames; // in all places, and of many places themselves; may be read unguarded
    struct account *account; // borrows
    struct pipe_page first[PIPE_SLOTS];
};

void pipe_ring_init(struct pipe_ring *ring, struct account *account);
// Gives all frames and memory back.
void pipe_ring_destroy(struct pipe_ring *ring);

static inline struct pipe_page *pipe_ring_page(const struct pipe_ring *ring, uint32_t index) {
    return &ring->pages[(ring->head + index) & (ring->slots - 1)];
}

static inline bool pipe_ring_has_room(const struct pipe_ring *ring) {
    return ring->used + ring->reserved < ring->slots;
}

// How many bytes wait.
uint64_t pipe_ring_bytes(const struct pipe_ring *ring);
// The first free place, there must be one, with an empty page of the ring's own. It is the last
// page once ring->used is raised. NULL: no memory, or the account refuses. May sleep.
struct pipe_page *pipe_ring_next(struct pipe_ring *ring);
// The first `bytes` bytes of the first page are gone; with its last ones the page goes.
void pipe_ring_consume(struct pipe_ring *ring, uint32_t bytes);
// The first `bytes` bytes, or fewer, of a page, for another ring, with a reference to its frame,
// which is nobody's own from now on.
struct pipe_page pipe_ring_share(const struct pipe_ring *ring, uint32_t index, uint64_t bytes);
// Keeps a place, which there must be, and what its frame will cost. HX_ERR_NO_MEMORY: the account
// refuses.
enum hx_status pipe_ring_reserve(struct pipe_ring *ring);
// Fills a place that was kept, behind the other pages, and takes the frame's reference over;
// without bytes it gives the place back, and the frame, if there is one.
void pipe_ring_place(struct pipe_ring *ring, struct pipe_page page);
// Changes the number of places, a power of two. HX_ERR_BUSY: there are more pages;
// HX_ERR_NO_MEMORY. May sleep.
enum hx_status pipe_ring_resize(struct pipe_ring *ring, uint32_t slots);
