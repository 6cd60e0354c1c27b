// SPDX-License-Identifier: MIT OR Apache-2.0
// hal/aarch64/gic.c: the interrupt controller: GICv2 (Arm IHI 0048) or GICv3 (IHI 0069).
//
// All interrupts are in group 1 and come as IRQ, but the one that stops a processor: it is in group
// 0 and comes as FIQ, which the kernel never masks for long. Where the secure world keeps group 0
// for itself, it comes as IRQ like the others, and a processor that waits with interrupts off finds
// it in hal_relax(). A line is a shared peripheral
// interrupt. It is masked when it fires: one that is an edge stays pending meanwhile, so nothing is
// lost, and a level does not come again until its driver is done. Lines from GIC_LINES on are
// messages through the translation service (gic_its.c).
#include "private.h"

#define DIST_CTLR         0x000u
#define DIST_TYPER        0x004u
#define DIST_GROUP        0x080u // a bit each
#define DIST_SET_ENABLE   0x100u
#define DIST_CLEAR_ENABLE 0x180u
#define DIST_PRIORITY     0x400u  // a byte each
#define DIST_TARGET       0x800u  // GICv2: a byte each
#define DIST_CONFIG       0xc00u  // two bits each; the second one: edge
#define DIST_SGI          0xf00u  // GICv2
#define DIST_ROUTER       0x6000u // GICv3: eight bytes each
#define DIST_BYTES        0x10000u

#define TYPER_LPIS        (1u << 17) // GICv3
#define TYPER_ID_BITS(it) (((it) >> 19 & 31) + 1)

#define CTLR_GROUP0    (1u << 0)
#define CTLR_GROUP1    (1u << 1) // GICv3 with one security state, and GICv2
#define CTLR_AFFINITY  (1u << 4)
#define CTLR_ONE_STATE (1u << 6) // DS
#define CTLR_PENDING   (1u << 31)

#define CPU_CTLR        0x00u // GICv2's processor interface
#define CPU_PRIORITY    0x04u
#define CPU_ACKNOWLEDGE 0x0cu
#define CPU_END         0x10u
#define CPU_BYTES       0x1000u
#define CPU_CTLR_BOTH   (1u << 2) // the acknowledge register serves both groups
#define CPU_CTLR_FIQ    (1u << 3) // group 0 as FIQ

#define CPU_PRIORITY_BITS 8u // ICC_CTLR_EL1.PRIbits: their number, less one

#define REDIST_BYTES   0x20000u // two frames of 64 KiB
#define REDIST_TYPER   0x0008u
#define REDIST_WAKER   0x0014u
#define REDIST_PRIVATE 0x10000u // the frame of private interrupts, laid out as the distributor
#define TYPER_LAST     (1u << 4)
#define TYPER_VIRTUAL  (1u << 1) // with two frames more
#define WAKER_SLEEP    (1u << 1)
#define WAKER_ASLEEP   (1u << 2)

#define PRIORITY_STOP   0x10u
#define PRIORITY_OTHERS 0xa0u
#define PRIORITY_ALL    0xf0u // lets all of these through
#define PRIVATE_COUNT   32u
#define POLLS           1000000u
#define REDIST_REGIONS  4u

static volatile uint8_t *distributor;
static volatile uint8_t *interface; // GICv2; NULL: GICv3
static struct region {
    volatile uint8_t *base;
    uint64_t address;
    uint64_t size;
} regions[REDIST_REGIONS];
static uint32_t region_count;
static bool stop_is_fiq; // GICv3: group 0 is ours
static uint32_t line_count;
static uint32_t typer;

static void *map(uint64_t base, size_t size_bytes) {
    return aarch64_device_map(base, size_bytes, HAL_MAP_READ | HAL_MAP_WRITE | HAL_MAP_UNCACHED);
}

// The registers of the private interrupts, and those of the distributor, are laid out alike. All
// are in group 1 and masked.
static void bank_init(volatile uint8_t *bank, uint32_t first, uint32_t end) {
    for (uint32_t intid = first; intid < end; intid += 32) {
        mmio_write32(bank + DIST_CLEAR_ENABLE + intid / 8, UINT32_MAX);
        mmio_write32(bank + DIST_GROUP + intid / 8, UINT32_MAX);
    }
    for (uint32_t intid = first; intid < end; intid += 4) {
        mmio_write32(bank + DIST_PRIORITY + intid, PRIORITY_OTHERS * 0x01010101u);
    }
}

