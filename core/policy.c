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
//
// A policy that faults, or answers what it must not, is dropped by the processor that called it at
// once: the FIFO goes on there. All others drop it, and its module's death is told, by a timer,
// which comes as soon as interrupts are on; whoever looks after modules then sees to it that nobody
// takes it up again (`drop`), starts it anew (`replace`), and gives it back what it had if it is
// still the chosen one (`resume`).
#include "core_private.h"
#include "symbols.h"

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
    struct policy_ref ref;   // number 0: this row is free; else its remainder is the row's
    uint64_t cpus;           // [policy_lock] that it was told of
    struct thread_fall fall; // how it died: of who set has_failed, before is_dying
    bool leaves;             // [policy_lock] nobody may choose it any more
    _Atomic bool has_failed; // it is dead, or on its way there
    _Atomic bool is_dying;   // nobody was told yet
};

static const struct lock_class policy_class = { "policy", LOCK_RANK_LEAF, false };
static struct spinlock policy_lock = SPINLOCK_INIT(&policy_class);
static struct policy policies[POLICIES_MAX]; // [policy_lock]
static uint64_t last_number;                 // [policy_lock]
static const struct policy_ref fifo;         // no policy at all
static struct policy *chosen;                // [policy_lock] NULL: the built-in FIFO
static const char *wanted;                   // set before modules start
static struct sched_swaps swaps;             // [policy_lock]
static _Atomic uint32_t tellers;             // who tell of deaths just now

bool policy_is_called(void) {
    bool is_here = spin_held(&policy_lock);
    for (uint32_t i = 0; i < CPU_MAX && !is_here; i++) {
        is_here = cpu_table[i] != NULL && spin_held(&cpu_table[i]->queue.lock);
    }
    return is_here;
}

static bool has_failed(const struct policy *policy) {
    return atomic_load_explicit(&policy->has_failed, memory_order_relaxed);
}

