// SPDX-License-Identifier: MIT OR Apache-2.0
// subsys/tty/control.c: the ioctls of a terminal, Linux's numbers and structures (ioctl_tty(2)).

#include <lib/string.h>

#include "private.h"

#define SIGNAL_TTOU  22
#define SIGNAL_WINCH 28

enum {
    TCGETS = 0x5401,
    TCSETS = 0x5402,
    TCSETSW = 0x5403,
    TCSETSF = 0x5404,
    TCSBRK = 0x5409,
    TCXONC = 0x540a,
    TCFLSH = 0x540b,
    TIOCEXCL = 0x540c,
    TIOCNXCL = 0x540d,
    TIOCSCTTY = 0x540e,
    TIOCGPGRP = 0x540f,
    TIOCSPGRP = 0x5410,
    TIOCOUTQ = 0x5411,
    TIOCSTI = 0x5412,
    TIOCGWINSZ = 0x5413,
    TIOCSWINSZ = 0x5414,
    FIONREAD = 0x541b,
    TIOCNOTTY = 0x5422,
    TIOCGETD = 0x5424,
    TCSBRKP = 0x5425,
    TIOCGSID = 0x5429,
};
#define TCGETS2  0x802c542aull
#define TCSETS2  0x402c542bull
#define TCSETSW2 0x402c542cull
#define TCSETSF2 0x402c542dull

struct request {
    struct tty *tty;
    bool is_far;          // asked at the other end of a pair
    bool may_read;        // by a file that was opened for that
    struct uaddr address; // the argument as an address
    uint64_t value;       // the argument as a number
};

static enum hx_status put_int(const struct request *request, int32_t value) {
    return copy_to_user(request->address, &value, sizeof(value));
}

// Settings ----------------------------------------------------------------------------------------

static enum hx_status get_settings(const struct request *request, bool two) {
    struct termios2 settings;
    mutex_lock(&request->tty->lock);
    settings.base = request->tty->line.settings;
    settings.input_speed = request->tty->input_speed;
    settings.output_speed = request->tty->output_speed;
    mutex_unlock(&request->tty->lock);
    return copy_to_user(request->address, &settings,
                        two ? sizeof(settings) : sizeof(settings.base));
}

enum when { WHEN_NOW, WHEN_DRAINED, WHEN_FLUSHED };

static enum hx_status set_settings(const struct request *request, bool two, enum when when) {
    struct tty *tty = request->tty;
    struct termios2 settings = { .input_speed = 0 };
    enum hx_status status =
        copy_from_user(&settings, request->address, two ? sizeof(settings) : sizeof(settings.base));
    if (status == HX_OK) {
        status = tty_check_background(tty, SIGNAL_TTOU);
    }
    if (status == HX_OK && when != WHEN_NOW) {
        status = tty_drain(tty);
    }
    if (status != HX_OK) {
        return status;
    }
    mutex_lock(&tty->lock);
    if (when == WHEN_FLUSHED) {
        tty_flush_input(tty);
    }
    line_set(&tty->line, &settings.base);
    tty->changed = true;
    if (two) {
        tty->input_speed = settings.input_speed;
        tty->output_speed = settings.output_speed;
    }
    tty_finish(tty);
    return HX_OK;
}

// Window ------------------------------------------------------------------------------------------

static enum hx_status get_window(const struct request *request) {
    mutex_lock(&request->tty->lock);
    struct window_size window = request->tty->window;
    mutex_unlock(&request->tty->lock);
    return copy_to_user(request->address, &window, sizeof(window));
}

static enum hx_status set_window(const struct request *request) {
    struct tty *tty = request->tty;
    struct window_size window;
    enum hx_status status = copy_from_user(&window, request->address, sizeof(window));
    if (status != HX_OK) {
        return status;
    }
    mutex_lock(&tty->lock);
    if (memcmp(&window, &tty->window, sizeof(window)) != 0) {
        tty->window = window;
        tty->signals |= 1u << (SIGNAL_WINCH - 1);
    }
    tty_finish(tty);
    return HX_OK;
}

