// SPDX-License-Identifier: MIT OR Apache-2.0
// runtime/kernel/swap.c: another version of a module takes the place of the one that runs.
//
// The new one was loaded, verified and resolved beside the old one before this begins. Steps, all
// in the thread that asks for the swap:
//
//   step                                         if it fails
//   1  gates of the slots close, who is inside   they open again: nothing has happened
//      leaves: calls wait from here on
//   2  the old one stops, inside its own gate    the same
//   3  that gate closes; devices are quiet,      the module has died, and is treated so
//      nobody hears them, memory is given back
//   4  the new one's init, start, self-test;     it is put away as in 3, and the old one started
//      it provides every slot anew               again; if that fails, too, it has died
//   5  the gates open: calls go to the new one   -
//   6  probation; then the old one's code goes   the new one died: it is put away, the old one is
//                                                started (orchestrator.c)
//
// The gates are closed from 1 to 5: that is the freeze. What the clients' requests are stands in
// core and subsys/io, which offer them to whoever is there when the gates open.
#include "private.h"

#include <core/gate.h>
#include <core/log.h>
#include <core/port.h>
#include <core/time.h>

#define LEAVE_NS     ((time_ns_t)1000000000) // for who is inside
#define PROBATION_NS ((time_ns_t)1000000000)

static struct version version_of(const struct hx_env *env) {
    return (struct version){ env->module, env->package };
}

static void version_set(struct hx_env *env, struct version version) {
    env->module = version.module;
    env->package = version.package;
}

// Gates
// ------------------------------------------------------------------------------------------------

// The slots, up to gate number `end`. Revived or not: what is dead refuses.
static void slots_open(const struct hx_env *env, uint32_t end) {
    struct gate *gate;
    for (uint32_t i = 0; (gate = module_gate(env, &i)) != NULL && i <= end;) {
        if (gate != env->gate) {
            gate_open(gate);
            port_resume(gate);
        }
    }
}

// All or none.
static enum hx_status slots_close(const struct hx_env *env, time_ns_t deadline) {
    struct gate *gate;
    for (uint32_t i = 0; (gate = module_gate(env, &i)) != NULL;) {
        enum hx_status status = gate == env->gate ? HX_OK : gate_close(gate, deadline);
        if (status != HX_OK) {
            slots_open(env, i - 1);
            return status;
        }
    }
    return HX_OK;
}

static bool has_slots(const struct hx_env *env) {
    const struct gate *gate;
    uint32_t i = 0;
    while ((gate = module_gate(env, &i)) == env->gate) {
    }
    return gate != NULL;
}

static bool is_complete(const struct hx_env *env) {
    const struct gate *gate;
    for (uint32_t i = 0; (gate = module_gate(env, &i)) != NULL;) {
        if (gate->is_vacant) {
            return false;
        }
    }
    return true;
}

// The old one
// ------------------------------------------------------------------------------------------------

static int64_t stop_inside(void *argument) {
    const struct hx_env *env = argument;
    const struct hx_module_ops *ops = env->module->ops;
    return ops->stop != NULL ? ops->stop(env->self) : HX_OK;
}

// Steps 1 and 2. One that dies while it stops is on its way out all the same.
static enum hx_status old_stop(struct hx_env *env, struct package_refusal *refusal) {
    enum hx_status status = slots_close(env, time_now() + LEAVE_NS);
    if (status == HX_ERR_PEER_DIED) {
        return package_refuse(refusal, status,
                              "expected a module that runs, found that it is dead");
    }
    if (status != HX_OK) {
        return package_refuse(refusal, HX_ERR_BUSY,
                              "expected that nobody is inside for long, found somebody");
    }
    status = gate_call(env->gate, stop_inside, env);
    if (status != HX_OK && status != HX_ERR_PEER_DIED) {
        slots_open(env, GATES_MAX);
        return package_refuse(refusal, HX_ERR_BUSY, "expected that it stops, found: %s",
                              hx_status_name(status));
    }
    return HX_OK;
}

// Step 3, of the old one and of a new one that failed. False: it is dead or gone, and its slots
// refuse.
static bool put_away(struct hx_env *env) REQUIRES(lives_lock) {
    const char *why = NULL;
    if (gate_close(env->gate, time_now() + LEAVE_NS) == HX_ERR_TIMED_OUT) {
        why = "somebody is inside and does not leave";
    } else {
        why = module_put_away(env);
    }
    if (why != NULL) {
        module_give_up(env, why);
        gate_open(env->gate);
        slots_open(env, GATES_MAX);
    }
    return why == NULL;
}

