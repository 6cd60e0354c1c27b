// SPDX-License-Identifier: MIT OR Apache-2.0
// selftest_cut.c: a file is cut while another thread faults on a private copy behind its new end.
//
// Both are stopped at the address space's table_lock: the fault when it has looked at the file's
// size, the cut when it has changed that. In which order they go on is up to the lock, so there are
// many rounds. How long they are given to come there shows in what the test finds, never in what it
// takes for wrong.
#include "selftest.h"

#include <core/time.h>

#define ROUNDS   64u
#define GIVEN_NS ((time_ns_t)300000)

static struct aspace *space;
static struct memory_object *file;
static uint64_t last;           // the page that goes
static _Atomic uint32_t round;  // that both may begin
static _Atomic uint32_t begun;  // by both, in all rounds
static _Atomic uint32_t ended;  // by both
static _Atomic uint32_t placed; // threads that are on their processors

static bool find_page(struct frame **out_frame) {
    struct paddr page;
    uint32_t flags;
    const bool is = hal_page_query(&space->core.table, last, &page, &flags);
    if (is && out_frame != NULL) {
        *out_frame = frame_of(page);
    }
    return is;
}

static bool is_shown(void) {
    spin_lock(&space->table_lock);
    const bool is = find_page(NULL);
    spin_unlock(&space->table_lock);
    return is;
}

static void await(_Atomic uint32_t *count, uint32_t wanted) {
    while (atomic_load_explicit(count, memory_order_acquire) < wanted) {
        thread_yield();
    }
}

// Holds both up in round `number`, from 1 on. The frame has a reference more, as one that is lent
// has: the fault asks under the lock who else sees it.
static bool hold_up(uint32_t number) {
    struct frame *frame;
    memory_object_truncate(file, 2 * PAGE_SIZE);
    const enum hx_status status = aspace_fault(space, last, ASPACE_WRITE);
    spin_lock(&space->table_lock);
    const bool is = find_page(&frame);
    ASSERT(status == HX_OK && is); // the others would wait for ever
    frame_get(frame);
    atomic_store_explicit(&round, number, memory_order_release);
    while (atomic_load_explicit(&begun, memory_order_acquire) != 2 * number) {
        hal_relax();
    }
    const time_ns_t end = time_now() + GIVEN_NS;
    while (time_now() < end) {
        hal_relax();
    }
    spin_unlock(&space->table_lock);
    await(&ended, 2 * number);
    frame_put(frame);
    CHECK(!is_shown());
    return true;
}

static bool holds_up(void) {
    bool passed = true;
    for (uint32_t number = 1; number <= ROUNDS; number++) { // the others count on all
        passed = hold_up(number) && passed;
    }
    return passed;
}

static bool faults(void) {
    const enum hx_status status = aspace_fault(space, last, ASPACE_WRITE);
    CHECK(status == HX_OK || status == HX_ERR_OVERFLOW);
    return true;
}

static bool cuts(void) {
    memory_object_truncate(file, PAGE_SIZE);
    return true;
}

static bool each_round(bool (*work)(void)) {
    bool passed = true;
    for (uint32_t number = 1; number <= ROUNDS; number++) {
        await(&round, number);
        atomic_fetch_add_explicit(&begun, 1, memory_order_acq_rel);
        passed = work() && passed;
        atomic_fetch_add_explicit(&ended, 1, memory_order_acq_rel);
    }
    return passed;
}

// Each on a processor of its own, before one of these holds the lock.
static bool come(uint32_t index) {
    thread_set_affinity(thread_current(), UINT64_C(1) << index);
    atomic_fetch_add_explicit(&placed, 1, memory_order_acq_rel);
    await(&placed, 3);
    return index == 0 ? holds_up() : each_round(index == 1 ? faults : cuts);
}

static bool test_cut(void) {
    struct uaddr at;
    if (cpu_online_count() < 3) {
        return true; // on one processor nobody comes in between
    }
    space = aspace_create(&account_root);
    file = memory_object_create_plain(&account_root, 2 * PAGE_SIZE);
    CHECK(space != NULL && file != NULL);
    const struct aspace_map_request request = { .size_bytes = 2 * PAGE_SIZE,
                                                .protection = ASPACE_READ | ASPACE_WRITE,
                                                .object = file };
    CHECK(aspace_map(space, &request, &at) == HX_OK);
    last = at.value + PAGE_SIZE;
    atomic_store_explicit(&round, 0, memory_order_relaxed);
    atomic_store_explicit(&begun, 0, memory_order_relaxed);
    atomic_store_explicit(&ended, 0, memory_order_relaxed);
    atomic_store_explicit(&placed, 0, memory_order_relaxed);
    CHECK(memtest_threads(3, come));
    aspace_put(space);
    memory_object_put(file);
    return true;
}

const struct memtest memtest_cut[] = {
    { "a cut against a fault", test_cut },
    { NULL, NULL },
};
