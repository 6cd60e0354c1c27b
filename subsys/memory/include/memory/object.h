// SPDX-License-Identifier: MIT OR Apache-2.0
// <memory/object.h>: memory objects: pages by offset, with or without a pager, and who maps them.
//
// Kinds:
//   plain    pages are zero until written (shared anonymous memory, ramfs's files): no pager
//   paged    pages come from a pager and go back to it (files of a device): `pager` is set
//   private  copy-on-write over a `backing` object (or over zeroes): what fork clones
//   device   frames at a fixed place, which devices use, too; whoever made it keeps them meanwhile
// A page table entry never holds a reference: a frame stays in its object while it is mapped, and
// leaves it only after every mapping of it was undone (memory_object_unmap_range(), copy-on-write).
// Fork clones a private object: both share the frames by reference, at the same offset, and are of
// one family. Each page of a private object is mapped by one mapping at most, the one that reaches
// the object; a file's `mappings` holds all that look at it, shared and private ones, whether a
// private object lies between or not.
// Lock: `lock` guards pages, mappings and size; it is taken inside an address space's lock and
// before its page-table lock. A backing's lock comes after its private object's.
// Family: a frame names the object that its family began with. That object's memory stays as long
// as the family has members, though the object itself may be gone. Any other kind of object is a
// family of its own.
#pragma once

#include <core/lock.h>
#include <core/object.h>
#include <core/wait.h>
#include <lib/list.h>
#include <lib/radix.h>
#include <memory/account.h>
#include <memory/frame.h>
#include <memory/tally.h>

struct mapping;

// What a pager does; a file system's page operations, behind subsys/vfs. Thread context, no lock of
// memory's held; pages are locked by being BUSY in the object.
struct pager_ops {
    enum hx_status (*read)(void *context, uint64_t first_page, struct frame *const *frames,
                           uint32_t count);
    enum hx_status (*write)(void *context, uint64_t first_page, struct frame *const *frames,
                            uint32_t count);
};

enum memory_object_kind { MEMORY_PLAIN, MEMORY_PAGED, MEMORY_PRIVATE, MEMORY_DEVICE };

struct memory_object {
    struct object object;
    enum memory_object_kind kind;
    struct mutex lock;
    struct radix pages;          // [lock] struct frame * by page offset
    uint64_t page_count;         // [lock]
    _Atomic uint64_t size_bytes; // end of file for file objects; UINT64_MAX for anonymous ones
    _Atomic time_ns_t written; // when a page last became writable in a mapping; 0: not since asked
    struct list mappings;      // [lock] struct mapping.object_link; private_link if private
    struct memory_object *backing;      // keeps; private objects over a file, else NULL
    uint64_t backing_offset;            // in pages: page i of this lies at backing_offset + i there
    struct memory_object *clone;        // while its address space is cloned: the child's
    struct memory_object *family;       // what its frames name: itself, or what it is a clone of
    struct list family_link;            // [family->family_lock]
    struct list family_members;         // [family_lock] of the first one; older ones come first
    _Atomic uint32_t family_references; // of the first one: members, and who looks at them
    struct spinlock family_lock;
    const struct pager_ops *pager;
    void *pager_context;
    struct account *account; // keeps; charged for each frame
    struct paddr device_base;
    struct tally_mark tally;
};

// One reference. NULL if there is no memory. The last put sleeps never, but takes time by the page.
struct memory_object *memory_object_create_plain(struct account *account, uint64_t size_bytes);
struct memory_object *memory_object_create_paged(struct account *account, uint64_t size_bytes,
                                                 const struct pager_ops *pager, void *context);
struct memory_object *memory_object_create_private(struct account *account,
                                                   struct memory_object *backing,
                                                   uint64_t backing_offset);
// Memory that a device uses, too: whole pages from `base` on, which the caller keeps until nothing
// is mapped any more. Mapped shared, as memory is.
struct memory_object *memory_object_create_device(struct account *account, struct paddr base,
                                                  uint64_t size_bytes);
static inline struct memory_object *memory_object_get(struct memory_object *object) {
    object_get(&object->object);
    return object;
}
static inline void memory_object_put(struct memory_object *object) {
    object_put(&object->object);
}

#define MEMORY_GET_CREATE (1u << 0) // make a page that is not there (zero, or from the pager)
#define MEMORY_GET_WRITE  (1u << 1) // the caller will write: mark dirty

// The frame at `page`, with a reference for the caller. Thread context.
// Returns HX_OK; HX_ERR_NOT_FOUND (a hole and no CREATE; reads see zeroes); HX_ERR_NO_MEMORY;
//         HX_ERR_LIMIT; HX_ERR_IO (the pager); HX_ERR_OVERFLOW (beyond what an object can hold)
enum hx_status memory_object_page(struct memory_object *object, uint64_t page, uint32_t flags,
                                  struct frame **out_frame);

// Copies between an object and kernel memory; holes read as zero; does not look at size_bytes.
enum hx_status memory_object_read(struct memory_object *object, uint64_t offset, void *to,
                                  size_t size_bytes);
enum hx_status memory_object_write(struct memory_object *object, uint64_t offset, const void *from,
                                   size_t size_bytes);

// Cuts or extends: pages at or beyond the new end are unmapped everywhere and freed, the tail of
// the last page is zeroed. Thread context.
void memory_object_truncate(struct memory_object *object, uint64_t size_bytes);
// Frees the pages of [first, first + count) (a punched hole), unmapped everywhere first.
void memory_object_drop(struct memory_object *object, uint64_t first, uint64_t count);
// Undoes all translations to the object's own pages of a range in every address space, with
// shoot-down. Private copies of a range stay. Not of private objects.
void memory_object_unmap_range(struct memory_object *object, uint64_t first, uint64_t count);
// Undoes all translations of mappings that were made under a capability that is revoked by now; no
// new ones come up there. Thread context.
void memory_object_revoke(struct memory_object *object);
// The processors (a mask) on which threads may run that reach the object's memory through a mapping
// and do not see what the caller stored before; all, if there are many mappings. Of plain objects
// and files. Thread context.
uint64_t memory_object_processors(struct memory_object *object);
// Writes the dirty pages of [first, first + count) back through the pager; they are clean then
// unless they are written again. HX_OK, HX_ERR_NO_MEMORY, HX_ERR_IO and what else the pager says.
enum hx_status memory_object_sync(struct memory_object *object, uint64_t first, uint64_t count);
// Pages that it holds now.
uint64_t memory_object_resident(struct memory_object *object);
