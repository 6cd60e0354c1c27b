// SPDX-License-Identifier: MIT OR Apache-2.0
// hal/aarch64/gic_its.c: GICv3's interrupt translation service (Arm IHI 0069, chapter 5):
// a write of an event's number to a register, by a device that the bus names, becomes a
// locality-specific peripheral interrupt (LPI). The first service of the tree is used, and all LPIs
// go to the boot processor, whose redistributor is the only one that takes any.
//
// The service and the redistributor look into no cache, as what they are told says; so what is
// written for them is cleaned, and what they write is never read. Commands are given one by one,
// each followed by the one that waits for its effects.
#include "private.h"

#include <lib/string.h>

#define SERVICE_BYTES 0x20000u // two frames of 64 KiB: registers, and where messages go
#define CONTROL_BYTES 0x10000u
#define TRANSLATER    0x10040u

#define ITS_CTLR            0x0000u // GITS_CTLR; the registers are in chapter 12
#define ITS_TYPER           0x0008u
#define ITS_COMMANDS        0x0080u
#define ITS_WRITTEN         0x0088u
#define ITS_READ            0x0090u
#define ITS_TABLE           0x0100u // eight bytes each
#define ITS_TABLES          8u
#define ITS_ON              (1u << 0)
#define ITS_QUIET           (1u << 31)
#define ITS_STALLED         1u
#define TYPER_ENTRY(it)     (((it) >> 4 & 15) + 1)
#define TYPER_EVENTS(it)    (((it) >> 8 & 31) + 1)
#define TYPER_DEVICES(it)   (((it) >> 13 & 31) + 1)
#define TYPER_BY_ADDRESS    (1u << 19) // PTA
#define TABLE_KIND(it)      ((it) >> 56 & 7)
#define TABLE_DEVICES       1u
#define TABLE_COLLECTIONS   4u
#define TABLE_ENTRY(it)     (((it) >> 48 & 31) + 1)
#define TABLE_PAGE(code)    ((uint64_t)(code) << 8)
#define TABLE_PAGE_MASK     TABLE_PAGE(3)
#define TABLE_PAGES         3u // their codes: 4, 16 and 64 KiB
#define TABLE_ADDRESS_LIMIT (1ull << 48)
#define VALID               (1ull << 63)
#define TABLE_UNCACHED      (1ull << 59) // of a table and of the commands: normal, not cacheable

#define REDIST_CTLR      0x0000u // GICR_CTLR
#define REDIST_TYPER     0x0008u
#define REDIST_CONFIG    0x0070u // PROPBASER
#define REDIST_PENDING   0x0078u // PENDBASER
#define CTLR_LPIS        (1u << 0)
#define CTLR_WRITING     (1u << 3)
#define TYPER_TAKES_LPIS (1u << 0)
#define TYPER_NUMBER(it) ((it) >> 8 & 0xffff)
#define REDIST_UNCACHED  (1ull << 7)
#define PENDING_IS_ZERO  (1ull << 62)
#define CONFIG_ID_BITS   14u // the least that there are (GICR_PROPBASER)
#define CONFIG_BYTES     ((1u << CONFIG_ID_BITS) - INTID_LPI)
#define CONFIG_HELD      0xa0u // priority; bit 0: it comes
#define CONFIG_ON        1u

#define COMMAND_SYNC  0x05u // 5.3, "ITS commands"
#define COMMAND_MAPD  0x08u
#define COMMAND_MAPC  0x09u
#define COMMAND_MAPTI 0x0au
#define COMMAND_INV   0x0cu
#define COMMAND_BYTES 32u
#define COMMANDS      (PAGE_SIZE / COMMAND_BYTES)

#define BLOCK_BYTES  ((size_t)0x10000)
#define MESSAGES_MAX (HAL_IRQ_LINES - GIC_LINES)
#define EVENT_BITS   4u  // of a device's
#define ENTRY_MAX    16u // bytes of an event's entry
#define EVENTS_BYTES ((uint64_t)ENTRY_MAX << EVENT_BITS)
#define POLLS        1000000u

