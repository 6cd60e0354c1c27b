// SPDX-License-Identifier: MIT OR Apache-2.0
// tests/fuzz/syscalls.c: random system calls: syscalls run SECONDS SEED [WORKER].
//
// The supervisor starts workers and sees that each of them can be ended; WORKER repeats the one of
// that number. Most workers have a user of their own, so that one kill ends whatever they started;
// the administrator's workers live in a chroot and may start nothing. What must hold at the end:
// every worker is gone, a program can be started, a file reads as it was written, and memory and
// processes are as they were after the first workers.
#include "arguments.h"
#include "call.h"
#include "native_calls.h"
#include "shapes.h"
#include "watch.h"

#include <grp.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdatomic.h>
#include <sys/msg.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>

#define CALLS        461u // numbers that may mean something
#define WORKERS      4u   // at once
#define WORKER_MS    1500
#define END_MS       20000 // within that a killed worker must be gone
#define USER_BASE    20000u
#define DEPTH_MAX    3u
#define WARM_WORKERS 12u
#define GIVEN_UP     "/tmp/fuzz-given-up"
#define FOLDER       "/tmp/fuzz"

// Workers may write here what they like: nothing depends on it.
struct shared {
    _Atomic uint64_t calls;
    _Atomic uint32_t done[CALLS]; // how often the call succeeded
    _Atomic uint32_t native_done[COUNT(native_shapes)];
    _Atomic int32_t last[WORKERS]; // what the worker called last
};

struct worker {
    struct generator generator;
    uint32_t slot;
    uint32_t depth; // forks between it and the supervisor
    uint32_t rounds;
};

static struct shared *shared;
static uint64_t seed;
static bool is_administrator; // of a worker; not on its stack, which its own calls may spoil
static _Thread_local sigjmp_buf recover;
static _Thread_local volatile sig_atomic_t recoveries;

static bool starts_process(uint64_t number) {
#ifdef SYS_fork
    if (number == SYS_fork || number == SYS_vfork) {
        return true;
    }
#endif
    return number == SYS_clone || number == SYS_clone3;
}

// A child of vfork() would share this stack.
static uint64_t without_vfork(uint64_t number) {
#ifdef SYS_vfork
    return number == SYS_vfork ? SYS_fork : number;
#else
    return number;
#endif
}

// Calls that end the test rather than the worker, or take the machine away from everybody.
static bool is_excluded(uint64_t number) {
    static const uint16_t administrators[] = {
        SYS_reboot,
        SYS_kexec_load,
        SYS_kexec_file_load,
        SYS_mount,
        SYS_umount2,
        SYS_pivot_root,
        SYS_sched_setscheduler,
        SYS_sched_setattr,
        SYS_swapon,
        SYS_syslog,
        SYS_sched_setparam,
        SYS_acct,
        SYS_init_module,
        SYS_sethostname,
        SYS_prlimit64,
        SYS_ptrace,
        SYS_setpriority,
        SYS_process_vm_writev,
        SYS_vhangup,
        SYS_settimeofday,
        SYS_clock_settime,
        SYS_adjtimex,
        SYS_clock_adjtime,
        428 /* open_tree */,
        429 /* move_mount */,
        430,
        432,
        442 /* mount_setattr */,
    };
    if (!is_administrator) {
        return false;
    }
    for (uint32_t i = 0; i < COUNT(administrators); i++) {
        if (number == administrators[i]) {
            return true;
        }
    }
    return starts_process(number);
}

static uint64_t draw_call(struct generator *generator) {
    static const uint64_t absurd[] = { 461,        512,         547,        1000,       4096,
                                       UINT64_MAX, 1ull << 63,  0x40000000, 0x40000001, -4096ull,
                                       1ull << 32, 0x100000001, 0xffffffff };
    return one_in(generator, 40) ? ELEMENT(generator, absurd) : below(generator, CALLS);
}

static void run_calls(struct worker *worker);

// The first argument of these says who is meant; anybody but the worker is out of reach only for
// those who are not administrators.
static bool is_aimed(uint64_t number) {
    return number == SYS_kill || number == SYS_tkill || number == SYS_tgkill ||
           number == SYS_rt_sigqueueinfo || number == SYS_rt_tgsigqueueinfo;
}

