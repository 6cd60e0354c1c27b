// SPDX-License-Identifier: MIT OR Apache-2.0
// interface/posix/signal_deliver.c: the stop point: where a thread ends, stops, or enters a
// handler.
//
// What an interrupted call does (thread->restart_status, set by the dispatcher):
//   status         no handler runs         a handler runs
//   RESTART        again, as it was        EINTR, or again with SA_RESTART
//   INTERRUPTED    again, as it was        EINTR
//   RESTART_BLOCK  restart_syscall         EINTR
//   restart_always again, as it was        again, as it was
#include "life.h"
#include "rseq.h"
#include "signals.h"
#include "times.h"

#include <lib/string.h>
#include <memory/heap.h>
#include <memory/usercopy.h>

enum {
#define X(name, number) CALL_##name = (number),
    HAL_SYSCALL_TABLE(X)
#undef X
};

// What is to be done with a signal that was taken.
struct delivery {
    struct posix_siginfo info;
    struct hal_fault fault;
    struct posix_action action;
    uint64_t blocked; // the mask to restore after the handler
    bool is_more;     // others are ready to be taken
    int32_t number;
    uint32_t continues; // of the process, when it was taken
};

enum taken { TAKEN_NONE, TAKEN_HANDLER, TAKEN_STOP, TAKEN_DEATH };

// Masks of waits ---------------------------------------------------------------------------------

void posix_mask_swap(struct posix_thread *thread, uint64_t mask) {
    struct posix_process *process = thread->process;
    const unsigned long irq = spin_lock_irq(&process->signal_lock);
    thread->blocked_saved = thread->blocked;
    thread->restore_blocked = true;
    thread->blocked = mask & ~SIGNALS_NEVER_BLOCKED;
    signal_recalculate_locked(thread);
    spin_unlock_irq(&process->signal_lock, irq);
}

static void mask_restore_locked(struct posix_thread *thread) {
    thread->restore_blocked = false;
    thread->blocked = thread->blocked_saved;
    signal_recalculate_locked(thread);
}

void posix_mask_restore(struct posix_thread *thread) {
    struct posix_process *process = thread->process;
    const unsigned long irq = spin_lock_irq(&process->signal_lock);
    // Else the stop point restores it, once it knows whether a handler runs.
    if (thread->restore_blocked && (signal_pending_locked(thread) & ~thread->blocked) == 0) {
        mask_restore_locked(thread);
    }
    spin_unlock_irq(&process->signal_lock, irq);
}

void signal_set_mask(struct posix_thread *thread, uint64_t blocked) {
    struct posix_process *process = thread->process;
    const unsigned long irq = spin_lock_irq(&process->signal_lock);
    const uint64_t closed = blocked & ~thread->blocked;
    thread->blocked = blocked & ~SIGNALS_NEVER_BLOCKED;
    signal_recalculate_locked(thread);
    // What this thread was woken for, and now blocks, another one may take.
    const uint64_t others = process->pending.set & closed;
    if (others != 0) {
        spin_lock(&process->process->thread_lock);
        list_for_each (link, &process->process->threads) {
            struct user_thread *native = LIST_ENTRY(link, struct user_thread, process_link);
            struct posix_thread *other = native->thread.personality;
            if (other != thread && !other->leaving && (others & ~other->blocked) != 0) {
                thread_notify(&native->thread, THREAD_SIGNAL);
            }
        }
        spin_unlock(&process->process->thread_lock);
    }
    spin_unlock_irq(&process->signal_lock, irq);
}

bool posix_signal_pending(struct posix_thread *thread) {
    struct posix_process *process = thread->process;
    if (thread_attention(&thread->native->thread) & (THREAD_KILL | THREAD_STOP)) {
        return true;
    }
    const unsigned long irq = spin_lock_irq(&process->signal_lock);
    const bool is_pending = (signal_pending_locked(thread) & ~thread->blocked) != 0;
    spin_unlock_irq(&process->signal_lock, irq);
    return is_pending;
}

// Stopping ---------------------------------------------------------------------------------------

// Tells all threads to stop, unless they are told already.
static void stop_begin_locked(struct posix_process *process, int32_t number) {
    struct process *native = process->process;
    if (process->stopping || process->group_exiting) {
        return;
    }
    process->stopping = true;
    process->stop_signal = (uint32_t)number;
    process->stop_remaining = 0;
    spin_lock(&native->thread_lock);
    list_for_each (link, &native->threads) {
        struct user_thread *thread = LIST_ENTRY(link, struct user_thread, process_link);
        struct posix_thread *posix = thread->thread.personality;
        if (!posix->leaving) {
            posix->stop_counted = true;
            process->stop_remaining++;
            thread_notify(&thread->thread, THREAD_STOP);
        }
    }
    spin_unlock(&native->thread_lock);
}

