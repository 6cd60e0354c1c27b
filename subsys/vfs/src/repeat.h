// SPDX-License-Identifier: MIT OR Apache-2.0
// repeat.h: calls of a file system whose module dies of them, or beside them. They are made again
// once its next life is there, so that no program hears of it.
//
// A death takes back the update that was under way, but not one that was finished and whose answer
// was lost. So a call that changes names is not simply made again: whoever makes it has loaded the
// names in question under the directories' locks, which he still holds, so that the directories say
// which of the two it was. Calls that may be made twice (`idempotent` in the port, and setinfo,
// whose values are absolute, and forget) need no such look.
#pragma once

#include "inode.h"

#include <core/gate.h>

// Deaths that one call may meet: one that always kills its module ends nevertheless.
#define REPEATS_MAX 64u
#define REPEATS_NS  ((time_ns_t)10000000000) // from the first death on: some take long to die

struct repeat {
    struct gate *gate;
    uint32_t sequence; // of the gate, before the call
    uint32_t left;
    time_ns_t until; // 0: nothing has died yet
};

static inline struct repeat repeat_begin(const struct fs_port *port) {
    return (struct repeat){ port->gate, waitable_sequence(&port->gate->changed), REPEATS_MAX, 0 };
}

bool repeat_wait(struct repeat *repeat);

// Whether the call that gave `status` met a death, and the next life is there. Waits for it.
static inline bool repeat_due(struct repeat *repeat, enum hx_status status) {
    return __builtin_expect(status == HX_ERR_PEER_DIED, 0) && repeat_wait(repeat);
}

// Makes a call that may be made twice, `call`, of `port` as often as it takes. Gives its status.
#define FS_REPEATED(port, call)                                                                    \
    ({                                                                                             \
        struct repeat fs_repeat = repeat_begin(port);                                              \
        enum hx_status fs_status;                                                                  \
        do {                                                                                       \
            fs_status = (call);                                                                    \
        } while (repeat_due(&fs_repeat, fs_status));                                               \
        fs_status;                                                                                 \
    })

// The port's lookup. The directory's lock is held, at least for reading.
enum hx_status node_lookup(struct filesystem *fs, uint64_t directory, struct fs_name text,
                           struct fs_info *out_info);
// The port's getinfo.
enum hx_status node_info(struct filesystem *fs, uint64_t node, struct fs_info *out_info);
// The port's usage.
enum hx_status filesystem_usage(struct filesystem *fs, struct fs_usage *out_usage);
