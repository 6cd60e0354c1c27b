// SPDX-License-Identifier: MIT OR Apache-2.0
// subsys/tty/tty.c: terminals as devices and files, over console drivers.

#include <core/input.h>
#include <core/log.h>
#include <core/port.h>
#include <core/ports/console_calls.h>
#include <core/time.h>
#include <hal/io.h>
#include <lib/string.h>
#include <memory/heap.h>

#include "private.h"

#define MAJOR_TTY     4u
#define MAJOR_TTY_AUX 5u
#define MAJOR_AMBA    204u // Arm's serial ports (Linux, devices.txt)
#define MAJOR_HVC     229u // of hypervisors
#define MINOR_TTY     0u   // of MAJOR_TTY_AUX: /dev/tty
#define MINOR_CONSOLE 1u   // of MAJOR_TTY_AUX: /dev/console
#define SIGNAL_TTIN   21
#define SIGNAL_TTOU   22
#define CHUNK_BYTES   256u
#define CHUNK_OUTPUT  (CHUNK_BYTES * LINE_OUTPUT_MAX) // room for a write of any size to go on

static const struct lock_class tty_class = { "tty", LOCK_RANK_TTY, false };

// Terminals are added one after the other (under the lock of ports) and live as long as the system;
// anybody reads them, the log too.
static struct tty *terminals[TTY_MAX];
static _Atomic uint32_t terminal_count; // released behind the entry
static const struct lock_class console_class = { .name = "console", .rank = LOCK_RANK_LEAF };
static struct spinlock console_lock = SPINLOCK_INIT(&console_class);
static char console_name[16];         // [console_lock] what console= says
static _Atomic(struct tty *) console; // [console_lock] for writing: of that name, else the first

// Output ------------------------------------------------------------------------------------------

static uint32_t output_room(const struct tty *tty) {
    return TTY_OUTPUT_BYTES - (tty->output_tail - tty->output_head);
}

static void output_put(struct tty *tty, const uint8_t *bytes, uint32_t count) {
    for (uint32_t i = 0; i < count && output_room(tty) > 0; i++) {
        tty->output[tty->output_tail & (TTY_OUTPUT_BYTES - 1)] = bytes[i];
        tty->output_tail++;
    }
}

// A call of the driver. It is made inside the slot, where the driver stays the same: another life
// or version comes while nobody is inside.
struct driver_call {
    struct tty *tty;
    uint32_t count; // of bytes of the output, from its head on
    uint32_t taken;
    bool on;
};

static int64_t write_inside(void *argument) {
    struct driver_call *call = argument;
    struct tty *tty = call->tty;
    const uint8_t *bytes = tty->output + (tty->output_head & (TTY_OUTPUT_BYTES - 1));
    return console_call_write(&tty->port, tty->driver, bytes, call->count, &call->taken);
}

static bool is_throttled(const struct tty *tty) {
    // Relaxed: what it was told counts inside.
    return atomic_load_explicit(&tty->throttled, memory_order_relaxed);
}

static int64_t throttle_inside(void *argument) {
    const struct driver_call *call = argument;
    struct tty *tty = call->tty;
    enum hx_status status = HX_OK;
    if (call->on != is_throttled(tty)) {
        status = console_call_throttle(&tty->port, tty->driver, call->on);
    }
    if (status != HX_ERR_PEER_DIED) {
        atomic_store_explicit(&tty->throttled, call->on, memory_order_relaxed);
    }
    return status;
}

// HX_ERR_PEER_DIED: it is dead; HX_ERR_WOULD_BLOCK: it is being replaced, and may wait for the
// terminal's lock to get ready. A call that was refused on purpose is made again.
static enum hx_status driver_call(struct driver_call *call, int64_t (*inside)(void *argument)) {
    const struct tty *tty = call->tty;
    enum hx_status status;
    do {
        status = gate_try(tty->port.gate, inside, call);
    } while (status == HX_ERR_PEER_DIED && !gate_is_dead(tty->port.gate));
    return status;
}

