// SPDX-License-Identifier: MIT OR Apache-2.0
// interface/posix/itimer.c: setitimer(ITIMER_REAL) and alarm.
//
// One that repeats is not armed again when it expires, but when its signal is taken: so a program
// gets no more interrupts than it can handle signals.
// To stop the timer, its deadline becomes 0 under the signal_lock, and it is cancelled after: if it
// is just expiring it sees the 0 and does nothing more.
#include "life.h"
#include "signals.h"
#include "times.h"

#include <memory/usercopy.h>

#define ITIMER_REAL    0
#define ITIMER_VIRTUAL 1
#define ITIMER_PROF    2

// The watch of the other two, which count processor time.
static enum cpu_watch watch_of(int32_t which) {
    return which == ITIMER_VIRTUAL ? CPU_WATCH_VIRTUAL : CPU_WATCH_PROF;
}

static const struct lock_class alarm_class = { .name = "alarm", .rank = LOCK_RANK_SIGNAL - 1 };

static void alarm_expired(struct timer *timer) {
    struct posix_process *process = CONTAINER_OF(timer, struct posix_process, alarm);
    spin_lock(&process->signal_lock);
    if (process->alarm_deadline != 0 && process->alarm_deadline <= time_now()) {
        process->alarm_expired = process->alarm_interval != 0;
        if (!process->alarm_expired) {
            process->alarm_deadline = 0;
        }
        HX_IGNORE(signal_send_locked(process, NULL, SIGALRM, NULL, NULL, false)); // cannot fail
    }
    spin_unlock(&process->signal_lock);
}

void process_alarm_taken_locked(struct posix_process *process) {
    if (process->alarm_expired) {
        process->alarm_expired = false;
        (void)time_expirations(&process->alarm_deadline, process->alarm_interval, time_now());
        timer_arm(&process->alarm, process->alarm_deadline);
    }
}

void process_timers_init(struct posix_process *process) {
    spinlock_init(&process->alarm_lock, &alarm_class);
    timer_init(&process->alarm, alarm_expired);
    cpu_timer_init(process);
    list_init(&process->timers);
    list_init(&process->timers_ignored);
}

// What is left (0: it does not run) and the interval.
static void alarm_get_locked(struct posix_process *process, time_ns_t *out_left,
                             time_ns_t *out_interval) {
    const bool runs = process->alarm_deadline != 0 && !process->alarm_expired;
    *out_left = runs ? MAX_OF(process->alarm_deadline - time_now(), (time_ns_t)1000) : 0;
    *out_interval = process->alarm_interval;
}

// Stops it; gives what alarm_get_locked() gave before.
static void alarm_stop(struct posix_process *process, time_ns_t *out_left,
                       time_ns_t *out_interval) {
    const unsigned long irq = spin_lock_irq(&process->signal_lock);
    alarm_get_locked(process, out_left, out_interval);
    process->alarm_deadline = 0;
    process->alarm_interval = 0;
    process->alarm_expired = false;
    spin_unlock_irq(&process->signal_lock, irq);
    // Also without a deadline: it may just be expiring.
    (void)timer_cancel(&process->alarm);
}

static void alarm_start(struct posix_process *process, time_ns_t value, time_ns_t interval) {
    const unsigned long irq = spin_lock_irq(&process->signal_lock);
    process->alarm_deadline = time_after(value);
    process->alarm_interval = interval;
    timer_arm(&process->alarm, process->alarm_deadline);
    spin_unlock_irq(&process->signal_lock, irq);
}

static void alarm_set(struct posix_process *process, time_ns_t value, time_ns_t interval,
                      time_ns_t *out_left, time_ns_t *out_interval) {
    mutex_lock(&process->process->lock); // who stops it does not stop what another has just set
    alarm_stop(process, out_left, out_interval);
    if (value != 0) {
        alarm_start(process, value, interval);
    }
    mutex_unlock(&process->process->lock);
}

void process_timers_end(struct posix_process *process) {
    time_ns_t left;
    time_ns_t interval;
    alarm_stop(process, &left, &interval);
    cpu_timer_end(process);
    process_timers_exec(process);
}

enum hx_status sys_alarm(struct call *call) {
    time_ns_t left;
    time_ns_t interval;
    alarm_set(call->process, call_uint(call, 0) * NS_PER_SECOND, 0, &left, &interval);
    // Rounded to the nearest second, but not down to 0.
    const time_ns_t seconds = (left + NS_PER_SECOND / 2) / NS_PER_SECOND;
    return call_ok(call, left != 0 && seconds == 0 ? 1 : seconds);
}

enum hx_status sys_getitimer(struct call *call) {
    struct posix_process *process = call->process;
    struct itimerval_user out = { 0 };
    const int32_t which = call_int(call, 0);
    if (which < ITIMER_REAL || which > ITIMER_PROF) {
        return HX_ERR_INVALID;
    }
    time_ns_t left;
    time_ns_t interval;
    if (which == ITIMER_REAL) {
        const unsigned long irq = spin_lock_irq(&process->signal_lock);
        alarm_get_locked(process, &left, &interval);
        spin_unlock_irq(&process->signal_lock, irq);
    } else {
        cpu_timer_get(process, watch_of(which), &left, &interval);
    }
    out.value = timeval_from_ns(left);
    out.interval = timeval_from_ns(interval);
    return copy_to_user(call_address(call, 1), &out, sizeof(out));
}

enum hx_status sys_setitimer(struct call *call) {
    struct itimerval_user wanted = { 0 };
    time_ns_t value;
    time_ns_t interval;
    const int32_t which = call_int(call, 0);
    if (which < ITIMER_REAL || which > ITIMER_PROF) {
        return HX_ERR_INVALID;
    }
    if (call->args[1] != 0 &&
        copy_from_user(&wanted, call_address(call, 1), sizeof(wanted)) != HX_OK) {
        return HX_ERR_BAD_ADDRESS;
    }
    if (ns_from_timeval(&wanted.value, &value) != HX_OK ||
        ns_from_timeval(&wanted.interval, &interval) != HX_OK) {
        return HX_ERR_INVALID;
    }
    time_ns_t left;
    time_ns_t old_interval;
    if (which == ITIMER_REAL) {
        alarm_set(call->process, value, interval, &left, &old_interval);
    } else {
        cpu_timer_set(call->process, watch_of(which), value, interval, &left, &old_interval);
    }
    if (call->args[2] == 0) {
        return HX_OK;
    }
    const struct itimerval_user old = { timeval_from_ns(old_interval), timeval_from_ns(left) };
    return copy_to_user(call_address(call, 2), &old, sizeof(old));
}
