// SPDX-License-Identifier: MIT OR Apache-2.0
// RUN: musl glibc
// Semaphores of System V: sets and rights, operations as one, who waits, what is undone.
#include "sysv.h"

#include <pthread.h>
#include <sys/sem.h>

#define KEY 0x48780100

#ifndef SEM_STAT_ANY
#define SEM_STAT_ANY 20
#endif

static int control(int id, int number, int command, const void *pointer) {
    return (int)syscall(SYS_semctl, id, number, command, pointer);
}

static int set_value(int id, int number, int value) {
    return (int)syscall(SYS_semctl, id, number, SETVAL, (long)value);
}

static int value(int id, int number) {
    return control(id, number, GETVAL, NULL);
}

static int made(int count) {
    const int id = semget(IPC_PRIVATE, count, 0600);
    NEED(id >= 0);
    return id;
}

static void removed(int id) {
    SAME(control(id, 0, IPC_RMID, NULL), 0);
}

static struct semid_ds state_of(int id) {
    struct semid_ds state;
    memset(&state, 0x55, sizeof state);
    NEED(control(id, 0, IPC_STAT, &state) == 0);
    return state;
}

static int change(int id, int number, int by, int flags) {
    struct sembuf step = { (unsigned short)number, (short)by, (short)flags };
    return semop(id, &step, 1);
}

// Until so many wait for a semaphore to grow, or for its zero.
static void until_waiting(int id, int number, int command, int count) {
    while (control(id, number, command, NULL) != count) {
        sched_yield();
    }
}

static void keys(void) {
    REFUSED(semget(KEY, 1, 0600), ENOENT);
    REFUSED(semget(IPC_PRIVATE, 0, 0600), EINVAL);
    REFUSED(semget(IPC_PRIVATE, -1, 0600), EINVAL);
    REFUSED(syscall(SYS_semget, IPC_PRIVATE, 32001, 0600), EINVAL);
    REFUSED(semget(KEY, 0, IPC_CREAT | 0600), EINVAL);
    const int id = semget(KEY, 3, IPC_CREAT | 0640);
    NEED(id >= 0);
    SAME(semget(KEY, 0, 0), id);
    SAME(semget(KEY, 3, IPC_CREAT | 0600), id);
    REFUSED(semget(KEY, 4, 0), EINVAL);
    REFUSED(semget(KEY, 4, IPC_CREAT | IPC_EXCL), EEXIST);
    const struct semid_ds state = state_of(id);
    SAME(state.sem_nsems, 3);
    SAME(state.sem_otime, 0);
    CHECK(state.sem_ctime > 0 && state.sem_ctime <= time(NULL));
    SAME(state.sem_perm.mode, 0640);
    SAME(state.sem_perm.uid, 0);
    removed(id);
    REFUSED(semget(KEY, 0, 0), ENOENT);
    REFUSED(change(id, 0, 1, 0), EINVAL);
    REFUSED(control(id, 0, IPC_RMID, NULL), EINVAL);
    REFUSED(value(id, 0), EINVAL);
    const int large = made(32000);
    SAME(change(large, 31999, 7, 0), 0);
    SAME(value(large, 31999), 7);
    SAME(value(large, 31998), 0);
    removed(large);
}

static void values(void) {
    const int id = made(3);
    unsigned short all[3] = { 5, 0, 32767 };
    unsigned short got[4] = { 0, 0, 0, 0x5555 };
    SAME(control(id, 0, SETALL, all), 0);
    SAME(control(id, 0, GETALL, got), 0);
    SAME(memcmp(all, got, sizeof all), 0);
    SAME(got[3], 0x5555);
    SAME(value(id, 0), 5);
    SAME(control(id, 2, GETPID, NULL), getpid());
    SAME(set_value(id, 1, 9), 0);
    SAME(value(id, 1), 9);
    REFUSED(set_value(id, 1, 32768), ERANGE);
    REFUSED(set_value(id, 1, -1), ERANGE);
    REFUSED(set_value(id, 3, 0), EINVAL);
    REFUSED(set_value(id, -1, 0), EINVAL);
    REFUSED(value(id, 3), EINVAL);
    REFUSED(value(id, -1), EINVAL);
    REFUSED(control(id, 3, GETPID, NULL), EINVAL);
    REFUSED(control(id, 3, GETNCNT, NULL), EINVAL);
    REFUSED(control(id, 3, GETZCNT, NULL), EINVAL);
    all[1] = 32768;
    REFUSED(control(id, 0, SETALL, all), ERANGE);
    REFUSED(control(id, 0, SETALL, (void *)8), EFAULT);
    REFUSED(control(id, 0, GETALL, (void *)8), EFAULT);
    REFUSED(control(id, 0, IPC_STAT, (void *)8), EFAULT);
    REFUSED(control(id, 0, IPC_SET, (void *)8), EFAULT);
    REFUSED(control(id, 0, 99, NULL), EINVAL);
    REFUSED(control(id, 0, -1, NULL), EINVAL);
    REFUSED(control(-1, 0, GETVAL, NULL), EINVAL);
    REFUSED(control(-1, 0, SETVAL, NULL), EINVAL);
    REFUSED(control(0x7fffffff, 0, GETALL, got), EINVAL);
    SAME(value(id, 0), 5);
    removed(id);
}

