// SPDX-License-Identifier: MIT OR Apache-2.0
// hal/x86_64/lapic.c: the local interrupt controller, as xAPIC or x2APIC (SDM 3A 11).
#include "private.h"

#define LAPIC_BASE_DEFAULT 0xfee00000u

#define REG_ID            0x020u
#define REG_TASK_PRIORITY 0x080u
#define REG_EOI           0x0b0u
#define REG_SPURIOUS      0x0f0u
#define REG_ERROR         0x280u
#define REG_COMMAND_LOW   0x300u
#define REG_COMMAND_HIGH  0x310u
#define REG_LVT_TIMER     0x320u
#define REG_LVT_THERMAL   0x330u
#define REG_LVT_PERF      0x340u
#define REG_LVT_LINT0     0x350u
#define REG_LVT_LINT1     0x360u
#define REG_LVT_ERROR     0x370u
#define REG_TIMER_INITIAL 0x380u
#define REG_TIMER_CURRENT 0x390u
#define REG_TIMER_DIVIDE  0x3e0u

#define LEAF1_EDX_APIC (1u << 9)

#define LVT_MASKED       (1u << 16)
#define LVT_NMI          0x400u
#define LVT_DEADLINE     (2u << 17)
#define DIVIDE_BY_1      0x0bu
#define SPURIOUS_ENABLE  0x100u
#define COMMAND_PENDING  (1u << 12)
#define BASE_ENABLE      (1u << 11)
#define BASE_X2APIC      (1u << 10)
#define PENDING_WAIT_MAX 1000000u

static volatile uint8_t *registers; // NULL with x2APIC

static uint32_t reg_read(uint32_t reg) {
    if (x86_features.x2apic) {
        return (uint32_t)msr_read(MSR_X2APIC_BASE + reg / 16);
    }
    return mmio_read32(registers + reg);
}

static void reg_write(uint32_t reg, uint32_t value) {
    if (x86_features.x2apic) {
        msr_write(MSR_X2APIC_BASE + reg / 16, value);
    } else {
        mmio_write32(registers + reg, value);
    }
}

enum hx_status lapic_map(void) {
    if (!(cpuid(1, 0).edx & LEAF1_EDX_APIC)) {
        return HX_ERR_NO_DEVICE;
    }
    if (x86_features.x2apic) {
        return HX_OK;
    }
    uint64_t base = x86_firmware.local_apic != 0 ? x86_firmware.local_apic : LAPIC_BASE_DEFAULT;
    registers = x86_device_map(base, PAGE_SIZE, HAL_MAP_READ | HAL_MAP_WRITE | HAL_MAP_UNCACHED);
    return registers != NULL ? HX_OK : HX_ERR_NO_MEMORY;
}

void lapic_enable(void) {
    uint64_t base = msr_read(MSR_APIC_BASE) | BASE_ENABLE;
    msr_write(MSR_APIC_BASE, base);
    if (x86_features.x2apic) {
        msr_write(MSR_APIC_BASE, base | BASE_X2APIC);
    }
    reg_write(REG_SPURIOUS, SPURIOUS_ENABLE | VECTOR_SPURIOUS);
    reg_write(REG_TASK_PRIORITY, 0);
    reg_write(REG_LVT_TIMER, LVT_MASKED | VECTOR_TIMER);
    reg_write(REG_LVT_LINT0, LVT_MASKED);
    reg_write(REG_LVT_LINT1, LVT_NMI);
    reg_write(REG_LVT_ERROR, VECTOR_APIC_ERROR);
    reg_write(REG_ERROR, 0);
    reg_write(REG_TIMER_DIVIDE, DIVIDE_BY_1);
    lapic_eoi();
}

uint32_t lapic_id(void) {
    return x86_features.x2apic ? reg_read(REG_ID) : reg_read(REG_ID) >> 24;
}

void lapic_eoi(void) {
    reg_write(REG_EOI, 0);
}

void lapic_send(uint32_t apic_id, uint32_t command) {
    if (x86_features.x2apic) {
        // The write is not ordered behind stores by itself (SDM 3A 11.12.3).
        __asm__ volatile("mfence\n\tlfence" : : : "memory");
        msr_write(MSR_X2APIC_BASE + REG_COMMAND_LOW / 16, (uint64_t)apic_id << 32 | command);
        return;
    }
    unsigned long state = hal_irq_save();
    for (uint32_t i = 0; i < PENDING_WAIT_MAX && (reg_read(REG_COMMAND_LOW) & COMMAND_PENDING);
         i++) {
        hal_relax();
    }
    reg_write(REG_COMMAND_HIGH, apic_id << 24);
    reg_write(REG_COMMAND_LOW, command);
    hal_irq_restore(state);
}

void lapic_timer_start(uint32_t count) {
    reg_write(REG_TIMER_INITIAL, count);
}

uint32_t lapic_timer_left(void) {
    return reg_read(REG_TIMER_CURRENT);
}

void lapic_timer_unmask(bool deadline) {
    reg_write(REG_LVT_TIMER, VECTOR_TIMER | (deadline ? LVT_DEADLINE : 0));
    if (deadline) {
        __asm__ volatile("mfence" : : : "memory"); // SDM 3A 11.5.4.1
    }
}
