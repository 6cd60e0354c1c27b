// SPDX-License-Identifier: MIT OR Apache-2.0
// services/drv/virtio_console/virtio_console.c: virtio's console device, with one port: /dev/hvc0
// and on. Section numbers are those of Virtual I/O Device 1.2.

#include <helix/env.h>
#include <helix/ports/console_port.h>
#include <lib/format.h>
#include <lib/string.h>
#include <lib/virtio.h>
#include <lib/virtqueue.h>

#define MAJOR_HVC    229u // Linux 6.1, Documentation/admin-guide/devices.txt
#define CONSOLES_MAX 4u
#define RECEIVE      0u // queues of port 0 (5.3.2)
#define TRANSMIT     1u
#define QUEUES       2u
#define CHAINS       4u
#define RECEIVE_EACH 48u // bytes of a buffer; a terminal that says stop has room for all and one
#define SEND_EACH    1024u
#define POLL_LIMIT   10000000u

// Memory that the device sees: two queues, then buffers.
#define QUEUE_BYTES  ((size_t)2 * VIRTQUEUE_ALIGN)
#define SEND_AT      (QUEUES * QUEUE_BYTES)
#define RECEIVE_AT   (SEND_AT + (size_t)CHAINS * SEND_EACH)
#define MEMORY_BYTES (RECEIVE_AT + (size_t)VIRTQUEUE_ALIGN)

struct line {
    struct virtqueue queue;
    struct virtqueue_slot slots[CHAINS];
    uint32_t numbers[CHAINS]; // of buffers: their addresses are the tokens
    uint32_t held;            // buffers that are not with the device, a bit each
};

struct console {
    struct hx_env *env;
    struct hx_device device;
    struct pci_config config;
    struct virtio virtio;
    char name[8];
    uint32_t minor;
    bool is_message;
    struct hx_spinlock lock;
    struct line lines[QUEUES];           // [lock]
    bool is_dead;                        // [lock] nobody attached, it lied, or it was stopped
    bool has_lied;                       // [lock] and nobody said so yet
    bool is_throttled;                   // [lock] buffers stay here
    bool is_wanted;                      // [lock] a write was short
    const struct console_events *events; // set once, before the device goes
    void *client;
    uint8_t *memory;
    uint64_t address; // of it, for the device
};

static uint32_t window_read(void *context, uint32_t window, uint32_t offset, uint32_t bytes) {
    const struct console *console = context;
    return hx_device_read(&console->device, window, offset, bytes);
}

static void window_write(void *context, uint32_t window, uint32_t offset, uint32_t bytes,
                         uint32_t value) {
    const struct console *console = context;
    hx_device_write(&console->device, window, offset, bytes, value);
}

static uint32_t config_read(const void *context, uint32_t offset) {
    const struct console *console = context;
    return hx_device_config(&console->device, offset);
}

// Queues
// ------------------------------------------------------------------------------------------------

static void show_locked(struct console *console, uint32_t which) {
    if (virtqueue_publish(&console->lines[which].queue)) {
        virtio_notify(&console->virtio, which);
    }
}

static void give_locked(struct console *console, uint32_t which, uint32_t number, uint32_t bytes) {
    struct line *line = &console->lines[which];
    const size_t at = which == RECEIVE ? RECEIVE_AT + (size_t)number * RECEIVE_EACH
                                       : SEND_AT + (size_t)number * SEND_EACH;
    const struct virtqueue_piece piece = { console->address + at, bytes, which == RECEIVE };
    if (virtqueue_add(&line->queue, &piece, 1, &line->numbers[number])) {
        line->held &= ~(1u << number);
    }
}

// A buffer that the device is done with. False: none; a device that lies is not used any more.
static bool take_locked(struct console *console, uint32_t which, uint32_t *out_number,
                        uint32_t *out_bytes) {
    struct line *line = &console->lines[which];
    void *token;
    enum hx_status status =
        console->is_dead ? HX_ERR_WOULD_BLOCK : virtqueue_take(&line->queue, &token, out_bytes);
    if (status == HX_ERR_CORRUPT) {
        console->is_dead = true;
        console->has_lied = true;
        HX_IGNORE(virtio_reset(&console->virtio)); // its memory is kept for good
    }
    if (status != HX_OK) {
        return false;
    }
    *out_number = *(const uint32_t *)token;
    line->held |= 1u << *out_number;
    return true;
}

static void refill_locked(struct console *console) {
    const uint32_t held = console->lines[RECEIVE].held;
    for (uint32_t i = 0; i < CHAINS; i++) {
        if ((held >> i & 1) != 0) {
            give_locked(console, RECEIVE, i, RECEIVE_EACH);
        }
    }
    if (held != 0) {
        show_locked(console, RECEIVE);
    }
}

// Until the device has something to say
// ------------------------------------------------------------------------------------------------

