// SPDX-License-Identifier: MIT OR Apache-2.0
// RUN: musl glibc-pie
// execve: what the new program gets, what it keeps, scripts, and what is refused.
// The program runs itself again with the name of a small task as its first argument.
#include "check.h"
#include "machine.h"

#include <sched.h>
#include <sys/auxv.h>
#include <sys/resource.h>

static char self[256];

static void write_file(const char *name, const void *data, size_t length, mode_t mode) {
    int fd = open(name, O_CREAT | O_WRONLY | O_TRUNC, 0700);
    NEED(fd >= 0);
    NEED(write(fd, data, length) == (ssize_t)length);
    close(fd);
    NEED(chmod(name, mode) == 0);
}

static void write_text(const char *name, const char *text, mode_t mode) {
    write_file(name, text, strlen(text), mode);
}

// Runs a program in a child with its output caught. Returns its wait status.
static int run(char *const arguments[], char *const environment[], const char *path, char *output,
               size_t capacity) {
    int line[2];
    NEED(pipe(line) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        dup2(line[1], 1);
        close(line[0]);
        close(line[1]);
        execve(path, arguments, environment);
        dprintf(1, "errno %d", errno);
        _exit(111);
    }
    close(line[1]);
    size_t filled = 0;
    ssize_t count;
    while (filled < capacity - 1 &&
           (count = read(line[0], output + filled, capacity - 1 - filled)) > 0) {
        filled += (size_t)count;
    }
    output[filled] = 0;
    close(line[0]);
    return check_wait(pid);
}

static char *no_environment[] = { NULL };

static void arguments_and_environment(void) {
    char output[512];
    char *arguments[] = { "any name", "task-print", "", "two words", "\xff\x01", NULL };
    char *environment[] = { "A=1", "B=", "odd", NULL };
    SAME(run(arguments, environment, self, output, sizeof output), 0);
    if (strcmp(output, "any name|task-print||two words|\xff\x01|;A=1|B=|odd|") != 0) {
        check_fail(__FILE__, __LINE__, "got %s", output);
    }
}

static void on_nothing(int number) {
    (void)number;
}

// A process that shares its table of descriptors gets one of its own.
static void shared_descriptors_stay(void) {
    int marked = open("/dev/null", O_RDONLY | O_CLOEXEC);
    NEED(marked >= 0);
    long pid = syscall(SYS_clone, CLONE_FILES | SIGCHLD, 0, 0, 0, 0);
    if (pid == 0) {
        char *arguments[] = { self, "task-exit", NULL };
        execve(self, arguments, no_environment);
        _exit(111);
    }
    EXITS((pid_t)pid, 0);
    SAME(fcntl(marked, F_GETFD), FD_CLOEXEC);
}

static void copy_self(const char *name) {
    static char bytes[1 << 16];
    int from = open(self, O_RDONLY);
    int to = open(name, O_CREAT | O_WRONLY | O_TRUNC, 0700);
    NEED(from >= 0 && to >= 0);
    for (ssize_t count; (count = read(from, bytes, sizeof bytes)) > 0;) {
        NEED(write(to, bytes, (size_t)count) == count);
    }
    close(from);
    close(to);
}

// The owner and the group of a file with the bits become the effective ones.
static void set_user_and_group(void) {
    char output[128];
    char *arguments[] = { "ids", "task-ids", NULL };
    copy_self("ids");
    NEED(chmod(".", 0755) == 0);
    NEED(chown("ids", 1234, 4321) == 0);
    NEED(chmod("ids", 06755) == 0);
    SAME(run(arguments, no_environment, "ids", output, sizeof output), 0);
    if (strcmp(output, "0 1234 1234 0 4321 4321 1") != 0) {
        check_fail(__FILE__, __LINE__, "got %s", output);
    }
    NEED(chmod("ids", 0755) == 0);
    SAME(run(arguments, no_environment, "ids", output, sizeof output), 0);
    if (strcmp(output, "0 0 0 0 0 0 0") != 0) {
        check_fail(__FILE__, __LINE__, "got %s", output);
    }
}

static void keeps_and_drops(void) {
    int kept = open("/dev/null", O_RDONLY);
    int dropped = open("/dev/null", O_RDONLY | O_CLOEXEC);
    char text[4][32];
    snprintf(text[0], 32, "%d", kept);
    snprintf(text[1], 32, "%d", dropped);
    signal(SIGUSR1, SIG_IGN);
    signal(SIGUSR2, on_nothing); // becomes the default
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGHUP);
    sigprocmask(SIG_SETMASK, &set, NULL);
    umask(031);
    pid_t pid = fork();
    if (pid == 0) {
        snprintf(text[2], 32, "%d", getpid());
        char *arguments[] = { "x", "task-kept", text[0], text[1], text[2], NULL };
        execve(self, arguments, no_environment);
        _exit(111);
    }
    EXITS(pid, 0);
}

