// SPDX-License-Identifier: MIT OR Apache-2.0
// Pairs of terminals: what one end writes the other reads, locks, numbers, nodes, packet mode, job
// control, and what each end sees when the other one is closed.
// RUN: musl glibc
#include "check.h"

#include <poll.h>
#include <pty.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <termios.h>

#define DEVPTS_MAGIC 0x1cd1

static void prepare(void) {
    mkdir("/dev/pts", 0755); // whatever is there already stays
    struct statfs about;
    NEED(statfs("/dev/pts", &about) == 0);
    if (about.f_type != DEVPTS_MAGIC) {
        NEED(mount("devpts", "/dev/pts", "devpts", 0, "mode=620,gid=5,ptmxmode=666") == 0);
    }
}

static int master_open(char *name, size_t size) {
    prepare();
    const int master = posix_openpt(O_RDWR | O_NOCTTY);
    NEED(master >= 0);
    NEED(grantpt(master) == 0 && unlockpt(master) == 0);
    NEED(ptsname_r(master, name, size) == 0);
    return master;
}

static int pair(int *slave) {
    char name[64];
    const int master = master_open(name, sizeof name);
    *slave = open(name, O_RDWR | O_NOCTTY);
    NEED(*slave >= 0);
    return master;
}

static void raw(int fd) {
    struct termios settings;
    NEED(tcgetattr(fd, &settings) == 0);
    cfmakeraw(&settings);
    NEED(tcsetattr(fd, TCSANOW, &settings) == 0);
}

static bool reads(int fd, const char *expected) {
    char text[256];
    size_t have = 0;
    const size_t length = strlen(expected);
    while (have < length) {
        const ssize_t got = read(fd, text + have, length - have);
        if (got <= 0) {
            return false;
        }
        have += (size_t)got;
    }
    return memcmp(text, expected, length) == 0;
}

static short events(int fd) {
    struct pollfd one = { fd, POLLIN | POLLOUT | POLLPRI, 0 };
    NEED(poll(&one, 1, 0) >= 0);
    return one.revents;
}

static void both_ways(void) {
    int slave;
    const int master = pair(&slave);
    CHECK(isatty(master) && isatty(slave));
    SAME(write(master, "hello\n", 6), 6);
    CHECK(reads(slave, "hello\n"));
    CHECK(reads(master, "hello\r\n")); // its echo
    SAME(write(slave, "you\n", 4), 4);
    CHECK(reads(master, "you\r\n"));
    raw(slave);
    SAME(write(slave, "you\n", 4), 4);
    CHECK(reads(master, "you\n"));
    SAME(write(master, "\3\r", 2), 2);
    CHECK(reads(slave, "\3\r"));
    SAME(events(master), POLLOUT);
    SAME(events(slave), POLLOUT);
    int count = -1;
    SAME(write(slave, "abc", 3), 3);
    SAME(ioctl(master, FIONREAD, &count), 0);
    SAME(count, 3);
    SAME(tcdrain(slave), 0); // nobody has promised to read
    SAME(events(master), POLLIN | POLLOUT);
    SAME(tcflush(master, TCIFLUSH), 0);
    SAME(events(master), POLLOUT);
    REFUSED(lseek(master, 0, SEEK_SET), ESPIPE);
}

static void edits(void) {
    int slave;
    const int master = pair(&slave);
    SAME(write(master, "ax\177b\4", 5), 5);
    CHECK(reads(slave, "ab"));
    SAME(write(master, "\4", 1), 1); // the end of a file
    char byte;
    SAME(read(slave, &byte, 1), 0);
    CHECK(reads(master, "ax\b \bb"));
}

static void locks(void) {
    prepare();
    char name[64];
    const int master = posix_openpt(O_RDWR | O_NOCTTY);
    int locked = -1;
    NEED(master >= 0 && ptsname_r(master, name, sizeof name) == 0);
    SAME(ioctl(master, TIOCGPTLCK, &locked), 0);
    SAME(locked, 1);
    REFUSED(open(name, O_RDWR | O_NOCTTY), EIO);
    SAME(unlockpt(master), 0);
    SAME(ioctl(master, TIOCGPTLCK, &locked), 0);
    SAME(locked, 0);
    const int slave = open(name, O_RDWR | O_NOCTTY);
    CHECK(slave >= 0);
    REFUSED(ioctl(slave, TIOCGPTN, &locked), ENOTTY);
    REFUSED(ioctl(master, TIOCSPTLCK, NULL), EFAULT);
}

