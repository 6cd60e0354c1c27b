// SPDX-License-Identifier: MIT OR Apache-2.0
// bench/thread.c: threads.
#include "bench.h"

#include <pthread.h>

static void *add_one(void *number) {
    ++*(unsigned *)number;
    return number;
}

static uint64_t create_round(unsigned count) {
    unsigned ran = 0;
    unsigned good = 0;
    uint64_t start = bench_now();
    for (unsigned i = 0; i < count; i++) {
        pthread_t thread;
        void *result = NULL;
        good += pthread_create(&thread, NULL, add_one, &ran) == 0 &&
                pthread_join(thread, &result) == 0 && result == &ran;
    }
    return bench_took(start, good == count && ran == count);
}

static const struct bench_operation table[] = {
    { "pthread_create_join", 5, NULL, create_round, NULL },
};

BENCH_MAIN(table)
