// SPDX-License-Identifier: MIT OR Apache-2.0
// Tests of core/time_math.h and <helix/clock_page.h>.
#include "../time_math.h"

#include <helix/clock_page.h>

#include <assert.h>

#define NS_PER_SECOND 1000000000u

static void test_rate(uint64_t hz) {
    uint64_t ns_per_tick = time_ratio(NS_PER_SECOND, hz);
    uint64_t ticks_per_ns = time_ratio(hz, NS_PER_SECOND);
    for (uint64_t seconds = 1; seconds < UINT64_C(1) << 30; seconds *= 3) {
        uint64_t exact = seconds * NS_PER_SECOND;
        uint64_t ns = hx_clock_scale(seconds * hz, ns_per_tick);
        // The factor is cut, never rounded up; the error stays below 5 in 10^9.
        assert(ns <= exact && exact - ns <= exact / 200000000 + 1);
        uint64_t ticks = hx_clock_scale(exact, ticks_per_ns);
        assert(ticks <= seconds * hz && seconds * hz - ticks <= seconds * hz / 200000000 + 1);
    }
}

int main(void) {
    test_rate(62500000); // the slowest counters in use
    test_rate(1000000000);
    test_rate(2446061000);
    test_rate(4200000000);
    assert(time_ratio(1, 1) == UINT64_C(1) << 32);
    assert(hx_clock_scale(UINT64_MAX, UINT64_C(1) << 32) == UINT64_MAX);
    assert(hx_clock_scale(UINT64_MAX / 2, UINT64_C(5) << 31) == UINT64_MAX); // saturates
    assert(hx_clock_scale(0, UINT64_MAX) == 0);
    return 0;
}
