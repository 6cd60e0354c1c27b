// SPDX-License-Identifier: MIT OR Apache-2.0
// hal/aarch64/pagetable.c: the user half of page tables. The owner's lock serialises the calls on
// one table; other processors walk it meanwhile, so each entry changes by one store.
//
// An entry that maps one page must not come to map another in one step (break before make, Arm ARM
// D8.14.1): it becomes invalid first, and all processors forget it. A processor that comes by in
// between faults and is sent back by core, which finds the page mapped. A change of rights needs
// nothing of that.
#include "pagetable.h"

#define ROOT_SPAN (1ull << 39) // of one entry

// What TLBI takes for a page: bits 55 … 12 of its address (C5.5).
static uint64_t tlbi_page(uint64_t address) {
    return address >> PAGE_SHIFT & 0xfffffffffffull;
}

static void slot_mark(struct hal_pagetable *table, uint32_t slot) {
    table->slots[slot / 64] |= 1ull << (slot % 64);
}

// The first used entry >= `slot` of the root; TABLE_ENTRIES if there is none.
static uint32_t slot_next(const struct hal_pagetable *table, uint32_t slot) {
    while (slot < TABLE_ENTRIES) {
        uint64_t word = table->slots[slot / 64] >> (slot % 64);
        if (word != 0) {
            return slot + (uint32_t)__builtin_ctzll(word);
        }
        slot = ALIGN_DOWN(slot, 64u) + 64;
    }
    return TABLE_ENTRIES;
}

enum hx_status hal_pagetable_init(struct hal_pagetable *table) {
    struct paddr root = aarch64_table_page_alloc();
    if (root.value == 0) {
        return HX_ERR_NO_MEMORY;
    }
    *table = (struct hal_pagetable){ .root = root, .pages = 1 };
    return HX_OK;
}

// Frees the tables that the directory in `entry` points at, and itself. `level` is the level of the
// directory's entries.
static void directory_free(uint64_t entry, uint32_t level) {
    const uint64_t *directory = table_of(entry);
    for (uint32_t i = hint_first(entry); i < hint_end(entry); i++) {
        uint64_t below = directory[i];
        if (below == 0 || entry_is_block(below)) {
            continue;
        }
        if (level == LEVEL_LARGE) {
            aarch64_table_page_free(paddr_make(below & PTE_ADDRESS));
        } else {
            directory_free(below, level - 1);
        }
    }
    aarch64_table_page_free(paddr_make(entry & PTE_ADDRESS));
}

void hal_pagetable_fini(struct hal_pagetable *table) {
    const uint64_t *root = hal_phys_to_virt(table->root);
    for (uint32_t slot = slot_next(table, 0); slot < TABLE_ENTRIES;
         slot = slot_next(table, slot + 1)) {
        directory_free(root[slot], LEVEL_HUGE);
    }
    aarch64_table_page_free(table->root);
    *table = (struct hal_pagetable){ 0 };
}

// The entry of `level` for `address`, tables made as needed. NULL: no memory, or (*out_clash) a
// large page is in the way. A new table's zeros are seen before the entry that leads there.
static uint64_t *entry_make(struct hal_pagetable *table, uint64_t address, uint32_t level,
                            bool *out_clash) {
    uint64_t *entries = hal_phys_to_virt(table->root);
    uint64_t *parent = NULL;
    *out_clash = false;
    for (uint32_t at = LEVEL_ROOT; at > level; at--) {
        uint32_t index = table_index(address, at);
        uint64_t *entry = &entries[index];
        if (*entry == 0) {
            struct paddr page = aarch64_table_page_alloc();
            if (page.value == 0) {
                return NULL;
            }
            table->pages++;
            __atomic_store_n(entry, page.value | HINT_EMPTY | PTE_VALID | PTE_TABLE,
                             __ATOMIC_RELEASE);
            if (parent != NULL) {
                hint_add(parent, index);
            } else {
                slot_mark(table, index);
            }
        } else if (entry_is_block(*entry)) {
            *out_clash = true;
            return NULL;
        }
        parent = entry;
        entries = table_of(*entry);
    }
    uint32_t index = table_index(address, level);
    hint_add(parent, index);
    return &entries[index];
}

