// SPDX-License-Identifier: MIT OR Apache-2.0
// RUN: musl glibc
// Who is told of a message in a POSIX message queue, when, and by whom.
#include "queues.h"

// What is pending of a blocked signal; its number 0: nothing.
static siginfo_t told(int number) {
    siginfo_t info;
    sigset_t set;
    const struct timespec now = { 0, 0 };
    memset(&info, 0, sizeof info);
    sigemptyset(&set);
    sigaddset(&set, number);
    if (sigtimedwait(&set, &info, &now) < 0) {
        info.si_signo = errno == EAGAIN ? 0 : -1;
    }
    return info;
}

static void block(int number) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, number);
    NEED(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
}

#define VALUE 0x1234567887654321

static void tells_once(void) {
    const mqd_t queue = made(O_NONBLOCK);
    block(SIGUSR1);
    SAME(notify(queue, SIGEV_SIGNAL, SIGUSR1, VALUE), 0);
    REFUSED(notify(queue, SIGEV_SIGNAL, SIGUSR1, 78), EBUSY);
    REFUSED(notify(queue, SIGEV_NONE, 0, 0), EBUSY);
    SAME(told(SIGUSR1).si_signo, 0);
    pid_t child;
    CHILD(child) {
        REFUSED(notify(queue, SIGEV_SIGNAL, SIGUSR1, 78), EBUSY);
        SAME(mq_notify(queue, NULL), 0); // is not its own, and stays
        // May not send a signal, but a message; the real one is told.
        NEED(setresuid(SOMEWHO, SOMEWHO + 1, SOMEWHO + 1) == 0);
        SAME(sent(queue, "1", 0), 0);
    }
    EXITS(child, 0);
    siginfo_t info = told(SIGUSR1);
    SAME(info.si_signo, SIGUSR1);
    SAME(info.si_code, SI_MESGQ);
    SAME(info.si_errno, 0);
    SAME(info.si_pid, child);
    SAME(info.si_uid, SOMEWHO);
    CHECK(info.si_value.sival_ptr == (void *)VALUE);
    SAME(notify(queue, SIGEV_SIGNAL, SIGUSR1, 79), 0); // the last one is over
    SAME(sent(queue, "2", 0), 0);                      // it was not empty
    SAME(told(SIGUSR1).si_signo, 0);
    is_next(queue, "1", 0);
    is_next(queue, "2", 0);
    SAME(sent(queue, "3", 0), 0);
    info = told(SIGUSR1);
    SAME(info.si_signo, SIGUSR1);
    SAME(info.si_pid, getpid());
    SAME(info.si_value.sival_int, 79);
    is_next(queue, "3", 0);
    SAME(sent(queue, "4", 0), 0);
    SAME(told(SIGUSR1).si_signo, 0); // once
}

static void who_waits_comes_first(void) {
    const mqd_t queue = made(0);
    block(SIGUSR1);
    NEED(notify(queue, SIGEV_SIGNAL, SIGUSR1, 1) == 0);
    const pid_t child = receiver(queue, "1", 0);
    SAME(sent(queue, "1", 0), 0);
    EXITS(child, 0);
    SAME(told(SIGUSR1).si_signo, 0);
    SAME(sent(queue, "2", 0), 0);
    SAME(told(SIGUSR1).si_signo, SIGUSR1);
}

// Who finds the message finds the signal.
static void tells_before_it_can_be_taken(void) {
    const mqd_t queue = made(O_NONBLOCK);
    int line[2];
    char byte = 'x';
    pid_t child;
    NEED(pipe(line) == 0);
    block(SIGUSR1);
    CHILD(child) {
        close(line[1]);
        while (read(line[0], &byte, 1) == 1) {
            NEED(sent(queue, "1", 0) == 0);
        }
    }
    for (int i = 0; i < 300; i++) {
        NEED(notify(queue, SIGEV_SIGNAL, SIGUSR1, i) == 0);
        NEED(write(line[1], &byte, 1) == 1);
        while (mq_receive(queue, bytes, SIZE, NULL) < 0) {
            sched_yield();
        }
        const siginfo_t info = told(SIGUSR1);
        NEED(info.si_signo == SIGUSR1 && info.si_value.sival_int == i);
    }
    close(line[1]);
    EXITS(child, 0);
}

