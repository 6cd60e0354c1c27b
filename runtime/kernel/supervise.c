// SPDX-License-Identifier: MIT OR Apache-2.0
// runtime/kernel/supervise.c: the rule of <supervise.h>. Pure.
#include "supervise.h"

// How many of those that are remembered lie within the span.
static uint32_t recent_count(const struct supervise_rule *rule,
                             const struct supervision *supervision, time_ns_t now) {
    const uint32_t known = MIN_OF(supervision->deaths, SUPERVISE_RECENT);
    uint32_t count = 0;
    for (uint32_t i = 0; i < known; i++) {
        count += now - supervision->recent[i] < rule->span_ns ? 1 : 0;
    }
    return count;
}

bool supervise_death(const struct supervise_rule *rule, struct supervision *supervision,
                     bool has_run, time_ns_t now, time_ns_t *out_pause_ns) {
    const uint32_t before = recent_count(rule, supervision, now);
    supervision->recent[supervision->deaths % SUPERVISE_RECENT] = now;
    supervision->deaths++;
    supervision->failures = has_run ? 0 : supervision->failures + 1;
    if (before >= rule->most || supervision->failures >= rule->most) {
        return false;
    }
    *out_pause_ns = before < rule->at_once ? 0 : rule->pause_ns << (before - rule->at_once);
    return true;
}
