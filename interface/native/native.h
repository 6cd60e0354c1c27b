// SPDX-License-Identifier: MIT OR Apache-2.0
// interface/native/native.h: what the files of the native interface share.
//
// A call NAME of sdk/calls/native.calls is served by native_NAME(); "native_table.h", made from
// that file, declares them. Arguments are checked there, handles have the rights that the file
// says.
#pragma once

#include "native_table.h"

#include <execution/handles.h>

// Gives the process a handle for `capability`, whose reference is taken, also on failure. What
// handle_add() returns.
enum hx_status native_give(struct capability *capability, handle_t *out_handle);

// The kind that programs know an object by.
enum hx_object native_object(const struct object *object);
