// SPDX-License-Identifier: MIT OR Apache-2.0
// uart.h: uart16550 as a package of another version, for the suite `terminal`. Who includes this
// says with UART() what is different in its life, and with UART_WRITE or UART_WRITE_NOW, what is in
// its write or in how it prints the log.
#pragma once

#include "broken.h"

#include <helix/env.h>
#include <helix/ports/console_port.h>

#if defined(UART_WRITE) || defined(UART_WRITE_NOW)
__attribute__((unused)) static struct hx_env *uart_env;

// With the port's operations changed.
static enum hx_status uart_provide(struct hx_env *env, const char *port, const char *slot,
                                   const struct console_ops *operations, void *self) {
    static struct console_ops changed;
    uart_env = env;
    changed = *operations;
#ifdef UART_WRITE
    changed.write = UART_WRITE;
#else
    changed.write_now = UART_WRITE_NOW;
#endif
    return hx_port_provide(env, port, slot, &changed, self);
}
#define hx_port_provide uart_provide
#endif

#undef HX_MODULE
#define HX_MODULE(identifier, ...)                                                                 \
    __attribute__((unused)) static const struct hx_module identifier = { __VA_ARGS__ }
#include "../../services/drv/uart16550/uart16550.c"

#define UART(minor, ...)                                                                           \
    static const struct hx_module_ops uart_operations = { .init = uart_init,                       \
                                                          .stop = uart_stop,                       \
                                                          __VA_ARGS__ };                           \
    static const struct hx_module uart_module = { .sdk_abi = HX_SDK_ABI,                           \
                                                  .name = "uart16550",                             \
                                                  .version = { 1, minor, 0 },                      \
                                                  .phase = HX_PHASE_CRITICAL,                      \
                                                  .provides = provided,                            \
                                                  .provides_count = ARRAY_SIZE(provided),          \
                                                  .devices = driven,                               \
                                                  .devices_count = ARRAY_SIZE(driven),             \
                                                  .io_ports = io_ports,                            \
                                                  .io_ports_count = ARRAY_SIZE(io_ports),          \
                                                  .capabilities = HX_CAPABILITY_IO_PORTS |         \
                                                                  HX_CAPABILITY_DEVICES |          \
                                                                  HX_CAPABILITY_IRQ,               \
                                                  .ops = &uart_operations };                       \
    __attribute__((used,                                                                           \
                   section("helix_modules"))) static const struct hx_module *const uart_pointer =  \
        &uart_module
