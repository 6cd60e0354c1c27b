// SPDX-License-Identifier: MIT OR Apache-2.0
// tests/hosted/processes.c: fork, exec, exit, wait; what a child shares and what not.
#include "check.h"

#include <lib/string.h>

static int exits_with(uint64_t code) {
    return (int)code;
}

static void exit_codes_arrive(void) {
    for (uint64_t code = 0; code < 256; code += 15) {
        SAME(child_wait(child_new(exits_with, code)), EXITED(code));
    }
    SAME(CALL(wait4, -1ull, 0, 0, 0), -ECHILD);
}

static int writes_there(uint64_t at) {
    SAME(hosted_load(at, 8), 1);
    hosted_store(at, 2, 8);
    SAME(hosted_load(at, 8), 2);
    return 0;
}

static void memory_is_copied(void) {
    hosted_store(PAD, 1, 8);
    SAME(child_wait(child_new(writes_there, PAD)), EXITED(0));
    SAME(hosted_load(PAD, 8), 1);
    const int64_t pid = child_new(writes_there, PAD);
    hosted_store(PAD, 3, 8); // ours alone, whoever of the two is first
    SAME(child_wait(pid), EXITED(0));
    SAME(hosted_load(PAD, 8), 3);
}

static void vfork_shares(void) {
    hosted_store(PAD, 1, 8);
    const int64_t pid =
        hosted_clone(writes_there, PAD, (const uint64_t[5]){ CLONE_VM | CLONE_VFORK | SIGCHLD });
    NEED(pid > 0);
    SAME(hosted_load(PAD, 8), 2); // it ran before we did
    SAME(child_wait(pid), EXITED(0));
}

#define TREE_DEPTH 5

// Each has two children, down to the leaves; the number of leaves is the exit code.
static int tree(uint64_t depth) {
    if (depth == TREE_DEPTH) {
        return 1;
    }
    const int64_t left = child_new(tree, depth + 1);
    const int64_t right = child_new(tree, depth + 1);
    return (int)((child_wait(right) >> 8) + (child_wait(left) >> 8));
}

static void a_tree_of_forks(void) {
    SAME(tree(0), 1 << TREE_DEPTH);
}

static int waits_long(uint64_t word) {
    (void)word;
    for (;;) {
        hosted_pause();
    }
}

static void a_kill_reaches_a_loop(void) {
    const int64_t pid = child_new(waits_long, 0);
    SAME(CALL(kill, (uint64_t)pid, SIGKILL), 0);
    SAME(child_wait(pid), KILLED(SIGKILL));
}

// ---- exec --------------------------------------------------------------------------------------

// execve(path, argv = { path, word }, no environment)
static int64_t exec(const char *path, const char *word) {
    const uint64_t path_at = text_at(PAD, path);
    const uint64_t word_at = text_at(PAD + 256, word);
    const uint64_t argv[3] = { path_at, word_at, 0 };
    hosted_write(PAD + 512, argv, sizeof(argv));
    return CALL(execve, path_at, PAD + 512, 0, 0, 0, 0);
}

static void word_read(char *to, uint64_t from, size_t capacity) {
    size_t at = 0;
    do {
        to[at] = (char)hosted_load(from + at, 1);
    } while (to[at] != '\0' && ++at < capacity - 1);
    to[at] = '\0';
}

// The program: its exit code says whether it was started as it should be.
static int echo_main(uint64_t stack) {
    char word[64];
    if (hosted_load(stack, 8) != 2 || hosted_load(stack + 24, 8) != 0) {
        return 1; // argc, and the end of argv
    }
    word_read(word, hosted_load(stack + 16, 8), sizeof(word));
    if (strcmp(word, "again") == 0) {
        return CALL(mmap, PAD, PAGE, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1ull, 0) == (int64_t)PAD
                   ? (int)exec("/echo", "last") // PAD was gone
                   : 2;
    }
    return strcmp(word, "last") == 0 ? 42 : 3;
}
HOSTED_PROGRAM(echo, echo_main);

static int execs(uint64_t unused) {
    (void)unused;
    (void)exec("/echo", "again");
    return 4;
}

static void exec_starts_anew(void) {
    SAME(exec("/nowhere", "x"), -ENOENT);
    SAME(exec("/", "x"), -EACCES);
    SAME(child_wait(child_new(execs, 0)), EXITED(42));
    const int64_t pid =
        hosted_clone(execs, 0, (const uint64_t[5]){ CLONE_VM | CLONE_VFORK | SIGCHLD });
    SAME(child_wait(pid), EXITED(42));
}

static int exec_under_threads_other(uint64_t unused) {
    return waits_long(unused);
}

static int exec_under_threads(uint64_t unused) {
    (void)thread_new(exec_under_threads_other, 1, PAD + 1024);
    (void)thread_new(exec_under_threads_other, 2, PAD + 1028);
    return execs(unused);
}

static void exec_ends_other_threads(void) {
    SAME(child_wait(child_new(exec_under_threads, 0)), EXITED(42));
}

static const struct check_case cases[] = {
    CASE(exit_codes_arrive),     CASE(memory_is_copied), CASE(vfork_shares),
    CASE(a_tree_of_forks),       CASE(exec_starts_anew), CASE(exec_ends_other_threads),
    CASE(a_kill_reaches_a_loop),
};
CHECK_PROGRAM(processes, cases);
