// SPDX-License-Identifier: MIT OR Apache-2.0
// repeat.c: see repeat.h.
#include "repeat.h"

#include <core/ports/fs_calls.h>
#include <core/time.h>

bool repeat_wait(struct repeat *repeat) {
    const time_ns_t now = time_now();
    repeat->until = repeat->until != 0 ? repeat->until : now + REPEATS_NS;
    if (repeat->left == 0 || now >= repeat->until) {
        return false;
    }
    repeat->left--;
    return gate_await(repeat->gate, &repeat->sequence) == HX_OK;
}

enum hx_status node_lookup(struct filesystem *fs, uint64_t directory, struct fs_name text,
                           struct fs_info *out_info) {
    const struct fs_port *port = filesystem_port(fs);
    return FS_REPEATED(port, fs_call_lookup(port, fs->instance, directory, text, out_info));
}

enum hx_status node_info(struct filesystem *fs, uint64_t node, struct fs_info *out_info) {
    const struct fs_port *port = filesystem_port(fs);
    return FS_REPEATED(port, fs_call_getinfo(port, fs->instance, node, out_info));
}

enum hx_status filesystem_usage(struct filesystem *fs, struct fs_usage *out_usage) {
    const struct fs_port *port = filesystem_port(fs);
    return FS_REPEATED(port, fs_call_usage(port, fs->instance, out_usage));
}
