// SPDX-License-Identifier: MIT OR Apache-2.0
// map.c: making and removing mappings.
#include "private.h"

#include <core/thread.h>

bool range_valid(uint64_t address, uint64_t size_bytes, uint64_t *out_end) {
    if (address & PAGE_MASK || address >= HAL_USER_END || size_bytes > HAL_USER_END - address) {
        return false;
    }
    *out_end = ALIGN_UP(address + size_bytes, (uint64_t)PAGE_SIZE);
    return *out_end <= HAL_USER_END;
}

bool place_find(struct aspace *aspace, uint64_t size, uint32_t flags, uint64_t *out_address) {
    const struct rbtree *tree = &aspace->mappings;
    if (flags & ASPACE_LOW_32) {
        return gaps_find_top_down(tree, size, ASPACE_LOWEST, ASPACE_LOW_END, out_address);
    }
    uint64_t base = MIN_OF(aspace->map_base, HAL_USER_LAYOUT_END);
    return gaps_find_top_down(tree, size, ASPACE_LOWEST, base, out_address) ||
           gaps_find_top_down(tree, size, ASPACE_LOWEST, HAL_USER_LAYOUT_END, out_address);
}

// Whether [start, start + size) is free, guards of stacks above included.
static bool place_is_free(struct aspace *aspace, uint64_t start, uint64_t size) {
    const struct mapping *above = mapping_find(aspace, start);
    return above == NULL || start + size + above->guard <= above->start;
}

void private_drop(struct mapping *mapping, uint64_t start, uint64_t end) {
    struct memory_object *object = mapping_private(mapping);
    if (object != NULL) {
        mutex_lock(&object->lock);
        object_remove_locked(object, mapping_page(mapping, start), mapping_page(mapping, end));
        mutex_unlock(&object->lock);
    }
}

enum hx_status unmap_locked(struct aspace *aspace, uint64_t start, uint64_t end,
                            struct list *gone) {
    struct mapping *mapping = mapping_find(aspace, start);
    if (mapping == NULL || mapping->start >= end) {
        return HX_OK;
    }
    if (mapping->start < start || mapping->end > end || mapping_next(mapping) != NULL) {
        enum hx_status status = mapping_isolate(aspace, start, end);
        if (status != HX_OK) {
            return status;
        }
        mapping = mapping_find(aspace, start);
    }
    aspace_zap_flush(aspace, start, end);
    while (mapping != NULL && mapping->start < end) {
        struct mapping *next = mapping_next(mapping);
        struct memory_object *object = mapping_private(mapping);
        if (object != NULL &&
            atomic_load_explicit(&object->object.references, memory_order_acquire) > 1) {
            private_drop(mapping, mapping->start, mapping->end);
        }
        mapping_remove(aspace, mapping);
        list_push_back(gone, &mapping->object_link);
        mapping = next;
    }
    return HX_OK;
}

enum hx_status aspace_unmap(struct aspace *aspace, struct uaddr address, uint64_t size_bytes) {
    uint64_t end;
    if (size_bytes == 0 || !range_valid(address.value, size_bytes, &end)) {
        return HX_ERR_INVALID;
    }
    struct list gone = LIST_INIT(gone);
    rwlock_write(&aspace->lock);
    enum hx_status status = unmap_locked(aspace, address.value, end, &gone);
    rwlock_write_done(&aspace->lock);
    mappings_release(&gone);
    return status;
}

