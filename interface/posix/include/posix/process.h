// SPDX-License-Identifier: MIT OR Apache-2.0
// <posix/process.h>: what POSIX adds to a process and a thread.
//
// Life: created by fork or as PID 1; a zombie from its last thread's exit until it is waited for.
// Locks: `tree_lock` (one per pid space, LOCK_RANK_PROCESS_TREE, a mutex) guards parents, children,
// groups and sessions; `signal_lock` (a spin lock, LOCK_RANK_SIGNAL) guards a process's signal
// state and its threads' masks and pending sets.
#pragma once

#include <core/time.h>
#include <execution/process.h>
#include <hal/user_abi.h>
#include <posix/files.h>
#include <vfs/credentials.h>

#define POSIX_SIGNALS 64u

#define RLIMIT_COUNT    16u
#define RLIMIT_INFINITY UINT64_MAX
enum { // <asm-generic/resource.h>
    RLIMIT_CPU,
    RLIMIT_FSIZE,
    RLIMIT_DATA,
    RLIMIT_STACK,
    RLIMIT_CORE,
    RLIMIT_RSS,
    RLIMIT_NPROC,
    RLIMIT_NOFILE,
    RLIMIT_MEMLOCK,
    RLIMIT_AS,
    RLIMIT_LOCKS,
    RLIMIT_SIGPENDING,
    RLIMIT_MSGQUEUE,
    RLIMIT_NICE,
    RLIMIT_RTPRIO,
    RLIMIT_RTTIME,
};
struct posix_limit {
    _Atomic uint64_t soft, hard; // RLIMIT_INFINITY: none; pairs change under the process lock
};

// struct kernel_sigaction of the machines that have a restorer (all but riscv64).
struct posix_action {
    uint64_t handler; // SIG_DFL 0, SIG_IGN 1, or a user address
    uint64_t flags;
    uint64_t restorer;
    uint64_t mask;
};

struct posix_actions { // shared by CLONE_SIGHAND, also among processes
    struct object object;
    struct spinlock lock;                          // inside a process's signal_lock
    struct posix_action action[POSIX_SIGNALS + 1]; // [signal_lock, and lock if it is shared]
};

struct posix_pending {
    uint64_t set;      // bit n - 1 for signal n
    struct list queue; // struct posix_siginfo_node, oldest first
};

struct posix_group {
    struct object object;
    int32_t id;
    struct posix_session *session; // keeps
    struct list members;           // [tree_lock] struct posix_process.group_link, zombies included
};

// What processor time is watched for.
enum cpu_watch { CPU_WATCH_VIRTUAL, CPU_WATCH_PROF, CPU_WATCH_LIMIT, CPU_WATCHES };

struct tty;
struct posix_user;
struct posix_session {
    struct object object;
    struct pid_space *space;
    int32_t id;
    struct tty *terminal; // [tree_lock] keeps; the controlling terminal, or NULL
    int32_t lost_group;   // [tree_lock] was in front of one that hung up; 0: none
};

// What programs used, as struct rusage tells it.
struct usage {
    time_ns_t user_ns, system_ns;
    uint64_t maximum_resident_pages;
    uint64_t faults_minor, faults_major;
    uint64_t switches_voluntary, switches_forced;
};

struct posix_process {
    struct process *process; // the native object; this is its personality data
    int32_t pid;
    struct posix_process *parent; // [tree_lock]
    struct list children;         // [tree_lock] sibling_link, zombies included
    struct list sibling_link;
    struct posix_group *group; // [tree_lock] keeps
    struct list group_link;
    bool exec_done; // [tree_lock] since fork, for setpgid
    bool session_leader;
    bool subreaper;
    uint64_t start_ns;

