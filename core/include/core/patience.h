// SPDX-License-Identifier: MIT OR Apache-2.0
// core/patience.h: how long somebody looks again and again for what nobody tells him of.
//
// It is counted in what the pauses between the looks were meant to take. What they took longer does
// not count: on a machine whose own processors are stopped for a while, as those of a guest are,
// the others have not run meanwhile either, so that a clock alone would find them too slow. The
// owner alone uses it.
#pragma once

#include <helix/types.h>

struct patience {
    time_ns_t left_ns; // TIME_NEVER: without end
    time_ns_t pause_ns;
};

struct patience patience_of(time_ns_t span_ns);
// Pauses before the next look: the first few times shortly, for those that are about to be done,
// then longer and longer, to leave the processor to those that are not. False: there is none left.
// Thread context, no spin lock held.
bool patience_wait(struct patience *patience);
