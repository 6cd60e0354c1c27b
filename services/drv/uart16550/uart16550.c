// SPDX-License-Identifier: MIT OR Apache-2.0
// services/drv/uart16550/uart16550.c: serial ports. Registers and bits: National Semiconductor
// PC16550D data sheet (1995), table 2 and sections 8.1 to 8.7.

#include <helix/env.h>
#include <helix/ports/console_port.h>
#include <lib/string.h>

#define REGISTER_DATA     0u // receive buffer, transmit holding
#define REGISTER_ENABLE   1u // interrupt enable
#define REGISTER_IDENTIFY 2u // interrupt identification (read), FIFO control (write)
#define REGISTER_LINE     3u // line control
#define REGISTER_MODEM    4u // modem control
#define REGISTER_STATUS   5u // line status
#define REGISTER_SCRATCH  7u
#define REGISTERS         8u

#define ENABLE_RECEIVE     0x01u
#define ENABLE_TRANSMIT    0x02u
#define IDENTIFY_NONE      0x01u // no interrupt is pending
#define IDENTIFY_CAUSE     0x0fu
#define IDENTIFY_TRIGGER   0x04u // at least TRIGGER_BYTES have arrived
#define IDENTIFY_FIFOS     0xc0u // are on
#define FIFO_ON            0x01u
#define FIFO_TRIGGER_14    0xc0u
#define LINE_8N1           0x03u
#define LINE_DIVISOR       0x80u
#define MODEM_DTR_RTS_OUT2 0x0bu // OUT2 gates the interrupt line on a PC
#define STATUS_DATA        0x01u
#define STATUS_EMPTY       0x20u // the transmit FIFO takes FIFO_BYTES more

#define FIFO_BYTES    16u
#define TRIGGER_BYTES 14u // QEMU fills the FIFO up to here and no further
#define DRAIN_BYTES   64u // handed up in one piece
#define POLL_LIMIT    100000u

struct uart {
    struct hx_env *env;
    struct hx_device device; // no registers: it is a PC's, at I/O ports
    uint16_t base;
    struct hx_spinlock lock;
    uint8_t enabled;                     // [lock] what REGISTER_ENABLE holds
    bool throttled;                      // [lock]
    const struct console_events *events; // set once, before the interrupt is on
    void *client;
    uint32_t minor;
};

static uint8_t uart_get(const struct uart *uart, uint32_t at) {
    return uart->device.windows[0].size_bytes != 0
               ? hx_device_read8(&uart->device, at)
               : hx_io_port_read8(uart->env, (uint16_t)(uart->base + at));
}

static void uart_set(const struct uart *uart, uint32_t at, uint8_t value) {
    if (uart->device.windows[0].size_bytes != 0) {
        hx_device_write8(&uart->device, at, value);
    } else {
        hx_io_port_write8(uart->env, (uint16_t)(uart->base + at), value);
    }
}

static void enable_locked(struct uart *uart, uint8_t clear, uint8_t set) {
    uint8_t enabled = (uint8_t)((uart->enabled & ~clear) | set);
    if (enabled != uart->enabled) {
        uart->enabled = enabled;
        uart_set(uart, REGISTER_ENABLE, enabled);
    }
}

// Takes what has arrived, at most DRAIN_BYTES. The first `sure` bytes are known to be there: in a
// virtual machine, asking costs as much as taking.
static uint32_t drain(struct uart *uart, uint32_t sure, uint8_t *bytes) {
    uint32_t count = 0;
    hx_spinlock_acquire(&uart->lock);
    while (!uart->throttled && count < DRAIN_BYTES &&
           (count < sure || (uart_get(uart, REGISTER_STATUS) & STATUS_DATA))) {
        bytes[count++] = uart_get(uart, REGISTER_DATA);
    }
    hx_spinlock_release(&uart->lock);
    return count;
}

