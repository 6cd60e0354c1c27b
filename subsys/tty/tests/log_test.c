// SPDX-License-Identifier: MIT OR Apache-2.0
// subsys/tty/tests/log_test.c: what is printed at once, what is kept for the writer, and in which
// order it comes: of log.c, with stand-ins for what it calls. The writer runs until it sleeps.
#include "../log.c"

#include <check.h>
#include <setjmp.h>
#include <string.h>

static bool has_early;
static char early[256], driver[256]; // what they were given
static char kept[256];               // that log_show() has
static bool is_away;                 // the driver: the terminal's output stays where it is
static struct tty line = { .name = "hvc0", .major = 229 };
static struct tty *there;
static struct gate slot;
static jmp_buf sleeps;
static uint32_t waits; // for the output
static uint32_t deaths;

static void add(char *to, const char *text, size_t length) {
    const size_t at = strlen(to);
    CHECK(at + length < 256);
    memcpy(to + at, text, length);
}

_Atomic bool hosted_branches[TRACE_PARTS];

void trace_method(uint32_t port, uint32_t method) {
    (void)port;
    (void)method;
}

void trace_method_end(uint32_t port, uint32_t method, enum hx_status status) {
    (void)port;
    (void)method;
    (void)status;
}

bool hal_console_is_there(void) {
    return has_early;
}

void hal_console_write(const char *text, size_t length) {
    if (has_early) {
        add(early, text, length);
    }
}

struct tty *tty_console(void) {
    return there;
}

bool tty_is_there(struct tty *tty) {
    return tty == there;
}

bool tty_output(struct tty *tty, const uint8_t *bytes, size_t count) {
    for (size_t i = 0; i < count; i++) {
        tty->output[tty->output_tail++ % TTY_OUTPUT_BYTES] = bytes[i];
    }
    return true;
}

static void flush(struct tty *tty) {
    for (; tty->output_head != tty->output_tail; tty->output_head++) {
        add(driver, (const char *)&tty->output[tty->output_head % TTY_OUTPUT_BYTES], 1);
    }
}

HX_ATTR(no_thread_safety_analysis) void tty_finish(struct tty *tty) {
    if (!is_away) {
        flush(tty);
    }
}

HX_ATTR(no_thread_safety_analysis) void mutex_lock(struct mutex *mutex) {
    (void)mutex;
}

HX_ATTR(no_thread_safety_analysis) void mutex_unlock(struct mutex *mutex) {
    (void)mutex;
}

void waitable_init(struct waitable *waitable, uint32_t state) {
    (void)waitable;
    (void)state;
}

void waitable_pulse(struct waitable *waitable) {
    (void)waitable;
}

uint32_t waitable_sequence(const struct waitable *waitable) {
    (void)waitable;
    return 0;
}

// For output: the driver is there again, and somebody logs before it has what waits.
enum hx_status wait_change(struct waitable *waitable, uint32_t sequence, time_ns_t deadline,
                           uint32_t flags) {
    (void)sequence;
    (void)deadline;
    (void)flags;
    if (waitable == &heard) {
        longjmp(sleeps, 1);
    }
    CHECK(waitable == &line.waitable);
    waits++;
    is_away = false;
    atomic_store(&slot.hal.closed, 0);
    CHECK(!tty_log_write("later\n", 6, false));
    flush(&line);
    return HX_OK;
}

size_t log_show(char *text, size_t capacity) {
    const size_t length = strlen(kept);
    CHECK(length < capacity);
    memcpy(text, kept, length);
    memset(kept, 0, sizeof(kept));
    return length;
}

bool log_is_behind(void) {
    return kept[0] != '\0';
}

void log_console_died(const struct gate *gate) {
    CHECK(gate == &slot);
    deaths++;
}

void log_follow(struct waitable *waitable) {
    CHECK(waitable == &heard);
}

void log_write(enum log_level level, const char *format, ...) {
    (void)level;
    (void)format;
}

void *kernel_stack_alloc(size_t size_bytes) {
    (void)size_bytes;
    return early;
}

void thread_init(struct thread *thread, const char *name, void *stack_low, size_t stack_bytes,
                 void (*entry)(void *), void *argument) {
    (void)thread;
    (void)name;
    (void)stack_low;
    (void)stack_bytes;
    (void)argument;
    CHECK(entry == write_log);
}

