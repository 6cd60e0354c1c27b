// SPDX-License-Identifier: MIT OR Apache-2.0
// tests/native/epoll.c: epoll of descriptors whose capability was derived: it tells what they allow
// to see, says once that they were revoked, and forgets what is closed.
#include "native.h"

#include <pthread.h>
#include <sched.h>
#include <sys/epoll.h>

#define WATCHING (HX_RIGHT_READ | HX_RIGHT_WAIT | HX_RIGHT_ADMIN)
#define REVOKED  (EPOLLERR | EPOLLHUP)

// A descriptor with some of the rights that `fd` has, and the handle by which it is taken back.
static int narrowed(int fd, rights_t rights, handle_t *out_handle) {
    const int64_t root = NATIVE(file_handle, fd);
    const int64_t handle = NATIVE(handle_derive, root, rights);
    NEED(root > 0 && handle > 0);
    SAME(NATIVE(handle_close, root), HX_OK);
    const int64_t narrow = NATIVE(file_descriptor, handle, 1);
    NEED(narrow >= 0);
    *out_handle = (handle_t)handle;
    return (int)narrow;
}

static int control(int epoll, int operation, int fd, uint32_t events) {
    struct epoll_event event = { .events = events, .data = { .u32 = (uint32_t)fd } };
    return epoll_ctl(epoll, operation, fd, &event);
}

// What is told about the one descriptor that is ready, at once; 0: nothing is.
static uint32_t told(int epoll) {
    struct epoll_event events[4] = { 0 };
    const int count = epoll_wait(epoll, events, 4, 0);
    CHECK(count == 0 || count == 1);
    return count == 1 ? events[0].events : 0;
}

struct watched {
    int epoll, fd, ends[2];
    handle_t handle;
};

static struct watched watch(uint32_t events) {
    struct watched watched = { .epoll = epoll_create1(0) };
    NEED(pipe(watched.ends) == 0);
    watched.fd = narrowed(watched.ends[0], WATCHING, &watched.handle);
    NEED(control(watched.epoll, EPOLL_CTL_ADD, watched.fd, events) == 0);
    return watched;
}

static void tells_and_is_revoked(void) {
    const uint32_t kinds[] = { 0, EPOLLET };
    for (int i = 0; i < 2; i++) {
        struct watched watched = watch(EPOLLIN | kinds[i]);
        SAME(told(watched.epoll), 0);
        SAME(write(watched.ends[1], "x", 1), 1);
        SAME(told(watched.epoll), EPOLLIN);
        SAME(told(watched.epoll), i == 0 ? EPOLLIN : 0);
        SAME(NATIVE(handle_revoke, watched.handle), HX_OK);
        SAME(told(watched.epoll), REVOKED); // and no byte of what is there
        SAME(told(watched.epoll), 0);
        SAME(write(watched.ends[1], "x", 1), 1);
        SAME(told(watched.epoll), 0);
        REFUSED(control(watched.epoll, EPOLL_CTL_ADD, watched.fd, EPOLLIN), EBADF);
        REFUSED(control(watched.epoll, EPOLL_CTL_DEL, watched.fd, 0), EBADF);
    }
}

static void needs_the_right(void) {
    handle_t handle;
    int ends[2];
    const int epoll = epoll_create1(0);
    NEED(pipe(ends) == 0);
    const int fd = narrowed(ends[0], HX_RIGHT_READ, &handle);
    REFUSED(control(epoll, EPOLL_CTL_ADD, fd, EPOLLIN), EPERM);
    SAME(write(ends[1], "x", 1), 1);
    SAME(told(epoll), 0);
    const int weak = narrowed(epoll, HX_RIGHT_WAIT, &handle);
    REFUSED(control(weak, EPOLL_CTL_ADD, ends[0], EPOLLIN), EPERM);
    SAME(control(epoll, EPOLL_CTL_ADD, ends[0], EPOLLIN), 0);
    SAME(told(weak), EPOLLIN);
}

