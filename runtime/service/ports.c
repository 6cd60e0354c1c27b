// SPDX-License-Identifier: MIT OR Apache-2.0
// runtime/service/ports.c: the ports of modules in ring 3, for the kernel's end and for theirs.
#include <helix/ports/block_wire.h>
#include <helix/ports/char_wire.h>
#include <helix/ports/console_wire.h>
#include <helix/ports/fs_wire.h>
#include <lib/string.h>
#include <runtime/service.h>

static const struct service_port ports[] = {
    { "helix.block", &block_wire, &block_wire_client },
    { "helix.char", &char_wire, &char_wire_client },
    { "helix.fs", &fs_wire, NULL },
    { "helix.console", &console_wire, &console_wire_client },
};

const struct service_port *service_port_find(const char *name) {
    for (uint32_t i = 0; i < ARRAY_SIZE(ports); i++) {
        if (strcmp(ports[i].name, name) == 0) {
            return &ports[i];
        }
    }
    return NULL;
}

bool service_handle_has(void *context, handle_t handle, rights_t rights) {
    (void)context;
    (void)handle;
    (void)rights;
    return false;
}

void service_handle_drop(void *context, handle_t handle) {
    (void)context;
    (void)handle;
}
