// SPDX-License-Identifier: MIT OR Apache-2.0
// RUN: musl glibc
// Message queues of System V: types, limits and rights, who waits for messages or for room.
#include "sysv.h"

#include <limits.h>
#include <sys/msg.h>

#define KEY 0x48780200

#ifndef MSG_COPY
#define MSG_COPY 040000
#endif
#ifndef MSG_EXCEPT
#define MSG_EXCEPT 020000
#endif
#define STAT_ANY 13 // MSG_STAT_ANY

struct message {
    long type;
    char text[8200];
};

static struct message got;

static int made(void) {
    const int id = msgget(IPC_PRIVATE, 0600);
    NEED(id >= 0);
    return id;
}

static void removed(int id) {
    SAME(msgctl(id, IPC_RMID, NULL), 0);
}

static struct msqid_ds state_of(int id) {
    struct msqid_ds state;
    memset(&state, 0x55, sizeof state);
    NEED(msgctl(id, IPC_STAT, &state) == 0);
    return state;
}

static int sent(int id, long type, const char *text, int flags) {
    struct message message = { .type = type };
    strcpy(message.text, text);
    return msgsnd(id, &message, strlen(text), flags);
}

static long taken(int id, size_t room, long type, int flags) {
    memset(&got, 0x55, sizeof got);
    return (long)msgrcv(id, &got, room, type, flags);
}

static void is_next(int id, long wanted, int flags, long type, const char *text) {
    SAME(taken(id, 100, wanted, flags | IPC_NOWAIT), strlen(text));
    SAME(got.type, type);
    CHECK(memcmp(got.text, text, strlen(text)) == 0 && got.text[strlen(text)] == 0x55);
}

static void keys(void) {
    REFUSED(msgget(KEY, 0600), ENOENT);
    const int id = msgget(KEY, IPC_CREAT | 0620);
    NEED(id >= 0);
    SAME(msgget(KEY, 0), id);
    SAME(msgget(KEY, IPC_CREAT | 0600), id);
    REFUSED(msgget(KEY, IPC_CREAT | IPC_EXCL | 0600), EEXIST);
    const struct msqid_ds state = state_of(id);
    SAME(state.msg_perm.__key, KEY);
    SAME(state.msg_perm.mode, 0620);
    SAME(state.msg_qnum, 0);
    SAME(state.msg_qbytes, 16384);
    SAME(state.msg_lspid, 0);
    SAME(state.msg_lrpid, 0);
    SAME(state.msg_stime, 0);
    SAME(state.msg_rtime, 0);
    CHECK(state.msg_ctime > 0 && state.msg_ctime <= time(NULL));
    removed(id);
    REFUSED(msgget(KEY, 0), ENOENT);
    REFUSED(sent(id, 1, "", IPC_NOWAIT), EINVAL);
    REFUSED(taken(id, 1, 0, IPC_NOWAIT), EINVAL);
    REFUSED(msgctl(id, IPC_RMID, NULL), EINVAL);
}

static void types(void) {
    const int id = made();
    NEED(sent(id, 5, "five", 0) == 0 && sent(id, 3, "three", 0) == 0);
    NEED(sent(id, 9, "nine", 0) == 0 && sent(id, 3, "again", 0) == 0 && sent(id, 1, "", 0) == 0);
    SAME(state_of(id).msg_qnum, 5);
    SAME(state_of(id).msg_cbytes, 18);
    is_next(id, -9, 0, 1, "");
    is_next(id, -9, 0, 3, "three"); // the lowest type, and of that the oldest
    REFUSED(taken(id, 100, -2, IPC_NOWAIT), ENOMSG);
    REFUSED(taken(id, 100, 4, IPC_NOWAIT), ENOMSG);
    is_next(id, 9, 0, 9, "nine");
    is_next(id, 5, MSG_EXCEPT, 3, "again");
    REFUSED(taken(id, 100, 5, IPC_NOWAIT | MSG_EXCEPT), ENOMSG);
    is_next(id, LONG_MIN, 0, 5, "five");
    REFUSED(taken(id, 100, 0, IPC_NOWAIT), ENOMSG);
    NEED(sent(id, LONG_MAX, "last", 0) == 0 && sent(id, 2, "two", 0) == 0);
    is_next(id, 0, 0, LONG_MAX, "last");
    is_next(id, 0, MSG_EXCEPT, 2, "two");
    const struct msqid_ds state = state_of(id);
    SAME(state.msg_lspid, getpid());
    SAME(state.msg_lrpid, getpid());
    CHECK(state.msg_stime >= state.msg_ctime && state.msg_rtime >= state.msg_ctime);
    SAME(state.msg_cbytes, 0);
    removed(id);
}

