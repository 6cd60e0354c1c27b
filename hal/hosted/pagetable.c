// SPDX-License-Identifier: MIT OR Apache-2.0
// hal/hosted/pagetable.c: the software MMU's tables: four levels of 512 entries, in the machine's
// own frames. The owner's lock serialises changes; other processors walk meanwhile and mark
// entries, as hardware does, so every access to an entry is atomic.
#include "pagetable.h"

#include "machine.h"

#define TABLE_ENTRIES 512u
#define LEVEL_ROOT    3u
#define LEVEL_LARGE   1u
#define LARGE_SHIFT   21u

typedef _Atomic uint64_t entry_t;

static uint64_t entry_load(const entry_t *entry) {
    // Acquire: a table that is seen is seen zeroed.
    return atomic_load_explicit(entry, memory_order_acquire);
}

static uint32_t level_shift(uint32_t level) {
    return PAGE_SHIFT + 9 * level;
}

static entry_t *table_of(uint64_t entry) {
    return hal_phys_to_virt(paddr_make(entry & ENTRY_ADDRESS));
}

static entry_t *slot(entry_t *entries, uint64_t address, uint32_t level) {
    return &entries[(address >> level_shift(level)) % TABLE_ENTRIES];
}

static uint64_t entry_flags(uint32_t flags) {
    return ENTRY_USED | (flags & HAL_MAP_READ ? ENTRY_READ : 0) |
           (flags & HAL_MAP_WRITE ? ENTRY_READ | ENTRY_WRITE : 0) |
           (flags & HAL_MAP_EXECUTE ? ENTRY_READ | ENTRY_EXECUTE : 0);
}

static uint32_t entry_rights(uint64_t entry) {
    return HAL_MAP_USER | (entry & ENTRY_READ ? HAL_MAP_READ : 0) |
           (entry & ENTRY_WRITE ? HAL_MAP_WRITE : 0) |
           (entry & ENTRY_EXECUTE ? HAL_MAP_EXECUTE : 0) |
           (entry & ENTRY_ACCESSED ? HAL_MAP_ACCESSED : 0) |
           (entry & ENTRY_DIRTY ? HAL_MAP_DIRTY : 0);
}

static bool flags_are_wx(uint32_t flags) {
    return (flags & HAL_MAP_WRITE) && (flags & HAL_MAP_EXECUTE);
}

enum hx_status hal_pagetable_init(struct hal_pagetable *table) {
    struct paddr root = table_page_alloc();
    if (root.value == 0) {
        return HX_ERR_NO_MEMORY;
    }
    *table = (struct hal_pagetable){ .root = root, .pages = 1 };
    return HX_OK;
}

static void directory_free(uint64_t directory, uint32_t level) {
    for (uint32_t i = 0; level > 0 && i < TABLE_ENTRIES; i++) {
        uint64_t entry = entry_load(&table_of(directory)[i]);
        if (entry != 0 && !(entry & ENTRY_LARGE)) {
            directory_free(entry, level - 1);
        }
    }
    table_page_free(paddr_make(directory & ENTRY_ADDRESS));
}

void hal_pagetable_fini(struct hal_pagetable *table) {
    directory_free(table->root.value, LEVEL_ROOT);
    *table = (struct hal_pagetable){ 0 };
}

// The entry of `level` for `address`, tables made as needed. NULL: no memory, or (*out_clash) a
// large page is in the way.
static entry_t *entry_make(struct hal_pagetable *table, uint64_t address, uint32_t level,
                           bool *out_clash) {
    entry_t *entries = hal_phys_to_virt(table->root);
    *out_clash = false;
    for (uint32_t at = LEVEL_ROOT; at > level; at--) {
        entry_t *entry = slot(entries, address, at);
        uint64_t value = entry_load(entry);
        if (value == 0) {
            value = table_page_alloc().value;
            if (value == 0) {
                return NULL;
            }
            table->pages++;
            value |= ENTRY_USED;
            atomic_store_explicit(entry, value, memory_order_release);
        } else if (value & ENTRY_LARGE) {
            *out_clash = true;
            return NULL;
        }
        entries = table_of(value);
    }
    return slot(entries, address, level);
}

// The entry that maps or keeps a page at `address`, and its level; NULL if there is none.
static entry_t *entry_find(const struct hal_pagetable *table, uint64_t address,
                           uint32_t *out_level) {
    if (address >= HAL_USER_END) {
        return NULL;
    }
    entry_t *entries = hal_phys_to_virt(table->root);
    for (uint32_t level = LEVEL_ROOT;; level--) {
        entry_t *entry = slot(entries, address, level);
        uint64_t value = entry_load(entry);
        if (value == 0) {
            return NULL;
        }
        if (level == 0 || (value & ENTRY_LARGE)) {
            *out_level = level;
            return entry;
        }
        entries = table_of(value);
    }
}