// Hands the driver as much as it takes; the rest goes when it says that it is writable, or when its
// next life is there.
static void output_flush(struct tty *tty) {
    while (!tty->line.stopped && tty->output_head != tty->output_tail) {
        uint32_t at = tty->output_head & (TTY_OUTPUT_BYTES - 1);
        uint32_t span = MIN_OF(tty->output_tail - tty->output_head, TTY_OUTPUT_BYTES - at);
        struct driver_call call = { .tty = tty, .count = span };
        enum hx_status status = driver_call(&call, write_inside);
        if (status == HX_ERR_WOULD_BLOCK ||
            (status == HX_ERR_PEER_DIED && !gate_is_gone(tty->port.gate))) {
            return; // until resume_console()
        }
        if (status != HX_OK) {
            tty->output_head = tty->output_tail; // a dead line swallows what it is given
            tty->changed = true;
            return;
        }
        tty->output_head += call.taken;
        tty->changed |= call.taken > 0;
        if (call.taken < span) {
            return;
        }
    }
}

static void throttle_update(struct tty *tty) {
    // In canonical mode without a whole line, holding the sender off would wait for ever.
    bool want = is_throttled(tty);
    if (line_room(&tty->line) < TTY_THROTTLE && line_is_readable(&tty->line)) {
        want = true;
    } else if (line_room(&tty->line) > LINE_CELLS / 2 || !line_is_readable(&tty->line)) {
        want = false;
    }
    // A driver that cannot hold the sender off loses bytes, as a real line does; who is dead is
    // told when it lives again.
    if (want != is_throttled(tty)) {
        struct driver_call call = { .tty = tty, .on = want };
        HX_IGNORE(driver_call(&call, throttle_inside));
    }
}

void tty_finish(struct tty *tty) {
    output_flush(tty);
    throttle_update(tty);
    uint32_t levels = (line_is_worth_reading(&tty->line) ? WAIT_READABLE : 0) |
                      (output_room(tty) >= CHUNK_OUTPUT ? WAIT_WRITABLE : 0);
    // Only a real change moves the sequence: a reader that looked in vain must be able to sleep.
    if (tty->changed || waitable_state(&tty->waitable) != levels) {
        waitable_update(&tty->waitable, (WAIT_READABLE | WAIT_WRITABLE) & ~levels, levels);
    }
    tty->changed = false;
    uint32_t signals = tty->signals;
    int32_t group = tty->foreground;
    tty->signals = 0;
    mutex_unlock(&tty->lock);
    for (int32_t number = 1; signals != 0; number++, signals >>= 1) {
        if ((signals & 1) && group > 0) {
            tty_jobs->signal_group(group, number);
        }
    }
}

// What the line discipline tells, under the lock
// ----------------------------------------------------

static void line_echo(void *context, const uint8_t *bytes, uint32_t count) {
    output_put(context, bytes, count);
}

static void line_signal(void *context, int32_t number) {
    struct tty *tty = context;
    tty->signals |= 1u << (number - 1);
}

static void line_flush_output(void *context) {
    struct tty *tty = context;
    tty->output_head = tty->output_tail;
}

static const struct line_events line_events = { line_echo, line_signal, line_flush_output };

// What the driver tells ---------------------------------------------------------------------------

static void driver_received(void *client, const void *data, uint32_t count) {
    const uint8_t *bytes = data;
    struct tty *tty = client;
    input_bytes(INPUT_CONSOLE, bytes, count);
    mutex_lock(&tty->lock);
    for (uint32_t i = 0; i < count; i++) {
        line_receive(&tty->line, bytes[i]);
    }
    tty->changed = true;
    tty_finish(tty);
}

static void driver_writable(void *client) {
    struct tty *tty = client;
    mutex_lock(&tty->lock);
    tty_finish(tty);
}

static const struct console_events driver_events = { driver_received, driver_writable };

// Files -------------------------------------------------------------------------------------------

