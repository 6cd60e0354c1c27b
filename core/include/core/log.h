// SPDX-License-Identifier: MIT OR Apache-2.0
// <core/log.h>: the kernel's log, panics, assertions.
//
// Lines go to a ring (read by /proc/kmsg and syslog(2)) and, unless `quiet`, to the console. No
// secret and no pointer of the kernel's goes in.
#pragma once

#include <helix/types.h>

enum log_level { LOG_ERROR = 3, LOG_WARNING = 4, LOG_NOTICE = 5, LOG_INFO = 6, LOG_DEBUG = 7 };

void log_write(enum log_level level, const char *format, ...) PRINTF(2, 3);
#define log_error(...)   log_write(LOG_ERROR, __VA_ARGS__)
#define log_warning(...) log_write(LOG_WARNING, __VA_ARGS__)
#define log_info(...)    log_write(LOG_INFO, __VA_ARGS__)

// Messages above this level stay off the console. Default LOG_INFO; `quiet` sets LOG_WARNING.
void log_console_level(enum log_level level);
enum log_level log_console_level_get(void);
// Prints a line (any context, interrupts off, must not log). False: it cannot now, and whoever
// follows is to. `is_behind`: earlier lines wait for that, so this one does in any case.
typedef bool (*log_console_t)(const char *text, size_t length, bool is_behind);
// Sets who prints lines; until then, and in a panic, the HAL's early console does.
void log_console_set(log_console_t write);
// The module behind `gate` has died of the line that it is to print (a guarded call says
// HX_ERR_PEER_DIED), which is told soon, outside of all locks. From log_console_t alone.
struct gate;
void log_console_died(const struct gate *gate);
// Until all deaths are told: the gate of who prints no lines any more can be given back. Thread
// context, interrupts on.
void log_await_told(void);
// For consoles that have to be waited for. `heard` is pulsed, soon and outside of all locks, after
// lines that were not printed; log_show() takes the next of them, without its level, and of those
// for the console only, into `line`: its bytes, 0 if there is none. What waits for too long is
// overwritten. `heard` is kept, for good; one caller. log_show(): any context; its caller prints.
struct waitable;
void log_follow(struct waitable *heard);
size_t log_show(char *line, size_t capacity);
// Whether any wait. Any context.
bool log_is_behind(void);
#define LOG_LINE_MAX 320u // bytes of a line
// Copies log text from byte position *position on; moves it (past what was overwritten, too). Lines
// are "<level>[seconds.micros] text\n", as syslog(2) gives them. Returns the bytes copied.
size_t log_read(uint64_t *position, char *buffer, size_t capacity);
uint64_t log_end(void);

// Stops the machine: prints the reason, the backtrace with symbols, the registers and the last 32
// trace events, then obeys panic= (0: stop; n: restart after n seconds; < 0: at once).
NORETURN void panic(const char *format, ...) PRINTF(1, 2);
struct hal_frame;
NORETURN void panic_frame(const struct hal_frame *frame, const char *format, ...) PRINTF(2, 3);
void panic_timeout_set(int64_t seconds);

// What an emulator with an exit device reports for a panic with panic=0, see hal_debug_exit().
#define PANIC_EXIT_CODE 0x12u

#define ASSERT(condition)                                                                          \
    ((condition) ? (void)0 : panic("%s:%d: assertion failed: %s", __FILE__, __LINE__, #condition))
