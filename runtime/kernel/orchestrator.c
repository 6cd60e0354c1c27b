// SPDX-License-Identifier: MIT OR Apache-2.0
// runtime/kernel/orchestrator.c: modules that die are put away and started anew.
//
// Life of a module, all in the orchestrator's thread but for the deaths themselves:
//
//   from      by                                       to
//   RUNS      a fault in it                            DEAD: its slots refuse
//   DEAD      nobody is inside, its devices are        PAUSES, as long as the rule says
//             quiet, what it held is given back
//   PAUSES    the pause is over; its init and start    RUNS: its slots are open again
//   PAUSES    a fault in these, or a refusal           DEAD
//   DEAD      somebody does not leave, a device is     GONE: its slots refuse for good
//             not quiet, its clients need what it
//             had, or it died too often
//
// One that dies on probation is put away as any other, but then its predecessor is started: swap.c.
#include "private.h"

#include <core/gate.h>
#include <core/log.h>
#include <core/port.h>
#include <core/thread.h>
#include <core/time.h>
#include <core/trace.h>
#include <io/device.h>
#include <lib/string.h>
#include <memory/heap.h>

#define WATCHED_MAX 64u
#define DRAIN_NS    ((time_ns_t)1000000000) // for who is inside a dead module

static const struct lock_class lives_class = { "lives of modules", LOCK_RANK_PROCESS_TREE - 6,
                                               false };
struct mutex lives_lock = { .lock_class = &lives_class };

// Outside of ledgers'.
static const struct lock_class watched_class = { "watched modules", LOCK_RANK_LEAF - 1, false };
static struct spinlock watched_lock = SPINLOCK_INIT(&watched_class);
static struct hx_env *watched[WATCHED_MAX]; // [watched_lock]
static uint32_t watched_count;              // [watched_lock]
static struct waitable deaths;
static struct thread orchestrator;

// It stays until lives_lock is given back.
static struct hx_env *watched_at(uint32_t index) REQUIRES(lives_lock) {
    spin_lock(&watched_lock);
    struct hx_env *env = index < watched_count ? watched[index] : NULL;
    spin_unlock(&watched_lock);
    return env;
}

struct gate *module_gate(const struct hx_env *env, uint32_t *inout_index) {
    while (*inout_index < GATES_MAX) {
        struct gate *gate = gate_at((*inout_index)++);
        if (gate != NULL && gate_module(gate) == env->name) {
            return gate;
        }
    }
    return NULL;
}

void module_state_set(struct hx_env *env, enum module_state state) {
    spin_lock(&watched_lock);
    env->health.state = state;
    spin_unlock(&watched_lock);
}

// Who waits for what its module has taken from him hears of it by the orchestrator (gone_resume()).
static void gate_end(struct gate *gate) {
    gate_give_up(gate);
    waitable_pulse(&deaths);
}

// The end of a life
// ------------------------------------------------------------------------------------------------

static enum hx_status drain(const struct hx_env *env) {
    struct patience patience = patience_of(DRAIN_NS);
    enum hx_status status = HX_OK;
    const struct gate *gate;
    for (uint32_t i = 0; status == HX_OK && (gate = module_gate(env, &i)) != NULL;) {
        status = gate_drain(gate, &patience);
    }
    return status;
}

void module_give_up(struct hx_env *env, const char *why) {
    struct gate *gate;
    if (why != NULL) {
        log_error("module %s: %s; its slots refuse until it is swapped (hxmod swap %s)", env->name,
                  why, env->name);
    }
    module_state_set(env, MODULE_GONE);
    life_tell(env->name, LIFE_GIVEN_UP, "%s", why != NULL ? why : "it is not started anew");
    for (uint32_t i = 0; (gate = module_gate(env, &i)) != NULL;) {
        gate_end(gate);
    }
}

static void slots_drop(const struct hx_env *env) {
    const struct gate *gate;
    for (uint32_t i = 0; (gate = module_gate(env, &i)) != NULL;) {
        if (gate->port != NULL) {
            port_drop(gate);
        }
    }
}

