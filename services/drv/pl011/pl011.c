// SPDX-License-Identifier: MIT OR Apache-2.0
// services/drv/pl011/pl011.c: serial ports of Arm machines. Registers and bits: Arm PrimeCell UART
// (PL011) technical reference manual, DDI 0183, sections 2.8 and 3.3.

#include <helix/env.h>
#include <helix/ports/console_port.h>
#include <lib/format.h>

#define REGISTER_DATA   0x00u
#define REGISTER_FLAGS  0x18u
#define REGISTER_LINE   0x2cu
#define REGISTER_CTRL   0x30u
#define REGISTER_LEVELS 0x34u // of the FIFOs, at which they ask for attention
#define REGISTER_MASK   0x38u // interrupts that are on
#define REGISTER_STATUS 0x40u // those that are on and pending
#define REGISTER_CLEAR  0x44u

#define FLAGS_RX_EMPTY 0x10u
#define FLAGS_TX_FULL  0x20u
#define LINE_8N1       0x60u
#define LINE_FIFO      0x10u
#define CTRL_ON        0x301u // the port, its transmitter, its receiver
#define LEVELS_HALF    0x12u
#define INT_RECEIVE    0x50u // the level is reached, or bytes wait and no more come
#define INT_TRANSMIT   0x20u

#define DATA_BYTE   0xffu // above it: what was wrong with the byte
#define DRAIN_BYTES 64u   // handed up in one piece
#define POLL_LIMIT  1000000u
#define PORTS_MAX   4u
#define MAJOR_AMBA  204u // Linux, Documentation/admin-guide/devices.txt
#define MINOR_AMBA  64u

struct uart {
    struct hx_env *env;
    struct hx_device device;
    struct hx_spinlock lock;
    uint32_t enabled;                    // [lock] what REGISTER_MASK holds
    bool throttled;                      // [lock]
    const struct console_events *events; // set once, before the interrupt is on
    void *client;
    uint32_t minor;
    char name[16];
};

static uint32_t uart_get(const struct uart *uart, uint32_t at) {
    return hx_device_read32(&uart->device, at);
}

static void uart_set(const struct uart *uart, uint32_t at, uint32_t value) {
    hx_device_write32(&uart->device, at, value);
}

static void enable_locked(struct uart *uart, uint32_t clear, uint32_t set) {
    uart->enabled = (uart->enabled & ~clear) | set;
    uart_set(uart, REGISTER_MASK, uart->enabled);
}

// Takes what has arrived, at most DRAIN_BYTES.
static uint32_t drain(struct uart *uart, uint8_t *bytes) {
    uint32_t count = 0;
    hx_spinlock_acquire(&uart->lock);
    while (!uart->throttled && count < DRAIN_BYTES &&
           !(uart_get(uart, REGISTER_FLAGS) & FLAGS_RX_EMPTY)) {
        bytes[count++] = (uint8_t)(uart_get(uart, REGISTER_DATA) & DATA_BYTE);
    }
    hx_spinlock_release(&uart->lock);
    return count;
}

// The transmitter was full and now has room: says so once.
static bool transmitter_ready(struct uart *uart) {
    bool ready = false;
    hx_spinlock_acquire(&uart->lock);
    if ((uart->enabled & INT_TRANSMIT) && !(uart_get(uart, REGISTER_FLAGS) & FLAGS_TX_FULL)) {
        enable_locked(uart, INT_TRANSMIT, 0);
        ready = true;
    }
    hx_spinlock_release(&uart->lock);
    return ready;
}

static void interrupt(void *context) {
    struct uart *uart = context;
    uint8_t bytes[DRAIN_BYTES];
    uint32_t pending;
    while ((pending = uart_get(uart, REGISTER_STATUS)) != 0) {
        // Before looking: what comes later counts again. Reading lowers the receiver's own.
        uart_set(uart, REGISTER_CLEAR, pending & ~INT_RECEIVE);
        uint32_t count = drain(uart, bytes);
        if (count > 0) {
            uart->events->received(uart->client, bytes, count);
        }
        if (transmitter_ready(uart)) {
            uart->events->writable(uart->client);
        }
    }
}

static enum hx_status uart_describe(void *self, uint32_t *out_major, uint32_t *out_minor) {
    const struct uart *uart = self;
    *out_major = MAJOR_AMBA;
    *out_minor = uart->minor;
    return HX_OK;
}

