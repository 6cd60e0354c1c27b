// SPDX-License-Identifier: MIT OR Apache-2.0
// blk_test.c: the driver beside a simulated device over MMIO (Virtual I/O Device 1.2, 4.2 and 5.2)
// that works, that lies, that is silent, and that does not even reset.
#include "../queue.c"
#include "../virtio_blk.c"

#include <host/host.h>

#include <check.h>
#include <string.h>

#define SECTOR  4096u // so that sectors and units differ
#define SECTORS 64u
#define NOTHING UINT32_MAX
#define QUEUES  4u
#define CPUS    3u

static struct {
    uint32_t status, word, selected;
    struct {
        uint32_t size;
        uint64_t parts[3]; // where it is
        uint16_t seen;     // of the driver's ring
        uint32_t served;   // chains
    } queues[QUEUES];
    uint32_t queue_count; // that it says it has; 0: it says nothing
    bool is_silent, refuses_reset;
    uint32_t lie_id;    // NOTHING: the truth
    uint32_t lie_bytes; // likewise
    uint8_t lie_status; // what is written in place of STATUS_OK
    uint32_t flushes, discarded;
    uint8_t config[64];
    uint8_t bytes[SECTORS * SECTOR];
} chip;

static struct host_device device;
static uint32_t lendings_at_event;

static struct block_completion ended[256];
static uint32_t ended_count, empty_events;
static struct block_ops ops;
static void *self;
static uint32_t last_room = 32; // chains of the last queue

static uint32_t device_read(void *context, uint32_t window, uint32_t at, uint32_t bytes) {
    uint32_t value = 0;
    CHECK(context == &chip && window == 0);
    if (at >= 0x100) {
        memcpy(&value, chip.config + (at - 0x100), bytes);
        return value;
    }
    switch (at) {
    case 0x000:
        return 0x74726976;
    case 0x004:
        return 2;
    case 0x008:
        return 2;
    case 0x010: // flush, seg_max, sector size, discard, queues; version 1
        return chip.word == 0
                   ? 1u << 9 | 1u << 2 | 1u << 6 | 1u << 13 | (chip.queue_count != 0 ? 1u << 12 : 0)
                   : 1;
    case 0x034:
        return chip.selected + 1 < chip.queue_count ? 32 : last_room;
    case 0x060:
        return 1;
    case 0x070:
        return chip.status;
    default:
        return 0;
    }
}

// What the device goes to, which it must have been let, unless it does not do what it is told.
static void *see(const struct virtqueue_descriptor *at, uint32_t access) {
    static uint8_t lost[4 * PAGE_BYTES];
    if (!chip.refuses_reset) {
        return host_dma_at(&device, at->address, at->size_bytes, access);
    }
    void *found = host_dma_find(&device, at->address, at->size_bytes, access);
    return found != NULL ? found : lost;
}

// One chain: header, data, status.
static uint32_t serve_chain(struct virtqueue_descriptor *descriptors, uint16_t head) {
    const struct virtqueue_descriptor *at = &descriptors[head];
    CHECK(at->size_bytes == 16 && (at->flags & 2) == 0);
    const struct shared *shared = see(at, HX_DMA_READ);
    const bool is_read = shared->header.kind == KIND_READ;
    uint8_t *place = chip.bytes + shared->header.sector * UNIT_BYTES;
    uint32_t written = 1;
    chip.flushes += shared->header.kind == KIND_FLUSH;
    for (at = &descriptors[at->next]; (at->flags & 1) != 0; at = &descriptors[at->next]) {
        void *memory = see(at, is_read ? HX_DMA_WRITE : HX_DMA_READ);
        CHECK(((at->flags & 2) != 0) == is_read);
        if (shared->header.kind == KIND_DISCARD) {
            chip.discarded += ((uint32_t *)memory)[2];
            continue;
        }
        CHECK(place + at->size_bytes <= chip.bytes + sizeof(chip.bytes));
        memcpy(is_read ? memory : place, is_read ? place : memory, at->size_bytes);
        place += at->size_bytes;
        written += is_read ? at->size_bytes : 0;
    }
    CHECK(at->size_bytes == 1 && at->flags == 2);
    *(uint8_t *)see(at, HX_DMA_WRITE) = chip.lie_status;
    return written;
}