static void native_call(struct worker *worker) {
    struct generator *generator = &worker->generator;
    const uint32_t index = below(generator, COUNT(native_shapes));
    const struct native_shape *call = &native_shapes[index];
    uint64_t arguments[6] = { 0 };
    if (is_administrator && call->number == HX_CALL_process_spawn) {
        return;
    }
    for (uint32_t i = 0; call->shape[i] != '\0'; i++) {
        arguments[i] = draw_native(generator, call->shape[i]);
    }
    atomic_store_explicit(&shared->last[worker->slot % WORKERS], call->number,
                          memory_order_relaxed);
    atomic_fetch_add_explicit(&shared->calls, 1, memory_order_relaxed);
    const long result = machine_call(call->number, arguments);
    if (result >= 0) {
        atomic_fetch_add_explicit(&shared->native_done[index], 1, memory_order_relaxed);
    }
    native_result(generator, call, arguments, result);
}

static void one_call(struct worker *worker) {
    struct generator *generator = &worker->generator;
    if (one_in(generator, 5)) {
        native_call(worker);
        return;
    }
    const uint64_t number = draw_call(generator);
    if (is_excluded(number)) {
        return;
    }
    const char *shape = number < COUNT(shapes) && shapes[number] ? shapes[number] : "??????";
    uint64_t arguments[6] = { 0 };
    for (uint32_t i = 0; i < 6; i++) {
        const char kind = i < strlen(shape) ? shape[i] : '?';
        arguments[i] = draw_argument(generator, kind, !is_administrator);
    }
    if (is_administrator && is_aimed(number)) {
        arguments[0] = (uint64_t)getpid();
        arguments[1] &= number == SYS_tgkill || number == SYS_rt_tgsigqueueinfo ? 0 : UINT64_MAX;
    }
    if (number == SYS_exit || number == SYS_exit_group) {
        if (!one_in(generator, 10)) {
            return;
        }
    }
    atomic_store_explicit(&shared->last[worker->slot % WORKERS], (int32_t)number,
                          memory_order_relaxed);
    atomic_fetch_add_explicit(&shared->calls, 1, memory_order_relaxed);
    const long result = machine_call(without_vfork(number), arguments);
    if (number < CALLS && (result >= 0 || result < -4095)) {
        atomic_fetch_add_explicit(&shared->done[number], 1, memory_order_relaxed);
    }
    if (starts_process(number) && result == 0) {
        worker->depth++;
        worker->rounds /= 4;
        (void)draw(generator); // not what the parent does
        run_calls(worker);
        _exit(0);
    }
}

static void on_fault(int number, siginfo_t *info, void *context) {
    (void)info, (void)context;
    if (++recoveries > 60) {
        signal(number, SIG_DFL);
        return;
    }
    siglongjmp(recover, 1);
}

static void on_other(int number) {
    (void)number;
}

// A timer interrupts what would wait for ever, as long as the worker leaves it alone.
static void arm(struct generator *generator) {
    struct sigaction action = { .sa_handler = on_other };
    sigaction(SIGALRM, &action, NULL);
    sigaction(SIGUSR1, &action, NULL);
    sigaction(SIGPIPE, &action, NULL);
    if (one_in(generator, 2)) {
        action.sa_sigaction = on_fault;
        action.sa_flags = SA_SIGINFO | SA_NODEFER;
        sigaction(SIGSEGV, &action, NULL);
        sigaction(SIGBUS, &action, NULL);
    }
    struct itimerval timer = { { 0, 10000 }, { 0, 10000 } };
    setitimer(ITIMER_REAL, &timer, NULL);
}

static void run_calls(struct worker *worker) {
    if (worker->depth > DEPTH_MAX) {
        return;
    }
    (void)sigsetjmp(recover, 1);
    while (worker->rounds-- > 0) {
        one_call(worker);
        if (one_in(&worker->generator, 64)) {
            arena_map();
        }
        if (one_in(&worker->generator, 128)) {
            arm(&worker->generator);
            open_some();
        }
    }
}

static void *thread_main(void *context) {
    run_calls(context);
    return NULL;
}

// A worker that cannot be set up says so by a file: the shared page may be spoiled by any worker.
static void give_up(void) {
    close(open(GIVEN_UP, O_WRONLY | O_CREAT, 0666));
    _exit(9);
}

