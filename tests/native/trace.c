// SPDX-License-Identifier: MIT OR Apache-2.0
// tests/native/trace.c: each kind of event is recorded when it happens, and read as it was
// recorded.
#include "native.h"

#include <pthread.h>
#include <sched.h>
#include <sys/prctl.h>

#define CPU_SHIFT 48

// As in docs/trace.md.
struct event {
    uint64_t time;
    uint16_t cpu;
    uint16_t type;
    uint32_t thread;
    uint64_t payload[2];
};

static char text[65536];

static char *slurp(const char *path) {
    const int fd = open(path, O_RDONLY);
    size_t length = 0;
    ssize_t got;
    NEED(fd >= 0);
    while ((got = read(fd, text + length, sizeof(text) - 1 - length)) > 0) {
        length += (size_t)got;
    }
    close(fd);
    text[length] = '\0';
    return text;
}

static char *next_line(char *line) {
    line = strchr(line, '\n');
    return line != NULL && line[1] != '\0' ? line + 1 : NULL;
}

static long long count(const char *type) {
    char found[64];
    long long number;
    for (char *at = slurp("/proc/helix/trace/counts"); at != NULL; at = next_line(at)) {
        if (sscanf(at, "%63s %lld", found, &number) == 2 && strcmp(found, type) == 0) {
            return number;
        }
    }
    check_fail(__FILE_NAME__, __LINE__, "no count of %s", type);
    _exit(1);
}

static uint16_t type_number(const char *type) {
    char found[64];
    unsigned number;
    for (char *at = slurp("/proc/helix/trace/names"); at != NULL; at = next_line(at)) {
        if (sscanf(at, "type %u %63s", &number, found) == 2 && strcmp(found, type) == 0) {
            return (uint16_t)number;
        }
    }
    check_fail(__FILE_NAME__, __LINE__, "no type %s", type);
    _exit(1);
}

static uint64_t ring(unsigned cpu, unsigned *out_slots) {
    unsigned found;
    unsigned long long number;
    for (char *at = slurp("/proc/helix/trace/rings"); at != NULL; at = next_line(at)) {
        if (sscanf(at, "cpu%u slots %u recorded %llu", &found, out_slots, &number) == 3 &&
            found == cpu) {
            return number;
        }
    }
    check_fail(__FILE_NAME__, __LINE__, "no ring of processor %u", cpu);
    _exit(1);
}

static uint64_t recorded(unsigned cpu) {
    unsigned slots;
    return ring(cpu, &slots);
}

static void child(void (*work)(void)) {
    const pid_t pid = fork();
    if (pid == 0) {
        work();
        _exit(0);
    }
    int status;
    NEED(waitpid(pid, &status, 0) == pid);
}

static void execute(void) {
    execl("/bin/true", "true", NULL);
}

static void nothing(void) {}

static void *thread_body(void *argument) {
    return argument;
}

static void make_thread(void) {
    pthread_t thread;
    NEED(pthread_create(&thread, NULL, thread_body, NULL) == 0);
    pthread_join(thread, NULL);
}

static void run_child(void) {
    child(nothing);
}

static void run_other(void) {
    child(execute);
}

static void sleep_briefly(void) {
    const struct timespec span = { .tv_nsec = 2000000 };
    nanosleep(&span, NULL);
}

static void touch(void) {
    char *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    NEED(page != MAP_FAILED);
    *(volatile char *)page = 1;
    munmap(page, 4096);
}

static void rename_self(void) {
    prctl(PR_SET_NAME, "renamed");
}

static void on_signal(int number) {
    (void)number;
}

static void signal_self(void) {
    signal(SIGUSR1, on_signal);
    raise(SIGUSR1);
}

static void be_refused(void) {
    const int64_t event = NATIVE(event_create, 0);
    const int64_t listen = NATIVE(handle_derive, event, HX_RIGHT_WAIT);
    NEED(event > 0 && listen > 0);
    SAME(NATIVE(handle_revoke, listen), HX_ERR_ACCESS_DENIED);
}

