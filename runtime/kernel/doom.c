// SPDX-License-Identifier: MIT OR Apache-2.0
// runtime/kernel/doom.c: modules whose code faults on purpose. The faults are real ones, of code
// that lies where modules' code does, in the middle of what the module was about: here, or in
// ring 3 (runtime/service/doom.c). A scheduling policy calls nothing of the SDK: it faults when it
// is called itself.
#include "isolated.h"

#include <core/gate.h>
#include <core/lock.h>
#include <core/sched.h>
#include <core/thread.h>
#include <core/time.h>
#include <hal/irq.h>
#include <lib/string.h>
#include <runtime/health.h>

_Atomic uint64_t doom_left;
static _Atomic(const char *) victim; // the module's name, as its gates have it
static _Atomic uint32_t doom_kind;
static _Atomic time_ns_t struck;    // when it happened; 0: it did not, or that was asked for
static _Atomic uint64_t doom_again; // what is left after one; 0: no more

#if HAL_GATE_FAULTS
#define DOOM(name)                                                                                 \
    HX_ATTR(no_thread_safety_analysis)                                                             \
    __attribute__((section(".text.module.doom"), noinline)) static void name(void)

static char *volatile nowhere = (char *)64;
static void (*volatile no_code)(void) = (void (*)(void))64;
static volatile uint32_t zero;
static const struct lock_class spin_class = { "doom", LOCK_RANK_MODULE_SPIN, true };
static struct gate_spin lock = { .lock = SPINLOCK_INIT(&spin_class) };

DOOM(write_null) {
    *nowhere = 1;
}

// What comes behind a call keeps it from being the last jump of its caller.
DOOM(jump) {
    no_code();
    zero = 0;
}

DOOM(undefined) {
    __builtin_trap();
}

DOOM(copy) {
    memset(nowhere, 1, 1000);
    zero = 0;
}

// A machine that divides by zero goes on to an instruction that it does not have.
DOOM(divide) {
    if (1 / zero != 2) {
        __builtin_trap();
    }
}

DOOM(loop) {
    for (;;) {
        zero = 0;
    }
}

// The next one takes the same lock.
DOOM(spin) {
    gate_spin_lock(&lock);
    *nowhere = 1;
}

DOOM(overflow) { // NOLINT(misc-no-recursion): that is the point
    volatile uint64_t words[16] = { 0 };
    if (zero == 0) {
        overflow();
    }
    zero = (uint32_t)words[3];
}

#endif

static void leave(void) {
    gate_die("assertion", "module_doom");
}

static const struct {
    const char *name; // NULL: not on this machine
    void (*strike)(void);
} kinds[] = {
#if HAL_GATE_FAULTS
    [SERVICE_DOOM_NULL] = { "null", write_null },
    [SERVICE_DOOM_JUMP] = { "jump", jump },
    [SERVICE_DOOM_COPY] = { "copy", copy },
    [SERVICE_DOOM_UNDEFINED] = { "undefined", undefined },
    [SERVICE_DOOM_DIVIDE] = { "divide", divide },
    [SERVICE_DOOM_LOOP] = { "loop", loop },
    [SERVICE_DOOM_SPIN] = { "spin", spin },
    [SERVICE_DOOM_OVERFLOW] = { "overflow", overflow },
#endif
    [SERVICE_DOOM_ASSERT] = { "assert", leave },
};

bool doom_due(const char *module, enum service_doom *out_kind) {
    // Relaxed, all of it: a test asks for it, and the count decides who it is.
    if (module != atomic_load_explicit(&victim, memory_order_relaxed)) {
        return false;
    }
    uint64_t left = atomic_load_explicit(&doom_left, memory_order_relaxed);
    while (left != 0 &&
           !atomic_compare_exchange_weak_explicit(&doom_left, &left, left - 1, memory_order_relaxed,
                                                  memory_order_relaxed)) {
    }
    if (left != 1) {
        return false;
    }
    atomic_store_explicit(&doom_left, atomic_load_explicit(&doom_again, memory_order_relaxed),
                          memory_order_relaxed);
    atomic_store_explicit(&struck, time_now(), memory_order_relaxed);
    *out_kind = (enum service_doom)atomic_load_explicit(&doom_kind, memory_order_relaxed);
    return true;
}

