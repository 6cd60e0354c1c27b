// SPDX-License-Identifier: MIT OR Apache-2.0
// tests/hosted/torture.c: random work by several processes while memory is refused, threads wake
// for nothing, the disk fails and its driver dies. Each piece of work checks what it did; in the
// end nothing that the kernel gave out is still out. For the simulator, whose seed the choices
// follow, too.
#include "torture.h"

#include <lib/format.h>
#include <lib/string.h>
#include <linux/eventpoll.h>
#include <linux/futex.h>

#define WORKERS 3u
#define ROUNDS  3u
#define DEATHS  6u  // of the disk's driver: fewer than end it
#define PIECES  25u // of work, by each worker in each round

#define REGION       0x50000000ull
#define REGION_PAGES 16u

#define NTH_AT (PAD + 0x23000) // the descriptor of /proc/helix/fail_nth, of all workers

#define CACHES 64u
#define TREE   80u // derived capabilities: more than are revoked at a time

static void close_both(uint64_t at) {
    SAME(CALL(close, hosted_load(at, 4)), 0);
    SAME(CALL(close, hosted_load(at + 4, 4)), 0);
}

// A child, or 0 if there is no memory for it.
static int64_t child(int (*function)(uint64_t argument), uint64_t argument, uint64_t flags) {
    const int64_t pid = hosted_clone(function, argument, (const uint64_t[5]){ flags | SIGCHLD });
    return done(pid) ? pid : 0;
}

static int64_t wait_for(int64_t pid) {
    SAME(CALL(wait4, (uint64_t)pid, WORDS + 0x800, 0, 0), pid);
    return (int64_t)(int32_t)hosted_load(WORDS + 0x800, 4);
}

static void sleep_ns(uint64_t span_ns) {
    const uint64_t span[2] = { 0, span_ns };
    hosted_write(WORDS, span, sizeof(span));
    SAME(CALL(nanosleep, WORDS, 0), 0);
}

// ---- pieces of work ----------------------------------------------------------------------------

static int exits_with(uint64_t code) {
    return (int)code;
}

static void a_child(struct chance *chance) {
    const uint64_t code = below(chance, 128);
    const int64_t pid = child(exits_with, code, below(chance, 2) ? CLONE_VM | CLONE_VFORK : 0);
    if (pid != 0) {
        SAME(wait_for(pid), EXITED(code));
    }
}

static int executes(uint64_t unused) {
    (void)unused;
    (void)text_at(PATH, "/nothing");
    hosted_store(WORDS, PATH, 8);
    hosted_store(WORDS + 8, 0, 8);
    const int64_t result = CALL(execve, PATH, WORDS, WORDS + 8);
    NEED(!done(result));
    return 9;
}

static void a_program(struct chance *chance) {
    (void)chance;
    const int64_t pid = child(executes, 0, 0);
    if (pid != 0) {
        const int64_t status = wait_for(pid);
        // What fails behind the point of no return ends the process.
        NEED(status == EXITED(7) || status == EXITED(9) || status == KILLED(SIGSEGV) ||
             status == KILLED(SIGKILL));
    }
}

static int writes_pattern(uint64_t descriptor) {
    for (uint32_t i = 0; i < 32; i++) {
        hosted_store(BUFFER, i, 4);
        int64_t wrote;
        while (!done(wrote = CALL(write, descriptor, BUFFER, 4))) {
        }
        SAME(wrote, 4);
    }
    return 0;
}

static void a_pipe(struct chance *chance) {
    if (!done(CALL(pipe2, WORDS, 0))) {
        return;
    }
    const uint64_t reader = hosted_load(WORDS, 4);
    const int64_t pid = child(writes_pattern, hosted_load(WORDS + 4, 4), 0);
    if (pid != 0) {
        for (uint32_t i = 0; i < 32; i++) {
            SAME(CALL(read, reader, BUFFER, 4), 4);
            SAME(hosted_load(BUFFER, 4), i);
            if (below(chance, 8) == 0) {
                CALL(sched_yield);
            }
        }
        SAME(wait_for(pid), EXITED(0));
    }
    close_both(WORDS);
}

#define AF_UNIX     1u
#define SOCK_STREAM 1u
#define SOCK_DGRAM  2u
#define MESSAGE     TEXT // struct msghdr, its one part, and its control message
#define PART        (TEXT + 64)
#define CONTROL     (TEXT + 96)

// Sends a byte and both ends of the pair at WORDS over one of them.
static void pass_ends(uint64_t to) {
    const uint64_t message[7] = { 0, 0, PART, 1, CONTROL, 24, 0 };
    const uint64_t part[2] = { BUFFER, 1 };
    const uint64_t control[3] = { 24, 1 | (uint64_t)1 << 32, hosted_load(WORDS, 8) };
    hosted_write(MESSAGE, message, sizeof(message));
    hosted_write(PART, part, sizeof(part));
    hosted_write(CONTROL, control, sizeof(control));
    (void)done(CALL(sendmsg, to, MESSAGE, 0));
}

