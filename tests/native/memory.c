// SPDX-License-Identifier: MIT OR Apache-2.0
// tests/native/memory.c: memory objects: what may be mapped, sharing, handing over, revocation.
// RUN: musl glibc
#include "native.h"

#include <libhelix/end.h>
#include <libhelix/wait.h>
#include <sched.h>
#include <setjmp.h>

#define PAGE 4096u
#define RW   (HX_PROTECTION_READ | HX_PROTECTION_WRITE)
#define ALL                                                                                        \
    (HX_RIGHT_READ | HX_RIGHT_WRITE | HX_RIGHT_EXECUTE | HX_RIGHT_MAP | HX_RIGHT_ADMIN |           \
     HX_RIGHT_DELEGATE)

static handle_t made(uint64_t size) {
    handle_t memory = 0;
    NEED(hx_memory_create(size, &memory) == HX_OK);
    return memory;
}

static handle_t derived(handle_t from, rights_t rights) {
    handle_t handle = 0;
    NEED(hx_handle_derive(from, rights, &handle) == HX_OK);
    return handle;
}

static volatile uint64_t *mapped(handle_t memory, uint64_t offset, uint64_t size,
                                 uint32_t protection) {
    uint64_t address = 0;
    NEED(hx_memory_map(memory, offset, size, protection, &address) == HX_OK);
    return (volatile uint64_t *)(uintptr_t)address;
}

// The signal that stops a store there; 0: none.
static sigjmp_buf stopped;

static void on_fault(int number) {
    siglongjmp(stopped, number);
}

static int stops(volatile uint64_t *at) {
    struct sigaction action = { .sa_handler = on_fault }, segv, bus;
    sigaction(SIGSEGV, &action, &segv);
    sigaction(SIGBUS, &action, &bus);
    const int number = sigsetjmp(stopped, 1);
    if (number == 0) {
        *at = 1;
    }
    sigaction(SIGSEGV, &segv, NULL);
    sigaction(SIGBUS, &bus, NULL);
    return number;
}

static bool faults(volatile uint64_t *at) {
    return stops(at) == SIGSEGV;
}

static void sizes(void) {
    static const uint64_t wrong[] = { 0, HX_MEMORY_MAX + 1, UINT64_MAX };
    struct hx_handle_info info;
    handle_t memory;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        SAME(hx_memory_create(wrong[i], &memory), HX_ERR_INVALID);
    }
    memory = made(PAGE + 1); // two pages
    SAME(hx_handle_info(memory, &info), HX_OK);
    SAME(info.object, HX_OBJECT_MEMORY);
    SAME(info.rights, ALL);
    static const struct {
        uint64_t offset, size;
    } ranges[] = { { 0, 0 },        { 0, 2 * PAGE + 1 },      { PAGE, PAGE + 1 },   { 1, 8 },
                   { 2 * PAGE, 8 }, { 0, UINT64_MAX },        { PAGE, UINT64_MAX }, { -PAGE, PAGE },
                   { -PAGE, 8 },    { PAGE, -(uint64_t)PAGE } };
    for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++) {
        SAME(NATIVE(memory_map, memory, ranges[i].offset, ranges[i].size, RW), HX_ERR_INVALID);
    }
    SAME(NATIVE(memory_map, memory, 0, PAGE, 8), HX_ERR_INVALID);
    SAME(NATIVE(memory_map, memory, 0, PAGE, 0), HX_ERR_INVALID);
    SAME(NATIVE(memory_map, memory, 0, PAGE, HX_PROTECTION_WRITE), HX_ERR_INVALID);
    volatile uint64_t *both = mapped(memory, 0, 2 * PAGE, RW);
    volatile uint64_t *second = mapped(memory, PAGE, 8, RW);
    SAME(both[PAGE / 8], 0);
    second[0] = 5;
    SAME(both[PAGE / 8], 5);
    SAME(hx_handle_close(memory), HX_OK); // what is mapped stays
    second[1] = 6;
    SAME(both[PAGE / 8 + 1], 6);
    SAME(munmap((void *)both, 2 * PAGE), 0);
    CHECK(faults(both));
    SAME(second[1], 6);
}

// HX_MEMORY_MAX is a size, not a promise: pages come when they are touched.
static void huge(void) {
    handle_t memory = made(HX_MEMORY_MAX);
    volatile uint64_t *last = mapped(memory, HX_MEMORY_MAX - PAGE, PAGE, RW);
    last[0] = 7;
    SAME(last[0], 7);
    uint64_t address;
    int32_t status = HX_OK;
    int count = 0; // one or three, as the machine has 47 or 48 bits: addresses are few
    while (count < 4 && (status = hx_memory_map(memory, 0, HX_MEMORY_MAX, RW, &address)) == HX_OK) {
        count++;
    }
    SAME(status, HX_ERR_NO_MEMORY);
    CHECK(count > 0);
}

