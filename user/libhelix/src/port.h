// SPDX-License-Identifier: MIT OR Apache-2.0
// user/libhelix/src/port.h: what both ends of a connection of a port have in common.
//
// The slots of a channel carry three kinds of messages, each with up to 12 handles, which lie in
// the channel's queue in the order of the messages; their number is in the slot's flags.
//
//     PORT_HELLO    server, first: struct port_hello, and the memory object that is the pool
//     PORT_MESSAGE  requests, replies, events: struct wire_message
//     PORT_READ     client: struct port_read, the pages of events' bodies that it has read
//
// `call` of an event is its number: 1, 2, …; those that are missing got lost. A client has at most
// port_calls_max() requests without an answer, and a server leaves so much room in its ring when it
// sends events. So there is always room for a request and for a reply, and nobody waits for room.
#pragma once

#include <lib/wire.h>
#include <libhelix/end.h>

enum port_kind {
    PORT_HELLO = 1,
    PORT_MESSAGE = 2,
    PORT_READ = 3,
};

#define PORT_HANDLES_MASK 0x0fu // of a slot's flags

#define PORT_NO_PAGE UINT32_MAX

struct port_read {
    uint32_t pages[HX_SLOT_BYTES / sizeof(uint32_t)]; // or PORT_NO_PAGE
};

#define PORT_VERSIONS_MAX 4u

struct port_hello {
    uint64_t abi[PORT_VERSIONS_MAX]; // of the last minor versions, the newest one first; 0: no more
    uint32_t pages;                  // of the pool
    uint32_t server_pages;           // the last ones of them: bodies of events
};

static inline uint32_t port_calls_max(uint32_t slots) {
    return slots < 2 ? 1 : MIN_OF(slots / 2, 32u);
}

struct port_sent {
    bool is_sent;   // the message went
    bool must_tell; // the peer sleeps and must be told READABLE
};

// An end whose memory is guarded: its loss is told by a status. As hx_end_open(); HX_ERR_LIMIT.
HX_MUST_CHECK enum hx_status port_end_open(struct hx_end *end, handle_t handle);

// What port_end_open() did; the handle stays.
void port_end_unmap(struct hx_end *end);

// Maps memory of so many pages, guarded; `own` of them from `first` on are this side's. What
// memory_map returns; HX_ERR_LIMIT.
HX_MUST_CHECK enum hx_status port_pool_map(handle_t memory, uint32_t pages, uint32_t first,
                                           uint32_t own, struct hx_pool *out_pool);
void port_pool_unmap(struct hx_pool *pool);

// Whether the ring has room for more than `most` messages; looks anew if it seems not.
static inline bool port_has_room(struct hx_end *end, uint32_t most) {
    if (hx_ring_room(&end->out) <= most) {
        hx_ring_look_for_room(&end->out);
    }
    return hx_ring_room(&end->out) > most;
}

// Sends a message and its handles, which it takes. Any status but HX_OK: not all handles went; if
// some did, the message went with those, and the peer refuses it. HX_ERR_CORRUPT: there is no room,
// so the peer broke the rules; HX_ERR_LIMIT: too many handles are on their way; what channel_send
// returns.
HX_MUST_CHECK enum hx_status port_put(struct hx_end *end, enum port_kind kind, const void *data,
                                      size_t length, const struct wire_parcel *handles,
                                      struct port_sent *out_sent);

// The next message, which must be there, with its handles. *out_kind and the length fit together.
// HX_ERR_CORRUPT; what channel_receive returns; nothing is kept then.
HX_MUST_CHECK enum hx_status port_take(struct hx_end *end, struct wire_parcel *out_parcel,
                                       enum port_kind *out_kind);

void port_drop(const struct wire_parcel *parcel);

// The transport's functions for handles.
enum hx_status port_handle_copy(void *context, handle_t handle, rights_t rights,
                                handle_t *out_copy);
bool port_handle_has(void *context, handle_t handle, rights_t rights);
void port_handle_drop(void *context, handle_t handle);
