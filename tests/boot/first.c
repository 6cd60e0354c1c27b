// SPDX-License-Identifier: MIT OR Apache-2.0
// tests/boot/first.c: an init that says what it was started with, checks what can be checked from
// inside, and ends the machine as its first argument's suffix asks. What it prints is judged
// outside.
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

static int bad;

static void expect(int good, const char *what) {
    if (!good) {
        printf("first: WRONG: %s (errno %d)\n", what, errno);
        bad = 1;
    }
}

static void show_start(char **argv, char **environment) {
    for (int i = 0; argv[i]; i++) {
        printf("first: argv[%d]=%s\n", i, argv[i]);
    }
    for (int i = 0; environment[i]; i++) {
        printf("first: env %s\n", environment[i]);
    }
    cpu_set_t set;
    CPU_ZERO(&set);
    sched_getaffinity(0, sizeof set, &set);
    printf("first: %d processors\n", CPU_COUNT(&set));
}

static void check_identity(void) {
    expect(getpid() == 1, "getpid() is 1");
    expect(getppid() == 0, "getppid() is 0");
    expect(getuid() == 0 && getgid() == 0 && geteuid() == 0 && getegid() == 0, "root");
    expect(fcntl(0, F_GETFL) >= 0 && fcntl(1, F_GETFL) >= 0 && fcntl(2, F_GETFL) >= 0,
           "descriptors 0, 1, 2 are open");
    expect(fcntl(3, F_GETFD) == -1, "and no more");
    struct stat info;
    expect(fstat(0, &info) == 0 && S_ISCHR(info.st_mode) && info.st_rdev == makedev(5, 1),
           "standard input is /dev/console");
    char folder[64];
    expect(getcwd(folder, sizeof folder) && strcmp(folder, "/") == 0, "the folder is /");
    expect(umask(0) == 022, "umask is 022");
}

static void check_stack(char **argv, char **environment) {
    expect(((unsigned long)(argv - 1) & 15) == 0, "the stack is aligned to 16");
    char **end = environment;
    while (*end) {
        end++;
    }
    unsigned long *vector = (unsigned long *)(end + 1);
    unsigned long seen = 0;
    for (; vector[0] != AT_NULL; vector += 2) {
        seen |= vector[0] < 64 ? 1UL << vector[0] : 0;
    }
    static const unsigned long wanted[] = { AT_PHDR,   AT_PHENT,   AT_PHNUM,  AT_PAGESZ, AT_BASE,
                                            AT_FLAGS,  AT_ENTRY,   AT_UID,    AT_EUID,   AT_GID,
                                            AT_EGID,   AT_SECURE,  AT_RANDOM, AT_EXECFN, AT_HWCAP,
                                            AT_CLKTCK, AT_PLATFORM };
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
        char text[64];
        snprintf(text, sizeof text, "auxiliary value %lu is there", wanted[i]);
        expect((seen >> wanted[i]) & 1, text);
    }
    expect(getauxval(AT_PAGESZ) == 4096, "AT_PAGESZ");
    expect(strcmp((char *)getauxval(AT_EXECFN), argv[0]) == 0, "AT_EXECFN");
}

// The tree that suite_boot.py puts into the archive.
static void check_tree(void) {
    struct stat info;
    struct stat other;
    char text[64] = "";
    expect(stat("/tree/file", &info) == 0 && info.st_mode == (S_IFREG | 0640) && info.st_size == 6,
           "a file with its mode and size");
    expect(info.st_mtime == 1704067200, "its time");
    int fd = open("/tree/file", O_RDONLY);
    expect(read(fd, text, sizeof text) == 6 && memcmp(text, "hello\n", 6) == 0, "its contents");
    close(fd);
    expect(stat("/tree/empty", &info) == 0 && info.st_size == 0, "an empty file");
    expect(stat("/tree/deep/er", &info) == 0 && info.st_mode == (S_IFDIR | 0711), "a folder");
    memset(text, 0, sizeof text);
    expect(readlink("/tree/link", text, sizeof text) == 4 && strcmp(text, "file") == 0, "a link");
    expect(stat("/tree/hard1", &info) == 0 && stat("/tree/hard2", &other) == 0 &&
               info.st_ino == other.st_ino && info.st_nlink == 2 && info.st_size == 5,
           "two names of one file");
    expect(stat("/tree/device", &info) == 0 && S_ISCHR(info.st_mode) &&
               info.st_rdev == makedev(1, 3) && (info.st_mode & 0777) == 0666,
           "a device");
    expect(stat("/tree/fifo", &info) == 0 && S_ISFIFO(info.st_mode), "a FIFO");
    expect(stat("/tree/large", &info) == 0 && info.st_size == 3000000, "a large file");
    fd = open("/tree/large", O_RDONLY);
    static unsigned char block[3000000];
    size_t filled = 0;
    ssize_t count;
    while ((count = read(fd, block + filled, sizeof block - filled)) > 0) {
        filled += (size_t)count;
    }
    int same = filled == sizeof block;
    for (size_t i = 0; i < filled; i++) {
        same &= block[i] == (unsigned char)(i * 7 + i / 251);
    }
    expect(same, "its contents, byte for byte");
}