static void work(uint32_t number) {
    const uint64_t *parts = chip.queues[number].parts;
    const uint16_t size = (uint16_t)chip.queues[number].size;
    struct virtqueue_available *driver = host_dma_at(&device, parts[1], 6 + 2 * size, HX_DMA_READ);
    struct virtqueue_used *used = host_dma_at(&device, parts[2], 6 + 8 * size, HX_DMA_WRITE);
    void *descriptors = host_dma_at(&device, parts[0], (size_t)16 * size, HX_DMA_READ);
    uint16_t *seen = &chip.queues[number].seen;
    while (!chip.is_silent && *seen != atomic_load(&driver->index)) {
        const uint16_t head = atomic_load(&driver->ring[(*seen)++ % size]);
        const uint32_t written = serve_chain(descriptors, head);
        chip.queues[number].served++;
        const uint16_t index = atomic_load(&used->index);
        atomic_store(&used->ring[index % size].id, chip.lie_id == NOTHING ? head : chip.lie_id);
        atomic_store(&used->ring[index % size].size_bytes,
                     chip.lie_bytes == NOTHING ? written : chip.lie_bytes);
        atomic_store(&used->index, (uint16_t)(index + 1));
    }
}

static void device_write(void *context, uint32_t window, uint32_t at, uint32_t bytes,
                         uint32_t value) {
    CHECK(context == &chip && window == 0 && bytes == 4);
    switch (at) {
    case 0x014:
        chip.word = value;
        break;
    case 0x030:
        CHECK(value < QUEUES);
        chip.selected = value;
        break;
    case 0x038:
        chip.queues[chip.selected].size = value;
        break;
    case 0x050:
        CHECK((chip.status & 4) != 0 && value < QUEUES);
        work(value);
        break;
    case 0x070:
        chip.status = value == 0 && chip.refuses_reset ? chip.status : value;
        for (uint32_t i = 0; i < QUEUES && value == 0; i++) {
            chip.queues[i].seen = 0;
        }
        break;
    case 0x080:
    case 0x090:
    case 0x0a0:
        chip.queues[chip.selected].parts[(at - 0x80) / 0x10] = value;
        break;
    case 0x084:
    case 0x094:
    case 0x0a4:
        chip.queues[chip.selected].parts[(at - 0x84) / 0x10] |= (uint64_t)value << 32;
        break;
    }
}

// Tests
// ------------------------------------------------------------------------------------------------

static void completed(void *client, const struct block_completion *done, uint32_t count) {
    CHECK(client == &chip);
    empty_events += count == 0;
    lendings_at_event = host.lendings;
    for (uint32_t i = 0; i < count; i++) {
        ended[ended_count++ % 256] = done[i];
    }
}

static const struct block_events events = { .completed = completed };

// `dma_count`: blocks that the machine has for devices.
static void setup_poor(uint32_t queue_count, uint32_t message_count, uint32_t dma_count) {
    static const uint32_t config[] = { SECTORS * 8, 0, 0, 254, 0, SECTOR, 0, 0, 0, 16 };
    memset(&chip, 0, sizeof(chip));
    memcpy(chip.config, config, sizeof(config));
    chip.config[34] = (uint8_t)queue_count;
    chip.queue_count = queue_count;
    chip.lie_id = NOTHING;
    chip.lie_bytes = NOTHING;
    for (uint32_t i = 0; i < sizeof(chip.bytes); i++) {
        chip.bytes[i] = (uint8_t)(i / 512 + i);
    }
    ended_count = 0;
    empty_events = 0;
    device = (struct host_device){ .name = "virtio:2",
                                   .message_count = message_count != 0 ? QUEUES : 0,
                                   .message_lines = message_count,
                                   .window_bytes = { 0x100 + sizeof(chip.config) },
                                   .read = device_read,
                                   .write = device_write,
                                   .context = &chip };
    host_begin();
    host.cpu_count = CPUS;
    host.dma_left = dma_count;
    host_device_add(&device);
    CHECK(host_load() == HX_OK && HOST_BIND(block, "block.0", &ops) == HX_OK);
    self = host_instance("helix.block", "block.0");
    CHECK(ops.attach(self, &events, &chip) == HX_OK);
}

static void setup_many(uint32_t queue_count, uint32_t message_count) {
    setup_poor(queue_count, message_count, UINT32_MAX);
}

static void setup(void) {
    setup_many(0, 0);
}

