// SPDX-License-Identifier: MIT OR Apache-2.0
// interface/posix/signal.c: pending sets and sending.
//
// A signal is queued under the process's signal_lock; then a thread that does not block it is given
// THREAD_SIGNAL and takes it at its next stop point. The thread clears the flag before it looks, so
// none is lost. What certainly ends the process (SIGKILL, or a signal whose default is termination
// without a core and that its target does not block) ends it right here: every thread gets
// THREAD_KILL, which also ends waits that a mere signal does not.
#include "life.h"
#include "signals.h"
#include "times.h"
#include "usage.h"

#include <core/trace.h>
#include <lib/string.h>
#include <memory/heap.h>

// Whether another process has them, too. That begins only under this one's signal_lock; and what
// the other did before it let go of them is seen.
static bool is_shared(const struct posix_actions *actions) {
    return atomic_load_explicit(&actions->object.references, memory_order_acquire) > 1;
}

// The signal_lock of one process guards actions that nobody shares. True: locked.
HX_ATTR(no_thread_safety_analysis) static bool actions_begin(struct posix_actions *actions) {
    const bool shared = is_shared(actions);
    if (shared) {
        spin_lock(&actions->lock);
    }
    return shared;
}

HX_ATTR(no_thread_safety_analysis)
static void actions_end(struct posix_actions *actions, bool is_locked) {
    if (is_locked) {
        spin_unlock(&actions->lock);
    }
}

// One word cannot be half of another.
static uint64_t handler_of(const struct posix_process *process, int32_t number) {
    return *(const volatile uint64_t *)&process->actions->action[number].handler;
}

struct posix_action signal_action_locked(const struct posix_process *process, int32_t number) {
    struct posix_actions *actions = process->actions;
    const bool is_locked = actions_begin(actions);
    const struct posix_action action = actions->action[number];
    actions_end(actions, is_locked);
    return action;
}

void signal_action_set_locked(struct posix_process *process, int32_t number,
                              const struct posix_action *to, struct posix_action *out_old) {
    struct posix_actions *actions = process->actions;
    const bool is_locked = actions_begin(actions);
    *out_old = actions->action[number];
    actions->action[number] = *to;
    actions_end(actions, is_locked);
}

// Process 1 is never hurt by a signal that it has no handler for.
static bool is_unkillable(const struct posix_process *process) {
    return process->pid == 1;
}

bool signal_is_ignored_locked(const struct posix_process *process, int32_t number) {
    const uint64_t handler = handler_of(process, number);
    const uint64_t bit = SIGNAL_BIT(number);
    if (bit & SIGNALS_NEVER_BLOCKED) {
        return is_unkillable(process);
    }
    if (handler == SIG_DFL) {
        return is_unkillable(process) || (SIGNALS_IGNORED & bit) != 0;
    }
    return handler == SIG_IGN;
}

// Pending sets -----------------------------------------------------------------------------------

// It is in no queue any more.
static void node_release(struct signal_node *node) {
    list_remove(&node->link);
    node->pending = NULL;
    if (node->release != NULL) {
        node->release(node);
    }
}

static void node_destroy(struct signal_node *node) {
    if (node->release != NULL) {
        return; // a timer's own
    }
    if (node->user != NULL) {
        atomic_fetch_sub_explicit(&node->user->pending, 1, memory_order_relaxed);
        posix_user_put(node->user);
    }
    heap_free(node);
}

static void node_free(struct signal_node *node) {
    node_release(node);
    node_destroy(node);
}

void pending_flush(struct posix_pending *pending, uint64_t set) {
    if ((pending->set & set) == 0) {
        return;
    }
    pending->set &= ~set;
    list_for_each_safe (link, &pending->queue) {
        struct signal_node *node = LIST_ENTRY(link, struct signal_node, link);
        if (SIGNAL_BIT(node->info.number) & set) {
            node_free(node);
        }
    }
}

void signal_node_cancel_locked(struct signal_node *node) {
    struct posix_pending *pending = node->pending;
    if (pending == NULL) {
        return;
    }
    list_remove(&node->link);
    node->pending = NULL;
    list_for_each (link, &pending->queue) {
        if (LIST_ENTRY(link, struct signal_node, link)->info.number == node->info.number) {
            return; // another one keeps the bit
        }
    }
    pending->set &= ~SIGNAL_BIT(node->info.number);
}

