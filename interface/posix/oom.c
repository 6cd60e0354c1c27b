// SPDX-License-Identifier: MIT OR Apache-2.0
// interface/posix/oom.c: who has to go when there is no memory for a page that a program needs.
//
// The process with the most pages is killed, and whoever lacks a page waits for its memory. While
// one is ending no other is chosen, unless the ending takes too long; and after one has ended, who
// found no page before that tries again before another is chosen. Process 1 is spared as long as
// there is another.
#include "life.h"
#include "pids.h"
#include "signals.h"
#include "times.h"

#include <core/log.h>
#include <memory/frame.h>

#define PATIENCE_NS (2 * NS_PER_SECOND)   // for one that is ending
#define LOOK_NS     (NS_PER_SECOND / 500) // between two looks

static const struct lock_class oom_class = { .name = "oom", .rank = LOCK_RANK_PROCESS - 1 };
static struct mutex oom_lock = { .lock_class = &oom_class };
static time_ns_t killed_at;          // [oom_lock]
static _Atomic uint32_t ended_count; // processes that ended and have given their memory back

static uint64_t resident_pages(struct posix_process *process) {
    struct aspace *aspace = process_aspace(process->process);
    if (aspace == NULL) {
        return 0;
    }
    const uint64_t pages = aspace_resident_pages(aspace);
    aspace_put(aspace);
    return pages;
}

static bool is_ending(struct posix_process *process) {
    const unsigned long irq = spin_lock_irq(&process->signal_lock);
    const bool ending = process->group_exiting;
    spin_unlock_irq(&process->signal_lock, irq);
    return ending;
}

static bool has_memory(struct posix_process *process) {
    return !atomic_load_explicit(&process->memory_given_back, memory_order_acquire);
}

void oom_memory_given_back(struct posix_process *process) {
    atomic_store_explicit(&process->memory_given_back, true, memory_order_release);
    atomic_fetch_add_explicit(&ended_count, 1, memory_order_release);
}

// The greatest process that is not ending, with a reference; NULL: process 1 is alone.
// *out_ending: there is one that ends and still has memory.
static struct posix_process *choose(bool *out_ending) {
    struct posix_process *greatest = NULL;
    uint64_t most = 0;
    struct posix_process *process;
    *out_ending = false;
    for (int32_t pid = 1; (process = posix_process_next(pid)) != NULL;) {
        pid = process->pid;
        const uint64_t pages = resident_pages(process);
        const bool ending = is_ending(process);
        *out_ending |= ending && has_memory(process);
        if (ending || pages <= most) {
            process_put(process->process);
            continue;
        }
        if (greatest != NULL) {
            process_put(greatest->process);
        }
        greatest = process;
        most = pages;
    }
    return greatest;
}

// Whether a process gave its memory back since the thread looked last.
static bool more_since(struct posix_thread *thread) {
    const uint32_t ended = atomic_load_explicit(&ended_count, memory_order_acquire);
    const bool more = ended != thread->oom_seen;
    thread->oom_seen = ended;
    return more;
}

static void kill_one(struct posix_thread *thread) {
    bool ending;
    mutex_lock(&oom_lock);
    struct posix_process *victim = choose(&ending);
    const time_ns_t now = time_now();
    // Asked after choosing: one that ended in between is seen by one of the two.
    const bool more = more_since(thread) || !frames_are_short();
    if (!more && (!ending || now - killed_at > PATIENCE_NS)) {
        struct posix_process *chosen = victim != NULL ? victim : thread->process;
        log_warning("out of memory: killed process %d (%s)", chosen->pid, chosen->command);
        (void)group_exit_begin(chosen, SIGKILL);
        killed_at = now;
    }
    mutex_unlock(&oom_lock);
    if (victim != NULL) {
        process_put(victim->process);
    }
}

void oom_wait(struct posix_thread *thread) {
    struct waitable nothing;
    kill_one(thread);
    waitable_init(&nothing, 0);
    // It ends by the deadline or by a signal that kills: either way the page is tried again.
    HX_IGNORE(
        wait_change(&nothing, waitable_sequence(&nothing), time_after(LOOK_NS), WAIT_KILLABLE));
}
