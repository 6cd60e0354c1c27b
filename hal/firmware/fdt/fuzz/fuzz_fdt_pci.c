// SPDX-License-Identifier: MIT OR Apache-2.0
// A tree with a PCI host bridge that says anything of its windows, lines, messages and IOMMU, and
// functions on the bus that answer anything: of pci.c and tree.c, beside stand-ins for registers.
#include "../pci.c"
#include "../tree.c"

#include "fuzz_tree.h"

#define BUS_BYTES (DEVICES << DEVICE_SHIFT)
#define LINES     64u // that the controller has
#define PHANDLE   7u

uint64_t hosted_direct_base; // pointers are physical addresses

static uint8_t bus[BUS_BYTES];
static uint8_t window[WINDOW_BYTES];
static bool has_window;
static uint32_t reg_bytes; // of configuration space, as the tree has it

static uint32_t line_of(const uint32_t *cells) {
    return cells[0] % (2 * LINES) < LINES ? cells[0] % LINES : HAL_IRQ_LINES;
}

const struct tree_controller tree_controller = { 2, 3, line_of };

volatile void *hal_device_map(struct paddr base, size_t size_bytes) {
    if (base.value % 2 != 0) {
        return NULL; // there is nothing
    }
    FUZZ_ASSERT(size_bytes == WINDOW_BYTES || (size_bytes == BUS_BYTES && reg_bytes >= BUS_BYTES));
    has_window |= size_bytes == WINDOW_BYTES;
    return size_bytes == BUS_BYTES ? bus : window;
}

static uint8_t *place(const volatile void *address, uint32_t bytes) {
    const size_t at = (size_t)((const volatile uint8_t *)address - bus);
    FUZZ_ASSERT(at <= BUS_BYTES - bytes && at % bytes == 0);
    return bus + at;
}

uint32_t hal_device_read(const volatile void *address, uint32_t bytes) {
    uint32_t value = 0;
    memcpy(&value, place(address, bytes), bytes);
    return value;
}

void hal_device_write(volatile void *address, uint32_t bytes, uint32_t value) {
    memcpy(place(address, bytes), &value, bytes);
}

static void look_at(uint32_t function) {
    uint32_t number;
    uint32_t endpoint;
    for (uint32_t pin = 1; pin <= 4; pin++) {
        const uint32_t line = hal_pci_line(function, pin);
        FUZZ_ASSERT(line < LINES || line == HAL_IRQ_LINES);
    }
    (void)tree_message_id(function, PHANDLE, &number);
    FUZZ_ASSERT(!hal_pci_iommu(function, &number, &endpoint) || number <= PLACE_MASK);
    FUZZ_ASSERT(hal_pci_read(serial, 0) == UINT32_MAX); // it is the kernel's own
    (void)hal_pci_read(function, 0);
    hal_pci_write(function, 4, 6);
}

// One window, whose numbers are round: how far it may go.
static void low_window(struct tree_input *input) {
    const uint32_t cells[RANGE_CELLS] = { SPACE_LOW, 0, tree_number(input) };
    struct paddr base;
    uint64_t bytes;
    tree_begin();
    tree_node("pcie@40000000");
    tree_text("compatible", "pci-host-ecam-generic");
    tree_property("ranges", sizeof(cells));
    tree_word(SPACE_LOW);
    for (uint32_t i = 0; i < 2; i++) {
        tree_word(tree_byte(input) % 16 == 0);
        tree_word(cells[2]);
    }
    tree_word(tree_byte(input) % 16 == 0 ? tree_number(input) : 0);
    tree_word(tree_number(input));
    tree_end();
    FUZZ_ASSERT(fdt_open(tree.bytes, TREE_BYTES, &tree_fdt) == HX_OK);
    fdt_root(&tree_fdt, &bridge);
    FUZZ_ASSERT(fdt_next_compatible(&tree_fdt, "pci-host-ecam-generic", &bridge));
    config_space = bus;
    if (hal_pci_memory(&base, &bytes)) {
        FUZZ_ASSERT(base.value < LOW_END && bytes <= LOW_END - base.value);
    }
}

static void functions_fill(struct tree_input *input) {
    for (uint32_t function = 0; function < BUS_BYTES >> FUNCTION_SHIFT; function++) {
        memset(bus + ((size_t)function << FUNCTION_SHIFT), 0xff, 64); // no more is looked at
    }
    for (uint32_t i = tree_byte(input) % 4; i > 0; i--) {
        const uint32_t at = (uint32_t)tree_byte(input) % DEVICES << DEVICE_SHIFT;
        for (uint32_t word = 0; word < 16; word++) {
            const uint32_t value = tree_number(input);
            memcpy(bus + at + 4 * word, &value, 4);
        }
        bus[at + CONFIG_CLASS + 2] = tree_byte(input) % 2;
        bus[at + CONFIG_CLASS + 3] = CLASS_SERIAL >> 8;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const char *const nodes[] = { "pcie@1", "iommu@8", NULL };
    static const char *const properties[] = { "ranges",
                                              "interrupt-map",
                                              "interrupt-map-mask",
                                              "msi-map",
                                              "msi-map-mask",
                                              "iommu-map",
                                              "reg",
                                              "phandle",
                                              "compatible",
                                              "interrupts",
                                              NULL };
    static const char *const texts[] = { "virtio,pci-iommu", "pci-host-ecam-generic", NULL };
    static const struct tree_words words = { nodes, properties, texts };
    struct tree_input input = { data, size };
    uint32_t isa_lines[16] = { 0 };
    struct paddr base;
    uint64_t bytes;
    config_space = NULL;
    serial = NOBODY;
    has_window = false;
    functions_fill(&input);
    tree_begin();
    tree_node("pcie@40000000");
    tree_text("compatible", "pci-host-ecam-generic");
    tree_property("reg", 12);
    tree_word(0);
    tree_word(0x40000000);
    reg_bytes = tree_byte(&input) % 8 == 0 ? tree_number(&input) : BUS_BYTES;
    tree_word(reg_bytes);
    tree_fill(&input, &words);
    const struct boot_info info = { .device_tree = paddr_make((uint64_t)(uintptr_t)tree.bytes),
                                    .device_tree_bytes = TREE_BYTES };
    FUZZ_ASSERT(tree_open(&info));
    FUZZ_ASSERT(tree_ports_map(isa_lines) == NULL || has_window);
    FUZZ_ASSERT(isa_lines[COM2_ISA] < LINES || isa_lines[COM2_ISA] == HAL_IRQ_LINES);
    if (hal_pci_memory(&base, &bytes)) {
        FUZZ_ASSERT(base.value < LOW_END && bytes <= LOW_END - base.value);
    }
    for (uint32_t function = 0; function < 512; function += 7) {
        look_at(function);
    }
    input = (struct tree_input){ data, size };
    low_window(&input);
    (void)tree_line(&bridge, 0);
    return 0;
}
