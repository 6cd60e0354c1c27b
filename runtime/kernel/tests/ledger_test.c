// SPDX-License-Identifier: MIT OR Apache-2.0
// What a module holds is given back whole, once, whatever allocation was refused: of ledger.c, with
// stand-ins for what it calls.
#include "../ledger.c"

#include <check.h>
#include <stdlib.h>

#define FRAMES 16u

uint64_t hosted_direct_base;

static uint8_t memory[FRAMES * PAGE_SIZE] __attribute__((aligned(4096)));
static struct frame frames[FRAMES];
static uint32_t frame_used[FRAMES];  // 1: somebody has it
static uint32_t blocks;              // of the heap
static uint32_t allocation, refused; // the number of the last one, and of the one that is refused

static bool is_refused(void) {
    return ++allocation == refused;
}

// What it calls -----------------------------------------------------------------------------------

void *heap_alloc(size_t size_bytes, enum memory_mode mode) {
    (void)mode;
    void *block = is_refused() ? NULL : malloc(size_bytes);
    blocks += block != NULL;
    return block;
}

void *heap_alloc_zero(size_t size_bytes, enum memory_mode mode) {
    (void)mode;
    void *block = is_refused() ? NULL : calloc(1, size_bytes);
    blocks += block != NULL;
    return block;
}

void heap_free(void *block) {
    blocks -= block != NULL;
    free(block);
}

bool heap_can_read(const void *bytes, size_t size_bytes) {
    (void)size_bytes;
    return (uintptr_t)bytes > 4 * PAGE_SIZE; // all but what no program has
}

struct frame *frame_alloc_order(uint32_t order, enum memory_mode mode) {
    (void)mode;
    const uint32_t count = 1u << order;
    if (is_refused()) {
        return NULL;
    }
    for (uint32_t first = 0; first + count <= FRAMES; first += count) {
        if (frame_used[first] == 0) {
            frame_used[first] = 1;
            return &frames[first];
        }
    }
    return NULL;
}

struct frame *frame_of(struct paddr address) {
    return &frames[address.value >> PAGE_SHIFT];
}

void frame_put(struct frame *frame) {
    CHECK(frame_used[frame - frames] == 1);
    frame_used[frame - frames] = 0;
}

HX_ATTR(no_thread_safety_analysis) void spin_lock(struct spinlock *lock) {
    (void)lock;
}

HX_ATTR(no_thread_safety_analysis) void spin_unlock(struct spinlock *lock) {
    (void)lock;
}

void spinlock_init(struct spinlock *lock, const struct lock_class *lock_class) {
    (void)lock;
    (void)lock_class;
}

// Tests -------------------------------------------------------------------------------------------

static uint32_t frames_held(void) {
    uint32_t held = 0;
    for (uint32_t i = 0; i < FRAMES; i++) {
        held += frame_used[i];
    }
    return held;
}

// What a driver does; what is refused to it is left out.
static void take_some(struct ledger *ledger) {
    void *held[6];
    for (uint32_t i = 0; i < ARRAY_SIZE(held); i++) {
        held[i] = i % 2 == 0 ? ledger_alloc(ledger, 100 * i + 1) : ledger_pages_alloc(ledger, 1);
        CHECK(held[i] == NULL || ((uintptr_t)held[i] % 16 == 0 && *(uint8_t *)held[i] == 0));
        if (held[i] != NULL) {
            memset(held[i], 0x5a, 100 * (size_t)i + 1);
        }
    }
    CHECK(ledger_free(ledger, held[2])); // some of it, in the middle
    if (held[3] != NULL) {
        ledger_pages_free(ledger, held[3], false);
        ledger_pages_free(ledger, held[3], false); // and once is enough
    }
}

static uint32_t live_and_die(uint32_t nth) {
    struct ledger ledger;
    ledger_init(&ledger);
    allocation = 0;
    refused = nth;
    take_some(&ledger);
    CHECK(ledger_held(&ledger) == (nth == 0 ? 4 : ledger_held(&ledger)));
    CHECK(ledger_held(&ledger) <= blocks);
    ledger_release(&ledger, true);
    CHECK(ledger_held(&ledger) == 0 && blocks == 0 && frames_held() == 0);
    return allocation;
}

// What it does not have is refused, and nothing is done.
static void test_foreign(void) {
    struct ledger ledger, other;
    uint64_t local[16] __attribute__((aligned(16))) = { 0 };
    ledger_init(&ledger);
    ledger_init(&other);
    allocation = refused = 0;
    uint8_t *block = ledger_alloc(&ledger, 256);
    CHECK(block != NULL);
    CHECK(ledger_free(&ledger, NULL));
    CHECK(!ledger_free(&other, block));
    CHECK(!ledger_free(&ledger, block + 8) && !ledger_free(&ledger, block + 64));
    CHECK(!ledger_free(&ledger, local + 8));
    CHECK(!ledger_free(&ledger, (void *)(uintptr_t)0x1000));
    CHECK(ledger_held(&ledger) == 1 && ledger_held(&other) == 0);
    CHECK(ledger_free(&ledger, block));
    CHECK(ledger_held(&ledger) == 0 && blocks == 0);
}

static void test_each_refused(void) {
    const uint32_t allocations = live_and_die(0);
    CHECK(allocations >= 6);
    for (uint32_t nth = 1; nth <= allocations; nth++) {
        live_and_die(nth);
    }
}

// What a device may go on to use is never anybody else's.
static void test_lost(void) {
    struct ledger ledger;
    ledger_init(&ledger);
    allocation = refused = 0;
    CHECK(ledger_pages_alloc(&ledger, 0) != NULL && ledger_alloc(&ledger, 10) != NULL);
    void *pages = ledger_pages_alloc(&ledger, 0);
    CHECK(pages != NULL);
    ledger_pages_free(&ledger, pages, true);
    CHECK(ledger_held(&ledger) == 2 && frames_held() == 2);
    ledger_release(&ledger, false);
    CHECK(ledger_held(&ledger) == 0 && blocks == 0 && frames_held() == 2);
}

static void test_too_large(void) {
    struct ledger ledger;
    ledger_init(&ledger);
    CHECK(ledger_alloc(&ledger, SIZE_MAX) == NULL && ledger_held(&ledger) == 0);
}

int main(void) {
    hosted_direct_base = (uint64_t)(uintptr_t)memory;
    for (uint32_t i = 0; i < FRAMES; i++) {
        frames[i].number = i;
    }
    test_each_refused();
    test_lost();
    test_too_large();
    test_foreign();
    return check_result();
}