// What the service and the redistributor are given, in a block that begins at a multiple of its
// size, as the commands have to: of an address that is none of 64 KiB the service may take
// something else (GITS_CBASER, bits 15 to 12). The tables of events begin at multiples of 256
// (MAPD). The pending table, which begins at such a multiple, too (GICR_PENDBASER), has a block of
// its own.
struct shared {
    uint64_t commands[COMMANDS][COMMAND_BYTES / 8];
    _Atomic uint8_t config[CONFIG_BYTES];
    uint8_t events[MESSAGES_MAX][EVENTS_BYTES];
};
_Static_assert(sizeof(struct shared) <= BLOCK_BYTES, "make the block larger");
_Static_assert(BLOCK_BYTES % 0x10000 == 0 && offsetof(struct shared, commands) == 0, "CBASER");
_Static_assert(offsetof(struct shared, config) % PAGE_SIZE == 0, "GICR_PROPBASER");
_Static_assert((1u << CONFIG_ID_BITS) / 8 <= BLOCK_BYTES, "pending: a bit for each number");
_Static_assert(EVENTS_BYTES % 256 == 0 && offsetof(struct shared, events) % 256 == 0, "MAPD");

static volatile uint8_t *registers; // NULL: there is no service
static uint64_t address;            // of the service
static uint32_t phandle;            // as the tree calls it
static uint64_t device_limit;       // numbers of devices from here on have no entry
static struct shared *shared;
static uint64_t shared_address;
static uint64_t pending_address;
static uint64_t target; // the redistributor, as commands name it

static atomic_flag lock = ATOMIC_FLAG_INIT; // guards all below
static uint32_t command_next;
static bool is_broken; // it does not take commands any more
static uint32_t device_count;
static struct device {
    uint32_t id;
    uint32_t events; // that are taken
} devices[MESSAGES_MAX];
static _Atomic uint32_t message_count; // [lock for writing]
static struct message {
    uint32_t device;
    uint32_t event;
} messages[MESSAGES_MAX]; // below message_count they do not change

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

// Until the bits of a register are off; false: they stay.
static bool settles(const volatile uint8_t *at, uint32_t bits) {
    for (uint32_t i = 0; i < POLLS; i++) {
        if ((mmio_read32(at) & bits) == 0) {
            return true;
        }
        hal_relax();
    }
    return false;
}

// Commands
// ------------------------------------------------------------------------------------------------

// Gives one command and waits until it is taken (GITS_CREADR). A service that does not take it is
// not used any more.
static void command_give_locked(uint64_t first, uint64_t second, uint64_t third) {
    if (is_broken) {
        return;
    }
    uint64_t *words = shared->commands[command_next];
    words[0] = first;
    words[1] = second;
    words[2] = third;
    words[3] = 0;
    aarch64_cache_clean(words, COMMAND_BYTES);
    command_next = (command_next + 1) % COMMANDS;
    mmio_write64(registers + ITS_WRITTEN, (uint64_t)command_next * COMMAND_BYTES);
    uint64_t read = 0;
    for (uint32_t i = 0; i < POLLS; i++) {
        read = mmio_read64(registers + ITS_READ);
        if (read == (uint64_t)command_next * COMMAND_BYTES || (read & ITS_STALLED) != 0) {
            break;
        }
        hal_relax();
    }
    is_broken = read != (uint64_t)command_next * COMMAND_BYTES;
}

// What was commanded before has its effects (SYNC).
static bool commands_end_locked(void) {
    command_give_locked(COMMAND_SYNC, 0, target);
    return !is_broken;
}

static uint64_t of_device(uint32_t command, uint32_t device) {
    return (uint64_t)device << 32 | command;
}

// Messages
// ------------------------------------------------------------------------------------------------

// The device's place in the list, and in the tables of events; a new one gets its table (MAPD).
// NULL: there is no room, or no entry for its number.
static struct device *device_find_locked(uint32_t id) {
    for (uint32_t i = 0; i < device_count; i++) {
        if (devices[i].id == id) {
            return &devices[i];
        }
    }
    if (device_count == MESSAGES_MAX || id >= device_limit) {
        return NULL;
    }
    const uint64_t table =
        shared_address + offsetof(struct shared, events) + device_count * EVENTS_BYTES;
    command_give_locked(of_device(COMMAND_MAPD, id), EVENT_BITS - 1, table | VALID);
    devices[device_count] = (struct device){ .id = id };
    return &devices[device_count++];
}

