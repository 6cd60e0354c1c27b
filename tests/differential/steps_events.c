// SPDX-License-Identifier: MIT OR Apache-2.0
// Steps of descriptors that tell of events, of those who wait for them, and message queues.
#include "program.h"

#include <mqueue.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/select.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>

#define MOST_EVENTS 40
#define FAR_S       1000

static void step_eventfd(struct generator *random) {
    const unsigned value = one_in(random, 2) ? 0 : below(random, 5);
    const int flags =
        EFD_NONBLOCK | (one_in(random, 2) ? EFD_SEMAPHORE : 0) | (one_in(random, 20) ? 2 : 0);
    say("eventfd2 %u %s%s", value, (flags & EFD_SEMAPHORE) != 0 ? "semaphore" : "",
        (flags & 2) != 0 ? "!" : "");
    const int made = (int)RESULT(eventfd(value, flags));
    descriptor_is(made, KIND_EVENT);
}

static void step_event_write(struct generator *random) {
    static const uint64_t values[] = { 0, 1, 1, 2, 5, UINT64_MAX - 1, UINT64_MAX, UINT64_MAX - 3 };
    const int file = descriptor_of(random, KIND_EVENT);
    const uint64_t value = ELEMENT(random, values);
    const size_t length = one_in(random, 10) ? below(random, 8) : sizeof value;
    say("write %d %llx(%zu)", file, (unsigned long long)value, length);
    RESULT(write(file, &value, length));
}

static void step_event_read(struct generator *random) {
    const int file = descriptor_of(random, KIND_EVENT | KIND_TIMER);
    uint64_t value = 77;
    const size_t length = one_in(random, 10) ? below(random, 8) : sizeof value;
    say("read %d (%zu)", file, length);
    errno = 0;
    const long result = read(file, &value, length);
    const int error = errno;
    say(" %llx", (unsigned long long)value);
    say_result(result, error);
}

static void step_timerfd(struct generator *random) {
    static const int clocks[] = { CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_BOOTTIME,
                                  CLOCK_PROCESS_CPUTIME_ID, 77 };
    const int clock = ELEMENT(random, clocks);
    say("timerfd_create %d", clock);
    const int made = (int)RESULT(timerfd_create(clock, TFD_NONBLOCK));
    descriptor_is(made, KIND_TIMER);
}

// Far ahead, off, or long ago, which is waited for.
static void step_timer_set(struct generator *random) {
    const int file = descriptor_of(random, KIND_TIMER);
    struct itimerspec setting = { { 0, 0 }, { 0, 0 } };
    struct itimerspec old = { { 7, 7 }, { 7, 7 } };
    int flags = 0;
    const unsigned way = below(random, 5);
    if (way == 0) {
        setting.it_value.tv_sec = FAR_S;
        setting.it_interval.tv_sec = one_in(random, 2) ? FAR_S : 0;
    } else if (way == 1) {
        setting.it_value.tv_nsec = 1;
        flags = TFD_TIMER_ABSTIME;
    } else if (way == 2) {
        setting.it_value.tv_nsec = one_in(random, 2) ? -1 : 1000000000;
    } else if (way == 3) {
        setting.it_value.tv_sec = FAR_S;
        flags = (int)below(random, 16) & ~1;
    }
    say("timerfd_settime %d way %u %x", file, way, flags);
    errno = 0;
    const int result = timerfd_settime(file, flags, &setting, &old);
    const int error = errno;
    say(" before %s %ld", old.it_value.tv_sec == 0 && old.it_value.tv_nsec == 0 ? "off" : "on",
        (long)old.it_interval.tv_sec);
    say_result(result, error);
    if (result == 0 && way == 1) {
        struct pollfd item = { .fd = file, .events = POLLIN };
        say("  comes %d\n", poll(&item, 1, 5000));
    }
}

static void step_timer_get(struct generator *random) {
    const int file = descriptor_of(random, KIND_TIMER);
    struct itimerspec now = { { 7, 7 }, { 7, 7 } };
    say("timerfd_gettime %d", file);
    errno = 0;
    const int result = timerfd_gettime(file, &now);
    const int error = errno;
    say(" %s %ld", now.it_value.tv_sec == 0 && now.it_value.tv_nsec == 0 ? "off" : "on",
        (long)now.it_interval.tv_sec);
    say_result(result, error);
}

