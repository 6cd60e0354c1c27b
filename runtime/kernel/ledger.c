// SPDX-License-Identifier: MIT OR Apache-2.0
// runtime/kernel/ledger.c: the memory of modules.
//
// Blocks of the heap are linked by a header before them. Pages are whole, so that a note beside
// them says which they are.
#include "ledger.h"

#include <lib/string.h>
#include <memory/frame.h>
#include <memory/heap.h>

struct block {
    struct list link;
    uint64_t sign; // sign_of() while it is given out
    uint64_t unused;
};
_Static_assert(sizeof(struct block) % 16 == 0, "what follows is aligned");

struct pages {
    struct list link;
    void *memory;
};

static const struct lock_class ledger_class = { "ledger", LOCK_RANK_LEAF, false };

void ledger_init(struct ledger *ledger) {
    spinlock_init(&ledger->lock, &ledger_class);
    list_init(&ledger->blocks);
    list_init(&ledger->pages);
    ledger->held = 0;
}

uint64_t ledger_held(struct ledger *ledger) {
    spin_lock(&ledger->lock);
    const uint64_t held = ledger->held;
    spin_unlock(&ledger->lock);
    return held;
}

static void note(struct ledger *ledger, struct list *list, struct list *link) {
    spin_lock(&ledger->lock);
    list_push_back(list, link);
    ledger->held++;
    spin_unlock(&ledger->lock);
}

// What stands in front of a block of that ledger, and by chance nowhere else.
static uint64_t sign_of(const struct ledger *ledger, const struct block *block) {
    return UINT64_C(0x9d3c52a16be0f748) ^ (uintptr_t)ledger ^ ((uint64_t)(uintptr_t)block << 16);
}

void *ledger_alloc(struct ledger *ledger, size_t size_bytes) {
    struct block *block = size_bytes <= SIZE_MAX - sizeof(*block)
                              ? heap_alloc_zero(sizeof(*block) + size_bytes, MEMORY_SLEEP)
                              : NULL;
    if (block == NULL) {
        return NULL;
    }
    block->sign = sign_of(ledger, block);
    note(ledger, &ledger->blocks, &block->link);
    return block + 1;
}

static bool strike_out(struct ledger *ledger, struct block *block) {
    spin_lock(&ledger->lock);
    const bool is_there = block->sign == sign_of(ledger, block);
    if (is_there) {
        block->sign = 0;
        list_remove(&block->link);
        ledger->held--;
    }
    spin_unlock(&ledger->lock);
    return is_there;
}

bool ledger_free(struct ledger *ledger, void *memory) {
    if (memory == NULL) {
        return true;
    }
    struct block *block = (struct block *)memory - 1;
    if ((uintptr_t)memory % 16 != 0 || !heap_can_read(block, sizeof(*block)) ||
        !strike_out(ledger, block)) {
        return false;
    }
    heap_free(block);
    return true;
}

void *ledger_pages_alloc(struct ledger *ledger, uint32_t order) {
    struct pages *pages = heap_alloc(sizeof(*pages), MEMORY_SLEEP);
    struct frame *frame = pages != NULL ? frame_alloc_order(order, MEMORY_SLEEP) : NULL;
    if (frame == NULL) {
        heap_free(pages);
        return NULL;
    }
    pages->memory = frame_data(frame);
    memset(pages->memory, 0, (size_t)PAGE_SIZE << order);
    note(ledger, &ledger->pages, &pages->link);
    return pages->memory;
}

// NULL: they are not noted down, and so are not given back twice.
static struct pages *pages_find_locked(const struct ledger *ledger, const void *memory) {
    list_for_each (link, &ledger->pages) {
        struct pages *pages = LIST_ENTRY(link, struct pages, link);
        if (pages->memory == memory) {
            return pages;
        }
    }
    return NULL;
}

static void pages_end(struct pages *pages, bool is_lost) {
    if (!is_lost) {
        frame_put(frame_of(hal_virt_to_phys(pages->memory)));
    }
    heap_free(pages);
}

void ledger_pages_free(struct ledger *ledger, void *memory, bool is_lost) {
    spin_lock(&ledger->lock);
    struct pages *pages = pages_find_locked(ledger, memory);
    if (pages != NULL) {
        list_remove(&pages->link);
        ledger->held--;
    }
    spin_unlock(&ledger->lock);
    if (pages != NULL) {
        pages_end(pages, is_lost);
    }
}

// The first of a list, which is not in it any more; NULL: none is left.
static struct list *take(struct ledger *ledger, struct list *list) {
    spin_lock(&ledger->lock);
    struct list *link = list_pop_front(list);
    ledger->held -= link != NULL ? 1 : 0;
    spin_unlock(&ledger->lock);
    return link;
}

void ledger_release(struct ledger *ledger, bool is_quiet) {
    struct list *link;
    while ((link = take(ledger, &ledger->pages)) != NULL) {
        pages_end(LIST_ENTRY(link, struct pages, link), !is_quiet);
    }
    while ((link = take(ledger, &ledger->blocks)) != NULL) {
        struct block *block = LIST_ENTRY(link, struct block, link);
        block->sign = 0; // nor does the next life have it
        heap_free(block);
    }
}
