// SPDX-License-Identifier: MIT OR Apache-2.0
// interface/native/handle_calls.c: handles: close, derive, revoke, look at.
#include "native.h"

#include <memory/usercopy.h>

enum hx_status native_give(struct capability *capability, handle_t *out_handle) {
    enum hx_status status = handle_add(process_current(), capability, out_handle);
    if (status != HX_OK) {
        capability_put(capability);
    }
    return status;
}

enum hx_status native_handle_close(handle_t handle) {
    return handle_close(process_current(), handle);
}

enum hx_status native_handle_derive(handle_t handle, uint64_t rights, handle_t *out_derived) {
    struct capability *parent;
    enum hx_status status = handle_find(process_current(), handle, &parent);
    if (status != HX_OK) {
        return status;
    }
    status = native_derive(parent, rights, out_derived);
    capability_put(parent);
    return status;
}

// Not entered: who revokes acts under nothing.
enum hx_status native_handle_revoke(handle_t handle, struct capability *handle_capability) {
    (void)handle;
    return capability_revoke(handle_capability);
}

enum hx_status native_handle_bequeath(handle_t handle, struct capability *handle_capability) {
    enum hx_status status = handle_close(process_current(), handle); // one of two succeeds
    if (status == HX_OK) {
        process_bequeath(process_current(), capability_get(handle_capability));
    }
    return status;
}

enum hx_status native_handle_given(handle_t *out_given) {
    return handle_take_given(process_current(), out_given);
}

enum hx_status native_handle_info(handle_t handle, struct uaddr out_info) {
    struct capability *capability;
    enum hx_status status = handle_find(process_current(), handle, &capability);
    if (status != HX_OK) {
        return status;
    }
    const struct hx_handle_info info = {
        .object = native_object(capability->object),
        .live = capability_is_live(capability),
        .rights = capability_rights(capability),
    };
    capability_put(capability);
    return copy_to_user(out_info, &info, sizeof(info));
}
