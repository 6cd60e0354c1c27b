// SPDX-License-Identifier: MIT OR Apache-2.0
// interface/posix/timer_calls.c: POSIX timers: timer_create and its family.
//
// A timer brings its own queue entry, so that sending from the timer interrupt needs no memory. One
// that repeats is not armed again when it expires, but when its signal is taken; how often it would
// have expired meanwhile is the overrun. So a program gets no more interrupts than it can handle
// signals. While the signal is ignored nobody takes it, and the timer waits in timers_ignored.
#include "life.h"
#include "pids.h"
#include "signals.h"
#include "times.h"

#include <memory/heap.h>
#include <memory/usercopy.h>

#define SIGEV_SIGNAL    0
#define SIGEV_NONE      1
#define SIGEV_THREAD    2
#define SIGEV_THREAD_ID 4

#define TIMER_ABSTIME 1
#define OVERRUN_MAX   ((uint64_t)INT32_MAX)

// struct sigevent; 64 bytes, of which these matter.
struct sigevent_user {
    uint64_t value;
    int32_t number;
    int32_t notify;
    int32_t tid;
    int32_t padding[11];
};
_Static_assert(sizeof(struct sigevent_user) == 64, "it crosses the ABI");

struct posix_timer {
    struct list link; // [process lock]
    struct posix_process *process;
    int32_t id;
    int32_t clock;
    int32_t number; // 0: SIGEV_NONE
    int32_t tid;    // 0: the process
    struct timer timer;
    struct list ignored_link; // [signal_lock] in process.timers_ignored
    // [signal_lock] 0: not armed; past, also negative: it expired, see below
    time_ns_t deadline;
    time_ns_t interval;      // [signal_lock]
    bool by_real;            // [process lock] set to a moment on the real-time clock
    time_ns_t offset;        // [process lock] of that clock, by which `deadline` is
    bool expired;            // [signal_lock] its signal is on its way, or ignored
    bool sending;            // [signal_lock]
    struct signal_node node; // [signal_lock] its info.uid is the overrun
    uint32_t overrun;        // [signal_lock] of the last delivery
};

// Its signal does not keep it back any more.
static void go_on_locked(struct posix_timer *timer) {
    if (timer->expired) {
        timer->expired = false;
        const time_ns_t now = time_now();
        if (timer->deadline <= now) { // else the clock was set back meanwhile
            const uint64_t count = time_expirations(&timer->deadline, timer->interval, now);
            timer->node.info.uid = (uint32_t)MIN_OF(timer->node.info.uid + count - 1, OVERRUN_MAX);
        }
        timer_arm(&timer->timer, timer->deadline);
    }
}

// The entry was delivered, or thrown away.
static void node_released(struct signal_node *node) {
    struct posix_timer *timer = CONTAINER_OF(node, struct posix_timer, node);
    if (!timer->sending) {
        go_on_locked(timer);
        timer->overrun = timer->node.info.uid;
    }
}

void process_timers_heeded_locked(struct posix_process *process, int32_t number) {
    list_for_each_safe (link, &process->timers_ignored) {
        struct posix_timer *timer = LIST_ENTRY(link, struct posix_timer, ignored_link);
        if (timer->number == number) {
            list_remove(&timer->ignored_link);
            go_on_locked(timer);
        }
    }
}

static void send_locked(struct posix_timer *timer, struct posix_thread *thread) {
    struct posix_process *process = timer->process;
    if (timer->node.pending != NULL) { // of before it was set again
        timer->node.info.uid += timer->node.info.uid < OVERRUN_MAX;
        return;
    }
    struct posix_siginfo info = timer->node.info;
    info.uid = 0;
    timer->sending = true;
    HX_IGNORE(signal_send_locked(process, thread, timer->number, &info, &timer->node, false));
    timer->sending = false;
    if (timer->node.pending == NULL && timer->expired) {
        timer->node.info.uid = 0;
        list_push_back(&process->timers_ignored, &timer->ignored_link);
    }
}

