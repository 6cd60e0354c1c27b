// SPDX-License-Identifier: MIT OR Apache-2.0
// hal/riscv64/regs.h: CSRs, fences and device memory (RISC-V privileged ISA 20211203, unprivileged
// ISA 20191213). Any context; nothing is checked.
#pragma once

#include <helix/types.h>

#define csr_read(name)                                                                             \
    ({                                                                                             \
        uint64_t value_;                                                                           \
        __asm__ volatile("csrr %0, " name : "=r"(value_) : : "memory");                            \
        value_;                                                                                    \
    })
#define csr_write(name, value)                                                                     \
    __asm__ volatile("csrw " name ", %0" : : "r"((uint64_t)(value)) : "memory")
#define csr_set(name, bits)                                                                        \
    __asm__ volatile("csrs " name ", %0" : : "r"((uint64_t)(bits)) : "memory")
#define csr_clear(name, bits)                                                                      \
    __asm__ volatile("csrc " name ", %0" : : "r"((uint64_t)(bits)) : "memory")

#define STIMECMP "0x14d" // Sstc, which the assembler takes for an extension

// Bits of sie and sip (4.1.3), and the causes of interrupts.
#define INTERRUPT_SOFTWARE 1u
#define INTERRUPT_TIMER    5u
#define INTERRUPT_EXTERNAL 9u

// sstatus (4.1.1).
#define SSTATUS_SUM (1ull << 18)
#define SSTATUS_MXR (1ull << 19)

// All of this hart's translations, but those of global entries, of address space 0 (4.2.1: rs2 is a
// register that holds 0).
static inline void sfence_user(void) {
    __asm__ volatile("sfence.vma zero, %0" : : "r"(0ul) : "memory");
}

static inline void sfence_all(void) {
    __asm__ volatile("sfence.vma" : : : "memory");
}

// In all address spaces.
static inline void sfence_page(uint64_t address) {
    __asm__ volatile("sfence.vma %0" : : "r"(address) : "memory");
}

// What this hart fetches from here on is what was written before (unprivileged ISA, chapter 3).
static inline void fence_i(void) {
    __asm__ volatile("fence.i" : : : "memory");
}

static inline void fence_all(void) {
    __asm__ volatile("fence iorw, iorw" : : : "memory");
}

// Device memory: one access each, in program order (2.7: I and O).
static inline uint32_t mmio_read32(const volatile void *address) {
    uint32_t value;
    __asm__ volatile("fence io, io\n\tlwu %0, (%1)" : "=r"(value) : "r"(address) : "memory");
    return value;
}

static inline void mmio_write32(volatile void *address, uint32_t value) {
    __asm__ volatile("fence iow, o\n\tsw %0, (%1)" : : "r"(value), "r"(address) : "memory");
}

static inline uint16_t mmio_read16(const volatile void *address) {
    uint32_t value;
    __asm__ volatile("fence io, io\n\tlhu %0, (%1)" : "=r"(value) : "r"(address) : "memory");
    return (uint16_t)value;
}

static inline void mmio_write16(volatile void *address, uint16_t value) {
    __asm__ volatile("fence iow, o\n\tsh %0, (%1)"
                     :
                     : "r"((uint32_t)value), "r"(address)
                     : "memory");
}

static inline uint8_t mmio_read8(const volatile void *address) {
    uint64_t value;
    __asm__ volatile("fence io, io\n\tlbu %0, (%1)" : "=r"(value) : "r"(address) : "memory");
    return (uint8_t)value;
}

static inline void mmio_write8(volatile void *address, uint8_t value) {
    __asm__ volatile("fence iow, o\n\tsb %0, (%1)"
                     :
                     : "r"((uint64_t)value), "r"(address)
                     : "memory");
}
