// SPDX-License-Identifier: MIT OR Apache-2.0
// vmap.c: the kernel's mapped addresses: stacks with a guard page, large tables, device registers.
//
// Areas lie in a tree (gaps.h) with an unmapped page below each. A freed area is unmapped at once,
// but its frames and addresses wait until some have gathered: one shoot-down serves them all.
// Stacks of the usual size are kept mapped for the next thread.
#include "gaps.h"
#include "internal.h"

#include <core/aspace.h>
#include <core/cpu.h>
#include <lib/string.h>

#define PENDING_MAX 256u // pages that wait for a shoot-down
#define POOL_MAX    32u  // stacks that are kept

struct area {
    struct gap_node place;
    struct list pending_link;
    bool freed; // [lock] waits for the shoot-down
};

static const struct lock_class vmap_class = { "kernel addresses", LOCK_RANK_LEAF, false };

static struct {
    struct spinlock lock;
    struct rbtree areas;        // [lock] struct area.place
    struct list pending;        // [lock] struct area.pending_link
    struct list pending_frames; // [lock] struct frame.link
    uint64_t pending_pages;     // [lock]
    void *pool;                 // [lock] free stacks; the first word links them
    uint32_t pool_count;        // [lock]
    _Atomic uint64_t waiting;   // frames that are unmapped and not given back yet
} vmap = { .lock = SPINLOCK_INIT(&vmap_class) };

// Finds addresses in [low, high); NULL: no room or no memory.
static struct area *area_create(uint64_t size_bytes, uint64_t low, uint64_t high) {
    struct area *area = heap_alloc_zero(sizeof *area, MEMORY_SLEEP);
    if (area == NULL) {
        return NULL;
    }
    uint64_t start;
    unsigned long state = spin_lock_irq(&vmap.lock);
    bool found =
        gaps_find_top_down(&vmap.areas, size_bytes + PAGE_SIZE, low, high - PAGE_SIZE, &start);
    if (found) {
        area->place.start = start + PAGE_SIZE;
        area->place.end = start + PAGE_SIZE + size_bytes;
        area->place.guard = PAGE_SIZE;
        gaps_insert(&vmap.areas, &area->place);
    }
    spin_unlock_irq(&vmap.lock, state);
    if (!found) {
        heap_free(area);
        return NULL;
    }
    return area;
}

// Unmaps [start, end) of what was mapped by us and collects the frames.
static uint64_t area_unmap(uint64_t start, uint64_t end, struct list *frames) {
    uint64_t pages = 0;
    for (uint64_t at = start; at < end; at += PAGE_SIZE) {
        struct paddr page;
        if (hal_kernel_unmap(at, &page)) {
            struct frame *frame = frame_of(page);
            if (frame != NULL && frame_use(frame) == FRAME_KERNEL) {
                list_push_back(frames, &frame->link);
                pages++;
            }
        }
    }
    return pages;
}

void vmap_purge(void) {
    struct list areas = LIST_INIT(areas);
    struct list frames = LIST_INIT(frames);
    unsigned long state = spin_lock_irq(&vmap.lock);
    list_splice_back(&areas, &vmap.pending);
    list_splice_back(&frames, &vmap.pending_frames);
    vmap.pending_pages = 0;
    spin_unlock_irq(&vmap.lock, state);
    if (list_is_empty(&areas)) {
        return;
    }
    core_kernel_flush(HAL_VMAP_BASE, (HAL_VMAP_END - HAL_VMAP_BASE) >> PAGE_SHIFT);
    list_for_each_safe (link, &frames) {
        atomic_fetch_sub_explicit(&vmap.waiting, 1, memory_order_relaxed); // a figure, no more
        frame_put(LIST_ENTRY(link, struct frame, link));
    }
    list_for_each_safe (entry, &areas) {
        struct area *area = LIST_ENTRY(entry, struct area, pending_link);
        state = spin_lock_irq(&vmap.lock);
        gaps_remove(&vmap.areas, &area->place);
        spin_unlock_irq(&vmap.lock, state);
        heap_free(area);
    }
}

uint64_t vmap_waiting_pages(void) {
    return atomic_load_explicit(&vmap.waiting, memory_order_relaxed);
}

static void area_destroy(struct area *area) {
    struct list frames = LIST_INIT(frames);
    uint64_t pages = area_unmap(area->place.start, area->place.end, &frames);
    unsigned long state = spin_lock_irq(&vmap.lock);
    area->freed = true;
    list_push_back(&vmap.pending, &area->pending_link);
    list_splice_back(&vmap.pending_frames, &frames);
    vmap.pending_pages += pages + 1;
    atomic_fetch_add_explicit(&vmap.waiting, pages, memory_order_relaxed); // as above
    bool full = vmap.pending_pages > PENDING_MAX;
    spin_unlock_irq(&vmap.lock, state);
    if (full) {
        vmap_purge();
    }
}

