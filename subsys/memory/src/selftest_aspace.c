// SPDX-License-Identifier: MIT OR Apache-2.0
// selftest_aspace.c: address spaces, one test after the other: mapping, faults, clones, cuts.
#include "selftest.h"

#include <core/capability.h>
#include <core/cpu.h>
#include <hal/cpu.h>
#include <lib/string.h>

#define RW (ASPACE_READ | ASPACE_WRITE)

static uint32_t mappings(struct aspace *aspace) {
    uint32_t count = 0;
    struct mapping_info info = { 0 };
    while (aspace_next_mapping(aspace, info.end, &info)) {
        if (info.file != NULL) {
            object_put(info.file);
        }
        count++;
    }
    return count;
}

static enum hx_status unmap(struct aspace *aspace, uint64_t start, uint64_t pages) {
    return aspace_unmap(aspace, uaddr_make(start), pages * PAGE_SIZE);
}

static bool test_map(void) {
    struct aspace *aspace = aspace_create(&account_root);
    uint64_t at;
    CHECK(aspace != NULL && memtest_map(aspace, 16 * PAGE_SIZE, &at));
    CHECK(aspace_fault(aspace, at, ASPACE_READ) == HX_OK); // the zero page
    CHECK(aspace_fault(aspace, at + 5, ASPACE_WRITE) == HX_OK);
    CHECK(aspace_fault(aspace, at, ASPACE_EXECUTE) == HX_ERR_ACCESS_DENIED);
    CHECK(aspace_fault(aspace, at + 16 * PAGE_SIZE, ASPACE_READ) == HX_ERR_BAD_ADDRESS);
    CHECK(aspace_fault(aspace, UINT64_MAX, ASPACE_READ) == HX_ERR_BAD_ADDRESS);
    CHECK(aspace_resident_pages(aspace) == 1);
    for (uint64_t i = 16; i-- > 0;) { // downward, so that frames do not follow in the same order
        CHECK(memtest_poke(aspace, at + i * PAGE_SIZE, i));
    }
    // Across the end of a page, and so of a frame.
    CHECK(memtest_poke(aspace, at + 2 * PAGE_SIZE - 4, 0x1111111122222222));
    CHECK(memtest_peek(aspace, at + 2 * PAGE_SIZE, 0x11111111));
    CHECK(memtest_poke(aspace, at + 2 * PAGE_SIZE, 2));
    // A hole in the middle: three pieces, the middle one empty.
    CHECK(unmap(aspace, at + 4 * PAGE_SIZE, 4) == HX_OK && mappings(aspace) == 2);
    CHECK(aspace_fault(aspace, at + 4 * PAGE_SIZE, ASPACE_READ) == HX_ERR_BAD_ADDRESS);
    CHECK(memtest_peek(aspace, at + 3 * PAGE_SIZE, 3) &&
          memtest_peek(aspace, at + 8 * PAGE_SIZE, 8));
    CHECK(aspace_virtual_pages(aspace) == 12 && aspace_resident_pages(aspace) == 12);
    // Filled again: fresh zeroes.
    struct aspace_map_request request = { .hint = uaddr_make(at + 4 * PAGE_SIZE),
                                          .size_bytes = 4 * PAGE_SIZE,
                                          .protection = RW,
                                          .flags = ASPACE_FIXED | ASPACE_NOREPLACE };
    struct uaddr result;
    CHECK(aspace_map(aspace, &request, &result) == HX_OK);
    CHECK(memtest_peek(aspace, at + 5 * PAGE_SIZE, 0));
    CHECK(aspace_map(aspace, &request, &result) == HX_ERR_EXISTS);
    request.flags = ASPACE_FIXED;
    request.hint = uaddr_make(at);
    CHECK(aspace_map(aspace, &request, &result) == HX_OK && memtest_peek(aspace, at, 0));
    CHECK(unmap(aspace, 0x10000, (HAL_USER_END - 0x10000) >> PAGE_SHIFT) == HX_OK);
    CHECK(mappings(aspace) == 0 && aspace_virtual_pages(aspace) == 0);
    CHECK(aspace_resident_pages(aspace) == 0);
    aspace_put(aspace);
    return true;
}

