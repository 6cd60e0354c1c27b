// SPDX-License-Identifier: MIT OR Apache-2.0
// subsys/tty/log.c: the kernel's log on its console.
//
// A driver in the kernel prints a line at once. One in ring 3, or whose next life or version is on
// its way, has to be waited for, which nobody can who logs: a thread writes to such a line, as a
// program would, and what is said meanwhile waits behind it. The early console, which needs
// no driver, prints meanwhile: if that is the same line, nothing is left for the thread.
#include <core/log.h>
#include <core/thread.h>
#include <hal/io.h>
#include <memory/heap.h>

#include "private.h"

#define MINOR_FIRST 64u // of MAJOR_TTY and of MAJOR_AMBA

static struct thread writer;
static struct waitable heard;
static struct waitable rested;         // pulsed when nothing is left to write
static _Atomic bool is_resting = true; // nor is anything on its way, which others would overtake
static bool has_writer;                // terminals come one after the other

// The HAL's early console is the machine's first serial line.
static bool is_early(const struct tty *tty) {
    return hal_console_is_there() && tty->minor == MINOR_FIRST &&
           (tty->major == MAJOR_TTY || tty->major == MAJOR_AMBA);
}

// Relaxed: who logs has the log's lock behind the writer's look for more.
static bool is_on_its_way(void) {
    return !atomic_load_explicit(&is_resting, memory_order_relaxed);
}

// The driver of an open gate stays meanwhile, since interrupts are off. While it is away, lines are
// kept for the writer unless there is the early console, without which there is a writer for sure.
bool tty_log_write(const char *text, size_t length, bool is_behind) {
    struct tty *tty = tty_console();
    enum hx_status status = HX_ERR_NOT_SUPPORTED;
    const bool waits = is_behind || tty == NULL || (is_on_its_way() && !is_early(tty)) ||
                       atomic_load_explicit(&tty->log_waits, memory_order_relaxed);
    if (!waits && gate_is_open(tty->port.gate)) {
        status = console_call_write_now(&tty->port, tty->driver, text, (uint32_t)length);
    }
    if (status == HX_ERR_PEER_DIED) {
        log_console_died(tty->port.gate); // so it is away
    } else if (status != HX_ERR_NOT_SUPPORTED) {
        return true; // the log has nowhere to report that its console is broken
    }
    hal_console_write(text, length);
    return hal_console_is_there() && (tty == NULL || !waits);
}

// Until the output up to `end` is with the driver, or nowhere: what is printed at once overtakes
// it.
static void await_sent(struct tty *tty, uint32_t end) {
    for (;;) {
        mutex_lock(&tty->lock);
        const uint32_t sequence = waitable_sequence(&tty->waitable);
        const uint32_t pending = end - tty->output_head;
        const bool is_sent = pending == 0 || pending > tty->output_tail - tty->output_head;
        mutex_unlock(&tty->lock);
        if (is_sent || !tty_is_there(tty)) {
            return;
        }
        HX_IGNORE(wait_change(&tty->waitable, sequence, TIME_NEVER, 0)); // cannot fail
    }
}

// A line goes where the console is by now.
static void put(const char *line, size_t length) {
    for (;;) {
        struct tty *tty = tty_console();
        if (tty == NULL) {
            return; // it has just left
        }
        mutex_lock(&tty->lock);
        const uint32_t sequence = waitable_sequence(&tty->waitable);
        const bool is_there = tty_is_there(tty);
        if (is_there && tty_output(tty, (const uint8_t *)line, length)) {
            const uint32_t end = tty->output_tail;
            tty_finish(tty);
            await_sent(tty, end);
            return;
        }
        mutex_unlock(&tty->lock);
        if (is_there) {
            HX_IGNORE(wait_change(&tty->waitable, sequence, TIME_NEVER, 0)); // as above
        }
    }
}

static void write_log(void *argument) {
    (void)argument;
    for (;;) {
        char line[LOG_LINE_MAX];
        const uint32_t sequence = waitable_sequence(&heard);
        // Relaxed: the log's lock is in between for who finds nothing left there.
        atomic_store_explicit(&is_resting, false, memory_order_relaxed);
        const size_t length = tty_console() != NULL ? log_show(line, sizeof(line)) : 0;
        if (length != 0) {
            put(line, length);
            continue;
        }
        atomic_store_explicit(&is_resting, true, memory_order_relaxed); // the pulse orders it
        waitable_pulse(&rested);
        HX_IGNORE(wait_change(&heard, sequence, TIME_NEVER, 0)); // as above
    }
}

void tty_log_await(time_ns_t deadline) {
    enum hx_status status = has_writer && tty_console() != NULL ? HX_OK : HX_ERR_TIMED_OUT;
    while (status == HX_OK) {
        const uint32_t sequence = waitable_sequence(&rested);
        if (!log_is_behind() && atomic_load_explicit(&is_resting, memory_order_relaxed)) {
            return;
        }
        status = wait_change(&rested, sequence, deadline, 0);
    }
}

static bool writer_start(void) {
    void *stack = has_writer ? NULL : kernel_stack_alloc(THREAD_STACK_BYTES); // for good
    if (stack != NULL) {
        has_writer = true;
        waitable_init(&heard, 0);
        waitable_init(&rested, 0);
        thread_init(&writer, "log", stack, THREAD_STACK_BYTES, write_log, NULL);
        log_follow(&heard);
        thread_start(&writer);
    }
    return has_writer;
}

void tty_log_settle(struct tty *tty, void *driver) {
    const bool waits =
        tty->port.ops.write_now(driver, "", 0) == HX_ERR_NOT_SUPPORTED && !is_early(tty);
    atomic_store_explicit(&tty->log_waits, waits, memory_order_relaxed);
}

// Without an early console drivers in the kernel need the writer, too, while they are away.
void tty_log_begin(struct tty *tty) {
    const bool waits = atomic_load_explicit(&tty->log_waits, memory_order_relaxed);
    if ((waits || log_is_behind() || !hal_console_is_there()) && !writer_start()) {
        log_error("%s: no memory for the thread that writes the log", tty->name);
        atomic_store_explicit(&tty->log_waits, false, memory_order_relaxed);
    }
    if (has_writer) {
        waitable_pulse(&heard); // there may be a console now
    }
}
