// SPDX-License-Identifier: MIT OR Apache-2.0
// hal/aarch64/private.h: what the files of this folder share. Nobody else includes it.
#pragma once

#include "../firmware/fdt/tree.h"
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

// ---- processors -------------------------------------------------------------------------------

#define EMERGENCY_BYTES (2 * PAGE_SIZE)

// One per processor; TPIDR_EL1 points at it in kernel mode. <hal_arch/cpu.h> and block.h know the
// offsets of the first fields. Written by its own processor only, except before it starts.
struct cpu_block {
    void *data;
    void *current;
    uint32_t id;
    uint32_t pad;
    uint64_t emergency_top; // the stack of faults that find no room on theirs
    uint64_t scratch;       // the stack pointer of such a fault
    uint64_t mpidr;
    volatile uint8_t *redistributor;                           // GICv3
    alignas(64) struct hal_guard guard;                        // of the guarded call made last
    alignas(128) _Atomic uint64_t gate_entered[HAL_GATES_MAX]; // by their numbers: gate.S
    _Atomic uint64_t gate_left[HAL_GATES_MAX];
};

extern struct cpu_block *aarch64_blocks[HAL_CPU_MAX]; // NULL: not started

static inline struct cpu_block *cpu_block(void) {
    return (struct cpu_block *)(void *)aarch64_block();
}

// Loads TPIDR_EL1 of the boot processor, so that hal_current() works; and the vectors.
void smp_init_boot(void);

// Says why and stops: an impossible machine, or a bug before core can panic.
NORETURN void aarch64_die(const char *reason);

// ---- features ---------------------------------------------------------------------------------

struct features {
    bool pan, random;
    uint64_t hwcap, hwcap2;
};
extern struct features aarch64_features;

void aarch64_features_detect(void); // boot processor, once; patches the text
void aarch64_features_enable(void); // each processor

// ---- traps ------------------------------------------------------------------------------------

extern struct hal_handlers aarch64_handlers;

// ---- mapping ----------------------------------------------------------------------------------

// Keeps `info`, makes aarch64_early_map() possible. The first call of all.
void aarch64_mmu_early(const struct boot_info *info);
// Maps a page of registers before hal_mmu_init(); the address stays valid. One page.
volatile uint8_t *aarch64_early_map(uint64_t address);
// Maps physical memory for hal's own use, at an address that is never reused, with HAL_MAP_…
// flags. NULL: no memory.
void *aarch64_device_map(uint64_t address, size_t size_bytes, uint32_t flags);
// Writes an instruction of the kernel's text, which stays unwritable where it runs, and makes it
// fit to be fetched everywhere. Boot or thread context.
void aarch64_text_write(uint64_t address, uint32_t instruction);
void *aarch64_stack_map(size_t size_bytes);
// Writes memory back to where devices that look into no cache see it; earlier stores are there when
// it returns.
void aarch64_cache_clean(const void *start, size_t size_bytes);
// Takes a zeroed block from the page allocator, of a size that is a power of two and at a multiple
// of it; value 0: none.
struct paddr aarch64_block_alloc(size_t size_bytes);
// Makes what was written to a page fit to be fetched by programs.
void aarch64_code_publish(const void *start, size_t size_bytes);
// Takes a zeroed page from the page allocator; value 0: none.
struct paddr aarch64_table_page_alloc(void);
void aarch64_table_page_free(struct paddr page);
struct paddr aarch64_kernel_root(void);
// The physical address of something in the image.
uint64_t aarch64_image_phys(const void *address);
// The identity map for processors that start, its root.
struct paddr aarch64_start_root(void);
// A root that maps nothing.
struct paddr aarch64_empty_root(void);

// ---- firmware, interrupts, time -----------------------------------------------------------------

#define TIMER_PPI_DEFAULT 27u

struct firmware {
    uint32_t timer_intid; // of the virtual timer
    bool has_psci;
    bool psci_by_smc;
};
extern struct firmware aarch64_firmware;

// Finds and checks the tree that boot found; dies if it is not there.
void aarch64_firmware_open(const struct boot_info *info);
// Reads processors, timer, PSCI.
void aarch64_firmware_read(void);
// Number of a private interrupt of a node's "interrupts" property, as the GIC counts them; false:
// it is none.
bool aarch64_firmware_interrupt(const struct fdt_node *node, uint32_t index, uint32_t *out_intid);

// The tree's list of processors; index 0 is the one that booted.
extern uint64_t aarch64_cpu_mpidr[HAL_CPU_MAX];
extern uint32_t aarch64_cpu_total;
extern _Atomic uint64_t aarch64_cpu_started; // bit per processor

#define INTID_CALL       0u // software-generated
#define INTID_RESCHEDULE 1u
#define INTID_STOP       2u // comes as FIQ, which the kernel never masks for long, if it can (gic.c)
#define INTID_SPI        32u
#define INTID_NONE       1020u  // from here on there is none
#define INTID_MASK       0x3ffu // of what is acknowledged below INTID_LPI: GICv2 adds who sent it
#define INTID_LPI        8192u

#define GIC_LINES 224u // shared peripheral interrupts; the lines behind them are messages' (ITS)

enum hx_status gic_init(void);     // once
enum hx_status gic_cpu_init(void); // each processor
void gic_send(struct cpu_block *to, uint32_t intid);
uint32_t gic_acknowledge(void);
void gic_end(uint32_t intid);
uint32_t gic_acknowledge_stop(void);
void gic_end_stop(uint32_t intid);
void gic_ppi_enable(uint32_t intid);
// Makes lines edge-triggered; false: there are no such lines. Boot context, before they are
// enabled.
bool gic_lines_edge(uint32_t first, uint32_t count);
// How many bits LPIs' numbers have; 0: there are none. After gic_init().
uint32_t gic_lpi_bits(void);
// Where the boot processor's redistributor is. GICv3, after gic_cpu_init().
uint64_t gic_redistributor_address(void);

void gic_v2m_init(void); // once, after gic_init(); without its frame it has no messages
enum hx_status gic_v2m_message(uint32_t *out_line, uint64_t *out_address, uint32_t *out_data);
void gic_its_init(void); // once, after gic_cpu_init(); without one it has no messages
// As hal_irq_message().
enum hx_status gic_its_message(uint32_t function, uint32_t *out_line, uint64_t *out_address,
                               uint32_t *out_data);
// Lets a message through, or holds it back; it is not lost then. `line` counts from GIC_LINES on.
// Any context. HX_ERR_NO_DEVICE: there is no such message, or the service does not answer
enum hx_status gic_its_switch(uint32_t line, bool on);

void clock_cpu_init(void);
void clock_interrupt(void);
void clock_spin(uint64_t microseconds);

void smp_init(void);

// PSCI (DEN0022). The result is one of its statuses.
int64_t psci_call(uint64_t function, uint64_t a, uint64_t b, uint64_t c);
#define PSCI_SYSTEM_OFF   0x84000008u
#define PSCI_SYSTEM_RESET 0x84000009u
#define PSCI_CPU_ON       0xc4000003u

void aarch64_devices_init(void); // the battery clock, the I/O window
