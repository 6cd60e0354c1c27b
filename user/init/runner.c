// SPDX-License-Identifier: MIT OR Apache-2.0
// user/init/runner.c: the init behind `./helix run -- CMD` and the tests: runs commands for the
// host and carries their standard input, output, error and status over the second serial port.
//
// The line is a sequence of frames: one byte kind, two bytes length (little endian), payload.
//   host to guest  A bytes of a command's description   S start it       I standard input
//                  Z end of standard input              G signal number  Q power off
//   guest to host  O standard output   E standard error   K nobody reads standard input any more
//                  X wait status (4 bytes) and 1 if time was up   C bytes of A and I consumed (4)
// The host keeps at most 16,384 payload bytes of A and I under way, which is what is held here
// until the command takes it; in the other direction the port itself holds the writer back. Bytes
// are reported as consumed some at a time, as a report costs this side more than the bytes that it
// allows. A command's description is strings, each with its terminator: limit in ms of guest time
// (0: none), folder, number of arguments, arguments, environment.
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#define HEADER      3u
#define FRAME_MAX   4096u
#define INPUT_MAX   16384u
#define CREDIT_STEP (INPUT_MAX / 4)
#define COMMAND_MAX (256u * 1024)
#define WORDS_MAX   4096u

static int line; // the second serial port
static struct termios line_settings;
static sigset_t signals; // as they were; SIGCHLD comes only while the runner waits
static char command[COMMAND_MAX];
static size_t command_length;

static struct {
    pid_t pid; // 0: nothing runs
    bool exited;
    bool timed_out;
    int status;
    int input, output, error; // our ends; -1: closed
    bool input_ended;
    char pending[INPUT_MAX]; // standard input that is not written yet
    size_t pending_length;
    int64_t deadline_ms; // 0: none
} job;

static void die(const char *what) {
    printf("runner: %s: %s\n", what, strerror(errno));
    fflush(stdout);
    reboot(RB_POWER_OFF);
    _exit(1);
}

static int64_t now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void send_frame(char kind, const void *payload, size_t length) {
    static unsigned char frame[HEADER + FRAME_MAX];
    frame[0] = (unsigned char)kind;
    frame[1] = (unsigned char)(length & 0xff);
    frame[2] = (unsigned char)(length >> 8);
    if (length) {
        memcpy(frame + HEADER, payload, length);
    }
    size_t done = 0;
    while (done < length + HEADER) {
        ssize_t count = write(line, frame + done, length + HEADER - done);
        if (count < 0 && errno != EINTR) {
            die("cannot write to the second serial port");
        }
        done += count > 0 ? (size_t)count : 0;
    }
}

// Tells what was consumed, once that is worth a frame: the host then still has most of its window.
static void add_credit(size_t bytes) {
    static uint32_t consumed;
    consumed += (uint32_t)bytes;
    if (consumed >= CREDIT_STEP) {
        send_frame('C', &consumed, sizeof consumed);
        consumed = 0;
    }
}

// Ends ppoll().
static void on_child(int signal_number) {
    (void)signal_number;
}

static void close_end(int *fd) {
    if (*fd >= 0) {
        close(*fd);
        *fd = -1;
    }
}

// In the child: becomes the program, or says why not.
static void become(char **arguments, char **environment, const char *folder) {
    setsid();
    signal(SIGCHLD, SIG_DFL);
    signal(SIGPIPE, SIG_DFL);
    if (chdir(folder) != 0) {
        dprintf(2, "%s: %s\n", folder, strerror(errno));
        _exit(126);
    }
    environ = environment;
    execvp(arguments[0], arguments);
    int code = errno == ENOENT ? 127 : 126;
    dprintf(2, "%s: %s\n", arguments[0], strerror(errno));
    _exit(code);
}

// Splits the description in place. Returns false if it is not well formed.
static bool parse_command(char **words, char ***out_arguments, char ***out_environment) {
    size_t count = 0;
    for (size_t at = 0; at < command_length && count < WORDS_MAX; at += strlen(command + at) + 1) {
        words[count++] = command + at;
    }
    if (count < 4 || command[command_length - 1] != 0) {
        return false;
    }
    size_t arguments = (size_t)atoi(words[2]);
    if (arguments == 0 || arguments > count - 3) {
        return false;
    }
    // One place apart, so that both lists can end with NULL.
    memmove(words + 4 + arguments, words + 3 + arguments, (count - 3 - arguments) * sizeof *words);
    words[3 + arguments] = NULL;
    words[count + 1] = NULL;
    *out_arguments = words + 3;
    *out_environment = words + 4 + arguments;
    return true;
}