// Which of all descriptors are ready for what.
static void step_poll(struct generator *random) {
    static const short wanted[] = { POLLIN | POLLOUT, POLLIN | POLLOUT | POLLPRI | POLLRDHUP,
                                    WITH_NORMAL_BITS ? POLLRDNORM | POLLWRNORM : POLLIN, 0,
                                    POLLOUT };
    const short events = ELEMENT(random, wanted);
    struct pollfd items[DESCRIPTORS];
    for (int i = 0; i < DESCRIPTORS; i++) {
        items[i] = (struct pollfd){ .fd = i, .events = events };
    }
    say("poll %x", events);
    errno = 0;
    const int result = poll(items, DESCRIPTORS, 0);
    const int error = errno;
    for (int i = 0; i < DESCRIPTORS; i++) {
        if ((items[i].revents & POLLNVAL) == 0) {
            say(" %d:%x", i, items[i].revents);
        }
    }
    say_result(result, error);
}

static void step_select(struct generator *random) {
    fd_set sets[3];
    struct timeval none = { 0, 0 };
    const int file = descriptor_of(random, KIND_ANY);
    if (file < 0 || file >= DESCRIPTORS) {
        return;
    }
    for (int i = 0; i < 3; i++) {
        FD_ZERO(&sets[i]);
        FD_SET(file, &sets[i]);
    }
    say("select %d", file);
    errno = 0;
    const int result = select(file + 1, &sets[0], &sets[1], &sets[2], &none);
    const int error = errno;
    if (result > 0) {
        say(" %d%d%d", FD_ISSET(file, &sets[0]) != 0, FD_ISSET(file, &sets[1]) != 0,
            FD_ISSET(file, &sets[2]) != 0);
    }
    say_result(result, error);
}

static void step_epoll_create(struct generator *random) {
    const int flags = one_in(random, 10) ? 1 : 0;
    say("epoll_create1 %d", flags);
    const int made = (int)RESULT(epoll_create1(flags));
    descriptor_is(made, KIND_EPOLL);
}

static void step_epoll_ctl(struct generator *random) {
    static const unsigned bits[] = { EPOLLIN,      EPOLLIN,    EPOLLOUT, EPOLLET,
                                     EPOLLONESHOT, EPOLLRDHUP, EPOLLPRI, EPOLLEXCLUSIVE };
    const int epoll = descriptor_of(random, KIND_EPOLL);
    const int file = descriptor_of(random, KIND_ANY & ~KIND_FOLDER);
    const int what = one_in(random, 3) ? (int)below(random, 5) : EPOLL_CTL_ADD;
    struct epoll_event event = { .events =
                                     SOME_OF(random, bits) | (one_in(random, 2) ? EPOLLIN : 0),
                                 .data.u64 = (uint64_t)(unsigned)file };
    say("epoll_ctl %d %d %d %x", epoll, what, file, event.events);
    RESULT(epoll_ctl(epoll, what, file, &event));
}

static int compare_events(const void *first, const void *second) {
    const uint64_t a = ((const struct epoll_event *)first)->data.u64;
    const uint64_t b = ((const struct epoll_event *)second)->data.u64;
    return a < b ? -1 : a > b;
}

// As many as there are: which of them come first is nobody's promise.
static void step_epoll_wait(struct generator *random) {
    const int epoll = descriptor_of(random, KIND_EPOLL);
    struct epoll_event events[MOST_EVENTS];
    const int most = one_in(random, 10) ? 0 : MOST_EVENTS;
    say("epoll_wait %d %d", epoll, most);
    errno = 0;
    const int count = epoll_wait(epoll, events, most, 0);
    const int error = errno;
    if (count > 0) {
        qsort(events, (size_t)count, sizeof events[0], compare_events);
    }
    for (int i = 0; i < count; i++) {
        say(" %d:%x", (int)events[i].data.u64, events[i].events);
    }
    say_result(count, error);
}

static const struct step events_steps[] = {
    STEP(eventfd),   STEP(event_write), STEP(event_read), STEP(timerfd),      STEP(timer_set),
    STEP(timer_get), STEP(poll),        STEP(select),     STEP(epoll_create), STEP(epoll_ctl),
    STEP(epoll_ctl), STEP(epoll_ctl),   STEP(epoll_wait), STEP(epoll_wait),
};
FAMILY(events);

static void step_watch_create(struct generator *random) {
    const int flags = IN_NONBLOCK | (one_in(random, 20) ? 1 : 0);
    say("inotify_init1 %s", (flags & 1) != 0 ? "!" : "");
    const int made = (int)RESULT(inotify_init1(flags));
    descriptor_is(made, KIND_WATCH);
}

static void step_watch_add(struct generator *random) {
    static const unsigned bits[] = { IN_ALL_EVENTS, IN_ALL_EVENTS,  IN_CREATE,      IN_MODIFY,
                                     IN_ATTRIB,     IN_ONLYDIR,     IN_DONT_FOLLOW, IN_MASK_ADD,
                                     IN_ONESHOT,    IN_MASK_CREATE, IN_EXCL_UNLINK };
    const int watch = descriptor_of(random, KIND_WATCH);
    const char *path = one_in(random, 3) ? "." : path_of(random);
    const unsigned mask = SOME_OF(random, bits) | (one_in(random, 8) ? 0 : IN_ALL_EVENTS);
    say("inotify_add_watch %d", watch);
    say_path(path);
    say(" %x", mask);
    RESULT(inotify_add_watch(watch, path, mask));
}

