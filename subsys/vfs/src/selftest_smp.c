// SPDX-License-Identifier: MIT OR Apache-2.0
// selftest_smp.c: tests of what threads do to each other, and of what happens without memory.
#include "mount.h"
#include "selftest.h"

#include <core/cpu.h>
#include <core/inject.h>
#include <core/input.h>
#include <lib/format.h>
#include <lib/hash.h>
#include <lib/string.h>
#include <memory/heap.h>

static _Atomic uint32_t errors;

static void expect(bool condition, const char *what) {
    if (!condition && atomic_fetch_add_explicit(&errors, 1, memory_order_relaxed) == 0) {
        log_error("selftest: %s", what);
    }
}

static bool no_errors(void) {
    return atomic_exchange_explicit(&errors, 0, memory_order_relaxed) == 0;
}

static uintptr_t index_of(void *argument) {
    return (uintptr_t)argument;
}

// Pipes
// -----------------------------------------------------------------------------------------------

#define BALLS        500u
#define STREAM_BYTES (1u << 19)
#define RECORD_BYTES 64u
#define RECORDS      400u

static struct file *readers[2];
static struct file *writers[2];

static bool move(struct file *file, bool is_write, void *bytes, size_t count) {
    struct io_buffer buffer;
    size_t done = 0;
    io_buffer_kernel(&buffer, bytes, count);
    enum hx_status status =
        is_write ? file_write(file, &buffer, &done) : file_read(file, &buffer, &done);
    return status == HX_OK && done == count;
}

static void ping_pong(void *argument) {
    uintptr_t self = index_of(argument);
    uint64_t start = input_counter();
    uint8_t ball = 0;
    for (uint32_t i = 0; i < BALLS; i++) {
        if (self == 0) {
            ball = (uint8_t)i;
            expect(move(writers[0], true, &ball, 1), "ping");
            expect(move(readers[1], false, &ball, 1) && ball == (uint8_t)i, "pong");
        } else {
            expect(move(readers[0], false, &ball, 1) && ball == (uint8_t)i, "ping read");
            expect(move(writers[1], true, &ball, 1), "pong write");
        }
    }
    if (self == 0) {
        log_info("selftest: pipe ping-pong: %lu counter ticks a round trip",
                 (unsigned long)((input_counter() - start) / BALLS));
    }
}

static bool make_pipes(void) {
    for (uint32_t i = 0; i < 2; i++) {
        CHECK_STATUS(pipe_create(0, &readers[i], &writers[i]), HX_OK);
    }
    return true;
}

static void close_pipes(void) {
    for (uint32_t i = 0; i < 2; i++) {
        file_put(readers[i]);
        file_put(writers[i]);
    }
}

static bool test_ping_pong(void) {
    CHECK(make_pipes());
    CHECK(vfs_test_threads(2, ping_pong));
    close_pipes();
    return no_errors();
}

// Atomic records of several writers must not mix; one reader takes odd pieces.
static void record_worker(void *argument) {
    uintptr_t self = index_of(argument);
    uint8_t record[RECORD_BYTES];
    if (self != 0) {
        for (uint32_t i = 0; i < RECORDS; i++) {
            memset(record, (int)self + (int)(i % 16 * 16), sizeof(record));
            expect(move(writers[0], true, record, sizeof(record)), "record write");
        }
        return;
    }
    for (uint32_t i = 0; i < (uint32_t)RECORDS * (SELFTEST_THREADS - 1); i++) {
        expect(move(readers[0], false, record, sizeof(record)), "record read");
        for (uint32_t at = 1; at < RECORD_BYTES; at++) {
            expect(record[at] == record[0], "records are mixed");
        }
    }
}

static bool test_records(void) {
    CHECK(make_pipes());
    CHECK(vfs_test_threads(SELFTEST_THREADS, record_worker));
    close_pipes();
    return no_errors();
}

static void stream_worker(void *argument) {
    static uint8_t bytes[2][3 * PAGE_SIZE + 17];
    uintptr_t self = index_of(argument);
    uint8_t *own = bytes[self];
    uint64_t total = 0;
    while (total < STREAM_BYTES) {
        struct io_buffer buffer;
        size_t done = 0;
        size_t count = self == 0 ? sizeof(bytes[0]) : 1000;
        for (size_t i = 0; self == 0 && i < count; i++) {
            own[i] = (uint8_t)((total + i) * 7);
        }
        io_buffer_kernel(&buffer, own, count);
        enum hx_status status = self == 0 ? file_write(writers[0], &buffer, &done)
                                          : file_read(readers[0], &buffer, &done);
        expect(status == HX_OK && done != 0, "stream");
        for (size_t i = 0; self != 0 && i < done; i++) {
            expect(own[i] == (uint8_t)((total + i) * 7), "stream bytes");
        }
        total += done;
        if (status != HX_OK || done == 0) {
            return;
        }
    }
    if (self == 1) { // the writer wrote a little more
        file_put(readers[0]);
        readers[0] = NULL;
    }
}

