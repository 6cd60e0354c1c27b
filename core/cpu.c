// SPDX-License-Identifier: MIT OR Apache-2.0
// core/cpu.c: the processors: their data, bringing them up, calls from one to others.
//
// Calls: a caller fills its own request, sets its bit in `call_pending` of each target (release)
// and interrupts those whose word was zero before; a target takes the whole word by an exchange
// (acquire) and runs one request per bit. A caller cannot have two requests under way, since it
// waits with preemption off. While it waits it serves others, so two processors that call each
// other, and any cycle of them, get on.
#include "core_private.h"

#include <boot/boot_info.h>
#include <core/log.h>
#include <core/random.h>
#include <core/sched.h>

#define ONLINE_WAIT_NS 5000000000 // it runs already, but the host may not

struct cpu *cpu_table[CPU_MAX];
static struct cpu boot_cpu;
static struct thread boot_thread;
static _Atomic uint64_t online_mask;
static _Atomic uint32_t online_count;
const struct core_memory_ops *core_memory;

void core_memory_ops_set(const struct core_memory_ops *ops) {
    core_memory = ops;
}

uint32_t cpu_online_count(void) {
    return atomic_load_explicit(&online_count, memory_order_acquire);
}

uint64_t cpu_online_mask(void) {
    return atomic_load_explicit(&online_mask, memory_order_acquire);
}

uint32_t cpu_id(void) {
    return hal_cpu_id();
}

void cpu_setup(struct cpu *cpu, uint32_t id) {
    cpu->id = id;
    trace_setup(cpu);
    cpu_table[id] = cpu;
    sched_setup(cpu);
    timer_setup(cpu);
    account_cpu_setup(cpu);
    hal_cpu_data_set(id, cpu);
}

static void online_set(struct cpu *cpu) {
    // Release: who sees the processor counted sees its data set up.
    atomic_fetch_or_explicit(&online_mask, UINT64_C(1) << cpu->id, memory_order_release);
    atomic_fetch_add_explicit(&online_count, 1, memory_order_release);
}

void core_init_early(void) {
    hal_current_set(&boot_thread);
    cpu_setup(&boot_cpu, 0);
    thread_setup(&boot_thread, "boot", boot_stack_low, (size_t)(boot_stack_top - boot_stack_low));
    atomic_store_explicit(&boot_thread.state, THREAD_RUNNING, memory_order_relaxed);
    atomic_store_explicit(&boot_thread.on_cpu, true, memory_order_relaxed);
    boot_cpu.queue.current = &boot_thread;
    time_init_early();
    account_run_begin(&boot_thread, input_counter());
    online_set(&boot_cpu);
}

// The stack protector's value (compiled with -mstack-protector-guard=global) and its alarm.
// NOLINTBEGIN(readability-identifier-naming): the compiler chose the names
extern uintptr_t __stack_chk_guard;
uintptr_t __stack_chk_guard = (uintptr_t)UINT64_C(0x595e9fbd94fda766);
NORETURN void __stack_chk_fail(void);

void __stack_chk_fail(void) {
    panic("stack smashed in thread %s", thread_current()->name);
}
// NOLINTEND(readability-identifier-naming)

// Only under callers that have no protector of their own, or never return.
static __attribute__((no_stack_protector)) void stack_guard_set(void) {
    uintptr_t value;
    random_bytes(&value, sizeof(value));
    __stack_chk_guard = value & ~(uintptr_t)0xff; // a zero byte ends strings before it
}

__attribute__((no_stack_protector)) enum hx_status core_init(void) {
    ASSERT(core_memory != NULL && core_memory->stack_alloc != NULL);
    time_init();
    stack_guard_set();
    enum hx_status status = sched_init();
    if (status == HX_OK) {
        status = thread_worker_start();
    }
    if (status == HX_OK) {
        status = epoch_init();
    }
    capability_init();
    trace_switch_init();
    return status;
}

// Where another processor arrives, on the stack of its idle thread.
static void cpu_main(void *argument) {
    struct cpu *cpu = argument;
    hal_current_set(&cpu->idle);
    account_run_begin(&cpu->idle, input_counter());
    cpu->since = time_now();
    online_set(cpu);
    // What was unmapped since its start was told to those online: either core_kernel_flush() sees
    // it there, or this flush comes behind the change.
    atomic_thread_fence(memory_order_seq_cst);
    hal_tlb_flush_kernel();
    sched_init_cpu_online(cpu);
    sched_run_idle();
}

