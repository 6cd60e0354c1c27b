// SPDX-License-Identifier: MIT OR Apache-2.0
// tests/native/oom.c: who has to go when there is no page: who keeps most, mapped or not.
// RUN: musl
#include "native.h"

#include <fcntl.h>
#include <libhelix/end.h>
#include <libhelix/process.h>
#include <libhelix/wait.h>
#include <mqueue.h>
#include <sched.h>
#include <setjmp.h>
#include <sys/resource.h>

#define PAGE   4096u
#define RW     (HX_PROTECTION_READ | HX_PROTECTION_WRITE)
#define SELF   "/proc/self/exe"
#define LIMIT  4000u // pages of the account
#define HOARD  2400u // what one keeps
#define MODEST 600u  // what another has mapped
#define BOTH   1300u // mapped and by handle
#define PIECES 8u    // of the hoard
#define PIPES  (HOARD / 16)
#define LENT   1000u
#define DEPTH  1500u // of a chain

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

#define TABLE_REACH (2ull << 20) // what one table translates
#define SPARSE_SOME 500u
#define SPARSE_MUCH 20000u

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

// At the end of a chain of ends in each other's queues, all of them derived, so that one after the
// other is freed in a grace period of its own.
static void keep_deep(void) {
    handle_t ends[2], to, inside = 0;
    NEED(hx_channel_create(4, ends) == HX_OK);
    to = ends[0];
    for (uint32_t i = 0; i < DEPTH; i++) {
        NEED(hx_channel_create(4, ends) == HX_OK);
        NEED(hx_handle_derive(ends[1], HX_RIGHTS_ALL, &inside) == HX_OK);
        NEED(hx_handle_close(ends[1]) == HX_OK);
        NEED(hx_channel_send(to, inside) == HX_OK && hx_handle_close(to) == HX_OK);
        to = ends[0];
    }
    NEED(hx_channel_send(to, hidden(HOARD - DEPTH)) == HX_OK && hx_handle_close(to) == HX_OK);
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

// Counts once, although two descriptors lead to it.
static void keep_in_message_queues(void) {
    const struct rlimit much = { 1 << 26, 1 << 26 };
    struct mq_attr size = { .mq_maxmsg = (long)HOARD, .mq_msgsize = PAGE - 128 };
    NEED(setrlimit(RLIMIT_MSGQUEUE, &much) == 0);
    const mqd_t queue = mq_open("/kept", O_CREAT | O_EXCL | O_RDWR, 0600, &size);
    NEED(queue >= 0 && mq_unlink("/kept") == 0 && dup(queue) >= 0);
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

// Gives away memory that its account is charged for.
static void lend(void) {
    handle_t end = 0, memory = 0;
    NEED(hx_handle_given(&end) == HX_OK);
    NEED(hx_memory_create(LENT * PAGE, &memory) == HX_OK && hx_channel_send(end, memory) == HX_OK);
    for (;;) {
        pause();
    }
}

static char *map_lent(handle_t memory) {
    uint64_t at = 0;
    NEED(hx_memory_map(memory, 0, LENT * PAGE, RW, &at) == HX_OK);
    return (char *)(uintptr_t)at;
}

static int child_borrows(void) {
    handle_t memory = 0;
    NEED(hx_handle_given(&memory) == HX_OK);
    touch(map_lent(memory), LENT);
    return 0;
}

// Reads of untouched memory, so far apart that each needs a table of its own.
static void read_sparsely(uint64_t places) {
    const volatile char *memory = mmap(NULL, places * TABLE_REACH, PROT_READ,
                                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    NEED(memory != MAP_FAILED);
    for (uint64_t i = 0; i < places; i++) {
        (void)memory[i * TABLE_REACH];
    }
}

static int child_sparse(void) {
    read_sparsely(SPARSE_MUCH);
    return 0;
}

static int child_once(void) {
    read_sparsely(3);
    return 0;
}

static void keep_tables(void) {
    read_sparsely(SPARSE_SOME);
}

// The greatest, which waits for the lock of the file that the other reads as soon as that one waits
// for memory: it cannot end.
static void __attribute__((noreturn)) hog(int file, int ready_line) {
    static char bytes[16 * PAGE];
    (void)anonymous(LIMIT - MODEST);
    NEED(write(ready_line, "r", 1) == 1);
    for (;;) {
        (void)lseek(file, 0, SEEK_SET);
        (void)!read(file, bytes, sizeof bytes);
    }
}

// Reads into fresh memory with the file's lock held. No read ends short.
static int child_reads(void) {
    char name[] = "read-XXXXXX", byte;
    const uint64_t piece = 16 * PAGE;
    int line[2];
    const int file = mkstemp(name);
    NEED(file >= 0 && ftruncate(file, (off_t)piece) == 0 && pipe(line) == 0);
    const pid_t pid = fork();
    NEED(pid >= 0);
    if (pid == 0) {
        hog(file, line[1]);
    }
    NEED(read(line[0], &byte, 1) == 1);
    char *memory =
        mmap(NULL, 2 * MODEST * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    NEED(memory != MAP_FAILED);
    for (uint64_t at = 0; at + piece <= 2 * MODEST * PAGE; at += piece) {
        ssize_t got = 0; // the other moves the position
        while (got == 0) {
            NEED(lseek(file, 0, SEEK_SET) == 0);
            got = read(file, memory + at, piece);
        }
        NEED(got == (ssize_t)piece);
    }
    KILLED(pid, SIGKILL);
    return check_failures;
}

static const struct {
    const char *word;
    void (*keep)(void);
} kinds[] = {
    { "handles", keep_by_handles },
    { "queues", keep_in_queues },
    { "bequest", keep_as_bequest },
    { "channels", keep_in_channels },
    { "pipes", keep_in_pipes },
    { "both", keep_both },
    { "mapped", keep_mapped },
    { "little", keep_little },
    { "tables", keep_tables },
    { "deep", keep_deep },
    { "mqueue", keep_in_message_queues },
};

static const struct {
    const char *word;
    int (*run)(void);
} deeds[] = {
    { "wants", child_wants }, { "borrows", child_borrows }, { "sparse", child_sparse },
    { "once", child_once },   { "reads", child_reads },
};

static int child_main(const char *word) {
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (strcmp(word, kinds[i].word) == 0) {
            kinds[i].keep();
            ready();
        }
    }
    for (size_t i = 0; i < sizeof(deeds) / sizeof(deeds[0]); i++) {
        if (strcmp(word, deeds[i].word) == 0) {
            return deeds[i].run();
        }
    }
    lend();
    return 0;
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

static handle_t limited(uint64_t pages) {
    const struct hx_account_amounts nothing = { 0 };
    handle_t own = 0, account = 0;
    NEED(hx_account_own(&own) == HX_OK);
    NEED(hx_account_create(own, &nothing, &account) == HX_OK);
    SAME(hx_account_limit(account, HX_ACCOUNT_FRAMES, pages), HX_OK);
    return account;
}

static bool has_ended(handle_t process) {
    struct hx_process_info info = { 0 };
    SAME(hx_process_info(process, &info), HX_OK);
    return info.has_ended != 0;
}

static void goes(const char *greatest, const char *other) {
    const handle_t account = limited(LIMIT);
    const handle_t spared = keeper_in(account, other), victim = keeper_in(account, greatest);
    SAME(end_of(child_in(account, "wants", 0)), 0);
    SAME(end_of(victim), SIGKILL);
    CHECK(!has_ended(spared));
    end(spared);
}

static void by_handles(void) {
    goes("handles", "little");
}

static void in_queues(void) {
    goes("queues", "little");
}

// Who lacks memory waits until all of the chain is freed; nobody else has to go.
static void in_a_deep_chain(void) {
    goes("deep", "little");
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

static void in_message_queues(void) {
    goes("mqueue", "little");
}

// What is mapped and has a handle counts once.
static void once(void) {
    goes("mapped", "both");
}

// Memory that who is in the account has given away; *out_lender stays.
static handle_t lent_in(handle_t account, handle_t *out_lender) {
    handle_t ends[2], memory = 0;
    enum hx_status status;
    NEED(hx_channel_create(4, ends) == HX_OK);
    *out_lender = child_in(account, "lends", ends[1]);
    while ((status = hx_channel_receive(ends[0], &memory)) == HX_ERR_WOULD_BLOCK) {
        sched_yield();
    }
    NEED(status == HX_OK);
    return memory;
}

static sigjmp_buf back;
static siginfo_t got;

static void on_bus(int number, siginfo_t *info, void *context) {
    (void)number, (void)context;
    got = *info;
    siglongjmp(back, 1);
}

// Whoever touches what an account pays for that he is not in is told, and nobody is killed for it.
static void of_others(void) {
    const struct sigaction action = { .sa_sigaction = on_bus, .sa_flags = SA_SIGINFO };
    handle_t lender;
    const handle_t memory = lent_in(limited(LENT / 2), &lender);
    char *volatile at = map_lent(memory);
    NEED(sigaction(SIGBUS, &action, NULL) == 0);
    if (sigsetjmp(back, 1) == 0) {
        touch(at, LENT);
    }
    SAME(got.si_signo, SIGBUS);
    SAME(got.si_code, BUS_ADRERR);
    char *const refused = got.si_addr;
    CHECK(refused > at + LENT / 4 * PAGE && refused < at + LENT * PAGE);
    const int zeroes = open("/dev/zero", O_RDONLY);
    REFUSED(read(zeroes, refused, 1), EFAULT);
    REFUSED(madvise(refused, PAGE, MADV_POPULATE_WRITE), EFAULT);
    CHECK(!has_ended(lender));
    end(lender);
}

// Whoever is in it, also by an account below, waits for what is made free there.
static void of_the_account_above(void) {
    const struct hx_account_amounts nothing = { 0 };
    const handle_t above = limited(LENT / 2);
    handle_t lender, account = 0;
    NEED(hx_account_create(above, &nothing, &account) == HX_OK);
    const handle_t memory = lent_in(above, &lender);
    SAME(end_of(child_in(account, "borrows", memory)), SIGKILL);
    end(lender);
}

// Who only reads makes tables: these are paid for, too.
static void tables(void) {
    struct hx_account_info info = { 0 };
    const handle_t account = limited(LIMIT);
    const handle_t keeper = keeper_in(account, "tables");
    SAME(hx_account_info(account, &info), HX_OK);
    CHECK(info.used[HX_ACCOUNT_FRAMES] >= SPARSE_SOME);
    CHECK(info.used[HX_ACCOUNT_FRAMES] < SPARSE_SOME + 200);
    end(keeper);
    SAME(end_of(child_in(account, "sparse", 0)), SIGKILL);
}

// Wherever an account's last page is needed, its process ends, and nobody waits for ever.
static void each_last_page(void) {
    const char *const arguments[] = { "child", "once", NULL };
    uint32_t killed = 0, ended = 0;
    for (uint64_t pages = 0; pages < 100; pages++) {
        handle_t process;
        enum hx_status status =
            hx_spawn_into(limited(pages), SELF, arguments, usual, 3, 0, &process);
        if (status == HX_OK) {
            const int32_t how = end_of(process);
            killed += how == SIGKILL;
            ended += how == 0;
        } else {
            CHECK(status == HX_ERR_LIMIT || status == HX_ERR_NO_MEMORY);
        }
    }
    CHECK(killed > 3 && ended > 3);
}

// Each account's victim cannot end by itself; it is waited for, and then its memory is taken.
static void several_at_once(void) {
    const handle_t first = child_in(limited(LIMIT), "reads", 0);
    const handle_t second = child_in(limited(LIMIT), "reads", 0);
    SAME(end_of(first), 0);
    SAME(end_of(second), 0);
}

static const struct check_case cases[] = {
    CASE(once),
    CASE(by_handles),
    CASE(in_queues),
    CASE(as_bequest),
    CASE(in_channels),
    CASE(in_pipes),
    CASE(of_others),
    CASE(of_the_account_above),
    CASE(tables),
    CASE(each_last_page),
    CASE(several_at_once),
    CASE(in_a_deep_chain),
    CASE(in_message_queues),
};

int main(int argc, char **argv) {
    return argc > 1 && strcmp(argv[0], "child") == 0
               ? child_main(argv[1])
               : check_main(cases, sizeof(cases) / sizeof(cases[0]), argc, argv);
}