static bool test_stream(void) {
    CHECK_STATUS(pipe_create(0, &readers[0], &writers[0]), HX_OK);
    CHECK(vfs_test_threads(2, stream_worker));
    file_put(writers[0]);
    return no_errors();
}

static void fifo_worker(void *argument) {
    bool is_writer = (index_of(argument) & 1) != 0;
    for (uint32_t i = 0; i < 200; i++) {
        struct file *file;
        uint8_t byte = 1;
        struct io_buffer buffer;
        size_t done = 0;
        enum hx_status status =
            file_open(&vfs_test_lookup, "p", is_writer ? FILE_WRITE : FILE_READ, 0, &file);
        expect(status == HX_OK, "fifo open");
        if (status != HX_OK) {
            return;
        }
        io_buffer_kernel(&buffer, &byte, 1);
        if (is_writer) {
            expect(file_write(file, &buffer, &done) == HX_OK, "fifo write");
        } else {
            expect(file_read(file, &buffer, &done) == HX_OK, "fifo read");
        }
        file_put(file);
    }
}

static bool test_fifo_opens(void) {
    struct file *keeper; // so that nobody writes into a fifo whose only reader has just left
    CHECK_STATUS(vfs_create(&vfs_test_lookup, "p", FS_MODE_FIFO | 0600, 0, NULL), HX_OK);
    CHECK_STATUS(file_open(&vfs_test_lookup, "p", FILE_READ | FILE_WRITE, 0, &keeper), HX_OK);
    CHECK(vfs_test_threads(4, fifo_worker));
    file_put(keeper);
    return no_errors();
}

// Storms
// -----------------------------------------------------------------------------------------------

#define STORM_ROUNDS 1500u
#define STORM_NAMES  6u

// A path of one or two components out of a small set, so that threads meet.
static void storm_path(uint64_t random, char *path, size_t capacity) {
    if ((random & 3) == 0) {
        format_string(path, capacity, "s%u", (unsigned)(random >> 8) % STORM_NAMES);
    } else {
        format_string(path, capacity, "s%u/t%u", (unsigned)(random >> 8) % STORM_NAMES,
                      (unsigned)(random >> 16) % STORM_NAMES);
    }
}

static void storm_step(uint64_t random, const char *a, const char *b) {
    struct path path;
    struct file *file;
    switch (random >> 40 & 7) {
    case 0:
        HX_IGNORE(vfs_test_directory(a));
        break;
    case 1:
        HX_IGNORE(vfs_test_write(a, a));
        break;
    case 2:
        HX_IGNORE(vfs_unlink(&vfs_test_lookup, a, (random >> 48 & 1) != 0));
        break;
    case 3:
        HX_IGNORE(vfs_rename(&vfs_test_lookup, a, &vfs_test_lookup, b,
                             (random >> 48 & 3) == 0 ? FS_RENAME_EXCHANGE : 0));
        break;
    case 4:
        if (path_lookup(&vfs_test_lookup, a, &path) == HX_OK) {
            HX_IGNORE(vfs_link(path, &vfs_test_lookup, b));
            path_put(path);
        }
        break;
    case 5:
        HX_IGNORE(vfs_symlink(&vfs_test_lookup, a, b));
        break;
    case 6:
        if (file_open(&vfs_test_lookup, a, FILE_READ | FILE_WRITE, 0, &file) == HX_OK) {
            uint8_t byte = 7;
            struct io_buffer buffer;
            size_t done;
            io_buffer_kernel(&buffer, &byte, 1);
            HX_IGNORE(file_write(file, &buffer, &done));
            file_put(file);
        }
        break;
    default:
        if (path_lookup(&vfs_test_lookup, a, &path) == HX_OK) {
            char text[64];
            size_t length;
            struct path root = fs_context_root(vfs_test_lookup.context);
            expect(path_to_text(path, root, text, sizeof(text), &length) == HX_OK, "text");
            path_put(root);
            path_put(path);
        }
    }
}

