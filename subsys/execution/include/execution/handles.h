// SPDX-License-Identifier: MIT OR Apache-2.0
// <execution/handles.h>: a process's table of handles: small numbers that name capabilities.
//
// A handle is an index and a generation, so that one that was closed does not name what comes to
// its place later: a place whose generations are used up is not used again. Looking up takes no
// lock: places do not move, and one is reused only after a grace period. A table is made when a
// process gets its first handle, and ends with the process or its program (exec); fork gives none.
// Each handle is charged to the process's account.
#pragma once

#include <core/capability.h>
#include <execution/process.h>

#define HANDLE_NONE       0u
#define HANDLE_INDEX_BITS 16u
#define HANDLES_MAX       (1u << HANDLE_INDEX_BITS)

// All calls: thread context.

// Names `capability`; takes the reference on HX_OK. HX_ERR_NO_MEMORY, HX_ERR_LIMIT (the account's),
// HX_ERR_TABLE_FULL.
enum hx_status handle_add(struct process *process, struct capability *capability,
                          handle_t *out_handle);
// What a handle names, with a reference. HX_ERR_BAD_HANDLE.
enum hx_status handle_find(struct process *process, handle_t handle,
                           struct capability **out_capability);
// The name ends; the capability goes when nothing uses it. HX_ERR_BAD_HANDLE.
enum hx_status handle_close(struct process *process, handle_t handle);
// Closes all. The caller is the process's only thread, or the process has none.
void handles_close_all(struct process *process);

// The end of a process: closes all, and what it was given or would bequeath goes. Whether it had a
// table: what was in it goes after a grace period.
bool handles_end(struct process *process);

struct tally;
// Adds what the process keeps so (<memory/tally.h>), whatever it does meanwhile.
void handles_tally(struct process *process, struct tally *tally);

// The next child is given `capability`, whose reference is taken, instead of what was said before.
void process_bequeath(struct process *process, struct capability *capability);
// Gives `child`, which does not run yet, what its parent bequeathed.
void handles_inherit(struct process *child, struct process *parent);
// Gives `child`, which does not run yet and was given nothing; takes the reference.
void handles_give(struct process *child, struct capability *capability);
// A handle for what the process was given. HX_ERR_NOT_FOUND: nothing (any more); and as
// handle_add().
enum hx_status handle_take_given(struct process *process, handle_t *out_handle);

// What a handle names, if the object is of that kind and the rights are there now. The caller is in
// an epoch: nothing goes meanwhile, but it may be revoked. Errors as handle_enter()'s; refusals are
// traced.
enum hx_status handle_look(struct process *process, handle_t handle, enum object_kind kind,
                           rights_t need, struct capability **out_capability);

// Finds and enters in one: the object behind `handle` if it is of that kind and the rights are
// there. Ends with handle_leave(). HX_ERR_BAD_HANDLE (also another kind), HX_ERR_ACCESS_DENIED,
// HX_ERR_REVOKED.
enum hx_status handle_enter(struct process *process, handle_t handle, enum object_kind kind,
                            rights_t need, struct capability **out_capability);
void handle_leave(struct capability *capability);
