// SPDX-License-Identifier: MIT OR Apache-2.0
// The driver of consoles: what arrives, in buffers of any length, also of none, is handed up whole;
// a device that lies is not used any more.
#include "../virtio_console.c"

#define FAKE_CHAINS CHAINS
#include "fake_virtio.h"

static struct console *consoles;
static char heard[64];
static uint32_t heard_count, calls;

enum hx_status hx_port_provide(struct hx_env *env, const char *port, const char *slot,
                               const void *given, void *self) {
    (void)env;
    CHECK(strcmp(port, "helix.console") == 0 && strcmp(slot, "hvc0") == 0);
    CHECK(given == &console_ops && self != NULL);
    return HX_OK;
}

static void received(void *client, const void *bytes, uint32_t count) {
    CHECK(client == heard && count != 0 && heard_count + count <= sizeof(heard));
    memcpy(heard + heard_count, bytes, count);
    heard_count += count;
    calls++;
}

static void writable(void *client) {
    (void)client;
}

static const struct console_events events = { received, writable };

static void begin(void) {
    void *self = NULL;
    fake_begin(1);
    heard_count = calls = 0;
    CHECK(consoles_init(NULL, &self) == HX_OK);
    consoles = self;
    CHECK(console_attach(consoles, &events, heard) == HX_OK);
}

static void end(void) {
    CHECK(consoles_stop(consoles) == HX_OK && consoles[0].is_dead);
    free(consoles[0].memory);
    free(consoles);
}

// In the next buffer that the device has.
static void arrive(const char *text, uint32_t wrong) {
    uint8_t *at = fake.memory + RECEIVE * QUEUE_BYTES;
    struct virtqueue_used *used = (void *)(at + virtqueue_device_offset(CHAINS));
    struct virtqueue_available *shown = (void *)(at + virtqueue_driver_offset(CHAINS));
    const uint32_t id = atomic_load(&shown->ring[atomic_load(&used->index) % CHAINS]);
    const struct virtqueue_descriptor *table = (void *)at;
    memcpy(fake.memory + (table[id].address - consoles->address), text, strlen(text));
    fake_done(at, (uint32_t)strlen(text), wrong);
}

// Buffers of no bytes are buffers: what is behind them comes now, not with the next interrupt.
static void test_empty_buffers(void) {
    begin();
    arrive("one", 0);
    arrive("", 0);
    arrive("", 0);
    arrive("two", 0);
    fake.handler(fake.context);
    CHECK(heard_count == 6 && memcmp(heard, "onetwo", 6) == 0 && calls == 2);
    end();
}

static void test_lies(void) {
    begin();
    arrive("x", CHAINS);
    fake.handler(fake.context);
    fake.handler(fake.context);
    CHECK(heard_count == 0 && fake.errors == 1 && fake.resets == 1);
    end();
}

int main(void) {
    test_empty_buffers();
    test_lies();
    return check_result();
}
