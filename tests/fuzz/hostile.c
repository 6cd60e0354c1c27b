// SPDX-License-Identifier: MIT OR Apache-2.0
// tests/fuzz/hostile.c: programs that mean harm, one kind each: hostile SEED [CASE...]. Each must
// get its errno or its signal, and nobody else anything.
#include "../scenario/check.h"
#include "machine.h"
#include "random.h"

#include <grp.h>
#include <pthread.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/sysinfo.h>
#include <sys/time.h>
#include <ucontext.h>

#define HOSTILE_USER 30000u

static uint64_t seed = 1;

static void limit_to(int resource, rlim_t value) {
    struct rlimit limits = { value, value };
    SAME(setrlimit(resource, &limits), 0);
}

// Without rights, in a folder of its own.
static void become_nobody(void) {
    NEED(setgroups(0, NULL) == 0 && setgid(HOSTILE_USER) == 0 && setuid(HOSTILE_USER) == 0);
}

// Ends all processes of become_nobody().
static void end_nobodies(void) {
    for (int i = 0; i < 20; i++) {
        pid_t pid;
        CHILD(pid) {
            become_nobody();
            kill(-1, SIGKILL);
        }
        check_wait(pid);
        sleep_ms(5);
    }
}

// ---- memory

// Maps and touches until it is refused; exits with 7 then.
static void eat(size_t step) {
    for (;;) {
        char *memory = mmap(NULL, step, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (memory == MAP_FAILED) {
            _exit(errno == ENOMEM ? 7 : 8);
        }
        for (size_t at = 0; at < step; at += PAGE) {
            memory[at] = 1;
        }
    }
}

static void hog_within_its_limit(void) {
    pid_t pid = fork();
    if (pid == 0) {
        limit_to(RLIMIT_AS, 16ul << 20);
        eat(1ul << 18);
    }
    EXITS(pid, 7);
}

static bool is_hogs_end(int status) {
    return (WIFEXITED(status) && WEXITSTATUS(status) == 7) ||
           (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static void fork_once(void) {
    pid_t child = fork();
    if (child == 0) {
        _exit(3);
    }
    if (child > 0) {
        (void)check_wait(child);
    }
    sleep_ms(2);
}

// A process that uses little goes on beside hogs that want everything.
static void with_witness_of(void (*act)(void), void (*hogs)(void)) {
    int pair[2];
    NEED(pipe(pair) == 0);
    pid_t witness = fork();
    if (witness == 0) {
        char byte;
        close(pair[1]);
        fcntl(pair[0], F_SETFL, O_NONBLOCK);
        while (read(pair[0], &byte, 1) < 0) {
            act();
        }
        _exit(5);
    }
    close(pair[0]);
    hogs();
    close(pair[1]);
    EXITS(witness, 5);
}

static void with_witness(void (*hogs)(void)) {
    with_witness_of(fork_once, hogs);
}

static void one_hog(void) {
    pid_t pid = fork();
    if (pid == 0) {
        eat(1ul << 20);
    }
    int status = check_wait(pid);
    if (!is_hogs_end(status)) {
        check_fail(__FILE_NAME__, __LINE__, "the hog's wait status is 0x%x", status);
    }
}

static void many_hogs(void) {
    pid_t pids[6];
    for (size_t i = 0; i < COUNT(pids); i++) {
        pids[i] = fork();
        if (pids[i] == 0) {
            eat(1ul << (16 + i));
        }
    }
    for (size_t i = 0; i < COUNT(pids); i++) {
        int status = check_wait(pids[i]);
        if (!is_hogs_end(status)) {
            check_fail(__FILE_NAME__, __LINE__, "a hog's wait status is 0x%x", status);
        }
    }
}

static void hog_of_everything(void) {
    with_witness(one_hog);
}

// Again and again: between the end of a hog and the return of its memory, nobody else is to blame.
static void hogs_of_everything(void) {
    for (int i = 0; i < 6; i++) {
        with_witness(many_hogs);
    }
}

// A call that moves bytes into or out of memory that is not there yet waits for it as a program
// does.
static ssize_t moved(const char *call, ssize_t got) {
    if (got < 0 && errno == EFAULT) {
        check_fail(__FILE_NAME__, __LINE__, "%s gave EFAULT", call);
        _exit(8);
    }
    return got;
}

static int shared_file = -1; // its position is everybody's, and so is the lock on it

static void share_file(void) {
    static const char content[16 * PAGE];
    shared_file = open("shared", O_RDWR | O_CREAT | O_TRUNC, 0600);
    NEED(shared_file >= 0 && write(shared_file, content, sizeof(content)) == sizeof(content));
}

static void copy_once(void) {
    int ends[2];
    char *memory =
        mmap(NULL, 64 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
        return;
    }
    if (pipe(ends) == 0) {
        // The pipe itself may get no memory.
        if (moved("write to a pipe", write(ends[1], memory, PAGE)) > 0) {
            moved("read from a pipe", read(ends[0], memory + PAGE, PAGE));
        }
        close(ends[0]);
        close(ends[1]);
    }
    moved("pread", pread(shared_file, memory + 2 * PAGE, 16 * PAGE, 0));
    moved("getrandom", syscall(SYS_getrandom, memory + 32 * PAGE, 16 * PAGE, 0));
    munmap(memory, 64 * PAGE);
}

static void copies_beside_hogs(void) {
    share_file();
    for (int i = 0; i < 4; i++) {
        with_witness_of(copy_once, many_hogs);
    }
    close(shared_file);
}

static bool is_nearly_out(void) {
    struct sysinfo info;
    NEED(sysinfo(&info) == 0);
    return info.freeram * info.mem_unit < 4ul << 20;
}

static char *fresh(size_t size) {
    char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    NEED(memory != MAP_FAILED);
    return memory;
}

// Has nearly everything, and wants nothing more but the lock of the file's position.
static void have_and_lock(void) {
    while (!is_nearly_out()) {
        memset(fresh(16 * PAGE), 1, 16 * PAGE);
    }
    for (;;) {
        char byte;
        lseek(shared_file, 0, SEEK_SET);
        (void)!read(shared_file, &byte, 1);
    }
}

// Needs the other one's memory under that lock, without which the other one cannot end.
static void need_under_lock(void) {
    while (!is_nearly_out()) {
        sleep_ms(1);
    }
    for (int i = 0; i < 128; i++) {
        lseek(shared_file, 0, SEEK_SET);
        moved("read", read(shared_file, fresh(16 * PAGE), 16 * PAGE));
    }
}

static void victim_without_its_lock(void) {
    for (int i = 0; i < 8; i++) {
        share_file();
        pid_t hog = fork();
        if (hog == 0) {
            have_and_lock();
        }
        pid_t reader = fork();
        if (reader == 0) {
            need_under_lock();
            _exit(5);
        }
        EXITS(reader, 5);
        KILLED(hog, SIGKILL);
        close(shared_file);
    }
    unlink("shared");
}

// A file that takes all memory is refused its growth, and gives it back.
static void file_of_everything(void) {
    static char block[1 << 16];
    int fd = open("large", O_RDWR | O_CREAT, 0600);
    ssize_t wrote;
    while ((wrote = write(fd, block, sizeof(block))) > 0) {
    }
    CHECK(wrote < 0);
    int error = errno;
    close(fd);
    unlink("large");
    CHECK(error == ENOSPC || error == ENOMEM || error == 0);
}

static void file_hog(void) {
    pid_t pid;
    CHILD(pid) {
        file_of_everything();
    }
    int status = check_wait(pid);
    CHECK(status == 0 || is_hogs_end(status));
    unlink("large");
}

static void file_hog_of_everything(void) {
    with_witness(file_hog);
}

// ---- processes

static void fork_bomb(void) {
    pid_t pid = fork();
    if (pid == 0) {
        limit_to(RLIMIT_NPROC, 40);
        become_nobody();
        int64_t end = now_ms() + 1500;
        int refused = 0;
        while (now_ms() < end) {
            if (fork() < 0) {
                refused += errno == EAGAIN;
            }
        }
        _exit(refused ? 0 : 1);
    }
    (void)check_wait(pid);
    end_nobodies();
    CHILD(pid) {}
    EXITS(pid, 0);
}

static void *sleeper(void *argument) {
    pause();
    return argument;
}

static void thread_bomb(void) {
    pid_t pid;
    CHILD(pid) {
        limit_to(RLIMIT_NPROC, 64);
        become_nobody();
        int started = 0;
        pthread_t thread;
        while (started < 1000 && pthread_create(&thread, NULL, sleeper, NULL) == 0) {
            started++;
        }
        CHECK(started > 10 && started < 64);
    }
    EXITS(pid, 0);
}

// Timers whose deadlines were cleared, and those that expire while the process ends.
static void timers_at_the_end(void) {
    for (int i = 0; i < 400; i++) {
        pid_t pid = fork();
        if (pid == 0) {
            struct itimerval second = { { 0, 0 }, { 0, 20000 } };
            const struct itimerval none = { { 0, 0 }, { 0, 0 } };
            struct rlimit limits = { 1, RLIM_INFINITY };
            signal(SIGALRM, SIG_IGN);
            signal(SIGVTALRM, SIG_IGN); // the host may have stopped the machine for that long
            signal(SIGPROF, SIG_IGN);
            setitimer(i % 2 ? ITIMER_PROF : ITIMER_VIRTUAL, &second, NULL);
            setrlimit(RLIMIT_CPU, &limits);
            setitimer(i % 2 ? ITIMER_PROF : ITIMER_VIRTUAL, &none, NULL);
            limits.rlim_cur = RLIM_INFINITY;
            setrlimit(RLIMIT_CPU, &limits);
            second.it_value.tv_usec = 1 + i % 200;
            setitimer(ITIMER_REAL, &second, NULL);
            _exit(0);
        }
        EXITS(pid, 0);
    }
    sleep_ms(100); // what was left armed would expire now
}

// ---- the processor

static void jumps(void) {
    static char data[16] = { '\xc3' };
    for (size_t i = 0; i <= COUNT(odd_addresses); i++) {
        const uint64_t target =
            i < COUNT(odd_addresses) ? odd_addresses[i] : (uint64_t)(uintptr_t)data;
        pid_t pid = fork();
        if (pid == 0) {
            ((void (*)(void))(uintptr_t)target)();
        }
        int status = check_wait(pid);
        CHECK(WIFSIGNALED(status) &&
              (WTERMSIG(status) == SIGSEGV ||
               (WTERMSIG(status) == SIGBUS && target % MACHINE_CODE_ALIGNMENT != 0)));
    }
}

static void bad_reads_and_writes(void) {
    static const char text[] = "constant";
    uint64_t targets[] = { 0,
                           8,
                           0xffffffff80100000,
                           0xffff800000000000,
                           0x0000800000000000,
                           UINT64_MAX,
                           (uint64_t)(uintptr_t)text,
                           (uint64_t)(uintptr_t)bad_reads_and_writes };
    for (size_t i = 0; i < 2 * COUNT(targets); i++) {
        volatile char *at = (volatile char *)targets[i / 2];
        if (i % 2 == 0 && i / 2 >= COUNT(targets) - 2) {
            continue; // those may be read
        }
        pid_t pid = fork();
        if (pid == 0) {
            if (i % 2) {
                *at = 1;
            } else {
                (void)*at;
            }
            _exit(0);
        }
        KILLED(pid, SIGSEGV);
    }
}

// Random bytes are executed, by a user without rights.
static void random_code(void) {
    for (int i = 0; i < 300; i++) {
        pid_t pid = fork();
        if (pid == 0) {
            become_nobody();
            alarm(1);
            limit_to(RLIMIT_CPU, 1);
            limit_to(RLIMIT_AS, 32ul << 20);
            limit_to(RLIMIT_NPROC, 10);
            limit_to(RLIMIT_FSIZE, 4096);
            for (int fd = 0; fd < 3; fd++) {
                close(fd);
            }
            struct generator own = generator_of(seed, 1000 + (uint64_t)i);
            uint8_t *code = code_map(4 * PAGE);
            fill_random(&own, code, 4 * PAGE);
            machine_splice(&own, code, 4 * PAGE);
            code_seal(code, 4 * PAGE);
            ((void (*)(void))code)();
            _exit(0);
        }
        int64_t end = now_ms() + 1500;
        int status;
        while (waitpid(pid, &status, WNOHANG) == 0) {
            if (now_ms() > end) {
                kill(pid, SIGKILL);
                (void)check_wait(pid);
                break;
            }
            sleep_ms(1);
        }
    }
    end_nobodies();
}

// ---- programs that are none

static size_t own_image(uint8_t **out_bytes) {
    static uint8_t *bytes;
    static size_t size;
    if (!bytes) {
        int fd = open("/proc/self/exe", O_RDONLY);
        struct stat about;
        NEED(fd >= 0 && fstat(fd, &about) == 0);
        size = (size_t)about.st_size;
        bytes = malloc(size);
        NEED(read(fd, bytes, size) == (ssize_t)size);
        close(fd);
    }
    *out_bytes = bytes;
    return size;
}

static void write_image(struct generator *generator) {
    uint8_t *bytes;
    size_t size = own_image(&bytes);
    uint8_t head[1024];
    memcpy(head, bytes, sizeof(head));
    for (uint32_t i = 0; i <= below(generator, 6); i++) {
        uint8_t *at = &head[below(generator, one_in(generator, 2) ? 64 : 400)];
        if (one_in(generator, 3)) {
            const uint64_t value = draw_any(generator);
            memcpy(at, &value, sizeof(value));
        } else {
            *at =
                one_in(generator, 2) ? (uint8_t)draw(generator) : *at ^ (1 << below(generator, 8));
        }
    }
    if (one_in(generator, 4)) {
        size = below(generator, one_in(generator, 2) ? 600 : (uint32_t)size);
    }
    unlink("image");
    int fd = open("image", O_WRONLY | O_CREAT | O_EXCL, 0755);
    (void)!write(fd, head, size < sizeof(head) ? size : sizeof(head));
    if (size > sizeof(head)) {
        (void)!write(fd, bytes + sizeof(head), size - sizeof(head));
    }
    close(fd);
}

static void corrupted_programs(void) {
    struct generator generator = generator_of(seed, 78);
    for (int i = 0; i < 250; i++) {
        write_image(&generator);
        pid_t pid = fork();
        if (pid == 0) {
            become_nobody();
            alarm(1);
            limit_to(RLIMIT_CPU, 1);
            limit_to(RLIMIT_AS, 64ul << 20);
            limit_to(RLIMIT_NPROC, 10);
            int null = open("/dev/null", O_RDWR);
            dup2(null, 1);
            dup2(null, 2);
            execl("./image", "image", "nothing", NULL);
            _exit(0);
        }
        (void)check_wait(pid);
    }
    end_nobodies();
}

// ---- stacks

static int recurse(volatile char *above) {
    volatile char local[256];
    local[0] = *above;
    return recurse(local) + local[1];
}

static void deep_recursion(void) {
    pid_t pid = fork();
    if (pid == 0) {
        char byte = 1;
        _exit(recurse(&byte));
    }
    KILLED(pid, SIGSEGV);
}

static void *unmap_own_stack(void *argument) {
    const uintptr_t here = (uintptr_t)&argument & ~(PAGE - 1);
    syscall(SYS_munmap, here - 8 * PAGE, 16 * PAGE);
    return argument;
}

static void thread_without_stack(void) {
    pid_t pid = fork();
    if (pid == 0) {
        pthread_t thread;
        pthread_create(&thread, NULL, unmap_own_stack, NULL);
        pthread_join(thread, NULL);
        _exit(0);
    }
    KILLED(pid, SIGSEGV);
}

static void *exec_thread(void *argument) {
    execl("/proc/self/exe", "hostile", "nothing", NULL);
    return argument;
}

static void *exit_thread(void *argument) {
    syscall(SYS_exit_group, 2);
    return argument;
}

// Threads that run programs and end the process at the same time.
static void ends_that_meet(void) {
    for (int i = 0; i < 60; i++) {
        pid_t pid = fork();
        if (pid == 0) {
            for (int t = 0; t < 4; t++) {
                pthread_t thread;
                pthread_create(&thread, NULL, (i + t) % 3 ? exec_thread : exit_thread, NULL);
            }
            sleep_ms(i % 3);
            if (i % 2) {
                fork();
            }
            syscall(SYS_exit, 2);
        }
        EXITS(pid, 2);
    }
}

static const struct check_case cases[] = { CASE(hog_within_its_limit),
                                           CASE(hog_of_everything),
                                           CASE(hogs_of_everything),
                                           CASE(copies_beside_hogs),
                                           CASE(victim_without_its_lock),
                                           CASE(file_hog_of_everything),
                                           CASE(fork_bomb),
                                           CASE(thread_bomb),
                                           CASE(timers_at_the_end),
                                           CASE(jumps),
                                           CASE(bad_reads_and_writes),
                                           CASE(random_code),
                                           CASE(corrupted_programs),
                                           CASE(deep_recursion),
                                           CASE(thread_without_stack),
                                           CASE(ends_that_meet),
                                           MACHINE_CASES };

int main(int argc, char **argv) {
    if (argc < 2 || strcmp(argv[1], "nothing") == 0) {
        return 2;
    }
    seed = strtoull(argv[1], NULL, 10);
    umask(0);
    return check_main(cases, sizeof(cases) / sizeof(cases[0]), argc - 1, argv + 1);
}