// Job control -------------------------------------------------------------------------------------

static bool is_controlling(struct tty *tty) {
    struct tty *mine = tty_jobs->controlling();
    tty_put(mine);
    return mine == tty;
}

static enum hx_status get_group(const struct request *request, bool session) {
    if (!request->is_far && !is_controlling(request->tty)) {
        return HX_ERR_NOT_TTY;
    }
    const int32_t number = session ? tty_session(request->tty) : tty_foreground(request->tty);
    return session && number == 0 ? HX_ERR_NOT_TTY : put_int(request, number);
}

static enum hx_status set_group(const struct request *request) {
    struct tty *tty = request->tty;
    int32_t group = 0;
    if (!is_controlling(tty)) {
        return HX_ERR_NOT_TTY;
    }
    enum hx_status status = tty_check_background(tty, SIGNAL_TTOU);
    if (status == HX_OK) {
        status = copy_from_user(&group, request->address, sizeof(group));
    }
    if (status != HX_OK) {
        return status;
    }
    if (group <= 0) {
        return HX_ERR_INVALID;
    }
    if (!tty_jobs->group_exists(group)) {
        return HX_ERR_NO_PROCESS;
    }
    if (!tty_jobs->group_in_session(group, tty_jobs->session_of_caller())) {
        return HX_ERR_NOT_PERMITTED;
    }
    mutex_lock(&tty->lock);
    tty->foreground = group;
    mutex_unlock(&tty->lock);
    return HX_OK;
}

static enum hx_status give_up(const struct request *request) {
    if (!is_controlling(request->tty)) {
        return HX_ERR_NOT_TTY;
    }
    int32_t session = tty_jobs->session_of_caller();
    bool leader = tty_jobs->caller_is_session_leader();
    tty_jobs->drop_controlling(request->tty);
    if (leader) {
        tty_session_end(request->tty, session);
    }
    return HX_OK;
}

// Queues ------------------------------------------------------------------------------------------

static enum hx_status flush_queues(const struct request *request) {
    struct tty *tty = request->tty;
    if (request->value > 2) {
        return HX_ERR_INVALID;
    }
    enum hx_status status = tty_check_background(tty, SIGNAL_TTOU);
    if (status != HX_OK) {
        return status;
    }
    mutex_lock(&tty->lock);
    if (request->value != 1) { // TCIFLUSH or both
        tty_flush_input(tty);
    }
    if (request->value != 0) { // TCOFLUSH or both
        tty_flush_output(tty);
    }
    tty_finish(tty);
    return HX_OK;
}

static enum hx_status flow(const struct request *request) {
    struct tty *tty = request->tty;
    if (request->value > 3) {
        return HX_ERR_INVALID;
    }
    mutex_lock(&tty->lock);
    if (request->value < 2) { // TCOOFF, TCOON; the other two would send to a line that has no peer
        tty->line.stopped = request->value == 0;
    }
    tty_finish(tty);
    return HX_OK;
}

static enum hx_status count_queue(const struct request *request, bool input) {
    struct tty *tty = request->tty;
    mutex_lock(&tty->lock);
    const uint32_t pending = tty->end->is_waited_for ? tty_pending(tty) : 0;
    uint32_t count = input ? line_available(&tty->line) : pending;
    mutex_unlock(&tty->lock);
    return put_int(request, (int32_t)count);
}

static enum hx_status simulate(const struct request *request) {
    uint8_t byte;
    if (!tty_jobs->caller_is_privileged()) {
        return HX_ERR_NOT_PERMITTED;
    }
    enum hx_status status = copy_from_user(&byte, request->address, 1);
    if (status != HX_OK) {
        return status;
    }
    mutex_lock(&request->tty->lock);
    line_receive(&request->tty->line, byte);
    request->tty->changed = true;
    tty_finish(request->tty);
    return HX_OK;
}

