// SPDX-License-Identifier: MIT OR Apache-2.0
// hal/riscv64/smp.c: harts: starting, stopping, signalling (RISC-V SBI 1.0).
#include "block.h"
#include "private.h"
#include "start.h"

#include <hal/context.h>
#include <hal/cpu_start.h>

#define LOOK_AGAIN_US 1000u // whether a hart that was started is stopped again

#define SIE_BITS (1ull << INTERRUPT_SOFTWARE | 1ull << INTERRUPT_TIMER)

_Static_assert(offsetof(struct cpu_block, data) == RISCV64_BLOCK_DATA, "cpu.h");
_Static_assert(offsetof(struct cpu_block, current) == RISCV64_BLOCK_CURRENT, "cpu.h");
_Static_assert(offsetof(struct cpu_block, id) == RISCV64_BLOCK_ID, "cpu.h");
_Static_assert(offsetof(struct cpu_block, current) == BLOCK_CURRENT, "block.h");
_Static_assert(offsetof(struct cpu_block, stack_low) == BLOCK_STACK_LOW, "block.h");
_Static_assert(offsetof(struct cpu_block, stack_top) == BLOCK_STACK_TOP, "block.h");
_Static_assert(offsetof(struct cpu_block, emergency_top) == BLOCK_EMERGENCY, "block.h");
_Static_assert(offsetof(struct cpu_block, scratch[0]) == BLOCK_SCRATCH, "block.h");
_Static_assert(offsetof(struct cpu_block, scratch[1]) == BLOCK_SCRATCH2, "block.h");
_Static_assert(HAL_STACK_BYTES <= STACK_BYTES_MOST, "block.h");
_Static_assert(sizeof(struct cpu_block) <= PAGE_SIZE, "a page each");

// How a hart starts: what start.S reads without translation, and what C needs then.
struct start {
    uint64_t satp;
    uint64_t stack_top;
    void (*enter)(struct start *start);
    struct start *self;
    uint64_t high; // where riscv64_start is mapped
    struct cpu_block *block;
    void (*entry)(void *);
    void *argument;
    _Atomic uint32_t state; // enum cpu_start
};
_Static_assert(offsetof(struct start, satp) == START_SATP, "start.h");
_Static_assert(offsetof(struct start, stack_top) == START_STACK, "start.h");
_Static_assert(offsetof(struct start, enter) == START_ENTER, "start.h");
_Static_assert(offsetof(struct start, self) == START_SELF, "start.h");
_Static_assert(offsetof(struct start, high) == START_HIGH, "start.h");

extern char riscv64_start[];
extern char riscv64_trap[];

_Atomic uint64_t riscv64_cpu_started = 1;
static struct cpu_block boot_block;
static uint8_t boot_emergency[EMERGENCY_BYTES] __attribute__((aligned(16)));
struct cpu_block *riscv64_blocks[HAL_CPU_MAX];
static void *early_data[HAL_CPU_MAX]; // hal_cpu_data_set() before the start

_Atomic bool riscv64_stopping;
static _Atomic uint32_t stopper; // the processor that panics, and one

uint32_t hal_cpu_count(void) {
    return riscv64_cpu_total;
}

void hal_cpu_data_set(uint32_t cpu, void *data) {
    early_data[cpu] = data;
    if (cpu == hal_cpu_id()) {
        cpu_block()->data = data;
    }
}

static void block_load(struct cpu_block *block) {
    __asm__ volatile("mv tp, %0" : : "r"(block) : "memory");
    csr_write("sscratch", 0);
    csr_write("stvec", (uintptr_t)riscv64_trap);
    // Devices interrupt the boot hart alone, whatever the loader left in the PLIC for others.
    csr_write("sie", SIE_BITS | (block == &boot_block ? 1ull << INTERRUPT_EXTERNAL : 0));
}

void smp_init_boot(void) {
    boot_block.emergency_top = (uint64_t)(uintptr_t)(boot_emergency + EMERGENCY_BYTES);
    boot_block.stack_low = (uint64_t)(uintptr_t)boot_stack_low;
    boot_block.stack_top = (uint64_t)(uintptr_t)boot_stack_top;
    block_load(&boot_block);
}

void smp_init(void) {
    riscv64_blocks[0] = &boot_block;
    boot_block.hart = riscv64_harts[0].id;
}

static void smp_entry(struct start *start) {
    struct cpu_block *block = start->block;
    block_load(block);
    riscv64_features_enable();
    clock_cpu_init();
    atomic_fetch_or_explicit(&riscv64_cpu_started, 1ull << block->id, memory_order_seq_cst);
    // What was mapped or written between the start and here was not told to this hart.
    sfence_all();
    hal_pagetable_activate(NULL);
    if (cpu_start_decide(&start->state, CPU_START_REACHED)) {
        start->entry(start->argument);
    }
    atomic_fetch_and_explicit(&riscv64_cpu_started, ~(1ull << block->id), memory_order_seq_cst);
    hal_halt();
}

