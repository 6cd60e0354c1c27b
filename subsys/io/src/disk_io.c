// SPDX-License-Identifier: MIT OR Apache-2.0
// disk_io.c: what is under way to a disk and back.
//
// A part of a transfer takes a slot, whose number and generation are the request's number, and is
// the module's until the event with that number comes. What the module says is checked: a number
// that nobody has given out completes nothing.
//
// A module that dies or is swapped is followed by another life, which has nothing of what was
// accepted: whoever waits for the disk offers it all again. Each part once in each life, and not
// before the one who offered it first has come back; nothing of a dead module's completes anything.
// So a device carries out a part once, or, if it had done so before the death and nobody was told,
// the same part again before anybody can have overwritten it.
#include "block.h"

#include <core/gate.h>
#include <core/inject.h>
#include <core/log.h>
#include <core/thread.h>
#include <core/time.h>
#include <io/device.h>
#include <memory/aspace.h>
#include <memory/heap.h>

#define SLOT_SHIFT 32u // of a request's number: generation above, slot below

// Memory
// ------------------------------------------------------------------------------------------------

void disk_io_put(struct disk_io *io) {
    // Release and acquire: the last one sees what the others did.
    if (atomic_fetch_sub_explicit(&io->references, 1, memory_order_acq_rel) != 1) {
        return;
    }
    const bool is_lost = atomic_load_explicit(&io->outcome, memory_order_relaxed) == BLOCK_LOST;
    for (uint32_t i = 0; i < io->page_count && !is_lost; i++) {
        frame_put(frame_of(hal_virt_to_phys(io->pages[i])));
    }
    heap_free(io);
}

static uint32_t pages_for(size_t size_bytes) {
    return (uint32_t)(ALIGN_UP(size_bytes, (size_t)PAGE_SIZE) >> PAGE_SHIFT);
}

// Without its pages.
static struct disk_io *io_create(uint32_t count) {
    struct disk_io *io = heap_alloc(sizeof(*io) + count * sizeof(io->pages[0]), MEMORY_SLEEP);
    if (io != NULL) {
        *io = (struct disk_io){ 0 };
        atomic_init(&io->references, 1);
        waitable_init(&io->done, 0);
    }
    return io;
}

struct disk_io *disk_io_create(size_t size_bytes, bool is_write) {
    const uint32_t count = pages_for(size_bytes);
    struct disk_io *io = io_create(count);
    if (io == NULL) {
        return NULL;
    }
    for (; io->page_count < count; io->page_count++) {
        // Zeroed: a device that does not fill them must not show what was there before.
        struct frame *frame = frame_alloc(MEMORY_SLEEP, !is_write);
        if (frame == NULL) {
            disk_io_put(io);
            return NULL;
        }
        io->pages[io->page_count] = frame_data(frame);
    }
    return io;
}

struct disk_io *disk_io_lend(struct uaddr base, size_t size_bytes, bool is_write) {
    const uint32_t count = pages_for(size_bytes);
    struct frame **frames = (struct frame **)heap_alloc(count * sizeof(*frames), MEMORY_SLEEP);
    struct disk_io *io = frames != NULL ? io_create(count) : NULL;
    if (io != NULL) {
        io->is_lent = true;
    }
    if (io != NULL && aspace_frames_lend(aspace_current(), base, count,
                                         is_write ? ASPACE_READ : ASPACE_WRITE, frames) == HX_OK) {
        for (; io->page_count < count; io->page_count++) {
            io->pages[io->page_count] = frame_data(frames[io->page_count]);
        }
    } else if (io != NULL) {
        disk_io_put(io);
        io = NULL;
    }
    heap_free((void *)frames);
    return io;
}

// Slots
// ------------------------------------------------------------------------------------------------

