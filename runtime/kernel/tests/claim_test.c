// SPDX-License-Identifier: MIT OR Apache-2.0
// A device of the tree is one module's at a time: of claim.c, with stand-ins for what it calls.
#include "../claim.c"

#include <check.h>
#include <stdlib.h>

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

static enum hx_status take(uint64_t base, const char *owner) {
    return claim_take(paddr_make(base), owner);
}

int main(void) {
    static const char one[] = "one", two[] = "two";
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
    return check_result();
}
