// SPDX-License-Identifier: MIT OR Apache-2.0
// A _locked function called without the lock.
// PART: subsys/memory/src/
// FAILS: requires holding mutex 'object->lock'
#include "private.h"

void cut(struct memory_object *object, uint64_t first, uint64_t end);

void cut(struct memory_object *object, uint64_t first, uint64_t end) {
#ifdef BREAK_RULE
    object_remove_locked(object, first, end);
#else
    mutex_lock(&object->lock);
    object_remove_locked(object, first, end);
    mutex_unlock(&object->lock);
#endif
}
