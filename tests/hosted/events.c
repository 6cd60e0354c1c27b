// SPDX-License-Identifier: MIT OR Apache-2.0
// tests/hosted/events.c: eventfd, epoll, poll, timers.
#include "check.h"

#include <linux/eventpoll.h>
#include <linux/time.h>

#define EFD_SEMAPHORE 1u
#define EFD_NONBLOCK  O_NONBLOCK
#define POLLIN        1u

#define VALUE_AT  PAD
#define EVENT_AT  (PAD + 64)
#define EVENTS_AT (PAD + 128)

// struct epoll_event, as machines other than x86_64 have it.
struct event {
    uint32_t events;
    uint32_t zero;
    uint64_t data;
};

static int64_t value_read(int64_t file) {
    const int64_t got = CALL(read, file, VALUE_AT, 8);
    return got == 8 ? (int64_t)hosted_load(VALUE_AT, 8) : got;
}

static int64_t value_write(int64_t file, uint64_t value) {
    hosted_store(VALUE_AT + 8, value, 8);
    return CALL(write, file, VALUE_AT + 8, 8);
}

static void an_eventfd_counts(void) {
    const int64_t file = CALL(eventfd2, 3, EFD_NONBLOCK);
    SAME(value_read(file), 3);
    SAME(value_read(file), -EAGAIN);
    SAME(value_write(file, 5), 8);
    SAME(value_write(file, 6), 8);
    SAME(value_read(file), 11);
    SAME(value_write(file, -2ull), 8);
    SAME(value_write(file, 1), -EAGAIN);
    const int64_t many = CALL(eventfd2, 2, EFD_NONBLOCK | EFD_SEMAPHORE);
    SAME(value_read(many), 1);
    SAME(value_read(many), 1);
    SAME(value_read(many), -EAGAIN);
}

static int32_t files[2]; // of the one process that uses them

static int answers(uint64_t unused) {
    (void)unused;
    for (uint64_t i = 1; i <= 300; i++) {
        SAME(value_read(files[0]), i);
        SAME(value_write(files[1], i), 8);
    }
    return 0;
}

static void two_processes_alternate(void) {
    files[0] = (int32_t)CALL(eventfd2, 0, 0);
    files[1] = (int32_t)CALL(eventfd2, 0, 0);
    const int64_t pid = child_new(answers, 0);
    for (uint64_t i = 1; i <= 300; i++) {
        SAME(value_write(files[0], i), 8);
        SAME(value_read(files[1]), i);
    }
    SAME(child_wait(pid), EXITED(0));
}

// ---- epoll -------------------------------------------------------------------------------------

static int64_t watch(int64_t epoll, uint32_t operation, int64_t file, uint32_t mask,
                     uint64_t data) {
    const struct event event = { mask, 0, data };
    hosted_write(EVENT_AT, &event, sizeof(event));
    return CALL(epoll_ctl, epoll, operation, file, EVENT_AT);
}

static int64_t look(int64_t epoll, int64_t timeout_ms) {
    return CALL(epoll_pwait, epoll, EVENTS_AT, 8, timeout_ms, 0, 8);
}

static uint64_t data_of(uint32_t index) {
    return hosted_load(EVENTS_AT + index * sizeof(struct event) + 8, 8);
}

static void epoll_tells_who_is_ready(void) {
    const int64_t epoll = CALL(epoll_create1, 0);
    const int64_t level = CALL(eventfd2, 0, 0);
    const int64_t edge = CALL(eventfd2, 0, 0);
    SAME(watch(epoll, EPOLL_CTL_ADD, level, EPOLLIN, 100), 0);
    SAME(watch(epoll, EPOLL_CTL_ADD, edge, EPOLLIN | EPOLLET, 200), 0);
    SAME(watch(epoll, EPOLL_CTL_ADD, edge, EPOLLIN, 200), -EEXIST);
    SAME(look(epoll, 0), 0);
    SAME(value_write(edge, 1), 8);
    SAME(look(epoll, -1), 1);
    SAME(data_of(0), 200);
    SAME(look(epoll, 0), 0);
    SAME(value_write(level, 1), 8);
    SAME(look(epoll, -1), 1);
    SAME(data_of(0), 100);
    SAME(look(epoll, 0), 1); // as long as it can be read
    SAME(value_read(level), 1);
    SAME(look(epoll, 2), 0);
    SAME(watch(epoll, EPOLL_CTL_MOD, level, EPOLLIN | EPOLLONESHOT, 300), 0);
    SAME(value_write(level, 1), 8);
    SAME(look(epoll, -1), 1);
    SAME(data_of(0), 300);
    SAME(look(epoll, 0), 0);
    SAME(CALL(close, level), 0);
    SAME(watch(epoll, EPOLL_CTL_DEL, edge, 0, 0), 0);
    SAME(value_write(edge, 1), 8);
    SAME(look(epoll, 0), 0);
}

