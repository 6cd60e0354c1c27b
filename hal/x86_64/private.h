// SPDX-License-Identifier: MIT OR Apache-2.0
// hal/x86_64/private.h: what the files of this folder share. Nobody else includes it.
#pragma once

#include "regs.h"

#include <hal/cpu.h>
#include <hal/gate.h>
#include <hal/init.h>
#include <hal/io.h>
#include <hal/irq.h>
#include <hal/mmu.h>
#include <hal/time.h>
#include <hal/trap.h>
#include <helix/types.h>
#include <lib/acpi.h>

// Interrupt vectors. Lines 0 … VECTOR_LINE_END - VECTOR_LINE_BASE - 1 come from I/O APICs.
#define VECTOR_LINE_BASE  0x30u
#define VECTOR_LINE_END   0xe0u
#define VECTOR_TIMER      0xe0u
#define VECTOR_CALL       0xe1u
#define VECTOR_RESCHEDULE 0xe2u
#define VECTOR_APIC_ERROR 0xfeu
#define VECTOR_SPURIOUS   0xffu

// ---- processors -------------------------------------------------------------------------------

enum ist {
    IST_DOUBLE_FAULT = 1,
    IST_NMI,
    IST_MACHINE_CHECK,
    IST_DEBUG,
    IST_COUNT = 4,
};
#define IST_STACK_BYTES (2 * PAGE_SIZE)

// The 64-bit task state segment (SDM 3A 8.7).
struct tss {
    uint32_t reserved0;
    uint64_t rsp[3];
    uint64_t reserved1;
    uint64_t ist[7];
    uint64_t reserved2;
    uint16_t reserved3;
    uint16_t io_map_base;
} __attribute__((packed));

#define GDT_ENTRIES 8u

// One per processor; the GS base points at it in kernel mode. <hal_arch/cpu.h> and gs.h know the
// offsets of the first fields. Written by its own processor only, except `stop`.
struct cpu_block {
    struct cpu_block *self;
    void *data;
    void *current;
    uint32_t id;
    uint32_t apic_id;
    uint64_t scratch; // user's stack pointer during an entry
    uint64_t timer_target;
    uint64_t timer_armed; // what the hardware was told, in counter ticks
    uint32_t pad;
    struct tss tss; // rsp[0] is the current thread's stack top
    uint64_t gdt[GDT_ENTRIES];
    _Atomic bool stop; // another processor asks this one to stop, by NMI
    alignas(64) _Atomic uint64_t gate_entered[HAL_GATES_MAX]; // by their numbers: gate.S
    _Atomic uint64_t gate_left[HAL_GATES_MAX];
    struct hal_guard guard; // of the guarded call that was made last
};

extern struct cpu_block *x86_cpu_blocks[HAL_CPU_MAX]; // NULL: not started

// The block of this processor. Preemption off. Assembly, because gcc takes what a load from offset
// 0 gives for a pointer to nothing and drops stores through it.
static inline struct cpu_block *cpu_block(void) {
    struct cpu_block *block;
    __asm__ volatile("movq %%gs:%c1, %0" : "=r"(block) : "i"(X86_GS_SELF));
    return block;
}

// Loads the GS base of the boot processor, so that hal_current() works before hal_init_early().
void cpu_block_init_boot(void);
// Descriptor tables, system call registers and features of the calling processor. `ist_tops` holds
// the IST_COUNT stack tops.
void x86_tables_load(struct cpu_block *block, const uint64_t *ist_tops);
void x86_idt_init(void);    // boot processor, once
void x86_boot_tables(void); // x86_tables_load() for the boot processor

// The firmware's list of processors; index 0 is the one that booted.
extern uint32_t x86_cpu_apic_ids[HAL_CPU_MAX];
extern uint32_t x86_cpu_total;
extern _Atomic uint64_t x86_cpu_started; // bit per processor

// Says why and stops: an impossible machine, or a bug before core can panic.
NORETURN void x86_die(const char *reason);

