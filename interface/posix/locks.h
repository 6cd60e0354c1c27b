// SPDX-License-Identifier: MIT OR Apache-2.0
// locks.h: advisory locks: flock(2), POSIX record locks and those of open file descriptions
// (fcntl(2)).
#pragma once

#include "descriptor.h"

// F_SETLK, F_SETLKW and the OFD forms: a struct flock at argument 2. HX_ERR_WOULD_BLOCK if another
// owner's lock is in the way and `wait` is not set; HX_ERR_DEADLOCK; HX_ERR_RESTART.
enum hx_status lock_set(struct call *call, struct file *file, bool of_description, bool wait);
// F_GETLK: which lock would be in the way.
enum hx_status lock_query(struct call *call, struct file *file, bool of_description);
// Whether flock(2) knows the operation.
bool is_lock_operation(uint32_t operation);
// flock(2) with its operation.
enum hx_status lock_whole_file(struct call *call, struct file *file, uint32_t operation);
// Before the first lock.
void locks_init(void);