// Bytes over a socket, which then lies in its own queue.
static void a_socket(struct chance *chance) {
    const uint64_t type = below(chance, 2) ? SOCK_STREAM : SOCK_DGRAM;
    if (!done(CALL(socketpair, AF_UNIX, type, 0, WORDS))) {
        return;
    }
    const uint64_t reader = hosted_load(WORDS, 4);
    const int64_t pid = child(writes_pattern, hosted_load(WORDS + 4, 4), 0);
    for (uint32_t i = 0; pid != 0 && i < 32; i++) {
        int64_t got;
        while (!done(got = CALL(read, reader, BUFFER, 4))) {
        }
        SAME(got, 4);
        SAME(hosted_load(BUFFER, 4), i);
    }
    if (pid != 0) {
        SAME(wait_for(pid), EXITED(0));
    }
    pass_ends(hosted_load(WORDS + below(chance, 2) * 4, 4));
    close_both(WORDS);
    int64_t another; // as it is closed, those that nobody can reach are looked for
    while (!done(another = CALL(socket, AF_UNIX, SOCK_DGRAM, 0))) {
    }
    SAME(CALL(close, (uint64_t)another), 0);
}

static void remove_file(void) {
    int64_t result;
    do {
        result = CALL(unlinkat, (uint64_t)AT_FDCWD, PATH, 0);
    } while (result != -ENOENT && !done(result));
}

static void a_file(struct chance *chance) {
    char name[32];
    (void)format_string(name, sizeof(name), "/t%lu", (unsigned long)chance->worker);
    const int64_t fd =
        CALL(openat, (uint64_t)AT_FDCWD, text_at(PATH, name), O_CREAT | O_RDWR, 0600);
    if (!done(fd)) {
        remove_file(); // it may be there
        return;
    }
    const uint64_t at = below(chance, 1u << 20);
    hosted_store(BUFFER, at ^ chance->state, 8);
    const int64_t wrote = CALL(pwrite64, (uint64_t)fd, BUFFER, 8, at);
    if (done(wrote) && wrote == 8) {
        SAME(CALL(pread64, (uint64_t)fd, BUFFER + 8, 8, at), 8);
        SAME(hosted_load(BUFFER + 8, 8), hosted_load(BUFFER, 8));
    }
    SAME(CALL(close, (uint64_t)fd), 0);
    remove_file();
}

static int changes_page(uint64_t at) {
    const uint64_t before = hosted_load(at, 8);
    hosted_store(at, ~before, 8);
    return hosted_load(at, 8) == ~before ? 0 : 1;
}

static void some_memory(struct chance *chance) {
    const uint64_t size = (1 + below(chance, REGION_PAGES)) * PAGE;
    const uint64_t mark = chance->state;
    if (!done(map_at(REGION, size, PROT_READ | PROT_WRITE))) {
        return;
    }
    for (uint64_t at = REGION; at < REGION + size; at += PAGE) {
        hosted_store(at, at ^ mark, 8);
    }
    const uint64_t page = REGION + below(chance, (uint32_t)(size / PAGE)) * PAGE;
    const int64_t pid = child(changes_page, page, 0);
    (void)done(CALL(mprotect, page, PAGE, PROT_READ));
    (void)done(CALL(madvise, REGION, size, MADV_WILLNEED));
    for (uint64_t at = REGION; at < REGION + size; at += PAGE) {
        SAME(hosted_load(at, 8), at ^ mark);
    }
    if (pid != 0) {
        const int64_t status = wait_for(pid); // it may have been forked before mprotect(), or after
        NEED(status == EXITED(0));
    }
    (void)done(CALL(munmap, page, PAGE)); // in the middle: may need memory
    SAME(CALL(munmap, REGION, REGION_PAGES * PAGE), 0);
}

static int sleeps(uint64_t unused) {
    (void)unused;
    for (;;) {
        CALL(futex, WORDS, FUTEX_WAIT, hosted_load(WORDS, 4), 0);
    }
}

static int spins(uint64_t unused) {
    (void)unused;
    for (;;) {
        hosted_pause();
    }
}

static void a_victim(struct chance *chance) {
    const uint64_t number = below(chance, 2) ? SIGKILL : SIGTERM;
    const int64_t pid = child(below(chance, 2) ? sleeps : spins, 0, 0);
    if (pid != 0) {
        while (!done(CALL(kill, (uint64_t)pid, number))) {
        }
        SAME(wait_for(pid), KILLED(number));
    }
}

static int counts_up(uint64_t unused) {
    (void)unused;
    for (uint32_t i = 0; i < 20; i++) {
        while (hosted_swap32(WORDS, 0, 1) != 0) {
            CALL(futex, WORDS, FUTEX_WAIT, 1, 0);
        }
        hosted_store(WORDS + 8, hosted_load(WORDS + 8, 8) + 1, 8);
        hosted_store(WORDS, 0, 4);
        CALL(futex, WORDS, FUTEX_WAKE, 1);
    }
    return 0;
}

