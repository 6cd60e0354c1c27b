// SPDX-License-Identifier: MIT OR Apache-2.0
// <libhelix/wait.h>: moments, and waiting for one object. hx_wait() takes many.
#pragma once

#include <libhelix/calls.h>

// The monotonic clock: what deadlines are given in.
time_ns_t hx_now(void);

// The moment `span_ns` from now; TIME_NEVER if that is beyond all moments.
time_ns_t hx_after(time_ns_t span_ns);

// Until one of the states in `mask` is set; *out_state is what is. Needs WAIT.
// HX_ERR_REVOKED: the handle is dead; HX_ERR_TIMED_OUT, HX_ERR_INTERRUPTED (a signal), and what
// wait returns.
HX_MUST_CHECK enum hx_status hx_wait_one(handle_t handle, uint32_t mask, time_ns_t deadline,
                                         uint32_t *out_state);
