// SPDX-License-Identifier: MIT OR Apache-2.0
// tests/scenario/epoll.c: what epoll tells, once or again and again, of how many, and what it
// refuses.
#include "check.h"

#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#define MANY 300 // more than any list of events inside of the kernel

static int watched(uint64_t value) {
    const int file = eventfd((unsigned)value, EFD_NONBLOCK);
    NEED(file >= 0);
    return file;
}

static void add(int set, int file, uint32_t events) {
    struct epoll_event event = { .events = events, .data.fd = file };
    SAME(epoll_ctl(set, EPOLL_CTL_ADD, file, &event), 0);
}

static void put(int file) {
    SAME(write(file, &(uint64_t){ 1 }, 8), 8);
}

static void take(int file) {
    uint64_t value;
    SAME(read(file, &value, 8), 8);
}

static int told(int set) {
    struct epoll_event event;
    return epoll_wait(set, &event, 1, 0);
}

static int make(void) {
    const int set = epoll_create1(EPOLL_CLOEXEC);
    NEED(set >= 0);
    return set;
}

// As many as there is room for, each once; those that stay ready take turns.
static void many_at_once(void) {
    static struct epoll_event events[MANY + 1];
    static int files[MANY];
    unsigned char seen[1024] = { 0 };
    const int set = make();
    for (int i = 0; i < MANY; i++) {
        files[i] = watched(1);
        add(set, files[i], EPOLLIN);
    }
    SAME(epoll_wait(set, events, MANY + 1, 0), MANY);
    for (int i = 0; i < MANY; i++) {
        SAME(events[i].events, EPOLLIN);
        SAME(seen[events[i].data.fd]++, 0);
    }
    memset(seen, 0, sizeof seen);
    for (int i = 0; i < 3; i++) {
        SAME(epoll_wait(set, events, MANY / 3, 0), MANY / 3);
        for (int j = 0; j < MANY / 3; j++) {
            SAME(seen[events[j].data.fd]++, 0);
        }
    }
    take(files[7]);
    SAME(epoll_wait(set, events, MANY, 0), MANY - 1);
    for (int i = 0; i < MANY; i++) {
        close(files[i]);
    }
    SAME(epoll_wait(set, events, MANY, 0), 0);
    close(set);
}

// What does not fit into the caller's memory does not take away what did.
static void into_half_a_list(void) {
    const size_t size = sizeof(struct epoll_event);
    const long page = sysconf(_SC_PAGESIZE);
    char *area = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    NEED(area != MAP_FAILED && munmap(area + page, page) == 0);
    const int set = make();
    int files[100];
    for (int i = 0; i < 100; i++) {
        files[i] = watched(1);
        add(set, files[i], EPOLLIN);
    }
    const int count = epoll_wait(set, (void *)(area + page - 64 * size), 100, 0);
    CHECK(count > 0 && count <= 64);
    REFUSED(epoll_wait(set, (void *)(area + page), 1, 0), EFAULT);
    for (int i = 0; i < 100; i++) {
        close(files[i]);
    }
    close(set);
}

static void level_and_edge(void) {
    const int set = make(), level = watched(1);
    add(set, level, EPOLLIN);
    SAME(told(set), 1);
    SAME(told(set), 1);
    take(level);
    SAME(told(set), 0);
    close(level);
    const int edge = watched(1);
    add(set, edge, EPOLLIN | EPOLLET);
    SAME(told(set), 1);
    SAME(told(set), 0);
    put(edge); // an edge, though it was readable before
    SAME(told(set), 1);
    SAME(told(set), 0);
    close(edge);
    close(set);
}

static void once(void) {
    const int set = make(), file = watched(1);
    struct epoll_event event = { .events = EPOLLIN | EPOLLONESHOT, .data.u64 = 0x123456789abcdef0 };
    SAME(epoll_ctl(set, EPOLL_CTL_ADD, file, &event), 0);
    event.data.u64 = 0;
    SAME(epoll_wait(set, &event, 1, 0), 1);
    CHECK(event.data.u64 == 0x123456789abcdef0);
    put(file);
    SAME(told(set), 0);
    event.events = EPOLLIN | EPOLLONESHOT;
    SAME(epoll_ctl(set, EPOLL_CTL_MOD, file, &event), 0);
    SAME(told(set), 1);
    SAME(told(set), 0);
    close(file);
    close(set);
}

// Errors and hang-ups are told without being asked for.
static void hang_up(void) {
    int ends[2];
    struct epoll_event event;
    const int set = make();
    NEED(pipe(ends) == 0);
    add(set, ends[0], 0);
    add(set, ends[1], 0);
    SAME(told(set), 0);
    close(ends[1]);
    SAME(epoll_wait(set, &event, 1, 0), 1);
    SAME(event.data.fd, ends[0]);
    SAME(event.events, EPOLLHUP);
    close(ends[0]);
    close(set);
}

