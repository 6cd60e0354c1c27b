// SPDX-License-Identifier: MIT OR Apache-2.0
// RUN: musl glibc
// Descriptors for processes: who gets one, how it tells of an end, signals, waiting, clone; what
// others have at their descriptors, and in their memory.
#include "check.h"

#include <poll.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/uio.h>

#ifndef CLONE_PIDFD
#define CLONE_PIDFD 0x1000
#endif
#ifndef CLONE_DETACHED
#define CLONE_DETACHED 0x400000
#endif
#define BY_PIDFD ((idtype_t)3) // P_PIDFD
#define NOBODY   65534

static int pidfd_of(pid_t pid) {
    const int file = (int)syscall(SYS_pidfd_open, pid, 0);
    NEED(file >= 0);
    return file;
}

static long send(int file, int number, const void *info) {
    return syscall(SYS_pidfd_send_signal, file, number, info, 0);
}

static long taken(int file, int fd) {
    return syscall(SYS_pidfd_getfd, file, fd, 0);
}

static int is_readable(int file, int timeout_ms) {
    struct pollfd item = { .fd = file, .events = POLLIN | POLLOUT | POLLRDHUP };
    const int count = poll(&item, 1, timeout_ms);
    CHECK(count == 0 || item.revents == POLLIN);
    return count;
}

// A child that sleeps until a signal ends it.
static pid_t sleeper(void) {
    const pid_t pid = fork();
    NEED(pid >= 0);
    if (pid == 0) {
        for (;;) {
            pause();
        }
    }
    return pid;
}

static void until_ended(int file) {
    SAME(is_readable(file, -1), 1);
}

// Runs as somebody without rights, with an own ending.
static void become_nobody(int dumpable) {
    NEED(setresgid(NOBODY, NOBODY, NOBODY) == 0);
    NEED(setresuid(NOBODY, NOBODY, NOBODY) == 0);
    NEED(prctl(PR_SET_DUMPABLE, dumpable) == 0);
}

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
    while (send(file, 0, NULL) == 0) { // it may be there for a moment
        sched_yield();
    }
    REFUSED(send(file, 0, NULL), ESRCH);
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
    SAME(send(file, 0, NULL), 0);
    NEED(write(leader_go[1], "", 1) == 1);
    until_ended(file);
    EXITS(pid, 6);
}

// Signals ----------------------------------------------------------------------------------------

static void sends(void) {
    const pid_t pid = sleeper();
    const int file = pidfd_of(pid);
    SAME(send(file, 0, NULL), 0);
    REFUSED(send(file, 65, NULL), EINVAL);
    REFUSED(send(file, -1, NULL), EINVAL);
    REFUSED(syscall(SYS_pidfd_send_signal, file, 0, NULL, 1), EINVAL);
    REFUSED(syscall(SYS_pidfd_send_signal, -1, 0, NULL, 1), EINVAL);
    REFUSED(send(-1, 0, NULL), EBADF);
    const int null = open("/dev/null", O_RDONLY);
    REFUSED(send(null, 0, NULL), EBADF);
    REFUSED(send(file, SIGUSR1, (void *)16), EFAULT);
    SAME(send(file, SIGTERM, NULL), 0);
    until_ended(file);
    SAME(send(file, 0, NULL), 0); // it was not waited for
    SAME(send(file, SIGKILL, NULL), 0);
    KILLED(pid, SIGTERM);
    REFUSED(send(file, 0, NULL), ESRCH);
    REFUSED(send(file, SIGKILL, NULL), ESRCH);
    REFUSED(send(file, 65, NULL), ESRCH);
    REFUSED(send(file, SIGUSR1, (void *)16), EFAULT);
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
    REFUSED(send(*(int *)pointer, SIGUSR1, &info), EPERM);
    info.si_code = SI_QUEUE;
    SAME(send(*(int *)pointer, SIGUSR1, &info), 0);
    return NULL;
}