static void teardown(void) {
    CHECK(host_unload() == HX_OK);
}

static void settle(void) {
    CHECK(host_interrupt(&device, 0));
}

static void message_come(uint32_t index) {
    CHECK(host_interrupt(&device, index));
}

static alignas(4096) uint8_t pages[4][PAGE_BYTES];
static void *const page_list[] = { pages[0], pages[1], pages[2], pages[3] };

static uint32_t read_one(uint64_t sector, uint32_t bytes, uint32_t page) {
    const struct block_transfer transfer = {
        .id = 7, .sector = sector, .bytes = bytes, .page = page
    };
    uint32_t accepted = 99;
    return ops.read(self, &transfer, 1, page_list, 4, &accepted) == HX_OK ? accepted : 0;
}

static void test_identify(void) {
    struct block_info info;
    setup();
    CHECK(ops.identify(self, &info) == HX_OK);
    CHECK(info.sectors == SECTORS && info.sector_bytes == SECTOR && info.discard_sectors == 2);
    CHECK(info.transfer_pages == 30 && info.marks == (BLOCK_FLUSHES | BLOCK_DISCARDS));
    teardown();
}

static void test_moves(void) {
    const struct block_transfer two[] = { { .id = 1, .sector = 3, .bytes = SECTOR, .page = 2 },
                                          { .id = 2, .sector = 8, .bytes = 2 * SECTOR } };
    uint32_t accepted = 0;
    setup();
    CHECK(ops.read(self, two, 2, page_list, 4, &accepted) == HX_OK && accepted == 2);
    settle();
    CHECK(ended_count == 2 && ended[0].id == 1 && ended[1].id == 2);
    CHECK(ended[0].outcome == BLOCK_DONE && ended[1].outcome == BLOCK_DONE);
    CHECK(memcmp(pages[2], chip.bytes + 3 * SECTOR, SECTOR) == 0);
    CHECK(memcmp(pages[0], chip.bytes + 8 * SECTOR, 2 * SECTOR) == 0);
    memset(pages[2], 0x77, SECTOR);
    CHECK(ops.write(self, two, 1, (const void *const *)page_list, 4, &accepted) == HX_OK);
    CHECK(ops.flush(self, 3) == HX_OK && ops.discard(self, 4, 62, 2) == HX_OK);
    settle();
    CHECK(ended_count == 5 && ended[4].id == 4 && ended[4].outcome == BLOCK_DONE);
    CHECK(chip.bytes[3 * SECTOR] == 0x77 && chip.bytes[4 * SECTOR - 1] == 0x77);
    CHECK(chip.flushes == 1 && chip.discarded == 2 * SECTOR / UNIT_BYTES);
    teardown();
}

// The caller is not trusted either.
static void test_bounds(void) {
    setup();
    CHECK(read_one(0, SECTOR, 0) == 1 && read_one(SECTORS - 1, SECTOR, 3) == 1);
    CHECK(read_one(SECTORS, SECTOR, 0) == 0 && read_one(SECTORS - 1, 2 * SECTOR, 0) == 0);
    CHECK(read_one(UINT64_MAX, SECTOR, 0) == 0);
    CHECK(read_one(0, 512, 0) == 0 && read_one(0, 0, 0) == 0);
    CHECK(read_one(0, SECTOR, 4) == 0 && read_one(0, 2 * SECTOR, 3) == 0);
    CHECK(read_one(0, 5 * SECTOR, 0) == 0 && read_one(0, UINT32_MAX & ~(SECTOR - 1), 0) == 0);
    CHECK(ops.discard(self, 1, SECTORS - 1, 2) == HX_ERR_IO);
    CHECK(ops.discard(self, 1, 0, 3) == HX_ERR_IO && ops.discard(self, 1, 0, 0) == HX_ERR_IO);
    settle();
    CHECK(ended_count == 2);
    teardown();
}

static void test_full(void) {
    uint32_t accepted = 0;
    setup();
    chip.is_silent = true;
    while (read_one(0, SECTOR, 0) == 1) {
        accepted++;
    }
    CHECK(accepted == 10); // of 32 descriptors three each
    CHECK(ops.flush(self, 1) == HX_OK && ops.flush(self, 1) == HX_ERR_WOULD_BLOCK);
    chip.is_silent = false;
    work(0);
    settle();
    CHECK(ended_count == 11 && read_one(0, SECTOR, 0) == 1);
    settle();
    teardown();
}

