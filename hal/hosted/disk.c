// SPDX-License-Identifier: MIT OR Apache-2.0
// hal/hosted/disk.c: a disk in memory: virtio's block device over MMIO, for the driver that the
// other machines have. Section numbers are those of Virtual I/O Device 1.2.
//
// It works on a host thread of its own: it takes what is there in any order, some of it much later,
// a page at a time, and asks not to be told of more while it works. Under the simulator the seed
// decides the order and every moment of it. The first sector has a partition table.
//
// The lock is what makes a reset final: the thread touches the machine's memory under it alone, and
// looks first whether the requests that it has are still any. What a driver shows by the queue
// itself is not ordered by the lock, so that ThreadSanitizer sees what the driver does.
#include "disk.h"
#include "host.h"
#include "irq.h"

#include <boot_arch/settings.h>
#include <hal/mmu.h>
#include <lib/string.h>
#include <lib/virtio.h>
#include <lib/virtqueue.h>

#define SECTOR_BYTES 512u
#define SECTORS      1024u
#define PART_FIRST   9u // sector; in the middle of a page
#define QUEUES       2u
#define QUEUE_SIZE   16u // so few that drivers wait for room
#define PIECES_MAX   4u  // pages of a request
#define PIECE_BYTES  4096u
#define DISCARD_MAX  64u // sectors
#define LATE_SHIFT   12u // of 1 us

#define REGISTER_MAGIC         0x000u // 4.2.2
#define REGISTER_VERSION       0x004u
#define REGISTER_DEVICE        0x008u
#define REGISTER_FEATURES      0x010u
#define REGISTER_FEATURES_WORD 0x014u
#define REGISTER_QUEUE         0x030u
#define REGISTER_QUEUE_ROOM    0x034u
#define REGISTER_QUEUE_SIZE    0x038u
#define REGISTER_NOTIFY        0x050u
#define REGISTER_INTERRUPT     0x060u
#define REGISTER_ACKNOWLEDGE   0x064u
#define REGISTER_STATUS        0x070u
#define REGISTER_QUEUE_MEMORY  0x080u // descriptors; driver's part 0x10 behind, device's 0x20
#define REGISTER_CONFIG        0x100u
#define MAGIC                  0x74726976u

#define STATUS_GO       4u // 2.1
#define INTERRUPT_QUEUE 1u
#define DESCRIPTOR_NEXT 1u        // 2.7.5
#define USED_NO_NOTIFY  1u        // 2.7.10
#define FEATURE_SEG_MAX (1u << 2) // 5.2.3
#define FEATURE_FLUSH   (1u << 9)
#define FEATURE_QUEUES  (1u << 12)
#define FEATURE_DISCARD (1u << 13)
#define CONFIG_SECTORS  0u // 5.2.4
#define CONFIG_SEG_MAX  12u
#define CONFIG_QUEUES   34u // of two bytes
#define CONFIG_DISCARD  36u
#define KIND_READ       0u // 5.2.6
#define KIND_WRITE      1u
#define KIND_FLUSH      4u
#define KIND_DISCARD    11u
#define RESULT_OK       0u
#define RESULT_FAILED   1u

#define LIES_MAX 6u             // virtio_blk.c resets it 8 times,
#define LIE_NS   10000000000ull // and forgets one in that time
#define SPARED   16u            // requests: what looks for partitions is among them

#define CHAIN_MAX (PIECES_MAX + 2u) // a header before, a result behind

// What goes wrong with a request (--disk-faults).
enum fault {
    FAULT_NONE,
    FAULT_FAILS,
    FAULT_SILENCE, // it is done, and nobody is told
    FAULT_LIE,     // another one is said to be done
};

struct header {
    uint32_t kind;
    uint32_t reserved;
    uint64_t sector;
};

struct discard {
    uint64_t sector;
    uint32_t sectors;
    uint32_t flags;
};

// A request that was taken from a queue.
struct request {
    struct lane *lane;
    uint16_t head; // of its chain
    uint16_t count;
    uint32_t written; // bytes of the machine's memory
    struct virtqueue_descriptor chain[CHAIN_MAX];
};

