// SPDX-License-Identifier: MIT OR Apache-2.0
// selftest_family.c: from a frame to all its translations: what the walk finds is compared with
// what the page tables of all address spaces of a test say.
#include "selftest.h"

#include <lib/string.h>

#define RW      (ASPACE_READ | ASPACE_WRITE)
#define SPACES  4u
#define PAGES   12u
#define FORKERS (MEMTEST_THREADS - 3)
#define TARGET  0x40000000ull

static struct aspace *spaces[SPACES]; // some NULL
static struct memory_object *file;
static uint64_t base, shared, private; // anonymous; the file, twice
static _Atomic uint32_t running;       // forkers that are not done

// How many translations, and which: the sum of a number for each.
struct found {
    uint64_t count, sum;
};

static void find(void *context, struct aspace *aspace, uint64_t address) {
    struct found *found = context;
    found->count++;
    found->sum += (uint64_t)(uintptr_t)aspace * 31 + address * 127;
}

static uint64_t translated(struct aspace *aspace, uint64_t *address) {
    struct paddr page = { 0 };
    uint32_t flags;
    spin_lock(&aspace->table_lock);
    *address = hal_page_next(&aspace->core.table, *address, HAL_USER_END);
    if (*address < HAL_USER_END) {
        (void)hal_page_query(&aspace->core.table, *address, &page, &flags);
    }
    spin_unlock(&aspace->table_lock);
    return page.value;
}

static struct found scan(const struct frame *frame) {
    struct found found = { 0 };
    for (uint32_t i = 0; i < SPACES; i++) {
        uint64_t at = 0;
        for (; spaces[i] != NULL && at < HAL_USER_END; at += PAGE_SIZE) {
            if (translated(spaces[i], &at) == frame_address(frame).value) {
                find(&found, spaces[i], at);
            }
        }
    }
    return found;
}

static struct found walk(const struct frame_home *home) {
    struct found found = { 0 };
    struct translation_visit visit = { find, &found };
    frame_home_visit(home, &visit);
    return found;
}

// Each translation leads to exactly those that a scan finds; only the zero page has no home.
static bool walk_agrees(struct aspace *aspace) {
    struct frame_home home;
    uint64_t homes = 0;
    uint64_t expected = 0;
    uint64_t at = 0;
    for (; frame_home_next(aspace, &at, HAL_USER_END, &home); at += PAGE_SIZE, homes++) {
        struct found walked = walk(&home);
        struct found scanned = scan(home.frame);
        frame_home_drop(&home);
        CHECK(walked.count == scanned.count && walked.sum == scanned.sum);
    }
    for (at = 0; at < HAL_USER_END; at += PAGE_SIZE) {
        uint64_t page = translated(aspace, &at);
        expected += at < HAL_USER_END && page != frame_address(frame_zero_page()).value;
    }
    CHECK(homes == expected);
    return true;
}

static bool walks_agree(void) {
    for (uint32_t i = 0; i < SPACES; i++) {
        CHECK(spaces[i] == NULL || walk_agrees(spaces[i]));
    }
    return true;
}

static void drop_spaces(void) {
    for (uint32_t i = 0; i < SPACES; i++) {
        if (spaces[i] != NULL) {
            aspace_put(spaces[i]);
        }
        spaces[i] = NULL;
    }
}

// How many translations show the page at `address`.
static uint64_t sharers(struct aspace *aspace, uint64_t address) {
    struct frame_home home;
    if (!frame_home_next(aspace, &address, address + PAGE_SIZE, &home)) {
        return 0;
    }
    uint64_t count = walk(&home).count;
    frame_home_drop(&home);
    return count;
}

static bool touch(struct aspace *aspace, uint64_t start) {
    for (uint64_t page = 0; page < PAGES; page++) {
        CHECK(memtest_poke(aspace, start + page * PAGE_SIZE, page));
    }
    return true;
}

static bool begin(void) {
    spaces[0] = aspace_create(&account_root);
    CHECK(spaces[0] != NULL && memtest_map(spaces[0], PAGES * PAGE_SIZE, &base));
    return true;
}

