// SPDX-License-Identifier: MIT OR Apache-2.0
// tests/native/desk.h: a server of desk.port, and what its clients in tests begin with.
#pragma once

#include "native.h"

#include <helix/ports/desk_wire.h>
#include <libhelix/client.h>
#include <libhelix/end.h>
#include <libhelix/server.h>
#include <libhelix/wait.h>
#include <pthread.h>
#include <sys/mman.h>

#define DESK_HINTS 5u     // tell() so many: and a hint
#define DESK_STATE 0x100u // of the events that hold() gets

// ---- the server, in a process of its own

static uint32_t desk_boxes, desk_gone; // boxes open; clients that have gone

struct desk_box {
    uint64_t total;
};

// Whom a connection's events go to: the last one that attached.
static const struct desk_events *desk_events;
static void *desk_client;
static pthread_mutex_t desk_lock = PTHREAD_MUTEX_INITIALIZER; // of the two

static enum hx_status desk_attach(void *self, const struct desk_events *events, void *client) {
    (void)self;
    pthread_mutex_lock(&desk_lock);
    desk_events = events;
    desk_client = client;
    pthread_mutex_unlock(&desk_lock);
    return HX_OK;
}

static void desk_closed(void *self, void *client) {
    (void)self;
    pthread_mutex_lock(&desk_lock);
    desk_client = client == desk_client ? NULL : desk_client;
    pthread_mutex_unlock(&desk_lock);
    desk_gone++;
}

static enum hx_status desk_scalars(void *self, uint8_t a, int32_t b, uint64_t c, bool d,
                                   time_ns_t e, uint32_t f, int64_t *out_sum, bool *out_not_d) {
    (void)self;
    *out_sum = a + b + (int64_t)c + e + (f == (DESK_FAST | DESK_SAFE));
    *out_not_d = !d;
    return HX_OK;
}

static enum hx_status desk_greet(void *self, struct desk_name name, const char *label,
                                 struct desk_item *out_item) {
    (void)self;
    if (name.length != 3 || memcmp(name.text, "you", 3) != 0) {
        return HX_ERR_NOT_FOUND;
    }
    *out_item = (struct desk_item){ .id = strlen(label), .how = DESK_SAFE, .valid = true };
    return HX_OK;
}

static int by_value(const void *a, const void *b) {
    int32_t x, y;
    memcpy(&x, a, sizeof(x));
    memcpy(&y, b, sizeof(y));
    return (x > y) - (x < y);
}

static enum hx_status desk_sort(void *self, const int32_t *values, uint32_t count,
                                int32_t *out_least, int32_t *sorted, uint32_t capacity,
                                uint32_t *out_count) {
    (void)self;
    const uint32_t fit = count < capacity ? count : capacity;
    int32_t all[400];
    memcpy(all, values, count * sizeof(all[0]));
    qsort(all, count, sizeof(all[0]), by_value);
    memcpy(sorted, all, fit * sizeof(all[0]));
    *out_least = count == 0 ? 0 : all[0];
    *out_count = fit;
    return HX_OK;
}

static enum hx_status desk_turn(void *self, void *data, uint32_t size) {
    uint8_t *bytes = data;
    (void)self;
    for (uint32_t i = 0; i < size / 2; i++) {
        const uint8_t byte = bytes[i];
        bytes[i] = bytes[size - 1 - i];
        bytes[size - 1 - i] = byte;
    }
    return HX_OK;
}

static enum hx_status desk_change(void *self, struct desk_item *item, bool *out_changed) {
    (void)self;
    *out_changed = item->tiny != 0;
    item->id++;
    return HX_OK;
}

static enum hx_status desk_fill(void *self, uint32_t first, void *const *pages, uint32_t count) {
    (void)self;
    for (uint32_t i = 0; i < count; i++) {
        memset(pages[i], (int)(first + i), PAGE_SIZE);
    }
    return HX_OK;
}

static enum hx_status desk_add_up(void *self, const void *const *pages, uint32_t count,
                                  uint64_t *out_sum) {
    (void)self;
    *out_sum = 0;
    for (uint32_t i = 0; i < count; i++) {
        for (uint32_t k = 0; k < PAGE_SIZE; k++) {
            *out_sum += ((const uint8_t *)pages[i])[k];
        }
    }
    return HX_OK;
}

