// SPDX-License-Identifier: MIT OR Apache-2.0
// interface/posix/life.h: how processes and threads begin, are related, and end. Private to posix.
//
// A posix_process is destroyed with its native process: the pid space holds one reference from the
// link until the zombie is waited for, each thread one, each look-up one.
#pragma once

#include <posix/call.h>
#include <posix/process.h>

// What a user may have of inotify(7), as Linux has it by default; in a queue, events.
#define INOTIFY_INSTANCES_MAX 128
#define INOTIFY_WATCHES_MAX   65536
#define INOTIFY_EVENTS_MAX    16384u

// POSIX message queues, by Linux's numbers: how many there may be, messages in one, bytes of one:
// by default, what anybody may ask for, and what the administrator may.
#define MQUEUE_QUEUES_MAX    256
#define MQUEUE_MESSAGES      10
#define MQUEUE_MESSAGES_MAX  10
#define MQUEUE_MESSAGES_HARD 65536
#define MQUEUE_BYTES         8192
#define MQUEUE_BYTES_MAX     8192
#define MQUEUE_BYTES_HARD    (16 << 20)

// Whom resources are counted for: one per user id in use.
struct posix_user {
    struct list link;
    uint32_t uid;
    _Atomic uint32_t references;
    _Atomic int32_t threads;            // RLIMIT_NPROC
    _Atomic int32_t pending;            // queued signals, RLIMIT_SIGPENDING
    _Atomic int32_t passed;             // descriptors on their way through sockets, RLIMIT_NOFILE
    _Atomic int32_t instances, watches; // of inotify
    _Atomic int32_t notices;            // of F_NOTIFY
    _Atomic uint64_t queue_bytes;       // of message queues, RLIMIT_MSGQUEUE
};
struct posix_user *posix_user_get(uint32_t uid);                 // NULL: no memory
struct posix_user *posix_user_hold(struct posix_user *user);     // one more reference
struct posix_user *posix_user_of(struct posix_process *process); // the process's, with a reference
void posix_user_put(struct posix_user *user);
// One more, one fewer thread or process of the user's.
void posix_user_count(struct posix_user *user);
void posix_user_uncount(struct posix_user *user);

enum hx_status process_caches_init(void);

// A process without relatives, actions, files or threads. Borrows all three. HX_ERR_NO_MEMORY,
// HX_ERR_LIMIT (the account's).
enum hx_status posix_process_create(struct aspace *aspace, struct account *account,
                                    struct name_spaces *ns, struct posix_process **out_process);
// A thread's data; not yet linked to anything. NULL: no memory.
struct posix_thread *posix_thread_create(struct posix_process *process);
void posix_thread_free(struct posix_thread *thread);
// It is none of its user's any more: it ends.
void posix_thread_uncount(struct posix_thread *thread);
// Ties a thread's data to its native thread, with which it is destroyed from now on.
void posix_thread_bind(struct posix_thread *thread, struct user_thread *native);
// Traces how a new thread is called here: its process and its number.
void posix_trace_task(const struct posix_thread *thread);

struct posix_actions *posix_actions_create(struct posix_process *from); // NULL: defaults

// Replaces the credentials: takes the new ones and, if not NULL, the user, which then counts the
// process. Others that act, or act on files, as somebody else, or with more capabilities, make the
// process one that is not dumpable.
void posix_credentials_set(struct posix_process *process, struct credentials *credentials,
                           struct posix_user *user);
// Of the current process, borrowed: only its own threads change them, and the caller is one. Only
// for look-ups that end before the call does.
bool posix_capable(uint32_t capability);

// One more process that executes a file of which that is known to be so; and one fewer (NULL is
// fine), with the reference on the file.
struct file *executable_get(struct file *file);
void executable_put(struct file *file);

// The name of a program, for ps and the log: the last component of the path.
void process_set_command(struct posix_process *process, struct thread *thread, const char *path);

