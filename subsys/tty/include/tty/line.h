// SPDX-License-Identifier: MIT OR Apache-2.0
// <tty/line.h>: the line discipline: what POSIX chapter 11 (general terminal interface) and Linux's
// N_TTY do with each byte. Pure: no locks, no memory; the terminal's lock guards it.
//
// Input bytes wait in a ring of cells, a byte and a mark each. In canonical mode only what lies
// before the last delimiter is readable, and the rest is the line being edited.
#pragma once

#include <tty/termios.h>

#define LINE_CELLS      4096u // a power of two; also the longest line
#define LINE_OUTPUT_MAX 8u    // bytes that one output byte may become (a tab)

struct line_events {
    // Text for the terminal's screen, already processed.
    void (*echo)(void *context, const uint8_t *bytes, uint32_t count);
    // A signal for the foreground group.
    void (*signal)(void *context, int32_t number);
    // What waits for output is thrown away (an interrupt character without NOFLSH).
    void (*flush_output)(void *context);
};

struct line {
    struct termios settings;
    uint16_t cells[LINE_CELLS]; // low byte: the byte; high: LINE_MARK_…
    uint32_t head;              // next to read; positions only grow and wrap at 2^32
    uint32_t tail;              // next to fill
    uint32_t delimiters;        // marked cells between head and tail
    uint32_t column;            // of the cursor
    uint32_t edit_column;       // where the line being edited began on the screen
    bool literal_next;          // VLNEXT was typed
    bool stopped;               // VSTOP was typed
    const struct line_events *events;
    void *context;
};

// Settings of a fresh terminal: canonical, echoing, 38400 baud, as Linux has them.
void line_init(struct line *line, const struct line_events *events, void *context);
// One byte from the device.
void line_receive(struct line *line, uint8_t byte);
// Bytes that a read could get now; in canonical mode of the first line, where an end-of-file mark
// alone counts as readable with zero bytes.
bool line_is_readable(const struct line *line);
uint32_t line_available(const struct line *line);
// Is there enough that a poller wants to know? Outside canonical mode VMIN bytes, if no timer
// (VTIME) bounds the wait for them; else as line_is_readable().
bool line_is_worth_reading(const struct line *line);
// Takes up to `capacity` bytes: in canonical mode of one line at most. Returns how many; 0 with
// line_is_readable() before means end of file.
uint32_t line_read(struct line *line, uint8_t *to, uint32_t capacity);
// Cells that are still free.
uint32_t line_room(const struct line *line);
// What the device gets for one byte that a program writes. Returns the count, 0 … LINE_OUTPUT_MAX.
uint32_t line_output(struct line *line, uint8_t byte, uint8_t *out_bytes);
// New settings; what is buffered changes its meaning with ICANON as it does on Linux.
void line_set(struct line *line, const struct termios *settings);
void line_flush_input(struct line *line);
