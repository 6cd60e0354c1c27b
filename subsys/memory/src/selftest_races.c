// SPDX-License-Identifier: MIT OR Apache-2.0
// selftest_races.c: threads that share address spaces and a file, on all processors: real user
// copies against unmapping, cutting and cloning, so that a forgotten shoot-down shows.
#include "selftest.h"

#include <core/time.h>
#include <memory/usercopy.h>

#define RW    (ASPACE_READ | ASPACE_WRITE)
#define PAGES 32u

static struct aspace *common; // all threads run in it
static struct memory_object *file;
static uint64_t base;            // anonymous
static uint64_t shared;          // the file
static uint64_t private;         // the file
static _Atomic uint32_t running; // writers that are not done
static _Atomic uint64_t written[MEMTEST_THREADS];

// Stores growing numbers into a page of its own; the clones must show a number that was there.
static bool write_counters(uint32_t index) {
    struct uaddr at = uaddr_make(base + index * PAGE_SIZE);
    for (uint64_t i = 1; i <= 10000; i++) {
        CHECK(copy_to_user(at, &i, sizeof i) == HX_OK);
        uint64_t back = 0;
        CHECK(copy_from_user(&back, at, sizeof back) == HX_OK && back == i);
        atomic_store_explicit(&written[index], i, memory_order_release);
    }
    return true;
}

static bool clone_and_look(uint32_t index) {
    (void)index;
    do {
        uint64_t before[MEMTEST_THREADS];
        uint64_t seen[MEMTEST_THREADS];
        for (uint32_t i = 1; i < MEMTEST_THREADS; i++) {
            before[i] = atomic_load_explicit(&written[i], memory_order_acquire);
        }
        struct aspace *child = aspace_clone(common, &account_root);
        CHECK(child != NULL);
        for (uint32_t round = 0; round < 2; round++) {
            for (uint32_t i = 1; i < MEMTEST_THREADS; i++) {
                uint64_t value;
                CHECK(aspace_read_other(child, uaddr_make(base + i * PAGE_SIZE), &value,
                                        sizeof value) == HX_OK);
                CHECK(value >= before[i] && (round == 0 || value == seen[i]));
                seen[i] = value;
            }
            // Time for stores through translations that should be gone.
            (void)thread_sleep_until(time_now() + 1000000, 0);
        }
        aspace_put(child);
    } while (atomic_load_explicit(&running, memory_order_acquire) > 0);
    return true;
}

static bool clone_race(uint32_t index) {
    thread_set_aspace(&common->core);
    bool passed;
    if (index == 0) {
        passed = clone_and_look(index);
    } else {
        passed = write_counters(index);
        atomic_fetch_sub_explicit(&running, 1, memory_order_acq_rel);
    }
    return passed;
}

static bool start(void) {
    common = aspace_create(&account_root);
    CHECK(common != NULL && memtest_map(common, PAGES * PAGE_SIZE, &base));
    atomic_store_explicit(&running, MEMTEST_THREADS - 1, memory_order_relaxed);
    for (uint32_t i = 0; i < MEMTEST_THREADS; i++) {
        atomic_store_explicit(&written[i], 0, memory_order_relaxed);
    }
    return true;
}

static bool test_clone_race(void) {
    CHECK(start());
    CHECK(memtest_threads(MEMTEST_THREADS, clone_race));
    aspace_put(common);
    return true;
}

// Copies to pages that come and go: each copy works or is refused, and never goes astray.
static bool user_of_file(uint64_t *random, uint32_t index) {
    for (uint32_t i = 0; i < 400; i++) {
        uint64_t page = memtest_random(random, PAGES);
        uint64_t at = (memtest_random(random, 2) == 0 ? shared : private) + page * PAGE_SIZE;
        uint64_t value = (page << 32) | index;
        enum hx_status status = copy_to_user(uaddr_make(at), &value, sizeof value);
        CHECK(status == HX_OK || status == HX_ERR_BAD_ADDRESS);
        if (copy_from_user(&value, uaddr_make(at), sizeof value) == HX_OK) {
            CHECK(value == 0 || value >> 32 == page);
        }
    }
    return true;
}

static bool changer(uint64_t *random) {
    do {
        uint64_t first = memtest_random(random, PAGES);
        uint64_t count = 1 + memtest_random(random, PAGES - first);
        struct uaddr at = uaddr_make(base + first * PAGE_SIZE);
        struct uaddr in_file = uaddr_make(private + first * PAGE_SIZE);
        struct aspace_map_request request = { .hint = in_file,
                                              .size_bytes = count * PAGE_SIZE,
                                              .protection = RW,
                                              .flags = ASPACE_FIXED,
                                              .object = file,
                                              .object_page = first };
        switch (memtest_random(random, 6)) {
        case 0:
            memory_object_truncate(file, first * PAGE_SIZE);
            memory_object_truncate(file, PAGES * PAGE_SIZE);
            break;
        case 1:
            memory_object_drop(file, first, count);
            break;
        case 2:
            CHECK(aspace_unmap(common, in_file, count * PAGE_SIZE) == HX_OK);
            break;
        case 3:
            CHECK(aspace_map(common, &request, &in_file) == HX_OK);
            break;
        case 4:
            HX_IGNORE(aspace_protect(common, in_file, count * PAGE_SIZE, ASPACE_READ)); // holes
            HX_IGNORE(aspace_protect(common, in_file, count * PAGE_SIZE, RW));
            break;
        default:
            HX_IGNORE(aspace_advise(common, at, count * PAGE_SIZE, ASPACE_ADVICE_DONTNEED));
            break;
        }
        thread_yield();
    } while (atomic_load_explicit(&running, memory_order_acquire) > 0);
    return true;
}