// All steps, or none; each sees what those before it did.
static void steps(void) {
    const int id = made(3);
    struct sembuf both[] = { { 0, 3, 0 }, { 1, -1, IPC_NOWAIT } };
    REFUSED(semop(id, both, 2), EAGAIN);
    SAME(value(id, 0), 0);
    SAME(state_of(id).sem_otime, 0);
    SAME(control(id, 0, GETPID, NULL), 0);
    SAME(set_value(id, 1, 1), 0);
    SAME(semop(id, both, 2), 0);
    SAME(value(id, 0), 3);
    SAME(value(id, 1), 0);
    CHECK(state_of(id).sem_otime > 0);
    struct sembuf lock[] = { { 2, 0, IPC_NOWAIT }, { 2, 1, 0 } };
    SAME(semop(id, lock, 2), 0);
    REFUSED(semop(id, lock, 2), EAGAIN);
    SAME(value(id, 2), 1);
    struct sembuf back[] = { { 0, -3, 0 }, { 0, 0, 0 }, { 0, 3, 0 } };
    SAME(semop(id, back, 3), 0);
    SAME(value(id, 0), 3);
    SAME(change(id, 0, 32764, 0), 0);
    REFUSED(change(id, 0, 1, 0), ERANGE);
    struct sembuf high[] = { { 1, 5, 0 }, { 0, 1, 0 } };
    REFUSED(semop(id, high, 2), ERANGE);
    SAME(value(id, 1), 0);
    SAME(value(id, 0), 32767);
    struct sembuf many[501];
    for (int i = 0; i < 501; i++) {
        many[i] = (struct sembuf){ 1, 1, 0 };
    }
    SAME(semop(id, many, 500), 0);
    SAME(value(id, 1), 500);
    REFUSED(semop(id, many, 501), E2BIG);
    REFUSED(semop(id, many, 0), EINVAL);
    REFUSED(semop(id, (void *)8, 1), EFAULT);
    REFUSED(semop(-1, many, 1), EINVAL);
    REFUSED(semop(0x7fffffff, many, 1), EINVAL);
    REFUSED(change(id, 3, 1, 0), EFBIG);
    removed(id);
}

static void times(void) {
    const int id = made(1);
    struct sembuf take = { 0, -1, 0 };
    struct timespec limit = { 0, 0 };
    REFUSED(semtimedop(id, &take, 1, &limit), EAGAIN);
    limit.tv_nsec = 20000000;
    const struct timespec begin = after_ms(CLOCK_MONOTONIC, 20);
    REFUSED(semtimedop(id, &take, 1, &limit), EAGAIN);
    const struct timespec end = after_ms(CLOCK_MONOTONIC, 0);
    CHECK(end.tv_sec > begin.tv_sec ||
          (end.tv_sec == begin.tv_sec && end.tv_nsec >= begin.tv_nsec));
    limit.tv_nsec = 1000000000;
    REFUSED(semtimedop(id, &take, 1, &limit), EINVAL);
    limit = (struct timespec){ -1, 0 };
    REFUSED(semtimedop(id, &take, 1, &limit), EINVAL);
    REFUSED(syscall(SYS_semtimedop, id, &take, 1, 8), EFAULT);
    REFUSED(syscall(SYS_semtimedop, id, &take, 501, &limit), E2BIG);
    SAME(control(id, 0, GETNCNT, NULL), 0);
    SAME(set_value(id, 0, 1), 0);
    limit = (struct timespec){ 1000, 0 };
    SAME(semtimedop(id, &take, 1, &limit), 0);
    removed(id);
}

