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
// May the current process look into that one (ptrace(2), "Ptrace access mode checking")? What is
// taken out of it after that may be another program's: see below. Thread context.
bool inspect_allowed(struct posix_process *target, enum inspect_ids ids);
// The same, and as long as it lasts the process executes no other program: for who takes a
// reference of something of it. True: inspect_end() follows, soon. Thread context; may sleep.
bool inspect_begin(struct posix_process *target, enum inspect_ids ids)
    HX_ATTR(try_acquire_capability(true, target->exec_lock));
void inspect_end(struct posix_process *target) RELEASES(target -> exec_lock);

// The memory of a process, with a reference, for who may look into it. HX_ERR_NO_PROCESS: it has
// ended; HX_ERR_NOT_PERMITTED. Thread context; may sleep.
enum hx_status inspect_aspace(struct posix_process *target, enum inspect_ids ids,
                              struct aspace **out_aspace);
// What a process has at the descriptor `fd`, with a reference, for who may look into it; and
// whether it is closed by exec. HX_ERR_NOT_PERMITTED; HX_ERR_BAD_HANDLE: nothing;
// HX_ERR_NO_PROCESS: it has ended. Thread context; may sleep.
enum hx_status inspect_descriptor(struct posix_process *target, enum inspect_ids ids, int32_t fd,
                                  struct capability **out_capability, bool *out_close_on_exec);

// The table of a process, for who only looks: file_table_drop(); NULL if it has ended. Thread
// context; may sleep.
struct file_table *process_file_table(const struct posix_process *process);
