// SPDX-License-Identifier: MIT OR Apache-2.0
// tests/hosted/torture.h: what the pieces of work share.
#pragma once

#include "check.h"

#define BUFFER       (PAD + 0x10000)
#define BUFFER_BYTES 0x8000u
#define WORDS        (PAD + 0x20000)
#define TID_AT       (WORDS + 16)
#define PATH         (PAD + 0x21000)
#define TEXT         (PAD + 0x22000)

struct chance {
    uint64_t state;
    uint64_t worker;
    bool in_peace; // nothing goes wrong on purpose
    bool counted;  // of each piece of work, an allocation fails: the n-th
};

static inline uint32_t below(struct chance *chance, uint32_t limit) {
    chance->state ^= chance->state >> 12;
    chance->state ^= chance->state << 25;
    chance->state ^= chance->state >> 27;
    return (uint32_t)((chance->state * 0x2545f4914f6cdd1du >> 32) * limit >> 32);
}

// Whether a call did what it was asked for; if not, it is for want of memory.
static inline bool done(int64_t result) {
    NEED(result >= 0 || result == -ENOMEM || result == -EAGAIN || result == -ENOSPC);
    return result >= 0;
}

// A thread of this process; false: there is no memory for it.
static inline bool thread_starts(int (*function)(uint64_t argument), uint64_t argument) {
    const uint64_t flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD |
                           CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID;
    hosted_store(TID_AT, 1, 4);
    return done(hosted_clone(function, argument,
                             (const uint64_t[5]){ flags, PAD + PAD_BYTES / 2, TID_AT, 0, TID_AT }));
}

// Whether a native call made a handle.
static inline bool made(int64_t handle) {
    if (handle <= 0) {
        SAME(handle, HX_ERR_NO_MEMORY);
    }
    return handle > 0;
}

// Pieces of work with native calls (torture_native.c).
void torture_channel(struct chance *chance);
void torture_memory(struct chance *chance);
void torture_timer(struct chance *chance);
void torture_token(struct chance *chance);
void torture_spawn(struct chance *chance);
void torture_account(struct chance *chance);
// And with the disk (torture_disk.c).
void torture_disk(struct chance *chance);
void torture_disk_victim(struct chance *chance);