// The queue does not become empty if somebody waits to send.
static void who_waits_to_send_tells_nobody(void) {
    const mqd_t queue = made_of("/one", 0, 1, SIZE);
    NEED(mq_unlink("/one") == 0);
    block(SIGUSR1);
    NEED(sent(queue, "1", 0) == 0 && notify(queue, SIGEV_SIGNAL, SIGUSR1, 0) == 0);
    const pid_t child = check_fork();
    if (child == 0) {
        SAME(sent(queue, "2", 0), 0);
        _exit(check_failures);
    }
    until_asleep(child);
    is_next(queue, "1", 0);
    EXITS(child, 0);
    SAME(current(queue), 1);
    SAME(told(SIGUSR1).si_signo, 0);
    is_next(queue, "2", 0);
    SAME(sent(queue, "3", 0), 0);
    SAME(told(SIGUSR1).si_signo, SIGUSR1);
}

static void notices_end(void) {
    const mqd_t queue = made(O_NONBLOCK);
    block(SIGUSR1);
    SAME(notify(queue, SIGEV_SIGNAL, SIGUSR1, 1), 0);
    SAME(mq_notify(queue, NULL), 0);
    SAME(mq_notify(queue, NULL), 0);
    SAME(sent(queue, "1", 0), 0);
    SAME(told(SIGUSR1).si_signo, 0);
    is_next(queue, "1", 0);
    SAME(notify(queue, SIGEV_SIGNAL, SIGUSR1, 1), 0);
    close(dup(queue)); // any descriptor of it
    SAME(notify(queue, SIGEV_NONE, 0, 0), 0);
    SAME(sent(queue, "2", 0), 0); // tells nobody, and is over
    SAME(notify(queue, SIGEV_SIGNAL, 0, 0), 0);
    is_next(queue, "2", 0);
    SAME(sent(queue, "3", 0), 0);
    SAME(notify(queue, SIGEV_SIGNAL, SIGUSR1, 0), 0);
    SAME(mq_notify(queue, NULL), 0);
    pid_t child;
    CHILD(child) {
        SAME(notify(queue, SIGEV_SIGNAL, SIGUSR1, 0), 0); // and ends
    }
    EXITS(child, 0);
    CHILD(child) {
        SAME(notify(queue, SIGEV_SIGNAL, SIGUSR1, 0), 0);
        mq_close(queue);
        kill(getpid(), SIGSTOP);
    }
    int status;
    NEED(waitpid(child, &status, WUNTRACED) == child && WIFSTOPPED(status));
    SAME(notify(queue, SIGEV_SIGNAL, SIGUSR1, 0), 0);
    NEED(kill(child, SIGCONT) == 0);
    EXITS(child, 0);
}

// A notice of the caller's is there no more: another one can be.
static void is_over(mqd_t queue) {
    SAME(notify(queue, SIGEV_NONE, 0, 0), 0);
    SAME(mq_notify(queue, NULL), 0);
}

