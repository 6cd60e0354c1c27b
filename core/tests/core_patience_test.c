// SPDX-License-Identifier: MIT OR Apache-2.0
// Tests of core/patience.c.
#include <core/patience.h>
#include <core/thread.h>
#include <core/time.h>

#include <assert.h>

#define MS 1000000

// A machine that is stopped for a while whenever somebody sleeps.
static time_ns_t now, stops_ns, asked_ns, longest_ns;

time_ns_t time_now(void) {
    return now;
}

bool thread_sleep_until(time_ns_t deadline, uint32_t flags) {
    assert(flags == 0 && deadline > now);
    asked_ns += deadline - now;
    longest_ns = MAX_OF(longest_ns, deadline - now);
    now = deadline + stops_ns;
    return true;
}

static uint32_t looks(time_ns_t span_ns) {
    struct patience patience = patience_of(span_ns);
    uint32_t count = 0;
    asked_ns = longest_ns = 0;
    while (patience_wait(&patience)) {
        count++;
    }
    assert(!patience_wait(&patience));
    return count;
}

// By the clock: what the machine was stopped counts.
static void ends_in_time(void) {
    stops_ns = 0;
    struct patience patience = patience_until(now + 1000 * MS);
    const time_ns_t end = patience.end;
    while (patience_wait(&patience)) {
        assert(now <= end);
    }
    assert(now == end && !patience_wait(&patience));
    stops_ns = 300 * MS;
    patience = patience_until(now + 1000 * MS);
    uint32_t count = 0;
    while (patience_wait(&patience)) {
        count++;
    }
    assert(count == 4);
    patience = patience_until(now);
    assert(!patience_wait(&patience));
    stops_ns = 0;
}

int main(void) {
    ends_in_time();
    const uint32_t often = looks(1000 * MS);
    assert(asked_ns == 1000 * MS && often > 50 && often < 500);
    assert(longest_ns <= 10 * MS);
    stops_ns = 2000 * (time_ns_t)MS; // longer than all of it
    assert(looks(1000 * MS) == often && asked_ns == 1000 * MS);
    assert(looks(1) == 1 && asked_ns == 1);
    assert(looks(0) == 0 && looks(-1) == 0);
    struct patience endless = patience_of(TIME_NEVER);
    for (uint32_t i = 0; i < 100000; i++) {
        assert(patience_wait(&endless));
    }
    assert(endless.left_ns == TIME_NEVER);
    return 0;
}
