// SPDX-License-Identifier: MIT OR Apache-2.0
// RUN: musl glibc
// Looking into other processes: who may, what is told of their descriptors, and their memory by
// process_vm_readv and process_vm_writev.
#include "pidfd.h"

#include <grp.h>
#include <pthread.h>
#include <sys/fsuid.h>
#include <sys/uio.h>

// Who may ----------------------------------------------------------------------------------------

// A child of nobody's, which can be looked into or not.
static pid_t nobodys(int dumpable, char *memory) {
    int ready[2];
    char byte;
    NEED(pipe(ready) == 0);
    const pid_t pid = fork();
    if (pid == 0) {
        become_nobody(dumpable);
        memory[0] = 'n';
        NEED(write(ready[1], "", 1) == 1);
        for (;;) {
            pause();
        }
    }
    NEED(pid > 0 && read(ready[0], &byte, 1) == 1);
    return pid;
}

static long moved(int number, pid_t pid, void *own, size_t own_bytes, void *its, size_t its_bytes) {
    const struct iovec local = { own, own_bytes };
    const struct iovec remote = { its, its_bytes };
    return syscall(number, pid, &local, 1, &remote, 1, 0);
}

static long vm_read(pid_t pid, void *own, void *its, size_t bytes) {
    return moved(SYS_process_vm_readv, pid, own, bytes, its, bytes);
}

static long vm_write(pid_t pid, void *own, void *its, size_t bytes) {
    return moved(SYS_process_vm_writev, pid, own, bytes, its, bytes);
}

static void others_are_private(void) {
    static char memory[16];
    char byte = 0;
    const pid_t open_one = nobodys(1, memory), closed_one = nobodys(0, memory);
    const int open_file = pidfd_of(open_one), closed_file = pidfd_of(closed_one);
    const int own = pidfd_of(getpid());
    pid_t pid;
    CHECK(taken(closed_file, 0) >= 0); // who has every right
    SAME(vm_read(closed_one, &byte, memory, 1), 1);
    SAME(byte, 'n');
    CHILD(pid) {
        const pid_t parent = getppid();
        become_nobody(1);
        CHECK(taken(open_file, 0) >= 0);
        SAME(vm_read(open_one, &byte, memory, 1), 1);
        REFUSED(taken(closed_file, 0), EPERM);
        REFUSED(vm_read(closed_one, &byte, memory, 1), EPERM);
        REFUSED(vm_write(closed_one, &byte, memory, 1), EPERM);
        REFUSED(taken(own, 0), EPERM);
        REFUSED(taken(own, 900), EPERM);
        REFUSED(vm_read(parent, &byte, memory, 1), EPERM);
    }
    EXITS(pid, 0);
    CHILD(pid) { // another group
        NEED(setresuid(NOBODY, NOBODY, NOBODY) == 0);
        REFUSED(taken(open_file, 0), EPERM);
    }
    EXITS(pid, 0);
    CHILD(pid) { // the real ids count, not those for files
        NEED(setresgid(NOBODY, 5, 5) == 0 && setresuid(NOBODY, 5, 5) == 0);
        CHECK(taken(open_file, 0) >= 0);
    }
    EXITS(pid, 0);
    CHILD(pid) {
        NEED(setresgid(5, NOBODY, NOBODY) == 0 && setresuid(5, NOBODY, NOBODY) == 0);
        REFUSED(taken(open_file, 0), EPERM);
        SAME(read(opened_folder("/proc/%d/maps", open_one, O_RDONLY), &byte, 1), 1);
    }
    EXITS(pid, 0);
    kill(open_one, SIGKILL);
    kill(closed_one, SIGKILL);
    KILLED(open_one, SIGKILL);
    KILLED(closed_one, SIGKILL);
}

static int is_dumpable(void) {
    return prctl(PR_GET_DUMPABLE);
}

static int death_signal(void) {
    int number = -1;
    SAME(prctl(PR_GET_PDEATHSIG, &number), 0);
    return number;
}

