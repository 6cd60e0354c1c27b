// SPDX-License-Identifier: MIT OR Apache-2.0
// Who am I, and where: getpid(), gettid() and uname() say what the kernel says, whoever shares
// whose memory. With libposix_x (__posix_x__) they say it without a call, out of a page of the
// process.
#include "check.h"
#include "machine.h"
#include "vdso_function.h"

#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/auxv.h>
#include <sys/utsname.h>

#define PAGE             4096ul
#define STACK_BYTES      65536
#define CALL_PROCESS_PID 4226 // <helix/native.h>

static pid_t called_pid(void) {
    return (pid_t)syscall(SYS_getpid);
}

static pid_t called_tid(void) {
    return (pid_t)syscall(SYS_gettid);
}

// What the vDSO says, if it does; programs of libposix_x ask it anyway.
static pid_t (*ask_pid)(void) = getpid;
static int (*ask_names)(struct utsname *names) = uname;

static void find_functions(void) {
    const char *image = (const char *)getauxval(AT_SYSINFO_EHDR);
    void *pid = image != NULL ? vdso_function(image, "__helix_getpid", "HELIX_1") : NULL;
    void *names = image != NULL ? vdso_function(image, "__helix_uname", "HELIX_1") : NULL;
    ask_pid = pid != NULL ? (pid_t(*)(void))pid : getpid;
    ask_names = names != NULL ? (int (*)(struct utsname *))names : uname;
}

// Twice: the first answer may be the kernel's, and brings the second one about.
static void right_pid(void) {
    for (int i = 0; i < 2; i++) {
        SAME(ask_pid(), called_pid());
        SAME(getpid(), called_pid());
    }
}

// musl's own gettid() says in a child of vfork() what its parent would.
static void right_tid(void) {
#ifdef __posix_x__
    for (int i = 0; i < 2; i++) {
        SAME(gettid(), called_tid());
    }
#endif
}

static void right(void) {
    right_pid();
    right_tid();
}

// ---- processes

static void after_fork(void) {
    pid_t pid, below;
    right();
    CHILD(pid) {
        right();
        CHILD(below) {
            right();
        }
        EXITS(below, 0);
        right();
    }
    CHECK(getpid() != pid);
    EXITS(pid, 0);
    right();
}

// A child that nobody but the kernel was told of.
static void after_raw_clone(void) {
    right();
    const pid_t pid = (pid_t)machine_clone(SIGCHLD, NULL, NULL, NULL, 0);
    if (pid == 0) {
        right();
        _exit(check_failures ? 1 : 0);
    }
    EXITS(pid, 0);
    right();
}

static void *ask(void *argument) {
    right();
    return argument;
}

// What is right for a thread that such a child has made is not so for its first one.
static void threads_after_raw_clone(void) {
    const pid_t pid = (pid_t)machine_clone(SIGCHLD, NULL, NULL, NULL, 0);
    if (pid == 0) {
        pthread_t thread;
        NEED(pthread_create(&thread, NULL, ask, NULL) == 0);
        pthread_join(thread, NULL);
        right();
        _exit(check_failures ? 1 : 0);
    }
    EXITS(pid, 0);
}

static void after_vfork(void) {
    // vfork() is fork() where musl has no assembly for it.
    volatile struct {
        pid_t said, called, tid, called_tid;
    } *child = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    NEED(child != MAP_FAILED);
    right();
    for (int i = 0; i < 3; i++) {
        const pid_t pid = vfork();
        if (pid == 0) {
            child->said = ask_pid();
            child->called = called_pid();
            child->said = child->said == ask_pid() ? child->said : -1; // the same again
#ifdef __posix_x__
            child->tid = gettid();
            child->called_tid = called_tid();
#endif
            _exit(0);
        }
        EXITS(pid, 0);
        SAME(child->said, pid);
        SAME(child->called, pid);
        SAME(child->tid, child->called_tid);
        right();
    }
}

static void handler(int number) {
    (void)number;
    right();
}

// A handler runs wherever the signal comes.
static void in_handlers(void) {
    NEED(signal(SIGUSR1, handler) != SIG_ERR);
    right();
    raise(SIGUSR1);
    const pid_t pid = vfork();
    if (pid == 0) {
        syscall(SYS_kill, called_pid(), SIGUSR1);
        _exit(0);
    }
    EXITS(pid, 0);
    raise(SIGUSR1);
}