static void limit(int resource, rlim_t value) {
    struct rlimit limits = { value, value };
    setrlimit(resource, &limits);
}

static void set_limits(void) {
    limit(RLIMIT_NPROC, 12);
    limit(RLIMIT_AS, 32ul << 20);
    limit(RLIMIT_NOFILE, 256);
    limit(RLIMIT_FSIZE, 1ul << 20);
    limit(RLIMIT_CPU, 3);
    limit(RLIMIT_CORE, 0);
}

static void make_folder(const char *name, uint32_t user) {
    mkdir(FOLDER, 0777);
    mkdir(name, 0777);
    if (chown(name, user, user) != 0 || chdir(name) != 0) {
        give_up();
    }
    mkdir("dir", 0777);
    (void)chown("dir", user, user);
    (void)symlink("f", "link");
    (void)symlink("loop", "loop");
    mkfifo("fifo", 0666);
    (void)chown("fifo", user, user);
}

// The administrator's worker sees its folder alone.
static void confine(void) {
    mkdir("dev", 0777);
    mknod("dev/null", S_IFCHR | 0666, makedev(1, 3));
    mknod("dev/zero", S_IFCHR | 0666, makedev(1, 5));
    mknod("dev/full", S_IFCHR | 0666, makedev(1, 7));
    if (chroot(".") != 0) {
        give_up();
    }
}

static void stdio_to_null(void) {
    int fd = open("/dev/null", O_RDWR);
    for (int i = 0; i < 3; i++) {
        dup2(fd, i);
    }
    close(fd);
}

static void worker_main(uint64_t index, uint32_t slot) {
    struct worker worker = { generator_of(seed, index), slot, 0, 0 };
    is_administrator = index % 8 == 7;
    struct generator *generator = &worker.generator;
    char name[64];
    const uint32_t user = is_administrator ? 0 : USER_BASE + slot;
    setsid();
    snprintf(name, sizeof(name), "w%llu", (unsigned long long)index);
    prctl(PR_SET_NAME, name);
    snprintf(name, sizeof(name), FOLDER "/%u", slot);
    make_folder(name, user);
    stdio_to_null();
    set_limits();
    if (is_administrator) {
        open_some(); // of the world outside, too
        confine();
    } else if (setgroups(0, NULL) != 0 || setgid(user) != 0 || setuid(user) != 0) {
        give_up();
    }
    arena_map();
    open_some();
    arm(generator);
    worker.rounds = 100 + below(generator, 1500);
    const uint32_t threads = one_in(generator, 3) ? 1 + below(generator, 3) : 0;
    for (uint32_t i = 0; i < threads; i++) {
        static struct worker other[4];
        pthread_t thread;
        other[i] = worker;
        other[i].generator = generator_of(seed, index * 8 + i + (1ull << 40));
        pthread_create(&thread, NULL, thread_main, &other[i]);
    }
    run_calls(&worker);
    _exit(0);
}

// ---- the supervisor

struct running {
    pid_t pid; // 0: none
    uint64_t index;
    int64_t started_ms;
    bool has_ended;
    int status;
};

static struct running running[WORKERS];
// Waits for whoever ended; clone(CLONE_PARENT) gives the supervisor children that it did not start.
static void reap(void) {
    int status;
    pid_t pid;
    while ((pid = waitpid(-1, &status, WNOHANG | __WALL)) > 0) {
        for (uint32_t slot = 0; slot < WORKERS; slot++) {
            if (running[slot].pid == pid) {
                running[slot].has_ended = true;
                running[slot].status = status;
            }
        }
    }
}

static uint32_t sought_user;
static uint32_t found_count;

static void count_sought(const char *path) {
    char text[512] = { 0 };
    int fd = open(path, O_RDONLY);
    (void)!read(fd, text, sizeof(text) - 1);
    close(fd);
    const char *line = strstr(text, "Uid:");
    found_count += line && strtoul(line + 4, NULL, 10) == sought_user;
}