// A request's number for a part of `io`; false: all slots are taken.
static bool slot_take(struct disk *disk, struct disk_io *io, enum disk_kind kind,
                      uint64_t *out_id) {
    bool found = false;
    const unsigned long irq = spin_lock_irq(&disk->lock);
    for (uint32_t i = 0; i < DISK_SLOTS && !found; i++) {
        struct disk_slot *slot = &disk->slots[i];
        if (slot->io == NULL) {
            // Before others can see it: somebody may end all slots at any moment. Relaxed: the
            // caller has a reference.
            atomic_fetch_add_explicit(&io->references, 1, memory_order_relaxed);
            atomic_fetch_add_explicit(&io->parts, 1, memory_order_relaxed);
            slot->io = io;
            slot->kind = kind;
            slot->life = 0;
            slot->order = disk->orders++;
            slot->generation++;
            *out_id = (uint64_t)slot->generation << SLOT_SHIFT | i;
            found = true;
        }
    }
    spin_unlock_irq(&disk->lock, irq);
    return found;
}

// Whose it was; NULL: nobody's.
static struct disk_io *slot_give(struct disk *disk, uint64_t id) {
    const uint32_t number = (uint32_t)id;
    struct disk_io *io = NULL;
    const unsigned long irq = spin_lock_irq(&disk->lock);
    if (number < DISK_SLOTS && disk->slots[number].generation == id >> SLOT_SHIFT) {
        io = disk->slots[number].io;
        disk->slots[number].io = NULL;
    }
    spin_unlock_irq(&disk->lock, irq);
    return io;
}

// What the request is, before it is offered.
static void slot_fill(struct disk *disk, const struct block_transfer *transfer, uint32_t first,
                      uint64_t sectors) {
    const unsigned long irq = spin_lock_irq(&disk->lock);
    struct disk_slot *slot = &disk->slots[(uint32_t)transfer->id];
    if (slot->generation == transfer->id >> SLOT_SHIFT) { // not ended meanwhile
        slot->transfer = *transfer;
        slot->first = first;
        slot->sectors = sectors;
    }
    spin_unlock_irq(&disk->lock, irq);
}

// It is the module's, in one of its lives, if it was not completed meanwhile.
static void slot_accept(struct disk *disk, uint64_t id, uint64_t life) {
    const unsigned long irq = spin_lock_irq(&disk->lock);
    struct disk_slot *slot = &disk->slots[(uint32_t)id];
    if (slot->generation == id >> SLOT_SHIFT && slot->io != NULL) {
        slot->life = life;
    }
    spin_unlock_irq(&disk->lock, irq);
}

// The first one that was accepted in an earlier life; NULL: there is none.
static struct disk_slot *slot_first_locked(struct disk *disk) {
    struct disk_slot *first = NULL;
    for (uint32_t i = 0; i < DISK_SLOTS; i++) {
        struct disk_slot *slot = &disk->slots[i];
        if (slot->io != NULL && slot->life != 0 && slot->life != disk->life &&
            (first == NULL || slot->order < first->order)) {
            first = slot;
        }
    }
    return first;
}

// That one, for the caller to offer again. The caller gets a reference to what it is of, and the
// life. NULL: there is none.
static struct disk_io *slot_claim(struct disk *disk, struct disk_slot *out_slot) {
    struct disk_io *io = NULL;
    const unsigned long irq = spin_lock_irq(&disk->lock);
    struct disk_slot *slot = slot_first_locked(disk);
    if (slot != NULL) {
        io = slot->io;
        atomic_fetch_add_explicit(&io->references, 1, memory_order_relaxed);
        *out_slot = *slot;
        slot->life = 0;
    }
    spin_unlock_irq(&disk->lock, irq);
    return io;
}

static void outcome_add(struct disk_io *io, uint32_t outcome) {
    uint32_t before = atomic_load_explicit(&io->outcome, memory_order_relaxed);
    while (before < outcome &&
           !atomic_compare_exchange_weak_explicit(&io->outcome, &before, outcome,
                                                  memory_order_relaxed, memory_order_relaxed)) {
    }
}

