// SPDX-License-Identifier: MIT OR Apache-2.0
// selftest_undo.c: translations that one thread has undone and not flushed yet, as another one
// finds them (aspace_undo_begin()).
//
// One processor takes no interrupts, so whoever undoes a translation that it has stays between the
// change of the table and the end of the flush. Meanwhile a second thread comes to the same page by
// another way. It must neither come to its end nor free the frame before that processor has heard
// of it. How long it is given shows in what the test finds, never in what it takes for wrong.
#include "selftest.h"

#include <core/capability.h>
#include <core/time.h>
#include <memory/usercopy.h>

#define RW       (ASPACE_READ | ASPACE_WRITE)
#define PAGES    2u
#define GIVEN_NS (30 * (time_ns_t)1000000)
#define LIMIT_NS (60 * (time_ns_t)1000000000) // nothing happens at all
#define KEEPS    (1u << 0) // of a case: private, with pages of its own; else shared
#define READS    (1u << 1) // private, and shows the file's
#define UNDER    (1u << 2) // it was made under a capability that is revoked by now
#define SPLIT    (1u << 3) // the two pages are mappings of their own

enum phase { START, HAS_IT, MAY_HOLD, HOLDS, COMES, RETURNED };

static struct aspace *space;
static struct memory_object *file;
static uint64_t start;            // of the mapping
static const struct frame *frame; // of the page that both come to, the last one
static _Atomic uint32_t phase;
static _Atomic uint32_t placed; // threads that are on their processors
static const struct half *half;

static struct {
    struct object object;
    struct capability root;
    struct capability_derived derived;
    _Atomic bool released;
} right;

static struct uaddr last_page(void) {
    return uaddr_make(start + (PAGES - 1) * PAGE_SIZE);
}

// ---- the ways to a page ------------------------------------------------------------------------

static bool unmaps(void) {
    return aspace_unmap(space, last_page(), PAGE_SIZE) == HX_OK;
}

static bool unmaps_all(void) {
    return aspace_unmap(space, uaddr_make(start), PAGES * PAGE_SIZE) == HX_OK;
}

static bool forgets(void) {
    return aspace_advise(space, last_page(), PAGE_SIZE, ASPACE_ADVICE_DONTNEED) == HX_OK;
}

static bool hides(void) {
    return aspace_protect(space, uaddr_make(start), PAGES * PAGE_SIZE, 0) == HX_OK;
}

static bool protects(void) {
    return aspace_protect(space, uaddr_make(start), PAGES * PAGE_SIZE, ASPACE_READ) == HX_OK;
}

static bool writes(void) {
    return aspace_fault(space, last_page().value, ASPACE_WRITE) == HX_OK;
}

static bool faults_below(void) {
    return aspace_fault(space, start, ASPACE_READ) == HX_OK;
}

static bool cuts(void) {
    memory_object_truncate(file, (PAGES - 1) * PAGE_SIZE);
    return true;
}

static bool punches(void) {
    memory_object_drop(file, PAGES - 1, 1);
    return true;
}

static bool cleans(void) {
    memory_object_unmap_range(file, 0, PAGES);
    return true;
}

static bool revokes(void) {
    memory_object_revoke(file);
    return true;
}

static const struct half {
    const char *name;
    uint32_t is; // KEEPS …
    bool (*first)(void), (*second)(void);
} halves[] = {
    { "mprotect, truncate", 0, hides, cuts },
    { "mprotect, punch", 0, hides, punches },
    { "mprotect, revoke", UNDER, hides, revokes },
    { "munmap, truncate", 0, unmaps_all, cuts },
    { "munmap, revoke", UNDER, unmaps_all, revokes },
    { "madvise, punch", 0, forgets, punches },
    { "msync, mprotect", 0, cleans, protects },
    { "copy, punch", READS, writes, punches },
    { "truncate, fault", KEEPS, cuts, faults_below },
    { "truncate, madvise", KEEPS, cuts, forgets },
    { "truncate, munmap", KEEPS | SPLIT, cuts, unmaps },
    { "revoke, madvise", KEEPS | UNDER, revokes, forgets },
};

// ---- three threads -----------------------------------------------------------------------------

static void enter(enum phase next) {
    atomic_store_explicit(&phase, next, memory_order_release);
}

static void await(enum phase wanted) {
    while (atomic_load_explicit(&phase, memory_order_acquire) < wanted) {
        thread_yield();
    }
}

static bool is_translated(void) {
    struct paddr page;
    uint32_t flags;
    spin_lock(&space->table_lock);
    const bool is = hal_page_query(&space->core.table, last_page().value, &page, &flags);
    spin_unlock(&space->table_lock);
    return is && frame_of(page) == frame;
}

