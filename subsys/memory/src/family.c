// SPDX-License-Identifier: MIT OR Apache-2.0
// family.c: private objects that fork made from one another, and the way from a frame to each of
// its translations.
//
// A frame names the object that its family began with, and the page is the same in all members, so
// the walk asks each member for its page and, where it is the frame, the page tables of the
// mappings that reach the member. A private page is in as many members as share it; the members
// that no longer have it cost one look each.
#include "private.h"

static const struct lock_class family_class = { "memory family", LOCK_RANK_LEAF, false };

void family_init(struct memory_object *object) {
    object->family = object;
    list_init(&object->family_members);
    list_init(&object->family_link);
    list_push_back(&object->family_members, &object->family_link);
    atomic_init(&object->family_references, 1);
    spinlock_init(&object->family_lock, &family_class);
}

static void family_get(struct memory_object *family) {
    atomic_fetch_add_explicit(&family->family_references, 1, memory_order_relaxed);
}

static void family_put(struct memory_object *family) {
    if (atomic_fetch_sub_explicit(&family->family_references, 1, memory_order_acq_rel) == 1) {
        object_dealloc(family);
    }
}

void family_join(struct memory_object *clone, const struct memory_object *object) {
    struct memory_object *family = object->family;
    family_get(family);
    clone->family = family;
    list_remove(&clone->family_link);
    spin_lock(&family->family_lock);
    list_push_back(&family->family_members, &clone->family_link);
    spin_unlock(&family->family_lock);
}

void family_leave(struct memory_object *object) {
    struct memory_object *family = object->family;
    spin_lock(&family->family_lock);
    list_remove(&object->family_link);
    spin_unlock(&family->family_lock);
    if (object != family) {
        object_dealloc(object);
    }
    family_put(family);
}

// The first member behind `after` (NULL: of all) that is not dying, with a reference.
static struct memory_object *member_next(struct memory_object *family,
                                         const struct memory_object *after) {
    struct memory_object *found = NULL;
    spin_lock(&family->family_lock);
    const struct list *link = after != NULL ? after->family_link.next : family->family_members.next;
    for (; link != &family->family_members && found == NULL; link = link->next) {
        struct memory_object *member = LIST_ENTRY(link, struct memory_object, family_link);
        found = object_try_get(&member->object) ? member : NULL;
    }
    spin_unlock(&family->family_lock);
    return found;
}

// A translation keeps its mapping in the tree, and that the object that the frame is in: with the
// page table locked the family is there to be taken.
static bool home_at(const struct aspace *aspace, uint64_t address, struct frame_home *out_home) {
    struct paddr page;
    uint32_t flags;
    const struct frame *frame =
        hal_page_query(&aspace->core.table, address, &page, &flags) ? frame_of(page) : NULL;
    if (frame == NULL || frame->object == NULL) {
        return false;
    }
    struct memory_object *family = frame->object;
    bool dirty = family->kind == MEMORY_PRIVATE || (flags & HAL_MAP_DIRTY) ||
                 (atomic_load_explicit(&frame->flags, memory_order_relaxed) & FRAME_DIRTY);
    family_get(family);
    *out_home = (struct frame_home){ frame, family, frame->offset, flags, dirty };
    return true;
}

bool frame_home_next(struct aspace *aspace, uint64_t *address, uint64_t end,
                     struct frame_home *out_home) {
    bool found = false;
    for (uint64_t at = *address; at < end && !found; at += PAGE_SIZE) {
        spin_lock(&aspace->table_lock);
        at = hal_page_next(&aspace->core.table, at, end);
        found = at < end && home_at(aspace, at, out_home);
        spin_unlock(&aspace->table_lock);
        *address = at;
    }
    return found;
}

void frame_home_drop(struct frame_home *home) {
    family_put(home->family);
    home->family = NULL;
}

// The one address of a mapping at which the frame may be.
static void visit_mapping(const struct mapping *mapping, const struct frame_home *home,
                          const struct translation_visit *visit) {
    struct aspace *aspace = mapping->aspace;
    uint64_t index = home->page - mapping->object_page;
    if (home->page < mapping->object_page || index >= mapping_pages(mapping)) {
        return;
    }
    uint64_t address = mapping->start + (index << PAGE_SHIFT);
    struct paddr page;
    uint32_t flags;
    spin_lock(&aspace->table_lock);
    if (hal_page_query(&aspace->core.table, address, &page, &flags) &&
        page.value == frame_address(home->frame).value) {
        visit->each(visit->context, aspace, address);
    }
    spin_unlock(&aspace->table_lock);
}

static void visit_member(struct memory_object *member, const struct frame_home *home,
                         const struct translation_visit *visit) {
    mutex_lock(&member->lock);
    if (radix_get(&member->pages, home->page) == home->frame) {
        list_for_each (link, &member->mappings) {
            visit_mapping(member->kind == MEMORY_PRIVATE
                              ? LIST_ENTRY(link, struct mapping, private_link)
                              : LIST_ENTRY(link, struct mapping, object_link),
                          home, visit);
        }
    }
    mutex_unlock(&member->lock);
}

void frame_home_visit(const struct frame_home *home, const struct translation_visit *visit) {
    struct memory_object *member = member_next(home->family, NULL);
    while (member != NULL) {
        visit_member(member, home, visit);
        struct memory_object *next = member_next(home->family, member);
        memory_object_put(member);
        member = next;
    }
}