static void part_end(struct disk *disk, uint64_t id, uint32_t outcome) {
    struct disk_io *io = slot_give(disk, id);
    if (io == NULL) {
        return;
    }
    outcome_add(io, outcome);
    // Release: who sees none left sees the outcome, too.
    if (atomic_fetch_sub_explicit(&io->parts, 1, memory_order_acq_rel) == 1) {
        waitable_update(&io->done, 0, WAIT_SIGNALED);
    }
    disk_io_put(io);
    waitable_pulse(&disk->room);
}

// The module did not take it. Nobody is woken: the submitter waits for a completion of others, and
// would take its own slot for one.
static void part_drop(struct disk *disk, uint64_t id) {
    struct disk_io *io = slot_give(disk, id);
    if (io != NULL) {
        atomic_fetch_sub_explicit(&io->parts, 1, memory_order_acq_rel);
        disk_io_put(io);
    }
}

// An event without completions says that the device is there again.
static void completed(void *client, const struct block_completion *done, uint32_t count) {
    struct disk *disk = client;
    // Relaxed, both: they guard nothing; whoever runs out of patience looks once more.
    atomic_store_explicit(&disk->heard_ns, time_now(), memory_order_relaxed);
    for (uint32_t i = 0; i < count; i++) {
        const uint32_t outcome = MIN_OF(done[i].outcome, (uint32_t)BLOCK_LOST);
        if (outcome == BLOCK_DONE) {
            atomic_store_explicit(&disk->silences, 0, memory_order_relaxed);
        }
        part_end(disk, done[i].id, outcome);
    }
    if (count == 0) {
        waitable_pulse(&disk->room);
    }
}

const struct block_events disk_events = { .completed = completed };

// Ends that do not come
// ------------------------------------------------------------------------------------------------

// Whether the device of a dead module is kept from memory by an IOMMU.
static bool is_ended(const struct disk *disk) {
    return gate_is_gone(disk->port.gate) && io_devices_end(gate_module(disk->port.gate));
}

// Nobody will complete what the device has: its pages are lost, unless it cannot reach them any
// more. Repeated by whoever meets a dead disk: somebody may have taken a slot since.
static void disk_die(struct disk *disk) {
    if (!atomic_exchange_explicit(&disk->is_dead, true, memory_order_relaxed)) {
        log_error("%s: the device does not work any more", disk->parts[0].name);
    }
    disk_end(disk);
}

void disk_end(struct disk *disk) {
    const uint32_t outcome = is_ended(disk) ? BLOCK_FAILED : BLOCK_LOST;
    for (uint32_t i = 0; i < DISK_SLOTS; i++) {
        const unsigned long irq = spin_lock_irq(&disk->lock);
        const uint64_t id = (uint64_t)disk->slots[i].generation << SLOT_SHIFT | i;
        spin_unlock_irq(&disk->lock, irq);
        part_end(disk, id, outcome);
    }
}

// Nothing goes there any more: the device does not work, or its module is gone. That one may be
// followed by a better version after all, for which the disk works.
static bool is_dead(const struct disk *disk) {
    return atomic_load_explicit(&disk->is_dead, memory_order_relaxed) ||
           gate_is_gone(disk->port.gate);
}

static uint64_t resets_seen(const struct disk *disk) {
    return atomic_load_explicit(&disk->resets, memory_order_relaxed);
}

static int64_t reset_inside(void *argument) {
    struct disk *disk = argument;
    return block_call_reset(&disk->port, disk->self);
}

// A module that is dead, or dies of it, is started anew, and its device with it.
static enum hx_status reset_try(struct disk *disk) {
    enum hx_status status;
    log_warning("%s: no answer; it is reset", disk->parts[0].name);
    do { // a call that was refused on purpose is made again
        status = gate_call(disk->port.gate, reset_inside, disk);
    } while (status == HX_ERR_PEER_DIED && !gate_is_dead(disk->port.gate));
    status = status == HX_ERR_PEER_DIED ? HX_OK : status;
    // Also before it is given up: what it does later must not reach pages that others have by then.
    const uint32_t silences = atomic_fetch_add_explicit(&disk->silences, 1, memory_order_relaxed);
    return silences < DISK_SILENCES ? status : HX_ERR_IO;
}

