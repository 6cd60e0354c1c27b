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
static void no_signal(int32_t group, int32_t signal) {
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
    .caller_is_privileged = no_answer,
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
    if (has != NULL) {
        return has == tty ? HX_OK : HX_ERR_NOT_PERMITTED;
    }
    mutex_lock(&tty->lock);
    bool taken = tty->session != 0 && tty->session != session && !steal;
    if (!taken) {
        tty->session = session;
        tty->foreground = group;
    }
    mutex_unlock(&tty->lock);
    if (taken) {
        return HX_ERR_NOT_PERMITTED;
    }
    if (!tty_jobs->set_controlling(tty)) {
        tty_session_end(tty, session);
        return HX_ERR_NOT_PERMITTED;
    }
    return HX_OK;
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
        tty_jobs->signal_group(group, SIGNAL_HANGUP);
        tty_jobs->signal_group(group, SIGNAL_CONTINUE);
    }
}
