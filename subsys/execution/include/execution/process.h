// SPDX-License-Identifier: MIT OR Apache-2.0
// <execution/process.h>: processes (execution domains) and their user threads.
//
// A process is an address space, an account and name spaces; a personality hangs its own data on
// it. What POSIX alone defines (pids, parents, signals, descriptors) is interface/posix's.
#pragma once

#include <core/thread.h>
#include <memory/aspace.h>

#define UTS_BYTES 65u

struct capability;
struct handle_table;
struct mount_space;  // subsys/vfs's
struct pid_space;    // interface/posix's
struct socket_names; // subsys/net's

// As uname(2) gives them.
struct uts_values {
    char system[UTS_BYTES], node[UTS_BYTES], release[UTS_BYTES], version[UTS_BYTES];
    char machine[UTS_BYTES], domain[UTS_BYTES];
};

struct uts_names {
    struct spinlock lock;
    alignas(8) struct uts_values values; // [lock] copied by words
};

// Every name that a program can say is looked up through this, never through a global.
struct name_spaces {
    struct object object;
    struct mount_space *mounts;
    struct uts_names *uts;
    struct pid_space *pids; // interface/posix's
    struct socket_names *sockets;
};

struct process {
    struct object object;
    uint64_t id; // kernel-wide, never reused
    struct mutex lock;
    struct aspace *aspace;   // [lock] keeps; replaced by exec, NULL once the process is dead
    struct account *account; // keeps
    struct name_spaces *ns;  // keeps
    _Atomic(struct handle_table *)
        handles; // keeps; NULL: it has never had one (<execution/handles.h>)
    _Atomic(struct capability *) bequest; // keeps; what the next child is given; NULL: nothing
    _Atomic(struct capability *) given;   // keeps; until it has a handle
    struct list threads;                  // [thread_lock] struct user_thread.process_link
    struct spinlock thread_lock;          // taken with interrupts off
    _Atomic uint32_t thread_count;        // [thread_lock] that have not exited; others may look
    struct waitable threads_changed;      // pulsed when a thread has left
    void *personality;                    // the personality's own
    void (*personality_destroy)(struct process *process); // on the last reference
    bool (*personality_administers)(struct process *process);
};

struct user_thread {
    struct thread thread;    // first; thread->personality is the personality's
    struct process *process; // keeps
    struct list process_link;
    struct hal_frame *entry; // the frame that the first entry to user mode uses
    void *stack;             // these two outlive the thread, in the pool
    void *fpu;
    void (*personality_destroy)(struct user_thread *thread); // on the last reference; may be NULL
};

// References are the thread's object's; whoever is not the thread itself holds one while it looks.
static inline void user_thread_put(struct user_thread *thread) {
    object_put(&thread->thread.object);
}

// Prepares the caches; once, before the first process. HX_ERR_NO_MEMORY.
enum hx_status execution_init(void);

// Name spaces of which the caller holds the parts for good; NULL if there is no memory. One
// reference.
struct name_spaces *name_spaces_create(struct mount_space *mounts, struct uts_names *uts,
                                       struct pid_space *pids, struct socket_names *sockets);

// An empty process, for good in that account. One reference. Borrows what it gets references of.
// HX_ERR_NO_MEMORY, HX_ERR_LIMIT (the account's processes).
enum hx_status process_create(struct aspace *aspace, struct account *account,
                              struct name_spaces *ns, struct process **out_process);
// Where its children are, if nobody says otherwise: in its own account; those of process 1 in
// account_programs. Borrowed.
struct account *process_child_account(const struct process *process);
// Whether its personality lets it dispose of what is everybody's. Thread context.
static inline bool process_administers(struct process *process) {
    return process->personality_administers != NULL && process->personality_administers(process);
}
// How long threads of the account's processes, and of those below it, have run. One that is just
// ending may be missing for a moment.
uint64_t account_run_ns(const struct account *account);
// How many of its threads have not exited. Acquire: what those that have did is seen. Any context.
static inline uint32_t process_thread_count(const struct process *process) {
    return atomic_load_explicit(&process->thread_count, memory_order_acquire);
}

static inline struct process *process_get(struct process *process) {
    object_get(&process->object);
    return process;
}
static inline void process_put(struct process *process) {
    object_put(&process->object);
}
// Puts another address space (may be NULL) into the process and gives the old one, whose reference
// is then the caller's. Takes the new reference. Switches no thread. Thread context.
struct aspace *process_replace_aspace(struct process *process, struct aspace *aspace);
// The address space with a reference, or NULL if the process is dead. Thread context.
struct aspace *process_aspace(struct process *process);

// A user thread that will start with a copy of `frame`, not yet started. `fpu` is copied if given
// (the calling thread's own area means: its registers as they are now), else a fresh state.
// HX_ERR_NO_MEMORY, HX_ERR_LIMIT (the account's objects).
enum hx_status user_thread_create(struct process *process, const char *name,
                                  const struct thread_ops *ops, const struct hal_frame *frame,
                                  const void *fpu, const struct hal_tls *tls, void *personality,
                                  struct user_thread **out_thread);
// Undoes it, if it was never started.
void user_thread_discard(struct user_thread *thread);
// Makes it run; from then on it lives until it left and nobody has a reference.
static inline void user_thread_start(struct user_thread *thread) {
    thread_start(&thread->thread);
}
// Leaves the process's list, and says whether it was the last; then the caller, which is the
// thread, calls thread_exit().
bool user_thread_leave(struct user_thread *thread);

struct user_thread *user_thread_current(void); // NULL in kernel threads
struct process *process_current(void);         // NULL in kernel threads