static void a_thread(struct chance *chance) {
    (void)chance;
    hosted_store(WORDS, 0, 8);
    hosted_store(WORDS + 8, 0, 8);
    const bool starts = thread_starts(counts_up, 0);
    (void)counts_up(0);
    if (starts) {
        thread_join(TID_AT);
    }
    SAME(hosted_load(WORDS + 8, 8), starts ? 40 : 20);
}

// The same by a lock that lends, which some do not wait for as long as it takes.
static int counts_up_lent(uint64_t seed) {
    uint32_t counted = 0;
    hosted_store(WORDS + 72, 0, 8); // a moment that is past
    hosted_store(WORDS + 80, 0, 8);
    while (counted < 20) {
        const uint64_t limit = (seed++ & 3) == 0 ? WORDS + 72 : 0;
        const int64_t status = CALL(futex, WORDS + 64, FUTEX_LOCK_PI, 0, limit);
        if (status == 0) {
            hosted_store(WORDS + 8, hosted_load(WORDS + 8, 8) + 1, 8);
            SAME(CALL(futex, WORDS + 64, FUTEX_UNLOCK_PI), 0);
            counted++;
        } else {
            SAME(status, -ETIMEDOUT);
        }
    }
    return 0;
}

static void a_lender(struct chance *chance) {
    hosted_store(WORDS + 8, 0, 8);
    hosted_store(WORDS + 64, 0, 8);
    const bool starts = thread_starts(counts_up_lent, below(chance, 4));
    (void)counts_up_lent(below(chance, 4));
    if (starts) {
        thread_join(TID_AT);
    }
    SAME(hosted_load(WORDS + 8, 8), starts ? 40 : 20);
    SAME(hosted_load(WORDS + 64, 4), 0);
}

static int uses_until_revoked(uint64_t handle) {
    int64_t status;
    while ((status = NATIVE(event_update, handle, 0, 1u << 8)) == HX_OK) {
        hosted_pause();
    }
    SAME(status, HX_ERR_REVOKED);
    return 0;
}

// A handle is used by a thread while what it was derived from is revoked.
static void a_capability(struct chance *chance) {
    const uint64_t rights = HX_RIGHT_SIGNAL | HX_RIGHT_ADMIN | HX_RIGHT_DELEGATE;
    int64_t handles[3];
    uint32_t count = 0;
    bool going_on = made(handles[0] = NATIVE(event_create, 0));
    while (going_on && ++count < 3) {
        handles[count] = NATIVE(handle_derive, (uint64_t)handles[count - 1], rights);
        going_on = made(handles[count]);
    }
    if (count == 3 && thread_starts(uses_until_revoked, (uint64_t)handles[2])) {
        for (uint32_t i = below(chance, 8); i > 0; i--) {
            CALL(sched_yield);
        }
        SAME(NATIVE(handle_revoke, (uint64_t)handles[1]), HX_OK);
        SAME(NATIVE(event_update, (uint64_t)handles[2], 0, 1u << 8), HX_ERR_REVOKED);
        thread_join(TID_AT);
    }
    while (count-- > 0) {
        SAME(NATIVE(handle_close, (uint64_t)handles[count]), HX_OK);
    }
}

// Derives below a handle until it is revoked, and revokes that now and then.
static int derives_until_revoked(uint64_t handle) {
    int64_t below_it;
    do {
        below_it = NATIVE(handle_derive, handle, HX_RIGHT_ADMIN);
        if (below_it == HX_ERR_REVOKED || below_it == HX_ERR_BAD_HANDLE) {
            return 0; // it may be closed already
        }
        if (made(below_it)) {
            const int64_t status = NATIVE(handle_revoke, (uint64_t)below_it);
            NEED(status == HX_OK || status == HX_ERR_REVOKED);
            SAME(NATIVE(handle_close, (uint64_t)below_it), HX_OK);
        }
    } while (true);
}

// A tree that needs several turns at its lock is revoked while a thread derives and revokes in it.
static void a_tree(struct chance *chance) {
    int64_t handles[TREE];
    const int64_t event = NATIVE(event_create, 0);
    if (!made(event)) {
        return;
    }
    uint32_t count = 0;
    handles[0] = NATIVE(handle_derive, (uint64_t)event, HX_RIGHT_ADMIN);
    while (made(handles[count]) && ++count < TREE) {
        handles[count] =
            NATIVE(handle_derive, (uint64_t)handles[below(chance, count)], HX_RIGHT_ADMIN);
    }
    const bool shared =
        count > 1 && thread_starts(derives_until_revoked, (uint64_t)handles[below(chance, count)]);
    if (count > 0) {
        SAME(NATIVE(handle_revoke, (uint64_t)handles[0]), HX_OK);
    }
    for (uint32_t i = 0; i < count; i++) {
        SAME(NATIVE(handle_revoke, (uint64_t)handles[i]), HX_ERR_REVOKED);
        SAME(NATIVE(handle_close, (uint64_t)handles[i]), HX_OK);
    }
    if (shared) {
        thread_join(TID_AT);
    }
    SAME(NATIVE(handle_close, (uint64_t)event), HX_OK);
}

