// SPDX-License-Identifier: MIT OR Apache-2.0
// RUN: musl glibc
// fork, vfork and clone: what the child has of its own and what it shares.
#include "check.h"
#include "machine.h"

#include <sched.h>
#include <sys/prctl.h>

static int global = 1;

static void returns_twice(void) {
    pid_t parent = getpid();
    pid_t pid = fork();
    if (pid == 0) {
        _exit(getppid() == parent && getpid() != parent ? 23 : 1);
    }
    CHECK(pid > 0 && pid != parent);
    EXITS(pid, 23);
}

static void memory_is_copied(void) {
    int local = 5;
    char *heap = malloc(100000);
    memset(heap, 'a', 100000);
    pid_t pid;
    CHILD(pid) {
        SAME(global, 1);
        SAME(local, 5);
        global = 2;
        local = 6;
        memset(heap, 'b', 100000);
        SAME(heap[99999], 'b');
    }
    EXITS(pid, 0);
    SAME(global, 1);
    SAME(local, 5);
    SAME(heap[0], 'a');
    SAME(heap[99999], 'a');
}

static void parent_writes_stay_unseen(void) {
    int ready[2];
    NEED(pipe(ready) == 0);
    global = 10;
    pid_t pid;
    CHILD(pid) {
        char byte;
        SAME(read(ready[0], &byte, 1), 1);
        SAME(global, 10);
    }
    global = 11;
    SAME(write(ready[1], "x", 1), 1);
    EXITS(pid, 0);
}

static void grandchildren_copy_too(void) {
    volatile int value = 1;
    pid_t pid;
    CHILD(pid) {
        value = 2;
        pid_t inner;
        CHILD(inner) {
            SAME(value, 2);
            value = 3;
        }
        EXITS(inner, 0);
        SAME(value, 2);
    }
    EXITS(pid, 0);
    SAME(value, 1);
}

static void open_files_are_shared(void) {
    int fd = open("f", O_CREAT | O_RDWR, 0600);
    NEED(fd >= 0);
    pid_t pid;
    CHILD(pid) {
        SAME(write(fd, "12345", 5), 5);
        close(fd);
    }
    EXITS(pid, 0);
    SAME(lseek(fd, 0, SEEK_CUR), 5);
    SAME(write(fd, "6", 1), 1);
    SAME(lseek(fd, 0, SEEK_END), 6);
}

static void on_nothing(int number) {
    (void)number;
}

static void inherits(void) {
    NEED(chdir("/tmp") == 0);
    umask(027);
    setenv("SOMETHING", "here", 1);
    signal(SIGUSR1, SIG_IGN);
    signal(SIGUSR2, on_nothing);
    pid_t pid;
    CHILD(pid) {
        char folder[64];
        CHECK(getcwd(folder, sizeof folder) && strcmp(folder, "/tmp") == 0);
        SAME(umask(0), 027);
        CHECK(strcmp(getenv("SOMETHING"), "here") == 0);
        struct sigaction action;
        SAME(sigaction(SIGUSR1, NULL, &action), 0);
        CHECK(action.sa_handler == SIG_IGN);
        SAME(sigaction(SIGUSR2, NULL, &action), 0);
        CHECK(action.sa_handler == on_nothing);
        SAME(getpgrp(), getpgid(getppid()));
        SAME(getsid(0), getsid(getppid()));
    }
    EXITS(pid, 0);
}

static void the_heap_goes_on(void) {
    uintptr_t start = (uintptr_t)syscall(SYS_brk, 0);
    SAME(syscall(SYS_brk, start + 8192), start + 8192);
    *(volatile char *)start = 7;
    pid_t pid;
    CHILD(pid) {
        SAME(syscall(SYS_brk, 0), start + 8192);
        SAME(syscall(SYS_brk, start + 16384), start + 16384);
        SAME(*(volatile char *)start, 7);
    }
    EXITS(pid, 0);
    SAME(syscall(SYS_brk, 0), start + 8192);
}

static void pending_and_alarm_are_not_inherited(void) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigprocmask(SIG_BLOCK, &set, NULL);
    raise(SIGUSR1);
    pid_t pid;
    CHILD(pid) {
        sigset_t waiting;
        sigpending(&waiting);
        SAME(sigismember(&waiting, SIGUSR1), 0);
        sigset_t mask;
        sigprocmask(SIG_BLOCK, NULL, &mask);
        SAME(sigismember(&mask, SIGUSR1), 1);
        SAME(alarm(0), 0);
    }
    EXITS(pid, 0);
}