static void nodes(void) {
    char name[64];
    struct stat about, again;
    const int master = master_open(name, sizeof name);
    NEED(stat(name, &about) == 0);
    SAME(about.st_mode & S_IFMT, S_IFCHR);
    SAME(major(about.st_rdev), 136);
    SAME(about.st_uid, geteuid());
    NEED(chmod(name, 0600) == 0 && chown(name, 7, 8) == 0 && stat(name, &about) == 0);
    SAME(about.st_mode & 0777, 0600);
    SAME(about.st_uid, 7);
    SAME(about.st_gid, 8);
    SAME(access("/dev/pts/ptmx", F_OK), 0);
    CHECK(open("/dev/pts/new", O_CREAT | O_RDWR, 0600) < 0);
    REFUSED(open("/dev/pts/4000", O_RDWR), ENOENT);
    // A node of that number elsewhere opens nothing.
    NEED(mknod("mine", S_IFCHR | 0600, about.st_rdev) == 0);
    REFUSED(open("mine", O_RDWR | O_NOCTTY), EIO);
    close(master);
    REFUSED(stat(name, &again), ENOENT);
}

static void master_closes(void) {
    int slave;
    char byte;
    const int master = pair(&slave);
    struct termios settings;
    SAME(write(master, "lost\n", 5), 5);
    close(master);
    SAME(read(slave, &byte, 1), 0);
    REFUSED(write(slave, "a", 1), EIO);
    REFUSED(tcgetattr(slave, &settings), EIO);
    CHECK((events(slave) & (POLLHUP | POLLERR)) == (POLLHUP | POLLERR));
}

static void slave_closes(void) {
    int slave;
    char byte, name[64];
    const int master = pair(&slave);
    NEED(ptsname_r(master, name, sizeof name) == 0);
    SAME(write(slave, "bye", 3), 3);
    close(slave);
    CHECK((events(master) & POLLHUP) != 0);
    CHECK(reads(master, "bye"));
    REFUSED(read(master, &byte, 1), EIO);
    slave = open(name, O_RDWR | O_NOCTTY); // and comes back
    NEED(slave >= 0);
    SAME(events(master), POLLOUT);
    SAME(write(slave, "again", 5), 5);
    CHECK(reads(master, "again"));
}

// What was written before Ctrl-S is not lost with who wrote it.
static void stopped(void) {
    int slave;
    const int master = pair(&slave);
    SAME(write(slave, "bye", 3), 3);
    SAME(write(master, "\23", 1), 1);
    close(slave);
    CHECK(reads(master, "bye"));
}

// Nobody reads, and a page or so has room.
static void holds(void) {
    int slave;
    const int master = pair(&slave);
    static char bytes[3500];
    raw(slave);
    NEED(fcntl(slave, F_SETFL, O_NONBLOCK) == 0);
    SAME(write(slave, bytes, sizeof bytes), sizeof bytes);
    int count = 0;
    SAME(ioctl(master, FIONREAD, &count), 0);
    SAME(count, sizeof bytes);
}

static void waits(void) {
    int slave;
    const int master = pair(&slave);
    raw(slave);
    pid_t child;
    CHILD(child) {
        CHECK(reads(slave, "wake"));
        SAME(write(slave, "up", 2), 2);
    }
    SAME(write(master, "wake", 4), 4);
    CHECK(reads(master, "up"));
    EXITS(child, 0);
    char byte;
    NEED(fcntl(master, F_SETFL, O_NONBLOCK) == 0);
    REFUSED(read(master, &byte, 1), EAGAIN);
}

// A writer of either end waits for the reader of the other, and all arrives in its order.
static void streams(void) {
    int slave;
    const int master = pair(&slave);
    static unsigned char bytes[100000], back[100000];
    raw(slave);
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (unsigned char)(i * 7 + i / 251);
    }
    for (int turn = 0; turn < 2; turn++) {
        const int from = turn == 0 ? master : slave;
        const int to = turn == 0 ? slave : master;
        pid_t child;
        CHILD(child) {
            for (size_t done = 0; done < sizeof bytes;) {
                const ssize_t put = write(from, bytes + done, sizeof bytes - done);
                NEED(put > 0);
                done += (size_t)put;
            }
        }
        for (size_t done = 0; done < sizeof back;) {
            const ssize_t got = read(to, back + done, sizeof back - done);
            NEED(got > 0);
            done += (size_t)got;
        }
        SAME(memcmp(bytes, back, sizeof bytes), 0);
        EXITS(child, 0);
    }
}

