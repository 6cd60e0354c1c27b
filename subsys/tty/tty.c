// SPDX-License-Identifier: MIT OR Apache-2.0
// subsys/tty/tty.c: what terminals do, as files.
#include <core/time.h>

#include "private.h"

#define SIGNAL_TTIN  21
#define SIGNAL_TTOU  22
#define CHUNK_BYTES  256u
#define CHUNK_OUTPUT (CHUNK_BYTES * LINE_OUTPUT_MAX) // room for a write of any size to go on

// Output ------------------------------------------------------------------------------------------

static uint32_t output_room(const struct tty *tty) {
    return TTY_OUTPUT_BYTES - (tty->output_tail - tty->output_head);
}

static void output_put(struct tty *tty, const uint8_t *bytes, uint32_t count) {
    for (uint32_t i = 0; i < count && output_room(tty) > 0; i++) {
        tty->output[tty->output_tail & (TTY_OUTPUT_BYTES - 1)] = bytes[i];
        tty->output_tail++;
    }
}

uint32_t tty_pending(const struct tty *tty) {
    return tty->output_tail - tty->output_head;
}

#define LEVELS (WAIT_READABLE | WAIT_WRITABLE | WAIT_ERROR | WAIT_HANGUP)

static uint32_t levels_of(const struct tty *tty) {
    if (tty->is_hung) {
        return LEVELS;
    }
    return (line_is_worth_reading(&tty->line) ? WAIT_READABLE : 0) |
           (output_room(tty) >= CHUNK_OUTPUT ? WAIT_WRITABLE : 0);
}

void tty_finish(struct tty *tty) {
    tty->end->flush(tty);
    tty->end->throttle(tty);
    const uint32_t levels = levels_of(tty);
    // Only a real change moves the sequence: a reader that looked in vain must be able to sleep.
    if (tty->changed || waitable_state(&tty->waitable) != levels) {
        waitable_update(&tty->waitable, LEVELS & ~levels, levels);
    }
    tty->changed = false;
    tty->flushed = 0;
    uint32_t signals = tty->signals;
    int32_t group = tty->foreground;
    int32_t session = tty->session;
    tty->signals = 0;
    mutex_unlock(&tty->lock);
    for (int32_t number = 1; signals != 0; number++, signals >>= 1) {
        if ((signals & 1) && group > 0) {
            tty_jobs->signal_group(session, group, number);
        }
    }
}

// What the line discipline tells, under the lock
// ----------------------------------------------------

static void line_echo(void *context, const uint8_t *bytes, uint32_t count) {
    output_put(context, bytes, count);
}

static void line_signal(void *context, int32_t number) {
    struct tty *tty = context;
    tty->signals |= 1u << (number - 1);
}

void tty_flush_input(struct tty *tty) {
    line_flush_input(&tty->line);
    tty->flushed |= TTY_FLUSHED_INPUT;
    tty->changed = true;
}

void tty_flush_output(struct tty *tty) {
    tty->output_head = tty->output_tail;
    tty->flushed |= TTY_FLUSHED_OUTPUT;
    tty->changed = true;
}

// Of an interrupt character, which takes the input with it.
static void line_flush_output(void *context) {
    struct tty *tty = context;
    tty->output_head = tty->output_tail;
    tty->flushed |= TTY_FLUSHED_INPUT | TTY_FLUSHED_OUTPUT;
    tty->changed = true;
}

const struct line_events tty_line_events = { line_echo, line_signal, line_flush_output };

// Files -------------------------------------------------------------------------------------------

enum hx_status tty_check_background(struct tty *tty, int32_t signal) {
    int32_t session = tty_jobs->session_of_caller();
    int32_t group = tty_jobs->group_of_caller();
    mutex_lock(&tty->lock);
    bool background = tty->session != 0 && tty->session == session && tty->foreground > 0 &&
                      tty->foreground != group;
    mutex_unlock(&tty->lock);
    if (!background) {
        return HX_OK;
    }
    if (tty_jobs->caller_ignores(signal)) {
        return signal == SIGNAL_TTIN ? HX_ERR_IO : HX_OK;
    }
    if (tty_jobs->caller_group_is_orphaned()) {
        return HX_ERR_IO;
    }
    tty_jobs->signal_group(session, group, signal);
    return HX_ERR_RESTART;
}

// How a read of raw mode ends: POSIX 11.1.7, the four cases of MIN and TIME.
struct raw_read {
    uint32_t least;
    time_ns_t deadline;
    time_ns_t between_ns; // 0: no timer between bytes
};

