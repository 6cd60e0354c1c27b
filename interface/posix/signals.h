// SPDX-License-Identifier: MIT OR Apache-2.0
// interface/posix/signals.h: signal numbers' properties, pending sets, sending, taking. Private to
// posix.
//
// Everything that ends in _locked needs the signal_lock of the process, which is taken with
// interrupts off, because timers send signals.
#pragma once

#include <posix/call.h>
#include <posix/linux.h>
#include <posix/process.h>

#define SIGNAL_BIT(number) (UINT64_C(1) << ((number) - 1))
#define SIGNAL_REALTIME    32 // the first one that queues

#define SIG_DFL UINT64_C(0)
#define SIG_IGN UINT64_C(1)

#define SA_NOCLDSTOP 0x00000001u
#define SA_NOCLDWAIT 0x00000002u
#define SA_SIGINFO   0x00000004u
#define SA_RESTORER  0x04000000u
#define SA_ONSTACK   0x08000000u
#define SA_RESTART   0x10000000u
#define SA_NODEFER   0x40000000u
#define SA_RESETHAND 0x80000000u

#define SS_ONSTACK    1u
#define SS_DISABLE    2u
#define SS_AUTODISARM (1u << 31)
#define MINSIGSTKSZ   2048u

// si_code.
#define SI_USER       0
#define SI_KERNEL     0x80
#define SI_QUEUE      (-1)
#define SI_TIMER      (-2)
#define SI_MESGQ      (-3)
#define SI_TKILL      (-6)
#define ILL_ILLOPN    2
#define FPE_INTDIV    1
#define FPE_INTOVF    2
#define FPE_FLTDIV    3
#define FPE_FLTOVF    4
#define FPE_FLTUND    5
#define FPE_FLTRES    6
#define FPE_FLTINV    7
#define SEGV_MAPERR   1
#define SEGV_ACCERR   2
#define BUS_ADRALN    1
#define BUS_ADRERR    2
#define BUS_OBJERR    3
#define TRAP_BRKPT    1
#define TRAP_TRACE    2
#define CLD_EXITED    1
#define CLD_KILLED    2
#define CLD_DUMPED    3
#define CLD_STOPPED   5
#define CLD_CONTINUED 6

// Sets by default action; the others terminate.
#define SIGNALS_STOP                                                                               \
    (SIGNAL_BIT(SIGSTOP) | SIGNAL_BIT(SIGTSTP) | SIGNAL_BIT(SIGTTIN) | SIGNAL_BIT(SIGTTOU))
#define SIGNALS_IGNORED                                                                            \
    (SIGNAL_BIT(SIGCHLD) | SIGNAL_BIT(SIGCONT) | SIGNAL_BIT(SIGURG) | SIGNAL_BIT(SIGWINCH))
#define SIGNALS_CORE                                                                               \
    (SIGNAL_BIT(SIGQUIT) | SIGNAL_BIT(SIGILL) | SIGNAL_BIT(SIGTRAP) | SIGNAL_BIT(SIGABRT) |        \
     SIGNAL_BIT(SIGBUS) | SIGNAL_BIT(SIGFPE) | SIGNAL_BIT(SIGSEGV) | SIGNAL_BIT(SIGXCPU) |         \
     SIGNAL_BIT(SIGXFSZ) | SIGNAL_BIT(SIGSYS))
#define SIGNALS_SYNCHRONOUS                                                                        \
    (SIGNAL_BIT(SIGSEGV) | SIGNAL_BIT(SIGBUS) | SIGNAL_BIT(SIGILL) | SIGNAL_BIT(SIGTRAP) |         \
     SIGNAL_BIT(SIGFPE) | SIGNAL_BIT(SIGSYS))
#define SIGNALS_NEVER_BLOCKED (SIGNAL_BIT(SIGKILL) | SIGNAL_BIT(SIGSTOP))