static void waiting(void) {
    const int id = made(2);
    pid_t pids[3];
    CHILD(pids[0]) {
        SAME(change(id, 0, -2, 0), 0);
    }
    until_waiting(id, 0, GETNCNT, 1);
    CHILD(pids[1]) { // asks for less, and does not wait behind the other
        SAME(change(id, 0, -1, 0), 0);
    }
    until_waiting(id, 0, GETNCNT, 2);
    SAME(control(id, 0, GETZCNT, NULL), 0);
    SAME(change(id, 0, 1, 0), 0);
    EXITS(pids[1], 0);
    SAME(value(id, 0), 0);
    SAME(control(id, 0, GETNCNT, NULL), 1);
    SAME(control(id, 0, GETPID, NULL), pids[1]);
    SAME(change(id, 0, 2, 0), 0);
    EXITS(pids[0], 0);
    SAME(value(id, 0), 0);
    SAME(change(id, 0, 1, 0), 0);
    CHILD(pids[0]) {
        SAME(change(id, 0, 0, 0), 0);
    }
    CHILD(pids[1]) { // waits for the first, whatever the second is
        struct sembuf both[] = { { 0, 0, 0 }, { 1, 5, 0 } };
        SAME(semop(id, both, 2), 0);
    }
    CHILD(pids[2]) {
        SAME(change(id, 1, -5, 0), 0);
    }
    until_waiting(id, 0, GETZCNT, 2);
    until_waiting(id, 1, GETNCNT, 1);
    SAME(control(id, 0, GETNCNT, NULL), 0);
    SAME(change(id, 0, -1, 0), 0); // lets them go, one after the other
    for (int i = 0; i < 3; i++) {
        EXITS(pids[i], 0);
    }
    SAME(value(id, 1), 0);
    // SETVAL and SETALL let go, too.
    CHILD(pids[0]) {
        SAME(change(id, 0, -3, 0), 0);
    }
    until_waiting(id, 0, GETNCNT, 1);
    SAME(set_value(id, 0, 4), 0);
    EXITS(pids[0], 0);
    CHILD(pids[0]) {
        SAME(change(id, 0, 0, 0), 0);
    }
    until_waiting(id, 0, GETZCNT, 1);
    SAME(control(id, 0, SETALL, (unsigned short[]){ 0, 0 }), 0);
    EXITS(pids[0], 0);
    removed(id);
}

// Who waits for zeroes alone goes before those who would end them.
static void zero_first(void) {
    const int id = made(1);
    pid_t taker;
    pid_t looker;
    SAME(set_value(id, 0, 1), 0);
    CHILD(taker) {
        struct sembuf lock[] = { { 0, 0, 0 }, { 0, 1, 0 } };
        SAME(semop(id, lock, 2), 0);
    }
    until_waiting(id, 0, GETZCNT, 1);
    CHILD(looker) {
        SAME(change(id, 0, 0, 0), 0);
    }
    until_waiting(id, 0, GETZCNT, 2);
    SAME(change(id, 0, -1, 0), 0);
    EXITS(looker, 0);
    EXITS(taker, 0);
    SAME(value(id, 0), 1);
    removed(id);
}

// Those who can go on do so in the order in which they came.
static void in_turn(void) {
    const int id = made(2);
    pid_t pids[4];
    for (int i = 0; i < 4; i++) {
        CHILD(pids[i]) {
            struct sembuf both[] = { { 0, -1, 0 }, { 1, 1, 0 } };
            SAME(semop(id, both, 2), 0);
        }
        until_waiting(id, 0, GETNCNT, i + 1);
    }
    for (int i = 0; i < 4; i++) {
        SAME(change(id, 0, 1, 0), 0);
        SAME(control(id, 1, GETPID, NULL), pids[i]); // it was done for it already
        SAME(value(id, 1), i + 1);
    }
    for (int i = 0; i < 4; i++) {
        EXITS(pids[i], 0);
    }
    removed(id);
}

