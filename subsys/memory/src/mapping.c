// SPDX-License-Identifier: MIT OR Apache-2.0
// mapping.c: one mapping: its references, its place, splitting and joining.
//
// A mapping's borders are read by whoever holds its address space's lock, or the lock of its
// private object or of what it looks at (unmap.c, family.c), so they change with all of them held.
#include "private.h"

_Static_assert(offsetof(struct mapping, start) == offsetof(struct gap_node, start) &&
                   offsetof(struct mapping, gap_max) == offsetof(struct gap_node, gap_max),
               "a mapping is a gap node");

static struct heap_cache *mapping_cache;

struct mapping *mapping_alloc(void) {
    return heap_cache_alloc(mapping_cache, MEMORY_SLEEP);
}

void mapping_dealloc(struct mapping *mapping) {
    heap_cache_free(mapping_cache, mapping);
}

void mappings_init(void) {
    mapping_cache = heap_cache_create("mapping", sizeof(struct mapping), CACHE_LINE);
    if (mapping_cache == NULL) {
        panic("too little memory to start");
    }
}

struct object *mapping_file_get(struct object *file) {
    if (file != NULL) {
        object_get(file);
        if (file->type->mapped != NULL) {
            file->type->mapped(file, true);
        }
    }
    return file;
}

static void file_put(struct object *file) {
    if (file != NULL) {
        if (file->type->mapped != NULL) {
            file->type->mapped(file, false);
        }
        object_put(file);
    }
}

void mapping_copy(struct mapping *to, const struct mapping *from) {
    struct memory_object *object = mapping_object(from);
    to->start = from->start;
    to->end = from->end;
    to->guard = from->guard;
    list_init(&to->object_link);
    list_init(&to->private_link);
    to->aspace = from->aspace;
    to->protection = from->protection;
    to->protection_max = from->protection_max;
    to->flags = from->flags;
    to->object_page = from->object_page;
    atomic_init(&to->stale_page, atomic_load_explicit(&from->stale_page, memory_order_relaxed));
    to->label = from->label;
    atomic_init(&to->object, object != NULL ? memory_object_get(object) : NULL);
    to->file = mapping_file_get(from->file);
    to->under = from->under != NULL ? capability_get(from->under) : NULL;
}

void mapping_release(struct mapping *mapping) {
    struct memory_object *object = mapping_object(mapping);
    if (object != NULL) {
        memory_object_put(object);
    }
    file_put(mapping->file);
    if (mapping->under != NULL) {
        capability_put(mapping->under);
    }
    mapping_dealloc(mapping);
}

void mappings_release(struct list *gone) {
    list_for_each_safe (link, gone) {
        mapping_release(LIST_ENTRY(link, struct mapping, object_link));
    }
    list_init(gone);
}

void mapping_lock(const struct mapping *mapping) HX_ATTR(no_thread_safety_analysis) {
    struct memory_object *object = mapping_object(mapping);
    if (object == NULL) {
        return;
    }
    mutex_lock(&object->lock);
    if (object->backing != NULL) {
        mutex_lock(&object->backing->lock);
    }
}

void mapping_unlock(const struct mapping *mapping) HX_ATTR(no_thread_safety_analysis) {
    struct memory_object *object = mapping_object(mapping);
    if (object == NULL) {
        return;
    }
    if (object->backing != NULL) {
        mutex_unlock(&object->backing->lock);
    }
    mutex_unlock(&object->lock);
}

// Into the lists of what it looks at, which are locked.
static void link_locked(struct mapping *mapping) {
    struct memory_object *private = mapping_private(mapping);
    struct memory_object *below = mapping_below(mapping);
    if (private != NULL) {
        list_push_back(&private->mappings, &mapping->private_link);
    }
    if (below != NULL) {
        list_push_back(&below->mappings, &mapping->object_link);
    }
}

void mapping_unlink(struct mapping *mapping) {
    if (mapping_object(mapping) != NULL) {
        mapping_lock(mapping);
        list_remove(&mapping->private_link);
        list_remove(&mapping->object_link);
        mapping_unlock(mapping);
    }
}

static void insert(struct aspace *aspace, struct mapping *mapping) {
    mapping->aspace = aspace;
    gaps_insert(&aspace->mappings, &mapping->place);
    aspace->mapped_pages += mapping_pages(mapping);
    aspace->mapping_count++;
}

