// SPDX-License-Identifier: MIT OR Apache-2.0
// boot/src/memory.c: the sorted memory map. Loaders may list ranges in any order and twice.
#include "memory.h"

static uint64_t entry_end(const struct boot_memory *entry) {
    return entry->base.value + entry->size_bytes;
}

static void entry_remove(struct boot_info *info, uint32_t at) {
    info->memory_count--;
    for (uint32_t i = at; i < info->memory_count; i++) {
        info->memory[i] = info->memory[i + 1];
    }
}

// Makes entries `at` and the next one of the same kind one, if nothing is between them.
static void entry_join(struct boot_info *info, uint32_t at) {
    struct boot_memory *lower = &info->memory[at];
    if (at + 1 < info->memory_count && lower[1].kind == lower->kind &&
        entry_end(lower) == lower[1].base.value) {
        lower->size_bytes += lower[1].size_bytes;
        entry_remove(info, at + 1);
    }
}

// The smallest usable entry, which is missed least; memory_count: there is none.
static uint32_t usable_least(const struct boot_info *info) {
    uint32_t least = info->memory_count;
    for (uint32_t i = 0; i < info->memory_count; i++) {
        if (info->memory[i].kind == BOOT_MEMORY_USABLE &&
            (least == info->memory_count ||
             info->memory[i].size_bytes < info->memory[least].size_bytes)) {
            least = i;
        }
    }
    return least;
}

// What is lost when two neighbours become one: what is between them, and more than anything if they
// are not of one kind.
static uint64_t join_cost(const struct boot_memory *lower) {
    const uint64_t gap = lower[1].base.value - entry_end(lower);
    return lower[1].kind == lower->kind ? gap / 2 : UINT64_MAX / 2 + gap / 2;
}

// The lower one of two neighbours, neither usable, that are the cheapest to join.
static struct boot_memory *join_cheapest(struct boot_info *info) {
    struct boot_memory *cheapest = NULL;
    for (uint32_t i = 0; i + 1 < info->memory_count; i++) {
        struct boot_memory *lower = &info->memory[i];
        if (lower->kind != BOOT_MEMORY_USABLE && lower[1].kind != BOOT_MEMORY_USABLE &&
            (cheapest == NULL || join_cost(lower) < join_cost(cheapest))) {
            cheapest = lower;
        }
    }
    return cheapest;
}

// Frees an entry of a full list. One of the two ways there is, for no list of more than two is
// without a usable entry and without neighbours that are not.
static void memory_squeeze(struct boot_info *info) {
    const uint32_t usable = usable_least(info);
    struct boot_memory *lower = join_cheapest(info);
    if (usable < info->memory_count &&
        (lower == NULL || info->memory[usable].size_bytes / 2 <= join_cost(lower))) {
        info->memory_left_out_bytes += info->memory[usable].size_bytes;
        entry_remove(info, usable);
    } else if (lower != NULL) {
        lower->kind = lower[1].kind == lower->kind ? lower->kind : BOOT_MEMORY_RESERVED;
        lower->size_bytes = entry_end(&lower[1]) - lower->base.value;
        info->memory_joined++;
        entry_remove(info, (uint32_t)(lower - info->memory) + 1);
    }
}

// Inserts a range that overlaps nothing, joined to neighbours of the same kind. One entry stays
// free for the next one.
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
    for (uint32_t i = info->memory_count; i > at; i--) {
        info->memory[i] = info->memory[i - 1];
    }
    info->memory[at] = (struct boot_memory){ paddr_make(base), end - base, kind };
    info->memory_count++;
    entry_join(info, at);
    if (at > 0) {
        entry_join(info, at - 1);
    }
    if (info->memory_count == BOOT_MEMORY_MAX) {
        memory_squeeze(info);
    }
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