static bool test_generations(void) {
    CHECK(begin() && touch(spaces[0], base) && walks_agree() && sharers(spaces[0], base) == 1);
    spaces[1] = aspace_clone(spaces[0], &account_root);
    CHECK(spaces[1] != NULL && walks_agree() && sharers(spaces[0], base) == 2);
    spaces[2] = aspace_clone(spaces[1], &account_root);
    CHECK(spaces[2] != NULL && walks_agree() && sharers(spaces[1], base) == 3);
    // A store leaves the others.
    CHECK(memtest_poke(spaces[1], base, 7) && walks_agree());
    CHECK(sharers(spaces[1], base) == 1 && sharers(spaces[0], base) == 2);
    spaces[3] = aspace_clone(spaces[1], &account_root);
    CHECK(spaces[3] != NULL && walks_agree() && sharers(spaces[1], base) == 2);
    // The middle generation goes, then the first one, after which the family is named.
    aspace_put(spaces[1]);
    spaces[1] = NULL;
    CHECK(walks_agree() && sharers(spaces[0], base + PAGE_SIZE) == 3);
    aspace_put(spaces[0]);
    spaces[0] = NULL;
    CHECK(walks_agree() && sharers(spaces[3], base + PAGE_SIZE) == 2);
    spaces[0] = aspace_clone(spaces[3], &account_root);
    CHECK(spaces[0] != NULL && memtest_poke(spaces[0], base + 2 * PAGE_SIZE, 8) && walks_agree());
    CHECK(sharers(spaces[2], base + PAGE_SIZE) == 3);
    drop_spaces();
    return true;
}

static bool protect(struct aspace *aspace, uint64_t page, uint64_t count, uint32_t protection) {
    CHECK(aspace_protect(aspace, uaddr_make(base + page * PAGE_SIZE), count * PAGE_SIZE,
                         protection) == HX_OK);
    return walks_agree();
}

// Mappings that are split, joined, cut and moved, in the parent and in the child.
static bool test_reshaped(void) {
    struct uaddr moved = uaddr_make(TARGET);
    CHECK(begin() && touch(spaces[0], base) && protect(spaces[0], 3, 4, ASPACE_READ));
    spaces[1] = aspace_clone(spaces[0], &account_root);
    CHECK(spaces[1] != NULL && walks_agree() && sharers(spaces[0], base + 4 * PAGE_SIZE) == 2);
    CHECK(protect(spaces[0], 3, 4, RW) && protect(spaces[1], 5, 1, 0));
    CHECK(protect(spaces[1], 0, PAGES, RW) && memtest_peek(spaces[1], base + 5 * PAGE_SIZE, 5));
    CHECK(walks_agree() && sharers(spaces[1], base + 5 * PAGE_SIZE) == 2);
    CHECK(aspace_unmap(spaces[0], uaddr_make(base + PAGE_SIZE), 2 * PAGE_SIZE) == HX_OK);
    CHECK(walks_agree() && sharers(spaces[1], base + PAGE_SIZE) == 1);
    CHECK(aspace_remap(spaces[1], uaddr_make(base + 2 * PAGE_SIZE), 3 * PAGE_SIZE, 3 * PAGE_SIZE,
                       ASPACE_REMAP_MOVE | ASPACE_REMAP_FIXED, &moved) == HX_OK);
    CHECK(walks_agree() && sharers(spaces[1], moved.value + PAGE_SIZE) == 2);
    CHECK(memtest_poke(spaces[0], base + 4 * PAGE_SIZE, 44) && walks_agree());
    spaces[2] = aspace_clone(spaces[1], &account_root);
    CHECK(spaces[2] != NULL && walks_agree() && sharers(spaces[2], moved.value + PAGE_SIZE) == 3);
    drop_spaces();
    return true;
}

// A mapping that has its object to itself grows, whoever looks at the object meanwhile; the new
// pages have the numbers behind the old ones.
static bool test_grown(void) {
    struct uaddr moved = uaddr_make(0);
    struct memory_object *object;
    uint64_t offset;
    bool is_shared;
    CHECK(begin() && touch(spaces[0], base));
    CHECK(aspace_identify(spaces[0], uaddr_make(base), &is_shared, &object, &offset) == HX_OK);
    spaces[1] = aspace_clone(spaces[0], &account_root);
    CHECK(spaces[1] != NULL);
    for (uint32_t i = 0; i < 2; i++) {
        CHECK(aspace_remap(spaces[i], uaddr_make(base), PAGES * PAGE_SIZE, 2ul * PAGES * PAGE_SIZE,
                           ASPACE_REMAP_MOVE, &moved) == HX_OK);
        CHECK(memtest_poke(spaces[i], moved.value + PAGES * PAGE_SIZE, 1) && walks_agree());
        CHECK(spaces[i]->mapping_count == 1);
    }
    CHECK(sharers(spaces[1], moved.value) == 2);
    memory_object_put(object);
    drop_spaces();
    return true;
}