static void a_disarmed_one_is_told(void) {
    struct watched watched = watch(EPOLLIN | EPOLLONESHOT);
    SAME(write(watched.ends[1], "x", 1), 1);
    SAME(told(watched.epoll), EPOLLIN);
    SAME(told(watched.epoll), 0);
    SAME(control(watched.epoll, EPOLL_CTL_MOD, watched.fd, EPOLLIN | EPOLLONESHOT), 0);
    SAME(told(watched.epoll), EPOLLIN);
    SAME(NATIVE(handle_revoke, watched.handle), HX_OK);
    SAME(told(watched.epoll), REVOKED);
    SAME(told(watched.epoll), 0);
}

// The pipe goes on to be open elsewhere.
static void closed_is_forgotten(void) {
    struct watched watched = watch(EPOLLIN);
    const int copy = dup(watched.fd);
    SAME(NATIVE(handle_close, watched.handle), HX_OK);
    SAME(write(watched.ends[1], "x", 1), 1);
    SAME(close(watched.fd), 0);
    for (int i = 0; i < 10; i++) {
        SAME(told(watched.epoll), EPOLLIN); // the copy is the same capability
        usleep(2000);
    }
    SAME(close(copy), 0);
    for (int i = 0; i < 5000 && told(watched.epoll) != 0; i++) {
        usleep(1000); // the handle's end takes its time
    }
    SAME(told(watched.epoll), 0);
    // With no handle that was closed just before, it is at once.
    const int last = narrowed(watched.ends[0], WATCHING, &watched.handle);
    SAME(control(watched.epoll, EPOLL_CTL_ADD, last, EPOLLIN), 0);
    SAME(told(watched.epoll), EPOLLIN);
    SAME(NATIVE(handle_close, watched.handle), HX_OK);
    usleep(200000);
    SAME(told(watched.epoll), EPOLLIN);
    SAME(close(last), 0);
    SAME(told(watched.epoll), 0);
    // The number may be used for the same file again, at once.
    for (int round = 0; round < 200; round++) {
        const int fd = narrowed(watched.ends[0], WATCHING, &watched.handle);
        struct epoll_event events[100];
        SAME(NATIVE(handle_close, watched.handle), HX_OK);
        SAME(control(watched.epoll, EPOLL_CTL_ADD, fd, EPOLLIN), 0);
        CHECK(epoll_wait(watched.epoll, events, 100, 0) > 0);
        REFUSED(control(watched.epoll, EPOLL_CTL_ADD, fd, EPOLLIN), EEXIST);
        SAME(close(fd), 0);
    }
}

// A pipe that only an epoll watches is closed: the interest keeps nothing.
static void keeps_nothing(void) {
    struct watched watched = watch(EPOLLIN);
    char byte;
    handle_t handle;
    const int narrow = narrowed(watched.ends[1], HX_RIGHTS_ALL, &handle);
    SAME(control(watched.epoll, EPOLL_CTL_ADD, narrow, EPOLLERR), 0);
    SAME(NATIVE(handle_close, handle), HX_OK);
    SAME(close(narrow), 0);
    SAME(close(watched.ends[1]), 0);
    SAME(read(watched.fd, &byte, 1), 0); // the end of the file
}

static void inside_another(void) {
    struct watched watched = watch(EPOLLIN);
    handle_t handle;
    const int outer = epoll_create1(0);
    const int inner = narrowed(watched.epoll, WATCHING | HX_RIGHT_WRITE, &handle);
    SAME(control(outer, EPOLL_CTL_ADD, inner, EPOLLIN), 0);
    SAME(told(outer), 0);
    SAME(NATIVE(handle_revoke, watched.handle), HX_OK);
    SAME(told(outer), EPOLLIN);
    SAME(told(inner), REVOKED);
    SAME(told(outer), 0);
    SAME(NATIVE(handle_revoke, handle), HX_OK);
    SAME(told(outer), REVOKED);
    REFUSED(epoll_wait(inner, (struct epoll_event[1]){ 0 }, 1, 0), EBADF);
}

