// SPDX-License-Identifier: MIT OR Apache-2.0
// interface/posix/futex.h: what the rest of posix needs of futexes. Private to posix.
#pragma once

#include <posix/process.h>

void futex_init(void);
// Wakes up to `count` waiters on a word of the current address space, shared or private.
void futex_wake_address(struct uaddr address, uint32_t count);
// The thread ends or execs: its robust futexes get FUTEX_OWNER_DIED.
void robust_list_exit(struct posix_thread *thread);
