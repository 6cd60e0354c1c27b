// SPDX-License-Identifier: MIT OR Apache-2.0
// interface/posix/time.c: clocks, and sleeping.
#include "life.h"
#include "pids.h"
#include "signals.h"
#include "times.h"
#include "usage.h"

#include <memory/usercopy.h>

#define TIMER_ABSTIME 1

#define COARSE_NS 4000000 // what Linux says of its coarse clocks at 250 Hz

// Formats ----------------------------------------------------------------------------------------

struct timespec_user timespec_from_ns(time_ns_t ns) {
    return (struct timespec_user){ ns / NS_PER_SECOND, ns % NS_PER_SECOND };
}

struct timeval_user timeval_from_ns(time_ns_t ns) {
    return (struct timeval_user){ ns / NS_PER_SECOND, ns % NS_PER_SECOND / 1000 };
}

static time_ns_t combine(int64_t seconds, int64_t nanoseconds) {
    return seconds >= TIME_NEVER / NS_PER_SECOND ? TIME_NEVER
                                                 : seconds * NS_PER_SECOND + nanoseconds;
}

enum hx_status ns_from_timespec(const struct timespec_user *from, time_ns_t *out_ns) {
    if (from->seconds < 0 || from->nanoseconds < 0 || from->nanoseconds >= NS_PER_SECOND) {
        return HX_ERR_INVALID;
    }
    *out_ns = combine(from->seconds, from->nanoseconds);
    return HX_OK;
}

enum hx_status ns_from_timeval(const struct timeval_user *from, time_ns_t *out_ns) {
    if (from->seconds < 0 || from->microseconds < 0 || from->microseconds >= NS_PER_SECOND / 1000) {
        return HX_ERR_INVALID;
    }
    *out_ns = combine(from->seconds, from->microseconds * 1000);
    return HX_OK;
}

enum hx_status timespec_from_user(struct uaddr from, time_ns_t *out_ns) {
    struct timespec_user time;
    if (copy_from_user(&time, from, sizeof(time)) != HX_OK) {
        return HX_ERR_BAD_ADDRESS;
    }
    return ns_from_timespec(&time, out_ns);
}

enum hx_status timespec_to_user(struct uaddr to, time_ns_t ns) {
    const struct timespec_user time = timespec_from_ns(ns);
    return copy_to_user(to, &time, sizeof(time));
}

time_ns_t time_after(time_ns_t span) {
    const time_ns_t now = time_now();
    return span > TIME_NEVER - now ? TIME_NEVER : now + span;
}

uint64_t time_expirations(time_ns_t *deadline, time_ns_t interval, time_ns_t now) {
    const time_ns_t last = now - (now - *deadline) % interval;
    const uint64_t count = (uint64_t)((now - *deadline) / interval) + 1;
    // A deadline is negative that a step of the clock left far behind.
    *deadline = last > 0 && interval > TIME_NEVER - last ? TIME_NEVER : last + interval;
    return count;
}

// Processor time ---------------------------------------------------------------------------------

static time_ns_t thread_total(struct thread *thread) {
    time_ns_t user;
    time_ns_t system;
    thread_times(thread, &user, &system);
    return user + system;
}

static time_ns_t process_total(struct posix_process *process) {
    struct usage usage;
    process_usage(process, &usage);
    return usage.user_ns + usage.system_ns;
}

// Clocks -----------------------------------------------------------------------------------------

// The clocks of pthread_getcpuclockid() and clock_getcpuclockid(): ~pid << 3, 4 for a thread, 2.
static enum hx_status dynamic_clock_read(int32_t clock, time_ns_t *out_ns) {
    const int32_t id = ~(clock >> 3);
    if ((clock & 3) == 3) {
        return HX_ERR_INVALID; // a descriptor's clock
    }
    if (clock & 4) {
        struct posix_thread *thread = id == 0 ? posix_thread_current() : posix_thread_find(id);
        if (thread == NULL || thread->process != posix_current()) {
            if (thread != NULL && id != 0) {
                user_thread_put(thread->native);
            }
            return HX_ERR_INVALID;
        }
        *out_ns = thread_total(&thread->native->thread);
        if (id != 0) {
            user_thread_put(thread->native);
        }
        return HX_OK;
    }
    struct posix_process *process = id == 0 ? posix_current() : posix_process_find(id);
    if (process == NULL) {
        return HX_ERR_INVALID;
    }
    *out_ns = process_total(process);
    if (id != 0) {
        process_put(process->process);
    }
    return HX_OK;
}

