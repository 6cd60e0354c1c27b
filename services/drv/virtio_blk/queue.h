// SPDX-License-Identifier: MIT OR Apache-2.0
// queue.h: one of a disk's queues: its memory, and the requests of it that the device has. The
// device is not trusted: what a request is stands in `slots`, which it does not see.
//
// Each queue has a lock of its own, and what is told to the device about one is told under it. The
// disk opens all of them or none; a reset closes one after the other, then nothing is added.
#pragma once

#include <helix/env.h>
#include <helix/ports/block_port.h>
#include <lib/virtio.h>
#include <lib/virtqueue.h>

#define KIND_READ    0u // Virtual I/O Device 1.2, 5.2.6
#define KIND_WRITE   1u
#define KIND_FLUSH   4u
#define KIND_DISCARD 11u

#define SLOTS          62u // whose tables fit into 64 KiB
#define TRANSFER_PAGES 64u
#define PIECES_MAX     (TRANSFER_PAGES + 2)

// What the device reads and writes beside pages, one for each slot.
struct shared {
    struct {
        uint32_t kind;
        uint32_t reserved;
        uint64_t sector;
    } header;
    struct {
        uint64_t sector;
        uint32_t sectors;
        uint32_t flags;
    } discard;
    _Atomic uint8_t status;
    uint8_t pad[31];
};
_Static_assert(sizeof(struct shared) == 64, "a slot is found by shifting");

struct slot {
    struct slot *next; // [lock] free ones
    uint64_t id;
    uint64_t lent; // where the device sees its pages
    bool has_pages;
    uint32_t must_write; // bytes, for the request to be done
    uint32_t number;
};

// Requests that have ended, as many as go into one event, and their pages, which the device is to
// give back first.
struct ended {
    struct block_completion done[BLOCK_BATCH_MAX];
    uint32_t count;
    uint64_t lent[BLOCK_BATCH_MAX];
    uint32_t lent_count;
};

enum blk_queue_state {
    QUEUE_DEAD,      // nothing is accepted, or was so far
    QUEUE_RESETTING, // nor now, but an event ends it
    QUEUE_OPEN,
};

struct blk_queue {
    struct disk *disk;              // whose it is, for the handler of its interrupt
    struct hx_env *env;             // set once, as those up to the lock
    const struct hx_device *device; // borrowed
    struct virtio *virtio;          // borrowed
    uint16_t number;
    uint16_t size;   // chains
    uint8_t *memory; // the ring's
    uint64_t address;
    struct shared *shared;
    uint64_t shared_address;
    uint8_t *tables; // of descriptors, one for each slot; NULL: the device wants them in the ring
    uint64_t tables_address;
    _Atomic uint16_t vector; // the message that tells of it
    struct hx_mutex lock;
    enum blk_queue_state state;                       // [lock]
    uint64_t closed;                                  // [lock] how often it was
    struct virtqueue ring;                            // [lock]
    struct virtqueue_slot chains[VIRTQUEUE_SIZE_MAX]; // [lock]
    struct slot slots[SLOTS];                         // [lock]
    struct slot *free;                                // [lock]
};

// Takes its memory; `number` and `size` are set. HX_ERR_NO_MEMORY: blk_queue_fini() gives back what
// there is.
enum hx_status blk_queue_init(struct blk_queue *queue);
// Gives it back. The device does not use it any more.
void blk_queue_fini(struct blk_queue *queue);

// While it is not open, nothing is accepted, and nothing taken that the device says.
void blk_queue_state_set(struct blk_queue *queue, enum blk_queue_state state);
// Makes it empty and shows it to the device, which was reset, before it is open.
// HX_ERR_NOT_SUPPORTED: it does not take it
enum hx_status blk_queue_set(struct blk_queue *queue);
// How often it was closed so far.
uint64_t blk_queue_closed(struct blk_queue *queue);

// Whether it accepts. HX_ERR_WOULD_BLOCK: it is being reset; HX_ERR_NO_DEVICE. Under the lock, as
// the next ones.
enum hx_status blk_queue_state_locked(const struct blk_queue *queue);
// A request of `count` pieces, which have room for a header before them and a status behind. False:
// no room.
bool blk_queue_add_locked(struct blk_queue *queue, uint64_t id, uint32_t kind, uint64_t sector,
                          struct virtqueue_piece *pieces, uint32_t count);
// The same for a discard, in units of 512 bytes.
bool blk_queue_discard_locked(struct blk_queue *queue, uint64_t id, uint64_t sector,
                              uint32_t sectors);
// Tells the device of what was added.
void blk_queue_publish_locked(struct blk_queue *queue);

// Completions, as many as go into one event. Takes the lock.
// HX_OK: there may be more; HX_ERR_WOULD_BLOCK: no more; HX_ERR_CORRUPT: the device lies, since it
// was closed *out_closed times
enum hx_status blk_queue_take(struct blk_queue *queue, struct ended *out_ended,
                              uint64_t *out_closed);
// Requests that the device still had, as many as go into one event; the queue is closed, and the
// device does not answer. Takes the lock.
void blk_queue_reclaim(struct blk_queue *queue, uint32_t outcome, struct ended *out_ended);
