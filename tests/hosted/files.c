// SPDX-License-Identifier: MIT OR Apache-2.0
// tests/hosted/files.c: files on ramfs, pipes between processes, descriptors that are shared.
#include "check.h"

#include <lib/format.h>
#include <lib/string.h>

#define BUFFER (PAD + PAGE)

static int64_t open_at(const char *name, uint64_t flags) {
    return CALL(openat, (uint64_t)AT_FDCWD, text_at(PAD, name), flags, 0644);
}

static void read_back_what_was_written(void) {
    char text[16] = "";
    const int64_t file = open_at("/tmp-file", O_RDWR | O_CREAT | O_EXCL);
    SAME(CALL(write, file, text_at(BUFFER, "hello"), 5), 5);
    SAME(CALL(lseek, file, 10000, 0), 10000);
    SAME(CALL(write, file, BUFFER, 5), 5);
    SAME(CALL(pread64, file, BUFFER + 64, 16, 2), 16);
    hosted_read(text, BUFFER + 64, 8);
    NEED(memcmp(text, "llo\0\0\0\0\0", 8) == 0); // and then a hole
    SAME(CALL(pread64, file, BUFFER + 64, 64, 10003), 2);
    SAME(CALL(ftruncate, file, 3), 0);
    SAME(CALL(lseek, file, 0, 2), 3);
    SAME(open_at("/tmp-file", O_RDWR | O_CREAT | O_EXCL), -EEXIST);
    SAME(CALL(unlinkat, (uint64_t)AT_FDCWD, text_at(PAD, "/tmp-file"), 0), 0);
    SAME(open_at("/tmp-file", O_RDONLY), -ENOENT);
    SAME(CALL(write, file, 8, 5), -EFAULT); // nothing is mapped there
    SAME(CALL(close, file), 0);
    SAME(CALL(write, file, BUFFER, 5), -EBADF);
}

// Maps a file twice; what is written by one way is read by the other.
static void shared_mappings_are_the_file(void) {
    const uint64_t at = PAD + PAD_BYTES;
    const int64_t file = open_at("/mapped", O_RDWR | O_CREAT);
    SAME(CALL(ftruncate, file, 2 * PAGE), 0);
    SAME(CALL(mmap, at, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, file, PAGE), at);
    hosted_store(at + 8, 77, 8);
    SAME(CALL(pread64, file, BUFFER, 8, PAGE + 8), 8);
    SAME(hosted_load(BUFFER, 8), 77);
    hosted_store(BUFFER, 78, 8);
    SAME(CALL(pwrite64, file, BUFFER, 8, PAGE + 8), 8);
    SAME(hosted_load(at + 8, 8), 78);
    // What is cut off is gone from the mapping, too.
    SAME(CALL(ftruncate, file, PAGE), 0);
    SAME(CALL(write, file, at, 1), -EFAULT);
    SAME(CALL(ftruncate, file, 2 * PAGE), 0);
    SAME(hosted_load(at + 8, 8), 0);
}

#define PIPE_BYTES 300000u

static uint8_t byte_at(uint32_t place) {
    return (uint8_t)(place * 7 + place / 251);
}

static int pipe_writer(uint64_t file) {
    uint8_t part[777];
    for (uint32_t done = 0; done < PIPE_BYTES;) {
        const uint32_t some = MIN_OF((uint32_t)sizeof(part), PIPE_BYTES - done);
        for (uint32_t i = 0; i < some; i++) {
            part[i] = byte_at(done + i);
        }
        hosted_write(BUFFER, part, some);
        const int64_t moved = CALL(write, file, BUFFER, some);
        NEED(moved > 0);
        done += (uint32_t)moved;
    }
    return 0;
}

static void pipe_make(int32_t ends[2], uint64_t flags) {
    SAME(CALL(pipe2, PAD, flags), 0);
    hosted_read(ends, PAD, 2 * sizeof(ends[0]));
}

// The child has the reading end too, so the writing one is closed here for the end to be seen.
static void a_pipe_carries_each_byte(void) {
    uint8_t part[1000];
    int32_t ends[2];
    pipe_make(ends, 0);
    const int64_t pid = child_new(pipe_writer, (uint64_t)ends[1]);
    SAME(CALL(close, ends[1]), 0);
    uint32_t done = 0;
    int64_t moved;
    while ((moved = CALL(read, ends[0], BUFFER, sizeof(part))) > 0) {
        hosted_read(part, BUFFER, (size_t)moved);
        for (int64_t i = 0; i < moved; i++) {
            SAME(part[i], byte_at(done + (uint32_t)i));
        }
        done += (uint32_t)moved;
    }
    SAME(moved, 0);
    SAME(done, PIPE_BYTES);
    SAME(child_wait(pid), EXITED(0));
}