enum hx_status clock_read(int32_t clock, time_ns_t *out_ns) {
    switch (clock) {
    case CLOCK_REALTIME:
    case CLOCK_REALTIME_COARSE:
    case CLOCK_REALTIME_ALARM:
    case CLOCK_TAI:
        *out_ns = time_now() + time_real_offset();
        return HX_OK;
    case CLOCK_MONOTONIC:
    case CLOCK_MONOTONIC_RAW:
    case CLOCK_MONOTONIC_COARSE:
    case CLOCK_BOOTTIME:
    case CLOCK_BOOTTIME_ALARM:
        *out_ns = time_now();
        return HX_OK;
    case CLOCK_PROCESS_CPUTIME_ID:
        *out_ns = process_total(posix_current());
        return HX_OK;
    case CLOCK_THREAD_CPUTIME_ID:
        *out_ns = thread_total(thread_current());
        return HX_OK;
    default:
        return clock < 0 ? dynamic_clock_read(clock, out_ns) : HX_ERR_INVALID;
    }
}

enum hx_status clock_to_monotonic(int32_t clock, time_ns_t moment, time_ns_t *out_moment) {
    switch (clock) {
    case CLOCK_REALTIME:
    case CLOCK_REALTIME_ALARM:
    case CLOCK_TAI: {
        const time_ns_t offset = time_real_offset();
        *out_moment = moment == TIME_NEVER ? TIME_NEVER : MAX_OF(moment - offset, (time_ns_t)0);
        return HX_OK;
    }
    case CLOCK_MONOTONIC:
    case CLOCK_BOOTTIME:
    case CLOCK_BOOTTIME_ALARM:
        *out_moment = moment;
        return HX_OK;
    case CLOCK_PROCESS_CPUTIME_ID:
    case CLOCK_MONOTONIC_RAW:
    case CLOCK_MONOTONIC_COARSE:
    case CLOCK_REALTIME_COARSE:
        return HX_ERR_NO_OPERATION;
    default:
        return HX_ERR_INVALID;
    }
}

enum hx_status sys_clock_gettime(struct call *call) {
    time_ns_t now;
    const enum hx_status status = clock_read(call_int(call, 0), &now);
    return status == HX_OK ? timespec_to_user(call_address(call, 1), now) : status;
}

enum hx_status sys_clock_getres(struct call *call) {
    const int32_t clock = call_int(call, 0);
    time_ns_t now;
    const enum hx_status status = clock_read(clock, &now);
    if (status != HX_OK || call->args[1] == 0) {
        return status;
    }
    const bool is_coarse = clock == CLOCK_REALTIME_COARSE || clock == CLOCK_MONOTONIC_COARSE;
    return timespec_to_user(call_address(call, 1), is_coarse ? COARSE_NS : 1);
}

enum hx_status sys_clock_settime(struct call *call) {
    time_ns_t time;
    if (call_int(call, 0) != CLOCK_REALTIME) {
        return HX_ERR_INVALID;
    }
    const enum hx_status status = timespec_from_user(call_address(call, 1), &time);
    if (status != HX_OK) {
        return status;
    }
    if (!posix_capable(CAPABILITY_SYS_TIME)) {
        return HX_ERR_NOT_PERMITTED;
    }
    return clock_step(time);
}