void doom_pass_slow(void) {
    const struct gate *gate = gate_current();
    enum service_doom kind;
    if (gate != NULL && thread_current()->preempt_off == 0 && hal_irq_is_on() &&
        doom_due(gate_module(gate), &kind)) {
        kinds[kind].strike();
    }
}

// In front of a policy
// ------------------------------------------------------------------------------------------------

static struct sched_ops behind; // set before anybody calls what is in front of it

static void policy_pass(void) {
    enum service_doom kind;
    if (atomic_load_explicit(&doom_left, memory_order_relaxed) != 0 &&
        doom_due(atomic_load_explicit(&victim, memory_order_relaxed), &kind)) {
        kinds[kind].strike();
    }
}

static enum hx_status front_enqueue(void *self, uint32_t cpu, struct sched_thread *thread,
                                    uint32_t why) {
    policy_pass();
    return behind.enqueue(self, cpu, thread, why);
}

static enum hx_status front_dequeue(void *self, uint32_t cpu, struct sched_thread *thread) {
    policy_pass();
    return behind.dequeue(self, cpu, thread);
}

static enum hx_status front_clear(void *self, uint32_t cpu) {
    policy_pass();
    return behind.clear(self, cpu);
}

static enum hx_status front_pick(void *self, uint32_t cpu, uint32_t taker,
                                 struct sched_thread **out_thread) {
    policy_pass();
    return behind.pick(self, cpu, taker, out_thread);
}

static enum hx_status front_check(void *self, uint32_t cpu, struct sched_thread *running,
                                  bool *out_preempt) {
    policy_pass();
    return behind.check(self, cpu, running, out_preempt);
}

static enum hx_status front_slice(void *self, uint32_t cpu, struct sched_thread *running,
                                  time_ns_t *out_slice_ns) {
    policy_pass();
    return behind.slice(self, cpu, running, out_slice_ns);
}

static const struct sched_ops front = {
    .enqueue = front_enqueue,
    .dequeue = front_dequeue,
    .clear = front_clear,
    .pick = front_pick,
    .check = front_check,
    .slice = front_slice,
};

static bool is_policy(const char *name) {
    struct sched_policy policy;
    uint32_t i = 0;
    while (sched_policy_at(i, &policy) && strcmp(policy.name, name) != 0) {
        i++;
    }
    return sched_policy_at(i, &policy);
}

// A loop with interrupts off ends nowhere, and the next life has nothing in front of it.
static enum hx_status policy_doom(const char *name, uint32_t kind, bool again)
    REQUIRES(lives_lock) {
    static const char *fronted; // [lives_lock]
    struct sched_ops ops;
    if (!HAL_GATE_FAULTS || kind == SERVICE_DOOM_LOOP || again) {
        return HX_ERR_NOT_SUPPORTED;
    }
    if (fronted != NULL) {
        HX_IGNORE(sched_front(fronted, NULL, &ops)); // it may be gone
    }
    fronted = name;
    return sched_front(name, &front, &behind);
}

time_ns_t doom_struck(void) {
    return atomic_exchange_explicit(&struck, 0, memory_order_relaxed);
}

enum hx_status module_doom(const char *name, const char *kind, uint64_t nth, bool again) {
    const char *known = module_find(name);
    uint32_t number = 0;
    while (number < ARRAY_SIZE(kinds) &&
           (kinds[number].name == NULL || strcmp(kinds[number].name, kind) != 0)) {
        number++;
    }
    if (number == ARRAY_SIZE(kinds) || known == NULL) {
        return HX_ERR_NOT_FOUND;
    }
    atomic_store_explicit(&doom_left, 0, memory_order_relaxed);
    if (is_policy(known)) {
        mutex_lock(&lives_lock);
        enum hx_status status = policy_doom(known, number, again);
        mutex_unlock(&lives_lock);
        if (status != HX_OK) {
            return status;
        }
    }
    atomic_store_explicit(&victim, known, memory_order_relaxed);
    atomic_store_explicit(&doom_kind, number, memory_order_relaxed);
    atomic_store_explicit(&doom_again, again ? nth : 0, memory_order_relaxed);
    atomic_store_explicit(&doom_left, nth, memory_order_release);
    return HX_OK;
}