const char *module_put_away(struct hx_env *env) {
    slots_drop(env);
    isolated_kill(env);
    const bool is_left = drain(env) == HX_OK;
    const bool is_quiet = io_devices_end(env->name);
    lines_silence(env);
    if (!is_left) {
        return "somebody is inside and does not leave";
    }
    isolated_end(env);
    if (env->state != NULL) {
        arena_settle(&env->state->arena);
    }
    ledger_release(&env->ledger, is_quiet);
    if (!is_quiet) {
        return "a device may go on to use its memory";
    }
    io_devices_release(env->name);
    claims_release(env->name);
    return NULL;
}

// The others keep their order.
void orchestrator_forget(const struct hx_env *env) {
    uint32_t left = 0;
    spin_lock(&watched_lock);
    for (uint32_t i = 0; i < watched_count; i++) {
        if (watched[i] != env) {
            watched[left++] = watched[i];
        }
    }
    watched_count = left;
    spin_unlock(&watched_lock);
}

void orchestrator_bury(struct hx_env *env) {
    struct gate *gate;
    for (uint32_t i = 0; (gate = module_gate(env, &i)) != NULL;) {
        gate_end(gate);
    }
    mutex_lock(&lives_lock);
    orchestrator_forget(env);
    const char *why = module_put_away(env);
    mutex_unlock(&lives_lock);
    if (why != NULL) {
        log_error("module %s: %s", env->name, why);
    }
}

// The next one
// ------------------------------------------------------------------------------------------------

bool module_is_replaceable(const struct hx_env *env) {
    const struct gate *gate;
    for (uint32_t i = 0; (gate = module_gate(env, &i)) != NULL;) {
        if (gate->port != NULL && !port_is_replaceable(gate->port, env->state != NULL)) {
            return false;
        }
    }
    return true;
}

void module_slots_revive(const struct hx_env *env) {
    struct gate *gate;
    for (uint32_t i = 0; (gate = module_gate(env, &i)) != NULL;) {
        if (gate == env->gate || gate_is_gone(gate)) {
            continue;
        }
        if (!gate->is_vacant) {
            gate_revive(gate);
        } else {
            log_error("module %s: slot %s is not there any more", env->name, gate->slot);
            gate_end(gate);
        }
    }
}

void module_slots_resume(const struct hx_env *env) {
    const struct gate *gate;
    for (uint32_t i = 0; (gate = module_gate(env, &i)) != NULL;) {
        if (gate->port != NULL && !gate_is_gone(gate)) {
            port_resume(gate);
        }
    }
}

static void restart_note(struct hx_env *env, time_ns_t pause) {
    spin_lock(&watched_lock);
    struct module_health *health = &env->health;
    health->state = MODULE_RUNS;
    health->restarts++;
    health->restart_ns = time_now() - health->death.at - pause;
    health->worst_ns = MAX_OF(health->worst_ns, health->restart_ns);
    const uint64_t taken = (uint64_t)health->restart_ns;
    spin_unlock(&watched_lock);
    log_warning("module %s: started anew, %lu us after its death", env->name,
                (unsigned long)(taken / 1000));
    life_tell(env->name, LIFE_RESTARTED, "%lu us after its death", (unsigned long)(taken / 1000));
}

void module_kill(const struct hx_env *env, const char *what, const char *why) {
    const struct gate_death death = { .at = time_now(), .what = what, .symbol = why };
    gate_kill_module(env->gate, &death);
}

enum hx_status module_live(struct hx_env *env) {
    struct gate *gate;
    for (uint32_t i = 0; (gate = module_gate(env, &i)) != NULL;) {
        gate->is_vacant = gate != env->gate;
    }
    if (env->package != NULL) {
        loader_restart(&env->package->loaded);
    }
    gate_revive(env->gate);
    gate_open(env->gate); // as it is after an orderly stop
    return module_run(env);
}

enum hx_status start_refuse(const struct hx_env *env, enum hx_status status,
                            struct package_refusal *refusal) {
    char text[GATE_DEATH_BYTES];
    struct gate_death death;
    if (env->gate != NULL && gate_is_dead(env->gate)) {
        gate_death(env->gate, &death);
        return package_refuse(refusal, status,
                              "expected that it starts, found that it died%s%s: %s",
                              env->step != NULL ? " in " : "", env->step != NULL ? env->step : "",
                              gate_death_text(&death, text, sizeof(text)));
    }
    return env->step != NULL ? package_refuse(refusal, status,
                                              "expected that it starts, found that %s refuses: %s",
                                              env->step, hx_status_name(status))
                             : package_refuse(refusal, status, "expected that it starts, found: %s",
                                              hx_status_name(status));
}