static void step_watch_remove(struct generator *random) {
    const int watch = descriptor_of(random, KIND_WATCH);
    const int which = (int)below(random, 4);
    say("inotify_rm_watch %d %d", watch, which);
    RESULT(inotify_rm_watch(watch, which));
}

static void step_watch_read(struct generator *random) {
    static char data[4096] __attribute__((aligned(8)));
    const int watch = descriptor_of(random, KIND_WATCH);
    const size_t length =
        one_in(random, 4) ? (WITH_EMPTY_READS ? 0 : 1) + below(random, 60) : sizeof data;
    say("read %d %zu", watch, length);
    errno = 0;
    const long result = read(watch, data, length);
    const int error = errno;
    uint32_t first_cookie = 0;
    for (long at = 0; at + (long)sizeof(struct inotify_event) <= result;) {
        const struct inotify_event *event = (const struct inotify_event *)(data + at);
        if (first_cookie == 0) {
            first_cookie = event->cookie;
        }
        const char *cookie = event->cookie == 0              ? ""
                             : event->cookie == first_cookie ? " moved"
                                                             : " moved too";
        say(" [%d %x %s%s]", event->wd, event->mask, event->len != 0 ? event->name : "-", cookie);
        at += (long)(sizeof *event + event->len);
    }
    say_result(result, error);
}

static const struct step watches_steps[] = {
    STEP(watch_create), STEP(watch_add),  STEP(watch_add),
    STEP(watch_remove), STEP(watch_read), STEP(watch_read),
};
FAMILY(watches);

static const char *queue_of(struct generator *random) {
    static const char *const names[] = { "/q1", "/q2", "/q1", "/q2", "/q1/a", "/", "" };
    return ELEMENT(random, names);
}

static void step_queue_open(struct generator *random) {
    const char *name = queue_of(random);
    const int flags = (int)below(random, 3) | O_NONBLOCK | (one_in(random, 3) ? 0 : O_CREAT) |
                      (one_in(random, 5) ? O_EXCL : 0);
    struct mq_attr about = { .mq_maxmsg = 1 + below(random, 4),
                             .mq_msgsize = 1 + below(random, 20) };
    if (one_in(random, 10)) {
        about.mq_maxmsg = 0;
    }
    const unsigned mode = mode_of(random) & (WITH_QUEUE_SETID ? 07777 : 0777);
    say("mq_open %s", name);
    say_flags((unsigned)flags);
    say(" %o %ld %ld", mode, about.mq_maxmsg, about.mq_msgsize);
    const int made = (int)RESULT(mq_open(name, flags, mode, &about));
    descriptor_is(made, KIND_QUEUE);
}

static void step_queue_unlink(struct generator *random) {
    const char *name = queue_of(random);
    say("mq_unlink %s", name);
    RESULT(mq_unlink(name));
}

static void step_queue_send(struct generator *random) {
    const int queue = descriptor_of(random, KIND_QUEUE);
    const size_t length = below(random, 12);
    const unsigned priority = one_in(random, 10) ? 32768 : below(random, 4);
    say("mq_send %d %zu %u", queue, length, priority);
    RESULT(mq_send(queue, data_of(random, length), length, priority));
}

static void step_queue_receive(struct generator *random) {
    const int queue = descriptor_of(random, KIND_QUEUE);
    char data[64];
    unsigned priority = 77;
    const size_t length = one_in(random, 5) ? below(random, 20) : sizeof data;
    say("mq_receive %d %zu", queue, length);
    errno = 0;
    const long result = mq_receive(queue, data, length, &priority);
    const int error = errno;
    if (result >= 0) {
        say_bytes(data, (size_t)result);
    }
    say(" %u", priority);
    say_result(result, error);
}

static void step_queue_about(struct generator *random) {
    const int queue = descriptor_of(random, KIND_QUEUE);
    struct mq_attr about;
    memset(&about, 0, sizeof about);
    say("mq_getattr %d", queue);
    errno = 0;
    const int result = mq_getattr(queue, &about);
    const int error = errno;
    say(" %ld %ld %ld", about.mq_maxmsg, about.mq_msgsize, about.mq_curmsgs);
    say_result(result, error);
}

static const struct step queues_steps[] = {
    STEP(queue_open), STEP(queue_open),    STEP(queue_unlink),
    STEP(queue_send), STEP(queue_receive), STEP(queue_about),
};
FAMILY(queues);