static int answers_there(uint64_t at) {
    hosted_store(at, hosted_load(at, 8) + 1, 8);
    return 0;
}

static void shared_memory(struct chance *chance) {
    const uint64_t size = (1 + below(chance, REGION_PAGES)) * PAGE;
    const uint64_t at = REGION + below(chance, (uint32_t)(size / PAGE)) * PAGE;
    if (!done(CALL(mmap, REGION, size, PROT_READ | PROT_WRITE,
                   MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1ull, 0))) {
        return;
    }
    hosted_store(at, size, 8);
    const int64_t pid = child(answers_there, at, 0);
    if (pid != 0) {
        SAME(wait_for(pid), EXITED(0));
        SAME(hosted_load(at, 8), size + 1);
    }
    SAME(CALL(munmap, REGION, size), 0);
}

// Signals of its own through a file, which a child reads from for its own, too.
static int reads_none(uint64_t file) {
    const int64_t moved = CALL(read, file, BUFFER, 128);
    return moved == -EAGAIN || !done(moved) ? 0 : 1;
}

static void a_signal_file(struct chance *chance) {
    const uint64_t number = SIGUSR2, set = 1ull << (number - 1);
    hosted_store(WORDS, set, 8);
    SAME(CALL(rt_sigprocmask, SIG_BLOCK, WORDS, 0, 8), 0);
    hosted_store(WORDS, set, 8);
    const int64_t file = CALL(signalfd4, -1ull, WORDS, 8, O_NONBLOCK);
    if (done(file)) {
        SAME(CALL(kill, (uint64_t)CALL(getpid), number), 0);
        const int64_t pid = below(chance, 2) ? child(reads_none, (uint64_t)file, 0) : 0;
        const int64_t moved = CALL(read, (uint64_t)file, BUFFER, 128);
        NEED(!done(moved) || (moved == 128 && hosted_load(BUFFER, 4) == number));
        if (pid != 0) {
            SAME(wait_for(pid), EXITED(0));
        }
        SAME(CALL(close, (uint64_t)file), 0);
    }
    const uint64_t span[2] = { 0, 0 }; // what is left of it goes, before it is open again
    hosted_store(WORDS, set, 8);
    hosted_write(WORDS + 16, span, sizeof(span));
    (void)CALL(rt_sigtimedwait, WORDS, 0, WORDS + 16, 8);
    hosted_store(WORDS, set, 8);
    SAME(CALL(rt_sigprocmask, SIG_UNBLOCK, WORDS, 0, 8), 0);
}

// Watches its folder while files come and go there, by others, too.
static void a_watch(struct chance *chance) {
    const int64_t file = CALL(inotify_init1, O_NONBLOCK);
    if (!done(file)) {
        return;
    }
    const int64_t watch = CALL(inotify_add_watch, (uint64_t)file, text_at(BUFFER, "/"), 0xfff);
    if (done(watch)) {
        a_file(chance);
        for (uint32_t i = 0; i < 4; i++) {
            (void)done(CALL(read, (uint64_t)file, BUFFER, 512));
        }
        if (below(chance, 2)) {
            SAME(CALL(inotify_rm_watch, (uint64_t)file, (uint64_t)watch), 0);
        }
    }
    SAME(CALL(close, (uint64_t)file), 0);
}

#define KEYS 2u

// Semaphores and a queue that others may have removed at any point, by the keys that all share.
static void a_key(struct chance *chance) {
    const uint64_t key = 1 + below(chance, KEYS);
    const uint64_t step = below(chance, 2) | (below(chance, 2) ? 1 : UINT64_C(0xffff)) << 16 |
                          UINT64_C(014000) << 32; // IPC_NOWAIT, SEM_UNDO
    const int64_t set = CALL(semget, key, 2, 01600);
    const int64_t queue = CALL(msgget, key, 01600);
    if (set >= 0) {
        hosted_store(WORDS, step, 8);
        (void)CALL(semop, (uint64_t)set, WORDS, 1);
        (void)CALL(semctl, (uint64_t)set, 0, below(chance, 20), BUFFER);
        if (below(chance, 4) == 0) {
            (void)CALL(semctl, (uint64_t)set, 0, 0, 0);
        }
    }
    if (queue >= 0) {
        hosted_store(BUFFER, 1 + below(chance, 3), 8);
        (void)CALL(msgsnd, (uint64_t)queue, BUFFER, below(chance, 100), 04000);
        (void)CALL(msgrcv, (uint64_t)queue, BUFFER, 100, below(chance, 3), 014000);
        if (below(chance, 4) == 0) {
            (void)CALL(msgctl, (uint64_t)queue, 0, 0);
        }
    }
}

