// SPDX-License-Identifier: MIT OR Apache-2.0
// hal/x86_64/pagetable.c: the user half of page tables. The owner's lock serialises the calls on
// one table; the processor may set accessed and dirty bits meanwhile, so rights change by exchange.
#include "pagetable.h"

#define ROOT_USER_ENTRIES 256u
#define ROOT_SPAN         (1ull << 39) // of one entry

static void slot_mark(struct hal_pagetable *table, uint32_t slot) {
    table->slots[slot / 64] |= 1ull << (slot % 64);
}

// The first used entry >= `slot` of the root's user half; ROOT_USER_ENTRIES if there is none.
static uint32_t slot_next(const struct hal_pagetable *table, uint32_t slot) {
    while (slot < ROOT_USER_ENTRIES) {
        uint64_t word = table->slots[slot / 64] >> (slot % 64);
        if (word != 0) {
            return slot + (uint32_t)__builtin_ctzll(word);
        }
        slot = ALIGN_DOWN(slot, 64u) + 64;
    }
    return ROOT_USER_ENTRIES;
}

enum hx_status hal_pagetable_init(struct hal_pagetable *table) {
    struct paddr root = x86_table_page_alloc();
    if (root.value == 0) {
        return HX_ERR_NO_MEMORY;
    }
    x86_kernel_half_copy(hal_phys_to_virt(root));
    *table = (struct hal_pagetable){ .root = root, .pages = 1 };
    return HX_OK;
}

// Frees the tables that the directory in `entry` points at, and itself. `level` is the level of the
// directory's entries.
static void directory_free(uint64_t entry, uint32_t level) {
    const uint64_t *directory = table_of(entry);
    for (uint32_t i = hint_first(entry); i < hint_end(entry); i++) {
        uint64_t below = directory[i];
        if (!(below & PTE_PRESENT) || (below & PTE_LARGE)) {
            continue;
        }
        if (level == LEVEL_LARGE) {
            x86_table_page_free(paddr_make(below & PTE_ADDRESS));
        } else {
            directory_free(below, level - 1);
        }
    }
    x86_table_page_free(paddr_make(entry & PTE_ADDRESS));
}

void hal_pagetable_fini(struct hal_pagetable *table) {
    const uint64_t *root = hal_phys_to_virt(table->root);
    for (uint32_t slot = slot_next(table, 0); slot < ROOT_USER_ENTRIES;
         slot = slot_next(table, slot + 1)) {
        directory_free(root[slot], LEVEL_HUGE);
    }
    x86_table_page_free(table->root);
    *table = (struct hal_pagetable){ 0 };
}

// The entry of `level` for `address`, tables made as needed. NULL: no memory, or (*out_clash) a
// large page is in the way.
static uint64_t *entry_make(struct hal_pagetable *table, uint64_t address, uint32_t level,
                            bool *out_clash) {
    uint64_t *entries = hal_phys_to_virt(table->root);
    uint64_t *parent = NULL;
    *out_clash = false;
    for (uint32_t at = LEVEL_ROOT; at > level; at--) {
        uint32_t index = table_index(address, at);
        uint64_t *entry = &entries[index];
        if (*entry == 0) {
            struct paddr page = x86_table_page_alloc();
            if (page.value == 0) {
                return NULL;
            }
            table->pages++;
            *entry = page.value | HINT_EMPTY | PTE_PRESENT | PTE_WRITE | PTE_USER;
            if (parent != NULL) {
                hint_add(parent, index);
            } else {
                slot_mark(table, index);
            }
        } else if (*entry & PTE_LARGE) {
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
        if (!entry_is_used(*entry)) {
            return NULL;
        }
        if (level == LEVEL_PAGE || (*entry & PTE_LARGE)) {
            *out_level = level;
            return entry;
        }
        entries = table_of(*entry);
    }
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
        if (entry_is_used(*entry) && !(*entry & PTE_LARGE)) {
            return HX_ERR_INVALID;
        }
        value |= PTE_LARGE;
    }
    __atomic_store_n(entry, value, __ATOMIC_RELEASE);
    return HX_OK;
}

bool hal_page_protect(struct hal_pagetable *table, uint64_t address, uint32_t flags) {
    uint32_t level;
    uint64_t *entry = entry_find(table, address, &level);
    if (entry == NULL || flags_are_wx(flags)) {
        return false;
    }
    const uint64_t keep = PTE_ADDRESS | PTE_ACCESSED | PTE_DIRTY | PTE_LARGE;
    uint64_t old = __atomic_load_n(entry, __ATOMIC_RELAXED);
    uint64_t value;
    do {
        value = (old & keep) | entry_flags(flags | HAL_MAP_USER);
    } while (!__atomic_compare_exchange_n(entry, &old, value, false, __ATOMIC_ACQ_REL,
                                          __ATOMIC_RELAXED));
    return true;
}

bool hal_page_unmap(struct hal_pagetable *table, uint64_t address, struct paddr *out_page,
                    uint32_t *out_flags) {
    uint32_t level;
    uint64_t *entry = entry_find(table, address, &level);
    if (entry == NULL) {
        return false;
    }
    uint64_t old = __atomic_exchange_n(entry, 0, __ATOMIC_ACQ_REL);
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
            ((table & PTE_LARGE) || directory_next(table, LEVEL_PAGE, address, &page))) {
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
        if (slot == ROOT_USER_ENTRIES) {
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

void hal_pagetable_activate(const struct hal_pagetable *table) {
    cr3_write(table != NULL ? table->root.value : x86_kernel_root().value);
}

void hal_tlb_flush_page(uint64_t address) {
    __asm__ volatile("invlpg (%0)" : : "r"(address) : "memory");
}

void hal_tlb_flush_user(void) {
    cr3_write(cr3_read());
}

// Changing CR4.PGE flushes everything (SDM 3A 4.10.4.1).
void hal_tlb_flush_kernel(void) {
    unsigned long state = hal_irq_save();
    uint64_t cr4 = cr4_read();
    cr4_write(cr4 & ~(uint64_t)CR4_PGE);
    cr4_write(cr4);
    hal_irq_restore(state);
}
