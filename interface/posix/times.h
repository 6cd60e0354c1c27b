// SPDX-License-Identifier: MIT OR Apache-2.0
// interface/posix/times.h: times in the formats of the Linux ABI, clocks, and timers. Private to
// posix.
#pragma once

#include <core/time.h>
#include <posix/process.h>

#define NS_PER_SECOND INT64_C(1000000000)
#define NS_PER_TICK   (NS_PER_SECOND / 100) // USER_HZ is 100

struct timespec_user {
    int64_t seconds, nanoseconds;
};
struct timeval_user {
    int64_t seconds, microseconds;
};
struct itimerval_user {
    struct timeval_user interval, value;
};
struct itimerspec_user {
    struct timespec_user interval, value;
};

struct timespec_user timespec_from_ns(time_ns_t ns);
struct timeval_user timeval_from_ns(time_ns_t ns);
// Both refuse negative times and parts out of range with HX_ERR_INVALID; too large times become
// TIME_NEVER.
enum hx_status ns_from_timespec(const struct timespec_user *from, time_ns_t *out_ns);
enum hx_status ns_from_timeval(const struct timeval_user *from, time_ns_t *out_ns);
// The same from user memory; HX_ERR_BAD_ADDRESS, too.
enum hx_status timespec_from_user(struct uaddr from, time_ns_t *out_ns);
enum hx_status timespec_to_user(struct uaddr to, time_ns_t ns);

// now + span, TIME_NEVER if that is beyond.
time_ns_t time_after(time_ns_t span);

// How often a timer whose deadline is past has expired by `now` (at least once); its deadline moves
// to the first moment after `now`, TIME_NEVER if that is beyond. The interval is not 0.
uint64_t time_expirations(time_ns_t *deadline, time_ns_t interval, time_ns_t now);

#define CLOCK_REALTIME           0
#define CLOCK_MONOTONIC          1
#define CLOCK_PROCESS_CPUTIME_ID 2
#define CLOCK_THREAD_CPUTIME_ID  3
#define CLOCK_MONOTONIC_RAW      4
#define CLOCK_REALTIME_COARSE    5
#define CLOCK_MONOTONIC_COARSE   6
#define CLOCK_BOOTTIME           7
#define CLOCK_REALTIME_ALARM     8
#define CLOCK_BOOTTIME_ALARM     9
#define CLOCK_TAI                11

// Reads a clock. HX_ERR_INVALID: there is none such.
enum hx_status clock_read(int32_t clock, time_ns_t *out_ns);
// A moment on a clock as a moment on the monotonic one (for waiting). HX_ERR_INVALID: the clock
// does not run by itself; HX_ERR_NO_OPERATION: it is one that cannot be waited on.
enum hx_status clock_to_monotonic(int32_t clock, time_ns_t moment, time_ns_t *out_moment);

// Setting the real-time clock (clock_step.c).
void clock_step_init(void);
// Whether the clock is moved when the real-time clock is set.
bool clock_is_real(int32_t clock);
// Sets it; who waits for a moment on it waits by the new time. Thread context. HX_ERR_INVALID: it
// would be behind the monotonic clock.
enum hx_status clock_step(time_ns_t real_now);
// Sleeps until a moment on a clock. HX_ERR_TIMED_OUT: it has come; HX_ERR_INTERRUPTED,
// HX_ERR_CANCELED, and what clock_to_monotonic() says.
enum hx_status clock_wait(int32_t clock, time_ns_t moment);
// Moves the timers of a process (timer_create) that were set to moments on the real-time clock.
// Thread context.
void process_timers_step(struct posix_process *process);

// ITIMER_PROF and ITIMER_VIRTUAL (cpu_timer.c).
void cpu_timer_init(struct posix_process *process);
void cpu_timer_end(struct posix_process *process);
// `value` 0: stop. Gives what was left, 0: it did not run.
void cpu_timer_set(struct posix_process *process, enum cpu_watch watch, time_ns_t value,
                   time_ns_t interval, time_ns_t *out_left, time_ns_t *out_interval);
void cpu_timer_get(struct posix_process *process, enum cpu_watch watch, time_ns_t *out_left,
                   time_ns_t *out_interval);
// A thread runs again that was asked to say so (THREAD_RUNS). Thread context.
void cpu_timer_resume(struct posix_process *process);
// RLIMIT_CPU was set, or inherited.
void cpu_limit_apply(struct posix_process *process);

// ITIMER_REAL and timer_create's.
void process_timers_init(struct posix_process *process);
// exec: timers of timer_create go, ITIMER_REAL stays. Thread context, only thread.
void process_timers_exec(struct posix_process *process);
// The process ends: nothing fires any more when this returns.
void process_timers_end(struct posix_process *process);
