// SPDX-License-Identifier: MIT OR Apache-2.0
// pl011_test.c: the driver against a simulated PL011 (DDI 0183, 2.8, 3.3): its line is a level, up
// while something is pending that is on.
#include "../pl011.c"

#include <host/host.h>

#include <check.h>
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
} chip;

static struct {
    uint8_t bytes[256];
    uint32_t count, writable;
    bool throttles;
    const uint8_t *rest;
    uint32_t rest_count;
} client;

static struct console_ops ops;
static void *self;

static uint32_t pending(void) {
    return (chip.raw | (chip.rx_count >= LEVEL ? RECEIVED : 0)) & chip.mask;
}

static uint32_t data_get(void) {
    CHECK(host_locks_held() == 1);
    if (chip.rx_count == 0) {
        return NO_BYTE;
    }
    uint32_t value = chip.rx[0];
    memmove(chip.rx, chip.rx + 1, --chip.rx_count * sizeof(chip.rx[0]));
    chip.raw &= chip.rx_count == 0 ? ~TIMEOUT : UINT32_MAX;
    return value;
}

static uint32_t chip_read(void *context, uint32_t window, uint32_t offset, uint32_t bytes) {
    CHECK(context == &chip && window == 0 && bytes == 4);
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

static void chip_write(void *context, uint32_t window, uint32_t offset, uint32_t bytes,
                       uint32_t value) {
    CHECK(context == &chip && window == 0 && bytes == 4);
    switch (offset) {
    case REGISTER_DATA:
        CHECK(host_locks_held() == 1 && chip.tx_count < FIFO_BYTES);
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

static struct host_device device = { .name = "arm,pl011",
                                     .window_bytes = { 4096 },
                                     .read = chip_read,
                                     .write = chip_write,
                                     .context = &chip };

// Lets the interrupt thread run while the line is up.
static void settle(void) {
    for (int i = 0; i < 100 && pending() != 0 && host_interrupt(&device, 0); i++) {
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

static void on_received(void *context, const void *bytes, uint32_t count) {
    CHECK(context == &client && host_locks_held() == 0);
    memcpy(client.bytes + client.count, bytes, count);
    client.count += count;
    if (client.throttles) {
        CHECK(ops.throttle(self, true) == HX_OK);
    }
}

static void client_write(void) {
    uint32_t taken = 0;
    CHECK(ops.write(self, client.rest, client.rest_count, &taken) == HX_OK);
    client.rest += taken;
    client.rest_count -= taken;
}

static void on_writable(void *context) {
    CHECK(context == &client && host_locks_held() == 0);
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

static void load(void) {
    CHECK(host_load() == HX_OK && HOST_BIND(console, "ttyAMA0", &ops) == HX_OK);
    self = host_instance("helix.console", "ttyAMA0");
}

static void test_refusals(void) {
    host_begin();
    CHECK(host_load() == HX_OK && host_provided() == 0); // no such device: no line
    for (uint32_t nth = 1; nth <= 4; nth++) { // its memory, the device, the port, the interrupt
        host_begin();
        host_device_add(&device);
        host_fail_nth(nth);
        enum hx_status status = host_load();
        CHECK(status == (nth == 1 || nth == 3 ? HX_ERR_NO_MEMORY : HX_OK));
        CHECK(host_provided() == (nth == 4)); // who cannot be opened is not there
        if (nth == 4) {
            CHECK(HOST_BIND(console, "ttyAMA0", &ops) == HX_OK);
            self = host_instance("helix.console", "ttyAMA0");
            CHECK(ops.attach(self, &events, &client) == HX_ERR_NO_MEMORY && chip.mask == 0);
        }
    }
}

static void test_setup(void) {
    uint32_t major;
    uint32_t minor;
    host_begin();
    host_device_add(&device);
    load();
    CHECK(chip.format == (LINE_8N1 | LINE_FIFO) && chip.control == CTRL_ON && chip.mask == 0);
    CHECK(ops.describe(self, &major, &minor) == HX_OK && major == 204 && minor == 64);
    CHECK(ops.attach(self, &events, &client) == HX_OK && chip.mask == INT_RECEIVE);
}

// What the line got before the driver died is there, and comes when it may.
static void test_next_life(void) {
    arrive(7, 3);
    chip.raw |= TIMEOUT;
    host_die();
    load();
    CHECK(ops.throttle(self, true) == HX_OK);
    CHECK(ops.attach(self, &events, &client) == HX_OK && chip.mask == 0);
    settle();
    CHECK(got(0, 0));
    CHECK(ops.throttle(self, false) == HX_OK && chip.mask == INT_RECEIVE);
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
    CHECK(ops.throttle(self, false) == HX_OK);
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
    CHECK(ops.write_now(self, "!", 1) == HX_OK && chip.sent[sizeof(bytes)] == '!');
}

int main(void) {
    test_refusals();
    test_setup();
    test_receive();
    test_throttle();
    test_transmit();
    test_next_life();
    return check_result();
}