// What has a key outlives who made it.
static void remove_keys(void) {
    for (uint64_t key = 1; key <= KEYS; key++) {
        const int64_t set = CALL(semget, key, 0, 0);
        const int64_t queue = CALL(msgget, key, 0);
        if (set >= 0) {
            SAME(CALL(semctl, (uint64_t)set, 0, 0, 0), 0);
        }
        if (queue >= 0) {
            SAME(CALL(msgctl, (uint64_t)queue, 0, 0), 0);
        }
    }
}

// Signals, which nobody heeds, for what anybody does in a folder.
static void a_notice(struct chance *chance) {
    const int64_t file =
        CALL(openat, (uint64_t)AT_FDCWD, text_at(PATH, "/"), O_RDONLY | O_DIRECTORY, 0);
    if (!done(file)) {
        return;
    }
    const uint64_t events = DN_CREATE | DN_DELETE | (below(chance, 2) ? DN_MULTISHOT : 0);
    SAME(CALL(fcntl, (uint64_t)file, F_SETSIG, SIGURG), 0);
    if (done(CALL(fcntl, (uint64_t)file, F_NOTIFY, events))) {
        a_file(chance);
        if (below(chance, 2)) {
            SAME(CALL(fcntl, (uint64_t)file, F_NOTIFY, 0), 0);
        }
    }
    SAME(CALL(close, (uint64_t)file), 0);
}

// A place for the processor's number, which a child has a copy of, and a section that is over.
#define RSEQ_BYTES      32u
#define RSEQ_UNREGISTER 1
#define RSEQ_SIGNATURE  0x53053053u

static bool names_a_processor(uint64_t area) {
    const uint64_t cpu = hosted_load(area + 4, 4);
    return cpu < 64 && hosted_load(area, 4) < 64;
}

static int has_a_copy(uint64_t area) {
    const bool is_named = names_a_processor(area);
    return is_named && CALL(rseq, area, RSEQ_BYTES, 0, RSEQ_SIGNATURE) == -EBUSY ? 0 : 1;
}

static void a_sequence(struct chance *chance) {
    const uint64_t area = BUFFER + RSEQ_BYTES * below(chance, 8), section = BUFFER + 1024;
    const uint64_t descriptor[4] = { 0, 4096, 16, 8192 };
    hosted_store(area, ~0ull, 8);
    hosted_store(area + 8, 0, 8);
    hosted_store(area + 16, 0, 4);
    hosted_store(8192 + BUFFER - 4, RSEQ_SIGNATURE, 4);
    hosted_write(section, descriptor, sizeof(descriptor));
    hosted_store(section + 24, 8192 + BUFFER, 8);
    SAME(CALL(rseq, area, RSEQ_BYTES, 0, RSEQ_SIGNATURE), 0);
    NEED(names_a_processor(area));
    hosted_store(area + 8, section, 8);
    const int64_t pid = child(has_a_copy, area, 0);
    for (uint64_t left = below(chance, 4); left != 0; left--) {
        CALL(sched_yield);
        NEED(names_a_processor(area));
    }
    if (pid != 0) {
        SAME(wait_for(pid), EXITED(0));
    }
    const uint64_t after = hosted_load(area + 8, 8);
    NEED(after == 0 || after == section);
    SAME(CALL(rseq, area, RSEQ_BYTES, RSEQ_UNREGISTER, RSEQ_SIGNATURE), 0);
    SAME(hosted_load(area + 4, 4), UINT32_MAX);
}

// A child by its descriptor, which may be looked into while it ends.
static void a_descriptor(struct chance *chance) {
    const uint64_t code = below(chance, 128);
    const uint64_t flags = 0x1000 | SIGCHLD; // CLONE_PIDFD
    hosted_store(WORDS, ~0ull, 4);
    const int64_t pid = hosted_clone(exits_with, code, (const uint64_t[5]){ flags, 0, WORDS });
    const uint64_t file = hosted_load(WORDS, 4);
    if (!done(pid)) {
        return;
    }
    hosted_store(BUFFER, PAD, 8);
    hosted_store(BUFFER + 8, 8, 8);
    const uint64_t moved[2] = { BUFFER + 16, 8 };
    hosted_write(BUFFER + 24, moved, sizeof(moved));
    const int64_t got = CALL(process_vm_readv, (uint64_t)pid, BUFFER + 24, 1, BUFFER, 1, 0);
    NEED(got == 8 || got == -ESRCH || !done(got));
    const int64_t taken = CALL(pidfd_getfd, file, 1, 0);
    NEED(taken == -ESRCH || taken == -EBADF || !done(taken) || CALL(close, (uint64_t)taken) == 0);
    hosted_store(BUFFER, file, 4);
    hosted_store(BUFFER + 4, 1, 4); // POLLIN
    SAME(CALL(ppoll, BUFFER, 1, 0, 0, 8), 1);
    SAME(CALL(waitid, 3, file, BUFFER, 4, 0), 0); // P_PIDFD, WEXITED
    SAME(hosted_load(BUFFER + 24, 4), code);
    SAME(CALL(pidfd_send_signal, file, 0, 0, 0), -ESRCH);
    SAME(CALL(close, file), 0);
}