// What has arrived in one buffer, which may be nothing; the device may change it at any time.
// False: there is no buffer.
static bool receive(struct console *console, uint8_t *bytes, uint32_t *out_count) {
    uint32_t number;
    hx_spinlock_acquire(&console->lock);
    const bool is_there = take_locked(console, RECEIVE, &number, out_count);
    if (is_there) {
        memcpy(bytes, console->memory + RECEIVE_AT + (size_t)number * RECEIVE_EACH, *out_count);
        if (!console->is_throttled) {
            refill_locked(console);
        }
    }
    hx_spinlock_release(&console->lock);
    return is_there;
}

static void sent_locked(struct console *console) {
    uint32_t number;
    uint32_t bytes;
    while (take_locked(console, TRANSMIT, &number, &bytes)) {
    }
}

// Once, without the lock: the log may come here.
static void lie_say(struct console *console) {
    hx_spinlock_acquire(&console->lock);
    const bool has_lied = console->has_lied;
    console->has_lied = false;
    hx_spinlock_release(&console->lock);
    if (has_lied) {
        hx_log(console->env, HX_LOG_ERROR, "%s: the device makes no sense; it is not used any more",
               console->name);
    }
}

static bool is_writable_again(struct console *console) {
    hx_spinlock_acquire(&console->lock);
    sent_locked(console);
    const bool is_room = console->lines[TRANSMIT].held != 0 || console->is_dead;
    const bool is_wanted = console->is_wanted && is_room;
    console->is_wanted &= !is_wanted;
    hx_spinlock_release(&console->lock);
    return is_wanted;
}

static void interrupt(void *context) {
    struct console *console = context;
    uint8_t bytes[RECEIVE_EACH];
    uint32_t count;
    if (!console->is_message) {
        (void)virtio_interrupt(&console->virtio); // lowers the line; the queues tell the rest
    }
    while (receive(console, bytes, &count)) {
        if (count != 0) {
            console->events->received(console->client, bytes, count);
        }
    }
    if (is_writable_again(console)) {
        console->events->writable(console->client);
    }
    lie_say(console);
}

// Methods
// ------------------------------------------------------------------------------------------------

static enum hx_status console_describe(void *self, uint32_t *out_major, uint32_t *out_minor) {
    const struct console *console = self;
    *out_major = MAJOR_HVC;
    *out_minor = console->minor;
    return HX_OK;
}

static void line_init(struct console *console, uint32_t which) {
    struct line *line = &console->lines[which];
    void *memory = console->memory + which * QUEUE_BYTES;
    if ((console->virtio.features & VIRTIO_FEATURE_PACKED) != 0) {
        virtqueue_init_packed(&line->queue, CHAINS, memory, line->slots);
    } else {
        virtqueue_init(&line->queue, CHAINS, memory, line->slots);
    }
    line->held = (1u << CHAINS) - 1;
    for (uint32_t i = 0; i < CHAINS; i++) {
        line->numbers[i] = i;
    }
}

// 3.1.1, from the queues on.
static enum hx_status go(struct console *console) {
    const uint16_t vector = console->is_message ? 0 : VIRTIO_NO_VECTOR;
    enum hx_status status = HX_OK;
    for (uint32_t i = 0; i < QUEUES && status == HX_OK; i++) {
        status = virtio_queue_set(&console->virtio, i, CHAINS, console->address + i * QUEUE_BYTES,
                                  vector);
    }
    if (status == HX_OK) {
        virtio_go(&console->virtio);
        hx_spinlock_acquire(&console->lock);
        console->is_dead = false;
        if (!console->is_throttled) {
            refill_locked(console);
        }
        hx_spinlock_release(&console->lock);
    }
    return status;
}

static enum hx_status console_attach(void *self, const struct console_events *events,
                                     void *client) {
    struct console *console = self;
    console->events = events;
    console->client = client;
    enum hx_status status =
        hx_device_irq(console->env, &console->device, interrupt, console, &console->is_message);
    return status == HX_OK ? go(console) : status;
}

static uint32_t send_locked(struct console *console, const uint8_t *bytes, uint32_t count) {
    uint32_t sent = 0;
    sent_locked(console);
    for (uint32_t i = 0; i < CHAINS && sent < count && !console->is_dead; i++) {
        if ((console->lines[TRANSMIT].held >> i & 1) != 0) {
            const uint32_t here = MIN_OF(count - sent, SEND_EACH);
            memcpy(console->memory + SEND_AT + (size_t)i * SEND_EACH, bytes + sent, here);
            give_locked(console, TRANSMIT, i, here);
            sent += here;
        }
    }
    if (sent != 0) {
        show_locked(console, TRANSMIT);
    }
    return sent;
}

static enum hx_status console_write(void *self, const void *data, uint32_t count,
                                    uint32_t *out_taken) {
    struct console *console = self;
    hx_spinlock_acquire(&console->lock);
    *out_taken = send_locked(console, data, count);
    console->is_wanted = *out_taken < count;
    const bool is_dead = console->is_dead;
    hx_spinlock_release(&console->lock);
    return is_dead ? HX_ERR_IO : HX_OK;
}

