// SPDX-License-Identifier: MIT OR Apache-2.0
// subsys/tty/private.h: a terminal, shared by the files of subsys/tty.
//
// `lock` (a mutex) guards line, output and the job-control fields. Signals that a byte causes are
// collected under it and sent after it is dropped, because the personality takes its own locks.
#pragma once

#include <core/lock.h>
#include <core/ports/console_calls.h>
#include <core/wait.h>
#include <tty/line.h>
#include <tty/tty.h>

#define MAJOR_TTY        4u
#define MAJOR_AMBA       204u  // Arm's serial ports (Linux, devices.txt)
#define TTY_OUTPUT_BYTES 4096u // a power of two
#define TTY_THROTTLE     256u  // cells left when the driver is asked to stop
#define TTY_MAX          8u

struct tty {
    const char *name;       // "ttyS0"
    uint32_t opens;         // [the list's] files
    bool is_leaving;        // [the list's] there will be no more
    bool is_free;           // [the list's] its driver is unloaded; the next terminal has its place
    bool was_console;       // what it was before it was about to leave
    _Atomic bool log_waits; // the log is written by its thread: the driver is in ring 3
    uint32_t major, minor;
    struct console_port port;
    void *driver; // stays while somebody is inside its slot
    struct mutex lock;
    struct line line;
    struct window_size window;
    uint32_t input_speed, output_speed; // what termios2 shows; the line's speed is the driver's
    uint8_t output[TTY_OUTPUT_BYTES];
    uint32_t output_head, output_tail;
    _Atomic bool throttled; // what the driver was told; by who is inside it, or replaces it
    bool changed; // something that a waiter could care about happened since the last tty_finish()
    bool exclusive;
    uint32_t signals; // collected, bit n - 1 for signal n
    int32_t session;
    int32_t foreground;
    struct waitable waitable;
};

extern const struct tty_job_ops *tty_jobs; // never NULL

// Of tty.c: files of terminals, and what line disciplines and drivers tell.
extern const struct file_ops tty_file_ops;
extern const struct line_events tty_line_events;
extern const struct console_events tty_driver_events;
// A file of a terminal is closed.
void tty_release(struct file *file);

// Takes `count` bytes of output, or none: false. Bytes are 512 at most, so that there will be room.
bool tty_put(struct tty *tty, const uint8_t *bytes, size_t count) REQUIRES(tty -> lock);
// Sends output to the driver, updates levels, sends collected signals; drops the lock.
void tty_finish(struct tty *tty) RELEASES(tty -> lock);
// May the caller change or write to this terminal? HX_ERR_RESTART after SIGTTOU was sent,
// HX_ERR_IO for an orphaned group. Needs no lock.
enum hx_status tty_check_background(struct tty *tty, int32_t signal);
// Waits until all output has left; interruptible.
enum hx_status tty_drain(struct tty *tty);
enum hx_status tty_control(struct file *file, uint64_t request, uint64_t argument,
                           int64_t *out_result);
// The terminal that is the console; NULL: none.
struct tty *tty_console(void);
// Whether somebody may come to it. Who finds out so under its lock may use it until he drops that.
bool tty_is_there(struct tty *tty);
// Of log.c: a terminal's driver is another one; and once the terminal is there with it, the log may
// be written there. Thread context; nobody else does so meanwhile.
void tty_log_settle(struct tty *tty, void *driver);
void tty_log_begin(struct tty *tty);
// Waits until its thread has written what there is, or until `deadline`. Thread context.
void tty_log_await(time_ns_t deadline);
// What prints lines of the log (log_console_t).
bool tty_log_write(const char *text, size_t length, bool is_behind);
// Makes it the controlling terminal of the caller's session, if the rules allow that.
enum hx_status tty_take_control(struct tty *tty, bool steal);
