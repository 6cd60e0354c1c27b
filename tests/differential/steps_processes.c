// SPDX-License-Identifier: MIT OR Apache-2.0
// Steps that make processes and threads, in which other steps run, and that change who a process
// is.
#include "program.h"

#include <linux/capability.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define DEEPEST 2 // processes in processes

static int depth;
static bool is_thread; // of a process that has another

// How a child ended, by each way to ask.
static void say_end(struct generator *random, pid_t child) {
    if (one_in(random, 2)) {
        int status = -1;
        const pid_t got = waitpid(child, &status, 0);
        say("    ended %s %x\n", got == child ? "it" : "other", status);
        return;
    }
    siginfo_t about = { 0 };
    const int result =
        waitid(P_PID, (id_t)child, &about, WEXITED | (one_in(random, 3) ? WNOWAIT : 0));
    say("    ended %d signal %d code %d status %d\n", result, about.si_signo, about.si_code,
        about.si_status);
    int status = -1;
    const pid_t got = waitpid(child, &status, 0);
    say("    then %s %x\n", got == child ? "it" : got == -1 ? strerror(errno) : "other", status);
}

static void end_of_child(struct generator *random) {
    static const int signals[] = { SIGTERM, SIGKILL, SIGABRT, SIGUSR1, SIGCHLD, SIGSEGV, SIGHUP };
    if (one_in(random, 4)) {
        kill((pid_t)syscall(SYS_getpid),
             ELEMENT(random, signals)); // raise() believes what libc knows
    }
    _exit((int)below(random, 300));
}

// A child that shares some things with its parent and does a few steps.
static void step_child(struct generator *random) {
    static const unsigned shares[] = { CLONE_FILES, CLONE_FS, CLONE_FILES | CLONE_FS,
                                       0x100000 /* unused: CLONE_CHILD_CLEARTID */ };
    const unsigned share = one_in(random, 2) ? 0 : SOME_OF(random, shares);
    struct generator inner = { draw(random) };
    if (depth >= DEEPEST) {
        say("child too deep\n");
        return;
    }
    say("child shares %x\n", share);
    const pid_t child = (pid_t)syscall(SYS_clone, share | SIGCHLD, 0, 0, 0, 0);
    if (child == 0) {
        depth++;
        is_thread = false;
        alarm(20);
        run_some(&inner);
        end_of_child(&inner);
    }
    if (child < 0) {
        RESULT(child);
        return;
    }
    say_end(random, child);
}

// A child that clone() makes has the C library's locks as they are, so the thread begins when who
// made it has let go of them.
struct begun {
    struct generator inner;
    sem_t may_begin;
};

static void *do_some(void *argument) {
    struct begun *begun = argument;
    while (sem_wait(&begun->may_begin) != 0) {
    }
    run_some(&begun->inner);
    return NULL;
}

static void step_thread(struct generator *random) {
    struct begun begun = { .inner = { draw(random) } };
    pthread_t thread;
    say("thread\n");
    sem_init(&begun.may_begin, 0, 0);
    const bool before = is_thread;
    sigset_t all;
    sigset_t old;
    sigfillset(&all);
    sigdelset(&all, SIGALRM);
    sigprocmask(SIG_BLOCK, &all, &old); // or who waits would handle a signal beside the other
    is_thread = true;
    if (pthread_create(&thread, NULL, do_some, &begun) == 0) {
        sem_post(&begun.may_begin);
        pthread_join(thread, NULL);
    }
    is_thread = before;
    say("    joined");
    sigprocmask(SIG_SETMASK, &old, NULL);
    say("\n");
}

// A child that is another user, or a user with something more.
static void step_other_user(struct generator *random) {
    struct generator inner = { draw(random) };
    const unsigned way = below(random, 5);
    if (depth >= DEEPEST) {
        say("other user too deep\n");
        return;
    }
    say("other user %u\n", way);
    const pid_t child = fork();
    if (child == 0) {
        static const gid_t groups[] = { 1001 };
        depth++;
        is_thread = false;
        alarm(20);
        syscall(SYS_setgroups, way == 1, groups);
        if (way != 2) {
            syscall(SYS_setresgid, way == 3 ? 0 : OTHER_USER, way == 3 ? 0 : OTHER_USER,
                    way == 3 ? 0 : OTHER_USER);
        }
        syscall(SYS_setresuid, OTHER_USER, OTHER_USER, way == 4 ? 0 : OTHER_USER);
        run_some(&inner);
        run_some(&inner);
        _exit(0);
    }
    say_end(random, child);
}

