// SPDX-License-Identifier: MIT OR Apache-2.0
// <execution/native.h>: how a native call reaches its function, whatever personality the thread
// has.
//
// A personality's dispatcher hands numbers from NATIVE_CALL_FIRST on to native_call(); the native
// interface registers what serves them.
#pragma once

#include <hal/trap.h>
#include <helix/types.h>

#define NATIVE_CALL_FIRST 4096u

// A value from 0 up, or a negative enum hx_status. Thread context.
typedef int64_t (*native_call_t)(const uint64_t *args);

// Serves the numbers first … first + count - 1; entries may be NULL. Borrows the table for good.
// Before programs run; at most NATIVE_TABLES times.
#define NATIVE_TABLES 4u
void native_calls_register(uint64_t first, const native_call_t *table, uint32_t count);

// Serves the call that `frame` asks for and sets its result; false: there is no such call.
bool native_call(struct hal_frame *frame);
