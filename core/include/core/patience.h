// SPDX-License-Identifier: MIT OR Apache-2.0
// core/patience.h: how long somebody looks again and again for what nobody tells him of.
//
// Where somebody is given up if he is not done, the pauses between the looks are counted, as long
// as they were meant to be. What they took longer does not count: on a machine whose own processors
// are stopped for a while, as those of a guest are, the others have not run meanwhile either, so
// that a clock alone would find them too slow. Where others are kept waiting by it, the clock
// counts. The owner alone uses it.
#pragma once

#include <helix/types.h>

struct patience {
    time_ns_t left_ns; // of pauses; TIME_NEVER: without end
    time_ns_t end;     // by the clock; TIME_NEVER: without end
    time_ns_t pause_ns;
};

struct patience patience_of(time_ns_t span_ns); // of pauses
struct patience patience_until(time_ns_t end);  // by the clock
// Pauses before the next look: the first few times shortly, for those that are about to be done,
// then longer and longer, to leave the processor to those that are not. False: there is none left.
// Thread context, no spin lock held.
bool patience_wait(struct patience *patience);
