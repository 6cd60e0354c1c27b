// SPDX-License-Identifier: MIT OR Apache-2.0
// crust_line.c: a terminal that takes nothing, but for what begins with 'T', of which it takes more
// than there is; and a device whose death is its own.
#include <helix/env.h>
#include <helix/ports/console_port.h>

#define CRUST_NAME  "crust_line"
#define CRUST_MAJOR 247u

static void die(const void *data, uint32_t length);
static enum hx_status line_provide(struct hx_env *env);
#define CRUST_PORTS CHAR_PORT_PROVIDED, CONSOLE_PORT_PROVIDED
#define CRUST_MORE  line_provide
#include "crust.h"

static void die(const void *data, uint32_t length) {
    (void)length;
    uint8_t *volatile nowhere = NULL;
    *nowhere = *(const uint8_t *)data; // NOLINT(clang-analyzer-core.NullDereference): so
}

static enum hx_status line_attach(void *self, const struct console_events *events, void *client) {
    (void)self;
    (void)events;
    (void)client;
    return HX_OK;
}

static enum hx_status line_describe(void *self, uint32_t *out_major, uint32_t *out_minor) {
    (void)self;
    *out_major = 229; // of hypervisors
    *out_minor = 7;
    return HX_OK;
}

static enum hx_status line_write(void *self, const void *bytes, uint32_t count,
                                 uint32_t *out_taken) {
    (void)self;
    *out_taken = *(const char *)bytes == 'T' ? count + 1 : 0;
    return HX_OK;
}

static enum hx_status line_write_now(void *self, const void *bytes, uint32_t count) {
    (void)self;
    (void)bytes;
    (void)count;
    return HX_OK;
}

static const struct console_ops line_ops = {
    .attach = line_attach,
    .describe = line_describe,
    .write = line_write,
    .write_now = line_write_now,
};

static enum hx_status line_provide(struct hx_env *env) {
    return hx_port_provide(env, "helix.console", "crust_line0", &line_ops, env);
}
