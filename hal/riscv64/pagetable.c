// SPDX-License-Identifier: MIT OR Apache-2.0
// hal/riscv64/pagetable.c: the user half of page tables. The owner's lock serialises the calls on
// one table; other harts walk it meanwhile, so each entry changes by one store.
//
// An entry that becomes valid, be it of a page or of a table, needs no fence: a hart that still
// keeps that it was not faults, and forgets that on the way back (trap.c). The rest is the caller's
// flush.
#include "pagetable.h"

enum hx_status hal_pagetable_init(struct hal_pagetable *table) {
    struct paddr root = riscv64_table_page_alloc();
    if (root.value == 0) {
        return HX_ERR_NO_MEMORY;
    }
    riscv64_kernel_half_copy(hal_phys_to_virt(root));
    *table = (struct hal_pagetable){ .root = root, .pages = 1 };
    return HX_OK;
}

// Frees the tables that the first `count` of a table's entries lead to. `level` is that of the
// entries.
static void tables_free(const uint64_t *entries, uint32_t count, uint32_t level) {
    for (uint32_t i = 0; i < count; i++) {
        if (entries[i] == 0 || entry_is_block(entries[i])) {
            continue;
        }
        if (level > LEVEL_LARGE) {
            tables_free(table_of(entries[i]), TABLE_ENTRIES, level - 1);
        }
        riscv64_table_page_free(entry_page(entries[i]));
    }
}

void hal_pagetable_fini(struct hal_pagetable *table) {
    tables_free(hal_phys_to_virt(table->root), ROOT_USER_ENTRIES, riscv64_root_level);
    riscv64_table_page_free(table->root);
    *table = (struct hal_pagetable){ 0 };
}

// The entry of `level` for `address`, tables made as needed. NULL: no memory, or (*out_clash) a
// large page is in the way. A new table's zeros are seen before the entry that leads there.
static uint64_t *entry_make(struct hal_pagetable *table, uint64_t address, uint32_t level,
                            bool *out_clash) {
    uint64_t *entries = hal_phys_to_virt(table->root);
    *out_clash = false;
    for (uint32_t at = riscv64_root_level; at > level; at--) {
        uint64_t *entry = &entries[table_index(address, at)];
        if (*entry == 0) {
            struct paddr page = riscv64_table_page_alloc();
            if (page.value == 0) {
                return NULL;
            }
            table->pages++;
            __atomic_store_n(entry, entry_make_for(page) | PTE_VALID, __ATOMIC_RELEASE);
        } else if (entry_is_block(*entry)) {
            *out_clash = true;
            return NULL;
        }
        entries = table_of(*entry);
    }
    return &entries[table_index(address, level)];
}

// The entry that maps or keeps a page at `address`, and its level; NULL if there is none.
static uint64_t *entry_find(const struct hal_pagetable *table, uint64_t address,
                            uint32_t *out_level) {
    if (address >= HAL_USER_END) {
        return NULL;
    }
    uint64_t *entries = hal_phys_to_virt(table->root);
    for (uint32_t level = riscv64_root_level;; level--) {
        uint64_t *entry = &entries[table_index(address, level)];
        if (*entry == 0) {
            return NULL;
        }
        if (entry_is_block(*entry)) {
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
    if (*entry != 0 && !entry_is_block(*entry)) {
        return HX_ERR_INVALID;
    }
    if (flags & HAL_MAP_EXECUTE) {
        code_publish(table->root);
    }
    __atomic_store_n(entry, entry_make_for(page) | entry_flags(flags | HAL_MAP_USER),
                     __ATOMIC_RELEASE);
    return HX_OK;
}

bool hal_page_protect(struct hal_pagetable *table, uint64_t address, uint32_t flags) {
    uint32_t level;
    uint64_t *entry = entry_find(table, address, &level);
    if (entry == NULL || flags_are_wx(flags)) {
        return false;
    }
    if ((flags & HAL_MAP_EXECUTE) && !(*entry & PTE_EXECUTE)) {
        code_publish(table->root);
    }
    __atomic_store_n(entry, (*entry & PTE_ADDRESS) | entry_flags(flags | HAL_MAP_USER),
                     __ATOMIC_RELEASE);
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
    __atomic_store_n(entry, 0, __ATOMIC_RELEASE); // the caller's flush has the fence
    *out_page = entry_page(old);
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
    *out_page = paddr_make(entry_page(*entry).value + inside);
    *out_flags = entry_rights(*entry);
    return true;
}

// Moves *address to the first page that is mapped from there on, as far as the table reaches, whose
// entries are of `level`. False: none below `end`; *address is behind the table, or `end` or more.
static bool page_next(const uint64_t *entries, uint32_t level, uint64_t *address, uint64_t end) {
    const uint64_t span = 1ull << (PAGE_SHIFT + 9 * level);
    for (uint32_t i = table_index(*address, level); i < TABLE_ENTRIES && *address < end; i++) {
        if (entry_is_block(entries[i])) {
            return true;
        }
        if (entries[i] == 0) {
            *address = ALIGN_DOWN(*address, span) + span;
        } else if (page_next(table_of(entries[i]), level - 1, address, end)) {
            return true;
        }
    }
    return false;
}

uint64_t hal_page_next(const struct hal_pagetable *table, uint64_t address, uint64_t end) {
    end = MIN_OF(end, HAL_USER_END);
    return address < end &&
                   page_next(hal_phys_to_virt(table->root), riscv64_root_level, &address, end)
               ? address
               : end;
}

// All programs have address space 0, so what the table before left is forgotten: the fence comes
// behind the write (privileged ISA, 4.2.1).
void hal_pagetable_activate(const struct hal_pagetable *table) {
    const struct paddr root = table != NULL ? table->root : riscv64_kernel_root();
    csr_write("satp", riscv64_satp(root));
    sfence_user();
    code_activated(root);
}

// Earlier stores to tables are seen by the walks behind the fence (4.2.1).
void hal_tlb_flush_page(uint64_t address) {
    sfence_page(address);
}

void hal_tlb_flush_user(void) {
    sfence_user();
}

void hal_tlb_flush_kernel(void) {
    sfence_all();
}
