// SPDX-License-Identifier: MIT OR Apache-2.0
// RUN: musl glibc
// Descriptors for processes: who gets one, how it tells of an end, signals, waiting, clone; what
// others have at their descriptors.
#include "pidfd.h"

#include <pthread.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>

#ifndef CLONE_PIDFD
#define CLONE_PIDFD 0x1000
#endif
#ifndef CLONE_DETACHED
#define CLONE_DETACHED 0x400000
#endif
#define BY_PIDFD ((idtype_t)3) // P_PIDFD

// Opening ----------------------------------------------------------------------------------------

static void *says_its_number(void *pointer) {
    const int *ends = pointer;
    const pid_t tid = (pid_t)syscall(SYS_gettid);
    char byte;
    NEED(write(ends[1], &tid, sizeof tid) == sizeof tid);
    NEED(read(ends[2], &byte, 1) == 1);
    return NULL;
}

static void opens(void) {
    char text[64] = "";
    char path[64];
    const int file = pidfd_of(getpid());
    SAME(fcntl(file, F_GETFD), FD_CLOEXEC);
    SAME(fcntl(file, F_GETFL), O_RDWR);
    const int other = (int)syscall(SYS_pidfd_open, getpid(), O_NONBLOCK);
    SAME(fcntl(other, F_GETFL), O_RDWR | O_NONBLOCK);
    snprintf(path, sizeof path, "/proc/self/fd/%d", file);
    CHECK(readlink(path, text, sizeof text - 1) > 0);
    CHECK(strcmp(text, "anon_inode:[pidfd]") == 0);
    SAME(is_readable(file, 0), 0);
    REFUSED(read(file, text, 8), EINVAL);
    REFUSED(write(file, text, 8), EINVAL);
    REFUSED(lseek(file, 0, SEEK_SET), ESPIPE);
    REFUSED(ioctl(file, FIONREAD, text), ENOTTY);
    CHECK(mmap(NULL, 4096, PROT_READ, MAP_SHARED, file, 0) == MAP_FAILED && errno == ENODEV);
}

static void opens_processes_alone(void) {
    REFUSED(syscall(SYS_pidfd_open, getpid(), 1), EINVAL);
    REFUSED(syscall(SYS_pidfd_open, getpid(), O_CLOEXEC), EINVAL);
    REFUSED(syscall(SYS_pidfd_open, 0, 0), EINVAL);
    REFUSED(syscall(SYS_pidfd_open, -1, 0), EINVAL);
    REFUSED(syscall(SYS_pidfd_open, 0x3fffff00, 0), ESRCH);
    int to[2], from[2];
    NEED(pipe(to) == 0 && pipe(from) == 0);
    const int ends[3] = { 0, to[1], from[0] };
    pthread_t thread;
    pid_t tid;
    NEED(pthread_create(&thread, NULL, says_its_number, (void *)ends) == 0);
    NEED(read(to[0], &tid, sizeof tid) == sizeof tid);
    REFUSED(syscall(SYS_pidfd_open, tid, 0), EINVAL);
    NEED(write(from[1], "", 1) == 1);
    pthread_join(thread, NULL);
    // A number that is a group's alone by now.
    int held[2];
    NEED(pipe(held) == 0);
    const pid_t leader = fork();
    if (leader == 0) {
        setpgid(0, 0);
        if (fork() == 0) {
            char byte;
            close(held[1]);
            _exit(read(held[0], &byte, 1) == 0 ? 0 : 1);
        }
        _exit(0);
    }
    EXITS(leader, 0);
    REFUSED(syscall(SYS_pidfd_open, leader, 0), EINVAL);
    close(held[1]);
}

