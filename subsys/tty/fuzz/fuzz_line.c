// SPDX-License-Identifier: MIT OR Apache-2.0
// Any keys, reads, writes and settings of a terminal, in any order: what waits keeps to its ring,
// what counts counts right, and a line can always be ended.
#include "fuzz.h"

#include <tty/line.h>

#include <string.h>

#define BYTE       0x00ffu // of a cell; the rest are marks
#define SCREEN_MAX (LINE_OUTPUT_MAX * LINE_CELLS * 4)
#define LOOK_EVERY 8u // things that happen
#define STEPS_MAX  256u

static struct line line;
static uint32_t screen; // bytes of echo for one thing that happened

static void echo(void *context, const uint8_t *bytes, uint32_t count) {
    FUZZ_ASSERT(context == &line && count <= LINE_OUTPUT_MAX);
    fuzz_touch(bytes, count);
    screen += count;
}

static void signal_sent(void *context, int32_t number) {
    FUZZ_ASSERT(context == &line && number > 0 && number < 32);
}

static void flush_output(void *context) {
    FUZZ_ASSERT(context == &line);
}

static bool is_canonical(void) {
    return (line.settings.local & ICANON) != 0;
}

static void look(void) {
    const uint32_t used = line.tail - line.head;
    uint32_t marks = 0;
    FUZZ_ASSERT(used <= LINE_CELLS && line_room(&line) == LINE_CELLS - used);
    for (uint32_t at = line.head; at != line.tail; at++) {
        marks += (line.cells[at % LINE_CELLS] & ~BYTE) != 0;
    }
    FUZZ_ASSERT(line.delimiters == marks && (marks == 0 || is_canonical()));
    FUZZ_ASSERT(line_available(&line) <= used && screen <= SCREEN_MAX);
    FUZZ_ASSERT(!line_is_worth_reading(&line) || line_is_readable(&line));
    const bool is_ended = used == 0 || (line.cells[(line.tail - 1) % LINE_CELLS] & ~BYTE) != 0;
    FUZZ_ASSERT(!is_canonical() || is_ended || line_room(&line) > 0);
}

static void read_some(uint32_t capacity) {
    uint8_t bytes[LINE_CELLS + 1];
    const uint32_t available = line_available(&line);
    const bool was_readable = line_is_readable(&line);
    const uint32_t used = line.tail - line.head;
    const uint32_t count = line_read(&line, bytes, capacity);
    FUZZ_ASSERT(count <= capacity && count <= available && (was_readable || count == 0));
    FUZZ_ASSERT(is_canonical() || count == (used < capacity ? used : capacity));
    FUZZ_ASSERT(!was_readable || capacity == 0 || line.tail - line.head < used);
}

static void write_byte(uint8_t byte) {
    uint8_t out[LINE_OUTPUT_MAX];
    const uint32_t count = line_output(&line, byte, out);
    FUZZ_ASSERT(count <= sizeof(out));
    fuzz_touch(out, count);
}

// Flags that matter lie low; a character may be any.
static void set_some(const uint8_t *bytes, size_t size) {
    struct termios settings = line.settings;
    const size_t flags = offsetof(struct termios, characters);
    for (size_t i = 0; i + 1 < size; i += 2) {
        const size_t at = bytes[i] % sizeof(settings);
        const bool is_flag = at < flags;
        ((uint8_t *)&settings)[at] =
            is_flag ? ((uint8_t *)&settings)[at] ^ bytes[i + 1] : bytes[i + 1];
    }
    line_set(&line, &settings);
}

// What happens is a byte, and how often, or with which.
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const struct line_events events = { echo, signal_sent, flush_output };
    uint32_t steps = 0;
    line_init(&line, &events, &line);
    for (size_t i = 0; i + 1 < size && steps < STEPS_MAX;) {
        const uint8_t what = data[i] % 8;
        const uint32_t many = data[i] >= 0xf0 ? LINE_CELLS / 2 : 1;
        const uint8_t byte = data[i + 1];
        const size_t rest = size - i - 2;
        screen = 0;
        i += 2;
        if (what == 0) {
            read_some(byte < 250 ? byte : LINE_CELLS + 1);
        } else if (what == 1) {
            const size_t count = byte % 8 * 2;
            set_some(data + i, count < rest ? count : rest);
            i += count < rest ? count : rest;
        } else if (what == 2) {
            write_byte(byte);
        } else if (what == 3 && byte < 8) {
            line_flush_input(&line);
        } else {
            for (uint32_t n = 0; n < many; n++) {
                screen = 0;
                line_receive(&line, byte);
            }
        }
        if (++steps % LOOK_EVERY == 0) {
            look();
        }
    }
    look();
    return 0;
}