static enum hx_status check(const struct aspace_map_request *request, uint64_t *out_size) {
    const uint32_t all = ASPACE_READ | ASPACE_WRITE | ASPACE_EXECUTE;
    uint64_t size = request->size_bytes;
    if (size == 0 || size > HAL_USER_END || (request->protection & ~all) != 0) {
        return size > HAL_USER_END ? HX_ERR_NO_MEMORY : HX_ERR_INVALID;
    }
    size = ALIGN_UP(size, (uint64_t)PAGE_SIZE);
    uint32_t most = request->protection_max != 0 ? request->protection_max : all;
    bool wx = (request->protection & ASPACE_WRITE) && (request->protection & ASPACE_EXECUTE);
    if (wx || (request->protection & ~most) != 0) {
        return HX_ERR_ACCESS_DENIED;
    }
    if (request->object_page > (UINT64_MAX >> PAGE_SHIFT) - (size >> PAGE_SHIFT)) {
        return HX_ERR_INVALID;
    }
    const struct memory_object *object = request->object;
    if (object != NULL && (object->kind == MEMORY_PRIVATE ||
                           (object->kind == MEMORY_DEVICE && !(request->flags & ASPACE_SHARED)))) {
        return HX_ERR_INVALID;
    }
    *out_size = size;
    return HX_OK;
}

// Where it goes. With FIXED, what is there is still there.
static enum hx_status choose_place(struct aspace *aspace, const struct aspace_map_request *request,
                                   uint64_t size, uint64_t *out_start) {
    uint64_t hint = request->hint.value;
    uint64_t end;
    if (request->flags & ASPACE_FIXED) {
        if (!range_valid(hint, size, &end)) {
            return hint & PAGE_MASK ? HX_ERR_INVALID : HX_ERR_NO_MEMORY;
        }
        if (hint < ASPACE_LOWEST) {
            return HX_ERR_ACCESS_DENIED;
        }
        if (request->flags & ASPACE_NOREPLACE) {
            const struct mapping *there = mapping_find(aspace, hint);
            if (there != NULL && there->start < end) {
                return HX_ERR_EXISTS;
            }
        }
        *out_start = hint;
        return HX_OK;
    }
    hint = ALIGN_DOWN(hint, (uint64_t)PAGE_SIZE);
    if (hint >= ASPACE_LOWEST && range_valid(hint, size, &end) &&
        (!(request->flags & ASPACE_LOW_32) || end <= ASPACE_LOW_END) &&
        place_is_free(aspace, hint, size)) {
        *out_start = hint;
        return HX_OK;
    }
    return place_find(aspace, size, request->flags, out_start) ? HX_OK : HX_ERR_NO_MEMORY;
}

// Page number of the first page: anonymous stacks leave room to grow downward.
static uint64_t first_page(const struct aspace *aspace, const struct aspace_map_request *request,
                           uint64_t size) {
    if (request->object == NULL && (request->flags & ASPACE_GROWSDOWN)) {
        uint64_t most = MIN_OF(aspace->stack_limit_bytes >> PAGE_SHIFT, (uint64_t)1 << 32);
        most = MAX_OF(most, (uint64_t)RADIX_SLOTS * RADIX_SLOTS - 1);
        return most > size >> PAGE_SHIFT ? most - (size >> PAGE_SHIFT) : 0;
    }
    return request->object != NULL ? request->object_page : 0;
}

static void fill(struct mapping *mapping, struct aspace *aspace,
                 const struct aspace_map_request *request, uint64_t start, uint64_t size) {
    const uint32_t kept = ASPACE_SHARED | ASPACE_GROWSDOWN | ASPACE_NO_FORK | ASPACE_WIPE_FORK;
    mapping->start = start;
    mapping->end = start + size;
    mapping->guard = request->flags & ASPACE_GROWSDOWN ? ASPACE_GUARD : 0;
    list_init(&mapping->object_link);
    list_init(&mapping->private_link);
    mapping->aspace = aspace;
    mapping->protection = request->protection;
    mapping->protection_max = request->protection_max != 0
                                  ? request->protection_max
                                  : ASPACE_READ | ASPACE_WRITE | ASPACE_EXECUTE;
    mapping->flags = request->flags & kept;
    mapping->object_page = first_page(aspace, request, size);
    atomic_init(&mapping->stale_page, STALE_NONE);
    mapping->label = request->label;
    mapping->file = mapping_file_get(request->file);
    const bool derived = request->under != NULL && request->under->parent != NULL;
    mapping->under = derived ? capability_get(request->under) : NULL;
    atomic_init(&mapping->object,
                request->object != NULL ? memory_object_get(request->object) : NULL);
}

