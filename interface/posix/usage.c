// SPDX-License-Identifier: MIT OR Apache-2.0
// interface/posix/usage.c: what processes used: rusage, times; and what they may use: rlimits.
#include "usage.h"

#include "life.h"
#include "pids.h"
#include "signals.h"
#include "times.h"

#include <memory/usercopy.h>

#define RUSAGE_SELF     0
#define RUSAGE_CHILDREN (-1)
#define RUSAGE_THREAD   1

#define NOFILE_MAX 1048576u // /proc/sys/fs/nr_open

// struct rusage.
struct rusage_user {
    struct timeval_user user, system;
    int64_t maximum_resident_kib, shared, data, stack;
    int64_t minor_faults, major_faults, swaps;
    int64_t blocks_in, blocks_out, messages_sent, messages_received, signals;
    int64_t switches_voluntary, switches_forced;
};

void usage_add(struct usage *usage, const struct usage *more) {
    usage->user_ns += more->user_ns;
    usage->system_ns += more->system_ns;
    usage->maximum_resident_pages =
        MAX_OF(usage->maximum_resident_pages, more->maximum_resident_pages);
    usage->faults_minor += more->faults_minor;
    usage->faults_major += more->faults_major;
    usage->switches_voluntary += more->switches_voluntary;
    usage->switches_forced += more->switches_forced;
}

void thread_usage(struct thread *thread, struct usage *out) {
    *out = (struct usage){
        .faults_minor = atomic_load_explicit(&thread->faults_minor, memory_order_relaxed),
        .faults_major = atomic_load_explicit(&thread->faults_major, memory_order_relaxed),
        .switches_voluntary =
            atomic_load_explicit(&thread->switches_voluntary, memory_order_relaxed),
        .switches_forced = atomic_load_explicit(&thread->switches_forced, memory_order_relaxed),
    };
    thread_times(thread, &out->user_ns, &out->system_ns);
}

void process_usage(struct posix_process *process, struct usage *out) {
    struct process *native = process->process;
    const unsigned long irq = spin_lock_irq(&process->signal_lock);
    *out = process->departed;
    spin_lock(&native->thread_lock);
    list_for_each (link, &native->threads) {
        struct user_thread *thread = LIST_ENTRY(link, struct user_thread, process_link);
        const struct posix_thread *posix = thread->thread.personality;
        if (!posix->leaving) {
            struct usage usage;
            thread_usage(&thread->thread, &usage);
            usage_add(out, &usage);
        }
    }
    spin_unlock(&native->thread_lock);
    spin_unlock_irq(&process->signal_lock, irq);
}

void process_usage_resident(struct posix_process *process, struct usage *usage) {
    struct process *native = process->process;
    mutex_lock(
        &native->lock); // no reference: who asks may hold the tree, where none may be the last
    if (native->aspace != NULL) {
        usage->maximum_resident_pages =
            MAX_OF(usage->maximum_resident_pages, aspace_resident_pages(native->aspace));
    }
    mutex_unlock(&native->lock);
}

void usage_leave_thread_locked(struct posix_thread *thread) {
    struct usage usage;
    thread_usage(&thread->native->thread, &usage);
    usage_add(&thread->process->departed, &usage);
}

void usage_leave_aspace(struct posix_process *process, struct aspace *aspace) {
    const struct usage usage = { .maximum_resident_pages = aspace_resident_pages(aspace) };
    const unsigned long irq = spin_lock_irq(&process->signal_lock);
    usage_add(&process->departed, &usage);
    spin_unlock_irq(&process->signal_lock, irq);
}

enum hx_status rusage_to_user(struct uaddr to, const struct usage *usage) {
    const struct rusage_user rusage = {
        .user = timeval_from_ns(usage->user_ns),
        .system = timeval_from_ns(usage->system_ns),
        .maximum_resident_kib = (int64_t)(usage->maximum_resident_pages * (PAGE_SIZE / 1024)),
        .minor_faults = (int64_t)usage->faults_minor,
        .major_faults = (int64_t)usage->faults_major,
        .switches_voluntary = (int64_t)usage->switches_voluntary,
        .switches_forced = (int64_t)usage->switches_forced,
    };
    return copy_to_user(to, &rusage, sizeof(rusage));
}

static void children_usage(struct posix_process *process, struct usage *out) {
    mutex_lock(&pids()->tree_lock);
    *out = process->waited_for;
    mutex_unlock(&pids()->tree_lock);
}

enum hx_status sys_getrusage(struct call *call) {
    struct usage usage;
    switch (call_int(call, 0)) {
    case RUSAGE_SELF:
        process_usage(call->process, &usage);
        process_usage_resident(call->process, &usage);
        break;
    case RUSAGE_THREAD:
        thread_usage(thread_current(), &usage);
        process_usage_resident(call->process, &usage);
        break;
    case RUSAGE_CHILDREN:
        children_usage(call->process, &usage);
        break;
    default:
        return HX_ERR_INVALID;
    }
    return rusage_to_user(call_address(call, 1), &usage);
}

enum hx_status sys_times(struct call *call) {
    struct usage self;
    struct usage children;
    process_usage(call->process, &self);
    children_usage(call->process, &children);
    const int64_t ticks[4] = {
        self.user_ns / NS_PER_TICK,
        self.system_ns / NS_PER_TICK,
        children.user_ns / NS_PER_TICK,
        children.system_ns / NS_PER_TICK,
    };
    if (call->args[0] != 0 && copy_to_user(call_address(call, 0), ticks, sizeof(ticks)) != HX_OK) {
        return HX_ERR_BAD_ADDRESS;
    }
    return call_ok(call, time_now() / NS_PER_TICK);
}