// ---- mappings in pieces ------------------------------------------------------------------------

static bool map_at(struct aspace *aspace, uint64_t start, uint64_t pages) {
    struct aspace_map_request request = { .hint = uaddr_make(start),
                                          .size_bytes = pages * PAGE_SIZE,
                                          .protection = RW,
                                          .flags = ASPACE_FIXED };
    struct uaddr at;
    CHECK(aspace_map(aspace, &request, &at) == HX_OK);
    return true;
}

// A mapping in three pieces, the middle one of another object, and a whole one at TARGET; twice.
static bool begin_pieces(void) {
    CHECK(begin() && touch(spaces[0], base) && map_at(spaces[0], base + 4 * PAGE_SIZE, 1));
    CHECK(memtest_poke(spaces[0], base + 4 * PAGE_SIZE, 4));
    CHECK(map_at(spaces[0], TARGET, PAGES) && touch(spaces[0], TARGET));
    spaces[1] = aspace_clone(spaces[0], &account_root);
    CHECK(spaces[1] != NULL && spaces[1]->mapping_count == 4);
    return true;
}

// The pages at `start` begin with first, first + step, …
static bool shows(struct aspace *aspace, uint64_t start, uint64_t pages, uint64_t first,
                  uint64_t step) {
    for (uint64_t i = 0; i < pages; i++) {
        CHECK(memtest_peek(aspace, start + i * PAGE_SIZE, first + i * step));
    }
    return true;
}

static bool unmoved(struct aspace *aspace) {
    return aspace->mapping_count == 4 && shows(aspace, base, PAGES, 0, 1) &&
           shows(aspace, TARGET, PAGES, 0, 1);
}

struct piece_move {
    uint64_t old_pages, new_pages;
    uint32_t flags;
};

// From the second page to the third one of TARGET; all or nothing.
static enum hx_status move_pieces(const struct piece_move *move) {
    struct uaddr to = uaddr_make(TARGET + 2 * PAGE_SIZE);
    return aspace_remap(spaces[1], uaddr_make(base + PAGE_SIZE), move->old_pages * PAGE_SIZE,
                        move->new_pages * PAGE_SIZE,
                        ASPACE_REMAP_MOVE | ASPACE_REMAP_FIXED | move->flags, &to);
}

static bool moved_pieces(const struct piece_move *move) {
    struct aspace *aspace = spaces[1];
    uint64_t kept = MIN_OF(move->old_pages, move->new_pages);
    uint64_t fresh = TARGET + (2 + kept) * PAGE_SIZE;
    for (uint64_t i = kept; i < move->new_pages; i++, fresh += PAGE_SIZE) {
        CHECK(memtest_peek(aspace, fresh, 0) && memtest_poke(aspace, fresh, 77));
    }
    uint64_t behind = 2 + move->new_pages;
    CHECK(shows(aspace, TARGET, 2, 0, 1) && shows(aspace, TARGET + 2 * PAGE_SIZE, kept, 1, 1));
    CHECK(shows(aspace, TARGET + behind * PAGE_SIZE, PAGES - behind, behind, 1));
    behind = 1 + move->old_pages;
    CHECK(shows(aspace, base, 1, 0, 1));
    CHECK(shows(aspace, base + behind * PAGE_SIZE, PAGES - behind, behind, 1));
    if (move->flags & ASPACE_REMAP_LEAVE) {
        return shows(aspace, base + PAGE_SIZE, move->old_pages, 0, 0);
    }
    CHECK(aspace_fault(aspace, base + PAGE_SIZE, ASPACE_READ) == HX_ERR_BAD_ADDRESS);
    CHECK(aspace_fault(aspace, base + move->old_pages * PAGE_SIZE, ASPACE_READ) ==
          HX_ERR_BAD_ADDRESS);
    return true;
}

