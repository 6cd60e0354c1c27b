// SPDX-License-Identifier: MIT OR Apache-2.0
// access.c: looking at an address space from outside: its memory, its mappings, futex identities.
#include "private.h"

#include <lib/string.h>

#define LEND_BATCH 32u // pages under one lock

static enum hx_status copy_other(struct aspace *aspace, uint64_t address, void *memory,
                                 size_t size_bytes, bool write) {
    uint8_t *at = memory;
    if (address >= HAL_USER_END || size_bytes > HAL_USER_END - address) {
        return HX_ERR_BAD_ADDRESS;
    }
    while (size_bytes > 0) {
        size_t inside = address & PAGE_MASK;
        size_t length = MIN_OF(size_bytes, PAGE_SIZE - inside);
        struct frame *frame;
        enum hx_status status =
            fault_page(aspace, address, FAULT_FORCE | (write ? ASPACE_WRITE : ASPACE_READ), &frame);
        if (status != HX_OK) {
            return status;
        }
        uint8_t *data = (uint8_t *)frame_data(frame) + inside;
        if (write) {
            memcpy(data, at, length);
        } else {
            memcpy(at, data, length);
        }
        frame_put(frame);
        at += length;
        address += length;
        size_bytes -= length;
    }
    return HX_OK;
}

enum hx_status aspace_read_other(struct aspace *aspace, struct uaddr from, void *to,
                                 size_t size_bytes) {
    return copy_other(aspace, from.value, to, size_bytes, false);
}

enum hx_status aspace_write_other(struct aspace *aspace, struct uaddr to, const void *from,
                                  size_t size_bytes) {
    // NOLINTNEXTLINE(performance-no-int-to-ptr): only the qualifier goes
    return copy_other(aspace, to.value, (void *)(uintptr_t)from, size_bytes, true);
}

static bool is_device(const struct mapping *mapping) {
    const struct memory_object *object = mapping_object(mapping);
    return object != NULL && object->kind == MEMORY_DEVICE;
}

// Whether an own load or store there needs no fault, nor would be another thing for who looks from
// outside.
static bool is_plain(const struct mapping *mapping, uint64_t address) {
    return mapping != NULL && mapping->start <= address && mapping->under == NULL &&
           !is_device(mapping);
}

// Those that need no fault, up to the first one that does. How many. What is mapped has a reference
// as long as the table's lock is held.
static uint32_t lend_mapped(struct aspace *aspace, uint64_t address, uint32_t count,
                            uint32_t access, struct frame **out_frames) {
    const uint32_t wanted = access & ASPACE_WRITE ? HAL_MAP_READ | HAL_MAP_WRITE : HAL_MAP_READ;
    uint32_t lent = 0;
    rwlock_read(&aspace->lock);
    const struct mapping *mapping = mapping_find(aspace, address);
    if (is_plain(mapping, address)) {
        const uint64_t pages = (mapping->end - address) >> PAGE_SHIFT;
        struct paddr page;
        uint32_t flags;
        spin_lock(&aspace->table_lock);
        for (; lent < MIN_OF((uint64_t)count, pages); lent++, address += PAGE_SIZE) {
            if (!hal_page_query(&aspace->core.table, address, &page, &flags) ||
                (flags & wanted) != wanted || frame_of(page) == NULL) {
                break;
            }
            out_frames[lent] = frame_get(frame_of(page));
        }
        spin_unlock(&aspace->table_lock);
    }
    rwlock_read_done(&aspace->lock);
    return lent;
}

enum hx_status aspace_frames_lend(struct aspace *aspace, struct uaddr base, uint32_t count,
                                  uint32_t access, struct frame **out_frames) {
    const uint64_t size = (uint64_t)count << PAGE_SHIFT;
    if (base.value >= HAL_USER_END || size > HAL_USER_END - base.value) {
        return HX_ERR_BAD_ADDRESS;
    }
    for (uint32_t done = 0; done < count;) {
        const uint64_t at = base.value + ((uint64_t)done << PAGE_SHIFT);
        const uint32_t most = MIN_OF(count - done, LEND_BATCH);
        const uint32_t mapped = lend_mapped(aspace, at, most, access, out_frames + done);
        enum hx_status status = HX_OK;
        if (mapped == 0) {
            status = fault_page(aspace, at, access | FAULT_BORROW, &out_frames[done]);
        }
        if (status != HX_OK) {
            while (done > 0) {
                frame_put(out_frames[--done]);
            }
            return status;
        }
        done += MAX_OF(mapped, 1u);
    }
    return HX_OK;
}

