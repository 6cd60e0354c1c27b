// SPDX-License-Identifier: MIT OR Apache-2.0
// interface/posix/signal_calls.c: a program's own signals: actions, masks, waiting, returning.
#include "life.h"
#include "signals.h"
#include "times.h"

#include <hal/context.h>
#include <lib/string.h>
#include <memory/heap.h>
#include <memory/usercopy.h>

#define SIGSET_BYTES 8u

#define SIG_BLOCK   0
#define SIG_UNBLOCK 1
#define SIG_SETMASK 2

#define SA_KNOWN                                                                                   \
    (SA_NOCLDSTOP | SA_NOCLDWAIT | SA_SIGINFO | SA_RESTORER | SA_ONSTACK | SA_RESTART |            \
     SA_NODEFER | SA_RESETHAND)

// struct sigaltstack of the 64-bit machines.
struct stack_user {
    uint64_t base;
    uint32_t flags;
    uint32_t padding;
    uint64_t size_bytes;
};

static bool is_signal(int32_t number) {
    return number >= 1 && number <= (int32_t)POSIX_SIGNALS;
}

// rt_sigaction -----------------------------------------------------------------------------------

// struct kernel_sigaction: handler, flags, a restorer on some machines, mask.
#define ACTION_BYTES     (HAL_SIGACTION_WORDS * sizeof(uint64_t))
#define ACTION_MASK      (HAL_SIGACTION_WORDS - 1)
#define ACTION_RESTORER  2u
#define ACTION_WORDS_MAX 4u

static enum hx_status action_read(struct call *call, uint32_t argument, struct posix_action *out) {
    uint64_t words[ACTION_WORDS_MAX];
    if (copy_from_user(words, call_address(call, argument), ACTION_BYTES) != HX_OK) {
        return HX_ERR_BAD_ADDRESS;
    }
    *out = (struct posix_action){ .handler = words[0],
                                  .flags = words[1],
                                  .restorer = ACTION_RESTORER < ACTION_MASK ? words[2] : 0,
                                  .mask = words[ACTION_MASK] };
    return HX_OK;
}

static enum hx_status action_write(struct call *call, uint32_t argument,
                                   const struct posix_action *action) {
    uint64_t words[ACTION_WORDS_MAX] = { action->handler, action->flags, action->restorer };
    words[ACTION_MASK] = action->mask;
    return copy_to_user(call_address(call, argument), words, ACTION_BYTES);
}

static void flush_locked(struct posix_process *process, int32_t number) {
    struct process *native = process->process;
    pending_flush(&process->pending, SIGNAL_BIT(number));
    spin_lock(&native->thread_lock);
    list_for_each (link, &native->threads) {
        struct user_thread *thread = LIST_ENTRY(link, struct user_thread, process_link);
        struct posix_thread *posix = thread->thread.personality;
        pending_flush(&posix->pending, SIGNAL_BIT(number));
    }
    spin_unlock(&native->thread_lock);
}

enum hx_status sys_rt_sigaction(struct call *call) {
    const int32_t number = call_int(call, 0);
    struct posix_process *process = call->process;
    struct posix_action fresh = { 0 };
    if (call->args[3] != SIGSET_BYTES || !is_signal(number)) {
        return HX_ERR_INVALID;
    }
    const bool is_set = call->args[1] != 0;
    if (is_set) {
        if (action_read(call, 1, &fresh) != HX_OK) {
            return HX_ERR_BAD_ADDRESS;
        }
        if (SIGNAL_BIT(number) & SIGNALS_NEVER_BLOCKED) {
            return HX_ERR_INVALID;
        }
        fresh.flags &= SA_KNOWN; // so that programs can find out what is supported
        fresh.mask &= ~SIGNALS_NEVER_BLOCKED;
    }
    const unsigned long irq = spin_lock_irq(&process->signal_lock);
    struct posix_action old;
    if (!is_set) {
        old = signal_action_locked(process, number);
    } else {
        signal_action_set_locked(process, number, &fresh, &old);
        if (signal_is_ignored_locked(process, number)) {
            flush_locked(process, number);
        } else {
            process_timers_heeded_locked(process, number);
        }
    }
    spin_unlock_irq(&process->signal_lock, irq);
    return call->args[2] != 0 ? action_write(call, 2, &old) : HX_OK;
}

// Masks ------------------------------------------------------------------------------------------