static void numbers_are_limited(void) {
    const struct rlimit few = { 5, 5 };
    int file = -1, made;
    while ((made = open("/dev/null", O_RDONLY)) >= 0 && made < 4) {
        file = made;
    }
    close(file);
    NEED(setrlimit(RLIMIT_NOFILE, &few) == 0);
    while (open("/dev/null", O_RDONLY) >= 0) {
    }
    REFUSED(syscall(SYS_pidfd_open, getpid(), 0), EMFILE);
    int number = 7;
    REFUSED(syscall(SYS_clone, CLONE_PIDFD | SIGCHLD, 0, &number, 0, 0), EMFILE);
    SAME(number, 7);
    REFUSED(waitpid(-1, NULL, 0), ECHILD);
}

// Ends -------------------------------------------------------------------------------------------

static void tells_of_an_end(void) {
    const pid_t pid = sleeper();
    const int file = pidfd_of(pid);
    const int watcher = epoll_create1(0);
    struct epoll_event event = { .events = EPOLLIN | EPOLLOUT, .data.u64 = 5 };
    SAME(epoll_ctl(watcher, EPOLL_CTL_ADD, file, &event), 0);
    SAME(epoll_wait(watcher, &event, 1, 0), 0);
    SAME(is_readable(file, 0), 0);
    int status;
    kill(pid, SIGSTOP);
    SAME(waitpid(pid, &status, WUNTRACED), pid);
    SAME(is_readable(file, 0), 0);
    kill(pid, SIGKILL);
    until_ended(file);
    SAME(epoll_wait(watcher, &event, 1, -1), 1);
    SAME(event.events, EPOLLIN);
    SAME(event.data.u64, 5);
    struct pollfd other = { .fd = file, .events = POLLOUT };
    SAME(poll(&other, 1, 0), 0); // and no hang-up
    KILLED(pid, SIGKILL);
    SAME(is_readable(file, 0), 1); // as long as it is there
    SAME(is_readable(watcher, 0), 1);
}

// Who sleeps on the end of a process that nobody waits for.
static void tells_of_who_is_not_waited_for(void) {
    signal(SIGCHLD, SIG_IGN);
    int go[2];
    NEED(pipe(go) == 0);
    const pid_t pid = fork();
    if (pid == 0) {
        char byte;
        close(go[1]);
        _exit(read(go[0], &byte, 1) == 0 ? 0 : 1);
    }
    const int file = pidfd_of(pid);
    close(go[1]);
    until_ended(file);
    while (sent(file, 0, NULL) == 0) { // it may be there for a moment
        sched_yield();
    }
    REFUSED(sent(file, 0, NULL), ESRCH);
}

static int leader_word;
static int leader_ends[2], leader_go[2];

static void *outlives_the_leader(void *unused) {
    char byte;
    (void)unused;
    while (__atomic_load_n(&leader_word, __ATOMIC_ACQUIRE) != 0) {
        sched_yield();
    }
    NEED(write(leader_ends[1], "", 1) == 1);
    NEED(read(leader_go[0], &byte, 1) == 1);
    syscall(SYS_exit_group, 6);
    return NULL;
}

// A process has ended when its last thread has.
static void tells_of_the_last_thread(void) {
    char byte;
    NEED(pipe(leader_ends) == 0 && pipe(leader_go) == 0);
    const pid_t pid = fork();
    if (pid == 0) {
        pthread_t thread;
        leader_word = 1;
        syscall(SYS_set_tid_address, &leader_word);
        NEED(pthread_create(&thread, NULL, outlives_the_leader, NULL) == 0);
        syscall(SYS_exit, 0);
    }
    const int file = pidfd_of(pid);
    NEED(read(leader_ends[0], &byte, 1) == 1);
    SAME(is_readable(file, 0), 0);
    SAME(is_readable(file, 20), 0);
    SAME(sent(file, 0, NULL), 0);
    NEED(write(leader_go[1], "", 1) == 1);
    until_ended(file);
    EXITS(pid, 6);
}

// Signals ----------------------------------------------------------------------------------------