static void unknown_call(void) {
    REFUSED(syscall(1023), ENOSYS);
}

// What another processor runs when memory goes is told to it.
static _Atomic int stop;

static void *spin(void *argument) {
    while (!stop) {
        sched_yield();
    }
    return argument;
}

static void interrupt_another(void) {
    pthread_t thread;
    stop = 0;
    NEED(pthread_create(&thread, NULL, spin, NULL) == 0);
    for (int i = 0; i < 100; i++) {
        touch();
        sleep_briefly();
    }
    stop = 1;
    pthread_join(thread, NULL);
}

static void each_type_counts(void) {
    static const struct {
        const char *type;
        void (*work)(void);
        bool many; // needs several processors
    } all[] = {
        { "SWITCH", sleep_briefly, false },    { "WAKE", sleep_briefly, false },
        { "TIMER", sleep_briefly, false },     { "INTERRUPT_END", sleep_briefly, false },
        { "IPI", interrupt_another, true },    { "FAULT", touch, false },
        { "PROCESS_START", run_child, false }, { "PROCESS_EXIT", run_child, false },
        { "PROCESS_EXEC", run_other, false },  { "THREAD_START", make_thread, false },
        { "THREAD_EXIT", make_thread, false }, { "TASK", make_thread, false },
        { "NAME", rename_self, false },        { "SIGNAL", signal_self, false },
        { "REFUSAL", be_refused, false },      { "SYSCALL_UNKNOWN", unknown_call, false },
    };
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        if (all[i].many && sysconf(_SC_NPROCESSORS_ONLN) == 1) {
            continue;
        }
        const long long before = count(all[i].type);
        // A sleep may be over before it begins, if the host was busy: nobody is woken then.
        for (int tries = 0; tries < 100 && count(all[i].type) <= before; tries++) {
            all[i].work();
        }
        if (count(all[i].type) <= before) {
            check_fail(__FILE_NAME__, __LINE__, "%s does not count", all[i].type);
        }
    }
    CHECK(count("BOOT") > 0);
    CHECK(count("IRQ") > 0); // what the host said to start this program
    CHECK(count("MODULE") > 0);
    SAME(count("PANIC"), 0);
    SAME(count("LOST"), 0);
}

static bool read_event(int fd, unsigned cpu, uint64_t number, struct event *out_event) {
    const off_t at = (off_t)((uint64_t)cpu << CPU_SHIFT | number * sizeof(*out_event));
    return pread(fd, out_event, sizeof(*out_event), at) == sizeof(*out_event);
}

static void stay(unsigned cpu) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    NEED(sched_setaffinity(0, sizeof(set), &set) == 0);
}

// Waits until an event is there: a number below what is recorded may still be in the making.
static void need_event(int fd, unsigned cpu, uint64_t number, struct event *out_event) {
    while (!read_event(fd, cpu, number, out_event)) {
        NEED(number < recorded(cpu));
    }
}

// A call that nobody has, made here, is found with its number, thread and processor.
static void events_say_what_happened(void) {
    const int fd = open("/proc/helix/trace/events", O_RDONLY);
    const uint16_t type = type_number("SYSCALL_UNKNOWN");
    const uint16_t task = type_number("TASK");
    NEED(fd >= 0);
    const unsigned last = (unsigned)sysconf(_SC_NPROCESSORS_ONLN) - 1;
    stay(last);
    const uint64_t first = recorded(last);
    uint32_t thread = 0;
    uint64_t time = 0;
    int found = 0;
    for (uint64_t i = 1000; i < 1003; i++) {
        syscall((long)i);
    }
    child(nothing);
    const uint64_t end = recorded(last);
    for (uint64_t number = first; number < end; number++) {
        struct event event;
        need_event(fd, last, number, &event);
        SAME(event.cpu, last);
        if (event.type == type) {
            CHECK(event.time > time && (found == 0 || event.thread == thread));
            SAME(event.payload[0], 1000 + found);
            thread = event.thread;
            time = event.time;
            found++;
        }
        if (event.type == task && event.thread == thread) {
            CHECK((uint32_t)event.payload[1] > (uint32_t)getpid());
            SAME(event.payload[1] >> 32, (uint32_t)event.payload[1]); // the first of its process
            found += 10;
        }
    }
    SAME(found, 13);
    // The same thread in the list of those that live.
    char expected[64];
    snprintf(expected, sizeof(expected), "%u %d %d ", thread, getpid(), getpid());
    CHECK(strstr(slurp("/proc/helix/trace/threads"), expected) != NULL);
    close(fd);
}

