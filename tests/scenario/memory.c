// SPDX-License-Identifier: MIT OR Apache-2.0
// RUN: musl glibc
// brk, mmap and its kin: contents, sharing, protection, refusals.
#include "check.h"
#include "machine.h"

#include <sys/resource.h>

#define PAGE 4096

static char *map_anonymous(size_t pages, int protection, int flags) {
    char *at = mmap(NULL, pages * PAGE, protection, flags | MAP_ANONYMOUS, -1, 0);
    NEED(at != MAP_FAILED);
    return at;
}

// True if the page can be read; asked of the kernel, without a fault.
static bool readable(const char *address) {
    int line[2];
    NEED(pipe(line) == 0);
    bool good = write(line[1], address, 1) == 1;
    close(line[0]);
    close(line[1]);
    return good;
}

static void break_moves(void) {
    char *start = (char *)syscall(SYS_brk, 0);
    char *end = start + 10 * PAGE + 100;
    SAME(syscall(SYS_brk, end), (long)end);
    for (char *at = start; at < end; at += 999) {
        NEED(*at == 0);
        *at = 1;
    }
    SAME(syscall(SYS_brk, start + PAGE), (long)(start + PAGE));
    SAME(syscall(SYS_brk, end), (long)end);
    char *fresh = start + 3 * PAGE;
    for (int i = 0; i < PAGE; i++) {
        NEED(fresh[i] == 0); // given back pages are new when they come again
    }
    SAME(syscall(SYS_brk, 0), (long)end);
    SAME(syscall(SYS_brk, 1), (long)end); // refused: stays
    SAME(syscall(SYS_brk, 0xffff800000000000), (long)end);
}

static void anonymous_is_zero(void) {
    char *at = map_anonymous(64, PROT_READ | PROT_WRITE, MAP_PRIVATE);
    for (int i = 0; i < 64 * PAGE; i++) {
        NEED(at[i] == 0);
    }
    memset(at, 0xaa, 64 * PAGE);
    SAME(munmap(at, 64 * PAGE), 0);
    CHECK(!readable(at));
    at = map_anonymous(64, PROT_READ | PROT_WRITE, MAP_PRIVATE);
    for (int i = 0; i < 64 * PAGE; i += 64) {
        NEED(at[i] == 0);
    }
}

static void read_then_write(void) {
    char *at = map_anonymous(4, PROT_READ | PROT_WRITE, MAP_PRIVATE);
    SAME(*(volatile char *)at, 0);
    SAME(*(volatile char *)(at + PAGE), 0);
    at[0] = 1;
    SAME(at[PAGE], 0);
    SAME(at[0], 1);
}

static void holes(void) {
    char *at = map_anonymous(9, PROT_READ | PROT_WRITE, MAP_PRIVATE);
    memset(at, 5, 9 * PAGE);
    SAME(munmap(at + 3 * PAGE, 2 * PAGE), 0);
    CHECK(readable(at + 2 * PAGE) && !readable(at + 3 * PAGE) && !readable(at + 4 * PAGE) &&
          readable(at + 5 * PAGE));
    SAME(munmap(at + 3 * PAGE, 2 * PAGE), 0); // nothing there: fine
    SAME(munmap(at, 9 * PAGE), 0);
    CHECK(!readable(at) && !readable(at + 8 * PAGE));
}