// The entry that maps or keeps a page at `address`, and its level; NULL if there is none.
static uint64_t *entry_find(const struct hal_pagetable *table, uint64_t address,
                            uint32_t *out_level) {
    if (address >= HAL_USER_END) {
        return NULL;
    }
    uint64_t *entries = hal_phys_to_virt(table->root);
    for (uint32_t level = LEVEL_ROOT;; level--) {
        uint64_t *entry = &entries[table_index(address, level)];
        if (*entry == 0) {
            return NULL;
        }
        if (level == LEVEL_PAGE || entry_is_block(*entry)) {
            *out_level = level;
            return entry;
        }
        entries = table_of(*entry);
    }
}

// Writes an entry, so that walks of all processors from now on find it, and this one's next access
// does (D8.16.1).
static void entry_publish(uint64_t *entry, uint64_t value) {
    __atomic_store_n(entry, value, __ATOMIC_RELEASE);
    dsb_stores();
    isb();
}

enum hx_status hal_page_map(struct hal_pagetable *table, uint64_t address, struct paddr page,
                            uint32_t shift, uint32_t flags) {
    uint32_t level = shift == PAGE_SHIFT ? LEVEL_PAGE : LEVEL_LARGE;
    uint64_t mask = (1ull << shift) - 1;
    if ((level == LEVEL_LARGE && shift != 21) || ((address | page.value) & mask) != 0 ||
        address >= HAL_USER_END || flags_are_wx(flags)) {
        return HX_ERR_INVALID;
    }
    bool clash;
    uint64_t *entry = entry_make(table, address, level, &clash);
    if (entry == NULL) {
        return clash ? HX_ERR_INVALID : HX_ERR_NO_MEMORY;
    }
    uint64_t value = page.value | entry_flags(flags | HAL_MAP_USER);
    if (level == LEVEL_LARGE) {
        if (*entry != 0 && !entry_is_block(*entry)) {
            return HX_ERR_INVALID;
        }
        value &= ~PTE_TABLE;
    }
    if (flags & HAL_MAP_EXECUTE) {
        aarch64_code_publish(hal_phys_to_virt(page), (size_t)1 << shift);
    }
    if ((*entry & PTE_VALID) && ((*entry ^ value) & PTE_ADDRESS)) {
        entry_publish(entry, 0);
        __asm__ volatile("tlbi vaae1is, %0" : : "r"(tlbi_page(address)) : "memory");
        dsb_all();
    }
    entry_publish(entry, value);
    return HX_OK;
}

bool hal_page_protect(struct hal_pagetable *table, uint64_t address, uint32_t flags) {
    uint32_t level;
    uint64_t *entry = entry_find(table, address, &level);
    if (entry == NULL || flags_are_wx(flags)) {
        return false;
    }
    uint64_t value = (*entry & PTE_ADDRESS) | entry_flags(flags | HAL_MAP_USER);
    value &= level == LEVEL_LARGE ? ~PTE_TABLE : ~0ull;
    if ((flags & HAL_MAP_EXECUTE) && (*entry & PTE_UXN)) {
        aarch64_code_publish(hal_phys_to_virt(paddr_make(value & PTE_ADDRESS)),
                             level == LEVEL_LARGE ? LARGE_BYTES : PAGE_SIZE);
    }
    entry_publish(entry, value);
    return true;
}

bool hal_page_unmap(struct hal_pagetable *table, uint64_t address, struct paddr *out_page,
                    uint32_t *out_flags) {
    uint32_t level;
    uint64_t *entry = entry_find(table, address, &level);
    if (entry == NULL) {
        return false;
    }
    const uint64_t old = *entry;
    __atomic_store_n(entry, 0, __ATOMIC_RELEASE); // the caller's flush has the barrier
    *out_page = paddr_make(old & PTE_ADDRESS);
    *out_flags = entry_rights(old);
    return true;
}

