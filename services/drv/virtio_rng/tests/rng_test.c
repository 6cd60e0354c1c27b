// SPDX-License-Identifier: MIT OR Apache-2.0
// The driver of entropy devices, with devices that refuse, lie, interrupt when nobody expects it,
// or do not answer a reset: their memory is looked at while it is there, and each is quiet when the
// machine ends.
#include "../virtio_rng.c"

#define FAKE_CHAINS QUEUE_CHAINS
#include "fake_virtio.h"

static struct rng *rngs;

static void begin(uint32_t devices) {
    fake_begin("virtio:4", devices);
}

static void start(void) {
    CHECK(host_load() == HX_OK);
    rngs = host_self();
}

static void interrupts(void) {
    CHECK(host_interrupt(&fake_devices[0], 0));
}

static void answer(uint32_t bytes, uint32_t wrong) {
    memset(fake.queues[0] + BUFFER_AT, 0x5a, BUFFER_BYTES);
    fake_done(fake.queues[0], bytes, wrong);
    interrupts();
}

static void test_seed(bool is_message) {
    begin(1);
    fake_devices[0].message_count = is_message ? 1 : 0;
    start();
    for (uint32_t left = SEED_BYTES; left != 0; left -= BUFFER_BYTES) {
        answer(BUFFER_BYTES, 0);
    }
    CHECK(host.entropy_bytes == SEED_BYTES && fake.notifies == SEED_BYTES / BUFFER_BYTES);
    for (uint32_t i = 0; i < SEED_BYTES; i++) {
        CHECK(host.entropy[i] == 0x5a);
    }
    interrupts(); // of nothing
    CHECK(host_logged(HX_LOG_ERROR) == 0 && fake.resets == 0);
    CHECK(rng_stop(rngs) == HX_OK && fake.resets == 1);
    interrupts();
}

// Who gives nothing is not asked for ever.
static void test_nothing(void) {
    begin(1);
    start();
    answer(7, 0);
    answer(0, 0);
    CHECK(host.entropy_bytes == 7 && fake.notifies == 2);
}

// Told once, reset once, and not looked at again however often it interrupts.
static void test_lies(uint32_t bytes, uint32_t wrong) {
    begin(1);
    start();
    answer(bytes, wrong);
    CHECK(host_logged(HX_LOG_ERROR) == 1 && fake.resets == 1 && host.entropy_bytes == 0);
    for (uint32_t i = 0; i < 3; i++) {
        interrupts();
    }
    CHECK(host_logged(HX_LOG_ERROR) == 1 && fake.resets == 1 &&
          host.blocks == 2); // it may go on to write there
}

// A device that is not used, and interrupts all the same. Its memory is free, unless it may go on
// to write there.
static void test_unused(enum hx_status reset_status) {
    begin(1);
    fake.set_status = HX_ERR_NOT_SUPPORTED;
    fake.reset_status = reset_status;
    start();
    CHECK(fake.resets == 1 && host.blocks == (reset_status == HX_OK ? 1 : 2));
    CHECK((rngs[0].memory == NULL) == (reset_status == HX_OK));
    interrupts();
    CHECK(host_logged(HX_LOG_ERROR) == 0 && fake.resets == 1 && host.entropy_bytes == 0);
    CHECK(rng_stop(rngs) == HX_OK && fake.resets == (reset_status == HX_OK ? 1 : 2));
}

static void test_refusals(void) {
    begin(1);
    fake.room = QUEUE_CHAINS - 1;
    start();
    CHECK(!host_interrupt(&fake_devices[0], 0) && host.blocks == 1 && rngs[0].memory == NULL);
    begin(1);
    fake_devices[0].irq_status = HX_ERR_NO_MEMORY;
    start();
    CHECK(!host_interrupt(&fake_devices[0], 0) && host.blocks == 1 && rngs[0].memory == NULL);
    begin(1);
    host_fail_nth(1);
    CHECK(host_load() == HX_ERR_NO_MEMORY && host.failed && host.blocks == 0);
    for (uint32_t nth = 2; nth <= 4; nth++) { // opening it, its memory, its interrupt
        begin(1);
        host_fail_nth(nth);
        start();
        CHECK(host.failed && host.blocks == 1 && host_logged(HX_LOG_WARNING) == 1);
    }
}

// One that does not open, then one that works: that is quiet in the end.
static void test_stop(void) {
    begin(2);
    fake_devices[0].open_status = HX_ERR_BUSY;
    start();
    CHECK(fake_devices[1].is_open && rngs[0].memory == NULL && rngs[1].memory != NULL);
    CHECK(rng_stop(rngs) == HX_OK && fake.resets == 1 && fake.last_reset == &rngs[1].virtio);
}

int main(void) {
    test_seed(true);
    test_seed(false);
    test_nothing();
    test_lies(BUFFER_BYTES + 1, 0);
    test_lies(BUFFER_BYTES, 1);
    test_unused(HX_OK);
    test_unused(HX_ERR_IO);
    test_refusals();
    test_stop();
    return check_result();
}