static void scripts(void) {
    char output[1024];
    char text[512];
    snprintf(text, sizeof text, "#!%s task-print\nignored\n", self);
    write_text("script", text, 0700);
    char *arguments[] = { "zero", "one", NULL };
    SAME(run(arguments, no_environment, "./script", output, sizeof output), 0);
    char expected[512];
    snprintf(expected, sizeof expected, "%s|task-print|./script|one|;", self);
    CHECK(strcmp(output, expected) == 0);
    // Everything behind the interpreter is one argument; blanks around it are dropped.
    snprintf(text, sizeof text, "#! \t %s \t task-print a  b \t \n", self);
    write_text("script2", text, 0700);
    SAME(run(arguments, no_environment, "./script2", output, sizeof output), 0 + (66 << 8));
    snprintf(text, sizeof text, "#!%s", self); // without an end of line
    write_text("script3", text, 0700);
    SAME(run(arguments, no_environment, "./script3", output, sizeof output), 66 << 8);
}

static void script_of_a_script(void) {
    char output[1024];
    char text[512];
    snprintf(text, sizeof text, "#!%s task-print\n", self);
    write_text("inner", text, 0700);
    char folder[256];
    NEED(getcwd(folder, sizeof folder) != NULL);
    snprintf(text, sizeof text, "#!%s/inner middle\n", folder);
    write_text("outer", text, 0700);
    char *arguments[] = { "zero", "one", NULL };
    SAME(run(arguments, no_environment, "./outer", output, sizeof output), 0);
    char expected[1024];
    snprintf(expected, sizeof expected, "%s|task-print|%s/inner|middle|./outer|one|;", self,
             folder);
    CHECK(strcmp(output, expected) == 0);
    snprintf(text, sizeof text, "#!%s/loop\n", folder);
    write_text("loop", text, 0700);
    REFUSED(execve("loop", arguments, no_environment), ELOOP);
}

static void refuses_names(void) {
    char *arguments[] = { "x", NULL };
    char *none[] = { NULL };
    REFUSED(execve("absent", arguments, none), ENOENT);
    REFUSED(execve("", arguments, none), ENOENT);
    REFUSED(execve("absent/x", arguments, none), ENOENT);
    write_text("plain", "hello\n", 0600);
    REFUSED(execve("plain", arguments, none), EACCES);
    REFUSED(execve("plain/x", arguments, none), ENOTDIR);
    REFUSED(execve(".", arguments, none), EACCES);
    SAME(symlink("round", "round"), 0);
    REFUSED(execve("round", arguments, none), ELOOP);
    char name[5000];
    memset(name, 'a', sizeof name);
    name[300] = 0;
    REFUSED(execve(name, arguments, none), ENAMETOOLONG);
    write_text("missing", "#!/absent/interpreter\n", 0700);
    REFUSED(execve("missing", arguments, none), ENOENT);
    REFUSED(execve((char *)8, arguments, none), EFAULT);
    REFUSED(execve(self, (char **)8, none), EFAULT);
    char *bad[] = { "x", (char *)8, NULL };
    REFUSED(execve(self, bad, none), EFAULT);
}

static void refuses_contents(void) {
    char *arguments[] = { "x", NULL };
    char *none[] = { NULL };
    write_text("text", "no program\n", 0700);
    REFUSED(execve("text", arguments, none), ENOEXEC);
    write_text("empty", "", 0700);
    REFUSED(execve("empty", arguments, none), ENOEXEC);
    write_text("bang", "#!\n", 0700);
    REFUSED(execve("bang", arguments, none), ENOEXEC);
    char head[64] = "\x7f"
                    "ELF";
    write_file("elf", head, sizeof head, 0700);
    REFUSED(execve("elf", arguments, none), ENOEXEC);
}