// Another process in the same memory: it has its own pid, and this one keeps its own, while both
// ask.
static atomic_bool child_ready, over;
static char stack[STACK_BYTES] __attribute__((aligned(16)));
static char second_stack[STACK_BYTES] __attribute__((aligned(16)));

static int sharing(void *argument) {
    (void)argument;
    const pid_t own = called_pid();
    child_ready = true;
    while (!over) {
        if (ask_pid() != own) {
            _exit(1);
        }
    }
    _exit(ask_pid() != own);
}

static pid_t share(void) {
    child_ready = over = false;
    return clone(sharing, stack + STACK_BYTES, CLONE_VM | SIGCHLD, NULL);
}

static void shared_memory(void) {
    for (int i = 0; i < 20; i++) {
        right_pid();
        const pid_t pid = share();
        NEED(pid > 0);
        while (!child_ready) {
            right_pid();
            sched_yield();
        }
        for (int k = 0; k < 200; k++) {
            right_pid();
        }
        over = true;
        EXITS(pid, 0);
        right_pid();
    }
}

// Whose memory it is in the end: the one's that is left.
static int outliving(void *argument) {
    while (getppid() == *(pid_t *)argument) {
        sched_yield();
    }
    const pid_t own = called_pid();
    for (int i = 0; i < 100; i++) {
        CHECK(ask_pid() == own);
    }
    pid_t pid;
    CHILD(pid) {
        right_pid();
    }
    EXITS(pid, 0);
    _exit(check_failures ? 1 : 0);
}

static void outlives_its_parent(void) {
    int line[2];
    NEED(pipe(line) == 0);
    pid_t pid;
    CHILD(pid) {
        pid_t own = ask_pid();
        right_pid();
        NEED(clone(outliving, stack + STACK_BYTES, CLONE_VM, &own) > 0);
    }
    EXITS(pid, 0);
    close(line[1]);
    char byte;
    SAME(read(line[0], &byte, 1), 0); // the other one has ended, too
}

// A thread asks all the time while others come to share its memory and go.
static void *asks(void *argument) {
    const pid_t own = called_pid();
    while (!over) {
        CHECK(ask_pid() == own);
    }
    return argument;
}

static int looks(void *argument) {
    (void)argument;
    const pid_t own = called_pid();
    for (int i = 0; i < 50; i++) {
        if (ask_pid() != own) {
            _exit(1);
        }
    }
    _exit(0);
}

static void shared_while_asked(void) {
    pthread_t thread;
    over = false;
    NEED(pthread_create(&thread, NULL, asks, NULL) == 0);
    for (int i = 0; i < 300; i++) {
        const pid_t pid = clone(looks, second_stack + STACK_BYTES, CLONE_VM | SIGCHLD, NULL);
        NEED(pid > 0);
        EXITS(pid, 0);
        pid_t forked;
        if (i % 10 == 0) {
            CHILD(forked) {
                right_pid();
            }
            EXITS(forked, 0);
        }
    }
    over = true;
    pthread_join(thread, NULL);
}

// ---- threads and programs

static void *in_thread(void *argument) {
    right();
    CHECK(getpid() == *(pid_t *)argument && called_tid() != getpid());
    pid_t pid;
    CHILD(pid) {
        right(); // the child's first thread
        CHECK(getpid() == called_tid());
    }
    EXITS(pid, 0);
    return NULL;
}

static void threads(void) {
    pthread_t threads[3];
    pid_t own = getpid();
    for (int i = 0; i < 3; i++) {
        NEED(pthread_create(&threads[i], NULL, in_thread, &own) == 0);
    }
    for (int i = 0; i < 3; i++) {
        pthread_join(threads[i], NULL);
    }
    right();
}

static void *execs(void *argument) {
    char pid[16];
    (void)argument;
    snprintf(pid, sizeof pid, "%d", called_pid());
    execl("/proc/self/exe", "fast_route", "is", pid, NULL);
    return NULL;
}

