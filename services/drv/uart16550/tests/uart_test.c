// SPDX-License-Identifier: MIT OR Apache-2.0
// uart_test.c: the driver against a simulated 16550 (PC16550D data sheet, section 8): every fill of
// the receive FIFO, throttling, a transmitter that stalls, interrupts without a cause, overruns.
// The model's interrupt line is an edge, as on a PC: a driver that leaves it high hears no more.
#include "../uart16550.c"

#include <host/host.h>

#include <check.h>
#include <string.h>

#define FIFO_CLEAR 0x06u
#define BASE       0x3f8u
#define NO_BYTE    0xeeu // what an empty FIFO reads as
#define WAITING    256u  // bytes on the wire
#define OVERRUN    0x02u
#define TIMEOUT    0x0cu
#define TRANSMIT   0x02u

static struct {
    uint8_t rx[FIFO_BYTES];
    uint32_t rx_count;
    bool timeout;          // characters wait in the FIFO, and no more come
    uint8_t wire[WAITING]; // enters the FIFO as that is read
    uint32_t wire_at, wire_count;
    bool overrun;
    uint32_t tx_count; // in the transmit FIFO
    uint8_t sent[1024];
    uint32_t sent_count;
    bool tx_pending;    // the transmitter's interrupt is latched
    bool drains_unseen; // the FIFO empties right after the driver saw it full
    uint8_t enable, line, modem, scratch, fifo;
    bool level, edge;
    uint32_t formats; // how often they were set
} chip;

static struct {
    uint8_t bytes[1024];
    uint32_t count, calls, largest;
    uint32_t writable;
    bool throttles; // as soon as bytes come
    const uint8_t *rest;
    uint32_t rest_count; // written on `writable`
} client;

static struct console_ops ops;
static void *self;
static bool running;
static bool in_tree; // where the device tree says, and not at COM1's ports

// The chip ----------------------------------------------------------------------------------------

static uint8_t cause(void) {
    if ((chip.enable & ENABLE_RECEIVE) && chip.rx_count >= TRIGGER_BYTES) {
        return IDENTIFY_TRIGGER;
    }
    if ((chip.enable & ENABLE_RECEIVE) && chip.timeout && chip.rx_count > 0) {
        return TIMEOUT;
    }
    return (chip.enable & ENABLE_TRANSMIT) && chip.tx_pending ? TRANSMIT : IDENTIFY_NONE;
}

static void line_update(void) {
    bool level = cause() != IDENTIFY_NONE;
    chip.edge = chip.edge || (level && !chip.level);
    chip.level = level;
}

static uint8_t data_get(void) {
    uint8_t byte = NO_BYTE;
    if (chip.rx_count > 0) {
        byte = chip.rx[0];
        memmove(chip.rx, chip.rx + 1, --chip.rx_count);
    }
    if (chip.wire_at < chip.wire_count) {
        chip.rx[chip.rx_count++] = chip.wire[chip.wire_at++];
    }
    return byte;
}

static void transmit_done(void) {
    chip.tx_pending = chip.tx_pending || chip.tx_count > 0;
    chip.tx_count = 0;
    line_update();
}

static uint8_t status_get(void) {
    uint8_t status =
        (uint8_t)((chip.rx_count > 0 ? STATUS_DATA : 0) | (chip.overrun ? OVERRUN : 0) |
                  (chip.tx_count == 0 ? STATUS_EMPTY : 0));
    chip.overrun = false;
    if (chip.drains_unseen && chip.tx_count > 0) {
        chip.drains_unseen = false;
        transmit_done();
    }
    return status;
}

static void enable_set(uint8_t value) {
    if ((value & ~chip.enable & ENABLE_TRANSMIT) && chip.tx_count == 0) {
        chip.tx_pending = true;
    }
    chip.enable = value;
}

static void data_set(uint8_t value) {
    CHECK(chip.tx_count < FIFO_BYTES);
    chip.tx_pending = false;
    chip.tx_count++;
    chip.sent[chip.sent_count++] = value;
}