static void a_pipe_without_a_reader(void) {
    int32_t ends[2];
    pipe_make(ends, O_NONBLOCK);
    SAME(CALL(read, ends[0], BUFFER, 1), -EAGAIN);
    while (CALL(write, ends[1], BUFFER, PAGE) > 0) {
    }
    SAME(CALL(write, ends[1], BUFFER, PAGE), -EAGAIN);
    hosted_store(BUFFER, 1, 8); // SIG_IGN
    SAME(CALL(rt_sigaction, SIGPIPE, BUFFER, 0, 8), 0);
    SAME(CALL(close, ends[0]), 0);
    SAME(CALL(write, ends[1], BUFFER, 1), -EPIPE);
}

static int appender(uint64_t file) {
    for (uint32_t i = 0; i < 200; i++) {
        SAME(CALL(write, file, BUFFER, 10), 10);
    }
    return 0;
}

// One open file description: each write moves the place of all.
static void descriptions_are_shared(void) {
    const int64_t file = open_at("/appended", O_RDWR | O_CREAT);
    int64_t pids[3];
    for (uint32_t i = 0; i < 3; i++) {
        pids[i] = child_new(appender, (uint64_t)file);
    }
    for (uint32_t i = 0; i < 3; i++) {
        SAME(child_wait(pids[i]), EXITED(0));
    }
    SAME(CALL(lseek, file, 0, 1), 6000);
}

#define TURN_AT  (PAD + PAGE) // shared
#define ROUNDS   100u
#define STATS_AT (PAD + 2 * PAGE)

static uint64_t free_inodes(void) {
    SAME(CALL(statfs, text_at(PAD, "/tmp"), STATS_AT), 0);
    return hosted_load(STATS_AT + 48, 8);
}

static uint64_t name_in(uint64_t at, const char *folder, uint32_t number) {
    char text[32];
    (void)format_string(text, sizeof(text), "/tmp/%s/%u", folder, (unsigned)number);
    return text_at(at, text);
}

static int removes_second_names(uint64_t unused) {
    (void)unused;
    for (uint32_t i = 0; i < ROUNDS; i++) {
        spin_while(TURN_AT, 2 * i);
        SAME(CALL(unlinkat, (uint64_t)AT_FDCWD, name_in(PAD, "second", i), 0), 0);
        hosted_store(TURN_AT, 2 * i + 2, 4);
    }
    return 0;
}

// Nothing is left of a file whose last two names go at once.
static void last_names_go_at_once(void) {
    mount_at("/tmp", "tmpfs");
    const uint64_t at = (uint64_t)AT_FDCWD;
    SAME(CALL(mkdirat, at, text_at(PAD, "/tmp/first"), 0700), 0);
    SAME(CALL(mkdirat, at, text_at(PAD, "/tmp/second"), 0700), 0);
    SAME(CALL(mmap, TURN_AT, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED,
              -1ull, 0),
         TURN_AT);
    const uint64_t before = free_inodes();
    const int64_t pid = child_new(removes_second_names, 0);
    for (uint32_t i = 0; i < ROUNDS; i++) {
        SAME(CALL(mknodat, at, name_in(PAD, "first", i), 0600, 0), 0);
        SAME(CALL(linkat, at, PAD, at, name_in(PAD + 64, "second", i), 0), 0);
        hosted_store(TURN_AT, 2 * i + 1, 4);
        SAME(CALL(unlinkat, at, PAD, 0), 0);
        spin_while(TURN_AT, 2 * i + 1);
    }
    SAME(child_wait(pid), EXITED(0));
    SAME(free_inodes(), before);
}

static const struct check_case cases[] = {
    CASE(read_back_what_was_written), CASE(shared_mappings_are_the_file),
    CASE(a_pipe_carries_each_byte),   CASE(a_pipe_without_a_reader),
    CASE(descriptions_are_shared),    CASE(last_names_go_at_once),
};
CHECK_PROGRAM(files, cases);