static void interrupted(void) {
    const int id = made(1);
    pid_t pid;
    int line[2];
    char byte;
    NEED(pipe(line) == 0);
    handle(SIGUSR1);
    CHILD(pid) {
        REFUSED(change(id, 0, -1, 0), EINTR); // whatever the handler says
        SAME(handled, 1);
        NEED(write(line[1], "x", 1) == 1);
        REFUSED(change(id, 0, -1, SEM_UNDO), EIDRM);
    }
    until_waiting(id, 0, GETNCNT, 1);
    NEED(kill(pid, SIGUSR1) == 0);
    NEED(read(line[0], &byte, 1) == 1);
    until_waiting(id, 0, GETNCNT, 1);
    removed(id);
    EXITS(pid, 0);
    const int other = made(1);
    CHILD(pid) {
        change(other, 0, -1, 0);
    }
    until_waiting(other, 0, GETNCNT, 1);
    NEED(kill(pid, SIGKILL) == 0);
    KILLED(pid, SIGKILL);
    SAME(control(other, 0, GETNCNT, NULL), 0);
    removed(other);
}

// What a process did with SEM_UNDO its end takes back, and lets others go.
static void undone(void) {
    const int id = made(3);
    pid_t pid;
    pid_t waits;
    SAME(set_value(id, 0, 5), 0);
    CHILD(pid) {
        SAME(change(id, 0, -3, SEM_UNDO), 0);
        SAME(change(id, 1, 4, SEM_UNDO), 0);
        SAME(change(id, 1, -1, 0), 0); // not this
        SAME(change(id, 2, 2, SEM_UNDO), 0);
        SAME(value(id, 0), 2);
    }
    EXITS(pid, 0);
    SAME(value(id, 0), 5);
    SAME(value(id, 1), 0); // 3 - 4, but not below
    SAME(value(id, 2), 0);
    SAME(control(id, 2, GETPID, NULL), pid);
    CHILD(pid) {
        SAME(change(id, 0, -5, SEM_UNDO), 0);
        for (;;) {
            pause();
        }
    }
    while (value(id, 0) != 0) {
        sched_yield();
    }
    CHILD(waits) {
        SAME(change(id, 0, -5, 0), 0);
    }
    until_waiting(id, 0, GETNCNT, 1);
    NEED(kill(pid, SIGKILL) == 0);
    KILLED(pid, SIGKILL);
    EXITS(waits, 0);
    SAME(value(id, 0), 0);
    CHILD(pid) { // values that are set forget it
        SAME(change(id, 0, 7, SEM_UNDO), 0);
        SAME(change(id, 1, 7, SEM_UNDO), 0);
        SAME(set_value(id, 0, 9), 0);
    }
    EXITS(pid, 0);
    SAME(value(id, 0), 9);
    SAME(value(id, 1), 0);
    CHILD(pid) { // a child of its own has nothing of it
        SAME(change(id, 0, 2, SEM_UNDO), 0);
        pid_t child;
        CHILD(child) {
            SAME(value(id, 0), 11);
        }
        EXITS(child, 0);
        SAME(value(id, 0), 11);
        REFUSED(change(id, 0, 32767 - 10, SEM_UNDO), ERANGE);
        SAME(set_value(id, 0, 0), 0);
        SAME(change(id, 0, 32767, SEM_UNDO), 0);
        SAME(change(id, 0, -32767, 0), 0);
        SAME(change(id, 0, 1, SEM_UNDO), 0); // it is -32768 by now
        REFUSED(change(id, 0, 1, SEM_UNDO), ERANGE);
        SAME(value(id, 0), 1);
        const int gone = made(1);
        SAME(change(gone, 0, 1, SEM_UNDO), 0);
        removed(gone);
        const int next = made(1);
        SAME(change(next, 0, 1, SEM_UNDO), 0);
        removed(next);
    }
    EXITS(pid, 0);
    SAME(value(id, 0), 0);
    removed(id);
}

static int shared_id;

static void *undoes(void *argument) {
    (void)argument;
    SAME(change(shared_id, 0, 1, SEM_UNDO), 0);
    return NULL;
}