enum hx_status hal_page_map(struct hal_pagetable *table, uint64_t address, struct paddr page,
                            uint32_t shift, uint32_t flags) {
    uint64_t mask = (1ull << shift) - 1;
    if ((shift != PAGE_SHIFT && shift != LARGE_SHIFT) || ((address | page.value) & mask) != 0 ||
        address >= HAL_USER_END || flags_are_wx(flags)) {
        return HX_ERR_INVALID;
    }
    bool clash;
    entry_t *entry = entry_make(table, address, shift == LARGE_SHIFT ? LEVEL_LARGE : 0, &clash);
    if (entry == NULL) {
        return clash ? HX_ERR_INVALID : HX_ERR_NO_MEMORY;
    }
    uint64_t large = shift == LARGE_SHIFT ? ENTRY_LARGE : 0;
    uint64_t old = entry_load(entry);
    if (large != 0 && old != 0 && !(old & ENTRY_LARGE)) {
        return HX_ERR_INVALID;
    }
    atomic_store_explicit(entry, page.value | entry_flags(flags) | large, memory_order_release);
    return HX_OK;
}

bool hal_page_protect(struct hal_pagetable *table, uint64_t address, uint32_t flags) {
    uint32_t level;
    entry_t *entry = entry_find(table, address, &level);
    if (entry == NULL || flags_are_wx(flags)) {
        return false;
    }
    const uint64_t keep = ENTRY_ADDRESS | ENTRY_ACCESSED | ENTRY_DIRTY | ENTRY_LARGE;
    uint64_t old = entry_load(entry);
    while (!atomic_compare_exchange_weak_explicit(entry, &old, (old & keep) | entry_flags(flags),
                                                  memory_order_acq_rel, memory_order_acquire)) {
    }
    return true;
}

static uint64_t inside(uint64_t address, uint32_t level) {
    return address & ((1ull << level_shift(level)) - 1) & ~(uint64_t)PAGE_MASK;
}

bool hal_page_unmap(struct hal_pagetable *table, uint64_t address, struct paddr *out_page,
                    uint32_t *out_flags) {
    uint32_t level;
    entry_t *entry = entry_find(table, address, &level);
    if (entry == NULL) {
        return false;
    }
    uint64_t old = atomic_exchange_explicit(entry, 0, memory_order_acq_rel);
    *out_page = paddr_make(old & ENTRY_ADDRESS);
    *out_flags = entry_rights(old);
    return true;
}

bool hal_page_query(const struct hal_pagetable *table, uint64_t address, struct paddr *out_page,
                    uint32_t *out_flags) {
    uint32_t level;
    const entry_t *entry = entry_find(table, address, &level);
    if (entry == NULL) {
        return false;
    }
    uint64_t value = entry_load(entry);
    *out_page = paddr_make((value & ENTRY_ADDRESS) + inside(address, level));
    *out_flags = entry_rights(value);
    return true;
}

uint64_t hal_page_next(const struct hal_pagetable *table, uint64_t address, uint64_t end) {
    while (address < end) {
        entry_t *entries = hal_phys_to_virt(table->root);
        uint32_t level = LEVEL_ROOT;
        uint64_t value = entry_load(slot(entries, address, level));
        while (value != 0 && level > 0 && !(value & ENTRY_LARGE)) {
            level--;
            value = entry_load(slot(table_of(value), address, level));
        }
        if (value != 0) {
            return address;
        }
        uint64_t span = 1ull << level_shift(level);
        address = ALIGN_DOWN(address, span) + span;
    }
    return end;
}

bool pagetable_walk(const struct hal_pagetable *table, uint64_t address, uint32_t access,
                    struct paddr *out_page) {
    uint32_t level;
    entry_t *entry = entry_find(table, address, &level);
    uint64_t need = access & HAL_ACCESS_WRITE     ? ENTRY_WRITE
                    : access & HAL_ACCESS_EXECUTE ? ENTRY_EXECUTE
                                                  : ENTRY_READ;
    uint64_t mark = ENTRY_ACCESSED | (access & HAL_ACCESS_WRITE ? ENTRY_DIRTY : 0);
    uint64_t old = entry != NULL ? entry_load(entry) : 0;
    do {
        if (!(old & need)) {
            return false;
        }
    } while ((old & mark) != mark &&
             !atomic_compare_exchange_weak_explicit(entry, &old, old | mark, memory_order_acq_rel,
                                                    memory_order_acquire));
    *out_page = paddr_make((old & ENTRY_ADDRESS) + inside(address, level));
    return true;
}
