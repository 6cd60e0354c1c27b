// SPDX-License-Identifier: MIT OR Apache-2.0
// runtime/service/ports.c: the ports of modules in ring 3, for the kernel's end and for theirs.
#include <helix/ports/char_wire.h>
#include <runtime/service.h>

const struct service_port service_ports[] = {
    { "helix.char", &char_wire, &char_wire_client },
    { NULL, NULL, NULL },
};