static void exec(void) {
    pid_t pid;
    CHILD(pid) {
        right();
        execs(NULL);
    }
    EXITS(pid, 0);
    CHILD(pid) { // from a thread, whose number is not the process's
        pthread_t thread;
        right();
        NEED(pthread_create(&thread, NULL, execs, NULL) == 0);
        pthread_join(thread, NULL);
        NEED(!"reached");
    }
    EXITS(pid, 0);
    const pid_t child = vfork();
    if (child == 0) {
        execs(NULL);
        _exit(9);
    }
    EXITS(child, 0);
    right();
}

// ---- names

static void named(char letter) {
    char name[64];
    memset(name, letter, sizeof name);
    NEED(sethostname(name, sizeof name) == 0);
}

static void names(void) {
    struct utsname said, called, before;
    SAME(ask_names(&before), 0);
    SAME(syscall(SYS_uname, &called), 0);
    CHECK(memcmp(&before, &called, sizeof called) == 0);
    named('n');
    SAME(setdomainname("domain", 6), 0);
    SAME(ask_names(&said), 0);
    SAME(syscall(SYS_uname, &called), 0);
    CHECK(memcmp(&said, &called, sizeof called) == 0);
    CHECK(said.nodename[0] == 'n' && said.nodename[63] == 'n' && said.nodename[64] == '\0');
    CHECK(strcmp(said.domainname, "domain") == 0);
    char text[65];
    SAME(gethostname(text, sizeof text), 0);
    CHECK(strcmp(text, said.nodename) == 0);
    int fd = open("/proc/sys/kernel/hostname", O_WRONLY);
    SAME(write(fd, "short", 5), 5);
    close(fd);
    SAME(ask_names(&said), 0);
    CHECK(strcmp(said.nodename, "short") == 0);
    SAME(setdomainname(before.domainname, strlen(before.domainname)), 0);
    SAME(sethostname(before.nodename, strlen(before.nodename)), 0);
}

// Whoever reads while the name changes has the old one or the new one.
static void names_are_whole(void) {
    struct utsname before, said;
    SAME(ask_names(&before), 0);
    named('a');
    pid_t pid;
    CHILD(pid) {
        for (int i = 0; i < 5000; i++) {
            named(i % 2 != 0 ? 'a' : 'b');
        }
    }
    for (int i = 0; i < 5000; i++) {
        SAME(ask_names(&said), 0);
        const char first = said.nodename[0];
        for (int at = 0; at < 64; at++) {
            NEED(said.nodename[at] == first && (first == 'a' || first == 'b'));
        }
    }
    EXITS(pid, 0);
    SAME(sethostname(before.nodename, strlen(before.nodename)), 0);
}

// ---- the page

// The kernel's pages in front of the vDSO; 0: there are none.
static unsigned long pages_start, pages_end;

static void find_pages(void) {
    char line[512], named[64];
    FILE *maps = fopen("/proc/self/maps", "r");
    NEED(maps != NULL);
    pages_start = 0;
    while (pages_start == 0 && fgets(line, sizeof line, maps) != NULL) {
        if (sscanf(line, "%lx-%lx %*s %*s %*s %*s %63s", &pages_start, &pages_end, named) != 3 ||
            strcmp(named, "[vvar]") != 0) {
            pages_start = 0;
        }
    }
    fclose(maps);
}

static bool is_helix(void) {
    return access("/proc/helix", F_OK) == 0;
}

static void only_read(void) {
    if (!is_helix()) {
        return; // Linux has pages there that are not
    }
    right();
    find_pages();
    NEED(pages_start != 0);
    for (unsigned long at = pages_start; at < pages_end; at += PAGE) {
        pid_t pid;
        CHILD(pid) {
            *(volatile int *)at = 1;
        }
        KILLED(pid, SIGSEGV);
        CHILD(pid) {
            ((void (*)(void))at)();
        }
        KILLED(pid, SIGSEGV);
    }
    REFUSED(mprotect((void *)pages_start, PAGE, PROT_READ | PROT_WRITE), EACCES);
    REFUSED(read(open("/dev/zero", O_RDONLY), (void *)pages_start, 8), EFAULT);
    right();
}