bool hal_page_query(const struct hal_pagetable *table, uint64_t address, struct paddr *out_page,
                    uint32_t *out_flags) {
    uint32_t level;
    const uint64_t *entry = entry_find(table, address, &level);
    if (entry == NULL) {
        return false;
    }
    uint64_t inside = level == LEVEL_PAGE ? 0 : address & (LARGE_BYTES - 1) & ~(uint64_t)PAGE_MASK;
    *out_page = paddr_make((*entry & PTE_ADDRESS) + inside);
    *out_flags = entry_rights(*entry);
    return true;
}

// The next used entry of the directory in `parent` from the one for *address on, whose entries are
// of `level`; moves *address to its start. False: none; *address is then behind the directory.
static bool directory_next(uint64_t parent, uint32_t level, uint64_t *address,
                           uint64_t *out_entry) {
    const uint64_t *entries = table_of(parent);
    uint64_t span = 1ull << (PAGE_SHIFT + 9 * level);
    uint64_t base = ALIGN_DOWN(*address, span * TABLE_ENTRIES);
    uint32_t start = table_index(*address, level);
    uint32_t index = MAX_OF(start, hint_first(parent));
    for (; index < hint_end(parent); index++) {
        if (entry_is_used(entries[index])) {
            if (index != start) {
                *address = base + index * span;
            }
            *out_entry = entries[index];
            return true;
        }
    }
    *address = base + span * TABLE_ENTRIES;
    return false;
}

// The same below one entry of the root, down to the last level.
static bool page_next_below(uint64_t root_entry, uint64_t *address, uint64_t end) {
    uint64_t slot_end = ALIGN_DOWN(*address, ROOT_SPAN) + ROOT_SPAN;
    end = MIN_OF(end, slot_end);
    while (*address < end) {
        uint64_t directory;
        uint64_t table;
        uint64_t page;
        if (directory_next(root_entry, LEVEL_HUGE, address, &directory) &&
            directory_next(directory, LEVEL_LARGE, address, &table) &&
            (entry_is_block(table) || directory_next(table, LEVEL_PAGE, address, &page))) {
            return true;
        }
    }
    return false;
}

uint64_t hal_page_next(const struct hal_pagetable *table, uint64_t address, uint64_t end) {
    const uint64_t *root = hal_phys_to_virt(table->root);
    uint32_t level;
    if (address < end && entry_find(table, address, &level) != NULL) {
        return address; // the usual case in a walk
    }
    while (address < end) {
        uint32_t start = (uint32_t)(address / ROOT_SPAN);
        uint32_t slot = slot_next(table, start);
        if (slot == TABLE_ENTRIES) {
            return end;
        }
        if (slot != start) {
            address = slot * ROOT_SPAN;
        }
        if (page_next_below(root[slot], &address, end)) {
            return MIN_OF(address, end);
        }
    }
    return end;
}

// All user translations have ASID 0. The table in between maps nothing, so nothing of the new one
// is fetched before what the old one left is gone (D8.16.2).
void hal_pagetable_activate(const struct hal_pagetable *table) {
    sysreg_write("ttbr0_el1", aarch64_empty_root().value);
    isb();
    hal_tlb_flush_user();
    if (table != NULL) {
        sysreg_write("ttbr0_el1", table->root.value);
        isb();
    }
}

// Stores to tables are done before the maintenance begins, and that before what follows (D8.14.5).
void hal_tlb_flush_page(uint64_t address) {
    dsb_stores();
    __asm__ volatile("tlbi vaae1, %0" : : "r"(tlbi_page(address)) : "memory");
    dsb_local();
    isb();
}

void hal_tlb_flush_user(void) {
    dsb_stores();
    __asm__ volatile("tlbi aside1, xzr" : : : "memory");
    dsb_local();
    isb();
}

void hal_tlb_flush_kernel(void) {
    dsb_stores();
    __asm__ volatile("tlbi vmalle1" : : : "memory");
    dsb_local();
    isb();
}
