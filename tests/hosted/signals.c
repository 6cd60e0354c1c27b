// SPDX-License-Identifier: MIT OR Apache-2.0
// tests/hosted/signals.c: handlers, masks, restarts, faults, timers' signals.
#include "check.h"

#include <asm-generic/siginfo.h>
#include <lib/string.h>
#include <linux/time.h>

// Where handlers leave what they saw.
#define COUNT_AT  (PAD + PAGE)
#define SEEN_AT   (PAD + PAGE + 8)
#define SENDER_AT (PAD + PAGE + 16)

static void counts(uint64_t number, uint64_t info, uint64_t context) {
    (void)info, (void)context;
    hosted_store(COUNT_AT, hosted_load(COUNT_AT, 8) + 1, 8);
    hosted_store(SEEN_AT, number, 8);
}

static void reads_info(uint64_t number, uint64_t info, uint64_t context) {
    counts(number, info, context);
    hosted_store(SENDER_AT, hosted_load(info + 16, 4), 8); // si_pid
}

static void act(uint64_t number, void (*handler)(uint64_t, uint64_t, uint64_t), uint64_t flags) {
    const uint64_t action[4] = { hosted_address(handler), flags };
    hosted_write(PAD, action, sizeof(action));
    SAME(CALL(rt_sigaction, number, PAD, 0, 8), 0);
}

static void mask(uint64_t how, uint64_t set) {
    hosted_store(PAD, set, 8);
    SAME(CALL(rt_sigprocmask, how, PAD, 0, 8), 0);
}

static uint64_t bit(uint64_t number) {
    return 1ull << (number - 1);
}

static uint64_t seen(void) {
    return hosted_load(COUNT_AT, 8);
}

static uint64_t self(void) {
    return (uint64_t)CALL(getpid);
}

static void a_handler_runs_before_kill_returns(void) {
    act(SIGUSR1, reads_info, SA_SIGINFO);
    for (uint64_t i = 1; i <= 10; i++) {
        SAME(CALL(kill, self(), SIGUSR1), 0);
        SAME(seen(), i);
    }
    SAME(hosted_load(SEEN_AT, 8), SIGUSR1);
    SAME(hosted_load(SENDER_AT, 8), self());
}

static void blocked_ones_wait(void) {
    act(SIGUSR1, counts, 0);
    act(SIGUSR2, counts, 0);
    mask(SIG_BLOCK, bit(SIGUSR1) | bit(SIGUSR2));
    SAME(CALL(kill, self(), SIGUSR1), 0);
    SAME(CALL(kill, self(), SIGUSR1), 0);
    SAME(CALL(kill, self(), SIGUSR2), 0);
    SAME(seen(), 0);
    mask(SIG_SETMASK, 0); // both come at once: one handler on top of the other
    SAME(seen(), 2);
}

static void raises_inside(uint64_t number, uint64_t info, uint64_t context) {
    counts(number, info, context);
    if (seen() < 5) {
        SAME(CALL(kill, self(), number), 0);
    }
}

static void handlers_nest(void) {
    act(SIGUSR1, raises_inside, SA_NODEFER);
    SAME(CALL(kill, self(), SIGUSR1), 0);
    SAME(seen(), 5);
}

static void real_time_ones_queue(void) {
    act(SIGRTMIN, counts, 0);
    mask(SIG_BLOCK, bit(SIGRTMIN));
    for (uint32_t i = 0; i < 7; i++) {
        SAME(CALL(kill, self(), SIGRTMIN), 0);
    }
    mask(SIG_SETMASK, 0);
    SAME(seen(), 7);
}

// ---- calls that are interrupted ----------------------------------------------------------------

static void timer_set(uint64_t first_us, uint64_t next_us) {
    const uint64_t value[4] = { 0, next_us, 0, first_us };
    hosted_write(PAD, value, sizeof(value));
    SAME(CALL(setitimer, 0, PAD, 0), 0);
}

static void timer_start(uint64_t first_us) {
    timer_set(first_us, 0);
}

// Again and again: the first one may come before the call that it is to interrupt.
static void timer_repeat(uint64_t every_us) {
    timer_set(every_us, every_us);
}

static int32_t pipe_ends[2]; // of the one process that uses it

static int writes_when_seen(uint64_t unused) {
    (void)unused;
    spin_while(COUNT_AT, 0);
    return CALL(write, pipe_ends[1], COUNT_AT, 1) == 1 ? 0 : 1;
}

static void a_read_is_interrupted(void) {
    SAME(CALL(pipe2, PAD, 0), 0);
    hosted_read(pipe_ends, PAD, sizeof(pipe_ends));
    act(SIGALRM, counts, 0);
    timer_repeat(2000);
    SAME(CALL(read, pipe_ends[0], PAD, 1), -EINTR);
    NEED(seen() >= 1);
}

static void a_read_is_restarted(void) {
    SAME(CALL(pipe2, PAD, 0), 0);
    hosted_read(pipe_ends, PAD, sizeof(pipe_ends));
    act(SIGALRM, counts, SA_RESTART);
    (void)thread_new(writes_when_seen, 1, PAD + 64);
    mask(SIG_SETMASK, 0);
    timer_start(2000);
    SAME(CALL(read, pipe_ends[0], PAD, 1), 1);
    SAME(seen(), 1);
    thread_join(PAD + 64);
}