// Whether the second thread was through, or the frame free, while nothing had been heard of it.
static bool hold(void) {
    time_ns_t end = time_now() + LIMIT_NS;
    bool comes = false;
    bool early = false;
    const unsigned long state = hal_irq_save();
    enter(HOLDS);
    while (!early && time_now() < end) {
        const uint32_t now = atomic_load_explicit(&phase, memory_order_acquire);
        early = now == RETURNED || frame_references(frame) == 0;
        if (now == COMES && !comes) {
            comes = true;
            end = time_now() + GIVEN_NS;
        }
        hal_relax();
    }
    hal_irq_restore(state);
    return comes && !early;
}

static bool holder(void) {
    uint64_t value;
    thread_set_aspace(&space->core);
    CHECK(copy_from_user(&value, last_page(), sizeof value) == HX_OK);
    preempt_disable();
    enter(HAS_IT);
    while (atomic_load_explicit(&phase, memory_order_acquire) != MAY_HOLD) {
        hal_relax();
    }
    const bool passed = hold();
    preempt_enable();
    CHECK(passed);
    return true;
}

static bool first(void) {
    await(HOLDS);
    CHECK(half->first());
    return true;
}

static bool second(void) {
    await(HAS_IT);
    if (half->is & UNDER) { // asks all processors, so before one of them does not answer
        CHECK(capability_revoke(&right.derived.capability) == HX_OK);
    }
    enter(MAY_HOLD);
    await(HOLDS);
    while (is_translated()) {
        hal_relax();
    }
    enter(COMES);
    CHECK(half->second());
    enter(RETURNED);
    return true;
}

// Each on a processor of its own, before one of these takes no interrupts.
static bool come(uint32_t index) {
    thread_set_affinity(thread_current(), UINT64_C(1) << index);
    atomic_fetch_add_explicit(&placed, 1, memory_order_acq_rel);
    while (atomic_load_explicit(&placed, memory_order_acquire) != 3) {
        thread_yield();
    }
    return index == 0 ? holder() : index == 1 ? first() : second();
}

// ---- a case ------------------------------------------------------------------------------------

static void right_destroy(struct object *object) {
    (void)object; // static
}

static void right_release(struct capability_derived *derived) {
    (void)derived; // static
    atomic_store_explicit(&right.released, true, memory_order_release);
}

static const struct object_type right_type = { .kind = OBJECT_EVENT,
                                               .name = "right",
                                               .destroy = right_destroy };

static bool right_make(void) {
    atomic_store_explicit(&right.released, false, memory_order_relaxed);
    object_init(&right.object, &right_type);
    capability_init_root(&right.root, &right.object, HX_RIGHT_READ);
    CHECK(capability_derive(&right.root, HX_RIGHT_READ, &right.derived, right_release) == HX_OK);
    return true;
}

static void right_end(void) {
    capability_put(&right.derived.capability);
    while (!atomic_load_explicit(&right.released, memory_order_acquire)) {
        thread_yield(); // a grace period
    }
}

static bool map_file(void) {
    const struct aspace_map_request request = {
        .size_bytes = PAGES * PAGE_SIZE,
        .protection = RW,
        .flags = half->is & (KEEPS | READS) ? 0 : ASPACE_SHARED,
        .object = file,
        .under = half->is & UNDER ? &right.derived.capability : NULL,
    };
    struct uaddr at;
    CHECK(aspace_map(space, &request, &at) == HX_OK);
    start = at.value;
    return true;
}

static bool touch_pages(void) {
    const uint32_t access = half->is & READS ? ASPACE_READ : ASPACE_WRITE;
    struct paddr page;
    uint32_t flags;
    for (uint32_t i = 0; i < PAGES; i++) {
        CHECK(aspace_fault(space, start + i * PAGE_SIZE, access) == HX_OK);
    }
    if (half->is & SPLIT) {
        CHECK(aspace_protect(space, uaddr_make(start), PAGE_SIZE, ASPACE_READ) == HX_OK);
    }
    CHECK(hal_page_query(&space->core.table, last_page().value, &page, &flags));
    frame = frame_of(page);
    CHECK(frame != NULL && frame != frame_zero_page());
    return true;
}

static bool run_half(void) {
    space = aspace_create(&account_root);
    file = memory_object_create_plain(&account_root, PAGES * PAGE_SIZE);
    CHECK(space != NULL && file != NULL && right_make() && map_file() && touch_pages());
    enter(START);
    atomic_store_explicit(&placed, 0, memory_order_relaxed);
    CHECK(memtest_threads(3, come));
    CHECK(atomic_load_explicit(&space->undoing, memory_order_relaxed) == 0);
    aspace_put(space);
    memory_object_put(file);
    right_end();
    return true;
}

static bool test_half_undone(void) {
    if (cpu_online_count() < 3) {
        return true; // on one processor nobody comes in between
    }
    for (uint32_t i = 0; i < sizeof halves / sizeof halves[0]; i++) {
        half = &halves[i];
        if (!run_half()) {
            log_error("selftest: memory: %s", half->name);
            return false;
        }
    }
    return true;
}

const struct memtest memtest_undo[] = {
    { "half undone", test_half_undone },
    { NULL, NULL },
};
