// SPDX-License-Identifier: MIT OR Apache-2.0
// A lock that is given back but was not taken.
// PART: core/
// FAILS: releasing spinlock .* that was not held
#include <core/lock.h>

int read_under(struct spinlock *lock, const int *value);

int read_under(struct spinlock *lock, const int *value) {
#ifndef BREAK_RULE
    spin_lock(lock);
#endif
    int seen = *value;
    spin_unlock(lock);
    return seen;
}