bool module_state_recover(struct hx_env *env) {
    uint64_t bad;
    enum hx_status status = env->state != NULL ? arena_recover(&env->state->arena, &bad) : HX_OK;
    if (status != HX_OK) {
        log_error("module %s: object %lu of its arena is not what was committed", env->name,
                  (unsigned long)bad);
    }
    return status == HX_OK;
}

static void start_anew(struct hx_env *env, time_ns_t pause) REQUIRES(lives_lock) {
    enum hx_status status = module_live(env);
    if (gate_is_dead(env->gate)) { // its interrupts' thread may have died, and init not
        status = HX_ERR_PEER_DIED;
    }
    if (status == HX_OK) {
        module_slots_revive(env);
        module_slots_resume(env);
        restart_note(env, pause);
    } else if (!gate_is_dead(env->gate)) {
        module_kill(env, "refusal", hx_status_name(status));
    }
    trace(TRACE_MODULE, (uintptr_t)env->module & UINT32_MAX, (uint64_t)(int64_t)status);
}

// Its own gate may be dead and its slots live: it died while these were opened. What it held goes
// once nobody can be inside, so all of them refuse first.
static void death_take(struct hx_env *env) {
    char text[GATE_DEATH_BYTES];
    struct gate_death death;
    gate_death(env->gate, &death);
    gate_kill_module(env->gate, &death);
    const time_ns_t struck = doom_struck();
    spin_lock(&watched_lock);
    env->health.death = death;
    env->health.detection_ns = struck != 0 ? MAX_OF(death.at - struck, 0) : 0;
    env->health.deaths++;
    env->health.state = MODULE_DEAD;
    spin_unlock(&watched_lock);
    life_tell(env->name, LIFE_DIED, "%s", gate_death_text(&death, text, sizeof(text)));
    trace(TRACE_MODULE, (uintptr_t)env->module & UINT32_MAX, (uint64_t)(int64_t)HX_ERR_PEER_DIED);
}

static void module_died(struct hx_env *env) REQUIRES(lives_lock) {
    time_ns_t pause = 0;
    const bool has_run = env->health.state <= MODULE_PROBATION;
    death_take(env);
    const bool on_probation =
        env->before.module != NULL && env->health.death.at < env->probation_end;
    const bool may =
        supervise_death(&supervise_rule, &env->supervision, has_run, env->health.death.at, &pause);
    const char *why = module_put_away(env);
    if (why == NULL && !module_is_replaceable(env)) {
        why = "its clients need what was lost with it";
    }
    if (why == NULL && on_probation) {
        why = module_roll_back(env);
    } else if (why == NULL && !may) {
        why = "it died too often";
    }
    if (why == NULL && !module_state_recover(env)) {
        why = "what lasts of it is damaged";
    }
    if (why != NULL) {
        module_give_up(env, why);
        return;
    }
    module_state_set(env, MODULE_PAUSES);
    if (pause != 0) {
        (void)thread_sleep_until(time_now() + pause, 0);
    }
    start_anew(env, pause);
}

// Whoever waits for what a module has taken from him is told that it is gone, be it watched or one
// whose first start failed and that cannot go. Told twice, he finds what he found before.
static void gone_resume(void) REQUIRES(lives_lock) {
    for (uint32_t i = 0; i < GATES_MAX; i++) {
        const struct gate *gate = gate_at(i);
        if (gate != NULL && gate->port != NULL && gate_is_gone(gate)) {
            port_resume(gate);
        }
    }
}

// Its thread
// ------------------------------------------------------------------------------------------------

// The probation that is over next; TIME_NEVER: there is none.
static time_ns_t probations_look(void) REQUIRES(lives_lock) {
    time_ns_t next = TIME_NEVER;
    struct hx_env *env;
    for (uint32_t i = 0; (env = watched_at(i)) != NULL; i++) {
        if (env->before.module != NULL && env->probation_end <= time_now()) {
            module_retire(env);
        } else if (env->before.module != NULL) {
            next = MIN_OF(next, env->probation_end);
        }
    }
    return next;
}

