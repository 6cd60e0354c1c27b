// SPDX-License-Identifier: MIT OR Apache-2.0
// private.h: what the files of subsys/memory share: objects, mappings, faults.
//
// Locks, outermost first: aspace.lock, a private object's lock, its backing's lock, table_lock,
// family_lock (nothing is taken inside it).
#pragma once

#include "gaps.h"
#include "internal.h"

#include <memory/aspace.h>
#include <memory/object.h>

#define ASPACE_LOWEST  0x10000ull         // nothing is mapped below (a null pointer with an offset)
#define ASPACE_GUARD   (256u * PAGE_SIZE) // kept free below a stack
#define ASPACE_LOW_END 0x80000000ull      // ASPACE_LOW_32 (MAP_32BIT) stays below
#define MAPPINGS_MAX   65530u             // of one address space
#define STALE_NONE     UINT64_MAX

void account_init(void);
void objects_init(void);
void paged_init(void);
void aspaces_init(void);
void mappings_init(void);

// ---- objects: object.c, pages.c, paged.c, unmap.c ----------------------------------------------

extern const struct radix_memory object_radix_memory;

// Pages behind the last byte of the object: the first one that must not be touched.
static inline uint64_t object_end_page(const struct memory_object *object) {
    uint64_t size = atomic_load_explicit(&object->size_bytes, memory_order_acquire);
    return size > UINT64_MAX - PAGE_MASK ? UINT64_MAX >> PAGE_SHIFT
                                         : (size + PAGE_MASK) >> PAGE_SHIFT;
}

// Puts a fresh frame at a hole; charges the account. Takes the frame on OK.
enum hx_status object_insert_locked(struct memory_object *object, uint64_t page,
                                    struct frame *frame) REQUIRES(object -> lock);
// The frame at `page` if it can be used at once; a plain object makes a zero page of a hole if
// `create`. NULL in *out_frame: a hole. HX_ERR_WOULD_BLOCK: object_wait_page() first, unlocked.
enum hx_status object_find_locked(struct memory_object *object, uint64_t page, bool create,
                                  struct frame **out_frame) REQUIRES(object -> lock);
// Reads a missing page of a paged object in, or waits until somebody else has. No lock held.
enum hx_status object_wait_page(struct memory_object *object, uint64_t page);
// Takes the pages of [first, end) out and drops their frames. Nothing maps them any more.
void object_remove_locked(struct memory_object *object, uint64_t first, uint64_t end)
    REQUIRES(object -> lock);
// Undoes translations of [first, end): those of the object's own frames, or (`all`) whatever the
// mappings of that range have, private copies included; those are marked stale.
void object_unmap_locked(struct memory_object *object, uint64_t first, uint64_t end, bool all)
    REQUIRES(object -> lock);

// A page for user memory: counted, zero or undefined. NULL: out of memory.
static inline struct frame *user_frame(bool zero) {
    return frame_alloc_use(MEMORY_SLEEP, zero, FRAME_USER);
}

// Frees the memory of an object, when its family has no more use for it.
void object_dealloc(struct memory_object *object);

// ---- families, from a frame to its translations: family.c --------------------------------------

// Makes a fresh object a family of its own.
void family_init(struct memory_object *object);
// Makes `clone`, which has given no frame its name yet, a member of the family of `object`.
void family_join(struct memory_object *clone, const struct memory_object *object);
// The last step of an object's death; its memory goes, now or with the family.
void family_leave(struct memory_object *object);

// Where a frame belongs. Only its place is held: the frame may leave it meanwhile.
struct frame_home {
    const struct frame *frame;    // only to be compared
    struct memory_object *family; // keeps its memory (family_references), not its pages
    uint64_t page;
    uint32_t flags; // HAL_MAP_… of the translation that showed it
    bool dirty;     // it differs from what it was read from, or has nothing behind it
};
// The home of the first frame that is translated at *address or above it; *address becomes where.
// False: none below `end`. What belongs to nobody (the zero page, devices) is passed over. No lock
// is needed; the address space must live.
bool frame_home_next(struct aspace *aspace, uint64_t *address, uint64_t end,
                     struct frame_home *out_home);
void frame_home_drop(struct frame_home *home);
// Calls `each` for each translation of the frame in any address space; with the locks held of the
// object that it is reached through and of the page table. Takes those one after the other, so
// what changes meanwhile may be missed or told twice. Thread context, no lock of memory's held.
struct translation_visit {
    void (*each)(void *context, struct aspace *aspace, uint64_t address);
    void *context;
};
void frame_home_visit(const struct frame_home *home, const struct translation_visit *visit);

// ---- private objects: private.c ----------------------------------------------------------------

// A clone that shares all frames, to be charged to `account`; NULL: no memory, or the limit.
struct memory_object *private_clone(struct memory_object *object, struct account *account);
// Calls `each` for the pages of [first, end) in order; it must not change the object.
struct pages_visit {
    uint64_t first, end;
    void (*each)(void *context, uint64_t page, struct frame *frame);
    void *context;
};
void object_visit_locked(const struct memory_object *object, const struct pages_visit *visit);
// Drops all pages of a dying object.
void object_release_pages(struct memory_object *object);