static void *waits(void *argument) {
    struct epoll_event event = { 0 };
    const int count = epoll_wait(*(int *)argument, &event, 1, -1);
    return (void *)(uintptr_t)(count == 1 ? event.events : 0);
}

static void ends_waits(void) {
    for (int round = 0; round < 50; round++) {
        struct watched watched = watch(EPOLLIN);
        pthread_t thread;
        void *result;
        pid_t pid;
        NEED(pthread_create(&thread, NULL, waits, &watched.epoll) == 0);
        CHILD(pid) {
            usleep(round % 2 ? 500 : 0);
            char byte;
            REFUSED(read(watched.fd, &byte, 1), EBADF); // inherited, under the same capability
        }
        usleep(round % 3 ? 300 : 0);
        SAME(NATIVE(handle_revoke, watched.handle), HX_OK);
        pthread_join(thread, &result);
        SAME((uintptr_t)result, REVOKED);
        EXITS(pid, 0);
        close(watched.epoll);
        close(watched.fd);
        close(watched.ends[0]);
        close(watched.ends[1]);
        NATIVE(handle_close, watched.handle);
    }
}

// Threads wait, change and close while others revoke.
static struct watched busy;
static _Atomic uint32_t over;

static void *waits_busy(void *unused) {
    struct epoll_event events[4];
    (void)unused;
    while (!over) {
        const int count = epoll_wait(busy.epoll, events, 4, 1);
        for (int i = 0; i < count; i++) {
            CHECK(events[i].events == EPOLLIN || events[i].events == REVOKED);
        }
    }
    return NULL;
}

static void *changes_busy(void *unused) {
    (void)unused;
    while (!over) {
        handle_t handle;
        const int fd = narrowed(busy.ends[0], WATCHING, &handle);
        CHECK(control(busy.epoll, EPOLL_CTL_ADD, fd, EPOLLIN) == 0);
        (void)control(busy.epoll, EPOLL_CTL_MOD, fd, EPOLLIN | EPOLLET);
        if (fd % 2) {
            SAME(NATIVE(handle_revoke, handle), HX_OK);
        } else {
            SAME(control(busy.epoll, EPOLL_CTL_DEL, fd, 0), 0);
        }
        SAME(NATIVE(handle_close, handle), HX_OK);
        SAME(close(fd), 0);
    }
    return NULL;
}

static void all_at_once(void) {
    pthread_t threads[6];
    busy = watch(EPOLLIN);
    SAME(write(busy.ends[1], "x", 1), 1);
    for (int i = 0; i < 6; i++) {
        NEED(pthread_create(&threads[i], NULL, i < 3 ? waits_busy : changes_busy, NULL) == 0);
    }
    sleep(2);
    over = 1;
    for (int i = 0; i < 6; i++) {
        pthread_join(threads[i], NULL);
    }
    SAME(NATIVE(handle_revoke, busy.handle), HX_OK);
    uint32_t last = 0;
    for (int i = 0; i < 100 && last == 0; i++) { // among what the others left
        struct epoll_event events[4];
        const int count = epoll_wait(busy.epoll, events, 4, 0);
        CHECK(count > 0);
        for (int k = 0; k < count; k++) {
            last |= events[k].data.u32 == (uint32_t)busy.fd ? events[k].events : 0;
        }
    }
    SAME(last, REVOKED);
}

static const struct check_case cases[] = {
    CASE(tells_and_is_revoked), CASE(needs_the_right), CASE(a_disarmed_one_is_told),
    CASE(closed_is_forgotten),  CASE(keeps_nothing),   CASE(inside_another),
    CASE(ends_waits),           CASE(all_at_once),
};
CHECK_MAIN(cases)
