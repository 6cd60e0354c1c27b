// SPDX-License-Identifier: MIT OR Apache-2.0
// tests/native/revoke.c: threads of two processes, on all processors, use what was derived from one
// capability in every way while it is revoked: once the revocation has returned, no call begins, no
// access to memory comes through, and nobody waits any more.
#include "native.h"

#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <sys/mman.h>
#include <time.h>

#define THREADS 3u // of each of the two processes
#define PAGE    4096u
#define ROUNDS  6

static struct {
    _Atomic uint32_t gone;  // the revocation has returned
    _Atomic uint32_t ready; // threads that are at it
    _Atomic uint32_t uses;
    _Atomic uint32_t late; // uses that began after the revocation had returned
    _Atomic int64_t took_ns;
} *shared;

// What the threads of a process use. Whether it was let in; if not, it was told why.
struct work {
    bool (*use)(const struct work *work);
    int fd;
    handle_t handle;
    _Atomic uint32_t *memory;
};

static __thread sigjmp_buf fault;

static void on_fault(int number) {
    (void)number;
    siglongjmp(fault, 1);
}

static bool stores(const struct work *work) {
    if (sigsetjmp(fault, 1) != 0) {
        return false;
    }
    (*work->memory)++;
    return true;
}

static bool refused_fd(int64_t result) {
    const int error = errno;
    if (result < 0) {
        SAME(error, EBADF);
    }
    return result < 0;
}

static bool writes(const struct work *work) {
    return !refused_fd(pwrite(work->fd, "12345678", 8, 64));
}

static bool reads_blocking(const struct work *work) {
    char byte;
    return !refused_fd(read(work->fd, &byte, 1)); // nobody writes
}

static bool polls(const struct work *work) {
    struct pollfd item = { .fd = work->fd, .events = POLLIN };
    SAME(poll(&item, 1, -1), 1);
    SAME(item.revents, POLLNVAL);
    return false;
}

static bool refused_handle(int64_t status) {
    if (status != HX_OK) {
        SAME(status, HX_ERR_REVOKED);
    }
    return status != HX_OK;
}

static bool notifies(const struct work *work) {
    return !refused_handle(NATIVE(channel_notify, work->handle, HX_STATE_READABLE));
}

static bool arms(const struct work *work) {
    return !refused_handle(NATIVE(channel_arm, work->handle, HX_STATE_WRITABLE));
}

static bool maps(const struct work *work) {
    struct hx_channel_view view;
    const bool done = !refused_handle(NATIVE(channel_map, work->handle, &view));
    if (done) {
        munmap((void *)(uintptr_t)view.address, 2 * PAGE);
    }
    return done;
}

static bool waits(const struct work *work) {
    struct hx_wait_item item = { .handle = work->handle, .mask = HX_STATE_WRITABLE };
    SAME(NATIVE(wait, &item, 1, TIME_NEVER), 1);
    SAME(item.out_state, HX_STATE_REVOKED);
    return false;
}

static void *works(void *argument) {
    const struct work *work = argument;
    bool let_in = true;
    shared->ready++;
    while (let_in) {
        const bool is_late = shared->gone != 0;
        let_in = work->use(work);
        shared->uses += let_in;
        shared->late += let_in && is_late;
    }
    // Until the revocation returns, a translation may be gone on one processor, and not yet on the
    // one that this thread runs on next.
    while (shared->gone == 0) {
        sched_yield();
    }
    SAME(work->use(work), false); // for good
    return NULL;
}

static void threads_start(pthread_t threads[THREADS], struct work *work) {
    for (uint32_t i = 0; i < THREADS; i++) {
        NEED(pthread_create(&threads[i], NULL, works, work) == 0);
    }
}