static void expire_locked(struct posix_timer *timer, struct posix_thread *thread) {
    if (timer->deadline == 0 || timer->expired || timer->deadline > time_now()) {
        return;
    }
    timer->expired = timer->interval != 0;
    if (!timer->expired) {
        timer->deadline = 0;
    }
    // Nobody gets it if the thread is gone.
    if (thread != NULL || timer->tid == 0) {
        send_locked(timer, thread);
    }
}

static void timer_expired(struct timer *expired) {
    struct posix_timer *timer = CONTAINER_OF(expired, struct posix_timer, timer);
    struct posix_process *process = timer->process;
    struct pid_space *space = process->process->ns->pids;
    spin_lock(&space->lock);
    struct posix_thread *thread = NULL;
    if (timer->tid != 0) {
        thread = pid_thread_locked(space, timer->tid);
        if (thread != NULL && (thread->process != process || thread->leaving)) {
            thread = NULL; // the number is somebody else's by now
        }
    }
    spin_lock(&process->signal_lock);
    expire_locked(timer, thread);
    spin_unlock(&process->signal_lock);
    spin_unlock(&space->lock);
}

static void timer_stop(struct posix_timer *timer) {
    const unsigned long irq = spin_lock_irq(&timer->process->signal_lock);
    timer->deadline = 0;
    timer->interval = 0;
    timer->expired = false;
    list_remove(&timer->ignored_link);
    spin_unlock_irq(&timer->process->signal_lock, irq);
    (void)timer_cancel(&timer->timer);
}

// It is in no list any more.
static void timer_destroy(struct posix_timer *timer) {
    struct posix_process *process = timer->process;
    timer_stop(timer);
    const unsigned long irq = spin_lock_irq(&process->signal_lock);
    signal_node_cancel_locked(&timer->node);
    spin_unlock_irq(&process->signal_lock, irq);
    atomic_fetch_sub_explicit(&timer->node.user->pending, 1, memory_order_relaxed);
    posix_user_put(timer->node.user);
    heap_free(timer);
}

void process_timers_exec(struct posix_process *process) {
    struct list *link;
    do {
        mutex_lock(&process->process->lock); // who sets the clock looks at them
        link = list_pop_front(&process->timers);
        mutex_unlock(&process->process->lock);
        if (link != NULL) {
            timer_destroy(LIST_ENTRY(link, struct posix_timer, link));
        }
    } while (link != NULL);
}

// By id, with the process's lock held; NULL: there is none.
static struct posix_timer *timer_find_locked(struct posix_process *process, int32_t id) {
    list_for_each (link, &process->timers) {
        struct posix_timer *timer = LIST_ENTRY(link, struct posix_timer, link);
        if (timer->id == id) {
            return timer;
        }
    }
    return NULL;
}

static enum hx_status check_event(struct call *call, const struct sigevent_user *event) {
    switch (event->notify) {
    case SIGEV_NONE:
        return HX_OK;
    case SIGEV_THREAD_ID: {
        struct posix_thread *thread = posix_thread_find(event->tid);
        if (thread == NULL) {
            return HX_ERR_INVALID;
        }
        const bool is_ours = thread->process == call->process;
        user_thread_put(thread->native);
        if (!is_ours) {
            return HX_ERR_INVALID;
        }
        break;
    }
    case SIGEV_SIGNAL:
    case SIGEV_THREAD:
        break;
    default:
        return HX_ERR_INVALID;
    }
    return event->number >= 1 && event->number <= (int32_t)POSIX_SIGNALS ? HX_OK : HX_ERR_INVALID;
}

static struct posix_timer *timer_new(struct posix_process *process, int32_t clock,
                                     const struct sigevent_user *event) {
    struct posix_timer *timer = heap_alloc_zero(sizeof(*timer), MEMORY_SLEEP);
    if (timer == NULL) {
        return NULL;
    }
    timer->process = process;
    timer->clock = clock;
    timer->number = event->notify == SIGEV_NONE ? 0 : event->number;
    timer->tid = event->notify == SIGEV_THREAD_ID ? event->tid : 0;
    timer_init(&timer->timer, timer_expired);
    list_init(&timer->node.link);
    list_init(&timer->ignored_link);
    timer->node.release = node_released;
    timer->node.info = (struct posix_siginfo){
        .number = event->number,
        .code = SI_TIMER,
        .value = event->value,
    };
    const unsigned long irq = spin_lock_irq(&process->credentials_lock);
    timer->node.user = posix_user_hold(process->user);
    spin_unlock_irq(&process->credentials_lock, irq);
    atomic_fetch_add_explicit(&timer->node.user->pending, 1, memory_order_relaxed);
    return timer;
}

