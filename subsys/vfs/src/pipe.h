// SPDX-License-Identifier: MIT OR Apache-2.0
// pipe.h: a pipe, for the files that it is made of.
#pragma once

#include "file_kinds.h"
#include "pipe_ring.h"

#include <core/wait.h>
#include <memory/tally.h>
#include <vfs/pipe.h>

struct pipe {
    struct mutex lock;
    struct pipe_ring ring; // [lock]
    bool is_lent;          // [lock] a splice has the first pages: to all others it is empty
    bool is_fifo;
    bool has_both;           // [lock] a file may be both ends
    uint32_t readers;        // [lock]
    uint32_t writers;        // [lock]
    uint64_t reader_opens;   // [lock] ever; a fifo's open waits for the other side's to change
    uint64_t writer_opens;   // [lock]
    _Atomic uint32_t files;  // that are open on it: dropped after `lock` is done with
    struct account *account; // keeps; who made it, charged for its frames
    struct waitable readable;
    struct waitable writable;
    struct waitable opened; // of a fifo: changes with each open
    struct tally_mark tally;
};

// After bytes went in or out, or an end came or went: sets the levels and unlocks.
void pipe_unlock_and_tell(struct pipe *pipe, bool is_news_in, bool is_news_out)
    RELEASES(pipe -> lock);
// The end that a thread waits at; status as of wait_result().
enum hx_status pipe_wait_for_bytes(struct pipe *pipe);
enum hx_status pipe_wait_for_room(struct pipe *pipe);