static void rights(void) {
    const handle_t memory = made(PAGE);
    static const struct {
        rights_t without;
        uint32_t protection;
    } needs[] = { { HX_RIGHT_MAP, RW },
                  { ALL & ~HX_RIGHT_MAP, HX_PROTECTION_READ },
                  { HX_RIGHT_READ, HX_PROTECTION_READ },
                  { HX_RIGHT_WRITE, RW },
                  { HX_RIGHT_EXECUTE, HX_PROTECTION_READ | HX_PROTECTION_EXECUTE } };
    for (size_t i = 0; i < sizeof(needs) / sizeof(needs[0]); i++) {
        const handle_t weak = derived(memory, ALL & ~needs[i].without);
        SAME(NATIVE(memory_map, weak, 0, PAGE, needs[i].protection), HX_ERR_ACCESS_DENIED);
    }
    SAME(NATIVE(memory_map, memory, 0, PAGE, RW | HX_PROTECTION_EXECUTE), HX_ERR_ACCESS_DENIED);
    const handle_t reader = derived(memory, HX_RIGHT_READ | HX_RIGHT_MAP);
    volatile uint64_t *page = mapped(reader, 0, PAGE, HX_PROTECTION_READ);
    CHECK(faults(page));
    REFUSED(mprotect((void *)page, PAGE, PROT_READ | PROT_WRITE), EACCES);
    REFUSED(mprotect((void *)page, PAGE, PROT_READ | PROT_EXEC), EACCES);
    mapped(memory, 0, PAGE, RW)[0] = 9;
    SAME(page[0], 9);
    const handle_t event = (handle_t)NATIVE(event_create, 0);
    SAME(NATIVE(memory_map, event, 0, PAGE, RW), HX_ERR_BAD_HANDLE);
    SAME(NATIVE(event_update, memory, 0, 0), HX_ERR_BAD_HANDLE);
    struct hx_wait_item item = { .handle = memory, .mask = HX_STATE_READABLE };
    SAME(NATIVE(wait, &item, 1, 0), HX_ERR_ACCESS_DENIED); // it has no WAIT
}

static void not_inherited(void) {
    volatile uint64_t *page = mapped(made(PAGE), 0, PAGE, RW);
    pid_t pid;
    page[0] = 1;
    CHILD(pid) {
        CHECK(faults(page));
    }
    EXITS(pid, 0);
    SAME(page[0], 1);
}

// Writes as fast as it can, in the memory that came with a message.
static void scribbler(handle_t handle) {
    struct hx_end end;
    struct hx_slot message;
    uint32_t n = 0;
    handle_t memory = 0;
    NEED(hx_end_open(&end, handle) == HX_OK);
    NEED(hx_end_receive(&end, &message, 1, TIME_NEVER, &n) == HX_OK);
    NEED(hx_end_take_handle(&end, &message, &memory) == HX_OK);
    volatile uint64_t *page = mapped(memory, 0, PAGE, RW);
    NEED(hx_end_send_all(&end, &message, 1, TIME_NEVER) == HX_OK);
    for (uint64_t i = 1;; i++) {
        page[0] = i;
    }
}

// Once revocation has returned nobody writes any more, whose processor ever it was on.
static void revoked_elsewhere(void) {
    for (int round = 0; round < 20; round++) {
        const handle_t memory = made(PAGE);
        const handle_t lent = derived(memory, ALL);
        volatile uint64_t *page = mapped(memory, 0, PAGE, RW);
        handle_t ends[2];
        struct hx_end end;
        struct hx_slot message = hx_message(1, "", 0);
        uint32_t n = 0;
        NEED(hx_channel_create(4, ends) == HX_OK && hx_handle_bequeath(ends[1]) == HX_OK);
        const pid_t pid = fork();
        if (pid == 0) {
            handle_t given = 0;
            NEED(hx_handle_given(&given) == HX_OK);
            scribbler(given);
        }
        NEED(hx_end_open(&end, ends[0]) == HX_OK);
        NEED(hx_end_send_handle(&end, &message, derived(lent, ALL), TIME_NEVER) == HX_OK);
        NEED(hx_end_receive(&end, &message, 1, TIME_NEVER, &n) == HX_OK);
        while (page[0] == 0) {
            sched_yield();
        }
        SAME(hx_handle_revoke(lent), HX_OK);
        const uint64_t last = page[0];
        KILLED(pid, SIGSEGV);
        SAME(page[0], last);
        hx_end_close(&end);
        SAME(munmap((void *)page, PAGE), 0);
        SAME(hx_handle_close(memory) == HX_OK && hx_handle_close(lent) == HX_OK, true);
    }
}

static uint64_t size_of(handle_t memory) {
    uint64_t size = 0;
    SAME(hx_memory_size(memory, &size), HX_OK);
    return size;
}

