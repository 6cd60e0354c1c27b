// SPDX-License-Identifier: MIT OR Apache-2.0
// subsys/tty/driver.c: the driver at the other end of a terminal's line (helix.console).
#include <core/input.h>
#include <core/port.h>
#include <core/ports/console_calls.h>

#include "private.h"

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
    const enum hx_status status =
        console_call_write(&tty->port, tty->driver, bytes, call->count, &call->taken);
    // It may say that it has taken more than it was given: then it is no better than a dead one.
    return status == HX_OK && call->taken > call->count ? HX_ERR_IO : status;
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
void tty_driver_flush(struct tty *tty) {
    while (!tty->line.stopped && tty->output_head != tty->output_tail) {
        uint32_t at = tty->output_head & (TTY_OUTPUT_BYTES - 1);
        uint32_t span = MIN_OF(tty->output_tail - tty->output_head, TTY_OUTPUT_BYTES - at);
        span = MIN_OF(span, (uint32_t)CONSOLE_IO_MAX); // of one call
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

void tty_driver_throttle(struct tty *tty) {
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

const struct console_events tty_driver_events = { driver_received, driver_writable };
