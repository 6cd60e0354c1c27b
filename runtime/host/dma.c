// SPDX-License-Identifier: MIT OR Apache-2.0
// runtime/host/dma.c: memory that devices see. No address of theirs is one of this program, and a
// page lies between any two lendings, so that a device reaches what it was let and nothing beside
// it.
#include "private.h"

#include <lib/string.h>
#include <stdlib.h>

#define FIRST_ADDRESS UINT64_C(0x4000000000)
#define DMA_BYTES_MAX ((size_t)128 << 10)

struct lending {
    struct lending *next;
    const struct host_device *device;
    uint64_t address; // of the first page
    uint32_t access, count;
    bool is_alloc;
    bool is_scattered; // nobody translates: pages lie anywhere, each second one here
    uint8_t *pages[HX_DMA_PAGES_MAX];
};

static struct lending *lendings;
static uint64_t next_address = FIRST_ADDRESS;

static struct host_device *node_of(const struct hx_device *device) {
    if (device->node == NULL) {
        host_broken("a device is lent memory that was not opened");
    }
    return device->node;
}

static uint64_t address_of(const struct lending *lending, uint32_t page) {
    return lending->address + ((uint64_t)page << (PAGE_SHIFT + lending->is_scattered));
}

static struct lending *lend(const struct host_device *device, uint32_t access, uint32_t count) {
    struct lending *lending = calloc(1, sizeof(*lending));
    if (lending == NULL) {
        host_broken("this machine has no memory");
    }
    lending->device = device;
    lending->address = next_address;
    lending->access = access;
    lending->count = count;
    lending->next = lendings;
    lendings = lending;
    next_address += (uint64_t)(2 * count + 1) << PAGE_SHIFT;
    host.lent_pages += count;
    return lending;
}

static void take_back(struct lending **at) {
    struct lending *lending = *at;
    *at = lending->next;
    host.lent_pages -= lending->count;
    host.lendings -= !lending->is_alloc;
    free(lending);
}

static struct lending **find(const struct host_device *device, uint64_t address) {
    struct lending **at = &lendings;
    while (*at != NULL && ((*at)->device != device || (*at)->address != address)) {
        at = &(*at)->next;
    }
    return at;
}

void dma_reset(void) {
    while (lendings != NULL) {
        take_back(&lendings);
    }
}

// The page of a lending that has an address of the device.
static uint8_t *page_at(const struct host_device *device, uint64_t address, uint32_t access) {
    for (const struct lending *lending = lendings; lending != NULL; lending = lending->next) {
        for (uint32_t i = 0; i < lending->count; i++) {
            const uint64_t offset = address - address_of(lending, i);
            if (lending->device == device && offset < PAGE_SIZE) {
                return (lending->access & access) == access ? lending->pages[i] + offset : NULL;
            }
        }
    }
    return NULL;
}

void *host_dma_find(const struct host_device *device, uint64_t address, size_t size_bytes,
                    uint32_t access) {
    uint8_t *first = page_at(device, address, access);
    for (size_t at = PAGE_SIZE - (address & PAGE_MASK); first != NULL && at < size_bytes;
         at += PAGE_SIZE) {
        if (page_at(device, address + at, access) != first + at) {
            return NULL;
        }
    }
    return first;
}

void *host_dma_at(const struct host_device *device, uint64_t address, size_t size_bytes,
                  uint32_t access) {
    void *found = host_dma_find(device, address, size_bytes, access);
    if (found == NULL) {
        host_broken("the device %s goes to address %#lx, %zu bytes, where it was not let",
                    device->name, (unsigned long)address, size_bytes);
    }
    return found;
}