static bool test_refusals(void) {
    struct aspace *aspace = aspace_create(&account_root);
    struct uaddr result;
    CHECK(aspace != NULL);
    struct aspace_map_request request = { .size_bytes = PAGE_SIZE,
                                          .protection = RW | ASPACE_EXECUTE };
    CHECK(aspace_map(aspace, &request, &result) == HX_ERR_ACCESS_DENIED);
    request.protection = RW;
    request.protection_max = ASPACE_READ;
    CHECK(aspace_map(aspace, &request, &result) == HX_ERR_ACCESS_DENIED);
    request.protection = ASPACE_READ;
    CHECK(aspace_map(aspace, &request, &result) == HX_OK);
    CHECK(aspace_protect(aspace, result, PAGE_SIZE, RW) == HX_ERR_ACCESS_DENIED);
    CHECK(aspace_protect(aspace, result, 2 * PAGE_SIZE, ASPACE_READ) == HX_ERR_NO_MEMORY);
    request.protection_max = 0; // all three, but not two of them at once
    CHECK(aspace_map(aspace, &request, &result) == HX_OK);
    CHECK(aspace_protect(aspace, result, PAGE_SIZE, RW | ASPACE_EXECUTE) == HX_ERR_ACCESS_DENIED);
    CHECK(unmap(aspace, result.value, 1) == HX_OK);
    CHECK(aspace_protect(aspace, uaddr_make(result.value + 1), 1, ASPACE_READ) == HX_ERR_INVALID);
    request = (struct aspace_map_request){ .size_bytes = 0 };
    CHECK(aspace_map(aspace, &request, &result) == HX_ERR_INVALID);
    request.size_bytes = UINT64_MAX - 5;
    CHECK(aspace_map(aspace, &request, &result) == HX_ERR_NO_MEMORY);
    request = (struct aspace_map_request){ .size_bytes = PAGE_SIZE, .flags = ASPACE_FIXED };
    CHECK(aspace_map(aspace, &request, &result) == HX_ERR_ACCESS_DENIED); // page 0
    request.hint = uaddr_make(HAL_USER_END);
    CHECK(aspace_map(aspace, &request, &result) == HX_ERR_NO_MEMORY);
    CHECK(unmap(aspace, HAL_USER_END, 1) == HX_ERR_INVALID);
    aspace->limit_pages = 5;
    request = (struct aspace_map_request){ .size_bytes = 5 * PAGE_SIZE };
    CHECK(aspace_map(aspace, &request, &result) == HX_ERR_NO_MEMORY);
    request.size_bytes = 4 * PAGE_SIZE;
    request.flags = ASPACE_LOW_32;
    CHECK(aspace_map(aspace, &request, &result) == HX_OK && result.value < ASPACE_LOW_END);
    CHECK(aspace_fault(aspace, result.value, ASPACE_READ) == HX_ERR_ACCESS_DENIED);
    aspace_put(aspace);
    return true;
}

static bool test_merge(void) {
    struct aspace *aspace = aspace_create(&account_root);
    struct uaddr result;
    CHECK(aspace != NULL);
    // A heap that grows page by page stays one mapping, touched or not.
    for (uint64_t i = 0; i < 40; i++) {
        struct aspace_map_request request = { .hint = uaddr_make(0x1000000 + i * PAGE_SIZE),
                                              .size_bytes = PAGE_SIZE,
                                              .protection = RW,
                                              .flags = ASPACE_FIXED,
                                              .label = NULL };
        CHECK(aspace_map(aspace, &request, &result) == HX_OK);
        CHECK(i % 3 != 0 || memtest_poke(aspace, result.value, i + 1));
    }
    CHECK(mappings(aspace) == 1);
    // Protecting the middle splits; giving the rights back joins.
    uint64_t middle = 0x1000000 + 10 * PAGE_SIZE;
    CHECK(aspace_protect(aspace, uaddr_make(middle), 5 * PAGE_SIZE, ASPACE_READ) == HX_OK);
    CHECK(mappings(aspace) == 3);
    CHECK(aspace_fault(aspace, middle, ASPACE_WRITE) == HX_ERR_ACCESS_DENIED);
    CHECK(aspace_fault(aspace, middle, ASPACE_READ) == HX_OK);
    CHECK(aspace_protect(aspace, uaddr_make(middle), 5 * PAGE_SIZE, 0) == HX_OK);
    CHECK(aspace_fault(aspace, middle, ASPACE_READ) == HX_ERR_ACCESS_DENIED);
    CHECK(aspace_protect(aspace, uaddr_make(middle), 5 * PAGE_SIZE, RW) == HX_OK);
    CHECK(mappings(aspace) == 1);
    for (uint64_t i = 0; i < 40; i++) {
        CHECK(memtest_peek(aspace, 0x1000000 + i * PAGE_SIZE, i % 3 == 0 ? i + 1 : 0));
    }
    // Forgotten pages read as zero.
    CHECK(aspace_advise(aspace, uaddr_make(middle), PAGE_SIZE * 3, ASPACE_ADVICE_DONTNEED) ==
          HX_OK);
    CHECK(memtest_peek(aspace, middle + 2 * PAGE_SIZE, 0) &&
          memtest_peek(aspace, middle + 5 * PAGE_SIZE, 16));
    aspace_put(aspace);
    return true;
}

