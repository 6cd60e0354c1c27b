// SPDX-License-Identifier: MIT OR Apache-2.0
// <hal/mmu.h>: page tables. Policy (what is mapped where, and who must flush) is above.
//
// A page table maps the user half; the kernel half is one and the same in all of them. Calls on one
// page table are serialised by its owner's lock (a spin lock, so nothing here sleeps); processors
// that have it active walk it meanwhile and may set accessed and dirty bits. The kernel half has a
// lock of its own inside, taken with interrupts off.
//
// After a page is unmapped, or loses rights, other processors may use the old translation until the
// caller flushed it there (<core/aspace.h>); a page that is mapped for the first time, or gains
// rights, is seen by them at the latest after one needless fault. W^X is kept: a mapping that is
// both writable and executable is refused with HX_ERR_INVALID. Machine's part: <hal_arch/layout.h>.
#pragma once

#include <boot/boot_info.h>
#include <helix/types.h>

// The machine's part defines:
//   struct hal_pagetable     the root, and what helps to walk it; `pages`: how many its tables
//   take,
//                            the root's included; all zero bits: no table
//   HAL_USER_END             user addresses are 0 … HAL_USER_END - 1; a multiple of a page;
//   constant
//                            from hal_mmu_init() on, and perhaps no constant expression
//   HAL_USER_LAYOUT_END      HAL_USER_END at most, a multiple of a page: where a program that does
//                            not ask for a place has all it maps. Programs keep bits of their own
//                            above those of such addresses
//   HAL_DIRECT_BASE          where physical address 0 is in the direct map
//   HAL_DIRECT_END           its last address, or one behind: memory beyond is not used
//   HAL_VMAP_BASE, HAL_VMAP_END  the kernel half's range for hal_kernel_map(), 1 GiB at least
#include <hal_arch/layout.h>

// The end of that range is for code that is added while the system runs, and its data: modules. A
// fault there is a module's (<hal/gate.h>).
#define HAL_MODULES_BYTES ((uint64_t)64 << 20)
#define HAL_MODULES_BASE  (HAL_VMAP_END - HAL_MODULES_BYTES)

#define HAL_MAP_READ     (1u << 0)
#define HAL_MAP_WRITE    (1u << 1)
#define HAL_MAP_EXECUTE  (1u << 2)
#define HAL_MAP_USER     (1u << 3)
#define HAL_MAP_UNCACHED (1u << 4) // device registers: not cached, not combined, not reordered
#define HAL_MAP_ACCESSED (1u << 5) // query only
#define HAL_MAP_DIRTY    (1u << 6) // query only

// Where page-table pages come from; owned by memory. `alloc` gives a zeroed page, or value 0 if
// there is none; `free` takes it back. Both may be called with spin locks held and interrupts off,
// and do not sleep. `alloc_block` gives zeroed pages behind each other, of a size that is a power
// of two and at a multiple of it, for good; value 0: there are none, or only early ones.
struct hal_page_ops {
    struct paddr (*alloc)(void);
    void (*free)(struct paddr page);
    struct paddr (*alloc_block)(size_t size_bytes);
};
// Sets them (a copy): before hal_mmu_init() to early ones, and again when the frame allocator is
// up. Boot context.
void hal_page_ops_set(const struct hal_page_ops *ops);

// Builds and activates the final kernel tables: direct map of all usable, ACPI and initrd memory
// (never executable), image sections with exactly their rights; the low identity map is gone. Keeps
// `info`. Boot context, interrupts off, once.
// Returns HX_OK, HX_ERR_NO_MEMORY
enum hx_status hal_mmu_init(const struct boot_info *info);

// The direct map; valid for memory that boot_info lists as usable or ACPI. Any context.
static inline void *hal_phys_to_virt(struct paddr address) {
    return (void *)(uintptr_t)(address.value + HAL_DIRECT_BASE);
}
// The way back, for addresses in the direct map only. Any context.
static inline struct paddr hal_virt_to_phys(const void *address) {
    return paddr_make((uint64_t)(uintptr_t)address - HAL_DIRECT_BASE);
}

