// SPDX-License-Identifier: MIT OR Apache-2.0
// tests/native/failures_descriptors.c: the calls that make descriptors, and that wait for them,
// with each of their allocations failing in turn. LIMIT: 240
#include "failing.h"

#include <linux/futex.h>
#include <mqueue.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <sys/uio.h>

#define FUTEX_WAITV 449 // the number, which older headers lack

static int call_pipe(void) {
    int ends[2];
    if (pipe(ends) != 0) {
        return -1;
    }
    close(ends[0]);
    return closed(ends[1]);
}

// A file's bytes by two pipes, of another size, into another file: as many come out as went in.
static int splice_files(const int *from, const int *to, int file) {
    off_t start = 0, end = 4096;
    if (fcntl(from[1], F_SETPIPE_SZ, 8 * 4096) < 0 || fcntl(to[1], F_SETPIPE_SZ, 4096) < 0) {
        return -1;
    }
    const ssize_t read_in = splice(file, &start, from[1], NULL, 100, 0);
    if (read_in < 0 || tee(from[0], to[1], 50, 0) != 50 ||
        splice(to[0], NULL, file, &end, 50, 0) != 50 ||
        splice(from[0], NULL, to[1], NULL, 100, 0) < 0 ||
        splice(to[0], NULL, file, &end, 100, 0) < 0) {
        return -1;
    }
    CHECK(read_in == 100 && end == 4096 + 150);
    return 0;
}

static int call_splice(void) {
    int from[2], to[2];
    if (pipe(from) != 0) {
        return -1;
    }
    int result = pipe(to);
    int error = errno;
    if (result == 0) {
        const int file = open("spliced", O_RDWR | O_CREAT, 0600);
        result = file < 0 || ftruncate(file, 100) != 0 ? -1 : splice_files(from, to, file);
        error = errno;
        if (file >= 0) {
            close(file);
        }
        close(to[0]);
        close(to[1]);
    }
    close(from[0]);
    close(from[1]);
    errno = error;
    return result;
}

static int call_pair(void) {
    char name[32];
    int number = 0;
    const int master = open("/dev/ptmx", O_RDWR | O_NOCTTY);
    if (master < 0) {
        return -1;
    }
    if (ioctl(master, TIOCSPTLCK, &number) != 0 || ioctl(master, TIOCGPTN, &number) != 0) {
        const int error = errno;
        close(master);
        errno = error;
        return -1;
    }
    snprintf(name, sizeof name, "/dev/pts/%d", number);
    const int slave = open(name, O_RDWR | O_NOCTTY);
    const int error = errno;
    close(master);
    errno = error;
    return slave < 0 ? -1 : closed(slave);
}

static int call_dup(void) {
    return closed(fcntl(0, F_DUPFD, 900)); // the table has to grow in a child that has a small one
}

static int call_dup_in_child(void) {
    const pid_t pid = fork();
    if (pid == 0) {
        _exit(0);
    }
    return pid < 0 ? -1 : (check_wait(pid), call_dup());
}

static int call_eventfd(void) {
    return closed(eventfd(0, 0));
}

static int call_timerfd(void) {
    return closed(timerfd_create(CLOCK_MONOTONIC, 0));
}

static int call_signalfd(void) {
    sigset_t set;
    char bytes[128];
    sigemptyset(&set);
    sigaddset(&set, SIGUSR2);
    const int file = signalfd(-1, &set, SFD_NONBLOCK);
    if (file < 0) {
        return -1;
    }
    const bool is_watched = read(file, bytes, sizeof bytes) < 0 && errno == EAGAIN;
    const int error = errno;
    close(file);
    errno = error;
    return is_watched ? 0 : -1;
}

// What has no memory to be told is an overflow.
static int call_inotify(void) {
    char bytes[256];
    const int file = inotify_init1(IN_NONBLOCK);
    if (file < 0) {
        return -1;
    }
    int result = inotify_add_watch(file, ".", IN_OPEN) < 0 ? -1 : 0;
    int error = errno;
    if (result == 0) {
        const int folder = open(".", O_RDONLY | O_DIRECTORY);
        result = folder < 0 ? -1 : 0;
        error = errno;
        close(folder);
        NEED(result < 0 ||
             read(file, bytes, sizeof bytes) == (ssize_t)sizeof(struct inotify_event));
    }
    close(file);
    errno = error;
    return result;
}