// ---- features ---------------------------------------------------------------------------------

struct features {
    bool smap, smep, umip, pages_1g, x2apic, tsc_deadline, rdrand, xsave;
    uint32_t max_leaf;
    uint64_t xcr0;
    uint32_t fpu_bytes;
    uint32_t mxcsr_mask;
    uint8_t phys_bits;
};
extern struct features x86_features;

void x86_features_detect(void); // boot processor, once; patches the text
void x86_features_enable(void); // each processor
// Makes an image that a program wrote safe to load.
void x86_fpu_sanitize(void *area);

// ---- traps ------------------------------------------------------------------------------------

extern struct hal_handlers x86_handlers;
// A breakpoint of the kernel's: if a branch is being rewritten there, changes the frame to go on
// behind it.
bool x86_branch_breakpoint(struct hal_frame *frame);

// ---- mapping ----------------------------------------------------------------------------------

// Maps physical memory for hal's own use, at an address that is never reused, with HAL_MAP_…
// flags. NULL: no memory.
void *x86_device_map(uint64_t address, size_t size_bytes, uint32_t flags);
// Undoes the latest x86_device_map() on this processor, before any other one used it.
void x86_device_unmap(const void *mapped, size_t size_bytes);
// Writes a byte of the kernel's text, which stays unwritable where it runs. Any thread context.
void x86_text_write(uint64_t address, uint8_t byte);
// Maps fresh zeroed pages with an unmapped one below; NULL: no memory.
void *x86_stack_map(size_t size_bytes);
// The root of the kernel's own page table, and the temporary one with the trampoline's page.
struct paddr x86_kernel_root(void);
struct paddr trampoline_root_open(void);
void trampoline_root_close(void);
// Takes a zeroed page from the page allocator; value 0: none.
struct paddr x86_table_page_alloc(void);
void x86_table_page_free(struct paddr page);
bool x86_direct_covers(uint64_t address, size_t size_bytes);
// Fills in the kernel half of a top-level table.
void x86_kernel_half_copy(uint64_t *root);

// ---- firmware, interrupts, time -----------------------------------------------------------------

#define VIRTIO_MAX 32u

struct firmware {
    bool has_acpi;
    struct acpi_root root;
    bool has_fadt;
    struct acpi_fadt fadt;
    bool has_s5;
    struct acpi_s5 s5;
    bool has_madt;
    uint64_t local_apic;
    uint32_t virtio_count;
    struct acpi_virtio virtio[VIRTIO_MAX];
};
extern struct firmware x86_firmware;

// Finds the tables; then, with the local APIC running, lists processors and I/O APICs.
void x86_firmware_read(const struct boot_info *info);
void x86_firmware_controllers(void);

enum hx_status lapic_map(void); // once
void lapic_enable(void);        // each processor
uint32_t lapic_id(void);
void lapic_eoi(void);
void lapic_send(uint32_t apic_id, uint32_t command);
#define LAPIC_COMMAND_NMI     0x4400u
#define LAPIC_COMMAND_INIT    0x4500u
#define LAPIC_COMMAND_STARTUP 0x4600u
#define LAPIC_COMMAND_FIXED   0x4000u
void lapic_timer_start(uint32_t count); // one shot, in bus clocks; 0 stops
uint32_t lapic_timer_left(void);
void lapic_timer_unmask(bool deadline); // on this processor; deadline: by the counter itself

enum hx_status ioapic_add(uint64_t address, uint32_t first_line);
void ioapic_override(uint32_t isa, uint32_t line, uint32_t flags);
void ioapic_mask_all(void);
void pic_disable(void);
// Masks a level-triggered line before its handler runs. Interrupts off.
void ioapic_mask_level(uint32_t line);

enum hx_status x86_clock_init(void);
void x86_clock_cpu_init(void);
void x86_clock_interrupt(void);
// Waits by the counter; for hardware that wants a pause.
void x86_clock_spin(uint64_t microseconds);

void x86_power_init(void);
void x86_smp_init(void);