static void tells_what_was_said(void) {
    blocked(SIGUSR1);
    blocked(SIGRTMIN);
    int file = pidfd_of(getpid());
    SAME(send(file, SIGUSR1, NULL), 0);
    siginfo_t info = got(SIGUSR1);
    SAME(info.si_code, SI_USER);
    SAME(info.si_pid, getpid());
    info.si_code = SI_TKILL; // of himself one may say everything
    SAME(send(file, SIGUSR1, &info), 0);
    SAME(got(SIGUSR1).si_code, SI_TKILL);
    REFUSED(send(file, SIGUSR2, &info), EINVAL);
    REFUSED(send(file, 0, &info), EINVAL);
    pthread_t thread;
    NEED(pthread_create(&thread, NULL, sends_as_another_thread, &file) == 0);
    pthread_join(thread, NULL);
    SAME(got(SIGUSR1).si_code, SI_QUEUE);
    const pid_t parent = getpid();
    pid_t pid;
    CHILD(pid) {
        siginfo_t said = { .si_signo = SIGRTMIN, .si_code = SI_USER };
        REFUSED(send(file, SIGRTMIN, &said), EPERM);
        said.si_code = SI_TKILL;
        REFUSED(send(file, SIGRTMIN, &said), EPERM);
        said.si_code = SI_QUEUE;
        said.si_pid = parent; // nobody looks
        said.si_uid = 5;
        said.si_value.sival_int = 77;
        SAME(send(file, SIGRTMIN, &said), 0);
        said.si_value.sival_int = 78;
        SAME(send(file, SIGRTMIN, &said), 0);
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
    REFUSED(send(file, SIGRTMIN, &info), EAGAIN);
    SAME(send(file, SIGRTMIN, NULL), 0);
    SAME(got(SIGRTMIN).si_signo, SIGRTMIN);
}

static void signals_need_permission(void) {
    const int file = pidfd_of(getpid());
    pid_t pid;
    CHILD(pid) {
        become_nobody(1);
        REFUSED(send(file, 0, NULL), EPERM);
        REFUSED(send(file, SIGTERM, NULL), EPERM);
        SAME(send(file, SIGCONT, NULL), 0); // one session
        NEED(setsid() > 0);
        REFUSED(send(file, SIGCONT, NULL), EPERM);
        const int own = (int)syscall(SYS_pidfd_open, getppid(), 0); // anybody gets one
        CHECK(own >= 0);
    }
    EXITS(pid, 0);
}

static int opened_folder(const char *format, pid_t pid, int flags) {
    char path[64];
    snprintf(path, sizeof path, format, pid, pid);
    const int folder = open(path, flags);
    NEED(folder >= 0);
    return folder;
}

static void sends_by_folder(void) {
    const pid_t pid = sleeper();
    const int folder = opened_folder("/proc/%d", pid, O_RDONLY | O_DIRECTORY);
    const int path = opened_folder("/proc/%d", pid, O_PATH);
    const int task = opened_folder("/proc/%d/task/%d", pid, O_RDONLY);
    const int proc = opened_folder("/proc", pid, O_RDONLY);
    SAME(send(folder, 0, NULL), 0);
    REFUSED(send(path, 0, NULL), EBADF);
    REFUSED(send(task, 0, NULL), EBADF);
    REFUSED(send(proc, 0, NULL), EBADF);
    REFUSED(taken(folder, 0), EBADF);
    siginfo_t info;
    REFUSED(waitid(BY_PIDFD, (id_t)folder, &info, WEXITED), EBADF);
    SAME(send(folder, SIGINT, NULL), 0);
    KILLED(pid, SIGINT);
    REFUSED(send(folder, 0, NULL), ESRCH);
    REFUSED(send(folder, SIGUSR1, (void *)16), EFAULT);
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
    SAME(send(file, SIGKILL, NULL), 0);
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
    REFUSED(waitid(BY_PIDFD, (id_t)file, &info, WEXITED), EAGAIN);
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
    SAME(send(later, SIGKILL, NULL), 0);
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
        SAME(send(file, SIGTERM, NULL), 0);
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

// A child of nobody's, which can be looked into or not.
static pid_t nobodys(int dumpable, char *memory) {
    int ready[2];
    char byte;
    NEED(pipe(ready) == 0);
    const pid_t pid = fork();
    if (pid == 0) {
        become_nobody(dumpable);
        memory[0] = 'n';
        NEED(write(ready[1], "", 1) == 1);
        for (;;) {
            pause();
        }
    }
    NEED(pid > 0 && read(ready[0], &byte, 1) == 1);
    return pid;
}

static long moved(int number, pid_t pid, void *own, size_t own_bytes, void *its, size_t its_bytes) {
    const struct iovec local = { own, own_bytes };
    const struct iovec remote = { its, its_bytes };
    return syscall(number, pid, &local, 1, &remote, 1, 0);
}

static long vm_read(pid_t pid, void *own, void *its, size_t bytes) {
    return moved(SYS_process_vm_readv, pid, own, bytes, its, bytes);
}

static long vm_write(pid_t pid, void *own, void *its, size_t bytes) {
    return moved(SYS_process_vm_writev, pid, own, bytes, its, bytes);
}

static void others_are_private(void) {
    static char memory[16];
    char byte = 0;
    const pid_t open_one = nobodys(1, memory), closed_one = nobodys(0, memory);
    const int open_file = pidfd_of(open_one), closed_file = pidfd_of(closed_one);
    const int own = pidfd_of(getpid());
    pid_t pid;
    CHECK(taken(closed_file, 0) >= 0); // who has every right
    SAME(vm_read(closed_one, &byte, memory, 1), 1);
    SAME(byte, 'n');
    CHILD(pid) {
        const pid_t parent = getppid();
        become_nobody(1);
        CHECK(taken(open_file, 0) >= 0);
        SAME(vm_read(open_one, &byte, memory, 1), 1);
        REFUSED(taken(closed_file, 0), EPERM);
        REFUSED(vm_read(closed_one, &byte, memory, 1), EPERM);
        REFUSED(vm_write(closed_one, &byte, memory, 1), EPERM);
        REFUSED(taken(own, 0), EPERM);
        REFUSED(taken(own, 900), EPERM);
        REFUSED(vm_read(parent, &byte, memory, 1), EPERM);
    }
    EXITS(pid, 0);
    CHILD(pid) { // another group
        NEED(setresuid(NOBODY, NOBODY, NOBODY) == 0);
        REFUSED(taken(open_file, 0), EPERM);
    }
    EXITS(pid, 0);
    CHILD(pid) { // the real ids count, not those for files
        NEED(setresgid(NOBODY, 5, 5) == 0 && setresuid(NOBODY, 5, 5) == 0);
        CHECK(taken(open_file, 0) >= 0);
    }
    EXITS(pid, 0);
    CHILD(pid) {
        NEED(setresgid(5, NOBODY, NOBODY) == 0 && setresuid(5, NOBODY, NOBODY) == 0);
        REFUSED(taken(open_file, 0), EPERM);
        opened_folder("/proc/%d/environ", open_one, O_RDONLY);
    }
    EXITS(pid, 0);
    kill(open_one, SIGKILL);
    kill(closed_one, SIGKILL);
    KILLED(open_one, SIGKILL);
    KILLED(closed_one, SIGKILL);
}

// Views ------------------------------------------------------------------------------------------

static long line_of(int fd, const char *key, int base) {
    char path[64], line[128];
    long value = -99;
    snprintf(path, sizeof path, "/proc/self/fdinfo/%d", fd);
    FILE *file = fopen(path, "r");
    NEED(file != NULL);
    while (fgets(line, sizeof line, file) != NULL) {
        if (strncmp(line, key, strlen(key)) == 0 && line[strlen(key)] == '\t') {
            value = strtol(line + strlen(key), NULL, base);
        }
    }
    fclose(file);
    return value;
}

static void fdinfo(void) {
    const pid_t pid = sleeper();
    const int file = pidfd_of(pid);
    SAME(line_of(file, "pos:", 10), 0);
    SAME(line_of(file, "flags:", 8), O_RDWR | O_CLOEXEC);
    CHECK(line_of(file, "ino:", 10) > 0);
    SAME(line_of(file, "Pid:", 10), pid);
    SAME(line_of(file, "NSpid:", 10), pid);
    kill(pid, SIGKILL);
    until_ended(file);
    SAME(line_of(file, "Pid:", 10), pid);
    KILLED(pid, SIGKILL);
    SAME(line_of(file, "Pid:", 10), -1);
    SAME(line_of(file, "NSpid:", 10), -1);
    const int plain = open("file", O_RDWR | O_CREAT | O_APPEND, 0600);
    struct stat status;
    SAME(write(plain, "12345", 5), 5);
    SAME(line_of(plain, "pos:", 10), 5);
    SAME(line_of(plain, "flags:", 8) & (O_ACCMODE | O_APPEND | O_CLOEXEC), O_RDWR | O_APPEND);
    NEED(fstat(plain, &status) == 0);
    SAME(line_of(plain, "ino:", 10), status.st_ino);
    SAME(line_of(plain, "Pid:", 10), -99);
    SAME(stat("/proc/self/fdinfo", &status), 0);
    SAME(status.st_mode, S_IFDIR | 0555);
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fdinfo/%d", plain);
    SAME(stat(path, &status), 0);
    SAME(status.st_mode, S_IFREG | 0444);
    close(plain);
    REFUSED(stat(path, &status), ENOENT);
    REFUSED(stat("/proc/self/fdinfo/x", &status), ENOENT);
}

// Memory of others -------------------------------------------------------------------------------

#define PAGE 4096u

// Pages that a child has, too: two, one to read alone, one without access, two, and none.
static char *laid_out(void) {
    char *pages = mmap(NULL, 7 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    NEED(pages != MAP_FAILED);
    for (size_t i = 0; i < 7 * PAGE; i++) {
        pages[i] = (char)('a' + i % 23);
    }
    NEED(mprotect(pages + 2 * PAGE, PAGE, PROT_READ) == 0);
    NEED(mprotect(pages + 3 * PAGE, PAGE, PROT_NONE) == 0);
    NEED(munmap(pages + 6 * PAGE, PAGE) == 0);
    return pages;
}

static void reads_memory(void) {
    static char own[8 * PAGE];
    char *pages = laid_out();
    const pid_t pid = sleeper();
    memset(pages, 'P', 2 * PAGE); // the parent's alone by now
    SAME(vm_read(pid, own, pages + 10, 2 * PAGE), 2 * PAGE);
    CHECK(own[0] == 'a' + 10 && own[2 * PAGE - 1] == (char)('a' + (2 * PAGE + 9) % 23));
    SAME(vm_read(pid, own, pages + PAGE, 3 * PAGE), 2 * PAGE); // up to the one without access
    REFUSED(vm_read(pid, own, pages + 3 * PAGE, 1), EFAULT);
    SAME(vm_read(pid, own, pages + 6 * PAGE - 5, 100), 5);
    REFUSED(vm_read(pid, own, pages + 6 * PAGE, 1), EFAULT);
    REFUSED(vm_read(pid, own, (char *)-4096l, 16), EFAULT);
    REFUSED(vm_read(pid, pages + 6 * PAGE, pages, 16), EFAULT);
    const struct iovec local[] = { { own, 3 }, { own + 3, 0 }, { own + 3, 6 } };
    const struct iovec remote[] = {
        { pages, 2 }, { NULL, 0 }, { pages + 5 * PAGE, 4 }, { pages + 3 * PAGE, 4 }, { pages, 4 }
    };
    SAME(syscall(SYS_process_vm_readv, pid, local, 3, remote, 5, 0), 6);
    CHECK(memcmp(own, "ab", 2) == 0);
    SAME(own[2], 'a' + 5 * PAGE % 23);
    SAME(syscall(SYS_process_vm_readv, pid, local, 1, remote, 3, 0), 3);
    kill(pid, SIGKILL);
    until_ended(pidfd_of(pid));
    REFUSED(vm_read(pid, own, pages, 1), ESRCH);
    KILLED(pid, SIGKILL);
    REFUSED(vm_read(pid, own, pages, 1), ESRCH);
}

static int write_go[2], write_done[2];

static void writes_memory(void) {
    char own[3 * PAGE], byte;
    char *pages = laid_out();
    memset(own, 'w', sizeof own);
    NEED(pipe(write_go) == 0 && pipe(write_done) == 0);
    pid_t pid;
    CHILD(pid) {
        NEED(read(write_go[0], &byte, 1) == 1);
        SAME(pages[9], 'a' + 9);
        for (size_t i = 10; i < 2 * PAGE; i++) {
            NEED(pages[i] == 'w');
        }
        SAME(pages[2 * PAGE], (char)('a' + 2 * PAGE % 23));
        memset(pages, 'c', 2 * PAGE);
        NEED(write(write_done[1], "", 1) == 1 && read(write_go[0], &byte, 1) == 1);
        SAME(pages[0], 'w');
        SAME(pages[1], 'c');
    }
    SAME(vm_write(pid, own, pages + 10, sizeof own), 2 * PAGE - 10); // not where it may only read
    REFUSED(vm_write(pid, own, pages + 2 * PAGE, 1), EFAULT);
    REFUSED(vm_write(pid, own, pages + 3 * PAGE, 1), EFAULT);
    REFUSED(vm_write(pid, (void *)16, pages, 1), EFAULT);
    SAME(pages[10], 'a' + 10); // the child's copy alone
    NEED(write(write_go[1], "", 1) == 1 && read(write_done[0], &byte, 1) == 1);
    SAME(vm_write(pid, own, pages, 1), 1);
    NEED(write(write_go[1], "", 1) == 1);
    EXITS(pid, 0);
    SAME(vm_write(getpid(), own, pages, 5), 5); // himself, too
    CHECK(memcmp(pages, "wwwwwf", 6) == 0);
}

// A thread that writes as well does not lose what is written.
static volatile char busy_page[PAGE] __attribute__((aligned(4096)));

static void writes_beside_a_thread(void) {
    NEED(pipe(write_done) == 0);
    for (int round = 0; round < 50; round++) {
        const pid_t pid = fork();
        if (pid == 0) {
            for (uint64_t i = 0; busy_page[0] == 0; i++) {
                busy_page[64 + i % 64]++;
            }
            _exit(busy_page[0]);
        }
        char byte = 42;
        SAME(vm_write(pid, &byte, (void *)busy_page, 1), 1);
        EXITS(pid, 42);
        SAME(busy_page[0], 0);
    }
}

static void memory_refuses(void) {
    char byte = 0;
    struct iovec one = { &byte, 1 }, none = { &byte, 0 };
    static struct iovec many[1025];
    const int read_call = SYS_process_vm_readv;
    const pid_t self = getpid();
    for (size_t i = 0; i < 1025; i++) {
        many[i] = one;
    }
    REFUSED(syscall(read_call, self, &one, 1, &one, 1, 1), EINVAL);
    REFUSED(syscall(read_call, 0x3fffff00, &one, 1, &one, 1, 0), ESRCH);
    REFUSED(syscall(read_call, 0, &one, 1, &one, 1, 0), ESRCH);
    REFUSED(syscall(read_call, -1, &one, 1, &one, 1, 0), ESRCH);
    REFUSED(syscall(read_call, self, many, 1025, &one, 1, 0), EINVAL);
    REFUSED(syscall(read_call, self, &one, 1, many, 1025, 0), EINVAL);
    SAME(syscall(read_call, self, many, 1024, many, 1024, 0), 1024);
    REFUSED(syscall(read_call, self, 16, 1, &one, 1, 0), EFAULT);
    REFUSED(syscall(read_call, self, &one, 1, 16, 1, 0), EFAULT);
    SAME(syscall(read_call, 0x3fffff00, &none, 1, 16, 1, 0), 0);
    SAME(syscall(read_call, 0x3fffff00, &one, 1, &none, 1, 0), 0);
    SAME(syscall(read_call, 0x3fffff00, &one, 1, NULL, 0, 0), 0);
    SAME(syscall(read_call, 0x3fffff00, NULL, 0, &one, 1, 0), 0);
    const struct iovec negative = { &byte, (size_t)-1 };
    REFUSED(syscall(read_call, self, &negative, 1, &one, 1, 0), EINVAL);
    REFUSED(syscall(read_call, self, &one, 1, &negative, 1, 0), EINVAL);
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
    CASE(signals_need_permission),
    CASE(sends_by_folder),
    CASE(waits),
    CASE(waits_without_blocking),
    CASE(children_inherit),
    CASE(clone_gives_one),
    CASE(clone_refuses),
    CASE(takes_descriptors),
    CASE(others_are_private),
    CASE(fdinfo),
    CASE(reads_memory),
    CASE(writes_memory),
    CASE(writes_beside_a_thread),
    CASE(memory_refuses),
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