// What a process that acts with other rights has in memory is not for who has just these, nor is
// it for its parent to end it.
static void other_ids_hide(void) {
    static const struct {
        long number;
        long ids[3];
        int expected;
    } steps[] = {
        { SYS_setresuid, { NOBODY, -1, -1 }, 1 }, { SYS_setresuid, { -1, -1, NOBODY }, 1 },
        { SYS_setresuid, { -1, NOBODY, -1 }, 0 }, { SYS_setresgid, { NOBODY, -1, NOBODY }, 1 },
        { SYS_setresgid, { -1, NOBODY, -1 }, 0 }, { SYS_setfsuid, { NOBODY }, 0 },
        { SYS_setfsgid, { NOBODY }, 0 },          { SYS_setuid, { NOBODY }, 0 },
        { SYS_setreuid, { 0, NOBODY }, 0 },       { SYS_setgid, { NOBODY }, 0 },
        { SYS_setgroups, { 0, 0 }, 1 },           { SYS_setuid, { 0 }, 1 },
    };
    pid_t pid;
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        CHILD(pid) {
            const long *ids = steps[i].ids;
            SAME(is_dumpable(), 1);
            NEED(prctl(PR_SET_PDEATHSIG, SIGUSR1) == 0);
            SAME(syscall(steps[i].number, ids[0], ids[1], ids[2]), 0);
            SAME(is_dumpable(), steps[i].expected);
            SAME(death_signal(), steps[i].expected == 1 ? SIGUSR1 : 0);
        }
        EXITS(pid, 0);
    }
    CHILD(pid) { // capabilities that one gives up are no reason, as those that one gets are
        NEED(prctl(PR_CAPBSET_DROP, 5) == 0);
        const pid_t same = getpid();
        uint32_t head[2] = { 0x20080522, 0 }, sets[6];
        NEED(syscall(SYS_capget, head, sets) == 0 && same > 0);
        sets[0] = sets[1] = sets[3] = sets[4] = 0;
        NEED(syscall(SYS_capset, head, sets) == 0);
        SAME(is_dumpable(), 1);
    }
    EXITS(pid, 0);
}

// A server that gave up its rights, and another program of the user that it serves.
static void servers_stay_private(void) {
    static char memory[16];
    char byte;
    const pid_t server = nobodys(-1, memory);
    const int file = pidfd_of(server);
    pid_t pid;
    CHILD(pid) {
        become_nobody(1);
        REFUSED(taken(file, 0), EPERM);
        REFUSED(vm_read(server, &byte, memory, 1), EPERM);
        REFUSED(vm_write(server, &byte, memory, 1), EPERM);
        char path[64];
        snprintf(path, sizeof path, "/proc/%d/exe", server);
        REFUSED(readlink(path, &byte, 1), EACCES);
    }
    EXITS(pid, 0);
    kill(server, SIGKILL);
    KILLED(server, SIGKILL);
}

// More capabilities than one has oneself are enough of a difference.
static void capabilities_count(void) {
    static char memory[16];
    char byte;
    const pid_t parent = getpid();
    const int file = pidfd_of(parent);
    pid_t pid;
    CHILD(pid) {
        uint32_t head[2] = { 0x20080522, 0 }, sets[6];
        NEED(syscall(SYS_capget, head, sets) == 0);
        sets[0] = sets[1] = sets[3] = sets[4] = 0;
        NEED(syscall(SYS_capset, head, sets) == 0);
        SAME(getuid(), 0);
        REFUSED(taken(file, 0), EPERM);
        REFUSED(vm_read(parent, &byte, memory, 1), EPERM);
    }
    EXITS(pid, 0);
    CHILD(pid) { // CAP_SYS_PTRACE alone does
        uint32_t head[2] = { 0x20080522, 0 }, sets[6];
        NEED(syscall(SYS_capget, head, sets) == 0);
        sets[0] = sets[1] = 1u << 19;
        sets[3] = sets[4] = 0;
        NEED(syscall(SYS_capset, head, sets) == 0);
        SAME(vm_read(parent, &byte, memory, 1), 1);
    }
    EXITS(pid, 0);
}

static void copy_self(const char *name, mode_t mode) {
    static char bytes[65536];
    const int from = open("/proc/self/exe", O_RDONLY);
    const int to = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    ssize_t count;
    NEED(from >= 0 && to >= 0);
    while ((count = read(from, bytes, sizeof bytes)) > 0) {
        NEED(write(to, bytes, (size_t)count) == count);
    }
    NEED(count == 0 && fchmod(to, mode) == 0);
    close(from);
    close(to);
}

