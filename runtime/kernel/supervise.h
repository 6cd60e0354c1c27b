// SPDX-License-Identifier: MIT OR Apache-2.0
// runtime/kernel/supervise.h: the rule by which a module that died is started anew, or given up.
//
// A module may die often, but not often within a span: the first deaths of a span cost nothing,
// each further one doubles a pause, and one too many is the end. So are as many starts, one after
// the other, that do not succeed, however long they take. The caller serialises.
#pragma once

#include <helix/types.h>

#define SUPERVISE_RECENT 32u // deaths that are remembered

// The profile's (HELIX_DEATHS_… in profiles/).
struct supervise_rule {
    time_ns_t span_ns;
    uint32_t at_once;   // deaths of a span that are followed by no pause
    time_ns_t pause_ns; // after the next one; then twice as long each time
    uint32_t most;      // deaths of a span, at most SUPERVISE_RECENT; one more is the end
};
extern const struct supervise_rule supervise_rule;

struct supervision {
    uint32_t deaths;                    // in all
    uint32_t failures;                  // starts that did not succeed, since one did
    time_ns_t recent[SUPERVISE_RECENT]; // when: the last ones, in a circle
};

// Notes a death, of a module that ran or of one that was being started. False: it is given up; else
// it starts anew after *out_pause_ns.
bool supervise_death(const struct supervise_rule *rule, struct supervision *supervision,
                     bool has_run, time_ns_t now, time_ns_t *out_pause_ns);
