// SPDX-License-Identifier: MIT OR Apache-2.0
// hal/aarch64/smp.c: processors: starting, stopping, signalling (PSCI, Arm DEN0022).
#include "block.h"
#include "private.h"
#include "start.h"

#include <hal/cpu_start.h>
#include <lib/string.h>

_Static_assert(offsetof(struct cpu_block, data) == AARCH64_BLOCK_DATA, "cpu.h");
_Static_assert(offsetof(struct cpu_block, current) == AARCH64_BLOCK_CURRENT, "cpu.h");
_Static_assert(offsetof(struct cpu_block, id) == AARCH64_BLOCK_ID, "cpu.h");
_Static_assert(offsetof(struct cpu_block, current) == BLOCK_CURRENT, "block.h");
_Static_assert(offsetof(struct cpu_block, emergency_top) == BLOCK_EMERGENCY, "block.h");
_Static_assert(offsetof(struct cpu_block, scratch) == BLOCK_SCRATCH, "block.h");

// How a processor starts: what start.S reads with the caches off, and what C needs then.
struct start {
    uint64_t mair, tcr;
    uint64_t ttbr0, ttbr1;
    uint64_t stack_top;
    void (*enter)(struct start *start);
    uint64_t sctlr;
    struct start *self;
    struct cpu_block *block;
    void (*entry)(void *);
    void *argument;
    _Atomic uint32_t state; // enum cpu_start
};
_Static_assert(offsetof(struct start, mair) == START_MAIR, "start.h");
_Static_assert(offsetof(struct start, ttbr0) == START_TTBR0, "start.h");
_Static_assert(offsetof(struct start, stack_top) == START_STACK, "start.h");
_Static_assert(offsetof(struct start, sctlr) == START_SCTLR, "start.h");

extern char aarch64_start_page[];
extern char aarch64_vectors[];

_Atomic uint64_t aarch64_cpu_started = 1;
static struct cpu_block boot_block;
static uint8_t boot_emergency[EMERGENCY_BYTES] __attribute__((aligned(16)));
struct cpu_block *aarch64_blocks[HAL_CPU_MAX];
static void *early_data[HAL_CPU_MAX]; // hal_cpu_data_set() before the start

_Atomic bool aarch64_stopping;
static _Atomic uint32_t stopper; // the processor that panics, and one

uint32_t hal_cpu_count(void) {
    return aarch64_cpu_total;
}

void hal_cpu_data_set(uint32_t cpu, void *data) {
    early_data[cpu] = data;
    if (cpu == hal_cpu_id()) {
        cpu_block()->data = data;
    }
}

static void block_load(struct cpu_block *block) {
    sysreg_write("tpidr_el1", (uintptr_t)block);
    sysreg_write("vbar_el1", (uintptr_t)aarch64_vectors);
    isb();
}

void smp_init_boot(void) {
    boot_block.emergency_top = (uint64_t)(uintptr_t)(boot_emergency + EMERGENCY_BYTES);
    block_load(&boot_block);
}

void smp_init(void) {
    aarch64_blocks[0] = &boot_block;
    boot_block.mpidr = aarch64_cpu_mpidr[0];
}

static void smp_entry(struct start *start) {
    struct cpu_block *block = start->block;
    block_load(block);
    aarch64_features_enable();
    hal_pagetable_activate(NULL);
    if (gic_cpu_init() != HX_OK) {
        hal_halt();
    }
    clock_cpu_init();
    if (cpu_start_decide(&start->state, CPU_START_REACHED)) {
        atomic_fetch_or_explicit(&aarch64_cpu_started, 1ull << block->id, memory_order_release);
        start->entry(start->argument);
    }
    hal_halt();
}

// To memory itself, for one who reads with the caches off (B2.4.4, D7.5.9).
static void clean_to_memory(const void *start, size_t size_bytes) {
    const uint64_t line = 4ull << (sysreg_read("ctr_el0") >> 16 & 15);
    uint64_t at = ALIGN_DOWN((uint64_t)(uintptr_t)start, line);
    for (; at < (uint64_t)(uintptr_t)start + size_bytes; at += line) {
        __asm__ volatile("dc cvac, %0" : : "r"(at) : "memory");
    }
    __asm__ volatile("dsb sy" : : : "memory");
}

