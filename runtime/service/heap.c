// SPDX-License-Identifier: MIT OR Apache-2.0
// runtime/service/heap.c: memory of a module in ring 3: blocks of powers of two, each kind with its
// list of free ones, out of pages that the kernel gives; larger ones are the kernel's to give.
#include "host.h"

#include <lib/string.h>

#define SHIFT_LEAST 5u  // blocks of 32 bytes, with their head
#define SHIFT_MOST  12u // up to 4 KiB
#define CHUNK_BYTES ((uint64_t)64 << 10)

// In front of each block. What is given out is aligned to 16 bytes.
struct head {
    uint64_t bytes; // of the whole block; more than 1 << SHIFT_MOST: whole pages
    union {
        struct head *next; // of a free one
        uint64_t sign;     // sign_of() while it is given out
    };
};
_Static_assert(sizeof(struct head) == 16, "blocks stay aligned");

static struct hx_mutex lock;                     // all zero: free
static struct head *free_blocks[SHIFT_MOST + 1]; // [lock]
static struct head *chunk;                       // [lock] what is left of the last one
static uint64_t chunk_left;                      // [lock]

// What stands in front of a block that is given out, and by chance nowhere else.
static uint64_t sign_of(const struct head *block) {
    return UINT64_C(0x9d3c52a16be0f748) ^ ((uint64_t)(uintptr_t)block << 16);
}

static struct head *pages_take(uint64_t bytes) {
    const int64_t address = service_call(SERVICE_MEMORY, bytes, 0, 0);
    return address > 0 ? service_pointer(address) : NULL;
}

static uint32_t shift_of(uint64_t bytes) {
    uint32_t shift = SHIFT_LEAST;
    while (((uint64_t)1 << shift) < bytes) {
        shift++;
    }
    return shift;
}

// What is left of a chunk and too small stays unused.
static struct head *block_cut(uint64_t bytes) {
    if (chunk_left < bytes) {
        chunk = pages_take(CHUNK_BYTES);
        chunk_left = chunk != NULL ? CHUNK_BYTES : 0;
    }
    if (chunk == NULL) {
        return NULL;
    }
    struct head *block = chunk;
    chunk += bytes / sizeof(*chunk);
    chunk_left -= bytes;
    block->bytes = bytes;
    return block;
}

static struct head *block_take(uint32_t shift) {
    hx_mutex_lock(&lock);
    struct head *block = free_blocks[shift];
    if (block != NULL) {
        free_blocks[shift] = block->next;
    } else {
        block = block_cut((uint64_t)1 << shift);
    }
    if (block != NULL) {
        block->sign = sign_of(block);
    }
    hx_mutex_unlock(&lock);
    return block;
}

void *hx_alloc(struct hx_env *env, size_t size_bytes) {
    (void)env;
    struct head *block;
    if (size_bytes == 0 || size_bytes > SERVICE_MEMORY_MAX - sizeof(*block)) {
        return NULL;
    }
    const uint64_t bytes = size_bytes + sizeof(*block);
    if (bytes > (uint64_t)1 << SHIFT_MOST) {
        block = pages_take(ALIGN_UP(bytes, PAGE_SIZE));
        if (block != NULL) {
            block->bytes = ALIGN_UP(bytes, PAGE_SIZE);
            block->sign = sign_of(block);
        }
        return block != NULL ? block + 1 : NULL;
    }
    block = block_take(shift_of(bytes));
    return block != NULL ? memset(block + 1, 0, size_bytes) : NULL;
}

void hx_free(struct hx_env *env, void *memory) {
    (void)env;
    if (memory == NULL) {
        return;
    }
    struct head *block = (struct head *)memory - 1;
    hx_mutex_lock(&lock);
    if ((uintptr_t)memory % sizeof(*block) != 0 || block->sign != sign_of(block)) {
        __builtin_trap(); // not given out: the module dies of it
    }
    block->sign = 0;
    const uint64_t bytes = block->bytes;
    if (bytes <= (uint64_t)1 << SHIFT_MOST) {
        const uint32_t shift = shift_of(bytes);
        block->next = free_blocks[shift];
        free_blocks[shift] = block;
    }
    hx_mutex_unlock(&lock);
    if (bytes > (uint64_t)1 << SHIFT_MOST) {
        (void)service_call(SERVICE_GIVE, service_address(block), bytes, 0);
    }
}