// Cuts and bends a real program; each is refused or dies, and we live.
static void survives_bent_programs(void) {
    static char image[4 << 20];
    int fd = open(self, O_RDONLY);
    ssize_t length = read(fd, image, sizeof image);
    NEED(length > 1000);
    close(fd);
    char *arguments[] = { "x", "task-exit", NULL };
    unsigned state = 12345;
    for (int round = 0; round < 60; round++) {
        state = state * 1103515245 + 12345;
        size_t at = (state >> 8) % 400; // headers
        char saved = image[at];
        image[at] = (char)(saved ^ (1 << (state >> 28)));
        write_file("bent", image, round % 3 ? (size_t)length : at + 1, 0700);
        image[at] = saved;
        pid_t pid = fork();
        if (pid == 0) {
            struct rlimit limit = { .rlim_cur = 2, .rlim_max = 2 };
            setrlimit(RLIMIT_CPU, &limit);
            int null = open("/dev/null", O_RDWR);
            dup2(null, 1);
            dup2(null, 2);
            alarm(3);
            execve("bent", arguments, no_environment);
            _exit(0);
        }
        NEED(pid > 0);
        check_wait(pid);
    }
}

static void busy_text(void) {
    static char image[4 << 20];
    int fd = open(self, O_RDONLY);
    ssize_t length = read(fd, image, sizeof image);
    close(fd);
    write_file("copy", image, (size_t)length, 0700);
    char *arguments[] = { "x", "task-exit", NULL };
    fd = open("copy", O_WRONLY);
    REFUSED(execve("copy", arguments, no_environment), ETXTBSY);
    close(fd);
    int line[2];
    NEED(pipe(line) == 0);
    int up[2];
    NEED(pipe(up) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        char *wait_arguments[] = { "x", "task-wait", NULL };
        dup2(line[0], 0);
        dup2(up[1], 1);
        close(line[1]);
        execve("copy", wait_arguments, no_environment);
        _exit(111);
    }
    char byte;
    SAME(read(up[0], &byte, 1), 1);
    REFUSED(open("copy", O_WRONLY), ETXTBSY);
    REFUSED(truncate("copy", 10), ETXTBSY);
    SAME(unlink("copy"), 0);
    close(line[1]);
    close(line[0]);
    EXITS(pid, 0);
}

static void big_arguments(void) {
    char *one = malloc(140000);
    memset(one, 'x', 139999);
    one[139999] = 0;
    char *arguments[] = { "x", "task-exit", one, NULL };
    REFUSED(execve(self, arguments, no_environment), E2BIG); // one string has at most 128 KiB
    one[100000] = 0;
    char output[64];
    SAME(run(arguments, no_environment, self, output, sizeof output), 0);
    enum { COUNT = 40 };
    char *many[COUNT + 3] = { "x", "task-exit" };
    for (int i = 0; i < COUNT; i++) {
        many[i + 2] = one;
    }
    REFUSED(execve(self, many, no_environment),
            E2BIG); // 4 MB in all, beyond a quarter of the stack
}

static void empty_arguments_get_a_name(void) {
    char output[64];
    char *arguments[] = { NULL };
    // Linux passes one empty string in place of no arguments at all.
    SAME(run(arguments, no_environment, self, output, sizeof output), 67 << 8);
}

static void auxiliary_vector(void) {
    SAME(getauxval(AT_PAGESZ), 4096);
    SAME(getauxval(AT_UID), getuid());
    SAME(getauxval(AT_EUID), geteuid());
    SAME(getauxval(AT_SECURE), 0);
    SAME(getauxval(AT_PHENT), 56);
    CHECK(getauxval(AT_PHNUM) >= 2);
    CHECK(getauxval(AT_PHDR) != 0);
    CHECK(getauxval(AT_ENTRY) != 0);
    CHECK(getauxval(AT_CLKTCK) == 100);
    CHECK(getauxval(AT_RANDOM) != 0);
    CHECK(getauxval(AT_EXECFN) != 0 && strstr((char *)getauxval(AT_EXECFN), "exec"));
    CHECK(getauxval(AT_PLATFORM) != 0 &&
          strcmp((char *)getauxval(AT_PLATFORM), MACHINE_PLATFORM) == 0);
}

static int random_bytes_differ(void) {
    unsigned char first[32];
    unsigned char second[32];
    char output[128];
    char *arguments[] = { "x", "task-random", NULL };
    SAME(run(arguments, no_environment, self, output, sizeof output), 0);
    memcpy(first, output, 32);
    SAME(run(arguments, no_environment, self, output, sizeof output), 0);
    memcpy(second, output, 32);
    return memcmp(first, second, 32) != 0;
}

static void random_differs(void) {
    CHECK(random_bytes_differ());
}

static void name_of_the_process(void) {
    char output[64];
    char *arguments[] = { "x", "task-name", NULL };
    SAME(symlink(self, "a-very-long-name-indeed"), 0);
    SAME(run(arguments, no_environment, "./a-very-long-name-indeed", output, sizeof output), 0);
    CHECK(strcmp(output, "a-very-long-nam\n") == 0); // 15 bytes
}

