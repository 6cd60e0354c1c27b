// SPDX-License-Identifier: MIT OR Apache-2.0
// tests/native/spawn.c: children without fork: what they get and do not get, and handles for them.
// RUN: musl glibc
#include "native.h"

#include <libhelix/end.h>
#include <libhelix/process.h>
#include <libhelix/wait.h>

#define SELF "/proc/self/exe"
#define ALL  (HX_RIGHT_READ | HX_RIGHT_WAIT | HX_RIGHT_DELETE | HX_RIGHT_ADMIN | HX_RIGHT_DELEGATE)

static const int32_t usual[] = { 0, 1, 2 };

static handle_t child_of(const char *word, const char *more, handle_t given) {
    const char *const arguments[] = { "child", word, more, NULL };
    handle_t process = 0;
    NEED(hx_spawn(SELF, arguments, usual, 3, given, &process) == HX_OK);
    return process;
}

static int32_t end_of(handle_t process) {
    int32_t status = -1;
    SAME(hx_process_wait(process, hx_after(30000000000), &status), HX_OK);
    return status;
}

// ---- what a child does

static int child_signals(void) {
    struct sigaction action;
    sigset_t mask;
    CHECK(sigaction(SIGUSR1, NULL, &action) == 0 && action.sa_handler == SIG_DFL);
    CHECK(sigaction(SIGUSR2, NULL, &action) == 0 && action.sa_handler == SIG_DFL);
    CHECK(sigprocmask(SIG_SETMASK, NULL, &mask) == 0 && !sigismember(&mask, SIGUSR1));
    return check_failures;
}

static int child_descriptors(void) {
    char folder[100];
    for (int fd = 0; fd < 100; fd++) {
        CHECK((fcntl(fd, F_GETFD) >= 0) == (fd == 1 || fd == 2 || fd == 4));
    }
    CHECK(write(4, "hello", 5) == 5);
    CHECK(getcwd(folder, sizeof folder) != NULL && strcmp(folder, getenv("WHERE")) == 0);
    return check_failures;
}

// Says what it was given, and takes a message there.
static int child_given(void) {
    handle_t given = 0;
    struct hx_end end;
    struct hx_slot message = hx_message(1, "here", 4);
    uint32_t n = 0;
    NEED(hx_handle_given(&given) == HX_OK && hx_end_open(&end, given) == HX_OK);
    NEED(hx_end_send_all(&end, &message, 1, TIME_NEVER) == HX_OK);
    NEED(hx_end_receive(&end, &message, 1, TIME_NEVER, &n) == HX_OK);
    return message.kind;
}

static int child_main(const char *word, const char *more) {
    handle_t given;
    if (strcmp(word, "exit") == 0) {
        SAME(hx_handle_given(&given), HX_ERR_NOT_FOUND);
        return check_failures ? 99 : atoi(more);
    }
    if (strcmp(word, "signals") == 0) {
        return child_signals();
    }
    if (strcmp(word, "descriptors") == 0) {
        return child_descriptors();
    }
    if (strcmp(word, "given") == 0) {
        return child_given();
    }
    if (strcmp(word, "told") == 0) {
        char byte = 0;
        return read(0, &byte, 1) == 1 ? byte : 99;
    }
    while (true) { // "wait"
        pause();
    }
}

// ---- what is expected of it

static void ends(void) {
    struct hx_process_info info;
    struct hx_handle_info about;
    uint32_t state = 0;
    int status = 0;
    const handle_t process = child_of("exit", "7", 0);
    SAME(hx_handle_info(process, &about), HX_OK);
    SAME(about.object, HX_OBJECT_PROCESS);
    SAME(about.rights, ALL);
    SAME(hx_wait_one(process, HX_STATE_CLOSED, TIME_NEVER, &state), HX_OK);
    SAME(state, HX_STATE_CLOSED);
    SAME(hx_process_info(process, &info), HX_OK);
    SAME(info.has_ended, 1);
    SAME(info.status, 7 << 8);
    SAME(waitpid(-1, &status, 0), info.pid); // it is a child like others
    SAME(status, 7 << 8);
    REFUSED(waitpid(-1, &status, 0), ECHILD);
    SAME(hx_process_info(process, &info), HX_OK); // and still known
    SAME(info.status, 7 << 8);
    SAME(hx_process_kill(process), HX_OK);
    SAME(hx_handle_close(process), HX_OK);
    SAME(end_of(child_of("exit", "0", 0)), 0);
}

static volatile sig_atomic_t children;

static void on_child(int number, siginfo_t *info, void *context) {
    (void)number, (void)context;
    children += info->si_code == CLD_EXITED && info->si_status == 3;
}