static void start(void) {
    static char *words[WORDS_MAX + 2];
    char **arguments;
    char **environment;
    int in[2];
    int out[2];
    int err[2];
    if (!parse_command(words, &arguments, &environment)) {
        errno = EINVAL;
        die("a command that is not well formed");
    }
    if (pipe2(in, O_CLOEXEC) || pipe2(out, O_CLOEXEC) || pipe2(err, O_CLOEXEC)) {
        die("pipe2");
    }
    memset(&job, 0, sizeof job);
    int limit = atoi(words[0]);
    job.deadline_ms = limit ? now_ms() + limit : 0;
    job.pid = fork();
    if (job.pid < 0) {
        die("fork");
    }
    if (job.pid == 0) {
        dup2(in[0], 0);
        dup2(out[1], 1);
        dup2(err[1], 2);
        sigprocmask(SIG_SETMASK, &signals, NULL);
        become(arguments, environment, words[1]);
    }
    close(in[0]);
    close(out[1]);
    close(err[1]);
    job.input = in[1];
    job.output = out[0];
    job.error = err[0];
    fcntl(job.input, F_SETFL, O_NONBLOCK);
    fcntl(job.output, F_SETFL, O_NONBLOCK);
    fcntl(job.error, F_SETFL, O_NONBLOCK);
}

// Standard input that nobody will read any more.
static void drop_input(void) {
    if (job.input >= 0) {
        close_end(&job.input);
        send_frame('K', NULL, 0);
    }
    if (job.pending_length) {
        add_credit(job.pending_length);
        job.pending_length = 0;
    }
}

static void push_input(void) {
    if (job.pending_length && job.input >= 0) {
        ssize_t count = write(job.input, job.pending, job.pending_length);
        if (count < 0 && errno != EAGAIN && errno != EINTR) {
            drop_input();
        } else if (count > 0) {
            job.pending_length -= (size_t)count;
            memmove(job.pending, job.pending + count, job.pending_length);
            add_credit((size_t)count);
        }
    }
    if (job.input_ended && job.pending_length == 0) {
        close_end(&job.input);
    }
}

static void add_input(const unsigned char *payload, size_t length) {
    if (!job.pid || job.input < 0) {
        add_credit(length);
        return;
    }
    if (length > INPUT_MAX - job.pending_length) {
        errno = EOVERFLOW;
        die("the host sent more than its window");
    }
    memcpy(job.pending + job.pending_length, payload, length);
    job.pending_length += length;
    push_input();
}

static void add_command(const unsigned char *payload, size_t length) {
    if (length > COMMAND_MAX - command_length) {
        errno = E2BIG;
        die("the command");
    }
    memcpy(command + command_length, payload, length);
    command_length += length;
    add_credit(length);
}

static void handle_frame(char kind, const unsigned char *payload, size_t length) {
    switch (kind) {
    case 'A':
        add_command(payload, length);
        break;
    case 'S':
        start();
        command_length = 0;
        break;
    case 'I':
        add_input(payload, length);
        break;
    case 'Z':
        job.input_ended = true;
        if (job.pid) {
            push_input();
        }
        break;
    case 'G':
        if (job.pid && length == 1) {
            kill(-job.pid, payload[0]);
        }
        break;
    case 'Q': // without sync(): the kernel flushes its disks itself
        reboot(RB_POWER_OFF);
        die("reboot");
        break;
    default:
        errno = EPROTO;
        die("a frame of the host");
    }
}

// Sets how many bytes have to be there before poll() looks at the line again: what is missing of a
// frame. The port brings a few at a time, and waking for each costs more than moving them.
static void expect_bytes(size_t count) {
    cc_t least = (cc_t)(count < UCHAR_MAX ? count : UCHAR_MAX);
    if (line_settings.c_cc[VMIN] == least) {
        return;
    }
    line_settings.c_cc[VMIN] = least;
    if (tcsetattr(line, TCSANOW, &line_settings) != 0) {
        die("tcsetattr of /dev/ttyS1");
    }
}

static void read_line(void) {
    static unsigned char buffer[HEADER + 0xffff];
    static size_t filled;
    ssize_t count = read(line, buffer + filled, sizeof buffer - filled);
    if (count <= 0) {
        if (count == 0 || (errno != EINTR && errno != EAGAIN)) {
            die("cannot read from the second serial port");
        }
        return;
    }
    filled += (size_t)count;
    size_t at = 0;
    size_t wanted = HEADER;
    while (filled - at >= HEADER) {
        size_t length = buffer[at + 1] | (size_t)buffer[at + 2] << 8;
        wanted = HEADER + length;
        if (filled - at < wanted) {
            break;
        }
        handle_frame((char)buffer[at], buffer + at + HEADER, length);
        at += wanted;
        wanted = HEADER;
    }
    filled -= at;
    memmove(buffer, buffer + at, filled);
    expect_bytes(wanted - filled);
}