// Limits -----------------------------------------------------------------------------------------

struct rlimit_user {
    uint64_t soft, hard;
};

static void limit_read(struct posix_process *process, uint32_t which, struct rlimit_user *out) {
    mutex_lock(&process->process->lock);
    out->soft = atomic_load_explicit(&process->limits[which].soft, memory_order_relaxed);
    out->hard = atomic_load_explicit(&process->limits[which].hard, memory_order_relaxed);
    mutex_unlock(&process->process->lock);
}

// Some limits are enforced by memory, which keeps its own copy.
static void limit_apply_locked(struct posix_process *process, uint32_t which, uint64_t soft) {
    struct aspace *aspace = process->process->aspace;
    if (aspace == NULL) {
        return;
    }
    if (which == RLIMIT_STACK) {
        aspace->stack_limit_bytes = soft;
    } else if (which == RLIMIT_AS) {
        rwlock_write(&aspace->lock);
        aspace->limit_pages = soft == RLIMIT_INFINITY ? UINT64_MAX : soft / PAGE_SIZE;
        rwlock_write_done(&aspace->lock);
    }
}

static enum hx_status limit_write(struct posix_process *process, uint32_t which,
                                  const struct rlimit_user *wanted) {
    if (wanted->soft > wanted->hard || (which == RLIMIT_NOFILE && wanted->hard > NOFILE_MAX)) {
        return wanted->soft > wanted->hard ? HX_ERR_INVALID : HX_ERR_NOT_PERMITTED;
    }
    const bool may_raise = posix_capable(CAPABILITY_SYS_RESOURCE);
    struct posix_limit *limit = &process->limits[which];
    enum hx_status status = HX_OK;
    mutex_lock(&process->process->lock);
    if (wanted->hard > atomic_load_explicit(&limit->hard, memory_order_relaxed) && !may_raise) {
        status = HX_ERR_NOT_PERMITTED;
    } else {
        atomic_store_explicit(&limit->soft, wanted->soft, memory_order_relaxed);
        atomic_store_explicit(&limit->hard, wanted->hard, memory_order_relaxed);
        limit_apply_locked(process, which, wanted->soft);
    }
    mutex_unlock(&process->process->lock);
    if (status == HX_OK && which == RLIMIT_CPU) {
        cpu_limit_apply(process);
    }
    return status;
}

enum hx_status sys_getrlimit(struct call *call) {
    const uint32_t which = call_uint(call, 0);
    struct rlimit_user limit;
    if (which >= RLIMIT_COUNT) {
        return HX_ERR_INVALID;
    }
    limit_read(call->process, which, &limit);
    return copy_to_user(call_address(call, 1), &limit, sizeof(limit));
}

enum hx_status sys_setrlimit(struct call *call) {
    const uint32_t which = call_uint(call, 0);
    struct rlimit_user limit;
    if (which >= RLIMIT_COUNT) {
        return HX_ERR_INVALID;
    }
    if (copy_from_user(&limit, call_address(call, 1), sizeof(limit)) != HX_OK) {
        return HX_ERR_BAD_ADDRESS;
    }
    return limit_write(call->process, which, &limit);
}

// prlimit64 on another process needs the same user, or the capability.
static bool may_limit(struct posix_process *process) {
    struct credentials *mine = posix_credentials(posix_current());
    struct credentials *its = posix_credentials(process);
    const bool is_same = mine->uid == its->euid && mine->uid == its->suid &&
                         mine->uid == its->uid && mine->gid == its->egid &&
                         mine->gid == its->sgid && mine->gid == its->gid;
    const bool may = is_same || credentials_capable(mine, CAPABILITY_SYS_RESOURCE);
    credentials_put(mine);
    credentials_put(its);
    return may;
}

static enum hx_status prlimit(struct call *call, struct posix_process *process,
                              const struct rlimit_user *wanted) {
    const uint32_t which = call_uint(call, 1);
    struct rlimit_user old;
    if (process != call->process && !may_limit(process)) {
        return HX_ERR_NOT_PERMITTED;
    }
    limit_read(process, which, &old);
    if (wanted != NULL) {
        const enum hx_status status = limit_write(process, which, wanted);
        if (status != HX_OK) {
            return status;
        }
    }
    return call->args[3] != 0 ? copy_to_user(call_address(call, 3), &old, sizeof(old)) : HX_OK;
}

enum hx_status sys_prlimit64(struct call *call) {
    struct rlimit_user wanted;
    const int32_t pid = call_int(call, 0);
    const bool is_set = call->args[2] != 0;
    if (call_uint(call, 1) >= RLIMIT_COUNT) {
        return HX_ERR_INVALID;
    }
    if (is_set && copy_from_user(&wanted, call_address(call, 2), sizeof(wanted)) != HX_OK) {
        return HX_ERR_BAD_ADDRESS;
    }
    struct posix_process *process =
        pid == 0 ? posix_process_find(call->process->pid) : posix_process_find(pid);
    if (process == NULL) {
        return HX_ERR_NO_PROCESS;
    }
    const enum hx_status status = prlimit(call, process, is_set ? &wanted : NULL);
    process_put(process->process);
    return status;
}