// A block with its emergency stack; NULL: no memory.
static struct cpu_block *block_make(uint32_t cpu, void *stack_top) {
    struct paddr page = riscv64_table_page_alloc();
    void *stack = page.value != 0 ? riscv64_stack_map(EMERGENCY_BYTES) : NULL;
    if (stack == NULL) {
        return NULL;
    }
    struct cpu_block *block = hal_phys_to_virt(page);
    *block = (struct cpu_block){
        .data = early_data[cpu],
        .id = cpu,
        .stack_low = (uint64_t)(uintptr_t)stack_top - HAL_STACK_BYTES,
        .stack_top = (uint64_t)(uintptr_t)stack_top,
        .emergency_top = (uint64_t)(uintptr_t)stack + EMERGENCY_BYTES,
        .hart = riscv64_harts[cpu].id,
    };
    return block;
}

static bool hart_ask(uint64_t hart, const struct start *start) {
    return sbi_call(SBI_HSM, SBI_HSM_START, hart, riscv64_image_phys(riscv64_start),
                    riscv64_image_phys(start), 0)
               .error == 0;
}

static bool hart_is_stopped(uint64_t hart) {
    const struct sbi_result status = sbi_call(SBI_HSM, SBI_HSM_STATUS, hart, 0, 0, 0);
    return status.error == 0 && status.value == SBI_HSM_STOPPED;
}

// Whether the hart came. One that went astray has given itself back (boot/riscv64/entry.S).
static bool hart_start(uint64_t hart, struct start *start) {
    if (!hart_ask(hart, start)) {
        return false;
    }
    for (uint32_t us = 0; us < CPU_START_TIMEOUT_US; us += LOOK_AGAIN_US) {
        if (cpu_start_wait(&start->state, LOOK_AGAIN_US, false)) {
            return true;
        }
        if (hart_is_stopped(hart) && !hart_ask(hart, start)) {
            break;
        }
    }
    return cpu_start_wait(&start->state, 0, true);
}

enum hx_status hal_cpu_start(uint32_t cpu, void *stack_top, void (*entry)(void *), void *argument) {
    static struct start starts[HAL_CPU_MAX]; // its own: a late hart may still read it
    struct start *start = &starts[cpu];
    struct cpu_block *block = block_make(cpu, stack_top);
    if (block == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    *start = (struct start){
        .satp = riscv64_satp(riscv64_kernel_root()),
        .stack_top = (uint64_t)(uintptr_t)stack_top,
        .enter = smp_entry,
        .self = start,
        .high = (uint64_t)(uintptr_t)riscv64_start,
        .block = block,
        .entry = entry,
        .argument = argument,
    };
    riscv64_blocks[cpu] = block;
    fence_all(); // the hart sees all of it
    return hart_start(riscv64_harts[cpu].id, start) ? HX_OK : HX_ERR_TIMED_OUT;
}

uint64_t smp_others(void) {
    return atomic_load_explicit(&riscv64_cpu_started, memory_order_seq_cst) &
           ~(1ull << hal_cpu_id());
}

// The kind goes into the hart's word first: there is one interrupt for all of them.
static void send(uint64_t cpus, enum hal_ipi kind) {
    for (uint64_t left = cpus; left != 0; left &= left - 1) {
        atomic_fetch_or_explicit(&riscv64_blocks[__builtin_ctzll(left)]->ipis, 1u << kind,
                                 memory_order_release);
    }
    sbi_call_harts(cpus, SBI_IPI, 0, 0, 0);
}

void hal_ipi_send(uint32_t cpu, enum hal_ipi kind) {
    const uint64_t bit = 1ull << cpu;
    if (atomic_load_explicit(&riscv64_cpu_started, memory_order_acquire) & bit) {
        send(bit, kind);
    }
}

void hal_ipi_broadcast(enum hal_ipi kind) {
    if (kind == HAL_IPI_STOP) { // hal_relax() looks
        atomic_store_explicit(&stopper, hal_cpu_id() + 1, memory_order_relaxed);
        atomic_store_explicit(&riscv64_stopping, true, memory_order_release);
    }
    send(smp_others(), kind);
}

void riscv64_stop(void) {
    if (atomic_load_explicit(&stopper, memory_order_relaxed) != hal_cpu_id() + 1) {
        riscv64_handlers.ipi(HAL_IPI_STOP);
    }
}

// The interrupt is taken back before the word is looked at, so that one that comes later counts
// again.
void smp_interrupt(void) {
    csr_clear("sip", 1ull << INTERRUPT_SOFTWARE);
    fence_all();
    const uint32_t kinds = atomic_exchange_explicit(&cpu_block()->ipis, 0, memory_order_acquire);
    for (uint32_t kind = HAL_IPI_STOP + 1; kind-- > 0;) {
        if (kinds >> kind & 1) {
            riscv64_handlers.ipi((enum hal_ipi)kind);
        }
    }
}

// WFI returns for an interrupt that sstatus masks, too (privileged ISA, 3.3.3): so none comes in
// between.
void hal_idle(void) {
    __asm__ volatile("wfi" : : : "memory");
    hal_irq_on();
}

void hal_halt(void) {
    csr_write("sie", 0);
    for (;;) {
        __asm__ volatile("csrci sstatus, 2\n\twfi" : : : "memory");
    }
}