// Passes on what can be read now. Returns false when there is nothing more at present.
static bool pass_output(int *fd, char kind) {
    static char buffer[FRAME_MAX];
    if (*fd < 0) {
        return false;
    }
    ssize_t count = read(*fd, buffer, sizeof buffer);
    if (count > 0) {
        send_frame(kind, buffer, (size_t)count);
        return true;
    }
    if (count == 0 || (errno != EAGAIN && errno != EINTR)) {
        close_end(fd);
    }
    return false;
}

static void reap(void) {
    int status;
    pid_t pid;
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        if (pid == job.pid) {
            job.exited = true;
            job.status = status;
        }
    }
}

// The command has ended: its last output, its status; what it left behind is ended too.
static void finish(void) {
    while (pass_output(&job.output, 'O')) {
    }
    while (pass_output(&job.error, 'E')) {
    }
    drop_input();
    close_end(&job.output);
    close_end(&job.error);
    kill(-1, SIGKILL);
    while (waitpid(-1, NULL, 0) > 0) {
    }
    unsigned char end[5];
    memcpy(end, &job.status, 4);
    end[4] = job.timed_out;
    job.pid = 0;
    send_frame('X', end, sizeof end);
}

static int wait_ms(void) {
    if (!job.pid || !job.deadline_ms || job.timed_out) {
        return -1;
    }
    int64_t left = job.deadline_ms - now_ms();
    return left > 0 ? (int)left : 0;
}

// As poll(), or -1 after SIGCHLD. Nothing is lost on the way: it is open to that signal here alone.
static int wait_for(struct pollfd *polled, nfds_t count) {
    const int left = wait_ms();
    const struct timespec limit = { left / 1000, left % 1000 * 1000000L };
    const int ready = ppoll(polled, count, left < 0 ? NULL : &limit, &signals);
    if (ready < 0 && errno != EINTR) {
        die("ppoll");
    }
    return ready;
}

static void step(void) {
    bool running = job.pid != 0;
    struct pollfd polled[] = {
        { .fd = line, .events = POLLIN },
        { .fd = running ? job.output : -1, .events = POLLIN },
        { .fd = running ? job.error : -1, .events = POLLIN },
        { .fd = running && job.pending_length ? job.input : -1, .events = POLLOUT },
    };
    const int ready = wait_for(polled, sizeof polled / sizeof polled[0]);
    if (ready == 0 && running && wait_ms() == 0) {
        job.timed_out = true;
        kill(-job.pid, SIGKILL);
    }
    reap();
    if (ready > 0 && polled[1].revents) {
        pass_output(&job.output, 'O');
    }
    if (ready > 0 && polled[2].revents) {
        pass_output(&job.error, 'E');
    }
    if (ready > 0 && polled[3].revents) {
        push_input();
    }
    if (job.pid && job.exited) {
        finish();
    }
    if (ready > 0 && polled[0].revents) {
        read_line();
    }
}

// What may be there already, or need not be there, is not an error here.
static void prepare_files(void) {
    mkdir("/proc", 0755);
    mkdir("/dev", 0755);
    mkdir("/tmp", 01777);
    mount("proc", "/proc", "proc", 0, NULL);
    mount("devtmpfs", "/dev", "devtmpfs", 0, NULL);
    mkdir("/dev/pts", 0755);
    mount("devpts", "/dev/pts", "devpts", 0, "gid=5,mode=620,ptmxmode=666");
    mount("tmpfs", "/tmp", "tmpfs", 0, NULL);
    mknod("/dev/ttyS1", S_IFCHR | 0600, makedev(4, 65));
}

static void open_line(void) {
    line = open("/dev/ttyS1", O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (line < 0) {
        die("/dev/ttyS1");
    }
    if (tcgetattr(line, &line_settings) != 0) {
        die("tcgetattr of /dev/ttyS1");
    }
    cfmakeraw(&line_settings);
    line_settings.c_cflag |= CREAD | CLOCAL;
    line_settings.c_cc[VTIME] = 0;
    cfsetspeed(&line_settings, B115200);
    expect_bytes(HEADER);
}

int main(void) {
    static const char greeting[] = "\nhelix runner 1\n";
    struct sigaction action = { .sa_handler = on_child, .sa_flags = SA_RESTART };
    prepare_files();
    open_line();
    sigset_t blocked;
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGCHLD);
    sigprocmask(SIG_BLOCK, &blocked, &signals);
    sigaction(SIGCHLD, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
    if (write(line, greeting, sizeof greeting - 1) != sizeof greeting - 1) {
        die("cannot write to the second serial port");
    }
    for (;;) {
        step();
    }
}
