// SPDX-License-Identifier: MIT OR Apache-2.0
// core/drop.c: freeing chains.
#include <core/drop.h>
#include <core/thread.h>

struct thread_drops {
    struct epoch_item *first; // to be freed
    uint32_t count;           // so far
};

void drop(struct epoch_item *item, void (*free)(struct epoch_item *item)) {
    struct thread *thread = thread_current();
    struct thread_drops *drops = thread->drops;
    if (drops != NULL && ++drops->count >= DROPS_MAX) {
        epoch_retire(item, free);
        return;
    }
    item->reclaim = free;
    if (drops != NULL) {
        item->next = drops->first;
        drops->first = item;
        return;
    }
    item->next = NULL;
    struct thread_drops mine = { .first = item };
    thread->drops = &mine;
    while ((item = mine.first) != NULL) {
        mine.first = item->next;
        item->reclaim(item);
    }
    thread->drops = NULL;
}