// Who reads too late is told where the ring begins.
static void lost_events_are_told(void) {
    const int fd = open("/proc/helix/trace/events", O_RDONLY);
    const uint16_t lost = type_number("LOST");
    struct event event;
    NEED(fd >= 0);
    stay(0);
    unsigned slots;
    const uint64_t number = ring(0, &slots);
    CHECK(slots >= 256 && (slots & (slots - 1)) == 0);
    for (unsigned i = 0; i <= slots; i++) {
        syscall(1000);
    }
    NEED(read_event(fd, 0, number, &event));
    SAME(event.type, lost);
    SAME(event.payload[0], number);
    CHECK(event.payload[1] > number && event.payload[1] + slots <= recorded(0));
    const uint64_t next = event.payload[1] + slots / 2;
    NEED(read_event(fd, 0, next, &event));
    CHECK(event.type != lost && event.time != 0);
    // What is not there yet, and what never will be.
    CHECK(!read_event(fd, 0, recorded(0) + 1000, &event));
    CHECK(!read_event(fd, 63, 0, &event) || sysconf(_SC_NPROCESSORS_ONLN) == 64);
    CHECK(!read_event(fd, 1000, 0, &event));
    // In two pieces that do not fit events.
    struct event again;
    const off_t at = (off_t)(next * sizeof(event));
    NEED(read_event(fd, 0, next, &event));
    SAME(pread(fd, &again, 13, at), 13);
    SAME(pread(fd, (char *)&again + 13, sizeof(again) - 13, at + 13), sizeof(again) - 13);
    SAME(memcmp(&event, &again, sizeof(event)), 0);
    close(fd);
}

static bool turn(const char *parts) {
    const int fd = open("/proc/helix/trace/on", O_WRONLY);
    NEED(fd >= 0);
    const bool good = write(fd, parts, strlen(parts)) == (ssize_t)strlen(parts);
    close(fd);
    return good;
}

// The first event from `*number` on of a type with this payload; *number is set behind it.
static bool find(int fd, unsigned cpu, uint16_t type, uint64_t payload, uint64_t *number,
                 struct event *out_event) {
    const uint64_t end = recorded(cpu);
    while (*number < end) {
        need_event(fd, cpu, (*number)++, out_event);
        if (out_event->type == type && out_event->payload[0] == payload) {
            return true;
        }
    }
    return false;
}

// Where a method of this name is in the trace.
static uint64_t method_number(const char *name) {
    char found[64];
    unsigned long long number;
    for (char *at = slurp("/proc/helix/trace/names"); at != NULL; at = next_line(at)) {
        if (sscanf(at, "method %llu %63s", &number, found) == 2 && strcmp(found, name) == 0) {
            return number;
        }
    }
    return 0;
}