static void resized(void) {
    const handle_t memory = made(4 * PAGE);
    volatile uint64_t *all = mapped(memory, 0, 4 * PAGE, RW);
    volatile uint64_t *third = mapped(memory, 2 * PAGE, PAGE, RW);
    for (uint32_t i = 0; i < 4; i++) {
        all[i * PAGE / 8] = 7;
    }
    SAME(hx_memory_resize(memory, PAGE + 1), HX_OK);
    SAME(size_of(memory), 2 * PAGE);
    SAME(all[PAGE / 8], 7);
    SAME(stops(all + 2 * PAGE / 8), SIGBUS);
    SAME(stops(third), SIGBUS);
    SAME(NATIVE(memory_map, memory, PAGE, 2 * PAGE, RW), HX_ERR_INVALID);
    REFUSED(write(1, (const void *)third, 1), EFAULT);
    SAME(hx_memory_resize(memory, 6 * PAGE), HX_OK);
    SAME(size_of(memory), 6 * PAGE);
    SAME(third[0], 0); // what was there is gone
    all[2 * PAGE / 8] = 8;
    SAME(third[0], 8);
    SAME(all[PAGE / 8], 7);
    SAME(mapped(memory, 5 * PAGE, PAGE, RW)[0], 0);
    SAME(hx_memory_resize(memory, 0), HX_ERR_INVALID);
    SAME(hx_memory_resize(memory, HX_MEMORY_MAX + 1), HX_ERR_INVALID);
    SAME(hx_memory_resize(memory, UINT64_MAX), HX_ERR_INVALID);
    SAME(size_of(memory), 6 * PAGE);
    SAME(hx_memory_resize(derived(memory, ALL & ~HX_RIGHT_ADMIN), PAGE), HX_ERR_ACCESS_DENIED);
    SAME(hx_memory_resize(derived(memory, ALL & ~HX_RIGHT_WRITE), PAGE), HX_ERR_ACCESS_DENIED);
    SAME(NATIVE(memory_size, derived(memory, ALL & ~HX_RIGHT_READ)), HX_ERR_ACCESS_DENIED);
}

// Pages behind the end are given back, whoever has them mapped.
static void resized_is_given_back(void) {
    const struct hx_account_amounts nothing = { 0 };
    const handle_t memory = made(100 * PAGE);
    struct hx_account_info before, after;
    handle_t own = 0, none = 0;
    NEED(hx_account_own(&own) == HX_OK && hx_account_create(own, &nothing, &none) == HX_OK);
    volatile uint64_t *all = mapped(memory, 0, 100 * PAGE, RW);
    for (uint32_t i = 0; i < 100; i++) {
        all[i * PAGE / 8] = 1;
    }
    SAME(hx_account_info(own, &before), HX_OK);
    SAME(hx_memory_resize(memory, 40 * PAGE), HX_OK);
    SAME(hx_account_info(own, &after), HX_OK);
    CHECK(before.used[HX_ACCOUNT_FRAMES] >= after.used[HX_ACCOUNT_FRAMES] + 50);
}

// Once it is smaller nobody writes behind the end, whose processor ever it was on.
static void resized_elsewhere(void) {
    for (int round = 0; round < 20; round++) {
        const handle_t memory = made(2 * PAGE);
        volatile uint64_t *page = mapped(memory, 0, 2 * PAGE, RW);
        handle_t copy = derived(memory, ALL);
        NEED(hx_handle_bequeath(copy) == HX_OK);
        const pid_t pid = fork();
        if (pid == 0) {
            NEED(hx_handle_given(&copy) == HX_OK);
            volatile uint64_t *second = mapped(copy, PAGE, PAGE, RW);
            for (uint64_t i = 1;; i++) {
                second[0] = i;
            }
        }
        while (page[PAGE / 8] == 0) {
            sched_yield();
        }
        SAME(hx_memory_resize(memory, PAGE), HX_OK);
        KILLED(pid, SIGBUS);
        SAME(hx_memory_resize(memory, 2 * PAGE), HX_OK);
        SAME(page[PAGE / 8], 0);
        SAME(munmap((void *)page, 2 * PAGE), 0);
        SAME(hx_handle_close(memory), HX_OK);
    }
}

// Neither an old mapping nor a new one, and not through mprotect or mremap.
static void revoked_here(void) {
    const handle_t memory = made(2 * PAGE);
    const handle_t lent = derived(memory, ALL);
    volatile uint64_t *mine = mapped(memory, 0, 2 * PAGE, RW);
    volatile uint64_t *page = mapped(lent, 0, 2 * PAGE, RW);
    page[0] = 3;
    SAME(hx_handle_revoke(lent), HX_OK);
    CHECK(faults(page));
    CHECK(faults(page + PAGE / 8)); // never touched before
    mprotect((void *)page, PAGE, PROT_READ);
    mprotect((void *)page, PAGE, PROT_READ | PROT_WRITE);
    CHECK(faults(page));
    SAME(NATIVE(memory_map, lent, 0, PAGE, RW), HX_ERR_REVOKED);
    SAME(munmap((void *)page, 2 * PAGE), 0);
    SAME(mine[0], 3);
}

static const struct check_case cases[] = {
    CASE(sizes),
    CASE(huge),
    CASE(rights),
    CASE(not_inherited),
    CASE(revoked_elsewhere),
    CASE(revoked_here),
    CASE(resized),
    CASE(resized_is_given_back),
    CASE(resized_elsewhere),
};
CHECK_MAIN(cases)