// What a program has mapped in the page's place is the program's.
static void not_the_kernels_to_write(void) {
    static char buffer[PAGE] __attribute__((aligned(4096)));
    if (!is_helix()) {
        return;
    }
    find_pages();
    const volatile long *clocks = (const long *)(pages_start + PAGE);
    const long base = *clocks;
    const long places[] = {
        0,        (long)buffer,    1, (long)(pages_start + PAGE), (long)pages_end, -1,
        LONG_MIN, (long)after_fork
    };
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        SAME(syscall(CALL_PROCESS_PID, places[i]), called_pid());
    }
    for (size_t i = 0; i < sizeof buffer; i++) {
        NEED(buffer[i] == 0);
    }
    CHECK(*clocks == base); // what never changes
    right();
    pid_t pid;
    CHILD(pid) {
        int *own = mmap((void *)pages_start, PAGE, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
        NEED(own == (int *)pages_start);
        right_pid();
        SAME(syscall(CALL_PROCESS_PID, own), called_pid());
        SAME(*own, 0);
    }
    EXITS(pid, 0);
}

// Advice does not give a child its parent's page, nor keep the parent from its own.
static void advice(void) {
    if (!is_helix()) {
        return;
    }
    find_pages();
    right();
    void *page = (void *)pages_start;
    (void)madvise(page, PAGE, MADV_KEEPONFORK);
    pid_t pid;
    CHILD(pid) {
        right();
    }
    EXITS(pid, 0);
    (void)madvise(page, PAGE, MADV_DONTNEED);
    right();
    CHILD(pid) {
        right();
        (void)madvise(page, PAGE, MADV_DONTNEED);
        right();
        SAME(*(volatile int *)page == 0 || *(volatile int *)page == called_pid(), true);
    }
    EXITS(pid, 0);
}

// ---- without a call

#ifdef __posix_x__
// Calls of all threads that the kernel has recorded.
static long long calls_recorded(void) {
    char line[256];
    long long calls = -1;
    FILE *counts = fopen("/proc/helix/trace/counts", "r");
    NEED(counts != NULL);
    while (calls < 0 && fgets(line, sizeof line, counts) != NULL) {
        sscanf(line, "CALL %lld", &calls);
    }
    fclose(counts);
    return calls;
}

static void record(const char *what) {
    const int fd = open("/proc/helix/trace/on", O_WRONLY);
    NEED(fd >= 0);
    SAME(write(fd, what, strlen(what)), strlen(what));
    close(fd);
}

static void without_a_call(void) {
    struct utsname name;
    struct timespec time;
    if (!is_helix()) {
        return;
    }
    const pid_t pid = vfork(); // shares the memory only until it is over
    if (pid == 0) {
        _exit(getpid() != called_pid());
    }
    EXITS(pid, 0);
    right();
    NEED(uname(&name) == 0 && clock_gettime(CLOCK_MONOTONIC, &time) == 0);
    record("syscall\n");
    const long long before = calls_recorded();
    for (int i = 0; i < 10000; i++) {
        getpid();
        gettid();
        uname(&name);
        clock_gettime(CLOCK_MONOTONIC, &time);
        clock_gettime(CLOCK_REALTIME, &time);
    }
    const long long calls = calls_recorded() - before;
    record("\n");
    CHECK(before >= 0 && calls > 0 && calls < 5000);
    right();
}
#endif

static const struct check_case cases[] = {
    CASE(after_fork),
    CASE(after_raw_clone),
    CASE(threads_after_raw_clone),
    CASE(after_vfork),
    CASE(in_handlers),
    CASE(shared_memory),
    CASE(outlives_its_parent),
    CASE(shared_while_asked),
    CASE(threads),
    CASE(exec),
    CASE(names),
    CASE(names_are_whole),
    CASE(only_read),
    CASE(not_the_kernels_to_write),
    CASE(advice),
#ifdef __posix_x__
    CASE(without_a_call),
#endif
};

int main(int argc, char **argv) {
    find_functions();
    if (argc == 3 && strcmp(argv[1], "is") == 0) {
        right();
        CHECK(getpid() == atoi(argv[2]));
        return check_failures != 0;
    }
    return check_main(cases, sizeof cases / sizeof cases[0], argc, argv);
}