// ---- mappings: mapping.c -----------------------------------------------------------------------

static inline struct mapping *mapping_of(struct gap_node *node) {
    return node == NULL ? NULL : CONTAINER_OF(node, struct mapping, place);
}

static inline struct memory_object *mapping_object(const struct mapping *mapping) {
    return atomic_load_explicit(&mapping->object, memory_order_acquire);
}

// The file or plain object that the mapping looks at; NULL: anonymous memory.
static inline struct memory_object *mapping_below(const struct mapping *mapping) {
    struct memory_object *object = mapping_object(mapping);
    return object != NULL && object->kind == MEMORY_PRIVATE ? object->backing : object;
}

// The private object over it; NULL if nothing was written yet, or it is shared.
static inline struct memory_object *mapping_private(const struct mapping *mapping) {
    struct memory_object *object = mapping_object(mapping);
    return object != NULL && object->kind == MEMORY_PRIVATE ? object : NULL;
}

// Whether no other mapping reaches its private object. aspace.lock held: all of them are in one.
static inline bool mapping_is_sole(const struct mapping *mapping) {
    return mapping->private_link.next == mapping->private_link.previous;
}

// Whether the capability that it was made under was revoked.
static inline bool mapping_is_dead(const struct mapping *mapping) {
    return mapping->under != NULL && !capability_is_live(mapping->under);
}

static inline uint64_t mapping_page(const struct mapping *mapping, uint64_t address) {
    return mapping->object_page + ((address - mapping->start) >> PAGE_SHIFT);
}

static inline uint64_t mapping_pages(const struct mapping *mapping) {
    return (mapping->end - mapping->start) >> PAGE_SHIFT;
}

// What the processor may do through a mapping; `write` says whether stores are let through.
static inline uint32_t mapping_hal_flags(const struct mapping *mapping, bool write) {
    if ((mapping->protection & (ASPACE_READ | ASPACE_WRITE | ASPACE_EXECUTE)) == 0) {
        return 0;
    }
    return HAL_MAP_USER | HAL_MAP_READ |
           (write && (mapping->protection & ASPACE_WRITE) ? HAL_MAP_WRITE : 0) |
           (mapping->protection & ASPACE_EXECUTE ? HAL_MAP_EXECUTE : 0);
}

static inline struct mapping *mapping_find(struct aspace *aspace, uint64_t address) {
    return mapping_of(gaps_find(&aspace->mappings, address));
}
static inline struct mapping *mapping_next(struct mapping *mapping) {
    return mapping_of(gaps_next(&mapping->place));
}
static inline struct mapping *mapping_previous(struct mapping *mapping) {
    return mapping_of(gaps_previous(&mapping->place));
}

// An unlinked mapping; NULL: no memory.
struct mapping *mapping_alloc(void);
void mapping_dealloc(struct mapping *mapping);
// A reference on what a mapping shows (NULL is fine), which is told of it; gives its argument.
// mapping_release() does the opposite.
struct object *mapping_file_get(struct object *file);
// A copy of `from` with references of its own, in no tree and no list.
void mapping_copy(struct mapping *to, const struct mapping *from);
// Drops its references; it is in no tree and no list.
void mapping_release(struct mapping *mapping);
// The same for a list of them (object_link). No lock held.
void mappings_release(struct list *gone);
// Locks what reaches the mapping through a list: its private object and what it looks at. The
// mapping has the same object until mapping_unlock(): aspace.lock is held for writing.
void mapping_lock(const struct mapping *mapping);
void mapping_unlock(const struct mapping *mapping);
// Out of the lists of what it looks at.
void mapping_unlink(struct mapping *mapping);
// Into and out of the address space: tree, list, counters. aspace.lock held for writing.
void mapping_insert(struct aspace *aspace, struct mapping *mapping);
// The same for a copy of a mapping that is in the lists: no cut of the file passes between them.
void mapping_insert_copy(struct aspace *aspace, struct mapping *mapping,
                         const struct mapping *original);
void mapping_remove(struct aspace *aspace, struct mapping *mapping);
// Changes the borders, and the page at the start with them.
void mapping_resize(struct aspace *aspace, struct mapping *mapping, uint64_t start, uint64_t end);
// Makes `address` a border between two mappings: [.., address) stays in `mapping`, the rest goes to
// `upper`, which was allocated.
void mapping_split(struct aspace *aspace, struct mapping *mapping, uint64_t address,
                   struct mapping *upper);
