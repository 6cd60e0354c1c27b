// SPDX-License-Identifier: MIT OR Apache-2.0
// hal/riscv64/private.h: what the files of this folder share. Nobody else includes it.
#pragma once

#include "../firmware/fdt/tree.h"
#include "block.h"
#include "isa.h"
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

// ---- harts ------------------------------------------------------------------------------------

// One per hart; tp points at it in kernel mode. <hal_arch/cpu.h> and block.h know the offsets of
// the first fields. Written by its own hart only, except before it starts and where it says so.
struct cpu_block {
    void *data;
    void *current;
    uint32_t id;
    uint32_t pad;
    uint64_t stack_low;     // of the stack in use: hal_switch()
    uint64_t stack_top;     // where entries from user mode begin
    uint64_t emergency_top; // the stack of faults that find no room on theirs
    uint64_t scratch[2];    // of trap.S
    uint64_t hart;          // firmware's number
    _Atomic uint32_t ipis;  // bit per enum hal_ipi; others set them
    _Atomic uint64_t root;  // of the page table that is active; others look
    uint64_t code_seen;     // see code.c
    uint64_t fault_page;    // of the last fault of a program here: trap.c
    struct hal_guard guard; // of the guarded call made last
    alignas(128) _Atomic uint64_t gate_entered[HAL_GATES_MAX]; // by their numbers: gate.S
    _Atomic uint64_t gate_left[HAL_GATES_MAX];
};

extern struct cpu_block *riscv64_blocks[HAL_CPU_MAX]; // NULL: not started
extern _Atomic uint64_t riscv64_cpu_started;          // bit per processor

static inline struct cpu_block *cpu_block(void) {
    return (struct cpu_block *)(void *)riscv64_block();
}

// Loads tp of the boot hart, so that hal_current() works; and the way of traps.
void smp_init_boot(void);
void smp_init(void);
// An interrupt between harts came.
void smp_interrupt(void);
// The started harts but this one.
uint64_t smp_others(void);

// Says why and stops: an impossible machine, or a bug before core can panic.
NORETURN void riscv64_die(const char *reason);

// ---- features, traps ----------------------------------------------------------------------------

struct features {
    bool sstc; // the timer is the hart's own
    uint64_t hwcap;
};
extern struct features riscv64_features;

void riscv64_features_detect(void); // once
void riscv64_features_enable(void); // each hart

extern struct hal_handlers riscv64_handlers;

// ---- mapping ----------------------------------------------------------------------------------

// Keeps `info`, makes riscv64_early_map() possible. The first call of all.
void riscv64_mmu_early(const struct boot_info *info);
// Maps a page of registers before hal_mmu_init(); the address stays valid. One page.
volatile uint8_t *riscv64_early_map(uint64_t address);
// Maps physical memory for hal's own use, at an address that is never reused, with HAL_MAP_…
// flags. NULL: no memory.
void *riscv64_device_map(uint64_t address, size_t size_bytes, uint32_t flags);
// Writes an instruction of the kernel's text, which stays unwritable where it runs. Others fetch it
// after hal_branch_sync(). Boot or thread context.
void riscv64_text_write(uint64_t address, uint32_t instruction);
void *riscv64_stack_map(size_t size_bytes);
// Takes a zeroed page from the page allocator; value 0: none.
struct paddr riscv64_table_page_alloc(void);
void riscv64_table_page_free(struct paddr page);
struct paddr riscv64_kernel_root(void);
// Writes the kernel's half into a new root.
void riscv64_kernel_half_copy(uint64_t *root);
// The value of satp for a root.
uint64_t riscv64_satp(struct paddr root);
// The level of a root's entries: 2 with Sv39, 3 with Sv48, 4 with Sv57.
extern uint32_t riscv64_root_level;
// The physical address of something in the image.
uint64_t riscv64_image_phys(const void *address);

// Makes what was written to pages fit to be fetched through a page table: at once where it is
// active, before it is activated elsewhere. Preemption off. code.c
void code_publish(struct paddr root);
// The other half, when this hart activated `root`. Interrupts off, or boot context.
void code_activated(struct paddr root);

// ---- firmware, interrupts, time -----------------------------------------------------------------

struct firmware {
    uint64_t timer_hz;
    char isa[ISA_CAPACITY]; // of the boot hart, in the words of isa.h
    bool has_sstc;          // all harts
    bool has_reset;         // SBI's
};
extern struct firmware riscv64_firmware;

// Finds and checks the tree that boot found; dies if it is not there. `hart` booted.
void riscv64_firmware_open(const struct boot_info *info);
// Reads harts and the timer's rate. Dies if it does not say that.
void riscv64_firmware_read(void);

// The tree's list of harts; index 0 is the one that booted.
struct hart {
    uint64_t id;
    uint32_t controller; // phandle of its interrupt controller
};
extern struct hart riscv64_harts[HAL_CPU_MAX];
extern uint32_t riscv64_cpu_total;

enum hx_status plic_init(void);
// A device's interrupt came, perhaps several.
void plic_interrupt(void);

void clock_cpu_init(void);
void clock_interrupt(void);

// The SBI's answer.
struct sbi_result {
    int64_t error; // 0: done
    int64_t value;
};
// A call of the SBI (SBI 1.0, chapter 3). Any context.
struct sbi_result sbi_call(uint64_t extension, uint64_t function, uint64_t a, uint64_t b,
                           uint64_t c, uint64_t d);
// The same, with a mask of harts as its first two arguments, for the processors of `cpus`, behind
// this hart's earlier accesses.
void sbi_call_harts(uint64_t cpus, uint64_t extension, uint64_t function, uint64_t c, uint64_t d);
bool sbi_has(uint64_t extension);

#define SBI_TIME          0x54494d45u // chapter 6; one function: the next interrupt
#define SBI_IPI           0x735049u   // chapter 7; one function
#define SBI_FENCE         0x52464e43u // chapter 8
#define SBI_FENCE_I       0u
#define SBI_FENCE_VMA     1u
#define SBI_HSM           0x48534du // chapter 9
#define SBI_HSM_START     0u
#define SBI_HSM_STATUS    2u
#define SBI_HSM_STOPPED   1
#define SBI_RESET         0x53525354u // chapter 10; one function: kind, reason
#define SBI_RESET_OFF     0u
#define SBI_RESET_RESTART 1u

extern volatile uint8_t *riscv64_exit_device; // NULL: nobody to ask
void riscv64_devices_init(
    void); // the battery clock, the device that ends emulators, the I/O window
