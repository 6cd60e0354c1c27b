// SPDX-License-Identifier: MIT OR Apache-2.0
// core/patience.c: pauses between looks.
#include <core/patience.h>
#include <core/thread.h>
#include <core/time.h>

#define PAUSE_FIRST_NS 100000
#define PAUSE_MOST_NS  10000000
#define GROWTH         8 // each is longer by that part of itself

struct patience patience_of(time_ns_t span_ns) {
    return (struct patience){ .left_ns = span_ns, .end = TIME_NEVER, .pause_ns = PAUSE_FIRST_NS };
}

struct patience patience_until(time_ns_t end) {
    return (struct patience){ .left_ns = TIME_NEVER, .end = end, .pause_ns = PAUSE_FIRST_NS };
}

bool patience_wait(struct patience *patience) {
    const time_ns_t now = time_now();
    if (patience->left_ns <= 0 || patience->end <= now) {
        return false;
    }
    const time_ns_t pause =
        MIN_OF(patience->pause_ns, MIN_OF(patience->left_ns, patience->end - now));
    (void)thread_sleep_until(now + pause, 0);
    patience->left_ns -= patience->left_ns == TIME_NEVER ? 0 : pause;
    patience->pause_ns = MIN_OF(patience->pause_ns + patience->pause_ns / GROWTH, PAUSE_MOST_NS);
    return true;
}
