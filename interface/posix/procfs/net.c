// SPDX-License-Identifier: MIT OR Apache-2.0
// procfs/net.c: what procfs tells of sockets (proc(5), net/unix).
#include "procfs.h"

#include <net/socket.h>

#define FLAG_ACCEPTS    0x10000u // __SO_ACCEPTCON
#define STATE_UNRELATED 1        // SS_UNCONNECTED
#define STATE_CONNECTED 3        // SS_CONNECTED

// A name as Linux shows it: each zero of one that begins so as '@', a path without its end.
static void put_name(struct proc_text *text, const struct socket_name *name) {
    const bool is_path = name->bytes[0] != '\0';
    text_put(text, " ");
    for (uint32_t i = 0; i < name->length - (is_path ? 1u : 0u); i++) {
        text_bytes(text, name->bytes[i] != '\0' ? &name->bytes[i] : "@", 1);
    }
}

static void put_socket(void *context, const struct socket_info *info) {
    struct proc_text *text = context;
    if (text_is_full(text)) {
        return; // the bucket is locked
    }
    static const int types[] = { [SOCKET_STREAM] = 1, [SOCKET_DATAGRAM] = 2, [SOCKET_PACKETS] = 5 };
    text_put(text, "%016x: %08X 00000000 %08X %04X %02X %5llu", 0u, info->references,
             info->is_listening ? FLAG_ACCEPTS : 0, types[info->kind],
             info->is_connected ? STATE_CONNECTED : STATE_UNRELATED, (unsigned long long)info->id);
    if (info->name != NULL) {
        put_name(text, info->name);
    }
    text_put(text, "\n");
}

enum hx_status proc_net_unix(const struct proc_target *target, struct proc_text *text) {
    (void)target;
    text_put(text, "Num       RefCount Protocol Flags    Type St Inode Path\n");
    socket_names_each(process_current()->ns->sockets, put_socket, text);
    return HX_OK;
}