enum hx_status sys_timer_create(struct call *call) {
    struct posix_process *process = call->process;
    struct sigevent_user event = { .number = SIGALRM, .notify = SIGEV_SIGNAL };
    const int32_t clock = call_int(call, 0);
    time_ns_t unused;
    enum hx_status status = clock_to_monotonic(clock, 0, &unused);
    if (status != HX_OK) {
        return status;
    }
    if (call->args[1] != 0) {
        if (copy_from_user(&event, call_address(call, 1), sizeof(event)) != HX_OK) {
            return HX_ERR_BAD_ADDRESS;
        }
        status = check_event(call, &event);
        if (status != HX_OK) {
            return status;
        }
    }
    const unsigned long irq = spin_lock_irq(&process->credentials_lock);
    const int32_t queued = atomic_load_explicit(&process->user->pending, memory_order_relaxed);
    spin_unlock_irq(&process->credentials_lock, irq);
    if (queued >= 0 && (uint64_t)queued >= posix_limit(process, RLIMIT_SIGPENDING)) {
        return HX_ERR_WOULD_BLOCK;
    }
    struct posix_timer *timer = timer_new(process, clock, &event);
    if (timer == NULL) {
        return HX_ERR_WOULD_BLOCK; // as Linux has it
    }
    mutex_lock(&process->process->lock);
    timer->id = process->timer_next++;
    if (call->args[1] == 0) {
        timer->node.info.value = (uint64_t)timer->id;
    }
    timer->node.info.pid = timer->id; // where siginfo has it
    const int32_t id = timer->id;
    list_push_back(&process->timers, &timer->link);
    mutex_unlock(&process->process->lock);
    if (copy_to_user(call_address(call, 2), &id, sizeof(id)) == HX_OK) {
        return HX_OK;
    }
    mutex_lock(&process->process->lock);
    timer = timer_find_locked(process, id); // another thread may have guessed and deleted it
    if (timer != NULL) {
        list_remove(&timer->link);
    }
    mutex_unlock(&process->process->lock);
    if (timer != NULL) {
        timer_destroy(timer);
    }
    return HX_ERR_BAD_ADDRESS;
}

enum hx_status sys_timer_delete(struct call *call) {
    struct posix_process *process = call->process;
    mutex_lock(&process->process->lock);
    struct posix_timer *timer = timer_find_locked(process, call_int(call, 0));
    if (timer != NULL) {
        list_remove(&timer->link);
    }
    mutex_unlock(&process->process->lock);
    if (timer == NULL) {
        return HX_ERR_INVALID;
    }
    timer_destroy(timer);
    return HX_OK;
}

static struct itimerspec_user timer_state(struct posix_timer *timer) {
    struct itimerspec_user out = { 0 };
    const unsigned long irq = spin_lock_irq(&timer->process->signal_lock);
    const time_ns_t now = time_now();
    time_ns_t deadline = timer->deadline;
    const bool is_past = deadline != 0 && deadline <= now;
    // Without a signal it never expires; its time goes on all the same.
    if (is_past && (timer->expired || timer->number == 0)) {
        deadline = 0;
        if (timer->interval != 0) {
            deadline = timer->deadline;
            (void)time_expirations(&deadline, timer->interval, now);
        }
    }
    out.interval = timespec_from_ns(timer->interval);
    spin_unlock_irq(&timer->process->signal_lock, irq);
    if (deadline != 0) {
        out.value = timespec_from_ns(MAX_OF(deadline - now, (time_ns_t)1));
    }
    return out;
}