static void threads_join(const pthread_t threads[THREADS]) {
    for (uint32_t i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
}

static handle_t derived(handle_t from) {
    const int64_t handle = NATIVE(handle_derive, from, HX_RIGHTS_ALL);
    NEED(handle > 0);
    return (handle_t)handle;
}

// A handle below that of an open file, and a descriptor for it.
static handle_t file_below(int fd, int *out_fd) {
    const int64_t root = NATIVE(file_handle, fd);
    NEED(root > 0);
    const handle_t handle = derived((handle_t)root);
    SAME(NATIVE(handle_close, root), HX_OK);
    *out_fd = (int)NATIVE(file_descriptor, derived(handle), 0);
    NEED(*out_fd >= 0);
    return handle;
}

// Lets both processes work, revokes, and sees that nobody goes on. `may_pass`: uses are let in.
static void revoke_under(struct work *work, handle_t top, bool may_pass) {
    pthread_t threads[THREADS];
    shared->gone = shared->ready = shared->uses = shared->late = 0;
    const bool has_handle = work->handle != 0;
    if (has_handle) {
        NEED(NATIVE(handle_bequeath, derived(work->handle)) == HX_OK);
    }
    const pid_t pid = fork();
    if (pid == 0) {
        if (has_handle) {
            work->handle = (handle_t)NATIVE(handle_given);
            struct hx_channel_view view; // fork does not pass the parent's mapping on
            if (work->memory != NULL) {
                NEED(NATIVE(channel_map, work->handle, &view) == HX_OK);
                work->memory = (_Atomic uint32_t *)(uintptr_t)(view.address + PAGE);
            }
        }
        threads_start(threads, work);
        threads_join(threads);
        _exit(check_failures != 0);
    }
    threads_start(threads, work);
    while (shared->ready != 2 * THREADS || (may_pass && shared->uses < 50)) {
        sched_yield();
    }
    SAME(NATIVE(handle_revoke, top), HX_OK);
    shared->gone = 1;
    threads_join(threads);
    EXITS(pid, 0);
    SAME(shared->late, 0);
    NATIVE(handle_close, top);
}

static void setup(void) {
    struct sigaction action = { .sa_handler = on_fault };
    sigaction(SIGSEGV, &action, NULL);
    sigaction(SIGBUS, &action, NULL);
    shared = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    NEED(shared != MAP_FAILED);
}

static int file_new(void) {
    const int fd = open("file", O_RDWR | O_CREAT, 0600);
    NEED(fd >= 0 && ftruncate(fd, 2 * PAGE) == 0);
    return fd;
}

static void calls_on_descriptors(void) {
    setup();
    for (int round = 0; round < ROUNDS; round++) {
        const int file = file_new();
        struct work work = { .use = writes };
        const handle_t top = file_below(file, &work.fd);
        revoke_under(&work, top, true);
        char before[16] = "87654321", after[16];
        SAME(pwrite(file, before, 8, 64), 8);
        SAME(pread(file, after, 8, 64), 8);
        CHECK(memcmp(before, after, 8) == 0);
        close(work.fd);
        close(file);
    }
}

static void calls_that_block(void) {
    setup();
    for (int round = 0; round < ROUNDS; round++) {
        int ends[2];
        NEED(pipe(ends) == 0);
        struct work work = { .use = round % 2 ? polls : reads_blocking };
        const handle_t top = file_below(ends[0], &work.fd);
        revoke_under(&work, top, false);
        close(work.fd);
        close(ends[0]);
        close(ends[1]);
    }
}

// Nothing is stored any more, which who made the file sees in it.
static void mappings_of_files(void) {
    setup();
    for (int round = 0; round < ROUNDS; round++) {
        int narrow;
        const int file = file_new();
        const handle_t top = file_below(file, &narrow);
        struct work work = { .use = stores };
        work.memory = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, narrow, PAGE);
        _Atomic uint32_t *own = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, file, PAGE);
        NEED(work.memory != MAP_FAILED && own != MAP_FAILED);
        revoke_under(&work, top, true);
        CHECK(*own >= 50);
        munmap(own, PAGE);
        munmap(work.memory, PAGE);
        close(narrow);
        close(file);
    }
}

static void channels(void) {
    static bool (*const uses[])(const struct work *work) = { stores, notifies, arms, maps, waits };
    setup();
    for (uint32_t round = 0; round < 3 * sizeof(uses) / sizeof(uses[0]); round++) {
        handle_t ends[2];
        struct hx_channel_view view, peer;
        NEED(NATIVE(channel_create, 16, ends) == HX_OK);
        struct work work = { .use = uses[round % 5], .handle = derived(ends[0]) };
        const handle_t top = work.handle;
        NEED(NATIVE(channel_map, top, &view) == HX_OK);
        NEED(NATIVE(channel_map, ends[1], &peer) == HX_OK);
        if (work.use == stores) {
            work.memory = (_Atomic uint32_t *)(uintptr_t)(view.address + PAGE);
        }
        revoke_under(&work, top, work.use != waits);
        const _Atomic uint32_t *seen = (_Atomic uint32_t *)(uintptr_t)(peer.address + PAGE);
        const uint32_t count = *seen;
        CHECK(work.use != stores || count >= 50);
        work.memory = (_Atomic uint32_t *)(uintptr_t)view.address;
        SAME(stores(&work), false); // and nothing of it is left here
        SAME(*seen, count);
        munmap((void *)(uintptr_t)peer.address, 2 * PAGE);
        NATIVE(handle_close, ends[0]);
        NATIVE(handle_close, ends[1]);
    }
}