static bool forker(void) {
    do {
        struct aspace *child = aspace_clone(common, &account_root);
        CHECK(child != NULL);
        for (uint64_t page = 0; page < PAGES; page += 3) {
            HX_IGNORE(aspace_fault(child, private + page * PAGE_SIZE, ASPACE_WRITE)); // holes
            HX_IGNORE(aspace_fault(child, shared + page * PAGE_SIZE, ASPACE_READ));
        }
        aspace_put(child);
        thread_yield();
    } while (atomic_load_explicit(&running, memory_order_acquire) > 0);
    return true;
}

static bool file_race(uint32_t index) {
    uint64_t random = 0xdeadbeefcafef00dull + index;
    thread_set_aspace(&common->core);
    if (index == 0) {
        return changer(&random);
    }
    if (index == 1) {
        return forker();
    }
    bool passed = user_of_file(&random, index);
    atomic_fetch_sub_explicit(&running, 1, memory_order_acq_rel);
    return passed;
}

static bool test_file_race(void) {
    CHECK(start());
    file = memory_object_create_plain(&account_root, PAGES * PAGE_SIZE);
    CHECK(file != NULL);
    atomic_store_explicit(&running, MEMTEST_THREADS - 2, memory_order_relaxed);
    struct aspace_map_request request = { .size_bytes = PAGES * PAGE_SIZE,
                                          .protection = RW,
                                          .object = file };
    struct uaddr at;
    CHECK(aspace_map(common, &request, &at) == HX_OK);
    private = at.value;
    request.flags = ASPACE_SHARED;
    CHECK(aspace_map(common, &request, &at) == HX_OK);
    shared = at.value;
    CHECK(memtest_threads(MEMTEST_THREADS, file_race));
    memory_object_put(file);
    aspace_put(common);
    return true;
}

// User copies at the edges.
static bool copies(uint32_t index) {
    char text[12];
    size_t length = 0;
    uint32_t word = 0;
    thread_set_aspace(&common->core);
    (void)index;
    struct uaddr last = uaddr_make(base + PAGES * PAGE_SIZE - 6);
    CHECK(copy_to_user(last, "hello", 6) == HX_OK);
    CHECK(copy_string_from_user(text, last, sizeof text, &length) == HX_OK && length == 5);
    CHECK(copy_string_from_user(text, last, 5, &length) == HX_ERR_NAME_TOO_LONG);
    CHECK(copy_to_user(last, "hello!", 7) == HX_ERR_BAD_ADDRESS);
    CHECK(copy_to_user_partial(last, "hello!", 7) == 6);
    CHECK(copy_string_from_user(text, last, sizeof text, &length) == HX_ERR_BAD_ADDRESS);
    CHECK(copy_from_user(text, uaddr_make(0), 1) == HX_ERR_BAD_ADDRESS);
    CHECK(copy_from_user(text, uaddr_make(HAL_USER_END - 1), 2) == HX_ERR_BAD_ADDRESS);
    CHECK(copy_from_user(text, uaddr_make(UINT64_MAX - 1), 8) == HX_ERR_BAD_ADDRESS);
    CHECK(copy_to_user(uaddr_make(HAL_DIRECT_BASE), text, 1) == HX_ERR_BAD_ADDRESS);
    CHECK(clear_user(uaddr_make(base), PAGES * PAGE_SIZE) == HX_OK);
    CHECK(user_cas32(uaddr_make(base + 4), 0, 9, &word) == HX_OK && word == 0);
    CHECK(user_load32(uaddr_make(base + 4), &word) == HX_OK && word == 9);
    CHECK(user_cas32(uaddr_make(base + 4), 0, 5, &word) == HX_OK && word == 9);
    CHECK(user_load32(uaddr_make(base + 5), &word) == HX_ERR_BAD_ADDRESS);
    struct io_segment segments[] = { { uaddr_make(base), 3 },
                                     { uaddr_make(base), 0 },
                                     { uaddr_make(base + PAGE_SIZE - 2), 6 } };
    struct io_buffer buffer;
    size_t moved;
    io_buffer_segments(&buffer, segments, 3);
    CHECK(io_buffer_put(&buffer, "abcd", 4, &moved) == HX_OK && moved == 4);
    CHECK(io_buffer_put(&buffer, "efghijk", 7, &moved) == HX_OK && moved == 5);
    io_buffer_segments(&buffer, segments, 3);
    CHECK(io_buffer_take(&buffer, text, sizeof text, &moved) == HX_OK && moved == 9);
    CHECK(text[0] == 'a' && text[2] == 'c' && text[3] == 'd' && text[8] == 'i');
    io_buffer_user(&buffer, uaddr_make(base + PAGES * PAGE_SIZE - 2), 4);
    CHECK(io_buffer_put_zero(&buffer, 2, &moved) == HX_OK && moved == 2);
    CHECK(io_buffer_put(&buffer, "xy", 2, &moved) == HX_ERR_BAD_ADDRESS && moved == 0);
    return true;
}

static bool test_copies(void) {
    CHECK(start());
    CHECK(memtest_threads(1, copies));
    aspace_put(common);
    return true;
}

const struct memtest memtest_races[] = {
    { "user copies", test_copies },
    { "clone against stores", test_clone_race },
    { "file against everything", test_file_race },
    { NULL, NULL },
};
