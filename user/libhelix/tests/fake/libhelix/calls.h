// SPDX-License-Identifier: MIT OR Apache-2.0
// <libhelix/calls.h>, for tests on the host: the native calls that libhelix and the services make,
// served by a kernel that a test can hold in its hand ("fake.c"): one process, one thread. Who
// would sleep for ever ends the test.
#pragma once

#include <helix/native.h>

#define HX_MUST_CHECK __attribute__((warn_unused_result))

enum hx_status hx_handle_revoke(handle_t handle); // of the tests that use it
HX_MUST_CHECK enum hx_status hx_handle_close(handle_t handle);
HX_MUST_CHECK enum hx_status hx_handle_derive(handle_t handle, uint64_t rights,
                                              handle_t *out_derived);
HX_MUST_CHECK enum hx_status hx_handle_info(handle_t handle, struct hx_handle_info *out_info);
HX_MUST_CHECK enum hx_status hx_wait(struct hx_wait_item *items, uint32_t count, time_ns_t deadline,
                                     uint32_t *out_ready);
HX_MUST_CHECK enum hx_status hx_channel_create(uint32_t slots, handle_t out_ends[2]);
HX_MUST_CHECK enum hx_status hx_channel_map(handle_t end, struct hx_channel_view *out_view);
HX_MUST_CHECK enum hx_status hx_channel_notify(handle_t end, uint32_t states);
HX_MUST_CHECK enum hx_status hx_channel_arm(handle_t end, uint32_t states);
HX_MUST_CHECK enum hx_status hx_channel_send(handle_t end, handle_t sent);
HX_MUST_CHECK enum hx_status hx_channel_receive(handle_t end, handle_t *out_received);
HX_MUST_CHECK enum hx_status hx_channel_wait(handle_t end, uint32_t state, uint64_t position,
                                             uint64_t sleep, time_ns_t deadline);
HX_MUST_CHECK enum hx_status hx_channel_call(handle_t end, uint64_t position, uint64_t sleep,
                                             time_ns_t deadline);
HX_MUST_CHECK enum hx_status hx_memory_create(uint64_t size, handle_t *out_memory);
HX_MUST_CHECK enum hx_status hx_memory_map(handle_t memory, uint64_t offset, uint64_t size,
                                           uint32_t protection, uint64_t *out_address);
