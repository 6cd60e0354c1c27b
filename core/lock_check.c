// SPDX-License-Identifier: MIT OR Apache-2.0
// core/lock_check.c: the order of locks, checked at each acquisition in debug builds.
//
// Each thread keeps the classes that it holds, innermost last. Sleeping locks and spin locks share
// the list. What an interrupt handler takes is checked only against what it holds itself: locks
// that handlers take are taken with interrupts off elsewhere, so what was interrupted holds none of
// them.
#include "core_private.h"

#include <core/log.h>

#if HELIX_DEBUG
static void order_panic(const struct lock_class *outer, const struct lock_class *inner) {
    panic("lock order: %s (%u) is taken inside %s (%u)", inner->name, inner->rank, outer->name,
          outer->rank);
}

void lock_check_acquire(const struct lock_class *lock_class) {
    struct thread *thread = thread_current();
    if (lock_class == NULL || thread->locks_unchecked) {
        return;
    }
    unsigned long state = hal_irq_save();
    for (uint32_t i = thread->locks_base; i < thread->locks_held; i++) {
        const struct lock_class *held = thread->held[i];
        if (held->rank > lock_class->rank || (held->rank == lock_class->rank && !held->nest)) {
            order_panic(held, lock_class);
        }
    }
    ASSERT(thread->locks_held < ARRAY_SIZE(thread->held));
    thread->held[thread->locks_held++] = lock_class;
    hal_irq_restore(state);
}

void lock_check_release(const struct lock_class *lock_class) {
    struct thread *thread = thread_current();
    if (lock_class == NULL || thread->locks_unchecked) {
        return;
    }
    unsigned long state = hal_irq_save();
    for (uint32_t i = thread->locks_held; i > 0; i--) {
        if (thread->held[i - 1] == lock_class) {
            for (uint32_t j = i; j < thread->locks_held; j++) {
                thread->held[j - 1] = thread->held[j];
            }
            thread->locks_held--;
            hal_irq_restore(state);
            return;
        }
    }
    panic("lock order: %s is released but not held", lock_class->name);
}

uint32_t lock_check_interrupt(void) {
    struct thread *thread = thread_current();
    uint32_t base = thread->locks_base;
    thread->locks_base = thread->locks_held;
    return base;
}

void lock_check_interrupt_done(uint32_t base) {
    struct thread *thread = thread_current();
    ASSERT(thread->locks_held == thread->locks_base);
    thread->locks_base = base;
}
#endif