static void step_wait(struct generator *random) {
    static const int options[] = { WNOHANG,
                                   WNOHANG,
                                   WNOHANG | WUNTRACED,
                                   WNOHANG | WCONTINUED,
                                   WNOHANG | 0x10,
                                   WNOHANG | 0x20000000 };
    const int option = ELEMENT(random, options);
    const int which = one_in(random, 2) ? -1 : one_in(random, 2) ? 0 : 1;
    int status = 77;
    say("wait4 %d %x", which, option);
    errno = 0;
    const long result = waitpid(which, &status, option);
    const int error = errno;
    say(" %x", status);
    say_result(result > 0 ? 1 : result, error);
}

static void step_waitid(struct generator *random) {
    static const int options[] = { WEXITED, WSTOPPED, WCONTINUED, WEXITED | WNOWAIT, 0, 0x10 };
    const int type = (int)below(random, 5);
    const int option = WNOHANG | ELEMENT(random, options);
    siginfo_t about;
    memset(&about, 0x55, sizeof about);
    say("waitid %d %x", type, option);
    errno = 0;
    const int result = waitid((idtype_t)type, type == P_PID ? 1 : 0, &about, option);
    const int error = errno;
    say(" %x", about.si_signo);
    say_result(result, error);
}

// Stops, goes on, and ends; what the parent sees of it.
static void step_stopped_child(struct generator *random) {
    const int with = one_in(random, 2) ? SIGSTOP : SIGTSTP;
    const int end = one_in(random, 2) ? SIGKILL : SIGTERM;
    say("stopped child %d %d:", with, end);
    const pid_t child = fork();
    if (child == 0) {
        alarm(20);
        sigset_t none;
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL); // or what ends it would not
        setpgid(0, 0);
        signal(SIGTERM, SIG_DFL);
        raise(with);
        for (;;) {
            pause();
        }
    }
    siginfo_t about = { 0 };
    say(" %d", waitid(P_PID, (id_t)child, &about, WSTOPPED | WEXITED));
    say(" code %d status %d", about.si_code, about.si_status);
    say(" group %s", getpgid(child) == child ? "own" : "ours");
    if (about.si_code == CLD_STOPPED) {
        kill(child, SIGCONT);
        about = (siginfo_t){ 0 };
        say(" %d", waitid(P_PID, (id_t)child, &about, WCONTINUED));
        say(" code %d status %d", about.si_code, about.si_status);
    }
    kill(child, end);
    int status = -1;
    say(" got %d", waitpid(child, &status, 0) == child);
    say(" %x\n", status);
}

// What the same program sees of itself when it was started anew: main() tells.
static void step_exec(struct generator *random) {
    struct generator inner = { draw(random) };
    say("exec\n");
    const pid_t child = fork();
    if (child == 0) {
        is_thread = false;
        alarm(20);
        run_some(&inner);
        char *const arguments[] = { (char *)"differential", (char *)"told", NULL };
        char *const environment[] = { NULL };
        execve("/tests/differential", arguments, environment);
        say("    exec");
        say_result(-1, errno);
        _exit(77);
    }
    say_end(random, child);
}

static void step_nice(struct generator *random) {
    if (is_thread && !WITH_IDS_OF_THREADS) {
        return;
    }
    static const int kinds[] = { PRIO_PROCESS, PRIO_PGRP, 3 }; // all of a user would be chance
    const int which = ELEMENT(random, kinds);
    const int value = (int)below(random, 50) - 25;
    if (one_in(random, 2)) {
        say("getpriority %d", which);
        RESULT(syscall(SYS_getpriority, which, 0));
        return;
    }
    const int who = which == PRIO_PROCESS ? 0 : 99999;
    say("setpriority %d %d %d", which, who, value);
    RESULT(setpriority(which, (id_t)who, value));
}

static void step_limit(struct generator *random) {
    static const struct {
        int what;
        rlim_t value;
    } limits[] = { { RLIMIT_NOFILE, 6 },     { RLIMIT_NOFILE, 12 },
                   { RLIMIT_NOFILE, 32 },    { RLIMIT_FSIZE, 5000 },
                   { RLIMIT_FSIZE, 4096 },   { RLIMIT_FSIZE, RLIM_INFINITY },
                   { RLIMIT_CORE, 0 },       { 77, 1 },
                   { RLIMIT_SIGPENDING, 2 }, { RLIMIT_MSGQUEUE, 500 } };
    const unsigned which = below(random, COUNT(limits));
    struct rlimit limit = { limits[which].value, RLIM_INFINITY };
    struct rlimit old;
    if (limits[which].what == RLIMIT_NOFILE) {
        limit.rlim_max = DESCRIPTORS;
    }
    if (one_in(random, 10)) {
        limit.rlim_max = 1;
    }
    say("prlimit %d %ld %ld", limits[which].what, (long)limit.rlim_cur, (long)limit.rlim_max);
    errno = 0;
    const int result = (int)syscall(SYS_prlimit64, 0, limits[which].what, &limit, &old);
    say_result(result, errno);
}

