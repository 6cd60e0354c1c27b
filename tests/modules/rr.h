// SPDX-License-Identifier: MIT OR Apache-2.0
// rr.h: the policy rr as a package of another version, for tests/native/scheduler_swaps.c. Who
// includes this says with RR() what is different in its life, and with RR_PICK and RR_CPU_ADD, what
// its pick and its cpu_add are.
#pragma once

#include "broken.h"

#include <helix/env.h>
#include <helix/ports/sched_port.h>

#if defined(RR_PICK) || defined(RR_CPU_ADD)
__attribute__((unused)) static struct hx_env *rr_env;

// With the port's operations changed.
static enum hx_status rr_provide(struct hx_env *env, const char *port, const char *slot,
                                 const struct sched_ops *operations, void *self) {
    static struct sched_ops changed;
    rr_env = env;
    changed = *operations;
#ifdef RR_PICK
    changed.pick = RR_PICK;
#endif
#ifdef RR_CPU_ADD
    changed.cpu_add = RR_CPU_ADD;
#endif
    return hx_port_provide(env, port, slot, &changed, self);
}
#define hx_port_provide rr_provide
#endif

#undef HX_MODULE
#define HX_MODULE(identifier, ...)                                                                 \
    __attribute__((unused)) static const struct hx_module identifier = { __VA_ARGS__ }
#include "../../services/sched/rr/rr_module.c"

#define RR(minor, ...)                                                                             \
    static const struct hx_module_ops rr_operations = { .init = rr_init, __VA_ARGS__ };            \
    static const struct hx_module rr_module = { .sdk_abi = HX_SDK_ABI,                             \
                                                .name = "rr",                                      \
                                                .version = { 1, minor, 0 },                        \
                                                .phase = HX_PHASE_NORMAL,                          \
                                                .flags = HX_MODULE_ATOMIC,                         \
                                                .provides = rr_provides,                           \
                                                .provides_count = ARRAY_SIZE(rr_provides),         \
                                                .ops = &rr_operations };                           \
    __attribute__((used,                                                                           \
                   section("helix_modules"))) static const struct hx_module *const rr_pointer =    \
        &rr_module