// The device said nothing for too long. `seen` is how many resets there were when the waiting
// began: who waited as long as another one who has reset it meanwhile does not do it again.
static void disk_reset(struct disk *disk, uint64_t seen) {
    mutex_lock(&disk->reset_lock);
    if (resets_seen(disk) == seen && !is_dead(disk)) {
        atomic_store_explicit(&disk->resets, seen + 1, memory_order_relaxed);
        if (reset_try(disk) != HX_OK) {
            disk_die(disk);
        }
    }
    mutex_unlock(&disk->reset_lock);
}

// Whether the module lives, or will again; if not, nothing that it has will be completed.
static bool is_alive(struct disk *disk) {
    if (!is_dead(disk)) {
        return true;
    }
    disk_end(disk);
    return false;
}

// As wait_for(), until the disk has been silent for too long, seen from now on.
static enum hx_status patient_wait(const struct disk *disk, struct wait_item *items, uint32_t count,
                                   uint32_t flags) {
    const time_ns_t began = time_now();
    time_ns_t deadline = began + BLOCK_PATIENCE_NS;
    for (;;) {
        enum hx_status status = wait_for(items, count, deadline, flags, NULL);
        const time_ns_t heard = atomic_load_explicit(&disk->heard_ns, memory_order_relaxed);
        if (status != HX_ERR_TIMED_OUT || MAX_OF(heard, began) + BLOCK_PATIENCE_NS <= deadline) {
            return status;
        }
        deadline = heard + BLOCK_PATIENCE_NS;
    }
}

// Calls
// ------------------------------------------------------------------------------------------------

// Requests that are offered to the module, all of one kind.
struct disk_call {
    struct disk *disk;
    struct disk_io *io;
    enum disk_kind kind;
    uint32_t first; // page of `io` that the parts' begin with
    uint32_t count;
    const struct block_transfer *parts; // of a discard: one, with its first sector
    uint64_t sectors;                   // of a discard
    uint32_t accepted;                  // set by the call, as what follows
    uint64_t life;                      // of the module that got it; 0: none did
    bool has_died;                      // in the middle of it
};

static enum hx_status transfer_call(struct disk_call *call) {
    struct disk *disk = call->disk;
    void *const *pages = call->io->pages + call->first;
    const void *const *sources = (const void *const *)pages;
    const uint32_t page_count = MIN_OF(call->io->page_count - call->first, BLOCK_PAGES_MAX);
    return call->kind == DISK_WRITE
               ? block_call_write(&disk->port, disk->self, call->parts, call->count, sources,
                                  page_count, &call->accepted)
               : block_call_read(&disk->port, disk->self, call->parts, call->count, pages,
                                 page_count, &call->accepted);
}

static enum hx_status command_call(struct disk_call *call) {
    struct disk *disk = call->disk;
    const struct block_transfer *part = call->parts;
    enum hx_status status =
        call->kind == DISK_FLUSH
            ? block_call_flush(&disk->port, disk->self, part->id)
            : block_call_discard(&disk->port, disk->self, part->id, part->sector, call->sectors);
    call->accepted = status == HX_OK ? 1 : 0;
    return status;
}

// The module that is found here stays until this returns, even if it dies. Nobody knows what it
// accepted in a call that it died of: its next life gets all of it.
static int64_t offer_inside(void *argument) {
    struct disk_call *call = argument;
    call->life = call->disk->life;
    enum hx_status status = call->kind == DISK_READ || call->kind == DISK_WRITE
                                ? transfer_call(call)
                                : command_call(call);
    call->has_died = status == HX_ERR_PEER_DIED && gate_is_dead(call->disk->port.gate);
    return call->has_died ? HX_OK : status;
}