// If the page is there, and may be written to if `write` says so. Who takes it out or makes it one
// to read alone (fork, a write back to its file) undoes the translation under the table's lock
// first, so what is copied under it is theirs as what a thread stores. A page that is written back
// is clean from then on: it is dirty again, as after the fault of a store.
static bool copy_mapped(struct aspace *aspace, uint64_t address, void *memory, size_t size_bytes,
                        bool write) {
    bool is_done = false;
    rwlock_read(&aspace->lock);
    if (is_plain(mapping_find(aspace, address), address)) {
        const uint32_t wanted = write ? HAL_MAP_READ | HAL_MAP_WRITE : HAL_MAP_READ;
        struct paddr page;
        uint32_t flags;
        spin_lock(&aspace->table_lock);
        struct frame *frame = NULL;
        if (hal_page_query(&aspace->core.table, address, &page, &flags) &&
            (flags & wanted) == wanted) {
            frame = frame_of(page);
        }
        if (frame != NULL) {
            uint8_t *data = (uint8_t *)frame_data(frame) + (address & PAGE_MASK);
            memcpy(write ? data : memory, write ? memory : data, size_bytes);
            is_done = true;
        }
        if (frame != NULL && write) {
            atomic_fetch_or_explicit(&frame->flags, FRAME_DIRTY, memory_order_relaxed);
        }
        spin_unlock(&aspace->table_lock);
    }
    rwlock_read_done(&aspace->lock);
    return is_done;
}

// A fault between two attempts may be in vain, if others take the page out again and again.
static enum hx_status copy_page(struct aspace *aspace, uint64_t address, void *memory,
                                size_t size_bytes, bool write) {
    if (address >= HAL_USER_END) {
        return HX_ERR_BAD_ADDRESS;
    }
    ASSERT(size_bytes <= PAGE_SIZE - (address & PAGE_MASK));
    enum hx_status status = HX_OK;
    while (status == HX_OK && !copy_mapped(aspace, address, memory, size_bytes, write)) {
        const uint32_t access = write ? ASPACE_WRITE : ASPACE_READ;
        struct frame *frame;
        status = fault_page(aspace, ALIGN_DOWN(address, (uint64_t)PAGE_SIZE), access | FAULT_BORROW,
                            &frame);
        if (status == HX_OK) {
            frame_put(frame);
        }
        if (status == HX_OK && (thread_attention(thread_current()) & THREAD_KILL) != 0) {
            status = HX_ERR_CANCELED;
        }
    }
    const bool is_theirs = status != HX_OK && status != HX_ERR_NO_MEMORY &&
                           status != HX_ERR_LIMIT && status != HX_ERR_CANCELED;
    return is_theirs ? HX_ERR_BAD_ADDRESS : status;
}

enum hx_status aspace_load(struct aspace *aspace, struct uaddr from, void *memory,
                           size_t size_bytes) {
    return copy_page(aspace, from.value, memory, size_bytes, false);
}

enum hx_status aspace_store(struct aspace *aspace, struct uaddr to, const void *memory,
                            size_t size_bytes) {
    // NOLINTNEXTLINE(performance-no-int-to-ptr): only the qualifier goes
    return copy_page(aspace, to.value, (void *)(uintptr_t)memory, size_bytes, true);
}