// A queued signal with its details. Signals without one are delivered with SI_USER and no details.
struct signal_node {
    struct list link;
    struct posix_siginfo info;
    struct hal_fault fault;        // of synchronous signals, for the machine's part of the frame
    struct posix_user *user;       // keeps; whose RLIMIT_SIGPENDING counts it
    struct posix_pending *pending; // [lock] that it is queued in, or NULL
    // A timer's own node: called, with the lock, once it is in no queue, and before its info is
    // read. NULL: it is the heap's.
    void (*release)(struct signal_node *node);
};
// Takes a node that may be queued out of its queue, without calling release.
void signal_node_cancel_locked(struct signal_node *node);

// SIGALRM, or a timer's signal that nobody was to get, concerns timers again (itimer.c,
// timer_calls.c): the first was taken, the second is not ignored any more.
void process_alarm_taken_locked(struct posix_process *process);
void process_timers_heeded_locked(struct posix_process *process, int32_t number);

// Throws pending signals of a set away. Needs the lock, or nobody else to know the set.
void pending_flush(struct posix_pending *pending, uint64_t set);

struct posix_action signal_action_locked(const struct posix_process *process, int32_t number);
void signal_action_set_locked(struct posix_process *process, int32_t number,
                              const struct posix_action *to, struct posix_action *out_old);
// Would it be thrown away at once? Not looking at masks.
bool signal_is_ignored_locked(const struct posix_process *process, int32_t number);

// Queues it for a thread, or (NULL) the process, and wakes whoever shall take it. HX_ERR_LIMIT: too
// many are queued (only if `must_queue`). `node` may be NULL; if not it is taken, or released.
enum hx_status signal_send_locked(struct posix_process *process, struct posix_thread *thread,
                                  int32_t number, const struct posix_siginfo *info,
                                  struct signal_node *node, bool must_queue);
// With the lock taken inside; for sigqueue and the like.
enum hx_status signal_send(struct posix_process *process, struct posix_thread *thread,
                           int32_t number, const struct posix_siginfo *info, bool must_queue);
// A signal that the thread caused itself by a fault: cannot be blocked or ignored. Returns whether
// a handler will see it; else the process ends.
bool signal_force(struct posix_thread *thread, const struct posix_siginfo *info,
                  const struct hal_fault *fault);

// Takes the next of `set` that is pending for the thread or its process. 0: none. The lowest number
// comes first, those by faults before. `out_fault` may be NULL.
int32_t signal_take_locked(struct posix_thread *thread, uint64_t set,
                           struct posix_siginfo *out_info, struct hal_fault *out_fault);
uint64_t signal_pending_locked(const struct posix_thread *thread);
// Looks at what is pending again after the mask or the actions changed.
void signal_recalculate_locked(struct posix_thread *thread);
// A new mask; SIGKILL and SIGSTOP stay open.
void signal_set_mask(struct posix_thread *thread, uint64_t blocked);

// The thread is ending: what the process got may wake another one. Also ends a pending stop.
// Returns whether the stop is complete by this, for tree_report_stop().
bool signal_thread_leaves(struct posix_thread *thread);

// Tells signal files (signalfd.c) that it is pending for the process or one of its threads.
void signal_watches_tell_locked(struct posix_process *process, int32_t number);
// The process watches none any more. Its last reference is gone.
void signal_watches_end(struct posix_process *process);

// Made by the kernel for a fault; SIGTRAP, SIGSEGV … that somebody sent have codes up to 0.
bool siginfo_is_fault(const struct posix_siginfo *info);
// siginfo as programs see it (<asm-generic/siginfo.h>).
void siginfo_encode(const struct posix_siginfo *info, uint8_t out_bytes[HAL_SIGINFO_BYTES]);
void siginfo_decode(const uint8_t bytes[HAL_SIGINFO_BYTES], struct posix_siginfo *out_info);
// The one that kill(2) makes for the current process.
struct posix_siginfo siginfo_user(int32_t number, int32_t code);

// thread_ops.stop_point and fault (signal_deliver.c, fault.c).
void posix_stop_point(struct thread *thread, struct hal_frame *frame);
void posix_fault(struct thread *thread, struct hal_frame *frame, const struct hal_fault *fault);

// exec: handlers become defaults, what is ignored stays so.
void signal_actions_reset(struct posix_process *process);
// May the current process send this signal to that one? HX_ERR_NOT_PERMITTED if not.
enum hx_status signal_permission(struct posix_process *target, int32_t number);
