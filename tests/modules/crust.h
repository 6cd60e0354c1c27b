// SPDX-License-Identifier: MIT OR Apache-2.0
// "crust.h": a character device /dev/NAME that dies when it is written to. Who includes it defines
// CRUST_NAME, CRUST_MAJOR and, before that, the function die(); who provides more ports, also
// CRUST_PORTS and the function CRUST_MORE.
#pragma once

#include <helix/env.h>
#include <helix/ports/char_port.h>
#include <lib/string.h>

#ifndef CRUST_MORE
#define CRUST_PORTS     CHAR_PORT_PROVIDED
#define CRUST_MORE(env) HX_OK
#endif

static enum hx_status crust_describe(void *self, struct char_node *to, uint32_t capacity,
                                     uint32_t *out_count) {
    static const struct char_node node = { CRUST_NAME, CRUST_MAJOR, 0, 0666, 0 };
    (void)self;
    *out_count = MIN_OF(capacity, 1u);
    memcpy(to, &node, *out_count * sizeof(node));
    return HX_OK;
}

static enum hx_status crust_write(void *self, uint32_t minor, uint64_t offset, const void *data,
                                  uint32_t length, uint32_t *out_length) {
    (void)self;
    (void)minor;
    (void)offset;
    die(data, length);
    *out_length = length;
    return HX_OK;
}

static const struct char_ops crust_ops = { .describe = crust_describe, .write = crust_write };

static enum hx_status crust_init(struct hx_env *env, void **out_self) {
    *out_self = hx_alloc(env, 64); // a call of the SDK
    if (*out_self == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    enum hx_status status = hx_port_provide(env, "helix.char", CRUST_NAME, &crust_ops, *out_self);
    return status == HX_OK ? CRUST_MORE(env) : status;
}

static const struct hx_port_provided provides[] = { CRUST_PORTS };
static const struct hx_module_ops operations = { .init = crust_init };

HX_MODULE(crust, .name = CRUST_NAME, .version = { 1, 0, 0 }, .phase = HX_PHASE_NORMAL,
          .provides = provides, .provides_count = ARRAY_SIZE(provides), .ops = &operations);