// HX_ERR_WOULD_BLOCK: it accepted nothing, or nobody was there.
static enum hx_status offer(struct disk_call *call) {
    struct gate *gate = call->disk->port.gate;
    enum hx_status status;
    call->accepted = 0;
    call->life = 0;
    call->has_died = false;
    do { // a call that was refused on purpose is made again
        status = gate_call(gate, offer_inside, call);
    } while (call->life == 0 && !gate_is_dead(gate));
    if (call->has_died) {
        call->accepted = call->count;
        return HX_OK;
    }
    if (call->life == 0) {
        return HX_ERR_WOULD_BLOCK;
    }
    call->accepted = status == HX_OK ? MIN_OF(call->accepted, call->count) : 0;
    return status == HX_OK && call->accepted == 0 ? HX_ERR_WOULD_BLOCK : status;
}

// Nobody knows whether an earlier life carried it out.
static bool may_be_repeated(enum disk_kind kind) {
    static const enum block_method methods[] = {
        [DISK_READ] = BLOCK_METHOD_READ,
        [DISK_WRITE] = BLOCK_METHOD_WRITE,
        [DISK_FLUSH] = BLOCK_METHOD_FLUSH,
        [DISK_DISCARD] = BLOCK_METHOD_DISCARD,
    };
    return block_method_idempotent[methods[kind]];
}

// What a slot holds, to a later life; HX_ERR_WOULD_BLOCK: there is no room.
static enum hx_status slot_offer(struct disk *disk, struct disk_io *io,
                                 const struct disk_slot *slot) {
    if (!may_be_repeated(slot->kind)) {
        part_end(disk, slot->transfer.id, BLOCK_FAILED);
        return HX_OK;
    }
    struct disk_call call = { .disk = disk,
                              .io = io,
                              .kind = slot->kind,
                              .first = slot->first,
                              .count = 1,
                              .parts = &slot->transfer,
                              .sectors = slot->sectors };
    enum hx_status status;
    do { // a call that was refused on purpose is made again
        status = offer(&call);
    } while (status == HX_ERR_PEER_DIED);
    if (status == HX_OK) {
        slot_accept(disk, slot->transfer.id, call.life);
    } else if (status == HX_ERR_WOULD_BLOCK) {
        slot_accept(disk, slot->transfer.id, slot->life); // as before
    } else {
        part_end(disk, slot->transfer.id, BLOCK_FAILED);
    }
    return status;
}

// Inside: the life that is looked for stays the same meanwhile.
static int64_t resubmit_inside(void *argument) {
    struct disk *disk = argument;
    struct disk_slot slot;
    struct disk_io *io;
    enum hx_status status = HX_OK;
    while (status != HX_ERR_WOULD_BLOCK && !gate_is_dead(disk->port.gate) &&
           (io = slot_claim(disk, &slot)) != NULL) {
        status = slot_offer(disk, io, &slot);
        disk_io_put(io);
    }
    return status;
}

// What was accepted in earlier lives of the module is offered to this one; true: all of it that it
// has room for. A dead module gets it when it lives again.
static bool resubmit(struct disk *disk) {
    return gate_call(disk->port.gate, resubmit_inside, disk) != HX_ERR_WOULD_BLOCK;
}

// Waiting
// ------------------------------------------------------------------------------------------------

// What had happened before somebody found that he has to wait.
struct disk_seen {
    uint32_t room, changed;
    uint64_t resets;
};

static struct disk_seen look(const struct disk *disk) {
    return (struct disk_seen){ waitable_sequence(&disk->room),
                               waitable_sequence(&disk->port.gate->changed), resets_seen(disk) };
}