static void like_other_children(void) {
    struct sigaction action = { .sa_sigaction = on_child, .sa_flags = SA_SIGINFO };
    struct hx_process_info info;
    char path[64], text[200] = { 0 };
    sigaction(SIGCHLD, &action, NULL);
    const handle_t process = child_of("wait", NULL, 0);
    SAME(hx_process_info(process, &info), HX_OK);
    SAME(info.has_ended, 0);
    SAME(getpgid((pid_t)info.pid), getpgid(0));
    SAME(getsid((pid_t)info.pid), getsid(0));
    snprintf(path, sizeof path, "/proc/%u/cmdline", info.pid);
    const int fd = open(path, O_RDONLY);
    CHECK(read(fd, text, sizeof text) == 11 && memcmp(text, "child\0wait", 11) == 0);
    SAME(kill((pid_t)info.pid, SIGTERM), 0);
    SAME(end_of(process), SIGTERM);
    SAME(end_of(child_of("exit", "3", 0)), 3 << 8);
    SAME(children, 1);
}

static void gets_what_is_listed(void) {
    int pipe_ends[2];
    char text[8], folder[100];
    handle_t process = 0;
    NEED(pipe(pipe_ends) == 0 && getcwd(folder, sizeof folder) != NULL);
    setenv("WHERE", folder, 1);
    const int32_t list[] = { -1, 1, 2, -1, pipe_ends[1] };
    const char *const arguments[] = { "child", "descriptors", NULL };
    NEED(hx_spawn(SELF, arguments, list, 5, 0, &process) == HX_OK);
    close(pipe_ends[1]);
    SAME(read(pipe_ends[0], text, sizeof text), 5);
    SAME(read(pipe_ends[0], text, sizeof text), 0);
    SAME(end_of(process), 0);
    signal(SIGUSR1, SIG_IGN);
    signal(SIGUSR2, SIG_IGN);
    sigset_t mask;
    sigemptyset(&mask);
    sigaddset(&mask, SIGUSR1);
    sigprocmask(SIG_BLOCK, &mask, NULL);
    SAME(end_of(child_of("signals", NULL, 0)), 0);
}

static void is_given(void) {
    handle_t ends[2];
    struct hx_end end;
    struct hx_slot message;
    uint32_t n = 0;
    NEED(hx_channel_create(4, ends) == HX_OK);
    const handle_t process = child_of("given", NULL, ends[1]);
    SAME(hx_handle_close(ends[1]), HX_ERR_BAD_HANDLE); // it has moved
    NEED(hx_end_open(&end, ends[0]) == HX_OK);
    SAME(hx_end_receive(&end, &message, 1, TIME_NEVER, &n), HX_OK);
    CHECK(message.length == 4 && memcmp(message.data, "here", 4) == 0);
    message.kind = 42;
    SAME(hx_end_send_all(&end, &message, 1, TIME_NEVER), HX_OK);
    SAME(end_of(process), 42 << 8);
    SAME(hx_end_receive(&end, &message, 1, TIME_NEVER, &n), HX_ERR_PEER_DIED);
}

static enum hx_status spawned(const char *path, uint64_t arguments, handle_t given) {
    const struct hx_spawn spawn = { .path = (uintptr_t)path,
                                    .arguments = arguments,
                                    .given = given };
    handle_t process = 0;
    enum hx_status status = hx_process_spawn(&spawn, usual, 3, &process);
    return status == HX_OK ? (enum hx_status)end_of(process) : status;
}

