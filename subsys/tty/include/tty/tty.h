// SPDX-License-Identifier: MIT OR Apache-2.0
// <tty/tty.h>: terminals: line discipline, job control, over a console driver (helix.console) or a
// pair's other half (/dev/ptmx).
//
// A terminal knows sessions and groups only as numbers; the personality registers tty_job_ops and
// answers what they mean. Lock: `tty->lock`, a mutex (LOCK_RANK_TTY); received bytes are handled in
// thread context under it.
#pragma once

#include <helix/types.h>
#include <vfs/file.h>

struct tty;

// What a terminal asks the personality. Thread context, no lock of the terminal held.
struct tty_job_ops {
    int32_t (*session_of_caller)(void); // 0: none
    int32_t (*group_of_caller)(void);
    bool (*caller_is_session_leader)(void);
    // Is SIGTTIN/SIGTTOU blocked or ignored by the caller, or its group orphaned?
    bool (*caller_ignores)(int32_t signal);
    bool (*caller_group_is_orphaned)(void);
    bool (*group_exists)(int32_t group);
    bool (*group_in_session)(int32_t group, int32_t session);
    // If it is one of that session.
    void (*signal_group)(int32_t session, int32_t group, int32_t signal);
    struct tty *(*controlling)(void);          // of the caller's session, kept; or NULL
    bool (*set_controlling)(struct tty *tty);  // keeps it; false: the session has another
    void (*drop_controlling)(struct tty *tty); // TIOCNOTTY, by a session leader
    // That session has not this terminal any more. `foreground` is not 0: since that hung up, with
    // this group in front: the leader is told, and the group when he leaves.
    void (*session_lost)(int32_t session, struct tty *tty, int32_t foreground);
    bool (*caller_is_privileged)(void);
    void (*caller_owner)(uint32_t *out_uid, uint32_t *out_gid); // of what he makes
};

// Registers the installer of helix.console, the majors of /dev/console, /dev/tty, /dev/ttyS*.
enum hx_status tty_init(void);
void tty_job_ops_set(const struct tty_job_ops *ops);
// The terminal that /dev/console means: by console= (name without options), else the first.
void tty_console_choose(const char *name);
// The machine is about to end: waits until what was written, and the log, has left by all terminals
// that are not stopped; for a second at most. Thread context.
void tty_settle(void);

// A reference; its argument. Any context; the put: thread context.
struct tty *tty_get(struct tty *tty);
void tty_put(struct tty *tty); // NULL: nothing

int32_t tty_session(struct tty *tty); // 0: nobody's controlling terminal
int32_t tty_foreground(struct tty *tty);
uint32_t tty_device_minor(struct tty *tty);
uint32_t tty_device_major(struct tty *tty);
// The session leader left: SIGHUP and SIGCONT to the foreground, the terminal is free.
void tty_session_end(struct tty *tty, int32_t session);