// Until `done` is signaled, or, if that is NULL, there may be room. What becomes of the module ends
// it, too, and silence leads to a reset, which completes all. `flags`: WAIT_KILLABLE or 0. HX_OK:
// look again; HX_ERR_CANCELED
static enum hx_status disk_wait(struct disk *disk, struct waitable *done,
                                const struct disk_seen *seen, uint32_t flags) {
    struct wait_item items[] = {
        { .object = &disk->port.gate->changed, .use_sequence = true, .sequence = seen->changed },
        { .object = &disk->room, .use_sequence = true, .sequence = seen->room },
        { .object = done, .mask = WAIT_SIGNALED },
    };
    if (!is_alive(disk)) {
        return HX_OK;
    }
    const bool needs_room = !resubmit(disk) || done == NULL;
    if (!needs_room) {
        items[1] = items[2];
    }
    const uint32_t count = 1 + (needs_room ? 1 : 0) + (done != NULL ? 1 : 0);
    enum hx_status status = patient_wait(disk, items, count, flags);
    if (status == HX_ERR_TIMED_OUT) {
        disk_reset(disk, seen->resets);
        status = HX_OK;
    }
    return status;
}

// Requests
// ------------------------------------------------------------------------------------------------

// Whatever is refused, by a device that is gone or does not work any more.
static enum hx_status as_error(enum hx_status status) {
    return status == HX_ERR_NO_DEVICE ? HX_ERR_IO : status;
}

// What is read when somebody is killed belongs to the device. What is written is waited for: it
// must not come behind what others write once the writer's locks are given back.
static enum hx_status io_wait(struct disk *disk, struct disk_io *io, uint32_t flags) {
    // Acquire: what the device wrote, and the outcome, come before.
    while (atomic_load_explicit(&io->parts, memory_order_acquire) != 0) {
        const struct disk_seen seen = look(disk);
        enum hx_status status = disk_wait(disk, &io->done, &seen, flags);
        if (status != HX_OK) {
            return status;
        }
    }
    if (atomic_load_explicit(&io->outcome, memory_order_relaxed) != BLOCK_DONE ||
        inject_strikes(INJECT_DISK)) {
        return HX_ERR_IO;
    }
    return HX_OK;
}

// As many parts as there are slots for and a call has pages, from `done` bytes on; how many.
static uint32_t parts_make(const struct disk_call *call, uint64_t sector, size_t done,
                           size_t size_bytes, struct block_transfer *parts) {
    struct disk *disk = call->disk;
    const size_t most = (size_t)disk->info.transfer_pages << PAGE_SHIFT;
    const size_t first = done;
    const size_t end = MIN_OF(size_bytes, first + IO_BYTES);
    uint32_t count = 0;
    while (count < BLOCK_BATCH_MAX && done < end &&
           slot_take(disk, call->io, call->kind, &parts[count].id)) {
        parts[count].sector = sector + done / disk->info.sector_bytes;
        parts[count].page = (uint32_t)((done - first) >> PAGE_SHIFT);
        parts[count].bytes = (uint32_t)MIN_OF(most, end - done);
        slot_fill(disk, &parts[count], call->first, 0);
        done += parts[count].bytes;
        count++;
    }
    return count;
}

// What was offered is the module's, or nobody's.
static void slots_settle(const struct disk_call *call, enum hx_status status) {
    for (uint32_t i = 0; i < call->count; i++) {
        if (i < call->accepted) {
            slot_accept(call->disk, call->parts[i].id, call->life);
        } else {
            part_drop(call->disk, call->parts[i].id);
        }
    }
    if (status != HX_OK && status != HX_ERR_WOULD_BLOCK) {
        waitable_pulse(&call->disk->room); // the submitter does not come again; others may
    }
}