static void stale_copy(struct mapping *to, const struct mapping *from) {
    atomic_store_explicit(&to->stale_page,
                          atomic_load_explicit(&from->stale_page, memory_order_relaxed),
                          memory_order_relaxed);
}

void mapping_insert(struct aspace *aspace, struct mapping *mapping) {
    insert(aspace, mapping);
    if (mapping_object(mapping) != NULL) {
        mapping_lock(mapping);
        link_locked(mapping);
        mapping_unlock(mapping);
    }
}

void mapping_insert_copy(struct aspace *aspace, struct mapping *mapping,
                         const struct mapping *original) {
    insert(aspace, mapping);
    mapping_lock(mapping);
    stale_copy(mapping, original); // a cut since the copy was made marked only the original
    link_locked(mapping);
    mapping_unlock(mapping);
}

void mapping_remove(struct aspace *aspace, struct mapping *mapping) {
    mapping_unlink(mapping);
    gaps_remove(&aspace->mappings, &mapping->place);
    aspace->mapped_pages -= mapping_pages(mapping);
    aspace->mapping_count--;
}

// Borders and page; mapping_lock() is held.
static void resize_locked(struct aspace *aspace, struct mapping *mapping, uint64_t start,
                          uint64_t end) {
    aspace->mapped_pages -= mapping_pages(mapping);
    if (start >= mapping->start) {
        mapping->object_page += (start - mapping->start) >> PAGE_SHIFT;
    } else {
        uint64_t grown = (mapping->start - start) >> PAGE_SHIFT;
        // Without an object the pages have no numbers yet.
        mapping->object_page = mapping->object_page >= grown ? mapping->object_page - grown : 0;
    }
    gaps_resize(&aspace->mappings, &mapping->place, start, end);
    aspace->mapped_pages += mapping_pages(mapping);
}

void mapping_resize(struct aspace *aspace, struct mapping *mapping, uint64_t start, uint64_t end) {
    mapping_lock(mapping);
    resize_locked(aspace, mapping, start, end);
    mapping_unlock(mapping);
}

void mapping_split(struct aspace *aspace, struct mapping *mapping, uint64_t address,
                   struct mapping *upper) {
    mapping_copy(upper, mapping);
    upper->start = address;
    upper->guard = 0;
    upper->flags &= ~ASPACE_GROWSDOWN;
    upper->object_page += (address - mapping->start) >> PAGE_SHIFT;
    mapping_lock(mapping);
    resize_locked(aspace, mapping, mapping->start, address);
    insert(aspace, upper);
    stale_copy(upper, mapping); // a cut since the copy was made marked only the lower part
    link_locked(upper);
    mapping_unlock(mapping);
}

struct mapping *mapping_create_like(struct aspace *aspace, const struct mapping *model) {
    struct mapping *fresh = aspace->mapping_count < MAPPINGS_MAX ? mapping_alloc() : NULL;
    if (fresh == NULL) {
        return NULL;
    }
    mapping_copy(fresh, model);
    struct memory_object *private = mapping_private(fresh);
    if (private != NULL) {
        struct memory_object *below = private->backing;
        atomic_init(&fresh->object, below != NULL ? memory_object_get(below) : NULL);
        memory_object_put(private); // not the last one: the model keeps it
    }
    atomic_init(&fresh->stale_page, STALE_NONE);
    return fresh;
}