enum hx_status aspace_identify(struct aspace *aspace, struct uaddr address, bool *out_shared,
                               struct memory_object **out_object, uint64_t *out_offset) {
    if (address.value >= HAL_USER_END) {
        return HX_ERR_BAD_ADDRESS;
    }
    for (;;) {
        rwlock_read(&aspace->lock);
        struct mapping *mapping = mapping_find(aspace, address.value);
        if (mapping == NULL || mapping->start > address.value) {
            rwlock_read_done(&aspace->lock);
            return HX_ERR_BAD_ADDRESS;
        }
        struct memory_object *object = mapping_object(mapping);
        bool shared = (mapping->flags & ASPACE_SHARED) != 0;
        if (shared || (object != NULL && object->kind == MEMORY_PRIVATE)) {
            *out_shared = shared;
            *out_object = memory_object_get(object);
            *out_offset =
                (mapping_page(mapping, address.value) << PAGE_SHIFT) + (address.value & PAGE_MASK);
            rwlock_read_done(&aspace->lock);
            return HX_OK;
        }
        // Nothing was written yet: from now on it has a private object.
        enum hx_status status = mapping_make_private(mapping);
        rwlock_read_done(&aspace->lock);
        if (status != HX_OK) {
            return status;
        }
    }
}

static uint64_t count_resident(struct aspace *aspace, uint64_t start, uint64_t end) {
    uint64_t pages = 0;
    spin_lock(&aspace->table_lock);
    for (uint64_t at = hal_page_next(&aspace->core.table, start, end); at < end;
         at = hal_page_next(&aspace->core.table, at + PAGE_SIZE, end)) {
        struct paddr page;
        uint32_t flags;
        pages += hal_page_query(&aspace->core.table, at, &page, &flags);
    }
    spin_unlock(&aspace->table_lock);
    return pages;
}

static void count_one(void *context, struct aspace *aspace, uint64_t address) {
    uint64_t *count = context;
    (void)aspace, (void)address;
    (*count)++;
}

// How many translations show the frame. It may have left its home since it was seen: then one.
static uint64_t count_translations(const struct frame_home *home) {
    uint64_t count = 0;
    struct translation_visit visit = { count_one, &count };
    frame_home_visit(home, &visit);
    return MAX_OF(count, 1);
}

static void usage_add(struct aspace_usage *usage, const struct frame_home *home) {
    uint64_t sharers = count_translations(home);
    uint64_t share = ((uint64_t)PAGE_SIZE << ASPACE_SHARE_SHIFT) / sharers;
    bool anonymous = home->family->kind == MEMORY_PRIVATE;
    usage->pages[sharers > 1][home->dirty]++;
    usage->referenced_pages += (home->flags & HAL_MAP_ACCESSED) != 0;
    usage->anonymous_pages += anonymous;
    usage->share += share;
    usage->dirty_share += home->dirty ? share : 0;
    usage->anonymous_share += anonymous ? share : 0;
}

enum hx_status aspace_measure(struct aspace *aspace, uint64_t start, uint64_t end,
                              struct aspace_usage *usage) {
    struct frame_home home;
    for (uint64_t at = start; frame_home_next(aspace, &at, end, &home); at += PAGE_SIZE) {
        usage_add(usage, &home);
        frame_home_drop(&home);
        if ((thread_attention(thread_current()) & THREAD_KILL) != 0) {
            return HX_ERR_CANCELED; // each page may have thousands of translations
        }
    }
    return HX_OK;
}

bool aspace_next_mapping(struct aspace *aspace, uint64_t address, struct mapping_info *out_info) {
    rwlock_read(&aspace->lock);
    const struct mapping *mapping = mapping_find(aspace, address);
    if (mapping != NULL) {
        *out_info = (struct mapping_info){
            .start = mapping->start,
            .end = mapping->end,
            .offset_bytes = mapping_below(mapping) != NULL ? mapping->object_page << PAGE_SHIFT : 0,
            .protection = mapping->protection,
            .protection_max = mapping->protection_max,
            .flags = mapping->flags,
            .file = mapping->file != NULL ? object_get(mapping->file) : NULL,
            .label = mapping->label,
            .resident_pages = count_resident(aspace, mapping->start, mapping->end),
        };
    }
    rwlock_read_done(&aspace->lock);
    return mapping != NULL;
}

uint64_t aspace_virtual_pages(struct aspace *aspace) {
    rwlock_read(&aspace->lock);
    uint64_t pages = aspace->mapped_pages;
    rwlock_read_done(&aspace->lock);
    return pages;
}

uint64_t aspace_resident_pages(struct aspace *aspace) {
    return atomic_load_explicit(&aspace->resident_pages, memory_order_relaxed);
}