// The transmitter was full and now has room: says so once.
static bool transmitter_ready(struct uart *uart) {
    bool ready = false;
    hx_spinlock_acquire(&uart->lock);
    if ((uart->enabled & ENABLE_TRANSMIT) && (uart_get(uart, REGISTER_STATUS) & STATUS_EMPTY)) {
        enable_locked(uart, ENABLE_TRANSMIT, 0);
        ready = true;
    }
    hx_spinlock_release(&uart->lock);
    return ready;
}

static void interrupt(void *context) {
    struct uart *uart = context;
    uint8_t bytes[DRAIN_BYTES];
    uint8_t cause;
    // The line is an edge: until all causes are gone at once it does not fall, and so never rises
    // again. Reading the identification acknowledges a transmit interrupt (8.6.1).
    while (((cause = uart_get(uart, REGISTER_IDENTIFY)) & IDENTIFY_NONE) == 0) {
        uint32_t sure = (cause & IDENTIFY_CAUSE) == IDENTIFY_TRIGGER ? TRIGGER_BYTES : 0;
        uint32_t count = drain(uart, sure, bytes);
        if (count > 0) {
            uart->events->received(uart->client, bytes, count);
        }
        if (transmitter_ready(uart)) {
            uart->events->writable(uart->client);
        }
    }
}

#define MAJOR_TTY 4u
#define MINOR_TTY 64u // ttyS0
#define UARTS     2u
#define COM1      0x3f8u
#define COM2      0x2f8u
#define COM1_ISA  4u
#define COM2_ISA  3u

static enum hx_status uart_describe(void *self, uint32_t *out_major, uint32_t *out_minor) {
    const struct uart *uart = self;
    *out_major = MAJOR_TTY;
    *out_minor = uart->minor;
    return HX_OK;
}