static void test_failures(void) {
    setup();
    chip.lie_status = 1;
    CHECK(read_one(0, SECTOR, 0) == 1);
    settle();
    CHECK(ended_count == 1 && ended[0].outcome == BLOCK_FAILED);
    chip.lie_status = 0;
    chip.lie_bytes = SECTOR; // the status, or a byte of the data, is missing
    CHECK(read_one(0, SECTOR, 0) == 1);
    settle();
    CHECK(ended_count == 2 && ended[1].outcome == BLOCK_FAILED);
    chip.lie_bytes = NOTHING;
    CHECK(read_one(0, SECTOR, 0) == 1);
    settle();
    CHECK(ended_count == 3 && ended[2].outcome == BLOCK_DONE);
    teardown();
}

// What makes no sense ends all that is under way, and the device works again.
static void lie(uint32_t id, uint32_t bytes) {
    setup();
    chip.is_silent = true;
    CHECK(read_one(0, SECTOR, 0) == 1 && read_one(1, SECTOR, 1) == 1);
    chip.is_silent = false;
    chip.lie_id = id;
    chip.lie_bytes = bytes;
    work(0);
    settle();
    CHECK(ended_count == 2);
    CHECK(ended[0].outcome == BLOCK_FAILED && ended[1].outcome == BLOCK_FAILED);
    chip.lie_id = NOTHING;
    chip.lie_bytes = NOTHING;
    CHECK(chip.status == 0xf && read_one(2, SECTOR, 2) == 1);
    settle();
    CHECK(ended_count == 3 && ended[2].outcome == BLOCK_DONE);
    CHECK(memcmp(pages[2], chip.bytes + 2 * SECTOR, SECTOR) == 0);
    teardown();
}

// A lie, and what came of the read that it answered.
static uint32_t lie_once(void) {
    ended_count = 0;
    chip.lie_bytes = UINT32_MAX - 1;
    CHECK(read_one(0, SECTOR, 0) == 1);
    settle();
    chip.lie_bytes = NOTHING;
    return ended_count == 1 ? ended[0].outcome : NOTHING;
}

// One that lies seldom is reset each time; one that does it again and again is given up.
static void test_liar(void) {
    struct disk *disk;
    setup();
    disk = self;
    for (uint32_t i = 0; i < 5 * LIES_MAX; i++) {
        host.time += LIE_NS;
        CHECK(lie_once() == BLOCK_FAILED && chip.status == 0xf);
    }
    for (uint32_t i = 1; i < LIES_MAX; i++) {
        CHECK(lie_once() == BLOCK_FAILED && chip.status == 0xf);
    }
    CHECK(empty_events == 6 * LIES_MAX - 1);
    CHECK(lie_once() == BLOCK_FAILED && chip.status == 0 && disk->queues[0].state == QUEUE_DEAD);
    host.time += 100 * LIE_NS;
    CHECK(read_one(0, SECTOR, 0) == 0 && ops.flush(self, 1) == HX_ERR_NO_DEVICE);
    CHECK(ops.reset(self) == HX_ERR_NO_DEVICE && chip.status == 0);
    settle();
    CHECK(chip.status == 0);
    teardown();
}

static uint32_t turned_away;

static void completed_busy(void *client, const struct block_completion *done, uint32_t count) {
    (void)client;
    (void)done;
    const struct block_transfer transfer = { .bytes = SECTOR };
    uint32_t accepted = 99;
    if (count != 0) { // in the middle of the reset
        turned_away += ops.read(self, &transfer, 1, page_list, 4, &accepted) == HX_OK &&
                       accepted == 0 && ops.flush(self, 1) == HX_ERR_WOULD_BLOCK &&
                       ops.discard(self, 1, 0, 1) == HX_ERR_WOULD_BLOCK;
    } else {
        turned_away +=
            ops.read(self, &transfer, 1, page_list, 4, &accepted) == HX_OK && accepted == 1;
    }
}

// Who comes while it is reset waits for the end.
static void test_meanwhile(void) {
    static const struct block_events busy = { .completed = completed_busy };
    setup();
    struct disk *disk = self;
    disk->events = &busy;
    chip.is_silent = true;
    CHECK(read_one(0, SECTOR, 0) == 1);
    CHECK(ops.reset(self) == HX_OK && turned_away == 2);
    disk->events = &events;
    teardown();
}

