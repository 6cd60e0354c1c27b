// SPDX-License-Identifier: MIT OR Apache-2.0
// core/policy.c: the scheduling policies that modules provide, and which of them orders the run
// queues.
//
// All policies stay installed, side by side, with their own state; one is chosen. A swap goes
// processor by processor: under the queue's lock, who waits is taken out of the old policy and
// given to the new one, in order of arrival. That is the freeze of this processor; the others go on
// meanwhile, so that for a moment two policies work beside each other. A thread that comes from
// another one's processor starts afresh, as all do at a swap.
//
// Nothing is lost, whatever a policy does: core's own list of who is queued stays as it is. If the
// new policy fails before the last processor has it, all go back to the old one.
#include "core_private.h"

#include <core/log.h>
#include <core/port.h>
#include <core/ports/sched_calls.h>
#include <core/sched.h>
#include <lib/string.h>

#define POLICIES_MAX 8u

struct policy {
    const char *name;
    const struct gate *gate; // which stands for the slot; no call goes through it; NULL: core's own
    struct sched_ops ops;    // what is not there refuses
    struct policy_ref ref;   // number 0: this row is free
    uint64_t cpus;           // [policy_lock] that it was told of
    bool leaves;             // [policy_lock] nobody may choose it any more
    _Atomic bool has_failed;
};

static const struct lock_class policy_class = { "policy", LOCK_RANK_LEAF, false };
static struct spinlock policy_lock = SPINLOCK_INIT(&policy_class);
static struct policy policies[POLICIES_MAX]; // [policy_lock]
static uint64_t last_number;                 // [policy_lock]
static const struct policy_ref fifo;         // no policy at all
static struct policy *chosen;                // [policy_lock] NULL: the built-in FIFO
static const char *wanted;                   // set before modules start
static struct sched_swaps swaps;             // [policy_lock]

// Tells the policy of a processor, once. Its methods have no time limit here, so no queue is
// locked.
static enum hx_status cpu_tell(struct policy *policy, uint32_t cpu) {
    if ((policy->cpus >> cpu & 1) != 0) {
        return HX_OK;
    }
    enum hx_status status = sched_call_cpu_add(&policy->ops, policy->ref.self, cpu);
    if (status == HX_OK) {
        policy->cpus |= UINT64_C(1) << cpu;
    }
    return status;
}

static enum hx_status cpus_tell(struct policy *policy, uint64_t cpus) {
    enum hx_status status = HX_OK;
    for (uint64_t rest = cpus; rest != 0 && status == HX_OK; rest &= rest - 1) {
        status = cpu_tell(policy, (uint32_t)__builtin_ctzll(rest));
    }
    return status;
}

// This processor's queue goes over; who runs there takes its turn anew. Adds what the freeze took.
static enum hx_status cpu_swap(struct cpu *cpu, const struct policy *policy,
                               uint64_t *freeze) NO_LOCK_ANALYSIS {
    raw_lock(&cpu->queue.lock);
    const uint64_t start = input_counter();
    enum hx_status status = queue_set_policy(cpu, policy != NULL ? &policy->ref : &fifo);
    struct thread *running = cpu->queue.current;
    const bool is_idle = running == &cpu->idle;
    if (!is_idle) {
        atomic_fetch_or_explicit(&running->attention, THREAD_RESCHEDULE, memory_order_release);
    }
    const uint64_t took = input_counter() - start;
    raw_unlock(&cpu->queue.lock);
    if (!is_idle && cpu != cpu_this()) {
        hal_ipi_send(cpu->id, HAL_IPI_RESCHEDULE);
    }
    *freeze = MAX_OF(*freeze, took);
    return status;
}

static enum hx_status cpus_swap(const struct policy *policy, uint64_t cpus, uint64_t *freeze) {
    enum hx_status status = HX_OK;
    for (uint64_t rest = cpus; rest != 0 && status == HX_OK; rest &= rest - 1) {
        status = cpu_swap(cpu_table[__builtin_ctzll(rest)], policy, freeze);
    }
    return status;
}

static void swap_note_locked(const struct policy *policy, uint64_t freeze) {
    swaps.count++;
    swaps.last_ns = time_ticks_to_span(freeze);
    swaps.worst_ns = MAX_OF(swaps.worst_ns, swaps.last_ns);
    trace(TRACE_SWAP, (uint64_t)(policy - policies), (uint64_t)swaps.last_ns);
}

static enum hx_status choose_locked(struct policy *policy) {
    if (policy->leaves) {
        return HX_ERR_NOT_FOUND;
    }
    if (atomic_load_explicit(&policy->has_failed, memory_order_relaxed)) {
        return HX_ERR_PEER_DIED;
    }
    if (policy == chosen) {
        return HX_OK;
    }
    const uint64_t online = cpu_online_mask();
    uint64_t freeze = 0;
    enum hx_status status = cpus_tell(policy, online);
    if (status != HX_OK) {
        return status;
    }
    status = cpus_swap(policy, online, &freeze);
    if (status != HX_OK) {
        HX_IGNORE(cpus_swap(chosen, online, &freeze)); // who fails here, too, leaves the FIFO
        return status;
    }
    if (chosen != NULL) {
        swap_note_locked(policy, freeze);
    }
    chosen = policy;
    return HX_OK;
}

