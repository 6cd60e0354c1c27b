// SPDX-License-Identifier: MIT OR Apache-2.0
// eventfd: counters and semaphores, readers and writers that wait, and every refusal.
#include "check.h"

#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>

#define FULL (UINT64_MAX - 1)

static void add(int fd, uint64_t value) {
    SAME(write(fd, &value, sizeof value), 8);
}

static uint64_t take(int fd) {
    uint64_t value = 0;
    SAME(read(fd, &value, sizeof value), 8);
    return value;
}

static int levels(int fd) {
    struct pollfd asked = { fd, POLLIN | POLLOUT, 0 };
    poll(&asked, 1, 0);
    return asked.revents;
}

static void counts(void) {
    const int fd = eventfd(3, EFD_NONBLOCK);
    SAME(take(fd), 3);
    REFUSED(read(fd, &(uint64_t){ 0 }, 8), EAGAIN);
    add(fd, 5);
    add(fd, 0x100000000);
    SAME(take(fd), 0x100000005);
    add(fd, 0); // adds nothing, and that is no mistake
    REFUSED(read(fd, &(uint64_t){ 0 }, 8), EAGAIN);
}

static void semaphore_gives_one(void) {
    const int fd = eventfd(2, EFD_SEMAPHORE | EFD_NONBLOCK);
    add(fd, 1);
    for (int i = 0; i < 3; i++) {
        SAME(take(fd), 1);
    }
    REFUSED(read(fd, &(uint64_t){ 0 }, 8), EAGAIN);
}

static void full_is_full(void) {
    const int fd = eventfd(0, EFD_NONBLOCK);
    SAME(levels(fd), POLLOUT);
    add(fd, FULL);
    SAME(levels(fd), POLLIN);
    REFUSED(write(fd, &(uint64_t){ 1 }, 8), EAGAIN);
    SAME(take(fd), FULL);
    add(fd, FULL - 1);
    SAME(levels(fd), POLLIN | POLLOUT);
    REFUSED(write(fd, &(uint64_t){ 2 }, 8), EAGAIN);
    add(fd, 1);
    SAME(levels(fd), POLLIN);
}

static void refuses(void) {
    const int fd = eventfd(1, EFD_NONBLOCK);
    uint64_t values[2] = { 1, 1 };
    REFUSED(read(fd, values, 7), EINVAL);
    REFUSED(write(fd, values, 7), EINVAL);
    REFUSED(write(fd, &(uint64_t){ UINT64_MAX }, 8), EINVAL);
    SAME(read(fd, values, sizeof values), 8); // no more than one
    REFUSED(eventfd(0, 1 << 5), EINVAL);
    REFUSED(pread(fd, values, 8, 0), ESPIPE);
}

// A buffer whose second half is not there.
static void half_a_buffer(void) {
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    char *pages = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    munmap(pages + page, page);
    const int fd = eventfd(1, EFD_NONBLOCK);
    REFUSED(read(fd, pages + page - 4, 8), EFAULT);
    REFUSED(write(fd, pages + page - 4, 8), EFAULT);
}

static void *reader(void *argument) {
    return (void *)(uintptr_t)take(*(int *)argument);
}

static void readers_wait(void) {
    int fd = eventfd(0, EFD_SEMAPHORE);
    pthread_t threads[3];
    for (int i = 0; i < 3; i++) {
        NEED(pthread_create(&threads[i], NULL, reader, &fd) == 0);
    }
    add(fd, 1);
    add(fd, 2);
    for (int i = 0; i < 3; i++) {
        void *value;
        pthread_join(threads[i], &value);
        SAME((uintptr_t)value, 1);
    }
    SAME(levels(fd), POLLOUT);
}

static void *writer(void *argument) {
    add(*(int *)argument, 7);
    return NULL;
}

static void writers_wait(void) {
    int fd = eventfd(0, 0);
    add(fd, FULL);
    pthread_t thread;
    NEED(pthread_create(&thread, NULL, writer, &fd) == 0);
    SAME(take(fd), FULL);
    pthread_join(thread, NULL);
    SAME(take(fd), 7);
}

static const struct check_case cases[] = {
    CASE(counts),        CASE(semaphore_gives_one), CASE(full_is_full), CASE(refuses),
    CASE(half_a_buffer), CASE(readers_wait),        CASE(writers_wait),
};
CHECK_MAIN(cases)
