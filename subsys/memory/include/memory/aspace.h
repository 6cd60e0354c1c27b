// SPDX-License-Identifier: MIT OR Apache-2.0
// <memory/aspace.h>: user address spaces: mappings of memory objects, faults, fork's clone.
//
// `lock`: read for faults and look-ups, write for changes of the mappings. The page table has a
// spin lock of its own. W^X: a mapping is never writable and executable at once
// (HX_ERR_ACCESS_DENIED).
#pragma once

#include <core/aspace.h>
#include <core/capability.h>
#include <core/lock.h>
#include <lib/rbtree.h>
#include <memory/gap_node.h>
#include <memory/object.h>

#define ASPACE_READ    (1u << 0)
#define ASPACE_WRITE   (1u << 1)
#define ASPACE_EXECUTE (1u << 2)

#define ASPACE_SHARED    (1u << 4) // writes go to the object; else copy-on-write
#define ASPACE_FIXED     (1u << 5) // exactly there, replacing what is there
#define ASPACE_NOREPLACE (1u << 6) // with FIXED: HX_ERR_EXISTS instead of replacing
#define ASPACE_GROWSDOWN (1u << 7) // the main stack: grows to its limit on faults
#define ASPACE_POPULATE  (1u << 8)
#define ASPACE_NO_FORK   (1u << 9) // MADV_DONTFORK
#define ASPACE_WIPE_FORK                                                                           \
    (1u << 10) // MADV_WIPEONFORK; over an object: the child has the object's pages
#define ASPACE_LOW_32 (1u << 11)

struct mapping {
    union {
        struct gap_node place; // in aspace.mappings, by start
        struct {
            struct rbnode node;
            uint64_t start, end; // page aligned
            uint64_t guard;      // kept free below start
            uint64_t gap, gap_max;
        };
    };
    struct list object_link;  // in the list of the file or plain object that it looks at
    struct list private_link; // in the list of its private object
    struct aspace *aspace;
    uint32_t protection;     // ASPACE_READ | WRITE | EXECUTE
    uint32_t protection_max; // what mprotect may give
    uint32_t flags;          // ASPACE_SHARED, GROWSDOWN, …
    // Keeps; what pages come from. Not SHARED: the private object once something was written (over
    // the file, which is its backing), until then the file, or NULL: anonymous and untouched. The
    // change to the private object is made under table_lock; the page numbers are the same in both.
    _Atomic(struct memory_object *) object;
    uint64_t object_page;        // page of the object at `start`
    _Atomic uint64_t stale_page; // private copies from this page on lie behind a cut; UINT64_MAX
    struct object *file;         // keeps; the open file, for /proc/self/maps; NULL if anonymous
    // Keeps; the derived capability that it was made under. Once that is revoked, nothing is
    // mapped.
    struct capability *under;
    const char *label; // static: "[heap]", "[stack]", "[vdso]" or NULL
};

struct aspace {
    struct core_aspace core; // first
    struct rwlock lock;
    struct rbtree mappings;     // [lock]
    struct spinlock table_lock; // page-table entries
    struct account *account;    // keeps
    // Who refused a page last, of `account` and those above it; NULL: the machine had none. A hint:
    // threads that lack one at once do not know whose it is.
    _Atomic(struct account *) refused;
    _Atomic uint64_t table_pages;    // [table_lock] that `account` is charged for
    uint64_t mapped_pages;           // [lock] virtual size
    uint32_t mapping_count;          // [lock]
    _Atomic uint64_t resident_pages; // translations present
    _Atomic uint32_t undoing;        // threads that undo translations and have not flushed them yet
    uint64_t limit_pages;            // [lock] RLIMIT_AS
    uint64_t stack_limit_bytes;      // RLIMIT_STACK
    uint64_t map_base;               // top-down search starts below this
    _Atomic uint32_t processes;      // that it is the address space of
};

// An empty one; NULL if there is no memory. One reference, by object_put(&a->core.object).
struct aspace *aspace_create(struct account *account);
static inline struct aspace *aspace_get(struct aspace *aspace) {
    object_get(&aspace->core.object);
    return aspace;
}
static inline void aspace_put(struct aspace *aspace) {
    object_put(&aspace->core.object);
}
// The calling thread's, or NULL.
struct aspace *aspace_current(void);