static struct raw_read raw_rules(const struct tty *tty, size_t wanted) {
    uint32_t least = tty->line.settings.characters[VMIN];
    time_ns_t time_ns = (time_ns_t)tty->line.settings.characters[VTIME] * 100000000;
    struct raw_read rules = { least, TIME_NEVER, 0 };
    if (least == 0) {
        rules.least = 1;
        rules.deadline = time_now() + time_ns;
    } else {
        rules.between_ns = time_ns;
    }
    rules.least = (uint32_t)MIN_OF((size_t)rules.least, wanted);
    return rules;
}

// Takes one chunk under the lock. *out_done: the read is complete.
static size_t read_chunk(struct tty *tty, uint8_t *chunk, size_t wanted, bool *out_done) {
    bool canonical = (tty->line.settings.local & ICANON) != 0;
    bool readable = line_is_readable(&tty->line);
    size_t count = readable ? line_read(&tty->line, chunk, (uint32_t)wanted) : 0;
    *out_done = canonical && readable && (count < wanted || count == 0 || chunk[count - 1] == '\n');
    return count;
}

static enum hx_status read_wait(struct file *file, struct tty *tty, uint32_t sequence,
                                time_ns_t deadline) {
    if (atomic_load_explicit(&file->flags, memory_order_relaxed) & FILE_NONBLOCK) {
        return HX_ERR_WOULD_BLOCK;
    }
    return wait_change(&tty->waitable, sequence, deadline, WAIT_INTERRUPTIBLE);
}

// Moves what is there now. HX_ERR_WOULD_BLOCK: not complete yet.
static enum hx_status read_now(struct tty *tty, struct io_buffer *to, const struct raw_read *rules,
                               size_t *out_moved) {
    while (to->remaining > 0) {
        uint8_t chunk[CHUNK_BYTES];
        bool done = false;
        mutex_lock(&tty->lock);
        bool raw = !(tty->line.settings.local & ICANON);
        const bool is_hung = tty->is_hung;
        size_t count = read_chunk(tty, chunk, MIN_OF((size_t)to->remaining, CHUNK_BYTES), &done);
        tty_finish(tty);
        size_t moved = 0;
        enum hx_status status = io_buffer_put(to, chunk, count, &moved);
        *out_moved += moved;
        if (status != HX_OK || done || is_hung) {
            return status; // of one that is hung up: the end of the file
        }
        if (count == 0) {
            return raw && *out_moved >= rules->least ? HX_OK : HX_ERR_WOULD_BLOCK;
        }
        if (!raw && count == CHUNK_BYTES && to->remaining > 0) {
            continue; // the line is longer than a chunk
        }
    }
    return HX_OK;
}

static enum hx_status tty_read(struct file *file, struct io_buffer *to, uint64_t offset,
                               size_t *out_moved) {
    (void)offset;
    struct tty *tty = file->data;
    *out_moved = 0;
    if (to->remaining == 0) {
        return HX_OK;
    }
    enum hx_status status = tty_check_background(tty, SIGNAL_TTIN);
    if (status != HX_OK) {
        return status;
    }
    mutex_lock(&tty->lock);
    struct raw_read rules = raw_rules(tty, to->remaining);
    mutex_unlock(&tty->lock);
    for (;;) {
        uint32_t sequence = waitable_sequence(&tty->waitable);
        size_t before = *out_moved;
        status = read_now(tty, to, &rules, out_moved);
        if (status != HX_ERR_WOULD_BLOCK) {
            break;
        }
        if (*out_moved > before && rules.between_ns > 0) {
            rules.deadline = time_now() + rules.between_ns;
        }
        // A chunk that was taken moved the sequence itself; look again before sleeping.
        if (*out_moved > before) {
            continue;
        }
        status = read_wait(file, tty, sequence, rules.deadline);
        if (status == HX_ERR_TIMED_OUT) {
            return HX_OK;
        }
        if (status != HX_OK) {
            break;
        }
    }
    return *out_moved > 0 ? HX_OK : status;
}

// Puts processed bytes into the output ring; false if there was no room for a whole chunk.
bool tty_output(struct tty *tty, const uint8_t *bytes, size_t count) {
    const uint32_t flags = tty->line.settings.output;
    const uint32_t each = (flags & OPOST) == 0         ? 1
                          : (flags & TABDLY) != TABDLY ? 2
                                                       : LINE_OUTPUT_MAX;
    if (output_room(tty) < count * each) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        uint8_t out[LINE_OUTPUT_MAX];
        output_put(tty, out, line_output(&tty->line, bytes[i], out));
    }
    return true;
}

