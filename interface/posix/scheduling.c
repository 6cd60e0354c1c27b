// SPDX-License-Identifier: MIT OR Apache-2.0
// interface/posix/scheduling.c: priorities, scheduling classes, affinity (sched(7)).
#include "futex.h"
#include "life.h"
#include "pids.h"
#include "times.h"

#include <core/cpu.h>
#include <core/sched.h>
#include <lib/string.h>
#include <memory/usercopy.h>
#include <posix/linux.h>

#define PRIO_PROCESS 0
#define PRIO_PGRP    1
#define PRIO_USER    2

#define SCHED_RESET_ON_FORK 0x40000000
#define RR_INTERVAL_NS      (100 * INT64_C(1000000))
#define PRIORITY_MOST       99

enum hx_status sys_sched_yield(struct call *call) {
    (void)call;
    thread_yield();
    return HX_OK;
}

enum hx_status sys_getcpu(struct call *call) {
    const uint32_t cpu = cpu_id(); // a hint by nature
    const uint32_t node = 0;
    if (call->args[0] != 0 && copy_to_user(call_address(call, 0), &cpu, sizeof(cpu)) != HX_OK) {
        return HX_ERR_BAD_ADDRESS;
    }
    return call->args[1] != 0 ? copy_to_user(call_address(call, 1), &node, sizeof(node)) : HX_OK;
}

// Targets ----------------------------------------------------------------------------------------

// A thread by number (0: the caller), with a reference; NULL: there is none.
static struct posix_thread *find_thread(const struct call *call, int32_t tid) {
    return tid < 0 ? NULL : posix_thread_find(tid != 0 ? tid : call->thread->tid);
}

// May the caller change how the target is scheduled?
static bool may_schedule(struct posix_process *target) {
    struct credentials *mine = posix_credentials(posix_current());
    struct credentials *its = posix_credentials(target);
    const bool may = mine->euid == its->uid || mine->euid == its->euid ||
                     credentials_capable(mine, CAPABILITY_SYS_NICE);
    credentials_put(mine);
    credentials_put(its);
    return may;
}

// Nice values ------------------------------------------------------------------------------------

// Each thread has its own, which new threads and processes inherit. `least`: what the caller may go
// down to.
static enum hx_status thread_renice_locked(struct user_thread *thread, int32_t nice,
                                           int32_t least) {
    struct sched_params params = thread->thread.own;
    if (nice < params.nice && nice < least) {
        return HX_ERR_PERMISSION;
    }
    params.nice = nice;
    thread_set_sched(&thread->thread, &params);
    return HX_OK;
}

// One thread, or, with NULL, all of the process.
static enum hx_status renice(struct posix_process *process, struct user_thread *only,
                             int32_t nice) {
    struct process *native = process->process;
    if (!may_schedule(process)) {
        return HX_ERR_NOT_PERMITTED;
    }
    const uint64_t limit = MIN_OF(posix_limit(process, RLIMIT_NICE), UINT64_C(40));
    const int32_t least = posix_capable(CAPABILITY_SYS_NICE) ? -20 : 20 - (int32_t)limit;
    enum hx_status status = HX_OK;
    const unsigned long irq = spin_lock_irq(&native->thread_lock);
    list_for_each (link, &native->threads) {
        struct user_thread *thread = LIST_ENTRY(link, struct user_thread, process_link);
        if (only == NULL || thread == only) {
            const enum hx_status one = thread_renice_locked(thread, nice, least);
            status = one != HX_OK ? one : status;
        }
    }
    spin_unlock_irq(&native->thread_lock, irq);
    return status;
}

// The best among the threads of the process, as getpriority(2) counts; 0: it has none any more.
static int64_t best_priority(struct posix_process *process) {
    struct process *native = process->process;
    int64_t best = 0;
    const unsigned long irq = spin_lock_irq(&native->thread_lock);
    list_for_each (link, &native->threads) {
        const struct user_thread *thread = LIST_ENTRY(link, struct user_thread, process_link);
        best = MAX_OF(best, (int64_t)(20 - thread->thread.own.nice));
    }
    spin_unlock_irq(&native->thread_lock, irq);
    return best;
}

// Groups' and users' processes; PRIO_PROCESS means one thread.
struct selection {
    int32_t which, id;
};

static bool selects(const struct selection *selection, struct posix_process *process) {
    if (selection->which == PRIO_PGRP) {
        struct posix_kinship kinship;
        posix_kinship(process, &kinship);
        return kinship.group == selection->id;
    }
    struct credentials *its = posix_credentials(process);
    const bool is_same = its->uid == (uint32_t)selection->id;
    credentials_put(its);
    return is_same;
}