// Who may execute a program, but not read it, does not read it in memory.
static void unreadable_programs_hide(void) {
    NEED(chmod(".", 0755) == 0);
    copy_self("hidden", 0711);
    copy_self("shown", 0755);
    const int script = open("script", O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
    NEED(write(script, "#!./hidden says_dumpable\n", 25) == 25);
    close(script);
    static const struct {
        const char *name;
        int uid, expected;
    } steps[] = { { "./hidden", NOBODY, 0 },
                  { "./shown", NOBODY, 1 },
                  { "./script", NOBODY, 0 },
                  { "./hidden", 0, 1 } };
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        const pid_t pid = fork();
        if (pid == 0) {
            if (steps[i].uid != 0) {
                become_nobody(-1);
            }
            execl(steps[i].name, steps[i].name, "says_dumpable", NULL);
            _exit(99);
        }
        EXITS(pid, steps[i].expected);
    }
}

#define SECRET 900 // a descriptor

static void look_at_maps(pid_t pid) {
    char path[64], text[4096];
    snprintf(path, sizeof path, "/proc/%d/maps", pid);
    const int maps = open(path, O_RDONLY);
    const ssize_t count = maps >= 0 ? read(maps, text, sizeof text - 1) : -1;
    text[count > 0 ? count : 0] = '\0';
    CHECK(strstr(text, "/raised") == NULL);
    close(maps);
}

// Tries to get what must not come, until the process has ended. Tells of the first try.
static void try_to_take(int file, pid_t pid, bool looks, int told) {
    become_nobody(1);
    for (bool is_first = true;; is_first = false) {
        CHECK(taken(file, SECRET) == -1);
        const bool is_gone = errno == ESRCH;
        if (looks) {
            look_at_maps(pid);
        }
        if (is_first) {
            NEED(write(told, "", 1) == 1);
        }
        if (is_gone || check_failures != 0) {
            return;
        }
    }
}

// Descriptors that an exec closes are closed before the new program can be looked into.
static void exec_closes_first(void) {
    NEED(chmod(".", 0755) == 0);
    for (int round = 0; round < 20; round++) {
        int told[2], go[2];
        char byte;
        NEED(pipe(told) == 0 && pipe(go) == 0);
        const pid_t target = fork();
        if (target == 0) {
            become_nobody(0);
            NEED(fcntl(0, F_DUPFD_CLOEXEC, SECRET) == SECRET);
            while (fcntl(0, F_DUPFD_CLOEXEC, 100) < SECRET) {
            }
            NEED(read(go[0], &byte, 1) == 1);
            execl("/proc/self/exe", "inspect", "ends", NULL);
            _exit(99);
        }
        const int file = pidfd_of(target);
        pid_t pid;
        CHILD(pid) {
            try_to_take(file, target, false, told[1]);
        }
        NEED(read(told[0], &byte, 1) == 1 && write(go[1], "", 1) == 1);
        EXITS(target, 0);
        EXITS(pid, 0);
        close(file);
        close(told[0]);
        close(told[1]);
        close(go[0]);
        close(go[1]);
    }
}

// A plain program that becomes one with rights of root, and back, again and again.
static void raised_programs_stay_private(void) {
    int told[2], go[2];
    char byte;
    NEED(chmod(".", 0755) == 0 && pipe(told) == 0 && pipe(go) == 0);
    copy_self("plain", 0755);
    copy_self("raised", 04755);
    const pid_t target = fork();
    if (target == 0) {
        become_nobody(1);
        NEED(read(go[0], &byte, 1) == 1);
        execl("./plain", "plain", "100", NULL);
        _exit(99);
    }
    const int file = pidfd_of(target);
    pid_t pids[2];
    for (size_t i = 0; i < 2; i++) {
        CHILD(pids[i]) {
            try_to_take(file, target, true, told[1]);
        }
        NEED(read(told[0], &byte, 1) == 1);
    }
    NEED(write(go[1], "", 1) == 1);
    EXITS(target, 0);
    EXITS(pids[0], 0);
    EXITS(pids[1], 0);
}

// Views ------------------------------------------------------------------------------------------

