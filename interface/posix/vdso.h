// SPDX-License-Identifier: MIT OR Apache-2.0
// interface/posix/vdso.h: the shared object (user/vdso) in each program that tells it the time, its
// pid and the system's names.
//
// The pid stands in a page that each address space has of its own once its program has asked. What
// the program reads there must be right at any time, so it is 0 (ask the kernel) while the address
// space is that of several processes.
#pragma once

#include <posix/process.h>

// Makes the object that all programs map, and moves the clocks into its second page. Boot context.
// HX_OK, also if the machine has none; HX_ERR_NO_MEMORY.
enum hx_status vdso_init(void);
// `names` (390 bytes, as uname(2) gives them) are the system's from now on. Callers take turns.
void vdso_names_set(const void *names);
// Another process has been made for the caller's address space and will run there. Thread context.
void vdso_pid_hide(struct posix_process *process);
// The process leaves its address space, which it still holds. The caller is its last thread.
void vdso_pid_forget(struct posix_process *process);
// Maps it into a new address space, at random. *out_address is its ELF header's; 0: there is none.
// HX_OK, HX_ERR_NO_MEMORY.
enum hx_status vdso_map(struct aspace *aspace, uint64_t *out_address);
