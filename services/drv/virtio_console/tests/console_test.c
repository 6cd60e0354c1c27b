// SPDX-License-Identifier: MIT OR Apache-2.0
// The driver of consoles: what arrives, in buffers of any length, also of none, is handed up whole;
// a device that lies is not used any more.
#include "../virtio_console.c"

#define FAKE_CHAINS CHAINS
#include "fake_virtio.h"

static struct console *consoles;
static char heard[64];
static uint32_t heard_count, calls;

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
    struct console_ops ops;
    fake_begin("virtio:3", 1);
    heard_count = calls = 0;
    CHECK(host_load() == HX_OK && HOST_BIND(console, "hvc0", &ops) == HX_OK);
    consoles = host_self();
    CHECK(host_instance("helix.console", "hvc0") == consoles && host_provided() == 1);
    CHECK(ops.attach(consoles, &events, heard) == HX_OK);
}

static void end(void) {
    CHECK(host_unload() == HX_OK && consoles[0].is_dead);
}

// In the next buffer that the device has.
static void arrive(const char *text, uint32_t wrong) {
    uint8_t *at = fake.queues[RECEIVE];
    struct virtqueue_used *used = (void *)(at + virtqueue_device_offset(CHAINS));
    struct virtqueue_available *shown = (void *)(at + virtqueue_driver_offset(CHAINS));
    const uint32_t id = atomic_load(&shown->ring[atomic_load(&used->index) % CHAINS]);
    const struct virtqueue_descriptor *table = (void *)at;
    memcpy(fake_memory(table[id].address, table[id].size_bytes), text, strlen(text));
    fake_done(at, (uint32_t)strlen(text), wrong);
}

static void interrupts(void) {
    CHECK(host_interrupt(&fake_devices[0], 0));
}

// Buffers of no bytes are buffers: what is behind them comes now, not with the next interrupt.
static void test_empty_buffers(void) {
    begin();
    arrive("one", 0);
    arrive("", 0);
    arrive("", 0);
    arrive("two", 0);
    interrupts();
    CHECK(heard_count == 6 && memcmp(heard, "onetwo", 6) == 0 && calls == 2);
    end();
}

static void test_lies(void) {
    begin();
    arrive("x", CHAINS);
    interrupts();
    interrupts();
    CHECK(heard_count == 0 && host_logged(HX_LOG_ERROR) == 1 && fake.resets == 1);
    end();
}

int main(void) {
    test_empty_buffers();
    test_lies();
    return check_result();
}
