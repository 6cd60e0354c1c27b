// SPDX-License-Identifier: MIT OR Apache-2.0
// user/trace/recorder.c: records the trace of the whole machine while a command runs.
//
//   recorder PARTS EVENTS-MAX COMMAND [ARGUMENT]...   what PARTS of the trace are, docs/trace.md
//   says recorder give                                     prints what the last run recorded
//
// Its exit status is the command's (128 + n for signal n; 127: there is no such command; 125: the
// recording failed). What it prints is text (/proc/helix/trace/names, then threads as they were
// before and after), a line "events", and the events as they were read, processor by processor as
// they came. Events that it could not keep are told as the kernel tells them: by one of type LOST.
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define TRACE            "/proc/helix/trace/"
#define RECORD           "/tmp/.trace"
#define PROCESSORS       64
#define CPU_SHIFT        48
#define PAUSE_NS         2000000
#define PROBLEM          125
#define NO_COMMAND       127
#define SIGNALLED(n)     (128 + (n))
#define EVENTS_AT_A_TIME 1024

struct event {
    uint64_t time;
    uint16_t cpu;
    uint16_t type;
    uint32_t thread;
    uint64_t payload[2];
};

static int events_file;
static int record;
static uint64_t next[PROCESSORS]; // the number of the event to read next
static uint64_t margin;           // a part of the smallest ring
static int processors;
static uint16_t type_lost;
static long long room; // events that may still be kept

static void fail(const char *what) {
    dprintf(2, "recorder: %s: %s\n", what, strerror(errno));
    exit(PROBLEM);
}

static void put(int to, const void *data, size_t length) {
    const char *at = data;
    while (length > 0) {
        ssize_t done = write(to, at, length);
        if (done <= 0) {
            fail(RECORD);
        }
        at += done;
        length -= (size_t)done;
    }
}

static void copy(const char *path, int to) {
    static char piece[65536];
    int from = open(path, O_RDONLY);
    ssize_t got;
    if (from < 0) {
        fail(path);
    }
    while ((got = read(from, piece, sizeof piece)) > 0) {
        put(to, piece, (size_t)got);
    }
    close(from);
}

static void turn(const char *parts) {
    int on = open(TRACE "on", O_WRONLY);
    if (on < 0 || write(on, parts, strlen(parts)) < 0) {
        fail(TRACE "on");
    }
    close(on);
}

// Where the rings end now, and the number of the type LOST.
static void look(void) {
    char line[128];
    unsigned cpu;
    unsigned slots;
    unsigned long long number;
    FILE *rings = fopen(TRACE "rings", "r");
    FILE *names = fopen(TRACE "names", "r");
    if (rings == NULL || names == NULL) {
        fail(TRACE);
    }
    while (fgets(line, sizeof line, rings) != NULL) {
        if (sscanf(line, "cpu%u slots %u recorded %llu", &cpu, &slots, &number) == 3 &&
            cpu < PROCESSORS) {
            margin = margin == 0 || slots / 4 < margin ? slots / 4 : margin;
            next[cpu] = number;
            processors = (int)cpu + 1;
        }
    }
    while (fgets(line, sizeof line, names) != NULL) {
        if (sscanf(line, "type %llu LOST", &number) == 1 && strstr(line, " LOST") != NULL) {
            type_lost = (uint16_t)number;
        }
    }
    fclose(rings);
    fclose(names);
}

static void keep_lost(int cpu, uint64_t from, uint64_t to) {
    const struct event event = {
        .cpu = (uint16_t)cpu,
        .type = type_lost,
        .payload = { from, to },
    };
    put(record, &event, sizeof event);
}

// Takes what there is of a processor, a piece at most; whether there may be more. What is left of a
// ring that has gone past us is about to be overwritten, by what reading it records if by nothing
// else: some of it is given up, too.
static int drain(int cpu) {
    static struct event events[EVENTS_AT_A_TIME];
    const uint64_t at = (uint64_t)cpu << CPU_SHIFT | next[cpu] * sizeof events[0];
    const ssize_t got = pread(events_file, events, sizeof events, (off_t)at);
    if (got <= 0) {
        return 0;
    }
    size_t count = (size_t)got / sizeof events[0];
    for (size_t i = 0; i < count; i++) {
        if (events[i].type == type_lost) {
            count = i;
            if (i == 0) {
                keep_lost(cpu, next[cpu], events[0].payload[1] + margin);
                next[cpu] = events[0].payload[1] + margin;
                return 1;
            }
        }
    }
    if ((long long)count > room) {
        keep_lost(cpu, next[cpu], next[cpu] + count);
    } else {
        put(record, events, count * sizeof events[0]);
        room -= (long long)count;
    }
    next[cpu] += count;
    return count == EVENTS_AT_A_TIME;
}

static void drain_all(void) {
    for (int cpu = 0; cpu < processors; cpu++) {
        while (drain(cpu)) {
        }
    }
}

static pid_t start(char **command) {
    const pid_t pid = fork();
    if (pid < 0) {
        fail("fork");
    }
    if (pid == 0) {
        setpriority(PRIO_PROCESS, 0, 0);
        signal(SIGINT, SIG_DFL);
        signal(SIGTERM, SIG_DFL);
        execvp(command[0], command);
        dprintf(2, "%s: %s\n", command[0], strerror(errno));
        _exit(NO_COMMAND);
    }
    return pid;
}

// Records until the command has ended.
static int watch(pid_t pid) {
    const struct timespec pause = { .tv_nsec = PAUSE_NS };
    int status;
    while (waitpid(pid, &status, WNOHANG) == 0) {
        drain_all();
        nanosleep(&pause, NULL);
    }
    return WIFSIGNALED(status) ? SIGNALLED(WTERMSIG(status)) : WEXITSTATUS(status);
}

int main(int argc, char **argv) {
    if (argc == 2 && strcmp(argv[1], "give") == 0) {
        copy(RECORD ".text", 1);
        put(1, "events\n", 7);
        copy(RECORD, 1);
        return 0;
    }
    if (argc < 4) {
        dprintf(2, "recorder PARTS EVENTS-MAX COMMAND [ARGUMENT]... | give\n");
        return PROBLEM;
    }
    room = atoll(argv[2]);
    record = open(RECORD, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    int text = open(RECORD ".text", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    events_file = open(TRACE "events", O_RDONLY | O_CLOEXEC);
    if (record < 0 || text < 0 || events_file < 0) {
        fail(events_file < 0 ? TRACE "events" : RECORD);
    }
    signal(SIGINT, SIG_IGN); // it is for the command; what it did until then is recorded
    signal(SIGTERM, SIG_IGN);
    setpriority(PRIO_PROCESS, 0, -20);
    copy(TRACE "names", text);
    copy(TRACE "threads", text);
    look();
    turn(argv[1]);
    const int code = watch(start(argv + 3));
    turn("\n");
    drain_all();
    copy(TRACE "threads", text);
    return code;
}
