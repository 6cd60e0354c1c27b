// SPDX-License-Identifier: MIT OR Apache-2.0
// A lock that is not recursive, taken twice.
// PART: core/
// FAILS: acquiring spinlock .* that is already held
#include <core/lock.h>

void both(struct spinlock *first, struct spinlock *second);

void both(struct spinlock *first, struct spinlock *second) {
    spin_lock(first);
#ifdef BREAK_RULE
    (void)second;
    spin_lock(first);
#else
    spin_lock(second);
    spin_unlock(second);
#endif
    spin_unlock(first);
}
