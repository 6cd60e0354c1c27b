// SPDX-License-Identifier: MIT OR Apache-2.0
// RUN: musl glibc
// mremap of memory that was split, filled again, or shared by fork: Linux takes it for one mapping.
#include "check.h"

#define PAGE 4096

#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP 4
#endif

static char *map_anonymous(size_t pages, int protection, int flags) {
    char *at = mmap(NULL, pages * PAGE, protection, flags | MAP_ANONYMOUS, -1, 0);
    NEED(at != MAP_FAILED);
    return at;
}

// True if the page can be read; asked of the kernel, without a fault.
static bool readable(const char *address) {
    int line[2];
    NEED(pipe(line) == 0);
    bool good = write(line[1], address, 1) == 1;
    close(line[0]);
    close(line[1]);
    return good;
}

static int file_of(const char *name, size_t size) {
    int fd = open(name, O_CREAT | O_RDWR | O_TRUNC, 0600);
    NEED(fd >= 0);
    for (size_t i = 0; i < size; i++) {
        char byte = (char)('A' + i / PAGE);
        NEED(pwrite(fd, &byte, i % PAGE == 0 || i + 1 == size, (off_t)i) >= 0);
    }
    return fd;
}

static void *remap_to(char *from, size_t old_pages, size_t new_pages, int flags, char *to) {
    return (void *)syscall(SYS_mremap, from, old_pages * PAGE, new_pages * PAGE, flags, to);
}

#define REMAP_REFUSED(expected, ...) REFUSED(remap_to(__VA_ARGS__) == MAP_FAILED ? -1 : 0, expected)

// Stores first, first + 1, … at the start of each page.
static void number(char *at, size_t pages, int first) {
    for (size_t i = 0; i < pages; i++) {
        *(volatile int *)(at + i * PAGE) = first + (int)i;
    }
}

// Whether the pages begin with first, first + step, …
static bool numbered(const char *at, size_t pages, int first, int step) {
    for (size_t i = 0; i < pages; i++) {
        if (*(const volatile int *)(at + i * PAGE) != first + (int)i * step) {
            return false;
        }
    }
    return true;
}

static char *numbered_memory(size_t pages) {
    char *at = map_anonymous(pages, PROT_READ | PROT_WRITE, MAP_PRIVATE);
    number(at, pages, 1);
    return at;
}

// Room where nothing is, as long as nothing else is mapped.
static char *room(size_t pages) {
    char *at = map_anonymous(pages, PROT_NONE, MAP_PRIVATE);
    NEED(munmap(at, pages * PAGE) == 0);
    return at;
}

// A hole that is filled again with the same kind of memory.
static void refill(char *at, size_t pages) {
    NEED(munmap(at, pages * PAGE) == 0);
    NEED(mmap(at, pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
              0) == at);
}

// One part of what was one mapping grows; the others keep their pages.
static void grows_a_part(void) {
    char *at = numbered_memory(32);
    SAME(mprotect(at + 20 * PAGE, PAGE, PROT_READ), 0);
    char *moved = remap_to(at, 16, 32, MREMAP_MAYMOVE, NULL);
    NEED(moved != MAP_FAILED);
    CHECK(!readable(at) && !readable(at + 15 * PAGE));
    CHECK(numbered(moved, 16, 1, 1) && numbered(moved + 16 * PAGE, 16, 0, 0));
    number(moved, 32, 100);
    CHECK(numbered(at + 16 * PAGE, 16, 17, 1) && numbered(moved, 32, 100, 1));
    at = numbered_memory(32);
    SAME(munmap(at + 20 * PAGE, PAGE), 0);
    moved = remap_to(at + 21 * PAGE, 11, 40, MREMAP_MAYMOVE, NULL);
    NEED(moved != MAP_FAILED);
    CHECK(numbered(moved, 11, 22, 1) && numbered(moved + 11 * PAGE, 29, 0, 0));
    CHECK(numbered(at, 20, 1, 1));
}

