// SPDX-License-Identifier: MIT OR Apache-2.0
// runtime/host/machine.c: processors, time and entropy, as the test sets them.
#include "private.h"

static uint64_t generator;

void host_begin(void) {
    devices_reset();
    life_reset();
    state_reset();
    ledger_reset();
    dma_reset();
    locks_reset();
    log_reset();
    host = (struct host){ .cpu_count = 1, .dma_left = UINT32_MAX };
    generator = 1;
}

uint32_t hx_cpu_count(void) {
    return host.cpu_count;
}

uint32_t hx_cpu_current(void) {
    return host.cpu;
}

time_ns_t hx_time_now(void) {
    return host.time;
}

// The same bytes in each run.
enum hx_status hx_random_fill(struct hx_env *env, void *to, size_t size_bytes) {
    uint8_t *bytes = to;
    may_sleep("hx_random_fill()");
    if (!env_is_granted(env, HX_CAPABILITY_RANDOM)) {
        return HX_ERR_ACCESS_DENIED;
    }
    for (size_t i = 0; host.random_status == HX_OK && i < size_bytes; i++) {
        generator = generator * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        bytes[i] = (uint8_t)(generator >> 56);
    }
    return host.random_status;
}

enum hx_status hx_entropy_add(struct hx_env *env, const void *bytes, size_t size_bytes) {
    may_sleep("hx_entropy_add()");
    if (!env_is_granted(env, HX_CAPABILITY_ENTROPY)) {
        return HX_ERR_ACCESS_DENIED;
    }
    for (size_t i = 0; i < size_bytes; i++) {
        const size_t at = host.entropy_bytes + i;
        host.entropy[MIN_OF(at, sizeof(host.entropy) - 1)] = ((const uint8_t *)bytes)[i];
    }
    host.entropy_bytes += (uint32_t)size_bytes;
    return HX_OK;
}