static void fixed_places(void) {
    char *at = map_anonymous(8, PROT_READ | PROT_WRITE, MAP_PRIVATE);
    memset(at, 7, 8 * PAGE);
    char *middle = mmap(at + 2 * PAGE, 2 * PAGE, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    CHECK(middle == at + 2 * PAGE);
    SAME(at[2 * PAGE], 0);
    SAME(at[2 * PAGE - 1], 7);
    SAME(at[4 * PAGE], 7);
    REFUSED(mmap(at, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) ==
                    MAP_FAILED
                ? -1
                : 0,
            EEXIST);
    NEED(munmap(at, 8 * PAGE) == 0);
    char *hint = mmap(at, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(hint == at); // a free hint is taken
}

#define MMAP_REFUSED(expected, ...) REFUSED(mmap(__VA_ARGS__) == MAP_FAILED ? -1 : 0, expected)

static void refuses(void) {
    int anonymous = MAP_PRIVATE | MAP_ANONYMOUS;
    MMAP_REFUSED(EINVAL, NULL, 0, PROT_READ, anonymous, -1, 0);
    MMAP_REFUSED(ENOMEM, NULL, (size_t)1 << 62, PROT_READ, anonymous, -1, 0);
    MMAP_REFUSED(EINVAL, (void *)123, PAGE, PROT_READ, anonymous | MAP_FIXED, -1, 0);
    MMAP_REFUSED(ENOMEM, (void *)0xffffffff80000000, PAGE, PROT_READ, anonymous | MAP_FIXED, -1, 0);
    MMAP_REFUSED(EBADF, NULL, PAGE, PROT_READ, MAP_PRIVATE, 99, 0);
    MMAP_REFUSED(EINVAL, NULL, PAGE, PROT_READ, MAP_ANONYMOUS, -1, 0);
    int fd = open("f", O_CREAT | O_RDONLY, 0600);
    SAME(syscall(SYS_mmap, NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, 100) == -1 ? errno : 0, EINVAL);
    MMAP_REFUSED(EACCES, NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    int writer = open("f", O_WRONLY);
    MMAP_REFUSED(EACCES, NULL, PAGE, PROT_READ, MAP_PRIVATE, writer, 0);
    int folder = open(".", O_RDONLY);
    MMAP_REFUSED(ENODEV, NULL, PAGE, PROT_READ, MAP_PRIVATE, folder, 0);
    char *at = map_anonymous(1, PROT_READ, MAP_PRIVATE);
    REFUSED(munmap(at + 1, PAGE), EINVAL);
    REFUSED(munmap(at, 0), EINVAL);
    REFUSED(munmap((void *)0xffffffff80000000, PAGE), EINVAL);
    REFUSED(syscall(SYS_mprotect, at + 1, PAGE, PROT_READ), EINVAL);
    REFUSED(mprotect(at, PAGE, 0x7000), EINVAL);
    SAME(munmap(at, PAGE), 0);
    REFUSED(mprotect(at, PAGE, PROT_READ), ENOMEM);
    REFUSED(madvise(at, PAGE, 9999), EINVAL);
    REFUSED(msync(at, PAGE, MS_SYNC), ENOMEM);
    REFUSED(mremap(at, PAGE, 2 * PAGE, MREMAP_MAYMOVE) == MAP_FAILED ? -1 : 0, EFAULT);
}

static void protection_changes(void) {
    char *at = map_anonymous(6, PROT_READ | PROT_WRITE, MAP_PRIVATE);
    memset(at, 3, 6 * PAGE);
    SAME(mprotect(at + 2 * PAGE, 2 * PAGE, PROT_NONE), 0);
    CHECK(readable(at + PAGE) && !readable(at + 2 * PAGE) && !readable(at + 3 * PAGE) &&
          readable(at + 4 * PAGE));
    SAME(mprotect(at, 6 * PAGE, PROT_READ), 0);
    SAME(at[2 * PAGE], 3); // the contents stayed
    int zero = open("/dev/zero", O_RDONLY);
    REFUSED(read(zero, at, 1), EFAULT); // the kernel does not write there either
    SAME(mprotect(at, 6 * PAGE, PROT_READ | PROT_WRITE), 0);
    SAME(read(zero, at, 1), 1);
    at[5 * PAGE] = 4;
    SAME(at[5 * PAGE], 4);
}

static void code_can_be_made(void) {
    unsigned char *at = (unsigned char *)map_anonymous(1, PROT_READ | PROT_WRITE, MAP_PRIVATE);
    static const unsigned char code[] = MACHINE_RETURN_42;
    memcpy(at, code, sizeof code);
    SAME(mprotect(at, PAGE, PROT_READ | PROT_EXEC), 0);
    SAME(((int (*)(void))at)(), 42);
}

static void shared_across_fork(void) {
    volatile int *shared = (int *)map_anonymous(2, PROT_READ | PROT_WRITE, MAP_SHARED);
    shared[0] = 1;
    pid_t pid;
    CHILD(pid) {
        SAME(shared[0], 1);
        shared[0] = 2;
        shared[1024] = 3; // a page that nobody had touched before
    }
    EXITS(pid, 0);
    SAME(shared[0], 2);
    SAME(shared[1024], 3);
}

static void private_across_fork(void) {
    enum { PAGES = 200 };
    int *at = (int *)map_anonymous(PAGES, PROT_READ | PROT_WRITE, MAP_PRIVATE);
    for (int i = 0; i < PAGES; i++) {
        at[i * 1024] = i;
    }
    int go[2];
    NEED(pipe(go) == 0);
    pid_t pids[3];
    for (int child = 0; child < 3; child++) {
        CHILD(pids[child]) {
            char byte;
            SAME(read(go[0], &byte, 1), 1);
            for (int i = 0; i < PAGES; i++) {
                NEED(at[i * 1024] == i);
                at[i * 1024] = child * 1000 + i;
            }
            for (int i = 0; i < PAGES; i++) {
                NEED(at[i * 1024] == child * 1000 + i);
            }
        }
    }
    for (int i = 0; i < PAGES; i++) {
        at[i * 1024] = -i;
    }
    SAME(write(go[1], "xxx", 3), 3);
    for (int child = 0; child < 3; child++) {
        EXITS(pids[child], 0);
    }
    for (int i = 0; i < PAGES; i++) {
        NEED(at[i * 1024] == -i);
    }
}

// The kernel writes into a copy-on-write page on behalf of one process only.
static void kernel_writes_copy_too(void) {
    char *at = map_anonymous(2, PROT_READ | PROT_WRITE, MAP_PRIVATE);
    memset(at, 'a', 2 * PAGE);
    int zero = open("/dev/zero", O_RDONLY);
    pid_t pid;
    CHILD(pid) {
        SAME(read(zero, at + PAGE - 2, 4), 4);
        SAME(at[PAGE], 0);
        SAME(at[PAGE + 2], 'a');
    }
    EXITS(pid, 0);
    SAME(at[PAGE], 'a');
    SAME(at[PAGE - 1], 'a');
}

static int file_of(const char *name, size_t size) {
    int fd = open(name, O_CREAT | O_RDWR | O_TRUNC, 0600);
    NEED(fd >= 0);
    for (size_t i = 0; i < size; i++) {
        char byte = (char)('A' + i / PAGE);
        NEED(pwrite(fd, &byte, i % PAGE == 0 || i + 1 == size, (off_t)i) >= 0);
    }
    return fd;
}

static void private_file(void) {
    int fd = file_of("f", 3 * PAGE);
    char *at = mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    NEED(at != MAP_FAILED);
    close(fd);
    SAME(at[0], 'A');
    SAME(at[2 * PAGE], 'C');
    at[0] = 'x';
    fd = open("f", O_RDONLY);
    char byte;
    SAME(pread(fd, &byte, 1, 0), 1);
    SAME(byte, 'A');
    char *tail = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, PAGE);
    SAME(tail[0], 'B');
}

static void shared_file(void) {
    int fd = file_of("f", 2 * PAGE);
    char *first = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    char *second = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, PAGE);
    NEED(first != MAP_FAILED && second != MAP_FAILED);
    first[PAGE + 9] = 'z';
    SAME(second[9], 'z');
    char byte = 0;
    SAME(pread(fd, &byte, 1, PAGE + 9), 1);
    SAME(byte, 'z');
    SAME(pwrite(fd, "w", 1, 5), 1);
    SAME(first[5], 'w');
    pid_t pid;
    CHILD(pid) {
        first[6] = 'c';
    }
    EXITS(pid, 0);
    SAME(first[6], 'c');
    SAME(msync(first, 2 * PAGE, MS_SYNC), 0);
    SAME(unlink("f"), 0);
    close(fd);
    SAME(first[5], 'w'); // the mapping keeps the file alive
}

static void private_sees_no_own_changes_elsewhere(void) {
    int fd = file_of("f", PAGE);
    char *at = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    at[100] = 'p';
    SAME(pwrite(fd, "q", 1, 100), 1);
    SAME(at[100], 'p'); // its copy was made at the first write
    pid_t pid;
    CHILD(pid) {
        SAME(at[100], 'p');
        at[100] = 'r';
    }
    EXITS(pid, 0);
    SAME(at[100], 'p');
}

static void remap(void) {
    char *at = map_anonymous(4, PROT_READ | PROT_WRITE, MAP_PRIVATE);
    memset(at, 9, 4 * PAGE);
    char *more = mremap(at, 4 * PAGE, 100 * PAGE, MREMAP_MAYMOVE);
    NEED(more != MAP_FAILED);
    SAME(more[4 * PAGE - 1], 9);
    SAME(more[4 * PAGE], 0);
    more[100 * PAGE - 1] = 1;
    char *less = mremap(more, 100 * PAGE, PAGE, 0);
    CHECK(less == more);
    CHECK(!readable(more + PAGE));
    char *target = map_anonymous(2, PROT_READ, MAP_PRIVATE);
    char *moved = mremap(less, PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, target);
    CHECK(moved == target);
    SAME(moved[0], 9);
    SAME(moved[PAGE], 0);
    CHECK(!readable(less));
    char *wall = map_anonymous(2, PROT_READ | PROT_WRITE, MAP_PRIVATE);
    REFUSED(mremap(wall, PAGE, 2 * PAGE, 0) == MAP_FAILED ? -1 : 0, ENOMEM);
    REFUSED(mremap(wall, PAGE, 0, 0) == MAP_FAILED ? -1 : 0, EINVAL);
}

static void dropped_pages_are_new(void) {
    char *at = map_anonymous(4, PROT_READ | PROT_WRITE, MAP_PRIVATE);
    memset(at, 1, 4 * PAGE);
    SAME(madvise(at + PAGE, 2 * PAGE, MADV_DONTNEED), 0);
    SAME(at[0], 1);
    SAME(at[PAGE], 0);
    SAME(at[3 * PAGE - 1], 0);
    SAME(at[3 * PAGE], 1);
}

static void sparse_and_large(void) {
    size_t size = (size_t)16 << 30;
    char *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                    -1, 0);
    NEED(at != MAP_FAILED);
    for (size_t step = 0; step < 16; step++) {
        at[step << 30] = (char)step;
    }
    for (size_t step = 0; step < 16; step++) {
        SAME(at[step << 30], step);
    }
    SAME(munmap(at, size), 0);
}