struct aspace_map_request {
    struct uaddr hint;   // with FIXED: the address
    uint64_t size_bytes; // rounded up to pages
    uint32_t protection;
    uint32_t protection_max; // 0: all three
    uint32_t flags;
    struct memory_object *object; // borrows; NULL: anonymous memory
    uint64_t object_page;
    struct object *file;      // borrows; may be NULL
    struct capability *under; // borrows; for the object; NULL: nobody takes it back
    const char *label;        // static or NULL
};
// Maps. Private mappings of an object get a private object over it; shared anonymous ones a plain
// one. Returns HX_OK, HX_ERR_INVALID, HX_ERR_NO_MEMORY (also: no room, RLIMIT_AS),
// HX_ERR_EXISTS, HX_ERR_ACCESS_DENIED (W and X, or beyond protection_max).
enum hx_status aspace_map(struct aspace *aspace, const struct aspace_map_request *request,
                          struct uaddr *out_address);
// Unmaps whatever lies in the range, splitting mappings. HX_OK even if nothing did.
enum hx_status aspace_unmap(struct aspace *aspace, struct uaddr address, uint64_t size_bytes);
// HX_ERR_NO_MEMORY if part of the range is not mapped (as Linux says it).
enum hx_status aspace_protect(struct aspace *aspace, struct uaddr address, uint64_t size_bytes,
                              uint32_t protection);
#define ASPACE_REMAP_MOVE  (1u << 0) // it may move
#define ASPACE_REMAP_FIXED (1u << 1) // with MOVE: to *place, replacing what is there
#define ASPACE_REMAP_LEAVE (1u << 2) // with MOVE: the old place stays mapped, without its pages
// mremap: grows, shrinks or moves [address, address + old_bytes) with its pages. Mappings that
// differ in nothing but their pages count as one. HX_OK: *place is where it is now; else nothing
// changed. Returns HX_ERR_BAD_ADDRESS (not mapped, or in several ways; to shrink in place, the
// first page
//         counts), HX_ERR_INVALID (sizes, *place, old and new place overlap), HX_ERR_NO_MEMORY
//         (also: no room, RLIMIT_AS)
enum hx_status aspace_remap(struct aspace *aspace, struct uaddr address, uint64_t old_bytes,
                            uint64_t new_bytes, uint32_t flags, struct uaddr *place);
// Lends the frames of whole pages to a device that reads (ASPACE_READ) or writes them
// (ASPACE_WRITE): as a load or store finds each, with a reference for the caller. They are the
// pages of the program until it forks: then what the device writes may be the other one's, as on
// Linux. HX_OK: all; else none: some of it cannot be read or written, is no memory, or is mapped
// under a capability, whose revocation would not reach the device. Thread context.
enum hx_status aspace_frames_lend(struct aspace *aspace, struct uaddr base, uint32_t count,
                                  uint32_t access, struct frame **out_frames);
enum aspace_advice {
    ASPACE_ADVICE_DONTNEED,
    ASPACE_ADVICE_DONTFORK,
    ASPACE_ADVICE_DOFORK,
    ASPACE_ADVICE_WIPEONFORK,
    ASPACE_ADVICE_KEEPONFORK,
    ASPACE_ADVICE_POPULATE
};
enum hx_status aspace_advise(struct aspace *aspace, struct uaddr address, uint64_t size_bytes,
                             enum aspace_advice advice);
// fork: a copy-on-write clone, charged to `account`. NULL if there is no memory, or the account
// refuses (then nothing changed).
struct aspace *aspace_clone(struct aspace *aspace, struct account *account);
// Removes every mapping (exec of the last user, exit). Needs: nobody else runs in it.
void aspace_clear(struct aspace *aspace);

