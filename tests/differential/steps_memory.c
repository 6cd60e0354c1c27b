// SPDX-License-Identifier: MIT OR Apache-2.0
// Steps of memory: mappings in one range of addresses, what is read and written there, and faults.
#include "program.h"

#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#define BASE  ((char *)0x2000000000) // below 2^38, the end of riscv64's smallest space
#define PAGES 24u

static sigjmp_buf fault_place;

static void on_fault(int number, siginfo_t *about, void *context) {
    (void)context;
    say(" <%s code %d at %ld>", number == SIGSEGV ? "SEGV" : "BUS", about->si_code,
        ((char *)about->si_addr - BASE) / (long)PAGE);
    siglongjmp(fault_place, 1);
}

static char *place_of(struct generator *random, size_t *out_pages) {
    const unsigned first = below(random, PAGES);
    *out_pages = 1 + below(random, 5);
    if (first + *out_pages > PAGES) {
        *out_pages = PAGES - first;
    }
    say(" %u+%zu", first, *out_pages);
    return BASE + first * PAGE;
}

static int protection_of(struct generator *random) {
    static const int protections[] = { PROT_READ | PROT_WRITE, PROT_READ | PROT_WRITE, PROT_READ,
                                       PROT_NONE, PROT_WRITE | PROT_READ };
    return ELEMENT(random, protections);
}

static void result_of_map(const void *result, int error) {
    say_result(result == MAP_FAILED ? -1 : (long)(((const char *)result - BASE) / (long)PAGE),
               error);
}

static void step_map(struct generator *random) {
    static const int kinds[] = { MAP_PRIVATE, MAP_SHARED, MAP_PRIVATE, 0x03 /* SHARED_VALIDATE */ };
    size_t pages;
    say("mmap");
    char *at = place_of(random, &pages);
    const int protection = protection_of(random);
    const int is_file = one_in(random, 2);
    const int file = is_file ? descriptor_of(random, KIND_FILE) : -1;
    const int kind = ELEMENT(random, kinds);
    const int drawn = one_in(random, 6) ? 0x100000 /* FIXED_NOREPLACE */ : MAP_FIXED;
    // Where neither is right, which fault is told is no more than how it is made.
    const int flags = kind | (is_file ? drawn : MAP_ANONYMOUS | (kind == 3 ? MAP_FIXED : drawn));
    const long offset =
        is_file ? (long)(below(random, 4) * PAGE + (one_in(random, 20) ? 7 : 0)) : 0;
    say(" %d %x file %d %ld", protection, flags, file, offset);
    errno = 0;
    const void *result = mmap(at, pages * PAGE, protection, flags, file, offset);
    result_of_map(result, errno);
}

static void step_unmap(struct generator *random) {
    size_t pages;
    say("munmap");
    char *at = place_of(random, &pages);
    RESULT(munmap(at, pages * PAGE));
}

static void step_protect(struct generator *random) {
    size_t pages;
    say("mprotect");
    char *at = place_of(random, &pages);
    const int protection = protection_of(random);
    say(" %d", protection);
    RESULT(mprotect(at, pages * PAGE, protection));
}

static void step_remap(struct generator *random) {
    size_t pages;
    size_t more;
    say("mremap");
    char *at = place_of(random, &pages);
    char *to = place_of(random, &more);
    const int flags = one_in(random, 2) ? MREMAP_MAYMOVE | MREMAP_FIXED : 0;
    say(" %x", (unsigned)flags);
    errno = 0;
    const void *result = mremap(at, pages * PAGE, more * PAGE, flags, to);
    result_of_map(result, errno);
}

static void step_advise(struct generator *random) {
    static const int advices[] = { MADV_NORMAL,
                                   MADV_DONTNEED,
                                   MADV_DONTNEED,
                                   WITH_REMOVE ? MADV_REMOVE : MADV_NORMAL,
                                   MADV_DONTFORK,
                                   MADV_DOFORK,
                                   MADV_WILLNEED,
                                   MADV_WIPEONFORK,
                                   99 };
    size_t pages;
    say("madvise");
    char *at = place_of(random, &pages);
    const int advice = ELEMENT(random, advices);
    say(" %d", advice);
    RESULT(madvise(at, pages * PAGE, advice));
}

static void step_msync(struct generator *random) {
    size_t pages;
    say("msync");
    char *at = place_of(random, &pages);
    const int flags = (int)below(random, 8);
    say(" %d", flags);
    RESULT(msync(at, pages * PAGE, flags));
}

// One byte, which may be nowhere.
static void step_touch(struct generator *random) {
    const struct sigaction action = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO };
    struct sigaction old[2];
    const unsigned page = below(random, PAGES);
    volatile char *at = BASE + page * PAGE + below(random, 3);
    const int is_write = one_in(random, 2);
    sigaction(SIGSEGV, &action, &old[0]);
    sigaction(SIGBUS, &action, &old[1]);
    say("%s %u", is_write ? "poke" : "peek", page);
    if (sigsetjmp(fault_place, 1) == 0) {
        if (is_write) {
            *at = (char)('a' + below(random, 26));
        } else {
            const char seen = *at;
            say(" %02x", (unsigned char)seen);
        }
    }
    say("\n");
    sigaction(SIGSEGV, &old[0], NULL);
    sigaction(SIGBUS, &old[1], NULL);
}

// By the kernel: how much of a range it could read or write.
static void step_transfer(struct generator *random) {
    size_t pages;
    const int is_write = one_in(random, 2);
    const int file = descriptor_of(random, KIND_FILE);
    say("%s %d", is_write ? "pwrite" : "pread", file);
    char *at = place_of(random, &pages);
    const long offset = (long)below(random, 3) * 1000;
    say(" %ld", offset);
    RESULT(is_write ? pwrite(file, at, pages * PAGE, offset)
                    : pread(file, at, pages * PAGE, offset));
}

// Which pages can be read, and what they begin with.
static void step_pages(struct generator *random) {
    (void)random;
    int ends[2];
    say("pages");
    if (pipe2(ends, O_NONBLOCK) != 0) {
        say_result(-1, errno);
        return;
    }
    for (unsigned page = 0; page < PAGES; page++) {
        char seen = 0;
        if (write(ends[1], BASE + page * PAGE, 1) == 1 && read(ends[0], &seen, 1) == 1) {
            say(seen == 0 ? " ." : seen > ' ' && seen < 127 ? " %c" : " %02x", seen & 255);
        } else {
            say(" -");
        }
    }
    say("\n");
    close(ends[0]);
    close(ends[1]);
}

static const struct step memory_steps[] = {
    STEP(map),   STEP(map),      STEP(map),    STEP(unmap), STEP(protect), STEP(protect),
    STEP(remap), STEP(remap),    STEP(advise), STEP(msync), STEP(touch),   STEP(touch),
    STEP(touch), STEP(transfer), STEP(pages),  STEP(pages),
};
FAMILY(memory);
