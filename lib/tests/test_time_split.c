// SPDX-License-Identifier: MIT OR Apache-2.0
// Times in two parts: neither goes back, and both follow the estimate as far as that allows.
#include "bytes.h"
#include "check.h"

#include <lib/time_split.h>

static void follows(void) {
    struct time_split told = { 0 };
    time_split_move(&told, 100, 70);
    CHECK(told.first == 70 && told.rest == 30);
    time_split_move(&told, 200, 140);
    CHECK(told.first == 140 && told.rest == 60);
}

static void keeps_each_part(void) {
    struct time_split told = { 0 };
    time_split_move(&told, 100, 100);
    time_split_move(&told, 110, 55); // half of it was the rest, it turns out
    CHECK(told.first == 100 && told.rest == 10);
    time_split_move(&told, 120, 200); // more than there is
    CHECK(told.first == 110 && told.rest == 10);
}

static void keeps_the_sum(void) {
    struct time_split told = { 0 };
    time_split_move(&told, 100, 40);
    time_split_move(&told, 90, 10);
    CHECK(told.first == 40 && told.rest == 60);
    time_split_move(&told, UINT64_MAX, 0);
    CHECK(told.first == 40 && told.rest == UINT64_MAX - 40);
}

static void never_goes_back(void) {
    uint64_t state = 1;
    struct time_split told = { 0 };
    for (int step = 0; step < 100000; step++) {
        const struct time_split before = told;
        const uint64_t total = next_random(&state) % 1000000;
        time_split_move(&told, total, next_random(&state) % 1000000);
        CHECK(told.first >= before.first && told.rest >= before.rest);
        CHECK(told.first + told.rest == MAX_OF(total, before.first + before.rest));
    }
}

int main(void) {
    follows();
    keeps_each_part();
    keeps_the_sum();
    never_goes_back();
    return check_result();
}