static int takes_messages(uint64_t queue) {
    for (uint32_t i = 0; i < 16; i++) {
        SAME(CALL(mq_timedreceive, queue, BUFFER, 16, 0, 0), 4);
        SAME(hosted_load(BUFFER, 4), i);
    }
    return 0;
}

static void remove_queue(void) {
    int64_t result;
    do {
        result = CALL(mq_unlink, PATH);
    } while (result != -ENOENT && !done(result));
}

// Messages to a child, which waits for them while the sender waits for room.
static void a_queue(struct chance *chance) {
    char name[32];
    const uint64_t attributes[8] = { 0, 1 + below(chance, 3), 16 };
    const uint64_t event[8] = { 0, (uint64_t)1 << 32 }; // SIGEV_NONE
    hosted_write(WORDS, attributes, sizeof(attributes));
    (void)format_string(name, sizeof(name), "t%lu", (unsigned long)chance->worker);
    const int64_t queue = CALL(mq_open, text_at(PATH, name), O_CREAT | O_RDWR, 0600, WORDS);
    if (!done(queue)) {
        remove_queue(); // it may be there
        return;
    }
    hosted_write(WORDS, event, sizeof(event));
    (void)done(CALL(mq_notify, (uint64_t)queue, WORDS));
    const int64_t pid = child(takes_messages, (uint64_t)queue, 0);
    for (uint32_t i = 0; pid != 0 && i < 16; i++) {
        hosted_store(BUFFER, i, 4);
        while (!done(CALL(mq_timedsend, (uint64_t)queue, BUFFER, 4, 0, 0))) {
        }
    }
    if (pid != 0) {
        SAME(wait_for(pid), EXITED(0));
    } else {
        (void)done(CALL(mq_timedsend, (uint64_t)queue, BUFFER, 4, 0, 0)); // goes with it
    }
    remove_queue();
    SAME(CALL(close, (uint64_t)queue), 0);
}

// An attribute of a file that all have: of as many bytes as its value says, whoever sets it.
static void attribute_of(uint64_t file, uint32_t size) {
    const uint64_t name = text_at(PATH, "user.torture");
    hosted_store(REGION, size, 4);
    (void)done(CALL(fsetxattr, file, name, REGION, size, 0));
    const int64_t length = CALL(fgetxattr, file, name, REGION, REGION_PAGES * PAGE);
    NEED(length == -ENODATA || !done(length) || (uint64_t)length == hosted_load(REGION, 4));
    if (size % 2 == 0) {
        const int64_t removed = CALL(fremovexattr, file, name);
        (void)(removed == -ENODATA || done(removed));
    }
}

static void an_attribute(struct chance *chance) {
    const uint32_t size = 4 + below(chance, 40000);
    const int64_t fd =
        CALL(openat, (uint64_t)AT_FDCWD, text_at(PATH, "/attributes"), O_CREAT | O_RDWR, 0600);
    if (done(fd)) {
        if (done(map_at(REGION, REGION_PAGES * PAGE, PROT_READ | PROT_WRITE))) {
            attribute_of((uint64_t)fd, size);
            SAME(CALL(munmap, REGION, REGION_PAGES * PAGE), 0);
        }
        SAME(CALL(close, (uint64_t)fd), 0);
    }
    (void)text_at(PATH, "/attributes");
    remove_file(); // of those who have it the last one finds none
}

static void an_event(struct chance *chance) {
    const int64_t event = CALL(eventfd2, below(chance, 3), 0);
    const int64_t poll = CALL(epoll_create1, 0);
    if (done(event) && done(poll)) {
        struct epoll_event wanted = { .events = EPOLLIN, .data = 5 };
        hosted_write(BUFFER, &wanted, sizeof(wanted));
        if (done(CALL(epoll_ctl, (uint64_t)poll, EPOLL_CTL_ADD, (uint64_t)event, BUFFER))) {
            hosted_store(BUFFER, 1, 8);
            SAME(CALL(write, (uint64_t)event, BUFFER, 8), 8);
            const int64_t count = CALL(epoll_pwait, (uint64_t)poll, BUFFER, 1, -1ull, 0, 8);
            NEED(!done(count) || count == 1);
        }
    }
    for (uint32_t i = 0; i < 2; i++) {
        const int64_t fd = i == 0 ? event : poll;
        if (fd >= 0) {
            SAME(CALL(close, (uint64_t)fd), 0);
        }
    }
}

static void a_sleep(struct chance *chance) {
    sleep_ns(1000u + below(chance, 100000));
}

static void (*const pieces[])(struct chance *chance) = {
    a_child,       a_program,     a_pipe,          a_file,         some_memory,
    a_victim,      a_thread,      a_lender,        an_event,       a_signal_file,
    a_watch,       a_descriptor,  a_key,           a_sequence,     a_notice,
    a_queue,       an_attribute,  a_sleep,         a_capability,   shared_memory,
    a_tree,        a_socket,      torture_channel, torture_memory, torture_timer,
    torture_token, torture_spawn, torture_account, torture_disk,   torture_disk_victim,
};
#define PIECE_KINDS (sizeof(pieces) / sizeof(pieces[0]))