static void calls_are_recorded_when_asked(void) {
    const int fd = open("/proc/helix/trace/events", O_RDONLY);
    const uint16_t call = type_number("CALL");
    const uint16_t call_end = type_number("CALL_END");
    NEED(fd >= 0);
    for (unsigned cpu = 0; cpu < (unsigned)sysconf(_SC_NPROCESSORS_ONLN); cpu++) {
        struct event event;
        stay(cpu);
        NEED(turn("syscall"));
        uint64_t number = recorded(cpu);
        const long result = syscall(SYS_dup, fd);
        NEED(turn("\n"));
        NEED(find(fd, cpu, call, SYS_dup, &number, &event));
        SAME(event.payload[1], fd);
        NEED(find(fd, cpu, call_end, SYS_dup, &number, &event));
        SAME(event.payload[1], result);
        number = recorded(cpu);
        close((int)result);
        CHECK(!find(fd, cpu, call, SYS_close, &number, &event));
    }
    const long long calls = count("CALL");
    SAME(count("CALL"), calls); // nobody records one
    close(fd);
}

static void methods_are_recorded_when_asked(void) {
    const int fd = open("/proc/helix/trace/events", O_RDONLY);
    const uint16_t begin = type_number("METHOD");
    const uint16_t end = type_number("METHOD_END");
    const uint64_t lookup = method_number("fs.lookup");
    struct event event;
    struct stat unused;
    NEED(fd >= 0 && lookup != 0 && method_number("sched.pick") != 0);
    stay(0);
    NEED(turn("port"));
    uint64_t number = recorded(0);
    SAME(stat("/tmp/there is no such file", &unused), -1);
    NEED(turn("\n"));
    NEED(find(fd, 0, begin, lookup, &number, &event));
    NEED(find(fd, 0, end, lookup, &number, &event));
    SAME((int64_t)event.payload[1], HX_ERR_NOT_FOUND);
    REFUSED(turn("syscall,nonsense") ? 0 : -1, EINVAL);
    SAME(slurp("/proc/helix/trace/on")[0], '\n');
    NEED(turn("all\n"));
    CHECK(strcmp(slurp("/proc/helix/trace/on"), "syscall,port,\n") == 0);
    NEED(turn("\n"));
    close(fd);
}

static void *call_much(void *argument) {
    struct stat unused;
    while (!stop) {
        CHECK(syscall(SYS_getppid) > 0);
        stat("/tmp/there is no such file", &unused);
    }
    return argument;
}

static long long threads_called(const char *name) {
    char found[64];
    long long threads = 0;
    for (char *at = slurp("/proc/helix/trace/threads"); at != NULL; at = next_line(at)) {
        threads += sscanf(at, "%*u %*d %*d %63s", found) == 1 && strcmp(found, name) == 0;
    }
    return threads;
}

// Calls that may have begun and not ended: each worker of a module in ring 3 waits in one for work.
static long long calls_of_workers(void) {
    const int64_t all = NATIVE(module_all);
    struct hx_module_info info;
    long long calls = 0;
    NEED(all > 0);
    for (uint32_t i = 0; NATIVE(module_info, all, i, &info) == HX_OK; i++) {
        calls += info.loaded == HX_MODULE_ISOLATED ? threads_called((const char *)info.name) : 0;
    }
    NATIVE(handle_close, all);
    return calls;
}

// The code changes under the feet of threads on all processors.
static void switched_under_load(void) {
    pthread_t threads[4];
    stop = 0;
    for (int i = 0; i < 4; i++) {
        NEED(pthread_create(&threads[i], NULL, call_much, NULL) == 0);
    }
    for (int i = 0; i < 60; i++) {
        NEED(turn(i % 3 == 0 ? "all" : i % 3 == 1 ? "port" : "\n"));
        sched_yield();
    }
    stop = 1;
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
    }
    NEED(turn("\n"));
    // Each call that begins here ends, except the one that turns it off.
    CHECK(count("CALL") - count("CALL_END") <= 1 + calls_of_workers());
    SAME(count("METHOD"), count("METHOD_END"));
}

static const struct check_case cases[] = {
    CASE(each_type_counts),
    CASE(events_say_what_happened),
    CASE(lost_events_are_told),
    CASE(calls_are_recorded_when_asked),
    CASE(methods_are_recorded_when_asked),
    CASE(switched_under_load),
};

CHECK_MAIN(cases)
