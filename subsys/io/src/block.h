// SPDX-License-Identifier: MIT OR Apache-2.0
// block.h: disks, and what moves to and from them; for the files of this folder.
#pragma once

#include <core/lock.h>
#include <core/ports/block_calls.h>
#include <core/wait.h>
#include <io/block.h>
#include <lib/partition.h>
#include <memory/frame.h>

#define DISK_SLOTS     64u // parts that a disk has accepted and not completed
#define DISK_PARTS_MAX (BLOCK_MINORS - 1)
#define DISK_SILENCES  4u              // resets for silence, one after the other, before it is dead
#define IO_PAGES       BLOCK_PAGES_MAX // of the kernel's, at a time
#define IO_BYTES       ((size_t)IO_PAGES << PAGE_SHIFT)
#define LENT_BYTES     (4 * IO_BYTES) // of a program's pages

// Pages on their way to or from a disk, in one or several parts. Whoever waits has a reference, and
// so has each part: who is killed leaves the pages to the device.
struct disk_io {
    _Atomic uint32_t references;
    _Atomic uint32_t parts;   // that are not completed
    _Atomic uint32_t outcome; // the worst of enum block_outcome
    struct waitable done;     // WAIT_SIGNALED: no part is left
    bool is_lent;             // the pages are a program's
    uint32_t page_count;
    void *pages[]; // in the direct map; each with a reference to its frame
};

enum disk_kind { DISK_READ, DISK_WRITE, DISK_FLUSH, DISK_DISCARD };

// A part that is offered to the module, and that it may have accepted: all that is needed to offer
// it again to its next life, if this one dies before it completes it.
struct disk_slot {
    struct disk_io *io;  // NULL: free
    uint32_t generation; // so that what completes twice is seen
    uint64_t order;      // in which slots were taken
    enum disk_kind kind;
    uint32_t first;                 // page of `io` that the call began with
    struct block_transfer transfer; // of a discard: the first sector
    uint64_t sectors;               // of a discard
    // Of the module, in which it was accepted, perhaps; 0: its submitter has not come back from his
    // call, or the module refused it.
    uint64_t life;
};

struct disk_part {
    char name[16];
    uint32_t minor;
    uint64_t first; // sector
    uint64_t sectors;
};

struct disk {
    struct disk_part parts[1 + DISK_PARTS_MAX]; // the first one is all of it
    uint32_t part_count;
    uint32_t users;  // [the list's] open files, and who flushes it
    bool is_leaving; // [the list's] there will be no more
    // These three and the life are of the module that is there, and change while nobody is inside.
    struct block_port port;
    void *self;
    struct block_info info;
    uint64_t life;              // 1 and on
    _Atomic bool is_dead;       // nothing goes there any more
    _Atomic time_ns_t heard_ns; // when it completed something last
    struct rwlock writing;      // who writes parts of sectors holds off all other writers
    struct mutex reset_lock;    // one resets, the others wait for that
    _Atomic uint64_t resets;    // [reset_lock for writing] for silence
    _Atomic uint32_t silences;  // of those, since something was done last
    struct waitable room;       // pulsed when a slot is free again, and after a reset
    struct spinlock lock;
    uint64_t orders;                    // [lock] given out
    struct disk_slot slots[DISK_SLOTS]; // [lock]
};

// The disk and part of a minor number, which stay until disk_let_go(); false: none.
bool disk_hold(uint32_t minor, struct disk **out_disk, struct disk_part **out_part);
void disk_let_go(struct disk *disk);

// Pages for `size_bytes`, zeroed unless they are to be filled in before they are written to the
// disk. NULL: no memory. disk_io_put() ends it.
struct disk_io *disk_io_create(size_t size_bytes, bool is_write);
// The same with the caller's own pages, which are whole. NULL: no memory, or not his to lend.
struct disk_io *disk_io_lend(struct uaddr base, size_t size_bytes, bool is_write);
void disk_io_put(struct disk_io *io);
// Moves between the disk and the pages' first bytes, which are whole sectors; waits for the end.
// HX_OK, HX_ERR_IO, HX_ERR_CANCELED (killed; the pages may be used by the device meanwhile)
enum hx_status disk_transfer(struct disk *disk, struct disk_io *io, bool write, uint64_t sector,
                             size_t size_bytes);
enum hx_status disk_flush(struct disk *disk);
enum hx_status disk_discard(struct disk *disk, uint64_t sector, uint64_t sectors);
// Ends what is under way for those who did not wait for it; the module is gone, and nobody waits.
void disk_end(struct disk *disk);
// The events of the port.
extern const struct block_events disk_events;

// Files on them, and the nodes of a disk.
enum hx_status disk_files_init(void);
enum hx_status disk_nodes_add(const struct disk *disk);
void disk_nodes_remove(const struct disk *disk);