static enum hx_status write_all(struct file *file, struct tty *tty, const uint8_t *bytes,
                                size_t count) {
    for (;;) {
        mutex_lock(&tty->lock);
        uint32_t sequence = waitable_sequence(&tty->waitable);
        const bool is_hung = tty->is_hung;
        bool written = !is_hung && tty_output(tty, bytes, count);
        if (written) {
            tty_finish(tty);
            return HX_OK;
        }
        mutex_unlock(&tty->lock);
        if (is_hung) {
            return HX_ERR_IO;
        }
        enum hx_status status = read_wait(file, tty, sequence, TIME_NEVER);
        if (status != HX_OK) {
            return status;
        }
    }
}

static enum hx_status tty_write(struct file *file, struct io_buffer *from, uint64_t offset,
                                size_t *out_moved) {
    (void)offset;
    struct tty *tty = file->data;
    *out_moved = 0;
    mutex_lock(&tty->lock);
    bool checks = (tty->line.settings.local & TOSTOP) != 0;
    mutex_unlock(&tty->lock);
    enum hx_status status = checks ? tty_check_background(tty, SIGNAL_TTOU) : HX_OK;
    while (status == HX_OK && from->remaining > 0) {
        uint8_t chunk[CHUNK_BYTES];
        size_t count = 0;
        status = io_buffer_take(from, chunk, sizeof(chunk), &count);
        if (count == 0) {
            break;
        }
        enum hx_status written = write_all(file, tty, chunk, count);
        if (written != HX_OK) {
            status = written;
            break;
        }
        *out_moved += count;
    }
    return *out_moved > 0 ? HX_OK : status;
}

enum hx_status tty_drain(struct tty *tty) {
    for (;;) {
        mutex_lock(&tty->lock);
        uint32_t sequence = waitable_sequence(&tty->waitable);
        bool empty = !tty->end->is_waited_for || tty->output_head == tty->output_tail;
        mutex_unlock(&tty->lock);
        if (empty) {
            return HX_OK;
        }
        enum hx_status status =
            wait_change(&tty->waitable, sequence, TIME_NEVER, WAIT_INTERRUPTIBLE);
        if (status != HX_OK) {
            return status;
        }
    }
}

static void tty_release(struct file *file) {
    struct tty *tty = file->data;
    tty->end->closed(tty);
}

enum hx_status tty_open(struct file *file, struct tty *tty, bool may_control) {
    enum hx_status status = tty->end->open(tty);
    if (status != HX_OK) {
        return status;
    }
    file->data = tty;
    file->ops = &tty_file_ops;
    const uint32_t flags = atomic_load_explicit(&file->flags, memory_order_relaxed);
    if (may_control && (flags & OPEN_NOCTTY) == 0 && (flags & FILE_READ) != 0) {
        // Not becoming the controlling terminal is no reason to fail an open.
        HX_IGNORE(tty_take_control(tty, false));
    }
    return HX_OK;
}

static struct waitable *tty_waitable(struct file *file) {
    struct tty *tty = file->data;
    return &tty->waitable;
}

const struct file_ops tty_file_ops = {
    .name = "tty",
    .read = tty_read,
    .write = tty_write,
    .waitable = tty_waitable,
    .control = tty_control,
    .release = tty_release,
};

// A terminal's life
// -----------------------------------------------------------------------------------------

static const struct lock_class tty_class = { "tty", LOCK_RANK_TTY, false };

void tty_setup(struct tty *tty, const struct object_type *type, const struct tty_end *end) {
    object_init(&tty->object, type);
    mutex_init(&tty->lock, &tty_class);
    waitable_init(&tty->waitable, WAIT_WRITABLE);
    tty->end = end;
}

void tty_reset(struct tty *tty) {
    tty->input_speed = tty->output_speed = 115200;
    tty->window = (struct window_size){ 0 };
    tty->output_head = tty->output_tail = 0;
    tty->changed = tty->exclusive = false;
    tty->signals = 0;
    tty->session = tty->foreground = 0;
    line_init(&tty->line, &tty_line_events, tty);
}

struct tty *tty_get(struct tty *tty) {
    object_get(&tty->object);
    return tty;
}

void tty_put(struct tty *tty) {
    if (tty != NULL) {
        object_put(&tty->object);
    }
}
