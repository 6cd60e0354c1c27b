// SPDX-License-Identifier: MIT OR Apache-2.0
// selftest_guard.c: the processor keeps the kernel away from programs' pages, but for the places
// that copy. So this ends in the fault's panic, or says that there was none.
#include "selftest.h"

#include <core/log.h>
#include <hal/mmu.h>
#include <memory/selftest.h>

#define PLACE 0x400000u // the panic shows it

void memory_selftest_guard(bool is_run) {
    static struct hal_pagetable table;
    struct frame *frame = frame_alloc(MEMORY_ATOMIC, true);
    if (frame == NULL || hal_pagetable_init(&table) != HX_OK ||
        hal_page_map(&table, PLACE, frame_address(frame), PAGE_SHIFT,
                     HAL_MAP_READ | HAL_MAP_EXECUTE | HAL_MAP_USER) != HX_OK) {
        panic("selftest: no memory");
    }
    preempt_disable();
    hal_pagetable_activate(&table);
    // NOLINTBEGIN(performance-no-int-to-ptr): a program's address
    if (is_run) {
        ((void (*)(void))(uintptr_t)PLACE)();
    }
    const uint32_t value = *(const volatile uint32_t *)(uintptr_t)PLACE;
    // NOLINTEND(performance-no-int-to-ptr)
    panic("selftest: the kernel reads %u from a program's page", value);
}