uint8_t disk_registers[DISK_REGISTER_BYTES];

static struct {
    _Atomic uint32_t status;
    _Atomic uint32_t raised;
    _Atomic uint32_t bell; // changes when the thread has to look
    _Atomic bool lock;
    uint32_t features_word; // [lock]
    uint32_t selected;      // [lock] queue
    struct {
        uint32_t size;
        uint64_t parts[3]; // where it is
    } queues[QUEUES];      // [lock]
    uint64_t resets;       // [lock]
} chip;

// The thread's own.
static struct {
    uint64_t resets;   // when it took what it has
    struct lane {      // of a queue
        uint32_t size; // 0: it is not used
        const struct virtqueue_descriptor *descriptors;
        const struct virtqueue_available *driver;
        struct virtqueue_used *used;
        uint16_t seen; // of the driver's ring
    } lanes[QUEUES];
    uint32_t served;
    uint32_t lies;    // not forgotten yet
    uint64_t lied_at; // when one was forgotten last
    uint32_t count;
    struct waiting {
        struct lane *lane;
        uint16_t head; // of a request that was seen
        uint64_t due;  // when it is to be done
    } waiting[QUEUES * QUEUE_SIZE];
} work;

static uint8_t contents[SECTORS * SECTOR_BYTES];

static void lock(void) {
    while (atomic_exchange_explicit(&chip.lock, true, memory_order_acquire)) {
        host_yield();
    }
}

static void unlock(void) {
    atomic_store_explicit(&chip.lock, false, memory_order_release);
}

bool disk_is_raised(void) {
    return atomic_load_explicit(&chip.raised, memory_order_seq_cst) != 0;
}

// ---- registers ---------------------------------------------------------------------------------

static uint32_t config_read(uint32_t offset) {
    switch (offset) {
    case CONFIG_SECTORS:
        return SECTORS;
    case CONFIG_SEG_MAX:
        return PIECES_MAX;
    case CONFIG_DISCARD:
        return DISCARD_MAX;
    default:
        return 0;
    }
}

static uint32_t features_read(void) {
    lock();
    const uint32_t word = chip.features_word;
    unlock();
    return word == 0   ? FEATURE_SEG_MAX | FEATURE_FLUSH | FEATURE_QUEUES | FEATURE_DISCARD
           : word == 1 ? (uint32_t)(VIRTIO_FEATURE_VERSION_1 >> 32)
                       : 0;
}

uint32_t disk_register_read(uint32_t offset, uint32_t bytes) {
    if (bytes != 4) { // nobody needs others
        return offset == REGISTER_CONFIG + CONFIG_QUEUES && bytes == 2 ? QUEUES : UINT32_MAX;
    }
    switch (offset) {
    case REGISTER_MAGIC:
        return MAGIC;
    case REGISTER_VERSION:
        return 2;
    case REGISTER_DEVICE:
        return VIRTIO_DEVICE_BLOCK;
    case REGISTER_FEATURES:
        return features_read();
    case REGISTER_QUEUE_ROOM:
        return QUEUE_SIZE;
    case REGISTER_INTERRUPT:
        return atomic_load_explicit(&chip.raised, memory_order_seq_cst);
    case REGISTER_STATUS:
        return atomic_load_explicit(&chip.status, memory_order_relaxed);
    default:
        return offset >= REGISTER_CONFIG ? config_read(offset - REGISTER_CONFIG) : 0;
    }
}

static void bell_ring(void) {
    // Relaxed: the queue says what there is to do.
    atomic_fetch_add_explicit(&chip.bell, 1, memory_order_relaxed);
    host_wake(&chip.bell);
}

// 2.4: when the driver sees 0, the disk touches no memory any more.
static void status_set(uint32_t status) {
    lock();
    if (status == 0) {
        chip.resets++;
        memset(chip.queues, 0, sizeof(chip.queues));
        atomic_store_explicit(&chip.raised, 0, memory_order_seq_cst);
    }
    atomic_store_explicit(&chip.status, status, memory_order_relaxed);
    unlock();
    bell_ring();
}