static enum hx_status desk_swap(void *self, void *const *pages, uint32_t count) {
    (void)self;
    for (uint32_t i = 0; i + 1 < count; i += 2) {
        uint8_t kept[PAGE_SIZE];
        memcpy(kept, pages[i], PAGE_SIZE);
        memcpy(pages[i], pages[i + 1], PAGE_SIZE);
        memcpy(pages[i + 1], kept, PAGE_SIZE);
    }
    return HX_OK;
}

static enum hx_status desk_lend(void *self, handle_t memory, handle_t again, uint64_t *out_word) {
    uint64_t address;
    (void)self;
    enum hx_status status = hx_memory_map(memory, 0, PAGE_SIZE, HX_PROTECTION_READ, &address);
    if (status == HX_OK) {
        memcpy(out_word, (void *)(uintptr_t)address, sizeof(*out_word));
        munmap((void *)(uintptr_t)address, PAGE_SIZE);
    }
    HX_IGNORE(hx_handle_close(memory));
    HX_IGNORE(hx_handle_close(again));
    return status == HX_OK ? HX_OK : HX_ERR_IO;
}

static handle_t memory_with(uint64_t word) {
    handle_t memory = 0;
    uint64_t address = 0;
    NEED(hx_memory_create(PAGE_SIZE, &memory) == HX_OK);
    NEED(hx_memory_map(memory, 0, PAGE_SIZE, HX_PROTECTION_READ | HX_PROTECTION_WRITE, &address) ==
         HX_OK);
    memcpy((void *)(uintptr_t)address, &word, sizeof(word));
    munmap((void *)(uintptr_t)address, PAGE_SIZE);
    return memory;
}

static uint64_t __attribute__((unused)) word_in(handle_t memory) {
    uint64_t address = 0, word;
    NEED(hx_memory_map(memory, 0, PAGE_SIZE, HX_PROTECTION_READ, &address) == HX_OK);
    memcpy(&word, (void *)(uintptr_t)address, sizeof(word));
    munmap((void *)(uintptr_t)address, PAGE_SIZE);
    return word;
}

// Without the right to be mapped if the word is 0: then the port is broken.
static enum hx_status desk_borrow(void *self, uint64_t word, handle_t *out_memory,
                                  uint64_t *out_size) {
    (void)self;
    *out_memory = memory_with(word);
    *out_size = PAGE_SIZE;
    if (word == 0) {
        const handle_t weak = derive(*out_memory, HX_RIGHT_READ | HX_RIGHT_DELEGATE);
        NEED(hx_handle_close(*out_memory) == HX_OK);
        *out_memory = weak;
    }
    return HX_OK;
}

static enum hx_status desk_open(void *self, void **out_box) {
    (void)self;
    *out_box = calloc(1, sizeof(struct desk_box));
    desk_boxes++;
    return *out_box != NULL ? HX_OK : HX_ERR_NO_MEMORY;
}

static enum hx_status desk_put(void *box, uint64_t value, uint64_t *out_total) {
    struct desk_box *to = box;
    to->total += value;
    *out_total = to->total;
    return HX_OK;
}

static enum hx_status desk_close(void *box) {
    free(box);
    desk_boxes--;
    return HX_OK;
}

static enum hx_status desk_count(void *self, uint32_t *out_count) {
    (void)self;
    *out_count = desk_boxes;
    return HX_OK;
}

static enum hx_status desk_tell(void *self, uint32_t count, const void *data, uint32_t size) {
    (void)self;
    if (count == DESK_HINTS) { // also to who does not know what that is
        desk_events->hinted(desk_client, count);
    }
    for (uint64_t i = 1; i <= count && size == 0; i++) {
        desk_events->ticked(desk_client, i);
    }
    for (uint64_t i = 1; i <= count && size != 0; i++) {
        desk_events->told(desk_client, i, data, size);
    }
    return HX_OK;
}

static enum hx_status desk_hint(void *self, uint64_t value, uint64_t *out_twice) {
    (void)self;
    desk_events->hinted(desk_client, value);
    *out_twice = 2 * value;
    return HX_OK;
}

static enum hx_status desk_hand(void *self, uint64_t word) {
    const handle_t memory = memory_with(word);
    (void)self;
    desk_events->handed(desk_client, memory);
    return hx_handle_close(memory);
}

