// SPDX-License-Identifier: MIT OR Apache-2.0
// <lib/virtqueue.h>: the driver's side of a virtqueue, split or packed (Virtual I/O Device
// specification 1.2, sections 2.7 and 2.8), over memory that the device shares.
//
// The device is not trusted. What chain is where, and how long, is kept in `slots`, which it does
// not see; what it writes is copied once and then checked. A device that reports a chain that it
// does not have, more bytes than it was given or more chains than there are makes the queue
// corrupt, for good: then the device has to be reset before its buffers are anybody's again.
// The caller serialises all calls on one queue. Nothing here waits.
#pragma once

#include <helix/types.h>

#define VIRTQUEUE_SIZE_MAX 256u  // chains; the specification allows 32768
#define VIRTQUEUE_ALIGN    4096u // of the device's part, as legacy devices have it (2.7.2)

#define VIRTQUEUE_ENTRY_BYTES 16u // of a table

struct virtqueue_descriptor {
    uint64_t address;
    uint32_t size_bytes;
    uint16_t flags;
    uint16_t next;
};

struct virtqueue_available { // written by the driver
    _Atomic uint16_t flags;
    _Atomic uint16_t index;
    _Atomic uint16_t ring[];
};

struct virtqueue_element {
    _Atomic uint32_t id;
    _Atomic uint32_t size_bytes;
};

struct virtqueue_used { // written by the device
    _Atomic uint16_t flags;
    _Atomic uint16_t index;
    struct virtqueue_element ring[];
};

struct virtqueue_packed { // a descriptor of a packed queue; written by both
    uint64_t address;
    _Atomic uint32_t size_bytes;
    _Atomic uint16_t id;
    _Atomic uint16_t flags;
};

struct virtqueue_events { // of a packed queue
    _Atomic uint16_t place;
    _Atomic uint16_t flags;
};

// A piece of memory, as the device sees it.
struct virtqueue_piece {
    uint64_t address;
    uint32_t size_bytes;
    bool is_writable; // by the device; such pieces come behind the others
};

// What the driver knows of a descriptor.
struct virtqueue_slot {
    void *token;             // of a chain's first one; NULL: no chain begins here
    uint32_t writable_bytes; // of its chain
    uint16_t next;           // in the chain, or in the list of free ones
    uint16_t count;          // descriptors of its chain
};

struct virtqueue {
    uint16_t size;       // a power of two
    uint16_t free_first; // of descriptors; packed: of chains' numbers
    uint16_t free_count; // descriptors
    uint16_t available;  // what was added; packed: the place of what is added next
    uint16_t used;       // what was taken; packed: the place where the device says more
    bool is_corrupt;
    bool is_packed;
    bool packed_round, used_round; // packed: turned when the one place or the other one wraps
    bool has_unpublished;          // packed: what was added since, and the first place of it
    uint16_t unpublished, unpublished_flags;
    struct virtqueue_packed *packed; // NULL, as the next, of the other kind
    struct virtqueue_events *events; // the device's
    struct virtqueue_descriptor *descriptors;
    struct virtqueue_available *driver;
    struct virtqueue_used *device;
    struct virtqueue_slot *slots;
};

// How many bytes of shared memory a queue of that size needs, and where in them its parts begin;
// the descriptors come first.
size_t virtqueue_bytes(uint16_t size);
size_t virtqueue_driver_offset(uint16_t size);
size_t virtqueue_device_offset(uint16_t size);

// An empty queue of `size` chains, a power of two up to VIRTQUEUE_SIZE_MAX, in zeroed memory of
// virtqueue_bytes() that begins at a multiple of VIRTQUEUE_ALIGN. Borrows it and `slots`.
void virtqueue_init(struct virtqueue *queue, uint16_t size, void *memory,
                    struct virtqueue_slot *slots);
// The same as a packed queue.
void virtqueue_init_packed(struct virtqueue *queue, uint16_t size, void *memory,
                           struct virtqueue_slot *slots);
// Of a queue that is not packed: the device need not interrupt when it has done something. It may
// all the same.
void virtqueue_quiet(struct virtqueue *queue);
// Adds a chain of 1 or more pieces, under a token that is not NULL, for the next
// virtqueue_publish(). False: no room, or the queue is corrupt.
bool virtqueue_add(struct virtqueue *queue, const struct virtqueue_piece *pieces, uint32_t count,
                   void *token);
// The same for a chain whose descriptors lie in a table of their own, of `count` times
// VIRTQUEUE_ENTRY_BYTES, which takes one place of the queue; `address` is where the device sees it.
// It is the device's as the pieces are. Needs VIRTIO_FEATURE_INDIRECT.
bool virtqueue_add_indirect(struct virtqueue *queue, const struct virtqueue_piece *pieces,
                            uint32_t count, void *token, void *table, uint64_t address);
// Shows the device what was added. Whether it wants to be told.
bool virtqueue_publish(struct virtqueue *queue);
// The next chain that the device has done with, and how many bytes it says that it wrote, no more
// than were writable.
// HX_OK, HX_ERR_WOULD_BLOCK (none), HX_ERR_CORRUPT (see above)
enum hx_status virtqueue_take(struct virtqueue *queue, void **out_token, uint32_t *out_bytes);
// Any chain that the device still has, without asking it: it was reset. NULL: none is left.
void *virtqueue_reclaim(struct virtqueue *queue);
