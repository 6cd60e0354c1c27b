// SPDX-License-Identifier: MIT OR Apache-2.0
// /proc/PID/smaps and smaps_rollup: whose pages are whose, as fork, stores and unmapping share them
// out. What a mapping shares is judged while all its processes stand still.
#include "check.h"

#define PAGE  4096ul
#define PAGES 48ul
#define KB(n) ((long)((n) * 4)) // kilobytes of n pages

struct usage {
    long size, rss, pss, shared_clean, shared_dirty, private_clean, private_dirty, anonymous,
        referenced;
    char flags[128];
};

static void take(struct usage *usage, const char *line) {
    const struct {
        const char *format;
        long *value;
    } fields[] = {
        { "Size: %ld", &usage->size },
        { "Rss: %ld", &usage->rss },
        { "Pss: %ld", &usage->pss },
        { "Shared_Clean: %ld", &usage->shared_clean },
        { "Shared_Dirty: %ld", &usage->shared_dirty },
        { "Private_Clean: %ld", &usage->private_clean },
        { "Private_Dirty: %ld", &usage->private_dirty },
        { "Anonymous: %ld", &usage->anonymous },
        { "Referenced: %ld", &usage->referenced },
    };
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        long value;
        if (sscanf(line, fields[i].format, &value) == 1) {
            *fields[i].value += value;
        }
    }
    if (strncmp(line, "VmFlags:", 8) == 0) {
        snprintf(usage->flags, sizeof usage->flags, "%s", line + 8);
    }
}

static FILE *open_of(pid_t pid, const char *file) {
    char name[64];
    snprintf(name, sizeof name, "/proc/%d/%s", (int)pid, file);
    FILE *stream = fopen(name, "r");
    NEED(stream != NULL);
    return stream;
}

// The sum over the mappings that begin in [from, from + size).
static struct usage usage_of(pid_t pid, const void *from, size_t size) {
    struct usage usage = { 0 };
    char line[512];
    bool inside = false;
    FILE *stream = open_of(pid, "smaps");
    while (fgets(line, sizeof line, stream)) {
        unsigned long start;
        unsigned long end;
        if (sscanf(line, "%lx-%lx ", &start, &end) == 2) {
            inside = start - (unsigned long)from < size;
        } else if (inside) {
            take(&usage, line);
        }
    }
    fclose(stream);
    return usage;
}

