// SPDX-License-Identifier: MIT OR Apache-2.0
// subsys/tty/terminals.c: which terminals there are: they come with their drivers, are opened, and
// go with them.
#include <core/log.h>
#include <core/port.h>
#include <core/ports/console_calls.h>
#include <core/time.h>
#include <lib/string.h>
#include <memory/heap.h>

#include "private.h"

#define MAJOR_TTY_AUX 5u
#define MAJOR_HVC     229u // of hypervisors
#define MINOR_TTY     0u   // of MAJOR_TTY_AUX: /dev/tty
#define MINOR_CONSOLE 1u   // of MAJOR_TTY_AUX: /dev/console
#define SETTLE_NS     ((time_ns_t)1000000000)

// Terminals are added one after the other (under the lock of ports) and their memory lives as long
// as the system: anybody reads them, the log too, and a session may be asked for its terminal when
// that is gone. A terminal that nobody has open, and that is no session's, may leave with its
// driver; the next one that comes has its place.
static struct tty *terminals[TTY_MAX];
static _Atomic uint32_t terminal_count; // released behind the entry
static const struct lock_class console_class = { .name = "console", .rank = LOCK_RANK_LEAF };
static struct spinlock console_lock = SPINLOCK_INIT(&console_class); // of the list, too
static char console_name[16];         // [console_lock] what console= says
static _Atomic(struct tty *) console; // [console_lock] for writing: of that name, else the first

// Opening -----------------------------------------------------------------------------------------

// Whether somebody may come to it.
static bool is_there(const struct tty *tty) {
    return !tty->is_free && !tty->is_leaving;
}

static struct tty *find_minor(uint32_t major, uint32_t minor) {
    struct tty *found = NULL;
    const uint32_t count = atomic_load_explicit(&terminal_count, memory_order_acquire);
    const unsigned long irq = spin_lock_irq(&console_lock);
    for (uint32_t i = 0; i < count && found == NULL; i++) {
        struct tty *tty = terminals[i];
        found = tty->major == major && tty->minor == minor && !tty->is_free ? tty : NULL;
    }
    spin_unlock_irq(&console_lock, irq);
    return found;
}

struct tty *tty_console(void) {
    return atomic_load_explicit(&console, memory_order_acquire);
}

// The terminal may be the one that was chosen, or the first.
static void console_offer_locked(struct tty *tty) {
    if (is_there(tty) &&
        (tty_console() == NULL || tty->was_console || strcmp(tty->name, console_name) == 0)) {
        atomic_store_explicit(&console, tty, memory_order_release);
        tty->was_console = false;
    }
}

static void console_offer(struct tty *tty) {
    const unsigned long irq = spin_lock_irq(&console_lock);
    console_offer_locked(tty);
    spin_unlock_irq(&console_lock, irq);
}

// The log, and /dev/console, go to another one, or for want of that to the early console.
static void console_move_locked(struct tty *from) {
    const uint32_t count = atomic_load_explicit(&terminal_count, memory_order_acquire);
    from->was_console = tty_console() == from;
    if (from->was_console) {
        atomic_store_explicit(&console, NULL, memory_order_release);
        for (uint32_t i = 0; i < count; i++) {
            console_offer_locked(terminals[i]);
        }
    }
}

bool tty_is_there(struct tty *tty) {
    const unsigned long irq = spin_lock_irq(&console_lock);
    const bool there = is_there(tty);
    spin_unlock_irq(&console_lock, irq);
    return there;
}

static bool tty_hold(struct tty *tty) {
    const unsigned long irq = spin_lock_irq(&console_lock);
    const bool held = is_there(tty);
    tty->opens += held ? 1 : 0;
    spin_unlock_irq(&console_lock, irq);
    return held;
}

static void line_closed(struct tty *tty) {
    const unsigned long irq = spin_lock_irq(&console_lock);
    tty->opens--;
    spin_unlock_irq(&console_lock, irq);
    tty_put(tty);
}