// A description that has another descriptor goes on being watched under the first one's number.
static void closed_and_copied(void) {
    struct epoll_event event;
    const int set = make(), file = watched(1), copy = dup(file);
    add(set, file, EPOLLIN);
    close(file);
    SAME(epoll_wait(set, &event, 1, 0), 1);
    SAME(event.data.fd, file);
    REFUSED(epoll_ctl(set, EPOLL_CTL_DEL, copy, NULL), ENOENT);
    close(copy);
    SAME(told(set), 0);
    close(set);
}

static void nested(void) {
    struct epoll_event event;
    const int outer = make(), inner = make(), file = watched(0);
    add(inner, file, EPOLLIN);
    add(outer, inner, EPOLLIN);
    SAME(told(outer), 0);
    put(file);
    SAME(epoll_wait(outer, &event, 1, 0), 1);
    SAME(event.data.fd, inner);
    take(file);
    SAME(told(outer), 0);
    event.events = EPOLLIN;
    // Nor to select, and the wait of who is told by edges is not woken by a look.
    SAME(poll(&(struct pollfd){ .fd = inner, .events = POLLIN }, 1, 0), 0);
    event = (struct epoll_event){ .events = EPOLLIN | EPOLLET, .data.fd = inner };
    SAME(epoll_ctl(outer, EPOLL_CTL_MOD, inner, &event), 0);
    put(file);
    SAME(told(outer), 1);
    SAME(poll(&(struct pollfd){ .fd = inner, .events = POLLIN }, 1, 0), 1);
    SAME(told(outer), 0);
    SAME(told(inner), 1);
    event.events = EPOLLIN;
    REFUSED(epoll_ctl(inner, EPOLL_CTL_ADD, outer, &event), ELOOP);
    REFUSED(epoll_ctl(outer, EPOLL_CTL_ADD, outer, &event), EINVAL);
    close(file);
    close(inner);
    close(outer);
}

// A child's epoll is its parent's, and a waiter is woken by whoever makes a file ready.
static void across_processes(void) {
    const int set = make(), file = watched(0);
    struct epoll_event event;
    pid_t pid;
    add(set, file, EPOLLIN);
    CHILD(pid) {
        put(file);
    }
    SAME(epoll_wait(set, &event, 1, -1), 1);
    EXITS(pid, 0);
    CHILD(pid) {
        take(file);
        SAME(epoll_ctl(set, EPOLL_CTL_DEL, file, NULL), 0);
    }
    EXITS(pid, 0);
    put(file);
    SAME(told(set), 0);
    close(file);
    close(set);
}

static void refuses(void) {
    struct epoll_event event = { .events = EPOLLIN };
    const int set = make(), file = watched(1), regular = open("file", O_CREAT | O_RDWR, 0600);
    REFUSED(epoll_create1(1), EINVAL);
    REFUSED(epoll_ctl(-1, EPOLL_CTL_ADD, file, &event), EBADF);
    REFUSED(epoll_ctl(set, EPOLL_CTL_ADD, -1, &event), EBADF);
    REFUSED(epoll_ctl(set, EPOLL_CTL_ADD, regular, &event), EPERM);
    REFUSED(epoll_ctl(file, EPOLL_CTL_ADD, set, &event), EINVAL);
    REFUSED(epoll_ctl(set, 4, file, &event), EINVAL);
    REFUSED(epoll_ctl(set, EPOLL_CTL_MOD, file, &event), ENOENT);
    REFUSED(epoll_ctl(set, EPOLL_CTL_DEL, file, &event), ENOENT);
    REFUSED(epoll_ctl(set, EPOLL_CTL_ADD, file, (void *)8), EFAULT);
    add(set, file, EPOLLIN);
    REFUSED(epoll_ctl(set, EPOLL_CTL_ADD, file, &event), EEXIST);
    REFUSED(epoll_wait(set, &event, 0, 0), EINVAL);
    REFUSED(epoll_wait(set, &event, -1, 0), EINVAL);
    REFUSED(epoll_wait(file, &event, 1, 0), EINVAL);
    REFUSED(epoll_wait(-1, &event, 1, 0), EBADF);
    close(regular);
    close(file);
    close(set);
}

static const struct check_case cases[] = {
    CASE(many_at_once), CASE(into_half_a_list), CASE(level_and_edge),
    CASE(once),         CASE(hang_up),          CASE(closed_and_copied),
    CASE(nested),       CASE(across_processes), CASE(refuses),
};
CHECK_MAIN(cases)
