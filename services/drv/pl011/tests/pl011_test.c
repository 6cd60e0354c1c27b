// SPDX-License-Identifier: MIT OR Apache-2.0
// pl011_test.c: the driver against a simulated PL011 (DDI 0183, 2.8, 3.3): its line is a level, up
// while something is pending that is on.
#include "../pl011.c"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define FIFO_BYTES 16u
#define LEVEL      8u
#define NO_BYTE    0xeeu
#define RECEIVED   0x10u
#define TIMEOUT    0x40u

static struct {
    uint32_t rx[FIFO_BYTES];
    uint32_t rx_count;
    uint8_t sent[256];
    uint32_t sent_count, tx_count;
    uint32_t raw, mask, control, format, levels; // raw: TIMEOUT and INT_TRANSMIT alone
    void (*handler)(void *context);
    void *context;
} chip;

static struct {
    uint8_t bytes[256];
    uint32_t count, writable;
    bool throttles;
    const uint8_t *rest;
    uint32_t rest_count;
} client;

static const struct console_ops *ops;
static void *self;
static int depth; // of spin locks
static uint32_t devices;

static uint32_t pending(void) {
    return (chip.raw | (chip.rx_count >= LEVEL ? RECEIVED : 0)) & chip.mask;
}

static uint32_t data_get(void) {
    CHECK(depth == 1);
    if (chip.rx_count == 0) {
        return NO_BYTE;
    }
    uint32_t value = chip.rx[0];
    memmove(chip.rx, chip.rx + 1, --chip.rx_count * sizeof(chip.rx[0]));
    chip.raw &= chip.rx_count == 0 ? ~TIMEOUT : UINT32_MAX;
    return value;
}

uint32_t hx_device_read32(const struct hx_device *device, uint32_t offset) {
    (void)device;
    switch (offset) {
    case REGISTER_DATA:
        return data_get();
    case REGISTER_FLAGS:
        return (chip.rx_count == 0 ? FLAGS_RX_EMPTY : 0) |
               (chip.tx_count == FIFO_BYTES ? FLAGS_TX_FULL : 0);
    case REGISTER_STATUS:
        return pending();
    default:
        return 0;
    }
}

void hx_device_write32(const struct hx_device *device, uint32_t offset, uint32_t value) {
    (void)device;
    switch (offset) {
    case REGISTER_DATA:
        CHECK(depth == 1 && chip.tx_count < FIFO_BYTES);
        chip.tx_count++;
        chip.sent[chip.sent_count++] = (uint8_t)value;
        break;
    case REGISTER_LINE:
        CHECK((chip.control & 1) == 0);
        chip.format = value;
        break;
    case REGISTER_CTRL:
        chip.control = value;
        break;
    case REGISTER_LEVELS:
        chip.levels = value;
        break;
    case REGISTER_MASK:
        chip.mask = value;
        break;
    case REGISTER_CLEAR:
        chip.raw &= ~value;
        break;
    }
}

// Lets the interrupt thread run while the line is up.
static void settle(void) {
    for (int i = 0; i < 100 && pending() != 0 && chip.handler != NULL; i++) {
        chip.handler(chip.context);
    }
    CHECK(pending() == 0);
}

static void arrive(uint32_t first, uint32_t count) {
    for (uint32_t i = 0; i < count && chip.rx_count < FIFO_BYTES; i++) {
        chip.rx[chip.rx_count++] = first + i;
    }
}

static void quiet(void) { // nothing more comes
    chip.raw |= chip.rx_count > 0 ? TIMEOUT : 0;
    settle();
}

static void transmit(void) { // the FIFO empties
    chip.tx_count = 0;
    chip.raw |= INT_TRANSMIT;
    settle();
}

void *hx_alloc(struct hx_env *env, size_t size_bytes) {
    (void)env;
    return calloc(1, size_bytes);
}

void hx_spinlock_init(struct hx_spinlock *lock, const char *name) {
    (void)lock;
    (void)name;
}

HX_ATTR(no_thread_safety_analysis) void hx_spinlock_acquire(struct hx_spinlock *lock) {
    (void)lock;
    CHECK(depth++ == 0);
}

HX_ATTR(no_thread_safety_analysis) void hx_spinlock_release(struct hx_spinlock *lock) {
    (void)lock;
    CHECK(--depth == 0);
}

enum hx_status hx_device_open(struct hx_env *env, const char *compatible, uint32_t index,
                              struct hx_device *out_device) {
    (void)env;
    (void)out_device;
    CHECK(strcmp(compatible, "arm,pl011") == 0);
    return index < devices ? HX_OK : HX_ERR_NOT_FOUND;
}

