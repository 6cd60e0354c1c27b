// SPDX-License-Identifier: MIT OR Apache-2.0
// runtime/host/ledger.c: the module's memory: what it has is known, block by block, and each block
// is one of the sanitizer's.
#include "private.h"

#include <stdlib.h>
#include <string.h>

#define ALIGNMENT 16u

struct block {
    struct block *next;
    void *memory;
    size_t size_bytes;
    bool is_paged;
};

static struct block *blocks;
static uint64_t fail_after; // 0: never

void host_fail_nth(uint64_t nth) {
    fail_after = nth;
    host.failed = false;
}

bool fails_now(void) {
    if (fail_after == 0 || --fail_after != 0) {
        return false;
    }
    host.failed = true;
    return true;
}

static void *need(void *memory) {
    if (memory == NULL) {
        host_broken("this machine has no memory");
    }
    return memory;
}

void *ledger_alloc(size_t size_bytes, bool is_paged) {
    if (fails_now()) {
        return NULL;
    }
    const size_t alignment = is_paged ? PAGE_SIZE : ALIGNMENT;
    const size_t whole = ALIGN_UP(MAX_OF(size_bytes, (size_t)1), alignment);
    struct block *block = need(calloc(1, sizeof(*block)));
    // The end is the sanitizer's: not rounded up, unless in pages.
    block->memory = is_paged ? need(aligned_alloc(alignment, whole)) : need(malloc(size_bytes));
    memset(block->memory, 0, is_paged ? whole : size_bytes);
    block->size_bytes = size_bytes;
    block->is_paged = is_paged;
    block->next = blocks;
    blocks = block;
    host.blocks++;
    return block->memory;
}

static struct block **find(const void *memory) {
    struct block **at = &blocks;
    while (*at != NULL && (*at)->memory != memory) {
        at = &(*at)->next;
    }
    return at;
}

static void drop(struct block **at) {
    struct block *block = *at;
    *at = block->next;
    free(block->memory);
    free(block);
    host.blocks--;
}

void ledger_free(void *memory, bool is_paged) {
    struct block **at = find(memory);
    if (*at == NULL || (*at)->is_paged != is_paged) {
        host_broken("memory is freed that the module does not have");
    }
    drop(at);
}

size_t ledger_size(const void *memory) {
    const struct block *block = *find(memory);
    return block != NULL ? block->size_bytes : 0;
}

void ledger_release(void) {
    while (blocks != NULL) {
        drop(&blocks);
    }
}

void ledger_reset(void) {
    ledger_release();
    fail_after = 0;
}

void *hx_alloc(struct hx_env *env, size_t size_bytes) {
    (void)env;
    may_sleep("hx_alloc()");
    return ledger_alloc(size_bytes, false);
}

void hx_free(struct hx_env *env, void *memory) {
    (void)env;
    may_sleep("hx_free()");
    if (memory != NULL) {
        ledger_free(memory, false);
    }
}