enum hx_status tty_check_background(struct tty *tty, int32_t signal) {
    int32_t session = tty_jobs->session_of_caller();
    int32_t group = tty_jobs->group_of_caller();
    mutex_lock(&tty->lock);
    bool background = tty->session != 0 && tty->session == session && tty->foreground > 0 &&
                      tty->foreground != group;
    mutex_unlock(&tty->lock);
    if (!background) {
        return HX_OK;
    }
    if (tty_jobs->caller_ignores(signal)) {
        return signal == SIGNAL_TTIN ? HX_ERR_IO : HX_OK;
    }
    if (tty_jobs->caller_group_is_orphaned()) {
        return HX_ERR_IO;
    }
    tty_jobs->signal_group(group, signal);
    return HX_ERR_RESTART;
}

// How a read of raw mode ends: POSIX 11.1.7, the four cases of MIN and TIME.
struct raw_read {
    uint32_t least;
    time_ns_t deadline;
    time_ns_t between_ns; // 0: no timer between bytes
};

static struct raw_read raw_rules(const struct tty *tty, size_t wanted) {
    uint32_t least = tty->line.settings.characters[VMIN];
    time_ns_t time_ns = (time_ns_t)tty->line.settings.characters[VTIME] * 100000000;
    struct raw_read rules = { least, TIME_NEVER, 0 };
    if (least == 0) {
        rules.least = 1;
        rules.deadline = time_now() + time_ns;
    } else {
        rules.between_ns = time_ns;
    }
    rules.least = (uint32_t)MIN_OF((size_t)rules.least, wanted);
    return rules;
}

// Takes one chunk under the lock. *out_done: the read is complete.
static size_t read_chunk(struct tty *tty, uint8_t *chunk, size_t wanted, bool *out_done) {
    bool canonical = (tty->line.settings.local & ICANON) != 0;
    bool readable = line_is_readable(&tty->line);
    size_t count = readable ? line_read(&tty->line, chunk, (uint32_t)wanted) : 0;
    *out_done = canonical && readable && (count < wanted || count == 0 || chunk[count - 1] == '\n');
    return count;
}

static enum hx_status read_wait(struct file *file, struct tty *tty, uint32_t sequence,
                                time_ns_t deadline) {
    if (atomic_load_explicit(&file->flags, memory_order_relaxed) & FILE_NONBLOCK) {
        return HX_ERR_WOULD_BLOCK;
    }
    return wait_change(&tty->waitable, sequence, deadline, WAIT_INTERRUPTIBLE);
}

// Moves what is there now. HX_ERR_WOULD_BLOCK: not complete yet.
static enum hx_status read_now(struct tty *tty, struct io_buffer *to, const struct raw_read *rules,
                               size_t *out_moved) {
    while (to->remaining > 0) {
        uint8_t chunk[CHUNK_BYTES];
        bool done = false;
        mutex_lock(&tty->lock);
        bool raw = !(tty->line.settings.local & ICANON);
        size_t count = read_chunk(tty, chunk, MIN_OF((size_t)to->remaining, CHUNK_BYTES), &done);
        tty_finish(tty);
        size_t moved = 0;
        enum hx_status status = io_buffer_put(to, chunk, count, &moved);
        *out_moved += moved;
        if (status != HX_OK || done) {
            return status;
        }
        if (count == 0) {
            return raw && *out_moved >= rules->least ? HX_OK : HX_ERR_WOULD_BLOCK;
        }
        if (!raw && count == CHUNK_BYTES && to->remaining > 0) {
            continue; // the line is longer than a chunk
        }
    }
    return HX_OK;
}

