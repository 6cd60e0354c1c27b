// SPDX-License-Identifier: MIT OR Apache-2.0
// interface/posix/pidfd.h: descriptors for processes, for clone, waitid and procfs. Private to
// posix.
#pragma once

#include <posix/call.h>
#include <posix/process.h>

// A file that stands for the process, of which it keeps the identity; NULL: for nobody until
// pidfd_bind(). Gives one reference. HX_ERR_NO_MEMORY.
enum hx_status pidfd_create(struct posix_process *process, bool nonblock, struct file **out_file);
// What stood for nobody stands for the process from now on. Once.
void pidfd_bind(struct file *file, struct posix_process *process);

// The process that a descriptor of the caller's stands for, with a reference, for a use that needs
// the rights `need`; and whether who waits by it is not to sleep. HX_ERR_BAD_HANDLE (also: it is no
// pidfd), HX_ERR_ACCESS_DENIED, HX_ERR_REVOKED; HX_ERR_NO_PROCESS: who was waited for, or nobody
// yet.
enum hx_status pidfd_find(struct call *call, int32_t fd, rights_t need,
                          struct posix_process **out_process, bool *out_nonblock);

// Whether the file is a pidfd; then *out_number is the process's, -1 once it was waited for. For
// /proc/PID/fdinfo.
bool pidfd_number(const struct file *file, int32_t *out_number);
