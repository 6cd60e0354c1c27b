// SPDX-License-Identifier: MIT OR Apache-2.0
// hal/riscv64/plic.c: the platform-level interrupt controller (RISC-V PLIC specification 1.0.0).
//
// A line is a source. It is masked by its priority, 0, and stays enabled for the boot hart's
// context, for a completion counts only then (chapter 9). A source that is masked stays pending, so
// nothing is lost.
#include "private.h"

#define PRIORITY       0x0u      // four bytes per source
#define ENABLE         0x2000u   // a bit per source
#define ENABLE_BYTES   0x80u     // per context
#define CONTEXT        0x200000u // threshold, claim and completion
#define CONTEXT_BYTES  0x1000u
#define CONTEXT_CLAIM  4u
#define CONTEXTS_MAX   15872u
#define SOURCES_MAX    1024u
#define SOURCES_WORD   32u
#define CAUSE_EXTERNAL 9u // S-mode's, in "interrupts-extended"

static volatile uint8_t *registers;
static volatile uint8_t *context; // the boot hart's
static uint32_t source_count;     // sources are 1 … source_count

// Contexts are numbered in the order of "interrupts-extended": pairs of a hart's own controller and
// the cause that it raises there (Linux 6.1, bindings/interrupt-controller/sifive,plic-1.0.0.yaml).
// False behind the last one; *out_controller is 0 if the context is not S-mode's.
static bool context_read(const struct fdt_property *contexts, uint32_t number,
                         uint32_t *out_controller) {
    uint32_t cause;
    if (number >= CONTEXTS_MAX || !fdt_u32(contexts, 2 * number, out_controller) ||
        !fdt_u32(contexts, 2 * number + 1, &cause)) {
        return false;
    }
    *out_controller = cause == CAUSE_EXTERNAL ? *out_controller : 0;
    return true;
}

// The boot hart's.
static bool context_find(const struct fdt_property *contexts, uint32_t *out_number) {
    uint32_t controller;
    for (uint32_t i = 0; context_read(contexts, i, &controller); i++) {
        if (controller != 0 && controller == riscv64_harts[0].controller) {
            *out_number = i;
            return true;
        }
    }
    return false;
}

static bool plic_find(struct fdt_node *out_node) {
    static const char *const names[] = { "sifive,plic-1.0.0", "riscv,plic0" };
    for (uint32_t i = 0; i < ARRAY_SIZE(names); i++) {
        fdt_root(&tree_fdt, out_node);
        if (fdt_next_compatible(&tree_fdt, names[i], out_node)) {
            return true;
        }
    }
    return false;
}

// The sources of a word that are ours; firmware may have left others on, which nobody would ever
// turn off.
static uint32_t enabled_of(uint32_t word) {
    const uint32_t first = word * SOURCES_WORD;
    const uint32_t known = source_count + 1; // 0 is none
    return known >= first + SOURCES_WORD ? UINT32_MAX
           : known > first               ? (1u << (known - first)) - 1
                                         : 0;
}

// M-mode's contexts are the firmware's. Where others of S-mode were left on, each interrupt would
// wait for them, too, and be there for whoever takes these harts' interrupts one day.
static void contexts_set(const struct fdt_property *contexts, uint32_t ours) {
    uint32_t controller;
    for (uint32_t i = 0; context_read(contexts, i, &controller); i++) {
        for (uint32_t word = 0; controller != 0 && word < SOURCES_MAX / SOURCES_WORD; word++) {
            mmio_write32(registers + ENABLE + (size_t)i * ENABLE_BYTES + (size_t)4 * word,
                         i == ours ? enabled_of(word) : 0);
        }
    }
}

enum hx_status plic_init(void) {
    struct fdt_node node;
    struct fdt_property property;
    struct fdt_property contexts;
    uint64_t base;
    uint64_t size;
    uint32_t number;
    if (!plic_find(&node) || !tree_registers(&node, 0, &base, &size) ||
        !fdt_property(&tree_fdt, &node, "riscv,ndev", &property) ||
        !fdt_u32(&property, 0, &source_count) ||
        !fdt_property(&tree_fdt, &node, "interrupts-extended", &contexts) ||
        !context_find(&contexts, &number) ||
        size < CONTEXT + (uint64_t)(number + 1) * CONTEXT_BYTES) {
        return HX_ERR_NO_DEVICE;
    }
    source_count = MIN_OF(source_count, MIN_OF(HAL_IRQ_LINES, SOURCES_MAX) - 1);
    registers = hal_device_map(paddr_make(base), CONTEXT + (size_t)(number + 1) * CONTEXT_BYTES);
    if (registers == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    context = registers + CONTEXT + (size_t)number * CONTEXT_BYTES;
    for (uint32_t source = 1; source <= source_count; source++) {
        mmio_write32(registers + PRIORITY + (size_t)4 * source, 0);
    }
    contexts_set(&contexts, number);
    mmio_write32(context, 0); // any priority comes through
    return HX_OK;
}

// Until there is none: one that comes behind the last claim raises the interrupt again.
void plic_interrupt(void) {
    uint32_t source;
    while ((source = mmio_read32(context + CONTEXT_CLAIM)) != 0) {
        hal_irq_disable(source);
        mmio_write32(context + CONTEXT_CLAIM, source);
        riscv64_handlers.interrupt(source);
    }
}

enum hx_status hal_irq_enable(uint32_t line) {
    if (line == 0 || line > source_count) {
        return HX_ERR_NO_DEVICE;
    }
    mmio_write32(registers + PRIORITY + (size_t)4 * line, 1);
    return HX_OK;
}

void hal_irq_disable(uint32_t line) {
    if (line != 0 && line <= source_count) {
        mmio_write32(registers + PRIORITY + (size_t)4 * line, 0);
    }
}

static uint32_t line_of(const uint32_t *cells) {
    return cells[0] != 0 && cells[0] < HAL_IRQ_LINES ? cells[0] : HAL_IRQ_LINES;
}

const struct tree_controller tree_controller = { .interrupt_cells = 1, .line = line_of };

// There is none without an incoming message controller (IMSIC).
enum hx_status hal_irq_message(uint32_t function, uint32_t *out_line, uint64_t *out_address,
                               uint32_t *out_data) {
    (void)function;
    (void)out_line;
    (void)out_address;
    (void)out_data;
    return HX_ERR_NOT_SUPPORTED;
}
