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
// A module that was given up is put away already, or is now; then step 4, without a way back, and
// its slots live again, or it is as it was. So does a slot that was lost, if the new one provides
// it.
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
    return (struct version){ env->module, env->package, env->state };
}

static void version_set(struct hx_env *env, struct version version) {
    env->module = version.module;
    env->package = version.package;
    env->state = version.state;
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

// All or none. Into one that is gone nobody gets.
static enum hx_status slots_close(const struct hx_env *env) {
    struct patience patience = patience_until(time_now() + LEAVE_NS); // clients wait meanwhile
    struct gate *gate;
    for (uint32_t i = 0; (gate = module_gate(env, &i)) != NULL;) {
        const bool is_other = gate != env->gate && !gate_is_gone(gate);
        enum hx_status status = is_other ? gate_close(gate, &patience) : HX_OK;
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

// Whether all slots are provided anew that are not gone.
static bool is_complete(const struct hx_env *env) {
    const struct gate *gate;
    for (uint32_t i = 0; (gate = module_gate(env, &i)) != NULL;) {
        if (gate->is_vacant && !gate_is_gone(gate)) {
            return false;
        }
    }
    return true;
}

// Slots that were gone and are provided anew.
static void slots_return(const struct hx_env *env) {
    struct gate *gate;
    for (uint32_t i = 0; (gate = module_gate(env, &i)) != NULL;) {
        if (gate_is_gone(gate) && !gate->is_vacant) {
            gate_return(gate);
        }
    }
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
    enum hx_status status = slots_close(env);
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

// Its own gate, which interrupts and its life go through. Who waits for its process longer than
// that comes out when that ends.
static bool is_left(struct hx_env *env) {
    struct patience patience = patience_of(LEAVE_NS);
    if (gate_close(env->gate, &patience) != HX_ERR_TIMED_OUT) {
        return true;
    }
    isolated_kill(env);
    patience = patience_of(LEAVE_NS);
    return gate_close(env->gate, &patience) != HX_ERR_TIMED_OUT;
}

// Step 3, of the old one and of a new one that failed. False: it is dead or gone, and its slots
// refuse.
static bool put_away(struct hx_env *env) REQUIRES(lives_lock) {
    const char *why = is_left(env) ? module_put_away(env) : "somebody is inside and does not leave";
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
    struct hx_env *env = argument;
    const struct hx_module_ops *ops = env->module->ops;
    env->step = "self_test";
    const enum hx_status status = ops->self_test != NULL ? ops->self_test(env->self) : HX_OK;
    env->step = status == HX_OK ? NULL : env->step;
    return status;
}

// Step 4.
static enum hx_status begin(struct hx_env *env, struct package_refusal *refusal)
    REQUIRES(lives_lock) {
    enum hx_status status = module_live(env);
    if (status == HX_OK && !is_complete(env)) {
        return package_refuse(refusal, HX_ERR_NO_DEVICE,
                              "expected that it provides the slots that it had, found that it "
                              "does not");
    }
    status = status == HX_OK ? gate_call(env->gate, test_inside, env) : status;
    status = status == HX_OK && gate_is_dead(env->gate) ? HX_ERR_PEER_DIED : status;
    return status == HX_OK ? HX_OK : start_refuse(env, status, refusal);
}

// Step 5. A slot may be dead of what the one that failed did.
static void publish(const struct hx_env *env) REQUIRES(lives_lock) {
    slots_return(env);
    module_slots_revive(env);
    slots_open(env, GATES_MAX);
}

// The new one has failed: the old one is there again, or the module has died.
static void go_back(struct hx_env *env, struct version old) REQUIRES(lives_lock) {
    const struct version failed = version_of(env);
    const bool is_away = put_away(env);
    struct package_refusal why = { "what lasts of it is damaged" };
    const struct version goes = is_away ? failed : old; // what stays may have somebody in it
    if (failed.package != old.package) {
        package_close(goes.package);
    }
    state_destroy(goes.state);
    if (!is_away) {
        return;
    }
    version_set(env, old);
    module_swap_note(env, 0, 1);
    if (module_state_recover(env) && begin(env, &why) == HX_OK) {
        publish(env);
    } else {
        log_error("module %s: the version before does not come back: %s", env->name, why.text);
        module_kill(env, "swap", "start of the old version");
        slots_open(env, GATES_MAX);
    }
}

// Probation
// ------------------------------------------------------------------------------------------------

void module_retire(struct hx_env *env) {
    const struct version before = env->before;
    env->before = (struct version){ 0 };
    package_close(before.package);
    state_destroy(before.state);
    if (env->health.state == MODULE_PROBATION) {
        module_state_set(env, MODULE_RUNS);
    }
}

const char *module_roll_back(struct hx_env *env) {
    const struct version failed = version_of(env);
    uint64_t bad;
    enum hx_status status =
        env->state != NULL ? state_follow(env->state, env->before.state, &bad) : HX_OK;
    if (status != HX_OK) {
        return status == HX_ERR_CORRUPT ? "what lasts of it is damaged"
                                        : "no memory for what lasts of it";
    }
    log_warning("module %s: %u.%u.%u died on probation; back to %u.%u.%u", env->name,
                env->module->version.major, env->module->version.minor, env->module->version.patch,
                env->before.module->version.major, env->before.module->version.minor,
                env->before.module->version.patch);
    version_set(env, env->before);
    env->before = (struct version){ 0 };
    module_swap_note(env, 0, 1);
    package_close(failed.package);
    state_destroy(failed.state);
    return NULL;
}

// What clients have changed since a version with another schema was there, no earlier one can read:
// it has no way back, and its deaths are followed by itself.
static bool has_way_back(const struct hx_env *env, struct version old) {
    return old.module != env->module &&
           (old.state == NULL || old.state->schema == env->state->schema);
}

// One that is swapped for itself has nothing to go back to, and whoever is on probation stays so.
static void probation_begin(struct hx_env *env, struct version old) REQUIRES(lives_lock) {
    if (has_way_back(env, old)) {
        module_retire(env);
        env->before = old;
        env->probation_end = time_now() + PROBATION_NS;
        module_state_set(env, MODULE_PROBATION);
        orchestrator_look();
        return;
    }
    if (old.module != env->module) {
        module_retire(env);
        package_close(old.package);
    } else if (env->before.state != NULL) { // it has followed the one that goes
        arena_sync_begin(&env->state->arena);
    }
    state_destroy(old.state);
}

// The gates are open again, so that nobody waits for this. A store that no update was told of is
// found while there is a way back.
static void state_check(const struct hx_env *env) {
    uint64_t bad;
    if (env->state != NULL && arena_check(&env->state->arena, &bad) != HX_OK) {
        log_error("module %s: object %lu of its arena is not what was committed", env->name,
                  (unsigned long)bad);
        module_kill(env, "swap", "arena");
    }
}

// All of it
// ------------------------------------------------------------------------------------------------

// Nobody is inside, so that what is copied is all that lasts: what an update has that waits for a
// next call (the pieces of a value) is not, and the next life says so.
static enum hx_status state_hand_over(const struct version *old, const struct version *next) {
    uint64_t bad;
    return next->state != NULL ? state_follow(old->state, next->state, &bad) : HX_OK;
}

static enum hx_status take_place(struct hx_env *env, struct version old, struct version next,
                                 struct package_refusal *refusal) REQUIRES(lives_lock) {
    enum hx_status status = state_hand_over(&old, &next);
    version_set(env, next);
    status = status == HX_OK ? begin(env, refusal)
                             : package_refuse(refusal, status,
                                              "expected that what lasts of it can be handed over, "
                                              "found: %s",
                                              hx_status_name(status));
    if (status == HX_OK) {
        module_swap_note(env, 1, 0);
        publish(env);
    } else {
        go_back(env, old);
    }
    return status;
}

// What is said of it before anything happens.
static enum hx_status may_swap(const struct hx_env *env, struct package_refusal *refusal) {
    if (!has_slots(env)) {
        return package_refuse(refusal, HX_ERR_NOT_SUPPORTED,
                              "expected a module that serves, found one without a slot; a driver "
                              "has none where its device is not there");
    }
    if (!module_is_replaceable(env)) {
        return package_refuse(refusal, HX_ERR_NOT_SUPPORTED,
                              "expected clients that can go on with another version, found one "
                              "that needs what this one has");
    }
    return HX_OK;
}

// Before the gates close: the new one gets a copy of what lasts, so that the old one can have its
// own back.
static enum hx_status state_prepare(const struct hx_env *env, struct version *next,
                                    struct package_refusal *refusal) {
    uint64_t bad;
    enum hx_status status = env->state != NULL ? state_copy(env->state, &next->state, &bad) : HX_OK;
    if (status == HX_ERR_CORRUPT) {
        return package_refuse(refusal, status,
                              "expected state as it was committed, found that object %lu is not",
                              (unsigned long)bad);
    }
    return status == HX_OK ? HX_OK
                           : package_refuse(refusal, status, "no memory for a copy of its state");
}

static enum hx_status freeze(struct hx_env *env, struct version next,
                             struct package_refusal *refusal) REQUIRES(lives_lock) {
    const struct version old = version_of(env);
    const time_ns_t began = time_now();
    enum hx_status status = old_stop(env, refusal);
    if (status == HX_OK && !put_away(env)) {
        status =
            package_refuse(refusal, HX_ERR_IO, "expected that it ends, found that it does not");
    }
    if (status != HX_OK) {
        package_close(next.package != old.package ? next.package : NULL);
        state_destroy(next.state);
        return status;
    }
    status = take_place(env, old, next, refusal);
    module_freeze_note(env, time_now() - began);
    if (status == HX_OK) {
        probation_begin(env, old);
        state_check(env);
    }
    return status;
}

// Of one that was given up: it has no life to go back to.
// ------------------------------------------------------------------------------------------------

// What is left of it goes. That is over already, unless it was given up since that could not be.
static enum hx_status gone_prepare(struct hx_env *env, struct package_refusal *refusal)
    REQUIRES(lives_lock) {
    const char *why = module_put_away(env);
    if (why != NULL) {
        return package_refuse(refusal, HX_ERR_BUSY,
                              "expected that nothing is left of it, found: %s", why);
    }
    return module_state_recover(env)
               ? HX_OK
               : package_refuse(refusal, HX_ERR_CORRUPT,
                                "expected state as it was committed, found that it is not");
}

// The new one has failed, and it is as it was.
static void gone_again(struct hx_env *env, struct version old) REQUIRES(lives_lock) {
    const struct version failed = version_of(env);
    if (put_away(env)) {
        if (failed.package != old.package) {
            package_close(failed.package);
        }
        version_set(env, old);
        state_destroy(failed.state);
        module_give_up(env, NULL);
        gate_open(env->gate);
    } else { // somebody may be in it, so the other one goes
        if (failed.package != old.package) {
            package_close(old.package);
        }
        state_destroy(old.state);
    }
}

// Its deaths are forgotten: they were the old one's.
static void begin_anew(struct hx_env *env, struct version old) REQUIRES(lives_lock) {
    env->supervision = (struct supervision){ 0 };
    module_state_set(env, MODULE_RUNS);
    module_swap_note(env, 1, 0);
    publish(env);
    if (old.module != env->module) {
        package_close(old.package);
    }
    state_destroy(old.state);
}

static enum hx_status bring_back(struct hx_env *env, struct version next,
                                 struct package_refusal *refusal) REQUIRES(lives_lock) {
    const struct version old = version_of(env);
    struct gate *gate;
    module_retire(env);
    version_set(env, next);
    for (uint32_t i = 0; (gate = module_gate(env, &i)) != NULL;) {
        gate_return(gate); // clients wait, as for every next life
    }
    const enum hx_status status = begin(env, refusal);
    if (status == HX_OK) {
        begin_anew(env, old);
    } else {
        gone_again(env, old);
    }
    return status;
}

// What was copied for a version that did not come about is not marked as changed any more: the one
// that a death on probation goes back to gets it now. What it does not get stays marked.
static void way_back_renew(const struct hx_env *env) {
    uint64_t bad;
    if (env->before.state != NULL) {
        arena_sync_begin(&env->state->arena);
        HX_IGNORE(state_follow(env->state, env->before.state, &bad));
    }
}

enum hx_status module_swap(struct hx_env *env, struct package *package,
                           struct package_refusal *refusal) {
    struct version next = version_of(env);
    const bool was_gone = gate_is_gone(env->gate);
    enum hx_status status = may_swap(env, refusal);
    if (package != NULL) {
        next = (struct version){ &package->manifest, package, NULL };
    }
    if (status == HX_OK && was_gone) {
        status = gone_prepare(env, refusal);
    }
    if (status == HX_OK) {
        status = state_prepare(env, &next, refusal);
    }
    if (status != HX_OK) {
        package_close(package);
    } else {
        status = was_gone ? bring_back(env, next, refusal) : freeze(env, next, refusal);
    }
    if (status != HX_OK) {
        way_back_renew(env);
    }
    return status;
}