static uint8_t chip_read(uint32_t at) {
    uint8_t value = 0xff;
    switch (at) {
    case REGISTER_DATA:
        CHECK(host_locks_held() == 1);
        value = data_get();
        break;
    case REGISTER_IDENTIFY:
        value = (uint8_t)(cause() | ((chip.fifo & FIFO_ON) != 0 ? IDENTIFY_FIFOS : 0));
        chip.tx_pending = chip.tx_pending && cause() != TRANSMIT;
        break;
    case REGISTER_STATUS:
        CHECK(host_locks_held() == 1);
        value = status_get();
        break;
    case REGISTER_SCRATCH:
        value = chip.scratch;
        break;
    }
    line_update();
    return value;
}

static void chip_write(uint32_t at, uint8_t value) {
    bool divisor = (chip.line & LINE_DIVISOR) != 0;
    switch (at) {
    case REGISTER_DATA:
        if (!divisor) {
            CHECK(host_locks_held() == 1);
            data_set(value);
        }
        break;
    case REGISTER_ENABLE:
        if (!divisor) {
            enable_set(value);
        }
        break;
    case REGISTER_IDENTIFY:
        if ((value & FIFO_CLEAR) != 0 || (chip.fifo & FIFO_ON) == 0) {
            chip.rx_count = 0;
        }
        chip.fifo = value;
        break;
    case REGISTER_LINE:
        chip.line = value;
        chip.formats++;
        break;
    case REGISTER_MODEM:
        chip.modem = value;
        break;
    case REGISTER_SCRATCH:
        chip.scratch = value;
        break;
    }
    line_update();
}

static uint8_t port_read(uint16_t port) {
    return port >= BASE && port < BASE + 8 ? chip_read(port - BASE) : 0xff; // nothing at COM2
}

static void port_write(uint16_t port, uint8_t value) {
    if (port >= BASE && port < BASE + 8) {
        chip_write(port - BASE, value);
    }
}

static uint32_t window_read(void *context, uint32_t window, uint32_t offset, uint32_t bytes) {
    CHECK(context == &chip && window == 0 && bytes == 1);
    return chip_read(offset);
}

static void window_write(void *context, uint32_t window, uint32_t offset, uint32_t bytes,
                         uint32_t value) {
    CHECK(context == &chip && window == 0 && bytes == 1);
    chip_write(offset, (uint8_t)value);
}

static struct host_device device = { .name = "ns16550a",
                                     .window_bytes = { 8 },
                                     .read = window_read,
                                     .write = window_write,
                                     .context = &chip };

// The driver's thread runs, whatever the line says. False: nobody listens.
static bool interrupt_comes(void) {
    return in_tree ? host_interrupt(&device, 0) : host_isa_interrupt(4);
}

// Lets the interrupt thread run until no edge waits.
static void settle(void) {
    if (running) {
        return; // it is the thread itself that raised the line
    }
    running = true;
    do {
        const bool comes = chip.edge;
        chip.edge = false;
        if (!comes) {
            break;
        }
    } while (interrupt_comes());
    running = false;
}

// Bytes first, first + 1, … arrive; what does not fit is lost.
static void arrive(uint8_t first, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        if (chip.rx_count < FIFO_BYTES) {
            chip.rx[chip.rx_count++] = (uint8_t)(first + i);
        } else {
            chip.overrun = true;
        }
    }
    line_update();
}

// Nothing more comes: after four characters' time, the chip says so.
static void pause(void) {
    chip.timeout = true;
    line_update();
    settle();
    chip.timeout = false;
    line_update();
}

// The client --------------------------------------------------------------------------------------

static void on_received(void *context, const void *bytes, uint32_t count) {
    CHECK(context == &client && host_locks_held() == 0 && count > 0);
    memcpy(client.bytes + client.count, bytes, count);
    client.count += count;
    client.largest = count > client.largest ? count : client.largest;
    client.calls++;
    if (client.throttles) {
        CHECK(ops.throttle(self, true) == HX_OK);
    }
}

static uint32_t client_write(void) {
    uint32_t taken = 0;
    CHECK(ops.write(self, client.rest, client.rest_count, &taken) == HX_OK);
    client.rest += taken;
    client.rest_count -= taken;
    return taken;
}