enum hx_status sys_gettimeofday(struct call *call) {
    const struct timeval_user now = timeval_from_ns(time_now() + time_real_offset());
    const struct {
        int32_t minutes_west, dst;
    } zone = { 0, 0 };
    if (call->args[0] != 0 && copy_to_user(call_address(call, 0), &now, sizeof(now)) != HX_OK) {
        return HX_ERR_BAD_ADDRESS;
    }
    return call->args[1] != 0 ? copy_to_user(call_address(call, 1), &zone, sizeof(zone)) : HX_OK;
}

enum hx_status sys_settimeofday(struct call *call) {
    struct timeval_user time;
    time_ns_t ns;
    if (call->args[0] == 0) {
        return HX_OK; // a time zone alone: the kernel has none
    }
    if (copy_from_user(&time, call_address(call, 0), sizeof(time)) != HX_OK) {
        return HX_ERR_BAD_ADDRESS;
    }
    const enum hx_status status = ns_from_timeval(&time, &ns);
    if (status != HX_OK) {
        return status;
    }
    if (!posix_capable(CAPABILITY_SYS_TIME)) {
        return HX_ERR_NOT_PERMITTED;
    }
    return clock_step(ns);
}

enum hx_status sys_time(struct call *call) {
    const int64_t now = (time_now() + time_real_offset()) / NS_PER_SECOND;
    if (call->args[0] != 0 && copy_to_user(call_address(call, 0), &now, sizeof(now)) != HX_OK) {
        return HX_ERR_BAD_ADDRESS;
    }
    return call_ok(call, now);
}

// Sleeping ---------------------------------------------------------------------------------------

static enum hx_status sleep_restart(struct call *call);

// Until a monotonic moment. If interrupted, writes what is left (remainder not null), and can be
// restarted.
static enum hx_status sleep_until(struct call *call, time_ns_t deadline, struct uaddr remainder) {
    struct posix_thread *thread = call->thread;
    const enum hx_status status = wait_for(NULL, 0, deadline, WAIT_INTERRUPTIBLE, NULL);
    if (status == HX_ERR_TIMED_OUT) {
        return HX_OK;
    }
    if (!uaddr_is_null(remainder)) {
        const time_ns_t left = deadline - time_now();
        if (left <= 0) {
            return HX_OK;
        }
        if (timespec_to_user(remainder, left) != HX_OK) {
            return HX_ERR_BAD_ADDRESS;
        }
    }
    thread->restart_function = sleep_restart;
    thread->restart_deadline = deadline;
    thread->restart_args[0] = remainder.value;
    return HX_ERR_RESTART_BLOCK;
}

static enum hx_status sleep_restart(struct call *call) {
    const struct posix_thread *thread = call->thread;
    return sleep_until(call, thread->restart_deadline, uaddr_make(thread->restart_args[0]));
}

enum hx_status sys_nanosleep(struct call *call) {
    time_ns_t span;
    const enum hx_status status = timespec_from_user(call_address(call, 0), &span);
    return status == HX_OK ? sleep_until(call, time_after(span), call_address(call, 1)) : status;
}

enum hx_status sys_clock_nanosleep(struct call *call) {
    const int32_t clock = call_int(call, 0);
    time_ns_t time;
    time_ns_t deadline;
    enum hx_status status = clock_to_monotonic(clock, 0, &deadline);
    if (status == HX_OK) {
        status = timespec_from_user(call_address(call, 2), &time);
    }
    if (status != HX_OK) {
        return status;
    }
    if ((call_uint(call, 1) & TIMER_ABSTIME) == 0) {
        return sleep_until(call, time_after(time), call_address(call, 3));
    }
    // The moment stays the same, so the call itself can be made again.
    return clock_wait(clock, time) == HX_ERR_TIMED_OUT ? HX_OK : HX_ERR_INTERRUPTED;
}

enum hx_status sys_restart_syscall(struct call *call) {
    struct posix_thread *thread = call->thread;
    enum hx_status (*restart)(struct call *) = thread->restart_function;
    thread->restart_function = NULL;
    return restart != NULL ? restart(call) : call_fail(call, HX_ERR_INTERRUPTED, EINTR);
}