static void flush_everywhere_locked(struct posix_process *process, uint64_t set) {
    pending_flush(&process->pending, set);
    struct process *native = process->process;
    spin_lock(&native->thread_lock);
    list_for_each (link, &native->threads) {
        struct user_thread *thread = LIST_ENTRY(link, struct user_thread, process_link);
        pending_flush(&((struct posix_thread *)thread->thread.personality)->pending, set);
    }
    spin_unlock(&native->thread_lock);
}

uint64_t signal_pending_locked(const struct posix_thread *thread) {
    return thread->pending.set | thread->process->pending.set;
}

static struct signal_node *node_alloc(struct posix_user *user) {
    struct signal_node *node = heap_alloc(sizeof(*node), MEMORY_ATOMIC);
    if (node != NULL) {
        node->user = user;
        node->release = NULL;
        node->fault = (struct hal_fault){ 0 };
        list_init(&node->link);
    }
    return node;
}

// Signals of one number below SIGNAL_REALTIME are pending once at most, so nobody counts them.
// NULL: no memory, or the target's user has as many as it may.
static struct signal_node *node_create(struct posix_process *process, int32_t number) {
    if (number < SIGNAL_REALTIME) {
        return node_alloc(NULL);
    }
    spin_lock(&process->credentials_lock);
    struct posix_user *user = posix_user_hold(process->user);
    spin_unlock(&process->credentials_lock);
    const int32_t count = atomic_fetch_add_explicit(&user->pending, 1, memory_order_relaxed);
    struct signal_node *node = NULL;
    if (count >= 0 && (uint64_t)count < posix_limit(process, RLIMIT_SIGPENDING)) {
        node = node_alloc(user);
    }
    if (node == NULL) {
        atomic_fetch_sub_explicit(&user->pending, 1, memory_order_relaxed);
        posix_user_put(user);
    }
    return node;
}

// Sending ----------------------------------------------------------------------------------------

static bool wants_locked(const struct posix_thread *thread, int32_t number) {
    return !thread->leaving && (thread->blocked & ~thread->waited_for & SIGNAL_BIT(number)) == 0;
}

// Does whom it is meant for block it? Then it is kept even if it would be ignored now.
static bool is_blocked_locked(struct posix_process *process, struct posix_thread *thread,
                              uint64_t bit) {
    if (thread == NULL) {
        struct process *native = process->process;
        spin_lock(&native->thread_lock);
        if (!list_is_empty(&native->threads)) {
            thread = LIST_ENTRY(native->threads.next, struct user_thread, process_link)
                         ->thread.personality;
        }
        spin_unlock(&native->thread_lock);
    }
    return thread != NULL && (thread->blocked & bit) != 0;
}

// Who takes a signal for the process: the first thread that does not block it. Needs thread_lock.
static struct posix_thread *find_taker_locked(struct posix_process *process, int32_t number) {
    list_for_each (link, &process->process->threads) {
        struct user_thread *native = LIST_ENTRY(link, struct user_thread, process_link);
        struct posix_thread *thread = native->thread.personality;
        if (wants_locked(thread, number)) {
            return thread;
        }
    }
    return NULL;
}

static void stop_end_locked(struct posix_process *process) {
    process->continue_notify = process->stopped;
    process->stopping = false;
    process->stopped = false;
    process->stop_remaining = 0;
    struct process *native = process->process;
    spin_lock(&native->thread_lock);
    list_for_each (link, &native->threads) {
        struct user_thread *thread = LIST_ENTRY(link, struct user_thread, process_link);
        ((struct posix_thread *)thread->thread.personality)->stop_counted = false;
        thread_attention_clear(&thread->thread, THREAD_STOP);
    }
    spin_unlock(&native->thread_lock);
    waitable_pulse(&process->resumed);
}

// What happens at the moment of sending, whether or not the signal is delivered.
static void side_effects_locked(struct posix_process *process, int32_t number) {
    if (SIGNAL_BIT(number) & SIGNALS_STOP) {
        flush_everywhere_locked(process, SIGNAL_BIT(SIGCONT));
    } else if (number == SIGCONT) {
        flush_everywhere_locked(process, SIGNALS_STOP);
        process->continues++;
        if (process->stopping) {
            stop_end_locked(process);
        }
    }
}

