// SPDX-License-Identifier: MIT OR Apache-2.0
// user/apps/pingpong.c: two processes throw a number to and fro over a channel.
#include "app.h"

#define ROUNDS 2000u

static int peer(void) {
    struct hx_end end;
    struct hx_slot message;
    uint32_t n = 0;
    app_parent(&end);
    while (hx_end_receive(&end, &message, 1, TIME_NEVER, &n) == HX_OK) {
        uint64_t value;
        memcpy(&value, message.data, sizeof(value));
        value++;
        app_send(&end, 1, &value, sizeof(value));
    }
    return 0; // the other one has closed
}

int main(int argc, char **argv) {
    (void)argv;
    if (argc > 1) {
        return peer();
    }
    struct hx_end end;
    const handle_t process = app_start("peer", &end);
    const time_ns_t start = hx_now();
    for (uint64_t i = 0; i < ROUNDS; i++) {
        uint64_t value = 0;
        app_send(&end, 1, &i, sizeof(i));
        const struct hx_slot answer = app_receive(&end);
        memcpy(&value, answer.data, sizeof(value));
        ALWAYS(value == i + 1);
    }
    printf("%u rounds, %lld ns each, slept %llu times\n", ROUNDS,
           (long long)(hx_now() - start) / ROUNDS, (unsigned long long)end.sleeps);
    hx_end_close(&end);
    ALWAYS(app_end(process) == 0);
    return 0;
}
