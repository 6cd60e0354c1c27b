// SPDX-License-Identifier: MIT OR Apache-2.0
// user/libhelix/src/wait.c: moments, and waiting for one object.
#include <libhelix/wait.h>

#include <time.h>

time_ns_t hx_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now); // cannot fail
    return (time_ns_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

time_ns_t hx_after(time_ns_t span_ns) {
    const time_ns_t now = hx_now();
    return span_ns < TIME_NEVER - now ? now + span_ns : TIME_NEVER;
}

enum hx_status hx_wait_one(handle_t handle, uint32_t mask, time_ns_t deadline,
                           uint32_t *out_state) {
    struct hx_wait_item item = { .handle = handle, .mask = mask };
    uint32_t ready;
    enum hx_status status = hx_wait(&item, 1, deadline, &ready);
    if (status != HX_OK) {
        return status;
    }
    if ((item.out_state & HX_STATE_REVOKED) != 0) {
        return HX_ERR_REVOKED;
    }
    *out_state = item.out_state;
    return HX_OK;
}
