// SPDX-License-Identifier: MIT OR Apache-2.0
// user/apps/mixed.c: POSIX and native calls in one program: one wait for a pipe and an event, a
// file that is opened here and read by another process, and a thread of the C library's.
#include "app.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <unistd.h>

#define RUNG 0x100u // a state of the event, with our meaning

static handle_t bell;

static void *ring(void *unused) {
    (void)unused;
    NEED(hx_event_update(bell, 0, RUNG));
    return NULL;
}

// A pipe and an event in one native wait; then poll() says the same about the pipe.
static void wait_for_both(void) {
    int ends[2];
    char byte = 0;
    uint32_t ready = 0;
    handle_t pipe_end = 0;
    pthread_t thread;
    ALWAYS(pipe(ends) == 0);
    NEED(hx_event_create(0, &bell));
    NEED(hx_file_handle(ends[0], &pipe_end));
    struct hx_wait_item items[] = { { .handle = pipe_end, .mask = HX_STATE_READABLE },
                                    { .handle = bell, .mask = RUNG } };
    ALWAYS(hx_wait(items, 2, 0, &ready) == HX_ERR_TIMED_OUT);
    ALWAYS(pthread_create(&thread, NULL, ring, NULL) == 0);
    NEED(hx_wait(items, 2, TIME_NEVER, &ready));
    ALWAYS(ready == 1 && items[1].out_state == RUNG && items[0].out_state == 0);
    NEED(hx_event_update(bell, RUNG, 0));
    ALWAYS(write(ends[1], "x", 1) == 1);
    NEED(hx_wait(items, 2, TIME_NEVER, &ready));
    ALWAYS(ready == 1 && items[0].out_state == HX_STATE_READABLE);
    struct pollfd watched = { .fd = ends[0], .events = POLLIN };
    ALWAYS(poll(&watched, 1, 0) == 1 && watched.revents == POLLIN);
    ALWAYS(read(ends[0], &byte, 1) == 1 && byte == 'x');
    ALWAYS(pthread_join(thread, NULL) == 0);
    printf("one wait for a pipe and an event\n");
}

// Reads a file that it could not open: it has no name for it.
static int reader(void) {
    struct hx_end parent;
    char text[32] = "";
    int32_t descriptor = -1;
    app_parent(&parent);
    NEED(hx_file_descriptor(app_receive_handle(&parent), true, &descriptor));
    ALWAYS(read(descriptor, text, sizeof(text) - 1) == 13);
    ALWAYS(write(descriptor, "!", 1) == -1); // it is only to be read
    app_send(&parent, 1, text, strlen(text));
    return 0;
}

static void pass_a_file(void) {
    char name[] = "/tmp/mixedXXXXXX";
    struct hx_end child;
    handle_t file = 0, lent = 0;
    const int descriptor = mkstemp(name);
    ALWAYS(descriptor >= 0 && unlink(name) == 0);
    ALWAYS(write(descriptor, "only to read\n", 13) == 13 && lseek(descriptor, 0, SEEK_SET) == 0);
    const handle_t process = app_start("reader", &child);
    NEED(hx_file_handle(descriptor, &file));
    NEED(hx_handle_derive(file, HX_RIGHT_READ | HX_RIGHT_DELEGATE, &lent));
    app_send_handle(&child, 1, lent);
    const struct hx_slot answer = app_receive(&child);
    ALWAYS(answer.length == 13 && memcmp(answer.data, "only to read\n", 13) == 0);
    ALWAYS(app_end(process) == 0);
    printf("a file without a name was read elsewhere\n");
}

int main(int argc, char **argv) {
    (void)argv;
    if (argc > 1) {
        return reader();
    }
    wait_for_both();
    pass_a_file();
    return 0;
}