// Threads of one process have what is undone in common: the last one's end undoes it. The next
// program has it, too.
static void threads_and_exec(void) {
    shared_id = made(1);
    pid_t pid;
    pthread_t thread;
    CHILD(pid) {
        NEED(pthread_create(&thread, NULL, undoes, NULL) == 0 && pthread_join(thread, NULL) == 0);
        SAME(value(shared_id, 0), 1);
    }
    EXITS(pid, 0);
    SAME(value(shared_id, 0), 0);
    int line[2];
    NEED(pipe(line) == 0);
    CHILD(pid) {
        SAME(change(shared_id, 0, 1, SEM_UNDO), 0);
        NEED(dup2(line[0], 0) == 0 && fcntl(line[1], F_SETFD, FD_CLOEXEC) == 0);
        execl("/proc/self/exe", "waits", "for the end", NULL);
        _exit(99);
    }
    close(line[0]);
    while (write(line[1], "x", 1) != 1 || value(shared_id, 0) != 1) {
        sched_yield();
    }
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/cmdline", pid);
    while (strcmp(contents(path), "waits") != 0) {
        sched_yield();
    }
    SAME(value(shared_id, 0), 1);
    close(line[1]);
    EXITS(pid, 0);
    SAME(value(shared_id, 0), 0);
    CHILD(pid) {
        SAME(change(shared_id, 0, 1, SEM_UNDO), 0);
        SAME(unshare(CLONE_SYSVSEM), 0);
        SAME(value(shared_id, 0), 0);
        SAME(change(shared_id, 0, 2, SEM_UNDO), 0);
    }
    EXITS(pid, 0);
    SAME(value(shared_id, 0), 0);
    // Processes may have it in common, too.
    CHILD(pid) {
        SAME(change(shared_id, 0, 1, SEM_UNDO), 0);
        const pid_t child = (pid_t)syscall(SYS_clone, CLONE_SYSVSEM | SIGCHLD, 0, 0, 0, 0);
        if (child == 0) {
            change(shared_id, 0, 1, SEM_UNDO);
            _exit(0);
        }
        EXITS(child, 0);
        SAME(value(shared_id, 0), 2);
    }
    EXITS(pid, 0);
    SAME(value(shared_id, 0), 0);
    removed(shared_id);
}

static void rights(void) {
    const int id = made(2);
    const int readable = semget(KEY + 1, 1, IPC_CREAT | 0604);
    struct semid_ds state = state_of(id);
    unsigned short all[2];
    pid_t pid;
    NEED(readable >= 0);
    CHILD(pid) {
        become(SOMEWHO, SOMEWHO);
        REFUSED(change(id, 0, 1, 0), EACCES);
        REFUSED(change(id, 0, 0, 0), EACCES);
        REFUSED(change(id, 5, 0, 0), EFBIG);
        REFUSED(value(id, 0), EACCES);
        REFUSED(value(id, 9), EACCES);
        REFUSED(set_value(id, 0, 1), EACCES);
        REFUSED(set_value(id, 9, 1), EINVAL);
        REFUSED(control(id, 0, GETALL, all), EACCES);
        REFUSED(control(id, 0, SETALL, (void *)8), EACCES);
        REFUSED(control(id, 0, IPC_STAT, &state), EACCES);
        REFUSED(control(id, 0, IPC_SET, &state), EPERM);
        REFUSED(control(id, 0, IPC_RMID, NULL), EPERM);
        SAME(change(readable, 0, 0, 0), 0);
        REFUSED(change(readable, 0, 1, 0), EACCES);
        REFUSED(semget(KEY + 1, 0, 0600), EACCES);
        SAME(semget(KEY + 1, 0, 0400), readable);
        SAME(value(readable, 0), 0);
        REFUSED(control(id & 0x7fff, 0, SEM_STAT, &state), EACCES);
        SAME(control(id & 0x7fff, 0, SEM_STAT_ANY, &state), id);
    }
    EXITS(pid, 0);
    state.sem_perm.uid = SOMEWHO;
    state.sem_perm.mode = 0200;
    SAME(control(id, 0, IPC_SET, &state), 0);
    CHILD(pid) {
        become(SOMEWHO, SOMEWHO);
        SAME(change(id, 0, 1, 0), 0);
        REFUSED(change(id, 0, 0, 0), EACCES);
        removed(id);
    }
    EXITS(pid, 0);
    state.sem_perm.gid = (gid_t)-1;
    REFUSED(control(readable, 0, IPC_SET, &state), EINVAL);
    removed(readable);
}

