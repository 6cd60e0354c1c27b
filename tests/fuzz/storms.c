// SPDX-License-Identifier: MIT OR Apache-2.0
// tests/fuzz/storms.c: many at once on the same things: storms SEED [CASE...]. Each storm lasts a
// moment; what must hold is that it ends, and that what it pressed on still works.
#include "../scenario/check.h"
#include "random.h"

#include <dirent.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/timerfd.h>

#define STORM_MS 1500
#define STORMERS 4

static uint64_t seed = 1;
static int64_t storm_end;
static uint64_t stormer_index; // which of the processes this one is

struct stormer {
    struct generator generator;
    void (*body)(struct generator *generator);
};

static bool goes_on(void) {
    return now_ms() < storm_end;
}

static void *stormer_main(void *argument) {
    struct stormer *self = argument;
    while (goes_on()) {
        self->body(&self->generator);
    }
    return NULL;
}

// By threads of one process, which may die of it.
static void storm_of_threads(void (*body)(struct generator *generator)) {
    storm_end = now_ms() + STORM_MS;
    pid_t pid = fork();
    if (pid == 0) {
        static struct stormer stormers[STORMERS];
        pthread_t threads[STORMERS];
        for (uint64_t i = 0; i < STORMERS; i++) {
            stormers[i] = (struct stormer){ generator_of(seed, i), body };
            NEED(pthread_create(&threads[i], NULL, stormer_main, &stormers[i]) == 0);
        }
        for (uint64_t i = 0; i < STORMERS; i++) {
            pthread_join(threads[i], NULL);
        }
        _exit(0);
    }
    EXITS(pid, 0);
}

static void storm_of_processes(void (*body)(struct generator *generator)) {
    pid_t pids[STORMERS];
    storm_end = now_ms() + STORM_MS;
    for (uint64_t i = 0; i < STORMERS; i++) {
        pids[i] = fork();
        if (pids[i] == 0) {
            struct stormer self = { generator_of(seed, i), body };
            stormer_index = i;
            stormer_main(&self);
            _exit(0);
        }
    }
    for (uint64_t i = 0; i < STORMERS; i++) {
        EXITS(pids[i], 0);
    }
}

// ---- memory

#define REGION       0x30000000ul
#define REGION_PAGES 64u

#define REMAP_DONTUNMAP 4 // not in every libc's header

static int region_file = -1;
static int null_pipe[2];

