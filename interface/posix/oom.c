// SPDX-License-Identifier: MIT OR Apache-2.0
// interface/posix/oom.c: who has to go when there is no memory for a page that a program needs.
//
// The process that keeps the most pages, mapped or by handles and descriptors, is killed, and
// whoever lacks a page waits for its memory. While one is ending no other is chosen, unless the
// ending takes too long; and after one has ended, who found no page before that tries again before
// another is chosen. Process 1 is spared as long as there is another.
//
// If it is an account that has no page left, one of that account's processes or of those below it
// has to go, and nobody else. Who touches what an account pays for without being in it is told by a
// signal, or by the call.
//
// Who lacks a page may hold locks (user memory is copied under those of files), so it only asks; a
// thread of the kernel that holds nothing chooses. The victim may need such a lock to end: if that
// takes too long, its memory is taken from it before it has ended. Only where another process
// shares that memory another victim has to be chosen, and a copy gives up in the end.
#include "life.h"
#include "pids.h"
#include "signals.h"
#include "times.h"

#include <core/log.h>
#include <execution/handles.h>
#include <memory/account.h>
#include <memory/frame.h>
#include <memory/tally.h>

#define PATIENCE_NS (2 * NS_PER_SECOND)   // for one that is ending
#define LOOK_NS     (NS_PER_SECOND / 500) // between two looks
#define COPY_NS     (4 * PATIENCE_NS)     // for a copy

// What the thread that asked last knew and who it is; asked again at each look.
struct request {
    uint32_t ended; // of ended_count, when it found no page
    int32_t pid;
    struct account *within; // keeps; the account that is full; NULL: the machine
};

static const struct lock_class oom_class = { .name = "oom", .rank = LOCK_RANK_LEAF };
static struct spinlock oom_lock = SPINLOCK_INIT(&oom_class);
static struct request request;       // [oom_lock] pid 0: none
static struct waitable asked;        // changes with each request
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

static void given_back(struct posix_process *process) {
    // In this order: who sees it without memory sees that it was counted.
    atomic_fetch_add_explicit(&ended_count, 1, memory_order_release);
    atomic_store_explicit(&process->memory_given_back, true, memory_order_release);
}

static void given_back_item(struct epoch_item *item) {
    struct posix_process *process = CONTAINER_OF(item, struct posix_process, giving_back);
    given_back(process);
    process_put(process->process);
}

void oom_memory_given_back(struct posix_process *process, bool later) {
    if (!later && !atomic_load_explicit(&process->oom_chosen, memory_order_relaxed)) {
        given_back(process);
        return;
    }
    process_get(process->process);
    epoch_retire_last(&process->giving_back, given_back_item);
}

// Pages that would be free without it: those it has mapped, and those that it keeps otherwise.
static uint64_t kept_pages(struct posix_process *process) {
    struct tally tally;
    struct aspace *aspace = process_aspace(process->process);
    tally_begin(&tally, aspace);
    handles_tally(process->process, &tally);
    mutex_lock(&process->process->lock);
    struct file_table *files = process->files != NULL ? file_table_hold(process->files) : NULL;
    mutex_unlock(&process->process->lock);
    if (files != NULL) {
        file_table_tally(files, &tally);
        file_table_drop(files);
    }
    if (aspace != NULL) {
        tally.pages += aspace_resident_pages(aspace) + aspace_table_pages(aspace);
        aspace_put(aspace);
    }
    return tally.pages;
}

struct candidate {
    struct posix_process *process; // keeps; NULL: none
    uint64_t pages;
};

// Takes the process, or drops it if a greater one is there.
static void candidate_offer(struct candidate *candidate, struct posix_process *process,
                            uint64_t pages) {
    struct posix_process *loser = process;
    if (candidate->process == NULL || pages > candidate->pages) {
        loser = candidate->process;
        *candidate = (struct candidate){ process, pages };
    }
    if (loser != NULL) {
        process_put(loser->process);
    }
}

static void candidate_put(struct candidate *candidate) {
    if (candidate->process != NULL) {
        process_put(candidate->process->process);
    }
}

static bool is_within(const struct posix_process *process, const struct account *within) {
    return within == NULL || account_is_within(process->process->account, within);
}

// The greatest process but the first: of those that are ending and still have memory, or of those
// that are not.
static struct candidate find_greatest(const struct account *within, bool ending) {
    struct candidate found = { 0 };
    struct posix_process *process;
    for (int32_t pid = 1; (process = posix_process_next(pid)) != NULL;) {
        pid = process->pid;
        if (!is_within(process, within) || is_ending(process) != ending ||
            (ending && !has_memory(process))) {
            process_put(process->process);
        } else {
            candidate_offer(&found, process,
                            ending ? resident_pages(process) : kept_pages(process));
        }
    }
    return found;
}