// Kills whatever belongs to a user; somebody of his may end or stop the one who kills, too.
static void kill_user_once(uint32_t user) {
    pid_t pid = fork();
    if (pid == 0) {
        if (setgid(user) == 0 && setuid(user) == 0) {
            kill(-1, SIGKILL);
        }
        _exit(0);
    }
    if (pid < 0) {
        fail("fork of the supervisor: %llu %lld", 0, errno);
        return;
    }
    int status;
    while (waitpid(pid, &status, WUNTRACED) == pid && WIFSTOPPED(status)) {
        kill(pid, SIGKILL);
    }
}

static void kill_user(uint32_t user) {
    const int64_t end = now_ms() + END_MS;
    sought_user = user;
    for (;;) {
        kill_user_once(user);
        reap();
        found_count = 0;
        each_process(count_sought);
        if (found_count == 0) {
            return;
        }
        if (now_ms() > end) {
            fail("the processes of user %llu cannot be ended: %lld", user, found_count);
            each_process(show);
            return;
        }
        sleep_ms(1);
    }
}

static void worker_start(uint32_t slot, uint64_t index) {
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        worker_main(index, slot);
    }
    if (pid < 0) {
        fail("worker %llu: fork: errno %lld", index, errno);
        sleep_ms(100);
        return;
    }
    running[slot] = (struct running){ .pid = pid, .index = index, .started_ms = now_ms() };
}

static void worker_stuck(uint32_t slot) {
    char path[64];
    fail("worker %llu does not end; its last call: %lld", running[slot].index,
         atomic_load(&shared->last[slot]));
    snprintf(path, sizeof(path), "/proc/%d/stat", running[slot].pid);
    show(path);
    snprintf(path, sizeof(path), "/proc/%d/status", running[slot].pid);
    show(path);
}

// True when the slot is free again.
static bool worker_end(uint32_t slot) {
    struct running *worker = &running[slot];
    if (worker->pid == 0) {
        return true;
    }
    const int64_t age = now_ms() - worker->started_ms;
    reap();
    if (worker->has_ended) {
        kill_user(USER_BASE + slot);
        char path[64];
        snprintf(path, sizeof(path), FOLDER "/%u", slot);
        remove_tree(path);
        worker->pid = 0;
        return true;
    }
    if (age > WORKER_MS) {
        kill(worker->pid, SIGKILL);
    }
    if (age > WORKER_MS + END_MS) {
        worker_stuck(slot);
        worker->pid = 0;
        return true;
    }
    return false;
}

static void end_all(void) {
    for (uint32_t slot = 0; slot < WORKERS; slot++) {
        while (!worker_end(slot)) {
            sleep_ms(5);
        }
    }
    kill(-1, SIGKILL); // what an administrator's worker started after it had spoiled itself
    while (waitpid(-1, NULL, __WALL) > 0) {
    }
}

static void check_exec(void) {
    pid_t pid = fork();
    if (pid == 0) {
        execl("/proc/self/exe", "syscalls", "hello", NULL);
        _exit(errno);
    }
    int status = -1;
    waitpid(pid, &status, 0);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 42) {
        fail("a program does not start: wait status %llx, %lld", (unsigned)status, pid);
    }
}

static void check_file(void) {
    static char out[100000], in[100000];
    struct generator generator = generator_of(seed, 1);
    fill_random(&generator, out, sizeof(out));
    int fd = open("/tmp/sanity", O_RDWR | O_CREAT | O_TRUNC, 0600);
    ssize_t wrote = write(fd, out, sizeof(out));
    ssize_t got = pread(fd, in, sizeof(in), 0);
    close(fd);
    unlink("/tmp/sanity");
    if (wrote != sizeof(out) || got != sizeof(in) || memcmp(in, out, sizeof(in)) != 0) {
        fail("a file does not keep its bytes: wrote %llu, read %lld", (uint64_t)wrote, got);
    }
}

static void show_calls(void) {
    uint32_t kinds = 0;
    for (uint32_t i = 0; i < CALLS; i++) {
        kinds += shared->done[i] != 0;
    }
    printf("%llu calls, %u kinds succeeded\n", (unsigned long long)shared->calls, kinds);
    for (uint32_t i = 0; getenv("FUZZ_VERBOSE") && i < COUNT(native_shapes); i++) {
        printf("%u:%u%s", native_shapes[i].number, shared->native_done[i],
               i % 12 == 11 ? "\n" : " ");
    }
    for (uint32_t i = 0; getenv("FUZZ_VERBOSE") && i < CALLS; i++) {
        printf("%u:%u%s", i, shared->done[i], i % 12 == 11 ? "\n" : " ");
    }
}