// Does this signal end the process for certain, once the thread takes it?
static bool is_fatal_locked(struct posix_process *process, int32_t number) {
    const uint64_t bit = SIGNAL_BIT(number);
    return !is_unkillable(process) && handler_of(process, number) == SIG_DFL &&
           (bit & (SIGNALS_IGNORED | SIGNALS_STOP | SIGNALS_CORE)) == 0;
}

static void wake_taker_locked(struct posix_process *process, struct posix_thread *thread,
                              int32_t number) {
    struct process *native = process->process;
    if (thread == NULL) {
        spin_lock(&native->thread_lock);
        thread = find_taker_locked(process, number);
        if (thread != NULL) { // the list's lock keeps it
            thread_notify(&thread->native->thread, THREAD_SIGNAL);
        }
        spin_unlock(&native->thread_lock);
    } else if (!wants_locked(thread, number)) {
        thread = NULL;
    } else {
        thread_notify(&thread->native->thread, THREAD_SIGNAL);
    }
    if (number == SIGKILL || (thread != NULL && (thread->waited_for & SIGNAL_BIT(number)) == 0 &&
                              is_fatal_locked(process, number))) {
        (void)group_exit_begin_locked(process, number);
    }
}

static void fill_info(struct posix_siginfo *to, int32_t number, const struct posix_siginfo *info) {
    if (info != NULL) {
        *to = *info;
        to->number = number;
    } else {
        *to = (struct posix_siginfo){ .number = number, .code = SI_KERNEL };
    }
}

static void node_drop(struct signal_node *node) {
    if (node != NULL) {
        node_free(node);
    }
}

enum hx_status signal_send_locked(struct posix_process *process, struct posix_thread *thread,
                                  int32_t number, const struct posix_siginfo *info,
                                  struct signal_node *node, bool must_queue) {
    const uint64_t bit = SIGNAL_BIT(number);
    if (process->group_exiting || process->actions == NULL || (thread != NULL && thread->leaving)) {
        node_drop(node);
        return HX_OK; // too late to matter
    }
    side_effects_locked(process, number);
    struct posix_pending *pending = thread != NULL ? &thread->pending : &process->pending;
    if ((signal_is_ignored_locked(process, number) && !is_blocked_locked(process, thread, bit)) ||
        (number < SIGNAL_REALTIME && (pending->set & bit) != 0)) {
        node_drop(node);
        return HX_OK;
    }
    // SIGKILL is not looked at any more: the process ends right here.
    if (node == NULL && number != SIGKILL) {
        node = node_create(process, number);
        if (node == NULL && must_queue) {
            return HX_ERR_LIMIT;
        }
    }
    if (node != NULL) {
        fill_info(&node->info, number, info);
        node->pending = pending;
        list_push_back(&pending->queue, &node->link);
    }
    pending->set |= bit;
    trace(TRACE_SIGNAL, (uint64_t)number, thread != NULL ? (uint64_t)thread->tid : 0);
    signal_watches_tell_locked(process, number);
    wake_taker_locked(process, thread, number);
    return HX_OK;
}

enum hx_status signal_send(struct posix_process *process, struct posix_thread *thread,
                           int32_t number, const struct posix_siginfo *info, bool must_queue) {
    const unsigned long irq = spin_lock_irq(&process->signal_lock);
    const enum hx_status status =
        signal_send_locked(process, thread, number, info, NULL, must_queue);
    spin_unlock_irq(&process->signal_lock, irq);
    return status;
}

void posix_signal_process(struct posix_process *process, int32_t number,
                          const struct posix_siginfo *info) {
    // Without must_queue there is nothing that can fail: the signal is pending at least by its bit.
    HX_IGNORE(signal_send(process, NULL, number, info, false));
}

void posix_signal_thread(struct posix_thread *thread, int32_t number,
                         const struct posix_siginfo *info) {
    HX_IGNORE(signal_send(thread->process, thread, number, info, false)); // as above
}