// Whether a process gave its memory back since the thread looked last.
static bool more_since(struct posix_thread *thread) {
    const uint32_t ended = atomic_load_explicit(&ended_count, memory_order_acquire);
    const bool more = ended != thread->oom_seen;
    thread->oom_seen = ended;
    return more;
}

// Takes the memory of a process whose threads do not come back to user mode. False: it has none to
// take.
static bool take_memory(const struct candidate *ending) {
    struct posix_process *process = ending->process;
    if (ending->pages == 0 || process->aspace_shared) {
        return false;
    }
    struct aspace *aspace = process_aspace(process->process);
    if (aspace == NULL) {
        return false;
    }
    HX_IGNORE(aspace_unmap(aspace, uaddr_make(0), HAL_USER_END)); // what is there is seen next time
    aspace_put(aspace);
    log_warning("out of memory: process %d (%s) does not end, took its memory", process->pid,
                process->command);
    return true;
}

static void kill_one(struct posix_process *victim) {
    if (victim == NULL) {
        return;
    }
    atomic_store_explicit(&victim->oom_chosen, true, memory_order_relaxed);
    if (group_exit_begin(victim, SIGKILL)) {
        log_warning("out of memory: killed process %d (%s)", victim->pid, victim->command);
    }
}

// Each process is given its time, whoever else is ending somewhere.
static bool is_over(struct posix_process *ending) {
    if (ending->oom_ending_since == 0) {
        ending->oom_ending_since = time_now();
    }
    return time_now() - ending->oom_ending_since > PATIENCE_NS;
}

static bool is_short(struct account *within) {
    return within != NULL ? account_full(within, ACCOUNT_FRAMES) != NULL : frames_are_short();
}

// Makes memory free for who asked.
static void serve(const struct request *why) {
    struct candidate ending = find_greatest(why->within, true);
    // Asked after looking: one that ended in between is seen by one of the two.
    const bool more = atomic_load_explicit(&ended_count, memory_order_acquire) != why->ended ||
                      !is_short(why->within);
    const bool must_kill =
        ending.process == NULL || (!more && is_over(ending.process) && !take_memory(&ending));
    if (!more && must_kill) {
        struct candidate running = find_greatest(why->within, false);
        if (running.process == NULL && ending.process == NULL) {
            running.process = posix_process_find(why->pid);
        }
        kill_one(running.process);
        candidate_put(&running);
    }
    candidate_put(&ending);
}

void oom_init(void) {
    waitable_init(&asked, 0);
}

static void request_forget(struct request *asked_for) {
    if (asked_for->within != NULL) {
        object_put(&asked_for->within->object);
    }
}

// False: there is none.
static bool request_take(struct request *out_request) {
    const unsigned long irq = spin_lock_irq(&oom_lock);
    *out_request = request;
    request = (struct request){ 0 };
    spin_unlock_irq(&oom_lock, irq);
    return out_request->pid != 0;
}

void oom_serve(void) {
    uint32_t sequence = 0;
    for (;;) {
        HX_IGNORE(wait_change(&asked, sequence, TIME_NEVER, 0)); // cannot fail without flags
        sequence = waitable_sequence(&asked);
        struct request why;
        while (request_take(&why)) {
            serve(&why);
            request_forget(&why);
        }
    }
}

// One that nobody has taken yet gives way, but for the machine's: whoever fills his own account
// again and again does not keep others waiting.
static void ask(const struct posix_thread *thread) {
    struct account *full = atomic_load_explicit(&aspace_current()->refused, memory_order_relaxed);
    struct request fresh = { .ended = thread->oom_seen, .pid = thread->process->pid };
    if (full != NULL) { // above the address space's, which keeps it
        object_get(&full->object);
        fresh.within = full;
    }
    const unsigned long irq = spin_lock_irq(&oom_lock);
    if (request.pid == 0 || request.within != NULL || fresh.within == NULL) {
        const struct request before = request;
        request = fresh;
        fresh = before;
    }
    spin_unlock_irq(&oom_lock, irq);
    request_forget(&fresh);
    waitable_pulse(&asked);
}

bool oom_wait(struct posix_thread *thread) {
    struct waitable nothing;
    if (!more_since(thread)) {
        ask(thread);
    }
    waitable_init(&nothing, 0);
    return wait_change(&nothing, waitable_sequence(&nothing), time_after(LOOK_NS), WAIT_KILLABLE) ==
           HX_ERR_TIMED_OUT;
}

bool oom_copy_waits(struct thread *thread, time_ns_t since) {
    return time_now() - since < COPY_NS && oom_wait(thread->personality);
}
