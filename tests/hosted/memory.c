// SPDX-License-Identifier: MIT OR Apache-2.0
// tests/hosted/memory.c: mappings through the software MMU: demand paging, rights, copy-on-write,
// and what other processors still remember when a mapping goes.
#include "check.h"

#include <linux/mman.h>

// Not a multiple of 64 pages from PAD: the two have places of their own among the translations.
#define AREA (PAD + PAD_BYTES + 5 * PAGE)

static int reads_there(uint64_t at) {
    return (int)hosted_load(at, 1);
}

static int writes_there(uint64_t at) {
    hosted_store(at, 1, 1);
    return 0;
}

static void must_fault(int (*how)(uint64_t), uint64_t at) {
    SAME(child_wait(child_new(how, at)), KILLED(SIGSEGV));
}

static void pages_come_when_touched(void) {
    SAME(map_at(AREA, 64 * PAGE, PROT_READ | PROT_WRITE), AREA);
    for (uint64_t page = 0; page < 64; page += 3) {
        SAME(hosted_load(AREA + page * PAGE + 8, 8), 0);
        hosted_store(AREA + page * PAGE + 8, page, 8);
    }
    SAME(CALL(munmap, AREA + 8 * PAGE, 8 * PAGE), 0);
    for (uint64_t page = 0; page < 64; page += 3) {
        if (page < 8 || page >= 16) {
            SAME(hosted_load(AREA + page * PAGE + 8, 8), page);
        }
    }
    must_fault(reads_there, AREA + 8 * PAGE);
    must_fault(writes_there, AREA + 15 * PAGE);
    SAME(map_at(AREA + 8 * PAGE, PAGE, PROT_READ | PROT_WRITE), AREA + 8 * PAGE);
    SAME(hosted_load(AREA + 9 * PAGE - 8, 8), 0); // a fresh page
}

static void rights_are_kept(void) {
    SAME(map_at(AREA, 2 * PAGE, PROT_READ | PROT_WRITE), AREA);
    hosted_store(AREA, 5, 8);
    SAME(CALL(mprotect, AREA, PAGE, PROT_READ), 0);
    SAME(hosted_load(AREA, 8), 5);
    must_fault(writes_there, AREA);
    hosted_store(AREA + PAGE, 6, 8);
    SAME(CALL(mprotect, AREA, PAGE, PROT_NONE), 0);
    must_fault(reads_there, AREA);
    SAME(CALL(getrandom, AREA, 8, 0), -EFAULT);
    SAME(CALL(mprotect, AREA, PAGE, PROT_READ | PROT_WRITE), 0);
    SAME(hosted_load(AREA, 8), 5);
    SAME(CALL(mprotect, AREA, PAGE, PROT_WRITE | PROT_EXEC), -EACCES); // W^X
}

#define COPIES 16

static int changes_all(uint64_t value) {
    for (uint64_t page = 0; page < COPIES; page++) {
        SAME(hosted_load(AREA + page * PAGE, 8), page);
        hosted_store(AREA + page * PAGE, value, 8);
    }
    for (uint64_t page = 0; page < COPIES; page++) {
        SAME(hosted_load(AREA + page * PAGE, 8), value);
    }
    return 0;
}

// Several generations copy the same pages at the same time.
static int copies_and_forks(uint64_t depth) {
    const int64_t pid = depth == 0 ? 0 : child_new(copies_and_forks, depth - 1);
    changes_all(1000 + depth);
    if (depth != 0) {
        SAME(child_wait(pid), EXITED(0));
    }
    return 0;
}

static void copies_are_ones_own(void) {
    SAME(map_at(AREA, COPIES * PAGE, PROT_READ | PROT_WRITE), AREA);
    for (uint64_t page = 0; page < COPIES; page++) {
        hosted_store(AREA + page * PAGE, page, 8);
    }
    for (uint32_t round = 0; round < 5; round++) {
        const int64_t first = child_new(copies_and_forks, 3);
        const int64_t second = child_new(changes_all, 7);
        SAME(child_wait(first), EXITED(0));
        SAME(child_wait(second), EXITED(0));
    }
    changes_all(9);
}

