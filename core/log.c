// SPDX-License-Identifier: MIT OR Apache-2.0
// core/log.c: the kernel's log.
//
// A line is formatted on the caller's stack, then stored and printed under one lock with interrupts
// off, so lines of several processors do not mix. A panic does not come through here.
#include "core_private.h"
#include "log_ring.h"
#include "symbols.h"

#include <core/gate.h>
#include <core/log.h>
#include <hal/gate.h>
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
static _Atomic bool is_called;            // somebody is to be told

static struct thread_fall fall; // [log_lock] how the module of `fallen` died
static _Atomic(const struct gate *) fallen;
static _Atomic uint32_t tellers; // who tell of that just now

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
    struct cpu *cpu = cpu_this();
    const struct hal_guard outer = hal_guard(); // of a policy that logs
    thread->locks_unchecked = true;
    cpu->is_printing = true;
    const bool is_shown = console(text, length, is_behind);
    cpu->is_printing = false;
    thread->locks_unchecked = false;
    hal_guard_set(outer);
    return is_shown;
}

// Whoever logs may hold any lock, also one that a wake takes: the interrupt comes when it holds
// none. Interrupts off
static void call_soon(void) {
    // Release: who is told comes behind this one's lock. One interrupt is enough for many lines.
    if (!atomic_exchange_explicit(&is_called, true, memory_order_release)) {
        hal_ipi_send(hal_cpu_id(), HAL_IPI_RESCHEDULE);
    }
}

static void follower_call(void) {
    if (atomic_load_explicit(&follower, memory_order_relaxed) != NULL) {
        call_soon();
    }
}

// The first death counts: until it is told, others may log, and meet the same.
void log_console_died(const struct gate *gate) NO_LOCK_ANALYSIS {
    struct cpu *cpu = cpu_this();
    if (atomic_load_explicit(&fallen, memory_order_relaxed) == NULL && !gate_is_dead(gate)) {
        fall =
            cpu->fall.at != 0
                ? cpu->fall
                : (struct thread_fall){ .at = time_now(), .what = "answer", .where = "write_now" };
        // Release: with how it died.
        atomic_store_explicit(&fallen, gate, memory_order_release);
    }
    cpu->fall.at = 0;
    call_soon();
}

// NULL: it lives, or somebody else tells.
static const struct gate *fallen_take(struct gate_death *out_death) {
    unsigned long state = spin_lock_irq(&log_lock);
    const struct gate *gate = atomic_load_explicit(&fallen, memory_order_acquire);
    *out_death = fall_death(&fall);
    // Release: who sees it sees the teller, too.
    atomic_store_explicit(&fallen, NULL, memory_order_release);
    spin_unlock_irq(&log_lock, state);
    return gate;
}

static void fallen_tell(void) {
    struct gate_death death;
    atomic_fetch_add_explicit(&tellers, 1, memory_order_acquire);
    const struct gate *gate = fallen_take(&death);
    if (gate != NULL) {
        gate_kill_module(gate, &death); // first, or the line would go to it
        gate_death_log(gate, &death);
    }
    // Release: who waits may let the gate go.
    atomic_fetch_sub_explicit(&tellers, 1, memory_order_release);
}

void log_await_told(void) {
    // Acquire: who had the gate in hand is done.
    while (atomic_load_explicit(&fallen, memory_order_acquire) != NULL ||
           atomic_load_explicit(&tellers, memory_order_acquire) != 0) {
        hal_relax();
    }
}

void log_tell(void) {
    struct waitable *heard = atomic_load_explicit(&follower, memory_order_acquire);
    if (!atomic_load_explicit(&is_called, memory_order_relaxed) ||
        !atomic_exchange_explicit(&is_called, false, memory_order_acquire)) {
        return;
    }
    // What comes from here on calls again.
    if (atomic_load_explicit(&fallen, memory_order_relaxed) != NULL) {
        fallen_tell();
    }
    if (heard != NULL) {
        waitable_pulse(heard);
    }
}

// Whether it is the console's own call that says something, which has the log's lock.
static bool is_inside_line(void) {
    return !hal_irq_is_on() && cpu_this()->is_printing;
}

void log_write(enum log_level level, const char *format, ...) {
    char line[LINE_BYTES];
    if (is_inside_line()) {
        return; // a driver must not; nobody could print it
    }
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