static void sends(void) {
    const pid_t pid = sleeper();
    const int file = pidfd_of(pid);
    SAME(sent(file, 0, NULL), 0);
    REFUSED(sent(file, 65, NULL), EINVAL);
    REFUSED(sent(file, -1, NULL), EINVAL);
    REFUSED(syscall(SYS_pidfd_send_signal, file, 0, NULL, 1), EINVAL);
    REFUSED(syscall(SYS_pidfd_send_signal, -1, 0, NULL, 1), EINVAL);
    REFUSED(sent(-1, 0, NULL), EBADF);
    const int null = open("/dev/null", O_RDONLY);
    REFUSED(sent(null, 0, NULL), EBADF);
    REFUSED(sent(file, SIGUSR1, (void *)16), EFAULT);
    SAME(sent(file, SIGTERM, NULL), 0);
    until_ended(file);
    SAME(sent(file, 0, NULL), 0); // it was not waited for
    SAME(sent(file, SIGKILL, NULL), 0);
    KILLED(pid, SIGTERM);
    REFUSED(sent(file, 0, NULL), ESRCH);
    REFUSED(sent(file, SIGKILL, NULL), ESRCH);
    REFUSED(sent(file, 65, NULL), ESRCH);
    REFUSED(sent(file, SIGUSR1, (void *)16), EFAULT);
}

static void blocked(int number) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, number);
    NEED(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
}

// As the kernel tells it: glibc makes SI_USER of SI_TKILL.
static siginfo_t got(int number) {
    sigset_t set;
    siginfo_t info = { 0 };
    sigemptyset(&set);
    sigaddset(&set, number);
    SAME(syscall(SYS_rt_sigtimedwait, &set, &info, NULL, 8), number);
    return info;
}

static void *sends_as_another_thread(void *pointer) {
    siginfo_t info = { .si_signo = SIGUSR1, .si_code = SI_USER };
    REFUSED(sent(*(int *)pointer, SIGUSR1, &info), EPERM);
    info.si_code = SI_QUEUE;
    SAME(sent(*(int *)pointer, SIGUSR1, &info), 0);
    return NULL;
}

static void tells_what_was_said(void) {
    blocked(SIGUSR1);
    blocked(SIGRTMIN);
    int file = pidfd_of(getpid());
    SAME(sent(file, SIGUSR1, NULL), 0);
    siginfo_t info = got(SIGUSR1);
    SAME(info.si_code, SI_USER);
    SAME(info.si_pid, getpid());
    info.si_code = SI_TKILL; // of himself one may say everything
    SAME(sent(file, SIGUSR1, &info), 0);
    SAME(got(SIGUSR1).si_code, SI_TKILL);
    REFUSED(sent(file, SIGUSR2, &info), EINVAL);
    REFUSED(sent(file, 0, &info), EINVAL);
    pthread_t thread;
    NEED(pthread_create(&thread, NULL, sends_as_another_thread, &file) == 0);
    pthread_join(thread, NULL);
    SAME(got(SIGUSR1).si_code, SI_QUEUE);
    const pid_t parent = getpid();
    pid_t pid;
    CHILD(pid) {
        siginfo_t said = { .si_signo = SIGRTMIN, .si_code = SI_USER };
        REFUSED(sent(file, SIGRTMIN, &said), EPERM);
        said.si_code = SI_TKILL;
        REFUSED(sent(file, SIGRTMIN, &said), EPERM);
        said.si_code = SI_QUEUE;
        said.si_pid = parent; // nobody looks
        said.si_uid = 5;
        said.si_value.sival_int = 77;
        SAME(sent(file, SIGRTMIN, &said), 0);
        said.si_value.sival_int = 78;
        SAME(sent(file, SIGRTMIN, &said), 0);
    }
    EXITS(pid, 0);
    info = got(SIGRTMIN);
    SAME(info.si_code, SI_QUEUE);
    SAME(info.si_pid, parent);
    SAME(info.si_uid, 5);
    SAME(info.si_value.sival_int, 77);
    SAME(got(SIGRTMIN).si_value.sival_int, 78);
    const struct rlimit none = { 0, 0 };
    NEED(setrlimit(RLIMIT_SIGPENDING, &none) == 0);
    info = (siginfo_t){ .si_signo = SIGRTMIN, .si_code = SI_QUEUE };
    REFUSED(sent(file, SIGRTMIN, &info), EAGAIN);
    SAME(sent(file, SIGRTMIN, NULL), 0);
    SAME(got(SIGRTMIN).si_signo, SIGRTMIN);
}