// The default action of SIGTSTP, SIGTTIN and SIGTTOU is nothing in an orphaned group (POSIX.1-2017,
// 2.4.3), which can only be looked at without the signal lock; a SIGCONT in between takes the stop
// back, hence `continues`.
static void stop_by_signal(struct posix_thread *self, const struct delivery *taken) {
    struct posix_process *process = self->process;
    const int32_t number = taken->number;
    if (number != SIGSTOP && job_group_is_orphaned(process)) {
        return;
    }
    const unsigned long irq = spin_lock_irq(&process->signal_lock);
    if (process->continues == taken->continues) {
        stop_begin_locked(process, number);
    }
    spin_unlock_irq(&process->signal_lock, irq);
}

static void report_continue_if_due(struct posix_process *process) {
    const unsigned long irq = spin_lock_irq(&process->signal_lock);
    const bool is_due = process->continue_notify;
    process->continue_notify = false;
    spin_unlock_irq(&process->signal_lock, irq);
    if (is_due) {
        tree_report_continue(process);
    }
}

// Counts the thread among those that have stopped, if it is to. Returns whether the process is
// still told to stop.
static bool stop_count(struct posix_thread *self, bool *out_is_complete) {
    struct posix_process *process = self->process;
    *out_is_complete = false;
    const unsigned long irq = spin_lock_irq(&process->signal_lock);
    if (self->stop_counted) {
        self->stop_counted = false;
        if (--process->stop_remaining == 0) {
            process->stopped = true;
            *out_is_complete = true;
        }
    }
    const bool is_stopping = process->stopping;
    if (!is_stopping) {
        thread_attention_clear(&self->native->thread, THREAD_STOP);
    }
    spin_unlock_irq(&process->signal_lock, irq);
    return is_stopping;
}

// Stays here while the process is stopped. Returns when it goes on or is killed. A stop may follow
// another before the thread has seen the end of the first, so it looks at all of it each time.
static void stop_wait(struct posix_thread *self) {
    struct posix_process *process = self->process;
    enum hx_status status = HX_OK;
    while (status == HX_OK) {
        bool is_complete;
        const uint32_t sequence = waitable_sequence(&process->resumed);
        const bool is_stopping = stop_count(self, &is_complete);
        report_continue_if_due(process);
        if (is_complete) {
            tree_report_stop(process);
        }
        if (!is_stopping) {
            break;
        }
        status = wait_change(&process->resumed, sequence, TIME_NEVER, WAIT_KILLABLE);
    }
}

// Handlers ---------------------------------------------------------------------------------------

// The mask for the time of the handler. If that cannot be entered the process ends, so it may come
// first.
static void close_mask_locked(struct posix_thread *self, struct delivery *out) {
    const struct posix_action *action = &out->action;
    out->blocked = self->restore_blocked ? self->blocked_saved : self->blocked;
    self->restore_blocked = false;
    uint64_t blocked = self->blocked | action->mask;
    if ((action->flags & SA_NODEFER) == 0) {
        blocked |= SIGNAL_BIT(out->number);
    }
    self->blocked = blocked & ~SIGNALS_NEVER_BLOCKED;
    out->is_more = (signal_pending_locked(self) & ~self->blocked) != 0;
    if (action->flags & SA_RESETHAND) {
        struct posix_action once = *action;
        struct posix_action old;
        once.handler = SIG_DFL;
        signal_action_set_locked(self->process, out->number, &once, &old);
    }
}

// Takes the next signal that means something, and decides what.
static enum taken take_next(struct posix_thread *self, struct delivery *out) {
    struct posix_process *process = self->process;
    enum taken taken = TAKEN_NONE;
    const unsigned long irq = spin_lock_irq(&process->signal_lock);
    while (taken == TAKEN_NONE) {
        const int32_t number = signal_take_locked(self, ~self->blocked, &out->info, &out->fault);
        if (number == 0) {
            break;
        }
        out->number = number;
        out->action = signal_action_locked(process, number);
        out->continues = process->continues;
        if (signal_is_ignored_locked(process, number)) {
            continue;
        }
        if (out->action.handler != SIG_DFL) {
            taken = TAKEN_HANDLER;
            close_mask_locked(self, out);
        } else {
            taken = (SIGNAL_BIT(number) & SIGNALS_STOP) ? TAKEN_STOP : TAKEN_DEATH;
        }
    }
    spin_unlock_irq(&process->signal_lock, irq);
    return taken;
}

static bool on_stack(const struct hal_signal_stack *stack, uint64_t sp) {
    return sp > stack->base && sp - stack->base <= stack->size_bytes;
}

// Where the frame goes: 0 means below the stack pointer.
static uint64_t frame_top(struct posix_thread *self, const struct posix_action *action,
                          const struct hal_frame *frame) {
    const struct hal_signal_stack *stack = &self->stack;
    if ((action->flags & SA_ONSTACK) == 0 || (stack->flags & SS_DISABLE) ||
        on_stack(stack, hal_frame_sp(frame))) {
        return 0;
    }
    return stack->base + stack->size_bytes;
}