static long line_of(int fd, const char *key, int base) {
    char path[64], line[128];
    long value = -99;
    snprintf(path, sizeof path, "/proc/self/fdinfo/%d", fd);
    FILE *file = fopen(path, "r");
    NEED(file != NULL);
    while (fgets(line, sizeof line, file) != NULL) {
        if (strncmp(line, key, strlen(key)) == 0 && line[strlen(key)] == '\t') {
            value = strtol(line + strlen(key), NULL, base);
        }
    }
    fclose(file);
    return value;
}

static void fdinfo(void) {
    const pid_t pid = sleeper();
    const int file = pidfd_of(pid);
    SAME(line_of(file, "pos:", 10), 0);
    SAME(line_of(file, "flags:", 8), O_RDWR | O_CLOEXEC);
    CHECK(line_of(file, "ino:", 10) > 0);
    SAME(line_of(file, "Pid:", 10), pid);
    SAME(line_of(file, "NSpid:", 10), pid);
    kill(pid, SIGKILL);
    until_ended(file);
    SAME(line_of(file, "Pid:", 10), pid);
    KILLED(pid, SIGKILL);
    SAME(line_of(file, "Pid:", 10), -1);
    SAME(line_of(file, "NSpid:", 10), -1);
    const int plain = open("file", O_RDWR | O_CREAT | O_APPEND, 0600);
    struct stat status;
    SAME(write(plain, "12345", 5), 5);
    SAME(line_of(plain, "pos:", 10), 5);
    SAME(line_of(plain, "flags:", 8) & (O_ACCMODE | O_APPEND | O_CLOEXEC), O_RDWR | O_APPEND);
    NEED(fstat(plain, &status) == 0);
    SAME(line_of(plain, "ino:", 10), status.st_ino);
    SAME(line_of(plain, "Pid:", 10), -99);
    SAME(stat("/proc/self/fdinfo", &status), 0);
    SAME(status.st_mode, S_IFDIR | 0555);
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fdinfo/%d", plain);
    SAME(stat(path, &status), 0);
    SAME(status.st_mode, S_IFREG | 0444);
    close(plain);
    REFUSED(stat(path, &status), ENOENT);
    REFUSED(stat("/proc/self/fdinfo/x", &status), ENOENT);
}

static void *shows_its_files(void *pointer) {
    char path[64], text[256];
    struct stat status;
    snprintf(path, sizeof path, "/proc/%d/task/%d/fdinfo/%d", getpid(), (int)syscall(SYS_gettid),
             *(int *)pointer);
    const int file = open(path, O_RDONLY);
    NEED(file >= 0 && fstat(file, &status) == 0);
    const ssize_t count = read(file, text, sizeof text - 1);
    text[count > 0 ? count : 0] = '\0';
    CHECK(strstr(text, "\nPid:\t") != NULL);
    return NULL;
}

// Linux 6.1 refuses to open it, others to read it.
static void fdinfo_of_others(void) {
    char path[64], byte;
    int own = pidfd_of(getpid());
    pthread_t thread;
    NEED(pthread_create(&thread, NULL, shows_its_files, &own) == 0);
    pthread_join(thread, NULL);
    snprintf(path, sizeof path, "/proc/%d/fdinfo/%d", getpid(), own);
    pid_t pid;
    CHILD(pid) {
        become_nobody(1);
        const int file = open(path, O_RDONLY);
        const int error = errno;
        CHECK(file >= 0 || error == EACCES);
        if (file >= 0) {
            REFUSED(read(file, &byte, 1), EACCES);
        }
    }
    EXITS(pid, 0);
}

// Memory of others -------------------------------------------------------------------------------

#define PAGE 4096u

