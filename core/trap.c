// SPDX-License-Identifier: MIT OR Apache-2.0
// core/trap.c: what the machine calls: system calls, faults, interrupts, the ways out.
//
// The ways out: to user mode through user_return(), which handles all attention; to kernel code
// that had interrupts on through preempt(), which switches threads and ends calls of modules.
#include "core_private.h"

#include <core/log.h>
#include <hal/gate.h>

static const struct core_fault_ops *fault_ops;

void core_fault_ops_set(const struct core_fault_ops *ops) {
    fault_ops = ops;
}

static SLOW_PATH void syscall_traced(struct thread *thread, struct hal_frame *frame) {
    const uint64_t number = hal_frame_syscall_number(frame);
    trace(TRACE_CALL, number, hal_frame_argument(frame, 0));
    thread->ops->syscall(thread, frame);
    trace(TRACE_CALL_END, number, (uint64_t)hal_frame_result(frame));
}

static void on_syscall(struct hal_frame *frame) {
    struct thread *thread = thread_current();
    if (trace_records(TRACE_CALLS)) {
        syscall_traced(thread, frame);
        return;
    }
    thread->ops->syscall(thread, frame);
}

static void on_fault(struct hal_frame *frame, const struct hal_fault *fault) {
    struct thread *thread = thread_current();
    if (!hal_frame_is_user(frame) && (guard_fault(frame, fault) || gate_fault(frame, fault))) {
        return;
    }
    if (!hal_frame_is_user(frame) || fault->kind == HAL_FAULT_FATAL) {
        panic_frame(frame, "fault %u (vector %u, code 0x%lx) at address 0x%lx",
                    (unsigned)fault->kind, fault->vector, (unsigned long)fault->code,
                    (unsigned long)fault->address);
    }
    trace(TRACE_FAULT, fault->kind == HAL_FAULT_PAGE ? fault->address : hal_frame_pc(frame),
          fault->access);
    if (fault->kind == HAL_FAULT_PAGE && fault_ops->user_page(fault) == HX_OK) {
        return;
    }
    thread->ops->fault(thread, frame, fault);
}

// There is no memory for the page: the personality says for how long it is tried again.
static SLOW_PATH enum hx_status copy_fault_again(const struct hal_fault *fault) {
    struct thread *thread = thread_current();
    const time_ns_t since = time_now();
    enum hx_status status = HX_ERR_NO_MEMORY;
    while (status == HX_ERR_NO_MEMORY && thread->ops != NULL &&
           thread->ops->copy_waits(thread, since)) {
        status = fault_ops->user_page(fault);
    }
    return status;
}

static bool on_copy_fault(const struct hal_fault *fault) {
    if (fault_ops == NULL) {
        return false;
    }
    enum hx_status status = fault_ops->user_page(fault);
    if (status == HX_ERR_NO_MEMORY) {
        status = copy_fault_again(fault);
    }
    return status == HX_OK;
}

static void on_interrupt(uint32_t line) {
    uint32_t base = lock_check_interrupt();
    cpu_wake_note(cpu_this());
    irq_interrupt(line);
    trace(TRACE_INTERRUPT_END, 0, 0);
    lock_check_interrupt_done(base);
}

static void on_timer(void) {
    uint32_t base = lock_check_interrupt();
    cpu_wake_note(cpu_this());
    trace(TRACE_TIMER, 0, 0);
    timer_interrupt();
    trace(TRACE_INTERRUPT_END, 0, 0);
    lock_check_interrupt_done(base);
}

static void on_ipi(enum hal_ipi kind) {
    struct cpu *cpu = cpu_this();
    uint32_t base = lock_check_interrupt();
    cpu_wake_note(cpu);
    trace(TRACE_IPI, kind, 0);
    switch (kind) {
    case HAL_IPI_CALL:
        cpu_call_serve();
        break;
    case HAL_IPI_RESCHEDULE:
        sched_slice_update(cpu);
        log_tell();
        break;
    case HAL_IPI_STOP:
        hal_halt();
    }
    trace(TRACE_INTERRUPT_END, 0, 0);
    lock_check_interrupt_done(base);
}

// Books the sample that the timer asked for.
static void tick_book(struct thread *thread, bool is_user) {
    thread_attention_clear(thread, THREAD_TICK);
    account_sample(thread, is_user);
}

static void on_preempt(struct hal_frame *frame) {
    struct thread *thread = thread_current();
    uint32_t attention = thread_attention(thread);
    if ((attention & THREAD_TICK) != 0) {
        tick_book(thread, false);
        if (HAL_GATE_FAULTS && thread->context.gates != NULL) {
            gate_tick(frame);
        }
    }
    if ((attention & THREAD_RESCHEDULE) != 0 && thread->preempt_off == 0) {
        sched_switch(SWITCH_PREEMPT);
    }
}

static void user_attention(struct thread *thread, struct hal_frame *frame) {
    uint32_t attention;
    // A flag that comes after the last look comes with an interrupt, which is taken in user mode.
    while ((attention = thread_attention(thread)) != 0) {
        if ((attention & THREAD_TICK) != 0) {
            tick_book(thread, true);
        }
        if ((attention & THREAD_REVOKE) != 0) {
            thread_attention_clear(thread, THREAD_REVOKE); // it came when the thread had left
        }
        if ((attention & THREAD_RESCHEDULE) != 0) {
            sched_switch(SWITCH_PREEMPT);
        }
        if ((attention &
             (THREAD_SIGNAL | THREAD_KILL | THREAD_STOP | THREAD_RUNS | THREAD_SWITCHED)) != 0) {
            hal_irq_on();
            thread->ops->stop_point(thread, frame);
            hal_irq_off();
        }
    }
}

static void on_user_return(struct hal_frame *frame) {
    struct thread *thread = thread_current();
    if (thread_attention(thread) != 0) {
        user_attention(thread, frame);
    }
}

static const struct hal_handlers handlers = {
    .syscall = on_syscall,
    .fault = on_fault,
    .copy_fault = on_copy_fault,
    .interrupt = on_interrupt,
    .timer = on_timer,
    .ipi = on_ipi,
    .preempt = on_preempt,
    .user_return = on_user_return,
};

const struct hal_handlers *core_handlers(void) {
    return &handlers;
}