static void on_writable(void *context) {
    CHECK(context == &client && host_locks_held() == 0);
    client.writable++;
    if (client.rest_count > 0) {
        client_write();
    }
}

static const struct console_events events = { .received = on_received, .writable = on_writable };

// Whether exactly first, first + 1, … came; forgets them.
static bool got(uint8_t first, uint32_t count) {
    bool same = client.count == count;
    for (uint32_t i = 0; same && i < count; i++) {
        same = client.bytes[i] == (uint8_t)(first + i);
    }
    memset(&client, 0, sizeof(client));
    return same && !chip.level;
}

static void transmit(void) {
    transmit_done();
    settle();
}

// Tests -------------------------------------------------------------------------------------------

static void begin(void) {
    host_begin();
    if (in_tree) {
        host_device_add(&device);
    } else {
        host_io_ports(port_read, port_write);
    }
}

static void load(void) {
    CHECK(host_load() == HX_OK && host_provided() == 1); // nothing answers at COM2
    CHECK(HOST_BIND(console, "ttyS0", &ops) == HX_OK);
    self = host_instance("helix.console", "ttyS0");
}

static void test_refusals(void) {
    for (uint32_t nth = 1; nth <= 2 + in_tree; nth++) { // its memory, the tree's device, the port
        begin();
        host_fail_nth(nth);
        CHECK(host_load() == HX_ERR_NO_MEMORY && host.failed);
    }
    begin();
    host_fail_nth(3 + in_tree);
    load();
    CHECK(ops.attach(self, &events, &client) == HX_ERR_NO_MEMORY &&
          chip.enable == 0); // its interrupt
}

static void test_setup(void) {
    uint32_t major;
    uint32_t minor;
    memset(&chip, 0, sizeof(chip));
    begin();
    load();
    CHECK(chip.line == LINE_8N1 && chip.modem == MODEM_DTR_RTS_OUT2);
    CHECK(chip.fifo == (FIFO_ON | FIFO_TRIGGER_14) && chip.enable == 0);
    CHECK(ops.describe(self, &major, &minor) == HX_OK && major == 4 && minor == 64);
    CHECK(ops.attach(self, &events, &client) == HX_OK && chip.enable == ENABLE_RECEIVE);
}

static void test_fills(void) {
    for (uint32_t fill = 1; fill <= FIFO_BYTES; fill++) {
        arrive((uint8_t)fill, fill);
        settle();
        CHECK((client.calls == 0) == (fill < TRIGGER_BYTES)); // below, only the pause tells
        pause();
        CHECK(client.calls == 1 && got((uint8_t)fill, fill));
    }
}

// The wire refills the FIFO while it is read: pieces stay bounded, and nothing is left behind.
static void test_stream(void) {
    arrive(0, TRIGGER_BYTES);
    for (uint32_t i = 0; i < 200; i++) {
        chip.wire[i] = (uint8_t)(TRIGGER_BYTES + i);
    }
    chip.wire_at = 0;
    chip.wire_count = 200;
    settle();
    pause();
    CHECK(client.largest == DRAIN_BYTES && got(0, TRIGGER_BYTES + 200));
}

static void test_throttle(void) {
    static const uint8_t out[FIFO_BYTES + 1];
    client.throttles = true;
    arrive(10, 14);
    settle();
    CHECK(chip.enable == 0 && got(10, 14));
    arrive(24, 16); // stays in the chip
    pause();
    CHECK(chip.rx_count == FIFO_BYTES && got(0, 0));
    CHECK(interrupt_comes()); // also if the interrupt was on its way
    CHECK(chip.rx_count == FIFO_BYTES && got(0, 0));
    client.rest = out;
    client.rest_count = sizeof(out);
    CHECK(client_write() == FIFO_BYTES);
    transmit(); // a cause of its own, while bytes wait
    transmit();
    CHECK(client.writable == 1 && chip.rx_count == FIFO_BYTES && got(0, 0));
    CHECK(ops.throttle(self, false) == HX_OK);
    settle();
    CHECK(got(24, 16));
}

