// SPDX-License-Identifier: MIT OR Apache-2.0
// object.c: memory objects come and go; their bytes as kernel memory sees them.
#include "private.h"

#include <lib/string.h>

static const struct lock_class private_class = { "private memory", LOCK_RANK_MEMORY_OBJECT, false };
static const struct lock_class object_class = { "memory object", LOCK_RANK_MEMORY_OBJECT + 1,
                                                false };

static struct heap_cache *object_cache;
static struct heap_cache *node_cache;

static void *node_allocate(void *context, size_t size_bytes) {
    (void)context, (void)size_bytes;
    return heap_cache_alloc(node_cache, MEMORY_SLEEP);
}

static void node_release(void *context, void *node, size_t size_bytes) {
    (void)context, (void)size_bytes;
    heap_cache_free(node_cache, node);
}

const struct radix_memory object_radix_memory = { node_allocate, node_release, NULL };

static void object_destroy(struct object *base) {
    struct memory_object *object = CONTAINER_OF(base, struct memory_object, object);
    ASSERT(list_is_empty(&object->mappings));
    object_release_pages(object);
    if (object->backing != NULL) {
        memory_object_put(object->backing);
    }
    object_put(&object->account->object);
    family_leave(object);
}

void object_dealloc(struct memory_object *object) {
    heap_cache_free(object_cache, object);
}

static const struct object_type memory_object_type = { .kind = OBJECT_MEMORY,
                                                       .name = "memory",
                                                       .destroy = object_destroy };

void objects_init(void) {
    object_cache = heap_cache_create("memory_object", sizeof(struct memory_object), CACHE_LINE);
    node_cache = heap_cache_create("page_index", sizeof(struct radix_node), 8);
    if (object_cache == NULL || node_cache == NULL) {
        panic("too little memory to start");
    }
    paged_init();
}

static struct memory_object *create(enum memory_object_kind kind, struct account *account,
                                    uint64_t size_bytes) {
    struct memory_object *object = heap_cache_alloc(object_cache, MEMORY_SLEEP);
    if (object == NULL) {
        return NULL;
    }
    object_init(&object->object, &memory_object_type);
    object->kind = kind;
    mutex_init(&object->lock, kind == MEMORY_PRIVATE ? &private_class : &object_class);
    radix_init(&object->pages, &object_radix_memory);
    object->page_count = 0;
    atomic_init(&object->size_bytes, size_bytes);
    atomic_init(&object->written, 0);
    list_init(&object->mappings);
    object->backing = NULL;
    object->backing_offset = 0;
    object->clone = NULL;
    family_init(object);
    object->pager = NULL;
    object->pager_context = NULL;
    object_get(&account->object);
    object->account = account;
    object->device_base = paddr_make(0);
    object->tally.number = 0;
    return object;
}

struct memory_object *memory_object_create_plain(struct account *account, uint64_t size_bytes) {
    return create(MEMORY_PLAIN, account, size_bytes);
}

struct memory_object *memory_object_create_paged(struct account *account, uint64_t size_bytes,
                                                 const struct pager_ops *pager, void *context) {
    struct memory_object *object = create(MEMORY_PAGED, account, size_bytes);
    if (object != NULL) {
        object->pager = pager;
        object->pager_context = context;
    }
    return object;
}

struct memory_object *memory_object_create_private(struct account *account,
                                                   struct memory_object *backing,
                                                   uint64_t backing_offset) {
    struct memory_object *object = create(MEMORY_PRIVATE, account, UINT64_MAX);
    if (object != NULL && backing != NULL) {
        object->backing = memory_object_get(backing);
        object->backing_offset = backing_offset;
    }
    return object;
}

struct memory_object *memory_object_create_device(struct account *account, struct paddr base,
                                                  uint64_t size_bytes) {
    struct memory_object *object = create(MEMORY_DEVICE, account, size_bytes);
    if (object != NULL) {
        object->device_base = base;
    }
    return object;
}

enum hx_status memory_object_read(struct memory_object *object, uint64_t offset, void *to,
                                  size_t size_bytes) {
    uint8_t *out = to;
    // A hole of a plain object stays one; a page of a file of a device is read.
    uint32_t flags = object->kind == MEMORY_PAGED ? MEMORY_GET_CREATE : 0;
    while (size_bytes > 0) {
        size_t inside = offset & PAGE_MASK;
        size_t length = MIN_OF(size_bytes, PAGE_SIZE - inside);
        struct frame *frame;
        enum hx_status status = memory_object_page(object, offset >> PAGE_SHIFT, flags, &frame);
        if (status == HX_OK) {
            memcpy(out, (const uint8_t *)frame_data(frame) + inside, length);
            frame_put(frame);
        } else if (status == HX_ERR_NOT_FOUND) {
            memset(out, 0, length);
        } else {
            return status;
        }
        out += length;
        offset += length;
        size_bytes -= length;
    }
    return HX_OK;
}

enum hx_status memory_object_write(struct memory_object *object, uint64_t offset, const void *from,
                                   size_t size_bytes) {
    const uint8_t *in = from;
    while (size_bytes > 0) {
        size_t inside = offset & PAGE_MASK;
        size_t length = MIN_OF(size_bytes, PAGE_SIZE - inside);
        struct frame *frame;
        enum hx_status status = memory_object_page(object, offset >> PAGE_SHIFT,
                                                   MEMORY_GET_CREATE | MEMORY_GET_WRITE, &frame);
        if (status != HX_OK) {
            return status;
        }
        memcpy((uint8_t *)frame_data(frame) + inside, in, length);
        frame_put(frame);
        in += length;
        offset += length;
        size_bytes -= length;
    }
    return HX_OK;
}

uint64_t memory_object_resident(struct memory_object *object) {
    mutex_lock(&object->lock);
    uint64_t pages = object->page_count;
    mutex_unlock(&object->lock);
    return pages;
}
