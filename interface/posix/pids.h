// SPDX-License-Identifier: MIT OR Apache-2.0
// interface/posix/pids.h: the pid space: which number names which thread, process, group, session.
//
// One number may name several of these at once (a session leader's names all four); it is free
// again when it names none. `lock` is a spin lock below `tree_lock` and above the signal locks, so
// that a pointer found in an entry can be used, or given a reference, before the lock is dropped.
#pragma once

#include <lib/radix.h>
#include <posix/process.h>

#define PID_MAX      32768
#define PID_RESERVED 300 // numbers below are given out once only, as on Linux

struct pid_entry {
    struct posix_thread *thread;   // [lock] by its tid
    struct posix_process *process; // [lock] by its pid; zombies included
    struct posix_group *group;     // [lock]
    struct posix_session *session; // [lock]
    bool is_reserved;              // [lock] given out, not yet used
};

struct pid_space {
    struct mutex tree_lock; // parents, children, groups, sessions
    struct spinlock lock;
    struct radix entries;       // [lock] struct pid_entry by number
    int32_t last;               // [lock] given out
    struct posix_process *init; // [tree_lock] process 1, set once
    _Atomic uint32_t threads;   // that have not exited, for sysinfo and the limit below
    uint32_t threads_max;       // of the whole machine, by its memory
};

// What stands for one process and never for another one, also when it is gone: all that a
// descriptor for a process keeps, so that who holds one pins nothing of somebody else's.
struct identity {
    struct object object;
    struct spinlock lock;
    struct posix_process *process; // [lock] NULL once it was waited for
    struct waitable ended;         // WAIT_READABLE from a zombie on
};
// One reference. NULL: no memory.
struct identity *identity_create(struct posix_process *process);
// It was waited for. Before the pid space gives its reference away.
void identity_end(struct identity *identity);
static inline struct identity *identity_get(struct identity *identity) {
    object_get(&identity->object);
    return identity;
}
static inline void identity_put(struct identity *identity) {
    object_put(&identity->object);
}
// The process, with a reference; NULL: it was waited for. Any context.
struct posix_process *identity_process(struct identity *identity);

extern struct pid_space pid_space_initial;

void pids_init(struct pid_space *space);
// The caller's; the initial one for kernel threads.
struct pid_space *pids(void);

// A free number, reserved until the first pid_set_…(). HX_ERR_NO_MEMORY; HX_ERR_LIMIT if all are
// used.
enum hx_status pid_allocate(struct pid_space *space, int32_t *out_number);
// Undoes it, if nothing was set.
void pid_cancel(struct pid_space *space, int32_t number);

// What the number names from now on; NULL: it names none of that kind any more.
void pid_set_thread(struct pid_space *space, int32_t number, struct posix_thread *thread);
void pid_set_process(struct pid_space *space, int32_t number, struct posix_process *process);
void pid_set_group(struct pid_space *space, int32_t number, struct posix_group *group);
void pid_set_session(struct pid_space *space, int32_t number, struct posix_session *session);

// What it names; NULL: nothing. Needs the lock (thread, process) or tree_lock (group, session).
struct posix_thread *pid_thread_locked(struct pid_space *space, int32_t number);
struct posix_process *pid_process_locked(struct pid_space *space, int32_t number);
struct posix_group *pid_group(struct pid_space *space, int32_t number);
struct posix_session *pid_session(struct pid_space *space, int32_t number);
// Whether it names, or will name, anything. Any context.
bool pid_is_used(struct pid_space *space, int32_t number);