static bool test_clone(void) {
    struct aspace *parent = aspace_create(&account_root);
    uint64_t at;
    uint64_t wiped;
    uint64_t gone;
    CHECK(parent != NULL && memtest_map(parent, 200 * PAGE_SIZE, &at));
    // Each of another kind than its neighbour, so that they stay apart.
    CHECK(memtest_map(parent, 2 * PAGE_SIZE, &wiped) && memtest_poke(parent, wiped, 1));
    CHECK(aspace_advise(parent, uaddr_make(wiped), PAGE_SIZE, ASPACE_ADVICE_WIPEONFORK) == HX_OK);
    gone = wiped + PAGE_SIZE;
    CHECK(aspace_advise(parent, uaddr_make(gone), PAGE_SIZE, ASPACE_ADVICE_DONTFORK) == HX_OK);
    for (uint64_t i = 0; i < 200; i += 3) {
        CHECK(memtest_poke(parent, at + i * PAGE_SIZE, i));
        CHECK(memtest_poke(parent, at + (i + 1) * PAGE_SIZE - 8, ~i));
    }
    CHECK(aspace_protect(parent, uaddr_make(at + 9 * PAGE_SIZE), PAGE_SIZE, ASPACE_READ) == HX_OK);
    struct aspace *child = aspace_clone(parent, &account_root);
    CHECK(child != NULL && aspace_virtual_pages(child) == 201);
    CHECK(memtest_peek(child, wiped, 0) && memtest_peek(parent, wiped, 1));
    CHECK(aspace_fault(child, gone, ASPACE_READ) == HX_ERR_BAD_ADDRESS);
    struct aspace *grandchild = aspace_clone(child, &account_root);
    CHECK(grandchild != NULL);
    for (uint64_t i = 0; i < 200; i += 6) { // each sees only its own stores
        CHECK(aspace_fault(child, at + i * PAGE_SIZE, ASPACE_READ) == HX_OK);
        CHECK(memtest_poke(child, at + i * PAGE_SIZE, 1000 + i));
        CHECK(memtest_peek(parent, at + i * PAGE_SIZE, i));
        CHECK(memtest_poke(parent, at + i * PAGE_SIZE, 2000 + i));
        CHECK(memtest_peek(grandchild, at + i * PAGE_SIZE, i));
        CHECK(memtest_peek(child, at + (i + 1) * PAGE_SIZE - 8, ~i)); // the rest of the page
        CHECK(memtest_peek(parent, at + (i + 1) * PAGE_SIZE - 8, ~i));
    }
    CHECK(memtest_poke(grandchild, at + PAGE_SIZE, 7) && memtest_peek(child, at + PAGE_SIZE, 0));
    aspace_put(parent);
    for (uint64_t i = 0; i < 200; i += 3) {
        CHECK(memtest_peek(child, at + i * PAGE_SIZE, i % 6 == 0 ? 1000 + i : i));
        CHECK(memtest_poke(grandchild, at + i * PAGE_SIZE, 3000 + i));
    }
    aspace_put(child);
    CHECK(memtest_peek(grandchild, at + 6 * PAGE_SIZE, 3006));
    aspace_clear(grandchild);
    CHECK(mappings(grandchild) == 0 && aspace_resident_pages(grandchild) == 0);
    CHECK(aspace_fault(grandchild, at, ASPACE_READ) == HX_ERR_BAD_ADDRESS);
    aspace_put(grandchild);
    return true;
}