static void test_reset(void) {
    setup();
    chip.is_silent = true;
    CHECK(read_one(0, SECTOR, 0) == 1 && ops.flush(self, 8) == HX_OK);
    CHECK(ops.reset(self) == HX_OK && ended_count == 2);
    CHECK(ended[0].outcome == BLOCK_FAILED && ended[1].outcome == BLOCK_FAILED);
    chip.is_silent = false;
    CHECK(read_one(0, SECTOR, 0) == 1);
    settle();
    CHECK(ended_count == 3 && ended[2].outcome == BLOCK_DONE);
    teardown();
}

// The device has pages from when it is told of them until before the end is told.
static void test_lending(void) {
    setup();
    chip.is_silent = true;
    CHECK(read_one(0, SECTOR, 0) == 1 && host.lent_access == HX_DMA_WRITE);
    CHECK(read_one(1, 2 * SECTOR, 2) == 1 && ops.flush(self, 8) == HX_OK && host.lendings == 2);
    chip.is_silent = false;
    work(0);
    settle();
    CHECK(ended_count == 3 && lendings_at_event == 0 && host.lendings == 0);
    host.unmap_status = HX_ERR_IO;
    CHECK(read_one(0, SECTOR, 0) == 1);
    settle();
    CHECK(ended_count == 4 && ended[3].outcome == BLOCK_LOST);
    teardown();
}

static void test_lending_refused(void) {
    const struct block_transfer transfer = { .bytes = SECTOR };
    uint32_t accepted = 99;
    setup();
    host.map_status = HX_ERR_NO_MEMORY;
    CHECK(ops.read(self, &transfer, 1, page_list, 4, &accepted) == HX_ERR_NO_MEMORY);
    CHECK(accepted == 0);
    settle();
    CHECK(ended_count == 0);
    host.map_status = HX_OK;
    chip.is_silent = true;
    while (read_one(0, SECTOR, 0) == 1) {
    }
    CHECK(host.lendings == 10); // what had no room was given back
    teardown();
}

// What it was lent is taken back, whatever it does.
static void test_bound(void) {
    setup();
    chip.is_silent = true;
    device.is_bound = true;
    CHECK(read_one(0, SECTOR, 0) == 1);
    chip.refuses_reset = true;
    CHECK(ops.reset(self) == HX_ERR_IO);
    CHECK(ended_count == 1 && ended[0].outcome == BLOCK_FAILED && host.lendings == 0);
    teardown();
}

// The pages of a device that does not reset are its own for good.
static void test_lost(void) {
    uint32_t accepted;
    const struct block_transfer transfer = { .bytes = SECTOR };
    setup();
    chip.is_silent = true;
    CHECK(read_one(0, SECTOR, 0) == 1);
    chip.refuses_reset = true;
    CHECK(ops.reset(self) == HX_ERR_IO);
    CHECK(ended_count == 1 && ended[0].outcome == BLOCK_LOST);
    CHECK(ops.read(self, &transfer, 1, page_list, 4, &accepted) == HX_ERR_NO_DEVICE);
    CHECK(ops.flush(self, 1) == HX_ERR_NO_DEVICE);
    CHECK(ops.discard(self, 1, 0, 1) == HX_ERR_NO_DEVICE);
    teardown();
}

// As many queues as there are processors, each with its message; who is on a processor whose number
// is beyond them shares one.
static void test_queues(void) {
    setup_many(QUEUES, QUEUES);
    CHECK(((struct disk *)self)->queue_count == CPUS);
    for (host.cpu = 0; host.cpu < CPUS; host.cpu++) {
        CHECK(read_one(host.cpu, SECTOR, host.cpu) == 1);
    }
    CHECK(chip.queues[0].served == 1 && chip.queues[1].served == 1 && chip.queues[2].served == 1);
    message_come(1);
    CHECK(ended_count == 1);
    settle();
    CHECK(ended_count == 2);
    message_come(2);
    CHECK(ended_count == 3 && ended[2].outcome == BLOCK_DONE);
    CHECK(memcmp(pages[1], chip.bytes + SECTOR, SECTOR) == 0);
    host.cpu = 4;
    CHECK(read_one(0, SECTOR, 0) == 1 && ops.flush(self, 1) == HX_OK &&
          ops.discard(self, 1, 0, 1) == HX_OK);
    CHECK(chip.queues[1].served == 4);
    message_come(1);
    CHECK(ended_count == 6);
    teardown();
}