static bool fail_each_allocation(const struct piece_move *move) {
    enum hx_status status = HX_ERR_NO_MEMORY;
    bool reached = true;
    uint64_t failed = 0;
    for (uint64_t nth = 1; reached && nth < 100; nth++) {
        CHECK(begin_pieces());
        inject_nth(INJECT_ALLOCATION, nth);
        status = move_pieces(move);
        reached = inject_nth_is_over(INJECT_ALLOCATION);
        inject_nth(INJECT_ALLOCATION, 0);
        failed += status != HX_OK;
        CHECK(unmoved(spaces[0]) && walks_agree());
        CHECK(status == HX_OK ? moved_pieces(move) : unmoved(spaces[1]));
        CHECK(walks_agree());
        drop_spaces();
    }
    CHECK(status == HX_OK && failed >= 4);
    return true;
}

static bool test_pieces(void) {
    const struct piece_move moves[] = { { 7, 9, 0 }, { 8, 5, 0 }, { 6, 6, ASPACE_REMAP_LEAVE } };
    for (uint32_t i = 0; i < ARRAY_SIZE(moves); i++) {
        CHECK(fail_each_allocation(&moves[i]));
    }
    return true;
}

// ---- over a file -------------------------------------------------------------------------------

static bool map_file(struct aspace *aspace) {
    struct aspace_map_request request = { .size_bytes = PAGES * PAGE_SIZE,
                                          .protection = RW,
                                          .object = file };
    struct uaddr at;
    CHECK(aspace_map(aspace, &request, &at) == HX_OK);
    private = at.value;
    request.flags = ASPACE_SHARED;
    CHECK(aspace_map(aspace, &request, &at) == HX_OK);
    shared = at.value;
    for (uint64_t page = 0; page < PAGES; page++) {
        CHECK(memtest_poke(aspace, shared + page * PAGE_SIZE, page));
        CHECK(memtest_peek(aspace, private + page * PAGE_SIZE, page));
    }
    return true;
}

// A file's page is found through shared and private mappings; a private copy is another frame.
static bool test_over_file(void) {
    file = memory_object_create_plain(&account_root, PAGES * PAGE_SIZE);
    CHECK(file != NULL && begin() && map_file(spaces[0]));
    CHECK(walks_agree() && sharers(spaces[0], shared) == 2);
    CHECK(memtest_poke(spaces[0], private, 5) && walks_agree());
    CHECK(sharers(spaces[0], shared) == 1 && sharers(spaces[0], private) == 1);
    spaces[1] = aspace_clone(spaces[0], &account_root);
    CHECK(spaces[1] != NULL && memtest_peek(spaces[1], shared, 0) && walks_agree());
    CHECK(sharers(spaces[0], shared) == 2 && sharers(spaces[1], private) == 2);
    memory_object_truncate(file, PAGE_SIZE);
    CHECK(walks_agree() && sharers(spaces[0], shared + PAGE_SIZE) == 0);
    memory_object_put(file);
    drop_spaces();
    return true;
}

// ---- failures ----------------------------------------------------------------------------------

static bool build(void) {
    spaces[0] = aspace_create(&account_root);
    struct aspace_map_request request = { .size_bytes = PAGES * PAGE_SIZE, .protection = RW };
    struct uaddr at;
    if (spaces[0] == NULL || aspace_map(spaces[0], &request, &at) != HX_OK) {
        return false;
    }
    struct uaddr middle = uaddr_make(at.value + PAGE_SIZE);
    if (aspace_fault(spaces[0], at.value, ASPACE_WRITE) != HX_OK ||
        aspace_fault(spaces[0], middle.value, ASPACE_WRITE) != HX_OK ||
        aspace_protect(spaces[0], middle, PAGE_SIZE, ASPACE_READ) != HX_OK) {
        return false;
    }
    for (uint32_t i = 1; i < 3; i++) {
        spaces[i] = aspace_clone(spaces[i - 1], &account_root);
        if (spaces[i] == NULL || aspace_fault(spaces[i], at.value, ASPACE_WRITE) != HX_OK) {
            return false;
        }
    }
    return aspace_unmap(spaces[1], middle, PAGE_SIZE) == HX_OK;
}

static bool test_failures(void) {
    bool worked = false;
    uint64_t nth = 1;
    for (; !worked && nth < 1000; nth++) {
        inject_nth(INJECT_ALLOCATION, nth);
        worked = build();
        bool reached = inject_nth_is_over(INJECT_ALLOCATION);
        inject_nth(INJECT_ALLOCATION, 0);
        CHECK(walks_agree());
        drop_spaces();
        worked = worked && !reached;
    }
    CHECK(worked && nth > 20);
    return true;
}

// ---- races -------------------------------------------------------------------------------------