// Tells the policy of a processor, once. Its methods have no time limit here, so no queue is
// locked. That there are too many is an answer; a fault is none.
static enum hx_status cpu_tell(struct policy *policy, uint32_t cpu) {
    if ((policy->cpus >> cpu & 1) != 0) {
        return HX_OK;
    }
    enum hx_status status = sched_call_cpu_add(&policy->ops, policy->ref.self, cpu);
    if (status == HX_OK) {
        policy->cpus |= UINT64_C(1) << cpu;
    } else if (cpu_this()->fall.at != 0) {
        policy_note_failure(policy->ref.number, status);
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

// Gives the policy the queues of all processors, or, if it fails, `otherwise` (NULL: the FIFO).
static enum hx_status take_up_locked(struct policy *policy, const struct policy *otherwise,
                                     uint64_t *freeze) {
    const uint64_t online = cpu_online_mask();
    enum hx_status status = cpus_tell(policy, online);
    if (status != HX_OK) {
        return status;
    }
    status = cpus_swap(policy, online, freeze);
    if (status != HX_OK) {
        HX_IGNORE(cpus_swap(otherwise, online, freeze)); // who fails here, too, leaves the FIFO
    }
    return status;
}

static enum hx_status choose_locked(struct policy *policy) {
    uint64_t freeze = 0;
    if (policy->leaves) {
        return HX_ERR_NOT_FOUND;
    }
    if (has_failed(policy)) {
        return HX_ERR_PEER_DIED;
    }
    if (policy == chosen) {
        return HX_OK;
    }
    enum hx_status status =
        take_up_locked(policy, chosen != NULL && !has_failed(chosen) ? chosen : NULL, &freeze);
    if (status != HX_OK) {
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

static uint64_t number_new(const struct policy *policy) {
    return ++last_number * POLICIES_MAX + (uint64_t)(policy - policies);
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
    policy->ref = (struct policy_ref){ &policy->ops, provider->self, number_new(policy) };
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
    const char *name = chosen != NULL && !has_failed(chosen) ? chosen->name : "fifo (built in)";
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
            .has_failed = has_failed(policy),
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

// Deaths
// ------------------------------------------------------------------------------------------------

// The first death counts. A queue's lock is held, so that nobody can be told now.
void policy_note_failure(uint64_t number, enum hx_status status) {
    struct policy *policy = &policies[number % POLICIES_MAX];
    struct cpu *cpu = cpu_this();
    struct thread_fall fall = cpu->fall;
    cpu->fall.at = 0;
    if (fall.at == 0) {
        fall = (struct thread_fall){ .at = time_now(),
                                     .what = "answer",
                                     .where = hx_status_name(status) };
    }
    if (!atomic_exchange_explicit(&policy->has_failed, true, memory_order_acquire)) {
        policy->fall = fall;
        // Release: with how it died.
        atomic_store_explicit(&policy->is_dying, true, memory_order_release);
        timer_arm(&cpu->teller, fall.at);
    }
}

// Each processor that has the policy does so with its queue locked.
static void cpus_change(const struct policy *policy,
                        void (*change)(struct cpu *cpu,
                                       const struct policy *policy)) NO_LOCK_ANALYSIS {
    for (uint64_t rest = cpu_online_mask(); rest != 0; rest &= rest - 1) {
        struct cpu *cpu = cpu_table[__builtin_ctzll(rest)];
        raw_lock(&cpu->queue.lock);
        if (cpu->queue.policy == policy->ref.number) {
            change(cpu, policy);
        }
        raw_unlock(&cpu->queue.lock);
    }
}

static void cpu_drop(struct cpu *cpu, const struct policy *policy) {
    (void)policy;
    queue_drop_policy(cpu);
}

// No processor calls it any more. Whom to tell of, and how it died. False: it lives, is known to be
// dead, has left, or is core's own.
static bool death_take(struct policy *policy, const struct gate **out_gate,
                       struct gate_death *out_death) {
    unsigned long state = spin_lock_irq(&policy_lock);
    const bool is_dying = atomic_exchange_explicit(&policy->is_dying, false, memory_order_acquire);
    const bool is_told = is_dying && policy->gate != NULL;
    if (is_dying) {
        cpus_change(policy, cpu_drop);
    }
    if (is_told) {
        *out_gate = policy->gate;
        *out_death = fall_death(&policy->fall);
        atomic_fetch_add_explicit(&tellers, 1, memory_order_relaxed);
    }
    spin_unlock_irq(&policy_lock, state);
    return is_told;
}

static void deaths_tell(struct timer *timer) {
    (void)timer;
    for (uint32_t i = 0; i < POLICIES_MAX; i++) {
        const struct gate *gate;
        struct gate_death death;
        if (death_take(&policies[i], &gate, &death)) {
            gate_death_log(gate, &death);
            gate_kill_module(gate, &death);
            // Release: who waits may let the gate go.
            atomic_fetch_sub_explicit(&tellers, 1, memory_order_release);
        }
    }
}

void policy_setup(struct cpu *cpu) {
    timer_init(&cpu->teller, deaths_tell);
}

static struct policy *find_of_locked(const struct gate *gate) {
    for (uint32_t i = 0; i < POLICIES_MAX; i++) {
        if (policies[i].ref.number != 0 && policies[i].gate == gate) {
            return &policies[i];
        }
    }
    return NULL;
}

static void policy_drop(const struct gate *gate) {
    unsigned long state = spin_lock_irq(&policy_lock);
    struct policy *policy = find_of_locked(gate);
    if (policy != NULL) {
        atomic_store_explicit(&policy->has_failed, true, memory_order_relaxed);
        cpus_change(policy, cpu_drop);
    }
    spin_unlock_irq(&policy_lock, state);
}

// Of a policy that all processors have dropped.
static enum hx_status policy_replace(const struct port_provider *provider) {
    struct sched_ops ops;
    enum hx_status status = sched_bind(&ops, provider->operations, ~(rights_t)0);
    unsigned long state = spin_lock_irq(&policy_lock);
    struct policy *policy = find_of_locked(provider->gate);
    status = policy == NULL ? HX_ERR_NOT_FOUND : status;
    if (status == HX_OK) {
        policy->ops = ops;
        policy->ref = (struct policy_ref){ &policy->ops, provider->self, number_new(policy) };
        policy->cpus = 0;
        atomic_store_explicit(&policy->is_dying, false, memory_order_relaxed);
        atomic_store_explicit(&policy->has_failed, false, memory_order_relaxed);
    }
    spin_unlock_irq(&policy_lock, state);
    return status;
}

static void policy_resume(const struct gate *gate) {
    uint64_t freeze = 0;
    unsigned long state = spin_lock_irq(&policy_lock);
    struct policy *policy = find_of_locked(gate);
    if (policy != NULL && policy == chosen && !has_failed(policy)) {
        const bool is_up = take_up_locked(policy, NULL, &freeze) == HX_OK;
        // There is the FIFO now. A next life may be better; one that refuses is not chosen.
        chosen = is_up || has_failed(policy) ? policy : NULL;
    }
    spin_unlock_irq(&policy_lock, state);
}

static void cpu_front(struct cpu *cpu, const struct policy *policy) {
    cpu->queue.ops = policy->ref.ops;
}

enum hx_status sched_front(const char *name, const struct sched_ops *front,
                           struct sched_ops *out_behind) {
    unsigned long state = spin_lock_irq(&policy_lock);
    struct policy *policy = find_locked(name);
    if (policy != NULL) {
        *out_behind = policy->ops;
        policy->ref.ops = front != NULL ? front : &policy->ops;
        cpus_change(policy, cpu_front);
    }
    spin_unlock_irq(&policy_lock, state);
    return policy != NULL ? HX_OK : HX_ERR_NOT_FOUND;
}

// Processors and modules that come and go
// ------------------------------------------------------------------------------------------------

void sched_init_cpu_online(struct cpu *cpu) {
    unsigned long state = spin_lock_irq(&policy_lock);
    uint64_t freeze = 0;
    if (chosen != NULL && !has_failed(chosen) && cpu_tell(chosen, cpu->id) == HX_OK) {
        HX_IGNORE(cpu_swap(cpu, chosen, &freeze)); // if it fails, there is the FIFO
    }
    spin_unlock_irq(&policy_lock, state);
}

// A module's policy leaves: not while it is chosen, unless it is dead. No processor is inside one
// that is not: the swap had the lock of each queue after it, or its end has it here.
static enum hx_status leave_locked(struct policy *policy, enum port_leaving step) {
    if (policy == chosen && !has_failed(policy)) {
        return HX_ERR_BUSY;
    }
    policy->leaves = step == PORT_LEAVES;
    if (step == PORT_LEFT) {
        cpus_change(policy, cpu_drop); // of one whose death nobody was told yet
        atomic_store_explicit(&policy->is_dying, false, memory_order_relaxed);
        policy->ref.number = 0;
        chosen = policy == chosen ? NULL : chosen;
    }
    return HX_OK;
}

static enum hx_status policy_leave(const struct gate *gate, enum port_leaving step) {
    unsigned long state = spin_lock_irq(&policy_lock);
    struct policy *policy = find_of_locked(gate);
    enum hx_status status = policy != NULL ? leave_locked(policy, step) : HX_ERR_NOT_FOUND;
    spin_unlock_irq(&policy_lock, state);
    // Acquire: who had it in hand is done.
    while (step == PORT_LEFT && atomic_load_explicit(&tellers, memory_order_acquire) != 0) {
        hal_relax();
    }
    return status;
}

static const struct port_used sched_port = {
    .versions = &sched_versions,
    .method_names = sched_method_names,
    .methods = SCHED_METHOD_COUNT,
    .leave = policy_leave,
    .replace = policy_replace,
    .drop = policy_drop,
    .resume = policy_resume,
};

static enum hx_status install(const struct port_provider *provider) {
    return strcmp(provider->slot, "sched") == 0 ? add(provider) : HX_ERR_NOT_FOUND;
}

enum hx_status policy_init(void) {
    return port_installer_register(&sched_port, install);
}
