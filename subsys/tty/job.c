// SPDX-License-Identifier: MIT OR Apache-2.0
// subsys/tty/job.c: which session a terminal controls, and which group is in front.
// POSIX.1-2017 11.1.3 and 11.1.4, tcsetpgrp().

#include "private.h"

#define SIGNAL_HANGUP   1
#define SIGNAL_CONTINUE 18

// Before a personality has registered there are no sessions.
static int32_t no_number(void) {
    return 0;
}
static bool no_answer(void) {
    return false;
}
static bool no_signal_ignored(int32_t signal) {
    (void)signal;
    return false;
}
static bool no_group(int32_t group, int32_t session) {
    (void)group;
    (void)session;
    return false;
}
static bool no_such_group(int32_t group) {
    (void)group;
    return false;
}
static void no_signal(int32_t session, int32_t group, int32_t signal) {
    (void)session;
    (void)group;
    (void)signal;
}
static struct tty *no_terminal(void) {
    return NULL;
}
static bool refuse_terminal(struct tty *tty) {
    (void)tty;
    return false;
}
static void drop_nothing(struct tty *tty) {
    (void)tty;
}
static void lose_nothing(int32_t session, struct tty *tty, int32_t foreground) {
    (void)session;
    (void)tty;
    (void)foreground;
}
static void own_as_root(uint32_t *out_uid, uint32_t *out_gid) {
    *out_uid = 0;
    *out_gid = 0;
}

static const struct tty_job_ops no_jobs = {
    .session_of_caller = no_number,
    .group_of_caller = no_number,
    .caller_is_session_leader = no_answer,
    .caller_ignores = no_signal_ignored,
    .caller_group_is_orphaned = no_answer,
    .group_exists = no_such_group,
    .group_in_session = no_group,
    .signal_group = no_signal,
    .controlling = no_terminal,
    .set_controlling = refuse_terminal,
    .drop_controlling = drop_nothing,
    .session_lost = lose_nothing,
    .caller_is_privileged = no_answer,
    .caller_owner = own_as_root,
};

const struct tty_job_ops *tty_jobs = &no_jobs;

void tty_job_ops_set(const struct tty_job_ops *ops) {
    tty_jobs = ops;
}

int32_t tty_session(struct tty *tty) {
    mutex_lock(&tty->lock);
    int32_t session = tty->session;
    mutex_unlock(&tty->lock);
    return session;
}

int32_t tty_foreground(struct tty *tty) {
    mutex_lock(&tty->lock);
    int32_t group = tty->foreground;
    mutex_unlock(&tty->lock);
    return group;
}

enum hx_status tty_take_control(struct tty *tty, bool steal) {
    int32_t session = tty_jobs->session_of_caller();
    int32_t group = tty_jobs->group_of_caller();
    if (!tty_jobs->caller_is_session_leader()) {
        return HX_ERR_NOT_PERMITTED;
    }
    struct tty *has = tty_jobs->controlling();
    tty_put(has);
    if (has != NULL) {
        return has == tty ? HX_OK : HX_ERR_NOT_PERMITTED;
    }
    mutex_lock(&tty->lock);
    bool taken = tty->is_hung || (tty->session != 0 && tty->session != session && !steal);
    const int32_t robbed = taken || tty->session == session ? 0 : tty->session;
    if (!taken) {
        tty->session = session;
        tty->foreground = group;
    }
    mutex_unlock(&tty->lock);
    if (taken) {
        return HX_ERR_NOT_PERMITTED;
    }
    if (robbed != 0) {
        tty_jobs->session_lost(robbed, tty, 0);
    }
    if (!tty_jobs->set_controlling(tty)) {
        tty_session_end(tty, session);
        return HX_ERR_NOT_PERMITTED;
    }
    mutex_lock(&tty->lock);
    const bool is_hung = tty->is_hung; // just now, so that the session was not there to lose it
    mutex_unlock(&tty->lock);
    if (is_hung) {
        tty_jobs->drop_controlling(tty);
    }
    return is_hung ? HX_ERR_IO : HX_OK;
}

void tty_session_end(struct tty *tty, int32_t session) {
    mutex_lock(&tty->lock);
    int32_t group = 0;
    if (tty->session == session) {
        group = tty->foreground;
        tty->session = 0;
        tty->foreground = 0;
    }
    mutex_unlock(&tty->lock);
    if (group > 0) {
        tty_jobs->signal_group(session, group, SIGNAL_HANGUP);
        tty_jobs->signal_group(session, group, SIGNAL_CONTINUE);
    }
}

void tty_hang_up(struct tty *tty) {
    mutex_lock(&tty->lock);
    const int32_t session = tty->session;
    const int32_t foreground = tty->foreground;
    tty->is_hung = true;
    tty->session = tty->foreground = 0;
    tty->output_head = tty->output_tail;
    line_flush_input(&tty->line);
    tty->changed = true;
    tty_finish(tty);
    if (session != 0) {
        tty_jobs->session_lost(session, tty, foreground);
    }
}