    struct spinlock signal_lock;
    struct posix_actions *actions;       // keeps
    struct posix_pending pending;        // [signal_lock] process-wide
    bool stopping;                       // [signal_lock] told to stop, not continued since
    bool stopped;                        // [signal_lock] all threads have stopped
    bool continue_notify;                // [signal_lock] the parent has to be told
    uint32_t stop_remaining;             // [signal_lock] threads that still have to stop
    bool group_exiting;                  // [signal_lock]
    struct posix_thread *exec_thread;    // [signal_lock] the one that survives the others
    uint32_t continues;                  // [signal_lock] how many SIGCONT were sent
    uint32_t programs;                   // [signal_lock] that it has executed
    uint32_t stop_signal;                // [signal_lock] for wait with WUNTRACED
    struct waitable resumed;             // pulsed when a stop ends
    bool stop_report, continue_report;   // [tree_lock] not yet waited for
    int32_t exit_status;                 // wait's encoding, valid when zombie
    bool zombie;                         // [tree_lock]
    int32_t exit_signal;                 // to the parent; SIGCHLD, 0 for none
    struct waitable children_changed;    // pulsed on exits, stops, continues of children
    struct list signal_watches;          // signalfd.c's, with its lock
    _Atomic uint32_t signal_watch_count; // how many these are
    struct waitable vfork_done;          // WAIT_SIGNALED when exec or exit released the mm
    struct waitable exited;              // WAIT_SIGNALED and WAIT_HANGUP from a zombie on
    struct identity *identity;           // keeps; what pidfds have of it (pids.h)

    struct mutex exec_lock; // its memory and its credentials change as one (inspect.h)

    struct spinlock credentials_lock; // taken with interrupts off
    struct credentials *credentials;  // [credentials_lock] keeps; replaced, never changed
    _Atomic uint32_t uid;             // the credentials' real one
    struct posix_user *user;          // [credentials_lock] keeps; whose RLIMIT_NPROC counts it
    struct fs_context *fs;            // keeps; [process lock] NULL once it is dead
    struct file_table *files;         // keeps; NULL once it is dead
    _Atomic bool memory_given_back;   // it ended, and what it kept is gone
    struct epoch_item giving_back;    // until then
    _Atomic bool oom_chosen;          // to be killed for its memory
    time_ns_t oom_ending_since;       // oom.c's thread; when it first waited for its end; 0: never
    bool aspace_shared;               // with another process, since the last exec
    struct frame *vdso_page;          // [process lock, its threads] keeps; has its pid; NULL: none
    struct posix_limit limits[RLIMIT_COUNT];
    struct file *executable; // [process lock] keeps
    char command[THREAD_NAME_BYTES];
    uint64_t brk_start, brk_end; // [process lock]
    uint64_t arguments_start, arguments_end, environment_start, environment_end;
    uint64_t stack_top;
    uint32_t personality_flags;
    struct timer alarm;                   // ITIMER_REAL
    struct spinlock alarm_lock;           // taken with interrupts off
    time_ns_t alarm_deadline;             // [signal_lock] 0: not armed
    time_ns_t alarm_interval;             // [signal_lock]
    bool alarm_expired;                   // [signal_lock] SIGALRM was not taken yet
    struct timer cpu_timer;               // looks at the processor time that was used
    bool timers_over;                     // [alarm_lock] none is set any more
    bool cpu_timer_rests;                 // [alarm_lock] until a thread runs
    time_ns_t cpu_seen;                   // [alarm_lock] used when it was set last
    time_ns_t cpu_deadlines[CPU_WATCHES]; // [alarm_lock] processor time; 0: not watched
    time_ns_t cpu_intervals[CPU_WATCHES]; // [alarm_lock]
    struct list timers;                   // [process lock] struct posix_timer.link
    struct list timers_ignored;           // [signal_lock] struct posix_timer.ignored_link
    int32_t timer_next;                   // [process lock] the next timer's id
    struct usage waited_for; // [tree_lock] children that were, and those that they waited for
    struct usage departed;   // [signal_lock] threads and address spaces that it left
    bool unknown_call_logged;
    bool no_new_privileges;
    bool dumpable;                       // who has its ids may look into it (inspect.h)
    _Atomic int32_t parent_death_signal; // set by the process itself; 0: none
};

