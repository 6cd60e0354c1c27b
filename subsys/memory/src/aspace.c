// SPDX-License-Identifier: MIT OR Apache-2.0
// aspace.c: address spaces come and go; their translations; the fault handler's door.
#include "private.h"

#include <core/init.h>
#include <core/trace.h>

#define ZAP_BATCH 512u // pages for which preemption stays off

static const struct lock_class aspace_class = { "address space", LOCK_RANK_ASPACE, false };
static const struct lock_class table_class = { "page table", LOCK_RANK_PAGE_TABLE, true };
static struct heap_cache *aspace_cache;

// Undoes up to ZAP_BATCH translations from *address on.
static uint32_t zap_some(struct aspace *aspace, uint64_t *address, uint64_t end) {
    struct hal_pagetable *table = &aspace->core.table;
    uint32_t count = 0;
    spin_lock(&aspace->table_lock);
    uint64_t at = hal_page_next(table, *address, end);
    while (at < end && count < ZAP_BATCH) {
        struct paddr page;
        uint32_t flags;
        count += hal_page_unmap(table, at, &page, &flags);
        at = hal_page_next(table, at + PAGE_SIZE, end);
    }
    resident_add(aspace, -(int64_t)count);
    spin_unlock(&aspace->table_lock);
    *address = at;
    return count;
}

bool aspace_zap(struct aspace *aspace, uint64_t start, uint64_t end) {
    bool any = false;
    while (start < end) {
        any = zap_some(aspace, &start, end) > 0 || any;
    }
    return any;
}

void aspace_zap_flush(struct aspace *aspace, uint64_t start, uint64_t end) {
    aspace_undo_begin(aspace);
    const bool any = aspace_zap(aspace, start, end);
    aspace_undo_end(aspace, start, end, any);
}

// One by one: who is refused several has not found the account full.
NOINLINE enum hx_status aspace_charge_tables(struct aspace *aspace) {
    const uint64_t pages = aspace->core.table.pages;
    for (uint64_t paid = aspace_table_pages(aspace); paid < pages;) {
        enum hx_status status = account_charge(aspace->account, ACCOUNT_FRAMES, 1);
        if (status != HX_OK) {
            return status;
        }
        atomic_store_explicit(&aspace->table_pages, ++paid, memory_order_relaxed);
    }
    return HX_OK;
}

static void drop_below(struct rbnode *node, struct list *gone) {
    if (node == NULL) {
        return;
    }
    drop_below(node->left, gone); // a balanced tree: at most 32 deep
    drop_below(node->right, gone);
    struct mapping *mapping = RB_ENTRY(node, struct mapping, node);
    mapping_unlink(mapping);
    list_push_back(gone, &mapping->object_link);
}

// Takes all mappings out, to `gone`; nothing is translated any more, or nobody ever looks again.
static void drop_mappings(struct aspace *aspace, struct list *gone) {
    drop_below(aspace->mappings.root, gone);
    gaps_init(&aspace->mappings);
    aspace->mapped_pages = 0;
    aspace->mapping_count = 0;
}

void aspace_clear(struct aspace *aspace) {
    struct list gone = LIST_INIT(gone);
    rwlock_write(&aspace->lock);
    aspace_zap_flush(aspace, 0, HAL_USER_END);
    drop_mappings(aspace, &gone);
    rwlock_write_done(&aspace->lock);
    mappings_release(&gone);
}

static void aspace_destroy(struct object *object) {
    struct aspace *aspace = CONTAINER_OF(object, struct aspace, core.object);
    // Nobody runs in it, so no translation needs to be undone one by one.
    core_aspace_unload(&aspace->core);
    struct list gone = LIST_INIT(gone);
    drop_mappings(aspace, &gone);
    mappings_release(&gone);
    hal_pagetable_fini(&aspace->core.table);
    account_release(aspace->account, ACCOUNT_FRAMES, (int64_t)aspace_table_pages(aspace));
    object_put(&aspace->account->object);
    heap_cache_free(aspace_cache, aspace);
}

static const struct object_type aspace_type = { .kind = OBJECT_ASPACE,
                                                .name = "address space",
                                                .destroy = aspace_destroy };

struct aspace *aspace_create(struct account *account) {
    struct aspace *aspace = heap_cache_alloc(aspace_cache, MEMORY_SLEEP);
    if (aspace == NULL) {
        return NULL;
    }
    *aspace = (struct aspace){ 0 };
    if (hal_pagetable_init(&aspace->core.table) != HX_OK) {
        heap_cache_free(aspace_cache, aspace);
        return NULL;
    }
    object_init(&aspace->core.object, &aspace_type);
    rwlock_init(&aspace->lock, &aspace_class);
    spinlock_init(&aspace->table_lock, &table_class);
    gaps_init(&aspace->mappings);
    object_get(&account->object);
    aspace->account = account;
    aspace->limit_pages = UINT64_MAX;
    aspace->stack_limit_bytes = 8ull << 20;
    aspace->map_base = HAL_USER_LAYOUT_END - (16ull << 20) - ASPACE_GUARD;
    return aspace;
}

struct aspace *aspace_current(void) {
    struct core_aspace *core = thread_current()->aspace;
    return core != NULL ? CONTAINER_OF(core, struct aspace, core) : NULL;
}

static enum hx_status user_page(const struct hal_fault *fault) {
    struct aspace *aspace = aspace_current();
    if (aspace == NULL) {
        return HX_ERR_BAD_ADDRESS;
    }
    uint32_t access = fault->access & HAL_ACCESS_EXECUTE ? ASPACE_EXECUTE
                      : fault->access & HAL_ACCESS_WRITE ? ASPACE_WRITE
                                                         : ASPACE_READ;
    return aspace_fault(aspace, fault->address, access);
}

static const struct core_fault_ops fault_ops = { .user_page = user_page };

void aspaces_init(void) {
    aspace_cache = heap_cache_create("address_space", sizeof(struct aspace), CACHE_LINE);
    mappings_init();
    if (aspace_cache == NULL) {
        panic("too little memory to start");
    }
    core_fault_ops_set(&fault_ops);
}