// ---- rounds ------------------------------------------------------------------------------------

// The n-th allocation of the caller from now on fails; 0: none does.
static void fail_nth(uint32_t nth) {
    char text[16];
    const size_t length = format_string(text, sizeof(text), "%u", (unsigned)nth);
    hosted_write(TEXT, text, length);
    while (!done(CALL(pwrite64, hosted_load(NTH_AT, 8), TEXT, length, 0))) {
    }
}

static void piece(struct chance *chance, uint32_t kind) {
    if (chance->counted) {
        fail_nth(1 + below(chance, 1u << below(chance, 9)));
    }
    pieces[kind](chance);
    if (chance->counted) {
        fail_nth(0);
    }
}

static int work(struct chance chance) {
    for (uint32_t i = 0; i < PIECE_KINDS; i++) {
        piece(&chance, i); // each at least once: what is cached is cached in the first round
    }
    for (uint32_t i = 0; i < PIECES; i++) {
        piece(&chance, below(&chance, PIECE_KINDS));
    }
    return 0;
}

static int works(uint64_t seed) {
    return work((struct chance){ seed | 1, seed % WORKERS, false, false });
}

static int works_counted(uint64_t seed) {
    return work((struct chance){ seed | 1, seed % WORKERS, false, true });
}

static int works_in_peace(uint64_t seed) {
    return work((struct chance){ seed | 1, seed % WORKERS, true, false });
}

static uint64_t open_file(const char *path, uint64_t flags) {
    const int64_t fd = CALL(openat, (uint64_t)AT_FDCWD, text_at(PATH, path), flags);
    NEED(fd >= 0);
    return (uint64_t)fd;
}

static uint64_t faults; // the descriptor of /proc/helix/faults, of process 1 alone

static void fault_set(const char *kind, uint32_t one_in) {
    char text[32];
    const size_t length = format_string(text, sizeof(text), "%s %u", kind, one_in);
    hosted_write(TEXT, text, length);
    while (!done(CALL(pwrite64, faults, TEXT, length, 0))) {
    }
}

struct use {
    char name[24];
    uint64_t objects;
};

// The lines of /proc/slabinfo behind its two headings, when nothing is cached.
static uint32_t read_use(struct use uses[CACHES]) {
    static char text[BUFFER_BYTES]; // process 1 alone comes here
    const uint64_t caches = open_file("/proc/sys/vm/drop_caches", O_WRONLY);
    hosted_store(BUFFER, '2', 1);
    SAME(CALL(write, caches, BUFFER, 1), 1);
    SAME(CALL(close, caches), 0);
    sleep_ns(20000000); // what was dropped is freed when nobody can be reading it
    const uint64_t fd = open_file("/proc/slabinfo", O_RDONLY);
    uint64_t length = 0;
    int64_t got;
    while ((got = CALL(read, fd, BUFFER + length, BUFFER_BYTES - 1 - length)) > 0) {
        length += (uint64_t)got;
    }
    SAME(got, 0);
    SAME(CALL(close, fd), 0);
    hosted_read(text, BUFFER, length);
    text[length] = '\0';
    uint32_t count = 0;
    const char *line = strchr(strchr(text, '\n') + 1, '\n') + 1;
    for (; *line != '\0' && count < CACHES; line = strchr(line, '\n') + 1) {
        const char *end = strchr(line, ' ');
        struct use *use = &uses[count++];
        *use = (struct use){ 0 };
        memcpy(use->name, line, (size_t)(end - line));
        while (*end == ' ') {
            end++;
        }
        for (; *end >= '0' && *end <= '9'; end++) {
            use->objects = use->objects * 10 + (uint64_t)(*end - '0');
        }
    }
    return count;
}

// Says which caches have more objects than before, or only counts them.
static uint32_t more_in_use(const struct use before[CACHES], bool says) {
    static struct use after[CACHES];
    const uint32_t count = read_use(after);
    uint32_t more = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (after[i].objects > before[i].objects) {
            char line[128];
            more++;
            (void)format_string(line, sizeof(line), "%s: %lu objects, %lu before\n", after[i].name,
                                (unsigned long)after[i].objects, (unsigned long)before[i].objects);
            if (says) {
                hosted_say(line);
            }
        }
    }
    return more;
}

static uint64_t random_seed(void) {
    SAME(CALL(getrandom, WORDS, 8, 0), 8);
    return hosted_load(WORDS, 8);
}

// The disk's driver dies at the n-th call that it makes from now on; 0: it is spared.
static void driver_kill(uint64_t health, uint32_t nth) {
    char text[40];
    const size_t length =
        format_string(text, sizeof(text), "kill virtio_blk assert %u", (unsigned)nth);
    hosted_write(TEXT, text, length);
    while (!done(CALL(pwrite64, health, TEXT, length, 0))) {
    }
}