static enum hx_status cpu_start(uint32_t id) {
    struct cpu *cpu = core_memory->boot_alloc(sizeof(*cpu));
    void *stack = cpu == NULL ? NULL : core_memory->stack_alloc(THREAD_STACK_BYTES);
    if (stack == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    cpu_setup(cpu, id);
    thread_setup(&cpu->idle, "idle", stack, THREAD_STACK_BYTES);
    cpu->idle.preempt_off = 1; // it gives way in its own loop
    atomic_store_explicit(&cpu->idle.cpu, id, memory_order_relaxed);
    atomic_store_explicit(&cpu->idle.state, THREAD_RUNNING, memory_order_relaxed);
    atomic_store_explicit(&cpu->idle.on_cpu, true, memory_order_relaxed);
    cpu->queue.current = &cpu->idle;
    enum hx_status status = hal_cpu_start(id, cpu->idle.stack_top, cpu_main, cpu);
    if (status != HX_OK) {
        return status; // its data stay: it might still arrive
    }
    time_ns_t deadline = time_now() + ONLINE_WAIT_NS;
    while ((cpu_online_mask() >> id & 1) == 0) {
        if (time_now() > deadline) {
            return HX_ERR_TIMED_OUT;
        }
        hal_relax();
    }
    return HX_OK;
}

void core_start_processors(uint32_t limit) {
    uint32_t count = MIN_OF(hal_cpu_count(), MIN_OF(limit, CPU_MAX));
    for (uint32_t id = 1; id < count; id++) {
        enum hx_status status = cpu_start(id);
        if (status != HX_OK) {
            log_warning("processor %u does not start: %s", id, hx_status_name(status));
        }
    }
}

void cpu_call_serve(void) {
    struct cpu *cpu = cpu_this();
    if (atomic_load_explicit(&cpu->call_pending, memory_order_relaxed) == 0) {
        return;
    }
    uint64_t callers = atomic_exchange_explicit(&cpu->call_pending, 0, memory_order_acquire);
    while (callers != 0) {
        uint32_t id = (uint32_t)__builtin_ctzll(callers);
        callers &= callers - 1;
        struct cpu_request *request = &cpu_table[id]->call;
        request->fn(request->argument);
        // Release: the caller sees what fn did. The request is the caller's again after it.
        atomic_fetch_and_explicit(&request->remaining, ~(UINT64_C(1) << cpu->id),
                                  memory_order_release);
    }
}

// One round: sends to all of `mask`, which are others and online, and waits.
static void call_others(struct cpu *cpu, uint64_t mask, void (*fn)(void *argument),
                        void *argument) {
    uint64_t bit = UINT64_C(1) << cpu->id;
    cpu->call.fn = fn;
    cpu->call.argument = argument;
    atomic_store_explicit(&cpu->call.remaining, mask, memory_order_relaxed);
    for (uint64_t rest = mask; rest != 0; rest &= rest - 1) {
        uint32_t id = (uint32_t)__builtin_ctzll(rest);
        // Release: publishes the request. If the word was not zero, an interrupt is on its way.
        if (atomic_fetch_or_explicit(&cpu_table[id]->call_pending, bit, memory_order_release) ==
            0) {
            hal_ipi_send(id, HAL_IPI_CALL);
        }
    }
    // Acquire: what the targets did is visible to our caller.
    while (atomic_load_explicit(&cpu->call.remaining, memory_order_acquire) != 0) {
        hal_relax();
        unsigned long state = hal_irq_save();
        cpu_call_serve();
        hal_irq_restore(state);
    }
}

void cpu_call(uint64_t mask, void (*fn)(void *argument), void *argument) {
    preempt_disable();
    struct cpu *cpu = cpu_this();
    uint64_t bit = UINT64_C(1) << cpu->id;
    uint64_t others = mask & ~bit & cpu_online_mask();
    if (others != 0) {
        call_others(cpu, others, fn, argument);
    }
    if ((mask & bit) != 0) {
        unsigned long state = hal_irq_save();
        fn(argument);
        hal_irq_restore(state);
    }
    preempt_enable();
}

static void fence(void *argument) {
    (void)argument;
    atomic_thread_fence(memory_order_seq_cst);
}

void cpu_barrier_on(uint64_t mask) {
    cpu_call(mask, fence, NULL);
}

void cpu_barrier(void) {
    cpu_barrier_on(cpu_online_mask());
}