static enum hx_status tty_read(struct file *file, struct io_buffer *to, uint64_t offset,
                               size_t *out_moved) {
    (void)offset;
    struct tty *tty = file->data;
    *out_moved = 0;
    if (to->remaining == 0) {
        return HX_OK;
    }
    enum hx_status status = tty_check_background(tty, SIGNAL_TTIN);
    if (status != HX_OK) {
        return status;
    }
    mutex_lock(&tty->lock);
    struct raw_read rules = raw_rules(tty, to->remaining);
    mutex_unlock(&tty->lock);
    for (;;) {
        uint32_t sequence = waitable_sequence(&tty->waitable);
        size_t before = *out_moved;
        status = read_now(tty, to, &rules, out_moved);
        if (status != HX_ERR_WOULD_BLOCK) {
            break;
        }
        if (*out_moved > before && rules.between_ns > 0) {
            rules.deadline = time_now() + rules.between_ns;
        }
        // A chunk that was taken moved the sequence itself; look again before sleeping.
        if (*out_moved > before) {
            continue;
        }
        status = read_wait(file, tty, sequence, rules.deadline);
        if (status == HX_ERR_TIMED_OUT) {
            return HX_OK;
        }
        if (status != HX_OK) {
            break;
        }
    }
    return *out_moved > 0 ? HX_OK : status;
}

// Puts processed bytes into the output ring; false if there was no room for a whole chunk.
static bool write_chunk(struct tty *tty, const uint8_t *bytes, size_t count) {
    if (output_room(tty) < count * LINE_OUTPUT_MAX) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        uint8_t out[LINE_OUTPUT_MAX];
        output_put(tty, out, line_output(&tty->line, bytes[i], out));
    }
    return true;
}

static enum hx_status write_all(struct file *file, struct tty *tty, const uint8_t *bytes,
                                size_t count) {
    for (;;) {
        mutex_lock(&tty->lock);
        uint32_t sequence = waitable_sequence(&tty->waitable);
        bool written = write_chunk(tty, bytes, count);
        if (written) {
            tty_finish(tty);
            return HX_OK;
        }
        mutex_unlock(&tty->lock);
        enum hx_status status = read_wait(file, tty, sequence, TIME_NEVER);
        if (status != HX_OK) {
            return status;
        }
    }
}

static enum hx_status tty_write(struct file *file, struct io_buffer *from, uint64_t offset,
                                size_t *out_moved) {
    (void)offset;
    struct tty *tty = file->data;
    *out_moved = 0;
    mutex_lock(&tty->lock);
    bool checks = (tty->line.settings.local & TOSTOP) != 0;
    mutex_unlock(&tty->lock);
    enum hx_status status = checks ? tty_check_background(tty, SIGNAL_TTOU) : HX_OK;
    while (status == HX_OK && from->remaining > 0) {
        uint8_t chunk[CHUNK_BYTES];
        size_t count = 0;
        status = io_buffer_take(from, chunk, sizeof(chunk), &count);
        if (count == 0) {
            break;
        }
        enum hx_status written = write_all(file, tty, chunk, count);
        if (written != HX_OK) {
            status = written;
            break;
        }
        *out_moved += count;
    }
    return *out_moved > 0 ? HX_OK : status;
}

enum hx_status tty_drain(struct tty *tty) {
    for (;;) {
        mutex_lock(&tty->lock);
        uint32_t sequence = waitable_sequence(&tty->waitable);
        bool empty = tty->output_head == tty->output_tail;
        mutex_unlock(&tty->lock);
        if (empty) {
            return HX_OK;
        }
        enum hx_status status =
            wait_change(&tty->waitable, sequence, TIME_NEVER, WAIT_INTERRUPTIBLE);
        if (status != HX_OK) {
            return status;
        }
    }
}

static struct waitable *tty_waitable(struct file *file) {
    struct tty *tty = file->data;
    return &tty->waitable;
}

static const struct file_ops tty_file_ops = {
    .name = "tty",
    .read = tty_read,
    .write = tty_write,
    .waitable = tty_waitable,
    .control = tty_control,
};

// Opening -----------------------------------------------------------------------------------------

static struct tty *find_minor(uint32_t major, uint32_t minor) {
    const uint32_t count = atomic_load_explicit(&terminal_count, memory_order_acquire);
    for (uint32_t i = 0; i < count; i++) {
        if (terminals[i]->major == major && terminals[i]->minor == minor) {
            return terminals[i];
        }
    }
    return NULL;
}

