// SPDX-License-Identifier: MIT OR Apache-2.0
// <execution/native.h>: how a native call reaches its function, whatever personality the thread
// has.
//
// A personality's dispatcher hands numbers from NATIVE_CALL_FIRST on to native_call(); the native
// interface registers what serves them.
#pragma once

#include <core/capability.h>
#include <hal/trap.h>
#include <helix/types.h>

#define NATIVE_CALL_FIRST 4096u
#define NATIVE_CALL_END   8192u // portgen gives none from here on

// A value from 0 up, or a negative enum hx_status. Thread context.
typedef int64_t (*native_call_t)(const uint64_t *args);

struct native_call_entry {
    native_call_t serve; // NULL: no call has this number
    const char *name;
};

// The numbers first … first + count - 1, as portgen writes them (FAMILY_table.c).
struct native_calls {
    uint64_t first;
    const struct native_call_entry *entries;
    uint32_t count;
};

// Serves these. Borrows them for good. Before programs run; at most NATIVE_TABLES times.
#define NATIVE_TABLES 4u
void native_calls_register(const struct native_calls *calls);

// The name of a call; NULL: there is none of that number. Any context.
const char *native_call_name(uint64_t number);

// handle_enter() of the calling process's handle as a register holds it.
enum hx_status native_enter(uint64_t handle, enum object_kind kind, rights_t need,
                            struct capability **out_capability);
// What a handle of the calling process names, of whatever kind, with a reference, if it has the
// rights `need`; not entered. HX_ERR_BAD_HANDLE, HX_ERR_ACCESS_DENIED, HX_ERR_REVOKED.
enum hx_status native_find(handle_t handle, rights_t need, struct capability **out_capability);

// Serves the call that `frame` asks for and sets its result; false: there is no such call.
bool native_call(struct hal_frame *frame);