// ---- the user half
// -------------------------------------------------------------------------------
//
// Callers hold the owner's lock. Addresses are user addresses.

// Makes an empty user half in the caller's storage. Returns HX_OK or HX_ERR_NO_MEMORY.
enum hx_status hal_pagetable_init(struct hal_pagetable *table);
// Frees all table pages. Needs: active on no processor; what it maps is the caller's to release.
void hal_pagetable_fini(struct hal_pagetable *table);

// Maps one page of 1 << shift bytes (PAGE_SHIFT or 21) at `address`, replacing what is there of the
// same size; HAL_MAP_USER is implied. What the caller wrote to the page before is visible to
// whoever reaches it through the mapping. The caller flushes if something was mapped before.
// Returns HX_OK
//         HX_ERR_NO_MEMORY
//         HX_ERR_INVALID    alignment, not a user address, W and X, another size is mapped there
enum hx_status hal_page_map(struct hal_pagetable *table, uint64_t address, struct paddr page,
                            uint32_t shift, uint32_t flags);
// Changes the rights of a mapped page; accessed and dirty bits stay, even if a processor sets them
// meanwhile. False if nothing is mapped there, or for W and X. The caller flushes.
bool hal_page_protect(struct hal_pagetable *table, uint64_t address, uint32_t flags);
// Unmaps the page at `address`; gives what was mapped with the last accessed and dirty bits; false
// if nothing was. Keeps table pages. The caller flushes, and then may give the page to others.
bool hal_page_unmap(struct hal_pagetable *table, uint64_t address, struct paddr *out_page,
                    uint32_t *out_flags);
// What is mapped at `address`: the page of PAGE_SIZE that it lies in (inside a large one too), and
// its HAL_MAP_ flags. False if nothing is.
bool hal_page_query(const struct hal_pagetable *table, uint64_t address, struct paddr *out_page,
                    uint32_t *out_flags);
// The first address >= `address` and < `end` at which a page is mapped, so that sparse ranges are
// walked fast; `end` if there is none.
uint64_t hal_page_next(const struct hal_pagetable *table, uint64_t address, uint64_t end);

// ---- translations of this processor
// --------------------------------------------------------------

// Makes it this processor's user half; no translation of the one before is used any more. NULL: the
// kernel's own, no user half. Interrupts off, or the boot processor before there are threads.
void hal_pagetable_activate(const struct hal_pagetable *table);

// Forgets this processor's translation of the page at `address`, in either half. Like the next two:
// earlier stores to page tables by this processor count; preemption off.
void hal_tlb_flush_page(uint64_t address);
// Forgets those of the active user half.
void hal_tlb_flush_user(void);
// Forgets all, the kernel half's included.
void hal_tlb_flush_kernel(void);

// ---- the kernel half
// -----------------------------------------------------------------------------

// Maps one page of PAGE_SIZE at `address`, HAL_VMAP_BASE … HAL_VMAP_END, for all processors; the
// caller manages the addresses, does not map over what is mapped, and uses none of it before it
// called hal_kernel_publish(). Thread or boot context.
// Returns HX_OK
//         HX_ERR_NO_MEMORY
//         HX_ERR_INVALID    alignment, outside the range, W and X, HAL_MAP_USER
enum hx_status hal_kernel_map(uint64_t address, struct paddr page, uint32_t flags);
// Ends a row of hal_kernel_map(), of any length: from here on all processors find what is mapped
// from `address` on, `size_bytes` of it. What was written to a page before it was mapped executable
// is what every processor fetches there once it has taken an interrupt. Thread or boot context.
void hal_kernel_publish(uint64_t address, size_t size_bytes);
// How often other processors were interrupted since boot, because the kernel half had more in it
// than before: 0 where they look by themselves. Any context.
uint64_t hal_kernel_announced(void);
// Unmaps the page at `address` and gives it; false if there is none. The caller flushes on all
// processors before it uses the address or the page again. Thread or boot context.
bool hal_kernel_unmap(uint64_t address, struct paddr *out_page);
