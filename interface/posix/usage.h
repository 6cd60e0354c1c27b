// SPDX-License-Identifier: MIT OR Apache-2.0
// interface/posix/usage.h: what programs used: struct rusage. Private to posix.
#pragma once

#include <helix/types.h>
#include <posix/process.h>

// Adds `more`; of the resident pages the maximum counts.
void usage_add(struct usage *usage, const struct usage *more);
// What a thread used. Any context.
void thread_usage(struct thread *thread, struct usage *out);
// What a process used: its living threads and what it left. Of the address space that it has,
// nothing yet: see process_usage_resident(). Any context; takes the signal_lock.
void process_usage(struct posix_process *process, struct usage *out);
// Counts the present address space, too. Thread context; takes the process lock.
void process_usage_resident(struct posix_process *process, struct usage *usage);

// Books what a thread used, as it leaves. Needs the signal_lock.
void usage_leave_thread_locked(struct posix_thread *thread);
// Books what was resident in an address space that the process leaves.
void usage_leave_aspace(struct posix_process *process, struct aspace *aspace);

// Writes Linux's struct rusage. HX_ERR_BAD_ADDRESS.
enum hx_status rusage_to_user(struct uaddr to, const struct usage *usage);