// The signal is not lost, whatever has no memory.
static int call_notify(void) {
    const int folder = open(".", O_RDONLY | O_DIRECTORY);
    if (folder < 0) {
        return -1;
    }
    const struct timespec none = { 0, 0 };
    siginfo_t info;
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGIO);
    sigprocmask(SIG_BLOCK, &set, NULL);
    int result = fcntl(folder, F_NOTIFY, DN_DELETE | DN_CREATE | DN_MULTISHOT);
    const int error = errno;
    if (result == 0) {
        NEED(mkdir("told", 0700) == 0 || errno == ENOMEM || errno == ENOSPC);
        const bool is_made = rmdir("told") == 0;
        NEED((sigtimedwait(&set, &info, &none) == SIGIO) == is_made);
    }
    close(folder);
    errno = error;
    return result;
}

// A child that its descriptor is made with, and what there is of another's.
static int call_pidfd(void) {
    int file = -1;
    const long pid = syscall(SYS_clone, 0x1000 | SIGCHLD, 0, &file, 0, 0); // CLONE_PIDFD
    if (pid == 0) {
        _exit(0);
    }
    if (pid < 0) {
        return -1;
    }
    check_wait((pid_t)pid);
    close(file);
    const int own = (int)syscall(SYS_pidfd_open, getpid(), 0);
    if (own < 0) {
        return -1;
    }
    const long taken = syscall(SYS_pidfd_getfd, own, 1, 0);
    const int error = errno;
    close((int)taken);
    close(own);
    errno = error;
    return taken < 0 ? -1 : 0;
}

// Memory of a child that it has not touched: what is missing is made, or nothing is moved.
static char *child_page;
static pid_t child_pid;

static int call_memory(void) {
    static char page[4096];
    struct iovec parts[20], remote = { child_page, sizeof page };
    for (size_t i = 0; i < 20; i++) {
        parts[i] = (struct iovec){ page + i * 200, i < 19 ? 200 : sizeof page - 19 * 200 };
    }
    page[7] = 5;
    if (syscall(SYS_process_vm_writev, child_pid, parts, 20, &remote, 1, 0) < 0) {
        return -1;
    }
    page[7] = 0;
    const long moved = syscall(SYS_process_vm_readv, child_pid, parts, 20, &remote, 1, 0);
    if (moved < 0) {
        return -1;
    }
    CHECK(moved == sizeof page && page[7] == 5);
    return 0;
}

// Every time that one fails the page is a new one.
static int call_process_vm(void) {
    int ends[2];
    if (pipe(ends) != 0) {
        return -1;
    }
    child_page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    child_pid = child_page != MAP_FAILED ? fork() : -1;
    if (child_pid == 0) {
        char byte;
        close(ends[1]);
        _exit(read(ends[0], &byte, 1) == 0 ? 0 : 1);
    }
    const int result = child_pid < 0 ? -1 : call_memory();
    const int error = errno;
    close(ends[0]);
    close(ends[1]);
    if (child_pid > 0) {
        check_wait(child_pid);
    }
    if (child_page != MAP_FAILED) {
        munmap(child_page, 4096);
    }
    errno = error;
    return result;
}

// A queue that was not made has no name, and a message that was not sent is not there.
static int call_mqueue(void) {
    char bytes[8192];
    const mqd_t queue = mq_open("/failing", O_CREAT | O_EXCL | O_RDWR | O_NONBLOCK, 0600, NULL);
    int error = errno;
    if (queue < 0) {
        fail_nth(0);
        REFUSED(mq_unlink("/failing"), ENOENT);
        errno = error;
        return -1;
    }
    memset(bytes, 'x', sizeof bytes);
    int result = mq_send(queue, bytes, sizeof bytes, 0);
    error = errno;
    SAME(mq_receive(queue, bytes, sizeof bytes, NULL), result == 0 ? (long)sizeof bytes : -1);
    if (mq_unlink("/failing") != 0) {
        result = -1;
        error = errno;
        fail_nth(0);
        NEED(mq_unlink("/failing") == 0);
    }
    mq_close(queue);
    errno = error;
    return result;
}

// What could not be made, attached or sent left nothing behind.
static int call_segment(void) {
    const int id = shmget(IPC_PRIVATE, 4096, 0600);
    if (id < 0) {
        return -1;
    }
    char *memory = shmat(id, NULL, 0);
    int error = errno;
    const int result = memory != (void *)-1 ? 0 : -1;
    if (result == 0) {
        shmdt(memory);
    }
    fail_nth(0);
    NEED(shmctl(id, IPC_RMID, NULL) == 0);
    REFUSED(shmctl(id, IPC_RMID, NULL), EINVAL);
    errno = error;
    return result;
}