// In the middle of a long call: what it does ends there, and the revocation waits for it.
static void long_calls_end(void) {
    setup();
    for (int round = 0; round < ROUNDS; round++) {
        int ends[2], narrow;
        NEED(pipe(ends) == 0);
        const handle_t top = file_below(ends[1], &narrow);
        static char bytes[1 << 20];
        const pid_t pid = fork();
        if (pid == 0) {
            close(ends[0]);
            const ssize_t wrote = write(narrow, bytes, sizeof bytes); // more than a pipe takes
            CHECK(wrote > 0 && wrote < (ssize_t)sizeof bytes);
            REFUSED(write(narrow, bytes, 1), EBADF);
            _exit(check_failures != 0);
        }
        SAME(read(ends[0], bytes, PAGE), PAGE); // it is in it
        SAME(NATIVE(handle_revoke, top), HX_OK);
        EXITS(pid, 0);
        close(narrow);
        close(ends[0]);
        close(ends[1]);
    }
}

// A process that reads the log until it is stopped, or the last line comes.
static pid_t log_reader(int fd, bool is_stopped) {
    const pid_t pid = fork();
    if (pid == 0) {
        char record[2048];
        ssize_t length;
        do {
            length = read(fd, record, sizeof record);
        } while (length > 4 && memcmp(record + length - 5, "over\n", 5) != 0);
        const int error = errno;
        CHECK(is_stopped ? length < 0 && error == EBADF : length > 4);
        _exit(check_failures != 0);
    }
    until_asleep(pid);
    return pid;
}

// Of two who wait for the next line of the log by one open file, one by a capability that is
// revoked: the revocation does not wait for the other one.
static void readers_of_the_log(void) {
    int narrow;
    const int log = open("/dev/kmsg", O_RDWR);
    NEED(log >= 0 && lseek(log, 0, SEEK_END) == 0);
    const handle_t top = file_below(log, &narrow);
    const pid_t first = log_reader(log, false);
    const pid_t second = log_reader(narrow, true);
    SAME(NATIVE(handle_revoke, top), HX_OK);
    EXITS(second, 0);
    SAME(write(log, "over", 4), 4);
    EXITS(first, 0);
    SAME(close(narrow), 0);
    SAME(close(log), 0);
    SAME(NATIVE(handle_close, top), HX_OK);
}

// A thread of another process hides the page that a second one stores to, with so many mappings
// behind it that the processors hear of it long after the page table. What the revocation finds
// undone there is not gone yet.
#define HIDDEN (40000u * PAGE)

static int64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

static void *stores_on(void *argument) {
    _Atomic uint32_t *memory = argument;
    if (sigsetjmp(fault, 1) == 0) {
        for (;;) {
            (*memory)++;
            shared->uses = 1;
        }
    }
    return NULL;
}

static void hides(int narrow) {
    pthread_t thread;
    char *area =
        mmap(NULL, PAGE + HIDDEN, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    NEED(area != MAP_FAILED);
    NEED(mmap(area, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, narrow, PAGE) == area);
    for (uint32_t at = 2 * PAGE; at <= HIDDEN; at += 2 * PAGE) {
        NEED(mprotect(area + at, PAGE, PROT_READ) == 0);
    }
    NEED(pthread_create(&thread, NULL, stores_on, area) == 0);
    while (shared->uses == 0) {
        sched_yield();
    }
    shared->ready = 1;
    const int64_t start = now_ns();
    SAME(mprotect(area, PAGE + HIDDEN, PROT_NONE), 0);
    shared->took_ns = now_ns() - start;
    pthread_join(thread, NULL);
    _exit(check_failures != 0);
}

static void while_it_is_hidden(void) {
    setup();
    for (int round = 0; round < 8; round++) {
        int narrow;
        const int file = file_new();
        const handle_t top = file_below(file, &narrow);
        _Atomic uint32_t *own = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, file, PAGE);
        NEED(own != MAP_FAILED);
        shared->ready = shared->uses = 0;
        const pid_t pid = fork();
        if (pid == 0) {
            hides(narrow);
        }
        while (shared->ready == 0) {
        }
        const int64_t when = now_ns() + shared->took_ns * round / 20; // most of it comes later
        while (now_ns() < when) {
        }
        SAME(NATIVE(handle_revoke, top), HX_OK);
        const uint32_t before = *own;
        usleep(1000);
        SAME(*own, before);
        EXITS(pid, 0);
        munmap((void *)own, PAGE);
        NATIVE(handle_close, top);
        close(narrow);
        close(file);
    }
}

static const struct check_case cases[] = {
    CASE(calls_on_descriptors), CASE(calls_that_block),   CASE(mappings_of_files),  CASE(channels),
    CASE(long_calls_end),       CASE(while_it_is_hidden), CASE(readers_of_the_log),
};
CHECK_MAIN(cases)
