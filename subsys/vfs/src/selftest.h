// SPDX-License-Identifier: MIT OR Apache-2.0
// selftest.h: what the self-tests share.
#pragma once

#include "file_kinds.h"

#include <core/log.h>
#include <core/thread.h>

// Ends the test that it stands in, with a line in the log.
#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            log_error("selftest: %s:%d: %s", __FILE__, __LINE__, #condition);                      \
            return false;                                                                          \
        }                                                                                          \
    } while (0)
#define CHECK_STATUS(expression, expected)                                                         \
    do {                                                                                           \
        enum hx_status status_ = (expression);                                                     \
        if (status_ != (expected)) {                                                               \
            log_error("selftest: %s:%d: %s gave: %s", __FILE__, __LINE__, #expression,             \
                      hx_status_name(status_));                                                    \
            return false;                                                                          \
        }                                                                                          \
    } while (0)

struct selftest {
    const char *name;
    bool (*run)(void);
};

// An empty tmpfs, mounted for each test; the tests' paths are relative to it.
extern struct lookup vfs_test_lookup;      // as root
extern struct lookup vfs_test_lookup_user; // as user 1000
extern struct mount_space *vfs_test_space;

#define SELFTEST_THREADS 8u

// Runs `entry(index)` in `count` threads, anywhere, and waits for them. False: no memory, or it
// took over two minutes.
bool vfs_test_threads(uint32_t count, void (*entry)(void *index));

// Short forms, as root.
enum hx_status vfs_test_write(const char *path, const char *text);
// Whether the file holds exactly the text.
bool vfs_test_holds(const char *path, const char *text);
enum hx_status vfs_test_directory(const char *path);
enum hx_status vfs_test_exists(const char *path);

extern const struct selftest vfs_tests_names[];
extern const uint32_t vfs_tests_names_count;
extern const struct selftest vfs_tests_files[];
extern const uint32_t vfs_tests_files_count;
extern const struct selftest vfs_tests_smp[];
extern const uint32_t vfs_tests_smp_count;
