// SPDX-License-Identifier: MIT OR Apache-2.0
// tests/native/oom.c: who has to go when there is no page: who keeps most, mapped or not.
// RUN: musl
#include "native.h"

#include <libhelix/end.h>
#include <libhelix/process.h>
#include <libhelix/wait.h>

#define PAGE   4096u
#define RW     (HX_PROTECTION_READ | HX_PROTECTION_WRITE)
#define SELF   "/proc/self/exe"
#define LIMIT  4000u // pages of the account
#define HOARD  2400u // what one keeps
#define MODEST 600u  // what another has mapped
#define BOTH   1300u // mapped and by handle
#define PIECES 8u    // of the hoard
#define PIPES  (HOARD / 16)

static const int32_t usual[] = { 0, 1, 2 };

static void touch(volatile char *memory, uint64_t pages) {
    for (uint64_t i = 0; i < pages; i++) {
        memory[i * PAGE] = 1;
    }
}

static void *anonymous(uint64_t pages) {
    void *memory =
        mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    NEED(memory != MAP_FAILED);
    touch(memory, pages);
    return memory;
}

// Pages that are not mapped any more.
static handle_t hidden(uint64_t pages) {
    handle_t memory = 0;
    uint64_t at = 0;
    NEED(hx_memory_create(pages * PAGE, &memory) == HX_OK);
    NEED(hx_memory_map(memory, 0, pages * PAGE, RW, &at) == HX_OK);
    touch((char *)(uintptr_t)at, pages);
    NEED(munmap((void *)(uintptr_t)at, pages * PAGE) == 0);
    return memory;
}

// Says that it has what it wants, and stays.
static void __attribute__((noreturn)) ready(void) {
    handle_t event = 0;
    NEED(hx_handle_given(&event) == HX_OK && hx_event_update(event, 0, 1u << 8) == HX_OK);
    for (;;) {
        pause();
    }
}

static void keep_by_handles(void) {
    for (uint32_t i = 0; i < PIECES; i++) {
        (void)hidden(HOARD / PIECES);
    }
}

// Each end lies in the queue of the one before, beside a piece.
static void keep_in_queues(void) {
    handle_t first[2], ends[2], to;
    NEED(hx_channel_create(4, first) == HX_OK);
    to = first[0];
    for (uint32_t i = 0; i < PIECES; i++) {
        NEED(hx_channel_create(4, ends) == HX_OK);
        NEED(hx_channel_send(to, ends[1]) == HX_OK && hx_handle_close(to) == HX_OK);
        to = ends[0];
        NEED(hx_channel_send(to, hidden(HOARD / PIECES)) == HX_OK);
    }
    NEED(hx_handle_close(to) == HX_OK);
}

static void keep_as_bequest(void) {
    NEED(hx_handle_bequeath(hidden(HOARD)) == HX_OK);
}

static void keep_in_channels(void) {
    const uint64_t pages = hx_channel_bytes(4096) / PAGE;
    for (uint64_t i = 0; i < HOARD / pages; i++) {
        handle_t ends[2];
        struct hx_channel_view view;
        NEED(hx_channel_create(4096, ends) == HX_OK);
        NEED(hx_channel_map(ends[0], &view) == HX_OK);
        touch((char *)(uintptr_t)view.address, pages);
        NEED(munmap((void *)(uintptr_t)view.address, pages * PAGE) == 0);
        NEED(hx_handle_close(ends[1]) == HX_OK);
    }
}

static void keep_in_pipes(void) {
    static char bytes[16 * PAGE];
    for (uint32_t i = 0; i < PIPES; i++) {
        int line[2];
        NEED(pipe(line) == 0);
        NEED(write(line[1], bytes, sizeof bytes) == sizeof bytes);
    }
}

// Mapped and by handle: counts once.
static void keep_both(void) {
    handle_t memory = 0;
    uint64_t at = 0;
    NEED(hx_memory_create(BOTH * PAGE, &memory) == HX_OK);
    NEED(hx_memory_map(memory, 0, BOTH * PAGE, RW, &at) == HX_OK);
    touch((char *)(uintptr_t)at, BOTH);
}

static void keep_mapped(void) {
    (void)anonymous(HOARD);
}

static void keep_little(void) {
    (void)anonymous(MODEST);
}

static int child_wants(void) {
    (void)anonymous(LIMIT - HOARD);
    return 0;
}

static const struct {
    const char *word;
    void (*keep)(void);
} kinds[] = {
    { "handles", keep_by_handles },   { "queues", keep_in_queues }, { "bequest", keep_as_bequest },
    { "channels", keep_in_channels }, { "pipes", keep_in_pipes },   { "both", keep_both },
    { "mapped", keep_mapped },        { "little", keep_little },
};

static int child_main(const char *word) {
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (strcmp(word, kinds[i].word) == 0) {
            kinds[i].keep();
            ready();
        }
    }
    return child_wants();
}

static handle_t child_in(handle_t account, const char *word, handle_t given) {
    const char *const arguments[] = { "child", word, NULL };
    handle_t process = 0;
    NEED(hx_spawn_into(account, SELF, arguments, usual, 3, given, &process) == HX_OK);
    return process;
}

// Runs until it has what it wants.
static handle_t keeper_in(handle_t account, const char *word) {
    handle_t event = 0, given = 0;
    uint32_t state;
    NEED(hx_event_create(0, &event) == HX_OK);
    NEED(hx_handle_derive(event, HX_RIGHTS_ALL, &given) == HX_OK);
    const handle_t process = child_in(account, word, given);
    SAME(hx_wait_one(event, 1u << 8, hx_after(60000000000), &state), HX_OK);
    return process;
}

static int32_t end_of(handle_t process) {
    int32_t status = -1;
    SAME(hx_process_wait(process, hx_after(60000000000), &status), HX_OK);
    return status;
}

static void end(handle_t process) {
    SAME(hx_process_kill(process), HX_OK);
    SAME(end_of(process), SIGKILL);
}

static void goes(const char *greatest, const char *other) {
    const struct hx_account_amounts nothing = { 0 };
    struct hx_process_info info;
    handle_t own = 0, account = 0;
    NEED(hx_account_own(&own) == HX_OK);
    NEED(hx_account_create(own, &nothing, &account) == HX_OK);
    SAME(hx_account_limit(account, HX_ACCOUNT_FRAMES, LIMIT), HX_OK);
    const handle_t spared = keeper_in(account, other), victim = keeper_in(account, greatest);
    SAME(end_of(child_in(account, "wants", 0)), 0);
    SAME(end_of(victim), SIGKILL);
    SAME(hx_process_info(spared, &info), HX_OK);
    SAME(info.has_ended, 0);
    end(spared);
}

static void by_handles(void) {
    goes("handles", "little");
}

static void in_queues(void) {
    goes("queues", "little");
}

static void as_bequest(void) {
    goes("bequest", "little");
}

static void in_channels(void) {
    goes("channels", "little");
}

static void in_pipes(void) {
    goes("pipes", "little");
}

// What is mapped and has a handle counts once.
static void once(void) {
    goes("mapped", "both");
}

static const struct check_case cases[] = {
    CASE(once),       CASE(by_handles),  CASE(in_queues),
    CASE(as_bequest), CASE(in_channels), CASE(in_pipes),
};

int main(int argc, char **argv) {
    return argc > 1 && strcmp(argv[0], "child") == 0
               ? child_main(argv[1])
               : check_main(cases, sizeof(cases) / sizeof(cases[0]), argc, argv);
}