// Buffers that the device has filled already come all the same: they are few.
static enum hx_status console_throttle(void *self, bool on) {
    struct console *console = self;
    hx_spinlock_acquire(&console->lock);
    console->is_throttled = on;
    if (!on && !console->is_dead) {
        refill_locked(console);
    }
    hx_spinlock_release(&console->lock);
    return HX_OK;
}

static enum hx_status console_write_now(void *self, const void *data, uint32_t count) {
    struct console *console = self;
    const uint8_t *bytes = data;
    uint32_t sent = 0;
    hx_spinlock_acquire(&console->lock);
    for (uint32_t polls = 0; sent < count && polls < POLL_LIMIT && !console->is_dead; polls++) {
        sent += send_locked(console, bytes + sent, count - sent);
    }
    hx_spinlock_release(&console->lock);
    return sent == count ? HX_OK : HX_ERR_IO;
}

static const struct console_ops console_ops = {
    .attach = console_attach,
    .describe = console_describe,
    .write = console_write,
    .throttle = console_throttle,
    .write_now = console_write_now,
};

// Start
// ------------------------------------------------------------------------------------------------

static enum hx_status device_prepare(struct console *console) {
    const struct virtio_access access = {
        .read = window_read,
        .write = window_write,
        .config = hx_device_is_pci(&console->device) ? &console->config : NULL,
        .context = console,
    };
    console->config = (struct pci_config){ .read = config_read, .context = console };
    enum hx_status status = virtio_open(&console->virtio, &access);
    if (status == HX_OK) {
        status = virtio_start(&console->virtio, VIRTIO_FEATURE_PACKED);
    }
    for (uint32_t i = 0; i < QUEUES && status == HX_OK; i++) {
        if (virtio_queue_room(&console->virtio, i) < CHAINS) {
            status = HX_ERR_NOT_SUPPORTED;
        }
    }
    return status;
}

static enum hx_status console_start(struct console *console, uint32_t index) {
    hx_spinlock_init(&console->lock, "virtio_console");
    console->minor = index;
    console->is_dead = true; // until somebody attaches
    (void)format_string(console->name, sizeof(console->name), "hvc%u", index);
    enum hx_status status = device_prepare(console);
    if (status != HX_OK) {
        return status;
    }
    console->memory = hx_dma_alloc(console->env, &console->device, MEMORY_BYTES, &console->address);
    if (console->memory == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    for (uint32_t i = 0; i < QUEUES; i++) {
        line_init(console, i);
    }
    status = hx_port_provide(console->env, "helix.console", console->name, &console_ops, console);
    if (status != HX_OK && virtio_reset(&console->virtio) == HX_OK) {
        hx_dma_free(console->env, &console->device, console->memory, console->address);
        console->memory = NULL;
    }
    return status;
}

static enum hx_status consoles_init(struct hx_env *env, void **out_self) {
    struct console *consoles = hx_alloc(env, CONSOLES_MAX * sizeof(*consoles));
    if (consoles == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    *out_self = consoles;
    for (uint32_t i = 0; i < CONSOLES_MAX; i++) {
        enum hx_status status = hx_device_open(env, "virtio:3", i, &consoles[i].device);
        if (status == HX_ERR_NOT_FOUND) {
            break;
        }
        consoles[i].env = env;
        status = status == HX_OK ? console_start(&consoles[i], i) : status;
        if (status != HX_OK) {
            hx_log(env, HX_LOG_WARNING, "device %u is not used: %s", i, hx_status_name(status));
        }
    }
    return HX_OK;
}

// No device touches memory when the machine starts anew.
static enum hx_status consoles_stop(void *self) {
    struct console *consoles = self;
    for (uint32_t i = 0; i < CONSOLES_MAX; i++) {
        if (consoles[i].memory != NULL) {
            hx_spinlock_acquire(&consoles[i].lock);
            consoles[i].is_dead = true;
            HX_IGNORE(virtio_reset(&consoles[i].virtio));
            hx_spinlock_release(&consoles[i].lock);
        }
    }
    return HX_OK;
}

static const struct hx_port_provided provided[] = { CONSOLE_PORT_PROVIDED };
static const char *const driven[] = { "virtio:3" };
static const struct hx_module_ops operations = { .init = consoles_init, .stop = consoles_stop };

HX_MODULE(virtio_console, .name = "virtio_console", .version = { 1, 0, 0 },
          .phase = HX_PHASE_NORMAL, .provides = provided, .provides_count = ARRAY_SIZE(provided),
          .devices = driven, .devices_count = ARRAY_SIZE(driven),
          .capabilities = HX_CAPABILITY_DEVICES | HX_CAPABILITY_IRQ, .ops = &operations);