static void restart_for_handler(struct posix_thread *self, struct hal_frame *frame,
                                const struct posix_action *action) {
    if (self->restart_always ||
        (self->restart_status == HX_ERR_RESTART && (action->flags & SA_RESTART))) {
        hal_frame_restart(frame, hal_frame_syscall_number(frame));
    }
    self->restart_status = HX_OK;
    self->restart_always = false;
}

static void restart_without_handler(struct posix_thread *self, struct hal_frame *frame) {
    if (self->restart_status != HX_OK) {
        hal_frame_restart(frame, self->restart_status == HX_ERR_RESTART_BLOCK
                                     ? CALL_restart_syscall
                                     : hal_frame_syscall_number(frame));
    }
    self->restart_status = HX_OK;
    self->restart_always = false;
}

// The frame cannot be written: that is a fault of its own, whose handler may have a stack of its
// own.
static void no_room(struct posix_thread *self, const struct delivery *taken) {
    const struct posix_siginfo info = { .number = SIGSEGV, .code = SI_KERNEL };
    signal_set_mask(self, taken->blocked);
    if (taken->number == SIGSEGV) {
        (void)group_exit_begin(self->process, SIGSEGV);
    } else {
        (void)signal_force(self, &info, &taken->fault);
    }
}

// Enters the handler. If there is no room for the frame the process dies by SIGSEGV. Returns
// whether there is more to take.
static bool enter_handler(struct posix_thread *self, struct hal_frame *frame,
                          const struct delivery *taken) {
    struct thread *thread = &self->native->thread;
    restart_for_handler(self, frame, &taken->action);
    rseq_before_handler(self, frame, taken->number);
    struct hal_signal_delivery delivery; // field by field: its largest one is filled below
    delivery.number = (uint32_t)taken->number;
    delivery.handler = taken->action.handler;
    delivery.restorer = (taken->action.flags & SA_RESTORER) ? taken->action.restorer : 0;
    delivery.with_info = (taken->action.flags & SA_SIGINFO) != 0;
    delivery.blocked = taken->blocked;
    delivery.stack = self->stack;
    delivery.stack_top = frame_top(self, &taken->action, frame);
    delivery.fault = taken->fault;
    siginfo_encode(&taken->info, delivery.info);
    hal_fpu_save(thread->fpu);
    if (hal_signal_push(frame, &delivery, thread->fpu, copy_to_user) != HX_OK) {
        no_room(self, taken);
        return true;
    }
    hal_fpu_reset(); // as on Linux: whatever rounding the program uses, a handler has the default
    if (self->stack.flags & SS_AUTODISARM) {
        self->stack = (struct hal_signal_stack){ .flags = SS_DISABLE };
    }
    return taken->is_more;
}

static void finish_without_handler(struct posix_thread *self, struct hal_frame *frame) {
    struct posix_process *process = self->process;
    restart_without_handler(self, frame);
    if (self->restore_blocked) {
        const unsigned long irq = spin_lock_irq(&process->signal_lock);
        mask_restore_locked(self);
        spin_unlock_irq(&process->signal_lock, irq);
    }
}

// A child's first moment: what clone() shall write into its memory.
static void write_child_tid(struct posix_thread *self) {
    const struct uaddr address = uaddr_make(self->set_child_tid);
    self->set_child_tid = 0;
    HX_IGNORE(copy_to_user(address, &self->tid, sizeof(self->tid))); // as on Linux
}

// Leaves when nothing is to be done but what came since, which has set a flag again.
static void take_signals(struct posix_thread *self, struct hal_frame *frame) {
    struct thread *thread = &self->native->thread;
    struct delivery taken;
    for (;;) {
        const uint32_t attention = thread_attention(thread);
        if (attention & THREAD_KILL) {
            posix_thread_exit(self, 0); // the process's status is decided already
        }
        thread_attention_clear(thread, THREAD_SIGNAL);
        if (attention & THREAD_STOP) {
            stop_wait(self);
            continue;
        }
        taken.fault = (struct hal_fault){ 0 };
        switch (take_next(self, &taken)) {
        case TAKEN_NONE:
            if (self->restart_status != HX_OK || self->restore_blocked) {
                finish_without_handler(self, frame);
                continue; // the mask that came back may let something in
            }
            return;
        case TAKEN_HANDLER:
            if (!enter_handler(self, frame, &taken)) {
                return;
            }
            break;
        case TAKEN_STOP:
            stop_by_signal(self, &taken);
            break;
        case TAKEN_DEATH:
            (void)group_exit_begin(self->process, taken.number);
            break;
        }
    }
}

void posix_stop_point(struct thread *thread, struct hal_frame *frame) {
    struct posix_thread *self = thread->personality;
    if (self->set_child_tid != 0) {
        write_child_tid(self);
    }
    if (thread_attention(thread) & THREAD_RUNS) {
        thread_attention_clear(thread, THREAD_RUNS);
        cpu_timer_resume(self->process);
    }
    if (thread_attention(thread) & (THREAD_SIGNAL | THREAD_KILL | THREAD_STOP)) {
        take_signals(self, frame);
    }
    if (thread_attention(thread) & THREAD_SWITCHED) {
        rseq_after_switch(self, frame);
    }
}
