// SPDX-License-Identifier: MIT OR Apache-2.0
// core/input.c: the door for everything non-deterministic. Recording will hook in here; today it
// counts, so that a test can see that nothing goes around it.
#include "core_private.h"

#include <hal/time.h>

// Plain counts of this processor; a count lost to an interrupt in between does not matter.
static void note(enum input_source source) {
    cpu_this()->input_counts[source]++;
}

uint64_t input_counter(void) {
    note(INPUT_COUNTER);
    return hal_counter_read();
}

uint64_t input_rtc(void) {
    note(INPUT_RTC);
    return hal_rtc_read();
}

bool input_entropy(uint64_t *out_value) {
    note(INPUT_ENTROPY);
    return hal_random_seed(out_value);
}

void input_bytes(enum input_source source, const void *data, size_t size_bytes) {
    (void)data;
    (void)size_bytes;
    note(source);
}

void input_event(enum input_source source, uint64_t value) {
    (void)value;
    note(source);
}

uint64_t input_count(enum input_source source) {
    uint64_t sum = 0;
    for (uint32_t id = 0; id < CPU_MAX; id++) {
        if (cpu_table[id] != NULL) {
            sum += cpu_table[id]->input_counts[source];
        }
    }
    return sum;
}
