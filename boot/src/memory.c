// SPDX-License-Identifier: MIT OR Apache-2.0
// boot/src/memory.c: the sorted memory map. Loaders may list ranges in any order and twice.
#include "memory.h"

static uint64_t entry_end(const struct boot_memory *entry) {
    return entry->base.value + entry->size_bytes;
}

// Inserts a range that overlaps nothing, joined to its lower neighbour if that has the same kind.
static void memory_insert(struct boot_info *info, uint64_t base, uint64_t end,
                          enum boot_memory_kind kind) {
    if (kind == BOOT_MEMORY_USABLE) {
        end = ALIGN_DOWN(end, (uint64_t)PAGE_SIZE);
        base = MIN_OF(base, end); // so that the next cannot wrap
        base = ALIGN_UP(base, (uint64_t)PAGE_SIZE);
    }
    if (base >= end) {
        return;
    }
    uint32_t at = info->memory_count;
    while (at > 0 && info->memory[at - 1].base.value > base) {
        at--;
    }
    if (at > 0 && info->memory[at - 1].kind == kind && entry_end(&info->memory[at - 1]) == base) {
        info->memory[at - 1].size_bytes += end - base;
        return;
    }
    if (info->memory_count == BOOT_MEMORY_MAX) {
        return;
    }
    for (uint32_t i = info->memory_count; i > at; i--) {
        info->memory[i] = info->memory[i - 1];
    }
    info->memory[at] = (struct boot_memory){ paddr_make(base), end - base, kind };
    info->memory_count++;
}

void boot_memory_add(struct boot_info *info, uint64_t base, uint64_t size_bytes,
                     enum boot_memory_kind kind) {
    uint64_t end = base + size_bytes;
    while (base < end) {
        // The first entry that ends above `base` either covers it or bounds the free piece.
        uint64_t piece_end = end;
        uint64_t next = end;
        for (uint32_t i = 0; i < info->memory_count; i++) {
            const struct boot_memory *entry = &info->memory[i];
            if (entry_end(entry) > base) {
                piece_end = MIN_OF(end, MAX_OF(base, entry->base.value));
                next = entry->base.value < end ? entry_end(entry) : end;
                break;
            }
        }
        memory_insert(info, base, piece_end, kind);
        base = next;
    }
}

bool boot_memory_holds(const struct boot_info *info, struct paddr base, uint64_t size_bytes) {
    uint64_t at = base.value;
    if (size_bytes > UINT64_MAX - at) {
        return false;
    }
    for (uint32_t i = 0; i < info->memory_count && at < base.value + size_bytes; i++) {
        const struct boot_memory *entry = &info->memory[i];
        if (entry->kind != BOOT_MEMORY_RESERVED && entry->base.value <= at &&
            entry_end(entry) > at) {
            at = entry_end(entry);
        }
    }
    return at >= base.value + size_bytes;
}