static enum hx_status set_exclusive(const struct request *request, bool exclusive) {
    mutex_lock(&request->tty->lock);
    request->tty->exclusive = exclusive;
    mutex_unlock(&request->tty->lock);
    return HX_OK;
}

static enum hx_status control_settings(const struct request *request, uint64_t number) {
    switch (number) {
    case TCGETS:
        return get_settings(request, false);
    case TCGETS2:
        return get_settings(request, true);
    case TCSETS:
        return set_settings(request, false, WHEN_NOW);
    case TCSETSW:
        return set_settings(request, false, WHEN_DRAINED);
    case TCSETSF:
        return set_settings(request, false, WHEN_FLUSHED);
    case TCSETS2:
        return set_settings(request, true, WHEN_NOW);
    case TCSETSW2:
        return set_settings(request, true, WHEN_DRAINED);
    case TCSETSF2:
        return set_settings(request, true, WHEN_FLUSHED);
    case TIOCGWINSZ:
        return get_window(request);
    case TIOCSWINSZ:
        return set_window(request);
    case TIOCGETD:
        return put_int(request, 0); // N_TTY
    default:
        return HX_ERR_NOT_TTY;
    }
}

static enum hx_status control_line(const struct request *request, uint64_t number) {
    switch (number) {
    case TCSBRK:
    case TCSBRKP:
        return tty_drain(request->tty); // a virtual line has no break condition to send
    case TCXONC:
        return flow(request);
    case TCFLSH:
        return flush_queues(request);
    case TIOCOUTQ:
        return count_queue(request, false);
    case FIONREAD:
        return count_queue(request, true);
    case TIOCSTI:
        return simulate(request);
    case TIOCEXCL:
        return set_exclusive(request, true);
    case TIOCNXCL:
        return set_exclusive(request, false);
    default:
        return control_settings(request, number);
    }
}

static enum hx_status take_control(const struct request *request) {
    const bool is_privileged = tty_jobs->caller_is_privileged();
    if (!request->may_read && !is_privileged) {
        return HX_ERR_NOT_PERMITTED; // /dev/tty would read what this file may not
    }
    return tty_take_control(request->tty, request->value == 1 && is_privileged);
}

static enum hx_status control(const struct request *request, uint64_t number) {
    switch (number) {
    case TIOCGPGRP:
        return get_group(request, false);
    case TIOCGSID:
        return get_group(request, true);
    case TIOCSPGRP:
        return set_group(request);
    case TIOCSCTTY:
        return take_control(request);
    case TIOCNOTTY:
        return give_up(request);
    default:
        return control_line(request, number);
    }
}

static bool is_readable(const struct file *file) {
    return (atomic_load_explicit(&file->flags, memory_order_relaxed) & FILE_READ) != 0;
}

// As Linux's tty_io.c has it for one that is hung up.
static enum hx_status control_hung(uint64_t number) {
    return number == TIOCSPGRP ? HX_ERR_NOT_TTY : HX_ERR_IO;
}

enum hx_status tty_control(struct file *file, uint64_t request, uint64_t argument,
                           int64_t *out_result) {
    const struct request parsed = { file->data, false, is_readable(file), uaddr_make(argument),
                                    argument };
    *out_result = 0;
    mutex_lock(&parsed.tty->lock);
    const bool is_hung = parsed.tty->is_hung;
    mutex_unlock(&parsed.tty->lock);
    return is_hung ? control_hung(request) : control(&parsed, request);
}

enum hx_status tty_control_far(struct file *file, struct tty *tty, uint64_t request,
                               uint64_t argument) {
    const struct request parsed = { tty, true, is_readable(file), uaddr_make(argument), argument };
    switch (request) {
    case TIOCEXCL:
    case TIOCNXCL:
        return HX_OK; // of that file, which nobody else can open
    case TIOCNOTTY:
        return HX_ERR_NOT_TTY;
    default:
        return control(&parsed, request);
    }
}
