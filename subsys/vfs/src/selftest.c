// SPDX-License-Identifier: MIT OR Apache-2.0
// selftest.c: runs the tests, each on an empty file system of its own, and looks for leaks.
#include <vfs/selftest.h>

#include "mount.h"
#include "selftest.h"

#include <core/epoch.h>
#include <core/time.h>
#include <lib/string.h>
#include <memory/heap.h>

#define TEST_LIMIT_NS ((time_ns_t)120 * 1000000000)
#define SETTLE_NS     ((time_ns_t)20 * 1000000)
#define SETTLE_TRIES  50u

struct lookup vfs_test_lookup;
struct lookup vfs_test_lookup_user;
struct mount_space *vfs_test_space;

static struct path space_root;
static struct credentials *root_credentials;
static struct credentials *user_credentials;

// Threads
// -----------------------------------------------------------------------------------------------

static struct thread threads[SELFTEST_THREADS];
static bool threads_lost; // some still run: nothing more can be tested
static void *stacks[SELFTEST_THREADS];

static bool thread_ended(struct thread *thread) {
    CHECK_STATUS(wait_one(&thread->exited, WAIT_SIGNALED, time_now() + TEST_LIMIT_NS, 0), HX_OK);
    while (atomic_load_explicit(&thread->object.references, memory_order_acquire) != 1) {
        thread_yield(); // `exited` comes before the reaper's last touch
    }
    return true;
}

bool vfs_test_threads(uint32_t count, void (*entry)(void *index)) {
    for (uint32_t i = 0; i < count; i++) {
        if (stacks[i] == NULL) {
            stacks[i] = kernel_stack_alloc(THREAD_STACK_BYTES);
        }
        CHECK(stacks[i] != NULL);
        thread_init(&threads[i], "selftest", stacks[i], THREAD_STACK_BYTES, entry,
                    (void *)(uintptr_t)i);
    }
    for (uint32_t i = 0; i < count; i++) {
        thread_start(&threads[i]);
    }
    for (uint32_t i = 0; i < count && !threads_lost; i++) {
        threads_lost = !thread_ended(&threads[i]);
    }
    CHECK(!threads_lost);
    return true;
}

// Short forms
// -----------------------------------------------------------------------------------------------

enum hx_status vfs_test_write(const char *path, const char *text) {
    struct file *file;
    struct io_buffer from;
    size_t done = 0;
    enum hx_status status =
        file_open(&vfs_test_lookup, path, FILE_WRITE | OPEN_CREATE | OPEN_TRUNCATE, 0644, &file);
    if (status == HX_OK) {
        io_buffer_kernel(&from, (void *)text, strlen(text));
        status = file_write(file, &from, &done);
        file_put(file);
    }
    return status;
}

bool vfs_test_holds(const char *path, const char *text) {
    struct file *file;
    struct io_buffer to;
    char bytes[64];
    size_t done = 0;
    CHECK_STATUS(file_open(&vfs_test_lookup, path, FILE_READ, 0, &file), HX_OK);
    io_buffer_kernel(&to, bytes, sizeof(bytes));
    enum hx_status status = file_read(file, &to, &done);
    file_put(file);
    CHECK_STATUS(status, HX_OK);
    return done == strlen(text) && memcmp(bytes, text, done) == 0;
}

enum hx_status vfs_test_directory(const char *path) {
    return vfs_create(&vfs_test_lookup, path, FS_MODE_DIRECTORY | 0755, 0, NULL);
}

enum hx_status vfs_test_exists(const char *path) {
    struct path found;
    enum hx_status status = path_lookup(&vfs_test_lookup, path, &found);
    if (status == HX_OK) {
        path_put(found);
    }
    return status;
}

// Running
// -----------------------------------------------------------------------------------------------

struct counts {
    uint64_t inodes, names, frames;
};

static struct counts count_now(void) {
    struct frame_stats stats;
    name_forget_children(space_root.name); // names that were looked for beside the test's mount
    frame_stats(&stats);
    return (struct counts){ inodes_count(), names_count(), stats.user };
}

// Waits until what was retired is gone.
static bool is_settled(const struct counts *before) {
    for (uint32_t i = 0; i < SETTLE_TRIES; i++) {
        struct counts now = count_now();
        if (now.inodes <= before->inodes && now.names <= before->names &&
            now.frames <= before->frames) {
            return true;
        }
        epoch_synchronize();
        (void)thread_sleep_until(time_now() + SETTLE_NS, 0);
    }
    struct counts now = count_now();
    log_error("selftest: leaked %ld inodes, %ld names, %ld frames",
              (long)(now.inodes - before->inodes), (long)(now.names - before->names),
              (long)(now.frames - before->frames));
    return false;
}

static bool run_one(const struct selftest *test) {
    struct counts before = count_now();
    struct lookup at_root = { .context = vfs_test_lookup.context, .credentials = root_credentials };
    struct path place;
    CHECK_STATUS(path_lookup(&at_root, "/test", &place), HX_OK);
    enum hx_status status = vfs_mount(vfs_test_space, "test", "tmpfs", place, 0, "");
    path_put(place);
    CHECK_STATUS(status, HX_OK);
    CHECK_STATUS(path_lookup(&at_root, "/test", &place), HX_OK);
    fs_context_set_work(vfs_test_lookup.context, place);
    bool passed = test->run();
    if (threads_lost) {
        return false;
    }
    fs_context_set_work(vfs_test_lookup.context, path_get(space_root));
    CHECK_STATUS(path_lookup(&at_root, "/test", &place), HX_OK);
    status = vfs_unmount(vfs_test_space, place, 0);
    path_put(place);
    CHECK_STATUS(status, HX_OK);
    passed = is_settled(&before) && passed;
    log_info("selftest: vfs %s: %s", test->name, passed ? "ok" : "FAILED");
    return passed;
}

static bool run_all(const struct selftest *tests, uint32_t count) {
    bool passed = true;
    for (uint32_t i = 0; i < count && !threads_lost; i++) {
        passed = run_one(&tests[i]) && passed;
    }
    return passed && !threads_lost;
}

static bool prepare(void) {
    vfs_test_space = mount_space_create(&space_root);
    root_credentials = credentials_create_root();
    CHECK(vfs_test_space != NULL && root_credentials != NULL);
    user_credentials = credentials_copy(root_credentials);
    CHECK(user_credentials != NULL);
    user_credentials->fsuid = user_credentials->euid = 1000;
    user_credentials->fsgid = user_credentials->egid = 1000;
    user_credentials->effective = 0;
    struct fs_context *context = fs_context_create(space_root);
    CHECK(context != NULL);
    atomic_store_explicit(&context->umask, 0, memory_order_relaxed);
    vfs_test_lookup = (struct lookup){ .context = context, .credentials = root_credentials };
    vfs_test_lookup_user = (struct lookup){ .context = context, .credentials = user_credentials };
    CHECK_STATUS(vfs_test_directory("/test"), HX_OK);
    struct name *devices; // which then stay
    CHECK_STATUS(devtmpfs_root(&devices), HX_OK);
    name_put(devices);
    return true;
}

bool vfs_selftest(void) {
    if (!prepare()) {
        return false;
    }
    bool passed = run_all(vfs_tests_names, vfs_tests_names_count);
    passed = run_all(vfs_tests_files, vfs_tests_files_count) && passed;
    passed = run_all(vfs_tests_smp, vfs_tests_smp_count) && passed;
    return passed;
}