static void ends_with_any_descriptor(void) {
    const mqd_t queue = made(O_NONBLOCK);
    const int file = open("file", O_RDWR | O_CREAT, 0600);
    int other = dup(queue);
    NEED(file >= 0 && other >= 0 && notify(queue, SIGEV_NONE, 0, 0) == 0);
    NEED(dup2(file, other) == other);
    is_over(queue);
    other = dup(queue);
    NEED(notify(queue, SIGEV_NONE, 0, 0) == 0);
    NEED(syscall(SYS_close_range, other, other, 0) == 0);
    is_over(queue);
    // What is on its way to somebody who never takes it is nobody's descriptor.
    NEED(notify(queue, SIGEV_NONE, 0, 0) == 0);
    int ends[2];
    NEED(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
    send_file(ends[0], queue);
    close(ends[0]);
    close(ends[1]);
    REFUSED(notify(queue, SIGEV_NONE, 0, 0), EBUSY);
}

// Starts a program that waits for input, and does so.
static pid_t executed(mqd_t queue, int number, bool keeps, int *out_input) {
    int input[2], gone[2];
    NEED(pipe(input) == 0 && pipe2(gone, O_CLOEXEC) == 0);
    const pid_t child = check_fork();
    if (child == 0) {
        NEED(!keeps || fcntl(queue, F_SETFD, 0) == 0);
        NEED(dup2(input[0], 0) == 0 && notify(queue, SIGEV_SIGNAL, number, 0) == 0);
        close(input[0]);
        close(input[1]);
        execl("/bin/busybox", "busybox", "cat", NULL);
        _exit(99);
    }
    close(gone[1]);
    close(input[0]);
    char byte;
    SAME(read(gone[0], &byte, 1), 0);
    until_asleep(child); // the end of the file comes before Linux has ended the notice
    close(gone[0]);
    *out_input = input[1];
    return child;
}

// The next program of a process, which may be another user's, has not asked to be told.
static void not_over_an_exec(void) {
    const mqd_t queue = made(O_NONBLOCK);
    int input;
    pid_t child = executed(queue, SIGUSR1, true, &input);
    REFUSED(notify(queue, SIGEV_NONE, 0, 0), EBUSY);
    SAME(sent(queue, "1", 0), 0);
    SAME(notify(queue, SIGEV_NONE, 0, 0), 0);
    close(input);
    EXITS(child, 0);
    SAME(mq_notify(queue, NULL), 0);
    child = executed(queue, SIGUSR1, false, &input);
    is_over(queue);
    close(input);
    EXITS(child, 0);
}

static void notices_refused(void) {
    const mqd_t queue = made(0);
    const int file = open("file", O_RDWR | O_CREAT, 0600);
    char cookie[32] = "";
    int ends[2];
    struct sigevent event = { .sigev_notify = SIGEV_THREAD, .sigev_signo = 99 };
    REFUSED(notify(queue, SIGEV_SIGNAL, 65, 0), EINVAL);
    REFUSED(notify(queue, SIGEV_SIGNAL, -1, 0), EINVAL);
    REFUSED(notify(queue, 4, SIGUSR1, 0), EINVAL);
    REFUSED(notify(99, 4, SIGUSR1, 0), EINVAL);
    REFUSED(notify(queue, -1, SIGUSR1, 0), EINVAL);
    REFUSED(notify(99, SIGEV_SIGNAL, SIGUSR1, 0), EBADF);
    REFUSED(notify(file, SIGEV_SIGNAL, SIGUSR1, 0), EBADF);
    REFUSED(syscall(SYS_mq_notify, 99, NULL), EBADF);
    REFUSED(syscall(SYS_mq_notify, file, NULL), EBADF);
    REFUSED(syscall(SYS_mq_notify, 99, 8), EFAULT);
    event.sigev_value.sival_ptr = (void *)8;
    REFUSED(syscall(SYS_mq_notify, 99, &event), EFAULT);
    event.sigev_value.sival_ptr = cookie;
    REFUSED(syscall(SYS_mq_notify, queue, &event), EBADF);
    event.sigev_signo = file;
    REFUSED(syscall(SYS_mq_notify, queue, &event), ENOTSOCK);
    NEED(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
    event.sigev_signo = ends[0];
    REFUSED(syscall(SYS_mq_notify, queue, &event), EINVAL);
    SAME(notify(queue, SIGEV_NONE, 0, 0), 0);
}

static const struct check_case cases[] = {
    CASE(tells_once),
    CASE(who_waits_comes_first),
    CASE(tells_before_it_can_be_taken),
    CASE(who_waits_to_send_tells_nobody),
    CASE(notices_end),
    CASE(ends_with_any_descriptor),
    CASE(not_over_an_exec),
    CASE(notices_refused),
};
CHECK_MAIN(cases)
