// SPDX-License-Identifier: MIT OR Apache-2.0
// subsys/tty/tests/line_test.c: the line discipline, key by key, on the host.

#include <stdio.h>
#include <string.h>
#include <tty/line.h>

static int failures;
static char screen[8192];
static uint32_t screen_length;
static uint32_t signals;

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                        \
            failures++;                                                                            \
        }                                                                                          \
    } while (0)

static void echo(void *context, const uint8_t *bytes, uint32_t count) {
    (void)context;
    for (uint32_t i = 0; i < count && screen_length < sizeof(screen) - 1; i++) {
        screen[screen_length++] = (char)bytes[i];
    }
    screen[screen_length] = 0;
}

static void signal_sent(void *context, int32_t number) {
    (void)context;
    signals |= 1u << number;
}

static void flush_output(void *context) {
    (void)context;
}

static const struct line_events events = { echo, signal_sent, flush_output };
static struct line line;

static void fresh(void) {
    line_init(&line, &events, NULL);
    screen_length = 0;
    screen[0] = 0;
    signals = 0;
}

static void type(const char *text) {
    for (; *text != 0; text++) {
        line_receive(&line, (uint8_t)*text);
    }
}

// Reads once and compares.
static bool reads(const char *expected) {
    uint8_t buffer[LINE_CELLS];
    uint32_t count = line_read(&line, buffer, sizeof(buffer));
    return count == strlen(expected) && memcmp(buffer, expected, count) == 0;
}

static void canonical_lines(void) {
    fresh();
    type("ab");
    CHECK(!line_is_readable(&line));
    CHECK(line_available(&line) == 0);
    type("c\rnext\n");
    CHECK(line_available(&line) == 9);
    CHECK(reads("abc\n"));
    CHECK(reads("next\n"));
    CHECK(!line_is_readable(&line));
    CHECK(strcmp(screen, "abc\r\nnext\r\n") == 0);
}

static void short_reads_keep_the_line(void) {
    uint8_t buffer[2];
    fresh();
    type("abc\n");
    CHECK(line_read(&line, buffer, 2) == 2 && buffer[0] == 'a');
    CHECK(reads("c\n"));
}

static void erasing(void) {
    fresh();
    type("abx\x7f"
         "c\n");
    CHECK(reads("abc\n"));
    CHECK(strstr(screen, "abx\b \bc") == screen);
    fresh();
    type("\x7f\x7fone two  three\x17"
         "3\n");
    CHECK(reads("one two  3\n"));
    fresh();
    type("one two  \x17"
         "2 \x17\x17.\n"); // the spaces behind a word go with it
    CHECK(reads(".\n"));
    fresh();
    type("gone\x15kept\n");
    CHECK(reads("kept\n"));
    fresh();
    type("line one\n\x7f\x7fx\n"); // a finished line cannot be edited
    CHECK(reads("line one\n"));
    CHECK(reads("x\n"));
}

static void erasing_wide_things(void) {
    fresh();
    type("\x16\x03"
         "\x7fz\n"); // ^C typed literally shows as two columns
    CHECK(reads("z\n"));
    CHECK(strcmp(screen, "^\b^C\b \b\b \bz\r\n") == 0);
    fresh();
    type("\t\x7f.\n");
    CHECK(reads(".\n"));
    CHECK(strcmp(screen, "\t\b \b\b \b\b \b\b \b\b \b\b \b\b \b\b \b.\r\n") == 0);
    fresh();
    line.settings.input |= IUTF8;
    type("\xc3\xa4\x7fu\n");
    CHECK(reads("u\n"));
    CHECK(strcmp(screen, "\xc3\xa4\b \bu\r\n") == 0);
}

// A line that begins behind another one is as wide as it looks from there.
static void erasing_behind_a_line(void) {
    uint8_t out[LINE_OUTPUT_MAX];
    fresh();
    type("x\n");
    for (uint32_t i = 0; i < 5; i++) {
        CHECK(line_output(&line, '$', out) == 1);
    }
    type("\t\x7f");
    CHECK(strcmp(screen, "x\r\n\t\b \b\b \b\b \b") == 0);
}

static void end_of_file(void) {
    fresh();
    type("\x04");
    CHECK(line_is_readable(&line));
    CHECK(line_available(&line) == 0);
    CHECK(reads(""));
    CHECK(!line_is_readable(&line));
    type("ab\x04");
    CHECK(reads("ab"));
    CHECK(!line_is_readable(&line));
}

static void signals_flush(void) {
    fresh();
    type("half\x03");
    CHECK(signals == 1u << 2);
    CHECK(strcmp(screen, "half^C") == 0);
    type("x\n");
    CHECK(reads("x\n"));
    type("\x1c\x1a");
    CHECK(signals == (1u << 2 | 1u << 3 | 1u << 20));
    fresh();
    line.settings.local |= NOFLSH;
    type("kept\x03\n");
    CHECK(reads("kept\n"));
    fresh();
    line.settings.local &= ~ISIG;
    type("\x03\n");
    CHECK(signals == 0);
    CHECK(reads("\x03\n"));
}

static void flow_control(void) {
    fresh();
    type("\x13");
    CHECK(line.stopped);
    type("\x11");
    CHECK(!line.stopped);
    type("\x13");
    line.settings.input |= IXANY;
    type("a");
    CHECK(!line.stopped);
}

