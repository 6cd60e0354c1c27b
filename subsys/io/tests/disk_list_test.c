// SPDX-License-Identifier: MIT OR Apache-2.0
// The list of disks while a disk comes: no partition is seen half made. Of src/disk.c, with
// stand-ins for what it calls; the list is looked at each time that a name is made.
#include <core/lock.h>
#include <io/block.h>
#include <lib/format.h>

static int watched_format(char *to, size_t capacity, const char *format, ...);
#define format_string watched_format
#include "../src/disk.c"
#undef format_string

#include <check.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

static struct gate gate, other_gate;
static uint32_t nodes, flushes, locked, ends;
static enum hx_status flush_status;

static void look(void) {
    struct block_line line;
    for (uint32_t i = 0; locked == 0 && block_line_at(i, &line); i++) {
        CHECK(strncmp(line.name, "vd", 2) == 0 && line.bytes != 0);
    }
}

static int watched_format(char *to, size_t capacity, const char *format, ...) {
    va_list list;
    look();
    va_start(list, format);
    const int length = (int)format_string_list(to, capacity, format, list);
    va_end(list);
    return length;
}

// What it calls -----------------------------------------------------------------------------------

_Atomic bool hosted_branches[TRACE_PARTS];

int64_t hal_gate_call(struct hal_gate *hal, int64_t (*method)(void *argument), void *argument) {
    (void)hal;
    return method(argument);
}

enum hx_status gate_call_slow(struct gate *slow, int64_t (*method)(void *argument),
                              void *argument) {
    (void)slow;
    (void)method;
    (void)argument;
    abort();
}

void trace_method(uint32_t port, uint32_t method) {
    (void)port;
    (void)method;
}

void trace_method_end(uint32_t port, uint32_t method, enum hx_status status) {
    (void)port;
    (void)method;
    (void)status;
}

void log_write(enum log_level level, const char *format, ...) {
    (void)level;
    (void)format;
}

void *heap_alloc(size_t size_bytes, enum memory_mode mode) {
    (void)mode;
    return calloc(1, size_bytes);
}

void *heap_alloc_zero(size_t size_bytes, enum memory_mode mode) {
    (void)mode;
    return calloc(1, size_bytes);
}

void heap_free(void *memory) {
    free(memory);
}

HX_ATTR(no_thread_safety_analysis) void mutex_lock(struct mutex *mutex) {
    (void)mutex;
    CHECK(locked++ == 0);
}

HX_ATTR(no_thread_safety_analysis) void mutex_unlock(struct mutex *mutex) {
    (void)mutex;
    locked--;
}

void mutex_init(struct mutex *mutex, const struct lock_class *lock_class) {
    (void)mutex;
    (void)lock_class;
}

void rwlock_init(struct rwlock *lock, const struct lock_class *lock_class) {
    (void)lock;
    (void)lock_class;
}

void spinlock_init(struct spinlock *lock, const struct lock_class *lock_class) {
    (void)lock;
    (void)lock_class;
}

void waitable_init(struct waitable *waitable, uint32_t state) {
    (void)waitable;
    (void)state;
}

enum hx_status port_installer_register(const struct port_used *port, port_installer_t install) {
    (void)port;
    (void)install;
    return HX_OK;
}

enum hx_status disk_files_init(void) {
    return HX_OK;
}

enum hx_status disk_nodes_add(const struct disk *disk) {
    nodes += disk->part_count;
    return HX_OK;
}

// While it is still in the list.
void disk_nodes_remove(const struct disk *disk) {
    struct block_line line;
    nodes -= disk->part_count;
    CHECK(block_line_at(0, &line));
}

void disk_end(struct disk *disk) {
    CHECK(locked == 0 && disk->users == 0 && disk->is_leaving);
    ends++;
}

const struct block_events disk_events = { 0 };

struct disk_io *disk_io_create(size_t size_bytes, bool is_write) {
    struct disk_io *io = calloc(1, sizeof(*io) + sizeof(io->pages[0]));
    CHECK(!is_write);
    io->pages[0] = calloc(1, size_bytes);
    return io;
}

void disk_io_put(struct disk_io *io) {
    free(io->pages[0]);
    free(io);
}

// An MBR with two partitions.
enum hx_status disk_transfer(struct disk *disk, struct disk_io *io, bool write, uint64_t sector,
                             size_t size_bytes) {
    static const uint32_t parts[] = { 63, 100, 200, 50 };
    uint8_t *bytes = io->pages[0];
    CHECK(!write && disk->self == &gate && size_bytes == 512);
    look();
    if (sector == 0) {
        for (uint32_t i = 0; i < 2; i++) {
            bytes[446 + 16 * i + 4] = 0x83;
            memcpy(bytes + 446 + 16 * i + 8, &parts[2 * i], 8);
        }
        bytes[510] = 0x55;
        bytes[511] = 0xaa;
    }
    return HX_OK;
}

