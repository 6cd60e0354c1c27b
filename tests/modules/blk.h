// SPDX-License-Identifier: MIT OR Apache-2.0
// blk.h: virtio-blk as a package of another version, for tests/devices/swap.c. Who includes this
// says with BLK() what is different in its life, and with BLK_FLUSH, what is in its flush.
#pragma once

#include <helix/env.h>
#include <helix/ports/block_port.h>

#ifdef BLK_FLUSH
// With the port's operations changed.
static enum hx_status blk_provide(struct hx_env *env, const char *port, const char *slot,
                                  const struct block_ops *operations, void *self) {
    static struct block_ops changed;
    changed = *operations;
    changed.flush = BLK_FLUSH;
    return hx_port_provide(env, port, slot, &changed, self);
}
#define hx_port_provide blk_provide
#endif

#undef HX_MODULE
#define HX_MODULE(identifier, ...)                                                                 \
    __attribute__((unused)) static const struct hx_module identifier = { __VA_ARGS__ }
#include "../../services/drv/virtio_blk/virtio_blk.c"

#define BLK(minor, init_, ...)                                                                     \
    static const struct hx_module_ops blk_operations = { .init = init_, __VA_ARGS__ };             \
    static const struct hx_module blk_module = { .sdk_abi = HX_SDK_ABI,                            \
                                                 .name = "virtio_blk",                             \
                                                 .version = { 1, minor, 0 },                       \
                                                 .phase = HX_PHASE_NORMAL,                         \
                                                 .provides = provided,                             \
                                                 .provides_count = ARRAY_SIZE(provided),           \
                                                 .capabilities =                                   \
                                                     HX_CAPABILITY_DEVICES | HX_CAPABILITY_IRQ,    \
                                                 .devices = driven,                                \
                                                 .devices_count = ARRAY_SIZE(driven),              \
                                                 .ops = &blk_operations };                         \
    __attribute__((used,                                                                           \
                   section("helix_modules"))) static const struct hx_module *const blk_pointer =   \
        &blk_module
