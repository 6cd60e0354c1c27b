// SPDX-License-Identifier: MIT OR Apache-2.0
// hal/aarch64/regs.h: system registers and barriers (Arm ARM DDI 0487, chapters C5 and D17). Any
// context; nothing is checked.
#pragma once

#include <helix/types.h>

#define sysreg_read(name)                                                                          \
    ({                                                                                             \
        uint64_t value_;                                                                           \
        __asm__ volatile("mrs %0, " name : "=r"(value_) : : "memory");                             \
        value_;                                                                                    \
    })
#define sysreg_write(name, value)                                                                  \
    __asm__ volatile("msr " name ", %0" : : "r"((uint64_t)(value)) : "memory")

// GICv3's processor interface, by encoding, since the assembler takes the names for an extension.
#define ICC_PMR_EL1     "S3_0_C4_C6_0"
#define ICC_IAR0_EL1    "S3_0_C12_C8_0"
#define ICC_EOIR0_EL1   "S3_0_C12_C8_1"
#define ICC_SGI0R_EL1   "S3_0_C12_C11_7"
#define ICC_SGI1R_EL1   "S3_0_C12_C11_5"
#define ICC_IAR1_EL1    "S3_0_C12_C12_0"
#define ICC_EOIR1_EL1   "S3_0_C12_C12_1"
#define ICC_CTLR_EL1    "S3_0_C12_C12_4"
#define ICC_SRE_EL1     "S3_0_C12_C12_5"
#define ICC_IGRPEN0_EL1 "S3_0_C12_C12_6"
#define ICC_IGRPEN1_EL1 "S3_0_C12_C12_7"

#define RNDR "S3_3_C2_C4_0"

// Later instructions see what earlier ones did to the processor's state (B2.3.12, D17.1).
static inline void isb(void) {
    __asm__ volatile("isb" : : : "memory");
}

// Stores before it, to page tables too, are done for all processors and table walks (D8.16,
// B2.3.11).
static inline void dsb_stores(void) {
    __asm__ volatile("dsb ishst" : : : "memory");
}

// All accesses and maintenance before it are done, for all processors.
static inline void dsb_all(void) {
    __asm__ volatile("dsb ish" : : : "memory");
}

// The same for this processor's own maintenance (TLBI without IS).
static inline void dsb_local(void) {
    __asm__ volatile("dsb nsh" : : : "memory");
}

// Device memory: one access each, in program order within a device (nGnRE).
static inline uint32_t mmio_read32(const volatile void *address) {
    uint32_t value;
    __asm__ volatile("ldr %w0, [%1]" : "=r"(value) : "r"(address) : "memory");
    return value;
}

static inline void mmio_write32(volatile void *address, uint32_t value) {
    __asm__ volatile("str %w0, [%1]" : : "r"(value), "r"(address) : "memory");
}

static inline uint8_t mmio_read8(const volatile void *address) {
    uint32_t value;
    __asm__ volatile("ldrb %w0, [%1]" : "=r"(value) : "r"(address) : "memory");
    return (uint8_t)value;
}

static inline void mmio_write8(volatile void *address, uint8_t value) {
    __asm__ volatile("strb %w0, [%1]" : : "r"((uint32_t)value), "r"(address) : "memory");
}

static inline uint16_t mmio_read16(const volatile void *address) {
    uint32_t value;
    __asm__ volatile("ldrh %w0, [%1]" : "=r"(value) : "r"(address) : "memory");
    return (uint16_t)value;
}

static inline void mmio_write16(volatile void *address, uint16_t value) {
    __asm__ volatile("strh %w0, [%1]" : : "r"((uint32_t)value), "r"(address) : "memory");
}

static inline uint64_t mmio_read64(const volatile void *address) {
    uint64_t value;
    __asm__ volatile("ldr %0, [%1]" : "=r"(value) : "r"(address) : "memory");
    return value;
}

static inline void mmio_write64(volatile void *address, uint64_t value) {
    __asm__ volatile("str %0, [%1]" : : "r"(value), "r"(address) : "memory");
}