static void test_transmit(void) {
    static const uint8_t text[] = "The quick brown fox jumps over the lazy dog";
    client.rest = text;
    client.rest_count = 10;
    chip.sent_count = 0;
    CHECK(client_write() == 10 && !(chip.enable & ENABLE_TRANSMIT)); // fits: no one is told
    transmit();
    CHECK(client.writable == 0);
    client.rest_count = 30;
    CHECK(client_write() == FIFO_BYTES && (chip.enable & ENABLE_TRANSMIT));
    CHECK(client_write() == 0); // stalled
    arrive(1, 3);               // input comes nevertheless
    pause();
    CHECK(client.count == 3 && client.writable == 0);
    transmit();
    CHECK(client.writable == 1 && client.rest_count == 0 && !(chip.enable & ENABLE_TRANSMIT));
    transmit();
    CHECK(client.writable == 1); // told once
    CHECK(chip.sent_count == 40 && memcmp(chip.sent, text, 40) == 0);
    CHECK(got(1, 3));
}

// The FIFO empties between the driver's look and its wish to be told.
static void test_transmit_race(void) {
    static const uint8_t text[FIFO_BYTES + 4];
    client.rest = text;
    client.rest_count = sizeof(text);
    chip.drains_unseen = true;
    CHECK(client_write() == FIFO_BYTES && client.rest_count == 4);
    settle();
    CHECK(client.writable == 1 && client.rest_count == 0);
    transmit();
    CHECK(got(0, 0));
}

static void test_spurious(void) {
    for (int i = 0; i < 3; i++) {
        CHECK(interrupt_comes());
    }
    CHECK(client.calls == 0 && client.writable == 0);
    // The latch of a transmitter that nobody waits for.
    chip.tx_pending = true;
    CHECK(interrupt_comes());
    CHECK(client.writable == 0 && got(0, 0));
}

static void test_overrun(void) {
    arrive(50, FIFO_BYTES + 5);
    pause();
    CHECK(got(50, FIFO_BYTES)); // in order, without what was lost
    arrive(90, 2);
    pause();
    CHECK(got(90, 2));
}

// Polled output does not hang on a transmitter that never empties.
static void test_write_now(void) {
    chip.sent_count = 0;
    CHECK(ops.write_now(self, "a", 1) == HX_OK);
    CHECK(ops.write_now(self, "b", 1) == HX_OK); // after POLL_LIMIT looks
    CHECK(chip.sent_count == 2 && memcmp(chip.sent, "ab", 2) == 0);
    transmit();
    CHECK(got(0, 0));
}

// What the line got before the driver died is there, and comes when it may; the line stays as it
// is.
static void test_next_life(void) {
    const uint32_t formats = chip.formats;
    arrive(7, 3);
    host_die();
    load();
    CHECK(chip.formats == formats);
    CHECK(ops.throttle(self, true) == HX_OK);
    CHECK(ops.attach(self, &events, &client) == HX_OK && chip.enable == 0);
    pause();
    CHECK(got(0, 0));
    CHECK(ops.throttle(self, false) == HX_OK && chip.enable == ENABLE_RECEIVE);
    pause();
    CHECK(got(7, 3));
}

// The lines are quiet behind it.
static void test_stop(void) {
    CHECK(chip.enable == ENABLE_RECEIVE && host_unload() == HX_OK && chip.enable == 0);
}

static void all(void) {
    test_refusals();
    test_setup();
    test_fills();
    test_stream();
    test_throttle();
    test_transmit();
    test_transmit_race();
    test_spurious();
    test_overrun();
    test_write_now();
    test_next_life();
    test_stop();
}

// A device that is there and cannot be had is not looked for elsewhere.
static void test_open_fails(void) {
    begin();
    host_io_ports(port_read, port_write);
    device.open_status = HX_ERR_BUSY;
    CHECK(host_load() == HX_ERR_BUSY && host_provided() == 0);
    device.open_status = HX_OK;
}

int main(void) {
    all();
    in_tree = true;
    all();
    test_open_fails();
    return check_result();
}
