// SPDX-License-Identifier: MIT OR Apache-2.0
// tests/openposix/cases.c: runs cases of the Open POSIX Test Suite, one after another, and says how
// each ended.
//
// `cases SECONDS` reads one line per case from standard input: NAME PROGRAM ARGUMENT... Of each
// case it prints
//   start NAME
//   OUTPUT...          what the case printed, each line behind a '|', the last OUTPUT_MAX bytes at
//   most end NAME VERDICT MS
// VERDICT is PASS, FAIL, UNRESOLVED, UNSUPPORTED, UNTESTED (the suite's <posixtest.h>), exit-N,
// signal-N or timeout. A case has a session of its own; whatever it leaves running is killed, with
// everything but init and this program, and the names it leaves in /tmp, /dev/shm and /dev/mqueue
// are removed. Its parent must be init.
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define LINE_MAX_BYTES 1024
#define WORDS_MAX      16
#define OUTPUT_MAX     1500
#define FOLDER         "/pts"
#define OUTPUT         "/var/output"

static const char *const left_behind[] = { "/tmp", "/dev/shm", "/dev/mqueue" };

static void die(const char *what) {
    fprintf(stderr, "cases: %s: %s\n", what, strerror(errno));
    exit(1);
}

static long long now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

static void mount_all(void) {
    mkdir("/dev/shm", 01777);
    mkdir("/dev/mqueue", 01777);
    mount("tmpfs", "/dev/shm", "tmpfs", 0, "mode=1777");
    mount("mqueue", "/dev/mqueue", "mqueue", 0, NULL);
}

static void become_case(char *words[]) {
    setsid();
    int null = open("/dev/null", O_RDONLY);
    int output = open(OUTPUT, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0600);
    if (null < 0 || output < 0 || chdir(FOLDER) != 0) {
        _exit(126);
    }
    dup2(null, STDIN_FILENO);
    dup2(output, STDOUT_FILENO);
    dup2(output, STDERR_FILENO);
    close(null);
    close(output);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    execv(words[1], words + 1);
    _exit(127);
}

// Ends all processes that a case has left. Those of a group of its own are not found by their
// group.
static void end_others(void) {
    kill(-1, SIGKILL);
    while (waitpid(-1, NULL, 0) > 0 || errno == EINTR) {
    }
}

static void remove_left(const char *folder) {
    DIR *names = opendir(folder);
    if (names == NULL) {
        return;
    }
    struct dirent *entry;
    while ((entry = readdir(names)) != NULL) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) {
            unlinkat(dirfd(names), entry->d_name, 0);
            unlinkat(dirfd(names), entry->d_name, AT_REMOVEDIR);
        }
    }
    closedir(names);
}

// Waits for the case; SIGCHLD is blocked, so that none is missed. -1: its time was up.
static int wait_for(pid_t pid, long long limit_ms) {
    sigset_t child;
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    long long end = now_ms() + limit_ms;
    int status;
    while (waitpid(pid, &status, WNOHANG) != pid) {
        long long left = end - now_ms();
        if (left <= 0) {
            return -1;
        }
        struct timespec time = { .tv_sec = left / 1000, .tv_nsec = left % 1000 * 1000000 };
        sigtimedwait(&child, NULL, &time);
    }
    return status;
}

static void show_output(void) {
    char text[OUTPUT_MAX];
    int file = open(OUTPUT, O_RDONLY);
    struct stat status;
    if (file < 0 || fstat(file, &status) != 0) {
        return;
    }
    off_t from = status.st_size > OUTPUT_MAX ? status.st_size - OUTPUT_MAX : 0;
    ssize_t length = pread(file, text, sizeof text, from);
    close(file);
    unlink(OUTPUT);
    for (ssize_t at = 0, begins = 1; at < length; at++) {
        if (begins) {
            putchar('|');
        }
        putchar(text[at]);
        begins = text[at] == '\n';
    }
    if (length > 0 && text[length - 1] != '\n') {
        putchar('\n');
    }
}

static void show_verdict(const char *name, int status, long long ms) {
    static const char *const verdicts[] = {
        [0] = "PASS", [1] = "FAIL", [2] = "UNRESOLVED", [4] = "UNSUPPORTED", [5] = "UNTESTED"
    };
    printf("end %s ", name);
    if (status == -1) {
        printf("timeout");
    } else if (WIFSIGNALED(status)) {
        printf("signal-%d", WTERMSIG(status));
    } else if (WEXITSTATUS(status) < 6 && verdicts[WEXITSTATUS(status)] != NULL) {
        printf("%s", verdicts[WEXITSTATUS(status)]);
    } else {
        printf("exit-%d", WEXITSTATUS(status));
    }
    printf(" %lld\n", ms);
    fflush(stdout);
}

static void run_case(char *words[], long long limit_ms) {
    printf("start %s\n", words[0]);
    fflush(stdout);
    long long began = now_ms();
    pid_t pid = fork();
    if (pid < 0) {
        die("fork");
    }
    if (pid == 0) {
        become_case(words);
    }
    int status = wait_for(pid, limit_ms);
    long long took = now_ms() - began;
    end_others();
    for (size_t at = 0; at < sizeof left_behind / sizeof left_behind[0]; at++) {
        remove_left(left_behind[at]);
    }
    show_output();
    show_verdict(words[0], status, took);
}

int main(int argc, char *argv[]) {
    if (argc != 2 || getppid() != 1) {
        fprintf(stderr, "usage, as a child of init: cases SECONDS <LIST\n");
        return 1;
    }
    mount_all();
    umask(022);
    sigset_t child;
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    sigprocmask(SIG_BLOCK, &child, NULL);
    char line[LINE_MAX_BYTES];
    while (fgets(line, sizeof line, stdin) != NULL) {
        char *words[WORDS_MAX + 1] = { NULL };
        size_t count = 0;
        for (char *word = strtok(line, " \n"); word != NULL && count < WORDS_MAX;
             word = strtok(NULL, " \n")) {
            words[count++] = word;
        }
        if (count >= 2) {
            run_case(words, atoll(argv[1]) * 1000);
        }
    }
    return 0;
}
