// SPDX-License-Identifier: MIT OR Apache-2.0
// <memory/heap.h>: kernel memory of any size: per-processor magazines over slabs over frames.
//
// The size is found from the page on free. Test builds can make the n-th allocation fail.
#pragma once

#include <memory/frame.h>

// Aligned to 16 (to 64 from 64 bytes on). NULL if there is none; size 0 gives NULL. It takes no
// more than the next power of two, 16 at least, and from 2049 bytes on that many pages.
void *heap_alloc(size_t size_bytes, enum memory_mode mode) __attribute__((malloc));
void *heap_alloc_zero(size_t size_bytes, enum memory_mode mode) __attribute__((malloc));
void heap_free(void *memory); // NULL is fine; any context
// Whether the `size_bytes` bytes, a page at most, at that address, which may be any one, are the
// heap's: then they can be read, whatever they are. Any context.
bool heap_can_read(const void *memory, size_t size_bytes);

// A cache of equal objects (threads, files, mappings …).
struct heap_cache;
struct heap_cache *heap_cache_create(const char *name, size_t object_bytes, size_t alignment);
void *heap_cache_alloc(struct heap_cache *cache, enum memory_mode mode);
void heap_cache_free(struct heap_cache *cache, void *object);

struct heap_cache_info {
    const char *name;
    uint64_t used;  // objects that somebody has
    uint64_t total; // those, and room in slabs and magazines for more
    uint64_t slabs;
    uint32_t object_bytes;
    uint32_t per_slab;
    uint32_t slab_pages;
};
// What caches there are: fills in up to `capacity`, in the order of their making; how many. Thread
// context.
uint32_t heap_cache_infos(struct heap_cache_info *out_infos, uint32_t capacity);
#define HEAP_CACHES_MAX 64u

// Kernel stacks and other mapped kernel memory with a guard page below.
void *kernel_stack_alloc(size_t size_bytes);
void kernel_stack_free(void *stack_low, size_t size_bytes);
// Virtually contiguous memory for large tables, page granular, zeroed, thread context.
void *kernel_map_alloc(size_t size_bytes);
void kernel_map_free(void *memory, size_t size_bytes);

// Memory for a module that is loaded: as kernel_map_alloc(), where faults are a module's
// (HAL_MODULES_BASE). NULL: there is none. Ends with kernel_map_free().
void *kernel_module_alloc(size_t size_bytes);
// Gives some of its pages other rights, HAL_MAP_…, once they were written; nobody uses them
// meanwhile. Thread context, interrupts on.
// Returns HX_OK; HX_ERR_INVALID (writable and executable); HX_ERR_NO_MEMORY: some of them are not
//         mapped any more, and it can only be freed.
enum hx_status kernel_module_protect(void *start, size_t size_bytes, uint32_t rights);
