// SPDX-License-Identifier: MIT OR Apache-2.0
// What is done to a device when somebody takes it, in which order, and what is undone: of
// src/device.c, beside a bus and an IOMMU that write down what they were told.
#include "../src/device.c"

#include <check.h>
#include <stdlib.h>

static char told[64]; // a letter each
static size_t told_count;
static enum hx_status begin_says, end_says;
static bool is_reset;
static bool has_registers;
static uint8_t registers[PAGE_SIZE];

static void tell(char letter) {
    told[told_count++] = letter;
    told[told_count] = '\0';
}

void *heap_alloc_zero(size_t size_bytes, enum memory_mode mode) {
    (void)mode;
    return calloc(1, size_bytes);
}

struct frame *frame_of(struct paddr address) {
    (void)address;
    return NULL;
}

volatile void *hal_device_map(struct paddr base, size_t size_bytes) {
    (void)base;
    (void)size_bytes;
    return has_registers ? registers : NULL;
}

uint32_t hal_pci_read(uint32_t function, uint32_t offset) {
    (void)function;
    return offset;
}

enum hx_status dma_begin(struct io_device *device) {
    (void)device;
    tell('b');
    return begin_says;
}

enum hx_status dma_end(const struct io_device *device) {
    (void)device;
    tell('e');
    return end_says;
}

void dma_find(void) {}

void pci_find(void) {}

void virtio_mmio_find(const struct cmdline *cmdline) {
    (void)cmdline;
}

enum hx_status pci_message_on(struct io_device *device) {
    (void)device;
    return HX_ERR_NOT_SUPPORTED;
}

enum hx_status pci_message_add(struct io_device *device, uint32_t index, uint32_t *out_line) {
    (void)device;
    (void)index;
    (void)out_line;
    return HX_ERR_NOT_SUPPORTED;
}

void pci_windows_on(const struct io_device *device) {
    (void)device;
    tell('w');
}

void pci_device_on(const struct io_device *device) {
    (void)device;
    tell('m');
}

void pci_line_on(const struct io_device *device) {
    (void)device;
    tell('l');
}

void pci_line_off(const struct io_device *device) {
    (void)device;
    tell('q');
}

bool virtio_device_reset(struct io_device *device) {
    (void)device;
    tell('r');
    return is_reset;
}

void pci_device_off(const struct io_device *device) {
    (void)device;
    tell('o');
}

void log_write(enum log_level level, const char *format, ...) {
    (void)level;
    (void)format;
}

static const char *taken(const char *name, uint32_t index, enum hx_status expected) {
    struct io_device *device;
    told_count = 0;
    told[0] = '\0';
    CHECK(io_device_take(name, index, "module", &device) == expected);
    return told;
}

// Windows before the IOMMU's part asks the device; memory when it is attached.
static void test_order(void) {
    CHECK(strcmp(taken("pci1,2", 0, HX_OK), "wbm") == 0);
    CHECK(strcmp(taken("pci1,2", 0, HX_ERR_BUSY), "") == 0);
    CHECK(strcmp(taken("pci1,2", 1, HX_ERR_NOT_FOUND), "") == 0);
    CHECK(strcmp(taken("virtio:2", 0, HX_OK), "b") == 0); // over MMIO
}

// Whom the IOMMU does not attach is not let near memory, and may be taken again.
static void test_refused(void) {
    has_registers = false;
    CHECK(strcmp(taken("pci3,4", 0, HX_ERR_NO_MEMORY), "") == 0);
    has_registers = true;
    begin_says = HX_ERR_IO;
    CHECK(strcmp(taken("pci3,4", 0, HX_ERR_IO), "wb") == 0);
    begin_says = HX_OK;
    CHECK(strcmp(taken("pci3,4", 0, HX_OK), "wbm") == 0);
}

// All of a module's devices, each reset while it still answers; certain only if each is, by itself
// or by an IOMMU. Then the next life takes them.
static void test_end(void) {
    told_count = 0;
    CHECK(io_devices_end("module") && strcmp(told, "roeroere") == 0);
    told_count = 0;
    told[0] = '\0';
    CHECK(io_devices_end("another") && strcmp(told, "") == 0);
    end_says = HX_ERR_NOT_SUPPORTED;
    CHECK(!io_devices_end("module"));
    is_reset = true;
    CHECK(io_devices_end("module"));
    io_devices_release("another");
    CHECK(strcmp(taken("pci1,2", 0, HX_ERR_BUSY), "") == 0);
    io_devices_release("module");
    CHECK(strcmp(taken("pci1,2", 0, HX_OK), "wbm") == 0);
}

int main(void) {
    const struct io_device devices_here[] = {
        { .name = "pci1,2", .function = 8 },
        { .name = "pci3,4", .function = 16, .windows = { { .size_bytes = PAGE_SIZE } } },
        { .name = "virtio:2", .function = IO_NO_FUNCTION },
    };
    for (uint32_t i = 0; i < ARRAY_SIZE(devices_here); i++) {
        CHECK(device_add(&devices_here[i]) == HX_OK);
    }
    test_order();
    test_refused();
    test_end();
    struct io_device *device;
    while ((device = device_at(0)) != NULL) {
        list_remove(&device->link);
        free(device);
    }
    return check_result();
}