static void memory_body(struct generator *generator) {
    const uint64_t pages = 1 + below(generator, 12);
    char *at = (char *)REGION + below(generator, REGION_PAGES) * PAGE;
    char *other = (char *)REGION + below(generator, REGION_PAGES) * PAGE;
    const int protection = (int)below(generator, 8) & (PROT_READ | PROT_WRITE);
    static const int advice[] = { MADV_DONTNEED, MADV_WILLNEED, MADV_FREE, MADV_NORMAL };
    switch (below(generator, 10)) {
    case 0:
        mmap(at, pages * PAGE, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
        break;
    case 1:
        mmap(at, pages * PAGE, protection, MAP_SHARED | MAP_FIXED, region_file,
             (off_t)(below(generator, 8) * PAGE));
        break;
    case 2:
        munmap(at, pages * PAGE);
        break;
    case 3:
        mprotect(at, pages * PAGE, protection);
        break;
    case 4:
        mremap(at, pages * PAGE, (1 + below(generator, 12)) * PAGE, MREMAP_MAYMOVE);
        break;
    case 5:
        syscall(SYS_mremap, at, pages * PAGE,
                (one_in(generator, 2) ? pages : 1 + below(generator, 12)) * PAGE,
                MREMAP_MAYMOVE | MREMAP_FIXED | (one_in(generator, 4) ? REMAP_DONTUNMAP : 0),
                other);
        break;
    case 6:
        madvise(at, pages * PAGE, ELEMENT(generator, advice));
        break;
    case 7: // touched by the kernel, so that what is not there is an errno
        (void)!pread(region_file, at, pages * PAGE, 0);
        break;
    case 8:
        (void)!pwrite(region_file, at, pages * PAGE, (off_t)below(generator, 32768));
        break;
    default:
        if (one_in(generator, 8)) {
            (void)!ftruncate(region_file, (off_t)below(generator, 16 * PAGE));
        } else if (one_in(generator, 8)) {
            pid_t pid = fork();
            if (pid == 0) {
                (void)!pread(region_file, at, pages * PAGE, 0);
                _exit(0);
            }
            (void)check_wait(pid);
        } else {
            (void)!write(null_pipe[1], at, 64);
            (void)!read(null_pipe[0], other, 64);
        }
    }
}

static void memory_prepare(void) {
    region_file = open("region", O_RDWR | O_CREAT, 0600);
    NEED(region_file >= 0 && ftruncate(region_file, 16 * PAGE) == 0);
    NEED(pipe2(null_pipe, O_NONBLOCK) == 0);
}

static void memory_by_threads(void) {
    memory_prepare();
    storm_of_threads(memory_body);
}

static void memory_by_processes(void) {
    memory_prepare();
    storm_of_processes(memory_body);
}

// ---- descriptors

static int draw_open(struct generator *generator) {
    return 3 + (int)below(generator, 24);
}

static void open_something(struct generator *generator) {
    int pair[2];
    switch (below(generator, 6)) {
    case 0:
        (void)!pipe2(pair, O_NONBLOCK);
        break;
    case 1:
        (void)eventfd(below(generator, 3), EFD_NONBLOCK);
        break;
    case 2:
        (void)epoll_create1(0);
        break;
    case 3:
        (void)timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
        break;
    case 4:
        (void)open("shared", O_RDWR | O_CREAT | O_NONBLOCK, 0600);
        break;
    default:
        (void)open("/proc/self/fd", O_RDONLY | O_DIRECTORY);
    }
}

static void wait_somehow(struct generator *generator) {
    struct pollfd fds[8];
    struct epoll_event events[8];
    for (size_t i = 0; i < COUNT(fds); i++) {
        fds[i] = (struct pollfd){ .fd = draw_open(generator), .events = (short)draw(generator) };
    }
    if (one_in(generator, 2)) {
        poll(fds, COUNT(fds), (int)below(generator, 3));
    } else {
        epoll_wait(draw_open(generator), events, COUNT(events), (int)below(generator, 3));
    }
}

static void descriptors_body(struct generator *generator) {
    char bytes[512] = { 0 };
    struct epoll_event event = { .events = (uint32_t)draw(generator) };
    struct itimerspec soon = { { 0, 100000 }, { 0, 100000 } };
    switch (below(generator, 10)) {
    case 0:
    case 1:
        open_something(generator);
        break;
    case 2:
        close(draw_open(generator));
        break;
    case 3:
        dup2(draw_open(generator), draw_open(generator));
        break;
    case 4:
        epoll_ctl(draw_open(generator), 1 + (int)below(generator, 3), draw_open(generator), &event);
        break;
    case 5:
    case 6:
        wait_somehow(generator);
        break;
    case 7:
        timerfd_settime(draw_open(generator), 0, &soon, NULL);
        break;
    case 8: {
        const int fd = draw_open(generator);
        fcntl(fd, F_SETFL, O_NONBLOCK);
        (void)!read(fd, bytes, sizeof(bytes));
        break;
    }
    default: {
        const int fd = draw_open(generator);
        fcntl(fd, F_SETFL, O_NONBLOCK);
        (void)!write(fd, bytes, 8 * below(generator, 64));
    }
    }
}

static void descriptors_main(void) {
    struct rlimit limits = { 30, 30 };
    setrlimit(RLIMIT_NOFILE, &limits);
    signal(SIGPIPE, SIG_IGN);
    storm_of_threads(descriptors_body);
}

// ---- names

static void draw_name(struct generator *generator, char *name) {
    static const char *const words[] = {
        "a", "b", "c", "d/a", "d/b", "d", "e", "e/a", "d/e", "e/d"
    };
    strcpy(name, ELEMENT(generator, words));
}

static void names_body(struct generator *generator) {
    char one[16], two[16];
    draw_name(generator, one);
    draw_name(generator, two);
    switch (below(generator, 11)) {
    case 0:
        rename(one, two);
        break;
    case 1:
        syscall(SYS_renameat2, AT_FDCWD, one, AT_FDCWD, two, 1 + below(generator, 2));
        break;
    case 2:
        link(one, two);
        break;
    case 3:
        unlink(one);
        break;
    case 4:
        mkdir(one, 0777);
        break;
    case 5:
        rmdir(one);
        break;
    case 6:
        symlink(one, two);
        break;
    case 7: {
        int fd = open(one, O_RDWR | O_CREAT, 0666);
        (void)!write(fd, one, sizeof(one));
        close(fd);
        break;
    }
    case 8: {
        DIR *folder = opendir(one);
        while (folder && readdir(folder)) {
        }
        if (folder) {
            closedir(folder);
        }
        break;
    }
    case 9: {
        char where[512];
        if (chdir(one) == 0) {
            (void)!getcwd(where, sizeof(where));
            (void)!chdir(one_in(generator, 2) ? ".." : "../..");
        }
        break;
    }
    default: {
        struct stat about;
        stat(one, &about);
        truncate(two, below(generator, 9000));
    }
    }
}

static void names_home(struct generator *generator) {
    static int home = -1;
    if (home < 0) {
        home = open(".", O_RDONLY | O_DIRECTORY);
    }
    (void)!fchdir(home);
    for (int i = 0; i < 20; i++) {
        names_body(generator);
    }
}

static void names_by_processes(void) {
    NEED(mkdir("inner", 0777) == 0 && chdir("inner") == 0);
    storm_of_processes(names_home);
}

// ---- processes

static void read_all(const char *path) {
    char bytes[4096];
    int fd = open(path, O_RDONLY | O_NONBLOCK);
    while (fd >= 0 && read(fd, bytes, sizeof(bytes)) > 0) {
    }
    close(fd);
}

static void read_processes(void) {
    static const char *const files[] = { "stat", "status", "maps",   "cmdline", "environ", "statm",
                                         "comm", "limits", "mounts", "wchan",   "task" };
    char path[300], target[300];
    DIR *folder = opendir("/proc");
    for (struct dirent *entry; folder && (entry = readdir(folder));) {
        for (size_t i = 0; i < COUNT(files) && entry->d_name[0] <= '9'; i++) {
            snprintf(path, sizeof(path), "/proc/%s/%s", entry->d_name, files[i]);
            read_all(path);
        }
        snprintf(path, sizeof(path), "/proc/%s/exe", entry->d_name);
        (void)!readlink(path, target, sizeof(target));
        snprintf(path, sizeof(path), "/proc/%s/fd", entry->d_name);
        DIR *fds = opendir(path);
        while (fds && readdir(fds)) {
        }
        if (fds) {
            closedir(fds);
        }
    }
    closedir(folder);
}

static void *short_thread(void *argument) {
    sched_yield();
    return argument;
}

static void die_somehow(struct generator *generator) {
    pthread_t thread;
    pid_t pid = one_in(generator, 3) ? vfork() : fork();
    if (pid == 0) {
        switch (below(generator, 4)) {
        case 0:
            execl("/proc/self/exe", "storms", "nothing", NULL);
            _exit(1);
        case 1:
            kill(getpid(), SIGKILL);
            _exit(1);
        default:
            _exit(0);
        }
    }
    if (one_in(generator, 2) && pthread_create(&thread, NULL, short_thread, NULL) == 0) {
        pthread_join(thread, NULL);
    }
    if (one_in(generator, 4)) {
        kill(pid, one_in(generator, 2) ? SIGSTOP : SIGTERM);
        kill(pid, SIGCONT);
    }
    (void)check_wait(pid);
}

static void processes_body(struct generator *generator) {
    if (one_in(generator, 8)) {
        read_processes();
    } else {
        die_somehow(generator);
    }
}

static void processes_and_readers(void) {
    storm_of_processes(processes_body);
}

// ---- signals

static void on_signal(int number) {
    (void)number;
}

static void signals_body(struct generator *generator) {
    static const int numbers[] = { SIGUSR1, SIGUSR2, SIGCHLD, SIGCONT, SIGTSTP, SIGURG, 40, 41 };
    const int number = ELEMENT(generator, numbers);
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigaddset(&set, 40);
    switch (below(generator, 6)) {
    case 0:
        sigprocmask((int)below(generator, 3), &set, NULL);
        break;
    case 1:
        sigtimedwait(&set, NULL, &(struct timespec){ 0, 100000 });
        break;
    case 2:
        kill(0, number);
        break;
    case 3:
        kill(getpid(), number);
        break;
    case 4:
        syscall(SYS_tgkill, getpid(), syscall(SYS_gettid), SIGUSR2);
        break;
    default:
        usleep(10);
    }
}

static void signals_in_a_group(void) {
    struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_RESTART };
    static const int numbers[] = { SIGUSR1, SIGUSR2, SIGTSTP, SIGCONT, 40, 41 };
    setpgid(0, 0);
    for (size_t i = 0; i < COUNT(numbers); i++) {
        sigaction(numbers[i], &action, NULL);
    }
    storm_of_processes(signals_body);
}

