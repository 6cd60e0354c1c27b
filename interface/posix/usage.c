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

enum hx_status rusage_to_user(struct uaddr to, const struct rusage_times *times) {
    const struct rusage_user usage = {
        .user = timeval_from_ns(times->user),
        .system = timeval_from_ns(times->system),
        .maximum_resident_kib = (int64_t)(times->maximum_resident_pages * (PAGE_SIZE / 1024)),
        .minor_faults = (int64_t)times->minor_faults,
        .major_faults = (int64_t)times->major_faults,
        .switches_voluntary = (int64_t)times->switches_voluntary,
        .switches_forced = (int64_t)times->switches_forced,
    };
    return copy_to_user(to, &usage, sizeof(usage));
}

static void fill_self(struct posix_process *process, struct rusage_times *times) {
    struct aspace *aspace = process->process->aspace; // the caller's own
    times->maximum_resident_pages =
        MAX_OF(process->maximum_resident_pages, aspace_resident_pages(aspace));
    times->minor_faults = aspace->faults_minor;
    times->major_faults = aspace->faults_major;
    struct process *native = process->process;
    const unsigned long irq = spin_lock_irq(&native->thread_lock);
    list_for_each (link, &native->threads) {
        const struct user_thread *thread = LIST_ENTRY(link, struct user_thread, process_link);
        times->switches_voluntary += thread->thread.switches_voluntary;
        times->switches_forced += thread->thread.switches_forced;
    }
    spin_unlock_irq(&native->thread_lock, irq);
}

enum hx_status sys_getrusage(struct call *call) {
    struct posix_process *process = call->process;
    struct rusage_times times = { 0 };
    switch (call_int(call, 0)) {
    case RUSAGE_SELF:
        process_times(process, &times.user, &times.system);
        fill_self(process, &times);
        break;
    case RUSAGE_THREAD:
        thread_times(thread_current(), &times.user, &times.system);
        times.switches_voluntary = thread_current()->switches_voluntary;
        times.switches_forced = thread_current()->switches_forced;
        break;
    case RUSAGE_CHILDREN:
        mutex_lock(&pids()->tree_lock);
        times.user = process->children_user_ns;
        times.system = process->children_system_ns;
        mutex_unlock(&pids()->tree_lock);
        break;
    default:
        return HX_ERR_INVALID;
    }
    return rusage_to_user(call_address(call, 1), &times);
}

enum hx_status sys_times(struct call *call) {
    struct posix_process *process = call->process;
    time_ns_t user;
    time_ns_t system;
    process_times(process, &user, &system);
    mutex_lock(&pids()->tree_lock);
    const int64_t ticks[4] = {
        user / NS_PER_TICK,
        system / NS_PER_TICK,
        process->children_user_ns / NS_PER_TICK,
        process->children_system_ns / NS_PER_TICK,
    };
    mutex_unlock(&pids()->tree_lock);
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