// The new one
// ------------------------------------------------------------------------------------------------

static int64_t test_inside(void *argument) {
    const struct hx_env *env = argument;
    const struct hx_module_ops *ops = env->module->ops;
    return ops->self_test != NULL ? ops->self_test(env->self) : HX_OK;
}

// Step 4.
static enum hx_status begin(struct hx_env *env) REQUIRES(lives_lock) {
    enum hx_status status = module_live(env);
    if (status == HX_OK && !is_complete(env)) {
        status = HX_ERR_NO_DEVICE;
    }
    status = status == HX_OK ? gate_call(env->gate, test_inside, env) : status;
    return status == HX_OK && gate_is_dead(env->gate) ? HX_ERR_PEER_DIED : status;
}

// Step 5. A slot may be dead of what the one that failed did.
static void publish(const struct hx_env *env) REQUIRES(lives_lock) {
    module_slots_revive(env);
    slots_open(env, GATES_MAX);
}

// The new one has failed: the old one is there again, or the module has died.
static void go_back(struct hx_env *env, struct version old) REQUIRES(lives_lock) {
    struct package *failed = env->package;
    const bool is_away = put_away(env);
    if (failed != old.package) {
        package_close(is_away ? failed : old.package); // what stays may have somebody in it
    }
    if (!is_away) {
        return;
    }
    version_set(env, old);
    module_swap_note(env, 0, 1);
    if (begin(env) == HX_OK) {
        publish(env);
    } else {
        module_kill(env, "swap", "start of the old version");
        slots_open(env, GATES_MAX);
    }
}

// Probation
// ------------------------------------------------------------------------------------------------

void module_retire(struct hx_env *env) {
    struct package *package = env->before.package;
    env->before = (struct version){ 0 };
    package_close(package);
    if (env->health.state == MODULE_PROBATION) {
        module_state_set(env, MODULE_RUNS);
    }
}

void module_roll_back(struct hx_env *env) {
    struct package *failed = env->package;
    log_warning("module %s: %u.%u.%u died on probation; back to %u.%u.%u", env->name,
                env->module->version.major, env->module->version.minor, env->module->version.patch,
                env->before.module->version.major, env->before.module->version.minor,
                env->before.module->version.patch);
    version_set(env, env->before);
    env->before = (struct version){ 0 };
    module_swap_note(env, 0, 1);
    package_close(failed);
}

// One that is swapped for itself has nothing to go back to, and whoever is on probation stays so.
static void probation_begin(struct hx_env *env, struct version old) REQUIRES(lives_lock) {
    if (old.module != env->module) {
        module_retire(env);
        env->before = old;
        env->probation_end = time_now() + PROBATION_NS;
        module_state_set(env, MODULE_PROBATION);
        orchestrator_look();
    }
}

// All of it
// ------------------------------------------------------------------------------------------------

static enum hx_status take_place(struct hx_env *env, struct version next,
                                 struct package_refusal *refusal) REQUIRES(lives_lock) {
    const struct version old = version_of(env);
    version_set(env, next);
    enum hx_status status = begin(env);
    if (status == HX_OK) {
        module_swap_note(env, 1, 0);
        publish(env);
        probation_begin(env, old);
        return HX_OK;
    }
    go_back(env, old);
    return package_refuse(refusal, status, "expected that it starts, found that it does not: %s",
                          hx_status_name(status));
}

enum hx_status module_swap(struct hx_env *env, struct package *package,
                           struct package_refusal *refusal) {
    const struct version next =
        package != NULL ? (struct version){ &package->manifest, package } : version_of(env);
    enum hx_status status = HX_OK;
    if (!has_slots(env)) {
        package_close(package);
        return package_refuse(refusal, HX_ERR_NOT_SUPPORTED,
                              "expected a module that serves, found one without a slot; a driver "
                              "has none where its device is not there");
    }
    if (!module_is_replaceable(env)) {
        package_close(package);
        return package_refuse(refusal, HX_ERR_NOT_SUPPORTED,
                              "expected clients that can go on with another version, found one "
                              "that needs what this one has");
    }
    const time_ns_t began = time_now();
    status = old_stop(env, refusal);
    if (status != HX_OK) {
        package_close(package);
        return status;
    }
    if (!put_away(env)) {
        package_close(package);
        return package_refuse(refusal, HX_ERR_IO, "expected that it ends, found that it does not");
    }
    status = take_place(env, next, refusal);
    module_freeze_note(env, time_now() - began);
    return status;
}