static void lists(void) {
    const int id = semget(KEY + 2, 7, IPC_CREAT | 0600);
    NEED(id >= 0);
    struct seminfo info;
    struct semid_ds state;
    const int highest = control(0, 0, IPC_INFO, &info);
    CHECK(highest >= (id & 0x7fff));
    SAME(info.semmni, 32000);
    SAME(info.semmsl, 32000);
    SAME(info.semmns, 1024000000);
    SAME(info.semopm, 500);
    SAME(info.semvmx, 32767);
    SAME(info.semaem, 32767);
    SAME(info.semusz, 20);
    SAME(info.semume, 500);
    SAME(info.semmnu, 1024000000);
    SAME(info.semmap, 1024000000);
    SAME(control(0, 0, SEM_INFO, &info), highest);
    CHECK(info.semusz >= 1 && info.semaem >= 7);
    SAME(control(id & 0x7fff, 0, SEM_STAT, &state), id);
    SAME(state.sem_nsems, 7);
    REFUSED(control(0x7ffe, 0, SEM_STAT, &state), EINVAL);
    REFUSED(control(0, 0, IPC_INFO, (void *)8), EFAULT);
    SAME(change(id, 0, 1, 0), 0);
    state = state_of(id);
    char wanted[256];
    snprintf(wanted, sizeof wanted, "%10d %10d  %4o %10u %5u %5u %5u %5u %10lu %10lu", KEY + 2, id,
             0600u, 7u, 0u, 0u, 0u, 0u, (unsigned long)state.sem_otime,
             (unsigned long)state.sem_ctime);
    const char *line = line_of("/proc/sysvipc/sem", id);
    CHECK(line != NULL && strcmp(line, wanted) == 0);
    SAME(strncmp(contents("/proc/sysvipc/sem"),
                 "       key      semid perms      nsems   uid   gid  cuid  cgid      otime"
                 "      ctime\n",
                 84),
         0);
    SAME(strcmp(contents("/proc/sys/kernel/sem"), "32000\t1024000000\t500\t32000\n"), 0);
    removed(id);
}

// A lock that many take: nothing is lost, and nobody waits for ever.
static void contended(void) {
    enum { PROCESSES = 4, ROUNDS = 300 };
    const int id = made(1);
    volatile int *count =
        mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pid_t pids[PROCESSES];
    SAME(set_value(id, 0, 1), 0);
    for (int i = 0; i < PROCESSES; i++) {
        CHILD(pids[i]) {
            for (int round = 0; round < ROUNDS; round++) {
                SAME(change(id, 0, -1, SEM_UNDO), 0);
                const int before = *count;
                if (round % 16 == 0) {
                    sched_yield();
                }
                *count = before + 1;
                SAME(change(id, 0, 1, SEM_UNDO), 0);
            }
        }
    }
    for (int i = 0; i < PROCESSES; i++) {
        EXITS(pids[i], 0);
    }
    SAME(*count, PROCESSES * ROUNDS);
    SAME(value(id, 0), 1);
    removed(id);
}

// Operations meet a removal at any point: they are done, refused, or told that it is gone.
static void races(void) {
    for (int round = 0; round < 20; round++) {
        const int id = made(2);
        pid_t pids[3];
        for (int i = 0; i < 3; i++) {
            CHILD(pids[i]) {
                int error = 0;
                while (error == 0) {
                    error = change(id, 0, i == 0 ? 1 : -1, i == 1 ? SEM_UNDO : 0) == 0 ? 0 : errno;
                    error = error == ERANGE || error == EAGAIN ? 0 : error;
                }
                CHECK(error == EINVAL || error == EIDRM);
            }
        }
        while (state_of(id).sem_otime == 0) {
            sched_yield();
        }
        removed(id);
        for (int i = 0; i < 3; i++) {
            EXITS(pids[i], 0);
        }
    }
}

static const struct check_case cases[] = {
    CASE(keys),       CASE(values),  CASE(steps),       CASE(times),  CASE(waiting),
    CASE(zero_first), CASE(in_turn), CASE(interrupted), CASE(undone), CASE(threads_and_exec),
    CASE(rights),     CASE(lists),   CASE(contended),   CASE(races),
};

int main(int argc, char **argv) {
    if (argc == 2 && strcmp(argv[0], "waits") == 0) {
        char byte;
        while (read(0, &byte, 1) > 0) {
        }
        return 0;
    }
    return check_main(cases, sizeof cases / sizeof cases[0], argc, argv);
}