// With room around it that nothing can be joined with.
static char *map(int flags, int fd) {
    char *place = mmap(NULL, 6 * PAGES * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    NEED(place != MAP_FAILED);
    char *memory =
        mmap(place + PAGE, PAGES * PAGE, PROT_READ | PROT_WRITE, flags | MAP_FIXED, fd, 0);
    NEED(memory == place + PAGE);
    return memory;
}

static void fill(char *memory, unsigned long pages) {
    for (unsigned long i = 0; i < pages; i++) {
        memory[i * PAGE] = (char)i;
    }
}

// A child that does what a byte in the pipe says, tells so, and goes on until it is killed.
struct child {
    pid_t pid;
    int orders, answers;
};

static struct child child_start(void (*obey)(char *memory, char order), char *memory) {
    int orders[2];
    int answers[2];
    NEED(pipe(orders) == 0 && pipe(answers) == 0);
    struct child child = { fork(), orders[1], answers[0] };
    if (child.pid == 0) {
        char order;
        while (read(orders[0], &order, 1) == 1) {
            obey(memory, order);
            NEED(write(answers[1], &order, 1) == 1);
        }
        _exit(0);
    }
    return child;
}

static void child_do(const struct child *child, char order) {
    NEED(write(child->orders, &order, 1) == 1 && read(child->answers, &order, 1) == 1);
}

static void child_end(const struct child *child) {
    kill(child->pid, SIGKILL);
    KILLED(child->pid, SIGKILL);
}

static void obey(char *memory, char order) {
    switch (order) {
    case 'w': // a quarter is written
        fill(memory, PAGES / 4);
        break;
    case 'u': // half is unmapped
        NEED(munmap(memory + PAGES / 2 * PAGE, PAGES / 2 * PAGE) == 0);
        break;
    case 'm': // the third quarter moves away
        NEED(mremap(memory + PAGES / 2 * PAGE, PAGES / 4 * PAGE, PAGES / 4 * PAGE,
                    MREMAP_MAYMOVE | MREMAP_FIXED, memory + 4 * PAGES * PAGE) != MAP_FAILED);
        break;
    case 'p': // a part has other rights
        NEED(mprotect(memory + 2 * PAGE, PAGE, PROT_READ) == 0);
        break;
    default: // it only stands there
        break;
    }
}

static void expect(const struct usage *usage, unsigned long shared, unsigned long alone) {
    SAME(usage->rss, KB(shared + alone));
    SAME(usage->shared_dirty, KB(shared));
    SAME(usage->private_dirty, KB(alone));
    SAME(usage->shared_clean + usage->private_clean, 0);
    SAME(usage->anonymous, KB(shared + alone));
}

static void untouched_and_read_pages_are_nobodys(void) {
    char *memory = map(MAP_PRIVATE | MAP_ANONYMOUS, -1);
    struct usage usage = usage_of(getpid(), memory, PAGES * PAGE);
    SAME(usage.size, KB(PAGES));
    SAME(usage.rss, 0);
    SAME(usage.pss, 0);
    fill(memory, 5);
    usage = usage_of(getpid(), memory, PAGES * PAGE);
    expect(&usage, 0, 5);
    SAME(usage.pss, KB(5));
    SAME(usage.referenced, KB(5));
}

static void fork_halves_the_share(void) {
    char *memory = map(MAP_PRIVATE | MAP_ANONYMOUS, -1);
    fill(memory, PAGES);
    struct child child = child_start(obey, memory);
    child_do(&child, '.');
    struct usage mine = usage_of(getpid(), memory, PAGES * PAGE);
    struct usage its = usage_of(child.pid, memory, PAGES * PAGE);
    expect(&mine, PAGES, 0);
    expect(&its, PAGES, 0);
    SAME(mine.pss, KB(PAGES) / 2);
    SAME(its.pss, KB(PAGES) / 2);
    struct child second = child_start(obey, memory);
    child_do(&second, '.');
    mine = usage_of(getpid(), memory, PAGES * PAGE);
    expect(&mine, PAGES, 0);
    SAME(mine.pss, KB(PAGES) / 3 - 1); // three thirds of a page are less than one
    child_end(&second);
    child_do(&child, 'w');
    its = usage_of(child.pid, memory, PAGES * PAGE);
    expect(&its, PAGES - PAGES / 4, PAGES / 4);
    SAME(its.pss, KB(PAGES / 4) + KB(PAGES - PAGES / 4) / 2);
    mine = usage_of(getpid(), memory, PAGES * PAGE);
    expect(&mine, PAGES - PAGES / 4, PAGES / 4);
    child_end(&child);
    mine = usage_of(getpid(), memory, PAGES * PAGE);
    expect(&mine, 0, PAGES);
    SAME(mine.pss, KB(PAGES));
}

static void reshaping_shares_on(void) {
    char *memory = map(MAP_PRIVATE | MAP_ANONYMOUS, -1);
    fill(memory, PAGES);
    struct child child = child_start(obey, memory);
    child_do(&child, 'm');
    child_do(&child, 'p');
    struct usage mine = usage_of(getpid(), memory, PAGES * PAGE);
    expect(&mine, PAGES, 0);
    struct usage moved = usage_of(child.pid, memory + 4 * PAGES * PAGE, PAGES * PAGE);
    expect(&moved, PAGES / 4, 0);
    child_do(&child, 'u');
    mine = usage_of(getpid(), memory, PAGES * PAGE);
    expect(&mine, PAGES - PAGES / 4, PAGES / 4);
    child_end(&child);
}

// The generation between two processes dies; the two go on sharing.
static void grandchildren_share(void) {
    char *memory = map(MAP_PRIVATE | MAP_ANONYMOUS, -1);
    fill(memory, PAGES);
    int tell[2];
    pid_t grandchild = 0;
    NEED(pipe(tell) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        grandchild = fork();
        if (grandchild == 0) {
            for (;;) {
                pause();
            }
        }
        NEED(write(tell[1], &grandchild, sizeof grandchild) == sizeof grandchild);
        _exit(0);
    }
    EXITS(pid, 0);
    NEED(read(tell[0], &grandchild, sizeof grandchild) == sizeof grandchild);
    struct usage its = usage_of(grandchild, memory, PAGES * PAGE);
    expect(&its, PAGES, 0);
    SAME(its.pss, KB(PAGES) / 2);
    kill(grandchild, SIGKILL);
}

static void shared_memory_counts_each_place(void) {
    int fd = open("file", O_RDWR | O_CREAT, 0600);
    NEED(fd >= 0 && ftruncate(fd, (off_t)(PAGES * PAGE)) == 0);
    char *first = map(MAP_SHARED, fd);
    char *second = map(MAP_SHARED, fd);
    fill(first, PAGES);
    fill(second, PAGES / 2);
    struct usage usage = usage_of(getpid(), first, PAGES * PAGE);
    SAME(usage.rss, KB(PAGES));
    SAME(usage.shared_dirty, KB(PAGES / 2));
    SAME(usage.private_dirty, KB(PAGES / 2));
    SAME(usage.pss, KB(PAGES / 2) + KB(PAGES / 2) / 2);
    SAME(usage.anonymous, 0);
    CHECK(strstr(usage.flags, " rd wr sh") && strstr(usage.flags, " ms"));
    // A private mapping has the file's page until it writes.
    char *third = map(MAP_PRIVATE, fd);
    fill(third, 3);
    usage = usage_of(getpid(), third, PAGES * PAGE);
    SAME(usage.anonymous, KB(3));
    SAME(usage.private_dirty, KB(3));
}

static void rollup_is_the_sum(void) {
    char *memory = map(MAP_PRIVATE | MAP_ANONYMOUS, -1);
    fill(memory, PAGES);
    struct child child = child_start(obey, memory);
    child_do(&child, 'w');
    struct usage sum = usage_of(child.pid, NULL, (size_t)-1);
    struct usage rollup = { 0 };
    char line[512] = "";
    FILE *stream = open_of(child.pid, "smaps_rollup");
    NEED(fgets(line, sizeof line, stream) != NULL);
    CHECK(strstr(line, " ---p 00000000 00:00 0 ") && strstr(line, " [rollup]\n"));
    while (fgets(line, sizeof line, stream)) {
        take(&rollup, line);
    }
    fclose(stream);
    SAME(rollup.rss, sum.rss);
    SAME(rollup.anonymous, sum.anonymous);
    SAME(rollup.shared_clean, sum.shared_clean);
    SAME(rollup.shared_dirty, sum.shared_dirty);
    SAME(rollup.private_clean, sum.private_clean);
    SAME(rollup.private_dirty, sum.private_dirty);
    CHECK(rollup.pss >= sum.pss && rollup.pss <= sum.pss + 64); // each mapping rounds down
    child_end(&child);
}

static void the_dead_have_none(void) {
    char name[64];
    char byte;
    pid_t pid = fork();
    if (pid == 0) {
        _exit(0);
    }
    siginfo_t info;
    NEED(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT) == 0);
    snprintf(name, sizeof name, "/proc/%d/smaps", (int)pid);
    int fd = open(name, O_RDONLY);
    SAME(read(fd, &byte, 1), 0);
    snprintf(name, sizeof name, "/proc/%d/smaps_rollup", (int)pid);
    fd = open(name, O_RDONLY);
    NEED(fd >= 0);
    REFUSED(read(fd, &byte, 1), ESRCH);
    EXITS(pid, 0);
}

static const struct check_case cases[] = {
    CASE(untouched_and_read_pages_are_nobodys),
    CASE(fork_halves_the_share),
    CASE(reshaping_shares_on),
    CASE(grandchildren_share),
    CASE(shared_memory_counts_each_place),
    CASE(rollup_is_the_sum),
    CASE(the_dead_have_none),
};
CHECK_MAIN(cases)
