// SPDX-License-Identifier: MIT OR Apache-2.0
// A device of the tree is one module's at a time: of claim.c, with stand-ins for what it calls.
#include "../claim.c"

#include <check.h>
#include <stdlib.h>

static const char one[] = "one", two[] = "two";
static uint32_t blocks;
static bool is_refused;

void *heap_alloc(size_t size_bytes, enum memory_mode mode) {
    (void)mode;
    void *block = is_refused ? NULL : malloc(size_bytes);
    blocks += block != NULL;
    return block;
}

void heap_free(void *block) {
    blocks -= block != NULL;
    free(block);
}

HX_ATTR(no_thread_safety_analysis) void spin_lock(struct spinlock *lock) {
    (void)lock;
}

HX_ATTR(no_thread_safety_analysis) void spin_unlock(struct spinlock *lock) {
    (void)lock;
}

static uint32_t maps;
static bool is_unmappable;
static uint8_t page[4];

volatile void *hal_device_map(struct paddr base, size_t size_bytes) {
    (void)size_bytes;
    maps += !is_unmappable;
    return is_unmappable ? NULL : &page[base.value >> 12];
}

static enum hx_status take_bytes(uint64_t base, size_t size_bytes, const char *owner) {
    const struct hal_device device = { .base = { base }, .size_bytes = size_bytes };
    volatile void *registers = NULL;
    enum hx_status status = claim_take(&device, owner, &registers);
    CHECK(registers == (status == HX_OK ? &page[base >> 12] : NULL));
    return status;
}

static enum hx_status take(uint64_t base, const char *owner) {
    return take_bytes(base, 0x100, owner);
}

// Once for all who have it, one after the other; who is refused it maps nothing.
static void registers_are_mapped_once(void) {
    claims_release(one);
    claims_release(two);
    CHECK(maps == 3);
    for (int i = 0; i < 100; i++) {
        CHECK(take(0x1000, one) == HX_OK && take(0x1000, two) == HX_ERR_BUSY);
        claims_release(one);
    }
    CHECK(maps == 3);
    CHECK(take_bytes(0x1000, 0x200, two) == HX_OK && maps == 4);
    claims_release(two);
    CHECK(take(0x1000, two) == HX_OK && maps == 4); // fewer of them: the same
    claims_release(two);
    is_unmappable = true;
    CHECK(take_bytes(0x1000, 0x300, one) == HX_ERR_NO_MEMORY);
    CHECK(take(0x1000, two) == HX_OK); // nobody had it, and what was mapped is good
    is_unmappable = false;
    claims_release(two);
}

// Two names may mean parts of one device: nobody has a byte of what another one has.
static void windows_do_not_overlap(void) {
    CHECK(take_bytes(0x1000, 0x1000, one) == HX_OK);
    CHECK(take_bytes(0x1ff0, 0x100, two) == HX_ERR_BUSY);
    CHECK(take_bytes(0xfff, 2, two) == HX_ERR_BUSY);
    CHECK(take_bytes(0, 0x4000, two) == HX_ERR_BUSY);
    CHECK(take_bytes(0x1800, 0, two) == HX_ERR_BUSY); // firmware gives no size: a byte
    CHECK(take_bytes(0, 0x1000, two) == HX_OK && take_bytes(0x2000, 0x1000, two) == HX_OK);
    claims_release(two);
    CHECK(take_bytes(1, UINT64_MAX, two) == HX_ERR_BUSY);
    claims_release(one);
    CHECK(take_bytes(0x1fff, UINT64_MAX, two) == HX_OK); // beyond 64 bits
    CHECK(take_bytes(0x2000, 0x100, one) == HX_ERR_BUSY && take(0x1000, one) == HX_OK);
    claims_release(one);
    claims_release(two);
    CHECK(take(0x1800, one) == HX_OK); // by its name of now, however much it had by another
    CHECK(take(0x1000, two) == HX_OK);
    claims_release(one);
    claims_release(two);
}

int main(void) {
    CHECK(take(0x1000, one) == HX_OK);
    CHECK(take(0x1000, two) == HX_ERR_BUSY);
    CHECK(take(0x1000, one) == HX_ERR_BUSY);
    CHECK(take(0x2000, two) == HX_OK && blocks == 2);
    is_refused = true;
    CHECK(take(0x3000, two) == HX_ERR_NO_MEMORY);
    is_refused = false;
    CHECK(take(0x3000, two) == HX_OK && blocks == 3);
    claims_release(one);
    CHECK(take(0x2000, one) == HX_ERR_BUSY); // the other's
    CHECK(take(0x1000, two) == HX_OK && blocks == 3);
    claims_release(two);
    CHECK(take(0x2000, one) == HX_OK && take(0x3000, one) == HX_OK && blocks == 3);
    registers_are_mapped_once();
    windows_do_not_overlap();
    return check_result();
}