struct posix_thread {
    struct user_thread *native;
    struct posix_user *user;       // keeps; who counts it, if it is not the process's first thread
    struct posix_process *process; // keeps (through the native process)
    int32_t tid;
    uint64_t blocked;       // [signal_lock]
    uint64_t blocked_saved; // sigsuspend, ppoll: mask to restore after the handler
    bool restore_blocked;
    uint64_t waited_for;           // [signal_lock] by sigtimedwait: taken although blocked
    struct posix_pending pending;  // [signal_lock]
    struct hal_signal_stack stack; // own
    uint64_t clear_child_tid;      // own; user address
    uint64_t robust_list;          // own; user address
    uint64_t robust_list_bytes;
    uint64_t rseq;                 // own; user address of its struct rseq, 0: none (rseq.c)
    uint32_t rseq_signature;       // own; what stands before each place where a section is given up
    int64_t restart_number;        // the call that a stop point may restart; -1: none
    enum hx_status restart_status; // HX_ERR_RESTART …
    time_ns_t restart_deadline;    // for RESTART_BLOCK
    enum hx_status (*restart_function)(struct call *call);
    uint64_t restart_args[4];
    bool restart_always; // own; whatever the handler's flags say
    uint32_t exit_code;
    bool leaving;                // [signal_lock] takes no signals: not linked yet, or ending
    bool stop_counted;           // [signal_lock] one of stop_remaining
    uint64_t set_child_tid;      // own; user address, written at the first stop point
    struct list pi_lenders;      // [futex_pi.c's lock] who waits for a lock that it holds
    struct pi_waiter *pi_waits;  // [the same] where it waits itself; NULL: nowhere
    bool pi_ended;               // [the same] nobody lends to it any more
    struct sem_undos *sem_undos; // own; keeps; what its end does to semaphores; NULL: nothing
    uint32_t oom_seen;           // own; what oom.c knew when this thread lacked a page last
};

struct posix_process *posix_current(void); // of the running thread; NULL in kernel threads
struct posix_thread *posix_thread_current(void);

// A process by pid in the caller's pid space, with a reference on its native process (drop with
// process_put(p->process)); NULL if there is none. Zombies are found.
struct posix_process *posix_process_find(int32_t pid);
// The same by thread id; gives a reference on the thread's object.
struct posix_thread *posix_thread_find(int32_t tid);
// Walks in pid order: the first process with pid > `after`, with a reference; NULL at the end.
struct posix_process *posix_process_next(int32_t after);
// The same for the threads of a process (/proc/PID/task); gives a reference on the thread's object.
struct posix_thread *posix_thread_next(struct posix_process *process, int32_t after);

// What ps and /proc/PID/stat show of a process's place. 0 for a terminal or parent that is not
// there.
struct posix_kinship {
    int32_t parent, group, session;
    bool zombie;
};
void posix_kinship(struct posix_process *process, struct posix_kinship *out_kinship);
// The controlling terminal, with a reference; NULL: it has none.
struct tty *posix_terminal(struct posix_process *process);

// Signals. `info` may be NULL (then made up: SI_KERNEL).
struct posix_siginfo {
    int32_t number, error, code;
    int32_t pid; // kill, SIGCHLD
    uint32_t uid;
    int32_t status;   // SIGCHLD; the file's number if there is a band
    int64_t band;     // of an event of a file; 0: it is none
    uint64_t value;   // sigqueue
    uint64_t address; // SIGSEGV …
    int64_t user_ticks, system_ticks;
};
void posix_signal_process(struct posix_process *process, int32_t number,
                          const struct posix_siginfo *info);
void posix_signal_thread(struct posix_thread *thread, int32_t number,
                         const struct posix_siginfo *info);
// Is a signal (not blocked, not ignored) waiting for this thread?
bool posix_signal_pending(struct posix_thread *thread);
// Replaces the mask for the duration of a wait (ppoll, pselect, sigsuspend); the old one comes back
// after the handler or at the end of the call.
void posix_mask_swap(struct posix_thread *thread, uint64_t mask);
void posix_mask_restore(struct posix_thread *thread); // if no handler is about to run

uint64_t posix_limit(struct posix_process *process, uint32_t which);  // soft
struct credentials *posix_credentials(struct posix_process *process); // with a reference