static struct tty *console_terminal(void) {
    return atomic_load_explicit(&console, memory_order_acquire);
}

// The terminal may be the one that was chosen, or the first.
static void console_offer(struct tty *tty) {
    const unsigned long irq = spin_lock_irq(&console_lock);
    if (console_terminal() == NULL || strcmp(tty->name, console_name) == 0) {
        atomic_store_explicit(&console, tty, memory_order_release);
    }
    spin_unlock_irq(&console_lock, irq);
}

static enum hx_status open_tty(struct file *file, struct tty *tty) {
    if (tty == NULL) {
        return HX_ERR_NO_DEVICE;
    }
    mutex_lock(&tty->lock);
    bool refused = tty->exclusive;
    mutex_unlock(&tty->lock);
    if (refused && !tty_jobs->caller_is_privileged()) {
        return HX_ERR_BUSY;
    }
    file->ops = &tty_file_ops;
    file->data = tty;
    return HX_OK;
}

static enum hx_status open_aux(struct file *file, uint32_t minor) {
    return open_tty(file, minor == MINOR_TTY ? tty_jobs->controlling() : console_terminal());
}

static enum hx_status open_line(struct file *file, struct tty *tty) {
    enum hx_status status = open_tty(file, tty);
    bool no_control = (atomic_load_explicit(&file->flags, memory_order_relaxed) & OPEN_NOCTTY) != 0;
    if (status == HX_OK && !no_control) {
        // Not becoming the controlling terminal is no reason to fail an open.
        HX_IGNORE(tty_take_control(tty, false));
    }
    return status;
}

static enum hx_status open_serial(struct file *file, uint32_t minor) {
    return open_line(file, find_minor(MAJOR_TTY, minor));
}

static enum hx_status open_amba(struct file *file, uint32_t minor) {
    return open_line(file, find_minor(MAJOR_AMBA, minor));
}

static enum hx_status open_hvc(struct file *file, uint32_t minor) {
    return open_line(file, find_minor(MAJOR_HVC, minor));
}

// Interrupts are off: the driver of an open gate stays meanwhile.
static void console_write(const char *text, size_t length) {
    struct tty *tty = console_terminal();
    if (tty != NULL && !gate_is_open(tty->port.gate)) {
        hal_console_write(text, length);
    } else if (tty != NULL) {
        // The log has nowhere to report that its console is gone.
        HX_IGNORE(console_call_write_now(&tty->port, tty->driver, text, (uint32_t)length));
    }
}

static struct tty *terminal_of(const struct gate *gate) {
    const uint32_t count = atomic_load_explicit(&terminal_count, memory_order_acquire);
    for (uint32_t i = 0; i < count; i++) {
        if (terminals[i]->port.gate == gate) {
            return terminals[i];
        }
    }
    return NULL;
}

// The next life of a line's module, or another version: the same line, as its device file has it.
static enum hx_status replace_console(const struct port_provider *provider) {
    struct tty *tty = terminal_of(provider->gate);
    struct console_ops ops;
    uint32_t major = 0;
    uint32_t minor = 0;
    if (tty == NULL) {
        return HX_ERR_NOT_FOUND;
    }
    enum hx_status status = console_bind(&ops, provider->operations, ~(rights_t)0);
    if (status == HX_OK) {
        status = ops.describe(provider->self, &major, &minor);
    }
    if (status == HX_OK && (major != tty->major || minor != tty->minor)) {
        log_error("%s: the line is another one", tty->name);
        status = HX_ERR_INVALID;
    }
    if (status != HX_OK) {
        return status;
    }
    tty->port.ops = ops;
    tty->driver = provider->self;
    // Until resume_console(): as long as nobody gets in, nobody could hold off what it sends.
    atomic_store_explicit(&tty->throttled, true, memory_order_relaxed);
    HX_IGNORE(ops.throttle(provider->self, true)); // as there
    return ops.attach(provider->self, &driver_events, tty);
}