// The same file shared, private, and private in a clone; then it is cut.
static bool test_file(void) {
    struct aspace *aspace = aspace_create(&account_root);
    struct memory_object *file = memory_object_create_plain(&account_root, 20 * PAGE_SIZE);
    CHECK(aspace != NULL && file != NULL);
    for (uint64_t i = 0; i < 20; i++) {
        CHECK(memory_object_write(file, i * PAGE_SIZE, &i, sizeof i) == HX_OK);
    }
    struct aspace_map_request request = { .size_bytes = 24 * PAGE_SIZE,
                                          .protection = RW,
                                          .object = file };
    struct uaddr private;
    struct uaddr shared;
    CHECK(aspace_map(aspace, &request, &private) == HX_OK);
    request.flags = ASPACE_SHARED;
    CHECK(aspace_map(aspace, &request, &shared) == HX_OK);
    CHECK(aspace_fault(aspace, private.value, ASPACE_READ) == HX_OK);
    CHECK(aspace_resident_pages(aspace) > 1); // neighbours came along
    CHECK(memtest_poke(aspace, private.value + 3 * PAGE_SIZE, 333));
    CHECK(memtest_poke(aspace, private.value + 15 * PAGE_SIZE, 1515));
    CHECK(memtest_peek(aspace, shared.value + 3 * PAGE_SIZE, 3));
    CHECK(memtest_poke(aspace, shared.value + 4 * PAGE_SIZE, 444));
    CHECK(memtest_peek(aspace, private.value + 4 * PAGE_SIZE, 444));
    CHECK(aspace_fault(aspace, shared.value + 20 * PAGE_SIZE, ASPACE_READ) == HX_ERR_OVERFLOW);
    struct aspace *child = aspace_clone(aspace, &account_root);
    CHECK(child != NULL && memtest_poke(child, shared.value + 5 * PAGE_SIZE, 555));
    CHECK(memtest_peek(aspace, shared.value + 5 * PAGE_SIZE, 555));
    CHECK(memtest_peek(child, private.value + 15 * PAGE_SIZE, 1515));
    memory_object_truncate(file, 10 * PAGE_SIZE);
    CHECK(memory_object_resident(file) == 10);
    CHECK(aspace_fault(aspace, private.value + 15 * PAGE_SIZE, ASPACE_READ) == HX_ERR_OVERFLOW);
    CHECK(aspace_fault(child, private.value + 15 * PAGE_SIZE, ASPACE_WRITE) == HX_ERR_OVERFLOW);
    CHECK(aspace_fault(aspace, shared.value + 12 * PAGE_SIZE, ASPACE_WRITE) == HX_ERR_OVERFLOW);
    CHECK(memtest_peek(aspace, private.value + 3 * PAGE_SIZE, 333));
    // Grown again: zeroes, also where a private copy had been.
    memory_object_truncate(file, 20 * PAGE_SIZE);
    CHECK(memtest_peek(aspace, private.value + 15 * PAGE_SIZE, 0));
    CHECK(memtest_peek(child, shared.value + 15 * PAGE_SIZE, 0));
    // A punched hole is seen by all but private copies.
    memory_object_drop(file, 3, 3);
    CHECK(memtest_peek(aspace, shared.value + 4 * PAGE_SIZE, 0));
    CHECK(memtest_peek(child, private.value + 4 * PAGE_SIZE, 0));
    CHECK(memtest_peek(aspace, private.value + 3 * PAGE_SIZE, 333));
    memory_object_put(file);
    aspace_put(aspace);
    aspace_put(child);
    return true;
}

// Where threads may be that reach an object: nowhere, where the address space is loaded, or, if
// there are many mappings, anywhere.
static bool test_processors(void) {
    struct aspace *aspace = aspace_create(&account_root);
    struct memory_object *object = memory_object_create_plain(&account_root, PAGE_SIZE);
    struct aspace_map_request request = {
        .size_bytes = PAGE_SIZE, .protection = RW, .flags = ASPACE_SHARED, .object = object
    };
    struct uaddr at;
    CHECK(aspace != NULL && object != NULL);
    CHECK(memory_object_processors(object) == 0);
    CHECK(aspace_map(aspace, &request, &at) == HX_OK);
    CHECK(memory_object_processors(object) == 0);
    hal_irq_off();
    core_aspace_activate(&aspace->core); // stays until another one is loaded there
    const uint64_t here = UINT64_C(1) << cpu_id();
    hal_irq_on();
    CHECK(memory_object_processors(object) == here);
    for (uint32_t i = 0; i < 16; i++) {
        CHECK(aspace_map(aspace, &request, &at) == HX_OK);
    }
    CHECK(memory_object_processors(object) == cpu_online_mask());
    aspace_put(aspace);
    CHECK(memory_object_processors(object) == 0);
    memory_object_put(object);
    return true;
}

