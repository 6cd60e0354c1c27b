// SPDX-License-Identifier: MIT OR Apache-2.0
// skeleton_test.c: the module on this machine, called as the kernel would call it.
#include <helix/ports/block_port.h>
#include <host/host.h>

#include <check.h>
#include <string.h>

#define PAGES 3u

static struct block_ops ops;
static void *self;
static struct block_info info;
static alignas(4096) uint8_t memory[PAGES][4096];
static void *pages[PAGES] = { memory[0], memory[1], memory[2] };
static struct block_completion ended[4];
static uint32_t ended_count;

static void completed(void *client, const struct block_completion *done, uint32_t count) {
    CHECK(client == &info && host_locks_held() == 0);
    for (uint32_t i = 0; i < count; i++) {
        ended[ended_count++ % 4] = done[i];
    }
}

static const struct block_events events = { completed };

static void load(void) {
    CHECK(host_load() == HX_OK);
    CHECK(HOST_BIND(block, "skeleton", &ops) == HX_OK);
    self = host_instance("helix.block", "skeleton");
    CHECK(ops.attach(self, &events, &info) == HX_OK && ops.identify(self, &info) == HX_OK);
    ended_count = 0;
}

static void begin(void) {
    host_begin();
    load();
}

static void end(void) {
    CHECK(host_unload() == HX_OK && host.blocks == 0);
}

// The outcome of one transfer; more than one event for it is none.
static enum block_outcome one(bool is_write, uint64_t sector, uint32_t bytes, uint32_t page) {
    const struct block_transfer transfer = { 77, sector, bytes, page };
    uint32_t accepted = 0;
    ended_count = 0;
    enum hx_status status =
        is_write ? ops.write(self, &transfer, 1, (const void *const *)pages, PAGES, &accepted)
                 : ops.read(self, &transfer, 1, pages, PAGES, &accepted);
    CHECK(status == HX_OK && accepted == 1 && ended_count == 1 && ended[0].id == 77);
    return ended[0].outcome;
}

static void test_moves(void) {
    begin();
    memset(memory, 0x5a, sizeof(memory));
    CHECK(one(true, 5, 4096 + 512, 1) == BLOCK_DONE); // a page, and a sector of the next
    memset(memory, 1, sizeof(memory));
    CHECK(one(false, 4, 3 * 512, 0) == BLOCK_DONE);
    CHECK(memory[0][0] == 0 && memory[0][511] == 0 && memory[0][512] == 0x5a);
    CHECK(memory[0][3 * 512] == 1); // no more than it was asked for
    CHECK(one(false, 5, 3 * 4096, 0) == BLOCK_DONE);
    CHECK(memory[1][511] == 0x5a && memory[1][512] == 0);
    end();
}

// What was written is there in the next life; a write that ends in the middle was none.
static void test_outlives(void) {
    begin();
    memset(memory, 0x5a, sizeof(memory));
    CHECK(one(true, 7, 2 * 4096, 0) == BLOCK_DONE);
    host_die();
    load();
    memset(memory, 1, sizeof(memory));
    CHECK(one(false, 6, 2 * 4096 + 1024, 0) == BLOCK_DONE);
    CHECK(memory[0][511] == 0 && memory[0][512] == 0x5a && memory[2][511] == 0x5a);
    CHECK(memory[2][512] == 0);
    end();
}

static void test_bounds(void) {
    begin();
    const uint64_t last = info.sectors - 1;
    CHECK(one(false, last, 512, 0) == BLOCK_DONE && one(true, last, 512, 0) == BLOCK_DONE);
    CHECK(one(false, last, 1024, 0) == BLOCK_FAILED);
    CHECK(one(true, last + 1, 512, 0) == BLOCK_FAILED);
    CHECK(one(true, UINT64_MAX, 512, 0) == BLOCK_FAILED);
    CHECK(one(false, 0, 0, 0) == BLOCK_FAILED && one(false, 0, 100, 0) == BLOCK_FAILED);
    CHECK(one(false, 0, 512, PAGES) == BLOCK_FAILED);
    CHECK(one(false, 0, 4096 + 512, PAGES - 1) == BLOCK_FAILED);
    end();
}

static void test_batches(void) {
    const struct block_transfer batch[2] = { { 1, 0, 512, 0 }, { 2, 0, 512, PAGES } };
    uint32_t accepted = 0;
    begin();
    CHECK(ops.read(self, batch, 2, pages, PAGES, &accepted) == HX_OK && accepted == 2);
    CHECK(ended_count == 2 && ended[0].id == 1 && ended[0].outcome == BLOCK_DONE);
    CHECK(ended[1].id == 2 && ended[1].outcome == BLOCK_FAILED);
    CHECK(ops.flush(self, 3) == HX_OK && ended_count == 3 && ended[2].id == 3);
    CHECK(ops.discard(self, 4, 0, 1) == HX_ERR_NOT_SUPPORTED && ended_count == 3);
    CHECK(ops.reset(self) == HX_OK && ended_count == 3);
    end();
}

int main(void) {
    test_moves();
    test_outlives();
    test_bounds();
    test_batches();
    CHECK(host_load_failing(NULL, NULL, false) >= 3); // a block, the update, the port
    return check_result();
}
