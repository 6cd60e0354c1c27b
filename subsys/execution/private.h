// SPDX-License-Identifier: MIT OR Apache-2.0
// subsys/execution/private.h: what the files of execution offer each other.
#pragma once

#include <execution/process.h>

// Prepares the caches of user_thread.c. HX_ERR_NO_MEMORY.
enum hx_status user_thread_init(void);
