// SPDX-License-Identifier: MIT OR Apache-2.0
// user/apps/app.h: what the examples share: a program that starts itself again in another role, and
// ends with a line that says what failed.
#pragma once

#include <libhelix/end.h>
#include <libhelix/process.h>
#include <libhelix/wait.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// Ends the program if a status is not HX_OK, or if what must be so is not.
#define NEED(call)  need_ok((call), #call, __LINE__)
#define ALWAYS(yes) need_true((yes), #yes, __LINE__)

static inline void need_ok(enum hx_status status, const char *what, int line) {
    if (status != HX_OK) {
        fprintf(stderr, "line %d: %s: %s\n", line, what, hx_status_name(status));
        exit(1);
    }
}

static inline void need_true(bool yes, const char *what, int line) {
    if (!yes) {
        fprintf(stderr, "line %d: not so: %s\n", line, what);
        exit(1);
    }
}

// Starts this program as `role`, with the usual three descriptors and one end of a new channel; the
// other one is ours.
static inline handle_t app_spawn(const char *role, handle_t *out_end) {
    static const int32_t descriptors[] = { 0, 1, 2 };
    const char *const arguments[] = { "app", role, NULL };
    handle_t ends[2] = { 0 }, process = 0;
    NEED(hx_channel_create(64, ends));
    NEED(hx_spawn("/proc/self/exe", arguments, descriptors, 3, ends[1], &process));
    *out_end = ends[0];
    return process;
}

// The same, with our end open.
static inline handle_t app_start(const char *role, struct hx_end *out_end) {
    handle_t end = 0;
    const handle_t process = app_spawn(role, &end);
    NEED(hx_end_open(out_end, end));
    return process;
}

// The end of the channel that the role was given.
static inline void app_parent(struct hx_end *out_end) {
    handle_t given = 0;
    NEED(hx_handle_given(&given));
    NEED(hx_end_open(out_end, given));
}

// Its exit status, or that of the signal that ended it, as waitpid() gives it.
static inline int32_t app_end(handle_t process) {
    int32_t status = -1;
    NEED(hx_process_wait(process, hx_after(30000000000), &status));
    return status;
}

static inline void app_send(struct hx_end *end, uint16_t kind, const void *data, size_t length) {
    const struct hx_slot message = hx_message(kind, data, length);
    NEED(hx_end_send_all(end, &message, 1, TIME_NEVER));
}

static inline void app_send_handle(struct hx_end *end, uint16_t kind, handle_t handle) {
    const struct hx_slot message = hx_message(kind, "", 0);
    NEED(hx_end_send_handle(end, &message, handle, TIME_NEVER));
}

static inline struct hx_slot app_receive(struct hx_end *end) {
    struct hx_slot message = { 0 };
    uint32_t received = 0;
    NEED(hx_end_receive(end, &message, 1, TIME_NEVER, &received));
    return message;
}

static inline handle_t app_receive_handle(struct hx_end *end) {
    const struct hx_slot message = app_receive(end);
    handle_t handle = 0;
    NEED(hx_end_take_handle(end, &message, &handle));
    return handle;
}
