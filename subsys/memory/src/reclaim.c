// SPDX-License-Identifier: MIT OR Apache-2.0
// reclaim.c: getting memory back from caches when frames run short.
#include "internal.h"

#include <core/epoch.h>

#define DROP_ROUNDS_MAX 16u // others may be giving back, too

static const struct lock_class reclaim_class = { "reclaim", LOCK_RANK_SLEEP_LAST, false };
static struct mutex reclaim_lock = { .lock_class = &reclaim_class };
static struct list shrinkers = LIST_INIT(shrinkers); // [reclaim_lock]

void shrinker_register(struct shrinker *shrinker) {
    mutex_lock(&reclaim_lock);
    list_push_back(&shrinkers, &shrinker->link);
    mutex_unlock(&reclaim_lock);
}

static void drain_processor(void *argument) {
    (void)argument;
    heap_drain();
    frames_drain();
}

void memory_drain_caches(void) {
    cpu_call(cpu_online_mask(), drain_processor, NULL);
    heap_trim();
    cpu_call(cpu_online_mask(), drain_processor, NULL);
}

void memory_drop_caches(void) {
    struct frame_stats stats;
    frame_stats(&stats);
    uint64_t before, objects = UINT64_MAX;
    uint32_t rounds = 0;
    do { // what was given back may have kept something else
        before = objects;
        mutex_lock(&reclaim_lock);
        list_for_each (link, &shrinkers) {
            struct shrinker *shrinker = LIST_ENTRY(link, struct shrinker, link);
            (void)shrinker->shrink(shrinker->context, stats.total);
        }
        mutex_unlock(&reclaim_lock); // the epoch's worker may need it
        epoch_synchronize();         // much is freed when nobody can be reading it any more
        memory_drain_caches();
        objects = heap_objects();
    } while (objects < before && ++rounds < DROP_ROUNDS_MAX);
}

uint64_t memory_reclaim(uint64_t want) {
    ASSERT(thread_current()->preempt_off == 0);
    uint64_t before = frames_free_pages();
    mutex_lock(&reclaim_lock);
    // Somebody else may have reclaimed while this thread waited for the lock.
    uint64_t now = frames_free_pages();
    if (now < before + want) {
        list_for_each (link, &shrinkers) {
            struct shrinker *shrinker = LIST_ENTRY(link, struct shrinker, link);
            if (shrinker->count(shrinker->context) > 0) {
                (void)shrinker->shrink(shrinker->context, want);
            }
        }
        memory_drain_caches();
        now = frames_free_pages();
    }
    mutex_unlock(&reclaim_lock);
    return now > before ? now - before : 0;
}
