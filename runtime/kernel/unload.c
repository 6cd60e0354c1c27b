// SPDX-License-Identifier: MIT OR Apache-2.0
// runtime/kernel/unload.c: a module that was loaded goes.
//
// First its slots take no new clients; with one that has some, all is as it was. Then nobody is
// inside, it stops and ends, and nobody is inside that, either. Then its devices are quiet, nobody
// supervises it any more, and its slots are forgotten. Other lives wait meanwhile: a death that
// comes before that is the orchestrator's if the module stays, and nobody's if it goes.
#include "private.h"

#include <core/gate.h>
#include <core/log.h>
#include <core/port.h>
#include <core/time.h>

#define LEAVE_NS 1000000000 // for who is inside

// Number `*inout_index` and on of all gates, the next one that is a slot of the module's; NULL: no
// more.
static struct gate *slot_of(const struct hx_env *env, uint32_t *inout_index) {
    while (*inout_index < GATES_MAX) {
        struct gate *gate = gate_at((*inout_index)++);
        if (gate != NULL && gate != env->gate && gate_module(gate) == env->name) {
            return gate;
        }
    }
    return NULL;
}

static void slots_stay(const struct hx_env *env, uint32_t end) {
    struct gate *gate;
    for (uint32_t i = 0; (gate = slot_of(env, &i)) != NULL && i <= end;) {
        HX_IGNORE(port_leave(gate, PORT_STAYS)); // it was about to leave, so it can stay
        gate_open(gate);
    }
}

// All or none.
static enum hx_status slots_leave(const struct hx_env *env, struct package_refusal *refusal) {
    struct gate *gate;
    for (uint32_t i = 0; (gate = slot_of(env, &i)) != NULL;) {
        if (port_leave(gate, PORT_LEAVES) != HX_OK) {
            slots_stay(env, i - 1);
            return package_refuse(refusal, HX_ERR_BUSY,
                                  "expected that slot %s has no clients, found some: close what "
                                  "has it open (what the kernel itself uses stays)",
                                  gate->slot);
        }
    }
    return HX_OK;
}

// A dead module's calls are on their way out: nobody gets in, but who is inside still is.
static enum hx_status drain(struct gate *gate) {
    struct patience patience = patience_until(time_now() + LEAVE_NS);
    enum hx_status status = gate_close(gate, &patience);
    return status == HX_ERR_PEER_DIED ? gate_drain(gate, &patience) : status;
}

static enum hx_status slots_drain(const struct hx_env *env) {
    struct gate *gate;
    for (uint32_t i = 0; (gate = slot_of(env, &i)) != NULL;) {
        enum hx_status status = drain(gate);
        if (status != HX_OK) {
            return status;
        }
    }
    return HX_OK;
}

static int64_t stop_inside(void *argument) {
    const struct hx_env *env = argument;
    const struct hx_module_ops *ops = env->module->ops;
    return ops->stop != NULL ? ops->stop(env->self) : HX_OK;
}

static int64_t fini_inside(void *argument) {
    const struct hx_env *env = argument;
    const struct hx_module_ops *ops = env->module->ops;
    if (ops->fini != NULL) {
        ops->fini(env->self);
    }
    return HX_OK;
}

// Of the module's own gate, behind its stop. One that somebody does not leave then is not what it
// was: the orchestrator starts it anew, or gives it up.
static enum hx_status end_drain(const struct hx_env *env) {
    enum hx_status status = drain(env->gate);
    if (status != HX_OK) {
        module_kill(env, "unload", "somebody inside");
    }
    return status;
}

// Inside the module's own gate, so that one that faults here is gone all the same. When its fini
// frees what its interrupts work with, nobody hears these any more.
static enum hx_status end(struct hx_env *env) {
    enum hx_status status = gate_call(env->gate, stop_inside, env);
    status = status == HX_OK ? end_drain(env) : status;
    if (status == HX_OK) {
        lines_silence(env);
        gate_open(env->gate);
        status = gate_call(env->gate, fini_inside, env);
    }
    return status;
}

static void slots_forget(const struct hx_env *env) {
    struct gate *gate;
    for (uint32_t i = 0; (gate = slot_of(env, &i)) != NULL;) {
        HX_IGNORE(port_leave(gate, PORT_LEFT)); // nobody refuses that
    }
}

// Its slots, its devices and its lines: nobody comes to it from any of them, or is on his way.
static void leave(struct hx_env *env) REQUIRES(lives_lock) {
    struct gate *gate;
    const char *why = module_put_away(env);
    if (why != NULL) {
        log_warning("module %s: %s", env->name, why);
    }
    orchestrator_forget(env);
    for (uint32_t i = 0; (gate = module_gate(env, &i)) != NULL;) {
        gate_give_up(gate); // who waits there goes
    }
    lines_forget(env);
    slots_forget(env);
    gate_release(env->gate);
}

enum hx_status module_let_go(struct hx_env *env, struct package_refusal *refusal) {
    enum hx_status status = slots_leave(env, refusal);
    if (status != HX_OK) {
        return status;
    }
    status = slots_drain(env);
    if (status == HX_OK && env->runs) {
        status = end(env);
    }
    if (status == HX_OK || status == HX_ERR_PEER_DIED) {
        status = end_drain(env); // threads of its lines may be inside
    }
    if (status != HX_OK) {
        slots_stay(env, GATES_MAX);
        return package_refuse(refusal, HX_ERR_BUSY, "expected that it stops, found: %s",
                              hx_status_name(status));
    }
    leave(env);
    return HX_OK;
}
