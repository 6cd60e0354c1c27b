// SPDX-License-Identifier: MIT OR Apache-2.0
// <core/epoch.h>: one per-processor epoch mechanism for everything that is read without a lock.
//
// A reader enters (preemption off) and leaves; what a writer has unlinked is retired and reclaimed
// after every processor has left the epochs in which it could have been seen.
#pragma once

#include <helix/types.h>

struct epoch_item {
    struct epoch_item *next;
    void (*reclaim)(struct epoch_item *item); // thread context, may sleep
};

void epoch_enter(void);
void epoch_leave(void);
// Takes the item; `reclaim` runs after a grace period, in a kernel worker. Any context.
void epoch_retire(struct epoch_item *item, void (*reclaim)(struct epoch_item *item));
// The same, once all is reclaimed that was retired before, and what was retired in doing so: a
// chain of things that keep each other is gone, however long it takes. But not for ever: while
// others drop one chain after the other, `reclaim` runs after some thousand grace periods. Thread
// context.
void epoch_retire_last(struct epoch_item *item, void (*reclaim)(struct epoch_item *item));
// Waits for a grace period. Thread context.
void epoch_synchronize(void);