static void many_at_once(void) {
    enum { COUNT = 64 };
    pid_t pids[COUNT];
    for (int i = 0; i < COUNT; i++) {
        pids[i] = fork();
        if (pids[i] == 0) {
            _exit(i);
        }
        NEED(pids[i] > 0);
    }
    for (int i = COUNT - 1; i >= 0; i--) {
        EXITS(pids[i], i);
    }
    REFUSED(wait(NULL), ECHILD);
}

static void many_in_turn(void) {
    for (int i = 0; i < 300; i++) {
        pid_t pid = fork();
        NEED(pid >= 0);
        if (pid == 0) {
            _exit(i & 0x7f);
        }
        EXITS(pid, i & 0x7f);
    }
}

static void vfork_shares_memory(void) {
#if !defined(SYS_vfork) && !defined(__GLIBC__)
    return; // musl makes it a fork where there is no such call
#endif
    static volatile int shared;
    shared = 1;
    pid_t pid = vfork();
    if (pid == 0) {
        shared = 2; // the parent waits until we are gone
        _exit(9);
    }
    SAME(shared, 2);
    EXITS(pid, 9);
}

static int clone_body(void *argument) {
    *(volatile int *)argument = 99;
    close(0);
    return 12;
}

static void clone_with_flags(void) {
    static char stack[65536] __attribute__((aligned(16)));
    volatile int value = 0;
    pid_t pid = machine_start(clone_body, stack + sizeof stack, CLONE_VM | CLONE_FILES | SIGCHLD,
                              (void *)&value);
    NEED(pid > 0);
    EXITS(pid, 12);
    SAME(value, 99);
    REFUSED(fcntl(0, F_GETFD), EBADF); // the table of descriptors was shared
    value = 0;
    pid = machine_start(clone_body, stack + sizeof stack, SIGCHLD, (void *)&value);
    EXITS(pid, 12);
    SAME(value, 0);
}

static void clone_refuses(void) {
    REFUSED(syscall(SYS_clone, CLONE_SIGHAND | SIGCHLD, 0, 0, 0, 0), EINVAL);
    REFUSED(syscall(SYS_clone, CLONE_THREAD | SIGCHLD, 0, 0, 0, 0), EINVAL);
}

static void parent_tid_is_set(void) {
    int tid = 0;
    long pid = syscall(SYS_clone, CLONE_PARENT_SETTID | SIGCHLD, 0, &tid, 0, 0);
    if (pid == 0) {
        _exit(0);
    }
    SAME(tid, pid);
    EXITS((pid_t)pid, 0);
}

static void child_tid_is_set_in_the_child(void) {
    static int tid;
    long pid = machine_clone(CLONE_CHILD_SETTID | SIGCHLD, NULL, NULL, &tid, 0);
    if (pid == 0) {
        _exit(tid == getpid() ? 0 : 1);
    }
    SAME(tid, 0);
    EXITS((pid_t)pid, 0);
}

static void orphans_go_to_init(void) {
    int line[2];
    NEED(pipe(line) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        pid_t middle = getpid();
        if (fork() == 0) {
            while (getppid() == middle) {
                sched_yield();
            }
            pid_t now = getppid();
            _exit(write(line[1], &now, sizeof now) != sizeof now);
        }
        _exit(0);
    }
    EXITS(pid, 0);
    pid_t adopted = 0;
    SAME(read(line[0], &adopted, sizeof adopted), sizeof adopted);
    SAME(adopted, 1);
}

static void death_signal(void) {
    int line[2];
    NEED(pipe(line) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        if (fork() == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            (void)!write(line[1], "x", 1);
            for (;;) {
                pause();
            }
        }
        char byte;
        _exit(read(line[0], &byte, 1) != 1);
    }
    EXITS(pid, 0);
    close(line[1]);
    char byte;
    SAME(read(line[0], &byte, 1), 0); // the grandchild is gone, and its end of the pipe
}

static const struct check_case cases[] = {
    CASE(returns_twice),
    CASE(memory_is_copied),
    CASE(parent_writes_stay_unseen),
    CASE(grandchildren_copy_too),
    CASE(open_files_are_shared),
    CASE(inherits),
    CASE(the_heap_goes_on),
    CASE(pending_and_alarm_are_not_inherited),
    CASE(many_at_once),
    CASE(many_in_turn),
    CASE(vfork_shares_memory),
    CASE(clone_with_flags),
    CASE(clone_refuses),
    CASE(parent_tid_is_set),
    CASE(child_tid_is_set_in_the_child),
    CASE(orphans_go_to_init),
    CASE(death_signal),
};
CHECK_MAIN(cases)