static void part_set(uint32_t offset, uint32_t value) {
    uint64_t *part = &chip.queues[chip.selected].parts[offset / 0x10];
    *part = (offset & 4) != 0 ? (uint32_t)*part | (uint64_t)value << 32
                              : (*part & ~(uint64_t)UINT32_MAX) | value;
}

static void setting_write(uint32_t offset, uint32_t value) {
    lock();
    if (offset == REGISTER_FEATURES_WORD) {
        chip.features_word = value;
    } else if (offset == REGISTER_QUEUE) {
        chip.selected = value % QUEUES;
    } else if (offset == REGISTER_QUEUE_SIZE) {
        chip.queues[chip.selected].size = value;
    } else if (offset >= REGISTER_QUEUE_MEMORY && offset < REGISTER_QUEUE_MEMORY + 0x30) {
        part_set(offset - REGISTER_QUEUE_MEMORY, value);
    }
    unlock();
}

void disk_register_write(uint32_t offset, uint32_t value) {
    switch (offset) {
    case REGISTER_NOTIFY:
        bell_ring();
        break;
    case REGISTER_ACKNOWLEDGE:
        atomic_fetch_and_explicit(&chip.raised, ~value, memory_order_seq_cst);
        break;
    case REGISTER_STATUS:
        status_set(value);
        break;
    default:
        setting_write(offset, value);
        break;
    }
}

// ---- what the thread touches -------------------------------------------------------------------

static uint32_t chance(uint32_t limit) {
    uint64_t value = 0;
    (void)host_random(&value); // the lower ones of equal chances will do
    return (uint32_t)((value >> 32) * limit >> 32);
}

// The machine's memory there; NULL: there is none.
static void *memory_at(uint64_t address, uint64_t size_bytes) {
    return address < hosted_settings.memory_bytes &&
                   size_bytes <= hosted_settings.memory_bytes - address
               ? hal_phys_to_virt(paddr_make(address))
               : NULL;
}

// Where a queue is; one that makes no sense is not used.
static void lane_find_locked(uint32_t number) {
    struct lane *lane = &work.lanes[number];
    const uint64_t *parts = chip.queues[number].parts;
    lane->size = chip.queues[number].size <= QUEUE_SIZE ? chip.queues[number].size : 0;
    lane->descriptors = memory_at(parts[0], PIECE_BYTES);
    lane->driver = memory_at(parts[1], PIECE_BYTES);
    lane->used = memory_at(parts[2], PIECE_BYTES);
    if (lane->descriptors == NULL || lane->driver == NULL || lane->used == NULL) {
        lane->size = 0;
    }
}

// Begins anew if the driver has reset the disk; whether it works.
static bool is_going_locked(void) {
    if (work.resets != chip.resets) {
        work.resets = chip.resets;
        memset(work.lanes, 0, sizeof(work.lanes));
        work.count = 0;
    }
    if ((atomic_load_explicit(&chip.status, memory_order_relaxed) & STATUS_GO) == 0) {
        return false;
    }
    for (uint32_t i = 0; i < QUEUES; i++) {
        lane_find_locked(i);
    }
    return true;
}

// Most at once, some late, a few much later.
static uint64_t due_draw(void) {
    return chance(4) != 0 ? 0 : host_counter() + chance(1024u << chance(LATE_SHIFT));
}

static void requests_see_locked(struct lane *lane) {
    if (lane->size == 0) {
        return;
    }
    // seq_cst: behind the flag of requests_look_locked(). At least acquire, for what they are.
    const uint16_t index = atomic_load_explicit(&lane->driver->index, memory_order_seq_cst);
    while (lane->seen != index && work.count < QUEUES * QUEUE_SIZE) {
        // Relaxed: before the index.
        const uint16_t head = atomic_load_explicit(&lane->driver->ring[lane->seen++ % lane->size],
                                                   memory_order_relaxed);
        work.waiting[work.count++] = (struct waiting){ lane, head, due_draw() };
    }
}