// A call's worth; *inout_done grows by what was accepted. HX_ERR_WOULD_BLOCK: nothing was.
static enum hx_status batch_submit(struct disk *disk, struct disk_io *io, enum disk_kind kind,
                                   uint64_t sector, size_t size_bytes, size_t *inout_done) {
    struct block_transfer parts[BLOCK_BATCH_MAX];
    struct disk_call call = { .disk = disk,
                              .io = io,
                              .kind = kind,
                              .first = (uint32_t)(*inout_done >> PAGE_SHIFT),
                              .parts = parts };
    call.count = parts_make(&call, sector, *inout_done, size_bytes, parts);
    if (call.count == 0) {
        return HX_ERR_WOULD_BLOCK;
    }
    enum hx_status status = offer(&call);
    for (uint32_t i = 0; i < call.accepted; i++) {
        *inout_done += parts[i].bytes;
    }
    slots_settle(&call, status);
    return status;
}

enum hx_status disk_transfer(struct disk *disk, struct disk_io *io, bool write, uint64_t sector,
                             size_t size_bytes) {
    // Who is killed leaves the kernel's pages to the device, but not those that others may use.
    const uint32_t flags = write || io->is_lent ? 0 : WAIT_KILLABLE;
    size_t done = 0;
    enum hx_status status = HX_OK;
    // One more than there are, so that `done` is not told between two calls.
    atomic_fetch_add_explicit(&io->parts, 1, memory_order_relaxed);
    while (status == HX_OK && done < size_bytes) {
        const struct disk_seen seen = look(disk);
        status = is_dead(disk) ? HX_ERR_IO
                               : batch_submit(disk, io, write ? DISK_WRITE : DISK_READ, sector,
                                              size_bytes, &done);
        if (status == HX_ERR_WOULD_BLOCK) {
            status = disk_wait(disk, NULL, &seen, flags);
        }
    }
    atomic_fetch_sub_explicit(&io->parts, 1, memory_order_acq_rel);
    enum hx_status ended = status == HX_ERR_CANCELED ? status : io_wait(disk, io, flags);
    return status != HX_OK ? as_error(status) : ended;
}

// Without pages. `sectors` 0: a flush.
static enum hx_status command(struct disk *disk, struct disk_io *io, uint64_t sector,
                              uint64_t sectors) {
    struct block_transfer part = { .sector = sector };
    struct disk_call call = { .disk = disk,
                              .io = io,
                              .kind = sectors == 0 ? DISK_FLUSH : DISK_DISCARD,
                              .count = 1,
                              .parts = &part,
                              .sectors = sectors };
    if (!slot_take(disk, io, call.kind, &part.id)) {
        return HX_ERR_WOULD_BLOCK;
    }
    slot_fill(disk, &part, 0, sectors);
    enum hx_status status = offer(&call);
    slots_settle(&call, status);
    return status;
}

static enum hx_status command_wait(struct disk *disk, uint64_t sector, uint64_t sectors) {
    const uint32_t flags = sectors == 0 ? WAIT_KILLABLE : 0; // a discard changes what is there
    struct disk_io *io = disk_io_create(0, false);
    enum hx_status status = HX_ERR_WOULD_BLOCK;
    if (io == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    while (status == HX_ERR_WOULD_BLOCK) {
        const struct disk_seen seen = look(disk);
        status = is_dead(disk) ? HX_ERR_IO : command(disk, io, sector, sectors);
        if (status == HX_ERR_WOULD_BLOCK) {
            const enum hx_status waited = disk_wait(disk, NULL, &seen, flags);
            status = waited == HX_OK ? status : waited;
        }
    }
    status = status == HX_OK ? io_wait(disk, io, flags) : status;
    disk_io_put(io);
    return as_error(status);
}

enum hx_status disk_flush(struct disk *disk) {
    return (disk->info.marks & BLOCK_FLUSHES) != 0 ? command_wait(disk, 0, 0) : HX_OK;
}

enum hx_status disk_discard(struct disk *disk, uint64_t sector, uint64_t sectors) {
    enum hx_status status = HX_OK;
    while (status == HX_OK && sectors > 0) {
        const uint64_t now = MIN_OF(sectors, disk->info.discard_sectors);
        status = command_wait(disk, sector, now);
        sector += now;
        sectors -= now;
    }
    return status;
}