static enum hx_status make_selection(const struct call *call, struct selection *out) {
    *out = (struct selection){ call_int(call, 0), call_int(call, 1) };
    if (out->which < PRIO_PROCESS || out->which > PRIO_USER) {
        return HX_ERR_INVALID;
    }
    if (out->id != 0 || out->which == PRIO_PROCESS) {
        return HX_OK;
    }
    if (out->which == PRIO_PGRP) {
        struct posix_kinship kinship;
        posix_kinship(call->process, &kinship);
        out->id = kinship.group;
    } else {
        struct credentials *mine = posix_credentials(call->process);
        out->id = (int32_t)mine->uid;
        credentials_put(mine);
    }
    return HX_OK;
}

enum hx_status sys_getpriority(struct call *call) {
    struct selection selection;
    enum hx_status status = make_selection(call, &selection);
    if (status != HX_OK) {
        return status;
    }
    if (selection.which == PRIO_PROCESS) {
        struct posix_thread *thread = find_thread(call, selection.id);
        if (thread == NULL) {
            return HX_ERR_NO_PROCESS;
        }
        call->result = 20 - thread->native->thread.own.nice;
        user_thread_put(thread->native);
        return HX_OK;
    }
    struct posix_process *process;
    int32_t pid = 0;
    while ((process = posix_process_next(pid)) != NULL) {
        pid = process->pid;
        if (selects(&selection, process)) {
            call->result = MAX_OF(call->result, best_priority(process));
        }
        process_put(process->process);
    }
    return call->result != 0 ? HX_OK : HX_ERR_NO_PROCESS;
}

enum hx_status sys_setpriority(struct call *call) {
    const int32_t nice = MAX_OF(-20, MIN_OF(19, call_int(call, 2)));
    struct selection selection;
    enum hx_status status = make_selection(call, &selection);
    if (status != HX_OK) {
        return status;
    }
    if (selection.which == PRIO_PROCESS) {
        struct posix_thread *thread = find_thread(call, selection.id);
        if (thread == NULL) {
            return HX_ERR_NO_PROCESS;
        }
        status = renice(thread->process, thread->native, nice);
        user_thread_put(thread->native);
        return status;
    }
    status = HX_ERR_NO_PROCESS;
    struct posix_process *process;
    int32_t pid = 0;
    while ((process = posix_process_next(pid)) != NULL) {
        pid = process->pid;
        if (selects(&selection, process)) {
            const enum hx_status one = renice(process, NULL, nice);
            if (status == HX_ERR_NO_PROCESS || one != HX_OK) {
                status = one;
            }
        }
        process_put(process->process);
    }
    return status;
}

// Classes ----------------------------------------------------------------------------------------

static bool is_realtime(int32_t policy) {
    return policy == SCHED_CLASS_FIFO || policy == SCHED_CLASS_ROUND_ROBIN;
}

static enum hx_status check_class(int32_t policy, int32_t priority) {
    switch (policy) {
    case SCHED_CLASS_FIFO:
    case SCHED_CLASS_ROUND_ROBIN:
        return priority >= 1 && priority <= PRIORITY_MOST ? HX_OK : HX_ERR_INVALID;
    case SCHED_CLASS_NORMAL:
    case SCHED_CLASS_BATCH:
    case SCHED_CLASS_IDLE:
        return priority == 0 ? HX_OK : HX_ERR_INVALID;
    default:
        return HX_ERR_INVALID;
    }
}

// `policy` < 0: as it is.
static enum hx_status set_class(struct call *call, int32_t policy, int32_t priority) {
    struct posix_thread *thread = find_thread(call, call_int(call, 0));
    if (thread == NULL) {
        return call_int(call, 0) < 0 ? HX_ERR_INVALID : HX_ERR_NO_PROCESS;
    }
    if (policy < 0) {
        policy = (int32_t)thread->native->thread.own.sched_class;
    }
    enum hx_status status = check_class(policy, priority);
    const uint64_t limit = posix_limit(thread->process, RLIMIT_RTPRIO);
    if (status == HX_OK &&
        (!may_schedule(thread->process) || (is_realtime(policy) && (uint64_t)priority > limit &&
                                            !posix_capable(CAPABILITY_SYS_NICE)))) {
        status = HX_ERR_NOT_PERMITTED;
    }
    if (status == HX_OK) {
        // Under the lock that set_nice() holds: none of the two undoes the other's change.
        struct process *native = thread->process->process;
        const unsigned long irq = spin_lock_irq(&native->thread_lock);
        struct sched_params params = thread->native->thread.own;
        params.sched_class = (uint32_t)policy;
        params.priority = (uint32_t)priority;
        thread_set_sched(&thread->native->thread, &params);
        spin_unlock_irq(&native->thread_lock, irq);
        futex_pi_reschedule(thread);
    }
    user_thread_put(thread->native);
    return status;
}