// Any of those that are due; none: *out_next is when the first one is.
static struct waiting *request_choose(uint64_t *out_next) {
    const uint64_t now = host_counter();
    const uint32_t first = work.count == 0 ? 0 : chance(work.count);
    *out_next = UINT64_MAX;
    for (uint32_t i = 0; i < work.count; i++) {
        struct waiting *waiting = &work.waiting[(first + i) % work.count];
        if (waiting->due <= now) {
            return waiting;
        }
        *out_next = MIN_OF(*out_next, waiting->due);
    }
    return NULL;
}

// What is there to do. Only who has nothing that is due asks to be told (2.7.10.1), and looks
// again.
static void requests_look_locked(void) {
    uint64_t next;
    for (uint32_t i = 0; i < QUEUES; i++) {
        requests_see_locked(&work.lanes[i]);
    }
    const uint16_t flags = request_choose(&next) != NULL ? USED_NO_NOTIFY : 0;
    for (uint32_t i = 0; i < QUEUES; i++) {
        if (work.lanes[i].size != 0) {
            atomic_store_explicit(&work.lanes[i].used->flags, flags, memory_order_seq_cst);
        }
        requests_see_locked(&work.lanes[i]);
    }
}

static bool request_take_locked(struct request *request, uint64_t *out_next) {
    struct waiting *chosen = request_choose(out_next);
    if (chosen == NULL) {
        return false;
    }
    *request = (struct request){ .lane = chosen->lane, .head = chosen->head };
    *chosen = work.waiting[--work.count];
    uint32_t at = request->head;
    do {
        const struct virtqueue_descriptor *descriptor =
            &request->lane->descriptors[at % request->lane->size];
        request->chain[request->count++] = *descriptor;
        at = descriptor->next;
    } while ((request->chain[request->count - 1].flags & DESCRIPTOR_NEXT) != 0 &&
             request->count < CHAIN_MAX);
    return true;
}

// One piece of a transfer, or nothing if it lies nowhere.
static bool piece_move(struct request *request, const struct virtqueue_descriptor *piece,
                       bool writes, uint64_t at) {
    void *memory = memory_at(piece->address, piece->size_bytes);
    if (memory == NULL || at > sizeof(contents) || piece->size_bytes > sizeof(contents) - at) {
        return false;
    }
    if (writes) {
        memcpy(contents + at, memory, piece->size_bytes);
    } else {
        memcpy(memory, contents + at, piece->size_bytes);
        request->written += piece->size_bytes;
    }
    return true;
}

static bool discard(const struct virtqueue_descriptor *piece) {
    const struct discard *range = memory_at(piece->address, sizeof(*range));
    if (range == NULL || range->sector > SECTORS || range->sectors > SECTORS - range->sector) {
        return false;
    }
    memset(contents + range->sector * SECTOR_BYTES, 0, (size_t)range->sectors * SECTOR_BYTES);
    return true;
}

// ---- requests ----------------------------------------------------------------------------------

// Takes the lock, unless the disk was reset since the request was taken.
static bool lock_for(void) {
    lock();
    if (work.resets == chip.resets) {
        return true;
    }
    unlock();
    return false;
}

// Piece number `i`, with others in between. False: the disk was reset. *inout_at: where on the disk
static bool piece_serve(struct request *request, uint32_t i, const struct header *header,
                        uint64_t *inout_at, uint8_t *inout_result) {
    const struct virtqueue_descriptor *piece = &request->chain[i];
    host_yield();
    if (!lock_for()) {
        return false;
    }
    bool moved;
    if (header->kind == KIND_DISCARD) {
        moved = discard(piece);
    } else {
        moved = header->kind <= KIND_WRITE &&
                piece_move(request, piece, header->kind == KIND_WRITE, *inout_at);
    }
    *inout_at += piece->size_bytes;
    *inout_result = moved ? *inout_result : RESULT_FAILED;
    unlock();
    return true;
}

