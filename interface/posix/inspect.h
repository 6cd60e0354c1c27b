// SPDX-License-Identifier: MIT OR Apache-2.0
// interface/posix/inspect.h: looking into another process. Private to posix.
//
// An exec puts new memory and new credentials into a process as one, under its exec_lock; who takes
// something out of it by what may be done to it holds the same lock from the check to the end.
#pragma once

#include <posix/process.h>

// Which of the caller's ids and capabilities count.
enum inspect_ids {
    INSPECT_FS_IDS,   // PTRACE_MODE_FSCREDS: procfs
    INSPECT_REAL_IDS, // PTRACE_MODE_REALCREDS: calls
};
// May the current process look into that one (ptrace(2), "Ptrace access mode checking")? Thread
// context.
bool inspect_allowed(struct posix_process *target, enum inspect_ids ids);

// The memory of a process, with a reference, for who may attach to it. HX_ERR_NO_PROCESS: it has
// ended; HX_ERR_NOT_PERMITTED. Thread context; may sleep.
enum hx_status inspect_aspace(struct posix_process *target, struct aspace **out_aspace);
// What a process has at the descriptor `fd`, with a reference, for who may attach to it.
// HX_ERR_NOT_PERMITTED; HX_ERR_BAD_HANDLE: nothing; HX_ERR_NO_PROCESS: it has ended;
// HX_ERR_ACCESS_DENIED, HX_ERR_REVOKED: a capability that is not to be handed on. Thread context;
// may sleep.
enum hx_status inspect_descriptor(struct posix_process *target, int32_t fd,
                                  struct capability **out_capability);

// The table of a process, with a reference; NULL if it has ended. Thread context; may sleep.
struct file_table *process_file_table(const struct posix_process *process);
