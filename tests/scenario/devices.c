// SPDX-License-Identifier: MIT OR Apache-2.0
// The devices that every program expects.
#include "check.h"
#include "machine.h"

#include <poll.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>
#include <termios.h>

static void numbers(void) {
    static const struct {
        const char *name;
        unsigned major;
        unsigned minor;
    } devices[] = {
        { "/dev/null", 1, 3 },    { "/dev/zero", 1, 5 },
        { "/dev/full", 1, 7 },    { "/dev/random", 1, 8 },
        { "/dev/urandom", 1, 9 }, { "/dev/tty", 5, 0 },
        { "/dev/console", 5, 1 }, { "/dev/" MACHINE_CONSOLE, MACHINE_CONSOLE_MAJOR, 64 }
    };
    for (size_t i = 0; i < sizeof devices / sizeof devices[0]; i++) {
        struct stat info;
        memset(&info, 0, sizeof info);
        SAME(stat(devices[i].name, &info), 0);
        CHECK(S_ISCHR(info.st_mode));
        SAME(major(info.st_rdev), devices[i].major);
        SAME(minor(info.st_rdev), devices[i].minor);
    }
}

static void null(void) {
    int fd = open("/dev/null", O_RDWR);
    NEED(fd >= 0);
    char text[10];
    SAME(read(fd, text, sizeof text), 0);
    SAME(write(fd, text, 10), 10);
    SAME(lseek(fd, 100, SEEK_SET), 0);
    struct pollfd polled = { .fd = fd, .events = POLLIN | POLLOUT };
    SAME(poll(&polled, 1, 0), 1);
    SAME(polled.revents, POLLIN | POLLOUT);
    struct termios settings;
    REFUSED(tcgetattr(fd, &settings), ENOTTY);
    SAME(isatty(fd), 0);
    fd = open("/dev/null", O_CREAT | O_TRUNC | O_WRONLY, 0600); // what a shell does
    CHECK(fd >= 0);
}

static void zero(void) {
    int fd = open("/dev/zero", O_RDWR);
    NEED(fd >= 0);
    char *block = malloc(100000);
    memset(block, 1, 100000);
    SAME(read(fd, block, 100000), 100000);
    for (int i = 0; i < 100000; i++) {
        NEED(block[i] == 0);
    }
    SAME(write(fd, block, 100), 100);
    REFUSED(read(fd, (void *)8, 10), EFAULT);
    char *map = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    NEED(map != MAP_FAILED);
    SAME(map[5000], 0);
    map[5000] = 1;
    SAME(map[5000], 1);
}

static void full(void) {
    int fd = open("/dev/full", O_RDWR);
    NEED(fd >= 0);
    char text[4] = "abc";
    REFUSED(write(fd, text, 1), ENOSPC);
    SAME(read(fd, text, 4), 4);
    SAME(text[0], 0);
}

static void random_bytes(void) {
    static const char *const names[] = { "/dev/urandom", "/dev/random" };
    for (int i = 0; i < 2; i++) {
        int fd = open(names[i], O_RDONLY);
        NEED(fd >= 0);
        unsigned char first[64];
        unsigned char second[64];
        SAME(read(fd, first, 64), 64);
        SAME(read(fd, second, 64), 64);
        CHECK(memcmp(first, second, 64) != 0);
        int bits = 0;
        for (int k = 0; k < 64; k++) {
            bits += __builtin_popcount(first[k]) + __builtin_popcount(second[k]);
        }
        CHECK(bits > 400 && bits < 624); // 512 expected, 11 standard deviations about
    }
    int fd = open("/dev/urandom", O_WRONLY);
    CHECK(fd >= 0);
    SAME(write(fd, "entropy", 7), 7);
}

static void no_terminal(void) {
    REFUSED(open("/dev/tty", O_RDWR), ENXIO); // the program has none
}