struct desk_job {
    uint64_t job, value;
};

// Another thread than the server's ends a request.
static void *desk_work(void *context) {
    struct desk_job *job = context;
    pthread_mutex_lock(&desk_lock);
    if (desk_client != NULL) {
        desk_events->done(desk_client, job->job, job->value * 2);
    }
    pthread_mutex_unlock(&desk_lock);
    free(job);
    return NULL;
}

static enum hx_status desk_start(void *self, uint64_t number, uint64_t value) {
    struct desk_job *job = malloc(sizeof(*job));
    pthread_t thread;
    (void)self;
    *job = (struct desk_job){ number, value };
    if (pthread_create(&thread, NULL, desk_work, job) != 0) {
        free(job);
        return HX_ERR_NO_MEMORY;
    }
    pthread_detach(thread);
    return HX_OK;
}

static enum hx_status desk_hold(void *self, handle_t entered, handle_t leave) {
    uint32_t state;
    (void)self;
    SAME(hx_event_update(entered, 0, DESK_STATE), HX_OK);
    HX_IGNORE(hx_wait_one(leave, DESK_STATE, TIME_NEVER, &state)); // or its owner has gone
    HX_IGNORE(hx_handle_close(entered));
    HX_IGNORE(hx_handle_close(leave));
    return HX_OK;
}

static enum hx_status desk_mark(void *self, handle_t entered, handle_t leave, void *const *pages,
                                uint32_t count, uint8_t *out_seen) {
    volatile uint8_t *byte = pages[0];
    SAME(count, 1);
    *byte = 1;
    const enum hx_status status = desk_hold(self, entered, leave);
    *out_seen = *byte;
    return status;
}

static enum hx_status desk_remove(void *self) {
    (void)self;
    return HX_OK;
}

static const struct desk_ops desk_ops = {
    .attach = desk_attach,
    .scalars = desk_scalars,
    .greet = desk_greet,
    .sort = desk_sort,
    .turn = desk_turn,
    .change = desk_change,
    .fill = desk_fill,
    .add_up = desk_add_up,
    .swap = desk_swap,
    .lend = desk_lend,
    .borrow = desk_borrow,
    .open = desk_open,
    .put = desk_put,
    .close = desk_close,
    .boxes = desk_count,
    .tell = desk_tell,
    .hand = desk_hand,
    .start = desk_start,
    .hold = desk_hold,
    .mark = desk_mark,
    .remove = desk_remove,
    .hint = desk_hint,
};

static const struct hx_service desk_service = {
    .port = &desk_wire,
    .ops = &desk_ops,
    .rights = HX_RIGHTS_ALL & ~HX_RIGHT_DELETE,
    .closed = desk_closed,
};

// A server of one client.
static void __attribute__((unused)) desk_serve(handle_t end) {
    struct hx_server *server;
    desk_gone = 0;
    NEED(hx_server_create(&server) == HX_OK);
    NEED(hx_server_add(server, end, &desk_service) == HX_OK);
    SAME(hx_server_run(server, TIME_NEVER), HX_OK);
    SAME(desk_gone, 1);
    SAME(desk_boxes, 0);
    hx_server_destroy(server);
}

// A server of whoever's end it is sent.
static void __attribute__((unused)) desk_listen(handle_t end) {
    struct hx_server *server;
    NEED(hx_server_create(&server) == HX_OK);
    NEED(hx_server_listen(server, end, &desk_service) == HX_OK);
    SAME(hx_server_run(server, TIME_NEVER), HX_OK);
    SAME(desk_boxes, 0);
    hx_server_destroy(server);
}

// ---- clients

static const struct desk_ops *const desk = &desk_wire_client;

struct desk_user {
    struct hx_client *client;
    void *self;
    pid_t server;
};

static void __attribute__((unused)) desk_begin(struct desk_user *user, uint32_t slots) {
    handle_t ends[2];
    NEED(hx_channel_create(slots, ends) == HX_OK);
    user->server = child_with(ends[1], desk_serve);
    NEED(hx_client_open(ends[0], &desk_wire, TIME_NEVER, &user->client) == HX_OK);
    user->self = hx_client_self(user->client);
}

static void __attribute__((unused)) desk_end(struct desk_user *user) {
    hx_client_close(user->client);
    SAME(check_wait(user->server), 0);
}