void *hx_dma_alloc(struct hx_env *env, const struct hx_device *device, size_t size_bytes,
                   uint64_t *out_address) {
    const struct host_device *node = node_of(device);
    may_sleep("hx_dma_alloc()");
    if (!env_is_granted(env, HX_CAPABILITY_DEVICES) || size_bytes == 0 ||
        size_bytes > DMA_BYTES_MAX) {
        return NULL;
    }
    uint8_t *memory = host.dma_left != 0 ? ledger_alloc(size_bytes, true) : NULL;
    if (memory == NULL) {
        return NULL;
    }
    host.dma_left--;
    struct lending *lending = lend(node, HX_DMA_READ | HX_DMA_WRITE,
                                   (uint32_t)(ALIGN_UP(size_bytes, PAGE_SIZE) >> PAGE_SHIFT));
    lending->is_alloc = true;
    for (uint32_t i = 0; i < lending->count; i++) {
        lending->pages[i] = memory + ((size_t)i << PAGE_SHIFT);
    }
    *out_address = lending->address;
    return memory;
}

// Memory that the device goes on to reach is nobody's; for the module it is gone.
void hx_dma_free(struct hx_env *env, const struct hx_device *device, void *memory,
                 uint64_t address) {
    struct lending **at = find(node_of(device), address);
    (void)env;
    may_sleep("hx_dma_free()");
    if (memory == NULL) {
        return;
    }
    if (*at == NULL || !(*at)->is_alloc || (*at)->pages[0] != memory) {
        host_broken("memory of a device is freed that is not, or by another address");
    }
    take_back(at);
    ledger_free(memory, true);
}

enum hx_status hx_dma_map(struct hx_env *env, const struct hx_device *device,
                          const void *const *pages, uint32_t count, uint32_t access,
                          uint64_t *out_addresses) {
    const struct host_device *node = node_of(device);
    may_sleep("hx_dma_map()");
    if (!env_is_granted(env, HX_CAPABILITY_DEVICES)) {
        return HX_ERR_ACCESS_DENIED;
    }
    if (node->refuses_dma || host.map_status != HX_OK) {
        return node->refuses_dma ? HX_ERR_NOT_SUPPORTED : host.map_status;
    }
    if (count == 0 || count > HX_DMA_PAGES_MAX || access == 0 ||
        (access & ~(HX_DMA_READ | HX_DMA_WRITE)) != 0) {
        return HX_ERR_INVALID;
    }
    if (fails_now()) {
        return HX_ERR_NO_MEMORY;
    }
    struct lending *lending = lend(node, access, count);
    lending->is_scattered = !node->is_bound;
    host.lendings++;
    host.lent_access = access;
    for (uint32_t i = 0; i < count; i++) {
        lending->pages[i] = (uint8_t *)pages[i];
        out_addresses[i] = address_of(lending, i);
    }
    return HX_OK;
}

enum hx_status hx_dma_unmap(struct hx_env *env, const struct hx_device *device,
                            const uint64_t *addresses, uint32_t count) {
    const struct host_device *node = node_of(device);
    (void)env;
    may_sleep("hx_dma_unmap()");
    for (uint32_t i = 0; i < count; i++) {
        const struct lending *lending = *find(node, addresses[i]);
        if (lending == NULL || lending->is_alloc) {
            return HX_ERR_INVALID;
        }
    }
    for (uint32_t i = 0; i < count && host.unmap_status == HX_OK; i++) {
        struct lending **at = find(node, addresses[i]);
        if (*at == NULL) {
            host_broken("a lending is ended twice");
        }
        take_back(at);
    }
    return host.unmap_status;
}

bool hx_dma_is_bound(const struct hx_device *device) {
    return node_of(device)->is_bound;
}

static bool is_in_page(size_t offset, size_t size_bytes) {
    return offset <= PAGE_SIZE && size_bytes <= PAGE_SIZE - offset;
}

enum hx_status hx_page_read(struct hx_env *env, const void *page, size_t offset, void *to,
                            size_t size_bytes) {
    (void)env;
    may_sleep("hx_page_read()");
    if (!is_in_page(offset, size_bytes)) {
        return HX_ERR_INVALID;
    }
    memcpy(to, (const uint8_t *)page + offset, size_bytes);
    return HX_OK;
}

enum hx_status hx_page_write(struct hx_env *env, void *page, size_t offset, const void *from,
                             size_t size_bytes) {
    (void)env;
    may_sleep("hx_page_write()");
    if (!is_in_page(offset, size_bytes)) {
        return HX_ERR_INVALID;
    }
    memcpy((uint8_t *)page + offset, from, size_bytes);
    return HX_OK;
}