// tree.c: parents, children, groups, sessions. All need tree_lock unless said otherwise.
struct pid_space;
// Makes `child` a child of `parent`, in its group (NULL parent: process 1, a group of its own
// that exists already), and gives it its number.
void tree_link(struct pid_space *space, struct posix_process *child, struct posix_process *parent,
               struct posix_group *group);
// The end of a process: its children get a new parent, its group may be orphaned, its parent is
// told or, if that does not care, it is released. Not locked; the caller's last act for `process`.
void tree_exit(struct posix_process *process);
// Takes a zombie out of everything. The caller drops the pid space's reference with process_put()
// after the lock.
void tree_release(struct posix_process *process);
// Is there no member of the group whose parent is in another group of the same session? `without`
// is not counted.
bool tree_group_is_orphaned(const struct posix_group *group, const struct posix_process *without);
// Tells the parent of a stop or a continuation. Not locked.
void tree_report_stop(struct posix_process *process);
void tree_report_continue(struct posix_process *process);

// New ones, which their numbers name from now on; one reference. The group keeps the session. NULL:
// no memory.
struct posix_group *posix_group_create(struct posix_session *session, int32_t id);
struct posix_session *posix_session_create(struct pid_space *space, int32_t id);
// Moves a process to a group (NULL: none); gets a reference on it, drops the old one's.
void tree_set_group(struct posix_process *process, struct posix_group *group);

// job.c
void job_init(void);                                       // registers tty_job_ops
bool job_group_is_orphaned(struct posix_process *process); // not locked
// A session leader ends: its terminal is free, and hangs up. Not locked.
void job_session_end(struct posix_process *process);

// oom.c: there is no memory for a page that a program needs: sees to it that a process ends, and
// waits a moment. The caller tries again; it may hold sleeping locks if it ends this by itself.
// False: the thread is being killed.
bool oom_wait(struct posix_thread *thread);
// thread_ops.copy_waits: the same, for a bounded time.
bool oom_copy_waits(struct thread *thread, time_ns_t since);
void oom_init(void);
// Kills for those who wait; needs a kernel thread that holds nothing.
NORETURN void oom_serve(void);
// A process that ends has let go of its memory; `later`: of some of it only when it is reclaimed.
void oom_memory_given_back(struct posix_process *process, bool later);

// clone.c, for spawn.c too: what a child has of its parent before it runs.
// RLIMIT_NPROC, which does not bind the administrator, and the machine's own limit. HX_ERR_LIMIT.
enum hx_status birth_check_limits(struct posix_process *process);
// Limits, command, ranges of the program, flags; and credentials, user and executable.
void birth_copy_settings(struct posix_process *child, const struct posix_process *parent);
void birth_copy_identity(struct posix_process *child, struct posix_process *parent);
// Priority and the processors that it may run on.
void birth_copy_scheduling(struct thread *child, const struct thread *parent);

// sysv_sem_undo.c
// A child that is not linked yet shares what its parent's end would do to semaphores.
// HX_ERR_NO_MEMORY
enum hx_status sem_undos_share(struct posix_thread *parent, struct posix_thread *child);
// The calling thread, or one that never ran, has no part in it any more; the last one undoes.
void sem_undos_leave(struct posix_thread *thread);

// exit.c
NORETURN void posix_thread_exit(struct posix_thread *thread, int32_t status);
// Ends the whole process with a wait status; true if this call decided it.
bool group_exit_begin(struct posix_process *process, int32_t status);
bool group_exit_begin_locked(struct posix_process *process, int32_t status);
// exec: ends all other threads and waits for it. HX_ERR_INTERRUPTED: the caller is being ended.
enum hx_status exit_other_threads(struct posix_thread *thread);
// The thread leaves its address space, for good (`ends`) or by exec: what it holds of futexes, the
// word that says that it lives.
void thread_release_memory(struct posix_thread *thread, bool ends);

// Thread operations of all threads of this personality (dispatch.c).
extern const struct thread_ops posix_thread_ops;
