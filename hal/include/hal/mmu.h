// SPDX-License-Identifier: MIT OR Apache-2.0
// <hal/mmu.h>: page tables. Policy (what is mapped where, and who must flush) is above.
//
// A page table maps the user half; the kernel half is one and the same in all of them. Calls on one
// page table are serialised by its owner's lock; the kernel half has a lock of its own inside.
// W^X is kept: a mapping that is both writable and executable is refused with HX_ERR_INVALID.
#pragma once

#include <boot/boot_info.h>
#include <helix/types.h>

#include <hal_arch/layout.h> // HAL_USER_END, HAL_DIRECT_BASE, HAL_VMAP_BASE, HAL_VMAP_END

#define HAL_MAP_READ     (1u << 0)
#define HAL_MAP_WRITE    (1u << 1)
#define HAL_MAP_EXECUTE  (1u << 2)
#define HAL_MAP_USER     (1u << 3)
#define HAL_MAP_UNCACHED (1u << 4)
#define HAL_MAP_ACCESSED (1u << 5) // query only
#define HAL_MAP_DIRTY    (1u << 6) // query only

// Where page-table pages come from; owned by memory, set before hal_mmu_init() (an early one) and
// again when the frame allocator is up. `alloc` returns a zeroed page, or value 0 if there is none;
// it may be called with spin locks held and must not sleep.
struct hal_page_ops {
    struct paddr (*alloc)(void);
    void (*free)(struct paddr page);
};
void hal_page_ops_set(const struct hal_page_ops *ops);

struct hal_pagetable {
    struct paddr root;
    uint64_t slots[4]; // hal's: which entries of the root's user half are in use
};

// Builds and activates the final kernel tables: direct map of all usable, ACPI and initrd memory
// (never executable), image sections with exactly their rights; the low identity map is gone.
enum hx_status hal_mmu_init(const struct boot_info *info);

// The direct map; valid for memory that boot_info lists as usable or ACPI.
static inline void *hal_phys_to_virt(struct paddr address) {
    return (void *)(uintptr_t)(address.value + HAL_DIRECT_BASE);
}
static inline struct paddr hal_virt_to_phys(const void *address) { // of the direct map only
    return paddr_make((uint64_t)(uintptr_t)address - HAL_DIRECT_BASE);
}

// An empty user half. Returns HX_OK or HX_ERR_NO_MEMORY.
enum hx_status hal_pagetable_init(struct hal_pagetable *table);
// Frees all table pages. Needs: active on no processor; what it maps is the caller's to release.
void hal_pagetable_fini(struct hal_pagetable *table);

// Maps one page of 1 << shift bytes (12 or 21) at `address`, replacing what is there of the same
// size. The caller flushes if something was mapped before.
// Returns HX_OK, HX_ERR_NO_MEMORY, HX_ERR_INVALID (alignment, half, W and X, size clash).
enum hx_status hal_page_map(struct hal_pagetable *table, uint64_t address, struct paddr page,
                            uint32_t shift, uint32_t flags);
// Changes the rights of a mapped page; false if nothing is mapped there. The caller flushes.
bool hal_page_protect(struct hal_pagetable *table, uint64_t address, uint32_t flags);
// Unmaps; gives what was mapped; false if nothing was. Keeps table pages. The caller flushes.
bool hal_page_unmap(struct hal_pagetable *table, uint64_t address, struct paddr *out_page,
                    uint32_t *out_flags);
// What is mapped at `address`; false if nothing is.
bool hal_page_query(const struct hal_pagetable *table, uint64_t address, struct paddr *out_page,
                    uint32_t *out_flags);
// The first address >= `address` and < `end` at which a page is mapped, so that sparse ranges are
// walked fast; `end` if there is none.
uint64_t hal_page_next(const struct hal_pagetable *table, uint64_t address, uint64_t end);

// Makes it this processor's user half. NULL: the kernel's own, no user half. Interrupts off.
void hal_pagetable_activate(const struct hal_pagetable *table);

// This processor's translations only; shoot-down is core's (<core/aspace.h>).
void hal_tlb_flush_page(uint64_t address);
void hal_tlb_flush_user(void);   // all of the active user half
void hal_tlb_flush_kernel(void); // all, global ones included

// The kernel half, HAL_VMAP_BASE … HAL_VMAP_END. Pages of 4 KiB; the caller manages the addresses.
// Thread or boot context; unmapping needs a shoot-down by the caller before reuse.
enum hx_status hal_kernel_map(uint64_t address, struct paddr page, uint32_t flags);
bool hal_kernel_unmap(uint64_t address, struct paddr *out_page);
