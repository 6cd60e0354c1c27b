// SPDX-License-Identifier: MIT OR Apache-2.0
// core/log.c: the kernel's log.
//
// A line is formatted on the caller's stack, then stored and printed under one lock with interrupts
// off, so lines of several processors do not mix. A panic does not come through here.
#include "core_private.h"
#include "log_ring.h"

#include <core/log.h>
#include <hal/io.h>
#include <lib/format.h>

#define LINE_BYTES LOG_LINE_MAX
#define RING_BYTES 32768u
#define STAMP_MAX  40u

static const struct lock_class log_class = { "log", LOCK_RANK_LEAF, false };
static struct spinlock log_lock = SPINLOCK_INIT(&log_class);
static char ring_bytes[RING_BYTES];
static struct log_ring ring = { ring_bytes, RING_BYTES, 0 }; // [log_lock]
static bool early_write(const char *text, size_t length, bool is_behind);
static log_console_t console = early_write; // [log_lock]
static uint64_t shown;                      // [log_lock] behind what the console has had
static int shown_level = LOG_INFO;          // [log_lock] of the line there, if it goes on
static _Atomic int console_level = LOG_INFO;

static struct waitable *_Atomic follower; // set once; writes what the console has not had
static _Atomic bool is_called;            // the follower is to be told

// "<6>[    0.001234] " into `line`; returns its length.
static size_t stamp(char *line, enum log_level level) {
    uint64_t micros = (uint64_t)time_now() / 1000;
    return format_string(line, STAMP_MAX, "<%d>[%5u.%06u] ", (int)level,
                         (unsigned)(micros / 1000000), (unsigned)(micros % 1000000));
}

static bool early_write(const char *text, size_t length, bool is_behind) {
    (void)is_behind;
    hal_console_write(text, length);
    return hal_console_is_there();
}

// The console's writer takes its driver's lock, which is not in order with what the caller of a log
// function may hold; that is safe, since nothing is taken inside that lock and a driver must not
// log while it holds it. So the check is off meanwhile. [log_lock], interrupts off
static bool console_write_locked(const char *text, size_t length, bool is_behind) {
    struct thread *thread = thread_current();
    thread->locks_unchecked = true;
    const bool is_shown = console(text, length, is_behind);
    thread->locks_unchecked = false;
    return is_shown;
}

// Whoever logs may hold any lock, also one that a wake takes: the interrupt comes when it holds
// none. Interrupts off
static void follower_call(void) {
    // Release: who is told comes behind this one's lock. One interrupt is enough for many lines.
    if (atomic_load_explicit(&follower, memory_order_relaxed) != NULL &&
        !atomic_exchange_explicit(&is_called, true, memory_order_release)) {
        hal_ipi_send(hal_cpu_id(), HAL_IPI_RESCHEDULE);
    }
}

void log_tell(void) {
    struct waitable *heard = atomic_load_explicit(&follower, memory_order_acquire);
    if (heard != NULL && atomic_load_explicit(&is_called, memory_order_relaxed) &&
        atomic_exchange_explicit(&is_called, false, memory_order_acquire)) {
        waitable_pulse(heard); // what comes from here on calls again
    }
}

void log_write(enum log_level level, const char *format, ...) {
    char line[LINE_BYTES];
    size_t length = stamp(line, level);
    va_list arguments;
    va_start(arguments, format);
    length += format_string_list(line + length, LINE_BYTES - 1 - length, format, arguments);
    va_end(arguments);
    length = MIN_OF(length, (size_t)LINE_BYTES - 2); // cut if it was longer
    line[length++] = '\n';
    unsigned long state = spin_lock_irq(&log_lock);
    const bool is_behind = shown != ring.end;
    bool is_shown = true;
    log_ring_append(&ring, line, length);
    if ((int)level <= atomic_load_explicit(&console_level, memory_order_relaxed)) {
        is_shown = console_write_locked(line + 3, length - 3, is_behind); // without "<6>"
    }
    if (is_shown && !is_behind) {
        shown = ring.end;
    } else {
        follower_call();
    }
    spin_unlock_irq(&log_lock, state);
}

// Only a console that was asked at once is a module's, so nothing waits in front of that line.
void log_give_back(void) NO_LOCK_ANALYSIS {
    if (spin_held(&log_lock)) {
        thread_current()->locks_unchecked = false;
        shown = ring.end;
        spin_unlock_irq(&log_lock, hal_irq_save());
    }
}

void log_follow(struct waitable *heard) {
    // Release: it is ready to be pulsed.
    atomic_store_explicit(&follower, heard, memory_order_release);
}

bool log_is_behind(void) {
    unsigned long state = spin_lock_irq(&log_lock);
    const bool is_behind = shown != ring.end;
    spin_unlock_irq(&log_lock, state);
    return is_behind;
}

size_t log_show(char *line, size_t capacity) {
    unsigned long state = spin_lock_irq(&log_lock);
    size_t length;
    do {
        length = log_ring_line(&ring, &shown, line, capacity, &shown_level);
    } while (length != 0 &&
             shown_level > atomic_load_explicit(&console_level, memory_order_relaxed));
    spin_unlock_irq(&log_lock, state);
    return length;
}

void log_console_level(enum log_level level) {
    atomic_store_explicit(&console_level, (int)level, memory_order_relaxed);
}

enum log_level log_console_level_get(void) {
    return (enum log_level)atomic_load_explicit(&console_level, memory_order_relaxed);
}

void log_console_set(log_console_t write) {
    unsigned long state = spin_lock_irq(&log_lock);
    console = write;
    spin_unlock_irq(&log_lock, state);
}

size_t log_read(uint64_t *position, char *buffer, size_t capacity) {
    unsigned long state = spin_lock_irq(&log_lock);
    size_t length = log_ring_read(&ring, position, buffer, capacity);
    spin_unlock_irq(&log_lock, state);
    return length;
}

uint64_t log_end(void) {
    unsigned long state = spin_lock_irq(&log_lock);
    uint64_t end = ring.end;
    spin_unlock_irq(&log_lock, state);
    return end;
}
