// SPDX-License-Identifier: MIT OR Apache-2.0
// interface/posix/spawn.h: what a handle for a process is. Private to posix.
#pragma once

#include <core/capability.h>
#include <posix/process.h>

// A handle of the calling process for `process`, which it keeps (also when it has ended).
// HX_ERR_NO_MEMORY, HX_ERR_LIMIT, HX_ERR_TABLE_FULL.
enum hx_status spawn_handle_create(struct posix_process *process, handle_t *out_handle);