static void serial_port_is_a_terminal(void) {
    int fd = open("/dev/" MACHINE_CONSOLE, O_RDWR | O_NOCTTY);
    NEED(fd >= 0);
    struct termios settings;
    SAME(tcgetattr(fd, &settings), 0);
    SAME(isatty(fd), 1);
    struct termios raw = settings;
    cfmakeraw(&raw);
    SAME(tcsetattr(fd, TCSANOW, &raw), 0);
    struct termios now;
    SAME(tcgetattr(fd, &now), 0);
    SAME(now.c_lflag & (ICANON | ECHO | ISIG), 0);
    SAME(tcsetattr(fd, TCSADRAIN, &settings), 0);
    struct winsize size;
    SAME(ioctl(fd, TIOCGWINSZ, &size), 0);
    struct winsize set = { .ws_row = 25, .ws_col = 81 };
    SAME(ioctl(fd, TIOCSWINSZ, &set), 0);
    SAME(ioctl(fd, TIOCGWINSZ, &size), 0);
    SAME(size.ws_col, 81);
    memset(&set, 0, sizeof set);
    SAME(ioctl(fd, TIOCSWINSZ, &set), 0);
    int waiting = 77;
    SAME(ioctl(fd, FIONREAD, &waiting), 0);
    SAME(waiting, 0);
    pid_t group;
    REFUSED(ioctl(fd, TIOCGPGRP, &group), ENOTTY); // not ours
    REFUSED(ioctl(fd, 0x12345678, 0), ENOTTY);
    REFUSED(ioctl(99, TCGETS, &settings), EBADF);
    REFUSED(ioctl(fd, TCGETS, (void *)8), EFAULT);
}

static void controlling_terminal(void) {
    pid_t pid;
    CHILD(pid) {
        NEED(setsid() == getpid());
        int fd = open("/dev/" MACHINE_CONSOLE, O_RDWR); // a leader's first terminal becomes its own
        NEED(fd >= 0);
        int own = open("/dev/tty", O_RDWR);
        CHECK(own >= 0);
        SAME(tcgetpgrp(fd), getpid());
        SAME(tcgetsid(fd), getsid(0));
        pid_t inner = fork();
        if (inner == 0) {
            setpgid(0, 0);
            signal(SIGTTOU, SIG_DFL);
            tcsetpgrp(own, getpid()); // from the background: stopped
            _exit(3);
        }
        setpgid(inner, inner);
        int status;
        SAME(waitpid(inner, &status, WUNTRACED), inner);
        CHECK(WIFSTOPPED(status));
        SAME(WSTOPSIG(status), SIGTTOU);
        SAME(tcsetpgrp(fd, inner), 0);
        SAME(tcgetpgrp(fd), inner);
        kill(inner, SIGCONT);
        EXITS(inner, 3);
        signal(SIGTTOU, SIG_IGN);
        REFUSED(tcsetpgrp(fd, 999999), ESRCH);
        SAME(tcsetpgrp(fd, getpid()), 0);
        inner = fork();
        if (inner == 0) {
            setpgid(0, 0);
            char byte;
            (void)!read(own, &byte, 1); // from the background: stopped
            _exit(3);
        }
        setpgid(inner, inner);
        SAME(waitpid(inner, &status, WUNTRACED), inner);
        SAME(WSTOPSIG(status), SIGTTIN);
        kill(inner, SIGKILL);
        KILLED(inner, SIGKILL);
        signal(SIGHUP, SIG_IGN);
        SAME(ioctl(fd, TIOCNOTTY, 0), 0);
        REFUSED(open("/dev/tty", O_RDWR), ENXIO);
    }
    EXITS(pid, 0);
}

static const struct check_case cases[] = {
    CASE(numbers),
    CASE(null),
    CASE(zero),
    CASE(full),
    CASE(random_bytes),
    CASE(no_terminal),
    CASE(serial_port_is_a_terminal),
    CASE(controlling_terminal),
};
CHECK_MAIN(cases)