// One more of its events, to the next LPI, in the one collection (MAPTI).
static enum hx_status message_add_locked(uint32_t id, uint32_t *out_message, uint32_t *out_event) {
    const uint32_t mine = atomic_load_explicit(&message_count, memory_order_relaxed);
    struct device *device = mine < MESSAGES_MAX ? device_find_locked(id) : NULL;
    if (device == NULL || device->events == 1u << EVENT_BITS) {
        return HX_ERR_NO_DEVICE;
    }
    command_give_locked(of_device(COMMAND_MAPTI, id),
                        (uint64_t)(INTID_LPI + mine) << 32 | device->events, 0);
    if (!commands_end_locked()) {
        return HX_ERR_NO_DEVICE;
    }
    messages[mine] = (struct message){ .device = id, .event = device->events };
    *out_message = mine;
    *out_event = device->events++;
    // Release: who sees the number finds the message.
    atomic_store_explicit(&message_count, mine + 1, memory_order_release);
    return HX_OK;
}

enum hx_status gic_its_message(uint32_t function, uint32_t *out_line, uint64_t *out_address,
                               uint32_t *out_data) {
    uint32_t id;
    uint32_t message;
    if (registers == NULL || !tree_message_id(function, phandle, &id)) {
        return HX_ERR_NOT_SUPPORTED;
    }
    unsigned long state = lock_take();
    enum hx_status status = message_add_locked(id, &message, out_data);
    lock_drop(state);
    if (status == HX_OK) {
        *out_line = GIC_LINES + message;
        *out_address = address + TRANSLATER;
    }
    return status;
}

// What is kept of the LPI's entry is read again after INV; its state is pending meanwhile.
enum hx_status gic_its_switch(uint32_t line, bool on) {
    const uint8_t wanted = on ? CONFIG_HELD | CONFIG_ON : CONFIG_HELD;
    if (line >= atomic_load_explicit(&message_count, memory_order_acquire)) {
        return HX_ERR_NO_DEVICE;
    }
    // Relaxed: whoever changes it right now has not returned yet.
    if (atomic_load_explicit(&shared->config[line], memory_order_relaxed) == wanted) {
        return HX_OK;
    }
    unsigned long state = lock_take();
    atomic_store_explicit(&shared->config[line], wanted, memory_order_relaxed);
    aarch64_cache_clean((const void *)&shared->config[line], 1);
    command_give_locked(of_device(COMMAND_INV, messages[line].device), messages[line].event, 0);
    const bool is_done = commands_end_locked();
    lock_drop(state);
    return is_done ? HX_OK : HX_ERR_NO_DEVICE;
}

// Start
// ------------------------------------------------------------------------------------------------

// Gives a table its block, in pages of whatever size the service has (GITS_BASER). False: no
// memory, or it takes none of them.
static bool table_set(volatile uint8_t *at) {
    const uint64_t was = mmio_read64(at);
    if (TABLE_KIND(was) != TABLE_DEVICES && TABLE_KIND(was) != TABLE_COLLECTIONS) {
        return true;
    }
    const struct paddr block = aarch64_block_alloc(BLOCK_BYTES);
    if (block.value == 0 || block.value >= TABLE_ADDRESS_LIMIT) {
        return false;
    }
    aarch64_cache_clean(hal_phys_to_virt(block), BLOCK_BYTES);
    if (TABLE_KIND(was) == TABLE_DEVICES) {
        device_limit = MIN_OF(device_limit, BLOCK_BYTES / TABLE_ENTRY(was));
    }
    for (uint32_t code = 0; code < TABLE_PAGES; code++) {
        const uint64_t pages = BLOCK_BYTES >> (PAGE_SHIFT + 2 * code);
        const uint64_t value =
            VALID | TABLE_UNCACHED | block.value | TABLE_PAGE(code) | (pages - 1);
        mmio_write64(at, value);
        if ((mmio_read64(at) & (VALID | TABLE_PAGE_MASK)) == (VALID | TABLE_PAGE(code))) {
            return true;
        }
    }
    return false;
}

