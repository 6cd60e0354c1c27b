// SPDX-License-Identifier: MIT OR Apache-2.0
// <helix/ports/char_port.h>: helix.char 1.0, a character device, and helix.console 1.0, a line to a
// terminal, as the port compiler will emit them.
//
// Context: thread. Bounded: a device that has nothing says HX_ERR_WOULD_BLOCK and later raises its
// event. Buffers are kernel memory, borrowed for the call. A module provides "helix.char" with a
// struct char_device as its operations; the slot is the device's name.
#pragma once

#include <helix/types.h>

struct char_ops {
    // *out_length 0: the end. NULL: nothing to read, ever.
    enum hx_status (*read)(void *self, uint32_t minor, uint64_t offset, void *buffer,
                           uint32_t capacity, uint32_t *out_length);
    // Takes some of the data, at least one byte. NULL: HX_ERR_INVALID.
    enum hx_status (*write)(void *self, uint32_t minor, uint64_t offset, const void *data,
                            uint32_t length, uint32_t *out_length);
};

// What the core may do for a node without asking the module, so that no byte is copied for it.
#define CHAR_NODE_ZEROES (1u << 0) // reads give zero bytes without end; may be mapped as such
#define CHAR_NODE_SINK   (1u << 1) // writes take everything

// One node below /dev that a character device provides.
struct char_node {
    const char *name;
    uint32_t major, minor;
    uint32_t mode;  // permissions
    uint32_t flags; // CHAR_NODE_…
};

struct char_device {
    const struct char_ops *ops;
    const struct char_node *nodes;
    uint32_t node_count;
};

// What a console driver (a UART) is told by the terminal above it.
struct console_events {
    // Bytes arrived. Thread context. `client` is what attach() got.
    void (*received)(void *client, const uint8_t *bytes, uint32_t count);
    // The transmitter has room again after a short write.
    void (*writable)(void *client);
};

struct console_ops {
    enum hx_status (*attach)(void *self, const struct console_events *events, void *client);
    // Takes as much as fits now; *out_taken may be less than count; then `writable` follows.
    enum hx_status (*write)(void *self, const uint8_t *bytes, uint32_t count, uint32_t *out_taken);
    // While on, the driver leaves received bytes in the device, so that the sender is held off.
    enum hx_status (*throttle)(void *self, bool on);
    // Polled output for the log and panics: any context, all of it.
    enum hx_status (*write_now)(void *self, const uint8_t *bytes, uint32_t count);
};

struct console_device {
    const char *name; // "ttyS0"
    uint32_t major, minor;
    const struct console_ops *ops;
};
