// SPDX-License-Identifier: MIT OR Apache-2.0
// uart_test.c: the driver against a simulated 16550 (PC16550D data sheet, section 8): every fill of
// the receive FIFO, throttling, a transmitter that stalls, interrupts without a cause, overruns.
// The model's interrupt line is an edge, as on a PC: a driver that leaves it high hears no more.
#include "../uart16550.c"

#include <check.h>
#include <stdlib.h>

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
    void (*handler)(void *context);
    void *context;
} chip;

static struct {
    uint8_t bytes[1024];
    uint32_t count, calls, largest;
    uint32_t writable;
    bool throttles; // as soon as bytes come
    const uint8_t *rest;
    uint32_t rest_count; // written on `writable`
} client;

static const struct console_ops *ops;
static void *self;
static int depth; // of spin locks
static bool running;
static uint32_t provided_count;
static bool out_of_memory;
static bool in_tree, open_fails;

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
        CHECK(depth == 1);
        value = data_get();
        break;
    case REGISTER_IDENTIFY:
        value = (uint8_t)(cause() | ((chip.fifo & FIFO_ON) != 0 ? IDENTIFY_FIFOS : 0));
        chip.tx_pending = chip.tx_pending && cause() != TRANSMIT;
        break;
    case REGISTER_STATUS:
        CHECK(depth == 1);
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
            CHECK(depth == 1);
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

// Where it is: at COM1's ports, or where a device tree says.
uint8_t hx_io_port_read8(struct hx_env *env, uint16_t port) {
    (void)env;
    return in_tree ? 0xff : chip_read(port - BASE);
}

void hx_io_port_write8(struct hx_env *env, uint16_t port, uint8_t value) {
    (void)env;
    if (!in_tree) {
        chip_write(port - BASE, value);
    }
}

enum hx_status hx_device_open(struct hx_env *env, const char *compatible, uint32_t index,
                              struct hx_device *out_device) {
    (void)env;
    CHECK(strcmp(compatible, "ns16550a") == 0 && index == 0);
    if (open_fails) {
        return HX_ERR_NO_MEMORY;
    }
    if (!in_tree) {
        return HX_ERR_NOT_FOUND;
    }
    *out_device = (struct hx_device){ .windows = { { &chip, 8 } }, .line = 10 };
    return HX_OK;
}

uint8_t hx_device_read8(const struct hx_device *device, uint32_t offset) {
    CHECK(device->windows[0].registers == &chip);
    return chip_read(offset);
}

void hx_device_write8(const struct hx_device *device, uint32_t offset, uint8_t value) {
    CHECK(device->windows[0].registers == &chip);
    chip_write(offset, value);
}

