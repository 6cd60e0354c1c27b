// SPDX-License-Identifier: MIT OR Apache-2.0
// core/selftest_panic.c: a panic stops the other processors, whatever they are doing: one that was
// not stopped says so on the console a second later, while the machine waits for its end (panic=).
#include "selftest.h"

#include <core/sched.h>
#include <hal/io.h>

#define PATIENCE_NS 1000000000

static _Atomic uint32_t busy;
static _Atomic bool begins;
static struct thread others[CPU_MAX];

// One that is deaf has interrupts off, and waits in the only kind of loop that may do so; the
// others are told by the interrupt alone.
static void stay(bool is_deaf) {
    time_ns_t end = TIME_NEVER;
    while (time_now() < end) {
        if (is_deaf) {
            hal_relax();
        }
        if (end == TIME_NEVER && atomic_load_explicit(&begins, memory_order_acquire)) {
            end = time_now() + PATIENCE_NS;
        }
    }
    hal_console_write("this processor still runs\n", 26);
}

static void other(void *argument) {
    const bool is_deaf = selftest_index(argument) % 2 != 0;
    const unsigned long state = hal_irq_save();
    if (!is_deaf) {
        hal_irq_on();
    }
    atomic_fetch_add_explicit(&busy, 1, memory_order_release);
    stay(is_deaf);
    hal_irq_restore(state);
}

void core_selftest_panic(void) {
    preempt_disable();
    uint64_t left = cpu_online_mask() & ~(UINT64_C(1) << cpu_id());
    uint32_t count = 0;
    for (; left != 0; left &= left - 1) {
        const uint32_t id = (uint32_t)__builtin_ctzll(left);
        void *stack = core_memory->stack_alloc(THREAD_STACK_BYTES);
        ASSERT(stack != NULL);
        thread_init(&others[id], "selftest", stack, THREAD_STACK_BYTES, other,
                    (void *)(uintptr_t)id); // NOLINT(performance-no-int-to-ptr): an index
        thread_set_affinity(&others[id], UINT64_C(1) << id);
        thread_start(&others[id]);
        count++;
    }
    while (atomic_load_explicit(&busy, memory_order_acquire) != count) {
        hal_relax();
    }
    atomic_store_explicit(&begins, true, memory_order_release);
    panic("asked for by selftest=panic-others");
}
