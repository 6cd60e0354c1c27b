// SPDX-License-Identifier: MIT OR Apache-2.0
// subsys/tty/private.h: a terminal, shared by the files of subsys/tty. At the other end of its line
// is a driver (driver.c, terminals.c), or a program that has the pair's other half open (pty.c).
//
// `lock` (a mutex) guards line, output and the job-control fields. Signals that a byte causes are
// collected under it and sent after it is dropped, because the personality takes its own locks.
#pragma once

#include <core/lock.h>
#include <core/object.h>
#include <core/ports/console_calls.h>
#include <core/wait.h>
#include <tty/line.h>
#include <tty/tty.h>

#define MAJOR_TTY        4u
#define MAJOR_AMBA       204u  // Arm's serial ports (Linux, devices.txt)
#define TTY_OUTPUT_BYTES 8192u // a power of two
#define TTY_THROTTLE     256u  // cells left when the driver is asked to stop
#define TTY_MAX          8u

#define TTY_FLUSHED_INPUT  (1u << 0)
#define TTY_FLUSHED_OUTPUT (1u << 1)

// What a terminal does with the other end of its line. All but open() and closed(): under the
// terminal's lock.
struct tty_end {
    // A file of it is opened: a reference and a count, or a refusal.
    enum hx_status (*open)(struct tty *tty);
    void (*closed)(struct tty *tty);
    // Hands over output, as much as is taken.
    void (*flush)(struct tty *tty);
    // The room for input is another one.
    void (*throttle)(struct tty *tty);
    bool is_waited_for; // output is on its way until it is taken
};

struct tty {
    struct object object; // who has a pointer that outlives a call keeps it
    const struct tty_end *end;
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
    uint8_t flushed;  // TTY_FLUSHED_…, what was thrown away since the last tty_finish()
    bool is_hung;     // the other end is gone for good: nothing comes, and nothing is taken
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

// A terminal as it is when nobody has used it, but for its other end. The first reference is the
// caller's.
void tty_setup(struct tty *tty, const struct object_type *type, const struct tty_end *end);
void tty_reset(struct tty *tty) REQUIRES(tty -> lock);
// Throws away what was typed and not read; what was written and has not left.
void tty_flush_input(struct tty *tty) REQUIRES(tty -> lock);
void tty_flush_output(struct tty *tty) REQUIRES(tty -> lock);
// Bytes that wait for the other end.
uint32_t tty_pending(const struct tty *tty); // under its lock
// Opens it as a file that has no operations yet; if it may, it becomes the controlling terminal of
// the caller's session, unless that has one or the flags refuse it. What the end's open() refuses
// with.
enum hx_status tty_open(struct file *file, struct tty *tty, bool may_control);
// The other end has hung up, for good: whoever waits comes out, and the session has no terminal.
void tty_hang_up(struct tty *tty);
// Of driver.c: hands output to a driver, and tells it whether there is room for input.
void tty_driver_flush(struct tty *tty) REQUIRES(tty -> lock);
void tty_driver_throttle(struct tty *tty) REQUIRES(tty -> lock);

// Takes `count` bytes of output, or none: false. Bytes are 512 at most, so that there will be room.
bool tty_output(struct tty *tty, const uint8_t *bytes, size_t count) REQUIRES(tty -> lock);
// Sends output to the driver, updates levels, sends collected signals; drops the lock.
void tty_finish(struct tty *tty) RELEASES(tty -> lock);
// May the caller change or write to this terminal? HX_ERR_RESTART after SIGTTOU was sent,
// HX_ERR_IO for an orphaned group. Needs no lock.
enum hx_status tty_check_background(struct tty *tty, int32_t signal);
// Waits until all output has left; interruptible.
enum hx_status tty_drain(struct tty *tty);
enum hx_status tty_control(struct file *file, uint64_t request, uint64_t argument,
                           int64_t *out_result);
// The same asked at the other end of a pair (ioctl_tty(2): what is the terminal's, not the file's).
enum hx_status tty_control_far(struct file *file, struct tty *tty, uint64_t request,
                               uint64_t argument);
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
// A pair as /dev/pts shows it.
struct pty_node {
    uint64_t id;     // of this pair and no later one
    uint32_t number; // its name
    uint32_t mode, uid, gid;
    time_ns_t accessed, modified, changed; // since 1970
};
// Of pty.c. The first pair whose number is at least `from`; the one of that identity; a change
// of what its node shows (setinfo() of helix.fs). False: there is none. Any context.
bool pty_next(uint32_t from, struct pty_node *out_node);
bool pty_find(uint64_t id, struct pty_node *out_node);
bool pty_change(uint64_t id, const struct fs_info *info, uint32_t what);
enum hx_status pty_init(void);
// Of devpts.c. A new pair's mode, and its group, if the mount says one. Any context.
void devpts_defaults(struct pty_node *node);
// Whether that is the node of the pair with that identity.
bool devpts_is_node(struct inode *inode, uint64_t id);
enum hx_status devpts_init(void);

// Makes it the controlling terminal of the caller's session, if the rules allow that.
enum hx_status tty_take_control(struct tty *tty, bool steal);