// The interrupts between processors are on, and one of them is urgent. The register of the groups
// reads as zero and keeps nothing where they are the secure world's (IHI 0069, 12.9.11; IHI 0048,
// 4.3.4).
static void bank_init_private(volatile uint8_t *bank, bool has_group0) {
    bank_init(bank, 0, PRIVATE_COUNT);
    if (has_group0) {
        mmio_write32(bank + DIST_GROUP, ~(1u << INTID_STOP));
    }
    mmio_write8(bank + DIST_PRIORITY + INTID_STOP, PRIORITY_STOP);
    mmio_write32(bank + DIST_SET_ENABLE,
                 1u << INTID_CALL | 1u << INTID_RESCHEDULE | 1u << INTID_STOP);
}

// GICv3: registers that change slowly say so (IHI 0069, 12.9.4).
static void distributor_settle(void) {
    for (uint32_t i = 0; i < POLLS && (mmio_read32(distributor + DIST_CTLR) & CTLR_PENDING); i++) {
        hal_relax();
    }
}

static bool find(const char *const *names, uint32_t count, struct fdt_node *out_node) {
    for (uint32_t i = 0; i < count; i++) {
        fdt_root(&tree_fdt, out_node);
        if (fdt_next_compatible(&tree_fdt, names[i], out_node)) {
            return true;
        }
    }
    return false;
}