// Those without a message of their own share the first one; with a line, all do.
static void test_shared(uint32_t message_count) {
    setup_many(QUEUES, message_count);
    for (host.cpu = 0; host.cpu < CPUS; host.cpu++) {
        CHECK(read_one(host.cpu, SECTOR, host.cpu) == 1);
    }
    settle();
    CHECK(ended_count == (message_count == 2 ? 2 : 3));
    if (message_count == 2) {
        message_come(1);
    }
    CHECK(ended_count == 3);
    teardown();
}

// A device that has fewer than it says, and a machine that has no memory for all.
static void test_fewer(void) {
    last_room = 0;
    setup_many(CPUS, 0);
    CHECK(((struct disk *)self)->queue_count == CPUS - 1);
    teardown();
    last_room = 32;
    setup_poor(QUEUES, 0, 3);
    CHECK(((struct disk *)self)->queue_count == 1);
    host.cpu = 2;
    CHECK(read_one(0, SECTOR, 0) == 1 && chip.queues[0].served == 1);
    settle();
    CHECK(ended_count == 1);
    teardown();
}

// A lie on one queue ends what all had, once: what another one says of the same is not counted.
static void test_lie_beside(void) {
    setup_many(QUEUES, QUEUES);
    struct disk *disk = self;
    chip.is_silent = true;
    CHECK(read_one(0, SECTOR, 0) == 1);
    host.cpu = 2;
    CHECK(read_one(1, SECTOR, 1) == 1);
    chip.is_silent = false;
    chip.lie_bytes = UINT32_MAX - 1;
    work(2);
    chip.lie_bytes = NOTHING;
    message_come(2);
    CHECK(ended_count == 2 && disk->lies == 1 && empty_events == 1);
    CHECK(ended[0].outcome == BLOCK_FAILED && ended[1].outcome == BLOCK_FAILED);
    disk_mend(disk, &disk->queues[0], disk->queues[0].closed - 1);
    CHECK(disk->lies == 1 && empty_events == 1);
    for (host.cpu = 0; host.cpu < CPUS; host.cpu++) {
        CHECK(read_one(host.cpu, SECTOR, host.cpu) == 1);
    }
    settle();
    message_come(1);
    message_come(2);
    CHECK(ended_count == 5 && ended[4].outcome == BLOCK_DONE);
    teardown();
}

// Nothing goes to any queue of one that does not work any more, and nothing comes from there.
static void test_dead_beside(void) {
    setup_many(QUEUES, QUEUES);
    chip.is_silent = true;
    host.cpu = 1;
    CHECK(read_one(0, SECTOR, 0) == 1);
    chip.refuses_reset = true;
    CHECK(ops.reset(self) == HX_ERR_IO && ended_count == 1 && ended[0].outcome == BLOCK_LOST);
    chip.is_silent = false;
    work(1);
    message_come(1);
    CHECK(ended_count == 1 && empty_events == 1 && ((struct disk *)self)->lies == 0);
    for (host.cpu = 0; host.cpu < CPUS; host.cpu++) {
        CHECK(ops.flush(self, 1) == HX_ERR_NO_DEVICE);
    }
    teardown();
}

static void test_none(void) {
    host_begin();
    CHECK(host_load() == HX_OK && host_provided() == 0);
    host_begin();
    host_fail_nth(1);
    CHECK(host_load() == HX_ERR_NO_MEMORY && host.failed);
}

int main(void) {
    test_identify();
    test_moves();
    test_bounds();
    test_full();
    test_failures();
    lie(31, NOTHING);
    lie(32, NOTHING);
    lie(UINT32_MAX - 1, 0);
    lie(1, NOTHING); // in the middle of a chain
    lie(NOTHING, SECTOR + 2);
    test_liar();
    test_meanwhile();
    test_reset();
    test_lost();
    test_lending();
    test_lending_refused();
    test_bound();
    test_queues();
    test_shared(0);
    test_shared(1);
    test_shared(2);
    test_fewer();
    test_lie_beside();
    test_dead_beside();
    test_none();
    return check_result();
}
