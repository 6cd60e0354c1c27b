// SPDX-License-Identifier: MIT OR Apache-2.0
// procfs/health.c: /proc/helix/health: how the modules are.
#include "procfs.h"

#include <lib/string.h>
#include <runtime/health.h>

static const char *const state_names[] = {
    [MODULE_RUNS] = "runs",     [MODULE_PROBATION] = "probation", [MODULE_DEAD] = "dead",
    [MODULE_PAUSES] = "pauses", [MODULE_GONE] = "gone",
};

// A line for each module: its name, what becomes of it, deaths and restarts, how long the last
// restart took and the longest one in ns, how many blocks of memory it holds, swaps and those that
// ended with the old version, how long the last one and the longest held its clients off in ns, how
// long after a fault on purpose the last death was noted in ns, and how it died last.
enum hx_status proc_health(const struct proc_target *target, struct proc_text *text) {
    (void)target;
    struct module_health health;
    for (uint32_t i = 0; module_health_at(i, &health); i++) {
        text_put(text, "%s %s %u %u %llu %llu %llu", health.name, state_names[health.state],
                 health.deaths, health.restarts, (unsigned long long)health.restart_ns,
                 (unsigned long long)health.worst_ns, (unsigned long long)health.held);
        text_put(text, " %u %u %llu %llu %llu", health.swaps, health.rollbacks,
                 (unsigned long long)health.freeze_ns, (unsigned long long)health.worst_freeze_ns,
                 (unsigned long long)health.detection_ns);
        if (health.deaths == 0) {
            text_put(text, " -\n");
        } else {
            char words[GATE_DEATH_BYTES];
            text_put(text, " %s\n", gate_death_text(&health.death, words, sizeof(words)));
        }
    }
    return HX_OK;
}

// Up to the next space; where the next word begins.
static const char *word(const char *text, char *to, size_t capacity) {
    size_t length = 0;
    while (text[length] != '\0' && text[length] != ' ' && length + 1 < capacity) {
        to[length] = text[length];
        length++;
    }
    to[length] = '\0';
    return text[length] == ' ' ? text + length + 1 : text + length;
}

// "kill MODULE KIND N": the N-th call of the SDK that the module makes from now on ends in a fault;
// "doom MODULE KIND N": so does each N-th.
enum hx_status proc_health_set(const struct proc_target *target, const char *text) {
    (void)target;
    char verb[8];
    char name[32];
    char kind[16];
    uint64_t nth;
    text = word(text, verb, sizeof(verb));
    text = word(text, name, sizeof(name));
    text = word(text, kind, sizeof(kind));
    const bool again = strcmp(verb, "doom") == 0;
    if ((!again && strcmp(verb, "kill") != 0) || !string_to_u64(text, 10, &nth)) {
        return HX_ERR_INVALID;
    }
    return module_doom(name, kind, nth, again);
}
