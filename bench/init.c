// SPDX-License-Identifier: MIT OR Apache-2.0
// bench/init.c: the init of a benchmark. Its arguments are a list: the first says how
// (icount, wall, profile), each other one is PROGRAM:NAME[,NAME]...; each name gets a process of
// its own, one after the other. All that is measured goes to the console as lines that begin with
// "bench:". Then the machine ends.
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

static void run_one(const char *program, const char *how, const char *name) {
    char path[64];
    int status = 0;
    snprintf(path, sizeof path, "/bench/%s", program);
    pid_t child = fork();
    if (child == 0) {
        execl(path, path, how, name, NULL);
        _exit(127);
    }
    if (child < 0 || waitpid(child, &status, 0) != child || status != 0) {
        printf("bench: %s ended with status %#x\n", name, (unsigned)status);
    }
}

static void run(const char *how, char *item) {
    char *names = strchr(item, ':');
    if (names == NULL) {
        printf("bench: %s is no PROGRAM:NAME\n", item);
        return;
    }
    *names++ = '\0';
    for (char *name = strtok(names, ","); name != NULL; name = strtok(NULL, ",")) {
        run_one(item, how, name);
    }
}

// The host speaks through the console while a program is profiled: no echo, no lines.
static void console_raw(void) {
    struct termios settings;
    if (tcgetattr(0, &settings) == 0) {
        cfmakeraw(&settings);
        settings.c_oflag |= OPOST | ONLCR;
        tcsetattr(0, TCSANOW, &settings);
    }
}

// The drivers that a kernel wants as modules, by numbers from 0.
static void load_modules(void) {
    for (int i = 0;; i++) {
        char path[64];
        snprintf(path, sizeof path, "/bench/modules/%d.ko", i);
        const int file = open(path, O_RDONLY);
        if (file < 0) {
            return;
        }
        if (syscall(SYS_finit_module, file, "", 0) != 0) {
            printf("bench: %s cannot be loaded\n", path);
        }
        close(file);
    }
}

int main(int argc, char **argv) {
    setvbuf(stdout, NULL, _IONBF, 0);
    console_raw();
    // What exists already, exists.
    mount("proc", "/proc", "proc", 0, NULL);
    mount("dev", "/dev", "devtmpfs", 0, NULL);
    if (mount("tmp", "/tmp", "tmpfs", 0, NULL) != 0) {
        puts("bench: no tmpfs on /tmp");
    }
    load_modules();
    for (int i = 2; i < argc; i++) {
        run(argv[1], argv[i]);
    }
    puts("bench: end");
    reboot(RB_POWER_OFF);
    for (;;) {
        pause();
    }
}