static void storm_worker(void *argument) {
    uint64_t random = index_of(argument) + 1;
    for (uint32_t i = 0; i < STORM_ROUNDS; i++) {
        char a[16];
        char b[16];
        random = hash_u64(random + 0x9e3779b97f4a7c15);
        storm_path(random, a, sizeof(a));
        storm_path(random >> 20, b, sizeof(b));
        storm_step(random, a, b);
    }
}

static bool remove_tree(const struct lookup *lookup, const char *path);

// Removes one entry of a directory, with what is below it.
static bool remove_below(const struct lookup *lookup, const struct fs_entry *entry) {
    char name[8]; // the storm's names are short, and the entry is used again below
    bool is_directory = entry->mode == FS_MODE_DIRECTORY;
    (void)string_copy(name, sizeof(name), entry->name);
    CHECK(!is_directory || remove_tree(lookup, name));
    CHECK_STATUS(vfs_unlink(lookup, name, is_directory), HX_OK);
    return true;
}

// Removes everything below a directory; whether it all went.
static bool remove_tree(const struct lookup *lookup, const char *path) {
    static struct fs_entry entry;
    struct file *directory;
    struct lookup inner = *lookup;
    uint32_t count = 0;
    CHECK_STATUS(file_open(lookup, path, FILE_READ, 0, &directory), HX_OK);
    inner.base = directory->path;
    do {
        CHECK_STATUS(file_readdir(directory, &entry, 1, &count), HX_OK);
        CHECK(count == 0 || entry.name[0] == '.' || remove_below(&inner, &entry));
    } while (count != 0);
    file_put(directory);
    return true;
}

static bool test_storm(void) {
    CHECK(vfs_test_threads(SELFTEST_THREADS, storm_worker));
    CHECK(remove_tree(&vfs_test_lookup, "."));
    struct path path;
    struct fs_info info;
    CHECK_STATUS(path_lookup(&vfs_test_lookup, ".", &path), HX_OK);
    inode_info(path_inode(path), &info);
    path_put(path);
    CHECK(info.links == 2);
    return no_errors();
}

// Somebody looks the same name up while others move its directory: it is there all the time.
static void mover(void *argument) {
    uintptr_t self = index_of(argument);
    for (uint32_t i = 0; i < STORM_ROUNDS; i++) {
        if (self == 0) {
            const char *from = (i & 1) == 0 ? "a/m" : "b/m";
            const char *to = (i & 1) == 0 ? "b/m" : "a/m";
            expect(vfs_rename(&vfs_test_lookup, from, &vfs_test_lookup, to, 0) == HX_OK, "move");
        } else {
            expect(vfs_test_exists("fixed/x/y") == HX_OK, "a name beside a rename got lost");
        }
    }
}

static bool test_moves(void) {
    CHECK_STATUS(vfs_test_directory("a"), HX_OK);
    CHECK_STATUS(vfs_test_directory("b"), HX_OK);
    CHECK_STATUS(vfs_test_directory("a/m"), HX_OK);
    CHECK_STATUS(vfs_test_directory("fixed"), HX_OK);
    CHECK_STATUS(vfs_test_directory("fixed/x"), HX_OK);
    CHECK_STATUS(vfs_test_write("fixed/x/y", ""), HX_OK);
    CHECK(vfs_test_threads(4, mover));
    return no_errors();
}

#define APPENDS 200u

// Appends of several threads neither overlap nor get lost.
static void appender(void *argument) {
    struct file *file;
    uint8_t record[40];
    memset(record, 'a' + (int)index_of(argument), sizeof(record));
    enum hx_status status =
        file_open(&vfs_test_lookup, "log", FILE_WRITE | FILE_APPEND | OPEN_CREATE, 0600, &file);
    expect(status == HX_OK, "append open");
    for (uint32_t i = 0; status == HX_OK && i < APPENDS; i++) {
        expect(move(file, true, record, sizeof(record)), "append");
    }
    if (status == HX_OK) {
        file_put(file);
    }
}

static bool test_appends(void) {
    struct file *file;
    uint8_t record[40];
    CHECK(vfs_test_threads(SELFTEST_THREADS, appender));
    CHECK_STATUS(file_open(&vfs_test_lookup, "log", FILE_READ, 0, &file), HX_OK);
    CHECK(inode_size(file->inode) == (uint64_t)APPENDS * SELFTEST_THREADS * sizeof(record));
    for (uint32_t i = 0; i < APPENDS * SELFTEST_THREADS; i++) {
        CHECK(move(file, false, record, sizeof(record)));
        CHECK(record[0] == record[sizeof(record) - 1]);
    }
    file_put(file);
    return no_errors();
}