static bool test_remap(void) {
    struct aspace *aspace = aspace_create(&account_root);
    uint64_t at;
    uint64_t wall;
    struct uaddr moved = uaddr_make(0);
    CHECK(aspace != NULL && memtest_map(aspace, 8 * PAGE_SIZE, &wall));
    CHECK(memtest_map(aspace, 4 * PAGE_SIZE, &at));
    CHECK(aspace_protect(aspace, uaddr_make(wall), PAGE_SIZE, ASPACE_READ) == HX_OK);
    for (uint64_t i = 0; i < 4; i++) {
        CHECK(memtest_poke(aspace, at + i * PAGE_SIZE, i + 10));
    }
    CHECK(aspace_remap(aspace, uaddr_make(at), 4 * PAGE_SIZE, 8 * PAGE_SIZE, 0, &moved) ==
          HX_ERR_NO_MEMORY);
    CHECK(aspace_remap(aspace, uaddr_make(at), 4 * PAGE_SIZE, 8 * PAGE_SIZE, ASPACE_REMAP_MOVE,
                       &moved) == HX_OK);
    CHECK(moved.value != at && aspace_fault(aspace, at, ASPACE_READ) == HX_ERR_BAD_ADDRESS);
    for (uint64_t i = 0; i < 8; i++) {
        CHECK(memtest_peek(aspace, moved.value + i * PAGE_SIZE, i < 4 ? i + 10 : 0));
    }
    CHECK(aspace_remap(aspace, moved, 8 * PAGE_SIZE, 2 * PAGE_SIZE, 0, &moved) == HX_OK);
    CHECK(aspace_fault(aspace, moved.value + 2 * PAGE_SIZE, ASPACE_READ) == HX_ERR_BAD_ADDRESS);
    CHECK(aspace_remap(aspace, moved, 2 * PAGE_SIZE, 6 * PAGE_SIZE, 0, &moved) == HX_OK);
    CHECK(memtest_peek(aspace, moved.value + 3 * PAGE_SIZE, 0));
    struct uaddr fixed = uaddr_make(0x40000000);
    CHECK(aspace_remap(aspace, uaddr_make(moved.value + PAGE_SIZE), PAGE_SIZE, PAGE_SIZE,
                       ASPACE_REMAP_MOVE | ASPACE_REMAP_FIXED, &fixed) == HX_OK);
    CHECK(memtest_peek(aspace, 0x40000000, 11) && memtest_peek(aspace, moved.value, 10));
    // What stays at the old place counts towards the limit.
    aspace->limit_pages = aspace->mapped_pages;
    CHECK(aspace_remap(aspace, fixed, PAGE_SIZE, PAGE_SIZE, ASPACE_REMAP_MOVE | ASPACE_REMAP_LEAVE,
                       &moved) == HX_ERR_NO_MEMORY);
    aspace->limit_pages++;
    CHECK(aspace_remap(aspace, fixed, PAGE_SIZE, PAGE_SIZE, ASPACE_REMAP_MOVE | ASPACE_REMAP_LEAVE,
                       &moved) == HX_OK);
    CHECK(memtest_peek(aspace, moved.value, 11) && memtest_peek(aspace, fixed.value, 0));
    CHECK(aspace_remap(aspace, uaddr_make(0x5000), PAGE_SIZE, PAGE_SIZE, ASPACE_REMAP_MOVE,
                       &moved) == HX_ERR_BAD_ADDRESS);
    aspace_put(aspace);
    return true;
}