enum hx_status sys_sched_setscheduler(struct call *call) {
    int32_t priority;
    const int32_t policy = call_int(call, 1) & ~SCHED_RESET_ON_FORK;
    if (call->args[2] == 0 || policy < 0) {
        return HX_ERR_INVALID;
    }
    if (copy_from_user(&priority, call_address(call, 2), sizeof(priority)) != HX_OK) {
        return HX_ERR_BAD_ADDRESS;
    }
    return set_class(call, policy, priority);
}

enum hx_status sys_sched_setparam(struct call *call) {
    int32_t priority;
    if (call->args[1] == 0) {
        return HX_ERR_INVALID;
    }
    if (copy_from_user(&priority, call_address(call, 1), sizeof(priority)) != HX_OK) {
        return HX_ERR_BAD_ADDRESS;
    }
    return set_class(call, -1, priority);
}

static enum hx_status get_params(const struct call *call, struct sched_params *out) {
    struct posix_thread *thread = find_thread(call, call_int(call, 0));
    if (thread == NULL) {
        return call_int(call, 0) < 0 ? HX_ERR_INVALID : HX_ERR_NO_PROCESS;
    }
    *out = thread->native->thread.own;
    user_thread_put(thread->native);
    return HX_OK;
}

enum hx_status sys_sched_getscheduler(struct call *call) {
    struct sched_params params;
    const enum hx_status status = get_params(call, &params);
    if (status == HX_OK) {
        call->result = params.sched_class;
    }
    return status;
}

enum hx_status sys_sched_getparam(struct call *call) {
    struct sched_params params;
    if (call->args[1] == 0) {
        return HX_ERR_INVALID;
    }
    const enum hx_status status = get_params(call, &params);
    if (status != HX_OK) {
        return status;
    }
    const int32_t priority = (int32_t)params.priority;
    return copy_to_user(call_address(call, 1), &priority, sizeof(priority));
}

enum hx_status sys_sched_get_priority_max(struct call *call) {
    const int32_t policy = call_int(call, 0);
    if (is_realtime(policy)) {
        return call_ok(call, PRIORITY_MOST);
    }
    return check_class(policy, 0);
}

enum hx_status sys_sched_get_priority_min(struct call *call) {
    const int32_t policy = call_int(call, 0);
    if (is_realtime(policy)) {
        return call_ok(call, 1);
    }
    return check_class(policy, 0);
}

enum hx_status sys_sched_rr_get_interval(struct call *call) {
    struct sched_params params;
    const enum hx_status status = get_params(call, &params);
    if (status != HX_OK) {
        return status;
    }
    return timespec_to_user(call_address(call, 1),
                            params.sched_class == SCHED_CLASS_FIFO ? 0 : RR_INTERVAL_NS);
}

// Affinity ---------------------------------------------------------------------------------------

enum hx_status sys_sched_setaffinity(struct call *call) {
    uint64_t mask = 0;
    const uint64_t size = MIN_OF(call->args[1], (uint64_t)sizeof(mask));
    if (copy_from_user(&mask, call_address(call, 2), size) != HX_OK) {
        return HX_ERR_BAD_ADDRESS;
    }
    struct posix_thread *thread = find_thread(call, call_int(call, 0));
    if (thread == NULL) {
        return HX_ERR_NO_PROCESS;
    }
    enum hx_status status = HX_OK;
    if (!may_schedule(thread->process)) {
        status = HX_ERR_NOT_PERMITTED;
    } else if ((mask & cpu_online_mask()) == 0) {
        status = HX_ERR_INVALID;
    } else {
        thread_set_affinity(&thread->native->thread, mask);
    }
    user_thread_put(thread->native);
    return status;
}

enum hx_status sys_sched_getaffinity(struct call *call) {
    const uint64_t size = call->args[1];
    if (size < sizeof(uint64_t) || size % sizeof(uint64_t) != 0) {
        return HX_ERR_INVALID;
    }
    struct posix_thread *thread = find_thread(call, call_int(call, 0));
    if (thread == NULL) {
        return HX_ERR_NO_PROCESS;
    }
    const uint64_t mask =
        atomic_load_explicit(&thread->native->thread.affinity, memory_order_relaxed) &
        cpu_online_mask();
    user_thread_put(thread->native);
    call->result = sizeof(mask);
    return copy_to_user(call_address(call, 2), &mask, sizeof(mask));
}