// Without memory
// -----------------------------------------------------------------------------------------------

// One sequence over most of the calls; the first failure ends it.
static enum hx_status sequence(void) {
    struct file *reader;
    struct file *writer;
    enum hx_status status = vfs_test_directory("d");
    status = status == HX_OK ? vfs_test_write("d/f", "some text") : status;
    status = status == HX_OK ? vfs_symlink(&vfs_test_lookup, "d/f", "l") : status;
    status = status == HX_OK ? vfs_test_exists("l/") : status;
    if (status == HX_ERR_NOT_DIRECTORY) {
        status = vfs_rename(&vfs_test_lookup, "d/f", &vfs_test_lookup, "g", 0);
    }
    status = status == HX_OK ? vfs_rename(&vfs_test_lookup, "g", &vfs_test_lookup,
                                          "d/a longer name that "
                                          "needs a block",
                                          0)
                             : status;
    status = status == HX_OK ? vfs_unlink(&vfs_test_lookup, "l", false) : status;
    if (status == HX_OK) {
        status = pipe_create(0, &reader, &writer);
        if (status == HX_OK) {
            uint8_t byte = 0;
            status = move(writer, true, &byte, 1) ? HX_OK : HX_ERR_NO_MEMORY;
            file_put(reader);
            file_put(writer);
        }
    }
    return status;
}

static bool clean_up(void) {
    static const char *const files[] = { "d/f", "g", "l", "d/a longer name that needs a block" };
    for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
        enum hx_status status = vfs_unlink(&vfs_test_lookup, files[i], false);
        CHECK(status == HX_OK || status == HX_ERR_NOT_FOUND);
    }
    enum hx_status status = vfs_unlink(&vfs_test_lookup, "d", true);
    CHECK(status == HX_OK || status == HX_ERR_NOT_FOUND);
    return true;
}

// One round with the n-th allocation failing; *out_done: it was not reached.
static bool fail_nth(uint32_t nth, bool *out_done) {
    struct path path;
    inject_nth(INJECT_ALLOCATION, nth);
    enum hx_status status = sequence();
    inject_nth(INJECT_ALLOCATION, 0);
    CHECK(clean_up());
    CHECK_STATUS(path_lookup(&vfs_test_lookup, ".", &path), HX_OK);
    name_forget_children(path.name); // so that the next round allocates again
    path_put(path);
    CHECK(status == HX_OK || status == HX_ERR_NO_MEMORY);
    *out_done = status == HX_OK;
    return true;
}

static bool test_no_memory(void) {
    bool is_done = false;
    uint32_t nth = 0;
    while (!is_done && nth < 1000) {
        CHECK(fail_nth(++nth, &is_done));
    }
    log_info("selftest: failed each of %u allocations", nth - 1);
    CHECK(is_done && nth > 20);
    return true;
}

// A mount that fails half-way leaves nothing.
static bool test_no_memory_mount(void) {
    struct path d;
    CHECK_STATUS(vfs_test_directory("d"), HX_OK);
    CHECK_STATUS(path_lookup(&vfs_test_lookup, "d", &d), HX_OK);
    enum hx_status status = HX_ERR_NO_MEMORY;
    for (uint32_t nth = 1; nth < 100 && status == HX_ERR_NO_MEMORY; nth++) {
        inject_nth(INJECT_ALLOCATION, nth);
        status = vfs_mount(vfs_test_space, "x", "tmpfs", d, 0, NULL);
        inject_nth(INJECT_ALLOCATION, 0);
    }
    CHECK_STATUS(status, HX_OK);
    path_put(d);
    CHECK_STATUS(path_lookup(&vfs_test_lookup, "d", &d), HX_OK);
    CHECK_STATUS(vfs_unmount(vfs_test_space, d, 0), HX_OK);
    path_put(d);
    return true;
}

const struct selftest vfs_tests_smp[] = {
    { "ping-pong", test_ping_pong },
    { "records", test_records },
    { "stream", test_stream },
    { "fifo opens", test_fifo_opens },
    { "storm", test_storm },
    { "moves", test_moves },
    { "appends", test_appends },
    { "no memory", test_no_memory },
    { "no memory, mount", test_no_memory_mount },
};
const uint32_t vfs_tests_smp_count = ARRAY_SIZE(vfs_tests_smp);