// A mapping like `model` in whose place nothing was written yet, with references of its own, in no
// tree and no list. NULL: no memory, or too many mappings. aspace.lock held for writing.
struct mapping *mapping_create_like(struct aspace *aspace, const struct mapping *model);
// Whether a program takes the two for one mapping: `upper` begins where `lower` ends and shows what
// lies behind it. Pages of anonymous memory may have any numbers.
bool mapping_goes_on(const struct mapping *lower, const struct mapping *upper);
// Splits so that no mapping crosses `start` or `end`. HX_OK or HX_ERR_NO_MEMORY.
enum hx_status mapping_isolate(struct aspace *aspace, uint64_t start, uint64_t end);
// Joins `mapping` with its lower neighbour if they are alike; returns the one that remains.
struct mapping *mapping_merge(struct aspace *aspace, struct mapping *mapping);
// Lengthens `lower` up to the end of `model`, anonymous memory right above it that is in no tree,
// if the two are alike; false if not.
bool mapping_extend(struct aspace *aspace, struct mapping *lower, const struct mapping *model);
// Joins what can be joined around [start, end).
void mapping_merge_range(struct aspace *aspace, uint64_t start, uint64_t end);
// Gives the mapping a private object if it has none. Lock for reading is enough.
// HX_OK or HX_ERR_NO_MEMORY.
enum hx_status mapping_make_private(struct mapping *mapping);

// ---- translations: aspace.c --------------------------------------------------------------------

// Whoever undoes translations, or takes rights away, does it between these two, and nobody flushes
// in another way. What is gone from the table is used by other processors until it is flushed; who
// comes meanwhile and has nothing to undo must not take the page for unmapped. So the range is
// flushed if the caller undid something there (`any`), or if another thread has not come to the end
// of what it undid. Who found an entry gone has taken table_lock after the thread that undid it:
// it sees that one counted or (acquire, with the release by which it left) its flush over.
// The first: table_lock not held, or not dropped since the change. The second: not held, thread
// context, interrupts on; whatever keeps the range from being mapped again is still held.
static inline void aspace_undo_begin(struct aspace *aspace) {
    atomic_fetch_add_explicit(&aspace->undoing, 1, memory_order_relaxed); // table_lock orders it
}
static inline void aspace_undo_end(struct aspace *aspace, uint64_t start, uint64_t end, bool any) {
    if (any || atomic_load_explicit(&aspace->undoing, memory_order_acquire) > 1) {
        core_aspace_flush(&aspace->core, start, (end - start) >> PAGE_SHIFT);
    }
    const uint32_t before = atomic_fetch_sub_explicit(&aspace->undoing, 1, memory_order_release);
    ASSERT(before != 0);
}
// Undoes all translations of [start, end); returns whether there were any. In between the two.
bool aspace_zap(struct aspace *aspace, uint64_t start, uint64_t end);
// The same with both: nobody uses a translation of the range any more.
void aspace_zap_flush(struct aspace *aspace, uint64_t start, uint64_t end);
// Charges what its tables have grown by; HX_OK or HX_ERR_LIMIT.
enum hx_status aspace_charge_tables(struct aspace *aspace) REQUIRES(aspace -> table_lock);
// hal_page_map() for one page; its account pays for the tables. Not before they are made, when
// nobody knows how many it takes, but before more are: what one page took is not paid for.
static inline enum hx_status aspace_map_page(struct aspace *aspace, uint64_t address,
                                             struct paddr page, uint32_t flags)
    REQUIRES(aspace -> table_lock) {
    if (__builtin_expect(aspace->core.table.pages != aspace_table_pages(aspace), 0)) {
        enum hx_status status = aspace_charge_tables(aspace);
        if (status != HX_OK) {
            return status;
        }
    }
    return hal_page_map(&aspace->core.table, address, page, PAGE_SHIFT, flags);
}
static inline void resident_add(struct aspace *aspace, int64_t pages) { // [table_lock]
    uint64_t now = atomic_load_explicit(&aspace->resident_pages, memory_order_relaxed);
    atomic_store_explicit(&aspace->resident_pages, now + (uint64_t)pages, memory_order_relaxed);
}

// ---- changing mappings: map.c ------------------------------------------------------------------

// Unmaps [start, end), page aligned, lock held for writing. HX_OK or HX_ERR_NO_MEMORY. The mappings
// go to `gone`, for mappings_release() when the lock is dropped: a file's last reference may go.
enum hx_status unmap_locked(struct aspace *aspace, uint64_t start, uint64_t end, struct list *gone);
// Whether [address, address + size_bytes) can be the user's; *out_end is rounded up to pages.
bool range_valid(uint64_t address, uint64_t size_bytes, uint64_t *out_end);
// Highest free place; false: none.
bool place_find(struct aspace *aspace, uint64_t size, uint32_t flags, uint64_t *out_address);
// Drops the private pages of [start, end) inside one mapping, untranslated already.
void private_drop(struct mapping *mapping, uint64_t start, uint64_t end);

// ---- faults: fault.c ---------------------------------------------------------------------------

#define FAULT_FORCE  (1u << 8) // access beyond the protection: a debugger's
#define FAULT_BORROW (1u << 9) // for a device, which no revocation would stop

// Resolves one page as a fault does. With `out_frame`, gives the frame with a reference (the zero
// page for a hole). Lock not held.
enum hx_status fault_page(struct aspace *aspace, uint64_t address, uint32_t access,
                          struct frame **out_frame);
