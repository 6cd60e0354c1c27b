// SPDX-License-Identifier: MIT OR Apache-2.0
// interface/posix/mqueue.h: a POSIX message queue: messages by priority, who waits for them or for
// room, and whom a message is told to. Private to posix; names and calls are in mqueue_calls.c.
//
// A queue hangs on the inode of its name, and ends with it. Thread context throughout.
#pragma once

#include <lib/list.h>
#include <lib/rbtree.h>
#include <memory/tally.h>
#include <posix/process.h>

#define MQUEUE_PRIORITIES 32768u

#define SIGEV_SIGNAL 0

struct mqueue_size { // how much a queue may hold
    uint64_t messages, message_bytes;
};

// Once, the process is told that a message came where there was none.
struct mqueue_notice {
    int32_t kind, number; // SIGEV_…; of SIGEV_SIGNAL
    uint64_t value;
    int32_t pid;       // of the process; 0: nobody is told
    uint64_t process;  // its process->id
    uint32_t programs; // that it had executed: what it executes later is not told
};

struct mqueue {
    struct spinlock lock;
    struct mqueue_size size;
    struct rbtree messages;      // [lock] the next one first
    uint32_t count;              // [lock] of messages
    uint64_t bytes;              // [lock] in them
    struct list receivers;       // [lock] who wait, the next one first; only while it is empty
    struct list senders;         // [lock] the same; only while it is full
    struct mqueue_notice notice; // [lock]
    struct waitable waitable;    // levels change under the lock
    struct posix_user *user;     // keeps; whose RLIMIT_MSGQUEUE counts it
    struct account *account;     // keeps; pays for all that it may hold
    struct tally_mark tally;
};

struct mqueue_message {
    struct rbnode node;
    uint32_t priority;
    uint64_t length;
    struct mqueue_part *rest; // what does not fit into the first page, or NULL
    uint8_t bytes[];
};

// An empty queue that the calling process makes and pays for. HX_ERR_TABLE_FULL: its user may not
// have as much in queues; HX_ERR_NO_MEMORY.
enum hx_status mqueue_create(struct mqueue_size size, struct mqueue **out_queue);
// With the messages in it. Nobody uses it any more.
void mqueue_destroy(struct mqueue *queue);

// Adds the memory that the queue's account pays for, once.
void mqueue_tally(struct mqueue *queue, struct tally *tally);

// How much memory a message of so many bytes takes at most; a longer one takes no less.
uint64_t mqueue_message_cost(uint64_t length);
// A program's message. HX_ERR_NO_MEMORY, HX_ERR_BAD_ADDRESS.
enum hx_status mqueue_message_create(struct uaddr from, uint64_t length, uint32_t priority,
                                     struct mqueue_message **out_message);
// Copies its first `length` bytes, at most all, to a program. HX_ERR_BAD_ADDRESS.
enum hx_status mqueue_message_copy(const struct mqueue_message *message, uint64_t length,
                                   struct uaddr to);
void mqueue_message_free(struct mqueue_message *message);

// Takes the message on HX_OK, and tells who asked to be told. While the queue is full it waits, if
// the caller does, until the deadline.
// HX_ERR_WOULD_BLOCK, HX_ERR_TIMED_OUT, HX_ERR_INTERRUPTED, HX_ERR_CANCELED; HX_ERR_REVOKED: the
// right to use it was taken back meanwhile.
enum hx_status mqueue_send(struct mqueue *queue, struct mqueue_message *message, bool waits,
                           time_ns_t deadline);
// Gives the message that is next. The same for an empty queue.
enum hx_status mqueue_receive(struct mqueue *queue, bool waits, time_ns_t deadline,
                              struct mqueue_message **out_message);

// The current process asks to be told. HX_ERR_BUSY: another one, which is there, or it, has asked.
enum hx_status mqueue_notice_set(struct mqueue *queue, int32_t kind, int32_t number,
                                 uint64_t value);
// The current process does not want to be told any more; harmless if it does not anyway.
void mqueue_notice_end(struct mqueue *queue);
