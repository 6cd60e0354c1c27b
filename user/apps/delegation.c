// SPDX-License-Identifier: MIT OR Apache-2.0
// user/apps/delegation.c: a worker is lent memory and a channel, and loses both in the middle of
// its work. What it was lent was derived first, so its owner keeps everything and goes on.
#include "app.h"

#include <signal.h>
#include <sys/wait.h>

#define PAGE 4096u
#define RW   (HX_PROTECTION_READ | HX_PROTECTION_WRITE)

// Counts in lent memory until that is taken away: then the store does not happen, and the
// processor stops the worker there.
static void count_up(struct hx_end *parent) {
    uint64_t address = 0;
    const handle_t memory = app_receive_handle(parent);
    NEED(hx_memory_map(memory, 0, PAGE, RW, &address));
    volatile uint64_t *page = (volatile uint64_t *)(uintptr_t)address;
    while (true) {
        page[0]++;
    }
}

// Waits at a lent channel until that is taken away, which a status says.
static int listen(struct hx_end *parent) {
    struct hx_handle_info info;
    uint32_t state = 0;
    const handle_t end = app_receive_handle(parent);
    app_send(parent, 1, "", 0); // ready
    enum hx_status status = hx_wait_one(end, HX_STATE_READABLE, TIME_NEVER, &state);
    ALWAYS(status == HX_ERR_REVOKED);
    ALWAYS(hx_channel_notify(end, HX_STATE_READABLE) == HX_ERR_REVOKED);
    NEED(hx_handle_info(end, &info));
    ALWAYS(info.live == 0 && info.rights == 0);
    app_send(parent, 2, "", 0); // its own channel is none of that
    return 0;
}

static void lend_memory(void) {
    struct hx_end worker;
    handle_t memory = 0, lent = 0, theirs = 0;
    uint64_t address = 0;
    const handle_t process = app_start("count", &worker);
    NEED(hx_memory_create(PAGE, &memory));
    NEED(hx_memory_map(memory, 0, PAGE, RW, &address));
    NEED(hx_handle_derive(memory, HX_RIGHTS_ALL, &lent)); // kept: this is what is taken back
    NEED(hx_handle_derive(lent, HX_RIGHTS_ALL, &theirs));
    app_send_handle(&worker, 1, theirs);
    volatile uint64_t *page = (volatile uint64_t *)(uintptr_t)address;
    while (page[0] < 1000) { // it works
    }
    NEED(hx_handle_revoke(lent));
    const uint64_t last = page[0];
    const int32_t status = app_end(process);
    ALWAYS(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
    ALWAYS(page[0] == last); // not one store more
    page[0] = 0;             // ours is as before
    printf("the worker counted to %llu\n", (unsigned long long)last);
}

static void lend_channel(void) {
    struct hx_end worker;
    handle_t ends[2] = { 0 }, lent = 0, theirs = 0;
    uint32_t state = 0;
    const handle_t process = app_start("listen", &worker);
    NEED(hx_channel_create(4, ends));
    NEED(hx_handle_derive(ends[1], HX_RIGHTS_ALL, &lent));
    NEED(hx_handle_derive(lent, HX_RIGHTS_ALL, &theirs));
    app_send_handle(&worker, 1, theirs);
    ALWAYS(app_receive(&worker).kind == 1);
    NEED(hx_handle_revoke(lent));
    ALWAYS(app_receive(&worker).kind == 2);
    ALWAYS(app_end(process) == 0);
    NEED(hx_channel_notify(ends[1], HX_STATE_READABLE)); // the root goes on
    NEED(hx_wait_one(ends[0], HX_STATE_READABLE, 0, &state));
    printf("the worker was told\n");
}

int main(int argc, char **argv) {
    if (argc > 1) {
        struct hx_end parent;
        app_parent(&parent);
        if (strcmp(argv[1], "count") == 0) {
            count_up(&parent);
        }
        return listen(&parent);
    }
    lend_memory();
    lend_channel();
    return 0;
}
