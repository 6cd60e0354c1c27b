// SPDX-License-Identifier: MIT OR Apache-2.0
// <libhelix/broadcast.h>: one sender, many receivers, each message to all of them.
//
// A receiver has a channel of its own, whose ring is its queue. A short body travels in the
// message; a longer one is written once, into a reel (<helix/reel.h>) that all receivers have
// mapped to read, and the messages say where. The sender never waits.
//
// What a receiver loses: a message that finds its queue full, or a body that is overwritten before
// it is read. It is told how many, exactly, before the next message, or as soon as there is room.
// A reliable receiver loses nothing: nothing is sent to anybody (HX_ERR_WOULD_BLOCK) while its
// queue is full or the body that would be overwritten is still unread there. So who may be reliable
// may hold up the sender; that is a right to be given.
//
// Sources are what is sent from: a name, and a reel of its own, so that who receives from one
// source reads nothing of another's. A simple broadcast has one.
//
// A receiver trusts its sender as far as the reel goes: memory can be taken back in the middle of a
// read (SIGSEGV). A sender trusts nobody; its ends come from channels that it made.
#pragma once

#include <helix/reel.h>
#include <libhelix/end.h>
#include <libhelix/name.h>

#define HX_CAST_RECEIVERS 63u
#define HX_CAST_SOURCES   128u
#define HX_CAST_INLINE    40u // bytes of a body that travel in the message
#define HX_CAST_BODY_MAX  8192u
#define HX_CAST_REEL      65536u // bytes of a source's reel
// Of the memory object in which the reel lies.
#define HX_CAST_MEMORY_BYTES ALIGN_UP(HX_REEL_HEAD_BYTES + HX_CAST_REEL, 4096u)
#define HX_CAST_SLOTS_MIN    4u // of a receiver's queue
#define HX_CAST_SLOTS_MAX    256u

// Messages, by kind; what their data is.
enum hx_cast_kind {
    HX_CAST_EVENT = 1, // hx_cast_event with the body
    HX_CAST_LARGE,     // hx_cast_event with the position
    HX_CAST_LOST,      // hx_cast_event alone
    HX_CAST_NAME,      // hx_cast_name: what a source is called; forgets an older one of that number
    HX_CAST_MEMORY,    // hx_cast_name: its reel came with the message
};

struct hx_cast_event {
    uint32_t source;
    uint32_t length;
    uint64_t lost; // of this receiver, up to here
    union {
        uint8_t body[HX_CAST_INLINE];
        uint64_t position;
    };
};
_Static_assert(sizeof(struct hx_cast_event) == HX_SLOT_BYTES, "one message");

struct hx_cast_name {
    uint32_t source;
    uint32_t zero;
    char name[HX_NAME_MAX + 1];
};
_Static_assert(sizeof(struct hx_cast_name) == HX_SLOT_BYTES, "one message");

// ---- the sender

// What lies in a slot of a reliable receiver's queue.
struct hx_cast_mark {
    uint32_t source;
    bool is_large;
    uint64_t position;
};

// A receiver, as its sender sees it. Zero at the start.
struct hx_outlet {
    struct hx_end *end;         // NULL: no receiver
    uint64_t lost, told;        // messages that it did not get, and that it knows of
    struct hx_cast_mark *marks; // one for each slot; NULL: not reliable
};

struct hx_source {
    uint32_t number; // below HX_CAST_SOURCES
    char name[HX_NAME_MAX + 1];
    uint64_t named, shown; // the receivers that know its name, and its reel
    handle_t memory;       // of the reel; 0: none yet
    struct hx_reel_writer reel;
};

struct hx_cast {
    struct hx_outlet outlets[HX_CAST_RECEIVERS];
};

// A receiver at a free place. Borrows the end, whose peer has at least HX_CAST_SLOTS_MIN slots, and
// the marks: one for each slot, or NULL.
void hx_cast_add(struct hx_cast *cast, uint32_t place, struct hx_end *end,
                 struct hx_cast_mark *marks);

// The receiver is gone. A source that it knew must be told by hx_source_forget().
void hx_cast_remove(struct hx_cast *cast, uint32_t place);

// A source without a reel. The name is valid.
void hx_source_open(struct hx_source *source, uint32_t number, const char *name);

// Its reel goes, for the sender.
void hx_source_close(struct hx_source *source);

// A receiver at that place is gone, or another one.
static inline void hx_source_forget(struct hx_source *source, uint32_t place) {
    source->named &= ~(UINT64_C(1) << place);
    source->shown &= ~(UINT64_C(1) << place);
}

// Sends to those of the receivers (a bit for each place) that there are; *out_received is how many
// got it. HX_ERR_WOULD_BLOCK: a reliable one has no room; HX_ERR_INVALID: longer than
// HX_CAST_BODY_MAX; what memory_create and memory_map return. Then nobody got it or lost it.
HX_MUST_CHECK enum hx_status hx_cast_send(struct hx_cast *cast, struct hx_source *source,
                                          uint64_t receivers, const void *body, uint32_t length,
                                          uint32_t *out_received);

// Whether a receiver lost messages that it does not know of.
static inline bool hx_cast_owes(const struct hx_outlet *outlet) {
    return outlet->end != NULL && outlet->lost != outlet->told;
}

// Tells a receiver what it lost, if there is room and something to tell.
void hx_cast_tell(struct hx_outlet *outlet);

// ---- a receiver

struct hx_inlet {
    struct hx_end end;
    uint64_t lost; // as the sender last said
    struct {
        char name[HX_NAME_MAX + 1]; // "": not known
        const struct hx_reel *reel; // NULL: none yet
    } sources[HX_CAST_SOURCES];
};

struct hx_event {
    const char *name; // of its source, until the next call; NULL: there is only a loss to tell
    uint32_t source;
    uint32_t length; // of the body
    uint64_t lost;   // messages between the one before and this one
};

// Takes the handle on OK. What hx_end_open() returns.
HX_MUST_CHECK enum hx_status hx_inlet_open(struct hx_inlet *inlet, handle_t handle);
void hx_inlet_close(struct hx_inlet *inlet);

// Waits for a message and copies its body, at most `capacity` bytes of it. Statuses as of
// hx_end_receive(); HX_ERR_NO_MEMORY, HX_ERR_LIMIT, HX_ERR_TABLE_FULL: nothing was taken.
HX_MUST_CHECK enum hx_status hx_inlet_next(struct hx_inlet *inlet, void *body, uint32_t capacity,
                                           time_ns_t deadline, struct hx_event *out_event);
