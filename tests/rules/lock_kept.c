// SPDX-License-Identifier: MIT OR Apache-2.0
// A way out of a function that forgets the lock.
// PART: core/
// FAILS: is not held on every path
#include <core/lock.h>

int change(struct mutex *mutex, int *value);

int change(struct mutex *mutex, int *value) {
    mutex_lock(mutex);
    if (*value < 0) {
#ifndef BREAK_RULE
        mutex_unlock(mutex);
#endif
        return -1;
    }
    *value += 1;
    mutex_unlock(mutex);
    return 0;
}
