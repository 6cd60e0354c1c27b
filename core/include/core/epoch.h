// SPDX-License-Identifier: MIT OR Apache-2.0
// <core/epoch.h>: one per-processor epoch mechanism for everything that is read without a lock.
//
// A reader enters (preemption off) and leaves; what a writer has unlinked is retired and reclaimed
// after every processor has left the epochs in which it could have been seen.
#pragma once

#include <core/thread.h>
#include <helix/types.h>

struct epoch_item {
    struct epoch_item *next;
    void (*reclaim)(struct epoch_item *item); // thread context, may sleep
};

// Nests. Preemption is off meanwhile: one addition counts both.
static inline void epoch_enter(void) {
    thread_current()->preempt_off += PREEMPT_EPOCH;
    // The count must be up before the section reads: a compiler matter only, since who looks at it
    // does so in an interrupt on this processor.
    atomic_signal_fence(memory_order_seq_cst);
}
static inline void epoch_leave(void) {
    preempt_give_back(PREEMPT_EPOCH);
}
// Whether the running thread, or what interrupted it, is in an epoch. Preemption off.
static inline bool epoch_is_entered(void) {
    return (thread_current()->preempt_off & PREEMPT_EPOCHS) != 0;
}
// Takes the item; `reclaim` runs after a grace period, in a kernel worker. Any context.
void epoch_retire(struct epoch_item *item, void (*reclaim)(struct epoch_item *item));
// The same, once all is reclaimed that was retired before, and what was retired in doing so: a
// chain of things that keep each other is gone, however long it takes. But not for ever: while
// others drop one chain after the other, `reclaim` runs after some thousand grace periods. Thread
// context.
void epoch_retire_last(struct epoch_item *item, void (*reclaim)(struct epoch_item *item));
// Waits for a grace period. Thread context.
void epoch_synchronize(void);