// Pages that a child has, too: two, one to read alone, one without access, two, and none.
static char *laid_out(void) {
    char *pages = mmap(NULL, 7 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    NEED(pages != MAP_FAILED);
    for (size_t i = 0; i < 7 * PAGE; i++) {
        pages[i] = (char)('a' + i % 23);
    }
    NEED(mprotect(pages + 2 * PAGE, PAGE, PROT_READ) == 0);
    NEED(mprotect(pages + 3 * PAGE, PAGE, PROT_NONE) == 0);
    NEED(munmap(pages + 6 * PAGE, PAGE) == 0);
    return pages;
}

static void reads_memory(void) {
    static char own[8 * PAGE];
    char *pages = laid_out();
    const pid_t pid = sleeper();
    memset(pages, 'P', 2 * PAGE); // the parent's alone by now
    SAME(vm_read(pid, own, pages + 10, 2 * PAGE), 2 * PAGE);
    CHECK(own[0] == 'a' + 10 && own[2 * PAGE - 1] == (char)('a' + (2 * PAGE + 9) % 23));
    SAME(vm_read(pid, own, pages + PAGE, 3 * PAGE), 2 * PAGE); // up to the one without access
    REFUSED(vm_read(pid, own, pages + 3 * PAGE, 1), EFAULT);
    SAME(vm_read(pid, own, pages + 6 * PAGE - 5, 100), 5);
    REFUSED(vm_read(pid, own, pages + 6 * PAGE, 1), EFAULT);
    REFUSED(vm_read(pid, own, (char *)-4096l, 16), EFAULT);
    REFUSED(vm_read(pid, pages + 6 * PAGE, pages, 16), EFAULT);
    const struct iovec local[] = { { own, 3 }, { own + 3, 0 }, { own + 3, 6 } };
    const struct iovec remote[] = {
        { pages, 2 }, { NULL, 0 }, { pages + 5 * PAGE, 4 }, { pages + 3 * PAGE, 4 }, { pages, 4 }
    };
    SAME(syscall(SYS_process_vm_readv, pid, local, 3, remote, 5, 0), 6);
    CHECK(memcmp(own, "ab", 2) == 0);
    SAME(own[2], 'a' + 5 * PAGE % 23);
    SAME(syscall(SYS_process_vm_readv, pid, local, 1, remote, 3, 0), 3);
    kill(pid, SIGKILL);
    until_ended(pidfd_of(pid));
    REFUSED(vm_read(pid, own, pages, 1), ESRCH);
    KILLED(pid, SIGKILL);
    REFUSED(vm_read(pid, own, pages, 1), ESRCH);
}

static int write_go[2], write_done[2];

static void writes_memory(void) {
    char own[3 * PAGE], byte;
    char *pages = laid_out();
    memset(own, 'w', sizeof own);
    NEED(pipe(write_go) == 0 && pipe(write_done) == 0);
    pid_t pid;
    CHILD(pid) {
        NEED(read(write_go[0], &byte, 1) == 1);
        SAME(pages[9], 'a' + 9);
        for (size_t i = 10; i < 2 * PAGE; i++) {
            NEED(pages[i] == 'w');
        }
        SAME(pages[2 * PAGE], (char)('a' + 2 * PAGE % 23));
        memset(pages, 'c', 2 * PAGE);
        NEED(write(write_done[1], "", 1) == 1 && read(write_go[0], &byte, 1) == 1);
        SAME(pages[0], 'w');
        SAME(pages[1], 'c');
    }
    SAME(vm_write(pid, own, pages + 10, sizeof own), 2 * PAGE - 10); // not where it may only read
    REFUSED(vm_write(pid, own, pages + 2 * PAGE, 1), EFAULT);
    REFUSED(vm_write(pid, own, pages + 3 * PAGE, 1), EFAULT);
    REFUSED(vm_write(pid, (void *)16, pages, 1), EFAULT);
    SAME(pages[10], 'a' + 10); // the child's copy alone
    NEED(write(write_go[1], "", 1) == 1 && read(write_done[0], &byte, 1) == 1);
    SAME(vm_write(pid, own, pages, 1), 1);
    NEED(write(write_go[1], "", 1) == 1);
    EXITS(pid, 0);
    SAME(vm_write(getpid(), own, pages, 5), 5); // himself, too
    CHECK(memcmp(pages, "wwwwwf", 6) == 0);
}

// A thread that writes as well does not lose what is written, nor does what it writes get lost. If
// it forks, it is its own page that is written to, not the one that its child has by then.
static volatile unsigned char busy_page[PAGE] __attribute__((aligned(4096)));

static int is_busy(bool forks) {
    unsigned char counts[64] = { 0 };
    for (uint64_t i = 0; busy_page[0] == 0; i++) {
        busy_page[64 + i % 64]++;
        counts[i % 64]++;
        if (forks && i % 1024 == 0) {
            const pid_t pid = fork();
            if (pid == 0) {
                _exit(0);
            }
            check_wait(pid);
        }
    }
    return memcmp((const void *)(busy_page + 64), counts, sizeof counts) == 0 ? busy_page[0] : 1;
}

static void writes_beside_a_thread(void) {
    for (int round = 0; round < 50; round++) {
        const pid_t pid = fork();
        if (pid == 0) {
            _exit(is_busy(round % 2 == 1));
        }
        unsigned char bytes[32] = { 0 }, got[32];
        for (unsigned i = 0; i < 100; i++) {
            memset(bytes, (int)i, sizeof bytes);
            SAME(vm_write(pid, bytes, (void *)(busy_page + 32), sizeof bytes), sizeof bytes);
            SAME(vm_read(pid, got, (void *)(busy_page + 32), sizeof got), sizeof got);
            CHECK(memcmp(bytes, got, sizeof got) == 0);
        }
        bytes[0] = 42;
        SAME(vm_write(pid, bytes, (void *)busy_page, 1), 1);
        EXITS(pid, 42);
        SAME(busy_page[0], 0);
    }
}

static void memory_refuses(void) {
    char byte = 0;
    struct iovec one = { &byte, 1 }, none = { &byte, 0 };
    static struct iovec many[1025];
    const int read_call = SYS_process_vm_readv;
    const pid_t self = getpid();
    for (size_t i = 0; i < 1025; i++) {
        many[i] = one;
    }
    REFUSED(syscall(read_call, self, &one, 1, &one, 1, 1), EINVAL);
    REFUSED(syscall(read_call, 0x3fffff00, &one, 1, &one, 1, 0), ESRCH);
    REFUSED(syscall(read_call, 0, &one, 1, &one, 1, 0), ESRCH);
    REFUSED(syscall(read_call, -1, &one, 1, &one, 1, 0), ESRCH);
    REFUSED(syscall(read_call, self, many, 1025, &one, 1, 0), EINVAL);
    REFUSED(syscall(read_call, self, &one, 1, many, 1025, 0), EINVAL);
    SAME(syscall(read_call, self, many, 1024, many, 1024, 0), 1024);
    REFUSED(syscall(read_call, self, 16, 1, &one, 1, 0), EFAULT);
    REFUSED(syscall(read_call, self, &one, 1, 16, 1, 0), EFAULT);
    SAME(syscall(read_call, 0x3fffff00, &none, 1, 16, 1, 0), 0);
    SAME(syscall(read_call, 0x3fffff00, &one, 1, &none, 1, 0), 0);
    SAME(syscall(read_call, 0x3fffff00, &one, 1, NULL, 0, 0), 0);
    SAME(syscall(read_call, 0x3fffff00, NULL, 0, &one, 1, 0), 0);
    const struct iovec negative = { &byte, (size_t)-1 };
    REFUSED(syscall(read_call, self, &negative, 1, &one, 1, 0), EINVAL);
    REFUSED(syscall(read_call, self, &one, 1, &negative, 1, 0), EINVAL);
}

// What both share, and a file has.
static void writes_shared_memory(void) {
    const int file = open("shared", O_RDWR | O_CREAT, 0600);
    char text[8] = "";
    NEED(file >= 0 && ftruncate(file, PAGE) == 0);
    char *page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    NEED(page != MAP_FAILED);
    const pid_t pid = sleeper();
    SAME(vm_write(pid, "shared", page + 8, 6), 6);
    CHECK(memcmp(page + 8, "shared", 6) == 0);
    SAME(msync(page, PAGE, MS_SYNC), 0);
    SAME(vm_write(pid, "S", page + 8, 1), 1);
    SAME(pread(file, text, 6, 8), 6);
    CHECK(strcmp(text, "Shared") == 0);
    SAME(vm_read(pid, text, page + 9, 5), 5);
    CHECK(memcmp(text, "hared", 5) == 0);
    NEED(ftruncate(file, 0) == 0);
    REFUSED(vm_read(pid, text, page, 1), EFAULT);
    REFUSED(vm_write(pid, text, page, 1), EFAULT);
    kill(pid, SIGKILL);
    KILLED(pid, SIGKILL);
}

// What was moved until the own side faults counts.
static void own_side_ends_midway(void) {
    static char other[2 * PAGE];
    char *pages = laid_out();
    memset(other, 'o', sizeof other);
    const pid_t pid = sleeper();
    SAME(vm_read(pid, pages + 5 * PAGE, other, 2 * PAGE), PAGE);
    CHECK(pages[5 * PAGE] == 'o' && pages[6 * PAGE - 1] == 'o');
    SAME(vm_write(pid, pages + 5 * PAGE, other, 2 * PAGE), PAGE);
    REFUSED(vm_read(pid, pages + 2 * PAGE, other, 1), EFAULT); // to be read alone
    kill(pid, SIGKILL);
    KILLED(pid, SIGKILL);
}

static int thread_told[2], thread_go[2];
static int leader_word;

static void *outlives_the_first(void *unused) {
    char byte;
    (void)unused;
    const pid_t tid = (pid_t)syscall(SYS_gettid);
    while (__atomic_load_n(&leader_word, __ATOMIC_ACQUIRE) != 0) {
        sched_yield();
    }
    NEED(write(thread_told[1], &tid, sizeof tid) == sizeof tid);
    NEED(read(thread_go[0], &byte, 1) == 1);
    syscall(SYS_exit_group, 6);
    return NULL;
}

// Any thread's number does, but not that of a first one that has ended: it has no memory.
static void reads_by_thread(void) {
    static char memory[8] = "memory";
    char text[8] = "";
    pid_t tid;
    NEED(pipe(thread_told) == 0 && pipe(thread_go) == 0);
    const pid_t pid = fork();
    if (pid == 0) {
        pthread_t thread;
        leader_word = 1;
        syscall(SYS_set_tid_address, &leader_word);
        NEED(pthread_create(&thread, NULL, outlives_the_first, NULL) == 0);
        syscall(SYS_exit, 0);
    }
    NEED(read(thread_told[0], &tid, sizeof tid) == sizeof tid);
    SAME(vm_read(tid, text, memory, 7), 7);
    CHECK(strcmp(text, "memory") == 0);
    REFUSED(vm_read(pid, text, memory, 7), ESRCH);
    NEED(write(thread_go[1], "", 1) == 1);
    EXITS(pid, 6);
}

// Not cases: what children run by exec.
static int runs_plain(const char *rounds) {
    if (strcmp(rounds, "0") != 0) {
        execl("./raised", "raised", rounds, NULL);
    }
    return strcmp(rounds, "0") != 0;
}

static int runs_raised(const char *rounds) {
    char text[16];
    snprintf(text, sizeof text, "%d", atoi(rounds) - 1);
    NEED(geteuid() == 0 && fcntl(0, F_DUPFD_CLOEXEC, SECRET) == SECRET);
    NEED(setresuid(NOBODY, NOBODY, NOBODY) == 0);
    execl("./plain", "plain", text, NULL);
    return 1;
}

static const struct check_case cases[] = {
    CASE(others_are_private),
    CASE(other_ids_hide),
    CASE(servers_stay_private),
    CASE(capabilities_count),
    CASE(unreadable_programs_hide),
    CASE(exec_closes_first),
    CASE(raised_programs_stay_private),
    CASE(fdinfo),
    CASE(fdinfo_of_others),
    CASE(reads_memory),
    CASE(writes_memory),
    CASE(writes_beside_a_thread),
    CASE(memory_refuses),
    CASE(writes_shared_memory),
    CASE(own_side_ends_midway),
    CASE(reads_by_thread),
};

int main(int argc, char **argv) {
    if (argc == 2 && strcmp(argv[0], "plain") == 0) {
        return runs_plain(argv[1]);
    }
    if (argc == 2 && strcmp(argv[0], "raised") == 0) {
        return runs_raised(argv[1]);
    }
    if (argc >= 2 && strcmp(argv[1], "ends") == 0) {
        return 0;
    }
    if (argc >= 2 && strcmp(argv[1], "says_dumpable") == 0) {
        return is_dumpable();
    }
    return check_main(cases, sizeof cases / sizeof cases[0], argc, argv);
}