static void many_areas(void) {
    enum { COUNT = 1000 };
    char *at = map_anonymous(2 * COUNT, PROT_READ | PROT_WRITE, MAP_PRIVATE);
    for (int i = 0; i < COUNT; i++) {
        at[2 * i * PAGE] = (char)i;
        NEED(mprotect(at + (2 * i + 1) * PAGE, PAGE, PROT_READ) == 0);
    }
    pid_t pid;
    CHILD(pid) {
        for (int i = 0; i < COUNT; i++) {
            NEED(at[2 * i * PAGE] == (char)i);
        }
    }
    EXITS(pid, 0);
    SAME(munmap(at, 2 * COUNT * PAGE), 0);
}

static void limit_of_the_address_space(void) {
    struct rlimit limit;
    SAME(getrlimit(RLIMIT_AS, &limit), 0);
    limit.rlim_cur = (rlim_t)64 << 20;
    SAME(setrlimit(RLIMIT_AS, &limit), 0);
    MMAP_REFUSED(ENOMEM, NULL, (size_t)80 << 20, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(mmap(NULL, (size_t)8 << 20, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED);
}

static void residence(void) {
    char *at = map_anonymous(3, PROT_READ | PROT_WRITE, MAP_PRIVATE);
    at[PAGE] = 1;
    unsigned char in[3] = { 9, 9, 9 };
    SAME(mincore(at, 3 * PAGE, in), 0);
    SAME(in[0] & 1, 0);
    SAME(in[1] & 1, 1);
    REFUSED(mincore(at + 1, PAGE, in), EINVAL);
}

static void maps_tell(void) {
    char *at = map_anonymous(3, PROT_READ, MAP_PRIVATE);
    NEED(mprotect(at + PAGE, PAGE, PROT_READ | PROT_WRITE) == 0);
    char wanted[64];
    snprintf(wanted, sizeof wanted, "%lx-%lx rw-p", (long)at + PAGE, (long)at + 2 * PAGE);
    FILE *maps = fopen("/proc/self/maps", "r");
    NEED(maps != NULL);
    char line[512];
    int found = 0;
    int stack = 0;
    while (fgets(line, sizeof line, maps)) {
        found += strncmp(line, wanted, strlen(wanted)) == 0;
        stack += strstr(line, "[stack]") != NULL;
    }
    SAME(found, 1);
    SAME(stack, 1);
}

static void *map_file_at(char *at, int file, off_t offset) {
    return mmap(at, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, file, offset);
}

static void copies_across(char *place, int in, int out) {
    static const char text[] = "across two pages";
    char back[sizeof text] = "";
    memset(place, 0, sizeof text);
    NEED(write(in, text, sizeof text) == sizeof text);
    SAME(read(out, place, sizeof text), sizeof text);
    SAME(memcmp(place, text, sizeof text), 0);
    SAME(write(in, place, sizeof text), sizeof text);
    SAME(read(out, back, sizeof text), sizeof text);
    SAME(memcmp(back, text, sizeof text), 0);
}

// Two pages of a file in both orders: in one of them at least, what is behind the first page's
// memory is not the second's. Behind them is nothing.
static void kernel_copies_across_pages(void) {
    int line[2];
    int file = open("/tmp/two-pages", O_RDWR | O_CREAT | O_TRUNC, 0600);
    NEED(file >= 0 && ftruncate(file, 2l * PAGE) == 0 && pipe(line) == 0);
    for (int first = 0; first < 2; first++) {
        char *at = map_anonymous(3, PROT_NONE, MAP_PRIVATE);
        NEED(map_file_at(at, file, (off_t)first * PAGE) == at);
        NEED(map_file_at(at + PAGE, file, (off_t)(1 - first) * PAGE) == at + PAGE);
        memset(at, 0, 2l * PAGE);
        copies_across(at + PAGE - 7, line[1], line[0]);
        char *last = at + 2l * PAGE - 8; // seconds alone, or a part of a name
        REFUSED(syscall(SYS_nanosleep, last, NULL), EFAULT);
        REFUSED(syscall(SYS_uname, last), EFAULT);
    }
    close(file);
}

static const struct check_case cases[] = {
    CASE(break_moves),
    CASE(anonymous_is_zero),
    CASE(read_then_write),
    CASE(holes),
    CASE(fixed_places),
    CASE(refuses),
    CASE(protection_changes),
    CASE(code_can_be_made),
    CASE(shared_across_fork),
    CASE(private_across_fork),
    CASE(kernel_writes_copy_too),
    CASE(kernel_copies_across_pages),
    CASE(private_file),
    CASE(shared_file),
    CASE(private_sees_no_own_changes_elsewhere),
    CASE(remap),
    CASE(dropped_pages_are_new),
    CASE(sparse_and_large),
    CASE(many_areas),
    CASE(limit_of_the_address_space),
    CASE(residence),
    CASE(maps_tell),
};
CHECK_MAIN(cases)