static void sizes(void) {
    const int id = made();
    struct message message = { .type = 7 };
    for (size_t i = 0; i < 8192; i++) {
        message.text[i] = (char)(i * 7 >> 3);
    }
    REFUSED(msgsnd(id, &message, 8193, 0), EINVAL);
    REFUSED(msgsnd(id, &message, (size_t)-1, 0), EINVAL);
    SAME(msgsnd(id, &message, 8192, 0), 0);
    REFUSED(taken(id, 8191, 0, 0), E2BIG);
    REFUSED(taken(id, (size_t)-1, 0, 0), EINVAL);
    SAME(taken(id, 8200, 0, 0), 8192);
    SAME(memcmp(got.text, message.text, 8192), 0);
    SAME(msgsnd(id, &message, 8000, 0), 0);
    SAME(taken(id, 5000, 0, MSG_NOERROR), 5000);
    CHECK(memcmp(got.text, message.text, 5000) == 0 && got.text[5000] == 0x55);
    SAME(state_of(id).msg_qnum, 0); // what was cut off is lost
    SAME(sent(id, 1, "", 0), 0);
    SAME(taken(id, 0, 0, 0), 0);
    SAME(sent(id, 1, "abc", 0), 0);
    SAME(taken(id, 0, 0, MSG_NOERROR), 0);
    SAME(msgsnd(id, &message, 8192, IPC_NOWAIT), 0);
    SAME(msgsnd(id, &message, 8192, IPC_NOWAIT), 0);
    REFUSED(sent(id, 1, "x", IPC_NOWAIT), EAGAIN);
    SAME(sent(id, 1, "", IPC_NOWAIT), 0);
    SAME(state_of(id).msg_cbytes, 16384);
    SAME(taken(id, 8192, 0, 0), 8192);
    // As many messages as it has bytes.
    struct msqid_ds state = state_of(id);
    state.msg_qbytes = 3;
    SAME(msgctl(id, IPC_SET, &state), 0);
    REFUSED(sent(id, 1, "", IPC_NOWAIT), EAGAIN);
    SAME(taken(id, 8192, 7, 0), 8192);
    SAME(sent(id, 1, "", IPC_NOWAIT), 0);
    SAME(sent(id, 1, "", IPC_NOWAIT), 0);
    REFUSED(sent(id, 1, "", IPC_NOWAIT), EAGAIN);
    removed(id); // with what is in it
}

static void refusals(void) {
    const int id = made();
    REFUSED(sent(id, 0, "x", 0), EINVAL);
    REFUSED(sent(id, -1, "x", 0), EINVAL);
    REFUSED(sent(-1, 1, "x", 0), EINVAL);
    REFUSED(sent(0x7fffffff, 1, "x", 0), EINVAL);
    REFUSED(msgsnd(id, (void *)8, 1, 0), EFAULT);
    REFUSED(msgsnd(-1, (void *)8, 1, 0), EFAULT);
    char *page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    NEED(page != MAP_FAILED && munmap(page + 4096, 4096) == 0);
    *(long *)(void *)(page + 4088) = 1;
    REFUSED(msgsnd(id, page + 4088, 1, 0), EFAULT);
    SAME(msgsnd(id, page + 4088, 0, 0), 0);
    SAME(msgrcv(id, page + 4088, 0, 0, 0), 0);
    REFUSED(msgrcv(-1, &got, 1, 0, IPC_NOWAIT), EINVAL);
    REFUSED(msgrcv(0x7fffffff, &got, 1, 0, IPC_NOWAIT), EINVAL);
    SAME(sent(id, 1, "lost", 0), 0);
    REFUSED(msgrcv(id, (void *)8, 10, 0, 0), EFAULT);
    REFUSED(msgrcv(id, (void *)8, 10, 0, IPC_NOWAIT), ENOMSG);
    struct msqid_ds state = state_of(id);
    REFUSED(msgctl(id, 99, &state), EINVAL);
    REFUSED(msgctl(id, -1, &state), EINVAL);
    REFUSED(msgctl(-1, IPC_INFO, &state), EINVAL);
    REFUSED(syscall(SYS_msgctl, id, IPC_STAT, 8), EFAULT);
    REFUSED(syscall(SYS_msgctl, 0x7fffffff, IPC_SET, 8), EFAULT);
    REFUSED(syscall(SYS_msgctl, 0, IPC_INFO, 8), EFAULT);
    state.msg_perm.uid = (uid_t)-1;
    REFUSED(msgctl(id, IPC_SET, &state), EINVAL);
    removed(id);
}