static int call_semaphores(void) {
    const int id = semget(IPC_PRIVATE, 20, 0600);
    if (id < 0) {
        return -1;
    }
    struct sembuf steps[20];
    for (unsigned short i = 0; i < 20; i++) {
        steps[i] = (struct sembuf){ i, 1, SEM_UNDO };
    }
    const int result = semop(id, steps, 20);
    const int error = errno;
    fail_nth(0);
    SAME(semctl(id, 19, GETVAL), result == 0 ? 1 : 0);
    NEED(semctl(id, 0, IPC_RMID) == 0);
    errno = error;
    return result;
}

static int call_messages(void) {
    static struct {
        long type;
        char text[6000];
    } message = { .type = 1 };
    const int id = msgget(IPC_PRIVATE, 0600);
    if (id < 0) {
        return -1;
    }
    const int result = msgsnd(id, &message, sizeof message.text, IPC_NOWAIT);
    const int error = errno;
    fail_nth(0);
    struct msqid_ds state;
    SAME(msgctl(id, IPC_STAT, &state), 0);
    SAME(state.msg_qnum, result == 0 ? 1 : 0);
    NEED(msgctl(id, IPC_RMID, NULL) == 0);
    errno = error;
    return result;
}

// Who waits for it looks again and again where there is no memory to be told.
static int call_poll_signals(void) {
    sigset_t set;
    sigemptyset(&set);
    const int file = signalfd(-1, &set, 0);
    if (file < 0) {
        return -1;
    }
    struct pollfd item = { .fd = file, .events = POLLIN };
    SAME(poll(&item, 1, 1), 0);
    return closed(file);
}

static int call_waitv(void) {
    static uint32_t word;
    const struct {
        uint64_t value, address;
        uint32_t flags, reserved;
    } wait = { 0, (uintptr_t)&word, 2 | FUTEX_PRIVATE_FLAG, 0 };
    const struct timespec past = { 0, 0 };
    NEED(syscall(FUTEX_WAITV, &wait, 1, 0, &past, CLOCK_MONOTONIC) == -1);
    return errno == ETIMEDOUT ? 0 : -1;
}

static int call_epoll(void) {
    struct epoll_event event = { .events = EPOLLIN };
    const int ends = epoll_create1(0);
    if (ends < 0) {
        return -1;
    }
    const int watched = eventfd(1, 0);
    int result = watched < 0 ? -1 : epoll_ctl(ends, EPOLL_CTL_ADD, watched, &event);
    const int error = errno;
    if (result == 0) {
        SAME(epoll_wait(ends, &event, 1, 0), 1);
    }
    close(watched);
    close(ends);
    errno = error;
    return result;
}

static int call_poll(void) {
    struct pollfd items[200];
    for (size_t i = 0; i < 200; i++) {
        items[i] = (struct pollfd){ .fd = 1, .events = POLLOUT };
    }
    return poll(items, 200, 0) >= 0 ? 0 : -1;
}

static int call_timer(void) {
    timer_t timer;
    struct sigevent event = { .sigev_notify = SIGEV_NONE };
    return timer_create(CLOCK_MONOTONIC, &event, &timer) != 0 ? -1 : timer_delete(timer);
}

static void descriptors(void) {
    exhaust("pipe", call_pipe);
    exhaust("splice", call_splice);
    exhaust("ptmx", call_pair);
    exhaust("dup", call_dup_in_child);
    exhaust("eventfd", call_eventfd);
    exhaust("timerfd", call_timerfd);
    exhaust("signalfd", call_signalfd);
    exhaust("poll of signals", call_poll_signals);
    exhaust("inotify", call_inotify);
    exhaust("F_NOTIFY", call_notify);
    exhaust("futex_waitv", call_waitv);
    const int first = dup(0);
    close(first);
    exhaust("pidfd", call_pidfd);
    exhaust("process_vm", call_process_vm);
    SAME(dup(0), first); // nothing was left behind
    close(first);
    exhaust("mqueue", call_mqueue);
    exhaust("shm", call_segment);
    exhaust("sem", call_semaphores);
    exhaust("msg", call_messages);
    exhaust("epoll", call_epoll);
    exhaust("poll", call_poll);
    exhaust("timer_create", call_timer);
}

static void failing_descriptors(void) {
    control = open("/proc/helix/fail_nth", O_RDWR | O_CLOEXEC);
    NEED(control >= 0);
    descriptors();
}

static const struct check_case cases[] = { CASE(failing_descriptors) };
CHECK_MAIN(cases)