static void grows_in_place(void) {
    char *space = room(64);
    char *at = mmap(space, 8 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(at == space);
    number(at, 8, 1);
    CHECK(remap_to(at, 4, 4, MREMAP_MAYMOVE | MREMAP_FIXED, at + 16 * PAGE) == at + 16 * PAGE);
    REMAP_REFUSED(ENOMEM, at + 4 * PAGE, 2, 5, 0, NULL); // more of it lies behind
    CHECK(remap_to(at + 16 * PAGE, 4, 10, 0, NULL) == at + 16 * PAGE);
    CHECK(numbered(at + 16 * PAGE, 4, 1, 1) && numbered(at + 20 * PAGE, 6, 0, 0));
    number(at + 20 * PAGE, 6, 50);
    CHECK(numbered(at + 4 * PAGE, 4, 5, 1) && numbered(at + 20 * PAGE, 6, 50, 1));
}

static void of_a_refilled_hole(void) {
    char *at = numbered_memory(16);
    refill(at + 5 * PAGE, 2);
    char *moved = remap_to(at, 16, 32, MREMAP_MAYMOVE, NULL);
    NEED(moved != MAP_FAILED);
    CHECK(numbered(moved, 5, 1, 1) && numbered(moved + 5 * PAGE, 2, 0, 0) &&
          numbered(moved + 7 * PAGE, 9, 8, 1) && numbered(moved + 16 * PAGE, 16, 0, 0));
    number(moved, 32, 1);
    CHECK(numbered(moved, 32, 1, 1));
    refill(moved + 3 * PAGE, 1);
    moved[3 * PAGE] = 4;
    char *space = room(64);
    CHECK(remap_to(moved, 32, 20, MREMAP_MAYMOVE | MREMAP_FIXED, space) == space);
    CHECK(!readable(moved) && !readable(moved + 20 * PAGE) && !readable(space + 20 * PAGE));
    CHECK(numbered(space, 20, 1, 1));
    refill(space + 10 * PAGE, 1);
    CHECK(remap_to(space, 20, 2, 0, NULL) == space);
    CHECK(numbered(space, 2, 1, 1) && !readable(space + 2 * PAGE) && !readable(space + 19 * PAGE));
}

// To shrink, only the first page must be mapped; to grow or move, all, and in one way.
static void of_unlike_pieces(void) {
    char *at = numbered_memory(16);
    char *space = room(16);
    SAME(mprotect(at + 8 * PAGE, PAGE, PROT_READ), 0);
    REMAP_REFUSED(EFAULT, at, 16, 17, MREMAP_MAYMOVE, NULL);
    REMAP_REFUSED(EFAULT, at, 16, 16, MREMAP_MAYMOVE | MREMAP_FIXED, space);
    CHECK(remap_to(at, 16, 16, 0, NULL) == at);
    SAME(munmap(at + 10 * PAGE, PAGE), 0);
    CHECK(remap_to(at, 16, 4, 0, NULL) == at);
    CHECK(numbered(at, 4, 1, 1) && !readable(at + 4 * PAGE) && !readable(at + 15 * PAGE));
}

static void to_a_place(void) {
    char *at = numbered_memory(32);
    const int fixed = MREMAP_MAYMOVE | MREMAP_FIXED;
    REMAP_REFUSED(EINVAL, at, 4, 4, fixed, at + 3 * PAGE);
    REMAP_REFUSED(EINVAL, at + 4 * PAGE, 4, 4, fixed, at + PAGE);
    REMAP_REFUSED(EINVAL, at, 4, 2, fixed, at + 3 * PAGE); // the part that would go
    REMAP_REFUSED(EINVAL, at, 4, 4, MREMAP_FIXED, at + 8 * PAGE);
    REMAP_REFUSED(EINVAL, at, 4, 4, fixed, at + 8 * PAGE + 1);
    CHECK(numbered(at, 32, 1, 1));
    CHECK(remap_to(at, 4, 8, fixed, at + 4 * PAGE) == at + 4 * PAGE); // right behind itself
    CHECK(!readable(at) && numbered(at + 4 * PAGE, 4, 1, 1) && numbered(at + 8 * PAGE, 4, 0, 0) &&
          numbered(at + 12 * PAGE, 20, 13, 1));
    CHECK(remap_to(at + 20 * PAGE, 8, 4, fixed, at + 2 * PAGE) == at + 2 * PAGE);
    CHECK(!readable(at + 24 * PAGE) && numbered(at + 2 * PAGE, 4, 21, 1) &&
          numbered(at + 6 * PAGE, 2, 3, 1) && numbered(at + 28 * PAGE, 4, 29, 1));
}

static void after_fork(void) {
    char *at = numbered_memory(24);
    refill(at + 4 * PAGE, 1);
    SAME(mprotect(at + 16 * PAGE, PAGE, PROT_READ), 0);
    pid_t pids[2];
    for (int child = 0; child < 2; child++) {
        CHILD(pids[child]) {
            char *moved = remap_to(at, 8 + child, 24, MREMAP_MAYMOVE, NULL);
            NEED(moved != MAP_FAILED);
            CHECK(numbered(moved, 4, 1, 1) && numbered(moved + 5 * PAGE, 3, 6, 1) &&
                  numbered(moved + 12 * PAGE, 12, 0, 0));
            pid_t grandchild;
            CHILD(grandchild) {
                number(moved, 24, 300);
                CHECK(numbered(moved, 24, 300, 1) && numbered(at + 9 * PAGE, 15, 10, 1));
            }
            number(moved, 24, 200);
            EXITS(grandchild, 0);
            CHECK(numbered(moved, 24, 200, 1) && numbered(at + 9 * PAGE, 15, 10, 1));
        }
    }
    char *moved = remap_to(at, 12, 20, MREMAP_MAYMOVE, NULL);
    NEED(moved != MAP_FAILED);
    number(moved + 12 * PAGE, 8, 70);
    EXITS(pids[0], 0);
    EXITS(pids[1], 0);
    CHECK(numbered(moved, 4, 1, 1) && numbered(moved + 5 * PAGE, 7, 6, 1) &&
          numbered(moved + 12 * PAGE, 8, 70, 1) && numbered(at + 12 * PAGE, 12, 13, 1));
}

// Pieces over a file that got copies of their own one by one.
static void over_a_file(void) {
    int fd = file_of("f", 8 * PAGE);
    char *at = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    NEED(at != MAP_FAILED);
    SAME(mprotect(at + 2 * PAGE, PAGE, PROT_READ), 0);
    at[0] = 'w';
    SAME(mprotect(at + 2 * PAGE, PAGE, PROT_READ | PROT_WRITE), 0);
    at[3 * PAGE] = 'z';
    char *moved = remap_to(at, 4, 6, MREMAP_MAYMOVE, NULL);
    NEED(moved != MAP_FAILED);
    SAME(moved[0], 'w');
    SAME(moved[2 * PAGE], 'C');
    SAME(moved[3 * PAGE], 'z');
    SAME(moved[5 * PAGE], 'F');
    moved = remap_to(moved, 2, 4, MREMAP_MAYMOVE, NULL); // only the file's pages come behind
    NEED(moved != MAP_FAILED);
    SAME(moved[0], 'w');
    SAME(moved[PAGE], 'B');
    SAME(moved[3 * PAGE], 'D');
}

static void leaves_the_old_place(void) {
    const int leave = MREMAP_MAYMOVE | MREMAP_DONTUNMAP;
    char *at = numbered_memory(8);
    refill(at + 3 * PAGE, 1);
    REMAP_REFUSED(EINVAL, at, 8, 8, MREMAP_DONTUNMAP, NULL);
    REMAP_REFUSED(EINVAL, at, 8, 9, leave, NULL);
    char *moved = remap_to(at, 8, 8, leave, NULL);
    NEED(moved != MAP_FAILED);
    CHECK(numbered(moved, 3, 1, 1) && moved[3 * PAGE] == 0 && numbered(moved + 4 * PAGE, 4, 5, 1));
    CHECK(moved != at && numbered(at, 8, 0, 0));
    number(at, 8, 60);
    CHECK(numbered(moved, 3, 1, 1) && moved[3 * PAGE] == 0 && numbered(moved + 4 * PAGE, 4, 5, 1));
    CHECK(remap_to(at + 2 * PAGE, 4, 4, leave | MREMAP_FIXED, moved) == moved);
    CHECK(numbered(moved, 4, 62, 1) && numbered(at + 2 * PAGE, 4, 0, 0) &&
          numbered(at + 6 * PAGE, 2, 66, 1) && numbered(at, 2, 60, 1));
    int fd = file_of("f", 3 * PAGE);
    at = mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    at[2 * PAGE] = 'w';
    CHECK(remap_to(at + PAGE, 2, 2, leave | MREMAP_FIXED, moved) == moved);
    CHECK(moved[0] == 'B' && moved[PAGE] == 'w' && at[PAGE] == 'B' && at[2 * PAGE] == 'C');
}

// ---- at random ---------------------------------------------------------------------------------

enum { REGION = 48, LONGEST = 12 };

struct page {
    bool mapped, writable;
    int value;
};

// What the pages of a region must show.
struct model {
    char *at;
    struct page pages[REGION];
    uint64_t state; // of the numbers below
};

static size_t below(struct model *model, size_t bound) {
    model->state = model->state * 6364136223846793005u + 1442695040888963407u;
    return (size_t)(model->state >> 33) % bound;
}

static void set(struct model *model, size_t first, size_t count, struct page page) {
    for (size_t i = first; i < first + count; i++) {
        model->pages[i] = page;
    }
}

static void map_zeroes(struct model *model, size_t first, size_t count) {
    char *at = model->at + first * PAGE;
    NEED(mmap(at, count * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
              0) == at);
    set(model, first, count, (struct page){ true, true, 0 });
}

static void store(struct model *model, size_t first, size_t count) {
    for (size_t i = first; i < first + count; i++) {
        if (model->pages[i].mapped && model->pages[i].writable) {
            model->pages[i].value = (int)below(model, 1 << 30);
            *(volatile int *)(model->at + i * PAGE) = model->pages[i].value;
        }
    }
}

static void protect(struct model *model, size_t first, size_t count) {
    bool writable = below(model, 3) > 0;
    char *at = model->at + first * PAGE;
    for (size_t i = 0; i < count; i++) {
        if (!model->pages[first + i].mapped) {
            return;
        }
    }
    SAME(mprotect(at, count * PAGE, PROT_READ | (writable ? PROT_WRITE : 0)), 0);
    for (size_t i = 0; i < count; i++) {
        model->pages[first + i].writable = writable;
    }
}

// Linux does not move across every border that Helix does, and has unmapped the target and what is
// to go by then.
static void move_to(struct model *model, size_t from, size_t old_pages, size_t to) {
    size_t new_pages = 1 + below(model, LONGEST);
    int flags = MREMAP_MAYMOVE | MREMAP_FIXED;
    if (below(model, 4) == 0) {
        flags |= MREMAP_DONTUNMAP;
        new_pages = old_pages;
    }
    const struct page first = model->pages[from];
    if ((from < to + new_pages && to < from + old_pages) || !first.mapped) {
        return;
    }
    char *target = model->at + to * PAGE;
    if (remap_to(model->at + from * PAGE, old_pages, new_pages, flags, target) != target) {
        map_zeroes(model, to, new_pages);
        if (new_pages < old_pages) {
            map_zeroes(model, from + new_pages, old_pages - new_pages);
        }
        return;
    }
    set(model, to, new_pages, (struct page){ true, first.writable, 0 });
    for (size_t i = 0; i < old_pages && i < new_pages; i++) {
        model->pages[to + i] = model->pages[from + i];
    }
    set(model, from, old_pages,
        (struct page){ (flags & MREMAP_DONTUNMAP) != 0, first.writable, 0 });
}

static void step(struct model *model) {
    size_t first = below(model, REGION - LONGEST);
    size_t count = 1 + below(model, LONGEST);
    switch (below(model, 8)) {
    case 0:
        SAME(munmap(model->at + first * PAGE, count * PAGE), 0);
        set(model, first, count, (struct page){ 0 });
        break;
    case 1:
        map_zeroes(model, first, count);
        break;
    case 2:
        protect(model, first, count);
        break;
    case 3:
    case 4:
        store(model, first, count);
        break;
    default:
        move_to(model, first, count, below(model, REGION - LONGEST));
        break;
    }
    for (size_t i = 0; i < REGION; i++) {
        NEED(!model->pages[i].mapped ||
             *(volatile int *)(model->at + i * PAGE) == model->pages[i].value);
    }
}

static void at_random(void) {
    struct model model = { .at = room(REGION), .state = 1 };
    for (uint64_t round = 0; round < 40; round++) {
        pid_t pid;
        CHILD(pid) {
            model.state += round + 1;
            for (int i = 0; i < 50; i++) {
                step(&model);
            }
        }
        for (int i = 0; i < 50; i++) {
            step(&model);
        }
        EXITS(pid, 0);
    }
}

static const struct check_case cases[] = {
    CASE(grows_a_part),     CASE(grows_in_place),       CASE(of_a_refilled_hole),
    CASE(of_unlike_pieces), CASE(to_a_place),           CASE(after_fork),
    CASE(over_a_file),      CASE(leaves_the_old_place), CASE(at_random),
};
CHECK_MAIN(cases)