// What a signal tells depends on its kind.
static void tells_by_kind(void) {
    const int file = pidfd_of(getpid());
    blocked(SIGSEGV);
    blocked(SIGCHLD);
    siginfo_t info = { .si_signo = SIGSEGV, .si_code = SEGV_MAPERR };
    info.si_addr = (void *)0x123456789000;
    SAME(sent(file, SIGSEGV, &info), 0);
    info = got(SIGSEGV);
    SAME(info.si_code, SEGV_MAPERR);
    CHECK(info.si_addr == (void *)0x123456789000);
    info = (siginfo_t){ .si_signo = SIGCHLD, .si_code = CLD_EXITED };
    info.si_pid = 7;
    info.si_status = -3;
    info.si_utime = 1l << 40;
    info.si_stime = 9;
    SAME(sent(file, SIGCHLD, &info), 0);
    info = got(SIGCHLD);
    SAME(info.si_pid, 7);
    SAME(info.si_status, -3);
    SAME(info.si_utime, 1l << 40);
    SAME(info.si_stime, 9);
    info = (siginfo_t){ .si_signo = 5, .si_code = CLD_KILLED };
    info.si_status = 4;
    SAME(syscall(SYS_rt_sigqueueinfo, getpid(), SIGCHLD, &info), 0); // by the number of the call
    SAME(got(SIGCHLD).si_status, 4);
}

static void signals_need_permission(void) {
    const int file = pidfd_of(getpid());
    pid_t pid;
    CHILD(pid) {
        become_nobody(1);
        REFUSED(sent(file, 0, NULL), EPERM);
        REFUSED(sent(file, SIGTERM, NULL), EPERM);
        SAME(sent(file, SIGCONT, NULL), 0); // one session
        NEED(setsid() > 0);
        REFUSED(sent(file, SIGCONT, NULL), EPERM);
        const int own = (int)syscall(SYS_pidfd_open, getppid(), 0); // anybody gets one
        CHECK(own >= 0);
    }
    EXITS(pid, 0);
}

static void sends_by_folder(void) {
    const pid_t pid = sleeper();
    const int folder = opened_folder("/proc/%d", pid, O_RDONLY | O_DIRECTORY);
    const int path = opened_folder("/proc/%d", pid, O_PATH);
    const int task = opened_folder("/proc/%d/task/%d", pid, O_RDONLY);
    const int proc = opened_folder("/proc", pid, O_RDONLY);
    SAME(sent(folder, 0, NULL), 0);
    REFUSED(sent(path, 0, NULL), EBADF);
    REFUSED(sent(task, 0, NULL), EBADF);
    REFUSED(sent(proc, 0, NULL), EBADF);
    REFUSED(taken(folder, 0), EBADF);
    siginfo_t info;
    REFUSED(waitid(BY_PIDFD, (id_t)folder, &info, WEXITED), EBADF);
    SAME(sent(folder, SIGINT, NULL), 0);
    KILLED(pid, SIGINT);
    REFUSED(sent(folder, 0, NULL), ESRCH);
    REFUSED(sent(folder, SIGUSR1, (void *)16), EFAULT);
}

union passed {
    struct cmsghdr head;
    char bytes[CMSG_SPACE(sizeof(int))];
};

static struct msghdr message_of(struct iovec *part, union passed *passed) {
    return (struct msghdr){
        .msg_iov = part, .msg_iovlen = 1, .msg_control = passed, .msg_controllen = sizeof *passed
    };
}