// Lengthens the mapping right below instead of making one: a growing heap stays one mapping.
static bool extend_below(struct aspace *aspace, const struct aspace_map_request *request,
                         uint64_t start, uint64_t size) {
    if (request->object != NULL || request->file != NULL || request->under != NULL ||
        (request->flags & (ASPACE_SHARED | ASPACE_GROWSDOWN))) {
        return false;
    }
    struct mapping *lower = mapping_find(aspace, start - 1);
    if (lower == NULL || lower->end != start) {
        return false;
    }
    struct mapping model;
    fill(&model, aspace, request, start, size);
    return mapping_extend(aspace, lower, &model);
}

// The object of shared anonymous memory; otherwise what the request names.
static enum hx_status shared_object(struct aspace *aspace, const struct aspace_map_request *request,
                                    struct mapping *mapping) {
    if (request->object != NULL || !(request->flags & ASPACE_SHARED)) {
        return HX_OK;
    }
    struct memory_object *object = memory_object_create_plain(aspace->account, UINT64_MAX);
    if (object == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    atomic_init(&mapping->object, object);
    return HX_OK;
}

static enum hx_status map_locked(struct aspace *aspace, const struct aspace_map_request *request,
                                 uint64_t size, uint64_t *out_start, struct list *gone) {
    enum hx_status status = choose_place(aspace, request, size, out_start);
    if (status != HX_OK) {
        return status;
    }
    uint64_t start = *out_start;
    if (aspace->mapped_pages + (size >> PAGE_SHIFT) > aspace->limit_pages) {
        return HX_ERR_NO_MEMORY;
    }
    const struct mapping *there = mapping_find(aspace, start);
    bool replaces = there != NULL && there->start < start + size;
    if (!replaces && extend_below(aspace, request, start, size)) {
        return HX_OK;
    }
    struct mapping *mapping = aspace->mapping_count < MAPPINGS_MAX ? mapping_alloc() : NULL;
    if (mapping == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    fill(mapping, aspace, request, start, size);
    status = shared_object(aspace, request, mapping);
    if (status == HX_OK && replaces) {
        status = unmap_locked(aspace, start, start + size, gone);
    }
    if (status != HX_OK) {
        mapping_release(mapping);
        return status;
    }
    mapping_insert(aspace, mapping);
    if (replaces) {
        (void)mapping_merge(aspace, mapping);
    }
    return HX_OK;
}

// As far as it goes: a page that cannot be had now faults later. A kill ends it, for the range may
// take minutes.
static void populate(struct aspace *aspace, uint64_t start, uint64_t size, uint32_t protection) {
    uint32_t access = protection & ASPACE_WRITE  ? ASPACE_WRITE
                      : protection & ASPACE_READ ? ASPACE_READ
                                                 : ASPACE_EXECUTE;
    for (uint64_t at = start; at < start + size; at += PAGE_SIZE) {
        if ((thread_attention(thread_current()) & THREAD_KILL) != 0 ||
            fault_page(aspace, at, access, NULL) != HX_OK) {
            break;
        }
    }
}

enum hx_status aspace_map(struct aspace *aspace, const struct aspace_map_request *request,
                          struct uaddr *out_address) {
    uint64_t size;
    uint64_t start;
    enum hx_status status = check(request, &size);
    if (status != HX_OK) {
        return status;
    }
    struct list gone = LIST_INIT(gone);
    rwlock_write(&aspace->lock);
    status = map_locked(aspace, request, size, &start, &gone);
    rwlock_write_done(&aspace->lock);
    mappings_release(&gone);
    if (status != HX_OK) {
        return status;
    }
    if ((request->flags & ASPACE_POPULATE) && request->protection != 0) {
        populate(aspace, start, size, request->protection);
    }
    *out_address = uaddr_make(start);
    return HX_OK;
}