static bool test_stack(void) {
    struct aspace *aspace = aspace_create(&account_root);
    CHECK(aspace != NULL);
    uint64_t top = HAL_USER_END - PAGE_SIZE;
    aspace->stack_limit_bytes = 1024 * PAGE_SIZE;
    struct aspace_map_request request = { .hint = uaddr_make(top - 4 * PAGE_SIZE),
                                          .size_bytes = 4 * PAGE_SIZE,
                                          .protection = RW,
                                          .flags = ASPACE_FIXED | ASPACE_GROWSDOWN };
    struct uaddr result;
    CHECK(aspace_map(aspace, &request, &result) == HX_OK && memtest_poke(aspace, top - 8, 1));
    CHECK(memtest_poke(aspace, top - 100 * PAGE_SIZE, 100));
    CHECK(memtest_poke(aspace, top - 1024 * PAGE_SIZE, 1024));
    CHECK(aspace_fault(aspace, top - 1025 * PAGE_SIZE, ASPACE_WRITE) == HX_ERR_BAD_ADDRESS);
    CHECK(memtest_peek(aspace, top - 8, 1) && mappings(aspace) == 1);
    // It does not grow into another mapping, and nothing is placed right below it.
    request.hint = uaddr_make(0x20000000);
    request.flags = ASPACE_FIXED;
    CHECK(aspace_map(aspace, &request, &result) == HX_OK);
    request.hint = uaddr_make(0x20000000 + (4 + 256 + 8) * PAGE_SIZE);
    request.flags = ASPACE_FIXED | ASPACE_GROWSDOWN;
    CHECK(aspace_map(aspace, &request, &result) == HX_OK);
    CHECK(aspace_fault(aspace, result.value - 8 * PAGE_SIZE, ASPACE_WRITE) == HX_OK);
    CHECK(aspace_fault(aspace, result.value - 9 * PAGE_SIZE, ASPACE_WRITE) == HX_ERR_BAD_ADDRESS);
    struct aspace *child = aspace_clone(aspace, &account_root);
    CHECK(child != NULL && memtest_peek(child, top - 100 * PAGE_SIZE, 100));
    aspace_put(child);
    aspace_put(aspace);
    return true;
}

static bool test_identify(void) {
    struct aspace *aspace = aspace_create(&account_root);
    struct memory_object *first;
    struct memory_object *second;
    uint64_t at;
    uint64_t offset;
    bool shared;
    CHECK(aspace != NULL && memtest_map(aspace, PAGE_SIZE, &at));
    CHECK(aspace_identify(aspace, uaddr_make(at + 8), &shared, &first, &offset) == HX_OK);
    CHECK(!shared && (offset & PAGE_MASK) == 8);
    CHECK(memtest_poke(aspace, at, 1));
    struct aspace *child = aspace_clone(aspace, &account_root);
    CHECK(child != NULL);
    CHECK(aspace_identify(aspace, uaddr_make(at + 8), &shared, &second, &offset) == HX_OK);
    CHECK(first == second);
    memory_object_put(second);
    CHECK(aspace_identify(child, uaddr_make(at + 8), &shared, &second, &offset) == HX_OK);
    CHECK(first != second);
    memory_object_put(first);
    memory_object_put(second);
    CHECK(aspace_identify(child, uaddr_make(8), &shared, &second, &offset) == HX_ERR_BAD_ADDRESS);
    aspace_put(child);
    aspace_put(aspace);
    return true;
}

