// SPDX-License-Identifier: MIT OR Apache-2.0
// bench/memory.c: mappings and page faults.
#include "bench.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define PAGE      4096u
#define PAGES     512u // of the regions in which faults are taken
#define PROT      (PROT_READ | PROT_WRITE)
#define ANON      (MAP_PRIVATE | MAP_ANONYMOUS)
#define FILE_NAME "/tmp/mapped"

static char *region;
static int mapped_file = -1;

// A huge page would take the faults away.
static char *map_small_pages(size_t pages) {
    char *start = mmap(NULL, pages * PAGE, PROT, ANON, -1, 0);
    if (start == MAP_FAILED) {
        return NULL;
    }
    madvise(start, pages * PAGE, MADV_NOHUGEPAGE);
    return start;
}

// The first touch is a write: a read might get a page of zeros that is everybody's, and the write
// after it another fault.
static bool write_first(volatile char *page) {
    *page = 1;
    return *page == 1;
}

static uint64_t anonymous_fault_round(unsigned count) {
    volatile char *start = map_small_pages(count);
    if (start == NULL) {
        return BENCH_FAILED;
    }
    unsigned good = 0;
    uint64_t begin = bench_now();
    for (unsigned i = 0; i < count; i++) {
        good += write_first(start + (size_t)i * PAGE);
    }
    uint64_t took = bench_took(begin, good == count);
    munmap((void *)start, (size_t)count * PAGE);
    return took;
}

static bool cow_prepare(void) {
    region = map_small_pages(PAGES);
    if (region == NULL) {
        return false;
    }
    memset(region, 1, PAGES * PAGE);
    return true;
}

static void region_clean(void) {
    munmap(region, PAGES * PAGE);
}

// The child writes to every page that it shares with its parent, and tells its time by a pipe.
static uint64_t cow_child(unsigned count) {
    volatile char *start = region;
    unsigned good = 0;
    uint64_t begin = bench_now();
    for (unsigned i = 0; i < count; i++) {
        good += ++start[(size_t)i * PAGE] == 2;
    }
    return bench_took(begin, good == count);
}

static uint64_t cow_round(unsigned count) {
    uint64_t took = BENCH_FAILED;
    int ends[2];
    if (pipe(ends) != 0) {
        return BENCH_FAILED;
    }
    pid_t child = fork();
    if (child == 0) {
        took = cow_child(count);
        _exit(write(ends[1], &took, sizeof took) == sizeof took ? 0 : 1);
    }
    if (child < 0 || read(ends[0], &took, sizeof took) != sizeof took) {
        took = BENCH_FAILED;
    }
    waitpid(child, NULL, 0);
    close(ends[0]);
    close(ends[1]);
    return region[0] == 1 && region[(PAGES - 1) * PAGE] == 1 ? took : BENCH_FAILED;
}

static bool file_prepare(void) {
    static char page[PAGE];
    mapped_file = open(FILE_NAME, O_RDWR | O_CREAT | O_TRUNC, 0600);
    memset(page, 3, sizeof page);
    for (unsigned i = 0; i < PAGES; i++) {
        if (write(mapped_file, page, sizeof page) != (ssize_t)sizeof page) {
            return false;
        }
    }
    return true;
}

static void file_clean(void) {
    close(mapped_file);
    unlink(FILE_NAME);
}

// The cost of a page that is touched; a system may map its neighbours in the same fault.
static uint64_t file_fault_round(unsigned count) {
    size_t bytes = (size_t)count * PAGE;
    volatile char *start = mmap(NULL, bytes, PROT_READ, MAP_PRIVATE, mapped_file, 0);
    if (start == MAP_FAILED) {
        return BENCH_FAILED;
    }
    unsigned good = 0;
    uint64_t begin = bench_now();
    for (unsigned i = 0; i < count; i++) {
        good += start[(size_t)i * PAGE] == 3;
    }
    uint64_t took = bench_took(begin, good == count);
    munmap((void *)start, bytes);
    return took;
}

static uint64_t mmap_round(unsigned count) {
    unsigned good = 0;
    uint64_t begin = bench_now();
    for (unsigned i = 0; i < count; i++) {
        void *page = mmap(NULL, PAGE, PROT, ANON, -1, 0);
        good += page != MAP_FAILED && munmap(page, PAGE) == 0;
    }
    return bench_took(begin, good == count);
}

static uint64_t mmap_touch_round(unsigned count) {
    unsigned good = 0;
    uint64_t begin = bench_now();
    for (unsigned i = 0; i < count; i++) {
        volatile char *page = mmap(NULL, PAGE, PROT, ANON, -1, 0);
        good += page != MAP_FAILED && write_first(page) && munmap((void *)page, PAGE) == 0;
    }
    return bench_took(begin, good == count);
}

static bool protect_prepare(void) {
    region = map_small_pages(PAGES);
    if (region == NULL) {
        return false;
    }
    memset(region, 1, PAGES * PAGE);
    return true;
}

// One page in the midst of a mapping, by turns read-only and writable: every second call splits the
// mapping, the others make it whole.
static uint64_t protect_round(unsigned count) {
    volatile char *page = region + PAGES / 2 * PAGE;
    unsigned good = 0;
    uint64_t begin = bench_now();
    for (unsigned i = 0; i < count / 2; i++) {
        good += mprotect((void *)page, PAGE, PROT_READ) == 0 && *page == 1;
        good += mprotect((void *)page, PAGE, PROT) == 0;
        *page = 1;
    }
    return bench_took(begin, good == count);
}

// musl's sbrk only asks; the call itself moves the break.
static char *move_break(char *to) {
    return (char *)syscall(SYS_brk, to);
}

static uint64_t brk_round(unsigned count) {
    char *first = move_break(NULL);
    char *end = first;
    unsigned good = 0;
    uint64_t begin = bench_now();
    for (unsigned i = 0; i < count; i++) {
        end = move_break(end + PAGE);
        good += write_first(end - PAGE);
    }
    uint64_t took = bench_took(begin, good == count && end == first + (size_t)count * PAGE);
    return move_break(first) == first ? took : BENCH_FAILED;
}

static const struct bench_operation table[] = {
    { "anonymous_fault", PAGES, NULL, anonymous_fault_round, NULL },
    { "cow_fault", PAGES, cow_prepare, cow_round, region_clean },
    { "file_fault", PAGES, file_prepare, file_fault_round, file_clean },
    { "mmap_munmap", 20, NULL, mmap_round, NULL },
    { "mmap_touch_munmap", 20, NULL, mmap_touch_round, NULL },
    { "mprotect", 20, protect_prepare, protect_round, region_clean },
    { "brk_touch", 200, NULL, brk_round, NULL },
};

BENCH_MAIN(table)
