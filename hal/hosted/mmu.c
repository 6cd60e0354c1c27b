// SPDX-License-Identifier: MIT OR Apache-2.0
// hal/hosted/mmu.c: the kernel half: the direct map, which boot mapped, and a window in which the
// host shows single pages of the same memory again.
//
// What is unmapped is gone at once, on all processors: stricter than a real machine.
#include "machine.h"

#include <boot_arch/settings.h>

#define WINDOW_PAGES (HOSTED_VMAP_BYTES >> PAGE_SHIFT)

uint64_t hosted_direct_base;
uint64_t hosted_direct_end;
uint64_t hosted_vmap_base;

static struct hal_page_ops page_ops;
static _Atomic uint64_t window[WINDOW_PAGES]; // physical address | 1 of what is mapped; 0: nothing

void hal_page_ops_set(const struct hal_page_ops *ops) {
    page_ops = *ops;
}

struct paddr table_page_alloc(void) {
    return page_ops.alloc();
}

void table_page_free(struct paddr page) {
    page_ops.free(page);
}

enum hx_status hal_mmu_init(const struct boot_info *info) {
    (void)info;
    hosted_vmap_base = (uint64_t)(uintptr_t)host_reserve(HOSTED_VMAP_BYTES);
    return hosted_vmap_base != 0 ? HX_OK : HX_ERR_NO_MEMORY;
}

static _Atomic uint64_t *window_entry(uint64_t address) {
    return address >= HAL_VMAP_BASE && address < HAL_VMAP_END
               ? &window[(address - HAL_VMAP_BASE) >> PAGE_SHIFT]
               : NULL;
}

enum hx_status hal_kernel_map(uint64_t address, struct paddr page, uint32_t flags) {
    _Atomic uint64_t *entry = window_entry(address);
    if (entry == NULL || ((address | page.value) & PAGE_MASK) != 0 ||
        page.value >= hosted_settings.memory_bytes || (flags & (HAL_MAP_EXECUTE | HAL_MAP_USER))) {
        return HX_ERR_INVALID;
    }
    if (!host_map(address, page.value, (flags & HAL_MAP_WRITE) != 0)) {
        return HX_ERR_NO_MEMORY;
    }
    atomic_store_explicit(entry, page.value | 1, memory_order_relaxed);
    return HX_OK;
}

// The host maps for all of its threads at once.
void hal_kernel_publish(uint64_t address, size_t size_bytes) {
    (void)address;
    (void)size_bytes;
}

uint64_t hal_kernel_announced(void) {
    return 0;
}

bool hal_kernel_unmap(uint64_t address, struct paddr *out_page) {
    _Atomic uint64_t *entry = window_entry(address);
    uint64_t value = entry == NULL ? 0 : atomic_exchange_explicit(entry, 0, memory_order_relaxed);
    if (value == 0) {
        return false;
    }
    host_unmap(address);
    *out_page = paddr_make(value - 1);
    return true;
}