enum hx_status hx_device_irq(struct hx_env *env, const struct hx_device *device,
                             void (*handler)(void *context), void *context, bool *out_is_message) {
    (void)env;
    (void)device;
    (void)out_is_message;
    chip.handler = handler;
    chip.context = context;
    return HX_OK;
}

enum hx_status hx_port_provide(struct hx_env *env, const char *port, const char *slot,
                               const void *table, void *instance) {
    (void)env;
    CHECK(strcmp(port, "helix.console") == 0 && strcmp(slot, "ttyAMA0") == 0);
    ops = table;
    self = instance;
    return HX_OK;
}

static void on_received(void *context, const void *bytes, uint32_t count) {
    CHECK(context == &client && depth == 0);
    memcpy(client.bytes + client.count, bytes, count);
    client.count += count;
    if (client.throttles) {
        CHECK(ops->throttle(self, true) == HX_OK);
    }
}

static void client_write(void) {
    uint32_t taken = 0;
    CHECK(ops->write(self, client.rest, client.rest_count, &taken) == HX_OK);
    client.rest += taken;
    client.rest_count -= taken;
}

static void on_writable(void *context) {
    CHECK(context == &client && depth == 0);
    client.writable++;
    client_write();
}

static const struct console_events events = { .received = on_received, .writable = on_writable };

static bool got(uint8_t first, uint32_t count) {
    bool same = client.count == count;
    for (uint32_t i = 0; same && i < count; i++) {
        same = client.bytes[i] == (uint8_t)(first + i);
    }
    memset(&client, 0, sizeof(client));
    return same;
}

static void test_setup(void) {
    uint32_t major;
    uint32_t minor;
    void *module;
    CHECK(operations.init(NULL, &module) == HX_OK && ops == NULL); // no such device: no line
    free(module);
    devices = 1;
    CHECK(operations.init(NULL, &module) == HX_OK && ops != NULL);
    CHECK(chip.format == (LINE_8N1 | LINE_FIFO) && chip.control == CTRL_ON && chip.mask == 0);
    CHECK(ops->describe(self, &major, &minor) == HX_OK && major == 204 && minor == 64);
    CHECK(ops->attach(self, &events, &client) == HX_OK && chip.mask == INT_RECEIVE);
}

// What the line got before the driver died is there, and comes when it may.
static void test_next_life(void) {
    void *module;
    arrive(7, 3);
    chip.raw |= TIMEOUT;
    free(self);
    CHECK(operations.init(NULL, &module) == HX_OK);
    CHECK(ops->throttle(self, true) == HX_OK);
    CHECK(ops->attach(self, &events, &client) == HX_OK && chip.mask == 0);
    settle();
    CHECK(got(0, 0));
    CHECK(ops->throttle(self, false) == HX_OK && chip.mask == INT_RECEIVE);
    settle();
    CHECK(got(7, 3));
}

static void test_receive(void) {
    for (uint32_t fill = 1; fill <= FIFO_BYTES; fill++) {
        arrive(fill, fill);
        settle();
        CHECK((client.count == 0) == (fill < LEVEL)); // below, only the pause tells
        quiet();
        CHECK(got((uint8_t)fill, fill));
    }
    arrive(0x441, 1); // with a framing error's bit, and another
    quiet();
    CHECK(got(0x41, 1));
}

static void test_throttle(void) {
    client.throttles = true;
    arrive(1, 1);
    quiet();
    arrive(2, FIFO_BYTES);
    quiet();
    CHECK(client.count == 1 && chip.rx_count == FIFO_BYTES); // held off
    client.throttles = false;
    CHECK(ops->throttle(self, false) == HX_OK);
    settle();
    CHECK(got(1, 1 + FIFO_BYTES));
}

static void test_transmit(void) {
    uint8_t bytes[100];
    for (uint32_t i = 0; i < sizeof(bytes); i++) {
        bytes[i] = (uint8_t)i;
    }
    client.rest = bytes;
    client.rest_count = sizeof(bytes);
    client_write();
    CHECK(client.rest_count == sizeof(bytes) - FIFO_BYTES);
    for (int i = 0; i < 10; i++) {
        transmit();
    }
    CHECK(client.rest_count == 0 && chip.sent_count == sizeof(bytes));
    CHECK(memcmp(chip.sent, bytes, sizeof(bytes)) == 0);
    CHECK(client.writable == 6 && chip.mask == INT_RECEIVE); // told once for each time it was full
    CHECK(ops->write_now(self, "!", 1) == HX_OK && chip.sent[sizeof(bytes)] == '!');
}

int main(void) {
    test_setup();
    test_receive();
    test_throttle();
    test_transmit();
    test_next_life();
    return check_result();
}