// Who gets one from somebody else has the same process by it.
static void goes_through_sockets(void) {
    int ends[2];
    char byte = 0;
    struct iovec part = { &byte, 1 };
    union passed passed = { .head = { .cmsg_len = CMSG_LEN(sizeof(int)),
                                      .cmsg_level = SOL_SOCKET,
                                      .cmsg_type = SCM_RIGHTS } };
    struct msghdr message = message_of(&part, &passed);
    NEED(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends) == 0);
    const pid_t victim = sleeper();
    pid_t pid;
    CHILD(pid) {
        union passed got;
        struct msghdr other = message_of(&part, &got);
        NEED(recvmsg(ends[1], &other, MSG_CMSG_CLOEXEC) == 1);
        const int file = *(int *)CMSG_DATA(&got.head);
        SAME(is_readable(file, 0), 0);
        SAME(sent(file, SIGTERM, NULL), 0);
        until_ended(file);
    }
    const int file = pidfd_of(victim);
    memcpy(CMSG_DATA(&passed.head), &file, sizeof file);
    NEED(sendmsg(ends[0], &message, 0) == 1);
    close(file);
    EXITS(pid, 0);
    KILLED(victim, SIGTERM);
}

// Waiting ----------------------------------------------------------------------------------------

static void waits(void) {
    const pid_t other = sleeper();
    const pid_t pid = sleeper();
    const int file = pidfd_of(pid);
    siginfo_t info = { 0 };
    SAME(waitid(BY_PIDFD, (id_t)file, &info, WEXITED | WNOHANG), 0);
    SAME(info.si_pid, 0);
    kill(other, SIGKILL);
    kill(pid, SIGSTOP);
    SAME(waitid(BY_PIDFD, (id_t)file, &info, WSTOPPED), 0);
    SAME(info.si_code, CLD_STOPPED);
    SAME(sent(file, SIGKILL, NULL), 0);
    SAME(waitid(BY_PIDFD, (id_t)file, &info, WEXITED | WNOWAIT), 0);
    info.si_pid = 0;
    SAME(waitid(BY_PIDFD, (id_t)file, &info, WEXITED), 0);
    SAME(info.si_pid, pid);
    SAME(info.si_code, CLD_KILLED);
    SAME(info.si_status, SIGKILL);
    REFUSED(waitid(BY_PIDFD, (id_t)file, &info, WEXITED), ECHILD);
    KILLED(other, SIGKILL);
    REFUSED(waitid(BY_PIDFD, (id_t)pidfd_of(getpid()), &info, WEXITED), ECHILD);
    REFUSED(waitid(BY_PIDFD, (id_t)pidfd_of(getppid()), &info, WEXITED | WNOHANG), ECHILD);
    REFUSED(waitid(BY_PIDFD, 0, &info, WEXITED), EBADF);
    REFUSED(waitid(BY_PIDFD, 900, &info, WEXITED), EBADF);
    REFUSED(waitid(BY_PIDFD, (id_t)-1, &info, WEXITED), EINVAL);
    REFUSED(waitid(BY_PIDFD, 900, &info, 0), EINVAL);
}

static void waits_without_blocking(void) {
    const pid_t pid = sleeper();
    const int file = (int)syscall(SYS_pidfd_open, pid, O_NONBLOCK);
    siginfo_t info;
    memset(&info, 0xff, sizeof info);
    REFUSED(waitid(BY_PIDFD, (id_t)file, &info, WEXITED), EAGAIN);
    SAME(info.si_signo, 0); // told, too, when it refuses
    SAME(info.si_pid, 0);
    REFUSED(waitid(BY_PIDFD, (id_t)file, (siginfo_t *)16, WEXITED), EFAULT);
    SAME(waitid(BY_PIDFD, (id_t)file, &info, WEXITED | WNOHANG), 0);
    kill(pid, SIGKILL);
    until_ended(file);
    SAME(waitid(BY_PIDFD, (id_t)file, &info, WEXITED | WNOWAIT), 0);
    SAME(fcntl(file, F_SETFL, 0), 0);
    SAME(waitid(BY_PIDFD, (id_t)file, &info, WEXITED), 0);
    SAME(info.si_pid, pid);
    const pid_t next = sleeper();
    const int later = pidfd_of(next);
    SAME(fcntl(later, F_SETFL, O_NONBLOCK), 0);
    REFUSED(waitid(BY_PIDFD, (id_t)later, &info, WEXITED), EAGAIN);
    SAME(sent(later, SIGKILL, NULL), 0);
    KILLED(next, SIGKILL);
    REFUSED(waitid(BY_PIDFD, (id_t)later, &info, WEXITED), ECHILD);
}

