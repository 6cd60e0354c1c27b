// SPDX-License-Identifier: MIT OR Apache-2.0
// runtime/kernel/names.c: names of modules and slots that outlive the packages that brought them.
//
// Whoever lists slots, or prints who has died, may have a name in hand when its module is unloaded.
// So each name is kept for good, once: as many as there ever were different ones.
#include "private.h"

#include <core/lock.h>
#include <lib/string.h>
#include <memory/heap.h>

struct kept {
    struct kept *next;
    char name[];
};

static const struct lock_class names_class = { "names of modules", LOCK_RANK_MODULE + 2, false };
static struct mutex names_lock = { .lock_class = &names_class };
static struct kept *all; // [names_lock]

static struct kept *find_locked(const char *name) {
    struct kept *kept = all;
    while (kept != NULL && strcmp(kept->name, name) != 0) {
        kept = kept->next;
    }
    return kept;
}

static struct kept *add_locked(const char *name) {
    const size_t bytes = strlen(name) + 1;
    struct kept *kept = heap_alloc(sizeof(*kept) + bytes, MEMORY_SLEEP);
    if (kept != NULL) {
        memcpy(kept->name, name, bytes);
        kept->next = all;
        all = kept;
    }
    return kept;
}

const char *name_keep(const char *name) {
    mutex_lock(&names_lock);
    struct kept *kept = find_locked(name);
    if (kept == NULL) {
        kept = add_locked(name);
    }
    mutex_unlock(&names_lock);
    return kept != NULL ? kept->name : NULL;
}