// Its deadline stays at the same moment of the clock. The process's lock is held.
static void timer_step_locked(struct posix_timer *timer) {
    const time_ns_t offset = time_real_offset(); // none is negative (clock_step())
    const unsigned long irq = spin_lock_irq(&timer->process->signal_lock);
    if (timer->deadline != 0 && timer->deadline <= TIME_NEVER - timer->offset) {
        const time_ns_t deadline = timer->deadline + timer->offset - offset;
        timer->deadline = deadline != 0 ? deadline : 1; // 0 would mean: stop
        if (timer->number != 0 && !timer->expired) {
            timer_arm(&timer->timer, MAX_OF(deadline, (time_ns_t)1));
        }
    }
    timer->offset = offset;
    spin_unlock_irq(&timer->process->signal_lock, irq);
}

void process_timers_step(struct posix_process *process) {
    mutex_lock(&process->process->lock);
    list_for_each (link, &process->timers) {
        struct posix_timer *timer = LIST_ENTRY(link, struct posix_timer, link);
        if (timer->by_real) {
            timer_step_locked(timer);
        }
    }
    mutex_unlock(&process->process->lock);
}

// What timer_settime says, as a monotonic moment; 0: stop. The process's lock is held.
static time_ns_t timer_moment(struct posix_timer *timer, time_ns_t value, bool is_absolute) {
    timer->offset = time_real_offset(); // once: it may be set just now
    timer->by_real = is_absolute && clock_is_real(timer->clock);
    if (value == 0 || value == TIME_NEVER) {
        return value;
    }
    if (!is_absolute) {
        return time_after(value);
    }
    // 0 would mean: stop.
    return MAX_OF(timer->by_real ? value - timer->offset : value, (time_ns_t)1);
}

static void timer_set(struct posix_timer *timer, time_ns_t deadline, time_ns_t interval) {
    if (deadline == 0) {
        return;
    }
    const unsigned long irq = spin_lock_irq(&timer->process->signal_lock);
    timer->deadline = deadline;
    timer->interval = interval;
    if (timer->number != 0) {
        timer_arm(&timer->timer, deadline);
    }
    spin_unlock_irq(&timer->process->signal_lock, irq);
}

enum hx_status sys_timer_settime(struct call *call) {
    struct posix_process *process = call->process;
    struct itimerspec_user wanted;
    time_ns_t value;
    time_ns_t interval;
    if (copy_from_user(&wanted, call_address(call, 2), sizeof(wanted)) != HX_OK) {
        return HX_ERR_BAD_ADDRESS;
    }
    if (ns_from_timespec(&wanted.value, &value) != HX_OK ||
        ns_from_timespec(&wanted.interval, &interval) != HX_OK) {
        return HX_ERR_INVALID;
    }
    mutex_lock(&process->process->lock);
    struct posix_timer *timer = timer_find_locked(process, call_int(call, 0));
    struct itimerspec_user old = { 0 };
    enum hx_status status = timer != NULL ? HX_OK : HX_ERR_INVALID;
    if (timer != NULL) {
        old = timer_state(timer);
        timer_stop(timer);
        const bool is_absolute = (call_uint(call, 1) & TIMER_ABSTIME) != 0;
        timer_set(timer, timer_moment(timer, value, is_absolute), interval);
    }
    mutex_unlock(&process->process->lock);
    if (status != HX_OK || call->args[3] == 0) {
        return status;
    }
    return copy_to_user(call_address(call, 3), &old, sizeof(old));
}

enum hx_status sys_timer_gettime(struct call *call) {
    struct posix_process *process = call->process;
    struct itimerspec_user state = { 0 };
    mutex_lock(&process->process->lock);
    struct posix_timer *timer = timer_find_locked(process, call_int(call, 0));
    if (timer != NULL) {
        state = timer_state(timer);
    }
    mutex_unlock(&process->process->lock);
    if (timer == NULL) {
        return HX_ERR_INVALID;
    }
    return copy_to_user(call_address(call, 1), &state, sizeof(state));
}

enum hx_status sys_timer_getoverrun(struct call *call) {
    struct posix_process *process = call->process;
    mutex_lock(&process->process->lock);
    const struct posix_timer *timer = timer_find_locked(process, call_int(call, 0));
    call->result = timer != NULL ? (int64_t)timer->overrun : 0;
    mutex_unlock(&process->process->lock);
    return timer != NULL ? HX_OK : HX_ERR_INVALID;
}