static void request_end_locked(struct request *request, uint8_t result) {
    uint8_t *place = memory_at(request->chain[request->count - 1].address, 1);
    struct virtqueue_used *used = request->lane->used;
    const uint16_t index = atomic_load_explicit(&used->index, memory_order_relaxed);
    struct virtqueue_element *element = &used->ring[index % request->lane->size];
    if (place != NULL) {
        // Relaxed, as the element is: before the index.
        atomic_store_explicit((_Atomic uint8_t *)place, result, memory_order_relaxed);
    }
    atomic_store_explicit(&element->id, request->head, memory_order_relaxed);
    atomic_store_explicit(&element->size_bytes, request->written + 1, memory_order_relaxed);
    atomic_store_explicit(&used->index, (uint16_t)(index + 1), memory_order_release);
    atomic_fetch_or_explicit(&chip.raised, INTERRUPT_QUEUE, memory_order_seq_cst);
}

// A disk that lies too often is given up, by the rule in virtio_blk.c; this one stays below it.
static bool may_lie(void) {
    const uint64_t now = host_counter();
    const uint64_t forgotten = (now - work.lied_at) / LIE_NS;
    if (forgotten != 0) {
        work.lies -= (uint32_t)MIN_OF(forgotten, (uint64_t)work.lies);
        work.lied_at = now;
    }
    return work.lies < LIES_MAX && ++work.lies != 0;
}

static enum fault fault_draw(void) {
    static const enum fault faults[] = { FAULT_FAILS, FAULT_FAILS,   FAULT_FAILS,   FAULT_FAILS,
                                         FAULT_LIE,   FAULT_SILENCE, FAULT_SILENCE, FAULT_SILENCE };
    const uint32_t one_in = hosted_settings.disk_faults;
    const enum fault fault = one_in != 0 && work.served++ >= SPARED && chance(one_in) == 0
                                 ? faults[chance(ARRAY_SIZE(faults))]
                                 : FAULT_NONE;
    return fault != FAULT_LIE || may_lie() ? fault : FAULT_FAILS;
}

static void request_serve(struct request *request) {
    const enum fault fault = fault_draw();
    uint8_t result = fault == FAULT_FAILS ? RESULT_FAILED : RESULT_OK;
    if (!lock_for()) {
        return;
    }
    const struct header *place = memory_at(request->chain[0].address, sizeof(*place));
    const struct header header = place != NULL ? *place : (struct header){ .kind = UINT32_MAX };
    unlock();
    uint64_t at = header.sector * SECTOR_BYTES;
    for (uint32_t i = 1; i + 1 < request->count; i++) {
        if (!piece_serve(request, i, &header, &at, &result)) {
            return;
        }
    }
    if (fault == FAULT_LIE) {
        request->head = UINT16_MAX;
    }
    if (fault == FAULT_SILENCE || !lock_for()) {
        return;
    }
    request_end_locked(request, result);
    unlock();
    irq_line_update(DISK_LINE);
}

static void disk_main(void *argument) {
    struct request request;
    (void)argument;
    for (;;) {
        const uint32_t bell = atomic_load_explicit(&chip.bell, memory_order_relaxed);
        uint64_t next = UINT64_MAX;
        lock();
        const bool is_going = is_going_locked();
        if (is_going) {
            requests_look_locked();
        }
        const bool has_one = is_going && request_take_locked(&request, &next);
        unlock();
        if (has_one) {
            request_serve(&request);
        } else {
            host_wait(&chip.bell, bell, next);
        }
    }
}

static void word_put(uint8_t *to, uint32_t value) {
    for (uint32_t i = 0; i < 4; i++) {
        to[i] = (uint8_t)(value >> 8 * i);
    }
}

bool disk_init(void) {
    uint8_t *entry = contents + 446; // of the first partition (PC/AT; its kind is Linux's)
    entry[4] = 0x83;
    word_put(entry + 8, PART_FIRST);
    word_put(entry + 12, SECTORS - PART_FIRST);
    contents[510] = 0x55;
    contents[511] = 0xaa;
    return host_thread_start(disk_main, NULL);
}
