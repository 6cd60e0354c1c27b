// SPDX-License-Identifier: MIT OR Apache-2.0
// hal/x86_64/ioapic.c: device interrupt lines (Intel 82093AA I/O APIC, section 3), and the old
// controllers kept quiet.
//
// A line is a global system interrupt of ACPI. ISA's go edge, high, unless firmware overrides; the
// others level, low, as PCI's do (ACPI 6.5, 5.2.12.5).
#include "private.h"

#define IOAPIC_MAX    8u
#define ISA_LINES     16u
#define LINE_LIMIT    (VECTOR_LINE_END - VECTOR_LINE_BASE)
#define REG_VERSION   0x01u
#define REG_ENTRY     0x10u
#define WINDOW_OFFSET 0x10u
#define ENTRY_LOW     (1u << 13) // active low
#define ENTRY_LEVEL   (1u << 15)
#define ENTRY_MASKED  (1u << 16)
#define MESSAGES_MAX  64u

#define MESSAGE_ADDRESS 0xfee00000u

#define PIC1_DATA 0x21u
#define PIC2_DATA 0xa1u

struct ioapic {
    volatile uint8_t *registers;
    uint32_t first;
    uint32_t count;
};

static struct ioapic ioapics[IOAPIC_MAX];
static uint32_t ioapic_count;
static uint32_t isa_line[ISA_LINES] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 };
static uint32_t isa_flags[ISA_LINES];          // MPS INTI flags; 0: as the bus has it
static atomic_flag lock = ATOMIC_FLAG_INIT;    // guards the register windows and `level`
static uint64_t level[(LINE_LIMIT + 63) / 64]; // lines that are enabled as level-triggered
static _Atomic uint32_t messages;              // lines from LINE_LIMIT down that are messages'

static uint32_t ioapic_read(const struct ioapic *ioapic, uint32_t reg) {
    mmio_write32(ioapic->registers, reg);
    return mmio_read32(ioapic->registers + WINDOW_OFFSET);
}

static void ioapic_write(const struct ioapic *ioapic, uint32_t reg, uint32_t value) {
    mmio_write32(ioapic->registers, reg);
    mmio_write32(ioapic->registers + WINDOW_OFFSET, value);
}

static unsigned long lock_take(void) {
    unsigned long state = hal_irq_save();
    while (atomic_flag_test_and_set_explicit(&lock, memory_order_acquire)) {
        hal_relax();
    }
    return state;
}

static void lock_drop(unsigned long state) {
    atomic_flag_clear_explicit(&lock, memory_order_release);
    hal_irq_restore(state);
}

static const struct ioapic *ioapic_of(uint32_t line) {
    for (uint32_t i = 0; i < ioapic_count; i++) {
        if (line >= ioapics[i].first && line - ioapics[i].first < ioapics[i].count) {
            return &ioapics[i];
        }
    }
    return NULL;
}