// Lets the interrupt thread run until no edge waits.
static void settle(void) {
    if (running) {
        return; // it is the thread itself that raised the line
    }
    running = true;
    while (chip.edge && chip.handler != NULL) {
        chip.edge = false;
        chip.handler(chip.context);
    }
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

// The module's world ------------------------------------------------------------------------------

void *hx_alloc(struct hx_env *env, size_t size_bytes) {
    (void)env;
    return out_of_memory ? NULL : calloc(1, size_bytes);
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

enum hx_status hx_irq_register(struct hx_env *env, uint32_t isa, void (*handler)(void *context),
                               void *context) {
    (void)env;
    CHECK(isa == 4 && !in_tree);
    chip.handler = handler;
    chip.context = context;
    return HX_OK;
}

enum hx_status hx_device_irq(struct hx_env *env, const struct hx_device *device,
                             void (*handler)(void *context), void *context, bool *out_is_message) {
    (void)env;
    CHECK(out_is_message == NULL);
    CHECK(device->line == 10 && in_tree);
    chip.handler = handler;
    chip.context = context;
    return HX_OK;
}

enum hx_status hx_port_provide(struct hx_env *env, const char *port, const char *slot,
                               const void *table, void *instance) {
    (void)env;
    CHECK(strcmp(port, "helix.console") == 0 && strcmp(slot, "ttyS0") == 0);
    provided_count++;
    ops = table;
    self = instance;
    return HX_OK;
}

// The client --------------------------------------------------------------------------------------

static void on_received(void *context, const void *bytes, uint32_t count) {
    CHECK(context == &client && depth == 0 && count > 0);
    memcpy(client.bytes + client.count, bytes, count);
    client.count += count;
    client.largest = count > client.largest ? count : client.largest;
    client.calls++;
    if (client.throttles) {
        CHECK(ops->throttle(self, true) == HX_OK);
    }
}

static uint32_t client_write(void) {
    uint32_t taken = 0;
    CHECK(ops->write(self, client.rest, client.rest_count, &taken) == HX_OK);
    client.rest += taken;
    client.rest_count -= taken;
    return taken;
}

static void on_writable(void *context) {
    CHECK(context == &client && depth == 0);
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

static void test_setup(void) {
    uint32_t major;
    uint32_t minor;
    void *module;
    out_of_memory = true;
    CHECK(operations.init(NULL, &module) == HX_ERR_NO_MEMORY);
    out_of_memory = false;
    CHECK(operations.init(NULL, &module) == HX_OK);
    CHECK(provided_count == 1); // nothing answers at COM2
    CHECK(chip.line == LINE_8N1 && chip.modem == MODEM_DTR_RTS_OUT2);
    CHECK(chip.fifo == (FIFO_ON | FIFO_TRIGGER_14) && chip.enable == 0);
    CHECK(ops->describe(self, &major, &minor) == HX_OK && major == 4 && minor == 64);
    CHECK(ops->attach(self, &events, &client) == HX_OK && chip.enable == ENABLE_RECEIVE);
    CHECK(chip.context == self);
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
    chip.handler(chip.context); // also if the interrupt was on its way
    CHECK(chip.rx_count == FIFO_BYTES && got(0, 0));
    client.rest = out;
    client.rest_count = sizeof(out);
    CHECK(client_write() == FIFO_BYTES);
    transmit(); // a cause of its own, while bytes wait
    transmit();
    CHECK(client.writable == 1 && chip.rx_count == FIFO_BYTES && got(0, 0));
    CHECK(ops->throttle(self, false) == HX_OK);
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
        chip.handler(chip.context);
    }
    CHECK(client.calls == 0 && client.writable == 0);
    // The latch of a transmitter that nobody waits for.
    chip.tx_pending = true;
    chip.handler(chip.context);
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
    CHECK(ops->write_now(self, "a", 1) == HX_OK);
    CHECK(ops->write_now(self, "b", 1) == HX_OK); // after POLL_LIMIT looks
    CHECK(chip.sent_count == 2 && memcmp(chip.sent, "ab", 2) == 0);
    transmit();
    CHECK(got(0, 0));
}

// What the line got before the driver died is there, and comes when it may; the line stays as it
// is.
static void test_next_life(void) {
    const uint32_t formats = chip.formats;
    void *module;
    arrive(7, 3);
    free(self);
    CHECK(operations.init(NULL, &module) == HX_OK && chip.formats == formats);
    CHECK(ops->throttle(self, true) == HX_OK);
    CHECK(ops->attach(self, &events, &client) == HX_OK && chip.enable == 0);
    pause();
    CHECK(got(0, 0));
    CHECK(ops->throttle(self, false) == HX_OK && chip.enable == ENABLE_RECEIVE);
    pause();
    CHECK(got(7, 3));
}

static void all(void) {
    memset(&chip, 0, sizeof(chip));
    provided_count = 0;
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
    free(self);
}

// A device that is there and cannot be had is not looked for elsewhere.
static void test_open_fails(void) {
    void *module;
    open_fails = true;
    CHECK(operations.init(NULL, &module) == HX_ERR_NO_MEMORY);
    free(module);
    open_fails = false;
}

int main(void) {
    all();
    in_tree = true;
    all();
    test_open_fails();
    return check_result();
}
