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

// A handle for a capability derived from `parent`, charged to the calling process. What
// capability_derive() and handle_add() return; HX_ERR_LIMIT, HX_ERR_NO_MEMORY.
enum hx_status native_derive(struct capability *parent, rights_t rights, handle_t *out_derived);

// The number of a derived capability of programs, which names it until it is freed, and nothing
// else ever; never 0.
uint64_t native_number(struct capability *capability);
// What a number names, with a reference; NULL: nothing any more, or never did.
struct capability *native_numbered(uint64_t number);
// Once, before programs run.
void native_numbers_init(void);
// Makes the object that stands for the modules; as above.
void native_modules_init(void);

// The kind that programs know an object by.
enum hx_object native_object(const struct object *object);