enum hx_status ioapic_add(uint64_t address, uint32_t first_line) {
    if (ioapic_count == IOAPIC_MAX || first_line >= LINE_LIMIT) {
        return HX_ERR_NO_DEVICE;
    }
    struct ioapic *ioapic = &ioapics[ioapic_count];
    ioapic->registers =
        x86_device_map(address, 0x20, HAL_MAP_READ | HAL_MAP_WRITE | HAL_MAP_UNCACHED);
    if (ioapic->registers == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    uint32_t version = ioapic_read(ioapic, REG_VERSION);
    if (version == UINT32_MAX || version == 0) {
        return HX_ERR_NO_DEVICE; // nothing answers there
    }
    ioapic->first = first_line;
    ioapic->count = MIN_OF((version >> 16 & 0xff) + 1, LINE_LIMIT - first_line);
    ioapic_count++;
    return HX_OK;
}

void ioapic_override(uint32_t isa, uint32_t line, uint32_t flags) {
    if (isa < ISA_LINES) {
        isa_line[isa] = line;
        isa_flags[isa] = flags;
    }
}

void ioapic_mask_all(void) {
    for (uint32_t i = 0; i < ioapic_count; i++) {
        for (uint32_t pin = 0; pin < ioapics[i].count; pin++) {
            ioapic_write(&ioapics[i], REG_ENTRY + 2 * pin, ENTRY_MASKED);
        }
    }
}

// The old controllers stay where firmware put them, with everything masked (Intel 8259A, OCW1).
void pic_disable(void) {
    out8(PIC1_DATA, 0xff);
    out8(PIC2_DATA, 0xff);
}

uint32_t hal_irq_from_isa(uint32_t isa) {
    return isa < ISA_LINES ? isa_line[isa] : isa;
}

// Firmware routes PCI's pins to others.
bool hal_irq_isa_is_shared(uint32_t isa) {
    (void)isa;
    return false;
}

void hal_irq_isa_pull(uint32_t isa, bool may) {
    (void)isa;
    (void)may;
}

// Trigger and polarity bits of the line's entry.
static uint32_t line_mode(uint32_t line) {
    for (uint32_t isa = 0; isa < ISA_LINES; isa++) {
        if (isa_line[isa] == line) {
            uint32_t flags = isa_flags[isa];
            return (ACPI_POLARITY(flags) == ACPI_POLARITY_LOW ? ENTRY_LOW : 0) |
                   (ACPI_TRIGGER(flags) == ACPI_TRIGGER_LEVEL ? ENTRY_LEVEL : 0);
        }
    }
    return ENTRY_LOW | ENTRY_LEVEL;
}

// A message is never masked here: who sends none has none come. Before it is enabled nobody knows
// its address.
static bool is_message(uint32_t line) {
    return line < LINE_LIMIT &&
           line >= LINE_LIMIT - atomic_load_explicit(&messages, memory_order_relaxed);
}

// The first processor's local APIC gets it: fixed, edge (SDM 3A, 11.11).
enum hx_status hal_irq_message(uint32_t function, uint32_t *out_line, uint64_t *out_address,
                               uint32_t *out_data) {
    (void)function;
    uint32_t taken = atomic_load_explicit(&messages, memory_order_relaxed);
    do {
        if (taken == MESSAGES_MAX || ioapic_of(LINE_LIMIT - 1 - taken) != NULL) {
            return HX_ERR_NO_DEVICE;
        }
    } while (!atomic_compare_exchange_weak_explicit(&messages, &taken, taken + 1,
                                                    memory_order_relaxed, memory_order_relaxed));
    *out_line = LINE_LIMIT - 1 - taken;
    *out_address = MESSAGE_ADDRESS | (uint64_t)x86_cpu_apic_ids[0] << 12;
    *out_data = VECTOR_LINE_BASE + *out_line;
    return HX_OK;
}

enum hx_status hal_irq_enable(uint32_t line) {
    if (is_message(line)) {
        return HX_OK;
    }
    const struct ioapic *ioapic = ioapic_of(line);
    if (ioapic == NULL) {
        return HX_ERR_NO_DEVICE;
    }
    uint32_t mode = line_mode(line);
    uint32_t reg = REG_ENTRY + 2 * (line - ioapic->first);
    unsigned long state = lock_take();
    if (mode & ENTRY_LEVEL) {
        level[line / 64] |= 1ull << (line % 64);
    }
    ioapic_write(ioapic, reg + 1, x86_cpu_apic_ids[0] << 24);
    ioapic_write(ioapic, reg, mode | (VECTOR_LINE_BASE + line));
    lock_drop(state);
    return HX_OK;
}

static void line_mask(uint32_t line) {
    const struct ioapic *ioapic = ioapic_of(line);
    if (ioapic != NULL) {
        uint32_t reg = REG_ENTRY + 2 * (line - ioapic->first);
        unsigned long state = lock_take();
        ioapic_write(ioapic, reg, line_mode(line) | (VECTOR_LINE_BASE + line) | ENTRY_MASKED);
        lock_drop(state);
    }
}

void hal_irq_disable(uint32_t line) {
    line_mask(line);
}

void ioapic_mask_level(uint32_t line) {
    if (level[line / 64] >> (line % 64) & 1) {
        line_mask(line);
    }
}
