// SPDX-License-Identifier: MIT OR Apache-2.0
// selftest_object.c: memory objects without mappings: holes, cuts, pagers that work and that fail.
#include "selftest.h"

#include <lib/string.h>

static bool test_plain(void) {
    struct memory_object *object = memory_object_create_plain(&account_root, 10 * PAGE_SIZE);
    char text[] = "across a page's end";
    char back[sizeof text];
    struct frame *frame;
    CHECK(object != NULL);
    CHECK(memory_object_page(object, 3, 0, &frame) == HX_ERR_NOT_FOUND);
    CHECK(memory_object_write(object, 4 * PAGE_SIZE - 5, text, sizeof text) == HX_OK);
    CHECK(memory_object_resident(object) == 2);
    CHECK(memory_object_read(object, 4 * PAGE_SIZE - 5, back, sizeof back) == HX_OK);
    CHECK(memcmp(text, back, sizeof text) == 0);
    CHECK(memory_object_read(object, 1000 * PAGE_SIZE, back, sizeof back) == HX_OK);
    CHECK(back[0] == 0 && back[sizeof back - 1] == 0);
    // A cut in the middle of the text: the rest is zero when the object grows again.
    memory_object_truncate(object, 4 * PAGE_SIZE - 2);
    memory_object_truncate(object, 10 * PAGE_SIZE);
    CHECK(memory_object_resident(object) == 1);
    CHECK(memory_object_read(object, 4 * PAGE_SIZE - 5, back, sizeof back) == HX_OK);
    CHECK(memcmp(back, "acr\0\0\0", 6) == 0);
    // Far apart, and frames that outlive their object.
    CHECK(memory_object_page(object, 1ull << 40, MEMORY_GET_CREATE | MEMORY_GET_WRITE, &frame) ==
          HX_OK);
    CHECK(frame_references(frame) == 2 && frame->object == object && frame->offset == 1ull << 40);
    memory_object_drop(object, 1ull << 40, 1);
    CHECK(frame_references(frame) == 1 && frame->object == NULL);
    frame_put(frame);
    CHECK(memory_object_page(object, UINT64_MAX, MEMORY_GET_CREATE, &frame) == HX_ERR_OVERFLOW);
    memory_object_put(object);
    return true;
}

// A pager whose page n is full of n + 1.
struct test_pager {
    uint64_t reads, writes, last_value;
    enum hx_status answer;
};

static enum hx_status pager_read(void *context, uint64_t first_page, struct frame *const *frames,
                                 uint32_t count) {
    struct test_pager *pager = context;
    pager->reads++;
    thread_yield();
    for (uint32_t i = 0; i < count && pager->answer == HX_OK; i++) {
        memset(frame_data(frames[i]), (int)(first_page + i + 1), PAGE_SIZE);
    }
    return pager->answer;
}

static enum hx_status pager_write(void *context, uint64_t first_page, struct frame *const *frames,
                                  uint32_t count) {
    struct test_pager *pager = context;
    (void)first_page, (void)count;
    pager->writes++;
    pager->last_value = *(uint64_t *)frame_data(frames[0]);
    return pager->answer;
}

static const struct pager_ops pager_ops = { pager_read, pager_write };

static struct memory_object *shared_object;

static bool read_pages(uint32_t index) {
    (void)index;
    for (uint64_t page = 0; page < 64; page++) {
        uint8_t byte = 0;
        CHECK(memory_object_read(shared_object, page * PAGE_SIZE + 77, &byte, 1) == HX_OK);
        CHECK(byte == page + 1);
    }
    return true;
}