// A block with its emergency stack; NULL: no memory.
static struct cpu_block *block_make(uint32_t cpu) {
    struct paddr page = aarch64_table_page_alloc();
    void *stack = page.value != 0 ? aarch64_stack_map(EMERGENCY_BYTES) : NULL;
    if (stack == NULL) {
        return NULL;
    }
    struct cpu_block *block = hal_phys_to_virt(page);
    *block = (struct cpu_block){
        .data = early_data[cpu],
        .id = cpu,
        .emergency_top = (uint64_t)(uintptr_t)stack + EMERGENCY_BYTES,
        .mpidr = aarch64_cpu_mpidr[cpu],
    };
    return block;
}

enum hx_status hal_cpu_start(uint32_t cpu, void *stack_top, void (*entry)(void *), void *argument) {
    static struct start starts[HAL_CPU_MAX]; // its own: a late processor may still read it
    struct start *start = &starts[cpu];
    struct cpu_block *block = block_make(cpu);
    if (block == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    *start = (struct start){
        .mair = sysreg_read("mair_el1"),
        .tcr = sysreg_read("tcr_el1"),
        .ttbr0 = aarch64_start_root().value,
        .ttbr1 = aarch64_kernel_root().value,
        .stack_top = (uint64_t)(uintptr_t)stack_top,
        .enter = smp_entry,
        .sctlr = sysreg_read("sctlr_el1"),
        .self = start,
        .block = block,
        .entry = entry,
        .argument = argument,
    };
    clean_to_memory(start, sizeof(*start));
    aarch64_blocks[cpu] = block;
    const int64_t done =
        psci_call(PSCI_CPU_ON, aarch64_cpu_mpidr[cpu], aarch64_image_phys(aarch64_start_page),
                  aarch64_image_phys(start));
    if (done == 0 && cpu_start_wait(&start->state, CPU_START_TIMEOUT_US, true)) {
        return HX_OK;
    }
    aarch64_blocks[cpu] = NULL;
    return HX_ERR_TIMED_OUT;
}

void hal_ipi_send(uint32_t cpu, enum hal_ipi kind) {
    static const uint8_t intids[] = {
        [HAL_IPI_CALL] = INTID_CALL,
        [HAL_IPI_RESCHEDULE] = INTID_RESCHEDULE,
        [HAL_IPI_STOP] = INTID_STOP,
    };
    struct cpu_block *block = aarch64_blocks[cpu];
    if (block != NULL) {
        // Stores before it are seen by whoever takes the interrupt (B2.3.11): a DMB orders nothing
        // against the system register, or the device, that raises it.
        dsb_all();
        gic_send(block, intids[kind]);
    }
}

void hal_ipi_broadcast(enum hal_ipi kind) {
    if (kind == HAL_IPI_STOP) { // hal_relax() looks
        atomic_store_explicit(&stopper, hal_cpu_id() + 1, memory_order_relaxed);
        atomic_store_explicit(&aarch64_stopping, true, memory_order_release);
    }
    uint64_t mask = atomic_load_explicit(&aarch64_cpu_started, memory_order_acquire);
    mask &= ~(1ull << hal_cpu_id());
    for (; mask != 0; mask &= mask - 1) {
        hal_ipi_send((uint32_t)__builtin_ctzll(mask), kind);
    }
}

void aarch64_stop(void) {
    if (atomic_load_explicit(&stopper, memory_order_relaxed) != hal_cpu_id() + 1) {
        aarch64_handlers.ipi(HAL_IPI_STOP);
    }
}

// WFI returns for an interrupt that is masked, too (D1.16.2): so none comes in between.
void hal_idle(void) {
    __asm__ volatile("dsb sy\n\twfi" : : : "memory");
    hal_irq_on();
}

void hal_halt(void) {
    for (;;) {
        __asm__ volatile("msr daifset, #2\n\twfi" : : : "memory");
    }
}
