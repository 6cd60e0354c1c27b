// SPDX-License-Identifier: MIT OR Apache-2.0
// core/object.c: reference counts.
//
// Taking a reference needs no order: the caller's own reference made the object visible to it.
// Dropping is a release, and the drop to zero an acquire, so that destroy sees all that other
// holders wrote before they dropped theirs.
#include <core/log.h>
#include <core/object.h>

void object_init(struct object *object, const struct object_type *type) {
    object->type = type;
    atomic_init(&object->references, 1);
}

struct object *object_get(struct object *object) {
    uint32_t old = atomic_fetch_add_explicit(&object->references, 1, memory_order_relaxed);
    ASSERT(old != 0 && old != UINT32_MAX);
    return object;
}

bool object_try_get(struct object *object) {
    uint32_t count = atomic_load_explicit(&object->references, memory_order_relaxed);
    while (count != 0) {
        // Acquire: pairs with the release of the put before, whose writes we may now read.
        if (atomic_compare_exchange_weak_explicit(&object->references, &count, count + 1,
                                                  memory_order_acquire, memory_order_relaxed)) {
            return true;
        }
    }
    return false;
}

void object_put(struct object *object) {
    // Acquire: the last one sees what all others did. (A fence there would do; TSan knows none.)
    uint32_t old = atomic_fetch_sub_explicit(&object->references, 1, memory_order_acq_rel);
    ASSERT(old != 0);
    if (old == 1) {
        object->type->destroy(object);
    }
}
