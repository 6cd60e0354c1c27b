// SPDX-License-Identifier: MIT OR Apache-2.0
// tests/fuzz/deeds.c SEED SECONDS [ROUND]: presses the kernel with whatever a program can do,
// for so many seconds. The kernel must go on answering; what becomes of the children does not
// matter.
//
// A round is a child with limits of its own that does one of the nasty things below: memory,
// processes, descriptors and files without end, wild jumps and stacks, random code, bent signal
// frames. The seed decides everything, so ROUND repeats a single one. Random calls proper are in
// syscalls.c.
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

static uint64_t state;

static uint64_t next(void) {
    state += 0x9e3779b97f4a7c15; // splitmix64
    uint64_t z = state;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
}

static uint64_t below(uint64_t limit) {
    return next() % limit;
}

static char buffer[65536] __attribute__((aligned(4096)));
static char read_only[4096] __attribute__((aligned(4096)));

static const char *const paths[] = {
    "/",
    "/tmp",
    "/tmp/a",
    "/tmp/a/b",
    "/tmp/b",
    "/dev/null",
    "/dev/zero",
    "/dev/tty",
    "/proc",
    "/proc/self/stat",
    "/proc/self/fd/0",
    "/proc/1/maps",
    "/bin/sh",
    "",
    "/tmp/../tmp/c",
    "/tmp/loop",
    "/dev/full",
    "/proc/self/maps",
};

static uint64_t pointer(void) {
    static const uint64_t bad[] = { 0,
                                    8,
                                    0x1000,
                                    0x00007ffffffff000,
                                    0x0000800000000000,
                                    0xffff800000000000,
                                    0xffff888000000000,
                                    0xffffffff80000000,
                                    0xfffffffffffffff0 };
    switch (below(8)) {
    case 0:
        return bad[below(sizeof bad / sizeof bad[0])];
    case 1:
        return (uint64_t)read_only + below(4096);
    case 2:
        return (uint64_t)buffer + sizeof buffer - below(16); // runs over the end
    case 3:
        return (uint64_t)paths[below(sizeof paths / sizeof paths[0])];
    case 4:
        return next();
    default:
        return (uint64_t)buffer + (below(sizeof buffer) & ~7ull);
    }
}

static uint64_t number(void) {
    static const uint64_t edges[] = { 0,          1,          2,          7,
                                      8,          16,         64,         255,
                                      4095,       4096,       4097,       65536,
                                      0x7fffffff, 0x80000000, 0xffffffff, 0x7fffffffffffffff,
                                      UINT64_MAX, 1ull << 63, -100ull };
    switch (below(4)) {
    case 0:
        return edges[below(sizeof edges / sizeof edges[0])];
    case 1:
        return below(16); // descriptors, signals, small flags
    case 2:
        return 1ull << below(64);
    default:
        return below(3) ? below(65536) : next();
    }
}