// Resolves a fault of the current thread. HX_OK: retry. HX_ERR_BAD_ADDRESS: nothing is mapped
// there (SIGSEGV, SEGV_MAPERR); HX_ERR_ACCESS_DENIED: mapped without this right (SEGV_ACCERR);
// HX_ERR_IO, HX_ERR_OVERFLOW: beyond the file's end or the pager failed (SIGBUS); HX_ERR_LIMIT: who
// is charged for the page has none left, which is not the address space's to mend (SIGBUS);
// HX_ERR_NO_MEMORY: out of memory, the machine's or that of aspace->refused.
enum hx_status aspace_fault(struct aspace *aspace, uint64_t address, uint32_t access);

// The page that a private mapping of `object` has at `address` in place of the object's page of
// that number, made if there is none, for the kernel to write what the program reads there. Gives a
// reference; while it is held the page is not the mapping's for good (see aspace_write_other()).
// HX_ERR_BAD_ADDRESS: something else is mapped there; HX_ERR_NO_MEMORY, HX_ERR_LIMIT.
enum hx_status aspace_own_page(struct aspace *aspace, struct uaddr address,
                               const struct memory_object *object, uint64_t page,
                               struct frame **out_frame);

// A stable identity of a word for shared futexes: the object and byte offset that `address` maps
// to (a reference on the object is given), faulting the page in for writing if private.
// HX_ERR_BAD_ADDRESS if it is not mapped.
enum hx_status aspace_identify(struct aspace *aspace, struct uaddr address, bool *out_shared,
                               struct memory_object **out_object, uint64_t *out_offset);

// Copies to or from another process's memory (ptrace, /proc/PID/cmdline). Thread context.
enum hx_status aspace_read_other(struct aspace *aspace, struct uaddr from, void *to,
                                 size_t size_bytes);
// Writing is for an address space that no thread runs in yet: a write fault on the same page at the
// same time would copy it (the reference here counts as a sharer), and the store could miss the
// copy.
enum hx_status aspace_write_other(struct aspace *aspace, struct uaddr to, const void *from,
                                  size_t size_bytes);

// Copies within one page from or to memory of an address space in which threads may run, with the
// rights of a load or store of theirs, and as one: what is written is in the page that they have,
// and goes to its file. HX_ERR_BAD_ADDRESS (also: no memory, or not theirs to load or store, or
// mapped under a capability), HX_ERR_NO_MEMORY, HX_ERR_LIMIT, HX_ERR_CANCELED (the caller is
// killed). Thread context; `memory` is the kernel's.
enum hx_status aspace_load(struct aspace *aspace, struct uaddr from, void *memory,
                           size_t size_bytes);
enum hx_status aspace_store(struct aspace *aspace, struct uaddr to, const void *memory,
                            size_t size_bytes);

// One mapping for /proc/PID/maps: the first one that ends above `address`. `file` has a reference
// for the caller. False if there is none.
struct mapping_info {
    uint64_t start, end, offset_bytes;
    uint32_t protection, protection_max, flags;
    struct object *file;
    const char *label;
    uint64_t resident_pages; // the zero page's included
};
bool aspace_next_mapping(struct aspace *aspace, uint64_t address, struct mapping_info *out_info);

// What is resident in a range, for /proc/PID/smaps. Frames that belong to nobody (the zero page,
// devices) do not count.
#define ASPACE_SHARE_SHIFT 12u // shares are in bytes << this: a page among three is no whole number
struct aspace_usage {
    uint64_t pages[2][2]; // [translated elsewhere, too][differs from what lies behind it]
    uint64_t referenced_pages, anonymous_pages;
    uint64_t share; // each page divided by the number of its translations
    uint64_t dirty_share, anonymous_share;
};
// Adds what [start, end) has to *usage. Takes no lock for long: what changes meanwhile is counted
// before or after the change. Thread context, no lock of memory's held. HX_OK; HX_ERR_CANCELED: the
// thread is to die.
enum hx_status aspace_measure(struct aspace *aspace, uint64_t start, uint64_t end,
                              struct aspace_usage *usage);
uint64_t aspace_virtual_pages(struct aspace *aspace);
uint64_t aspace_resident_pages(struct aspace *aspace);
// What its translations take themselves.
static inline uint64_t aspace_table_pages(struct aspace *aspace) {
    return atomic_load_explicit(&aspace->table_pages, memory_order_relaxed);
}