static void orchestrate(void *argument) {
    (void)argument;
    uint32_t seen = 0;
    time_ns_t next = TIME_NEVER;
    for (;;) {
        HX_IGNORE(wait_change(&deaths, seen, next, 0)); // or the time is over: look
        seen = waitable_sequence(&deaths);
        struct hx_env *env;
        mutex_lock(&lives_lock);
        for (uint32_t i = 0; (env = watched_at(i)) != NULL; i++) {
            if (gate_is_dead(env->gate) && !gate_is_gone(env->gate)) {
                module_died(env);
            }
        }
        gone_resume();
        next = probations_look();
        mutex_unlock(&lives_lock);
    }
}

void orchestrator_look(void) {
    waitable_pulse(&deaths);
}

enum hx_status orchestrator_init(void) {
    void *stack = kernel_stack_alloc(THREAD_STACK_BYTES);
    if (stack == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    waitable_init(&deaths, 0);
    lives_init();
    gate_ends_watch(&deaths, &lives_lock);
    thread_init(&orchestrator, "orchestrator", stack, THREAD_STACK_BYTES, orchestrate, NULL);
    // Clients wait for what it does, whoever else has something to do.
    thread_set_sched(&orchestrator, &(struct sched_params){ SCHED_CLASS_FIFO, 0, 1, 0 });
    thread_start(&orchestrator);
    return HX_OK;
}

// A slot that it provides in this moment may have no supervisor; then it is gone when it dies.
enum hx_status orchestrator_watch(struct hx_env *env) {
    struct gate *gate;
    spin_lock(&watched_lock);
    const bool fits = watched_count < WATCHED_MAX;
    if (fits) {
        env->health.state = MODULE_RUNS;
        env->is_watched = true;
        watched[watched_count++] = env;
    }
    spin_unlock(&watched_lock);
    if (!fits) {
        return HX_ERR_LIMIT;
    }
    for (uint32_t i = 0; (gate = module_gate(env, &i)) != NULL;) {
        atomic_store_explicit(&gate->supervisor, &deaths, memory_order_relaxed);
    }
    if (gate_is_dead(env->gate)) { // meanwhile; who died before was not in the list
        waitable_pulse(&deaths);
    }
    return gate_is_gone(env->gate) ? HX_ERR_PEER_DIED : HX_OK;
}

void module_swap_note(struct hx_env *env, uint32_t swaps, uint32_t rollbacks) {
    spin_lock(&watched_lock);
    env->health.swaps += swaps;
    env->health.rollbacks += rollbacks;
    spin_unlock(&watched_lock);
    if (rollbacks != 0) {
        life_tell(env->name, LIFE_ROLLED_BACK, "to %u.%u.%u", env->module->version.major,
                  env->module->version.minor, env->module->version.patch);
    }
}

void module_freeze_note(struct hx_env *env, time_ns_t freeze_ns) {
    spin_lock(&watched_lock);
    env->health.freeze_ns = freeze_ns;
    env->health.worst_freeze_ns = MAX_OF(env->health.worst_freeze_ns, freeze_ns);
    spin_unlock(&watched_lock);
    trace(TRACE_SWAP, TRACE_SWAP_MODULE | env->gate->hal.number, (uint64_t)freeze_ns);
}

bool module_health_at(uint32_t index, struct module_health *out_health) {
    spin_lock(&watched_lock);
    struct hx_env *env = index < watched_count ? watched[index] : NULL;
    if (env != NULL) {
        *out_health = env->health;
        out_health->name = env->name;
        out_health->held = ledger_held(&env->ledger);
    }
    spin_unlock(&watched_lock);
    return env != NULL;
}

const char *module_find(const char *name) {
    const char *known = NULL;
    spin_lock(&watched_lock);
    for (uint32_t i = 0; i < watched_count && known == NULL; i++) {
        known = strcmp(watched[i]->name, name) == 0 ? watched[i]->name : NULL;
    }
    spin_unlock(&watched_lock);
    return known;
}
