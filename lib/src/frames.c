// SPDX-License-Identifier: MIT OR Apache-2.0
// frames.c: return addresses by frame pointers.
#include <lib/frames.h>

#define FRAME_BYTES 16u // the caller's frame pointer, the return address

// Sanitizers would mind: a stack that is broken, or somebody else's.
__attribute__((no_sanitize("address", "thread"))) static uint64_t word_at(uint64_t at) {
    return *(const volatile uint64_t *)(uintptr_t)at; // NOLINT: within the stack
}

static bool is_frame(uint64_t fp, uint64_t low, uint64_t high) {
    return fp >= low && fp <= high && high - fp >= FRAME_BYTES && fp % sizeof(uint64_t) == 0;
}

uint32_t frames_walk(uint64_t fp, uint32_t below, const void *stack_low, const void *stack_high,
                     uint64_t *out_addresses, uint32_t capacity) {
    uint64_t low = (uint64_t)(uintptr_t)stack_low;
    const uint64_t high = (uint64_t)(uintptr_t)stack_high;
    uint32_t count = 0;
    while (count < capacity && is_frame(fp - below, low, high)) {
        const uint64_t at = fp - below;
        const uint64_t address = word_at(at + sizeof(uint64_t));
        if (address == 0) { // the first frame of a thread
            break;
        }
        out_addresses[count++] = address;
        low = at + 1;
        fp = word_at(at);
    }
    return count;
}
