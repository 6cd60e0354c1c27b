// SPDX-License-Identifier: MIT OR Apache-2.0
// bench/process.c: making processes, and giving the processor from one to the other.
#include "bench.h"

#include <sched.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>

#define CHILD_STATUS    7   // what child.c ends with
#define YIELDS_SETTLED  200 // turns of both in a row before the first round
#define YIELDS_PATIENCE 1000000

static char *const child_arguments[] = { "/bench/child", NULL };
static char *const child_environment[] = { NULL };

static bool reap(pid_t child) {
    int status;
    return waitpid(child, &status, 0) == child && WIFEXITED(status) &&
           WEXITSTATUS(status) == CHILD_STATUS;
}

static uint64_t fork_round(unsigned count) {
    unsigned good = 0;
    uint64_t start = bench_now();
    for (unsigned i = 0; i < count; i++) {
        pid_t child = fork();
        if (child == 0) {
            _exit(CHILD_STATUS);
        }
        good += child > 0 && reap(child);
    }
    return bench_took(start, good == count);
}

static uint64_t fork_exec_round(unsigned count) {
    unsigned good = 0;
    uint64_t start = bench_now();
    for (unsigned i = 0; i < count; i++) {
        pid_t child = fork();
        if (child == 0) {
            execve(child_arguments[0], child_arguments, child_environment);
            _exit(1);
        }
        good += child > 0 && reap(child);
    }
    return bench_took(start, good == count);
}

// A function of its own: what lives across vfork must not be in its caller's registers.
__attribute__((noinline)) static pid_t vfork_exec(void) {
    pid_t child = vfork();
    if (child == 0) {
        execve(child_arguments[0], child_arguments, child_environment);
        _exit(1);
    }
    return child;
}

static uint64_t vfork_exec_round(unsigned count) {
    unsigned good = 0;
    uint64_t start = bench_now();
    for (unsigned i = 0; i < count; i++) {
        pid_t child = vfork_exec();
        good += child > 0 && reap(child);
    }
    return bench_took(start, good == count);
}

static uint64_t spawn_round(unsigned count) {
    unsigned good = 0;
    uint64_t start = bench_now();
    for (unsigned i = 0; i < count; i++) {
        pid_t child;
        int result =
            posix_spawn(&child, child_arguments[0], NULL, NULL, child_arguments, child_environment);
        good += result == 0 && reap(child);
    }
    return bench_took(start, good == count);
}

// Two processes that yield to each other.

static struct {
    _Atomic unsigned yields; // of the other process
    _Atomic bool stop;
} *shared;
static pid_t other;

// A new process may have to wait for its turn, and then catches up; returns when the two have been
// taking turns for a while.
static bool yield_settle(void) {
    unsigned turns = 0;
    for (unsigned i = 0; i < YIELDS_PATIENCE && turns < YIELDS_SETTLED; i++) {
        unsigned before = shared->yields;
        sched_yield();
        turns = shared->yields == before + 1 ? turns + 1 : 0;
    }
    return turns == YIELDS_SETTLED;
}

static bool yield_prepare(void) {
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED) {
        return false;
    }
    other = fork();
    while (other == 0 && !shared->stop) {
        sched_yield();
        shared->yields++;
    }
    if (other == 0) {
        _exit(CHILD_STATUS);
    }
    return other > 0 && yield_settle();
}

// The time of `count` switches, from those that were seen: the other's count moved on. A tick of
// the clock may cost a few turns, and what they took is counted; if most yields do not switch,
// there is nothing to measure.
static uint64_t yield_round(unsigned count) {
    unsigned half = count / 2;
    unsigned last = shared->yields;
    unsigned turns = 0;
    uint64_t start = bench_now();
    for (unsigned i = 0; i < half; i++) {
        sched_yield();
        unsigned now = shared->yields;
        turns += now != last;
        last = now;
    }
    uint64_t took = bench_took(start, turns >= half - half / 4);
    return took == BENCH_FAILED ? took : took * count / (2 * (uint64_t)turns);
}

static void yield_clean(void) {
    shared->stop = true;
    reap(other);
    munmap(shared, sizeof *shared);
}

static const struct bench_operation table[] = {
    { "fork_exit_wait", 4, NULL, fork_round, NULL },
    { "fork_exec_wait", 4, NULL, fork_exec_round, NULL },
    { "vfork_exec_wait", 4, NULL, vfork_exec_round, NULL },
    { "posix_spawn_wait", 4, NULL, spawn_round, NULL },
    { "yield_switch", 1000, yield_prepare, yield_round, yield_clean },
};

BENCH_MAIN(table)
