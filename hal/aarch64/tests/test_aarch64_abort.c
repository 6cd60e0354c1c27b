// SPDX-License-Identifier: MIT OR Apache-2.0
// What aborts are called: each fault status code of the Arm ARM's table, and those that it
// reserves.
#include "../abort.h"

#include "check.h"

static bool is_one_of(uint32_t status, const uint8_t *list, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        if (list[i] == status) {
            return true;
        }
    }
    return false;
}

// A program may bring about those of its own accesses, so these must never end the machine.
static void test_each(void) {
    static const uint8_t bus[] = { 0x10, 0x18, 0x34, 0x35 };
    for (uint32_t status = 0; status <= STATUS_MASK; status++) {
        const enum hal_fault_kind expected = status < 0x04    ? HAL_FAULT_PROTECTION
                                             : status < 0x10  ? HAL_FAULT_PAGE
                                             : status == 0x21 ? HAL_FAULT_ALIGNMENT
                                             : is_one_of(status, bus, sizeof(bus))
                                                 ? HAL_FAULT_BUS
                                                 : HAL_FAULT_FATAL;
        CHECK(abort_kind(status) == expected);
    }
}

int main(void) {
    test_each();
    return check_result();
}