static const struct step processes_steps[] = {
    STEP(child),         STEP(child), STEP(thread), STEP(wait),  STEP(waitid),
    STEP(stopped_child), STEP(exec),  STEP(nice),   STEP(limit),
};
FAMILY(processes);

static void say_ids(void) {
    uid_t users[3];
    gid_t groups[3];
    gid_t more[8];
    getresuid(&users[0], &users[1], &users[2]);
    getresgid(&groups[0], &groups[1], &groups[2]);
    const int count = getgroups(8, more);
    say("  users %d %d %d groups %d %d %d more", (int)users[0], (int)users[1], (int)users[2],
        (int)groups[0], (int)groups[1], (int)groups[2]);
    for (int i = 0; i < count; i++) {
        say(" %d", (int)more[i]);
    }
    say("\n");
}

static void step_ids(struct generator *random) {
    if (is_thread && !WITH_IDS_OF_THREADS) {
        return;
    }
    static const int ids[] = { -1, 0, OTHER_USER, OTHER_USER, 1001 };
    static const struct {
        const char *name;
        long number;
    } calls[] = { { "setuid", SYS_setuid },       { "setgid", SYS_setgid },
                  { "setreuid", SYS_setreuid },   { "setregid", SYS_setregid },
                  { "setresuid", SYS_setresuid }, { "setresgid", SYS_setresgid },
                  { "setfsuid", SYS_setfsuid },   { "setfsgid", SYS_setfsgid } };
    const unsigned which = below(random, COUNT(calls));
    const int a = ELEMENT(random, ids);
    const int b = ELEMENT(random, ids);
    const int c = ELEMENT(random, ids);
    say("%s %d %d %d", calls[which].name, a, b, c);
    RESULT(syscall(calls[which].number, a, b, c));
    say_ids();
}

static void step_capabilities(struct generator *random) {
    if (is_thread && !WITH_IDS_OF_THREADS) {
        return;
    }
    struct __user_cap_header_struct header = { one_in(random, 20) ? 0 : _LINUX_CAPABILITY_VERSION_3,
                                               0 };
    struct __user_cap_data_struct sets[2];
    memset(sets, 0, sizeof sets);
    if (one_in(random, 2)) {
        const unsigned bit = below(random, 32);
        if (syscall(SYS_capget, &header, sets) == 0) {
            sets[0].effective &= ~(1u << bit);
            if (one_in(random, 3)) {
                sets[0].permitted &= ~(1u << bit);
            }
            if (one_in(random, 3)) {
                sets[0].inheritable |= 1u << bit;
            }
        }
        say("capset %u", bit);
        RESULT(syscall(SYS_capset, &header, sets));
    }
    say("capget");
    errno = 0;
    const long result = syscall(SYS_capget, &header, sets);
    const int error = errno;
    say(" %x %x %x", sets[0].effective, sets[0].permitted, sets[0].inheritable);
    say_result(result, error);
}

static void step_prctl(struct generator *random) {
    if (is_thread && !WITH_IDS_OF_THREADS) {
        return;
    }
    static const int options[] = { PR_GET_KEEPCAPS,
                                   WITH_KEEPCAPS ? PR_SET_KEEPCAPS : PR_GET_KEEPCAPS,
                                   PR_GET_NO_NEW_PRIVS,
                                   PR_SET_NO_NEW_PRIVS,
                                   PR_GET_DUMPABLE,
                                   PR_SET_DUMPABLE,
                                   PR_CAPBSET_READ,
                                   PR_CAPBSET_DROP,
                                   PR_GET_SECUREBITS,
                                   WITH_SECUREBITS ? PR_SET_SECUREBITS : PR_GET_SECUREBITS,
                                   PR_SET_PDEATHSIG,
                                   PR_GET_TIMERSLACK,
                                   WITH_AMBIENT ? PR_CAP_AMBIENT : PR_GET_DUMPABLE,
                                   9999 };
    const int option = ELEMENT(random, options);
    const unsigned long value = below(random, 5);
    say("prctl %d %lu", option, value);
    RESULT(prctl(option, value, 0ul, 0ul, 0ul));
}

static const struct step identity_steps[] = {
    STEP(other_user), STEP(other_user),   STEP(other_user), STEP(ids),
    STEP(ids),        STEP(capabilities), STEP(prctl),
};
FAMILY(identity);
