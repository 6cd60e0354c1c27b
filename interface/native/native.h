// SPDX-License-Identifier: MIT OR Apache-2.0
// interface/native/native.h: what the files of the native interface share.
//
// A call NAME is served by native_NAME(): a value from 0 up, or a negative status.
#pragma once

#include <execution/handles.h>
#include <execution/native.h>
#include <helix/native.h>

#define X(name, number) int64_t native_##name(const uint64_t *args);
HX_NATIVE_CALLS(X)
#undef X

// Gives the process a handle for `capability`, whose reference is taken, also on failure. The
// call's result.
int64_t native_give(struct capability *capability);

// What a handle of the calling process names, with a reference, if it may be handed over: needs
// DELEGATE. HX_ERR_BAD_HANDLE, HX_ERR_ACCESS_DENIED, HX_ERR_REVOKED.
enum hx_status native_movable(handle_t handle, struct capability **out_capability);

// The kind that programs know an object by.
enum hx_object native_object(const struct object *object);