// What a program's start does, with each allocation failing in turn.
static bool build(struct memory_object *file, struct aspace **out_parent,
                  struct aspace **out_child) {
    struct uaddr at;
    *out_child = NULL;
    *out_parent = aspace_create(&account_root);
    if (*out_parent == NULL) {
        return false;
    }
    struct aspace *aspace = *out_parent;
    struct aspace_map_request text = { .size_bytes = 4 * PAGE_SIZE,
                                       .protection = ASPACE_READ | ASPACE_EXECUTE,
                                       .object = file };
    struct aspace_map_request data = {
        .size_bytes = 4 * PAGE_SIZE, .protection = RW, .object = file, .object_page = 2
    };
    struct aspace_map_request heap = { .size_bytes = 9 * PAGE_SIZE, .protection = RW };
    struct aspace_map_request common = { .size_bytes = PAGE_SIZE,
                                         .protection = RW,
                                         .flags = ASPACE_SHARED | ASPACE_POPULATE };
    if (aspace_map(aspace, &text, &at) != HX_OK ||
        aspace_fault(aspace, at.value, ASPACE_EXECUTE) != HX_OK ||
        aspace_map(aspace, &data, &at) != HX_OK ||
        aspace_fault(aspace, at.value + PAGE_SIZE, ASPACE_WRITE) != HX_OK ||
        aspace_protect(aspace, at, PAGE_SIZE, ASPACE_READ) != HX_OK ||
        aspace_map(aspace, &common, &at) != HX_OK || aspace_map(aspace, &heap, &at) != HX_OK ||
        aspace_fault(aspace, at.value, ASPACE_WRITE) != HX_OK ||
        aspace_fault(aspace, at.value + 8 * PAGE_SIZE, ASPACE_WRITE) != HX_OK ||
        aspace_unmap(aspace, uaddr_make(at.value + 3 * PAGE_SIZE), PAGE_SIZE) != HX_OK) {
        return false;
    }
    *out_child = aspace_clone(aspace, &account_root);
    return *out_child != NULL && aspace_fault(*out_child, at.value, ASPACE_WRITE) == HX_OK &&
           aspace_fault(aspace, at.value, ASPACE_WRITE) == HX_OK;
}

// A page that the kernel writes for a program that reads: its own in each address space.
static bool test_own_page(void) {
    struct memory_object *object = memory_object_create_plain(&account_root, 2 * PAGE_SIZE);
    struct aspace *aspace = aspace_create(&account_root);
    const uint64_t common = 5;
    uint64_t elsewhere;
    CHECK(object != NULL && aspace != NULL);
    CHECK(memory_object_write(object, PAGE_SIZE, &common, sizeof(common)) == HX_OK);
    const struct aspace_map_request request = { .size_bytes = 2 * PAGE_SIZE,
                                                .protection = ASPACE_READ,
                                                .protection_max = ASPACE_READ,
                                                .flags = ASPACE_WIPE_FORK,
                                                .object = object };
    struct uaddr at;
    struct frame *own = NULL;
    struct frame *other = NULL;
    CHECK(aspace_map(aspace, &request, &at) == HX_OK);
    CHECK(memtest_map(aspace, PAGE_SIZE, &elsewhere) && memtest_poke(aspace, elsewhere, 9));
    CHECK(memtest_peek(aspace, at.value, 0));
    CHECK(aspace_own_page(aspace, at, object, 1, &own) == HX_ERR_BAD_ADDRESS);
    CHECK(aspace_own_page(aspace, uaddr_make(elsewhere), object, 0, &own) == HX_ERR_BAD_ADDRESS);
    CHECK(aspace_own_page(aspace, uaddr_make(UINT64_MAX), object, 0, &own) == HX_ERR_BAD_ADDRESS);
    CHECK(aspace_own_page(aspace, uaddr_add(at, 8), object, 0, &own) == HX_OK);
    *(uint64_t *)frame_data(own) = 7;
    CHECK(memtest_peek(aspace, at.value, 7) && memtest_peek(aspace, at.value + PAGE_SIZE, common));
    CHECK(aspace_fault(aspace, at.value, ASPACE_WRITE) == HX_ERR_ACCESS_DENIED);
    // It stays the kernel's, whatever is advised; a clone begins with the object's.
    CHECK(aspace_advise(aspace, at, PAGE_SIZE, ASPACE_ADVICE_KEEPONFORK) == HX_OK);
    struct aspace *child = aspace_clone(aspace, &account_root);
    CHECK(child != NULL && memtest_peek(child, at.value, 0));
    CHECK(memtest_peek(child, at.value + PAGE_SIZE, common));
    CHECK(aspace_own_page(child, at, object, 0, &other) == HX_OK && other != own);
    *(uint64_t *)frame_data(other) = 8;
    CHECK(memtest_peek(aspace, at.value, 7) && memtest_peek(child, at.value, 8));
    CHECK(memtest_peek(aspace, elsewhere, 9) && memtest_peek(child, elsewhere, 9));
    frame_put(own);
    frame_put(other);
    aspace_put(aspace);
    CHECK(memtest_peek(child, at.value, 8));
    aspace_put(child);
    memory_object_put(object);
    return true;
}