enum hx_status sys_rt_sigprocmask(struct call *call) {
    struct posix_thread *thread = call->thread;
    const uint64_t old = thread->blocked;
    if (call->args[3] != SIGSET_BYTES) {
        return HX_ERR_INVALID;
    }
    if (call->args[1] != 0) {
        uint64_t set;
        if (copy_from_user(&set, call_address(call, 1), sizeof(set)) != HX_OK) {
            return HX_ERR_BAD_ADDRESS;
        }
        switch (call_int(call, 0)) {
        case SIG_BLOCK:
            set = old | set;
            break;
        case SIG_UNBLOCK:
            set = old & ~set;
            break;
        case SIG_SETMASK:
            break;
        default:
            return HX_ERR_INVALID;
        }
        signal_set_mask(thread, set);
    }
    return call->args[2] != 0 ? copy_to_user(call_address(call, 2), &old, sizeof(old)) : HX_OK;
}

enum hx_status sys_rt_sigpending(struct call *call) {
    struct posix_process *process = call->process;
    if (call->args[1] > SIGSET_BYTES) {
        return HX_ERR_INVALID;
    }
    const unsigned long irq = spin_lock_irq(&process->signal_lock);
    const uint64_t set = signal_pending_locked(call->thread) & call->thread->blocked;
    spin_unlock_irq(&process->signal_lock, irq);
    return copy_to_user(call_address(call, 0), &set, call->args[1]);
}

// Blocks until a signal arrives; both calls below end only so.
static enum hx_status wait_for_signal(void) {
    const enum hx_status status = wait_for(NULL, 0, TIME_NEVER, WAIT_INTERRUPTIBLE, NULL);
    return status == HX_OK ? HX_ERR_INTERRUPTED : status;
}

enum hx_status sys_pause(struct call *call) {
    (void)call;
    return wait_for_signal();
}

enum hx_status sys_rt_sigsuspend(struct call *call) {
    uint64_t mask;
    if (call->args[1] != SIGSET_BYTES) {
        return HX_ERR_INVALID;
    }
    if (copy_from_user(&mask, call_address(call, 0), sizeof(mask)) != HX_OK) {
        return HX_ERR_BAD_ADDRESS;
    }
    posix_mask_swap(call->thread, mask); // the stop point swaps it back
    return wait_for_signal();
}

// rt_sigtimedwait --------------------------------------------------------------------------------

static int32_t take_waited(struct posix_thread *thread, uint64_t set,
                           struct posix_siginfo *out_info, bool is_waiting) {
    struct posix_process *process = thread->process;
    const unsigned long irq = spin_lock_irq(&process->signal_lock);
    const int32_t number = signal_take_locked(thread, set, out_info, NULL);
    thread->waited_for = number == 0 && is_waiting ? set : 0;
    spin_unlock_irq(&process->signal_lock, irq);
    return number;
}

static void stop_waiting(struct posix_thread *thread) {
    const unsigned long irq = spin_lock_irq(&thread->process->signal_lock);
    thread->waited_for = 0;
    spin_unlock_irq(&thread->process->signal_lock, irq);
}

enum hx_status sys_rt_sigtimedwait(struct call *call) {
    struct posix_thread *thread = call->thread;
    uint64_t set;
    time_ns_t deadline = TIME_NEVER;
    if (call->args[3] != SIGSET_BYTES) {
        return HX_ERR_INVALID;
    }
    if (copy_from_user(&set, call_address(call, 0), sizeof(set)) != HX_OK) {
        return HX_ERR_BAD_ADDRESS;
    }
    set &= ~SIGNALS_NEVER_BLOCKED;
    if (call->args[2] != 0) {
        time_ns_t span;
        const enum hx_status status = timespec_from_user(call_address(call, 2), &span);
        if (status != HX_OK) {
            return status;
        }
        deadline = time_after(span);
    }
    struct posix_siginfo info;
    int32_t number = take_waited(thread, set, &info, true);
    if (number == 0) {
        const enum hx_status status = wait_for(NULL, 0, deadline, WAIT_INTERRUPTIBLE, NULL);
        number = take_waited(thread, set, &info, false);
        if (number == 0) {
            return status == HX_ERR_TIMED_OUT ? HX_ERR_WOULD_BLOCK
                                              : call_fail(call, HX_ERR_INTERRUPTED, EINTR);
        }
    }
    stop_waiting(thread);
    if (call->args[1] != 0) {
        uint8_t bytes[HAL_SIGINFO_BYTES];
        siginfo_encode(&info, bytes);
        if (copy_to_user(call_address(call, 1), bytes, sizeof(bytes)) != HX_OK) {
            return HX_ERR_BAD_ADDRESS;
        }
    }
    return call_ok(call, number);
}