static void refused(void) {
    struct hx_spawn spawn = { .path = (uintptr_t)SELF, .account = 77 };
    handle_t process = 0, event = 0, weak = 0;
    const int32_t closed[] = { 0, 1, 77 }, odd[] = { -2 };
    close(open("text", O_CREAT | O_WRONLY, 0644));
    const int fd = open("broken", O_CREAT | O_WRONLY, 0755);
    CHECK(write(fd, "nothing that runs", 17) == 17);
    close(fd);
    SAME(hx_process_spawn(&spawn, usual, 3, &process), HX_ERR_BAD_HANDLE);
    SAME(NATIVE(process_spawn, 8, usual, 3), HX_ERR_BAD_ADDRESS);
    spawn.account = 0;
    SAME(NATIVE(process_spawn, &spawn, usual, HX_SPAWN_DESCRIPTORS + 1), HX_ERR_INVALID);
    SAME(NATIVE(process_spawn, &spawn, 8, 3), HX_ERR_BAD_ADDRESS);
    SAME(hx_process_spawn(&spawn, closed, 3, &process), HX_ERR_BAD_HANDLE);
    SAME(hx_process_spawn(&spawn, odd, 1, &process), HX_ERR_BAD_HANDLE);
    SAME(spawned("/absent", 0, 0), HX_ERR_NOT_FOUND);
    SAME(spawned("./text", 0, 0), HX_ERR_PERMISSION);
    SAME(spawned("./broken", 0, 0), HX_ERR_BAD_IMAGE);
    SAME(spawned("/tmp", 0, 0), HX_ERR_PERMISSION);
    SAME(spawned((char *)8, 0, 0), HX_ERR_BAD_ADDRESS);
    SAME(spawned(SELF, 8, 0), HX_ERR_BAD_ADDRESS);
    SAME(spawned(SELF, 0, 77), HX_ERR_BAD_HANDLE);
    NEED(hx_event_create(0, &event) == HX_OK);
    NEED(hx_handle_derive(event, HX_RIGHT_WAIT, &weak) == HX_OK);
    SAME(spawned(SELF, 0, weak), HX_ERR_ACCESS_DENIED);
    SAME(spawned("/absent", 0, event), HX_ERR_NOT_FOUND);
    SAME(hx_handle_close(event), HX_OK); // who fails keeps it
    REFUSED(waitpid(-1, NULL, 0), ECHILD);
}

static handle_t file_at(const char *path, int flags) {
    handle_t file = 0;
    const int fd = open(path, flags);
    NEED(fd >= 0 && hx_file_handle(fd, &file) == HX_OK);
    close(fd);
    return file;
}

static enum hx_status spawned_file(handle_t file) {
    static const char *const arguments[] = { "child", "exit", "5", NULL };
    handle_t process = 0;
    enum hx_status status = hx_spawn_file(file, "anything", arguments, usual, 3, 0, &process);
    return status == HX_OK ? (enum hx_status)end_of(process) : status;
}

// Runs on when the handle that it was started by is revoked.
static void outlives_its_handle(handle_t lent) {
    static const char *const arguments[] = { "child", "told", NULL };
    handle_t process = 0;
    int line[2];
    NEED(pipe(line) == 0);
    const int32_t descriptors[] = { line[0], 1, 2 };
    NEED(hx_spawn_file(lent, "anything", arguments, descriptors, 3, 0, &process) == HX_OK);
    SAME(hx_handle_revoke(lent), HX_OK);
    SAME(write(line[1], "\6", 1), 1);
    SAME(end_of(process), 6 << 8);
    close(line[0]);
    close(line[1]);
}

static void copy_self(const char *to) {
    static char bytes[1 << 16];
    ssize_t length;
    const int from = open(SELF, O_RDONLY), fd = open(to, O_WRONLY | O_CREAT, 0755);
    while ((length = read(from, bytes, sizeof bytes)) > 0) {
        NEED(write(fd, bytes, (size_t)length) == length);
    }
    close(from);
    close(fd);
}

// Whatever its name leads to now, or whether it has one, and whether the caller may look there.
static void by_handle(void) {
    handle_t lent = 0;
    NEED(mkdir("hidden", 0755) == 0);
    copy_self("hidden/program");
    const handle_t file = file_at("hidden/program", O_RDONLY);
    SAME(spawned_file(file), 5 << 8);
    SAME(spawned_file(file_at("hidden/program", O_PATH)), 5 << 8);
    NEED(chmod("hidden", 0700) == 0 && setresuid(1000, 1000, 0) == 0);
    SAME(spawned("hidden/program", 0, 0), HX_ERR_PERMISSION);
    SAME(spawned_file(file), 5 << 8);
    NEED(setresuid(0, 0, 0) == 0);
    NEED(unlink("hidden/program") == 0);
    SAME(spawned_file(file), 5 << 8);
    NEED(hx_handle_derive(file, HX_RIGHT_EXECUTE | HX_RIGHT_ADMIN, &lent) == HX_OK);
    SAME(spawned_file(lent), 5 << 8);
    outlives_its_handle(lent);
    SAME(spawned_file(lent), HX_ERR_REVOKED);
    NEED(hx_handle_derive(file, HX_RIGHTS_ALL & ~HX_RIGHT_EXECUTE, &lent) == HX_OK);
    SAME(spawned_file(lent), HX_ERR_ACCESS_DENIED);
}