static void *map_pages_within(uint64_t low, uint64_t high, size_t size_bytes, bool zero) {
    uint64_t size = ALIGN_UP((uint64_t)size_bytes, (uint64_t)PAGE_SIZE);
    if (size == 0 || size > high - low) {
        return NULL;
    }
    struct area *area = area_create(size, low, high);
    if (area == NULL) {
        return NULL;
    }
    for (uint64_t at = area->place.start; at < area->place.end; at += PAGE_SIZE) {
        struct frame *frame = frame_alloc(MEMORY_SLEEP, zero);
        if (frame == NULL ||
            hal_kernel_map(at, frame_address(frame), HAL_MAP_READ | HAL_MAP_WRITE) != HX_OK) {
            if (frame != NULL) {
                frame_put(frame);
            }
            area_destroy(area);
            return NULL;
        }
    }
    hal_kernel_publish(area->place.start, size);
    void *memory = (void *)(uintptr_t)area->place.start; // NOLINT: mapped just now
    return memory;
}

static void *map_pages(size_t size_bytes, bool zero) {
    return map_pages_within(HAL_VMAP_BASE, HAL_MODULES_BASE, size_bytes, zero);
}

static void unmap_pages(const void *memory, size_t size_bytes) {
    unsigned long state = spin_lock_irq(&vmap.lock);
    struct gap_node *node = gaps_find(&vmap.areas, (uint64_t)(uintptr_t)memory);
    struct area *area = node != NULL ? CONTAINER_OF(node, struct area, place) : NULL;
    bool valid = area != NULL && node->start == (uint64_t)(uintptr_t)memory && !area->freed &&
                 node->end - node->start == ALIGN_UP(size_bytes, PAGE_SIZE);
    spin_unlock_irq(&vmap.lock, state);
    ASSERT(valid); // a foreign pointer or freed twice
    area_destroy(area);
}

void *kernel_map_alloc(size_t size_bytes) {
    return map_pages(size_bytes, true);
}

void kernel_map_free(void *memory, size_t size_bytes) {
    if (memory != NULL) {
        unmap_pages(memory, size_bytes);
    }
}

// ---- modules -----------------------------------------------------------------------------------

void *kernel_module_alloc(size_t size_bytes) {
    return map_pages_within(HAL_MODULES_BASE, HAL_VMAP_END, size_bytes, true);
}

// Unmapped in between, so that no processor has the old rights when there are new ones.
enum hx_status kernel_module_protect(void *start, size_t size_bytes, uint32_t rights) {
    struct list frames = LIST_INIT(frames);
    enum hx_status status = HX_OK;
    uint64_t at = (uint64_t)(uintptr_t)start;
    (void)area_unmap(at, at + size_bytes, &frames);
    core_kernel_flush(at, size_bytes >> PAGE_SHIFT);
    list_for_each_safe (link, &frames) {
        struct frame *frame = LIST_ENTRY(link, struct frame, link);
        if (status == HX_OK) {
            status = hal_kernel_map(at, frame_address(frame), rights);
        }
        if (status != HX_OK) {
            frame_put(frame);
        }
        at += PAGE_SIZE;
    }
    hal_kernel_publish((uint64_t)(uintptr_t)start, size_bytes);
    if ((rights & HAL_MAP_EXECUTE) != 0) {
        cpu_barrier(); // the interrupt after which all fetch what is there now
    }
    return status;
}

// ---- stacks ------------------------------------------------------------------------------------

static void *pool_take(void) {
    unsigned long state = spin_lock_irq(&vmap.lock);
    void *stack = vmap.pool;
    if (stack != NULL) {
        vmap.pool = *(void **)stack;
        vmap.pool_count--;
    }
    spin_unlock_irq(&vmap.lock, state);
    return stack;
}

void *kernel_stack_alloc(size_t size_bytes) {
    if (inject_strikes(INJECT_ALLOCATION)) {
        return NULL;
    }
    void *stack = size_bytes == THREAD_STACK_BYTES ? pool_take() : NULL;
    return stack != NULL ? stack : map_pages(size_bytes, false);
}

void kernel_stack_free(void *stack_low, size_t size_bytes) {
    if (size_bytes == THREAD_STACK_BYTES) {
        unsigned long state = spin_lock_irq(&vmap.lock);
        bool keep = vmap.pool_count < POOL_MAX;
        if (keep) {
            *(void **)stack_low = vmap.pool;
            vmap.pool = stack_low;
            vmap.pool_count++;
        }
        spin_unlock_irq(&vmap.lock, state);
        if (keep) {
            return;
        }
    }
    unmap_pages(stack_low, size_bytes);
}

// Under pressure: the pool, and what waits for a shoot-down.
static uint64_t shrink_count(void *context) {
    (void)context;
    const unsigned long irq = spin_lock_irq(&vmap.lock);
    const uint64_t stacks = vmap.pool_count;
    const uint64_t pending = vmap.pending_pages;
    spin_unlock_irq(&vmap.lock, irq);
    return stacks * (THREAD_STACK_BYTES / PAGE_SIZE) + pending;
}

static uint64_t shrink(void *context, uint64_t want) {
    (void)want;
    uint64_t pages = shrink_count(context);
    void *stack = pool_take();
    while (stack != NULL) {
        unmap_pages(stack, THREAD_STACK_BYTES);
        stack = pool_take();
    }
    vmap_purge();
    return pages;
}

static struct shrinker vmap_shrinker = {
    .name = "kernel addresses",
    .count = shrink_count,
    .shrink = shrink,
};

void vmap_init(void) {
    gaps_init(&vmap.areas);
    list_init(&vmap.pending);
    list_init(&vmap.pending_frames);
    shrinker_register(&vmap_shrinker);
}