enum hx_status disk_flush(struct disk *disk) {
    (void)disk;
    CHECK(locked == 0);
    flushes++;
    return flush_status;
}

static enum hx_status identify(void *self, struct block_info *out_info) {
    (void)self;
    *out_info = (struct block_info){ .sectors = 1000, .sector_bytes = 512, .transfer_pages = 4 };
    return HX_OK;
}

static enum hx_status attach(void *self, const struct block_events *events, void *client) {
    (void)self;
    (void)events;
    (void)client;
    return HX_OK;
}

// Never called: what stands for the rest is disk_transfer() and disk_flush().
static enum hx_status read_never(void *self, const struct block_transfer *transfers, uint32_t count,
                                 void *const *pages, uint32_t page_count, uint32_t *out_accepted) {
    (void)self;
    (void)transfers;
    (void)count;
    (void)pages;
    (void)page_count;
    (void)out_accepted;
    abort();
}

static enum hx_status write_never(void *self, const struct block_transfer *transfers,
                                  uint32_t count, const void *const *pages, uint32_t page_count,
                                  uint32_t *out_accepted) {
    return read_never(self, transfers, count, (void *const *)pages, page_count, out_accepted);
}

static enum hx_status flush_never(void *self, uint64_t id) {
    (void)self;
    (void)id;
    abort();
}

static enum hx_status reset_never(void *self) {
    (void)self;
    abort();
}

static const struct block_ops ops = { .attach = attach,
                                      .identify = identify,
                                      .read = read_never,
                                      .write = write_never,
                                      .flush = flush_never,
                                      .reset = reset_never };

// A disk whose users are gone goes, with its names; the next one that comes gets them.
static void test_leaves(const struct port_provider *provider) {
    struct block_line line;
    struct disk *disk, *again;
    struct disk_part *part;
    CHECK(disk_hold(1, &disk, &part) && strcmp(part->name, "vda1") == 0);
    CHECK(!disk_hold(3, &again, &part) &&
          !disk_hold(BLOCK_DISKS_MAX * BLOCK_MINORS, &again, &part));
    CHECK(block_leave(&gate, PORT_LEAVES) == HX_ERR_BUSY && disk_hold(0, &again, &part));
    disk_let_go(disk);
    CHECK(block_leave(&gate, PORT_LEAVES) == HX_ERR_BUSY);
    disk_let_go(again);
    CHECK(block_leave(&gate, PORT_LEAVES) == HX_OK && !disk_hold(0, &again, &part));
    CHECK(disk_hold(BLOCK_MINORS, &again, &part)); // the other one
    disk_let_go(again);
    CHECK(block_leave(&gate, PORT_STAYS) == HX_OK && disk_hold(0, &again, &part));
    disk_let_go(again);
    CHECK(block_leave(&gate, PORT_LEAVES) == HX_OK && block_leave(&gate, PORT_LEFT) == HX_OK);
    CHECK(ends == 1 && nodes == 3 && block_line_at(2, &line) && !block_line_at(3, &line));
    CHECK(block_line_at(0, &line) && strcmp(line.name, "vdb") == 0);
    flushes = 0;
    block_flush_all();
    CHECK(flushes == 1);
    CHECK(block_install(provider) == HX_OK && nodes == 6 && block_line_at(0, &line));
    CHECK(strcmp(line.name, "vda") == 0);
}

int main(void) {
    const struct port_provider provider = { .gate = &gate, .operations = &ops, .self = &gate };
    const struct port_provider other = { .gate = &other_gate, .operations = &ops, .self = &gate };
    struct block_line line;
    CHECK(block_install(&provider) == HX_OK && block_install(&other) == HX_OK);
    CHECK(nodes == 6 && block_line_at(5, &line) && !block_line_at(6, &line));
    CHECK(block_line_at(4, &line) && strcmp(line.name, "vdb1") == 0 && line.bytes == 100 * 512);
    block_flush_all();
    CHECK(flushes == 2);
    flush_status = HX_ERR_IO; // one that fails does not keep the others from it
    block_flush_all();
    CHECK(flushes == 4 && disks[0]->users == 0);
    test_leaves(&provider);
    for (uint32_t i = 0; i < 2; i++) {
        free(disks[i]);
    }
    return check_result();
}