#define WATCHED 3

// Each thread tells through its own file, each time when the last was heard.
static int tells(uint64_t file) {
    for (uint32_t i = 0; i < 100; i++) {
        SAME(CALL(write, file, PAD + PAGE, 8), 8);
        while (hosted_load(PAD + 2 * PAGE + 4 * file, 4) != 0) {
            hosted_pause();
        }
        hosted_store(PAD + 2 * PAGE + 4 * file, 1, 4);
    }
    return 0;
}

// Nobody else sleeps, so a lost wake would be a hang.
static void epoll_hears_all_threads(void) {
    const int64_t epoll = CALL(epoll_create1, 0);
    const uint64_t tids = PAD + 3 * PAGE;
    hosted_store(PAD + PAGE, 1, 8);
    for (uint32_t i = 0; i < WATCHED; i++) {
        const uint64_t file = (uint64_t)CALL(eventfd2, 0, 0);
        SAME(watch(epoll, EPOLL_CTL_ADD, (int64_t)file, EPOLLIN | EPOLLET, file), 0);
        (void)thread_new(tells, file, tids + 4 * i);
    }
    for (uint32_t heard = 0; heard < WATCHED * 100;) {
        const int64_t ready = look(epoll, -1);
        for (uint32_t i = 0; i < ready; i++) {
            const int64_t got = value_read((int64_t)data_of(i));
            NEED(got > 0);
            heard += (uint32_t)got;
            hosted_store(PAD + 2 * PAGE + 4 * data_of(i), 0, 4);
        }
    }
    for (uint32_t i = 0; i < WATCHED; i++) {
        thread_join(tids + 4 * i);
    }
}

// ---- time --------------------------------------------------------------------------------------

static uint64_t now_ns(void) {
    SAME(CALL(clock_gettime, CLOCK_MONOTONIC, PAD), 0);
    return hosted_load(PAD, 8) * 1000000000 + hosted_load(PAD + 8, 8);
}

static void timers_expire(void) {
    const uint64_t setting[4] = { 0, 1000000, 0, 1000000 }; // each ms
    const uint64_t start = now_ns();
    const int64_t file = CALL(timerfd_create, CLOCK_MONOTONIC, 0);
    hosted_write(PAD + 64, setting, sizeof(setting));
    SAME(CALL(timerfd_settime, file, 0, PAD + 64, 0), 0);
    for (int64_t seen = 0; seen < 5;) {
        const int64_t got = value_read(file);
        NEED(got > 0);
        seen += got;
    }
    NEED(now_ns() - start >= 5000000);
}

static void poll_waits_for_the_first(void) {
    const int64_t never = CALL(eventfd2, 0, 0);
    const int64_t soon = CALL(timerfd_create, CLOCK_MONOTONIC, 0);
    const uint64_t setting[4] = { 0, 0, 0, 3000000 };
    const uint64_t items[2] = { (uint64_t)never | (uint64_t)POLLIN << 32,
                                (uint64_t)soon | (uint64_t)POLLIN << 32 };
    hosted_write(PAD + 64, setting, sizeof(setting));
    SAME(CALL(timerfd_settime, soon, 0, PAD + 64, 0), 0);
    hosted_write(PAD + 128, items, sizeof(items));
    SAME(CALL(ppoll, PAD + 128, 2, 0, 0, 8), 1);
    SAME(hosted_load(PAD + 128 + 6, 2), 0);
    SAME(hosted_load(PAD + 136 + 6, 2), POLLIN);
}

static const struct check_case cases[] = {
    CASE(an_eventfd_counts),       CASE(two_processes_alternate), CASE(epoll_tells_who_is_ready),
    CASE(epoll_hears_all_threads), CASE(timers_expire),           CASE(poll_waits_for_the_first),
};
CHECK_PROGRAM(events, cases);