static void packets(void) {
    int slave;
    const int master = pair(&slave);
    int on = 1;
    char text[16];
    SAME(ioctl(master, TIOCPKT, &on), 0);
    SAME(write(slave, "ab", 2), 2);
    SAME(read(master, text, sizeof text), 3);
    SAME(text[0], TIOCPKT_DATA);
    SAME(memcmp(text + 1, "ab", 2), 0);
    struct termios settings;
    NEED(tcgetattr(slave, &settings) == 0);
    settings.c_iflag &= ~(tcflag_t)IXON;
    NEED(tcsetattr(slave, TCSANOW, &settings) == 0);
    CHECK((events(master) & (POLLIN | POLLPRI)) == (POLLIN | POLLPRI));
    SAME(read(master, text, sizeof text), 1);
    SAME(text[0] & TIOCPKT_NOSTOP, TIOCPKT_NOSTOP);
    settings.c_iflag |= IXON; // there and back: what is told is how it is now
    NEED(tcsetattr(slave, TCSANOW, &settings) == 0);
    settings.c_iflag &= ~(tcflag_t)IXON;
    NEED(tcsetattr(slave, TCSANOW, &settings) == 0);
    SAME(read(master, text, sizeof text), 1);
    SAME(text[0] & (TIOCPKT_NOSTOP | TIOCPKT_DOSTOP), TIOCPKT_NOSTOP);
    SAME(tcflush(slave, TCIFLUSH), 0);
    SAME(read(master, text, sizeof text), 1);
    SAME(text[0], TIOCPKT_FLUSHREAD);
    SAME(tcflush(slave, TCOFLUSH), 0);
    SAME(read(master, text, sizeof text), 1);
    SAME(text[0], TIOCPKT_FLUSHWRITE);
    on = 0;
    SAME(ioctl(master, TIOCPKT, &on), 0);
    SAME(write(slave, "ab", 2), 2);
    CHECK(reads(master, "ab"));
}

static volatile sig_atomic_t resized, interrupted;

static void note(int number) {
    resized += number == SIGWINCH;
    interrupted += number == SIGINT;
}

// A session behind a pair, as a terminal emulator makes one.
static void session(void) {
    prepare();
    int master;
    const pid_t child = forkpty(&master, NULL, NULL, NULL);
    NEED(child >= 0);
    if (child == 0) {
        struct sigaction act = { .sa_handler = note };
        sigset_t both, before;
        sigemptyset(&both);
        sigaddset(&both, SIGWINCH);
        sigaddset(&both, SIGINT);
        sigprocmask(SIG_BLOCK, &both, &before); // until it waits for them
        sigaction(SIGWINCH, &act, NULL);
        sigaction(SIGINT, &act, NULL);
        SAME(tcgetpgrp(0), getpid());
        SAME(tcgetsid(0), getpid());
        const int mine = open("/dev/tty", O_RDWR);
        CHECK(mine >= 0);
        close(mine);
        SAME(write(1, "ready\n", 6), 6);
        while (!resized || !interrupted) {
            sigsuspend(&before);
        }
        struct winsize window;
        SAME(ioctl(0, TIOCGWINSZ, &window), 0);
        SAME(window.ws_row, 11);
        SAME(window.ws_col, 22);
        _exit(check_failures);
    }
    CHECK(reads(master, "ready\r\n"));
    const struct winsize window = { .ws_row = 11, .ws_col = 22 };
    SAME(ioctl(master, TIOCSWINSZ, &window), 0);
    SAME(tcgetpgrp(master), child);
    SAME(write(master, "\3", 1), 1);
    EXITS(child, 0);
}

// Who has it as his terminal is told when the other end goes, and has none then.
static void hang_up(void) {
    prepare();
    int master;
    const pid_t child = forkpty(&master, NULL, NULL, NULL);
    NEED(child >= 0);
    if (child == 0) {
        sigset_t hangup;
        int number = 0;
        sigemptyset(&hangup);
        sigaddset(&hangup, SIGHUP);
        sigprocmask(SIG_BLOCK, &hangup, NULL);
        SAME(write(1, "x", 1), 1);
        sigwait(&hangup, &number);
        const int none = open("/dev/tty", O_RDWR);
        _exit(number == SIGHUP && none < 0 && errno == ENXIO ? 0 : 1);
    }
    CHECK(reads(master, "x"));
    close(master);
    EXITS(child, 0);
    const pid_t dies = forkpty(&master, NULL, NULL, NULL);
    NEED(dies >= 0);
    if (dies == 0) {
        SAME(write(1, "x", 1), 1);
        for (;;) {
            pause();
        }
    }
    CHECK(reads(master, "x"));
    close(master);
    KILLED(dies, SIGHUP);
}

