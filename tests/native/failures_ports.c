// SPDX-License-Identifier: MIT OR Apache-2.0
// tests/native/failures_ports.c: connections and calls of a port with each allocation of the kernel
// failing in turn, and with them those of the C library: a status, and nothing is left behind.
#include "failing.h"

#include "desk.h"

static int result(enum hx_status status) {
    errno = status == HX_ERR_NO_MEMORY || status == HX_ERR_LIMIT || status == HX_ERR_TABLE_FULL
                ? ENOMEM
                : EIO;
    return status == HX_OK ? 0 : -1;
}

// Both sides of one, in this process.
static int connection(void) {
    struct hx_server *server = NULL;
    struct hx_client *client;
    handle_t ends[2];
    enum hx_status status = hx_channel_create(16, ends);
    if (status != HX_OK) {
        return result(status);
    }
    status = hx_server_create(&server);
    if (status == HX_OK) {
        status = hx_server_add(server, ends[1], &desk_service);
        if (status != HX_OK) {
            NEED(hx_handle_close(ends[1]) == HX_OK);
        }
    }
    if (status == HX_OK) {
        status = hx_client_open(ends[0], &desk_wire, TIME_NEVER, &client);
    }
    if (status == HX_OK) {
        hx_client_close(client);
    } else {
        NEED(hx_handle_close(ends[0]) == HX_OK);
    }
    if (server != NULL) {
        hx_server_destroy(server);
    } else {
        NEED(hx_handle_close(ends[1]) == HX_OK);
    }
    return result(status);
}

static struct desk_user user;
static handle_t memory;

static int call(void) {
    int64_t sum;
    bool flag;
    return result(desk->scalars(user.self, 1, 2, 3, true, 4, 0, &sum, &flag));
}

static int call_with_handles(void) {
    uint64_t word = 0;
    return result(desk->lend(user.self, memory, memory, &word));
}

static int call_for_handle(void) {
    uint64_t size;
    handle_t got;
    const enum hx_status status = desk->borrow(user.self, 5, &got, &size);
    if (status == HX_OK) {
        NEED(hx_handle_close(got) == HX_OK);
    }
    return result(status);
}

static void connections(void) {
    exhaust("connection", connection);
}

static void calls(void) {
    memory = memory_with(77);
    desk_begin(&user, 16);
    exhaust("call", call);
    exhaust("call with handles", call_with_handles);
    exhaust("call for a handle", call_for_handle);
    desk_end(&user);
}

int main(void) {
    control = open("/proc/helix/fail_nth", O_RDWR);
    NEED(control >= 0);
    connections();
    calls();
    return check_failures != 0;
}
