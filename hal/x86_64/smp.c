// SPDX-License-Identifier: MIT OR Apache-2.0
// hal/x86_64/smp.c: processors: starting, stopping, signalling (SDM 3A 8.4, 11.6).
#include "private.h"

#include <hal/cpu_start.h>
#include <lib/string.h>

#define INIT_PAUSE_US  100u // SDM says 10 ms; processors since the P6 need none, Linux waits none
#define RETRY_AFTER_US 2000u

// What trampoline.S reads; it knows the layout.
struct trampoline_data {
    uint64_t temporary_root;
    uint64_t stack_top;
    uint64_t entry;
    uint64_t argument;
};

// How a processor starts.
struct start {
    struct cpu_block *block;
    uint64_t ist_tops[IST_COUNT];
    void (*entry)(void *);
    void *argument;
    _Atomic uint32_t state; // enum cpu_start
};

extern char x86_trampoline_start[];
extern char x86_trampoline_end[];
extern char x86_trampoline_data[];

_Atomic uint64_t x86_cpu_started = 1;
struct cpu_block *x86_cpu_blocks[HAL_CPU_MAX];
static void *early_data[HAL_CPU_MAX]; // hal_cpu_data_set() before the start

NORETURN void x86_smp_entry(struct start *start); // called by trampoline.S

uint32_t hal_cpu_count(void) {
    return x86_cpu_total;
}

void hal_cpu_data_set(uint32_t cpu, void *data) {
    early_data[cpu] = data;
    if (cpu == hal_cpu_id()) {
        cpu_block()->data = data;
    }
}

void x86_smp_entry(struct start *start) {
    struct cpu_block *block = start->block;
    x86_features_enable();
    x86_tables_load(block, start->ist_tops);
    hal_pagetable_activate(NULL);
    hal_tlb_flush_kernel();
    lapic_enable();
    x86_clock_cpu_init();
    if (cpu_start_decide(&start->state, CPU_START_REACHED)) {
        atomic_fetch_or_explicit(&x86_cpu_started, 1ull << block->id, memory_order_release);
        start->entry(start->argument);
    }
    hal_halt();
}

static void trampoline_prepare(void *stack_top, struct start *start) {
    uint8_t *page = hal_phys_to_virt(paddr_make(X86_TRAMPOLINE));
    struct trampoline_data data = {
        .temporary_root = trampoline_root_open().value,
        .stack_top = (uint64_t)(uintptr_t)stack_top,
        .entry = (uint64_t)(uintptr_t)x86_smp_entry,
        .argument = (uint64_t)(uintptr_t)start,
    };
    memcpy(page, x86_trampoline_start, (size_t)(x86_trampoline_end - x86_trampoline_start));
    memcpy(page + (x86_trampoline_data - x86_trampoline_start), &data, sizeof(data));
}

static bool processor_wake(uint32_t apic_id, struct start *start) {
    uint32_t startup = LAPIC_COMMAND_STARTUP | (uint32_t)(X86_TRAMPOLINE >> PAGE_SHIFT);
    lapic_send(apic_id, LAPIC_COMMAND_INIT);
    x86_clock_spin(INIT_PAUSE_US);
    lapic_send(apic_id, startup);
    if (cpu_start_wait(&start->state, RETRY_AFTER_US, false)) {
        return true;
    }
    lapic_send(apic_id, startup);
    return cpu_start_wait(&start->state, CPU_START_TIMEOUT_US, true);
}

enum hx_status hal_cpu_start(uint32_t cpu, void *stack_top, void (*entry)(void *), void *argument) {
    static struct start start; // one at a time; static, as a late processor may still read it
    struct paddr page = x86_table_page_alloc();
    if (page.value == 0) {
        return HX_ERR_NO_MEMORY;
    }
    struct cpu_block *block = hal_phys_to_virt(page);
    start = (struct start){ .block = block, .entry = entry, .argument = argument };
    for (uint32_t i = 0; i < IST_COUNT; i++) {
        void *stack = x86_stack_map(IST_STACK_BYTES);
        if (stack == NULL) {
            return HX_ERR_NO_MEMORY;
        }
        start.ist_tops[i] = (uint64_t)(uintptr_t)stack + IST_STACK_BYTES;
    }
    block->id = cpu;
    block->apic_id = x86_cpu_apic_ids[cpu];
    block->data = early_data[cpu];
    x86_cpu_blocks[cpu] = block;
    trampoline_prepare(stack_top, &start);
    bool reached = processor_wake(x86_cpu_apic_ids[cpu], &start);
    if (!reached) {
        lapic_send(x86_cpu_apic_ids[cpu], LAPIC_COMMAND_INIT); // back to waiting, for good
        x86_cpu_blocks[cpu] = NULL;
    }
    trampoline_root_close();
    return reached ? HX_OK : HX_ERR_TIMED_OUT;
}

void x86_smp_init(void) {
    x86_cpu_blocks[0] = cpu_block();
    x86_cpu_blocks[0]->apic_id = x86_cpu_apic_ids[0];
}

void hal_ipi_send(uint32_t cpu, enum hal_ipi kind) {
    struct cpu_block *block = x86_cpu_blocks[cpu];
    if (block == NULL) {
        return;
    }
    uint32_t command = LAPIC_COMMAND_FIXED | VECTOR_CALL;
    if (kind == HAL_IPI_RESCHEDULE) {
        command = LAPIC_COMMAND_FIXED | VECTOR_RESCHEDULE;
    } else if (kind == HAL_IPI_STOP) {
        atomic_store_explicit(&block->stop, true, memory_order_release);
        command = LAPIC_COMMAND_NMI;
    }
    atomic_thread_fence(memory_order_seq_cst);
    lapic_send(block->apic_id, command);
}

void hal_ipi_broadcast(enum hal_ipi kind) {
    uint64_t mask = atomic_load_explicit(&x86_cpu_started, memory_order_acquire);
    mask &= ~(1ull << hal_cpu_id());
    for (; mask != 0; mask &= mask - 1) {
        hal_ipi_send((uint32_t)__builtin_ctzll(mask), kind);
    }
}

void hal_idle(void) {
    __asm__ volatile("sti\n\thlt" : : : "memory"); // STI holds interrupts off for one instruction
}

void hal_halt(void) {
    for (;;) {
        __asm__ volatile("cli\n\thlt" : : : "memory");
    }
}
