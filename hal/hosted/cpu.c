// SPDX-License-Identifier: MIT OR Apache-2.0
// hal/hosted/cpu.c: processors: host threads that run kernel stacks, and interrupt each other by
// words that are looked at where the kernel turns interrupts on or waits.
#include <hal/cpu.h>

#include "irq.h"
#include "machine.h"
#include <boot_arch/settings.h>

#include <hal/io.h>
#include <hal/time.h>

#define YIELD_EVERY 64u // spins, after which the host may run somebody else
#define LATE_NS     (CPU_START_TIMEOUT_US * UINT64_C(1200)) // the limit, and a fifth of it

_Thread_local struct hosted_processor *hosted_processor;
struct processor hosted_processors[HAL_CPU_MAX];
struct hal_handlers hosted_handlers;

void hal_handlers_set(const struct hal_handlers *handlers) {
    hosted_handlers = *handlers;
}

uint32_t hal_cpu_count(void) {
    return hosted_settings.processors;
}

void hal_cpu_data_set(uint32_t cpu, void *data) {
    hosted_processors[cpu].base.data = data;
}

// ---- interrupts --------------------------------------------------------------------------------

void processor_interrupt(struct processor *processor, uint32_t bits) {
    // seq_cst: before the look at `asleep`; pairs with hal_idle().
    atomic_fetch_or_explicit(&processor->base.pending, bits, memory_order_seq_cst);
    if (atomic_load_explicit(&processor->asleep, memory_order_seq_cst) != 0) {
        host_wake(&processor->base.pending);
    }
}

static void deliver(uint32_t pending) {
    if (pending & PENDING_STOP) {
        hosted_handlers.ipi(HAL_IPI_STOP);
    }
    if ((pending & PENDING_TIMER) && hosted_timer_take()) {
        hosted_handlers.timer();
    }
    if (pending & PENDING_DEVICE) {
        irq_deliver();
    }
    if (pending & PENDING_CALL) {
        hosted_handlers.ipi(HAL_IPI_CALL);
    }
    if (pending & PENDING_RESCHEDULE) {
        hosted_handlers.ipi(HAL_IPI_RESCHEDULE);
    }
}

bool hosted_interrupts_handle(void) {
    struct processor *processor = this_processor();
    bool any = false;
    uint32_t pending;
    // Acquire: what the sender did before is visible to the handler.
    while ((pending =
                atomic_exchange_explicit(&processor->base.pending, 0, memory_order_acquire)) != 0) {
        deliver(pending);
        any = true;
    }
    return any;
}

void hosted_interrupts(void) {
    do {
        hal_irq_off();
        if (hosted_interrupts_handle()) {
            hosted_handlers.preempt(NULL); // may move the thread to another processor
        }
        hosted_this()->irqs_on = true;
    } while (atomic_load_explicit(&hosted_this()->pending, memory_order_relaxed) != 0);
}

void hosted_relax(void) {
    struct processor *processor = this_processor();
    uint32_t pending = atomic_load_explicit(&processor->base.pending, memory_order_relaxed);
    if (pending & PENDING_STOP) {
        hal_irq_off();
        hosted_handlers.ipi(HAL_IPI_STOP);
    }
    if (pending != 0 && processor->base.irqs_on) {
        hosted_interrupts();
        return;
    }
    if (++processor->relaxes % YIELD_EVERY == 0) {
        host_yield();
    } else {
        __builtin_ia32_pause();
    }
}

void hal_idle(void) {
    struct processor *processor = this_processor();
    // seq_cst: before the look at what is pending; pairs with processor_interrupt().
    atomic_store_explicit(&processor->asleep, 1, memory_order_seq_cst);
    if (atomic_load_explicit(&processor->base.pending, memory_order_seq_cst) == 0) {
        host_wait(&processor->base.pending, 0, UINT64_MAX);
    }
    atomic_store_explicit(&processor->asleep, 0, memory_order_relaxed);
    hal_irq_on();
}

void hal_halt(void) {
    hal_irq_off();
    host_sleep_forever();
}

void hal_ipi_send(uint32_t cpu, enum hal_ipi kind) {
    struct processor *processor = &hosted_processors[cpu];
    if (processor_is_on(processor)) {
        processor_interrupt(processor, 1u << kind);
    }
}
_Static_assert(PENDING_CALL == 1u << HAL_IPI_CALL && PENDING_STOP == 1u << HAL_IPI_STOP &&
                   PENDING_RESCHEDULE == 1u << HAL_IPI_RESCHEDULE,
               "hal_ipi_send() shifts");

void hal_ipi_broadcast(enum hal_ipi kind) {
    for (uint32_t cpu = 0; cpu < hal_cpu_count(); cpu++) {
        if (cpu != hal_cpu_id()) {
            hal_ipi_send(cpu, kind);
        }
    }
}

// ---- starting ----------------------------------------------------------------------------------

bool hosted_processor_bind(uint32_t cpu) {
    struct processor *processor = &hosted_processors[cpu];
    processor->base.id = cpu;
    processor->timer_at = UINT64_MAX;
    atomic_store_explicit(&processor->deadline, UINT64_MAX, memory_order_relaxed);
    hosted_processor = &processor->base;
    host_fault_stack();
    return cpu_start_decide(&processor->start, CPU_START_REACHED); // others may interrupt it now
}

static void kernel_stack_main(void *argument) {
    struct processor *processor = argument;
    processor->entry(processor->argument);
    hal_halt();
}

// For tests: until nobody waits for it any more.
static void come_late(void) {
    static _Atomic uint32_t nothing;
    const uint64_t end = host_counter() + LATE_NS;
    while (host_counter() < end) {
        host_wait(&nothing, 0, end);
    }
}

// The host thread's own stack is never returned to.
static void processor_main(void *argument) {
    struct processor *processor = argument;
    const uint32_t cpu = (uint32_t)(processor - hosted_processors);
    if (cpu == hosted_settings.late) {
        come_late();
    }
    if (!hosted_processor_bind(cpu)) {
        host_sleep_forever();
    }
    struct hal_context kernel;
    hal_context_init(&kernel, processor->stack_top, kernel_stack_main, processor);
    hal_switch(&processor->host, &kernel);
}

enum hx_status hal_cpu_start(uint32_t cpu, void *stack_top, void (*entry)(void *), void *argument) {
    struct processor *processor = &hosted_processors[cpu];
    processor->stack_top = stack_top;
    processor->entry = entry;
    processor->argument = argument;
    if (!host_thread_start(processor_main, processor)) {
        return HX_ERR_NO_MEMORY;
    }
    return cpu_start_wait(&processor->start, CPU_START_TIMEOUT_US, true) ? HX_OK : HX_ERR_TIMED_OUT;
}
