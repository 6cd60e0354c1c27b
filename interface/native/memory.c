// SPDX-License-Identifier: MIT OR Apache-2.0
// interface/native/memory.c: memory objects: zeroed pages that several processes may map.
//
// A mapping outlives the handle that it was made with, not its revocation. It is taken away with
// munmap(); mprotect() gives no more than the handle's rights at the time.
#include "native.h"

#include <memory/heap.h>

#define MEMORY_RIGHTS                                                                              \
    (HX_RIGHT_READ | HX_RIGHT_WRITE | HX_RIGHT_EXECUTE | HX_RIGHT_MAP | HX_RIGHT_ADMIN |           \
     HX_RIGHT_DELEGATE)

struct memory {
    struct object object;
    struct capability root;
    struct memory_object *pages; // keeps
    struct account *account;     // keeps; charged for one object
};

// NOLINTBEGIN(misc-redundant-expression): the two come from different headers
_Static_assert(HX_PROTECTION_READ == ASPACE_READ && HX_PROTECTION_WRITE == ASPACE_WRITE &&
                   HX_PROTECTION_EXECUTE == ASPACE_EXECUTE,
               "programs say it as address spaces do");
// NOLINTEND(misc-redundant-expression)

static struct memory *memory_of(struct object *object) {
    return CONTAINER_OF(object, struct memory, object);
}

static void memory_destroy(struct object *object) {
    struct memory *memory = memory_of(object);
    memory_object_put(memory->pages);
    account_release(memory->account, ACCOUNT_OBJECTS, 1);
    object_put(&memory->account->object);
    heap_free(memory);
}

static void memory_revoked(struct object *object) {
    memory_object_revoke(memory_of(object)->pages);
}

static void memory_tally(struct object *object, struct tally *tally) {
    tally_memory(tally, memory_of(object)->pages);
}

static const struct object_type memory_type = {
    .kind = OBJECT_MEMORY,
    .name = "memory",
    .destroy = memory_destroy,
    .revoked = memory_revoked,
    .tally = memory_tally,
};

// Charged by the caller. NULL: no memory.
static struct memory *memory_make(struct account *account, uint64_t size_bytes) {
    struct memory *memory = heap_alloc(sizeof(*memory), MEMORY_SLEEP);
    if (memory == NULL) {
        return NULL;
    }
    memory->pages = memory_object_create_plain(account, size_bytes);
    if (memory->pages == NULL) {
        heap_free(memory);
        return NULL;
    }
    object_init(&memory->object, &memory_type);
    capability_init_root(&memory->root, &memory->object, MEMORY_RIGHTS);
    object_get(&account->object);
    memory->account = account;
    return memory;
}

// Whole pages; 0: not a size.
static uint64_t size_of(uint64_t size) {
    return size <= HX_MEMORY_MAX ? ALIGN_UP(size, (uint64_t)PAGE_SIZE) : 0;
}

enum hx_status native_memory_create(uint64_t size, handle_t *out_memory) {
    struct account *account = process_current()->account;
    const uint64_t size_bytes = size_of(size);
    if (size_bytes == 0) {
        return HX_ERR_INVALID;
    }
    enum hx_status status = account_charge(account, ACCOUNT_OBJECTS, 1);
    if (status != HX_OK) {
        return status;
    }
    struct memory *memory = memory_make(account, size_bytes);
    if (memory == NULL) {
        account_release(account, ACCOUNT_OBJECTS, 1);
        return HX_ERR_NO_MEMORY;
    }
    return native_give(&memory->root, out_memory);
}

enum hx_status native_memory_resize(struct capability *memory, uint64_t size) {
    const uint64_t size_bytes = size_of(size);
    if (size_bytes == 0) {
        return HX_ERR_INVALID;
    }
    memory_object_truncate(memory_of(memory->object)->pages, size_bytes);
    return HX_OK;
}

static uint64_t size_now(const struct memory *memory) {
    return atomic_load_explicit(&memory->pages->size_bytes, memory_order_relaxed);
}

enum hx_status native_memory_size(struct capability *memory, uint64_t *out_size) {
    *out_size = size_now(memory_of(memory->object));
    return HX_OK;
}

// What a mapping under a handle with these rights may ever allow.
static uint32_t protection_of(rights_t rights) {
    return ((rights & HX_RIGHT_READ) != 0 ? ASPACE_READ : 0) |
           ((rights & HX_RIGHT_WRITE) != 0 ? ASPACE_WRITE : 0) |
           ((rights & HX_RIGHT_EXECUTE) != 0 ? ASPACE_EXECUTE : 0);
}

enum hx_status native_memory_map(struct capability *memory, uint64_t offset, uint64_t size,
                                 uint32_t protection, uint64_t *out_address) {
    struct memory *self = memory_of(memory->object);
    const uint32_t allowed = protection_of(capability_rights(memory));
    const uint64_t end = size_now(self); // it may become smaller at any time
    struct uaddr address;
    if (offset % PAGE_SIZE != 0 || size == 0 || offset >= end || size > end - offset ||
        (protection & ASPACE_READ) == 0) {
        return HX_ERR_INVALID;
    }
    if ((protection & ~allowed) != 0) {
        return HX_ERR_ACCESS_DENIED;
    }
    const struct aspace_map_request request = {
        .size_bytes = size,
        .protection = protection,
        .protection_max = allowed,
        .flags = ASPACE_SHARED | ASPACE_NO_FORK, // a child has no handle, either
        .object = self->pages,
        .object_page = offset / PAGE_SIZE,
        .under = memory,
        .label = "[memory]",
    };
    enum hx_status status = aspace_map(aspace_current(), &request, &address);
    if (status == HX_OK) {
        *out_address = address.value;
    }
    return status;
}
