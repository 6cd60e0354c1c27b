// SPDX-License-Identifier: MIT OR Apache-2.0
// interface/posix/sysv_msg.h: a message queue of System V: messages by type, who waits for them or
// for room. Private to posix; sysv_msg_calls.c has the calls.
//
// Thread context throughout.
#pragma once

#include "sysv.h"

#include <core/wait.h>
#include <lib/list.h>

struct mqueue_message;

struct msg_queue {
    struct ipc_entry entry;
    struct spinlock lock;
    bool is_removed;                // [lock]
    struct list messages;           // [lock] struct msg_item.link, the oldest first
    uint64_t count, bytes;          // [lock] of messages
    uint64_t bytes_max;             // [lock] how many bytes, and how many messages, it may hold
    uint64_t cost;                  // [lock] memory that messages take
    int64_t pages;                  // [lock] that the entry's account pays for them
    int64_t sent_at, received_at;   // [lock] in seconds
    int32_t sender, receiver;       // [lock] the last ones
    struct list senders, receivers; // [lock] who wait, those who came first first
};

struct msg_item {
    struct list link; // [lock]
    int64_t type;     // greater than 0
    uint64_t length;
    uint64_t cost; // memory that it takes
    _Atomic uint32_t references;
    struct mqueue_message *body;
};

enum msg_search {
    MSG_ANY,
    MSG_OF_TYPE,
    MSG_OF_OTHER_TYPE,
    MSG_UP_TO_TYPE, // the one of the lowest type
    MSG_BY_PLACE,   // counted from 0; it stays there, and nobody waits for it
};

struct msg_wanted {
    enum msg_search search;
    int64_t type; // or place
    uint64_t room;
    bool is_cut; // one that is too long
};

// Takes the item on HX_OK. HX_ERR_WOULD_BLOCK: there is no room, and the caller does not wait;
// HX_ERR_BUSY: it waited, and must look whether it still may; HX_ERR_REVOKED: the queue was
// removed; HX_ERR_NO_MEMORY: nobody pays for more; HX_ERR_INTERRUPTED, HX_ERR_CANCELED.
enum hx_status msg_queue_send(struct msg_queue *queue, struct msg_item *item, bool waits);
// Gives a reference on the item, which is taken out. HX_ERR_NOT_FOUND: there is none such, and the
// caller does not wait; HX_ERR_TOO_BIG: there is no room for it; the others as above.
enum hx_status msg_queue_receive(struct msg_queue *queue, const struct msg_wanted *wanted,
                                 bool waits, struct msg_item **out_item);
// Who may do what, or how much it may hold, has changed: those who wait look again. The queue is
// locked.
void msg_queue_changed_locked(struct msg_queue *queue);
// Who waits is told that it is removed.
void msg_queue_end(struct msg_queue *queue);
void msg_item_put(struct msg_item *item);