// A copy of the message in that place, which stays there.
static void copies(void) {
    const int id = made();
    NEED(sent(id, 4, "first", 0) == 0 && sent(id, 2, "second", 0) == 0);
    REFUSED(taken(id, 100, 0, MSG_COPY), EINVAL);
    REFUSED(taken(id, 100, 0, MSG_COPY | MSG_EXCEPT | IPC_NOWAIT), EINVAL);
    is_next(id, 1, MSG_COPY, 2, "second");
    is_next(id, 0, MSG_COPY, 4, "first");
    is_next(id, 0, MSG_COPY, 4, "first");
    REFUSED(taken(id, 100, 2, MSG_COPY | IPC_NOWAIT), ENOMSG);
    REFUSED(taken(id, 4, 0, MSG_COPY | IPC_NOWAIT), E2BIG);
    REFUSED(taken(id, 4, 0, MSG_COPY | MSG_NOERROR | IPC_NOWAIT), EINVAL);
    SAME(state_of(id).msg_qnum, 2);
    SAME(state_of(id).msg_lrpid, 0);
    is_next(id, 0, 0, 4, "first");
    removed(id);
}

static pid_t receiver(int id, long type, int flags, const char *text) {
    pid_t pid;
    CHILD(pid) {
        SAME(taken(id, 100, type, flags), strlen(text));
        SAME(memcmp(got.text, text, strlen(text)), 0);
    }
    until_asleep(pid);
    return pid;
}

static void receivers(void) {
    const int id = made();
    pid_t pid;
    const pid_t third = receiver(id, 3, 0, "three");
    const pid_t low = receiver(id, -2, 0, "one");
    const pid_t other = receiver(id, 3, MSG_EXCEPT, "five");
    CHILD(pid) {
        REFUSED(taken(id, 2, 8, 0), E2BIG);
    }
    until_asleep(pid);
    const pid_t cut = receiver(id, 8, MSG_NOERROR, "eight");
    SAME(sent(id, 5, "five", 0), 0);
    EXITS(other, 0);
    SAME(state_of(id).msg_lrpid, other);
    SAME(sent(id, 8, "eight", 0), 0); // too long for the one, for the other not
    EXITS(pid, 0);
    EXITS(cut, 0);
    SAME(sent(id, 1, "one", 0), 0);
    EXITS(low, 0);
    SAME(sent(id, 3, "three", 0), 0);
    EXITS(third, 0);
    SAME(state_of(id).msg_qnum, 0);
    // Those of one type in turn.
    const pid_t first = receiver(id, 0, 0, "a");
    const pid_t second = receiver(id, 0, 0, "b");
    SAME(sent(id, 1, "a", 0), 0);
    SAME(sent(id, 1, "b", 0), 0);
    EXITS(first, 0);
    EXITS(second, 0);
    removed(id);
}

static void senders(void) {
    const int id = made();
    struct message message = { .type = 1 };
    pid_t pids[2];
    NEED(msgsnd(id, &message, 8192, 0) == 0 && msgsnd(id, &message, 8000, 0) == 0);
    CHILD(pids[0]) {
        SAME(msgsnd(id, &message, 4000, 0), 0);
    }
    until_asleep(pids[0]);
    SAME(sent(id, 2, "small", 0), 0); // does not wait behind the other
    SAME(state_of(id).msg_qnum, 3);
    SAME(taken(id, 100, 2, 0), 5);
    SAME(state_of(id).msg_qnum, 2);
    SAME(taken(id, 8192, 0, 0), 8192);
    SAME(state_of(id).msg_qnum + (state_of(id).msg_cbytes == 8000 ? 1 : 0), 2);
    EXITS(pids[0], 0);
    SAME(state_of(id).msg_cbytes, 12000);
    SAME(state_of(id).msg_lspid, pids[0]);
    CHILD(pids[0]) {
        SAME(msgsnd(id, &message, 8000, 0), 0);
    }
    until_asleep(pids[0]);
    struct msqid_ds state = state_of(id);
    state.msg_qbytes = 20000; // there is room now
    SAME(msgctl(id, IPC_SET, &state), 0);
    EXITS(pids[0], 0);
    SAME(state_of(id).msg_cbytes, 20000);
    removed(id);
}