static struct policy *find_locked(const char *name) {
    for (uint32_t i = 0; i < POLICIES_MAX; i++) {
        if (policies[i].ref.number != 0 && strcmp(policies[i].name, name) == 0) {
            return &policies[i];
        }
    }
    return NULL;
}

static struct policy *find_free_locked(void) {
    for (uint32_t i = 0; i < POLICIES_MAX; i++) {
        if (policies[i].ref.number == 0) {
            return &policies[i];
        }
    }
    return NULL;
}

static enum hx_status add_locked(const struct port_provider *provider) {
    struct policy *policy = find_free_locked();
    if (find_locked(provider->name) != NULL) {
        return HX_ERR_EXISTS;
    }
    if (policy == NULL) {
        return HX_ERR_LIMIT;
    }
    struct policy new = { .name = provider->name, .gate = provider->gate };
    enum hx_status status = sched_bind(&new.ops, provider->operations, ~(rights_t)0);
    if (status != HX_OK) {
        return status;
    }
    *policy = new;
    policy->ref = (struct policy_ref){ &policy->ops, provider->self, ++last_number };
    return chosen == NULL || (wanted != NULL && strcmp(policy->name, wanted) == 0)
               ? choose_locked(policy)
               : HX_OK;
}

static enum hx_status add(const struct port_provider *provider) {
    unsigned long state = spin_lock_irq(&policy_lock);
    enum hx_status status = add_locked(provider);
    spin_unlock_irq(&policy_lock, state);
    return status;
}

enum hx_status sched_install(const char *name, const struct sched_ops *ops, void *self) {
    const struct port_provider provider = { .name = name, .operations = ops, .self = self };
    return add(&provider);
}

enum hx_status sched_choose(const char *name) {
    unsigned long state = spin_lock_irq(&policy_lock);
    struct policy *policy = find_locked(name);
    enum hx_status status = policy == NULL ? HX_ERR_NOT_FOUND : choose_locked(policy);
    spin_unlock_irq(&policy_lock, state);
    return status;
}

void sched_want(const char *name) {
    wanted = name;
}

const char *sched_policy_name(void) {
    unsigned long state = spin_lock_irq(&policy_lock);
    const char *name = chosen != NULL ? chosen->name : "fifo (built in)";
    spin_unlock_irq(&policy_lock, state);
    return name;
}

bool sched_policy_at(uint32_t number, struct sched_policy *out_policy) {
    unsigned long state = spin_lock_irq(&policy_lock);
    const struct policy *policy = NULL;
    for (uint32_t i = 0; i < POLICIES_MAX && policy == NULL; i++) {
        const bool is_there = policies[i].ref.number != 0;
        policy = is_there && number == 0 ? &policies[i] : NULL;
        number -= is_there;
    }
    if (policy != NULL) {
        *out_policy = (struct sched_policy){
            .name = policy->name,
            .is_chosen = policy == chosen,
            .has_failed = atomic_load_explicit(&policy->has_failed, memory_order_relaxed),
        };
    }
    spin_unlock_irq(&policy_lock, state);
    return policy != NULL;
}

void sched_swaps_get(struct sched_swaps *out_swaps) {
    unsigned long state = spin_lock_irq(&policy_lock);
    *out_swaps = swaps;
    spin_unlock_irq(&policy_lock, state);
}

void policy_note_failure(const struct sched_ops *ops) {
    for (uint32_t i = 0; i < POLICIES_MAX; i++) {
        if (&policies[i].ops == ops) {
            atomic_store_explicit(&policies[i].has_failed, true, memory_order_relaxed);
        }
    }
}

void sched_init_cpu_online(struct cpu *cpu) {
    unsigned long state = spin_lock_irq(&policy_lock);
    uint64_t freeze = 0;
    if (chosen != NULL && cpu_tell(chosen, cpu->id) == HX_OK) {
        HX_IGNORE(cpu_swap(cpu, chosen, &freeze)); // if it fails, there is the FIFO
    }
    spin_unlock_irq(&policy_lock, state);
}

// A module's policy leaves: not while it is chosen. No processor is inside one that is not: the
// swap had the lock of each queue after it.
static enum hx_status leave_locked(struct policy *policy, enum port_leaving step) {
    if (policy == chosen) {
        return HX_ERR_BUSY;
    }
    policy->leaves = step == PORT_LEAVES;
    if (step == PORT_LEFT) {
        policy->ref.number = 0;
    }
    return HX_OK;
}

static enum hx_status policy_leave(const struct gate *gate, enum port_leaving step) {
    enum hx_status status = HX_ERR_NOT_FOUND;
    unsigned long state = spin_lock_irq(&policy_lock);
    for (uint32_t i = 0; i < POLICIES_MAX; i++) {
        if (policies[i].ref.number != 0 && policies[i].gate == gate) {
            status = leave_locked(&policies[i], step);
        }
    }
    spin_unlock_irq(&policy_lock, state);
    return status;
}

static const struct port_used sched_port = PORT_LEFT_BY(SCHED, sched, policy_leave);

static enum hx_status install(const struct port_provider *provider) {
    return strcmp(provider->slot, "sched") == 0 ? add(provider) : HX_ERR_NOT_FOUND;
}

enum hx_status policy_init(void) {
    return port_installer_register(&sched_port, install);
}