// What was not written goes now, or nowhere.
static void resume_console(const struct gate *gate) {
    struct tty *tty = terminal_of(gate);
    if (tty != NULL) {
        mutex_lock(&tty->lock);
        tty_finish(tty);
    }
}

static const struct port_used console_port =
    PORT_REPLACED(CONSOLE, console, replace_console, resume_console);

static enum hx_status install_console(const struct port_provider *provider) {
    struct console_port port = { .gate = provider->gate };
    uint32_t major = 0;
    uint32_t minor = 0;
    const uint32_t count = atomic_load_explicit(&terminal_count, memory_order_relaxed);
    if (count == TTY_MAX) {
        return HX_ERR_LIMIT;
    }
    enum hx_status status = console_bind(&port.ops, provider->operations, ~(rights_t)0);
    if (status == HX_OK) {
        status = console_call_describe(&port, provider->self, &major, &minor);
    }
    if (status == HX_OK && find_minor(major, minor) != NULL) {
        status = HX_ERR_EXISTS;
    }
    if (status != HX_OK) {
        return status;
    }
    struct tty *tty = heap_alloc_zero(sizeof(*tty), MEMORY_SLEEP);
    if (tty == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    tty->name = provider->slot;
    tty->major = major;
    tty->minor = minor;
    tty->port = port;
    tty->driver = provider->self;
    tty->input_speed = tty->output_speed = 115200;
    mutex_init(&tty->lock, &tty_class);
    waitable_init(&tty->waitable, WAIT_WRITABLE);
    line_init(&tty->line, &line_events, tty);
    status = device_node_add(provider->slot, 0600, major, minor);
    if (status == HX_OK) {
        status = port.ops.attach(provider->self, &driver_events, tty);
    }
    if (status != HX_OK) {
        heap_free(tty);
        return status;
    }
    terminals[count] = tty;
    atomic_store_explicit(&terminal_count, count + 1, memory_order_release);
    console_offer(tty);
    log_console_set(console_write);
    return HX_OK;
}

void tty_console_choose(const char *name) {
    const unsigned long irq = spin_lock_irq(&console_lock);
    const bool fits = string_copy(console_name, sizeof(console_name), name);
    spin_unlock_irq(&console_lock, irq);
    const uint32_t count = atomic_load_explicit(&terminal_count, memory_order_acquire);
    for (uint32_t i = 0; i < count; i++) {
        console_offer(terminals[i]);
    }
    if (!fits) {
        log_warning("console=%s: no such terminal", name);
    }
}

uint32_t tty_device_minor(struct tty *tty) {
    return tty->minor;
}

uint32_t tty_device_major(struct tty *tty) {
    return tty->major;
}

enum hx_status tty_init(void) {
    static struct device_open aux = { .major = MAJOR_TTY_AUX,
                                      .minor_first = MINOR_TTY,
                                      .minor_last = MINOR_CONSOLE,
                                      .open = open_aux };
    static struct device_open lines[] = {
        { .major = MAJOR_TTY, .minor_first = 0, .minor_last = 255, .open = open_serial },
        { .major = MAJOR_AMBA, .minor_first = 64, .minor_last = 79, .open = open_amba },
        { .major = MAJOR_HVC, .minor_first = 0, .minor_last = 7, .open = open_hvc },
    };
    enum hx_status status = device_open_register(&aux);
    for (uint32_t i = 0; i < ARRAY_SIZE(lines) && status == HX_OK; i++) {
        status = device_open_register(&lines[i]);
    }
    if (status == HX_OK) {
        status = device_node_add("tty", 0666, MAJOR_TTY_AUX, MINOR_TTY);
    }
    if (status == HX_OK) {
        status = device_node_add("console", 0600, MAJOR_TTY_AUX, MINOR_CONSOLE);
    }
    if (status == HX_OK) {
        status = port_installer_register(&console_port, install_console);
    }
    return status;
}