static void removal_and_signals(void) {
    int id = made();
    struct message message = { .type = 1 };
    pid_t pids[2];
    int line[2];
    char byte;
    NEED(pipe(line) == 0);
    NEED(msgsnd(id, &message, 8192, 0) == 0 && msgsnd(id, &message, 8192, 0) == 0);
    CHILD(pids[0]) {
        REFUSED(taken(id, 100, 9, 0), EIDRM);
    }
    CHILD(pids[1]) {
        REFUSED(msgsnd(id, &message, 1, 0), EIDRM);
    }
    until_asleep(pids[0]);
    until_asleep(pids[1]);
    removed(id);
    EXITS(pids[0], 0);
    EXITS(pids[1], 0);
    id = made();
    handle(SIGUSR1);
    NEED(msgsnd(id, &message, 8192, 0) == 0 && msgsnd(id, &message, 8192, 0) == 0);
    for (int i = 0; i < 2; i++) {
        CHILD(pids[i]) {
            if (i == 0) {
                REFUSED(taken(id, 100, 9, 0), EINTR); // whatever the handler says
            } else {
                REFUSED(msgsnd(id, &message, 1, 0), EINTR);
            }
            NEED(write(line[1], "x", 1) == 1);
            SAME(handled, 1);
        }
        until_asleep(pids[i]);
        NEED(kill(pids[i], SIGUSR1) == 0);
        NEED(read(line[0], &byte, 1) == 1);
        EXITS(pids[i], 0);
    }
    CHILD(pids[0]) { // being stopped is no reason to end
        SAME(taken(id, 100, 9, 0), 4);
    }
    until_asleep(pids[0]);
    int status;
    NEED(kill(pids[0], SIGSTOP) == 0 && waitpid(pids[0], &status, WUNTRACED) == pids[0]);
    NEED(kill(pids[0], SIGCONT) == 0);
    until_asleep(pids[0]);
    SAME(taken(id, 8192, 1, 0), 8192);
    SAME(sent(id, 9, "nine", 0), 0);
    EXITS(pids[0], 0);
    SAME(state_of(id).msg_qnum, 1);
    removed(id);
}

static void rights(void) {
    const int id = made();
    const int readable = msgget(KEY + 1, IPC_CREAT | 0604);
    struct msqid_ds state = state_of(id);
    pid_t pid;
    NEED(readable >= 0);
    CHILD(pid) {
        become(SOMEWHO, SOMEWHO);
        REFUSED(sent(id, 1, "x", 0), EACCES);
        REFUSED(taken(id, 1, 0, IPC_NOWAIT), EACCES);
        REFUSED(msgctl(id, IPC_STAT, &state), EACCES);
        REFUSED(msgctl(id, IPC_SET, &state), EPERM);
        REFUSED(msgctl(id, IPC_RMID, NULL), EPERM);
        REFUSED(msgget(KEY + 1, 0600), EACCES);
        SAME(msgget(KEY + 1, 0400), readable);
        REFUSED(sent(readable, 1, "x", 0), EACCES);
        REFUSED(taken(readable, 1, 0, IPC_NOWAIT), ENOMSG);
        REFUSED(msgctl(id & 0x7fff, MSG_STAT, &state), EACCES);
        SAME(msgctl(id & 0x7fff, STAT_ANY, &state), id);
        const int own = made();
        state = state_of(own);
        state.msg_qbytes = 16385;
        REFUSED(msgctl(own, IPC_SET, &state), EPERM);
        state.msg_qbytes = 100;
        state.msg_perm.mode = 0400;
        SAME(msgctl(own, IPC_SET, &state), 0);
        SAME(state_of(own).msg_qbytes, 100);
        REFUSED(sent(own, 1, "x", 0), EACCES);
        removed(own);
    }
    EXITS(pid, 0);
    // Who waits and may not any more is told.
    state.msg_perm.mode = 0666;
    SAME(msgctl(id, IPC_SET, &state), 0);
    CHILD(pid) {
        become(SOMEWHO, SOMEWHO);
        REFUSED(taken(id, 1, 0, 0), EACCES);
    }
    until_asleep(pid);
    state.msg_perm.mode = 0600;
    SAME(msgctl(id, IPC_SET, &state), 0);
    EXITS(pid, 0);
    removed(id);
    removed(readable);
}