static void a_sleep_goes_on(void) {
    const uint64_t span[2] = { 0, 10000000 }, long_span[2] = { 1000, 0 };
    act(SIGCHLD, counts, 0); // stays ignored: no child
    hosted_write(PAD + 64, span, sizeof(span));
    SAME(CALL(clock_nanosleep, CLOCK_MONOTONIC, 0, PAD + 64, 0), 0);
    act(SIGALRM, counts, 0);
    hosted_write(PAD + 64, long_span, sizeof(long_span));
    timer_repeat(1000);
    SAME(CALL(clock_nanosleep, CLOCK_MONOTONIC, 0, PAD + 64, PAD + 96), -EINTR);
    NEED(hosted_load(PAD + 96, 8) > 0);
}

static void a_loop_is_interrupted(void) {
    act(SIGALRM, counts, 0);
    timer_start(2000);
    spin_while(COUNT_AT, 0);
    SAME(seen(), 1);
}

// ---- faults ------------------------------------------------------------------------------------

#define HOLE (PAD + 2 * PAD_BYTES)

static void maps_it(uint64_t number, uint64_t info, uint64_t context) {
    counts(number, info, context);
    const uint64_t address = hosted_load(info + 16, 8); // si_addr
    hosted_store(SENDER_AT, address, 8);
    SAME(map_at(address & ~(PAGE - 1), PAGE, PROT_READ | PROT_WRITE) > 0, true);
}

static void a_handler_mends_a_fault(void) {
    act(SIGSEGV, maps_it, SA_SIGINFO);
    hosted_store(HOLE + 24, 9, 8);
    SAME(hosted_load(HOLE + 24, 8), 9);
    SAME(seen(), 1);
    SAME(hosted_load(SENDER_AT, 8), HOLE + 24);
}

static void alternate_stacks_are_used(void) {
    const uint64_t stack[3] = { PAD + 8 * PAGE, 0, 4 * PAGE };
    hosted_write(PAD, stack, sizeof(stack));
    SAME(CALL(sigaltstack, PAD, 0), 0);
    act(SIGUSR1, reads_info, SA_SIGINFO | SA_ONSTACK);
    SAME(hosted_load(PAD + 12 * PAGE - 512, 8), 0);
    SAME(CALL(kill, self(), SIGUSR1), 0);
    SAME(seen(), 1);
    bool any = false;
    for (uint64_t at = PAD + 11 * PAGE; at < PAD + 12 * PAGE; at += 8) {
        any |= hosted_load(at, 8) != 0;
    }
    NEED(any); // the frame was there
}

static int jumps_nowhere(uint64_t unused) {
    (void)unused;
    const uint64_t action[4] = { CODE_BASE + 3 }; // no function begins there
    hosted_write(PAD, action, sizeof(action));
    SAME(CALL(rt_sigaction, SIGUSR1, PAD, 0, 8), 0);
    CALL(kill, self(), SIGUSR1);
    return 0;
}

static int jumps_to_data(uint64_t unused) {
    (void)unused;
    act(SIGUSR1, counts, 0);
    SAME(CALL(mprotect, CODE_BASE, PAGE, PROT_READ), 0);
    CALL(kill, self(), SIGUSR1);
    return 0;
}

static void bad_handlers_kill(void) {
    SAME(child_wait(child_new(jumps_nowhere, 0)), KILLED(SIGILL));
    SAME(child_wait(child_new(jumps_to_data, 0)), KILLED(SIGSEGV));
}

// Stopped and continued by its parent.
static int runs_until_killed(uint64_t unused) {
    (void)unused;
    for (;;) {
        hosted_pause();
    }
}

static void stops_and_continues(void) {
    const uint64_t pid = (uint64_t)child_new(runs_until_killed, 0);
    SAME(CALL(kill, pid, SIGSTOP), 0);
    SAME(CALL(wait4, pid, PAD, WUNTRACED, 0), pid);
    SAME(hosted_load(PAD, 4), SIGSTOP << 8 | 0x7f);
    SAME(CALL(kill, pid, SIGCONT), 0);
    SAME(CALL(wait4, pid, PAD, WCONTINUED, 0), pid);
    SAME(CALL(kill, pid, SIGTERM), 0);
    SAME(child_wait((int64_t)pid), KILLED(SIGTERM));
}

static const struct check_case cases[] = {
    CASE(a_handler_runs_before_kill_returns),
    CASE(blocked_ones_wait),
    CASE(handlers_nest),
    CASE(real_time_ones_queue),
    CASE(a_read_is_interrupted),
    CASE(a_read_is_restarted),
    CASE(a_sleep_goes_on),
    CASE(a_loop_is_interrupted),
    CASE(a_handler_mends_a_fault),
    CASE(alternate_stacks_are_used),
    CASE(bad_handlers_kill),
    CASE(stops_and_continues),
};
CHECK_PROGRAM(signals, cases);
