// SPDX-License-Identifier: MIT OR Apache-2.0
// mem.c: the devices without hardware: null, zero, full, random, urandom, through helix.char.
#include <helix/env.h>
#include <helix/ports/char_port.h>
#include <lib/string.h>

#define MEM_MAJOR     1u
#define MINOR_NULL    3u
#define MINOR_ZERO    5u
#define MINOR_FULL    7u
#define MINOR_RANDOM  8u
#define MINOR_URANDOM 9u

// The core itself serves null, zero and the reads of full, as their nodes allow.
static enum hx_status mem_read(void *self, uint32_t minor, uint64_t offset, void *buffer,
                               uint32_t capacity, uint32_t *out_length) {
    (void)offset;
    if (minor != MINOR_RANDOM && minor != MINOR_URANDOM) {
        *out_length = 0;
        return HX_OK;
    }
    enum hx_status status = hx_random_fill(self, buffer, capacity);
    if (status == HX_OK) {
        *out_length = capacity;
    }
    return status;
}

// What is written to the random devices cannot make the generator worse, and is not needed.
static enum hx_status mem_write(void *self, uint32_t minor, uint64_t offset, const void *data,
                                uint32_t length, uint32_t *out_length) {
    (void)self;
    (void)offset;
    (void)data;
    if (minor == MINOR_FULL) {
        return HX_ERR_NO_SPACE;
    }
    *out_length = length;
    return HX_OK;
}

static const struct char_node nodes[] = {
    { "null", MEM_MAJOR, MINOR_NULL, 0666, CHAR_NODE_SINK },
    { "zero", MEM_MAJOR, MINOR_ZERO, 0666, CHAR_NODE_ZEROES | CHAR_NODE_SINK },
    { "full", MEM_MAJOR, MINOR_FULL, 0666, CHAR_NODE_ZEROES },
    { "random", MEM_MAJOR, MINOR_RANDOM, 0666, 0 },
    { "urandom", MEM_MAJOR, MINOR_URANDOM, 0666, 0 },
};

_Static_assert(ARRAY_SIZE(nodes) <= CHAR_NODES_MAX, "describe() has room for all");

static enum hx_status mem_describe(void *self, struct char_node *to, uint32_t capacity,
                                   uint32_t *out_count) {
    (void)self;
    uint32_t count = MIN_OF((uint32_t)ARRAY_SIZE(nodes), capacity);
    memcpy(to, nodes, count * sizeof(nodes[0]));
    *out_count = count;
    return HX_OK;
}

static const struct char_ops mem_ops = {
    .describe = mem_describe,
    .read = mem_read,
    .write = mem_write,
};

static enum hx_status mem_init(struct hx_env *env, void **out_self) {
    enum hx_status status = hx_port_provide(env, "helix.char", "mem", &mem_ops, env);
    if (status == HX_OK) {
        *out_self = env;
    }
    return status;
}

static const struct hx_port_provided mem_provides[] = { CHAR_PORT_PROVIDED };
static const struct hx_module_ops mem_module_ops = { .init = mem_init };

HX_MODULE(mem, .name = "mem", .version = { 1, 0, 0 }, .phase = HX_PHASE_NORMAL,
          .provides = mem_provides, .provides_count = ARRAY_SIZE(mem_provides),
          .capabilities = HX_CAPABILITY_RANDOM, .ops = &mem_module_ops);