static enum hx_status line_open(struct tty *tty) {
    if (!tty_hold(tty)) {
        return HX_ERR_NO_DEVICE;
    }
    tty_get(tty);
    mutex_lock(&tty->lock);
    bool refused = tty->exclusive;
    mutex_unlock(&tty->lock);
    if (refused && !tty_jobs->caller_is_privileged()) {
        line_closed(tty);
        return HX_ERR_BUSY;
    }
    return HX_OK;
}

static const struct tty_end line_end = {
    .open = line_open,
    .closed = line_closed,
    .flush = tty_driver_flush,
    .throttle = tty_driver_throttle,
    .is_waited_for = true,
};

// /dev/tty and /dev/console
static enum hx_status open_aux(struct file *file, uint32_t minor) {
    struct tty *mine = minor == MINOR_TTY ? tty_jobs->controlling() : NULL;
    struct tty *tty = minor == MINOR_TTY ? mine : tty_console();
    enum hx_status status = tty != NULL ? tty_open(file, tty, false) : HX_ERR_NO_DEVICE;
    tty_put(mine);
    return status;
}

static enum hx_status open_line(struct file *file, struct tty *tty) {
    return tty != NULL ? tty_open(file, tty, true) : HX_ERR_NO_DEVICE;
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

static struct tty *terminal_of(const struct gate *gate) {
    const uint32_t count = atomic_load_explicit(&terminal_count, memory_order_acquire);
    for (uint32_t i = 0; i < count; i++) {
        if (terminals[i]->port.gate == gate) { // none of one that is free
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
    tty_log_settle(tty, provider->self);
    tty_log_begin(tty);
    // Until resume_console(): as long as nobody gets in, nobody could hold off what it sends.
    atomic_store_explicit(&tty->throttled, true, memory_order_relaxed);
    HX_IGNORE(ops.throttle(provider->self, true)); // as there
    return ops.attach(provider->self, &tty_driver_events, tty);
}

// What was not written goes now, or nowhere.
static void resume_console(const struct gate *gate) {
    struct tty *tty = terminal_of(gate);
    if (tty != NULL) {
        mutex_lock(&tty->lock);
        tty_finish(tty);
    }
}

// A session that has it would be told by nobody; so it is in use. The lock makes whoever found it
// there before be done with it.
static bool is_controlling(struct tty *tty) {
    mutex_lock(&tty->lock);
    const bool controls = tty->session != 0;
    mutex_unlock(&tty->lock);
    return controls;
}

// Nobody opens it from here on; whoever has it open, or is on his way, is counted.
static bool leave_begin(struct tty *tty) {
    const unsigned long irq = spin_lock_irq(&console_lock);
    const bool leaves = tty->opens == 0;
    tty->is_leaving = leaves;
    if (leaves) {
        console_move_locked(tty);
    }
    spin_unlock_irq(&console_lock, irq);
    return leaves;
}

static void leave_undo(struct tty *tty) {
    const unsigned long irq = spin_lock_irq(&console_lock);
    tty->is_leaving = false;
    console_offer_locked(tty);
    spin_unlock_irq(&console_lock, irq);
}

static void leave_end(struct tty *tty) {
    const unsigned long irq = spin_lock_irq(&console_lock);
    tty->is_free = true;
    tty->port.gate = NULL;
    spin_unlock_irq(&console_lock, irq);
    waitable_pulse(&tty->waitable); // for the log, which may wait for room
    device_node_remove(tty->name);
}

static enum hx_status leave_console(const struct gate *gate, enum port_leaving step) {
    struct tty *tty = terminal_of(gate);
    switch (step) {
    case PORT_LEAVES:
        if (!leave_begin(tty)) {
            return HX_ERR_BUSY;
        }
        if (is_controlling(tty)) {
            leave_undo(tty);
            return HX_ERR_BUSY;
        }
        return HX_OK;
    case PORT_STAYS:
        leave_undo(tty);
        return HX_OK;
    default:
        leave_end(tty);
        log_await_told();
        return HX_OK;
    }
}

// Lines of the log go past the gate, so that a death may not be told yet: it is this life's.
static void drop_console(const struct gate *gate) {
    (void)gate;
    log_await_told();
}

static const struct port_used console_port = {
    .versions = &console_versions,
    .method_names = console_method_names,
    .methods = CONSOLE_METHOD_COUNT,
    .leave = leave_console,
    .replace = replace_console,
    .drop = drop_console,
    .resume = resume_console,
};

// The list keeps each for good.
static const struct object_type line_type = { .kind = OBJECT_INODE, .name = "line" };

// One whose place is free, or a new one that is not in the list; NULL: no memory, or no place.
static struct tty *terminal_make(void) {
    const uint32_t count = atomic_load_explicit(&terminal_count, memory_order_relaxed);
    for (uint32_t i = 0; i < count; i++) {
        if (terminals[i]->is_free) { // and stays so: the caller is the only one who comes
            return terminals[i];
        }
    }
    struct tty *tty = count < TTY_MAX ? heap_alloc_zero(sizeof(*tty), MEMORY_SLEEP) : NULL;
    if (tty != NULL) {
        tty_setup(tty, &line_type, &line_end);
        tty->is_free = true;
        terminals[count] = tty;
        atomic_store_explicit(&terminal_count, count + 1, memory_order_release);
    }
    return tty;
}

// As it is when nobody has used it.
static void terminal_reset(struct tty *tty, const struct port_provider *provider,
                           const struct console_port *port) {
    mutex_lock(&tty->lock);
    tty->name = provider->slot;
    tty->port = *port;
    tty->driver = provider->self;
    atomic_store_explicit(&tty->throttled, false, memory_order_relaxed);
    tty_reset(tty);
    mutex_unlock(&tty->lock);
}

static void terminal_publish(struct tty *tty) {
    const unsigned long irq = spin_lock_irq(&console_lock);
    tty->opens = 0;
    tty->is_free = tty->is_leaving = tty->was_console = false;
    console_offer_locked(tty);
    spin_unlock_irq(&console_lock, irq);
    log_console_set(tty_log_write);
}

static enum hx_status install_console(const struct port_provider *provider) {
    struct console_port port = { .gate = provider->gate };
    uint32_t major = 0;
    uint32_t minor = 0;
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
    struct tty *tty = terminal_make();
    if (tty == NULL) {
        const uint32_t count = atomic_load_explicit(&terminal_count, memory_order_relaxed);
        return count == TTY_MAX ? HX_ERR_LIMIT : HX_ERR_NO_MEMORY;
    }
    terminal_reset(tty, provider, &port);
    status = device_node_add(provider->slot, 0600, major, minor);
    if (status != HX_OK) {
        tty->port.gate = NULL;
        return status;
    }
    status = port.ops.attach(provider->self, &tty_driver_events, tty);
    if (status != HX_OK) {
        device_node_remove(provider->slot);
        tty->port.gate = NULL;
        return status;
    }
    tty->major = major;
    tty->minor = minor;
    tty_log_settle(tty, provider->self);
    terminal_publish(tty);
    tty_log_begin(tty);
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

// Nothing more will leave, or nobody wants it to.
static bool is_quiet(struct tty *tty, uint32_t *out_sequence) {
    mutex_lock(&tty->lock);
    *out_sequence = waitable_sequence(&tty->waitable);
    const bool is_quiet =
        tty->output_head == tty->output_tail || tty->line.stopped || !tty_is_there(tty);
    mutex_unlock(&tty->lock);
    return is_quiet;
}

void tty_settle(void) {
    const time_ns_t deadline = time_now() + SETTLE_NS;
    tty_log_await(deadline);
    const uint32_t count = atomic_load_explicit(&terminal_count, memory_order_acquire);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t sequence;
        enum hx_status status = HX_OK;
        while (status == HX_OK && !is_quiet(terminals[i], &sequence)) {
            status = wait_change(&terminals[i]->waitable, sequence, deadline, 0);
        }
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
        status = pty_init();
    }
    if (status == HX_OK) {
        status = port_installer_register(&console_port, install_console);
    }
    return status;
}