// The group in front is told when the leader has left.
static void hang_up_in_front(void) {
    prepare();
    int master, alive[2];
    NEED(pipe(alive) == 0);
    const pid_t leader = forkpty(&master, NULL, NULL, NULL);
    NEED(leader >= 0);
    if (leader == 0) {
        const pid_t job = fork();
        if (job == 0) {
            setpgid(0, 0);
            signal(SIGTTOU, SIG_IGN);
            SAME(tcsetpgrp(0, getpid()), 0);
            SAME(write(1, "x", 1), 1);
            for (;;) {
                pause();
            }
        }
        close(alive[1]);
        for (;;) {
            pause();
        }
    }
    close(alive[1]);
    CHECK(reads(master, "x"));
    close(master);
    KILLED(leader, SIGHUP);
    char byte;
    SAME(read(alive[0], &byte, 1), 0); // nobody has the other end
}

// A terminal that may be written to is not one's own.
static void not_by_writing(void) {
    char name[64];
    const int master = master_open(name, sizeof name);
    pid_t child;
    CHILD(child) {
        NEED(setsid() == getpid());
        CHECK(open(name, O_WRONLY) >= 0);
        REFUSED(open("/dev/tty", O_RDWR), ENXIO);
        CHECK(open(name, O_RDONLY) >= 0);
        CHECK(open("/dev/tty", O_RDWR) >= 0);
    }
    EXITS(child, 0);
    close(master);
}

// Who is robbed of his terminal has none.
static void robbed(void) {
    int slave, ready[2], go[2];
    const int master = pair(&slave);
    char byte = 0;
    NEED(pipe(ready) == 0 && pipe(go) == 0);
    pid_t first, second;
    CHILD(first) {
        NEED(setsid() == getpid());
        SAME(ioctl(slave, TIOCSCTTY, 0), 0);
        SAME(write(ready[1], "", 1), 1);
        SAME(read(go[0], &byte, 1), 1);
        REFUSED(open("/dev/tty", O_RDWR), ENXIO);
    }
    SAME(read(ready[0], &byte, 1), 1);
    CHILD(second) {
        NEED(setsid() == getpid());
        REFUSED(ioctl(slave, TIOCSCTTY, 0), EPERM);
        SAME(ioctl(slave, TIOCSCTTY, 1), 0);
        SAME(tcgetsid(slave), getpid());
    }
    EXITS(second, 0);
    SAME(write(go[1], "", 1), 1);
    EXITS(first, 0);
    close(master);
}

// Numbers are given anew, the least one first; what is left of a pair stays its own.
static void numbers(void) {
    int slave;
    char first[64], second[64];
    int master = pair(&slave);
    NEED(ptsname_r(master, first, sizeof first) == 0);
    const int path = open(first, O_PATH);
    close(slave);
    close(master);
    master = master_open(second, sizeof second);
    SAME(strcmp(first, second), 0);
    if (path >= 0) {
        char again[64];
        snprintf(again, sizeof again, "/proc/self/fd/%d", path);
        REFUSED(open(again, O_RDWR | O_NOCTTY), EIO);
    }
    close(master);
}

static void many(void) {
    prepare();
    int masters[200];
    for (int i = 0; i < 200; i++) {
        masters[i] = posix_openpt(O_RDWR | O_NOCTTY);
        NEED(masters[i] >= 0);
    }
    for (int i = 0; i < 200; i++) {
        char name[64];
        NEED(unlockpt(masters[i]) == 0 && ptsname_r(masters[i], name, sizeof name) == 0);
        const int slave = open(name, O_RDWR | O_NOCTTY);
        NEED(slave >= 0);
        raw(slave);
        char byte = (char)i;
        SAME(write(slave, &byte, 1), 1);
        byte = 0;
        SAME(read(masters[i], &byte, 1), 1);
        SAME(byte, (char)i);
        close(slave);
        close(masters[i]);
    }
}

static const struct check_case cases[] = {
    CASE(both_ways),      CASE(edits),
    CASE(locks),          CASE(nodes),
    CASE(master_closes),  CASE(stopped),
    CASE(holds),          CASE(slave_closes),
    CASE(waits),          CASE(streams),
    CASE(packets),        CASE(session),
    CASE(hang_up),        CASE(hang_up_in_front),
    CASE(not_by_writing), CASE(robbed),
    CASE(numbers),        CASE(many),
};
CHECK_MAIN(cases)
