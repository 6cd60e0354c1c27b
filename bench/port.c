// SPDX-License-Identifier: MIT OR Apache-2.0
// bench/port.c: calls of a port between two processes, over a channel: a number there and back, and
// a page of 4 KiB that is filled here and read there. On a kernel without channels: a request of
// 64 bytes and an answer over a UNIX socket; the page goes through it, too.
#include "bench.h"

#include <errno.h>
#include <helix/ports/echo_wire.h>
#include <libhelix/client.h>
#include <libhelix/server.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define MESSAGE 64u // as large as a slot

static struct hx_client *client; // NULL: there are no channels
static void *page;
static int ours;
static pid_t peer;

// ---- over a channel

static enum hx_status next(void *self, uint64_t value, uint64_t *out_next) {
    (void)self;
    *out_next = value + 1;
    return HX_OK;
}

static enum hx_status first(void *self, const void *const *pages, uint32_t count,
                            uint64_t *out_word) {
    (void)self;
    (void)count;
    memcpy(out_word, pages[0], sizeof(*out_word));
    return HX_OK;
}

static void serve(void) {
    static const struct echo_ops ops = { next, first };
    const struct hx_service service = { .port = &echo_wire, .ops = &ops };
    struct hx_server *server;
    handle_t given;
    _exit(hx_handle_given(&given) != HX_OK || hx_server_create(&server) != HX_OK ||
          hx_server_add(server, given, &service) != HX_OK ||
          hx_server_run(server, TIME_NEVER) != HX_OK);
}

static bool start_on_channel(void) {
    handle_t ends[2];
    if (hx_channel_create(16, ends) != HX_OK || hx_handle_bequeath(ends[1]) != HX_OK) {
        return false;
    }
    peer = fork();
    if (peer == 0) {
        serve();
    }
    return peer > 0 && hx_client_open(ends[0], &echo_wire, TIME_NEVER, &client) == HX_OK &&
           hx_client_pages_take(client, 1, &page) == HX_OK;
}

// ---- over a socket

static bool read_all(int socket, void *to, size_t size) {
    for (size_t done = 0; done < size;) {
        const ssize_t got = read(socket, (char *)to + done, size - done);
        if (got <= 0) {
            return false;
        }
        done += (size_t)got;
    }
    return true;
}

// The first word is the value, the second one how many bytes follow.
static void answer(int socket) {
    uint64_t message[MESSAGE / 8];
    static uint64_t words[PAGE_SIZE / 8];
    while (read_all(socket, message, sizeof(message))) {
        if (message[1] != 0 && !read_all(socket, words, message[1])) {
            break;
        }
        message[0] = message[1] != 0 ? words[0] : message[0] + 1;
        if (write(socket, message, sizeof(message)) != (ssize_t)sizeof(message)) {
            break;
        }
    }
    _exit(0);
}

static bool start_on_socket(void) {
    static uint64_t memory[PAGE_SIZE / 8];
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0) {
        return false;
    }
    peer = fork();
    if (peer == 0) {
        close(ends[0]);
        answer(ends[1]);
    }
    close(ends[1]);
    ours = ends[0];
    page = memory;
    return peer > 0;
}

static bool socket_call(uint64_t value, uint64_t size, uint64_t *out_answer) {
    uint64_t message[MESSAGE / 8] = { value, size };
    if (write(ours, message, sizeof(message)) != (ssize_t)sizeof(message) ||
        (size != 0 && write(ours, page, size) != (ssize_t)size) ||
        !read_all(ours, message, sizeof(message))) {
        return false;
    }
    *out_answer = message[0];
    return true;
}

// ---- the rows

static bool prepare(void) {
    const bool has_channels = syscall(HX_CALL_handle_given) != -1 || errno == -HX_ERR_NOT_FOUND;
    return has_channels ? start_on_channel() : start_on_socket();
}

static void clean(void) {
    if (client != NULL) {
        hx_client_close(client);
        client = NULL;
    } else {
        close(ours);
    }
    waitpid(peer, NULL, 0);
}

static bool call_once(uint64_t value) {
    uint64_t got = 0;
    const bool good = client != NULL
                          ? echo_wire_client.next(hx_client_self(client), value, &got) == HX_OK
                          : socket_call(value, 0, &got);
    return good && got == value + 1;
}

static uint64_t call_round(unsigned count) {
    unsigned good = 0;
    const uint64_t start = bench_now();
    for (unsigned i = 0; i < count; i++) {
        good += call_once(i);
    }
    return bench_took(start, good == count);
}

static bool page_once(uint64_t value) {
    uint64_t got = 0;
    memset(page, (int)value, PAGE_SIZE);
    const bool good = client != NULL
                          ? echo_wire_client.first(hx_client_self(client),
                                                   (const void *const *)&page, 1, &got) == HX_OK
                          : socket_call(0, PAGE_SIZE, &got);
    return good && (uint8_t)got == (uint8_t)value;
}

static uint64_t page_round(unsigned count) {
    unsigned good = 0;
    const uint64_t start = bench_now();
    for (unsigned i = 0; i < count; i++) {
        good += page_once(i);
    }
    return bench_took(start, good == count);
}

static const struct bench_operation operations[] = {
    { "port_call", 300, prepare, call_round, clean },
    { "port_page_4k", 300, prepare, page_round, clean },
};
BENCH_MAIN(operations)
