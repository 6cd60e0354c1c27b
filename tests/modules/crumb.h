// SPDX-License-Identifier: MIT OR Apache-2.0
// crumb.h: a character device that has state of every kind: constants, data, memory of its own. A
// read gives one line: how many bytes were written so far. Who includes this may define
// CRUMB_VERSION, CRUMB_FIRST (where it begins to count), CRUMB_MODE (of its node), CRUMB_WRITES
// (what a write does besides), CRUMB_SYNCED (what sync() adds to the count; there is none without),
// CRUMB_TELLS (it has written(), of helix.char 1.2), and what it says that is not so: CRUMB_NODES
// (more nodes than it has), CRUMB_NAME (its node's), CRUMB_MORE (bytes that it has read and
// written).
#pragma once

#include <helix/env.h>
#include <helix/ports/char_port.h>
#include <lib/format.h>
#include <lib/string.h>

#define CRUMB_MAJOR 240u

#ifndef CRUMB_VERSION
#define CRUMB_VERSION 1, 2, 3
#endif
#ifndef CRUMB_FIRST
#define CRUMB_FIRST 7
#endif
#ifndef CRUMB_MODE
#define CRUMB_MODE 0666
#endif
#ifndef CRUMB_WRITES
#define CRUMB_WRITES
#endif

#ifndef CRUMB_NODES
#define CRUMB_NODES 0
#endif
#ifndef CRUMB_NAME
#define CRUMB_NAME "crumb"
#endif
#ifndef CRUMB_MORE
#define CRUMB_MORE 0
#endif

struct crumb {
    struct hx_env *env;
    struct hx_mutex lock;
    uint64_t written; // [lock]
};

static uint64_t opens_with = CRUMB_FIRST; // data that is not zero
static uint64_t *last;                    // and that is

static enum hx_status crumb_describe(void *self, struct char_node *to, uint32_t capacity,
                                     uint32_t *out_count) {
    static const struct char_node node = { CRUMB_NAME, CRUMB_MAJOR, 0, CRUMB_MODE, 0 };
    (void)self;
    *out_count = MIN_OF(capacity, 1u);
    memcpy(to, &node, *out_count * sizeof(node));
    *out_count += CRUMB_NODES;
    return HX_OK;
}

static enum hx_status crumb_read(void *self, uint32_t minor, uint64_t offset, void *buffer,
                                 uint32_t capacity, uint32_t *out_length) {
    struct crumb *crumb = self;
    char line[32];
    (void)minor;
    hx_mutex_lock(&crumb->lock);
    const uint64_t count = *last;
    hx_mutex_unlock(&crumb->lock);
    const size_t length = format_string(line, sizeof(line), "%llu\n", (unsigned long long)count);
    *out_length = offset < length ? (uint32_t)MIN_OF(length - offset, capacity) : 0;
    memcpy(buffer, line + offset, *out_length);
    *out_length += CRUMB_MORE;
    return HX_OK;
}

static enum hx_status crumb_write(void *self, uint32_t minor, uint64_t offset, const void *data,
                                  uint32_t length, uint32_t *out_length) {
    struct crumb *crumb = self;
    (void)minor;
    (void)offset;
    (void)data;
    CRUMB_WRITES;
    hx_mutex_lock(&crumb->lock);
    crumb->written += length;
    hx_mutex_unlock(&crumb->lock);
    *out_length = length + CRUMB_MORE;
    return HX_OK;
}

#ifdef CRUMB_TELLS
static enum hx_status crumb_written(void *self, uint32_t minor, uint64_t *out_bytes) {
    (void)minor;
    *out_bytes = ((struct crumb *)self)->written;
    return HX_OK;
}
#endif

#ifdef CRUMB_SYNCED
static enum hx_status crumb_sync(void *self, uint32_t minor) {
    struct crumb *crumb = self;
    (void)minor;
    hx_mutex_lock(&crumb->lock);
    crumb->written += CRUMB_SYNCED;
    hx_mutex_unlock(&crumb->lock);
    return HX_OK;
}
#endif

static const struct char_ops crumb_ops = {
    .describe = crumb_describe,
    .read = crumb_read,
    .write = crumb_write,
#ifdef CRUMB_SYNCED
    .sync = crumb_sync,
#endif
#ifdef CRUMB_TELLS
    .written = crumb_written,
#endif
};

static enum hx_status crumb_init(struct hx_env *env, void **out_self) {
    struct crumb *crumb = hx_alloc(env, sizeof(*crumb));
    if (crumb == NULL) {
        return HX_ERR_NO_MEMORY;
    }
    crumb->env = env;
    hx_mutex_init(&crumb->lock, "crumb");
    crumb->written = opens_with++; // who finds this in a later life has data of an earlier one
    last = &crumb->written;
    enum hx_status status = hx_port_provide(env, "helix.char", "crumb", &crumb_ops, crumb);
    if (status != HX_OK) {
        hx_free(env, crumb);
        return status;
    }
    *out_self = crumb;
    return HX_OK;
}

static void crumb_fini(void *self) {
    struct crumb *crumb = self;
    hx_free(crumb->env, crumb);
}

static const struct hx_port_provided provides[] = {
    CHAR_PORT_PROVIDED, { "helix.crumb", { 1, 0, 0 }, UINT64_C(0x6372756d62) }, // for crumb_user
};
static const struct hx_module_ops operations = { .init = crumb_init, .fini = crumb_fini };

HX_MODULE(crumb, .name = "crumb", .version = { CRUMB_VERSION }, .phase = HX_PHASE_NORMAL,
          .provides = provides, .provides_count = ARRAY_SIZE(provides), .ops = &operations);