// How often it has died; -1: it does not run now.
static int64_t driver_deaths(void) {
    static const char name[] = "virtio_blk runs ";
    static char text[BUFFER_BYTES]; // process 1 alone comes here
    const uint64_t health = open_file("/proc/helix/health", O_RDONLY);
    const int64_t got = CALL(read, health, BUFFER, BUFFER_BYTES - 1);
    NEED(got > 0);
    SAME(CALL(close, health), 0);
    hosted_read(text, BUFFER, (uint64_t)got);
    text[got] = '\0';
    for (const char *line = text; line != NULL;) {
        if (strncmp(line, name, sizeof(name) - 1) == 0) {
            int64_t deaths = 0;
            for (const char *at = line + sizeof(name) - 1; *at >= '0' && *at <= '9'; at++) {
                deaths = deaths * 10 + *at - '0';
            }
            return deaths;
        }
        line = strchr(line, '\n');
        line = line != NULL ? line + 1 : NULL;
    }
    return -1;
}

// Each time after some of its calls, as long as there is work for it.
static void driver_torment(struct chance *chance) {
    const uint64_t health = open_file("/proc/helix/health", O_RDWR);
    for (uint32_t i = 0; i < DEATHS; i++) {
        const int64_t before = driver_deaths();
        driver_kill(health, 1 + below(chance, 8));
        for (uint32_t turn = 0; turn < 100 && driver_deaths() <= before; turn++) {
            sleep_ns(1 + below(chance, 1000000));
        }
    }
    driver_kill(health, 0);
    SAME(CALL(close, health), 0);
}

// With little memory, or with a driver that dies: a new life that gets no memory would be the last.
enum troubles { NO_TROUBLES, SCARCITY, DEATH };

static void run_round(struct chance *chance, enum troubles troubles) {
    int64_t pids[WORKERS];
    const bool counted = troubles == SCARCITY && below(chance, 2) == 0;
    for (uint32_t i = 0; i < WORKERS; i++) {
        pids[i] = child_new(counted                   ? works_counted
                            : troubles != NO_TROUBLES ? works
                                                      : works_in_peace,
                            random_seed() / WORKERS * WORKERS + i);
    }
    if (troubles != NO_TROUBLES) {
        const bool one_in = troubles == SCARCITY && !counted;
        fault_set("allocation", one_in ? 4u << below(chance, 8) : 0);
        fault_set("wake", 2u << below(chance, 5));
        fault_set("disk", 2u << below(chance, 8));
        fault_set("short", 2u << below(chance, 6));
    }
    if (troubles == DEATH) {
        driver_torment(chance);
    }
    for (uint32_t i = 0; i < WORKERS; i++) {
        SAME(child_wait(pids[i]), EXITED(0));
    }
    if (troubles != NO_TROUBLES) {
        fault_set("allocation", 0);
        fault_set("wake", 0);
        fault_set("disk", 0);
        fault_set("short", 0);
    }
    remove_keys();
}

// What ended is taken apart later: until then.
static void settle(const struct use before[CACHES]) {
    for (uint32_t i = 0; i < 200; i++) {
        if (more_in_use(before, false) == 0) {
            return; // looking takes objects, too: another look may come before these are gone
        }
        sleep_ns(1000000);
    }
    SAME(more_in_use(before, true), 0);
}

#define NAMES 500u

// The table of a module's arena has places for as many objects as there ever were at once, and
// keeps them: now there were more than the rounds make.
static void many_names(void) {
    char name[16];
    for (uint32_t i = 0; i < 2 * NAMES; i++) {
        (void)format_string(name, sizeof(name), "/n%u", (unsigned)(i % NAMES));
        if (i < NAMES) {
            SAME(CALL(close, open_file(name, O_CREAT | O_RDWR)), 0);
        } else {
            SAME(CALL(unlinkat, (uint64_t)AT_FDCWD, text_at(PATH, name), 0), 0);
        }
    }
}

static void nothing_is_lost(void) {
    static struct use before[CACHES];
    struct chance chance = { random_seed() | 1, 0, false, false };
    mount_at("/proc", "proc");
    mount_at("/dev", "devtmpfs");
    faults = open_file("/proc/helix/faults", O_RDWR);
    hosted_store(NTH_AT, open_file("/proc/helix/fail_nth", O_RDWR), 8);
    many_names();
    (void)read_use(before);
    run_round(&chance, NO_TROUBLES);
    sleep_ns(20000000);
    (void)read_use(before);
    for (uint32_t i = 0; i < ROUNDS; i++) {
        run_round(&chance, i % 2 == 0 ? SCARCITY : DEATH);
        settle(before);
        NEED(driver_deaths() >= 0); // it lives
    }
}

static const struct check_case cases[] = {
    CASE(nothing_is_lost),
};
CHECK_PROGRAM(torture, cases);

static int nothing_main(uint64_t stack) {
    (void)stack;
    return 7;
}
HOSTED_PROGRAM(nothing, nothing_main);