static void by_descriptor(void) {
    char output[64];
    int fd = open(self, O_RDONLY | O_CLOEXEC);
    int line[2];
    NEED(pipe(line) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        char *arguments[] = { "x", "task-print", NULL };
        dup2(line[1], 1);
        syscall(SYS_execveat, fd, "", arguments, no_environment, AT_EMPTY_PATH);
        _exit(111);
    }
    EXITS(pid, 0);
    ssize_t count = read(line[0], output, sizeof output - 1);
    output[count > 0 ? count : 0] = 0;
    CHECK(strcmp(output, "x|task-print|;") == 0);
    REFUSED(syscall(SYS_execveat, 99, "", no_environment, no_environment, AT_EMPTY_PATH), EBADF);
}

static int task_kept(char **argv) {
    struct sigaction action;
    sigset_t mask;
    if (fcntl(atoi(argv[2]), F_GETFD) != 0 || fcntl(atoi(argv[3]), F_GETFD) != -1) {
        return 2;
    }
    if (getpid() != atoi(argv[4]) || umask(0) != 031) {
        return 3;
    }
    sigaction(SIGUSR1, NULL, &action);
    if (action.sa_handler != SIG_IGN) {
        return 4;
    }
    sigaction(SIGUSR2, NULL, &action);
    if (action.sa_handler != SIG_DFL) {
        return 5;
    }
    sigprocmask(SIG_BLOCK, NULL, &mask);
    return sigismember(&mask, SIGHUP) == 1 && sigismember(&mask, SIGINT) == 0 ? 0 : 6;
}

static int task_print(char **argv, char **environment) {
    char text[4096] = "";
    for (char **word = argv; *word; word++) {
        strcat(strcat(text, *word), "|");
    }
    strcat(text, ";");
    for (char **word = environment; *word; word++) {
        strcat(strcat(text, *word), "|");
    }
    return write(1, text, strlen(text)) != (ssize_t)strlen(text);
}

static int task_name(void) {
    char text[64];
    int fd = open("/proc/self/comm", O_RDONLY);
    ssize_t count = read(fd, text, sizeof text);
    return count <= 0 || write(1, text, (size_t)count) != count;
}

static int task_ids(void) {
    uid_t user[3];
    gid_t group[3];
    if (getresuid(&user[0], &user[1], &user[2]) != 0 ||
        getresgid(&group[0], &group[1], &group[2]) != 0) {
        return 1;
    }
    dprintf(1, "%u %u %u %u %u %u %lu", user[0], user[1], user[2], group[0], group[1], group[2],
            getauxval(AT_SECURE));
    return 0;
}

static int task(int argc, char **argv, char **environment) {
    if (strcmp(argv[1], "task-print") == 0) {
        return task_print(argv, environment);
    }
    if (strcmp(argv[1], "task-kept") == 0) {
        return task_kept(argv);
    }
    if (strcmp(argv[1], "task-random") == 0) {
        char address[16];
        memset(address, 0, sizeof address);
        snprintf(address, sizeof address, "%llx", (unsigned long long)(uintptr_t)&argc);
        return write(1, (void *)getauxval(AT_RANDOM), 16) != 16 || write(1, address, 16) != 16;
    }
    if (strcmp(argv[1], "task-ids") == 0) {
        return task_ids();
    }
    if (strcmp(argv[1], "task-name") == 0) {
        return task_name();
    }
    if (strcmp(argv[1], "task-wait") == 0) {
        char byte;
        return write(1, "x", 1) != 1 || read(0, &byte, 1) != 0;
    }
    return strcmp(argv[1], "task-exit") == 0 ? 0 : 66;
}

static const struct check_case cases[] = {
    CASE(arguments_and_environment),  CASE(keeps_and_drops),  CASE(scripts),
    CASE(script_of_a_script),         CASE(refuses_names),    CASE(refuses_contents),
    CASE(survives_bent_programs),     CASE(busy_text),        CASE(big_arguments),
    CASE(empty_arguments_get_a_name), CASE(auxiliary_vector), CASE(random_differs),
    CASE(name_of_the_process),        CASE(by_descriptor),    CASE(shared_descriptors_stay),
    CASE(set_user_and_group),
};

int main(int argc, char **argv, char **environment) {
    if (argc == 1 && argv[0][0] == 0) {
        return 67;
    }
    if (argc > 1 && (strncmp(argv[1], "task-", 5) == 0 || strchr(argv[1], '/'))) {
        return task(argc, argv, environment);
    }
    ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
    if (length <= 0) {
        dprintf(1, "no /proc/self/exe\n");
        return 99;
    }
    return check_main(cases, sizeof cases / sizeof cases[0], argc, argv);
}