static void raw_mode(void) {
    fresh();
    struct termios raw = line.settings;
    raw.local &= ~(ICANON | ECHO | ISIG | IEXTEN);
    raw.input &= ~(ICRNL | IXON);
    raw.output &= ~OPOST;
    type("left");
    line_set(&line, &raw);
    CHECK(line_available(&line) == 4);
    type("\r\x03\x04\x7f\x13");
    CHECK(reads("left\r\x03\x04\x7f\x13"));
    CHECK(strcmp(screen, "left") == 0);
    type("again");
    line_init(&line, &events, NULL);
    struct termios cooked = line.settings;
    line_set(&line, &raw);
    type("again");
    line_set(&line, &cooked);
    CHECK(line_is_readable(&line));
    CHECK(reads("again"));
    CHECK(!line_is_readable(&line));
}

static void polling_waits_for_enough(void) {
    fresh();
    CHECK(!line_is_worth_reading(&line));
    type("ab");
    CHECK(!line_is_worth_reading(&line));
    type("\n");
    CHECK(line_is_worth_reading(&line)); // canonical: a line, whatever VMIN says
    struct termios settings = line.settings;
    settings.local &= ~(ICANON | ECHO);
    settings.characters[VMIN] = 4;
    line_set(&line, &settings);
    CHECK(!line_is_worth_reading(&line) && line_is_readable(&line));
    type("d");
    CHECK(line_is_worth_reading(&line));
    line_flush_input(&line);
    settings.characters[VTIME] = 1; // the timer runs from the first byte on: a poller must see it
    line_set(&line, &settings);
    type("e");
    CHECK(line_is_worth_reading(&line));
    line_flush_input(&line);
    settings.characters[VMIN] = settings.characters[VTIME] = 0;
    line_set(&line, &settings);
    CHECK(!line_is_worth_reading(&line));
}

static void long_lines(void) {
    fresh();
    for (uint32_t i = 0; i < 2 * LINE_CELLS; i++) {
        line_receive(&line, 'y');
    }
    CHECK(!line_is_readable(&line));
    type("\n");
    CHECK(line_available(&line) == LINE_CELLS);
    uint8_t buffer[2 * LINE_CELLS];
    CHECK(line_read(&line, buffer, sizeof(buffer)) == LINE_CELLS);
    CHECK(buffer[LINE_CELLS - 1] == '\n');
    CHECK(line_room(&line) == LINE_CELLS);
}

static void positions_wrap(void) {
    fresh();
    line.head = line.tail = UINT32_MAX - 2;
    type("wrap\nme\n");
    CHECK(reads("wrap\n"));
    CHECK(reads("me\n"));
}

static void output_processing(void) {
    uint8_t out[LINE_OUTPUT_MAX];
    fresh();
    CHECK(line_output(&line, '\n', out) == 2 && out[0] == '\r' && out[1] == '\n');
    line.settings.output |= TABDLY;
    CHECK(line_output(&line, 'a', out) == 1);
    CHECK(line_output(&line, '\t', out) == 7 && out[6] == ' ');
    line.settings.output = OPOST | ONOCR;
    line.column = 0;
    CHECK(line_output(&line, '\r', out) == 0);
    line.settings.output = OPOST | OCRNL;
    CHECK(line_output(&line, '\r', out) == 1 && out[0] == '\n');
    line.settings.output = 0;
    CHECK(line_output(&line, '\n', out) == 1 && out[0] == '\n');
}

// Every byte in every mode that changes the paths: nothing may break the ring's invariants.
static void all_bytes_all_modes(void) {
    uint64_t seed = 42;
    for (uint32_t mode = 0; mode < 256; mode++) {
        fresh();
        line.settings.local ^= (mode & 1 ? ICANON : 0) | (mode & 2 ? ECHO : 0) |
                               (mode & 4 ? ISIG : 0) | (mode & 8 ? IEXTEN : 0) |
                               (mode & 16 ? ECHOE : 0) | (mode & 32 ? ECHOKE : 0);
        line.settings.input ^= (mode & 64 ? ISTRIP : 0) | (mode & 128 ? IUTF8 : 0);
        for (uint32_t i = 0; i < 20000; i++) {
            seed = seed * 6364136223846793005u + 1442695040888963407u;
            line_receive(&line, (uint8_t)(seed >> 33));
            screen_length = 0;
            uint8_t buffer[64];
            if ((seed >> 60) == 0 && line_is_readable(&line)) {
                (void)line_read(&line, buffer, sizeof(buffer));
            }
            if (line.tail - line.head > LINE_CELLS || line.delimiters > LINE_CELLS) {
                CHECK(false);
                return;
            }
        }
    }
}

int main(void) {
    canonical_lines();
    short_reads_keep_the_line();
    erasing();
    erasing_wide_things();
    erasing_behind_a_line();
    end_of_file();
    signals_flush();
    flow_control();
    raw_mode();
    polling_waits_for_enough();
    long_lines();
    positions_wrap();
    output_processing();
    all_bytes_all_modes();
    printf("line: %s\n", failures == 0 ? "ok" : "FAILED");
    return failures != 0;
}