// It is the process's through fork and exec; a child may use it, but not wait by it.
static void children_inherit(void) {
    const pid_t pid = fork();
    if (pid == 0) {
        execl("/proc/self/exe", "pidfd", "waits_for_its_end", NULL);
        _exit(9);
    }
    const int file = pidfd_of(pid);
    pid_t child;
    CHILD(child) {
        siginfo_t info;
        REFUSED(waitid(BY_PIDFD, (id_t)file, &info, WEXITED), ECHILD);
        SAME(is_readable(file, 0), 0);
        SAME(sent(file, SIGTERM, NULL), 0);
        until_ended(file);
    }
    EXITS(child, 0);
    KILLED(pid, SIGTERM);
    CHILD(child) {
        char text[16];
        snprintf(text, sizeof text, "%d", file);
        setenv("CLOSED", text, 1);
        execl("/proc/self/exe", "pidfd", "was_closed_by_exec", NULL);
        _exit(9);
    }
    EXITS(child, 0);
}

// Clone ------------------------------------------------------------------------------------------

struct clone_words {
    uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls;
};

static uint64_t at(const void *pointer) {
    return (uint64_t)(uintptr_t)pointer;
}

static long cloned(uint64_t flags, int *pidfd, int *parent_tid) {
    const struct clone_words words = {
        .flags = flags, .pidfd = at(pidfd), .parent_tid = at(parent_tid), .exit_signal = SIGCHLD
    };
    return syscall(SYS_clone3, &words, sizeof words);
}

static void check_cloned(long pid, int file) {
    siginfo_t info;
    NEED(pid > 0);
    SAME(fcntl(file, F_GETFD), FD_CLOEXEC);
    SAME(fcntl(file, F_GETFL), O_RDWR);
    until_ended(file);
    SAME(waitid(BY_PIDFD, (id_t)file, &info, WEXITED), 0);
    SAME(info.si_pid, pid);
    SAME(info.si_status, 4);
    REFUSED(waitpid(-1, NULL, 0), ECHILD);
}

static void clone_gives_one(void) {
    int file = -1, number = 0;
    long pid = syscall(SYS_clone, CLONE_PIDFD | SIGCHLD, 0, &file, 0, 0);
    if (pid == 0) { // neither the number nor the descriptor
        _exit(file == -1 && fcntl(3, F_GETFD) == -1 && errno == EBADF ? 4 : 5);
    }
    SAME(file, 3);
    check_cloned(pid, file);
    close(file);
    pid = cloned(CLONE_PIDFD | CLONE_PARENT_SETTID, &file, &number);
    if (pid == 0) {
        _exit(fcntl(3, F_GETFD) == -1 ? 4 : 5);
    }
    SAME(file, 3);
    SAME(number, pid);
    check_cloned(pid, file);
    close(file);
    pid = cloned(CLONE_PIDFD | CLONE_FILES, &file, NULL);
    if (pid == 0) {
        _exit(fcntl(3, F_GETFD) == FD_CLOEXEC ? 4 : 5);
    }
    check_cloned(pid, file);
}

static void clone_refuses(void) {
    int file = -1;
    REFUSED(syscall(SYS_clone, CLONE_PIDFD | CLONE_PARENT_SETTID | SIGCHLD, 0, &file, 0, 0),
            EINVAL);
    REFUSED(syscall(SYS_clone, CLONE_PIDFD | CLONE_DETACHED | SIGCHLD, 0, &file, 0, 0), EINVAL);
    const unsigned long thread = CLONE_THREAD | CLONE_SIGHAND | CLONE_VM;
    REFUSED(syscall(SYS_clone, CLONE_PIDFD | thread, &file, &file, 0, 0), EINVAL);
    REFUSED(cloned(CLONE_PIDFD | CLONE_PARENT_SETTID, &file, &file), EINVAL);
    SAME(file, -1);
    REFUSED(syscall(SYS_clone, CLONE_PIDFD | SIGCHLD, 0, 16, 0, 0), EFAULT);
    REFUSED(cloned(CLONE_PIDFD, (int *)16, NULL), EFAULT);
    REFUSED(fcntl(3, F_GETFD), EBADF);
    REFUSED(waitpid(-1, NULL, 0), ECHILD);
}