void thread_start(struct thread *thread) {
    (void)thread;
}

static enum hx_status print(void *self, const void *bytes, uint32_t count) {
    (void)self;
    add(driver, bytes, count);
    return HX_OK;
}

static enum hx_status refuse(void *self, const void *bytes, uint32_t count) {
    (void)self;
    (void)bytes;
    (void)count;
    return HX_ERR_NOT_SUPPORTED;
}

static enum hx_status die(void *self, const void *bytes, uint32_t count) {
    (void)self;
    (void)bytes;
    (void)count;
    return HX_ERR_PEER_DIED;
}

static void begin(bool early_is_there, bool is_in_ring_3) {
    has_early = early_is_there;
    memset(early, 0, sizeof(early));
    memset(driver, 0, sizeof(driver));
    memset(kept, 0, sizeof(kept));
    atomic_store(&slot.hal.closed, 0);
    line.port = (struct console_port){ .gate = &slot };
    line.port.ops.write_now = is_in_ring_3 ? refuse : print;
    there = &line;
    tty_log_settle(&line, NULL);
}

static void writer_runs(void) {
    if (setjmp(sleeps) == 0) {
        write_log(NULL);
    }
}

static bool is(const char *text, const char *expected) {
    return strcmp(text, expected) == 0;
}

static void at_once(void) {
    begin(false, false);
    CHECK(tty_log_write("a\n", 2, false) && is(driver, "a\n"));
    CHECK(!tty_log_write("b\n", 2, true) && is(driver, "a\n")); // behind others
    begin(true, true);
    CHECK(!tty_log_write("a\n", 2, false) && is(early, "a\n") && is(driver, ""));
    there = NULL;
    CHECK(tty_log_write("b\n", 2, false) && is(early, "a\nb\n"));
    begin(true, false);
    line.major = MAJOR_TTY; // the early console's own: nothing is ever kept for it
    line.minor = MINOR_FIRST;
    atomic_store(&is_resting, false);
    CHECK(tty_log_write("a\n", 2, false) && is(driver, "a\n"));
    atomic_store(&is_resting, true);
    line.major = 229;
    line.minor = 0;
    begin(false, false);
    there = NULL;
    CHECK(!tty_log_write("a\n", 2, false));
}

// Without an early console a driver in the kernel needs the writer when it is away one day; with
// one it does not. Once there is one it stays.
static void writer_is_made(void) {
    begin(true, false);
    tty_log_begin(&line);
    CHECK(!has_writer);
    begin(false, false);
    tty_log_begin(&line);
    CHECK(has_writer);
}

static void driver_away(void) {
    begin(false, false);
    atomic_store(&slot.hal.closed, GATE_CLOSED);
    CHECK(!tty_log_write("a\n", 2, false) && is(driver, ""));
    atomic_store(&slot.hal.closed, GATE_DEAD);
    CHECK(!tty_log_write("a\n", 2, false) && is(driver, ""));
    begin(true, false);
    atomic_store(&slot.hal.closed, GATE_CLOSED);
    CHECK(tty_log_write("a\n", 2, false) && is(driver, "") && is(early, "a\n"));
}

// Its death is told, and the line is where it would be if it were away.
static void driver_dies(void) {
    for (uint32_t i = 0; i < 2; i++) {
        begin(i != 0, false);
        line.port.ops.write_now = die;
        CHECK(tty_log_write("a\n", 2, false) == (i != 0) && deaths == i + 1);
        CHECK(is(early, i != 0 ? "a\n" : ""));
    }
}

// What was kept is with the driver before anything is printed at once.
static void in_order(void) {
    begin(false, false);
    atomic_store(&slot.hal.closed, GATE_CLOSED);
    is_away = true;
    memcpy(kept, "kept\n", 5);
    tty_log_begin(&line);
    writer_runs();
    CHECK(waits == 1 && is(driver, "kept\n"));
    CHECK(tty_log_write("at once\n", 8, false) && is(driver, "kept\nat once\n"));
}

int main(void) {
    writer_is_made();
    at_once();
    driver_away();
    driver_dies();
    in_order();
    return check_result();
}