static enum hx_status init_v2(const struct fdt_node *node) {
    uint64_t base;
    uint64_t size;
    if (!tree_registers(node, 1, &base, &size)) {
        return HX_ERR_NO_DEVICE;
    }
    interface = map(base, CPU_BYTES);
    if (interface == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    for (uint32_t intid = INTID_SPI; intid < INTID_SPI + line_count; intid += 4) {
        mmio_write32(distributor + DIST_TARGET + intid, 0x01010101u); // the boot processor
    }
    mmio_write32(distributor + DIST_CTLR, CTLR_GROUP0 | CTLR_GROUP1);
    return HX_OK;
}

static enum hx_status init_v3(const struct fdt_node *node) {
    uint64_t base;
    uint64_t size;
    const uint64_t affinity = aarch64_cpu_mpidr[0];
    for (uint32_t i = 0; i < REDIST_REGIONS; i++) {
        if (!tree_registers(node, 1 + i, &base, &size) || size < REDIST_BYTES) {
            break;
        }
        size = MIN_OF(size, 2ull * REDIST_BYTES * HAL_CPU_MAX);
        regions[region_count] = (struct region){ map(base, size), base, size };
        if (regions[region_count].base == NULL) {
            return HX_ERR_NO_MEMORY;
        }
        region_count++;
    }
    mmio_write32(distributor + DIST_CTLR, CTLR_AFFINITY);
    distributor_settle();
    // With two security states the bit is reserved, and zero, for who is not secure (12.9.4).
    stop_is_fiq = (mmio_read32(distributor + DIST_CTLR) & CTLR_ONE_STATE) != 0;
    mmio_write32(distributor + DIST_CTLR,
                 CTLR_AFFINITY | CTLR_GROUP1 | (stop_is_fiq ? CTLR_GROUP0 : 0));
    distributor_settle();
    for (uint32_t intid = INTID_SPI; intid < INTID_SPI + line_count; intid++) {
        mmio_write64(distributor + DIST_ROUTER + (size_t)8 * intid, affinity);
    }
    return HX_OK;
}

enum hx_status gic_init(void) {
    static const char *const v2[] = { "arm,cortex-a15-gic", "arm,gic-400", "arm,cortex-a9-gic" };
    static const char *const v3[] = { "arm,gic-v3" };
    struct fdt_node node;
    uint64_t base;
    uint64_t size;
    const bool is_v3 = find(v3, ARRAY_SIZE(v3), &node);
    if ((!is_v3 && !find(v2, ARRAY_SIZE(v2), &node)) || !tree_registers(&node, 0, &base, &size)) {
        return HX_ERR_NO_DEVICE;
    }
    distributor = map(base, is_v3 ? DIST_BYTES : CPU_BYTES);
    if (distributor == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    mmio_write32(distributor + DIST_CTLR, 0);
    if (is_v3) {
        distributor_settle();
    }
    typer = mmio_read32(distributor + DIST_TYPER);
    const uint32_t intids = 32 * ((typer & 31) + 1);
    line_count = MIN_OF(intids - PRIVATE_COUNT, GIC_LINES);
    bank_init(distributor, INTID_SPI, INTID_SPI + line_count);
    return is_v3 ? init_v3(&node) : init_v2(&node);
}

// The redistributor whose affinity is this processor's (IHI 0069, 12.10).
static volatile uint8_t *redistributor_find(void) {
    const uint64_t mpidr = cpu_block()->mpidr != 0 ? cpu_block()->mpidr : aarch64_cpu_mpidr[0];
    const uint64_t affinity = (mpidr >> 32 & 0xff) << 24 | (mpidr & 0xffffff);
    for (uint32_t i = 0; i < region_count; i++) {
        volatile uint8_t *at = regions[i].base;
        while ((uint64_t)(at - regions[i].base) + REDIST_BYTES <= regions[i].size) {
            const uint64_t kind = mmio_read64(at + REDIST_TYPER);
            if (kind >> 32 == affinity) {
                return at;
            }
            if (kind & TYPER_LAST) {
                break;
            }
            at += kind & TYPER_VIRTUAL ? 2 * REDIST_BYTES : REDIST_BYTES;
        }
    }
    return NULL;
}

uint64_t gic_redistributor_address(void) {
    const volatile uint8_t *mine = cpu_block()->redistributor;
    for (uint32_t i = 0; i < region_count; i++) {
        const uint64_t offset = (uint64_t)(mine - regions[i].base);
        if (mine >= regions[i].base && offset < regions[i].size) {
            return regions[i].address + offset;
        }
    }
    return 0;
}

// Also with one state, firmware in EL3 may take what comes as FIQ (SCR_EL3.FIQ). Then the registers
// of group 0 trap there, and priorities are told as the lower half of what they are (4.8.1): the
// least one that is not 0 is rounded to the end of the upper half and read as 0.
static bool priorities_are_whole(void) {
    const uint32_t bits = (uint32_t)(sysreg_read(ICC_CTLR_EL1) >> CPU_PRIORITY_BITS & 7) + 1;
    sysreg_write(ICC_PMR_EL1, 1u << (8 - bits));
    isb();
    return sysreg_read(ICC_PMR_EL1) != 0;
}

static enum hx_status cpu_init_v3(void) {
    volatile uint8_t *mine = redistributor_find();
    if (mine == NULL) {
        return HX_ERR_NO_DEVICE;
    }
    cpu_block()->redistributor = mine;
    mmio_write32(mine + REDIST_WAKER, mmio_read32(mine + REDIST_WAKER) & ~WAKER_SLEEP);
    for (uint32_t i = 0; i < POLLS && (mmio_read32(mine + REDIST_WAKER) & WAKER_ASLEEP); i++) {
        hal_relax();
    }
    sysreg_write(ICC_SRE_EL1, sysreg_read(ICC_SRE_EL1) | 1);
    isb();
    if (cpu_block()->id == 0) {
        stop_is_fiq = stop_is_fiq && priorities_are_whole();
    }
    bank_init_private(mine + REDIST_PRIVATE, stop_is_fiq);
    sysreg_write(ICC_PMR_EL1, PRIORITY_ALL);
    sysreg_write(ICC_CTLR_EL1, 0);
    if (stop_is_fiq) {
        sysreg_write(ICC_IGRPEN0_EL1, 1);
    }
    sysreg_write(ICC_IGRPEN1_EL1, 1);
    isb();
    return HX_OK;
}

enum hx_status gic_cpu_init(void) {
    if (interface == NULL) {
        return cpu_init_v3();
    }
    bank_init_private(distributor, true); // that part is each processor's own
    mmio_write32(interface + CPU_PRIORITY, PRIORITY_ALL);
    mmio_write32(interface + CPU_CTLR, CTLR_GROUP0 | CTLR_GROUP1 | CPU_CTLR_BOTH | CPU_CTLR_FIQ);
    return HX_OK;
}

void gic_ppi_enable(uint32_t intid) {
    volatile uint8_t *bank =
        interface != NULL ? distributor : cpu_block()->redistributor + REDIST_PRIVATE;
    mmio_write32(bank + DIST_SET_ENABLE, 1u << intid);
}

// GICv2 names processors by the number of their interface, which is their place in the cluster;
// GICv3 by affinity (IHI 0069, 12.2.20).
void gic_send(struct cpu_block *to, uint32_t intid) {
    const uint64_t mpidr = to->mpidr;
    if (interface != NULL) {
        const uint32_t group = intid == INTID_STOP ? 0 : 1u << 15;
        mmio_write32(distributor + DIST_SGI, 1u << (16 + (mpidr & 7)) | group | intid);
        return;
    }
    const uint64_t value = (mpidr >> 32 & 0xff) << 48 | (mpidr >> 16 & 0xff) << 32 |
                           (mpidr >> 8 & 0xff) << 16 | (uint64_t)intid << 24 |
                           (mpidr >> 4 & 0xf) << 44 | 1ull << (mpidr & 15);
    if (intid == INTID_STOP && stop_is_fiq) {
        sysreg_write(ICC_SGI0R_EL1, value);
    } else {
        sysreg_write(ICC_SGI1R_EL1, value);
    }
    isb();
}

// What is acknowledged happened before the handler's accesses: DSB (IHI 0069, 12.2.14). GICv2's
// register is a device's, behind which a load from memory does not wait by itself (Arm ARM,
// B2.3.7): the handler could miss what the sender of the interrupt wrote before.
uint32_t gic_acknowledge(void) {
    const uint32_t token = interface != NULL ? mmio_read32(interface + CPU_ACKNOWLEDGE)
                                             : (uint32_t)sysreg_read(ICC_IAR1_EL1);
    __asm__ volatile("dsb sy" : : : "memory");
    return token;
}

void gic_end(uint32_t token) {
    if (interface != NULL) {
        mmio_write32(interface + CPU_END, token);
    } else {
        sysreg_write(ICC_EOIR1_EL1, token);
        isb();
    }
}

uint32_t gic_acknowledge_stop(void) {
    return interface != NULL ? gic_acknowledge() : (uint32_t)sysreg_read(ICC_IAR0_EL1);
}

void gic_end_stop(uint32_t token) {
    if (interface != NULL) {
        gic_end(token);
    } else {
        sysreg_write(ICC_EOIR0_EL1, token);
        isb();
    }
}

bool gic_lines_edge(uint32_t first, uint32_t count) {
    if (first > line_count || count > line_count - first) {
        return false;
    }
    for (uint32_t line = first; line < first + count; line++) {
        const uint32_t intid = INTID_SPI + line;
        volatile uint8_t *word = distributor + DIST_CONFIG + intid / 16 * 4;
        mmio_write32(word, mmio_read32(word) | 2u << intid % 16 * 2);
    }
    return true;
}

uint32_t gic_lpi_bits(void) {
    const bool has_lpis = interface == NULL && (typer & TYPER_LPIS) != 0;
    return has_lpis ? TYPER_ID_BITS(typer) : 0;
}

enum hx_status hal_irq_message(uint32_t function, uint32_t *out_line, uint64_t *out_address,
                               uint32_t *out_data) {
    enum hx_status status = gic_its_message(function, out_line, out_address, out_data);
    return status == HX_ERR_NOT_SUPPORTED ? gic_v2m_message(out_line, out_address, out_data)
                                          : status;
}

enum hx_status hal_irq_enable(uint32_t line) {
    if (line >= GIC_LINES) {
        return gic_its_switch(line - GIC_LINES, true);
    }
    if (line >= line_count) {
        return HX_ERR_NO_DEVICE;
    }
    const uint32_t intid = INTID_SPI + line;
    mmio_write32(distributor + DIST_SET_ENABLE + intid / 32 * 4, 1u << intid % 32);
    return HX_OK;
}

// A line that is off does not come again once the distributor took the write.
void hal_irq_disable(uint32_t line) {
    if (line >= GIC_LINES) {
        HX_IGNORE(gic_its_switch(line - GIC_LINES, false)); // there is none such
        return;
    }
    if (line >= line_count) {
        return;
    }
    const uint32_t intid = INTID_SPI + line;
    mmio_write32(distributor + DIST_CLEAR_ENABLE + intid / 32 * 4, 1u << intid % 32);
    if (interface == NULL) {
        distributor_settle();
    }
}
