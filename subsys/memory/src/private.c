// SPDX-License-Identifier: MIT OR Apache-2.0
// private.c: whole sets of pages at once: sharing all frames of a private object with a clone, and
// dropping all pages of a dying one. Both walk the nodes of the index (<lib/radix.h>) themselves:
// fork and exit spend their time here.
#include "private.h"

#include <lib/string.h>

// The bits of `present`, lowest first.
#define FOR_EACH_SLOT(slot, node)                                                                  \
    for (uint64_t bits_ = (node)->present, slot = 0;                                               \
         bits_ != 0 && (slot = (uint64_t)__builtin_ctzll(bits_), true); bits_ &= bits_ - 1)

static struct radix_node *node_allocate(void) {
    return object_radix_memory.allocate(NULL, sizeof(struct radix_node));
}

static void node_release(struct radix_node *node) {
    object_radix_memory.release(NULL, node, sizeof(struct radix_node));
}

// Drops the frames below a node of that many levels, and the nodes.
static void release_below(struct radix_node *node, unsigned levels) {
    FOR_EACH_SLOT(slot, node) {
        if (levels == 1) {
            frame_put(node->slots[slot]);
        } else {
            release_below(node->slots[slot], levels - 1);
        }
    }
    node_release(node);
}

void object_release_pages(struct memory_object *object) {
    if (object->pages.root == NULL) {
        return;
    }
    if (object->kind == MEMORY_PRIVATE) {
        release_below(object->pages.root, object->pages.height);
    } else {
        mutex_lock(&object->lock); // readers may still hold frames: they stop naming the object
        uint64_t page = 0;
        struct frame *frame = radix_next(&object->pages, 0, &page);
        for (; frame != NULL; frame = radix_next(&object->pages, page + 1, &page)) {
            frame->object = NULL;
        }
        mutex_unlock(&object->lock);
        release_below(object->pages.root, object->pages.height);
    }
    radix_init(&object->pages, &object_radix_memory);
    account_release(object->account, ACCOUNT_FRAMES, (int64_t)object->page_count);
    object->page_count = 0;
}

// Visits what lies in [first, end) below a node whose lowest index is `base`.
static void visit_below(const struct radix_node *node, unsigned levels, uint64_t base,
                        const struct pages_visit *visit) {
    unsigned shift = (levels - 1) * RADIX_BITS;
    FOR_EACH_SLOT(slot, node) {
        uint64_t low = base + (slot << shift);
        uint64_t high = low + (((uint64_t)1 << shift) - 1);
        if (high < visit->first || low >= visit->end) {
            continue;
        }
        if (levels == 1) {
            visit->each(visit->context, low, node->slots[slot]);
        } else {
            visit_below(node->slots[slot], levels - 1, low, visit);
        }
    }
}

void object_visit_locked(const struct memory_object *object, const struct pages_visit *visit) {
    if (object->pages.root != NULL) {
        visit_below(object->pages.root, object->pages.height, 0, visit);
    }
}

// A copy of the nodes, each frame with one more reference. NULL: no memory, nothing changed.
static struct radix_node *clone_below(const struct radix_node *from, unsigned levels) {
    struct radix_node *to = node_allocate();
    if (to == NULL) {
        return NULL;
    }
    to->present = 0;
    memset(to->slots, 0, sizeof to->slots);
    FOR_EACH_SLOT(slot, from) {
        void *value = from->slots[slot];
        if (levels == 1) {
            frame_get(value);
        } else {
            value = clone_below(value, levels - 1);
            if (value == NULL) {
                release_below(to, levels);
                return NULL;
            }
        }
        to->slots[slot] = value;
        to->present |= (uint64_t)1 << slot;
    }
    return to;
}

struct memory_object *private_clone(struct memory_object *object, struct account *account) {
    struct memory_object *clone =
        memory_object_create_private(account, object->backing, object->backing_offset);
    if (clone == NULL) {
        return NULL;
    }
    mutex_lock(&object->lock);
    if (object->page_count > 0) {
        if (account_charge(account, ACCOUNT_FRAMES, (int64_t)object->page_count) != HX_OK) {
            goto fail_unlock;
        }
        clone->pages.root = clone_below(object->pages.root, object->pages.height);
        if (clone->pages.root == NULL) {
            account_release(account, ACCOUNT_FRAMES, (int64_t)object->page_count);
            goto fail_unlock;
        }
        clone->pages.height = object->pages.height;
        clone->page_count = object->page_count;
    }
    family_join(clone, object);
    mutex_unlock(&object->lock);
    return clone;

fail_unlock:
    mutex_unlock(&object->lock);
    memory_object_put(clone);
    return NULL;
}