// Calls that hang together: descriptors that exist, names that exist, memory that is mapped.
static void likely_calls(void) {
    int fds[8];
    for (int i = 0; i < 8; i++) {
        fds[i] = -1;
    }
    for (int i = 0; i < 400; i++) {
        int *fd = &fds[below(8)];
        const char *path = paths[below(sizeof paths / sizeof paths[0])];
        const char *other = paths[below(sizeof paths / sizeof paths[0])];
        char *at = buffer + below(sizeof buffer / 2);
        size_t size = below(20000);
        syscall(SYS_alarm, 1);
        switch (below(24)) {
        case 0:
            close(*fd);
            *fd = open(path, (int)(below(4) | (next() & 0777700)) | O_NONBLOCK, 0777);
            break;
        case 1:
            (void)!write(*fd, at, size);
            break;
        case 2:
            (void)!read(*fd, at, size);
            break;
        case 3:
            lseek(*fd, (off_t)below(1 << 20), (int)below(4));
            break;
        case 4:
            (void)!ftruncate(*fd, (off_t)below(1 << 20));
            break;
        case 5:
            mmap(NULL, size + 1, (int)below(8), (int)(1 + below(2)), *fd, (off_t)below(4) * 4096);
            break;
        case 6:
            munmap(buffer + sizeof buffer + below(64) * 4096, size + 1);
            break;
        case 7:
            unlink(path);
            break;
        case 8:
            rename(path, other);
            break;
        case 9:
            link(path, other);
            break;
        case 10:
            (void)!symlink(other, path);
            break;
        case 11:
            mkdir(path, 0777);
            break;
        case 12:
            rmdir(path);
            break;
        case 13: {
            int line[2];
            if (pipe2(line, O_NONBLOCK) == 0) {
                close(*fd);
                *fd = line[below(2)];
                close(line[0] == *fd ? line[1] : line[0]);
            }
            break;
        }
        case 14:
            dup2(*fd, (int)below(20));
            break;
        case 15:
            syscall(SYS_getdents64, *fd, at, size);
            break;
        case 16:
            mprotect(mmap(NULL, 65536, 3, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
                     below(65536) & ~4095ul, (int)below(8));
            break;
        case 17:
            signal((int)below(65), below(2) ? SIG_IGN : SIG_DFL);
            break;
        case 18:
            kill(getpid(), (int)(below(2) ? SIGWINCH : below(65)));
            break;
        case 19:
            if (fork() == 0) {
                _exit(0);
            }
            break;
        case 20:
            waitpid(-1, NULL, WNOHANG);
            break;
        case 21:
            syscall(SYS_futex, at, below(14), number(), NULL, at + 8, number());
            break;
        case 22:
            syscall(SYS_ioctl, *fd, 0x5400 + below(0x60), at);
            break;
        default:
            sched_yield();
        }
    }
}

static void exhaust_memory(void) {
    for (size_t size = (size_t)64 << 20; size >= 4096;) {
        char *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (at == MAP_FAILED) {
            size /= 2;
            continue;
        }
        for (size_t i = 0; i < size; i += 4096) {
            at[i] = 1;
        }
    }
}

static void fill_the_file_system(void) {
    char name[64];
    for (int i = 0; i < 64; i++) {
        snprintf(name, sizeof name, "/tmp/fill-%d-%d", getpid(), i);
        int fd = open(name, O_CREAT | O_RDWR, 0600);
        unlink(name);
        while (write(fd, buffer, sizeof buffer) > 0) {
        }
    }
}

static void fork_bomb(void) {
    for (;;) {
        if (fork() < 0 && below(4) == 0) {
            _exit(0);
        }
    }
}

static void many_descriptors(void) {
    int line[2];
    while (pipe(line) == 0) {
        (void)!write(line[1], buffer, 60000);
    }
}

static void run_code(const unsigned char *code, size_t length) {
    unsigned char *at =
        mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memcpy(at, code, length);
    ((void (*)(void))at)();
}

static void random_code(void) {
    unsigned char code[256];
    for (size_t i = 0; i < sizeof code; i++) {
        code[i] = (unsigned char)next();
    }
    run_code(code, sizeof code);
}

static void wild_jump(void) {
    ((void (*)(void))pointer())();
}

static void wild_write(void) {
    *(volatile char *)pointer() = 1;
    *(volatile char *)(uintptr_t)read_only = 1;
}

static void wild_stack(void) {
    uint64_t stack = pointer();
    __asm__ volatile("mov %0, %%rsp; mov $39, %%eax; syscall; push %%rax; syscall; ud2" ::"r"(stack)
                     : "memory");
}

static void wild_segments(void) {
    uint16_t selector = (uint16_t)next();
    switch (below(4)) {
    case 0:
        __asm__ volatile("mov %0, %%ds" ::"r"(selector));
        break;
    case 1:
        __asm__ volatile("mov %0, %%fs; mov %%fs:0, %%rax" ::"r"(selector) : "rax");
        break;
    case 2:
        __asm__ volatile("mov %0, %%gs; mov %%gs:0, %%rax" ::"r"(selector) : "rax");
        break;
    default:
        __asm__ volatile("mov %0, %%ss" ::"r"(selector));
    }
}

static void wild_flags(void) {
    uint64_t flags = next() & 0x7fffff;
    __asm__ volatile("push %0; popfq; mov $39, %%eax; syscall" ::"r"(flags)
                     : "rax", "rcx", "r11", "memory", "cc");
    __asm__ volatile("push $0x202; popfq" ::: "cc", "memory");
}

static void wild_return_frame(void) {
    for (size_t i = 0; i + 8 <= sizeof buffer; i += 8) {
        uint64_t value = below(4) ? number() : pointer();
        memcpy(buffer + i, &value, 8);
    }
    __asm__ volatile("mov %0, %%rsp; mov $15, %%eax; syscall" ::"r"(buffer + 4096) : "memory");
}

static void on_any(int signal_number, siginfo_t *info, void *context) {
    (void)signal_number;
    (void)info;
    ucontext_t *machine = context;
    uint64_t *words = (uint64_t *)&machine->uc_mcontext;
    words[below(sizeof machine->uc_mcontext / 8)] = below(2) ? next() : pointer();
    if (below(4) == 0 && machine->uc_mcontext.fpregs) {
        ((uint64_t *)machine->uc_mcontext.fpregs)[below(80)] = next();
    }
}

static void bent_signal_frames(void) {
    struct sigaction action = { .sa_sigaction = on_any, .sa_flags = SA_SIGINFO | SA_NODEFER };
    sigaction(SIGUSR1, &action, NULL);
    for (int i = 0; i < 20; i++) {
        raise(SIGUSR1);
    }
}

static void *thread_of_storm(void *unused) {
    (void)unused;
    for (int i = 0; i < 200; i++) {
        char *at =
            mmap(NULL, 16 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (at != MAP_FAILED) {
            at[below(16) * 4096] = 1;
            mprotect(at, 8 * 4096, (int)below(4));
            munmap(at + below(8) * 4096, 8 * 4096);
        }
        if (below(64) == 0) {
            exit(0);
        }
    }
    return NULL;
}

static void thread_storm(void) {
    pthread_t thread;
    for (int i = 0; i < 8; i++) {
        pthread_create(&thread, NULL, thread_of_storm, NULL);
    }
    thread_of_storm(NULL);
    if (below(2)) {
        execl("/bin/busybox", "true", NULL);
    }
}

static void bad_programs(void) {
    static char image[1 << 20];
    int fd = open("/bin/busybox", O_RDONLY);
    ssize_t length = read(fd, image, sizeof image);
    char name[64];
    snprintf(name, sizeof name, "/tmp/bad-%d", getpid());
    for (int i = 0; i < 20; i++) {
        image[below(512)] = (char)next();
    }
    fd = open(name, O_CREAT | O_WRONLY | O_TRUNC, 0700);
    (void)!write(fd, image, below(2) ? (size_t)length : below((uint64_t)length + 1));
    close(fd);
    char *arguments[] = { name, NULL };
    syscall(SYS_alarm, 1);
    execv(name, arguments);
}

static void (*const acts[])(void) = {
    likely_calls,         likely_calls, exhaust_memory,    fork_bomb,          many_descriptors,
    random_code,          random_code,  wild_jump,         wild_write,         wild_stack,
    wild_segments,        wild_flags,   wild_return_frame, bent_signal_frames, thread_storm,
    fill_the_file_system, bad_programs,
};

static void limit(int resource, rlim_t value) {
    struct rlimit both = { value, value };
    setrlimit(resource, &both);
}

static void one_round(uint64_t seed, uint64_t round) {
    state = seed * 1000003 + round;
    setsid();
    int null = open("/dev/null", O_RDWR);
    for (int fd = 0; fd < 3; fd++) {
        dup2(null, fd);
    }
    // Memory stays unlimited in one round of eight: then the machine itself runs out.
    if (below(8)) {
        limit(RLIMIT_AS, (rlim_t)128 << 20);
    }
    limit(RLIMIT_NPROC, 40);
    limit(RLIMIT_NOFILE, 64);
    limit(RLIMIT_CPU, 3);
    limit(RLIMIT_FSIZE, (rlim_t)16 << 20);
    limit(RLIMIT_CORE, 0);
    if (below(4)) {
        (void)!setgid(1000 + (gid_t)below(4));
        (void)!setuid(1000 + (uid_t)below(4));
    } else {
        (void)!setuid(2000); // a fork bomb of root would have no limit
    }
    mprotect(read_only, sizeof read_only, PROT_READ);
    fill_buffer();
    syscall(SYS_alarm, 2);
    acts[below(sizeof acts / sizeof acts[0])]();
    _exit(0);
}

// Ends what a round left behind, and answers: a child still runs, a file can still be written.
static void check_alive(uint64_t round) {
    pid_t pid = fork();
    if (pid == 0) {
        execl("/bin/busybox", "true", NULL);
        _exit(1);
    }
    int status = -1;
    while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    if (pid < 0 || status != 0) {
        printf("round %llu: the system is not well: fork %d, status 0x%x\n",
               (unsigned long long)round, pid, status);
        exit(1);
    }
}

static void end_round(pid_t pid) {
    int status;
    time_t start = time(NULL);
    while (waitpid(pid, &status, WNOHANG) == 0) {
        struct timespec moment = { 0, 1000000 };
        nanosleep(&moment, NULL);
        if (time(NULL) - start > 5) {
            kill(pid, SIGKILL);
        }
    }
    for (uid_t user = 1000; user <= 2000; user = user == 1003 ? 2000 : user + 1) {
        pid_t sweeper = fork(); // all that the user still has
        if (sweeper == 0) {
            if (setuid(user) == 0) {
                kill(-1, SIGKILL);
            }
            _exit(0);
        }
        waitpid(sweeper, NULL, 0);
    }
    while (waitpid(-1, NULL, WNOHANG) > 0) {
    }
}

static int64_t now_s(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec;
}

int main(int argc, char **argv) {
    if (argc < 3) {
        printf("usage: deeds SEED SECONDS [ROUND]\n");
        return 2;
    }
    uint64_t seed = strtoull(argv[1], NULL, 0);
    int64_t end = now_s() + atoi(argv[2]);
    uint64_t round = argc > 3 ? strtoull(argv[3], NULL, 0) : 0;
    chmod("/tmp", 01777);
    setvbuf(stdout, NULL, _IOLBF, 0);
    do {
        if (round % 32 == 0 || argc > 3) {
            printf("round %llu\n", (unsigned long long)round);
        }
        pid_t pid = fork();
        if (pid == 0) {
            one_round(seed, round);
        }
        if (pid < 0) {
            printf("round %llu: fork: %s\n", (unsigned long long)round, strerror(errno));
            return 1;
        }
        end_round(pid);
        if (round % 8 == 7) {
            check_alive(round);
        }
        round++;
    } while (now_s() < end && argc <= 3);
    check_alive(round);
    printf("%llu rounds, and the kernel answers\n", (unsigned long long)round);
    return 0;
}
