// SPDX-License-Identifier: MIT OR Apache-2.0
// hal/aarch64/abort.h: what an instruction or data abort means by its fault status code (Arm ARM,
// D17.2.37, IFSC and DFSC). Pure: its test runs on the host.
#pragma once

#include <hal/trap.h>

#define STATUS_MASK       0x3fu
#define STATUS_EXTERNAL   0x10u // synchronous external abort, not on a walk of the tables
#define STATUS_PARITY     0x18u // the same of the memory's own check
#define STATUS_ALIGNMENT  0x21u
#define STATUS_LOCKDOWN   0x34u // as the next, what the implementation does not do there
#define STATUS_EXCLUSIVE  0x35u // an exclusive or atomic access to what cannot do it: a device
#define STATUS_KIND_SHIFT 2u    // below it: the level, for the first four kinds
#define KIND_ADDRESS      0u
#define KIND_TRANSLATION  1u
#define KIND_ACCESS_FLAG  2u
#define KIND_PERMISSION   3u

// Translation, access flag, permission: faults that a page's mapping explains. Who touches what
// does not answer has an error of its own; what went wrong in a table is the kernel's.
static inline enum hal_fault_kind abort_kind(uint32_t status) {
    switch (status >> STATUS_KIND_SHIFT) {
    case KIND_TRANSLATION:
    case KIND_ACCESS_FLAG:
    case KIND_PERMISSION:
        return HAL_FAULT_PAGE;
    case KIND_ADDRESS:
        return HAL_FAULT_PROTECTION; // an address that no table reaches
    }
    switch (status) {
    case STATUS_ALIGNMENT:
        return HAL_FAULT_ALIGNMENT;
    case STATUS_EXTERNAL:
    case STATUS_PARITY:
    case STATUS_LOCKDOWN:
    case STATUS_EXCLUSIVE:
        return HAL_FAULT_BUS;
    default:
        return HAL_FAULT_FATAL;
    }
}