// Descriptors of others --------------------------------------------------------------------------

static void takes_descriptors(void) {
    int ends[2], ready[2];
    char byte = 0;
    NEED(pipe(ready) == 0);
    const pid_t pid = fork();
    if (pid == 0) {
        NEED(pipe(ends) == 0 && dup2(ends[1], 100) == 100);
        NEED(open("/proc", O_PATH) >= 0 && write(ready[1], "", 1) == 1);
        for (;;) {
            pause();
        }
    }
    const int file = pidfd_of(pid);
    NEED(read(ready[0], &byte, 1) == 1);
    const int writer = (int)taken(file, 100);
    NEED(writer >= 0);
    SAME(fcntl(writer, F_GETFD), FD_CLOEXEC);
    SAME(fcntl(writer, F_GETFL), O_WRONLY);
    const int reader = (int)taken(file, ready[1] + 1);
    NEED(reader >= 0);
    SAME(write(writer, "x", 1), 1);
    SAME(read(reader, &byte, 1), 1);
    SAME(byte, 'x');
    const int path = (int)taken(file, ready[1] + 3);
    CHECK((fcntl(path, F_GETFL) & O_PATH) != 0);
    REFUSED(taken(file, 101), EBADF);
    REFUSED(taken(file, -1), EBADF);
    REFUSED(taken(-1, 0), EBADF);
    REFUSED(taken(reader, 0), EBADF);
    REFUSED(syscall(SYS_pidfd_getfd, file, 100, 1), EINVAL);
    REFUSED(syscall(SYS_pidfd_getfd, -1, 100, 1), EINVAL);
    struct rlimit limit;
    NEED(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    const struct rlimit none = { 0, limit.rlim_max };
    NEED(setrlimit(RLIMIT_NOFILE, &none) == 0);
    REFUSED(taken(file, 100), EMFILE);
    NEED(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    kill(pid, SIGKILL);
    until_ended(file);
    REFUSED(taken(file, 100), ESRCH);
    KILLED(pid, SIGKILL);
    REFUSED(taken(file, 100), ESRCH);
    const int own = pidfd_of(getpid());
    CHECK(taken(own, reader) >= 0);
}

// Not cases: what children run by exec.
static void waits_for_its_end(void) {
    for (;;) {
        pause();
    }
}

static void was_closed_by_exec(void) {
    REFUSED(fcntl(atoi(getenv("CLOSED")), F_GETFD), EBADF);
}

static const struct check_case cases[] = {
    CASE(opens),
    CASE(opens_processes_alone),
    CASE(numbers_are_limited),
    CASE(tells_of_an_end),
    CASE(tells_of_who_is_not_waited_for),
    CASE(tells_of_the_last_thread),
    CASE(sends),
    CASE(tells_what_was_said),
    CASE(tells_by_kind),
    CASE(signals_need_permission),
    CASE(goes_through_sockets),
    CASE(sends_by_folder),
    CASE(waits),
    CASE(waits_without_blocking),
    CASE(children_inherit),
    CASE(clone_gives_one),
    CASE(clone_refuses),
    CASE(takes_descriptors),
};

int main(int argc, char **argv) {
    if (argc == 2 && strcmp(argv[1], "waits_for_its_end") == 0) {
        waits_for_its_end();
    }
    if (argc == 2 && strcmp(argv[1], "was_closed_by_exec") == 0) {
        was_closed_by_exec();
        return check_failures != 0;
    }
    return check_main(cases, sizeof cases / sizeof cases[0], argc, argv);
}