static enum hx_status isolate_at(struct aspace *aspace, uint64_t address) {
    struct mapping *mapping = mapping_find(aspace, address);
    if (mapping == NULL || mapping->start >= address) {
        return HX_OK;
    }
    struct mapping *upper = aspace->mapping_count < MAPPINGS_MAX ? mapping_alloc() : NULL;
    if (upper == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    mapping_split(aspace, mapping, address, upper);
    return HX_OK;
}

enum hx_status mapping_isolate(struct aspace *aspace, uint64_t start, uint64_t end) {
    enum hx_status status = isolate_at(aspace, start);
    if (status == HX_OK) {
        status = isolate_at(aspace, end);
        if (status != HX_OK) {
            mapping_merge_range(aspace, start, start); // undo the first split
        }
    }
    return status;
}

// Whether the pages of `upper` can be numbered on from those of `lower`.
static bool pages_continue(const struct mapping *lower, const struct mapping *upper) {
    struct memory_object *low = mapping_object(lower);
    struct memory_object *high = mapping_object(upper);
    uint64_t pages = mapping_pages(lower);
    if (low == high) {
        return low == NULL || lower->object_page + pages == upper->object_page;
    }
    // One is untouched anonymous memory; no other mapping reaches the other's private object, so
    // that the numbers are free.
    if (high == NULL && mapping_below(lower) == NULL) {
        return mapping_is_sole(lower);
    }
    if (low == NULL && mapping_below(upper) == NULL) {
        return upper->object_page >= pages && mapping_is_sole(upper);
    }
    return false;
}

// Whether they lie side by side and differ in nothing but their pages.
static bool akin(const struct mapping *lower, const struct mapping *upper) {
    return lower->end == upper->start && lower->protection == upper->protection &&
           lower->protection_max == upper->protection_max && lower->flags == upper->flags &&
           !(lower->flags & ASPACE_GROWSDOWN) && lower->file == upper->file &&
           lower->under == upper->under && lower->label == upper->label;
}

static bool alike(const struct mapping *lower, const struct mapping *upper) {
    return akin(lower, upper) && pages_continue(lower, upper) &&
           atomic_load_explicit(&lower->stale_page, memory_order_relaxed) ==
               atomic_load_explicit(&upper->stale_page, memory_order_relaxed);
}

bool mapping_goes_on(const struct mapping *lower, const struct mapping *upper) {
    const struct memory_object *below = mapping_below(lower);
    return akin(lower, upper) && below == mapping_below(upper) &&
           (below == NULL || mapping_page(lower, lower->end) == upper->object_page);
}

// `gone` leaves the tree and its lists, `kept` takes its place too. With mapping_lock() of `kept`
// held throughout (`gone` has the same objects or none), whoever undoes or counts translations
// finds every address in one of the two.
static void absorb(struct aspace *aspace, struct mapping *kept, struct mapping *gone) {
    uint64_t start = MIN_OF(kept->start, gone->start);
    uint64_t end = MAX_OF(kept->end, gone->end);
    uint64_t stale = MIN_OF(atomic_load_explicit(&kept->stale_page, memory_order_relaxed),
                            atomic_load_explicit(&gone->stale_page, memory_order_relaxed));
    atomic_store_explicit(&kept->stale_page, stale, memory_order_relaxed);
    list_remove(&gone->object_link);
    list_remove(&gone->private_link);
    gaps_remove(&aspace->mappings, &gone->place);
    aspace->mapped_pages -= mapping_pages(gone);
    aspace->mapping_count--;
    resize_locked(aspace, kept, start, end);
}

struct mapping *mapping_merge(struct aspace *aspace, struct mapping *mapping) {
    struct mapping *lower = mapping_previous(mapping);
    if (lower == NULL || !alike(lower, mapping)) {
        return mapping;
    }
    struct mapping *gone = mapping_object(lower) != NULL ? mapping : lower;
    struct mapping *kept = gone == lower ? mapping : lower;
    mapping_lock(kept);
    absorb(aspace, kept, gone);
    mapping_unlock(kept);
    mapping_release(gone);
    return kept;
}

void mapping_merge_range(struct aspace *aspace, uint64_t start, uint64_t end) {
    struct mapping *mapping = mapping_find(aspace, start);
    while (mapping != NULL && mapping->start <= end) {
        mapping = mapping_next(mapping_merge(aspace, mapping));
    }
}

bool mapping_extend(struct aspace *aspace, struct mapping *lower, const struct mapping *model) {
    if (!alike(lower, model)) {
        return false;
    }
    mapping_resize(aspace, lower, lower->start, model->end);
    return true;
}

enum hx_status mapping_make_private(struct mapping *mapping) {
    struct aspace *aspace = mapping->aspace;
    struct memory_object *object = mapping_object(mapping);
    if (object != NULL && object->kind == MEMORY_PRIVATE) {
        return HX_OK;
    }
    struct memory_object *fresh = memory_object_create_private(aspace->account, object, 0);
    if (fresh == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    spin_lock(&aspace->table_lock);
    bool mine = mapping_object(mapping) == object;
    if (mine) {
        list_push_back(&fresh->mappings, &mapping->private_link); // nobody else knows it yet
        atomic_store_explicit(&mapping->object, fresh, memory_order_release);
    }
    spin_unlock(&aspace->table_lock);
    if (!mine) {
        memory_object_put(fresh);
    } else if (object != NULL) {
        memory_object_put(object); // not the last one: `fresh` keeps it
    }
    return HX_OK;
}