static enum hx_status uart_attach(void *self, const struct console_events *events, void *client) {
    struct uart *uart = self;
    uart->events = events;
    uart->client = client;
    enum hx_status status =
        uart->device.windows[0].size_bytes != 0
            ? hx_device_irq(uart->env, &uart->device, interrupt, uart, NULL)
            : hx_irq_register(uart->env, uart->base == COM1 ? COM1_ISA : COM2_ISA, interrupt, uart);
    if (status == HX_OK) {
        hx_spinlock_acquire(&uart->lock);
        enable_locked(uart, 0, uart->throttled ? 0 : ENABLE_RECEIVE);
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
    while (taken < count && (uart_get(uart, REGISTER_STATUS) & STATUS_EMPTY)) {
        for (uint32_t i = 0; i < FIFO_BYTES && taken < count; i++) {
            uart_set(uart, REGISTER_DATA, bytes[taken++]);
        }
    }
    if (taken < count) {
        enable_locked(uart, 0, ENABLE_TRANSMIT);
    }
    hx_spinlock_release(&uart->lock);
    *out_taken = taken;
    return HX_OK;
}

static enum hx_status uart_throttle(void *self, bool on) {
    struct uart *uart = self;
    hx_spinlock_acquire(&uart->lock);
    uart->throttled = on;
    enable_locked(uart, on ? ENABLE_RECEIVE : 0, on ? 0 : ENABLE_RECEIVE);
    hx_spinlock_release(&uart->lock);
    return HX_OK;
}

static enum hx_status uart_write_now(void *self, const void *data, uint32_t count) {
    struct uart *uart = self;
    const uint8_t *bytes = data;
    hx_spinlock_acquire(&uart->lock);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t polls = 0;
        while (!(uart_get(uart, REGISTER_STATUS) & STATUS_EMPTY) && polls < POLL_LIMIT) {
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

static bool uart_answers(const struct uart *uart) {
    uart_set(uart, REGISTER_SCRATCH, 0x5a);
    bool first = uart_get(uart, REGISTER_SCRATCH) == 0x5a;
    uart_set(uart, REGISTER_SCRATCH, 0xa5);
    return first && uart_get(uart, REGISTER_SCRATCH) == 0xa5;
}

static void speed_set(struct uart *uart) {
    uart_set(uart, REGISTER_LINE, LINE_8N1 | LINE_DIVISOR);
    uart_set(uart, REGISTER_DATA, 1); // 115,200 baud
    uart_set(uart, REGISTER_ENABLE, 0);
    uart_set(uart, REGISTER_LINE, LINE_8N1);
}

// Where the FIFOs are on, somebody has set it up: an earlier life of this module, or the kernel's
// first words. Then its speed stays, as the log may write meanwhile, and so does what has arrived.
static void uart_setup(struct uart *uart) {
    uart_set(uart, REGISTER_ENABLE, 0);
    if ((uart_get(uart, REGISTER_IDENTIFY) & IDENTIFY_FIFOS) != IDENTIFY_FIFOS) {
        speed_set(uart);
    }
    uart_set(uart, REGISTER_IDENTIFY, FIFO_ON | FIFO_TRIGGER_14); // turning them on clears them
    uart_set(uart, REGISTER_MODEM, MODEM_DTR_RTS_OUT2);
}

// A port that does not answer, or is refused its line, is no error: machines have none, one or two.
// The first one is the device tree's, if there is one.
static enum hx_status add_port(struct hx_env *env, struct uart *uart, uint32_t index) {
    static const char *const names[UARTS] = { "ttyS0", "ttyS1" };
    const char *name = names[index];
    uart->env = env;
    uart->base = index == 0 ? COM1 : COM2;
    uart->minor = MINOR_TTY + index;
    if (index == 0) {
        const enum hx_status found = hx_device_open(env, "ns16550a", 0, &uart->device);
        if (found != HX_OK && found != HX_ERR_NOT_FOUND) {
            return found;
        }
    }
    hx_spinlock_init(&uart->lock, name);
    if (!uart_answers(uart)) {
        return HX_OK;
    }
    uart_setup(uart);
    const enum hx_status status = hx_port_provide(env, "helix.console", name, &uart_ops, uart);
    if (status == HX_OK || status == HX_ERR_NO_MEMORY) {
        return status;
    }
    hx_log(env, HX_LOG_WARNING, "%s: %s", name, hx_status_name(status));
    return HX_OK;
}

static enum hx_status uart_init(struct hx_env *env, void **out_self) {
    struct uart *uarts = hx_alloc(env, UARTS * sizeof(*uarts));
    if (uarts == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    *out_self = uarts;
    enum hx_status status = HX_OK;
    for (uint32_t i = 0; i < UARTS && status == HX_OK; i++) {
        status = add_port(env, &uarts[i], i);
    }
    return status;
}

// Whoever gets the machine next finds the lines quiet.
static enum hx_status uart_stop(void *self) {
    struct uart *uarts = self;
    for (uint32_t i = 0; i < UARTS; i++) {
        hx_spinlock_acquire(&uarts[i].lock);
        enable_locked(&uarts[i], ENABLE_RECEIVE | ENABLE_TRANSMIT, 0);
        hx_spinlock_release(&uarts[i].lock);
    }
    return HX_OK;
}

static const struct hx_port_provided provided[] = { CONSOLE_PORT_PROVIDED };
static const char *const driven[] = { "ns16550a" };
static const struct hx_io_ports io_ports[] = { { COM1, REGISTERS }, { COM2, REGISTERS } };
static const struct hx_module_ops operations = { .init = uart_init, .stop = uart_stop };

HX_MODULE(uart16550, .name = "uart16550", .version = { 1, 0, 0 }, .phase = HX_PHASE_CRITICAL,
          .provides = provided, .provides_count = ARRAY_SIZE(provided), .devices = driven,
          .devices_count = ARRAY_SIZE(driven), .io_ports = io_ports,
          .io_ports_count = ARRAY_SIZE(io_ports),
          .capabilities = HX_CAPABILITY_IO_PORTS | HX_CAPABILITY_DEVICES | HX_CAPABILITY_IRQ,
          .ops = &operations);