static bool test_failures(void) {
    struct memory_object *file = memory_object_create_plain(&account_root, 8 * PAGE_SIZE);
    CHECK(file != NULL);
    uint64_t nth = 1;
    bool worked = false;
    for (; !worked && nth < 1000; nth++) {
        struct aspace *parent;
        struct aspace *child;
        inject_nth(INJECT_ALLOCATION, nth);
        worked = build(file, &parent, &child);
        bool reached = inject_nth_is_over(INJECT_ALLOCATION);
        inject_nth(INJECT_ALLOCATION, 0);
        if (child != NULL) {
            aspace_put(child);
        }
        if (parent != NULL) {
            aspace_put(parent);
        }
        // Some failures do no harm (a table for a neighbour); then go on until none was reached.
        worked = worked && !reached;
    }
    CHECK(worked && nth > 20);
    memory_object_put(file);
    return true;
}

static bool lend(struct aspace *aspace, uint64_t at, uint32_t access, struct frame **out_frames) {
    return aspace_frames_lend(aspace, uaddr_make(at), 4, access, out_frames) == HX_OK;
}

static void take_back(struct frame *const *frames) {
    for (uint32_t i = 0; i < 4; i++) {
        frame_put(frames[i]);
    }
}

static struct {
    struct object object;
    struct capability root;
    struct capability_derived derived;
} lent;

static void lent_destroy(struct object *object) {
    (void)object; // static
}

static void lent_release(struct capability_derived *derived) {
    (void)derived; // kept for good
}

static const struct object_type lent_type = { .kind = OBJECT_EVENT,
                                              .name = "lent",
                                              .destroy = lent_destroy };

// What a device reads and writes are the program's pages, mapped already or not; none of what is
// mapped under a capability.
static bool test_lend(void) {
    struct aspace *aspace = aspace_create(&account_root);
    struct frame *frames[4];
    struct frame *again[4];
    uint64_t at;
    CHECK(aspace != NULL && memtest_map(aspace, 4 * PAGE_SIZE, &at));
    CHECK(memtest_poke(aspace, at + PAGE_SIZE, 1));
    CHECK(lend(aspace, at, ASPACE_WRITE, frames) && lend(aspace, at, ASPACE_READ, again));
    for (uint32_t i = 0; i < 4; i++) {
        CHECK(frames[i] == again[i] && frames[i] != frame_zero_page());
        *(uint64_t *)frame_data(frames[i]) = i + 5;
        CHECK(memtest_peek(aspace, at + i * PAGE_SIZE, i + 5));
    }
    take_back(again);
    CHECK(frame_references(frames[3]) == 2);
    CHECK(unmap(aspace, at, 4) == HX_OK && frame_references(frames[3]) == 1);
    take_back(frames);
    CHECK(!lend(aspace, at, ASPACE_READ, frames) && !lend(aspace, UINT64_MAX, ASPACE_READ, frames));
    struct memory_object *object = memory_object_create_plain(&account_root, 4 * PAGE_SIZE);
    object_init(&lent.object, &lent_type);
    capability_init_root(&lent.root, &lent.object, HX_RIGHT_READ);
    CHECK(object != NULL &&
          capability_derive(&lent.root, HX_RIGHT_READ, &lent.derived, lent_release) == HX_OK);
    const struct aspace_map_request request = { .size_bytes = 4 * PAGE_SIZE,
                                                .protection = RW,
                                                .flags = ASPACE_SHARED,
                                                .object = object,
                                                .under = &lent.derived.capability };
    struct uaddr mapped;
    CHECK(aspace_map(aspace, &request, &mapped) == HX_OK);
    CHECK(!lend(aspace, mapped.value, ASPACE_WRITE, frames));
    CHECK(memtest_poke(aspace, mapped.value, 1) &&
          !lend(aspace, mapped.value, ASPACE_READ, frames));
    CHECK(memtest_poke(aspace, mapped.value + PAGE_SIZE, 1));
    aspace_put(aspace);
    memory_object_put(object);
    return true;
}

const struct memtest memtest_aspaces[] = {
    { "map and unmap", test_map },
    { "refusals", test_refusals },
    { "merging", test_merge },
    { "clone", test_clone },
    { "file", test_file },
    { "processors", test_processors },
    { "remap", test_remap },
    { "stack", test_stack },
    { "identify", test_identify },
    { "a page of the kernel's", test_own_page },
    { "lend", test_lend },
    { "failing allocations", test_failures },
    { NULL, NULL },
};
