// SPDX-License-Identifier: MIT OR Apache-2.0
// pipe_ring.c: pages in order, in a ring of places.
#include "pipe_ring.h"

#include <lib/string.h>
#include <memory/heap.h>

static void count_frames(struct pipe_ring *ring, int32_t change) {
    const uint32_t now = atomic_load_explicit(&ring->frames, memory_order_relaxed);
    atomic_store_explicit(&ring->frames, now + (uint32_t)change, memory_order_relaxed);
}

static void give_back(struct pipe_ring *ring, struct pipe_page *page) {
    if (page->frame != NULL) {
        frame_put(page->frame);
        page->frame = NULL;
        account_release(ring->account, ACCOUNT_FRAMES, 1);
        count_frames(ring, -1);
    }
}

void pipe_ring_init(struct pipe_ring *ring, struct account *account) {
    memset(ring, 0, sizeof(*ring));
    ring->pages = ring->first;
    ring->slots = PIPE_SLOTS;
    ring->account = account;
}

// Frames that so many places take; few of them are like other small things that nobody counts.
static uint32_t frames_of_places(uint32_t slots) {
    const size_t bytes = slots * sizeof(struct pipe_page);
    return bytes < PAGE_SIZE ? 0 : (uint32_t)(ALIGN_UP(bytes, PAGE_SIZE) / PAGE_SIZE);
}

static void free_places(struct pipe_ring *ring) {
    const uint32_t frames = frames_of_places(ring->slots);
    if (ring->pages != ring->first) {
        heap_free(ring->pages);
        account_release(ring->account, ACCOUNT_FRAMES, frames);
        count_frames(ring, -(int32_t)frames);
    }
}

// Zeroed. NULL: no memory, or the account refuses.
static struct pipe_page *alloc_places(struct pipe_ring *ring, uint32_t slots) {
    const uint32_t frames = frames_of_places(slots);
    if (account_charge(ring->account, ACCOUNT_FRAMES, frames) != HX_OK) {
        return NULL;
    }
    struct pipe_page *pages = heap_alloc_zero(slots * sizeof(*pages), MEMORY_SLEEP);
    if (pages == NULL) {
        account_release(ring->account, ACCOUNT_FRAMES, frames);
        return NULL;
    }
    count_frames(ring, (int32_t)frames);
    return pages;
}

void pipe_ring_destroy(struct pipe_ring *ring) {
    for (uint32_t i = 0; i < ring->slots; i++) {
        give_back(ring, &ring->pages[i]);
    }
    free_places(ring);
}

uint64_t pipe_ring_bytes(const struct pipe_ring *ring) {
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < ring->used; i++) {
        bytes += pipe_ring_page(ring, i)->length;
    }
    return bytes;
}

static struct frame *new_frame(struct pipe_ring *ring) {
    if (account_charge(ring->account, ACCOUNT_FRAMES, 1) != HX_OK) {
        return NULL;
    }
    struct frame *frame = frame_alloc(MEMORY_SLEEP, false);
    if (frame == NULL) {
        account_release(ring->account, ACCOUNT_FRAMES, 1);
        return NULL;
    }
    count_frames(ring, 1);
    return frame;
}

struct pipe_page *pipe_ring_next(struct pipe_ring *ring) {
    struct pipe_page *page = pipe_ring_page(ring, ring->used);
    if (page->frame == NULL) {
        page->frame = new_frame(ring);
    }
    page->offset = page->length = 0;
    page->flags = PIPE_PAGE_OWN;
    return page->frame != NULL ? page : NULL;
}

void pipe_ring_consume(struct pipe_ring *ring, uint32_t bytes) {
    struct pipe_page *page = pipe_ring_page(ring, 0);
    ring->taken += bytes;
    page->offset = (uint16_t)(page->offset + bytes);
    page->length = (uint16_t)(page->length - bytes);
    if (page->length != 0) {
        return;
    }
    if ((page->flags & PIPE_PAGE_OWN) == 0) {
        give_back(ring, page);
    }
    ring->used--;
    // Small messages stay in one frame.
    ring->head = ring->used == 0 ? 0 : ring->head + 1;
}

struct pipe_page pipe_ring_share(const struct pipe_ring *ring, uint32_t index, uint64_t bytes) {
    struct pipe_page *page = pipe_ring_page(ring, index);
    page->flags &= (uint8_t)~PIPE_PAGE_OWN;
    (void)frame_get(page->frame);
    struct pipe_page shared = *page;
    shared.length = (uint16_t)MIN_OF((uint64_t)page->length, bytes);
    return shared;
}

enum hx_status pipe_ring_reserve(struct pipe_ring *ring) {
    enum hx_status status = account_charge(ring->account, ACCOUNT_FRAMES, 1);
    if (status != HX_OK) { // what a free place keeps for later is paid for
        give_back(ring, pipe_ring_page(ring, ring->used + ring->reserved));
        status = account_charge(ring->account, ACCOUNT_FRAMES, 1);
    }
    if (status != HX_OK) {
        return HX_ERR_NO_MEMORY;
    }
    ring->reserved++;
    return HX_OK;
}

void pipe_ring_place(struct pipe_ring *ring, struct pipe_page page) {
    ring->reserved--;
    if (page.length == 0) {
        if (page.frame != NULL) {
            frame_put(page.frame);
        }
        account_release(ring->account, ACCOUNT_FRAMES, 1);
        return;
    }
    struct pipe_page *place = pipe_ring_page(ring, ring->used);
    give_back(ring, place);
    *place = page;
    count_frames(ring, 1);
    ring->used++;
}

enum hx_status pipe_ring_resize(struct pipe_ring *ring, uint32_t slots) {
    if (ring->used + ring->reserved > slots) {
        return HX_ERR_BUSY;
    }
    struct pipe_page *pages = alloc_places(ring, slots);
    if (pages == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    for (uint32_t i = 0; i < ring->slots; i++) {
        struct pipe_page *page = pipe_ring_page(ring, i);
        if (i < ring->used) {
            pages[i] = *page;
        } else {
            give_back(ring, page);
        }
    }
    free_places(ring);
    ring->pages = pages;
    ring->slots = slots;
    ring->head = 0;
    return HX_OK;
}