// Children and grandchildren of spaces[0] come, store and go; the middle generation goes first.
static bool forker(uint32_t index) {
    uint64_t at = base + (index % PAGES) * PAGE_SIZE;
    for (uint32_t round = 0; round < 40; round++) {
        struct aspace *child = aspace_clone(spaces[0], &account_root);
        struct aspace *grandchild = child != NULL ? aspace_clone(child, &account_root) : NULL;
        CHECK(grandchild != NULL && memtest_poke(child, at, 100 + round));
        CHECK(sharers(grandchild, at) >= 3); // with the two that stay
        aspace_put(child);
        CHECK(aspace_unmap(grandchild, uaddr_make(base), PAGE_SIZE * PAGES / 2) == HX_OK);
        CHECK(sharers(grandchild, base + (PAGES - 1) * PAGE_SIZE) >= 3);
        aspace_put(grandchild);
    }
    return true;
}

static bool still_running(void) {
    hal_relax(); // a loop over it waits for others
    return atomic_load_explicit(&running, memory_order_acquire) > 0;
}

static void find_second(void *context, struct aspace *aspace, uint64_t address) {
    (void)address;
    *(uint64_t *)context += aspace == spaces[1];
}

// Each page of spaces[0] leads to the one of spaces[1], wherever that is.
static bool all_are_shared(void) {
    for (uint64_t page = 0; page < PAGES; page++) {
        struct frame_home home;
        uint64_t at = base + page * PAGE_SIZE;
        uint64_t count = 0;
        struct translation_visit visit = { find_second, &count };
        CHECK(frame_home_next(spaces[0], &at, at + PAGE_SIZE, &home));
        frame_home_visit(&home, &visit);
        frame_home_drop(&home);
        CHECK(count == 1);
    }
    return true;
}

static bool walker(void) {
    do {
        CHECK(all_are_shared());
        struct aspace_usage usage = { 0 };
        CHECK(aspace_measure(spaces[0], base, base + PAGES * PAGE_SIZE, &usage) == HX_OK);
        CHECK(usage.pages[1][1] == PAGES && usage.anonymous_pages == PAGES);
        CHECK(usage.share <= (uint64_t)PAGES * (PAGE_SIZE / 2) << ASPACE_SHARE_SHIFT);
    } while (still_running());
    return true;
}

// Private copies of the file are made and cut off while children get translations of them.
static bool cutter(void) {
    do {
        CHECK(touch(spaces[0], private));
        thread_yield();
        memory_object_truncate(file, 0);
        memory_object_truncate(file, PAGES * PAGE_SIZE);
    } while (still_running());
    return true;
}

static bool move_half(uint64_t from, uint64_t to) {
    struct uaddr moved = uaddr_make(to);
    CHECK(aspace_remap(spaces[1], uaddr_make(from), PAGES / 2 * PAGE_SIZE, PAGES / 2 * PAGE_SIZE,
                       ASPACE_REMAP_MOVE | ASPACE_REMAP_FIXED, &moved) == HX_OK);
    return true;
}

// Pages that others find through spaces[0] go to and fro in spaces[1].
static bool mover(void) {
    do {
        CHECK(move_half(base, TARGET) && move_half(TARGET, base));
        thread_yield();
    } while (still_running());
    return true;
}

static bool race(uint32_t index) {
    if (index < 3) {
        bool (*const others[])(void) = { walker, cutter, mover };
        return others[index]();
    }
    bool passed = forker(index);
    atomic_fetch_sub_explicit(&running, 1, memory_order_acq_rel);
    return passed;
}

static bool test_race(void) {
    file = memory_object_create_plain(&account_root, PAGES * PAGE_SIZE);
    CHECK(file != NULL && begin() && map_file(spaces[0]) && touch(spaces[0], base));
    spaces[1] = aspace_clone(spaces[0], &account_root);
    CHECK(spaces[1] != NULL);
    atomic_store_explicit(&running, FORKERS, memory_order_relaxed);
    CHECK(memtest_threads(MEMTEST_THREADS, race));
    CHECK(walks_agree() && sharers(spaces[0], base) == 2);
    memory_object_put(file);
    drop_spaces();
    return true;
}

const struct memtest memtest_families[] = {
    { "generations", test_generations },      { "reshaped mappings", test_reshaped },
    { "grown mappings", test_grown },         { "mappings in pieces", test_pieces },
    { "family over a file", test_over_file }, { "family, failing allocations", test_failures },
    { "family against forks", test_race },    { NULL, NULL },
};
