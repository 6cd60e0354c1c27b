// SPDX-License-Identifier: MIT OR Apache-2.0
// Process groups and sessions: who may move where, and whom a signal to a group reaches.
#include "check.h"

#include <sched.h>

static pid_t paused_child(void) {
    pid_t pid = fork();
    if (pid == 0) {
        for (;;) {
            pause();
        }
    }
    return pid;
}

static void end(pid_t pid) {
    kill(pid, SIGKILL);
    KILLED(pid, SIGKILL);
}

static void new_session(void) {
    pid_t pid;
    CHILD(pid) {
        SAME(setsid(), getpid());
        SAME(getsid(0), getpid());
        SAME(getpgrp(), getpid());
        REFUSED(setsid(), EPERM); // already a leader
        REFUSED(open("/dev/tty", O_RDWR), ENXIO);
    }
    EXITS(pid, 0);
}

static void leaders_stay(void) {
    NEED(setpgid(0, 0) == 0);
    REFUSED(setsid(), EPERM);
    pid_t pid;
    CHILD(pid) {
        NEED(setsid() == getpid());
        REFUSED(setpgid(0, 0), EPERM);
    }
    EXITS(pid, 0);
}

static void groups(void) {
    pid_t first = paused_child();
    pid_t second = paused_child();
    SAME(setpgid(first, first), 0);
    SAME(getpgid(first), first);
    SAME(setpgid(second, first), 0);
    SAME(getpgid(second), first);
    SAME(setpgid(second, 0), 0);
    SAME(getpgid(second), second);
    REFUSED(setpgid(first, 999999), EPERM); // no such group
    REFUSED(setpgid(first, -1), EINVAL);
    REFUSED(setpgid(999999, 0), ESRCH);
    REFUSED(getpgid(999999), ESRCH);
    REFUSED(getsid(999999), ESRCH);
    end(first);
    end(second);
}

static void not_after_exec(void) {
    int line[2];
    NEED(pipe2(line, O_CLOEXEC) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        execl("/bin/busybox", "sleep", "1000", NULL);
        _exit(1);
    }
    char byte;
    close(line[1]);
    SAME(read(line[0], &byte, 1), 0); // the exec has closed its end
    REFUSED(setpgid(pid, pid), EACCES);
    end(pid);
}

static void not_into_another_session(void) {
    int line[2];
    NEED(pipe(line) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        setsid();
        (void)!write(line[1], "x", 1);
        for (;;) {
            pause();
        }
    }
    char byte;
    SAME(read(line[0], &byte, 1), 1);
    REFUSED(setpgid(pid, pid), EPERM); // a leader of a session
    REFUSED(setpgid(0, pid), EPERM);
    end(pid);
}

static void kill_a_group(void) {
    pid_t first = paused_child();
    pid_t second = paused_child();
    pid_t other = paused_child();
    setpgid(first, first);
    setpgid(second, first);
    SAME(kill(-first, 0), 0);
    SAME(kill(-first, SIGTERM), 0);
    KILLED(first, SIGTERM);
    KILLED(second, SIGTERM);
    SAME(waitpid(other, NULL, WNOHANG), 0);
    REFUSED(kill(-first, SIGTERM), ESRCH);
    end(other);
}

static void kill_the_own_group(void) {
    pid_t pid = fork();
    if (pid == 0) {
        setpgid(0, 0);
        pid_t inner = paused_child();
        signal(SIGTERM, SIG_IGN);
        kill(0, SIGTERM);
        int status = check_wait(inner);
        _exit(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM ? 0 : 1);
    }
    EXITS(pid, 0);
}

// A group that becomes orphaned while a member is stopped gets SIGHUP and SIGCONT.
static volatile int hung_up;
static void on_hang_up(int number) {
    (void)number;
    hung_up = 1;
}

static void orphaned_stopped_group(void) {
    int line[2];
    NEED(pipe(line) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        setsid();
        pid_t middle = fork();
        if (middle == 0) {
            pid_t stopped = fork();
            if (stopped == 0) {
                signal(SIGHUP, on_hang_up);
                setpgid(0, 0);
                raise(SIGSTOP);
                while (!hung_up) {
                    sched_yield();
                }
                _exit(write(line[1], "y", 1) != 1);
            }
            waitpid(stopped, NULL, WUNTRACED);
            _exit(0); // the group has no parent in its session any more
        }
        check_wait(middle);
        _exit(0);
    }
    close(line[1]);
    char byte = 0;
    SAME(read(line[0], &byte, 1), 1);
    EXITS(pid, 0);
}

static void terminal_stops_spare_orphans(void) {
    pid_t pid;
    CHILD(pid) {
        setsid();
        SAME(raise(SIGTSTP), 0); // the default action does nothing in an orphaned group
        SAME(raise(SIGTTIN), 0);
    }
    EXITS(pid, 0);
}

static void not_orphaned_stops(void) {
    pid_t pid = fork();
    if (pid == 0) {
        setsid();
        pid_t inner = fork();
        if (inner == 0) {
            setpgid(0, 0);
            raise(SIGTSTP);
            _exit(4);
        }
        int status;
        waitpid(inner, &status, WUNTRACED);
        int good = WIFSTOPPED(status) && WSTOPSIG(status) == SIGTSTP;
        kill(inner, SIGCONT);
        waitpid(inner, &status, 0);
        _exit(good && WEXITSTATUS(status) == 4 ? 0 : 1);
    }
    EXITS(pid, 0);
}

static const struct check_case cases[] = {
    CASE(new_session),
    CASE(leaders_stay),
    CASE(groups),
    CASE(not_after_exec),
    CASE(not_into_another_session),
    CASE(kill_a_group),
    CASE(kill_the_own_group),
    CASE(orphaned_stopped_group),
    CASE(terminal_stops_spare_orphans),
    CASE(not_orphaned_stops),
};
CHECK_MAIN(cases)
