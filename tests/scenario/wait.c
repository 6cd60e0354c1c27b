// SPDX-License-Identifier: MIT OR Apache-2.0
// wait4, waitid, waitpid: whom they wait for, what they report, when they refuse.
#include "check.h"

#include <sched.h>
#include <sys/resource.h>

static pid_t child_that_pauses(void) {
    pid_t pid = fork();
    if (pid == 0) {
        for (;;) {
            pause();
        }
    }
    return pid;
}

static void exit_codes(void) {
    static const int codes[] = { 0, 1, 42, 127, 255 };
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        pid_t pid = fork();
        if (pid == 0) {
            _exit(codes[i]);
        }
        EXITS(pid, codes[i]);
    }
    pid_t pid = fork();
    if (pid == 0) {
        _exit(256 + 3); // only the low eight bits count
    }
    EXITS(pid, 3);
}

static void killed_by_signal(void) {
    static const int signals[] = { SIGKILL, SIGTERM, SIGHUP, SIGUSR1, SIGPIPE, SIGALRM };
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++) {
        pid_t pid = child_that_pauses();
        SAME(kill(pid, signals[i]), 0);
        KILLED(pid, signals[i]);
    }
}

static void nohang(void) {
    pid_t pid = child_that_pauses();
    int status = 77;
    SAME(waitpid(pid, &status, WNOHANG), 0);
    SAME(status, 77);
    kill(pid, SIGKILL);
    KILLED(pid, SIGKILL);
    REFUSED(waitpid(pid, &status, WNOHANG), ECHILD);
}

static void any_child(void) {
    pid_t first = fork();
    if (first == 0) {
        _exit(1);
    }
    pid_t second = fork();
    if (second == 0) {
        _exit(2);
    }
    int seen = 0;
    for (int i = 0; i < 2; i++) {
        int status;
        pid_t pid = waitpid(-1, &status, 0);
        CHECK(pid == first || pid == second);
        SAME(WEXITSTATUS(status), pid == first ? 1 : 2);
        seen |= pid == first ? 1 : 2;
    }
    SAME(seen, 3);
    REFUSED(waitpid(-1, NULL, 0), ECHILD);
}

static void by_group(void) {
    pid_t mine = fork();
    if (mine == 0) {
        _exit(1);
    }
    pid_t other = fork();
    if (other == 0) {
        setpgid(0, 0);
        _exit(2);
    }
    setpgid(other, other);
    SAME(waitpid(-other, NULL, 0), other);
    REFUSED(waitpid(-other, NULL, 0), ECHILD);
    SAME(waitpid(0, NULL, 0), mine);
}

static void stopped_and_continued(void) {
    pid_t pid = child_that_pauses();
    int status = 0;
    kill(pid, SIGSTOP);
    SAME(waitpid(pid, &status, WUNTRACED), pid);
    CHECK(WIFSTOPPED(status));
    SAME(WSTOPSIG(status), SIGSTOP);
    SAME(waitpid(pid, &status, WUNTRACED | WNOHANG), 0); // reported once
    kill(pid, SIGCONT);
    SAME(waitpid(pid, &status, WCONTINUED), pid);
    CHECK(WIFCONTINUED(status));
    kill(pid, SIGSTOP);
    SAME(waitpid(pid, &status, WUNTRACED), pid);
    kill(pid, SIGKILL); // ends a stopped process too
    KILLED(pid, SIGKILL);
}

static void stopped_runs_nothing(void) {
    int line[2];
    NEED(pipe2(line, O_NONBLOCK) == 0);
    int go[2];
    NEED(pipe(go) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        char byte;
        (void)!read(go[0], &byte, 1);
        _exit(write(line[1], "x", 1) != 1);
    }
    kill(pid, SIGSTOP);
    SAME(waitpid(pid, NULL, WUNTRACED), pid);
    SAME(write(go[1], "x", 1), 1);
    char byte;
    REFUSED(read(line[0], &byte, 1), EAGAIN);
    kill(pid, SIGCONT);
    EXITS(pid, 0);
    SAME(read(line[0], &byte, 1), 1);
}