// The handle does not make up for the file's mode, and a script has no program.
static void by_wrong_handles(void) {
    handle_t event = 0, file = 0;
    int line[2];
    struct hx_spawn spawn = { .path = (uintptr_t)SELF, .zero = 1 };
    copy_self("program");
    file = file_at("program", O_RDONLY);
    NEED(chmod("program", 0700) == 0 && setresuid(1000, 1000, 0) == 0);
    SAME(spawned_file(file), HX_ERR_PERMISSION);
    NEED(setresuid(0, 0, 0) == 0 && chmod("program", 0644) == 0);
    SAME(spawned_file(file), HX_ERR_PERMISSION);
    const int fd = open("script", O_CREAT | O_WRONLY, 0755);
    CHECK(write(fd, "#!/bin/sh\nexit 5\n", 17) == 17);
    close(fd);
    SAME(spawned_file(file_at("script", O_RDONLY)), HX_ERR_BAD_IMAGE);
    SAME(spawned_file(file_at(".", O_RDONLY)), HX_ERR_PERMISSION);
    NEED(pipe(line) == 0 && hx_file_handle(line[0], &file) == HX_OK);
    SAME(spawned_file(file), HX_ERR_PERMISSION);
    NEED(hx_event_create(0, &event) == HX_OK);
    SAME(spawned_file(event), HX_ERR_BAD_HANDLE);
    SAME(spawned_file(77), HX_ERR_BAD_HANDLE);
    SAME(hx_process_spawn(&spawn, usual, 3, &event), HX_ERR_INVALID);
}

// A handle does not make up for credentials that kill(2) would ask for.
static void credentials_count(void) {
    const handle_t process = child_of("wait", NULL, 0);
    NEED(setresuid(1000, 1000, 0) == 0);
    SAME(hx_process_kill(process), HX_ERR_NOT_PERMITTED);
    NEED(setresuid(0, 0, 0) == 0);
    SAME(hx_process_kill(process), HX_OK);
    SAME(end_of(process), SIGKILL);
}

static void rights(void) {
    const handle_t process = child_of("wait", NULL, 0);
    struct hx_process_info info;
    handle_t weak = 0, lent = 0, event = 0;
    uint32_t state;
    NEED(hx_handle_derive(process, ALL & ~HX_RIGHT_READ, &weak) == HX_OK);
    SAME(hx_process_info(weak, &info), HX_ERR_ACCESS_DENIED);
    NEED(hx_handle_derive(process, ALL & ~HX_RIGHT_DELETE, &weak) == HX_OK);
    SAME(hx_process_kill(weak), HX_ERR_ACCESS_DENIED);
    NEED(hx_handle_derive(process, ALL & ~HX_RIGHT_WAIT, &weak) == HX_OK);
    SAME(hx_wait_one(weak, HX_STATE_CLOSED, 0, &state), HX_ERR_ACCESS_DENIED);
    NEED(hx_handle_derive(process, ALL, &lent) == HX_OK && hx_handle_revoke(lent) == HX_OK);
    SAME(hx_process_kill(lent), HX_ERR_REVOKED);
    SAME(hx_process_info(lent, &info), HX_ERR_REVOKED);
    NEED(hx_event_create(0, &event) == HX_OK);
    SAME(hx_process_kill(event), HX_ERR_BAD_HANDLE);
    SAME(hx_process_info(event, &info), HX_ERR_BAD_HANDLE);
    SAME(NATIVE(process_info, process, 8), HX_ERR_BAD_ADDRESS);
    SAME(hx_wait_one(process, HX_STATE_CLOSED, hx_after(1000000), &state), HX_ERR_TIMED_OUT);
    SAME(hx_process_kill(process), HX_OK);
    SAME(end_of(process), SIGKILL);
}

// Many at once, known by handles alone.
static void many(void) {
    struct hx_wait_item items[20];
    char text[4];
    for (uint32_t i = 0; i < 20; i++) {
        snprintf(text, sizeof text, "%u", i);
        items[i] =
            (struct hx_wait_item){ .handle = child_of("exit", text, 0), .mask = HX_STATE_CLOSED };
    }
    for (uint32_t i = 0; i < 20; i++) {
        SAME(end_of(items[i].handle), i << 8);
    }
    REFUSED(waitpid(-1, NULL, 0), ECHILD);
}

static const struct check_case cases[] = {
    CASE(ends),
    CASE(like_other_children),
    CASE(gets_what_is_listed),
    CASE(is_given),
    CASE(refused),
    CASE(rights),
    CASE(credentials_count),
    CASE(many),
    CASE(by_handle),
    CASE(by_wrong_handles),
};

int main(int argc, char **argv) {
    return argc > 1 && strcmp(argv[0], "child") == 0
               ? child_main(argv[1], argc > 2 ? argv[2] : "")
               : check_main(cases, sizeof(cases) / sizeof(cases[0]), argc, argv);
}