static int adds_shared(uint64_t at) {
    for (uint32_t i = 0; i < 1000; i++) {
        uint32_t old = (uint32_t)hosted_load(at, 4);
        while (hosted_swap32(at, old, old + 1) != old) {
            old = (uint32_t)hosted_load(at, 4);
        }
    }
    return 0;
}

static void shared_memory_is_one(void) {
    SAME(CALL(mmap, AREA, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED,
              -1ull, 0),
         AREA);
    const int64_t first = child_new(adds_shared, AREA);
    const int64_t second = child_new(adds_shared, AREA);
    adds_shared(AREA);
    SAME(child_wait(first), EXITED(0));
    SAME(child_wait(second), EXITED(0));
    SAME(hosted_load(AREA, 4), 3000);
}

// ---- a mapping that goes while another processor uses it ---------------------------------------

#define STOP_AT  PAD
#define WROTE_AT (PAD + 8)
#define TID_AT   (PAD + 16)

static int writes_on(uint64_t unused) {
    (void)unused;
    while (hosted_load(STOP_AT, 4) == 0) {
        hosted_store(AREA, 0xbad, 8); // dies here if it is not mapped
        hosted_store(WROTE_AT, 1, 4);
    }
    return 0;
}

// Until the thread has written once more, from begin to end.
static void await_write(void) {
    for (uint32_t i = 0; i < 2; i++) { // the first answer may be to an earlier store
        hosted_store(WROTE_AT, 0, 4);
        spin_while(WROTE_AT, 0);
    }
}

// Replaces the page under a thread that writes to it; the pages that were there before are soon
// somebody else's: ours, with values that must stay.
static void old_pages_are_forgotten(void) {
    const uint64_t others = AREA + PAGE;
    SAME(map_at(AREA, PAGE, PROT_READ | PROT_WRITE), AREA);
    (void)thread_new(writes_on, 1, TID_AT);
    for (uint64_t round = 0; round < 200; round++) {
        await_write();
        SAME(map_at(AREA, PAGE, PROT_READ | PROT_WRITE), AREA);
        SAME(map_at(others, 4 * PAGE, PROT_READ | PROT_WRITE), others);
        for (uint64_t page = 0; page < 4; page++) {
            hosted_store(others + page * PAGE, round, 8);
        }
        await_write();
        SAME(hosted_load(AREA, 8), 0xbad); // the new page has it
        for (uint64_t page = 0; page < 4; page++) {
            SAME(hosted_load(others + page * PAGE, 8), round);
        }
    }
    hosted_store(STOP_AT, 1, 4);
    thread_join(TID_AT);
}

static void brk_grows_and_shrinks(void) {
    const uint64_t base = (uint64_t)CALL(brk, 0);
    SAME(CALL(brk, base + 3 * PAGE), base + 3 * PAGE);
    hosted_store(base + 2 * PAGE, 4, 8);
    SAME(CALL(brk, base + PAGE), base + PAGE);
    must_fault(reads_there, base + 2 * PAGE);
    SAME(CALL(brk, base + 3 * PAGE), base + 3 * PAGE);
    SAME(hosted_load(base + 2 * PAGE, 8), 0);
}

static void mremap_moves_the_pages(void) {
    const uint64_t to = AREA + 64 * PAGE;
    SAME(map_at(AREA, 2 * PAGE, PROT_READ | PROT_WRITE), AREA);
    hosted_store(AREA + PAGE, 11, 8);
    SAME(CALL(mremap, AREA, 2 * PAGE, 4 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, to), to);
    SAME(hosted_load(to + PAGE, 8), 11);
    SAME(hosted_load(to + 3 * PAGE, 8), 0);
    must_fault(reads_there, AREA);
}

static const struct check_case cases[] = {
    CASE(pages_come_when_touched), CASE(rights_are_kept),         CASE(copies_are_ones_own),
    CASE(shared_memory_is_one),    CASE(old_pages_are_forgotten), CASE(brk_grows_and_shrinks),
    CASE(mremap_moves_the_pages),
};
CHECK_PROGRAM(memory, cases);
