// SPDX-License-Identifier: MIT OR Apache-2.0
// The same analysis for the locks of modules.
// PART: services/fs/ramfs/
// FAILS: hx_mutex .* is not held on every path|still held at the end
#include <helix/env.h>

void count_up(struct hx_mutex *mutex, uint64_t *counter);

void count_up(struct hx_mutex *mutex, uint64_t *counter) {
    hx_mutex_lock(mutex);
    *counter += 1;
#ifndef BREAK_RULE
    hx_mutex_unlock(mutex);
#endif
}