static enum hx_status uart_attach(void *self, const struct console_events *events, void *client) {
    struct uart *uart = self;
    uart->events = events;
    uart->client = client;
    enum hx_status status = hx_device_irq(uart->env, &uart->device, interrupt, uart, NULL);
    if (status == HX_OK) {
        hx_spinlock_acquire(&uart->lock);
        enable_locked(uart, 0, uart->throttled ? 0 : INT_RECEIVE);
        hx_spinlock_release(&uart->lock);
    }
    return status;
}

static enum hx_status uart_write(void *self, const void *data, uint32_t count,
                                 uint32_t *out_taken) {
    struct uart *uart = self;
    const uint8_t *bytes = data;
    uint32_t taken = 0;
    hx_spinlock_acquire(&uart->lock);
    while (taken < count && !(uart_get(uart, REGISTER_FLAGS) & FLAGS_TX_FULL)) {
        uart_set(uart, REGISTER_DATA, bytes[taken++]);
    }
    if (taken < count) {
        enable_locked(uart, 0, INT_TRANSMIT);
    }
    hx_spinlock_release(&uart->lock);
    *out_taken = taken;
    return HX_OK;
}

// The receiver's interrupt stays raised while bytes wait, so it comes at once when it is on again.
static enum hx_status uart_throttle(void *self, bool on) {
    struct uart *uart = self;
    hx_spinlock_acquire(&uart->lock);
    uart->throttled = on;
    enable_locked(uart, on ? INT_RECEIVE : 0, on ? 0 : INT_RECEIVE);
    hx_spinlock_release(&uart->lock);
    return HX_OK;
}

static enum hx_status uart_write_now(void *self, const void *data, uint32_t count) {
    struct uart *uart = self;
    const uint8_t *bytes = data;
    hx_spinlock_acquire(&uart->lock);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t polls = 0;
        while ((uart_get(uart, REGISTER_FLAGS) & FLAGS_TX_FULL) && polls < POLL_LIMIT) {
            polls++;
        }
        uart_set(uart, REGISTER_DATA, bytes[i]);
    }
    hx_spinlock_release(&uart->lock);
    return HX_OK;
}

static const struct console_ops uart_ops = {
    .attach = uart_attach,
    .describe = uart_describe,
    .write = uart_write,
    .throttle = uart_throttle,
    .write_now = uart_write_now,
};

// The rate stays what firmware chose; format and FIFOs are set while the port is off (3.3.7).
static void uart_setup(const struct uart *uart) {
    uart_set(uart, REGISTER_CTRL, 0);
    uart_set(uart, REGISTER_MASK, 0);
    uart_set(uart, REGISTER_CLEAR, ~INT_RECEIVE); // what an earlier life left is still there
    uart_set(uart, REGISTER_LINE, LINE_8N1 | LINE_FIFO);
    uart_set(uart, REGISTER_LEVELS, LEVELS_HALF);
    uart_set(uart, REGISTER_CTRL, CTRL_ON);
}

static enum hx_status add_port(struct hx_env *env, struct uart *uart, uint32_t index) {
    uart->env = env;
    uart->minor = MINOR_AMBA + index;
    (void)format_string(uart->name, sizeof(uart->name), "ttyAMA%u", index);
    hx_spinlock_init(&uart->lock, uart->name);
    uart_setup(uart);
    return hx_port_provide(env, "helix.console", uart->name, &uart_ops, uart);
}

static enum hx_status uart_init(struct hx_env *env, void **out_self) {
    struct uart *uarts = hx_alloc(env, PORTS_MAX * sizeof(*uarts));
    if (uarts == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    *out_self = uarts;
    enum hx_status status = HX_OK;
    for (uint32_t i = 0; i < PORTS_MAX && status == HX_OK; i++) {
        if (hx_device_open(env, "arm,pl011", i, &uarts[i].device) != HX_OK) {
            break; // machines have none, one or more
        }
        status = add_port(env, &uarts[i], i);
    }
    return status;
}

static const struct hx_port_provided provided[] = { CONSOLE_PORT_PROVIDED };
static const char *const driven[] = { "arm,pl011" };
static const struct hx_module_ops operations = { .init = uart_init };

HX_MODULE(pl011, .name = "pl011", .version = { 1, 0, 0 }, .phase = HX_PHASE_CRITICAL,
          .provides = provided, .provides_count = ARRAY_SIZE(provided), .devices = driven,
          .devices_count = ARRAY_SIZE(driven),
          .capabilities = HX_CAPABILITY_DEVICES | HX_CAPABILITY_IRQ, .ops = &operations);