static void lists(void) {
    const int id = msgget(KEY + 2, IPC_CREAT | 0600);
    NEED(id >= 0);
    struct msginfo info;
    struct msqid_ds state;
    SAME(sent(id, 1, "text", 0), 0);
    const int highest = msgctl(0, IPC_INFO, (struct msqid_ds *)(void *)&info);
    CHECK(highest >= (id & 0x7fff));
    SAME(info.msgmax, 8192);
    SAME(info.msgmnb, 16384);
    SAME(info.msgmni, 32000);
    SAME(info.msgpool, 512000);
    SAME(info.msgmap, 16384);
    SAME(info.msgssz, 16);
    SAME(info.msgtql, 16384);
    SAME(info.msgseg, 0xffff);
    SAME(msgctl(0, MSG_INFO, (struct msqid_ds *)(void *)&info), highest);
    CHECK(info.msgpool >= 1 && info.msgmap >= 1 && info.msgtql >= 4);
    SAME(msgctl(id & 0x7fff, MSG_STAT, &state), id);
    SAME(state.msg_qnum, 1);
    REFUSED(msgctl(0x7ffe, MSG_STAT, &state), EINVAL);
    state = state_of(id);
    char wanted[256];
    snprintf(wanted, sizeof wanted,
             "%10d %10d  %4o  %10lu %10lu %5u %5u %5u %5u %5u %5u %10lu %10lu %10lu", KEY + 2, id,
             0600u, 4ul, 1ul, getpid(), 0u, 0u, 0u, 0u, 0u, (unsigned long)state.msg_stime, 0ul,
             (unsigned long)state.msg_ctime);
    const char *line = line_of("/proc/sysvipc/msg", id);
    CHECK(line != NULL && strcmp(line, wanted) == 0);
    SAME(strncmp(contents("/proc/sysvipc/msg"),
                 "       key      msqid perms      cbytes       qnum lspid lrpid   uid   gid  cuid"
                 "  cgid      stime      rtime      ctime\n",
                 120),
         0);
    SAME(strcmp(contents("/proc/sys/kernel/msgmax"), "8192\n"), 0);
    SAME(strcmp(contents("/proc/sys/kernel/msgmnb"), "16384\n"), 0);
    SAME(strcmp(contents("/proc/sys/kernel/msgmni"), "32000\n"), 0);
    removed(id);
}

// Many send and receive at once: each message comes once.
static void crowds(void) {
    enum { PROCESSES = 3, MESSAGES = 200 };
    const int id = made();
    volatile unsigned *counts =
        mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pid_t senders_pids[PROCESSES];
    pid_t receivers_pids[PROCESSES];
    struct msqid_ds state = state_of(id);
    state.msg_qbytes = 64;
    SAME(msgctl(id, IPC_SET, &state), 0);
    for (int i = 0; i < PROCESSES; i++) {
        CHILD(senders_pids[i]) {
            for (int message = 0; message < MESSAGES; message++) {
                SAME(sent(id, 1 + message, "some bytes", 0), 0);
            }
        }
        CHILD(receivers_pids[i]) {
            for (int message = 0; message < MESSAGES; message++) {
                SAME(taken(id, 100, 0, 0), 10);
                __atomic_fetch_add(&counts[got.type], 1, __ATOMIC_RELAXED);
            }
        }
    }
    for (int i = 0; i < PROCESSES; i++) {
        EXITS(senders_pids[i], 0);
        EXITS(receivers_pids[i], 0);
    }
    for (int message = 0; message < MESSAGES; message++) {
        SAME(counts[1 + message], PROCESSES);
    }
    SAME(state_of(id).msg_qnum, 0);
    removed(id);
}

static const struct check_case cases[] = {
    CASE(keys),   CASE(types),     CASE(sizes),   CASE(refusals),
    CASE(copies), CASE(receivers), CASE(senders), CASE(removal_and_signals),
    CASE(rights), CASE(lists),     CASE(crowds),
};
CHECK_MAIN(cases)
