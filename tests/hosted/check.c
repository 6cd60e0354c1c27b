// SPDX-License-Identifier: MIT OR Apache-2.0
// tests/hosted/check.c: see check.h.
#include "check.h"

#include <lib/format.h>
#include <lib/string.h>
#include <linux/futex.h>
#include <linux/reboot.h>

// Of a thread: the lowest one's signal stack ends here.
#define STACKS      (PAD + PAD_BYTES / 2)
#define STACK_BYTES 0x4000u

static void say(const char *format, const char *text, int64_t value) {
    char line[256];
    (void)format_string(line, sizeof(line), format, text, (long)value);
    hosted_say(line);
}

void check_fail(const char *file, int line, const char *what, int64_t value) {
    char place[192];
    (void)format_string(place, sizeof(place), "%s:%d: %s", file, line, what);
    say("%s %ld\n", place, value);
    for (;;) {
        CALL(exit_group, 1);
    }
}

uint64_t text_at(uint64_t at, const char *text) {
    hosted_write(at, text, strlen(text) + 1);
    return at;
}

int64_t child_new(int (*function)(uint64_t argument), uint64_t argument) {
    const int64_t pid = hosted_clone(function, argument, (const uint64_t[5]){ SIGCHLD });
    NEED(pid > 0);
    return pid;
}

int64_t child_wait(int64_t pid) {
    SAME(CALL(wait4, (uint64_t)pid, PAD + PAD_BYTES - 8, __WALL, 0) > 0, true);
    return (int64_t)(int32_t)hosted_load(PAD + PAD_BYTES - 8, 4);
}

int64_t thread_new(int (*function)(uint64_t argument), uint64_t argument, uint64_t tid_at) {
    const uint64_t flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD |
                           CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID;
    const uint64_t stack = STACKS + (argument + 1) * STACK_BYTES;
    hosted_store(tid_at, 1, 4);
    const int64_t tid =
        hosted_clone(function, argument, (const uint64_t[5]){ flags, stack, tid_at, 0, tid_at });
    NEED(tid > 0);
    return tid;
}

void thread_join(uint64_t tid_at) {
    uint64_t tid;
    while ((tid = hosted_load(tid_at, 4)) != 0) {
        CALL(futex, tid_at, FUTEX_WAIT, tid, 0);
    }
}

void spin_while(uint64_t at, uint32_t value) {
    for (uint32_t i = 1; hosted_load(at, 4) == value; i++) {
        hosted_pause();
        if (i % 1024 == 0) {
            CALL(sched_yield); // who changes it may need this processor
        }
    }
}

int64_t map_at(uint64_t at, uint64_t size_bytes, uint64_t protection) {
    return CALL(mmap, at, size_bytes, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1ull,
                0);
}

// One page for both texts.
void mount_at(const char *path, const char *type) {
    const uint64_t at = PAD + PAD_BYTES - PAGE;
    const int64_t result = CALL(mkdirat, (uint64_t)AT_FDCWD, text_at(at, path), 0755);
    NEED(result == 0 || result == -EEXIST);
    SAME(CALL(mount, at, at, text_at(at + PAGE / 2, type), 0, 0), 0);
}

static int case_main(uint64_t test) {
    const struct check_case *run = (const struct check_case *)(uintptr_t)test;
    SAME(map_at(PAD, PAD_BYTES, PROT_READ | PROT_WRITE), PAD);
    run->run();
    return 0;
}

int check_main(const struct check_case *cases, uint32_t count) {
    uint32_t failed = 0;
    SAME(map_at(PAD, PAD_BYTES, PROT_READ | PROT_WRITE), PAD); // for child_wait()
    for (uint32_t i = 0; i < count; i++) {
        const int64_t status = child_wait(child_new(case_main, (uint64_t)(uintptr_t)&cases[i]));
        if (status == 0) {
            say("ok %s\n", cases[i].name, 0);
        } else {
            failed++;
            say("FAILED %s: wait status 0x%lx\n", cases[i].name, status);
        }
    }
    if (failed == 0) {
        CALL(sync);
        CALL(reboot, LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2, LINUX_REBOOT_CMD_POWER_OFF, 0);
    }
    return 1;
}
