// SPDX-License-Identifier: MIT OR Apache-2.0
// interface/posix/sysv_sem.h: a set of semaphores, who waits at it, and what is undone when who
// changed it ends. Private to posix; sysv_sem_calls.c has the calls.
//
// Locks: a list of undos' one, and inside of it a set's. Thread context throughout.
#pragma once

#include "sysv.h"

#include <core/wait.h>
#include <lib/list.h>

#define SEM_VALUE_MAX 32767
#define SEM_UNDO      0x1000u // in a step's flags, beside IPC_NOWAIT

struct sem {
    int32_t value;
    int32_t pid; // who changed it, or waited for its 0, last
};

struct sem_set {
    struct ipc_entry entry;
    struct spinlock lock;
    _Atomic bool is_removed;       // [lock for writing]
    int64_t operated_at;           // [lock] in seconds
    struct list readers, changers; // [lock] struct sem_operation.link, who came first first; the
                                   // readers wait for zeroes alone
    struct list undos;             // [lock] struct sem_undo.of_set
    uint32_t count;
    struct sem sems[]; // [lock]
};

struct sem_step { // struct sembuf
    uint16_t number;
    int16_t change;
    uint16_t flags;
};

// All steps, or none. It lies with the thread that wants it.
struct sem_operation {
    struct list link; // [set lock] not linked: nobody looks at it any more
    const struct sem_step *steps;
    uint32_t count;
    uint32_t blocking; // [set lock] the step that it waits for
    bool changes;      // anything
    int32_t pid;
    struct sem_undo *undo; // borrows; NULL: no step asks for it
    enum hx_status status; // [set lock] when it was served
    struct waitable served;
};

// What the exit of those who share the list adds to the semaphores of one set.
struct sem_undo {
    struct list of_list;     // [list's lock]
    struct list of_set;      // [set lock]
    struct sem_set *set;     // keeps
    struct account *account; // keeps
    int64_t pages;           // that it pays for this
    int16_t changes[];       // [set lock]
};

// Carries it out, or waits for that until the deadline. HX_ERR_RANGE; HX_ERR_WOULD_BLOCK: it would
// have to wait, or has; HX_ERR_REVOKED: the set was removed; HX_ERR_INTERRUPTED, HX_ERR_CANCELED.
enum hx_status sem_operate(struct sem_set *set, struct sem_operation *operation,
                           time_ns_t deadline);
// Serves those who can go on, as something has changed. The set is locked.
void sem_serve_locked(struct sem_set *set, int64_t now);
// Who waits is told that it is removed.
void sem_set_end(struct sem_set *set);

// sysv_sem_undo.c

struct posix_thread;
// The calling thread's changes of a set. HX_ERR_NO_MEMORY; HX_ERR_REVOKED: the set was removed.
enum hx_status sem_undo_find(struct posix_thread *thread, struct sem_set *set,
                             struct sem_undo **out_undo);
