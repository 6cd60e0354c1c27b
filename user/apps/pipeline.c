// SPDX-License-Identifier: MIT OR Apache-2.0
// user/apps/pipeline.c: three processes in a row: the first makes numbers, the second changes them,
// the third adds them up. Messages go in batches; whoever is slower lets the others wait.
#include "app.h"

#define NUMBERS 40000u
#define BATCH   16u

static uint64_t changed(uint64_t value) {
    return value * 2654435761u + 17;
}

// One batch; 0: nothing more comes.
static uint32_t take(struct hx_end *from, struct hx_slot batch[BATCH]) {
    uint32_t received = 0;
    enum hx_status status = hx_end_receive(from, batch, BATCH, TIME_NEVER, &received);
    ALWAYS(status == HX_OK || status == HX_ERR_PEER_DIED);
    return status == HX_OK ? received : 0;
}

static int make(struct hx_end *to) {
    struct hx_slot batch[BATCH];
    for (uint64_t i = 0; i < NUMBERS; i += BATCH) {
        for (uint64_t k = 0; k < BATCH; k++) {
            const uint64_t value = i + k;
            batch[k] = hx_message(1, &value, sizeof(value));
        }
        NEED(hx_end_send_all(to, batch, BATCH, TIME_NEVER));
    }
    hx_end_close(to);
    return 0;
}

static int change(struct hx_end *from, struct hx_end *to) {
    struct hx_slot batch[BATCH];
    uint32_t count;
    while ((count = take(from, batch)) != 0) {
        for (uint32_t i = 0; i < count; i++) {
            uint64_t value;
            memcpy(&value, batch[i].data, sizeof(value));
            value = changed(value);
            memcpy(batch[i].data, &value, sizeof(value));
        }
        NEED(hx_end_send_all(to, batch, count, TIME_NEVER));
    }
    hx_end_close(to);
    return 0;
}

static int add(struct hx_end *from, struct hx_end *parent) {
    struct hx_slot batch[BATCH];
    uint64_t sum[2] = { 0, 0 }; // how many, and their sum
    uint32_t count;
    while ((count = take(from, batch)) != 0) {
        for (uint32_t i = 0; i < count; i++) {
            uint64_t value;
            memcpy(&value, batch[i].data, sizeof(value));
            sum[0]++;
            sum[1] += value;
        }
    }
    app_send(parent, 1, sum, sizeof(sum));
    return 0;
}

// A stage is sent the ends that it works between.
static int stage(const char *role) {
    struct hx_end parent, from, to;
    app_parent(&parent);
    if (strcmp(role, "make") != 0) {
        NEED(hx_end_open(&from, app_receive_handle(&parent)));
    }
    if (strcmp(role, "add") != 0) {
        NEED(hx_end_open(&to, app_receive_handle(&parent)));
    }
    return strcmp(role, "make") == 0     ? make(&to)
           : strcmp(role, "change") == 0 ? change(&from, &to)
                                         : add(&from, &parent);
}

int main(int argc, char **argv) {
    if (argc > 1) {
        return stage(argv[1]);
    }
    struct hx_end stages[3];
    handle_t first[2] = { 0 }, second[2] = { 0 };
    uint64_t expected = 0, sum[2] = { 0, 0 };
    const handle_t processes[] = { app_start("make", &stages[0]), app_start("change", &stages[1]),
                                   app_start("add", &stages[2]) };
    NEED(hx_channel_create(64, first));
    NEED(hx_channel_create(64, second));
    app_send_handle(&stages[0], 1, first[0]);
    app_send_handle(&stages[1], 1, first[1]);
    app_send_handle(&stages[1], 1, second[0]);
    app_send_handle(&stages[2], 1, second[1]);
    const struct hx_slot result = app_receive(&stages[2]);
    memcpy(sum, result.data, sizeof(sum));
    for (uint64_t i = 0; i < NUMBERS; i++) {
        expected += changed(i);
    }
    ALWAYS(sum[0] == NUMBERS && sum[1] == expected);
    for (uint32_t i = 0; i < 3; i++) {
        ALWAYS(app_end(processes[i]) == 0);
    }
    printf("%u numbers through three processes, sum %llu\n", NUMBERS, (unsigned long long)sum[1]);
    return 0;
}
