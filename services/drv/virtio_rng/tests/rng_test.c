// SPDX-License-Identifier: MIT OR Apache-2.0
// The driver of entropy devices, with devices that refuse, lie, interrupt when nobody expects it,
// or do not answer a reset: their memory is looked at while it is there, and each is quiet when the
// machine ends.
#include "../virtio_rng.c"

#define FAKE_CHAINS QUEUE_CHAINS
#include "fake_virtio.h"

static uint32_t entropy; // bytes

enum hx_status hx_entropy_add(struct hx_env *env, const void *bytes, size_t size_bytes) {
    (void)env;
    for (size_t i = 0; i < size_bytes; i++) {
        CHECK(((const uint8_t *)bytes)[i] == 0x5a);
    }
    entropy += (uint32_t)size_bytes;
    return HX_OK;
}

static struct rng *rngs;

static void begin(uint32_t devices) {
    fake_begin(devices);
    entropy = 0;
}

static void start(void) {
    void *self = NULL;
    CHECK(rng_init(NULL, &self) == HX_OK);
    rngs = self;
}

static void end(void) {
    for (uint32_t i = 0; i < DEVICES_MAX; i++) {
        free(rngs[i].memory);
    }
    free(rngs);
}

static void interrupts(void) {
    fake.handler(fake.context);
}

static void answer(uint32_t bytes, uint32_t wrong) {
    memset(fake.memory + BUFFER_AT, 0x5a, BUFFER_BYTES);
    fake_done(fake.memory, bytes, wrong);
    interrupts();
}

static void test_seed(bool is_message) {
    begin(1);
    fake.is_message = is_message;
    start();
    for (uint32_t left = SEED_BYTES; left != 0; left -= BUFFER_BYTES) {
        answer(BUFFER_BYTES, 0);
    }
    CHECK(entropy == SEED_BYTES && fake.notifies == SEED_BYTES / BUFFER_BYTES);
    interrupts(); // of nothing
    CHECK(fake.errors == 0 && fake.resets == 0 && rng_stop(rngs) == HX_OK && fake.resets == 1);
    interrupts();
    end();
}

// Who gives nothing is not asked for ever.
static void test_nothing(void) {
    begin(1);
    start();
    answer(7, 0);
    answer(0, 0);
    CHECK(entropy == 7 && fake.notifies == 2);
    end();
}

// Told once, reset once, and not looked at again however often it interrupts.
static void test_lies(uint32_t bytes, uint32_t wrong) {
    begin(1);
    start();
    answer(bytes, wrong);
    CHECK(fake.errors == 1 && fake.resets == 1 && entropy == 0);
    for (uint32_t i = 0; i < 3; i++) {
        interrupts();
    }
    CHECK(fake.errors == 1 && fake.resets == 1 && fake.freed == 0);
    end();
}

// A device that is not used, and interrupts all the same. Its memory is free, unless it may go on
// to write there.
static void test_unused(enum hx_status reset_status) {
    begin(1);
    fake.set_status = HX_ERR_NOT_SUPPORTED;
    fake.reset_status = reset_status;
    start();
    CHECK(fake.resets == 1 && fake.freed == (reset_status == HX_OK));
    CHECK((rngs[0].memory == NULL) == (reset_status == HX_OK));
    interrupts();
    CHECK(fake.errors == 0 && fake.resets == 1 && entropy == 0);
    CHECK(rng_stop(rngs) == HX_OK && fake.resets == (reset_status == HX_OK ? 1 : 2));
    end();
}

static void test_refusals(void) {
    begin(1);
    fake.room = QUEUE_CHAINS - 1;
    start();
    CHECK(fake.handler == NULL && fake.freed == 1 && rngs[0].memory == NULL);
    end();
    begin(1);
    fake.irq_status = HX_ERR_NO_MEMORY;
    start();
    CHECK(fake.handler == NULL && fake.freed == 1 && rngs[0].memory == NULL);
    end();
    begin(1);
    fake.out_of_memory = true;
    void *self = NULL;
    CHECK(rng_init(NULL, &self) == HX_ERR_NO_MEMORY && self == NULL);
}

// One that does not open, then one that works: that is quiet in the end.
static void test_stop(void) {
    begin(2);
    fake.refused = 1;
    start();
    CHECK(fake.opened == 3 && rngs[0].memory == NULL && rngs[1].memory != NULL);
    CHECK(rng_stop(rngs) == HX_OK && fake.resets == 1 && fake.last_reset == &rngs[1].virtio);
    end();
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