static void waitid_reports(void) {
    siginfo_t info;
    pid_t pid = fork();
    if (pid == 0) {
        _exit(17);
    }
    memset(&info, 0, sizeof info);
    SAME(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
    SAME(info.si_pid, pid);
    SAME(info.si_signo, SIGCHLD);
    SAME(info.si_code, CLD_EXITED);
    SAME(info.si_status, 17);
    SAME(info.si_uid, getuid());
    memset(&info, 0, sizeof info);
    SAME(waitid(P_ALL, 0, &info, WEXITED), 0); // still there
    SAME(info.si_pid, pid);
    REFUSED(waitid(P_PID, (id_t)pid, &info, WEXITED), ECHILD);
}

static void waitid_kinds(void) {
    siginfo_t info;
    pid_t pid = child_that_pauses();
    memset(&info, 0, sizeof info);
    SAME(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG), 0);
    SAME(info.si_pid, 0);
    kill(pid, SIGSTOP);
    SAME(waitid(P_PID, (id_t)pid, &info, WSTOPPED), 0);
    SAME(info.si_code, CLD_STOPPED);
    SAME(info.si_status, SIGSTOP);
    kill(pid, SIGCONT);
    SAME(waitid(P_PID, (id_t)pid, &info, WCONTINUED), 0);
    SAME(info.si_code, CLD_CONTINUED);
    SAME(info.si_status, SIGCONT);
    kill(pid, SIGKILL);
    SAME(waitid(P_PGID, (id_t)getpgrp(), &info, WEXITED), 0);
    SAME(info.si_code, CLD_KILLED);
    SAME(info.si_status, SIGKILL);
}

static void refuses(void) {
    siginfo_t info;
    int status;
    REFUSED(wait(&status), ECHILD);
    REFUSED(waitpid(1, &status, 0), ECHILD);
    REFUSED(waitpid(-1, &status, 0x7f000), EINVAL);
    REFUSED(waitid(P_ALL, 0, &info, 0), EINVAL);
    REFUSED(waitid(P_ALL, 0, &info, WNOHANG), EINVAL);
    REFUSED(waitid((idtype_t)99, 0, &info, WEXITED), EINVAL);
    REFUSED(waitid(P_PID, 0, &info, WEXITED), EINVAL);
    pid_t pid = fork();
    if (pid == 0) {
        _exit(0);
    }
    siginfo_t done;
    SAME(waitid(P_PID, (id_t)pid, &done, WEXITED | WNOWAIT), 0);
    REFUSED(syscall(SYS_wait4, pid, (void *)8, 0, NULL), EFAULT);
}

static void zombies_keep_their_number(void) {
    pid_t pid = fork();
    if (pid == 0) {
        _exit(0);
    }
    siginfo_t info;
    SAME(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
    SAME(kill(pid, 0), 0); // a zombie is still there
    EXITS(pid, 0);
    REFUSED(kill(pid, 0), ESRCH);
}

static void ignored_children_vanish(void) {
    signal(SIGCHLD, SIG_IGN);
    pid_t pid = fork();
    if (pid == 0) {
        _exit(3);
    }
    REFUSED(waitpid(pid, NULL, 0), ECHILD); // after it is gone
    while (kill(pid, 0) == 0) {
        sched_yield();
    }
    REFUSED(kill(pid, 0), ESRCH);
}

static void no_zombies_with_nocldwait(void) {
    struct sigaction action = { .sa_handler = SIG_DFL, .sa_flags = SA_NOCLDWAIT };
    sigaction(SIGCHLD, &action, NULL);
    pid_t pid = fork();
    if (pid == 0) {
        _exit(3);
    }
    REFUSED(wait(NULL), ECHILD);
}

static void usage(void) {
    struct rusage used;
    memset(&used, 0x55, sizeof used);
    pid_t pid = fork();
    if (pid == 0) {
        _exit(0);
    }
    int status;
    SAME(wait4(pid, &status, 0, &used), pid);
    CHECK(used.ru_utime.tv_sec >= 0 && used.ru_utime.tv_sec < 100);
    CHECK(used.ru_stime.tv_usec >= 0 && used.ru_stime.tv_usec < 1000000);
}

static volatile int interrupted;
static void on_alarm(int number) {
    (void)number;
    interrupted++;
}

static void interrupted_by_a_handler(void) {
    struct sigaction action = { .sa_handler = on_alarm };
    sigaction(SIGALRM, &action, NULL);
    pid_t pid = child_that_pauses();
    ualarm(20000, 20000); // the first one may come before the wait
    REFUSED(waitpid(pid, NULL, 0), EINTR);
    ualarm(0, 0);
    CHECK(interrupted >= 1);
    kill(pid, SIGKILL);
    KILLED(pid, SIGKILL);
}

static const struct check_case cases[] = {
    CASE(exit_codes),
    CASE(killed_by_signal),
    CASE(nohang),
    CASE(any_child),
    CASE(by_group),
    CASE(stopped_and_continued),
    CASE(stopped_runs_nothing),
    CASE(waitid_reports),
    CASE(waitid_kinds),
    CASE(refuses),
    CASE(zombies_keep_their_number),
    CASE(ignored_children_vanish),
    CASE(no_zombies_with_nocldwait),
    CASE(usage),
    CASE(interrupted_by_a_handler),
};
CHECK_MAIN(cases)