bool signal_force(struct posix_thread *thread, const struct posix_siginfo *info,
                  const struct hal_fault *fault) {
    struct posix_process *process = thread->process;
    const int32_t number = info->number;
    const uint64_t bit = SIGNAL_BIT(number);
    const unsigned long irq = spin_lock_irq(&process->signal_lock);
    const uint64_t handler = handler_of(process, number);
    const bool is_hopeless = (thread->blocked & bit) != 0 || handler <= SIG_IGN;
    struct signal_node *node = is_hopeless ? NULL : node_create(process, number);
    if (node == NULL) { // also without memory: the thread cannot go on without its handler
        (void)group_exit_begin_locked(process, number);
    } else {
        node->info = *info;
        node->fault = *fault;
        pending_flush(&thread->pending, bit);
        node->pending = &thread->pending;
        list_push_front(&thread->pending.queue, &node->link);
        thread->pending.set |= bit;
        thread_notify(&thread->native->thread, THREAD_SIGNAL);
    }
    spin_unlock_irq(&process->signal_lock, irq);
    return node != NULL;
}

// Taking -----------------------------------------------------------------------------------------

static int32_t lowest(uint64_t set) {
    const uint64_t first = set & SIGNALS_SYNCHRONOUS;
    return __builtin_ctzll(first != 0 ? first : set) + 1;
}

// Takes one signal of that number out of a set; the bit stays while more are queued.
static void take_from(struct posix_pending *pending, int32_t number, struct posix_siginfo *out_info,
                      struct hal_fault *out_fault) {
    struct signal_node *found = NULL;
    bool is_more = false;
    list_for_each (link, &pending->queue) {
        struct signal_node *node = LIST_ENTRY(link, struct signal_node, link);
        if (node->info.number != number) {
            continue;
        }
        if (found != NULL) {
            is_more = true;
            break;
        }
        found = node;
    }
    if (!is_more) {
        pending->set &= ~SIGNAL_BIT(number);
    }
    if (found == NULL) {
        *out_info = (struct posix_siginfo){ .number = number, .code = SI_USER };
        return;
    }
    node_release(found);
    *out_info = found->info;
    if (out_fault != NULL) {
        *out_fault = found->fault;
    }
    node_destroy(found);
}

int32_t signal_take_locked(struct posix_thread *thread, uint64_t set,
                           struct posix_siginfo *out_info, struct hal_fault *out_fault) {
    struct posix_pending *pending = &thread->pending;
    uint64_t ready = pending->set & set;
    if (ready == 0) {
        pending = &thread->process->pending;
        ready = pending->set & set;
    }
    if (ready == 0) {
        return 0;
    }
    const int32_t number = lowest(ready);
    take_from(pending, number, out_info, out_fault);
    if (number == SIGALRM && pending != &thread->pending) {
        process_alarm_taken_locked(thread->process);
    }
    return number;
}

void signal_recalculate_locked(struct posix_thread *thread) {
    if (signal_pending_locked(thread) & ~thread->blocked) {
        thread_notify(&thread->native->thread, THREAD_SIGNAL);
    }
}

bool signal_thread_leaves(struct posix_thread *thread) {
    struct posix_process *process = thread->process;
    struct process *native = process->process;
    const unsigned long irq = spin_lock_irq(&process->signal_lock);
    thread->leaving = true;
    pending_flush(&thread->pending, ~UINT64_C(0));
    usage_leave_thread_locked(thread);
    bool stop_is_complete = false;
    if (thread->stop_counted) {
        thread->stop_counted = false;
        if (--process->stop_remaining == 0) {
            process->stopped = true;
            stop_is_complete = true;
        }
    }
    if (!process->group_exiting && process->pending.set != 0) {
        spin_lock(&native->thread_lock);
        list_for_each (link, &native->threads) {
            struct user_thread *other = LIST_ENTRY(link, struct user_thread, process_link);
            struct posix_thread *posix = other->thread.personality;
            if (!posix->leaving && (process->pending.set & ~posix->blocked) != 0) {
                thread_notify(&other->thread, THREAD_SIGNAL);
            }
        }
        spin_unlock(&native->thread_lock);
    }
    spin_unlock_irq(&process->signal_lock, irq);
    return stop_is_complete;
}

void signal_actions_reset(struct posix_process *process) {
    const unsigned long irq = spin_lock_irq(&process->signal_lock);
    struct posix_actions *actions = process->actions;
    const bool is_locked = actions_begin(actions);
    for (int32_t number = 1; number <= (int32_t)POSIX_SIGNALS; number++) {
        const uint64_t old = actions->action[number].handler;
        const struct posix_action fresh = { .handler = old == SIG_IGN ? SIG_IGN : SIG_DFL };
        actions->action[number] = fresh;
    }
    actions_end(actions, is_locked);
    spin_unlock_irq(&process->signal_lock, irq);
}