// The redistributor learns where LPIs' configuration and state are, before it takes any; afterwards
// it may not be told (GICR_CTLR.EnableLPIs). A firmware that left it on is in the way if it stays
// so.
static bool redistributor_start(volatile uint8_t *mine) {
    if ((mmio_read64(mine + REDIST_TYPER) & TYPER_TAKES_LPIS) == 0) {
        return false;
    }
    const uint32_t control = mmio_read32(mine + REDIST_CTLR) & ~CTLR_LPIS;
    mmio_write32(mine + REDIST_CTLR, control);
    if (!settles(mine + REDIST_CTLR, CTLR_WRITING | CTLR_LPIS)) {
        return false;
    }
    mmio_write64(mine + REDIST_CONFIG, (shared_address + offsetof(struct shared, config)) |
                                           REDIST_UNCACHED | (CONFIG_ID_BITS - 1));
    mmio_write64(mine + REDIST_PENDING, pending_address | REDIST_UNCACHED | PENDING_IS_ZERO);
    mmio_write32(mine + REDIST_CTLR, control | CTLR_LPIS);
    __asm__ volatile("dsb sy" : : : "memory"); // before the service sends any
    return true;
}

static bool service_start(void) {
    mmio_write32(registers + ITS_CTLR, mmio_read32(registers + ITS_CTLR) & ~ITS_ON);
    for (uint32_t i = 0; (mmio_read32(registers + ITS_CTLR) & ITS_QUIET) == 0; i++) {
        if (i == POLLS) {
            return false;
        }
    }
    for (uint32_t i = 0; i < ITS_TABLES; i++) {
        if (!table_set(registers + ITS_TABLE + (size_t)8 * i)) {
            return false;
        }
    }
    mmio_write64(registers + ITS_COMMANDS,
                 (shared_address + offsetof(struct shared, commands)) | VALID | TABLE_UNCACHED);
    mmio_write64(registers + ITS_WRITTEN, 0);
    mmio_write32(registers + ITS_CTLR, mmio_read32(registers + ITS_CTLR) | ITS_ON);
    return true;
}

// The one collection, number 0, is the boot processor's (MAPC).
static bool collection_map(uint64_t typer, volatile uint8_t *mine) {
    target = (typer & TYPER_BY_ADDRESS) != 0 ? gic_redistributor_address()
                                             : TYPER_NUMBER(mmio_read64(mine + REDIST_TYPER)) << 16;
    command_give_locked(COMMAND_MAPC, 0, VALID | target);
    return commands_end_locked();
}

static bool memory_take(void) {
    const struct paddr block = aarch64_block_alloc(BLOCK_BYTES);
    const struct paddr pending = aarch64_block_alloc(BLOCK_BYTES);
    if (block.value == 0 || pending.value == 0) {
        return false;
    }
    shared_address = block.value;
    pending_address = pending.value;
    shared = hal_phys_to_virt(block);
    memset((void *)shared->config, CONFIG_HELD, CONFIG_BYTES);
    aarch64_cache_clean(shared, BLOCK_BYTES);
    aarch64_cache_clean(hal_phys_to_virt(pending), BLOCK_BYTES);
    return true;
}

static bool find(void) {
    struct fdt_node node;
    struct fdt_property property;
    uint64_t size;
    fdt_root(&tree_fdt, &node);
    if (gic_lpi_bits() < CONFIG_ID_BITS ||
        !fdt_next_compatible(&tree_fdt, "arm,gic-v3-its", &node) ||
        !fdt_property(&tree_fdt, &node, "phandle", &property) || !fdt_u32(&property, 0, &phandle) ||
        !tree_registers(&node, 0, &address, &size) || size < SERVICE_BYTES) {
        return false;
    }
    registers =
        aarch64_device_map(address, CONTROL_BYTES, HAL_MAP_READ | HAL_MAP_WRITE | HAL_MAP_UNCACHED);
    return registers != NULL;
}

void gic_its_init(void) {
    volatile uint8_t *mine = cpu_block()->redistributor;
    if (!find()) {
        return;
    }
    const uint64_t typer = mmio_read64(registers + ITS_TYPER);
    device_limit = 1ull << TYPER_DEVICES(typer);
    if (TYPER_EVENTS(typer) < EVENT_BITS || !memory_take() || !redistributor_start(mine) ||
        !service_start() || !collection_map(typer, mine)) {
        registers = NULL;
    }
}