static bool test_paged(void) {
    struct test_pager pager = { .answer = HX_OK };
    struct memory_object *object =
        memory_object_create_paged(&account_root, 64 * PAGE_SIZE, &pager_ops, &pager);
    CHECK(object != NULL);
    shared_object = object;
    CHECK(memtest_threads(4, read_pages));
    CHECK(memory_object_resident(object) == 64 && pager.reads < 64);
    uint64_t value = 0x1234;
    CHECK(memory_object_write(object, 5 * PAGE_SIZE, &value, sizeof value) == HX_OK);
    CHECK(memory_object_sync(object, 0, 64) == HX_OK);
    CHECK(pager.writes == 1 && pager.last_value == value);
    CHECK(memory_object_sync(object, 0, 64) == HX_OK && pager.writes == 1);
    // What fails stays dirty, and a failed read leaves nothing behind.
    pager.answer = HX_ERR_IO;
    CHECK(memory_object_write(object, 5 * PAGE_SIZE, &value, sizeof value) == HX_OK);
    CHECK(memory_object_sync(object, 0, 64) == HX_ERR_IO);
    memory_object_truncate(object, 0);
    memory_object_truncate(object, 64 * PAGE_SIZE);
    CHECK(memory_object_read(object, 0, &value, sizeof value) == HX_ERR_IO);
    CHECK(memory_object_resident(object) == 0);
    // A page behind the end is read all the same (the upper layers look at the size).
    pager.answer = HX_OK;
    CHECK(memory_object_read(object, 64 * PAGE_SIZE, &value, sizeof value) == HX_OK);
    memory_object_put(object);
    return true;
}

static bool test_private(void) {
    struct memory_object *file = memory_object_create_plain(&account_root, 4 * PAGE_SIZE);
    uint64_t value = 0xabc;
    uint64_t back = 0;
    CHECK(file != NULL && memory_object_write(file, PAGE_SIZE, &value, sizeof value) == HX_OK);
    struct memory_object *copy = memory_object_create_private(&account_root, file, 1);
    CHECK(copy != NULL);
    CHECK(memory_object_read(copy, 0, &back, sizeof back) == HX_OK && back == 0xabc);
    CHECK(memory_object_resident(copy) == 0);
    value = 0xdef;
    CHECK(memory_object_write(copy, 0, &value, sizeof value) == HX_OK);
    CHECK(memory_object_read(file, PAGE_SIZE, &back, sizeof back) == HX_OK && back == 0xabc);
    CHECK(memory_object_read(copy, 0, &back, sizeof back) == HX_OK && back == 0xdef);
    struct memory_object *clone = private_clone(copy, &account_root);
    CHECK(clone != NULL && memory_object_resident(clone) == 1);
    memory_object_put(copy);
    CHECK(memory_object_read(clone, 0, &back, sizeof back) == HX_OK && back == 0xdef);
    memory_object_put(clone);
    memory_object_put(file);
    return true;
}

// A limit on the account stops an object in time, and what it held is released exactly.
static bool test_charged(void) {
    struct account *account;
    CHECK(account_create(&account_root, "test", NULL, false, &account) == HX_OK);
    account_limit_set(account, ACCOUNT_FRAMES, 3);
    struct memory_object *object = memory_object_create_plain(account, UINT64_MAX);
    CHECK(object != NULL);
    uint8_t byte = 1;
    for (uint64_t page = 0; page < 3; page++) {
        CHECK(memory_object_write(object, page * PAGE_SIZE, &byte, 1) == HX_OK);
    }
    CHECK(memory_object_write(object, 3 * PAGE_SIZE, &byte, 1) == HX_ERR_LIMIT);
    memory_object_drop(object, 1, 1);
    CHECK(memory_object_write(object, 3 * PAGE_SIZE, &byte, 1) == HX_OK);
    memory_object_put(object);
    CHECK(atomic_load_explicit(&account->used[ACCOUNT_FRAMES], memory_order_relaxed) == 0);
    object_put(&account->object);
    return true;
}

const struct memtest memtest_objects[] = {
    { "plain object", test_plain },
    { "paged object", test_paged },
    { "private object", test_private },
    { "charges", test_charged },
    { NULL, NULL },
};
