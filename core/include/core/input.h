// SPDX-License-Identifier: MIT OR Apache-2.0
// <core/input.h>: the one place where anything non-deterministic enters: clocks, entropy, device
// data, the moment of an interrupt. Recording and replay (DESIGN section 9) hook in here.
#pragma once

#include <helix/types.h>

enum input_source {
    INPUT_COUNTER,
    INPUT_RTC,
    INPUT_ENTROPY,
    INPUT_CONSOLE,
    INPUT_IRQ,
    INPUT_SOURCES
};

uint64_t input_counter(void);
uint64_t input_rtc(void);
// 64 bits of hardware randomness; false if the machine has none.
bool input_entropy(uint64_t *out_value);
// Device data and interrupts as they reach their consumer.
void input_bytes(enum input_source source, const void *data, size_t size_bytes);
void input_event(enum input_source source, uint64_t value);
uint64_t input_count(enum input_source source);