// What a child writes to shared memory, and what it adds, is there when it has ended.
static volatile uint32_t *shared_words;

static void shared_body(struct generator *generator) {
    const uint32_t mine = 16 + below(generator, 1000);
    volatile uint32_t *word = &shared_words[stormer_index * 1024 + mine];
    *word = 0;
    pid_t pid = fork();
    if (pid == 0) {
        *word = 1;
        __atomic_fetch_add(&shared_words[0], 1, __ATOMIC_RELAXED);
        if (one_in(generator, 2)) {
            madvise((void *)shared_words, 32 * PAGE, MADV_DONTNEED);
        }
        _exit(*word == 1 ? 0 : 1);
    }
    __atomic_fetch_add(&shared_words[1], 1, __ATOMIC_RELAXED);
    int status = check_wait(pid);
    if (status != 0 || *word != 1) {
        check_fail(__FILE_NAME__, __LINE__, "wait status 0x%x, word %u", status, *word);
        _exit(1);
    }
}

static void shared_memory(void) {
    shared_words = mmap(NULL, 32 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    NEED(shared_words != MAP_FAILED);
    storm_of_processes(shared_body);
    SAME(shared_words[0], shared_words[1]);
    CHECK(shared_words[0] > 0);
}

// Nothing that a child does with its mappings of shared memory changes what is in there.
static void press_on_mapping(struct generator *generator, char *region, uint64_t pages) {
    char *at = region + below(generator, pages) * PAGE;
    const uint64_t size = (1 + below(generator, pages)) * PAGE;
    static const int advice[] = { MADV_DONTNEED, MADV_FREE, 10, 11, 18, 19, 20, 21, 22 };
    switch (below(generator, 8)) {
    case 0:
        mmap(at, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
        break;
    case 1:
        munmap(at, one_in(generator, 2) ? PAGE : size);
        break;
    case 2:
        mprotect(at, size, (int)below(generator, 4));
        break;
    case 3:
        mremap(at, PAGE, (1 + below(generator, 12)) * PAGE, MREMAP_MAYMOVE);
        break;
    case 4:
        syscall(SYS_mremap, at, one_in(generator, 2) ? 0 : PAGE, size, MREMAP_MAYMOVE, 0);
        break;
    case 5:
        msync(at, size, (int)below(generator, 8));
        break;
    case 6:
        if (fork() == 0) {
            madvise(at, size, ELEMENT(generator, advice));
            _exit(0);
        }
        break;
    default:
        madvise(at, size, ELEMENT(generator, advice));
    }
}

static void mappings_of_shared_memory(void) {
    const uint64_t pages = 8;
    uint64_t *words =
        mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    for (uint64_t i = 0; i < pages * PAGE / 8; i++) {
        words[i] = i * 3 + 1;
    }
    for (uint64_t round = 0; round < 400; round++) {
        pid_t pid = fork();
        if (pid == 0) {
            struct generator generator = generator_of(seed, round);
            for (int i = 0; i < 6; i++) {
                press_on_mapping(&generator, (char *)words, pages);
            }
            _exit(0);
        }
        (void)check_wait(pid);
        for (uint64_t i = 0; i < pages * PAGE / 8; i++) {
            if (words[i] != i * 3 + 1) {
                check_fail(__FILE_NAME__, __LINE__, "round %d: word %d is %llx", (int)round, (int)i,
                           (unsigned long long)words[i]);
                return;
            }
        }
    }
}

static const struct check_case cases[] = {
    CASE(mappings_of_shared_memory), CASE(shared_memory),      CASE(memory_by_threads),
    CASE(memory_by_processes),       CASE(descriptors_main),   CASE(names_by_processes),
    CASE(processes_and_readers),     CASE(signals_in_a_group),
};

int main(int argc, char **argv) {
    if (argc < 2 || strcmp(argv[1], "nothing") == 0) {
        return 2;
    }
    seed = strtoull(argv[1], NULL, 10);
    umask(0);
    return check_main(cases, sizeof(cases) / sizeof(cases[0]), argc - 1, argv + 1);
}
