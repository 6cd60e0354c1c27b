// SPDX-License-Identifier: MIT OR Apache-2.0
// selftest_map.c: what the machine refuses to map into the kernel half (<hal/mmu.h>).
#include "selftest.h"

static bool test_refusals(void) {
    const uint32_t flags = HAL_MAP_READ | HAL_MAP_WRITE;
    const uint64_t at = HAL_VMAP_BASE;
    struct frame *frame = frame_alloc(MEMORY_SLEEP, false);
    CHECK(frame != NULL);
    const struct paddr page = frame_address(frame);
    const struct paddr odd = paddr_make(page.value + 8);
    CHECK(hal_kernel_map(at, page, flags | HAL_MAP_USER) == HX_ERR_INVALID);
    CHECK(hal_kernel_map(at, page, flags | HAL_MAP_EXECUTE) == HX_ERR_INVALID);
    CHECK(hal_kernel_map(at + 8, page, flags) == HX_ERR_INVALID);
    CHECK(hal_kernel_map(at, odd, flags) == HX_ERR_INVALID);
    CHECK(hal_kernel_map(at - PAGE_SIZE, page, flags) == HX_ERR_INVALID);
    CHECK(hal_kernel_map(HAL_VMAP_END, page, flags) == HX_ERR_INVALID);
    frame_put(frame);
    return true;
}

const struct memtest memtest_maps[] = {
    { "kernel map refuses", test_refusals },
    { NULL, NULL },
};