// ---- faults on purpose

static int faults = -1; // /proc/helix/faults; -1: none

static void faults_write(const char *text) {
    while (pwrite(faults, text, strlen(text), 0) < 0) {
        // this write may be what goes wrong
    }
}

// The workers live with faults; the supervisor, which judges, does not.
static void wait_for_workers(struct generator *generator) {
    if (faults < 0) {
        sleep_ms(2);
        return;
    }
    char text[32];
    snprintf(text, sizeof(text), "allocation %u", 2u << below(generator, 10));
    faults_write(text);
    faults_write(one_in(generator, 2) ? "wake 2" : "wake 20");
    sleep_ms(1 + below(generator, 20));
    faults_write("allocation 0");
    faults_write("wake 0");
}

static bool given_up; // a worker could not be set up

// What has an id of System V outlives who made it.
static void remove_ids(void) {
    static unsigned char info[512];
    const long shm = syscall(SYS_shmctl, 0, SHM_INFO, info);
    const long sem = syscall(SYS_semctl, 0, 0, SEM_INFO, info);
    const long msg = syscall(SYS_msgctl, 0, MSG_INFO, info);
    for (long i = 0; i <= shm; i++) {
        (void)syscall(SYS_shmctl, syscall(SYS_shmctl, i, SHM_STAT, info), IPC_RMID, NULL);
    }
    for (long i = 0; i <= sem; i++) {
        (void)syscall(SYS_semctl, syscall(SYS_semctl, i, 0, SEM_STAT, info), 0, IPC_RMID, NULL);
    }
    for (long i = 0; i <= msg; i++) {
        (void)syscall(SYS_msgctl, syscall(SYS_msgctl, i, MSG_STAT, info), IPC_RMID, NULL);
    }
}

// What workers left elsewhere than in their folders.
static void clean(void) {
    remove_ids();
    given_up = given_up || access(GIVEN_UP, F_OK) == 0;
    remove_tree("/tmp");
}

static void run_many(int64_t seconds) {
    struct generator generator = generator_of(seed, 2);
    const int64_t end = now_ms() + seconds * 1000;
    int64_t memory = 0;
    int processes = 0;
    static struct objects objects;
    uint64_t index = 0;
    while (now_ms() < end || memory == 0) {
        if (index == WARM_WORKERS && memory == 0) {
            end_all();
            sleep_ms(200);
            memory = memory_kb();
            processes = each_process(NULL);
            clean();
            objects_read(&objects);
        }
        for (uint32_t slot = 0; slot < WORKERS && (index != WARM_WORKERS || memory); slot++) {
            if (worker_end(slot)) {
                worker_start(slot, index++);
                if (index == WARM_WORKERS) {
                    break;
                }
            }
        }
        wait_for_workers(&generator);
    }
    end_all();
    clean();
    printf("%llu workers, seed %llu\n", (unsigned long long)index, (unsigned long long)seed);
    check_figures(memory, processes, &objects);
}

int main(int argc, char **argv) {
    if (argc >= 2 && argv[1] && strcmp(argv[1], "hello") == 0) {
        return 42;
    }
    if (argc < 4 || strcmp(argv[1], "run") != 0) {
        return 2; // a worker's random execve()
    }
    seed = strtoull(argv[3], NULL, 10);
    shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    umask(0);
    if (argc > 4 && strcmp(argv[4], "faults") == 0) {
        faults = open("/proc/helix/faults", O_WRONLY | O_CLOEXEC);
        argc = faults < 0 ? 0 : 4;
    }
    if (argc == 0) {
        fail("/proc/helix/faults does not open: %llu %lld", 0, errno);
    } else if (argc > 4) {
        worker_start(0, strtoull(argv[4], NULL, 10));
        end_all();
    } else {
        run_many(strtoll(argv[2], NULL, 10));
    }
    clean();
    if (given_up && faults < 0) { // with faults, a few cannot
        fail("a worker could not be set up, %llu %lld", 0, 0);
    }
    show_calls();
    check_exec();
    check_file();
    return failures != 0;
}
