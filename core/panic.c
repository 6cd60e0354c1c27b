// SPDX-License-Identifier: MIT OR Apache-2.0
// core/panic.c: the end, with as much said as can be.
//
// No locks, no memory, no interrupts: the other processors are stopped, text goes straight to the
// HAL's console. A panic inside a panic says so and stops.
#include "core_private.h"
#include "symbols.h"

#include <core/log.h>
#include <hal/io.h>
#include <lib/format.h>
#include <lib/string.h>

#define FRAMES_MAX 32u
#define EVENTS_MAX 32u

static _Atomic uint32_t panicking; // processor + 1
static _Atomic int64_t timeout;

void panic_timeout_set(int64_t seconds) {
    atomic_store_explicit(&timeout, seconds, memory_order_relaxed);
}

static void sink(void *context, const char *text, size_t length) {
    (void)context;
    hal_console_write(text, length);
}

static void say(const char *format, ...) PRINTF(1, 2);
static void say(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    (void)format_to_sink(sink, NULL, format, arguments);
    va_end(arguments);
}

// `back` is 1 for a return address, which may lie behind the end of the calling function.
static void say_code(const char *label, uint64_t address, uint64_t back) {
    uint64_t offset;
    const char *name = symbol_find(address - back, &offset);
    say("%s%016lx %s+0x%lx\n", label, (unsigned long)address, name, (unsigned long)(offset + back));
}

static void say_backtrace(uint64_t fp) {
    uint64_t addresses[FRAMES_MAX];
    struct thread *thread = thread_current();
    say("backtrace:\n");
    uint32_t count = hal_backtrace(fp, thread->stack_low, thread->stack_top, addresses, FRAMES_MAX);
    for (uint32_t i = 0; i < count; i++) {
        say_code("  ", addresses[i], 1);
    }
}

static void say_trace(void) {
    static struct trace_event events[EVENTS_MAX];
    uint32_t count = trace_last(events, EVENTS_MAX);
    say("last %u trace events (counter, processor, thread, type, payload):\n", count);
    for (uint32_t i = 0; i < count; i++) {
        const struct trace_event *event = &events[i];
        say("  %lu %u %u %s %lx %lx\n", (unsigned long)event->time, event->cpu, event->thread,
            trace_type_name(event->type), (unsigned long)event->payload[0],
            (unsigned long)event->payload[1]);
    }
}

// Obeys panic=.
static NORETURN void finish(void) {
    int64_t seconds = atomic_load_explicit(&timeout, memory_order_relaxed);
    if (seconds == 0) {
        say("stopped (panic=0)\n");
        hal_debug_exit(PANIC_EXIT_CODE);
        hal_halt();
    }
    time_ns_t end = time_now() + seconds * 1000000000;
    while (seconds > 0 && time_now() < end) {
        hal_relax();
    }
    hal_restart();
}

// Claims the panic; returns only for the first processor, once.
static void begin(void) {
    hal_irq_off();
    uint32_t self = hal_cpu_id() + 1;
    uint32_t owner = 0;
    if (!atomic_compare_exchange_strong_explicit(&panicking, &owner, self, memory_order_acq_rel,
                                                 memory_order_acquire)) {
        if (owner == self) {
            hal_console_write("panic inside a panic\n", 21);
            hal_debug_exit(PANIC_EXIT_CODE);
        }
        hal_halt();
    }
    hal_ipi_broadcast(HAL_IPI_STOP);
}

static NORETURN void panic_list(const struct hal_frame *frame, const char *format,
                                va_list arguments) {
    begin();
    trace(TRACE_PANIC, 0, 0);
    struct thread *thread = thread_current();
    say("\nkernel panic: ");
    (void)format_to_sink(sink, NULL, format, arguments);
    say("\nprocessor %u, thread %lu (%s), after %ld us\n", hal_cpu_id(), (unsigned long)thread->id,
        thread->name, (long)(time_now() / 1000));
    if (frame != NULL) {
        hal_frame_print(frame);
        say_code("at ", hal_frame_pc(frame), 0);
    }
    say_backtrace(frame == NULL ? 0 : hal_frame_fp(frame));
    say_trace();
    finish();
}

void panic(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    panic_list(NULL, format, arguments);
}

void panic_frame(const struct hal_frame *frame, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    panic_list(frame, format, arguments);
}