// Waits until a device has made the kernel's random generator strong.
static void wait_strong(void) {
    char text[8] = "0";
    mkdir("/proc", 0755);
    expect(mount("proc", "/proc", "proc", 0, NULL) == 0, "mounting /proc");
    for (int i = 0; i < 1000 && atoi(text) == 0; i++) {
        const int fd = open("/proc/sys/kernel/random/entropy_avail", O_RDONLY);
        expect(read(fd, text, sizeof text - 1) > 0, "reading how strong it is");
        close(fd);
        usleep(10000);
    }
    expect(atoi(text) == 256, "the generator is strong");
}

// Above what programs get unasked: with Sv57, by a hint; a child has it, the kernel reaches it.
static void check_far(void) {
    char *const wanted = (char *)((UINT64_C(1) << 56) - 3 * 4096);
    char *far = mmap(wanted, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    char *near = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    expect(far != MAP_FAILED && near != MAP_FAILED, "memory");
    expect((uintptr_t)near >> 47 == 0 && (uintptr_t)&near >> 47 == 0, "usual memory is not far");
    if (far != wanted) {
        printf("first: no far memory\n");
        return;
    }
    int pipes[2];
    int status = -1;
    expect(pipe(pipes) == 0 && write(pipes[1], "a word", 7) == 7, "a pipe");
    expect(read(pipes[0], far + 4092, 7) == 7 && strcmp(far + 4092, "a word") == 0, "read() there");
    const pid_t child = fork();
    if (child == 0) {
        far[4092] = 'A';
        _exit(strcmp(far + 4092, "A word") != 0 || write(pipes[1], far + 4092, 7) != 7);
    }
    expect(waitpid(child, &status, 0) == child && status == 0, "a child that writes there");
    expect(strcmp(far + 4092, "a word") == 0, "what it wrote is its own");
    expect(read(pipes[0], far, 7) == 7 && strcmp(far, "A word") == 0, "write() from there");
    expect(munmap(far, 8192) == 0 && write(pipes[1], far, 1) == -1 && errno == EFAULT,
           "it is gone");
    expect(write(pipes[1], wanted + 3 * 4096, 1) == -1 && errno == EFAULT, "the end of all");
    printf("first: far memory to 56 bits\n");
}

int main(int argc, char **argv, char **environment) {
    const char *wish = argc > 1 ? argv[argc - 1] : "";
    show_start(argv, environment);
    check_identity();
    check_stack(argv, environment);
    if (access("/tree", F_OK) == 0) {
        check_tree();
        printf("first: the tree was looked at\n");
    }
    if (argc > 1 && strcmp(argv[1], "strong") == 0) {
        wait_strong();
    }
    if (strcmp(wish, "far") == 0) {
        check_far();
    }
    printf(bad ? "first: failed\n" : "first: all good\n");
    fflush(stdout);
    if (strcmp(wish, "exit") == 0) {
        return 3;
    }
    if (strcmp(wish, "crash") == 0) {
        *(volatile int *)8 = 1;
    }
    reboot(strcmp(wish, "restart") == 0 ? RB_AUTOBOOT : RB_POWER_OFF);
    return 4;
}
