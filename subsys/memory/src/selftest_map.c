// SPDX-License-Identifier: MIT OR Apache-2.0
// selftest_map.c: what the machine refuses to map into the kernel half, and how often the other
// processors are interrupted for what it does map (<hal/mmu.h>).
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

#define AREA_BYTES ((size_t)64 * PAGE_SIZE)

// Whoever needs them asks for as many interrupts for an area as for a page.
static bool test_announced_once(void) {
    const uint64_t before = hal_kernel_announced();
    uint8_t *area = kernel_map_alloc(AREA_BYTES);
    CHECK(area != NULL);
    const uint64_t mapped = hal_kernel_announced();
    kernel_map_free(area, AREA_BYTES);
    area = kernel_module_alloc(AREA_BYTES);
    CHECK(area != NULL);
    const uint64_t module = hal_kernel_announced();
    const enum hx_status status =
        kernel_module_protect(area, AREA_BYTES, HAL_MAP_READ | HAL_MAP_EXECUTE);
    const uint64_t code = hal_kernel_announced();
    kernel_map_free(area, AREA_BYTES);
    log_info("selftest: memory: announced: %lu, %lu for code", (unsigned long)(mapped - before),
             (unsigned long)(code - module));
    CHECK(status == HX_OK || status == HX_ERR_INVALID); // the hosted machine maps no code
    CHECK(mapped - before <= 1 && code - module <= 2);
    return true;
}

const struct memtest memtest_maps[] = {
    { "kernel map refuses", test_refusals },
    { "areas are announced once", test_announced_once },
    { NULL, NULL },
};
