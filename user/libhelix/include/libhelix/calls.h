// SPDX-License-Identifier: MIT OR Apache-2.0
// <libhelix/calls.h>: the native calls as typed functions. What each does, needs and returns stands
// in <helix/native.h>. A result goes where out_… points, which is untouched unless HX_OK.
#pragma once

#include <helix/native.h>
#include <libhelix_arch/syscall.h>

#define HX_MUST_CHECK __attribute__((warn_unused_result))

// A handle or another number from 0 up, or a status.
HX_MUST_CHECK static inline enum hx_status libhelix_value(int64_t result, uint32_t *out_value) {
    if (result < 0) {
        return (enum hx_status)result;
    }
    *out_value = (uint32_t)result;
    return HX_OK;
}

HX_MUST_CHECK static inline enum hx_status hx_handle_close(handle_t handle) {
    return (enum hx_status)libhelix_syscall(HX_CALL_handle_close, handle, 0, 0, 0, 0);
}

HX_MUST_CHECK static inline enum hx_status hx_handle_derive(handle_t handle, rights_t rights,
                                                            handle_t *out_handle) {
    return libhelix_value(libhelix_syscall(HX_CALL_handle_derive, handle, rights, 0, 0, 0),
                          out_handle);
}

HX_MUST_CHECK static inline enum hx_status hx_handle_revoke(handle_t handle) {
    return (enum hx_status)libhelix_syscall(HX_CALL_handle_revoke, handle, 0, 0, 0, 0);
}

HX_MUST_CHECK static inline enum hx_status hx_handle_info(handle_t handle,
                                                          struct hx_handle_info *out_info) {
    return (enum hx_status)libhelix_syscall(HX_CALL_handle_info, handle, (uintptr_t)out_info, 0, 0,
                                            0);
}

HX_MUST_CHECK static inline enum hx_status hx_handle_bequeath(handle_t handle) {
    return (enum hx_status)libhelix_syscall(HX_CALL_handle_bequeath, handle, 0, 0, 0, 0);
}

HX_MUST_CHECK static inline enum hx_status hx_handle_given(handle_t *out_handle) {
    return libhelix_value(libhelix_syscall(HX_CALL_handle_given, 0, 0, 0, 0, 0), out_handle);
}

HX_MUST_CHECK static inline enum hx_status hx_event_create(uint32_t state, handle_t *out_handle) {
    return libhelix_value(libhelix_syscall(HX_CALL_event_create, state, 0, 0, 0, 0), out_handle);
}

HX_MUST_CHECK static inline enum hx_status hx_event_update(handle_t handle, uint32_t clear,
                                                           uint32_t set) {
    return (enum hx_status)libhelix_syscall(HX_CALL_event_update, handle, clear, set, 0, 0);
}

HX_MUST_CHECK static inline enum hx_status hx_wait(struct hx_wait_item *items, uint32_t count,
                                                   time_ns_t deadline, uint32_t *out_ready) {
    return libhelix_value(
        libhelix_syscall(HX_CALL_wait, (uintptr_t)items, count, (uint64_t)deadline, 0, 0),
        out_ready);
}

HX_MUST_CHECK static inline enum hx_status hx_channel_create(uint32_t slots, handle_t handles[2]) {
    return (enum hx_status)libhelix_syscall(HX_CALL_channel_create, slots, (uintptr_t)handles, 0, 0,
                                            0);
}

HX_MUST_CHECK static inline enum hx_status hx_channel_map(handle_t handle,
                                                          struct hx_channel_view *out_view) {
    return (enum hx_status)libhelix_syscall(HX_CALL_channel_map, handle, (uintptr_t)out_view, 0, 0,
                                            0);
}

HX_MUST_CHECK static inline enum hx_status hx_channel_notify(handle_t handle, uint32_t states) {
    return (enum hx_status)libhelix_syscall(HX_CALL_channel_notify, handle, states, 0, 0, 0);
}

HX_MUST_CHECK static inline enum hx_status hx_channel_arm(handle_t handle, uint32_t states) {
    return (enum hx_status)libhelix_syscall(HX_CALL_channel_arm, handle, states, 0, 0, 0);
}

HX_MUST_CHECK static inline enum hx_status hx_channel_send(handle_t handle, handle_t sent) {
    return (enum hx_status)libhelix_syscall(HX_CALL_channel_send, handle, sent, 0, 0, 0);
}

HX_MUST_CHECK static inline enum hx_status hx_channel_receive(handle_t handle,
                                                              handle_t *out_handle) {
    return libhelix_value(libhelix_syscall(HX_CALL_channel_receive, handle, 0, 0, 0, 0),
                          out_handle);
}

HX_MUST_CHECK static inline enum hx_status hx_file_handle(int descriptor, handle_t *out_handle) {
    return libhelix_value(
        libhelix_syscall(HX_CALL_file_handle, (uint64_t)(int64_t)descriptor, 0, 0, 0, 0),
        out_handle);
}

HX_MUST_CHECK static inline enum hx_status hx_file_descriptor(handle_t handle, bool close_on_exec,
                                                              uint32_t *out_descriptor) {
    return libhelix_value(libhelix_syscall(HX_CALL_file_descriptor, handle, close_on_exec, 0, 0, 0),
                          out_descriptor);
}