// Stacks and returning ---------------------------------------------------------------------------

static bool is_on_stack(const struct hal_signal_stack *stack, uint64_t sp) {
    return (stack->flags & (SS_AUTODISARM | SS_DISABLE)) == 0 && sp > stack->base &&
           sp - stack->base <= stack->size_bytes;
}

static enum hx_status set_stack(struct call *call, const struct stack_user *wanted) {
    struct hal_signal_stack *stack = &call->thread->stack;
    const uint32_t mode = wanted->flags & ~SS_AUTODISARM;
    if (is_on_stack(stack, hal_frame_sp(call->frame))) {
        return HX_ERR_NOT_PERMITTED;
    }
    if (mode != 0 && mode != SS_DISABLE && mode != SS_ONSTACK) {
        return HX_ERR_INVALID;
    }
    if (mode == SS_DISABLE) {
        *stack = (struct hal_signal_stack){ .flags = wanted->flags };
        return HX_OK;
    }
    if (wanted->size_bytes < MINSIGSTKSZ) {
        return call_fail(call, HX_ERR_NO_MEMORY, ENOMEM);
    }
    *stack = (struct hal_signal_stack){
        .base = wanted->base,
        .flags = wanted->flags & SS_AUTODISARM,
        .size_bytes = wanted->size_bytes,
    };
    return HX_OK;
}

enum hx_status sys_sigaltstack(struct call *call) {
    const struct hal_signal_stack *stack = &call->thread->stack;
    const bool is_active = is_on_stack(stack, hal_frame_sp(call->frame));
    const struct stack_user old = {
        .base = stack->base,
        .flags = stack->flags | (is_active ? SS_ONSTACK : 0),
        .size_bytes = stack->size_bytes,
    };
    if (call->args[0] != 0) {
        struct stack_user wanted;
        if (copy_from_user(&wanted, call_address(call, 0), sizeof(wanted)) != HX_OK) {
            return HX_ERR_BAD_ADDRESS;
        }
        const enum hx_status status = set_stack(call, &wanted);
        if (status != HX_OK) {
            return status;
        }
    }
    return call->args[1] != 0 ? copy_to_user(call_address(call, 1), &old, sizeof(old)) : HX_OK;
}

#define FPU_FEW 1024u

// Loads a checked image of the vector registers into this processor; they are the thread's own
// while it runs.
static enum hx_status pop_frame(struct call *call, uint64_t *out_blocked,
                                struct hal_signal_stack *out_stack) {
    alignas(64) uint8_t few[FPU_FEW];
    void *fpu = few;
    if (hal_fpu_size() > sizeof(few)) {
        fpu = heap_alloc(hal_fpu_size(), MEMORY_SLEEP);
        if (fpu == NULL) {
            return HX_ERR_NO_MEMORY;
        }
    }
    const enum hx_status status =
        hal_signal_pop(call->frame, fpu, out_blocked, out_stack, copy_from_user);
    if (status == HX_OK) {
        hal_fpu_restore(fpu);
    }
    if (fpu != few) {
        heap_free(fpu);
    }
    return status;
}

enum hx_status sys_rt_sigreturn(struct call *call) {
    struct posix_thread *thread = call->thread;
    uint64_t blocked;
    struct hal_signal_stack stack;
    thread->restart_function =
        NULL; // what the handler interrupted is not restarted by a stale block
    if (pop_frame(call, &blocked, &stack) != HX_OK) {
        const struct posix_siginfo info = { .number = SIGSEGV, .code = SI_KERNEL };
        (void)signal_force(thread, &info, &(struct hal_fault){ 0 });
        return call_frame_is_set(call);
    }
    signal_set_mask(thread, blocked);
    const struct stack_user wanted = { stack.base, stack.flags, 0, stack.size_bytes };
    HX_IGNORE(set_stack(call, &wanted)); // a bad one stays unset, as on Linux
    return call_frame_is_set(call);
}
