// SPDX-License-Identifier: MIT OR Apache-2.0
// tally.c: adding up what a process keeps in memory.
#include "private.h"

#include <memory/tally.h>

void tally_begin(struct tally *tally, struct aspace *aspace) {
    static uint64_t last; // one thread at a time
    *tally = (struct tally){ .number = ++last, .aspace = aspace };
}

bool tally_meet(struct tally *tally, struct tally_mark *mark) {
    const bool is_first = mark->number != tally->number;
    mark->number = tally->number;
    return is_first;
}

void tally_later(struct tally *tally, struct tally_mark *mark, struct object *object) {
    mark->object = object_get(object);
    mark->next = tally->pending;
    tally->pending = mark;
}

static void tally_one(struct tally *tally, struct object *object) {
    if (object->type->tally != NULL) {
        object->type->tally(object, tally);
    }
}

void tally_object(struct tally *tally, struct object *object) {
    tally_one(tally, object);
    struct tally_mark *mark;
    while ((mark = tally->pending) != NULL) {
        struct object *inside = mark->object;
        tally->pending = mark->next;
        inside->type->tally_inside(inside, tally_one, tally);
        object_put(inside);
    }
}

// Translations of the object's frames in one range.
static uint64_t translations(struct aspace *aspace, const struct memory_object *object,
                             uint64_t start, uint64_t end) {
    struct hal_pagetable *table = &aspace->core.table;
    uint64_t count = 0;
    spin_lock(&aspace->table_lock);
    for (uint64_t at = hal_page_next(table, start, end); at < end;
         at = hal_page_next(table, at + PAGE_SIZE, end)) {
        struct paddr page;
        uint32_t flags;
        const struct frame *frame =
            hal_page_query(table, at, &page, &flags) ? frame_of(page) : NULL;
        count += frame != NULL && frame->object == object;
    }
    spin_unlock(&aspace->table_lock);
    return count;
}

void tally_memory(struct tally *tally, struct memory_object *memory) {
    uint64_t mapped = 0;
    if (!tally_meet(tally, &memory->tally)) {
        return;
    }
    mutex_lock(&memory->lock);
    list_for_each (link, &memory->mappings) {
        const struct mapping *mapping = LIST_ENTRY(link, struct mapping, object_link);
        if (mapping->aspace == tally->aspace) {
            mapped += translations(tally->aspace, memory, mapping->start, mapping->end);
        }
    }
    tally->pages += memory->page_count > mapped ? memory->page_count - mapped : 0;
    mutex_unlock(&memory->lock);
}
